"""The flows of a home by the quarter-hour: what balances, attributions and carbon accounts are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import BALANCE, WHOLE_HOUSE, combine
from statistics_manager_service.core.grid import quarter_after
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.measuring import (
    Flow,
    KnownQuarters,
    Sources,
    flow_between,
    hull,
    known_quarters,
    sources,
)
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals

FLOWS: Final = tuple(BALANCE)
#: Of quarter-hours some 700,000; of a home of eight channels they take about 100 MB on the way.
MOST_YEARS: Final = 20
US_PER_YEAR: Final = 366 * US_PER_DAY


@dataclass(frozen=True, eq=False)
class QuarterFlows:
    """A home's flows in m pieces of time: quarter-hours, and the cuts of a question between them, from the home's first
    reading to its last. Of what lies outside nothing is known.

    edges_us: (m+1,) int64. place: (n+1,) of the question's n buckets, each edge's place among them.
    bucket_edges_us: (n+1,) int64, as asked for.
    energy_milliwh: {flow: (m,) int64} of import, export, production, charge, discharge; 0 where the home has no such
    flow, and where `good` is false. present: the flows that the home has a channel of.
    good: (m,) bool, whether every flow that had begun is known. measured_s, estimated_s: (m,) int64, 0 where not good.
    devices: {meter: its consumption}, by name; what is known of it. device_ends_us: {meter: when it was read last}.
    each: {flow: what is known of it, whatever is known of the others}, of the flows that the home has a channel of.
    """

    edges_us: Int64
    place: Int64
    bucket_edges_us: Int64
    energy_milliwh: dict[str, Int64]
    present: frozenset[str]
    good: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64
    devices: dict[str, Flow]
    device_ends_us: dict[str, int]
    each: Mapping[str, Flow] = field(default_factory=dict)

    @cached_property
    def consumption_milliwh(self) -> Int64:
        """import + production + discharge − export − charge, (m,); negative where the meters disagree."""
        return combine(BALANCE, self.energy_milliwh)

    @cached_property
    def elapsed_s(self) -> Int64:
        """Seconds of each piece, (m,)."""
        seconds = self.edges_us // US_PER_S
        return seconds[1:] - seconds[:-1]

    @cached_property
    def bucket_elapsed_s(self) -> Float64:
        """Seconds of each bucket, (n,), none of them 0."""
        return np.maximum((self.bucket_edges_us[1:] - self.bucket_edges_us[:-1]) / US_PER_S, 1e-6)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(n,) whether anything of a bucket is known."""
        return self.summed(self.good.astype(np.int64)) > 0

    @cached_property
    def coverage(self) -> tuple[Float64, Float64]:
        """The shares of each bucket's time that are measured, and estimated, (n,)."""
        return self.shares(self.measured_s, self.estimated_s)

    def shares(self, measured_s: Int64, estimated_s: Int64) -> tuple[Float64, Float64]:
        """Seconds of pieces, (m,) each, as shares of each bucket's time, (n,)."""
        measured, estimated = self.summed(measured_s), self.summed(estimated_s)
        return np.minimum(measured / self.bucket_elapsed_s, 1.0), np.minimum(estimated / self.bucket_elapsed_s, 1.0)

    def summed(self, column: Int64) -> Int64:
        """A column (m,) int64 by buckets, (n,)."""
        return sums_between(column, self.place)


def sums_between(column: Int64, place: Int64) -> Int64:
    """A column (m,) int64 summed between places (n+1,) in it, none less than the one before: (n,) int64."""
    out = np.zeros(len(place) - 1, np.int64)
    some = np.flatnonzero(place[1:] > place[:-1])
    if len(some):  # a third of the time of differences of a running sum
        out[some] = np.add.reduceat(column[: place[-1]], place[some])
    return out


def quarter_flows(view: ReadView, channels: Sequence[Channel], edges_us: Int64) -> QuarterFlows:
    """A home's flows in the quarter-hours between the edges of buckets, (n+1,).

    Raises BadInput where these are more than are worked out at once.
    """
    found = {flow: some for flow in FLOWS if (some := sources(channels, f"energy_{flow}"))}
    told = {meter: sources([c for c in channels if c.meter == meter], "energy_consumption") for meter in _of(channels)}
    devices = {meter: some for meter, some in told.items() if some}
    known_us = hull([one for some in (*found.values(), *devices.values()) for one in some.channels])
    if known_us is None or known_us[0] >= edges_us[-1] or known_us[1] <= edges_us[0]:
        return _nothing(edges_us, frozenset(found), devices)
    inside_us = np.clip(edges_us, *known_us)
    if inside_us[-1] - inside_us[0] > MOST_YEARS * US_PER_YEAR:
        raise BadInput.of([Fault("end", f"balances of at most {MOST_YEARS} years are told at once; ask in parts")])
    edges, bucket = np.unique(inside_us, return_inverse=True)
    fine, place = Totals(view, edges).fine
    fine.fetch([one for some in (*found.values(), *devices.values()) for one in some.channels])
    flows = {flow: flow_between(fine, some) for flow, some in found.items()}
    good, measured_s, covered_s = known_quarters(list(flows.values()), fine.edges_us) if flows else _unknown(fine)
    whole = bool(good.all())

    def kept(column: Int64) -> Int64:
        return column if whole else np.where(good, column, 0)

    nothing = np.zeros(len(good), np.int64)
    return QuarterFlows(
        edges_us=fine.edges_us,
        place=place[bucket],
        bucket_edges_us=edges_us,
        energy_milliwh={flow: kept(flows[flow].energy_milliwh) if flow in flows else nothing for flow in FLOWS},
        present=frozenset(flows),
        good=good,
        measured_s=kept(measured_s),
        estimated_s=kept(covered_s - measured_s),
        devices={meter: flow_between(fine, some) for meter, some in devices.items()},
        device_ends_us={meter: _end_us(some) for meter, some in devices.items()},
        each=flows,
    )


def _nothing(edges_us: Int64, present: frozenset[str], devices: Mapping[str, Sources]) -> QuarterFlows:
    """A time of which nothing is known: no pieces."""
    none = np.zeros(0, np.int64)
    ends_us = {meter: _end_us(some) for meter, some in devices.items()}
    silent = {meter: Flow(none, none, none, None) for meter in devices}
    place = np.zeros(len(edges_us), np.int64)
    energies = dict.fromkeys(FLOWS, none)
    each = dict.fromkeys(present, Flow(none, none, none, None))
    return QuarterFlows(edges_us[:1], place, edges_us, energies, present, none > 0, none, none, silent, ends_us, each)


def _unknown(fine: Totals) -> KnownQuarters:
    nothing = np.zeros(len(fine.edges_us) - 1, np.int64)
    return KnownQuarters(nothing > 0, nothing, nothing)


def _end_us(found: Sources) -> int:
    """When a device was read last, on an edge of quarter-hours; of intervals, when the last one began."""
    return quarter_after(max(one.last_us for one in found.channels if one.last_us is not None)) * QUARTER_US


def _of(channels: Sequence[Channel]) -> list[str]:
    """The meters that measure a device: those that tell consumption, and not of the whole house."""
    some = {c.meter for c in channels if c.quantity in ("energy_consumption", "power_consumption")}
    return sorted(some.difference(WHOLE_HOUSE))
