"""A line of an invoice beside ours: which figures differ, and what explains it: quantity, price, tax, rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from statistics_manager_service.services.money.invoices import InvoiceLine, half_of_last, our_unit, shown
from statistics_manager_service.services.money.matching import Group
from statistics_manager_service.tariffs.statement import Line

AGREES, DIFFERS = "agrees", "differs"
BY_QUANTITY, BY_PRICE, BY_TAX, BY_ROUNDING = "quantity", "price", "tax", "rounding"
ARITHMETIC, UNKNOWN = "arithmetic", "unknown"
_SAME: Final = Fraction(1, 10**6)
#: Cents that a few roundings make, times the tolerance.
_FEW_ROUNDINGS: Final = 5
#: Of some of our lines, the ways in which software that rounds each interval would come to another amount, and that.
Clue = Callable[[Sequence[Line]], Iterator[tuple[str, Fraction]]]


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """A figure of an invoice that is not ours. ours: None where several of our lines have different ones."""

    what: str
    theirs: Fraction
    ours: Fraction | None

    @property
    def difference(self) -> Fraction | None:
        """By how much theirs is more."""
        return None if self.ours is None else self.theirs - self.ours


@dataclass(frozen=True, slots=True)
class Explanation:
    """A part of a difference. by: quantity, price, tax, rounding, arithmetic, unknown. net, gross: how much of it."""

    by: str
    net: Fraction
    gross: Fraction
    why: str


def compared(
    line: InvoiceLine, group: Group, tolerance: Fraction, clue: Clue
) -> tuple[list[FigureDifference], list[Explanation]]:
    """The figures that differ, and what explains their amounts."""
    differences = list(_differences(line, group, tolerance))
    if not differences:
        return [], []
    return differences, list(_Explaining(line, group, tolerance, {one.what for one in differences}, clue).parts())


def _differences(line: InvoiceLine, group: Group, tolerance: Fraction) -> Iterator[FigureDifference]:
    net = line.net_known
    amounts_agree = net is None or abs(net - group.net) <= tolerance
    if line.quantity is not None and group.quantity is not None and _same_unit(line, group):
        off = abs(line.quantity - group.quantity)
        money = off * abs(group.unit_price or Fraction(0))
        is_shown = off <= half_of_last(line.quantity_decimals) and amounts_agree
        if off > _SAME and not is_shown and (money > tolerance or not group.unit_price):
            yield FigureDifference("quantity", line.quantity, group.quantity)
    if line.unit_price is not None and group.unit_price is not None and _same_unit(line, group):
        off = abs(line.unit_price - group.unit_price)
        slack = _SAME
        if group.is_mean and group.quantity:
            slack = max(slack, tolerance / abs(group.quantity))
        if off > slack and not (off <= half_of_last(line.price_decimals) and amounts_agree):
            yield FigureDifference("unit_price", line.unit_price, group.unit_price)
    if line.net is not None and abs(line.net - group.net) > tolerance:
        yield FigureDifference("net", line.net, group.net)
    if line.tax_rate is not None and line.tax_rate != group.tax_rate:
        tax = line.tax_known
        if group.tax_rate is not None or (tax is not None and abs(tax - group.tax) > tolerance):
            yield FigureDifference("tax_rate", line.tax_rate, group.tax_rate)
    for what in ("tax", "gross"):
        theirs, ours = getattr(line, what), getattr(group, what)
        if theirs is not None and abs(theirs - ours) > tolerance:
            yield FigureDifference(what, theirs, ours)


def _same_unit(line: InvoiceLine, group: Group) -> bool:
    unit, _ = our_unit(line.unit)
    return unit is None or group.unit is None or unit == group.unit


class _Explaining:
    """Takes a difference apart."""

    def __init__(self, line: InvoiceLine, group: Group, tolerance: Fraction, differing: set[str], clue: Clue) -> None:
        self._line, self._group, self._tolerance, self._differing, self._clue = line, group, tolerance, differing, clue
        self._factor = 1 + (group.tax / group.net if group.net else Fraction(0))

    def parts(self) -> Iterator[Explanation]:
        """The parts of the difference that are more than the tolerance."""
        line, group = self._line, self._group
        net = line.net_known
        if net is None and line.gross is not None:
            net = line.gross / self._factor
        if net is None:
            return
        more = net - group.net
        for by, amount, why in self._by_figures():
            more -= amount
            yield self._part(by, amount, why)
        if abs(more) > self._tolerance + self._of_display():
            yield self._part(*self._rest(more, net))
        yield from self._by_tax(net)

    def _part(self, by: str, net: Fraction, why: str) -> Explanation:
        return Explanation(by, net, net * self._factor, why)

    def _by_figures(self) -> Iterator[tuple[str, Fraction, str]]:
        line, group = self._line, self._group
        unit = group.unit or ""
        if "quantity" in self._differing and line.quantity is not None and group.quantity is not None:
            why = f"{shown(line.quantity, 0)} {unit} instead of {shown(group.quantity, 0)}".replace("  ", " ")
            if line.quantity == round(group.quantity):
                why += ": rounded to a whole number"
            yield BY_QUANTITY, (line.quantity - group.quantity) * (group.unit_price or 0), why
        if "unit_price" in self._differing and line.unit_price is not None and group.unit_price is not None:
            quantity = line.quantity if line.quantity is not None else group.quantity
            if quantity is not None:
                why = f"{shown(line.unit_price)} instead of {shown(group.unit_price)} for each {unit or 'unit'}"
                yield BY_PRICE, (line.unit_price - group.unit_price) * quantity, why

    def _of_display(self) -> Fraction:
        """What may be lost where a price is shown rounded."""
        line, group = self._line, self._group
        if line.unit_price is None or group.quantity is None or "unit_price" in self._differing:
            return Fraction(0)
        return abs(line.unit_price - (group.unit_price or line.unit_price)) * abs(group.quantity)

    def _rest(self, more: Fraction, net: Fraction) -> tuple[str, Fraction, str]:
        """What explains the rest of an amount, which neither quantity nor price does as they are told."""
        line, group = self._line, self._group
        if "quantity" not in self._differing and "unit_price" not in self._differing:
            for how, amount in self._clue(group.lines):
                if abs(amount - net) <= self._tolerance and abs(amount - group.net) > self._tolerance:
                    return BY_ROUNDING, more, f"it comes to {shown(amount)} where {how}; ours are rounded once"
        if line.quantity is not None and line.unit_price is None and group.unit_price and line.quantity:
            why = f"{shown(net / line.quantity)} instead of {shown(group.unit_price)} for each {group.unit or 'unit'}"
            return BY_PRICE, more, why
        if line.quantity is None and line.unit_price and group.quantity is not None:
            return BY_QUANTITY, more, f"{shown(net / line.unit_price, 0)} instead of {shown(group.quantity, 0)}"
        if abs(more) <= _FEW_ROUNDINGS * self._tolerance:
            return BY_ROUNDING, more, "a few cents, as roundings on the way make them"
        if line.quantity is not None and line.unit_price is not None:
            return ARITHMETIC, more, "the invoice's amount is not its quantity × its unit price"
        return UNKNOWN, more, "the invoice tells neither quantity nor unit price"

    def _by_tax(self, net: Fraction) -> Iterator[Explanation]:
        line, group = self._line, self._group
        tax = line.tax_known
        if tax is None:
            return
        more = tax - group.tax - (net - group.net) * (self._factor - 1)
        if abs(more) <= self._tolerance:
            return
        if line.tax_rate is not None and group.tax_rate is not None and line.tax_rate != group.tax_rate:
            why = f"taxed by {_percent(line.tax_rate)} instead of {_percent(group.tax_rate)}"
        elif group.tax_rate is None:
            parts = (
                f"{shown(one.quantity, 0)} {one.unit} by {_percent(Fraction(one.tax_rate))}" for one in group.lines
            )
            mine = "all of it is taxed by " + _percent(line.tax_rate) if line.tax_rate is not None else "taxed as one"
            why = f"{mine}; ours are {' and '.join(parts)}"
        else:
            why = f"tax is {shown(tax)} instead of {shown(group.tax)}"
        yield Explanation(BY_TAX, Fraction(0), more, why)


def _percent(rate: Fraction) -> str:
    return f"{shown(rate * 100, 0)} %"
