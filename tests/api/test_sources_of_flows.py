"""Several channels of one flow: what they tell together, in every grouping, and who speaks where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from homes import Home

DAY = datetime(2023, 5, 10, tzinfo=UTC)
NEXT = "2023-05-11"


def hours(first: int, end: int, step_minutes: int = 60) -> list[str]:
    steps = range(first * 60, end * 60, step_minutes)
    return [(DAY + timedelta(minutes=minutes)).isoformat() for minutes in steps]


def told(meter: str, quantity: str, kind: str, at: list[str], value: Any, **more: Any) -> dict[str, Any]:
    unit = "kWh" if quantity.startswith("energy") else "W"
    values = value if isinstance(value, list) else [value] * len(at)
    return {"meter": meter, "quantity": quantity, "kind": kind, "unit": unit, "at": at, "value": values, **more}


def ask(home: Home, measures: str, group_by: str, start: str = "2023-05-10", end: str = NEXT) -> dict[str, Any]:
    return {one["measure"]: one for one in home.ask(measures, group_by, start, end)["series"]}


def seconds(series: dict[str, Any], share: str, lengths_s: list[int]) -> Decimal:
    return sum((s * n for s, n in zip(series[share], lengths_s, strict=True)), Decimal(0))


GROUPINGS = {"15_mins": [900] * 96, "hourly": [3600] * 24, "daily": [86400], "total": [86400]}


@pytest.fixture
def two_tariffs(each_home: Home) -> Home:
    """Two meters of one flow that are read until noon, and production all day."""
    hourly = {"interval": "PT1H", "stamp": "start"}
    answer = each_home.post(
        told("t1", "energy_import", "interval", hours(0, 12), 0.5, **hourly),
        told("t2", "energy_import", "interval", hours(0, 12), 0.5, **hourly),
        told("pv", "energy_production", "interval", hours(0, 24), 1.0, **hourly),
    )
    assert answer.status_code == 200
    return each_home


@pytest.mark.parametrize("group_by", GROUPINGS)
def test_two_meters_of_a_flow_cover_what_they_cover_in_every_grouping(two_tariffs: Home, group_by: str) -> None:
    found = ask(two_tariffs, "energy_consumption,self_sufficiency_rate,energy_import", group_by)
    assert found["energy_import"]["total"] == 12
    assert seconds(found["energy_import"], "coverage", GROUPINGS[group_by]) == 12 * 3600
    assert found["energy_consumption"]["total"] == 24  # of the hours in which all flows are known
    assert found["self_sufficiency_rate"]["total"] == Decimal("0.5")


@pytest.mark.parametrize("kind", ["register", "sample"])
def test_a_second_meter_that_is_read_for_a_while_takes_nothing_from_the_first(each_home: Home, kind: str) -> None:
    if kind == "register":
        measure = "energy_import"
        rise = [100 + i / 10 for i in range(25)]
        channels = [
            told("a", measure, kind, hours(10, 16, 15), rise[:24]),
            told("b", measure, kind, hours(13, 15, 15), rise[:8]),
        ]
    else:
        measure = "power_import"
        channels = [told("a", measure, kind, hours(10, 16, 15), 500), told("b", measure, kind, hours(13, 15, 15), 300)]
    assert each_home.post(*channels).status_code == 200
    covered = {g: seconds(ask(each_home, measure, g)[measure], "coverage", GROUPINGS[g]) for g in GROUPINGS}
    assert max(covered.values()) - min(covered.values()) < Decimal("0.1")
    assert covered["total"] == pytest.approx(Decimal(5.75 * 3600), abs=Decimal(1))


def test_samples_speak_before_and_behind_a_register(each_home: Home) -> None:
    each_home.post(
        told("dongle", "power_import", "sample", hours(10, 17, 15)[:25], 1000),
        told("grid", "energy_import", "register", hours(13, 16, 15)[:9], [50 + i / 4 for i in range(9)]),
    )
    found = ask(each_home, "energy_import", "hourly", "2023-05-10T10:00:00Z", "2023-05-10T16:00:00Z")["energy_import"]
    assert found["values"] == [1, 1, 1, 1, 1, 1]
    assert found["coverage"] == [1, 1, 1, 1, 1, 1]
    assert found["total"] == 6


def test_samples_speak_from_the_day_behind_the_last_interval_on(each_home: Home) -> None:
    day_and_half = [(DAY + timedelta(hours=i)).isoformat() for i in range(37)]
    each_home.post(
        told("dongle", "power_import", "sample", day_and_half, 2000),
        told("portal", "energy_import", "interval", hours(0, 10), 1.0, interval="PT1H", stamp="start"),
    )
    found = ask(each_home, "energy_import", "daily", "2023-05-10", "2023-05-12")["energy_import"]
    assert found["values"] == [10, 24]  # nothing is counted twice


def test_energy_of_samples_up_to_an_instant_is_the_area_up_to_it(each_home: Home) -> None:
    at = ["2023-05-10T10:00:00Z", "2023-05-10T10:15:00Z", "2023-05-10T10:30:00Z"]
    each_home.post(told("dongle", "power_import", "sample", at, [0, 900, 0]))

    def energy(start: str, end: str) -> Decimal:
        total: Decimal = ask(each_home, "energy_import", "total", f"2023-05-10T{start}Z", f"2023-05-10T{end}Z")[
            "energy_import"
        ]["total"]
        return total

    assert energy("10:00:00", "10:05:00") == Decimal("0.0125")  # 300 W × 5 min / 2
    assert energy("10:05:00", "10:15:00") == Decimal("0.1")
    assert energy("10:20:00", "10:25:00") == Decimal("0.0375")
    assert energy("10:00:00", "10:30:00") == Decimal("0.225")


def test_behind_the_last_sample_nothing_is_known_inside_its_quarter_hour_too(each_home: Home) -> None:
    at = ["2023-05-10T10:00:00Z", "2023-05-10T10:05:00Z"]
    each_home.post(told("dongle", "power_import", "sample", at, 1000))
    found = ask(each_home, "energy_import", "total", "2023-05-10T10:06:00Z", "2023-05-10T10:15:00Z")["energy_import"]
    assert (found["total"], found["values"], found["coverage"]) == (None, [None], [0])
