"""Handling of events, each once in effect, whoever brings them: Kafka or the service's own outbox.

A message is handled in three steps: whether it was handled already; the handler, which may ask other services; and one
transaction that marks the event as handled and writes what the handler found. Two who handle the same message at once
meet at the mark: the second writes nothing.

Where the handler can't do its work now, the message waits in the store and is tried again later, and so do later ones
of its key; those of other keys go on. What never can be handled is set aside in the store, with its reason.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final

import structlog

from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.errors import BadInput, StatisticsError, Unavailable
from statistics_manager_service.observability import CORRELATION_ID
from statistics_manager_service.services.events.event_rows import SetAsideEvent, WaitingEvent
from statistics_manager_service.services.events.events import Handlers, Message, Poison, Work
from statistics_manager_service.services.ports import Store

_LOG = structlog.get_logger()
POISON: Final = "unreadable"
_LONGEST_REASON: Final = 1000
_DUE_AT_ONCE: Final = 20
#: No other try is begun after so long: who tries has a lease for it, and may be asked to stop.
_TRYING_S: Final = 5.0


class Outcome(StrEnum):
    """What became of a message."""

    HANDLED = "handled"
    DUPLICATE = "duplicate"
    PASSED_OVER = "passed_over"
    WAITING = "waiting"
    SET_ASIDE = "set_aside"


class Backoff:
    """How long a failed event waits: doubled each time up to a limit, with some chance so that not all come at once."""

    def __init__(self, first_s: float, last_s: float, for_s: float) -> None:
        self._first_s, self._last_s, self.for_us = first_s, last_s, round(for_s * US_PER_S)

    def after_us(self, attempts: int, least_s: float = 0) -> int:
        """Microseconds to wait after so many failed attempts."""
        wait_s = min(self._last_s, self._first_s * 2.0 ** min(attempts - 1, 60))
        wait_s = max(wait_s, min(least_s, self._last_s))
        return round(wait_s * (1 + random.random() / 4) * US_PER_S)  # noqa: S311 - no secret


class Inbox:
    """Takes messages. Threads and processes may take them at the same time.

    decode: a message from the body, the source and the key of one that was kept.
    """

    def __init__(
        self,
        store: Store,
        handlers: Handlers,
        now_us: Callable[[], int],
        backoff: Backoff,
        decode: Callable[[bytes, str, bytes], Message | Poison],
    ) -> None:
        self._store, self._handlers, self._now_us, self._backoff = store, handlers, now_us, backoff
        self._decode = decode

    def take(self, message: Message | Poison, *, is_ours: bool = True) -> Outcome:
        """Handle a message; when this returns, what became of it is kept. Raises Unavailable where the store is down:
        nothing has become of the message then.

        is_ours: whether it is of a topic of the service's own; of another's, types without a handler are passed over.
        """
        _bear_correlation_id(message)
        if isinstance(message, Poison):
            return self._set_aside(POISON, message, message.reason)
        if not is_ours and message.event_type not in self._handlers:
            return Outcome.PASSED_OVER
        with self._store.reading() as view:
            if view.is_processed(message.event_type, message.event_id):
                return Outcome.DUPLICATE
            has_to_wait = view.is_waiting(message.key)
        if has_to_wait:
            now_us = self._now_us()
            return self._wait(message, 0, now_us, now_us, "an earlier event of the household waits")
        return self._handle(message, 0, self._now_us())

    def retry_due(self) -> int:
        """Try the waiting events whose time has come; how many. Raises Unavailable where the store is down."""
        with self._store.reading() as view:
            due = view.due_events(self._now_us(), _DUE_AT_ONCE)
        until_s = time.monotonic() + _TRYING_S
        for count, one in enumerate(due, 1):
            self._retry(one)
            if time.monotonic() > until_s:
                return count
        return len(due)

    def requeue(self, sequence: int) -> bool:
        """Let a set-aside event be handled again; False where there is none of this number. Raises BadInput where it
        can't be read."""
        with self._store.writing() as view:
            found = view.take_set_aside(sequence)
            if found is None:
                return False
            message = self._decode(found.body, found.source, found.key.encode())
            if isinstance(message, Poison):
                raise BadInput(f"this event can't be read, so it can't be handled: {message.reason}")
            now_us = self._now_us()
            view.put_waiting(_waiting(message, 0, now_us, now_us, "asked for by the operator"))
        return True

    def _retry(self, one: WaitingEvent) -> None:
        message = self._decode(one.body, f"waiting {one.sequence}", one.key.encode())
        _bear_correlation_id(message)
        with self._store.reading() as view:
            is_done = view.is_processed(one.event_type, one.event_id)
        if is_done:  # by another one who had the message, too
            with self._store.writing() as view:
                view.delete_waiting(one.event_type, one.event_id)
        elif isinstance(message, Poison):  # it was read once, so this version of the service reads another form
            self._set_aside(one.event_type, replace(message, event_id=one.event_id), message.reason)
        else:
            self._handle(message, one.attempts, one.first_us)

    def _handle(self, message: Message, attempts: int, first_us: int) -> Outcome:
        handler = self._handlers.get(message.event_type)
        if handler is None:
            return self._set_aside(message.event_type, message, f"there is no handler of {message.event_type!r}")
        try:
            work = handler(message.payload)
        except Unavailable as error:
            return self._fail(message, attempts + 1, first_us, error)
        except StatisticsError as error:
            return self._set_aside(message.event_type, message, error.sentence)
        except Exception as error:
            return self._set_aside_fault(message, error)
        return self._write(message, work)

    def _write(self, message: Message, work: Work) -> Outcome:
        try:
            with self._store.writing() as view:
                if not view.mark_processed(message.event_type, message.event_id, self._now_us()):
                    view.delete_waiting(message.event_type, message.event_id)
                    return Outcome.DUPLICATE
                work(view)
                view.delete_waiting(message.event_type, message.event_id)
        except Unavailable:
            raise
        except StatisticsError as error:
            return self._set_aside(message.event_type, message, error.sentence)
        except Exception as error:
            return self._set_aside_fault(message, error)
        _LOG.info("event_handled", event_type=message.event_type, event_id=message.event_id)
        return Outcome.HANDLED

    def _fail(self, message: Message, attempts: int, first_us: int, error: Unavailable) -> Outcome:
        now_us = self._now_us()
        if now_us - first_us >= self._backoff.for_us:
            reason = f"it failed {attempts} times, the last time: {error.sentence}"
            return self._set_aside(message.event_type, message, reason)
        wait_us = self._backoff.after_us(attempts, error.retry_after_s if attempts > 1 else 0)
        return self._wait(message, attempts, first_us, now_us + wait_us, error.sentence)

    def _wait(self, message: Message, attempts: int, first_us: int, not_before_us: int, reason: str) -> Outcome:
        with self._store.writing() as view:
            if view.is_processed(message.event_type, message.event_id):  # by another one meanwhile
                view.delete_waiting(message.event_type, message.event_id)
                return Outcome.DUPLICATE
            view.put_waiting(_waiting(message, attempts, first_us, not_before_us, reason))
        _LOG.info("event_waits", event_type=message.event_type, event_id=message.event_id, reason=reason)
        return Outcome.WAITING

    def _set_aside_fault(self, message: Message, error: Exception) -> Outcome:
        """Set aside for an error that no handler should raise: tried again and again it would stop its household."""
        _LOG.exception("event_handler_failed", event_type=message.event_type, event_id=message.event_id)
        return self._set_aside(message.event_type, message, f"{type(error).__name__}: {error}")

    def _set_aside(self, event_type: str, message: Message | Poison, reason: str) -> Outcome:
        now_us = self._now_us()
        with self._store.writing() as view:
            view.delete_waiting(event_type, message.event_id)
            if not view.mark_processed(event_type, message.event_id, now_us):
                return Outcome.DUPLICATE
            view.add_set_aside(
                SetAsideEvent(
                    message.event_id, event_type, message.key, message.body, _kept(reason), message.source[:255], now_us
                )
            )  # fmt: skip
        _LOG.warning("event_set_aside", event_type=event_type, event_id=message.event_id, reason=reason)
        return Outcome.SET_ASIDE


def _bear_correlation_id(message: Message | Poison) -> None:
    """From now on log lines and calls of other services bear the id of the request that the event came from."""
    told = None if isinstance(message, Poison) else message.payload.get("correlation_id")
    CORRELATION_ID.set(_uuid(told) if isinstance(told, str) else None)


def _uuid(text: str) -> str | None:
    """A UUID's text, None for any other: it goes into the headers of calls."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _waiting(message: Message, attempts: int, first_us: int, not_before_us: int, reason: str) -> WaitingEvent:
    return WaitingEvent(
        message.event_id, message.event_type, message.key, message.body, attempts, first_us, not_before_us,
        _kept(reason),
    )  # fmt: skip


def _kept(reason: str) -> str:
    """A reason as every store can keep it: it may quote what somebody sent."""
    whole = reason[:_LONGEST_REASON].encode("utf-8", "replace").decode()  # without lone surrogates
    return whole.replace("\0", "\N{SYMBOL FOR NULL}")
