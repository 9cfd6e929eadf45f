"""How a store's tables came to be, step by step, by Alembic: an older store is brought up to date when it is opened."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, String, Table, insert, inspect, select
from sqlalchemy.schema import Column

HEAD = "0001"
"""The newest step in `versions/`."""
VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Where Alembic takes down which step a database is at."""

_LOCK = threading.Lock()
"""Alembic keeps what it is at in a module."""


def is_versioned(engine: Engine) -> bool:
    """Tell whether a database has a store's tables, of whatever version."""
    return inspect(engine).has_table(VERSION.name)


def stamp(engine: Engine) -> None:
    """Take down that a store is new, and so up to date."""
    with engine.begin() as connection:
        VERSION.create(connection)
        connection.execute(insert(VERSION).values(version_num=HEAD))


def upgrade(engine: Engine) -> None:
    """Bring a store up to what this version knows. Alembic's errors and SQLAlchemy's."""
    with engine.begin() as connection, _LOCK:
        if connection.execute(select(VERSION.c.version_num)).scalar() != HEAD:
            migrate(connection, "head")


def migrate(connection: Connection, to: str) -> None:
    """Go up to a step, or down to it."""
    from alembic import command
    from alembic.config import Config

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(settings, to)
