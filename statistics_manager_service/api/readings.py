"""Writing: InfluxDB v2 line protocol, and readings as JSON columns, CSV, Arrow or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import read_body
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import parameters, query
from statistics_manager_service.api.running import ask, run, services_of
from statistics_manager_service.core.readings import Decoded, RefusedLine, RefusedReading
from statistics_manager_service.errors import Forbidden, Unavailable, UnsupportedMedia
from statistics_manager_service.services.accounts.access import Caller, require_any_writing, require_write
from statistics_manager_service.services.app import AppServices
from statistics_manager_service.services.telemetry.recording import Recorded
from statistics_manager_service.services.telemetry.telemetry import Unknown

router = APIRouter(tags=["Write"])
line_protocol_router = APIRouter(tags=["Write"])

MOST_NAMED = 100
#: For the OpenAPI document; the decoder is who knows them.
_PRECISION = WithJsonSchema({"type": "string", "enum": ["ns", "us", "ms", "s"]})
MOST_REFUSED_NAMED = 1000
_EXAMPLE = {
    "household": "home1",
    "readings": [
        {
            "meter": "grid",
            "quantity": "energy_import",
            "kind": "register",
            "unit": "kWh",
            "at": ["2024-01-01T00:00:00Z", "2024-01-01T00:15:00Z"],
            "value": [6436.352, 6436.411],
        }
    ],
}
_CSV_EXAMPLE = (
    "household,meter,quantity,kind,unit,at,value\nhome1,grid,energy_import,register,kWh,2024-01-01T00:00:00Z,6436.352\n"
)


@router.post(
    "/readings",
    summary="Write readings",
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"example": _EXAMPLE},
                "text/csv": {"example": _CSV_EXAMPLE},
                "application/vnd.apache.arrow.stream": {},
                "application/vnd.apache.parquet": {},
            },
        }
    },
    responses={
        200: {
            "description": "Kept, and seen by the next query. `refused` names single readings that cannot be, and "
            "why: up to 1,000 of them; `refused_more` counts the rest.",
            "content": {
                "application/json": {"example": {"accepted": 2, "duplicates": 0, "set_aside": 0, "refused": []}}
            },
        },
        **refusals(403, 404),
    },
)
async def write_readings(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Readings of one household as JSON columns, or of any number of channels as CSV, an Arrow stream or Parquet.

    A register's unit and start do not matter; `at` is ISO 8601 or epoch seconds; intervals add `interval` (such as
    `PT15M`) and `stamp` (`start` or `end`). What is wrong with a channel as a whole refuses the whole body with all of
    its faults; a reading written again counts as a duplicate; another value for the same instant is a correction.
    """
    require_any_writing(who)
    services = services_of(request)
    media = (request.headers.get("content-type") or "application/json").split(";")[0].strip().lower()
    decode = services.decoders.get(media)
    if decode is None:
        raise UnsupportedMedia(f"{media[:80]!r} is not read here; send one of {', '.join(services.decoders)}")
    body = await read_body(request)

    def write() -> bytes:
        decoded: Decoded = decode(body)
        if decoded.household is not None:
            require_write(who, decoded.household)
        for household in {one.household for one in decoded.channels}:
            require_write(who, household)
        if decoded.household is not None and not decoded.channels:
            services.households.get(decoded.household)  # an empty body for nobody is a mistake too
        services.accounts.seen({one.household for one in decoded.channels})
        recorded = services.recorder.record(decoded.channels)
        return _recorded_json(recorded, [*decoded.refused, *recorded.refused])

    return Response(await run(services, write, short=False), media_type="application/json")


def _recorded_json(recorded: Recorded, refused: Sequence[RefusedReading]) -> bytes:
    answer: dict[str, Any] = {
        "accepted": recorded.accepted,
        "duplicates": recorded.duplicates,
        "set_aside": recorded.set_aside,
        "refused": [
            {"index": one.index, "reason": one.reason, "where": one.where} for one in refused[:MOST_REFUSED_NAMED]
        ],
    }
    if len(refused) > MOST_REFUSED_NAMED:
        answer["refused_more"] = len(refused) - MOST_REFUSED_NAMED
    return orjson.dumps(answer)


