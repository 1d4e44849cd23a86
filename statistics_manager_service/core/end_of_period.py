"""What a measure will come to at a period's end: what is known so far, and what is usual in the hours that are not.

Usual of an hour is the mean of that hour of the same weekday over the last WEEKS weeks, a newer week counting more. Of
days further ahead than FAR_DAYS, where the days of a year before are known, it is what they had, at the level of now:
times what the last weeks had in ratio to the same weeks a year before.

How far off that may be is asked of the home's own past: from each earlier day on the same is worked out for as long a
time, and set beside what came. As neighbouring ones share most of their days, they count as few as there are separate
times among them, and the fewer there are, the nearer the range reaches to the worst of them (as in split conformal
prediction: Lei et al. 2018, JASA 113:1094).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64

WEEKS: Final = 8
#: No day of a running month is further ahead.
FAR_DAYS: Final = 31
#: Days of the last weeks that have to be known before anything is said.
LEAST_DAYS: Final = 7
#: The share of what came that lies in the range, if the time ahead is like the past.
LEVEL: Final = 0.8
#: Earlier days from which the same is worked out, at most and at least.
MOST_TRIALS: Final = 182
LEAST_TRIALS: Final = 14
#: So many times of the length of the one ahead have to lie side by side in them.
LEAST_SEPARATE: Final = 3
_DAYS_PER_WEEK: Final = 7
_USUAL_DAYS: Final = WEEKS * _DAYS_PER_WEEK
_YEAR_DAYS: Final = 364
#: A week so many weeks back counts half.
_HALF_LIFE_WEEKS: Final = 2.0
#: A trial counts where so much of what was expected can be set beside what came.
_TOLD_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Hours:
    """A measure in the hours of civil days, from some day up to the end of the period.

    per_hour: (d, 24) float64, its value for each hour by the wall clock, NaN where that is not known. hours: (d, 24),
    how many hours there are: 0 where the clock skips one, 2 where it repeats one. known: (d, 24), of how many of them
    the value is known. now: the day that is running.
    """

    per_hour: Float64
    hours: Float64
    known: Float64
    now: int

    @property
    def missing(self) -> Float64:
        """(d, 24) hours that are not known."""
        return np.maximum(self.hours - self.known, 0.0)


@dataclass(frozen=True, slots=True)
class Rest:
    """What the hours of a period that are not known are expected to come to.

    low, high: NaN where the past is too short to tell. days: how many they are. trials: how many earlier times the
    range rests on. knows_year: whether the days far ahead are taken from those of a year before.
    """

    expected: float
    low: float
    high: float
    days: float
    trials: int
    knows_year: bool


def usual(per_hour: Float64, day: int) -> Float64:
    """(7, 24) float64: what is usual of an hour, of days of the weekday of `day` and of the six behind it, by the weeks
    before `day`; NaN where nothing of these tells. Of a weekday that tells nothing, what all days have."""
    found: Float64 = _usual_of_all(per_hour[max(day - _USUAL_DAYS, 0) : day], 1)[0]
    return found


def _usual_of_all(per_hour: Float64, count: int) -> Float64:
    """(count, 7, 24): the usual on each of the last so many days, of which the last is the one behind per_hour."""
    lack = max(_USUAL_DAYS + count - 1 - len(per_hour), 0)
    padded = np.concatenate((np.full((lack, per_hour.shape[1]), np.nan), per_hour))[-(_USUAL_DAYS + count - 1) :]
    windows = np.moveaxis(sliding_window_view(padded, _USUAL_DAYS, axis=0), 2, 1)
    weeks = windows.reshape(count, WEEKS, _DAYS_PER_WEEK, -1)
    weight = 0.5 ** (np.arange(WEEKS - 1, -1, -1) / _HALF_LIFE_WEEKS)
    by_weekday = _mean(weeks, weight[None, :, None, None], 1)
    of_all = _mean(weeks, weight[None, :, None, None], (1, 2))[:, None]
    return np.where(np.isnan(by_weekday), of_all, by_weekday)


def _mean(value: Float64, weight: Float64, axis: int | tuple[int, ...]) -> Float64:
    known = np.isfinite(value)
    total = np.where(known, weight, 0.0).sum(axis=axis)
    sums: Float64 = np.where(known, value * weight, 0.0).sum(axis=axis)
    return np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan)


def days_known(one: Hours) -> int:
    """Of the last weeks before now, the days of which all is known."""
    rows = slice(max(one.now - _USUAL_DAYS, 0), one.now)
    return int((np.isfinite(one.per_hour[rows]) | (one.hours[rows] == 0)).all(axis=1).sum())


def expected_hours(one: Hours, weekdays: Float64, day: int, begin: int, end: int) -> tuple[Float64, bool]:
    """(end − begin, 24): what each hour of some days is expected to have for each hour, by what was known on `day`; and
    whether days far ahead are taken from a year before. weekdays: (7, 24), what is usual on that day."""
    ahead = np.arange(begin, end) - day
    found: Float64 = weekdays[ahead % _DAYS_PER_WEEK]
    far = np.flatnonzero(ahead > FAR_DAYS)
    source = far + begin - _YEAR_DAYS
    if not len(far) or source[0] < 0:
        return found, False
    a_year_ago = one.per_hour[source]
    level = _level(one.per_hour, day)
    if math.isnan(level) or not np.isfinite(a_year_ago).mean() >= _TOLD_SHARE:
        return found, False
    found[far] = np.where(np.isfinite(a_year_ago), a_year_ago * level, found[far])
    return found, True


def _level(per_hour: Float64, day: int) -> float:
    """What the last weeks had, in ratio to the same weeks a year before; NaN where that can't be told."""
    if day - _YEAR_DAYS - _USUAL_DAYS < 0:
        return math.nan
    now = per_hour[day - _USUAL_DAYS : day]
    then = per_hour[day - _USUAL_DAYS - _YEAR_DAYS : day - _YEAR_DAYS]
    both = np.isfinite(now) & np.isfinite(then)
    sums = float(now[both].sum()), float(then[both].sum())
    return sums[0] / sums[1] if both.mean() >= _TOLD_SHARE / 2 and min(sums) > 0 else math.nan


