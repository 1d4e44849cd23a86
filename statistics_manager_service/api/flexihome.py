"""FlexiHome's calls: energy, power and voltage of several users, newest values, measured consumption.

Quantity, unit and source are data; one function answers them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import metrics_json
from statistics_manager_service.api.running import run
from statistics_manager_service.api.statistics import services_of
from statistics_manager_service.core.civil import GroupBy, calendar, check_zone, parse_moment
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.access import Caller, require_read
from statistics_manager_service.services.asking import parse_group_by
from statistics_manager_service.services.flexihome import FlexiHome, Period

router = APIRouter(tags=["FlexiHome"])

GROUPINGS: Final = ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly")
JSON: Final = "application/json"
#: Values of an answer: some 90 MB of JSON.
MOST_VALUES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A historic endpoint: its measure, the factor from the answer's unit to FlexiHome's, and that unit."""

    path: str
    measure: str
    scale: float
    units: str
    about: str


ENDPOINTS: Final = (
    Endpoint("energy-consumption", "energy_import", MILLI, "Wh", "energy imported from the grid"),
    Endpoint("energy-injection", "energy_export", MILLI, "Wh", "energy exported to the grid"),
    Endpoint("power-consumption", "power_import", 1, "W", "mean power imported from the grid"),
    Endpoint("power-injection", "power_export", 1, "W", "mean power exported to the grid"),
    Endpoint("voltage", "voltage", 1, "V", "mean voltage"),
)


UserIds = Annotated[list[str], Query(description="One or more ids, by comma or by repetition.", examples=["home1"])]
StartDate = Annotated[str, Query(description="ISO 8601; UTC without an offset.", examples=["2024-01-01T00:00:00Z"])]
EndDate = Annotated[str | None, Query(description="Included; now unless given.")]
Grouping = Annotated[str, Query(description="One of " + ", ".join(GROUPINGS))]
Timezone = Annotated[str | None, Query(description="IANA zone of the buckets; UTC unless given.")]


def user_list(user_ids: Sequence[str], most: int) -> list[str]:
    """The ids of the query, each once. Raises BadInput where there is none, or too many."""
    ids = list(dict.fromkeys(part.strip() for text in user_ids for part in text.split(",") if part.strip()))
    if not ids:
        raise BadInput.of([Fault("user_ids", "no user is named")])
    if len(ids) > most:
        raise BadInput.of([Fault("user_ids", f"{len(ids)} users are named; at most {most} are answered at once")])
    return ids


def check_size(users: int, asked: Period) -> None:
    """Raises BadInput where the answer would be too large to be worked out at once."""
    buckets = len(asked.calendar.edges_us) - 1
    if users * buckets > MOST_VALUES:
        why = f"{users} users over {buckets} buckets are more than {MOST_VALUES} values; ask for fewer at a time"
        raise BadInput.of([Fault("user_ids", why)])


def period(start_date: str, end_date: str | None, group_by: str, timezone: str | None, now_us: int) -> Period:
    """The buckets of a query. The instant `end_date` is included. Raises BadInput with all faults."""
    faults: list[Fault] = []
    grouping, moments = GroupBy.DAILY, []
    try:
        grouping = parse_group_by(group_by, GROUPINGS)
    except BadInput as fault:
        faults += fault.faults
    zone = "UTC" if timezone is None else timezone
    try:
        check_zone(zone)
    except BadInput as fault:
        faults += fault.faults
    for where, text in (("start_date", start_date), ("end_date", end_date)):
        try:
            # a date-time without an offset is UTC here, whatever the zone of the buckets
            moments.append(now_us if text is None else parse_moment(text, "UTC", where))
        except BadInput as fault:
            faults += fault.faults
    if len(moments) == 2 and moments[1] < moments[0]:
        faults.append(Fault("end_date", "end_date lies before start_date"))
    if faults:
        raise BadInput.of(faults)
    grouping = GroupBy.WINDOWS if grouping is GroupBy.WEEKLY else grouping
    start_us, end_us = moments
    return Period(calendar(zone, grouping, start_us, end_us + 1))


