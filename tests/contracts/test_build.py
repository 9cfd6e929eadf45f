"""The build: the compiled contracts are those of these sources, and work that was done is not done again."""

from __future__ import annotations

import json
from pathlib import Path

import hatch_build
import pytest

from daisee.errors import LedgerError
from daisee.ledger import artifacts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which everything is a word, with a Node that only notes that it was asked."""
    for name in ("package.json", "package-lock.json", ".npmrc", "compile.mjs", "One.sol"):
        (tmp_path / "contracts").mkdir(exist_ok=True)
        (tmp_path / "contracts" / name).write_text(name)
    monkeypatch.setattr(hatch_build, "__file__", str(tmp_path / "hatch_build.py"))
    (tmp_path / "hatch_build.py").write_text("")

    def node(command: list[str | Path], folder: Path, complaint: str) -> None:
        with (tmp_path / "asked").open("a") as notes:
            notes.write(complaint + "\n")
        for name in hatch_build.PAGE_ASSETS:
            asset = folder / "node_modules" / "uplot" / name
            asset.parent.mkdir(parents=True, exist_ok=True)
            asset.write_text(name)
        (folder / "out").mkdir(exist_ok=True)
        for output in hatch_build.OUTPUTS:
            (folder / "out" / output.name).write_text("made")

    monkeypatch.setattr(hatch_build, "_node", node)
    return tmp_path


def times_made(checkout: Path) -> int:
    return (checkout / "asked").read_text().count("compile") if (checkout / "asked").exists() else 0


def test_what_is_there_is_what_these_sources_make() -> None:
    stamp = json.loads((ROOT / hatch_build.STAMP).read_text())
    assert stamp["inputs"] == hatch_build._hashes(ROOT, hatch_build._inputs(ROOT)), "run `make build`"
    assert stamp["outputs"] == hatch_build._hashes(ROOT, hatch_build.OUTPUTS), "run `make build`"


def test_the_build_is_done_once(checkout: Path) -> None:
    hatch_build.make(checkout)
    hatch_build.make(checkout)
    assert times_made(checkout) == 1
    assert all((checkout / output).is_file() for output in hatch_build.OUTPUTS)


@pytest.mark.parametrize(
    "changed", ["contracts/One.sol", "contracts/package-lock.json", "hatch_build.py", str(hatch_build.OUTPUTS[0])]
)
def test_the_build_is_done_again_when_something_changed(checkout: Path, changed: str) -> None:
    hatch_build.make(checkout)
    (checkout / changed).write_text("changed")
    hatch_build.make(checkout)
    assert times_made(checkout) == 2


def test_the_build_is_done_again_when_a_contract_is_new_or_an_output_is_gone(checkout: Path) -> None:
    hatch_build.make(checkout)
    (checkout / "contracts" / "Two.sol").write_text("")
    hatch_build.make(checkout)
    (checkout / hatch_build.OUTPUTS[-1]).unlink()
    hatch_build.make(checkout)
    assert times_made(checkout) == 3


def test_a_stamp_cut_off_by_a_crash_is_no_stamp(checkout: Path) -> None:
    hatch_build.make(checkout)
    (checkout / hatch_build.STAMP).write_text('{"inp')
    hatch_build.make(checkout)
    assert times_made(checkout) == 2


def test_a_contract_that_is_not_compiled_is_asked_for_by_name() -> None:
    with pytest.raises(LedgerError, match=r"the contract Nothing is not compiled; run `make build`"):
        artifacts.load("Nothing")


def test_the_compiled_contracts_say_what_compiled_them() -> None:
    for name in ("DaiseeCoin", "EnergyExchange"):
        made = json.loads((ROOT / hatch_build.ARTIFACTS / f"{name}.json").read_text())
        assert made["contractName"] == name
        assert made["metadata"]["compiler"].startswith("solc 0.8.37")
        assert made["metadata"]["settings"]["evmVersion"] == "london"
