"""A forecast of what a home consumes, from its own past: a profile by weekday and time of day, newer days first.

Quarters are counted from 1970-01-01 UTC. People live by the wall clock, so quarters are brought together by the zone's
wall time: on a day of 25 hours the repeated hour is forecast twice alike, on one of 23 hours the skipped one is not.

What is forecast is `usual × level, drawn towards the recent, + carry`:

- usual: for each quarter of the day a mean and a median over past days, weighed. The nearer a day and the more its
  weekday is like that of the day wanted, the more it counts. A mean has the least squared error and keeps the day's
  sum, a median the least absolute error.
- level: how much more or less than usual the home took in the last days (heating, guests, nobody there).
- recent: what the last days had at this time of day, as far as differences from the usual have held from one day to
  the next in this home. They do where heating is switched on and off by the season, hardly elsewhere.
- carry: what the home took more or less in the last hours, fading.

The figures below were chosen on half of some real homes and tried on the other half: see the decision note on the
forecaster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

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

#: A day so many days back counts half: in what is usual, in the level, in what is recent, and where it is learnt how
#: far differences hold.
_USUAL_HALF_LIFE_DAYS: Final = 15.0
_LEVEL_HALF_LIFE_DAYS: Final = 2.0
_RECENT_HALF_LIFE_DAYS: Final = 0.5
_LEARNING_HALF_LIFE_DAYS: Final = 15.0
#: The level is drawn towards 1 as if so many usual days had been seen too.
_LEVEL_PRIOR_DAYS: Final = 1.5
#: What a day counts of which only the kind is the same (working day or weekend), and one of the other kind, beside 1
#: for the same weekday: with no history, and once there is enough of it. A few days can't tell weekdays apart.
_SAME_KIND: Final = (0.6, 0.25)
_OTHER_KIND: Final = (0.4, 0.05)
_ENOUGH_QUARTERS: Final = 3 * _DAYS_PER_WEEK * QUARTERS_PER_DAY
#: The median's part of what is usual. Beyond it the error of a day's sum grows, as a median is below the mean.
_MEDIAN_SHARE: Final = 0.3
#: How far differences hold is learnt from so many quarters to each side.
_HOLDING_QUARTERS: Final = 3 * QUARTERS_PER_HOUR
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
    expected, fitted = _expectations(past, np.unique(day))

    last = known[-_CARRY_QUARTERS:]
    error = used[last] - fitted[history_day[last] - past.day[0], history_slot[last]]
    told = np.isfinite(error)
    carry = _CARRY_SHARE * float(error[told].mean()) if told.any() else 0.0
    since = first_quarter - (begin + int(last[-1]) + 1) + np.arange(count)
    out = expected[np.searchsorted(np.unique(day), day), slot]
    out[np.isnan(out)] = float(used[known].mean())
    return np.maximum(out + carry * np.exp(-since / _CARRY_QUARTERS), 0.0)


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

    day: (d,) int64, days since 1970-01-01, one after the other. energy_milliwh: (d, 96) float64, 0 where not known.
    known: (d, 96) float64, 1 or 0.
    """

    day: Int64
    energy_milliwh: Float64
    known: Float64


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
    return _Past(days, total / np.maximum(number, 1), (number > 0).astype(np.float64))


def _expectations(past: _Past, days: Int64) -> tuple[Float64, Float64]:
    """What is expected of days to come, (r, 96) float64, and what would have been of each past day, (d, 96) float64.

    Each from the days before it alone; NaN where none of them tells.
    """
    every = np.concatenate((past.day, days))
    enough = min(float(past.known.sum()) / _ENOUGH_QUARTERS, 1.0)
    same_kind, other_kind = (few + (many - few) * enough for few, many in (_SAME_KIND, _OTHER_KIND))
    weight = _weights(past, every, _USUAL_HALF_LIFE_DAYS, same_kind, other_kind)
    mean, level = _means(past, weight), _levels(past, every)[:, np.newaxis]
    recent = _means(past, _weights(past, every, _RECENT_HALF_LIFE_DAYS))
    behind, ahead = slice(len(past.day)), slice(len(past.day), None)
    holding = _holding(past, (mean * level)[behind], recent[behind])
    fitted = _between(mean[behind] * level[behind], recent[behind], holding)
    # What holds from one day to the next with this share holds for several days with its power.
    distance = np.maximum(days - past.day[-1], 1)[:, np.newaxis]
    usual = (1.0 - _MEDIAN_SHARE) * mean[ahead] + _MEDIAN_SHARE * _medians(past, weight[ahead])
    return _between(usual * level[ahead], recent[ahead], holding**distance), fitted


