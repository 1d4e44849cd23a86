"""Jobs over all households: whom they are for, what they put and post, and what a failure stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from measured import Clock, measure, open_store, put_home, put_issue, quarter, us

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import Declined, StatisticsError, Unavailable
from statistics_manager_service.services.events.event_rows import OutboxEvent, WaitingEvent
from statistics_manager_service.services.events.jobs import DailyForecasts, Jobs, each_household
from statistics_manager_service.services.events.producing import Producers, forecast_wish
from statistics_manager_service.services.events.relaying import Lease
from statistics_manager_service.services.forecasts.forecasting import Forecasts, civil_day
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage.database import SqlStore

NOON = "2024-05-10T12:00:00"
FIRST = quarter("2024-05-10")
#: For what takes many homes, and does not depend on the kind of the store.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    found = open_store(database_url)
    yield found
    found.close()


def jobs_of(store: SqlStore, clock: Clock, *, with_service: bool = False) -> Jobs:
    class Service:
        def fetch(self, household: str, start_us: int, end_us: int) -> list[Any]:
            raise AssertionError("jobs fetch nothing themselves")

    return Jobs(store, Producers(store, clock), Forecasts(store, Service() if with_service else None, clock), clock)


def events(store: SqlStore) -> list[OutboxEvent]:
    with store.reading() as view:
        return view.untold_events(10_000)


def asked(store: SqlStore) -> list[tuple[str, str]]:
    """The households and days whose forecasts are asked for in the outbox."""
    return sorted((e.aggregate_id, e.payload["forecast_date"]) for e in events(store))


def forecast_whole_day(store: SqlStore, home: Household, day: str) -> None:
    start_us, end_us = civil_day(date.fromisoformat(day), home.timezone)
    put_issue(store, home, dict.fromkeys(range(start_us // QUARTER_US, end_us // QUARTER_US), 1.0), "2024-05-01")


# --- asking for forecasts ---------------------------------------------------------------------------------------------


def test_forecasts_are_asked_for_of_homes_that_were_measured_for_a_day_and_of_late(store: SqlStore) -> None:
    for household, first, count in (
        ("known", FIRST - 96 * 3, 96 * 3),
        ("young", FIRST - 60, 60),  # from yesterday morning on: enough tomorrow, not for today
        ("new", FIRST + 20, 10),
        ("silent", FIRST - 96 * 20, 96 * 10),
    ):
        put_home(store, household)
        measure(store, household, first, count)
    put_home(store, "empty")
    for household, kind in (("intervals", Kind.INTERVAL), ("powers", Kind.SAMPLE)):
        put_home(store, household)
        measure(store, household, FIRST - 96 * 3, 96 * 3, kind=kind)
    found = jobs_of(store, Clock(NOON)).trigger_forecasts(0, 1)
    assert asked(store) == sorted(
        [(one, day) for one in ("known", "intervals", "powers") for day in ("2024-05-10", "2024-05-11")]
        + [("young", "2024-05-11")]
    )
    assert (found.done, found.skipped, found.failed) == (4, 3, [])


def test_a_service_is_asked_for_all_homes_that_are_metered(store: SqlStore) -> None:
    put_home(store, "dongle", api_key="key1")
    put_home(store, "smart", meter_id="meter1")
    put_home(store, "neither")
    put_home(store, "measured")
    measure(store, "measured", FIRST - 96 * 3, 96 * 3)
    found = jobs_of(store, Clock(NOON), with_service=True).trigger_forecasts(1)
    assert [one for one, _ in asked(store)] == ["dongle", "measured", "smart"]
    assert (found.done, found.skipped) == (3, 1)


def test_a_day_is_counted_from_the_today_of_each_home(store: SqlStore) -> None:
    for zone in ("Pacific/Auckland", "Europe/Lisbon", "America/Lima"):
        household = zone.split("/")[1]
        put_home(store, household, timezone=zone)
        measure(store, household, FIRST - 96 * 3, 96 * 3)
    jobs_of(store, Clock("2024-05-10T23:30:00")).trigger_forecasts(0)
    assert asked(store) == [("Auckland", "2024-05-11"), ("Lima", "2024-05-10"), ("Lisbon", "2024-05-11")]


def test_what_is_forecast_or_waits_is_not_asked_for_unless_wished(store: SqlStore) -> None:
    homes = {one: put_home(store, one) for one in ("forecast", "waiting", "lacking")}
    for one in homes:
        measure(store, one, FIRST - 96 * 3, 96 * 3)
    forecast_whole_day(store, homes["forecast"], "2024-05-11")
    with store.writing() as view:
        view.put_waiting(WaitingEvent("id", "type", "waiting", b"{}", 1, 0, 0, "the forecast service is down"))
    jobs = jobs_of(store, Clock(NOON))
    found = jobs.trigger_forecasts(1)
    assert (asked(store), found.done, found.skipped) == ([("lacking", "2024-05-11")], 1, 2)
    jobs.trigger_forecasts(1, again=True, only="forecast")
    assert asked(store) == [("forecast", "2024-05-11"), ("lacking", "2024-05-11")]


def test_one_home_alone_may_be_named(store: SqlStore) -> None:
    for one in ("home1", "home2"):
        put_home(store, one, api_key=f"key of {one}")
        measure(store, one, FIRST - 96 * 3, 96 * 3)
    jobs = jobs_of(store, Clock(NOON))
    for found in (
        jobs.trigger_forecasts(1, only="home2"),
        jobs.trigger_real_data(60, "home2"),
        jobs.mock_curves(0, 15, "home2"),
    ):
        assert (found.done, found.skipped) == (1, 0)
    assert [one.aggregate_id for one in events(store)] == ["home2"] * 3


@ON_SQLITE
def test_many_homes_are_asked_for_in_pages(store: SqlStore) -> None:
    for i in range(450):
        put_home(store, f"home{i:03d}", api_key=f"key{i}")
    found = jobs_of(store, Clock(NOON), with_service=True).trigger_forecasts(0, 1)
    assert (found.done, found.skipped, found.failed) == (450, 0, [])
    assert len(set(asked(store))) == len(asked(store)) == 900


def damage(store: SqlStore, table: str, household: Household) -> None:
    """Behind the service's back."""
    with store.engine.begin() as connection:
        statement = sa.text(f"UPDATE {table} SET body = :body WHERE household_no = :no")
        assert connection.execute(statement, {"body": b"\x63", "no": household.household_no}).rowcount


