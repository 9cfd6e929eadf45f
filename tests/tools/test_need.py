"""Getting what the tests need: found, asked for, installed with a stand-in for apt, or told in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import need

CHROMIUM = next(each for each in need.NEEDS if each.marker == "chromium")


@pytest.fixture
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Answer the one folder on PATH, empty; what `find` remembers is forgotten before and after."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", "")
    need.find.cache_clear()
    yield tmp_path
    need.find.cache_clear()


@pytest.fixture
def apt(bare_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be root with a stand-in for apt-get that installs a Chromium; answer the file of what it was asked."""
    asked = bare_path / "asked"
    put(
        bare_path / "apt-get",
        f"""echo "$@" >>'{asked}'
case "$*" in
*install*) echo '#!/bin/sh' >'{bare_path}/chromium'; /bin/chmod +x '{bare_path}/chromium' ;;
esac""",
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    return asked


def put(path: Path, script: str) -> None:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_missing_program_is_told_in_one_line() -> None:
    for each in need.NEEDS:
        assert "\n" not in each.advice
        assert all(package in each.advice for package in each.packages)


def test_a_program_that_does_not_start_is_no_program(bare_path: Path) -> None:
    assert need.find(CHROMIUM) is None
    put(bare_path / "chromium", "exit 1")
    need.find.cache_clear()
    assert need.find(CHROMIUM) is None
    put(bare_path / "chromium", "exit 0")
    need.find.cache_clear()
    assert need.find(CHROMIUM) == str(bare_path / "chromium")


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_missing_program_fails_only_where_ci_insists(
    ci: str, status: int, bare_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    assert need.main() == status
    assert capsys.readouterr().err == "".join(f"{each.advice}\n" for each in need.NEEDS)


def test_root_without_a_terminal_gets_it_without_a_question(apt: Path) -> None:
    assert need.main() == 0
    assert need.find(CHROMIUM) is not None
    assert apt.read_text().splitlines() == [
        "-qq update",
        "-qq install -y --no-install-recommends chromium fonts-dejavu-core",
    ]
    assert need.main() == 0
    assert len(apt.read_text().splitlines()) == 2, "what is there is not installed again"


@pytest.mark.parametrize(("answer", "installed"), [("y", True), ("", False), ("no", False)])
def test_a_person_is_asked_first(answer: str, installed: bool, apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert need.main() == 0
    assert apt.exists() == installed


def test_only_root_installs(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert need.main() == 0
    assert not apt.exists()


def test_what_apt_says_is_shown_when_it_fails(apt: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(apt.parent / "apt-get", "echo no room on the disk; exit 100")
    assert need.main() == 0
    assert "no room on the disk" in capfd.readouterr().err
