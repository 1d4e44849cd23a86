"""What the sources of prices have in common: exact numbers, instants, and all that is wrong with a body, with where."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NoReturn

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.price_units import fault_of_price
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import QUARTER_US, S_PER_MINUTE, US_PER_HOUR, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.prices.price_rows import ToldPrice

HALF_HOUR_US: Final = 2 * QUARTER_US
#: How long a price may hold for.
LENGTHS_US: Final = (QUARTER_US, HALF_HOUR_US, US_PER_HOUR)
#: Prices of one body; more than twenty years of quarter-hours are none.
MOST_PRICES: Final = 750_000
_MOST_NAMED: Final = 100
_SHOWN: Final = 40
_WEB_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED: Final = {
    "point": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII),
    "comma": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?", re.ASCII),
}
Mark = Literal["point", "comma"]


class Faults:
    """What is wrong with a body. The first ones are named, the others counted."""

    def __init__(self) -> None:
        self._named: list[Fault] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._named)

    def add(self, where: str, why: str) -> None:
        """One more."""
        if len(self._named) < _MOST_NAMED:
            self._named.append(Fault(where, why))
        else:
            self._more += 1

    def add_all(self, error: BadInput) -> None:
        """All of an error."""
        for one in error.faults:
            self.add(one.where, one.why)

    def raise_any(self) -> None:
        """Raise BadInput where there was any."""
        if self._named:
            more = [Fault("and", f"{self._more} more faults of these kinds")] if self._more else []
            raise BadInput.of([*self._named, *more])


def wrong(where: str, why: str) -> BadInput:
    """An error with a single fault."""
    return BadInput.of([Fault(where, why)])


def shown(told: Any) -> str:
    """What was told, as it may stand in a sentence: cut, and without control characters."""
    text = str(told)
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def refuse_web_page(body: bytes, wanted: str) -> None:
    """Raise BadInput where a body is HTML: what a login, a proxy or a missing file is answered with."""
    if _WEB_PAGE.match(body):
        raise wrong("body", f"this is a web page, where {wanted} is wanted")


def exact_json(body: bytes, wanted: str) -> Any:
    """The JSON of a body, its numbers exact: int or Decimal. Raises BadInput."""
    refuse_web_page(body, wanted)
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        why = f"this is no JSON ({error.msg}); wanted is {wanted}"
        raise wrong(f"line {error.lineno}, column {error.colno}", why) from error
    except (ValueError, RecursionError) as error:  # of another encoding, a number of thousands of digits, too deep
        raise wrong("body", f"this is no JSON that can be read; wanted is {wanted}") from error


def _no_number(told: str) -> NoReturn:
    raise ValueError(f"{told} is no number of JSON")


def value_of_number(told: Any, where: str, faults: Faults) -> Decimal | None:
    """A number of exact JSON as a price; None, and a fault, where it is none."""
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        faults.add(where, f"{shown(told)} is no number")
        return None
    return _within_bounds(Decimal(told), where, faults)


def value_of_text(
    told: Any, mark: Mark, where: str, faults: Faults, fault_of: Callable[[Decimal], str | None] = fault_of_price
) -> Decimal | None:
    """A text as a number, of a price unless told otherwise; None, and a fault, where it is none.

    mark: what stands before the decimals; the other one may stand between thousands. fault_of: why a value can't be.
    """
    text = str(told).strip()
    if _GROUPED[mark].fullmatch(text):
        text = text.replace("," if mark == "point" else ".", "")
    usual = text if mark == "point" else "-" if "." in text else text.replace(",", ".", 1)
    if _PLAIN.fullmatch(usual) is None:
        faults.add(where, f"{shown(told)} is no number with a decimal {mark}")
        return None
    return _within_bounds(Decimal(usual), where, faults, fault_of)


def _within_bounds(
    value: Decimal, where: str, faults: Faults, fault_of: Callable[[Decimal], str | None] = fault_of_price
) -> Decimal | None:
    why = fault_of(value)
    if why is not None:
        faults.add(where, f"{shown(value)} can't be: {why}")
        return None
    return value


def beginning(told: Any, where: str, faults: Faults, zone: str = "UTC") -> int | None:
    """A date-time as an instant on a quarter-hour; None, and a fault, where it is none."""
    try:
        at_us = parse_moment(told if isinstance(told, str) else repr(told), zone, where)
    except BadInput as error:
        faults.add_all(error)
        return None
    if at_us % QUARTER_US:
        faults.add(where, f"{shown(told)} is not at a whole quarter of an hour")
        return None
    return at_us


def in_order(prices: Iterable[ToldPrice], faults: Faults) -> list[ToldPrice]:
    """Prices ordered by their beginning, one that is told twice once; a fault where two are told of one time."""
    found: list[ToldPrice] = []
    for one in sorted(prices, key=lambda price: price.start_us):
        last = found[-1] if found else None
        if last is None or last.start_us + last.length_us <= one.start_us:
            found.append(one)
        elif last != one:
            faults.add(iso_label(one.start_us), f"two prices are told of it, {last.value} and {one.value}")
    return found


def within(prices: Iterable[ToldPrice], start_us: int | None, end_us: int | None) -> list[ToldPrice]:
    """The prices that begin in start ≤ instant < end; None: without bound."""
    return [
        one
        for one in prices
        if (start_us is None or one.start_us >= start_us) and (end_us is None or one.start_us < end_us)
    ]


def days_of(zone: str, start_us: int, end_us: int) -> Iterator[date]:
    """The civil days of a zone that touch start ≤ instant < end."""
    day = civil_date(zone, start_us)
    while midnight_us(zone, day) < end_us:
        yield day
        day += timedelta(days=1)


def step_us(starts_us: Sequence[int], where: str, faults: Faults) -> int:
    """How long prices hold that begin at these instants: the shortest step between two of them, an hour where there is
    one alone. A fault where it is none of 15, 30, 60 minutes."""
    ordered = sorted(set(starts_us))
    steps = [after - before for before, after in itertools.pairwise(ordered)]
    step = min(steps, default=US_PER_HOUR)
    if step not in LENGTHS_US:
        minutes = step / (S_PER_MINUTE * US_PER_S)
        faults.add(where, f"they are {minutes:g} minutes apart, where 15, 30 or 60 are read")
        return US_PER_HOUR
    return step
