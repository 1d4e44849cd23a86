"""Groups of homes, their members, sums, and what homes were told of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLES = ("group_quartiles", "group_days", "group_sums", "group_changes", "group_shares", "group_members")


def _key(name: str, kind: Any = _Number) -> Any:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Make the tables."""
    op.add_column("households", sa.Column("in_groups", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "home_groups",
        sa.Column("group_no", _Number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(16)),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "group_members",
        _key("household_no"),
        sa.Column("group_no", _Number, primary_key=True, autoincrement=False, index=True),
        sa.Column("from_day", sa.Integer, nullable=False),
        sa.Column("to_day", sa.Integer, nullable=False),
        sa.Column("source", sa.String(32)),
        sa.Column("coefficients", sa.JSON),
        sa.Column("summed_changes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_shares",
        _key("household_no"),
        sa.Column("group_no", _Number, primary_key=True, autoincrement=False, index=True),
        _key("from_day", sa.Integer()),
        sa.Column("to_day", sa.Integer),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_changes",
        _key("household_no"),
        _key("first_day", sa.Integer()),
        _key("last_day", sa.Integer()),
        sa.Column("change", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_sums",
        _key("group_no"),
        _key("part", sa.Integer()),
        _key("day", sa.Integer()),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_days",
        _key("group_no"),
        _key("day", sa.Integer()),
        sa.Column("homes", sa.Integer, nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "group_quartiles",
        _key("group_no"),
        _key("measure", sa.String(64)),
        _key("first_day", sa.Integer()),
        _key("end_day", sa.Integer()),
        _key("traits", sa.String(64)),
        sa.Column("homes", sa.Integer, nullable=False),
        sa.Column("points", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them."""
    for name in (*_TABLES, "home_groups"):
        op.drop_table(name)
    op.drop_column("households", "in_groups")
