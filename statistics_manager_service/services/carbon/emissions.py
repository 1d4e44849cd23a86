"""Measures of a home's emissions: of its import, by the kilowatt-hour, avoided, by device, and the grid's intensity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import DEFINITIONS, Family, measures_of
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.intensity_steps import MEASURED, Told
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.balance.attributions import nothing_known
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.quarter_flows import MOST_YEARS, US_PER_YEAR
from statistics_manager_service.services.balance.sheets import BalanceSheet, BalanceSheets
from statistics_manager_service.services.carbon.emission_columns import (
    RATE_DECIMALS,
    account_of,
    emissions_column,
    rate_column,
)
from statistics_manager_service.services.carbon.home_carbon import UNKNOWN_STEP, Counted, HomeCarbon, Step
from statistics_manager_service.services.carbon.intensity_columns import AVERAGE, Chosen, GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView

_PER_KWH, _DEVICE, _INTENSITY = "emissions_per_kwh", "emissions_device", "carbon_intensity"
#: {measure: the flow without which nothing can be said, and how it is counted}
_COUNTED: Final[dict[str, tuple[str, Callable[[HomeCarbon], Counted]]]] = {
    "emissions_import": ("import", HomeCarbon.imported),
    "emissions_avoided_self_consumption": ("production", HomeCarbon.avoided_by_self_consumption),
    "emissions_avoided_export": ("export", HomeCarbon.avoided_by_export),
    "emissions_consumption": ("import", HomeCarbon.consumed),
    "emissions_untracked": ("import", HomeCarbon.untracked),
}


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What measures are made of: the home's carbon in pieces of time from its first reading to its last, and the
    grid's average intensity in all quarter-hours that the buckets touch."""

    carbon: HomeCarbon
    grid: Told


#: Those in which what a battery had stored counts.
_OF_BATTERIES: Final = frozenset({"emissions_avoided_export", "emissions_consumption", _DEVICE, "emissions_untracked"})


class Emissions:
    """Works out emissions of homes. They change with intensities, too, and the intensity's mean with the hour."""

    measures: tuple[str, ...] = measures_of(Family.CARBON)
    of_meters: frozenset[str] = frozenset({_DEVICE})
    hangs_on_home_alone = False

    def __init__(
        self, intensities: GridIntensities, sheets: BalanceSheets, books: BatteryBooks, now_us: Callable[[], int]
    ) -> None:
        self._intensities, self._sheets, self._now_us = intensities, sheets, now_us
        self._stored = StoredCarbons(books, intensities)

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a home over buckets.

        Raises BadInput for a time that is too long, for a device's emissions of no device, and where a source or a
        boundary is asked for that the home's zone has no intensities of.
        """
        edges_us = cal.edges_us
        if int(edges_us[-1]) - int(edges_us[0]) > MOST_YEARS * US_PER_YEAR:
            raise BadInput.of([Fault("end", f"emissions of at most {MOST_YEARS} years are told at once; ask in parts")])
        account = self.account(view, home, edges_us, measures, way)
        if _DEVICE in measures and way.meter is None:
            devices = account.carbon.flows.devices
            there = f"its devices are {', '.join(devices)}" if devices else "it has none"
            raise BadInput.of([Fault("meter", f"{_DEVICE} is of one device of the household: name its meter; {there}")])
        return [self._column(one, account, edges_us, way) for one in measures]

    def account(
        self, view: ReadView, home: Home, edges_us: Int64, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> Account:
        """What some measures over buckets (n+1 edges) are made of, for whoever explains them, too. Raises BadInput."""
        sheet = self._sheets.of(view, home, edges_us, way.until_us)
        wanted = self._intensities.wanted(home.household, way)
        chosen = self._intensities.chosen(view, wanted, int(edges_us[0]), int(edges_us[-1]), way.until_us)
        span = quarter_of(int(edges_us[0])), quarter_after(int(edges_us[-1]))
        grid = self._intensities.told(view, chosen.zone, chosen.series, *span, way.until_us)
        return Account(self._carbon(view, home, sheet, chosen, grid, measures, way), grid)

    def _carbon(
        self,
        view: ReadView,
        home: Home,
        sheet: BalanceSheet,
        chosen: Chosen,
        whole: Told,
        measures: Sequence[str],
        way: Way,
    ) -> HomeCarbon:
        """The home's carbon in the pieces of time of its balance sheet."""
        flows = sheet.flows
        first = quarter_of(int(flows.bucket_edges_us[0]))
        marginal = None
        if chosen.marginal is not None and "emissions_avoided_export" in measures and len(flows.good):
            span = quarter_of(int(flows.edges_us[0])), quarter_after(int(flows.edges_us[-1]))
            told = self._intensities.told(view, chosen.zone, chosen.marginal, *span, way.until_us)
            marginal = _of_pieces(told, span[0], flows.edges_us)
        stored = None
        if "discharge" in flows.present and _OF_BATTERIES.intersection(measures):
            stored = self._stored.of(view, home, chosen, flows.edges_us, way.until_us)
        return HomeCarbon(sheet, chosen, _of_pieces(whole, first, flows.edges_us), marginal, stored)

    def _column(self, measure: str, account: Account, edges_us: Int64, way: Way) -> Column:
        carbon = account.carbon
        if measure == _INTENSITY:
            until_us = self._now_us() if way.until_us is None else way.until_us
            return intensity_column(carbon, account.grid, edges_us, until_us)
        flow, count = _COUNTED.get(measure, ("import", HomeCarbon.imported))
        if flow not in carbon.flows.present:
            return nothing_known(measure, way.meter, DEFINITIONS[measure].unit, len(edges_us) - 1)
        if measure == _PER_KWH:
            return rate_column(measure, carbon, *carbon.imported_of_consumption())
        if measure == _DEVICE and way.meter is not None:
            return emissions_column(measure, way.meter, carbon, carbon.of_device(way.meter))
        return emissions_column(measure, None, carbon, count(carbon))


