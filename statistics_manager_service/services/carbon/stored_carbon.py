"""The carbon that a battery gave back: that of what it was charged with, carried through its books."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import times_ratio
from statistics_manager_service.core.intensity_steps import ANNUAL, NOT_TOLD, Told
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.balance.battery_books import BatteryBooks, Books
from statistics_manager_service.services.carbon.intensity_columns import Chosen, GridIntensities
from statistics_manager_service.services.carbon.shipped_factors import OwnProduction, own_production
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.remembering import Remembered

_MOST_KEPT_BYTES: Final = 2**25
_COLUMNS, _COLUMN_BYTES = 3, 8


@dataclass(frozen=True, slots=True, eq=False)
class StoredCarbon:
    """What a battery gave the home and the grid in m pieces of time, (m,) int64 each.

    given_milliwh: the energy. told_milliwh: that of which the carbon is known: it was charged since the first reading,
    from production, or from the grid while its intensity was known. nanograms: the carbon of that. has_annual: whether
    annual means told of some of what was charged.
    """

    given_milliwh: Int64
    told_milliwh: Int64
    nanograms: Int64
    has_annual: bool

    def at(self, place: NDArray[np.int64] | slice) -> StoredCarbon:
        """The pieces at places; at −1 nothing."""
        columns = (self.given_milliwh, self.told_milliwh, self.nanograms)
        given, told, carried = columns if isinstance(place, slice) else (np.append(one, 0) for one in columns)
        return StoredCarbon(given[place], told[place], carried[place], self.has_annual)


class StoredCarbons:
    """The carbon of homes' batteries, remembered until the home or an intensity changes."""

    def __init__(self, books: BatteryBooks, intensities: GridIntensities) -> None:
        self._books, self._intensities = books, intensities
        self._kept: Remembered[StoredCarbon] = Remembered(_MOST_KEPT_BYTES)

    def of(
        self, view: ReadView, home: Home, chosen: Chosen, edges_us: Int64, until_us: int | None = None
    ) -> StoredCarbon | None:
        """What a home's battery gave in the quarter-hours in which pieces of time (m+1 edges) lie; None where there is
        no battery. view and home are as they are now: until_us names an instant at which it was known."""
        books = self._books.of(view, home, until_us)
        if books is None:
            return None
        life = self._of_life(view, home, chosen, books, until_us)
        count, size = len(edges_us) - 1, len(books.good)
        begin = int(edges_us[0] - books.edges_us[0]) // QUARTER_US
        are_quarters = edges_us[-1] - edges_us[0] == count * QUARTER_US and not edges_us[0] % QUARTER_US
        if are_quarters and begin >= 0 and begin + count <= size:
            return life.at(slice(begin, begin + count))
        place = (edges_us[:-1] - books.edges_us[0]) // QUARTER_US
        return life.at(np.where((place >= 0) & (place < size), place, -1))

    def _of_life(self, view: ReadView, home: Home, chosen: Chosen, books: Books, until_us: int | None) -> StoredCarbon:
        first, end = (int(books.edges_us[i]) // QUARTER_US for i in (0, -1))

        def made() -> StoredCarbon:
            grid = self._intensities.told(view, chosen.zone, chosen.series, first, end, until_us)
            return stored_carbon(books, chosen, grid)

        if until_us is not None:
            return made()
        series_no = None if chosen.series is None else chosen.series.series_no
        key = (home.household.id, chosen.zone, series_no, view.carbon_state())
        found = self._kept.get(key, home.state)
        if found is None:
            found = made()
            self._kept.put(key, home.state, found, len(books.good) * _COLUMNS * _COLUMN_BYTES)
        return found


def stored_carbon(books: Books, chosen: Chosen, grid: Told) -> StoredCarbon:
    """What a battery gave in the m quarter-hours of its books. grid: the intensity of each."""
    into, given = books.attribution.to("battery"), books.given_by_origin
    from_grid = into["grid"]
    charged = from_grid * grid.mg_per_kwh + into["production"] * own_mg_per_kwh(chosen, grid)
    told_from_grid = given["grid"]
    untold = np.where(grid.step == NOT_TOLD, from_grid, 0)
    if untold.any():
        known, whole = books.carried_out(from_grid - untold), books.carried_out(from_grid)
        told_from_grid = times_ratio(told_from_grid, np.minimum(known, whole), whole)
    has_annual = bool((from_grid[grid.step >= ANNUAL] > 0).any())
    return StoredCarbon(
        given["production"] + given["grid"] + given["unknown"],
        given["production"] + told_from_grid,
        books.carried_out(charged),
        has_annual,
    )


def own_factors(chosen: Chosen, grid: Told) -> list[OwnProduction]:
    """What own production stands for: within the boundary of the series, and within that of the annual means where
    these step in and it is another."""
    boundaries = [chosen.method.boundary]
    if chosen.annual is not None and len(grid.step) and grid.step.max() >= ANNUAL:
        boundaries.append(chosen.annual.method.boundary)
    return [own_production(one) for one in dict.fromkeys(boundaries)]


def own_mg_per_kwh(chosen: Chosen, grid: Told) -> Int64:
    """The same of each of m pieces, (m,) or (1,): a difference is taken within one boundary."""
    factors = [one.mg_per_kwh for one in own_factors(chosen, grid)]
    if len(factors) == 1:
        return np.array(factors, np.int64)
    return np.where(grid.step >= ANNUAL, factors[1], factors[0])
