"""Schedules of a tariff at work: the period of each quarter-hour, from the document's windows, seasons and holidays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.schedules import (
    NONE,
    Int8,
    Mask,
    WindowDays,
    is_summer_time,
    period_table,
    wall_quarters,
)
from statistics_manager_service.core.units import QUARTERS_PER_DAY
from statistics_manager_service.tariffs.calendars import (
    HOLIDAY,
    MINUTES_PER_QUARTER,
    WEEKDAYS,
    Calendars,
    Entry,
    HolidaySet,
    Library,
    Schedule,
    Season,
)

_EPOCH: Final = date(1970, 1, 1)
_WEEKDAY_OF_EPOCH: Final = _EPOCH.weekday()
#: Years before and after one, of most of which a holiday of a fixed date is on the same date: not of all, as some
#: countries have none on Sundays; and one that moves comes back to a date now and then.
_YEARS_AROUND: Final = 7


class Clockwork:
    """The schedules of a tariff in its zone. Labels of quarter-hours are kept by UTC year."""

    def __init__(self, calendars: Calendars, zone: str) -> None:
        self._calendars, self._zone = calendars, zone
        self._kept: dict[tuple[str, int], Int8] = {}

    def periods(self, schedule: str) -> tuple[str, ...]:
        """The names of a schedule's periods, in the order in which they stand there."""
        return periods_of(self._calendars.schedules[schedule])

    def labels(self, schedule: str, first_quarter: int, count: int) -> Int8:
        """(count,) int8: which of the schedule's periods each quarter-hour has, by its start; NONE in a hole."""
        if not count:
            return np.zeros(0, np.int8)
        parts = []
        at, end = first_quarter, first_quarter + count
        while at < end:
            year = int(np.datetime64(at * MINUTES_PER_QUARTER, "m").astype("datetime64[Y]").astype(int))
            begin, stop = _year_start(year), _year_start(year + 1)
            parts.append(self._year(schedule, year)[at - begin : min(end, stop) - begin])
            at = stop
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _year(self, schedule: str, year: int) -> Int8:
        """The labels of a UTC year (since 1970)."""
        kept = self._kept.get((schedule, year))
        if kept is None:
            begin, stop = _year_start(year), _year_start(year + 1)
            one = self._calendars.schedules[schedule]
            wall = wall_quarters(self._zone, one.clock or self._calendars.clock_default, begin, stop - begin)
            day, slot = np.divmod(wall, QUARTERS_PER_DAY)
            first = int(day[0])
            table, _ = self.table(schedule, first, int(day[-1]) - first + 1)
            kept = self._kept[schedule, year] = table[day - first, slot]
        return kept

    def table(self, schedule: str, first_day: int, days: int) -> tuple[Int8, Int8]:
        """The periods of days by the clock, (d, 96), and how many windows claim each quarter-hour; see period_table.

        Each day has the windows that are in force on it, also those that begin on its eve."""
        one = self._calendars.schedules[schedule]
        periods = periods_of(one)
        parts = []
        for entries, first, last in _dated(one, first_day, first_day + days):
            with_eve = np.arange(first - 1, last, dtype=np.int64)
            windows = [
                WindowDays(
                    periods.index(entry.period), *quarters_of(entry), self._days_on(one, entry, with_eve), entry.is_rest
                )
                for entry in entries
            ]
            parts.append(period_table(windows, last - first))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([table for table, _ in parts]), np.concatenate([claims for _, claims in parts])

    def _days_on(self, schedule: Schedule, entry: Entry, days: Int64) -> Mask:
        """Whether a window begins on each of some days."""
        on = np.ones(len(days), np.bool_)
        if entry.days is not None:
            kind = (days + _WEEKDAY_OF_EPOCH) % len(WEEKDAYS)
            if schedule.holidays is not None:
                kind[holidays_among(self._calendars.holidays[schedule.holidays], days)] = len(WEEKDAYS)
            names = (*WEEKDAYS, HOLIDAY)
            on &= np.isin(kind, [names.index(one) for one in entry.days])
        if entry.months is not None:
            on &= np.isin(_month(days), entry.months)
        if entry.season is not None:
            some = [season_days(self._calendars.season[name], self._zone, days) for name in entry.season]
            on &= np.logical_or.reduce(some)
        return on


