"""Samples in quarter-hours, and the energy under powers by the trapezium rule."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.samples import integrate, sample_quarters
from statistics_manager_service.core.units import QUARTER_US, US_PER_HOUR, US_PER_S

START = 1_715_335_200 * US_PER_S // QUARTER_US  # the quarter-hour of 2024-05-10T10:00:00Z
START_US = START * QUARTER_US
W, WH = 1000, 1000  # in milliwatts, milliwatt-hours


def columns(rows: list[tuple[int, int]]) -> tuple[Any, Any, Any]:
    """(seconds from the start, milli-units) as instants, values, offsets of one channel."""
    at = np.array([START_US + s * US_PER_S for s, _ in rows], np.int64)
    return at, np.array([v for _, v in rows], np.int64), np.array([0, len(rows)], np.int64)


def energies(rows: list[tuple[int, int]], quarters: int = 4, gap_us: int = US_PER_HOUR) -> tuple[list[int], list[int]]:
    """Milliwatt-hours and measured seconds of the quarters from the start on."""
    out = integrate(*columns(rows), np.array([gap_us]), np.array([START]), np.array([quarters]))
    assert not out.estimated_s.any()
    return out.energy_milliwh.tolist(), out.measured_s.tolist()


@pytest.mark.parametrize(
    ("rows", "energy", "measured"),
    [
        pytest.param([], [0] * 4, [0] * 4, id="no sample"),
        pytest.param([(0, 1000 * W)], [0] * 4, [0] * 4, id="one sample is no energy"),
        pytest.param([(0, 1000 * W), (3600, 1000 * W)], [250 * WH] * 4, [900] * 4, id="1 kW for an hour is 1 kWh"),
        pytest.param([(0, 0), (900, 1000 * W)], [125 * WH, 0, 0, 0], [900, 0, 0, 0], id="a ramp: half of it"),
        pytest.param(
            [(0, 0), (1800, 1000 * W)],
            [Fraction(125, 2) * WH, Fraction(375, 2) * WH, 0, 0],
            [900, 900, 0, 0],
            id="a ramp over two quarters: a quarter and three quarters of it",
        ),
        pytest.param([(450, 400 * W), (1350, 400 * W)], [50 * WH] * 2 + [0] * 2, [450, 450, 0, 0], id="across an edge"),
        pytest.param([(0, 100 * W), (3601, 100 * W)], [0] * 4, [0] * 4, id="a gap over the limit is left out"),
        pytest.param([(0, -1000 * W), (900, -1000 * W)], [-250 * WH, 0, 0, 0], [900, 0, 0, 0], id="a negative power"),
        pytest.param([(0, 1), (900, 1)], [0, 0, 0, 0], [900, 0, 0, 0], id="a quarter of a milliwatt-hour rounds to 0"),
        pytest.param([(0, 2), (900, 2)], [1, 0, 0, 0], [900, 0, 0, 0], id="a half rounds up"),
        pytest.param(
            [(-900, 400 * W), (900, 400 * W)], [100 * WH, 0, 0, 0], [900, 0, 0, 0], id="only the quarters wanted"
        ),
    ],
)
def test_the_energy_under_powers(rows: list[tuple[int, int]], energy: list[Any], measured: list[int]) -> None:
    got, seconds = energies(rows)
    assert got == [int(one) for one in energy]
    assert seconds == measured


def test_the_gap_limit_is_the_channels_own() -> None:
    rows = [(0, 100 * W), (1800, 100 * W)]
    assert energies(rows, gap_us=1800 * US_PER_S)[0] == [25 * WH, 25 * WH, 0, 0]
    assert energies(rows, gap_us=1799 * US_PER_S)[0] == [0] * 4


def test_two_samples_within_a_millisecond_have_no_energy_between_them() -> None:
    at = np.array([START_US, START_US + 1], np.int64)
    out = integrate(at, at, np.array([0, 2]), np.array([US_PER_HOUR]), np.array([START]), np.array([1]))
    assert (out.energy_milliwh.tolist(), out.measured_s.tolist()) == ([0], [0])


def trapezium(rows: list[tuple[int, int]], quarter: int, gap_s: int) -> Fraction:
    """The exact integral over a quarter, in milliwatt-hours: the rule written down plainly."""
    low, high = quarter * 900, (quarter + 1) * 900
    total = Fraction(0)
    for (a, v), (b, w) in pairwise(rows):
        left, right = max(a, low), min(b, high)
        if b - a > gap_s or left >= right:
            continue
        at_left = v + Fraction((w - v) * (left - a), b - a)
        at_right = v + Fraction((w - v) * (right - a), b - a)
        total += (at_left + at_right) / 2 * (right - left) / 3600
    return total


powers = st.lists(
    st.tuples(st.integers(-2000, 6000), st.integers(-(10**7), 10**7)), max_size=40, unique_by=lambda row: row[0]
).map(sorted)


@settings(max_examples=200, deadline=None)
@given(powers, st.sampled_from([60, 900, 3600]))
def test_a_quarters_energy_is_the_integral_to_a_milliwatt_hour(rows: list[tuple[int, int]], gap_s: int) -> None:
    got, _ = energies(rows, quarters=6, gap_us=gap_s * US_PER_S)
    for quarter, energy in enumerate(got):
        assert abs(energy - trapezium(rows, quarter, gap_s)) <= 1


@pytest.mark.parametrize("days", [1, 30, 366])
def test_the_largest_power_over_the_longest_gap_is_integrated_without_overflow(days: int) -> None:
    """1 GW at the start, 0 at the end: in the first quarter-hour almost 250 MWh, in the middle one half of it."""
    seconds, most = days * 86_400, 10**12
    got, measured = energies([(0, most), (seconds, 0)], quarters=seconds // 900, gap_us=seconds * US_PER_S)
    middle = len(got) // 2
    assert measured == [900] * len(got)
    for quarter in (0, middle, len(got) - 1):
        exact = trapezium([(0, most), (seconds, 0)], quarter, seconds)
        assert abs(got[quarter] - exact) <= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(powers, min_size=1, max_size=3))
def test_count_sum_smallest_and_largest_are_those_of_each_quarter(some: list[list[tuple[int, int]]]) -> None:
    quarters = 4
    rows = [row for channel in some for row in channel]
    at, value, _ = columns(rows)
    offsets = np.cumsum([0, *(len(channel) for channel in some)])
    first, count = np.full(len(some), START), np.full(len(some), quarters)
    out = sample_quarters(at, value, offsets, first, count)
    want = []
    for channel in some:
        for quarter in range(quarters):
            inside = [v for s, v in channel if s // 900 == quarter]
            want.append((len(inside), sum(inside), min(inside, default=0), max(inside, default=0)))
    assert list(zip(*(c.tolist() for c in (out.count, out.total, out.low, out.high)), strict=True)) == want
    assert out.offsets.tolist() == [quarters * i for i in range(len(some) + 1)]


@settings(max_examples=100, deadline=None)
@given(st.lists(powers, min_size=1, max_size=4))
def test_channels_integrated_together_come_out_as_each_alone(some: list[list[tuple[int, int]]]) -> None:
    at, value, _ = columns([row for channel in some for row in channel])
    offsets = np.cumsum([0, *(len(channel) for channel in some)])
    gaps = np.array([(60, 900, 3600)[i % 3] * US_PER_S for i in range(len(some))])
    together = integrate(at, value, offsets, gaps, np.full(len(some), START), np.full(len(some), 6))
    alone = [energies(channel, 6, int(gap)) for channel, gap in zip(some, gaps, strict=True)]
    assert together.energy_milliwh.tolist() == [x for energy, _ in alone for x in energy]
    assert together.measured_s.tolist() == [x for _, measured in alone for x in measured]
