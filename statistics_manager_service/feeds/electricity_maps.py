"""Electricity Maps: the forecast carbon intensity of a zone, average of the mix as consumed, over the life cycle.

GET /v3/carbon-intensity/forecast?zone= with the header `auth-token` answers `{zone, forecast: [{carbonIntensity,
datetime}], updatedAt}`, from now on. Source: https://portal.electricitymaps.com/docs/api.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from statistics_manager_service.core.carbon import milligrams
from statistics_manager_service.feeds.intensity_values import BeginUs, InstantUs, Number, length_us, read
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity


class _Value(BaseModel):
    carbonIntensity: Number | None  # noqa: N815 - their name
    datetime: BeginUs


class _Forecast(BaseModel):
    zone: str
    forecast: list[_Value]
    updatedAt: InstantUs  # noqa: N815 - their name
    emissionFactorType: Literal["lifecycle"] = "lifecycle"  # noqa: N815 - their name; another method is not mixed in


class ElectricityMaps:
    """Asks Electricity Maps, which knows very many zones. Threads may share it."""

    name: str = "electricity_maps"
    method: Method = Method()
    by_day: bool = False

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def serves(self, zone: str) -> bool:
        """Whether it may know a zone: it is asked."""
        return bool(zone)

    def fetch(self, zone: str, _start_us: int, _end_us: int, /) -> list[ToldIntensity]:
        """What it tells of a zone, whatever the range. Raises Unavailable, also where the answer is nonsense;
        Declined."""
        name = self._upstream.name
        answer = self._upstream.get_json("/v3/carbon-intensity/forecast", {"zone": zone})
        told = read(_Forecast, answer, name)
        if told.zone != zone:
            raise nonsense(name, f"it tells of {told.zone[:40]!a}, not of {zone}")
        length = length_us([one.datetime for one in told.forecast], name)
        found = []
        for one in told.forecast:
            if one.carbonIntensity is None:
                continue
            try:
                intensity = milligrams(one.carbonIntensity)
            except ValueError as error:
                raise nonsense(name, str(error)) from error
            found.append(ToldIntensity(one.datetime, length, intensity, FORECAST, told.updatedAt, told.updatedAt))
        return found
