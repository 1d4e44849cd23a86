"""Worked examples of the field, each from a tariff document, against the figures that were published for them."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from billing_of import Billed, bill_of, document, quarter, series, shown

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH

#: Euro; the figures are told to four decimals at most.
TOLERANCE = 0.005
FINE = 0.00005


def a_month_of_365_twelfths() -> Billed:
    """30 days and 10 hours, 1,900 kWh a year, 40 % of it at night."""
    energies = {"2026-01-07 12:00": Fraction(1900 * 60, 12 * 100), "2026-01-07 23:00": Fraction(1900 * 40, 12 * 100)}
    return bill_of(document("a1"), "2026-01-01", "2026-01-31 10:00", energies)


def test_the_regulators_bill_of_2026_comes_out_to_the_cent() -> None:
    """ERSE, 2025-12-15: 36,82 EUR a month with taxes, without DGEG."""
    billed = a_month_of_365_twelfths()
    assert round(billed.gross, 2) == Fraction("36.82"), shown(billed.lines)
    assert float(billed.gross) == pytest.approx(36.8159, abs=FINE)
    assert float(billed.net) == pytest.approx(34.6095, abs=FINE)


@pytest.mark.parametrize(
    ("component", "period", "quantity", "net", "rate"),
    [
        ("energy", "FV", 95.000, 18.8860, "0.06"),
        ("energy", "V", 63.333, 6.8843, "0.06"),
        ("power_tar", None, 365 / 12, 5.2256, "0.06"),
        ("power_margin", None, 365 / 12, 0.6053, "0.23"),
        ("iec", None, 158.333, 0.1583, "0.23"),
        ("cav", None, 1, 2.85, "0.06"),
    ],
)
def test_each_line_of_the_regulators_bill(
    component: str, period: str | None, quantity: float, net: float, rate: str
) -> None:
    billed = a_month_of_365_twelfths()
    (line,) = billed.of(component, period)
    assert float(line.quantity) == pytest.approx(quantity, abs=0.0005)
    assert float(line.net) == pytest.approx(net, abs=FINE)
    assert str(line.tax_rate) == rate
    assert line.gross == line.net * (1 + Fraction(rate))


def test_the_regulators_bill_has_no_other_line() -> None:
    assert len(a_month_of_365_twelfths().lines) == 6


def thirty_days_of_2020() -> Billed:
    return bill_of(document("a3"), "2020-12-01", "2020-12-31", {"2020-12-10 12:00": "160"})


def test_vat_of_13_percent_on_the_first_100_kwh() -> None:
    """ERSExplica, "Aplicação do IVA", example 1, as the tests of pyerse and ao-sol have it."""
    billed = thirty_days_of_2020()
    assert float(billed.net) == pytest.approx(31.8360, abs=FINE), shown(billed.lines)
    assert float(billed.gross) == pytest.approx(36.4330, abs=FINE)


@pytest.mark.parametrize(
    ("component", "rate", "quantity", "gross"),
    [
        ("energy", "0.13", 100, 16.79),
        ("energy", "0.23", 60, 10.97),
        ("cav", "0.06", 1, 3.02),
        ("dgeg", "0.23", 1, 0.09),
        ("iec", "0.23", 160, 0.1968),
        # The part is told as 5.28, which is all of the power at 6 %; the total of 36.4330 has the supplier's part at
        # 23 %: 0.1480 × 30 × 1.06 + 0.0180 × 30 × 1.23 = 5.3706.
        ("power_tar", "0.06", 30, 4.7064),
        ("power_margin", "0.23", 30, 0.6642),
    ],
)
def test_each_line_of_the_bill_of_2020(component: str, rate: str, quantity: float, gross: float) -> None:
    billed = thirty_days_of_2020()
    (line,) = billed.of(component, rate=rate)
    assert line.quantity == quantity
    assert float(line.gross) == pytest.approx(gross, abs=TOLERANCE)


def test_the_bill_of_2020_has_no_other_line() -> None:
    assert len(thirty_days_of_2020().lines) == 7


def test_the_threshold_is_shared_over_periods_in_proportion() -> None:
    energies = {"2022-01-10 12:00": "170", "2022-01-10 23:00": "80"}
    billed = bill_of(document("a5"), "2022-01-01", "2022-01-31", energies)
    assert float(billed.net) == pytest.approx(51.13, abs=TOLERANCE), shown(billed.lines)
    assert float(billed.gross) == pytest.approx(60.8646, abs=FINE)
    assert [float(one.quantity) for one in billed.of("energy", rate="0.13")] == [68, 32]
    assert float(billed.taxed("cav")) == pytest.approx(3.02, abs=TOLERANCE)
    assert float(billed.taxed("dgeg")) == pytest.approx(0.09, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("start", "parts"), [("2024-01-01", [16.96, 19.68]), ("2024-12-02", [16.96, 19.68]), ("2025-01-01", [33.92])]
)
def test_the_threshold_rose_in_2025(start: str, parts: list[float]) -> None:
    """DECO: 200 kWh at 0.16 came to 36.64 EUR in 2024, 33.92 in 2025."""
    end = date.fromordinal(date.fromisoformat(start).toordinal() + 30).isoformat()
    billed = bill_of(document("a8"), start, end, {f"{start} 12:00": "200"})
    assert [float(one.gross) for one in billed.lines] == pytest.approx(parts)


@pytest.fixture
def sam(shared_data: Path) -> tuple[list[Fraction], list[Fraction]]:
    """Load and generation of each hour in kWh, exactly as they stand in the file."""
    with gzip.open(shared_data / "nrel_sam_residential" / "hourly.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return [Fraction(one["load_kw"]) for one in rows], [Fraction(one["generation_kw"]) for one in rows]


def a_year_of_hours(kwh: list[Fraction]) -> Int64:
    """Quarter-hours of 2018, each hour's energy in its first."""
    column = np.zeros(4 * len(kwh), np.int64)
    column[::4] = [round(one * MILLIWH_PER_KWH) for one in kwh]
    return column


