"""Figures as explanations show them: exact, in JSON as numbers where a number holds them, else as text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.quantities import QUANTITIES, UNITS
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_S
from statistics_manager_service.services.ports import Channel

#: Of events, readings set aside, quarter-hours left out: so many are shown, the rest is counted.
FIRST_FEW: Final = 20
#: So many readings are listed one by one.
MOST_LISTED: Final = 200
#: A fraction that ends within so many decimals is told as a decimal, else as numerator/denominator.
_MOST_DECIMALS: Final = 40


def kwh(energy_milliwh: int) -> float:
    """An energy as answers show it; a JSON number holds every milliwatt-hour of it."""
    return int(energy_milliwh) / MILLIWH_PER_KWH


def kwh_text(energy_milliwh: int) -> str:
    """An energy in kWh, exact, without zeros at the end."""
    return exact_text(Fraction(int(energy_milliwh), MILLIWH_PER_KWH))


def exact_text(value: Fraction) -> str:
    """A number as an exact decimal, or as `numerator/denominator` where it has no end."""
    places, rest = 0, value.denominator
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest > 1 or places > _MOST_DECIMALS:
        return f"{value.numerator}/{value.denominator}"
    units = value.numerator * 10**places // value.denominator
    sign, digits = "-" if units < 0 else "", str(abs(units)).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def decimal_text(value: Decimal | Fraction) -> str:
    """A decimal number as text, exact."""
    return exact_text(Fraction(value))


def seconds_text(span_us: int) -> str:
    """A span in seconds, exact."""
    return exact_text(Fraction(int(span_us), US_PER_S))


def factor_of(channel: Channel) -> int:
    """Milli-units in a unit of a channel."""
    return UNITS[QUANTITIES[channel.quantity].dimension][channel.unit]


def in_unit(channel: Channel, value_milli: int) -> float:
    """A value in the channel's own unit."""
    return int(value_milli) / factor_of(channel)


def unit_text(channel: Channel, value_milli: int) -> str:
    """The same as text."""
    return exact_text(Fraction(int(value_milli), factor_of(channel)))


def few(rows: Iterable[dict[str, Any]], count: int) -> dict[str, Any]:
    """How many there are, and the first of them."""
    return {"count": count, "first": list(rows)}


def label(at_us: int) -> str:
    """An instant, UTC."""
    return iso_label(int(at_us))


def summed(texts: Iterable[tuple[int, str]]) -> str:
    """Figures with their signs, as `1 (import) + 2 (production) − 3 (export)`."""
    out = ""
    for sign, text in texts:
        mark = "−" if sign < 0 else "+"
        out += f" {mark} {text}" if out else (f"−{text}" if sign < 0 else text)
    return out