def rest_of_period(one: Hours, begin: int) -> Rest:
    """What is to come, and what is not known of the past, of the days from `begin` up to the end of the hours. Of a
    measure that adds up; all NaN where too little is known."""
    missing = one.missing[begin:]
    weekdays = usual(one.per_hour, one.now)
    expectation, knows_year = expected_hours(one, weekdays, one.now, begin, len(one.hours))
    expected = float((np.where(missing > 0, expectation, 0.0) * missing).sum())
    days = float(missing.sum()) / one.hours.shape[1]
    if not days:
        return Rest(0.0, 0.0, 0.0, 0.0, 0, knows_year)
    came, foretold = _trials(one, one.missing[one.now :])
    if len(came) < LEAST_TRIALS or _separate(len(came), days) < LEAST_SEPARATE:
        return Rest(expected, math.nan, math.nan, days, 0, knows_year)
    low, high = _errors(came, foretold, expected, days)
    return Rest(expected, min(low, expected), max(high, expected), days, len(came), knows_year)


def _separate(trials: int, days: float) -> float:
    """How many times of so many days lie side by side in those that trials, each a day later, look at."""
    return (trials - 1) / max(days, 1.0) + 1


def _errors(came: Float64, foretold: Float64, expected: float, days: float) -> tuple[float, float]:
    """The range of what is expected, by what was foretold and what came: in ratio to it where that is above 0."""
    low, high = range_levels(len(came), days)
    if (foretold > 0).all() and expected > 0:
        shares = np.quantile(came / foretold, (low, high))
        return expected * float(shares[0]), expected * float(shares[1])
    differences = np.quantile(came - foretold, (low, high))
    return expected + float(differences[0]), expected + float(differences[1])


