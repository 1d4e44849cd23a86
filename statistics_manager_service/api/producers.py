"""FlexiHome's event producers and its carbon forecast: who may call them and what they take.

This version has no event outbox and no carbon source yet, and says so.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.running import run
from statistics_manager_service.api.statistics import services_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.errors import BadInput, Fault, NotFound, Unavailable
from statistics_manager_service.services.access import Caller, require_service
from statistics_manager_service.services.app import AppServices

_LOG = structlog.get_logger()
router = APIRouter(tags=["FlexiHome"])
Who = Annotated[Caller, Depends(caller)]
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})([T ].*)?\Z")


class NoOutbox(Unavailable):
    """Events can't be written yet."""

    code = "events_not_configured"


async def _refuse(services: AppServices, user_id: str) -> None:
    await run(services, lambda: services.households.get(user_id))
    raise NoOutbox("this version of the service has no event outbox yet, so nothing was written", 86_400)


def _moments(**texts: str | None) -> list[int]:
    """The instants of a query's dates. Raises BadInput with all faults, also where they are not in order."""
    faults: list[Fault] = []
    found = []
    for where, text in texts.items():
        if text is None:
            continue
        try:
            found.append(parse_moment(text, "UTC", where))
        except BadInput as fault:
            faults += fault.faults
    if not faults and found != sorted(found):
        faults.append(Fault(list(texts)[-1], "the end lies before the start"))
    if faults:
        raise BadInput.of(faults)
    return found


@router.post("/trigger-computed-forecast-producer", summary="Ask for a forecast", status_code=201)
async def trigger_forecast(request: Request, user_id: str, forecast_day: str, who: Who) -> None:
    """Service only."""
    require_service(who)
    _moments(forecast_day=forecast_day)
    await _refuse(services_of(request), user_id)


@router.post("/mock-consumption-curve-producer", summary="Ask for a mock curve", status_code=201)
async def mock_curve(
    request: Request,
    user_id: str,
    start_date: str,
    delivery_time: Annotated[int, Query(ge=15, description="Minutes.")],
    who: Who,
) -> None:
    """Service only. `delivery_time` is in minutes."""
    require_service(who)
    _moments(start_date=start_date)
    _LOG.info("mock_curve_refused", delivery_time_minutes=delivery_time)
    await _refuse(services_of(request), user_id)


@router.post("/users-get-real-data-producer", summary="Ask for telemetry", status_code=201)
async def get_real_data(
    request: Request, user_id: str, start_datetime: str, who: Who, end_datetime: str | None = None
) -> None:
    """Service only."""
    require_service(who)
    _moments(start_datetime=start_datetime, end_datetime=end_datetime)
    await _refuse(services_of(request), user_id)


@router.get("/ecosignal-forecast", summary="Carbon forecast of a day")
async def ecosignal_forecast(forecast_day: str, who: Who) -> None:  # noqa: ARG001 - whoever calls must be somebody
    """404 where no forecast of that day is known, which is always so in this version: it has no carbon source yet."""
    match = _DATE.match(forecast_day)
    try:
        day = date.fromisoformat(match.group(1) if match else "")
    except ValueError as error:
        raise BadInput.of([Fault("forecast_day", "not a date such as 2024-01-31")]) from error
    raise NotFound(f"no carbon forecast is known for {day.isoformat()}")
