"""Taxes on lines: one rate, or one below a threshold of energy and another above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from statistics_manager_service.tariffs.document import Tax
from statistics_manager_service.tariffs.resolving import Parameters, holds, number
from statistics_manager_service.tariffs.terms import Segment, Stretch

_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class TaxShare:
    """A part of a line that is taxed by one rate: its share of the line, and the rate."""

    share: Fraction
    rate: Decimal


@dataclass(frozen=True, slots=True)
class TaxRule:
    """A tax of a contract at a date.

    rate: of everything, or above the threshold. below, kwh, per_days: the rate below it, and how much that is; None
    where there is no threshold. shares: of the threshold, by period of a schedule; None: in proportion to the energy.
    """

    name: str
    rate: Decimal
    included: bool = False
    below: Decimal | None = None
    kwh: Decimal = Decimal(0)
    per_days: int = 30
    shares: Mapping[str, Decimal] | None = None
    whole_kwh: bool = False

    def parts(
        self, segment: Segment, billed_kwh: Fraction, period: str | None, period_kwh: Fraction
    ) -> Iterator[TaxShare]:
        """How a line of energy is taxed. billed_kwh: all that is billed in the segment; period_kwh: in its period."""
        if self.below is None:
            yield TaxShare(Fraction(1), self.rate)
            return
        limit = Fraction(self.kwh) * segment.days / self.per_days
        if self.whole_kwh:
            limit = Fraction((limit + _HALF).__floor__())
        whole = billed_kwh
        if self.shares is not None and period is not None and period in self.shares:
            limit, whole = limit * Fraction(self.shares[period]), period_kwh
        share = min(Fraction(1), limit / whole) if whole > 0 else Fraction(1)
        if share > 0:
            yield TaxShare(share, self.below)
        if share < 1:
            yield TaxShare(1 - share, self.rate)


UNTAXED: Final = TaxRule("", Decimal(0))


def tax_rules(stretch: Stretch) -> dict[str, TaxRule]:
    """The taxes of a contract as they are at a stretch's date."""
    parameters, on = stretch.term.parameters, stretch.on
    return {name: _rule(name, tax, parameters, on) for name, tax in stretch.term.tariff.taxes.items()}


def _rule(name: str, tax: Tax, parameters: Parameters, day: date) -> TaxRule:
    if tax.threshold is None or tax.below is None or tax.above is None:
        return TaxRule(name, number(tax.rate or Decimal(0), parameters, day), tax.included)
    if tax.when is not None and tax.otherwise is not None and not holds(tax.when, parameters):
        return TaxRule(name, number(tax.otherwise, parameters, day), tax.included)
    one = tax.threshold
    return TaxRule(
        name, number(tax.above, parameters, day), tax.included, number(tax.below, parameters, day),
        number(one.kwh, parameters, day), one.per_days, one.share if isinstance(one.share, dict) else None,
        one.rounding == "integer",
    )  # fmt: skip
