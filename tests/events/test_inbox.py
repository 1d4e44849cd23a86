"""The inbox over both stores: each event once in effect, in its household's order, and none lost, whatever fails."""

from __future__ import annotations

import threading
import uuid

import pytest
import sqlalchemy as sa
from measured import Clock
from taking import NOTE, SECOND_US, Noting, Taking, body, down, message, unreadable

from statistics_manager_service.errors import BadInput, NotFound, Unavailable
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.events.inbox import Backoff, Inbox, Outcome
from statistics_manager_service.services.events.relaying import forget_processed
from statistics_manager_service.storage.database import SqlStore, open_engine


@pytest.fixture
def taking(database_url: str) -> Taking:
    return Taking(database_url)


def test_the_same_message_ten_times_has_its_effect_once(taking: Taking) -> None:
    outcomes = [taking.inbox.take(message(1)) for _ in range(10)]
    assert outcomes == [Outcome.HANDLED, *[Outcome.DUPLICATE] * 9]
    assert taking.numbers() == [1]
    assert taking.handler.calls == [1]


def test_an_event_waits_while_its_handler_can_not_do_it_and_later_ones_of_its_household_behind_it(
    taking: Taking,
) -> None:
    taking.handler.failures[1] = down()
    assert taking.inbox.take(message(1)) is Outcome.WAITING
    assert taking.inbox.take(message(2)) is Outcome.WAITING
    assert taking.inbox.take(message(3, "home2")) is Outcome.HANDLED
    assert taking.numbers() == [3]
    assert taking.counts().waiting == 2
    del taking.handler.failures[1]
    assert taking.inbox.retry_due() == 0
    taking.wait(2)
    while taking.inbox.retry_due():
        pass
    assert taking.numbers() == [3, 1, 2]
    assert taking.counts().waiting == 0


def test_rests_between_tries_grow_up_to_a_limit(taking: Taking) -> None:
    taking.handler.failures[1] = down()
    taking.inbox.take(message(1))
    waited_s = []
    for _ in range(9):
        passed = 0
        while not taking.inbox.retry_due():
            taking.wait(0.5)
            passed += 1
        waited_s.append(passed / 2)
    wanted = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for found, least in zip(waited_s, wanted, strict=True):
        assert least <= found <= least * 1.25 + 0.5


def test_an_event_that_fails_for_too_long_is_set_aside_and_the_next_one_of_its_household_goes_on(
    taking: Taking,
) -> None:
    taking.handler.failures[1] = down("it is down")
    taking.inbox.take(message(1))
    taking.wait(3000)
    taking.inbox.take(message(2))
    taking.wait(700)
    while taking.inbox.retry_due():
        pass
    assert taking.numbers() == [2]
    (one,) = taking.set_aside()
    assert (one.event_id, one.event_type, one.key, one.body) == ("id1", NOTE, "home1", body(1))
    assert one.reason == "it failed 2 times, the last time: it is down"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (NotFound("there is no household home1"), "there is no household home1"),
        (BadInput("the day is no date"), "the day is no date"),
        (ValueError("a fault of ours"), "ValueError: a fault of ours"),
        (NotFound("a name with a \0 in it"), "a name with a \N{SYMBOL FOR NULL} in it"),
        (KeyError("half a \ud83d"), "KeyError: 'half a \\ud83d'"),
        (ValueError("half a \ud83d"), "ValueError: half a ?"),
        (NotFound("x" * 5000), "x" * 1000),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
@pytest.mark.parametrize("where", ["asking", "writing"])
def test_what_never_can_be_handled_is_set_aside_with_its_reason(
    taking: Taking, failure: Exception, reason: str, where: str
) -> None:
    (taking.handler.failures if where == "asking" else taking.handler.write_failures)[1] = failure
    assert taking.inbox.take(message(1)) is Outcome.SET_ASIDE
    assert taking.inbox.take(message(1)) is Outcome.DUPLICATE
    assert taking.inbox.take(message(2)) is Outcome.HANDLED
    assert taking.numbers() == [2]
    assert [one.reason for one in taking.set_aside()] == [reason]


def test_a_write_that_the_store_refuses_sets_the_event_aside_and_leaves_nothing_half_done(taking: Taking) -> None:
    taking.handler.write_failures[1] = sa.exc.IntegrityError("INSERT", {}, ValueError("a key is there already"))
    assert taking.inbox.take(message(1)) is Outcome.SET_ASIDE
    assert taking.numbers() == []


