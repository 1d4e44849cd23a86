"""A circuit breaker: whoever depends on something that is down does not wait for it again and again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from statistics_manager_service.errors import StatisticsError, Unavailable

Answer = TypeVar("Answer")
_NEVER: Final = float("-inf")


class Breaker:
    """Guards the calls to one dependency. Threads may share it; while one calls, the others may, too.

    name: as sentences name the dependency, such as "the forecast service".
    failures, reset_s: after so many failed calls in a row none is made for so many seconds; then one is tried, and the
    others go on being refused until it has ended well. clock_s tells a time that never goes back.
    """

    def __init__(self, name: str, failures: int, reset_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._name, self._most, self._reset_s, self._clock_s = name, failures, reset_s, clock_s
        self._lock = threading.Lock()
        self._failed = 0
        self._asked_again_s = _NEVER
        self._is_tried = False

    @property
    def state(self) -> str:
        """`ok`, `failing` (the last call did), or `down` (none is made for a while)."""
        if self._failed >= self._most:
            return "down"
        return "failing" if self._failed else "ok"

    def call(self, work: Callable[[], Answer]) -> Answer:
        """The result of `work`. Raises Unavailable without calling while the dependency counts as down.

        Unavailable counts as a failure. Any other error of ours means that the dependency has answered.
        """
        self._enter()
        try:
            answer = work()
        except Unavailable:
            self._note(failed=True)
            raise
        except StatisticsError:
            self._note(failed=False)
            raise
        except BaseException:  # says nothing of the dependency; whoever comes next may try
            with self._lock:
                self._is_tried = False
            raise
        self._note(failed=False)
        return answer

    def _enter(self) -> None:
        with self._lock:
            if self._failed < self._most:
                return
            left_s = self._asked_again_s - self._clock_s()
            if left_s > 0 or self._is_tried:
                retry_after_s = max(1, math.ceil(left_s))
                raise Unavailable(f"{self._name} has not answered for a while", retry_after_s)
            self._is_tried = True

    def _note(self, *, failed: bool) -> None:
        with self._lock:
            self._is_tried = False
            self._failed = self._failed + 1 if failed else 0
            if self._failed >= self._most:
                self._asked_again_s = self._clock_s() + self._reset_s
