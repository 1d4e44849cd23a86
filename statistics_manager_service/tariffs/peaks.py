"""Demand charges: the demands of a month that count, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache, reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals, decimals_of
from statistics_manager_service.core.demand import NOT_COUNTED, greatest
from statistics_manager_service.core.ratios import ONE, ZERO, Ratio, Truth, Whole, choose, columns, total
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.schedules import wall_us
from statistics_manager_service.core.spans import intervals, midnight_us, month_shares, months_later
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.tariffs.amounts import Amount
from statistics_manager_service.tariffs.document import Peak
from statistics_manager_service.tariffs.quantities import MONTHS_PER_YEAR
from statistics_manager_service.tariffs.resolving import number
from statistics_manager_service.tariffs.terms import Segment, Stretch
from statistics_manager_service.tariffs.usage import Flows

QUARTERS: Final = {"PT15M": 1, "PT30M": 2, "PT1H": 4}
_DAYS_PER_WEEK: Final = 7
_MONDAY: Final = 4  # 1970-01-05, counted in days
_MOST: Final = 2**63 - 1


def first_month_needed(peak: Peak, month: date) -> date:
    """The first month whose demands a month's charge hangs on."""
    return months_later(month, 1 - peak.window.months)


class PeakPrice:
    """A demand charge over a stretch of a contract, ready to price any home's demands."""

    def __init__(self, peak: Peak, stretch: Stretch, edges_us: Int64) -> None:
        self.component = peak
        self._stretch, self._term = stretch, stretch.term
        self._zone = stretch.term.tariff.time_zone
        length_us = QUARTERS[peak.interval] * QUARTER_US
        self._starts = intervals(self._zone, edges_us[:-1], length_us)
        self._at_us = edges_us[self._starts]
        self._days = wall_us(self._zone, self._at_us) // US_PER_DAY
        self._weight = self._weights()
        self._is_weighted = peak.schedule is not None or peak.monthly_weights is not None
        self._counts: NDArray[np.bool_] = self._weight.units > 0
        self._per_hour = US_PER_HOUR // length_us

    def _weights(self) -> Decimals:
        """How much each interval counts, (d,)."""
        peak, quarters = self.component, self._at_us // QUARTER_US
        weight = Decimals(np.ones(len(quarters), np.int64), 0)
        if peak.schedule is not None:
            clockwork, first = self._term.inforce.clockwork, int(quarters[0])
            label = clockwork.labels(peak.schedule, first, int(quarters[-1]) - first + 1)[quarters - first]
            told = peak.weights or {}
            by_label = decimals_of(
                [*(told.get(name, Decimal(0)) for name in clockwork.periods(peak.schedule)), Decimal(0)]
            )
            weight = weight * Decimals(by_label.units[label], by_label.places)
        if peak.monthly_weights is not None:
            monthly = decimals_of(peak.monthly_weights)
            month = self._days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % MONTHS_PER_YEAR
            weight = weight * Decimals(monthly.units[month], monthly.places)
        return weight

    def _values(self, flows: Flows) -> NDArray[Any]:
        """The weighted energy of each interval of each home, (h, d); NOT_COUNTED where it does not count."""
        energy = np.add.reduceat(flows.of(self.component.flow), self._starts, axis=-1)
        counts = self._counts
        if flows.known is not None:
            counts = counts & np.logical_or.reduceat(flows.known, self._starts)
        if self._is_weighted:
            weights = Decimals(np.tile(self._weight.units, len(energy)), 0)
            energy = (Decimals(energy.reshape(-1), 0) * weights).units.reshape(energy.shape)
        return energy if counts.all() else np.where(counts, energy, NOT_COUNTED)

    def amounts(self, flows: Flows) -> Iterator[Amount]:
        """What homes' demands come to in each segment, month by month, each by the share of the month."""
        months = _Months(self, self._values(flows))
        for segment in self._stretch.segments:
            for share in month_shares(self._zone, segment.start_us, segment.end_us):
                is_any, kw = months.demand(share.begin)
                if is_any is False:
                    continue
                yield self._amount(segment, share.begin, Ratio.of(share.share), kw, is_any)

    def _amount(self, segment: Segment, month: date, share: Ratio, kw: Ratio, is_any: Truth) -> Amount:
        peak, label = self.component, month.isoformat()[:7]
        if peak.price is not None:
            price = Fraction(number(peak.price, self._term.parameters, segment.on))
            monthly = price / MONTHS_PER_YEAR if peak.per == "year" else price
            count = kw * share
            return Amount(segment, label, count, "kW·months", monthly, "kW·month", count * Ratio.of(monthly))
        bands = peak.bands or []
        amount = Ratio.of(bands[-1].price)
        for band in reversed(bands[:-1]):
            amount = choose(kw <= Ratio.of(band.upto_kw or Decimal(0)), Ratio.of(band.price), amount)
        if is_any is True:
            label = f"{label}, {float(kw.fraction):.2f} kW"
            return Amount(segment, label, share, "months", amount.fraction, "month", amount * share)
        return Amount(segment, label, share, "months", None, "month", choose(is_any, amount, ZERO) * share)

    def chosen(self, values: NDArray[Any], begin: date, end: date) -> tuple[Ratio, Ratio]:
        """The demands chosen of a time: how many there are, and their mean or the greatest in kW."""
        first, last = np.searchsorted(
            self._at_us, (midnight_us(self._zone, begin), midnight_us(self._zone, end))
        ).tolist()
        if first == last:
            return ZERO, ZERO
        distinct = self.component.select.distinct
        starts = None
        if distinct != "none":
            days = self._days[first:last]
            key = days if distinct == "day" else (days - _MONDAY) // _DAYS_PER_WEEK
            starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
        top = greatest(values[:, first:last], starts, self.component.select.n)
        is_chosen = top != NOT_COUNTED
        count = Ratio(columns(is_chosen.sum(axis=-1, keepdims=True))[0])
        top = np.where(is_chosen, top, 0)
        if self.component.aggregate == "max":
            return count, self._kw(columns(top[:, :1])[0])
        return count, self._kw(columns(top.astype(object).sum(axis=-1, keepdims=True))[0]).over(count)

    def _kw(self, value: Whole) -> Ratio:
        return Ratio(value * self._per_hour, MILLIWH_PER_KWH * 10**self._weight.places)


