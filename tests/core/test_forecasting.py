"""The forecaster on homes whose next day is known: what they do daily, weekly, by the season, by the wall clock."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.forecasting import DAYS_USED, LEAST_KNOWN, forecast, same_slot_yesterday
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import QUARTER_S, QUARTERS_PER_DAY, QUARTERS_PER_HOUR
from statistics_manager_service.errors import BadInput

DAY = QUARTERS_PER_DAY
#: A day of the profile below: 60 Wh a quarter-hour, a peak of 500 Wh from 07:00 to 08:00.
BASE, PEAK, PEAK_SLOT = 60_000.0, 500_000.0, 7 * QUARTERS_PER_HOUR


def quarter(year: int, month: int, day: int, hour: int = 0) -> int:
    """The quarter that begins at an hour UTC."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) // QUARTER_S


MONDAY = quarter(2024, 1, 8)


def daily(peak_slot: int = PEAK_SLOT) -> Float64:
    """One day by 96 quarters."""
    day = np.full(DAY, BASE)
    day[peak_slot : peak_slot + QUARTERS_PER_HOUR] = PEAK
    return day


def noisy(days: int, seed: int = 1) -> Float64:
    """Days of the profile above, each quarter times a chance factor around 1."""
    return np.tile(daily(), days) * np.random.default_rng(seed).gamma(4.0, 0.25, days * DAY)


def ahead(history: Float64, first: int = MONDAY, count: int = DAY, zone: str = "UTC", hole: int = 0) -> Float64:
    """The forecast of what follows a history that begins at `first`, after a hole of some quarters."""
    return forecast(first, history, first + len(history) + hole, count, zone)


def mae(left: Float64, right: Float64) -> float:
    return float(np.abs(left - right).mean())


@pytest.mark.parametrize("days", [1, 2, 7, 30, 400])
def test_a_home_that_does_the_same_each_day_will_do_it_tomorrow(days: int) -> None:
    np.testing.assert_allclose(ahead(np.tile(daily(), days)), daily())


@pytest.mark.parametrize("first", [MONDAY, MONDAY + 4 * DAY])
def test_after_a_single_day_the_next_is_taken_to_be_like_it(first: int) -> None:
    history = noisy(1)
    np.testing.assert_allclose(ahead(history, first, 2 * DAY), np.tile(history, 2))


@pytest.mark.parametrize("known", [0, 1, LEAST_KNOWN - 1])
def test_of_less_than_a_day_of_known_quarters_nothing_is_said(known: int) -> None:
    history = np.full(3 * DAY, np.nan)
    history[:known] = 1.0
    assert np.isnan(ahead(history)).all()


def test_without_any_history_nothing_is_said() -> None:
    assert np.isnan(ahead(np.empty(0))).all()
    assert np.isnan(forecast(MONDAY, noisy(5), MONDAY - 7 * DAY, DAY, "UTC")).all()


def test_a_day_of_known_quarters_is_enough_wherever_they_lie() -> None:
    history = np.full(4 * DAY, np.nan)
    history[: 4 * LEAST_KNOWN : 4] = BASE
    np.testing.assert_allclose(ahead(history), BASE)


def test_days_too_long_ago_say_nothing() -> None:
    assert np.isnan(ahead(noisy(20), hole=DAYS_USED * DAY)).all()
    older = np.concatenate((np.full(50 * DAY, 9e6), noisy(DAYS_USED)))
    np.testing.assert_array_equal(ahead(older), ahead(noisy(DAYS_USED), MONDAY + 50 * DAY))


def test_years_ahead_the_usual_is_all_that_is_said() -> None:
    found = ahead(np.tile(daily(), 20), count=800 * DAY)
    np.testing.assert_allclose(found, np.tile(daily(), 800))


def test_no_quarters_wanted_are_none_forecast() -> None:
    assert len(ahead(noisy(3), count=0)) == 0


@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(0, 200), st.floats(0.0, 0.9))
@settings(max_examples=60, deadline=None)
def test_whatever_the_gaps_a_forecast_is_known_or_unknown_as_a_whole_and_never_negative(
    seed: int, days: int, hole: int, share_missing: float
) -> None:
    rng = np.random.default_rng(seed)
    history = noisy(days, seed) - BASE / 2  # some below 0, as a derived consumption may be
    history[rng.random(len(history)) < share_missing] = np.nan
    found = ahead(history, count=150, hole=hole, zone="Europe/Lisbon")
    if np.isfinite(history).sum() >= LEAST_KNOWN:
        assert np.isfinite(found).all() and (found >= 0).all()
    else:
        assert np.isnan(found).all()


