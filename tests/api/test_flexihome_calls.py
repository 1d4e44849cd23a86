"""FlexiHome's calls: parameters, fields, buckets, users, newest values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from homes import WRITE, Api, Home, expect_error, new_id

DAY = datetime(2024, 5, 10, tzinfo=UTC)
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
COUNT = 3 * 96 + 1  # three days
IMPORTED = [1_000_000 + 25 * i for i in range(COUNT)]  # Wh: 100 an hour
EXPORTED = [500_000 + 10 * i for i in range(COUNT)]  # Wh: 40 an hour
POWER = [400 + i % 4 for i in range(COUNT)]  # W: 401.5 in an hour
VOLTAGE = [Decimal("230.125") + i % 2 for i in range(COUNT)]  # V: 230.625 in an hour

#: path: units, the value of a whole hour, the newest value
HISTORIC: dict[str, tuple[str, Decimal, Decimal]] = {
    "energy-consumption": ("Wh", Decimal(100), Decimal(1_007_200)),
    "energy-injection": ("Wh", Decimal(40), Decimal(502_880)),
    "power-consumption": ("W", Decimal("401.5"), Decimal(400)),
    "power-injection": ("W", Decimal("201.5"), Decimal(200)),
    "voltage": ("V", Decimal("230.62"), Decimal("230.12")),  # 2 decimals of …25, to even
}
ENERGIES = ("energy-consumption", "energy-injection")


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def hub(api: Api) -> Home:
    """A home whose hub sent three days of quarter-hourly telemetry by its key."""
    key = new_id()
    home = Home(api, api_key=key)
    lines = [
        f"{key} energyImported={IMPORTED[i]},energyExported={EXPORTED[i]},powerImported={POWER[i]},"
        f"powerExported={POWER[i] - 200},voltage={VOLTAGE[i]} {int((DAY + i * QUARTER).timestamp())}"
        for i in range(COUNT)
    ]
    answer = api.call("POST", WRITE, content="\n".join(lines), params={"precision": "s"})
    assert answer.status_code == 204, answer.text
    return home


def ask(api: Api, path: str, query: Any, token: str = "service") -> Any:
    answer = api.get(f"/{path}", query, token=token)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def metrics(hub: Home, path: str, start: datetime, end: datetime | None, **more: str) -> list[dict[str, Any]]:
    query = {"user_ids": hub.id, "start_date": text(start), **more}
    if end is not None:
        query["end_date"] = text(end)
    told = ask(hub.api, path, query)
    assert [set(one) for one in told] == [{"user_id", "metrics"}]
    assert told[0]["user_id"] == hub.id
    found: list[dict[str, Any]] = told[0]["metrics"]
    assert [one["slot_number"] for one in found] == list(range(1, len(found) + 1))
    assert all(set(one) == {"timestamp", "value", "units", "slot_number"} for one in found)
    return found


# --- buckets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", HISTORIC)
def test_an_hour_is_told_with_its_start_value_units_and_slot(hub: Home, path: str) -> None:
    units, value, _ = HISTORIC[path]
    told = metrics(hub, path, DAY, DAY + 3 * HOUR - timedelta(seconds=1), group_by="hourly")
    hours = [text(DAY + i * HOUR) for i in range(3)]
    assert [one["timestamp"] for one in told] == hours
    assert {one["units"] for one in told} == {units}
    # the last energy ends a second early: 100 Wh · 3599 / 3600 is 99.97
    last = {"energy-consumption": Decimal("99.97"), "energy-injection": Decimal("39.99")}.get(path, value)
    assert [one["value"] for one in told] == [value, value, last]


@pytest.mark.parametrize(
    ("group_by", "end", "starts"),
    [
        ("15_mins", DAY + HOUR, [DAY + i * QUARTER for i in range(5)]),
        ("hourly", DAY + 2 * HOUR, [DAY + i * HOUR for i in range(3)]),
        ("daily", DAY + 30 * HOUR, [DAY, DAY + 24 * HOUR]),
        (None, DAY + 30 * HOUR, [DAY, DAY + 24 * HOUR]),
        ("weekly", DAY + timedelta(days=8), [DAY, DAY + timedelta(days=7)]),
        ("monthly", DAY + timedelta(days=30), [datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)]),
        ("yearly", DAY + timedelta(days=1), [datetime(2024, 1, 1, tzinfo=UTC)]),
    ],
)
def test_the_bucket_that_contains_the_end_is_the_last(
    hub: Home, group_by: str | None, end: datetime, starts: list[datetime]
) -> None:
    more = {} if group_by is None else {"group_by": group_by}
    told = metrics(hub, "energy-consumption", DAY, end, **more)
    assert [one["timestamp"] for one in told] == [text(one) for one in starts]


def test_a_week_is_seven_days_from_the_midnight_of_the_start(hub: Home) -> None:
    start = DAY - timedelta(days=5) + timedelta(hours=13)  # a Sunday afternoon
    told = metrics(hub, "energy-consumption", start, DAY + timedelta(days=3), group_by="weekly")
    assert [one["timestamp"] for one in told] == ["2024-05-05T00:00:00Z", "2024-05-12T00:00:00Z"]
    assert [one["value"] for one in told] == [4800, 2400]  # two days of 100 Wh an hour, and one


def test_the_first_bucket_holds_only_what_flowed_from_the_start_on(hub: Home) -> None:
    told = metrics(hub, "energy-consumption", DAY + HOUR / 2, DAY + 3 * HOUR / 2, group_by="hourly")
    assert [(one["timestamp"], one["value"]) for one in told] == [
        ("2024-05-10T00:00:00Z", 50),
        ("2024-05-10T01:00:00Z", 50),
    ]


@pytest.mark.parametrize("path", [one for one in HISTORIC if one not in ENERGIES])
def test_a_sample_at_the_very_end_is_counted(hub: Home, path: str) -> None:
    told = metrics(hub, path, DAY, DAY + HOUR, group_by="hourly")
    first = {"power-consumption": 400, "power-injection": 200, "voltage": Decimal("230.12")}[path]
    assert [one["value"] for one in told] == [HISTORIC[path][1], first]


@pytest.mark.parametrize("path", HISTORIC)
def test_what_is_not_known_is_null(hub: Home, path: str) -> None:
    told = metrics(hub, path, DAY - 2 * HOUR, DAY + HOUR - QUARTER, group_by="hourly")
    assert [one["value"] is None for one in told] == [True, True, False]


def test_buckets_are_civil_days_of_a_named_zone(hub: Home) -> None:
    start = DAY - HOUR  # midnight in Lisbon
    told = metrics(hub, "energy-consumption", start, DAY + 22 * HOUR, timezone="Europe/Lisbon")
    assert [(one["timestamp"], one["value"]) for one in told] == [("2024-05-09T23:00:00Z", 2200)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-05-10T00:00:00Z", "2024-05-10T01:59:59Z"),
        ("2024-05-10T00:00:00", "2024-05-10T01:59:59"),
        ("2024-05-10 00:00:00", "2024-05-10 01:59:59"),
        ("2024-05-10", "2024-05-10T01:59:59.000Z"),
        ("2024-05-10T02:00:00+02:00", "2024-05-09T20:59:59-05:00"),
    ],
)
def test_a_moment_may_be_written_in_many_ways(hub: Home, start: str, end: str) -> None:
    query = {"user_ids": hub.id, "start_date": start, "end_date": end, "group_by": "hourly"}
    told = ask(hub.api, "energy-consumption", query)[0]["metrics"]
    assert [(one["timestamp"], one["value"]) for one in told] == [
        ("2024-05-10T00:00:00Z", 100),
        ("2024-05-10T01:00:00Z", Decimal("99.97")),
    ]


def test_without_an_end_it_is_now(hub: Home) -> None:
    told = metrics(hub, "energy-consumption", DAY, None, group_by="monthly")
    assert told[0]["value"] == 7200
    assert told[-1]["timestamp"] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")


# --- users ------------------------------------------------------------------------------------------------------------

PERIOD = {"start_date": text(DAY), "end_date": text(DAY + HOUR), "group_by": "hourly"}
OF_MANY = [*HISTORIC, *(f"{one}-last" for one in HISTORIC), "energy-consumed-forecast-vs-real"]


def period_of(path: str) -> dict[str, str]:
    return {} if path.endswith("-last") else PERIOD


@pytest.mark.parametrize("path", OF_MANY)
def test_users_are_named_by_commas_or_by_repetition(hub: Home, path: str) -> None:
    users = [hub.id, Home(hub.api).id, Home(hub.api).id]
    rest = list(period_of(path).items())
    ways = [
        [("user_ids", ",".join(users))],
        [("user_ids", one) for one in users],
        [("user_ids", ",".join(users[:2])), ("user_ids", users[2])],
        [("user_ids", f" {users[0]} ,,{users[1]},"), ("user_ids", users[2]), ("user_ids", users[0])],
    ]
    told = [ask(hub.api, path, [*way, *rest]) for way in ways]
    assert [one["user_id"] for one in told[0]] == users
    assert told == [told[0]] * 4


@pytest.mark.parametrize("path", OF_MANY)
def test_an_unknown_user_beside_a_known_one_is_named(hub: Home, path: str) -> None:
    stranger = new_id()
    query = {"user_ids": f"{hub.id},{stranger}", **period_of(path)}
    told = expect_error(hub.api.get(f"/{path}", query), 404, "not_found")
    assert stranger in told["error"]
    assert hub.id not in told["error"]


@pytest.mark.parametrize("path", OF_MANY)
def test_a_home_may_not_ask_for_another_beside_itself(hub: Home, path: str) -> None:
    own = Home(hub.api)
    for ids in (hub.id, f"{own.id},{hub.id}", new_id()):
        query = {"user_ids": ids, **period_of(path)}
        expect_error(hub.api.get(f"/{path}", query, token=own.token), 403, "forbidden")


@pytest.mark.parametrize("path", [one for one in OF_MANY if "forecast" not in one])
@pytest.mark.parametrize("ids", ["", ",", " "])
def test_no_user_is_no_question(api: Api, path: str, ids: str) -> None:
    told = expect_error(api.get(f"/{path}", {"user_ids": ids, **period_of(path)}), 400, "bad_input")
    assert told["details"][0]["where"] == "user_ids"


@pytest.mark.parametrize("path", OF_MANY)
def test_more_users_than_a_query_may_name_are_refused_with_the_limit(api: Api, path: str) -> None:
    query = {"user_ids": ",".join(f"u{i}" for i in range(1001)), **period_of(path)}
    told = expect_error(api.get(f"/{path}", query), 400, "bad_input")
    assert told["details"][0]["where"] == "user_ids"
    assert "1000" in told["details"][0]["why"]


@pytest.mark.parametrize("path", HISTORIC)
def test_many_users_over_very_many_buckets_are_refused_and_not_worked_out(api: Api, path: str) -> None:
    homes = [Home(api).id for _ in range(20)]
    query = {"user_ids": ",".join(homes), "start_date": "2019-01-01", "end_date": "2024-01-01", "group_by": "15_mins"}
    told = expect_error(api.get(f"/{path}", query), 400, "bad_input")
    assert "buckets" in told["details"][0]["why"]


def test_an_id_may_have_64_letters(api: Api) -> None:
    one = "a" * 64
    assert api.call("PUT", f"/households/{one}", json={}).status_code in (200, 201)
    assert ask(api, "voltage-last", {"user_ids": one})[0]["user_id"] == one


# --- newest values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", HISTORIC)
def test_the_newest_value_is_told_with_its_instant(hub: Home, path: str) -> None:
    units, _, newest = HISTORIC[path]
    told = ask(hub.api, f"{path}-last", {"user_ids": hub.id})
    assert told == [{"user_id": hub.id, "timestamp": "2024-05-13T00:00:00Z", "value": newest, "units": units}]


@pytest.mark.parametrize("path", HISTORIC)
def test_a_home_without_readings_has_no_metrics_and_a_newest_value_of_null(hub: Home, path: str) -> None:
    home = Home(hub.api)
    told = ask(home.api, path, {"user_ids": f"{home.id},{hub.id}", **PERIOD})
    assert told[0] == {"user_id": home.id, "metrics": []}
    assert len(told[1]["metrics"]) == 2
    told = ask(home.api, f"{path}-last", {"user_ids": home.id})
    units = HISTORIC[path][0]
    assert told == [{"user_id": home.id, "timestamp": "1970-01-01T00:00:00Z", "value": None, "units": units}]


def test_an_older_reading_that_comes_late_is_not_the_newest(api: Api) -> None:
    home = Home(api)
    home.write(quantity="voltage", kind="sample", unit="V", at=["2024-05-10T12:00:00Z"], value=[231])
    home.write(quantity="voltage", kind="sample", unit="V", at=["2024-05-10T11:00:00Z"], value=[229])
    told = ask(api, "voltage-last", {"user_ids": home.id})[0]
    assert (told["timestamp"], told["value"]) == ("2024-05-10T12:00:00Z", 231)


# --- consumed, and its forecast ---------------------------------------------------------------------------------------


def test_consumption_is_told_in_kwh_by_the_start_of_the_bucket(hub: Home) -> None:
    query = {"user_id": hub.id, "start_date": text(DAY), "end_date": text(DAY + HOUR), "group_by": "hourly"}
    told = ask(hub.api, "power-consumed-real", query)
    assert [one["user_id"] for one in told] == [hub.id]
    assert told[0]["real"] == [
        {"timestamp": "2024-05-10T00:00:00Z", "energy": Decimal("0.1"), "units": "kWh", "slot_number": 1},
        {"timestamp": "2024-05-10T01:00:00Z", "energy": told[0]["real"][1]["energy"], "units": "kWh", "slot_number": 2},
    ]
    assert told[0]["real"][1]["energy"] in (None, 0), "the instant of the end alone"


def test_consumption_of_a_home_without_a_dongle_is_its_smart_meters(api: Api) -> None:
    meter = new_id()
    home = Home(api, meter_id=meter)
    lines = [f"{meter} meterPowerImported=0.25 {int((DAY + i * QUARTER).timestamp())}" for i in range(96)]
    assert api.call("POST", WRITE, content="\n".join(lines), params={"precision": "s"}).status_code == 204
    query = {"user_id": home.id, "start_date": text(DAY), "end_date": text(DAY + 24 * HOUR - QUARTER / 900)}
    assert [one["energy"] for one in ask(api, "power-consumed-real", query)[0]["real"]] == [24]


@pytest.mark.parametrize("start", [DAY - timedelta(days=30), DAY + timedelta(days=30)])
def test_consumption_of_which_nothing_is_known_has_no_buckets(hub: Home, start: datetime) -> None:
    query = {"user_id": hub.id, "start_date": text(start), "end_date": text(start + 24 * HOUR)}
    assert ask(hub.api, "power-consumed-real", query)[0]["real"] == []


def test_a_home_is_told_its_own_consumption_beside_the_forecast_without_naming_itself(hub: Home) -> None:
    named = ask(hub.api, "energy-consumed-forecast-vs-real", {"user_ids": hub.id, **PERIOD})
    assert [set(one) for one in named] == [{"user_id", "forecast", "real"}]
    assert named[0]["real"][0]["energy"] == Decimal("0.1")
    assert ask(hub.api, "energy-consumed-forecast-vs-real", PERIOD, hub.token) == named
    assert ask(hub.api, "energy-consumed-forecast-vs-real", PERIOD, hub.device()["token"]) == named
    expect_error(hub.api.get("/energy-consumed-forecast-vs-real", PERIOD), 400, "bad_input")


# --- refusals ---------------------------------------------------------------------------------------------------------

BAD_PERIODS: dict[str, tuple[dict[str, str], str, str]] = {
    "an unknown grouping": ({"group_by": "fortnightly"}, "group_by", "15_mins, hourly, daily, weekly, monthly, yearly"),
    "a grouping of ours": ({"group_by": "billing"}, "group_by", "15_mins, hourly, daily, weekly, monthly, yearly"),
    "an end before the start": ({"end_date": "2024-05-09"}, "end_date", "before start_date"),
    "an unknown zone": ({"timezone": "Europe/Atlantis"}, "timezone", "IANA"),
    "a start of a word": ({"start_date": "yesterday"}, "start_date", "2024-03-31"),
    "an end of a word": ({"end_date": "tomorrow"}, "end_date", "2024-03-31"),
    "epoch seconds": ({"start_date": "1715299200"}, "start_date", "2024-03-31"),
    "year 9999": ({"end_date": "9999-01-01"}, "end_date", "2200"),
    "a century of quarter-hours": (
        {"start_date": "2000-01-01", "end_date": "2100-01-01", "group_by": "15_mins"},
        "group_by",
        "200000",
    ),
}


@pytest.mark.parametrize("what", BAD_PERIODS)
@pytest.mark.parametrize("path", [*HISTORIC, "power-consumed-real", "energy-consumed-forecast-vs-real"])
def test_a_period_that_can_not_be_is_refused(hub: Home, path: str, what: str) -> None:
    wrong, where, right = BAD_PERIODS[what]
    query = {"user_id" if path == "power-consumed-real" else "user_ids": hub.id, **PERIOD, **wrong}
    told = expect_error(hub.api.get(f"/{path}", query), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]
    assert right in told["details"][0]["why"]


def test_all_faults_of_a_period_are_told_at_once(hub: Home) -> None:
    wrong = {"start_date": "a", "end_date": "b", "group_by": "c", "timezone": "d"}
    told = expect_error(hub.api.get("/voltage", {"user_ids": hub.id, **wrong}), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == set(wrong)


@pytest.mark.parametrize("day", ["2024-05-10", "2024-05-10T12:00:00Z", "2024-05-10T23:00:00-05:00", "2024-05-10 08:00"])
def test_a_day_without_a_carbon_forecast_is_not_found(hub: Home, day: str) -> None:
    told = expect_error(hub.api.get("/ecosignal-forecast", {"forecast_day": day}, token=hub.token), 404, "not_found")
    assert "2024-05-10" in told["error"]


@pytest.mark.parametrize("day", ["", "someday", "2024-02-30", "2024-13-01", "20240510", "2024-05-10x", "1715299200",
                                 "2024-05-10Tfoo", "2024-05-10T25:00:00Z", "2024-05-10 "])  # fmt: skip
def test_a_carbon_forecast_needs_a_day(api: Api, day: str) -> None:
    told = expect_error(api.get("/ecosignal-forecast", {"forecast_day": day}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["forecast_day"]


PRODUCERS: dict[str, dict[str, str]] = {
    "trigger-computed-forecast-producer": {"forecast_day": "2024-05-10"},
    "mock-consumption-curve-producer": {"start_date": "2024-05-10T00:00:00Z", "delivery_time": "60"},
    "users-get-real-data-producer": {"start_datetime": "2024-05-10T00:00:00Z", "end_datetime": "2024-05-11T00:00:00Z"},
}
BAD_EVENTS = [
    ("trigger-computed-forecast-producer", {"forecast_day": "someday"}, "forecast_day"),
    ("mock-consumption-curve-producer", {"start_date": "someday"}, "start_date"),
    ("mock-consumption-curve-producer", {"delivery_time": "14"}, "delivery_time"),
    ("mock-consumption-curve-producer", {"delivery_time": "an hour"}, "delivery_time"),
    ("mock-consumption-curve-producer", {"delivery_time": "-60"}, "delivery_time"),
    ("users-get-real-data-producer", {"start_datetime": "someday"}, "start_datetime"),
    ("users-get-real-data-producer", {"end_datetime": "2024-05-09"}, "end_datetime"),
]


@pytest.mark.parametrize(("path", "wrong", "where"), BAD_EVENTS)
def test_an_event_that_can_not_be_is_refused(hub: Home, path: str, wrong: dict[str, str], where: str) -> None:
    query = {"user_id": hub.id, **PRODUCERS[path], **wrong}
    told = expect_error(hub.api.call("POST", f"/{path}", params=query), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]


@pytest.mark.parametrize("path", PRODUCERS)
def test_an_event_for_an_unknown_user_is_refused(api: Api, path: str) -> None:
    query = {"user_id": new_id(), **PRODUCERS[path]}
    expect_error(api.call("POST", f"/{path}", params=query), 404, "not_found")
