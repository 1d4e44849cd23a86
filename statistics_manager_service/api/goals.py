"""Goals of households, and how they come along."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import read_json
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.end_of_period import LEVEL
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.services.accounts.access import Caller, require_read, require_settings
from statistics_manager_service.services.insight.goal_progress import GoalProgress, PastResult, Progress, Projected
from statistics_manager_service.services.insight.goals import MOST_GOALS, Goal, KnownGoals, ToldGoal

router = APIRouter(tags=["Ask"])

_JSON: Final = "application/json"
_GOALS_EXAMPLE: Final = {
    "goals": [
        {
            "id": "winter-import",
            "measure": "energy_import",
            "period": "month",
            "at_most": 250,
            "unit": "kWh",
            "title": "Less from the grid",
        },
        {"id": "own-sun", "measure": "self_sufficiency_rate", "period": "year", "at_least": 45, "unit": "%"},
    ]
}
_KNOWN_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "told_at": "2026-02-01T10:00:00Z",
    **_GOALS_EXAMPLE,
}
_PROGRESS_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "at": "2026-03-12T14:00:00+00:00",
    "goals": [
        {
            "id": "winter-import",
            "title": "Less from the grid",
            "measure": "energy_import",
            "at_most": 250.0,
            "unit": "kWh",
            "period": {
                "kind": "month",
                "start": "2026-03-01T00:00:00+00:00",
                "end": "2026-04-01T00:00:00+01:00",
                "elapsed": 0.3742,
            },
            "used": 91.402,
            "used_share": 0.365608,
            "coverage": 0.999,
            "projected": {
                "value": 243.1,
                "low": 221.7,
                "high": 268.4,
                "level": LEVEL,
                "method": "19.4 days that are not known have what is usual: for each hour the mean of the same …",
                "notes": [],
            },
            "why_not_projected": None,
            "status": "on_track",
            "sure": False,
            "why": None,
            "past": [
                {
                    "start": "2026-02-01T00:00:00+00:00",
                    "end": "2026-03-01T00:00:00+00:00",
                    "value": 238.02,
                    "coverage": 1.0,
                    "kept": True,
                }
            ],
            "streak": {"current": 1, "longest": 1},
        }
    ],
}
_GOALS_SCHEMA: Final = {
    "type": "object",
    "required": ["goals"],
    "properties": {"goals": {"type": "array", "maxItems": MOST_GOALS, "items": ToldGoal.model_json_schema()}},
}
_DECIMALS: Final = 6
Who = Annotated[Caller, Depends(caller)]


class GoalsQuery(BaseModel):
    """As known when."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As they were known at a date or date-time.", examples=["2026-03-01"]
    )


class ProgressQuery(BaseModel):
    """At the end of which date."""

    model_config = ConfigDict(extra="forbid")

    on: Annotated[str, moment("on")] | None = Field(
        None,
        description="A date of the household's zone: how it stood at its end, by what was measured until then; now "
        "unless told.",
        examples=["2026-03-12"],
    )


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type=_JSON)


def goals_json(known: KnownGoals) -> dict[str, Any]:
    """Goals as they are told."""
    return {
        "household": known.household.id,
        "timezone": known.household.timezone,
        "told_at": None if known.told_us is None else iso_label(known.told_us),
        "goals": list(known.goals),
    }


@router.get(
    "/households/{household}/goals",
    summary="A household's goals",
    response_class=Response,
    responses={200: {"content": {_JSON: {"examples": {"two goals": {"value": _KNOWN_EXAMPLE}}}}}, **refusals(403, 404)},
    openapi_extra=parameters(GoalsQuery),
)
async def get_goals(
    request: Request, household: str, who: Who, asked: Annotated[GoalsQuery, query(GoalsQuery)]
) -> Response:
    """What its measures are to come to, as it was put last."""
    require_read(who, household)
    services = services_of(request)
    return _json(goals_json(await run(services, lambda: services.goals.get(household, asked.as_of))))


