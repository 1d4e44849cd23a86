"""What each part of a tariff comes to: fixed amounts, percentages, credits, minimums, taxes, rounding, flows.

Every expected figure is worked out by hand beside it.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from billing_of import bill, bill_of, month_periods, one_period, small, term_of

from statistics_manager_service.tariffs.terms import BillingPeriod

LISBON = "Europe/Lisbon"
ENERGY: dict[str, Any] = {"id": "energy", "kind": "energy", "price": "0.20"}
SOLD: dict[str, Any] = {"id": "sold", "kind": "energy", "flow": "export", "price": "0.05"}
CHANGES = {"dated": [{"from": "2020-01-01", "price": "1"}, {"from": "2024-01-16", "price": "2"}]}


def fixed(basis: str, price: Any = "1", **others: Any) -> dict[str, Any]:
    return {"id": "fee", "kind": "fixed", "basis": basis, "price": price, **others}


def fee(told: dict[str, Any], start: str, end: str, **others: Any) -> Fraction:
    """What the component `fee` of a document comes to."""
    return bill_of(told, start, end, {}, **others).amount("fee")


# --- bases and proration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "start", "end", "count"),
    [
        ("per_day", "2024-01-01", "2024-02-01", 31),
        ("per_day", "2024-03-31", "2024-04-01", 1),  # of 23 hours
        ("per_day", "2024-10-27", "2024-10-28", 1),  # of 25 hours
        ("per_day", "2024-03-31 12:00", "2024-04-01", Fraction(12, 23)),
        ("per_day", "2024-01-01", "2024-01-01 06:00", Fraction(1, 4)),
        ("per_month", "2024-01-01", "2024-02-01", 1),
        ("per_month", "2024-01-16", "2024-02-16", Fraction(16, 31) + Fraction(15, 29)),
        ("per_month", "2024-01-01", "2025-01-01", 12),
        ("per_year", "2024-01-01", "2025-01-01", 1),
        ("per_year", "2024-02-01", "2024-03-01", Fraction(29, 366)),
        ("per_year", "2023-12-01", "2024-02-01", Fraction(31, 365) + Fraction(31, 366)),
        ("per_bill", "2024-01-01", "2024-02-01", 1),
        ("per_bill", "2024-01-01", "2024-01-03", 1),
    ],
)
def test_fixed_amounts_by_days_of_civil_months_and_years(
    basis: str, start: str, end: str, count: Fraction | int
) -> None:
    assert fee(small(fixed(basis)), start, end) == count


@pytest.mark.parametrize(
    ("proration", "start", "end", "months"),
    [
        ("month_if_28_32", "2024-02-03", "2024-03-02", 1),  # 28 days
        ("month_if_28_32", "2024-01-01", "2024-02-02", 1),  # 32 days
        ("month_if_28_32", "2024-02-03", "2024-03-01", 27 * 12 / Fraction("365.25")),
        ("month_if_28_32", "2024-01-01", "2024-02-03", 33 * 12 / Fraction("365.25")),
        ("none", "2024-02-03", "2024-03-01", 1),
        ("daily", "2024-02-03", "2024-03-01", Fraction(27, 29)),
    ],
)
def test_months_are_shared_out_as_the_component_has_it(
    proration: str, start: str, end: str, months: Fraction | int
) -> None:
    assert fee(small(fixed("per_month", proration=proration)), start, end) == months
    assert fee(small(fixed("per_month"), billing={"proration": proration}), start, end) == months
    expected = months if proration != "daily" else Fraction(27, 366) * 12
    assert fee(small(fixed("per_year", "12", proration=proration)), start, end) == expected


@pytest.mark.parametrize(("every", "months"), [("P1M", 1), ("P2M", 2), ("P3M", 3), ("P6M", 6), ("P1Y", 12)])
def test_without_proration_a_bill_has_the_months_of_its_cycle(every: str, months: int) -> None:
    told = small(fixed("per_month"), billing={"proration": "none", "cycle": {"every": every}})
    assert fee(told, "2024-01-10", "2024-02-20") == months


def test_a_part_of_a_billing_period_has_its_share_by_days() -> None:
    whole = month_periods(LISBON, "2024-03", 1)[0]
    first = BillingPeriod(whole.start_us, whole.start_us + 10 * 86_400_000_000, whole.start_us, whole.end_us)
    for basis, proration, count in (
        ("per_bill", None, Fraction(10, 31)),
        ("per_month", "none", Fraction(10, 31)),
        ("per_month", "month_if_28_32", Fraction(10, 31)),
        ("per_day", None, 10),
    ):
        told = small(fixed(basis, **({} if proration is None else {"proration": proration})))
        term = term_of(told, "2024-03-01", "2024-04-01")
        assert bill(term, [first], {}).amount("fee") == count


def test_a_price_that_changes_in_a_period_makes_two_lines_of_it() -> None:
    billed = bill_of(small(fixed("per_day", CHANGES)), "2024-01-01", "2024-02-01", {})
    assert [(one.quantity, one.unit_price, one.net) for one in billed.lines] == [(15, 1, 15), (16, 2, 32)]
    billed = bill_of(small(fixed("per_bill", CHANGES)), "2024-01-01", "2024-02-01", {})
    assert billed.net == Fraction(15, 31) + 2 * Fraction(16, 31)


def test_capacity_is_a_price_for_each_kva_that_is_contracted() -> None:
    def capacity(basis: str, **others: Any) -> dict[str, Any]:
        one = {"id": "fee", "kind": "capacity", "basis": basis, "of": "kva", "price": "0.05", **others}
        return small(one, parameters={"kva": 6.9})

    assert fee(capacity("per_day"), "2024-01-01", "2024-02-01") == Fraction("6.9") * 31 * Fraction("0.05")
    assert fee(capacity("per_month"), "2024-01-01", "2024-02-01") == Fraction("6.9") * Fraction("0.05")
    # Spain: €/kW·year / 365 × days, in leap years, too
    year = Fraction("6.9") * Fraction("0.05")
    assert fee(capacity("per_year"), "2024-01-01", "2025-01-01") == year * 366 / 365
    assert fee(capacity("per_year", year_days="actual"), "2024-01-01", "2025-01-01") == year
    other = {"parameters": {"kva": Decimal("3.45")}}
    assert fee(capacity("per_month"), "2024-01-01", "2024-02-01", **other) == Fraction("3.45") * Fraction("0.05")
    (line,) = bill_of(capacity("per_day"), "2024-01-01", "2024-02-01", {}).lines
    assert (line.quantity, line.unit, line.price_unit) == (Fraction("213.9"), "kW·days", "kW·day")


# --- prices by parameters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "true_of", "false_of"),
    [
        ({"parameter": "big"}, {"big": True}, {"big": False}),
        ({"not": {"parameter": "big"}}, {"big": False}, {"big": True}),
        ({"parameter": "big", "is": False}, {"big": False}, {"big": True}),
        ({"parameter": "kva", "at_most": 6.9}, {"kva": Decimal("6.90")}, {"kva": Decimal("6.91")}),
        ({"parameter": "kva", "below": 6.9}, {"kva": Decimal("6.8")}, {"kva": Decimal("6.9")}),
        ({"parameter": "kva", "above": 6.9, "below": 10}, {"kva": Decimal(7)}, {"kva": Decimal(10)}),
        ({"parameter": "kva", "at_least": 6.9}, {"kva": Decimal("6.9")}, {"kva": Decimal("6.8")}),
        ({"parameter": "region", "is": "A"}, {"region": "A"}, {"region": "a"}),
        ({"parameter": "kva", "is": "6.90"}, {"kva": Decimal("6.9")}, {"kva": Decimal("3.45")}),
        ({"all": [{"parameter": "big"}, {"parameter": "kva", "above": 5}]}, {"big": True}, {"big": False}),
        ({"any": [{"parameter": "big"}, {"parameter": "kva", "above": 9}]}, {"big": True}, {"big": False}),
    ],
)
def test_conditions_choose_prices_components_and_rates(
    condition: Any, true_of: dict[str, Any], false_of: dict[str, Any]
) -> None:
    told = small(
        fixed("per_bill", {"if": condition, "then": "10", "else": "3"}, tax="t"),
        {**fixed("per_bill", "100"), "id": "more", "when": condition},
        taxes={"t": {"rate": {"if": condition, "then": "0.1", "else": "0.2"}}},
        parameters={"big": False, "kva": 6.9, "region": "B"},
    )
    yes = bill_of(told, "2024-01-01", "2024-02-01", {}, parameters=true_of)
    no = bill_of(told, "2024-01-01", "2024-02-01", {}, parameters=false_of)
    assert (yes.net, yes.gross) == (110, 111)
    assert (no.net, no.gross) == (3, Fraction("3.6"))


def test_tables_expressions_and_parameters_come_to_one_price() -> None:
    price = {
        "max": [
            {"add": [{"table": "kva", "values": {"3.45": "0.1", "6.90": "0.2"}}, {"parameter": "margin"}]},
            {"min": ["5", {"mul": ["0.1", "0.3", {"constant": "100"}]}]},
        ]
    }
    told = small(fixed("per_bill", price), parameters={"kva": 6.9, "margin": 0.03})
    assert fee(told, "2024-01-01", "2024-02-01") == 3  # 0.1 × 0.3 × 100
    assert fee(told, "2024-01-01", "2024-02-01", parameters={"margin": Decimal(4)}) == Fraction("4.2")


def test_products_of_many_digits_are_exact() -> None:
    digits = "1.00000000000000000000001"  # 1 + 1e-23
    told = small(fixed("per_bill", {"mul": [digits, digits, digits]}))
    assert fee(told, "2024-01-01", "2024-02-01") == (1 + Fraction(1, 10**23)) ** 3


# --- percentages, credits, caps, minimums -----------------------------------------------------------------------------


def excise(**others: Any) -> dict[str, Any]:
    return {"id": "excise", "kind": "percentage", "rate": "0.05", "of": ["energy", "fee"], **others}


def test_spanish_order_of_taxes_on_taxes() -> None:
    """(power + energy) × 1.0511269632 + rent, then × 1.21."""
    told = small(
        {**ENERGY, "tax": "iva"},
        fixed("per_bill", "10", tax="iva"),
        excise(rate="0.0511269632", tax="iva"),
        {**fixed("per_bill", "0.81", tax="iva"), "id": "rent"},
        taxes={"iva": {"rate": "0.21"}},
    )
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"})
    assert billed.amount("excise") == 30 * Fraction("0.0511269632")
    assert billed.gross == (30 * Fraction("1.0511269632") + Fraction("0.81")) * Fraction("1.21")


def test_a_percentage_comes_to_no_less_than_its_floor_for_each_kwh() -> None:
    told = small(ENERGY, fixed("per_bill", "0"), excise(rate="0.004", floor={"per_kwh": "0.001"}))
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"})
    assert billed.amount("excise") == Fraction("0.1")  # 100 kWh × 0.001, more than 20 × 0.004
    told = small(ENERGY, fixed("per_bill", "10"), excise(rate="0.004", floor={"per_kwh": "0.001"}))
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"}).amount("excise") == Fraction("0.12")


def test_a_percentage_of_a_percentage() -> None:
    told = small(ENERGY, fixed("per_bill", "5"), excise(), excise(id="city", rate="0.1", of=["energy", "excise"]))
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "75"})
    assert billed.amount("excise") == 1  # 5 % of 15 + 5
    assert billed.amount("city") == Fraction("1.6")  # 10 % of 15 + 1


def test_a_credit_takes_away_no_more_than_its_cap() -> None:
    credit = {"id": "credit", "kind": "credit", "basis": "per_bill", "price": "30", "cap": {"of": ["energy"]}}
    told = small(ENERGY, credit)
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"}).amount("credit") == -20
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "200"}).amount("credit") == -30
    free = small(ENERGY, {**credit, "cap": None})
    assert bill_of(free, "2024-01-01", "2024-02-01", {"2024-01-10": "100"}).net == -10


def test_surplus_is_credited_up_to_the_energy_of_the_billing_period() -> None:
    """Spain, RD 244/2019: the credit can't exceed the value of the energy of the month."""
    told = small(ENERGY, {**SOLD, "cap": {"of": ["energy"]}})
    taken, given = {"2024-01-10": "10"}, {"2024-01-10 12:00": "30", "2024-01-11 12:00": "30"}
    billed = bill_of(told, "2024-01-01", "2024-02-01", taken, given)
    assert (billed.amount("energy"), billed.amount("sold"), billed.net) == (2, -2, 0)
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"}, given).amount("sold") == -3


