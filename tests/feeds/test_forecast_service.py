"""The forecast service: what is asked of it and read from it, what is posted, and what its faults become."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from measured import QUARTER_US, in_wh, measure, open_store, put_home, quarter, us
from servers import RunningService
from upstream_server import UpstreamServer, wait_until

from statistics_manager_service import bootstrap
from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.feeds.forecast_service import ForecastService
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.forecasts.forecasting import (
    OURS,
    SERVICE,
    Forecasts,
    PowerCurve,
    forecast_between,
)
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage.database import SqlStore

START, END = us("2023-01-20"), us("2023-01-21")
HOUR_US = 4 * QUARTER_US
MEASUREMENTS = "/forecast/measurements"


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def service_of(server: UpstreamServer, **more: Any) -> ForecastService:
    return ForecastService(Upstream("the forecast service", server.url, **{"timeout_s": 2, "attempts": 1, **more}))


def curve(*values: tuple[str, Any], units: str = "kW") -> dict[str, Any]:
    return {"units_p": units, "values": [{"timestamp": at, "value_p": value} for at, value in values]}


def hourly(*values: Any, units: str = "kW") -> dict[str, Any]:
    return curve(*((f"2023-01-20T{i:02d}:00:00Z", value) for i, value in enumerate(values)), units=units)


def fetch(server: UpstreamServer, *curves: Any) -> list[PowerCurve]:
    server.answers("/get-forecast", {"data": list(curves)})
    return service_of(server).fetch("home1", START, END)


def powers(one: PowerCurve) -> list[tuple[int, float]]:
    """Hours since the start of the day, and W."""
    return [
        ((at - START) // HOUR_US, power) for at, power in zip(one.at_us.tolist(), one.power_w.tolist(), strict=True)
    ]


# --- what is asked and read -------------------------------------------------------------------------------------------


def test_the_day_of_the_household_is_asked_for(server: UpstreamServer) -> None:
    (found,) = fetch(server, hourly(0.4, 0.8))
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/get-forecast")
    assert request.query == {
        "start_date": "2023-01-20T00:00:00Z",
        "end_date": "2023-01-21T00:00:00Z",
        "installation_code": "home1_consumption",
    }
    assert powers(found) == [(0, 400), (1, 800)]
    assert found.step_us == HOUR_US


@pytest.mark.parametrize(("units", "factor"), [("kW", 1000), ("kw", 1000), ("KW", 1000), ("W", 1), ("w", 1)])
def test_powers_are_in_kilowatts_or_watts(server: UpstreamServer, units: str, factor: int) -> None:
    (found,) = fetch(server, hourly(0.4, 8, units=units))
    assert found.power_w.tolist() == pytest.approx([0.4 * factor, 8 * factor])


@pytest.mark.parametrize(
    "second",
    [
        "2023-01-20T01:00:00Z",
        "2023-01-20T01:00:00",
        "2023-01-20T01:00:00.000000",
        "2023-01-20 01:00:00+00:00",
        "2023-01-20T02:00:00+01:00",
        "2023-01-19T20:00:00-0500",
    ],
)
def test_an_instant_without_an_offset_is_utc(server: UpstreamServer, second: str) -> None:
    (found,) = fetch(server, curve(("2023-01-20T00:00:00Z", 0.4), (second, 0.8)))
    assert powers(found) == [(0, 400), (1, 800)]


def test_values_may_come_in_any_order_and_the_last_of_an_instant_counts(server: UpstreamServer) -> None:
    told = [("2023-01-20T02:00:00Z", 3), ("2023-01-20T00:00:00Z", 1), ("2023-01-20T01:00:00Z", 9),
            ("2023-01-20T01:00:00+00:00", 2)]  # fmt: skip
    (found,) = fetch(server, curve(*told))
    assert powers(found) == [(0, 1000), (1, 2000), (2, 3000)]


def test_a_value_that_is_null_is_missing(server: UpstreamServer) -> None:
    (found,) = fetch(server, hourly(0.4, None, 0.8, 1.2, None))
    assert powers(found) == [(0, 400), (2, 800), (3, 1200)]
    assert found.step_us == HOUR_US


def test_what_touches_the_range_is_kept_with_the_step_of_all_values(server: UpstreamServer) -> None:
    told = [(f"2023-01-{19 + i // 24:02d}T{i % 24:02d}:30:00Z", float(i)) for i in range(72)]
    (found,) = fetch(server, curve(*told, units="W"))
    assert found.power_w.tolist() == [float(i) for i in range(23, 48)]
    only = [("2023-01-19T22:00:00Z", 1.0), ("2023-01-19T23:00:00Z", 2.0), ("2023-01-20T00:00:00Z", 3.0)]
    (found,) = fetch(server, curve(*only, units="W"))
    assert powers(found) == [(0, 3.0)], "of one value inside, its neighbours outside tell how long it holds"


def test_of_several_curves_each_has_its_own_step_and_unit(server: UpstreamServer) -> None:
    quarters = curve(*((f"2023-01-20T05:{m:02d}:00Z", 500 + m) for m in (0, 15, 30, 45)), units="W")
    found = fetch(server, hourly(0.1, 0.2, 0.3), quarters, hourly())
    assert [one.step_us for one in found] == [HOUR_US, QUARTER_US]
    assert [one.power_w.tolist() for one in found] == [[100, 200, 300], [500, 515, 530, 545]]


def test_curves_of_one_value_each_have_the_step_of_all_together(server: UpstreamServer) -> None:
    found = fetch(server, *(curve((f"2023-01-20T0{i}:00:00Z", i + 1)) for i in range(3)))
    assert [powers(one) for one in found] == [[(0, 1000)], [(1, 2000)], [(2, 3000)]]
    assert {one.step_us for one in found} == {HOUR_US}


@pytest.mark.parametrize(
    "curves",
    [[], [hourly()], [hourly(None, None)], [curve(("2023-02-20T00:00:00Z", 1), ("2023-02-20T01:00:00Z", 1))]],
    ids=["no curve", "no values", "all null", "another day"],
)
def test_where_no_power_is_told_none_is_known(server: UpstreamServer, curves: list[Any]) -> None:
    assert fetch(server, *curves) == []


NONSENSE: dict[str, Any] = {
    "a list": [],
    "a text": '"fine"',
    "null": None,
    "no data": {},
    "data of another kind": {"data": {"units_p": "kW", "values": []}},
    "data that is null": {"data": None},
    "a curve that is a number": {"data": [7]},
    "another unit": {"data": [hourly(1, 2, units="MW")]},
    "no unit": {"data": [{"values": []}]},
    "a unit that is a number": {"data": [{"units_p": 1, "values": []}]},
    "no values": {"data": [{"units_p": "kW"}]},
    "a value without its instant": {"data": [{"units_p": "kW", "values": [{"value_p": 1}]}]},
    "a value without its power": {"data": [{"units_p": "kW", "values": [{"timestamp": "2023-01-20"}]}]},
    "an instant that is none": {"data": [curve(("yesterday", 1), ("2023-01-20", 1))]},
    "an instant that is a number": {"data": [curve((1674172800, 1), ("2023-01-20", 1))]},  # type: ignore[arg-type]
    "an instant far ahead": {"data": [curve(("9999-01-20T00:00:00Z", 1), ("2023-01-20", 1))]},
    "a power that is a word": {"data": [hourly("much", 1)]},
    "a power that is NaN as text": {"data": [hourly("NaN", 1)]},
    "a power that is infinite": {"data": [hourly(1, "Infinity")]},
    "no home's power": {"data": [hourly(1, 1_000_001, units="W")]},
    "no home's power in kW": {"data": [hourly(1, -1000.1)]},
    "the largest float": {"data": [hourly(1, 1.7e308)]},
    "one value alone": {"data": [hourly(1)]},
    "values half a day apart": {"data": [curve(("2023-01-20T00:00:00Z", 1), ("2023-01-20T12:00:00Z", 1))]},
    "values a second apart": {"data": [curve(("2023-01-20T00:00:00Z", 1), ("2023-01-20T00:00:01Z", 1))]},
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, what: str) -> None:
    server.answers("/get-forecast", NONSENSE[what])
    with pytest.raises(Unavailable, match="the forecast service answered nonsense: ") as told:
        service_of(server).fetch("home1", START, END)
    assert len(told.value.sentence) < 300


def test_a_bare_nan_is_no_json(server: UpstreamServer) -> None:
    body = json.dumps({"data": [hourly(float("nan"), 1)]})
    assert "NaN" in body
    server.answers("/get-forecast", body)
    with pytest.raises(Unavailable, match="no JSON"):
        service_of(server).fetch("home1", START, END)


@pytest.mark.parametrize(
    "way", ["truncated", "malformed", "wrong shape", "closed", "reset", "silent", "drip", "garbage"]
)
def test_a_service_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str) -> None:
    server.answers("/get-forecast", {"data": [hourly(1, 2)]})
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="the forecast service"):
        service_of(server, timeout_s=0.5).fetch("home1", START, END)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("status", "error"), [(500, Unavailable), (503, Unavailable), (429, Unavailable),
                                               (400, Declined), (404, Declined), (422, Declined)])  # fmt: skip
def test_a_status_says_whether_to_try_again(server: UpstreamServer, status: int, error: type[Exception]) -> None:
    server.answers("/get-forecast", {"data": [hourly(1, 2)]})
    server.fails(status=status)
    with pytest.raises(error, match=f"status {status}"):
        service_of(server).fetch("home1", START, END)


def test_a_second_attempt_is_made_at_once(server: UpstreamServer) -> None:
    server.answers("/get-forecast", {"data": [hourly(1, 2)]})
    server.fails(status=502, times=2)
    (found,) = service_of(server, attempts=3).fetch("home1", START, END)
    assert powers(found) == [(0, 1000), (1, 2000)]
    assert len(server.requests) == 3


# --- what is posted ---------------------------------------------------------------------------------------------------


def test_measured_powers_are_posted_in_flexihomes_form(server: UpstreamServer) -> None:
    server.answers(MEASUREMENTS, b"")
    at_us = np.array([START, START + QUARTER_US], np.int64)
    service_of(server).post_measured(
        {"home1": (at_us, np.array([400.0, 0.4])), "home2": (at_us[:1], np.array([1234.5678]))}
    )
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", MEASUREMENTS)
    assert request.headers["content-type"] == "application/json"
    common = {"units": "kW", "variable_name": "A+"}
    assert request.json == {
        "measurements": [
            {
                "installation_code": "home1_consumption",
                "values": [
                    {"timestamp": "2023-01-20T00:00:00Z", "value": 0.4, **common},
                    {"timestamp": "2023-01-20T00:15:00Z", "value": 0.0004, **common},
                ],
            },
            {
                "installation_code": "home2_consumption",
                "values": [{"timestamp": "2023-01-20T00:00:00Z", "value": 1.234568, **common}],
            },
        ]
    }


# --- the event, from the producer to the answer -----------------------------------------------------------------------

DAY = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
FAST = {
    "EVENT_RETRY_FIRST_S": "0.2",
    "EVENT_RETRY_LAST_S": "0.5",
    "FORECAST_TIMEOUT_S": "0.5",
    "FORECAST_DAILY": "false",
}


class Flow:
    """A service, its store, and one household."""

    def __init__(self, running: RunningService, store: SqlStore, home: Household) -> None:
        self.running, self.store, self.home = running, store, home

    def trigger(self, day: str = DAY) -> None:
        query = {"user_id": "home1", "forecast_day": day}
        answer = self.running.call("POST", "/trigger-computed-forecast-producer", params=query)
        assert answer.status_code == 201, answer.text

    def told(self, day: str = DAY) -> list[Any]:
        query = {"user_ids": "home1", "start_date": f"{day}T00:00:00Z", "end_date": f"{day}T01:59:59Z"}
        answer = self.running.call("GET", "/energy-consumed-forecast-vs-real", params={**query, "group_by": "hourly"})
        assert answer.status_code == 200
        return [one["energy"] for one in answer.json()[0]["forecast"]]

    def counts(self) -> tuple[int, int, int]:
        """Events that are not yet told, wait, and are set aside."""
        with self.store.reading() as view:
            return tuple(view.event_counts())

    def reasons(self) -> list[str]:
        with self.store.reading() as view:
            return [one.reason for one in view.set_aside_events(100)]

    def issues(self) -> int:
        with self.store.reading() as view:
            return len(
                {row.issued_us for row in view.forecasts(self.home.household_no, "energy_import", 0, 10**6, 2**62)}
            )


@pytest.fixture
def flow(database_url: str, server: UpstreamServer) -> Iterator[Flow]:
    """A service that asks a forecast service."""
    store = open_store(database_url)
    home = put_home(store)
    server.answers("/get-forecast", lambda query, _: {"data": [whole_day(query["start_date"])]})
    with RunningService({"DATABASE_URL": database_url, "FORECAST_API_URL": server.url, **FAST}) as running:
        yield Flow(running, store, home)
    store.close()


def whole_day(start: str) -> dict[str, Any]:
    begin = datetime.fromisoformat(start)
    times = ((begin + timedelta(hours=i)).isoformat() for i in range(24))
    return curve(*((at, 0.25 * (i + 1)) for i, at in enumerate(times)))


def test_an_event_has_the_forecast_fetched_and_told(flow: Flow) -> None:
    assert flow.told() == []
    flow.trigger()
    wait_until(lambda: flow.told() == [0.25, 0.5])
    wait_until(lambda: flow.counts() == (0, 0, 0), what="an outbox whose events are all told")
    assert flow.issues() == 1


def test_a_second_event_makes_a_second_issue_and_the_first_stays(flow: Flow, server: UpstreamServer) -> None:
    flow.trigger()
    wait_until(lambda: flow.told() == [0.25, 0.5])
    between_us = bootstrap.now_us()
    server.answers(
        "/get-forecast", lambda query, _: {"data": [curve((query["start_date"], 9), (f"{DAY}T01:00:00Z", 8))]}
    )
    flow.trigger()
    wait_until(lambda: flow.told() == [9, 8])
    edges_us = us(DAY) + np.arange(4, dtype=np.int64) * HOUR_US
    with flow.store.reading() as view:
        before, _ = forecast_between(view, flow.home.household_no, edges_us, between_us, SERVICE)
        after, _ = forecast_between(view, flow.home.household_no, edges_us, None, SERVICE)
    assert in_wh(before.tolist()) == [250, 500, 750]
    assert in_wh(after.tolist()) == [9000, 8000, 750], "of what the second does not say the first counts"


@pytest.mark.parametrize(
    ("database_url", "fault"),
    [
        *(("sqlite", fault) for fault in ("down", "500", "silent", "truncated", "malformed", "wrong shape")),
        ("postgresql", "down"),
    ],
    indirect=["database_url"],
)
def test_while_the_service_is_in_trouble_the_event_waits_and_is_then_handled(
    flow: Flow, server: UpstreamServer, fault: str
) -> None:
    if fault == "down":
        server.goes_down()
    else:
        server.fails(**({"status": 500} if fault == "500" else {"way": fault}))  # type: ignore[arg-type]
    flow.trigger()
    wait_until(lambda: flow.counts()[1] == 1, what="an event that waits")
    assert flow.told() == []
    assert flow.reasons() == []
    server.recovers()
    server.comes_up()
    # after five failures in a row the service is left alone for half a minute
    wait_until(lambda: flow.told() == [0.25, 0.5], within_s=60)
    wait_until(lambda: flow.counts() == (0, 0, 0), what="an outbox whose events are all told")
    assert flow.issues() == 1


def test_a_slow_service_is_waited_for(flow: Flow, server: UpstreamServer) -> None:
    server.fails(delay_s=0.3)
    flow.trigger()
    wait_until(lambda: flow.told() == [0.25, 0.5])


@pytest.mark.parametrize(("status", "reason"), [(404, "status 404"), (None, "knows no forecast of household home1")])
def test_what_the_service_does_not_know_is_set_aside_with_the_reason(
    flow: Flow, server: UpstreamServer, status: int | None, reason: str
) -> None:
    if status is None:
        server.answers("/get-forecast", {"data": []})
    else:
        server.fails(status=status)
    flow.trigger()
    wait_until(lambda: flow.counts()[2] == 1, what="an event that is set aside")
    assert reason in flow.reasons()[0]
    assert flow.told() == []
    server.recovers()
    server.answers("/get-forecast", lambda query, _: {"data": [whole_day(query["start_date"])]})
    flow.trigger()
    wait_until(lambda: flow.told() == [0.25, 0.5])


def test_without_a_service_the_forecast_is_made_here(database_url: str) -> None:
    store = open_store(database_url)
    home = put_home(store)
    with RunningService({"DATABASE_URL": database_url, **FAST}) as running:
        flow = Flow(running, store, home)
        flow.trigger()
        wait_until(lambda: flow.counts()[2] == 1, what="an event that is set aside")
        assert "too little was measured of household home1" in flow.reasons()[0]
        measure(store, "home1", int(time.time()) // 900 - 200, 200, lambda _: 100.0)
        flow.trigger()
        wait_until(lambda: flow.told() == [0.4, 0.4])
        answer = running.call("GET", "/households/home1/forecast", params={"start": DAY, "end": DAY + "T02:00:00",
                                                                           "source": OURS})  # fmt: skip
        assert answer.json()["series"][0]["coverage"] == [1]


def test_today_and_tomorrow_are_asked_for_by_the_service_itself(database_url: str, server: UpstreamServer) -> None:
    store = open_store(database_url)
    home = put_home(store, api_key="key1")
    server.answers("/get-forecast", lambda query, _: {"data": [whole_day(query["start_date"])]})
    settings = {"DATABASE_URL": database_url, "FORECAST_API_URL": server.url, **FAST, "FORECAST_DAILY": "true"}
    with RunningService(settings) as running:
        flow = Flow(running, store, home)
        today = datetime.now(UTC).date().isoformat()
        wait_until(lambda: flow.told() == flow.told(today) == [0.25, 0.5])
        assert flow.issues() == 2


def test_a_day_is_fetched_whole_where_the_clock_changes(database_url: str, server: UpstreamServer) -> None:
    store = open_store(database_url)
    home = put_home(store, timezone="Europe/Lisbon")
    server.answers("/get-forecast", lambda query, _: {"data": [whole_day(query["start_date"]), long_day(query)]})
    forecasts = Forecasts(store, service_of(server), bootstrap.now_us)
    for day, begin, hours in (("2024-03-31", "2024-03-31T00:00:00", 23), ("2024-10-27", "2024-10-26T23:00:00", 25)):
        work = forecasts.prepare("home1", datetime.fromisoformat(day).date())
        with store.writing() as view:
            work(view)
        edges_us = (quarter(begin) + np.arange(-4, hours * 4 + 8, 4)) * QUARTER_US
        with store.reading() as view:
            energy, _ = forecast_between(view, home.household_no, edges_us, None)
        assert in_wh(energy.tolist()) == [None, *(1000.0 * (i + 1) for i in range(hours)), None]


def long_day(query: dict[str, str]) -> dict[str, Any]:
    """Two hours more than any day has; the service keeps to no range."""
    begin = datetime.fromisoformat(query["start_date"])
    return curve(*(((begin + timedelta(hours=i)).isoformat(), i + 1) for i in range(27)))
