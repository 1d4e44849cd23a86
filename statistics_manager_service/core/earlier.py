"""The earlier time that a time is compared with, and which of its days and hours stand beside which.

Everything is moved by the wall clock, never by a number of seconds:

- `previous` of a time from some day of a month to the same day (up to the 28th) of a later month, such as whole months,
  quarters and years, is as many months before; of any other, as many civil days before as it has.
- `year` is the same dates a year earlier. By ISO weeks it is 52 weeks (364 days) before: the same weekdays.
- A date that the earlier time does not have (29 February, the 31st, one that a zone left out) stands beside nothing;
  where a time begins or ends on such a date, the earlier one does at the date behind it.
- Days stand side by side however long the clock made them. An hour or a quarter-hour stands beside that of the same
  wall time and length: the second pass of an hour in autumn beside a second pass or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.core.zones import EARLIEST_US, fault, offsets_between


class Compare(StrEnum):
    """With what a time is compared."""

    PREVIOUS = "previous"
    YEAR = "year"


#: Groupings whose buckets are matched themselves; of all others the days in them are.
_MATCHED_AS_THEY_ARE: Final = (GroupBy.DAILY, GroupBy.HOURLY, GroupBy.QUARTERS)
_MONTHS_PER_YEAR: Final = 12
_DAYS_OF_52_WEEKS: Final = 364
#: Every month has a day of this number.
_LAST_OF_ALL_MONTHS: Final = 28


@dataclass(frozen=True, slots=True)
class Shift:
    """How far back: months by date, or days. One of them is 0."""

    months: int = 0
    days: int = 0

    def walls(self, wall_us: Int64) -> tuple[Int64, NDArray[np.bool_]]:
        """(n,) int64 wall times moved back, and (n,) bool whether their dates are there; one that is not is the
        beginning of the month behind it."""
        if not self.months:
            return wall_us - self.days * US_PER_DAY, np.ones(len(wall_us), np.bool_)
        day, clock_us = np.divmod(wall_us, US_PER_DAY)
        dates = day.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        earlier = months - self.months
        moved = earlier.astype("datetime64[D]") + (dates - months.astype("datetime64[D]"))
        there = moved.astype("datetime64[M]") == earlier
        behind = (earlier + 1).astype("datetime64[D]")
        moved_day = np.where(there, moved, behind).astype(np.int64)
        return moved_day * US_PER_DAY + np.where(there, clock_us, 0), there


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """A time and the earlier one that it is compared with.

    start_us, end_us: the earlier time, which is empty where there is none. before: its buckets, None where it is empty.
    place: (n,) int64, which of them stands beside each bucket of the time, -1 where none does. unit: the buckets that
    are matched: those of the time itself, or the days in them. units, units_before: both times in those. pair: (m,)
    int64, which of units_before stands beside each of units, -1 where none does.
    """

    kind: Compare
    start_us: int
    end_us: int
    before: Calendar | None
    place: Int64
    unit: GroupBy
    units: Calendar
    units_before: Calendar | None
    pair: Int64

    @property
    def matches_buckets(self) -> bool:
        """Whether the buckets themselves are matched."""
        return self.pair is self.place


def shift_of(kind: Compare, cal: Calendar) -> Shift:
    """How far back a time is compared."""
    if kind is Compare.YEAR:
        return Shift(days=_DAYS_OF_52_WEEKS) if cal.group_by is GroupBy.WEEKLY else Shift(months=_MONTHS_PER_YEAR)
    start_us, end_us = int(cal.edges_us[0]), int(cal.edges_us[-1])
    first, last = civil_date(cal.zone, start_us), civil_date(cal.zone, end_us)
    are_midnights = midnight_us(cal.zone, first) == start_us and midnight_us(cal.zone, last) == end_us
    months = (last.year - first.year) * _MONTHS_PER_YEAR + last.month - first.month
    if are_midnights and first.day == last.day <= _LAST_OF_ALL_MONTHS and months > 0:
        return Shift(months=months)
    if are_midnights:
        return Shift(days=(last - first).days)
    walls_us = _walls(cal.zone, np.array([start_us, end_us], np.int64))
    return Shift(days=max(-int((walls_us[0] - walls_us[1]) // US_PER_DAY), 1))


def earlier(kind: Compare, cal: Calendar) -> Earlier:
    """The earlier time beside a time divided into buckets. Raises BadInput where it lies before the years served."""
    shift = shift_of(kind, cal)
    start_us, end_us = _moved(shift, cal.zone, cal.edges_us[[0, -1]]).tolist()
    if start_us < EARLIEST_US:
        raise fault("compare", "the earlier time lies before the years that are served")
    as_it_is = cal.group_by in _MATCHED_AS_THEY_ARE
    unit = cal.group_by if as_it_is else GroupBy.DAILY
    units = cal if as_it_is else calendar(cal.zone, unit, int(cal.edges_us[0]), int(cal.edges_us[-1]))
    if end_us <= start_us:
        pair = np.full(len(units.edges_us) - 1, -1, np.int64)
        place = pair if as_it_is else np.full(len(cal.edges_us) - 1, -1, np.int64)
        return Earlier(kind, start_us, start_us, None, place, unit, units, None, pair)
    units_before = calendar(cal.zone, unit, start_us, end_us)
    pair = _pairs(shift, units, units_before)
    if as_it_is:
        return Earlier(kind, start_us, end_us, units_before, pair, unit, units, units_before, pair)
    before, place = _beside(shift, cal)
    return Earlier(kind, start_us, end_us, before, place, unit, units, units_before, pair)


def _walls(zone: str, at_us: Int64) -> Int64:
    """(n,) int64 wall times of instants."""
    return at_us + offsets_between(zone, int(at_us.min()), int(at_us.max())).at(at_us)


def _passes(zone: str, at_us: Int64) -> tuple[Int64, NDArray[np.bool_]]:
    """Wall times of instants, and whether each is the second pass of a repeated one."""
    offsets = offsets_between(zone, int(at_us.min()), int(at_us.max()))
    wall_us = at_us + offsets.at(at_us)
    return wall_us, offsets.existing_instants(wall_us, 0) < at_us


def _moved(shift: Shift, zone: str, at_us: Int64) -> Int64:
    """(n,) int64 instants moved back by the wall clock."""
    wall_us, is_second = _passes(zone, at_us)
    back_us, there = shift.walls(wall_us)
    offsets = offsets_between(zone, int(back_us.min()), int(back_us.max()))
    first_us, second_us = (offsets.existing_instants(back_us, fold) for fold in (0, 1))
    return np.where(is_second & there, second_us, first_us)


def _beside(shift: Shift, cal: Calendar) -> tuple[Calendar, Int64]:
    """The buckets of a calendar moved back as they are, and which of them stands beside each of its buckets."""
    moved_us = np.maximum.accumulate(_moved(shift, cal.zone, cal.edges_us))
    moved_us[1:-1] = (moved_us[1:-1] + QUARTER_US // 2) // QUARTER_US * QUARTER_US
    edges_us, place = np.unique(np.clip(moved_us, moved_us[0], moved_us[-1]), return_inverse=True)
    offset_s = offsets_between(cal.zone, int(edges_us[0]), int(edges_us[-1])).at(edges_us) // US_PER_S
    before = Calendar(cal.zone, cal.group_by, edges_us, offset_s, int(edges_us[0]))
    return before, np.where(place[1:] > place[:-1], place[:-1], -1).astype(np.int64)


def _pairs(shift: Shift, units: Calendar, before: Calendar) -> Int64:
    """(m,) int64: which bucket of the earlier time stands beside each, -1 where none does."""
    wall_us, is_second = _passes(units.zone, units.edges_us[:-1])
    before_wall_us, before_is_second = _passes(before.zone, before.edges_us[:-1])
    back_us, there = shift.walls(wall_us)
    if units.group_by is GroupBy.DAILY:  # a day may begin later than at midnight, and the first one may be cut
        key, before_key = back_us // US_PER_DAY, before_wall_us // US_PER_DAY
    else:
        key, before_key = 2 * back_us + is_second, 2 * before_wall_us + before_is_second
    order = np.argsort(before_key, kind="stable")
    found = order[np.minimum(np.searchsorted(before_key[order], key), len(order) - 1)]
    there &= before_key[found] == key
    if units.group_by is not GroupBy.DAILY:
        there &= np.diff(before.edges_us)[found] == np.diff(units.edges_us)
    return np.where(there, found, -1).astype(np.int64)
