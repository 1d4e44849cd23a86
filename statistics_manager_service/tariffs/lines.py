"""The lines of a statement: what a bill comes to, rounded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from statistics_manager_service.core.decimals import exact_sum
from statistics_manager_service.core.ratios import Ratio
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.tariffs.amounts import Amount
from statistics_manager_service.tariffs.document import Component, Credit, Energy, Minimum, Percentage, Rounding
from statistics_manager_service.tariffs.items import Bill, Item, SegmentBill
from statistics_manager_service.tariffs.statement import EXPORT, KINDS, Line, TaxTotal
from statistics_manager_service.tariffs.terms import Segment, Term

_ORDER: Final = {kind: place for place, kind in enumerate(KINDS)}
_NOTHING: Final = Fraction(0)


def rounded(amount: Fraction, decimals: int, mode: str = "half_up") -> Fraction:
    """An amount of money to some decimals; halves away from zero, or to the even neighbour."""
    scale = 10**decimals
    if mode == "half_even":
        return Fraction(round(amount * scale), scale)
    numerator, denominator = amount.numerator * scale, amount.denominator
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return Fraction(whole if numerator >= 0 else -whole, scale)


def lines_of(bill: Bill) -> list[list[Line]]:
    """The lines of each billing period, in the order of a bill. A period without a contract has none."""
    periods = 1 + max((one.segment.period for one in bill.segments), default=-1)
    found: list[list[Line]] = [[] for _ in range(periods)]
    for segment in bill.segments:
        found[segment.segment.period] += lines_of_segment(segment)
    for lines in found:
        lines.sort(key=lambda one: (one.start_us, _ORDER[one.kind]))  # stable: the order of the document
    return found


def lines_of_segment(bill: SegmentBill) -> list[Line]:
    """The lines of a segment of a contract."""
    found: list[Line] = []
    for item in bill.items:
        found += lines_of_item(bill.term, bill.segment, item) if item.lines is None else item.lines
    return found


def lines_of_item(term: Term, segment: Segment, item: Item) -> Iterator[Line]:
    """The lines of a component in a segment, of one home."""
    rounding, component, rule = term.tariff.rounding, item.component, item.rule
    titles = term.tariff.calendars.titles
    is_energy = isinstance(component, Energy)
    kind = EXPORT if isinstance(component, Energy) and component.flow == "export" else component.kind
    for amount, share, rate, net, tax in item.parts:
        if is_energy and not amount.count.n and not amount.unknown:
            continue  # a period of the schedule in which nothing flowed
        price = amount.price
        if price is not None and rule.included and amount.price_unit is not None:
            price = price / (1 + rate)
        if price is None and is_energy and amount.count.n:
            price = net.fraction / (amount.count * share).fraction
        net, tax = as_billed(net, tax, rounding, included=rule.included)
        yield Line(
            start_us=segment.start_us,
            end_us=segment.end_us,
            tariff=term.tariff.id,
            component=component.id,
            title=component.title or component.id,
            kind=kind,
            period=amount.period,
            quantity=(amount.count * share).fraction,
            unit=amount.unit,
            unit_price=price,
            price_unit=amount.price_unit,
            net=net.fraction,
            tax_name=rule.name or None,
            tax_rate=_decimal(rate),
            tax=tax.fraction,
            gross=(net + tax).fraction,
            missing_price_share=_missing_share(amount),
            note=_note(component, amount),
            period_title=amount.titled(titles),
        )


def as_billed(net: Ratio, tax: Ratio, rounding: Rounding, *, included: bool) -> tuple[Ratio, Ratio]:
    """A part of an amount and its tax as they stand on a line: rounded, where lines are."""
    if rounding.at != "line":
        return net, tax
    scale = 10**rounding.money
    rounded_net = net.rounded(rounding.money, rounding.mode)
    if included:  # the amount with tax is the one that was agreed
        gross = (net + tax).rounded(rounding.money, rounding.mode)
        return Ratio(rounded_net, scale), Ratio(gross - rounded_net, scale)
    return Ratio(rounded_net, scale), Ratio(tax.rounded(rounding.money, rounding.mode), scale)


def _missing_share(amount: Amount) -> Fraction:
    if not amount.unknown:
        return _NOTHING
    return Ratio(amount.unknown, amount.energy + amount.unknown).fraction


def _note(component: Component, amount: Amount) -> str | None:
    """What explains a line that quantity and price do not."""
    found = []
    if amount.unknown:
        found.append(f"without {_kwh(amount.unknown_milliwh)} kWh whose price is not known")
    if amount.substituted:
        found.append(f"{_kwh(amount.substituted_milliwh)} kWh at prices that stand in for missing ones")
    if isinstance(component, Minimum):
        found.append("what lacks to the least amount")
    elif isinstance(component, Percentage) and component.floor is not None and _is_other(amount):
        found.append("the least for each kWh")
    elif isinstance(component, Energy | Credit) and component.cap is not None and _is_other(amount):
        found.append("no more than what it is set against")
    return "; ".join(found) or None


def _is_other(amount: Amount) -> bool:
    """Whether an amount is not its quantity times its price."""
    if amount.price is None or amount.unknown:
        return False
    return amount.value.fraction != (amount.count * Ratio.of(amount.price)).fraction


def _kwh(milliwh: Fraction) -> str:
    return f"{(Decimal(round(milliwh)) / MILLIWH_PER_KWH).normalize():f}"


@lru_cache(maxsize=1_024)
def _decimal(value: Fraction) -> Decimal:
    """A rate, which came from a decimal number."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def tax_totals(lines: Sequence[Line], rounding: Rounding) -> list[TaxTotal]:
    """What is taxed by each rate, greatest rate last."""
    mine: dict[Decimal, list[Line]] = {}
    for one in lines:
        mine.setdefault(one.tax_rate, []).append(one)
    sums = {
        rate: [exact_sum(one.net for one in some), exact_sum(one.tax for one in some)] for rate, some in mine.items()
    }
    if rounding.at == "bill":
        sums = {rate: [rounded(one, rounding.money, rounding.mode) for one in total] for rate, total in sums.items()}
    return [TaxTotal(rate, net, tax) for rate, (net, tax) in sorted(sums.items())]