def test_a_cap_holds_over_the_billing_period_and_not_over_each_price_in_it() -> None:
    prices = {"dated": [{"from": "2020-01-01", "price": "0.20"}, {"from": "2024-01-16", "price": "0.40"}]}
    told = small({**ENERGY, "price": prices}, {**SOLD, "cap": {"of": ["energy"]}})
    taken, given = {"2024-01-20": "10"}, {"2024-01-10 12:00": "60", "2024-01-21 12:00": "40"}
    billed = bill_of(told, "2024-01-01", "2024-02-01", taken, given)
    assert billed.amount("sold") == -4  # of 3 + 2, as the energy came to 4, though none was taken before the 16th
    assert [one.net for one in billed.of("sold")] == [Fraction(-12, 5), Fraction(-8, 5)]
    later = month_periods(LISBON, "2024-01", 2)
    both = bill(term_of(told, "2024-01-01", "2024-03-01"), later, taken, {**given, "2024-02-10": "50"})
    assert [sum(one.net for one in some if one.component == "sold") for some in both.periods] == [-4, 0]


def minimum(price: str, **others: Any) -> dict[str, Any]:
    return {"id": "minimum", "kind": "minimum", "basis": "per_month", "price": price, **others}


@pytest.mark.parametrize(("kwh", "lacking"), [("0", 15), ("20", 11), ("100", None)])
def test_what_lacks_to_a_minimum_is_a_line_of_its_own(kwh: str, lacking: int | None) -> None:
    billed = bill_of(small(ENERGY, minimum("15")), "2024-01-01", "2024-02-01", {"2024-01-10": kwh})
    assert [one.net for one in billed.lines if one.component == "minimum"] == ([] if lacking is None else [lacking])


