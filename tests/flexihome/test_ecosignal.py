"""/ecosignal-forecast: the grid's carbon intensity of a day, hour by hour, as the app reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hems import CARBON, Hems, is_rounded
from hub import HOUR, family, iso, silent

LISBON = ZoneInfo("Europe/Lisbon")
MEMBERS = {"datetime", "request", "value", "unit", "quality", "updated_at"}


def begin(day: str) -> datetime:
    """The instant with which a day of Portugal begins."""
    return datetime.fromisoformat(day).replace(tzinfo=LISBON).astimezone(UTC)


def items(told: Any) -> list[dict[str, Any]]:
    """The items of a day, their shape checked."""
    for one in told:
        assert set(one) == MEMBERS
        for name in ("datetime", "request", "updated_at"):
            assert time.strptime(one[name], "%Y-%m-%dT%H:%M:%SZ")
        assert one["unit"] == "gCO₂eq/kWh"
        assert is_rounded(one["value"])
        assert isinstance(one["quality"], str)
        assert one["quality"]
    found: list[dict[str, Any]] = told
    return found


DAYS = {
    "2024-05-10": 24,
    "2024-01-15": 24,
    "2024-03-31": 23,
    "2023-10-29": 25,
}


@pytest.mark.parametrize("day", DAYS)
def test_the_app_reads_each_hour_of_a_day_as_the_newest_run_tells_it(hems: Hems, day: str) -> None:
    told = items(family(hems).app.get(CARBON, {"forecast_day": day}))
    start, sentinel = begin(day), hems.sentinel
    hours = [start + i * HOUR for i in range(DAYS[day])]
    assert [one["datetime"] for one in told] == [iso(moment) for moment in hours]
    assert [one["value"] for one in told] == [Decimal(str(sentinel.grams(moment))) for moment in hours]
    assert {one["request"] for one in told} == {iso(sentinel.issued(start))}, "when it was issued, of the later run"
    assert {one["updated_at"] for one in told} == {iso(sentinel.issued(start) + timedelta(minutes=5))}
    assert {one["quality"] for one in told} == {"forecast"}


@pytest.mark.parametrize(
    "form", ["2024-05-10", "2024-05-10T00:00:00Z", "2024-05-10T12:00:00.000Z", "2024-05-10T23:30:00-05:00",
             "2024-05-10T08:00:00", "2024-05-10 08:00"]
)  # fmt: skip
def test_of_a_date_time_the_date_counts(hems: Hems, form: str) -> None:
    told = family(hems).app.get(CARBON, {"forecast_day": form})
    assert told == family(hems).app.get(CARBON, {"forecast_day": "2024-05-10"})


def test_the_manager_and_every_home_read_the_same(hems: Hems) -> None:
    query = {"forecast_day": "2024-05-10"}
    told = hems.manager.get(CARBON, query)
    assert len(told) == 24
    assert family(hems).app.get(CARBON, query) == silent(hems).app.get(CARBON, query) == told


@pytest.mark.parametrize("ahead", [0, 1])
def test_today_and_tomorrow_are_told(hems: Hems, ahead: int) -> None:
    day = (datetime.now(LISBON) + timedelta(days=ahead)).date().isoformat()
    told = items(family(hems).app.get(CARBON, {"forecast_day": day}))
    assert told[0]["datetime"] == iso(begin(day))
    assert told[0]["value"] == Decimal(str(hems.sentinel.grams(begin(day))))


def test_a_day_of_which_nothing_is_known_is_not_found_and_is_not_the_day_before(hems: Hems) -> None:
    hems.sentinel.silent_on.add(begin("2022-06-11"))
    before = family(hems).app.get(CARBON, {"forecast_day": "2022-06-10"})
    assert len(before) == 24
    assert "2022-06-11" in family(hems).app.refused(404, CARBON, {"forecast_day": "2022-06-11"})


def test_a_day_that_is_known_is_answered_while_its_source_is_down(hems: Hems) -> None:
    query = {"forecast_day": "2024-02-20"}
    before = hems.manager.get(CARBON, query)
    hems.sentinel.server.goes_down()
    try:
        assert hems.manager.get(CARBON, query) == before
    finally:
        hems.sentinel.server.comes_up()


@pytest.mark.parametrize("day", ["", "someday", "2024-02-30", "2024-13-01", "20240510", "2024-05-10x", "1715299200",
                                 "2024-05-10Tfoo", "2024-05-10T25:00:00Z", "2024-05-10 "])  # fmt: skip
def test_what_is_no_day_is_refused(hems: Hems, day: str) -> None:
    assert "forecast_day" in family(hems).app.refused(400, CARBON, {"forecast_day": day})


def test_a_day_has_to_be_named(hems: Hems) -> None:
    assert "forecast_day" in family(hems).app.refused(400, CARBON)
