"""Groups of homes and communities: who is in them, their sums, and a home among similar ones."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import exact_json, read_body, read_json
from statistics_manager_service.api.encoding import FORMATS, JSON, encode, format_named, group_json, wanted_format
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.group_sums import SUMMED
from statistics_manager_service.errors import BadInput, Fault, Forbidden
from statistics_manager_service.services.accounts.access import Caller, require_read, require_service, require_settings
from statistics_manager_service.services.app import AppServices
from statistics_manager_service.services.asking import (
    GROUPINGS,
    Question,
    check_carbon_boundary,
    check_carbon_source,
    parse_group_by,
    parse_measures,
    parse_week_start,
)
from statistics_manager_service.services.groups.comparing_homes import Compared
from statistics_manager_service.services.groups.group_documents import date_of, group_schema, span_json
from statistics_manager_service.services.groups.group_documents import group_json as document_of
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, GroupRow
from statistics_manager_service.services.groups.groups import Membership, Sharing
from statistics_manager_service.services.groups.telling import NOT_FOR_YOU

router = APIRouter(tags=["Groups"])
Who = Annotated[Caller, Depends(caller)]

_GROUP: Final = {
    "title": "Rua das Flores",
    "kind": "community",
    "timezone": "UTC",
    "members": [{"household": "home1", "from": "2026-01-01"}],
    "sharing": {"sources": [{"household": "home1", "measure": "energy_export"}], "rule": "proportional"},
}
_KNOWN: Final = {"id": "flores", **_GROUP}
_LISTED: Final = {
    "groups": [
        {"id": "flores", "title": "Rua das Flores", "kind": "community", "timezone": "Europe/Lisbon", "members": 2,
         "sharing": 0}
    ],
    "next": None,
}  # fmt: skip
_MEMBERSHIP: Final = {
    "group": "flores",
    "title": "Rua das Flores",
    "kind": "community",
    "timezone": "Europe/Lisbon",
    "from": "2026-01-01",
    "shares": True,
}
_TOLD_TO_A_HOME: Final = {
    "group": "flores",
    "timezone": "Europe/Lisbon",
    "group_by": "monthly",
    "start": "2026-01-01",
    "end": "2026-02-01",
    "buckets": [{"start": "2026-01-01T00:00:00+00:00", "end": "2026-02-01T00:00:00+00:00"}],
    "homes": [12],
    "series": [
        {
            "measure": "energy_import",
            "unit": "kWh",
            "values": [4120.25],
            "coverage": [0.97],
            "estimated": [0.0],
            "total": 4120.25,
            "lacks": [{"bucket": 0, "share": 0.03225806451612903, "why": "…"}],
        }
    ],
}
_SUMS: Final = {name: told for name, told in _TOLD_TO_A_HOME.items() if name != "homes"} | {
    "series": [
        {
            "measure": "energy_import",
            "unit": "kWh",
            "values": [4120.25],
            "coverage": [0.97],
            "estimated": [0.02],
            "total": 4120.25,
        }
    ],
}
_COMPARED: Final = {
    "household": "home1",
    "group": "flores",
    "measure": "energy_import",
    "unit": "kWh",
    "start": "2026-01-01",
    "end": "2026-02-01",
    "timezone": "Europe/Lisbon",
    "value": 342.5,
    "compared_with": {"homes": 14, "similar": True, "traits": ["production"]},
    "percentiles": {"25": 180.0, "50": 260.0, "75": 350.0},
    "rank": {"from": 50, "to": 75},
    "why": None,
}


def _examples(**told: Any) -> dict[str, Any]:
    """Examples by what they are of."""
    return {"examples": {name.replace("_", " "): {"value": one} for name, one in told.items()}}


def _example(told: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {JSON: {"example": told}}}}


class GroupsQuery(BaseModel):
    """Which page of the groups."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=64, pattern=r"^[^\x00]*$", description="Id after which the page begins.")
    limit: int = Field(100, ge=1, le=1000, description="Groups a page.")


class GroupStatisticsQuery(BaseModel):
    """What is asked of a group."""

    model_config = ConfigDict(extra="forbid")

    measures: Annotated[list[str], checked(lambda some: parse_measures(",".join(some)))] = Field(
        description="Names, by comma or by repetition: "
        + ", ".join(SUMMED)
        + "; for the service also all others that add up, such as `cost_net`.",
        examples=[["energy_import", "self_consumption_rate"]],
    )
    start: Start = Field(description="Civil date, or (for the service) a date-time; included.", examples=["2026-01-01"])
    end: End = Field(description="The same; not included.", examples=["2026-02-01"])
    group_by: Annotated[str, checked(lambda text: parse_group_by(text, _GROUPINGS))] = Field(
        "daily", description="daily, weekly, monthly, yearly, total; for the service also 15_mins and hourly."
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the group's unless the service names another."
    )
    week_start: Annotated[str, checked(parse_week_start)] = Field("monday", description="First day of a week.")
    carbon_source: Annotated[str, checked(check_carbon_source)] | None = Field(
        None, description="Emissions by the intensities of this source; each household's unless named."
    )
    carbon_boundary: Annotated[str, checked(check_carbon_boundary)] | None = Field(
        None, description="Emissions `lifecycle` or `direct` (of the stack); each household's unless named."
    )
    format: Annotated[str, checked(format_named)] | None = Field(
        None, description="json, csv, ndjson, arrow or parquet; wins over the Accept header."
    )

    @cached_property
    def question(self) -> Question:
        """The question as the service takes it."""
        measures = ",".join(parse_measures(",".join(self.measures)))
        return Question(
            measures,
            self.start,
            self.end,
            self.group_by,
            self.timezone,
            None,
            self.week_start,
            carbon_source=self.carbon_source,
            carbon_boundary=self.carbon_boundary,
        )


