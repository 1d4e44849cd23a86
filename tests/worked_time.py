"""The worked figures of comparisons, records, goals and data quality of docs/statistics.md, made by the kernels."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar, civil_label, parse_moment
from statistics_manager_service.core.earlier import Compare, Earlier, earlier
from statistics_manager_service.core.end_of_period import range_levels, usual
from statistics_manager_service.core.gaps import Gaps
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.records import current, highest, longest, lowest, runs
from statistics_manager_service.services.insight.compared import Comparison
from statistics_manager_service.services.measuring import Column

_S_US = 1_000_000


def _earlier(kind: str, start: str, end: str, group_by: str = "daily") -> Earlier:
    edges = (parse_moment(one, "UTC", "start") for one in (start, end))
    return earlier(Compare(kind), calendar("UTC", GroupBy(group_by), *edges))


def worked_earlier_days(given: dict[str, Any]) -> dict[str, Any]:
    found = _earlier(given["kind"], given["start"], given["end"])
    assert found.before is not None
    begins = [civil_label("UTC", at)[:10] for at in found.before.edges_us.tolist()]
    return {
        "start": begins[0],
        "end": begins[-1],
        "beside": [None if place < 0 else begins[place] for place in found.place.tolist()],
    }


def _column(measure: str, told: list[float | None]) -> Column:
    value = np.array([np.nan if one is None else float(one) for one in told])
    return Column(measure, None, "kWh", value, np.isfinite(value) * 1.0, np.zeros(len(value)), float(np.nansum(value)))


def _matched(measure: str, given: dict[str, Any], divisor: str | None = None) -> dict[str, Any]:
    end = (date(2026, 1, 1) + timedelta(days=len(given["now"]))).isoformat()
    found = _earlier("year", "2026-01-01", end)
    sides = [_column(measure, given[name]) for name in ("before", "now", "before")]
    weights: list[dict[str, Column]] = [{}, {}]
    if divisor is not None:
        weights = [{divisor: _column(divisor, given[f"divisor_{name}"])} for name in ("now", "before")]
    made = Comparison(found, *([one] for one in sides), *weights).matched(0)
    return {
        "total": made.total,
        "total_before": made.total_before,
        "change": made.change,
        "change_share": made.change_share,
        "buckets": made.count,
        "of": made.of,
    }


def worked_matched_energy(given: dict[str, Any]) -> dict[str, Any]:
    return _matched("energy_import", given)


def worked_matched_rate(given: dict[str, Any]) -> dict[str, Any]:
    return _matched("self_sufficiency_rate", given, "energy_consumption")


def worked_records(given: dict[str, Any]) -> dict[str, Any]:
    value = np.array([np.nan if one is None else float(one) for one in given["kwh_of_days"]])
    counts = np.isfinite(value)
    found = runs(counts & (np.nan_to_num(value, nan=np.inf) <= given["at_most"]))
    most, last = longest(found), current(found, counts)
    return {
        "highest_day": highest(value, counts),
        "lowest_day": lowest(value, counts),
        "longest_first_day": None if most is None else most.first,
        "longest_days": None if most is None else most.length,
        "current_days": None if last is None else last.length,
    }


def worked_usual_hour(given: dict[str, Any]) -> dict[str, Any]:
    weeks: Float64 = np.full((56, 24), np.nan)
    weeks[::7, 18] = given["kwh_of_that_hour_in_eight_weeks"]
    return {"usual_kwh": float(usual(weeks, 56)[0, 18])}


def worked_goal_range(given: dict[str, Any]) -> dict[str, Any]:
    low, high = range_levels(given["earlier_days"], given["days_ahead"])
    return {"low_quantile": low, "high_quantile": high}


def worked_gaps(given: dict[str, Any]) -> dict[str, Any]:
    at_us = np.array(given["minute"], np.int64) * 60 * _S_US
    found = Gaps(0, int(at_us[-1]) + 1, given["gap_limit_s"] * _S_US, 10)
    found.add(at_us, at_us, np.ones(len(at_us), np.bool_))
    return {
        "gaps": found.count,
        "longest_s": (found.kept[0].end_us - found.kept[0].start_us) // _S_US,
        "typical_interval_s": found.typical_s,
    }
