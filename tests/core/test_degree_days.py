"""Degree days and what energy hangs on them, against figures worked by hand and the normal equations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.degree_days import (
    DegreeDayRule,
    Regression,
    cooling_degree_days,
    heating_degree_days,
    normal_of_days,
    normalised,
    regress,
)


@pytest.mark.parametrize(
    ("mean_c", "heating", "cooling"),
    [
        (-5.0, 23.0, 0.0),
        (15.0, 3.0, 0.0),
        (15.01, 0.0, 0.0),
        (20.0, 0.0, 0.0),
        (23.99, 0.0, 0.0),
        (24.0, 0.0, 3.0),
        (31.5, 0.0, 10.5),
        (math.nan, math.nan, math.nan),
    ],
)
def test_the_degree_days_of_a_day_are_eurostats(mean_c: float, heating: float, cooling: float) -> None:
    day = np.array([mean_c])
    assert np.array_equal(heating_degree_days(day), [heating], equal_nan=True)
    assert np.array_equal(cooling_degree_days(day), [cooling], equal_nan=True)


def test_other_bases_and_limits_can_be_told() -> None:
    rule = DegreeDayRule(20.0, 12.0, 18.3, 18.3)
    assert heating_degree_days(np.array([12.0, 12.5]), rule).tolist() == [8.0, 0.0]
    assert cooling_degree_days(np.array([18.3, 20.3]), rule).tolist() == pytest.approx([0.0, 2.0])


def found(energy: list[float], **regressors: list[float]) -> Regression:
    answer = regress(np.array(energy), {name: np.array(values) for name, values in regressors.items()})
    assert isinstance(answer, Regression), answer
    return answer


def test_a_line_through_four_days_worked_by_hand() -> None:
    """x = 0, 1, 2, 3; y = 1, 3, 4, 8: slope 11/5, intercept 7/10, Σ residual² = 9/5, Σ (y − 4)² = 26."""
    line = found([1, 3, 4, 8], days=[1, 1, 1, 1], hdd=[0, 1, 2, 3])
    assert line.coefficients["hdd"].value == pytest.approx(2.2)
    assert line.coefficients["days"].value == pytest.approx(0.7)
    assert line.r2 == pytest.approx(1 - 1.8 / 26)
    assert line.n == 4
    assert line.residual_standard_error == pytest.approx(math.sqrt(0.9))
    assert line.coefficients["hdd"].standard_error == pytest.approx(math.sqrt(0.9 / 5))  # s² / Σ (x − 1.5)²
    assert line.coefficients["days"].standard_error == pytest.approx(math.sqrt(0.9 * (1 / 4 + 2.25 / 5)))


def solved(rows: list[tuple[int, int, int]], energy: list[int]) -> list[Fraction] | None:
    """The normal equations in exact fractions, by Cramer's rule."""
    k = 3
    a = [[Fraction(sum(r[i] * r[j] for r in rows)) for j in range(k)] for i in range(k)]
    b = [Fraction(sum(r[i] * e for r, e in zip(rows, energy, strict=True))) for i in range(k)]

    def det(m: list[list[Fraction]]) -> Fraction:
        return (
            m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
        )

    whole = det(a)
    if not whole:
        return None
    return [det([[b[i] if j == c else a[i][j] for j in range(k)] for i in range(k)]) / whole for c in range(k)]


@given(st.lists(st.tuples(st.integers(1, 31), st.integers(0, 500), st.integers(0, 200), st.integers(0, 900)),
                min_size=3, max_size=15))  # fmt: skip
def test_the_coefficients_solve_the_normal_equations(rows: list[tuple[int, int, int, int]]) -> None:
    exact = solved([row[:3] for row in rows], [row[3] for row in rows])
    days, hdd, cdd, energy = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    answer = regress(energy, {"days": days, "hdd": hdd, "cdd": cdd})
    if exact is None:
        assert isinstance(answer, str)
        return
    assert isinstance(answer, Regression)
    made = [answer.coefficients[name].value for name in ("days", "hdd", "cdd")]
    scale = max(1.0, *(abs(float(one)) for one in exact))
    assert made == pytest.approx([float(one) for one in exact], abs=1e-6 * scale)


def test_with_as_many_observations_as_coefficients_no_error_is_told() -> None:
    line = found([1, 3], days=[1, 1], hdd=[0, 1])
    assert line.residual_standard_error is None
    assert {one.standard_error for one in line.coefficients.values()} == {None}


def test_why_there_is_no_regression_is_told() -> None:
    few = regress(np.array([1.0]), {"days": np.ones(1), "hdd": np.ones(1)})
    assert few == "1 observations are too few to tell 2 coefficients"
    same = regress(np.array([1.0, 2, 3]), {"days": np.ones(3), "hdd": np.full(3, 4.0)})
    assert isinstance(same, str)
    assert "can't be told apart" in same


def test_energy_in_a_normal_year_worked_by_hand() -> None:
    """10 kWh a day for 30 days do not hang on heating; of 500 kWh, 200 were for 400 K·d: in a year of 500 K·d, 250."""
    assert normalised(500.0, 300.0, 400.0, 500.0) == 550.0


def test_the_normal_of_days_is_the_mean_of_other_years() -> None:
    known = {(1, 1): [10.0, 14.0], (1, 2): [9.0], (2, 28): [5.0, 7.0]}
    assert normal_of_days([(1, 1), (1, 2)], known) == (21.0, 0)
    assert normal_of_days([(1, 1), (1, 3)], known) == (12.0, 1)
    assert normal_of_days([(2, 28), (2, 29)], known) == (12.0, 0)
    assert normal_of_days([(2, 29)], {(2, 29): [4.0], (2, 28): [5.0]}) == (4.0, 0)
