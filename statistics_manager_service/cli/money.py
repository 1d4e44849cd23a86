"""`statistics-manager cost` and `statement`: what a household pays today, and its statement as a file."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

import typer

from statistics_manager_service.bootstrap.money import STATEMENT_FORMATS, live_costs_of, statements_of
from statistics_manager_service.cli.opening import existing_store
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.money.live_costs import LiveCost, Spent
from statistics_manager_service.services.money.projecting import Projection
from statistics_manager_service.services.money.statements import Asked
from statistics_manager_service.statements.texts import Money

Household = Annotated[str, typer.Argument(help="Id of the household.")]
_UNKNOWN: Final = "unknown"
_MINUTE: Final = len("2026-03-12T14:05")
_CENTS: Final = 2


class Format(StrEnum):
    """The form of a statement."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"


def cost(household: Household) -> None:
    """Tell what today costs so far, what it costs now, and what the running billing period will come to."""
    for line in lines_of(live_costs_of(existing_store(household)).of(household)):
        print(line)


def lines_of(cost: LiveCost) -> list[str]:
    """A live cost as lines of text."""
    zone, money = cost.household.timezone, Money(cost.currency, _CENTS)

    def at(at_us: int) -> str:
        return civil_label(zone, at_us)[:_MINUTE].replace("T", " ")

    def spent(title: str, one: Spent) -> str:
        kwh = _UNKNOWN if one.energy_import_kwh is None else f"{one.energy_import_kwh:.3f} kWh"
        return f"{title:<22}{_amount(money, one.cost_net):>12}   {kwh} from the grid"

    def price(value: float | None) -> str:
        return _UNKNOWN if value is None else f"{money.price(_exact(value))} {cost.currency} per kWh"

    found = [
        f"{cost.household.id}, {at(cost.now_us)} {zone}",
        spent("Today so far", cost.today),
        spent("  yesterday until now", cost.yesterday),
        spent("  a week ago until now", cost.week_ago),
        f"{'Price now':<22}{price(cost.prices.now)}",
    ]
    found += [
        f"  cheapest {round(one.hours)} h from {at(one.start_us)}: {price(one.price)}" for one in cost.prices.cheapest
    ]
    begin = at(cost.period.start_us) if cost.start_is_known else _UNKNOWN
    end = at(cost.period.end_us) if cost.end_is_known else _UNKNOWN
    found += [f"Billing period {begin} to {end}", spent("  so far", cost.so_far)]
    projection = cost.projection
    if isinstance(projection, Projection):
        shown = money.full(projection.statement.gross)
        kwh = projection.import_milliwh / MILLIWH_PER_KWH
        low, high = money.full(projection.low), money.full(projection.high)
        found += [
            f"{'  projected':<22}{shown:>12}   {kwh:.3f} kWh from the grid",
            f"  four times out of five between {low} and {high}",
        ]
    for title, past in (("last period", cost.last_period), ("a year ago", cost.year_ago)):
        if past is not None:
            found.append(f"{'  ' + title:<22}{money.full(past.gross):>12}")
    return [*found, *(f"- {why}" for why in cost.provisional)]


def _amount(money: Money, value: float | None) -> str:
    return _UNKNOWN if value is None else money.full(_exact(value))


def _exact(value: float) -> Fraction:
    return Fraction(repr(value))


def statement(
    household: Household,
    start: Annotated[str, typer.Option(help="Civil date of its zone, or a date-time; included.")],
    end: Annotated[str, typer.Option(help="The same; not included.")],
    format: Annotated[
        Format | None, typer.Option(help="Unless given, that of the file's ending, or else json.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where to write it; unless given, it is printed.")] = None,
    single: Annotated[
        bool, typer.Option(help="Bill the time as one period, instead of cutting it at the billing days.")
    ] = False,
) -> None:
    """Write the statement of a household: what it pays from start to end, line by line."""
    wanted = _format(format, output)
    if wanted is Format.PDF and output is None:
        raise StatisticsError("a PDF is not printed: name a file for it with --output")
    asked = Asked(start, end, single=single, with_days=wanted is not Format.JSON)
    made = statements_of(existing_store(household)).statement(household, asked)
    body = STATEMENT_FORMATS[wanted](made)
    if output is None:
        print(body.decode())
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(body)
    except OSError as error:
        raise StatisticsError(f"{output} can't be written: {error.strerror}") from error
    money = Money(made.currency, made.money_decimals)
    print(f"{output}: {money.full(made.gross)}")
    for why in made.provisional:
        print(f"- {why}")


def _format(told: Format | None, output: Path | None) -> Format:
    """The form that is named, or that of a file's ending. Raises StatisticsError for an ending of no form."""
    if told is not None:
        return told
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    if ending in ("", *Format):
        return Format(ending or Format.JSON)
    raise StatisticsError(f"{output} ends in none of {', '.join(Format)}: name the form with --format")