def test_an_event_without_a_handler_is_set_aside_from_our_topic_and_passed_over_from_anothers(taking: Taking) -> None:
    unknown = message(1, event_type="SomethingElse")
    assert taking.inbox.take(unknown, is_ours=False) is Outcome.PASSED_OVER
    assert taking.counts() == (0, 0, 0)
    assert taking.inbox.take(unknown) is Outcome.SET_ASIDE
    assert "no handler of 'SomethingElse'" in taking.set_aside()[0].reason
    assert taking.inbox.take(message(2), is_ours=False) is Outcome.HANDLED


def test_what_can_not_be_read_is_set_aside_once_for_its_place_and_content(taking: Taking) -> None:
    assert taking.inbox.take(unreadable(b"\xff", "topic/0/1")) is Outcome.SET_ASIDE
    assert taking.inbox.take(unreadable(b"\xff", "topic/0/1")) is Outcome.DUPLICATE
    assert taking.inbox.take(unreadable(b"\xff", "topic/0/2")) is Outcome.SET_ASIDE
    # the topic was made anew, and has something else at the same place
    assert taking.inbox.take(unreadable(b"\xfe", "topic/0/1")) is Outcome.SET_ASIDE
    assert [one.body for one in taking.set_aside()] == [b"\xff", b"\xff", b"\xfe"]
    assert {one.event_type for one in taking.set_aside()} == {"unreadable"}


def test_while_the_store_is_gone_nothing_becomes_of_a_message(taking: Taking) -> None:
    taking.store.failure = Unavailable("the store is gone")
    with pytest.raises(Unavailable):
        taking.inbox.take(message(1))
    taking.store.failure = None
    assert taking.counts() == (0, 0, 0)
    assert taking.inbox.take(message(1)) is Outcome.HANDLED


def test_a_store_that_goes_while_the_handler_works_leaves_the_message_to_come_again(taking: Taking) -> None:
    def go(_number: int) -> None:
        taking.store.failure = Unavailable("the store is gone")

    taking.handler.on_call = go
    with pytest.raises(Unavailable):
        taking.inbox.take(message(1))
    taking.handler.on_call, taking.store.failure = lambda _: None, None
    assert taking.inbox.take(message(1)) is Outcome.HANDLED
    assert taking.numbers() == [1]


def test_a_set_aside_event_is_handled_again_if_wished(taking: Taking) -> None:
    taking.handler.failures[1] = NotFound("there is no household home1")
    taking.inbox.take(message(1))
    number = taking.set_aside()[0].sequence
    del taking.handler.failures[1]
    assert taking.inbox.requeue(number)
    assert not taking.inbox.requeue(number)
    assert taking.counts() == (0, 1, 0)
    # the message itself comes again meanwhile
    assert taking.inbox.take(message(1)) is Outcome.WAITING
    assert taking.inbox.retry_due() == 1
    assert taking.numbers() == [1]
    assert taking.counts() == (0, 0, 0)
    assert taking.inbox.take(message(1)) is Outcome.DUPLICATE


def test_what_can_not_be_read_can_not_be_handled_again_and_stays(taking: Taking) -> None:
    taking.inbox.take(unreadable(b"\xff", "topic/0/1"))
    with pytest.raises(BadInput, match="can't be read"):
        taking.inbox.requeue(taking.set_aside()[0].sequence)
    assert taking.counts().set_aside == 1
    assert taking.inbox.take(unreadable(b"\xff", "topic/0/1")) is Outcome.DUPLICATE


def test_an_event_that_was_handled_elsewhere_meanwhile_does_not_wait_any_more(database_url: str) -> None:
    """Another one handles it while this one's try fails, as where a partition went to another consumer."""
    first, second = Taking(database_url), Taking(database_url)
    first.handler.failures[1] = down()
    first.handler.on_call = lambda _: second.inbox.take(message(1)) and None
    assert first.inbox.take(message(1)) is Outcome.DUPLICATE
    assert first.numbers() == [1]
    assert first.counts().waiting == 0


def test_a_waiting_event_that_was_handled_is_not_handled_again(database_url: str) -> None:
    taking = Taking(database_url)
    taking.handler.failures[1] = down()
    taking.inbox.take(message(1))
    with taking.store.writing() as view:
        view.mark_processed(NOTE, "id1", 0)
    taking.wait(5)
    calls = len(taking.handler.calls)
    assert taking.inbox.retry_due() == 1
    assert len(taking.handler.calls) == calls
    assert taking.counts().waiting == 0