def test_a_home_whose_forecasts_can_not_be_read_does_not_stop_the_others(store: SqlStore) -> None:
    homes = [put_home(store, f"home{i}") for i in range(4)]
    for home in homes:
        measure(store, home.id, FIRST - 96 * 3, 96 * 3)
    forecast_whole_day(store, homes[1], "2024-05-11")
    damage(store, "forecasts", homes[1])
    found = jobs_of(store, Clock(NOON)).trigger_forecasts(1)
    assert [one for one, _ in asked(store)] == ["home0", "home2", "home3"]
    assert [one for one, _ in found.failed] == ["home1"]
    assert found.done == 3


def test_any_failure_of_one_home_is_told_and_the_others_go_on(store: SqlStore) -> None:
    for i in range(4):
        put_home(store, f"home{i}")

    def do(home: Household) -> object:
        if home.id == "home1":
            raise ZeroDivisionError("a mistake")
        if home.id == "home2":
            raise StatisticsError("no wish")
        return None if home.id == "home3" else home

    found = each_household(store, None, do)
    assert found.failed == [("home1", "ZeroDivisionError: a mistake"), ("home2", "no wish")]
    assert (found.done, found.skipped) == (1, 1)


# --- every day by itself ----------------------------------------------------------------------------------------------


def daily(store: SqlStore, clock: Clock, holder: str = "one", *, with_service: bool = False) -> DailyForecasts:
    jobs = jobs_of(store, clock, with_service=with_service)
    return DailyForecasts(jobs, Lease(store, "forecasts", holder, clock), clock)


