"""Accuracy of forecasts: the textbook figures, by hand; what is unknown does not count; nothing is divided by zero."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.accuracy import HORIZON_EDGES_H, accuracy, accuracy_by_horizon
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, QUARTERS_PER_HOUR, US_PER_HOUR

NAN = math.nan


def milliwh(*wh: float) -> Float64:
    return np.array(wh) * 1000.0


ACTUAL = milliwh(10, 12, 14, 11)
FORECAST = milliwh(11, 11, 15, 9)
PERSISTENCE = milliwh(8, 10, 12, 14)
#: By hand: errors 1 −1 1 −2, of persistence −2 −2 −2 3. Naive steps in training with a season of 1: 2 2 −3.
BY_HAND = {
    "quarters": 4,
    "mae_wh": 1.25,
    "rmse_wh": 1.322876,
    "bias_wh": -0.25,
    "nrmse_mean": 0.112585,
    "mase": 1.25 / (7 / 3),
    "season_quarters": 1,
    "skill_quarters": 4,
    "skill_mae": 0.444444,
    "skill_rmse": 1 - math.sqrt(7 / 21),
}


@pytest.mark.parametrize(("figure", "expected"), BY_HAND.items())
def test_a_small_example_gives_the_figures_worked_out_by_hand(figure: str, expected: float) -> None:
    found = accuracy(FORECAST, ACTUAL, PERSISTENCE, training_milliwh=ACTUAL, season_quarters=1)
    assert getattr(found, figure) == pytest.approx(expected, abs=1e-6)


def test_each_figure_has_an_expected_one() -> None:
    found = accuracy(FORECAST, ACTUAL, PERSISTENCE)
    assert {one.name for one in fields(found)} == set(BY_HAND)


def test_a_quarter_that_one_side_does_not_know_does_not_count() -> None:
    more = accuracy(
        np.append(FORECAST, milliwh(NAN, 500)), np.append(ACTUAL, milliwh(700, NAN)), np.append(PERSISTENCE, (0.0, 0.0))
    )
    assert more == accuracy(FORECAST, ACTUAL, PERSISTENCE)


def test_skill_compares_over_the_quarters_that_persistence_knows_too() -> None:
    found = accuracy(FORECAST, ACTUAL, milliwh(8, 10, NAN, NAN))
    assert (found.quarters, found.skill_quarters) == (4, 2)
    assert found.mae_wh == 1.25
    assert found.skill_mae == pytest.approx(1 - 1 / 2)
    assert found.skill_rmse == pytest.approx(1 - 1 / 2)


def test_a_gap_in_training_takes_away_the_steps_on_both_of_its_sides() -> None:
    found = accuracy(FORECAST, ACTUAL, PERSISTENCE, milliwh(1, NAN, 5, 8), season_quarters=1)
    assert found.mase == pytest.approx(1.25 / 3)


def test_without_anything_to_compare_all_figures_are_unknown() -> None:
    for found in (
        accuracy(milliwh(), milliwh(), milliwh()),
        accuracy(milliwh(NAN, 1), milliwh(1, NAN), milliwh(1, 1)),
    ):
        assert (found.quarters, found.skill_quarters) == (0, 0)
        figures = {one.name: getattr(found, one.name) for one in fields(found)}
        counts = ("quarters", "skill_quarters", "season_quarters")
        assert all(value is None for name, value in figures.items() if name not in counts)


@pytest.mark.parametrize(
    ("actual", "persistence", "training", "undefined"),
    [
        (milliwh(0, 0), milliwh(1, 1), milliwh(1, 2, 3), {"nrmse_mean"}),
        (milliwh(5, 7), milliwh(5, 7), milliwh(1, 2, 3), {"skill_mae", "skill_rmse"}),
        (milliwh(5, 7), milliwh(1, 1), milliwh(3, 3, 3), {"mase"}),
        (milliwh(5, 7), milliwh(1, 1), milliwh(3), {"mase"}),
        (milliwh(5, 7), milliwh(1, 1), None, {"mase"}),
        (milliwh(-5, -7), milliwh(1, 1), milliwh(1, 2, 3), {"nrmse_mean"}),
    ],
    ids=[
        "a home that took nothing",
        "persistence without error",
        "a constant training",
        "a training shorter than its season",
        "no training",
        "a home that took less than nothing",
    ],
)
def test_what_would_divide_by_zero_is_unknown_and_nothing_else(
    actual: Float64, persistence: Float64, training: Float64 | None, undefined: set[str]
) -> None:
    found = accuracy(milliwh(2, 3), actual, persistence, training, season_quarters=1)
    assert {one.name for one in fields(found) if getattr(found, one.name) is None} == undefined


def test_the_season_of_mase_is_the_day_unless_told() -> None:
    two_days = np.concatenate((np.zeros(QUARTERS_PER_DAY), np.full(QUARTERS_PER_DAY, 4000.0)))
    found = accuracy(FORECAST, ACTUAL, PERSISTENCE, two_days)
    assert found.season_quarters == QUARTERS_PER_DAY
    assert found.mase == pytest.approx(1.25 / 4)


ENERGIES = st.lists(st.tuples(*[st.integers(0, 10_000_000)] * 3), min_size=1, max_size=40)


@given(ENERGIES)
def test_the_root_of_squares_is_never_below_the_mean_of_errors_nor_that_below_the_bias(
    rows: list[tuple[int, int, int]],
) -> None:
    found = accuracy(*np.array(rows, np.float64).T)
    assert found.mae_wh is not None and found.rmse_wh is not None and found.bias_wh is not None
    assert found.rmse_wh >= found.mae_wh - 1e-9
    assert found.mae_wh >= abs(found.bias_wh) - 1e-9


@given(ENERGIES)
def test_persistence_has_no_skill_against_itself_and_the_truth_has_all(rows: list[tuple[int, int, int]]) -> None:
    _, actual, persistence = np.array(rows, np.float64).T
    itself, truth = (accuracy(one, actual, persistence) for one in (persistence, actual))
    differs = bool((persistence != actual).any())
    assert (itself.skill_mae, itself.skill_rmse) == ((0.0, 0.0) if differs else (None, None))
    assert (truth.skill_mae, truth.skill_rmse) == ((1.0, 1.0) if differs else (None, None))


def hours_ahead(*hours: float) -> tuple[np.ndarray, np.ndarray]:
    """Instants of issue so many hours before quarters, from 2024-01-01 on."""
    quarter = 19_723 * QUARTERS_PER_DAY + np.arange(len(hours))
    return quarter * QUARTER_US - (np.array(hours) * US_PER_HOUR).astype(np.int64), quarter


@pytest.mark.parametrize(
    ("hours", "band"),
    [(0, 0), (5.99, 0), (6, 1), (12, 2), (23.75, 2), (24, 3), (47.75, 3), (48, 4), (2_000, 4), (-0.25, None)],
)
def test_a_horizon_lies_in_the_band_that_begins_at_or_before_it(hours: float, band: int | None) -> None:
    issued, quarter = hours_ahead(hours)
    found = accuracy_by_horizon(issued, quarter, milliwh(3), milliwh(1), milliwh(0))
    assert [one.accuracy.quarters for one in found] == [int(i == band) for i in range(len(HORIZON_EDGES_H))]


def test_each_band_tells_the_accuracy_of_its_own_quarters() -> None:
    issued, quarter = hours_ahead(1, 30, 2, 31)
    found = accuracy_by_horizon(issued, quarter, FORECAST, ACTUAL, PERSISTENCE, ACTUAL, 1)
    by_start = {one.from_h: one for one in found}
    assert by_start[0].accuracy == accuracy(FORECAST[::2], ACTUAL[::2], PERSISTENCE[::2], ACTUAL, 1)
    assert by_start[24].accuracy == accuracy(FORECAST[1::2], ACTUAL[1::2], PERSISTENCE[1::2], ACTUAL, 1)


def test_bands_are_data_and_the_last_has_no_end() -> None:
    issued, quarter = hours_ahead(1, 3, 100)
    found = accuracy_by_horizon(issued, quarter, ACTUAL[:3], ACTUAL[:3], ACTUAL[:3], edges_h=(0, 2))
    assert [(one.from_h, one.to_h, one.accuracy.quarters) for one in found] == [(0, 2, 1), (2, None, 2)]


def test_one_quarter_forecast_twice_counts_in_the_band_of_each_issue() -> None:
    quarter = np.array([19_723 * QUARTERS_PER_DAY] * 2)
    issued = quarter * QUARTER_US - np.array([1, 40]) * QUARTERS_PER_HOUR * QUARTER_US
    found = accuracy_by_horizon(issued, quarter, milliwh(9, 20), milliwh(10, 10), milliwh(5, 5))
    assert [one.accuracy.mae_wh for one in found] == [1.0, None, None, 10.0, None]
