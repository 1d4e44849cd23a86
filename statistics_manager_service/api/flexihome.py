"""FlexiHome's calls: energy, power and voltage of several users, newest values, measured consumption.

Quantity, unit and source are data; one function answers them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import metrics_json
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import Faulty, UserId, UserIds, asker_of, checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import GroupBy, calendar, check_zone, parse_moment
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.asking import parse_group_by
from statistics_manager_service.services.flexihome import FlexiHome, Period

router = APIRouter(tags=["FlexiHome"])

GROUPINGS: Final = ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly")
JSON: Final = "application/json"
#: Values of an answer: some 90 MB of JSON.
MOST_VALUES: Final = 1_000_000
#: So many users and buckets are answered within some milliseconds.
_FEW_USERS: Final = 4
_FEW_VALUES: Final = 4_000


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


def _not_before_start(end: str | None, info: ValidationInfo) -> str | None:
    start = info.data.get("start_date")
    if start is None:
        return end  # it was not told, or is no moment
    end_us = asker_of(info).now_us if end is None else parse_moment(end, "UTC", "end_date")
    if end_us < parse_moment(start, "UTC", "start_date"):
        raise Faulty(Fault("end_date", "end_date lies before start_date"))
    return end


class PeriodQuery(BaseModel):
    """Over which time, and in which buckets. A date-time without an offset is UTC, whatever the zone of the buckets."""

    start_date: Annotated[str, moment("start_date")] = Field(
        description="ISO 8601; UTC without an offset.", examples=["2024-01-01T00:00:00Z"]
    )
    end_date: Annotated[Annotated[str, moment("end_date")] | None, AfterValidator(_not_before_start)] = Field(
        None, description="Included; now unless given.", validate_default=True
    )
    group_by: Annotated[str, checked(lambda text: parse_group_by(text, GROUPINGS))] = Field(
        "daily", description="One of " + ", ".join(GROUPINGS)
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone of the buckets; UTC unless given."
    )

    def period(self, now_us: int) -> Period:
        """The buckets. The instant `end_date` is included. Raises BadInput where they are too many."""
        grouping = GroupBy.WINDOWS if self.group_by == GroupBy.WEEKLY else GroupBy(self.group_by)
        start_us = parse_moment(self.start_date, "UTC", "start_date")
        end_us = now_us if self.end_date is None else parse_moment(self.end_date, "UTC", "end_date")
        return Period(calendar(self.timezone or "UTC", grouping, start_us, end_us + 1))


class UsersQuery(BaseModel):
    """Which users."""

    user_ids: UserIds = Field(description="One or more ids, by comma or by repetition.", examples=[["home1"]])


class HistoricQuery(PeriodQuery, UsersQuery):
    """Which users over which time."""


class RealQuery(PeriodQuery):
    """Which user over which time."""

    user_id: UserId


def _own(told: list[str], info: ValidationInfo) -> list[str]:
    own = asker_of(info).who.household
    return told if own is None or any(text.strip() for text in told) else [own]


class ForecastQuery(PeriodQuery):
    """Which users over which time."""

    user_ids: Annotated[UserIds, BeforeValidator(_own)] = Field(
        [], description="The token's own household unless given.", validate_default=True
    )
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="Forecasts issued later don't count. ISO 8601; UTC without an offset."
    )


def check_size(users: int, asked: Period) -> None:
    """Raises BadInput where the answer would be too large to be worked out at once."""
    buckets = len(asked.calendar.edges_us) - 1
    if users * buckets > MOST_VALUES:
        why = f"{users} users over {buckets} buckets are more than {MOST_VALUES} values; ask for fewer at a time"
        raise BadInput.of([Fault("user_ids", why)])


def _is_short(users: int, buckets: int) -> bool:
    """Whether an answer is worked out soon enough that nobody has to wait for it."""
    return users <= _FEW_USERS and users * buckets <= _FEW_VALUES


def _add_history(one: Endpoint) -> None:
    async def historic(
        request: Request,
        asked: Annotated[HistoricQuery, query(HistoricQuery)],
        who: Annotated[Caller, Depends(caller)],
    ) -> Response:
        services, ids = services_of(request), asked.user_ids
        for user in ids:
            require_read(who, user)
        over = asked.period(services.asking.now_us())
        check_size(len(ids), over)

        def answer() -> bytes:
            parts = []
            for user, column in FlexiHome(services.store).columns(ids, one.measure, over):
                metrics = b"[]"
                if column is not None:
                    metrics = metrics_json(over.labels_us, column.value * one.scale, one.units)
                parts.append(b'{"user_id":' + orjson.dumps(user) + b',"metrics":' + metrics + b"}")
            return b"[" + b",".join(parts) + b"]"

        return Response(await run(services, answer, short=_is_short(len(ids), len(over.labels_us))), media_type=JSON)

    router.add_api_route(
        f"/{one.path}",
        historic,
        methods=["GET"],
        name=one.path,
        summary=f"History: {one.about}",
        description=f"The {one.about} in each bucket of several users. `null` is unknown.",
        response_class=Response,
        responses=_answers([{"user_id": "home1", "metrics": [_item(one) | {"slot_number": 1}]}]),
        openapi_extra=parameters(HistoricQuery),
    )


def _add_newest(one: Endpoint) -> None:
    async def last(
        request: Request, asked: Annotated[UsersQuery, query(UsersQuery)], who: Annotated[Caller, Depends(caller)]
    ) -> Response:
        services, ids = services_of(request), asked.user_ids
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

        return Response(await run(services, answer, short=_is_short(len(ids), 1)), media_type=JSON)

    router.add_api_route(
        f"/{one.path}-last",
        last,
        methods=["GET"],
        name=f"{one.path}-last",
        summary=f"Newest: {one.about}",
        description="The newest register reading, or sample. Without any: 1970 and null.",
        response_class=Response,
        responses=_answers([{"user_id": "home1", **_item(one)}]),
        openapi_extra=parameters(UsersQuery),
    )


def _item(one: Endpoint) -> dict[str, Any]:
    """An example of a value."""
    return {"timestamp": "2024-01-01T00:00:00Z", "value": 412.5, "units": one.units}


def _answers(example: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {JSON: {"example": example}}}, **refusals(403, 404)}


for _endpoint in ENDPOINTS:
    _add_history(_endpoint)
    _add_newest(_endpoint)


def _label(at_us: int) -> str:
    return iso_labels(np.array([at_us], np.int64), None)[0]


def _curves(user: str, labels_us: Int64, forecast: Any, real: Any) -> bytes:
    lists = [b"[]" if one is None else metrics_json(labels_us, one, "kWh", "energy") for one in (forecast, real)]
    return b'{"user_id":%b,"forecast":%b,"real":%b}' % (orjson.dumps(user), *lists)


_ITEM = {"timestamp": "2024-01-01T00:00:00Z", "energy": 9.41, "units": "kWh", "slot_number": 1}
_REAL_EXAMPLE = [{"user_id": "home1", "forecast": [], "real": [_ITEM]}]
_BESIDE_EXAMPLE = [{"user_id": "home1", "forecast": [{**_ITEM, "energy": 9.02}], "real": [_ITEM]}]


@router.get(
    "/power-consumed-real",
    summary="Measured consumption",
    response_class=Response,
    responses=_answers(_REAL_EXAMPLE),
    openapi_extra=parameters(RealQuery),
)
async def power_consumed_real(
    request: Request,
    asked: Annotated[RealQuery, query(RealQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """The energy consumed in each bucket, kWh: from the dongle's register where there is one, else from the smart
    meter's intervals."""
    require_read(who, asked.user_id)
    services = services_of(request)
    over = asked.period(services.asking.now_us())

    def answer() -> bytes:
        real = FlexiHome(services.store).taken(asked.user_id, over)
        return b"[" + _curves(asked.user_id, over.labels_us, None, real) + b"]"

    return Response(await run(services, answer, short=_is_short(1, len(over.labels_us))), media_type=JSON)


@router.get(
    "/energy-consumed-forecast-vs-real",
    summary="Forecast beside measured energy",
    response_class=Response,
    responses=_answers(_BESIDE_EXAMPLE),
    openapi_extra=parameters(ForecastQuery),
)
async def forecast_vs_real(
    request: Request,
    asked: Annotated[ForecastQuery, query(ForecastQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """The measured energy of each bucket, kWh, beside the forecast: of each quarter-hour the newest one, or the newest
    that had been issued by `as_of`. `forecast` is empty where none is stored."""
    services, ids = services_of(request), asked.user_ids
    for user in ids:
        require_read(who, user)
    over = asked.period(services.asking.now_us())
    check_size(len(ids), over)
    as_of_us = None if asked.as_of is None else parse_moment(asked.as_of, "UTC", "as_of")

    def answer() -> bytes:
        found = FlexiHome(services.store).beside(ids, over, as_of_us)
        return b"[" + b",".join(_curves(user, over.labels_us, *curves) for user, *curves in found) + b"]"

    return Response(await run(services, answer, short=_is_short(len(ids), len(over.labels_us))), media_type=JSON)
