"""Figures as people read them: money, energy, prices, shares, civil dates. Rounded here for showing, and only here."""

from __future__ import annotations

import unicodedata
import zoneinfo
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.core.zones import EPOCH, offset_at_us

MINUS: Final = "\N{MINUS SIGN}"
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
#: Signs that mean one currency alone to a reader of English; the others are told by their ISO code.
_SIGNS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
_MOST_PRICE_DECIMALS: Final = 6
_MOST_QUANTITY_DECIMALS: Final = 4
_MOST_RATE_DECIMALS: Final = 8
_KWH_DECIMALS: Final = 3
#: In summaries, energy below this is shown to the watt-hour.
_SMALL_KWH: Final = 10
#: Characters that change the direction of the text behind them, beyond the one who wrote them.
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def number(value: Fraction, decimals: int, least: int | None = None) -> str:
    """A number with a comma at thousands, rounded half up (away from zero); zeros behind `least` decimals are left out.

    Worked out with integers: exact for any size.
    """
    units = int(abs(value) * 10**decimals + Fraction(1, 2))
    whole, part = divmod(units, 10**decimals)
    digits = f"{part:0{decimals}d}" if decimals else ""
    if least is not None:
        digits = digits[:least] + digits[least:].rstrip("0")
    sign = MINUS if value < 0 and units else ""
    return f"{sign}{whole:,}{'.' if digits else ''}{digits}"


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts of a currency are shown."""

    currency: str
    decimals: int

    @property
    def mark(self) -> str:
        """Its sign, or its ISO code."""
        return _SIGNS.get(self.currency, self.currency)

    def amount(self, value: Fraction) -> str:
        """An amount in a column whose head names the currency."""
        return number(value, self.decimals)

    def full(self, value: Fraction) -> str:
        """An amount that stands alone: €36.82, −€3.00, SEK 12.50."""
        text = self.amount(value)
        if self.currency in _SIGNS:
            return f"{MINUS}{self.mark}{text[1:]}" if text.startswith(MINUS) else f"{self.mark}{text}"
        return f"{self.mark} {text}"

    def price(self, value: Fraction) -> str:
        """A price of a unit, with up to 6 decimals."""
        return number(value, max(_MOST_PRICE_DECIMALS, self.decimals), self.decimals)

    def is_rounded(self, value: Fraction) -> bool:
        """Whether an amount is shown as it is."""
        return (value * Fraction(10**self.decimals)).denominator == 1


def quantity(value: Fraction, unit: str) -> str:
    """A line's quantity: kWh to the watt-hour, others with up to 4 decimals."""
    return number(value, _KWH_DECIMALS) if unit == "kWh" else number(value, _MOST_QUANTITY_DECIMALS, 0)


def energy(energy_milliwh: int) -> str:
    """Energy in a summary: '158.3 kWh', small ones '0.042 kWh'."""
    kwh = Fraction(energy_milliwh, MILLIWH_PER_KWH)
    is_small = 0 < abs(kwh) < _SMALL_KWH
    return f"{number(kwh, _KWH_DECIMALS if is_small else 1)} kWh"


def column_energy(energy_milliwh: int) -> str:
    """Energy in a column of kWh: one decimal, so that the points stand below each other."""
    return number(Fraction(energy_milliwh, MILLIWH_PER_KWH), 1)


def day_count(days: Fraction) -> str:
    """'31 days', '30.4167 days', '1 day'."""
    return f"{number(days, _MOST_QUANTITY_DECIMALS, 0)} {'day' if days == 1 else 'days'}"


def rate(value: Decimal) -> str:
    """A rate of tax: 0.23 is '23%'."""
    return f"{number(Fraction(value) * 100, _MOST_RATE_DECIMALS, 0)}%"


def share(value: float) -> str:
    """A share of a whole, 0..1. '100%' and '0%' are kept for what is exactly so."""
    if value <= 0 or value >= 1:
        return "0%" if value <= 0 else "100%"
    if value < 0.001:  # what one decimal of a percent can show
        return "<0.1%"
    return f"{number(min(Fraction(value) * 100, Fraction(999, 10)), 1, 0)}%"


def plain(text: str) -> str:
    """Text of others as it may stand on a line: composed letters, without control characters, spaces in a row."""
    composed = unicodedata.normalize("NFC", text)
    kept = (one if unicodedata.category(one) not in ("Cc", "Cs", "Zl", "Zp") else " " for one in composed)
    return " ".join("".join(one for one in kept if one not in _DIRECTIONS).split())


def local(zone: str, at_us: int) -> datetime:
    """The wall clock of a zone at an instant, without its zone."""
    return EPOCH + timedelta(microseconds=at_us + offset_at_us(zoneinfo.ZoneInfo(zone), at_us))


def day(one: date, short: bool = False) -> str:
    """'3 January 2026' or '3 Jan 2026'."""
    return f"{one.day} {month(one, short)} {one.year}"


def month(one: date, short: bool = False) -> str:
    """'January' or 'Jan'."""
    name = _MONTHS[one.month - 1]
    return name[:3] if short else name


def moment(zone: str, at_us: int, short: bool = False) -> str:
    """'3 January 2026, 14:05' by a zone's clock."""
    wall = local(zone, at_us)
    return f"{day(wall, short)}, {wall:%H:%M}"


def span(zone: str, start_us: int, end_us: int, short: bool = False) -> str:
    """A time by its first and last civil day; by moments where it does not begin and end with a day."""
    first, end = local(zone, start_us), local(zone, end_us)
    last = local(zone, end_us - 1)
    if instant_us(zone, first.date()) != start_us or instant_us(zone, end.date()) != end_us:
        return f"{moment(zone, start_us, short)} – {moment(zone, end_us, short)}"
    if first.date() >= last.date():
        return day(first, short)
    if first.year != last.year:
        return f"{day(first, short)} – {day(last, short)}"
    if first.month != last.month:
        return f"{first.day} {month(first, short)} – {day(last, short)}"
    return f"{first.day}–{day(last, short)}"
