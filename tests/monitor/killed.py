"""A home that is killed without warning again and again while samples arrive; says what each start found.

    python -m tests.monitor.killed FOLDER KILLS SEED

A child takes samples, eight seconds of the home's time apart, now and then pushed ones that are written at once, and says of each
when it has taken it. It is killed by SIGKILL after a few milliseconds. Then the store is opened as after any start, and compared
with what the child had said.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

from daisee.model.home import Role
from daisee.model.readings import SLOT_S, Reading, slot_start
from daisee.monitor.collector import Collector
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import MemoryStore, Meter

T0 = 1_748_736_000
STEP_S = 8
FLUSH_S = 60
BEFORE = 500
"""So many samples before those of a life are compared again each time; all of them at the end."""
SAID = struct.Struct("<q?")
ENERGIES = ("consumed_j", "produced_j", "imported_j", "exported_j")
ROUNDED_J = 2
"""Rounding carries over what is left; where it begins anew, a slot may have a joule more or less."""
METERS = [Meter("grid", Role.GRID), Meter("roof", Role.PRODUCTION)]


def power_w(meter: str, number: int) -> float:
    return random.Random(f"{meter} {number}").uniform(-500, 3_000) if meter == "grid" else 700.0


def live(file: Path, first: int, says: int) -> None:
    """Take samples for ever; be killed."""
    store = SqlStore(file, flush_every_s=FLUSH_S)
    collector = Collector(store, METERS)
    number = first
    while True:
        at_s = T0 + STEP_S * number
        for meter in METERS:
            collector.take(meter.name, [Reading(at_s=at_s, power_w=power_w(meter.name, number))])
        pushed = number % 37 == 0
        if pushed:
            store.flush()
        os.write(says, SAID.pack(number, pushed))
        number += 1


def kill_one(file: Path, first: int, patience_s: float) -> tuple[int, int]:
    """Answer the last sample that a child took before it was killed, and the last pushed one."""
    hears, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hears)
        try:
            live(file, first, says)
        finally:
            os._exit(1)
    os.close(says)
    time.sleep(patience_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(hears, "rb") as pipe:
        said = pipe.read()
    taken = [SAID.unpack_from(said, at) for at in range(0, len(said) - len(said) % SAID.size, SAID.size)]
    return max((number for number, _ in taken), default=first - 1), max(
        (number for number, pushed in taken if pushed), default=-1
    )


def look(file: Path, from_number: int) -> tuple[set[int], list[str]]:
    """Open the store as after any start; answer which samples are there from some number on, and what is wrong."""
    wrong = []
    store = SqlStore(file)
    collector = Collector(store, METERS)
    reference = MemoryStore()
    other = Collector(reference, METERS)
    from_s = T0 + STEP_S * from_number
    kept = {meter.name: list(store.readings(meter.name, from_s, 2**40)) for meter in METERS}
    there = [{round((reading.at_s - T0) / STEP_S) for reading in readings} for readings in kept.values()]
    if any(len(numbers) != len(readings) for numbers, readings in zip(there, kept.values(), strict=True)):
        wrong.append("a sample is there twice")
    for meter, readings in kept.items():
        if [reading.power_w for reading in readings] != [power_w(meter, round((each.at_s - T0) / STEP_S)) for each in readings]:
            wrong.append("a sample is another than was taken")
    merged = sorted(
        ((reading.at_s, name, reading) for name, readings in kept.items() for reading in readings), key=lambda e: e[:2]
    )
    for _at_s, name, reading in merged:
        other.take(name, [reading])
    # The first slot has what was before, too; all others are of these readings alone.
    whole = slot_start(from_s) + SLOT_S if from_number else 0
    for seen, expected in zip(store.slots(whole), reference.slots(whole), strict=True):
        energies = [(getattr(slot, name) for name in ENERGIES) for slot in (seen, expected)]
        if seen.covered_s != expected.covered_s or any(
            abs(one - other) > ROUNDED_J for one, other in zip(*energies, strict=True)
        ):
            wrong.append(f"the sums differ: {seen} and {expected}")
    collector.settle()
    store.close()
    return there[0] & there[1], wrong


def main(folder: str, kills: str, seed: str) -> None:
    drawn = random.Random(int(seed))
    file = Path(folder) / "home.sqlite"
    SqlStore(file).close()
    first, lost, wrong, taken_in_all = 0, [], [], 0
    for _ in range(int(kills)):
        last, pushed = kill_one(file, first, drawn.uniform(0.0, 0.2))
        there, found = look(file, max(0, first - BEFORE))
        sure = set(range(first, max(last - FLUSH_S // STEP_S - 1, pushed) + 1))
        lost += sorted(sure - there)
        wrong += found
        taken_in_all += max(0, last + 1 - first)
        first = max(last + 1, max(there, default=-1) + 1)
    wrong += look(file, 0)[1]
    sys.stdout.write(json.dumps({"kills": int(kills), "taken": taken_in_all, "lost": lost[:10], "wrong": wrong[:3]}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
