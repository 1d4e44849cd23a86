"""What measured demand comes to: intervals, weights, which demands count, floors, windows of months, bands.

Every expected figure is worked out by hand beside it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from billing_of import Billed, bill, bill_of, edges_of, energy, month_periods, one_period, small, term_of

from statistics_manager_service.tariffs.billing import Plan, Usage
from statistics_manager_service.tariffs.energy import no_series
from statistics_manager_service.tariffs.lines import lines_of

LISBON = "Europe/Lisbon"


def peak(**others: Any) -> dict[str, Any]:
    return {"id": "peak", "kind": "peak", "per": "month", **({} if "bands" in others else {"price": "1"}), **others}


def month(told: dict[str, Any], kwh: dict[str, Any], first: str = "2024-01", **others: Any) -> Billed:
    term = term_of(told, "2020-01-01", "2026-01-01", **others)
    return bill(term, month_periods(term.tariff.time_zone, first, 1), kwh)


@pytest.mark.parametrize(("interval", "kw"), [("PT15M", 8), ("PT30M", 6), ("PT1H", 4)])
def test_demand_is_the_greatest_mean_power_of_an_interval(interval: str, kw: int) -> None:
    kwh = {"2024-01-10 12:00": "2", "2024-01-10 12:15": "1", "2024-01-10 12:45": "1"}
    (line,) = month(small(peak(interval=interval)), kwh).lines
    assert (line.quantity, line.unit, line.net, line.period) == (kw, "kW·months", kw, "2024-01")


def test_intervals_are_those_of_the_clock() -> None:
    """Kathmandu is at UTC+05:45: its hour from 12:00 is 06:15–07:15 UTC."""
    kwh = {"2024-01-10 12:00": "2", "2024-01-10 12:45": "1", "2024-01-10 13:00": "2"}
    assert month(small(peak(interval="PT1H"), time_zone="Asia/Kathmandu"), kwh).net == 3


def test_demands_of_days_on_which_the_clock_changes() -> None:
    """Of the hour that is repeated in autumn each pass is an hour of its own."""
    told = small(peak(interval="PT1H"))
    edges = edges_of([term_of(told, "2024-10-01", "2024-11-01")], month_periods(LISBON, "2024-10", 1))
    column = np.zeros(len(edges) - 1, np.int64)
    at = int(np.searchsorted(edges, 1729987200000000))  # 2024-10-27 00:00 UTC, 01:00 of the first pass
    column[at : at + 8] = 1_000_000
    assert bill(term_of(told, "2024-10-01", "2024-11-01"), month_periods(LISBON, "2024-10", 1), column).net == 4


@pytest.mark.parametrize(
    ("select", "aggregate", "kw"),
    [
        ({"n": 1}, "mean", 9),
        ({"n": 3}, "mean", Fraction(9 + 8 + 7, 3)),
        ({"n": 3, "distinct": "day"}, "mean", Fraction(9 + 6 + 5, 3)),
        (
            {"n": 3, "distinct": "week"},
            "mean",
            Fraction(9 + 5 + 0, 3),
        ),  # weeks begin on Mondays; there are more of them
        ({"n": 3, "distinct": "day"}, "max", 9),
    ],
)
def test_which_demands_count(select: dict[str, Any], aggregate: str, kw: Any) -> None:
    hours = {"2024-01-10 08:00": 9, "2024-01-10 09:00": 8, "2024-01-10 10:00": 7, "2024-01-14 23:00": 6}
    kwh = {when: str(one) for when, one in {**hours, "2024-01-15 00:00": 5}.items()}
    assert month(small(peak(select=select, aggregate=aggregate)), kwh).net == kw


def test_weights_leave_hours_out_or_count_them_in_part() -> None:
    """Nights count half; weekends not at all."""
    entries = [
        {"period": "weekend", "days": ["sat", "sun"]},
        {"period": "night", "days": "mon-fri", "from": "22:00", "to": "24:00"},
        {"period": "night", "days": "mon-fri", "from": "00:00", "to": "06:00"},
        {"period": "day", "days": "mon-fri", "from": "06:00", "to": "22:00"},
    ]
    told = small(
        peak(schedule="s", weights={"day": "1", "night": "0.5"}, select={"n": 2}),
        calendars={"schedules": {"s": entries}},
    )
    kwh = {"2024-01-10 23:00": "9", "2024-01-10 12:00": "4", "2024-01-13 12:00": "20"}
    assert month(told, kwh).net == Fraction("4.25")  # the mean of 9 × 0.5 and 4


def test_weights_of_months_and_of_many_digits_are_exact() -> None:
    weights = ["1.00", "0.3333333333", *["1"] * 10]
    told = small(peak(monthly_weights=weights))
    assert month(told, {"2024-01-10": "3"}).net == 3
    assert month(told, {"2024-02-10": "3"}, "2024-02").net == 3 * Fraction("0.3333333333")


def test_each_month_has_at_least_its_floor() -> None:
    told = small(peak(floor_kw="2.5"))
    assert month(told, {"2024-01-10": "1"}).net == Fraction("2.5")
    assert month(told, {"2024-01-10": "3"}).net == 3


@pytest.mark.parametrize(
    ("then", "kw"), [("mean", Fraction(10 + 3 + 2, 3)), ("max", 10), ("select", Fraction(10 + 9, 2))]
)
def test_months_are_taken_together_over_a_window(then: str, kw: Any) -> None:
    """Floors hold for each month (mean, max), or for what is selected of all months."""
    kwh = {"2023-10-05": "50", "2023-11-05": "10", "2023-11-06": "9", "2023-12-05": "1", "2024-01-10": "3"}
    n = 2 if then == "select" else 1
    told = small(peak(floor_kw="2", window={"months": 3, "then": then}, select={"n": n}))
    assert month(told, kwh).net == kw


def test_of_a_week_in_two_months_one_demand_counts() -> None:
    """Fjellnett: the highest of each week, the mean of the highest over the months. 1 February 2024 is a Thursday."""
    window = {"months": 2, "then": "select"}
    told = small(peak(select={"n": 2, "distinct": "week"}, window=window))
    kwh = {"2024-01-30": "10", "2024-02-02": "9", "2024-02-14": "4"}
    assert month(told, kwh, "2024-02").net == 7  # 10 and 4, as 9 is of the week of 10


def test_a_price_by_the_year_is_shared_over_months_and_by_the_days_of_a_month() -> None:
    told = small(peak(price="60", per="year"))
    assert month(told, {"2024-01-10": "3"}).net == 15
    part = bill(term_of(told, "2024-01-01", "2025-01-01"), one_period(LISBON, "2024-01-16", "2024-02-16"), {
        "2024-01-10": "4", "2024-02-25": "2",  # demands are those of the whole months
    })  # fmt: skip
    assert [(one.period, one.net) for one in part.lines] == [
        ("2024-01", 4 * 5 * Fraction(16, 31)),
        ("2024-02", 2 * 5 * Fraction(15, 29)),
    ]


@pytest.mark.parametrize(("kwh", "amount", "label"), [("2", 125, "2.00"), ("2.01", 206, "2.01"), ("30", 410, "30.00")])
def test_bands_are_an_amount_a_month(kwh: str, amount: int, label: str) -> None:
    bands = [{"upto_kw": "2", "price": "125"}, {"upto_kw": "5", "price": "206"}, {"price": "410"}]
    (line,) = month(small(peak(bands=bands)), {"2024-01-10": kwh}).lines
    assert (line.net, line.unit, line.period) == (amount, "months", f"2024-01, {label} kW")


def test_demand_of_what_is_fed_in() -> None:
    told = small(peak(flow="export"))
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "9"}, {"2024-01-10": "4"}).net == 4


def test_demand_is_measured_and_not_netted() -> None:
    told = small(peak(), metering={"netting": "PT1H"})
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "9"}, {"2024-01-10": "4"}).net == 9


def known_from(told: dict[str, Any], begin: str, kwh: dict[str, Any]) -> Fraction:
    """What January 2024 comes to, where nothing is known before a date."""
    term, periods = term_of(told, "2020-01-01", "2026-01-01"), month_periods(LISBON, "2024-01", 1)
    edges = edges_of([term], periods)
    column = energy(edges, LISBON, kwh)
    known = edges[:-1] >= np.datetime64(begin, "us").astype(np.int64)
    bill = Plan([term], periods, edges, no_series).bill(Usage(edges, column, np.zeros_like(column), known=known))
    return sum((one.net for lines in lines_of(bill) for one in lines), Fraction(0))


def test_months_in_which_nothing_is_known_do_not_count() -> None:
    """A new meter in Flanders: the mean of the months since then, not of eleven months of the floor."""
    told = small(peak(interval="PT15M", floor_kw="2.5", window={"months": 12, "then": "mean"}))
    kwh = {"2023-12-05": "1", "2024-01-10": "2"}
    assert known_from(told, "2023-12-01", kwh) == 6  # 4 kW and 8 kW
    assert known_from(told, "2024-01-10", kwh) == 8
    assert known_from(told, "2024-02-01", kwh) == 0
    assert known_from(told, "2020-01-01", kwh) == Fraction(10 * 5, 24) + 1  # ten months of 2.5 kW, then 12 kW together


def test_the_greatest_demands_of_any_size_are_exact() -> None:
    told = small(peak(select={"n": 2}, monthly_weights=["0.123456789012"] * 12))
    kwh = {"2024-01-10 12:00": "9e11", "2024-01-11 12:00": "8e11"}
    assert month(told, kwh).net == Fraction(85 * 10**10) * Fraction("0.123456789012")
