"""Bills: what a home's energy comes to under its contracts, in the order in which bills are worked out.

1 the contract of each time, cut at edges of billing periods and at changes of prices; 2 readings as energy of pieces of
time; 3 import and export netted; 4 each piece its period, by its start and the schedule's clock; 5 quantities of each
segment; 6 tiers and thresholds, which need the whole segment; 7 percentages, credits, minimums; 8 taxes, line by line;
9 rounding, once; 10 lines and sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.pricing import net, net_labelled
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, midnight_us, months_later
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.tariffs.document import Energy, Peak
from statistics_manager_service.tariffs.energy import Amount, EnergyPrice, PieceColumns, SeriesSource
from statistics_manager_service.tariffs.items import Bill, Item, SegmentBill
from statistics_manager_service.tariffs.peaks import first_month_needed
from statistics_manager_service.tariffs.prices import Price, Tiered
from statistics_manager_service.tariffs.resolving import parts_of
from statistics_manager_service.tariffs.segment_bills import SegmentMaker
from statistics_manager_service.tariffs.taxing import TaxRule, tax_rules
from statistics_manager_service.tariffs.terms import BillingPeriod, Stretch, Term, stretches_of
from statistics_manager_service.tariffs.usage import Usage

_GROUP_QUARTERS: Final = {"PT15M": 1, "PT30M": 2, "PT1H": 4}


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
        self._makers: list[list[SegmentMaker]] = []
        for term in terms:
            for stretch in stretches_of(term, periods, edges_us):
                columns = PieceColumns(stretch, edges_us, source)
                prices = {
                    one.id: EnergyPrice(one, columns, list(periods), edges_us)
                    for one in term.components()
                    if isinstance(one, Energy)
                }
                rules = tax_rules(stretch)
                self._priced.append((stretch, prices, rules))
                self._makers.append(
                    [SegmentMaker(term, one, self.periods[one.period], rules) for one in stretch.segments]
                )

    def energy_prices(self) -> list[tuple[Stretch, dict[str, EnergyPrice], dict[str, TaxRule]]]:
        """The prices of energy of each stretch, by component, and its taxes."""
        return self._priced

    def bill(self, usage: Usage) -> Bill:
        """The bill of a home."""
        netted = netted_usage(self.terms, usage)
        segments: list[SegmentBill] = []
        for (stretch, prices, _), makers in zip(self._priced, self._makers, strict=True):
            by_segment: list[dict[str, list[Amount]]] = [{} for _ in makers]
            for id, price in prices.items():
                for amount in price.amounts(_energy_of(price.component, netted)):
                    by_segment[amount.segment.number].setdefault(id, []).append(amount)
            billed = netted.import_milliwh if stretch.term.prices_import else netted.export_milliwh
            for maker, energies in zip(makers, by_segment, strict=True):
                segment = maker.segment
                segments.append(maker.made(energies, int(billed[segment.first : segment.last].sum()), usage))
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


__all__ = ["Bill", "Item", "Plan", "SegmentBill", "Usage", "needed_span", "netted_usage", "netting_edges"]
