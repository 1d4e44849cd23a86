"""Worked examples of the field, each from a tariff document, against the figures that were published for them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from billing_of import Billed, bill_of, document, shown

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
