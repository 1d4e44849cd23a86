"""A battery's books through the store: what it gave by origin, efficiency, cycles, content, price, worked by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from carbon_homes import in_store, tell
from measured import quarter, us
from metered_homes import Desk, by_clock, energy, tariff

from statistics_manager_service import bootstrap
from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.carbon.battery_carbon import BatteryCarbon
from statistics_manager_service.services.carbon.intensity_columns import GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.telemetry.recording import Recorder

DAY = "2026-01-05"
BY_ORIGIN = [f"energy_stored_{one}_to_home" for one in ("production", "grid", "unknown")]


def _of(wh: dict[int, int], number: int) -> int:
    return wh.get(number, 0)


def home(url: str, hours: dict[str, dict[int, float]], **settings: Any) -> Desk:
    """A home of which flows are told as kWh in hours from DAY on, evenly in each."""
    desk = Desk(url, timezone="UTC", **settings)
    first = quarter(DAY)
    for flow, kwh in hours.items():
        wh = {first + 4 * hour + part: round(one * 250) for hour, one in kwh.items() for part in range(4)}
        desk.measure(flow, DAY, "2026-01-07", partial(_of, wh))
    return desk


def ask(desk: Desk, *measures: str, start: str = DAY, end: str = "2026-01-07", **more: Any) -> dict[str, Column]:
    question = Question(",".join(measures), start, end, **{"group_by": "daily", **more})
    answer = bootstrap.asking_of(desk.store).statistics("home1", question)
    return {one.measure: one for one in answer.columns}


def kwh(column: Column) -> list[float | None]:
    return [None if np.isnan(one) else round(float(one), 6) for one in column.value]


#: At noon 4 kWh of the sun go into the battery, at 02:00 of the next day 2 of the grid; at 80 % they give 4.8: first
#: 3.2 of the sun, then 1.6 of the grid. The home uses nothing else.
SUN_AND_GRID = {
    "pv.production": {12: 4.0},
    "grid.import": {26: 2.0},
    "battery.charge": {12: 4.0, 26: 2.0},
    "battery.discharge": {30: 1.6, 31: 1.6, 32: 1.6},
}


def test_what_was_stored_first_is_given_first(database_url: str) -> None:
    desk = home(database_url, SUN_AND_GRID, battery_efficiency=0.8)
    found = ask(desk, *BY_ORIGIN, "battery_stored", group_by="hourly", start="2026-01-06T06:00", end="2026-01-06T10:00")
    assert [kwh(found[one]) for one in BY_ORIGIN] == [[1.6, 1.6, 0.0, 0.0], [0.0, 0.0, 1.6, 0.0], [0.0] * 4]
    assert kwh(found["battery_stored"]) == [3.2, 1.6, 0.0, 0.0]


def test_efficiency_is_that_of_its_life_unless_told(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID)  # 4.8 out of 6.0
    found = ask(desk, *BY_ORIGIN, "battery_efficiency", group_by="total")
    assert [one.total for one in found.values()] == pytest.approx([3.2, 1.6, 0.0, 0.8])


def test_cycles_and_efficiency_need_to_know_what_the_battery_holds(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID)
    assert np.isnan(ask(desk, "battery_cycles")["battery_cycles"].total)
    bootstrap.households_of(desk.store).patch("home1", {"battery_capacity_kwh": 4.0}, by_service=True)
    found = ask(desk, "battery_cycles", "battery_efficiency")
    assert kwh(found["battery_cycles"]) == [0.0, 1.2]
    assert found["battery_cycles"].total == pytest.approx(1.2)
    # on the first day it gave nothing; on the second 4.8 of 2.0, the rest having been stored before: at most all
    assert kwh(found["battery_efficiency"]) == [None, 1.0]
    assert found["battery_efficiency"].total == pytest.approx(0.8)


def test_below_a_full_cycle_no_efficiency_is_told_and_no_losses_are_taken(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID, battery_capacity_kwh=10.0)
    found = ask(desk, *BY_ORIGIN, "battery_efficiency", "battery_stored", group_by="total")
    assert np.isnan(found["battery_efficiency"].total)
    # without losses 6.0 were stored: of the 4.8, 4.0 are of the sun, and 1.2 remain
    assert [found[one].total for one in BY_ORIGIN] == pytest.approx([4.0, 0.8, 0.0])
    assert found["battery_stored"].total == pytest.approx(1.2)


def test_the_state_of_charge_tells_what_of_the_charge_is_still_there(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID, battery_capacity_kwh=4.0)
    # from empty to half full: 2 kWh of the 6.0 taken are not lost, so 4.8 of 4.0
    at_us = np.array([us("2026-01-05T00:05"), us("2026-01-06T23:50")], np.int64)
    told = WireReadings("home1", "battery", "state_of_charge", Kind.SAMPLE, "%", at_us, np.array([10.0, 35.0]))
    assert not Recorder(desk.store, bootstrap.now_us).record([told]).refused
    found = ask(desk, "battery_efficiency", group_by="total")["battery_efficiency"]
    assert found.total == pytest.approx(4.8 / (6.0 - 0.25 * 4.0))


def test_what_was_in_it_before_the_first_reading_is_of_unknown_origin(embedded_url: str) -> None:
    hours = {"grid.import": {20: 1.0}, "battery.discharge": {3: 2.0}, "battery.charge": {}}
    found = ask(home(embedded_url, hours), *BY_ORIGIN, group_by="total")
    assert [one.total for one in found.values()] == [0.0, 0.0, 2.0]


def test_origins_add_up_to_what_the_battery_gave_the_home_in_every_grouping(embedded_url: str) -> None:
    desk = Desk(embedded_url, timezone="Europe/Amsterdam")
    rng = np.random.default_rng(3)
    for flow in ("grid.import", "grid.export", "pv.production", "battery.charge", "battery.discharge"):
        desk.measure(flow, "2026-03-27", "2026-04-01", lambda n: int(rng.integers(0, 900)) * (n % 3 > 0))
    asked = {"start": "2026-03-27", "end": "2026-04-02"}
    fine = ask(desk, *BY_ORIGIN, "energy_battery_to_home", group_by="15_mins", **asked)
    for column in fine.values():
        column.value[np.isnan(column.value)] = 0
    whole = np.round(fine["energy_battery_to_home"].value * 1e6)
    assert np.round(np.sum([fine[one].value for one in BY_ORIGIN], axis=0) * 1e6).tolist() == whole.tolist()
    for group_by in ("hourly", "daily", "monthly", "total"):
        coarse = ask(desk, *BY_ORIGIN, group_by=group_by, **asked)
        for one in BY_ORIGIN:
            assert coarse[one].total == pytest.approx(fine[one].total, abs=1e-9)
            assert np.nansum(coarse[one].value) == pytest.approx(fine[one].total, abs=1e-6)
    # and do not hang on what time is asked for
    part = ask(desk, *BY_ORIGIN, group_by="15_mins", start="2026-03-29", end="2026-03-30")
    skipped = 2 * 96
    for one in BY_ORIGIN:
        assert part[one].value.tolist() == fine[one].value[skipped : skipped + 92].tolist()


def test_a_home_without_a_battery_has_no_books(embedded_url: str) -> None:
    desk = home(embedded_url, {"grid.import": {3: 1.0}})
    found = ask(desk, *BY_ORIGIN, "battery_efficiency", "battery_cycles", "battery_stored", "battery_price_stored")
    assert all(np.isnan(one.total) and not one.coverage.any() for one in found.values())


def test_books_are_by_whole_quarter_hours_and_of_the_household(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID)
    with pytest.raises(BadInput, match="whole quarter-hours"):
        ask(desk, "battery_stored", start="2026-01-05T00:07")
    with pytest.raises(BadInput, match="of the household"):
        ask(desk, "battery_stored", meter="battery")


def test_a_correction_in_the_past_changes_what_was_given_later_and_as_of_knows_both(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID, battery_efficiency=0.8)
    before = ask(desk, *BY_ORIGIN)
    register = 4_000.0 + 1_000.0  # of the charge, at 02:30 of the second day
    at_us = np.array([quarter("2026-01-06T02:15") * QUARTER_US], np.int64)
    told = WireReadings("home1", "battery", "energy_charge", Kind.REGISTER, "Wh", at_us, np.array([register + 0.1]))
    known_us = bootstrap.now_us()
    assert not Recorder(desk.store, lambda: known_us + 2_000_000).record([told]).refused
    then = ask(desk, *BY_ORIGIN, as_of=f"{np.datetime64(known_us + 1_000_000, 'us')}Z")
    assert [kwh(one) for one in then.values()] == [kwh(one) for one in before.values()]


# --- price ------------------------------------------------------------------------------------------------------------


def priced(desk: Desk, price: Any = None) -> Column:
    clock = {"schedules": {"clock": [{"period": "day", "from": "08:00", "to": "22:00"}, {"period": "night"}]}}
    desk.put(clock=tariff(energy(by_clock() if price is None else price), calendars=clock))
    desk.have({"tariff": "clock"})
    return ask(desk, "battery_price_stored", group_by="total")["battery_price_stored"]


def test_the_price_of_what_it_gave_is_what_its_charge_had_cost(embedded_url: str) -> None:
    column = priced(home(embedded_url, SUN_AND_GRID, battery_efficiency=0.8))
    # 2 kWh by night at 0.10 and 23 % VAT, and 4 kWh of the sun at nothing, came out as 4.8 kWh
    assert column.unit == "EUR/kWh"
    assert column.total == pytest.approx(2.0 * 0.10 * 1.23 / 4.8, abs=1e-9)


def test_a_negative_price_is_carried_through(embedded_url: str) -> None:
    column = priced(home(embedded_url, SUN_AND_GRID, battery_efficiency=0.8), "-0.05")
    assert column.total == pytest.approx(-2.0 * 0.05 * 1.23 / 4.8, abs=1e-9)


def test_without_a_price_of_what_was_charged_there_is_none_and_it_is_said_why(embedded_url: str) -> None:
    desk = home(embedded_url, SUN_AND_GRID, battery_efficiency=0.8)
    column = ask(desk, "battery_price_stored", group_by="hourly")["battery_price_stored"]
    assert np.isnan(column.total)
    # what came from the sun has its price, nothing
    assert kwh(column)[30:33] == [0.0, 0.0, None]
    assert [lack.bucket for lack in column.lacks] == [32]
    assert "no contract or price" in column.lacks[0].why


# --- carbon -----------------------------------------------------------------------------------------------------------


def carbon_stored(**settings: Any) -> Column:
    # 2 kWh of the sun and 1 of the grid at 120 g/kWh are charged; at 80 % they give 2.4
    flows = {"production": [2000, 0, 0], "import": [0, 1000, 0], "charge": [2000, 1000, 0], "discharge": [0, 0, 2400]}
    made = in_store(quarter(DAY), flows, battery_efficiency=0.8, **settings)
    tell(made.store, made.first, [300_000, 120_000, 300_000])
    intensities, books = GridIntensities("PT", None), BatteryBooks()
    source = BatteryCarbon(intensities, books, StoredCarbons(books, intensities))
    cal = calendar("UTC", GroupBy.TOTAL, made.first * QUARTER_US, (made.first + 3) * QUARTER_US)
    (column,) = source.columns(made.store, made.home, cal, source.measures)
    return column


def test_the_carbon_of_what_it_gave_is_that_of_what_it_was_charged_with() -> None:
    column = carbon_stored()
    assert column.unit == "gCO2eq/kWh"
    # own solar energy stands for 41 g/kWh over its life cycle
    assert column.total == pytest.approx((2 * 41 + 1 * 120) / 2.4)
    assert column.shares["known"].tolist() == [1.0]
    account = column.more["carbon"]
    assert (account["basis"], account["boundary"], account["mixed"]) == ("average", "lifecycle", False)
