"""What waits to be written down of one store or of many, as rows; all of it goes down in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from daisee.monitor.database import Database
from daisee.monitor.schema import DRAWS, HOMES, METER_SLOTS, METERS, READINGS, SLOTS
from daisee.monitor.store import MeterSlot, Slot

SLOT_FIELDS, METER_SLOT_FIELDS = ([column.name for column in table.columns][1:] for table in (SLOTS, METER_SLOTS))
"""All but whose they are."""
_SLOT_FACTS, _METER_SLOT_FACTS = attrgetter(*SLOT_FIELDS), attrgetter(*METER_SLOT_FIELDS)

Cells = tuple[Any, ...]
"""A row, in the order of its table's columns."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows of one store."""

    readings: Sequence[Cells]
    meter_slots: Sequence[Cells]
    slots: Sequence[Cells]
    draws: Sequence[Cells]


def write_all(connection: Connection, database: Database, waiting: Sequence[Waiting]) -> None:
    """Put rows in, or in the place of those that are there."""
    for table, rows in (
        (READINGS, [row for each in waiting for row in each.readings]),
        (METER_SLOTS, [row for each in waiting for row in each.meter_slots]),
        (SLOTS, [row for each in waiting for row in each.slots]),
        (DRAWS, [row for each in waiting for row in each.draws]),
    ):
        if rows:
            database.upsert(connection, table, rows)


def slot_row(home_id: int, slot: Slot) -> Cells:
    """Answer a home's slot as a row."""
    return (home_id, *_SLOT_FACTS(slot))


def meter_slot_row(meter_id: int, slot: MeterSlot) -> Cells:
    """Answer a meter's slot as a row."""
    return (meter_id, *_METER_SLOT_FACTS(slot))


def number_of_home(database: Database, connection: Connection, name: str) -> int:
    """Answer a home's number; one that is not known yet gets one."""
    found = connection.execute(select(HOMES.c.id).where(HOMES.c.name == name)).scalar()
    if found is not None:
        return int(found)
    with database.writing() as writing:
        made = writing.execute(insert(HOMES).values(name=name))
        return int((made.inserted_primary_key or (0,))[0])


def newest_starts(connection: Connection, home_id: int, table: Table) -> dict[str, int]:
    """Map each meter of a home to the newest slot that a table has of it."""
    newest = select(METERS.c.name, func.max(table.c.start_s)).join(table).where(METERS.c.home_id == home_id)
    return {name: int(start) for name, start in connection.execute(newest.group_by(METERS.c.name))}
