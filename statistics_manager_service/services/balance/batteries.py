"""Measures of a battery from its books: what it gave by origin, efficiency, cycles, content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_S
from statistics_manager_service.services.balance.attributions import energy_column, nothing_known
from statistics_manager_service.services.balance.battery_books import (
    ORIGINS,
    BatteryBooks,
    Books,
    efficiencies,
    stored_change_milliwh,
)
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.telemetry.as_known import as_known

#: {measure: origin}
BY_ORIGIN: Final = {f"energy_stored_{origin}_to_home": origin for origin in ORIGINS}


class Batteries:
    """Works out measures of homes' batteries, which are of the home: its meters may measure several."""

    measures: tuple[str, ...] = (*BY_ORIGIN, "battery_efficiency", "battery_cycles", "battery_stored")
    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = True

    def __init__(self, books: BatteryBooks) -> None:
        self._books = books

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a battery over buckets. Raises BadInput for buckets that begin inside a quarter-hour."""
        books = self._books.of(view, home, way.until_us)
        if books is None:
            buckets = len(cal.edges_us) - 1
            return [nothing_known(one, None, DEFINITIONS[one].unit, buckets) for one in measures]
        if way.until_us is not None:
            view, home = as_known(view, home, way.until_us)
        found = BatteryBuckets(view, home, books, cal.edges_us)
        return [found.column(one) for one in measures]


class BatteryBuckets:
    """A battery's books in the n buckets between edges (n+1,). Raises BadInput for edges inside a quarter-hour."""

    def __init__(self, view: ReadView, home: Home, books: Books, edges_us: Int64) -> None:
        self._view, self._home, self._edges_us = view, home, edges_us
        self.books, self.places = books, books.places(edges_us)
        self.known: NDArray[np.bool_] = self.sums(books.good) > 0
        elapsed_s = np.maximum((edges_us[1:] - edges_us[:-1]) / US_PER_S, 1e-6)
        measured, estimated = self.sums(books.measured_s), self.sums(books.estimated_s)
        self.shares: tuple[Float64, Float64] = measured / elapsed_s, estimated / elapsed_s

    def sums(self, column: Int64 | NDArray[np.bool_]) -> Int64:
        """A column of the books in the buckets, (n,)."""
        return self.books.summed(column, self.places)

    def column(self, measure: str) -> Column:
        """One of the measures."""
        if measure in BY_ORIGIN:
            given = self.sums(self.books.to_home_by_origin[BY_ORIGIN[measure]])
            return energy_column(measure, None, given, self.known, self.shares)
        value, total = _MADE[measure](self)
        return Column(measure, None, DEFINITIONS[measure].unit, value, *self.shares, total)

    def efficiency(self) -> tuple[Float64, float]:
        """Of each bucket, and of the whole time."""
        charge, discharge = self.sums(self.books.charge_milliwh), self.sums(self.books.discharge_milliwh)
        capacity = self.books.capacity_milliwh
        stored = stored_change_milliwh(self._view, self._home.channels, self._edges_us, capacity)
        whole_us = self._edges_us[[0, -1]]
        of_all = stored_change_milliwh(self._view, self._home.channels, whole_us, capacity)
        whole = efficiencies(charge.sum(keepdims=True), discharge.sum(keepdims=True), of_all, capacity)
        return efficiencies(charge, discharge, stored, capacity), float(whole[0])

    def cycles(self) -> tuple[Float64, float]:
        """Equivalent full cycles of each bucket, and of the whole time; unknown without the capacity."""
        capacity = self.books.capacity_milliwh
        if capacity is None:
            return np.full(len(self.known), np.nan), np.nan
        discharge = self.sums(self.books.discharge_milliwh)
        total = int(discharge.sum()) / capacity if self.known.any() else np.nan
        return np.where(self.known, discharge / capacity, np.nan), total

    def stored(self) -> tuple[Float64, float]:
        """What can be discharged at the end of each bucket in kWh, and of the whole time: at the last reading where
        that lies in the bucket. Of a bucket of which nothing is known it is not known."""
        usable = self.books.ledger.usable_milliwh
        value = np.where(self.known, usable[self.places[1:]] / MILLIWH_PER_KWH, np.nan)
        return value, float(value[self.known][-1]) if self.known.any() else np.nan


_MADE: Final[dict[str, Callable[[BatteryBuckets], tuple[Float64, float]]]] = {
    "battery_efficiency": BatteryBuckets.efficiency,
    "battery_cycles": BatteryBuckets.cycles,
    "battery_stored": BatteryBuckets.stored,
}
