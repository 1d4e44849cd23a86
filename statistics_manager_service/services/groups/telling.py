"""What a home is told of its group: sums of civil days over the homes that share, each told once and for good.

A day is told a day after its end, to whoever asks first, from the homes that share with the group then and are known
all day; and what was told stays, whatever comes later: readings, corrections, homes that join, leave or are erased. So
there are never two sums of one day whose difference would be one home's. Longer times are sums of the days that are
told.
docs/decisions/2026-11-25-what-a-home-may-learn-of-others.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.balance import BALANCE, rate
from statistics_manager_service.core.civil import Calendar, GroupBy
from statistics_manager_service.core.disclosure import LEAST, may_be_told
from statistics_manager_service.core.group_sums import SUMMED
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault, Forbidden
from statistics_manager_service.services.asking import Asking, Question, Statistics, parsed
from statistics_manager_service.services.groups.group_documents import civil_day, day_of
from statistics_manager_service.services.groups.group_rows import GroupRow, MemberRow, ToldDay
from statistics_manager_service.services.groups.groups import memberships_of
from statistics_manager_service.services.groups.home_days import TOLD, Bools, HomeDays, home_days
from statistics_manager_service.services.groups.summing import FLOWS
from statistics_manager_service.services.measuring import Column, Lack
from statistics_manager_service.services.ports import Billing, ReadView, Store
from statistics_manager_service.services.remembering import Remembered

#: A day is told so long after its end: what comes in later does not change it.
SETTLED_US: Final = US_PER_DAY
NOT_TOLD: Final = (
    f"the sums of a day are told to members, a day after its end, where {LEAST} homes that share were known all day"
)
HIDDEN: Final = f"fewer than {LEAST} homes have it, or one makes up most of it: its own figure could be told from it"
#: For a group that is not there as for one that the home does not share with.
NOT_FOR_YOU: Final = "this group's figures are for homes that are members and share with it"
_GROUPINGS: Final = (GroupBy.DAILY, GroupBy.WEEKLY, GroupBy.MONTHLY, GroupBy.YEARLY, GroupBy.TOTAL)
#: Days that can't be told as the group is now, so that they are not worked out for each question.
_MOST_HIDDEN_BYTES: Final = 16 * 2**20
_DAY_BYTES: Final = 64
_DATE_LENGTH: Final = len("2024-01-01")
_SHARE_DECIMALS: Final = 2


@dataclass(frozen=True, slots=True)
class HomesAnswer:
    """What homes are told. homes: of each bucket, of how many homes the day with the fewest is; None where none is."""

    statistics: Statistics
    homes: Sequence[int | None]


def shared_group(view: ReadView, household: str, group: str) -> tuple[GroupRow, int]:
    """The group, for a household that shares with it, and the day behind the last one on which it is a member: of later
    ones it is told nothing. Raises Forbidden, in the same words and after the same work whether there is such a group:
    only the household's own memberships are looked at."""
    owner = view.household(household)
    for one in [] if owner is None else memberships_of(view, owner.household_no):
        if one.group.id == group and one.since_day is not None:
            return one.group, one.member.to_day
    raise Forbidden(NOT_FOR_YOU)


def sharing_members(view: ReadView, group: GroupRow) -> list[tuple[MemberRow, int]]:
    """The members that share now, each with the civil day from which on it counts."""
    since = {one.household_no: one.from_day for one in view.shares_with(group.group_no)}
    members = [one for one in view.members(group.group_no) if one.household_no in since]
    return [(one, max(one.from_day, since[one.household_no])) for one in members]


