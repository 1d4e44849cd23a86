"""The books of a home's battery over its whole life, so that what a quarter-hour gave does not hang on what is asked.

In a home with several batteries they are one: the books are of what all of them took and gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import Attribution, attribute, shared_out
from statistics_manager_service.core.ledger import PPM, Ledger, carried_round, fifo, origins
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.balance.quarter_flows import (
    FLOWS,
    MOST_YEARS,
    US_PER_YEAR,
    QuarterFlows,
    quarter_flows,
    sums_between,
)
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import hull, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.telemetry.as_known import as_known
from statistics_manager_service.services.totals import COUNT, SUM, Totals

#: Five years of a home take some forty megabytes.
_MOST_KEPT_BYTES: Final = 2**27
_COLUMNS, _COLUMN_BYTES = 30, 8
ORIGINS: Final = ("production", "grid", "unknown")
_OF_FLOWS: Final = frozenset(f"{dimension}_{flow}" for dimension in ("energy", "power") for flow in FLOWS)


class EfficiencyBasis(StrEnum):
    """Where the efficiency of the books comes from."""

    TOLD = "told"
    LIFE = "life"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The round-trip efficiency that the books use.

    value: 0..1; None where it can't be told yet: then the books take no losses. basis: told by the household's setting,
    worked out of the battery's life, or assumed.
    """

    value: float | None
    basis: EfficiencyBasis

    @property
    def ppm(self) -> int:
        """As the ledger takes it."""
        return PPM if self.value is None else max(1, min(PPM, round(self.value * PPM)))


