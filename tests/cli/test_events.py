"""`statistics-manager events …`: the state of events, those that failed, and working them off."""

from __future__ import annotations

import os
import pathlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from forked import Forked, command
from measured import open_store, put_home
from test_commands import refused, run

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.events import inbox_of
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.events.event_rows import EventCounts
from statistics_manager_service.services.events.events import MOCK_CURVE
from statistics_manager_service.services.events.producing import Producers
from statistics_manager_service.settings import Settings

WAIT_S = 60
NOT_READ = b"no JSON"


def set_aside(url: str, *bodies: bytes) -> list[int]:
    """Let messages be taken that can't be handled; the numbers of all that are set aside."""
    store = open_store(url)
    inbox = inbox_of(Settings(), store, bootstrap.recorder_of(store), bootstrap.now_us)
    for n, body in enumerate(bodies):
        inbox.take(message_of(body, f"hems.statistics/0/{n}", b"home1"))
    with store.reading() as view:
        found = [one.sequence for one in view.set_aside_events(100)]
    store.close()
    return found


def unknown(number: int) -> bytes:
    """An event of a household that is not there."""
    payload = '{"user_id": "home1", "start_date": "2024-05-10", "delivery_time": 15, "contracted_power": 6900}'
    return f'{{"payload": {{"eventId": "id{number}", "eventType": "{MOCK_CURVE}", "payload": {payload}}}}}'.encode()


def counts(url: str) -> EventCounts:
    store = open_store(url)
    with store.reading() as view:
        found = view.event_counts()
    store.close()
    return found


def test_the_state_tells_how_many_events_are_where(database_url: str) -> None:
    done = run(database_url, "events", "status")
    assert (done.returncode, done.stdout) == (0, "0 not yet told, 0 waiting, 0 set aside\n")
    store = open_store(database_url)
    put_home(store)
    for _ in range(3):
        Producers(store, bootstrap.now_us).mock_curve("home1", 1_715_299_200_000_000, 15)
    store.close()
    set_aside(database_url, NOT_READ, unknown(1))
    assert run(database_url, "events", "status").stdout == "3 not yet told, 0 waiting, 1 set aside\n"
    done = run(database_url, "events", "status", KAFKA_BROKER_ENDPOINT="127.0.0.1:9")
    assert done.stdout == "0 waiting, 1 set aside\n", "Debezium reads the table's log, and marks nothing"


def test_the_list_tells_of_each_set_aside_event_its_household_and_why(database_url: str) -> None:
    done = run(database_url, "events", "list")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 events are set aside, 0 wait\n")
    numbers = set_aside(database_url, NOT_READ, unknown(1))
    done = run(database_url, "events", "list")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{numbers[0]}  unreadable  home1  the value is no JSON")
    assert second.startswith(f"{numbers[1]}  {MOCK_CURVE}  home1  ")
    assert done.stderr == "2 events are set aside, 0 wait\n"
    assert run(database_url, "events", "retry", str(numbers[1])).returncode == 0
    done = run(database_url, "events", "list")
    assert done.stdout.splitlines()[1] == (f"-  {MOCK_CURVE}  home1  waits, tried 0 times: asked for by the operator")
    assert done.stderr == "1 events are set aside, 1 wait\n"


def test_an_event_is_one_line_of_the_list_whatever_a_sender_put_into_it(database_url: str) -> None:
    evil = rb'{"payload": {"eventId": "id1", "eventType": "a\n7  fake\u001b[2J", "payload": {"user_id": "b\nc"}}}'
    set_aside(database_url, evil)
    listed = run(database_url, "events", "list").stdout
    assert listed.count("\n") == 1
    assert "\x1b" not in listed


def test_a_set_aside_event_is_handled_again_by_its_number(database_url: str) -> None:
    numbers = set_aside(database_url, unknown(1), unknown(2))
    done = run(database_url, "events", "retry", str(numbers[1]))
    assert (done.returncode, done.stdout) == (0, "It is handled again soon.\n")
    assert counts(database_url) == (0, 1, 1)
    refused(run(database_url, "events", "retry", str(numbers[1])), f"no event {numbers[1]} is set aside")


def test_all_that_can_be_read_are_handled_again_and_the_others_named(database_url: str) -> None:
    numbers = set_aside(database_url, unknown(1), NOT_READ, unknown(2))
    done = run(database_url, "events", "retry", "--all")
    assert (done.returncode, done.stdout) == (0, "2 of 3 events are handled again soon.\n")
    assert done.stderr.startswith(f"{numbers[1]}: this event can't be read")
    assert counts(database_url) == (0, 2, 1)


def test_what_can_not_be_read_is_refused_by_its_number(database_url: str) -> None:
    (number,) = set_aside(database_url, NOT_READ)
    refused(run(database_url, "events", "retry", str(number)), "can't be read")
    assert counts(database_url) == (0, 0, 1)


@pytest.mark.parametrize("words", [(), ("1", "--all")], ids=["nothing", "both"])
def test_retrying_needs_a_number_or_all(database_url: str, words: tuple[str, ...]) -> None:
    refused(run(database_url, "events", "retry", *words), "tell the number of one event, or --all")


@pytest.mark.parametrize("number", ["0", "x", "1.5", str(2**63), "9" * 40])
def test_what_is_no_number_is_wrong_usage(database_url: str, number: str) -> None:
    done = run(database_url, "events", "retry", number)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid value for 'number'" in done.stderr


def test_the_largest_number_is_just_not_there(database_url: str) -> None:
    refused(run(database_url, "events", "retry", str(2**63 - 1)), "is set aside")


@pytest.mark.parametrize("words", [("status",), ("list",), ("retry", "1"), ("work",)], ids=" ".join)
def test_without_a_store_each_command_says_so(tmp_path: pathlib.Path, words: tuple[str, ...]) -> None:
    done = run(f"sqlite:///{tmp_path / 'none.sqlite3'}", "events", *words)
    assert done.returncode == 1
    assert done.stderr.startswith("statistics-manager: ")
    assert not (tmp_path / "none.sqlite3").exists()


@contextmanager
def working(url: str, **settings: str) -> Iterator[Forked]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "KAFKA_"))}
    process = command("events", "work", environment={**kept, "DATABASE_URL": url, **settings})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_handles_what_is_in_the_outbox_and_ends_well_when_asked(
    database_url: str, sent: signal.Signals
) -> None:
    store = open_store(database_url)
    put_home(store, "home1", contracted_power_kva=6.9)
    event = Producers(store, bootstrap.now_us).mock_curve("home1", 1_715_299_200_000_000, 15)
    with working(database_url, FORECAST_DAILY="false") as process:
        until = time.monotonic() + WAIT_S
        while counts(database_url).untold:
            assert process.poll() is None
            assert time.monotonic() < until, "the event was not told"
            time.sleep(0.1)
        process.send_signal(sent)
        assert process.wait(WAIT_S) == 0
    with store.reading() as view:
        assert view.is_processed(event.event_type, event.event_id)
        assert view.event_counts() == (0, 0, 0)
    with store.writing() as view:  # its leases were given back
        assert view.take_lease("relay", "another", bootstrap.now_us(), bootstrap.now_us() + 1)
    store.close()
