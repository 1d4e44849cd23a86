"""What lines would come to in software that rounds each interval by itself, to tell such invoices by their amounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.tariffs.billing import Item, SegmentBill
from statistics_manager_service.tariffs.document import Energy
from statistics_manager_service.tariffs.energy import EnergyPrice
from statistics_manager_service.tariffs.statement import Line

_INTERVALS: Final = (("hour", US_PER_HOUR), ("quarter-hour", QUARTER_US), ("day", US_PER_DAY))
_DECIMALS: Final = (2, 3, 4)


def rounded_elsewhere(billed: Billed, lines: Sequence[Line]) -> Iterator[tuple[str, Fraction]]:
    """(how it is rounded, the net amount of the lines that comes of it), the likelier ways first. Lines whose price
    hangs on tiers, or on more than energy and time, are not told of."""
    for name, length_us in _INTERVALS:
        parts = [_parts(billed, line, length_us) for line in lines]
        known = [one for one in parts if one is not None]
        if len(known) != len(parts):
            return
        for decimals in _DECIMALS:
            total = sum((_rounded_sum(*one, decimals) for one in known), Fraction(0))
            yield f"each {name} is rounded to {decimals} decimals", total


Parts = tuple[NDArray[Any], Fraction]


def _parts(billed: Billed, line: Line, length_us: int) -> Parts | None:
    """A line's amount by interval: integers, and the amount that one of them is."""
    if line.unit_price is None:
        return None
    exact = line.unit_price * line.quantity
    for segment, item in _items(billed, line):
        if isinstance(item.component, Energy):
            sums = _of_energy(billed, segment, line, length_us)
            whole = 0 if sums is None else int(sums.sum())
            return (sums, exact / whole) if sums is not None and whole else None
        if line.unit in ("days", "months", "years"):
            intervals = max((line.end_us - line.start_us) // length_us, 1)
            return np.ones(intervals, object), exact / intervals
    return None


def _items(billed: Billed, line: Line) -> Iterator[tuple[SegmentBill, Item]]:
    for one in billed.bill.segments:
        if one.segment.start_us == line.start_us and one.term.tariff.id == line.tariff:
            for item in one.items:
                if item.component.id == line.component:
                    yield one, item


def _of_energy(billed: Billed, one: SegmentBill, line: Line, length_us: int) -> NDArray[Any] | None:
    """Energy times price by interval, in integers."""
    price, first = _price(billed, one, line.component)
    if price is None or price.linear is None:
        return None
    netted = billed.bill.netted
    component = price.component
    energy = netted.export_milliwh if component.flow == "export" else netted.import_milliwh
    if component.meter is not None:
        energy = netted.meters[component.meter]
    part = slice(one.segment.first - first, one.segment.last - first)
    weights = price.weights(energy)[part].astype(object)
    if price.linear.label is not None and line.period in price.linear.labels:
        weights = np.where(price.linear.label[part] == price.linear.labels.index(line.period), weights, 0)
    interval = billed.plan.edges_us[one.segment.first : one.segment.last] // length_us
    sums: NDArray[Any] = np.add.reduceat(weights, np.flatnonzero(np.diff(interval, prepend=-1)))
    return sums


def _price(billed: Billed, one: SegmentBill, component: str) -> tuple[EnergyPrice | None, int]:
    """The price of a component in a segment, and the first piece of its stretch of time."""
    for stretch, prices, _ in billed.plan.energy_prices():
        if stretch.term is one.term and any(segment is one.segment for segment in stretch.segments):
            return prices.get(component), stretch.first
    return None, 0


def _rounded_sum(amounts: NDArray[Any], each: Fraction, decimals: int) -> Fraction:
    """The sum of amounts that are rounded one by one, halves away from zero."""
    numerator, denominator = each.numerator * 10**decimals, each.denominator
    scaled = np.abs(amounts * numerator)
    whole = (2 * scaled + denominator) // (2 * denominator)
    signs = np.where(amounts * numerator < 0, -1, 1)
    return Fraction(int((whole * signs).sum()), 10**decimals)