def test_values_from_the_first_quarter_on_are_not_looked_at() -> None:
    history = noisy(40)
    first = MONDAY + 30 * DAY
    changed = history.copy()
    changed[30 * DAY :] = 9e9
    expected = forecast(MONDAY, history[: 30 * DAY], first, DAY, "UTC")
    for longer in (history, changed):
        np.testing.assert_array_equal(forecast(MONDAY, longer, first, DAY, "UTC"), expected)


def test_a_home_twice_as_large_is_forecast_twice_as_much() -> None:
    history = noisy(40)
    np.testing.assert_allclose(ahead(2 * history), 2 * ahead(history))


def test_chance_is_smoothed_so_that_the_error_is_well_below_that_of_yesterday() -> None:
    history, coming = noisy(60), noisy(20, seed=2)
    assert mae(ahead(history, count=20 * DAY), coming) < 0.85 * mae(np.tile(history[-DAY:], 20), coming)


@pytest.mark.parametrize("weeks", [3, 9])
@pytest.mark.parametrize("weekday", range(7))
def test_weekends_and_working_days_are_told_apart(weeks: int, weekday: int) -> None:
    week = np.concatenate((np.tile(daily(), 5), np.tile(daily(12 * QUARTERS_PER_HOUR), 2)))
    history = np.tile(week, weeks + 1)[: weeks * 7 * DAY + weekday * DAY]
    tomorrow, other = week[weekday * DAY :][:DAY], daily(PEAK_SLOT if weekday >= 5 else 12 * QUARTERS_PER_HOUR)
    assert mae(ahead(history), tomorrow) < 0.2 * mae(other, tomorrow)


def test_a_weekday_that_differs_each_week_is_expected_to_differ_again() -> None:
    laundry = daily()
    laundry[40:48] += 400_000.0
    history = np.tile(np.concatenate((np.tile(daily(), 2), laundry, np.tile(daily(), 4))), 10)
    wednesday, thursday = ahead(history, hole=2 * DAY), ahead(history, hole=3 * DAY)
    assert wednesday[40:48].sum() > 2 * thursday[40:48].sum()


def test_an_empty_house_is_expected_to_stay_rather_empty_and_a_full_one_full() -> None:
    days = np.random.default_rng(4).permuted(np.tile(daily(), (40, 1)), axis=1)  # no time of day is like yesterday's
    usual = ahead(days.ravel()).sum()
    for factor, least, most in ((0.3, 0.3, 0.75), (2.0, 1.25, 2.0)):
        last_days = days.copy()
        last_days[-3:] *= factor
        assert least * usual < ahead(last_days.ravel()).sum() < most * usual


