"""Processes of the product's commands for tests, each forked from one that has its imports behind it.

To import all that the service is made of takes longer than most tests do. What a forked process does is what one that
was started anew would: importing a module does nothing but define. Several tests start theirs anew all the same.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import reduction
from multiprocessing.forkserver import ensure_running
from typing import Any

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["preloaded"])


class _Handed:
    """A file descriptor that goes with a process; there it is a number again."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return _received, (reduction.DupFd(self.number),)


def _received(handed: Any) -> int:
    return int(handed.detach())


def _begin(
    run: Callable[..., object], arguments: Sequence[Any], environment: Mapping[str, str], out: int, err: int
) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.clear()
    os.environ.update(environment)
    run(*arguments)


def _command(*arguments: str) -> None:
    from statistics_manager_service.cli import main

    main(arguments)


def _ensure_forks() -> None:
    """Start the process that is forked from, which is told by its environment where `preloaded` lies."""
    before = os.environ.get("PYTHONPATH")
    here = str(pathlib.Path(__file__).parent)
    os.environ["PYTHONPATH"] = here if before is None else os.pathsep.join((here, before))
    try:
        ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


class Forked:
    """A call as a process of its own, with the verbs of `subprocess.Popen`."""

    def __init__(
        self,
        run: Callable[..., object],
        *arguments: Any,
        environment: Mapping[str, str] | None = None,
        out: int = 1,
        err: int = 2,
    ) -> None:
        """run: a function of a module. environment: all of it; this process's unless told. out, err: the file
        descriptors that it writes to."""
        _ensure_forks()
        told = (run, arguments, dict(os.environ if environment is None else environment), _Handed(out), _Handed(err))
        self._process = _FORKS.Process(target=_begin, args=told, daemon=True)
        self._process.start()
        self.kill, self.terminate = self._process.kill, self._process.terminate

    def poll(self) -> int | None:
        """Its exit code, once it has ended; of one that was killed, minus the signal."""
        return self._process.exitcode

    def send_signal(self, sent: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None and self._process.pid is not None:
            os.kill(self._process.pid, sent)

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout_s)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout_s or 0)
        return code


def command(*arguments: str, environment: Mapping[str, str], out: int = 1, err: int = 2) -> Forked:
    """`statistics-manager …` as a process of its own."""
    return Forked(_command, *arguments, environment=environment, out=out, err=err)


def command_done(*arguments: str, environment: Mapping[str, str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """The end of `statistics-manager …`, as `subprocess.run` tells it. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = command(*arguments, environment=environment, out=out.fileno(), err=err.fileno())
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())
