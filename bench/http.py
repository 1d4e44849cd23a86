"""Requests a second over HTTP, beside a bare ASGI application that returns the same bytes."""

from __future__ import annotations

import multiprocessing
import pathlib
import selectors
import socket
import time
from typing import Any

import numpy as np
import uvicorn

from bench.report import Line
from bench.running import Running, free_port, wait_for

_SECONDS = 2.0
_ROUNDS = 5
_CONNECTIONS = 8
_POINTS = 96


def _bare(port: int, body: bytes) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")


def _answer(connection: socket.socket) -> bytes:
    """One answer as a whole: (head, body)."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += _more(connection)
    head, _, body = found.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _more(connection)
    if b" 200 " not in head[:20]:
        raise SystemExit(f"the service answers {head[:60]!r} {body[:300]!r}")
    return body


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(262_144)
    if not piece:
        raise SystemExit("the service has closed the connection")
    return piece


def requests_per_s(port: int, request: bytes, seconds: float) -> float:
    """Requests a second over a few connections that are kept busy."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)]
    selector = selectors.DefaultSelector()
    for one in connections:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(one, selectors.EVENT_READ)
        one.sendall(request)
    done, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        for key, _ in selector.select(1):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            _answer(connection)
            connection.sendall(request)
            done += 1
    for one in connections:
        one.close()
    return done / spent


def measure(database: pathlib.Path, household: str, day: str, next_day: str) -> list[Line]:
    """The 96 points of a day, from a running service with one worker: asked again and again, as a dashboard does, and
    worked out anew each time."""
    path = (
        f"/api/statistics/households/{household}/statistics"
        f"?measures=energy_import&group_by=15_mins&start={day}&end={next_day}"
    )
    what = f"{_POINTS} points of a day, one worker"
    return [
        _line(what, "≥ 0.4×", *_paired(path, Running(database))),
        _line(f"{what}, no answers kept", "", *_paired(path, Running(database, KEPT_ANSWERS_BYTES="0"))),
    ]


def _paired(path: str, running: Running) -> tuple[float, float]:
    """Requests a second of the service and of the bare application, medians, measured in turns."""
    bare_port = free_port()
    ours, theirs = [], []
    with running as service:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {service.token()}\r\n"
            "Accept: application/json\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(request)
            body = _answer(connection)
        assert body.count(b'"start":"') == _POINTS + 1, body[:200]  # the buckets, and the question itself
        bare = multiprocessing.get_context("spawn").Process(target=_bare, args=(bare_port, body), daemon=True)
        bare.start()
        try:
            wait_for(bare_port)
            for _ in range(_ROUNDS):
                ours.append(requests_per_s(service.port, request, _SECONDS))
                theirs.append(requests_per_s(bare_port, request, _SECONDS))
        finally:
            bare.terminate()
            bare.join(30)
    return float(np.median(ours)), float(np.median(theirs))


def _line(what: str, goal: str, mine: float, other: float) -> Line:
    ratio = mine / other
    return Line(what, f"{mine:.0f}/s", f"bare ASGI {other:.0f}/s", ratio, goal, ratio >= 0.4 if goal else None)