def test_each_day_is_asked_for_once_as_it_comes(store: SqlStore) -> None:
    home, clock = put_home(store, timezone="Europe/Lisbon"), Clock(NOON)
    measure(store, "home1", FIRST - 96 * 3, 96 * 3)
    step = daily(store, clock).step
    step()
    assert [day for _, day in asked(store)] == ["2024-05-10", "2024-05-11"]
    for day in ("2024-05-10", "2024-05-11"):
        forecast_whole_day(store, home, day)
    for minute in (0, 15, 30, 45):
        clock.set(f"2024-05-10T22:{minute:02d}:00")
        step()
    assert len(asked(store)) == 2
    clock.set("2024-05-10T23:00:00")  # midnight in Lisbon
    step()
    step()
    assert [day for _, day in asked(store)] == ["2024-05-10", "2024-05-11", "2024-05-12"]


def test_what_was_asked_for_and_is_not_there_is_asked_for_again_after_hours(store: SqlStore) -> None:
    put_home(store, api_key="key1")
    clock = Clock("2024-05-10T02:00:00")
    step = daily(store, clock, with_service=True).step
    counts = []
    for hour in ("02:00", "07:45", "08:00", "13:45", "14:00"):
        clock.set(f"2024-05-10T{hour}:00")
        step()
        counts.append(len(asked(store)))
    assert counts == [2, 2, 4, 4, 6]


def test_of_several_processes_one_asks(store: SqlStore) -> None:
    put_home(store, api_key="key1")
    clock = Clock(NOON)
    one, other = (daily(store, clock, holder, with_service=True) for holder in ("one", "other"))
    for step in (one.step, other.step, one.step, other.step):
        step()
    assert len(asked(store)) == 2


def test_a_process_that_begins_asks_for_nothing_that_is_there(store: SqlStore) -> None:
    home, clock = put_home(store), Clock(NOON)
    measure(store, "home1", FIRST - 96 * 3, 96 * 3)
    forecast_whole_day(store, home, "2024-05-10")
    daily(store, clock).step()
    assert [day for _, day in asked(store)] == ["2024-05-11"]


# --- telemetry, mock curves -------------------------------------------------------------------------------------------


def test_telemetry_is_asked_for_of_homes_with_a_dongle_or_a_smart_meter(store: SqlStore) -> None:
    put_home(store, "a", api_key="key1")
    put_home(store, "b")
    put_home(store, "c", meter_id="meter1")
    found = jobs_of(store, Clock(NOON)).trigger_real_data(90)
    assert (found.done, found.skipped, found.failed) == (2, 1, [])
    told = [(e.event_type, e.aggregate_id, e.payload) for e in events(store)]
    times = {"start_date": "2024-05-10T10:30:00Z", "end_date": "2024-05-10T12:00:00Z"}
    assert told == [("GetUserRealDataEvent", one, {"user_id": one, **times}) for one in ("a", "c")]


def test_mock_curves_are_asked_for_of_all_homes_by_their_own_day(store: SqlStore) -> None:
    put_home(store, "a", timezone="Europe/Lisbon", contracted_power_kva=10.35)
    put_home(store, "b", timezone="America/Lima")
    found = jobs_of(store, Clock("2024-05-10T23:30:00")).mock_curves(0, 60)
    assert (found.done, found.skipped, found.failed) == (2, 0, [])
    told = {e.aggregate_id: e.payload for e in events(store)}
    assert told["a"] == {
        "user_id": "a",
        "start_date": "2024-05-10T23:00:00Z",
        "delivery_time": 60,
        "contracted_power": 10.35,
    }
    assert told["b"] == {
        "user_id": "b",
        "start_date": "2024-05-10T05:00:00Z",
        "delivery_time": 60,
        "contracted_power": 6.9,
    }


# --- posting what was measured ----------------------------------------------------------------------------------------


class Sink:
    """A forecast service that keeps what is posted, and fails for some."""

    def __init__(self, fail: Mapping[str, StatisticsError] | None = None) -> None:
        self.fail = fail or {}
        self.posts: list[dict[str, tuple[Int64, Float64]]] = []

    def post_measured(self, measured: Mapping[str, tuple[Int64, Float64]]) -> None:
        for household in measured:
            if household in self.fail:
                raise self.fail[household]
        self.posts.append(dict(measured))


