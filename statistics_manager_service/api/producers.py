"""FlexiHome's event producers and its carbon forecast: who may call them and what they take.

This version has no event outbox and no carbon source yet, and says so.
"""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import Faulty, UserId, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.errors import Fault, NotFound, Unavailable
from statistics_manager_service.services.access import Caller, require_service
from statistics_manager_service.services.app import AppServices

_LOG = structlog.get_logger()
router = APIRouter(tags=["FlexiHome"])
Who = Annotated[Caller, Depends(caller)]
Day = Annotated[str, moment("forecast_day")]
_DATE_LENGTH = len("2024-01-31")
#: What the producers answer for now, where nothing is wrong with what they are told.
_NO_EVENTS: dict[str, Any] = {
    "status_code": 503,
    "response_class": Response,
    "response_model": None,
    "response_description": "`events_not_configured`: this version has no event outbox yet, and nothing was written. "
    "Or the store does not answer.",
    "responses": refusals(403, 404),
}


class NoOutbox(Unavailable):
    """Events can't be written yet."""

    code = "events_not_configured"


async def _refuse(services: AppServices, user_id: str) -> NoReturn:
    await run(services, lambda: services.households.get(user_id))
    raise NoOutbox("this version of the service has no event outbox yet, so nothing was written", 86_400)


class DayQuery(BaseModel):
    """Which day."""

    forecast_day: Day = Field(description="A date, or a date-time whose date counts.", examples=["2024-01-31"])


class ForecastQuery(DayQuery):
    """A forecast of which user's day."""

    user_id: UserId


class CurveQuery(BaseModel):
    """A mock curve of which user, from when on."""

    user_id: UserId
    start_date: Annotated[str, moment("start_date")]
    delivery_time: int = Field(ge=15, description="Minutes.")


def _not_before_start(end: str, info: ValidationInfo) -> str:
    start = info.data.get("start_datetime")
    if start is not None and parse_moment(end, "UTC", "end_datetime") < parse_moment(start, "UTC", "start_datetime"):
        raise Faulty(Fault("end_datetime", "the end lies before the start"))
    return end


class TelemetryQuery(BaseModel):
    """Telemetry of which user and time."""

    user_id: UserId
    start_datetime: Annotated[str, moment("start_datetime")]
    end_datetime: Annotated[str, moment("end_datetime"), AfterValidator(_not_before_start)] | None = None


@router.post(
    "/trigger-computed-forecast-producer",
    summary="Ask for a forecast",
    openapi_extra=parameters(ForecastQuery),
    **_NO_EVENTS,
)
async def trigger_forecast(
    request: Request, asked: Annotated[ForecastQuery, query(ForecastQuery)], who: Who
) -> NoReturn:
    """Service only."""
    require_service(who)
    await _refuse(services_of(request), asked.user_id)


@router.post(
    "/mock-consumption-curve-producer",
    summary="Ask for a mock curve",
    openapi_extra=parameters(CurveQuery),
    **_NO_EVENTS,
)
async def mock_curve(request: Request, asked: Annotated[CurveQuery, query(CurveQuery)], who: Who) -> NoReturn:
    """Service only. `delivery_time` is in minutes."""
    require_service(who)
    _LOG.info("mock_curve_refused", delivery_time_minutes=asked.delivery_time)
    await _refuse(services_of(request), asked.user_id)


@router.post(
    "/users-get-real-data-producer",
    summary="Ask for telemetry",
    openapi_extra=parameters(TelemetryQuery),
    **_NO_EVENTS,
)
async def get_real_data(
    request: Request, asked: Annotated[TelemetryQuery, query(TelemetryQuery)], who: Who
) -> NoReturn:
    """Service only."""
    require_service(who)
    await _refuse(services_of(request), asked.user_id)


@router.get(
    "/ecosignal-forecast",
    summary="Carbon forecast of a day",
    status_code=404,
    response_class=Response,
    response_model=None,
    response_description="No forecast of that day is known: this version has no carbon source yet.",
    openapi_extra=parameters(DayQuery),
)
async def ecosignal_forecast(asked: Annotated[DayQuery, query(DayQuery)]) -> NoReturn:
    """404 where no forecast of that day is known, which is always so in this version: it has no carbon source yet."""
    raise NotFound(f"no carbon forecast is known for {asked.forecast_day[:_DATE_LENGTH]}")
