"""The tables of a store, the same in SQLite and PostgreSQL. `migrations/` says how they came to be; a test holds both together.

One database has one home or many. Energies are whole joules, times Unix seconds. What a meter's forward direction is, its role
says (see `daisee.model.home.Role`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData()

HOMES = Table(
    "homes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
)
METERS = Table(
    "meters",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("home_id", ForeignKey("homes.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("kind", String, nullable=False),
    UniqueConstraint("home_id", "name"),
)
READINGS = Table(
    "readings",
    METADATA,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("first_id", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The readings of a meter and a slot in one row, packed (see `daisee.monitor.packing`); they number through a meter's life."""
METER_SLOTS = Table(
    "meter_slots",
    METADATA,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("forward_j", BigInteger, nullable=False),
    Column("reverse_j", BigInteger, nullable=False),
    Column("covered_s", Float, nullable=False),
    Column("min_w", Float),
    Column("max_w", Float),
    Column("quality", Integer, nullable=False),
    sqlite_with_rowid=False,
)
SLOTS = Table(
    "slots",
    METADATA,
    Column("home_id", ForeignKey("homes.id"), primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("consumed_j", BigInteger, nullable=False),
    Column("produced_j", BigInteger, nullable=False),
    Column("own_j", BigInteger, nullable=False),
    Column("imported_j", BigInteger, nullable=False),
    Column("exported_j", BigInteger, nullable=False),
    Column("covered_s", Float, nullable=False),
    Column("min_w", Float),
    Column("max_w", Float),
    Column("quality", Integer, nullable=False),
    sqlite_with_rowid=False,
)
DRAWS = Table(
    "draws",
    METADATA,
    Column("home_id", ForeignKey("homes.id"), primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("seller", String, primary_key=True),
    Column("drawn_j", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
CORRECTIONS = Table(
    "corrections",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("forward_j_before", BigInteger, nullable=False),
    Column("reverse_j_before", BigInteger, nullable=False),
    Column("forward_j", BigInteger, nullable=False),
    Column("reverse_j", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("corrected_at_s", Float, nullable=False),
)
"""What was amended, and why: what was there before is never lost."""
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("home_id", ForeignKey("homes.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False, unique=True),
    Column("scopes", String, nullable=False),
    Column("made_at_s", Float, nullable=False),
    UniqueConstraint("home_id", "name"),
)
"""Who may ask a home's API. A token is drawn with 256 bits, so that its hash needs no salt; the token itself is nowhere."""
