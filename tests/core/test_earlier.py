"""The earlier time beside a time: by the wall clock, over changes of the clock, leap days and months of any length."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.civil import GroupBy, calendar, civil_label, parse_moment
from statistics_manager_service.core.combining import How, combination_of, combined
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.earlier import Compare, Earlier, earlier
from statistics_manager_service.errors import BadInput

LISBON = "Europe/Lisbon"


def found(kind: str, group_by: str, start: str, end: str, zone: str = LISBON) -> Earlier:
    cal = calendar(zone, GroupBy(group_by), parse_moment(start, zone, "start"), parse_moment(end, zone, "end"))
    return earlier(Compare(kind), cal)


def labels(one: Earlier, zone: str = LISBON) -> tuple[str, str]:
    return civil_label(zone, one.start_us)[:16], civil_label(zone, one.end_us)[:16]


@pytest.mark.parametrize(
    ("kind", "group_by", "start", "end", "begin", "stop"),
    [
        ("previous", "daily", "2024-03-01", "2024-04-01", "2024-02-01", "2024-03-01"),  # a month: the month before
        ("previous", "total", "2024-04-01", "2024-07-01", "2024-01-01", "2024-04-01"),  # a quarter
        ("previous", "monthly", "2024-01-01", "2025-01-01", "2023-01-01", "2024-01-01"),  # a year
        ("previous", "total", "2024-01-15", "2024-02-15", "2023-12-15", "2024-01-15"),  # a billing period
        ("previous", "daily", "2024-03-01", "2024-03-13", "2024-02-18", "2024-03-01"),  # twelve days
        ("previous", "daily", "2024-03-29", "2024-04-29", "2024-02-27", "2024-03-29"),  # 31 days: no month of the 29th
        ("previous", "weekly", "2024-03-25", "2024-04-08", "2024-03-11", "2024-03-25"),  # two weeks, one of them 167 h
        ("year", "daily", "2024-03-01", "2024-04-01", "2023-03-01", "2023-04-01"),
        ("year", "weekly", "2025-01-06", "2025-02-03", "2024-01-08", "2024-02-05"),  # 52 weeks: Monday to Monday
        ("year", "monthly", "2024-02-29", "2024-04-01", "2023-03-01", "2023-04-01"),
        ("year", "monthly", "2024-02-01", "2024-02-29", "2023-02-01", "2023-03-01"),
    ],
)
def test_the_earlier_time_is_found_by_the_calendar(
    kind: str, group_by: str, start: str, end: str, begin: str, stop: str
) -> None:
    assert labels(found(kind, group_by, start, end)) == (f"{begin}T00:00", f"{stop}T00:00")


@pytest.mark.parametrize(
    ("start", "end", "begin", "stop"),
    [
        ("2024-03-12T00:00", "2024-03-12T14:30", "2024-03-11T00:00", "2024-03-11T14:30"),
        ("2024-03-10T00:00", "2024-03-12T14:30", "2024-03-07T00:00", "2024-03-09T14:30"),
        ("2024-03-31T00:00", "2024-03-31T14:30", "2024-03-30T00:00", "2024-03-30T14:30"),  # 13.5 hours beside 14.5
        ("2024-05-10T10:00", "2024-05-11T10:00", "2024-05-09T10:00", "2024-05-10T10:00"),
    ],
)
def test_a_time_that_ends_within_a_day_is_compared_until_the_same_time_of_day(
    start: str, end: str, begin: str, stop: str
) -> None:
    assert labels(found("previous", "hourly", start, end)) == (begin, stop)


def test_the_29th_of_february_stands_beside_nothing_in_either_direction() -> None:
    after = found("year", "daily", "2024-02-27", "2024-03-03")
    assert after.pair.tolist() == [0, 1, -1, 2, 3]
    before = found("year", "daily", "2025-02-27", "2025-03-03")
    assert before.pair.tolist() == [0, 1, 3, 4]


def test_a_leap_day_alone_has_no_earlier_time() -> None:
    one = found("year", "total", "2024-02-29", "2024-03-01")
    assert (one.before, one.place.tolist(), one.pair.tolist()) == (None, [-1], [-1])


def test_the_last_days_of_a_long_month_stand_beside_nothing_in_a_short_one() -> None:
    assert found("previous", "daily", "2023-03-01", "2023-04-01").pair.tolist() == [*range(28), -1, -1, -1]


def test_months_stand_side_by_side_while_their_days_are_matched() -> None:
    one = found("year", "monthly", "2025-01-01", "2025-04-01")
    assert one.before is not None
    assert one.place.tolist() == [0, 1, 2]
    assert [civil_label(LISBON, at)[:10] for at in one.before.edges_us.tolist()] == [
        "2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01",
    ]  # fmt: skip
    assert one.unit is GroupBy.DAILY
    assert len(one.pair) == 90
    assert 59 not in one.pair.tolist()  # the 29th of February, the 60th day of 2024


@pytest.mark.parametrize(
    ("day", "pair"),
    [
        ("2024-03-31", [0, *range(2, 24)]),  # the clock skips 01:00
        ("2024-04-01", [0, -1, *range(1, 23)]),  # and skipped it the day before
        ("2024-10-27", [0, 1, -1, *range(2, 24)]),  # the second pass of 01:00
        ("2024-10-28", [0, 1, *range(3, 25)]),
    ],
)
def test_hours_that_the_clock_makes_or_takes_stand_beside_nothing(day: str, pair: list[int]) -> None:
    end = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    assert found("previous", "hourly", day, end).pair.tolist() == pair


def test_half_an_hour_stands_beside_no_whole_one() -> None:
    # On Lord Howe Island the clock goes back by half an hour, from 02:00 to 01:30.
    one = found("previous", "hourly", "2024-04-07", "2024-04-08", "Australia/Lord_Howe")
    lengths = np.diff(one.units.edges_us)
    odd = np.flatnonzero(lengths != lengths.max())
    assert len(odd) == 1
    assert one.pair[odd].tolist() == [-1]
    assert (np.delete(one.pair, odd) >= 0).all()


def test_a_date_that_a_zone_left_out_stands_beside_nothing() -> None:
    # Apia had no 30 December 2011.
    one = found("year", "daily", "2012-12-29", "2013-01-01", "Pacific/Apia")
    assert one.pair.tolist() == [0, -1, 1]


def test_a_time_before_the_years_served_is_refused() -> None:
    with pytest.raises(BadInput, match="compare: the earlier time lies before"):
        found("year", "daily", "1970-02-01", "1970-03-01")


DATES = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@given(
    start=DATES,
    days=st.integers(1, 800),
    kind=st.sampled_from(Compare),
    group_by=st.sampled_from(["daily", "weekly", "monthly", "yearly", "billing", "total"]),
    zone=st.sampled_from([LISBON, "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
)
def test_matched_days_have_the_dates_that_the_rule_says(
    start: date, days: int, kind: Compare, group_by: str, zone: str
) -> None:
    end = start + timedelta(days=days)
    one = found(kind, group_by, start.isoformat(), end.isoformat(), zone)
    assert len(one.place) >= 1
    if one.before is None or one.units_before is None:
        assert set(one.pair.tolist()) == {-1}
        return
    assert int(one.before.edges_us[0]) == int(one.units_before.edges_us[0]) == one.start_us
    assert int(one.before.edges_us[-1]) == int(one.units_before.edges_us[-1]) == one.end_us
    now, then = (_dates(cal.edges_us[:-1].tolist(), zone) for cal in (one.units, one.units_before))
    at = {day: i for i, day in enumerate(then)}
    months = 0
    if kind is Compare.PREVIOUS and start.day == end.day <= 28:
        months = (end.year - start.year) * 12 + end.month - start.month
    elif kind is Compare.YEAR and group_by != "weekly":
        months = 12
    back = days if kind is Compare.PREVIOUS else 364
    expected = [at.get(_back(day, months) if months else day - timedelta(days=back), -1) for day in now]  # type: ignore[call-overload]
    assert one.pair.tolist() == expected


def _dates(instants_us: list[int], zone: str) -> list[date]:
    return [datetime.fromtimestamp(at // 1_000_000, ZoneInfo(zone)).date() for at in instants_us]


def _back(day: date, months: int) -> date | None:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return None


# --- values of several buckets as one ---------------------------------------------------------------------------------


def test_a_ratio_of_sums_is_no_mean_of_ratios() -> None:
    # 2 of 10 kWh on one day, 3 of 3 on another: 5 of 13.
    together = combined(How.RATIO, np.array([0.2, 1.0, np.nan]), np.array([10.0, 3.0, 0.0]))
    assert together == pytest.approx(5 / 13)


@pytest.mark.parametrize(
    ("measure", "how"),
    [
        ("energy_import", How.SUM), ("cost_net", How.SUM), ("power_import", How.MEAN), ("voltage_l2", How.MEAN),
        ("peak_demand", How.GREATEST), ("self_sufficiency_rate", How.RATIO), ("price_import", How.RATIO),
    ],
)  # fmt: skip
def test_measures_are_put_together_by_what_they_are(measure: str, how: How) -> None:
    assert combination_of(measure).how is how


def test_nothing_comes_of_nothing() -> None:
    empty = np.zeros(0)
    assert all(np.isnan(combined(how, empty, empty)) for how in How)
    assert np.isnan(combined(How.MEAN, np.array([5.0]), np.array([0.0])))


@pytest.mark.parametrize("measure", DEFINITIONS)
def test_a_ratio_is_weighed_by_a_measure_that_there_is_and_that_adds_up(measure: str) -> None:
    how, weight = combination_of(measure)
    assert (how is How.RATIO) == (weight is not None)
    assert weight is None or DEFINITIONS[weight].adds_up
    assert (
        how is not How.SUM
        or DEFINITIONS[measure].unit not in ("1", "W", "currency/kWh", "gCO2eq/kWh")
        or (measure == "battery_cycles")
    )
