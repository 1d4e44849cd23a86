"""Carbon intensity of grids: FlexiHome's forecast of a day, and the series behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final

import numpy as np
import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import read_json
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.producers import DayQuery
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone, parse_moment
from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.units import MILLI, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_service
from statistics_manager_service.services.asking import END_NOT_AFTER_START
from statistics_manager_service.services.carbon.carbon import ZONE_PATTERN, HourForecast, time_zone_of
from statistics_manager_service.services.carbon.carbon_rows import BASES, KINDS, IntensitySeries
from statistics_manager_service.services.carbon.intensities import Quarters, intensity_quarters
from statistics_manager_service.services.carbon.uploading import upload

router = APIRouter(tags=["Carbon"])
#: FlexiHome writes its unit so; ours is the plain one.
_FLEXIHOME_UNIT: Final = "gCO₂eq/kWh"
_UNIT: Final = "gCO2eq/kWh"
_DATE_LENGTH: Final = len("2024-01-31")
_DECIMALS: Final = 2
_LONGEST_DAYS: Final = 400
#: Threads of those who wait for a fetch from afar, however many they are: nobody else waits for them.
_WAITING: Final = CapacityLimiter(32)
_JSON: Final = "application/json"
_HOUR_EXAMPLE = {
    "datetime": "2024-03-31T00:00:00Z",
    "request": "2024-03-30T17:00:00Z",
    "value": 85.2,
    "unit": _FLEXIHOME_UNIT,
    "quality": "forecast",
    "updated_at": "2024-03-30T17:05:00Z",
}
_BODY_EXAMPLE = {
    "zone": "PT",
    "kind": "measured",
    "interval": "PT1H",
    "at": ["2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z"],
    "value": [85.2, 91],
    "unit": _UNIT,
}
_COLUMNS_EXAMPLE = {
    "zone": "PT",
    "basis": "average",
    "unit": _UNIT,
    "start": "2024-03-31T00:00:00Z",
    "end": "2024-04-01T00:00:00Z",
    "series": [
        {
            "source": "uploaded",
            "boundary": "lifecycle",
            "scope": "consumption",
            "at": ["2024-03-31T00:00:00Z"],
            "length_s": [3600],
            "value": [85.2],
            "kind": ["measured"],
            "issued_at": ["2024-04-01T09:00:00Z"],
            "updated_at": ["2024-04-01T09:00:00Z"],
        }
    ],
}


def _check_carbon_zone(text: str) -> None:
    if not re.fullmatch(ZONE_PATTERN, text):
        raise BadInput.of([Fault("zone", "it must be a country's two capital letters, or a part of it such as DK-DK1")])


def _check_kind(text: str) -> None:
    if text not in KINDS:
        raise BadInput.of([Fault("kind", f"it must be one of {', '.join(KINDS)}")])


def _check_basis(text: str) -> None:
    if text not in BASES:
        raise BadInput.of([Fault("basis", f"it must be one of {', '.join(BASES)}")])


CarbonZone = Annotated[str, checked(_check_carbon_zone)]


class CarbonQuery(DayQuery):
    """The carbon forecast of which day and zone."""

    zone: CarbonZone | None = Field(
        None,
        description="Zone of the grid; the household's `zone` unless named, or else `CARBON_ZONE`.",
        examples=["PT"],
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone of the day; the first one of the zone's country unless named."
    )


class IntensityQuery(BaseModel):
    """Intensities of which zone and time."""

    model_config = ConfigDict(extra="forbid")

    zone: CarbonZone = Field(description="Zone of the grid.", examples=["PT"])
    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-03-31"])
    end: End = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2024-04-01"])
    kind: Annotated[str, checked(_check_kind)] | None = Field(
        None, description="One of " + ", ".join(KINDS) + "; unless named, an earlier one of these counts more."
    )
    basis: Annotated[str, checked(_check_basis)] = Field("average", description="One of " + ", ".join(BASES) + ".")
    source: str | None = Field(None, description="One source's alone.", examples=["uploaded"])
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="Issues of later than this don't count: a date or date-time."
    )


@router.get(
    "/ecosignal-forecast",
    summary="Carbon forecast of a day",
    response_class=Response,
    responses={
        200: {
            "description": "The hours of the day: 24, or 23 or 25 where the clock changes.",
            "content": {_JSON: {"examples": {"an hour": {"value": [_HOUR_EXAMPLE]}}}},
        },
        404: {"description": "No carbon forecast of that day is known."},
    },
    openapi_extra=parameters(CarbonQuery),
)
async def ecosignal_forecast(
    request: Request, asked: Annotated[CarbonQuery, query(CarbonQuery)], who: Annotated[Caller, Depends(caller)]
) -> Response:
    """The forecast carbon intensity of the grid, hour by hour of a civil day. `request` is when it was forecast.

    Hours that no source tells of are the mean of the same hour of the past 28 days, and `quality` says so; where that
    is not known either, `value` is null.
    """
    services = services_of(request)
    day = date.fromisoformat(asked.forecast_day[:_DATE_LENGTH])

    def answer() -> bytes:
        zone = asked.zone or services.carbon.zone_for(who.household)
        return orjson.dumps([_hour(one) for one in services.carbon.day(zone, day, asked.timezone)])

    return Response(await to_thread.run_sync(answer, limiter=_WAITING), media_type=_JSON)


def _hour(one: HourForecast) -> dict[str, Any]:
    value = one.value_g_per_kwh
    return {
        "datetime": iso_label(one.start_us),
        "request": None if one.issued_us is None else iso_label(one.issued_us),
        "value": None if value is None else round(value, _DECIMALS),
        "unit": _FLEXIHOME_UNIT,
        "quality": one.quality,
        "updated_at": None if one.updated_us is None else iso_label(one.updated_us),
    }


@router.post(
    "/carbon-intensity",
    summary="Write carbon intensities",
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {_JSON: {"example": _BODY_EXAMPLE}}}},
    responses={
        200: {
            "description": "Kept. `duplicates` were known already, or are null.",
            "content": {_JSON: {"example": {"accepted": 2, "duplicates": 0}}},
        },
        **refusals(403),
    },
)
async def write_intensities(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Service only. Intensities of a zone as columns: `kind` is measured, estimated or forecast, `interval` PT15M,
    PT30M or PT1H from each instant on. The method is `basis` (average, marginal), `boundary` (lifecycle, direct) and
    `scope` (consumption, production); `issued_at` is now unless told. The same again changes nothing; another value is
    a new issue, and the earlier one can still be asked for.
    """
    require_service(who)
    services = services_of(request)
    body = await read_json(request)

    def write() -> bytes:
        kept = upload(services.store, body, services.asking.now_us())
        return orjson.dumps({"accepted": kept.accepted, "duplicates": kept.duplicates})

    return Response(await run(services, write, short=False), media_type=_JSON)


