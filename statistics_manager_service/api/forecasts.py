"""Forecasts of a household: their energy in civil buckets, and how good they were."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import FORMATS, JSON, encode, format_named, wanted_format
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.accuracy import Accuracy
from statistics_manager_service.core.civil import check_zone, parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.asking import (
    END_NOT_AFTER_START,
    GROUPINGS,
    Question,
    parse_group_by,
    parse_week_start,
)
from statistics_manager_service.services.forecasts.forecast_answers import Choice, forecast_statistics, judge
from statistics_manager_service.services.forecasts.forecasting import MEASURE, SOURCES

router = APIRouter(tags=["Forecasts"])
#: What accuracy looks back on unless told.
_USUAL_DAYS: Final = 28
_LONGEST_DAYS: Final = 800
_DECIMALS: Final = 4
_EXAMPLE = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "group_by": "daily",
    "start": "2024-01-01",
    "end": "2024-01-02",
    "buckets": [{"start": "2024-01-01T00:00:00+00:00", "end": "2024-01-02T00:00:00+00:00"}],
    "series": [
        {
            "measure": "energy_import_forecast",
            "unit": "kWh",
            "values": [10.219],
            "coverage": [1.0],
            "estimated": [0.0],
            "total": 10.219,
        },
        {
            "measure": "energy_import",
            "unit": "kWh",
            "values": [11.034],
            "coverage": [1.0],
            "estimated": [0.0],
            "total": 11.034,
        },
    ],
}
_FIGURES = {
    "quarters": 2688,
    "mae_wh": 61.2,
    "rmse_wh": 103.9,
    "bias_wh": -2.1,
    "nrmse_mean": 0.91,
    "mase": 0.79,
    "season_quarters": 96,
    "skill_quarters": 2688,
    "skill_mae": 0.22,
    "skill_rmse": 0.26,
}
_ACCURACY_EXAMPLE = {
    "household": "home1",
    "measure": MEASURE,
    "start": "2024-01-01T00:00:00Z",
    "end": "2024-01-29T00:00:00Z",
    "persistence": "the same quarter-hour of the day before",
    "overall": _FIGURES,
    "by_horizon": [{"from_h": 0, "to_h": 6, **_FIGURES}],
}


def _check_source(text: str) -> None:
    if text not in SOURCES:
        raise BadInput.of([Fault("source", f"{text[:40]!r} is no source of forecasts; there are {', '.join(SOURCES)}")])


AsOf = Annotated[str, moment("as_of")]
Source = Annotated[str, checked(_check_source)]
_AS_OF: Final = "Forecasts issued later don't count. Civil date of the household's zone, or a date-time."
_SOURCE: Final = "Those of one source alone: " + ", ".join(SOURCES) + "."


class ForecastQuery(BaseModel):
    """Which forecast."""

    model_config = ConfigDict(extra="forbid")

    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2024-01-08"])
    group_by: Annotated[str, checked(parse_group_by)] = Field(
        "daily", description="One of " + ", ".join(GROUPINGS) + "."
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named."
    )
    week_start: Annotated[str, checked(parse_week_start)] = Field("monday", description="First day of a week.")
    as_of: AsOf | None = Field(None, description=_AS_OF)
    source: Source | None = Field(None, description=_SOURCE)
    format: Annotated[str, checked(format_named)] | None = Field(
        None, description="json, csv, ndjson, arrow or parquet; wins over the Accept header."
    )


class AccuracyQuery(BaseModel):
    """Accuracy over which time."""

    model_config = ConfigDict(extra="forbid")

    start: Start | None = Field(None, description="Civil date of the household's zone, or a date-time; 28 days ago.")
    end: End | None = Field(None, description="The same; now.")
    as_of: AsOf | None = Field(None, description=_AS_OF)
    source: Source | None = Field(None, description=_SOURCE)


@router.get(
    "/households/{household}/forecast",
    summary="Forecast of a household",
    response_class=Response,
    responses={
        200: {"content": {media: {"example": _EXAMPLE} if media == JSON else {} for media in FORMATS.values()}},
        **refusals(403, 404),
    },
    openapi_extra=parameters(ForecastQuery),
)
async def household_forecast(
    request: Request,
    household: str,
    asked: Annotated[ForecastQuery, query(ForecastQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """The energy that the household was forecast to take from the grid, beside what was measured, in civil buckets.

    Of each quarter-hour the newest forecast counts, or the newest that had been issued by `as_of`: none overwrites an
    earlier one. `coverage` of a forecast is the share of the bucket's time that is forecast.
    """
    require_read(who, household)
    media = wanted_format(request.headers.get("accept", ""), asked.format)
    services = services_of(request)
    question = Question(MEASURE, asked.start, asked.end, asked.group_by, asked.timezone, week_start=asked.week_start)

    def answer() -> bytes:
        zone = services.households.get(household).timezone
        choice = Choice(_moment_us(asked.as_of, zone, "as_of"), asked.source)
        return encode([forecast_statistics(services.store, household, question, choice)], media)

    return Response(await run(services, answer, short=False), media_type=media)


@router.get(
    "/households/{household}/forecast-accuracy",
    summary="How good forecasts were",
    response_class=Response,
    responses={200: {"content": {JSON: {"example": _ACCURACY_EXAMPLE}}}, **refusals(403, 404)},
    openapi_extra=parameters(AccuracyQuery),
)
async def household_forecast_accuracy(
    request: Request,
    household: str,
    asked: Annotated[AccuracyQuery, query(AccuracyQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Forecasts beside what was measured, quarter-hour by quarter-hour: mean absolute and root mean square error and
    bias (forecast − measured) in Wh a quarter-hour, RMSE by the mean, MASE against the day before, and the skill
    against persistence (above 0: better than the same quarter-hour of the day before); over all and by how far ahead.

    Each issue counts for itself; what was issued after its quarter-hour had begun does not count.
    """
    require_read(who, household)
    services = services_of(request)

    def answer() -> bytes:
        zone, now_us = services.households.get(household).timezone, services.asking.now_us()
        end_us, start_us = _moment_us(asked.end, zone, "end"), _moment_us(asked.start, zone, "start")
        end_us = now_us if end_us is None else end_us
        start_us = end_us - _USUAL_DAYS * US_PER_DAY if start_us is None else start_us
        if end_us <= start_us:
            raise BadInput.of([END_NOT_AFTER_START])
        if end_us - start_us > _LONGEST_DAYS * US_PER_DAY:
            raise BadInput.of([Fault("start", f"at most {_LONGEST_DAYS} days are looked at; ask for less")])
        choice = Choice(_moment_us(asked.as_of, zone, "as_of"), asked.source)
        found = judge(services.store, household, start_us, end_us, choice)
        return orjson.dumps(
            {
                "household": household,
                "measure": MEASURE,
                "start": iso_label(start_us),
                "end": iso_label(end_us),
                "persistence": "the same quarter-hour of the day before",
                "overall": _figures(found.overall),
                "by_horizon": [
                    {"from_h": one.from_h, "to_h": one.to_h, **_figures(one.accuracy)} for one in found.by_horizon
                ],
            }
        )

    return Response(await run(services, answer, short=False), media_type=JSON)


def _moment_us(text: str | None, zone: str, where: str) -> int | None:
    return None if text is None else parse_moment(text, zone, where)


def _figures(one: Accuracy) -> dict[str, Any]:
    return {name: round(value, _DECIMALS) if isinstance(value, float) else value for name, value in asdict(one).items()}
