"""Prices of a contract at a date: what hangs on parameters and dates is decided, what hangs on time is left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Context, Decimal, Inexact
from functools import reduce
from typing import Any, Final

from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.prices import (
    Add,
    All,
    AnyOf,
    Comparison,
    Condition,
    Constant,
    Dated,
    If,
    Max,
    Min,
    Mul,
    Not,
    OfParameter,
    ParameterValue,
    Price,
    Scheduled,
    Step,
    Table,
    Tiered,
)

Parameters = Mapping[str, ParameterValue]

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_LONGEST_NUMBER: Final = 40
#: The usual context would round to 28 digits.
_EXACT: Final = Context(prec=1_000, traps=[Inexact])


class NoPrice(ValueError):
    """A contract has no such price: the sentence says why."""


def holds(condition: Condition, parameters: Parameters) -> bool:
    """Whether a condition is true of a contract."""
    if isinstance(condition, Not):
        return not holds(condition.inner, parameters)
    if isinstance(condition, All):
        return all(holds(one, parameters) for one in condition.every)
    if isinstance(condition, AnyOf):
        return any(holds(one, parameters) for one in condition.some)
    value = parameters[condition.parameter]
    if condition.equals is not None:
        return _equal(value, condition.equals)
    comparisons: tuple[tuple[Decimal | None, Callable[[Decimal, Decimal], bool]], ...] = (
        (condition.below, lambda a, b: a < b),
        (condition.above, lambda a, b: a > b),
        (condition.at_least, lambda a, b: a >= b),
        (condition.at_most, lambda a, b: a <= b),
    )
    told = [(bound, compare) for bound, compare in comparisons if bound is not None]
    if not told:
        return value is True
    return isinstance(value, Decimal) and all(compare(value, bound) for bound, compare in told)


def _equal(value: ParameterValue, other: ParameterValue) -> bool:
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    return _key_of_value(value) == _key_of_value(other)


def _key_of_value(value: ParameterValue) -> Decimal | str:
    if isinstance(value, bool):
        return str(value).lower()
    return key_of(value) if isinstance(value, str) else value


def key_of(text: str) -> Decimal | str:
    """A table's key: a number where it is one, so that 6.9 and 6.90 are the same."""
    return Decimal(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else text


def resolve(price: Price, parameters: Parameters, on: date) -> Price:
    """A price of numbers, schedules, series, tiers, sums and products alone. Raises NoPrice."""
    if isinstance(price, Decimal):
        return price
    if isinstance(price, Constant):
        return price.constant
    if isinstance(price, OfParameter):
        value = parameters[price.parameter]
        if isinstance(value, bool) or not isinstance(value, Decimal):
            raise NoPrice(f"the parameter {price.parameter} is {value!r}, and has to be a number")
        return value
    if isinstance(price, Table):
        return resolve(_looked_up(price, parameters), parameters, on)
    if isinstance(price, If):
        return resolve(price.then if holds(price.condition, parameters) else price.otherwise, parameters, on)
    if isinstance(price, Dated):
        valid = [one for one in price.dated if one.begin <= on and (one.end is None or on < one.end)]
        if not valid:
            raise NoPrice(f"there is no price for {on.isoformat()}")
        return resolve(valid[-1].price, parameters, on)
    return _resolved_inside(price, parameters, on)


def _resolved_inside(price: Any, parameters: Parameters, on: date) -> Price:
    """An expression whose parts are resolved; sums and products of numbers alone are numbers."""
    if isinstance(price, Scheduled):
        values = {name: resolve(one, parameters, on) for name, one in price.values.items()}
        return price.model_copy(update={"values": values})
    if isinstance(price, Tiered):
        steps = [Step(upto=one.upto, price=resolve(one.price, parameters, on)) for one in price.tiers.steps]
        return Tiered(tiers=price.tiers.model_copy(update={"steps": steps}))
    for model, member, combine in _COMBINED:
        if isinstance(price, model):
            parts = [resolve(one, parameters, on) for one in getattr(price, member)]
            numbers = [one for one in parts if isinstance(one, Decimal)]
            if len(numbers) == len(parts):
                return combine(numbers)
            made: Price = model.model_construct(**{member: parts})
            return made
    of_series: Price = price
    return of_series


def _sum(numbers: list[Decimal]) -> Decimal:
    return _folded(_EXACT.add, numbers)


def _product(numbers: list[Decimal]) -> Decimal:
    return _folded(_EXACT.multiply, numbers)


def _folded(combine: Callable[[Decimal, Decimal], Decimal], numbers: list[Decimal]) -> Decimal:
    try:
        return reduce(combine, numbers)
    except Inexact:
        raise NoPrice(f"it comes to a number of more than {_EXACT.prec} digits") from None


_COMBINED: tuple[tuple[type[Any], str, Callable[[list[Decimal]], Decimal]], ...] = (
    (Add, "add", _sum),
    (Mul, "mul", _product),
    (Min, "least", min),
    (Max, "greatest", max),
)


def _looked_up(price: Table, parameters: Parameters) -> Price:
    wanted = _key_of_value(parameters[price.table])
    for text, one in price.values.items():
        if key_of(text) == wanted:
            return one
    there = ", ".join(price.values)
    raise NoPrice(f"there is no price for {price.table} = {parameters[price.table]}; there are {there}")


def number(price: Price, parameters: Parameters, on: date) -> Decimal:
    """A price that is one number. Raises NoPrice."""
    found = resolve(price, parameters, on)
    if not isinstance(found, Decimal):
        raise NoPrice("it must be one number at a time, not one that hangs on the hour")
    return found


def parts_of(price: Price) -> Iterator[tuple[str, Price]]:
    """All expressions of a price, itself first, each with its place below it, such as `.add[1]`."""
    yield "", price
    for place, child in children_of(price):
        for below, one in parts_of(child):
            yield place + below, one


def children_of(price: Price) -> list[tuple[str, Price]]:
    """The expressions right inside of a price, each with its place below it."""
    if isinstance(price, Table | Scheduled):
        return [(f".values.{name}", one) for name, one in price.values.items()]
    if isinstance(price, Tiered):
        return [(f".tiers.steps[{i}].price", one.price) for i, one in enumerate(price.tiers.steps)]
    if isinstance(price, If):
        return [(".then", price.then), (".else", price.otherwise)]
    if isinstance(price, Dated):
        return [(f".dated[{i}].price", one.price) for i, one in enumerate(price.dated)]
    for model, member, _ in _COMBINED:
        if isinstance(price, model):
            name = model.model_fields[member].alias or member
            return [(f".{name}[{i}]", one) for i, one in enumerate(getattr(price, member))]
    return []


def prices_of(tariff: Tariff) -> Iterator[tuple[str, Price]]:
    """All prices of a tariff that stand at the top of one, each with its place in the document."""
    for i, component in enumerate(tariff.components):
        for name in ("price", "rate"):
            price = getattr(component, name, None)
            if price is not None:
                yield f"components[{i}].{name}", price
    for key, tax in tariff.taxes.items():
        for name in ("rate", "below", "above", "otherwise"):
            price = getattr(tax, name)
            if price is not None:
                yield f"taxes.{key}.{name}", price
        if tax.threshold is not None:
            yield f"taxes.{key}.threshold.kwh", tax.threshold.kwh


def conditions_of(tariff: Tariff) -> Iterator[tuple[str, Comparison]]:
    """All comparisons of a tariff, each with its place in the document."""
    for i, component in enumerate(tariff.components):
        if component.when is not None:
            yield from _comparisons(component.when, f"components[{i}].when")
    for key, tax in tariff.taxes.items():
        if tax.when is not None:
            yield from _comparisons(tax.when, f"taxes.{key}.when")
    for where, price in prices_of(tariff):
        for place, part in parts_of(price):
            if isinstance(part, If):
                yield from _comparisons(part.condition, f"{where}{place}.if")


def _comparisons(condition: Condition, where: str) -> Iterator[tuple[str, Comparison]]:
    if isinstance(condition, Not):
        yield from _comparisons(condition.inner, f"{where}.not")
    elif isinstance(condition, All):
        for i, one in enumerate(condition.every):
            yield from _comparisons(one, f"{where}.all[{i}]")
    elif isinstance(condition, AnyOf):
        for i, one in enumerate(condition.some):
            yield from _comparisons(one, f"{where}.any[{i}]")
    else:
        yield where, condition


def changes_of(tariff: Tariff) -> list[date]:
    """The dates at which a price, a rate or a tax of a tariff changes, in order."""
    found = set()
    for _, price in prices_of(tariff):
        for _, part in parts_of(price):
            if isinstance(part, Dated):
                found |= {one.begin for one in part.dated} | {one.end for one in part.dated if one.end is not None}
    return sorted(found)


def days_of_prices(tariff: Tariff) -> list[date]:
    """The days on which a tariff's prices begin: the first of its validity, and each at which one changes."""
    begin, end = tariff.valid.begin, tariff.valid.end
    return [begin, *(day for day in changes_of(tariff) if begin < day and (end is None or day < end))]
