"""Readings of a file on their way into a store: by meter and slot, in order, each moment once, some sixteen bytes each.

Two lines of one moment are one reading where they say different things of it, like what came in and what went back; where they
say the same thing differently, the first stays.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from daisee.model.readings import SLOT_S, Reading
from daisee.monitor.formats import MS, Run
from daisee.monitor.packing import FIELDS, MOST_READINGS, Block

SLOT_MS = SLOT_S * MS
Key = tuple[str, int]
"""A meter, and when a slot of it begins."""


@dataclass(slots=True)
class Powers:
    """Powers of the moment of a meter in a slot, in order of time."""

    at_ms: array[int]
    power_w: array[float]

    def block(self) -> Block:
        """Answer the same as a block."""
        block = Block()
        block.at_ms, block.columns = list(self.at_ms), {"power_w": list(self.power_w)}
        return block


class Stage:
    """What a file says, before it is counted."""

    def __init__(self) -> None:
        self.powers: dict[Key, Powers] = {}
        self.blocks: dict[Key, Block] = {}
        self.first_line: dict[Key, tuple[str, int]] = {}
        """The file and the line that a slot's first reading stands on."""
        self.file = ""
        """The one that is read now."""
        self.known: dict[Key, int] = {}
        """The quality of slots, where a file says it."""
        self.relative: set[str] = set()
        """Meters whose counters began somewhere in a file, and are not what the device shows: nothing goes on from them."""

    @property
    def keys(self) -> set[Key]:
        """Answer the slots that have readings."""
        return self.powers.keys() | self.blocks.keys()

    def count(self, key: Key) -> int:
        """Answer how many readings a slot has."""
        powers = self.powers.get(key)
        return len(powers.at_ms) if powers else len(self.blocks.get(key, ()))

    def drop(self, key: Key) -> int:
        """Let go of a slot; answer how many readings it had."""
        count = self.count(key)
        self.powers.pop(key, None)
        self.blocks.pop(key, None)
        return count

    def block(self, key: Key) -> Block:
        """Answer a slot's readings; where there are none yet, an empty block to put them into."""
        powers = self.powers.pop(key, None)
        if powers is not None:
            self.blocks[key] = powers.block()
        return self.blocks.setdefault(key, Block())

    def add(self, meter: str, line: int, reading: Reading) -> bool:
        """Put a reading in its place; False where it was there. ValueError where its moment has another."""
        at_ms = round(reading.at_s * MS)
        key = (meter, at_ms // SLOT_MS * SLOT_S)
        block = self.block(key)
        self.first_line.setdefault(key, (self.file, line))
        if block.at_ms and at_ms <= block.at_ms[-1]:
            where = bisect_left(block.at_ms, at_ms)
            if block.at_ms[where] == at_ms:
                return _merge(block, where, reading)
        if len(block) >= MOST_READINGS:
            raise ValueError("there are more than a hundred readings in each second")
        return block.add(reading)

    def last_until(self, meter: str, at_s: float) -> Reading | None:
        """Answer a meter's last reading up to a moment; None where there is none."""
        starts = (start for name, start in self.keys if name == meter and start <= at_s)
        for start in sorted(starts, reverse=True):
            found = [reading for reading in self.block((meter, start)).readings() if reading.at_s <= at_s]
            if found:
                return found[-1]
        return None

    def add_run(self, meter: str, run: Run) -> bool:
        """Put powers in their places, many at once; False where some are not later than all that are there."""
        first = run.at_ms[0] // SLOT_MS * SLOT_S
        there = self.powers.get((meter, first))
        if (meter, first) in self.blocks or (there is not None and there.at_ms[-1] >= run.at_ms[0]):
            return False
        borders = range(first + SLOT_S, run.at_ms[-1] // SLOT_MS * SLOT_S + 1, SLOT_S)
        if any((meter, start) in self.powers or (meter, start) in self.blocks for start in borders):
            return False
        begin = 0
        while begin < len(run.at_ms):
            start = run.at_ms[begin] // SLOT_MS * SLOT_S
            end = bisect_left(run.at_ms, (start + SLOT_S) * MS, begin)
            powers = self.powers.setdefault((meter, start), Powers(array("q"), array("d")))
            if len(powers.at_ms) + end - begin > MOST_READINGS:
                return False
            powers.at_ms.extend(run.at_ms[begin:end])
            powers.power_w.extend(run.power_w[begin:end])
            self.first_line.setdefault((meter, start), (self.file, run.line + begin))
            begin = end
        return True


def readings_of(run: Run) -> Iterator[tuple[int, Reading]]:
    """Answer a run line by line."""
    for place, (at_ms, power_w) in enumerate(zip(run.at_ms, run.power_w, strict=True)):
        yield run.line + place, Reading(at_s=at_ms / MS, power_w=power_w)


def turned(reading: Reading) -> Reading:
    """Answer what the same meter says the other way round."""
    power_w = None if reading.power_w is None else -reading.power_w
    return replace(reading, power_w=power_w, forward_j=reading.reverse_j, reverse_j=reading.forward_j)


def turned_run(run: Run) -> Run:
    """Answer a run the other way round."""
    return replace(run, power_w=array("d", [-power_w for power_w in run.power_w]))


def _merge(block: Block, where: int, reading: Reading) -> bool:
    """Add to the reading of a moment what it does not say yet; False where it says all of it."""
    told = {field: getattr(reading, field) for field in FIELDS if getattr(reading, field) is not None}
    there = {field: block.columns[field][where] for field in told if field in block.columns}
    if any(there.get(field) not in (None, value) for field, value in told.items()):
        raise ValueError("another line says otherwise of this moment, and stays")
    new = {field: value for field, value in told.items() if there.get(field) is None}
    for field, value in new.items():
        block.columns.setdefault(field, [None] * len(block))[where] = value
    return bool(new)