class WriteQuery(BaseModel):
    """How lines are written. Writers send what else they like."""

    precision: Annotated[str, _PRECISION] = Field("ns", description="Unit of the lines' times.")
    org: str | None = Field(None, description="Not used.")
    bucket: str | None = Field(None, description="Not used.")


@line_protocol_router.post(
    "/api/v2/write",
    summary="Write line protocol",
    status_code=204,
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/plain": {
                    "example": "energy,household=home1,meter=grid energyImported=6436352,powerImported=412 1704067200"
                }
            },
        },
        **parameters(WriteQuery),
    },
    responses={
        400: {
            "description": "Some lines are refused; the good ones are kept.",
            "content": {
                "application/json": {
                    "example": {
                        "code": "invalid",
                        "message": "2 of 10 lines are refused, the others are kept: line 3, column 21: …",
                        "line": 3,
                    }
                }
            },
        },
        **refusals(403),
    },
)
async def write_line_protocol(
    request: Request,
    asked: Annotated[WriteQuery, query(WriteQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """InfluxDB v2 line protocol: any writer of it (Telegraf, Home Assistant, `influxdb-client`) works unchanged.

    A line's household and meter are its tags `household` and `meter`, or its measurement is a household's `api_key` or
    `meter_id`. Good lines are kept; every refused one is named with its reason, up to 100.
    """
    require_any_writing(who)
    services = services_of(request)
    body = await read_body(request)

    def write(*, strangers_are_refused: bool) -> bytes | None:
        return _write_lines(services, who, body, asked.precision, strangers_are_refused)

    try:
        fault = await run(services, lambda: write(strangers_are_refused=services.accounts.state is None), short=False)
    except _Strangers as unknown:
        unavailable = await _learn(services, unknown.who)
        fault = await run(services, lambda: write(strangers_are_refused=True), short=False)
        if unavailable is not None:
            raise unavailable from unknown
    if fault is None:
        return Response(status_code=204)
    return Response(fault, status_code=400, media_type="application/json")


class _Strangers(Exception):
    """Lines are nobody's; nothing is recorded yet."""

    def __init__(self, who: Unknown) -> None:
        self.who = who


async def _learn(services: AppServices, unknown: Unknown) -> Unavailable | None:
    """Register those of some strangers that the account manager knows; what to tell the writer where it can't be asked
    for them: all lines are to be sent again then, and those that are kept by now will count as known."""
    try:
        await ask(services.accounts.learn, unknown.households)
        await ask(services.accounts.learn_keys, unknown.keys)
    except Unavailable as error:
        return Unavailable(f"lines of known households are kept; {error.sentence}", error.retry_after_s)
    return None


def _write_lines(
    services: AppServices, who: Caller, body: bytes, precision: str, strangers_are_refused: bool
) -> bytes | None:
    """Record the good lines; the error's body where lines are refused, else None. Raises Forbidden where no line is of
    the caller's household, _Strangers where lines are nobody's and that is not to refuse them yet."""
    decoded = services.decode_lines(body, precision, None if who.is_service else who.household)
    if not strangers_are_refused and any(decoded.unknown):
        raise _Strangers(decoded.unknown)
    services.accounts.seen({one.household for one in decoded.readings})
    readings, refused, lines = decoded.readings, list(decoded.refused), decoded.count
    if decoded.any_foreign and not readings:
        raise Forbidden("this token writes for its own household alone, and no line is of it")
    if readings:
        recorded = services.recorder.record(readings, whole_rows=True)
        refused += [RefusedLine(one.index, 1, one.reason) for one in recorded.refused]
    if not refused:
        return None
    refused.sort(key=lambda one: (one.line, one.column))
    named = [f"line {one.line}, column {one.column}: {one.reason}" for one in refused[:MOST_NAMED]]
    more = "" if len(refused) <= MOST_NAMED else f"; and {len(refused) - MOST_NAMED} more"
    count = len({one.line for one in refused})
    answer: dict[str, Any] = {
        "code": "invalid",
        "message": f"{count} of {lines} lines are refused, the others are kept: {'; '.join(named)}{more}",
        "line": refused[0].line,
    }
    return orjson.dumps(answer)
