"""/power-consumed-real and /energy-consumed-forecast-vs-real: energy in kWh, measured and forecast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hems import BESIDE, GROUPINGS, REAL, Hems, Household, check_items, new_id, starts, values
from hub import (
    CUT,
    DAY,
    HOUR,
    MICROSECOND,
    HubHome,
    MeterHome,
    Telemetry,
    at,
    buckets,
    check,
    family,
    flat,
    iso,
    nanoseconds,
    silent,
)
from neighbours import Form
from upstream_server import wait_until

SECOND = timedelta(seconds=1)
#: Ranges on edges of steps of an hour; their ends are told to the microsecond.
RANGES = {
    "15_mins": ("2024-03-20T22:15:00", "2024-03-21T06:45:00"),
    "hourly": ("2024-03-20T06:00:00", "2024-03-21T19:00:00"),
    "daily": ("2024-03-20T13:00:00", "2024-03-22T18:00:00"),
    "weekly": ("2024-03-20T13:00:00", "2024-04-03T18:00:00"),
    "monthly": ("2024-02-20T00:00:00", "2024-04-03T18:00:00"),
    "yearly": ("2023-03-20T00:00:00", "2024-04-03T18:00:00"),
}


def period(start: datetime, end: datetime, group_by: str | None = None, **more: str) -> dict[str, str]:
    """Up to but without the end."""
    last = (end - MICROSECOND).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"start_date": iso(start), "end_date": last, **({} if group_by is None else {"group_by": group_by}), **more}


def real_of(told: Sequence[Any], user: str) -> list[dict[str, Any]]:
    """The measured side of one user's answer, its shape checked. `forecast` may be left out of this call's answer."""
    (one,) = told
    assert {"user_id", "real"} <= set(one) <= {"user_id", "forecast", "real"}
    assert one["user_id"] == user
    assert one.get("forecast", []) == []
    check_items(one["real"], "energy", "kWh")
    real: list[dict[str, Any]] = one["real"]
    return real


def both_of(told: Sequence[Any], user: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    (one,) = [item for item in told if item["user_id"] == user]
    assert set(one) == {"user_id", "forecast", "real"}
    check_items(one["forecast"], "energy", "kWh")
    check_items(one["real"], "energy", "kWh")
    return one["forecast"], one["real"]


def in_kwh(wh: Sequence[Fraction | None]) -> list[Fraction | None]:
    return [None if one is None else one / 1000 for one in wh]


# --- measured ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group_by", GROUPINGS)
def test_the_app_reads_what_its_home_consumed_by_the_dongles_register(hems: Hems, group_by: str) -> None:
    home, (start, end) = family(hems), map(at, RANGES[group_by])
    real = real_of(home.app.get(REAL, {"user_id": home.id, **period(start, end, group_by)}), home.id)
    asked = buckets(group_by, start, end - MICROSECOND)
    assert starts(real) == [iso(one.label) for one in asked]
    check(values(real, "energy"), in_kwh(home.telemetry.expected("energy-consumption", asked)), "kWh")


@pytest.mark.parametrize("group_by", GROUPINGS)
def test_the_manager_reads_what_a_home_without_a_dongle_consumed_by_its_smart_meter(hems: Hems, group_by: str) -> None:
    home, (start, end) = flat(hems), map(at, RANGES[group_by])
    real = real_of(hems.manager.get(REAL, {"user_id": home.id, **period(start, end, group_by)}), home.id)
    asked = buckets(group_by, start, end)[: len(real)]
    assert starts(real) == [iso(one.label) for one in buckets(group_by, start, end - MICROSECOND)]
    check(values(real, "energy"), [home.between(one) for one in asked], "kWh")


def test_where_there_are_both_the_dongle_is_believed_and_nothing_counts_twice(hems: Hems) -> None:
    home, start = hems.shared(both_home), at("2024-05-02")
    real = real_of(home.app.get(REAL, {"user_id": home.id, **period(start, start + DAY, "hourly")}), home.id)
    asked = buckets("hourly", start, start + DAY - MICROSECOND)
    check(values(real, "energy"), in_kwh(home.telemetry.expected("energy-consumption", asked)), "kWh")


def test_days_before_the_dongle_came_are_the_smart_meters(hems: Hems) -> None:
    home, start = hems.shared(both_home), at("2024-04-30")
    real = real_of(home.app.get(REAL, {"user_id": home.id, **period(start, start + DAY)}), home.id)
    assert values(real, "energy") == [96]


def both_home(hems: Hems) -> HubHome:
    """A home whose dongle came on the 1st of May; its smart meter says 1 kWh each quarter-hour, before and after."""
    meter_id = f"PT{new_id()}"
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-04")), meter_id=meter_id)
    lines = [
        f"{meter_id} meterPowerImported=1 {nanoseconds(at('2024-04-30') + i * timedelta(minutes=15))}"
        for i in range(4 * 96)
    ]
    hems.write(lines)
    return home


def test_the_register_of_the_dongle_is_converted_from_its_unit(hems: Hems) -> None:
    telemetry = Telemetry(at("2024-05-01"), at("2024-05-03"))
    start = at("2024-05-01T06:00:00")
    asked = buckets("hourly", start, start + DAY - MICROSECOND)
    for unit in ("Wh", "kWh", "MWh"):
        home = HubHome(hems, telemetry, unit)
        real = real_of(home.app.get(REAL, {"user_id": home.id, **period(start, start + DAY, "hourly")}), home.id)
        check(values(real, "energy"), in_kwh(telemetry.expected("energy-consumption", asked)), "kWh")


@pytest.mark.parametrize("start", [at("2022-01-01"), at("2025-01-01")])
def test_where_all_buckets_are_empty_there_are_none(hems: Hems, start: datetime) -> None:
    for home in (family(hems), flat(hems), silent(hems)):
        for group_by in GROUPINGS:
            told = home.app.get(REAL, {"user_id": home.id, **period(start, start + 2 * DAY, group_by)})
            assert real_of(told, home.id) == []


def test_a_bucket_of_which_nothing_is_known_beside_others_is_null(hems: Hems) -> None:
    home = flat(hems)
    told = home.app.get(REAL, {"user_id": home.id, **period(at("2024-02-28"), at("2024-03-03"))})
    assert [one is None for one in values(real_of(told, home.id), "energy")] == [True, True, False, False]


@pytest.mark.parametrize("user", [None, "", " "])
def test_consumption_is_asked_of_a_user(hems: Hems, user: str | None) -> None:
    query = period(at("2024-03-20"), at("2024-03-21"), **({} if user is None else {"user_id": user}))
    assert "user_id" in hems.manager.refused(400, REAL, query)


# --- beside its forecast ----------------------------------------------------------------------------------------------


def trigger(hems: Hems, home: Household, first: datetime, days: int) -> None:
    """Have forecasts fetched for days, as the energy manager does, and wait until they are stored."""
    for i in range(days):
        day = (first + i * DAY).date().isoformat()
        hems.manager.post("trigger-computed-forecast-producer", {"user_id": home.id, "forecast_day": day})
    query = {"user_ids": home.id, **period(first, first + days * DAY, "daily")}

    def is_there() -> bool:
        (told,) = hems.manager.get(BESIDE, query)
        return [one["energy"] is None for one in told["forecast"]] == [False] * days

    wait_until(is_there, what="the forecast")


def forecast_family(hems: Hems) -> HubHome:
    """A home whose forecasts of sixteen days are stored, quarter-hourly in kW."""
    home = HubHome(hems, Telemetry(at("2024-03-18"), at("2024-04-05")))
    trigger(hems, home, at("2024-03-19"), 16)
    return home


def forecast_flat(hems: Hems) -> MeterHome:
    """A smart meter's home whose forecasts are told hourly in W."""
    home = MeterHome(hems, at("2024-03-18"), [Decimal("0.25")] * 96 * 18)
    hems.forecasts.forms[home.id] = Form("W", HOUR)
    trigger(hems, home, at("2024-03-19"), 16)
    return home


