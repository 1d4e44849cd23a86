"""Curves of mean power as energy of quarter-hours, and as energy of buckets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.power_curve import energy_between, quarters_of_power, step_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
FIRST = 1_674_172_800_000_000 // QUARTER_US  # 2023-01-20T00:00Z
START_US = FIRST * QUARTER_US
NAN = float("nan")


def steps(count: int, step_us: int, begin_us: int = START_US) -> Int64:
    return begin_us + np.arange(count, dtype=np.int64) * step_us


# --- the step ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 5, 10, 15, 20, 30, 60])
def test_the_step_is_the_distance_of_neighbours(minutes: int) -> None:
    assert step_of(steps(4, minutes * MINUTE_US)) == minutes * MINUTE_US


def test_a_missing_value_does_not_make_the_step_longer() -> None:
    at = steps(24, HOUR_US)
    assert step_of(np.delete(at, [3, 4, 9, 17])) == HOUR_US


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ([], "at least two"),
        ([START_US], "at least two"),
        ([START_US, START_US + 1], "a minute to an hour"),
        ([START_US, START_US + 12 * HOUR_US], "a minute to an hour"),
        ([START_US, START_US + HOUR_US + 1], "a minute to an hour"),
    ],
)
def test_what_is_no_curve_is_refused_and_nothing_made_up(at: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        step_of(np.array(at, np.int64))


# --- energies of quarter-hours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "power_w", "quarters"),
    [
        (60, [400.0, 800.0], [100_000] * 4 + [200_000] * 4),
        (30, [400.0, 800.0], [100_000] * 2 + [200_000] * 2),
        (15, [400.0, 800.0], [100_000, 200_000]),
        (5, [300.0, 600.0, 900.0, 0.0, 0.0, 1200.0], [150_000, 100_000]),
        (10, [300.0, 600.0, 900.0], [100_000, 200_000]),  # the second power flows half in each
        (20, [300.0, 600.0, 900.0], [75_000, 125_000, 175_000, 225_000]),
    ],
)
def test_a_power_is_kept_for_its_step(minutes: int, power_w: list[float], quarters: list[int]) -> None:
    first, energy = quarters_of_power(steps(len(power_w), minutes * MINUTE_US), np.array(power_w), minutes * MINUTE_US)
    assert first == FIRST
    assert energy.tolist() == quarters


def test_a_hole_is_unknown_and_takes_nothing_from_its_neighbours() -> None:
    at = np.delete(steps(4, HOUR_US), 2)
    _, energy = quarters_of_power(at, np.array([400.0, 800.0, 1200.0]), HOUR_US)
    np.testing.assert_array_equal(energy, [100_000] * 4 + [200_000] * 4 + [NAN] * 4 + [300_000] * 4)


def test_a_quarter_that_is_covered_in_part_is_unknown() -> None:
    at = steps(2, HOUR_US, START_US + 10 * MINUTE_US)
    first, energy = quarters_of_power(at, np.array([400.0, 400.0]), HOUR_US)
    assert first == FIRST
    np.testing.assert_array_equal(energy, [NAN, *[100_000] * 7, NAN])


def test_a_power_below_nothing_stays_so() -> None:
    _, energy = quarters_of_power(steps(2, QUARTER_US), np.array([-400.0, 400.0]), QUARTER_US)
    assert energy.tolist() == [-100_000, 100_000]


POWERS = st.lists(st.floats(0, 1_000_000, allow_subnormal=False), min_size=2, max_size=120)
STEPS = st.sampled_from([1, 5, 10, 15, 20, 30, 60])


@given(POWERS, STEPS)
def test_the_energy_of_a_curve_is_conserved_to_the_milliwatt_hour(power_w: list[float], minutes: int) -> None:
    quarters_covered = len(power_w) * minutes // 15
    step_us = minutes * MINUTE_US
    _, energy = quarters_of_power(steps(len(power_w), step_us), np.array(power_w), step_us)
    known = np.isfinite(energy)
    assert known.sum() == quarters_covered
    assert known[:quarters_covered].all()
    exact = sum(
        Fraction(power) * 1000 * max(min(Fraction(minutes), quarters_covered * 15 - Fraction(i * minutes)), 0) / 60
        for i, power in enumerate(power_w)
    )
    # half a unit for the one rounding, the rest for the sum of floats
    assert abs(Fraction(float(energy[known].sum())) - exact) <= Fraction(1, 2) + exact / 10**12
    assert (energy[known] == np.round(energy[known])).all()


@given(POWERS, STEPS, st.data())
def test_what_is_missing_changes_no_quarter_that_is_told(
    power_w: list[float], minutes: int, data: st.DataObject
) -> None:
    step_us = minutes * MINUTE_US
    at = steps(len(power_w), step_us)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(at), max_size=len(at))))
    if not kept.any():
        kept[0] = True
    first, whole = quarters_of_power(at, np.array(power_w), step_us)
    begin, part = quarters_of_power(at[kept], np.array(power_w)[kept], step_us)
    beside = whole[begin - first : begin - first + len(part)]
    told = np.isfinite(part)
    # an edge of a quarter is rounded from another sum, so by one at most
    assert (np.abs(part[told] - beside[told]) <= 1).all()
    assert not np.isfinite(part[~np.isfinite(beside)]).any()


# --- energies of buckets ----------------------------------------------------------------------------------------------


def test_a_bucket_holds_its_quarters_and_the_known_share_of_its_time() -> None:
    energy = np.array([100.0, 200.0, NAN, 400.0, NAN, NAN])
    edges = START_US + np.array([-4, 0, 2, 3, 5, 8]) * QUARTER_US
    found, share = energy_between(edges, FIRST, energy)
    np.testing.assert_array_equal(found, [NAN, 300, NAN, 400, NAN])
    np.testing.assert_array_equal(share, [0, 1, 0, 0.5, 0])


def test_a_quarter_that_an_edge_cuts_is_divided_by_time() -> None:
    edges = START_US + np.array([0, 5, 15, 20]) * MINUTE_US
    found, share = energy_between(edges, FIRST, np.array([900.0, NAN]))
    np.testing.assert_array_equal(found, [300, 600, NAN])
    np.testing.assert_array_equal(share, [1, 1, 0])


def test_of_nothing_nothing_is_known() -> None:
    found, share = energy_between(steps(4, HOUR_US), 0, np.empty(0))
    assert np.isnan(found).all()
    assert not share.any()


ENERGIES = st.lists(st.one_of(st.just(NAN), st.integers(0, 250_000_000).map(float)), min_size=1, max_size=40)
EDGES = st.lists(st.integers(-QUARTER_US, 42 * QUARTER_US), min_size=2, max_size=15, unique=True).map(sorted)


@given(ENERGIES, EDGES)
def test_parts_add_up_to_the_whole(energies: list[float], inside: list[int]) -> None:
    energy: Float64 = np.array(energies)
    edges = START_US + np.array(inside, np.int64)
    parts, shares = energy_between(edges, FIRST, energy)
    whole, share = energy_between(edges[[0, -1]], FIRST, energy)
    assert np.nansum(parts) == np.nan_to_num(whole[0])
    assert (shares * np.diff(edges)).sum() == pytest.approx(share[0] * (edges[-1] - edges[0]), abs=1)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert (np.isfinite(parts) == (shares > 0)).all()


@given(ENERGIES)
def test_the_whole_is_the_sum_of_what_is_known(energies: list[float]) -> None:
    edges = START_US + np.array([-1, 50]) * QUARTER_US
    whole, _ = energy_between(edges, FIRST, np.array(energies))
    assert np.nan_to_num(whole[0]) == np.nansum(energies)
