"""What was worked out from a household's state of the store, kept as long as the household stays in that state."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from statistics_manager_service.services.ports import State

Kept = TypeVar("Kept")
#: What an entry takes beside its value: its key, its state, its place.
_BESIDE_BYTES = 1024


class Remembered(Generic[Kept]):
    """Recent values, up to `most_bytes`; those not asked for the longest time are forgotten first.

    A value is good as long as the state from which it was made is that of the store. Whoever asks reads the state anew,
    so what another process has written is seen at once, too.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[State, Kept, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, state: State) -> Kept | None:
        """The value, if there is one for this state."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != state:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, state: State, value: Kept, size_bytes: int) -> None:
        """Keep a value that takes about so many bytes, in place of one for an older state."""
        size_bytes += _BESIDE_BYTES
        with self._lock:
            older = self._kept.pop(key, None)
            if older is not None:
                self._bytes -= older[2]
            self._kept[key] = (state, value, size_bytes)
            self._bytes += size_bytes
            while self._bytes > self._most_bytes:
                _, (_, _, forgotten_bytes) = self._kept.popitem(last=False)
                self._bytes -= forgotten_bytes
