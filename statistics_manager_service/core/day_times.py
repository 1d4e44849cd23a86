"""Which civil day and which time of it pieces of time begin at: the rows and columns of a day-by-time picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_S, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, US_PER_S

#: 1970-01-01 was a Thursday; Monday is 0.
_WEEKDAY_OF_EPOCH: Final = 3
_DAYS_PER_WEEK: Final = 7
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class DayTimes:
    """Where n pieces of time begin on the clock.

    day: (n,) int64, civil days since 1970-01-01. slot: (n,) int64, the time of day in steps from midnight. again: (n,)
    bool, whether the clock has shown that time of that day before: the second pass of a repeated hour.
    """

    day: Int64
    slot: Int64
    again: NDArray[np.bool_]

    @property
    def is_weekend(self) -> NDArray[np.bool_]:
        """(n,) whether the day is a Saturday or a Sunday; holidays are not told apart."""
        weekend: NDArray[np.bool_] = (self.day + _WEEKDAY_OF_EPOCH) % _DAYS_PER_WEEK >= _SATURDAY
        return weekend


def day_times(start_us: Int64, offset_s: Int64, step_s: int = QUARTER_S) -> DayTimes:
    """Civil day and time of day of pieces of time.

    start_us: (n,) int64, increasing. offset_s: (n,) int64, the zone's UTC offset at each. step_s: of the time of day,
    a divisor of a day; a time within a step is that step's.
    """
    day, rest_s = np.divmod(start_us // US_PER_S + offset_s, S_PER_DAY)
    slot = rest_s // step_s
    cell = day * (S_PER_DAY // step_s) + slot
    again = np.ones(len(cell), np.bool_)
    again[np.unique(cell, return_index=True)[1]] = False
    return DayTimes(day, slot, again)


def clock_labels(step_s: int = QUARTER_S) -> list[str]:
    """The times of day in steps from midnight: 00:00, 00:15, …"""
    minutes = range(0, S_PER_DAY // S_PER_MINUTE, step_s // S_PER_MINUTE)
    per_hour = S_PER_HOUR // S_PER_MINUTE
    return [f"{minute // per_hour:02d}:{minute % per_hour:02d}" for minute in minutes]


def date_labels(day: Int64) -> list[str]:
    """Civil days since 1970-01-01 as dates."""
    return [str(one) for one in day.astype("datetime64[D]").tolist()]
