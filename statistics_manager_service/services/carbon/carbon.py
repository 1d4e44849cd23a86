"""The carbon forecast of a day: fetched where it may be lacking, answered from the store, completed by the past."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from http import HTTPStatus
from importlib.resources import files
from math import isnan
from typing import Final, Protocol

from statistics_manager_service.core.carbon import (
    DAYS_USED,
    LEAST_DAYS,
    civil_seconds,
    first_zones,
    hour_means,
    same_hour_means,
)
from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import Declined, NotFound, StatisticsError, Unavailable
from statistics_manager_service.services.carbon.carbon_rows import (
    ESTIMATED,
    FORECAST,
    MEASURED,
    IntensityRow,
    IntensitySeries,
    Method,
)
from statistics_manager_service.services.carbon.fetching import Fetching
from statistics_manager_service.services.carbon.intensities import (
    Quarters,
    ToldIntensity,
    ToldStretch,
    intensity_quarters,
    keep,
)
from statistics_manager_service.services.forecasts.forecasting import civil_day
from statistics_manager_service.services.ports import ReadView, Store

#: How a zone is named: a country's two letters, and maybe a part of it, as in DK-DK1.
ZONE_PATTERN: Final = r"[A-Z]{2}[A-Z0-9-]{0,30}"
#: What `quality` says of an hour that the past tells.
OF_THE_PAST: Final = f"estimated: mean of the same hour of the past {DAYS_USED} days"
UNKNOWN: Final = "unknown"
#: A forecast comes first; of hours without one, what was measured then.
_KINDS: Final = (FORECAST, MEASURED, ESTIMATED)
#: No source forecasts further ahead.
_HORIZON_US: Final = 15 * US_PER_DAY


class IntensitySource(Protocol):
    """Where carbon intensities are fetched from. name: of its series. method: of its values.

    by_day: whether it is asked for a day, also for one that is over; else it tells of the time from now on.
    """

    name: str
    method: Method
    by_day: bool

    def serves(self, zone: str) -> bool:
        """Whether it knows a zone."""
        ...

    def fetch(self, zone: str, start_us: int, end_us: int, /) -> Sequence[ToldIntensity]:
        """What it tells of a range, and maybe of more. Raises Unavailable, Declined."""
        ...

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        """What it tells of a range of the past, stretch by stretch, each asked for when it is wanted. Raises
        Unavailable, Declined."""
        ...


@dataclass(frozen=True, slots=True)
class HourForecast:
    """An hour of a day: value in g/kWh; value, issued_us and updated_us None where it is not known.

    quality: the source's own word, or `forecast`, `measured`, `estimated`, OF_THE_PAST, UNKNOWN.
    """

    start_us: int
    value_g_per_kwh: float | None
    issued_us: int | None
    updated_us: int | None
    quality: str


@lru_cache(maxsize=1)
def _time_zones() -> dict[str, str]:
    return first_zones(files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8"))


def time_zone_of(zone: str) -> str:
    """The time zone of a carbon zone: the first one of its country; UTC where there is no such country."""
    return _time_zones().get(zone[:2], "UTC")


class CarbonForecasts:
    """Answers carbon forecasts. source: where they are fetched from; None: from what is stored alone."""

    def __init__(
        self, store: Store, source: IntensitySource | None, zone: str, ttl_s: float, now_us: Callable[[], int]
    ) -> None:
        self._store, self._source, self._zone, self._now_us = store, source, zone, now_us
        self._fetching = Fetching(now_us, round(ttl_s * US_PER_S))

    def zone_for(self, household: str | None) -> str:
        """The zone that is asked for where none is named: the household's, if it has one."""
        if household is not None:
            with self._store.reading() as view:
                owner = view.household(household)
            if owner is not None and owner.zone is not None and re.fullmatch(ZONE_PATTERN, owner.zone):
                return owner.zone
        return self._zone

    def day(self, zone: str, day: date, time_zone: str | None = None) -> list[HourForecast]:
        """The hours of a civil day. All are of one series: methods are not mixed.

        Raises NotFound where nothing is known of the day; Unavailable where nothing is and the source is down.
        """
        civil_zone = time_zone or time_zone_of(zone)
        start_us, end_us = civil_day(day, civil_zone)
        if end_us <= start_us:  # a date that its zone has left out
            raise NotFound(f"there is no {day} in {civil_zone}")
        hours = calendar(civil_zone, GroupBy.HOURLY, start_us, end_us)

        def stored() -> list[HourForecast]:
            with self._store.reading() as view:
                return self._stored(view, zone, day, hours)

        failure = self._refresh(zone, start_us, end_us, lambda: not _is_told(stored()))
        found = stored()
        if any(one.value_g_per_kwh is not None for one in found):
            return found
        if isinstance(failure, Unavailable):
            raise Unavailable(f"the carbon forecast can't be fetched: {failure.sentence}", failure.retry_after_s)
        # that nothing is there is an answer; another refusal is a fault of the settings
        if isinstance(failure, Declined) and failure.answered != HTTPStatus.NOT_FOUND:
            raise Unavailable(f"the carbon forecast can't be fetched: {failure.sentence}", 60)
        why = "" if failure is None else f"; {failure.sentence}"
        raise NotFound(f"no carbon forecast of {zone} is known for {day}{why}")

    def _refresh(self, zone: str, start_us: int, end_us: int, wait: Callable[[], bool]) -> StatisticsError | None:
        """Fetch a day if it may be lacking or old. Returns the error where that failed."""
        source, now_us = self._source, self._now_us()
        if source is None or not source.serves(zone) or start_us > now_us + _HORIZON_US:
            return None
        if end_us <= now_us and (not source.by_day or not wait()):
            return None

        def fetch() -> None:
            told = source.fetch(zone, start_us, end_us)
            if any(one.issued_us is not None and one.issued_us > now_us + US_PER_DAY for one in told):
                raise Unavailable(f"{source.name} told of a forecast that is issued in the future")
            with self._store.writing() as view:
                keep(view, zone, source.name, source.method, told, self._now_us())

        return self._fetching.once((zone, start_us, end_us) if source.by_day else zone, fetch, wait=wait)

    def _stored(self, view: ReadView, zone: str, day: date, hours: Calendar) -> list[HourForecast]:
        """The hours as the first series tells them that knows one of them, or else as the first one's past does."""
        edges_us = hours.edges_us
        ours = None if self._source is None else self._source.name
        some = [one for one in view.intensity_series(zone) if one.basis == "average"]
        some.sort(key=lambda one: one.source != ours)
        told = [(one, intensity_quarters(view, one, int(edges_us[0]), int(edges_us[-1]), kinds=_KINDS)) for one in some]
        told.sort(key=lambda pair: not pair[1].any_known)
        for series, quarters in told:
            found = _hours(hours, quarters)
            if not _is_told(found):
                past = self._past(view, series, day, hours)
                found = [_completed(one, value, self._now_us()) for one, value in zip(found, past, strict=True)]
            if any(one.value_g_per_kwh is not None for one in found):
                return found
        return [_unknown(start_us) for start_us in edges_us[:-1].tolist()]

    def _past(self, view: ReadView, series: IntensitySeries, day: date, hours: Calendar) -> list[float]:
        """What the same civil hours of the days before had in the mean, NaN where too few are known."""
        start_us = civil_day(day - timedelta(days=DAYS_USED), hours.zone)[0]
        before = calendar(hours.zone, GroupBy.HOURLY, start_us, int(hours.edges_us[0]))
        quarters = intensity_quarters(view, series, start_us, int(before.edges_us[-1]))
        value = _means(before.edges_us, quarters)
        days, known_s = civil_seconds(before.edges_us[:-1], before.offset_s[:-1])
        wanted_s = civil_seconds(hours.edges_us[:-1], hours.offset_s[:-1])[1]
        found: list[float] = same_hour_means(wanted_s, known_s, days, value, LEAST_DAYS).tolist()
        return found


