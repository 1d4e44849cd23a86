"""Balance sheets: the flows of a home's quarter-hours, and by what each of them was fed, worked out once a question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import SOURCES, Attribution, attribute, of_device
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.balance.quarter_flows import QuarterFlows, quarter_flows
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.telemetry.as_known import as_known

#: A year of a home of eight channels takes some ten megabytes.
_MOST_KEPT_BYTES: Final = 2**26
#: Columns of a piece that a sheet comes to hold: flows, their seconds, the attribution; and of each device.
_COLUMNS, _OF_A_DEVICE, _COLUMN_BYTES = 26, 8, 8


@dataclass(frozen=True, eq=False)
class Device:
    """What a device used in m pieces of time, by source, where it and all flows of the home are known.

    known: (m,) bool. parts: {source: (m,) int64 milliwatt-hours}, 0 where not known. measured_s, estimated_s: (m,)
    int64, 0 where not known.
    """

    known: NDArray[np.bool_]
    parts: dict[str, Int64]
    measured_s: Int64
    estimated_s: Int64

    @cached_property
    def energy_milliwh(self) -> Int64:
        """All that it used, (m,)."""
        out: Int64 = np.sum(list(self.parts.values()), axis=0)
        return out


@dataclass(frozen=True, eq=False)
class Devices:
    """All devices of a home in m pieces of time. A device counts from its first reading to its last.

    some: (m,) bool, whether there is any. known: (m,) bool, whether all that there are are known. energy_milliwh: (m,)
    int64, as far as it is known. measured_s, estimated_s: (m,) int64, of the one of which least is; all of the time
    where there is none.
    """

    some: NDArray[np.bool_]
    known: NDArray[np.bool_]
    energy_milliwh: Int64
    measured_s: Int64
    estimated_s: Int64


class BalanceSheet:
    """A home's quarter-hours in the buckets of a question: flows, attribution, devices. What is not asked for is not
    worked out."""

    def __init__(self, flows: QuarterFlows) -> None:
        self.flows = flows
        self._devices: dict[str, Device] = {}
        self._sums: dict[tuple[str, str, str | None], Int64] = {}

    @cached_property
    def attribution(self) -> Attribution:
        """Where the energy of each piece came from and went; nothing where a flow is not known."""
        return attribute(self.flows.energy_milliwh)

    def part(self, source: str, sink: str) -> Int64:
        """What a source gave a sink in each bucket, (n,) int64 milliwatt-hours."""
        key = (source, sink, None)
        if key not in self._sums:
            self._sums[key] = self.flows.summed(self.attribution.parts[source, sink])
        return self._sums[key]

    def part_of_device(self, meter: str, source: str) -> Int64:
        """What a source gave a device in each bucket, (n,) int64 milliwatt-hours."""
        key = (source, "home", meter)
        if key not in self._sums:
            self._sums[key] = self.flows.summed(self.device(meter).parts[source])
        return self._sums[key]

    def device(self, meter: str) -> Device:
        """A device of the home, by source. Raises BadInput where the home has no such device."""
        if meter not in self._devices:
            self._devices[meter] = self._device(meter)
        return self._devices[meter]

    def _device(self, meter: str) -> Device:
        flow = self.flows.devices.get(meter)
        if flow is None:
            there = f"its devices are {', '.join(self.flows.devices)}" if self.flows.devices else "it has none"
            why = f"{meter[:64]!r} is no device of the household, a meter that tells consumption; {there}"
            raise BadInput.of([Fault("meter", why)])
        known = self.flows.good & flow.known
        used = np.where(known, flow.energy_milliwh, 0)
        measured_s = np.where(known, np.minimum(flow.measured_s, self.flows.measured_s), 0)
        of_home, of_flow = self.flows.measured_s + self.flows.estimated_s, flow.measured_s + flow.estimated_s
        covered_s = np.where(known, np.minimum(of_flow, of_home), 0)
        return Device(known, of_device(self.attribution, used), measured_s, covered_s - measured_s)

    @cached_property
    def devices(self) -> Devices:
        """All devices together."""
        flows = self.flows
        some, lacking = np.zeros((2, len(flows.good)), np.bool_)
        energy = np.zeros(len(flows.good), np.int64)
        measured_s, covered_s = flows.elapsed_s.copy(), flows.elapsed_s.copy()
        for meter, flow in flows.devices.items():
            alive = self._alive(meter)
            some |= alive
            lacking |= alive & ~flow.known
            energy += flow.energy_milliwh
            np.minimum(measured_s, flow.measured_s, out=measured_s, where=alive)
            np.minimum(covered_s, flow.measured_s + flow.estimated_s, out=covered_s, where=alive)
        return Devices(some, ~lacking, energy, measured_s, covered_s - measured_s)

    def _alive(self, meter: str) -> NDArray[np.bool_]:
        """Whether a device had begun and had not been read for the last time."""
        edges_us, flow = self.flows.edges_us, self.flows.devices[meter]
        if flow.begins_us is None:
            return np.zeros(len(edges_us) - 1, np.bool_)
        begun = edges_us[1:] > flow.begins_us
        alive: NDArray[np.bool_] = begun & (edges_us[:-1] < self.flows.device_ends_us[meter]) | flow.known
        return alive


class BalanceSheets:
    """Balance sheets of homes; recent ones are kept until the home changes, so that whoever asks for measures of the
    same time, balance or carbon, has it read and attributed once."""

    def __init__(self, most_kept_bytes: int = _MOST_KEPT_BYTES) -> None:
        self._kept: Remembered[BalanceSheet] = Remembered(most_kept_bytes)

    def of(self, view: ReadView, home: Home, edges_us: Int64, until_us: int | None = None) -> BalanceSheet:
        """The sheet of a home between the edges of buckets, (n+1,), as it was known at an instant if one is named.
        Raises BadInput where the time is too long."""
        if until_us is not None:
            view, home = as_known(view, home, until_us)
            return BalanceSheet(quarter_flows(view, home.channels, edges_us))
        key = (home.household.id, edges_us.tobytes())
        found = self._kept.get(key, home.state)
        if found is None:
            found = BalanceSheet(quarter_flows(view, home.channels, edges_us))
            columns = _COLUMNS + _OF_A_DEVICE * len(found.flows.devices)
            pieces_bytes = len(found.flows.good) * columns * _COLUMN_BYTES
            self._kept.put(key, home.state, found, pieces_bytes + edges_us.nbytes * len(SOURCES))
        return found
