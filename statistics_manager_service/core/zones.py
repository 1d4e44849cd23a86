"""The UTC offsets of the IANA zones over the years, as arrays: what civil.py computes with."""

from __future__ import annotations

import difflib
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_DAY, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200
EPOCH: Final = datetime(1970, 1, 1)
MICROSECOND: Final = timedelta(microseconds=1)
#: Ranges may begin and end here: the years above, plus room for offsets and for a range rounded up to whole buckets.
EARLIEST_US: Final = (datetime(FIRST_YEAR, 1, 1) - EPOCH) // MICROSECOND - 2 * US_PER_DAY
LATEST_US: Final = (datetime(LAST_YEAR + 2, 1, 1) - EPOCH) // MICROSECOND

#: Longer texts are no moment, and are cut where an error shows them.
LONGEST_MOMENT: Final = 40
_LONGEST_ZONE: Final = 64
#: Shorter than the time between any two changes of a zone since 1970 (the least is seven days).
_PROBE_S: Final = 3 * S_PER_DAY


def fault(where: str, why: str) -> BadInput:
    """An error with a single fault."""
    return BadInput.of([Fault(where, why)])


def shown(text: str) -> str:
    """Text of a client as it may stand in a sentence: cut, and without control characters."""
    return ascii(text if len(text) <= LONGEST_MOMENT else text[:LONGEST_MOMENT] + "...")


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def check_zone(zone: str) -> None:
    """Raise BadInput unless `zone` is an IANA name such as Europe/Lisbon: it is looked up, never opened as a path."""
    names = _zone_names()
    if zone in names:
        return
    near: list[str] = []
    if len(zone) <= _LONGEST_ZONE:
        near = [name for name in names if name.casefold() == zone.casefold()] or difflib.get_close_matches(
            zone, names, 1
        )
    right = near[0] if near else "Europe/Lisbon"
    raise fault("timezone", f"{shown(zone)} is no IANA time zone; one would be {right}")


@dataclass(frozen=True, slots=True, eq=False)
class Offsets:
    """The UTC offsets of a zone over some years.

    change_us: (m,) int64, instants at which the offset changes.
    offset_us: (m+1,) int64, the offsets before, between and after them.
    first_pass_us, second_pass_us: (m,) int64, wall times from which the later offset holds, as the label of a repeated
        hour is taken for the first or the second pass.
    """

    change_us: Int64
    offset_us: Int64
    first_pass_us: Int64
    second_pass_us: Int64

    def at(self, at_us: Int64) -> Int64:
        """(n,) int64 UTC offset in microseconds at instants."""
        return self.offset_us[np.searchsorted(self.change_us, at_us, side="right")]

    def instants(self, wall_us: Int64, fold: int) -> Int64:
        """(n,) int64 instants of wall times (microseconds since 1970 by the wall clock); skipped ones move forward."""
        passes_us = self.second_pass_us if fold else self.first_pass_us
        return wall_us - self.offset_us[np.searchsorted(passes_us, wall_us, side="right")]

    def existing_instants(self, wall_us: Int64, fold: int) -> Int64:
        """As `instants`, but a skipped wall time is the instant at which the clock jumps."""
        forward_us = self.instants(wall_us, 0)
        segment = np.searchsorted(self.first_pass_us, wall_us, side="right")
        segment_end_us = np.append(self.change_us, np.iinfo(np.int64).max)[segment]
        # A first pass lies inside its segment; only a skipped wall time, moved forward, comes to lie behind its end.
        skipped = forward_us >= segment_end_us
        return np.where(skipped, segment_end_us, self.instants(wall_us, fold))


def offset_at_us(tz: zoneinfo.ZoneInfo, at_us: int) -> int:
    """The UTC offset in microseconds of a zone at an instant."""
    utc = EPOCH + timedelta(microseconds=at_us)
    return (tz.fromutc(utc.replace(tzinfo=tz)).replace(tzinfo=None) - utc) // MICROSECOND


@lru_cache(maxsize=8_192)
def _changes_in_year(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """The offset as a UTC year begins, then each change after that until the next year begins: (at_us, offset_us).

    zoneinfo does not tell its transitions: the offset is probed every few days, and a change then found to the second.
    """
    tz = zoneinfo.ZoneInfo(zone)
    begin_s, end_s = ((datetime(one, 1, 1) - EPOCH) // timedelta(seconds=1) for one in (year, year + 1))
    offset_us = offset_at_us(tz, begin_s * US_PER_S)
    found = [(begin_s * US_PER_S, offset_us)]
    for low_s in range(begin_s, end_s, _PROBE_S):
        high_s = min(low_s + _PROBE_S, end_s)
        after_us = offset_at_us(tz, high_s * US_PER_S)
        if after_us == offset_us:
            continue
        while high_s - low_s > 1:
            middle_s = (low_s + high_s) // 2
            if offset_at_us(tz, middle_s * US_PER_S) == offset_us:
                low_s = middle_s
            else:
                high_s = middle_s
        found.append((high_s * US_PER_S, after_us))
        offset_us = after_us
    return tuple(found)


@lru_cache(maxsize=512)
def _offsets_of_years(zone: str, first_year: int, last_year: int) -> Offsets:
    years = [_changes_in_year(zone, year) for year in range(first_year, last_year + 1)]
    changes = [change for year in years for change in year[1:]]
    change_us = np.array([at_us for at_us, _ in changes], np.int64)
    offset_us = np.array([years[0][0][1], *(offset for _, offset in changes)], np.int64)
    before, after = offset_us[:-1], offset_us[1:]
    return Offsets(change_us, offset_us, change_us + np.maximum(before, after), change_us + np.minimum(before, after))


def offsets_between(zone: str, first_us: int, last_us: int) -> Offsets:
    """The offsets of a zone from two days before `first_us` to two days after `last_us` (instants or wall times).

    Raises BadInput for an unknown zone.
    """
    check_zone(zone)
    # Two days, since wall time and UTC are up to a day apart. Outside the years served, the nearest offset is taken.
    first, last = (
        (EPOCH + timedelta(microseconds=min(max(at_us, EARLIEST_US), LATEST_US))).year
        for at_us in (first_us - 2 * US_PER_DAY, last_us + 2 * US_PER_DAY)
    )
    return _offsets_of_years(zone, first, last)
