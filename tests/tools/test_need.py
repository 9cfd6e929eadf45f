"""Getting what the tests need: found, asked for, installed with a stand-in for apt, or told in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import need
from daisee.chain import geth

CHROMIUM, GETH, POSTGRESQL = (
    next(each for each in need.NEEDS if each.marker == marker) for marker in ("chromium", "geth", "postgresql")
)
ANSWERS_LIKE_GETH = "echo geth version {version}"


@pytest.fixture
def bare_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Answer the one folder on PATH, empty; what `find` remembers is forgotten before and after."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("CI", "")
    # Two of the kinds that there are; where others may be beside PATH, this machine has them.
    monkeypatch.setattr(need, "NEEDS", (CHROMIUM, GETH))
    need.find.cache_clear()
    yield tmp_path
    need.find.cache_clear()


@pytest.fixture
def apt(bare_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be root with a stand-in for apt-get that installs a Chromium and a Go; answer the file of what it was asked."""
    asked = bare_path / "asked"
    put(bare_path / "prepared-go", go_script(bare_path, "go1.24.4"))
    put(
        bare_path / "apt-get",
        f"""echo "$@" >>'{asked}'
case "$*" in
*install*)
    echo '#!/bin/sh' >'{bare_path}/chromium'; /bin/chmod +x '{bare_path}/chromium'
    /bin/mv '{bare_path}/prepared-go' '{bare_path}/go' ;;
esac""",
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    return asked


def put(path: Path, script: str) -> None:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def go_script(folder: Path, version: str) -> str:
    """Stand in for a Go of some version, which builds a geth that knows its own, and writes down what it was asked to."""
    newer = folder / "newer"
    return f"""case "$1" in
version) echo go version {version} linux/amd64 ;;
env) echo linux; echo amd64 ;;
mod) echo "go: downloading $4" >&2; echo "fetch $4" >>'{folder}/built'; echo '{{"Dir": "{newer}"}}' ;;
install)
    echo "{version} $*" >>'{folder}/built'
    printf '#!/bin/sh\\n{ANSWERS_LIKE_GETH.format(version="1.13.15-stable")}\\n' >"$GOBIN/geth"; /bin/chmod +x "$GOBIN/geth" ;;
esac"""


def built(folder: Path) -> list[str]:
    """Answer what the stand-ins for Go were asked to fetch and to build."""
    path = folder / "built"
    return path.read_text().splitlines() if path.exists() else []


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


def test_a_program_is_found_beside_path_where_its_package_puts_it(bare_path: Path) -> None:
    folder = bare_path / "lib" / "15" / "bin"
    folder.mkdir(parents=True)
    put(folder / "postgres", '[ "$1" = --version ]')
    wanted = replace(POSTGRESQL, places=(f"{bare_path.relative_to('/')}/lib/*/bin",))
    assert need.find(wanted) == str(folder / "postgres")


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
        "-qq install -y --no-install-recommends chromium fonts-dejavu-core golang-go",
    ]
    assert need.find(GETH) == str(apt.parent / "caches" / "daisee" / "geth-1.13.15" / "geth")
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


def test_geth_must_be_of_the_one_version_that_will_do(bare_path: Path) -> None:
    for version, taken in (("1.14.0-stable", False), ("1.13.15-unstable", False), ("1.13.15-stable-c5ba367e", True)):
        put(bare_path / "geth", ANSWERS_LIKE_GETH.format(version=version))
        need.find.cache_clear()
        assert need.find(GETH) == (str(bare_path / "geth") if taken else None), version


def test_a_geth_of_another_version_on_the_path_hides_none(bare_path: Path) -> None:
    put(bare_path / "geth", ANSWERS_LIKE_GETH.format(version="1.16.0-stable"))
    own = geth.cached()
    own.parent.mkdir(parents=True)
    put(own, ANSWERS_LIKE_GETH.format(version="1.13.15-stable"))
    assert need.find(GETH) == str(own)


@pytest.mark.parametrize(("version", "flags"), [("go1.20.1", ""), ("go1.22.9", ""), ("go1.26.8", "-ldflags=-checklinkname=0 ")])
def test_geth_is_built_once_by_whoever_has_go(
    version: str, flags: str, bare_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(bare_path / "go", go_script(bare_path, version))
    need.main()
    assert need.find(GETH) == str(geth.cached())
    assert built(bare_path) == [f"{version} install {flags}{GETH.module}"]
    assert capsys.readouterr().out == f"Building geth 1.13.15 into {geth.cached().parent}, once (two or three minutes) ...\n"
    need.main()
    assert len(built(bare_path)) == 1, "what is there is not built again"
    assert [each.name for each in geth.cached().parent.iterdir()] == ["geth"]


def test_a_go_that_is_too_old_fetches_one_that_is_not(bare_path: Path) -> None:
    put(bare_path / "go", go_script(bare_path, "go1.19.8"))
    for folder in ("bin", "pkg/tool"):
        (bare_path / "newer" / folder).mkdir(parents=True)
    (bare_path / "newer" / "bin" / "go").write_text(f"#!/bin/sh\n{go_script(bare_path, need.NEWER_GO)}\n")
    need.main()
    assert need.find(GETH) is not None
    fetched, made = built(bare_path)
    assert fetched == f"fetch golang.org/toolchain@v0.0.1-{need.NEWER_GO}.linux-amd64"
    assert made == f"{need.NEWER_GO} install -ldflags=-checklinkname=0 {GETH.module}"


def test_what_go_says_is_shown_when_it_fails(bare_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    put(bare_path / "go", "echo go version go1.24.4; [ $1 = version ] || { echo no way to the modules >&2; exit 1; }")
    assert need.main() == 0
    told = capfd.readouterr().err
    assert "no way to the modules" in told
    assert GETH.advice in told
    assert not any(geth.cached().parent.iterdir()), "nothing half made is left"
