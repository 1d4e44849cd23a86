"""Real homes on dynamic tariffs: a supplier's own cost of each hour, and Agile prices on homes of London.

Zonneplan's export tells the cost of each hour, "with tax". Worked out from its rows, that is
    import: kWh × (EPEX + 0.0165289) × 1.21        export: kWh × (EPEX − 0.0165289) × 1.21
in all hours from January to June 2024. The surcharge never changes: each way it is 0.019999969 € with VAT (2 cents:
0.02 / 1.21 was cut to seven decimals). The energy tax of 2024 (0.10880 €/kWh before VAT) is not in it, though the
column says "with tax"; nor are standing charges.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from billing_of import bill, document, edges_of, month_periods, term_of

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.decimals import Decimals, decimals_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.tariffs.shipped import shipped_tariff
from statistics_manager_service.tariffs.terms import BillingPeriod

AMSTERDAM, LONDON = "Europe/Amsterdam", "Europe/London"
MONTHS = [f"2024-{month:02d}" for month in range(1, 7)]
QUARTERS_PER_HOUR, QUARTERS_PER_HALF_HOUR = 4, 2
ENERGY_TAX_2024 = Fraction("0.10880") * Fraction("1.21")
#: Theirs is worked out in binary floating point, and printed to about twelve decimals.
THEIR_PRECISION = Fraction(1, 10**12)
CENT = Fraction(1, 100)

Record = Callable[[str, object], None]


class Hour(NamedTuple):
    """An hour of the supplier's file. sold_kwh and credit are positive where energy was given and paid."""

    month: str
    start_us: int
    epex: Decimal
    bought_kwh: Decimal
    cost: Decimal
    sold_kwh: Decimal
    credit: Decimal


@pytest.fixture
def hours(shared_data: Path) -> list[Hour]:
    with gzip.open(shared_data / "zonneplan_nl_dynamic_tariff" / "export.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return [
        Hour(
            one["DateFrom"][:7],
            instant_us(AMSTERDAM, datetime.fromisoformat(one["DateFrom"])),
            Decimal(one["ElectricityEpexPrice"]),
            Decimal(one["ElectricityConsumptionUsageKwh"]),
            Decimal(one["ElectricityConsumptionCostsWithTax"]),
            -Decimal(one["ElectricityProductionUsageKwh"]),
            -Decimal(one["ElectricityProductionCostsWithTax"]),
        )
        for one in rows
    ]


def column(edges_us: Int64, starts_us: list[int], kwh: list[Decimal], quarters: int) -> Int64:
    """Energies of quarter-hours: those of intervals, shared over their quarters."""
    energy = np.zeros(len(edges_us) - 1, np.int64)
    for start_us, one in zip(starts_us, kwh, strict=True):
        first = int(np.searchsorted(edges_us, start_us))
        whole = round(one * MILLIWH_PER_KWH)
        for i in range(quarters):  # to the milliwatt-hour
            energy[first + i] = whole * (i + 1) // quarters - whole * i // quarters
    return energy


