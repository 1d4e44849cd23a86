"""What several ask for at the same time is asked for once, and some answers count for a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from statistics_manager_service.errors import Unavailable

Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")
#: Whoever asks has a deadline; this is for one who never tells what became of it.
_LONGEST_S: Final = 300.0


class AskedOnce(Generic[Key, Value]):
    """Answers by key. Threads may share it.

    kept_s, most_kept: how long an answer counts, and how many are kept. clock_s tells a time that never goes back.
    """

    def __init__(self, kept_s: float, most_kept: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._kept_s, self._most_kept, self._clock_s = kept_s, most_kept, clock_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._asked: dict[Key, Future[Value]] = {}

    def ask(
        self,
        keys: Sequence[Key],
        fetch: Callable[[Sequence[Key]], Mapping[Key, Value]],
        is_kept: Callable[[Value], bool] = lambda _: True,
    ) -> dict[Key, Value]:
        """The answers for keys: those kept, those that others fetch at this moment, and what `fetch` tells of the
        rest. is_kept: whether an answer is to count for a while. Raises what `fetch` raises, to all who wait for it."""
        found: dict[Key, Value] = {}
        mine: dict[Key, Future[Value]] = {}
        theirs: dict[Key, Future[Value]] = {}
        with self._lock:
            now_s = self._clock_s()
            for key in dict.fromkeys(keys):
                kept = self._kept.get(key)
                if kept is not None and now_s - kept[0] < self._kept_s:
                    found[key] = kept[1]
                elif key in self._asked:
                    theirs[key] = self._asked[key]
                else:
                    mine[key] = self._asked[key] = Future()
        if mine:
            found |= self._fetched(mine, fetch, is_kept)
        for key, future in theirs.items():
            found[key] = _result(future)
        return found

    def _fetched(
        self,
        mine: Mapping[Key, Future[Value]],
        fetch: Callable[[Sequence[Key]], Mapping[Key, Value]],
        is_kept: Callable[[Value], bool],
    ) -> Mapping[Key, Value]:
        try:
            told = fetch(list(mine))
        except BaseException as error:
            self._end(mine)
            for future in mine.values():
                future.set_exception(error)
            raise
        self._end(mine, {key: value for key, value in told.items() if is_kept(value)})
        for key, future in mine.items():
            future.set_result(told[key])
        return told

    def _end(self, mine: Mapping[Key, Future[Value]], kept: Mapping[Key, Value] | None = None) -> None:
        with self._lock:
            now_s = self._clock_s()
            for key in mine:
                del self._asked[key]
                self._kept.pop(key, None)
            self._kept.update({key: (now_s, value) for key, value in (kept or {}).items()})
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)


def _result(future: Future[Value]) -> Value:
    try:
        return future.result(_LONGEST_S)
    except Unavailable as error:  # each who waits raises one of its own: an exception grows as it is raised
        raise Unavailable(error.sentence, error.retry_after_s) from error
    except TimeoutError as error:
        raise Unavailable("nothing became of what another request has asked for") from error
