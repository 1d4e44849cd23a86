"""Balances of real homes, read from their files as any user would: beside each data set's own expected.json, and beside
plain loops over the files.

The product counts whole milliwatt-hours and the files whole watt-hours, so that sums must be equal, to 0 Wh; shares in
expected.json have six decimals. A wider tolerance is told where it is used, with its reason.
"""

from __future__ import annotations

import csv
import gzip
import json
import pathlib
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from measured import open_store, put_home

from statistics_manager_service import bootstrap
from statistics_manager_service.ingest.presets import read_file
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.balance.attributions import PARTS
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

SHARE = 1e-6  # expected.json has six decimals
YEAR = ("2023-01-01", "2024-01-01")
OWN_RATES = ("self_consumption_rate", "self_sufficiency_rate")
Columns = dict[str, Column]


def told_by(folder: pathlib.Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return told


def home_of(url: str, zone: str) -> SqlStore:
    store = open_store(url)
    put_home(store, timezone=zone)
    return store


def upload(store: SqlStore, path: pathlib.Path, preset: str, **options: Any) -> None:
    for piece in read_file(path, preset, household="home1", **options):
        assert not piece.refused
        assert not Recorder(store, bootstrap.now_us).record(piece.channels).refused


def ask(store: SqlStore, measures: Any, group_by: str, start: str, end: str, meter: str | None = None) -> Columns:
    question = Question(",".join(measures), start, end, group_by, meter=meter)
    answer = bootstrap.asking_of(store).statistics("home1", question)
    return {one.measure: one for one in answer.columns}


def wh(column: Column) -> list[int]:
    """Values as watt-hours; they are whole, or they are a failure."""
    assert not np.isnan(column.value).any()
    milliwh = [round(one * 1_000_000) for one in column.value.tolist()]
    assert all(one % 1000 == 0 for one in milliwh)
    return [one // 1000 for one in milliwh]


def total_wh(column: Column) -> float:
    return round(column.total * 1_000_000) / 1000


# --- Enphase: panels, hourly watt-hours -------------------------------------------------------------------------------


@pytest.fixture
def enphase(embedded_url: str, shared_data: pathlib.Path) -> SqlStore:
    store = home_of(embedded_url, "Europe/Amsterdam")
    folder = shared_data / "enphase_hourly_balance"
    upload(store, folder / "custom_report.csv.gz", "enphase", zone="Europe/Amsterdam")
    return store


def test_enphase_balances_and_rates_are_those_of_its_report(enphase: SqlStore, shared_data: pathlib.Path) -> None:
    told = told_by(shared_data / "enphase_hourly_balance")
    names = {
        "energy_production": "Energy Produced (Wh)",
        "energy_consumption": "Energy Consumed (Wh)",
        "energy_export": "Exported to Grid (Wh)",
        "energy_import": "Imported from Grid (Wh)",
    }
    monthly = ask(enphase, [*names, "energy_self_consumption"], "monthly", *YEAR)
    for measure, name in names.items():
        assert wh(monthly[measure]) == list(told["monthly_wh"][name].values())
        assert total_wh(monthly[measure]) == told["total_wh"][name]
    assert total_wh(monthly["energy_self_consumption"]) == told["self_consumed_wh"]
    rates = ask(enphase, [*OWN_RATES, "export_share"], "monthly", *YEAR)
    assert rates["self_consumption_rate"].total == pytest.approx(told["self_consumption_ratio"], abs=SHARE)
    assert rates["self_sufficiency_rate"].total == pytest.approx(told["self_sufficiency_ratio"], abs=SHARE)
    assert rates["export_share"].total == pytest.approx(1 - told["self_consumption_ratio"], abs=SHARE)
    # ratios of sums by month, from the sums told, not a mean of rates
    for measure, upper in (("self_consumption_rate", "Energy Produced (Wh)"),):
        for rate, made, sold in zip(
            rates[measure].value.tolist(),
            told["monthly_wh"][upper].values(),
            told["monthly_wh"]["Exported to Grid (Wh)"].values(),
            strict=True,
        ):
            assert rate == pytest.approx((made - sold) / made, abs=1e-12)


def hours_of_enphase(folder: pathlib.Path) -> list[tuple[str, int, int, int]]:
    """Month, production, export, import of each hour in Wh."""
    with gzip.open(folder / "custom_report.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    return [(f"{row[0][6:10]}-{row[0][:2]}", int(row[1]), int(row[3]), int(row[4])) for row in rows]


def test_enphase_sources_and_sinks_are_those_of_a_loop_over_its_hours(
    enphase: SqlStore, shared_data: pathlib.Path
) -> None:
    expected: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for month, made, sold, bought in hours_of_enphase(shared_data / "enphase_hourly_balance"):
        expected[month]["energy_production_to_grid"] += min(made, sold)
        expected[month]["energy_production_to_home"] += made - min(made, sold)
        expected[month]["energy_grid_to_grid"] += max(sold - made, 0)
        expected[month]["energy_grid_to_home"] += bought - max(sold - made, 0)
    measures = list(next(iter(expected.values())))
    found = ask(enphase, measures, "monthly", *YEAR)
    for measure in measures:
        # An hour is four quarter-hours; where its Wh are no multiple of four, the milliwatt-hours left over lie in one
        # of them for each flow: the lesser of two flows of a quarter-hour is off by at most 1 mWh, an hour by 4, and a
        # month of 744 hours by 3 Wh.
        for got, want in zip(found[measure].value.tolist(), expected.values(), strict=True):
            assert abs(got * 1000 - want[measure]) <= 3
    both = total_wh(found["energy_production_to_home"]) + total_wh(found["energy_production_to_grid"])
    assert both == told_by(shared_data / "enphase_hourly_balance")["total_wh"]["Energy Produced (Wh)"]
    quarters = ask(enphase, measures, "15_mins", "2023-10-29", "2023-10-30")  # of 25 hours
    assert len(quarters["energy_grid_to_home"].value) == 100
    day = ask(enphase, measures, "daily", "2023-10-29", "2023-10-30")
    for measure in measures:
        assert quarters[measure].total == day[measure].total


# --- GivEnergy: panels and a battery, lifetime registers read irregularly ---------------------------------------------

FIVE_DAYS = ("2025-06-01", "2025-06-06")


@pytest.fixture
def givenergy(embedded_url: str, shared_data: pathlib.Path) -> SqlStore:
    store = home_of(embedded_url, "Europe/London")
    for path in sorted((shared_data / "givenergy_uk_inverter").glob("MeterData_*.json.gz")):
        upload(store, path, "givenergy")
    return store


def test_givenergy_flows_are_its_lifetime_counters(givenergy: SqlStore, shared_data: pathlib.Path) -> None:
    counters = told_by(shared_data / "givenergy_uk_inverter")["counters"]
    names = {"production": "solar", "import": "import", "export": "export", "charge": "charge",
             "discharge": "discharge"}  # fmt: skip
    daily = ask(givenergy, [f"energy_{flow}" for flow in names], "daily", *FIVE_DAYS)
    kwh = {}
    for flow, name in names.items():
        kwh[flow] = counters[name]["total"]["last_minus_first"]
        column = daily[f"energy_{flow}"]
        assert column.total == pytest.approx(kwh[flow], abs=1e-6)  # the register's difference to the milliwatt-hour
        # A day's difference there is between the last readings before two midnights; here the register is laid linearly
        # over midnight. Each end is off by at most the step that the register makes over it, which is one of 0.1 kWh.
        told = list(counters[name]["daily_kwh_local"].values())
        assert column.value.tolist() == pytest.approx(told, abs=0.2)
        assert np.mean(np.abs(column.value - told)) < 0.05
    whole = ask(givenergy, ["energy_consumption", *OWN_RATES, "export_share"], "total", *FIVE_DAYS)
    used = kwh["import"] + kwh["production"] + kwh["discharge"] - kwh["export"] - kwh["charge"]
    assert whole["energy_consumption"].total == pytest.approx(used, abs=1e-6)
    assert whole["self_consumption_rate"].total == pytest.approx(1 - kwh["export"] / kwh["production"], abs=SHARE)
    assert whole["self_sufficiency_rate"].total == pytest.approx(1 - kwh["import"] / used, abs=SHARE)
    assert whole["export_share"].total == pytest.approx(kwh["export"] / kwh["production"], abs=SHARE)


def test_givenergy_sources_and_sinks_add_up_to_its_counters(givenergy: SqlStore, shared_data: pathlib.Path) -> None:
    counters = told_by(shared_data / "givenergy_uk_inverter")["counters"]
    by_group = {one: ask(givenergy, PARTS, one, *FIVE_DAYS) for one in ("15_mins", "daily", "total")}
    for columns in by_group.values():
        milliwh = {PARTS[name]: round(one.total * 1e6) for name, one in columns.items()}
        for kind, place, names in (
            ("source", 0, {"grid": "import", "production": "solar", "battery": "discharge"}),
            ("sink", 1, {"grid": "export", "battery": "charge"}),
        ):
            for one, name in names.items():
                of_it = sum(energy for key, energy in milliwh.items() if key[place] == one)
                assert of_it == round(counters[name]["total"]["last_minus_first"] * 1e6), (kind, one)
    # steps of 0.1 kWh of five counters do not fall into the same quarter-hour: that much no meter explains
    unmetered = sum(one.total for name, one in by_group["total"].items() if PARTS[name][0] == "unmetered")
    assert 0 < unmetered < 5


def test_givenergy_counters_of_the_battery_tell_no_loss(givenergy: SqlStore) -> None:
    # charge and discharge are the same in this export, as its README says; so is then what we tell
    found = ask(givenergy, ["battery_efficiency", "battery_cycles", "energy_battery_to_home"], "total", *FIVE_DAYS)
    assert found["battery_efficiency"].total == 1.0
    assert np.isnan(found["battery_cycles"].total)  # nobody told what it holds
    origins = ask(givenergy, [f"energy_stored_{one}_to_home" for one in ("production", "grid", "unknown")],
                  "total", *FIVE_DAYS)  # fmt: skip
    given = [one.total for one in origins.values()]
    assert sum(given) == pytest.approx(found["energy_battery_to_home"].total, abs=1e-6)
    assert given[0] > 0.8 * sum(given)  # the sun charges it, in June


# --- meterN: panels, a car, a heat pump; the energies of days ---------------------------------------------------------

METERS = {
    "1FV_Totale2023.csv": ("pv", "energy_production"),
    "4Consumi_casa2023.csv": ("home", "energy_consumption"),
    "5Auto_elettrica2023.csv": ("ev", "energy_consumption"),
    "6Pdc2023.csv": ("heat_pump", "energy_consumption"),
    "7Prelievi2023.csv": ("grid", "energy_import"),
    "8Immissioni2023.csv": ("grid", "energy_export"),
}


@pytest.fixture
def metern(embedded_url: str, shared_data: pathlib.Path) -> SqlStore:
    store = home_of(embedded_url, "Europe/Rome")
    for name, (meter, quantity) in METERS.items():
        path = shared_data / "metern_it_daily_devices" / name
        upload(store, path, "metern", zone="Europe/Rome", meter=meter, quantity=quantity)
    return store


def days_of_metern(folder: pathlib.Path) -> dict[str, dict[str, int]]:
    """{file: {yyyymmdd: Wh}}."""
    return {
        name: {day: int(value) for day, value in csv.reader((folder / name).read_text().split())} for name in METERS
    }


def test_metern_closes_to_a_few_watt_hours_a_day(metern: SqlStore, shared_data: pathlib.Path) -> None:
    told = told_by(shared_data / "metern_it_daily_devices")
    measures = ["energy_import", "energy_export", "energy_production", "energy_consumption"]
    monthly = ask(metern, measures, "monthly", *YEAR)
    files = {"energy_import": "7Prelievi2023.csv", "energy_export": "8Immissioni2023.csv",
             "energy_production": "1FV_Totale2023.csv"}  # fmt: skip
    sums = {measure: list(told["series"][file]["monthly_wh"].values()) for measure, file in files.items()}
    for measure, of_months in sums.items():
        assert wh(monthly[measure]) == of_months
    balance = zip(sums["energy_import"], sums["energy_production"], sums["energy_export"], strict=True)
    assert wh(monthly["energy_consumption"]) == [bought + made - sold for bought, made, sold in balance]
    # what its own meter of the house told differs by a few Wh a day, and by 1.3 kWh on one
    daily = np.array(wh(ask(metern, ["energy_consumption"], "daily", *YEAR)["energy_consumption"]))
    of_house = list(days_of_metern(shared_data / "metern_it_daily_devices")["4Consumi_casa2023.csv"].values())
    off = daily - of_house
    assert float(off.mean()) == pytest.approx(told["balance_wh"]["mean"], abs=0.05)  # told with one decimal
    assert int(np.abs(off).max()) == told["balance_wh"]["max_abs"]
    assert int((np.abs(off) > 1000).sum()) == told["balance_wh"]["days_over_1kwh"]


def test_metern_devices_and_the_untracked_rest(metern: SqlStore, shared_data: pathlib.Path) -> None:
    folder = shared_data / "metern_it_daily_devices"
    series, days = told_by(folder)["series"], days_of_metern(folder)
    devices: dict[str, int] = defaultdict(int)
    for file in ("5Auto_elettrica2023.csv", "6Pdc2023.csv"):
        for month, energy in series[file]["monthly_wh"].items():
            devices[month] += energy
    monthly = ask(metern, ["energy_devices", "energy_untracked", "energy_consumption"], "monthly", *YEAR)
    known = [round(one * 1000) for one in monthly["energy_devices"].value.tolist() if not np.isnan(one)]
    assert known == list(devices.values())  # from May on, when the car's meter begins
    assert np.isnan(monthly["energy_devices"].value[:4]).all()
    used = wh(monthly["energy_consumption"])
    assert wh(monthly["energy_untracked"]) == [
        one - devices.get(f"2023-{month:02d}", 0) for month, one in enumerate(used, start=1)
    ]
    # by day: where the car and the heat pump told more than the house used, it is said, with the devices
    daily = ask(metern, ["energy_untracked"], "daily", *YEAR)["energy_untracked"]
    expected = []
    for day in days["1FV_Totale2023.csv"]:
        house = days["1FV_Totale2023.csv"][day] + days["7Prelievi2023.csv"][day] - days["8Immissioni2023.csv"][day]
        expected.append(house - sum(days[one].get(day, 0) for one in ("5Auto_elettrica2023.csv", "6Pdc2023.csv")))
    assert wh(daily) == expected
    assert [lack.bucket for lack in daily.lacks] == [place for place, one in enumerate(expected) if one < 0]


def test_metern_devices_are_fed_in_the_proportions_of_the_home(metern: SqlStore, shared_data: pathlib.Path) -> None:
    days = days_of_metern(shared_data / "metern_it_daily_devices")
    from_grid: dict[str, float] = defaultdict(float)
    for day, used in days["5Auto_elettrica2023.csv"].items():
        made, sold, bought = (
            days[one][day] for one in ("1FV_Totale2023.csv", "8Immissioni2023.csv", "7Prelievi2023.csv")
        )
        own = made - min(made, sold)
        grid = bought - max(sold - made, 0)
        from_grid[f"{day[:4]}-{day[4:6]}"] += used * grid / (grid + own)
    measures = ["energy_grid_to_home", "energy_production_to_home"]
    found = ask(metern, measures, "monthly", "2023-05-09", YEAR[1], meter="ev")
    # a part of a quarter-hour is rounded down to a milliwatt-hour: at most 3 Wh in a month of 2,976
    for got, want in zip(found["energy_grid_to_home"].value.tolist(), from_grid.values(), strict=True):
        assert abs(got * 1000 - want) <= 3
    assert found["energy_grid_to_home"].total + found["energy_production_to_home"].total == pytest.approx(
        told_by(shared_data / "metern_it_daily_devices")["series"]["5Auto_elettrica2023.csv"]["total_wh"] / 1000
    )
