"""What the tests need beyond Python: find it, get it where this machine allows, or say in one line what to install.

One row of `NEEDS` per program. `python tools/need.py` gets what is missing with apt when it runs as root, asking
first when a person is at the terminal; the tests read the same rows to skip, or with CI=true to fail. It never removes
anything.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """A program of somebody else's that some tests run."""

    marker: str
    """The pytest marker of the tests that need it."""
    programs: tuple[str, ...]
    """What it may be called on PATH, the likeliest first."""
    packages: tuple[str, ...]
    """What Debian's apt calls it, with what it cannot do without."""
    purpose: str
    """What cannot be tested without it, as the end of a sentence."""

    @property
    def advice(self) -> str:
        """Say in one line what to install."""
        return f"no {self.marker} here, {self.purpose}; install it, on Debian: apt-get install {' '.join(self.packages)}"


NEEDS = (
    Need(
        marker="chromium",
        programs=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        packages=("chromium", "fonts-dejavu-core"),
        purpose="so the pages go untested",
    ),
)


def in_ci() -> bool:
    """Tell whether a missing part is a failure."""
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


@functools.cache
def find(need: Need) -> str | None:
    """Answer the path of a program that starts, or None. Ubuntu's chromium-browser may be a mere pointer to a snap."""
    for name in need.programs:
        path = shutil.which(name)
        if path and _starts(path):
            return path
    return None


def _starts(path: str) -> bool:
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _may_install(missing: list[Need]) -> bool:
    """Tell whether apt can be used, after asking where there is somebody to ask."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    if in_ci() or not sys.stdin.isatty():
        return True
    names = " ".join(package for need in missing for package in need.packages)
    try:
        return input(f"The tests need {names}. Install with apt-get? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _install(missing: list[Need]) -> None:
    """Install with apt, quietly; what apt says is shown only when it fails."""
    packages = [package for need in missing for package in need.packages]
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


def main() -> int:
    """Get what is missing; answer 1 if something still is and CI insists, else 0."""
    missing = [need for need in NEEDS if find(need) is None]
    if missing and _may_install(missing):
        _install(missing)
        find.cache_clear()
        missing = [need for need in missing if find(need) is None]
    for need in missing:
        print(need.advice, file=sys.stderr)
    return 1 if missing and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
