"""Shared production is allocated to the last milliwatt-hour."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.sharing import SHARE_PARTS, by_coefficients, by_import, rest_by_source

Whole = st.one_of(st.integers(0, 9), st.integers(0, 10**6), st.integers(0, 10**12))
Columns = st.integers(1, 6).flatmap(
    lambda m: st.lists(st.tuples(Whole, st.lists(Whole, min_size=m, max_size=m)), min_size=1, max_size=5)
)


def by_hand(total: int, weights: list[int]) -> list[int]:
    """The largest remainder, by fractions: of equal ones the first."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    parts = [int(one) for one in exact]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def columns_of(rows: Any) -> tuple[Any, Any]:
    return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.int64).T


@given(Columns)
def test_in_proportion_to_import_all_that_was_produced_is_allocated(rows: Any) -> None:
    produced, imports = columns_of(rows)
    allocated = by_import(produced, imports)
    assert allocated.T.tolist() == [by_hand(total, weights) for total, weights in rows]
    assert (allocated >= 0).all()
    assert allocated.sum(axis=0).tolist() == np.where(imports.sum(axis=0) > 0, produced, 0).tolist()


@given(st.integers(0, 10**12), st.lists(st.integers(0, SHARE_PARTS), min_size=1, max_size=6))
def test_by_coefficients_what_they_leave_stays_where_it_was_made(produced: int, told: list[int]) -> None:
    whole = max(sum(told), SHARE_PARTS)
    parts = [one * SHARE_PARTS // whole for one in told]
    allocated = by_coefficients(np.array([produced]), np.array(parts)[:, None])[:, 0]
    assert allocated.tolist() == by_hand(produced, [*parts, SHARE_PARTS - sum(parts)])[:-1]
    assert (allocated >= 0).all()
    assert allocated.sum() <= produced
    if sum(parts) == SHARE_PARTS:
        assert allocated.sum() == produced


@given(Columns, st.randoms())
def test_the_order_of_members_matters_to_equal_remainders_alone(rows: Any, random: Any) -> None:
    produced, imports = columns_of(rows)
    order = list(range(len(imports)))
    random.shuffle(order)
    there, here = by_import(produced, imports[order]), by_import(produced, imports)[order]
    assert (np.abs(there - here) <= 1).all()
    for q, (total, weights) in enumerate(rows):
        remainders = [total * weight % max(sum(weights), 1) for weight in weights]
        if len(set(remainders)) == len(remainders):
            assert there[:, q].tolist() == here[:, q].tolist()


@given(Columns)
def test_the_rest_is_that_of_the_sources_and_adds_up(rows: Any) -> None:
    _, made = columns_of(rows)
    rest = made.sum(axis=0) // 3
    parts = rest_by_source(rest, made)
    assert parts.sum(axis=0).tolist() == rest.tolist()
    assert (parts <= made).all()
    assert (parts >= 0).all()


def test_coefficients_of_more_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one"):
        by_coefficients(np.array([5]), np.array([[SHARE_PARTS], [1]]))
    with pytest.raises(ValueError, match="negative"):
        by_coefficients(np.array([5]), np.array([[-1]]))
