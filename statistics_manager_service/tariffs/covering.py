"""Calendars of a tariff document: seasons, holidays and schedules that exist, and that cover each day exactly once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.units import QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.tariffs.calendars import (
    HOLIDAY,
    MINUTES_PER_DAY,
    MINUTES_PER_QUARTER,
    WEEKDAYS,
    Calendars,
    Entry,
    Library,
    Listed,
    Schedule,
)
from statistics_manager_service.tariffs.clockwork import NONE, Clockwork, periods_of
from statistics_manager_service.tariffs.document import Tariff

_EPOCH: Final = date(1970, 1, 1)
#: Days that are looked at for holes: more than a year, so that each holiday, season and change of the clock is there.
_DAYS_LOOKED_AT: Final = 2 * 366
#: More than any schedule has; labels of quarter-hours are small integers.
_MOST_PERIODS: Final = 100


def faults_of_calendars(tariff: Tariff, unread: Collection[str] = ()) -> list[Fault]:
    """All that is wrong with a tariff's calendars. unread: places of the document whose form was wrong."""
    calendars = tariff.calendars
    faults = [*_of_seasons(calendars), *_of_holidays(calendars)]
    is_sound = not faults and not any(one in ("valid", "time_zone") or one.startswith("calendars") for one in unread)
    for name, schedule in calendars.schedules.items():
        found = list(_of_schedule(tariff, schedule, f"calendars.schedules.{name}", unread))
        is_sound &= not found
        faults += found
    try:
        check_zone(tariff.time_zone)
    except BadInput:
        return faults  # it is told elsewhere
    if is_sound:
        clockwork = Clockwork(calendars, tariff.time_zone)
        for name, schedule in calendars.schedules.items():
            faults += _of_coverage(tariff, clockwork, name, schedule)
    return faults


def _of_seasons(calendars: Calendars) -> Iterator[Fault]:
    for name, season in calendars.season.items():
        at = f"calendars.season.{name}"
        if season.dst is None and season.months is None and season.dates is None:
            yield Fault(at, "a season has `dst`, `months` or `dates`")
        for i, one in enumerate(season.dates or []):
            if one.begin == one.end:
                yield Fault(f"{at}.dates[{i}].to", "the dates have no length; `to` is the day after the last")


def _of_holidays(calendars: Calendars) -> Iterator[Fault]:
    for name, one in calendars.holidays.items():
        if one.of is not None:
            yield from _of_library(one.of, f"calendars.holidays.{name}.of")


def _of_library(told: Library, at: str) -> Iterator[Fault]:
    from holidays import list_supported_countries  # here, as few tariffs need it and it takes long to load

    countries = list_supported_countries(include_aliases=False)
    if told.country not in countries:
        yield Fault(f"{at}.country", f"the library has no holidays of {told.country}; PT would be Portugal")
    elif told.subdivision is not None and told.subdivision not in countries[told.country]:
        there = ", ".join(countries[told.country]) or "none"
        yield Fault(f"{at}.subdivision", f"{told.country} has no subdivision {told.subdivision!r}; there are: {there}")


def _of_schedule(tariff: Tariff, schedule: Schedule, at: str, unread: Collection[str]) -> Iterator[Fault]:
    calendars = tariff.calendars
    if (schedule.entries is None) == (schedule.dated is None):
        yield Fault(at, "a schedule has `entries`, or `dated` lists of them")
        return
    if len(periods_of(schedule)) > _MOST_PERIODS:
        yield Fault(at, f"a schedule has at most {_MOST_PERIODS} periods; this one has {len(periods_of(schedule))}")
    if schedule.holidays is not None and f"calendars.holidays.{schedule.holidays}" not in unread:
        yield from _known(f"{at}.holidays", schedule.holidays, "set of holidays", calendars.holidays)
    for i, part in enumerate(schedule.dated or []):
        if i == 0 and part.begin > tariff.valid.begin and "valid" not in unread:
            yield Fault(f"{at}.dated[0].from", f"there are no windows from {tariff.valid.begin} until {part.begin}")
        if i and part.begin <= (schedule.dated or [])[i - 1].begin:
            yield Fault(f"{at}.dated[{i}].from", "it is not after the one before it")
    for place, entry in _entries(schedule):
        where = at + place
        for season in entry.season or []:
            if f"calendars.season.{season}" not in unread:
                yield from _known(f"{where}.season", season, "season", calendars.season)
        if entry.days is not None and HOLIDAY in entry.days and schedule.holidays is None and len(entry.days) <= 7:
            yield Fault(f"{where}.days", "the schedule names no set of `holidays`, so no day is one")
        yield from _of_times(entry, where)