@pytest.mark.parametrize("make", [forecast_family, forecast_flat])
@pytest.mark.parametrize("group_by", GROUPINGS)
def test_the_app_reads_its_forecast_beside_what_was_measured(hems: Hems, group_by: str, make: Any) -> None:
    home = hems.shared(make)
    start, end = map(at, RANGES[group_by])
    start = max(start, at("2024-03-19"))
    if make is forecast_flat and group_by == "15_mins":
        start, end = at("2024-03-20T22:00:00"), at("2024-03-21T06:00:00")
    forecast, real = both_of(home.app.get(BESIDE, period(start, end, group_by)), home.id)
    asked = buckets(group_by, start, end - MICROSECOND)
    assert starts(forecast) == starts(real) == [iso(one.label) for one in asked]
    whole = buckets(group_by, start, end)[: len(asked)]
    if make is forecast_family:
        check(values(forecast, "energy"), [hems.forecasts.kwh(home.id, one) for one in whole], "kWh")
        check(values(real, "energy"), in_kwh(home.telemetry.expected("energy-consumption", asked)), "kWh")
    elif group_by == "15_mins":
        hours = [hems.forecasts.kwh(home.id, one) / 4 for one in buckets("hourly", start, end)[:8]]
        check(values(forecast, "energy"), [one for one in hours for _ in range(4)], "kWh")
    else:
        check(values(forecast, "energy"), [hems.forecasts.kwh(home.id, one) for one in whole], "kWh")
        check(values(real, "energy"), [home.between(one) for one in whole], "kWh")


