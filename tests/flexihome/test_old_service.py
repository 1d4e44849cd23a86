"""Where the answers differ from those of FlexiHome's earlier service, and why: docs/compatibility.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hems import BESIDE, ENERGY, GROUPINGS, HISTORIC, REAL, Hems, Household, starts, values
from hub import DAY, HOUR, QUARTER, HubHome, Telemetry, at, family, iso, nanoseconds, new_key
from upstream_server import wait_until

SECOND = timedelta(seconds=1)
MORNING = at("2024-05-10T06:00:00")


class Small(Household):
    """A home whose readings a test chooses."""

    def __init__(self, hems: Hems, **settings: str) -> None:
        self.api_key = new_key()
        super().__init__(hems, api_key=self.api_key, **settings)

    def write(
        self, first: datetime, every: timedelta, readings: Sequence[object], field: str = "energyImported"
    ) -> None:
        self.hems.write(
            [f"{self.api_key} {field}={one} {nanoseconds(first + i * every)}" for i, one in enumerate(readings)]
        )

    def hours(self, first: datetime, count: int, path: str = "energy-consumption") -> list[Decimal | None]:
        end = iso(first + count * HOUR - SECOND)
        query = {"user_ids": self.id, "start_date": iso(first), "end_date": end, "group_by": "hourly"}
        return values(self.app.metrics(path, query))


def test_energy_between_two_readings_goes_to_both_buckets_beside_the_edge(hems: Hems) -> None:
    home = Small(hems)
    home.write(MORNING + 10 * SECOND * 60, 20 * SECOND * 60, [10_000 + 60 * i for i in range(10)])  # at :10, :30, :50
    # 60 Wh in each 20 minutes are 180 an hour; the last sample inside the hour would tell 120
    assert home.hours(MORNING + HOUR, 1) == [Decimal("179.95")]  # a second of 0.05 Wh before its end
    assert sum(filter(None, home.hours(MORNING, 4))) == Decimal(540), "last minus first, nothing lost between buckets"


def test_the_first_bucket_is_answered_though_no_reading_lies_before_it(hems: Hems) -> None:
    home = Small(hems)
    home.write(MORNING, QUARTER, [10_000 + 25 * i for i in range(9)])
    assert home.hours(MORNING, 2) == [100, Decimal("99.97")]


def test_what_is_not_known_is_null_in_json_that_any_parser_reads(hems: Hems) -> None:
    home = Small(hems)
    home.write(MORNING, QUARTER, [10_000 + 25 * i for i in range(5)])
    query = {"user_ids": home.id, "start_date": iso(MORNING - HOUR), "end_date": iso(MORNING), "group_by": "hourly"}
    answer = home.app.call("GET", "energy-consumption", query)
    assert "NaN" not in answer.text
    assert '"value":null' in answer.text


@pytest.mark.parametrize("unit", ["Wh", "kWh"])
def test_measured_consumption_is_labelled_by_the_start_of_its_bucket_and_converted(hems: Hems, unit: str) -> None:
    home = Small(hems, register_unit=unit)
    one = {"Wh": 1000, "kWh": 1}[unit]
    home.write(MORNING, HOUR, [0 * one, 2 * one, 5 * one, 5 * one])
    query = {"user_id": home.id, "start_date": iso(MORNING), "end_date": iso(MORNING + 3 * HOUR - SECOND)}
    (told,) = home.app.get(REAL, {**query, "group_by": "hourly"})
    assert [(item["timestamp"], item["energy"], item["units"]) for item in told["real"]] == [
        (iso(MORNING), 2, "kWh"),
        (iso(MORNING + HOUR), 3, "kWh"),
        (iso(MORNING + 2 * HOUR), 0, "kWh"),
    ]


#: A register of 25 Wh a quarter-hour that is not to be believed at one place.
FLAWED = {
    "a spike": [10_000, 10_025, 990_000, 10_075, 10_100, 10_125, 10_150, 10_175, 10_200],
    "a dip to nothing": [10_000, 10_025, 0, 10_075, 10_100, 10_125, 10_150, 10_175, 10_200],
    "a meter that begins anew": [10_000, 10_025, 10_050, 10_075, 0, 25, 50, 75, 100],
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_a_spike_a_dip_and_a_reset_of_a_register_are_no_energy(hems: Hems, flaw: str) -> None:
    home = Small(hems)
    home.write(MORNING, QUARTER, FLAWED[flaw])
    first, second = home.hours(MORNING, 2)
    # of a reset, what flowed since the reading before it is what the new register says: nothing
    assert first == (75 if flaw == "a meter that begins anew" else 100)
    assert second == Decimal("99.97")


@pytest.mark.parametrize("path", ENERGY)
def test_the_repeated_hour_of_autumn_is_two_buckets_and_its_day_has_25_hours(hems: Hems, path: str) -> None:
    home, zone = family(hems), "Europe/Lisbon"
    start = at("2023-10-28T23:00:00")  # the midnight with which the 29th of October begins in Lisbon
    query = {"user_ids": home.id, "start_date": iso(start), "end_date": iso(start + 25 * HOUR - SECOND)}
    hours = home.app.metrics(path, {**query, "group_by": "hourly", "timezone": zone})
    assert starts(hours) == [iso(start + i * HOUR) for i in range(25)]
    (day,) = values(home.app.metrics(path, {**query, "group_by": "daily", "timezone": zone}))
    assert day is not None
    assert abs(sum(one for one in values(hours) if one is not None) - day) <= Decimal("0.13")


def test_late_and_corrected_readings_change_what_is_answered(hems: Hems) -> None:
    home = Small(hems)
    home.write(MORNING, HOUR, [10_000, 10_100, 10_200])
    assert home.hours(MORNING, 2) == [100, Decimal("99.97")]
    home.write(MORNING + HOUR, HOUR, [10_150])  # the register at seven o'clock was another
    assert home.hours(MORNING, 2) == [150, Decimal("49.99")]
    home.write(MORNING + HOUR / 2, HOUR, [10_000])  # and nothing flowed until half past six
    query = {"user_ids": home.id, "start_date": iso(MORNING), "end_date": iso(MORNING + HOUR - SECOND)}
    quarters = values(home.app.metrics("energy-consumption", {**query, "group_by": "15_mins"}))
    assert quarters == [0, 0, 75, Decimal("74.92")]


@pytest.mark.parametrize("path", HISTORIC)
def test_years_can_be_asked_for(hems: Hems, path: str) -> None:
    home = family(hems)
    query = {"user_ids": home.id, "start_date": "2023-01-01", "end_date": "2024-12-31", "group_by": "yearly"}
    assert starts(home.app.metrics(path, query)) == ["2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z"]


@pytest.mark.parametrize("path", HISTORIC)
def test_a_value_that_is_not_allowed_is_refused_and_not_guessed(hems: Hems, path: str) -> None:
    home = family(hems)
    query = {"user_ids": home.id, "start_date": "2024-03-20", "end_date": "2024-03-21"}
    told = home.app.refused(400, path, {**query, "group_by": "month"})
    assert all(one in told for one in GROUPINGS)
    assert "2 times" in home.app.refused(400, path, [*query.items(), ("group_by", "daily"), ("group_by", "hourly")])


def test_energy_of_a_smart_meters_interval_is_whole_in_the_quarter_of_its_instant(hems: Hems) -> None:
    meter_id = f"PT{new_key()}"
    home = Household(hems, meter_id=meter_id)
    hems.write([f"{meter_id} meterPowerImported=0.4 {nanoseconds(MORNING + timedelta(minutes=14, seconds=59))}"])
    query = {"user_id": home.id, "start_date": iso(MORNING), "end_date": iso(MORNING + HOUR - SECOND)}
    (told,) = home.app.get(REAL, {**query, "group_by": "15_mins"})
    assert [one["energy"] for one in told["real"]] == [Decimal("0.4"), None, None, None]


def test_an_earlier_forecast_can_still_be_asked_for(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-03-20"), at("2024-03-21")))
    day = {"start_date": "2024-03-20", "end_date": "2024-03-20T23:59:59Z"}
    # a mock forecast is issued when the day before begins, one of the service when it is fetched
    hems.manager.post(
        "mock-consumption-curve-producer", {"user_id": home.id, "start_date": "2024-03-20", "delivery_time": "60"}
    )
    wait_until(lambda: home.app.get(BESIDE, day)[0]["forecast"] != [], what="the mock forecast")
    first = home.app.get(BESIDE, day)[0]["forecast"]
    hems.manager.post("trigger-computed-forecast-producer", {"user_id": home.id, "forecast_day": "2024-03-20"})
    wait_until(lambda: home.app.get(BESIDE, day)[0]["forecast"] != first, what="the fetched forecast")
    assert home.app.get(BESIDE, {**day, "as_of": iso(at("2024-03-20") - DAY)})[0]["forecast"] == first


def test_a_forecast_of_power_is_energy_by_its_resolution_and_no_sum_of_powers(hems: Hems) -> None:
    home = Household(hems)
    hems.manager.post("trigger-computed-forecast-producer", {"user_id": home.id, "forecast_day": "2024-03-20"})
    day = {"start_date": "2024-03-20", "end_date": "2024-03-20T23:59:59.999999Z"}
    wait_until(lambda: home.app.get(BESIDE, day)[0]["forecast"] != [], what="the forecast")
    powers_w = [hems.forecasts.power_w(home.id, at("2024-03-20") + i * QUARTER) for i in range(96)]
    (told,) = home.app.get(BESIDE, day)
    assert abs(told["forecast"][0]["energy"] - Decimal(sum(powers_w)) / 4 / 1000) <= Decimal("0.005")
