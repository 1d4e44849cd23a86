"""The outbox, processed events, waiting and set-aside messages, and leases."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.services.events.event_rows import EventCounts, OutboxEvent, SetAsideEvent, WaitingEvent
from statistics_manager_service.storage import schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _us(at: datetime) -> int:
    """Microseconds of a moment; SQLite gives it back without its zone, which is UTC."""
    return (at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH) // _MICROSECOND


class EventQueries:
    """Reading and writing of events, over one connection."""

    connection: sa.Connection
    driver: Any
    dialect: str

    def untold_events(self, limit: int) -> list[OutboxEvent]:
        """Events of the outbox that are not yet told, in their order."""
        c = schema.events.c
        columns = (c.id, c.aggregatetype, c.aggregateid, c.type, c.timestamp, c.payload, c.sequence)
        statement = sa.select(*columns).where(c.told_us.is_(None)).order_by(c.sequence).limit(limit)
        return [
            OutboxEvent(str(id), kind, key, type, _us(at), payload, sequence)
            for id, kind, key, type, at, payload, sequence in self.connection.execute(statement)
        ]

    def is_processed(self, event_type: str, event_id: str) -> bool:
        """Whether an event has been handled, or set aside."""
        c = schema.processed_events.c
        statement = sa.select(c.processed_us).where(c.event_type == event_type, c.event_id == event_id)
        return self.connection.execute(statement).first() is not None

    def is_waiting(self, key: str) -> bool:
        """Whether an event of a key waits."""
        c = schema.waiting_events.c
        return self.connection.execute(sa.select(c.sequence).where(c.key == key).limit(1)).first() is not None

    def due_events(self, now_us: int, limit: int) -> list[WaitingEvent]:
        """The first waiting event of each key, of those whose time has come."""
        table = schema.waiting_events
        firsts = sa.select(sa.func.min(table.c.sequence)).group_by(table.c.key)
        statement = (
            sa.select(*[table.c[name] for name in WaitingEvent._fields])
            .where(table.c.sequence.in_(firsts), table.c.not_before_us <= now_us)
            .order_by(table.c.not_before_us)
            .limit(limit)
        )
        return [WaitingEvent._make(row) for row in self.connection.execute(statement)]

    def set_aside_events(self, limit: int, *, unpublished: bool = False) -> list[SetAsideEvent]:
        """Set-aside events, oldest first; with `unpublished` those that are not yet in the dead-letter topic."""
        table = schema.set_aside_events
        statement = sa.select(*[table.c[name] for name in SetAsideEvent._fields]).order_by(table.c.sequence)
        if unpublished:
            statement = statement.where(table.c.published_us.is_(None))
        return [SetAsideEvent._make(row) for row in self.connection.execute(statement.limit(limit))]

    def waiting_events(self, limit: int) -> list[WaitingEvent]:
        """Those that wait, in the order in which they came."""
        table = schema.waiting_events
        statement = sa.select(*[table.c[name] for name in WaitingEvent._fields]).order_by(table.c.sequence).limit(limit)
        return [WaitingEvent._make(row) for row in self.connection.execute(statement)]

    def event_counts(self) -> EventCounts:
        """How many there are of each."""

        def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> Any:
            return sa.select(sa.func.count()).select_from(table).where(*conditions).scalar_subquery()

        untold = count(schema.events, schema.events.c.told_us.is_(None))
        counts = sa.select(untold, count(schema.waiting_events), count(schema.set_aside_events))
        return EventCounts._make(self.connection.execute(counts).one())

    # --- writing ------------------------------------------------------------------------------------------------------

    def add_event(self, event: OutboxEvent) -> None:
        """Put an event into the outbox."""
        self.connection.execute(
            schema.events.insert().values(
                id=uuid.UUID(event.event_id),
                aggregatetype=event.aggregate_type,
                aggregateid=event.aggregate_id,
                type=event.event_type,
                timestamp=_EPOCH + event.at_us * _MICROSECOND,
                payload=dict(event.payload),
            )
        )

    def mark_told(self, sequences: Sequence[int], at_us: int) -> None:
        """Events of the outbox have been told."""
        table = schema.events
        self.connection.execute(table.update().where(table.c.sequence.in_(sequences)).values(told_us=at_us))

    def delete_events(self, before_us: int, *, untold: bool) -> int:
        """Delete events of the outbox that are older, those that were told (with `untold` all); how many."""
        table = schema.events
        old = table.c.timestamp < _EPOCH + before_us * _MICROSECOND
        condition = old if untold else old & table.c.told_us.is_not(None)
        return self.connection.execute(table.delete().where(condition)).rowcount

    def mark_processed(self, event_type: str, event_id: str, at_us: int) -> bool:
        """Mark an event as handled; False where it is already. Of two transactions at once one waits for the other."""
        values = {"event_type": event_type, "event_id": event_id, "processed_us": at_us}
        return self._is_inserted(schema.processed_events, values)

    def delete_processed(self, before_us: int) -> int:
        """Forget what was handled before an instant; how many."""
        table = schema.processed_events
        return self.connection.execute(table.delete().where(table.c.processed_us < before_us)).rowcount

    def put_waiting(self, event: WaitingEvent) -> None:
        """Insert; after an attempt, update by event_type and event_id."""
        values = event._asdict()
        del values["sequence"]
        table = schema.waiting_events
        if not self._is_inserted(table, values) and event.attempts:
            again = {name: values[name] for name in ("attempts", "not_before_us", "reason")}
            here = (table.c.event_type == event.event_type) & (table.c.event_id == event.event_id)
            self.connection.execute(table.update().where(here).values(again))

    def delete_waiting(self, event_type: str, event_id: str) -> None:
        """It waits no more."""
        table = schema.waiting_events
        here = (table.c.event_type == event_type) & (table.c.event_id == event_id)
        self.connection.execute(table.delete().where(here))

    def add_set_aside(self, event: SetAsideEvent) -> None:
        """Insert."""
        values = event._asdict()
        del values["sequence"]
        self.connection.execute(schema.set_aside_events.insert().values(values))

    def mark_published(self, sequences: Sequence[int], at_us: int) -> None:
        """Set-aside events are in the dead-letter topic."""
        table = schema.set_aside_events
        self.connection.execute(table.update().where(table.c.sequence.in_(sequences)).values(published_us=at_us))

    def take_set_aside(self, sequence: int) -> SetAsideEvent | None:
        """Remove one, so that it can be handled again: it no longer counts as processed."""
        table, processed = schema.set_aside_events, schema.processed_events
        columns = [table.c[name] for name in SetAsideEvent._fields]
        row = self.connection.execute(
            table.delete().where(table.c.sequence == sequence).returning(*columns)
        ).one_or_none()
        if row is None:
            return None
        found = SetAsideEvent._make(row)
        here = (processed.c.event_type == found.event_type) & (processed.c.event_id == found.event_id)
        self.connection.execute(processed.delete().where(here))
        return found

    def take_lease(self, name: str, holder: str, now_us: int, until_us: int) -> bool:
        """Whether a holder has a lease now: it had it, nobody did, or it has run out."""
        table = schema.leases
        values = {"name": name, "holder": holder, "until_us": until_us}
        if self._is_inserted(table, values):
            return True
        free = (table.c.name == name) & ((table.c.holder == holder) | (table.c.until_us <= now_us))
        return self.connection.execute(table.update().where(free).values(values)).rowcount == 1

    def erase_events(self, key: str) -> None:
        """Delete the events of a household, whatever their state."""
        for table, column in (
            (schema.events, schema.events.c.aggregateid),
            (schema.waiting_events, schema.waiting_events.c.key),
            (schema.set_aside_events, schema.set_aside_events.c.key),
        ):
            self.connection.execute(table.delete().where(column == key))

    def _is_inserted(self, table: sa.Table, values: dict[str, Any]) -> bool:
        """Whether a row was inserted; where there is such a one already, nothing is done. (A driver's count of rows is
        not told for inserts, so a column is asked back.)"""
        dialect: Any = sqlite if self.dialect == "sqlite" else postgresql
        column = next(iter(table.primary_key.columns))
        statement = dialect.insert(table).values(values).on_conflict_do_nothing().returning(column)
        return self.connection.execute(statement).first() is not None
