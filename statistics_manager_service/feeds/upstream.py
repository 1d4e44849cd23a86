"""Another service, asked over HTTP: a deadline, retries with jitter, a circuit breaker, answers of bounded size.

Whatever it does (down, slow, cut off, talking nonsense), a call ends within its time, in an answer, in Unavailable
(worth a retry) or in Declined (not).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx
import orjson
import structlog
import tenacity

from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.feeds.deadline import keep_deadlines, until
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.accounts.breaking import Breaker

_LOG = structlog.get_logger()
_HEADER: Final = "X-Correlation-ID"
#: Statuses that may be another the next time: a login that is being set right, a proxy's, too many requests.
_WORTH_A_RETRY: Final = (401, 403, 407, 408, 421, 423, 425, 429)
#: The same refusal comes again within moments, so these are not asked for again at once.
_NOT_AT_ONCE: Final = (401, 403, 407, 429)
_MOST_BYTES: Final = 32 * 2**20
_LONGEST_LINE: Final = 2**20
_LONGEST_WAIT_S: Final = 2.0
#: Of what an upstream asks for by Retry-After.
_LONGEST_RETRY_AFTER_S: Final = 3600
_SHOWN: Final = 200
Answer = TypeVar("Answer")


class _AtOnce(Unavailable):
    """Unavailable for a reason that may be gone in a moment."""


class Upstream:
    """One service. Threads may share it.

    name: as sentences name it, such as "the forecast service".
    timeout_s: for a whole call: all attempts, and the waits between them. Of a stream: until it begins, and again for
    all waiting for the rest of it. Asking the system for a host's address alone may take longer.
    failures, reset_s: after so many failed calls in a row nothing is asked for so many seconds, then one call is tried.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout_s: float = 10,
        attempts: int = 3,
        headers: Mapping[str, str] | None = None,
        failures: int = 5,
        reset_s: float = 30,
    ) -> None:
        self.name, self._timeout_s, self._attempts = name, timeout_s, attempts
        self._client = httpx.Client(
            base_url=base_url, headers=dict(headers or {}), timeout=httpx.Timeout(timeout_s), follow_redirects=False
        )
        keep_deadlines(self._client)
        self._breaker = Breaker(name, failures, reset_s)

    @property
    def state(self) -> str:
        """`ok`, `failing` (the last call did), or `down` (nothing is asked for a while)."""
        return self._breaker.state

    def get_json(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON that a GET answers. Raises Unavailable, Declined."""
        return self._guarded(lambda: self._json("GET", path, query, None))

    def get_bytes(self, path: str, query: Mapping[str, Any] | None = None, *, answers: Collection[int] = ()) -> bytes:
        """The body that a GET answers, of whatever form. answers: statuses beside those of success whose bodies are
        answers, too. Raises Unavailable, Declined."""
        return self._guarded(lambda: self._bytes(path, query, answers))

    def post_json(self, path: str, body: Any) -> Any:
        """The JSON that a POST answers, None where it answers nothing. It may arrive more than once, as an answer may
        be lost on its way. Raises Unavailable, Declined."""
        return self._guarded(lambda: self._json("POST", path, None, orjson.dumps(body)))

    @contextmanager
    def lines(self, path: str, query: Mapping[str, Any], body: bytes, kind: str) -> Iterator[Iterator[str]]:
        """The lines that a POST answers, as they come, so that their number does not matter; a CR at an end stays.

        kind: the body's content type. Raises Unavailable, Declined; while lines are read, too.
        """
        request = self._client.build_request(
            "POST", path, params=dict(query), content=body, headers={"Content-Type": kind, **_correlation()}
        )
        response = self._guarded(lambda: self._begun(request))
        try:
            yield self._read_lines(response)
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _guarded(self, call: Callable[[], Answer]) -> Answer:
        """The answer of a call that is tried some times. Raises Unavailable at once while the breaker is open."""
        return self._breaker.call(lambda: self._tried(call))

    def _tried(self, call: Callable[[], Answer]) -> Answer:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts) | tenacity.stop_before_delay(self._timeout_s),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=_LONGEST_WAIT_S),
            retry=tenacity.retry_if_exception_type(_AtOnce),
            reraise=True,
        )
        try:
            with until(time.monotonic() + self._timeout_s):
                return retrying(call)
        except Unavailable as error:
            _LOG.warning("upstream_failed", upstream=self.name, reason=error.sentence)
            raise

    def _json(self, method: str, path: str, query: Mapping[str, Any] | None, body: bytes | None) -> Any:
        headers = _correlation()
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(method, path, params=dict(query or {}), content=body, headers=headers)
        text = self._read(self._begun(request))
        if not text and method == "POST":
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:  # it is not shown: it may be what is not for whoever asks
            raise _AtOnce(f"{self.name} answered {len(text)} bytes that are no JSON") from error

    def _bytes(self, path: str, query: Mapping[str, Any] | None, answers: Collection[int]) -> bytes:
        request = self._client.build_request("GET", path, params=dict(query or {}), headers=_correlation())
        return self._read(self._begun(request, answers))

    def _begun(self, request: httpx.Request, answers: Collection[int] = ()) -> httpx.Response:
        """An answer of a status of success, or of one of `answers`, its body not yet read."""
        try:
            response = self._client.send(request, stream=True)
        except httpx.TimeoutException as error:
            raise self._late() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _AtOnce(f"{self.name} can't be reached: {type(error).__name__}") from error
        status = response.status_code
        if response.is_success or status in answers:
            return response
        sentence = f"{self.name} answered with status {status}"
        if status not in _WORTH_A_RETRY and 400 <= status < 500:
            told = _parsed(self._read(response))
            raise Declined(f"{self.name} declined what it was asked, with status {status}", status, told)
        response.close()
        if status in _NOT_AT_ONCE or "Retry-After" in response.headers:
            raise Unavailable(sentence, _retry_after_s(response))
        raise _AtOnce(sentence)

    def _read(self, response: httpx.Response) -> bytes:
        """The body of an answer, which ends then."""
        parts, size = [], 0
        try:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > _MOST_BYTES:
                    raise Unavailable(f"{self.name} answered more than {_MOST_BYTES} bytes")
        except httpx.TimeoutException as error:
            raise self._late() from error
        except httpx.HTTPError as error:
            raise _AtOnce(f"{self.name} cut its answer off: {type(error).__name__}") from error
        finally:
            response.close()
        return b"".join(parts)

    def _late(self) -> Unavailable:
        """It is not asked again at once, as all the time for it has passed."""
        return Unavailable(f"{self.name} did not answer within {self._timeout_s:g} s")

    def _read_lines(self, response: httpx.Response) -> Iterator[str]:
        """The lines, as they come. What else than a line feed may end one could also be inside of a quoted text."""
        rest, waited_s = "", 0.0
        parts = response.iter_text()
        while True:
            began_s = time.monotonic()
            try:
                with until(began_s + self._timeout_s - waited_s):
                    part = next(parts, None)
            except httpx.TimeoutException as error:
                raise Unavailable(f"{self.name} did not end its answer within {self._timeout_s:g} s") from error
            except httpx.HTTPError as error:
                raise Unavailable(f"{self.name} cut its answer off: {type(error).__name__}") from error
            waited_s += time.monotonic() - began_s  # whoever reads may take as long as they like
            if part is None:
                break
            *lines, rest = (rest + part).split("\n")
            if len(rest) > _LONGEST_LINE:
                raise nonsense(self.name, f"a line of more than {_LONGEST_LINE} characters")
            yield from lines
        if rest:
            yield rest


def nonsense(upstream: str, why: str) -> Unavailable:
    """What to raise where a service's answer has not the form that it should have."""
    return Unavailable(f"{upstream} answered nonsense: {why[:_SHOWN]}", 60)


def _correlation() -> dict[str, str]:
    """The id of the request that is handled; of what no request has asked for, one of its own."""
    return {_HEADER: CORRELATION_ID.get() or str(uuid.uuid4())}


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _retry_after_s(response: httpx.Response) -> int:
    """Seconds that an answer asks to wait for; it may tell a date instead, for which there is no need."""
    told = response.headers.get("Retry-After", "")
    return min(max(1, int(told)), _LONGEST_RETRY_AFTER_S) if told.isdecimal() and len(told) < 10 else 5
