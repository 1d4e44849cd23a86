"""The three homes of the demo and their telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, Int64, WireReadings
from statistics_manager_service.core.units import (
    MILLI,
    QUARTER_US,
    QUARTERS_PER_DAY,
    QUARTERS_PER_HOUR,
    US_PER_DAY,
)
from statistics_manager_service.demo.physics import (
    car_w,
    day_rngs,
    heat_pump_w,
    household_w,
    outdoor_celsius,
    run_battery,
    solar_w,
)

_MONTHS: Final = 13
_PIECE: Final = 30 * QUARTERS_PER_DAY
_SAMPLE_DAYS: Final = 21


@dataclass(frozen=True, slots=True)
class DemoHome:
    """A home: its settings, what is declared and told of its meters, its contracts, and a sentence about it."""

    id: str
    about: str
    settings: dict[str, Any]
    declarations: list[tuple[str, dict[str, Any]]]
    events: list[tuple[str, dict[str, Any]]]
    contracts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one channel, instants in microseconds, values in the unit."""

    meter: str
    quantity: str
    kind: Kind
    unit: str
    at_us: Int64
    value: Float64


def first_month(end_us: int) -> str:
    """The month, such as `2025-10`, with whose first UTC day the telemetry begins: thirteen before the end's."""
    return str(np.datetime64(end_us, "us").astype("datetime64[M]") - _MONTHS)


def first_day(end_us: int) -> int:
    """The UTC day (since 1970-01-01) with which the telemetry begins."""
    return int(np.datetime64(first_month(end_us), "D").astype(np.int64))


