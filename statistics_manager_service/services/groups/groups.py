"""The register of groups: who is a member when, and who shares its data with the others.

A home shares with one group at a time, and of no day with two. So the homes whose sums are told to homes differ from
group to group, and no two sums can be told from each other by one home
(docs/decisions/2026-11-25-what-a-home-may-learn-of-others.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.errors import BadInput, Conflict, Fault, NotFound, UnknownHousehold
from statistics_manager_service.services.groups.group_documents import PlannedMember, read_group
from statistics_manager_service.services.groups.group_rows import (
    FIRST_DAY,
    LAST_DAY,
    GroupRow,
    MemberRow,
    ShareRow,
)
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.households import validated
from statistics_manager_service.services.ports import ReadView, Store, WriteView


class Sharing(BaseModel):
    """Whether a household shares its data with a group."""

    model_config = ConfigDict(extra="forbid", strict=True)

    shares: bool = Field(description="It counts in what the group's homes are told, and is told it too.")


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group and its members."""

    group: GroupRow
    members: Sequence[MemberRow]


@dataclass(frozen=True, slots=True)
class Membership:
    """A household's membership of a group; since_day: of which days on it shares, None where it does not."""

    group: GroupRow
    member: MemberRow
    since_day: int | None


def known_group(view: ReadView, group: str) -> GroupRow:
    """A group. Raises NotFound."""
    found = view.group(group)
    if found is None:
        raise NotFound(f"there is no group {group[:80]!r}")
    return found


class Groups:
    """The register."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, group: str) -> KnownGroup:
        """A group. Raises NotFound."""
        with self._store.reading() as view:
            return _known(view, known_group(view, group))

    def page(self, after: str | None, limit: int) -> list[tuple[GroupRow, int, int]]:
        """Groups in the order of their ids, after one of them; how many members each has, and how many share."""
        with self._store.reading() as view:
            found = view.groups(after, limit)
            sizes = view.group_sizes([one.group_no for one in found])
            return [(one, *sizes[one.group_no]) for one in found]

    def put(self, group: str, body: Any) -> tuple[KnownGroup, bool]:
        """Make a group or replace what was told of it; it, and whether it was made.

        Raises BadInput with all faults, NotFound for households that are not there, Conflict where the zone would
        change, or a household is in another community that shares production at that time.
        """
        told, planned = read_group(group, body)
        with self._store.writing() as view:
            before = view.group(group)
            members = [] if before is None else view.members(before.group_no)
            numbers = _numbers(view, planned)
            view.begin_changes(sorted({*numbers.values(), *(one.household_no for one in members)}))
            if before is not None:
                members = _locked(view, before, members)
                if before.timezone != told.timezone:
                    raise Conflict(f"the group's days are those of {before.timezone}; make another group for others")
            if told.sharing is not None:
                _refuse_two_communities(view, group, planned, numbers)
            rule = None if told.sharing is None else told.sharing.rule
            number = 0 if before is None else before.group_no
            row = view.put_group(GroupRow(number, group, told.title, told.kind, told.timezone, rule))
            _put_members(view, row, members, planned, numbers)
            return _known(view, known_group(view, group)), before is None

    def delete(self, group: str) -> None:
        """Delete a group; its households stay. Raises NotFound."""
        with self._store.writing() as view:
            row = known_group(view, group)
            members = view.members(row.group_no)
            view.begin_changes([one.household_no for one in members])
            _locked(view, row, members)
            for share in view.shares_with(row.group_no):
                _end_share(view, share)
            view.delete_group(row.group_no)

    def memberships(self, household: str) -> list[Membership]:
        """The groups that a household is in. Raises NotFound."""
        with self._store.reading() as view:
            return memberships_of(view, known_household(view, household).household_no)

    def share(self, household: str, group: str, body: Any) -> Membership:
        """Have a household share its data with a group, or not any longer.

        Raises BadInput, NotFound where it is in no such group, Conflict where it shares with another one.
        """
        told = validated(Sharing, body)
        with self._store.writing() as view:
            household_no = known_household(view, household).household_no
            view.begin_changes([household_no])
            found = _membership(view, household_no, household, group)
            view.lock_group(found.group.group_no)
            found = _membership(view, household_no, household, group)  # as it is now that nobody else changes it
            shares = view.shares(household_no)
            mine = [one for one in shares if one.to_day is None]
            if not told.shares:
                for one in mine:
                    if one.group_no == found.group.group_no:
                        _end_share(view, one)
            elif not mine:
                begin = max((1 + one.to_day for one in shares if one.to_day is not None), default=FIRST_DAY)
                view.put_share(ShareRow(household_no, found.group.group_no, begin, None))
            elif mine[0].group_no != found.group.group_no:
                raise Conflict("the household shares with another group; it can share with one at a time")
            return _membership(view, household_no, household, group)


def memberships_of(view: ReadView, household_no: int) -> list[Membership]:
    """The groups that a household is in."""
    since = {one.group_no: one.from_day for one in view.shares(household_no) if one.to_day is None}
    return [Membership(group, one, since.get(group.group_no)) for group, one in view.memberships(household_no)]


def _membership(view: ReadView, household_no: int, household: str, group: str) -> Membership:
    for one in memberships_of(view, household_no):
        if one.group.id == group:
            return one
    raise NotFound(f"household {household} is in no group {group[:80]!r}")


def _known(view: ReadView, group: GroupRow) -> KnownGroup:
    return KnownGroup(group, view.members(group.group_no))


def _numbers(view: ReadView, planned: Sequence[PlannedMember]) -> dict[str, int]:
    """The households' numbers. Raises UnknownHousehold."""
    ids = [one.household for one in planned]
    found = {id: one.household_no for id, one in view.households_by_id(ids).items()}
    unknown = [id for id in ids if id not in found]
    if unknown:
        raise UnknownHousehold(unknown, "; register it first with PUT /households/{id}")
    return found


