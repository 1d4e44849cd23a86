"""A household counts its changes, in place of its channels: one small row tells whether anything has changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the counter."""
    op.add_column("households", sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_column("channels", "changes")


def downgrade() -> None:
    """Move it back."""
    op.add_column("channels", sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_column("households", "changes")
