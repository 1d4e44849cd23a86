"""The worked figures of carbon of docs/statistics.md, made by the services over a store in memory."""

from __future__ import annotations

from typing import Any

from carbon_homes import FLOWS, Made, in_store, tell
from measured import quarter

from statistics_manager_service.services.carbon.carbon_rows import Method

_DAY = "2026-01-05"


def _home(given: dict[str, Any], **settings: Any) -> Made:
    """A home whose quarter-hours are told in kWh, as `import_kwh` and so on; its grid's intensities in g/kWh."""
    flows = {name: given[f"{name}_kwh"] for name in FLOWS if f"{name}_kwh" in given}
    made = in_store(
        quarter(_DAY), {name: [round(one * 1000) for one in kwh] for name, kwh in flows.items()}, **settings
    )
    boundary = given.get("boundary", "lifecycle")
    for basis in ("average", "marginal"):
        told = given.get(f"{basis}_g_per_kwh")
        if told is not None:
            mg = [None if one is None else round(one * 1000) for one in told]
            tell(made.store, made.first, mg, method=Method(basis, boundary))
    return made


def _totals(made: Made, *measures: str, **way: Any) -> dict[str, float]:
    return {name: one.total for name, one in made.ask(*measures, **way).items()}


def worked_emissions(given: dict[str, Any]) -> dict[str, Any]:
    made = _home(given)
    measures = (
        "emissions_import", "emissions_per_kwh", "emissions_avoided_self_consumption", "emissions_avoided_export",
        "carbon_intensity",
    )  # fmt: skip
    column = made.ask("carbon_intensity", group_by="15_mins")["carbon_intensity"]
    found = _totals(made, *measures)
    assert column.value.tolist() == given["average_g_per_kwh"]
    return found


def worked_emissions_direct(given: dict[str, Any]) -> dict[str, Any]:
    return _totals(_home(given), "emissions_import", "emissions_avoided_self_consumption")


def worked_emissions_by_device(given: dict[str, Any]) -> dict[str, Any]:
    made = _home(given, battery_efficiency=given["battery_efficiency"])
    columns = made.ask("emissions_consumption", "emissions_untracked", group_by="15_mins")
    device = made.ask("emissions_device", group_by="15_mins", meter="ev")["emissions_device"]
    return {
        "emissions_consumption": columns["emissions_consumption"].value.tolist(),
        "emissions_device": device.value.tolist(),
        "emissions_untracked": columns["emissions_untracked"].value.tolist(),
    }


def worked_emissions_fall_back(given: dict[str, Any]) -> dict[str, Any]:
    made = _home(given, country=given["country"])
    column = made.ask("emissions_import")["emissions_import"]
    steps = {one["step"]: one["share"] for one in column.more["carbon"]["steps"]}
    return {"emissions_import": column.total, "shares": steps}
