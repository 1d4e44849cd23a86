"""Blocks of readings, day profiles and revisions: the bulk tables, read and written through the driver.

The statements go to the driver as they are: here SQLAlchemy's own cost would be a multiple of the query's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.ports import Block, ProfileColumns, ProfileRow, Revision, Span
from statistics_manager_service.storage.group_log import GroupLog

_BLOCK_COLUMNS = "block, carry, count, body"
_BLOCK = f"SELECT {_BLOCK_COLUMNS} FROM readings WHERE household_no = ? AND channel_no = ? AND "  # noqa: S608 - names of ours
_PROFILE_COLUMNS = "day, energy_milliwh, measured_s, estimated_s, sample_count, sample_sum_milli, body"
_TABLES = {
    "readings": (("household_no", "channel_no", "block"), ("carry", "count", "body")),
    "profiles": (
        ("household_no", "channel_no", "day"),
        ("energy_milliwh", "measured_s", "estimated_s", "sample_count", "sample_sum_milli", "body"),
    ),
    "revisions": (("household_no", "channel_no", "at_us", "replaced_us"), ("value_milli", "length_us")),
}
#: SQLite's profiles of a channel: days side by side are a scan, others are looked up one by one, in the order given.
#: Here and below: SQLite walks a CROSS JOIN as it is written, and what it then finds in the order of the table's key.
_RANGE_OF_DAYS = (
    f"SELECT {_PROFILE_COLUMNS} FROM profiles "  # noqa: S608 - names of ours
    "WHERE household_no = ? AND channel_no = ? AND day BETWEEN ? AND ? ORDER BY day"
)
_LISTED_DAYS = (
    f"SELECT {_PROFILE_COLUMNS} FROM json_each(?3) AS wanted "  # noqa: S608 - names of ours
    "CROSS JOIN profiles ON household_no = ?1 AND channel_no = ?2 AND day = wanted.value"
)


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


class SeriesQueries(GroupLog):
    """Reading and writing of the bulk tables over one connection."""

    connection: Connection
    driver: Any
    dialect: str

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """A cursor of the driver that has run a statement, written with `?` for parameters."""
        cursor = self.driver.cursor()
        cursor.execute(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), parameters)
        return cursor

    def _spans(self, table: str, column: str, names: str, spans: Sequence[Span]) -> list[list[Any]]:
        """Rows of a bulk table, a list for each span, ordered by `column`."""
        if not spans:
            return []
        if self.dialect == "sqlite":
            sql = (
                f"SELECT wanted.key, {names} FROM json_each(?) AS wanted "  # noqa: S608 - names of ours
                f"CROSS JOIN {table} ON household_no = json_extract(wanted.value, '$[0]') "
                "AND channel_no = json_extract(wanted.value, '$[1]') "
                f"AND {column} BETWEEN json_extract(wanted.value, '$[2]') AND json_extract(wanted.value, '$[3]')"
            )
            rows = self._run(sql, [orjson.dumps(spans).decode()])
        else:
            sql = (
                f"SELECT k.place - 1, {names} "  # noqa: S608 - names of ours
                "FROM unnest(?::bigint[], ?::int[], ?::int[], ?::int[]) WITH ORDINALITY "
                "AS k(household_no, channel_no, low, high, place) "
                f"JOIN {table} t ON t.household_no = k.household_no AND t.channel_no = k.channel_no "
                f"AND t.{column} BETWEEN k.low AND k.high ORDER BY k.place, t.{column}"
            )
            rows = self._run(sql, [list(part) for part in zip(*spans, strict=True)])
        found: list[list[Any]] = [[] for _ in spans]
        for row in rows:
            found[row[0]].append(row[1:])
        return found

    def blocks_of(self, spans: Sequence[Span]) -> list[list[Block]]:
        """The blocks of many channels at once, ordered; a list for each span."""
        return [[Block._make(row) for row in rows] for rows in self._spans("readings", "block", _BLOCK_COLUMNS, spans)]

    def profiles_of(self, spans: Sequence[Span]) -> list[list[ProfileRow]]:
        """The day profiles of many channels at once, ordered; a list for each span."""
        return [
            [ProfileRow._make(row) for row in rows] for rows in self._spans("profiles", "day", _PROFILE_COLUMNS, spans)
        ]

    def blocks(self, household_no: int, channel_no: int, first: int, last: int) -> list[Block]:
        """The blocks first..last, both included, ordered."""
        return self.blocks_of([(household_no, channel_no, first, last)])[0]

    def blocks_before(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks before `block`, ordered."""
        sql = _BLOCK + "block < ? ORDER BY block DESC LIMIT ?"
        return [Block._make(row) for row in self._run(sql, (household_no, channel_no, block, limit))][::-1]

    def blocks_after(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks after `block`, ordered."""
        sql = _BLOCK + "block > ? ORDER BY block LIMIT ?"
        return [Block._make(row) for row in self._run(sql, (household_no, channel_no, block, limit))]

    def profiles(self, household_no: int, channel_no: int, first_day: int, last_day: int) -> list[ProfileRow]:
        """The rows of the days first..last, both included, ordered."""
        return self.profiles_of([(household_no, channel_no, first_day, last_day)])[0]

    def profile_columns(self, keys: Sequence[tuple[int, int]], days: Int64) -> ProfileColumns:
        """The rows of the given days (increasing) of many channels (household_no, channel_no), as columns."""
        rows, counts = self._profile_rows(keys, days.tolist())
        if not rows:
            nothing = np.zeros(0, np.int64)
            return ProfileColumns(nothing, nothing, np.zeros((0, 5), np.int64), ())
        *numbers, bodies = zip(*rows, strict=True)
        columns = np.array(numbers, np.int64)
        owner = np.arange(len(keys)).repeat(counts)
        is_complete = len(rows) == len(keys) * len(days)
        place = np.arange(len(rows)) % len(days) if is_complete else days.searchsorted(columns[0])
        return ProfileColumns(owner, place, columns[1:].T, bodies)

    def _profile_rows(self, keys: Sequence[tuple[int, int]], days: list[int]) -> tuple[list[Any], list[int]]:
        """The rows, a channel's after another's, and how many each channel has."""
        if self.dialect == "postgresql":
            return self._profile_rows_joined(keys, days)
        wanted: list[Any]
        sql, wanted = _LISTED_DAYS, [orjson.dumps(days).decode()]
        if days[-1] - days[0] + 1 == len(days):
            sql, wanted = _RANGE_OF_DAYS, [days[0], days[-1]]
        cursor = self.driver.cursor()
        found = [cursor.execute(sql, (*key, *wanted)).fetchall() for key in keys]
        return [row for rows in found for row in rows], [len(rows) for rows in found]

    def _profile_rows_joined(self, keys: Sequence[tuple[int, int]], days: list[int]) -> tuple[list[Any], list[int]]:
        """The same in one statement, for a store across the network."""
        sql = (
            f"SELECT {_PROFILE_COLUMNS}, k.place "  # noqa: S608 - names of ours
            "FROM unnest(?::bigint[], ?::int[]) WITH ORDINALITY AS k(household_no, channel_no, place) "
            "JOIN profiles p ON p.household_no = k.household_no AND p.channel_no = k.channel_no "
            "AND p.day = ANY(?::int[]) ORDER BY k.place, p.day"
        )
        found = self._run(sql, ([key[0] for key in keys], [key[1] for key in keys], days)).fetchall()
        counts = [0] * len(keys)
        for row in found:
            counts[row[-1] - 1] += 1
        return [row[:-1] for row in found], counts

    def revisions(self, household_no: int, channel_no: int, start_us: int, end_us: int) -> list[Revision]:
        """What corrections have replaced, of instants start ≤ instant < end, ordered."""
        sql = (
            "SELECT at_us, value_milli, length_us, replaced_us FROM revisions "
            "WHERE household_no = ? AND channel_no = ? AND at_us >= ? AND at_us < ? ORDER BY at_us, replaced_us"
        )
        return [Revision._make(row) for row in self._run(sql, (household_no, channel_no, start_us, end_us))]

    # --- writing ------------------------------------------------------------------------------------------------------

    def _put(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        cursor = self.driver.cursor()
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
        if self.noted:
            self.log_profiles(rows)

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
        self.log_all_days(household_no)
