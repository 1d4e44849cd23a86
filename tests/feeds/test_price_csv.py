"""Prices of any CSV: delimiters, decimal marks, clocks, repeated and skipped hours, ends, other rows, faults."""

from __future__ import annotations

import gzip
import json
import pathlib
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from measured import HOUR_US, us

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.price_csv import decode_csv
from statistics_manager_service.services.prices.told_prices import PriceOptions


def options(**told: Any) -> PriceOptions:
    return PriceOptions(**{"unit": "EUR/MWh", **told})


def read(text: str, **told: Any) -> list[tuple[str, str]]:
    """Beginnings in UTC and prices."""
    prices = decode_csv(text.encode(), options(**told)).prices
    return [(f"{datetime.fromtimestamp(one.start_us // 10**6, UTC):%d %H:%M}", str(one.value)) for one in prices]


def faults(text: str | bytes, **told: Any) -> dict[str, str]:
    with pytest.raises(BadInput) as error:
        decode_csv(text if isinstance(text, bytes) else text.encode(), options(**told))
    return {one.where: one.why for one in error.value.faults}


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "zone"), [("HourUTC", "UTC"), ("HourDK", "Europe/Copenhagen")])
def test_a_year_of_danish_prices_has_the_figures_of_its_publisher(
    shared_data: pathlib.Path, column: str, zone: str
) -> None:
    folder = shared_data / "elspot_dk2_hourly"
    expected = json.loads((folder / "expected.json").read_text())
    body = gzip.decompress((folder / "Elspotprices_DK2_2021.csv.gz").read_bytes())
    told = decode_csv(body, options(start_column=column, column="SpotPriceEUR", zone=zone, where={"PriceArea": "DK2"}))
    values = [one.value for one in told.prices]
    assert (len(values), told.holes, told.interval_s) == (expected["readings"], 0, 3600)
    assert float(sum(values) / len(values)) == pytest.approx(expected["mean_eur_mwh"], abs=1e-6)
    assert (float(min(values)), float(max(values))) == (expected["min"], expected["max"])
    assert sum(value < 0 for value in values) == expected["negative_hours"]
    months, days = defaultdict(list), defaultdict(int)
    for one in told.prices:
        local = datetime.fromtimestamp(one.start_us // 10**6, ZoneInfo("Europe/Copenhagen"))
        months[f"{local:%Y-%m}"].append(one.value)
        days[f"{local:%Y-%m-%d}"] += 1
    means = {month: float(sum(found) / len(found)) for month, found in months.items()}
    assert means == pytest.approx(expected["monthly_mean_eur_mwh"], abs=1e-6)
    assert {day: count for day, count in days.items() if count != 24} == expected["local_days_not_24"]


def test_prices_of_a_suppliers_export_are_read_from_its_clock(shared_data: pathlib.Path) -> None:
    folder = shared_data / "zonneplan_nl_dynamic_tariff"
    expected = json.loads((folder / "expected.json").read_text())
    body = gzip.decompress((folder / "export.csv.gz").read_bytes())
    told = decode_csv(
        body,
        options(unit="EUR/kWh", start_column="DateFrom", column="ElectricityEpexPrice", zone="Europe/Amsterdam"),
    )
    assert (len(told.prices), told.holes) == (expected["readings"], 0)  # the hour that lacks is the skipped one
    assert sum(one.value < 0 for one in told.prices) == expected["negative_price_hours"]
    assert told.prices[1].value == Decimal("0.00001")  # written 1e-05


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["start,price\n2024-01-01T00:00:00Z,1.5\n2024-01-01T01:00:00Z,-2\n",
     "start;price\n2024-01-01T00:00Z;1,50\n\n2024-01-01T02:00+01:00;-2,00\n",
     "PRICE\tother\tSTART\n-2,0\tx\t2024-01-01 01:00Z\n1,5\ty\t2024-01-01 00:00Z\n",
     '\ufeff"start"|"price"\r\n"2024-01-01T00:00:00+00:00"|"1.5"\r\n"2024-01-01T01:00:00+0000"|"-2"\r\n'],
)  # fmt: skip
def test_delimiter_and_decimal_mark_are_found_out(text: str) -> None:
    assert [(at, Decimal(value)) for at, value in read(text)] == [
        ("01 00:00", Decimal("1.5")),
        ("01 01:00", Decimal(-2)),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_usual_encodings_are_read(encoding: str) -> None:
    body = "Début;€/MWh\n2024-01-01T00:00:00Z;1,5\n".encode(encoding)
    told = decode_csv(body, options(start_column="Début", column="€/MWh"))
    assert [one.value for one in told.prices] == [Decimal("1.5")]


def test_both_passes_of_the_autumn_hour_are_told_apart_in_either_order() -> None:
    rows = ["2024-10-27 01:00,1", "2024-10-27 02:00,2", "2024-10-27 02:00,3", "2024-10-27 03:00,4"]
    wanted = [("26 23:00", "1"), ("27 00:00", "2"), ("27 01:00", "3"), ("27 02:00", "4")]
    for ordered in (rows, rows[::-1]):
        assert read("\n".join(["start,price", *ordered]), zone="Europe/Madrid") == wanted


def test_a_label_that_the_clock_skips_is_refused_by_its_line() -> None:
    text = "start,price\n2024-03-31 01:00,1\n2024-03-31 02:00,2\n2024-03-31 03:00,3\n"
    assert faults(text, zone="Europe/Madrid") == {"line 3": "the clock of Europe/Madrid skips this hour"}


def test_a_label_without_an_offset_needs_a_zone() -> None:
    text = "start,price\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n"
    assert faults(text) == {"line 2": "the label has no offset; tell the zone of its clock"}
    assert read("start,price\n31.12.2023 23:30,1\n01.01.2024,2\n", zone="Europe/Lisbon") == [
        ("31 23:30", "1"), ("01 00:00", "2"),
    ]  # fmt: skip


def test_an_unknown_zone_is_told() -> None:
    assert "no IANA time zone" in faults("start,price\n2024-01-01 00:00,1\n", zone="Europe/Lisboa")["timezone"]


def test_a_price_holds_as_long_as_told_or_until_its_end_or_for_the_shortest_step() -> None:
    text = "start,end,price\n2024-01-01T00:00Z,2024-01-01T00:15Z,1\n2024-01-01T01:00Z,2024-01-01T01:30Z,2\n"
    lengths = [
        [one.length_us // QUARTER_US for one in decode_csv(text.encode(), options(**told)).prices]
        for told in ({}, {"interval_s": 1800}, {"end_column": "end"})
    ]
    assert lengths == [[4, 4], [2, 2], [1, 2]]
    assert decode_csv(text.encode(), options(end_column="end")).holes == 1
    assert faults(text.replace("00:15Z", "12:00Z"), end_column="end") == {
        "line 2": "it lasts 720 minutes, where 15, 30 or 60 are read"
    }
    assert "15, 30 or 60 minutes" in faults(text, interval_s=86_400)["interval"]
    assert "are 1440 minutes apart" in faults("start,price\n2024-01-01T00:00Z,1\n2024-01-02T00:00Z,2\n")["starts"]


def test_rows_of_other_values_and_without_a_price_are_passed_over() -> None:
    text = "start,area,price\n2024-01-01T00:00Z,DK1,1\n2024-01-01T00:00Z,DK2,2\n2024-01-01T01:00Z,DK2,\n"
    told = decode_csv(text.encode(), options(where={"Area": "DK2"}))
    assert ([one.value for one in told.prices], told.notes) == ([2], ("rows without a price: 1",))
    assert faults(text) == {"2024-01-01T00:00:00Z": "two prices are told of it, 1 and 2"}
    assert faults(text, where={"area": "SE4"}) == {"body": "no row is wanted"}


def test_prices_outside_of_the_bounds_are_left_out() -> None:
    rows = "\n".join(f"2024-01-01T{n:02d}:00Z,{n}" for n in range(24))
    bounds = {"start_us": us("2024-01-01T05:00:00"), "end_us": us("2024-01-01T07:00:00")}
    assert [value for _, value in read(f"start,price\n{rows}\n", **bounds)] == ["5", "6"]


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "told", "wanted"),
    [(["1.234,56", "2,5"], None, ["1234.56", "2.5"]), (["1,234.56", "2.5"], None, ["1234.56", "2.5"]),
     (["1.234", "2"], None, ["1.234", "2"]), (["1.234", "2"], "comma", ["1234", "2"]),
     (["0,123456789012345678", "-.5".replace(".", ",")], None, ["0.123456789012345678", "-0.5"]),
     (["-0,00", "+3"], None, ["-0.00", "3"])],
)  # fmt: skip
def test_numbers_are_exact_with_either_mark(cells: list[str], told: Any, wanted: list[str]) -> None:
    text = f"start;price\n2024-01-01T00:00Z;{cells[0]}\n2024-01-01T01:00Z;{cells[1]}\n"
    assert [value for _, value in read(text, decimal=told)] == wanted


