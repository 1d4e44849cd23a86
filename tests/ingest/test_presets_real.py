"""Each preset on its real data set: the figures are those of the set's own expected.json, worked out without us."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.ingest.presets import read_file

ROUNDED = 5.01e-4  # expected.json has three decimals

Channels = dict[tuple[str, str, str], list[tuple[datetime, float, float]]]


def channels(path: pathlib.Path, preset: str, **options: Any) -> Channels:
    """Of each meter, quantity and kind: start (or instant), value, length in hours; the last value of an instant."""
    found: Channels = {}
    for piece in read_file(path, preset, household="home1", **options):
        assert not piece.refused
        for wire in piece.channels:
            kind = str(wire.kind)
            found.setdefault((wire.meter, wire.quantity, kind), []).extend(triples(wire))
    return {key: sorted({one[0]: one for one in rows}.values()) for key, rows in found.items()}


def triples(wire: WireReadings) -> list[tuple[datetime, float, float]]:
    length_us = np.zeros(len(wire.at_us), np.int64) if wire.interval_us is None else wire.interval_us
    starts = wire.at_us - length_us if wire.stamp_end else wire.at_us
    return [
        (datetime.fromtimestamp(at / 1e6, UTC), value, length / 3.6e9)
        for at, value, length in zip(starts.tolist(), wire.value.tolist(), length_us.tolist(), strict=True)
    ]


def sums(rows: list[tuple[datetime, float, float]], zone: str, form: str) -> dict[str, float]:
    """Sums by local month or day of the start."""
    out: dict[str, float] = defaultdict(float)
    for at, value, _ in rows:
        out[at.astimezone(ZoneInfo(zone)).strftime(form)] += value
    return dict(out)


def expected(folder: pathlib.Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return told


def about(figures: dict[str, float], within: float = ROUNDED) -> Any:
    return pytest.approx(figures, abs=within)


def test_e_redes_tells_the_energy_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "eredes_pt_15min"
    told = expected(folder)
    found = channels(folder / "leituras.csv.gz", "e-redes", zone="Europe/Lisbon")
    rows = [(at, kw * hours, hours) for at, kw, hours in found["grid", "energy_import", "interval"]]
    assert len(rows) == told["readings"]
    assert sums(rows, "Europe/Lisbon", "%Y-%m") == about(told["monthly_kwh"])
    day = sums(rows, "Europe/Lisbon", "%Y-%m-%d")["2024-10-27"]
    assert day == pytest.approx(told["daily_kwh_dst"]["2024-10-27"], abs=ROUNDED)


def test_enphase_tells_four_flows_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "enphase_hourly_balance"
    told = expected(folder)["monthly_wh"]
    found = channels(folder / "custom_report.csv.gz", "enphase", zone="Europe/Amsterdam")
    titles = {
        ("pv", "energy_production"): "Energy Produced (Wh)",
        ("home", "energy_consumption"): "Energy Consumed (Wh)",
        ("grid", "energy_export"): "Exported to Grid (Wh)",
        ("grid", "energy_import"): "Imported from Grid (Wh)",
    }
    for (meter, quantity), title in titles.items():
        rows = found[meter, quantity, "interval"]
        assert len(rows) == expected(folder)["readings"]
        assert sums(rows, "Europe/Amsterdam", "%Y-%m") == told[title]


def test_dsmr_reader_tells_each_tariff_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "dsmr_reader_nl_hour"
    told = expected(folder)["monthly"]
    found = channels(folder / "export_hour.csv.gz", "dsmr-reader")
    titles = {
        ("tariff1", "energy_import"): "Electricity 1 (Dutch Users: Low Tariff)",
        ("tariff2", "energy_import"): "Electricity 2 (Dutch Users: Normal Tariff)",
        ("tariff1", "energy_export"): "Electricity 1 Returned (Dutch Users: Low Tariff)",
        ("tariff2", "energy_export"): "Electricity 2 Returned (Dutch Users: Normal Tariff)",
    }
    for (meter, quantity), title in titles.items():
        assert sums(found[meter, quantity, "interval"], "Europe/Amsterdam", "%Y-%m") == about(told[title])


def test_engie_tells_each_direction_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "engie_nl_hourly"
    told = expected(folder)["types"]
    found = channels(folder / "verbruiken_export.csv.gz", "engie")
    for quantity, kind in (("energy_import", "Elektriciteit"), ("energy_export", "Teruglevering")):
        rows = found["grid", quantity, "interval"]
        assert len(rows) == told[kind]["readings"]
        assert sums(rows, "Europe/Amsterdam", "%Y-%m") == about(told[kind]["monthly_kwh"])


def test_slimmemeterportal_tells_each_tariff_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "slimmemeterportal_nl_15min"
    told = expected(folder)["columns"]
    found = channels(folder / "data_2023.csv.gz", "slimmemeterportal")
    titles = {
        ("tariff2", "energy_import"): "levering_normaal",
        ("tariff1", "energy_import"): "levering_laag",
        ("tariff2", "energy_export"): "teruglevering_normaal",
        ("tariff1", "energy_export"): "teruglevering_laag",
    }
    for (meter, quantity), title in titles.items():
        rows = found[meter, quantity, "interval"]
        assert len(rows) == told[title]["rows_with_value"]
        assert sums(rows, "Europe/Amsterdam", "%Y-%m") == about(told[title]["monthly_kwh"])


def test_zonneplan_tells_import_and_export_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "zonneplan_nl_dynamic_tariff"
    told = expected(folder)["monthly"]
    found = channels(folder / "export.csv.gz", "zonneplan", zone="Europe/Amsterdam")
    exported = {month: -kwh for month, kwh in told["ElectricityProductionUsageKwh"].items()}
    imported = told["ElectricityConsumptionUsageKwh"]
    assert sums(found["grid", "energy_import", "interval"], "Europe/Amsterdam", "%Y-%m") == about(imported)
    assert sums(found["grid", "energy_export", "interval"], "Europe/Amsterdam", "%Y-%m") == about(exported)


def test_london_tells_every_home_of_each_month_in_two_zones(shared_data: pathlib.Path) -> None:
    folder = shared_data / "london_lcl_halfhour"
    for home, told in expected(folder)["homes"].items():
        rows = channels(folder / f"{home}.csv.gz", "london", zone="Europe/London")["grid", "energy_import", "interval"]
        assert len(rows) == told["readings"]
        assert sums(rows, "UTC", "%Y-%m") == about({m: k for m, k in told["monthly_kwh_utc"].items() if k})
        assert sums(rows, "Europe/London", "%Y-%m") == about({m: k for m, k in told["monthly_kwh_london"].items() if k})


def test_p1_monitor_tells_the_registers_at_the_end_of_each_row(shared_data: pathlib.Path) -> None:
    folder = shared_data / "p1mon_nl_registers"
    told = expected(folder)["hour"]["registers"]
    found = channels(folder / "history_hour.csv.gz", "p1-monitor", zone="Europe/Amsterdam")
    names = {
        ("tariff1", "energy_import"): "VERBR_KWH_181",
        ("tariff2", "energy_import"): "VERBR_KWH_182",
        ("tariff1", "energy_export"): "GELVR_KWH_281",
        ("tariff2", "energy_export"): "GELVR_KWH_282",
    }
    for (meter, quantity), name in names.items():
        rows = found[meter, quantity, "register"]
        assert len(rows) == told[name]["readings"]
        assert (rows[0][1], rows[-1][1]) == (told[name]["first"][1], told[name]["last"][1])
        # rows 00:00 and 12:00 of the clock, an hour on, in winter
        assert (rows[0][0], rows[-1][0]) == (
            datetime(2022, 1, 1, 0, tzinfo=UTC),
            datetime(2022, 11, 24, 12, tzinfo=UTC),
        )


def test_p1_monitor_minutes_tell_the_energy_of_each_day(shared_data: pathlib.Path) -> None:
    folder = shared_data / "p1mon_nl_registers"
    told = expected(folder)["minute"]["clean_daily_kwh"]["VERBR_KWH_181"]
    found = channels(folder / "history_minute.csv.gz", "p1-monitor", zone="Europe/Amsterdam")
    rows = found["tariff1", "energy_import", "register"]
    at_midnight = {at.astimezone(ZoneInfo("Europe/Amsterdam")): kwh for at, kwh, _ in rows}
    zone = ZoneInfo("Europe/Amsterdam")
    days = [datetime(2024, 2, day, tzinfo=zone) for day in range(6, 13)]
    energies = {f"{begin:%Y-%m-%d}": at_midnight[end] - at_midnight[begin] for begin, end in itertools.pairwise(days)}
    assert energies == about({day: told[day] for day in energies})


def test_emo_tells_the_register_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "emo_nl_register"
    told = expected(folder)["series"]
    found = channels(folder / "elec_2025.csv.gz", "emo")
    for quantity, code in (("energy_import", "ellm"), ("energy_export", "eltm")):
        rows = found["grid", quantity, "register"]
        assert len(rows) == told[code]["counter_kwh"]["readings"]
        firsts: dict[str, float] = {}
        for at, kwh, _ in rows:
            firsts.setdefault(at.astimezone(ZoneInfo("Europe/Amsterdam")).strftime("%Y-%m"), kwh)
        edges = [*firsts.values(), rows[-1][1]]
        steps = [after - before for before, after in itertools.pairwise(edges)]
        assert dict(zip(firsts, steps, strict=True)) == about(told[code]["monthly_kwh"])


def test_home_assistant_tells_the_register_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "home_assistant_import_register"
    told = expected(folder)
    rows = channels(folder / "tariff_1.csv.gz", "home-assistant")["grid", "energy_import", "register"]
    assert len(rows) == told["counter_kwh"]["readings"]
    lasts = {at.astimezone(ZoneInfo("Europe/Amsterdam")).strftime("%Y-%m"): kwh for at, kwh, _ in rows}
    edges = [rows[0][1], *lasts.values()]
    steps = [after - before for before, after in itertools.pairwise(edges)]
    assert dict(zip(lasts, steps, strict=True)) == about(told["monthly_kwh"])


def test_grafana_tells_the_register_of_a_pv_meter(shared_data: pathlib.Path) -> None:
    folder = shared_data / "pv_meter_hourly"
    told = expected(folder)["counter_kwh"]
    options = {"meter": "pv", "quantity": "energy_production", "zone": "Europe/Berlin"}
    rows = channels(folder / "grafana_export.csv", "grafana", **options)["pv", "energy_production", "register"]
    assert len(rows) == told["readings"]
    assert (rows[0][1], rows[-1][1]) == (told["first"][1], told["last"][1])


@pytest.mark.parametrize("phase", ["A", "B", "C"])
def test_shelly_tells_each_phase_once_a_day(shared_data: pathlib.Path, phase: str) -> None:
    folder = shared_data / "shelly_em3_three_phase"
    told = expected(folder)["phases"][phase]["daily_kwh_utc_dedup"]
    rows = channels(folder / f"em_data_phase{phase}.csv.gz", "shelly")[
        f"grid-{phase.lower()}", "energy_import", "interval"
    ]
    assert {day: wh / 1000 for day, wh in sums(rows, "UTC", "%Y-%m-%d").items()} == about(told)


def test_uci_tells_the_energy_of_each_day_and_sub_meter(shared_data: pathlib.Path) -> None:
    folder = shared_data / "uci_fr_household_1min"
    told = expected(folder)
    found = channels(folder / "household_power_consumption.csv.gz", "uci", zone="Europe/Paris")
    rows = [(at, kw * hours, hours) for at, kw, hours in found["grid", "energy_import", "interval"]]
    assert sums(rows, "Europe/Paris", "%Y-%m-%d") == about(told["daily_kwh"], 5.1e-5)
    for meter, name in (("kitchen", "1"), ("laundry", "2"), ("water_heater", "3")):
        wh = sum(value for _, value, _ in found[meter, "energy_consumption", "interval"])
        assert wh / 1000 == pytest.approx(told["submeter_kwh"][f"Sub_metering_{name}"], abs=ROUNDED)
    assert max(kw for _, kw, _ in found["grid", "power_import", "sample"]) == told["max_kw"]


def test_metern_tells_each_meter_of_each_month(shared_data: pathlib.Path) -> None:
    folder = shared_data / "metern_it_daily_devices"
    for file, told in expected(folder)["series"].items():
        rows = channels(folder / file, "metern", zone="Europe/Rome")["grid", "energy_import", "interval"]
        assert len(rows) == told["days"]
        assert sums(rows, "Europe/Rome", "%Y-%m") == told["monthly_wh"]
        assert {hours for _, _, hours in rows} <= {23, 24, 25}


@pytest.mark.parametrize(
    ("file", "flows"),
    [
        ("test_usage_data_1.xml", {"energy_import": 511_688}),
        # the net of both directions (32,110) and the demand in W (10,672) are no energies of one direction
        ("united_power_green_button.xml", {"energy_import": 72_630, "energy_export": 40_520}),
    ],
)
def test_green_button_tells_each_direction_once(shared_data: pathlib.Path, file: str, flows: dict[str, float]) -> None:
    folder = shared_data / "green_button_espi"
    blocks = expected(folder)["files_detail"][file]["blocks"]
    assert set(flows.values()) <= {abs(b["sum_value"]) for b in blocks} | {sum(b["sum_value"] for b in blocks)}
    found = channels(folder / f"{file}.gz", "green-button")
    assert {quantity: sum(wh for _, wh, _ in rows) for (_, quantity, _), rows in found.items()} == flows


def test_givenergy_tells_the_lifetime_registers_of_each_day(shared_data: pathlib.Path) -> None:
    folder = shared_data / "givenergy_uk_inverter"
    told = expected(folder)["counters"]
    names = {
        ("pv", "energy_production"): "solar",
        ("grid", "energy_import"): "import",
        ("grid", "energy_export"): "export",
        ("battery", "energy_charge"): "charge",
        ("battery", "energy_discharge"): "discharge",
    }
    found: Channels = defaultdict(list)
    for file in sorted(folder.glob("MeterData_*.json.gz")):
        for key, rows in channels(file, "givenergy").items():
            found[key] += rows
    for (meter, quantity), name in names.items():
        rows = sorted(found[meter, quantity, "register"])
        lasts = {at.astimezone(ZoneInfo("Europe/London")).strftime("%Y-%m-%d"): kwh for at, kwh, _ in rows}
        edges = [rows[0][1], *lasts.values()]
        steps = [after - before for before, after in itertools.pairwise(edges)]
        assert dict(zip(lasts, steps, strict=True)) == about(told[name]["daily_kwh_local"])
