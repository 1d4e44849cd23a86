"""/energy-consumption-last and its four siblings: the newest register reading, the newest sample."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hems import ENERGY, HISTORIC, UNITS, Hems, Household
from hub import DAY, HubHome, Telemetry, at, family, flat, iso, nanoseconds, silent

NEVER = "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("path", HISTORIC)
def test_the_app_reads_the_newest_value_with_its_instant(hems: Hems, path: str) -> None:
    home = family(hems)
    assert home.app.get(f"{path}-last", {"user_ids": home.id}) == [
        {
            "user_id": home.id,
            "timestamp": iso(home.telemetry.at[-1]),
            "value": round(home.telemetry.newest(path), 2),
            "units": UNITS[path],
        }
    ]


@pytest.mark.parametrize("path", HISTORIC)
def test_a_household_without_any_data_has_one_item_of_1970_and_null(hems: Hems, path: str) -> None:
    home = silent(hems)
    told = home.app.get(f"{path}-last", {"user_ids": home.id})
    assert told == [{"user_id": home.id, "timestamp": NEVER, "value": None, "units": UNITS[path]}]


@pytest.mark.parametrize("path", HISTORIC)
def test_a_household_without_such_a_register_or_sample_has_an_item_of_1970_and_null(hems: Hems, path: str) -> None:
    home = flat(hems)  # a smart meter's intervals are no register
    told = hems.manager.get(f"{path}-last", {"user_ids": home.id})
    assert told == [{"user_id": home.id, "timestamp": NEVER, "value": None, "units": UNITS[path]}]


@pytest.mark.parametrize("path", HISTORIC)
def test_the_manager_reads_many_homes_in_the_order_that_it_names(hems: Hems, path: str) -> None:
    homes: list[Household] = [silent(hems), family(hems), flat(hems)]
    told = hems.manager.get(f"{path}-last", [("user_ids", one.id) for one in homes])
    assert [one["user_id"] for one in told] == [one.id for one in homes]
    assert told == hems.manager.get(f"{path}-last", {"user_ids": ",".join(one.id for one in homes)})
    assert [one["value"] is None for one in told] == [True, False, True]


@pytest.mark.parametrize(("unit", "wh"), [("Wh", 1), ("kWh", 1000), ("MWh", 1_000_000)])
def test_the_newest_register_is_told_in_watt_hours_whatever_it_counts_in(hems: Hems, unit: str, wh: int) -> None:
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-01T03:00:00")), unit)
    for path in ENERGY:
        (told,) = home.app.get(f"{path}-last", {"user_ids": home.id})
        assert (told["value"], told["units"]) == (home.telemetry.newest(path), "Wh")
    line = f"{home.api_key} energyImported=7.5 {nanoseconds(at('2024-05-01T03:05:00'))}"
    hems.write([line])
    (told,) = home.app.get("energy-consumption-last", {"user_ids": home.id})
    assert (told["timestamp"], told["value"]) == ("2024-05-01T03:05:00Z", Decimal("7.5") * wh)


def test_values_have_two_decimals(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-01T01:00:00")))
    now = nanoseconds(at("2024-05-01T02:00:00"))
    hems.write([f"{home.api_key} powerImported=1234.5678,powerExported=0.004,voltage=230.126 {now}"])
    told = [home.app.get(f"{path}-last", {"user_ids": home.id})[0]["value"] for path in HISTORIC[2:]]
    assert told == [Decimal("1234.57"), 0, Decimal("230.13")]


def test_each_call_tells_its_own_newest_instant(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-01T01:00:00")))
    after = at("2024-05-02")
    hems.write(
        [
            f"{home.api_key} voltage=231.5 {nanoseconds(after)}",
            f"{home.api_key} powerImported=812 {nanoseconds(after + DAY)}",
        ]
    )
    told = {path: home.app.get(f"{path}-last", {"user_ids": home.id})[0]["timestamp"] for path in HISTORIC}
    assert told == {
        **dict.fromkeys(HISTORIC, iso(home.telemetry.at[-1])),
        "voltage": iso(after),
        "power-consumption": iso(after + DAY),
    }


def test_what_comes_late_is_not_the_newest(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-02")))
    before = [home.app.get(f"{path}-last", {"user_ids": home.id}) for path in HISTORIC]
    late = nanoseconds(at("2024-05-01T12:00:00") + timedelta(minutes=7))
    hems.write([f"{home.api_key} powerImported=9,powerExported=9,voltage=199 {late}"])
    assert [home.app.get(f"{path}-last", {"user_ids": home.id}) for path in HISTORIC] == before


def test_a_reading_is_told_as_soon_as_its_write_is_answered(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-05-01"), at("2024-05-01T01:00:00")))
    for minute in range(5, 25):
        moment = at("2024-05-01T02:00:00") + timedelta(minutes=minute)
        hems.write([f"{home.api_key} powerImported={minute} {nanoseconds(moment)}"])
        (told,) = home.app.get("power-consumption-last", {"user_ids": home.id})
        assert (told["timestamp"], told["value"]) == (iso(moment), minute)
