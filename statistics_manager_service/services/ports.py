"""What the services ask of a store, and the small objects that pass between them.

The two implementations are SQLite and PostgreSQL, behind one SQL layer in `storage`. What is a row there is a named
tuple here: thousands of them are made for one answer, and a frozen dataclass takes several times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.carbon.carbon_rows import IntensityRows, IntensityWrites
from statistics_manager_service.services.events.event_rows import EventRows, EventWrites
from statistics_manager_service.services.forecasts.forecast_rows import ForecastRows, ForecastWrites
from statistics_manager_service.services.groups.group_rows import GroupRows, GroupWrites
from statistics_manager_service.services.insight.goal_rows import GoalRows, GoalWrites
from statistics_manager_service.services.prices.price_rows import PriceRows, PriceWrites
from statistics_manager_service.services.telemetry.pull_rows import PullRows, PullWrites

DEFAULT_GAP_LIMIT_S = 3_600


@dataclass(frozen=True, slots=True)
class Billing:
    """When bills begin: on a day of each month, or on listed dates, which win where there are any."""

    day: int = 1
    dates: tuple[date, ...] = ()


class Household(NamedTuple):
    """A household and its settings. `household_no` is the store's own key of it."""

    household_no: int
    id: str
    timezone: str = "UTC"
    country: str | None = None
    zone: str | None = None
    api_key: str | None = None
    meter_id: str | None = None
    register_unit: str = "Wh"
    billing_day: int = 1
    contracted_power_kva: float | None = None
    currency: str | None = None
    more: Mapping[str, Any] = {}  # never written to

    @property
    def billing(self) -> Billing:
        """When its bills begin."""
        dates = self.more.get("billing_dates") or ()
        return Billing(self.billing_day, tuple(sorted(date.fromisoformat(text) for text in dates)))


class Channel(NamedTuple):
    """One quantity of one meter in one kind, as declared, and the running figures of what is stored of it.

    modulus_milli, resolution_milli: in milli-units of the quantity; max_power_w in W; None where not declared.
    first_us, last_us: instants of the first and the last reading (of an interval: its start); None without readings.
    first_day, last_day: UTC days (since 1970-01-01) of the first and last profile; None without profiles.
    energy_milliwh, measured_s, estimated_s, sample_count, sample_sum_milli: running totals at the end of last_day.
    """

    household_no: int
    channel_no: int
    meter: str
    quantity: str
    kind: Kind
    unit: str
    declared: bool = False
    modulus_milli: int | None = None
    max_power_w: float | None = None
    resolution_milli: int | None = None
    gap_limit_s: int = DEFAULT_GAP_LIMIT_S
    first_us: int | None = None
    last_us: int | None = None
    last_value_milli: int | None = None
    reading_count: int = 0
    first_day: int | None = None
    last_day: int | None = None
    energy_milliwh: int = 0
    measured_s: int = 0
    estimated_s: int = 0
    sample_count: int = 0
    sample_sum_milli: int = 0


class MeterEvent(NamedTuple):
    """A meter was swapped: the old one ended at `old_end_milli`, the new one began at `new_start_milli`."""

    household_no: int
    event_no: int
    meter: str
    quantity: str
    at_us: int
    old_end_milli: int
    new_start_milli: int
    kind: str = "swap"


class DeviceToken(NamedTuple):
    """A token that a device holds. Only the hash of its secret is stored."""

    token_id: str
    household_no: int
    household: str
    secret_hash: str
    may_write: bool
    label: str
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None


class Block(NamedTuple):
    """A stored block of readings of a channel: `block` counts blocks since 1970; `carry` is the state at its start."""

    block: int
    carry: int | None
    reading_count: int
    body: bytes


class ProfileRow(NamedTuple):
    """A stored day profile: running totals at the start of the UTC day, and the packed quarters."""

    day: int
    energy_milliwh: int
    measured_s: int
    estimated_s: int
    sample_count: int
    sample_sum_milli: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ProfileColumns:
    """Stored day profiles of many channels, as columns over r rows.

    owner: (r,) int64, place of the channel in the keys. place: (r,) int64, place of the day in the days asked for.
    totals: (r, 5) int64, running totals at the day's start. bodies: r packed days.
    """

    owner: Int64
    place: Int64
    totals: Int64
    bodies: Sequence[bytes]


class Revision(NamedTuple):
    """A value that a correction has replaced."""

    at_us: int
    value_milli: int
    length_us: int
    replaced_us: int


#: A household's number and how many times it, its channels, events or readings have changed: as long as the state is
#: the same, so is everything of the household, and an answer that was worked out then is good now.
State = tuple[int, int]


class Directory(Protocol):
    """Reading of households, channels, events and tokens."""

    def household(self, household: str) -> Household | None:
        """By its id."""
        ...

    def states_of(self, households: Sequence[str]) -> dict[str, State]:
        """The states of those of some ids that there are."""
        ...

    def households_by_id(self, households: Sequence[str]) -> dict[str, Household]:
        """Those of some ids that there are."""
        ...

    def household_by_api_key(self, api_key: str) -> Household | None:
        """By its dongle's key."""
        ...

    def household_by_meter_id(self, meter_id: str) -> Household | None:
        """By its smart meter's id."""
        ...

    def households(self, after: str | None, limit: int) -> list[Household]:
        """Ordered by id, those whose id is greater than `after`."""
        ...

    def channels(self, household_no: int) -> list[Channel]:
        """Ordered by channel_no."""
        ...

    def channels_of(self, household_nos: Sequence[int]) -> dict[int, list[Channel]]:
        """The channels of many households."""
        ...

    def meter_events(self, household_no: int) -> list[MeterEvent]:
        """Ordered by event_no."""
        ...

    def meter_events_of(self, household_nos: Sequence[int]) -> dict[int, list[MeterEvent]]:
        """The meter events of many households, ordered by event_no; those without any are left out."""
        ...

    def device_token(self, token_id: str) -> DeviceToken | None:
        """By its id."""
        ...

    def device_tokens(self, household_no: int) -> list[DeviceToken]:
        """Oldest first."""
        ...