def periods_of(schedule: Schedule) -> tuple[str, ...]:
    """The names of a schedule's periods, in the order in which they stand there."""
    entries = schedule.entries or [entry for part in schedule.dated or [] for entry in part.entries]
    return tuple(dict.fromkeys(entry.period for entry in entries))


def quarters_of(entry: Entry) -> tuple[int, int]:
    """The quarter-hours since midnight at which a window begins and ends, beyond 96 on the next day."""
    begin = (entry.begin or 0) // MINUTES_PER_QUARTER
    end = QUARTERS_PER_DAY if entry.end is None else entry.end // MINUTES_PER_QUARTER
    return begin, end if end > begin else end + QUARTERS_PER_DAY


def season_days(season: Season, zone: str, days: Int64) -> Mask:
    """Whether civil days (since 1970-01-01) are of a season."""
    on = np.ones(len(days), np.bool_)
    if season.dst is not None:
        on &= is_summer_time(zone, days) == season.dst
    if season.months is not None:
        on &= np.isin(_month(days), season.months)
    if season.dates is not None:
        day_of_year = _month(days) * 100 + _day_of_month(days)
        inside = np.zeros(len(days), np.bool_)
        for one in season.dates:
            begin, end = (int(text[:2]) * 100 + int(text[3:]) for text in (one.begin, one.end))
            if begin < end:
                inside |= (day_of_year >= begin) & (day_of_year < end)
            else:
                inside |= (day_of_year >= begin) | (day_of_year < end)
        on &= inside
    return on


def holidays_among(some: HolidaySet, days: Int64) -> Mask:
    """Whether civil days (since 1970-01-01) are holidays of a set."""
    on = np.zeros(len(days), np.bool_)
    if not len(days):
        return on
    if some.every_year:
        wanted = [int(text[:2]) * 100 + int(text[3:]) for text in some.every_year]
        on |= np.isin(_month(days) * 100 + _day_of_month(days), wanted)
    dates = list(some.listed)
    if some.of is not None:
        first, last = (_EPOCH + timedelta(days=int(one)) for one in (days[0], days[-1]))
        for year in range(first.year, last.year + 1):
            dates += _library_days(some.of.model_dump_json(), year)
    return on | np.isin(days, [(one - _EPOCH).days for one in dates])


@lru_cache(maxsize=512)
def _library_days(library: str, year: int) -> list[date]:
    from holidays import country_holidays  # here, as few tariffs need it and it takes long to load

    told = Library.model_validate_json(library)
    names: Any = country_holidays(told.country, subdiv=told.subdivision, years=year, language="en_US")
    days = [day for day, name in names.items() if not any(one in name for one in told.exclude)]
    if told.only_fixed_dates:
        around = range(year - _YEARS_AROUND, year + _YEARS_AROUND + 1)
        others: Any = country_holidays(told.country, subdiv=told.subdivision, years=around, language="en_US")
        often = Counter((day.month, day.day) for day in others)
        days = [day for day in days if 2 * often[day.month, day.day] > len(around)]
    return days


def _dated(schedule: Schedule, first: int, last: int) -> list[tuple[Sequence[Entry], int, int]]:
    """The windows of a schedule over days, and from which day until which they are in force: together, all of them."""
    if schedule.entries is not None:
        return [(schedule.entries, first, last)]
    parts = schedule.dated or []
    begins = [(one.begin - _EPOCH).days for one in parts]
    stops = [*begins[1:], last]
    found: list[tuple[Sequence[Entry], int, int]] = []
    if begins[0] > first:  # before the schedule begins, no window holds
        found.append(((), first, min(begins[0], last)))
    for one, begin, stop in zip(parts, begins, stops, strict=True):
        if max(begin, first) < min(stop, last):
            found.append((one.entries, max(begin, first), min(stop, last)))
    return found


def _month(days: Int64) -> Int64:
    month: Int64 = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    return month


def _day_of_month(days: Int64) -> Int64:
    dates = days.astype("datetime64[D]")
    day: Int64 = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    return day


def _year_start(year: int) -> int:
    """The quarter-hour at which a UTC year (since 1970) begins."""
    return int(np.datetime64(year, "Y").astype("datetime64[m]").astype(np.int64)) // MINUTES_PER_QUARTER


__all__ = ["NONE", "Clockwork", "holidays_among", "periods_of", "quarters_of", "season_days"]