def _add_historic(one: Endpoint) -> None:
    async def historic(
        request: Request,
        user_ids: UserIds,
        start_date: StartDate,
        who: Annotated[Caller, Depends(caller)],
        end_date: EndDate = None,
        group_by: Grouping = "daily",
        timezone: Timezone = None,
    ) -> Response:
        services = services_of(request)
        ids = user_list(user_ids, services.settings.max_households_per_query)
        for user in ids:
            require_read(who, user)
        asked = period(start_date, end_date, group_by, timezone, services.asking.now_us())
        check_size(len(ids), asked)

        def answer() -> bytes:
            parts = []
            for user, column in FlexiHome(services.store).columns(ids, one.measure, asked):
                metrics = b"[]"
                if column is not None:
                    metrics = metrics_json(asked.labels_us, column.value * one.scale, one.units)
                parts.append(b'{"user_id":' + orjson.dumps(user) + b',"metrics":' + metrics + b"}")
            return b"[" + b",".join(parts) + b"]"

        return Response(await run(services, answer), media_type=JSON)

    async def last(request: Request, user_ids: UserIds, who: Annotated[Caller, Depends(caller)]) -> Response:
        services = services_of(request)
        ids = user_list(user_ids, services.settings.max_households_per_query)
        for user in ids:
            require_read(who, user)

        def answer() -> bytes:
            kind = Kind.REGISTER if one.units == "Wh" else Kind.SAMPLE
            items = []
            for user, newest in FlexiHome(services.store).newest(ids, one.measure, kind):
                at_us = 0 if newest is None else newest.at_us
                value = None if newest is None else round(newest.value_milli / MILLI, 2)
                items.append({"user_id": user, "timestamp": _label(at_us), "value": value, "units": one.units})
            return orjson.dumps(items)

        return Response(await run(services, answer), media_type=JSON)

    item = {"timestamp": "2024-01-01T00:00:00Z", "value": 412.5, "units": one.units, "slot_number": 1}
    router.add_api_route(
        f"/{one.path}",
        historic,
        methods=["GET"],
        name=one.path,
        summary=f"History: {one.about}",
        description=f"The {one.about} in each bucket of several users. `null` is unknown.",
        response_class=Response,
        responses=_example([{"user_id": "home1", "metrics": [item]}]),
    )
    router.add_api_route(
        f"/{one.path}-last",
        last,
        methods=["GET"],
        name=f"{one.path}-last",
        summary=f"Newest: {one.about}",
        description="The newest register reading, or sample. Without any: 1970 and null.",
        response_class=Response,
        responses=_example([{"user_id": "home1", **{k: v for k, v in item.items() if k != "slot_number"}}]),
    )


def _example(body: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {JSON: {"example": body}}}}


for _endpoint in ENDPOINTS:
    _add_historic(_endpoint)


def _label(at_us: int) -> str:
    return iso_labels(np.array([at_us], np.int64), None)[0]


def _real(user: str, labels_us: Int64, value: Any) -> bytes:
    items = b"[]" if value is None or np.isnan(value).all() else metrics_json(labels_us, value, "kWh", "energy")
    return b'{"user_id":' + orjson.dumps(user) + b',"forecast":[],"real":' + items + b"}"


@router.get("/power-consumed-real", summary="Measured consumption", response_class=Response)
async def power_consumed_real(
    request: Request,
    user_id: Annotated[str, Query()],
    start_date: StartDate,
    who: Annotated[Caller, Depends(caller)],
    end_date: EndDate = None,
    group_by: Grouping = "daily",
    timezone: Timezone = None,
) -> Response:
    """The energy consumed in each bucket, kWh: from the dongle's register where there is one, else from the smart
    meter's intervals."""
    services = services_of(request)
    require_read(who, user_id)
    asked = period(start_date, end_date, group_by, timezone, services.asking.now_us())

    def answer() -> bytes:
        found = FlexiHome(services.store).columns([user_id], "energy_import", asked)
        return b"[" + b",".join(_real(u, asked.labels_us, None if c is None else c.value) for u, c in found) + b"]"

    return Response(await run(services, answer), media_type=JSON)


@router.get("/energy-consumed-forecast-vs-real", summary="Forecast beside measured energy", response_class=Response)
async def forecast_vs_real(
    request: Request,
    start_date: StartDate,
    who: Annotated[Caller, Depends(caller)],
    user_ids: Annotated[list[str] | None, Query(description="The token's own household unless given.")] = None,
    end_date: EndDate = None,
    group_by: Grouping = "daily",
    timezone: Timezone = None,
) -> Response:
    """The measured energy of each bucket, kWh, beside the stored forecast; `forecast` is empty where none is stored."""
    services = services_of(request)
    own = [who.household] if who.household is not None else []
    ids = user_list(user_ids or own, services.settings.max_households_per_query)
    for user in ids:
        require_read(who, user)
    asked = period(start_date, end_date, group_by, timezone, services.asking.now_us())
    check_size(len(ids), asked)

    def answer() -> bytes:
        found = FlexiHome(services.store).columns(ids, "energy_import", asked)
        return b"[" + b",".join(_real(u, asked.labels_us, None if c is None else c.value) for u, c in found) + b"]"

    return Response(await run(services, answer), media_type=JSON)
