"""Statements made by hand: a published Portuguese example, a year of a home with PV, and odd ones."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from statistics_manager_service.core.civil import GroupBy, calendar, instant_us
from statistics_manager_service.statements.pdf import to_pdf
from statistics_manager_service.tariffs.statement import (
    CAPACITY,
    CREDIT,
    ENERGY,
    EXPORT,
    FIXED,
    MINIMUM,
    PEAK,
    PERCENTAGE,
    Line,
    Period,
    Statement,
    TaxTotal,
)

LISBON = "Europe/Lisbon"
MADE_US = instant_us(LISBON, date(2026, 11, 25))
#: Of each tax, its rate; None is untaxed.
TAXES = {"reduced": "0.06", "normal": "0.23", None: "0"}


@dataclass(frozen=True)
class Spec:
    """A line before its amounts: the net is quantity × price, or the quantity where there is no price."""

    kind: str
    title: str
    quantity: Fraction
    unit: str
    price: str | None
    price_unit: str | None
    tax: str | None
    period: str | None = None


#: CUR 2026, 3.45 kVA, bi-hourly, 1,900 kWh a year of which 40 % at night, days = 365/12, without DGEG. ERSE published
#: 36.82 € a month for it on 2025-12-15; net 34.6095, gross 36.8159.
ERSE_2026 = (
    Spec(ENERGY, "Energy", Fraction(95), "kWh", "0.1988", "kWh", "reduced", "FV"),
    Spec(ENERGY, "Energy", Fraction(190, 3), "kWh", "0.1087", "kWh", "reduced", "V"),
    Spec(FIXED, "Power, access tariff", Fraction(365, 12), "days", "0.1718", "day", "reduced"),
    Spec(FIXED, "Power, supplier", Fraction(365, 12), "days", "0.0199", "day", "normal"),
    Spec(FIXED, "Audiovisual contribution (CAV)", Fraction(1), "months", "2.85", "month", "reduced"),
    Spec(ENERGY, "Excise duty (IEC)", Fraction(475, 3), "kWh", "0.001", "kWh", "normal"),
)


def lines_of(start_us: int, end_us: int, specs: tuple[Spec, ...], decimals: int | None = 2) -> tuple[Line, ...]:
    """Lines whose amounts are rounded half up to `decimals`, or exact."""
    lines = []
    for one in specs:
        price = None if one.price is None else Fraction(one.price)
        rate = TAXES[one.tax]
        net = cents(one.quantity * (1 if price is None else price), decimals)
        tax = cents(net * Fraction(rate), decimals)
        lines.append(
            Line(
                start_us=start_us,
                end_us=end_us,
                tariff="pt-cur-2026",
                component=one.title.lower(),
                title=one.title,
                kind=one.kind,
                period=one.period,
                quantity=one.quantity,
                unit=one.unit,
                unit_price=price,
                price_unit=one.price_unit,
                net=net,
                tax_name=one.tax,
                tax_rate=Decimal(rate),
                tax=tax,
                gross=net + tax,
            )
        )
    return tuple(lines)


def cents(amount: Fraction, decimals: int | None) -> Fraction:
    if decimals is None:
        return amount
    units = math.floor(abs(amount) * 10**decimals + Fraction(1, 2))
    return Fraction(units if amount >= 0 else -units, 10**decimals)


def period_of(start_us: int, end_us: int, lines: tuple[Line, ...], **more: Any) -> Period:
    given = {
        "days": Fraction(end_us - start_us, 86_400_000_000),
        "import_milliwh": 158_333_333,
        "export_milliwh": 0,
        "measured": 1.0,
        "estimated": 0.0,
    } | more
    net, tax = sum((one.net for one in lines), Fraction()), sum((one.tax for one in lines), Fraction())
    return Period(start_us, end_us, lines=lines, net=net, tax=tax, gross=net + tax, **given)


def statement_of(periods: tuple[Period, ...], **more: Any) -> Statement:
    lines = [line for period in periods for line in period.lines]
    rates = sorted({line.tax_rate for line in lines})
    taxes = tuple(
        TaxTotal(
            rate,
            sum((one.net for one in lines if one.tax_rate == rate), Fraction()),
            sum((one.tax for one in lines if one.tax_rate == rate), Fraction()),
        )
        for rate in rates
    )
    count = max(len(periods), 1)
    given: dict[str, Any] = {
        "household": "home1",
        "name": "Casa do João",
        "timezone": LISBON,
        "currency": "EUR",
        "money_decimals": 2,
        "start_us": periods[0].start_us if periods else instant_us(LISBON, date(2026, 1, 1)),
        "end_us": periods[-1].end_us if periods else instant_us(LISBON, date(2026, 2, 1)),
        "net": sum((one.net for one in periods), Fraction()),
        "tax": sum((one.tax for one in periods), Fraction()),
        "gross": sum((one.gross for one in periods), Fraction()),
        "taxes": taxes,
        "import_milliwh": sum(one.import_milliwh for one in periods),
        "export_milliwh": sum(one.export_milliwh for one in periods),
        "measured": sum(one.measured for one in periods) / count,
        "estimated": sum(one.estimated for one in periods) / count,
        "tariffs": ("pt-cur-2026 version 1",),
        "made_us": MADE_US,
    } | more
    return Statement(periods=periods, **given)


def days_of(statement: Statement, seed: int = 1) -> Statement:
    """With a day's energy and cost for each civil day: as a house has them, more in winter."""
    edges_us = calendar(statement.timezone, GroupBy.DAILY, statement.start_us, statement.end_us).edges_us
    energies: list[int | None] = []
    costs: list[Fraction | None] = []
    for i in range(len(edges_us) - 1):
        seed = (seed * 1_103_515_245 + 12_345) % 2**31
        wave = 1 + 0.45 * math.cos(2 * math.pi * i / 365)
        energies.append(int(5_000_000 * wave * (0.7 + 0.6 * seed / 2**31)))
        costs.append(Fraction(energies[-1] or 0, 1_000_000) * Fraction(17, 100) + Fraction(1, 4))
    return dataclasses.replace(statement, daily_import_milliwh=tuple(energies), daily_cost=tuple(costs))