def test_the_mean_power_of_each_measured_quarter_of_the_day_is_posted(store: SqlStore) -> None:
    put_home(store, "lisbon", timezone="Europe/Lisbon")
    taken = measure(store, "lisbon", FIRST - 400, 500)
    put_home(store, "partly")
    measure(store, "partly", FIRST - 3, 50)
    put_home(store, "bridged")
    measure(store, "bridged", FIRST - 96, 96, every=8)
    put_home(store, "silent")
    sink = Sink()
    found = jobs_of(store, Clock(NOON)).post_measured(-1, sink)
    assert (found.done, found.skipped, found.failed) == (2, 2, [])
    (post,) = sink.posts
    at_us, power_w = post["lisbon"]
    numbers = range(FIRST - 96 - 4, FIRST - 4)  # a day of Lisbon's summer
    assert at_us.tolist() == [i * QUARTER_US for i in numbers]
    assert power_w.tolist() == [taken[i] * 4 for i in numbers]
    assert post["partly"][0].tolist() == [(FIRST - 3 + i) * QUARTER_US for i in range(3)]


@pytest.mark.parametrize(("now", "quarters"), [("2024-04-01T12:00:00", 92), ("2024-10-28T12:00:00", 100)])
def test_a_day_on_which_the_clock_changes_is_posted_as_long_as_it_is(store: SqlStore, now: str, quarters: int) -> None:
    put_home(store, timezone="Europe/Lisbon")
    measure(store, "home1", quarter(now) - 400, 400)
    sink = Sink()
    jobs_of(store, Clock(now)).post_measured(-1, sink)
    assert len(sink.posts[0]["home1"][0]) == quarters


@ON_SQLITE
def test_what_the_other_side_does_not_take_is_told_and_the_rest_is_posted(store: SqlStore) -> None:
    for i in range(450):
        put_home(store, f"home{i:03d}")
        if i % 9:
            measure(store, f"home{i:03d}", FIRST - 4, 4)
    down, no = Unavailable("the forecast service can't be reached"), Declined("the forecast service declined", 400)
    sink = Sink({"home001": down, "home401": no})
    found = jobs_of(store, Clock(NOON)).post_measured(-1, sink)
    assert len(sink.posts) == 1
    posted = set(sink.posts[0])
    assert min(posted) == "home200" and max(posted) == "home399"
    assert found.done == len(posted)
    assert found.skipped == 50
    assert len(found.failed) == 400 - len(posted)
    assert {reason for _, reason in found.failed} == {down.sentence, no.sentence}


def test_a_home_whose_profiles_can_not_be_read_does_not_stop_the_posting(store: SqlStore) -> None:
    homes = [put_home(store, f"home{i}") for i in range(3)]
    for home in homes:
        measure(store, home.id, FIRST - 96, 96)
    damage(store, "profiles", homes[1])
    sink = Sink()
    found = jobs_of(store, Clock(NOON)).post_measured(-1, sink)
    assert set(sink.posts[0]) == {"home0", "home2"}
    assert [one for one, _ in found.failed] == ["home1"]


def test_the_same_is_posted_when_repeated(store: SqlStore) -> None:
    put_home(store)
    measure(store, "home1", FIRST - 96, 96)
    sink = Sink()
    for _ in range(2):
        jobs_of(store, Clock(NOON)).post_measured(-1, sink)
    first, second = (post["home1"] for post in sink.posts)
    np.testing.assert_array_equal(first, second)


# --- events of many ---------------------------------------------------------------------------------------------------


def test_events_of_homes_that_are_gone_are_left_out(store: SqlStore) -> None:
    put_home(store, "here")
    put = Producers(store, Clock(NOON)).put([forecast_wish(one, "2024-05-11") for one in ("gone", "here")])
    assert [one.aggregate_id for one in put] == ["here"]
    assert asked(store) == [("here", "2024-05-11")]
    assert events(store)[0].at_us == us(NOON)
