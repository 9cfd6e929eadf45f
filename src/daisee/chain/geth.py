"""Where geth is: the client of a real chain, somebody else's program, of the last release that seals by proof of authority.

It is looked for on PATH and in a folder of this user's caches, where `make need` builds it; it is never fetched from here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

VERSION = "1.13.15"
"""The last release with Clique; a later one refuses the genesis of our chains."""
ANSWER_S = 20.0
"""It says its version within a second, from an old SD card within a few."""
NAMED_BY = "DAISEE_GETH"
"""The variable that names another than the one on PATH; a node's `start` reads it too."""
WHERE_FROM = (
    f"get geth-linux-amd64-{VERSION}-c5ba367e.tar.gz, or -arm64 or -arm7, from https://geth.ethereum.org/downloads and put its "
    "geth on the PATH; or, where there is Go, say `make need` in a checkout of DAISEE"
)


def cached() -> Path:
    """Answer where this user's own geth is, or would be."""
    caches = os.environ.get("XDG_CACHE_HOME", "")
    # What is not absolute is to be ignored, says the XDG Base Directory Specification.
    folder = Path(caches) if Path(caches).is_absolute() else Path.home() / ".cache"
    return folder / "daisee" / f"geth-{VERSION}" / "geth"


def find() -> str | None:
    """Answer the path of a geth of our version that starts; None where there is none.

    It is the one that is named, else the one on PATH, else this user's own.
    """
    named = os.environ.get(NAMED_BY)
    for path in [shutil.which(named)] if named else [shutil.which("geth"), str(cached())]:
        if path and version_of(path) == VERSION:
            return str(Path(path).absolute())
    return None


def version_of(path: str) -> str | None:
    """Ask a geth for its version; None where it does not start, or says something else."""
    try:
        asked = subprocess.run(
            [path, "--version"],
            capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = re.match(r"geth version (\d+\.\d+\.\d+)-stable\b", asked.stdout)
    return told[1] if told and asked.returncode == 0 else None