def test_a_minimum_of_some_components_and_one_of_zero() -> None:
    told = small(ENERGY, fixed("per_bill", "7"), minimum("10", of=["energy"]))
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "30"}).amount("minimum") == 4
    told = small(ENERGY, SOLD, minimum("0"))
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "1"}, {"2024-01-10 12:00": "100"})
    assert (billed.amount("minimum"), billed.net) == (Fraction("4.8"), 0)


def test_a_minimum_is_of_the_billing_period_also_where_a_price_changes_in_it() -> None:
    prices = {"dated": [{"from": "2020-01-01", "price": "0.20"}, {"from": "2024-01-16", "price": "0.40"}]}
    told = small({**ENERGY, "price": prices}, minimum("15"))
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-20": "50"})
    assert [one.net for one in billed.lines] == [20]  # of the second half alone, and it is enough
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-20": "10"})
    assert [one.net for one in billed.of("minimum")] == [Fraction(11 * 15, 31), Fraction(11 * 16, 31)]


def test_a_minimum_told_with_tax_is_compared_with_amounts_with_tax() -> None:
    taxes = {"t": {"rate": "0.25"}, "in": {"rate": "0.25", "included": True}}
    told = small({**ENERGY, "tax": "t"}, minimum("30", tax="in"), taxes=taxes)
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"})
    assert (billed.taxed("energy"), billed.taxed("minimum"), billed.gross) == (25, 5, 30)