def _locked(view: WriteView, group: GroupRow, members: Sequence[MemberRow]) -> list[MemberRow]:
    """Lock a group whose members' households are locked; its members as they are now. Raises Conflict where another
    request has added some in between."""
    view.lock_group(group.group_no)
    now = view.members(group.group_no)
    if view.group(group.id) is None or {one.household_no for one in now} - {one.household_no for one in members}:
        raise Conflict("another request has just changed this group; try again")
    return now


def _refuse_two_communities(
    view: ReadView, group: str, planned: Sequence[PlannedMember], numbers: dict[str, int]
) -> None:
    """What a home imports can be met by one community's production alone."""
    faults = []
    for i, one in enumerate(planned):
        for other, member in view.memberships(numbers[one.household]):
            overlaps = max(one.from_day, member.from_day) < min(one.to_day, member.to_day)
            if other.id != group and other.rule is not None and overlaps:
                why = f"it is in community {other.id} at that time, which shares production too"
                faults.append(Fault(f"members[{i}].household", why))
    if faults:
        raise BadInput.of(faults)


def _put_members(
    view: WriteView,
    group: GroupRow,
    before: Sequence[MemberRow],
    planned: Sequence[PlannedMember],
    numbers: dict[str, int],
) -> None:
    """Write the members; of the stored sums forget the days on which others are members now."""
    old = {one.household_no: one for one in before}
    states = view.states_of(list(numbers))
    members, changed = [], []
    for one in planned:
        number, changes = states[one.household]
        known = old.pop(number, None)
        summed = changes if known is None else known.summed_changes
        row = MemberRow(
            number, one.household, one.from_day, one.to_day, one.source, one.coefficients, summed_changes=summed
        )
        members.append(row)
        if known is None or (known.from_day, known.to_day) != (row.from_day, row.to_day):
            changed += [row] if known is None else [row, known]
    changed += old.values()
    for share in view.shares_with(group.group_no):
        if share.household_no in old:
            _end_share(view, share)
    view.put_members(group.group_no, members)
    # a civil day of any zone lies within a day of the UTC day of its number
    view.forget_sums(
        group.group_no, [(max(FIRST_DAY, one.from_day - 1), min(LAST_DAY, one.to_day + 1)) for one in changed]
    )


def _end_share(view: WriteView, share: ShareRow) -> None:
    """The household does not share any longer. Of the days that homes were told of it was part, and stays so: it must
    not count in another group on them."""
    until = view.told_until(share.group_no)
    if until is None or until <= share.from_day:
        view.delete_share(share)
    else:
        view.put_share(share._replace(to_day=until))
