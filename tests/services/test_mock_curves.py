"""Mock curves and mock telemetry: the same each time, plausible, and never in the way of what is measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from measured import Clock, in_wh, measure, open_store, put_home, quarter, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, WireReadings
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.events.mock_curves import METER, MockCurveHandler
from statistics_manager_service.services.events.mock_telemetry import MockTelemetry, mock_power_w
from statistics_manager_service.services.forecasts.forecasting import (
    MOCK,
    civil_day,
    forecast_between,
    measured_quarters,
)
from statistics_manager_service.services.ports import Channel, Household
from statistics_manager_service.services.telemetry.kept_readings import KeptReadings
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.verifying import verify
from statistics_manager_service.storage.database import SqlStore

DAY = "2024-05-10T00:00:00Z"
FIRST = quarter("2024-05-10")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    found = open_store(database_url)
    yield found
    found.close()


def handle(store: SqlStore, household: str = "home1", now: str = "2024-06-01", **payload: Any) -> None:
    told = {"user_id": household, "start_date": DAY, "delivery_time": 15, "contracted_power": 6.9, **payload}
    work = MockCurveHandler(store, Recorder(store, Clock(now)))(told)
    with store.writing() as view:
        work(view)


def forecasts(store: SqlStore, home: Household) -> list[Any]:
    with store.reading() as view:
        return view.forecasts(home.household_no, "energy_import", 0, 10**6, 2**62)


def taken(store: SqlStore, home: Household, first: int, count: int) -> list[float | None]:
    """What is known of the quarters, Wh."""
    with store.reading() as view:
        return in_wh(measured_quarters(view, home, first, count).tolist())


def forecast(store: SqlStore, home: Household, first: int, count: int) -> list[float | None]:
    edges_us = np.arange(first, first + count + 1, dtype=np.int64) * QUARTER_US
    with store.reading() as view:
        return in_wh(forecast_between(view, home.household_no, edges_us, None)[0].tolist())


def known(values: list[float | None]) -> Float64:
    assert None not in values
    return np.array(values, np.float64)


# --- curves -----------------------------------------------------------------------------------------------------------


def test_a_home_and_a_day_always_get_the_same_curves_and_no_others_do(store: SqlStore) -> None:
    home, other = put_home(store), put_home(store, "other")
    handle(store)
    handle(store, "other")
    handle(store, start_date="2024-05-11")
    curves = [forecast(store, home, FIRST, 192), taken(store, home, FIRST, 192)]
    days = [*(one[:96] for one in curves), *(one[96:] for one in curves)]
    days += [forecast(store, other, FIRST, 96), taken(store, other, FIRST, 96)]
    assert len({tuple(known(one)) for one in days}) == 6
    bootstrap.households_of(store).delete("home1")
    home = put_home(store)
    handle(store, start_date="2024-05-11T14:30:00Z")
    handle(store)
    assert [forecast(store, home, FIRST, 192), taken(store, home, FIRST, 192)] == curves


def test_the_curves_are_plausible_and_of_the_height_that_is_contracted(store: SqlStore) -> None:
    home = put_home(store)
    for i in range(10):
        handle(store, start_date=f"2024-05-1{i}", contracted_power=3.45)
    told, real = known(forecast(store, home, FIRST, 960)), known(taken(store, home, FIRST, 960))
    assert 0 < told.min() < told.mean() / 2 < told.max() < 3450 / 4
    assert 0 < real.min() < real.max() <= 3450 / 4
    assert real.mean() == pytest.approx(told.mean(), rel=0.1)
    assert 0.5 < np.corrcoef(told, real)[0, 1] < 0.999


def test_twice_the_contracted_power_is_twice_the_curve(store: SqlStore) -> None:
    home = put_home(store)
    handle(store, contracted_power=3.45)
    half = known(forecast(store, home, FIRST, 96)), known(taken(store, home, FIRST, 96))
    bootstrap.households_of(store).delete("home1")
    home = put_home(store)
    handle(store, contracted_power="6.9 kVA")
    np.testing.assert_allclose(known(forecast(store, home, FIRST, 96)), 2 * half[0], atol=0.002)
    np.testing.assert_allclose(known(taken(store, home, FIRST, 96)), 2 * half[1], atol=0.002)


@pytest.mark.parametrize("minutes", [20, 30, 60, 90, 720, 1440, 100_000])
def test_a_power_keeps_its_mean_for_the_delivery_time(store: SqlStore, minutes: int) -> None:
    home = put_home(store)
    handle(store)
    fine = known(forecast(store, home, FIRST, 96)), known(taken(store, home, FIRST, 96))
    bootstrap.households_of(store).delete("home1")
    home = put_home(store)
    handle(store, delivery_time=minutes)
    found = known(forecast(store, home, FIRST, 96)), known(taken(store, home, FIRST, 96))
    for fine_wh, kept_wh in zip(fine, found, strict=True):
        by_minute = np.repeat(fine_wh / 15, 15)
        means = [by_minute[i : i + minutes].mean() for i in range(0, 1440, minutes)]
        expected = np.repeat(means, minutes)[:1440].reshape(96, 15).sum(axis=1)
        np.testing.assert_allclose(kept_wh, expected, atol=0.002)


@pytest.mark.parametrize(("day", "quarters"), [("2024-03-31", 92), ("2024-10-27", 100), ("2024-07-01", 96)])
@pytest.mark.parametrize("minutes", [15, 60])
def test_a_day_has_the_quarters_that_its_clock_gives_it(store: SqlStore, day: str, quarters: int, minutes: int) -> None:
    home = put_home(store, timezone="Europe/Lisbon")
    start_us, end_us = civil_day(date.fromisoformat(day), "Europe/Lisbon")
    handle(store, now="2024-12-01", start_date=f"{day}T12:00:00Z", delivery_time=minutes)
    first = start_us // QUARTER_US
    for curve in (forecast, taken):
        found = curve(store, home, first - 1, quarters + 2)
        assert [i for i, one in enumerate(found) if one is None] == [0, quarters + 1]
    (issued_us,) = {row.issued_us for row in forecasts(store, home)}
    assert issued_us == civil_day(date.fromordinal(date.fromisoformat(day).toordinal() - 1), "Europe/Lisbon")[0]
    assert end_us == start_us + quarters * QUARTER_US


def test_a_repetition_changes_nothing(store: SqlStore) -> None:
    home = put_home(store)
    told = {"user_id": "home1", "start_date": DAY, "delivery_time": 15, "contracted_power": 6.9}
    handler = MockCurveHandler(store, Recorder(store, Clock("2024-06-01")))
    works = [handler(told), handler(told)]  # as where the first one's writing failed
    before = taken(store, home, FIRST, 96)
    for work in works:
        with store.writing() as view:
            work(view)
    rows = forecasts(store, home)
    assert [row.source for row in rows] == [MOCK]
    handle(store, delivery_time=60, contracted_power=10.35)
    assert forecasts(store, home) == rows
    assert taken(store, home, FIRST, 96) == before
    with store.reading() as view:
        (channel,) = view.channels(home.household_no)
    assert (channel.meter, channel.reading_count) == (METER, 96)
    assert verify(store).differences == []


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("count", [2, 96])
def test_a_day_that_another_meter_measures_keeps_its_readings_alone(store: SqlStore, kind: Kind, count: int) -> None:
    home = put_home(store)
    measure(store, "home1", FIRST + 40, count, kind=kind)
    before = taken(store, home, FIRST, 192)
    handle(store)
    assert taken(store, home, FIRST, 192) == before
    assert None not in forecast(store, home, FIRST, 96)
    handle(store, start_date="2024-05-20")
    assert None not in taken(store, home, FIRST + 960, 96)


def test_a_day_to_come_has_a_forecast_and_nothing_measured(store: SqlStore) -> None:
    home = put_home(store)
    handle(store, now="2024-05-09T10:00:00")
    assert None not in forecast(store, home, FIRST, 96)
    assert set(taken(store, home, FIRST, 96)) == {None}
    assert forecasts(store, home)[0].issued_us <= us("2024-05-09T10:00:00")
    handle(store, now="2024-05-10T00:00:00")
    assert None not in taken(store, home, FIRST, 96)


@pytest.mark.parametrize("told", [None, 6.9, "6.9", "6.9 kVA", "6.9kva", " 6.9 KVA "])
def test_contracted_power_is_a_number_or_a_text_of_one(store: SqlStore, told: Any) -> None:
    home = put_home(store)
    handle(store, contracted_power=told)
    found = known(forecast(store, home, FIRST, 96))
    bootstrap.households_of(store).delete("home1")
    home = put_home(store)
    handle(store)
    assert found.tolist() == forecast(store, home, FIRST, 96)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"user_id": None, "start_date": None, "delivery_time": None}, ["user_id", "start_date", "delivery_time"]),
        ({"start_date": "someday"}, ["start_date"]),
        ({"start_date": 1715299200}, ["start_date"]),
        ({"delivery_time": 14}, ["delivery_time"]),
        ({"delivery_time": "15"}, ["delivery_time"]),
        ({"delivery_time": True}, ["delivery_time"]),
        ({"contracted_power": 0}, ["contracted_power"]),
        ({"contracted_power": -6.9}, ["contracted_power"]),
        ({"contracted_power": True}, ["contracted_power"]),
        ({"contracted_power": "much"}, ["contracted_power"]),
        ({"contracted_power": "6,9 kVA"}, ["contracted_power"]),
        ({"contracted_power": float("nan")}, ["contracted_power"]),
        ({"contracted_power": float("inf")}, ["contracted_power"]),
        ({"contracted_power": [6.9]}, ["contracted_power"]),
        ({"delivery_time": 0, "contracted_power": 1e9}, ["delivery_time", "contracted_power"]),
    ],
)
def test_a_curve_that_can_not_be_is_refused_with_all_faults(
    store: SqlStore, wrong: dict[str, Any], where: list[str]
) -> None:
    home = put_home(store)
    with pytest.raises(BadInput) as refused:
        handle(store, **wrong)
    assert [one.where for one in refused.value.faults] == where
    assert forecasts(store, home) == []


def test_a_curve_of_nobody_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="nobody"):
        handle(store, "nobody")


# --- telemetry --------------------------------------------------------------------------------------------------------


def send(store: SqlStore, home: Household, now: str, look_back_minutes: int = 60) -> int | None:
    clock = Clock(now)
    return MockTelemetry(store, Recorder(store, clock), clock).record(home, look_back_minutes)


def channels(store: SqlStore, home: Household) -> dict[tuple[str, str, str], Channel]:
    with store.reading() as view:
        return {(c.meter, c.quantity, c.kind.value): c for c in view.channels(home.household_no)}


def registers(store: SqlStore, home: Household) -> list[float]:
    (page,) = KeptReadings(store).pages(home.id, "dongle", "energy_import", 0, 2**62, None, 10**6)
    assert set(page.verdict) == {"plausible"}
    return [one / 1000 for one in page.value_milli]


def flowed_wh(home: Household, first: int, count: int) -> list[float]:
    return (mock_power_w(home, first, count) / 4).tolist()


def test_a_dongle_sends_its_register_power_and_voltage(store: SqlStore) -> None:
    home = put_home(store, api_key="key1", contracted_power_kva=6.9)
    assert send(store, home, "2024-05-10T12:07:00", 90) == 7 + 2 * 6
    found = channels(store, home)
    assert {key: c.reading_count for key, c in found.items()} == {
        ("dongle", "energy_import", "register"): 7,
        ("dongle", "power_import", "sample"): 6,
        ("dongle", "voltage", "sample"): 6,
    }
    assert all(c.last_us == us("2024-05-10T12:00:00") for c in found.values())
    first = quarter("2024-05-10T10:30:00")
    assert taken(store, home, first - 1, 8) == pytest.approx([None, *flowed_wh(home, first, 6), None], abs=0.001)


def test_a_smart_meter_sends_the_energy_of_each_quarter(store: SqlStore) -> None:
    home = put_home(store, meter_id="meter1")
    assert send(store, home, "2024-05-10T12:07:00", 90) == 6
    first = quarter("2024-05-10T10:30:00")
    assert taken(store, home, first - 1, 8) == pytest.approx([None, *flowed_wh(home, first, 6), None], abs=0.001)


def test_a_home_without_dongle_and_smart_meter_sends_nothing(store: SqlStore) -> None:
    assert send(store, put_home(store), "2024-05-10T12:07:00") is None


def test_repeated_and_overlapping_looks_back_add_what_is_new(store: SqlStore) -> None:
    home = put_home(store, api_key="key1", meter_id="meter1")
    times = ("12:00:00", "12:14:59", "12:15:00", "12:20:00", "13:50:00", "13:50:00")
    # a quarter-hour is a register, a power, a voltage and an interval
    assert [send(store, home, f"2024-05-10T{one}", 120) for one in times] == [8 * 4 + 1, 0, 4, 0, 6 * 4, 0]
    first = quarter("2024-05-10T10:00:00")
    assert taken(store, home, first, 15) == pytest.approx(flowed_wh(home, first, 15), abs=0.001)
    assert np.all(np.diff(registers(store, home)) > 0)
    assert verify(store).differences == []


def test_a_register_goes_on_by_what_flowed_in_a_silence_longer_than_the_look_back(store: SqlStore) -> None:
    home = put_home(store, api_key="key1", meter_id="meter1")
    send(store, home, "2024-05-10T00:00:00")
    send(store, home, "2024-05-12T00:00:00")
    first, count = FIRST - 4, 2 * QUARTERS_PER_DAY + 4
    values = registers(store, home)
    assert len(values) == 5 + 4
    assert np.all(np.diff(values) > 0)
    assert values[-1] == pytest.approx(sum(flowed_wh(home, first, count)), abs=0.2)
    assert verify(store).differences == []


def test_after_years_of_silence_it_goes_on(store: SqlStore) -> None:
    home = put_home(store, api_key="key1")
    send(store, home, "2004-05-10T00:00:00")
    assert send(store, home, "2024-05-12T00:00:00") == 12
    assert np.all(np.diff(registers(store, home)) > 0)


def test_it_goes_on_from_where_a_real_register_stands(store: SqlStore) -> None:
    home, clock = put_home(store, api_key="key1", register_unit="kWh"), Clock("2024-06-01")
    at_us = np.array([us("2024-05-10T11:51:17"), us("2024-05-10T11:58:03")], np.int64)
    real = WireReadings("home1", "dongle", "energy_import", Kind.REGISTER, "kWh", at_us, np.array([6436.0, 6436.352]))
    Recorder(store, clock).record([real])
    assert send(store, home, "2024-05-10T12:45:00") == 4 * 3
    values = registers(store, home)
    assert values[:2] == [6_436_000, 6_436_352]
    assert np.all(np.diff(values) > 0)
    assert values[-1] - values[1] == pytest.approx(sum(flowed_wh(home, quarter("2024-05-10T11:45:00"), 4)), abs=0.01)


def test_a_channel_that_is_declared_and_empty_is_begun(store: SqlStore) -> None:
    home = put_home(store, api_key="key1")
    declared = {"quantity": "energy_import", "kind": "register", "unit": "kWh"}
    bootstrap.households_of(store).declare("home1", "dongle", declared)
    send(store, home, "2024-05-10T12:00:00")
    assert None not in taken(store, home, quarter("2024-05-10T11:00:00"), 4)


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])
def test_the_clock_of_the_home_changes_under_it(store: SqlStore, day: str) -> None:
    """Whenever it is sent, the same instant has the same power."""
    home = put_home(store, api_key="key1", meter_id="meter1", timezone="Europe/Lisbon")
    first = quarter(day) - 8
    whole = mock_power_w(home, first, 24)
    assert np.concatenate([mock_power_w(home, first + i, 1) for i in range(24)]).tolist() == whole.tolist()
    send(store, home, f"{day}T04:00:00", 360)
    assert taken(store, home, first, 24) == pytest.approx((whole / 4).tolist(), abs=0.001)
