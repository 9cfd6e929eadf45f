"""A store's first tables: homes, their meters, readings, slots, and who fed whom; corrections and tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _homes()
    _measurements()
    _papers()


def _homes() -> None:
    op.create_table(
        "homes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
    )
    op.create_table(
        "meters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("home_id", sa.Integer, sa.ForeignKey("homes.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.UniqueConstraint("home_id", "name"),
    )


def _measurements() -> None:
    op.create_table(
        "readings",
        *_key("meter_id", "meters.id"),
        sa.Column("first_id", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meter_slots",
        *_key("meter_id", "meters.id"),
        sa.Column("forward_j", sa.BigInteger, nullable=False),
        sa.Column("reverse_j", sa.BigInteger, nullable=False),
        *_measured(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "slots",
        *_key("home_id", "homes.id"),
        *(sa.Column(f"{word}_j", sa.BigInteger, nullable=False) for word in _WORDS),
        *_measured(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "draws",
        *_key("home_id", "homes.id"),
        sa.Column("seller", sa.String, primary_key=True),
        sa.Column("drawn_j", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _papers() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("meter_id", sa.Integer, sa.ForeignKey("meters.id"), nullable=False),
        sa.Column("start_s", sa.BigInteger, nullable=False),
        sa.Column("forward_j_before", sa.BigInteger, nullable=False),
        sa.Column("reverse_j_before", sa.BigInteger, nullable=False),
        sa.Column("forward_j", sa.BigInteger, nullable=False),
        sa.Column("reverse_j", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("corrected_at_s", sa.Float, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("home_id", sa.Integer, sa.ForeignKey("homes.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("made_at_s", sa.Float, nullable=False),
        sa.UniqueConstraint("home_id", "name"),
    )


_WORDS = ("consumed", "produced", "own", "imported", "exported")


def _key(of: str, others: str) -> list[sa.Column[int]]:
    return [
        sa.Column(of, sa.Integer, sa.ForeignKey(others), primary_key=True, autoincrement=False),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
    ]


def _measured() -> list[sa.Column[float]]:
    return [
        sa.Column("covered_s", sa.Float, nullable=False),
        sa.Column("min_w", sa.Float),
        sa.Column("max_w", sa.Float),
        sa.Column("quality", sa.Integer, nullable=False),
    ]
