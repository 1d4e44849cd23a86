"""Tariffs, contracts and series of prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.services.prices.price_rows import ContractsRow, PriceDay, PriceSeries, TariffRow
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.change_counts import count_change, state_sql

_COUNT: Final = "prices"
_STATE_SQL: Final = state_sql(_COUNT)
_SPAN_SQL: Final = (
    "SELECT (SELECT min(day) FROM price_days WHERE series_no = ?), "
    "(SELECT max(day) FROM price_days WHERE series_no = ?)"
)
#: The newest revision of each day, of those told until an instant. In SQLite the columns beside max() are those of the
#: row that has it; the key is in the order of the groups.
_DAYS_SQL: Final = {
    "sqlite": (
        "SELECT series_no, day, max(told_us), body FROM price_days "
        "WHERE series_no = ? AND day BETWEEN ? AND ? AND told_us <= ? GROUP BY day ORDER BY day"
    ),
    "postgresql": (
        "SELECT DISTINCT ON (day) series_no, day, told_us, body FROM price_days "
        "WHERE series_no = %s AND day BETWEEN %s AND %s AND told_us <= %s ORDER BY day, told_us DESC"
    ),
}
_EVER_US: Final = 2**62
_NUMBERS_A_QUERY: Final = 400


class PriceQueries:
    """Reading and writing of tariffs, contracts and prices, over one connection."""

    connection: sa.Connection
    driver: Any
    dialect: str

    # --- reading ------------------------------------------------------------------------------------------------------

    def prices_state(self) -> int:
        """How many times tariffs and series have changed."""
        row = self.driver.execute(_STATE_SQL).fetchone()
        return int(row[0]) if row else 0

    def tariff(self, tariff_id: str, until_us: int | None = None) -> TariffRow | None:
        """The newest revision of a tariff."""
        c = schema.tariffs.c
        wanted = (c.tariff_id == tariff_id) & (c.told_us <= _until(until_us))
        statement = sa.select(schema.tariffs).where(wanted).order_by(c.told_us.desc()).limit(1)
        row = None if "\0" in tariff_id else self.connection.execute(statement).first()
        return None if row is None else TariffRow._make(row)

    def tariffs(self, after: str | None, limit: int) -> list[TariffRow]:
        """The newest revision of each, ordered by id, those whose id is greater than `after`."""
        c = schema.tariffs.c
        by_id = self._by_bytes(c.tariff_id)
        newest = sa.select(c.tariff_id, sa.func.max(c.told_us)).where(by_id > (after or "")).group_by(c.tariff_id)
        newest = newest.order_by(by_id).limit(limit)
        key = sa.tuple_(c.tariff_id, c.told_us)
        statement = sa.select(schema.tariffs).where(key.in_(newest.subquery().select())).order_by(by_id)
        return [TariffRow._make(row) for row in self.connection.execute(statement)]

    def contracts(self, household_no: int, until_us: int | None = None) -> ContractsRow | None:
        """The newest contracts of a household."""
        c = schema.contracts.c
        wanted = (c.household_no == household_no) & (c.told_us <= _until(until_us))
        statement = sa.select(schema.contracts).where(wanted).order_by(c.told_us.desc()).limit(1)
        row = self.connection.execute(statement).first()
        return None if row is None else ContractsRow._make(row)

    def contracts_of(self, household_nos: Sequence[int]) -> dict[int, ContractsRow]:
        """The newest contracts of many households; those without any are left out."""
        c, found = schema.contracts.c, {}
        for first in range(0, len(household_nos), _NUMBERS_A_QUERY):
            some = c.household_no.in_(household_nos[first : first + _NUMBERS_A_QUERY])
            statement = sa.select(schema.contracts).where(some).order_by(c.household_no, c.told_us)
            for row in self.connection.execute(statement):
                found[row[0]] = ContractsRow._make(row)
        return found

    def contract_revisions(self, household_no: int) -> list[ContractsRow]:
        """All contracts that a household has had, each time as they were put, the newest last."""
        c = schema.contracts.c
        statement = sa.select(schema.contracts).where(c.household_no == household_no).order_by(c.told_us)
        return [ContractsRow._make(row) for row in self.connection.execute(statement)]

    def price_series(self, name: str) -> PriceSeries | None:
        """A series by its name."""
        table = schema.price_series
        statement = sa.select(table).where(table.c.name == name)
        row = None if "\0" in name else self.connection.execute(statement).first()
        return None if row is None else PriceSeries._make(row)

    def price_series_list(self, after: str | None, limit: int) -> list[PriceSeries]:
        """Ordered by name, those whose name is greater than `after`."""
        table = schema.price_series
        by_name = self._by_bytes(table.c.name)
        statement = sa.select(table).where(by_name > (after or "")).order_by(by_name).limit(limit)
        return [PriceSeries._make(row) for row in self.connection.execute(statement)]

    def price_days(self, series_no: int, first_day: int, last_day: int, until_us: int | None = None) -> list[PriceDay]:
        """Of each UTC day first … last, both included, the newest revision; ordered by day."""
        parameters = (series_no, first_day, last_day, _until(until_us))
        return list(map(PriceDay._make, self.driver.execute(_DAYS_SQL[self.dialect], parameters)))

    def price_span(self, series_no: int) -> tuple[int, int] | None:
        """The first and the last UTC day that a series has."""
        sql = _SPAN_SQL if self.dialect == "sqlite" else _SPAN_SQL.replace("?", "%s")
        first, last = self.driver.execute(sql, (series_no, series_no)).fetchone()
        return None if first is None else (first, last)

    def _by_bytes(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
        """In the order of the letters' codes, as SQLite has it, whatever the database's own order is."""
        return column if self.dialect == "sqlite" else sa.collate(column, "C")

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin_price_changes(self) -> None:
        """Let no other writer change tariffs and series until the commit: SQLite has one writer at a time anyway."""
        if self.dialect == "postgresql":
            self.driver.execute(_STATE_SQL + " FOR UPDATE")

    def put_tariff(self, row: TariffRow) -> None:
        """Keep a revision."""
        count_change(self.connection, self.dialect, _COUNT)
        self.connection.execute(schema.tariffs.insert().values(row._asdict() | {"document": dict(row.document)}))

    def put_contracts(self, row: ContractsRow) -> None:
        """Keep a revision."""
        told = [dict(one) for one in row.contracts]
        self.connection.execute(schema.contracts.insert().values(row._asdict() | {"contracts": told}))

    def put_price_series(self, series: PriceSeries) -> PriceSeries:
        """Insert, or update what is told of it; the series as stored."""
        count_change(self.connection, self.dialect, _COUNT)
        table = schema.price_series
        told = {name: value for name, value in series._asdict().items() if name != "series_no"}
        statement = _insert_into(table, self.dialect).values(**told)
        put = statement.on_conflict_do_update(index_elements=["name"], set_=told).returning(table.c.series_no)
        return series._replace(series_no=self.connection.execute(put).scalar_one())

    def put_price_days(self, rows: Sequence[PriceDay]) -> None:
        """Keep revisions of days; one of the same day and instant is replaced."""
        if rows:
            count_change(self.connection, self.dialect, _COUNT)
            statement = _insert_into(schema.price_days, self.dialect)
            key = list(schema.price_days.primary_key.columns)
            put = statement.on_conflict_do_update(index_elements=key, set_={"body": statement.excluded.body})
            self.connection.execute(put, [row._asdict() for row in rows])


def _until(until_us: int | None) -> int:
    return _EVER_US if until_us is None else until_us


def _insert_into(table: sa.Table, dialect: str) -> Any:
    chosen: Any = sqlite if dialect == "sqlite" else postgresql
    return chosen.insert(table)