def _span(end_us: int) -> Int64:
    days: Int64 = np.arange(first_day(end_us), end_us // US_PER_DAY + 1, dtype=np.int64)
    return days


def _edges(days: Int64) -> Int64:
    """The instants at which quarters of some days begin, and the last one's end."""
    edges: Int64 = days[0] * US_PER_DAY + np.arange(len(days) * QUARTERS_PER_DAY + 1, dtype=np.int64) * QUARTER_US
    return edges


def _register(start_kwh: float, energy_wh: Float64) -> Float64:
    """A register of whole watt-hours, in kWh, at each quarter's edge."""
    flowed = np.concatenate(([0.0], np.cumsum(np.rint(energy_wh))))
    return np.round(start_kwh + flowed / MILLI, 3)


def _wh(power_w: Float64) -> Float64:
    return np.rint(power_w.reshape(-1) / QUARTERS_PER_HOUR)


def _flat(end_us: int) -> list[Column]:
    days = _span(end_us)
    load = household_w(days, day_rngs(101, days), 95, 420)
    value = _register(6436.352, _wh(load))
    return [Column("grid", "energy_import", Kind.REGISTER, "kWh", _edges(days), value)]


def _solar_house(end_us: int) -> list[Column]:
    days = _span(end_us)
    rngs = day_rngs(202, days)
    sun = _wh(solar_w(days, rngs, 5200, 41.2))
    outdoor = outdoor_celsius(days, rngs)
    heat = _wh(heat_pump_w(outdoor, 190))
    car = _wh(car_w(days, rngs, 3600))
    load = _wh(household_w(days, rngs, 180, 650)) + heat + car
    battery = run_battery(sun, load, 9600, 900, 0.9)
    at, register = _edges(days), Kind.REGISTER
    columns = [
        Column("grid", "energy_import", register, "kWh", at, _register(18204.118, battery.import_wh)),
        Column("grid", "energy_export", register, "kWh", at, _register(7391.506, battery.export_wh)),
        Column("pv", "energy_production", register, "kWh", at, _register(21877.94, sun)),
        Column("battery", "energy_charge", register, "kWh", at, _register(5120.2, battery.charge_wh)),
        Column("battery", "energy_discharge", register, "kWh", at, _register(4611.9, battery.discharge_wh)),
        Column("ev", "energy_consumption", register, "kWh", at, _register(3308.4, car)),
        Column("heat_pump", "energy_consumption", register, "kWh", at, _register(9944.0, heat)),
        Column("heat_pump", "temperature", Kind.SAMPLE, "°C", at[:-1], np.round(outdoor.reshape(-1), 1)),
    ]
    recent = slice(-_SAMPLE_DAYS * QUARTERS_PER_DAY, None)
    net_w = (battery.import_wh - battery.export_wh)[recent] * QUARTERS_PER_HOUR
    sample_at = at[:-1][recent]
    volts = np.round(231.5 - net_w / 900 + 1.5 * np.sin(np.arange(len(net_w)) / 15), 1)
    for quantity, value, unit in (
        ("power_import", np.clip(net_w, 0, None), "W"),
        ("power_export", np.clip(-net_w, 0, None), "W"),
        ("voltage", volts, "V"),
    ):
        columns.append(Column("grid", quantity, Kind.SAMPLE, unit, sample_at, value))
    return columns


_SWAP_DAYS: Final = 130
_GAP_DAYS: Final = 75
_GLITCH_DAYS: Final = 40
_OLD_START_KWH: Final = 41050.0


def _azores_swap(end_us: int) -> tuple[int, float, float]:
    """Instant of the swap, last reading of the old meter, first of the new one."""
    at, value = _azores_clean(end_us)
    place = _azores_place(_SWAP_DAYS)
    return int(at[place]), float(value[place]), 0.0


def _azores_place(days_after_start: int) -> int:
    """A quarter some days after the first of the span, at noon."""
    return days_after_start * QUARTERS_PER_DAY + QUARTERS_PER_DAY // 2


@lru_cache(maxsize=4)
def _azores_clean(end_us: int) -> tuple[Int64, Float64]:
    days = _span(end_us)
    load = household_w(days, day_rngs(303, days), 130, 520)
    return _edges(days), _register(_OLD_START_KWH, _wh(load))


def _azores(end_us: int) -> list[Column]:
    """A register with a swap, a gap of thirty hours, a reading of 0 and a spike that falls back."""
    at, clean = _azores_clean(end_us)
    swap = _azores_place(_SWAP_DAYS)
    value = clean.copy()
    value[swap:] = np.round(clean[swap:] - clean[swap], 3)
    value[_azores_place(_GLITCH_DAYS)] = 0.0
    spike = _azores_place(_GLITCH_DAYS + 190)
    value[spike] = round(float(value[spike]) + 995.144, 3)
    gap = _azores_place(_GAP_DAYS)
    keep = np.ones(len(at), np.bool_)
    keep[gap : gap + 30 * QUARTERS_PER_HOUR] = False
    keep[swap] = False  # the old meter was taken off just then
    return [Column("grid", "energy_import", Kind.REGISTER, "kWh", at[keep], value[keep])]


_TELEMETRY: Final = {"flat": _flat, "solarhouse": _solar_house, "azores": _azores}


@lru_cache(maxsize=8)
def _columns(home: str, end_us: int) -> list[Column]:
    """The home's readings up to the end."""
    out = []
    for one in _TELEMETRY[home](end_us):
        there = one.at_us <= end_us
        out.append(Column(one.meter, one.quantity, one.kind, one.unit, one.at_us[there], one.value[there]))
    return out


def _contract(tariff: str, flow: str = "both", **parameters: Any) -> dict[str, Any]:
    return {"tariff": tariff, "flow": flow, "from": "2025-01-01", "parameters": parameters}


def homes(end_us: int) -> list[DemoHome]:
    """The homes of a demo whose telemetry ends at an instant."""
    swap_us, old_end, new_start = _azores_swap(end_us)
    lisbon = {"timezone": "Europe/Lisbon", "country": "PT", "currency": "EUR", "register_unit": "kWh"}
    swap = {
        "kind": "swap",
        "quantity": "energy_import",
        "at": iso_labels(np.array([swap_us], np.int64), None)[0],
        "old_end": old_end,
        "new_start": new_start,
    }
    grid = {"quantity": "energy_import", "kind": "register", "unit": "kWh", "max_power_w": 6900.0}
    return [
        DemoHome(
            "flat",
            "a flat in Lisbon with one smart-meter register",
            {**lisbon, "contracted_power_kva": 6.9, "name": "Flat in Lisbon"},
            [("grid", grid)],
            [],
            [_contract("pt-btn-bi-horario", contracted_power_kva=6.9)],
        ),
        DemoHome(
            "solarhouse",
            "a house in Porto with PV, battery, car and heat pump",
            {
                **lisbon,
                "contracted_power_kva": 13.8,
                "billing_day": 18,
                "battery_capacity_kwh": 9.6,
                "name": "House in Porto",
            },
            [("grid", {**grid, "max_power_w": 13800.0})],
            [],
            [
                _contract("pt-indexado-omie", "import", option="bi-diario", contracted_power_kva=13.8),
                _contract("pt-excedente-omie", "export"),
            ],
        ),
        DemoHome(
            "azores",
            "a home on the Azores whose register has a glitch, a spike, a gap and a meter swap",
            {**lisbon, "timezone": "Atlantic/Azores", "contracted_power_kva": 6.9, "name": "Home on São Miguel"},
            [("grid", grid)],
            [("grid", swap)],
            [_contract("pt-btn-simples", contracted_power_kva=6.9)],
        ),
    ]


def readings(home: DemoHome, end_us: int) -> Iterator[WireReadings]:
    """The home's telemetry, in pieces of about a month of a channel."""
    for one in _columns(home.id, end_us):
        for first in range(0, len(one.at_us), _PIECE):
            part = slice(first, first + _PIECE)
            yield WireReadings(home.id, one.meter, one.quantity, one.kind, one.unit, one.at_us[part], one.value[part])


def count(home: DemoHome, end_us: int) -> int:
    """How many readings there are to come."""
    return sum(len(one.at_us) for one in _columns(home.id, end_us))
