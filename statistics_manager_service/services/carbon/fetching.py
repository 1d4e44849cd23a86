"""Fetching from afar what many ask for: once at a time however many ask, and not again for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Final

from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.errors import StatisticsError, Unavailable

_MOST_KEPT: Final = 4_096
Outcome = StatisticsError | None


class Fetching:
    """Runs fetches by key; threads may share it.

    ttl_us: how long a fetch counts. One that failed for a while counts as long as its error says.
    """

    def __init__(self, now_us: Callable[[], int], ttl_us: int) -> None:
        self._now_us, self._ttl_us = now_us, ttl_us
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Outcome]] = {}
        self._kept: OrderedDict[Hashable, tuple[int, Outcome]] = OrderedDict()

    def once(self, key: Hashable, fetch: Callable[[], None], *, wait: Callable[[], bool]) -> Outcome:
        """Run a fetch unless it counts still, or runs: then its outcome, which is None or the error that it raised.

        wait: whether to wait for one that runs; what does not wait gets None.
        """
        with self._lock:
            until_us, outcome = self._kept.get(key, (0, None))
            if self._now_us() < until_us:
                return outcome
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = Future()
        if running is not None:
            return running.result() if wait() else None
        outcome = Unavailable("it could not be fetched")  # what others are told where the fetch breaks here
        try:
            fetch()
            outcome = None
        except StatisticsError as error:
            outcome = error
        finally:
            self._end(key, mine, outcome)
        return outcome

    def _end(self, key: Hashable, mine: Future[Outcome], outcome: Outcome) -> None:
        counts_us = outcome.retry_after_s * US_PER_S if isinstance(outcome, Unavailable) else self._ttl_us
        with self._lock:
            del self._running[key]
            if counts_us:
                self._kept[key] = (self._now_us() + counts_us, outcome)
                self._kept.move_to_end(key)
                if len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        mine.set_result(outcome)
