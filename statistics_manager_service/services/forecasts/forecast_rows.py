"""Forecasts as the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class ForecastRow(NamedTuple):
    """One issue's forecast of a UTC day. The body packs its 96 quarter-hours as a day profile does: a quarter that is
    forecast counts as measured."""

    household_no: int
    measure: str
    day: int
    issued_us: int
    source: str
    body: bytes


class ForecastRows(Protocol):
    """Reading of forecasts."""

    def forecasts(
        self, household_no: int, measure: str, first_day: int, last_day: int, issued_until_us: int
    ) -> list[ForecastRow]:
        """Of the UTC days first … last, both included, what was issued until an instant; the newest issue last."""
        ...

    def forecasts_of(
        self, household_nos: Sequence[int], measure: str, first_day: int, last_day: int
    ) -> list[ForecastRow]:
        """The same of many households, whenever issued, in any order."""
        ...


class ForecastWrites(ForecastRows, Protocol):
    """Changes of forecasts, inside a write transaction."""

    def add_forecasts(self, rows: Sequence[ForecastRow]) -> None:
        """Insert; what the same source issued at the same instant stays as it is."""
        ...
