"""What a statement shows, as texts: the one source of the page and of the PDF, so that both say the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from statistics_manager_service.statements.texts import (
    Money,
    column_energy,
    day_count,
    energy,
    moment,
    plain,
    quantity,
    rate,
    share,
    span,
)
from statistics_manager_service.tariffs.statement import (
    CAPACITY,
    CREDIT,
    ENERGY,
    EXPORT,
    FIXED,
    KINDS,
    MINIMUM,
    PEAK,
    PERCENTAGE,
    Line,
    Period,
    Statement,
)

TITLE: Final = "Electricity statement"
LANGUAGE: Final = "en"
#: A tax rate or unit price that a line does not have.
NONE: Final = "–"
_KIND_TITLES: Final = {
    ENERGY: "Energy from the grid",
    EXPORT: "Energy to the grid",
    CAPACITY: "Contracted power",
    PEAK: "Peak demand",
    FIXED: "Fixed charges",
    PERCENTAGE: "Levies",
    CREDIT: "Credits",
    MINIMUM: "Minimum charge",
}
#: Units of which there is one.
_ONE: Final = {"days": "day", "months": "month", "years": "year", "bills": "bill"}
#: The box on the first page holds no more.
_MOST_REASONS: Final = 8
#: Rounding of shares to floats leaves no more than this.
_NO_SHARE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Sums:
    """Three amounts, without the currency's mark."""

    net: str
    tax: str
    gross: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line. details: what stands small below its title."""

    title: str
    details: tuple[str, ...]
    quantity: str
    unit: str
    price: str
    price_unit: str
    tax_rate: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one kind."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class PeriodSheet:
    """A billing period with its lines. total: 'Total 1–31 Jan 2026'."""

    title: str
    span: str
    facts: tuple[str, ...]
    provisional: tuple[str, ...]
    groups: tuple[Group, ...]
    total: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """A billing period in the table of all."""

    span: str
    days: str
    imported: str
    exported: str
    sums: Sums
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What the total is made of. weight: its amount as a share of the greatest one, −1..1."""

    title: str
    amount: str
    weight: float


@dataclass(frozen=True, slots=True)
class TaxRow:
    """What is taxed by one rate."""

    rate: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the time, 0..1, of which the energy is measured, estimated or missing."""

    name: str
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """A statement as it is shown. about: household, zone, when it was made. mark: of the currency."""

    title: str
    name: str
    span: str
    about: str
    mark: str
    total_title: str
    total: str
    total_detail: str
    is_credit: bool
    sums: Sums
    energies: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    taxes: tuple[TaxRow, ...]
    shares: tuple[Share, ...]
    provisional: tuple[str, ...]
    period_rows: tuple[PeriodRow, ...]
    periods: tuple[PeriodSheet, ...]
    notes: tuple[str, ...]
    tariffs: tuple[str, ...]


def sheet_of(statement: Statement) -> Sheet:
    """What a statement shows."""
    money = Money(statement.currency, statement.money_decimals)
    zone = statement.timezone
    is_credit = statement.gross < 0
    net, tax = money.full(statement.net), money.full(statement.tax)
    provisional = [*statement.provisional, *(why for one in statement.periods for why in one.provisional)]
    count = len(statement.periods)
    return Sheet(
        title=TITLE,
        name=plain(statement.name or "") or _household(statement),
        span=span(zone, statement.start_us, statement.end_us),
        about=_about(statement),
        mark=money.mark,
        total_title="Credit in your favour" if is_credit else "Total",
        total=money.full(abs(statement.gross)),
        total_detail=f"Net {net} + tax {tax}" + (f" = {money.full(statement.gross)}" if is_credit else ""),
        is_credit=is_credit,
        sums=_sums(money, statement),
        energies=(
            ("From the grid", energy(statement.import_milliwh)),
            ("To the grid", energy(statement.export_milliwh)),
        ),
        parts=_parts(money, statement),
        taxes=tuple(
            TaxRow(rate(one.rate), Sums(money.amount(one.net), money.amount(one.tax), money.amount(one.net + one.tax)))
            for one in statement.taxes
        ),
        shares=_shares(statement),
        provisional=_few(_distinct(map(plain, provisional))),
        period_rows=tuple(_period_row(money, zone, one) for one in statement.periods) if count > 1 else (),
        periods=tuple(_period(money, statement, i) for i in range(count)),
        notes=_notes(money, statement),
        tariffs=_distinct(map(plain, statement.tariffs)),
    )


def _household(statement: Statement) -> str:
    return f"Household {plain(statement.household)}"


def _about(statement: Statement) -> str:
    told = [_household(statement)] if plain(statement.name or "") else []
    told.append(statement.timezone)
    told += [f"Made on {moment(statement.timezone, statement.made_us)}"] if statement.made_us else []
    return " · ".join(told)


def _sums(money: Money, of: Statement | Period | Line) -> Sums:
    return Sums(money.amount(of.net), money.amount(of.tax), money.amount(of.gross))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in texts if one))


def _few(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The first reasons, and how many more there are: each is told in full at its billing period."""
    more = len(reasons) - _MOST_REASONS
    return reasons if more <= 1 else (*reasons[:_MOST_REASONS], f"{more} more reasons, told at the billing periods")


