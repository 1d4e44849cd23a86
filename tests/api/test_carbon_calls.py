"""Carbon forecasts and intensities as clients see them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from homes import Api, Home, expect_error
from servers import RunningService
from upstream_server import UpstreamServer

SENTINEL = "/data/inesctec/forecast/co2-intensity"
FORECAST, INTENSITY = "/ecosignal-forecast", "/carbon-intensity"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: No country's, so that tests keep apart and days are those of UTC.
_ZONES = (f"X{a}-{b}{c}" for a, b, c in itertools.product("CDEFGH", _LETTERS, _LETTERS))


@pytest.fixture
def zone() -> str:
    """A zone that nobody else uses."""
    return next(_ZONES)


def hours(count: int = 24, day: str = "2024-05-10") -> list[str]:
    return [f"{day}T{i:02d}:00:00Z" for i in range(count)]


def body(zone: str, **more: Any) -> dict[str, Any]:
    told = {
        "zone": zone,
        "kind": "forecast",
        "issued_at": "2024-05-09T17:00:00Z",
        "interval": "PT1H",
        "unit": "gCO2eq/kWh",
    }
    return {**told, "at": hours(), "value": [100.125 + i for i in range(24)], **more}


def put(api: Api, zone: str, **more: Any) -> dict[str, int]:
    answer = api.post(INTENSITY, body(zone, **more))
    assert answer.status_code == 200, answer.text
    told: dict[str, int] = answer.json()
    return told


def ask(api: Api, zone: str, **more: Any) -> list[dict[str, Any]]:
    query = {"zone": zone, "start": "2024-05-10", "end": "2024-05-11", **more}
    answer = api.get(INTENSITY, query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"zone", "basis", "unit", "start", "end", "series"}
    series: list[dict[str, Any]] = told["series"]
    return series


def test_a_day_is_answered_as_flexihome_reads_it(each_api: Api, zone: str) -> None:
    assert put(each_api, zone) == {"accepted": 24, "duplicates": 0}
    answer = each_api.get(FORECAST, {"forecast_day": "2024-05-10", "zone": zone})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    issued = "2024-05-09T17:00:00Z"
    assert answer.json() == [
        {"datetime": at, "request": issued, "value": round(100.125 + i, 2), "unit": "gCO₂eq/kWh", "quality": "forecast",
         "updated_at": issued}
        for i, at in enumerate(hours())
    ]  # fmt: skip


@pytest.mark.parametrize("day", ["2024-05-10T12:00:00Z", "2024-05-10T23:00:00-05:00", "2024-05-10 08:00"])
def test_the_date_of_a_date_time_counts(api: Api, zone: str, day: str) -> None:
    put(api, zone)
    told = api.get(FORECAST, {"forecast_day": day, "zone": zone}).json()
    assert [one["datetime"] for one in told] == hours()


@pytest.mark.parametrize(("day", "count", "first"), [("2024-03-31", 23, "2024-03-31T00:00:00Z"),
                                                     ("2024-10-27", 25, "2024-10-26T23:00:00Z")])  # fmt: skip
def test_a_day_has_the_hours_of_its_time_zone(each_api: Api, zone: str, day: str, count: int, first: str) -> None:
    months = [f"{day[:8]}{d:02d}" for d in range(int(day[8:]) - 1, int(day[8:]) + 1)] + ["2024-04-01", "2024-10-28"]
    at = [one for date in months for one in hours(day=date)]
    put(each_api, zone, at=at, value=[7.0] * len(at), issued_at="2024-03-20")
    told = each_api.get(FORECAST, {"forecast_day": day, "zone": zone, "timezone": "Europe/Lisbon"}).json()
    assert (len(told), told[0]["datetime"]) == (count, first)
    assert {one["value"] for one in told} == {7.0}


def test_hours_that_are_not_known_are_null(api: Api, zone: str) -> None:
    put(api, zone, at=hours(2), value=[1, None])
    told = api.get(FORECAST, {"forecast_day": "2024-05-10", "zone": zone}).json()
    assert [one["value"] for one in told] == [1.0] + [None] * 23
    nothing = {"request": None, "value": None, "quality": "unknown", "updated_at": None}
    assert {key: told[1][key] for key in nothing} == nothing


def test_the_zone_of_the_household_that_asks_counts(each_api: Api, zone: str) -> None:
    put(each_api, zone)
    home = Home(each_api, zone=zone)
    for token in (home.token, home.device()["token"]):
        assert len(each_api.get(FORECAST, {"forecast_day": "2024-05-10"}, token=token).json()) == 24
    told = expect_error(each_api.get(FORECAST, {"forecast_day": "2024-05-10"}), 404, "not_found")
    assert "of PT is known for 2024-05-10" in told["error"]


def test_faults_of_a_question_are_told_at_once(api: Api) -> None:
    query = {"forecast_day": "someday", "zone": "portugal", "timezone": "Europe/Lisboa"}
    told = expect_error(api.get(FORECAST, query), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["forecast_day", "zone", "timezone"]
    query = {"zone": "pt", "start": "a", "end": "b", "kind": "c", "basis": "d", "as_of": "e", "foo": "f"}
    told = expect_error(api.get(INTENSITY, query), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == set(query)
    query = {"zone": "PT", "start": "2020-01-01", "end": "2024-01-01"}
    assert "at most 400 days" in expect_error(api.get(INTENSITY, query), 400)["error"]


# --- the series -------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_as_columns(each_api: Api, zone: str) -> None:
    put(each_api, zone, source="operator", boundary="direct", scope="production", value=list(range(24)))
    (told,) = ask(each_api, zone)
    assert told == {
        "source": "operator", "boundary": "direct", "scope": "production", "at": hours(), "length_s": [3600] * 24,
        "value": [float(i) for i in range(24)], "kind": ["forecast"] * 24, "issued_at": ["2024-05-09T17:00:00Z"] * 24,
        "updated_at": ["2024-05-09T17:00:00Z"] * 24,
    }  # fmt: skip
    assert ask(each_api, zone, source="another") == []
    assert ask(each_api, zone, basis="marginal") == []


def test_the_same_again_changes_nothing(each_api: Api, zone: str) -> None:
    for more in ({}, {"issued_at": None, "kind": "measured"}):
        put(each_api, zone, **more)
        before = ask(each_api, zone)
        assert put(each_api, zone, **more) == {"accepted": 0, "duplicates": 24}
        assert ask(each_api, zone) == before


def test_what_was_known_at_an_instant_can_be_asked_for(each_api: Api, zone: str) -> None:
    put(each_api, zone, at=hours(1), value=[1])
    put(each_api, zone, at=hours(1), value=[2], issued_at="2024-05-10T09:00:00Z")
    moments = ("2024-05-09", "2024-05-09T17:00:00Z", "2024-05-10T08:59:59Z", "2024-05-10T09:00:00Z")
    told = [[one["value"] for one in ask(each_api, zone, as_of=as_of)] for as_of in moments]
    assert told == [[], [[1.0]], [[1.0]], [[2.0]]]


def test_what_was_measured_counts_more_than_what_was_forecast(api: Api, zone: str) -> None:
    put(api, zone, at=hours(2), value=[1, 1])
    put(api, zone, at=hours(1), value=[3], kind="measured", issued_at="2024-05-09T16:00:00Z")
    assert [one["value"] for one in ask(api, zone)] == [[3.0, 1.0]]
    assert [one["value"] for one in ask(api, zone, kind="forecast")] == [[1.0, 1.0]]
    assert ask(api, zone, kind="estimated") == []


def test_instants_may_be_epoch_seconds_and_units_kilograms(api: Api, zone: str) -> None:
    put(api, zone, at=[1715299200, "2024-05-10T00:30:00"], value=[0.1, 0.2], unit="kgCO₂eq/kWh", interval="PT30M")
    (told,) = ask(api, zone)
    assert (told["at"], told["value"]) == (["2024-05-10T00:00:00Z", "2024-05-10T00:30:00Z"], [100.0, 200.0])
    assert told["length_s"] == [1800, 1800]


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "zone": ({"zone": "Portugal"}, ["zone"]),
    "no zone": ({"zone": None}, ["zone"]),
    "source": ({"source": "A b"}, ["source"]),
    "kind": ({"kind": "guess"}, ["kind"]),
    "a list as kind": ({"kind": ["measured"]}, ["kind"]),
    "an object as basis": ({"basis": {}}, ["basis"]),
    "interval": ({"interval": "PT5M"}, ["interval"]),
    "unit": ({"unit": "lb/MWh"}, ["unit"]),
    "method": ({"basis": "a", "boundary": "b", "scope": "c"}, ["basis", "boundary", "scope"]),
    "issued in the future": ({"issued_at": "2124-01-01"}, ["issued_at"]),
    "issued some day": ({"issued_at": "soon"}, ["issued_at"]),
    "issued truly": ({"issued_at": True}, ["issued_at"]),
    "at is no list": ({"at": "2024-05-10"}, ["at"]),
    "value is no list": ({"value": None}, ["value"]),
    "lengths": ({"value": [1]}, ["value"]),
    "instants": ({"at": ["x", "2024-05-10T00:07:00Z", "1999-01-01", "2190-01-01", 1e300, None], "value": [1] * 6},
                 [f"at[{i}]" for i in range(6)]),
    "the same twice": ({"at": [hours()[0]] * 2, "value": [1, 2]}, ["at[1]"]),
    "too close": ({"at": ["2024-05-10T00:00:00Z", "2024-05-10T00:30:00Z"], "value": [1, 2]}, ["at[1]"]),
    "values": ({"at": hours(6), "value": [-1, 2000.1, "1", True, [], 1e300]}, [f"value[{i}]" for i in range(6)]),
    "a member that is not there": ({"colour": "green"}, ["colour"]),
    "everything": ({"zone": 1, "kind": 2, "interval": 3, "unit": 4, "at": ["x"], "value": [-1], "foo": 5},
                   ["foo", "zone", "kind", "interval", "unit", "at[0]", "value[0]"]),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_all_faults_of_a_body_are_told_at_once_and_nothing_is_kept(api: Api, zone: str, what: str) -> None:
    wrong, where = BAD[what]
    told = expect_error(api.post(INTENSITY, {**body(zone), **wrong}), 400, "bad_input")
    assert sorted(one["where"] for one in told["details"]) == sorted(where)
    assert ask(api, zone) == []


@pytest.mark.parametrize("told", [[], "x", 7, None, {}])
def test_a_body_of_another_form_is_refused(api: Api, told: Any) -> None:
    expect_error(api.post(INTENSITY, told), 400, "bad_input")


def test_too_many_values_are_refused(api: Api, zone: str) -> None:
    told = expect_error(api.post(INTENSITY, body(zone, at=[0] * 100_001, value=[0] * 100_001)), 400)
    assert "more than 100000" in told["error"]


# --- with a source ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def records(value: float) -> dict[str, Any]:
    return {
        "data": [
            {"datetime": at, "request": "2024-05-09T17:00:00Z", "value": value, "unit": "gCO2eq/kWh", "quality": "good",
             "updated_at": None}
            for at in ["2024-05-09T23:00:00Z", *hours(23)]
        ],
        "next_url": None,
    }  # fmt: skip


def test_the_sentinel_api_is_asked_and_its_answer_outlives_it(database_url: str, server: UpstreamServer) -> None:
    server.answers(SENTINEL, records(85.25))
    settings = {"DATABASE_URL": database_url, "HOST_SENTINEL": server.url, "CARBON_HISTORY": "false"}
    settings["SENTINEL_TOKEN"] = "secret"
    with RunningService(settings) as service:
        told = Api(service).get(FORECAST, {"forecast_day": "2024-05-10"}).json()
        assert [one["value"] for one in told] == [85.25] * 24
        assert told[0]["datetime"] == "2024-05-09T23:00:00Z"
        assert {one["quality"] for one in told} == {"good"}
    server.goes_down()
    assert [one.headers["authorization"] for one in server.requests] == ["Bearer secret"]
    with RunningService(settings) as service:
        assert Api(service).get(FORECAST, {"forecast_day": "2024-05-10"}).json() == told


def test_a_source_that_is_down_is_told_with_when_to_try_again(database_url: str, server: UpstreamServer) -> None:
    server.goes_down()
    with RunningService(
        {"DATABASE_URL": database_url, "HOST_SENTINEL": server.url, "CARBON_HISTORY": "false"}
    ) as service:
        answer = Api(service).get(FORECAST, {"forecast_day": "2024-05-10"})
        told = expect_error(answer, 503, "unavailable")
        assert "sentinel" in told["error"]
        assert int(answer.headers["retry-after"]) > 0
        assert server.url not in answer.text
