"""The tariff language: what a tariff document may say. Money is in the tariff's currency, prices per kWh, kW, day.

See docs/tariffs.md for the language as people read it; `statistics-manager tariff schema` prints its JSON Schema.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from statistics_manager_service.tariffs.calendars import Calendars, MonthDay
from statistics_manager_service.tariffs.prices import Condition, Day, Name, Number, Part, Price, ToldParameter

#: The version of the language; a document that names another is refused.
LANGUAGE: Final = 1
Basis = Literal["per_day", "per_month", "per_year", "per_bill"]
Proration = Literal["daily", "month_if_28_32", "none"]


class Validity(Part):
    """From a date of the tariff's zone up to another, which is not included; null: until further notice."""

    begin: Day = Field(alias="from")
    end: Day | None = Field(None, alias="to")


class Source(Part):
    """Where figures come from."""

    what: str = Field(max_length=500)
    source: str = Field(max_length=500, description="Who published it, and where.")
    seen: Day | None = Field(None, description="When it was read there.")
    checked: Literal["verified", "taken", "derived", "unchecked"] = Field(
        "taken", description="verified: worked out anew and equal to what was published; unchecked: not to rely on."
    )


class Metering(Part):
    """How readings become what is billed.

    interval: of the meter. netting: within which time import and export are set against each other before they are
    priced. by: a schedule whose periods are registers of their own, netted apart (of long nettings).
    """

    interval: Literal["PT15M", "PT30M", "PT1H"] = "PT15M"
    netting: Literal["none", "PT15M", "PT30M", "PT1H", "billing_period", "P1Y"] = "none"
    by: Name | None = None
    year_begins: MonthDay = Field("01-01", description="MM-DD at which a netting of P1Y begins.")


class Cycle(Part):
    """How long a billing period is, and when it begins: the household's billing day unless told here."""

    every: Literal["P1M", "P2M", "P3M", "P4M", "P6M", "P1Y"] = "P1M"
    anchor_day: int | None = Field(None, ge=1, le=31)
    anchor_month: int = Field(1, ge=1, le=12)


class Billing(Part):
    """Billing cycle, and how amounts of a month or a year are shared among days where a component does not say."""

    cycle: Cycle = Cycle()
    proration: Proration = "daily"


class Series(Part):
    """A series that prices name.

    name: of the series as it is kept; the key unless told. missing: what holds where it has no value: `error` (the
    cost is unknown), `hold` (the last value before, up to a day old), `profile` (the value of the same time of an
    earlier day, up to a week ago).
    """

    name: Name | None = None
    unit: str | None = Field(
        None, max_length=16, description="Such as EUR/MWh; for people, the kept series has its own."
    )
    interval: Literal["PT15M", "PT30M", "PT1H"] | None = None
    market_time_zone: str | None = Field(None, max_length=64)
    missing: Literal["error", "hold", "profile"] = "error"


class Cap(Part):
    """A credit can take away no more than these components come to in the billing period."""

    of: list[Name] = Field(min_length=1, max_length=50)


class _Component(Part):
    id: Name
    title: str | None = Field(None, max_length=120, description="What people read; the id unless told.")
    when: Condition | None = Field(None, description="Whether a contract has it, by its parameters.")
    tax: Name | None = Field(None, description="One of `taxes`; untaxed unless told.")


class Energy(_Component):
    """Price × energy. split_by: a schedule whose periods are lines of their own, where the price itself has none."""

    kind: Literal["energy"]
    flow: Literal["import", "export"] = "import"
    meter: str | None = Field(None, max_length=64, description="A sub-meter, instead of the grid's.")
    price: Price
    split_by: Name | None = None
    cap: Cap | None = Field(None, description="Of an export: what it can at most take away.")


class Fixed(_Component):
    """An amount a day, a month, a year or a bill."""

    kind: Literal["fixed"]
    basis: Basis
    price: Price
    proration: Proration | None = None


class Capacity(_Component):
    """A price for each kVA or kW that is contracted, a day, a month or a year."""

    kind: Literal["capacity"]
    basis: Literal["per_day", "per_month", "per_year"]
    of: Name = Field(description="The parameter that tells the contracted power.")
    price: Price
    proration: Proration | None = None
    year_days: Literal[365, "actual"] = 365


class Select(Part):
    """Which of the demands count: the n greatest, on distinct days or in distinct weeks if told."""

    n: int = Field(1, ge=1, le=100)
    distinct: Literal["none", "day", "week"] = "none"


class Window(Part):
    """Over how many months demands are taken together: the mean or the greatest of the monthly ones, or the demands
    that count chosen among those of all months (`select`)."""

    months: int = Field(1, ge=1, le=36)
    then: Literal["mean", "max", "select"] = "mean"


class Band(Part):
    """A band of demand: the amount for a demand up to so many kW, of the last one without end."""

    upto_kw: Annotated[Number, Field(gt=0)] | None = None
    price: Number


