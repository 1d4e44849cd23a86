"""What brings events on their way: in their order, by one at a time, and marked only where they have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from measured import DAY_US, Clock, open_store

from statistics_manager_service.bootstrap.events import InProcess
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.kafka import _DELIVERY_S
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.events.event_rows import OutboxEvent, SetAsideEvent
from statistics_manager_service.services.events.events import new_event, nothing
from statistics_manager_service.services.events.inbox import Backoff, Inbox
from statistics_manager_service.services.events.relaying import (
    LEASE_S,
    Lease,
    Relay,
    Retries,
    Undertaker,
    forget_events,
)
from statistics_manager_service.storage.database import SqlStore

SECOND_US = 1_000_000


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock("2024-05-10T12:00:00")


class Ear:
    """Where events are told: of each batch it takes those that `hears` says, and says what it got."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.hears: Callable[[int], bool] = lambda _: True
        self.on_batch: Callable[[], None] = lambda: None

    def __call__(self, events: Sequence[OutboxEvent]) -> list[int]:
        self.on_batch()
        taken = [one for one in events if self.hears(one.payload["number"])]
        if not taken:
            raise Unavailable("nobody hears")
        self.heard += [one.payload["number"] for one in taken]
        return [one.sequence for one in taken]


def put(store: SqlStore, clock: Clock, *numbers: int, household: str = "home1") -> None:
    with store.writing() as view:
        for number in numbers:
            view.add_event(new_event("NoteEvent", household, {"number": number}, clock()))


def untold(store: SqlStore) -> list[int]:
    with store.reading() as view:
        return [one.payload["number"] for one in view.untold_events(1000)]


def relay_of(store: SqlStore, ear: Ear, clock: Clock, holder: str = "first") -> tuple[Relay, Lease]:
    lease = Lease(store, "relay", holder, clock)
    return Relay(store, ear, lease, clock), lease


def test_events_are_told_in_the_order_in_which_they_were_put(store: SqlStore, clock: Clock) -> None:
    ear = Ear()
    relay, _ = relay_of(store, ear, clock)
    put(store, clock, *range(0, 450, 2))
    put(store, clock, *range(1, 450, 2), household="home2")
    steps = []
    while done := relay.step():
        steps.append(done)
    assert ear.heard == [*range(0, 450, 2), *range(1, 450, 2)]
    assert sum(steps) == 450
    assert len(steps) > 1  # by batches, so that memory is bounded
    assert untold(store) == []


def test_only_what_has_arrived_is_marked_and_the_rest_is_told_again(store: SqlStore, clock: Clock) -> None:
    ear = Ear()
    relay, _ = relay_of(store, ear, clock)
    put(store, clock, 0, 1, 2, 3, 4, 5)
    ear.hears = lambda number: number % 2 == 0
    assert relay.step() == 3
    assert untold(store) == [1, 3, 5]
    with pytest.raises(Unavailable):
        relay.step()
    assert untold(store) == [1, 3, 5]
    ear.hears = lambda _: True
    assert relay.step() == 3
    assert ear.heard == [0, 2, 4, 1, 3, 5]
    assert relay.step() == 0


def test_one_of_two_relays_tells_at_a_time_and_the_other_goes_on_when_the_lease_has_run_out(
    store: SqlStore, clock: Clock
) -> None:
    first_ear, second_ear = Ear(), Ear()
    first, _ = relay_of(store, first_ear, clock, "first")
    second, _ = relay_of(store, second_ear, clock, "second")
    put(store, clock, 1)
    assert (first.step(), second.step()) == (1, 0)
    put(store, clock, 2)
    clock.now_us += (LEASE_S - 1) * SECOND_US
    assert second.step() == 0
    clock.now_us += SECOND_US
    assert second.step() == 1  # the first one died
    put(store, clock, 3)
    assert (first.step(), second.step()) == (0, 1)
    assert (first_ear.heard, second_ear.heard) == ([1], [2, 3])


def test_a_relay_that_goes_on_telling_keeps_its_lease(store: SqlStore, clock: Clock) -> None:
    ear, other_ear = Ear(), Ear()
    relay, _ = relay_of(store, ear, clock)
    other, _ = relay_of(store, other_ear, clock, "second")
    for number in range(10):
        put(store, clock, number)
        assert relay.step() == 1
        clock.now_us += (LEASE_S - 5) * SECOND_US
        put(store, clock, 100 + number)
        assert other.step() == 0
        assert relay.step() == 1
    assert other_ear.heard == []


