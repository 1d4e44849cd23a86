"""Civil days, months and years between instants, and intervals by a zone's clock."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.spans import civil_days, intervals, midnight_us, month_shares, year_shares
from statistics_manager_service.core.units import QUARTER_US, US_PER_HOUR

ZONES = ["Europe/Lisbon", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns"]
moments = st.datetimes(datetime(2010, 1, 1), datetime(2028, 1, 1))


@given(st.sampled_from(ZONES), st.lists(moments, min_size=2, max_size=5))
def test_days_months_and_years_of_parts_add_up(zone: str, some: list[datetime]) -> None:
    edges = sorted(instant_us(zone, one) for one in some)
    first, last = edges[0], edges[-1]
    for count in (
        civil_days,
        lambda *span: sum(one.share for one in month_shares(*span)),
        lambda *span: sum(one.share for one in year_shares(*span)),
    ):
        assert sum(count(zone, a, b) for a, b in pairwise(edges)) == count(zone, first, last)


@pytest.mark.parametrize(
    ("zone", "start", "end", "days"),
    [
        ("Europe/Lisbon", date(2026, 3, 29), date(2026, 3, 30), 1),
        ("Europe/Lisbon", date(2026, 1, 1), date(2027, 1, 1), 365),
        ("Europe/Lisbon", datetime(2026, 10, 25), datetime(2026, 10, 25, 12), Fraction(13, 25)),
        ("Pacific/Apia", date(2011, 12, 29), date(2011, 12, 31), 1),
        ("Pacific/Apia", date(2011, 12, 1), date(2012, 1, 1), 30),
        ("Pacific/Apia", date(2011, 1, 1), date(2012, 1, 1), 364),
        ("Pacific/Kwajalein", date(1993, 8, 20), date(1993, 8, 22), 1),
        ("Pacific/Kiritimati", date(1994, 12, 31), date(1995, 1, 1), 0),
    ],
)
def test_each_day_that_a_zone_had_is_one(zone: str, start: date, end: date, days: Fraction | int) -> None:
    assert civil_days(zone, instant_us(zone, start), instant_us(zone, end)) == days


@pytest.mark.parametrize(
    ("zone", "day", "lengths"),
    [
        ("Europe/Lisbon", date(2026, 10, 25), [4] * 25),
        ("Asia/Kathmandu", date(2026, 10, 25), [4] * 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), [4, 4, 2, *[4] * 22]),  # 01:30–02:00 comes twice
        ("Australia/Lord_Howe", date(2026, 10, 4), [4, 4, 2, *[4] * 21]),  # 02:00–02:30 is left out
    ],
)
def test_hours_begin_as_the_clock_strikes(zone: str, day: date, lengths: list[int]) -> None:
    start_us, end_us = midnight_us(zone, day), midnight_us(zone, date.fromordinal(day.toordinal() + 1))
    quarters = np.arange(start_us, end_us, QUARTER_US, dtype=np.int64)
    starts = intervals(zone, quarters, US_PER_HOUR)
    assert np.diff(starts, append=len(quarters)).tolist() == lengths
