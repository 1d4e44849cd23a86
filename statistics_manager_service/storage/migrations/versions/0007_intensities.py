"""Carbon intensities of zones."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "intensity_series",
        sa.Column("series_no", _Number, primary_key=True, autoincrement=True),
        sa.Column("zone", sa.String(32), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("boundary", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.UniqueConstraint("zone", "source", "basis", "boundary", "scope"),
    )
    op.create_table(
        "intensities",
        sa.Column("series_no", _Number, primary_key=True, autoincrement=False),
        sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("issued_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("length_us", sa.BigInteger, nullable=False),
        sa.Column("intensity_mg_per_kwh", sa.Integer, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.Column("quality", sa.String(64)),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("intensities")
    op.drop_table("intensity_series")
