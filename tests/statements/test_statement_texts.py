"""Figures as people read them."""

from __future__ import annotations

import decimal
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.statements.texts import Money, energy, number, plain, quantity, rate, share, span

LISBON = "Europe/Lisbon"


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**15), max_value=10**15),
    st.integers(0, 6),
)
def test_a_number_is_rounded_half_up_as_pythons_decimals_are(value: Decimal, decimals: int) -> None:
    with decimal.localcontext(prec=60):
        expected = value.quantize(Decimal(1).scaleb(-decimals), rounding=decimal.ROUND_HALF_UP)
    told = number(Fraction(value), decimals).replace(",", "").replace("−", "-")
    assert Decimal(told) == expected
    assert ("." in told) == (decimals > 0)


def test_nothing_is_minus_zero() -> None:
    assert number(Fraction(-4, 1000), 2) == "0.00"
    assert Money("EUR", 2).full(Fraction(-1, 1000)) == "€0.00"


@pytest.mark.parametrize(
    ("currency", "decimals", "value", "told"),
    [
        ("EUR", 2, "36.8159", "€36.82"),
        ("EUR", 2, "-150.02", "−€150.02"),
        ("GBP", 2, "1234567.005", "£1,234,567.01"),
        ("SEK", 2, "-12.5", "SEK −12.50"),
        ("JPY", 0, "1234.5", "JPY 1,235"),
        ("KWD", 3, "0.0005", "KWD 0.001"),
    ],
)
def test_money_has_the_decimals_and_the_mark_of_its_currency(
    currency: str, decimals: int, value: str, told: str
) -> None:
    assert Money(currency, decimals).full(Fraction(value)) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.1988", "0.1988"),
        ("2.85", "2.85"),
        ("0.2", "0.20"),
        ("3", "3.00"),
        ("0.0000005", "0.000001"),
        ("-0.1", "−0.10"),
    ],
)
def test_a_unit_price_has_up_to_six_decimals_and_at_least_those_of_the_currency(value: str, told: str) -> None:
    assert Money("EUR", 2).price(Fraction(value)) == told


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (Fraction(190, 3), "kWh", "63.333"),
        (Fraction(95), "kWh", "95.000"),
        (Fraction(365, 12), "days", "30.4167"),
        (Fraction(31), "days", "31"),
        (Fraction("1.5"), "months", "1.5"),
    ],
)
def test_a_quantity_of_energy_is_told_to_the_watt_hour_and_others_as_far_as_they_go(
    value: Fraction, unit: str, told: str
) -> None:
    assert quantity(value, unit) == told


@pytest.mark.parametrize(
    ("energy_milliwh", "told"),
    [(158_333_333, "158.3 kWh"), (42_000, "0.042 kWh"), (0, "0.0 kWh"), (2_580_000_000, "2,580.0 kWh")],
)
def test_small_energy_is_told_finer_in_summaries(energy_milliwh: int, told: str) -> None:
    assert energy(energy_milliwh) == told


@pytest.mark.parametrize(
    ("value", "told"), [("0.23", "23%"), ("0", "0%"), ("0.0511269632", "5.11269632%"), ("0.060", "6%"), ("1", "100%")]
)
def test_a_rate_is_told_in_full(value: str, told: str) -> None:
    assert rate(Decimal(value)) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(1.0, "100%"), (0.0, "0%"), (0.99999, "99.9%"), (0.0001, "<0.1%"), (0.9722, "97.2%"), (0.5, "50%")],
)
def test_all_and_nothing_are_told_only_where_they_are_so(value: float, told: str) -> None:
    assert share(value) == told


@pytest.mark.parametrize(
    ("start", "end", "told", "short"),
    [
        (date(2026, 1, 1), date(2026, 2, 1), "1–31 January 2026", "1–31 Jan 2026"),
        (date(2026, 3, 29), date(2026, 3, 30), "29 March 2026", "29 Mar 2026"),
        (date(2026, 3, 16), date(2026, 4, 16), "16 March – 15 April 2026", "16 Mar – 15 Apr 2026"),
        (date(2025, 12, 16), date(2026, 1, 16), "16 December 2025 – 15 January 2026", "16 Dec 2025 – 15 Jan 2026"),
        (date(2026, 10, 25), date(2026, 10, 26), "25 October 2026", "25 Oct 2026"),
        (
            datetime(2026, 1, 1, 12),
            date(2026, 2, 1),
            "1 January 2026, 12:00 – 1 February 2026, 00:00",
            "1 Jan 2026, 12:00 – 1 Feb 2026, 00:00",
        ),
    ],
)
def test_a_time_is_told_by_its_civil_days_and_by_the_clock_where_it_cuts_a_day(
    start: date, end: date, told: str, short: str
) -> None:
    edges = instant_us(LISBON, start), instant_us(LISBON, end)
    assert span(LISBON, *edges) == told
    assert span(LISBON, *edges, short=True) == short


def test_a_day_that_begins_at_one_o_clock_is_a_day() -> None:
    zone = "America/Santiago"  # at midnight of this day the clock jumps to 01:00
    assert span(zone, instant_us(zone, date(2026, 9, 6)), instant_us(zone, date(2026, 9, 7))) == "6 September 2026"


@given(st.text())
def test_any_text_of_others_becomes_one_line_that_can_be_written(text: str) -> None:
    told = plain(text)
    told.encode()
    assert told == told.strip() and "  " not in told
    assert not {unicodedata.category(one) for one in told} & {"Cc", "Cs", "Zl", "Zp"}


def test_no_name_turns_the_direction_of_what_stands_behind_it() -> None:
    assert plain("home\u202e1\u2066\n\x00b\ud800") == "home1 b"


def test_letters_with_marks_are_composed() -> None:
    assert plain("Joa\u0303o") == "João"
