"""The intensity of a mix: worked by hand, and the laws of a weighted mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.generation_mix import mix_intensity

NAN = float("nan")


def mixed(power: list[list[float]], factor: list[float]) -> list[float]:
    return mix_intensity(np.array(power, float).reshape(len(factor), -1), np.array(factor, float)).tolist()


def test_the_intensity_is_the_mean_of_the_factors_weighted_by_generation() -> None:
    assert mixed([[300, 0], [500, 500], [200, 0]], [820, 12, 490]) == pytest.approx([350.0, 12.0])


def test_where_nothing_is_generated_it_is_not_known() -> None:
    assert mixed([[0, NAN], [0, NAN]], [820, 12]) == pytest.approx([NAN, NAN], nan_ok=True)
    assert mix_intensity(np.zeros((0, 3)), np.zeros(0)) == pytest.approx([NAN] * 3, nan_ok=True)
    assert mixed([[500.0]], [NAN]) == pytest.approx([NAN], nan_ok=True), "a store alone is no mix"


def test_a_store_counts_neither_in_the_emissions_nor_in_the_generation() -> None:
    assert mixed([[100], [100], [900]], [800, 0, NAN]) == [400]


def test_an_hour_of_which_a_large_part_is_not_told_yet_is_not_known() -> None:
    wind, gas = [100.0, 100, 100, 100], [900.0, 900, NAN, NAN]
    assert mixed([wind, gas], [11, 490]) == pytest.approx([442.1, 442.1, NAN, NAN], nan_ok=True)


def test_what_would_be_a_small_part_may_be_untold() -> None:
    solar, gas = [0.0, NAN, NAN, 40.0], [960.0, 960, 960, 960]
    assert mixed([solar, gas], [48, 490]) == pytest.approx([490, 490, 490, 472.32])
    assert mixed([[0.0, NAN, 60.0], gas[:3]], [48, 490])[1] != 490, "60 of 1020 are more than 5 %"


def test_a_type_that_is_never_told_is_none_of_the_zone() -> None:
    assert mixed([[NAN, NAN], [10, 20]], [820, 24]) == [24, 24]


mixes = st.lists(st.tuples(st.floats(0.1, 1e5), st.floats(0, 2000)), min_size=1, max_size=8)


@given(mixes)
def test_it_lies_between_the_least_and_the_largest_factor(mix: list[tuple[float, float]]) -> None:
    power, factor = zip(*mix, strict=True)
    (found,) = mixed([[one] for one in power], list(factor))
    assert min(factor) - 1e-9 <= found <= max(factor) + 1e-9
    assert found == pytest.approx(sum(p * f for p, f in mix) / sum(power))


@given(mixes, st.floats(0.01, 100))
def test_it_does_not_depend_on_the_size_of_the_zone(mix: list[tuple[float, float]], scale: float) -> None:
    power, factor = zip(*mix, strict=True)
    whole = mixed([[one, one * scale] for one in power], list(factor))
    assert whole[0] == pytest.approx(whole[1])


@given(mixes, st.integers(0, 7))
def test_a_type_that_is_told_in_two_parts_counts_as_one(mix: list[tuple[float, float]], place: int) -> None:
    power, factor = zip(*mix, strict=True)
    at = place % len(mix)
    halves = [*power[:at], power[at] / 2, *power[at + 1 :], power[at] / 2]
    assert mixed([[one] for one in halves], [*factor, factor[at]]) == pytest.approx(
        mixed([[one] for one in power], list(factor))
    )
