"""Prices in a tariff document: a small tree of expressions, each an object with the member that names it.

A price is a decimal number, or one of `constant`, `parameter`, `table`, `schedule`, `series`, `tiers`, `add`, `mul`,
`min`, `max`, `if`, `dated`. No text is ever evaluated.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from statistics_manager_service.core.zones import FIRST_YEAR, LAST_YEAR

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOST_DIGITS: Final = 24
_LONGEST_NUMBER, _LONGEST_TEXT = 100, 200


def _number(told: Any) -> Any:
    """A number, or the text of one; no truth value, and nothing that Python alone reads as a number."""
    if isinstance(told, int | float | Decimal) and not isinstance(told, bool):
        return told
    if isinstance(told, str) and len(told) <= _LONGEST_NUMBER and _NUMBER.fullmatch(told):
        return told
    raise ValueError("it must be a number such as 0.1234")


def _day(told: Any) -> date:
    """A date, or the text of one, in the years that are served."""
    found = told if isinstance(told, date) and not isinstance(told, datetime) else None
    if isinstance(told, str) and _DAY.fullmatch(told):
        try:
            found = date.fromisoformat(told)
        except ValueError:
            raise ValueError(f"{told} is no day of the calendar") from None
    if found is None:
        raise ValueError("it must be a date such as 2026-01-31")
    if not FIRST_YEAR <= found.year < LAST_YEAR:
        raise ValueError(f"{found} is outside the years {FIRST_YEAR} to {LAST_YEAR - 1}")
    return found


def _parameter(told: Any) -> bool | Decimal | str:
    """Facts about a contract: a truth value, a number, a text."""
    if isinstance(told, bool):
        return told
    if isinstance(told, int | float | Decimal):
        number = Decimal(told) if isinstance(told, int) else Decimal(str(told))
        if number.is_finite() and max(len(number.as_tuple().digits), abs(number.adjusted())) <= _MOST_DIGITS:
            return number
    if isinstance(told, str) and len(told) <= _LONGEST_TEXT:
        return told
    raise ValueError(f"it must be true, false, a number of at most {_MOST_DIGITS} digits, or a text")


#: A number as people write prices: exact, and of no size that no price has.
Number = Annotated[Decimal, Field(max_digits=_MOST_DIGITS, allow_inf_nan=False), BeforeValidator(_number)]
Day = Annotated[date, BeforeValidator(_day)]
ParameterValue = bool | Decimal | str
#: The same in a document: told with its kind, so that 1 is a number and no truth value.
ToldParameter = Annotated[bool | Decimal | str, BeforeValidator(_parameter)]


class Part(BaseModel):
    """Any part of a tariff document: members that nobody knows are refused, nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


# --- conditions -------------------------------------------------------------------------------------------------------


class Comparison(Part):
    """A parameter of the contract compared with a value; without one: whether it is true."""

    parameter: Name
    equals: ToldParameter | None = Field(None, alias="is")
    below: Number | None = None
    above: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None


class Not(Part):
    """The opposite of a condition."""

    inner: Condition = Field(alias="not")


class All(Part):
    """Every one of some conditions."""

    every: list[Condition] = Field(alias="all", min_length=1, max_length=20)


class AnyOf(Part):
    """At least one of some conditions."""

    some: list[Condition] = Field(alias="any", min_length=1, max_length=20)


def _kind_of_condition(told: Any) -> str:
    for model, tag in ((Not, "<not>"), (All, "<all>"), (AnyOf, "<any>")):
        if isinstance(told, model):
            return tag
    if isinstance(told, dict):
        for member in ("not", "all", "any"):
            if member in told:
                return f"<{member}>"
    return "<comparison>"


Condition = Annotated[
    Annotated[Comparison, Tag("<comparison>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[All, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")],
    Discriminator(_kind_of_condition),
]

# --- prices -----------------------------------------------------------------------------------------------------------


class Constant(Part):
    """The same at all times."""

    constant: Number


class OfParameter(Part):
    """A number that each contract tells: its own price, its contracted power."""

    parameter: Name


