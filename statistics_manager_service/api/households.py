"""Households, meters, meter events and device tokens."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import read_json
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import factor_of
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.services.accounts.access import Caller, require_read, require_service, require_settings
from statistics_manager_service.services.households import (
    HouseholdSettings,
    MeterChannel,
    PlainText,
    SwapEvent,
    settings_of,
    validated,
)
from statistics_manager_service.services.ports import Channel, DeviceToken, Household, MeterEvent

router = APIRouter(tags=["Households"])
Who = Annotated[Caller, Depends(caller)]


_MADE: dict[int | str, dict[str, Any]] = {201: {"description": "It was not there before, and is made."}}


def _body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def label(at_us: int | None) -> str | None:
    """An instant as text in UTC."""
    return None if at_us is None else iso_labels(np.array([at_us], np.int64), None)[0]


def household_json(household: Household) -> dict[str, Any]:
    """A household as it is told."""
    return {"id": household.id, **settings_of(household)}


def channel_json(channel: Channel) -> dict[str, Any]:
    """A channel as it is told: values in its unit."""
    factor = factor_of(channel.quantity, channel.unit)
    out: dict[str, Any] = {"quantity": channel.quantity, "kind": channel.kind, "unit": channel.unit}
    for name, milli in (("modulus", channel.modulus_milli), ("resolution", channel.resolution_milli)):
        if milli is not None:
            out[name] = _number(milli / factor)
    if channel.max_power_w is not None:
        out["max_power_w"] = _number(channel.max_power_w)
    out |= {
        "gap_limit_s": channel.gap_limit_s,
        "first": label(channel.first_us),
        "last": label(channel.last_us),
        "readings": channel.reading_count,
    }
    return out


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


class ListQuery(BaseModel):
    """Which page of the households."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=64, pattern=r"^[^\x00]*$", description="Id after which the page begins.")
    limit: int = Field(100, ge=1, le=1000, description="Households a page.")


@router.get(
    "/households",
    summary="List households",
    response_class=Response,
    responses=refusals(403),
    openapi_extra=parameters(ListQuery),
)
async def list_households(request: Request, who: Who, asked: Annotated[ListQuery, query(ListQuery)]) -> Response:
    """A page of households in the order of their ids; `next` is the `after` of the next page. Service only."""
    require_service(who)
    services = services_of(request)
    found = await run(services, lambda: services.households.page(asked.after, asked.limit))
    more = found[-1].id if len(found) == asked.limit else None
    return _json({"households": [household_json(one) for one in found], "next": more})


_EXAMPLE = {"timezone": "Europe/Lisbon", "country": "PT", "register_unit": "kWh", "contracted_power_kva": 6.9}


@router.put(
    "/households/{household}",
    summary="Make a household, or replace its settings",
    response_class=Response,
    responses=_MADE | refusals(403, 409),
    openapi_extra=_body(HouseholdSettings, _EXAMPLE),
)
async def put_household(request: Request, household: str, who: Who) -> Response:
    """201 where it was made, 200 where its settings were replaced. Its readings stay. Service only."""
    require_service(who)
    services, body = services_of(request), await read_json(request)
    done = await run(services, lambda: services.households.put(household, body), short=False)
    return _json(household_json(done.household), 201 if done.made else 200)


@router.get(
    "/households/{household}", summary="A household's settings", response_class=Response, responses=refusals(403, 404)
)
async def get_household(request: Request, household: str, who: Who) -> Response:
    """The settings of a household."""
    require_read(who, household)
    services = services_of(request)
    return _json(household_json(await run(services, lambda: services.households.get(household))))


@router.patch(
    "/households/{household}",
    summary="Change some settings",
    response_class=Response,
    responses=refusals(403, 404, 409),
    openapi_extra=_body(HouseholdSettings, {"timezone": "Atlantic/Azores"}),
)
async def patch_household(request: Request, household: str, who: Who) -> Response:
    """Settings that are not named stay. A household's own token may do it, but for `api_key` and `meter_id`."""
    require_settings(who, household)
    services, body = services_of(request), await read_json(request)
    changed = await run(
        services, lambda: services.households.patch(household, body, by_service=who.is_service), short=False
    )
    return _json(household_json(changed))


