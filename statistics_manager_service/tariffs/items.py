"""What components come to in a segment of a contract, exact, with its taxes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from statistics_manager_service.core.decimals import exact_sum
from statistics_manager_service.tariffs.document import Component
from statistics_manager_service.tariffs.energy import Amount
from statistics_manager_service.tariffs.statement import Line
from statistics_manager_service.tariffs.taxing import TaxRule
from statistics_manager_service.tariffs.terms import Segment, Term
from statistics_manager_service.tariffs.usage import Usage

#: A part of an amount that one rate taxes: the amount, the part's share of it, the rate, net, tax.
Taxed = tuple[Amount, Fraction, Fraction, Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Item:
    """What a component comes to in a segment: its amounts, and the parts in which they are taxed.

    lines: of the statement, where they are the same for every home; None where they hang on energy.
    """

    component: Component
    rule: TaxRule
    amounts: tuple[Amount, ...]
    taxed: tuple[Taxed, ...]
    lines: tuple[Line, ...] | None = None

    @property
    def net(self) -> Fraction:
        """Without tax."""
        return exact_sum(one[3] for one in self.taxed)

    @property
    def tax(self) -> Fraction:
        """The tax."""
        return exact_sum(one[4] for one in self.taxed)

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
