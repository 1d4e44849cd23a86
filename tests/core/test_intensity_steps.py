"""Intensities by the quarter-hour, and the steps that tell them: kernels on arrays written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from statistics_manager_service.core.intensity_steps import (
    ANNUAL,
    MOST_YEARS,
    STEPS,
    Told,
    step_name,
    told_on_quarters,
    with_annual,
    with_same_hours,
)
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY

HOUR = 4


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def laid_out(*rows: tuple[int, int, int, int, int], count: int = 6) -> list[tuple[int, str]]:
    """(first quarter, quarters, issue, mg/kWh, kind) of rows, over some quarter-hours."""
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    start_us, length_us = columns[0] * QUARTER_US, columns[1] * QUARTER_US
    told = told_on_quarters(0, count, start_us, length_us, *columns[2:])
    return [(mg, step_name(step)) for mg, step in zip(told.mg_per_kwh.tolist(), told.step.tolist(), strict=True)]


def test_what_was_measured_counts_more_than_estimates_and_these_more_than_forecasts() -> None:
    found = laid_out((0, 4, 9, 30, 2), (1, 2, 5, 20, 1), (2, 1, 1, 10, 0), count=5)
    assert found == [(30, "forecast"), (20, "estimated"), (10, "measured"), (30, "forecast"), (0, "unknown")]


def test_of_one_kind_the_newest_issue_counts_and_of_one_issue_the_value_that_begins_last() -> None:
    newer_hour, older_quarter = (0, 4, 2, 200, 2), (1, 1, 1, 100, 2)
    assert laid_out(newer_hour, older_quarter, count=4) == [(200, "forecast")] * 4
    same_issue = laid_out((0, 4, 1, 100, 0), (2, 4, 1, 300, 0), count=6)
    assert [mg for mg, _ in same_issue] == [100, 100, 300, 300, 300, 300]


def test_nothing_is_told_where_no_value_is() -> None:
    assert laid_out(count=3) == [(0, "unknown")] * 3


def days_of(*days: list[int | None]) -> Told:
    """Days of UTC, each of one value an hour; None where nothing is told of the day's hours."""
    mg = np.array([[0 if one is None else one for one in day] for day in days], np.int64).repeat(HOUR, axis=1)
    step = np.array([[one is not None for one in day] for day in days], np.int8).repeat(HOUR, axis=1)
    return Told(mg.reshape(-1), step.reshape(-1))


def filled(told: Told) -> Told:
    count = len(told.step)
    return with_same_hours(told, np.arange(count, dtype=np.int64) * QUARTER_US, np.zeros(count, np.int64))


@pytest.mark.parametrize(("days", "mean"), [((10, 20), None), ((10, 20, 31), 20), ((10, 20, 31, 31), 23)])
def test_an_hour_is_told_by_three_days_before_it_in_whole_milligrams_halves_up(
    days: tuple[int, ...], mean: int | None
) -> None:
    found = filled(days_of(*([one] * 24 for one in days), [None] * 24))
    assert set(found.mg_per_kwh[-96:].tolist()) == {0 if mean is None else mean}
    assert {step_name(one) for one in found.step[-96:].tolist()} == {"unknown" if mean is None else "same_hour_mean"}


def test_days_that_are_longer_ago_than_28_and_days_behind_do_not_count() -> None:
    silent: list[int | None] = [None] * 24
    old = [[100] * 24 for _ in range(3)]
    assert filled(days_of(*old, *[silent] * 26)).step[-96:].any()  # the last three of the 28 days before
    assert not filled(days_of(*old, *[silent] * 27)).step[-96:].any()  # two of them: too few
    assert not filled(days_of(silent, *old)).step[:96].any()


def test_a_mean_is_not_made_of_means() -> None:
    three = days_of([100] * 24, [100] * 24, [100] * 24, [None] * 24, [None] * 24)
    assert filled(three).step[-96:].any()
    two_and_a_mean = days_of([100] * 24, [100] * 24, [None] * 24, [None] * 24)
    assert not filled(two_and_a_mean).step[-96:].any()


def annual(*years: int, of: tuple[int, ...] = (2010, 2012, 2016)) -> list[int]:
    day = [int(np.datetime64(f"{year}-06-01", "D").astype(np.int64)) for year in years]
    told = Told(np.zeros(len(day), np.int64), np.zeros(len(day), np.int8))
    found = with_annual(told, ints(*day) * US_PER_DAY, ints(*[0] * len(day)), ints(*of), ints(*of) * 1000)
    assert [of[step - ANNUAL] * 1000 for step in found.step.tolist()] == found.mg_per_kwh.tolist()
    return [mg // 1000 for mg in found.mg_per_kwh.tolist()]


def test_of_a_year_the_nearest_that_is_known_counts_of_two_alike_the_earlier() -> None:
    years = (1999, 2010, 2011, 2012, 2013, 2014, 2015, 2016, 2050)
    assert annual(*years) == [2010, 2010, 2010, 2012, 2012, 2012, 2016, 2016, 2016]


def test_a_year_begins_by_the_clock_of_the_zone() -> None:
    told = Told(np.zeros(2, np.int64), np.zeros(2, np.int8))
    new_year_us = int(np.datetime64("2012-01-01", "us").astype(np.int64))
    before_by_utc = ints(new_year_us - QUARTER_US, new_year_us - QUARTER_US)
    found = with_annual(told, before_by_utc, ints(0, 3600), ints(2011, 2012), ints(1, 2))
    assert found.mg_per_kwh.tolist() == [1, 2]


def test_annual_means_leave_alone_what_is_told() -> None:
    told = Told(ints(5, 0), np.array([1, 0], np.int8))
    found = with_annual(told, ints(0, QUARTER_US), ints(0, 0), ints(1970), ints(9))
    assert (found.mg_per_kwh.tolist(), found.step.tolist()) == ([5, 9], [1, ANNUAL])
    assert told.mg_per_kwh.tolist() == [5, 0]


def test_every_step_has_a_word() -> None:
    assert [step_name(one) for one in range(len(STEPS) + 1)] == ["unknown", *STEPS]
    assert step_name(ANNUAL + MOST_YEARS) == "country_annual"
