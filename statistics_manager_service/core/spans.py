"""How many civil days, months and years of a zone lie between two instants, exactly: parts of them are fractions."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.zones import EPOCH, MICROSECOND, offset_at_us

__all__ = ["Share", "civil_date", "civil_days", "midnight_us", "month_shares", "months_later", "year_shares"]

_MONTHS: Final = 12


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
    is one."""
    if end_us <= start_us:
        return Fraction(0)
    return _day_count(zone, end_us) - _day_count(zone, start_us)


@lru_cache(maxsize=16_384)
def _day_count(zone: str, at_us: int) -> Fraction:
    """Days since 1970-01-01 at an instant, with the share of the day that has passed."""
    day = civil_date(zone, at_us)
    begin_us = midnight_us(zone, day)
    whole = (day - date(1970, 1, 1)).days
    if at_us == begin_us:
        return Fraction(whole)
    return whole + Fraction(at_us - begin_us, midnight_us(zone, day + timedelta(days=1)) - begin_us)


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
    epoch = date(1970, 1, 1)
    while (begin_day := (begin - epoch).days) < stop:
        end = months_later(begin, months)
        end_day = (end - epoch).days
        inside = min(stop, Fraction(end_day)) - max(start, Fraction(begin_day))
        if inside > 0:
            found.append(Share(begin, end, inside / (end_day - begin_day)))
        begin = end
    return found
