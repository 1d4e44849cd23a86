"""Measures beside those of an earlier time, matched day by day: only what is known of both counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar, GroupBy
from statistics_manager_service.core.combining import DECIMALS, How, combination_of, combined
from statistics_manager_service.core.earlier import Earlier
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.carbon.summing import several_methods
from statistics_manager_service.services.measuring import Column

#: A day of which less is measured or estimated is not known, and is matched with nothing.
KNOWN_SHARE: Final = 0.95
#: What is matched, in words.
UNITS: Final = {GroupBy.DAILY: "day", GroupBy.HOURLY: "hour", GroupBy.QUARTERS: "quarter-hour"}


class MakeColumns(Protocol):
    """Makes the columns of some measures over buckets, of each of some homes."""

    def __call__(self, cal: Calendar, measures: Sequence[str], *, of_home: bool = False) -> list[list[Column]]:
        """of_home: of the whole home, though a meter is asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Matched:
    """What a measure comes to over the days (hours, quarter-hours) that are known of both times, and then.

    change: total − total_before. change_share: it divided by total_before, where that is above 0. count: how many are
    matched, of so many in the time. why: why there is no total.
    """

    total: float
    total_before: float
    change: float
    change_share: float
    count: int
    of: int
    why: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The measures of a home in an earlier time.

    before: of each measure a column over the buckets of the answer, NaN where nothing stands beside one; its total is
    of the whole earlier time. now, then: the measures over the units of both times. divisors_now, divisors_then: what
    ratios are divided by, by name.
    """

    earlier: Earlier
    before: list[Column]
    now: list[Column]
    then: list[Column]
    divisors_now: Mapping[str, Column]
    divisors_then: Mapping[str, Column]

    def matched(self, i: int) -> Matched:
        """The i-th measure over what is known of both times."""
        measure = self.before[i].measure
        how, weight = combination_of(measure)
        pair, of = self.earlier.pair, len(self.earlier.pair)
        sides = [
            _Side.of(columns[i], None if weight is None else divisors[weight], how, cal)
            for columns, divisors, cal in (
                (self.now, self.divisors_now, self.earlier.units),
                (self.then, self.divisors_then, self.earlier.units_before),
            )
        ]
        both = (pair >= 0) & sides[0].known
        both[both] = sides[1].known[pair[both]]
        count = int(both.sum())
        methods = several_methods((self.now[i], self.then[i]))
        if methods is not None:
            differ = f"they are of intensities of different methods ({methods})"
            return Matched(math.nan, math.nan, math.nan, math.nan, count, of, differ)
        if how is How.NOT:
            return Matched(math.nan, math.nan, math.nan, math.nan, count, of, f"values of {measure} do not add up")
        if not count:
            nothing = f"no {UNITS[self.earlier.unit]} is known of both times"
            return Matched(math.nan, math.nan, math.nan, math.nan, 0, of, nothing)
        total, total_before = sides[0].combined(how, np.flatnonzero(both)), sides[1].combined(how, pair[both])
        why = None if math.isfinite(total) and math.isfinite(total_before) else "there was nothing to divide by"
        change = round(total - total_before, DECIMALS) if why is None else math.nan
        share = change / total_before if total_before > 0 else math.nan
        return Matched(total, total_before, change, share, count, of, why)


@dataclass(frozen=True, slots=True)
class _Side:
    """A measure over the units of one time: which are known, values, and what each counts in a mean."""

    known: NDArray[np.bool_]
    value: Float64
    weight: Float64

    @classmethod
    def of(cls, column: Column, divisor: Column | None, how: How, cal: Calendar | None) -> _Side:
        covered = column.coverage + column.estimated >= KNOWN_SHARE
        known = covered & np.isfinite(column.value)
        if divisor is not None:
            weight = np.nan_to_num(divisor.value)
            known = covered & np.isfinite(divisor.value) & (known | (weight == 0))
        elif how is How.MEAN and cal is not None:
            weight = column.coverage * (np.diff(cal.edges_us) / US_PER_S)
        else:
            weight = np.ones(len(column.value))
        return cls(known, column.value, weight)

    def combined(self, how: How, rows: Int64) -> float:
        """One value of some of the units."""
        return combined(how, self.value[rows], self.weight[rows])


def comparisons(
    found: Earlier, columns: Sequence[list[Column]], measures: Sequence[str], make: MakeColumns
) -> list[Comparison]:
    """The comparison of each of some homes. columns: of each home the measures over the buckets of the answer."""
    divisors = list(dict.fromkeys(one for one in (combination_of(each).weight for each in measures) if one is not None))
    now = list(columns) if found.matches_buckets else make(found.units, measures)
    divided_now = _divisors(found.units, divisors, make, len(columns))
    if found.before is None or found.units_before is None:
        then = [[_unknown(one, len(found.pair)) for one in some] for some in now]
        divided_then = [
            {one: _unknown(column, len(found.pair)) for one, column in some.items()} for some in divided_now
        ]
        before = [[_unknown(one, len(found.place)) for one in some] for some in now]
    else:
        then = make(found.units_before, measures)
        divided_then = _divisors(found.units_before, divisors, make, len(columns))
        shown = then if found.matches_buckets else make(found.before, measures)
        before = [[_beside(one, found.place) for one in some] for some in shown]
    sides = zip(before, now, then, divided_now, divided_then, strict=True)
    return [Comparison(found, *some) for some in sides]


def _divisors(cal: Calendar, names: Sequence[str], make: MakeColumns, homes: int) -> list[dict[str, Column]]:
    if not names:
        return [{} for _ in range(homes)]
    return [dict(zip(names, some, strict=True)) for some in make(cal, names, of_home=True)]


def _unknown(column: Column, size: int) -> Column:
    nothing = np.zeros(size)
    return Column(column.measure, column.meter, column.unit, np.full(size, np.nan), nothing, nothing, math.nan)


def _beside(column: Column, place: Int64) -> Column:
    """A column of the earlier time over the buckets of the answer, with all that is told of it."""
    there = place >= 0
    beside = dict(zip(place[there].tolist(), np.flatnonzero(there).tolist(), strict=True))
    return Column(
        column.measure,
        column.meter,
        column.unit,
        np.where(there, column.value[place], np.nan),
        np.where(there, column.coverage[place], 0.0),
        np.where(there, column.estimated[place], 0.0),
        column.total,
        tuple(one._replace(bucket=beside[one.bucket]) for one in column.lacks if one.bucket in beside),
        {name: np.where(there, share[place], 0.0) for name, share in column.shares.items()},
        column.more,
        None if column.shared is None else np.where(there, column.shared[place], 0.0),
    )
