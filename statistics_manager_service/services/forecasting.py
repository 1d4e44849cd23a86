"""Forecasts of households: fetched or made here, kept with their issue, and set beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Protocol

import numpy as np

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.forecasting import DAYS_USED, forecast
from statistics_manager_service.core.grid import day_of_quarter, quarter_after, quarter_of
from statistics_manager_service.core.power_curve import energy_between, quarters_of_power, step_of
from statistics_manager_service.core.profiles import Days, pack_days, unpack_days
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_S, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.events import Work
from statistics_manager_service.services.forecast_rows import ForecastRow, ForecastRows
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.measuring import Measurer
from statistics_manager_service.services.ports import Channel, Household, ReadView, Store
from statistics_manager_service.services.totals import Totals

#: What is forecast: what a home takes from the grid, which FlexiHome calls consumed.
MEASURE: Final = "energy_import"
#: Sources of forecasts: made here, the forecast service, and mock curves of test systems.
OURS, SERVICE, MOCK = "embedded", "forecast_service", "mock"
SOURCES: Final = (OURS, SERVICE, MOCK)
_EVER_US: Final = 2**62
#: A quarter counts in a forecaster's history where so much of it is known.
_KNOWN_SHARE: Final = 0.999


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """Mean powers. at_us: (n,) int64, increasing; power_w: (n,) float64, from each instant up to the next."""

    at_us: Int64
    power_w: Float64


class CurveSource(Protocol):
    """Where forecasts are fetched from."""

    def fetch(self, household: str, start_us: int, end_us: int) -> PowerCurve | None:
        """The power that a household will take; None where none is known. Raises Unavailable, Declined."""
        ...


@dataclass(frozen=True, slots=True)
class Issue:
    """A forecast: energy_milliwh (n,) float64 of the quarters from first_quarter on, NaN where nothing is said."""

    first_quarter: int
    energy_milliwh: Float64
    issued_us: int
    source: str

    def rows(self, household_no: int, measure: str = MEASURE) -> list[ForecastRow]:
        """What the store keeps of it."""
        first_day = day_of_quarter(self.first_quarter)
        last_day = day_of_quarter(self.first_quarter + len(self.energy_milliwh) - 1)
        energy = np.full((last_day - first_day + 1) * QUARTERS_PER_DAY, np.nan)
        begin = self.first_quarter - first_day * QUARTERS_PER_DAY
        energy[begin : begin + len(self.energy_milliwh)] = self.energy_milliwh
        days = Days.empty(last_day - first_day + 1, with_samples=False)
        known = np.isfinite(energy).reshape(-1, QUARTERS_PER_DAY)
        days.energy_milliwh[known] = np.round(energy).reshape(-1, QUARTERS_PER_DAY)[known].astype(np.int64)
        days.measured_s[known] = QUARTER_S
        return [
            ForecastRow(household_no, measure, first_day + i, self.issued_us, self.source, body)
            for i, body in enumerate(pack_days(days))
            if known[i].any()
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of forecasts of d UTC days from first_day on: r rows, the newest issue last.

    place: (r,) int64 of each row's day; energy_milliwh: (r, 96) float64, NaN where nothing is said.
    """

    first_day: int
    days: int
    rows: Sequence[ForecastRow]
    place: Int64
    energy_milliwh: Float64

    @classmethod
    def of(
        cls, view: ForecastRows, household_no: int, edges_us: tuple[int, int], until_us: int | None, source: str | None
    ) -> Stored:
        """Those of the quarters that touch a range, of one source or all, issued until an instant or ever."""
        first = day_of_quarter(quarter_of(edges_us[0]))
        last = day_of_quarter(quarter_after(edges_us[1]) - 1)
        rows = view.forecasts(household_no, MEASURE, first, last, _EVER_US if until_us is None else until_us)
        rows = [row for row in rows if source is None or row.source == source]
        days = unpack_days([row.body for row in rows])
        shape = (len(rows), QUARTERS_PER_DAY)
        known = np.broadcast_to(days.measured_s > 0, shape)
        energy = np.where(known, days.energy_milliwh, np.nan)
        place = np.array([row.day - first for row in rows], np.int64)
        return cls(first, last - first + 1, rows, place, energy.reshape(shape))

    def newest(self) -> Float64:
        """(days × 96,) float64, mWh: of each quarter the newest issue that says something of it."""
        out = np.full((self.days, QUARTERS_PER_DAY), np.nan)
        for place, energy in zip(self.place.tolist(), self.energy_milliwh, strict=True):
            np.copyto(out[place], energy, where=np.isfinite(energy))
        return out.reshape(-1)

    @property
    def first_quarter(self) -> int:
        """The quarter that the first day begins with."""
        return self.first_day * QUARTERS_PER_DAY


def forecast_between(
    view: ForecastRows, household_no: int, edges_us: Int64, until_us: int | None, source: str | None = None
) -> tuple[Float64, Float64]:
    """The forecast energy between edges, (m,) kWh, NaN where none is known, and its share of the time, (m,)."""
    stored = Stored.of(view, household_no, (int(edges_us[0]), int(edges_us[-1])), until_us, source)
    energy, share = energy_between(edges_us, stored.first_quarter, stored.newest())
    return energy / MILLIWH_PER_KWH, share


