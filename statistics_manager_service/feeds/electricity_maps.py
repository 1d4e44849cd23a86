"""Electricity Maps: the carbon intensity of a zone, average of the mix as consumed, forecast and past.

With the header `auth-token`, GET /v3/carbon-intensity/forecast?zone= answers `{zone, forecast: [{carbonIntensity,
datetime}], updatedAt}`, from now on. /history tells the last 24 hours, `{zone, history: [{carbonIntensity, datetime,
updatedAt, emissionFactorType, isEstimated, estimationMethod}]}`, and is part of every plan; /past-range?start=&end= the
same as `data` of at most ten days, for plans that have it. emissionFactorType= asks for direct emissions instead of
those over the life cycle. Source: https://portal.electricitymaps.com/docs/api.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import AliasChoices, BaseModel, Field

from statistics_manager_service.core.carbon import milligrams
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.feeds.intensity_values import BeginUs, InstantUs, Number, length_us, read
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import ESTIMATED, FORECAST, MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, ToldStretch

_PATH: Final = "/v3/carbon-intensity/"
_AT_ONCE_US: Final = 10 * US_PER_DAY
_LIFECYCLE: Final = "lifecycle"
_LONGEST_QUALITY: Final = 64


class _Value(BaseModel):
    carbonIntensity: Number | None  # noqa: N815 - their name
    datetime: BeginUs


class _Forecast(BaseModel):
    zone: str
    forecast: list[_Value]
    updatedAt: InstantUs  # noqa: N815 - their name
    emissionFactorType: str | None = None  # noqa: N815 - their name


class _PastValue(_Value):
    updatedAt: InstantUs | None = None  # noqa: N815 - their name
    emissionFactorType: str | None = None  # noqa: N815 - their name
    isEstimated: bool = True  # noqa: N815 - their name; what does not tell is not taken for measured
    estimationMethod: str | None = None  # noqa: N815 - their name


class _Past(BaseModel):
    zone: str
    data: list[_PastValue] = Field(validation_alias=AliasChoices("data", "history"))


class ElectricityMaps:
    """Asks Electricity Maps, which knows very many zones. Threads may share it.

    boundary: of the emissions that are asked for, lifecycle or direct. horizon_h: of forecasts, where it is told; plans
    have different ones.
    """

    name: str = "electricity_maps"
    by_day: bool = False

    def __init__(self, upstream: Upstream, boundary: str = _LIFECYCLE, horizon_h: int | None = None) -> None:
        self._upstream, self._horizon_h = upstream, horizon_h
        self.method = Method(boundary=boundary)

    def serves(self, zone: str) -> bool:
        """Whether it may know a zone: it is asked."""
        return bool(zone)

    def fetch(self, zone: str, _start_us: int, _end_us: int, /) -> list[ToldIntensity]:
        """What it forecasts for a zone, whatever the range. Raises Unavailable, also where the answer is nonsense;
        Declined."""
        more = {} if self._horizon_h is None else {"horizonHours": self._horizon_h}
        told = read(_Forecast, self._asked("forecast", zone, more), self._upstream.name)
        self._check(told.zone, zone, told.emissionFactorType)
        length = length_us([one.datetime for one in told.forecast], self._upstream.name)
        return [
            ToldIntensity(one.datetime, length, self._milligrams(one), FORECAST, told.updatedAt, told.updatedAt)
            for one in told.forecast
            if one.carbonIntensity is not None
        ]

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        """What it tells of a range: first what lies in the last 24 hours, then the time before, ten days at a time.
        Raises Unavailable, also for a plan without ranges; Declined."""
        recent = self._past("history", zone, {})
        within = [one for one in recent if start_us <= one.start_us < end_us]
        if within:
            begin_us = min(one.start_us for one in within)
            yield ToldStretch(begin_us, end_us, within)
            end_us = begin_us
        for begin_us in range(start_us, end_us, _AT_ONCE_US):
            stop_us = min(begin_us + _AT_ONCE_US, end_us)
            told = self._past("past-range", zone, {"start": iso_label(begin_us), "end": iso_label(stop_us)})
            yield ToldStretch(begin_us, stop_us, [one for one in told if begin_us <= one.start_us < stop_us])

    def _past(self, what: str, zone: str, more: dict[str, Any]) -> list[ToldIntensity]:
        told = read(_Past, self._asked(what, zone, more), self._upstream.name)
        for kind in {one.emissionFactorType for one in told.data} or {None}:
            self._check(told.zone, zone, kind)
        length = length_us([one.datetime for one in told.data], self._upstream.name)
        return [
            ToldIntensity(
                one.datetime, length, self._milligrams(one), ESTIMATED if one.isEstimated else MEASURED,
                updated_us=one.updatedAt, quality=_quality(one),
            )
            for one in told.data
            if one.carbonIntensity is not None
        ]  # fmt: skip

    def _asked(self, what: str, zone: str, more: dict[str, Any]) -> Any:
        boundary = self.method.boundary
        kind = {} if boundary == _LIFECYCLE else {"emissionFactorType": boundary}
        return self._upstream.get_json(_PATH + what, {"zone": zone, **kind, **more})

    def _check(self, told_zone: str, zone: str, boundary: str | None) -> None:
        """Raise Unavailable where an answer is of another zone or method: two are never mixed."""
        if told_zone != zone:
            raise nonsense(self._upstream.name, f"it tells of {told_zone[:40]!a}, not of {zone}")
        if boundary not in (self.method.boundary, None):
            raise nonsense(self._upstream.name, f"emissions are {boundary[:40]!a}, not {self.method.boundary}")

    def _milligrams(self, one: _Value) -> int:
        try:
            return milligrams(one.carbonIntensity or 0)
        except ValueError as error:
            raise nonsense(self._upstream.name, str(error)) from error


def _quality(one: _PastValue) -> str | None:
    """How a value was estimated, if it was."""
    if not one.isEstimated or not one.estimationMethod:
        return None
    return one.estimationMethod.replace("\0", "")[:_LONGEST_QUALITY]
