"""Records and streaks of a household."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone, civil_label
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.asking import GROUPINGS, parse_group_by, parse_measures
from statistics_manager_service.services.insight.compared import KNOWN_SHARE
from statistics_manager_service.services.insight.records import (
    CONDITIONS,
    Extremes,
    HomeRecords,
    Record,
    RecordsQuestion,
    Streak,
    Streaks,
)

router = APIRouter(tags=["Ask"])

_BUCKET: Final = {"start": "2024-06-21T00:00:00+01:00", "end": "2024-06-22T00:00:00+01:00"}
_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "measure": "energy_import",
    "unit": "kWh",
    "group_by": "daily",
    "least_coverage": KNOWN_SHARE,
    "records": {
        "daily": {
            "highest": {"start": "2024-01-09T00:00:00+00:00", "end": "2024-01-10T00:00:00+00:00", "value": 18.42,
                        "coverage": 1.0},
            "lowest": {**_BUCKET, "value": 0.31, "coverage": 1.0},
            "counted": 364,
            "left_out": 2,
        }
    },
    "streaks": [
        {
            "condition": "at_most",
            "value": 5.0,
            "held": 41,
            "longest": {"buckets": 12, "start": "2024-06-10T00:00:00+01:00", "end": "2024-06-22T00:00:00+01:00"},
            "current": None,
        }
    ],
    "why": None,
}  # fmt: skip


def _one_measure(text: str) -> None:
    if "," in text:
        raise BadInput.of([Fault("measure", "one measure is told at a time")])
    try:
        parse_measures(text)
    except BadInput as error:
        raise BadInput.of([Fault("measure", one.why) for one in error.faults]) from error


Threshold = Annotated[float, Field(allow_inf_nan=False)] | None


class RecordsQuery(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    measure: Annotated[str, checked(_one_measure)] = Field(
        description="One measure of `/statistics`.", examples=["energy_import"]
    )
    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2025-01-01"])
    group_by: Annotated[str, checked(parse_group_by)] = Field(
        "daily", description="Streaks are of these: one of " + ", ".join(GROUPINGS) + ".", examples=["daily"]
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    meter: str | None = Field(
        None, max_length=64, description="One meter of the household; all that count unless named."
    )
    least_coverage: float = Field(
        KNOWN_SHARE, ge=0, le=1, description="A bucket counts of which this share is measured or estimated."
    )
    at_least: Threshold = Field(None, description="Tell streaks of buckets with at least this value.", examples=[0.5])
    at_most: Threshold = Field(None, description="Of buckets with at most this value: 0 of no import at all.")
    above: Threshold = Field(None, description="Of buckets with more than it.")
    below: Threshold = Field(None, description="Of buckets with less than it.")

    @property
    def question(self) -> RecordsQuestion:
        """The question as the service takes it."""
        told = ((name, getattr(self, name)) for name in CONDITIONS)
        return RecordsQuestion(
            self.measure,
            self.start,
            self.end,
            self.group_by,
            self.timezone,
            self.meter,
            self.least_coverage,
            tuple((name, value) for name, value in told if value is not None),
        )


@router.get(
    "/households/{household}/records",
    summary="Records and streaks",
    response_class=Response,
    responses={
        200: {
            "description": "Values in `unit`; `null` where no bucket counts.",
            "content": {JSON: {"examples": {"days of little import": {"value": _EXAMPLE}}}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(RecordsQuery),
)
async def household_records(
    request: Request,
    household: str,
    asked: Annotated[RecordsQuery, query(RecordsQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """The highest and the lowest day, week and month (and what `group_by` names) of a measure, and the longest and the
    current streak of buckets that fulfil a condition.

    Only buckets count that are over, whole within the time, and known to `least_coverage`; how many are left out is
    told. Of equal ones the earlier is the record. A bucket that does not count ends a streak.
    """
    require_read(who, household)
    services = services_of(request)
    found = await run(services, lambda: records_json(services.records.of(household, asked.question)), short=False)
    return Response(orjson.dumps(found), media_type=JSON)


def records_json(found: HomeRecords) -> dict[str, Any]:
    """Records as JSON values."""
    zone = found.zone
    return {
        "household": found.household,
        "timezone": zone,
        "measure": found.measure,
        **({} if found.meter is None else {"meter": found.meter}),
        "unit": found.unit,
        "group_by": found.group_by,
        "least_coverage": found.least_share,
        "records": {name: _extremes_json(zone, one) for name, one in found.records.items()},
        "streaks": [_streaks_json(zone, one) for one in found.streaks],
        "why": found.why,
    }


def _extremes_json(zone: str, one: Extremes) -> dict[str, Any]:
    return {
        "highest": _record_json(zone, one.highest),
        "lowest": _record_json(zone, one.lowest),
        "counted": one.counted,
        "left_out": one.left_out,
    }


def _record_json(zone: str, one: Record | None) -> dict[str, Any] | None:
    if one is None:
        return None
    value = one.value if math.isfinite(one.value) else None
    return {**_span(zone, one.start_us, one.end_us), "value": value, "coverage": one.coverage}


def _streaks_json(zone: str, one: Streaks) -> dict[str, Any]:
    return {
        "condition": one.condition,
        "value": one.value,
        "held": one.held,
        "longest": _streak_json(zone, one.longest),
        "current": _streak_json(zone, one.current),
    }


def _streak_json(zone: str, one: Streak | None) -> dict[str, Any] | None:
    return None if one is None else {"buckets": one.length, **_span(zone, one.start_us, one.end_us)}


def _span(zone: str, start_us: int, end_us: int) -> dict[str, str]:
    return {"start": civil_label(zone, start_us), "end": civil_label(zone, end_us)}
