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
from statistics_manager_service.core.power_curve import energy_between, quarters_of_power
from statistics_manager_service.core.profiles import Days, pack_days, unpack_days
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_S, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.events.events import Work
from statistics_manager_service.services.forecasts.forecast_rows import ForecastRow, ForecastRows
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.measuring import Measurer
from statistics_manager_service.services.ports import Channel, Household, ReadView, Store, WriteView
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
    """Mean powers. at_us: (n,) int64, increasing by at least step_us; power_w: (n,) float64, each kept for step_us."""

    at_us: Int64
    power_w: Float64
    step_us: int

    def between(self, start_us: int, end_us: int) -> PowerCurve:
        """What of it touches a range."""
        inside = (self.at_us + self.step_us > start_us) & (self.at_us < end_us)
        return PowerCurve(self.at_us[inside], self.power_w[inside], self.step_us)


class CurveSource(Protocol):
    """Where forecasts are fetched from."""

    def fetch(self, household: str, start_us: int, end_us: int) -> Sequence[PowerCurve]:
        """The power that a household will take, in one or several curves, of which later ones win; none where none is
        known. Raises Unavailable, Declined."""
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
    """What is stored of forecasts: r rows, the newest issue last, of the d UTC days from first_day on.

    place: (r,) int64 of each row's day; energy_milliwh: (r, 96) float64, NaN where nothing is said.
    """

    first_day: int
    days: int
    rows: Sequence[ForecastRow]
    place: Int64
    energy_milliwh: Float64

    @classmethod
    def unpacked(cls, rows: Sequence[ForecastRow]) -> Stored:
        """Rows, which may be none, as columns."""
        day = np.array([row.day for row in rows], np.int64)
        first, last = (int(day.min()), int(day.max())) if len(day) else (0, -1)
        days = unpack_days([row.body for row in rows])
        shape = (len(rows), QUARTERS_PER_DAY)
        energy = np.where(np.broadcast_to(days.measured_s > 0, shape), days.energy_milliwh, np.nan)
        return cls(first, last - first + 1, rows, day - first, energy.reshape(shape))

    @classmethod
    def of(
        cls, view: ForecastRows, household_no: int, edges_us: tuple[int, int], until_us: int | None, source: str | None
    ) -> Stored:
        """Those of the quarters that touch a range, of one source or all, issued until an instant or ever."""
        first = day_of_quarter(quarter_of(edges_us[0]))
        last = day_of_quarter(quarter_after(edges_us[1]) - 1)
        rows = view.forecasts(household_no, MEASURE, first, last, _EVER_US if until_us is None else until_us)
        return cls.unpacked([row for row in rows if source is None or row.source == source])

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
    """The forecast energy between edges, (m,) whole mWh, NaN where none is known, and its share of the time, (m,)."""
    stored = Stored.of(view, household_no, (int(edges_us[0]), int(edges_us[-1])), until_us, source)
    return energy_between(edges_us, stored.first_quarter, stored.newest())


def measured_quarters(
    view: ReadView,
    household: Household,
    first_quarter: int,
    count: int,
    channels: Sequence[Channel] | None = None,
    *,
    with_estimated: bool = True,
) -> Float64:
    """What a household took in quarters, (count,) mWh; NaN where it is not known for the whole of the quarter.

    channels: those that tell it; all of the household's unless given.
    with_estimated: what a register bridges over a long gap is known too. Its sum is, its course is a straight line.
    """
    some = view.channels(household.household_no) if channels is None else channels
    edges_us = np.arange(first_quarter, first_quarter + count + 1, dtype=np.int64) * QUARTER_US
    column = Measurer(Totals(view, edges_us), some).column(MEASURE, None)
    is_whole = column.coverage + column.estimated * with_estimated >= _KNOWN_SHARE
    return np.where(is_whole, np.round(column.value * MILLIWH_PER_KWH), np.nan)


def civil_day(day: date, zone: str) -> tuple[int, int]:
    """The instants at which a zone's day begins and ends."""
    start_us, end_us = (parse_moment(one.isoformat(), zone, "day") for one in (day, day + timedelta(days=1)))
    return start_us, end_us


class Forecasts:
    """Makes and keeps forecasts. source: where they are fetched from; None: they are made here."""

    def __init__(self, store: Store, source: CurveSource | None, now_us: Callable[[], int]) -> None:
        self._store, self._source, self._now_us = store, source, now_us

    @property
    def are_fetched(self) -> bool:
        """Whether there is a service to fetch them from."""
        return self._source is not None

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
        return keeping(owner, issue)

    def make(self, household: str, day: date, issued_us: int | None = None) -> Issue:
        """Make a forecast of a household's civil day here, from what was measured before it is issued, and keep it.

        Raises NotFound where there is no such household, or too little is measured.
        """
        with self._store.reading() as view:
            owner = known_household(view, household)
        start_us, end_us = civil_day(day, owner.timezone)
        issue = self._made(owner, start_us, end_us, self._now_us() if issued_us is None else issued_us)
        with self._store.writing() as view:
            keeping(owner, issue)(view)
        return issue

    def lacking(self, household: Household, day: date) -> bool:
        """Whether no forecast of a household's civil day is stored."""
        with self._store.reading() as view:
            return lacking(view, [(household, day)])[0]

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
        first, last = quarter_of(start_us), quarter_after(end_us)
        energy = np.full(last - first, np.nan)
        for curve in source.fetch(owner.id, start_us, end_us):
            begin, told = quarters_of_power(curve.at_us, curve.power_w, curve.step_us)
            inside = slice(max(begin, first) - first, min(begin + len(told), last) - first)
            told = told[inside.start + first - begin : inside.stop + first - begin]
            np.copyto(energy[inside], told, where=np.isfinite(told))
        if not np.isfinite(energy).any():
            raise NotFound(f"the forecast service knows no forecast of household {owner.id} for this day")
        return Issue(first, energy, self._now_us(), SERVICE)


def keeping(owner: Household, issue: Issue) -> Work:
    """The work of storing a forecast. It raises NotFound where the household has been erased since it was read."""

    def keep(view: WriteView) -> None:
        view.begin_changes([owner.household_no])  # no one can erase it now
        if known_household(view, owner.id).household_no != owner.household_no:
            raise NotFound(f"household {owner.id} has been erased, and made anew")
        view.add_forecasts(issue.rows(owner.household_no))

    return keep


def lacking(view: ForecastRows, wanted: Sequence[tuple[Household, date]]) -> list[bool]:
    """Of each household and civil day, whether no forecast of any of its quarters is stored."""
    ranges = []
    for owner, day in wanted:
        start_us, end_us = civil_day(day, owner.timezone)
        ranges.append((quarter_of(start_us), quarter_after(end_us)))
    if not ranges:
        return []
    first, last = (day_of_quarter(one) for one in (min(a for a, _ in ranges), max(b for _, b in ranges) - 1))
    stored = Stored.unpacked(view.forecasts_of([owner.household_no for owner, _ in wanted], MEASURE, first, last))
    known = np.isfinite(stored.energy_milliwh)
    rows_of: dict[int, list[int]] = {}
    for i, row in enumerate(stored.rows):
        rows_of.setdefault(row.household_no, []).append(i)
    out = []
    for (owner, _), (begin, end) in zip(wanted, ranges, strict=True):
        some = [(i, stored.rows[i].day * QUARTERS_PER_DAY) for i in rows_of.get(owner.household_no, ())]
        out.append(not any(known[i, max(begin - at, 0) : max(end - at, 0)].any() for i, at in some))
    return out


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