# --- taxes ------------------------------------------------------------------------------------------------------------


def test_prices_that_include_the_tax_are_paid_as_they_are_told() -> None:
    told = small({**ENERGY, "price": "0.2642", "tax": "vat"}, taxes={"vat": {"rate": "0.05", "included": True}})
    (line,) = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "100"}).lines
    assert line.gross == Fraction("26.42")
    assert line.net == Fraction("26.42") / Fraction("1.05")
    assert line.unit_price == Fraction("0.2642") / Fraction("1.05")
    assert line.quantity * (line.unit_price or 0) == line.net


def threshold(**others: Any) -> dict[str, Any]:
    return {"t": {"threshold": {"kwh": "200", "per_days": 30, **others}, "below": "0.06", "above": "0.23"}}


def test_a_threshold_is_by_the_days_of_the_bill_and_may_be_rounded_to_whole_kwh() -> None:
    told = small({**ENERGY, "tax": "t"}, taxes=threshold())
    kwh = {"2024-01-10": "300"}
    billed = bill_of(told, "2024-01-01", "2024-02-01", kwh)
    assert [one.quantity for one in billed.lines] == [Fraction(6200, 30), 300 - Fraction(6200, 30)]
    told = small({**ENERGY, "tax": "t"}, taxes=threshold(rounding="integer"))
    assert [one.quantity for one in bill_of(told, "2024-01-01", "2024-02-01", kwh).lines] == [207, 93]
    assert [one.quantity for one in bill_of(told, "2024-01-01", "2024-01-03", {"2024-01-01": "14"}).lines] == [13, 1]


