"""A statement: what a home pays for a time, line by line. Amounts are exact until they are rounded, once, on a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

#: The kinds of a line, in the order of a bill.
ENERGY, EXPORT, CAPACITY, PEAK, FIXED, PERCENTAGE, CREDIT, MINIMUM = (
    "energy", "export", "capacity", "peak", "fixed", "percentage", "credit", "minimum",
)  # fmt: skip
KINDS: Final = (ENERGY, EXPORT, CAPACITY, PEAK, FIXED, PERCENTAGE, CREDIT, MINIMUM)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a statement, of one part of a billing period, one component, one period of its schedule, one rate of
    tax.

    start_us, end_us: the part of time that it bills. component: the component's id; title: what people read. period: of
    a schedule or a tier ("FV", "up to 100 kWh"), None where there is none; period_title: what people read of it.
    quantity in `unit` (kWh, days, months, kW, kVA·days, bills). unit_price: before tax, in currency per `price_unit`;
    None where there is no single one. net, tax, gross: amounts in currency, exact or rounded as the tariff has it,
    gross = net + tax; of revenue and credits negative. tax_rate: 0.23 is 23 %.
    """

    start_us: int
    end_us: int
    tariff: str
    component: str
    title: str
    kind: str
    period: str | None
    quantity: Fraction
    unit: str
    unit_price: Fraction | None
    price_unit: str | None
    net: Fraction
    tax_name: str | None
    tax_rate: Decimal
    tax: Fraction
    gross: Fraction
    missing_price_share: Fraction = Fraction(0)
    note: str | None = None
    period_title: str | None = None


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """What is taxed by one rate."""

    rate: Decimal
    net: Fraction
    tax: Fraction


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period, or the part of it that was asked for.

    days: civil days, with parts of a day as fractions. measured, estimated: shares of its time, 0..1, of which the
    energy is known; the rest is missing. provisional: why it may still change; empty where it will not.
    """

    start_us: int
    end_us: int
    days: Fraction
    import_milliwh: int
    export_milliwh: int
    measured: float
    estimated: float
    lines: tuple[Line, ...]
    net: Fraction
    tax: Fraction
    gross: Fraction
    provisional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """What a household pays from start to end."""

    household: str
    name: str | None
    timezone: str
    currency: str
    money_decimals: int
    start_us: int
    end_us: int
    periods: tuple[Period, ...]
    net: Fraction
    tax: Fraction
    gross: Fraction
    taxes: tuple[TaxTotal, ...]
    import_milliwh: int
    export_milliwh: int
    measured: float
    estimated: float
    provisional: tuple[str, ...] = ()
    tariffs: tuple[str, ...] = ()
    made_us: int = 0
    daily_import_milliwh: tuple[int | None, ...] = field(default=())
    daily_cost: tuple[Fraction | None, ...] = field(default=())
