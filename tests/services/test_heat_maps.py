"""Every value of the statistics stands in a heat map once, at the date and the time that the clock showed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.services.asking import Statistics
from statistics_manager_service.services.insight.heat_maps import STEPS, HeatMap, laid_out
from statistics_manager_service.services.measuring import Column

HOUR_US = 3_600_000_000
#: Zones, and an instant near which their clocks are set: at midnight, by half an hour, by a day, by the hour.
CHANGES = {
    "Europe/Lisbon": "2024-10-27T01:00",
    "Europe/Berlin": "2024-03-31T01:00",
    "America/Sao_Paulo": "2018-02-18T02:00",
    "America/Havana": "2024-11-03T05:00",
    "Australia/Lord_Howe": "2024-04-06T15:00",
    "Pacific/Apia": "2011-12-30T10:00",
    "Asia/Kathmandu": "2024-01-01T00:00",
    "America/St_Johns": "2024-11-03T04:30",
}
zones = st.sampled_from(sorted(CHANGES))


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def numbered(zone: str, start_us: int, end_us: int, step: str) -> HeatMap:
    """A heat map whose values are the places of their buckets."""
    cal = calendar(zone, GroupBy(step), start_us, end_us)
    size = len(cal.edges_us) - 1
    column = Column("energy_import", None, "kWh", np.arange(size, dtype=float), np.ones(size), np.zeros(size), 0.0)
    return laid_out(Statistics("home", zone, step, "", "", cal, [column]), STEPS[step])


@given(zones, st.integers(-60, 40), st.integers(1, 90), st.sampled_from(sorted(STEPS)), st.integers(0, 14))
def test_each_value_stands_once_at_the_time_that_the_clock_showed(
    zone: str, before_h: int, length_h: int, step: str, minutes: int
) -> None:
    start_us = us(CHANGES[zone]) + before_h * HOUR_US + minutes * 60_000_000
    found = numbered(zone, start_us, start_us + length_h * HOUR_US, step)
    edges_us = found.statistics.calendar.edges_us
    places = np.argwhere(~np.isnan(found.values))
    shown = {int(found.values[row, column]): (row, column) for row, column in places.tolist()}
    second = dict(
        zip(found.repeated.tolist(), zip(*(one.tolist() for one in found.repeated_at), strict=True), strict=True)
    )
    assert len(places) == len(shown)
    assert sorted([*shown, *second]) == list(range(len(edges_us) - 1))
    for place, (row, column) in {**shown, **second}.items():
        local = datetime.fromtimestamp(edges_us[place] / 1e6, ZoneInfo(zone))
        step_minutes = STEPS[step] // 60
        minute = (local.hour * 60 + local.minute) // step_minutes * step_minutes
        assert (found.dates[row], found.times[column]) == (f"{local:%Y-%m-%d}", f"{minute // 60:02d}:{minute % 60:02d}")
    for place, cell in second.items():
        (first,) = (one for one, its in shown.items() if its == cell)
        assert first < place
    skipped = set(zip(*(one.tolist() for one in found.skipped), strict=True))
    assert not skipped & set(shown.values())
    for row, column in skipped:  # the clock never shows it on that day
        wall = datetime.fromisoformat(f"{found.dates[row]}T{found.times[column]}").replace(tzinfo=ZoneInfo(zone))
        back = wall.astimezone(UTC).astimezone(ZoneInfo(zone))
        assert back.replace(tzinfo=None) != wall.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "start", "end", "repeated", "skipped"),
    [
        ("Europe/Lisbon", "2024-10-26T23:00", "2024-10-28T00:00", 4, 0),
        ("Europe/Lisbon", "2024-03-31T00:00", "2024-03-31T23:00", 0, 4),
        ("Australia/Lord_Howe", "2024-04-06T13:00", "2024-04-07T13:30", 2, 0),
        ("Europe/Lisbon", "2024-03-31T00:00", "2024-03-31T01:00", 0, 0),  # up to the change, and not beyond
    ],
)
def test_repeated_and_skipped_quarter_hours_are_counted(
    zone: str, start: str, end: str, repeated: int, skipped: int
) -> None:
    found = numbered(zone, us(start), us(end), "15_mins")
    assert (len(found.repeated), len(found.skipped[0])) == (repeated, skipped)


def test_a_date_that_a_zone_left_out_has_no_row() -> None:
    found = numbered("Pacific/Apia", us("2011-12-29T10:00"), us("2012-01-01T10:00"), "hourly")
    assert found.dates == ["2011-12-29", "2011-12-31", "2012-01-01"]
    assert len(found.skipped[0]) == 0
