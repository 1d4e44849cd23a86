"""Bills: what a home's energy comes to under its contracts, in the order in which bills are worked out.

1 the contract of each time, cut at edges of billing periods and at changes of prices; 2 readings as energy of pieces of
time; 3 import and export netted; 4 each piece its period, by its start and the schedule's clock; 5 quantities of each
segment; 6 tiers and thresholds, which need the whole segment; 7 percentages, credits, minimums; 8 taxes, line by line;
9 rounding, once; 10 lines and sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from statistics_manager_service.core.pricing import net, net_labelled
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, midnight_us, months_later
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.tariffs.document import (
    Capacity,
    Component,
    Credit,
    Energy,
    Fixed,
    Minimum,
    Peak,
    Percentage,
)
from statistics_manager_service.tariffs.energy import Amount, EnergyPrice, PieceColumns, SeriesSource
from statistics_manager_service.tariffs.peaks import first_month_needed, peak_amounts
from statistics_manager_service.tariffs.prices import Price, Tiered
from statistics_manager_service.tariffs.quantities import price_unit_of, quantity, unit_of
from statistics_manager_service.tariffs.resolving import number, parts_of
from statistics_manager_service.tariffs.taxing import UNTAXED, TaxRule, tax_rules
from statistics_manager_service.tariffs.terms import BillingPeriod, Segment, Stretch, Term, stretches_of

_GROUP_QUARTERS: Final = {"PT15M": 1, "PT30M": 2, "PT1H": 4}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a home took and gave in pieces of time. Each (m,) int64 milliwatt-hours, 0 where unknown; edges_us (m+1,).

    meters: of sub-meters, by name.
    """

    edges_us: Int64
    import_milliwh: Int64
    export_milliwh: Int64
    meters: Mapping[str, Int64] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """What a component comes to in a segment: parts, and the rule of its tax.

    factor: what an amount is multiplied with to become net of tax (1, or 1/(1+rate) where prices include it). net, tax:
    of all parts.
    """

    component: Component
    rule: TaxRule
    amounts: tuple[Amount, ...]
    taxed: tuple[tuple[Amount, Fraction, Fraction, Fraction, Fraction], ...]
    net: Fraction
    tax: Fraction

    @property
    def gross(self) -> Fraction:
        """With tax."""
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class SegmentBill:
    """A segment of a contract, and what its components come to."""

    term: Term
    segment: Segment
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """What a home's energy comes to. netted: import and export as they were billed, (m,) each."""

    segments: tuple[SegmentBill, ...]
    netted: Usage


class Plan:
    """Contracts over a time, ready to bill any home that has them: schedules looked up, prices in columns.

    terms: those that price imports do not overlap, nor do those that price exports. edges_us: pieces of time, none
    across a quarter-hour, a cut (terms.cuts_of) or a change of period. source: of the series that prices name.
    """

    def __init__(
        self, terms: Sequence[Term], periods: Sequence[BillingPeriod], edges_us: Int64, source: SeriesSource
    ) -> None:
        self.terms, self.periods, self.edges_us = tuple(terms), tuple(periods), edges_us
        self._priced: list[tuple[Stretch, dict[str, EnergyPrice], dict[str, TaxRule]]] = []
        for term in terms:
            for stretch in stretches_of(term, periods, edges_us):
                columns = PieceColumns(stretch, edges_us, source)
                prices = {
                    one.id: EnergyPrice(one, columns, list(periods), edges_us)
                    for one in term.components()
                    if isinstance(one, Energy)
                }
                self._priced.append((stretch, prices, tax_rules(stretch)))

    def energy_prices(self) -> list[tuple[Stretch, dict[str, EnergyPrice], dict[str, TaxRule]]]:
        """The prices of energy of each stretch, by component, and its taxes."""
        return self._priced

    def bill(self, usage: Usage) -> Bill:
        """The bill of a home."""
        netted = netted_usage(self.terms, usage)
        segments: list[SegmentBill] = []
        for stretch, prices, rules in self._priced:
            by_segment: dict[int, dict[str, list[Amount]]] = {one.number: {} for one in stretch.segments}
            for id, price in prices.items():
                for amount in price.amounts(_energy_of(price.component, netted)):
                    by_segment[amount.segment.number].setdefault(id, []).append(amount)
            billed = netted.import_milliwh if stretch.term.prices_import else netted.export_milliwh
            for segment in stretch.segments:
                kwh = Fraction(int(billed[segment.first : segment.last].sum()), MILLIWH_PER_KWH)
                maker = _SegmentMaker(stretch.term, segment, self.periods[segment.period], rules, kwh, usage)
                segments.append(maker.made(by_segment[segment.number]))
        segments.sort(key=lambda one: (one.segment.start_us, one.term.flow))
        return Bill(tuple(segments), netted)


