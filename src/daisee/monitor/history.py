"""What pages and programs ask of a home's store: sums, energy by the day, and readings by their numbers.

Each answer has what still waits in memory too, which is newer than what was written down of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, delete, func, select

from daisee.model.calendar import DAY_S, date_of, day_of_clock, stretches
from daisee.model.readings import SLOT_S, Reading
from daisee.monitor.database import Database
from daisee.monitor.packing import Block
from daisee.monitor.schema import DRAWS, METER_SLOTS, READINGS, SLOTS
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.store import MeterSlot, Slot, total

SUMMED = ("consumed_j", "produced_j", "own_j", "imported_j", "exported_j", "covered_s")
METER_SUMMED = ("forward_j", "reverse_j", "covered_s")
MOST_STRETCHES = 10_000
"""That are remembered: of some meters, years by the day."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    drawn_j: int


class History(SqlStore):
    """A home's store that can be asked."""

    def __init__(self, where: Path | Database, home: str = "home", flush_every_s: float = 60.0) -> None:
        """Open it, as every store."""
        self._stretches: dict[tuple[str | None, int, int], Mapping[str, Any]] = {}
        """The energy of what is over: by meter, begin and end."""
        super().__init__(where, home, flush_every_s)

    def totals(self) -> Slot:
        """Answer the energy of all slots there are, as of one slot that begins at 0."""
        names = ("consumed_j", "produced_j", "own_j", "imported_j", "exported_j")
        # Those in memory are newer than what was written of them.
        wanted = select(*(func.sum(SLOTS.c[name]) for name in names)).where(
            SLOTS.c.home_id == self._home_id, SLOTS.c.start_s.not_in(list(self._slots))
        )
        with self._reading() as connection:
            written = connection.execute(wanted).one()
        here = total(self._slots.values())
        return Slot(0, **{name: int(sum_j or 0) + getattr(here, name) for name, sum_j in zip(names, written, strict=True)})

    def meter_totals(self) -> dict[str, MeterSlot]:
        """Map each meter to the energy of all its slots, as of one slot that begins at 0."""
        sums = {}
        for name, number in self._meter_ids.items():
            here = [slot for (each, _start), slot in self._meter_slots.items() if each == name]
            wanted = select(func.sum(METER_SLOTS.c.forward_j), func.sum(METER_SLOTS.c.reverse_j)).where(
                METER_SLOTS.c.meter_id == number, METER_SLOTS.c.start_s.not_in([slot.start_s for slot in here])
            )
            with self._reading() as connection:
                forward_j, reverse_j = (int(sum_j or 0) for sum_j in connection.execute(wanted).one())
            forward_j += sum(slot.forward_j for slot in here)
            sums[name] = MeterSlot(0, forward_j, reverse_j + sum(slot.reverse_j for slot in here))
        return sums

    def readings_from(self, meter: str, from_s: float, to_s: float, most: int) -> list[tuple[int, Reading]]:
        """List the first readings of a stretch of time, each with its number in its meter's life."""
        found: list[tuple[int, Reading]] = []
        for start, first_id, _count in self.numbered(meter):
            if start + SLOT_S > from_s and start < to_s and len(found) < most:
                block = self._blocks.get((meter, start)) or self._read_block(meter, start) or Block()
                numbered = enumerate(block.readings(), first_id)
                found += [(number, reading) for number, reading in numbered if from_s <= reading.at_s < to_s]
        return found[:most]

    def readings_by_number(self, meter: str, first: int, end: int) -> list[tuple[int, Reading]]:
        """List the readings with the numbers from `first` to before `end`."""
        found: list[tuple[int, Reading]] = []
        for start, first_id, count in self.numbered(meter):
            if first_id < end and first_id + count > first:
                block = self._blocks.get((meter, start)) or self._read_block(meter, start) or Block()
                found += [(number, each) for number, each in enumerate(block.readings(), first_id) if first <= number < end]
        return found

    def numbered(self, meter: str) -> list[tuple[int, int, int]]:
        """List the slots that have readings of a meter: start, the number of its first reading, and how many there are."""
        mine = READINGS.c.meter_id == self._meter_ids.get(meter)
        with self._reading() as connection:
            rows = connection.execute(select(READINGS.c.start_s, READINGS.c.first_id, READINGS.c.count).where(mine)).all()
        counts = {start: count for start, _first, count in rows}
        counts |= {start: len(block) for (name, start), block in self._blocks.items() if name == meter}
        first_ids = {start: first for start, first, _count in rows}
        found, number = [], first_ids.get(min(counts, default=0), 1)
        for start in sorted(counts):
            found.append((start, number, counts[start]))
            number += counts[start]
        return found

    def energy(self, moments: Sequence[int], zone: ZoneInfo, meter: str | None = None) -> list[Mapping[str, Any]]:
        """List the energy of the stretches between moments that are midnights of a zone: of the home, or of one meter.

        Stretches that are over, and will not change, are remembered.
        """
        keys = [(meter, begin, end) for begin, end in pairwise(moments)]
        found = {key: self._stretches[key] for key in keys if key in self._stretches}
        missing = [place for place, key in enumerate(keys) if key not in found]
        if missing:
            first, last = missing[0], missing[-1] + 1
            fresh = dict(zip(keys[first:last], self._energy(moments[first : last + 1], zone, meter), strict=True))
            found |= fresh
            if len(self._stretches) > MOST_STRETCHES:
                self._stretches.clear()
            self._stretches |= {key: sums for key, sums in fresh.items() if key[2] <= self._remembered_from_s}
        return [found[key] for key in keys]

    def _energy(self, moments: Sequence[int], zone: ZoneInfo, meter: str | None) -> list[dict[str, Any]]:
        names = (*SUMMED, "drawn_j") if meter is None else METER_SUMMED
        sums: list[dict[str, Any]] = [dict.fromkeys(names, 0) for _ in moments[1:]]
        days = [date_of(moment, zone) for moment in moments]
        for from_s, to_s, offset_s in stretches(moments[0], moments[-1], zone):
            for number, facts in self._days(meter, from_s, to_s, offset_s):
                into = sums[bisect_right(days, day_of_clock(number)) - 1]
                for name, value in facts.items():
                    into[name] += value
        return sums

    def _days(self, meter: str | None, from_s: int, to_s: int, offset_s: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Answer the energy of the days of a clock that is `offset_s` ahead of UTC, counted from 1970."""
        here: dict[int, Any]
        if meter is None:
            here = {start: slot for start, slot in self._slots.items() if from_s <= start < to_s}
            drawn = {start: _Drawn(sum(slot.drawn_j.values())) for start, slot in here.items()}
            # From here on, every slot there is stands in memory.
            to_s = min(to_s, self._remembered_from_s)
            yield from self._sums(SLOTS, self._home_id, SUMMED, here, from_s, to_s, offset_s)
            yield from self._sums(DRAWS, self._home_id, ("drawn_j",), drawn, from_s, to_s, offset_s)
        else:
            here = {start: slot for (name, start), slot in self._meter_slots.items() if name == meter and from_s <= start < to_s}
            yield from self._sums(METER_SLOTS, self._meter_ids.get(meter), METER_SUMMED, here, from_s, to_s, offset_s)

    def _sums(
        self,
        table: Table,
        owner: int | None,
        names: Sequence[str],
        here: Mapping[int, Any],
        from_s: int,
        to_s: int,
        offset_s: int,
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Sum by days: slots in memory, and those that are written and not in memory, where they are newer."""
        for start, slot in here.items():
            yield (start + offset_s) // DAY_S, {name: getattr(slot, name) for name in names}
        if from_s >= to_s:
            return
        day = (table.c.start_s + offset_s) // DAY_S
        owned = (METER_SLOTS.c.meter_id if table is METER_SLOTS else table.c.home_id) == owner
        wanted = select(day, *(func.sum(table.c[name]) for name in names)).where(owned).group_by(day)
        wanted = wanted.where(table.c.start_s >= from_s, table.c.start_s < to_s)
        if newer := [start for start in here if start < to_s]:
            wanted = wanted.where(table.c.start_s.not_in(newer))
        with self._reading() as connection:
            written = connection.execute(wanted).all()
        for number, *sums in written:
            facts = zip(names, sums, strict=True)
            yield int(number), {name: value if name == "covered_s" else int(value) for name, value in facts}

    def drop_readings(self, before_s: int) -> int:
        """Let go of readings from before a slot, but for each meter's last two slots of them; answer how many slots had some.

        What is kept later, or imported, goes on from these; all slots stay.
        """
        other = READINGS.alias()
        earlier = select(other.c.start_s).where(other.c.meter_id == READINGS.c.meter_id, other.c.start_s < before_s)
        last_but_one = earlier.order_by(other.c.start_s.desc()).limit(1).offset(1).scalar_subquery()
        mine = READINGS.c.meter_id.in_(self._meter_ids.values())
        with self._writing() as connection:
            return int(connection.execute(delete(READINGS).where(mine, READINGS.c.start_s < last_but_one)).rowcount)

    def discard(self) -> None:
        """Leave what waits unwritten: it was counted to be looked at, while another process keeps these books."""
        for dirty in (self._dirty_slots, self._dirty_meter_slots, self._dirty_blocks):
            dirty.clear()

    def reread(self) -> None:
        """As every store does; and sums are made anew."""
        super().reread()
        self._stretches.clear()

    def _slot(self, start_s: int) -> Slot:
        if start_s < self._remembered_from_s:
            self._stretches.clear()
        return super()._slot(start_s)

    def _meter_slot(self, meter: str, start_s: int) -> MeterSlot:
        if start_s < self._remembered_from_s:
            self._stretches.clear()
        return super()._meter_slot(meter, start_s)