def measured_quarters(
    view: ReadView,
    household: Household,
    first_quarter: int,
    count: int,
    channels: Sequence[Channel] | None = None,
) -> Float64:
    """What a household took in quarters, (count,) mWh; NaN where it is not known for the whole of the quarter.

    channels: those that tell it; all of the household's unless given.
    """
    some = view.channels(household.household_no) if channels is None else channels
    edges_us = np.arange(first_quarter, first_quarter + count + 1, dtype=np.int64) * QUARTER_US
    column = Measurer(Totals(view, edges_us), some).column(MEASURE, None)
    is_whole = column.coverage + column.estimated >= _KNOWN_SHARE
    return np.where(is_whole, np.round(column.value * MILLIWH_PER_KWH), np.nan)


def civil_day(day: date, zone: str) -> tuple[int, int]:
    """The instants at which a zone's day begins and ends."""
    start_us, end_us = (parse_moment(one.isoformat(), zone, "day") for one in (day, day + timedelta(days=1)))
    return start_us, end_us


class Forecasts:
    """Makes and keeps forecasts. source: where they are fetched from; None: they are made here."""

    def __init__(self, store: Store, source: CurveSource | None, now_us: Callable[[], int]) -> None:
        self._store, self._source, self._now_us = store, source, now_us

    def prepare(self, household: str, day: date) -> Work:
        """The forecast of a household's civil day, as what is to be written; it is fetched where there is a source.

        Raises NotFound where there is no such household, or no forecast can be had; Unavailable, Declined.
        """
        with self._store.reading() as view:
            owner = known_household(view, household)
        start_us, end_us = civil_day(day, owner.timezone)
        if self._source is None:
            issue = self._made(owner, start_us, end_us, self._now_us())
        else:
            issue = self._fetched(self._source, owner, start_us, end_us)
        rows = issue.rows(owner.household_no)
        return lambda view: view.add_forecasts(rows)

    def make(self, household: str, day: date, issued_us: int | None = None) -> Issue:
        """Make a forecast of a household's civil day here, from what was measured before it is issued, and keep it.

        Raises NotFound where there is no such household, or too little is measured.
        """
        with self._store.reading() as view:
            owner = known_household(view, household)
        start_us, end_us = civil_day(day, owner.timezone)
        issue = self._made(owner, start_us, end_us, self._now_us() if issued_us is None else issued_us)
        with self._store.writing() as view:
            view.add_forecasts(issue.rows(owner.household_no))
        return issue

    def lacking(self, household: Household, day: date) -> bool:
        """Whether no forecast of a household's civil day is stored."""
        edges_us = civil_day(day, household.timezone)
        with self._store.reading() as view:
            return not len(Stored.of(view, household.household_no, edges_us, None, None).rows)

    def _made(self, owner: Household, start_us: int, end_us: int, issued_us: int) -> Issue:
        first, count = quarter_of(start_us), quarter_after(end_us) - quarter_of(start_us)
        last = min(quarter_of(issued_us), first)
        begin = first - DAYS_USED * QUARTERS_PER_DAY
        with self._store.reading() as view:
            history = measured_quarters(view, owner, begin, max(last - begin, 1))[: max(last - begin, 0)]
        energy = forecast(begin, history, first, count, owner.timezone)
        if not np.isfinite(energy).any():
            raise NotFound(f"too little was measured of household {owner.id} to make a forecast: a day is needed")
        return Issue(first, energy, issued_us, OURS)

    def _fetched(self, source: CurveSource, owner: Household, start_us: int, end_us: int) -> Issue:
        curve = source.fetch(owner.id, start_us, end_us)
        if curve is None:
            raise NotFound(f"the forecast service knows no forecast of household {owner.id} for this day")
        try:
            first, energy = quarters_of_power(curve.at_us, curve.power_w, step_of(curve.at_us))
        except ValueError as error:
            raise BadInput.of([Fault("forecast", str(error))]) from error
        return Issue(first, energy, self._now_us(), SERVICE)


class ForecastHandler:
    """Handles ForecastComputedEvent {user_id, forecast_date}."""

    def __init__(self, forecasts: Forecasts) -> None:
        self._forecasts = forecasts

    def __call__(self, payload: Mapping[str, Any]) -> Work:
        """Fetch or make the forecast. Raises BadInput, NotFound, Unavailable, Declined."""
        household, day = payload.get("user_id"), payload.get("forecast_date")
        faults = [
            Fault(name, "a text is expected")
            for name, value in (("user_id", household), ("forecast_date", day))
            if not isinstance(value, str)
        ]
        if faults:
            raise BadInput.of(faults)
        return self._forecasts.prepare(str(household), day_of(str(day)))


def day_of(text: str) -> date:
    """The date of a date or a date-time. Raises BadInput."""
    parse_moment(text, "UTC", "forecast_date")
    return date.fromisoformat(text[: len("2024-01-31")])
