"""Asking: statistics of one household and of many, newest values, the summary, readings with their verdicts."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import FORMATS, encode, wanted_format
from statistics_manager_service.api.running import run
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import QUANTITIES, UNITS
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.access import Caller, require_read
from statistics_manager_service.services.app import AppServices
from statistics_manager_service.services.asking import GROUPINGS, Page, Question
from statistics_manager_service.services.measuring import MEASURES
from statistics_manager_service.services.overview import summary_of

router = APIRouter(tags=["Ask"])

_COLUMNS_EXAMPLE = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "group_by": "monthly",
    "start": "2024-01-01",
    "end": "2024-03-01",
    "buckets": [
        {"start": "2024-01-01T00:00:00+00:00", "end": "2024-02-01T00:00:00+00:00"},
        {"start": "2024-02-01T00:00:00+00:00", "end": "2024-03-01T00:00:00+00:00"},
    ],
    "series": [
        {
            "measure": "energy_import",
            "unit": "kWh",
            "values": [332.919, 363.078],
            "coverage": [1.0, 0.97],
            "estimated": [0.0, 0.03],
            "total": 695.997,
        }
    ],
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Columns: one item a bucket. `null` is unknown; `coverage` and `estimated` are the measured and "
        "the estimated share of each bucket's time, the rest is missing.",
        "content": {
            media: {"example": _COLUMNS_EXAMPLE} if media == FORMATS["json"] else {} for media in FORMATS.values()
        },
    }
}


class StatisticsQuery(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    measures: str = Field(
        description="Names, separated by commas: " + ", ".join(m for m in MEASURES if "_l" not in m) + ", and the "
        "quantities of a phase, such as `voltage_l1`.",
        examples=["energy_import,energy_export"],
    )
    start: str = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: str = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2025-01-01"])
    group_by: str = Field("daily", description="One of " + ", ".join(GROUPINGS) + ".", examples=["monthly"])
    timezone: str | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    meter: str | None = Field(
        None, max_length=64, description="One meter of the household; all that count unless named."
    )
    week_start: str = Field("monday", description="First day of a week.")
    format: str | None = Field(None, description="json, csv, ndjson, arrow or parquet; wins over the Accept header.")

    @cached_property
    def question(self) -> Question:
        """The question as the service takes it."""
        return Question(self.measures, self.start, self.end, self.group_by, self.timezone, self.meter, self.week_start)

    @cached_property
    def is_short(self) -> bool:
        """Whether an answer takes about a millisecond: some hundred days, or fine buckets within about a month."""
        months = [text[:4] + text[5:7] for text in (self.start, self.end)]
        if not all(month.isdecimal() and len(month) == 6 for month in months):
            return True  # no dates: refused at once
        first, last = (int(month[:4]) * 12 + int(month[4:]) for month in months)
        return last - first <= (1 if self.group_by in ("15_mins", "hourly") else 24)


class ManyQuery(StatisticsQuery):
    """What is asked of many households."""

    households: str = Field(description="Ids, separated by commas.", examples=["home1,home2"])
    total: bool = Field(False, description="Their sum instead of each of them (rates and means can't be summed).")


def services_of(request: Request) -> AppServices:
    """The services that the application was made with."""
    found: AppServices = request.app.state.services
    return found


@router.get(
    "/households/{household}/statistics",
    summary="Statistics of a household",
    response_class=Response,
    responses=ANSWERS,
)
async def household_statistics(
    request: Request,
    household: str,
    query: Annotated[StatisticsQuery, Query()],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Energy, power, voltage and what follows from them, in civil buckets of any IANA zone.

    Energies are exact to the milliwatt-hour: the values of any grouping add up to the total, and the total is the
    corrected register's difference between the ends of the range.
    """
    accept = request.headers.get("accept", "")
    body, media = await statistics_answer(services_of(request), household, query, who, accept)
    return Response(body, media_type=media)


async def statistics_answer(
    services: AppServices, household: str, query: StatisticsQuery, who: Caller, accept: str
) -> tuple[bytes, str]:
    """The body and its media type. Raises StatisticsError."""
    require_read(who, household)
    media = wanted_format(accept, query.format)

    def answer() -> bytes:
        return services.asking.encoded(household, query.question, media, lambda found: encode([found], media))

    return await run(services, answer, short=query.is_short), media