class DirectoryWrites(Directory, Protocol):
    """Changes of households, channels, events and tokens, inside a write transaction."""

    def put_household(self, household: Household) -> Household:
        """Insert (household_no 0) or update, which is a change; raises Conflict where api_key or meter_id belongs to
        another."""
        ...

    def delete_household(self, household_no: int) -> None:
        """Erase it and everything of it: readings, revisions, profiles, channels, meter events, tokens, events."""
        ...

    def begin_changes(self, household_nos: Sequence[int]) -> None:
        """Count a change of these households, and let no other writer change channels, events, readings or profiles of
        them until the commit. Whoever changes those begins with it."""
        ...

    def add_channel(self, channel: Channel) -> Channel:
        """Insert with the household's next channel_no; the channel as stored."""
        ...

    def update_channels(self, channels: Sequence[Channel]) -> None:
        """Write channels as they are now."""
        ...

    def add_meter_event(self, event: MeterEvent) -> MeterEvent:
        """Insert with a number that no event of the household has had; the event as stored."""
        ...

    def delete_meter_event(self, household_no: int, event_no: int) -> None:
        """Delete an event."""
        ...

    def add_device_token(self, token: DeviceToken) -> None:
        """Insert a token."""
        ...

    def revoke_device_token(self, token_id: str, at_us: int) -> None:
        """Mark a token as revoked."""
        ...


#: A channel (household_no, channel_no) and what is wanted of it, first … last, both included: blocks, or UTC days.
Span = tuple[int, int, int, int]


class Series(Protocol):
    """Reading of blocks of readings and of day profiles."""

    def blocks_of(self, spans: Sequence[Span]) -> list[list[Block]]:
        """The blocks of many channels at once, ordered; a list for each span."""
        ...

    def profiles_of(self, spans: Sequence[Span]) -> list[list[ProfileRow]]:
        """The day profiles of many channels at once, ordered; a list for each span."""
        ...

    def blocks(self, household_no: int, channel_no: int, first: int, last: int) -> list[Block]:
        """The blocks first..last, both included, ordered."""
        ...

    def blocks_before(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks before `block`, ordered."""
        ...

    def blocks_after(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks after `block`, ordered."""
        ...

    def profiles(self, household_no: int, channel_no: int, first_day: int, last_day: int) -> list[ProfileRow]:
        """The rows of the days first..last, both included, ordered."""
        ...

    def profile_columns(self, keys: Sequence[tuple[int, int]], days: Int64) -> ProfileColumns:
        """The rows of the given days (increasing) of many channels (household_no, channel_no), as columns."""
        ...

    def revisions(self, household_no: int, channel_no: int, start_us: int, end_us: int) -> list[Revision]:
        """What corrections have replaced, of instants start ≤ instant < end, ordered."""
        ...


class SeriesWrites(Series, Protocol):
    """Changes of blocks and profiles, inside a write transaction."""

    def put_blocks(self, rows: Sequence[tuple[int, int, int, int | None, int, bytes]]) -> None:
        """Insert or replace rows of (household_no, channel_no, block, carry, count, body)."""
        ...

    def put_profiles(self, rows: Sequence[tuple[int, int, int, int, int, int, int, int, bytes]]) -> None:
        """Insert or replace rows of (household_no, channel_no, day, five running totals, body)."""
        ...

    def shift_profiles(self, household_no: int, channel_no: int, after_day: int, totals: tuple[int, ...]) -> None:
        """Add constants to the five running totals of all days after `after_day`."""
        ...

    def delete_profiles(self, household_no: int, channel_no: int) -> None:
        """Delete all day profiles of a channel."""
        ...

    def add_revisions(self, rows: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        """Insert rows of (household_no, channel_no, at_us, replaced_us, value_milli, length_us)."""
        ...


class ReadView(
    Directory,
    Series,
    EventRows,
    ForecastRows,
    PullRows,
    IntensityRows,
    PriceRows,
    GroupRows,
    GoalRows,
    Protocol,
):
    """One consistent look at the store."""


class WriteView(
    DirectoryWrites,
    SeriesWrites,
    EventWrites,
    ForecastWrites,
    PullWrites,
    IntensityWrites,
    PriceWrites,
    GroupWrites,
    GoalWrites,
    Protocol,
):
    """One write transaction."""


class Store(Protocol):
    """The store: reading and writing transactions."""

    def reading(self) -> AbstractContextManager[ReadView]:
        """One consistent look at the newest commit. Raises Unavailable where the store is down."""
        ...

    def state_of(self, household: str) -> State | None:
        """The state of a household at the newest commit, None where there is none, with no transaction around it.
        Raises Unavailable where the store is down."""
        ...

    def writing(self) -> AbstractContextManager[WriteView]:
        """Commits at the end of the block, rolls back on an exception. Raises Unavailable where the store is down."""
        ...

    def check(self) -> None:
        """Raises Unavailable where the store does not answer."""
        ...
