"""Gaps of a channel's readings, however they are cut into pieces, beside a plain loop."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.gaps import Gap, Gaps

S = 1_000_000


def told(gaps: Gaps, at_s: list[int], cuts: list[int], lengths_s: list[int] | None = None) -> Gaps:
    at = np.array(at_s, np.int64) * S
    until = at if lengths_s is None else at + np.array(lengths_s, np.int64) * S
    for part, ends in zip(np.split(at, cuts), np.split(until, cuts), strict=True):
        gaps.add(part, ends, np.ones(len(part), np.bool_))
    return gaps


@given(
    at_s=st.lists(st.integers(0, 5_000), unique=True, max_size=40).map(sorted),
    bounds=st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)).map(sorted),
    limit_s=st.integers(0, 600),
    cuts=st.lists(st.integers(0, 40), max_size=5).map(sorted),
)
def test_gaps_do_not_depend_on_how_readings_are_cut(
    at_s: list[int], bounds: list[int], limit_s: int, cuts: list[int]
) -> None:
    start, end = bounds
    found = told(Gaps(start * S, end * S, limit_s * S, 1000), at_s, cuts)
    expected = []
    for one, other in itertools.pairwise(at_s):
        begin, stop = max(one, start), min(other, end)
        if other - one > limit_s and stop > begin:
            expected.append((begin, stop))
    assert found.count == len(expected)
    assert found.total_us == sum(stop - begin for begin, stop in expected) * S
    by_length = sorted(expected, key=lambda gap: (gap[0] - gap[1], gap[0]))
    assert [(one.start_us // S, one.end_us // S) for one in found.kept] == by_length
    steps = [other - one for one, other in itertools.pairwise(at_s) if start < other < end]
    assert found.typical_s == (statistics.median_low(steps) if steps else None)


def test_only_the_longest_are_kept_and_all_are_counted() -> None:
    found = told(Gaps(0, 1000 * S, 5 * S, 2), [0, 10, 30, 60, 64], [])
    assert found.kept == [Gap(30 * S, 60 * S, True), Gap(10 * S, 30 * S, True)]
    assert (found.count, found.total_us) == (3, 60 * S)


def test_between_intervals_a_gap_is_from_the_end_of_one_to_the_start_of_the_next() -> None:
    found = told(Gaps(0, 1000 * S, 0, 9), [0, 10, 30, 40], [1, 3], [10, 10, 10, 10])
    assert found.kept == [Gap(20 * S, 30 * S, True)]
