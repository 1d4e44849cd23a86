"""Another service, for tests: a small real HTTP server that answers as it is told, and fails in every way on demand.

with UpstreamServer() as server:
    server.answers("/user", [{"user_id": "home1"}])          # or a function of (query, headers)
    server.fails(status=500)                                 # from now on, whatever is asked
    server.fails("truncated", times=2)                       # the next two requests
    server.recovers()
    server.goes_down()                                       # connections are refused
    server.comes_up()                                        # on the same port
    server.requests                                          # what was asked, in order
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

JSON = "application/json"
#: Ways to fail beside a status and a delay.
#: truncated: the body is shorter than its Content-Length, then the connection ends. malformed: no JSON, no CSV.
#: wrong shape: JSON of another kind than any service's. closed: the connection ends without an answer. reset: the same
#: by a RST. drip: the body comes a byte a second. slow head: so do the status and the headers. silent: the connection
#: stays open, and nothing comes. endless: a body of no end. garbage: what is no HTTP.
WAYS = ("truncated", "malformed", "wrong shape", "closed", "reset", "drip", "slow head", "silent", "endless", "garbage")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. Of a query's or a header's values of one name the last; names of headers in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `body`: bytes and text go out as they are, anything else as JSON. `chunked`: its length is not told
    beforehand."""

    body: Any = b""
    status: int = 200
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(slots=True)
class _Fault:
    way: str | None
    status: int | None
    delay_s: float
    headers: Mapping[str, str]
    path: str | None
    left: int | None


class UpstreamServer:
    """A server on a free port of 127.0.0.1, with a thread for each connection."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, Callable[[Request], Answer]] = {}
        self._fault: _Fault | None = None
        self._lock = threading.Lock()
        self._listener: _Listener | None = None
        self.port = 0
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- what it answers ----------------------------------------------------------------------------------------------

    def answers(
        self, path: str, answer: Any, status: int = 200, *, kind: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer a path with a body, or with what a function makes of the query and the headers."""
        wanted = Answer(answer, status, kind, headers or {})
        if callable(answer):
            self.answers_by(path, lambda request: replace(wanted, body=answer(request.query, request.headers)))
        else:
            self.answers_by(path, lambda _: wanted)

    def answers_by(self, path: str, answer: Callable[[Request], Answer]) -> None:
        """Answer a path by a function of the whole request."""
        self._answers[path] = answer

    # --- how it fails -------------------------------------------------------------------------------------------------

    def fails(
        self,
        way: str | None = None,
        *,
        status: int | None = None,
        delay_s: float = 0,
        headers: Mapping[str, str] | None = None,
        path: str | None = None,
        times: int | None = None,
    ) -> None:
        """Fail from now on in a way of WAYS, with a status, or late (or all of these): so many times, or until it
        recovers; at one path, or at any."""
        assert way is None or way in WAYS, way
        self._fault = _Fault(way, status, delay_s, headers or {}, path, times)

    def recovers(self) -> None:
        """Answer as before. What hangs goes on hanging until its client leaves."""
        self._fault = None

    def goes_down(self) -> None:
        """Refuse connections, and end those that are open."""
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    def comes_up(self) -> Self:
        """Listen, on the port from before."""
        if self._listener is None:
            self._listener = _Listener(self.port, self)
            self.port = self._listener.server_address[1]
            threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def asked(self, path: str | None = None) -> list[Request]:
        """The requests of a path, in order."""
        return [one for one in list(self.requests) if path is None or one.path == path]

    def __enter__(self) -> Self:
        return self.comes_up()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.goes_down()

    # --- a request ----------------------------------------------------------------------------------------------------

    def take(self, request: Request, wire: socket.socket) -> bool:
        """Answer a request; whether the connection goes on."""
        with self._lock:
            self.requests.append(request)
            fault = self._fault
            if fault is not None and fault.path in (None, request.path) and fault.left != 0:
                fault.left = None if fault.left is None else fault.left - 1
            else:
                fault = None
        if fault is not None:
            self._ended.wait(fault.delay_s)
            if fault.way in _ENDINGS:
                return _ENDINGS[fault.way](wire, self._ended)
        make = self._answers.get(request.path)
        answer = Answer({"error": f"nothing at {request.path}"}, 404) if make is None else make(request)
        if fault is not None and fault.status is not None:
            answer = Answer({"error": f"told to fail with {fault.status}"}, fault.status, headers=fault.headers)
        if fault is not None and fault.way is not None:
            return self._spoilt(answer, fault.way, wire)
        wire.sendall(_wire(answer))
        return True

    def _spoilt(self, answer: Answer, way: str, wire: socket.socket) -> bool:
        if way == "truncated":
            whole = _wire(replace(answer, chunked=False))
            wire.sendall(whole[: len(whole) - max(1, len(answer.content) // 2)])
            return False
        if way in ("drip", "slow head"):
            whole = _wire(answer)
            at_once = 0 if way == "slow head" else whole.index(b"\r\n\r\n") + 4
            wire.sendall(whole[:at_once])
            for i in range(at_once, len(whole)):
                wire.sendall(whole[i : i + 1])
                if self._ended.wait(1):
                    break
            return False
        body = b'{"data": [{"units_p": "kW", \xff' if way == "malformed" else b'{"shape": ["another", 1, null]}'
        wire.sendall(_wire(replace(answer, body=body, kind=JSON)))
        return True


def _wire(answer: Answer) -> bytes:
    content = answer.content
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", f"Content-Type: {answer.kind}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.chunked:
        lines.append("Transfer-Encoding: chunked")
        parts = [content[i : i + 1000] for i in range(0, len(content), 1000)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
    else:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "?"


def _closed(_wire: socket.socket, _ended: threading.Event) -> bool:
    return False


def _reset(wire: socket.socket, _ended: threading.Event) -> bool:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wire.close()
    return False


def _silent(wire: socket.socket, ended: threading.Event) -> bool:
    """Until the client leaves."""
    wire.settimeout(0.05)
    while not ended.is_set():
        try:
            if not wire.recv(1):
                break
        except TimeoutError:
            continue
    return False


def _endless(wire: socket.socket, ended: threading.Event) -> bool:
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    part = b" " * 2**20
    while not ended.is_set():
        wire.sendall(b"%x\r\n%b\r\n" % (len(part), part))
    return False


def _garbage(wire: socket.socket, _ended: threading.Event) -> bool:
    wire.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    return False


_ENDINGS = {"closed": _closed, "reset": _reset, "silent": _silent, "endless": _endless, "garbage": _garbage}


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, owner: UpstreamServer) -> None:
        self.owner = owner
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for wire in list(self.open):
            with suppress(OSError):  # it may have ended by itself
                wire.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no fault here."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.server.open.add(self.connection)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                request = self._read()
                if request is None or not self.server.owner.take(request, self.connection):
                    return
        except OSError:
            pass  # the client has left, or the server went down
        finally:
            self.server.open.discard(self.connection)

    def _read(self) -> Request | None:
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) < 3:
            return None
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        place = urlsplit(first[1])
        return Request(first[0], place.path, dict(parse_qsl(place.query, keep_blank_values=True)), headers, body)


def wait_until(true: Callable[[], bool], within_s: float = 20, what: str = "it") -> None:
    """Wait until something is true. Fails where it does not become so in time."""
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, f"{what} did not become true within {within_s} s"
        time.sleep(0.02)