@pytest.mark.parametrize(("kwh", "rates"), [("0.1", ["0.06"]), ("200", ["0.06"]), ("200.000001", ["0.06", "0.23"])])
def test_up_to_the_threshold_one_rate_holds(kwh: str, rates: list[str]) -> None:
    told = small({**ENERGY, "tax": "t"}, taxes=threshold())
    lines = bill_of(told, "2024-01-01", "2024-01-31", {"2024-01-10": kwh}).lines
    assert [str(one.tax_rate) for one in lines] == rates
    assert sum(one.quantity for one in lines) == Fraction(kwh)


def test_a_threshold_of_nothing_taxes_all_by_the_higher_rate() -> None:
    told = small({**ENERGY, "tax": "t"}, taxes=threshold(kwh="0"))
    (line,) = bill_of(told, "2024-01-01", "2024-01-31", {"2024-01-10": "10"}).lines
    assert (str(line.tax_rate), line.quantity) == ("0.23", 10)


def test_a_threshold_is_shared_by_fixed_shares_as_it_was_until_2021() -> None:
    """Portugal from 2020-12 to 2021-11: 60 % of 100 kWh outside vazio, 40 % in it."""
    two = [{"period": "FV", "from": "08:00", "to": "22:00"}, {"period": "V"}]
    told = small(
        {**ENERGY, "price": {"schedule": "bi", "values": {"FV": "0.2", "V": "0.1"}}, "tax": "t"},
        calendars={"schedules": {"bi": two}},
        taxes=threshold(kwh="100", share={"FV": "0.6", "V": "0.4"}, schedule="bi"),
    )
    billed = bill_of(told, "2024-01-01", "2024-01-31", {"2024-01-10 12:00": "170", "2024-01-10 23:00": "30"})
    assert {(one.period, str(one.tax_rate)): one.quantity for one in billed.lines} == {
        ("FV", "0.06"): 60,
        ("FV", "0.23"): 110,
        ("V", "0.06"): 30,  # all of it: its 40 are not reached, and what is left of them is not FV's
    }


def test_a_threshold_holds_where_its_condition_does() -> None:
    tax = {**threshold()["t"], "when": {"parameter": "kva", "at_most": 6.9}, "otherwise": "0.23"}
    told = small({**ENERGY, "tax": "t"}, taxes={"t": tax}, parameters={"kva": 6.9})
    kwh = {"2024-01-10": "10"}
    assert bill_of(told, "2024-01-01", "2024-01-31", kwh).gross == 2 * Fraction("1.06")
    other = {"kva": Decimal("10.35")}
    assert bill_of(told, "2024-01-01", "2024-01-31", kwh, parameters=other).gross == 2 * Fraction("1.23")


