"""The table `events` as Debezium's outbox event router reads it: by SQL of its own, past the service."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
from hems import Hems

#: The columns that FlexiHome's outbox has.
COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "timestamp", "payload")
_TYPES = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'events'"
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM events WHERE aggregateid = "


def rows_of(hems: Hems, user: str) -> list[dict[str, Any]]:
    """The events of a household, the oldest first."""
    url = hems.service.settings["DATABASE_URL"]
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            found = connection.execute(f"{_ROWS} %s ORDER BY sequence", (user,)).fetchall()
    else:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
            found = [_typed(row) for row in store.execute(f"{_ROWS} ? ORDER BY sequence", (user,))]
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


def columns_of(hems: Hems) -> dict[str, str]:
    """The table's columns with their types."""
    url = hems.service.settings["DATABASE_URL"]
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            return dict(connection.execute(_TYPES).fetchall())
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
        return dict(store.execute("SELECT name, type FROM pragma_table_info('events')"))


def _typed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """SQLite keeps a UUID, a time and JSON as texts."""
    moment = datetime.fromisoformat(row[4]).replace(tzinfo=UTC)
    return (uuid.UUID(row[0]), *row[1:4], moment, json.loads(row[5]))
