"""The database that stores lie in: SQLite in write-ahead mode, one file; or PostgreSQL, which many homes may share.

Its tables are brought up to what this version knows when it is opened. A SQLite file that is damaged is set aside, loudly, and
a new one begun: measuring goes on. Of a home's writers there is one at a time.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError, SQLAlchemyError

from daisee.errors import StoreError, UsageError
from daisee.files import hold
from daisee.monitor import migrations
from daisee.monitor.schema import METADATA

log = logging.getLogger(__name__)

MAGIC = b"SQLite format 3\0"
WRITES = 0x0DA15EE
"""Among PostgreSQL's advisory locks, those of who writes a home."""
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
        self._held: IO[bytes] | Connection | None = None
        self._damage: Exception | str | None = None
        self._file: os.stat_result | None = None
        self._engine = self._open_whole()

    @property
    def _path(self) -> Path:
        return Path(str(self._url.database))

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
            damaged = self._note_damage(error)
            raise StoreError(f"{self.name} cannot be read ({cause(error)})", damaged=damaged) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Change it, whole or not at all; StoreError where that fails."""
        if self.is_damaged:
            raise StoreError(f"{self.name} is damaged, or gone", damaged=True)
        try:
            with self._begun() as connection:
                yield connection
        except SQLAlchemyError as error:
            damaged = self._note_damage(error)
            raise StoreError(f"{self.name} cannot be written ({cause(error)}); {self._advice}", damaged=damaged) from error

    def hold(self, home: str, home_id: int) -> None:
        """Be the one who writes a home, until this is closed. UsageError where another process is; StoreError."""
        told = f"{self.name} is written by another process for the home {home}; stop that first (is it `daisee monitor run`?)"
        if self.is_sqlite:
            if self._held is None:
                self._held = _locked(self._path.with_name(f"{self._path.name}.lock"), told)
            return
        with self.reading():
            if self._held is None:
                self._held = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            asked = self._held.exec_driver_sql("SELECT pg_try_advisory_lock(%s, %s)", (WRITES, home_id))  # type: ignore[union-attr]
            if not asked.scalar():
                raise UsageError(told)

    @property
    def is_damaged(self) -> bool:
        """Tell whether a SQLite file was seen to be no longer whole, is gone, or another one stands in its place."""
        if self._file is None or self._damage is not None:
            return self._damage is not None
        try:
            now = self._path.stat()
        except OSError:
            return True
        return (now.st_dev, now.st_ino) != (self._file.st_dev, self._file.st_ino)

    def _note_damage(self, error: SQLAlchemyError) -> bool:
        if self.is_sqlite and is_damage(error):
            self._damage = error
        return self._damage is not None

    def mend(self) -> None:
        """Set a damaged file aside and begin a new one; where it is gone, or was replaced, go on with what is there now."""
        self._let_go()
        self._engine.dispose()
        if self._damage is not None:
            self._set_aside(self._damage)
        else:
            told = "%s was taken away, or another file stands in its place; what is in memory goes into what is there now"
            log.error(told, self.name)
        self._engine = self._open_whole()

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

    def _set_aside(self, error: Exception | str) -> None:
        """Give a damaged file another name, for who may mend it."""
        path, self._damage = self._path, None
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        for ending in ("", "-wal", "-shm"):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        log.error(
            "%s is damaged (%s). It is kept as %s; a new one is begun, and measuring goes on. Its tokens are gone with it: "
            "`daisee monitor token new` makes others",
            path, cause(error), aside,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of it."""
        self._let_go()
        if self._held is not None:
            with suppress(SQLAlchemyError):
                self._held.close()
            self._held = None
        self._engine.dispose()

    @property
    def _advice(self) -> str:
        return "free space or mend its rights" if self.is_sqlite else "see whether it runs, and lets this user in"

    def _open_whole(self) -> Engine:
        """Open it; a SQLite file that is damaged is set aside before. StoreError."""
        if self.is_sqlite and not _begins_as_sqlite(self._path):
            # Before SQLite looks at it: it would clear away the newest of what was written, which lies beside.
            self._set_aside("it does not begin as SQLite's files do")
        try:
            return self._open()
        except SQLAlchemyError as error:
            if not (self.is_sqlite and is_damage(error)):
                raise StoreError(f"{self.name} cannot be opened as a store ({cause(error)}); {self._advice}") from error
            self._set_aside(error)
            return self._open()

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
        self._file = self._path.stat() if self.is_sqlite else None
        return engine


def is_damage(error: SQLAlchemyError) -> bool:
    """Tell whether SQLite's file is no longer whole, or none."""
    return isinstance(error, DatabaseError | OperationalError) and any(word in cause(error) for word in DAMAGED)


def _begins_as_sqlite(path: Path) -> bool:
    """Tell whether a file may be SQLite's: one that is not there, or has nothing in it yet, may."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) in (b"", MAGIC)
    except OSError:
        return True  # whoever opens it says why it cannot


def _locked(path: Path, told: str) -> IO[bytes]:
    """Hold a file of nothing that says who writes; UsageError with what is `told` where another process holds it."""
    try:
        return hold(path)
    except BlockingIOError:
        raise UsageError(told) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}); free space or mend its rights") from error


def cause(error: Exception | str) -> str:
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
