"""Carbon intensities on quarter-hours, hours of civil days, and what the past tells of an hour."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from statistics_manager_service.core.carbon import (
    civil_seconds,
    first_zones,
    grams_of,
    hour_means,
    milligrams,
    rows_on_quarters,
    same_hour_means,
    step_us,
)
from statistics_manager_service.core.civil import GroupBy, calendar, instant_us
from statistics_manager_service.core.units import QUARTER_US, S_PER_HOUR

HOUR_US = 4 * QUARTER_US


@pytest.mark.parametrize(
    ("unit", "grams"),
    [("gCO2eq/kWh", 1), ("gCO₂eq/kWh", 1), ("gCO2/kWh", 1), ("g/kWh", 1), (" GCO2EQ / KWH ", 1), ("kgCO2eq/kWh", 1000),
     ("mgCO2eq/kWh", 0.001), ("gCO2eq/MWh", None), ("lb/MWh", None), ("tCO2eq/kWh", None), ("g", None), ("", None),
     ("EUR/kWh", None), ("gCO2eq/kWh/h", None)],
)  # fmt: skip
def test_a_unit_is_known_or_it_is_not(unit: str, grams: float | None) -> None:
    assert grams_of(unit) == grams


@pytest.mark.parametrize("good", [0, 0.0004, 85.2, 2000])
def test_intensities_become_whole_milligrams(good: float) -> None:
    assert milligrams(good) == round(good * 1000)


@pytest.mark.parametrize("bad", [-0.001, -1, 2000.1, float("nan"), float("inf"), float("-inf"), 1e300])
def test_what_no_grid_emits_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no grid's"):
        milligrams(bad)


@pytest.mark.parametrize(
    ("minutes", "step"),
    [
        ([0], 60),
        ([0, 60], 60),
        ([0, 30, 60], 30),
        ([60, 0, 15], 15),
        ([0, 0, 60], 60),
        ([0, 180], 60),
        ([0, 60, 90], 30),
    ],
)
def test_values_count_for_their_least_distance(minutes: list[int], step: int) -> None:
    assert step_us(np.array(minutes, np.int64) * 60_000_000) == step * 60_000_000


@pytest.mark.parametrize("minutes", [[0, 5], [7, 67], [0, 45], [0, 90, 150.5]])
def test_other_distances_are_refused(minutes: list[float]) -> None:
    with pytest.raises(ValueError, match=r"minutes apart|quarter"):
        step_us((np.array(minutes) * 60_000_000).astype(np.int64))


def test_the_last_row_that_covers_a_quarter_tells_of_it() -> None:
    start, length = np.array([0, 4, 2, -4]), np.array([4, 4, 1, 5])
    found = rows_on_quarters(0, 10, start * QUARTER_US, length * QUARTER_US)
    assert found.tolist() == [3, 0, 2, 0, 1, 1, 1, 1, -1, -1]


def test_no_rows_tell_nothing() -> None:
    none = np.array([], np.int64)
    assert rows_on_quarters(5, 3, none, none).tolist() == [-1, -1, -1]


def test_half_hours_are_averaged_to_hours_and_a_hole_makes_an_hour_unknown() -> None:
    value = np.array([100, 100, 50, 50, 7, 7, np.nan, 7, 1, 2, 3, 4], float)
    found = hour_means(np.array([0, 1, 2, 3]) * HOUR_US, 0, value)
    assert found[0] == 75
    assert np.isnan(found[1])
    assert found[2] == 2.5


@pytest.mark.parametrize(
    ("zone", "day", "after", "hours"),
    [("Europe/Lisbon", "2024-03-31", "2024-04-01", 23), ("Europe/Lisbon", "2024-10-27", "2024-10-28", 25),
     ("Europe/Lisbon", "2024-05-10", "2024-05-11", 24), ("Asia/Kolkata", "2024-05-10", "2024-05-11", 24),
     ("Australia/Lord_Howe", "2024-04-07", "2024-04-08", 25)],
)  # fmt: skip
def test_a_day_has_the_hours_of_its_zone(zone: str, day: str, after: str, hours: int) -> None:
    start_us, end_us = (instant_us(zone, np.datetime64(one).astype(object)) for one in (day, after))
    cal = calendar(zone, GroupBy.HOURLY, start_us, end_us)
    value = np.arange((end_us - start_us) // QUARTER_US, dtype=float)
    means = hour_means(cal.edges_us, start_us // QUARTER_US, value)
    assert len(means) == hours
    assert (means * np.diff(cal.edges_us) / QUARTER_US).sum() == pytest.approx(value.sum())
    assert civil_seconds(cal.edges_us[:1], cal.offset_s[:1])[1].tolist() == [0]


def test_the_past_tells_an_hour_that_enough_days_know() -> None:
    wanted = np.array([0, 1, 2]) * S_PER_HOUR
    known = np.array([0, 0, 0, 1, 1, 1, 1, 2]) * S_PER_HOUR
    day = np.array([1, 2, 3, 1, 1, 2, 3, 9])
    value = np.array([10, 20, 60, 1, 2, 3, np.nan, 8.0])
    found = same_hour_means(wanted, known, day, value)
    assert found[0] == 30
    assert np.isnan(found[1:]).all(), "a repeated hour is of one day, an unknown one of none"
    assert same_hour_means(wanted, known, day, value, least_days=2)[1] == 2


def test_the_first_zone_of_a_country_is_found() -> None:
    found = first_zones(files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8"))
    told = {country: found[country] for country in ("PT", "ES", "GB", "DE", "FR", "US")}
    assert told == {"PT": "Europe/Lisbon", "ES": "Europe/Madrid", "GB": "Europe/London", "DE": "Europe/Berlin",
                    "FR": "Europe/Paris", "US": "America/New_York"}  # fmt: skip
    assert len(found) > 240
