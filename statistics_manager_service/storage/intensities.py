"""Carbon intensities of zones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.services.carbon.carbon_rows import (
    IntensityColumns,
    IntensityRow,
    IntensitySeries,
    IntensitySpan,
)
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.change_counts import count_change, state_sql

_COUNT: Final = "carbon"
_STATE_SQL: Final = state_sql(_COUNT)
#: Of each beginning and kind (told as its place in KINDS) the newest issue. In SQLite the columns beside max() are
#: those of the row that has it.
_COLUMNS_SQL: Final = {
    "sqlite": (
        "SELECT start_us, length_us, max(issued_us), intensity_mg_per_kwh, "
        "CASE kind WHEN 'measured' THEN 0 WHEN 'estimated' THEN 1 ELSE 2 END FROM intensities "
        "WHERE series_no = ? AND start_us >= ? AND start_us < ? AND issued_us <= ? GROUP BY start_us, kind"
    ),
    "postgresql": (
        "SELECT DISTINCT ON (start_us, kind) "
        "start_us, length_us, issued_us, intensity_mg_per_kwh, "
        "CASE kind WHEN 'measured' THEN 0 WHEN 'estimated' THEN 1 ELSE 2 END "
        "FROM intensities WHERE series_no = %s AND start_us >= %s AND start_us < %s AND issued_us <= %s "
        "ORDER BY start_us, kind, issued_us DESC"
    ),
}
_EVER_US: Final = 2**62


class IntensityQueries:
    """Reading and writing of intensities, over one connection."""

    connection: sa.Connection
    driver: Any
    dialect: str

    def carbon_state(self) -> int:
        """How many times intensities have changed."""
        row = self.driver.execute(_STATE_SQL).fetchone()
        return int(row[0]) if row else 0

    def intensity_series(self, zone: str | None = None) -> list[IntensitySeries]:
        """All series, of a zone or of all, oldest first."""
        c = schema.intensity_series.c
        wanted = sa.true() if zone is None else c.zone == zone
        statement = sa.select(schema.intensity_series).where(wanted).order_by(c.series_no)
        return [IntensitySeries._make(row) for row in self.connection.execute(statement)]

    def intensity_span(self, series_no: int) -> IntensitySpan | None:
        """How many values a series has, and from when to when; None where it has none."""
        c = schema.intensities.c
        statement = sa.select(sa.func.min(c.start_us), sa.func.max(c.start_us + c.length_us), sa.func.count()).where(
            c.series_no == series_no
        )
        first_us, end_us, count = self.connection.execute(statement).one()
        return IntensitySpan(first_us, end_us, count) if count else None

    def intensity_issues(self, series_no: int, start_us: int, end_us: int) -> list[IntensityRow]:
        """All issues of values that begin in start ≤ instant < end, ordered by issue."""
        c = schema.intensities.c
        statement = (
            sa.select(*(c[name] for name in IntensityRow._fields))
            .where((c.series_no == series_no) & (c.start_us >= start_us) & (c.start_us < end_us))
            .order_by(c.issued_us)
        )
        return [IntensityRow._make(row) for row in self.connection.execute(statement)]

    def intensities(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> list[IntensityRow]:
        """Of values that begin in start ≤ instant < end, for each beginning and kind the newest issue (of those issued
        until an instant); ordered by issue, then beginning."""
        c = schema.intensities.c
        place = sa.func.row_number().over(partition_by=(c.start_us, c.kind), order_by=c.issued_us.desc())
        wanted = (c.series_no == series_no) & (c.start_us >= start_us) & (c.start_us < end_us)
        if issued_until_us is not None:
            wanted &= c.issued_us <= issued_until_us
        columns = [c[name] for name in IntensityRow._fields]
        some = sa.select(*columns, place.label("place")).where(wanted).subquery()
        statement = (
            sa.select(*(some.c[name] for name in IntensityRow._fields))
            .where(some.c.place == 1)
            .order_by(some.c.issued_us, some.c.start_us, some.c.kind)
        )
        return [IntensityRow._make(row) for row in self.connection.execute(statement)]

    def intensity_columns(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> IntensityColumns:
        """The same as columns, for accounts: of a year there are thousands, and no row object is made of any."""
        until_us = _EVER_US if issued_until_us is None else issued_until_us
        rows = self.driver.execute(_COLUMNS_SQL[self.dialect], (series_no, start_us, end_us, until_us)).fetchall()
        numbers = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * len(IntensityColumns._fields))
        return IntensityColumns(*np.ascontiguousarray(numbers.reshape(-1, len(IntensityColumns._fields)).T))

    def put_intensity_series(self, series: IntensitySeries) -> IntensitySeries:
        """The series as it is stored, made where it is not there."""
        table = schema.intensity_series
        told = {name: value for name, value in series._asdict().items() if name != "series_no"}
        made = self.connection.execute(
            _insert_into(table, self.dialect).values(**told).on_conflict_do_nothing(),
            execution_options={"preserve_rowcount": True},
        )
        if made.rowcount:
            count_change(self.connection, self.dialect, _COUNT)
        same = [table.c[name] == value for name, value in told.items()]
        return IntensitySeries._make(self.connection.execute(sa.select(table).where(*same)).one())

    def put_intensities(self, rows: Sequence[IntensityRow]) -> int:
        """Insert; what is there of the same beginning, kind and issue stays as it is. How many rows were new."""
        sql, cursor = _put_sql(self.dialect), self.driver.cursor()
        if self.dialect == "sqlite":
            cursor.executemany(sql, rows)
        elif rows:
            cursor.execute(sql, [list(column) for column in zip(*rows, strict=True)])
        new: int = max(cursor.rowcount, 0)
        if new:
            count_change(self.connection, self.dialect, _COUNT)
        return new


@lru_cache
def _put_sql(dialect: str) -> str:
    """One statement for all rows, by what each driver does best: a year of half-hours takes a tenth of a second, with
    values of a statement of many it takes seconds."""
    columns, into = IntensityRow._fields, "intensities"
    names = ", ".join(columns)
    if dialect == "sqlite":
        return f"INSERT INTO {into} ({names}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING"  # noqa: S608 - names of ours
    types = {"kind": "text", "quality": "text"}
    arrays = ", ".join(f"%s::{types.get(one, 'bigint')}[]" for one in columns)
    return f"INSERT INTO {into} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - names of ours


def _insert_into(table: sa.Table, dialect: str) -> Any:
    chosen: Any = sqlite if dialect == "sqlite" else postgresql
    return chosen.insert(table)
