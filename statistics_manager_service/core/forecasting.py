"""A forecast of what a home consumes, from its own past: a profile by weekday and time of day, newer days first.

Quarters are counted from 1970-01-01 UTC. People live by the wall clock, so quarters are brought together by the zone's
wall time: on a day of 25 hours the repeated hour is forecast twice alike, on one of 23 hours the skipped one is not.

What is forecast is `profile × level + carry`:

- profile: for each quarter of the day a mean and a median over past days, weighed. The nearer a day and the more its
  weekday is like that of the day wanted, the more it counts. A mean has the least squared error and keeps the day's
  sum, a median the least absolute error.
- level: how much more or less than usual the home took in the last days (heating, guests, nobody there).
- carry: what it took more or less in the last hours, fading.

The figures below were chosen on half of some real homes and confirmed on the other half: the decision note of
2026-11-25 tells both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, QUARTERS_PER_HOUR, US_PER_DAY
from statistics_manager_service.core.zones import EPOCH, offsets_between

#: Days before the first forecast quarter that are looked at; older ones would hardly count.
DAYS_USED: Final = 70
#: The least history of which anything is said: as many known quarters as a day has.
LEAST_KNOWN: Final = QUARTERS_PER_DAY

_DAYS_PER_WEEK: Final = 7
_SATURDAY: Final = 5
_WEEKDAY_OF_EPOCH: Final = EPOCH.weekday()

#: A day so many days back counts half in the profile, and in the level.
_PROFILE_HALF_LIFE_DAYS: Final = 15.0
_LEVEL_HALF_LIFE_DAYS: Final = 2.0
#: The level is drawn towards 1 as if so many usual days had been seen too.
_LEVEL_PRIOR_DAYS: Final = 1.5
#: What a day counts of which only the kind is the same (working day or weekend), and one of the other kind, beside 1
#: for the same weekday: with no history, and once there is enough of it. A few days can't tell weekdays apart.
_SAME_KIND: Final = (0.6, 0.25)
_OTHER_KIND: Final = (0.4, 0.05)
_ENOUGH_QUARTERS: Final = 3 * _DAYS_PER_WEEK * QUARTERS_PER_DAY
#: The median's part of the profile. Beyond it the error of a day's sum grows, as a median is below the mean.
_MEDIAN_SHARE: Final = 0.3
#: How much of the last quarters' error is carried on, taken over how many quarters and fading as fast.
_CARRY_SHARE: Final = 0.5
_CARRY_QUARTERS: Final = 3 * QUARTERS_PER_HOUR // 2


def forecast(
    history_first_quarter: int, history_milliwh: Float64, first_quarter: int, count: int, zone: str
) -> Float64:
    """The energy that a home will consume in each quarter-hour.

    history_first_quarter: the quarter of the history's first value.
    history_milliwh: (n,) float64, mWh in each quarter from there on, NaN where unknown. It ends where the forecast is
        issued; values at or after `first_quarter` are not looked at.
    first_quarter, count: the quarters that are forecast; there may be a hole between the history and them.
    zone: the IANA zone by whose wall clock the home lives.

    Returns (count,) float64, mWh, never negative; all NaN where fewer than LEAST_KNOWN quarters of the DAYS_USED days
    before `first_quarter` are known. Raises BadInput for an unknown zone.
    """
    day, slot = _wall_days(first_quarter, count, zone)
    begin = max(history_first_quarter, first_quarter - DAYS_USED * QUARTERS_PER_DAY)
    used = history_milliwh[begin - history_first_quarter : max(first_quarter - history_first_quarter, 0)]
    known = np.flatnonzero(np.isfinite(used))
    if len(known) < LEAST_KNOWN:
        return np.full(count, np.nan)
    history_day, history_slot = _wall_days(begin, len(used), zone)
    past = _past(history_day[known], history_slot[known], used[known])
    level = _level(past)

    last = known[-_CARRY_QUARTERS:]
    error = used[last] - level * _profiles(past, history_day[last], history_slot[last])
    told = np.isfinite(error)
    carry = _CARRY_SHARE * float(error[told].mean()) if told.any() else 0.0
    since = first_quarter - (begin + int(last[-1]) + 1) + np.arange(count)

    usual = _profiles(past, day, slot)
    usual[np.isnan(usual)] = float(used[known].mean())
    return np.maximum(usual * level + carry * np.exp(-since / _CARRY_QUARTERS), 0.0)


def same_slot_yesterday(first_quarter: int, energy_milliwh: Float64, zone: str) -> Float64:
    """What persistence says: for each quarter the value at the same wall time of the civil day before.

    energy_milliwh: (n,) float64 from `first_quarter` on, NaN where unknown. Returns (n,) float64, NaN where the day
    before lies outside. A wall time that was skipped yesterday is taken from as much later as the clock jumped.
    """
    if not len(energy_milliwh):
        return np.empty(0)
    at_us = (first_quarter + np.arange(len(energy_milliwh), dtype=np.int64)) * QUARTER_US
    offsets = offsets_between(zone, int(at_us[0]), int(at_us[-1]))
    row = offsets.instants(at_us + offsets.at(at_us) - US_PER_DAY, 0) // QUARTER_US - first_quarter
    inside = (row >= 0) & (row < len(energy_milliwh))
    return np.where(inside, energy_milliwh[np.where(inside, row, 0)], np.nan)


@dataclass(frozen=True, slots=True)
class _Past:
    """Known energies of civil days, by the quarter of the day.

    day: (d,) int64, days since 1970-01-01, whole range. energy_milliwh: (d, 96) float64, 0 where not known.
    known: (d, 96) bool. order: (d, 96) int64, the rows of each column from the least energy to the greatest.
    """

    day: Int64
    energy_milliwh: Float64
    known: NDArray[np.bool_]
    order: Int64


def _wall_days(first_quarter: int, count: int, zone: str) -> tuple[Int64, Int64]:
    """The civil day (since 1970-01-01) and the quarter of that day by the wall clock, (count,) int64 each."""
    at_us = (first_quarter + np.arange(count, dtype=np.int64)) * QUARTER_US
    offsets = offsets_between(zone, first_quarter * QUARTER_US, (first_quarter + count) * QUARTER_US)
    return np.divmod((at_us + offsets.at(at_us)) // QUARTER_US, QUARTERS_PER_DAY)


def _past(day: Int64, slot: Int64, energy_milliwh: Float64) -> _Past:
    """Known quarters, at least one, by day; of an hour that the clock repeats, the mean of both passes."""
    days = np.arange(day.min(), day.max() + 1)
    cell = (day - days[0]) * QUARTERS_PER_DAY + slot
    size = len(days) * QUARTERS_PER_DAY
    number = np.bincount(cell, minlength=size).reshape(-1, QUARTERS_PER_DAY)
    total = np.bincount(cell, energy_milliwh, minlength=size).reshape(-1, QUARTERS_PER_DAY)
    mean = total / np.maximum(number, 1)
    return _Past(days, mean, number > 0, np.argsort(mean, axis=0))


def _weights(past: _Past, day: int) -> Float64:
    """(d,) float64: what each past day counts for a day; those from that day on nothing."""
    age = day - past.day
    enough = min(np.count_nonzero(past.known) / _ENOUGH_QUARTERS, 1.0)
    same_kind, other_kind = (few + (many - few) * enough for few, many in (_SAME_KIND, _OTHER_KIND))
    weekday = (past.day + _WEEKDAY_OF_EPOCH) % _DAYS_PER_WEEK
    wanted = (day + _WEEKDAY_OF_EPOCH) % _DAYS_PER_WEEK
    kind = np.where((weekday >= _SATURDAY) == (wanted >= _SATURDAY), same_kind, other_kind)
    alike = np.where(weekday == wanted, 1.0, kind)
    return np.where(age > 0, alike * 0.5 ** (np.maximum(age, 0) / _PROFILE_HALF_LIFE_DAYS), 0.0)


def _profiles(past: _Past, day: Int64, slot: Int64) -> Float64:
    """(n,) float64: what is usual in each quarter of the day on these days, NaN where no day before tells."""
    out = np.empty(len(day))
    for one in np.unique(day).tolist():
        weight = _weights(past, one)
        usual = (1.0 - _MEDIAN_SHARE) * _mean(past, weight) + _MEDIAN_SHARE * _median(past, weight)
        is_it = day == one
        out[is_it] = usual[slot[is_it]]
    return out


def _mean(past: _Past, weight: Float64) -> Float64:
    """(96,) float64 weighted mean over the days, NaN where nothing counts."""
    total = weight @ past.known
    mean: Float64 = weight @ past.energy_milliwh / np.where(total > 0, total, np.nan)
    return mean


def _median(past: _Past, weight: Float64) -> Float64:
    """(96,) float64 weighted median over the days: the least energy that half of the weight does not exceed."""
    sorted_known = np.take_along_axis(past.known, past.order, axis=0)
    reached = np.cumsum(weight[past.order] * sorted_known, axis=0)
    row = np.argmax(reached >= reached[-1] / 2, axis=0)
    column = np.arange(QUARTERS_PER_DAY)
    median: Float64 = past.energy_milliwh[past.order[row, column], column]
    return median


def _level(past: _Past) -> float:
    """How much the home took in the last days for each unit that is usual at the hours that are known."""
    age = past.day[-1] - past.day
    usual = np.nan_to_num(_mean(past, 0.5 ** (age / _PROFILE_HALF_LIFE_DAYS)))
    weight = 0.5 ** (age / _LEVEL_HALF_LIFE_DAYS)
    prior = _LEVEL_PRIOR_DAYS * float(usual.sum())
    expected = float((weight @ past.known) @ usual) + prior
    taken = float((weight @ past.energy_milliwh).sum()) + prior
    return max(taken / expected, 0.0) if expected > 0 else 1.0
