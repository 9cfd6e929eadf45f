"""A home's store in a database, by SQLAlchemy: SQLite in write-ahead mode, one file a home.

Writing waits in memory and goes down at most every `flush_every_s` of the home's own time, in one transaction, to spare SD
cards; what a failed write could not put down stays in memory and goes with the next one.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from daisee.errors import StoreError
from daisee.model.attribution import Share
from daisee.model.readings import SLOT_S, Reading, Span
from daisee.monitor.store import Slot, slot_of
from daisee.units import Address

log = logging.getLogger(__name__)

METADATA = MetaData()
READINGS = Table(
    "readings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("consumption_w", Float),
    Column("production_w", Float),
    Column("mean_over_s", Float),
    Column("consumed_counter_j", Integer),
    Column("produced_counter_j", Integer),
    Column("state_of_charge", Float),
)
SLOTS = Table(
    "slots",
    METADATA,
    Column("start_s", Integer, primary_key=True, autoincrement=False),
    Column("consumed_j", Integer, nullable=False),
    Column("produced_j", Integer, nullable=False),
    Column("own_j", Integer, nullable=False),
    Column("imported_j", Integer, nullable=False),
    Column("exported_j", Integer, nullable=False),
    Column("covered_s", Float, nullable=False),
    Column("min_w", Float),
    Column("max_w", Float),
)
DRAWS = Table(
    "draws",
    METADATA,
    Column("start_s", Integer, primary_key=True, autoincrement=False),
    Column("seller", String, primary_key=True),
    Column("drawn_j", Integer, nullable=False),
)

READING_FIELDS = [column.name for column in READINGS.columns if column.name != "id"]
SLOT_FIELDS = [column.name for column in SLOTS.columns]


REMEMBERED_SLOTS = 100
"""How many of the newest slots stay in memory, a day and an hour: agents and pages ask for them at every reading."""


class SqlStore:
    """What one home remembers, in one database."""

    def __init__(self, path: Path, flush_every_s: float = 60.0) -> None:
        """Open a store, or make it. A folder that is missing or not writable is a StoreError."""
        self._path = path
        self._flush_every_s = flush_every_s
        self._engine = _open(path)
        self._waiting: list[dict[str, Any]] = []
        self._slots: dict[int, Slot] = {}
        self._dirty: set[int] = set()
        # From here on, every slot there is stands in memory too.
        self._remembered_from_s = max(self._last_start() - REMEMBERED_SLOTS * SLOT_S, 0)
        self._slots = {slot.start_s: slot for slot in self._read(self._remembered_from_s, None)}
        self._flushed_at_s: float | None = None

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading as it came; now and then, by the readings' own time, write down what waits."""
        self._waiting.append({name: getattr(reading, name) for name in READING_FIELDS})
        if self._flushed_at_s is None:
            self._flushed_at_s = reading.at_s
        elif reading.at_s - self._flushed_at_s >= self._flush_every_s:
            self._flushed_at_s = reading.at_s
            try:
                self.flush()
            except StoreError as error:
                log.error("%s; %d readings wait in memory", error, len(self._waiting))

    def add_span(self, span: Span) -> None:
        """Count measured energy into its slot."""
        self._slot(slot_of(span)).add_span(span)

    def add_share(self, share: Share) -> None:
        """Count who fed the load into its slot."""
        self._slot(slot_of(share.span)).add_share(share)

    def slots(self, from_s: int = 0, to_s: int | None = None) -> list[Slot]:
        """List slots in order, those not yet written down included."""
        found = {s: slot for s, slot in self._slots.items() if s >= from_s and (to_s is None or s < to_s)}
        if from_s < self._remembered_from_s:
            found = {slot.start_s: slot for slot in self._read(from_s, to_s)} | found
        return [found[start] for start in sorted(found)]

    def flush(self) -> None:
        """Write down what waits, whole or not at all; StoreError where that fails, and then it still waits."""
        slots = [self._slots[start] for start in sorted(self._dirty)]
        draws = [
            {"start_s": slot.start_s, "seller": seller, "drawn_j": drawn_j}
            for slot in slots
            for seller, drawn_j in slot.drawn_j.items()
        ]
        try:
            with self._engine.begin() as connection:
                if self._waiting:
                    connection.execute(insert(READINGS), self._waiting)
                if slots:
                    for table in (SLOTS, DRAWS):
                        connection.execute(delete(table).where(table.c.start_s.in_(self._dirty)))
                    connection.execute(insert(SLOTS), [{f: getattr(slot, f) for f in SLOT_FIELDS} for slot in slots])
                if draws:
                    connection.execute(insert(DRAWS), draws)
        except SQLAlchemyError as error:
            raise StoreError(f"{self._path} cannot be written ({_cause(error)}); free space or mend its rights") from error
        self._waiting.clear()
        self._dirty.clear()
        self._forget()

    def close(self) -> None:
        """Flush and let go."""
        try:
            self.flush()
        finally:
            self._engine.dispose()

    def _forget(self) -> None:
        """Let go of all but the newest slots; they are written down."""
        newest = max(self._slots, default=0)
        self._remembered_from_s = max(self._remembered_from_s, newest - REMEMBERED_SLOTS * SLOT_S)
        self._slots = {start: slot for start, slot in self._slots.items() if start >= self._remembered_from_s}

    def _slot(self, start_s: int) -> Slot:
        """Answer a slot to count into: the one in memory, else the one written down, else a new one."""
        self._dirty.add(start_s)
        if start_s not in self._slots:
            written = self._read(start_s, start_s + 1) if start_s < self._remembered_from_s else []
            self._slots[start_s] = written[0] if written else Slot(start_s)
        return self._slots[start_s]

    def _last_start(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(SLOTS.c.start_s))).scalar() or 0

    def _read(self, from_s: int, to_s: int | None) -> list[Slot]:
        def within(table: Table) -> Any:
            condition = table.c.start_s >= from_s
            return condition if to_s is None else condition & (table.c.start_s < to_s)

        try:
            with self._engine.connect() as connection:
                rows = connection.execute(select(SLOTS).where(within(SLOTS)).order_by(SLOTS.c.start_s)).mappings()
                slots = {row["start_s"]: Slot(**row) for row in rows}
                for start_s, seller, drawn_j in connection.execute(select(DRAWS).where(within(DRAWS))):
                    slots[start_s].drawn_j[Address(seller)] = drawn_j
        except SQLAlchemyError as error:
            raise StoreError(f"{self._path} cannot be read ({_cause(error)})") from error
        return list(slots.values())


def _open(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _tune(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    try:
        METADATA.create_all(engine)
    except SQLAlchemyError as error:
        raise StoreError(f"{path} cannot be opened as a store ({_cause(error)}); choose another folder") from error
    return engine


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
