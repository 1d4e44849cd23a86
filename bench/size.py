"""Bytes on disk: of a quarter-hour in profiles, of a reading in blocks."""

from __future__ import annotations

import pathlib
import sqlite3

from bench.report import Line


def _bytes_of(connection: sqlite3.Connection, table: str) -> int:
    """Pages of a table, whole, as they lie on the disk."""
    return int(connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()[0])


def _body_bytes(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT sum(length(body)) FROM {table}").fetchone()[0])


def measure(minutes: pathlib.Path, quarters: pathlib.Path) -> list[Line]:
    """minutes: a store of 1-minute readings; quarters: one of 15-minute readings."""
    lines = []
    for path, what in ((minutes, "1-minute"), (quarters, "15-minute")):
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            size_of = _bytes_of
            size_of(connection, "readings")
            where = "pages"
        except sqlite3.OperationalError:  # a SQLite without dbstat
            size_of, where = _body_bytes, "bodies"
        count = connection.execute("SELECT sum(count) FROM readings").fetchone()[0]
        days = connection.execute("SELECT count(*) FROM profiles").fetchone()[0]
        reading, quarter = size_of(connection, "readings") / count, size_of(connection, "profiles") / (days * 96)
        goal = reading <= 16 if what == "1-minute" else None
        lines.append(
            Line(
                f"bytes a {what} reading ({where})",
                f"{reading:.2f}",
                "",
                None,
                "≤ 16" if goal is not None else "",
                goal,
            )
        )
        lines.append(Line(f"bytes a quarter-hour, {what} data", f"{quarter:.2f}", "", None, "≤ 6", quarter <= 6))
        connection.close()
    return lines
