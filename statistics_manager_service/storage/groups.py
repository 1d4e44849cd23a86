"""Groups of homes: members, shares, sums of days, and what homes were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from statistics_manager_service.errors import Conflict
from statistics_manager_service.services.groups.group_rows import (
    ChangedDays,
    GroupRow,
    GroupState,
    MemberRow,
    ShareRow,
    SumRow,
    ToldDay,
    ToldQuartiles,
)
from statistics_manager_service.storage import schema

_GROUP_NAMES: Final = GroupRow._fields
_MEMBER_COLUMNS: Final = (
    schema.group_members.c.household_no,
    schema.households.c.id,
    schema.group_members.c.from_day,
    schema.group_members.c.to_day,
    schema.group_members.c.source,
    schema.group_members.c.coefficients,
    schema.households.c.changes,
    schema.group_members.c.summed_changes,
)
_KEPT: Final = ("household_no", "from_day", "to_day", "source", "coefficients", "summed_changes")
_STATE_SQL: Final = (
    "SELECT (SELECT changes FROM home_groups WHERE group_no = ?), "
    "(SELECT coalesce(sum(h.changes), 0) FROM group_members m JOIN households h ON h.household_no = m.household_no "
    "WHERE m.group_no = ?)"
)
_CHANGED_SQL: Final = (
    "SELECT c.household_no, c.first_day, c.last_day FROM group_members m "
    "JOIN group_changes c ON c.household_no = m.household_no AND c.change > m.summed_changes WHERE m.group_no = ?"
)
#: What no group needs any more.
_FORGET_SQL: Final = (
    "DELETE FROM group_changes WHERE household_no IN (SELECT household_no FROM group_members WHERE group_no = ?) "
    "AND change <= (SELECT min(m.summed_changes) FROM group_members m "
    "WHERE m.household_no = group_changes.household_no)"
)
_COUNT_SQL: Final = (
    "UPDATE households SET in_groups = (SELECT count(*) FROM group_members m "
    "WHERE m.household_no = households.household_no) WHERE household_no = ?"
)
_SUMMED_SQL: Final = "UPDATE group_members SET summed_changes = ? WHERE group_no = ? AND household_no = ?"
_LONGEST_ID: Final = 64


class GroupQueries:
    """Reading and writing of groups, over one connection."""

    connection: sa.Connection
    driver: Any
    dialect: str

    # --- reading ------------------------------------------------------------------------------------------------------

    def _group_rows(self, statement: sa.Select[Any]) -> list[GroupRow]:
        return [GroupRow._make(row) for row in self.connection.execute(statement)]

    def group(self, group: str) -> GroupRow | None:
        """By its id."""
        if "\0" in group or len(group) > _LONGEST_ID:
            return None
        found = self._group_rows(_groups().where(schema.home_groups.c.id == group))
        return found[0] if found else None

    def groups(self, after: str | None, limit: int) -> list[GroupRow]:
        """Ordered by id, those whose id is greater than `after`."""
        id = schema.home_groups.c.id
        by_id = id if self.dialect == "sqlite" else sa.collate(id, "C")
        return self._group_rows(_groups().where(by_id > (after or "")).order_by(by_id).limit(limit))

    def group_sizes(self, group_nos: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Of groups, how many members each has, and how many of them share."""
        found = []
        for table, condition in (
            (schema.group_members, sa.true()),
            (schema.group_shares, schema.group_shares.c.to_day.is_(None)),
        ):
            some = table.c.group_no.in_(group_nos) & condition
            statement = sa.select(table.c.group_no, sa.func.count()).where(some).group_by(table.c.group_no)
            found.append({row[0]: row[1] for row in self.connection.execute(statement)})
        return {number: (found[0].get(number, 0), found[1].get(number, 0)) for number in group_nos}

    def members(self, group_no: int) -> list[MemberRow]:
        """Of a group, ordered by household."""
        table = schema.group_members
        statement = _members().where(table.c.group_no == group_no).order_by(table.c.household_no)
        return [MemberRow._make(row) for row in self.connection.execute(statement)]

    def memberships(self, household_no: int) -> list[tuple[GroupRow, MemberRow]]:
        """Of a household, ordered by the group's id."""
        table, groups = schema.group_members, schema.home_groups
        statement = _members().add_columns(*(groups.c[name] for name in _GROUP_NAMES))
        statement = statement.join(groups, groups.c.group_no == table.c.group_no)
        statement = statement.where(table.c.household_no == household_no)
        width = len(_MEMBER_COLUMNS)
        rows = [
            (GroupRow._make(row[width:]), MemberRow._make(row[:width])) for row in self.connection.execute(statement)
        ]
        return sorted(rows, key=lambda pair: pair[0].id)

    def _shares(self, condition: sa.ColumnElement[bool]) -> list[ShareRow]:
        c = schema.group_shares.c
        statement = sa.select(*(c[name] for name in ShareRow._fields)).where(condition)
        statement = statement.order_by(c.household_no, c.from_day)
        return [ShareRow._make(row) for row in self.connection.execute(statement)]

    def shares(self, household_no: int) -> list[ShareRow]:
        """With whom a household shares, or has shared."""
        return self._shares(schema.group_shares.c.household_no == household_no)

    def shares_with(self, group_no: int) -> list[ShareRow]:
        """Who shares with a group now."""
        c = schema.group_shares.c
        return self._shares((c.group_no == group_no) & c.to_day.is_(None))

    def group_state(self, group_no: int) -> GroupState:
        """As long as it is the same, so are the group, its members and their readings."""
        own, members = self._run_group(_STATE_SQL, (group_no, group_no)).fetchone()
        return int(own or 0), int(members)

    def changed_days(self, group_no: int) -> list[ChangedDays]:
        """What has changed of members since the group's sums were stored."""
        found: list[ChangedDays] = self._run_group(_CHANGED_SQL, (group_no,)).fetchall()
        return found

    def group_sums(self, group_no: int, parts: Sequence[int], first_day: int, last_day: int) -> list[SumRow]:
        """Stored sums, ordered by part, then day."""
        sql = (
            "SELECT part, day, body FROM group_sums WHERE group_no = ? AND part = ? AND day BETWEEN ? AND ? "
            "ORDER BY day"
        )
        return [
            SumRow._make(row)
            for part in sorted(set(parts))
            for row in self._run_group(sql, (group_no, part, first_day, last_day))
        ]

    def told_days(self, group_no: int, first_day: int, last_day: int) -> list[ToldDay]:
        """What homes were told, ordered by day."""
        c = schema.group_days.c
        wanted = (c.group_no == group_no) & c.day.between(first_day, last_day)
        statement = sa.select(c.day, c.homes, c.told).where(wanted).order_by(c.day)
        return [ToldDay._make(row) for row in self.connection.execute(statement)]

    def told_quartiles(self, group_no: int, measure: str, first_day: int, end_day: int) -> list[ToldQuartiles]:
        """What homes were told of a measure in a time."""
        c = schema.group_quartiles.c
        wanted = (c.group_no == group_no) & (c.measure == measure) & (c.first_day == first_day) & (c.end_day == end_day)
        statement = sa.select(*(c[name] for name in ToldQuartiles._fields)).where(wanted).order_by(c.traits)
        return [ToldQuartiles._make(row) for row in self.connection.execute(statement)]

    def told_until(self, group_no: int) -> int | None:
        """The day behind all that homes were told of, None where they were told nothing."""
        days, quartiles = schema.group_days.c, schema.group_quartiles.c
        newest = [
            self.connection.execute(sa.select(sa.func.max(days.day) + 1).where(days.group_no == group_no)).scalar(),
            self.connection.execute(
                sa.select(sa.func.max(quartiles.end_day)).where(quartiles.group_no == group_no)
            ).scalar(),
        ]
        return max((one for one in newest if one is not None), default=None)

    def _run_group(self, sql: str, parameters: Sequence[Any]) -> Any:
        return self.driver.execute(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), parameters)

    # --- writing ------------------------------------------------------------------------------------------------------

    def lock_group(self, group_no: int) -> None:
        """Count a change of the group, and let nobody else change it until the commit."""
        self._run_group("UPDATE home_groups SET changes = changes + 1 WHERE group_no = ?", (group_no,))

    def hold_group(self, group_no: int) -> None:
        """Let nobody else change it, without a change: SQLite has one writer at a time anyway."""
        if self.dialect == "postgresql":
            self._run_group("SELECT 1 FROM home_groups WHERE group_no = ? FOR UPDATE", (group_no,))

    def put_group(self, group: GroupRow) -> GroupRow:
        """Insert (group_no 0) or update; the group as stored. Raises Conflict where another has just made it."""
        table, values = schema.home_groups, group._asdict()
        group_no = values.pop("group_no")
        if group_no:
            del values["changes"]
            self.connection.execute(table.update().where(table.c.group_no == group_no).values(values))
            return group
        try:
            made = self.connection.execute(table.insert().values(values).returning(table.c.group_no)).scalar_one()
        except sa.exc.IntegrityError as error:
            raise Conflict("another request has just made this group") from error
        return group._replace(group_no=made)

    def delete_group(self, group_no: int) -> None:
        """Delete it and all of it, but for the shares that have ended."""
        owners = [one.household_no for one in self.members(group_no)]
        for name in ("group_members", "group_sums", "group_days", "group_quartiles", "home_groups"):
            table = schema.metadata.tables[name]
            self.connection.execute(table.delete().where(table.c.group_no == group_no))
        self._count_groups(owners)

    def put_members(self, group_no: int, members: Sequence[MemberRow]) -> None:
        """All members, in place of those before. Those of them whose changes are summed are those told."""
        table = schema.group_members
        owners = {one.household_no for one in self.members(group_no)}
        self.connection.execute(table.delete().where(table.c.group_no == group_no))
        if members:
            rows = [{"group_no": group_no, **{name: getattr(one, name) for name in _KEPT}} for one in members]
            self.connection.execute(table.insert(), rows)
        self._count_groups(sorted(owners | {one.household_no for one in members}))

    def _count_groups(self, household_nos: Sequence[int]) -> None:
        if household_nos:
            self._run_many(_COUNT_SQL, [(one,) for one in household_nos])

    def put_share(self, share: ShareRow) -> None:
        """Insert or replace."""
        statement = self._insert_into(schema.group_shares).values(share._asdict())
        key = list(schema.group_shares.primary_key.columns)
        put = statement.on_conflict_do_update(index_elements=key, set_={"to_day": share.to_day})
        self.connection.execute(put)

    def delete_share(self, share: ShareRow) -> None:
        """Delete."""
        table = schema.group_shares
        here = (table.c.household_no == share.household_no) & (table.c.group_no == share.group_no)
        self.connection.execute(table.delete().where(here & (table.c.from_day == share.from_day)))

    def forget_sums(self, group_no: int, spans: Sequence[tuple[int, int]]) -> None:
        """Delete the stored sums of UTC days first … last."""
        sql = "DELETE FROM group_sums WHERE group_no = ? AND day BETWEEN ? AND ?"
        self._run_many(sql, [(group_no, *span) for span in spans])

    def put_sums(self, group_no: int, rows: Sequence[SumRow], summed: Mapping[int, int]) -> None:
        """Store sums, and up to which change of each household they are made."""
        sql = (
            "INSERT INTO group_sums (group_no, part, day, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (group_no, part, day) DO UPDATE SET body = excluded.body"
        )
        self._run_many(sql, [(group_no, *row) for row in rows])
        self._run_many(_SUMMED_SQL, [(changes, group_no, household_no) for household_no, changes in summed.items()])
        self._run_group(_FORGET_SQL, (group_no,))

    def _run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self.driver.cursor().executemany(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), rows)

    def put_told_days(self, group_no: int, days: Sequence[ToldDay]) -> None:
        """Keep what homes are told; what they were told already stays."""
        if days:
            rows = [{"group_no": group_no, **one._asdict(), "told": dict(one.told)} for one in days]
            self.connection.execute(self._insert_into(schema.group_days).on_conflict_do_nothing(), rows)

    def put_told_quartiles(self, group_no: int, told: ToldQuartiles) -> None:
        """The same."""
        row = {"group_no": group_no, **told._asdict(), "points": dict(told.points)}
        self.connection.execute(self._insert_into(schema.group_quartiles).on_conflict_do_nothing(), row)

    def _insert_into(self, table: sa.Table) -> Any:
        chosen: Any = sqlite if self.dialect == "sqlite" else postgresql
        return chosen.insert(table)


def _groups() -> sa.Select[Any]:
    return sa.select(*(schema.home_groups.c[name] for name in _GROUP_NAMES))


def _members() -> sa.Select[Any]:
    table, households = schema.group_members, schema.households
    joined = table.join(households, households.c.household_no == table.c.household_no)
    return sa.select(*_MEMBER_COLUMNS).select_from(joined)
