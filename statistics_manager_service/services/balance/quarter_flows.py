"""The flows of a home by the quarter-hour: what balances, attributions and carbon accounts are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import BALANCE, WHOLE_HOUSE, combine
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.services.measuring import Flow, flow_between, known_quarters, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals

FLOWS: Final = tuple(BALANCE)


@dataclass(frozen=True, eq=False)
class QuarterFlows:
    """A home's flows in m pieces of time: quarter-hours, and the cuts of a question between them.

    edges_us: (m+1,) int64. place: (n+1,) of the question's n buckets, each edge's place among them.
    energy_milliwh: {flow: (m,) int64} of import, export, production, charge, discharge; 0 where the home has no such
    flow, and where `good` is false. present: the flows that the home has a channel of.
    good: (m,) bool, whether every flow that had begun is known. measured_s, estimated_s: (m,) int64, 0 where not good.
    devices: {meter: its consumption}, by name; what is known of it.
    """

    edges_us: Int64
    place: Int64
    energy_milliwh: dict[str, Int64]
    present: frozenset[str]
    good: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64
    devices: dict[str, Flow]

    @cached_property
    def consumption_milliwh(self) -> Int64:
        """import + production + discharge − export − charge, (m,); negative where the meters disagree."""
        return combine(BALANCE, self.energy_milliwh)

    @cached_property
    def elapsed_s(self) -> Int64:
        """Seconds of each piece, (m,)."""
        seconds = self.edges_us // 1_000_000
        return seconds[1:] - seconds[:-1]

    @cached_property
    def bucket_elapsed_s(self) -> Float64:
        """Seconds of each bucket, (n,), none of them 0."""
        edges = self.edges_us[self.place]
        return np.maximum((edges[1:] - edges[:-1]) / 1e6, 1e-6)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """(n,) whether anything of a bucket is known."""
        return self.summed(self.good.astype(np.int64)) > 0

    @cached_property
    def coverage(self) -> tuple[Float64, Float64]:
        """The shares of each bucket's time that are measured, and estimated, (n,)."""
        measured, estimated = self.summed(self.measured_s), self.summed(self.estimated_s)
        return np.minimum(measured / self.bucket_elapsed_s, 1.0), np.minimum(estimated / self.bucket_elapsed_s, 1.0)

    def summed(self, column: Int64) -> Int64:
        """A column (m,) int64 by buckets, (n,)."""
        running = np.zeros(len(column) + 1, np.int64)
        np.cumsum(column, out=running[1:])
        at = running[self.place]
        out: Int64 = at[1:] - at[:-1]
        return out


def quarter_flows(view: ReadView, channels: Sequence[Channel], edges_us: Int64) -> QuarterFlows:
    """A home's flows in the quarter-hours between the edges of buckets, (n+1,)."""
    fine, place = Totals(view, edges_us).fine
    found = {flow: sources(channels, f"energy_{flow}") for flow in FLOWS}
    told = {meter: sources([c for c in channels if c.meter == meter], "energy_consumption") for meter in _of(channels)}
    fine.fetch([one for some in (*found.values(), *told.values()) for one in some.channels])
    flows = {flow: flow_between(fine, some) for flow, some in found.items() if some}
    nothing = np.zeros(len(fine.edges_us) - 1, np.int64)
    if not flows:
        return QuarterFlows(fine.edges_us, place, dict.fromkeys(FLOWS, nothing), frozenset(), nothing > 0, nothing,
                            nothing, {meter: flow_between(fine, some) for meter, some in told.items()})  # fmt: skip
    good, measured_s, covered_s = known_quarters(list(flows.values()), fine.edges_us)
    whole = bool(good.all())

    def kept(column: Int64) -> Int64:
        return column if whole else np.where(good, column, 0)

    return QuarterFlows(
        edges_us=fine.edges_us,
        place=place,
        energy_milliwh={flow: kept(flows[flow].energy_milliwh) if flow in flows else nothing for flow in FLOWS},
        present=frozenset(flows),
        good=good,
        measured_s=kept(measured_s),
        estimated_s=kept(covered_s - measured_s),
        devices={meter: flow_between(fine, some) for meter, some in told.items()},
    )


def _of(channels: Sequence[Channel]) -> list[str]:
    """The meters that measure a device: those that tell consumption, and not of the whole house."""
    some = {c.meter for c in channels if c.quantity in ("energy_consumption", "power_consumption")}
    return sorted(some.difference(WHOLE_HOUSE))
