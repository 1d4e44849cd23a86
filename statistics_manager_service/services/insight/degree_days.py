"""Degree days of a home, what its energy hangs on them, and that energy as it would be in normal weather."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.day_times import day_times
from statistics_manager_service.core.degree_days import (
    EUROSTAT,
    DegreeDayRule,
    Regression,
    cooling_degree_days,
    heating_degree_days,
    normal_of_days,
    normalised,
    regress,
)
from statistics_manager_service.core.quantities import is_of_phase
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.insights import MOST_DAYS, whole_days
from statistics_manager_service.services.insight.temperatures import (
    DayTemperatures,
    day_temperatures,
    outside_channel,
)
from statistics_manager_service.services.measuring import MEASURES, Measurer
from statistics_manager_service.services.ports import Channel, ReadView, Store
from statistics_manager_service.services.totals import Totals

#: Observations of the regression are days, or the known days of a week or month.
STEPS: Final = ("daily", "weekly", "monthly")
#: A day of whose energy a smaller share is known does not count: what is missing would bias it.
LEAST_KNOWN_SHARE: Final = 0.99
#: So many years before and behind the time may tell what is normal.
_MOST_OTHER_YEARS: Final = 10
#: A coefficient counts where it is above so many of its standard errors: about 19 times of 20 it is no accident.
_LEAST_ERRORS: Final = 2
#: Of energies that are all alike the coefficient is what rounding leaves, and so is its error.
_NOTHING_SHARE: Final = 1e-9
_ENERGIES: Final = tuple(one for one in MEASURES if one.startswith("energy_"))


@dataclass(frozen=True, slots=True)
class DegreeDayQuestion:
    """measure: an energy. meter: of one meter. temperature_meter: else as `outside_channel` has it. hdd_normal: the
    degree days of a normal such time. base_kwh_per_day: what does not hang on the weather; else the regression's."""

    time: AskedTime
    measure: str = "energy_consumption"
    meter: str | None = None
    temperature_meter: str | None = None
    rule: DegreeDayRule = EUROSTAT
    step: str = "daily"
    hdd_normal: float | None = None
    base_kwh_per_day: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """The d civil days of a time: dates, and (d,) float64 each, NaN where unknown; both: (d,) whether temperature and
    energy are known."""

    dates: list[date]
    temperatures: DayTemperatures
    heating: Float64
    cooling: Float64
    energy_kwh: Float64

    @property
    def both(self) -> NDArray[np.bool_]:
        """(d,) days that the regression and the normalised energy are of."""
        return ~np.isnan(self.heating) & ~np.isnan(self.energy_kwh)


@dataclass(frozen=True, slots=True)
class Normalised:
    """The energy of `days` days, and what it would be in normal weather. cooling is part of the base.

    of_other_years: whose mean is normal; none where the normal was told.
    """

    days: int
    energy_kwh: float
    base_kwh: float
    heating: float
    heating_normal: float
    of_other_years: list[int]
    normal_kwh: float


@dataclass(frozen=True, slots=True, eq=False)
class DegreeDays:
    """The answer: regression and normalised are themselves, or why there is none."""

    home: Home
    calendar: Calendar
    question: DegreeDayQuestion
    channel: Channel | str
    days: Days
    regression: Regression | str
    normalised: Normalised | str


def check_energy(name: str) -> None:
    """Raises BadInput for what is no energy, with those that there are."""
    if name not in _ENERGIES:
        there = ", ".join(one for one in _ENERGIES if not is_of_phase(one))
        raise BadInput.of([Fault("measure", f"{name[:60]!r} is no energy; there are {there}, and those of a phase")])


class DegreeDaysOfHomes:
    """Tells degree days of homes, and what hangs on them."""

    def __init__(self, store: Store) -> None:
        self._store, self._homes = store, Homes()

    def of(self, household_id: str, question: DegreeDayQuestion) -> DegreeDays:
        """The degree days of a time. Raises BadInput, NotFound."""
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            return _answer(*question.time.known_then(view, home), question)


def _answer(view: ReadView, home: Home, question: DegreeDayQuestion) -> DegreeDays:
    cal = question.time.divided(home.household.timezone, GroupBy.DAILY, MOST_DAYS)
    channel = outside_channel(home, question.temperature_meter)
    days = _days(view, home, cal, question, channel)
    if isinstance(channel, str):
        return DegreeDays(home, cal, question, channel, days, channel, channel)
    regression = _regression(cal, days, question)
    return DegreeDays(
        home, cal, question, channel, days, regression, _normalised(view, cal, days, question, channel, regression)
    )


def _days(view: ReadView, home: Home, cal: Calendar, question: DegreeDayQuestion, channel: Channel | str) -> Days:
    """The days of a time. Of one that the time cuts off, the mean temperature and the degree days are those of the
    whole day, and its energy does not count. Neither does energy that is estimated over a gap, where days are observed:
    it was spread evenly over the gap, whatever the weather was. In weeks and months it counts."""
    edges_us = whole_days(cal)
    size = len(edges_us) - 1
    nothing = DayTemperatures(np.full(size, np.nan), np.zeros(size))
    told = nothing if isinstance(channel, str) else day_temperatures(view, channel, edges_us)
    column = Measurer(Totals(view, edges_us), home.channels).column(question.measure, question.meter)
    whole = (edges_us[:-1] >= cal.edges_us[0]) & (edges_us[1:] <= cal.edges_us[-1])
    share = column.coverage + (0 if question.step == "daily" else column.estimated)
    known = whole & (share >= LEAST_KNOWN_SHARE)
    return Days(
        dates=_dates(cal),
        temperatures=told,
        heating=heating_degree_days(told.mean_c, question.rule),
        cooling=cooling_degree_days(told.mean_c, question.rule),
        energy_kwh=np.where(known, column.value, np.nan),
    )