def test_a_file_of_both_marks_asks_which_it_is() -> None:
    text = "start;price\n2024-01-01T00:00Z;1,5\n2024-01-01T01:00Z;1.5\n"
    assert faults(text) == {"numbers": "some have a decimal point and some a decimal comma; tell which it is"}
    assert faults(text, decimal="point") == {"line 2": "'1,5' is no number with a decimal point"}


# --- faults -----------------------------------------------------------------------------------------------------------


def test_all_faults_of_a_csv_of_prices_are_named_with_their_lines() -> None:
    found = faults(
        "start,price\n2024-01-01T00:00Z,x\nsoon,1\n2024-01-01T00:07Z,1\n2024-02-30T00:00Z,1\n"
        "2024-01-01T02:00Z,1e9\n2024-01-01T03:00Z,inf\n01/02/2024 03:00,1\n"
    )
    assert sorted(found) == [f"line {n}" for n in range(2, 9)]
    assert found["line 4"] == "'2024-01-01T00:07Z' is not at a whole quarter of an hour"


def test_very_many_faults_are_counted_and_the_first_named() -> None:
    text = "start,price\n" + "2024-01-01T00:00Z,x\n" * 5_000
    with pytest.raises(BadInput) as told:
        decode_csv(text.encode(), options())
    assert (len(told.value.faults), told.value.faults[-1].why) == (101, "4900 more faults of these kinds")


