"""Lines of energy and their fold into quarter-hours: shares are rounded once, quarters add up to the whole."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.correction import RegisterLimits, Verdict, correct_registers
from statistics_manager_service.core.lines import (
    Lines,
    Span,
    flow_at,
    fold,
    interval_extents,
    interval_lines,
    register_lines,
)
from statistics_manager_service.core.units import QUARTER_US, US_PER_S

START = 1_715_335_200 * US_PER_S // QUARTER_US  # the quarter-hour of 2024-05-10T10:00:00Z
START_US = START * QUARTER_US


def ints(column: Any) -> Any:
    return np.array(list(column), np.int64)


def folded(lines: Lines, quarters: int, first: int = START) -> tuple[list[int], list[int], list[int]]:
    out = fold(lines, ints([first]), ints([quarters]))
    return out.energy_milliwh.tolist(), out.measured_s.tolist(), out.estimated_s.tolist()


def register(rows: list[tuple[int, int]], gap_limit_s: int = 3600) -> Lines:
    """The line of a register read at some seconds from the start, in milliwatt-hours."""
    at, value = ints(START_US + s * US_PER_S for s, _ in rows), ints(v for _, v in rows)
    limits, offsets = [RegisterLimits(gap_limit_us=gap_limit_s * US_PER_S)], ints([0, len(rows)])
    return register_lines(at, offsets, correct_registers(at, value, offsets, limits), limits)


def intervals(rows: list[tuple[int, int, int]]) -> Lines:
    """The line of intervals: (start and length in seconds, milliwatt-hours)."""
    at, length = ints(START_US + s * US_PER_S for s, _, _ in rows), ints(n * US_PER_S for _, n, _ in rows)
    offsets = ints([0, len(rows)])
    return interval_lines(interval_extents(at, length, offsets), ints(e for _, _, e in rows), offsets)


@pytest.mark.parametrize(
    ("rows", "energy", "measured", "estimated"),
    [
        pytest.param([(0, 100), (900, 160), (1800, 190)], [60, 30, 0], [900, 900, 0], [0, 0, 0], id="on the edges"),
        pytest.param([(450, 100), (1350, 200)], [50, 50, 0], [450, 450, 0], [0, 0, 0], id="the part that is known"),
        pytest.param([(0, 0), (2700, 1)], [0, 1, 0], [900] * 3, [0] * 3, id="a third rounds down, two thirds up"),
        pytest.param([(0, 0), (1800, 1)], [1, 0, 0], [900, 900, 0], [0] * 3, id="a half rounds up"),
        pytest.param([(0, 5), (3600, 5)], [0, 0, 0], [900] * 3, [0] * 3, id="nothing flowed, and that is known"),
        pytest.param([(-3600, 0), (3601, 7201)], [900] * 3, [0] * 3, [900] * 3, id="a long gap is bridged: estimated"),
        pytest.param([(0, 9)], [0] * 3, [0] * 3, [0] * 3, id="one reading tells of no flow"),
        pytest.param([], [0] * 3, [0] * 3, [0] * 3, id="no reading"),
        pytest.param([(2700, 0), (3600, 100)], [0] * 3, [0] * 3, [0] * 3, id="all of it later"),
        pytest.param([(-900, 0), (0, 100)], [0] * 3, [0] * 3, [0] * 3, id="all of it earlier"),
    ],
)  # fmt: skip
def test_a_register_in_quarter_hours(
    rows: list[tuple[int, int]], energy: list[int], measured: list[int], estimated: list[int]
) -> None:
    assert folded(register(rows), 3) == (energy, measured, estimated)


@pytest.mark.parametrize(("limit_s", "is_measured"), [(1800, True), (1799, False)])
def test_readings_at_most_the_gap_limit_apart_count_as_measured(limit_s: int, is_measured: bool) -> None:
    _, measured, estimated = folded(register([(0, 0), (1800, 10)], limit_s), 2)
    assert (measured, estimated) == (([900, 900], [0, 0]) if is_measured else ([0, 0], [900, 900]))


@pytest.mark.parametrize(
    ("rows", "energy", "measured"),
    [
        pytest.param([(0, 900, 70), (900, 900, 30)], [70, 30, 0], [900, 900, 0], id="quarter-hours"),
        pytest.param([(0, 2700, 100)], [33, 34, 33], [900] * 3, id="a longer one is shared out, and keeps its sum"),
        pytest.param([(300, 300, 9), (600, 300, 5)], [14, 0, 0], [600, 0, 0], id="shorter ones"),
        pytest.param([(0, 900, 70), (1800, 900, 30)], [70, 0, 30], [900, 0, 900], id="what lies between is unknown"),
        pytest.param([(0, 900, 70), (450, 900, 99), (900, 900, 1)], [70, 1, 0], [900, 900, 0], id="one that overlaps"),
        pytest.param([(0, 900, -8)], [-8, 0, 0], [900, 0, 0], id="a negative energy stays as it was told"),
    ],
)
def test_intervals_in_quarter_hours(rows: list[tuple[int, int, int]], energy: list[int], measured: list[int]) -> None:
    assert folded(intervals(rows), 3) == (energy, measured, [0, 0, 0])


def test_an_interval_that_an_earlier_one_covers_is_an_overlap() -> None:
    """0–30, 15–30 (inside), 30–45 (touches), 40–55 (reaches in), 50–65 (begins where the one set aside is)."""
    minutes = [(0, 30), (15, 15), (30, 15), (40, 15), (50, 15)]
    at, length = ints(m * 60 for m, _ in minutes), ints(n * 60 for _, n in minutes)
    o = Verdict.OVERLAP

    def verdicts(*offsets: int) -> list[int]:
        found: list[int] = interval_extents(at * US_PER_S, length * US_PER_S, ints(offsets)).verdict.tolist()
        return found

    assert verdicts(0, 5) == [0, o, 0, o, 0]
    assert verdicts(0, 1, 2, 5) == [0, 0, 0, o, 0]


def test_a_clock_that_jitters_cuts_intervals_short_and_loses_no_energy() -> None:
    """Quarter-hours that begin a few seconds early and late; days told as 24 hours where the clock was put forward."""
    jittering = [(0, 900, 25), (901, 900, 25), (1800, 900, 25), (2702, 900, 25)]
    energy, measured, _ = folded(intervals(jittering), 5)
    assert sum(energy) == 100
    assert measured[:3] == [900, 899, 900]
    hour = 3600
    days = intervals([(0, 24 * hour, 960), (24 * hour, 24 * hour, 920), (47 * hour, 24 * hour, 960)])
    energy, _, _ = folded(days, 71 * 4)
    assert [sum(energy[: 24 * 4]), sum(energy[24 * 4 : 47 * 4]), sum(energy[47 * 4 :])] == [960, 920, 960]


def test_energies_of_unknown_length_share_their_quarter_hour() -> None:
    rows = [(600, 0, 1), (720, 0, 2), (900, 0, 4), (1799, 0, 8), (2700, 900, 16)]
    assert folded(intervals(rows), 5) == ([3, 12, 0, 16, 0], [900, 900, 0, 900, 0], [0] * 5)


@st.composite
def knots(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """Instants (not decreasing), steps, and what is known of each: any line there can be. In no time nothing flows."""
    unit = draw(st.sampled_from([1, 1000, US_PER_S, QUARTER_US]))
    gaps = draw(st.lists(st.integers(0, 3 * QUARTER_US // unit + 1), max_size=15))
    at = np.cumsum([START_US // unit, *gaps]) * unit
    step = draw(st.lists(st.integers(-(10**6), 10**12), min_size=len(at) - 1, max_size=len(at) - 1))
    step = [one if gap else 0 for one, gap in zip(step, gaps, strict=True)]
    span = draw(st.lists(st.sampled_from(list(Span)), min_size=len(at) - 1, max_size=len(at) - 1))
    return at.tolist(), [0, *step], [0, *span]


def lines_of(some: list[tuple[list[int], list[int], list[int]]]) -> Lines:
    at, step, span = (ints(x for one in some for x in one[i]) for i in range(3))
    return Lines(at, step, span.astype(np.uint8), np.cumsum([0, *(len(one[0]) for one in some)]))


def exact(one: tuple[list[int], list[int], list[int]], at_us: int) -> int:
    """What has flowed until an instant: the straight line between knots, rounded half up once."""
    at, step, _ = one
    total = 0
    for i in range(1, len(at)):
        if at[i] <= at_us:
            total += step[i]
        elif at[i - 1] < at_us:
            total += floor(Fraction(step[i] * (at_us - at[i - 1]), at[i] - at[i - 1]) + Fraction(1, 2))
    return total


@settings(max_examples=150, deadline=None)
@given(st.lists(knots(), min_size=1, max_size=3), st.data())
def test_a_line_at_an_instant_is_the_straight_line_rounded_half_up_once(some: list[Any], data: st.DataObject) -> None:
    before = START_US - QUARTER_US
    asked = [
        [before, *sorted(data.draw(st.lists(st.integers(before, one[0][-1] + QUARTER_US), min_size=1, max_size=5)))]
        for one in some
    ]
    owner = ints(i for i, instants in enumerate(asked) for _ in instants)
    flowed, _, _ = flow_at(lines_of(some), ints(x for instants in asked for x in instants), owner)
    for i, (one, instants) in enumerate(zip(some, asked, strict=True)):
        mine = flowed[owner == i]
        assert (mine - mine[0]).tolist() == [exact(one, x) for x in instants]


@settings(max_examples=150, deadline=None)
@given(st.lists(knots(), min_size=1, max_size=3))
def test_the_quarters_of_a_line_add_up_to_its_end_minus_its_beginning(some: list[Any]) -> None:
    first = ints(one[0][0] // QUARTER_US for one in some)
    count = ints(one[0][-1] // QUARTER_US + 1 for one in some) - first
    out = fold(lines_of(some), first, count)
    for i, (at, step, span) in enumerate(some):
        part = slice(int(out.offsets[i]), int(out.offsets[i + 1]))
        measured, estimated = out.measured_s[part], out.estimated_s[part]
        assert out.energy_milliwh[part].sum() == sum(step)
        for column, kind in ((measured, Span.MEASURED), (estimated, Span.ESTIMATED)):
            seconds = [
                b // US_PER_S - a // US_PER_S for a, b, s in zip(at, at[1:], span[1:], strict=False) if s == kind
            ]
            assert column.sum() == sum(seconds)
            assert (column >= 0).all()
        assert (measured + estimated <= 900).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(knots(), min_size=1, max_size=4))
def test_lines_folded_together_come_out_as_each_alone(some: list[Any]) -> None:
    first, count = ints([START] * len(some)), ints(range(1, len(some) + 1))
    together = fold(lines_of(some), first, count)
    alone = [folded(lines_of([one]), i + 1) for i, one in enumerate(some)]
    for i, column in enumerate((together.energy_milliwh, together.measured_s, together.estimated_s)):
        assert column.tolist() == [x for one in alone for x in one[i]]
    assert together.offsets.tolist() == np.cumsum([0, *count]).tolist()


def test_a_step_over_centuries_of_odd_microseconds_is_shared_without_overflow() -> None:
    """A step of the largest register across 300 years, whose length has no factor in common with a quarter-hour."""
    length = 300 * 366 * 86_400 * US_PER_S + 1
    one = ([START_US, START_US + length], [0, 9 * 10**15], [0, int(Span.ESTIMATED)])
    at = [START_US + QUARTER_US, START_US + length // 2, START_US + length - 1]
    flowed, _, _ = flow_at(lines_of([one]), ints(at), ints([0, 0, 0]))
    assert flowed.tolist() == [exact(one, x) for x in at]