def _energy_of(component: Energy, usage: Usage) -> Int64:
    if component.meter is not None:
        return usage.meters.get(component.meter, np.zeros_like(usage.import_milliwh))
    return usage.export_milliwh if component.flow == "export" else usage.import_milliwh


def netted_usage(terms: Sequence[Term], usage: Usage) -> Usage:
    """Import and export set against each other as the contracts have it: that of the import where there is one."""
    imported, exported = usage.import_milliwh.copy(), usage.export_milliwh.copy()
    for term in terms:
        netting = term.tariff.metering.netting
        others = [one for one in terms if one is not term and one.prices_import]
        is_ruled = not term.prices_import and any(
            one.start_us < term.end_us and term.start_us < one.end_us for one in others
        )
        if netting == "none" or is_ruled:
            continue
        first, last = np.searchsorted(usage.edges_us, (term.start_us, term.end_us)).tolist()
        if first >= last:
            continue
        starts_us = usage.edges_us[first:last]
        part = slice(first, last)
        if netting in _GROUP_QUARTERS:
            group = starts_us // (QUARTER_US * _GROUP_QUARTERS[netting])
            starts = np.flatnonzero(np.diff(group, prepend=-1))
            imported[part], exported[part] = net(imported[part], exported[part], starts)
        else:
            group = _long_groups(term, usage.edges_us, first, last)
            imported[part], exported[part] = net_labelled(imported[part], exported[part], group)
    return Usage(usage.edges_us, imported, exported, usage.meters)


def _long_groups(term: Term, edges_us: Int64, first: int, last: int) -> Int64:
    """The group of netting of each piece: its year or billing period, and its register."""
    starts_us = edges_us[first:last]
    tariff = term.tariff
    edges = netting_edges(term, int(starts_us[0]), int(edges_us[last]))
    group = np.searchsorted(np.array(edges, np.int64), starts_us, side="right")
    if tariff.metering.by is not None:
        quarters = starts_us // QUARTER_US
        label = term.inforce.clockwork.labels(
            tariff.metering.by, int(quarters[0]), int(quarters[-1] - quarters[0]) + 1
        )[quarters - quarters[0]]
        group = group * (len(term.inforce.clockwork.periods(tariff.metering.by)) + 1) + label + 1
    _, numbered = np.unique(group, return_inverse=True)
    return numbered.astype(np.int64)


def netting_edges(term: Term, start_us: int, end_us: int) -> list[int]:
    """The instants at which a netting over a year or a month begins anew, from the last at or before a start."""
    zone, metering = term.tariff.time_zone, term.tariff.metering
    day = civil_date(zone, start_us)
    found = []
    if metering.netting == "P1Y":
        month, on = int(metering.year_begins[:2]), int(metering.year_begins[3:])
        year = day.year - 1
        while (edge := midnight_us(zone, day.replace(year=year, month=month, day=on))) < end_us:
            found.append(edge)
            year += 1
    else:
        one = day.replace(day=1)
        while (edge := midnight_us(zone, one)) < end_us:
            found.append(edge)
            one = months_later(one, 1)
    return [edge for i, edge in enumerate(found) if i + 1 == len(found) or found[i + 1] > start_us]


def needed_span(terms: Sequence[Term], periods: Sequence[BillingPeriod]) -> tuple[int, int]:
    """From when until when energies have to be known: before and behind the periods where a component looks there."""
    start_us, end_us = periods[0].whole_start_us, periods[-1].whole_end_us
    first_us, last_us = start_us, end_us
    for term in terms:
        zone, metering = term.tariff.time_zone, term.tariff.metering
        if metering.netting in ("P1Y", "billing_period"):
            edges = netting_edges(term, max(start_us, term.start_us), min(end_us, term.end_us))
            first_us = min(first_us, max(edges[0], term.start_us)) if edges else first_us
            ahead = civil_date(zone, edges[-1] if edges else start_us)
            later = ahead.replace(year=ahead.year + 1) if metering.netting == "P1Y" else months_later(ahead, 1)
            last_us = max(last_us, min(midnight_us(zone, later), term.end_us))
        month = civil_date(zone, max(start_us, term.start_us)).replace(day=1)
        for component in term.components():
            if isinstance(component, Peak):
                first_us = min(first_us, midnight_us(zone, first_month_needed(component, month)))
                last_month = civil_date(zone, min(end_us, term.end_us) - 1)
                last_us = max(last_us, midnight_us(zone, months_later(last_month, 1)))
            if isinstance(component, Energy) and _is_by_year(component.price):
                year_us = midnight_us(zone, month.replace(month=1))
                first_us = min(first_us, max(year_us, term.start_us))
    return first_us, last_us


def _is_by_year(price: Price) -> bool:
    return any(isinstance(part, Tiered) and part.tiers.per == "year" for _, part in parts_of(price))


