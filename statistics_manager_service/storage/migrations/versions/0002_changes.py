"""A channel counts its changes, so that answers can be kept until something changes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counter."""
    op.add_column("channels", sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("channels", "changes")
