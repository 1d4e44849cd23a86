"""Groups as the store keeps them: who is a member when, who shares, sums of days, and what homes were told.

Days of members and of what is told are civil days of the group's zone, those of sums are UTC days; both count from
1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

#: Before any reading, and behind any: a span that begins or ends there has no bound.
FIRST_DAY: Final = 0
LAST_DAY: Final = 2_000_000


class GroupRow(NamedTuple):
    """A group. group_no: the store's own key, never used again. rule: by which it shares production, or None.

    changes: how many times it, its members or who shares have changed.
    """

    group_no: int
    id: str
    title: str
    kind: str
    timezone: str
    rule: str | None = None
    changes: int = 0


class MemberRow(NamedTuple):
    """A household in a group: from_day ≤ day < to_day. source: the energy that it puts into the community, or None.

    coefficients: {"from": date or null, "share": decimal text} in order, or None. changes: of the household, now;
    summed_changes: up to which of them the group's stored sums have it.
    """

    household_no: int
    household: str
    from_day: int
    to_day: int
    source: str | None = None
    coefficients: Sequence[Mapping[str, Any]] | None = None
    changes: int = 0
    summed_changes: int = 0


class ShareRow(NamedTuple):
    """A household shares its data with a group, of the days from_day ≤ day < to_day; None: it does now."""

    household_no: int
    group_no: int
    from_day: int
    to_day: int | None


class SumRow(NamedTuple):
    """One part of a group's sum of a UTC day, packed (core/group_sums.py)."""

    part: int
    day: int
    body: bytes


class ToldDay(NamedTuple):
    """What homes are told of a civil day, for good: how many homes it is of, and {part: figures}."""

    day: int
    homes: int
    told: Mapping[str, Any]


class ToldQuartiles(NamedTuple):
    """What homes are told of how a measure is spread over homes in a time, for good. traits: of which homes."""

    measure: str
    first_day: int
    end_day: int
    traits: str
    homes: int
    points: Mapping[str, Any]


#: A state of a group: its own changes, and those of its members added up.
GroupState = tuple[int, int]
#: A household, and the first and last UTC day of what has changed.
ChangedDays = tuple[int, int, int]


class GroupRows(Protocol):
    """Reading of groups."""

    def group(self, group: str) -> GroupRow | None:
        """By its id."""
        ...

    def groups(self, after: str | None, limit: int) -> list[GroupRow]:
        """Ordered by id, those whose id is greater than `after`."""
        ...

    def group_sizes(self, group_nos: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Of groups, how many members each has, and how many of them share."""
        ...

    def members(self, group_no: int) -> list[MemberRow]:
        """Of a group, ordered by household."""
        ...

    def memberships(self, household_no: int) -> list[tuple[GroupRow, MemberRow]]:
        """Of a household, ordered by the group's id."""
        ...

    def shares(self, household_no: int) -> list[ShareRow]:
        """With whom a household shares, or has shared."""
        ...

    def shares_with(self, group_no: int) -> list[ShareRow]:
        """Who shares with a group now."""
        ...

    def group_state(self, group_no: int) -> GroupState:
        """As long as it is the same, so are the group, its members and their readings."""
        ...

    def changed_days(self, group_no: int) -> list[ChangedDays]:
        """What has changed of members since the group's sums were stored."""
        ...

    def group_sums(self, group_no: int, parts: Sequence[int], first_day: int, last_day: int) -> list[SumRow]:
        """Stored sums, ordered by part, then day."""
        ...

    def told_days(self, group_no: int, first_day: int, last_day: int) -> list[ToldDay]:
        """What homes were told, ordered by day."""
        ...

    def told_quartiles(self, group_no: int, measure: str, first_day: int, end_day: int) -> list[ToldQuartiles]:
        """What homes were told of a measure in a time."""
        ...

    def told_until(self, group_no: int) -> int | None:
        """The day behind all that homes were told of, None where they were told nothing."""
        ...


class GroupWrites(GroupRows, Protocol):
    """Changes of groups, inside a write transaction. Whoever changes households' memberships calls `begin_changes` for
    them first, then `lock_group`."""

    def lock_group(self, group_no: int) -> None:
        """Count a change of the group, and let nobody else change it until the commit."""
        ...

    def hold_group(self, group_no: int) -> None:
        """Let nobody else change it, without a change."""
        ...

    def put_group(self, group: GroupRow) -> GroupRow:
        """Insert (group_no 0) or update; the group as stored. Raises Conflict where another has just made it."""
        ...

    def delete_group(self, group_no: int) -> None:
        """Delete it and all of it, but for the shares that have ended."""
        ...

    def put_members(self, group_no: int, members: Sequence[MemberRow]) -> None:
        """All members, in place of those before. Those of them whose changes are summed are those told."""
        ...

    def put_share(self, share: ShareRow) -> None:
        """Insert or replace."""
        ...

    def delete_share(self, share: ShareRow) -> None:
        """Delete."""
        ...

    def forget_sums(self, group_no: int, spans: Sequence[tuple[int, int]]) -> None:
        """Delete the stored sums of UTC days first … last."""
        ...

    def put_sums(self, group_no: int, rows: Sequence[SumRow], summed: Mapping[int, int]) -> None:
        """Store sums, and up to which change of each household they are made."""
        ...

    def put_told_days(self, group_no: int, days: Sequence[ToldDay]) -> None:
        """Keep what homes are told; what they were told already stays."""
        ...

    def put_told_quartiles(self, group_no: int, told: ToldQuartiles) -> None:
        """The same."""
        ...
