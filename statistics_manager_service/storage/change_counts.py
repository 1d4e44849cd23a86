"""How many times something that many are answered from has changed: read by who remembers what was made of it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.storage import schema


def state_sql(name: str) -> str:
    """The statement that reads a count; one of ours, no name of a caller's."""
    return f"SELECT changes FROM change_counts WHERE name = '{name}'"  # noqa: S608


def count_change(connection: sa.Connection, dialect: str, name: str) -> None:
    """Count one more change, in the transaction that makes it."""
    table = schema.change_counts
    chosen: Any = sqlite if dialect == "sqlite" else postgresql
    statement = chosen.insert(table).values(name=name, changes=1)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"changes": table.c.changes + 1}))