class Peak(_Component):
    """Measured demand: the greatest means of import over an interval, in a month.

    weights: a schedule and how much each of its periods counts (0: not at all, periods left out: not at all).
    monthly_weights: by which demands of a month are multiplied, January first. floor_kw: the least of each month.
    price: per kW and month or year; bands: an amount a month in place of a price.
    """

    kind: Literal["peak"]
    flow: Literal["import", "export"] = "import"
    interval: Literal["PT15M", "PT30M", "PT1H"] = "PT1H"
    schedule: Name | None = None
    weights: dict[str, Number] | None = Field(None, max_length=50)
    monthly_weights: list[Number] | None = Field(None, min_length=12, max_length=12)
    select: Select = Select()
    aggregate: Literal["mean", "max"] = "mean"
    floor_kw: Annotated[Number, Field(ge=0)] = Decimal(0)
    window: Window = Window()
    price: Price | None = None
    bands: list[Band] | None = Field(None, min_length=1, max_length=50)
    per: Literal["month", "year"] = "year"


class Floor(Part):
    """The least that a percentage comes to for each kWh of import."""

    per_kwh: Number


class Percentage(_Component):
    """A share of other components, such as an excise. rate: 0.0511 is 5.11 %."""

    kind: Literal["percentage"]
    rate: Price
    of: list[Name] = Field(min_length=1, max_length=50)
    floor: Floor | None = None


class Credit(_Component):
    """An amount given back; price is positive. cap: it takes away no more than these components come to."""

    kind: Literal["credit"]
    basis: Basis
    price: Price
    proration: Proration | None = None
    cap: Cap | None = None


class Minimum(_Component):
    """The least that some components, or all of them, come to: a line for what is lacking."""

    kind: Literal["minimum"]
    basis: Basis
    price: Price
    proration: Proration | None = None
    of: list[Name] | None = Field(None, min_length=1, max_length=50)


def _kind_of_component(told: Any) -> str | None:
    kind = told.get("kind") if isinstance(told, dict) else getattr(told, "kind", None)
    return f"<{kind}>" if isinstance(kind, str) else None


Component = Annotated[
    Annotated[Energy, Tag("<energy>")]
    | Annotated[Fixed, Tag("<fixed>")]
    | Annotated[Capacity, Tag("<capacity>")]
    | Annotated[Peak, Tag("<peak>")]
    | Annotated[Percentage, Tag("<percentage>")]
    | Annotated[Credit, Tag("<credit>")]
    | Annotated[Minimum, Tag("<minimum>")],
    Discriminator(
        _kind_of_component,
        custom_error_type="component",
        custom_error_message="a component has a `kind`: energy, fixed, capacity, peak, percentage, credit or minimum",
    ),
]


class Threshold(Part):
    """Up to how much energy the lower rate of a tax holds.

    kwh: in per_days days, for the days of the bill in proportion. share: how it is shared over the periods of a
    schedule: in proportion to their energy, or by fixed shares. rounding: of the kWh of a bill.
    """

    kwh: Price
    per_days: int = Field(30, ge=1, le=366)
    share: Literal["proportional"] | dict[str, Number] = "proportional"
    schedule: Name | None = Field(None, description="Of fixed shares: the schedule whose periods they are of.")
    rounding: Literal["none", "integer"] = "none"


class Tax(Part):
    """A tax on lines: one rate, or below a threshold of energy one and above it another.

    when: whether the threshold holds for a contract; `otherwise` is the rate where it does not. included: prices are
    told with the tax in them.
    """

    rate: Price | None = None
    threshold: Threshold | None = None
    below: Price | None = None
    above: Price | None = None
    when: Condition | None = None
    otherwise: Price | None = None
    included: bool = False


class Rounding(Part):
    """money: decimals of an amount. at: where rounding happens, once: on each line, on the bill's sums, not at all."""

    money: int = Field(2, ge=0, le=6)
    at: Literal["none", "line", "bill"] = "line"
    mode: Literal["half_up", "half_even"] = "half_up"


class Tariff(Part):
    """A tariff document."""

    language: Literal[1] = LANGUAGE
    id: Name
    version: int = Field(1, ge=1)
    title: str | None = Field(None, max_length=200)
    description: str | None = Field(None, max_length=4000)
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    time_zone: str = Field(max_length=64)
    valid: Validity
    sources: list[Source] = Field([], max_length=100)
    parameters: dict[Name, ToldParameter] = Field({}, max_length=50)
    metering: Metering = Metering()
    billing: Billing = Billing()
    calendars: Calendars = Calendars()
    series: dict[Name, Series] = Field({}, max_length=20)
    components: list[Component] = Field(min_length=1, max_length=100)
    taxes: dict[Name, Tax] = Field({}, max_length=50)
    rounding: Rounding = Rounding()
