"""Asking: statistics of one household and of many, newest values, the summary, readings with their verdicts."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import FORMATS, JSON, encode, format_named, wanted_format
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import Faulty, checked, moment, names, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import check_zone, parse_moment
from statistics_manager_service.core.definitions import DEFINITIONS, Family
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import QUANTITIES, UNITS, is_of_phase
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read, require_service
from statistics_manager_service.services.app import AppServices
from statistics_manager_service.services.asking import (
    ALL_MEASURES,
    END_NOT_AFTER_START,
    GROUPINGS,
    Question,
    check_carbon_boundary,
    check_carbon_source,
    check_compare,
    parse_group_by,
    parse_measures,
    parse_week_start,
)
from statistics_manager_service.services.overview import summary_of
from statistics_manager_service.services.telemetry.kept_readings import Page, check_quantity, parse_verdict

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
_MANY_EXAMPLE = {
    **{name: told for name, told in _COLUMNS_EXAMPLE.items() if name not in ("household", "series")},
    "households": [{name: _COLUMNS_EXAMPLE[name] for name in ("household", "series")}],
}


def _answers(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": "Columns: one item a bucket. `null` is unknown; `coverage` and `estimated` are the measured "
            "and the estimated share of each bucket's time, the rest is missing.",
            "content": {media: {"example": example} if media == JSON else {} for media in FORMATS.values()},
        },
        **refusals(403, 404),
    }


_DATE_LENGTH = len("2024-01-01")
_OFFSET = re.compile(r"[Zz+-]")


def _after_start(end: str, info: ValidationInfo) -> str:
    """Of a wall time and an instant only the service can tell which is first: it knows the household's zone."""
    start = info.data.get("start")
    if start is None:
        return end  # it was not told, or is no moment
    is_wall_time = [_OFFSET.search(text, _DATE_LENGTH) is None for text in (start, end)]
    if is_wall_time[0] == is_wall_time[1] and parse_moment(end, "UTC", "end") <= parse_moment(start, "UTC", "start"):
        raise Faulty(END_NOT_AFTER_START)
    return end


Start = Annotated[str, moment("start")]
End = Annotated[str, moment("end"), AfterValidator(_after_start)]