def _of_times(entry: Entry, at: str) -> Iterator[Fault]:
    if entry.begin == MINUTES_PER_DAY:
        yield Fault(f"{at}.from", "a window begins before 24:00; midnight is 00:00 of the next day")
    elif (entry.begin is not None and entry.begin == entry.end) or (entry.begin is None and entry.end == 0):
        yield Fault(f"{at}.to", "the window has no length; a whole day is written from 00:00 to 24:00")


def _known(where: str, name: str, what: str, there: Collection[str]) -> Iterator[Fault]:
    if name not in there:
        yield Fault(where, f"there is no {what} {name!r}; there are: {', '.join(there) or 'none'}")


def _entries(schedule: Schedule) -> Iterator[tuple[str, Entry]]:
    inside = "" if isinstance(schedule, Listed) else ".entries"
    yield from ((f"{inside}[{i}]", entry) for i, entry in enumerate(schedule.entries or []))
    for i, part in enumerate(schedule.dated or []):
        yield from ((f".dated[{i}].entries[{j}]", entry) for j, entry in enumerate(part.entries))


# --- holes and overlaps -----------------------------------------------------------------------------------------------


def _of_coverage(tariff: Tariff, clockwork: Clockwork, name: str, schedule: Schedule) -> Iterator[Fault]:
    """Holes and overlaps, looked for day by day: two years from the beginning, and from each change of the windows."""
    at = f"calendars.schedules.{name}"
    found: dict[str, Fault] = {}
    for begin, days in _stretches(tariff, schedule):
        table, claims = clockwork.table(name, (begin - _EPOCH).days, days)
        for kind, bad, why in (
            ("hole", table == NONE, "no window holds"),
            ("overlap", (claims > 1) & (schedule.overlaps == "refused"), "two windows hold"),
        ):
            if bad.any() and kind not in found:
                found[kind] = Fault(at, f"{why} {_first_stretch(bad, begin)}{_hint(kind)}")
    yield from found.values()


def _stretches(tariff: Tariff, schedule: Schedule) -> Iterator[tuple[date, int]]:
    """Times that are looked at: when each begins, and how many days it has."""
    first, end = tariff.valid.begin, tariff.valid.end or date.max
    begins = sorted({first, *(part.begin for part in schedule.dated or [] if first < part.begin < end)})
    for begin, after in zip(begins, [*begins[1:], end], strict=True):
        yield begin, min(_DAYS_LOOKED_AT, (after - begin).days)


def _hint(kind: str) -> str:
    if kind == "hole":
        return "; an entry with a period alone, as the last of the list, holds wherever no other does"
    return "; if the first of the list is to win, say `overlaps: first_wins`"


def _first_stretch(bad: Any, begin: date) -> str:
    day = int(np.flatnonzero(bad.any(axis=1))[0])
    slots = np.flatnonzero(bad[day])
    stop = int(slots[0])
    while stop < QUARTERS_PER_DAY and bad[day, stop]:
        stop += 1
    on = begin + timedelta(days=day)
    others = int(bad.any(axis=1).sum()) - 1
    more = f", and on {others} other days" if others else ""
    return f"on {WEEKDAYS[on.weekday()]} {on} from {_clock(int(slots[0]))} to {_clock(stop)}{more}"


def _clock(quarter: int) -> str:
    return f"{quarter * MINUTES_PER_QUARTER // 60:02d}:{quarter * MINUTES_PER_QUARTER % 60:02d}"