def range_levels(trials: int, days: float) -> tuple[float, float]:
    """The quantiles that a range ends at."""
    count = _separate(trials, days)
    high = min((count + 1) / count * (1 + LEVEL) / 2, 1.0)
    return 1.0 - high, high


def _trials(one: Hours, missing: Float64, *, weighed: bool = True) -> tuple[Float64, Float64]:
    """What came and what was foretold of as many hours behind each of the days before, where that can be told.

    missing: (a, 24), the hours of the running day and of those ahead that are not known. weighed: hours of which it can
    be told have to make up most of what was foretold, too, and stand for the others; else the hours count alone.
    """
    ahead = len(missing)
    first = max(one.now - ahead - MOST_TRIALS + 1, LEAST_DAYS)
    days = range(first, one.now - ahead + 1)
    if not days:
        return np.zeros(0), np.zeros(0)
    weekdays = _usual_of_all(one.per_hour[: days[-1]], len(days))
    expectation = weekdays[:, np.arange(ahead) % _DAYS_PER_WEEK]
    if ahead > FAR_DAYS + 1:
        of_days = (expected_hours(one, each, day, day, day + ahead) for day, each in zip(days, weekdays, strict=True))
        expectation = np.array([hours for hours, _ in of_days])
    value = np.moveaxis(sliding_window_view(one.per_hour, ahead, axis=0)[first : days[-1] + 1], 2, 1)
    told: NDArray[np.bool_] = np.isfinite(value) & np.isfinite(expectation)
    wanted = missing * np.nan_to_num(expectation)
    came = (missing * np.where(told, value, 0.0)).sum(axis=(1, 2))
    foretold = np.where(told, wanted, 0.0).sum(axis=(1, 2))
    counts = (told & (missing > 0)).sum(axis=(1, 2)) >= _TOLD_SHARE * (missing > 0).sum()
    if weighed:
        whole, part = np.abs(wanted).sum(axis=(1, 2)), np.where(told, np.abs(wanted), 0.0).sum(axis=(1, 2))
        counts &= part >= _TOLD_SHARE * whole
        scale = np.where(part > 0, whole / np.where(part > 0, part, 1.0), 1.0)
        came, foretold = came * scale, foretold * scale
    return came[counts], foretold[counts]


@dataclass(frozen=True, slots=True)
class RatioRest:
    """What the hours of a period that are not known are expected to add above and below the line of a ratio.

    low, high: how far the ratio of those hours may lie below and above what is expected, NaN where the past is too
    short to tell. days: how many they are. trials: how many earlier times the range rests on.
    """

    above: float
    below: float
    low: float
    high: float
    days: float
    trials: int


def rest_of_ratio(above: Hours, below: Hours, begin: int) -> RatioRest:
    """The same of a ratio of sums; all NaN where too little is known."""
    expected = [rest_of_period(one, begin) for one in (above, below)]
    came, foretold = _ratio_trials(above, below)
    days = expected[1].days
    low = high = math.nan
    if days and len(came) >= LEAST_TRIALS and _separate(len(came), days) >= LEAST_SEPARATE:
        ends = np.quantile(came - foretold, range_levels(len(came), days))
        low, high = min(float(ends[0]), 0.0), max(float(ends[1]), 0.0)
    return RatioRest(expected[0].expected, expected[1].expected, low, high, days, len(came))


def _ratio_trials(above: Hours, below: Hours) -> tuple[Float64, Float64]:
    """What ratio came and what was foretold, of earlier days of which both can be told."""
    missing = below.missing[below.now :]
    told = np.isfinite(above.per_hour) & np.isfinite(below.per_hour)
    sides = [
        _trials(Hours(np.where(told, one.per_hour, np.nan), one.hours, one.known, one.now), missing, weighed=False)
        for one in (above, below)
    ]
    (came_above, foretold_above), (came_below, foretold_below) = sides
    good = (came_below > 0) & (foretold_below > 0)
    return came_above[good] / came_below[good], foretold_above[good] / foretold_below[good]
