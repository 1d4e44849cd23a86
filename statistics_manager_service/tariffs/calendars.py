"""Calendars in a tariff document: seasons, holidays, and schedules that give each quarter-hour a period."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from statistics_manager_service.tariffs.prices import Day, Name, Part

Clock = Literal["civil", "utc", "standard"]
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY: Final = "holiday"
MINUTES_PER_QUARTER: Final = 15
MINUTES_PER_DAY: Final = 1440

_CLOCK_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)", re.ASCII)


def _minutes(text: Any) -> int:
    """Minutes since midnight of 'HH:MM', up to 24:00."""
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text <= MINUTES_PER_DAY:
        return text  # YAML reads 10:30 without quotes as 630, which is the same
    match = _CLOCK_TIME.fullmatch(text) if isinstance(text, str) else None
    minutes = 60 * int(match[1]) + int(match[2]) if match else MINUTES_PER_DAY + 1
    if minutes > MINUTES_PER_DAY:
        raise ValueError(f"{str(text)[:20]!r} is no time of a day such as 08:30, up to 24:00")
    if minutes % MINUTES_PER_QUARTER:
        raise ValueError(f"{str(text)[:20]!r} is not at a whole quarter of an hour")
    return minutes


def _month_day(text: Any) -> str:
    match = _MONTH_DAY.fullmatch(text) if isinstance(text, str) else None
    try:
        if match:
            date(2000, int(match[1]), int(match[2]))  # a leap year
            return str(text)
    except ValueError:
        pass
    raise ValueError(f"{str(text)[:20]!r} is no day of a year such as 12-25")


def _days(told: Any) -> Any:
    """Names and ranges of weekdays as a list of names."""
    if told == "all":
        return [*WEEKDAYS, HOLIDAY]
    parts = [told] if isinstance(told, str) else told
    if not isinstance(parts, list):
        return told
    found: list[Any] = []
    for part in parts:
        first, dash, last = part.partition("-") if isinstance(part, str) else ("", "", "")
        if dash and first in WEEKDAYS and last in WEEKDAYS:
            begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
            found += WEEKDAYS[begin : end + 1] if begin <= end else WEEKDAYS[begin:] + WEEKDAYS[: end + 1]
        else:
            found.append(part)
    return found


Minutes = Annotated[int, BeforeValidator(_minutes)]
MonthDay = Annotated[str, BeforeValidator(_month_day)]
Title = Annotated[str, Field(min_length=1, max_length=60)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
Month = Annotated[int, Field(ge=1, le=12)]


class DateRange(Part):
    """Days of each year, from one up to another, which is not included; it may run over New Year."""

    begin: MonthDay = Field(alias="from")
    end: MonthDay = Field(alias="to")


class Season(Part):
    """Days of a season: by legal time (`dst`), by months, or by dates; of several, all must hold."""

    dst: bool | None = Field(None, description="Whether summer time is in force at the day's noon.")
    months: list[Month] | None = Field(None, min_length=1, max_length=12)
    dates: list[DateRange] | None = Field(None, min_length=1, max_length=20)


class Library(Part):
    """Public holidays as the `holidays` package has them, without some names."""

    library: Literal["holidays"]
    country: str = Field(pattern=r"^[A-Z]{2}$")
    subdivision: str | None = Field(None, max_length=16)
    exclude: list[str] = Field([], max_length=50, description="English names that do not count.")
    only_fixed_dates: bool = Field(False, description="Without those that move with Easter or weekdays.")


class HolidaySet(Part):
    """Holidays by dates of every year, by listed dates, from the library; of several, any counts."""

    every_year: list[MonthDay] = Field([], max_length=100)
    listed: list[Day] = Field([], max_length=1000)
    of: Library | None = None


class Entry(Part):
    """A window of a schedule: the period that holds on some days of some seasons between two times of the clock.

    The day is the one on which the window begins: one that ends the next morning belongs to the evening. An entry
    without days, seasons, months and times is what holds where no other does.
    """

    period: Name
    days: Annotated[list[Weekday], BeforeValidator(_days), Field(min_length=1)] | None = None
    season: Annotated[list[Name], BeforeValidator(lambda told: [told] if isinstance(told, str) else told)] | None = None
    months: list[Month] | None = Field(None, min_length=1, max_length=12)
    begin: Minutes | None = Field(None, alias="from")
    end: Minutes | None = Field(None, alias="to")

    @property
    def is_rest(self) -> bool:
        """Whether it holds wherever no other does."""
        return self == Entry(period=self.period)


class EntriesFrom(Part):
    """The windows of a schedule from a date on, until the next one of the list."""

    begin: Day = Field(alias="from")
    entries: list[Entry] = Field(min_length=1, max_length=200)


class Schedule(Part):
    """Windows that give each quarter-hour one period.

    clock: by which the windows are read; the calendars' default unless told. holidays: the set whose days are no
    weekdays but `holiday`; without one, holidays are days like others. overlaps: windows may not overlap unless the
    first of the list is to win. entries, or dated: how windows change in time.
    """

    clock: Clock | None = None
    holidays: Name | None = None
    overlaps: Literal["refused", "first_wins"] = "refused"
    entries: list[Entry] | None = Field(None, min_length=1, max_length=200)
    dated: list[EntriesFrom] | None = Field(None, min_length=1, max_length=50)


def _kind_of_schedule(told: Any) -> str:
    return "<entries>" if isinstance(told, list) else "<schedule>"


class Listed(Schedule):
    """A schedule that was told as its list of windows alone."""


def _schedule(entries: list[Entry]) -> Schedule:
    return Listed(entries=entries)


if TYPE_CHECKING:
    AnySchedule = Schedule  # a list of entries has become one
else:
    AnySchedule = Annotated[
        Annotated[
            Annotated[list[Entry], Field(min_length=1, max_length=200), AfterValidator(_schedule)], Tag("<entries>")
        ]
        | Annotated[Schedule, Tag("<schedule>")],
        Discriminator(_kind_of_schedule),
    ]


class Calendars(Part):
    """Clock, seasons, holidays and schedules of a tariff; titles of periods, for people."""

    clock_default: Clock = "civil"
    season: dict[Name, Season] = Field({}, max_length=20)
    holidays: dict[Name, HolidaySet] = Field({}, max_length=20)
    schedules: dict[Name, AnySchedule] = Field({}, max_length=20)
    titles: dict[Name, Title] = Field(
        {}, max_length=50, description="What people read of a period; its name unless told."
    )
