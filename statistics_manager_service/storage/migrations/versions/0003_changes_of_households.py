"""A household counts its changes, in place of its channels: one small row tells whether anything has changed. It counts
its meter events, too, so that the number of an event that was undone is never given again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the counter, add the other."""
    op.add_column("households", sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_column("channels", "changes")
    op.add_column("households", sa.Column("last_event_no", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        "UPDATE households SET last_event_no = coalesce((SELECT max(event_no) FROM meter_events e "
        "WHERE e.household_no = households.household_no), 0)"
    )


def downgrade() -> None:
    """Move it back, remove the other."""
    op.drop_column("households", "last_event_no")
    op.add_column("channels", sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_column("households", "changes")
