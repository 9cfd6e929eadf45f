"""A geth whose clock is a minute ahead of the machine's: built from its module, with Go's own `time.Now` a minute later.

Only what asks the time of day is ahead; timers run as they do. It is kept beside the other geth in this user's caches.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

import need
from daisee.chain import geth

AHEAD_S = 60
GETH = next(each for each in need.NEEDS if each.marker == "geth")
NOW = re.compile(r"(func Now\(\) Time \{\n\tsec, nsec, mono := \w+\(\)\n)")
"""How Go's time.go has begun to tell the time since Go 1.9."""


def cached() -> Path:
    """Answer where it is, or would be."""
    return geth.cached().with_name(f"geth-{AHEAD_S}-s-ahead")


def why_not() -> str:
    """Say why it cannot be had; empty where it is here or can be built."""
    return "" if cached().exists() or shutil.which("go") else f"no Go here to build a geth with whose clock is {AHEAD_S} s ahead"


def get() -> str:
    """Answer its path; built where it is not there yet."""
    target = cached()
    if target.exists() and geth.version_of(str(target)) == geth.VERSION:
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as name:
        folder = Path(name)
        go, flags = need.go_for_geth(name)
        source = Path(need.run_go(go, name, "env", "GOROOT")) / "src" / "time" / "time.go"
        text, changed = NOW.subn(rf"\1\tsec += {AHEAD_S}\n", source.read_text("utf-8"))
        assert changed == 1, f"{source} tells the time in another way than we know"
        (folder / "time.go").write_text(text, "utf-8")
        (folder / "overlay.json").write_text(json.dumps({"Replace": {str(source): str(folder / "time.go")}}))
        (folder / "go.mod").write_text("module later\n")
        package, _, version = GETH.module.partition("@")
        need.run_go(go, name, "get", f"{package}@{version}")
        need.run_go(go, name, "build", "-overlay=overlay.json", *flags, "-o", "geth", package)
        (folder / "geth").replace(target)
    return str(target)
