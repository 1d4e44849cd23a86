"""What components come to in a segment of a contract, exact, with its taxes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from statistics_manager_service.core.ratios import ONE, Ratio, Whole, total
from statistics_manager_service.tariffs.amounts import Amount
from statistics_manager_service.tariffs.document import Component
from statistics_manager_service.tariffs.statement import Line
from statistics_manager_service.tariffs.taxing import TaxRule
from statistics_manager_service.tariffs.terms import Segment, Term
from statistics_manager_service.tariffs.usage import Usage

#: A part of an amount of one home that one rate taxes: the amount, the part's share of it, the rate, net, tax.
Taxed = tuple[Amount, Fraction, Fraction, Fraction, Fraction]


class Part(NamedTuple):
    """A part of an amount that is taxed by one rate: its share of the amount, the rate, net and tax."""

    amount: Amount
    share: Ratio
    rate: Fraction
    net: Ratio
    tax: Ratio


@dataclass(slots=True)
class Item:
    """What a component comes to in a segment, of a home or of each of many: its amounts, and the parts in which they
    are taxed.

    lines: of the statement, where they are the same for every home; None where they hang on energy.
    """

    component: Component
    rule: TaxRule
    amounts: tuple[Amount, ...]
    parts: tuple[Part, ...]
    lines: tuple[Line, ...] | None = None

    @property
    def net_sum(self) -> Ratio:
        """Without tax."""
        return total([one.net for one in self.parts] if self.rule.included else [one.value for one in self.amounts])

    @property
    def tax_sum(self) -> Ratio:
        """The tax."""
        return total([one.tax for one in self.parts])

    @property
    def taxed(self) -> tuple[Taxed, ...]:
        """The parts, of one home."""
        return tuple((one[0], one[1].fraction, one[2], one[3].fraction, one[4].fraction) for one in self.parts)

    @property
    def net(self) -> Fraction:
        """Without tax, of one home."""
        return self.net_sum.fraction

    @property
    def tax(self) -> Fraction:
        """The tax, of one home."""
        return self.tax_sum.fraction

    @property
    def gross(self) -> Fraction:
        """With tax, of one home."""
        return (self.net_sum + self.tax_sum).fraction

    def told(self, included: bool) -> Ratio:
        """What it comes to, with tax where prices are told with it."""
        return self.net_sum + self.tax_sum if included else self.net_sum


class Shares:
    """How the amounts of a segment are taxed: of each tax the shares of its rates.

    limits: of taxes with a threshold, by name, in milliwatt-hours. billed: all that is billed in the segment.
    """

    def __init__(self, limits: dict[str, Ratio], billed_milliwh: Whole) -> None:
        self._limits, self._billed = limits, billed_milliwh
        self._known: dict[str, list[tuple[Ratio, Fraction]]] = {}

    def item(self, component: Component, rule: TaxRule, amounts: list[Amount]) -> Item:
        """The amounts of a component with their taxes."""
        parts = []
        for one in amounts:
            for share, rate in self._of(rule, one, amounts):
                net = one.value if share is ONE else one.value * share
                if rule.included:
                    net *= Ratio(rate.denominator, rate.denominator + rate.numerator)
                tax = Ratio(net.n * rate.numerator, net.d * rate.denominator)
                parts.append(Part(one, share, rate, net, tax))
        return Item(component, rule, tuple(amounts), tuple(parts))

    def _of(self, rule: TaxRule, amount: Amount, others: list[Amount]) -> list[tuple[Ratio, Fraction]]:
        if rule.below is None:
            return rule.whole
        if rule.shares is not None:
            of_period = sum(one.energy for one in others if one.label == amount.label)
            return rule.parts(self._limits[rule.name] * rule.share_of(amount.label), of_period)
        if rule.name not in self._known:
            self._known[rule.name] = rule.parts(self._limits[rule.name], self._billed)
        return self._known[rule.name]


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
