"""The service as a process, to be measured from outside."""

from __future__ import annotations

import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time

import jwt

_WAIT_S = 30


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody listens."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Running:
    """The service over a SQLite file, one worker."""

    def __init__(self, database: pathlib.Path, **settings: str) -> None:
        self.key, self.port = secrets.token_hex(64), free_port()
        self._environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{database}",
            "JWT_SIGN_KEY": self.key,
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Running:
        command = [sys.executable, "-m", "statistics_manager_service"]
        self._process = subprocess.Popen(command, env=self._environment)
        wait_for(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_WAIT_S)

    def token(self) -> str:
        """A token of the service itself."""
        claims = {"sub": "bench", "scope": "service", "exp": int(time.time()) + 3600}
        return jwt.encode(claims, self.key, algorithm="HS512")