def prices(starts_us: list[int], values: list[Decimal], quarters: int) -> Any:
    """A series of intervals as a source of quarter-hours."""
    told = decimals_of(values)
    at = {start_us // QUARTER_US + i: j for j, start_us in enumerate(starts_us) for i in range(quarters)}

    def source(_name: str, first: int, count: int) -> Any:
        place = np.array([at.get(first + i, -1) for i in range(count)])
        return Decimals(told.units[np.maximum(place, 0)], told.places), place >= 0

    return source


def home(hours: list[Hour], edges_us: Int64) -> tuple[Int64, Int64]:
    starts_us = [one.start_us for one in hours]
    return (
        column(edges_us, starts_us, [one.bought_kwh for one in hours], QUARTERS_PER_HOUR),
        column(edges_us, starts_us, [one.sold_kwh for one in hours], QUARTERS_PER_HOUR),
    )


def epex(hours: list[Hour]) -> Any:
    return prices([one.start_us for one in hours], [one.epex for one in hours], QUARTERS_PER_HOUR)


def test_every_hour_costs_what_the_supplier_says(hours: list[Hour]) -> None:
    """4,367 hours, one of them missing as the clock goes forward; each side of each hour to 1e-12 €."""
    edges = [one.start_us for one in hours] + [hours[-1].start_us + QUARTERS_PER_HOUR * QUARTER_US]
    periods = [BillingPeriod(a, b, a, b) for a, b in itertools.pairwise(edges)]
    term = term_of(document("zonneplan"), edges[0], edges[-1])
    billed = bill(term, periods, *home(hours, edges_of([term], periods)), epex(hours))
    assert len(hours) == len(billed.periods) == 182 * 24 - 1
    for hour, lines in zip(hours, billed.periods, strict=True):
        amounts = {one.component: one.gross for one in lines}
        assert abs(amounts.get("energy", 0) - Fraction(hour.cost)) <= THEIR_PRECISION, hour
        assert abs(amounts.get("sold", 0) + Fraction(hour.credit)) <= THEIR_PRECISION, hour


def test_every_month_comes_to_the_suppliers_sum(hours: list[Hour], record_property: Record) -> None:
    periods = month_periods(AMSTERDAM, MONTHS[0], len(MONTHS))
    term = term_of(document("zonneplan"), periods[0].start_us, periods[-1].end_us)
    billed = bill(term, periods, *home(hours, edges_of([term], periods)), epex(hours))
    table = ["month     kWh in    theirs €      ours €   kWh out    theirs €      ours €   energy tax, in neither"]
    for month, lines in zip(MONTHS, billed.periods, strict=True):
        mine = [one for one in hours if one.month == month]
        theirs = [Fraction(sum(side)) for side in ([one.cost for one in mine], [one.credit for one in mine])]
        kwh = [Fraction(sum(side)) for side in ([one.bought_kwh for one in mine], [one.sold_kwh for one in mine])]
        ours = [sum(one.gross for one in lines if one.component == name) for name in ("energy", "sold")]
        table.append(
            f"{month} {float(kwh[0]):8.3f} {float(theirs[0]):11.6f} {float(ours[0]):11.6f} "
            f"{float(kwh[1]):9.3f} {float(theirs[1]):11.6f} {float(-ours[1]):11.6f} "
            f"{float(kwh[0] * ENERGY_TAX_2024):10.2f} €"
        )
        assert abs(ours[0] - theirs[0]) < Fraction(1, 10**9), table[-1]
        assert abs(ours[1] + theirs[1]) < Fraction(1, 10**9), table[-1]
        # with the energy tax of what was taken, a bill would be several times the error of any rounding higher
        assert abs(ours[0] + kwh[0] * ENERGY_TAX_2024 - theirs[0]) > 20, table[-1]
    record_property("figures", "Zonneplan, 2024, a home with PV:\n" + "\n".join(table))


def test_the_shipped_dutch_tariff_comes_to_the_same_cents(hours: list[Hour]) -> None:
    """Its lines of spot and surcharge, by months, each rounded: together the supplier's sum within a cent a line."""
    tariff = shipped_tariff("nl-dynamisch")
    periods = month_periods(AMSTERDAM, MONTHS[0], len(MONTHS))
    surcharge = {name: Decimal("0.019999969") for name in ("opslag_eur_per_kwh", "teruglever_eur_per_kwh")}
    term = term_of(tariff, periods[0].start_us, periods[-1].end_us, surcharge)
    billed = bill(term, periods, *home(hours, edges_of([term], periods)), epex(hours))
    for month, lines in zip(MONTHS, billed.periods, strict=True):
        mine = [one for one in hours if one.month == month]
        for names, theirs in (
            (("spot", "surcharge"), sum(one.cost for one in mine)),
            (("spot_export", "fee_export"), -sum(one.credit for one in mine)),
        ):
            ours = [one.gross for one in lines if one.component in names]
            assert abs(sum(ours) - Fraction(theirs)) <= CENT * len(ours), (month, names)
        tax = [one for one in lines if one.component == "energy_tax"]
        assert tax[0].unit_price == Fraction("0.10880")
        assert tax[0].quantity == Fraction(sum(one.bought_kwh for one in mine))


# --- Agile on homes of London -----------------------------------------------------------------------------------------


class HalfHours(NamedTuple):
    """Half-hours of 2020 by UTC: when each begins, and its price in pounds with VAT."""

    starts_us: list[int]
    gbp: list[Decimal]


@pytest.fixture
def agile(shared_data: Path) -> HalfHours:
    with gzip.open(shared_data / "octopus_agile_halfhour" / "agile_A_2020.csv.gz", "rt") as file:
        rows = list(csv.reader(file))
    return HalfHours(
        [instant_us("UTC", datetime.fromisoformat(row[0].removesuffix("Z"))) for row in rows],
        [Decimal(row[4]) / 100 for row in rows],
    )


def london_home(path: Path) -> dict[int, Decimal]:
    """The half-hours of a home in 2013 (labels are UTC) at the same day and time of 2020; 29 February stays empty."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    found: dict[int, Decimal] = {}
    for row in rows:
        at = datetime.fromisoformat(row["tstp"])
        if at.minute % 30 == 0 and at.second == 0 and at.year == 2013:
            found[instant_us("UTC", at.replace(year=2020))] = Decimal(row["energy(kWh/hh)"].strip())
    return found


def test_a_flat_load_on_agile_costs_what_the_data_set_says(agile: HalfHours, shared_data: Path) -> None:
    """1 kWh in each half-hour of 2020: 1,662.3075 pounds."""
    expected = json.loads((shared_data / "octopus_agile_halfhour" / "expected.json").read_text("utf-8"))
    periods = month_periods("UTC", "2020-01", 12)
    term = term_of(document("agile"), periods[0].start_us, periods[-1].end_us)
    flat = column(edges_of([term], periods), agile.starts_us, [Decimal(1)] * len(agile.gbp), QUARTERS_PER_HALF_HOUR)
    billed = bill(term, periods, flat, None, prices(*agile, QUARTERS_PER_HALF_HOUR))
    assert billed.taxed("energy") == Fraction(str(expected["flat_1kwh_per_halfhour_gbp"]))
    assert billed.taxed("standing") == 366 * Fraction("0.21")


@pytest.mark.parametrize("name", ["MAC000002", "MAC000003", "MAC000009", "MAC000016", "MAC000026"])
def test_homes_of_london_on_agile_cost_what_a_plain_loop_says(
    name: str, agile: HalfHours, shared_data: Path, record_property: Record
) -> None:
    kwh = london_home(shared_data / "london_lcl_halfhour" / f"{name}.csv.gz")
    periods = month_periods(LONDON, "2020-01", 12)  # by the clock of London: March has 743 hours, October 745
    term = term_of(document("agile"), periods[0].start_us, periods[-1].end_us)
    edges = edges_of([term], periods)
    energy = column(edges, list(kwh), list(kwh.values()), QUARTERS_PER_HALF_HOUR)
    billed = bill(term, periods, energy, None, prices(*agile, QUARTERS_PER_HALF_HOUR))

    price_of = dict(zip(agile.starts_us, agile.gbp, strict=True))
    by_month: dict[str, Decimal] = {}
    for start_us, one in kwh.items():
        local = datetime(1970, 1, 1) + timedelta(microseconds=start_us)
        local += timedelta(hours=datetime(2020, 3, 29, 1) <= local < datetime(2020, 10, 25, 1))
        milliwh = round(one * MILLIWH_PER_KWH)  # some values are finer than a milliwatt-hour
        cost = milliwh * price_of[start_us] / MILLIWH_PER_KWH
        by_month[f"{local:%Y-%m}"] = by_month.get(f"{local:%Y-%m}", Decimal(0)) + cost

    for i, lines in enumerate(billed.periods):
        mine = [one for one in lines if one.component == "energy"]
        expected = Fraction(by_month.get(f"2020-{i + 1:02d}", Decimal(0)))
        assert sum((one.gross for one in mine), Fraction(0)) == expected
        assert all(one.missing_price_share == 0 for one in mine)
        for one in mine:  # the price of the line is what a kWh cost on the mean, before VAT
            assert one.net == one.gross / Fraction("1.05") == one.quantity * (one.unit_price or 0)
    exact = sum((Fraction(one) * Fraction(price_of[at]) for at, one in kwh.items()), Fraction(0))
    assert abs(billed.taxed("energy") - exact) < Fraction(1, 10**6)
    record_property(
        "figures",
        f"{name} on Agile 2020: {float(sum(kwh.values())):.1f} kWh, {float(billed.taxed('energy')):.2f} GBP, "
        f"{float(billed.taxed('energy') / Fraction(sum(kwh.values()))) * 100:.3f} p/kWh",
    )
