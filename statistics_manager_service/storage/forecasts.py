"""Forecasts of households."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.services.forecasts.forecast_rows import ForecastRow
from statistics_manager_service.storage import schema


class ForecastQueries:
    """Reading and writing of forecasts, over one connection."""

    connection: sa.Connection
    dialect: str

    def forecasts(
        self, household_no: int, measure: str, first_day: int, last_day: int, issued_until_us: int
    ) -> list[ForecastRow]:
        """Of the UTC days first … last, both included, what was issued until an instant; the newest issue last."""
        c = schema.forecasts.c
        return self._forecasts(
            (c.household_no == household_no)
            & (c.measure == measure)
            & c.day.between(first_day, last_day)
            & (c.issued_us <= issued_until_us)
        )

    def forecasts_of(
        self, household_nos: Sequence[int], measure: str, first_day: int, last_day: int
    ) -> list[ForecastRow]:
        """The same of many households, whenever issued."""
        c = schema.forecasts.c
        return self._forecasts(
            c.household_no.in_(household_nos) & (c.measure == measure) & c.day.between(first_day, last_day)
        )

    def _forecasts(self, wanted: sa.ColumnElement[bool]) -> list[ForecastRow]:
        c = schema.forecasts.c
        columns = [c[name] for name in ForecastRow._fields]
        statement = sa.select(*columns).where(wanted).order_by(c.issued_us, c.source, c.day)
        return [ForecastRow._make(row) for row in self.connection.execute(statement)]

    def add_forecasts(self, rows: Sequence[ForecastRow]) -> None:
        """Insert; what the same source issued at the same instant stays as it is."""
        if rows:
            dialect: Any = sqlite if self.dialect == "sqlite" else postgresql
            statement = dialect.insert(schema.forecasts).on_conflict_do_nothing()
            self.connection.execute(statement, [row._asdict() for row in rows])