@pytest.mark.parametrize("heated_now", [True, False])
def test_heating_that_is_switched_on_and_off_for_weeks_is_followed_within_days(heated_now: bool) -> None:
    night = slice(6 * QUARTERS_PER_HOUR)
    heated = daily()
    heated[night] += 700_000.0
    blocks = [heated if (block % 2 == 0) == heated_now else daily() for block in range(7)]
    history = np.concatenate([blocks[i // 10] for i in range(63)])  # as it is now for three days
    history *= np.random.default_rng(3).gamma(100.0, 0.01, len(history))
    missed = mae(ahead(history)[night], blocks[-1][night]) / 700_000.0
    assert missed < 0.15


def test_what_an_evening_took_more_than_usual_is_carried_into_the_night_and_fades() -> None:
    history = np.tile(daily(), 30)
    usual = ahead(history)
    history[-4:] += 200_000.0
    more = ahead(history) - usual
    assert more[0] > 30_000.0
    assert more[0] > 2 * more[12] > 4 * more[24]


def test_the_rest_of_a_day_can_be_forecast_at_ten() -> None:
    history = np.tile(daily(18 * QUARTERS_PER_HOUR), 30)[: -14 * QUARTERS_PER_HOUR]
    np.testing.assert_allclose(ahead(history, count=14 * QUARTERS_PER_HOUR), daily(18 * QUARTERS_PER_HOUR)[40:])


def test_issued_at_ten_for_tomorrow_it_follows_todays_morning_and_yesterdays_afternoon() -> None:
    history = np.tile(daily(18 * QUARTERS_PER_HOUR), 30)[: -14 * QUARTERS_PER_HOUR]
    np.testing.assert_allclose(ahead(history, hole=14 * QUARTERS_PER_HOUR), daily(18 * QUARTERS_PER_HOUR))


def test_hours_that_were_never_known_are_taken_to_be_as_the_rest() -> None:
    history = np.tile(daily(), 20)
    history.reshape(20, DAY)[:, :16] = np.nan
    found = ahead(history)
    np.testing.assert_allclose(found[16:], daily()[16:])
    np.testing.assert_allclose(found[:16], daily()[16:].mean())


def local_days(zone_offsets_h: list[int], first_local: datetime) -> tuple[int, Float64]:
    """The daily profile by a wall clock whose days have these offsets at their end; hours are skipped or repeated."""
    begin = int((first_local - timedelta(hours=zone_offsets_h[0])).replace(tzinfo=UTC).timestamp()) // QUARTER_S
    days = [daily()]
    for before, after in itertools.pairwise(zone_offsets_h):
        one, change = daily(), 4 * (after - before)
        days.append(np.delete(one, np.s_[8 : 8 + change]) if change > 0 else np.insert(one, 8, one[8 : 8 - change]))
    return begin, np.concatenate(days)


@pytest.mark.parametrize(
    ("first_local", "offsets", "hours"),
    [(datetime(2024, 3, 20), [1] * 11 + [2] * 10, 23), (datetime(2024, 10, 16), [2] * 11 + [1] * 10, 25)],
    ids=["spring", "autumn"],
)
def test_a_peak_at_seven_stays_at_seven_when_the_clock_changes(
    first_local: datetime, offsets: list[int], hours: int
) -> None:
    begin, energy = local_days(offsets, first_local)
    assert len(energy) == (20 * 24 + hours) * QUARTERS_PER_HOUR
    changing = 11 * DAY  # the day on which the clock changes
    for first, count in ((changing, hours * QUARTERS_PER_HOUR), (changing + hours * QUARTERS_PER_HOUR, 5 * DAY)):
        found = forecast(begin, energy[:first], begin + first, count, "Europe/Amsterdam")
        np.testing.assert_allclose(found, energy[first : first + count])


def test_the_repeated_hour_is_forecast_twice_alike() -> None:
    history = np.tile(np.arange(1.0, DAY + 1), 20)
    begin = quarter(2024, 10, 26, 22) - len(history)  # Europe/Amsterdam, midnight in summer
    found = forecast(begin, history, begin + len(history), DAY + 4, "Europe/Amsterdam")
    np.testing.assert_array_equal(found[8:12], found[12:16])
    np.testing.assert_allclose(found, np.concatenate((history[:12], history[8:DAY])))


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"])
def test_odd_zones_are_served(zone: str) -> None:
    for month in range(1, 13):
        found = ahead(np.tile(daily(), 20), quarter(2011, month, 20), 20 * DAY, zone)
        assert np.isfinite(found).all() and (found >= BASE * 0.99).all()


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="Europe/Lisbom"):
        ahead(noisy(3), zone="Europe/Lisbom")


def test_yesterday_is_the_day_before_and_unknown_where_there_is_none() -> None:
    energy = noisy(3)
    found = same_slot_yesterday(MONDAY, energy, "UTC")
    assert np.isnan(found[:DAY]).all()
    np.testing.assert_array_equal(found[DAY:], energy[:-DAY])
    assert len(same_slot_yesterday(MONDAY, np.empty(0), "UTC")) == 0


@pytest.mark.parametrize(
    ("midnight", "hours", "same_wall", "odd"),
    [
        # 02:00 to 03:00 is skipped on that day; on the next day it is answered by the hour after the jump
        (quarter(2024, 3, 30, 23), 23, [(0, -24), (3, -24), (22, -24)], (25, 2)),
        # 02:00 to 03:00 is there twice: both passes have the same hour of the day before
        (quarter(2024, 10, 26, 22), 25, [(0, -24), (2, -24), (3, -25), (24, -25)], (27, 2)),
    ],
    ids=["spring", "autumn"],
)
def test_yesterday_is_found_by_the_wall_clock(
    midnight: int, hours: int, same_wall: list[tuple[int, int]], odd: tuple[int, int]
) -> None:
    """Hours since the midnight at which the day of the change begins, in Amsterdam."""
    first = midnight - 2 * DAY
    energy = np.arange(6.0 * DAY)
    found = same_slot_yesterday(first, energy, "Europe/Amsterdam")
    for hour, shift in same_wall:
        if hours == 23 and hour >= 2:
            shift += 1  # an hour of this day is missing
        at = 2 * DAY + hour * QUARTERS_PER_HOUR
        assert found[at] == energy[at + shift * QUARTERS_PER_HOUR]
    next_day, yesterday = (2 * DAY + one * QUARTERS_PER_HOUR for one in odd)
    assert found[next_day] == energy[yesterday]
