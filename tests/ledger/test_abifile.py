"""ABIs as compilers and frameworks write them, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daisee.errors import UsageError
from daisee.ledger.abifile import read_abi

ABI: list[dict[str, Any]] = [{"type": "function", "name": "sun", "inputs": [], "outputs": [], "stateMutability": "view"}]
OTHER: list[dict[str, Any]] = [{"name": "rain", "inputs": []}]
# Of solc's standard JSON, each with a syntax tree, which nests deep; and of its combined JSON.
STANDARD = {
    "contracts": {"a.sol": {"Sun": {"abi": ABI}, "Rain": {"abi": OTHER}}, "b.sol": {"Sun": {"abi": OTHER}}},
    "sources": {"a.sol": {"ast": json.loads("[" * 200 + "]" * 200)}},
}
COMBINED = {"contracts": {"a.sol:Sun": {"abi": ABI}, "a.sol:Rain": {"abi": OTHER}}, "version": "0.8.37"}


def written(folder: Path, told: Any, mark: str = "") -> str:
    path = folder / "file.json"
    path.write_text(mark + (told if isinstance(told, str) else json.dumps(told)), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (ABI, ""),
        ({"abi": ABI, "bytecode": "0x"}, ""),
        ({"contractName": "Sun", "abi": ABI}, ":Sun"),
        ({"abi": json.dumps(ABI)}, ""),
        ({"contracts": {"a.sol:Sun": {"abi": json.dumps(ABI)}}}, ""),
        ({"contracts": {"a.sol": {"Sun": {"abi": ABI}}}}, ""),
        ({"input": {}, "output": STANDARD}, ":a.sol:Sun"),
        (STANDARD, ":a.sol:Sun"),
        (COMBINED, ":Sun"),
        (COMBINED, ":a.sol:Sun"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_whatever_a_compiler_writes_is_read(told: Any, name: str, mark: str, tmp_path: Path) -> None:
    assert read_abi(written(tmp_path, told, mark) + name) == ABI


@pytest.mark.parametrize(
    ("told", "name", "words"),
    [
        (STANDARD, "", "which contract of .* there are a.sol:Rain, a.sol:Sun, b.sol:Sun"),
        (STANDARD, ":Sun", "which contract of .* there are a.sol:Sun, b.sol:Sun"),
        (COMBINED, ":Snow", "there is no Snow in .* there are a.sol:Rain, a.sol:Sun"),
        (ABI, ":Sun", "name the file alone"),
        ({"contracts": {}}, "", "there is no ABI in"),
        ({"abi": 5}, "", "is no ABI: that is a list"),
        ("sun", "", "it is not JSON; or name ours"),
        ("[" * 100_000, "", "nested too deep"),
        ([5], "", "entry 0 is no object"),
        ([{"type": "function", "inputs": []}], "", "entry 0, without a name: a function has a name"),
        ([*ABI, {"name": "a", "inputs": [{"name": "b"}]}], "", "entry 1, a: nothing is no type"),
        ([{"name": "a", "inputs": [{"type": 5}]}], "", "5 is no type"),
        ([{"name": "a", "inputs": [{"type": "tuple"}]}], "", "lacks its components"),
        ([{"name": "a", "inputs": 5}], "", "its inputs are no list"),
        ([{"name": "a", "outputs": [{"type": "uint7777"}]}], "", "uint7777 is no type"),
        ([{"name": "a", "outputs": [{"type": "uint8" + "[]" * 50_000}]}], "", "is no type"),
    ],
)
def test_what_is_no_abi_is_said_to_be_none_and_where(told: Any, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read_abi(written(tmp_path, told) + name)


def test_a_file_that_is_not_there_or_has_no_end_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as an ABI: No such file"):
        read_abi(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="it is longer than"):
        read_abi("/dev/zero")


def test_parts_that_are_left_out_are_empty(tmp_path: Path) -> None:
    told = [{"name": "a", "inputs": None, "outputs": None}]
    assert read_abi(written(tmp_path, told)) == told
