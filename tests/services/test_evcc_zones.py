"""evcc's fixed tariffs as tariff documents: which zone wins when, charges and tax, and what is refused."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.units import QUARTER_S
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.prices.evcc_zones import EvccNames, tariff_from_evcc
from statistics_manager_service.services.prices.tariff_documents import document_of_yaml
from statistics_manager_service.tariffs.clockwork import Clockwork
from statistics_manager_service.tariffs.prices import Scheduled
from statistics_manager_service.tariffs.reading import read_tariff

ZONE = "Europe/Berlin"
NAMES = EvccNames("evcc-grid", ZONE, "2026-01-01")


def document(yaml: str, part: str = "grid") -> dict[str, Any]:
    return tariff_from_evcc(document_of_yaml(yaml), NAMES, part)


def price_at(yaml: str, *moments: str) -> list[Decimal]:
    """What a kWh costs at local times, with charges and tax, by the tariff language's own clockwork."""
    tariff = read_tariff(document(yaml))
    clockwork = Clockwork(tariff.calendars, tariff.time_zone)
    found = []
    for moment in moments:
        at_s = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(ZONE)).timestamp()
        total = Decimal(0)
        for component in tariff.components:
            price: Any = component.price
            if isinstance(price, Scheduled):
                label = clockwork.labels(price.schedule, int(at_s) // QUARTER_S, 1)[0]
                price = price.values[clockwork.periods(price.schedule)[label]]
            rate = tariff.taxes[component.tax].rate if component.tax else Decimal(0)
            assert isinstance(rate, Decimal)
            total += price * (1 + rate)
        found.append(total)
    return found


def faults(yaml: str, part: str = "grid") -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        document(yaml, part)
    return {one.where: one.why for one in told.value.faults}


# --- figures of evcc's own tests: tariff/embed_test.go and fixed_test.go ----------------------------------------------


def test_price_and_charges_are_taxed_together() -> None:
    assert price_at("{type: fixed, price: 0.20, charges: 0.10, tax: 0.19}", "2026-05-01 12:00") == [Decimal("0.357")]


CHARGES = """
type: fixed
price: 0.20
chargesZones:
  - {hours: "00:00-06:00", charges: 0.10}
  - {hours: "02:00-04:00", charges: 0.05}
"""


def test_of_zones_that_hold_at_one_time_the_later_wins() -> None:
    assert price_at(CHARGES, "2026-05-01 03:00", "2026-05-01 05:00", "2026-05-01 07:00") == [
        Decimal("0.25"), Decimal("0.30"), Decimal("0.20"),
    ]  # fmt: skip


def test_an_edge_inside_an_hour_takes_effect_then() -> None:
    yaml = "{price: 0.3, zones: [{hours: 0-5:30, price: 0.1}]}"
    at = ("2026-05-01 00:00", "2026-05-01 05:15", "2026-05-01 05:30", "2026-05-01 06:00")
    assert price_at(yaml, *at) == [Decimal("0.1")] * 2 + [Decimal("0.3")] * 2


def test_charges_of_a_zone_stand_beside_the_price() -> None:
    yaml = "{price: 0.5, chargesZones: [{hours: 8-20, charges: 0.1}]}"
    assert price_at(yaml, "2026-05-01 12:00", "2026-05-01 21:00") == [Decimal("0.6"), Decimal("0.5")]


# --- days, hours, months ----------------------------------------------------------------------------------------------


def test_lists_of_hours_and_hours_over_midnight_are_of_the_days_that_are_named() -> None:
    for hours in ("0-6,22-24", "22-6", "22:00-06:00", "22-0, 0-6:00"):
        yaml = f'{{price: 0.3, zones: [{{days: Mon, hours: "{hours}", price: 0.1}}]}}'
        monday = ("2026-05-04 00:00", "2026-05-04 05:45", "2026-05-04 06:00", "2026-05-04 22:00", "2026-05-04 23:45")
        assert price_at(yaml, *monday) == [Decimal(one) for one in ("0.1", "0.1", "0.3", "0.1", "0.1")], hours
        # of the night that follows only what is Monday's: evcc looks at each calendar day
        assert price_at(yaml, "2026-05-05 01:00", "2026-05-03 23:00") == [Decimal("0.3")] * 2


@pytest.mark.parametrize(
    ("days", "wanted"),
    [("Mon-Fri", "1111100"), ("Sat,Sun", "0000011"), ("fri-mon", "1000111"), ("Mo, Wednesday", "1010000"),
     ("Di,Do,So", "0101001"), ("Sun-Sun", "0000001")],
)  # fmt: skip
def test_days_are_names_and_ranges_that_may_run_over_the_week(days: str, wanted: str) -> None:
    yaml = f'{{price: 0, zones: [{{days: "{days}", price: 1}}]}}'
    week = [f"2026-05-{day:02d} 12:00" for day in range(4, 11)]  # from a Monday on
    assert "".join(map(str, price_at(yaml, *week))) == wanted


@pytest.mark.parametrize(
    ("months", "wanted"),
    [("Nov-Mar", "111000000011"), ("1-3,12", "111000000001"), ("july", "000000100000"), (6, "000001000000")],
)
def test_months_are_names_or_numbers_and_ranges_that_may_run_over_the_year(months: Any, wanted: str) -> None:
    told = months if isinstance(months, int) else f'"{months}"'
    yaml = f"{{price: 0, zones: [{{months: {told}, price: 1}}]}}"
    year = [f"2026-{month:02d}-15 12:00" for month in range(1, 13)]
    assert "".join(map(str, price_at(yaml, *year))) == wanted


def test_a_zone_that_always_holds_hides_those_before_it() -> None:
    yaml = "{price: 9, zones: [{hours: 0-6, price: 8}, {price: 1}, {hours: 2-4, price: 2}]}"
    assert price_at(yaml, "2026-05-01 03:00", "2026-05-01 05:00", "2026-05-01 12:00") == [2, 1, 1]


def test_zones_of_price_and_of_charges_are_told_apart() -> None:
    charges = "charges: 0.25, chargesZones: [{hours: 6-18, charges: 0}]"
    yaml = f"{{price: 1, tax: 0.5, zones: [{{hours: 0-12, price: 2}}], {charges}}}"
    at = ("2026-05-01 03:00", "2026-05-01 09:00", "2026-05-01 15:00", "2026-05-01 21:00")
    assert price_at(yaml, *at) == [Decimal(one) for one in ("3.375", "3", "1.5", "1.875")]


def test_on_the_days_on_which_the_clock_changes_windows_follow_the_clock() -> None:
    yaml = "{price: 0.3, zones: [{hours: 2-4, price: 0.1}]}"
    assert price_at(yaml, "2026-03-29 03:00", "2026-03-29 04:00", "2026-10-25 02:30") == [
        Decimal("0.1"), Decimal("0.3"), Decimal("0.1"),
    ]  # fmt: skip


# --- the configuration ------------------------------------------------------------------------------------------------

WHOLE = """
site: {title: home}
tariffs:
  currency: CHF
  grid:
    type: fixed
    price: 0.294
    zones:
      - days: Mon-Fri
        hours: 2-5
        price: 0.2
  feedin:
    type: fixed
    price: 0.0780000000000000001
"""


def test_the_whole_file_its_tariffs_or_the_part_alone_are_read() -> None:
    whole = document(WHOLE)
    assert (whole["currency"], whole["id"], whole["valid"]) == ("CHF", "evcc-grid", {"from": "2026-01-01"})
    config = document_of_yaml(WHOLE)
    assert tariff_from_evcc(config["tariffs"], NAMES) == whole
    assert tariff_from_evcc(config["tariffs"]["grid"], NAMES) == {**whole, "currency": "EUR"}
    read_tariff(whole, "evcc-grid")


def test_what_is_fed_in_becomes_a_price_of_the_export_exactly() -> None:
    (component,) = document(WHOLE, "feedin")["components"]
    assert (component["flow"], component["price"]) == ("export", "0.0780000000000000001")


def test_a_document_of_every_form_is_a_valid_tariff() -> None:
    zones = ",".join(f"{{hours: {n}-{n + 1}, days: Mon-Sat, months: 1-{n + 1}, price: 0.{n}}}" for n in range(12))
    read_tariff(document(f"{{price: -0.1, charges: 1, tax: 0.19, zones: [{zones}]}}"))


def test_all_faults_are_named_with_where() -> None:
    found = faults(
        """
        grid:
          type: tibber
          formula: price * 2
          tax: nineteen
          charges: 1e12
          zones:
            - {hours: 5-5, price: 1}
            - {hours: 5:10-6, price: 1}
            - {hours: 25-26, price: 1}
            - {hours: soon, days: Caturday, months: 13, price: 1}
            - {days: Mon}
            - 7
            - {price: true, days: Mon-}
            - {price: 1, colour: blue}
          chargesZones: 5
        """
    )
    assert [*found] == [
        "grid.formula", "grid.type", "grid.price", "grid.zones[0].hours", "grid.zones[1].hours", "grid.zones[2].hours",
        "grid.zones[3].days", "grid.zones[3].months", "grid.zones[3].hours", "grid.zones[4].price", "grid.zones[5]",
        "grid.zones[6].price", "grid.zones[6].days", "grid.zones[7].colour", "grid.charges", "grid.chargesZones",
        "grid.tax",
    ]  # fmt: skip
    assert found["grid.zones[1].hours"] == "'5:10-6' is not at whole quarters of an hour, by which energy is known"


@pytest.mark.parametrize("yaml", ["", "[]", "tariffs: {feedin: {price: 1}}", "grid: 5", "tariffs: 7"])
def test_a_part_that_is_not_there_is_told(yaml: str) -> None:
    ((where, why),) = faults(yaml).items()
    assert where.endswith("grid")
    assert "it is missing" in why
    assert "none of grid, feedin" in faults("{price: 1}", "planner")["part"]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 30) | st.floats() | st.sampled_from(
        ["Mon-Fri", "Sun", "0-6,22-24", "5-5", "22-6", "0:15-3", "24-0", "Nov-Mar", "13", "fixed", "1e3",
         "-", ",", "a,b", "²-³"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["tariffs", "grid", "price", "zones", "charges", "chargesZones", "tax", "type", "days", "hours",
                         "months", "currency"]), inner, max_size=4),
    max_leaves=25,
)  # fmt: skip
ZONES = st.lists(
    st.fixed_dictionaries(
        {"price": st.sampled_from([0.1, -1, "0.25"])},
        optional={"days": st.sampled_from(["Mon", "Sat-Sun"]), "hours": st.sampled_from(["0-6", "22-6,9-10", "0-24"]),
                  "months": st.sampled_from([1, "Nov-Mar", "1-12"])},
    ), max_size=5,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(told=PLAIN, zones=ZONES)
def test_whatever_the_file_holds_ends_in_a_valid_tariff_or_in_faults(told: Any, zones: list[dict[str, Any]]) -> None:
    for config in (told, {"grid": told}, {"price": 1, "zones": told}, {"price": 0, "zones": zones, "charges": told}):
        try:
            made = tariff_from_evcc(config, NAMES)
        except BadInput as error:
            assert all(fault.where and fault.why for fault in error.faults)
            continue
        if len(made["currency"]) == 3:
            read_tariff(made)
    read_tariff(tariff_from_evcc({"price": 0, "zones": zones}, NAMES))
