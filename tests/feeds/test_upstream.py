"""Asking another service: it is asked again where that may help, and no fault of it makes a call hang or lie."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from upstream_server import WAYS, Answer, UpstreamServer

from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.accounts.breaking import Breaker

TIMEOUT_S = 0.7
#: Beyond the timeout: what a loaded machine may take.
GRACE_S = 5.0
NAME = "the weather service"


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        found.answers("/what", {"answer": 42})
        yield found


@pytest.fixture
def upstream(server: UpstreamServer) -> Iterator[Upstream]:
    found = Upstream(NAME, server.url, timeout_s=TIMEOUT_S)
    yield found
    found.close()


def failure(call: Callable[[], Any]) -> Unavailable:
    """How a call fails; it ends in time."""
    began_s = time.monotonic()
    with pytest.raises(Unavailable) as found:
        call()
    assert time.monotonic() - began_s < TIMEOUT_S + GRACE_S
    return found.value


def lines_of(upstream: Upstream, pause_s: float = 0) -> list[str]:
    """The lines of a stream, read at leisure."""
    found = []
    with upstream.lines("/lines", {}, b"", "text/plain") as lines:
        for line in lines:
            found.append(line)
            time.sleep(pause_s)
    return found


# --- what is answered -------------------------------------------------------------------------------------------------


def test_a_question_and_its_answer(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers("/sum", lambda query, headers: {"sum": int(query["a"]) + int(query["b"])})
    assert upstream.get_json("/sum", {"a": 2, "b": "3"}) == {"sum": 5}
    assert server.asked("/sum")[0].method == "GET"
    assert upstream.state == "ok"


def test_the_base_url_may_have_a_path(server: UpstreamServer) -> None:
    server.answers("/api/v1/what", "yes")
    server.answers_by("/api/v1/what", lambda _: Answer('"yes"'))
    for base in (server.url + "/api/v1", server.url + "/api/v1/"):
        assert Upstream(NAME, base).get_json("/what") == "yes"


def test_a_post_brings_its_body(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/tell", lambda request: Answer({"told": request.json}))
    assert upstream.post_json("/tell", {"x": [1, None]}) == {"told": {"x": [1, None]}}
    assert server.requests[0].headers["content-type"] == "application/json"


def test_a_post_may_be_answered_with_nothing(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/tell", lambda _: Answer(b"", 204))
    assert upstream.post_json("/tell", []) is None


def test_the_correlation_id_of_the_request_goes_on(server: UpstreamServer, upstream: Upstream) -> None:
    told = str(uuid.uuid4())
    before = CORRELATION_ID.set(told)
    try:
        upstream.get_json("/what")
    finally:
        CORRELATION_ID.reset(before)
    upstream.get_json("/what")
    first, second = (one.headers["x-correlation-id"] for one in server.requests)
    assert first == told
    assert second != told
    assert uuid.UUID(second)


def test_headers_such_as_a_token_go_with_every_question(server: UpstreamServer) -> None:
    Upstream(NAME, server.url, headers={"Authorization": "Token abc"}).get_json("/what")
    assert server.requests[0].headers["authorization"] == "Token abc"


def test_a_proxy_of_the_environment_is_used_and_kept_to_the_deadline(
    server: UpstreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    upstream = Upstream(NAME, "http://weather.invalid", timeout_s=TIMEOUT_S)
    assert upstream.get_json("/what") == {"answer": 42}
    server.fails("slow head")
    assert "did not answer within" in failure(lambda: upstream.get_json("/what")).sentence


# --- every way to fail ------------------------------------------------------------------------------------------------

BECOMES = {
    "truncated": "cut its answer off",
    "malformed": "are no JSON",
    "closed": "can't be reached",
    "reset": "can't be reached",
    "drip": "did not answer within 0.7 s",
    "slow head": "did not answer within 0.7 s",
    "silent": "did not answer within 0.7 s",
    "endless": "",  # whatever is over first: the bytes, or the time
    "garbage": "can't be reached",
}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "wrong shape"])
def test_each_fault_ends_in_unavailable_within_the_time_that_it_has(
    server: UpstreamServer, upstream: Upstream, way: str
) -> None:
    server.fails(way)
    found = failure(lambda: upstream.get_json("/what"))
    assert found.sentence.startswith(NAME)
    assert BECOMES[way] in found.sentence
    server.recovers()
    assert upstream.get_json("/what") == {"answer": 42}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "wrong shape"])
def test_a_post_that_meets_a_fault_ends_in_the_same_way(server: UpstreamServer, upstream: Upstream, way: str) -> None:
    server.answers("/tell", {"well": True})
    server.fails(way)
    assert BECOMES[way] in failure(lambda: upstream.post_json("/tell", {})).sentence


def test_refused_connections_are_told_and_so_is_that_they_are_taken_again(
    server: UpstreamServer, upstream: Upstream
) -> None:
    assert upstream.get_json("/what") == {"answer": 42}
    server.goes_down()
    assert "can't be reached: ConnectError" in failure(lambda: upstream.get_json("/what")).sentence
    assert upstream.state == "failing"
    server.comes_up()
    assert upstream.get_json("/what") == {"answer": 42}
    assert upstream.state == "ok"


def test_a_host_that_takes_connections_and_reads_nothing_does_not_hold_a_large_post() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        upstream = Upstream(NAME, f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=TIMEOUT_S)
        assert "did not answer within" in failure(lambda: upstream.post_json("/tell", "x" * 20_000_000)).sentence


def test_a_host_that_reads_a_little_now_and_then_does_not_hold_a_large_post() -> None:
    ended = threading.Event()

    def sip(listener: socket.socket) -> None:
        wire, _ = listener.accept()
        with wire:
            while not ended.wait(0.1):
                wire.recv(1000)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=sip, args=(listener,))
        thread.start()
        upstream = Upstream(NAME, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=TIMEOUT_S)
        assert "did not answer within" in failure(lambda: upstream.post_json("/tell", "x" * 20_000_000)).sentence
        ended.set()
        thread.join()


def test_a_host_without_an_address_is_told() -> None:
    found = Upstream(NAME, "http://nowhere.invalid", timeout_s=TIMEOUT_S, attempts=1)
    with pytest.raises(Unavailable, match="can't be reached"):
        found.get_json("/what")


def test_what_was_answered_instead_of_json_is_not_shown(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/what", lambda _: Answer("api_key: SECRET"))
    assert "SECRET" not in failure(lambda: upstream.get_json("/what")).sentence


@pytest.mark.parametrize("body", ["", "NaN", '{"a": NaN}', "[" * 10_000, '{"a": 1} {"b": 2}', "\ufeff[]"])
def test_what_is_almost_json_is_none(server: UpstreamServer, upstream: Upstream, body: str) -> None:
    server.answers_by("/what", lambda _: Answer(body))
    assert "are no JSON" in failure(lambda: upstream.get_json("/what")).sentence


def test_an_answer_without_a_length_that_ends_early_is_noticed(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/what", lambda _: Answer([1] * 3000, chunked=True))
    assert upstream.get_json("/what") == [1] * 3000
    server.fails("endless")
    failure(lambda: upstream.get_json("/what"))


# --- asking again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["closed", "reset", "truncated", "malformed", "garbage"])
def test_a_fault_that_is_over_in_a_moment_is_not_noticed(server: UpstreamServer, upstream: Upstream, way: str) -> None:
    server.fails(way, times=2)
    assert upstream.get_json("/what") == {"answer": 42}
    assert len(server.requests) == 3
    assert upstream.state == "ok"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 302])
def test_a_status_that_may_be_another_soon_is_asked_for_again(
    server: UpstreamServer, upstream: Upstream, status: int
) -> None:
    server.fails(status=status, times=2)
    assert upstream.get_json("/what") == {"answer": 42}
    server.fails(status=status)
    assert f"status {status}" in failure(lambda: upstream.get_json("/what")).sentence
    assert len(server.requests) == 3 + 3


@pytest.mark.parametrize("status", [401, 403, 407, 429])
def test_a_status_that_stays_for_a_while_is_worth_a_retry_later(
    server: UpstreamServer, upstream: Upstream, status: int
) -> None:
    server.fails(status=status)
    failure(lambda: upstream.get_json("/what"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
def test_what_is_declined_is_not_asked_for_again_and_its_reason_is_at_hand(
    server: UpstreamServer, upstream: Upstream, status: int
) -> None:
    server.answers("/what", {"error": "no such user"}, status)
    with pytest.raises(Declined) as found:
        upstream.get_json("/what")
    assert (found.value.answered, found.value.told) == (status, {"error": "no such user"})
    assert len(server.requests) == 1
    assert upstream.state == "ok"


def test_what_is_declined_in_html_is_declined_too(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/what", lambda _: Answer("<html>404</html>", 404, "text/html"))
    with pytest.raises(Declined) as found:
        upstream.get_json("/what")
    assert found.value.told is None


@pytest.mark.parametrize(
    ("told", "read_s"),
    [("17", 17), ("0", 1), ("999999", 3600), ("Fri, 31 Dec 1999 23:59:59 GMT", 5), ("-1", 5), ("1e3", 5), ("٣", 3)],
)
def test_the_wait_that_is_asked_for_is_kept(server: UpstreamServer, upstream: Upstream, told: str, read_s: int) -> None:
    for status in (429, 503):
        server.fails(status=status, headers={"Retry-After": told})
        before = len(server.requests)
        assert failure(lambda: upstream.get_json("/what")).retry_after_s == read_s
        assert len(server.requests) == before + 1


def test_attempts_share_the_time_of_a_call(server: UpstreamServer) -> None:
    upstream = Upstream(NAME, server.url, timeout_s=1, attempts=50)
    server.fails("closed", delay_s=0.3)
    failure(lambda: upstream.get_json("/what"))
    assert 2 <= len(server.requests) <= 4


# --- the breaker ------------------------------------------------------------------------------------------------------


def test_what_does_not_answer_is_left_alone_and_found_again(server: UpstreamServer) -> None:
    upstream = Upstream(NAME, server.url, timeout_s=TIMEOUT_S, attempts=1, failures=3, reset_s=0.4)
    server.fails(status=500)
    for _ in range(3):
        failure(lambda: upstream.get_json("/what"))
    assert upstream.state == "down"
    for _ in range(20):
        assert failure(lambda: upstream.get_json("/what")).sentence == f"{NAME} has not answered for a while"
    assert len(server.requests) == 3
    time.sleep(0.5)
    failure(lambda: upstream.get_json("/what"))  # one call is tried, and fails
    failure(lambda: upstream.get_json("/what"))
    assert len(server.requests) == 4
    server.recovers()
    time.sleep(0.5)
    assert upstream.get_json("/what") == {"answer": 42}
    assert upstream.state == "ok"


def test_calls_at_the_same_time_do_not_wait_for_each_other(server: UpstreamServer) -> None:
    upstream = Upstream(NAME, server.url, timeout_s=5, attempts=1, failures=100)
    server.fails(delay_s=0.5)
    began_s = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        assert [one["answer"] for one in pool.map(lambda _: upstream.get_json("/what"), range(10))] == [42] * 10
    assert time.monotonic() - began_s < 10 * 0.5 * 0.8


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def down() -> None:
    raise Unavailable("down")


def broken(clock: Clock, failures: int = 2) -> Breaker:
    breaker = Breaker(NAME, failures, 30, clock)
    for _ in range(failures):
        with pytest.raises(Unavailable, match="down"):
            breaker.call(down)
    return breaker


def test_of_those_who_come_when_the_rest_is_over_one_tries_and_the_others_go_on_being_refused() -> None:
    clock = Clock()
    breaker = broken(clock)
    with pytest.raises(Unavailable) as refused:
        breaker.call(lambda: "answered")
    assert refused.value.retry_after_s == 30
    clock.now_s += 31
    going, done = threading.Event(), threading.Event()

    def slow() -> str:
        going.set()
        assert done.wait(10)
        return "answered"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(breaker.call, slow)
        assert going.wait(10)
        with pytest.raises(Unavailable, match="for a while"):
            breaker.call(lambda: "not this one")
        done.set()
        assert first.result() == "answered"
    assert breaker.call(lambda: "everyone") == "everyone"


def test_a_try_that_ends_in_something_else_leaves_the_next_one_to_try() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now_s += 31
    with pytest.raises(ZeroDivisionError):
        breaker.call(lambda: 1 // 0)
    assert breaker.state == "down"
    assert breaker.call(lambda: "answered") == "answered"


def test_what_is_declined_is_an_answer_and_ends_a_row_of_failures() -> None:
    def declines() -> None:
        raise BadInput("no")

    breaker = Breaker(NAME, 2, 30, Clock())
    for call, state in itertools.islice(itertools.cycle([(down, "failing"), (declines, "ok")]), 8):
        with pytest.raises((Unavailable, BadInput)):
            breaker.call(call)
        assert breaker.state == state


# --- streams ----------------------------------------------------------------------------------------------------------


def test_lines_come_as_they_are_read(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/lines", lambda _: Answer("a\r\nb,\u2028c\n\nlast", kind="text/csv", chunked=True))
    assert lines_of(upstream) == ["a\r", "b,\u2028c", "", "last"]


def test_whoever_reads_lines_may_take_as_long_as_they_like(server: UpstreamServer, upstream: Upstream) -> None:
    server.answers_by("/lines", lambda _: Answer("\n".join("abcdef"), kind="text/csv"))
    assert lines_of(upstream, pause_s=TIMEOUT_S / 4) == list("abcdef")


@pytest.mark.parametrize("way", ["truncated", "drip", "silent", "slow head", "closed", "reset", "garbage"])
def test_a_stream_that_meets_a_fault_does_not_hang(server: UpstreamServer, upstream: Upstream, way: str) -> None:
    server.answers_by("/lines", lambda _: Answer("line\n" * 100, kind="text/csv"))
    server.fails(way)
    failure(lambda: lines_of(upstream))


def test_a_line_of_no_end_is_no_line(server: UpstreamServer) -> None:
    server.fails("endless")
    with pytest.raises(Unavailable, match="a line of more than"):
        lines_of(Upstream(NAME, server.url, timeout_s=20))