_GROUPINGS: Final = tuple(one for one in GROUPINGS if one != "billing")


class ComparisonQuery(BaseModel):
    """What a home is compared by, and with whom."""

    model_config = ConfigDict(extra="forbid")

    group: str = Field(max_length=64, description="A group that the home shares with.")
    measure: Annotated[str, checked(lambda text: _check_measure(text))] = Field(
        description="One of " + ", ".join(SUMMED) + ".", examples=["energy_import"]
    )
    start: Start = Field(description="The first of a month; for the service any moment.", examples=["2026-01-01"])
    end: End = Field(description="A month later, or a calendar year; not included.", examples=["2026-02-01"])


def _check_measure(text: str) -> None:
    if text not in SUMMED:
        raise BadInput.of([Fault("measure", f"{text[:60]!r} can't be compared; one of {', '.join(SUMMED)} can")])


# --- groups -----------------------------------------------------------------------------------------------------------


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def _listed(group: GroupRow, members: int, sharing: int) -> dict[str, Any]:
    return {
        "id": group.id,
        "title": group.title,
        "kind": group.kind,
        "timezone": group.timezone,
        "members": members,
        "sharing": sharing,
    }


@router.get(
    "/groups",
    summary="List groups",
    response_class=Response,
    responses=_example(_LISTED) | refusals(403),
    openapi_extra=parameters(GroupsQuery),
)
async def list_groups(request: Request, who: Who, asked: Annotated[GroupsQuery, query(GroupsQuery)]) -> Response:
    """Service only. A page in the order of ids; `sharing` is how many members share with the group, `next` the `after`
    of the next page."""
    require_service(who)
    services = services_of(request)
    found = await run(services, lambda: services.groups.page(asked.after, asked.limit))
    more = found[-1][0].id if len(found) == asked.limit else None
    return _json({"groups": [_listed(*one) for one in found], "next": more})


@router.put(
    "/groups/{group}",
    summary="Put a group",
    response_class=Response,
    responses={
        200: {"content": {JSON: {"example": _KNOWN}}},
        201: {"description": "It was not there before, and is made."},
        **refusals(403, 404, 409),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": group_schema(), "example": _GROUP}},
        }
    },
)
async def put_group(request: Request, group: str, who: Who) -> Response:
    """Service only. A group in place of what was told of it before; all faults are told at once.

    Members are so from a civil date to another, in the group's zone, which stays (409). A community can share what
    members make: by `fixed` coefficients, which add up to 1 at most, or in proportion to the import of each
    quarter-hour.
    """
    require_service(who)
    services = services_of(request)
    body = exact_json(await read_body(request))
    known, made = await run(services, lambda: services.groups.put(group, body), short=False)
    return _json(document_of(known.group, known.members), 201 if made else 200)


@router.get(
    "/groups/{group}",
    summary="A group",
    response_class=Response,
    responses=_example(_KNOWN) | refusals(403, 404),
)
async def get_group(request: Request, group: str, who: Who) -> Response:
    """Service only. As it can be put."""
    require_service(who)
    services = services_of(request)
    known = await run(services, lambda: services.groups.get(group))
    return _json(document_of(known.group, known.members))


