"""NESO's carbon intensity of Great Britain: average of the mix, of the stack alone (direct), half-hour by half-hour.

GET /intensity/{from}/fw48h answers `{data: [{from, to, intensity: {forecast, actual, index}}]}`, times as
2026-10-18T02:00Z; `actual` is null for what is to come. When a forecast was made is not told.
Source: https://carbon-intensity.github.io/api-definitions/.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field

from statistics_manager_service.core.carbon import LENGTHS_US, milligrams
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.feeds.intensity_values import BeginUs, Number, read
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity

_GREAT_BRITAIN: Final = "GB"
_WITHOUT_SECONDS: Final = len("2026-10-18T02:00")


class _Intensity(BaseModel):
    forecast: Number | None
    actual: Number | None = None


class _Slot(BaseModel):
    start: BeginUs = Field(alias="from")
    end: BeginUs = Field(alias="to")
    intensity: _Intensity


class _Slots(BaseModel):
    data: list[_Slot]


class Neso:
    """Asks NESO. Threads may share it."""

    name: str = "neso"
    method: Method = Method(boundary="direct")
    by_day: bool = True

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def serves(self, zone: str) -> bool:
        """Whether it knows a zone."""
        return zone == _GREAT_BRITAIN

    def fetch(self, _zone: str, start_us: int, _end_us: int, /) -> list[ToldIntensity]:
        """What it tells of the two days from the start on. Raises Unavailable, also where the answer is nonsense;
        Declined."""
        begin = iso_label(start_us)[:_WITHOUT_SECONDS] + "Z"
        name = self._upstream.name
        found = []
        for one in read(_Slots, self._upstream.get_json(f"/intensity/{begin}/fw48h"), name).data:
            length = one.end - one.start
            if length not in LENGTHS_US.values():
                raise nonsense(name, f"a slot of {length // US_PER_S} s; 15, 30 or 60 minutes are read")
            for kind, value in ((FORECAST, one.intensity.forecast), (MEASURED, one.intensity.actual)):
                if value is None:
                    continue
                try:
                    found.append(ToldIntensity(one.start, length, milligrams(value), kind))
                except ValueError as error:
                    raise nonsense(name, str(error)) from error
        return found
