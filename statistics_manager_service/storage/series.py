"""Blocks of readings, day profiles and revisions: the bulk tables, read and written through the driver.

The statements go to the driver as they are: here SQLAlchemy's own cost would be a multiple of the query's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.ports import Block, ProfileRow, Revision

_BLOCK = "SELECT block, carry, count, body FROM readings WHERE household_no = ? AND channel_no = ? AND "
_PROFILE_COLUMNS = "day, energy_milliwh, measured_s, estimated_s, sample_count, sample_sum_milli, body"
_TABLES = {
    "readings": (("household_no", "channel_no", "block"), ("carry", "count", "body")),
    "profiles": (
        ("household_no", "channel_no", "day"),
        ("energy_milliwh", "measured_s", "estimated_s", "sample_count", "sample_sum_milli", "body"),
    ),
    "revisions": (("household_no", "channel_no", "at_us", "replaced_us"), ("value_milli", "length_us")),
}
#: SQLite takes at most so many parameters in a statement (the oldest version in use: 999).
_KEYS_A_QUERY = 400


@lru_cache(maxsize=64)
def _upsert(table: str, dialect: str) -> str:
    key, rest = _TABLES[table]
    columns = (*key, *rest)
    names = ", ".join(columns)
    if dialect == "sqlite":
        return f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of ours
    types = {"body": "bytea", "count": "int", "day": "int", "block": "int", "channel_no": "int"}
    arrays = ", ".join(f"%s::{types.get(column, 'bigint')}[]" for column in columns)
    updates = ", ".join(f"{column} = excluded.{column}" for column in rest)
    return (
        f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names of ours
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )


class SeriesQueries:
    """Reading and writing of the bulk tables over one connection."""

    connection: Connection
    dialect: str

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """A cursor of the driver that has run a statement, written with `?` for parameters."""
        cursor = self.connection.connection.cursor()
        cursor.execute(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), parameters)
        return cursor

    def blocks(self, household_no: int, channel_no: int, first: int, last: int) -> list[Block]:
        """The blocks first..last, both included, ordered."""
        sql = _BLOCK + "block BETWEEN ? AND ? ORDER BY block"
        return [Block(*row) for row in self._run(sql, (household_no, channel_no, first, last))]

    def blocks_before(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks before `block`, ordered."""
        sql = _BLOCK + "block < ? ORDER BY block DESC LIMIT ?"
        return [Block(*row) for row in self._run(sql, (household_no, channel_no, block, limit))][::-1]

    def blocks_after(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks after `block`, ordered."""
        sql = _BLOCK + "block > ? ORDER BY block LIMIT ?"
        return [Block(*row) for row in self._run(sql, (household_no, channel_no, block, limit))]

    def profiles(self, household_no: int, channel_no: int, first_day: int, last_day: int) -> list[ProfileRow]:
        """The rows of the days first..last, both included, ordered."""
        sql = (
            f"SELECT {_PROFILE_COLUMNS} FROM profiles "  # noqa: S608 - names of ours
            "WHERE household_no = ? AND channel_no = ? AND day BETWEEN ? AND ? ORDER BY day"
        )
        return [ProfileRow(*row) for row in self._run(sql, (household_no, channel_no, first_day, last_day))]

    def profiles_on(self, keys: Sequence[tuple[int, int]], days: Int64) -> dict[tuple[int, int], list[ProfileRow]]:
        """The rows of the given days of many channels: {(household_no, channel_no): rows ordered by day}."""
        found: dict[tuple[int, int], list[ProfileRow]] = {key: [] for key in keys}
        wanted = days.tolist()
        if self.dialect == "postgresql":
            sql = (
                f"SELECT p.household_no, p.channel_no, {_PROFILE_COLUMNS} "  # noqa: S608 - names of ours
                "FROM unnest(?::bigint[], ?::int[]) AS k(household_no, channel_no) "
                "JOIN profiles p ON p.household_no = k.household_no AND p.channel_no = k.channel_no "
                "AND p.day = ANY(?::int[]) ORDER BY p.day"
            )
            for row in self._run(sql, ([k[0] for k in keys], [k[1] for k in keys], wanted)):
                found[row[0], row[1]].append(ProfileRow(*row[2:]))
            return found
        marks = ", ".join("?" * min(len(wanted), _KEYS_A_QUERY))
        for first in range(0, len(wanted), _KEYS_A_QUERY):
            part = wanted[first : first + _KEYS_A_QUERY]
            some = marks if len(part) == _KEYS_A_QUERY or len(wanted) <= _KEYS_A_QUERY else ", ".join("?" * len(part))
            sql = (
                f"SELECT {_PROFILE_COLUMNS} FROM profiles "  # noqa: S608 - names of ours
                f"WHERE household_no = ? AND channel_no = ? AND day IN ({some}) ORDER BY day"
            )
            cursor = self.connection.connection.cursor()
            for key in keys:
                found[key] += [ProfileRow(*row) for row in cursor.execute(sql, (*key, *part))]
        return found

    def revisions(self, household_no: int, channel_no: int, start_us: int, end_us: int) -> list[Revision]:
        """What corrections have replaced, of instants start ≤ instant < end, ordered."""
        sql = (
            "SELECT at_us, value_milli, length_us, replaced_us FROM revisions "
            "WHERE household_no = ? AND channel_no = ? AND at_us >= ? AND at_us < ? ORDER BY at_us, replaced_us"
        )
        return [Revision(*row) for row in self._run(sql, (household_no, channel_no, start_us, end_us))]

    # --- writing ------------------------------------------------------------------------------------------------------

    def _put(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        cursor = self.connection.connection.cursor()
        sql = _upsert(table, self.dialect)
        if self.dialect == "sqlite":
            cursor.executemany(sql, rows)
        else:
            cursor.execute(sql, [list(column) for column in zip(*rows, strict=True)])

    def put_blocks(self, rows: Sequence[tuple[int, int, int, int | None, int, bytes]]) -> None:
        """Insert or replace rows of (household_no, channel_no, block, carry, count, body)."""
        self._put("readings", rows)

    def put_profiles(self, rows: Sequence[tuple[int, int, int, int, int, int, int, int, bytes]]) -> None:
        """Insert or replace rows of (household_no, channel_no, day, five running totals, body)."""
        self._put("profiles", rows)

    def add_revisions(self, rows: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        """Insert rows of (household_no, channel_no, at_us, replaced_us, value_milli, length_us)."""
        self._put("revisions", rows)

    def shift_profiles(self, household_no: int, channel_no: int, after_day: int, totals: tuple[int, ...]) -> None:
        """Add constants to the five running totals of all days after `after_day`."""
        sql = (
            "UPDATE profiles SET energy_milliwh = energy_milliwh + ?, measured_s = measured_s + ?, "
            "estimated_s = estimated_s + ?, sample_count = sample_count + ?, sample_sum_milli = sample_sum_milli + ? "
            "WHERE household_no = ? AND channel_no = ? AND day > ?"
        )
        self._run(sql, (*totals, household_no, channel_no, after_day))

    def delete_profiles(self, household_no: int, channel_no: int) -> None:
        """Delete all day profiles of a channel."""
        self._run("DELETE FROM profiles WHERE household_no = ? AND channel_no = ?", (household_no, channel_no))
