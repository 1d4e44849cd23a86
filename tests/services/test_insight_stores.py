"""Insights are the same whichever store the readings lie in."""

from __future__ import annotations

import numpy as np
import orjson
from measured import open_store, put_home, quarter

from statistics_manager_service import bootstrap
from statistics_manager_service.api.insight_bodies import (
    degree_days_json,
    heat_map_json,
    load_json,
    voltage_quality_json,
)
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.degree_days import DegreeDayQuestion, DegreeDaysOfHomes
from statistics_manager_service.services.insight.heat_maps import HeatMapQuestion, HeatMaps
from statistics_manager_service.services.insight.loads import LoadQuestion, Loads
from statistics_manager_service.services.insight.voltages import VoltageQuestion, Voltages
from statistics_manager_service.services.telemetry.recording import Recorder

PEAK_W = 4 * (100 + 95)


def test_insights_are_told_from_each_store(database_url: str) -> None:
    """A week: 100 to 195 Wh a quarter-hour, rising through each day; about 220 to 240 V; a degree more each day."""
    store = open_store(database_url)
    put_home(store, contracted_power_kva=0.7)
    first, days = quarter("2024-04-01"), 7
    at_us = [(first + i) * QUARTER_US for i in range(96 * days + 1)]
    flowed = [100.0 + i % 96 for i in range(96 * days)]
    register = [sum(flowed[:i]) for i in range(len(flowed) + 1)]
    minutes = [first * QUARTER_US + i * QUARTER_US // 3 for i in range(3 * 96 * days)]
    volts = [(220.0, 230.0, 240.0)[(i // 3 + i) % 3] + (1 if i % 3 == 0 else -1) for i in range(len(minutes))]
    for quantity, kind, unit, at, value in (
        ("energy_import", Kind.REGISTER, "Wh", at_us, register),
        ("voltage_l1", Kind.SAMPLE, "V", minutes, volts),
        ("temperature", Kind.SAMPLE, "°C", at_us[:-1], [float(i // 96) for i in range(96 * days)]),
    ):
        told = WireReadings("home1", "grid", quantity, kind, unit, np.array(at, np.int64), np.array(value, np.float64))
        assert not Recorder(store, bootstrap.now_us).record([told]).refused
    time = AskedTime("2024-04-01", "2024-04-08")

    load = load_json(Loads(store).of("home1", LoadQuestion(time)))
    assert load["peak"] == {
        "power_w": PEAK_W,
        "start": "2024-04-01T23:45:00+00:00",
        "end": "2024-04-02T00:00:00+00:00",
    }
    assert load["mean_w"] == 4 * (100 + 95 / 2)
    above = [sum(7 for i in range(96) if 4 * (100 + i) > share * 700) for share in (0.8, 0.9, 1.0)]
    assert [one["quarters"] for one in load["contracted_power"]["above"]] == above
    heat = heat_map_json(HeatMaps(bootstrap.asking_of(store)).of("home1", HeatMapQuestion(time, "energy_import")))
    assert heat["values"].tolist() == [[(100 + i) / 1000 for i in range(96)]] * 7
    (voltage,) = voltage_quality_json(Voltages(store).of("home1", VoltageQuestion(time)))["voltages"]
    assert (voltage["valid"], voltage["complies"]) == (672, True)
    assert voltage["lowest_sample"]["value_v"] == min(volts)
    assert voltage["highest_sample"]["value_v"] == max(volts)
    degree_days = degree_days_json(DegreeDaysOfHomes(store).of("home1", DegreeDayQuestion(time, hdd_normal=1)))
    assert degree_days["heating_degree_days"] == sum(18 - day for day in range(7))
    assert degree_days["regression"] is not None
    assert "does not rise" in degree_days["why_not_normalised"]
    for body in (load, heat, voltage, degree_days):
        assert orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    store.engine.dispose()
