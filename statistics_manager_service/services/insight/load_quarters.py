"""The mean powers of a home, or of a part of it, over quarter-hours: what load figures are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import WHOLE_HOUSE
from statistics_manager_service.core.load import W_PER_KWH_OF_A_QUARTER, BucketLoads
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_S
from statistics_manager_service.services.measuring import Measurer, needed, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals

#: Energies whose mean powers can be asked for.
LOADS: Final = ("energy_consumption", "energy_import", "energy_export", "energy_production")
#: Shares are quotients of whole seconds: what differs from 1 by less is 1.
_WHOLE: Final = 1 - 1e-9


@dataclass(frozen=True, eq=False)
class LoadQuarters:
    """Mean powers in m pieces of time: quarter-hours, and the cuts of a question between them.

    edges_us: (m+1,) int64. place: (n+1,) of the question's n buckets, each edge's place among them.
    power_w: (m,) float64, NaN but where the piece is a whole quarter-hour and measured throughout; it is negative where
    the meters of a home's flows disagree. estimated: (m,) bool, whole quarter-hours of which all is known and not all
    measured. partial: (m,) bool, those of which a part is known, and what a question's edges cut off.
    coverage, estimated_share: (m,) of each piece.
    """

    edges_us: Int64
    place: Int64
    power_w: Float64
    estimated: NDArray[np.bool_]
    partial: NDArray[np.bool_]
    coverage: Float64
    estimated_share: Float64

    @property
    def measured(self) -> NDArray[np.bool_]:
        """(m,) whether a piece counts."""
        return ~np.isnan(self.power_w)

    @cached_property
    def buckets(self) -> BucketLoads:
        """The powers in the question's buckets."""
        return BucketLoads(self.power_w, self.place)

    @cached_property
    def whole(self) -> BucketLoads:
        """The powers in the whole time as a single bucket."""
        return BucketLoads(self.power_w, np.array([0, len(self.power_w)]))

    def shares(self) -> tuple[Float64, Float64]:
        """The shares of each bucket's time that are measured, and estimated, (n,)."""
        elapsed = np.diff(self.edges_us).astype(np.float64)
        out = []
        for share in (self.coverage, self.estimated_share):
            running = np.concatenate(([0.0], np.cumsum(share * elapsed)))[self.place]
            out.append(np.clip(np.diff(running) / np.diff(self.edges_us[self.place]), 0.0, 1.0))
        return out[0], out[1]


def load_quarters(
    view: ReadView, channels: Sequence[Channel], edges_us: Int64, energy: str, meter: str | None
) -> LoadQuarters:
    """The mean powers of an energy, of the home or of one meter, between the edges of buckets, (n+1,)."""
    fine, place = Totals(view, edges_us).fine
    column = Measurer(fine, channels).column(energy, meter)
    whole = fine.elapsed_s == QUARTER_S
    known = column.coverage + column.estimated
    measured = whole & (column.coverage >= _WHOLE) & ~np.isnan(column.value)
    estimated = whole & ~measured & (known >= _WHOLE)
    # an energy is whole milliwatt-hours, so the power is whole milliwatts
    power_w = np.where(measured, np.round(column.value * W_PER_KWH_OF_A_QUARTER, 3), np.nan)
    partial = (known > 0) & ~measured & ~estimated
    return LoadQuarters(fine.edges_us, place, power_w, estimated, partial, column.coverage, column.estimated)


def told_by(channels: Sequence[Channel], energy: str, meter: str | None) -> list[Channel]:
    """The channels that tell an energy of the home, or of one meter."""
    found = needed(channels, [energy], meter)
    if not found and energy == "energy_consumption" and meter is None:
        return sources([c for c in channels if c.meter in WHOLE_HOUSE], energy).channels
    return found
