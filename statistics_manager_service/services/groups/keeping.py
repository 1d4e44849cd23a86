"""Stored sums of a group: which of them are good, working out the others, storing what was worked out.

A day's sums are good where they are stored and nothing of a member has changed on that day since: each write notes the
days that it changes of a home in a group, with the number of the home's change, in its own transaction; and the group
knows up to which change it has each member. So a question sees every acknowledged write, whoever wrote it. What is
worked out for an answer is stored behind it, unless another process has stored in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.group_sums import COLUMNS, HAVING, PART, PARTS, pack_sums, unpack_sums
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.services.groups.group_documents import civil_day
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, LAST_DAY, GroupRow, MemberRow, SumRow
from statistics_manager_service.services.groups.summing import FlowOf, Member, day_sums, flows_of
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import ReadView, Store

_FAR_US: Final = 2**62
#: So many days are not stored: a day that changes all the time is worked out for each question instead.
_FEW_DAYS: Final = 1
_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """What was worked out for an answer, and what it was made from.

    days: {UTC day: its columns, (parts, 5, 96)}. changed: spans of UTC days whose stored sums are old.
    """

    group: GroupRow
    members: Sequence[MemberRow]
    changed: Sequence[tuple[int, int]]
    days: dict[int, Int64] = field(default_factory=dict)


def member_of(home: Home, row: MemberRow, zone: str) -> Member:
    """A home while it is a member, on the quarter-hour grid."""
    return Member(home, midnight_quarter_us(zone, row.from_day), midnight_quarter_us(zone, row.to_day))


def midnight_quarter_us(zone: str, day: int) -> int:
    """When a civil day begins, on the nearest quarter-hour of UTC (of some zones of old it is between two)."""
    if day <= FIRST_DAY:
        return -_FAR_US
    if day >= LAST_DAY:
        return _FAR_US
    return round(instant_us(zone, civil_day(day)) / QUARTER_US) * QUARTER_US


class Sums:
    """The sums of a group over a range of UTC days, as one look at the store has them."""

    def __init__(self, view: ReadView, group: GroupRow, rows: Sequence[MemberRow], homes: Sequence[Home]) -> None:
        self._view = view
        changed = view.changed_days(group.group_no)
        self.made = Made(group, rows, sorted({(first, last) for _, first, last in changed}))
        self._members = [member_of(home, row, group.timezone) for home, row in zip(homes, rows, strict=True)]

    def columns(self, parts: Sequence[str], first_day: int, last_day: int) -> dict[str, Int64]:
        """The columns of some parts, (5, d × 96), of the UTC days first … last."""
        days = last_day - first_day + 1
        numbers = {PART[part] for part in parts}
        stored = self._stored(numbers, first_day, last_day)
        good = np.zeros(days, np.bool_)
        good[stored[0][0] - first_day] = True
        for first, last in self.made.changed:
            good[max(first - first_day, 0) : max(last - first_day + 1, 0)] = False
        out = {number: np.zeros((COLUMNS, days, QUARTERS_PER_DAY), np.int64) for number in numbers}
        for number, (known, columns) in stored.items():
            if number in out:
                out[number][:, known - first_day] = columns
        lacking = np.flatnonzero(~good)
        with_data = self._days_with_data(first_day, last_day)
        wanted = lacking[(lacking + first_day >= with_data[0]) & (lacking + first_day <= with_data[1])]
        self._fill_empty(out, np.setdiff1d(lacking, wanted), first_day)
        if len(wanted):
            for some, sums in day_sums(self._view, self._members, (wanted + first_day).tolist()):
                self.made.days.update((int(day), sums[:, :, i]) for i, day in enumerate(some))
                for number in numbers:
                    out[number][:, some - first_day] = sums[number]
        return {PARTS[number]: columns.reshape(COLUMNS, -1) for number, columns in out.items()}

    def _stored(self, numbers: set[int], first_day: int, last_day: int) -> dict[int, tuple[Int64, Int64]]:
        """Of each part the days that are stored and their columns. A day's first part is stored always."""
        rows: dict[int, list[SumRow]] = {number: [] for number in numbers | {0}}
        for row in self._view.group_sums(self.made.group.group_no, sorted(rows), first_day, last_day):
            rows[row.part].append(row)
        return {
            number: (np.array([row.day for row in some], np.int64), unpack_sums([row.body for row in some]))
            for number, some in rows.items()
        }

    def _days_with_data(self, first_day: int, last_day: int) -> tuple[int, int]:
        """The first and the last UTC day of which members have data, within a range."""
        channels = [c for one in self._members for c in one.home.channels]
        firsts = [c.first_day for c in channels if c.first_day is not None]
        lasts = [c.last_day for c in channels if c.last_day is not None]
        if not firsts:
            return last_day + 1, first_day - 1
        return max(min(firsts), first_day), min(max(lasts), last_day)

    def _fill_empty(self, out: dict[int, Int64], empty: Int64, first_day: int) -> None:
        """Days of which no member has data: how many of them have such a flow at all."""
        if not len(empty):
            return
        having = having_of(self._members, flows_of([one.home.channels for one in self._members]), (empty + first_day))
        for number, columns in out.items():
            columns[:, empty] = 0
            columns[HAVING, empty] = having[number]


