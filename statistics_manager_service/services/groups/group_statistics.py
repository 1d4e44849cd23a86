"""Statistics of a group as the service may know them: its members' sums, exact and as they are now.

What a home may know of its group is another answer, see telling.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.balance import rate
from statistics_manager_service.core.civil import Calendar, GroupBy
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.group_sums import (
    ENERGY,
    ESTIMATED,
    HAVING,
    KNOWN,
    MEASURED,
    SUMMED,
    SummedMeasure,
)
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import (
    MILLIWH_PER_KWH,
    QUARTER_S,
    QUARTER_US,
    QUARTERS_PER_DAY,
    US_PER_DAY,
)
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import Asking, Question, Statistics, parsed
from statistics_manager_service.services.groups.group_rows import GroupRow, GroupState, MemberRow
from statistics_manager_service.services.groups.groups import known_group
from statistics_manager_service.services.groups.keeping import Made, Sums, keep, member_of
from statistics_manager_service.services.groups.summing import Member
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import Billing, ReadView, Store
from statistics_manager_service.services.remembering import Remembered

#: Of one answer. More of them would take some hundred megabytes on the way.
MOST_DAYS: Final = 31 * 366
Encode = Callable[[Statistics], bytes]


class GroupStatistics:
    """Answers questions about groups. most_kept_bytes: of answers that may be asked for again."""

    def __init__(self, store: Store, asking: Asking, most_kept_bytes: int = 0) -> None:
        self._store, self._asking = store, asking
        self._answers: Remembered[bytes] = Remembered(most_kept_bytes)

    def statistics(self, group: str, question: Question) -> Statistics:
        """The sum of a group's members over buckets, in the group's zone unless another is named; `household` of the
        answer is the group. Raises BadInput with all faults of the question, NotFound."""
        with self._store.reading() as view:
            answer, made = self._answer(view, known_group(view, group), question)
        keep(self._store, made)
        return answer

    def encoded(self, group: str, question: Question, form: str, encode: Encode) -> bytes:
        """The same in the bytes of a form, worked out again only where something of the group has changed."""
        if not set(question.measures.split(",")) <= SUMMED.keys():
            return encode(self.statistics(group, question))
        with self._store.reading() as view:
            row = known_group(view, group)
            state: GroupState = view.group_state(row.group_no)
            key = (row.group_no, question, form)
            known = self._answers.get(key, state)
            if known is not None:
                return known
            found, made = self._answer(view, row, question)
        keep(self._store, made)
        answer = encode(found)
        self._answers.put(key, state, answer, len(answer))
        return answer

    def members_between(self, group: str, question: Question) -> list[str]:
        """The households that are members at some time between a question's start and end, in order.

        Raises NotFound, BadInput.
        """
        with self._store.reading() as view:
            row = known_group(view, group)
            _, cal = parsed(question, row.timezone, Billing())
            rows = view.members(row.group_no)
            homes = self._asking.homes_of(view, [one.household for one in rows])
        members = [member_of(home, one, row.timezone) for home, one in zip(homes, rows, strict=True)]
        first_us, end_us = int(cal.edges_us[0]), int(cal.edges_us[-1])
        return sorted(one.home.household.id for one in members if one.from_us < end_us and one.to_us > first_us)

    def _answer(self, view: ReadView, group: GroupRow, question: Question) -> tuple[Statistics, Made]:
        measures, cal = parsed(question, group.timezone, Billing())
        _check(measures, question, cal)
        rows = view.members(group.group_no)
        homes = self._asking.homes_of(view, [one.household for one in rows])
        sums = Sums(view, group, rows, homes)
        found = summed_columns(sums, [one for one in measures if one in SUMMED], cal)
        others = [one for one in measures if one not in SUMMED]
        if others:
            found |= self._others(view, group, rows, homes, cal, others, question)
        columns = [found[one] for one in measures]
        answer = Statistics(group.id, cal.zone, question.group_by, question.start, question.end, cal, columns)
        return answer, sums.made

    def _others(
        self,
        view: ReadView,
        group: GroupRow,
        rows: Sequence[MemberRow],
        homes: Sequence[Home],
        cal: Calendar,
        measures: Sequence[str],
        question: Question,
    ) -> Mapping[str, Column]:
        """Measures that are not kept as sums: each member's columns while it is a member, added up."""
        members = [member_of(home, row, group.timezone) for home, row in zip(homes, rows, strict=True)]
        first_us, end_us = int(cal.edges_us[0]), int(cal.edges_us[-1])
        whole = [one.home for one in members if one.from_us <= first_us and one.to_us >= end_us]
        columns = self._asking.columns_of_each(view, whole, cal, measures, question) if whole else []
        for one in members:
            part = _while_member(cal, one)
            if part is not None and not (one.from_us <= first_us and one.to_us >= end_us):
                inside, place = part
                (mine,) = self._asking.columns_of_each(view, [one.home], inside, measures, question)
                columns.append([_placed(column, place, len(cal.edges_us) - 1) for column in mine])
        if not columns:
            nothing = np.zeros(len(cal.edges_us) - 1)
            unknown = np.full(len(cal.edges_us) - 1, np.nan)
            return {
                one: Column(one, None, DEFINITIONS[one].unit, unknown, nothing, nothing, np.nan) for one in measures
            }
        answers = [
            Statistics(group.id, cal.zone, question.group_by, question.start, question.end, cal, mine)
            for mine in columns
        ]
        return dict(zip(measures, self._asking.summed(answers).columns, strict=True))


