"""A home among similar ones: its own figure, and between which percentiles of theirs it lies.

To a home the percentiles of a month or a year are told once and for good, rounded to two digits; and its rank follows
from these and its own figure alone. So no home learns more by changing its own readings and asking again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar, parse_moment
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.disclosure import (
    LEAST,
    open_percentiles,
    percentile_rank,
    percents_told,
    rank_between,
)
from statistics_manager_service.core.group_sums import SUMMED
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import END_NOT_AFTER_START, Asking, Question
from statistics_manager_service.services.groups.group_documents import day_of
from statistics_manager_service.services.groups.group_rows import GroupRow, ToldQuartiles
from statistics_manager_service.services.groups.groups import known_group
from statistics_manager_service.services.groups.home_days import Bools, home_days, measure_of
from statistics_manager_service.services.groups.keeping import member_of
from statistics_manager_service.services.groups.telling import SETTLED_US, shared_group, sharing_members
from statistics_manager_service.services.homes import Home, known_household
from statistics_manager_service.services.ports import Channel, ReadView, Store

#: What makes homes similar: whether they have it.
TRAITS: Final = ("production", "battery", "ev", "heat_pump")
TOO_FEW: Final = f"fewer than {LEAST} homes that share were known from beginning to end, or the time has just ended"
NO_MEMBER: Final = "the home's membership ended before the time did"
ALIKE: Final = f"fewer than {LEAST} homes have any, or most have the same: their own figures could be told from it"
_ALL: Final = "*"
_QUARTILES: Final = (25, 50, 75)
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Compared:
    """A home among others. value: its own, NaN where not known; in `unit`.

    traits: of the homes it is compared with, None: they are all homes of the group. homes: how many they are. points:
    {per cent: value}. rank: between which per cents it lies, None where nothing is told or known; then `why` says so.
    """

    value: float
    unit: str
    timezone: str
    traits: Sequence[str] | None = None
    homes: int | None = None
    points: dict[int, float] = field(default_factory=dict)
    rank: tuple[float, float] | None = None
    why: str | None = None


def traits_of(channels: Sequence[Channel]) -> frozenset[str]:
    """What a home has, by what it measures."""
    some = [one for one in channels if one.first_us is not None]
    meters, quantities = {one.meter for one in some}, {one.quantity.partition("_")[2] for one in some}
    found = {
        "production": "production" in quantities,
        "battery": bool(quantities & {"charge", "discharge"}),
        "ev": any(one.startswith("ev") for one in meters),
        "heat_pump": any(one.startswith("heat_pump") for one in meters),
    }
    return frozenset(one for one in TRAITS if found[one])


class HomesCompared:
    """Compares homes. now_us tells the present in microseconds UTC."""

    def __init__(self, store: Store, asking: Asking, now_us: Callable[[], int]) -> None:
        self._store, self._asking, self._now_us = store, asking, now_us

    def for_home(self, household: str, group: str, measure: str, start: str, end: str) -> Compared:
        """As a home is told. Raises BadInput with all faults, Forbidden."""
        with self._store.reading() as view:
            row, until_day = shared_group(view, household, group)
            days = _period(measure, start, end)
            edges_us = _edges(row.timezone, start, end)
            (home,) = self._asking.homes_of(view, [household])
            own = self._own(view, home, measure, edges_us, row.timezone)
            traits = _name(traits_of(home.channels))
            told = _told_to(view.told_quartiles(row.group_no, measure, *days), traits)
            is_member = days[1] <= until_day
            new = None
            if is_member and (told is None or told.traits != traits):
                new = self._new(view, row, measure, days, edges_us, traits)
        if new is not None and (told is None or new.traits == traits):
            told = self._keep(row, new)
        unit = DEFINITIONS[measure].unit
        if not is_member or told is None or not told.points:
            hidden = NO_MEMBER if not is_member else TOO_FEW if told is None else ALIKE
            return Compared(own, unit, row.timezone, why=hidden)
        points = {int(percent): value for percent, value in told.points.items()}
        rank = None if np.isnan(own) else rank_between(own, points)
        why = None if rank is not None else "the home's own figure is not known"
        similar = None if told.traits == _ALL else _names(told.traits)
        return Compared(own, unit, row.timezone, similar, told.homes, points, rank, why)

    def for_service(self, household: str, group: str, measure: str, start: str, end: str) -> Compared:
        """As it is now, exactly, among all members that are known from beginning to end. Raises BadInput, NotFound."""
        with self._store.reading() as view:
            known_household(view, household)
            row = known_group(view, group)
            faults = _faults(measure, start, end, row.timezone)
            if faults:
                raise BadInput.of(faults)
            edges_us = _edges(row.timezone, start, end)
            (home,) = self._asking.homes_of(view, [household])
            own = self._own(view, home, measure, edges_us, row.timezone)
            rows = view.members(row.group_no)
            homes = self._asking.homes_of(view, [one.household for one in rows])
            members = [member_of(one, member, row.timezone) for one, member in zip(homes, rows, strict=True)]
            some = [one.home for one in members if one.from_us <= edges_us[0] and one.to_us >= edges_us[-1]]
            values, known, mine = _values(view, some, measure, edges_us, traits_of(home.channels))
            is_other = np.array([one.household.id != household for one in some], np.bool_)
            similar = known & mine
            chosen, traits = (similar, sorted(traits_of(home.channels))) if similar.sum() >= LEAST else (known, None)
            others = values[chosen & is_other]
        unit = DEFINITIONS[measure].unit
        if not chosen.any():
            return Compared(own, unit, row.timezone, why="no member is known from beginning to end")
        exact = np.round(np.percentile(values[chosen], _QUARTILES), _DECIMALS).tolist()
        points = dict(zip(_QUARTILES, exact, strict=True))
        if np.isnan(own) or not len(others):
            why = "the home's own figure is not known" if np.isnan(own) else "there is no other home"
            return Compared(own, unit, row.timezone, traits, int(chosen.sum()), points, why=why)
        rank = percentile_rank(own, others)
        return Compared(own, unit, row.timezone, traits, int(chosen.sum()), points, (rank, rank))

    def _own(self, view: ReadView, home: Home, measure: str, edges_us: Int64, zone: str) -> float:
        """The home's own figure, as its statistics have it."""
        cal = calendar(zone, GroupBy.TOTAL, int(edges_us[0]), int(edges_us[-1]))
        question = Question(measure, "", "", GroupBy.TOTAL.value, zone)
        return self._asking.columns_of_each(view, [home], cal, [measure], question)[0][0].total

    def _new(
        self, view: ReadView, group: GroupRow, measure: str, days: tuple[int, int], edges_us: Int64, traits: str
    ) -> ToldQuartiles | None:
        """What can be told of a time that was not told yet: of the similar homes, or else of all."""
        if self._now_us() < int(edges_us[-1]) + SETTLED_US:
            return None
        first_day, end_day = days
        rows = [one for one, begin in sharing_members(view, group) if begin <= first_day and one.to_day >= end_day]
        homes = self._asking.homes_of(view, [one.household for one in rows])
        values, known, similar = _values(view, homes, measure, edges_us, frozenset(_names(traits)))
        for name, chosen in ((traits, known & similar), (_ALL, known)):
            count = int(chosen.sum())
            percents = percents_told(count)
            if percents:
                told = open_percentiles(values[chosen], percents)
                points = {str(percent): value for percent, value in told.items()}
                return ToldQuartiles(measure, first_day, end_day, name, count, points)
        return None

    def _keep(self, group: GroupRow, new: ToldQuartiles) -> ToldQuartiles | None:
        """Keep it, unless another was told in between; what is kept."""
        with self._store.writing() as view:
            view.hold_group(group.group_no)
            now = view.group(group.id)
            if now is not None and (now.group_no, now.changes) == (group.group_no, group.changes):
                view.put_told_quartiles(group.group_no, new)
            kept = view.told_quartiles(group.group_no, new.measure, new.first_day, new.end_day)
        return next((one for one in kept if one.traits == new.traits), None)


