"""Time-of-use schedules: which period each quarter-hour has, from windows of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.core.zones import offsets_between

Int8 = NDArray[np.int8]
Mask = NDArray[np.bool_]

#: Of a quarter-hour that no window holds.
NONE: Final = -1


@dataclass(frozen=True, slots=True)
class WindowDays:
    """A window of a schedule and the days on which it begins.

    period: which of the schedule's periods. begin, end: quarter-hours since midnight by the clock, begin < end; beyond
    96 on the next day. on: (d+1,) bool, whether it begins on each of d days, and before them on the day before the
    first. is_rest: it holds where no other does.
    """

    period: int
    begin: int
    end: int
    on: Mask
    is_rest: bool = False


def period_table(windows: Sequence[WindowDays], days: int) -> tuple[Int8, Int8]:
    """The period of each quarter-hour of each day by the clock, (d, 96) int8, NONE in a hole; and how many windows that
    are no rest claim it, (d, 96) int8, 2 where there are more. The first window of the list wins."""
    table = np.full((days, QUARTERS_PER_DAY), NONE, np.int8)
    claims = np.zeros((days, QUARTERS_PER_DAY), np.int8)
    for one in windows:
        if one.is_rest:
            continue
        holds = np.zeros((days, QUARTERS_PER_DAY), np.bool_)
        holds[one.on[1:], one.begin : min(one.end, QUARTERS_PER_DAY)] = True
        if one.end > QUARTERS_PER_DAY:
            holds[one.on[:-1], : one.end - QUARTERS_PER_DAY] = True
        claims = np.minimum(claims + holds, 2)
        table[holds & (table == NONE)] = one.period
    for one in windows:
        if one.is_rest:
            table[table == NONE] = one.period
    return table, claims


def wall_quarters(zone: str, clock: str, first_quarter: int, count: int) -> Int64:
    """(count,) int64: the quarter-hour since 1970-01-01 00:00 by a clock, in which quarter-hours of time begin.

    clock: `civil` (the zone's), `utc`, `standard` (the zone's, without summer time).
    """
    quarters = first_quarter + np.arange(count, dtype=np.int64)
    if clock == "utc":
        return quarters
    at_us = quarters * QUARTER_US
    if clock == "standard":
        return (at_us + standard_offset_us(zone, int(at_us[0]), int(at_us[-1]))) // QUARTER_US
    return wall_us(zone, at_us) // QUARTER_US


def wall_us(zone: str, at_us: Int64) -> Int64:
    """(n,) int64: instants as microseconds since 1970-01-01 00:00 by a zone's clock."""
    return at_us + offsets_between(zone, int(at_us[0]), int(at_us[-1])).at(at_us)


def standard_offset_us(zone: str, first_us: int, last_us: int) -> int:
    """The UTC offset of a zone without summer time, as it is at the end of a time: the least of the year around it."""
    year_us = 366 * US_PER_DAY
    offsets = offsets_between(zone, max(first_us, last_us - year_us), last_us)
    return int(offsets.at(np.arange(last_us - year_us, last_us + 1, 7 * US_PER_DAY, dtype=np.int64)).min())


def is_summer_time(zone: str, days: Int64) -> Mask:
    """Whether summer time is in force at noon of civil days (since 1970-01-01), (d,) bool."""
    if not len(days):
        return np.zeros(0, np.bool_)
    noon_us = days * US_PER_DAY + US_PER_DAY // 2
    offsets = offsets_between(zone, int(noon_us[0]), int(noon_us[-1]))
    offset_us = offsets.at(offsets.instants(noon_us, 0))
    year = noon_us.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64)
    summer = np.zeros(len(days), np.bool_)
    for one in np.unique(year).tolist():
        last_us = int(np.datetime64(f"{one + 1971}-01-01", "us").astype(np.int64))
        mine = year == one
        summer[mine] = offset_us[mine] > standard_offset_us(zone, last_us, last_us)
    return summer
