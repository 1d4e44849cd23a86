"""The factors behind emissions, for whoever explains a figure: of a time each intensity, the step that told it, and
where it comes from.

`factors_of` tells the intensities of a home's grid and the factor of its own production; `days_behind` the values that
a mean of the days before is made of. What each quarter-hour comes to, in energy and nanograms, is `Emissions.account`
(services/carbon/emissions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from statistics_manager_service.core.carbon import DAYS_USED, LONGEST_US, civil_seconds
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.intensity_steps import LAST_TOLD, NOT_TOLD, step_name, told_on_quarters
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, S_PER_HOUR, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.services.carbon.carbon import time_zone_of
from statistics_manager_service.services.carbon.emission_columns import source_of
from statistics_manager_service.services.carbon.home_carbon import Step
from statistics_manager_service.services.carbon.intensity_columns import AVERAGE, Chosen, GridIntensities
from statistics_manager_service.services.carbon.shipped_factors import OwnProduction
from statistics_manager_service.services.carbon.stored_carbon import own_factors
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.ports import Household, ReadView


@dataclass(frozen=True, slots=True)
class Factor:
    """The intensity of a stretch of quarter-hours.

    mg_per_kwh: None where it is not known. step: by which step of the fall-back it is told. source: of the step, as
    answers have it: source or country, release, licence, basis, boundary, scope.
    """

    start_us: int
    end_us: int
    mg_per_kwh: int | None
    step: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account of a time is made of: the series that counts, the intensities, and of own production."""

    chosen: Chosen
    grid: Sequence[Factor]
    own_production: Sequence[OwnProduction]


def factors_of(
    intensities: GridIntensities, view: ReadView, household: Household, way: Way, start_us: int, end_us: int
) -> Factors:
    """The factors of a household's emissions in start ≤ instant < end, as statistics of just that time have them.
    Stretches of one value by one step are one. Raises BadInput as statistics do."""
    chosen = intensities.chosen(view, intensities.wanted(household, way), start_us, end_us, way.until_us)
    first, end = quarter_of(start_us), quarter_after(end_us)
    told = intensities.told(view, chosen.zone, chosen.series, first, end, way.until_us)
    changes = np.flatnonzero((np.diff(told.mg_per_kwh) != 0) | (np.diff(told.step) != 0)) + 1
    cuts = [0, *changes.tolist(), end - first]
    found = [
        Factor(
            (first + begin) * QUARTER_US,
            (first + stop) * QUARTER_US,
            None if told.step[begin] == NOT_TOLD else int(told.mg_per_kwh[begin]),
            step_name(int(told.step[begin])),
            source_of(Step(AVERAGE, int(told.step[begin])), chosen),
        )
        for begin, stop in pairwise(cuts)
        if stop > begin
    ]
    return Factors(chosen, found, own_factors(chosen, told))


def days_behind(view: ReadView, chosen: Chosen, at_us: int, until_us: int | None = None) -> list[tuple[int, int]]:
    """The quarter-hours (their starts) and intensities in mg/kWh whose mean stands for an instant by the step
    `same_hour_mean`: those that the series tells of the same civil hour of the 28 days before."""
    if chosen.series is None:
        return []
    end = quarter_of(at_us) + 1
    first = end - (DAYS_USED + 2) * QUARTERS_PER_DAY
    rows = view.intensity_columns(chosen.series.series_no, first * QUARTER_US - LONGEST_US, end * QUARTER_US, until_us)
    told = told_on_quarters(first, end - first, *rows)
    starts_us = np.arange(first, end, dtype=np.int64) * QUARTER_US
    offsets = offsets_between(time_zone_of(chosen.zone), int(starts_us[0]), int(starts_us[-1]))
    day, second = civil_seconds(starts_us, offsets.at(starts_us) // US_PER_S)
    hour = second // S_PER_HOUR
    counts = (hour == hour[-1]) & (day < day[-1]) & (day >= day[-1] - DAYS_USED)
    counts &= (told.step != NOT_TOLD) & (told.step <= LAST_TOLD)
    return list(zip(starts_us[counts].tolist(), told.mg_per_kwh[counts].tolist(), strict=True))