def _values(
    view: ReadView, homes: Sequence[Home], measure: str, edges_us: Int64, traits: frozenset[str]
) -> tuple[Float64, Bools, Bools]:
    """A measure of homes in one time, (h,); which have it, known from beginning to end; which are similar."""
    if not homes:
        nothing = np.zeros(0, np.bool_)
        return np.zeros(0), nothing, nothing
    value, known = measure_of(home_days(view, homes, edges_us), measure)
    similar = np.array([traits_of(one.channels) == traits for one in homes])
    return value[:, 0], known[:, 0], similar


def _told_to(told: Sequence[ToldQuartiles], traits: str) -> ToldQuartiles | None:
    """What was told of similar homes, or else of all."""
    by_traits = {one.traits: one for one in told}
    return by_traits.get(traits) or by_traits.get(_ALL)


def _name(traits: frozenset[str]) -> str:
    return ",".join(sorted(traits))


def _names(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def _edges(zone: str, start: str, end: str) -> Int64:
    return np.array([parse_moment(start, zone, "start"), parse_moment(end, zone, "end")], np.int64)


def _faults(measure: str, start: str, end: str, zone: str) -> list[Fault]:
    faults = []
    if measure not in SUMMED:
        faults.append(Fault("measure", f"{measure[:60]!r} can't be compared; one of {', '.join(SUMMED)} can"))
    found: dict[str, int] = {}
    for name, text in (("start", start), ("end", end)):
        try:
            found[name] = parse_moment(text, zone, name)
        except BadInput as error:
            faults += error.faults
    faults += [Fault(name, "it lies inside a quarter-hour") for name, at_us in found.items() if at_us % QUARTER_US]
    if len(found) == len(("start", "end")) and found["end"] <= found["start"]:
        faults.append(END_NOT_AFTER_START)
    if not faults:
        calendar(zone, GroupBy.TOTAL, found["start"], found["end"])  # which refuses years that are not served
    return faults


def _period(measure: str, start: str, end: str) -> tuple[int, int]:
    """The civil days first ≤ day < end of a calendar month or year. Raises BadInput."""
    faults = _faults(measure, start, end, "UTC")
    if not faults and not _is_month_or_year(start, end):
        faults.append(Fault("end", "homes are compared by one calendar month or one calendar year: two dates"))
    if faults:
        raise BadInput.of(faults)
    return day_of(start, 0), day_of(end, 0)


def _is_month_or_year(start: str, end: str) -> bool:
    try:
        first, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError:
        return False
    months = (last.year - first.year) * 12 + last.month - first.month
    return (first.day, last.day) == (1, 1) and (months == 1 or (months == 12 and first.month == 1))
