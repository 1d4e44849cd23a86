"""What a period will come to, of homes whose past is made so that the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from statistics_manager_service.core.end_of_period import (
    LEAST_DAYS,
    Hours,
    days_known,
    rest_of_period,
    rest_of_ratio,
    usual,
)
from statistics_manager_service.core.readings import Float64


def hours(per_hour: Float64, now: int, ahead: int, *, until_hour: int = 0) -> Hours:
    """A home that is known up to an hour of the day `now`, and the days ahead of it."""
    days = now + ahead
    value = np.full((days, 24), np.nan)
    value[:now] = per_hour[:now]
    value[now, :until_hour] = per_hour[now, :until_hour]
    return Hours(value, np.ones((days, 24)), np.isfinite(value).astype(float), now)


def by_weekday(days: int) -> Float64:
    """(days, 24): each weekday and hour has a value of its own, every week the same."""
    day, hour = np.meshgrid(np.arange(days) % 7, np.arange(24), indexing="ij")
    return 1.0 + day + hour / 10


def test_a_home_that_does_the_same_each_week_is_foretold_exactly() -> None:
    every = by_weekday(220)
    found = rest_of_period(hours(every, 200, 20, until_hour=9), 195)
    expected = every[200:220].sum() - every[200, :9].sum()
    assert found.expected == pytest.approx(expected)
    assert (found.low, found.high) == (pytest.approx(expected), pytest.approx(expected))
    assert found.days == pytest.approx(20 - 9 / 24)
    assert found.trials > 100


def test_newer_weeks_count_more() -> None:
    every = np.zeros((63, 24))
    every[56 - 7 : 56] = 1.0  # the last of eight weeks
    weights = 0.5 ** (np.arange(8) / 2)
    assert usual(every, 56)[0, 0] == pytest.approx(1 / weights.sum())


def test_hours_of_the_past_that_are_not_known_are_expected_too() -> None:
    every = by_weekday(120)
    one = hours(every, 110, 10)
    one.per_hour[105, :] = np.nan
    one.known[105, :] = 0
    found = rest_of_period(one, 100)
    assert found.expected == pytest.approx(every[110:120].sum() + every[105].sum())


def test_an_hour_that_the_clock_skips_is_not_expected_and_one_it_repeats_twice() -> None:
    every = by_weekday(120)
    one = hours(every, 110, 10)
    one.hours[112, 1], one.hours[115, 1] = 0, 2
    found = rest_of_period(one, 110)
    assert found.expected == pytest.approx(every[110:120].sum() - every[112, 1] + every[115, 1])


def test_a_home_that_is_known_for_less_than_a_week_tells_so() -> None:
    one = hours(by_weekday(30), 5, 25)
    assert days_known(one) == 5 < LEAST_DAYS


def test_a_short_past_tells_no_range() -> None:
    found = rest_of_period(hours(by_weekday(60), 40, 20), 30)
    assert math.isfinite(found.expected)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_period_of_which_all_is_known_expects_nothing() -> None:
    one = hours(by_weekday(70), 69, 1, until_hour=24)
    assert rest_of_period(one, 60) == rest_of_period(one, 69)
    assert rest_of_period(one, 60).expected == 0


def test_days_far_ahead_are_those_of_a_year_before_at_the_level_of_now() -> None:
    season = 2 + np.cos(2 * np.pi * np.arange(900) / 364)
    every = season[:, None] * np.ones(24)
    every[440:] *= 1.5  # since then half as much again is taken
    found = rest_of_period(hours(every, 500, 300), 500)
    assert found.knows_year
    # the first 31 days are as the last weeks were, and the season goes on: that is off by some per cent
    assert found.expected == pytest.approx(every[500:800].sum(), rel=0.03)
    without = rest_of_period(hours(every[400:], 100, 300), 100)
    assert not without.knows_year
    assert without.expected != pytest.approx(every[500:800].sum(), rel=0.05)


def test_the_range_holds_four_of_five_of_what_came_in_a_home_of_chance() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(60):
        every = rng.gamma(2.0, 1.0, (300, 1)) * np.ones(24)
        found = rest_of_period(hours(every, 290, 10), 285)
        inside.append(found.low <= every[290:300].sum() <= found.high)
    assert 0.7 <= np.mean(inside) <= 0.95


def test_a_ratio_is_of_the_sums_of_what_is_to_come() -> None:
    above, below = by_weekday(220) / 3, by_weekday(220)
    found = rest_of_ratio(hours(above, 200, 20), hours(below, 200, 20), 200)
    assert found.above / found.below == pytest.approx(1 / 3)
    assert (found.low, found.high) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
