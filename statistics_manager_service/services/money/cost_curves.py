"""What a bill comes to until any instant: each amount spread over the time that it is for, exactly.

A running total is rounded once at an instant, to a billionth of the currency, and a bucket is the difference of two: so
buckets of any grouping add up to the whole. Of energy, each piece of time has what its energy costs at its price; what
is fixed is spread evenly; a tax goes with what is taxed, a percentage with what it is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.tariffs.billing import Bill, Item, Plan, SegmentBill
from statistics_manager_service.tariffs.document import Energy, Percentage
from statistics_manager_service.tariffs.energy import EnergyPrice

#: Running totals are integers of this part of the currency.
PER_CURRENCY: Final = 10**9
IMPORT, EXPORT, FIXED = "import", "export", "fixed"


@dataclass(slots=True)
class Spread:
    """An amount of a segment, and its shape: running weights at the edges of the segment's pieces, None: even.

    gross: with its tax, and its part of the percentages that are of it.
    """

    bill: SegmentBill
    item: Item
    role: str
    gross: Fraction
    running: NDArray[Any] | None

    @property
    def is_even(self) -> bool:
        """Whether it is spread evenly over the time of its segment."""
        return self.running is None or not self.running[-1]

    def shape(self, pieces_us: Int64, edges_us: Int64, until_us: int | None = None) -> tuple[NDArray[Any], int]:
        """Which part of the amount counts until instants, (n,) integers, and of what whole: microseconds, or weights.

        pieces_us: edges of the plan's pieces. until_us: what is fixed counts until then.
        """
        segment = self.bill.segment
        if self.running is None or self.is_even:
            until = segment.end_us if until_us is None or self.running is not None else min(until_us, segment.end_us)
            part = np.clip(edges_us, segment.start_us, max(until, segment.start_us)) - segment.start_us
            return part, segment.end_us - segment.start_us
        place = np.searchsorted(pieces_us[segment.first : segment.last + 1], edges_us, side="right") - 1
        return self.running[np.clip(place, 0, segment.last - segment.first)], int(self.running[-1])

    def at(self, pieces_us: Int64, edges_us: Int64, until_us: int | None = None) -> list[int]:
        """Its running total at instants, (n,) in 1/PER_CURRENCY of the currency: 0 before its segment, whole behind."""
        totals = np.zeros(len(edges_us), object)
        _add(totals, self, pieces_us, edges_us, until_us)
        return [int(total) for total in totals]


class CostCurve:
    """The running totals of a bill: cost of import, revenue of export (positive), fixed cost.

    edges_us: (m+1,) of the plan's pieces. spreads: what the totals are made of.
    """

    def __init__(self, plan: Plan, bill: Bill) -> None:
        self.edges_us = plan.edges_us
        self.spreads: list[Spread] = []
        prices = {
            (id(stretch.term), segment.start_us): (found, stretch.first)
            for stretch, found, _ in plan.energy_prices()
            for segment in stretch.segments
        }
        weights: dict[tuple[int, str], NDArray[Any]] = {}
        for one in bill.segments:
            mine, first = prices[id(one.term), one.segment.start_us]
            gross = _with_percentages(one)
            for item in one.items:
                component = item.component
                if isinstance(component, Percentage):
                    continue
                role = FIXED
                running = None
                if isinstance(component, Energy):
                    role = EXPORT if component.flow == "export" else IMPORT
                    price = mine[component.id]
                    key = (id(price), component.id)
                    if key not in weights:
                        weights[key] = price.weights(energy_of(price, bill))
                    part = weights[key][one.segment.first - first : one.segment.last - first]
                    running = _running(part)
                self.spreads.append(Spread(one, item, role, gross[component.id], running))

    def at(self, edges_us: Int64, role: str, until_us: int | None = None) -> list[int]:
        """The running total at instants, increasing, (n,) in 1/PER_CURRENCY of the currency. until_us: what is fixed
        counts until then."""
        totals = np.zeros(len(edges_us), object)
        for one in self.spreads:
            if one.role == role:
                _add(totals, one, self.edges_us, edges_us, until_us)
        return [int(total) for total in totals]


def _add(totals: NDArray[Any], one: Spread, pieces_us: Int64, edges_us: Int64, until_us: int | None) -> None:
    """Add a spread's running total: 0 before its segment, whole behind it."""
    segment = one.bill.segment
    sign = -1 if one.role == EXPORT else 1
    gross = one.gross * sign * PER_CURRENCY
    numerator, denominator = gross.numerator, gross.denominator
    part, whole = one.shape(pieces_us, edges_us, until_us)
    begin, end = np.searchsorted(edges_us, (segment.start_us, segment.end_us), side="left").tolist()
    scale = denominator * whole
    if begin < end:
        inside = part[begin:end].astype(object) * numerator
        totals[begin:end] += (2 * inside + scale) // (2 * scale)
    if end < len(totals):
        last = int(part[end]) * numerator
        totals[end:] += (2 * last + scale) // (2 * scale)


def _running(weights: NDArray[Any]) -> NDArray[Any]:
    """Running sums from 0, (n+1,)."""
    if weights.dtype != object and len(weights) * max(int(np.abs(weights).max(initial=0)), 1) >= 2**62:
        weights = weights.astype(object)
    return np.concatenate((np.zeros(1, weights.dtype), np.cumsum(weights)))


def energy_of(price: EnergyPrice, bill: Bill) -> Int64:
    """The energy that a price is for, as it is billed, (m,) over all pieces of time."""
    component = price.component
    if component.meter is not None:
        return bill.netted.meters[component.meter]
    return bill.netted.export_milliwh if component.flow == "export" else bill.netted.import_milliwh


def _with_percentages(one: SegmentBill) -> dict[str, Fraction]:
    """The gross amount of each component, with its part of the percentages of it."""
    gross = {item.component.id: item.gross for item in one.items}
    nets = {item.component.id: item.net for item in one.items}
    for item in reversed(one.items):  # a percentage of a percentage goes on to what that is of
        if not isinstance(item.component, Percentage):
            continue
        of = [id for id in item.component.of if id in nets]
        base = sum((nets[id] for id in of), Fraction(0))
        for id in of:
            share = nets[id] / base if base else Fraction(1, len(of))
            gross[id] += gross[item.component.id] * share
    return gross


def differences(running: Sequence[int]) -> NDArray[np.float64]:
    """What buckets come to, (n-1,) in the currency, from running totals at their edges."""
    values = np.array([b - a for a, b in pairwise(running)], object)
    return (values / PER_CURRENCY).astype(np.float64) if len(values) else np.zeros(0)


__all__ = ["EXPORT", "FIXED", "IMPORT", "PER_CURRENCY", "CostCurve", "Item", "Spread", "differences", "energy_of"]
