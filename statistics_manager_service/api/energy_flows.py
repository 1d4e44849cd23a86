"""A home's energy at one glance, for a Sankey diagram: sources and sinks, devices, the battery's books."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.attribution import SINKS, SOURCES
from statistics_manager_service.core.civil import check_zone, civil_label
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.balance.energy_flows import (
    RATES,
    BatteryFlows,
    DeviceFlows,
    EnergyFlows,
    known,
)
from statistics_manager_service.services.measuring import Column

router = APIRouter(tags=["Ask"])

EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "start": "2026-01-01T00:00:00+00:00",
    "end": "2026-02-01T00:00:00+00:00",
    "unit": "kWh",
    "coverage": {"measured": 0.998, "estimated": 0.002},
    "flows": {"import": 182.4, "export": 31.2, "production": 150.6, "charge": 62.1, "discharge": 55.3},
    "consumption": 295.0,
    "sources": {
        "grid": {"home": 176.3, "battery": 6.1, "grid": 0.0},
        "production": {"home": 66.1, "battery": 53.9, "grid": 30.6},
        "battery": {"home": 52.6, "battery": 2.1, "grid": 0.6},
        "unmetered": {"battery": 0.0, "grid": 0.0},
    },
    "rates": {"self_consumption_rate": 0.7928, "self_sufficiency_rate": 0.3817, "export_share": 0.2072},
    "devices": [
        {
            "meter": "ev",
            "energy": 88.2,
            "share": 0.299,
            "sources": {"grid": 61.0, "production": 11.2, "battery": 16.0, "unmetered": 0.0},
            "coverage": {"measured": 0.998, "estimated": 0.002},
        }
    ],
    "devices_energy": 88.2,
    "untracked": {
        "energy": 206.8,
        "share": 0.701,
        "coverage": {"measured": 0.998, "estimated": 0.002},
        "why_negative": None,
    },
    "battery": {
        "charged": 62.1,
        "discharged": 55.3,
        "discharged_of_unknown_origin": 1.1,
        "given": {"production": 47.0, "grid": 5.1, "unknown": 1.1},
        "given_home": {"production": 46.4, "grid": 5.1, "unknown": 1.1},
        "stored_start": 2.0,
        "stored_end": 3.4,
        "losses": 6.5,
        "written_off": 0.0,
        "efficiency": 0.9113,
        "efficiency_of_books": {"value": 0.8951, "basis": "life"},
        "cycles": 5.53,
        "capacity": 10.0,
        "price_stored": 0.0187,
        "price_unit": "EUR/kWh",
        "why_no_price": None,
        "carbon_stored": 31.4,
        "carbon_unit": "gCO2eq/kWh",
        "carbon": {
            "zone": "PT",
            "source": "entsoe",
            "basis": "average",
            "boundary": "lifecycle",
            "scope": "production",
            "method": "location",
            "mixed": False,
        },
    },
    "why_no_battery": None,
}


class EnergyFlowsQuery(BaseModel):
    """Which time."""

    model_config = ConfigDict(extra="forbid")

    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2026-01-01"])
    end: End = Field(description="The same; not included.", examples=["2026-02-01"])
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    as_of: Annotated[str, moment("as_of")] | None = Field(None, description="As it was known then.")


@router.get(
    "/households/{household}/energy-flows",
    summary="Where a home's energy came from and went",
    response_class=Response,
    responses={
        200: {
            "description": "Energies in kWh, of the time in which every flow of the home is known; `null` is unknown, "
            "or of a flow that the home has no meter of. `sources`: {source: {sink: energy}}.",
            "content": {JSON: {"examples": {"a home with panels, a battery and a car": {"value": EXAMPLE}}}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(EnergyFlowsQuery),
)
async def household_energy_flows(
    request: Request,
    household: str,
    asked: Annotated[EnergyFlowsQuery, query(EnergyFlowsQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Sources and sinks of a home's energy, its devices and what no device tells, and what its battery did: one glance,
    as a Sankey diagram shows it. Each figure is the total of the measure of `/statistics` that tells the same."""
    require_read(who, household)
    services = services_of(request)

    def answer() -> bytes:
        found = services.energy_flows.of(household, asked.start, asked.end, asked.timezone, asked.as_of)
        return orjson.dumps(flows_json(found))

    return Response(await run(services, answer, short=False), media_type=JSON)


def flows_json(found: EnergyFlows) -> dict[str, Any]:
    """A home's energy as JSON values."""
    edges_us = found.calendar.edges_us
    untracked = found.columns["energy_untracked"]
    return {
        "household": found.household.id,
        "timezone": found.timezone,
        "start": civil_label(found.timezone, int(edges_us[0])),
        "end": civil_label(found.timezone, int(edges_us[-1])),
        "unit": "kWh",
        "coverage": {"measured": found.coverage[0], "estimated": found.coverage[1]},
        "flows": dict(found.flows_kwh),
        "consumption": known(found.columns["energy_consumption"]),
        "sources": {
            source: {sink: found.part_kwh(source, sink) for sink in SINKS if (source, sink) != ("unmetered", "home")}
            for source in SOURCES
        },
        "rates": {one: known(found.columns[one]) for one in RATES},
        "devices": [_device_json(one) for one in found.devices],
        "devices_energy": known(found.columns["energy_devices"]),
        "untracked": {
            "energy": known(untracked),
            "share": found.untracked_share,
            "coverage": _coverage(untracked),
            "why_negative": untracked.lacks[0].why if untracked.lacks else None,
        },
        "battery": None if found.battery is None else _battery_json(found.battery),
        "why_no_battery": found.why_no_battery,
    }


def _coverage(column: Column) -> dict[str, float]:
    return {"measured": float(column.coverage[0]), "estimated": float(column.estimated[0])}


def _device_json(one: DeviceFlows) -> dict[str, Any]:
    return {
        "meter": one.meter,
        "energy": one.energy_kwh,
        "share": one.share,
        "sources": {source: known(column) for source, column in one.columns.items()},
        "coverage": _coverage(one.columns["grid"]),
    }


def _battery_json(one: BatteryFlows) -> dict[str, Any]:
    books, price = one.books, one.columns["battery_price_stored"]
    carbon = one.columns["battery_carbon_stored"]
    capacity = books.capacity_milliwh
    return {
        "charged": one.charged_kwh,
        "discharged": one.discharged_kwh,
        "discharged_of_unknown_origin": one.unknown_kwh,
        "given": dict(one.given_kwh),
        "given_home": dict(one.to_home_kwh),
        "stored_start": one.stored_start_kwh,
        "stored_end": one.stored_end_kwh,
        "losses": one.losses_kwh,
        "written_off": one.written_off_kwh,
        "efficiency": known(one.columns["battery_efficiency"]),
        "efficiency_of_books": {"value": books.efficiency.value, "basis": books.efficiency.basis},
        "cycles": known(one.columns["battery_cycles"]),
        "capacity": None if capacity is None else capacity / MILLIWH_PER_KWH,
        "price_stored": known(price),
        "price_unit": price.unit,
        "why_no_price": price.lacks[0].why if price.lacks else None,
        "carbon_stored": known(carbon),
        "carbon_unit": carbon.unit,
        "carbon": carbon.more.get("carbon"),
    }