def having_of(members: Sequence[Member], flows: Sequence[FlowOf], days: Int64) -> Int64:
    """How many members have what a part is made of, (parts, d, 96), in the quarter-hours of days."""
    starts_us = days[:, None] * US_PER_DAY + np.arange(QUARTERS_PER_DAY) * QUARTER_US
    out = np.zeros((len(PARTS), *starts_us.shape), np.int64)
    has: dict[int, set[int]] = {}
    for one in flows:
        has.setdefault(one.member, set()).add(one.flow)
    for i, mine in has.items():
        inside = (starts_us >= members[i].from_us) & (starts_us < members[i].to_us)
        out[_parts_of(mine)] += inside
    return out


def _parts_of(flows: set[int]) -> list[int]:
    """The parts that a home with some flows is counted in, as `day_sums` counts it."""
    house = len(PARTS[:5])
    names = [PARTS[flow] if flow < house else "consumption" for flow in flows]
    if PART["import"] in flows:
        names += ["consumption", "sufficiency_consumption", "sufficiency_import"]
    if PART["production"] in flows:
        names += ["self_consumption", "self_consumption_production"]
    return [PART[name] for name in names]


def keep(store: Store, made: Made) -> None:
    """Store what was worked out, if it is worth it and nobody has changed or stored the group's sums in between."""
    if len(made.days) <= _FEW_DAYS:
        return
    try:
        with store.writing() as view:
            group_no = made.group.group_no
            view.hold_group(group_no)
            now = view.group(made.group.id)
            if now is None or (now.group_no, now.changes) != (group_no, made.group.changes):
                return
            summed = {one.household_no: one.summed_changes for one in made.members}
            if {one.household_no: one.summed_changes for one in view.members(group_no)} != summed:
                return
            view.forget_sums(group_no, made.changed)
            new = {one.household_no: one.changes for one in made.members if one.changes != one.summed_changes}
            view.put_sums(group_no, _rows(made.days), new)
    except Unavailable as error:  # the answer is right without it
        _LOG.info("group_sums_not_stored", group=made.group.id, reason=error.sentence)


def _rows(days: dict[int, Int64]) -> list[SumRow]:
    """The rows of days, by part; of parts that nobody has there are none, but for the first."""
    ordered = sorted(days)
    columns = np.array([days[day] for day in ordered])
    rows = []
    for number in range(len(PARTS)):
        some = np.flatnonzero(columns[:, number].any(axis=(1, 2))) if number else np.arange(len(ordered))
        bodies = pack_sums(np.moveaxis(columns[some, number], 0, 1))
        rows += [SumRow(number, ordered[i], body) for i, body in zip(some.tolist(), bodies, strict=True)]
    return rows
