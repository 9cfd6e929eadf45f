"""The faults that mutate.py puts into the contracts fit the sources; whether the tests see them takes longer to find out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import mutate
from faults import FAULTS, Fault
from mutate import Verdict, misfits, try_out
from trial import Trial

KILLED = "FAILED tests/contracts/test_coin.py::test_a[it - that] - AssertionError: no\n1 failed"
FAULT, EQUIVALENT = Fault("A.sol", "old", "new", "it"), Fault("A.sol", "old", "new", "nothing", "it is the same")


def test_every_fault_fits_the_sources_exactly_once() -> None:
    assert len(FAULTS) >= 40
    assert misfits() == []


def test_a_fault_that_no_longer_fits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Fault("DaiseeCoin.sol", "what nobody ever wrote", "", "nothing")
    monkeypatch.setattr(mutate, "FAULTS", (gone, Fault("DaiseeCoin.sol", "uint256", "int", "far too much")))
    told = misfits()
    assert len(told) == 2
    assert "the text is there 0 times" in told[0]


class Copy(Trial):
    """A copy of nothing, in which the compiler and the tests say what they are told to say."""

    def __init__(self, folder: Path, complaint: str, status: int, output: str) -> None:
        self.folder, self.complaint, self.status, self.output = folder, complaint, status, output
        (folder / "contracts").mkdir()
        self.compiled = ""

    def compile(self, *contracts: str) -> str:
        self.compiled = (self.folder / "contracts" / "A.sol").read_text()
        return self.complaint

    def restore(self) -> None:
        self.compiled += ", restored"

    def test(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if self.status < 0:
            raise subprocess.TimeoutExpired("pytest", 1)
        return subprocess.CompletedProcess([], self.status, self.output, "")


@pytest.mark.parametrize(
    ("complaint", "status", "output", "fate", "by"),
    [
        ("ParserError: no", 0, "", "does not compile", "ParserError: no"),
        ("", 0, "9 passed", "survived", ""),
        ("", 1, KILLED, "killed", "test_coin.py::test_a[it - that]"),
        ("", -1, "", "could not be tested", "the time limit"),
        ("", 2, "no such file", "could not be tested", "no such file"),
        ("", 1, "what is that", "could not be tested", "what is that"),
    ],
)
def test_a_fault_is_put_in_judged_and_taken_out(
    complaint: str, status: int, output: str, fate: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutate, "source_of", lambda fault: "old source")
    copy = Copy(tmp_path, complaint, status, output)
    verdict = try_out(copy, FAULT)
    assert copy.compiled == "new source, restored"
    assert (tmp_path / "contracts" / "A.sol").read_text() == "old source"
    assert (verdict.fate, verdict.by) == (fate, by)


@pytest.mark.parametrize(
    ("fault", "fate", "wanted"),
    [
        (FAULT, "killed", True),
        (FAULT, "survived", False),
        (FAULT, "does not compile", False),
        (FAULT, "could not be tested", False),
        (EQUIVALENT, "survived", True),
        (EQUIVALENT, "killed", False),
        (EQUIVALENT, "does not compile", False),
    ],
)
def test_only_what_makes_no_difference_may_survive(
    fault: Fault, fate: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def try_all(faults: list[Any]) -> list[Verdict]:
        return [Verdict(each, "survived" if each is mutate.NOTHING else fate, "a test", 1) for each in faults]

    monkeypatch.setattr(mutate, "try_all", try_all)
    monkeypatch.setattr(mutate, "misfits", list)
    monkeypatch.setattr(mutate, "NEW_HINTS", tmp_path / "build" / "killers.json")
    monkeypatch.setattr(mutate, "FAULTS", (fault,))
    monkeypatch.setattr("sys.argv", ["mutate.py"])
    assert mutate.main() == (0 if wanted else 1)
    assert fault.breaks in capsys.readouterr().out
