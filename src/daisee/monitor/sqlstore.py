"""A home's store in a database, by SQLAlchemy.

Writing waits in memory and goes down at most every `flush_every_s` of the home's own time, in one transaction, to spare SD
cards; what a failed write could not put down stays in memory and goes with the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, func, insert, select, update

from daisee.errors import StoreError
from daisee.model.attribution import Share
from daisee.model.home import Role
from daisee.model.readings import SLOT_S, Reading, slot_of, slot_start
from daisee.monitor.database import Database
from daisee.monitor.packing import Block
from daisee.monitor.rows import (
    METER_SLOT_FIELDS,
    SLOT_FIELDS,
    Waiting,
    meter_slot_row,
    newest_starts,
    number_of_home,
    slot_row,
    write_all,
)
from daisee.monitor.schema import DRAWS, METER_SLOTS, METERS, READINGS, SLOTS
from daisee.monitor.store import MemoryStore, Meter, MeterSlot, Slot
from daisee.units import Address

log = logging.getLogger(__name__)

FAR_S = 2**62
REMEMBERED_SLOTS = 100
"""How many of the newest slots stay in memory, a day and an hour: agents and pages ask for them at every reading."""


class SqlStore(MemoryStore):
    """What one home remembers, in a database that may have others too."""

    def __init__(self, where: Path | Database, home: str = "home", flush_every_s: float = 60.0) -> None:
        """Open a home's store, or make it: in a file of its own, or in a database that somebody else closes. StoreError."""
        super().__init__()
        self._owns = isinstance(where, Path)
        self.database = Database(where) if isinstance(where, Path) else where
        self.home = home
        self._flush_every_s = flush_every_s
        self._flushed_at_s: float | None = None
        self.is_stuck = False
        """Whether it could not be written the last time, and what was measured waits in memory."""
        self._whole = False
        self._dirty_slots: set[int] = set()
        self._dirty_meter_slots: set[tuple[str, int]] = set()
        self._dirty_blocks: set[tuple[str, int]] = set()
        self._shared_slots: set[int] = set()
        """Slots of which more is known than the readings tell: who fed the home."""
        self._written: dict[tuple[str, int], int] = {}
        """How many readings of a block in memory are in the database."""
        self._first_ids: dict[tuple[str, int], int] = {}
        """The number of the first reading of each block in memory that was written."""
        self._begin()

    def _begin(self) -> None:
        """Read what is needed of what was written before."""
        self._meter_ids: dict[str, int] = {}
        with self._reading() as connection:
            self._home_id = number_of_home(self.database, connection, self.home)
            for row in connection.execute(select(METERS).where(METERS.c.home_id == self._home_id)):
                self._meter_ids[row.name] = row.id
                self._meters.setdefault(row.name, Meter(row.name, Role(row.role), row.kind))
            newest = select(func.max(SLOTS.c.start_s)).where(SLOTS.c.home_id == self._home_id)
            last_start = connection.execute(newest).scalar() or 0
            self._newest_starts = newest_starts(connection, self._home_id, READINGS)
            self._newest_meter_slots = newest_starts(connection, self._home_id, METER_SLOTS)
            self._first_ids = {}
        for meter in list(self._meters.values()):
            self.has_meter(meter)
        # From here on, every slot there is stands in memory too.
        self._remembered_from_s = max(last_start - REMEMBERED_SLOTS * SLOT_S, 0)
        self._slots = {slot.start_s: slot for slot in self._read_slots(self._remembered_from_s, None)} | self._slots

    @property
    def home_id(self) -> int:
        """Answer the home's number in its database."""
        return self._home_id

    @property
    def meter_ids(self) -> Mapping[str, int]:
        """Map the home's meters to their numbers in the database."""
        return self._meter_ids

    def hold(self) -> None:
        """Be the one who writes this home, until its database is closed. UsageError where another process is."""
        self.database.hold(self.home, self._home_id)

    def reread(self) -> None:
        """Write down what waits, and forget what is in memory: somebody writes, or wrote, beside this store."""
        self.flush_all()
        self._slots, self._meter_slots, self._blocks, self._written = {}, {}, {}, {}
        self._begin()

    def has_meter(self, meter: Meter) -> None:
        """Know a meter from now on."""
        super().has_meter(meter)
        facts = {"role": str(meter.role), "kind": meter.kind}
        with self._writing() as connection:
            if meter.name in self._meter_ids:
                connection.execute(update(METERS).where(METERS.c.id == self._meter_ids[meter.name]).values(facts))
                return
            made = connection.execute(insert(METERS).values(home_id=self._home_id, name=meter.name, **facts))
            self._meter_ids[meter.name] = int((made.inserted_primary_key or (0,))[0])

    def add_reading(self, meter: str, reading: Reading) -> bool:
        """Keep a reading as it came; now and then, by the readings' own time, write down what waits."""
        is_new = super().add_reading(meter, reading)
        if self._flushed_at_s is None:
            self._flushed_at_s = reading.at_s
        elif reading.at_s - self._flushed_at_s >= self._flush_every_s:
            self._flushed_at_s = reading.at_s
            self.flush_or_wait()
        return is_new

    def flush_or_wait(self) -> bool:
        """Write down what waits; where that fails, say so, and let it wait on. Tell whether it went well."""
        try:
            self.flush()
        except StoreError as error:
            if not self.is_stuck:
                log.error("%s; what is measured waits in memory until then", error)
            self.is_stuck = True
            return False
        if self.is_stuck:
            log.warning("%s can be written again; nothing was lost", self.database.name)
        self.is_stuck = False
        return True

    def _begin_anew(self) -> None:
        """Have a damaged file set aside, and write what is in memory into a new one."""
        self.database.mend()
        self._dirty_slots, self._dirty_meter_slots = set(self._slots), set(self._meter_slots)
        self._dirty_blocks, self._written = set(self._blocks), {}
        self._begin()

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot."""
        super().add_share(share)
        self._shared_slots.add(slot_of(share.span))

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List slots in order, those not yet written down included."""
        here = super().slots(from_s, to_s)
        if from_s >= self._remembered_from_s:
            return here
        found = {slot.start_s: slot for slot in self._read_slots(from_s, to_s)} | {slot.start_s: slot for slot in here}
        return [found[start] for start in sorted(found)]

    def meter_slots(self, meter: str, from_s: int = 0, to_s: int | None = None) -> list[MeterSlot]:
        """List a meter's slots in order, those not yet written down included."""
        here = {slot.start_s: slot for slot in super().meter_slots(meter, from_s, to_s)}
        found = {slot.start_s: slot for slot in self._read_meter_slots(meter, from_s, to_s)} | here
        return [found[start] for start in sorted(found)]

    def readings(self, meter: str, from_s: float, to_s: float) -> Iterator[Reading]:
        """Answer a meter's readings in order, those not yet written down included."""
        since = slot_start(from_s)
        here = {start: block for (name, start), block in self._blocks.items() if name == meter and since <= start < to_s}
        starts = select(READINGS.c.start_s).where(
            READINGS.c.meter_id == self._meter_ids.get(meter), READINGS.c.start_s >= since, READINGS.c.start_s < to_s
        )
        with self._reading() as connection:
            written = set(connection.execute(starts).scalars())
        for start in sorted(written | here.keys()):
            block = here.get(start) or self._read_block(meter, start) or Block()
            yield from (reading for reading in block.readings() if from_s <= reading.at_s < to_s)

    def last_before(self, meter: str, at_s: float) -> Reading | None:
        """Answer a meter's last reading before a moment; None where none is kept."""
        before = select(READINGS.c.start_s).where(READINGS.c.meter_id == self._meter_ids.get(meter), READINGS.c.start_s < at_s)
        with self._reading() as connection:
            # Two: the newest of them may have none before that moment.
            starts = set(connection.execute(before.order_by(READINGS.c.start_s.desc()).limit(2)).scalars())
        starts |= {start for name, start in self._blocks if name == meter and start < at_s}
        for start in sorted(starts, reverse=True):
            block = self._blocks.get((meter, start)) or self._read_block(meter, start) or Block()
            found = [reading for reading in block.readings() if reading.at_s < at_s]
            if found:
                return found[-1]
        return None

    def newest_reading_s(self) -> float | None:
        """Answer when the newest reading of any meter was."""
        with self._reading() as connection:
            starts = newest_starts(connection, self._home_id, READINGS)
        blocks = [self._read_block(name, start) for name, start in starts.items()]
        found = [block.at_ms[-1] / 1000 for block in blocks if block]
        here = super().newest_reading_s()
        return max([*found, *([here] if here is not None else [])], default=None)

    def flush_all(self) -> None:
        """Write down what waits, slots that still grow too."""
        self._whole = True
        try:
            self.flush()
        finally:
            self._whole = False

    def flush(self) -> None:
        """Write down what waits, whole or not at all; StoreError where that fails, and then it still waits.

        A slot that still grows is not written each time: should this process die, it is counted anew from its readings.
        """
        if self._owns and self.database.is_damaged:
            self._begin_anew()
        if not (self._dirty_slots or self._dirty_meter_slots or self._dirty_blocks):
            return
        try:
            with self._writing() as connection:
                self.write(connection)
        except StoreError as error:
            self.not_written()
            if not (error.damaged and self._owns):
                raise
            self._begin_anew()
            with self._writing() as connection:
                self.write(connection)
        self.written()

    def write(self, connection: Connection) -> None:
        """Write down what waits, in a transaction of somebody else's; who then says `written`, or `not_written`."""
        write_all(connection, self.database, [self.waiting(connection)])

    def waiting(self, connection: Connection) -> Waiting:
        """Answer the rows that are to be written now."""
        slots, meter_slots = self._due()
        dirty = [self._slots[start] for start in slots]
        return Waiting(
            readings=self._block_rows(connection) if self._dirty_blocks else [],
            meter_slots=[meter_slot_row(self._meter_ids[name], self._meter_slots[name, start]) for name, start in meter_slots],
            slots=[slot_row(self._home_id, slot) for slot in dirty],
            draws=[(self._home_id, slot.start_s, *draw) for slot in dirty for draw in slot.drawn_j.items()],
        )

    def not_written(self) -> None:
        """Take note that what waited is not written down: the numbers of readings are looked up again."""
        self._first_ids = {}

    def _due(self) -> tuple[set[int], set[tuple[str, int]]]:
        """Answer the slots, of the home and of its meters, that are to be written now."""
        if self._whole:
            return self._dirty_slots, self._dirty_meter_slots
        growing = max((start for _name, start in self._blocks), default=FAR_S)
        slots = {start for start in self._dirty_slots if start < growing or start in self._shared_slots}
        return slots, {key for key in self._dirty_meter_slots if key[1] < growing}

    def put(self, connection: Connection, meter: str, meter_slot: MeterSlot, slot: Slot) -> None:
        """Write a meter's slot and the home's as they are, in a transaction of somebody else's; who then calls `reread`."""
        self.database.upsert(connection, METER_SLOTS, [meter_slot_row(self._meter_ids[meter], meter_slot)])
        self.database.upsert(connection, SLOTS, [slot_row(self._home_id, slot)])

    def written(self) -> None:
        """Take note that what waited is written down, and let go of all but the newest."""
        for key in self._dirty_blocks:
            self._written[key] = len(self._blocks[key])
        self._dirty_blocks.clear()
        slots, meter_slots = self._due()
        if not (slots or meter_slots):
            return
        self._dirty_slots -= slots
        self._shared_slots -= slots
        self._dirty_meter_slots -= meter_slots
        self._let_go()

    def _let_go(self) -> None:
        """Forget what is written down, but for the newest."""
        newest = max(self._slots, default=0)
        self._remembered_from_s = max(self._remembered_from_s, newest - REMEMBERED_SLOTS * SLOT_S)
        kept = self._dirty_slots
        self._slots = {start: slot for start, slot in self._slots.items() if start >= self._remembered_from_s or start in kept}
        now = {name: max((start for each, start in self._blocks if each == name), default=0) for name in self._meters}
        self._blocks = {key: block for key, block in self._blocks.items() if key[1] >= now[key[0]]}
        self._written = {key: count for key, count in self._written.items() if key in self._blocks}
        self._first_ids = {key: first for key, first in self._first_ids.items() if key in self._blocks}
        dirty = self._dirty_meter_slots
        self._meter_slots = {
            key: slot for key, slot in self._meter_slots.items() if key[1] >= now.get(key[0], 0) - SLOT_S or key in dirty
        }

    def close(self) -> None:
        """Flush and let go. StoreError, with what is lost, where that cannot be written."""
        try:
            self.flush_all()
        except StoreError as error:
            lost = sum(len(self._blocks[key]) - self._written.get(key, 0) for key in self._dirty_blocks)
            raise StoreError(f"{error}. {lost} readings that waited are lost") from error
        finally:
            if self._owns:
                self.database.close()

    def _slot(self, start_s: int) -> Slot:
        """Answer a slot to count into: the one in memory, else the one written down, else a new one."""
        if start_s not in self._slots:
            written = self._read_slots(start_s, start_s + 1) if start_s < self._remembered_from_s else []
            self._slots[start_s] = written[0] if written else Slot(start_s)
        self._dirty_slots.add(start_s)
        return self._slots[start_s]

    def _meter_slot(self, meter: str, start_s: int) -> MeterSlot:
        key = (meter, start_s)
        if key not in self._meter_slots:
            is_new = start_s > self._newest_meter_slots.get(meter, -1)
            self._newest_meter_slots[meter] = start_s if is_new else self._newest_meter_slots[meter]
            written = [] if is_new else self._read_meter_slots(meter, start_s, start_s + 1)
            self._meter_slots[key] = written[0] if written else MeterSlot(start_s)
        self._dirty_meter_slots.add(key)
        return self._meter_slots[key]

    def _block(self, meter: str, start_s: int) -> Block:
        key = (meter, start_s)
        if key not in self._blocks:
            written = self._read_block(meter, start_s) if start_s <= self._newest_starts.get(meter, -1) else None
            self._blocks[key] = written or Block()
            self._written[key] = len(written or ())
        self._dirty_blocks.add(key)
        return self._blocks[key]

    def _block_rows(self, connection: Connection) -> list[tuple[int, int, int, int, bytes]]:
        """Answer the rows of blocks to write, and number their readings on; those that came late push the later ones on."""
        rows = []
        for name, start in sorted(self._dirty_blocks):
            block, first_id = self._blocks[name, start], self._first_id(connection, name, start)
            self._first_ids[name, start] = first_id
            rows.append((self._meter_ids[name], start, first_id, len(block), block.pack(start)))
        return rows

    def _first_id(self, connection: Connection, name: str, start: int) -> int:
        """Answer the number of a block's first reading; numbers begin with 1."""
        newest = self._newest_starts.get(name, start)
        self._newest_starts[name] = max(newest, start)
        if start < newest:
            self._push_on(connection, name, start)
        if (name, start) in self._first_ids:
            return self._first_ids[name, start]
        before = max((of for each, of in self._first_ids if each == name and of < start), default=-1)
        if before == newest:
            return self._first_ids[name, before] + len(self._blocks[name, before])
        mine = READINGS.c.meter_id == self._meter_ids[name]
        earlier = select(READINGS.c.start_s, READINGS.c.first_id + READINGS.c.count).where(mine, READINGS.c.start_s < start)
        last = connection.execute(earlier.order_by(READINGS.c.start_s.desc()).limit(1)).one_or_none()
        if before >= 0 and (last is None or before >= last[0]):
            return self._first_ids[name, before] + len(self._blocks[name, before])
        if last is not None:
            return int(last[1])
        # The oldest that is kept: its number stays, when those before it are gone.
        own = connection.execute(select(READINGS.c.first_id).where(mine, READINGS.c.start_s == start)).scalar()
        return int(own) if own is not None else 1

    def _push_on(self, connection: Connection, name: str, start: int) -> None:
        """Number on all that is later than a block that has grown."""
        more = len(self._blocks[name, start]) - self._written.get((name, start), 0)
        if more:
            later = (READINGS.c.meter_id == self._meter_ids[name], READINGS.c.start_s > start)
            connection.execute(update(READINGS).where(*later).values(first_id=READINGS.c.first_id + more))
            for key in self._first_ids:
                if key[0] == name and key[1] > start:
                    self._first_ids[key] += more

    def _read_block(self, meter: str, start_s: int) -> Block | None:
        wanted = select(READINGS.c.packed).where(READINGS.c.meter_id == self._meter_ids.get(meter), READINGS.c.start_s == start_s)
        with self._reading() as connection:
            packed = connection.execute(wanted).scalar()
        return None if packed is None else Block.unpack(packed, start_s)

    def _read_meter_slots(self, meter: str, from_s: int, to_s: int | None) -> list[MeterSlot]:
        rows = self._rows(METER_SLOTS, METER_SLOTS.c.meter_id == self._meter_ids.get(meter), from_s, to_s)
        return [MeterSlot(**{name: getattr(row, name) for name in METER_SLOT_FIELDS}) for row in rows]

    def _read_slots(self, from_s: int, to_s: int | None) -> list[Slot]:
        rows = self._rows(SLOTS, SLOTS.c.home_id == self._home_id, from_s, to_s)
        slots = {row.start_s: Slot(**{name: getattr(row, name) for name in SLOT_FIELDS}) for row in rows}
        for row in self._rows(DRAWS, DRAWS.c.home_id == self._home_id, from_s, to_s):
            slots[row.start_s].drawn_j[Address(row.seller)] = row.drawn_j
        return list(slots.values())

    def _rows(self, table: Table, mine: Any, from_s: int, to_s: int | None) -> Sequence[Row[Any]]:
        until_s = FAR_S if to_s is None else to_s
        wanted = select(table).where(mine, table.c.start_s >= from_s, table.c.start_s < until_s).order_by(table.c.start_s)
        with self._reading() as connection:
            return connection.execute(wanted).all()

    def _reading(self) -> AbstractContextManager[Connection]:
        return self.database.reading()

    def _writing(self) -> AbstractContextManager[Connection]:
        return self.database.writing()
