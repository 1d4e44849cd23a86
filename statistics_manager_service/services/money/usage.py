"""What a home took from the grid and gave to it, in the pieces of time in which it is billed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_HOUR, US_PER_S
from statistics_manager_service.services.measuring import Flow, flow_between, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import EdgePlan, Totals
from statistics_manager_service.tariffs.billing import Usage


@dataclass(frozen=True, slots=True)
class HomeUsage:
    """Energies of pieces of time, and how well they are known.

    elapsed_s, measured_s, estimated_s: (m,) int64 seconds of each piece, and of them those that are measured and
    estimated: of the import, or of the export where the home has no import. has_import, has_export: whether the home
    tells of them at all. known_until_us: until when what is billed is known, None without any
    reading. silent_meters: sub-meters that are priced apart, and of which nothing was ever read.
    """

    usage: Usage
    elapsed_s: Int64
    measured_s: Int64
    estimated_s: Int64
    has_import: bool
    has_export: bool
    known_until_us: int | None
    silent_meters: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which pieces anything is known, (m,)."""
        flows = (self.usage.import_milliwh != 0) | (self.usage.export_milliwh != 0)
        known: NDArray[np.bool_] = (self.measured_s + self.estimated_s > 0) | flows
        return known


def piece_edges(start_us: int, end_us: int, cuts_us: Iterable[int]) -> Int64:
    """The edges of pieces of time from start to end: quarter-hours, and cuts between them, (m+1,) int64."""
    first, last = -(-start_us // QUARTER_US), end_us // QUARTER_US
    grid_us = np.arange(first, last + 1, dtype=np.int64) * QUARTER_US
    more = [one for one in {start_us, end_us, *cuts_us} if one % QUARTER_US and start_us <= one <= end_us]
    if not more:
        return grid_us
    return np.unique(np.concatenate((grid_us, np.array(more, np.int64))))


def usage_of(
    view: ReadView,
    channels: Sequence[Channel],
    edges_us: Int64,
    meters: Iterable[str] = (),
    edge_plan: EdgePlan | None = None,
) -> HomeUsage:
    """A home's energies. meters: sub-meters that a tariff prices apart; their import, or their consumption."""
    totals = Totals(view, edges_us, edge_plan)
    flows = {name: sources(channels, f"energy_{name}") for name in ("import", "export")}
    totals.fetch([one for found in flows.values() for one in found.channels])
    imported, exported = (flow_between(totals, found) for found in flows.values())
    told: Flow = imported if flows["import"] else exported
    lasts = [one.last_us for found in flows.values() for one in found.channels if one.last_us is not None]
    seconds = edges_us // US_PER_S
    apart = {meter: _of_meter(totals, channels, meter) for meter in meters}
    nothing = np.zeros(len(edges_us) - 1, np.int64)
    covered = told.measured_s + told.estimated_s > 0
    return HomeUsage(
        Usage(
            edges_us,
            imported.energy_milliwh,
            exported.energy_milliwh,
            {meter: nothing if energy is None else energy for meter, energy in apart.items()},
            covered | (imported.energy_milliwh != 0) | (exported.energy_milliwh != 0),
        ),
        seconds[1:] - seconds[:-1],
        told.measured_s,
        told.estimated_s,
        bool(flows["import"]),
        bool(flows["export"]),
        _known_until(edges_us, covered, lasts),
        tuple(meter for meter, energy in apart.items() if energy is None),
    )


def _known_until(edges_us: Int64, covered: NDArray[np.bool_], lasts_us: Sequence[int]) -> int | None:
    """Until when energies are known. Of intervals the newest reading is the start of the last one: what it covers is
    known, too."""
    if not lasts_us:
        return None
    places = np.flatnonzero(covered)
    last_us = min(lasts_us)
    end_us = int(edges_us[places[-1] + 1]) if len(places) else last_us
    return end_us if last_us < end_us <= last_us + US_PER_HOUR else last_us


def _of_meter(totals: Totals, channels: Sequence[Channel], meter: str) -> Int64 | None:
    """The energy of a sub-meter; None where nothing was ever read of it."""
    mine = [one for one in channels if one.meter == meter]
    for quantity in ("energy_import", "energy_consumption"):
        found = sources(mine, quantity)
        if found:
            return flow_between(totals, found).energy_milliwh
    return None
