"""Up to when the telemetry of households was fetched from other stores."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.storage import schema


class PullQueries:
    """Reading and writing of cursors, over one connection."""

    connection: sa.Connection
    dialect: str

    def pulled_until(self, household_no: int, source: str) -> int | None:
        """The instant up to which everything of a household was fetched from a source; None where nothing was."""
        c = schema.pull_cursors.c
        statement = sa.select(c.until_us).where(c.household_no == household_no, c.source == source)
        found: int | None = self.connection.execute(statement).scalar()
        return found

    def move_cursor(self, household_no: int, source: str, until_us: int) -> None:
        """Move a cursor forward to an instant, or make it; one that is further on stays."""
        table = schema.pull_cursors
        dialect: Any = sqlite if self.dialect == "sqlite" else postgresql
        statement = dialect.insert(table).values(household_no=household_no, source=source, until_us=until_us)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.household_no, table.c.source],
                set_={"until_us": statement.excluded.until_us},
                where=table.c.until_us < statement.excluded.until_us,
            )
        )
