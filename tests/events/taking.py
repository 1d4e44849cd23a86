"""An inbox over a real store, and a handler of the tests' own whose effects can be counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from measured import Clock

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.events.event_rows import EventCounts, SetAsideEvent
from statistics_manager_service.services.events.events import Message, Poison, Work
from statistics_manager_service.services.events.inbox import Backoff, Inbox
from statistics_manager_service.storage.database import SqlStore, SqlView, open_engine

NOTE = "NoteEvent"
SECOND_US = 1_000_000


class Store(SqlStore):
    """A real store that can be told to be gone, or to fail as no store should."""

    failure: Exception | None = None

    @contextmanager
    def reading(self) -> Iterator[SqlView]:
        self._fail()
        with super().reading() as view:
            yield view

    @contextmanager
    def writing(self) -> Iterator[SqlView]:
        self._fail()
        with super().writing() as view:
            yield view

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def open_effects(url: str) -> Store:
    """A store with a table in which an event that is handled twice would be seen twice."""
    store = Store(open_engine(url))
    with store.writing() as view:
        number = "INTEGER PRIMARY KEY" if store.is_embedded else "bigserial PRIMARY KEY"
        view.connection.execute(
            sa.text(f"CREATE TABLE IF NOT EXISTS effects (place {number}, key TEXT, number INTEGER)")
        )
    return store


def effects(store: SqlStore) -> list[tuple[str, int]]:
    """Key and number of the events that had their effect, in its order."""
    with store.reading() as view:
        rows = view.connection.execute(sa.text("SELECT key, number FROM effects ORDER BY place")).all()
    return [(row[0], row[1]) for row in rows]


class Noting:
    """The handler: adds a row to the table. It raises what `failures` has for an event's number, or for all (None)."""

    def __init__(self) -> None:
        self.failures: dict[int | None, Exception] = {}
        #: The same for the writing itself.
        self.write_failures: dict[int | None, Exception] = {}
        self.calls: list[int] = []
        self.on_call: Callable[[int], None] = lambda _: None

    def __call__(self, payload: Mapping[str, Any]) -> Work:
        number = int(payload["number"])
        self.calls.append(number)
        self.on_call(number)
        for key in (number, None):
            if key in self.failures:
                raise self.failures[key]

        def work(view: Any) -> None:
            row = {"key": payload["user_id"], "number": number}
            view.connection.execute(sa.text("INSERT INTO effects (key, number) VALUES (:key, :number)"), row)
            for key in (number, None):
                if key in self.write_failures:
                    raise self.write_failures[key]

        return work


def down(sentence: str = "the service that is asked is down") -> Unavailable:
    return Unavailable(sentence, 0)


def body(number: int, key: str = "home1", event_type: str = NOTE, **more: Any) -> bytes:
    told = {"user_id": key, "number": number, **more}
    return json.dumps({"payload": {"eventId": f"id{number}", "eventType": event_type, "payload": told}}).encode()


def message(number: int, key: str = "home1", event_type: str = NOTE, **more: Any) -> Message:
    found = message_of(body(number, key, event_type, **more), f"topic/0/{number}")
    assert isinstance(found, Message)
    return found


def unreadable(content: bytes, source: str) -> Poison:
    found = message_of(content, source)
    assert isinstance(found, Poison)
    return found


class Taking:
    """An inbox, its store, its clock and its handler."""

    def __init__(self, url: str, clock: Clock | None = None, handler: Noting | None = None) -> None:
        self.store = open_effects(url)
        self.clock = clock or Clock("2024-05-10T12:00:00")
        self.handler = handler or Noting()
        self.inbox = Inbox(self.store, {NOTE: self.handler}, self.clock, Backoff(1, 60, 3600), message_of)

    def wait(self, seconds: float) -> None:
        """Let time pass by."""
        self.clock.now_us += round(seconds * SECOND_US)

    def numbers(self) -> list[int]:
        return [number for _, number in effects(self.store)]

    def counts(self) -> EventCounts:
        with self.store.reading() as view:
            return view.event_counts()

    def set_aside(self) -> list[SetAsideEvent]:
        with self.store.reading() as view:
            return view.set_aside_events(100)
