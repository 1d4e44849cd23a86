"""FlexiHome's event producers: who may call them and what they take."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import Faulty, UserId, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_service
from statistics_manager_service.services.events.event_rows import OutboxEvent

router = APIRouter(tags=["FlexiHome"])
Who = Annotated[Caller, Depends(caller)]
Day = Annotated[str, moment("forecast_day")]
_DATE_LENGTH = len("2024-01-31")
_PRODUCED: dict[str, Any] = {
    "status_code": 201,
    "response_class": Response,
    "response_model": None,
    "response_description": "The event is in the outbox; its work is done soon.",
    "responses": {
        201: {
            "content": {
                "application/json": {
                    "example": {
                        "event_id": "0a4f9c0e-8a53-4a5e-9d53-7a2a3c3a0c0b",
                        "event_type": "ForecastComputedEvent",
                    }
                }
            }
        },
        **refusals(403, 404),
    },
}


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
    delivery_time: int = Field(ge=15, le=1440, description="Minutes.")


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


def _told(event: OutboxEvent) -> Response:
    body = {"event_id": event.event_id, "event_type": event.event_type}
    return Response(orjson.dumps(body), 201, media_type="application/json")


@router.post(
    "/trigger-computed-forecast-producer",
    summary="Ask for a forecast",
    openapi_extra=parameters(ForecastQuery),
    **_PRODUCED,
)
async def trigger_forecast(
    request: Request, asked: Annotated[ForecastQuery, query(ForecastQuery)], who: Who
) -> Response:
    """Service only. The forecast of the day is fetched, or made here, and stored."""
    require_service(who)
    services = services_of(request)
    day = asked.forecast_day[:_DATE_LENGTH]
    return _told(await run(services, lambda: services.producers.forecast(asked.user_id, day), short=False))


@router.post(
    "/mock-consumption-curve-producer",
    summary="Ask for a mock curve",
    openapi_extra=parameters(CurveQuery),
    **_PRODUCED,
)
async def mock_curve(request: Request, asked: Annotated[CurveQuery, query(CurveQuery)], who: Who) -> Response:
    """Service only. A plausible forecast and measured curve of a day are stored, for demos. `delivery_time` is in
    minutes: the length of the curve's intervals."""
    require_service(who)
    services = services_of(request)

    def put() -> OutboxEvent:
        # a date is the household's own day; a date-time without an offset is UTC, as everywhere in this API
        is_date = len(asked.start_date) == _DATE_LENGTH
        zone = services.households.get(asked.user_id).timezone if is_date else "UTC"
        start_us = parse_moment(asked.start_date, zone, "start_date")
        return services.producers.mock_curve(asked.user_id, start_us, asked.delivery_time)

    return _told(await run(services, put, short=False))


@router.post(
    "/users-get-real-data-producer",
    summary="Ask for telemetry",
    openapi_extra=parameters(TelemetryQuery),
    **_PRODUCED,
)
async def get_real_data(
    request: Request, asked: Annotated[TelemetryQuery, query(TelemetryQuery)], who: Who
) -> Response:
    """Service only. The household's telemetry of the time is fetched from InfluxDB and recorded."""
    require_service(who)
    services = services_of(request)
    start_us = parse_moment(asked.start_datetime, "UTC", "start_datetime")
    end_us = services.asking.now_us()
    if asked.end_datetime is not None:
        end_us = parse_moment(asked.end_datetime, "UTC", "end_datetime")
    elif end_us < start_us:
        raise BadInput.of([Fault("start_datetime", "the start lies in the future, and without an end it is now")])
    return _told(
        await run(services, lambda: services.producers.real_data(asked.user_id, start_us, end_us), short=False)
    )