def _means(edges_us: Int64, quarters: Quarters) -> Float64:
    return hour_means(edges_us, quarters.first_quarter, quarters.value_g_per_kwh)


def _hours(hours: Calendar, quarters: Quarters) -> list[HourForecast]:
    place = (hours.edges_us // QUARTER_US - quarters.first_quarter).tolist()
    return [
        _unknown(start_us)
        if isnan(value)
        else _hour(start_us, value, [quarters.rows[i] for i in dict.fromkeys(quarters.row[begin:end].tolist())])
        for start_us, value, begin, end in zip(
            hours.edges_us[:-1].tolist(), _means(hours.edges_us, quarters).tolist(), place[:-1], place[1:], strict=True
        )
    ]


def _hour(start_us: int, value_g_per_kwh: float, rows: Sequence[IntensityRow]) -> HourForecast:
    """An hour as the rows tell it whose mean it is: it is known since the last of them is."""
    issued_us, updated_us = max(one.issued_us for one in rows), max(one.updated_us for one in rows)
    quality = ", ".join(dict.fromkeys(one.quality or one.kind for one in rows))
    return HourForecast(start_us, value_g_per_kwh, issued_us, updated_us, quality)


def _unknown(start_us: int) -> HourForecast:
    return HourForecast(start_us, None, None, None, UNKNOWN)


def _completed(hour: HourForecast, past_g_per_kwh: float, now_us: int) -> HourForecast:
    """An hour that is not known, as the past tells it."""
    if hour.value_g_per_kwh is not None or isnan(past_g_per_kwh):
        return hour
    return HourForecast(hour.start_us, past_g_per_kwh, now_us, now_us, OF_THE_PAST)


def _is_told(hours: Sequence[HourForecast]) -> bool:
    """Whether a source tells of all hours."""
    return all(one.value_g_per_kwh is not None and one.quality != OF_THE_PAST for one in hours)
