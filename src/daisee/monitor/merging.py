"""Sets staged readings against what a store has, and counts both together: no energy is counted twice, none is torn apart.

From a meter's oldest readings that are kept, its slots can be counted anew; before them they stay as they are, and only what is
empty is filled. A stretch is counted from a day before its first new energy to the first reading after its last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from daisee.model.home import Role
from daisee.model.readings import SLOT_S, Quality, Reading, slot_start
from daisee.monitor.counting import PATIENT, Count
from daisee.monitor.packing import Block
from daisee.monitor.schema import METER_SLOTS, READINGS, SLOTS
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.staging import Key, Powers, Stage
from daisee.monitor.store import Meter, MeterSlot, Slot, put_meter_slot, put_slot

WARM_UP_S = 24 * 3_600
COOL_DOWN_S = 3 * 3_600
"""So long meters of other rhythms may hold up what the home used."""
COUNTED_ALREADY = "its quarter of an hour is counted already, and the readings of it are no longer kept"

Refuse = Callable[[str, int, str, int], None]
"""Told the file, the line, why, and how many readings it is about."""


@dataclass(slots=True)
class Written:
    """What is new of one meter."""

    role: Role
    readings: int = 0
    kept: int = 0
    """Of these, those young enough to be kept as they are."""
    first_s: float | None = None
    last_s: float | None = None
    slots: int = 0
    forward_j: int = 0
    """Energy that was not there before; below zero where it became less, as when a gap turns out to have been none."""
    reverse_j: int = 0
    covered_s: float = 0.0


class Merge:
    """New readings and a store, on their way together."""

    def __init__(self, store: SqlStore, meters: dict[str, Meter], stage: Stage, max_gap_s: float, most_w: float) -> None:
        self._store, self._meters, self.stage = store, meters, stage
        self._max_gap_s, self._most_w = max_gap_s, most_w
        self._kept = self._starts_of_readings()
        self.merged: dict[Key, Block] = {}
        """Slots that have kept readings and new ones, together."""
        self.new: dict[Key, int] = {}
        """How many readings of a slot are new."""
        self.meter_slots: dict[str, dict[int, MeterSlot]] = {}
        """What is to be written, slots that were there included."""
        self.slots: dict[int, Slot] = {}
        self._before: dict[str, dict[int, MeterSlot]] = {}
        self._slots_before: dict[int, Slot] = {}
        self._closed: dict[str, set[int]] = {}

    # ------------------------------------------------------------------------------------------------- what is there already

    def set_against_store(self, refuse: Refuse) -> int:
        """Let go of what a store has, and of what it can no longer count; answer how many readings it had."""
        doubled = 0
        self._closed = {name: self._closed_of(name) for name in {name for name, _start in self.stage.keys}}
        for key in sorted(self.stage.keys, key=lambda key: key[1]):
            name, start = key
            if start in self._closed[name]:
                refuse(*self.stage.first_line[key], COUNTED_ALREADY, self.stage.drop(key))
            elif start in self._kept.get(name, ()):
                doubled += self._merge(key)
            else:
                self.new[key] = self.stage.count(key)
        return doubled

    def _merge(self, key: Key) -> int:
        """Put new readings of a slot among the kept ones, which stay; answer how many were there."""
        name, start = key
        block = self._block(name, start)
        staged = self.stage.block(key)
        before = len(block)
        for reading in staged.readings():
            block.add(reading)
        new = len(block) - before
        self.stage.drop(key)
        if new:
            self.new[key], self.merged[key] = new, block
        return len(staged) - new

    def _closed_of(self, name: str) -> set[int]:
        """Answer the slots of a meter that cannot be counted anew. A part of a home's use has nothing to do with the others."""
        if not self._is_part(name):
            return self._uncountable(name)[0]
        parts = [self._uncountable(other) for other in self._store.meter_ids if self._is_part(other)]
        until = max((until for closed, until in parts if closed), default=0)
        return {start for start in self._slots_there(None) if start < until}.union(*(closed for closed, _until in parts))

    def _uncountable(self, name: str) -> tuple[set[int], int]:
        """Answer the slots of one meter whose readings are not kept, and up to when that is so."""
        there, kept = self._slots_there(name), self._kept.get(name)
        if not kept:
            return there, max(there, default=0) + SLOT_S
        # The first slot that is kept began with a reading that is not.
        until = min(kept) + (SLOT_S if min(there, default=min(kept)) < min(kept) else 0)
        return {start for start in there if start < until}, until

    def _is_part(self, name: str) -> bool:
        return self._meters[name].role is not Role.SUB_LOAD if name in self._meters else True

    # --------------------------------------------------------------------------------------------------------------- counting

    def count(self, progress: Callable[[float], None]) -> None:
        """Count the new readings, together with those around them that are kept."""
        if not self.new:
            return
        first, last = min(map(self._reach, {name for name, _start in self.new})), max(start for _name, start in self.new)
        after = [min((start for start in starts if start > last), default=last) for starts in self._kept.values()]
        write_to = max([last, *after])
        roles = self._roles_until(write_to)
        count = Count(roles, self._max_gap_s, self._most_w)
        for name, reading in self._before_all(roles, first - WARM_UP_S):
            count.add(name, reading)
        some: dict[int, list[str]] = {}
        for name in roles:
            staged = {start for meter, start in self.new if meter == name}
            for start in staged | self._kept.get(name, set()):
                if first - WARM_UP_S <= start <= write_to + COOL_DOWN_S:
                    some.setdefault(start, []).append(name)
        for place, start in enumerate(sorted(some)):
            if place % 500 == 0:
                progress(place / len(some))
            count.add_slot({name: self.readings(name, start) for name in some[start]})
        count.hurry(PATIENT * self._max_gap_s)
        has_grid = Role.GRID in roles.values()
        for name in roles:
            self._put_meter(name, count.meter_slots[name], first, write_to)
        self._put_home(count.slots, first, write_to, has_grid)

    def _reach(self, name: str) -> int:
        """Answer the slot in which a meter's first new energy begins: at the reading before it, or where its mean does."""
        first = min(start for meter, start in self.new if meter == name)
        before = [start for start in self._kept.get(name, ()) if start < first]
        last_s = next((each.at_s for start in sorted(before, reverse=True) for each in self._energies(name, start)[-1:]), None)
        reading = next(iter(self._energies(name, first)), None)
        if reading is None:
            return first
        begin_s = reading.at_s if last_s is None else last_s
        if reading.mean_over_s is not None:
            begin_s = max(reading.at_s - reading.mean_over_s, last_s or 0.0)
        return min(first, slot_start(begin_s))

    def _energies(self, name: str, start: int) -> list[Reading]:
        """List what a meter said in a slot, less what is no energy, like a voltage alone."""
        said = self.readings(name, start)
        block = said.block() if isinstance(said, Powers) else said
        return [each for each in block.readings() if (each.power_w, each.forward_j, each.reverse_j) != (None, None, None)]

    def _roles_until(self, last: int) -> dict[str, Role]:
        """Answer the meters that there were at that time: those that have readings, and those that had slots."""
        there = {name for name, _start in self.new} | {name for name, starts in self._kept.items() if starts}
        for name in self._store.meter_ids:
            if name not in there and min(self._slots_there(name), default=last + 1) <= last:
                there.add(name)
        return {name: meter.role for name, meter in self._meters.items() if name in there}

    def _before_all(self, roles: dict[str, Role], before: int) -> list[tuple[str, Reading]]:
        """Answer each meter's last reading before what is looked at: its counter goes on from there."""
        found: list[tuple[str, Reading]] = []
        for name in roles:
            start = max((start for start in self._kept.get(name, ()) if start < before), default=None)
            if start is not None:
                found += [(name, reading) for reading in list(self._block(name, start).readings())[-1:]]
        return sorted(found, key=lambda pair: pair[1].at_s)

    def readings(self, name: str, start: int) -> Block | Powers:
        """Answer what a meter said in a slot, new and kept."""
        key = (name, start)
        if key in self.merged:
            return self.merged[key]
        if key in self.stage.powers:
            return self.stage.powers[key]
        return self.stage.blocks[key] if key in self.stage.blocks else self._block(name, start)

    def _put_meter(self, name: str, counted: dict[int, MeterSlot], first: int, last: int) -> None:
        there = {slot.start_s: slot for slot in self._store.meter_slots(name, first, last + 1)}
        closed = self._closed_of(name)
        before: dict[int, MeterSlot] = {}
        written: dict[int, MeterSlot] = {}
        for start in sorted(counted.keys() | there.keys()):
            if first <= start <= last and start not in closed:
                before[start] = there.get(start, MeterSlot(start))
                slot = MeterSlot(**{field: getattr(before[start], field) for field in MeterSlot.__slots__})
                put_meter_slot(slot, counted.get(start, MeterSlot(start)))
                if (name, start) in self.new:
                    slot.quality |= Quality.FILLED | self.stage.known.get((name, start), 0)
                if slot != before[start]:
                    written[start] = slot
        self._before[name], self.meter_slots[name] = before, written

    def _put_home(self, counted: dict[int, Slot], first: int, last: int, has_grid: bool) -> None:
        there = {slot.start_s: slot for slot in self._store.slots(first, last + 1)}
        closed = self._closed_of("")
        filled = {start for name, start in self.new if self._is_part(name)}
        known = self.stage.known.items()
        amended = {start for (name, start), quality in known if self._is_part(name) and quality & Quality.CORRECTED}
        for start in sorted(counted.keys() | there.keys()):
            if first <= start <= last and start not in closed:
                before = there.get(start, Slot(start))
                slot = Slot(**{field: getattr(before, field) for field in Slot.__slots__})
                put_slot(slot, counted.get(start, Slot(start)), has_grid=has_grid)
                if start in filled:
                    slot.quality |= Quality.FILLED | (Quality.CORRECTED if start in amended else 0)
                if slot != before:
                    self.slots[start], self._slots_before[start] = slot, before

    # ----------------------------------------------------------------------------------------------------------- what is told

    def keep_from_s(self, name: str, young_s: float) -> float:
        """Answer from when on a meter's readings are kept: the young ones, and the last two slots that have older ones.

        With these, a file that goes on where this one ends is the same as if both were one. Where older slots follow whose
        readings are gone, or a file's counters are not what the meter shows, nothing goes on from there.
        """
        starts = self._kept.get(name, set()) | {start for meter, start in self.new if meter == name}
        older = sorted(start for start in starts if start < young_s)[-2:]
        closed = max(self._closed.get(name, ()), default=0)
        return young_s if not older or closed > older[-1] or name in self.stage.relative else older[0]

    def difference(self, young_s: float) -> tuple[dict[str, Written], int, int]:
        """Answer what is new: of each meter, and of the home its use, and how many of its slots."""
        told: dict[str, Written] = {}
        kept_from_s = {name: self.keep_from_s(name, young_s) for name in {name for name, _start in self.new}}
        for (name, start), readings in sorted(self.new.items(), key=lambda found: found[0][1]):
            written = told.setdefault(name, Written(self._meters[name].role))
            written.readings += readings
            written.kept += readings if start >= kept_from_s[name] else 0
            said = self.readings(name, start)
            written.first_s = said.at_ms[0] / 1000 if written.first_s is None else written.first_s
            written.last_s = said.at_ms[-1] / 1000
        for name, written in told.items():
            slots, before = self.meter_slots[name], self._before[name]
            written.slots = len(slots)
            for start, slot in slots.items():
                written.forward_j += slot.forward_j - before[start].forward_j
                written.reverse_j += slot.reverse_j - before[start].reverse_j
                written.covered_s += slot.covered_s - before[start].covered_s
        used_j = sum(slot.consumed_j - self._slots_before[start].consumed_j for start, slot in self.slots.items())
        return told, used_j, len(self.slots)

    # ---------------------------------------------------------------------------------------------------- what the store says

    def _starts_of_readings(self) -> dict[str, set[int]]:
        wanted = select(READINGS.c.meter_id, READINGS.c.start_s).where(READINGS.c.meter_id.in_(self._store.meter_ids.values()))
        names = {number: name for name, number in self._store.meter_ids.items()}
        found: dict[str, set[int]] = {name: set() for name in names.values()}
        with self._store.database.reading() as connection:
            for meter_id, start in connection.execute(wanted):
                found[names[meter_id]].add(int(start))
        return found

    def _slots_there(self, name: str | None) -> set[int]:
        """Answer when the slots of a meter begin, or those of the home; only as far as they can be of interest."""
        if name is None:
            wanted = select(SLOTS.c.start_s).where(SLOTS.c.home_id == self._store.home_id)
        else:
            wanted = select(METER_SLOTS.c.start_s).where(METER_SLOTS.c.meter_id == self._store.meter_ids.get(name))
        with self._store.database.reading() as connection:
            return {int(start) for start in connection.execute(wanted).scalars()}

    def _block(self, name: str, start: int) -> Block:
        block = Block()
        for reading in self._store.readings(name, start, start + SLOT_S):
            block.add(reading)
        return block
