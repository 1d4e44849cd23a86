"""Another service, asked over HTTP: deadlines, retries with jitter, a circuit breaker, answers of bounded size.

Whatever it does (down, slow, cut off, talking nonsense), a call ends within `attempts` × `timeout_s` and some seconds
of waiting, in an answer, in Unavailable (worth a retry) or in Declined (not).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx
import orjson
import pybreaker
import structlog
import tenacity

from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.observability import CORRELATION_ID

_LOG = structlog.get_logger()
_HEADER: Final = "X-Correlation-ID"
#: Statuses that may be another the next time: a login that is being set right, a proxy's, too many requests.
_WORTH_A_RETRY: Final = (401, 403, 407, 408, 421, 423, 425, 429)
#: The same refusal comes again within moments, so these are not asked for again at once.
_NOT_AT_ONCE: Final = (401, 403, 407, 429)
_MOST_BYTES: Final = 32 * 2**20
_LONGEST_WAIT_S: Final = 2.0
_SHOWN: Final = 200
Answer = TypeVar("Answer")


class _AtOnce(Unavailable):
    """Unavailable for a reason that may be gone in a moment."""


class Upstream:
    """One service. Threads may share it.

    name: as sentences name it, such as "the forecast service".
    timeout_s: for the whole of one attempt, the body included (of a stream: between two pieces of it).
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
        self.name, self._timeout_s, self._attempts, self._reset_s = name, timeout_s, attempts, reset_s
        self._client = httpx.Client(
            base_url=base_url, headers=dict(headers or {}), timeout=httpx.Timeout(timeout_s), follow_redirects=False
        )
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=reset_s, exclude=[Declined], name=name, throw_new_error_on_trip=False
        )

    @property
    def state(self) -> str:
        """`ok`, `failing` (the last call did), or `down` (nothing is asked for a while)."""
        if self._breaker.current_state != "closed":
            return "down"
        return "failing" if self._breaker.fail_counter else "ok"

    def get_json(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON that a GET answers. Raises Unavailable, Declined."""
        return self._guarded(lambda: self._json("GET", path, query, None))

    def post_json(self, path: str, body: Any) -> Any:
        """The JSON that a POST answers, None where it answers nothing. Raises Unavailable, Declined."""
        return self._guarded(lambda: self._json("POST", path, None, orjson.dumps(body)))

    @contextmanager
    def lines(self, path: str, query: Mapping[str, Any], body: bytes, kind: str) -> Iterator[Iterator[str]]:
        """The lines that a POST answers, as they come, so that their number does not matter.

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
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=_LONGEST_WAIT_S),
            retry=tenacity.retry_if_exception_type(_AtOnce),
            reraise=True,
        )
        try:
            answer: Answer = self._breaker.call(lambda: retrying(call))
        except pybreaker.CircuitBreakerError as error:
            raise Unavailable(f"{self.name} has not answered for a while", int(self._reset_s)) from error
        except Unavailable as error:
            _LOG.warning("upstream_failed", upstream=self.name, reason=error.sentence)
            raise
        return answer

    def _json(self, method: str, path: str, query: Mapping[str, Any] | None, body: bytes | None) -> Any:
        until = time.monotonic() + self._timeout_s
        headers = _correlation()
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(method, path, params=dict(query or {}), content=body, headers=headers)
        response = self._begun(request)
        parts, size = [], 0
        try:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > _MOST_BYTES:
                    raise Unavailable(f"{self.name} answered more than {_MOST_BYTES} bytes")
                if time.monotonic() > until:
                    raise _AtOnce(f"{self.name} did not answer within {self._timeout_s:g} s")
        except httpx.HTTPError as error:
            raise _AtOnce(f"{self.name} cut its answer off: {type(error).__name__}") from error
        finally:
            response.close()
        text = b"".join(parts)
        if not text and method == "POST":
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _AtOnce(f"{self.name} answered what is no JSON: {text[:_SHOWN]!a}") from error

    def _begun(self, request: httpx.Request) -> httpx.Response:
        """An answer of a status of success, its body not yet read."""
        try:
            response = self._client.send(request, stream=True)
        except httpx.TimeoutException as error:
            raise _AtOnce(f"{self.name} did not answer within {self._timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _AtOnce(f"{self.name} can't be reached: {type(error).__name__}") from error
        status = response.status_code
        if response.is_success:
            return response
        response.close()
        if status in _NOT_AT_ONCE:
            raise Unavailable(f"{self.name} answered with status {status}")
        if status in _WORTH_A_RETRY or not 400 <= status < 500:
            raise _AtOnce(f"{self.name} answered with status {status}")
        raise Declined(f"{self.name} declined what it was asked, with status {status}", status)

    def _read_lines(self, response: httpx.Response) -> Iterator[str]:
        try:
            yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.name} cut its answer off: {type(error).__name__}") from error


def nonsense(upstream: str, why: str) -> Unavailable:
    """What to raise where a service's answer has not the form that it should have."""
    return Unavailable(f"{upstream} answered nonsense: {why[:_SHOWN]}", 60)


def _correlation() -> dict[str, str]:
    correlation_id = CORRELATION_ID.get()
    return {} if correlation_id is None else {_HEADER: correlation_id}
