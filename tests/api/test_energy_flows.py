"""A home's energy at one glance, over HTTP: each figure is the one that statistics tell."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from homes import Api, Home, expect_error

from statistics_manager_service.api.energy_flows import EXAMPLE

DAY = {"start": "2026-01-05", "end": "2026-01-06"}
#: Of eight quarter-hours in Wh, told as registers; no two alike.
FLOWS_WH = {
    ("grid", "energy_import"): [500, 0, 0, 0, 0, 300, 700, 810],
    ("grid", "energy_export"): [0, 0, 400, 900, 0, 0, 0, 0],
    ("pv", "energy_production"): [0, 800, 1900, 1700, 600, 0, 0, 0],
    ("battery", "energy_charge"): [0, 500, 900, 100, 0, 0, 0, 250],
    ("battery", "energy_discharge"): [100, 0, 0, 0, 300, 700, 150, 0],
    ("ev", "energy_consumption"): [100, 50, 200, 100, 500, 600, 100, 0],
    ("heat_pump", "energy_consumption"): [300, 100, 100, 300, 100, 200, 300, 100],
}


def channel(meter: str, quantity: str, wh: list[int]) -> dict[str, Any]:
    at = [f"2026-01-05T{10 + i // 4}:{i % 4 * 15:02d}:00Z" for i in range(len(wh) + 1)]
    value = [sum(wh[:i]) for i in range(len(wh) + 1)]
    return {"meter": meter, "quantity": quantity, "kind": "register", "unit": "Wh", "at": at, "value": value}


@pytest.fixture
def full(each_api: Api) -> Home:
    home = Home(each_api, battery_capacity_kwh=2.0, battery_efficiency=0.9)
    answer = home.post(*[channel(*key, wh) for key, wh in FLOWS_WH.items()])
    assert answer.status_code == 200, answer.text
    return home


def glance(home: Home, **query: str) -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/energy-flows", {**DAY, **query})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return told


def total(home: Home, measure: str, **query: str) -> Decimal | None:
    found: Decimal | None = home.ask(measure, "total", **DAY, **query)["series"][0]["total"]
    return found


def shape(told: Any) -> Any:
    return {name: shape(one) for name, one in told.items()} if isinstance(told, dict) else None


def test_each_figure_is_that_of_statistics(full: Home) -> None:
    told = glance(full)
    for source, sinks in told["sources"].items():
        for sink, energy in sinks.items():
            assert energy == total(full, f"energy_{source}_to_{sink}")
    assert told["consumption"] == total(full, "energy_consumption")
    assert told["devices_energy"] == total(full, "energy_devices")
    assert told["untracked"]["energy"] == total(full, "energy_untracked")
    assert told["rates"] == {name: total(full, name) for name in told["rates"]}
    for device in told["devices"]:
        for source, energy in device["sources"].items():
            measure = "energy_unmetered" if source == "unmetered" else f"energy_{source}_to_home"
            assert energy == total(full, measure, meter=device["meter"])
    battery = told["battery"]
    assert battery["given_home"] == {
        origin: total(full, f"energy_stored_{origin}_to_home") for origin in battery["given_home"]
    }
    measures = {"efficiency": "battery_efficiency", "cycles": "battery_cycles", "stored_end": "battery_stored",
                "price_stored": "battery_price_stored", "carbon_stored": "battery_carbon_stored"}  # fmt: skip
    for name, measure in measures.items():
        assert battery[name] == total(full, measure)


def test_sources_and_sinks_add_up_to_the_flows(full: Home) -> None:
    told = glance(full)
    sums = {name: Decimal(sum(wh)) / 1000 for (_, name), wh in FLOWS_WH.items() if name != "energy_consumption"}
    for flow, energy in told["flows"].items():
        assert energy == sums[f"energy_{flow}"]
    sources = told["sources"]
    for source, flow in (("grid", "import"), ("production", "production"), ("battery", "discharge")):
        assert sum(sources[source].values()) == told["flows"][flow]
    for sink, flow in (("grid", "export"), ("battery", "charge")):
        assert sum(one[sink] for one in sources.values()) == told["flows"][flow]
    home = sum(one.get("home", 0) for one in sources.values())
    assert home - sum(sources["unmetered"].values()) == told["consumption"]
    assert told["devices_energy"] + told["untracked"]["energy"] == home
    for device in told["devices"]:
        assert sum(device["sources"].values()) == device["energy"]
        assert float(device["share"]) == pytest.approx(float(device["energy"] / home))


def test_the_books_of_the_battery_balance(full: Home) -> None:
    battery = glance(full)["battery"]
    known = battery["discharged"] - battery["discharged_of_unknown_origin"]
    more = battery["stored_end"] - battery["stored_start"]
    assert battery["charged"] == known + more + battery["losses"] + battery["written_off"]
    assert battery["efficiency_of_books"] == {"value": Decimal("0.9"), "basis": "told"}
    # 0.1 went out before anything was charged
    assert battery["discharged_of_unknown_origin"] == Decimal("0.1")


def test_a_home_without_panels_battery_and_devices_has_what_it_has(each_api: Api) -> None:
    home = Home(each_api)
    assert home.post(channel("grid", "energy_import", [500, 200])).status_code == 200
    told = glance(home)
    assert told["flows"] == {"import": Decimal("0.7")}
    assert told["sources"]["grid"] == {"home": Decimal("0.7"), "battery": None, "grid": None}
    assert told["sources"]["production"] == {"home": None, "battery": None, "grid": None}
    assert told["devices"] == []
    assert told["untracked"]["energy"] == Decimal("0.7")
    assert told["battery"] is None
    assert told["why_no_battery"] is None


def test_a_home_without_readings_knows_nothing(home: Home) -> None:
    told = glance(home)
    assert told["flows"] == {}
    assert told["consumption"] is None
    assert told["coverage"] == {"measured": 0, "estimated": 0}


def test_of_a_time_of_which_nothing_is_known_no_energy_is_told(full: Home) -> None:
    told = glance(full, start="2026-01-06", end="2026-01-07")
    assert told["flows"] == {name.removeprefix("energy_"): None for _, name in FLOWS_WH if "consumption" not in name}
    battery = told["battery"]
    assert set(battery["given"].values()) == set(battery["given_home"].values()) == {None}
    assert {battery[one] for one in ("charged", "discharged", "stored_start", "stored_end", "losses")} == {None}


def test_a_time_inside_a_quarter_hour_has_flows_and_says_why_it_has_no_books(full: Home) -> None:
    told = glance(full, start="2026-01-05T10:07:00Z", end="2026-01-05T11:00:00Z")
    assert sum(told["sources"]["grid"].values()) == told["flows"]["import"]
    assert told["battery"] is None
    assert "whole quarter-hours" in told["why_no_battery"]


def test_devices_that_tell_more_than_the_home_used_are_named(each_api: Api) -> None:
    home = Home(each_api)
    home.post(channel("grid", "energy_import", [100, 100]), channel("ev", "energy_consumption", [90, 200]))
    untracked = glance(home)["untracked"]
    assert untracked["energy"] == Decimal("-0.09")
    assert untracked["why_negative"].endswith("0.2 kWh: ev 0.29 kWh")


def test_all_faults_of_a_question_are_told_at_once(home: Home) -> None:
    answer = home.api.get(f"{home.path}/energy-flows", {"start": "x", "end": "y", "timezone": "Mars", "meter": "ev"})
    told = expect_error(answer, 400)
    assert sorted(one["where"] for one in told["details"]) == ["end", "meter", "start", "timezone"]


def test_the_example_has_the_form_of_an_answer(full: Home) -> None:
    assert shape(glance(full)) == shape(EXAMPLE)
