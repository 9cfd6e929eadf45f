"""What waits to be written down of one store or of many, as rows; all of it goes down in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from daisee.monitor.database import Database
from daisee.monitor.schema import DRAWS, HOMES, METER_SLOTS, METERS, READINGS, SLOTS


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows of one store."""

    readings: Sequence[tuple[int, int, int, int, bytes]]
    """In the order of the table's columns."""
    meter_slots: Sequence[dict[str, Any]]
    slots: Sequence[dict[str, Any]]
    draws: Sequence[dict[str, Any]]


def write_all(connection: Connection, database: Database, waiting: Sequence[Waiting]) -> None:
    """Put rows in, or in the place of those that are there."""
    readings = [row for each in waiting for row in each.readings]
    if readings:
        # Each minute, for years: what is compiled once is not looked for again.
        connection.exec_driver_sql(database.upsert_sql(READINGS), readings)
    for table, rows in (
        (METER_SLOTS, [row for each in waiting for row in each.meter_slots]),
        (SLOTS, [row for each in waiting for row in each.slots]),
        (DRAWS, [row for each in waiting for row in each.draws]),
    ):
        if rows:
            connection.execute(database.upsert(table), rows)


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
