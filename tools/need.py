"""What the tests need beyond Python: find it, get it where this machine allows, or say in one line what to install.

One row of `NEEDS` per program. `python tools/need.py` gets what is missing with apt when it runs as root, asking
first when a person is at the terminal, and builds what no package has; the tests read the same rows to skip, or with CI=true
to fail. It never removes anything.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from daisee.chain import geth


@dataclass(frozen=True)
class Need:
    """A program of somebody else's that some tests run."""

    marker: str
    """The pytest marker of the tests that need it."""
    programs: tuple[str, ...]
    """What it may be called on PATH, the likeliest first."""
    packages: tuple[str, ...]
    """What Debian's apt calls it, or what builds it, with what it cannot do without."""
    purpose: str
    """What cannot be tested without it, as the end of a sentence."""
    module: str = ""
    """The Go module that it is built from, at its version; empty where a package has it."""
    places: tuple[str, ...] = ()
    """Folders beside those of PATH where it may be, as patterns from the root on."""
    asked: str = "--version"
    """What it answers and ends at once."""
    code: int = 0
    """The exit code with which it then ends."""

    @property
    def advice(self) -> str:
        """Say in one line what to install."""
        apt = f"on Debian: apt-get install {' '.join(self.packages)}"
        if not self.module:
            return f"no {self.marker} here, {self.purpose}; install it, {apt}"
        return f"no {self.version} here, {self.purpose}; install Go 1.20 or later, {apt}; then `make need` builds it"

    @property
    def version(self) -> str:
        """Name the one version that will do."""
        return f"{self.marker} {self.module.partition('@v')[2]}".rstrip()


NEEDS = (
    Need(
        marker="chromium",
        programs=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        packages=("chromium", "fonts-dejavu-core"),
        purpose="so the pages go untested",
    ),
    Need(
        marker="geth",
        programs=("geth",),
        packages=("golang-go",),
        purpose="so the ledger goes untested on a real chain",
        module=f"github.com/ethereum/go-ethereum/cmd/geth@v{geth.VERSION}",
    ),
    Need(
        marker="postgresql",
        programs=("postgres",),
        packages=("postgresql",),
        purpose="so stores of many homes go untested",
        places=("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin"),
    ),
    Need(
        marker="mosquitto",
        programs=("mosquitto",),
        packages=("mosquitto",),
        purpose="so MQTT goes untested",
        places=("usr/sbin", "usr/local/sbin"),
        asked="-h",
        code=3,
    ),
    Need(
        marker="dbus",
        programs=("dbus-daemon",),
        packages=("dbus",),
        purpose="so the way to a Bluetooth plug goes untested",
    ),
)

LEAST_GO = (1, 20)
"""What geth's go.mod asks for; with 1.19, which Debian 12 has, its libraries do not compile."""
CHECKS_LINKNAME = (1, 23)
"""From here on Go refuses what a library of that geth does to Go's own clock, unless it is told not to look."""
NEWER_GO = "go1.24.9"
"""What an older Go fetches to build with."""
BUILD_TIMEOUT_S = 3_600


def in_ci() -> bool:
    """Tell whether a missing part is a failure."""
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


@functools.cache
def find(need: Need) -> str | None:
    """Answer the path of a program that starts, or None. Ubuntu's chromium-browser may be a mere pointer to a snap."""
    if need.module:
        return geth.find()
    places = [place for pattern in need.places for place in sorted(map(str, Path("/").glob(pattern)), reverse=True)]
    for name in need.programs:
        path = shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))
        if path and _starts(path, need):
            return path
    return None


def _starts(path: str, need: Need) -> bool:
    try:
        asked = subprocess.run([path, need.asked], capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == need.code


def _lacking(missing: list[Need]) -> list[str]:
    """List the packages to install; none for what can be built with the Go that is here."""
    return [package for need in missing if not (need.module and shutil.which("go")) for package in need.packages]


def _may_install(packages: list[str]) -> bool:
    """Tell whether apt can be used, after asking where there is somebody to ask."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    if in_ci() or not sys.stdin.isatty():
        return True
    try:
        answer = input(f"The tests need {' '.join(packages)}. Install with apt-get? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _install(packages: list[str]) -> None:
    """Install with apt, quietly; what apt says is shown only when it fails."""
    print(f"Installing {' '.join(packages)}, which the tests need ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        # An update that fails for one source of many may still have what we want; the install decides.
        if done.returncode and command[0] == "install":
            print(done.stdout.strip(), file=sys.stderr)


def _build(need: Need) -> None:
    """Build a program from its Go module, once, into this user's caches; what Go says is shown only when it fails."""
    if shutil.which("go") is None:
        return
    target = geth.cached()
    print(f"Building {need.version} into {target.parent}, once (two or three minutes) ...", flush=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that it appears there whole or not at all.
        with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as folder:
            go, flags = go_for_geth(folder)
            run_go(go, folder, "install", *flags, need.module)
            (Path(folder) / need.programs[0]).replace(target)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print((getattr(error, "stderr", "") or str(error)).strip(), file=sys.stderr)


def go_for_geth(folder: str) -> tuple[str, list[str]]:
    """Answer a Go that compiles geth, and with which flags. FileNotFoundError where there is no Go at all."""
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError("there is no Go here")
    version = _go_version(go, folder)
    if version < LEAST_GO:
        go = _newer_go(go, folder)
        version = _go_version(go, folder)
    return go, ["-ldflags=-checklinkname=0"] if version >= CHECKS_LINKNAME else []


def _go_version(go: str, folder: str) -> tuple[int, int]:
    told = re.search(r"\bgo(\d+)\.(\d+)", run_go(go, folder, "version"))
    if told is None:
        raise ValueError(f"{go} does not say which version it is")
    return int(told[1]), int(told[2])


def _newer_go(go: str, folder: str) -> str:
    """Let an old Go fetch a newer one as a module, checked against Go's checksums; from 1.21 on, Go does so by itself."""
    system, machine = run_go(go, folder, "env", "GOOS", "GOARCH").split()
    toolchain = f"golang.org/toolchain@v0.0.1-{NEWER_GO}.{system}-{machine}"
    root = Path(json.loads(run_go(go, folder, "mod", "download", "-json", toolchain))["Dir"])
    for program in (*(root / "bin").iterdir(), *(root / "pkg" / "tool").rglob("*")):  # a module's files cannot be executed
        program.chmod(program.stat().st_mode | 0o555)
    return str(root / "bin" / "go")


def run_go(go: str, folder: str, *command: str) -> str:
    """Run Go in a folder of its own, where no module of this machine's has a say; CalledProcessError where it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "GOROOT"} | {"GOBIN": folder}
    done = subprocess.run(
        [go, *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )
    return done.stdout.strip()


def main() -> int:
    """Get what is missing; answer 1 if something still is and CI insists, else 0."""
    missing = [need for need in NEEDS if find(need) is None]
    packages = _lacking(missing)
    if packages and _may_install(packages):
        _install(packages)
    for need in missing:
        if need.module:
            _build(need)
    find.cache_clear()
    missing = [need for need in missing if find(need) is None]
    for need in missing:
        print(need.advice, file=sys.stderr)
    return 1 if missing and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