def _of_pieces(told: Told, first_quarter: int, edges_us: Int64) -> Told:
    """The intensity of pieces of time (m+1 edges), each inside a quarter-hour. told: from first_quarter on."""
    count = len(edges_us) - 1
    if not count:
        return told.slice(0, 0)
    begin = int(edges_us[0]) // QUARTER_US - first_quarter
    if int(edges_us[-1]) - int(edges_us[0]) == count * QUARTER_US and not edges_us[0] % QUARTER_US:
        return told.slice(begin, begin + count)  # whole quarter-hours, one behind the other
    place = edges_us[:-1] // QUARTER_US - first_quarter
    return Told(told.mg_per_kwh[place], told.step[place])


def intensity_column(carbon: HomeCarbon, whole: Told, edges_us: Int64, until_us: int) -> Column:
    """The mean over time of a grid's intensity, where it is known, up to the quarter-hour of an instant. Its coverage
    is the share of the bucket's time that was measured; the other steps are estimates. whole: of all quarter-hours that
    the buckets touch."""
    first = quarter_of(int(edges_us[0]))
    pieces_us, place = _pieces(edges_us)
    told = _of_pieces(whole, first, pieces_us)
    past = int(np.searchsorted(pieces_us, until_us))  # those that begin before it
    told = told.slice(0, min(past, len(told.step)))
    seconds = np.diff(pieces_us)[: len(told.step)] // US_PER_S
    place = np.minimum(place, len(told.step))

    def summed(column: Int64) -> Int64:
        total = np.zeros(len(column) + 1, np.int64)
        np.cumsum(column, out=total[1:])
        at = total[place]
        out: Int64 = at[1:] - at[:-1]
        return out

    by = {teller: summed(one) for teller, one in carbon.by_step_of(told, seconds).items()}
    known_s = sum((one for teller, one in by.items() if teller != UNKNOWN_STEP), np.zeros(len(edges_us) - 1, np.int64))
    measured_s = by.get(Step(AVERAGE, MEASURED), np.zeros_like(known_s))
    weighed = summed(seconds * told.mg_per_kwh)
    elapsed_s = np.maximum((edges_us[1:] - edges_us[:-1]) / US_PER_S, 1e-6)
    totals = {teller: int(one.sum()) for teller, one in by.items()}
    return Column(
        _INTENSITY,
        None,
        DEFINITIONS[_INTENSITY].unit,
        _mean(weighed, known_s),
        np.minimum(measured_s / elapsed_s, 1.0),
        np.minimum((known_s - measured_s) / elapsed_s, 1.0),
        float(_mean(weighed.sum(keepdims=True), known_s.sum(keepdims=True))[0]),
        more={"carbon": account_of(carbon, totals, uses_own_production=False)},
    )


def _pieces(edges_us: Int64) -> tuple[Int64, Int64]:
    """The edges of buckets and all quarter-hours between them, and the place of each edge among those."""
    first, end = quarter_after(int(edges_us[0])), quarter_of(int(edges_us[-1]))
    quarters_us = np.arange(first, end + 1, dtype=np.int64) * QUARTER_US
    if not (edges_us % QUARTER_US).any():
        return quarters_us, edges_us // QUARTER_US - first
    pieces_us = np.unique(np.concatenate((edges_us, quarters_us)))
    return pieces_us, np.searchsorted(pieces_us, edges_us)


def _mean(weighed: Int64, seconds: Int64) -> Float64:
    some = seconds > 0
    return np.where(some, np.round(weighed / np.where(some, seconds, 1) / MILLI, RATE_DECIMALS), np.nan)
