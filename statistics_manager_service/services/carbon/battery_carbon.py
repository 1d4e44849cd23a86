"""What a kilowatt-hour that a battery gave stands for: the carbon of what it was charged with, carried through its
books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.services.balance.attributions import nothing_known
from statistics_manager_service.services.balance.batteries import BatteryBuckets
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.carbon.emission_columns import RATE_DECIMALS
from statistics_manager_service.services.carbon.intensity_columns import Chosen, GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.telemetry.as_known import as_known

MEASURE: Final = "battery_carbon_stored"


class BatteryCarbon:
    """Works out what stored energy stands for. It changes with intensities, too."""

    measures: tuple[str, ...] = (MEASURE,)
    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = False

    def __init__(self, intensities: GridIntensities, books: BatteryBooks, stored: StoredCarbons) -> None:
        self._intensities, self._books, self._stored = intensities, books, stored

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """It over buckets: nanograms that left by what was given of which the carbon is known. Raises BadInput for
        buckets that begin inside a quarter-hour, and for a source or a boundary that the zone has nothing of."""
        edges_us, unit = cal.edges_us, DEFINITIONS[MEASURE].unit
        books = self._books.of(view, home, way.until_us)
        wanted = self._intensities.wanted(home.household, way)
        chosen = self._intensities.chosen(view, wanted, int(edges_us[0]), int(edges_us[-1]), way.until_us)
        if books is None:
            return [nothing_known(one, None, unit, len(edges_us) - 1) for one in measures]
        stored = self._stored.of(view, home, chosen, books.edges_us, way.until_us)
        if way.until_us is not None:
            view, home = as_known(view, home, way.until_us)
        buckets = BatteryBuckets(view, home, books, edges_us)
        if stored is None:
            return [nothing_known(one, None, unit, len(edges_us) - 1) for one in measures]
        nanograms, told = buckets.sums(stored.nanograms), buckets.sums(stored.told_milliwh)
        given = buckets.sums(stored.given_milliwh)
        value = _per_kwh(nanograms, told)
        total = float(_per_kwh(nanograms.sum(keepdims=True), told.sum(keepdims=True))[0])
        of_known = np.where(given > 0, told / np.maximum(given, 1), np.nan)
        more = {"carbon": _account(chosen, stored.has_annual)}
        return [
            Column(one, None, unit, value, *buckets.shares, total, (), {"known": of_known}, more) for one in measures
        ]


def _account(chosen: Chosen, has_annual: bool) -> dict[str, Any]:
    """What the intensities mean. mixed: annual means of another method have told of some of the charge."""
    mixed = has_annual and chosen.annual is not None and chosen.annual.method != chosen.method
    source = None if chosen.series is None else chosen.series.source
    return {"zone": chosen.zone, "source": source, **chosen.method._asdict(), "method": "location", "mixed": mixed}


def _per_kwh(nanograms: Int64, energy_milliwh: Int64) -> Float64:
    some = energy_milliwh > 0
    return np.where(some, np.round(nanograms / np.where(some, energy_milliwh, 1) / MILLI, RATE_DECIMALS), np.nan)
