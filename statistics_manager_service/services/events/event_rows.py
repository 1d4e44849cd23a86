"""Events as the store keeps them: the outbox, what has been handled, what waits for a retry, what was set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class OutboxEvent(NamedTuple):
    """An event that is to be told. `aggregate_id` is the household; events of one household keep their order."""

    event_id: str
    aggregate_type: str
    aggregate_id: str
    event_type: str
    at_us: int
    payload: Mapping[str, Any]
    sequence: int = 0


class WaitingEvent(NamedTuple):
    """A message whose handling is to be tried again, or that waits for an earlier one of its key."""

    event_id: str
    event_type: str
    key: str
    body: bytes
    attempts: int
    first_us: int
    not_before_us: int
    reason: str
    sequence: int = 0


class SetAsideEvent(NamedTuple):
    """A message that can't be handled, and why. `source` tells where it came from: topic, partition and offset."""

    event_id: str
    event_type: str
    key: str
    body: bytes
    reason: str
    source: str
    at_us: int
    sequence: int = 0


class EventCounts(NamedTuple):
    """How many events are not yet told, wait for a retry, and are set aside."""

    untold: int
    waiting: int
    set_aside: int


class EventRows(Protocol):
    """Reading of events."""

    def untold_events(self, limit: int) -> list[OutboxEvent]:
        """Events of the outbox that are not yet told, in their order."""
        ...

    def is_processed(self, event_type: str, event_id: str) -> bool:
        """Whether an event has been handled, or set aside."""
        ...

    def is_waiting(self, key: str) -> bool:
        """Whether an event of a key waits."""
        ...

    def due_events(self, now_us: int, limit: int) -> list[WaitingEvent]:
        """The first waiting event of each key, of those whose time has come."""
        ...

    def set_aside_events(self, limit: int, *, unpublished: bool = False) -> list[SetAsideEvent]:
        """Set-aside events, oldest first; with `unpublished` those that are not yet in the dead-letter topic."""
        ...

    def waiting_events(self, limit: int) -> list[WaitingEvent]:
        """Those that wait, in the order in which they came."""
        ...

    def event_counts(self) -> EventCounts:
        """How many there are of each."""
        ...


class EventWrites(EventRows, Protocol):
    """Changes of events, inside a write transaction."""

    def add_event(self, event: OutboxEvent) -> None:
        """Put an event into the outbox."""
        ...

    def mark_told(self, sequences: Sequence[int], at_us: int) -> None:
        """Events of the outbox have been told."""
        ...

    def delete_events(self, before_us: int, *, untold: bool) -> int:
        """Delete events of the outbox that are older, those that were told (with `untold` all); how many."""
        ...

    def mark_processed(self, event_type: str, event_id: str, at_us: int) -> bool:
        """Mark an event as handled; False where it is already. Of two transactions at once one waits for the other."""
        ...

    def delete_processed(self, before_us: int) -> int:
        """Forget what was handled before an instant; how many."""
        ...

    def put_waiting(self, event: WaitingEvent) -> None:
        """Insert; after an attempt, update by event_type and event_id. One that waits already and comes again stays."""
        ...

    def delete_waiting(self, event_type: str, event_id: str) -> None:
        """It waits no more."""
        ...

    def add_set_aside(self, event: SetAsideEvent) -> None:
        """Insert."""
        ...

    def mark_published(self, sequences: Sequence[int], at_us: int) -> None:
        """Set-aside events are in the dead-letter topic."""
        ...

    def take_set_aside(self, sequence: int) -> SetAsideEvent | None:
        """Remove one, so that it can be handled again: it no longer counts as processed."""
        ...

    def take_lease(self, name: str, holder: str, now_us: int, until_us: int) -> bool:
        """Whether a holder has a lease now: it had it, nobody did, or it has run out."""
        ...