@dataclass(frozen=True, eq=False)
class Books:
    """A battery's books over the m quarter-hours of its life.

    edges_us: (m+1,) int64. good: (m,) bool, where every flow of the home that had begun is known; elsewhere all is 0.
    measured_s, estimated_s: (m,) int64. attribution: of the home's energy. capacity_milliwh: what can be discharged
    from full, None where that is not told.
    """

    edges_us: Int64
    good: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64
    attribution: Attribution
    capacity_milliwh: int | None
    efficiency: Efficiency
    ledger: Ledger

    @cached_property
    def charge_milliwh(self) -> Int64:
        """(m,) what was charged."""
        out: Int64 = np.sum(list(self.attribution.to("battery").values()), axis=0)
        return out

    @cached_property
    def discharge_milliwh(self) -> Int64:
        """(m,) what was discharged."""
        out: Int64 = np.sum(list(self.attribution.of("battery").values()), axis=0)
        return out

    @property
    def returned_milliwh(self) -> Int64:
        """(m,) what went from the battery into itself: taken and given in one quarter-hour."""
        return self.attribution.parts["battery", "battery"]

    @cached_property
    def discharge_by_origin(self) -> Mapping[str, Int64]:
        """{production, grid, unknown: (m,)} the discharge by where the charge had come from; it adds up to it."""
        into = self.attribution.to("battery")
        known = {one: into[one] for one in ORIGINS[:-1]}
        found = origins(self.ledger, self.discharge_milliwh, known, self.returned_milliwh)
        return {**found, "unknown": self.discharge_milliwh - sum(found.values())}

    @cached_property
    def to_home_by_origin(self) -> Mapping[str, Int64]:
        """{production, grid, unknown: (m,)} of what the battery gave the home; it adds up to that."""
        return self._by_origin("home")

    @cached_property
    def given_by_origin(self) -> Mapping[str, Int64]:
        """{production, grid, unknown: (m,)} of what the battery gave home and grid; it adds up to that."""
        sold = self._by_origin("grid")
        return {one: used + sold[one] for one, used in self.to_home_by_origin.items()}

    def _by_origin(self, sink: str) -> Mapping[str, Int64]:
        parts = [self.discharge_by_origin[one] for one in ORIGINS]
        return dict(zip(ORIGINS, shared_out(self.attribution.parts["battery", sink], parts), strict=True))

    def carried_out(self, carried: Int64) -> Int64:
        """What left the battery, for home and grid, with the discharge of each quarter-hour, (m,) int64, of something
        that came into it from outside with the charge, (m,) int64 ≥ 0 in any unit: carbon, money. What went from the
        battery into itself comes back with what it went with. Discharge of unknown origin carries nothing."""
        return carried_round(self.ledger, self.discharge_milliwh, carried, self.returned_milliwh)

    def places(self, edges_us: Int64) -> Int64:
        """Where the edges of buckets (n+1,) lie among those of the books; those outside of its life at its ends.

        Raises BadInput for one that is not on a quarter-hour.
        """
        off = np.flatnonzero(edges_us % QUARTER_US)
        if len(off):
            where = "start" if off[0] == 0 else "end"
            why = "a battery's books are kept by whole quarter-hours of UTC, and a bucket begins or ends inside of one"
            raise BadInput.of([Fault(where, why)])
        places: Int64 = np.clip((edges_us - self.edges_us[0]) // QUARTER_US, 0, len(self.good))
        return places

    def summed(self, column: Int64 | NDArray[np.bool_], places: Int64) -> Int64:
        """A column (m,) in the buckets (n,) between places (n+1,)."""
        return sums_between(column.astype(np.int64, copy=False), places)


class BatteryBooks:
    """The books of homes' batteries; recent ones are kept until the home changes."""

    def __init__(self, most_kept_bytes: int = _MOST_KEPT_BYTES) -> None:
        self._kept: Remembered[Books] = Remembered(most_kept_bytes)

    def of(self, view: ReadView, home: Home, until_us: int | None = None) -> Books | None:
        """The books of a home's battery, as they were known at an instant if one is named; None where there is none."""
        if until_us is not None:
            view, home = as_known(view, home, until_us)
            return battery_books(view, home)
        key = home.household.id
        found = self._kept.get(key, home.state)
        if found is None:
            found = battery_books(view, home)
            if found is not None:
                self._kept.put(key, home.state, found, len(found.good) * _COLUMNS * _COLUMN_BYTES)
        return found


def battery_books(view: ReadView, home: Home) -> Books | None:
    """The books of a home's battery from its first reading to the home's last, at most the last 20 years of them; None
    where no channel tells of a battery."""
    battery = [one for flow in ("charge", "discharge") for one in sources(home.channels, f"energy_{flow}").channels]
    life_us = hull(battery)
    if life_us is None:
        return None
    first_us = max(life_us[0], (life_us[1] - MOST_YEARS * US_PER_YEAR) // QUARTER_US * QUARTER_US)
    edges_us = np.array([first_us, life_us[1]], np.int64)
    flows = quarter_flows(view, [one for one in home.channels if one.quantity in _OF_FLOWS], edges_us)
    attribution = attribute(flows.energy_milliwh)
    told = home.household.more.get("battery_capacity_kwh")
    capacity_milliwh = None if told is None else max(1, round(told * MILLIWH_PER_KWH))
    efficiency = _efficiency(view, home, flows, attribution, capacity_milliwh)
    charge = np.sum(list(attribution.to("battery").values()), axis=0)
    discharge = np.sum(list(attribution.of("battery").values()), axis=0)
    return Books(
        edges_us=flows.edges_us,
        good=flows.good,
        measured_s=flows.measured_s,
        estimated_s=flows.estimated_s,
        attribution=attribution,
        capacity_milliwh=capacity_milliwh,
        efficiency=efficiency,
        ledger=fifo(charge, discharge, efficiency.ppm, capacity_milliwh),
    )


def _efficiency(
    view: ReadView, home: Home, flows: QuarterFlows, attribution: Attribution, capacity_milliwh: int | None
) -> Efficiency:
    told = home.household.more.get("battery_efficiency")
    if told is not None:
        return Efficiency(float(told), EfficiencyBasis.TOLD)
    charge, discharge = (
        np.array([sum(int(part.sum()) for part in some.values())])
        for some in (attribution.to("battery"), attribution.of("battery"))
    )
    stored = stored_change_milliwh(view, home.channels, flows.bucket_edges_us, capacity_milliwh)
    value = float(efficiencies(charge, discharge, stored, capacity_milliwh)[0])
    if np.isnan(value):
        return Efficiency(None, EfficiencyBasis.ASSUMED)
    return Efficiency(value, EfficiencyBasis.LIFE)


def efficiencies(
    charge_milliwh: Int64, discharge_milliwh: Int64, stored_milliwh: Float64, capacity_milliwh: int | None
) -> Float64:
    """Round-trip efficiencies of times, (n,): discharge / (charge − change of what is stored), at most 1; NaN where
    nothing was discharged, or less than from full to empty."""
    taken = charge_milliwh - stored_milliwh
    enough = discharge_milliwh >= (1 if capacity_milliwh is None else capacity_milliwh)
    defined = enough & (taken > 0)
    return np.where(defined, np.minimum(discharge_milliwh / np.where(defined, taken, 1), 1.0), np.nan)


def stored_change_milliwh(
    view: ReadView, channels: Sequence[Channel], edges_us: Int64, capacity_milliwh: int | None
) -> Float64:
    """How much more was stored at the end of each bucket than at its begin, (n,), by the battery's own state of charge;
    0 where that or the capacity is not known."""
    some = [one for one in channels if one.quantity == "state_of_charge" and one.first_us is not None]
    if capacity_milliwh is None or not some:
        return np.zeros(len(edges_us) - 1)
    charged = _states_of_charge(view, some, edges_us) * capacity_milliwh
    return np.nan_to_num(charged[1:] - charged[:-1])


def _states_of_charge(view: ReadView, channels: Sequence[Channel], edges_us: Int64) -> Float64:
    """(n+1,) in 0..1 at edges: the mean of the samples in the quarter-hour before, or else in the one behind; of
    several batteries their mean. NaN where there is none."""
    around_us = np.unique(np.concatenate((edges_us - QUARTER_US, edges_us, edges_us + QUARTER_US)))
    steps = Totals(view, around_us).steps(channels)
    place = np.searchsorted(around_us, edges_us)
    counts, sums = steps[:, :, COUNT].astype(np.float64), steps[:, :, SUM].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts / (MILLI * MILLI)
    found = np.where(np.isnan(means[:, place - 1]), means[:, place], means[:, place - 1])
    known = ~np.isnan(found)
    total: Float64 = np.where(known, found, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), total, np.nan)
