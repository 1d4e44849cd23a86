"""The jobs as a scheduler calls them: summaries, exit codes, repetition."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa
from measured import QUARTER_US, measure, open_store, put_home
from test_commands import refused, run
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.services.forecasts.forecasting import (
    OURS,
    civil_day,
    forecast_between,
    measured_quarters,
)
from statistics_manager_service.services.telemetry.verifying import verify

TODAY = datetime.now(ZoneInfo("Europe/Lisbon")).date()
NOW = int(time.time()) // 900


def fill(url: str, *households: str, days: int = 3) -> None:
    """Homes that were measured until some hours ago."""
    store = open_store(url)
    for one in households:
        put_home(store, one, api_key=f"key of {one}")
        measure(store, one, NOW - 96 * days - 20, 96 * days)
    store.close()


def outbox(url: str) -> list[tuple[str, str]]:
    store = open_store(url)
    with store.reading() as view:
        found = [(one.event_type, one.aggregate_id) for one in view.untold_events(1000)]
    store.close()
    return found


JOBS = {
    ("forecasts", "--day", "tomorrow"): ("ForecastComputedEvent", "asked for tomorrow"),
    ("real-data", "--look-back-minutes", "120"): ("GetUserRealDataEvent", "asked for the last 120 minutes"),
    ("mock-curves", "--day", "today"): ("ComputeMockConsumptionCurveEvent", "asked for today"),
}


@pytest.mark.parametrize("words", JOBS, ids=" ".join)
def test_a_job_puts_its_events_and_tells_what_it_did(database_url: str, words: tuple[str, ...]) -> None:
    fill(database_url, "home1", "home2")
    event_type, told = JOBS[words]
    done = run(database_url, "job", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"2 households: {told}; 0 had nothing to do; 0 failed\n"
    assert outbox(database_url) == [(event_type, "home1"), (event_type, "home2")]
    done = run(database_url, "job", *words, "--household", "home2")
    assert done.stdout.startswith("1 households: ")
    assert outbox(database_url)[2:] == [(event_type, "home2")]


def test_a_home_with_nothing_to_do_is_counted(database_url: str) -> None:
    store = open_store(database_url)
    put_home(store, "empty")
    put_home(store, "dongle", api_key="key1")
    store.close()
    told = {
        ("forecasts",): "0 households: asked for tomorrow; 2 had nothing to do; 0 failed",
        ("real-data",): "1 households: asked for the last 90 minutes; 1 had nothing to do; 0 failed",
        ("mock-telemetry",): "1 households: recorded; 1 had nothing to do; 0 failed",
    }
    for words, sentence in told.items():
        done = run(database_url, "job", *words)
        assert (done.returncode, done.stdout) == (0, sentence + "\n")


def test_a_failure_of_one_home_is_told_by_the_exit_code_and_the_others_are_done(database_url: str) -> None:
    fill(database_url, "home1", "home2", "home3")
    store = open_store(database_url)
    with store.engine.begin() as connection:
        bad = "(SELECT household_no FROM households WHERE id = 'home2')"
        connection.execute(
            sa.text(f"UPDATE readings SET body = :body WHERE household_no = {bad}"), {"body": b"\x63\x00"}
        )
        connection.execute(sa.text(f"UPDATE channels SET meter = 'dongle' WHERE household_no = {bad}"))
    store.close()
    done = run(database_url, "job", "mock-telemetry", "--look-back-minutes", "15")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first == "2 households: recorded; 0 had nothing to do; 1 failed"
    assert second.startswith("  home2: ")


def test_mock_telemetry_may_be_repeated(database_url: str) -> None:
    store = open_store(database_url)
    home = put_home(store, "home1", api_key="key1", meter_id="meter1", timezone="Europe/Lisbon")
    now = int(time.time()) // 900
    for _ in range(3):
        done = run(database_url, "job", "mock-telemetry", "--look-back-minutes", "120")
        assert (done.returncode, done.stdout) == (0, "1 households: recorded; 0 had nothing to do; 0 failed\n")
    with store.reading() as view:
        counts = {(c.meter, c.quantity): c.reading_count for c in view.channels(home.household_no)}
        known = np.isfinite(measured_quarters(view, home, now - 7, 7))
    assert counts[("dongle", "energy_import")] in (9, 10)  # a quarter-hour may begin between the calls
    assert known.all()
    assert verify(store).differences == []


@pytest.mark.parametrize("day", ["today", "tomorrow", "2024-03-31"])
def test_the_forecast_of_a_day_is_made_and_told(database_url: str, day: str) -> None:
    store = open_store(database_url)
    home = put_home(store, "home1", timezone="Europe/Lisbon")
    date = {"today": TODAY, "tomorrow": TODAY + timedelta(days=1)}.get(day) or datetime.fromisoformat(day).date()
    begin_us, end_us = civil_day(date, "Europe/Lisbon")
    measure(store, "home1", begin_us // QUARTER_US - 96 * 5, 96 * 4, lambda _: 100.0)
    done = run(database_url, "forecast", "--household", "home1", "--day", day)
    assert done.returncode == 0, done.stderr
    kwh, told = re.fullmatch(r"home1: ([\d.]+) kWh from the grid on (\S+)\n", done.stdout).groups()  # type: ignore[union-attr]
    assert told == date.isoformat()
    quarters = (end_us - begin_us) // QUARTER_US
    assert float(kwh) == pytest.approx(quarters * 0.1, rel=0.01)
    edges_us = np.array([begin_us, end_us], np.int64)
    with store.reading() as view:
        energy, share = forecast_between(view, home.household_no, edges_us, None, OURS)
    assert energy[0] / 1e6 == pytest.approx(float(kwh), abs=0.0005)
    assert share[0] == 1


def test_a_forecast_that_can_not_be_made_is_refused(database_url: str) -> None:
    store = open_store(database_url)
    put_home(store, "home1")
    refused(run(database_url, "forecast", "--household", "home1"), "too little was measured of household home1")
    refused(run(database_url, "forecast", "--household", "home1", "--day", "someday"), "'someday' is no date")
    refused(run(database_url, "forecast", "--household", "nobody"), "nobody")


def test_without_a_forecast_service_nothing_can_be_posted(database_url: str) -> None:
    fill(database_url, "home1")
    refused(run(database_url, "job", "post-measured"), "FORECAST_API_URL is not set")


NAMES = ("forecasts", "real-data", "mock-curves", "mock-telemetry")


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_home_is_named(database_url: str, name: str) -> None:
    refused(run(database_url, "job", name, "--household", "nobody"), "nobody")


@pytest.mark.parametrize("name", [*NAMES, "post-measured"])
def test_a_store_that_is_not_there_is_not_made(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / "mistyped.sqlite3"
    url = f"sqlite:///{path}"
    refused(run(url, "job", name, FORECAST_API_URL="http://127.0.0.1:9"), "there is no store at")
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("forecasts", "--day", "yesterday"),
        ("forecasts", "--day", "2024-05-10"),
        ("post-measured", "--day", "tomorrow"),
        ("mock-curves", "--day", "someday"),
        ("mock-curves", "--delivery-time", "14"),
        ("real-data", "--look-back-minutes", "0"),
        ("real-data", "--look-back-minutes", "1000000"),
        ("mock-telemetry", "--look-back-minutes", "14"),
        ("fly",),
    ],
    ids=" ".join,
)
def test_what_no_job_knows_is_refused_before_anything_is_done(database_url: str, words: tuple[str, ...]) -> None:
    fill(database_url, "home1")
    done = run(database_url, "job", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert outbox(database_url) == []


def test_an_empty_store_has_nothing_to_do(database_url: str) -> None:
    for name in NAMES:
        done = run(database_url, "job", name)
        assert done.returncode == 0
        assert done.stdout.startswith("0 households: ")


# --- posting to a forecast service ------------------------------------------------------------------------------------

MEASUREMENTS = "/forecast/measurements"


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def fill_yesterday(url: str, *households: str) -> dict[int, float]:
    """Homes in UTC of which yesterday is measured."""
    store = open_store(url)
    midnight = int(time.time()) // 86_400 * 96
    taken: dict[int, float] = {}
    for one in households:
        put_home(store, one)
        taken = measure(store, one, midnight - 96, 96)
    store.close()
    return taken


def test_the_job_posts_yesterday_and_may_be_repeated(database_url: str, server: UpstreamServer) -> None:
    taken = fill_yesterday(database_url, "home1", "home2")
    server.answers(MEASUREMENTS, {"status": "fine"})
    for _ in range(2):
        done = run(database_url, "job", "post-measured", FORECAST_API_URL=server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "2 households: posted yesterday; 0 had nothing to do; 0 failed\n"
    first, second = (request.json for request in server.asked(MEASUREMENTS))
    assert first == second
    told = first["measurements"]
    assert [one["installation_code"] for one in told] == ["home1_consumption", "home2_consumption"]
    for one in told:
        assert {one["timestamp"]: one["value"] for one in one["values"]} == {
            datetime.fromtimestamp(number * 900, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"): wh * 4 / 1000
            for number, wh in taken.items()
        }


@pytest.mark.parametrize("fault", ["down", "500", "404", "closed", "silent"])
def test_a_job_that_can_not_post_says_so_for_each_household(
    database_url: str, server: UpstreamServer, fault: str
) -> None:
    fill_yesterday(database_url, "home1", "home2")
    server.answers(MEASUREMENTS, b"")
    if fault == "down":
        server.goes_down()
    else:
        server.fails(**({"status": int(fault)} if fault.isdigit() else {"way": fault}))  # type: ignore[arg-type]
    settings = {"FORECAST_API_URL": server.url, "FORECAST_TIMEOUT_S": "0.3"}
    done = run(database_url, "job", "post-measured", **settings)
    assert done.returncode == 1
    first, *rest = done.stdout.splitlines()
    assert first == "0 households: posted yesterday; 0 had nothing to do; 2 failed"
    assert [line.split(": the forecast service ")[0] for line in rest] == ["  home1", "  home2"]
    server.recovers()
    server.comes_up()
    assert run(database_url, "job", "post-measured", **settings).returncode == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_large_fleet_is_posted_in_batches_and_a_declined_one_stops_no_other(
    database_url: str, server: UpstreamServer
) -> None:
    fill_yesterday(database_url, *(f"home{i:03d}" for i in range(210)))

    def answer(request: Request) -> Answer:
        codes = [one["installation_code"] for one in request.json["measurements"]]
        return Answer({"error": "too many"}, 413) if "home000_consumption" in codes else Answer()

    server.answers_by(MEASUREMENTS, answer)
    done = run(database_url, "job", "post-measured", FORECAST_API_URL=server.url)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "10 households: posted yesterday; 0 had nothing to do; 200 failed"
    assert done.stdout.splitlines()[-1] == "  and 180 more"
    assert len(server.asked(MEASUREMENTS)) == 2


def test_the_command_makes_a_forecast_here_though_there_is_a_service(database_url: str, server: UpstreamServer) -> None:
    fill_yesterday(database_url, "home1")
    done = run(database_url, "forecast", "--household", "home1", "--day", "tomorrow", FORECAST_API_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert server.requests == []
    refused(run(database_url, "forecast", "--household", "home1", "--day", "x", FORECAST_API_URL=server.url), "'x'")
