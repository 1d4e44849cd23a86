"""Prices in a tariff document: a small tree of expressions, each an object with the member that names it.

A price is a decimal number, or one of `constant`, `parameter`, `table`, `schedule`, `series`, `tiers`, `add`, `mul`,
`min`, `max`, `if`, `dated`. No text is ever evaluated.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME)]
#: A number as people write prices: exact, and of no size that no price has.
Number = Annotated[Decimal, Field(max_digits=24, allow_inf_nan=False)]
ParameterValue = bool | Decimal | str


class Part(BaseModel):
    """Any part of a tariff document: members that nobody knows are refused, nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


# --- conditions -------------------------------------------------------------------------------------------------------


class Comparison(Part):
    """A parameter of the contract compared with a value; without one: whether it is true."""

    parameter: Name
    equals: ParameterValue | None = Field(None, alias="is")
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

    begin: date = Field(alias="from")
    end: date | None = Field(None, alias="to")
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
