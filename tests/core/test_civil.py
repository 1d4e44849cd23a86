"""Civil time: where buckets lie, and what moments and clock labels mean.

Expected instants come from the zones' published rules (tzdata) and are written out here in UTC.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.civil import (
    MAX_BUCKETS,
    Calendar,
    GroupBy,
    bucket_json,
    calendar,
    check_zone,
    instant_us,
    local_instants_us,
    parse_moment,
)
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.errors import BadInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)
QUARTER_US, HOUR_US, DAY_US = 900_000_000, 3_600_000_000, 86_400_000_000

ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Lisbon", "Atlantic/Azores", "America/New_York", "America/Sao_Paulo", "Africa/Cairo"),
        *("Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Kolkata", "Pacific/Apia", "Asia/Gaza"),
        *("Pacific/Chatham", "America/Caracas", "Asia/Pyongyang", "America/St_Johns", "Antarctica/Troll"),
        *("Pacific/Kiritimati", "America/Havana", "Asia/Tehran", "America/Scoresbysund", "Asia/Beirut"),
    ]
)
FIRST_US, LAST_US = 157_766_400_000_000, 2_208_988_800_000_000  # 1975-01-01, 2040-01-01
STARTS = st.integers(FIRST_US, LAST_US) | st.integers(FIRST_US // QUARTER_US, LAST_US // QUARTER_US).map(
    lambda quarter: quarter * QUARTER_US
)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // US


def utc(at_us: int) -> str:
    return (EPOCH + at_us * US).strftime("%Y-%m-%dT%H:%M")


def local(at_us: int, zone: str) -> datetime:
    return (EPOCH + int(at_us) * US).astimezone(ZoneInfo(zone))


def offset_s_at(at_us: int, zone: str) -> int:
    offset = local(at_us, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def dates(zone: str, group_by: GroupBy, start: str, end: str, **options: object) -> Calendar:
    first, last = parse_moment(start, zone, "start"), parse_moment(end, zone, "end")
    return calendar(zone, group_by, first, last, **options)  # type: ignore[arg-type]


def starts(cal: Calendar) -> list[str]:
    return [local(edge, cal.zone).strftime("%Y-%m-%d") for edge in cal.edges_us]


# --- days of odd length


@pytest.mark.parametrize(
    ("zone", "day", "next_day", "quarters", "hours", "begins", "ends"),
    [
        ("Europe/Lisbon", "2024-03-31", "2024-04-01", 92, 23, "2024-03-31T00:00", "2024-03-31T23:00"),
        ("Europe/Lisbon", "2024-10-27", "2024-10-28", 100, 25, "2024-10-26T23:00", "2024-10-28T00:00"),
        ("Europe/Lisbon", "2024-05-10", "2024-05-11", 96, 24, "2024-05-09T23:00", "2024-05-10T23:00"),
        ("Australia/Lord_Howe", "2024-10-06", "2024-10-07", 94, 24, "2024-10-05T13:30", "2024-10-06T13:00"),
        ("Australia/Lord_Howe", "2024-04-07", "2024-04-08", 98, 25, "2024-04-06T13:00", "2024-04-07T13:30"),
        ("Asia/Kathmandu", "2024-05-10", "2024-05-11", 96, 24, "2024-05-09T18:15", "2024-05-10T18:15"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-05", 92, 23, "2018-11-04T03:00", "2018-11-05T02:00"),
        ("Africa/Cairo", "2024-04-26", "2024-04-27", 92, 23, "2024-04-25T22:00", "2024-04-26T21:00"),
        ("America/Havana", "2024-11-03", "2024-11-04", 100, 25, "2024-11-03T04:00", "2024-11-04T05:00"),
        ("Pacific/Apia", "2011-12-29", "2011-12-31", 96, 24, "2011-12-29T10:00", "2011-12-30T10:00"),
    ],
)
def test_a_day_has_the_quarters_and_hours_that_its_clock_shows(
    zone: str, day: str, next_day: str, quarters: int, hours: int, begins: str, ends: str
) -> None:
    for group_by, count in ((GroupBy.QUARTERS, quarters), (GroupBy.HOURLY, hours), (GroupBy.DAILY, 1)):
        cal = dates(zone, group_by, day, next_day)
        assert len(cal.edges_us) == count + 1, group_by
        assert (utc(int(cal.edges_us[0])), utc(int(cal.edges_us[-1]))) == (begins, ends)
        assert cal.whole_start_us == cal.edges_us[0]


def test_a_date_that_does_not_exist_has_no_bucket() -> None:
    cal = dates("Pacific/Apia", GroupBy.DAILY, "2011-12-28", "2012-01-02")
    assert starts(cal) == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"]
    with pytest.raises(BadInput):
        dates("Pacific/Apia", GroupBy.DAILY, "2011-12-30", "2011-12-31")


def test_the_repeated_hour_is_two_buckets_with_their_own_offsets() -> None:
    cal = dates("Europe/Lisbon", GroupBy.HOURLY, "2024-10-27", "2024-10-28")
    labels = [bucket["start"] for bucket in json.loads(bucket_json(cal))]
    assert labels[:4] == [
        "2024-10-27T00:00:00+01:00",
        "2024-10-27T01:00:00+01:00",
        "2024-10-27T01:00:00+00:00",
        "2024-10-27T02:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2024-10-06", ["00:00+10:30", "01:00+10:30", "02:30+11:00", "03:00+11:00", "04:00+11:00"]),
        ("2024-04-07", ["00:00+11:00", "01:00+11:00", "01:30+10:30", "02:00+10:30", "03:00+10:30"]),
    ],
)
def test_where_the_clock_moves_half_an_hour_the_odd_half_hour_is_a_bucket(day: str, clock: list[str]) -> None:
    next_day = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    cal = dates("Australia/Lord_Howe", GroupBy.HOURLY, day, next_day)
    labels = iso_labels(cal.edges_us, cal.offset_s)
    assert [label[11:16] + label[19:] for label in labels[:5]] == clock


def test_hours_of_a_zone_off_by_three_quarters_begin_at_a_quarter_past_by_utc() -> None:
    cal = dates("Asia/Kathmandu", GroupBy.HOURLY, "2024-05-10", "2024-05-11")
    assert {utc(int(edge))[-2:] for edge in cal.edges_us} == {"15"}


@pytest.mark.parametrize(
    ("zone", "day", "next_day", "hours"),
    [("Pacific/Kiritimati", "1978-05-01", "1978-05-02", 24), ("America/St_Johns", "2006-04-02", "2006-04-03", 23)],
)
def test_edges_that_would_lie_off_the_quarter_hours_are_rounded_to_them(
    zone: str, day: str, next_day: str, hours: int
) -> None:
    cal = dates(zone, GroupBy.HOURLY, day, next_day)  # at -10:40, and with a change of the clock at 00:01
    assert (cal.edges_us[1:-1] % QUARTER_US == 0).all()
    assert hours <= len(cal.edges_us) - 1 <= hours + 1


# --- longer periods


def test_iso_weeks_run_from_monday_across_the_new_year_and_are_cut_to_the_range() -> None:
    cal = dates("Europe/Lisbon", GroupBy.WEEKLY, "2025-01-01", "2025-01-15")
    assert starts(cal) == ["2025-01-01", "2025-01-06", "2025-01-13", "2025-01-15"]
    assert utc(cal.whole_start_us) == "2024-12-30T00:00"


@pytest.mark.parametrize(("week_start", "first"), [(0, 6), (1, 7), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)])
def test_a_week_begins_on_the_weekday_that_is_named(week_start: int, first: int) -> None:
    cal = dates("UTC", GroupBy.WEEKLY, "2025-01-01", "2025-01-20", week_start=week_start)
    inner = [edge for edge in starts(cal)[:-1] if local(us(edge), "UTC").weekday() == week_start]
    assert inner[0] == f"2025-01-{first:02d}"
    assert all(
        date.fromisoformat(b) - date.fromisoformat(a) == timedelta(days=7)
        for a, b in pairwise(edge for edge in starts(cal)[1:-1])
    )


def test_windows_are_seven_civil_days_from_the_midnight_of_the_start() -> None:
    start, end = us("2024-03-27T15:20:00.5"), us("2024-04-12T00:00:00")
    cal = calendar("Europe/Lisbon", GroupBy.WINDOWS, start, end)
    assert utc(cal.whole_start_us) == "2024-03-27T00:00"
    assert [utc(int(edge)) for edge in cal.edges_us[1:-1]] == ["2024-04-02T23:00", "2024-04-09T23:00"]
    assert (cal.edges_us[0], cal.edges_us[-1]) == (start, end)


def test_months_of_a_leap_year_follow_the_clock_change() -> None:
    cal = dates("Europe/Lisbon", GroupBy.MONTHLY, "2024-01-01", "2024-05-01")
    assert starts(cal) == ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]
    assert (np.diff(cal.edges_us) // HOUR_US).tolist() == [744, 696, 743, 720]


def test_years_are_local_years() -> None:
    cal = dates("America/New_York", GroupBy.YEARLY, "2022-07-01", "2025-01-01")
    assert starts(cal) == ["2022-07-01", "2023-01-01", "2024-01-01", "2025-01-01"]
    assert utc(cal.whole_start_us) == "2022-01-01T05:00"
    assert (np.diff(cal.edges_us)[1:] // DAY_US).tolist() == [365, 366]


@pytest.mark.parametrize(
    ("billing_day", "start", "end", "expected", "whole"),
    [
        (18, "2024-01-18", "2024-04-18", ["2024-01-18", "2024-02-18", "2024-03-18", "2024-04-18"], "2024-01-18"),
        (31, "2024-01-31", "2024-05-31", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"], None),
        (31, "2023-02-10", "2023-03-10", ["2023-02-10", "2023-02-28", "2023-03-10"], "2023-01-31"),
        (30, "2023-02-28", "2023-03-30", ["2023-02-28", "2023-03-30"], "2023-02-28"),
        (1, "2023-12-15", "2024-01-15", ["2023-12-15", "2024-01-01", "2024-01-15"], "2023-12-01"),
        (20, "2024-01-05", "2024-01-19", ["2024-01-05", "2024-01-19"], "2023-12-20"),
    ],
)
def test_a_billing_cycle_begins_on_its_day_or_on_the_last_day_of_a_shorter_month(
    billing_day: int, start: str, end: str, expected: list[str], whole: str | None
) -> None:
    cal = dates("Europe/Lisbon", GroupBy.BILLING, start, end, billing_day=billing_day)
    assert starts(cal) == expected
    assert local(cal.whole_start_us, "Europe/Lisbon").date().isoformat() == (whole or start)


@pytest.mark.parametrize(
    ("start", "end", "expected", "whole"),
    [
        (
            "2024-01-01",
            "2024-04-30",
            ["2024-01-01", "2024-01-17", "2024-02-19", "2024-03-18", "2024-04-30"],
            "2024-01-01",
        ),
        ("2024-02-01", "2024-02-10", ["2024-02-01", "2024-02-10"], "2024-01-17"),
        ("2024-02-19", "2024-03-18", ["2024-02-19", "2024-03-18"], "2024-02-19"),
        ("2023-01-01", "2023-02-01", ["2023-01-01", "2023-02-01"], "2023-01-01"),
        ("2030-01-01", "2030-02-01", ["2030-01-01", "2030-02-01"], "2024-03-18"),
    ],
)
def test_listed_billing_dates_take_the_place_of_the_billing_day(
    start: str, end: str, expected: list[str], whole: str
) -> None:
    listed = (date(2024, 2, 19), date(2024, 1, 17), date(2024, 3, 18))
    cal = dates("Europe/Lisbon", GroupBy.BILLING, start, end, billing_dates=listed)
    assert starts(cal) == expected
    assert local(cal.whole_start_us, "Europe/Lisbon").date().isoformat() == whole


def test_the_total_is_one_bucket() -> None:
    cal = calendar("Europe/Lisbon", GroupBy.TOTAL, 5, 7)
    assert (cal.edges_us.tolist(), cal.whole_start_us) == ([5, 7], 5)


@pytest.mark.parametrize(
    ("group_by", "whole"),
    [
        (GroupBy.QUARTERS, "2024-05-10T10:30"),
        (GroupBy.HOURLY, "2024-05-10T10:15"),
        (GroupBy.DAILY, "2024-05-09T18:15"),
        (GroupBy.WEEKLY, "2024-05-05T18:15"),
        (GroupBy.MONTHLY, "2024-04-30T18:15"),
    ],
)
def test_a_cut_first_bucket_tells_where_it_would_begin(group_by: GroupBy, whole: str) -> None:
    start = us("2024-05-10T10:37:11")
    cal = calendar("Asia/Kathmandu", group_by, start, start + 1)
    assert cal.edges_us.tolist() == [start, start + 1]
    assert utc(cal.whole_start_us) == whole


# --- laws


def whole_period(at: datetime, group_by: GroupBy) -> bool:
    if group_by is GroupBy.WEEKLY and at.weekday() != 0:
        return False
    if group_by in (GroupBy.MONTHLY, GroupBy.YEARLY) and at.day != 1:
        return False
    return group_by is not GroupBy.YEARLY or at.month == 1


@settings(deadline=None)
@given(ZONES, st.sampled_from(GroupBy), STARTS, st.integers(1, 400 * DAY_US), st.integers(1, 31))
def test_edges_rise_from_the_start_to_the_end_on_quarter_hours(
    zone: str, group_by: GroupBy, start: int, span: int, billing_day: int
) -> None:
    cal = calendar(zone, group_by, start, start + span, billing_day=billing_day)
    assert (cal.edges_us[0], cal.edges_us[-1]) == (start, start + span)
    assert (np.diff(cal.edges_us) > 0).all()
    assert (cal.edges_us[1:-1] % QUARTER_US == 0).all()
    assert cal.whole_start_us <= start
    assert cal.offset_s.tolist()[:2] == [offset_s_at(edge, zone) for edge in cal.edges_us[:2]]
    assert not cal.edges_us.flags.writeable
    assert not cal.offset_s.flags.writeable


@settings(deadline=None)
@given(
    ZONES.filter(lambda zone: zone not in ("Pacific/Kiritimati", "America/St_Johns")),  # edges are rounded there
    st.sampled_from([GroupBy.DAILY, GroupBy.WEEKLY, GroupBy.MONTHLY, GroupBy.YEARLY]),
    STARTS,
    st.integers(1, 500 * DAY_US),
)
def test_inner_edges_of_days_are_local_midnights_or_the_first_instant_of_a_day_without_one(
    zone: str, group_by: GroupBy, start: int, span: int
) -> None:
    for edge in calendar(zone, group_by, start, start + span).edges_us[1:-1].tolist():
        at, before = local(edge, zone), local(edge - 1, zone)
        assert whole_period(at, group_by) or group_by is not GroupBy.DAILY
        assert before.date() < at.date()
        if at.hour or at.minute:
            assert before.utcoffset() != at.utcoffset()  # the clock jumped over midnight


@settings(deadline=None)
@given(ZONES, STARTS, st.integers(1, 400 * DAY_US))
def test_no_day_is_left_out(zone: str, start: int, span: int) -> None:
    cal = calendar(zone, GroupBy.DAILY, start, start + span)
    assert (np.diff(cal.edges_us) <= 26 * HOUR_US).all()  # Troll station moves its clock by two hours


@settings(deadline=None)
@given(ZONES, STARTS, st.integers(1, 200 * DAY_US))
def test_coarser_edges_are_a_subset_of_finer_ones(zone: str, start: int, span: int) -> None:
    quarters, hours, days, weeks, months = (
        set(calendar(zone, group_by, start, start + span).edges_us.tolist())
        for group_by in (GroupBy.QUARTERS, GroupBy.HOURLY, GroupBy.DAILY, GroupBy.WEEKLY, GroupBy.MONTHLY)
    )
    assert hours <= quarters
    assert days <= hours
    assert weeks <= days
    assert months <= days


@settings(deadline=None)
@given(ZONES, STARTS, st.integers(1, 200 * DAY_US))
def test_an_hour_never_lasts_longer_and_holds_one_local_hour_only(zone: str, start: int, span: int) -> None:
    edges = calendar(zone, GroupBy.HOURLY, start, start + span).edges_us
    assert (np.diff(edges) <= HOUR_US).all()
    if zone in ("Pacific/Kiritimati", "America/St_Johns"):
        return
    for begin, end in list(pairwise(edges.tolist()))[:50]:
        first, last = local(begin, zone), local(end - 1, zone)
        assert (first.hour, first.utcoffset()) == (last.hour, last.utcoffset())


@settings(deadline=None)
@given(ZONES, STARTS, st.integers(1, 300 * DAY_US), st.floats(0, 1), st.sampled_from(GroupBy))
def test_a_range_cut_in_two_has_the_same_edges_and_the_cut(
    zone: str, start: int, span: int, share: float, group_by: GroupBy
) -> None:
    if group_by is GroupBy.WINDOWS:  # they hang on the start
        return
    end, cut = start + span + 1, start + 1 + min(int(share * span), span - 1)
    whole = set(calendar(zone, group_by, start, end).edges_us.tolist())
    parts = [calendar(zone, group_by, a, b).edges_us.tolist() for a, b in ((start, cut), (cut, end))]
    assert set(parts[0]) | set(parts[1]) == whole | {cut}


@settings(deadline=None)
@given(ZONES, st.datetimes(datetime(1975, 1, 1), datetime(2150, 1, 1)), st.sampled_from([0, 1]))
def test_a_wall_time_is_the_instant_that_zoneinfo_tells_or_the_jump(zone: str, wall: datetime, fold: int) -> None:
    at = instant_us(zone, wall, fold)
    aware = wall.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
    if aware.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall:
        assert EPOCH + at * US == aware
    else:
        assert local(at - 1, zone).replace(tzinfo=None) < wall < local(at, zone).replace(tzinfo=None)


# --- refusals of calendars


@pytest.mark.parametrize(
    ("zone", "group_by", "start", "end", "options", "where"),
    [
        ("UTC", GroupBy.DAILY, 7, 7, {}, "end"),
        ("UTC", GroupBy.DAILY, 8, 7, {}, "end"),
        ("UTC", GroupBy.DAILY, -(10**30), 7, {}, "start"),
        ("UTC", GroupBy.DAILY, 0, 10**30, {}, "end"),
        ("UTC", GroupBy.QUARTERS, 0, MAX_BUCKETS * QUARTER_US + 1, {}, "group_by"),
        ("UTC", GroupBy.HOURLY, 0, MAX_BUCKETS * HOUR_US + 1, {}, "group_by"),
        ("UTC", GroupBy.WEEKLY, 0, DAY_US, {"week_start": 7}, "week_start"),
        ("UTC", GroupBy.BILLING, 0, DAY_US, {"billing_day": 0}, "billing_day"),
        ("UTC", GroupBy.BILLING, 0, DAY_US, {"billing_day": 32}, "billing_day"),
        ("Europe/Nowhere", GroupBy.QUARTERS, 0, DAY_US, {}, "timezone"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused_with_its_place(
    zone: str, group_by: GroupBy, start: int, end: int, options: dict[str, int], where: str
) -> None:
    with pytest.raises(BadInput) as refused:
        calendar(zone, group_by, start, end, **options)  # type: ignore[arg-type]
    assert [fault.where for fault in refused.value.faults] == [where]


def test_the_most_buckets_allowed_are_served() -> None:
    cal = calendar("Europe/Lisbon", GroupBy.QUARTERS, 0, MAX_BUCKETS * QUARTER_US)
    assert len(cal.edges_us) == MAX_BUCKETS + 1
    assert len(json.loads(bucket_json(cal))) == MAX_BUCKETS


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/passwd", "", "Lisbon\n", "localtime", "x" * 10**6, "\x00"])
def test_a_zone_that_is_no_iana_name_is_refused_everywhere(zone: str) -> None:
    for ask in (
        lambda: check_zone(zone),
        lambda: parse_moment("2024-01-01", zone, "start"),
        lambda: local_instants_us(zone, np.array(["2024-01-01"], "datetime64[us]")),
        lambda: calendar(zone, GroupBy.TOTAL, 0, 1),
    ):
        with pytest.raises(BadInput) as refused:
            ask()
        assert len(refused.value.sentence) < 200


def test_a_zone_with_a_slip_is_told_the_name_that_would_be_right() -> None:
    with pytest.raises(BadInput, match="Europe/Lisbon"):
        check_zone("europe/lisbon")
    with pytest.raises(BadInput, match="America/New_York"):
        check_zone("America/NewYork")
    check_zone("Asia/Kathmandu")


# --- moments


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2024-07-01", "Europe/Lisbon", "2024-06-30T23:00:00"),
        ("2024-07-01T00:00", "Europe/Lisbon", "2024-06-30T23:00:00"),
        ("2024-07-01 12:30:15", "UTC", "2024-07-01T12:30:15"),
        ("2024-07-01T12:30:15.25", "UTC", "2024-07-01T12:30:15.250000"),
        ("2024-07-01T12:30:15.123456789Z", "Europe/Lisbon", "2024-07-01T12:30:15.123456"),
        ("2024-07-01T00:00:00+05:45", "Europe/Lisbon", "2024-06-30T18:15:00"),
        ("2024-07-01t00:00:00z", "Asia/Tokyo", "2024-07-01T00:00:00"),
        ("2024-07-01T00:00-0330", "UTC", "2024-07-01T03:30:00"),
        ("2024-07-01T00:00+02", "UTC", "2024-06-30T22:00:00"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00"),
        ("2024-03-31T01:30", "Europe/Lisbon", "2024-03-31T01:00:00"),
        ("2024-10-27T01:30", "Europe/Lisbon", "2024-10-27T00:30:00"),
        ("2024-02-29", "UTC", "2024-02-29T00:00:00"),
        ("1970-01-01", "Asia/Tokyo", "1969-12-31T15:00:00"),
        ("2200-12-31", "UTC", "2200-12-31T00:00:00"),
    ],
)
def test_a_moment_is_a_civil_date_or_wall_time_of_the_zone_unless_it_has_an_offset(
    text: str, zone: str, expected: str
) -> None:
    assert parse_moment(text, zone, "start") == us(expected)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "NaN",
            "now",
            "-1",
            "+2024-01-01",
            "-2024-01-01",
            "2024",
            "2024-01",
            "20240101",
            "2024-1-1",
            "1704067200",
        ),
        *("2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "2024-01-01T24:00", "2024-01-01T10", "2024-W01-1"),
        *("2024-01-01T10:60", "2024-01-01T10:00:60", "2024-01-01T10:00+24:00", "2024-01-01T10:00+01:60", "2024-01-01Z"),
        *("1969-12-31", "2201-01-01", "0000-01-01", "9999-12-31", "2024-01-01\n", "2024-01-01\x00", " 2024-01-01"),
        *("٢٠٢٤-٠١-٠١", "2024-01-01T00:00:00 01:00", "9" * 400, "2024-01-01" + "0" * 10**6, "2024-01-01T00:00:00.Z"),
    ],
)
def test_what_is_no_moment_is_refused_with_its_place_and_a_short_printable_reason(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_moment(text, "Europe/Lisbon", "start")
    (fault,) = refused.value.faults
    assert fault.where == "start"
    assert fault.why.isprintable()
    assert len(fault.why) < 250


def test_an_offset_whose_plus_was_lost_in_a_url_is_explained() -> None:
    with pytest.raises(BadInput, match="%2B"):
        parse_moment("2024-01-01T00:00:00 01:00", "UTC", "start")


@settings(deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d)?"))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        at_us = parse_moment(text, "Europe/Lisbon", "start")
    except BadInput:
        return
    assert us("1969-12-30") < at_us < us("2201-01-02")


# --- clock labels


def walls(*labels: str) -> np.ndarray:
    return np.array([f"2024-10-27T{label}" for label in labels], "datetime64[us]")


def test_clock_labels_that_stand_twice_are_first_one_pass_then_the_other() -> None:
    consecutive = walls("00:30", "01:00", "01:30", "01:00", "01:30", "02:00")
    found = [utc(at) for at in local_instants_us("Europe/Lisbon", consecutive).tolist()]
    assert [at[11:] for at in found] == ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]
    interleaved = walls("01:00", "01:00", "01:30", "01:30", "02:00")
    found = [utc(at) for at in local_instants_us("Europe/Lisbon", interleaved).tolist()]
    assert [at[11:] for at in found] == ["00:00", "01:00", "00:30", "01:30", "02:00"]


def test_a_column_that_runs_newest_first_is_read_from_its_end() -> None:
    minutes = ["00", "15", "30", "45"]
    hours = ["00", "01", "01", "02", "03"]
    labels = walls(*(f"{hour}:{minute}" for hour in hours for minute in minutes))
    rising = local_instants_us("Europe/Lisbon", labels)
    assert (np.diff(rising) == QUARTER_US).all()
    assert (local_instants_us("Europe/Lisbon", labels[::-1]) == rising[::-1]).all()


@pytest.mark.parametrize(("single_repeat", "hour"), [("first", "00:30"), ("second", "01:30")])
def test_a_clock_label_that_stands_once_is_the_pass_that_is_chosen(single_repeat: str, hour: str) -> None:
    found = local_instants_us("Europe/Lisbon", walls("00:30", "01:30", "02:30"), single_repeat)  # type: ignore[arg-type]
    assert [utc(at)[11:] for at in found.tolist()] == ["23:30", hour, "02:30"]


def test_a_clock_label_that_spring_skips_is_moved_forward() -> None:
    labels = np.array(["2024-03-31T00:45", "2024-03-31T01:15", "2024-03-31T02:15"], "datetime64[m]")
    found = [utc(at)[11:] for at in local_instants_us("Europe/Lisbon", labels).tolist()]
    assert found == ["00:45", "01:15", "01:15"]


def test_a_missing_clock_label_is_refused_and_no_labels_give_none() -> None:
    with pytest.raises(BadInput):
        local_instants_us("UTC", np.array(["NaT"], "datetime64[us]"))
    assert local_instants_us("UTC", np.array([], "datetime64[us]")).tolist() == []


@settings(deadline=None, max_examples=50)
@given(ZONES, st.integers(FIRST_US // QUARTER_US, LAST_US // QUARTER_US), st.integers(2, 20_000))
def test_the_clock_labels_of_consecutive_quarters_give_the_quarters_again(zone: str, first: int, count: int) -> None:
    at_us = (first + np.arange(count)) * QUARTER_US
    cal = calendar(zone, GroupBy.QUARTERS, int(at_us[0]), int(at_us[-1]) + QUARTER_US)
    wall_us = at_us + cal.offset_s[:-1] * 1_000_000
    found = local_instants_us(zone, wall_us.astype("datetime64[us]"))
    labels, times = np.unique(wall_us, return_counts=True)
    # At the ends of the column one pass of a repeated hour may be cut off: such labels stand once, as the first pass.
    sure = np.isin(wall_us, labels[times == 2]) | (found == at_us)
    assert sure.sum() >= count - 4 * 24
    assert (found[sure] == at_us[sure]).all()
    assert (found[~sure] < at_us[~sure]).all()


# --- labels of instants


def test_labels_name_the_local_time_with_its_offset_or_utc_with_a_z() -> None:
    at_us = np.array([us("2024-03-31T00:00:00"), us("2024-12-31T23:59:59"), us("1969-12-31T12:00:00")])
    assert iso_labels(at_us, None) == ["2024-03-31T00:00:00Z", "2024-12-31T23:59:59Z", "1969-12-31T12:00:00Z"]
    assert iso_labels(at_us, np.array([0, 20_700, -12_600])) == [
        "2024-03-31T00:00:00+00:00",
        "2025-01-01T05:44:59+05:45",
        "1969-12-31T08:30:00-03:30",
    ]
    assert iso_labels(at_us[:0], None) == []


def test_labels_tell_fractions_of_a_second_where_there_are_any() -> None:
    assert iso_labels(np.array([1_500_000, 2_000_000]), None) == [
        "1970-01-01T00:00:01.500000Z",
        "1970-01-01T00:00:02.000000Z",
    ]


@settings(deadline=None)
@given(ZONES | st.just("Africa/Monrovia"), st.lists(st.integers(0, LAST_US), min_size=1, max_size=50), st.booleans())
def test_a_label_read_again_is_the_same_instant(zone: str, instants: list[int], in_utc: bool) -> None:
    offset_s = [offset_s_at(at, zone) for at in instants]
    labels = iso_labels(np.array(instants), None if in_utc else np.array(offset_s))
    assert [(datetime.fromisoformat(label) - EPOCH) // US for label in labels] == instants


def test_the_buckets_as_json_touch_each_other_and_span_the_range() -> None:
    cal = dates("Europe/Lisbon", GroupBy.DAILY, "2024-03-30", "2024-04-02")
    assert json.loads(bucket_json(cal)) == [
        {"start": "2024-03-30T00:00:00+00:00", "end": "2024-03-31T00:00:00+00:00"},
        {"start": "2024-03-31T00:00:00+00:00", "end": "2024-04-01T00:00:00+01:00"},
        {"start": "2024-04-01T00:00:00+01:00", "end": "2024-04-02T00:00:00+01:00"},
    ]
