"""The outbox, processed, waiting and set-aside events, and leases: the same contract on both stores."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import sqlalchemy as sa
from measured import open_store

from statistics_manager_service import bootstrap
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.services.events.event_rows import OutboxEvent, SetAsideEvent, WaitingEvent
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.database import SqlStore, open_engine

AT_US = 1_715_342_400_123_457
PAYLOAD = {"user_id": "home1", "text": "é \U0001f600 \\ \" '", "nested": {"list": [1, 2.5, None, True]}, "": ""}
EVERY_BYTE = bytes(range(256))


def put(store: SqlStore, household: str = "home1", at_us: int = AT_US) -> OutboxEvent:
    event = OutboxEvent(str(uuid.uuid4()), "statistics", household, "NoteEvent", at_us, PAYLOAD)
    with store.writing() as view:
        view.add_event(event)
    return event


def untold(store: SqlStore, limit: int = 100) -> list[OutboxEvent]:
    with store.reading() as view:
        return view.untold_events(limit)


def waiting(number: int, key: str = "home1", not_before_us: int = 0, attempts: int = 0) -> WaitingEvent:
    return WaitingEvent(f"id{number}", "NoteEvent", key, EVERY_BYTE, attempts, AT_US, not_before_us, f"why {attempts}")


def wait(store: SqlStore, *events: WaitingEvent) -> None:
    with store.writing() as view:
        for one in events:
            view.put_waiting(one)


def due(store: SqlStore, now_us: int = 0, limit: int = 100) -> list[str]:
    with store.reading() as view:
        return [one.event_id for one in view.due_events(now_us, limit)]


def set_aside(number: int, key: str = "home1") -> SetAsideEvent:
    return SetAsideEvent(f"id{number}", "NoteEvent", key, EVERY_BYTE, "why", "t/0/1", AT_US)


def test_an_event_of_the_outbox_comes_back_as_it_was_put(store: SqlStore) -> None:
    event = put(store)
    (found,) = untold(store)
    assert found._replace(sequence=0) == event
    assert found.sequence > 0


@pytest.mark.parametrize("at_us", [0, 1, AT_US, 4_102_444_799_999_999])
def test_the_instant_of_an_event_is_kept_to_the_microsecond(store: SqlStore, at_us: int) -> None:
    put(store, at_us=at_us)
    assert untold(store)[0].at_us == at_us


def test_untold_events_come_in_the_order_in_which_they_were_put(store: SqlStore) -> None:
    ids = [put(store, f"home{n % 2}", AT_US - n).event_id for n in range(5)]
    assert [one.event_id for one in untold(store)] == ids
    assert [one.event_id for one in untold(store, 2)] == ids[:2]
    with store.writing() as view:
        view.mark_told([one.sequence for one in view.untold_events(10)[1:3]], AT_US)
    assert [one.event_id for one in untold(store)] == [ids[0], ids[3], ids[4]]


def test_an_events_number_is_never_used_again(store: SqlStore) -> None:
    put(store)
    first = untold(store)[0].sequence
    with store.writing() as view:
        assert view.delete_events(AT_US + 1, untold=True) == 1
    put(store)
    assert untold(store)[0].sequence > first


def test_an_event_is_put_with_its_transaction_or_not_at_all(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="no"), store.writing() as view:
        view.add_event(OutboxEvent(str(uuid.uuid4()), "statistics", "home1", "NoteEvent", AT_US, PAYLOAD))
        raise ValueError("no")
    assert untold(store) == []


def test_deleting_of_old_events_spares_those_of_the_very_instant_and_untold_ones(store: SqlStore) -> None:
    for at_us in (AT_US - 1, AT_US - 1, AT_US, AT_US + 1):
        put(store, at_us=at_us)
    found = untold(store)
    with store.writing() as view:
        view.mark_told([found[0].sequence, found[2].sequence], AT_US)
        assert view.delete_events(AT_US, untold=False) == 1
        assert view.delete_events(AT_US, untold=False) == 0
        assert view.delete_events(AT_US, untold=True) == 1
    with store.reading() as view:
        assert view.connection.execute(sa.select(sa.func.count()).select_from(schema.events)).scalar() == 2


def test_an_event_is_marked_as_processed_once_for_its_type(store: SqlStore) -> None:
    with store.writing() as view:
        assert view.mark_processed("NoteEvent", "id1", AT_US)
        assert not view.mark_processed("NoteEvent", "id1", AT_US)
        assert view.mark_processed("OtherEvent", "id1", AT_US)
        assert view.mark_processed("NoteEvent", "é" * 255, AT_US)
    with store.reading() as view:
        assert view.is_processed("NoteEvent", "id1")
        assert view.is_processed("NoteEvent", "é" * 255)
        assert not view.is_processed("NoteEvent", "id2")


@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_that_mark_an_event_at_once_one_waits_for_what_becomes_of_the_other(
    database_url: str, first_commits: bool
) -> None:
    first, second = open_store(database_url), open_store(database_url)
    marked, found = threading.Event(), []

    def other() -> None:
        assert marked.wait(10)
        with second.writing() as view:
            found.append((view.mark_processed("NoteEvent", "id1", AT_US), time.monotonic()))

    thread = threading.Thread(target=other)
    thread.start()
    try:
        with first.writing() as view:
            assert view.mark_processed("NoteEvent", "id1", AT_US)
            marked.set()
            time.sleep(0.3)
            ended_s = time.monotonic()
            if not first_commits:
                raise ValueError("rolled back")
    except ValueError:
        assert not first_commits
    thread.join(20)
    ((was_first, at_s),) = found
    assert was_first is not first_commits
    assert at_s > ended_s
    first.close()
    second.close()


def test_the_first_waiting_event_of_each_household_is_due_when_its_time_has_come(store: SqlStore) -> None:
    wait(store, waiting(1, "home1", 50), waiting(2, "home1", 0), waiting(3, "home2", 40), waiting(4, "home3", 60))
    assert due(store, 39) == []
    assert due(store, 50) == ["id3", "id1"]  # the one that is due for longest first
    assert due(store, 50, 1) == ["id3"]
    with store.writing() as view:
        view.delete_waiting("NoteEvent", "id1")
        view.delete_waiting("OtherEvent", "id3")
    assert due(store, 50) == ["id2", "id3"]


def test_a_waiting_event_that_comes_again_keeps_its_attempts_and_its_place(store: SqlStore) -> None:
    wait(store, waiting(1), waiting(2), waiting(1, not_before_us=30, attempts=3), waiting(1, not_before_us=5))
    with store.reading() as view:
        (found,) = view.due_events(30, 10)
        assert view.due_events(29, 10) == []
        assert view.event_counts().waiting == 2
    assert found._replace(sequence=0) == waiting(1, not_before_us=30, attempts=3)


def test_whether_a_household_waits(store: SqlStore) -> None:
    wait(store, waiting(1, "home1"))
    with store.reading() as view:
        assert view.is_waiting("home1")
        assert not view.is_waiting("home")


def test_set_aside_events_come_back_as_they_were_put_and_are_published_once(store: SqlStore) -> None:
    with store.writing() as view:
        for number in range(3):
            view.add_set_aside(set_aside(number))
    with store.reading() as view:
        found = view.set_aside_events(10)
    assert [one._replace(sequence=0) for one in found] == [set_aside(number) for number in range(3)]
    with store.writing() as view:
        view.mark_published([found[0].sequence, found[2].sequence], AT_US)
        assert view.set_aside_events(10, unpublished=True) == [found[1]]
        assert view.set_aside_events(2) == found[:2]


def test_a_set_aside_event_that_is_taken_back_counts_as_processed_no_more(store: SqlStore) -> None:
    with store.writing() as view:
        for number in (1, 2):
            view.mark_processed("NoteEvent", f"id{number}", AT_US)
            view.add_set_aside(set_aside(number))
    with store.writing() as view:
        first = view.set_aside_events(1)[0]
        assert view.take_set_aside(first.sequence) == first
        assert view.take_set_aside(first.sequence) is None
        assert not view.is_processed("NoteEvent", "id1")
        assert view.is_processed("NoteEvent", "id2")
        assert view.event_counts().set_aside == 1


def test_events_are_counted_by_where_they_are(store: SqlStore) -> None:
    for _ in range(3):
        put(store)
    wait(store, waiting(1), waiting(2))
    with store.writing() as view:
        view.mark_told([view.untold_events(1)[0].sequence], AT_US)
        view.add_set_aside(set_aside(1))
    with store.reading() as view:
        assert view.event_counts() == (2, 2, 1)


def test_a_lease_is_one_holders_until_it_runs_out(store: SqlStore) -> None:
    def take(holder: str, now_us: int, until_us: int, name: str = "relay") -> bool:
        with store.writing() as view:
            return view.take_lease(name, holder, now_us, until_us)

    assert take("first", 0, 10)
    assert not take("second", 9, 19)
    assert take("second", 9, 19, "another")
    assert take("first", 9, 19)  # prolonged
    assert not take("second", 18, 28)
    assert take("second", 19, 29)
    assert not take("first", 20, 30)


def test_of_many_that_take_a_free_lease_at_once_one_gets_it(database_url: str) -> None:
    stores = [open_store(database_url) for _ in range(6)]
    start, got = threading.Barrier(6), []

    def take(number: int) -> None:
        start.wait(10)
        with stores[number].writing() as view:
            got.append(view.take_lease("relay", f"holder {number}", 0, 10))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(got) == [False] * 5 + [True]
    for each in stores:
        each.close()


def test_erasing_a_household_erases_its_events_wherever_they_are_and_no_others(store: SqlStore) -> None:
    with store.writing() as view:
        for household in ("home1", "home2"):
            view.put_household(Household(0, household))
    for household in ("home1", "home2"):
        put(store, household)
        wait(store, waiting(int(household[-1]), household))
        with store.writing() as view:
            view.add_set_aside(set_aside(int(household[-1]), household))
    bootstrap.households_of(store).delete("home1")
    with store.reading() as view:
        assert [one.aggregate_id for one in view.untold_events(10)] == ["home2"]
        assert [one.key for one in view.due_events(AT_US, 10)] == ["home2"]
        assert [one.key for one in view.set_aside_events(10)] == ["home2"]


def test_a_store_that_is_not_there_is_told_as_unavailable() -> None:
    store = SqlStore(open_engine("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"))
    with pytest.raises(Unavailable), store.reading() as view:
        view.untold_events(1)
    with pytest.raises(Unavailable), store.writing() as view:
        view.mark_processed("NoteEvent", "id1", AT_US)
