"""Days drawn from the past: whole, of the same kind, joint over flows, at levels as they have changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.resampling import (
    DAYS_DRAWN,
    YEAR_DAYS,
    Donors,
    PastDays,
    donors_of,
    drawn_days,
    drawn_energy,
    level_changes,
    level_factors,
    past_days,
    wall_days,
)

#: 2024-01-01, a Monday.
MONDAY = 19_723
LISBON = "Europe/Lisbon"


def days(count: int, first: int = MONDAY) -> PastDays:
    """Days whose every quarter-hour has the day's number, of import and of export a thousand more."""
    own = np.arange(count, dtype=np.float64)[:, None].repeat(96, axis=1)
    return PastDays(first, np.stack([own, own + 1000]))


def test_quarter_hours_stand_in_the_days_and_places_of_the_wall_clock() -> None:
    first = MONDAY * 96
    energy = np.arange(3 * 96, dtype=np.float64)[None]
    found = past_days(first, energy, LISBON)
    assert found.first_day == MONDAY
    assert found.energy_milliwh[0].ravel().tolist() == energy[0].tolist()
    east = past_days(first, energy, "Asia/Kolkata")  # 5:30 ahead: the first day begins at its 22nd quarter-hour
    assert np.isnan(east.energy_milliwh[0, 0, :22]).all()
    assert east.energy_milliwh[0, 0, 22] == 0


def test_of_a_repeated_hour_the_mean_counts_and_a_skipped_one_is_not_known() -> None:
    autumn = 20_023  # 2024-10-27 in Lisbon: 01:00 to 02:00 comes twice
    first = autumn * 96 - 4  # midnight there
    energy = np.where(np.arange(100) < 8, 10.0, 30.0)
    found = past_days(first, energy[None], LISBON)
    assert found.energy_milliwh[0, 0, 4:8].tolist() == [20.0] * 4
    spring = 19_813  # 2024-03-31: 01:00 to 02:00 is skipped
    found = past_days(spring * 96, np.ones((1, 92)), LISBON)
    assert np.isnan(found.energy_milliwh[0, 0]).nonzero()[0].tolist() == [4, 5, 6, 7]
    assert found.totals()[0].tolist() == [pytest.approx(96.0)]


def test_a_day_of_which_one_flow_is_hardly_known_has_no_total() -> None:
    past = days(3)
    past.energy_milliwh[1, 1, :20] = np.nan
    totals = past.totals()
    assert np.isnan(totals[:, 1]).all()
    assert totals[0, [0, 2]].tolist() == [0.0, 192.0]


def test_working_days_are_drawn_for_working_days_and_weekends_for_weekends() -> None:
    past = days(28)
    ahead = MONDAY + 28 + np.arange(7)
    found, any_ago = donors_of(past, past.totals(), ahead)
    kinds = [{int(place) % 7 >= 5 for place in one.places} for one in found]
    assert kinds == [{False}] * 5 + [{True}] * 2
    assert not any_ago


def test_only_the_last_weeks_are_drawn_from() -> None:
    past = days(100)
    found, _ = donors_of(past, past.totals(), np.array([MONDAY + 100]))
    assert found[0].places.min() >= 100 - DAYS_DRAWN


def test_a_home_of_few_days_draws_from_all_of_them() -> None:
    past = days(2)
    found, _ = donors_of(past, past.totals(), np.array([MONDAY + 5]))
    assert found[0].places.tolist() == [0, 1]


def test_far_days_are_drawn_from_the_year_before_at_the_level_of_today() -> None:
    past = days(400)
    past.energy_milliwh[0] = 1.0
    past.energy_milliwh[0, -40:] = 1.5
    near, far = MONDAY + 400 + 3, MONDAY + 400 + 120
    found, any_ago = donors_of(past, past.totals(), np.array([near, far]))
    assert any_ago
    assert found[0].places.min() >= 400 - DAYS_DRAWN
    assert found[0].factor.tolist() == [1.0, 1.0]
    assert np.abs(found[1].places - (far - YEAR_DAYS - MONDAY)).max() <= 10
    assert found[1].factor[0] == pytest.approx(1.5)


