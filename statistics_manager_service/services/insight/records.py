"""Records of a home: the highest and the lowest day, week and month of a measure, and how long something has held."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.records import Run, current, highest, longest, lowest, runs
from statistics_manager_service.services.asking import Asking, Question, Statistics
from statistics_manager_service.services.insight.compared import KNOWN_SHARE

#: Records are told of these, and of the grouping that is asked for.
_ALWAYS: Final = (GroupBy.DAILY, GroupBy.WEEKLY, GroupBy.MONTHLY)
#: What a streak is of: {name: whether a value holds}.
CONDITIONS: Final[dict[str, Callable[[Any, float], Any]]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}


@dataclass(frozen=True, slots=True)
class RecordsQuestion:
    """What is asked: texts as the caller sent them. conditions: {name of CONDITIONS: value} to tell streaks of."""

    measure: str
    start: str
    end: str
    group_by: str = "daily"
    timezone: str | None = None
    meter: str | None = None
    least_share: float = KNOWN_SHARE
    conditions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A bucket that stands out."""

    start_us: int
    end_us: int
    value: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Extremes:
    """The highest and the lowest bucket of a grouping; None where none counts. left_out: buckets that do not count, as
    too little of them is known, or the time cuts them off. Those that are not over are neither."""

    highest: Record | None
    lowest: Record | None
    counted: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Streak:
    """How many buckets, one after the other, something has held, and when."""

    length: int
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Streaks:
    """The longest streak of a condition, of equal ones the earliest, and the one that reaches the last bucket known;
    None where there is none. held: in how many buckets it held."""

    condition: str
    value: float
    longest: Streak | None
    current: Streak | None
    held: int


@dataclass(frozen=True, slots=True)
class HomeRecords:
    """Records of a measure of a home. why: why there are none."""

    household: str
    zone: str
    measure: str
    meter: str | None
    unit: str
    group_by: str
    least_share: float
    records: dict[str, Extremes]
    streaks: list[Streaks]
    why: str | None


class Records:
    """Tells records and streaks."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def of(self, household_id: str, question: RecordsQuestion) -> HomeRecords:
        """The records of a measure of a home. Raises BadInput with all faults of the question, NotFound."""
        first = self._answer(household_id, question, question.group_by)
        column = first.columns[0]
        others = [one for one in _ALWAYS if one != question.group_by]
        answers = [first, *(self._answer(household_id, question, one) for one in others)]
        sides = [_Counted.of(one, question.least_share, self._asking.now_us()) for one in answers]
        records = {str(one.group_by): side.extremes() for one, side in zip(answers, sides, strict=True)}
        streaks = [sides[0].streaks(name, value) for name, value in question.conditions]
        why = None
        if not any(one.counted for one in records.values()):
            why = f"of no {column.measure} of this time {question.least_share:.0%} are measured or estimated"
        return HomeRecords(
            household_id,
            first.timezone,
            column.measure,
            column.meter,
            column.unit,
            question.group_by,
            question.least_share,
            records,
            streaks,
            why,
        )

    def _answer(self, household_id: str, question: RecordsQuestion, group_by: str) -> Statistics:
        asked = Question(question.measure, question.start, question.end, group_by, question.timezone, question.meter)
        return self._asking.statistics(household_id, asked)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A column of buckets and which of them count: those that are whole, over, and known."""

    cal: Calendar
    value: NDArray[np.float64]
    coverage: NDArray[np.float64]
    counts: NDArray[np.bool_]
    is_over: NDArray[np.bool_]

    @classmethod
    def of(cls, answer: Statistics, least_share: float, now_us: int) -> _Counted:
        column, cal = answer.columns[0], answer.calendar
        covered = np.minimum(column.coverage + column.estimated, 1.0)
        is_over = cal.edges_us[1:] <= now_us
        counts = is_over & np.isfinite(column.value) & (covered >= least_share) & _are_whole(cal)
        return cls(cal, column.value, covered, counts, is_over)

    def extremes(self) -> Extremes:
        counted = int(self.counts.sum())
        return Extremes(
            self._record(highest(self.value, self.counts)),
            self._record(lowest(self.value, self.counts)),
            counted,
            int(self.is_over.sum()) - counted,
        )

    def streaks(self, condition: str, value: float) -> Streaks:
        holds = self.counts & CONDITIONS[condition](np.where(self.counts, self.value, math.nan), value)
        found = runs(holds)
        most, last = self._streak(longest(found)), self._streak(current(found, self.counts))
        return Streaks(condition, value, most, last, int(holds.sum()))

    def _record(self, place: int | None) -> Record | None:
        if place is None:
            return None
        start_us, end_us = self.cal.edges_us[place : place + 2].tolist()
        return Record(start_us, end_us, float(self.value[place]), float(self.coverage[place]))

    def _streak(self, run: Run | None) -> Streak | None:
        if run is None:
            return None
        edges_us = self.cal.edges_us
        return Streak(run.length, int(edges_us[run.first]), int(edges_us[run.first + run.length]))


def _are_whole(cal: Calendar) -> NDArray[np.bool_]:
    """(n,) bool: which buckets the time does not cut off."""
    whole = np.ones(len(cal.edges_us) - 1, np.bool_)
    if cal.group_by in (GroupBy.TOTAL, GroupBy.BILLING):  # where a bill ends is known of those inside alone
        whole[-1] = cal.group_by is GroupBy.TOTAL
        whole[0] &= cal.group_by is GroupBy.TOTAL or cal.whole_start_us == cal.edges_us[0]
        return whole
    whole[0] = cal.whole_start_us == cal.edges_us[0]
    end_us = int(cal.edges_us[-1])
    whole[-1] &= calendar(cal.zone, cal.group_by, end_us, end_us + 1).whole_start_us == end_us
    return whole