def test_two_components_share_one_threshold() -> None:
    """A discount of the social tariff has the same share of its kWh below the threshold as the energy."""
    told = small({**ENERGY, "tax": "t"}, {**ENERGY, "id": "social", "price": "-0.0468", "tax": "t"}, taxes=threshold())
    billed = bill_of(told, "2024-01-01", "2024-01-31", {"2024-01-10": "400"})
    assert billed.of("social", rate="0.06")[0].net == 200 * Fraction("-0.0468")
    each = Fraction("0.20") - Fraction("0.0468")
    assert billed.gross == 200 * each * Fraction("1.06") + 200 * each * Fraction("1.23")


def test_a_rate_that_changes_splits_the_bill_at_its_day() -> None:
    rate = {"dated": [{"from": "2020-01-01", "price": "0.13"}, {"from": "2024-01-16", "price": "0.06"}]}
    told = small({**ENERGY, "tax": "t"}, taxes={"t": {"rate": rate}})
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-15 23:45": "10", "2024-01-16 00:00": "20"})
    assert [(one.quantity, one.gross) for one in billed.lines] == [
        (10, 2 * Fraction("1.13")),
        (20, 4 * Fraction("1.06")),
    ]


# --- rounding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "price", "net"),
    [
        ("half_up", "0.125", "0.13"),
        ("half_up", "0.124999", "0.12"),
        ("half_up", "-0.125", "-0.13"),
        ("half_even", "0.125", "0.12"),
        ("half_even", "0.135", "0.14"),
        ("half_even", "-0.125", "-0.12"),
    ],
)
def test_lines_are_rounded_by_their_mode(mode: str, price: str, net: str) -> None:
    told = small(fixed("per_bill", price), rounding={"money": 2, "at": "line", "mode": mode})
    assert bill_of(told, "2024-01-01", "2024-02-01", {}).net == Fraction(net)


def test_each_line_is_rounded_once_its_net_and_its_tax() -> None:
    """A meter rent of 0.00124 € an hour is 0.92 a month: rounded by the hour to 0.001 it would be 0.74."""
    rent = {"mul": ["24", "0.00124"]}
    told = small(fixed("per_day", rent, tax="t"), taxes={"t": {"rate": "0.21"}}, rounding={"at": "line"})
    (line,) = bill_of(told, "2024-01-01", "2024-02-01", {}).lines
    assert (line.net, line.tax, line.gross) == (Fraction("0.92"), Fraction("0.19"), Fraction("1.11"))


def test_of_prices_with_tax_the_gross_amount_is_the_rounded_one() -> None:
    told = small(
        fixed("per_bill", "0.10", tax="t"), taxes={"t": {"rate": "0.23", "included": True}}, rounding={"at": "line"}
    )
    (line,) = bill_of(told, "2024-01-01", "2024-02-01", {}).lines
    assert (line.net, line.tax, line.gross) == (Fraction("0.08"), Fraction("0.02"), Fraction("0.10"))


def test_amounts_may_have_other_decimals_or_stay_exact() -> None:
    for rounding, net in (({"money": 0}, 0), ({"money": 4}, Fraction("0.3333")), ({"at": "none"}, Fraction("0.33333"))):
        told = small(fixed("per_bill", "0.33333"), rounding=rounding)
        assert fee(told, "2024-01-01", "2024-02-01") == net


# --- flows and contracts ----------------------------------------------------------------------------------------------


def test_what_is_sold_is_a_negative_amount_at_its_own_price() -> None:
    (line,) = bill_of(small(SOLD), "2024-01-01", "2024-02-01", {}, {"2024-01-10": "10"}).lines
    assert (line.kind, line.quantity, line.unit_price, line.net) == ("export", 10, Fraction("-0.05"), Fraction("-0.5"))


