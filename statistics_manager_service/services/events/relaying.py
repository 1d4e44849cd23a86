"""What brings events on their way: the outbox to where events are told, and set-aside ones to the dead-letter topic.

Of several processes one does it at a time, by a lease in the store, so that events keep their order. When it dies, the
next one goes on after the lease has run out; what was told and not yet marked is told again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.events.event_rows import OutboxEvent, SetAsideEvent
from statistics_manager_service.services.events.inbox import Inbox
from statistics_manager_service.services.ports import Store

LEASE_S: Final = 15
#: A lease is prolonged when it is older, so that what is begun under it has nearly all of it.
_PROLONG_AFTER_S: Final = 2
_AT_ONCE: Final = 200
#: Tells events, in their order, and returns the sequences of those that have arrived for certain.
Tell = Callable[[Sequence[OutboxEvent]], Sequence[int]]
#: The same for set-aside events.
Publish = Callable[[Sequence[SetAsideEvent]], Sequence[int]]


class Lease:
    """What one of several processes holds at a time. `holder` is different in each."""

    def __init__(self, store: Store, name: str, holder: str, now_us: Callable[[], int]) -> None:
        self._store, self._name, self._holder, self._now_us = store, name, holder, now_us
        self._until_us = 0

    def is_held(self) -> bool:
        """Whether it is this one's now; it is taken, or prolonged when a part of it is over. Raises Unavailable."""
        now_us = self._now_us()
        if now_us < self._until_us - (LEASE_S - _PROLONG_AFTER_S) * US_PER_S:
            return True
        until_us = now_us + LEASE_S * US_PER_S
        with self._store.writing() as view:
            held = view.take_lease(self._name, self._holder, now_us, until_us)
        self._until_us = until_us if held else 0
        return held

    def release(self) -> None:
        """Let another have it at once. Raises Unavailable."""
        if self._until_us:
            now_us, self._until_us = self._now_us(), 0
            with self._store.writing() as view:
                view.take_lease(self._name, self._holder, now_us, now_us)


class Relay:
    """Tells the events of the outbox."""

    def __init__(self, store: Store, tell: Tell, lease: Lease, now_us: Callable[[], int]) -> None:
        self._store, self._tell, self._lease, self._now_us = store, tell, lease, now_us

    def step(self) -> int:
        """Tell some events; how many were told. Raises Unavailable where the store or the other side is down."""
        with self._store.reading() as view:
            if not view.untold_events(1):
                return 0
        if not self._lease.is_held():
            return 0
        with self._store.reading() as view:
            events = view.untold_events(_AT_ONCE)
        told = self._tell(events)
        if told:
            with self._store.writing() as view:
                view.mark_told(told, self._now_us())
        return len(told)


class Undertaker:
    """Brings set-aside events into the dead-letter topic."""

    def __init__(self, store: Store, publish: Publish, lease: Lease, now_us: Callable[[], int]) -> None:
        self._store, self._publish, self._lease, self._now_us = store, publish, lease, now_us

    def step(self) -> int:
        """Publish some; how many. Raises Unavailable."""
        with self._store.reading() as view:
            if not view.set_aside_events(1, unpublished=True):
                return 0
        if not self._lease.is_held():
            return 0
        with self._store.reading() as view:
            events = view.set_aside_events(_AT_ONCE, unpublished=True)
        published = self._publish(events)
        if published:
            with self._store.writing() as view:
                view.mark_published(published, self._now_us())
        return len(published)


class Retries:
    """Tries waiting events again."""

    def __init__(self, store: Store, inbox: Inbox, lease: Lease, now_us: Callable[[], int]) -> None:
        self._store, self._inbox, self._lease, self._now_us = store, inbox, lease, now_us

    def step(self) -> int:
        """Try those whose time has come; how many. Raises Unavailable."""
        with self._store.reading() as view:
            if not view.due_events(self._now_us(), 1):
                return 0
        return self._inbox.retry_due() if self._lease.is_held() else 0


def forget_processed(store: Store, before_us: int) -> int:
    """Forget what was handled before an instant: should it come again, it would be handled again."""
    with store.writing() as view:
        return view.delete_processed(before_us)


def forget_events(store: Store, before_us: int, *, untold: bool) -> int:
    """Delete events of the outbox that are older than an instant. `untold`: those not marked as told, too, as where
    Debezium reads the table's log."""
    with store.writing() as view:
        return view.delete_events(before_us, untold=untold)
