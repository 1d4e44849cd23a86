"""Records and streaks beside plain loops."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.records import Run, current, highest, longest, lowest, runs

BUCKETS = st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.booleans()), max_size=40)


def columns(some: list[tuple[int, bool, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value = np.array([float(one[0]) for one in some])
    counts = np.array([one[1] for one in some], np.bool_)
    holds = counts & np.array([one[2] for one in some], np.bool_)
    return value, counts, holds


@given(BUCKETS)
def test_records_are_the_first_of_the_greatest_and_least_that_count(some: list[tuple[int, bool, bool]]) -> None:
    value, counts, _ = columns(some)
    best: dict[str, int | None] = {"highest": None, "lowest": None}
    for i, (each, does_count, _) in enumerate(some):
        if not does_count:
            continue
        if best["highest"] is None or each > some[best["highest"]][0]:
            best["highest"] = i
        if best["lowest"] is None or each < some[best["lowest"]][0]:
            best["lowest"] = i
    assert (highest(value, counts), lowest(value, counts)) == (best["highest"], best["lowest"])


@given(BUCKETS)
def test_streaks_are_as_long_as_a_loop_counts_them(some: list[tuple[int, bool, bool]]) -> None:
    _, counts, holds = columns(some)
    found = runs(holds)
    lengths = [len(list(group)) for holds_here, group in itertools.groupby(holds.tolist()) if holds_here]
    assert [one.length for one in found] == lengths
    assert all(holds[one.first : one.first + one.length].all() for one in found)
    most = longest(found)
    assert (0 if most is None else most.length) == max(lengths, default=0)
    run = 0
    told = [i for i, does_count in enumerate(counts.tolist()) if does_count]
    for i in range(told[-1] if told else -1, -1, -1):
        if not holds[i]:
            break
        run += 1
    last = current(found, counts)
    assert (0 if last is None else last.length) == run


def test_of_equal_streaks_the_earlier_is_the_longest() -> None:
    holds = np.array([True, True, False, True, True])
    assert longest(runs(holds)) == Run(0, 2)


def test_a_streak_still_stands_while_later_buckets_do_not_count() -> None:
    counts = np.array([True, True, True, False, False])
    assert current(runs(np.array([False, True, True, False, False])), counts) == Run(1, 2)
    assert current(runs(np.array([True, True, False, False, False])), counts) is None
