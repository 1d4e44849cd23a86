"""What happens around every request: correlation id, body limit, log line, and no exception that goes out as it is."""

from __future__ import annotations

import random
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from statistics_manager_service.api.errors import INTERNAL, error_body
from statistics_manager_service.errors import StatisticsError, TooLarge
from statistics_manager_service.observability import CORRELATION_ID

_LOG = structlog.get_logger()
HEADER = b"x-correlation-id"


class Around:
    """Pure ASGI, as it is on the way of every request."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app, self._max_body_bytes = app, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; anything else (the lifespan) goes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        told = length = None
        for name, value in scope["headers"]:
            if name == HEADER:
                told = value
            elif name == b"content-length":
                length = value
        correlation_id = _new_uuid() if told is None else _uuid_text(told)
        method = scope["method"]
        if method == "HEAD":  # answered as GET is, without the body
            scope = {**scope, "method": "GET"}
        answer = _Answer(send, (correlation_id or _new_uuid()).encode(), has_body=method != "HEAD")
        scope["correlation_id"] = answer.correlation_id.decode()
        CORRELATION_ID.set(scope["correlation_id"])
        if correlation_id is None:
            await answer.error(scope, 400, "bad_input", "X-Correlation-ID must be a UUID")
        elif length is not None and (not length.isdigit() or int(length) > self._max_body_bytes):
            await answer.error(scope, 413, TooLarge.code, f"the body is over {self._max_body_bytes} bytes")
        else:
            await self._pass_on(scope, receive, answer)
        spent_ms = round((time.perf_counter() - began) * 1000, 3)
        _LOG.info("request", method=method, path=scope["path"], status=answer.status, duration_ms=spent_ms)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            _LOG.exception("request_failed", path=scope["path"])
            if answer.is_complete:
                return  # the framework has answered, in the one shape, before it raised the exception on
            if answer.status:
                raise  # the answer has begun: the connection has to be cut
            await answer.error(scope, 500, StatisticsError.code, INTERNAL)


class _Answer:
    """The answer on its way out: it bears the correlation id, and its status is noted."""

    def __init__(self, send: Send, correlation_id: bytes, *, has_body: bool) -> None:
        self._send, self.correlation_id, self.status = send, correlation_id, 0
        self._has_body = has_body
        self.is_complete = False

    async def send(self, message: Message) -> None:
        """Send on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (HEADER, self.correlation_id)]
        elif not self._has_body and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.is_complete = True

    async def error(self, scope: Scope, status: int, code: str, sentence: str) -> None:
        """Answer with an error."""
        body = error_body(scope["path"], self.correlation_id.decode(), status, code, sentence, [])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _new_uuid() -> str:
    """A random UUID's text. It names a request and guards nothing, so it need not come from the system's entropy."""
    bits = f"{random.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{'89ab'[int(bits[16], 16) & 3]}{bits[17:20]}-{bits[20:]}"


def _uuid_text(told: bytes) -> str | None:
    """The text as it came if it is a UUID, else None."""
    if len(told) != 36:
        return None
    try:
        text = told.decode("ascii")
        return text if str(uuid.UUID(text)) == text.lower() else None
    except ValueError:
        return None
