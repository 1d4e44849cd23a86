"""`statistics-manager pull influxdb` as an operator calls it: summaries, exit codes, repetition, failures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from influx_server import InfluxServer, Point, body, breaks_off, cut
from measured import open_store, put_home, us
from test_commands import Done, refused, run

DAY = "2023-01-01"
START_NS = us(DAY) * 1000
HOUR_NS = 3_600 * 10**9


@pytest.fixture
def server() -> Iterator[InfluxServer]:
    with InfluxServer() as running:
        yield running


def homes(url: str, *households: str, **settings: Any) -> None:
    store = open_store(url)
    for one in households:
        put_home(store, one, api_key=f"key of {one}", **settings)
    store.close()


def day_of(household: str, start_ns: int = START_NS) -> list[Point]:
    """A day's hourly registers, of 0.1 kWh an hour, and powers."""
    key, at_ns = f"key of {household}", [start_ns + n * HOUR_NS for n in range(24)]
    registers = [Point(key, "energyImported", at, 1_000 + (at - START_NS) // HOUR_NS * 100) for at in at_ns]
    return registers + [Point(key, "powerImported", at, 100.0) for at in at_ns]


def pull(url: str, server: InfluxServer, *words: str, **settings: str) -> Done:
    return run(url, "pull", "influxdb", *words, **{**server.settings(), "INFLUX_TIMEOUT_S": "5", **settings})


def energy_kwh(url: str, household: str) -> float:
    store = open_store(url)
    with store.reading() as view:
        owner = view.household(household)
        assert owner is not None
        found = [one.energy_milliwh for one in view.channels(owner.household_no) if one.quantity == "energy_import"]
    store.close()
    return sum(found) / 1e6


def test_all_households_are_pulled_and_again_nothing_is_new(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1", "home2")
    store = open_store(database_url)
    put_home(store, "nothing")
    store.close()
    server.points = [*day_of("home1"), *day_of("home2"), Point("key of home2", "voltage", START_NS, "high")]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "2 households: pulled; 1 had nothing to do; 0 failed\n"
        "97 rows: accepted 96, known already 0, set aside 0 of the accepted, refused 1\n"
        "  refused: home2: voltage at 2023-01-01T00:00:00Z: 'high' is of type string, no number\n"
    )
    assert energy_kwh(database_url, "home1") == energy_kwh(database_url, "home2") == 2.3
    again = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert again.stdout.splitlines()[1] == (
        "97 rows: accepted 0, known already 96, set aside 0 of the accepted, refused 1"
    )


def test_one_household_is_pulled_alone(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1", "home2")
    server.points = [*day_of("home1"), *day_of("home2")]
    done = pull(database_url, server, "--since", DAY, "--household", "home2")
    assert done.stdout.startswith("1 households: pulled; 0 had nothing to do; 0 failed\n48 rows: accepted 48,")
    assert {name for one in server.queries for name in one.measurements} == {"key of home2"}


def test_a_date_is_one_of_the_households_zone(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "lisbon", timezone="Europe/Lisbon")
    homes(database_url, "tokyo", timezone="Asia/Tokyo")
    assert pull(database_url, server, "--since", "2023-07-01", "--until", "2023-07-02").returncode == 0
    asked = {one.measurements[0]: (one.start_ns // 10**3, one.stop_ns // 10**3) for one in server.queries}
    assert asked["key of lisbon"] == (us("2023-06-30T23:00:00"), us("2023-07-01T23:00:00"))
    assert asked["key of tokyo"] == (us("2023-06-30T15:00:00"), us("2023-07-01T15:00:00"))
    server.requests.clear()
    pull(database_url, server, "--since", "2023-07-01T00:00:00Z", "--until", "2023-07-01T06:00:00+02:00")
    assert {(one.start_ns // 10**3, one.stop_ns // 10**3) for one in server.queries} == {
        (us("2023-07-01"), us("2023-07-01T04:00:00"))
    }


def test_without_since_it_goes_on_an_hour_before_the_end_of_the_last_pull(
    database_url: str, server: InfluxServer
) -> None:
    homes(database_url, "home1")
    recent_ns = (time.time_ns() // HOUR_NS - 30) * HOUR_NS
    server.points = day_of("home1", recent_ns)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(recent_ns // 10**9))
    assert pull(database_url, server, "--since", since).stdout.splitlines()[1].startswith("48 rows: accepted 48,")
    late = Point("key of home1", "voltage", time.time_ns() - HOUR_NS // 2, 230.0)
    server.points.append(late)
    server.requests.clear()
    done = pull(database_url, server)
    assert done.stdout.splitlines()[1].startswith("1 rows: accepted 1, known already 0,")
    (query,) = server.queries
    assert HOUR_NS <= query.stop_ns - query.start_ns < HOUR_NS + 300 * 10**9


def test_a_failing_household_is_told_and_the_others_are_done(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1", "home2", "home3")
    server.points = [point for name in ("home1", "home2", "home3") for point in day_of(name)]
    server.faults = [None, breaks_off(0.5), None]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "2 households: pulled; 0 had nothing to do; 1 failed"
    assert lines[1].startswith("96 rows: accepted 96,")
    assert lines[2:] == ["  failed: home2: InfluxDB could not answer: memory allocation limit reached"]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("144 rows: accepted 48, known already 96,")


def test_what_was_recorded_before_a_failure_is_counted_and_kept(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1")
    server.points = [*day_of("home1"), *day_of("home1", START_NS + 24 * HOUR_NS)]
    server.faults = [None, cut(0.5)]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-03")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "0 households: pulled; 0 had nothing to do; 1 failed",
        "48 rows: accepted 48, known already 0, set aside 0 of the accepted, refused 0",
    ]
    assert lines[2] == "  failed: home1: InfluxDB cut its answer off: RemoteProtocolError"
    assert energy_kwh(database_url, "home1") == 2.3
    done = pull(database_url, server, "--until", "2023-01-03")  # on from the first page's end
    assert (done.returncode, energy_kwh(database_url, "home1")) == (0, 4.7)


def test_a_server_that_is_down_ends_the_command_soon_with_each_household_told(
    database_url: str, server: InfluxServer
) -> None:
    homes(database_url, *(f"home{n:02}" for n in range(30)))
    server.goes_down()
    began_s = time.monotonic()
    done = pull(database_url, server, "--since", DAY)
    assert time.monotonic() - began_s < 30
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "0 households: pulled; 0 had nothing to do; 30 failed"
    assert lines[2] == "  failed: home00: InfluxDB can't be reached: ConnectError"
    assert lines[-1] == "  and 10 more"


def test_many_refused_rows_are_counted(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1")
    server.points = [Point("key of home1", "voltage", START_NS + n, "x") for n in range(0, 25_000, 1000)]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[1].endswith("refused 25")
    assert (len(lines), lines[-1]) == (23, "  and 5 more")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "soon"), ("since: 'soon' is no date",)),
        (("--household", "nobody"), ("there is no household 'nobody'",)),
    ],
)
def test_a_wrong_option_is_refused(
    database_url: str, server: InfluxServer, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    homes(database_url, "home1")
    refused(pull(database_url, server, *words), *told)
    assert server.requests == []


def test_all_wrong_options_are_told_at_once(database_url: str, server: InfluxServer) -> None:
    done = pull(database_url, server, "--since", "soon", "--until", "later")
    assert done.returncode == 1
    assert "since: 'soon'" in done.stderr
    assert "until: 'later'" in done.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "home1 was never pulled as it is set up now; tell since when"),
        (("--since", "2023-01-02", "--until", DAY), "until: 2023-01-01T00:00:00Z lies before the pull's beginning"),
    ],
)
def test_what_is_wrong_for_a_household_is_told_of_it(
    database_url: str, server: InfluxServer, words: tuple[str, ...], reason: str
) -> None:
    homes(database_url, "home1")
    done = pull(database_url, server, *words)
    assert done.returncode == 1
    assert reason in done.stdout.splitlines()[2]


def test_without_an_influxdb_the_command_says_what_to_set(database_url: str) -> None:
    homes(database_url, "home1")
    refused(run(database_url, "pull", "influxdb", "--since", DAY, INFLUX_URL=""), "INFLUX_URL is not set")


def test_a_household_without_a_dongle_or_a_meter_can_not_be_pulled_by_name(
    database_url: str, server: InfluxServer
) -> None:
    store = open_store(database_url)
    put_home(store, "bare")
    store.close()
    done = pull(database_url, server, "--since", DAY, "--household", "bare")
    assert done.returncode == 1
    assert done.stdout.splitlines()[2] == (
        "  failed: bare: household bare has neither an api_key nor a meter_id, so no telemetry is told of it"
    )


def test_what_influxdb_tells_with_a_refusal_is_shown(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1")
    done = pull(database_url, server, "--since", DAY, INFLUX_BUCKET="another")
    assert done.returncode == 1
    assert done.stdout.splitlines()[2] == (
        "  failed: home1: InfluxDB declined what it was asked, with status 404: could not find bucket; "
        "are INFLUX_ORG and INFLUX_BUCKET right?"
    )


def test_an_answer_of_another_form_is_told(database_url: str, server: InfluxServer) -> None:
    homes(database_url, "home1")
    server.faults = [body("<html>a proxy</html>\n\n")]
    done = pull(database_url, server, "--since", DAY, "--until", "2023-01-02")
    assert done.returncode == 1
    assert "InfluxDB answered nonsense: this is no header of a table: '<html>a proxy</html>'" in done.stdout