def test_the_manager_reads_many_homes_in_the_order_that_it_names(hems: Hems) -> None:
    homes: list[Household] = [silent(hems), hems.shared(forecast_flat), hems.shared(forecast_family)]
    rest = period(at("2024-03-20"), at("2024-03-22"))
    told = hems.manager.get(BESIDE, [*(("user_ids", one.id) for one in homes), *rest.items()])
    assert [one["user_id"] for one in told] == [one.id for one in homes]
    assert told == hems.manager.get(BESIDE, {"user_ids": ",".join(one.id for one in homes), **rest})
    assert told[0] == {"user_id": homes[0].id, "forecast": [], "real": []}
    for home in homes[1:]:
        forecast, real = both_of(told, home.id)
        assert len(forecast) == len(real) == 2
        assert told[homes.index(home)] == home.app.get(BESIDE, rest)[0]


def test_days_without_a_forecast_are_null_on_its_side_in_the_same_buckets(hems: Hems) -> None:
    home = hems.shared(forecast_family)
    forecast, real = both_of(home.app.get(BESIDE, period(at("2024-03-18"), at("2024-03-20"), "hourly")), home.id)
    assert starts(forecast) == starts(real)
    assert [one is None for one in values(forecast, "energy")] == [True] * 24 + [False] * 24
    assert [one is None for one in values(real, "energy")] == [False] * 48


def test_the_future_is_null_on_the_measured_side_in_the_same_buckets(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-03-18"), at("2024-03-19T12:00:00")))
    trigger(hems, home, at("2024-03-19"), 1)
    forecast, real = both_of(home.app.get(BESIDE, period(at("2024-03-19"), at("2024-03-20"), "hourly")), home.id)
    assert starts(forecast) == starts(real)
    assert [one is None for one in values(forecast, "energy")] == [False] * 24
    assert [one is None for one in values(real, "energy")] == [False] * 12 + [True] * 12


def test_a_side_of_which_nothing_is_known_is_empty(hems: Hems) -> None:
    measured, foretold = family(hems), Household(hems)
    forecast, real = both_of(measured.app.get(BESIDE, period(CUT, CUT + DAY)), measured.id)
    assert (forecast, len(real)) == ([], 1)
    trigger(hems, foretold, at("2024-03-19"), 1)
    forecast, real = both_of(foretold.app.get(BESIDE, period(at("2024-03-19"), at("2024-03-20"))), foretold.id)
    assert (len(forecast), real) == (1, [])


def test_the_measured_side_is_that_of_the_call_for_it_alone(hems: Hems) -> None:
    home = hems.shared(forecast_family)
    for group_by in GROUPINGS:
        rest = period(at("2024-03-19T05:00:00"), at("2024-03-29T11:00:00"), group_by)
        alone = home.app.get(REAL, {"user_id": home.id, **rest})
        assert both_of(home.app.get(BESIDE, rest), home.id)[1] == real_of(alone, home.id)


def test_the_forecast_of_a_day_is_asked_of_the_forecast_service_by_the_homes_own_day(hems: Hems) -> None:
    home = Household(hems, timezone="Europe/Lisbon")
    start = at("2024-05-09T23:00:00")  # midnight in Lisbon
    hems.manager.post("trigger-computed-forecast-producer", {"user_id": home.id, "forecast_day": "2024-05-10"})
    query = {"user_ids": home.id, "timezone": "Europe/Lisbon", **period(start, start + DAY)}
    wait_until(lambda: hems.manager.get(BESIDE, query)[0]["forecast"] != [], what="the forecast")
    asked = [one.query for one in hems.forecasts.server.asked("/get-forecast")]
    assert [one for one in asked if one["installation_code"] == f"{home.id}_consumption"] == [
        {
            "start_date": iso(start),
            "end_date": iso(start + DAY),
            "installation_code": f"{home.id}_consumption",
        }
    ]
    forecast, _ = both_of(hems.manager.get(BESIDE, query), home.id)
    (bucket,) = buckets("daily", start, start + DAY - SECOND, "Europe/Lisbon")
    whole = hems.forecasts.kwh(home.id, bucket)
    check(values(forecast, "energy"), [whole], "kWh")