def test_each_past_day_is_drawn_about_as_often_as_the_others() -> None:
    donors = [Donors(np.arange(6), np.ones(1)) for _ in range(5)]
    drawn = drawn_days(donors, 35, seed=1)
    counts = np.array([np.bincount(drawn[:, i], minlength=6) for i in range(5)])
    assert counts.min() >= 5
    assert counts.max() <= 6


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    donors = [Donors(np.arange(20), np.ones(1)) for _ in range(9)]
    assert np.array_equal(drawn_days(donors, 35, 7), drawn_days(donors, 35, 7))
    assert not np.array_equal(drawn_days(donors, 35, 7), drawn_days(donors, 35, 8))


def test_a_drawn_day_is_whole_and_of_all_flows_together() -> None:
    past = days(10)
    donors = [Donors(np.arange(10), np.array([1.0, 2.0]))] * 2
    drawn = drawn_days(donors, 9, seed=3)
    row, slot = np.repeat([0, 1], 96), np.tile(np.arange(96), 2)
    energy = drawn_energy(past, donors, drawn, row, slot)
    assert energy.shape == (9, 2, 192)
    for one, places in zip(energy, drawn, strict=True):
        assert one[0].tolist() == np.repeat(places, 96).tolist()
        assert one[1].tolist() == np.repeat(2.0 * (places + 1000), 96).tolist()


def test_where_a_drawn_day_is_not_known_the_mean_of_the_others_counts() -> None:
    past = days(4)
    past.energy_milliwh[:, 2, 10] = np.nan
    past.energy_milliwh[:, :, 11] = np.nan
    donors = [Donors(np.array([1, 2, 3]), np.ones(2))]
    energy = drawn_energy(past, donors, np.array([[2]]), np.zeros(2, np.int64), np.array([10, 11]))
    assert energy[0, 0].tolist() == [2.0, 0.0]


def test_a_steady_home_has_no_changes_of_level() -> None:
    assert np.abs(level_changes(np.full((1, 90), 5.0), 10)).max() == 0


def test_a_step_of_level_is_found_as_its_ratio() -> None:
    totals = np.where(np.arange(120) < 60, 10.0, 20.0)[None]
    changes = level_changes(totals, 14)
    assert changes.max() == pytest.approx(np.log(2.0))
    assert changes.min() == 0


def test_where_no_past_is_long_enough_shorter_times_are_looked_at() -> None:
    assert level_changes(np.full((1, 40), 5.0), 300).shape[1] > 0
    assert level_changes(np.full((1, 10), 5.0), 5).shape == (1, 0)


def test_a_home_that_was_empty_does_not_make_endless_changes() -> None:
    totals = np.where(np.arange(120) < 60, 1e-3, 20.0)[None]
    assert level_changes(totals, 7).max() == pytest.approx(np.log(3.0))
    nothing = np.where(np.arange(120) < 60, 0.0, 20.0)[None]
    assert np.isfinite(level_changes(nothing, 7)).all()


def test_the_middle_of_the_levels_is_none_and_both_sides_are_alike() -> None:
    changes = np.linspace(-0.1, 0.3, 80)[None]
    factors = level_factors(changes, np.ones(1), 35)[:, 0]
    assert factors[17] == pytest.approx(1.0, abs=0.02)
    assert (np.diff(factors) >= 0).all()
    assert factors[0] * factors[-1] == pytest.approx(1.0, abs=0.02)


def test_without_a_past_the_levels_are_those_usual_among_homes() -> None:
    factors = level_factors(np.zeros((2, 0)), np.array([1.0, -1.0]), 35)
    assert np.log(factors[3, 0]) == pytest.approx(-0.3, abs=0.03)
    assert np.log(factors[31, 0]) == pytest.approx(0.3, abs=0.03)
    assert factors[:, 0] * factors[:, 1] == pytest.approx(np.ones(35))


@given(
    totals=st.lists(st.floats(0, 1e8) | st.just(float("nan")), min_size=1, max_size=200),
    length=st.integers(1, 400),
)
def test_changes_and_factors_are_bounded_whatever_a_home_took(totals: list[float], length: int) -> None:
    column: Float64 = np.array([totals, totals])
    factors = level_factors(level_changes(column, length), np.array([1.0, -1.0]), 15)
    assert factors.shape == (15, 2)
    assert ((factors > 0.1) & (factors < 20)).all()


def test_wall_days_of_a_changed_clock_have_the_quarter_hours_of_the_day() -> None:
    day, slot = wall_days(19_813 * 96, 92 + 96, LISBON)
    assert np.bincount(day - day[0]).tolist() == [92, 96]
    assert slot[:8].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