def erse_month(decimals: int | None = 2) -> Statement:
    """The published example as January 2026 (a month of 365/12 days, as the publication has it)."""
    start_us, end_us = instant_us(LISBON, date(2026, 1, 1)), instant_us(LISBON, date(2026, 2, 1))
    period = period_of(start_us, end_us, lines_of(start_us, end_us, ERSE_2026, decimals), days=Fraction(365, 12))
    return days_of(statement_of((period,)))


def pv_year(periods: int = 12, **more: Any) -> Statement:
    """Months of a home with PV from January 2025 on; July is a credit; the last month is provisional."""
    found = []
    for i in range(periods):
        start_us = instant_us(LISBON, date(2025 + i // 12, i % 12 + 1, 1))
        end_us = instant_us(LISBON, date(2025 + (i + 1) // 12, (i + 1) % 12 + 1, 1))
        days = len(calendar(LISBON, GroupBy.DAILY, start_us, end_us).edges_us) - 1
        sun = (1 - math.cos(2 * math.pi * (i % 12 + 0.5) / 12)) / 2
        imported, exported = 310_000_000 - int(190_000_000 * sun), int(420_000_000 * sun)
        first, beyond = "Energy, first 200 kWh per 30 days", "Energy beyond 200 kWh"
        quarter, sold = Fraction(imported, 4_000_000), Fraction(exported, 1_000_000)
        specs = (
            Spec(ENERGY, first, quarter, "kWh", "0.2436", "kWh", "reduced", "peak"),
            Spec(ENERGY, first, quarter, "kWh", "0.1715", "kWh", "reduced", "standard"),
            Spec(ENERGY, beyond, 2 * quarter, "kWh", "0.1087", "kWh", "normal", "off-peak"),
            Spec(EXPORT, "Surplus sold", sold, "kWh", "-0.115", "kWh", None),
            Spec(CAPACITY, "Contracted power", days * Fraction("6.9"), "kVA·days", "0.0498", "kVA·day", "normal"),
            Spec(PEAK, "Highest quarter-hour", Fraction("4.612"), "kW", "0.35", "kW", "normal", "06:00–22:00"),
            Spec(FIXED, "Audiovisual contribution (CAV)", Fraction(1), "months", "2.85", "month", "reduced"),
            Spec(
                PERCENTAGE, "Electricity duty, 5.1127% of energy and power", Fraction("1.87"), "", None, None, "normal"
            ),
            Spec(CREDIT, "Loyalty discount", Fraction(1), "bills", "-1.5", "bill", "normal"),
        )
        is_last = i == periods - 1
        found.append(
            period_of(
                start_us,
                end_us,
                lines_of(start_us, end_us, specs),
                days=Fraction(days),
                import_milliwh=imported,
                export_milliwh=exported,
                measured=0.93 if i in (2, 10) else 1.0,
                estimated=0.05 if i in (2, 10) else 0.0,
                provisional=("The newest readings may still be corrected.",) if is_last else (),
            )
        )
    return days_of(
        statement_of(
            tuple(found), **({"tariffs": ("pt-tri-hourly-2025 version 2", "pt-surplus-2025 version 1")} | more)
        )
    )


def in_credit() -> Statement:
    """A summer month that is in the home's favour."""
    start_us, end_us = instant_us(LISBON, date(2026, 7, 1)), instant_us(LISBON, date(2026, 8, 1))
    specs = (
        Spec(ENERGY, "Energy", Fraction("12.5"), "kWh", "0.16", "kWh", "normal"),
        Spec(EXPORT, "Surplus sold", Fraction(480), "kWh", "-0.115", "kWh", None),
        Spec(MINIMUM, "Least charge", Fraction(1), "bills", "0.5", "bill", "normal"),
    )
    period = period_of(
        start_us, end_us, lines_of(start_us, end_us, specs), import_milliwh=12_500_000, export_milliwh=480_000_000
    )
    made = days_of(statement_of((period,)))
    costs = [one if i % 3 else Fraction(-3, 2) for i, one in enumerate(made.daily_cost)]
    energies = [one if i not in (4, 5) else None for i, one in enumerate(made.daily_import_milliwh)]
    return dataclasses.replace(made, daily_cost=tuple(costs), daily_import_milliwh=tuple(energies))


def digest() -> str:
    """Of the PDF of a statement, as a process makes it."""
    return hashlib.sha256(to_pdf(pv_year(2), ())).hexdigest()
