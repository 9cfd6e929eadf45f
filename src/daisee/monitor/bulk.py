"""Writes what was merged into a store's tables, in one transaction: a year, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from daisee.monitor.merging import Merge
from daisee.monitor.packing import Block
from daisee.monitor.rows import meter_slot_row, slot_row
from daisee.monitor.schema import METER_SLOTS, READINGS, SLOTS
from daisee.monitor.sqlstore import SqlStore
from daisee.monitor.staging import Powers

AT_ONCE = 2_000


def write(store: SqlStore, merge: Merge, young_s: float, progress: Callable[[float], None]) -> None:
    """Write down slots, and the readings that are kept; StoreError where that fails, and then nothing is."""
    keep_from_s = {name: merge.keep_from_s(name, young_s) for name in {name for name, _start in merge.new}}
    keys = sorted((name, start) for name, start in merge.new if start >= keep_from_s[name])
    meter_slots = [(name, slot) for name, slots in merge.meter_slots.items() for slot in slots.values()]
    whole = max(1, len(keys) + len(meter_slots) + len(merge.slots))
    done = 0

    def put(connection: Connection, table: Any, rows: Iterator[tuple[Any, ...]]) -> None:
        nonlocal done
        while some := list(islice(rows, AT_ONCE)):
            store.database.upsert(connection, table, some)
            done += len(some)
            progress(done / whole)

    with store.database.writing() as connection:
        for name, from_s in keep_from_s.items():
            too_old = (READINGS.c.meter_id == store.meter_ids[name], READINGS.c.start_s < from_s)
            connection.execute(delete(READINGS).where(*too_old))
        oldest = {name: _oldest_number(connection, store.meter_ids[name]) for name in {name for name, _start in keys}}
        put(connection, READINGS, (_packed(store, merge, name, start) for name, start in keys))
        for name, number in oldest.items():
            _number(connection, store.meter_ids[name], number)
        put(connection, METER_SLOTS, (meter_slot_row(store.meter_ids[name], slot) for name, slot in meter_slots))
        put(connection, SLOTS, (slot_row(store.home_id, slot) for slot in merge.slots.values()))


def _packed(store: SqlStore, merge: Merge, name: str, start: int) -> tuple[Any, ...]:
    said = merge.readings(name, start)
    block: Block = said.block() if isinstance(said, Powers) else said
    return (store.meter_ids[name], start, 0, len(block), block.pack(start))


def _oldest_number(connection: Connection, meter_id: int) -> int:
    """Answer the number of the oldest reading that is kept; it stays, where older ones were let go of."""
    wanted = select(READINGS.c.first_id).where(READINGS.c.meter_id == meter_id).order_by(READINGS.c.start_s).limit(1)
    return int(connection.execute(wanted).scalar() or 1)


def _number(connection: Connection, meter_id: int, number: int) -> None:
    """Number a meter's readings on, in order of time; what came between pushes the later ones on."""
    mine = READINGS.c.meter_id == meter_id
    wanted = select(READINGS.c.start_s, READINGS.c.first_id, READINGS.c.count).where(mine).order_by(READINGS.c.start_s)
    changed = []
    for start, first_id, count in connection.execute(wanted).all():
        if first_id != number:
            changed.append({"at": start, "number": number})
        number += count
    if changed:
        statement = update(READINGS).where(mine, READINGS.c.start_s == bindparam("at")).values(first_id=bindparam("number"))
        connection.execute(statement, changed)