def test_columns_that_are_not_there_are_all_named() -> None:
    found = faults("time,value\n2024-01-01T00:00Z,1\n", end_column="until", where={"area": "x"})
    assert found == {"header": "there is no column 'area'; there are: time, value"}  # the last of four of one place
    with pytest.raises(BadInput) as told:
        decode_csv(b"time,value\n", options(end_column="until"))
    assert [one.why.split(";")[0] for one in told.value.faults] == [
        "there is no column 'start'", "there is no column 'price'", "there is no column 'until'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [(b"", "body", "empty"), (b"\n\n", "body", "empty"), (b"<html></html>", "body", "web page"),
     (b"PK\x03\x04\x00\x00", "body", "no text"), (b"start,price\n", "body", "no row"),
     (b'start,price\n2024-01-01T00:00Z,"1\n', "line 2", "quote left open"),
     (b"start,price\n2024-01-01T00:00Z\n", "line 2", "1 cells")],
)  # fmt: skip
def test_what_is_no_csv_of_prices_is_told(body: bytes, where: str, why: str) -> None:
    assert why in faults(body)[where]


def test_a_unit_must_be_told() -> None:
    assert faults("start,price\n2024-01-01T00:00Z,1\n", unit=None) == {
        "unit": "the CSV does not tell it; tell one such as EUR/MWh"
    }


def test_a_single_price_holds_for_an_hour() -> None:
    told = decode_csv(b"start,price\n2024-01-01T00:00Z,1\n", options())
    assert [one.length_us for one in told.prices] == [HOUR_US]