def bill_of_2018(imported: list[Fraction], exported: list[Fraction]) -> Billed:
    """1 January 2018 was a Monday."""
    return bill_of(document("b-sam"), "2018-01-01", "2019-01-01", a_year_of_hours(imported), a_year_of_hours(exported))


def test_a_year_of_load_by_month_and_hour(sam: tuple[list[Fraction], list[Fraction]]) -> None:
    """NREL SAM: 771.8 dollars, and the energy of each of four periods."""
    load, _ = sam
    billed = bill_of_2018(load, [Fraction(0)] * len(load))
    assert float(billed.net) == pytest.approx(771.776, abs=TOLERANCE)
    kwh = {one.period: float(one.quantity) for one in billed.of("energy")}
    assert kwh == pytest.approx({"1": 4425.98, "2": 238.024, "3": 433.943, "4": 921.953}, abs=TOLERANCE)


def test_a_year_of_hourly_net_billing(sam: tuple[list[Fraction], list[Fraction]]) -> None:
    """NREL SAM: −150.02 dollars, what is sold in an hour at the price of its period. At night the inverter takes."""
    load, made = sam
    taken = [one + max(-two, Fraction(0)) for one, two in zip(load, made, strict=True)]
    billed = bill_of_2018(taken, [max(one, Fraction(0)) for one in made])
    assert float(billed.net) == pytest.approx(-150.02, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("when", "wholesale", "parameters", "pence"),
    [
        ("2020-06-01 16:30", "0.15", {"x": Decimal("1.2"), "d_gbp_per_kwh": Decimal("0.05")}, 23),
        ("2020-06-01 16:30", "0.08", {"x": Decimal(1), "d_gbp_per_kwh": Decimal("0.03")}, 11),
        ("2020-06-01 19:00", "0.15", {"x": Decimal("1.2"), "d_gbp_per_kwh": Decimal("0.05")}, 18),
        ("2020-06-01 16:30", "0.30", {"x": Decimal("1.2"), "d_gbp_per_kwh": Decimal("0.05")}, 35),
    ],
)
def test_agile_from_the_wholesale_price(when: str, wholesale: str, parameters: dict[str, Decimal], pence: int) -> None:
    """Octopus, Shape Shifters: 23 p and 11 p. Outside 16:00–19:00 nothing is added, and there is a cap."""
    source = series({"wholesale": {quarter("Europe/London", when): wholesale}})
    billed = bill_of(document("c2"), "2020-06-01", "2020-06-02", {when: "1"}, parameters=parameters, source=source)
    assert billed.net * 100 == pence


