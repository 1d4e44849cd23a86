"""The service as a process: what it writes to its log, and how it keeps house."""

from __future__ import annotations

import gc
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from forked import command
from homes import BASE
from servers import WAIT_S, RunningService, free_port

from statistics_manager_service.bootstrap import served_app
from statistics_manager_service.settings import Settings

COMMAND = [sys.executable, "-m", "statistics_manager_service"]


class LoggedService(RunningService):
    """The service as a process whose log is read."""

    def __init__(self, folder: pathlib.Path, **settings: str) -> None:
        super().__init__(
            {"DATABASE_URL": f"sqlite:///{folder / 'statistics.sqlite3'}", "LOG_LEVEL": "INFO", **settings}
        )
        self.log = folder / "log"

    def start(self) -> RunningService:
        environment = {**os.environ, **self.settings}
        with self.log.open("ab") as log:
            if self.settings.get("WORKERS", "1") != "1":  # as it is started everywhere
                self.process = subprocess.Popen(COMMAND, env=environment, stderr=log)
            else:
                self.process = command("serve", environment=environment, err=log.fileno())
        wait_for(self.answers)
        return self

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def lines(self) -> list[dict[str, Any]]:
        """All lines so far; each is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def line(self, **told: Any) -> dict[str, Any]:
        """The one line with these members, once it is there."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [one for one in self.lines() if told.items() <= one.items()]
            return bool(found)

        wait_for(is_there)
        assert len(found) == 1, found
        return found[0]

    def send(self, text: bytes) -> bytes:
        """Bytes to the port, and what is answered first."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            connection.sendall(text)
            return connection.recv(65_536)


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_is_no_http_is_logged_as_a_line_of_json(tmp_path: pathlib.Path, workers: str) -> None:
    with LoggedService(tmp_path, WORKERS=workers) as service:
        assert service.send(b"THIS IS NOT HTTP\r\n\r\n").startswith(b"HTTP/1.1 400")
        line = service.line(event="library_message")
        assert line["message"] == "Invalid HTTP request received."
        assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")
        assert "timestamp" in line
    assert service.lines(), "what is written at the end is JSON, too"


def test_a_warning_of_a_library_is_logged_as_a_line_of_json(tmp_path: pathlib.Path) -> None:
    service = LoggedService(tmp_path, JWT_SIGN_KEY="short")
    service.key = "short"
    with service:
        service.call("GET", "/households")
        assert "HMAC" in service.line(event="library_message", logger="py.warnings")["message"]


def test_a_port_that_is_taken_is_logged_as_a_line_of_json(tmp_path: pathlib.Path) -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        service = LoggedService(tmp_path, PORT=str(port))
        done = subprocess.run(COMMAND, env={**os.environ, **service.settings}, capture_output=True, timeout=WAIT_S)
    assert done.returncode != 0
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert "address already in use" in next(one for one in lines if one["event"] == "library_message")["message"]


def test_a_client_that_hangs_up_is_no_failure_of_the_service(tmp_path: pathlib.Path) -> None:
    with LoggedService(tmp_path) as service:
        head = f"POST {BASE}/readings HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {service.token()}\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_S) as connection:
            connection.sendall(f'{head}Content-Length: 1000\r\n\r\n{{"household": '.encode())
            time.sleep(0.2)  # the body has begun to be read
        line = service.line(event="client_gone")
        assert (line["level"], line["path"]) == ("info", f"{BASE}/readings")
        request = service.line(event="request", path=f"{BASE}/readings")
        assert request["correlation_id"] == line["correlation_id"]
        assert request["status"] < 500
    assert {one["level"] for one in service.lines()} == {"info"}
    assert not [one for one in service.lines() if "exception" in one]


def test_the_long_lived_objects_of_a_served_process_are_left_out_of_collections() -> None:
    try:
        served_app(Settings(database_url="sqlite://", trust_unauthenticated=True))
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
