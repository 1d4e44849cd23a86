"""The load of a home, or of a part of it: peak, load factor, base load, percentiles, duration curve, average days.

All of it is of mean powers over quarter-hours, and of those that were measured throughout. An estimated one is a mean
over a gap: it hides the peaks and the lows of the gap, so it counts for none of these figures.

Sources: load factor IEC 60050-691 (mean / maximum of the same period and interval); peak demand OBIS 1.6.0 of IEC
62056-6-1; quantiles by Hyndman & Fan 1996, The American Statistician 50:361, type 7. There is no standard of the base
load: here it is the 5th percentile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from statistics_manager_service.core.day_times import DayTimes
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_S, QUARTERS_PER_DAY, QUARTERS_PER_HOUR, S_PER_HOUR

#: The percentiles that are told.
PERCENTS: Final = (5, 10, 25, 50, 75, 90, 95, 99)
#: The percentile that is the base load; and the high one that is a measure of its own.
BASE_PERCENT, HIGH_PERCENT = 5, 95
QUANTILE_METHOD: Final = "linear between the order statistics: Hyndman & Fan 1996, type 7"
#: The other base load is the median from 02:00 to 05:00 of the clock.
NIGHT: Final = range(2 * QUARTERS_PER_HOUR, 5 * QUARTERS_PER_HOUR)
#: Shares of the contracted power above which the time is told.
UTILISATIONS: Final = (0.8, 0.9, 1.0)
#: kWh of a quarter-hour in W.
W_PER_KWH_OF_A_QUARTER: Final = 1000 * S_PER_HOUR // QUARTER_S


@dataclass(frozen=True, eq=False)
class BucketLoads:
    """The powers of quarter-hours in n buckets; every figure is (n,) float64, NaN where none of a bucket counts.

    power_w: (m,) float64, NaN where it does not count. place: (n+1,) int64, where each bucket begins among them.
    """

    power_w: Float64
    place: Int64

    @cached_property
    def _rising(self) -> Float64:
        """The powers of each bucket, least first, those that do not count behind them."""
        rising = self.power_w.copy()
        for first, last in pairwise(self.place.tolist()):
            if last - first > 1:
                rising[first:last].sort()
        return rising

    @cached_property
    def _size(self) -> Int64:
        """How many count of each bucket."""
        running = np.zeros(len(self.power_w) + 1, np.int64)
        np.cumsum(~np.isnan(self.power_w), out=running[1:])
        size: Int64 = np.diff(running[self.place])
        return size

    def percentile(self, percent: float) -> Float64:
        """A percentile by type 7 of Hyndman & Fan."""
        last = np.maximum(self._size - 1, 0)
        rank = last * (percent / 100)
        low = np.floor(rank).astype(np.int64)
        # an empty bucket may begin behind the last power
        most = max(len(self.power_w) - 1, 0)
        rising = self._rising if len(self.power_w) else np.full(1, np.nan)
        lower, upper = (rising[np.minimum(self.place[:-1] + at, most)] for at in (low, np.minimum(low + 1, last)))
        return np.where(self._size > 0, lower + (upper - lower) * (rank - low), np.nan)

    @property
    def peak_w(self) -> Float64:
        """The greatest power."""
        return self.percentile(100)

    @property
    def mean_w(self) -> Float64:
        """The mean."""
        return self._summed(np.nan_to_num(self.power_w)) / np.where(self._size > 0, self._size, np.nan)

    @property
    def load_factor(self) -> Float64:
        """mean / peak of the same quarter-hours, in 0..1; NaN, too, where none is above 0 or the mean is below 0."""
        peak_w, mean_w = self.peak_w, self.mean_w
        defined = (peak_w > 0) & (mean_w >= 0)
        return np.where(defined, np.minimum(mean_w / np.where(defined, peak_w, 1.0), 1.0), np.nan)

    def seconds_above(self, limit_w: float) -> Float64:
        """The seconds of the quarter-hours whose power is above a limit."""
        above = self._summed((self.power_w > limit_w).astype(np.float64))
        return np.where(self._size > 0, above * QUARTER_S, np.nan)

    def _summed(self, column: Float64) -> Float64:
        """The sum of each bucket, by itself: a running total of all would lose digits."""
        out = np.zeros(len(self.place) - 1)
        filled = np.flatnonzero(np.diff(self.place) > 0)
        if len(filled):
            out[filled] = np.add.reduceat(column[: self.place[-1]], self.place[filled])
        return out


def greatest_places(power_w: Float64, most: int) -> list[int]:
    """The places of the greatest powers, greatest first, of equal ones the earlier first. power_w: (m,), NaN where it
    does not count."""
    known = np.flatnonzero(~np.isnan(power_w))
    order = known[np.argsort(-power_w[known], kind="stable")]
    places: list[int] = order[:most].tolist()
    return places


@dataclass(frozen=True, slots=True, eq=False)
class DurationCurve:
    """For shares of the time, (p,) from 0 to 1, the power that is reached or exceeded in at least that share, (p,)."""

    share: Float64
    power_w: Float64


def duration_curve(power_w: Float64, points: int) -> DurationCurve:
    """The load-duration curve: the powers sorted, greatest first, none of them interpolated. At share 0 it is the
    peak, at 1 the least.

    power_w: (m,) float64, NaN where it does not count. points: at least 2.
    """
    share = np.arange(points) / (points - 1)
    falling = np.sort(power_w[~np.isnan(power_w)])[::-1]
    if not len(falling):
        return DurationCurve(share, np.full(points, np.nan))
    # in integers, so that a share such as 0.29 of 100 quarter-hours is 29 of them and not 30
    rank = -(np.arange(points) * len(falling) // -(points - 1))
    return DurationCurve(share, falling[np.maximum(rank - 1, 0)])


@dataclass(frozen=True, slots=True, eq=False)
class AverageDay:
    """The mean power at each quarter-hour of the clock, (96,) W, NaN where none counts; of how many quarter-hours each
    is the mean, (96,); of how many days any counts."""

    power_w: Float64
    quarters: Int64
    days: int


def average_day(power_w: Float64, times: DayTimes, of_weekends: bool) -> AverageDay:
    """The profile of an average weekday, or day of the weekend.

    By the time on the clock: what the clock skips in spring is one quarter-hour less in the mean of that time, and both
    passes of what it repeats in autumn count. power_w: (m,), NaN where it does not count.
    """
    counts = (times.is_weekend == of_weekends) & ~np.isnan(power_w)
    slot = times.slot[counts]
    size = np.bincount(slot, minlength=QUARTERS_PER_DAY)
    total = np.bincount(slot, power_w[counts], QUARTERS_PER_DAY)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Float64 = total / size
    return AverageDay(mean, size.astype(np.int64), len(np.unique(times.day[counts])))


def night_median(power_w: Float64, times: DayTimes) -> float:
    """The median power from 02:00 to 05:00 of the clock, NaN where none counts."""
    counts = np.isin(times.slot, NIGHT) & ~np.isnan(power_w)
    return float(np.median(power_w[counts])) if counts.any() else float("nan")