def test_two_who_take_the_same_messages_at_once_have_each_effect_once_and_in_order(database_url: str) -> None:
    takings = [Taking(database_url) for _ in range(2)]
    start = threading.Barrier(2)
    outcomes: list[Outcome] = []

    def work(taking: Taking) -> None:
        start.wait()
        outcomes.extend(taking.inbox.take(message(number, f"home{number % 3}")) for number in range(60))

    threads = [threading.Thread(target=work, args=(one,)) for one in takings]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(takings[0].numbers()) == list(range(60))
    assert outcomes.count(Outcome.HANDLED) == 60
    assert outcomes.count(Outcome.DUPLICATE) == 60


def test_both_who_handle_an_event_at_once_meet_at_its_mark(database_url: str) -> None:
    """Each has called its handler before the other has written."""
    handler = Noting()
    both = threading.Barrier(2)
    handler.on_call = lambda _: both.wait(10) and None
    takings = [Taking(database_url, handler=handler) for _ in range(2)]
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda one=one: outcomes.append(one.inbox.take(message(1)))) for one in takings]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert handler.calls == [1, 1]
    assert sorted(outcomes) == [Outcome.DUPLICATE, Outcome.HANDLED]
    assert takings[0].numbers() == [1]


def test_the_handler_bears_the_correlation_id_of_the_request_and_no_other_text(database_url: str) -> None:
    taking = Taking(database_url)
    seen: list[str | None] = []
    taking.handler.on_call = lambda _: seen.append(CORRELATION_ID.get())
    told = str(uuid.uuid4())
    taking.inbox.take(message(1, correlation_id=told))
    taking.inbox.take(message(2))
    taking.inbox.take(message(3, correlation_id="a\r\nX-Evil: yes"))
    taking.inbox.take(message(4, correlation_id=5))
    assert seen == [told, None, None, None]


def test_an_event_is_read_again_after_a_long_wait_as_the_service_reads_it_then(database_url: str) -> None:
    """A version that reads another form sets it aside, instead of trying for ever."""
    taking = Taking(database_url)
    taking.handler.failures[1] = down()
    taking.inbox.take(message(1))
    newer = Inbox(
        taking.store,
        {NOTE: taking.handler},
        taking.clock,
        Backoff(1, 60, 3600),
        lambda _body, source, key: message_of(b"{}", source, key),
    )
    taking.wait(5)
    assert newer.retry_due() == 1
    assert taking.counts() == (0, 0, 1)
    assert taking.set_aside()[0].event_id == "id1"


def test_with_a_store_that_does_not_answer_no_handler_is_called_and_nothing_is_set_aside() -> None:
    handler = Noting()
    nowhere = SqlStore(open_engine("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"))
    inbox = Inbox(nowhere, {NOTE: handler}, Clock("2024-05-10T12:00:00"), Backoff(1, 60, 3600), message_of)
    for one in (message(1), unreadable(b"\xff", "topic/0/1")):
        with pytest.raises(Unavailable):
            inbox.take(one)
    with pytest.raises(Unavailable):
        inbox.retry_due()
    with pytest.raises(Unavailable):
        inbox.requeue(1)
    assert handler.calls == []


def test_a_waiting_event_that_comes_again_is_not_given_more_time(taking: Taking) -> None:
    taking.handler.failures[1] = down("it is down")
    taking.inbox.take(message(1))
    for _ in range(4):
        taking.wait(1000)
        assert taking.inbox.take(message(1)) is Outcome.WAITING
    assert taking.inbox.retry_due() == 1
    assert taking.set_aside()[0].reason.startswith("it failed 2 times")


def test_what_was_handled_is_known_until_it_is_forgotten(taking: Taking) -> None:
    taking.inbox.take(message(1))
    taking.wait(10)
    taking.inbox.take(message(2))
    assert forget_processed(taking.store, taking.clock() - 5 * SECOND_US) == 1
    assert [taking.inbox.take(message(number)) for number in (1, 2)] == [Outcome.HANDLED, Outcome.DUPLICATE]
    assert taking.numbers() == [1, 2, 1]


def test_those_that_wait_are_listed_in_the_order_in_which_they_came(taking: Taking) -> None:
    taking.handler.failures[None] = down("it is down")
    for number, key in ((1, "b"), (2, "a"), (3, "b")):
        taking.inbox.take(message(number, key))
    with taking.store.reading() as view:
        found = [(one.event_id, one.key, one.attempts, one.reason) for one in view.waiting_events(10)]
    behind = "an earlier event of the household waits"
    assert found == [("id1", "b", 1, "it is down"), ("id2", "a", 1, "it is down"), ("id3", "b", 0, behind)]
