"""Load figures and degree days as measures, in every grouping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.definitions import DEFINITIONS, Family, measures_of
from statistics_manager_service.core.degree_days import cooling_degree_days, heating_degree_days
from statistics_manager_service.core.load import BASE_PERCENT, HIGH_PERCENT, BucketLoads
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, S_PER_HOUR, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.insight.load_quarters import LoadQuarters, load_quarters
from statistics_manager_service.services.insight.loads import COS_PHI
from statistics_manager_service.services.insight.temperatures import day_temperatures, outside_channel, within
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.telemetry.as_known import as_known

#: So long a time is worked out at once, by the quarter-hour or the day.
MOST_DAYS: Final = 10 * 366
_OF_IMPORT: Final = ("contracted_power_utilisation", "time_above_contracted_power")
_DAYS_OF: Final = {"heating_degree_days": heating_degree_days, "cooling_degree_days": cooling_degree_days}


class Insights:
    """Works out load figures and degree days of homes over buckets. They hang on its readings and settings alone."""

    measures = measures_of(Family.INSIGHT)
    of_meters: frozenset[str] = frozenset(measures).difference(_OF_IMPORT)
    hangs_on_home_alone = True

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a home, or of one of its meters, over buckets. Raises BadInput for a time that is too long."""
        if int(cal.edges_us[-1]) - int(cal.edges_us[0]) > MOST_DAYS * US_PER_DAY:
            what = ", ".join(measures)
            raise BadInput.of([Fault("end", f"{what} are told of at most {MOST_DAYS} days at once; ask in parts")])
        if way.until_us is not None:
            view, home = as_known(view, home, way.until_us)
        loads: dict[str, LoadQuarters] = {}
        out = []
        for one in measures:
            if one in _DAYS_OF:
                out.append(_degree_days(view, home, cal, one, way.meter))
                continue
            energy = "energy_import" if one in _OF_IMPORT else "energy_consumption"
            if energy not in loads:
                loads[energy] = load_quarters(view, home.channels, cal.edges_us, energy, way.meter)
            out.append(_of_load(one, loads[energy], home, way.meter))
        return out


def _of_load(measure: str, quarters: LoadQuarters, home: Home, meter: str | None) -> Column:
    contracted_w = (home.household.contracted_power_kva or np.nan) * COS_PHI * MILLI
    value, (total,) = (_MADE[measure](one, contracted_w) for one in (quarters.buckets, quarters.whole))
    return Column(measure, meter, DEFINITIONS[measure].unit, value, *quarters.shares(), float(total))


def _utilisation(loads: BucketLoads, contracted_w: float) -> Float64:
    utilisation: Float64 = loads.peak_w / contracted_w
    return utilisation


def _hours_above(loads: BucketLoads, contracted_w: float) -> Float64:
    hours: Float64 = loads.seconds_above(contracted_w) / S_PER_HOUR
    return np.full(len(hours), np.nan) if np.isnan(contracted_w) else hours


#: What makes each measure of mean powers, and of the contracted power (NaN: none).
_MADE: Final[dict[str, Callable[[BucketLoads, float], Float64]]] = {
    "load_factor": lambda loads, _: loads.load_factor,
    "base_load": lambda loads, _: loads.percentile(BASE_PERCENT),
    "demand_p95": lambda loads, _: loads.percentile(HIGH_PERCENT),
    "contracted_power_utilisation": _utilisation,
    "time_above_contracted_power": _hours_above,
}


def _degree_days(view: ReadView, home: Home, cal: Calendar, measure: str, meter: str | None) -> Column:
    """Degree days over buckets: those of a civil day are spread evenly over its time, so that those of any grouping add
    up. A day of which too little is known has none."""
    unit, buckets = DEFINITIONS[measure].unit, len(cal.edges_us) - 1
    channel = outside_channel(home, meter)
    nothing = np.zeros(buckets)
    if isinstance(channel, str):
        return Column(measure, meter, unit, np.full(buckets, np.nan), nothing, nothing, np.nan)
    edges_us = whole_days(cal)
    first, last = within(channel, edges_us)
    mean_c = np.full(len(edges_us) - 1, np.nan)
    if last > first:
        mean_c[first:last] = day_temperatures(view, channel, edges_us[first : last + 1]).mean_c
    degrees = _DAYS_OF[measure](mean_c)
    known = ~np.isnan(degrees)
    of_day = _spread(np.where(known, degrees, 0.0), edges_us, cal.edges_us)
    covered = _spread(np.where(known, np.diff(edges_us), 0.0), edges_us, cal.edges_us)
    coverage = np.clip(covered / np.diff(cal.edges_us), 0.0, 1.0)
    value: Float64 = np.where(coverage > 0, np.round(of_day, 9), np.nan)
    total = round(float(of_day.sum()), 9) if (coverage > 0).any() else np.nan
    return Column(measure, meter, unit, value, coverage, nothing, total)


def whole_days(cal: Calendar) -> Int64:
    """The edges of the civil days in which a time lies, whole ones, (d+1,)."""
    start_us, end_us = int(cal.edges_us[0]), int(cal.edges_us[-1])
    first_us = calendar(cal.zone, GroupBy.DAILY, start_us, end_us).whole_start_us
    # the last day ends at the first midnight at or after the end
    behind = calendar(cal.zone, GroupBy.DAILY, first_us, end_us + 2 * US_PER_DAY).edges_us[:-1]
    return behind[: int(np.searchsorted(behind, end_us)) + 1]


def _spread(of_day: Float64, days_us: Int64, edges_us: Int64) -> Float64:
    """What of days, (d,), spread evenly over their time, falls between edges, (n+1,)."""
    running = np.concatenate(([0.0], np.cumsum(of_day)))
    at = np.interp(edges_us, days_us, running)
    out: Float64 = np.diff(at)
    return out
