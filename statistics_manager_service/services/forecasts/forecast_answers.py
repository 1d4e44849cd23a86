"""What is asked of forecasts: their energy in civil buckets, and how good they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from statistics_manager_service.core.accuracy import Accuracy, HorizonAccuracy, accuracy, accuracy_by_horizon
from statistics_manager_service.core.forecasting import DAYS_USED, same_slot_yesterday
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.asking import Question, Statistics, parsed
from statistics_manager_service.services.forecasts.forecasting import (
    MEASURE,
    Stored,
    forecast_between,
    measured_quarters,
)
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.measuring import Column, Measurer
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.totals import Totals

#: The name of a forecast of a measure in answers.
FORECAST: Final = f"{MEASURE}_forecast"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which forecasts count: issued until an instant (None: ever), of one source (None: of all)."""

    until_us: int | None = None
    source: str | None = None


def forecast_statistics(store: Store, household: str, question: Question, choice: Choice) -> Statistics:
    """The forecast energy in civil buckets beside the measured one, as columns; `coverage` is the share of a bucket's
    time that is forecast. Raises NotFound, BadInput."""
    with store.reading() as view:
        owner = known_household(view, household)
        _, cal = parsed(replace(question, measures=MEASURE), owner.timezone, owner.billing)
        real = Measurer(Totals(view, cal.edges_us), view.channels(owner.household_no)).column(MEASURE, None)
        energy, share = forecast_between(view, owner.household_no, cal.edges_us, choice.until_us, choice.source)
    total = float(np.nansum(energy)) / MILLIWH_PER_KWH if np.isfinite(energy).any() else np.nan
    forecast = Column(FORECAST, None, "kWh", energy / MILLIWH_PER_KWH, share, np.zeros(len(energy)), total)
    columns = [forecast, real]
    return Statistics(household, cal.zone, question.group_by, question.start, question.end, cal, columns)


@dataclass(frozen=True, slots=True)
class Judged:
    """How good a household's forecasts of a range were: overall, and by how far ahead they were issued."""

    overall: Accuracy
    by_horizon: Sequence[HorizonAccuracy]


def judge(store: Store, household: str, start_us: int, end_us: int, choice: Choice) -> Judged:
    """Set forecasts beside what was measured, each issue for itself. What was issued after its quarter's begin does not
    count, nor does a quarter that is not measured as a whole. Persistence is the same quarter, by the household's
    clock, of the day before. Raises NotFound."""
    first, last = quarter_after(start_us), quarter_of(end_us)
    with store.reading() as view:
        owner = known_household(view, household)
        stored = Stored.of(view, owner.household_no, (start_us, end_us), choice.until_us, choice.source)
        begin = first - DAYS_USED * QUARTERS_PER_DAY
        actual = measured_quarters(view, owner, begin, max(last - begin, 1), with_estimated=False)
    quarter = stored.first_quarter + stored.place[:, None] * QUARTERS_PER_DAY + np.arange(QUARTERS_PER_DAY)
    issued_us = np.array([row.issued_us for row in stored.rows], np.int64)[:, None] + 0 * quarter
    counts = (quarter >= first) & (quarter < last) & (quarter * QUARTER_US >= issued_us)
    target, issued, told = quarter[counts], issued_us[counts], stored.energy_milliwh[counts]
    measured, persistence = actual[target - begin], same_slot_yesterday(begin, actual, owner.timezone)[target - begin]
    training = actual[: first - begin]
    return Judged(
        accuracy(told, measured, persistence, training),
        accuracy_by_horizon(issued, target, told, measured, persistence, training),
    )
