"""Load, heat maps, voltage quality and degree days as a client asks for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from homes import Api, Home, expect_error

from statistics_manager_service.api.insight_examples import (
    DEGREE_DAYS_EXAMPLE,
    HEAT_MAP_EXAMPLE,
    LOAD_EXAMPLE,
    VOLTAGE_EXAMPLE,
)

#: 31 March 2024, 00:00 UTC, in seconds.
START_S = 1_711_843_200
QUARTER_S = 900
BAD_TIME = {"start": "x", "end": "y", "timezone": "M", "as_of": "z", "meter": "m" * 65, "foo": "1"}
#: A call, and all that is wrong with it.
WRONG: dict[str, dict[str, str]] = {
    "load": {**BAD_TIME, "of": "energy", "points": "1"},
    "heatmap": {**BAD_TIME, "measure": "bogus", "step": "daily"},
    "voltage-quality": {**BAD_TIME, "nominal_voltage_v": "0", "least_samples": "0"},
    "degree-days": {
        **BAD_TIME,
        "measure": "voltage",
        "temperature_meter": "m" * 65,
        "regression_by": "hourly",
        "hdd_normal": "-1",
        "base_kwh_per_day": "-1",
        "heating_base_c": "inf",
        "heating_limit_c": "nan",
        "cooling_base_c": "99",
        "cooling_limit_c": "x",
    },
}
CALLS = {"load": {}, "heatmap": {"measure": "energy_import"}, "voltage-quality": {}, "degree-days": {}}


def samples(quantity: str, unit: str, values: list[float | None], every_s: int, meter: str = "grid") -> dict[str, Any]:
    """Samples from 31 March 2024 on, the first at midnight of UTC; None: there is none."""
    at = [START_S + i * every_s for i, value in enumerate(values) if value is not None]
    told = [value for value in values if value is not None]
    return {"meter": meter, "quantity": quantity, "kind": "sample", "unit": unit, "at": at, "value": told}


def register(kwh: list[float], meter: str = "grid", quantity: str = "energy_import") -> dict[str, Any]:
    """A register of what flowed in quarter-hours from 31 March 2024, 00:00 UTC on."""
    at = [START_S + i * QUARTER_S for i in range(len(kwh) + 1)]
    value = [round(sum(kwh[:i]), 9) for i in range(len(kwh) + 1)]
    return {"meter": meter, "quantity": quantity, "kind": "register", "unit": "kWh", "at": at, "value": value}


def told(home: Home, what: str, **query: Any) -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/{what}", {"start": "2024-03-31", "end": "2024-04-01", **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def lisbon(api: Api) -> Home:
    """A home of Lisbon on the day that has no hour from 01:00 to 02:00: 0.1 kWh a quarter-hour, 1 kWh from 19:00."""
    home = Home(api, timezone="Europe/Lisbon", contracted_power_kva=4.6)
    kwh = [0.1] * 92
    kwh[72:76] = [0.3, 1.0, 1.0, 0.3]  # 18:00 UTC is 19:00
    assert home.post(register(kwh)).status_code == 200
    return home


def test_the_load_of_a_day_in_spring(lisbon: Home) -> None:
    found = told(lisbon, "load", points=5)
    assert found["quarters"] == {
        "all": 92, "measured": 92, "estimated": 0, "partial": 0, "unknown": 0, "negative": 0,
    }  # fmt: skip
    peak = {"power_w": 4000, "start": "2024-03-31T19:15:00+01:00", "end": "2024-03-31T19:30:00+01:00"}
    assert found["peak"] == found["highest"][0] == peak
    assert [one["power_w"] for one in found["highest"]] == [4000, 4000, 1200, 1200, *[400] * 6]
    assert found["mean_w"] == round((88 * 400 + 2 * 4000 + 2 * 1200) / 92, 3)
    assert found["load_factor"] == round((88 * 400 + 2 * 4000 + 2 * 1200) / 92 / 4000, 6)
    assert found["base_load"]["percentile_5_w"] == found["base_load"]["night_median_w"] == 400
    assert found["percentiles"]["power_w"] == [400, 400, 400, 400, 400, 400, 400, 4000]
    assert found["duration_curve"] == {"share_of_time": [0, 0.25, 0.5, 0.75, 1], "power_w": [4000, 400, 400, 400, 400]}
    days = found["average_days"]
    assert (days["weekday"]["days"], days["weekend"]["days"]) == (0, 1)
    at = dict(zip(days["times"], days["weekend"]["power_w"], strict=True))
    assert (at["00:45"], at["01:00"], at["01:45"], at["02:00"], at["19:15"]) == (400, None, None, 400, 4000)
    assert (found["coverage"], found["estimated"], found["why_unknown"]) == (1, 0, None)


def test_the_contracted_power_and_the_time_above_it(lisbon: Home) -> None:
    found = told(lisbon, "load")["contracted_power"]
    assert (found["contracted_power_kva"], found["cos_phi"], found["of"]) == (4.6, 1, "energy_import")
    assert found["utilisation"] == round(4000 / 4600, 6)
    assert [(one["utilisation"], one["quarters"], one["time_s"]) for one in found["above"]] == [
        (0.8, 2, 1800), (0.9, 0, 0), (1.0, 0, 0),
    ]  # fmt: skip
    assert found["above"][0]["share_of_measured_time"] == round(2 / 92, 6)


def test_estimated_quarter_hours_are_counted_and_do_not_count(api: Api) -> None:
    """A register that is not read for three hours tells what flowed, and not when: 6 kWh in 12 quarter-hours."""
    home = Home(api)
    one = register([0.1] * 12 + [0.5] * 12 + [0.2] * 8)
    for column in ("at", "value"):
        del one[column][13:24]
    home.post(one)
    found = told(home, "load", start="2024-03-31T00:00Z", end="2024-03-31T08:00Z")
    assert found["quarters"] == {"all": 32, "measured": 20, "estimated": 12, "partial": 0, "unknown": 0, "negative": 0}
    assert found["peak"]["power_w"] == 800  # 2,000 W is a mean over the gap
    assert found["mean_w"] == (12 * 400 + 8 * 800) / 20
    assert any("means over gaps" in note for note in found["notes"])
    assert (found["coverage"], found["estimated"]) == (0.625, 0.375)


def test_what_is_unknown_is_never_zero(api: Api) -> None:
    home = Home(api)
    home.post(register([0.5] * 4))
    found = told(home, "load")
    assert found["quarters"]["unknown"] == 92
    assert (found["base_load"]["percentile_5_w"], found["load_factor"], found["mean_w"]) == (2000, 1, 2000)
    assert found["duration_curve"]["power_w"][-1] == 2000


def test_a_single_quarter_hour_has_a_load_and_a_part_of_one_has_none(api: Api) -> None:
    home = Home(api)
    home.post(register([0.5, 0.25]))
    one = told(home, "load", start="2024-03-31T00:15Z", end="2024-03-31T00:30Z")
    assert (one["peak"]["power_w"], one["load_factor"], one["quarters"]["all"]) == (1000, 1, 1)
    part = told(home, "load", start="2024-03-31T00:05Z", end="2024-03-31T00:10Z")
    assert (part["peak"], part["mean_w"], part["quarters"]["partial"]) == (None, None, 1)
    assert "measured throughout" in part["why_unknown"]


def test_the_load_of_one_meter_and_of_other_energies(api: Api) -> None:
    home = Home(api, contracted_power_kva=3.45)
    made = register([0.4] * 96, "pv", "energy_production")
    used = register([0.05] * 48 + [0.15] * 48, "fridge", "energy_consumption")
    home.post(register([0.1] * 96), register([0.3] * 96, quantity="energy_export"), made, used)
    assert told(home, "load")["mean_w"] == 800  # 0.1 + 0.4 − 0.3
    assert told(home, "load", of="energy_production")["mean_w"] == 1600
    assert told(home, "load", of="energy_export")["contracted_power"]["peak"]["power_w"] == 400
    fridge = told(home, "load", meter="fridge")
    assert (fridge["mean_w"], fridge["load_factor"]) == (400, round(400 / 600, 6))
    assert fridge["contracted_power"] is None
    assert "one meter" in fridge["why_no_contracted_power"]
    assert told(home, "load", meter="oven")["why_unknown"] == "the household has no meter oven"
    assert told(home, "load", meter="pv")["why_unknown"] == "no channel of meter pv tells energy_consumption"


def test_a_house_that_tells_its_consumption_alone_has_a_load_and_so_has_one_of_power_samples(api: Api) -> None:
    house = Home(api)
    house.post(register([0.1] * 90 + [0.5] * 6, "house", "energy_consumption"))
    found = told(house, "load")
    assert (found["peak"]["power_w"], found["quarters"]["measured"]) == (2000, 96)
    assert [one["meter"] for one in found["readings"]] == ["house"]
    sampled = Home(api)
    sampled.post(samples("power_import", "W", [500.0] * 145 + [1500.0] * 144, 300))
    found = told(sampled, "load")
    assert (found["peak"]["power_w"], found["base_load"]["percentile_5_w"]) == (1500, 500)
    assert found["readings"] == [
        {"meter": "grid", "quantity": "power_import", "kind": "sample", "mean_distance_s": 300}
    ]


def test_load_measures_in_every_grouping(lisbon: Home) -> None:
    names = "load_factor,base_load,demand_p95,contracted_power_utilisation,time_above_contracted_power"
    whole = told(lisbon, "load")
    for group_by in ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly", "billing", "total"):
        answer = lisbon.ask(names, group_by, "2024-03-31", "2024-04-01")
        series = {one["measure"]: one for one in answer["series"]}
        totals = {name: float(one["total"]) for name, one in series.items()}
        assert totals["load_factor"] == pytest.approx(whole["load_factor"], abs=1e-6)
        assert totals["base_load"] == whole["base_load"]["percentile_5_w"]
        assert totals["demand_p95"] == whole["percentiles"]["power_w"][6]
        assert totals["contracted_power_utilisation"] == pytest.approx(
            whole["contracted_power"]["utilisation"], abs=1e-6
        )
        assert totals["time_above_contracted_power"] == 0
        assert [one["unit"] for one in answer["series"]] == ["1", "W", "W", "1", "h"]
    hours = {one["measure"]: one["values"] for one in lisbon.ask(names, "hourly", "2024-03-31", "2024-04-01")["series"]}
    assert float(hours["load_factor"][18]) == pytest.approx((1200 + 4000 + 4000 + 1200) / 4 / 4000)
    assert float(hours["base_load"][18]) == 1200  # of four powers the 5th percentile lies between two of 1,200
    assert float(hours["demand_p95"][18]) == 4000


def test_the_time_above_the_contracted_power_adds_up(api: Api) -> None:
    home = Home(api, contracted_power_kva=1.0)
    home.post(register([0.2, 0.3, 0.3, 0.2] * 24))
    found = home.ask("time_above_contracted_power", "hourly", "2024-03-31", "2024-04-01")["series"][0]
    assert [float(one) for one in found["values"]] == [0.5] * 24
    assert float(found["total"]) == 12


def test_measures_of_the_contracted_power_are_of_the_home_and_null_without_one(api: Api) -> None:
    home = Home(api)
    home.post(register([0.2] * 96))
    found = home.ask("contracted_power_utilisation,time_above_contracted_power", "daily", "2024-03-31", "2024-04-01")
    assert [(one["values"], one["total"]) for one in found["series"]] == [([None], None)] * 2
    assert [[float(share) for share in one["coverage"]] for one in found["series"]] == [[1.0]] * 2
    refused = home.ask_raw("contracted_power_utilisation", "daily", meter="grid")
    assert "of the household" in expect_error(refused, 400)["error"]
    of_grid = home.ask("base_load", "daily", "2024-03-31", "2024-04-01", meter="grid")["series"][0]
    assert of_grid["values"] == [None]  # the grid meter tells no consumption of its own


def test_load_measures_of_several_homes_are_told_and_not_summed(api: Api) -> None:
    homes = [Home(api), Home(api)]
    for home, kwh in zip(homes, (0.1, 0.2), strict=True):
        home.post(register([kwh] * 96))
    query = {
        "measures": "base_load",
        "start": "2024-03-31",
        "end": "2024-04-01",
        "households": ",".join(h.id for h in homes),
    }
    found = api.get("/statistics", query)
    assert [one["series"][0]["values"] for one in found.json()["households"]] == [[400], [800]]
    refused = expect_error(api.get("/statistics", {**query, "total": "true"}), 400)
    assert "can't be summed" in refused["error"]


def test_a_heat_map_in_spring_has_a_hole_and_in_autumn_a_second_pass(api: Api) -> None:
    home = Home(api, timezone="Europe/Lisbon")
    home.post(register([0.1 + i % 7 / 100 for i in range(100)]))
    spring = told(home, "heatmap", measure="energy_import")
    assert spring["dates"] == ["2024-03-31"]
    assert spring["skipped"] == {"row": [0] * 4, "column": [4, 5, 6, 7]}
    assert spring["values"][0][4:8] == [None] * 4
    assert sum(one for one in spring["values"][0] if one is not None) == pytest.approx(spring["total"])
    asked = home.ask("energy_import", "15_mins", "2024-03-31", "2024-04-01")["series"][0]
    assert [one for one in spring["values"][0] if one is not None] == [float(one) for one in asked["values"]]

    at = [1_729_983_600 + i * QUARTER_S for i in range(101)]  # 2024-10-27 in Lisbon, 25 hours
    value = [round(200 + i * i / 1000, 6) for i in range(101)]
    home.post(
        {"meter": "grid", "quantity": "energy_import", "kind": "register", "unit": "kWh", "at": at, "value": value}
    )
    autumn = told(home, "heatmap", measure="energy_import", start="2024-10-27", end="2024-10-28")
    assert autumn["repeated"]["column"] == [4, 5, 6, 7]
    assert autumn["repeated"]["start"][0] == "2024-10-27T01:00:00+00:00"
    flowed = [round((2 * i + 1) / 1000, 6) for i in range(100)]
    assert autumn["values"][0][:8] == flowed[:8]
    assert autumn["repeated"]["values"] == flowed[8:12]
    assert autumn["values"][0][8:] == flowed[12:]
    assert sum(flowed) == pytest.approx(autumn["total"])
    hourly = told(home, "heatmap", measure="energy_import", start="2024-10-27", end="2024-10-28", step="hourly")
    assert (len(hourly["values"][0]), hourly["repeated"]["column"]) == (24, [1])
    assert hourly["repeated"]["values"] == [pytest.approx(sum(flowed[8:12]))]


@pytest.mark.parametrize(
    "measure",
    ["energy_consumption", "power_import", "voltage", "temperature", "cost_import", "peak_demand", "base_load"],
)
def test_a_heat_map_is_of_any_measure_and_says_what_the_statistics_say(lisbon: Home, measure: str) -> None:
    found = told(lisbon, "heatmap", measure=measure, step="hourly", start="2024-03-30", end="2024-04-01T12:00")
    asked = lisbon.ask(measure, "hourly", "2024-03-30", "2024-04-01T12:00")["series"][0]
    rows = [one for row, date in zip(found["values"], found["dates"], strict=True) for one in row]
    there = [i for i in range(60) if i != 24 + 1]  # 36 hours of the first two days and a half, one is skipped
    assert [rows[i] for i in there] == [None if one is None else float(one) for one in asked["values"]]
    assert found["unit"] == asked["unit"]
    assert found["dates"] == ["2024-03-30", "2024-03-31", "2024-04-01"]
    assert rows[60:] == [None] * 12


def test_voltage_is_judged_by_the_week_and_the_phase(api: Api) -> None:
    """A week of samples each five minutes; on L2 a twentieth of the quarter-hours and one more are at 205 V."""
    home = Home(api, timezone="UTC")
    monday = 86_400  # 1 April 2024
    quarters, low = 672, 34
    level = [205.0] * (3 * low) + [231.0] * (3 * (quarters - low))
    for phase, values in (("l1", [231.0] * len(level)), ("l2", level), ("l3", level[: 3 * 600])):
        one = samples(f"voltage_{phase}", "V", values, 300)
        one["at"] = [at + monday for at in one["at"]]
        home.post(one)
    found = told(home, "voltage-quality", start="2024-04-01", end="2024-04-08")
    assert found["indicative"] is True
    assert "10-minute means" in found["why_indicative"]
    assert [one["quantity"] for one in found["voltages"]] == ["voltage_l1", "voltage_l2", "voltage_l3"]
    assert [one["complies"] for one in found["voltages"]] == [True, False, False]
    assert [one["outside_narrow"] for one in found["voltages"]] == [0, 34, 34]
    assert [one["valid"] for one in found["voltages"]] == [672, 672, 600]
    assert found["voltages"][1]["bands_v"] == {"narrow": [207, 253], "wide": [195.5, 253]}
    assert found["voltages"][1]["sags"] == 34
    (week,) = found["voltages"][1]["weeks"]
    assert (week["start"], week["quarters"], week["outside_narrow_share"]) == (
        "2024-04-01T00:00:00+00:00", 672, round(34 / 672, 6),
    )  # fmt: skip
    half = told(home, "voltage-quality", start="2024-04-03", end="2024-04-08")["voltages"]
    assert [one["complies"] for one in half] == [None, None, None]  # the good days alone: too little of the week
    other = told(home, "voltage-quality", start="2024-04-01", end="2024-04-08", nominal_voltage_v="220")["voltages"]
    assert [one["complies"] for one in other] == [True, True, None]


def test_the_nominal_voltage_is_the_households_unless_it_is_asked_for(api: Api) -> None:
    home = Home(api, nominal_voltage_v=120)
    home.post(samples("voltage", "V", [118.0, 121.5, 119.0] * 4, 300))
    found = told(home, "voltage-quality")
    assert (found["nominal_voltage_v"], found["voltages"][0]["outside_narrow"]) == (120, 0)
    assert told(home, "voltage-quality", nominal_voltage_v=230)["voltages"][0]["outside_wide"] == 4


def test_quarter_hours_that_cannot_be_judged_are_counted(api: Api) -> None:
    home = Home(api)
    values = [230.0, 229.0, 231.0, 230.0, None, None, 228.0, 2.0, 229.0, 240.0, 241.5, 239.0]
    home.post(samples("voltage", "V", values, 300))
    (found,) = told(home, "voltage-quality")["voltages"]
    assert found["not_judged"] == {"unknown": 92, "too_few_samples": 1, "interrupted": 1}
    assert (found["valid"], found["complies"]) == (2, None)
    assert found["lowest_mean"] == {"value_v": 230, "at": "2024-03-31T00:00:00+00:00", "exact": True}
    assert found["highest_sample"] == {"value_v": 241.5, "at": "2024-03-31T00:50:00+00:00", "exact": True}
    assert found["lowest_sample"] == {"value_v": 2, "at": "2024-03-31T00:35:00+00:00", "exact": True}
    assert told(home, "voltage-quality", least_samples=1)["voltages"][0]["valid"] == 3


def test_frequency_is_judged_over_the_time(api: Api) -> None:
    home = Home(api)
    home.post(samples("frequency", "Hz", [50.0, 50.02, 49.98] * 96, 300))
    (found,) = told(home, "voltage-quality")["frequencies"]
    assert (found["quantity"], found["valid"], found["complies"]) == ("frequency", 96, True)
    assert found["bands_hz"] == {"narrow": [49.5, 50.5], "wide": [47, 52]}


def days_of_cold(home: Home) -> None:
    """Four days of UTC with 18, 8, 3 and −2 °C, 4, 9, 13 and 20 kWh: the example that is worked in the definitions,
    whose slope and intercept are those of 0, 10, 15 and 20 K·d."""
    temperatures = [celsius for celsius in (18.0, 8.0, 3.0, -2.0) for _ in range(24)]
    kwh = [day / 96 for day in (4.8, 9.6, 14.4, 19.2) for _ in range(96)]
    home.post(samples("temperature", "°C", temperatures, 3600, "outdoor"), register(kwh))


def test_degree_days_and_what_hangs_on_them(api: Api) -> None:
    """x = 0, 10, 15, 20 and y = 4.8, 9.6, 14.4, 19.2 kWh: Sxx = 218.75, Sxy = 156, so b = 0.713143, a = 3.977143."""
    home = Home(api)
    days_of_cold(home)
    found = told(home, "degree-days", end="2024-04-04", hdd_normal=90)
    assert (found["heating_degree_days"], found["cooling_degree_days"]) == (45, 0)
    assert found["by_day"]["heating_degree_days"] == [0, 10, 15, 20]
    assert found["by_day"]["energy_kwh"] == pytest.approx([4.8, 9.6, 14.4, 19.2], abs=1e-4)
    assert found["temperature_meter"] == "outdoor"
    regression = found["regression"]
    assert regression["coefficients"]["heating_degree_days"]["value"] == pytest.approx(156 / 218.75, abs=1e-4)
    assert regression["coefficients"]["days"]["value"] == pytest.approx(12 - 11.25 * 156 / 218.75, abs=1e-4)
    assert (regression["n"], regression["observations"]) == (4, "daily")
    normal = found["normalised"]
    base = 4 * (12 - 11.25 * 156 / 218.75)
    assert normal["base_kwh"] == pytest.approx(base, abs=1e-3)
    assert normal["energy_normalised_kwh"] == pytest.approx(base + (48 - base) * 2, abs=1e-3)
    assert normal["normal_is"] == "as it was told"


def test_degree_days_of_other_years_are_normal(api: Api) -> None:
    home = Home(api)
    days_of_cold(home)
    for year, celsius in ((2021, 6.0), (2023, 8.0)):
        one = samples("temperature", "°C", [celsius] * 24 * 4, 3600, "outdoor")
        one["at"] = [at - (2024 - year) * 365 * 86_400 - 86_400 for at in one["at"]]  # 2024 has a 29 February
        home.post(one)
    found = told(home, "degree-days", end="2024-04-04", base_kwh_per_day=2)["normalised"]
    assert found["other_years"] == [2021, 2023]
    assert found["heating_degree_days_normal"] == 4 * (12 + 10) / 2
    assert found["energy_normalised_kwh"] == pytest.approx(8 + 40 * 44 / 45, abs=1e-3)
    lacking = told(home, "degree-days", end="2024-04-04T12:00", base_kwh_per_day=2)
    assert lacking["days"] == {"all": 5, "temperature_known": 4, "energy_known": 4, "both_known": 4}


def test_a_day_of_too_few_hours_has_no_degree_days(api: Api) -> None:
    home = Home(api)
    hours: list[float | None] = [5.0] * 24 + [5.0] * 21 + [None] * 3 + [5.0] * 22 + [None] * 2
    home.post(samples("temperature", "°C", hours, 3600, "thermometer"))
    found = told(home, "degree-days", end="2024-04-03")
    assert found["by_day"]["heating_degree_days"] == [13, None, 13]
    assert found["by_day"]["known_share"] == [1, 0.875, round(22 / 24, 6)]
    assert found["heating_degree_days"] == 26
    assert "energy" in found["why_no_regression"]


def test_which_temperature_is_the_one_outside_is_told_or_asked(api: Api) -> None:
    home = Home(api)
    for meter, celsius in (("bedroom", 20.0), ("roof", 4.0)):
        home.post(samples("temperature", "°C", [celsius] * 24, 3600, meter))
    found = told(home, "degree-days")
    assert found["heating_degree_days"] is None
    assert found["why_unknown"] == "which of bedroom, roof measures outside is not told: set temperature_meter"
    assert told(home, "degree-days", temperature_meter="roof")["heating_degree_days"] == 14
    assert "tells no temperature" in told(home, "degree-days", temperature_meter="oven")["why_unknown"]
    assert home.ask("heating_degree_days", "daily", "2024-03-31", "2024-04-01")["series"][0]["values"] == [None]
    of_roof = home.values("heating_degree_days", "daily", start="2024-03-31", end="2024-04-01", meter="roof")
    assert of_roof == [14]
    assert home.api.call("PATCH", home.path, json={"temperature_meter": "roof"}).status_code == 200
    assert told(home, "degree-days")["heating_degree_days"] == 14
    assert home.values("heating_degree_days", "daily", start="2024-03-31", end="2024-04-01") == [14]


def test_degree_days_in_every_grouping_add_up(api: Api) -> None:
    home = Home(api)
    days_of_cold(home)
    for group_by in ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly", "total"):
        found = home.ask("heating_degree_days", group_by, "2024-03-31", "2024-04-04")["series"][0]
        assert float(found["total"]) == 45
        assert sum(float(one) for one in found["values"]) == pytest.approx(45, abs=1e-6)
        assert found["unit"] == "K·d"
    days = home.values("heating_degree_days", "daily", start="2024-03-30", end="2024-04-05")
    assert days == [None, 0, 10, 15, 20, None]
    half = home.ask("heating_degree_days", "total", "2024-04-01T12:00Z", "2024-04-02T12:00Z")["series"][0]
    assert float(half["total"]) == 12.5


@pytest.mark.parametrize("what", CALLS)
def test_a_home_without_data_is_told_nothing_and_why(api: Api, what: str) -> None:
    found = told(Home(api, timezone="Europe/Lisbon"), what, **CALLS[what])
    numbers = re.findall(r"-?\d+\.?\d*", str({k: v for k, v in found.items() if k in ("mean_w", "peak", "total")}))
    assert numbers == []
    if what != "heatmap":
        assert found["why_unknown"]


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-03-31T00:07:13Z", "2024-03-31T00:07:14Z"), ("2024-03-31T00:20Z", "2024-03-31T00:40Z"),
     ("1970-01-01", "1970-01-02"), ("2199-12-30", "2200-01-01"), ("2024-10-27T00:30Z", "2024-10-27T01:10Z")],
)  # fmt: skip
def test_odd_times_are_answered(lisbon: Home, what: str, start: str, end: str) -> None:
    told(lisbon, what, **CALLS[what], start=start, end=end)


@pytest.mark.parametrize("what", WRONG)
def test_all_that_is_wrong_with_a_call_is_told_at_once(api: Api, lisbon: Home, what: str) -> None:
    found = expect_error(api.get(f"{lisbon.path}/{what}", WRONG[what]), 400, "bad_input")
    assert sorted(one["where"] for one in found["details"]) == sorted(WRONG[what])


@pytest.mark.parametrize("what", CALLS)
def test_a_time_that_is_too_long_or_ends_before_it_begins_is_refused(lisbon: Home, what: str) -> None:
    for end, why in (("2045-01-01", "days are answered at once"), ("2023-01-01", "not after the start")):
        query = {"start": "2024-03-31", "end": end, **CALLS[what]}
        found = expect_error(lisbon.api.get(f"{lisbon.path}/{what}", query), 400, "bad_input")
        assert [one["where"] for one in found["details"]] == ["end"]
        assert why in found["error"]


def test_a_heat_map_is_of_one_measure(lisbon: Home) -> None:
    query = {"start": "2024-03-31", "end": "2024-04-01", "measure": "voltage,current"}
    assert "one measure" in expect_error(lisbon.api.get(f"{lisbon.path}/heatmap", query), 400)["error"]


def members(told: Any, path: str = "") -> set[str]:
    """The paths of all members, places in lists aside."""
    if isinstance(told, dict):
        return {f"{path}/{key}" for key in told}.union(*(members(one, f"{path}/{key}") for key, one in told.items()))
    return set().union(*(members(one, f"{path}/*") for one in told)) if isinstance(told, list) else set()


def test_the_examples_of_the_document_have_the_members_of_full_answers(api: Api, lisbon: Home) -> None:
    home = Home(api)
    days_of_cold(home)
    home.post(samples("voltage", "V", [230.0] * 12, 300))
    for example, answer in (
        (LOAD_EXAMPLE, told(lisbon, "load")),
        (HEAT_MAP_EXAMPLE, told(home, "heatmap", measure="energy_import")),
        (VOLTAGE_EXAMPLE, told(home, "voltage-quality")),
        (DEGREE_DAYS_EXAMPLE, told(home, "degree-days", end="2024-04-04", hdd_normal=90)),
    ):
        assert members(example) == members(answer)


@pytest.mark.parametrize("what", CALLS)
def test_nobody_elses_home_is_told_of(api: Api, lisbon: Home, what: str) -> None:
    query = {"start": "2024-03-31", "end": "2024-04-01", **CALLS[what]}
    stranger = Home(api)
    expect_error(api.get(f"{lisbon.path}/{what}", query, token=stranger.token), 403)
    expect_error(api.get(f"/households/nobody-{what}/{what}", query), 404)


def test_load_as_it_was_known_before_a_correction(api: Api) -> None:
    home = Home(api)
    one = register([0.1] * 8)
    home.post(one)
    assert told(home, "load", end="2024-03-31T02:00")["peak"]["power_w"] == 400
    instant = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    one["value"][4] += 0.05
    home.post(one)
    assert told(home, "load", end="2024-03-31T02:00")["peak"]["power_w"] == 600
    assert told(home, "load", end="2024-03-31T02:00", as_of=instant)["peak"]["power_w"] == 400
