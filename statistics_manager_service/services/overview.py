"""The household at a glance: today, this month, this year so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

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
    "cost_net",
)


def summary_of(asking: Asking, household: str) -> dict[str, Any]:
    """{"household", "timezone", "today": {"start", "end", "energy_import": {"value", "unit", "coverage"}, …}, …}.

    Measures of which nothing is known are left out, as is the cost of a time that contracts or prices do not cover.
    Raises NotFound.
    """
    now = datetime.fromtimestamp(asking.now_us() / US_PER_S, UTC)
    zone = asking.timezone_of(household)
    today = now.astimezone(ZoneInfo(zone)).date()
    tomorrow = today + timedelta(days=1)
    out: dict[str, Any] = {"household": household, "timezone": zone}
    for name, start in (
        ("today", today),
        ("this_month", today.replace(day=1)),
        ("this_year", today.replace(month=1, day=1)),
    ):
        question = Question(",".join(_MEASURES), start.isoformat(), tomorrow.isoformat(), "total")
        answer = asking.statistics(household, question)
        period: dict[str, Any] = {"start": question.start, "end": question.end}
        for column in answer.columns:
            if not np.isnan(column.total):
                period[column.measure] = {
                    "value": column.total,
                    "unit": column.unit,
                    "coverage": float(column.coverage[0]),
                    "estimated": float(column.estimated[0]),
                }
        out[name] = period
    return out
