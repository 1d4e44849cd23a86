"""INESC TEC's sentinel API: the forecast carbon intensity of the Portuguese grid.

GET {host}/data/inesctec/forecast/co2-intensity?geo_id=1&start_date&end_date answers `{data: [{datetime, request, value,
unit, quality, updated_at}], next_url}`, where `request` is when a value was forecast. It does not tell its method; it
is taken for the average of the mix as consumed, over the life cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from pydantic import BaseModel, Field, field_validator

from statistics_manager_service.core.carbon import grams_of, milligrams
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.feeds.intensity_values import BeginUs, InstantUs, Number, length_us, read
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, ToldStretch

_PATH: Final = "/data/inesctec/forecast/co2-intensity"
#: Its numbers of the zones that it knows.
GEO_IDS: Final = {"PT": 1}
#: A day's values fit on one; each may take the whole of the timeout.
_MOST_PAGES: Final = 3
_LONGEST_QUALITY: Final = 64


class _Value(BaseModel):
    datetime: BeginUs
    request: InstantUs
    value: Number | None
    unit: str
    quality: str | int | float | None = None
    updated_at: InstantUs | None = None

    @field_validator("unit")
    @classmethod
    def _known(cls, unit: str) -> str:
        if grams_of(unit) is None:
            raise ValueError(f"{unit[:40]!a} is no unit of carbon intensity such as gCO2eq/kWh")
        return unit


class _Page(BaseModel):
    data: list[_Value]
    next_url: str | None = Field(None, max_length=2_000)


class Sentinel:
    """Asks the sentinel API. Threads may share it."""

    name: str = "sentinel"
    method: Method = Method()
    by_day: bool = True

    def __init__(self, upstream: Upstream, host: str) -> None:
        self._upstream = upstream
        self._first = host.rstrip("/") + _PATH

    def serves(self, zone: str) -> bool:
        """Whether it knows a zone."""
        return zone in GEO_IDS

    def fetch(self, zone: str, start_us: int, end_us: int, /) -> list[ToldIntensity]:
        """What it tells of a range, each run of its forecast for itself. Raises Unavailable, also where the answer is
        nonsense; Declined."""
        told: list[_Value] = []
        url = self._first
        query: dict[str, Any] = {
            "geo_id": GEO_IDS[zone], "start_date": iso_label(start_us), "end_date": iso_label(end_us),
        }  # fmt: skip
        for _ in range(_MOST_PAGES):
            page = read(_Page, self._upstream.get_json(url, query), self._upstream.name)
            told += page.data
            if not page.next_url:
                return self._told(told)
            url, query = self._next(page.next_url)
        raise nonsense(self._upstream.name, f"more than {_MOST_PAGES} pages")

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        """What was forecast of a range, day by day. Raises Unavailable, Declined."""
        for begin_us in range(start_us, end_us, US_PER_DAY):
            stop_us = min(begin_us + US_PER_DAY, end_us)
            told = self.fetch(zone, begin_us, stop_us)
            yield ToldStretch(begin_us, stop_us, [one for one in told if begin_us <= one.start_us < stop_us])

    def _next(self, next_url: str) -> tuple[str, dict[str, Any]]:
        """A page that the one before it names: on the same host, as the token goes with it. Raises Unavailable."""
        try:
            url, ours = urlsplit(urljoin(self._first, next_url)), urlsplit(self._first)
            is_ours = (url.scheme, url.hostname, url.port) == (ours.scheme, ours.hostname, ours.port)
        except ValueError as error:
            raise nonsense(self._upstream.name, f"next_url is no URL: {error}") from error
        if not is_ours or url.username is not None:
            raise nonsense(self._upstream.name, "next_url is on another host")
        return url._replace(query="", fragment="").geturl(), dict(parse_qsl(url.query, keep_blank_values=True))

    def _told(self, values: list[_Value]) -> list[ToldIntensity]:
        length = length_us([one.datetime for one in values], self._upstream.name)
        found = []
        for one in values:
            if one.value is None:
                continue
            try:
                intensity = milligrams(one.value * (grams_of(one.unit) or 0))
            except ValueError as error:
                raise nonsense(self._upstream.name, str(error)) from error
            quality = None if one.quality in (None, "") else str(one.quality).replace("\0", "")[:_LONGEST_QUALITY]
            found.append(ToldIntensity(one.datetime, length, intensity, FORECAST, one.request, one.updated_at, quality))
        return found
