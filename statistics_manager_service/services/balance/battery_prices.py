"""What the energy that a battery gave had cost: the price of the grid's part of its charge, carried through its books.

What was charged from production costs nothing here: that it could have been sold is another question, and that the
panels were paid is another account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.balance.attributions import nothing_known
from statistics_manager_service.services.balance.batteries import BatteryBuckets
from statistics_manager_service.services.balance.battery_books import BatteryBooks, Books
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column, Lack
from statistics_manager_service.services.money.bills import Bills, Wanted
from statistics_manager_service.services.money.marginal import marginal_prices
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.telemetry.as_known import as_known

MEASURE: Final = "battery_price_stored"
_MOST_KEPT_BYTES: Final = 2**25
_COLUMN_BYTES: Final = 16
#: Money is counted in billionths of the currency, as costs are.
_NANO: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Paid:
    """What left a battery in the m quarter-hours of its books.

    nano: (m,) int64, what its charge had cost, in billionths of the currency. unpriced_milliwh: (m,) int64, charge from
    the grid, before losses, whose price is not known. why: that is. currency: None without contracts.
    """

    nano: Int64
    unpriced_milliwh: Int64
    currency: str | None
    why: str


class BatteryPrices:
    """Works out what stored energy had cost. It changes with tariffs and prices, too."""

    measures: tuple[str, ...] = (MEASURE,)
    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = False

    def __init__(self, bills: Bills, books: BatteryBooks) -> None:
        self._bills, self._books = bills, books
        self._kept: Remembered[Paid] = Remembered(_MOST_KEPT_BYTES)

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """The price over buckets. Raises BadInput for buckets that begin inside a quarter-hour."""
        books = self._books.of(view, home, way.until_us)
        if books is None:
            return [nothing_known(one, None, "/kWh", len(cal.edges_us) - 1) for one in measures]
        paid = self.paid(view, home, books, way.until_us)
        if way.until_us is not None:
            view, home = as_known(view, home, way.until_us)
        found = BatteryBuckets(view, home, books, cal.edges_us)
        return [price_column(found, paid) for _ in measures]

    def paid(self, view: ReadView, home: Home, books: Books, until_us: int | None = None) -> Paid:
        """What the energy that left a battery had cost, remembered until the home, a tariff or a price changes."""
        if until_us is not None:
            return self._paid(view, home, books, until_us)
        key = (home.household.id, view.prices_state())
        found = self._kept.get(key, home.state)
        if found is None:
            found = self._paid(view, home, books, None)
            self._kept.put(key, home.state, found, len(books.good) * _COLUMN_BYTES)
        return found

    def _paid(self, view: ReadView, home: Home, books: Books, until_us: int | None) -> Paid:
        from_grid = books.attribution.parts["grid", "battery"]
        prices, currency, why = self.prices(view, home, books, until_us)
        known = np.isfinite(prices)
        cost = np.rint(from_grid * np.where(known, prices, 0.0) * (_NANO / MILLIWH_PER_KWH)).astype(np.int64)
        # the books carry what is not negative; a price may be
        nano = books.carried_out(np.maximum(cost, 0)) - books.carried_out(np.maximum(-cost, 0))
        return Paid(nano, books.carried_out(np.where(known, 0, from_grid)), currency, why)

    def prices(self, view: ReadView, home: Home, books: Books, until_us: int | None) -> tuple[Float64, str | None, str]:
        """What one more kilowatt-hour from the grid cost in each quarter-hour, the currency, and why it is not known
        where it is NaN."""
        nothing = np.full(len(books.good), np.nan)
        if not books.attribution.parts["grid", "battery"].any():
            return nothing, home.household.currency, ""
        wanted = Wanted(int(books.edges_us[0]), int(books.edges_us[-1]), until_us=until_us)
        try:
            billed = self._bills.billed(view, home, wanted)
        except (BadInput, NotFound) as error:
            return nothing, None, f"the price of what was charged from the grid can't be told: {error}"
        edges_us = billed.plan.edges_us
        place = np.searchsorted(edges_us, books.edges_us[:-1], side="right") - 1
        inside = (place >= 0) & (place < len(edges_us) - 1)
        prices = np.append(marginal_prices(billed), np.nan)
        found = np.where(inside, prices[np.where(inside, place, -1)], np.nan)
        why = "; ".join(("no contract or price of the household holds for a part of the charge", *billed.plan.notes))
        return found, billed.currency, why


def price_column(buckets: BatteryBuckets, paid: Paid) -> Column:
    """What a kilowatt-hour that the battery gave had cost, over buckets: the cost of what left, by what was given of
    known origin. Where a part of it has no price the bucket has none."""
    given = buckets.books.given_by_origin
    known = buckets.sums(given["production"] + given["grid"])
    nano, unpriced = buckets.sums(paid.nano), buckets.sums(paid.unpriced_milliwh)
    lacks = tuple(
        Lack(bucket, min(1.0, int(unpriced[bucket]) / max(int(known[bucket]), 1)), paid.why)
        for bucket in np.flatnonzero(unpriced > 0).tolist()
    )
    value = np.where(unpriced > 0, np.nan, _per_kwh(nano, known))
    total = np.nan if unpriced.any() else float(_per_kwh(nano.sum(keepdims=True), known.sum(keepdims=True))[0])
    return Column(MEASURE, None, f"{paid.currency or ''}/kWh", value, *buckets.shares, total, lacks)


def _per_kwh(nano: Int64, energy_milliwh: Int64) -> Float64:
    some = energy_milliwh > 0
    price = nano / _NANO / (np.where(some, energy_milliwh, 1) / MILLIWH_PER_KWH)
    return np.where(some, np.round(price, 9), np.nan)
