"""Where each kilowatt-hour came from and where it went, the devices, and what no meter tells."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_RULE: Final = (
    "docs/statistics.md#attribution: export of the production first (Luthander et al. 2015, Applied Energy 142:80), "
    "the rest by proportional sharing (Bialek 1996, IEE Proc. 143:313)"
)
_REST: Final = "rest being what a source gave and did not export"


def _part(name: str, formula: str) -> Definition:
    return Definition(name, Family.ATTRIBUTION, "kWh", formula, _RULE)


def _to_home(source: str) -> Definition:
    return _part(f"energy_{source}_to_home", f"Σ_t rest_t({source}) × (1 − charge_t / Σ rest_t), {_REST}")


def _to_battery(source: str) -> Definition:
    return _part(f"energy_{source}_to_battery", f"Σ_t rest_t({source}) × charge_t / Σ rest_t, {_REST}")


ATTRIBUTION_DEFINITIONS: Final = (
    _to_home("grid"),
    _to_home("production"),
    _to_home("battery"),
    _to_battery("grid"),
    _to_battery("production"),
    _to_battery("battery"),
    _part("energy_production_to_grid", "Σ_t min(production_t, export_t)"),
    _part("energy_battery_to_grid", "Σ_t min(discharge_t, export_t − production_to_grid_t)"),
    _part("energy_grid_to_grid", "Σ_t (export_t − what production, battery and unmetered gave to it)"),
    _part("energy_unmetered_to_battery", "Σ_t unmetered_t − unmetered_to_grid_t"),
    _part("energy_unmetered_to_grid", "Σ_t min(unmetered_t, export_t − production_to_grid_t − battery_to_grid_t)"),
    _part(
        "energy_unmetered",
        "Σ_t max(0, export_t + charge_t − import_t − production_t − discharge_t); of a device, what it used where by "
        "the balance the home used nothing",
    ),
    Definition(
        "energy_devices", Family.ATTRIBUTION, "kWh", "Σ over devices of energy_consumption", "sum of the meters told"
    ),
    Definition(
        "energy_untracked",
        Family.ATTRIBUTION,
        "kWh",
        "Σ_t (home_t − devices_t), home being what all sources gave it",
        "energy balance of the home",
    ),
)
