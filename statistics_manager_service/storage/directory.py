"""Households, channels, meter events and device tokens."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import orjson
import sqlalchemy as sa

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.errors import Conflict
from statistics_manager_service.services.ports import Channel, DeviceToken, Household, MeterEvent, State
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.events import EventQueries
from statistics_manager_service.storage.group_log import GroupLog

_HOUSEHOLD_NAMES = list(Household._fields)
_CHANNEL_NAMES = list(Channel._fields)
_HOUSEHOLD_SQL = f"SELECT {', '.join(_HOUSEHOLD_NAMES)} FROM households WHERE "  # noqa: S608 - names of ours
_CHANNEL_SQL = f"SELECT {', '.join(_CHANNEL_NAMES)} FROM channels WHERE household_no "  # noqa: S608 - names of ours
_STATE_SQL = "SELECT household_no, changes FROM households WHERE id = ?"
_CHANNEL_KEY = ("household_no", "channel_no")
_CHANNEL_REST = [name for name in _CHANNEL_NAMES if name not in _CHANNEL_KEY]
_channel_row = attrgetter(*_CHANNEL_REST, *_CHANNEL_KEY)
_KIND = _CHANNEL_NAMES.index("kind")
_DECLARED = _CHANNEL_NAMES.index("declared")
_KINDS = {kind.value: kind for kind in Kind}
_EVENT_NAMES = list(MeterEvent._fields)
_EVENT_SQL = f"SELECT {', '.join(_EVENT_NAMES)} FROM meter_events WHERE household_no "  # noqa: S608 - names of ours
_KEYS_A_QUERY = 400
_LONGEST = 128  # of an id, a key


def _can_be_kept(text: str) -> bool:
    """Whether a store can hold an id or a key, so that it is worth asking for."""
    return "\0" not in text and len(text) <= _LONGEST


def _channel(row: Sequence[Any]) -> Channel:
    values = list(row)
    values[_KIND], values[_DECLARED] = _KINDS[values[_KIND]], bool(values[_DECLARED])
    return Channel._make(values)


def _household(row: Sequence[Any]) -> Household:
    values = list(row)
    if isinstance(values[-1], str | bytes):
        values[-1] = orjson.loads(values[-1])
    return Household._make(values)


class DirectoryQueries(EventQueries, GroupLog):
    """Reading and writing of what the bulk tables belong to, over one connection."""

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        cursor = self.driver.execute(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), parameters)
        found: list[Any] = cursor.fetchall()
        return found

    def _rows_in(self, sql: str, values: Sequence[Any], behind: str = "") -> list[Any]:
        """The rows of `sql` for values, as many at a time as a statement takes."""
        rows = []
        for first in range(0, len(values), _KEYS_A_QUERY):
            part = values[first : first + _KEYS_A_QUERY]
            rows += self._rows(f"{sql}IN ({', '.join('?' * len(part))}){behind}", tuple(part))
        return rows

    def _one_household(self, column: str, value: str) -> Household | None:
        rows = self._rows(f"{_HOUSEHOLD_SQL}{column} = ?", (value,)) if _can_be_kept(value) else []
        return _household(rows[0]) if rows else None

    def household(self, household: str) -> Household | None:
        """The household of an id."""
        return self._one_household("id", household)

    def state_of(self, household: str) -> State | None:
        """The state of a household, None where there is none."""
        rows = self._rows(_STATE_SQL, (household,)) if _can_be_kept(household) else []
        return rows[0] if rows else None

    def states_of(self, households: Sequence[str]) -> dict[str, State]:
        """The states of those of some ids that there are."""
        some = [one for one in households if _can_be_kept(one)]
        return {
            row[0]: row[1:] for row in self._rows_in("SELECT id, household_no, changes FROM households WHERE id ", some)
        }

    def households_by_id(self, households: Sequence[str]) -> dict[str, Household]:
        """Those of some ids that there are."""
        some = [one for one in households if _can_be_kept(one)]
        found = [_household(row) for row in self._rows_in(f"{_HOUSEHOLD_SQL}id ", some)]
        return {one.id: one for one in found}

    def household_by_api_key(self, api_key: str) -> Household | None:
        """The household whose dongle has a key."""
        return self._one_household("api_key", api_key)

    def household_by_meter_id(self, meter_id: str) -> Household | None:
        """The household whose smart meter has an id."""
        return self._one_household("meter_id", meter_id)

    def households(self, after: str | None, limit: int) -> list[Household]:
        """Ordered by id, those whose id is greater than `after`."""
        return [
            _household(row) for row in self._rows(f"{_HOUSEHOLD_SQL}id > ? ORDER BY id LIMIT ?", (after or "", limit))
        ]

    def channels(self, household_no: int) -> list[Channel]:
        """The channels of a household, ordered by channel_no."""
        return [_channel(row) for row in self._rows(_CHANNEL_SQL + "= ? ORDER BY channel_no", (household_no,))]

    def channels_of(self, household_nos: Sequence[int]) -> dict[int, list[Channel]]:
        """The channels of many households."""
        found: dict[int, list[Channel]] = {no: [] for no in household_nos}
        for row in self._rows_in(_CHANNEL_SQL, household_nos, " ORDER BY channel_no"):
            found[row[0]].append(_channel(row))
        return found

    def meter_events(self, household_no: int) -> list[MeterEvent]:
        """The events of a household, ordered by event_no."""
        return self.meter_events_of([household_no]).get(household_no, [])

    def meter_events_of(self, household_nos: Sequence[int]) -> dict[int, list[MeterEvent]]:
        """The meter events of many households, ordered by event_no; those without any are left out."""
        found: dict[int, list[MeterEvent]] = {}
        for row in self._rows_in(_EVENT_SQL, household_nos, " ORDER BY event_no"):
            found.setdefault(row[0], []).append(MeterEvent._make(row))
        return found

    def _tokens(self, condition: sa.ColumnElement[bool]) -> list[DeviceToken]:
        tokens, households = schema.device_tokens.c, schema.households.c
        columns = [households.id if name == "household" else tokens[name] for name in DeviceToken._fields]
        joined = schema.device_tokens.join(schema.households, tokens.household_no == households.household_no)
        statement = sa.select(*columns).select_from(joined).where(condition).order_by(tokens.created_us)
        return [DeviceToken._make(row) for row in self.connection.execute(statement)]

    def device_token(self, token_id: str) -> DeviceToken | None:
        """The token of an id."""
        return next(iter(self._tokens(schema.device_tokens.c.token_id == token_id)), None)

    def device_tokens(self, household_no: int) -> list[DeviceToken]:
        """The tokens of a household, oldest first."""
        return self._tokens(schema.device_tokens.c.household_no == household_no)

    # --- writing ------------------------------------------------------------------------------------------------------

    def put_household(self, household: Household) -> Household:
        """Insert (household_no 0) or update; raises Conflict where api_key or meter_id belongs to another."""
        for name, value, other in (
            ("api_key", household.api_key, self.household_by_api_key),
            ("meter_id", household.meter_id, self.household_by_meter_id),
        ):
            owner = other(value) if value is not None else None
            if owner is not None and owner.id != household.id:
                raise Conflict(f"this {name} belongs to another household already")
        values = household._asdict() | {"more": dict(household.more)}
        household_no = values.pop("household_no")
        table = schema.households
        try:
            if household_no:
                here = table.c.household_no == household_no
                self.connection.execute(table.update().where(here).values({**values, "changes": table.c.changes + 1}))
                return household
            made = self.connection.execute(table.insert().values(values).returning(table.c.household_no))
        except sa.exc.IntegrityError as error:
            raise Conflict(
                "another request has just made this household, or has taken its api_key or meter_id"
            ) from error
        return household._replace(household_no=made.scalar_one())

    def delete_household(self, household_no: int) -> None:
        """Erase it and everything of it: readings, revisions, profiles, channels, meter events, tokens, events."""
        table = schema.households
        owner = self.connection.execute(sa.select(table.c.id).where(table.c.household_no == household_no)).scalar()
        if owner is not None:
            self.erase_events(owner)
        self.leave_groups(household_no)
        for table in reversed(schema.metadata.sorted_tables):
            if table is not schema.households and "household_no" in table.c:
                self.connection.execute(table.delete().where(table.c.household_no == household_no))
        table = schema.households
        self.connection.execute(table.delete().where(table.c.household_no == household_no))

    def begin_changes(self, household_nos: Sequence[int]) -> None:
        """Count a change of these households, and let no other writer change channels, events, readings or profiles of
        them until the commit. Whoever changes those begins with it.

        In PostgreSQL by locking their rows, always in the same order; SQLite has one writer at a time anyway.
        """
        table = schema.households
        for first in range(0, len(household_nos), _KEYS_A_QUERY):
            part = sorted(household_nos)[first : first + _KEYS_A_QUERY]
            marks = ", ".join("?" * len(part))
            if self.dialect == "postgresql":
                some = table.c.household_no.in_(part)
                self.connection.execute(
                    sa.select(table.c.household_no).where(some).order_by(table.c.household_no).with_for_update()
                )
            sql = f"UPDATE households SET changes = changes + 1 WHERE household_no IN ({marks})"  # noqa: S608 - marks
            if self.dialect == "postgresql":  # a statement less across the network
                returned = self._rows(f"{sql} RETURNING household_no, changes, in_groups", part)
                self.note_changes(part, [row[:2] for row in returned if row[2]])
                continue
            self.driver.execute(sql, part)
            in_groups = f"household_no IN ({marks}) AND in_groups > 0"
            self.note_changes(
                part,
                self._rows(f"SELECT household_no, changes FROM households WHERE {in_groups}", part),  # noqa: S608 - marks
            )

    def add_channel(self, channel: Channel) -> Channel:
        """Insert with the household's next channel_no; the channel as stored."""
        table = schema.channels
        newest = sa.select(sa.func.max(table.c.channel_no)).where(table.c.household_no == channel.household_no)
        channel = channel._replace(channel_no=(self.connection.execute(newest).scalar() or 0) + 1)
        self.connection.execute(table.insert().values(channel._asdict()))
        return channel

    def update_channels(self, channels: Sequence[Channel]) -> None:
        """Write channels as they are now."""
        if not channels:
            return
        self.log_begins(channels)
        assignments = ", ".join(f"{name} = ?" for name in _CHANNEL_REST)
        sql = f"UPDATE channels SET {assignments} WHERE household_no = ? AND channel_no = ?"  # noqa: S608 - names of ours
        cursor = self.driver.cursor()
        cursor.executemany(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), map(_channel_row, channels))

    def add_meter_event(self, event: MeterEvent) -> MeterEvent:
        """Insert with a number that no event of the household has had; the event as stored."""
        owners = schema.households
        count = owners.update().where(owners.c.household_no == event.household_no)
        count = count.values(last_event_no=owners.c.last_event_no + 1)
        number = self.connection.execute(count.returning(owners.c.last_event_no)).scalar_one()
        event = event._replace(event_no=number)
        self.connection.execute(schema.meter_events.insert().values(event._asdict()))
        return event

    def delete_meter_event(self, household_no: int, event_no: int) -> None:
        """Delete an event."""
        table = schema.meter_events
        here = (table.c.household_no == household_no) & (table.c.event_no == event_no)
        self.connection.execute(table.delete().where(here))

    def add_device_token(self, token: DeviceToken) -> None:
        """Insert a token."""
        values = token._asdict()
        del values["household"]
        self.connection.execute(schema.device_tokens.insert().values(values))

    def revoke_device_token(self, token_id: str, at_us: int) -> None:
        """Mark a token as revoked."""
        table = schema.device_tokens
        self.connection.execute(table.update().where(table.c.token_id == token_id).values(revoked_us=at_us))