@router.get(
    "/carbon-intensity",
    summary="Carbon intensities of a zone",
    response_class=Response,
    responses={200: {"content": {_JSON: {"example": _COLUMNS_EXAMPLE}}}},
    openapi_extra=parameters(IntensityQuery),
)
async def read_intensities(
    request: Request,
    asked: Annotated[IntensityQuery, query(IntensityQuery)],
    _who: Annotated[Caller, Depends(caller)],
) -> Response:
    """What is stored of a zone, as columns, a series for each source and method; all of one basis. Of several issues
    the newest counts, or the newest that had been issued by `as_of`. Nothing is fetched for it."""
    services = services_of(request)

    def answer() -> bytes:
        zone = time_zone_of(asked.zone)
        start_us, end_us = parse_moment(asked.start, zone, "start"), parse_moment(asked.end, zone, "end")
        if end_us <= start_us:
            raise BadInput.of([END_NOT_AFTER_START])
        if end_us - start_us > _LONGEST_DAYS * US_PER_DAY:
            raise BadInput.of([Fault("start", f"at most {_LONGEST_DAYS} days are answered; ask for less")])
        until_us = None if asked.as_of is None else parse_moment(asked.as_of, zone, "as_of")
        kinds = KINDS if asked.kind is None else (asked.kind,)
        with services.store.reading() as view:
            found = [
                (one, intensity_quarters(view, one, start_us, end_us, kinds=kinds, until_us=until_us))
                for one in view.intensity_series(asked.zone)
                if one.basis == asked.basis and asked.source in (None, one.source)
            ]
        return orjson.dumps(
            {
                "zone": asked.zone,
                "basis": asked.basis,
                "unit": _UNIT,
                "start": iso_label(start_us),
                "end": iso_label(end_us),
                "series": [_columns(series, quarters) for series, quarters in found if quarters.any_known],
            }
        )

    return Response(await run(services, answer, short=False), media_type=_JSON)


def _columns(series: IntensitySeries, quarters: Quarters) -> dict[str, Any]:
    start_us, length_us, rows = zip(*quarters.runs(), strict=True)
    return {
        "source": series.source,
        "boundary": series.boundary,
        "scope": series.scope,
        "at": _labels(start_us),
        "length_s": [one // US_PER_S for one in length_us],
        "value": [row.intensity_mg_per_kwh / MILLI for row in rows],
        "kind": [row.kind for row in rows],
        "issued_at": [iso_label(row.issued_us) for row in rows],
        "updated_at": [iso_label(row.updated_us) for row in rows],
    }


def _labels(at_us: Sequence[int]) -> list[str]:
    return iso_labels(np.array(at_us, np.int64), None)
