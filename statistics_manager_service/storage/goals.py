"""Goals of households."""

from __future__ import annotations

import sqlalchemy as sa

from statistics_manager_service.services.insight.goal_rows import GoalsRow
from statistics_manager_service.storage import schema

_EVER_US = 2**62


class GoalQueries:
    """Reading and writing of goals, over one connection."""

    connection: sa.Connection

    def goals(self, household_no: int, until_us: int | None = None) -> GoalsRow | None:
        """The newest goals of a household."""
        c = schema.goals.c
        wanted = (c.household_no == household_no) & (c.told_us <= (_EVER_US if until_us is None else until_us))
        statement = sa.select(schema.goals).where(wanted).order_by(c.told_us.desc()).limit(1)
        row = self.connection.execute(statement).first()
        return None if row is None else GoalsRow._make(row)

    def goal_revisions(self, household_no: int) -> list[GoalsRow]:
        """All goals that a household has had, each time as they were put, the newest last."""
        c = schema.goals.c
        statement = sa.select(schema.goals).where(c.household_no == household_no).order_by(c.told_us)
        return [GoalsRow._make(row) for row in self.connection.execute(statement)]

    def put_goals(self, row: GoalsRow) -> None:
        """Keep a revision."""
        told = [dict(one) for one in row.goals]
        self.connection.execute(schema.goals.insert().values(row._asdict() | {"goals": told}))