@router.delete(
    "/groups/{group}",
    summary="Delete a group",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
async def delete_group(request: Request, group: str, who: Who) -> Response:
    """Service only. The households stay."""
    require_service(who)
    services = services_of(request)
    await run(services, lambda: services.groups.delete(group), short=False)
    return Response(status_code=204)


# --- a household's own ------------------------------------------------------------------------------------------------


def membership_json(one: Membership) -> dict[str, Any]:
    """A membership as the household is told it."""
    shares: dict[str, Any] = {"shares": one.since_day is not None}
    if one.since_day is not None and one.since_day > FIRST_DAY:
        shares["shares_from"] = date_of(one.since_day)
    return {
        "group": one.group.id,
        "title": one.group.title,
        "kind": one.group.kind,
        "timezone": one.group.timezone,
        **span_json(one.member.from_day, one.member.to_day),
        **shares,
    }


@router.get(
    "/households/{household}/groups",
    summary="The groups that a household is in",
    response_class=Response,
    responses=_example({"household": "home2", "groups": [_MEMBERSHIP]}) | refusals(403, 404),
)
async def get_memberships(request: Request, household: str, who: Who) -> Response:
    """Its own memberships, and whether it shares its data with the group; nothing of the other members."""
    require_read(who, household)
    services = services_of(request)
    found = await run(services, lambda: services.groups.memberships(household))
    return _json({"household": household, "groups": [membership_json(one) for one in found]})


@router.put(
    "/households/{household}/groups/{group}",
    summary="Share with a group, or not",
    response_class=Response,
    responses=_example(_MEMBERSHIP) | refusals(403, 404, 409),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": Sharing.model_json_schema(), "example": {"shares": True}}},
        }
    },
)
async def put_sharing(request: Request, household: str, group: str, who: Who) -> Response:
    """Whether the household counts in what the group's homes are told, and is told it too. The household's own token
    may do it. It shares with one group at a time (409), and what homes were told while it did stays told."""
    require_settings(who, household)
    services, body = services_of(request), await read_json(request)
    found = await run(services, lambda: services.groups.share(household, group, body), short=False)
    return _json(membership_json(found))


# --- figures ----------------------------------------------------------------------------------------------------------


@router.get(
    "/groups/{group}/statistics",
    summary="Statistics of a group",
    response_class=Response,
    responses={
        200: {
            "content": {
                **{media: {} for media in FORMATS.values()},
                JSON: _examples(to_the_service=_SUMS, to_a_home=_TOLD_TO_A_HOME),
            }
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(GroupStatisticsQuery),
)
async def group_statistics(
    request: Request, group: str, who: Who, asked: Annotated[GroupStatisticsQuery, query(GroupStatisticsQuery)]
) -> Response:
    """The members' sum, exact to the milliwatt-hour; a rate is the ratio of sums.

    The service has all members, as they are now. A household that is a member and shares is told of days, or sums of
    days, over at least ten homes that share, each day once and for good; what can't be told is null, and `lacks` says
    why. `homes` is of how many. To any other household the answer is the same, whether there is such a group (403).
    """
    services = services_of(request)
    media = wanted_format(request.headers.get("accept", ""), asked.format)
    if who.is_service:
        body = await run(services, lambda: group_sums(services, group, asked.question, media), short=False)
    else:
        household = who.household
        if household is None:
            raise Forbidden(NOT_FOR_YOU)
        body = await run(services, lambda: _told(services, household, group, asked.question, media), short=False)
    return Response(body, media_type=media)


def group_sums(services: AppServices, group: str, question: Question, media: str) -> bytes:
    """The sum of a group for the service, in a media type."""
    return services.group_statistics.encoded(
        group, question, media, lambda found: group_json(found) if media == JSON else encode([found], media)
    )


def _told(services: AppServices, household: str, group: str, question: Question, media: str) -> bytes:
    found = services.telling.statistics(household, group, question)
    return group_json(found.statistics, found.homes) if media == JSON else encode([found.statistics], media)


@router.get(
    "/households/{household}/comparison",
    summary="A home among similar ones",
    response_class=Response,
    responses={200: {"content": {JSON: _examples(to_a_home=_COMPARED)}}, **refusals(403, 404)},
    openapi_extra=parameters(ComparisonQuery),
)
async def household_comparison(
    request: Request, household: str, who: Who, asked: Annotated[ComparisonQuery, query(ComparisonQuery)]
) -> Response:
    """Its own figure of a month or a year, the quartiles of similar homes of the group (those with the same of:
    production, battery, EV, heat pump), or of all where fewer than ten are similar, and between which of them it lies.

    For a household that shares with the group; percentiles are rounded to two digits and told once and for good. The
    service has any time, any members, exactly.
    """
    require_read(who, household)
    services = services_of(request)
    compare = services.homes_compared.for_service if who.is_service else services.homes_compared.for_home
    arguments = (household, asked.group, asked.measure, asked.start, asked.end)
    found = await run(services, lambda: compare(*arguments), short=False)
    told = {"household": household, "group": asked.group, "measure": asked.measure}
    return _json(told | _compared_json(found, asked))


def _compared_json(found: Compared, asked: ComparisonQuery) -> dict[str, Any]:
    homes, rank = found.homes, found.rank
    is_similar = found.traits is not None
    among = {"homes": homes, "similar": is_similar, "traits": list(found.traits or ())}
    return {
        "unit": found.unit,
        "start": asked.start,
        "end": asked.end,
        "timezone": found.timezone,
        "value": None if np.isnan(found.value) else found.value,
        "compared_with": None if homes is None else among,
        "percentiles": {str(percent): value for percent, value in found.points.items()},
        "rank": None if rank is None else {"from": rank[0], "to": rank[1]},
        "why": found.why,
    }
