"""/energy-consumption, /energy-injection, /power-consumption, /power-injection, /voltage: values in buckets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hems import BASE, ENERGY, GROUPINGS, HISTORIC, SAMPLED, UNITS, Hems, Household, starts, values
from hub import CUT, DAY, FAMILY_END, HOUR, HubHome, Telemetry, at, buckets, check, family, flat, iso, silent

SECOND = timedelta(seconds=1)
#: Of each grouping a range that cuts its first and its last bucket.
RANGES = {
    "15_mins": ("2024-03-13T22:07:30", "2024-03-14T08:52:11"),
    "hourly": ("2024-03-13T10:20:00", "2024-03-15T17:40:59"),
    "daily": ("2024-03-08T13:00:00", "2024-03-31T05:30:00"),
    "weekly": ("2024-02-07T13:00:00", "2024-03-20T01:00:00"),
    "monthly": ("2023-03-11T00:00:00", "2024-02-17T11:11:11"),
    "yearly": ("2023-03-11T00:00:00", "2024-04-01T00:00:01"),
}


def period(user: str, start: datetime, end: datetime, group_by: str | None = None, **more: str) -> dict[str, str]:
    grouping = {} if group_by is None else {"group_by": group_by}
    return {"user_ids": user, "start_date": iso(start), "end_date": iso(end), **grouping, **more}


@pytest.mark.parametrize("group_by", GROUPINGS)
@pytest.mark.parametrize("path", HISTORIC)
def test_the_app_reads_each_bucket_of_its_home(hems: Hems, path: str, group_by: str) -> None:
    home, (start, end) = family(hems), map(at, RANGES[group_by])
    told = home.app.metrics(path, period(home.id, start, end, group_by))
    asked = buckets(group_by, start, end)
    assert starts(told) == [iso(one.label) for one in asked]
    check(values(told), home.telemetry.expected(path, asked), UNITS[path])


@pytest.mark.parametrize("path", HISTORIC)
def test_without_a_grouping_buckets_are_days(hems: Hems, path: str) -> None:
    home, start, end = family(hems), at("2024-03-08"), at("2024-03-12T23:59:59")
    told = home.app.metrics(path, period(home.id, start, end))
    assert told == home.app.metrics(path, period(home.id, start, end, "daily"))
    assert starts(told) == [iso(start + i * DAY) for i in range(5)]


@pytest.mark.parametrize("path", HISTORIC)
def test_the_manager_reads_many_homes_at_once_named_by_repetition(hems: Hems, path: str) -> None:
    homes: list[Household] = [flat(hems), family(hems), silent(hems)]
    start, end = at("2024-03-09"), at("2024-03-10T23:59:59")
    rest = [("start_date", iso(start)), ("end_date", iso(end)), ("group_by", "hourly")]
    told = hems.manager.get(path, [*(("user_ids", one.id) for one in homes), *rest])
    assert [one["user_id"] for one in told] == [one.id for one in homes]
    assert told == hems.manager.get(path, [("user_ids", ",".join(one.id for one in homes)), *rest])
    asked = buckets("hourly", start, end)
    check(values(told[1]["metrics"]), family(hems).telemetry.expected(path, asked), UNITS[path])
    assert told[2]["metrics"] == []


def test_energy_of_a_home_without_a_dongle_is_its_smart_meters(hems: Hems) -> None:
    home, start, end = flat(hems), at("2024-03-09"), at("2024-03-11T23:59:59.999999")
    told = hems.manager.metrics(
        "energy-consumption", {**period(home.id, start, end, "daily"), "end_date": "2024-03-11T23:59:59.999999Z"}
    )
    whole = [home.between(one) for one in buckets("daily", start, end + timedelta(microseconds=1))][:3]
    check(values(told), [1000 * one for one in whole if one is not None], "Wh")
    for path in HISTORIC[1:]:
        nothing = hems.manager.metrics(path, period(home.id, start, end, "daily"))
        assert values(nothing) == [None] * 3, "the home is known, and no such thing was measured"


@pytest.mark.parametrize("path", HISTORIC)
def test_a_household_without_any_data_has_no_metrics(hems: Hems, path: str) -> None:
    home = silent(hems)
    query = period(home.id, at("2024-03-09"), at("2024-03-11"), "hourly")
    assert home.app.get(path, query) == [{"user_id": home.id, "metrics": []}]


@pytest.mark.parametrize("path", HISTORIC)
def test_what_lies_before_and_behind_the_telemetry_is_null(hems: Hems, path: str) -> None:
    home = family(hems)
    for start in (at("2022-06-01"), FAMILY_END + DAY):
        told = home.app.metrics(path, period(home.id, start, start + 3 * DAY - SECOND, "daily"))
        assert values(told) == [None] * 3
    start = FAMILY_END - 2 * HOUR
    told = home.app.metrics(path, period(home.id, start, start + 4 * HOUR - SECOND, "hourly"))
    assert [one is None for one in values(told)] == [False, False, True, True]


@pytest.mark.parametrize("path", SAMPLED)
def test_an_hour_without_samples_is_null_inside_the_telemetry_too(hems: Hems, path: str) -> None:
    home = family(hems)
    told = home.app.metrics(path, period(home.id, CUT, CUT + 8 * HOUR - SECOND, "hourly"))
    assert [i for i, one in enumerate(values(told)) if one is None] == [2, 3, 4, 5]


@pytest.mark.parametrize("path", ENERGY)
def test_energy_goes_on_through_a_gap_that_the_register_bridges(hems: Hems, path: str) -> None:
    home = family(hems)
    asked = buckets("hourly", CUT, CUT + 8 * HOUR - SECOND)
    told = home.app.metrics(path, period(home.id, CUT, CUT + 8 * HOUR - SECOND, "hourly"))
    check(values(told), home.telemetry.expected(path, asked), "Wh")


@pytest.mark.parametrize("path", ENERGY)
def test_the_parts_of_a_month_add_up_to_it(hems: Hems, path: str) -> None:
    home, start, end = family(hems), at("2024-02-01"), at("2024-02-29T23:59:59")
    (month,) = values(home.app.metrics(path, period(home.id, start, end, "monthly")))
    assert month is not None
    for group_by, count in (("15_mins", 29 * 96), ("hourly", 29 * 24), ("daily", 29), ("weekly", 5)):
        parts = values(home.app.metrics(path, period(home.id, start, end, group_by)))
        assert len(parts) == count
        whole = sum((one for one in parts if one is not None), Decimal(0))
        assert abs(whole - month) <= Decimal("0.005") * (count + 1)


@pytest.mark.parametrize("path", HISTORIC)
@pytest.mark.parametrize("unit", ["kWh", "MWh"])
def test_registers_in_another_unit_are_told_in_watt_hours(hems: Hems, unit: str, path: str) -> None:
    home = hems.shared(kilowatt_home if unit == "kWh" else megawatt_home)
    start, end = at("2024-05-01T06:00:00"), at("2024-05-02T17:59:59")
    told = home.app.metrics(path, period(home.id, start, end, "hourly"))
    check(values(told), home.telemetry.expected(path, buckets("hourly", start, end)), UNITS[path])


def kilowatt_home(hems: Hems) -> HubHome:
    return HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-03")), "kWh")


def megawatt_home(hems: Hems) -> HubHome:
    return HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-03")), "MWh")


@pytest.mark.parametrize("path", HISTORIC)
def test_an_end_that_begins_a_bucket_makes_it_the_last_one(hems: Hems, path: str) -> None:
    home = hems.shared(punctual_home)
    start = at("2024-06-03")
    told = home.app.metrics(path, period(home.id, start, start + 2 * HOUR, "hourly"))
    assert starts(told) == [iso(start + i * HOUR) for i in range(3)]
    of_the_instant = values(told)[-1]
    if path in ENERGY:
        assert of_the_instant in (None, 0), "no time, no energy"
    else:
        assert of_the_instant == 7, "the one sample at the very end counts"


def punctual_home(hems: Hems) -> HubHome:
    """A home whose readings lie on whole quarter-hours."""
    telemetry = Telemetry(at("2024-06-03"), at("2024-06-04"))
    telemetry.at = [at("2024-06-03") + i * timedelta(minutes=15) for i in range(96)]
    for column in (telemetry.power_in, telemetry.power_out, telemetry.volts):
        column[:] = [Decimal(230)] * 8 + [Decimal(7)] + [Decimal(230)] * 87
    return HubHome(hems, telemetry)


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("group_by", ["daily", "weekly", "monthly", "yearly"])
@pytest.mark.parametrize("path", ["energy-consumption", "voltage"])
def test_buckets_are_civil_periods_of_a_named_zone(hems: Hems, path: str, group_by: str, zone: str) -> None:
    home, start, end = family(hems), at("2024-03-01T09:00:00"), at("2024-04-02T22:00:00")
    told = home.app.metrics(path, period(home.id, start, end, group_by, timezone=zone))
    asked = buckets(group_by, start, end, zone)
    assert starts(told) == [iso(one.label) for one in asked]
    check(values(told), home.telemetry.expected(path, asked), UNITS[path])


@pytest.mark.parametrize("path", HISTORIC)
def test_a_week_is_seven_days_from_the_midnight_of_the_start(hems: Hems, path: str) -> None:
    home, start = family(hems), at("2024-03-06T15:45:00")  # a Wednesday
    told = home.app.metrics(path, period(home.id, start, at("2024-03-20"), "weekly"))
    assert starts(told) == ["2024-03-06T00:00:00Z", "2024-03-13T00:00:00Z", "2024-03-20T00:00:00Z"]
    asked = buckets("weekly", start, at("2024-03-20"))
    assert asked[0].start == start, "the first holds only time from the start on"
    check(values(told)[:2], home.telemetry.expected(path, asked)[:2], UNITS[path])


@pytest.mark.parametrize("path", HISTORIC)
def test_without_an_end_it_is_now(hems: Hems, path: str) -> None:
    home = family(hems)
    told = home.app.metrics(path, {"user_ids": home.id, "start_date": "2024-01-01T00:00:00Z", "group_by": "monthly"})
    assert starts(told)[-1] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
    assert values(told)[-1] is None
    check(
        values(told)[:1],
        home.telemetry.expected(path, buckets("monthly", at("2024-01-01"), at("2024-01-31T23:59:59.999999")))[:1],
        UNITS[path],
    )


def test_no_energy_is_a_zero_and_not_null(hems: Hems) -> None:
    home = family(hems)
    start = at("2024-03-09")
    told = home.app.metrics("energy-injection", period(home.id, start, start + 6 * HOUR - SECOND, "hourly"))
    assert values(told) == [0] * 6, "at night the home exports nothing, and the register says so"


def test_the_newest_bucket_holds_what_is_known_of_it(hems: Hems) -> None:
    home = family(hems)
    last = home.telemetry.at[-1]
    start = last.replace(minute=0, second=0)
    told = home.app.metrics("energy-consumption", period(home.id, start, start + HOUR - SECOND, "hourly"))
    register = home.telemetry.source("energy-consumption")
    (bucket,) = buckets("hourly", start, start + HOUR - SECOND)
    known = register.between(bucket)
    assert isinstance(known, Fraction)
    assert known > 0
    check(values(told), [known], "Wh")


def test_others_are_answered_while_a_large_question_is_worked_out(hems: Hems) -> None:
    ids = [family(hems).id, flat(hems).id, silent(hems).id, *(Household(hems).id for _ in range(3))]
    query = period(",".join(ids), at("2021-01-01"), at("2024-12-31"), "15_mins")
    headers = {"Authorization": f"Bearer {hems.service.token()}"}

    def ask() -> int:
        with hems.http.stream("GET", f"{BASE}/energy-consumption", params=query, headers=headers) as answer:
            return answer.status_code  # which is there when the answer has been worked out, and is not yet sent

    with ThreadPoolExecutor(1) as pool:
        asked, between = pool.submit(ask), 0
        while not asked.done():
            assert hems.http.get("/health").status_code == 200
            between += not asked.done()
    assert asked.result() == 200
    assert between >= 2, "one may have been answered before the large question came"
