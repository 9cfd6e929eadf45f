"""Do the contracts' tests see a fault? Each fault of faults.py is put into a copy of the contracts, alone; the copy is compiled
and tested, and a test must fail. Run by `make mutate-contracts`, with words to say which faults: ARGS="Pair.sol rounding".

The test that killed a fault before (killers.json) is tried first, and where it does not, all are: that file saves time and
decides nothing. The killers of a run are in build/mutate/killers.json.

It ends with 1 where a fault survives that is not said to make no difference, where one that is said to make none is killed,
where one does not compile or no longer fits the source, and where the contracts fail without any fault.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from faults import COIN, FAULTS, Fault
from trial import ROOT, TESTS, Trial

WORKERS = 2
ROOM = "tests/contracts/"
# Those that take long come last: most faults are seen before.
KILLERS = (*TESTS, "tests/contracts/test_fuzz.py")
HINTS = Path(__file__).with_name("killers.json")
NEW_HINTS = ROOT / "build" / "mutate" / "killers.json"
NOTHING = Fault("EnergyExchange.sol", "", "", "nothing at all", equivalent="it is no fault")
"""The contracts as they are, which must survive: else every fault would be killed, by whatever fails anyway."""


@dataclass(frozen=True)
class Verdict:
    """What became of a fault."""

    fault: Fault
    fate: str
    """`killed`, `survived`, `does not compile`, or `could not be tested`."""
    by: str
    """The test that failed first, or what went wrong."""
    seconds: float

    @property
    def is_wanted(self) -> bool:
        """Tell whether it is as it should be."""
        return self.fate == ("survived" if self.fault.equivalent else "killed")


def misfits() -> list[str]:
    """List the faults whose text is not exactly once in the source, or which change nothing."""
    complaints = []
    for fault in FAULTS:
        found = source_of(fault).count(fault.old)
        if found != 1:
            complaints.append(f"{fault.file}: {fault.breaks}: the text is there {found} times, not once: {fault.old!r}")
        if fault.old == fault.new:
            complaints.append(f"{fault.file}: {fault.breaks}: it changes nothing")
        if [other.breaks for other in FAULTS].count(fault.breaks) != 1:
            complaints.append(f"{fault.file}: {fault.breaks}: two faults are called so")
    return complaints


def source_of(fault: Fault) -> str:
    """Answer the file that a fault is in, without it."""
    return (ROOT / "contracts" / fault.file).read_text("utf-8")


def try_out(trial: Trial, fault: Fault) -> Verdict:
    """Put a fault into a copy, see what the tests say, and take it out again."""
    began = time.monotonic()
    place = trial.folder / "contracts" / fault.file
    source = source_of(fault)
    place.write_text(source.replace(fault.old, fault.new) if fault.old else source, "utf-8")
    try:
        fate, by = _judge(
            trial,
            "DaiseeCoin" if fault.file == COIN else "EnergyExchange",
            json.loads(HINTS.read_text("utf-8")).get(fault.breaks, ""),
        )
    finally:
        place.write_text(source, "utf-8")
        trial.restore()
    return Verdict(fault, fate, by, time.monotonic() - began)


def _judge(trial: Trial, contract: str, likely: str) -> tuple[str, str]:
    # pytest begins with the tests of which it remembers that they failed.
    memory = trial.folder / ".pytest_cache" / "v" / "cache" / "lastfailed"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({f"{ROOM}{likely}": True} if likely else {}), "utf-8")
    try:
        if complaint := trial.compile(contract):
            return "does not compile", complaint.strip().splitlines()[0]
        tested = trial.test("-x", "--ff", "-rfE", *KILLERS)
    except subprocess.TimeoutExpired:
        # No call runs for ever, since its gas ends: so it is the machine that is slow, and nothing is known.
        return "could not be tested", "the time limit"
    if tested.returncode == 0:
        return "survived", ""
    failed = re.search(rf"^(?:FAILED|ERROR) {ROOM}(\S+::\w+(?:\[.*?\])?)(?: - |$)", tested.stdout, re.MULTILINE)
    if tested.returncode == 1 and failed:
        return "killed", failed[1]
    return "could not be tested", (tested.stdout + tested.stderr).strip()[-300:]


def try_all(faults: list[Fault]) -> list[Verdict]:
    """Try faults out, two at a time, and say how it goes; the verdicts are in the order of the faults."""
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="daisee-mutate-") as folder, ThreadPoolExecutor(WORKERS) as workers:
        free: SimpleQueue[Trial] = SimpleQueue()
        for number in range(WORKERS):
            free.put(Trial(Path(folder, str(number))))

        def work(fault: Fault) -> Verdict:
            trial = free.get()
            try:
                return try_out(trial, fault)
            finally:
                free.put(trial)

        for each in as_completed([workers.submit(work, fault) for fault in faults]):
            verdicts.append(each.result())
            print(f"[{len(verdicts)}/{len(faults)}] {_line(verdicts[-1])}", flush=True)
    return sorted(verdicts, key=lambda verdict: faults.index(verdict.fault))


def _line(verdict: Verdict) -> str:
    fault = verdict.fault
    mark = " " if verdict.is_wanted else "!"
    fate = "equivalent" if fault.equivalent and verdict.is_wanted else verdict.fate
    return f"{mark} {fate:<16} {fault.file.split('/')[-1]:<18} {fault.breaks:<72} {verdict.seconds:5.0f} s  {verdict.by}"


def main() -> int:
    """Try the faults that the command line's words name, or all; answer the status to end with."""
    complaints = misfits()
    if complaints:
        print(*complaints, sep="\n", file=sys.stderr)
        return 1
    words = sys.argv[1:]
    chosen = [fault for fault in FAULTS if not words or any(word in f"{fault.file} {fault.breaks}" for word in words)]
    began = time.monotonic()
    if not all(verdict.is_wanted for verdict in try_all([NOTHING])):
        return 1
    verdicts = try_all(chosen)
    print("", *map(_line, verdicts), sep="\n")
    killers = {verdict.fault.breaks: verdict.by for verdict in verdicts if verdict.fate == "killed" and "::" in verdict.by}
    NEW_HINTS.parent.mkdir(parents=True, exist_ok=True)
    NEW_HINTS.write_text(json.dumps(killers, indent=1, sort_keys=True) + "\n", "utf-8")
    wrong = [verdict for verdict in verdicts if not verdict.is_wanted]
    counts = {fate: sum(verdict.fate == fate for verdict in verdicts) for fate in ("killed", "survived")}
    print(
        f"\n{len(chosen)} faults in {(time.monotonic() - began) / 60:.0f} minutes: {counts['killed']} killed, "
        f"{counts['survived']} survived, {len(wrong)} not as they should be"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
