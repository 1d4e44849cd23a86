"""What the bills of many homes come to, by home and billing period: the sums of their lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from statistics_manager_service.core.ratios import ZERO, Ratio, total
from statistics_manager_service.tariffs.document import Rounding
from statistics_manager_service.tariffs.items import SegmentBill
from statistics_manager_service.tariffs.lines import as_billed
from statistics_manager_service.tariffs.terms import Term


class Total(NamedTuple):
    """What a bill comes to, in currency, rounded as the tariff has it."""

    net: Fraction
    tax: Fraction

    @property
    def gross(self) -> Fraction:
        """With tax."""
        return self.net + self.tax


def totals_of(bills: Iterable[SegmentBill], terms: Sequence[Term], periods: int, homes: int) -> list[list[Total]]:
    """The totals of each home, by billing period, from the bills of segments of all of them."""
    nets: list[list[Ratio]] = [[] for _ in range(periods)]
    taxes: list[dict[Fraction, list[Ratio]]] = [{} for _ in range(periods)]
    for bill in bills:
        rounding, period = bill.term.tariff.rounding, bill.segment.period
        for item in bill.items:
            for one in item.parts:
                net, tax = as_billed(one.net, one.tax, rounding, included=item.rule.included)
                nets[period].append(net)
                taxes[period].setdefault(one.rate, []).append(tax)
    rounding = terms[0].tariff.rounding if terms else Rounding()
    found = [
        (_sum(net, rounding), total(_sum(some, rounding) for some in tax.values()))
        for net, tax in zip(nets, taxes, strict=True)
    ]
    return [[Total(net.at(i), tax.at(i)) for net, tax in found] for i in range(homes)]


def _sum(some: Sequence[Ratio], rounding: Rounding) -> Ratio:
    """A sum of a bill: rounded, where bills are."""
    found = total(some) if some else ZERO
    if rounding.at != "bill":
        return found
    return Ratio(found.rounded(rounding.money, rounding.mode), 10**rounding.money)
