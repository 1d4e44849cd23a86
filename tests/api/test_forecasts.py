"""Forecasts beside what was measured, and how good they were, as clients see them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import Api, Home, expect_error, new_id
from measured import measure, open_store, put_issue, quarter, us

from statistics_manager_service.services.forecasts.forecast_answers import Choice, judge
from statistics_manager_service.services.forecasts.forecasting import MOCK, OURS, SERVICE
from statistics_manager_service.storage.database import SqlStore

ZONE = "Europe/Lisbon"
BEGIN = quarter("2024-03-28")
DAYS = 6  # the clock changes on the 31st
COUNT = DAYS * 96
ISSUED = "2024-03-20T10:00:00"
BESIDE = "/energy-consumed-forecast-vs-real"


def told_wh(number: int) -> float:
    return float(40 + number * 13 % 97)


class Known:
    """A home of which six days are measured and forecast; the store beside the service."""

    def __init__(self, api: Api) -> None:
        self.api, self.home = api, Home(api, timezone=ZONE)
        self.store: SqlStore = open_store(api.service.settings["DATABASE_URL"])
        with self.store.reading() as view:
            found = view.household(self.home.id)
        assert found is not None
        self.household = found
        self.taken = measure(self.store, self.home.id, BEGIN, COUNT)
        self.told = {i: told_wh(i) for i in range(BEGIN, BEGIN + COUNT)}
        put_issue(self.store, self.household, self.told, ISSUED)

    def ask(self, path: str, **query: Any) -> Any:
        answer = self.api.get(path, query)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_float=Decimal)

    def beside(self, start: str, end: str, group_by: str = "daily", **more: Any) -> tuple[list[Any], list[Any]]:
        query = {"user_ids": self.home.id, "start_date": start, "end_date": end, "group_by": group_by, **more}
        (told,) = self.ask(BESIDE, **query)
        assert set(told) == {"user_id", "forecast", "real"}
        return told["forecast"], told["real"]

    def forecast(self, start: str, end: str, group_by: str = "daily", **more: Any) -> Any:
        return self.ask(f"{self.home.path}/forecast", start=start, end=end, group_by=group_by, **more)

    def accuracy(self, **query: Any) -> Any:
        answer = self.api.get(f"{self.home.path}/forecast-accuracy", query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def sqlite_known(api: Api) -> Known:
    return Known(api)


@pytest.fixture(scope="module")
def postgresql_known(postgres_api: Api) -> Known:
    return Known(postgres_api)


@pytest.fixture(params=["sqlite", "postgresql"])
def known(request: pytest.FixtureRequest) -> Known:
    """A home that no test changes, in each store."""
    found: Known = request.getfixturevalue(f"{request.param}_known")
    return found


def kwh(values: dict[int, float], first: int, last: int) -> float:
    return sum(values.get(i, 0.0) for i in range(first, last)) / 1000


# --- FlexiHome's call -------------------------------------------------------------------------------------------------

GROUPINGS = ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly")


@pytest.mark.parametrize("zone", ["UTC", ZONE, "Asia/Kolkata"])
@pytest.mark.parametrize("group_by", GROUPINGS)
def test_both_sides_have_the_same_buckets_and_add_up_to_the_whole(known: Known, group_by: str, zone: str) -> None:
    forecast, real = known.beside("2024-03-28T00:00:00Z", "2024-04-02T23:59:59.999999Z", group_by, timezone=zone)
    frames = [[(one["timestamp"], one["units"], one["slot_number"]) for one in side] for side in (forecast, real)]
    assert frames[0] == frames[1]
    assert {one["units"] for one in forecast} == {"kWh"}
    assert [one["slot_number"] for one in forecast] == list(range(1, len(forecast) + 1))
    for side, values in ((forecast, known.told), (real, known.taken)):
        rounding = 0.005 * len(side)  # two decimals each
        assert float(sum(one["energy"] for one in side)) == pytest.approx(
            kwh(values, BEGIN, BEGIN + COUNT), abs=rounding
        )


def test_each_bucket_holds_its_own_quarters(known: Known) -> None:
    forecast, real = known.beside("2024-03-29", "2024-03-29T05:59:59.999999Z", "hourly")
    first = quarter("2024-03-29")
    for side, values in ((forecast, known.told), (real, known.taken)):
        assert [float(one["energy"]) for one in side] == [
            pytest.approx(kwh(values, first + 4 * i, first + 4 * i + 4), abs=0.0051) for i in range(6)
        ]


def test_a_range_off_the_grid_holds_what_flows_in_it(known: Known) -> None:
    forecast, real = known.beside("2024-03-29T00:07:30Z", "2024-03-29T00:37:29.999999Z", "hourly")
    first = quarter("2024-03-29")
    for side, values in ((forecast, known.told), (real, known.taken)):
        (one,) = side
        assert one["timestamp"] == "2024-03-29T00:00:00Z"
        expected = values[first] / 2 + values[first + 1] + values[first + 2] / 2
        assert float(one["energy"]) == pytest.approx(expected / 1000, abs=0.0051)


def test_a_side_of_which_nothing_is_known_is_empty(api: Api, known: Known) -> None:
    forecast, real = known.beside("2023-01-01", "2023-01-03")
    assert (forecast, real) == ([], [])
    put_issue(known.store, known.household, {quarter("2022-01-01") + i: 500.0 for i in range(8)}, "2021-12-31")
    forecast, real = known.beside("2022-01-01", "2022-01-01T03:59:59Z", "hourly")
    assert [one["energy"] for one in forecast] == [2, 2, None, None]
    assert real == []
    measure(known.store, known.home.id, quarter("2021-06-01"), 8)
    forecast, real = known.beside("2021-06-01", "2021-06-01T03:59:59Z", "hourly")
    assert forecast == []
    assert [one["energy"] is None for one in real[:2]] == [False, False]


def test_a_forecast_of_a_part_of_a_bucket_is_told_and_of_none_is_null(known: Known) -> None:
    one = Known(known.api)
    put_issue(one.store, one.household, {quarter("2024-05-10T01:45:00"): 250.0}, ISSUED)
    forecast, real = one.beside("2024-05-10", "2024-05-10T02:59:59Z", "hourly")
    assert [item["energy"] for item in forecast] == [None, Decimal("0.25"), None]
    assert real == []


def test_issues_are_told_as_of_an_instant(known: Known) -> None:
    one = Known(known.api)
    day = range(quarter("2024-03-30"), quarter("2024-03-31"))
    put_issue(one.store, one.household, dict.fromkeys(day, 10.0), "2024-03-29T10:00:00")
    put_issue(one.store, one.household, dict.fromkeys(list(day)[48:], 20.0), "2024-03-30T10:00:00", OURS)
    whole = kwh(one.told, day[0], day[-1] + 1)
    for as_of, expected in (
        (None, 48 * 0.01 + 48 * 0.02),
        ("2024-03-30T10:00:00Z", 48 * 0.01 + 48 * 0.02),
        ("2024-03-30T09:59:59", 0.96),
        ("2024-03-30T11:59:59+02:00", 0.96),
        ("2024-03-29", whole),
        ("2024-03-20T10:00:00Z", whole),
        ("2024-03-20T09:59:59Z", None),
    ):
        more = {} if as_of is None else {"as_of": as_of}
        forecast, real = one.beside("2024-03-30", "2024-03-30T23:59:59.999999Z", **more)
        if expected is None:
            assert forecast == []
        else:
            assert [float(item["energy"]) for item in forecast] == [pytest.approx(expected, abs=0.0051)]
        assert len(real) == 1


def test_many_users_are_told_in_their_order(known: Known) -> None:
    empty = Home(known.api)
    query = {"start_date": "2024-03-29", "end_date": "2024-03-29T23:00:00Z", "group_by": "daily"}
    told = known.ask(BESIDE, user_ids=f"{empty.id},{known.home.id}", **query)
    assert [one["user_id"] for one in told] == [empty.id, known.home.id]
    assert told[0] == {"user_id": empty.id, "forecast": [], "real": []}
    assert len(told[1]["forecast"]) == len(told[1]["real"]) == 1


def test_the_call_of_the_measured_side_alone_tells_no_forecast(known: Known) -> None:
    query = {"start_date": "2024-03-29", "end_date": "2024-03-29T23:59:59.999999Z"}
    (told,) = known.ask("/power-consumed-real", user_id=known.home.id, **query)
    assert told["forecast"] == []
    assert told["real"] == known.beside("2024-03-29", "2024-03-29T23:59:59.999999Z")[1]


def test_two_centuries_are_answered_at_once(known: Known) -> None:
    forecast, real = known.beside("1970-01-01", "2200-12-31", "yearly")
    assert len(forecast) == len(real) == 231
    assert forecast[2024 - 1970]["energy"] is not None
    assert forecast[50]["energy"] is None


# --- our own ----------------------------------------------------------------------------------------------------------


def test_the_forecast_stands_beside_the_measured_energy_in_columns(known: Known) -> None:
    told = known.forecast("2024-03-29", "2024-04-02")
    assert (told["household"], told["timezone"], told["group_by"]) == (known.home.id, ZONE, "daily")
    assert [one["start"] for one in told["buckets"]][1:3] == ["2024-03-30T00:00:00+00:00", "2024-03-31T00:00:00+00:00"]
    assert told["buckets"][2]["end"] == "2024-04-01T00:00:00+01:00"
    forecast, real = told["series"]
    assert [(one["measure"], one["unit"]) for one in told["series"]] == [
        ("energy_import_forecast", "kWh"),
        ("energy_import", "kWh"),
    ]
    edges = [quarter("2024-03-29"), quarter("2024-03-30"), quarter("2024-03-31")]
    edges += [edges[2] + 92, edges[2] + 92 + 96]
    for series, values in ((forecast, known.told), (real, known.taken)):
        expected = [Decimal(str(round(kwh(values, a, b), 6))) for a, b in pairwise(edges)]
        assert series["values"] == expected
        assert series["total"] == sum(expected)
        assert series["coverage"] == [1, 1, 1, 1]
        assert series["estimated"] == [0, 0, 0, 0]


@pytest.mark.parametrize("group_by", ["15_mins", "hourly", "daily", "weekly", "monthly", "yearly", "billing", "total"])
def test_every_grouping_has_the_same_total(known: Known, group_by: str) -> None:
    told = known.forecast("2024-03-28T11:03:00Z", "2024-04-02T00:19:59Z", group_by)
    whole = known.forecast("2024-03-28T11:03:00Z", "2024-04-02T00:19:59Z", "total")
    for one, other in zip(told["series"], whole["series"], strict=True):
        assert one["total"] == other["total"] == sum(one["values"])


def test_the_measured_column_is_that_of_the_statistics(known: Known) -> None:
    query = {"start": "2024-03-25", "end": "2024-04-05", "group_by": "hourly"}
    told = known.forecast(**query)
    beside = known.ask(f"{known.home.path}/statistics", measures="energy_import", **query)
    assert told["series"][1] == beside["series"][0]
    assert told["buckets"] == beside["buckets"]


def test_coverage_is_the_share_of_the_time_that_is_forecast(known: Known) -> None:
    told = known.forecast("2024-03-27T22:00:00Z", "2024-03-28T02:00:00Z", "total")
    assert told["series"][0]["coverage"] == [0.5]
    told = known.forecast("2024-03-27T20:00:00Z", "2024-03-28T00:00:00Z", "hourly")
    assert told["series"][0]["coverage"] == [0, 0, 0, 0]
    assert told["series"][0]["values"] == [None] * 4
    assert told["series"][0]["total"] is None


def test_a_source_may_be_named(known: Known) -> None:
    one = Known(known.api)
    first = quarter("2024-05-10")
    for i, source in enumerate((SERVICE, MOCK, OURS)):
        put_issue(one.store, one.household, {first: 100.0 * (i + 1)}, f"2024-05-0{i + 1}", source)
    for source, expected in ((None, "0.3"), (OURS, "0.3"), (MOCK, "0.2"), (SERVICE, "0.1")):
        more = {} if source is None else {"source": source}
        told = one.forecast("2024-05-10", "2024-05-11", **more)
        assert told["series"][0]["values"] == [Decimal(expected)]
    told = one.forecast("2024-05-10", "2024-05-11", as_of="2024-05-02")
    assert told["series"][0]["values"] == [Decimal("0.1")], "a date is that of the home's zone, an hour before UTC's"


TABLES: dict[str, Callable[[bytes], Any]] = {
    "csv": lambda body: pyarrow.csv.read_csv(io.BytesIO(body)),
    "arrow": lambda body: pyarrow.ipc.open_stream(body).read_all(),
    "parquet": lambda body: pyarrow.parquet.read_table(io.BytesIO(body)),
}


@pytest.mark.parametrize("form", [*TABLES, "ndjson"])
def test_it_is_told_in_every_form(known: Known, form: str) -> None:
    query = {"start": "2024-03-29", "end": "2024-04-02"}
    values = [float(one) for one in known.forecast(**query)["series"][0]["values"]]
    answer = known.api.get(f"{known.home.path}/forecast", {**query, "format": form})
    assert answer.status_code == 200
    if form == "ndjson":
        rows = [json.loads(line) for line in answer.text.splitlines()]
        found = [row["energy_import_forecast_kWh"] for row in rows]
    else:
        found = TABLES[form](answer.content)["energy_import_forecast_kWh"].to_pylist()
    assert found == values


# --- accuracy ---------------------------------------------------------------------------------------------------------


def test_accuracy_is_told_with_its_definitions(known: Known) -> None:
    told = known.accuracy(start="2024-03-29", end="2024-04-02")
    assert (told["household"], told["measure"]) == (known.home.id, "energy_import")
    assert (told["start"], told["end"]) == ("2024-03-29T00:00:00Z", "2024-04-01T23:00:00Z")
    assert told["persistence"] == "the same quarter-hour of the day before"
    found = judge(known.store, known.home.id, us("2024-03-29"), us("2024-04-01T23:00:00"), Choice())
    errors = [known.told[i] - known.taken[i] for i in range(quarter("2024-03-29"), quarter("2024-04-01T23:00:00"))]
    overall = told["overall"]
    assert overall["quarters"] == len(errors) == found.overall.quarters
    assert overall["mae_wh"] == pytest.approx(sum(map(abs, errors)) / len(errors), abs=1e-4)
    assert overall["bias_wh"] == pytest.approx(sum(errors) / len(errors), abs=1e-4)
    assert overall["skill_mae"] is not None
    bands = told["by_horizon"]
    assert [(one["from_h"], one["to_h"]) for one in bands] == [(0, 6), (6, 12), (12, 24), (24, 48), (48, None)]
    assert [one["quarters"] for one in bands] == [0, 0, 0, 0, len(errors)]
    assert set(bands[0]) == {*overall, "from_h", "to_h"}


def test_without_a_range_it_is_the_last_four_weeks(known: Known) -> None:
    told = known.accuracy()
    start, end = (us(told[one].removesuffix("Z")) for one in ("start", "end"))
    assert end - start == 28 * 86_400_000_000
    assert abs(end / 1e6 - time.time()) < 60
    told = known.accuracy(end="2024-04-02T00:00:00Z")
    assert told["start"] == "2024-03-05T00:00:00Z"
    assert told["overall"]["quarters"] > 0


@pytest.mark.parametrize(
    "query",
    [
        {"start": "1970-01-01", "end": "1970-01-02"},
        {"end": "1970-01-01T00:00:00Z"},
        {"start": "2200-12-30", "end": "2200-12-31"},
        {"start": "2024-03-29T00:00:00Z", "end": "2024-03-29T00:14:59Z"},
        {"start": "2024-03-29", "end": "2024-04-02", "as_of": "2024-03-01"},
        {"start": "2024-03-29", "end": "2024-04-02", "source": "mock"},
        {"start": "2024-03-29", "end": "2024-04-02", "as_of": "1970-01-01T00:00:00Z"},
    ],
)
def test_where_nothing_is_known_all_figures_are_null(known: Known, query: dict[str, str]) -> None:
    told = known.accuracy(**query)
    if "end" in query and len(query) == 1:
        assert told["end"] == query["end"]
    for one in (told["overall"], *told["by_horizon"]):
        assert (one["quarters"], one["skill_quarters"]) == (0, 0)
        assert [one[name] for name in ("mae_wh", "rmse_wh", "bias_wh", "nrmse_mean", "mase", "skill_mae")] == [None] * 6


def test_a_home_without_anything_has_no_figures_and_no_forecast(api: Api) -> None:
    home = Home(api)
    told = api.get(f"{home.path}/forecast-accuracy").json()
    assert told["overall"]["quarters"] == 0
    told = api.get(f"{home.path}/forecast", {"start": "2024-05-10", "end": "2024-05-12"}).json()
    assert [one["values"] for one in told["series"]] == [[None, None]] * 2


# --- refusals ---------------------------------------------------------------------------------------------------------

PATHS = ("forecast", "forecast-accuracy")
RANGE = {"start": "2024-05-10", "end": "2024-05-11"}


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_not_found(api: Api, path: str) -> None:
    told = expect_error(api.get(f"/households/{new_id()}/{path}", RANGE), 404, "not_found")
    assert "there is no household" in told["error"]


@pytest.mark.parametrize("path", PATHS)
def test_a_home_and_its_devices_may_ask_and_strangers_may_not(api: Api, path: str) -> None:
    home, other = Home(api), Home(api)
    place = f"{home.path}/{path}"
    for token in ("service", home.token, home.device()["token"]):
        assert api.get(place, RANGE, token=token).status_code == 200
    for token in (other.token, other.device()["token"]):
        expect_error(api.get(place, RANGE, token=token), 403, "forbidden")
        expect_error(api.get(f"/households/{new_id()}/{path}", RANGE, token=token), 403, "forbidden")
    expect_error(api.get(place, RANGE, token=None), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("path", "wrong", "where"),
    [
        (
            "forecast",
            {"end": "y", "group_by": "z", "timezone": "Mars", "week_start": "w", "as_of": "a", "source": "s",
             "format": "f", "foo": "1"},
            {"start", "end", "group_by", "timezone", "week_start", "as_of", "source", "format", "foo"},
        ),
        ("forecast", {**RANGE, "end": "2024-05-10", "as_of": "a"}, {"end", "as_of"}),
        (
            "forecast-accuracy",
            {"start": "x", "end": "y", "as_of": "a", "source": "s", "foo": "1"},
            {"start", "end", "as_of", "source", "foo"},
        ),
        ("forecast-accuracy", {"start": "2024-05-10", "end": "2024-05-09", "source": "s"}, {"end", "source"}),
        ("forecast-accuracy", {"start": "2024-05-10", "end": "2024-05-10T00:00:00"}, {"end"}),
        ("forecast-accuracy", {"start": "2024-05-10T00:00:00Z", "end": "2024-05-10"}, {"end"}),
        ("forecast-accuracy", {"start": "2190-01-01"}, {"end"}),
        ("forecast-accuracy", {"start": "2020-01-01", "end": "2024-01-01"}, {"start"}),
    ],
)  # fmt: skip
def test_all_faults_of_a_question_are_told_at_once(api: Api, path: str, wrong: dict[str, str], where: set[str]) -> None:
    home = Home(api, timezone=ZONE)
    told = expect_error(api.get(f"{home.path}/{path}", wrong), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == where


def test_too_many_buckets_are_refused(api: Api) -> None:
    query = {"start": "1970-01-01", "end": "2200-01-01", "group_by": "15_mins"}
    told = expect_error(api.get(f"{Home(api).path}/forecast", query), 400, "bad_input")
    assert "200000" in told["error"]


@pytest.mark.parametrize("as_of", ["tomorrow", "2024-13-01", "1715299200", "9999-01-01"])
def test_flexihomes_call_refuses_an_as_of_that_is_no_moment(api: Api, as_of: str) -> None:
    query = {"user_ids": Home(api).id, "start_date": "2024-05-10", "as_of": as_of, "group_by": "x"}
    told = expect_error(api.get(BESIDE, query), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == {"as_of", "group_by"}