def test_flanders_takes_the_mean_of_twelve_monthly_peaks() -> None:
    """nl.wikibooks: 4.456 kW, which is 1.782 times the least of 2.5 kW."""
    peaks = [".632", "4.600", "0", "1.028", "3.444", "4.164", "4.564", "6", "9.2", "5", "4.12", "4.88"]
    energies = {f"2023-{i:02d}-07 18:15": Decimal(kw) / 4 for i, kw in enumerate(peaks, 1)}
    billed = bill_of(document("c3"), "2023-12-01", "2024-01-01", energies)
    assert float(billed.net) == pytest.approx(4.456, abs=0.0005)
    assert float(billed.net / Fraction("2.5")) == pytest.approx(1.782, abs=0.0005)


def test_the_two_ways_of_a_reduced_network_charge() -> None:
    """Braunschweig 2025: 137.43 EUR a year, or 3.74 ct/kWh for the heat pump's own meter."""
    billed = bill_of(document("c5"), "2025-01-01", "2026-01-01", {}, meters={"heat_pump": {"2025-01-07 06:00": "1000"}})
    assert float(billed.amount("modul_1")) == pytest.approx(-137.43, abs=TOLERANCE)
    assert float(billed.of("modul_2")[0].unit_price or 0) == pytest.approx(0.0374, abs=0.00005)
    assert float(billed.amount("modul_2")) == pytest.approx(37.44)


@pytest.mark.parametrize(
    ("name", "when", "price"),
    [
        ("c7-tax", "12:00", "0.357"),
        ("c7-zones", "03:00", "0.25"),
        ("c7-zones", "05:00", "0.30"),
        ("c7-zones", "07:00", "0.20"),
        ("c7-charges", "05:15", "0.6"),
        ("c7-charges", "05:30", "0.5"),
        ("c7-charges", "06:00", "0.5"),
    ],
)
def test_zones_and_charges_as_evcc_has_them(name: str, when: str, price: str) -> None:
    billed = bill_of(document(name), "2024-01-10", "2024-01-11", {f"2024-01-10 {when}": "1"})
    assert billed.gross == Fraction(price)


@pytest.mark.parametrize(
    ("name", "imported", "exported", "cost"),
    [
        ("c10-none", "0.65", "0.70", "0.0950"),
        ("c10-15min", "0.30", "0.35", "0.0425"),
        ("c10-hour", "0", "0.05", "-0.0025"),
    ],
)
def test_how_long_import_and_export_are_netted(name: str, imported: str, exported: str, cost: str) -> None:
    clock = [f"2024-01-10 12:{minute:02d}" for minute in (0, 15, 30, 45)]
    taken = dict(zip(clock, [".30", ".05", ".20", ".10"], strict=True))
    given = dict(zip(clock, [".10", ".40", ".20", "0"], strict=True))
    billed = bill_of(document(name), "2024-01-10", "2024-01-11", taken, given)
    assert billed.net == Fraction(cost)
    netted = billed.bill.netted
    assert Fraction(int(netted.import_milliwh.sum()), MILLIWH_PER_KWH) == Fraction(imported)
    assert Fraction(int(netted.export_milliwh.sum()), MILLIWH_PER_KWH) == Fraction(exported)
