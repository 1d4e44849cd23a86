"""A home with everything that can be explained: flows, battery, devices, weather, tariffs, intensities, a community."""

from __future__ import annotations

from typing import Any

import numpy as np
from measured import DAY_US, HOUR_US, quarter, us
from metered_homes import DAY_AND_NIGHT, Balance, Desk, by_clock, energy, standing, surplus, tariff

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.explaining import explaining_of
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, keep
from statistics_manager_service.services.explaining.explaining import Explanation
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.telemetry.recording import Recorder

FIRST, LAST = "2026-01-01", "2026-01-06"


def mixed(number: int) -> int:
    """Some watt-hours, another number in each quarter-hour, and always the same in a test."""
    return number * number * 37 % 211


def sun(number: int) -> int:
    """What a PV makes: nothing at night, much at noon."""
    return max(0, 700 - 35 * abs(number % QUARTERS_PER_DAY - 50))


HOUSE = Balance(
    used=lambda n: 160 + mixed(n),
    made=sun,
    charged=lambda n: min(300, sun(n)) if n % 3 else 40 * (n % QUARTERS_PER_DAY < 12),
    discharged=lambda n: 140 + mixed(n) // 4 if n % QUARTERS_PER_DAY > 72 else 0,
)
SETTINGS: dict[str, Any] = {
    "contracted_power_kva": 1.15,
    "battery_capacity_kwh": 3.0,
    "zone": "PT",
}


def full_home(url: str) -> Desk:
    """A home of five days of which everything is told, and a neighbour with whom it shares its export."""
    desk = Desk(url, "2026-03-01", **SETTINGS)
    desk.balance(HOUSE, FIRST, LAST)
    desk.measure("ev.consumption", FIRST, LAST, lambda n: 90 if n % 7 < 3 else 0)
    desk.measure("fridge.consumption", FIRST, LAST, lambda n: 20 + n % 3)
    _record(desk, [one for name in QUANTITIES for one in _others(name)])
    components = [energy(by_clock()), standing(), surplus(), {"id": "duty", "kind": "percentage", "title": "Duty",
                  "rate": "0.05", "of": ["energy"], "tax": "vat"}]  # fmt: skip
    desk.put(both=tariff(*components, calendars=DAY_AND_NIGHT))
    desk.have({"tariff": "both"})
    _tell_intensities(desk)
    _share(desk)
    return desk


def _others(name: str) -> list[WireReadings]:
    """Readings of a quantity that the flows do not tell: of phases, powers, states; another value each time."""
    quantity = QUANTITIES[name]
    at_us = np.arange(us(FIRST), us(LAST) + 1, QUARTER_US, dtype=np.int64)
    number = at_us // QUARTER_US
    if quantity.dimension is Dimension.ENERGY:
        if quantity.flow is not None:
            return []
        register = 100_000 + np.cumsum(number * 7 % 40).astype(float)
        return [WireReadings("home1", "grid", name, Kind.REGISTER, "Wh", at_us, register)]
    meter = "house" if quantity.flow == "consumption" else "grid"
    value, unit = 100 + number % 13 + 0.25, quantity.unit
    if quantity.dimension is Dimension.RATIO:
        meter, value = "battery", (number % 50) / 100
    if quantity.dimension is Dimension.TEMPERATURE:
        meter, value = "outdoor", 4 + (number % 16) / 4
    return [WireReadings("home1", meter, name, Kind.SAMPLE, unit, at_us, value)]


def _record(desk: Desk, told: list[WireReadings]) -> None:
    assert not Recorder(desk.store, bootstrap.now_us).record(told).refused


def _tell_intensities(desk: Desk) -> None:
    """Hours of the grid, but for one day, which the days before and the country's mean stand in for."""
    hours = [
        at_us for at_us in range(us("2025-12-20"), us(LAST), HOUR_US) if at_us // DAY_US != us("2026-01-03") // DAY_US
    ]
    told = [ToldIntensity(at_us, HOUR_US, 100_000 + at_us // HOUR_US * 7919 % 200_000, MEASURED) for at_us in hours]
    with desk.store.writing() as view:
        keep(view, "PT", "grid_told", Method(), told, us(LAST))


def _share(desk: Desk) -> None:
    """A neighbour, and a community in which both share what the home exports."""
    bootstrap.households_of(desk.store).put("home2", {"timezone": "Europe/Lisbon"})
    number = np.arange(quarter(FIRST), quarter(LAST) + 1, dtype=np.int64)
    register = np.cumsum(number * 11 % 97).astype(float)
    _record(desk, [WireReadings("home2", "grid", "energy_import", Kind.REGISTER, "Wh", number * QUARTER_US, register)])
    members = [{"household": "home1"}, {"household": "home2"}]
    sharing = {
        "sources": [{"household": "home1", "measure": "energy_export"}],
        "rule": "fixed",
        "coefficients": {"home1": 0.3, "home2": 0.7},
    }
    told = {"title": "Two", "kind": "community", "timezone": "Europe/Lisbon", "members": members, "sharing": sharing}
    Groups(desk.store).put("two", told)


def explained(
    desk: Desk, measure: str, start: str = "2026-01-02", end: str = "2026-01-04", household: str = "home1", **more: Any
) -> Explanation:
    """What is behind a number of a home."""
    return explaining_of(desk.store).explained(household, Question(measure, start, end, "total", **more))
