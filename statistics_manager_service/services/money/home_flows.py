"""The flows of a home that a bill is made of, as they are known at an instant, and their past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.money.usage import HomeUsage, usage_of
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.tariffs.billing import Plan, Usage
from statistics_manager_service.tariffs.document import Energy

#: Days before now that are looked at: the changes of a year, and the same days of the year before.
_PAST_DAYS: Final = 400
#: A quarter-hour counts as known where so much of it is.
KNOWN_SHARE: Final = 0.9
IMPORT, EXPORT = 0, 1


@dataclass(frozen=True, slots=True)
class Flows:
    """Energies of a home in pieces of time, (f, m): import, export, and the sub-meters that are priced apart.

    share: (f, m) float64, how much of each piece is known; nothing behind now is. meters: names of the sub-meters.
    """

    edges_us: Int64
    energy_milliwh: Int64
    share: Float64
    meters: tuple[str, ...]

    def between(self, start_us: int, end_us: int) -> Flows:
        """The same for the pieces of a time that begins and ends at edges."""
        first, last = np.searchsorted(self.edges_us, (start_us, end_us)).tolist()
        return Flows(
            self.edges_us[first : last + 1],
            self.energy_milliwh[:, first:last],
            self.share[:, first:last],
            self.meters,
        )

    def quarters(self) -> tuple[int, Float64]:
        """The same by quarter-hours: the first one (since 1970-01-01), and (f, n) float64, NaN where not known."""
        quarter = self.edges_us[:-1] // QUARTER_US
        starts = np.flatnonzero(np.diff(quarter, prepend=-1))
        energy = np.add.reduceat(self.energy_milliwh, starts, axis=1)
        share = np.minimum.reduceat(self.share, starts, axis=1)
        return int(quarter[0]), np.where(share < KNOWN_SHARE, np.nan, energy)

    def usage(self, more_milliwh: Int64 | None = None) -> Usage:
        """What is billed; with more energy of each piece, (f, m)."""
        energy = self.energy_milliwh
        known: NDArray[np.bool_] = self.share[IMPORT] > 0  # of a flow that the home does not have all is known
        if more_milliwh is not None:
            energy, known = energy + more_milliwh, known | np.logical_or.reduce(more_milliwh != 0)
        meters = dict(zip(self.meters, energy[2:], strict=True))
        return Usage(self.edges_us, energy[IMPORT], energy[EXPORT], meters, known)


def flows_of(view: ReadView, home: Home, plan: Plan, now_us: int) -> Flows:
    """The flows of a home over the past and over the time of a plan, which holds now."""
    quarter = now_us // QUARTER_US
    past_us = np.arange(quarter - _PAST_DAYS * QUARTERS_PER_DAY, quarter + 1, dtype=np.int64) * QUARTER_US
    edges_us = np.concatenate((past_us[past_us < plan.edges_us[0]], plan.edges_us))
    priced = [one for term in plan.terms for one in term.components() if isinstance(one, Energy)]
    meters = tuple(sorted({one.meter for one in priced if one.meter is not None}))
    channels = {
        flow: [one for one in home.channels if one.quantity in (f"energy_{flow}", f"power_{flow}")]
        for flow in ("import", "export")
    }
    imported, exported = (usage_of(view, some, edges_us) for some in channels.values())
    apart = [one for one in home.channels if one.meter in meters]
    of_meters = usage_of(view, apart, edges_us, meters).usage.meters if meters else {}
    shares = [_share(imported, is_there=imported.has_import), _share(exported, is_there=exported.has_export)]
    if not (imported.has_import or exported.has_export):  # nothing is told, not that there is nothing
        shares[IMPORT][:] = 0.0
    if imported.has_import and exported.has_export:  # before the first reading there was none of it
        begins_us = min(one.first_us for one in channels["export"] if one.first_us is not None)
        shares[EXPORT][edges_us[1:] <= begins_us] = 1.0
    energy = np.array(
        [imported.usage.import_milliwh, exported.usage.export_milliwh, *(of_meters[one] for one in meters)]
    )
    share = np.array([*shares, *(shares[IMPORT] for _ in meters)])
    ahead = edges_us[:-1] >= -(-now_us // QUARTER_US) * QUARTER_US
    energy[:, ahead], share[:, ahead] = 0, 0.0
    return Flows(edges_us, energy, share, meters)


def _share(told: HomeUsage, *, is_there: bool) -> Float64:
    """The known share of each piece of a flow; of one that the home does not have all of it: it is 0."""
    if not is_there:
        return np.ones(len(told.elapsed_s))
    share: Float64 = np.minimum((told.measured_s + told.estimated_s) / np.maximum(told.elapsed_s, 1), 1.0)
    return share