@router.delete(
    "/households/{household}",
    summary="Erase a household",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
async def delete_household(request: Request, household: str, who: Who) -> Response:
    """Erases the household and everything of it, readings and all. Service only."""
    require_service(who)
    services = services_of(request)
    await run(services, lambda: services.households.delete(household), short=False)
    return Response(status_code=204)


# --- meters -----------------------------------------------------------------------------------------------------------


@router.get(
    "/households/{household}/meters", summary="List meters", response_class=Response, responses=refusals(403, 404)
)
async def list_meters(request: Request, household: str, who: Who) -> Response:
    """The meters, what each measures, and first, last and number of its readings."""
    require_read(who, household)
    services = services_of(request)
    channels = await run(services, lambda: services.households.channels(household))
    meters: dict[str, list[dict[str, Any]]] = {}
    for channel in channels:
        meters.setdefault(channel.meter, []).append(channel_json(channel))
    return _json({"household": household, "meters": [{"meter": m, "channels": c} for m, c in meters.items()]})


@router.get(
    "/households/{household}/meters/{meter}",
    summary="What a meter measures",
    response_class=Response,
    responses=refusals(403, 404),
)
async def get_meter(request: Request, household: str, meter: str, who: Who) -> Response:
    """The channels of one meter."""
    require_read(who, household)
    services = services_of(request)
    channels = await run(services, lambda: services.households.channels(household, meter))
    return _json({"household": household, "meter": meter, "channels": [channel_json(one) for one in channels]})


@router.put(
    "/households/{household}/meters/{meter}",
    summary="Say what a meter measures",
    response_class=Response,
    responses=_MADE | refusals(403, 404),
    openapi_extra=_body(
        MeterChannel, {"quantity": "energy_import", "kind": "register", "unit": "kWh", "max_power_w": 10350}
    ),
)
async def put_meter(request: Request, household: str, meter: str, who: Who) -> Response:
    """One channel: its unit and what it can do. What is stored of it is corrected anew. Service only."""
    require_service(who)
    services, body = services_of(request), await read_json(request)
    channel, made = await run(services, lambda: services.households.declare(household, meter, body), short=False)
    return _json({"household": household, "meter": meter, **channel_json(channel)}, 201 if made else 200)


# --- events -----------------------------------------------------------------------------------------------------------


def event_json(event: MeterEvent, unit: str) -> dict[str, Any]:
    """An event as it is told: values in the channel's unit."""
    factor = factor_of(event.quantity, unit)
    return {
        "id": event.event_no,
        "kind": event.kind,
        "quantity": event.quantity,
        "at": label(event.at_us),
        "old_end": event.old_end_milli / factor,
        "new_start": event.new_start_milli / factor,
        "unit": unit,
    }


@router.get(
    "/households/{household}/meters/{meter}/events",
    summary="List meter events",
    response_class=Response,
    responses=refusals(403, 404),
)
async def list_events(request: Request, household: str, meter: str, who: Who) -> Response:
    """The swaps of a meter."""
    require_read(who, household)
    services = services_of(request)
    found = await run(services, lambda: services.households.events(household, meter))
    return _json({"household": household, "meter": meter, "events": [event_json(*one) for one in found]})


@router.post(
    "/households/{household}/meters/{meter}/events",
    summary="Tell of a meter swap",
    status_code=201,
    response_class=Response,
    responses=refusals(403, 404, 409),
    openapi_extra=_body(
        SwapEvent,
        {
            "kind": "swap",
            "quantity": "energy_import",
            "at": "2024-05-10T11:20:00Z",
            "old_end": 1000.15,
            "new_start": 5.0,
        },
    ),
)
async def add_event(request: Request, household: str, meter: str, who: Who) -> Response:
    """The books go on across the swap; it may be told before or after the readings. Service only."""
    require_service(who)
    services, body = services_of(request), await read_json(request)
    event, unit = await run(services, lambda: services.households.add_event(household, meter, body), short=False)
    return _json(event_json(event, unit), 201)


@router.delete(
    "/households/{household}/meters/{meter}/events/{event_id}",
    summary="Undo a meter event",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
async def delete_event(request: Request, household: str, meter: str, event_id: int, who: Who) -> Response:
    """The books are as if it had never been told. Service only."""
    require_service(who)
    services = services_of(request)
    await run(services, lambda: services.households.delete_event(household, meter, event_id), short=False)
    return Response(status_code=204)


# --- device tokens ----------------------------------------------------------------------------------------------------


class TokenRequest(BaseModel):
    """A device token to be made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    write: bool = Field(False, description="Whether it may write the household's readings.")
    label: PlainText = Field("", max_length=128, description="A name for people.")
    lifetime_days: int | None = Field(None, gt=0, le=36_500, description="Days until it expires; never unless given.")


def token_json(token: DeviceToken) -> dict[str, Any]:
    """A device token as it is told: never its secret."""
    return {
        "id": token.token_id,
        "label": token.label,
        "write": token.may_write,
        "created": label(token.created_us),
        "expires": label(token.expires_us),
        "revoked": label(token.revoked_us),
    }


@router.get(
    "/households/{household}/tokens",
    summary="List device tokens",
    response_class=Response,
    responses=refusals(403, 404),
)
async def list_tokens(request: Request, household: str, who: Who) -> Response:
    """The device tokens of a household, without their secrets. Service only."""
    require_service(who)
    services = services_of(request)
    found = await run(services, lambda: services.tokens.list(household))
    return _json({"household": household, "tokens": [token_json(one) for one in found]})


@router.post(
    "/households/{household}/tokens",
    summary="Make a device token",
    status_code=201,
    response_class=Response,
    responses=refusals(403, 404),
    openapi_extra=_body(TokenRequest, {"write": True, "label": "hub in the cellar"}),
)
async def add_token(request: Request, household: str, who: Who) -> Response:
    """The answer's `token` is told this once; only its hash is stored. Service only."""
    require_service(who)
    services = services_of(request)
    told = validated(TokenRequest, await read_json(request))

    def make() -> tuple[str, DeviceToken]:
        return services.tokens.create(
            household, may_write=told.write, label=told.label, lifetime_days=told.lifetime_days
        )

    text, token = await run(services, make, short=False)
    return _json({"token": text, **token_json(token)}, 201)


@router.delete(
    "/households/{household}/tokens/{token_id}",
    summary="Revoke a device token",
    status_code=204,
    response_class=Response,
    responses=refusals(403, 404),
)
async def revoke_token(request: Request, household: str, token_id: str, who: Who) -> Response:
    """The token is refused from now on. Service only."""
    require_service(who)
    services = services_of(request)
    await run(services, lambda: services.tokens.revoke(household, token_id), short=False)
    return Response(status_code=204)