def _between(usual: Float64, recent: Float64, share: Float64) -> Float64:
    """From the usual towards what was recent, by a share; the usual where nothing recent is known."""
    return usual + share * np.where(np.isnan(recent), 0.0, recent - usual)


def _weights(
    past: _Past, days: Int64, half_life_days: float, same_kind: float = 1.0, other_kind: float = 1.0
) -> Float64:
    """(r, d) float64: what each past day counts for each of some days; those from that day on nothing."""
    age = days[:, np.newaxis] - past.day
    of_days, of_past = ((one + _WEEKDAY_OF_EPOCH) % _DAYS_PER_WEEK for one in (days, past.day))
    is_same_kind = (of_days >= _SATURDAY)[:, np.newaxis] == (of_past >= _SATURDAY)
    alike = np.where(of_days[:, np.newaxis] == of_past, 1.0, np.where(is_same_kind, same_kind, other_kind))
    return np.where(age > 0, alike * 0.5 ** (np.maximum(age, 1) / half_life_days), 0.0)


def _means(past: _Past, weight: Float64) -> Float64:
    """(r, 96) float64 weighted means over the past days, NaN where nothing counts. weight: (r, d)."""
    total = weight @ past.known
    means: Float64 = weight @ past.energy_milliwh / np.where(total > 0, total, np.nan)
    return means


def _medians(past: _Past, weight: Float64) -> Float64:
    """(r, 96) float64 weighted medians: the least energy that half of the weight does not exceed. weight: (r, d)."""
    order = np.argsort(past.energy_milliwh, axis=0)
    known = np.take_along_axis(past.known, order, axis=0)
    column = np.arange(QUARTERS_PER_DAY)
    out = np.empty((len(weight), QUARTERS_PER_DAY))
    for i, of_day in enumerate(weight):
        reached = np.cumsum(of_day[order] * known, axis=0)
        row = np.argmax(reached >= reached[-1] / 2, axis=0)
        out[i] = past.energy_milliwh[order[row, column], column]
    return out


def _levels(past: _Past, days: Int64) -> Float64:
    """(r,) float64: what the home took in the days before, as a ratio to the usual at the quarters that are known."""
    usual = np.nan_to_num(_means(past, _weights(past, days, _USUAL_HALF_LIFE_DAYS)))
    weight = _weights(past, days, _LEVEL_HALF_LIFE_DAYS)
    prior = _LEVEL_PRIOR_DAYS * usual.sum(axis=1)
    expected = ((weight @ past.known) * usual).sum(axis=1) + prior
    taken = (weight @ past.energy_milliwh).sum(axis=1) + prior
    return np.where(expected > 0, np.maximum(taken, 0.0) / np.where(expected > 0, expected, 1.0), 1.0)


def _holding(past: _Past, usual: Float64, recent: Float64) -> Float64:
    """(96,) float64 in 0..1: what share of the difference of recent days from the usual the next day had as well.

    usual, recent: (d, 96), for each past day from the days before it. The share is the one of least squares.
    """
    error, difference = past.energy_milliwh - usual, recent - usual
    told = (past.known > 0) & np.isfinite(error) & np.isfinite(difference)
    weight = np.where(told, 0.5 ** ((past.day[-1] - past.day) / _LEARNING_HALF_LIFE_DAYS)[:, np.newaxis], 0.0)
    error, difference = np.where(told, error, 0.0), np.where(told, difference, 0.0)
    both, square = (_around((weight * one * difference).sum(axis=0)) for one in (error, difference))
    return np.clip(both / np.where(square > 0, square, 1.0), 0.0, 1.0)


def _around(value: Float64) -> Float64:
    """(96,) sums over the quarters around each, round the clock."""
    reach = _HOLDING_QUARTERS
    return np.convolve(np.concatenate((value[-reach:], value, value[:reach])), np.ones(2 * reach + 1), "valid")
