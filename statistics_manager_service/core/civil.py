"""Civil time: the one module that knows zones. It turns civil periods into ranges of instants.

Buckets run from local midnight to local midnight, from whole local hour to whole local hour; where the clock changes, a
day has 23 or 25 hours (23.5 or 24.5 on Lord Howe Island). All edges come from the zone's offset changes, found through
`zoneinfo`: nothing adds 24 hours to get tomorrow, and nothing is grouped by formatted local time.

Rules for what the clock makes odd:

- A wall time that is skipped in spring is the instant at which the clock jumps. So a day whose midnight does not exist
  begins at its first instant, and a date that does not exist (Apia, 2011-12-30) has no bucket.
- A wall time that is repeated in autumn is its first pass, unless `fold` says the second.
- Hours: a bucket begins at each whole local hour and at each change of the clock. The repeated hour is two buckets;
  where the clock moves by half an hour, the odd half hour is a bucket of its own (Lord Howe: 24 and 25 buckets).
- Inner edges lie on UTC quarter-hours. The few that would not (Monrovia before 1972, Kiritimati before 1979, changes of
  the clock at 00:01) are rounded to the nearest one.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.labels import bucket_rows, iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import (
    QUARTER_US,
    S_PER_DAY,
    S_PER_HOUR,
    S_PER_MINUTE,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_S,
)
from statistics_manager_service.core.zones import (
    EARLIEST_US,
    EPOCH,
    FIRST_YEAR,
    LAST_YEAR,
    LATEST_US,
    LONGEST_MOMENT,
    MICROSECOND,
    check_zone,
    fault,
    offset_at_us,
    offsets_between,
    shown,
)

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "MAX_BUCKETS",
    "Calendar",
    "GroupBy",
    "bucket_json",
    "calendar",
    "check_zone",
    "civil_label",
    "instant_us",
    "local_instants_us",
    "parse_moment",
]

MAX_BUCKETS: Final = 200_000

#: Calendars and labels of more buckets are built anew each time, so that the caches stay at some tens of megabytes.
_MAX_CACHED_BUCKETS: Final = 4_000
_WEEKDAY_OF_EPOCH: Final = EPOCH.weekday()
_DAYS_PER_WEEK: Final = 7


class GroupBy(StrEnum):
    """How a range is divided. WINDOWS are of seven civil days, from the midnight of the start (FlexiHome's weekly)."""

    QUARTERS = "15_mins"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    BILLING = "billing"
    TOTAL = "total"
    WINDOWS = "seven_day_windows"


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: compared by identity, as arrays have no hash
class Calendar:
    """A range divided into buckets. The arrays are read-only.

    edges_us: (n+1,) int64, strictly increasing, microseconds UTC. The first is the range's start, the last its end: the
        outer buckets are cut to the range.
    offset_s: (n+1,) int64, the zone's UTC offset in seconds at each edge.
    whole_start_us: where the first bucket would begin if the range did not cut it.
    """

    zone: str
    group_by: GroupBy
    edges_us: Int64
    offset_s: Int64
    whole_start_us: int


def calendar(
    zone: str,
    group_by: GroupBy,
    start_us: int,
    end_us: int,
    *,
    week_start: int = 0,
    billing_day: int = 1,
    billing_dates: tuple[date, ...] = (),
) -> Calendar:
    """Divide the range from start_us up to end_us into civil buckets of a zone. Cached where there are few buckets.

    week_start: 0 Monday … 6 Sunday. billing_day: 1 … 31, beyond a month's end its last day.
    billing_dates: on which billing cycles begin, in place of billing_day. What lies before the first is one bucket, as
        is what lies after the last.

    Raises BadInput for an unknown zone, an empty range, one outside the years served, or one of too many buckets.
    """
    check_zone(zone)
    _check_range(start_us, end_us)
    if not 0 <= week_start < _DAYS_PER_WEEK:
        raise fault("week_start", "it must be 0 (Monday) to 6 (Sunday)")
    if not 1 <= billing_day <= 31:  # the longest month
        raise fault("billing_day", "it must be 1 to 31")
    shortest_us = {GroupBy.QUARTERS: QUARTER_US, GroupBy.HOURLY: US_PER_HOUR}.get(group_by, US_PER_DAY)
    most_buckets = -((start_us - end_us) // shortest_us)
    if most_buckets > MAX_BUCKETS:
        why = f"{most_buckets} buckets are more than {MAX_BUCKETS}; ask for a shorter range or longer buckets"
        raise fault("group_by", why)
    build = _cached_calendar if most_buckets <= _MAX_CACHED_BUCKETS else _calendar
    return build(zone, group_by, start_us, end_us, week_start, billing_day, billing_dates)


def _check_range(start_us: int, end_us: int) -> None:
    if end_us <= start_us:
        raise fault("end", "it must be after start")
    if start_us < EARLIEST_US or end_us > LATEST_US:
        raise fault(
            "start" if start_us < EARLIEST_US else "end", f"it is outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )


def _calendar(
    zone: str,
    group_by: GroupBy,
    start_us: int,
    end_us: int,
    week_start: int,
    billing_day: int,
    billing_dates: tuple[date, ...],
) -> Calendar:
    if group_by is GroupBy.QUARTERS:
        grid_us = np.arange(start_us // QUARTER_US * QUARTER_US, end_us, QUARTER_US, dtype=np.int64)
    else:
        if group_by is GroupBy.HOURLY:
            exact_us = _hour_edges_us(zone, start_us, end_us)
        else:
            tz = zoneinfo.ZoneInfo(zone)
            first, last = ((at_us + offset_at_us(tz, at_us)) // US_PER_DAY for at_us in (start_us, end_us))
            exact_us = _midnights_us(
                zone, _bucket_days(group_by, first, last, week_start, billing_day, billing_dates), end_us
            )
        grid_us = np.sort((exact_us + QUARTER_US // 2) // QUARTER_US * QUARTER_US)
        grid_us = grid_us[np.diff(grid_us, prepend=-1) != 0]  # np.unique hashes, which takes several times as long
    inner, stop = np.searchsorted(grid_us, start_us, side="right"), np.searchsorted(grid_us, end_us, side="left")
    edges_us = np.concatenate(([start_us], grid_us[inner:stop], [end_us]))
    offset_s = offsets_between(zone, start_us, end_us).at(edges_us) // US_PER_S
    edges_us.flags.writeable = offset_s.flags.writeable = False
    return Calendar(zone, group_by, edges_us, offset_s, int(grid_us[inner - 1]) if inner else start_us)


_cached_calendar = lru_cache(maxsize=512)(_calendar)


def _hour_edges_us(zone: str, start_us: int, end_us: int) -> Int64:
    """Whole local hours and changes of the clock, unsorted, from the last one at or before the start until the end."""
    offsets = offsets_between(zone, start_us, end_us)
    first, last = np.searchsorted(offsets.change_us, (start_us, end_us), side="right")
    earliest_us = start_us - US_PER_HOUR
    changes_us = offsets.change_us[max(first - 1, 0) : last]
    bounds_us = [earliest_us, *offsets.change_us[first:last].tolist(), end_us]
    parts = [changes_us[changes_us > earliest_us]]
    for offset_us, begin_us, stop_us in zip(
        offsets.offset_us[first : last + 1].tolist(), bounds_us[:-1], bounds_us[1:], strict=True
    ):
        whole_us = -((begin_us + offset_us) // -US_PER_HOUR) * US_PER_HOUR - offset_us
        parts.append(np.arange(whole_us, stop_us, US_PER_HOUR, dtype=np.int64))
    return np.concatenate(parts)


def _midnights_us(zone: str, day: Int64, end_us: int) -> Int64:
    """(n,) int64 instants at which days (since 1970-01-01, sorted) begin in a zone."""
    if not len(day):
        return day
    wall_us = day * US_PER_DAY
    return offsets_between(zone, int(wall_us[0]), end_us).existing_instants(wall_us, 0)


def _bucket_days(
    group_by: GroupBy, first: int, last: int, week_start: int, billing_day: int, billing_dates: tuple[date, ...]
) -> Int64:
    """Local dates, as days since 1970-01-01, on which buckets begin: the last before a range, and those in it."""
    if group_by is GroupBy.DAILY:
        return np.arange(first - 1, last + 1, dtype=np.int64)
    if group_by is GroupBy.WINDOWS:
        return np.arange(first, last + 1, _DAYS_PER_WEEK, dtype=np.int64)
    if group_by is GroupBy.WEEKLY:
        since_week_start = (first - 1 + _WEEKDAY_OF_EPOCH - week_start) % _DAYS_PER_WEEK
        return np.arange(first - 1 - since_week_start, last + 1, _DAYS_PER_WEEK, dtype=np.int64)
    if group_by is GroupBy.TOTAL:
        return np.empty(0, np.int64)
    if group_by is GroupBy.BILLING and billing_dates:
        listed = np.unique(np.array(billing_dates, "datetime64[D]")).astype(np.int64)
        return listed[
            max(int(np.searchsorted(listed, first - 1, side="right")) - 1, 0) : np.searchsorted(listed, last + 1)
        ]
    unit = "Y" if group_by is GroupBy.YEARLY else "M"
    outer = np.array([first - 1, last], "datetime64[D]").astype(f"datetime64[{unit}]").astype(np.int64)
    begin = np.arange(outer[0] - 1, outer[1] + 2).astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64)
    if group_by is GroupBy.BILLING:
        return begin[:-1] + np.minimum(billing_day, np.diff(begin)) - 1
    return begin


def bucket_json(cal: Calendar) -> bytes:
    """The buckets as a JSON array of {"start", "end"} in local time with the offset at each edge."""
    build = _cached_bucket_json if len(cal.edges_us) <= _MAX_CACHED_BUCKETS else _bucket_json
    return build(cal)


def _bucket_json(cal: Calendar) -> bytes:
    return b"[" + bucket_rows(cal.edges_us, cal.offset_s).tobytes()[:-1] + b"]"  # without the last comma


_cached_bucket_json = lru_cache(maxsize=64)(_bucket_json)


@lru_cache(maxsize=4_096)
def civil_label(zone: str, at_us: int) -> str:
    """An instant as a date-time of a zone, with its offset."""
    offset_s = offset_at_us(zoneinfo.ZoneInfo(zone), at_us) // US_PER_S
    return iso_labels(np.array([at_us], np.int64), np.array([offset_s], np.int64))[0]


def instant_us(zone: str, wall: date | datetime, fold: int = 0) -> int:
    """The instant (microseconds UTC) of a naive wall-clock time of a zone, or of the beginning of a date.

    A wall time that the clock skips is the instant at which it jumps; of a repeated one `fold` chooses the pass.
    """
    if not isinstance(wall, datetime):
        wall = datetime(wall.year, wall.month, wall.day)
    wall_us = (wall - EPOCH) // MICROSECOND  # a wall time with an offset is a programming error: TypeError
    return int(offsets_between(zone, wall_us, wall_us).existing_instants(np.array([wall_us], np.int64), fold)[0])


_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_LOST_PLUS: Final = re.compile(r"[\d-]{10}[Tt ][\d:.]{5,18} \d\d:?\d\d", re.ASCII)


@lru_cache(maxsize=1024)
def parse_moment(text: str, zone: str, where: str) -> int:
    """The instant (microseconds UTC) of 'YYYY-MM-DD', the beginning of that date in `zone`, or of an ISO date-time.

    A date-time without offset is wall time of `zone`. Decimals of a second beyond the sixth are cut off.

    Raises BadInput, naming `where`, for anything else and for years outside 1970 to 2200.
    """
    match = _MOMENT.fullmatch(text) if len(text) <= LONGEST_MOMENT else None
    if match is None:
        hint = ""
        if len(text) <= LONGEST_MOMENT and _LOST_PLUS.fullmatch(text):
            hint = " (the + of an offset is written %2B in a URL)"
        raise fault(
            where, f"{shown(text)} is no date such as 2024-03-31 or date-time such as 2024-03-31T00:00:00Z{hint}"
        )
    day, clock, second, decimals, offset = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{clock or '00:00'}:{second or '00'}")
        offset_us = None if offset is None else _offset_from_text(offset)
    except ValueError as error:
        raise fault(where, f"{shown(text)} is no moment of the calendar: {error}") from None
    if not FIRST_YEAR <= wall.year <= LAST_YEAR:
        raise fault(where, f"{shown(text)} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    wall = wall.replace(microsecond=int((decimals or "0")[:6].ljust(6, "0")))
    return instant_us(zone, wall) if offset_us is None else (wall - EPOCH) // MICROSECOND - offset_us


def _offset_from_text(offset: str) -> int:
    """The UTC offset in microseconds of 'Z', '+01', '+0100' or '+01:00'. Raises ValueError."""
    if offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours * S_PER_HOUR >= S_PER_DAY or minutes * S_PER_MINUTE >= S_PER_HOUR:
        raise ValueError("the offset must be less than a day, its minutes less than 60")
    seconds = hours * S_PER_HOUR + minutes * S_PER_MINUTE
    return (-seconds if offset[0] == "-" else seconds) * US_PER_S


def local_instants_us(
    zone: str, wall: NDArray[np.datetime64], single_repeat: Literal["first", "second"] = "first"
) -> Int64:
    """The instants of a column of clock labels that have no offset.

    wall: (n,) datetime64, in the order of the file; none missing (NaT raises BadInput).
    single_repeat: the pass that a label of the repeated autumn hour means where it stands only once in the column.

    A label of that hour that stands twice is the first pass, then the second, however the rows between are ordered (of
    more than two, the earlier half is the first pass). A column that runs newest first is read from its end. A label
    that the clock skips in spring is moved forward by the jump.

    Returns (n,) int64, microseconds UTC, in the order of the file.
    """
    if not len(wall):
        return np.empty(0, np.int64)
    if np.isnat(wall).any():
        raise fault("time", "a label is missing or is no date-time")
    wall_us = wall.astype("datetime64[us]").astype(np.int64)
    offsets = offsets_between(zone, int(wall_us.min()), int(wall_us.max()))
    first_us, second_us = offsets.instants(wall_us, 0), offsets.instants(wall_us, 1)
    repeated = np.flatnonzero(first_us < second_us)
    if not len(repeated):
        return first_us
    steps = np.diff(wall_us)
    falling, rising = np.count_nonzero(steps < 0), np.count_nonzero(steps > 0)
    if falling > 4 * rising:  # newest first; a repeated hour makes one step the other way
        repeated = repeated[::-1]
    is_second = _second_passes(wall_us[repeated], single_repeat == "second")
    instants_us = first_us
    instants_us[repeated[is_second]] = second_us[repeated[is_second]]
    return instants_us


def _second_passes(label_us: Int64, single_is_second: bool) -> NDArray[np.bool_]:
    """(n,) bool: whether each label, of repeated hours, in order of time, is of the second pass."""
    _, group, size = np.unique(label_us, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(label_us), np.int64)
    rank[order] = np.arange(len(label_us)) - np.repeat(np.cumsum(size) - size, size)
    return np.where(size[group] == 1, single_is_second, 2 * rank >= size[group])