class Table(Part):
    """By the value of a parameter of the contract."""

    table: Name
    values: dict[str, Price] = Field(min_length=1, max_length=200)


class Scheduled(Part):
    """By the period of a schedule."""

    schedule: Name
    values: dict[str, Price] = Field(min_length=1, max_length=50)


class OfSeries(Part):
    """The value of a series at the time, such as a spot price or a loss factor. Of a price: per kWh."""

    series: Name


class Step(Part):
    """A step of tiers: a price up to so many kWh, of the last step without end."""

    upto: Annotated[Number, Field(gt=0)] | None = Field(None, description="kWh; the last step has none.")
    price: Price


class Tiers(Part):
    """Block rates.

    per: over which time energy counts: `day` (kWh a day, times the days of the bill), `billing_period`, `year`.
    order: `chronological` (the first kWh of the time are the first step's), `proportional` (each kWh is shared alike).
    """

    per: Literal["billing_period", "day", "month", "year"] = "billing_period"
    order: Literal["chronological", "proportional"] = "proportional"
    steps: list[Step] = Field(min_length=1, max_length=20)


class Tiered(Part):
    """By how much energy was taken."""

    tiers: Tiers


class Add(Part):
    """The sum."""

    add: list[Price] = Field(min_length=1, max_length=20)


class Mul(Part):
    """The product."""

    mul: list[Price] = Field(min_length=1, max_length=20)


class Min(Part):
    """The least."""

    least: list[Price] = Field(alias="min", min_length=1, max_length=20)


class Max(Part):
    """The greatest."""

    greatest: list[Price] = Field(alias="max", min_length=1, max_length=20)


class If(Part):
    """One price or another, by a condition on the contract."""

    condition: Condition = Field(alias="if")
    then: Price
    otherwise: Price = Field(alias="else")


class From(Part):
    """A price from a date of the tariff's zone on, until the next one of the list (or until `to`, not included)."""

    begin: Day = Field(alias="from")
    end: Day | None = Field(None, alias="to")
    price: Price


class Dated(Part):
    """Prices in time: they must cover the tariff's validity without hole or overlap."""

    dated: list[From] = Field(min_length=1, max_length=200)


#: The member that names each expression.
EXPRESSIONS: Final[dict[str, type[Part]]] = {
    "constant": Constant, "parameter": OfParameter, "table": Table, "schedule": Scheduled, "series": OfSeries,
    "tiers": Tiered, "add": Add, "mul": Mul, "min": Min, "max": Max, "if": If, "dated": Dated,
}  # fmt: skip
_NAMES: Final = {model: name for name, model in EXPRESSIONS.items()}


def _kind_of_price(told: Any) -> str:
    if isinstance(told, Part):
        return f"<{_NAMES.get(type(told), 'constant')}>"
    if isinstance(told, dict):
        for member in EXPRESSIONS:
            if member in told:
                return f"<{member}>"
        return "<unknown>"
    return "<number>"


Price = Annotated[
    Annotated[Number, Tag("<number>")]
    | Annotated[Constant, Tag("<constant>")]
    | Annotated[OfParameter, Tag("<parameter>")]
    | Annotated[Table, Tag("<table>")]
    | Annotated[Scheduled, Tag("<schedule>")]
    | Annotated[OfSeries, Tag("<series>")]
    | Annotated[Tiered, Tag("<tiers>")]
    | Annotated[Add, Tag("<add>")]
    | Annotated[Mul, Tag("<mul>")]
    | Annotated[Min, Tag("<min>")]
    | Annotated[Max, Tag("<max>")]
    | Annotated[If, Tag("<if>")]
    | Annotated[Dated, Tag("<dated>")],
    Discriminator(
        _kind_of_price,
        custom_error_type="price",
        custom_error_message=f"a price is a number, or an object with one of {', '.join(EXPRESSIONS)}",
    ),
]

for _model in (Not, All, AnyOf, Table, Scheduled, Step, Tiers, Tiered, Add, Mul, Min, Max, If, From, Dated):
    _model.model_rebuild()
