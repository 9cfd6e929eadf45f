"""How many branches of the contracts do their tests take? Measured from what the machine executes; `make cover-contracts`.

What is counted: each `if`, `?:`, `&&`, `||`, loop condition and `try` in contracts/, its two outcomes apart. solc's syntax tree
says where they are, its source map which JUMPI instructions stand for each; an outcome is taken when one of them jumped, or did
not jump, in any call, transaction or creation of the contracts' tests. All code is measured: that of the contracts and that
which creates them.

What is not counted: OpenZeppelin's sources, so not who has a role either; and the jumps that the compiler adds for itself, as
they have no place of their own in the source: to find the function that is called, to read its arguments, to see whether an
arithmetic ran over, an index is beyond its list, or another contract answered. Most of these no call can make fail. A `try`
that goes on in the same way whatever happened is no branch in the code, and so is listed, and not counted.

What is measured is not the code that is deployed but the same sources compiled plainly (see compile.mjs), because optimizing
copies functions and merges blocks until a jump stands for parts of several branches, or the other way round. The tests are
those of trial.py, without the one that finds its own way: what is taken is what somebody wrote down.

The same file is the plugin that notes the jumps, in the pytest that runs in the copy of the checkout.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trial import ARTIFACTS, ROOT, TESTS, Trial

GOAL = 0.98
JUMPI = 0x57
PUSH1, PUSH32 = 0x60, 0x7F
JUMPS = "jumps.json"
"""Where the plugin writes: for each code, which JUMPI jumped (1) and did not (0)."""
BRANCHES = ("IfStatement", "Conditional", "ForStatement", "WhileStatement", "DoWhileStatement", "TryStatement")

Jumps = dict[str, set[tuple[int, bool]]]
Place = tuple[int, int, int]
"""Of a source: first byte, length, number."""


class CoverFailed(Exception):
    """There is nothing to count from; it says why."""


@dataclass
class Branch:
    """One place where the source goes one way or another."""

    file: str
    line: int
    text: str
    jumps: set[tuple[str, int]] = field(default_factory=set)
    """Which instructions stand for it: the code and the place in it."""
    outcomes: set[bool] = field(default_factory=set)
    """Whether they jumped."""


def measure(trial: Trial, *tests: str) -> list[Branch]:
    """Run tests in a copy that is compiled; list every branch of the contracts with the outcomes that they took."""
    tested = trial.test("-p", "cover", *tests)
    if tested.returncode != 0:
        raise CoverFailed(tested.stdout + tested.stderr)
    origins = json.loads((trial.folder / ARTIFACTS / "origins.json").read_text("utf-8"))
    branches = _branches_of(origins["trees"])
    jumps: Jumps = {
        code: {(at, bool(jumped)) for at, jumped in noted}
        for code, noted in json.loads((trial.folder / JUMPS).read_text("utf-8")).items()
    }
    for contract in origins["codes"].values():
        for part in ("bytecode", "deployedBytecode"):
            _attribute(contract[part]["object"], contract[part]["sourceMap"], jumps, branches)
    return list(branches.values())


def share(branches: list[Branch]) -> float:
    """Answer which part of all outcomes was taken, of branches that the code has."""
    there = [branch for branch in branches if branch.jumps]
    return sum(len(branch.outcomes) for branch in there) / (2 * len(there))


def _branches_of(trees: dict[str, Any]) -> dict[Place, Branch]:
    """Find the branches of our own sources; where they are is what the source map calls them by."""
    found = {}
    for file, tree in trees.items():
        if file.startswith("@"):
            continue
        source = (ROOT / "contracts" / file).read_bytes()
        for node in _nodes(tree["ast"]):
            if node["nodeType"] in BRANCHES or node.get("operator") in ("&&", "||"):
                first, length, number = map(int, node["src"].split(":"))
                text = source[first : first + length].decode().splitlines()[0]
                found[first, length, number] = Branch(file, source.count(b"\n", 0, first) + 1, text)
    return found


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "nodeType" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for below in tree:
            yield from _nodes(below)


def _attribute(code: str, source_map: str, jumps: Jumps, branches: dict[Place, Branch]) -> None:
    """Give the branches of one code what its jumps did."""
    noted: set[tuple[int, bool]] = set()
    for executed, taken in jumps.items():
        if _is_from(executed, code):
            noted |= taken
    for at, place in _jumps_of(bytes.fromhex(code), source_map):
        if branch := branches.get(place):
            branch.jumps.add((code, at))
            branch.outcomes |= {jumped for where, jumped in noted if where == at}


def _is_from(executed: str, code: str) -> bool:
    """Tell whether what was executed is a code that was compiled.

    What creates a contract is followed by the arguments; in what is deployed the immutables are filled in, but it ends with
    the hash of its sources and settings, which no other ends with.
    """
    return executed.startswith(code) or (len(executed) == len(code) and executed[-106:] == code[-106:])


def _jumps_of(code: bytes, source_map: str) -> Iterator[tuple[int, Place]]:
    """List the JUMPI instructions of a code, with what they come from. An entry of the map leaves out what it repeats."""
    at, fields = 0, ["0", "0", "-1"]
    for entry in source_map.split(";"):
        fields = [new or old for new, old in zip([*entry.split(":"), "", "", ""][:3], fields, strict=True)]
        if code[at] == JUMPI:
            first, length, number = map(int, fields)
            yield at, (first, length, number)
        at += code[at] - PUSH1 + 2 if PUSH1 <= code[at] <= PUSH32 else 1


# ------------------------------------------------------------------------------------------------------------- the plugin

_noted: dict[bytes, set[tuple[int, bool]]] = {}


def _noting(opcode: Callable[..., None]) -> Callable[..., None]:
    def run(computation: Any) -> None:
        code = computation.code
        at = code.program_counter - 1
        opcode(computation=computation)
        _noted.setdefault(computation.msg.code, set()).add((at, code.program_counter != at + 1))

    return run


def pytest_configure() -> None:
    """Have the machine note what its conditional jumps do; for questions and for blocks."""
    from eth.vm.forks.berlin.computation import BerlinComputation

    from daisee.chain.embedded.machine import TimedComputation

    for machine in (TimedComputation, BerlinComputation):
        machine.opcodes = {**machine.opcodes, JUMPI: _noting(machine.opcodes[JUMPI])}


def pytest_sessionfinish() -> None:
    """Write down what was noted."""
    Path(JUMPS).write_text(json.dumps({code.hex(): sorted(taken) for code, taken in _noted.items()}), "utf-8")


# ----------------------------------------------------------------------------------------------------------- the command


def main() -> int:
    """Measure, and print; answer 1 where it is less than the goal."""
    with tempfile.TemporaryDirectory(prefix="daisee-cover-") as folder:
        trial = Trial(Path(folder))
        if complaint := trial.compile():
            raise CoverFailed(complaint)
        branches = measure(trial, *TESTS)
    for file in sorted({branch.file for branch in branches}):
        here = [branch for branch in branches if branch.file == file]
        print(f"{file:<28} {len(here):>3} branches  {share(here):7.2%}")
    print(f"{'all':<28} {len(branches):>3} branches  {share(branches):7.2%} of their outcomes taken")
    for branch in branches:
        if len(branch.outcomes) < 2:
            fate = "one way only" if branch.outcomes else "never reached" if branch.jumps else "not counted"
            print(f"  {fate}: {branch.file}:{branch.line}  {branch.text}")
    return 0 if share(branches) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