def test_a_sub_meter_is_priced_apart_and_is_no_part_of_the_grids_energy() -> None:
    told = small(
        {**ENERGY, "tax": "t"}, {**ENERGY, "id": "heat", "meter": "heat_pump", "price": "0.1"}, taxes=threshold()
    )
    billed = bill_of(
        told, "2024-01-01", "2024-01-31", {"2024-01-10": "100"}, meters={"heat_pump": {"2024-01-10": "500"}}
    )
    assert (billed.amount("energy"), billed.amount("heat")) == (20, 50)
    assert [str(one.tax_rate) for one in billed.of("energy")] == ["0.06"]
    assert bill_of(told, "2024-01-01", "2024-01-31", {"2024-01-10": "100"}).net == 20  # a home without that meter


def test_import_and_export_by_contracts_of_their_own() -> None:
    buys = term_of(small(ENERGY, SOLD, fixed("per_bill", "5")), "2024-01-01", "2024-02-01", flow="import")
    sells = term_of(
        small(ENERGY, {**SOLD, "price": "0.07"}, {**fixed("per_bill", "1"), "id": "access"}, id="sells"),
        "2024-01-10",
        "2024-02-01",
        flow="export",
    )
    given = {"2024-01-05 12:00": "3", "2024-01-20 12:00": "10"}
    billed = bill([buys, sells], one_period(LISBON, "2024-01-01", "2024-02-01"), {"2024-01-20": "50"}, given)
    assert billed.amount("energy") == 10
    assert billed.amount("sold") == Fraction("-0.7")  # by the contract that buys it; what was given before has none
    assert (billed.amount("fee"), billed.amount("access")) == (5, Fraction(22, 31))
    assert {one.tariff for one in billed.of("sold")} == {"sells"}


def test_the_import_contract_says_how_flows_are_netted() -> None:
    def contract(name: str, netting: str, flow: str) -> Any:
        told = small(ENERGY, SOLD, id=name, metering={"netting": netting})
        return term_of(told, "2024-01-01", "2024-02-01", flow=flow)

    periods = one_period(LISBON, "2024-01-01", "2024-02-01")
    taken, given = {"2024-01-10 12:00": "3"}, {"2024-01-10 12:15": "2"}
    for netting, cost in (("PT1H", Fraction("0.2")), ("none", Fraction("0.5"))):
        both = [contract("buys", netting, "import"), contract("sells", "PT1H", "export")]
        assert bill(both, periods, taken, given).net == cost
    alone = [contract("sells", "PT1H", "export")]
    assert bill(alone, periods, taken, given).net == 0


def test_a_switch_of_tariffs_inside_of_a_day_bills_each_its_part() -> None:
    old = term_of(small(ENERGY, fixed("per_day"), id="old"), "2024-01-01", "2024-01-10 10:30")
    new = term_of(small({**ENERGY, "price": "0.3"}, fixed("per_day", "2"), id="new"), "2024-01-10 10:30", "2024-02-01")
    taken = {"2024-01-10 10:15": "1", "2024-01-10 10:30": "10"}
    billed = bill([old, new], month_periods(LISBON, "2024-01", 1), taken)
    assert [one.net for one in billed.of("energy")] == [Fraction("0.2"), 3]
    part = Fraction(42, 96)
    assert [one.net for one in billed.of("fee")] == [9 + part, 2 * (22 - part)]
    assert sum(one.quantity for one in billed.of("fee")) == 31


def test_a_time_without_a_contract_has_no_lines() -> None:
    term = term_of(small(ENERGY, fixed("per_day")), "2024-02-01", "2024-03-01")
    billed = bill(term, month_periods(LISBON, "2024-01", 3), {"2024-01-10": "7", "2024-02-10": "1"})
    assert [len(lines) for lines in billed.periods] == [0, 2]
    assert billed.amount("energy") == Fraction("0.2")
    assert np.array_equal(billed.bill.netted.import_milliwh.sum(), 8_000_000)
