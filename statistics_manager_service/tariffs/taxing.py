"""Taxes on lines: one rate, or one below a threshold of energy and another above it."""

from __future__ import annotations

from collections.abc import Mapping
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
class TaxRule:
    """A tax of a contract at a date.

    rate: of everything, or above the threshold. below, kwh, per_days: the rate below it, and how much that is; None
    where there is no threshold. shares: of the threshold, by period of a schedule; None: in proportion to the energy.
    """

    name: str
    rate: Fraction
    included: bool = False
    below: Fraction | None = None
    kwh: Fraction = Fraction(0)
    per_days: int = 30
    shares: Mapping[str, Decimal] | None = None
    whole_kwh: bool = False

    def parts(self, segment: Segment, billed_kwh: Fraction) -> list[tuple[Fraction, Fraction]]:
        """How an amount is taxed: shares and their rates. billed_kwh: all that is billed in the segment."""
        return self._parts(self._limit(segment), billed_kwh)

    def parts_of_period(
        self, segment: Segment, period: str | None, period_kwh: Fraction
    ) -> list[tuple[Fraction, Fraction]]:
        """The same by fixed shares of the periods of a schedule. period_kwh: what is billed in the period."""
        share = Fraction((self.shares or {}).get(period or "", 0))
        return self._parts(self._limit(segment) * share, period_kwh)

    def _limit(self, segment: Segment) -> Fraction:
        """The threshold of a segment, in kWh."""
        limit = self.kwh * segment.days / self.per_days
        return Fraction((limit + _HALF).__floor__()) if self.whole_kwh else limit

    def _parts(self, limit: Fraction, whole: Fraction) -> list[tuple[Fraction, Fraction]]:
        if self.below is None:
            return [(Fraction(1), self.rate)]
        share = min(Fraction(1), limit / whole) if whole > 0 else Fraction(1)
        return [one for one in ((share, self.below), (1 - share, self.rate)) if one[0] > 0]


UNTAXED: Final = TaxRule("", Fraction(0))


def tax_rules(stretch: Stretch) -> dict[str, TaxRule]:
    """The taxes of a contract as they are at a stretch's date."""
    parameters, on = stretch.term.parameters, stretch.on
    return {name: _rule(name, tax, parameters, on) for name, tax in stretch.term.tariff.taxes.items()}


def _rule(name: str, tax: Tax, parameters: Parameters, day: date) -> TaxRule:
    if tax.threshold is None or tax.below is None or tax.above is None:
        return TaxRule(name, Fraction(number(tax.rate or Decimal(0), parameters, day)), tax.included)
    if tax.when is not None and tax.otherwise is not None and not holds(tax.when, parameters):
        return TaxRule(name, Fraction(number(tax.otherwise, parameters, day)), tax.included)
    one = tax.threshold
    return TaxRule(
        name, Fraction(number(tax.above, parameters, day)), tax.included, Fraction(number(tax.below, parameters, day)),
        Fraction(number(one.kwh, parameters, day)), one.per_days, one.share if isinstance(one.share, dict) else None,
        one.rounding == "integer",
    )  # fmt: skip
