"""Goals of households; a count of the changes of intensities."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_COUNTS = sa.table("change_counts", sa.column("name", sa.String), sa.column("changes", sa.BigInteger))


def upgrade() -> None:
    """Make the table, begin the count."""
    op.create_table(
        "goals",
        sa.Column("household_no", _Number, primary_key=True, autoincrement=False),
        sa.Column("told_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("goals", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(_COUNTS, [{"name": "carbon", "changes": 0}])


def downgrade() -> None:
    """Drop it, end the count."""
    op.drop_table("goals")
    op.execute(_COUNTS.delete().where(_COUNTS.c.name == "carbon"))
