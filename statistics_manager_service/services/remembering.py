"""Answers kept for those who ask the same again, as dashboards do every few seconds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from statistics_manager_service.services.ports import State

#: What an answer takes beside its bytes: its key, and the state it was made from.
_BESIDE_BYTES = 4096


class Remembered:
    """Recent answers, up to `most_bytes`; those not asked for the longest time are forgotten first.

    An answer is good as long as the state from which it was made is that of the store. Whoever asks reads the state
    anew, so what another process has written is seen at once, too.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[State, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, state: State) -> bytes | None:
        """The answer, if there is one for this state."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != state:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, state: State, answer: bytes) -> None:
        """Keep an answer, in place of one for an older state."""
        with self._lock:
            older = self._kept.pop(key, None)
            if older is not None:
                self._bytes -= len(older[1]) + _BESIDE_BYTES
            self._kept[key] = (state, answer)
            self._bytes += len(answer) + _BESIDE_BYTES
            while self._bytes > self._most_bytes:
                _, (_, forgotten) = self._kept.popitem(last=False)
                self._bytes -= len(forgotten) + _BESIDE_BYTES