class Telling:
    """Tells homes of their groups. now_us tells the present in microseconds UTC."""

    def __init__(self, store: Store, asking: Asking, now_us: Callable[[], int]) -> None:
        self._store, self._asking, self._now_us = store, asking, now_us
        self._hidden: Remembered[frozenset[int]] = Remembered(_MOST_HIDDEN_BYTES)

    def statistics(self, household: str, group: str, question: Question) -> HomesAnswer:
        """The group's sums as homes are told them. Raises BadInput with all faults, Forbidden."""
        with self._store.reading() as view:
            row, until_day = shared_group(view, household, group)
            measures, cal = parsed(question, row.timezone, Billing())
            _check(measures, question, row)
            first_day, end_day = (_day(row.timezone, int(cal.edges_us[edge])) for edge in (0, -1))
            end_day = min(end_day, until_day)
            told: Sequence[ToldDay] = view.told_days(row.group_no, first_day, end_day - 1)
            new = self._new_days(view, row, told, first_day, end_day)
        if new:
            told = self._keep(row, new, first_day, end_day)
        return _answer(row, measures, question, cal, told)

    def _new_days(
        self, view: ReadView, group: GroupRow, told: Sequence[ToldDay], first_day: int, end_day: int
    ) -> list[ToldDay]:
        """The days that can be told, and were not."""
        state = view.group_state(group.group_no)
        hidden = self._hidden.get(group.group_no, state) or frozenset()
        known = hidden | {one.day for one in told}
        now_us = self._now_us()
        newest = _day(group.timezone, now_us - SETTLED_US) - 1
        wanted = [day for day in range(first_day, min(end_day - 1, newest) + 1) if day not in known]
        members = sharing_members(view, group)
        if not wanted or len(members) < LEAST:
            return []
        homes = self._asking.homes_of(view, [one.household for one, _ in members])
        days = [c.first_day for home in homes for c in home.channels if c.first_day is not None]
        lasts = [c.last_day for home in homes for c in home.channels if c.last_day is not None]
        if not days:
            return []
        wanted = [day for day in wanted if min(days) - 1 <= day <= max(lasts) + 1]
        found: list[ToldDay] = []
        for run in _runs(wanted):
            edges_us = np.array([midnight_us(group.timezone, civil_day(day)) for day in (*run, run[-1] + 1)], np.int64)
            days_of_homes = home_days(view, homes, edges_us)
            inside = np.array([[begin <= day < one.to_day for day in run] for one, begin in members])
            found += told_days(days_of_homes, inside, run, edges_us)
        hidden |= frozenset(wanted) - {one.day for one in found}
        self._hidden.put(group.group_no, state, hidden, _DAY_BYTES * len(hidden))
        return found

    def _keep(self, group: GroupRow, new: Sequence[ToldDay], first_day: int, end_day: int) -> Sequence[ToldDay]:
        """Keep what is told from now on, unless others were told in between, or who shares has changed: then that
        counts. What is kept."""
        with self._store.writing() as view:
            view.hold_group(group.group_no)
            now = view.group(group.id)
            if now is not None and (now.group_no, now.changes) == (group.group_no, group.changes):
                view.put_told_days(group.group_no, new)
            return view.told_days(group.group_no, first_day, end_day - 1)


def _check(measures: Sequence[str], question: Question, group: GroupRow) -> None:
    """Raises BadInput with all that homes are not told."""
    faults = []
    bad = [one for one in measures if one not in SUMMED]
    if bad:
        why = f"{', '.join(bad)} of a group is not told to homes; told are {', '.join(SUMMED)}"
        faults.append(Fault("measures", why))
    if question.group_by not in _GROUPINGS:
        faults.append(Fault("group_by", f"homes are told of days and longer: one of {', '.join(_GROUPINGS)}"))
    for name, text in (("start", question.start), ("end", question.end)):
        if len(text) > _DATE_LENGTH:
            faults.append(Fault(name, "homes are told of whole days: a date"))
    if question.timezone not in (None, group.timezone):
        faults.append(Fault("timezone", "homes are told of the days of the group's zone"))
    if faults:
        raise BadInput.of(faults)


def _day(zone: str, at_us: int) -> int:
    return day_of(civil_date(zone, at_us).isoformat(), 0)


def _runs(days: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] + 1 == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def told_days(days: HomeDays, inside: Bools, run: Sequence[int], edges_us: Int64) -> list[ToldDay]:
    """What may be told of days, and no more; days on which fewer than LEAST homes count are left out.

    A day is here also where all of it must be hidden, so that this is for good, too: were it looked at again, a home
    could change its own readings until the day is told, and where the rule just holds tells the sum of some others.

    inside: (h, n) whether a home is a member and shares then. Of each part that a home has: [milliwatt-hours, homes,
    the share of their time that is measured], or None where it must not be told. A part of no home is left out.
    """
    counted = days.whole & inside
    has = days.has & counted
    energy = np.where(has, days.energy_milliwh, 0)
    homes, having = counted.sum(axis=0), has.sum(axis=1)
    open_parts = np.array([may_be_told(energy[part]) & (having[part] >= LEAST) for part in range(len(TOLD))])
    sums, seconds = energy.sum(axis=1), np.where(has, days.measured_s, 0).sum(axis=1)
    elapsed_s = np.diff(edges_us) // US_PER_S
    found = []
    for i, day in enumerate(run):
        if homes[i] < LEAST:
            continue
        told: dict[str, Any] = {}
        for part, name in enumerate(TOLD):
            count = int(having[part, i])
            if not count:
                continue
            share = round(int(seconds[part, i]) / (count * int(elapsed_s[i])), _SHARE_DECIMALS)
            told[name] = [int(sums[part, i]), count, share] if open_parts[part, i] else None
        found.append(ToldDay(day, int(homes[i]), told))
    return found