class StatisticsQuery(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    measures: Annotated[list[str], checked(lambda some: parse_measures(",".join(some)))] = Field(
        description="Names, by comma or by repetition: "
        + ", ".join(m for m in ALL_MEASURES if not is_of_phase(m))
        + ", and "
        "the quantities of a phase, such as `voltage_l1`.",
        examples=[["energy_import", "energy_export"]],
    )
    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2025-01-01"])
    group_by: Annotated[str, checked(parse_group_by)] = Field(
        "daily", description="One of " + ", ".join(GROUPINGS) + ".", examples=["monthly"]
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    meter: str | None = Field(
        None, max_length=64, description="One meter of the household; all that count unless named."
    )
    week_start: Annotated[str, checked(parse_week_start)] = Field("monday", description="First day of a week.")
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: readings, tariffs, contracts and prices told later do not count."
    )
    carbon_source: Annotated[str, checked(check_carbon_source)] | None = Field(
        None,
        description="Emissions by the intensities of this source; the household's unless named.",
        examples=["neso"],
    )
    carbon_boundary: Annotated[str, checked(check_carbon_boundary)] | None = Field(
        None, description="Emissions `lifecycle` or `direct` (of the stack); the household's unless named."
    )
    compare: Annotated[str, checked(check_compare)] | None = Field(
        None,
        description="`previous` or `year`: beside each series, what it was in the time before, or a year earlier, and "
        "what both come to over the days that are known of both.",
    )
    format: Annotated[str, checked(format_named)] | None = Field(
        None, description="json, csv, ndjson, arrow or parquet; wins over the Accept header."
    )

    @cached_property
    def question(self) -> Question:
        """The question as the service takes it."""
        measures = ",".join(self.measures)
        return Question(
            measures,
            self.start,
            self.end,
            self.group_by,
            self.timezone,
            self.meter,
            self.week_start,
            self.as_of,
            self.carbon_source,
            self.carbon_boundary,
            self.compare,
        )

    @cached_property
    def is_short(self) -> bool:
        """Whether an answer takes about a millisecond: some hundred days, or fine buckets within about a month; no bill
        and nothing of the past."""
        families = {DEFINITIONS[one.strip()].family for one in ",".join(self.measures).split(",")}
        if self.as_of is not None or self.compare is not None or not families <= {Family.QUANTITY, Family.BALANCE}:
            return False
        first, last = (int(text[:4]) * 12 + int(text[5:7]) for text in (self.start, self.end))
        return last - first <= (1 if self.group_by in ("15_mins", "hourly") else 24)


def _one_of_them(community: str | None, info: ValidationInfo) -> str | None:
    """The households are named in one way."""
    told = [info.data[name] for name in ("households", "group") if name in info.data]
    count = sum(bool(one) for one in (*told, community))
    if len(told) < len(("households", "group")) or count == 1:
        return community  # what is missing there is a fault of its own
    why = "name households, a group or a community" if not count else "name households, a group, or a community alone"
    raise Faulty(Fault("households", why))


class ManyQuery(StatisticsQuery):
    """What is asked of many households."""

    households: Annotated[list[str], names("households", "household")] = Field(
        [], description="Ids, by comma or by repetition.", examples=[["home1", "home2"]]
    )
    total: bool = Field(False, description="Their sum instead of each of them (rates and means can't be summed).")
    group: str | None = Field(
        None, max_length=64, description="In place of `households`: those that are members of a group at that time."
    )
    community: Annotated[str | None, AfterValidator(_one_of_them)] = Field(
        None, max_length=64, validate_default=True, description="The same of a community."
    )


@router.get(
    "/households/{household}/statistics",
    summary="Statistics of a household",
    response_class=Response,
    responses=_answers(_COLUMNS_EXAMPLE),
    openapi_extra=parameters(StatisticsQuery),
)
async def household_statistics(
    request: Request,
    household: str,
    asked: Annotated[StatisticsQuery, query(StatisticsQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Energy, power, voltage and what follows from them, in civil buckets of any IANA zone.

    Energies are exact to the milliwatt-hour: the values of any grouping add up to the total, and the total is the
    corrected register's difference between the ends of the range.
    """
    accept = request.headers.get("accept", "")
    body, media = await statistics_answer(services_of(request), household, asked, who, accept)
    return Response(body, media_type=media)


async def statistics_answer(
    services: AppServices, household: str, asked: StatisticsQuery, who: Caller, accept: str
) -> tuple[bytes, str]:
    """The body and its media type. Raises StatisticsError."""
    require_read(who, household)
    media = wanted_format(accept, asked.format)

    def answer() -> bytes:
        return services.asking.encoded(household, asked.question, media, lambda found: encode([found], media))

    return await run(services, answer, short=asked.is_short), media


@router.get(
    "/statistics",
    summary="Statistics of many households",
    response_class=Response,
    responses=_answers(_MANY_EXAMPLE),
    openapi_extra=parameters(ManyQuery),
)
async def many_statistics(
    request: Request, asked: Annotated[ManyQuery, query(ManyQuery)], who: Annotated[Caller, Depends(caller)]
) -> Response:
    """The same for many households at once, each alone or their sum, in one zone. For the service's own tokens; a
    household's token may name itself.

    Of a group or community: each household that is a member at some time between start and end, as it is all the time;
    with `total` the group's sum, in which each counts while it is a member (as in `/groups/{group}/statistics`).
    """
    group = asked.group or asked.community
    if group is not None:
        require_service(who)
    for one in asked.households:
        require_read(who, one)
    media = wanted_format(request.headers.get("accept", ""), asked.format)
    services = services_of(request)

    def answer() -> bytes:
        if group is not None and asked.total:
            return encode([services.group_statistics.statistics(group, asked.question)], media, many=True)
        households = asked.households
        if group is not None:
            households = services.group_statistics.members_between(group, asked.question)
        found = services.asking.many(households, asked.question)
        return encode([services.asking.summed(found)] if asked.total else found, media, many=True)

    return Response(await run(services, answer, short=False), media_type=media)


@router.get(
    "/households/{household}/last",
    summary="Newest value of each channel",
    response_class=Response,
    responses=refusals(403, 404),
)
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
            for one in services.kept_readings.newest(household)
        ]
        return orjson.dumps({"household": household, "channels": channels})

    return Response(await run(services, answer), media_type=JSON)


@router.get(
    "/households/{household}/summary",
    summary="Today, this month, this year",
    response_class=Response,
    responses=refusals(403, 404),
)
async def household_summary(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """The household's energies and rates of today, this month and this year so far, in its own zone."""
    require_read(who, household)
    services = services_of(request)
    body = await run(services, lambda: orjson.dumps(summary_of(services.asking, household)), short=False)
    return Response(body, media_type=JSON)


class ReadingsQuery(BaseModel):
    """Which readings."""

    model_config = ConfigDict(extra="forbid")

    quantity: Annotated[str, checked(check_quantity)] | None = Field(
        None, description="A quantity of the meter; all of them unless named."
    )
    start: Start | None = Field(None, description="Civil date of the household's zone, or a date-time; included.")
    end: End | None = Field(None, description="The same; not included.")
    verdict: Annotated[str, checked(parse_verdict)] | None = Field(
        None, description="plausible, glitch, suspect, held, reset, rollover or overlap.", examples=["glitch"]
    )
    limit: int = Field(1000, ge=1, le=100_000, description="At most so many readings a channel.")
    revisions: bool = Field(False, description="Also the earlier values that corrections have replaced.")


@router.get(
    "/households/{household}/meters/{meter}/readings",
    summary="Readings with their verdicts",
    response_class=Response,
    responses=refusals(403, 404),
    openapi_extra=parameters(ReadingsQuery),
)
async def meter_readings(
    request: Request,
    household: str,
    meter: str,
    asked: Annotated[ReadingsQuery, query(ReadingsQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """What was read, and what the service thinks of it: nothing is thrown away.

    `next` is the `start` of the next page.
    """
    require_read(who, household)
    services = services_of(request)

    def answer() -> bytes:
        zone = services.households.get(household).timezone
        start_us = 0 if asked.start is None else parse_moment(asked.start, zone, "start")
        end_us = 2**62 if asked.end is None else parse_moment(asked.end, zone, "end")
        if end_us <= start_us:
            raise BadInput.of([END_NOT_AFTER_START])
        pages = services.kept_readings.pages(
            household,
            meter,
            asked.quantity or "",
            start_us,
            end_us,
            asked.verdict,
            asked.limit,
            with_revisions=asked.revisions,
        )
        return orjson.dumps(
            {"household": household, "meter": meter, "channels": [_page_json(page, asked.revisions) for page in pages]}
        )

    return Response(await run(services, answer, short=False), media_type=JSON)


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
