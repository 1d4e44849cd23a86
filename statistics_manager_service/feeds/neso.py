"""NESO's carbon intensity of Great Britain: average of the mix, of the stack alone (direct), half-hour by half-hour.

GET /intensity/{from}/fw48h, and /intensity/{from}/{to} of at most 14 days, answer `{data: [{from, to, intensity:
{forecast, actual, index}}]}`, times as 2026-10-18T02:00Z; `actual` is null for what is to come. Of a region,
/regional/intensity/{from}/…/regionid/{id} answers the same inside of `{data: {regionid, …, data: […]}}`, without
`actual`: a region's values are forecasts for ever. When a forecast was made is not told.
Source: https://carbon-intensity.github.io/api-definitions/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, Field

from statistics_manager_service.core.carbon import LENGTHS_US, milligrams
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import US_PER_DAY, US_PER_S
from statistics_manager_service.feeds.intensity_values import BeginUs, Number, read
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, ToldStretch

_GREAT_BRITAIN: Final = "GB"
#: The 14 regions of the distribution networks, then England, Scotland and Wales.
_REGION: Final = re.compile(r"GB-([1-9]|1[0-7])", re.ASCII)
_WITHOUT_SECONDS: Final = len("2026-10-18T02:00")
_AT_ONCE_US: Final = 14 * US_PER_DAY


class _Intensity(BaseModel):
    forecast: Number | None
    actual: Number | None = None


class _Slot(BaseModel):
    start: BeginUs = Field(alias="from")
    end: BeginUs = Field(alias="to")
    intensity: _Intensity


class _Slots(BaseModel):
    data: list[_Slot]


class _Region(BaseModel):
    regionid: int
    data: list[_Slot]


class _OfRegion(BaseModel):
    data: _Region


class Neso:
    """Asks NESO of Great Britain (`GB`) or a region (`GB-13` is London). Threads may share it."""

    name: str = "neso"
    method: Method = Method(boundary="direct")
    by_day: bool = True

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def serves(self, zone: str) -> bool:
        """Whether it knows a zone."""
        return zone == _GREAT_BRITAIN or _REGION.fullmatch(zone) is not None

    def fetch(self, zone: str, start_us: int, _end_us: int, /) -> list[ToldIntensity]:
        """What it tells of the two days from the start on. Raises Unavailable, also where the answer is nonsense;
        Declined."""
        return self._told(self._slots(zone, f"/intensity/{_label(start_us)}/fw48h"))

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        """What it tells of a range, two weeks at a time. Raises Unavailable, Declined."""
        for begin_us in range(start_us, end_us, _AT_ONCE_US):
            stop_us = min(begin_us + _AT_ONCE_US, end_us)
            slots = self._slots(zone, f"/intensity/{_label(begin_us)}/{_label(stop_us)}")
            slots = [one for one in slots if begin_us <= one.start < stop_us]  # the one before may be told, too
            lost = sum(map(_is_lost, slots))
            notes = (f"measurements that were lost, told as 0: {lost}",) if lost else ()
            yield ToldStretch(begin_us, stop_us, self._told(slots), notes)

    def _told(self, slots: list[_Slot]) -> list[ToldIntensity]:
        found = []
        for one in slots:
            length, told = one.end - one.start, one.intensity
            if length not in LENGTHS_US.values():
                raise nonsense(self._upstream.name, f"a slot of {length // US_PER_S} s; 15, 30 or 60 minutes are read")
            for kind, value in ((FORECAST, told.forecast), (MEASURED, None if _is_lost(one) else told.actual)):
                if value is None:
                    continue
                try:
                    found.append(ToldIntensity(one.start, length, milligrams(value), kind))
                except ValueError as error:
                    raise nonsense(self._upstream.name, str(error)) from error
        return found

    def _slots(self, zone: str, path: str) -> list[_Slot]:
        name, region = self._upstream.name, _REGION.fullmatch(zone)
        if region is None:
            return read(_Slots, self._upstream.get_json(path), name).data
        told = read(_OfRegion, self._upstream.get_json(f"/regional{path}/regionid/{region[1]}"), name).data
        if told.regionid != int(region[1]):
            raise nonsense(name, f"it tells of region {told.regionid}, not of {region[1]}")
        return told.data


def _is_lost(slot: _Slot) -> bool:
    """Whether a measurement was lost: 0 has been told of such, while the mix was forecast to emit."""
    return slot.intensity.actual == 0 and bool(slot.intensity.forecast)


def _label(at_us: int) -> str:
    return iso_label(at_us)[:_WITHOUT_SECONDS] + "Z"