def _answer(
    group: GroupRow, measures: Sequence[str], question: Question, cal: Calendar, told: Sequence[ToldDay]
) -> HomesAnswer:
    edge_days = [_day(group.timezone, int(at_us)) for at_us in cal.edges_us]
    by_day = {one.day: one for one in told}
    days = list(range(edge_days[0], edge_days[-1]))
    rows = [by_day.get(day) for day in days]
    places = [(a - edge_days[0], b - edge_days[0]) for a, b in pairwise(edge_days)]
    columns = [_column(one, rows, places) for one in measures]
    counts = [[one.homes for one in rows[a:b] if one is not None] for a, b in places]
    answer = Statistics(group.id, cal.zone, question.group_by, question.start, question.end, cal, columns)
    return HomesAnswer(answer, [min(some, default=None) for some in counts])


def parts_of(measure: str) -> tuple[dict[str, int], dict[str, int] | None, tuple[str, ...]]:
    """A measure in what is told: the signs of its upper and lower sum, and the parts of which one must be there."""
    own = {"production": 1, "export": -1}
    used = {flow: BALANCE[flow] for flow in FLOWS}
    made = ("production",)
    return {
        "energy_consumption": (used | {"house": 1}, None, ("import", "house")),
        "energy_self_consumption": (own, None, made),
        "self_consumption_rate": (own, {"production": 1}, made),
        "self_sufficiency_rate": ({flow: sign for flow, sign in used.items() if flow != "import"}, used, ("import",)),
        "export_share": ({"export": 1}, {"production": 1}, made),
    }.get(measure, ({measure.removeprefix("energy_"): 1}, None, (measure.removeprefix("energy_"),)))


def _column(measure: str, rows: Sequence[ToldDay | None], places: Sequence[tuple[int, int]]) -> Column:
    """A measure over buckets: the sum of the days on which all that it is made of is told, or is nobody's.

    Were it told beside a part that must not be, that part would follow from it and the others.
    """
    upper, lower, needs = parts_of(measure)
    parts = {*upper, *(lower or {})}
    figures = [_figures(row, upper, lower, parts, needs) for row in rows]
    n = len(places)
    value, coverage, estimated, lacks = np.full(n, np.nan), np.zeros(n), np.zeros(n), []
    for i, (a, b) in enumerate((*places, (0, len(rows)))):
        some = [one for one in figures[a:b] if not isinstance(one, str)]
        total = _value(some, is_rate=lower is not None)
        if i == n:
            break
        value[i] = total
        measured = sum(one[2] for one in some)
        coverage[i], estimated[i] = measured / (b - a), (len(some) - measured) / (b - a)
        whys = [one for one in figures[a:b] if isinstance(one, str) and one]
        if whys:
            lacks.append(Lack(i, len(whys) / (b - a), "; ".join(dict.fromkeys(whys))))
    return Column(measure, None, "kWh" if lower is None else "1", value, coverage, estimated, total, tuple(lacks))


_Figures = tuple[int, int, float]


def _figures(
    row: ToldDay | None,
    upper: Mapping[str, int],
    lower: Mapping[str, int] | None,
    parts: set[str],
    needs: Sequence[str],
) -> _Figures | str:
    """Upper and lower sum and the share that is measured, of a day; or why there are none, empty: no home has it."""
    if row is None:
        return NOT_TOLD
    if any(part in row.told and row.told[part] is None for part in parts):
        return HIDDEN
    if not any(part in row.told for part in needs):
        return ""
    sums = [
        sum(sign * row.told[part][0] for part, sign in signs.items() if part in row.told)
        for signs in (upper, lower or {})
    ]
    return sums[0], sums[1], min(row.told[part][2] for part in parts if part in row.told)


def _value(days: Sequence[_Figures], *, is_rate: bool) -> float:
    if not days:
        return float("nan")
    upper, lower = (sum(one[which] for one in days) for which in (0, 1))
    if is_rate:
        return float(rate(np.array([upper]), np.array([lower]), np.array([True]))[0])
    return upper / MILLIWH_PER_KWH