class _SegmentMaker:
    """Works out the components of a segment, one after another: later ones may hang on earlier ones."""

    def __init__(
        self,
        term: Term,
        segment: Segment,
        period: BillingPeriod,
        rules: Mapping[str, TaxRule],
        billed_kwh: Fraction,
        metered: Usage,
    ) -> None:
        self._term, self._segment, self._period, self._rules = term, segment, period, rules
        self._billed_kwh, self._metered = billed_kwh, metered
        self._items: dict[str, Item] = {}

    def made(self, energies: Mapping[str, Sequence[Amount]]) -> SegmentBill:
        """The bill of the segment. energies: the amounts of the components of energy."""
        for component in self._term.components():
            amounts = self._amounts(component, energies)
            if amounts:
                self._items[component.id] = self._item(component, amounts)
        return SegmentBill(self._term, self._segment, tuple(self._items.values()))

    def _amounts(self, component: Component, energies: Mapping[str, Sequence[Amount]]) -> list[Amount]:
        if isinstance(component, Energy):
            return self._capped(component, list(energies.get(component.id, ())))
        if isinstance(component, Peak):
            flow = self._metered.import_milliwh if component.flow == "import" else self._metered.export_milliwh
            return list(peak_amounts(component, self._term, self._segment, flow, self._metered.edges_us))
        if isinstance(component, Percentage):
            return self._percentage(component)
        return self._fixed(component)

    def _number(self, price: Price) -> Fraction:
        return Fraction(number(price, self._term.parameters, self._segment.on))

    def _fixed(self, component: Fixed | Capacity | Credit | Minimum) -> list[Amount]:
        segment = self._segment
        count = quantity(component.basis, component.proration, self._term.tariff, segment, self._period)
        price = self._number(component.price)
        unit, price_unit = unit_of(component.basis), price_unit_of(component.basis)
        if isinstance(component, Capacity):
            if component.basis == "per_year" and component.year_days == 365:
                count = segment.days / 365
            power = self._term.parameters[component.of]
            count *= Fraction(power) if not isinstance(power, bool) else 0
            return [Amount(segment, None, count, f"kW·{unit}", price, f"kW·{price_unit}", count * price)]
        amount = count * price
        if isinstance(component, Credit):
            if component.cap is not None:
                amount = min(amount, max(Fraction(0), self._sum(component.cap.of)))
            return [Amount(segment, None, count, unit, -price, price_unit, -amount)]
        if isinstance(component, Minimum):
            lacking = amount - self._sum(component.of or list(self._items))
            return [Amount(segment, None, Fraction(1), "", None, None, lacking)] if lacking > 0 else []
        return [Amount(segment, None, count, unit, price, price_unit, amount)]

    def _percentage(self, component: Percentage) -> list[Amount]:
        rate, base = self._number(component.rate), self._sum(component.of)
        amount = base * rate
        if component.floor is not None:
            amount = max(amount, Fraction(component.floor.per_kwh) * self._billed_kwh)
        return [Amount(self._segment, None, base, self._term.tariff.currency, rate, None, amount)]

    def _capped(self, component: Energy, amounts: list[Amount]) -> list[Amount]:
        """What is paid for an export, at most what some components come to."""
        if component.cap is None:
            return amounts
        paid = -sum((one.amount for one in amounts), Fraction(0))
        most = max(Fraction(0), self._sum(component.cap.of))
        if paid <= most:
            return amounts
        return [_scaled(one, most / paid) for one in amounts]

    def _sum(self, ids: Sequence[str]) -> Fraction:
        return sum((self._items[id].net for id in ids if id in self._items), Fraction(0))

    def _item(self, component: Component, amounts: Sequence[Amount]) -> Item:
        rule = self._rules[component.tax] if component.tax is not None else UNTAXED
        by_label: dict[str | None, Fraction] = {}
        for one in amounts:
            by_label[one.label] = by_label.get(one.label, Fraction(0)) + one.quantity
        taxed = []
        net_total = tax_total = Fraction(0)
        for one in amounts:
            for part in rule.parts(self._segment, self._billed_kwh, one.label, by_label[one.label]):
                rate = Fraction(part.rate)
                amount = one.amount * part.share if part.share != 1 else one.amount
                net_amount = amount / (1 + rate) if rule.included else amount
                tax = net_amount * rate
                taxed.append((one, part.share, rate, net_amount, tax))
                net_total += net_amount
                tax_total += tax
        return Item(component, rule, tuple(amounts), tuple(taxed), net_total, tax_total)


def _scaled(one: Amount, share: Fraction) -> Amount:
    return Amount(
        one.segment, one.label, one.quantity, one.unit, one.price, one.price_unit, one.amount * share,
        one.energy_milliwh, one.unknown_milliwh, one.substituted_milliwh,
    )  # fmt: skip