@pytest.mark.parametrize("age_s", range(LEASE_S))
def test_whatever_the_age_of_its_lease_no_other_tells_while_a_relay_waits_for_the_broker(
    store: SqlStore, clock: Clock, age_s: int
) -> None:
    ear, other_ear = Ear(), Ear()
    relay, lease = relay_of(store, ear, clock)
    other, _ = relay_of(store, other_ear, clock, "second")
    put(store, clock, 1)
    assert lease.is_held()
    clock.now_us += age_s * SECOND_US
    seen: list[int] = []

    def delivery() -> None:  # as long as the sender waits for it, and for what it gives up
        clock.now_us += round((_DELIVERY_S + 1) * SECOND_US)
        seen.append(other.step())

    ear.on_batch = delivery
    assert relay.step() == 1
    assert seen == [0]


def test_a_lease_that_is_given_back_is_anothers_at_once(store: SqlStore, clock: Clock) -> None:
    first, second = (Lease(store, "relay", holder, clock) for holder in ("first", "second"))
    assert (first.is_held(), second.is_held()) == (True, False)
    second.release()  # what it has not, it can't give
    assert (first.is_held(), second.is_held()) == (True, False)
    first.release()
    assert second.is_held()
    first.release()
    assert not first.is_held()
    assert Lease(store, "another", "first", clock).is_held()


def test_a_late_release_takes_nothing_from_who_has_the_lease_now(store: SqlStore, clock: Clock) -> None:
    first, second, third = (Lease(store, "relay", holder, clock) for holder in ("first", "second", "third"))
    assert first.is_held()
    clock.now_us += (LEASE_S + 1) * SECOND_US
    assert second.is_held()
    first.release()
    assert not third.is_held()
    assert second.is_held()


def test_events_told_long_ago_are_forgotten_and_untold_ones_kept(store: SqlStore, clock: Clock) -> None:
    ear = Ear()
    relay, _ = relay_of(store, ear, clock)
    put(store, clock, 1, 2)
    ear.hears = lambda number: number == 1
    relay.step()
    clock.now_us += 7 * DAY_US
    assert forget_events(store, clock() - 7 * DAY_US, untold=False) == 0
    clock.now_us += 1
    put(store, clock, 3)
    assert forget_events(store, clock() - 7 * DAY_US, untold=False) == 1
    assert untold(store) == [2, 3]
    assert forget_events(store, clock() - 7 * DAY_US, untold=True) == 1  # as where Debezium tells them
    assert untold(store) == [3]


def test_set_aside_events_are_published_once_and_stay(store: SqlStore, clock: Clock) -> None:
    with store.writing() as view:
        for number in range(3):
            view.add_set_aside(SetAsideEvent(f"id{number}", "NoteEvent", "home1", b"x", "a reason", "t/0/1", clock()))
    seen: list[str] = []

    def publish(events: Sequence[SetAsideEvent]) -> list[int]:
        arrived = events[:2]
        seen.extend(one.event_id for one in arrived)
        return [one.sequence for one in arrived]

    undertakers = [
        Undertaker(store, publish, Lease(store, "dead-letter", holder, clock), clock) for holder in ("first", "second")
    ]
    assert [one.step() for one in (*undertakers, *undertakers, *undertakers)] == [2, 0, 1, 0, 0, 0]
    assert seen == ["id0", "id1", "id2"]
    with store.reading() as view:
        assert len(view.set_aside_events(10)) == 3
        assert view.set_aside_events(10, unpublished=True) == []


def inbox_of(store: SqlStore, clock: Clock, calls: list[int], failing: list[int]) -> Inbox:
    def handle(payload: dict[str, int]) -> Callable[[object], None]:
        calls.append(payload["number"])
        if payload["number"] in failing:
            raise Unavailable("it is down", 0)
        return nothing  # type: ignore[return-value]

    return Inbox(store, {"NoteEvent": handle}, clock, Backoff(1, 60, 3600), message_of)  # type: ignore[dict-item]


def test_without_a_broker_events_are_handed_to_their_handlers_and_a_failing_one_stops_no_other(
    store: SqlStore, clock: Clock
) -> None:
    calls: list[int] = []
    failing = [1]
    inbox = inbox_of(store, clock, calls, failing)
    relay = Relay(store, InProcess(inbox), Lease(store, "relay", "first", clock), clock)
    retries = [Retries(store, inbox, Lease(store, "retries", holder, clock), clock) for holder in ("first", "second")]
    put(store, clock, 0, 1, 2)
    put(store, clock, 3, household="home2")
    assert relay.step() == 4
    assert calls == [0, 1, 3]
    assert [one.step() for one in retries] == [0, 0]
    failing.clear()
    clock.now_us += 2 * SECOND_US
    assert [one.step() for one in retries] == [1, 0]
    assert [one.step() for one in retries] == [1, 0]
    assert calls == [0, 1, 3, 1, 2]
    with store.reading() as view:
        assert view.event_counts() == (0, 0, 0)
