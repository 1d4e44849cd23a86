"""The battery's books: what it gave by where that had come from, its efficiency, cycles, content and price."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_FIFO: Final = "first in, first out; docs/statistics.md#battery"


def _from(origin: str, told: str) -> Definition:
    return Definition(
        f"energy_stored_{origin}_to_home",
        Family.BATTERY,
        "kWh",
        f"Σ_t battery_to_home_t × share_t of the discharge whose charge had come {told}",
        _FIFO,
    )


BATTERY_DEFINITIONS: Final = (
    _from("production", "from production"),
    _from("grid", "from the grid"),
    _from("unknown", "before the first reading, or from what no meter tells"),
    Definition(
        "battery_efficiency",
        Family.BATTERY,
        "1",
        "Σ discharge / (Σ charge − Δ stored), Δ stored being the change of state_of_charge × battery_capacity_kwh",
        "round-trip efficiency over at least one full cycle",
        adds_up=False,
    ),
    Definition(
        "battery_cycles",
        Family.BATTERY,
        "1",
        "Σ discharge / battery_capacity_kwh",
        "equivalent full cycles",
        adds_up=False,
    ),
    Definition(
        "battery_stored",
        Family.BATTERY,
        "kWh",
        "(Σ charge − what has left of it) × efficiency at the bucket's end: what can be discharged",
        _FIFO,
        adds_up=False,
    ),
    Definition(
        "battery_price_stored",
        Family.BATTERY,
        "currency/kWh",
        "Σ cost of the grid's part of the charge that left / Σ discharge of known origin; production costs 0 here",
        f"price_marginal of the household's tariffs, carried through {_FIFO}",
        adds_up=False,
    ),
    Definition(
        "battery_carbon_stored",
        Family.BATTERY,
        "gCO2eq/kWh",
        "Σ carbon of the charge that left / Σ discharge of which that is known; of the grid import × intensity, of "
        "production × its own factor",
        f"the charge's carbon, carried through {_FIFO}",
        adds_up=False,
    ),
)
