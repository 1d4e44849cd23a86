"""Laws of bills: whatever the tariff and the energies are, sums and parts agree, to the last digit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from billing_of import Billed, bill, edges_of, small, term_of
from generated_tariffs import (
    ROUNDINGS,
    TURNS,
    ZONES,
    energies,
    linear_components,
    other_components,
    scheduled,
    small_numbers,
    spot,
    spot_at,
    tariff,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.pricing import money_sums, net, net_labelled, runs_of
from statistics_manager_service.core.ratios import Ratio
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_days, midnight_us
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY
from statistics_manager_service.tariffs.billing import Plan, Usage
from statistics_manager_service.tariffs.lines import lines_of, tax_totals
from statistics_manager_service.tariffs.terms import BillingPeriod, Term, cuts_of

MINUTE_US = 60_000_000
NETTINGS = ["none", "PT15M", "PT30M", "PT1H", "billing_period", "P1Y"]
laws = settings(max_examples=40, deadline=None)


@st.composite
def times(draw: st.DrawFn, days: int = 12) -> tuple[str, int, int, str]:
    """A zone, a time of some days around a turn of its clock or calendar, and a date inside it."""
    zone, day = draw(
        st.sampled_from(TURNS) | st.tuples(st.sampled_from(ZONES), st.sampled_from(["2026-02-27", "2024-12-30"]))
    )
    turn = date.fromisoformat(day)
    before, after = draw(st.integers(1, days // 2)), draw(st.integers(1, days // 2))
    start_us = midnight_us(zone, turn - timedelta(before)) + draw(st.sampled_from([0, 0, 37 * MINUTE_US]))
    end_us = midnight_us(zone, turn + timedelta(after)) + draw(st.sampled_from([0, 0, QUARTER_US, 7 * MINUTE_US]))
    change = turn + timedelta(draw(st.integers(-1, 1)))
    return zone, start_us, end_us, change.isoformat()


def cut(start_us: int, end_us: int, cuts_us: Sequence[int]) -> list[BillingPeriod]:
    """A billing period in parts."""
    edges = sorted({start_us, end_us, *(one for one in cuts_us if start_us < one < end_us)})
    return [BillingPeriod(a, b, start_us, end_us) for a, b in itertools.pairwise(edges)]


def billed(told: dict[str, Any], periods: list[BillingPeriod], seed: int, edges: Int64 | None = None) -> Billed:
    term = term_of(told, periods[0].start_us - 400 * US_PER_DAY, periods[-1].end_us + 400 * US_PER_DAY)
    edges = edges_of([term], periods) if edges is None else edges
    return bill(term, periods, *energies(seed, edges), spot, edges_us=edges)


# --- sums -------------------------------------------------------------------------------------------------------------


@laws
@given(st.data(), times(), ROUNDINGS, st.sampled_from(NETTINGS), st.integers(0, 9))
def test_lines_add_up_to_the_total(data: Any, time: Any, rounding: Any, netting: str, seed: int) -> None:
    zone, start_us, end_us, change = time
    components = data.draw(linear_components(change))
    components += data.draw(other_components(change, [one["id"] for one in components]))
    told = tariff(components, zone, rounding=rounding, metering={"netting": netting})
    found = billed(told, cut(start_us, end_us, []), seed)
    items = [item for segment in found.bill.segments for item in segment.items]
    assert sum(one.net + one.tax for one in found.lines) == found.gross
    for one in found.lines:
        assert one.gross == one.net + one.tax
    if rounding["at"] != "line":
        assert sum(item.net for item in items) == found.net
        assert sum(item.gross for item in items) == found.gross
    else:
        cents = 10 ** rounding["money"]
        assert all((one.net * cents).denominator == (one.tax * cents).denominator == 1 for one in found.lines)
        exact = sum(item.gross for item in items)
        assert abs(found.gross - exact) * cents <= len(found.lines)  # each net and tax by half a unit at most
    for one in items:
        assert one.net == sum(part[3] for part in one.taxed)
        assert one.gross == sum(part[3] * (1 + part[2]) for part in one.taxed)


@laws
@given(st.data(), times(), st.integers(0, 9))
def test_a_line_is_its_quantity_times_its_price(data: Any, time: Any, seed: int) -> None:
    zone, start_us, end_us, change = time
    components = data.draw(linear_components(change))
    components += data.draw(other_components(change, [one["id"] for one in components]))
    capped = {"sold", "back", "excise"}  # amounts that something else bounds
    for one in billed(tariff(components, zone), cut(start_us, end_us, []), seed).lines:
        if one.unit_price is not None and one.component not in capped:
            assert one.quantity * one.unit_price == one.net


@laws
@given(st.data(), times(), st.integers(0, 9), st.sampled_from(NETTINGS))
def test_energy_of_all_periods_is_the_netted_energy(data: Any, time: Any, seed: int, netting: str) -> None:
    zone, start_us, end_us, change = time
    price = data.draw(scheduled(small_numbers))
    components = [
        {"id": "in", "kind": "energy", "price": price, "tax": "threshold"},
        {"id": "out", "kind": "energy", "flow": "export", "price": price},
        *data.draw(other_components(change, ["in"])),
    ]
    found = billed(tariff(components, zone, metering={"netting": netting}), cut(start_us, end_us, []), seed)
    first, last = np.searchsorted(found.plan.edges_us, (start_us, end_us))
    netted = found.bill.netted
    for name, column in (
        ("in", netted.import_milliwh),
        ("out", netted.export_milliwh),
        ("tiered", netted.import_milliwh),
    ):
        quantity = sum((one.quantity for one in found.lines if one.component == name), Fraction(0))
        assert quantity == Fraction(int(column[first:last].sum()), 1_000_000)


@laws
@given(st.data(), times(), ROUNDINGS, st.sampled_from(NETTINGS), st.integers(1, 70))
def test_many_homes_at_once_come_to_what_each_does_alone(
    data: Any, time: Any, rounding: Any, netting: str, homes: int
) -> None:
    zone, start_us, end_us, change = time
    components = data.draw(linear_components(change))
    components += data.draw(other_components(change, [one["id"] for one in components]))
    told = tariff(components, zone, rounding=rounding, metering={"netting": netting})
    middle_us = (start_us + end_us) // 2 // QUARTER_US * QUARTER_US
    periods = [
        BillingPeriod(start_us, middle_us, start_us, middle_us),
        BillingPeriod(middle_us, end_us, middle_us, end_us),
    ]
    term = term_of(told, start_us, end_us)
    edges = edges_of([term], periods)
    plan = Plan([term], periods, edges, spot)
    each = [energies(seed, edges) for seed in range(homes)]
    totals = plan.bill_totals(np.stack([one[0] for one in each]), np.stack([one[1] for one in each]))
    assert len(totals) == homes
    for i in {0, 1, homes // 2, homes - 1} & set(range(homes)):
        by_period = lines_of(plan.bill(Usage(edges, *each[i])))
        by_period += [[]] * (2 - len(by_period))
        for lines, total in zip(by_period, totals[i], strict=True):
            nets, taxes = (sum((getattr(one, name) for one in lines), Fraction(0)) for name in ("net", "tax"))
            if rounding["at"] == "bill":
                nets = Ratio.of(nets).rounded(rounding["money"], rounding["mode"])
                nets = Fraction(nets, 10 ** rounding["money"])
                taxes = sum((one.tax for one in tax_totals(lines, term.tariff.rounding)), Fraction(0))
            assert (total.net, total.tax, total.gross) == (nets, taxes, nets + taxes)


# --- parts ------------------------------------------------------------------------------------------------------------


@laws
@given(st.data(), times(), st.integers(0, 9), st.sampled_from(["none", "PT15M", "PT1H"]))
def test_linear_parts_of_a_billing_period_add_up_to_the_whole(data: Any, time: Any, seed: int, netting: str) -> None:
    """Cut at any instant, also inside of a quarter-hour, and into any number of parts. Energy is told by pieces of time
    between all the cuts, and netted within them."""
    zone, start_us, end_us, change = time
    told = tariff(data.draw(linear_components(change)), zone, metering={"netting": netting})
    cuts = data.draw(st.lists(st.integers(start_us, end_us), max_size=4))
    parts = cut(start_us, end_us, cuts)
    edges = edges_of([term_of(told, start_us - US_PER_DAY, end_us + US_PER_DAY)], parts)
    whole, cut_up = (billed(told, periods, seed, edges) for periods in (cut(start_us, end_us, []), parts))
    for component in {one.component for one in cut_up.lines} | {one.component for one in whole.lines}:
        sums = [sum(one.gross for one in some.lines if one.component == component) for some in (whole, cut_up)]
        assert sums[0] == sums[1]
    assert whole.gross == cut_up.gross


@laws
@given(st.data(), times(), st.integers(0, 9))
def test_fixed_amounts_of_any_proration_add_up_to_the_whole(data: Any, time: Any, seed: int) -> None:
    zone, start_us, end_us, _ = time
    components = [
        {"id": f"{kind}-{proration}", "kind": kind, "basis": basis, "price": "7.3", "proration": proration}
        for kind in ("fixed", "credit")
        for basis, proration in itertools.product(
            [data.draw(st.sampled_from(["per_month", "per_year", "per_bill"]))], ["daily", "month_if_28_32", "none"]
        )
    ]
    cuts = data.draw(st.lists(st.integers(start_us, end_us), min_size=1, max_size=3))
    whole, cut_up = (
        billed(tariff(components, zone), periods, seed)
        for periods in (cut(start_us, end_us, []), cut(start_us, end_us, cuts))
    )
    assert whole.gross == cut_up.gross


@laws
@given(st.data(), times(), st.integers(0, 9))
def test_linear_cost_is_linear_in_energy(data: Any, time: Any, seed: int) -> None:
    zone, start_us, end_us, change = time
    energy = [one for one in data.draw(linear_components(change)) if one["kind"] == "energy"] or [
        {"id": "c", "kind": "energy", "price": {"series": "spot"}}
    ]
    told, periods = tariff(energy, zone), cut(start_us, end_us, [])
    term = term_of(told, start_us, end_us)
    edges = edges_of([term], periods)
    plan = Plan([term], periods, edges, spot)
    assert all(price.is_linear for _, prices, _ in plan.energy_prices() for price in prices.values())
    one, two = energies(seed, edges), energies(seed + 100, edges)
    times_3 = data.draw(st.integers(2, 9))

    def cost(imported: Int64, exported: Int64) -> Fraction:
        return sum(
            (line.gross for some in lines_of(plan.bill(Usage(edges, imported, exported))) for line in some), Fraction(0)
        )

    assert cost(one[0] + times_3 * two[0], one[1] + times_3 * two[1]) == cost(*one) + times_3 * cost(*two)


@laws
@given(times(), st.integers(0, 9), small_numbers, st.sampled_from(["billing_period", "day", "year"]))
def test_chronological_and_proportional_steps_agree_where_each_step_has_one_price(
    time: Any, seed: int, price: str, per: str
) -> None:
    zone, start_us, end_us, _ = time
    steps = [{"upto": "5", "price": price}, {"upto": "30", "price": "0.2"}, {"price": "0.3"}]
    costs = [
        billed(
            tariff(
                [{"id": "c", "kind": "energy", "price": {"tiers": {"order": order, "per": per, "steps": steps}}}], zone
            ),
            cut(start_us, end_us, []),
            seed,
        ).gross
        for order in ("chronological", "proportional")
    ]
    assert costs[0] == costs[1]


# --- an independent calculation ---------------------------------------------------------------------------------------


@laws
@given(times(), st.integers(0, 9), st.integers(1, 59))
def test_a_switch_of_tariffs_at_any_minute_splits_the_cost_exactly(time: Any, seed: int, minute: int) -> None:
    """A contract ends at an odd minute and another begins: each piece of time at its own price, by a plain loop."""
    zone, start_us, end_us, _ = time
    switch_us = start_us // QUARTER_US * QUARTER_US + 26 * 3600 * 1_000_000 + minute * MINUTE_US
    switch_us = min(max(switch_us, start_us + 1), end_us - 1)
    hour = {"id": "c", "kind": "energy", "price": {"schedule": "two", "values": {"A": "0.31", "B": "0.17"}}}
    old = term_of(tariff([hour], zone, id="old"), start_us, switch_us)
    spot_price = {"add": [{"series": "spot"}, "0.05"]}
    new = term_of(tariff([{**hour, "price": spot_price}], zone, id="new"), switch_us, end_us)
    periods = cut(start_us, end_us, [])
    edges = edges_of([old, new], periods)
    imported, exported = energies(seed, edges)
    found = bill([old, new], periods, imported, exported, spot, edges_us=edges)
    expected = Decimal(0)
    for at_us, milliwh in zip(edges.tolist(), imported.tolist(), strict=False):
        if start_us <= at_us < end_us:
            local = np.datetime64(at_us, "us").astype("datetime64[us]").item().replace(tzinfo=ZoneInfo("UTC"))
            hours = local.astimezone(ZoneInfo(zone)).hour
            fixed = Decimal("0.31") if 8 <= hours < 22 else Decimal("0.17")
            price = fixed if at_us < switch_us else spot_at(at_us // QUARTER_US) + Decimal("0.05")
            expected += milliwh * price
    assert found.net == Fraction(expected) / 1_000_000


@pytest.mark.parametrize(
    ("zone", "day", "quarters", "days"),
    [
        ("Europe/Lisbon", "2026-03-29", 92, 1),
        ("Europe/Lisbon", "2026-10-25", 100, 1),
        ("Europe/Lisbon", "2026-10-26", 96, 1),
        ("Australia/Lord_Howe", "2026-04-05", 98, 1),
        ("Australia/Lord_Howe", "2026-10-04", 94, 1),
        ("Pacific/Apia", "2011-12-29", 96, 1),
        ("Pacific/Apia", "2011-12-30", 0, 0),
        ("America/New_York", "2026-11-01", 100, 1),
    ],
)
def test_a_day_has_the_quarter_hours_that_it_has_each_once(zone: str, day: str, quarters: int, days: int) -> None:
    first = date.fromisoformat(day)
    start_us, end_us = (midnight_us(zone, one) for one in (first, first + timedelta(1)))
    assert civil_days(zone, start_us, end_us) == days
    if not days:
        assert start_us == end_us
        return
    told = small(
        {"id": "kwh", "kind": "energy", "price": "1", "split_by": "two"},
        {"id": "day", "kind": "fixed", "basis": "per_day", "price": "1"},
        time_zone=zone, valid={"from": "2000-01-01"},
        calendars={"schedules": {"two": [{"period": "A", "from": "00:00", "to": "12:00"}, {"period": "B"}]}},
    )  # fmt: skip
    term, periods = term_of(told, start_us - US_PER_DAY, end_us + US_PER_DAY), cut(start_us, end_us, [])
    edges = edges_of([term], periods)
    found = bill(term, periods, np.full(len(edges) - 1, 1_000_000), edges_us=edges)
    assert found.amount("kwh") == quarters
    assert found.amount("day") == days
    assert found.amount("kwh", "B") == 48  # the clocks change at night


def test_a_month_without_one_of_its_days_has_the_others() -> None:
    start_us, end_us = (midnight_us("Pacific/Apia", date(2011 + year, month, 1)) for year, month in ((0, 12), (1, 1)))
    assert civil_days("Pacific/Apia", start_us, end_us) == 30
    told = tariff(
        [{"id": basis, "kind": "fixed", "basis": basis, "price": "1"} for basis in ("per_day", "per_month")],
        "Pacific/Apia",
    )
    half_us = midnight_us("Pacific/Apia", date(2011, 12, 16))
    found = billed(told, cut(start_us, end_us, [half_us]), 0)
    assert [one.net for one in found.lines] == [15, Fraction(1, 2), 15, Fraction(1, 2)]


# --- netting ----------------------------------------------------------------------------------------------------------


@laws
@given(times(), st.sampled_from(NETTINGS[1:]), st.sampled_from([None, "two"]), st.integers(0, 9))
def test_netting_keeps_the_balance_of_every_group(time: Any, netting: str, by: str | None, seed: int) -> None:
    """Import less export of each group stays, and one of both is 0; no piece turns negative or grows."""
    zone, start_us, end_us, _ = time
    metering = {"netting": netting, "by": by, "year_begins": "01-01"}
    told = tariff([{"id": "c", "kind": "energy", "price": "1"}], zone, metering=metering)
    middle_us = (start_us + end_us) // 2 // QUARTER_US * QUARTER_US
    periods = [BillingPeriod(a, b, a, b) for a, b in ((start_us, middle_us), (middle_us, end_us))]
    term = term_of(told, start_us, end_us)
    edges = edges_of([term], periods)
    imported, exported = energies(seed, edges)
    netted = Plan([term], periods, edges, spot).bill(Usage(edges, imported, exported)).netted
    assert (netted.import_milliwh >= 0).all() and (netted.import_milliwh <= imported).all()
    assert (netted.export_milliwh >= 0).all() and (netted.export_milliwh <= exported).all()
    for group in _groups(term, netting, by, edges, middle_us):
        before = imported[group].sum() - exported[group].sum()
        after = (netted.import_milliwh[group].sum(), netted.export_milliwh[group].sum())
        assert after == (max(before, 0), max(-before, 0))


def _groups(term: Term, netting: str, by: str | None, edges: Int64, middle_us: int) -> list[Any]:
    """Which pieces of time are netted together, worked out one by one."""
    found: dict[Any, list[int]] = {}
    zone = ZoneInfo(term.tariff.time_zone)
    for i, at_us in enumerate(edges[:-1].tolist()):
        local = np.datetime64(at_us, "us").item().replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
        minutes = {"PT15M": 15, "PT30M": 30, "PT1H": 60}.get(netting)
        key: Any = at_us < middle_us if netting == "billing_period" else local.year
        if minutes is not None:
            begin = local.replace(minute=local.minute // minutes * minutes, second=0, microsecond=0)
            key = (begin.isoformat(), local.fold)
        elif by == "two":
            key = (key, 8 <= local.hour < 22)
        found.setdefault(key, []).append(i)
    return [np.array(one) for one in found.values()]


@laws
@given(st.lists(st.lists(st.tuples(*[st.integers(0, 2**62)] * 2), min_size=1, max_size=5), min_size=1, max_size=4))
def test_netting_is_exact_up_to_the_largest_integers(groups: list[list[tuple[int, int]]]) -> None:
    flat = [one for group in groups for one in group]
    imported, exported = (np.array([one[i] for one in flat], np.int64) for i in (0, 1))
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    label = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    order = np.random.default_rng(len(flat)).permutation(len(flat))
    mixed = net_labelled(imported[order], exported[order], label[order])
    for netted, where in ((net(imported, exported, starts), label), (mixed, label[order])):
        for i, group in enumerate(groups):
            balance = sum(one[0] - one[1] for one in group)
            mine = [sum(column[where == i].tolist()) for column in netted]
            assert mine == [max(balance, 0), max(-balance, 0)]
        assert all((column >= 0).all() for column in netted)


def test_netting_of_a_year_reaches_over_the_bill() -> None:
    """Saldering: in summer more is given than taken, and the year nets to what is left of its import."""
    told = small(
        {"id": "c", "kind": "energy", "price": "1"}, {"id": "s", "kind": "energy", "flow": "export", "price": "1"},
        time_zone="Europe/Amsterdam", metering={"netting": "P1Y", "year_begins": "07-01"},
    )  # fmt: skip
    term = term_of(told, "2023-01-01", "2026-01-01")
    periods = [
        BillingPeriod(a, b, a, b) for a, b in [tuple(midnight_us("Europe/Amsterdam", date(2024, m, 1)) for m in (8, 9))]
    ]
    taken = {"2024-01-10": "1000", "2024-08-10": "30", "2025-01-10": "70"}
    given = {"2024-07-10 12:00": "40", "2024-08-20 12:00": "20", "2025-07-20 12:00": "500"}
    found = bill(term, periods, taken, given)
    assert found.net == 12  # of 100 kWh 40 are left, of 30 in August 12; all that was given is used up


# --- sums of money ----------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 3), st.sampled_from([10, 2**31, 2**62, 2**63 - 1]))
def test_sums_of_money_are_exact_beyond_64_bits(data: Any, size: int, homes: int, most: int) -> None:
    energy = np.array(
        data.draw(
            st.lists(st.lists(st.integers(0, most), min_size=size, max_size=size), min_size=homes, max_size=homes)
        ),
        np.int64,
    )
    most_price = data.draw(st.sampled_from([5, 10**6, 2**62, 10**30]))
    units = data.draw(st.lists(st.integers(-most_price, most_price), min_size=size, max_size=size))
    key = np.array(data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size)), np.int64)
    price = Decimals(np.array(units, np.int64 if most_price < 2**63 else object), 4)
    runs = runs_of(key)
    for one in (price, Decimals(price.units[:1], 4)):
        sums = money_sums(energy, one, runs)
        assert sums.shape == (homes, len(runs.keys))
        for home, k in itertools.product(range(homes), range(len(runs.keys))):
            expected = sum(
                int(energy[home, i]) * int(one.units[i if len(one) > 1 else 0])
                for i in range(size)
                if key[i] == runs.keys[k]
            )
            assert int(sums[home, k]) == expected


def test_a_plan_needs_edges_at_all_cuts() -> None:
    told = tariff([{"id": "c", "kind": "fixed", "basis": "per_day", "price": "1"}], "Europe/Lisbon")
    first, last = (midnight_us("Europe/Lisbon", date(2026, 1, day)) for day in (1, 3))
    term = term_of(told, first + 7 * MINUTE_US, last)
    assert cuts_of([term], cut(first, last, [])) == [first, first + 7 * MINUTE_US, last]
