"""Requests a second over HTTP, beside a bare ASGI application that returns the same bytes."""

from __future__ import annotations

import multiprocessing
import pathlib
import secrets
import selectors
import socket
import subprocess
import sys
import time
from typing import Any

import jwt
import uvicorn

from bench.report import Line

_SECONDS = 2.0
_ROUNDS = 5
_CONNECTIONS = 8


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def _wait(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def measure(database: pathlib.Path, household: str, day: str, next_day: str) -> list[Line]:
    """The 96 points of a day, from a running service with one worker."""
    key, port = secrets.token_hex(64), _free_port()
    environment = {"DATABASE_URL": f"sqlite:///{database}", "JWT_SIGN_KEY": key, "PORT": str(port)}
    service = subprocess.Popen(
        [sys.executable, "-m", "statistics_manager_service"], env={**environment, "LOG_LEVEL": "WARNING"}
    )
    bare_port = _free_port()
    bare: multiprocessing.Process | None = None
    try:
        _wait(port)
        token = jwt.encode({"sub": "bench", "scope": "service", "exp": int(time.time()) + 3600}, key, algorithm="HS512")
        path = (
            f"/api/statistics/households/{household}/statistics"
            f"?measures=energy_import&group_by=15_mins&start={day}&end={next_day}"
        )
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            "Accept: application/json\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            body = _answer(connection)
        assert body.count(b'"start":"') == 97, body[:200]  # 96 buckets, and the question itself
        bare = multiprocessing.get_context("spawn").Process(target=_bare, args=(bare_port, body), daemon=True)
        bare.start()
        _wait(bare_port)
        ours, theirs = [], []
        for _ in range(_ROUNDS):
            ours.append(requests_per_s(port, request, _SECONDS))
            theirs.append(requests_per_s(bare_port, request, _SECONDS))
    finally:
        service.terminate()
        service.wait(30)
        if bare is not None:
            bare.terminate()
            bare.join(30)
    mine, other = sorted(ours)[_ROUNDS // 2], sorted(theirs)[_ROUNDS // 2]
    ratio = mine / other
    return [
        Line(
            "96 points of a day, one worker",
            f"{mine:.0f}/s",
            f"bare ASGI {other:.0f}/s",
            ratio,
            "≥ 0.4×",
            ratio >= 0.4,
        )
    ]
