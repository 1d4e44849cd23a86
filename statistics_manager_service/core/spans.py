"""How many civil days, months and years of a zone lie between two instants, exactly: parts of them are fractions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.core.zones import EPOCH, MICROSECOND, offset_at_us, offsets_between

__all__ = [
    "Share",
    "civil_date",
    "civil_days",
    "intervals",
    "midnight_us",
    "month_shares",
    "months_later",
    "year_shares",
]

_MONTHS: Final = 12
_FIRST_DAY: Final = date(1970, 1, 1)


class Share(NamedTuple):
    """A civil month or year that a time touches: when it begins, and what share of it lies in the time, by days."""

    begin: date
    end: date
    share: Fraction


@lru_cache(maxsize=16_384)
def civil_date(zone: str, at_us: int) -> date:
    """The date at an instant in a zone."""
    return (EPOCH + MICROSECOND * (at_us + offset_at_us(ZoneInfo(zone), at_us))).date()


@lru_cache(maxsize=16_384)
def midnight_us(zone: str, day: date) -> int:
    """The instant at which a date begins in a zone."""
    return instant_us(zone, day)


def months_later(day: date, months: int) -> date:
    """The first of the month that lies some months after (or before) a date's."""
    year, month = divmod(day.year * _MONTHS + day.month - 1 + months, _MONTHS)
    return date(year, month + 1, 1)


def civil_days(zone: str, start_us: int, end_us: int) -> Fraction:
    """Civil days from start to end; of a day that is cut, its share by elapsed time. Of days of 23, 24 or 25 hours each
    is one; a date that a zone left out (Apia, 2011-12-30) is none."""
    if end_us <= start_us:
        return Fraction(0)
    return _days_between(zone, _day_count(zone, start_us), _day_count(zone, end_us))


@lru_cache(maxsize=16_384)
def _day_count(zone: str, at_us: int) -> Fraction:
    """Dates since 1970-01-01 at an instant, with the share of the day that has passed."""
    day = civil_date(zone, at_us)
    begin_us = midnight_us(zone, day)
    whole = (day - _FIRST_DAY).days
    if at_us == begin_us:
        return Fraction(whole)
    return whole + Fraction(at_us - begin_us, midnight_us(zone, day + timedelta(days=1)) - begin_us)


def _days_between(zone: str, start: Fraction, stop: Fraction) -> Fraction:
    """Days from one count of dates to another, without the dates that the zone left out."""
    years = range((_FIRST_DAY + timedelta(int(start))).year, (_FIRST_DAY + timedelta(int(stop))).year + 1)
    return stop - start - sum(start <= one < stop for year in years for one in _left_out(zone, year))


@lru_cache(maxsize=4_096)
def _left_out(zone: str, year: int) -> tuple[int, ...]:
    """The dates (days since 1970-01-01) of a year that a zone left out, as its clock went forward by a day."""
    begin_us, end_us = ((datetime(one, 1, 1) - EPOCH) // MICROSECOND for one in (year, year + 1))
    offsets = offsets_between(zone, begin_us, end_us)
    found = []
    for place in np.flatnonzero(np.diff(offsets.offset_us) >= US_PER_DAY).tolist():
        wall_us = int(offsets.change_us[place] + offsets.offset_us[place])  # at which the clock jumped
        if begin_us <= wall_us < end_us:
            found.append(-(-wall_us // US_PER_DAY))
    return tuple(found)


def month_shares(zone: str, start_us: int, end_us: int) -> list[Share]:
    """The civil months that a time touches."""
    return _shares(zone, start_us, end_us, 1)


def year_shares(zone: str, start_us: int, end_us: int) -> list[Share]:
    """The civil years that a time touches."""
    return _shares(zone, start_us, end_us, _MONTHS)


def _shares(zone: str, start_us: int, end_us: int, months: int) -> list[Share]:
    if end_us <= start_us:
        return []
    first = civil_date(zone, start_us)
    begin = date(first.year, first.month if months == 1 else 1, 1)
    start, stop = _day_count(zone, start_us), _day_count(zone, end_us)
    found = []
    while (begin_day := Fraction((begin - _FIRST_DAY).days)) < stop:
        end = months_later(begin, months)
        end_day = Fraction((end - _FIRST_DAY).days)
        inside = _days_between(zone, max(start, begin_day), min(stop, end_day))
        if inside > 0:
            found.append(Share(begin, end, inside / _days_between(zone, begin_day, end_day)))
        begin = end
    return found


def intervals(zone: str, starts_us: Int64, length_us: int) -> Int64:
    """(g,) int64: which pieces of time, (m,) by when they begin, are the first of an interval by the zone's clock.

    Hours begin as the clock strikes: in Kathmandu (UTC+05:45) at a quarter past those of UTC.
    """
    shift_us = offsets_between(zone, int(starts_us[0]), int(starts_us[-1])).at(starts_us) % length_us
    key = (starts_us + shift_us) // length_us
    begins = np.diff(key, prepend=key[0] - 1) != 0
    begins[1:] |= np.diff(shift_us) != 0
    return np.flatnonzero(begins)
