"""Tariffs, contracts, and series of prices."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tariffs",
        sa.Column("tariff_id", sa.String(64), primary_key=True),
        sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("document", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contracts",
        sa.Column("household_no", _Number, primary_key=True, autoincrement=False),
        sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("contracts", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "price_series",
        sa.Column("series_no", _Number, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("interval_s", sa.Integer, nullable=False),
        sa.Column("market_time_zone", sa.String(64)),
        sa.Column("title", sa.String(200)),
        sa.Column("source", sa.String(500)),
    )
    op.create_table(
        "price_days",
        sa.Column("series_no", _Number, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    counts = op.create_table(
        "change_counts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(counts, [{"name": "prices", "changes": 0}])


def downgrade() -> None:
    """Drop them."""
    for name in ("change_counts", "price_days", "price_series", "contracts", "tariffs"):
        op.drop_table(name)