def _check(measures: Sequence[str], question: Question, cal: Calendar) -> None:
    """Raises BadInput with all that can't be asked of a group."""
    faults = []
    bad = [one for one in measures if one not in SUMMED and not DEFINITIONS[one].adds_up]
    if bad:
        faults.append(Fault("measures", f"{', '.join(bad)} of several homes can't be added up"))
    if question.group_by == GroupBy.BILLING:
        faults.append(Fault("group_by", "a group has no bill; ask by month"))
    for name, edge in (("start", 0), ("end", -1)):
        if cal.edges_us[edge] % QUARTER_US:
            faults.append(Fault(name, "a group is summed by quarter-hours; this lies inside one"))
    told = {"meter": question.meter, "as_of": question.as_of, "compare": question.compare}
    faults += [Fault(name, "a group is told as a whole, and as it is now") for name, one in told.items() if one]
    days = (int(cal.edges_us[-1]) - int(cal.edges_us[0])) // US_PER_DAY
    if days > MOST_DAYS:
        faults.append(Fault("end", f"of a group {MOST_DAYS} days are answered at once; these are {days}"))
    if faults:
        raise BadInput.of(faults)


def summed_columns(sums: Sums, measures: Sequence[str], cal: Calendar) -> dict[str, Column]:
    """Measures that are made of kept sums."""
    if not measures:
        return {}
    wanted = {one: SUMMED[one] for one in measures}
    first_day, last_day = int(cal.edges_us[0]) // US_PER_DAY, (int(cal.edges_us[-1]) - 1) // US_PER_DAY
    columns = sums.columns([part for one in wanted.values() for part in one.parts], first_day, last_day)
    place = cal.edges_us // QUARTER_US - first_day * QUARTERS_PER_DAY
    parts = {part: _between(column, place) for part, column in columns.items()}
    return {name: _column(one, parts) for name, one in wanted.items()}


def _between(columns: Int64, place: Int64) -> Int64:
    """Sums of columns (5, q) between places, (5, n + 1): the last is of the whole range."""
    running = np.zeros((len(columns), columns.shape[1] + 1), np.int64)
    np.cumsum(columns, axis=1, out=running[:, 1:])
    at = running[:, place]
    return np.concatenate((at[:, 1:] - at[:, :-1], at[:, -1:] - at[:, :1]), axis=1)


def _column(one: SummedMeasure, parts: Mapping[str, Int64]) -> Column:
    """A measure from its parts, (5, n + 1) each."""
    upper = parts[one.numerator]
    energy, known = upper[ENERGY], upper[KNOWN] > 0
    if one.less is not None:
        energy = energy - parts[one.less][ENERGY]
    if one.denominator is None:
        unit, value = "kWh", np.where(known, energy / MILLIWH_PER_KWH, np.nan)
    else:
        unit, value = "1", rate(energy, parts[one.denominator][ENERGY], known)
    coverage, estimated = (_share(upper[which], upper[HAVING])[:-1] for which in (MEASURED, ESTIMATED))
    return Column(one.name, None, unit, value[:-1], coverage, estimated, float(value[-1]))


def _share(seconds: Int64, quarters: Int64) -> Float64:
    """The share of homes' time that some seconds are."""
    share: Float64 = np.minimum(seconds / np.maximum(quarters * QUARTER_S, 1), 1.0)
    return share


def _while_member(cal: Calendar, member: Member) -> tuple[Calendar, slice] | None:
    """The buckets in which a home is a member, cut to that, and their places; None where there are none."""
    edges_us = np.clip(cal.edges_us, member.from_us, member.to_us)
    inside = np.flatnonzero(edges_us[1:] > edges_us[:-1])
    if not len(inside):
        return None
    place = slice(int(inside[0]), int(inside[-1]) + 1)
    edges = slice(place.start, place.stop + 1)
    some = Calendar(cal.zone, cal.group_by, edges_us[edges], cal.offset_s[edges], int(edges_us[place.start]))
    return some, place


def _placed(column: Column, place: slice, buckets: int) -> Column:
    """A column of some buckets among all of them; the others are not known."""
    value, coverage, estimated = np.full(buckets, np.nan), np.zeros(buckets), np.zeros(buckets)
    value[place], coverage[place], estimated[place] = column.value, column.coverage, column.estimated
    lacks = tuple(lack._replace(bucket=lack.bucket + place.start) for lack in column.lacks)
    placed = Column(column.measure, None, column.unit, value, coverage, estimated, column.total, lacks)
    if column.shared is not None:  # which step of a fall-back told how much of it
        placed.shared, placed.more = np.zeros(buckets), column.more
        placed.shared[place] = column.shared
        placed.shares = {name: np.full(buckets, np.nan) for name in column.shares}
        for name, share in column.shares.items():
            placed.shares[name][place] = share
    return placed