def _dates(cal: Calendar) -> list[date]:
    """The civil days of daily buckets."""
    days: list[date] = day_times(cal.edges_us[:-1], cal.offset_s[:-1]).day.astype("datetime64[D]").tolist()
    return days


def _regression(cal: Calendar, days: Days, question: DegreeDayQuestion) -> Regression | str:
    """Energy on days and degree days, by the day, week or month; on cooling degree days where there are any."""
    both = days.both
    if not both.any():
        return "there is no day of which both the temperature and the energy are known"
    period: Int64 = np.arange(len(both), dtype=np.int64)
    if question.step != "daily":
        group_by = GroupBy.WEEKLY if question.step == "weekly" else GroupBy.MONTHLY
        edges_us = calendar(cal.zone, group_by, int(cal.edges_us[0]), int(cal.edges_us[-1])).edges_us
        period = np.searchsorted(edges_us, cal.edges_us[:-1], side="right") - 1
    observed = np.bincount(period, both) > 0

    def summed(of_day: Float64) -> Float64:
        return np.bincount(period, np.where(both, of_day, 0.0)).astype(np.float64)[observed]

    regressors = {"days": summed(np.ones(len(both), np.float64))}
    for name, of_day in (("heating_degree_days", days.heating), ("cooling_degree_days", days.cooling)):
        if (of_day[both] > 0).any():
            regressors[name] = summed(of_day)
    return regress(summed(days.energy_kwh), regressors)


def _normalised(
    view: ReadView,
    cal: Calendar,
    days: Days,
    question: DegreeDayQuestion,
    channel: Channel,
    regression: Regression | str,
) -> Normalised | str:
    """The energy in normal weather, or why it can't be told."""
    both = days.both
    heating, energy_kwh = float(days.heating[both].sum()), float(days.energy_kwh[both].sum())
    if not both.any():
        return "there is no day of which both the temperature and the energy are known"
    if heating <= 0:
        return "there are no heating degree days in this time"
    base_kwh = _base_kwh(days, question, regression)
    if isinstance(base_kwh, str):
        return base_kwh
    normal = _normal(view, cal, days, question, channel)
    if isinstance(normal, str):
        return normal
    heating_normal, years = normal
    in_normal = normalised(energy_kwh, base_kwh, heating, heating_normal)
    return Normalised(int(both.sum()), energy_kwh, base_kwh, heating, heating_normal, years, in_normal)


def _base_kwh(days: Days, question: DegreeDayQuestion, regression: Regression | str) -> float | str:
    """What of the energy of the days that are known does not hang on heating, or why that can't be told."""
    both = days.both
    if question.base_kwh_per_day is not None:
        return question.base_kwh_per_day * float(both.sum())
    if isinstance(regression, str):
        return f"the base load is not told, and not known of a regression: {regression}"
    coefficients = regression.coefficients
    of_heating = coefficients["heating_degree_days"]
    if of_heating.standard_error is None:
        return f"{regression.n} observations are too few to tell how surely the energy rises with heating degree days"
    for_heating_kwh = of_heating.value * float(days.heating[both].sum())
    least_kwh = _NOTHING_SHARE * float(days.energy_kwh[both].sum())
    if of_heating.value <= _LEAST_ERRORS * of_heating.standard_error or for_heating_kwh <= least_kwh:
        return (
            "the energy does not rise with heating degree days: its coefficient is not above twice its standard error"
        )
    base = coefficients["days"].value * float(both.sum())
    if "cooling_degree_days" in coefficients:
        base += coefficients["cooling_degree_days"].value * float(days.cooling[both].sum())
    return base


def _normal(
    view: ReadView, cal: Calendar, days: Days, question: DegreeDayQuestion, channel: Channel
) -> tuple[float, list[int]] | str:
    """The normal heating degree days of the days that are known, and of which years they are the mean; or why they
    can't be told."""
    both = days.both
    if question.hdd_normal is not None:
        lacking = int((~both).sum())
        if lacking:
            return f"hdd_normal is of the whole time, and {lacking} days of it lack a temperature or an energy"
        return question.hdd_normal, []
    wanted = [(one.month, one.day) for one, known in zip(days.dates, both.tolist(), strict=True) if known]
    others = _of_other_years(view, cal, question, channel)
    total, lacking = normal_of_days(wanted, {day: list(some.values()) for day, some in others.items()})
    if lacking:
        return f"{lacking} of {len(wanted)} days have no temperature in any other year, and no hdd_normal is told"
    return total, sorted({year for day in wanted for year in others.get(day, ())})


def _of_other_years(
    view: ReadView, cal: Calendar, question: DegreeDayQuestion, channel: Channel
) -> dict[tuple[int, int], dict[int, float]]:
    """The degree days of each calendar day, (month, day), in the years in which it is known and not asked for."""
    start_us, end_us = int(cal.edges_us[0]), int(cal.edges_us[-1])
    reach_us = _MOST_OTHER_YEARS * 366 * US_PER_DAY
    first_us = max(channel.first_us or start_us, start_us - reach_us)
    last_us = min(channel.last_us or end_us, end_us + reach_us)
    found: dict[tuple[int, int], dict[int, float]] = {}
    if last_us <= first_us:
        return found
    around = calendar(cal.zone, GroupBy.DAILY, first_us, last_us)
    heating = heating_degree_days(day_temperatures(view, channel, whole_days(around)).mean_c, question.rule)
    asked = set(_dates(cal))
    for day, degrees in zip(_dates(around), heating.tolist(), strict=True):
        if day not in asked and not np.isnan(degrees):
            found.setdefault((day.month, day.day), {})[day.year] = degrees
    return found