def _by_kind(lines: Iterable[Line]) -> list[tuple[str, list[Line]]]:
    """Lines by kind, in the order of a bill; within a kind as they come."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.kind, []).append(line)
    return sorted(found.items(), key=lambda one: KINDS.index(one[0]))


def _parts(money: Money, statement: Statement) -> tuple[Part, ...]:
    lines = [line for period in statement.periods for line in period.lines]
    found = [(_KIND_TITLES[kind], sum((one.net for one in of_kind), Fraction())) for kind, of_kind in _by_kind(lines)]
    found.append(("Taxes", statement.tax))
    most = max(abs(net) for _, net in found) or Fraction(1)
    return tuple(Part(title, money.amount(net), float(net / most)) for title, net in found)


def _shares(of: Statement | Period) -> tuple[Share, ...]:
    missing = max(1 - of.measured - of.estimated, 0.0)
    missing = missing if missing > _NO_SHARE else 0.0
    found = (("Measured", of.measured), ("Estimated", of.estimated), ("Missing", missing))
    return tuple(Share(name, share(weight), min(max(weight, 0.0), 1.0)) for name, weight in found)


def _period_row(money: Money, zone: str, period: Period) -> PeriodRow:
    return PeriodRow(
        span(zone, period.start_us, period.end_us, short=True),
        quantity(period.days, "days"),
        column_energy(period.import_milliwh),
        column_energy(period.export_milliwh),
        _sums(money, period),
        bool(period.provisional),
    )


def _period(money: Money, statement: Statement, i: int) -> PeriodSheet:
    period, count = statement.periods[i], len(statement.periods)
    shown = span(statement.timezone, period.start_us, period.end_us)
    shares = ", ".join(f"{one.text} {one.name.lower()}" for one in _shares(period) if one.weight)
    facts = [day_count(period.days), f"{energy(period.import_milliwh)} from the grid"]
    facts += [f"{energy(period.export_milliwh)} to the grid"] if period.export_milliwh else []
    facts += [shares] if shares else []
    if len(statement.tariffs) > 1:
        facts += _distinct(plain(line.tariff) for line in period.lines)
    return PeriodSheet(
        title="Billing period" if count == 1 else f"Billing period {i + 1} of {count}",
        span=shown,
        facts=tuple(facts),
        provisional=_distinct(map(plain, period.provisional)),
        groups=tuple(
            Group(_KIND_TITLES[kind], tuple(_row(money, statement, period, line) for line in lines))
            for kind, lines in _by_kind(period.lines)
        ),
        total=f"Total {span(statement.timezone, period.start_us, period.end_us, short=True)}",
        sums=_sums(money, period),
    )


def _row(money: Money, statement: Statement, period: Period, line: Line) -> Row:
    details = []
    if (line.start_us, line.end_us) != (period.start_us, period.end_us):
        details.append(span(statement.timezone, line.start_us, line.end_us, short=True))
    if line.note:
        details.append(plain(line.note))
    elif line.missing_price_share:
        details.append(f"price missing for {share(float(line.missing_price_share))} of it")
    title = plain(line.title) or plain(line.component)
    of_period = plain(line.period_title or line.period or "")
    has_price = line.unit_price is not None
    return Row(
        title=f"{title}\N{NO-BREAK SPACE}· {of_period}" if of_period else title,
        details=tuple(details),
        quantity=quantity(line.quantity, line.unit),
        unit=_ONE.get(line.unit, line.unit) if line.quantity == 1 else plain(line.unit),
        price=NONE if line.unit_price is None else money.price(line.unit_price),
        price_unit=f"/ {plain(line.price_unit)}" if has_price and line.price_unit else "",
        tax_rate=rate(line.tax_rate) if line.tax_name or line.tax_rate else NONE,
        sums=_sums(money, line),
    )


def _notes(money: Money, statement: Statement) -> tuple[str, ...]:
    found = [
        "Worked out from meter readings and the tariffs named here. "
        "It tells what they come to; it is no invoice of your supplier.",
        f"Days are those of {statement.timezone}; a time ends with the end of its last day.",
    ]
    lines = [line for period in statement.periods for line in period.lines]
    if statement.gross < 0 or any(one.gross < 0 for one in lines):
        found.append("Amounts with a minus are in your favour.")
    if not all(money.is_rounded(amount) for one in lines for amount in (one.net, one.tax, one.gross)):
        found.append(
            "Amounts are exact, and rounded where they are shown: the last digit of a sum may differ from what the "
            "shown amounts come to."
        )
    _, estimated, missing = _shares(statement)
    if estimated.weight:
        found.append(
            "Estimated: the meter told nothing for a while. How much energy flowed in that time is known from its "
            "readings before and after; how it was spread over the hours is not."
        )
    if missing.weight:
        found.append("Missing: no reading tells what flowed in that time. Its energy is not in the sums.")
    return tuple(found)