@router.get("/statistics", summary="Statistics of many households", response_class=Response, responses=ANSWERS)
async def many_statistics(
    request: Request, query: Annotated[ManyQuery, Query()], who: Annotated[Caller, Depends(caller)]
) -> Response:
    """The same for many households at once, each alone or their sum, in one zone. For the service's own tokens; a
    household's token may name itself."""
    ids = [one for one in (part.strip() for part in query.households.split(",")) if one]
    if not ids:
        raise BadInput.of([Fault("households", "no household is named")])
    for one in ids:
        require_read(who, one)
    media = wanted_format(request.headers.get("accept", ""), query.format)
    services = services_of(request)

    def answer() -> bytes:
        found = services.asking.many(ids, query.question)
        return encode([services.asking.summed(found)] if query.total else found, media, many=True)

    return Response(await run(services, answer, short=False), media_type=media)


@router.get("/households/{household}/last", summary="Newest value of each channel", response_class=Response)
async def household_last(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """The newest reading of each channel, in the unit of the channel."""
    require_read(who, household)
    services = services_of(request)

    def answer() -> bytes:
        channels = [
            {
                "meter": one.channel.meter,
                "quantity": one.channel.quantity,
                "kind": one.channel.kind,
                "at": iso_labels(_column([one.at_us]), None)[0],
                "value": one.value_milli / factor_of(one.channel.quantity, one.channel.unit),
                "unit": one.channel.unit,
            }
            for one in services.asking.newest(household)
        ]
        return orjson.dumps({"household": household, "channels": channels})

    return Response(await run(services, answer), media_type=FORMATS["json"])


@router.get("/households/{household}/summary", summary="Today, this month, this year", response_class=Response)
async def household_summary(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """The household's energies and rates of today, this month and this year so far, in its own zone."""
    require_read(who, household)
    services = services_of(request)
    body = await run(services, lambda: orjson.dumps(summary_of(services.asking, household)))
    return Response(body, media_type=FORMATS["json"])


class ReadingsQuery(BaseModel):
    """Which readings."""

    model_config = ConfigDict(extra="forbid")

    quantity: str = Field("", max_length=64, description="A quantity of the meter; all of them unless named.")
    start: str | None = Field(None, description="Civil date of the household's zone, or a date-time; included.")
    end: str | None = Field(None, description="The same; not included.")
    verdict: str | None = Field(
        None, description="plausible, glitch, suspect, held, reset, rollover or overlap.", examples=["glitch"]
    )
    limit: int = Field(1000, ge=1, le=100_000, description="At most so many readings a channel.")
    revisions: bool = Field(False, description="Also the earlier values that corrections have replaced.")


@router.get(
    "/households/{household}/meters/{meter}/readings",
    summary="Readings with their verdicts",
    response_class=Response,
)
async def meter_readings(
    request: Request,
    household: str,
    meter: str,
    query: Annotated[ReadingsQuery, Query()],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """What was read, and what the service thinks of it: nothing is thrown away.

    `next` is the `start` of the next page.
    """
    require_read(who, household)
    services = services_of(request)

    def answer() -> bytes:
        zone = services.households.get(household).timezone
        start_us = 0 if query.start is None else parse_moment(query.start, zone, "start")
        end_us = 2**62 if query.end is None else parse_moment(query.end, zone, "end")
        if end_us <= start_us:
            raise BadInput.of([Fault("end", "the end is not after the start")])
        pages = services.asking.readings(
            household,
            meter,
            query.quantity,
            start_us,
            end_us,
            query.verdict,
            query.limit,
            with_revisions=query.revisions,
        )
        return orjson.dumps(
            {"household": household, "meter": meter, "channels": [_page_json(page, query.revisions) for page in pages]}
        )

    return Response(await run(services, answer, short=False), media_type=FORMATS["json"])


def _page_json(page: Page, with_revisions: bool) -> dict[str, Any]:
    channel = page.channel
    factor = factor_of(channel.quantity, channel.unit)
    more = None if page.more_us is None else iso_labels(_column([page.more_us]), None)[0]
    out: dict[str, Any] = {
        "quantity": channel.quantity,
        "kind": channel.kind,
        "unit": channel.unit,
        "at": iso_labels(_column(page.at_us), None) if page.at_us else [],
        "value": [value / factor for value in page.value_milli],
        "verdict": page.verdict,
        "provisional": page.provisional,
        "next": more,
    }
    if with_revisions:
        revisions = page.revisions
        out["revisions"] = {
            "at": iso_labels(_column([one.at_us for one in revisions]), None),
            "value": [one.value_milli / factor for one in revisions],
            "replaced": iso_labels(_column([one.replaced_us for one in revisions]), None),
        }
    return out


def _column(values: list[int]) -> Int64:
    return np.array(values, np.int64)


def factor_of(quantity: str, unit: str) -> int:
    """Milli-units in a unit of a quantity."""
    return UNITS[QUANTITIES[quantity].dimension][unit]
