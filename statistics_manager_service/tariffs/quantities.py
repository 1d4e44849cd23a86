"""How many days, months, years or bills a segment is, as components count them."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from statistics_manager_service.core.spans import civil_days, month_shares, year_shares
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.terms import BillingPeriod, Segment

MONTHS_PER_YEAR: Final = 12
_DAYS_PER_YEAR: Final = Fraction("365.25")
_SHORTEST_MONTH, _LONGEST_MONTH = 28, 32
_UNITS: Final = {"per_day": "days", "per_month": "months", "per_year": "years", "per_bill": "bills"}


def unit_of(basis: str) -> str:
    """The unit in which a basis counts."""
    return _UNITS[basis]


def price_unit_of(basis: str) -> str:
    """For what a price of a basis is."""
    return unit_of(basis)[:-1]


def quantity(basis: str, proration: str | None, tariff: Tariff, segment: Segment, period: BillingPeriod) -> Fraction:
    """Days, months, years or bills in a segment.

    Months and years are shared out by days: `daily` of the civil month or year, `month_if_28_32` as a whole month where
    the billing period has 28 to 32 days (else days × 12/365.25), `none` as the whole months of the billing cycle.
    A segment that is a part of its billing period has its share of the whole.
    """
    if basis == "per_day":
        return segment.days
    if basis == "per_bill":
        return segment.share
    months = _months(proration or tariff.billing.proration, tariff, segment, period)
    if months is not None:
        return months if basis == "per_month" else months / MONTHS_PER_YEAR
    shares = month_shares if basis == "per_month" else year_shares
    return sum((one.share for one in shares(tariff.time_zone, segment.start_us, segment.end_us)), Fraction(0))


def _months(proration: str, tariff: Tariff, segment: Segment, period: BillingPeriod) -> Fraction | None:
    """Months of a segment where they do not go by the calendar, else None."""
    if proration == "none":
        return cycle_months(tariff) * segment.share
    if proration == "daily":
        return None
    days = civil_days(tariff.time_zone, period.whole_start_us, period.whole_end_us)
    if _SHORTEST_MONTH <= days <= _LONGEST_MONTH:
        return segment.share
    return segment.days * MONTHS_PER_YEAR / _DAYS_PER_YEAR


def cycle_months(tariff: Tariff) -> int:
    """The months of a billing cycle."""
    every = tariff.billing.cycle.every
    return MONTHS_PER_YEAR if every == "P1Y" else int(every[1:-1])
