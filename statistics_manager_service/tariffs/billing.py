"""Bills: what a home's energy comes to under its contracts, in the order in which bills are worked out.

1 the contract of each time, cut at edges of billing periods and at changes of prices; 2 readings as energy of pieces of
time; 3 import and export netted; 4 each piece its period, by its start and the schedule's clock; 5 quantities of each
segment; 6 tiers and thresholds, which need the whole segment; 7 percentages, credits, minimums; 8 taxes, line by line;
9 rounding, once; 10 lines and sums.

All of it works alike for one home and for many at once: energies are tables with a row a home, what they come to is a
number or a column of numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from statistics_manager_service.core.pricing import energy_sums, runs_of
from statistics_manager_service.core.ratios import Whole, columns
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.tariffs.amounts import Amount
from statistics_manager_service.tariffs.document import Energy, Peak
from statistics_manager_service.tariffs.energy import EnergyPrice
from statistics_manager_service.tariffs.items import Bill, Item, SegmentBill
from statistics_manager_service.tariffs.netting import Netting, needed_span
from statistics_manager_service.tariffs.peaks import PeakPrice
from statistics_manager_service.tariffs.pieces import PieceColumns, SeriesSource
from statistics_manager_service.tariffs.segment_bills import SegmentMaker, bills_of_period
from statistics_manager_service.tariffs.taxing import TaxRule, tax_rules
from statistics_manager_service.tariffs.terms import BillingPeriod, Stretch, Term, stretches_of
from statistics_manager_service.tariffs.totals import Total, totals_of
from statistics_manager_service.tariffs.usage import Flows, Usage

#: Homes that are billed at once: more would need much memory and go no faster.
_HOMES_AT_ONCE: Final = 64


class _Priced:
    """A stretch of a contract with its prices, ready to measure energies and demands of homes."""

    def __init__(self, stretch: Stretch, plan: Plan, source: SeriesSource) -> None:
        self.stretch, self.rules = stretch, tax_rules(stretch)
        term, pieces = stretch.term, PieceColumns(stretch, plan.edges_us, source)
        components = term.components()
        self.energies = {
            one.id: EnergyPrice(one, pieces, plan.edges_us) for one in components if isinstance(one, Energy)
        }
        self.peaks = {one.id: PeakPrice(one, stretch, plan.edges_us) for one in components if isinstance(one, Peak)}
        self.makers = [SegmentMaker(term, one, plan.periods[one.period], self.rules) for one in stretch.segments]
        self._by_segment = runs_of(pieces.segment)

    def measured(self, metered: Flows, billed: Flows) -> list[tuple[SegmentMaker, dict[str, list[Amount]], Whole]]:
        """Of each segment: what its energies and demands come to, and all that is billed."""
        found: list[dict[str, list[Amount]]] = [{} for _ in self.makers]
        amounts = [(id, price.amounts(billed.of(*_flow_of(price.component)))) for id, price in self.energies.items()]
        amounts += [(id, list(price.amounts(metered))) for id, price in self.peaks.items()]
        for id, some in amounts:
            for one in some:
                found[one.segment.number].setdefault(id, []).append(one)
        flow = billed.of("import" if self.stretch.term.prices_import else "export")
        totals = columns(energy_sums(flow[:, self.stretch.first : self.stretch.last], self._by_segment))
        return list(zip(self.makers, found, totals, strict=True))


def _flow_of(component: Energy) -> tuple[str, str | None]:
    return component.flow, component.meter


class Plan:
    """Contracts over a time, ready to bill any home that has them: schedules looked up, prices in columns.

    terms: those that price imports do not overlap, nor do those that price exports. edges_us: pieces of time, none
    across a quarter-hour, a cut (terms.cuts_of) or a change of period. source: of the series that prices name. notes:
    what whoever found the contracts has to say of them, such as series that are not there.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        periods: Sequence[BillingPeriod],
        edges_us: Int64,
        source: SeriesSource,
        notes: Sequence[str] = (),
    ) -> None:
        self.terms, self.periods, self.edges_us, self.notes = tuple(terms), tuple(periods), edges_us, tuple(notes)
        self._priced = [
            [_Priced(stretch, self, source) for stretch in stretches_of(term, periods, edges_us)] for term in terms
        ]
        self._netting = Netting(self.terms, periods, edges_us)

    def _netted(self, metered: Flows) -> Flows:
        """Import and export as they are billed."""
        if self._netting.terms is not self.terms:  # a copy that bills by other terms of netting
            self._netting = Netting(self.terms, self.periods, self.edges_us)
        return self._netting.netted(metered)

    def energy_prices(self) -> list[tuple[Stretch, dict[str, EnergyPrice], dict[str, TaxRule]]]:
        """The prices of energy of each stretch, by component, and its taxes."""
        return [(one.stretch, one.energies, one.rules) for some in self._priced for one in some]

    def bill(self, usage: Usage) -> Bill:
        """The bill of a home."""
        meters = {name: one[None] for name, one in usage.meters.items()}
        metered = Flows(usage.import_milliwh[None], usage.export_milliwh[None], meters, usage.known)
        billed = self._netted(metered)
        segments = sorted(self._segments(metered, billed), key=lambda one: (one.segment.start_us, one.term.flow))
        netted_usage = Usage(usage.edges_us, billed.imported[0], billed.exported[0], usage.meters, usage.known)
        return Bill(tuple(segments), netted_usage)

    def bill_totals(
        self, import_milliwh: Int64, export_milliwh: Int64, meters: Mapping[str, Int64] | None = None
    ) -> list[list[Total]]:
        """What the bills of many homes come to, by home and billing period, exact: the sums of their lines.

        import_milliwh, export_milliwh, meters: (h, m) int64.
        """
        found: list[list[Total]] = []
        for first in range(0, len(import_milliwh), _HOMES_AT_ONCE):
            some = slice(first, first + _HOMES_AT_ONCE)
            metered = Flows(
                import_milliwh[some], export_milliwh[some], {name: one[some] for name, one in (meters or {}).items()}
            )
            billed = self._netted(metered)
            segments = list(self._segments(metered, billed))
            found += totals_of(segments, self.terms, len(self.periods), len(metered.imported))
        return found

    def _segments(self, metered: Flows, billed: Flows) -> Iterator[SegmentBill]:
        """The bills of all segments, of one home or of many."""
        for stretches in self._priced:
            measured = [one for stretch in stretches for one in stretch.measured(metered, billed)]
            for _, some in groupby(measured, key=lambda one: one[0].segment.period):
                yield from bills_of_period(list(some))


__all__ = ["Bill", "Item", "Plan", "SegmentBill", "Total", "Usage", "needed_span"]
