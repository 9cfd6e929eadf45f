"""What is on its way, on disk: it is read back as it was written, and nothing else is taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from eth_typing import HexStr

from daisee.errors import StoreError
from daisee.files import write_whole
from daisee.ledger.outbox import Outbox, Posted
from daisee.ledger.transactions import Call
from daisee.units import Address

POSTED = Posted(Call("buy", Address("0x" + "11" * 20), HexStr("0x0102"), 50_000, 7), 3, 12, [1, 2])
CREATING = Posted(Call("create", None, HexStr("0x"), 50_000), 4, 12, [1])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.json")
    assert outbox.read() == []
    outbox.write([POSTED, CREATING])
    assert outbox.read() == [POSTED, CREATING]


def test_one_at_a_time_has_it_and_the_next_one_when_it_is_let_go_or_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "outbox.json"
    first = Outbox(path)
    first.write([POSTED])
    with pytest.raises(StoreError, match=r"another program of this account is at work, and has .*; wait until it has ended"):
        Outbox(path)
    first.close()
    with pytest.raises(StoreError, match="it was let go, and may be another program's by now"):
        first.write([])
    second = Outbox(path)
    assert second.read() == [POSTED]
    del second
    Outbox(path).close()


def test_another_process_has_it_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.json"
    holds = "import pathlib, sys, time; from daisee.ledger.outbox import Outbox; held = Outbox(pathlib.Path(sys.argv[1])); "
    with subprocess.Popen(
        [sys.executable, "-c", f"{holds} print('has it', flush=True); time.sleep(60)", str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        with pytest.raises(StoreError, match="another program of this account is at work"):
            Outbox(path)
        process.kill()
    Outbox(path).close()


def test_what_killed_programs_left_half_written_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.json"
    outbox = Outbox(path)
    outbox.write([POSTED])
    outbox.close()
    for name in (".outbox.json.k3j9x_ab", ".outbox.json.0", ".other.json.k3j9x_ab"):
        (tmp_path / name).write_text("[")
    outbox = Outbox(path)
    assert outbox.read() == [POSTED]
    assert sorted(each.name for each in tmp_path.iterdir()) == [".other.json.k3j9x_ab", "outbox.json", "outbox.json.lock"]


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"outbox\.json cannot be locked: "):
        Outbox(tmp_path / "file" / "outbox.json")


def test_a_power_cut_does_not_bring_back_what_was_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def sync(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").resolve(), (tmp_path / "told").exists()))

    monkeypatch.setattr("daisee.files.os.fsync", sync)
    write_whole(tmp_path / "told", "all")
    assert [there for _, there in synced] == [False, True]
    assert synced[1][0] == tmp_path


def changed(place: str, value: Any) -> Any:
    """Answer what a file holds, one value of it replaced."""
    told = asdict(POSTED)
    inside = told["call"] if place in told["call"] else told
    inside[place] = value
    return [told]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "what should be a list is none"),
        ([5], "what should be an object is none"),
        ([{}], "what should be an object is none"),
        ([{"call": {}}], "there is no name"),
        (changed("call", 5), "what should be an object is none"),
        (changed("nonce", "3"), "nonce is not what it should be"),
        (changed("nonce", True), "nonce is not what it should be"),
        (changed("since_block", None), "since_block is not"),
        (changed("gas_prices", []), "there is no gas price"),
        (changed("gas_prices", [1, "2"]), "gas_prices is not"),
        (changed("to", 5), "to is not"),
        (changed("to", "0x12"), "to is not"),
        (changed("data", "buy"), "data is not"),
        (changed("gas", -1), "gas is not"),
        (changed("value", 1.5), "value is not"),
        ([{**asdict(POSTED), "sun": 5}], "nobody knows what sun is"),
        ("[" * 100_000, "nested too deep"),
        ("half of", "it is not JSON"),
    ],
)
def test_a_file_that_says_something_else_is_named_with_what_can_be_done(told: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "outbox.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    with pytest.raises(StoreError, match=words) as refused:
        Outbox(path).read()
    assert str(path) in str(refused.value)
    assert "move it away if nothing is" in str(refused.value)
