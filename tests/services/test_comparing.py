"""Tariffs compared on real energy: what each comes to, in scenarios, by month and by line, which is best, and why."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from measured import us
from metered_homes import DAY_AND_NIGHT, Balance, Desk, by_clock, energy, standing, surplus, tariff

from statistics_manager_service import bootstrap
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTERS_PER_DAY
from statistics_manager_service.demo import homes, price_series, readings
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.money.comparing import Compared, Comparison, Result
from statistics_manager_service.services.money.scenarios import SCENARIOS
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import keep_prices

CENT = Fraction(1, 100)
FLAT = tariff(energy("0.16"), standing("0.30"))
TWO = tariff(energy(by_clock()), standing("0.35"), calendars=DAY_AND_NIGHT)


def mixed(number: int) -> int:
    """Some watt-hours, another number in each quarter-hour, and always the same in a test."""
    return number * number * 37 % 211


def sun(number: int) -> int:
    """What a PV makes: nothing at night (of UTC), much at noon."""
    return max(0, 700 - 35 * abs(number % QUARTERS_PER_DAY - 50))


HOUSE = Balance(
    used=lambda n: 60 + mixed(n),
    made=sun,
    charged=lambda n: min(300, sun(n)) if n % 3 else 0,
    discharged=lambda n: 40 + mixed(n) // 4 if n % QUARTERS_PER_DAY > 72 else 0,
)
FIRST, LAST = "2025-12-31", "2026-03-02"


@pytest.fixture
def desk(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> Iterator[Desk]:
    path = tmp_path / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    found = Desk(f"sqlite:///{path}")
    yield found
    found.store.close()


@pytest.fixture
def each_desk(database_url: str) -> Iterator[Desk]:
    found = Desk(database_url)
    yield found
    found.store.close()


@pytest.fixture
def flat(desk: Desk) -> Desk:
    """A flat that takes 250 Wh in each quarter-hour: 1 kWh an hour."""
    desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    desk.put(flat=FLAT, two=TWO)
    return desk


@pytest.fixture
def house(desk: Desk) -> Desk:
    desk.balance(HOUSE, FIRST, LAST)
    desk.put(both=tariff(energy(), standing(), surplus()))
    return desk


def of(found: Comparison, id: str) -> Compared:
    return next(one for one in found.candidates if one.candidate is not None and one.candidate.id == id)


def result(found: Comparison, id: str, scenario: str = "as_metered") -> Result:
    one = of(found, id).results[scenario]
    assert one is not None
    return one


def quarters(start: str = "2026-01-01", end: str = "2026-03-01") -> range:
    return range(us(start) // 900_000_000, us(end) // 900_000_000)


def ids(found: Comparison) -> list[str]:
    return [one.candidate.id for one in found.candidates if one.candidate is not None]


# --- totals -----------------------------------------------------------------------------------------------------------


def test_each_tariff_bills_the_energy_that_was_metered(each_desk: Desk) -> None:
    each_desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    each_desk.put(flat=FLAT, two=TWO)
    found = each_desk.compare("flat", "two")
    hours = {"2026-01": 31 * 24, "2026-02": 28 * 24}
    energy_net = [round(Decimal(one) * Decimal("0.16"), 2) for one in hours.values()]
    standing_net = [Decimal(31) * Decimal("0.30"), Decimal(28) * Decimal("0.30")]
    flat_net = sum(energy_net, sum(standing_net))
    assert result(found, "flat").statement.net == Fraction(flat_net)
    tax = sum(round(one * Decimal("0.23"), 2) for one in (*energy_net, *standing_net))
    assert of(found, "flat").gross == Fraction(flat_net + tax)
    two_net = sum(days * (14 * Decimal("0.20") + 10 * Decimal("0.10") + Decimal("0.35")) for days in (31, 28))
    assert result(found, "two").statement.net == Fraction(two_net)
    assert result(found, "flat").import_milliwh == 59 * 24 * MILLIWH_PER_KWH
    assert result(found, "flat").cost_per_kwh == Fraction(flat_net + tax) / (59 * 24)


def test_a_candidate_comes_to_what_its_statement_would_be(house: Desk) -> None:
    compared = house.compare("both", "pt-btn-bi-horario")
    for id in ("both", "pt-btn-bi-horario"):
        house.have({"tariff": id})
        statement = house.statement()
        assert of(compared, id).gross == statement.gross
        assert result(compared, id).statement.periods == statement.periods


def test_the_present_contracts_come_to_the_households_own_statement(house: Desk) -> None:
    house.put(flat=FLAT)
    house.have({"tariff": "flat", "to": "2026-02-01"}, {"tariff": "both", "from": "2026-02-01"})
    found = house.compare("flat")
    assert found.present is not None
    assert found.present.gross == house.statement().gross
    assert found.against is found.present


def test_months_and_lines_add_up_to_the_total(house: Desk) -> None:
    found = house.compare("both", "pt-btn-tri-horario", scenarios=list(SCENARIOS))
    seen = 0
    for one in found.candidates:
        for each in filter(None, one.results.values()):
            statement = each.statement
            for parts in (each.months, [group.sums for group in each.groups]):
                assert sum(part.gross for part in parts) == statement.gross
                assert sum(part.net for part in parts) == statement.net
                seen += 1
            assert [len(each.months), len(found.edges_us)] == [2, 3]
    assert seen == 2 * 2 * 4


@pytest.mark.parametrize("settings", [{"billing_day": 18}, {"billing_dates": ["2025-12-20", "2026-02-10"]}])
def test_a_billing_period_in_two_months_is_shared_among_them_to_the_cent(desk: Desk, settings: dict[str, Any]) -> None:
    households = {"timezone": "Europe/Lisbon", "country": "PT", **settings}
    bootstrap.households_of(desk.store).put("home1", households)
    desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    desk.put(flat=FLAT, yearly=tariff(energy(), billing={"cycle": {"every": "P1Y", "anchor_day": 1}}))
    found = desk.compare("flat", "yearly")
    for id, daily in (("flat", Decimal("0.16") * 24 + Decimal("0.30")), ("yearly", Decimal("0.16") * 24)):
        months = result(found, id).months
        assert sum(one.gross for one in months) == of(found, id).gross
        for one, days in zip(months, (31, 28), strict=True):
            assert abs(one.gross - Fraction(daily * days) * Fraction("1.23")) < 3 * CENT
            assert one.gross % CENT == 0


def test_lines_of_one_component_and_period_stand_together(flat: Desk) -> None:
    groups = result(flat.compare("two"), "two").groups
    assert [(one.component, one.period, one.unit) for one in groups] == [
        ("energy", "day", "kWh"), ("energy", "night", "kWh"), ("standing", None, "days"),
    ]  # fmt: skip
    assert [one.quantity for one in groups] == [59 * 14, 59 * 10, 59]
    assert groups[0].unit_price == Fraction("0.20")


# --- scenarios --------------------------------------------------------------------------------------------------------


def kwh(wh: int) -> Fraction:
    return Fraction(wh, 1000)


def test_without_pv_all_that_is_used_is_taken_from_the_grid(each_desk: Desk) -> None:
    each_desk.balance(HOUSE, FIRST, LAST)
    each_desk.put(both=tariff(energy(), surplus(), metering={"netting": "none"}, rounding={"at": "none"}))
    one = result(each_desk.compare("both"), "both", "without_pv")
    used = sum(HOUSE.used(n) for n in quarters())
    assert (one.import_milliwh, one.export_milliwh) == (1000 * used, 0)
    assert one.statement.net == kwh(used) * Fraction("0.16")
    assert (one.statement.measured, one.notes) == (1.0, ())


def test_without_the_battery_the_rest_of_each_quarter_hour_is_taken_or_given(each_desk: Desk) -> None:
    each_desk.balance(HOUSE, FIRST, LAST)
    each_desk.put(both=tariff(energy(), surplus(), metering={"netting": "none"}, rounding={"at": "none"}))
    one = result(each_desk.compare("both"), "both", "without_battery")
    rests = [HOUSE.used(n) - sun(n) for n in quarters()]
    taken, given = sum(max(one, 0) for one in rests), sum(max(-one, 0) for one in rests)
    assert (one.import_milliwh, one.export_milliwh) == (1000 * taken, 1000 * given)
    cost = kwh(taken) * Fraction("0.16") * Fraction("1.23") - kwh(given) * Fraction("0.05")
    assert one.statement.gross == cost


def test_without_netting_import_and_export_of_a_quarter_hour_are_both_billed(desk: Desk) -> None:
    desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    desk.measure("grid.export", FIRST, LAST, lambda _: 100)
    parts = (energy(), surplus())
    desk.put(netted=tariff(*parts, metering={"netting": "PT15M"}), plain=tariff(*parts, metering={"netting": "none"}))
    found = desk.compare("netted", "plain")
    assert result(found, "netted", "without_netting").statement.gross == of(found, "plain").gross
    assert result(found, "plain", "without_netting").statement.gross == of(found, "plain").gross
    assert result(found, "netted").statement.import_milliwh * 5 == 3 * result(found, "plain").statement.import_milliwh
    assert result(found, "netted").import_milliwh == result(found, "plain").import_milliwh, "as it is metered"


def test_a_demand_charge_of_a_scenario_is_that_of_its_import(house: Desk) -> None:
    peak = {"id": "peak", "kind": "peak", "interval": "PT15M", "price": "10", "per": "month"}
    house.put(peaks=tariff(energy(), peak, rounding={"at": "none"}))
    one = result(house.compare("peaks"), "peaks", "without_pv")
    (demand,) = [group for group in one.groups if group.kind == "peak"]
    greatest = [max(HOUSE.used(n) for n in quarters(*month)) * 4 for month in (
        ("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"))]  # fmt: skip
    assert demand.sums.net == kwh(sum(greatest)) * 10


@pytest.mark.parametrize(
    ("flows", "whys"),
    [
        (("grid.import",), {"without_pv": "no production", "without_battery": "no charge and discharge"}),
        (("grid.import", "pv.production"), {"without_battery": "no charge and discharge"}),
        (
            ("grid.import", "pv.production", "battery.charge"),
            {"without_pv": "charge, and not its discharge", "without_battery": "charge, and not its discharge"},
        ),
        (("grid.export", "pv.production"), {"without_pv": "no import", "without_battery": "no import"}),
    ],
)
def test_a_scenario_whose_flows_are_not_told_is_none_and_says_why(
    desk: Desk, flows: tuple[str, ...], whys: dict[str, str]
) -> None:
    for flow in flows:
        desk.measure(flow, FIRST, LAST, lambda _: 100)
    desk.put(flat=FLAT)
    found = desk.compare("flat")
    for name, why in found.scenarios.items():
        assert (why is None) == (name not in whys)
        assert whys.get(name, "") in (why or "")
        assert (of(found, "flat").results[name] is None) == (name in whys)


def test_before_the_first_reading_of_its_pv_a_home_had_none(desk: Desk) -> None:
    desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    desk.measure("pv.production", "2026-02-01", LAST, lambda _: 50)
    desk.put(flat=FLAT)
    one = result(desk.compare("flat"), "flat", "without_pv")
    assert one.import_milliwh == (59 * 96 * 250 + 28 * 96 * 50) * 1000
    assert one.statement.measured == 1.0


def test_where_a_flow_is_missing_nothing_is_billed_and_the_coverage_says_so(desk: Desk) -> None:
    desk.measure("grid.import", FIRST, LAST, lambda _: 250)
    desk.measure("pv.production", FIRST, "2026-02-01", lambda _: 50)
    desk.put(flat=FLAT)
    one = result(desk.compare("flat"), "flat", "without_pv")
    assert one.import_milliwh == 31 * 96 * 300_000
    assert one.statement.measured == pytest.approx(31 / 59, abs=1e-6)
    assert "readings are missing for 100.0% of the time" in one.statement.provisional


def test_consumption_below_zero_is_left_out_and_told(desk: Desk) -> None:
    desk.measure("grid.import", FIRST, LAST, lambda n: 250 if n % 2 else 0)
    desk.measure("grid.export", FIRST, LAST, lambda n: 0 if n % 2 else 100)
    desk.measure("pv.production", FIRST, LAST, lambda _: 40)
    desk.put(flat=FLAT)
    one = result(desk.compare("flat"), "flat", "without_pv")
    assert one.import_milliwh == 59 * 48 * 290_000
    assert one.notes == (f"{59 * 48 * 0.06:.3f} kWh of consumption below zero, where meters contradict each other, "
                         "are left out",)  # fmt: skip


def test_what_is_given_to_the_grid_without_a_price_is_noted(house: Desk) -> None:
    house.put(flat=FLAT)
    found = house.compare("flat", "both")
    assert result(found, "flat").notes == ("what is given to the grid is not paid for",)
    assert result(found, "flat", "without_pv").notes == ()
    assert result(found, "both").notes == ()


# --- which is best, and why -------------------------------------------------------------------------------------------


def test_the_cheapest_is_the_best_and_the_lines_that_differ_say_why(flat: Desk) -> None:
    flat.put(cheap_night=tariff(energy(by_clock("0.17", "0.06")), standing("0.35"), calendars=DAY_AND_NIGHT))
    flat.have({"tariff": "flat"})
    found = flat.compare("two", "cheap-night")
    assert [(one.rank, id) for one, id in zip(found.candidates, ids(found), strict=True)] == [
        (1, "cheap-night"), (2, "two"),
    ]  # fmt: skip
    why = found.why
    assert why is not None
    assert found.best is found.candidates[0]
    assert found.present is not None
    assert found.best.gross is not None
    assert found.present.gross is not None
    assert why.gross == found.best.gross - found.present.gross
    assert sum(part.difference for part in why.parts) == why.gross
    told = {(part.what, part.period): (part.one, part.other) for part in why.parts}
    assert told["energy", "night"] == (590 * Fraction("0.06"), 590 * Fraction("0.16"))
    assert told["energy", "day"] == (826 * Fraction("0.17"), 826 * Fraction("0.16"))
    assert told["fixed", None] == (59 * Fraction("0.35"), 59 * Fraction("0.30"))
    assert [abs(part.difference) for part in why.parts] == sorted(
        (abs(part.difference) for part in why.parts), reverse=True
    )
    assert [part.one_kwh for part in why.parts if part.what == "energy"] == [590, 826]
    assert found.sentence == (
        "cheap-night costs 58.78 EUR less than the present contracts: energy at night costs 59.00 EUR less, "
        "tax 10.99 EUR less, energy by day 8.26 EUR more, the standing charge 2.95 EUR more."
    )
    assert not found.present_costs_less


def test_periods_are_called_what_people_call_them(flat: Desk) -> None:
    found = flat.compare("flat", "pt-btn-bi-horario")
    assert found.why is not None
    labels = {part.period: part.label for part in found.why.parts if part.what == "energy"}
    assert labels == {"V": "energy at night (vazio)", "FV": "energy by day (fora de vazio)"}
    titles = {(group.period, group.period_title) for group in result(found, "pt-btn-bi-horario").groups}
    assert titles == {("V", "vazio"), ("FV", "fora de vazio"), (None, None)}


def test_without_present_contracts_the_next_best_stands_beside_the_best(flat: Desk) -> None:
    found = flat.compare("flat", "two")
    assert found.present is None
    assert ids(found)[0] == "flat"
    assert found.against is of(found, "two")
    assert found.sentence is not None
    assert found.sentence.startswith("flat costs 0.72 EUR less than two: energy at night costs 35.40 EUR more")
    periods = {part.period for part in found.why.parts if part.what == "energy"} if found.why else set()
    assert periods == {"day", "night"}, "the best has none, so they are the other's"


def test_present_contracts_that_cost_less_than_all_others_are_told_so(flat: Desk) -> None:
    flat.have({"tariff": "flat"})
    found = flat.compare("two")
    assert found.present_costs_less
    assert found.sentence is not None
    assert "more than the present contracts" in found.sentence


def test_export_demand_and_tax_stand_on_their_own_in_the_reasons(house: Desk) -> None:
    peak = {"id": "peak", "kind": "peak", "price": "2", "per": "month"}
    excise = {"id": "excise", "kind": "percentage", "rate": "0.05", "of": ["energy"], "tax": "vat"}
    house.put(rich=tariff(energy("0.10"), surplus("0.07"), peak, excise))
    found = house.compare("both", "rich")
    assert found.why is not None
    assert sum(part.difference for part in found.why.parts) == found.why.gross
    by_what = {part.what: part for part in found.why.parts}
    assert {"energy", "export", "peak", "fixed", "taxes"} <= set(by_what)
    export = by_what["export"]
    assert export.one / export.other == Fraction(7, 5)
    assert export.one_kwh == export.other_kwh
    assert found.sentence is not None
    assert "what is given to the grid brings" in found.sentence


def test_tariffs_of_the_same_price_share_a_rank(flat: Desk) -> None:
    found = flat.compare({"tariff": "flat", "id": "one"}, {"tariff": "flat", "id": "other"}, "two")
    assert [one.rank for one in found.candidates] == [1, 1, 3]
    assert found.sentence == "one costs the same as other."


# --- what is missing --------------------------------------------------------------------------------------------------


def spot(desk: Desk, start: str, end: str) -> None:
    """A series of 0.10 EUR/kWh."""
    with desk.store.writing() as view:
        told = ToldPrice(us(start), us(end) - us(start), Decimal(100))
        keep_prices(view, PriceSeries(0, "spot", "EUR/MWh", 3600), [told], us("2026-03-01"))


SPOT = tariff(energy({"series": "spot"}), series={"spot": {}})


def test_a_total_that_lacks_prices_is_told_and_not_ranked(flat: Desk) -> None:
    spot(flat, "2025-12-01", "2026-02-01")
    flat.put(spot=SPOT)
    found = flat.compare("spot", "flat")
    one = result(found, "spot")
    assert one.missing_share == pytest.approx(28 / 59)
    assert one.why_missing == ("tariff spot has no price of energy for 47.5% of the energy",)
    assert (of(found, "spot").gross, of(found, "spot").rank, of(found, "flat").rank) == (None, None, 1)
    assert one.statement.net == Fraction("74.40"), "744 hours at 0.10"
    spot(flat, "2026-02-01", "2026-03-01")
    found = flat.compare("spot", "flat")
    assert (ids(found), of(found, "spot").rank) == (["spot", "flat"], 1)


def test_a_tariff_that_does_not_hold_all_of_the_time_is_told_and_not_ranked(flat: Desk) -> None:
    flat.put(later={**FLAT, "valid": {"from": "2026-02-01"}}, never={**FLAT, "valid": {"from": "2027-01-01"}})
    found = flat.compare("later", "never", "flat")
    assert result(found, "later").missing_share == pytest.approx(31 / 59)
    assert result(found, "later").why_missing == ("no tariff holds for 52.5% of the time",)
    assert of(found, "never").metered is None
    assert [one.rank for one in found.candidates] == [1, None, None]


def test_missing_energy_is_told_and_does_not_hinder_the_ranking(desk: Desk) -> None:
    desk.measure("grid.import", FIRST, "2026-02-01", lambda _: 250)
    desk.put(flat=FLAT, two=TWO)
    found = desk.compare("flat", "two")
    assert result(found, "flat").statement.measured == pytest.approx(31 / 59, abs=1e-6)
    assert {one.rank for one in found.candidates} == {1, 2}


def test_present_contracts_with_a_gap_are_not_set_beside_the_best(flat: Desk) -> None:
    flat.have({"tariff": "flat", "from": "2026-02-01"})
    found = flat.compare("flat", "two")
    assert found.present is not None
    assert found.present.gross is None
    assert found.against is of(found, "two")


# --- which are compared -----------------------------------------------------------------------------------------------


def test_unless_some_are_named_all_of_the_country_are_compared_and_others_left_out(flat: Desk) -> None:
    flat.put(
        german={**FLAT, "country": "DE"},
        pounds={**FLAT, "currency": "GBP"},
        ended={**FLAT, "valid": {"from": "2020-01-01", "to": "2026-02-01"}},
        sells=tariff(surplus()),
        spot=SPOT,
    )
    bootstrap.households_of(flat.store).patch("home1", {"currency": "EUR"}, by_service=True)
    found = flat.compare()
    shipped = {f"pt-btn-{one}" for one in ("simples", "bi-horario", "bi-horario-semanal", "tri-horario",
                                           "tri-horario-semanal")}  # fmt: skip
    assert set(ids(found)) == shipped | {"flat", "two"}
    whys = {one.tariff_id: one.why for one in found.left_out}
    assert set(whys) == {
        "pounds", "ended", "sells", "spot", "pt-excedente-fixo", "pt-excedente-omie", "pt-indexado-omie",
    }  # fmt: skip
    assert whys["pounds"] == "it is in GBP, and the household pays in EUR"
    assert whys["ended"].startswith("it is valid until 2026-02-01")
    assert whys["spot"] == "it needs the series spot, which nobody has told"
    assert whys["sells"] == "it prices what is given to the grid; the household gives nothing"
    assert found.best is not None


def test_a_series_that_was_told_brings_its_tariff_into_the_comparison(flat: Desk) -> None:
    spot(flat, "2025-12-01", "2026-04-01")
    flat.put(spot=SPOT)
    assert ids(flat.compare())[0] == "spot"


def test_what_a_home_gives_is_priced_by_each_tariff_for_that_or_by_its_own_contract(house: Desk) -> None:
    house.put(flat=FLAT, sells=tariff(surplus("0.04")))
    found = house.compare()
    assert {"flat + sells", "flat + pt-excedente-fixo", "both"} <= set(ids(found))
    assert "flat" not in ids(found)
    house.have({"tariff": "flat", "flow": "import"}, {"tariff": "sells", "flow": "export"})
    found = house.compare()
    assert {"flat", "both"} <= set(ids(found))
    assert not any("+" in one for one in ids(found))
    assert of(found, "flat").gross == house.statement().gross
    whys = {one.tariff_id: one.why for one in found.left_out}
    assert whys["sells"] == "it prices what is given to the grid; the household's own contract for that is kept"


def test_facts_about_the_home_are_taken_over_and_prices_are_not(flat: Desk) -> None:
    power = {"parameters": {"contracted_power_kva": 6.9, "social": False, "price_eur_per_kwh": 0.2}}
    priced = {"parameter": "price_eur_per_kwh"}
    flat.put(mine=tariff(energy(priced), **power), other=tariff(energy(priced), **power))
    told = {"contracted_power_kva": 3.45, "social": True, "price_eur_per_kwh": 0.09}
    flat.have({"tariff": "mine", "parameters": told})
    found = flat.compare("other", {"tariff": "pt-btn-simples", "parameters": {"social": False}})
    chosen = of(found, "other").candidate
    assert chosen is not None
    assert chosen.imported.parameters == {
        "contracted_power_kva": Decimal("3.45"), "social": True, "price_eur_per_kwh": Decimal("0.2"),
    }  # fmt: skip
    shipped = of(found, "pt-btn-simples").candidate
    assert shipped is not None
    assert shipped.imported.parameters["contracted_power_kva"] == Decimal("3.45")
    assert shipped.imported.parameters["social"] is False, "what is told wins"


def test_the_contracted_power_of_the_settings_is_rounded_up_to_a_portuguese_one(flat: Desk) -> None:
    bootstrap.households_of(flat.store).patch("home1", {"contracted_power_kva": 8}, by_service=True)
    shipped = of(flat.compare("pt-btn-simples"), "pt-btn-simples").candidate
    assert shipped is not None
    assert shipped.imported.parameters["contracted_power_kva"] == Decimal("10.35")


def test_a_tariff_for_the_import_may_stand_beside_another_for_the_export(house: Desk) -> None:
    house.put(sells=tariff(surplus("0.08")), buys=tariff(energy("0.15")))
    found = house.compare(
        {"id": "mine", "import": {"tariff": "buys"}, "export": {"tariff": "sells"}},
        {"import": {"tariff": "buys"}, "export": {"tariff": "both"}},
        {"import": {"tariff": "buys"}},
        {"import": {"tariff": "buys"}},
    )
    assert ids(found)[0] == "mine"
    assert set(ids(found)) == {"mine", "buys + both", "buys", "buys (2)"}
    exported = result(found, "mine").statement.export_milliwh
    revenue = [group.sums.net for group in result(found, "mine").groups if group.kind == "export"]
    assert abs(revenue[0] + Fraction(exported, MILLIWH_PER_KWH) * Fraction("0.08")) < 2 * CENT


# --- the time ---------------------------------------------------------------------------------------------------------


def test_unless_told_the_last_twelve_whole_months_with_readings_are_compared(desk: Desk) -> None:
    desk.measure("grid.import", "2024-11-20", "2026-02-20", lambda _: 100)
    desk.put(flat=FLAT)
    found = desk.compare("flat", start=None, end=None)
    assert (found.start_us, found.end_us) == (us("2025-02-01"), us("2026-02-01"))
    assert len(found.edges_us) == 13
    assert result(found, "flat").statement.measured == 1.0
    found = desk.compare("flat", start="2025-12-10", end=None)
    assert (found.start_us, found.end_us) == (us("2025-12-10"), us("2026-02-01"))
    found = desk.compare("flat", start=None, end="2026-02-15")
    assert (found.start_us, found.end_us) == (us("2025-03-01"), us("2026-02-15"))


def test_a_home_of_two_months_is_compared_over_them(flat: Desk) -> None:
    found = flat.compare("flat", start=None, end=None)
    assert (found.start_us, found.end_us) == (us("2026-01-01"), us("2026-03-01"))


@pytest.mark.parametrize(("first", "last"), [("2026-01-05", "2026-02-20"), (None, None)])
def test_a_home_without_a_whole_month_has_to_name_the_time(desk: Desk, first: str | None, last: str | None) -> None:
    if first and last:
        desk.measure("grid.import", first, last, lambda _: 100)
    desk.put(flat=FLAT)
    with pytest.raises(BadInput, match="no whole month has readings"):
        desk.compare("flat", start=None, end=None)
    assert desk.compare("flat").best is not None


# --- the homes of the demo --------------------------------------------------------------------------------------------

DEMO_END = "2026-03-02"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, sqlite_template: pathlib.Path) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("demo") / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    found = Desk(f"sqlite:///{path}", DEMO_END)
    recorder = bootstrap.recorder_of(found.store)
    for one in price_series(us(DEMO_END)):
        with found.store.writing() as view:
            keep_prices(view, one.series, one.told, us(DEMO_END))
    for home in homes(us(DEMO_END)):
        bootstrap.households_of(found.store).put(home.id, home.settings)
        found.contracts.put(home.id, {"contracts": home.contracts})
        for piece in readings(home, us(DEMO_END)):
            if piece.quantity.startswith("energy"):
                recorder.record([piece])
    yield found
    found.store.close()


@pytest.mark.parametrize("home", ["flat", "solarhouse", "azores"])
def test_the_best_tariff_of_a_home_of_the_demo_is_named_and_why(demo: Desk, home: str) -> None:
    found = demo.comparing.compare(home, {})
    west = 3_600_000_000 if home == "azores" else 0
    assert (found.start_us, found.end_us) == (us("2025-03-01") + west, us("2026-03-01") + west)
    assert found.best is not None
    assert found.best.gross == min(one.gross for one in found.candidates if one.gross is not None)
    assert len([one for one in found.candidates if one.rank]) >= 6
    assert found.against is found.present
    assert found.sentence is not None
    assert "than the present contracts: " in found.sentence
    solar = home == "solarhouse"
    assert (found.best.results["without_pv"] is not None, found.best.results["without_battery"] is not None) == (
        solar, solar,
    )  # fmt: skip
    for one in filter(None, (found.best.results["without_pv"], found.best.results["without_battery"])):
        assert one.statement.gross > found.best.gross, "the sun and the battery save money"


# --- what is refused --------------------------------------------------------------------------------------------------


def faults(desk: Desk, *tariffs: Any, **more: Any) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        desk.compare(*tariffs, **more)
    return [(one.where, one.why) for one in refused.value.faults]


def test_all_that_is_wrong_is_told_at_once(flat: Desk) -> None:
    told = faults(
        flat,
        "nowhere",
        {"tariff": "pt-btn-simples", "parameters": {"social": 1, "colour": "red"}},
        {"tariff": "pt-btn-simples", "parameters": {"contracted_power_kva": 7}},
        {"import": {"tariff": "flat"}, "export": {"tariff": "two"}},
        {"tariff": "pt-excedente-fixo"},
        {"tariff": "flat", "import": {"tariff": "flat"}},
        {"tariff": 7, "more": 1},
        {"export": {"tariff": "flat"}},
        "flat",
        start="yesterday",
        end="2026-13-01",
        scenarios=["without_sun"],
        colour="red",
    )
    places = [where for where, _ in told]
    assert places == [
        "start", "end", "scenarios[0]", "colour", "tariffs[0].tariff", "tariffs[1].parameters.social",
        "tariffs[1].parameters.colour", "tariffs[2].parameters", "tariffs[3].export.tariff", "tariffs[4].tariff",
        "tariffs[5]", "tariffs[6].tariff", "tariffs[6].more", "tariffs[7].import",
    ]  # fmt: skip
    whys = dict(told)
    assert whys["tariffs[0].tariff"] == "there is no tariff 'nowhere' (GET /tariffs lists all)"
    assert "there is no price for contracted_power_kva = 7" in whys["tariffs[2].parameters"]
    assert whys["tariffs[3].export.tariff"] == "tariff two prices nothing that is given to the grid"
    assert "name it as `export`" in whys["tariffs[4].tariff"]


@pytest.mark.parametrize(
    ("time", "fault"),
    [
        (("2026-03-01", "2026-01-01"), ("end", "the end is not after the start")),
        (("2020-01-01", "2026-01-01"), ("end", "at most 1098 days are compared")),
        (("2026-01-01", "2027-01-01"), ("end", "it lies ahead; what has been can be compared")),
    ],
)
def test_a_time_that_cannot_be_is_told_beside_other_faults(
    flat: Desk, time: tuple[str, str], fault: tuple[str, str]
) -> None:
    told = faults(flat, "nowhere", start=time[0], end=time[1])
    assert told == [fault, ("tariffs[0].tariff", "there is no tariff 'nowhere' (GET /tariffs lists all)")]


def test_tariffs_of_several_currencies_or_of_one_name_are_refused(flat: Desk) -> None:
    flat.put(pounds={**FLAT, "currency": "GBP"}, sells=tariff(surplus(), currency="GBP"))
    told = faults(
        flat,
        {"tariff": "flat", "id": "a"},
        {"tariff": "two", "id": "a"},
        "pounds",
        {"import": {"tariff": "flat"}, "export": {"tariff": "sells"}},
    )
    assert told == [
        ("tariffs[2]", "it is in GBP, and others are in EUR: compare them apart"),
        ("tariffs[3].export.tariff", "it is in GBP, and the one for the import in EUR"),
        ("tariffs", "two are named 'a'"),
    ]


@pytest.mark.parametrize("named", [[], {}, "flat", 7, [{"tariff": "flat"}] * 51])
def test_tariffs_are_a_list_of_at_most_fifty(flat: Desk, named: Any) -> None:
    with pytest.raises(BadInput) as refused:
        flat.comparing.compare("home1", {"start": "2026-01-01", "end": "2026-02-01", "tariffs": named})
    assert [one.where for one in refused.value.faults] == ["tariffs"]


def test_a_household_without_a_country_has_to_name_tariffs(desk: Desk) -> None:
    bootstrap.households_of(desk.store).put("home1", {"timezone": "UTC"})
    assert faults(desk) == [
        ("tariffs", "name some, or set the household's `country`: all of that country are compared then")
    ]


def test_a_household_that_is_not_there_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.comparing.compare("nobody", {})
