"""Explains where energy came from and went: the flows of each quarter-hour, and the rule that shares them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.attribution import SINKS, SOURCES
from statistics_manager_service.core.balance import BALANCE
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.balance.attributions import OF_DEVICES, PARTS
from statistics_manager_service.services.balance.sheets import BalanceSheet, BalanceSheets
from statistics_manager_service.services.explaining.balances import flows_of
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import kwh, kwh_text
from statistics_manager_service.services.explaining.flows import ToldFlow, common, told_flow
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME, NOTHING_READ
from statistics_manager_service.services.explaining.tables import kwh_column, table_of

#: The rule of core/attribution.py in the words of a recipe.
RULE: Final = (
    "in each quarter-hour, in whole milliwatt-hours: sources are grid (import), production, battery (discharge) and "
    "unmetered = max(0, export + charge − import − production − discharge)",
    "the export is taken from production, battery, unmetered, grid, in this order, from each as much as it has",
    "of what is left of the sources, in the order grid, production, battery, unmetered, the battery gets "
    "floor(charge × running sum / sum) less the same of the source before; the home gets the rest",
    "a device gets of each source floor(device × running sum of what the sources gave the home / that sum) less the "
    "same of the source before",
)


class Attributions:
    """Explains parts of the attribution, of the home or of a device, the devices and the rest."""

    measures: Sequence[str] = measures_of(Family.ATTRIBUTION)

    def __init__(self, sheets: BalanceSheets) -> None:
        self._sheets = sheets

    def behind(self, about: About) -> Behind:
        """What is behind a part of the attribution."""
        told = told_home(about)
        if not told.flows and not told.devices:
            return Behind(f"{about.measure} is not known: {NOTHING_READ}", reasons=[NOTHING_READ])
        behind = told.behind()
        edges_us = np.array([about.start_us, about.end_us], np.int64)
        sheet = self._sheets.of(about.view, about.home, edges_us, about.way.until_us)
        energy = _pieces(sheet, about.measure, about.way.meter)
        flows = _columns(sheet, told.devices)
        behind.more["attribution"] = {
            "rule": list(RULE),
            "parts_kwh": _sums(sheet),
            "quarters": table_of(sheet.flows.edges_us, {**flows, about.measure: kwh_column(energy)}),
        }
        if about.value == about.value:  # known
            behind.filled = _filled(about, sheet, energy)
        else:
            behind.filled = f"{about.measure} is not known"
            behind.reasons.append(NOT_IN_TIME)
        return behind


class ToldHome:
    """The flows and devices of a home, with their readings."""

    def __init__(self, about: About, flows: dict[str, ToldFlow], devices: dict[str, ToldFlow]) -> None:
        self._about, self.flows, self.devices = about, flows, devices

    def behind(self) -> Behind:
        """Inputs, quarter-hours, readings and lines of all of them."""
        found = Behind("")
        if self.flows:
            both = common(self.flows, self._about.start_us, self._about.end_us)
            found.inputs = [both.input_of(name) for name in self.flows]
            found.quarters = both.quarters()
        found.inputs += [
            {"meter": meter, "measure": one.name, "value": kwh(one.energy_milliwh), "unit": "kWh"}
            for meter, one in self.devices.items()
        ]
        for one in (*self.flows.values(), *self.devices.values()):
            found.readings += one.readings()
            found.lines += one.lines()
        return found


def told_home(about: About) -> ToldHome:
    """All flows of a home, and its devices (or the one that is asked about)."""
    meters = sorted({one.meter for one in about.known.channels if one.quantity.endswith("_consumption")})
    devices = {}
    for meter in meters:
        if about.way.meter in (None, meter):
            mine = [one for one in about.known.channels if one.meter == meter]
            one = told_flow(about.past, mine, "energy_consumption", about.start_us, about.end_us)
            if one.parts:
                devices[meter] = one
    return ToldHome(about, flows_of(about, tuple(BALANCE)), devices)


def _pieces(sheet: BalanceSheet, measure: str, meter: str | None) -> Int64:
    """The measure in each piece of time, (m,) milliwatt-hours."""
    flows, parts = sheet.flows, sheet.attribution
    if meter is not None:
        return sheet.device(meter).parts[OF_DEVICES[measure]]
    if measure in PARTS:
        return parts.parts[PARTS[measure]]
    if measure == "energy_unmetered":
        return parts.unmetered_milliwh
    devices = sheet.devices
    if measure == "energy_devices":
        return np.where(devices.some & devices.known, devices.energy_milliwh, 0)
    kept = flows.good & devices.known
    return np.where(kept, parts.home_milliwh - devices.energy_milliwh, 0)


def _sums(sheet: BalanceSheet) -> dict[str, float]:
    """All parts of the time: over sinks they add up to what a source gave, over sources to what a sink got."""
    parts = sheet.attribution.parts
    return {
        f"{source}_to_{sink}": kwh(int(parts[source, sink].sum()))
        for source in SOURCES
        for sink in SINKS
        if parts[source, sink].any()
    }


def _columns(sheet: BalanceSheet, devices: dict[str, Any]) -> dict[str, list[float]]:
    """The flows of each piece, 0 where not all of them are known, and the devices."""
    found = {name: kwh_column(sheet.flows.energy_milliwh[name]) for name in BALANCE if name in sheet.flows.present}
    for meter in devices:
        if meter in sheet.flows.devices:
            found[meter] = kwh_column(sheet.flows.devices[meter].energy_milliwh)
    return found


def _filled(about: About, sheet: BalanceSheet, energy: Int64) -> str:
    measure, parts = about.measure, sheet.attribution
    value = f"{kwh_text(int(energy.sum()))} kWh"
    count = int((energy != 0).sum())
    if about.way.meter is None and measure in PARTS:
        source, sink = PARTS[measure]
        of = parts.of(source)
        gave = sum(int(one.sum()) for one in of.values())
        others = " − ".join(f"{kwh_text(int(one.sum()))} (to {name})" for name, one in of.items() if name != sink)
        return f"{measure} = {kwh_text(gave)} ({source} gave) − {others} = {value}, over {count} quarter-hours"
    if measure == "energy_untracked":
        kept = sheet.flows.good & sheet.devices.known
        home = int(np.where(kept, parts.home_milliwh, 0).sum())
        used = int(np.where(kept, sheet.devices.energy_milliwh, 0).sum())
        return f"{measure} = {kwh_text(home)} (home) − {kwh_text(used)} (devices) = {value}"
    return f"{measure} = Σ over {count} quarter-hours = {value}"
