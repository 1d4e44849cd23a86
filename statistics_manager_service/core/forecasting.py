"""A forecast of what a home consumes, from its own past: a profile by weekday and time of day, newer days first.

Quarters are counted from 1970-01-01 UTC. People live by the wall clock, so quarters are brought together by the zone's
wall time: on a day of 25 hours the repeated hour is forecast twice alike, on one of 23 hours the skipped one is not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.core.zones import offsets_between

#: Days of history that are looked at; older ones would hardly count.
DAYS_USED: Final = 70
#: The least history of which anything is said: as many known quarters as a day has.
LEAST_KNOWN: Final = QUARTERS_PER_DAY

_DAYS_PER_WEEK: Final = 7
#: After so many days a day counts half.
_HALF_LIFE_DAYS: Final = 10.0
#: What a day counts whose weekday is another one than the day's that is forecast.
_OTHER_WEEKDAY: Final = 0.5


def forecast(
    history_first_quarter: int, history_milliwh: Float64, first_quarter: int, count: int, zone: str
) -> Float64:
    """The energy that a home will consume in each quarter-hour.

    history_first_quarter: the quarter of the history's first value.
    history_milliwh: (n,) float64, mWh in each quarter from there on, NaN where unknown. It ends where the forecast is
        issued; values at or after `first_quarter` are not looked at.
    first_quarter, count: the quarters that are forecast; there may be a hole between the history and them.
    zone: the IANA zone by whose wall clock the home lives.

    Returns (count,) float64, mWh, never negative; all NaN where fewer than LEAST_KNOWN quarters of the last DAYS_USED
    days are known. Raises BadInput for an unknown zone.
    """
    day, slot = _wall_days(first_quarter, count, zone)
    history = history_milliwh[: max(first_quarter - history_first_quarter, 0)][-DAYS_USED * QUARTERS_PER_DAY :]
    start = min(history_first_quarter + len(history_milliwh), first_quarter) - len(history)
    if np.count_nonzero(np.isfinite(history)) < LEAST_KNOWN:
        return np.full(count, np.nan)
    first_day, matrix = _by_day(start, history, zone)
    out = np.empty(count)
    for one in np.unique(day).tolist():
        age = one - (first_day + np.arange(len(matrix)))
        weight = np.where(age % _DAYS_PER_WEEK == 0, 1.0, _OTHER_WEEKDAY) * 0.5 ** (age / _HALF_LIFE_DAYS)
        known = np.isfinite(matrix)
        total = weight @ known
        profile = weight @ np.where(known, matrix, 0.0) / np.where(total > 0, total, 1.0)
        profile[total == 0] = np.nanmean(matrix)
        of_day = day == one
        out[of_day] = profile[slot[of_day]]
    return np.maximum(out, 0.0)


def same_slot_yesterday(first_quarter: int, energy_milliwh: Float64, zone: str) -> Float64:
    """What persistence says: for each quarter the value at the same wall time of the civil day before.

    energy_milliwh: (n,) float64 from `first_quarter` on, NaN where unknown. Returns (n,) float64, NaN where the day
    before lies outside. A wall time that was skipped yesterday is taken from as much later as the clock jumped.
    """
    at_us = (first_quarter + np.arange(len(energy_milliwh), dtype=np.int64)) * QUARTER_US
    if not len(at_us):
        return np.empty(0)
    offsets = offsets_between(zone, int(at_us[0]), int(at_us[-1]))
    wall_us = at_us + offsets.at(at_us) - QUARTERS_PER_DAY * QUARTER_US
    row = offsets.instants(wall_us, 0) // QUARTER_US - first_quarter
    return np.where(row >= 0, energy_milliwh[np.maximum(row, 0)], np.nan)


def _wall_days(first_quarter: int, count: int, zone: str) -> tuple[Int64, Int64]:
    """The civil day (since 1970-01-01) and the quarter of that day by the wall clock, (count,) int64 each."""
    at_us = (first_quarter + np.arange(count, dtype=np.int64)) * QUARTER_US
    offsets = offsets_between(zone, first_quarter * QUARTER_US, (first_quarter + count) * QUARTER_US)
    return np.divmod((at_us + offsets.at(at_us)) // QUARTER_US, QUARTERS_PER_DAY)


def _by_day(first_quarter: int, energy_milliwh: Float64, zone: str) -> tuple[int, Float64]:
    """The first civil day and a (days, 96) float64 matrix by wall time, NaN where nothing is known.

    Of an hour that the clock repeats, the mean of both passes.
    """
    day, slot = _wall_days(first_quarter, len(energy_milliwh), zone)
    first_day = int(day[0])
    cell = (day - first_day) * QUARTERS_PER_DAY + slot
    known = np.isfinite(energy_milliwh)
    size = int(day[-1] - first_day + 1) * QUARTERS_PER_DAY
    number = np.bincount(cell[known], minlength=size)
    total = np.bincount(cell[known], energy_milliwh[known], minlength=size)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return first_day, mean.reshape(-1, QUARTERS_PER_DAY)
