"""Taxes on lines: one rate, or one below a threshold of energy and another above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from statistics_manager_service.core.ratios import ONE, Ratio, Whole, chosen
from statistics_manager_service.core.units import MILLIWH_PER_KWH
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

    @property
    def whole(self) -> list[tuple[Ratio, Fraction]]:
        """Everything at the one rate."""
        return [(ONE, self.rate)]

    def share_of(self, period: str | None) -> Ratio:
        """The share of the threshold that a period has, where shares are fixed."""
        return Ratio.of((self.shares or {})[period or ""])

    def limit(self, segment: Segment) -> Ratio:
        """The threshold of a segment, in milliwatt-hours."""
        limit = self.kwh * segment.days / self.per_days
        return Ratio.of((Fraction((limit + _HALF).__floor__()) if self.whole_kwh else limit) * MILLIWH_PER_KWH)

    def parts(self, limit: Ratio, billed: Whole) -> list[tuple[Ratio, Fraction]]:
        """How an amount is taxed: shares and their rates. limit: up to how much energy the lower rate holds; billed: of
        how much."""
        below = self.rate if self.below is None else self.below
        n, d = limit.n, limit.d * billed
        if isinstance(d, np.ndarray):
            is_below = d <= n
            d = chosen(d > 0, d, 1)
            n = chosen(is_below, d, n)
            return [(Ratio(n, d), below), (Ratio(d - n, d), self.rate)]
        if d <= n:
            return [(ONE, below)]
        above = (Ratio(d - n, d), self.rate)
        return [(Ratio(n, d), below), above] if n else [above]


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
