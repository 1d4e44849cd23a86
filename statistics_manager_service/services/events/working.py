"""Threads that do steps of work until they are stopped. They rest after nothing to do and outlive failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from statistics_manager_service.errors import Unavailable

_LOG = structlog.get_logger()
_LONGEST_REST_S: Final = 30.0
_STOP_WITHIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Duty:
    """A step that is done again and again: it tells how much it did, and after nothing there is a rest."""

    name: str
    step: Callable[[], int]
    rest_s: float


class Workers:
    """A thread for each duty. `finish` is called once all have ended, so that what is under way is drained."""

    def __init__(
        self,
        duties: Sequence[Duty],
        finish: Callable[[], None] = lambda: None,
        stop_within_s: float = _STOP_WITHIN_S,
    ) -> None:
        self._finish, self._stop_within_s = finish, stop_within_s
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(duty,), name=duty.name, daemon=True) for duty in duties
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End each duty after its current step, and drain. Steps that do not end are left after `stop_within_s`."""
        self._stopped.set()
        until_s = time.monotonic() + self._stop_within_s
        for thread in self._threads:
            if thread.ident is None:  # never started
                continue
            thread.join(max(0.0, until_s - time.monotonic()))
            if thread.is_alive():
                _LOG.warning("worker_did_not_end", worker=thread.name)
        self._finish()

    def _work(self, duty: Duty) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                done = duty.step()
            except Exception as error:
                failures += 1
                rest_s = min(_LONGEST_REST_S, max(duty.rest_s, 0.5) * 2.0 ** min(failures - 1, 10))
                if isinstance(error, Unavailable):
                    _LOG.warning("worker_waits", worker=duty.name, reason=error.sentence, rest_s=rest_s)
                else:
                    _LOG.exception("worker_failed", worker=duty.name, rest_s=rest_s)
                self._stopped.wait(rest_s)
                continue
            failures = 0
            if not done:
                self._stopped.wait(duty.rest_s)
