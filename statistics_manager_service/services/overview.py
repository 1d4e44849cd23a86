"""The household at a glance: today, this month, this year so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.asking import Asking, Question

_MEASURES = (
    "energy_import",
    "energy_export",
    "energy_production",
    "energy_consumption",
    "energy_self_consumption",
    "self_consumption_rate",
    "self_sufficiency_rate",
    "emissions_import",
)
#: What the net cost is made of: of a day without readings what is fixed counts all the same.
_PARTS = {"cost_import": 1, "cost_fixed": 1, "revenue_export": -1}
_DECIMALS = 9


def summary_of(asking: Asking, household: str) -> dict[str, Any]:
    """{"household", "timezone", "today": {"start", "end", "energy_import": {"value", "unit", "coverage"}, …}, …}.

    Measures of which nothing is known are left out, as is the cost of a time that contracts or prices do not cover, and
    emissions of which a part is not known. Beside emissions stands what intensities they are of.
    Raises NotFound.
    """
    now = datetime.fromtimestamp(asking.now_us() / US_PER_S, UTC)
    zone = asking.timezone_of(household)
    today = now.astimezone(ZoneInfo(zone)).date()
    tomorrow = today + timedelta(days=1)
    starts = {"today": today, "this_month": today.replace(day=1), "this_year": today.replace(month=1, day=1)}
    costs = _costs(asking, household, starts, tomorrow)
    out: dict[str, Any] = {"household": household, "timezone": zone}
    for name, start in starts.items():
        question = Question(",".join(_MEASURES), start.isoformat(), tomorrow.isoformat(), "total")
        answer = asking.statistics(household, question)
        period: dict[str, Any] = {"start": question.start, "end": question.end}
        for column in answer.columns:
            if not np.isnan(column.total) and not column.lacks:
                period[column.measure] = {
                    "value": column.total,
                    "unit": column.unit,
                    "coverage": float(column.coverage[0]),
                    "estimated": float(column.estimated[0]),
                    **column.more,
                }
        out[name] = period | costs[name]
    return out


def _costs(asking: Asking, household: str, starts: Mapping[str, date], end: date) -> dict[str, dict[str, Any]]:
    """The cost from each of some dates up to an end: the days of the longest time, billed once, and added up."""
    question = Question(",".join(_PARTS), min(starts.values()).isoformat(), end.isoformat(), "daily")
    answer = asking.statistics(household, question)
    lengths = np.diff(answer.calendar.edges_us)
    imported = answer.columns[0]
    found: dict[str, dict[str, Any]] = {}
    for name, start in starts.items():
        first = int(np.searchsorted(answer.calendar.edges_us, midnight_us(answer.timezone, start)))
        lacking = any(lack.bucket >= first for one in answer.columns for lack in one.lacks)
        known = all(np.isfinite(one.value[first:]).any() for one in answer.columns)
        if lacking or not known:
            found[name] = {}
            continue
        sums = (
            sign * float(np.nansum(one.value[first:]))
            for one, sign in zip(answer.columns, _PARTS.values(), strict=True)
        )
        share = lengths[first:] / lengths[first:].sum()
        found[name] = {
            "cost_net": {
                "value": round(sum(sums), _DECIMALS),
                "unit": imported.unit,
                "coverage": float(imported.coverage[first:] @ share),
                "estimated": float(imported.estimated[first:] @ share),
            }
        }
    return found
