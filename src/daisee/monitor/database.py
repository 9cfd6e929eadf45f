"""The database that stores lie in: SQLite in write-ahead mode, one file; or PostgreSQL, which many homes may share.

Its tables are brought up to what this version knows when it is opened. A SQLite file that is damaged is set aside, loudly, and
a new one begun: measuring goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError, SQLAlchemyError

from daisee.errors import StoreError, UsageError
from daisee.monitor import migrations
from daisee.monitor.schema import METADATA

log = logging.getLogger(__name__)

DAMAGED = ("malformed", "not a database", "file is encrypted", "disk image")
"""What SQLite says of a file that is none of its own, or no longer whole."""


PATIENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 30,
    "options": "-c statement_timeout=300000 -c lock_timeout=30000",
}
"""How long PostgreSQL may be silent before it counts as away: who waits for it holds up all of a home's answers."""


class Database:
    """An open database."""

    def __init__(self, where: Path | str) -> None:
        """Open a SQLite file, or what an address names; both are made where they are missing. StoreError, UsageError."""
        self._url = _url_of(where)
        shown = self._url.set(query={}).render_as_string(hide_password=True)
        self.name = self._url.database or "" if self.is_sqlite else shown
        """As people may see it: no password is in it."""
        self._lock = threading.RLock()
        """SQLite lets one write at a time, and the connection that does is kept."""
        self._kept: Connection | None = None
        try:
            self._engine = self._open()
        except SQLAlchemyError as error:
            if not (self.is_sqlite and is_damage(error)):
                raise StoreError(f"{self.name} cannot be opened as a store ({cause(error)}); {self._advice}") from error
            self.set_aside(error)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether it is a file of this machine."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def engine(self) -> Engine:
        """Answer what asks it."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Ask it; StoreError where it does not answer."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"{self.name} cannot be read ({cause(error)})") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Change it, whole or not at all; StoreError where that fails."""
        try:
            with self._begun() as connection:
                yield connection
        except SQLAlchemyError as error:
            damaged = self.is_sqlite and is_damage(error)
            raise StoreError(f"{self.name} cannot be written ({cause(error)}); {self._advice}", damaged=damaged) from error

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        if not self.is_sqlite:
            with self._engine.begin() as connection:
                yield connection
            return
        with self._lock:
            if self._kept is None:
                self._kept = self._engine.connect()
            try:
                with self._kept.begin():
                    yield self._kept
            except SQLAlchemyError:
                self._let_go()
                raise

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(SQLAlchemyError):
                kept.invalidate()
            kept.close()

    def upsert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put rows in, or in the place of those that have the same key; they are in the order of the table's columns."""
        statement = _upsert(table, self.is_sqlite)
        if not self.is_sqlite:
            connection.exec_driver_sql(statement, list(rows))
            return
        try:
            # Each minute, for years, on a small machine: SQLAlchemy's way there takes longer than all that SQLite does.
            connection.connection.cursor().executemany(statement, rows)
        except sqlite3.Error as error:
            raise DBAPIError.instance(statement, None, error, sqlite3.Error, dialect=self._engine.dialect) from error

    def set_aside(self, error: Exception) -> Path:
        """Give a damaged file another name, for who may mend it, and begin a new one; answer its new name."""
        path = Path(str(self._url.database))
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        self._let_go()
        if hasattr(self, "_engine"):
            self._engine.dispose()
        for ending in ("", "-wal", "-shm"):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        log.error("%s is damaged (%s). It is kept as %s; a new one is begun, and measuring goes on", path, cause(error), aside)
        self._engine = self._open()
        return aside

    def close(self) -> None:
        """Let go of it."""
        self._let_go()
        self._engine.dispose()

    @property
    def _advice(self) -> str:
        return "free space or mend its rights" if self.is_sqlite else "see whether it runs, and lets this user in"

    def _open(self) -> Engine:
        if self.is_sqlite:
            engine = create_engine(self._url)
            event.listen(engine, "connect", _tune)
        else:
            engine = create_engine(self._url, connect_args=PATIENCE, pool_pre_ping=True)
        try:
            if migrations.is_versioned(engine):
                migrations.upgrade(engine)
            elif inspect(engine).get_table_names():
                raise StoreError(f"{self.name} has other tables than a store's; name another one")
            else:
                METADATA.create_all(engine)
                migrations.stamp(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine


def is_damage(error: SQLAlchemyError) -> bool:
    """Tell whether SQLite's file is no longer whole, or none."""
    return isinstance(error, DatabaseError | OperationalError) and any(word in cause(error) for word in DAMAGED)


def cause(error: Exception) -> str:
    """Say in a line what went wrong."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _url_of(where: Path | str) -> URL:
    if isinstance(where, Path):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except ArgumentError:
        raise UsageError("the store's address cannot be read; write it like postgresql://user@host/daisee") from None
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise UsageError(f"a store lies in a SQLite file, or in PostgreSQL (postgresql://user@host/daisee), not in {url.drivername}")


def _tune(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


@cache
def _upsert(table: Table, is_sqlite: bool) -> str:
    # The one that is used alone is loaded: the other would be megabytes of a Pi's memory.
    module = import_module(f"sqlalchemy.dialects.{'sqlite.base' if is_sqlite else 'postgresql.psycopg'}")
    dialect = module.SQLiteDialect(paramstyle="qmark") if is_sqlite else module.PGDialect_psycopg(paramstyle="format")
    statement: Any = import_module(f"sqlalchemy.dialects.{dialect.name}").insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return str(statement.on_conflict_do_update(index_elements=keys, set_=others).compile(dialect=dialect))