@router.put(
    "/households/{household}/goals",
    summary="Put a household's goals",
    response_class=Response,
    responses={201: {"description": "It had none before."}, **refusals(403, 404)},
    openapi_extra={
        "requestBody": {"required": True, "content": {_JSON: {"schema": _GOALS_SCHEMA, "example": _GOALS_EXAMPLE}}}
    },
)
async def put_goals(request: Request, household: str, who: Who) -> Response:
    """All goals of the household, in place of those before, which stay as a revision; the same again makes none. A
    household's own token may do it."""
    require_settings(who, household)
    services = services_of(request)
    body = await read_json(request)
    known, made = await run(services, lambda: services.goals.put(household, body), short=False)
    return _json(goals_json(known), 201 if made else 200)


@router.get(
    "/households/{household}/goals/progress",
    summary="How a household comes along with its goals",
    response_class=Response,
    responses={
        200: {
            "description": "Values in the unit of each goal; `null` is unknown, with `why`.",
            "content": {_JSON: {"examples": {"in the middle of a month": {"value": _PROGRESS_EXAMPLE}}}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(ProgressQuery),
)
async def get_progress(
    request: Request, household: str, who: Who, asked: Annotated[ProgressQuery, query(ProgressQuery)]
) -> Response:
    """Of each goal the running period: what is used so far, what it will come to with the range in which four of five
    such projections lay, and how past periods ended.

    `status` is `on_track` or `will_miss` by the projection, `kept` or `missed` where the period is over or can't be
    turned any more; `sure` tells whether the whole range says the same. What a bill will come to is that of `/cost`.
    """
    require_read(who, household)
    services = services_of(request)
    found = await run(services, lambda: progress_json(services.goals_in_time.of(household, asked.on)), short=False)
    return _json(found)


def progress_json(found: Progress) -> dict[str, Any]:
    """The progress of goals as JSON values."""
    zone = found.household.timezone
    return {
        "household": found.household.id,
        "timezone": zone,
        "at": civil_label(zone, found.at_us),
        "goals": [_goal_json(zone, one) for one in found.goals],
    }


def _goal_json(zone: str, one: GoalProgress) -> dict[str, Any]:
    goal, period = one.goal, one.period
    return {
        "id": goal.id,
        "title": goal.title,
        "measure": goal.measure,
        "at_most" if goal.is_limit else "at_least": goal.target,
        "unit": goal.unit,
        "period": {
            "kind": goal.period,
            "start": None if period is None else civil_label(zone, period.start_us),
            "end": None if period is None else civil_label(zone, period.end_us),
            "elapsed": _told(one.elapsed),
        },
        "used": _told(one.used),
        "used_share": _told(_share(goal, one.used)),
        "coverage": _told(one.coverage),
        "projected": None if one.projected is None else _projected_json(one.projected),
        "why_not_projected": one.why_not_projected,
        "status": one.status,
        "sure": one.is_sure,
        "why": one.why,
        "past": [_past_json(zone, past) for past in one.past],
        "streak": {"current": one.streak, "longest": one.longest},
    }


def _share(goal: Goal, used: float) -> float:
    return used / goal.target if goal.target > 0 else math.nan


def _projected_json(one: Projected) -> dict[str, Any]:
    return {
        "value": _told(one.value),
        "low": _told(one.low),
        "high": _told(one.high),
        "level": LEVEL if math.isfinite(one.low) and math.isfinite(one.high) else None,
        "method": one.method,
        "notes": list(one.notes),
    }


def _past_json(zone: str, one: PastResult) -> dict[str, Any]:
    return {
        "start": civil_label(zone, one.start_us),
        "end": civil_label(zone, one.end_us),
        "value": _told(one.value),
        "coverage": _told(one.coverage),
        "kept": one.is_kept,
    }


def _told(value: float) -> float | None:
    return round(value, _DECIMALS) if math.isfinite(value) else None
