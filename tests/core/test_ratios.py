"""Exact rational numbers, one or a column of them, beside Python's own fractions."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.ratios import ONE, ZERO, Ratio, choose, columns, total

wholes = st.integers(-(10**30), 10**30)
pairs = st.lists(st.tuples(wholes, st.integers(1, 10**25), wholes, st.integers(1, 10**25)), min_size=2, max_size=5)


def of_columns(some: list[tuple[int, int, int, int]]) -> tuple[Ratio, Ratio]:
    a, b, c, d = (np.array(column, object) for column in zip(*some, strict=True))
    return Ratio(a, b), Ratio(c, d)


@given(pairs)
def test_columns_and_single_numbers_are_worked_out_alike(some: list[tuple[int, int, int, int]]) -> None:
    one, other = of_columns(some)
    found = [
        one + other,
        one - other,
        one * other,
        -one,
        one.least(other),
        one.greatest(other),
        total([one, other, one]),
    ]
    for i, (a, b, c, d) in enumerate(some):
        x, y = Fraction(a, b), Fraction(c, d)
        expected = [x + y, x - y, x * y, -x, min(x, y), max(x, y), 2 * x + y]
        assert [each.at(i) for each in found] == expected
        u, v = Ratio(a, b), Ratio(c, d)
        alone = [u + v, u - v, u * v, -u, u.least(v), u.greatest(v), total([u, v, u])]
        assert [each.fraction for each in alone] == expected
        assert ((u <= v), (u >= v)) == (x <= y, x >= y)
        assert (bool((one <= other)[i]), bool((one >= other)[i])) == (x <= y, x >= y)  # type: ignore[index]


@given(pairs)
def test_a_single_number_goes_with_a_column(some: list[tuple[int, int, int, int]]) -> None:
    one, _ = of_columns(some)
    three = Ratio(3, 7)
    for i, (a, b, _, _) in enumerate(some):
        x = Fraction(a, b)
        assert (one + three).at(i) == (three + one).at(i) == x + Fraction(3, 7)
        assert (one * three).at(i) == (three * one).at(i) == x * Fraction(3, 7)
        assert one.greatest(three).at(i) == three.greatest(one).at(i) == max(x, Fraction(3, 7))
        assert total([ZERO, one, three, ONE]).at(i) == x + Fraction(10, 7)


@given(pairs)
def test_nothing_over_nothing_is_nothing(some: list[tuple[int, int, int, int]]) -> None:
    one, other = of_columns([(a, b, max(c, 0), d) for a, b, c, d in some])
    for i, (a, b, c, d) in enumerate(some):
        expected = Fraction(a, b) / Fraction(c, d) if c > 0 else 0
        assert one.over(other).at(i) == expected
        assert Ratio(a, b).over(Ratio(max(c, 0), d)).fraction == expected


@given(pairs, st.integers(0, 4))
def test_rounding_halves_away_from_zero_or_to_even(some: list[tuple[int, int, int, int]], decimals: int) -> None:
    halves = [(2 * a + 1, 2, a, 2 * 10**decimals) for a, *_ in some]
    for case in (some, halves):
        one, other = of_columns(case)
        for i, (a, b, c, d) in enumerate(case):
            for column, x in ((one, Fraction(a, b)), (other, Fraction(c, d))):
                scaled = x * 10**decimals
                up = math.floor(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
                assert column.rounded(decimals)[i] == Ratio.of(x).rounded(decimals) == up  # type: ignore[index]
                even: Any = column.rounded(decimals, "half_even")
                assert even[i] == Ratio.of(x).rounded(decimals, "half_even") == round(scaled)


@pytest.mark.parametrize("value", [Fraction(-7, 3), Decimal("0.1"), 5])
def test_a_number_is_taken_as_it_is(value: Any) -> None:
    assert Ratio.of(value).fraction == Fraction(value)


def test_large_integers_of_columns_stay_what_they_are() -> None:
    big = 2**70 + 1
    mixed = choose(np.array([True, False]), Ratio(big), Ratio(1, big))
    assert [mixed.at(0), mixed.at(1)] == [big, Fraction(1, big)]


def test_columns_of_a_table_are_numbers_of_one_home_or_columns_of_many() -> None:
    assert columns(np.array([[1, 2**62]])) == [1, 2**62]
    (first, second) = columns(np.array([[1, 2], [3, 4]]))
    assert (list(first), list(second)) == ([1, 3], [2, 4])  # type: ignore[arg-type]
    assert all(isinstance(one, int) for one in (*first, *second))  # type: ignore[misc]