class _Months:
    """The demands of homes by which months are charged. values: see PeakPrice."""

    def __init__(self, price: PeakPrice, values: NDArray[Any]) -> None:
        self._price, self._peak, self._values = price, price.component, values
        self._floor = Ratio.of(self._peak.floor_kw)
        self.demand = cache(self._demand)
        self._floored = cache(self._month)

    def _demand(self, month: date) -> tuple[Truth, Ratio]:
        """Whether anything is known of the months of the window, and the demand of them by which a month is charged."""
        window = self._peak.window
        months = [months_later(month, -back) for back in range(window.months)]
        if window.then == "select":
            count, kw = self._price.chosen(self._values, months[-1], months_later(month, 1))
            return count >= ONE, choose(count >= ONE, kw.greatest(self._floor), ZERO)
        found = [self._floored(one) for one in months]
        counted = total([one for one, _ in found])
        if window.then == "max":
            return counted >= ONE, reduce(Ratio.greatest, [kw for _, kw in found])
        return counted >= ONE, total([kw for _, kw in found]).over(counted)

    def _month(self, month: date) -> tuple[Ratio, Ratio]:
        """A month of a window: 1 and its demand, at least the floor; 0 and 0 where nothing of it is known."""
        count, kw = self._price.chosen(self._values, month, months_later(month, 1))
        is_any = count >= ONE
        return choose(is_any, ONE, ZERO), choose(is_any, kw.greatest(self._floor), ZERO)
