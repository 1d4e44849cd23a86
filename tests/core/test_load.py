"""The load of a home by the quarter-hour, against plain loops and figures worked by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.civil import GroupBy, calendar, parse_moment
from statistics_manager_service.core.day_times import DayTimes, clock_labels, date_labels, day_times
from statistics_manager_service.core.load import (
    BucketLoads,
    average_day,
    duration_curve,
    greatest_places,
    night_median,
)

UNKNOWN = math.nan
powers = st.one_of(st.just(UNKNOWN), st.integers(0, 20_000).map(float))
buckets = st.lists(st.lists(powers, max_size=12), min_size=1, max_size=8)


def joined(some: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """The powers of buckets in a row, and where each begins."""
    flat = [value for bucket in some for value in bucket]
    return np.array(flat, np.float64), np.cumsum([0, *(len(bucket) for bucket in some)])


def plain_quantile(known: list[float], percent: float) -> float:
    """Type 7 of Hyndman & Fan, as the paper has it: h = (n − 1) p + 1."""
    known = sorted(known)
    h = (len(known) - 1) * percent / 100
    low = math.floor(h)
    return known[low] + (known[min(low + 1, len(known) - 1)] - known[low]) * (h - low)


def same(found: np.ndarray, expected: list[float]) -> bool:
    return bool(np.allclose(found, expected, rtol=1e-12, atol=1e-9, equal_nan=True))


@given(buckets, st.sampled_from([0, 5, 10, 25, 50, 75, 90, 95, 99, 100]))
def test_percentiles_of_buckets_are_those_of_a_plain_loop(some: list[list[float]], percent: int) -> None:
    power_w, place = joined(some)
    known = [[value for value in bucket if not math.isnan(value)] for bucket in some]
    expected = [plain_quantile(one, percent) if one else UNKNOWN for one in known]
    assert same(BucketLoads(power_w, place).percentile(percent), expected)


@given(buckets, st.integers(0, 20_000))
def test_peak_mean_and_time_above_of_buckets_are_those_of_a_plain_loop(some: list[list[float]], limit_w: int) -> None:
    power_w, place = joined(some)
    known = [[value for value in bucket if not math.isnan(value)] for bucket in some]
    assert same(BucketLoads(power_w, place).peak_w, [max(one) if one else UNKNOWN for one in known])
    assert same(BucketLoads(power_w, place).mean_w, [statistics.fmean(one) if one else UNKNOWN for one in known])
    above = [900.0 * sum(value > limit_w for value in one) if one else UNKNOWN for one in known]
    assert same(BucketLoads(power_w, place).seconds_above(limit_w), above)


def test_the_percentiles_are_those_of_the_standard_library() -> None:
    power_w = np.array([130.0, 90.0, 2_400.0, 310.0, 75.0, 880.0, 101.0])
    quartiles = statistics.quantiles(power_w.tolist(), n=4, method="inclusive")
    assert [float(BucketLoads(power_w, np.array([0, 7])).percentile(p)[0]) for p in (25, 50, 75)] == quartiles


@pytest.mark.parametrize(
    ("power_w", "factor"),
    [
        ([500.0, 100.0, 300.0, UNKNOWN], 0.6),
        ([0.0, 0.0], UNKNOWN),
        ([UNKNOWN], UNKNOWN),
        ([], UNKNOWN),
        ([7.0], 1.0),
        ([5.0, -9.0], UNKNOWN),
    ],
)
def test_the_load_factor_is_the_mean_by_the_peak_where_there_is_a_load(power_w: list[float], factor: float) -> None:
    assert same(BucketLoads(np.array(power_w, np.float64), np.array([0, len(power_w)])).load_factor, [factor])


def test_of_equal_peaks_the_earlier_is_told_first_and_what_is_unknown_never() -> None:
    power_w = np.array([3.0, UNKNOWN, 7.0, 1.0, 7.0, 3.0])
    assert greatest_places(power_w, 4) == [2, 4, 0, 5]
    assert greatest_places(power_w, 10) == [2, 4, 0, 5, 3]
    assert greatest_places(np.array([UNKNOWN]), 3) == []


@given(st.lists(powers, max_size=60), st.integers(2, 101))
def test_at_each_share_of_the_duration_curve_that_share_of_time_has_its_power_and_no_higher_one(
    some: list[float], points: int
) -> None:
    curve = duration_curve(np.array(some, np.float64), points)
    known = [value for value in some if not math.isnan(value)]
    for i, (share, value) in enumerate(zip(curve.share.tolist(), curve.power_w.tolist(), strict=True)):
        assert share == i / (points - 1)
        if not known:
            assert math.isnan(value)
            continue
        assert value in known
        reached = sum(one >= value for one in known)
        higher = sum(one > value for one in known)
        assert reached * (points - 1) >= i * len(known)
        assert higher * (points - 1) < i * len(known) or value == max(known)


def test_a_duration_curve_of_four_quarter_hours() -> None:
    curve = duration_curve(np.array([400.0, 100.0, UNKNOWN, 300.0, 200.0]), 5)
    assert curve.share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.power_w.tolist() == [400, 400, 300, 200, 100]


def times_of(zone: str, start: str, end: str) -> DayTimes:
    cal = calendar(zone, GroupBy.QUARTERS, parse_moment(start, zone, "start"), parse_moment(end, zone, "end"))
    return day_times(cal.edges_us[:-1], cal.offset_s[:-1])


def test_the_repeated_hour_counts_twice_and_the_skipped_one_not_at_all() -> None:
    autumn = times_of("Europe/Lisbon", "2024-10-27", "2024-10-28")  # 02:00 goes back to 01:00
    assert len(autumn.slot) == 100
    assert date_labels(autumn.day[[0, -1]]) == ["2024-10-27", "2024-10-27"]
    assert np.bincount(autumn.slot).tolist() == [1] * 4 + [2] * 4 + [1] * 88
    assert np.flatnonzero(autumn.again).tolist() == [8, 9, 10, 11]
    spring = times_of("Europe/Lisbon", "2024-03-31", "2024-04-01")  # 01:00 goes on to 02:00
    assert np.bincount(spring.slot, minlength=96).tolist() == [1] * 4 + [0] * 4 + [1] * 88
    assert not spring.again.any()


def test_the_average_day_goes_by_the_clock() -> None:
    times = times_of("Europe/Lisbon", "2024-10-25", "2024-10-29")  # Friday, weekend with the change, Monday
    power_w = np.full(len(times.slot), 100.0)
    power_w[96 + 96 + 4 : 96 + 96 + 8] = 400.0  # the first pass of the repeated hour on Sunday
    power_w[:4] = UNKNOWN  # the first hour of Friday
    weekday = average_day(power_w, times, of_weekends=False)
    weekend = average_day(power_w, times, of_weekends=True)
    assert (weekday.days, weekend.days) == (2, 2)
    assert weekday.quarters.tolist() == [1] * 4 + [2] * 92
    assert weekend.quarters.tolist() == [2] * 4 + [3] * 4 + [2] * 88
    assert weekend.power_w[4:8].tolist() == [200.0] * 4  # (100 + 400 + 100) / 3
    assert set(weekday.power_w.tolist()) == {100.0}


def test_a_day_of_which_nothing_is_known_is_in_no_profile() -> None:
    times = times_of("UTC", "2024-01-06", "2024-01-08")
    power_w = np.full(192, UNKNOWN)
    weekday = average_day(power_w, times, of_weekends=False)
    assert np.isnan(weekday.power_w).all()
    assert (weekday.days, weekday.quarters.sum()) == (0, 0)
    assert math.isnan(night_median(power_w, times))


def test_the_night_is_from_two_to_five_by_the_clock() -> None:
    times = times_of("Asia/Kolkata", "2024-01-06", "2024-01-07")
    power_w = np.arange(96.0)
    assert night_median(power_w, times) == statistics.median(range(8, 20))


def test_an_hour_of_lord_howe_repeats_half_an_hour() -> None:
    times = times_of("Australia/Lord_Howe", "2024-04-07", "2024-04-08")
    assert len(times.slot) == 98
    assert [clock_labels()[slot] for slot in times.slot[times.again].tolist()] == ["01:30", "01:45"]


def test_times_of_day_are_told_in_steps() -> None:
    assert clock_labels()[:5] == ["00:00", "00:15", "00:30", "00:45", "01:00"]
    assert len(clock_labels()) == 96
    assert clock_labels(3600)[-1] == "23:00"
