"""Columns of where a home's energy came from and went, of its devices, and of what no device tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import SINKS, SOURCES
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.balance.sheets import BalanceSheet
from statistics_manager_service.services.measuring import Column, Lack

#: The flow of a home that must be metered for something to be said of a source, or a sink; of all, the import.
_FLOW_OF_SOURCE: Final = {"grid": "import", "production": "production", "battery": "discharge"}
_FLOW_OF_SINK: Final = {"home": "import", "battery": "charge", "grid": "export"}
#: {measure: (source, sink)}; unmetered energy never goes home: where there is some the home used nothing.
PARTS: Final = {
    f"energy_{source}_to_{sink}": (source, sink)
    for sink in SINKS
    for source in SOURCES
    if (source, sink) != ("unmetered", "home")
}
#: {measure: source} of those that can be told of a device, too.
OF_DEVICES: Final = {
    "energy_grid_to_home": "grid",
    "energy_production_to_home": "production",
    "energy_battery_to_home": "battery",
    "energy_unmetered": "unmetered",
}


def attribution_column(measure: str, sheet: BalanceSheet) -> Column:
    """A measure of the home."""
    if measure in PARTS:
        source, sink = PARTS[measure]
        wanted = {"import", _FLOW_OF_SOURCE.get(source, "import"), _FLOW_OF_SINK[sink]}
        if not wanted <= sheet.flows.present:
            return nothing_known(measure, None, "kWh", len(sheet.flows.place) - 1)
        return _of_home(measure, sheet, sheet.part(source, sink))
    return _OTHERS[measure](measure, sheet)


def column_of_device(measure: str, sheet: BalanceSheet, meter: str) -> Column:
    """A measure of one device. Raises BadInput where there is no such device."""
    source = OF_DEVICES[measure]
    device = sheet.device(meter)
    if not {"import", _FLOW_OF_SOURCE.get(source, "import")} <= sheet.flows.present:
        return nothing_known(measure, meter, "kWh", len(sheet.flows.place) - 1)
    shares = sheet.flows.shares(device.measured_s, device.estimated_s)
    known = sheet.flows.summed(device.known.astype(np.int64)) > 0
    return energy_column(measure, meter, sheet.part_of_device(meter, source), known, shares)


def energy_column(
    measure: str,
    meter: str | None,
    energy_milliwh: Int64,
    known: NDArray[np.bool_],
    shares: tuple[Float64, Float64],
    lacks: tuple[Lack, ...] = (),
) -> Column:
    """An energy over buckets, (n,) each; NaN where nothing is known."""
    value = np.where(known, energy_milliwh / MILLIWH_PER_KWH, np.nan)
    total = int(energy_milliwh.sum()) / MILLIWH_PER_KWH if known.any() else np.nan
    return Column(measure, meter, "kWh", value, *shares, total, lacks)


def nothing_known(measure: str, meter: str | None, unit: str, buckets: int) -> Column:
    """A measure of a home that has no such flow."""
    nothing = np.zeros(buckets)
    return Column(measure, meter, unit, np.full(buckets, np.nan), nothing, nothing, np.nan)


def _of_home(measure: str, sheet: BalanceSheet, energy_milliwh: Int64) -> Column:
    return energy_column(measure, None, energy_milliwh, sheet.flows.known, sheet.flows.coverage)


def _unmetered(measure: str, sheet: BalanceSheet) -> Column:
    if "import" not in sheet.flows.present:
        return nothing_known(measure, None, "kWh", len(sheet.flows.place) - 1)
    return _of_home(measure, sheet, np.sum([sheet.part("unmetered", sink) for sink in SINKS], axis=0))


def _devices(measure: str, sheet: BalanceSheet) -> Column:
    """The sum of all devices, over the time in which all that there are are known."""
    flows, devices = sheet.flows, sheet.devices
    kept = devices.some & devices.known
    shares = flows.shares(np.where(kept, devices.measured_s, 0), np.where(kept, devices.estimated_s, 0))
    energy = flows.summed(np.where(kept, devices.energy_milliwh, 0))
    return energy_column(measure, None, energy, flows.summed(kept.astype(np.int64)) > 0, shares)


def _untracked(measure: str, sheet: BalanceSheet) -> Column:
    """The home less its devices, over the time in which all of both are known."""
    flows, devices = sheet.flows, sheet.devices
    if "import" not in flows.present:
        return nothing_known(measure, None, "kWh", len(flows.place) - 1)
    kept = flows.good & devices.known
    home = np.where(kept, sheet.attribution.home_milliwh, 0)
    rest = flows.summed(home - np.where(kept, devices.energy_milliwh, 0))
    measured_s = np.where(kept, np.minimum(flows.measured_s, devices.measured_s), 0)
    covered_s = np.minimum(flows.measured_s + flows.estimated_s, devices.measured_s + devices.estimated_s)
    shares = flows.shares(measured_s, np.where(kept, covered_s - measured_s, 0))
    known = flows.summed(kept.astype(np.int64)) > 0
    return energy_column(measure, None, rest, known, shares, _why_negative(sheet, kept, home, rest))


def _why_negative(
    sheet: BalanceSheet, kept: NDArray[np.bool_], home_milliwh: Int64, rest_milliwh: Int64
) -> tuple[Lack, ...]:
    """Why in some buckets the devices used more than the home."""
    negative = np.flatnonzero(rest_milliwh < 0).tolist()
    if not negative:
        return ()
    flows = sheet.flows
    home = flows.summed(home_milliwh)
    used = {meter: flows.summed(np.where(kept, one.energy_milliwh, 0)) for meter, one in flows.devices.items()}
    found = []
    for bucket in negative:
        more, of_home = -int(rest_milliwh[bucket]), int(home[bucket])
        of_devices = [
            f"{meter} {_kwh(int(one[bucket]))} kWh"
            for meter, one in sorted(used.items(), key=lambda told: -int(told[1][bucket]))
            if one[bucket]
        ]
        why = (
            f"the meters disagree: the devices tell {_kwh(more)} kWh more than the home used by its balance, "
            f"{_kwh(of_home)} kWh: {', '.join(of_devices)}"
        )
        found.append(Lack(bucket, more / (more + of_home), why))
    return tuple(found)


def _kwh(energy_milliwh: int) -> str:
    return f"{energy_milliwh / MILLIWH_PER_KWH:.9g}"


_OTHERS: Final[dict[str, Callable[[str, BalanceSheet], Column]]] = {
    "energy_unmetered": _unmetered,
    "energy_devices": _devices,
    "energy_untracked": _untracked,
}
ATTRIBUTION_MEASURES: Final = (*PARTS, *_OTHERS)
