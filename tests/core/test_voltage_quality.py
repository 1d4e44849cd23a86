"""Voltage and frequency against the bands of EN 50160, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.voltage_quality import (
    FREQUENCY_BANDS,
    VOLTAGE_BANDS,
    Sampled,
    complies_always,
    judged,
    valid_means,
)

WEEK = 672
NOMINAL = 230_000


def week(inside: int, outside: int = 0, far: int = 0, unknown: int = 0) -> np.ndarray:
    """Means in mV: inside the narrow band, outside of it, outside the wide one, unknown."""
    rows = [230_000.0] * inside + [200_000.0] * outside + [260_000.0] * far + [math.nan] * unknown
    return np.array(rows)


def test_the_bands_of_230_volts_are_those_that_the_standard_names() -> None:
    assert VOLTAGE_BANDS.limits_milli(NOMINAL) == (207_000, 253_000, 195_500, 253_000)
    assert FREQUENCY_BANDS.limits_milli(50_000) == (49_500, 50_500, 47_000, 52_000)


@pytest.mark.parametrize(
    ("mean_mv", "outside"), [(207_000.0, 0), (206_999.9, 1), (253_000.0, 0), (253_000.1, 1), (195_500.0, 1)]
)
def test_what_lies_on_the_edge_of_a_band_is_inside(mean_mv: float, outside: int) -> None:
    found = judged(np.array([mean_mv]), 1, NOMINAL, VOLTAGE_BANDS)
    assert found.outside_narrow == outside
    assert found.outside_wide == int(mean_mv > 253_000)


@pytest.mark.parametrize(
    ("means", "complies"),
    [
        (week(672), True),
        (week(639, outside=33), True),  # 33 / 672 = 4.9 %
        (week(638, outside=34), False),  # 5.06 %
        (week(671, far=1), False),
        (week(600, unknown=72), None),  # 89.3 % are valid
        (week(605, unknown=67), True),  # 90.03 %
        (week(574, outside=31, unknown=67), False),  # 31 / 605 = 5.1 % of the valid ones
        (week(100, outside=34, unknown=538), False),  # more than may be of the whole week
        (week(100, outside=33, unknown=539), None),
        (week(0, far=1, unknown=671), False),
        (week(0, unknown=672), None),
    ],
)
def test_a_week_complies_where_enough_is_known_and_little_enough_is_outside(
    means: np.ndarray, complies: bool | None
) -> None:
    assert judged(means, WEEK, NOMINAL, VOLTAGE_BANDS).complies is complies


def test_of_a_week_that_was_asked_for_in_part_the_whole_is_what_counts() -> None:
    found = judged(week(96), WEEK, NOMINAL, VOLTAGE_BANDS)
    assert (found.valid, found.quarters, found.complies) == (96, 672, None)
    assert found.valid_share == 96 / 672


@given(st.lists(st.one_of(st.just(math.nan), st.floats(180_000, 270_000)), max_size=40), st.integers(0, 20))
def test_what_is_said_of_a_part_stays_true_when_the_rest_is_good(means: list[float], more: int) -> None:
    """A week that is said not to comply can't be made to by what is not known yet."""
    known = [one for one in means if not math.isnan(one)]
    part = judged(np.array(means), len(means) + more, NOMINAL, VOLTAGE_BANDS)
    whole = judged(
        np.array(known + [230_000.0] * (len(means) + more - len(known))), len(means) + more, NOMINAL, VOLTAGE_BANDS
    )
    outside = [one for one in known if not 207_000 <= one <= 253_000]
    assert part.outside_narrow == len(outside)
    if part.complies is False and part.valid < 0.9 * part.quarters:
        assert whole.complies is False


@pytest.mark.parametrize(
    ("weeks", "always"),
    [([True, True], True), ([True, None], None), ([None, False], False), ([], None), ([True, False], False)],
)
def test_a_time_complies_where_all_of_its_weeks_do(weeks: list[bool | None], always: bool | None) -> None:
    assert complies_always(weeks) is always


def test_quarter_hours_without_enough_samples_or_with_an_interruption_are_not_valid() -> None:
    sampled = Sampled(
        count=np.array([0, 2, 3, 3, 15]),
        total=np.array([0, 460_000, 690_000, 462_000, 3_450_015]),
        low=np.array([0, 229_000, 229_000, 2_000, 12_000]),
        high=np.array([0, 231_000, 231_000, 230_000, 240_000]),
    )
    valid = valid_means(sampled, 3, 11_500)
    assert (valid.unknown, valid.too_few_samples, valid.interrupted) == (1, 1, 1)
    assert np.isnan(valid.mean_milli).tolist() == [True, True, False, True, False]
    assert valid.mean_milli[[2, 4]].tolist() == [230_000.0, 230_001.0]
    assert np.isnan(valid_means(sampled, 1, None).mean_milli).tolist() == [True, False, False, False, False]
