"""Bills by the shipped tariffs, against figures that were published or worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from billing_of import Billed, bill, bill_of, edges_of, month_periods, one_period, shown, term_of

from statistics_manager_service.core.decimals import Decimals, constant
from statistics_manager_service.tariffs.billing import Plan
from statistics_manager_service.tariffs.energy import SeriesSource, no_series
from statistics_manager_service.tariffs.shipped import shipped_document, shipped_ids, shipped_tariff

CENT = 0.005
YEAR = 2026
SPANISH_EXCISE = Fraction("0.0511269632")


def always(**values: str) -> SeriesSource:
    """Series that have one value at all times."""

    def source(name: str, _first: int, count: int) -> tuple[Decimals, Any]:
        value = constant(Decimal(values[name]))
        return Decimals(np.repeat(value.units, count), value.places), np.ones(count, np.bool_)

    return source


def billed(
    tariff_id: str,
    start: str,
    end: str,
    imported: Mapping[str, str],
    exported: Mapping[str, str] | None = None,
    *,
    source: SeriesSource = no_series,
    meters: Mapping[str, Mapping[str, str]] | None = None,
    **parameters: Any,
) -> Billed:
    """A bill by a shipped tariff. parameters: texts are numbers."""
    told = shipped_document(tariff_id)
    assert told is not None
    numbers = {
        name: Decimal(one) if isinstance(one, str) and one[0].isdigit() else one for name, one in parameters.items()
    }
    return bill_of(told, start, end, imported, exported, parameters=numbers, source=source, meters=meters)


def gross(bill_made: Billed, *components: str) -> float:
    return float(sum(bill_made.taxed(one) for one in components))


# --- one price at each time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_each_component_of_energy_has_one_known_price_in_each_quarter_of_a_year(tariff_id: str) -> None:
    tariff = shipped_tariff(tariff_id)
    year = max(YEAR, tariff.valid.begin.year)
    term = term_of(tariff, f"{year}-01-01", f"{year + 1}-01-01")
    periods = month_periods(tariff.time_zone, f"{year}-01", 12)
    pieces = edges_of([term], periods)
    inside = int(((pieces >= periods[0].start_us) & (pieces < periods[-1].end_us)).sum())
    assert inside == 8760 * 4
    plan = Plan([term], periods, pieces, always(**dict.fromkeys(tariff.series, "0.1")))
    priced = dict.fromkeys((one.id for one in term.components() if one.kind == "energy"), 0)
    for stretch, prices, _ in plan.energy_prices():
        for id, price in prices.items():
            count = stretch.last - stretch.first
            assert price.linear is not None and (price.linear.known is None or price.linear.known.all())
            priced[id] += len(price.linear.prices().spread(count).units)
    assert set(priced.values()) <= {inside}
    assert priced or tariff_id == "no-fjellnett"


# --- Portugal ---------------------------------------------------------------------------------------------------------

#: €/day of contracted power in 2026, as ERSE has it.
CUR_POWER_2026 = {
    "1.15": "0.0893", "2.3": "0.1500", "3.45": "0.1917", "4.6": "0.2499", "5.75": "0.3079", "6.9": "0.3659",
    "10.35": "0.5397", "13.8": "0.7136", "17.25": "0.8875", "20.7": "1.0614",
}  # fmt: skip
ABOVE_2026 = {"27.6": "1.3655", "34.5": "1.6966", "41.4": "2.0278"}
LONG_USE_2026 = {"27.6": "2.1134", "34.5": "2.6346", "41.4": "3.1558"}


def test_the_shipped_tariff_gives_the_regulators_bill_of_2026_and_the_fee_of_dgeg() -> None:
    """ERSE: 36,82 EUR a month without DGEG; 0.07 EUR and 23 % more with it."""
    energies = {"2026-01-07 12:00": "95", "2026-01-07 23:00": "63.333333"}
    made = billed("pt-btn-bi-horario", "2026-01-01", "2026-01-31 10:00", energies, contracted_power_kva="3.45")
    assert made.gross == Fraction("36.91"), shown(made.lines)
    assert made.gross - made.taxed("dgeg") == Fraction("36.82")


@pytest.mark.parametrize("power", [*CUR_POWER_2026, *ABOVE_2026])
def test_network_and_supplier_together_have_the_regulators_price_of_power(power: str) -> None:
    for tariff_id in ("pt-btn-simples", "pt-btn-bi-horario", "pt-btn-bi-horario-semanal"):
        if power in CUR_POWER_2026:
            made = billed(tariff_id, "2026-04-01", "2026-05-01", {}, contracted_power_kva=power)
            expected = 30 * Fraction(CUR_POWER_2026[power])
            assert float(made.amount("power_tar") + made.amount("power_supplier")) == pytest.approx(expected, abs=0.011)
    for tariff_id in ("pt-btn-tri-horario", "pt-btn-tri-horario-semanal"):
        made = billed(tariff_id, "2026-04-01", "2026-05-01", {}, contracted_power_kva=power)
        expected = 30 * Fraction({**CUR_POWER_2026, **ABOVE_2026}[power])
        assert float(made.amount("power_tar") + made.amount("power_supplier")) == pytest.approx(expected, abs=0.011)


@pytest.mark.parametrize(
    ("long_use", "prices"), [(False, ["0.3043", "0.1623", "0.0965"]), (True, ["0.2615", "0.1561", "0.0954"])]
)
def test_above_20_7_kva_other_prices_hold_and_all_is_taxed_by_the_higher_rate(
    long_use: bool, prices: list[str]
) -> None:
    energies = {"2026-01-07 09:15": "10", "2026-01-07 12:00": "10", "2026-01-07 23:00": "10"}
    made = billed(
        "pt-btn-tri-horario", "2026-01-01", "2026-01-31", energies, contracted_power_kva="27.6", long_use=long_use
    )
    by_period = {one.period: one.unit_price for one in made.of("energy")}
    assert by_period == dict(zip("PCV", map(Fraction, prices), strict=True))
    assert {one.tax_rate for one in made.lines if one.component != "cav"} == {Decimal("0.23")}
    each_day = Fraction((LONG_USE_2026 if long_use else ABOVE_2026)["27.6"])
    assert float(made.amount("power_tar") + made.amount("power_supplier")) == pytest.approx(30 * each_day, abs=0.011)


def test_the_social_tariff_is_taken_off_before_vat_and_pays_no_excise() -> None:
    made = billed(
        "pt-btn-simples",
        "2026-01-01",
        "2026-01-31",
        {"2026-01-07 12:00": "100"},
        contracted_power_kva="3.45",
        social=True,
    )
    assert "iec" not in {one.component for one in made.lines}
    assert made.amount("energy") + made.amount("energy_social") == Fraction("11.86")  # 100 × (0.1654 - 0.0468)
    power = made.amount("power_tar") + made.amount("power_social")
    assert float(power) == pytest.approx(30 * (0.1718 - 0.1083), abs=0.011)
    assert {one.tax_rate for one in made.of("power_social") + made.of("energy_social")} == {Decimal("0.06")}


def test_the_social_tariff_is_not_for_more_than_6_9_kva() -> None:
    made = billed("pt-btn-simples", "2026-01-01", "2026-01-31", {}, contracted_power_kva="10.35", social=True)
    assert not {"energy_social", "power_social"} & {one.component for one in made.lines}


@pytest.mark.parametrize(("large_family", "low_kwh"), [(False, 200), (True, 300)])
def test_a_large_family_has_more_energy_at_the_lower_vat(large_family: bool, low_kwh: int) -> None:
    made = billed("pt-btn-simples", "2026-04-01", "2026-05-01", {"2026-04-07 12:00": "350"}, large_family=large_family)
    assert [float(one.quantity) for one in made.of("energy", rate="0.06")] == [low_kwh]
    assert [float(one.quantity) for one in made.of("energy", rate="0.23")] == [350 - low_kwh]


def test_a_bill_over_new_year_has_the_prices_of_both_years() -> None:
    energies = {"2025-12-31 23:45": "10", "2026-01-01 00:00": "10"}
    made = billed(
        "pt-btn-simples",
        "2025-12-17",
        "2026-01-16",
        energies,
        energy_2025_eur_per_kwh="0.2",
        supplier_power_2025_eur_per_day="0.03",
        contracted_power_kva="6.9",
    )
    assert [one.unit_price for one in made.of("energy")] == [Fraction("0.2"), Fraction("0.1654")]
    assert [one.unit_price for one in made.of("power_tar")] == [Fraction("6.9") * Fraction("0.046"), Fraction("0.3436")]
    assert [one.unit_price for one in made.of("power_supplier")] == [Fraction("0.03"), Fraction("0.0223")]
    assert [float(one.quantity) for one in made.of("power_tar")] == [15, 15]


@pytest.mark.parametrize(
    ("option", "at", "tar"),
    [
        ("simples", "12:00", "0.0607"),
        ("bi-diario", "12:00", "0.0835"),
        ("bi-semanal", "06:45", "0.0158"),
        ("tri-diario", "09:15", "0.2452"),
        ("tri-semanal", "09:15", "0.0412"),
    ],
)
def test_an_indexed_kwh_costs_the_market_with_losses_and_the_network(option: str, at: str, tar: str) -> None:
    made = billed(
        "pt-indexado-omie",
        "2026-01-01",
        "2026-02-01",
        {f"2026-01-07 {at}": "1000"},
        option=option,
        source=always(omie_pt="0.05", pt_losses="1.1"),
        cgs_eur_per_kwh="0.004",
        k_eur_per_kwh="0.008",
    )
    assert made.amount("energy") == Fraction("68.2")  # (0.05 + 0.004 + 0.008) × 1.1
    assert made.amount("energy_tar") == 1000 * Fraction(tar)


def test_an_indexed_market_price_below_zero_counts_unless_the_contract_floors_it() -> None:
    for floor, expected in ((False, Fraction("-41.8")), (True, Fraction(0))):
        made = billed(
            "pt-indexado-omie",
            "2026-01-01",
            "2026-02-01",
            {"2026-01-07 12:00": "1000"},
            floor_at_zero=floor,
            source=always(omie_pt="-0.05", pt_losses="1.1"),
        )
        assert made.amount("energy") == expected


@pytest.mark.parametrize(
    ("omie", "parameters", "paid"),
    [
        ("0.05", {"fee_share": "0.1"}, "45"),
        ("0.05", {"fee_by_kwh": True, "fee_eur_per_kwh": "0.012"}, "38"),
        ("0.01", {"fee_by_kwh": True, "fee_eur_per_kwh": "0.012"}, "0"),
        ("-0.05", {"fee_share": "0.1"}, "0"),
    ],
)
def test_surplus_is_sold_at_omie_less_a_fee_and_never_below_zero(
    omie: str, parameters: dict[str, Any], paid: str
) -> None:
    surplus = {"2026-07-01 13:00": "1000"}
    made = billed(
        "pt-excedente-omie", "2026-07-01", "2026-08-01", {}, surplus, source=always(omie_pt=omie), **parameters
    )
    assert made.gross == -Fraction(paid)


def test_surplus_at_a_fixed_price_is_what_is_left_in_the_quarter_hour() -> None:
    used, fed_in = {"2026-07-01 13:00": "300"}, {"2026-07-01 13:00": "1000", "2026-07-01 13:15": "100"}
    made = billed("pt-excedente-fixo", "2026-07-01", "2026-08-01", used, fed_in, price_eur_per_kwh="0.06")
    assert made.gross == -800 * Fraction("0.06")


# --- Spain ------------------------------------------------------------------------------------------------------------


def test_the_spanish_excise_is_taken_of_power_and_energy_and_iva_of_everything() -> None:
    energies = {"2026-03-02 12:00": "50", "2026-03-02 09:00": "60", "2026-03-07 12:00": "90"}
    made = billed(
        "es-20td",
        "2026-03-01",
        "2026-04-01",
        energies,
        power_p1_kw="4.6",
        power_p2_kw="4.6",
        energy_p1_eur_per_kwh="0.2",
        energy_p2_eur_per_kwh="0.13",
        energy_p3_eur_per_kwh="0.09",
        bono_social_eur_per_day="0.02",
    )
    power = Fraction("4.6") * (Fraction("26.933256") + Fraction("0.697762")) * 31 / 365
    energy = 50 * Fraction("0.2") + 60 * Fraction("0.13") + 90 * Fraction("0.09")
    rent, bono = Fraction("0.81"), 31 * Fraction("0.02")
    expected = ((power + energy) * (1 + SPANISH_EXCISE) + rent + bono) * Fraction("1.21")
    assert float(made.gross) == pytest.approx(float(expected), abs=0.03), shown(made.lines)
    assert [one.period for one in made.of("energy")] == ["P1", "P2", "P3"]


def test_what_a_spanish_home_feeds_in_is_netted_in_the_hour_and_pays_at_most_the_energy_of_the_bill() -> None:
    used = {"2026-03-02 12:00": "2", "2026-03-02 20:00": "10"}
    fed_in = {"2026-03-02 12:45": "102"}  # in the same hour as the first two kWh
    made = billed(
        "es-20td", "2026-03-01", "2026-04-01", used, fed_in, energy_p1_eur_per_kwh="0.2", surplus_eur_per_kwh="0.06"
    )
    assert made.amount("energy") == 2
    assert made.amount("surplus") == -2
    half = billed(
        "es-20td",
        "2026-03-01",
        "2026-04-01",
        used,
        {"2026-03-02 12:45": "22"},
        energy_p1_eur_per_kwh="0.2",
        surplus_eur_per_kwh="0.06",
    )
    assert half.amount("surplus") == -20 * Fraction("0.06")


def test_pvpc_has_the_hourly_price_the_power_of_its_year_and_lines_by_period() -> None:
    series = always(es_pvpc="0.15", es_excedente="0.05")
    energies = {"2025-03-03 12:00": "100", "2025-03-03 03:00": "100"}
    made = billed("es-pvpc", "2025-03-01", "2025-04-01", energies, source=series, power_p1_kw="3.3", power_p2_kw="5.5")
    assert {one.period: one.net for one in made.of("energy")} == {"P1": 15, "P3": 15}
    assert float(made.amount("power_p1")) == pytest.approx(3.3 * 30.046256 * 31 / 365, abs=CENT)
    assert float(made.amount("power_p2")) == pytest.approx(5.5 * 0.697762 * 31 / 365, abs=CENT)


# --- Germany ----------------------------------------------------------------------------------------------------------


def test_a_german_standard_contract_comes_to_its_prices_with_tax_in_them() -> None:
    made = billed(
        "de-standard",
        "2026-03-01",
        "2026-04-01",
        {"2026-03-02 12:00": "100"},
        arbeitspreis_eur_per_kwh="0.35",
        grundpreis_eur_per_month="12",
    )
    assert [made.taxed("energy"), made.taxed("basic")] == [35, 12]
    assert {one.tax_rate for one in made.lines} == {Decimal("0.19")}


def test_modul_1_gives_back_the_published_amount_of_braunschweig() -> None:
    """bs-netz.de, 2025: 137,43 EUR a year before tax, at 9.36 ct/kWh."""
    made = billed(
        "de-dynamisch",
        "2026-01-01",
        "2027-01-01",
        {"2026-01-07 12:00": "3500"},
        modul_1=True,
        source=always(epex_de="0.1"),
    )
    assert made.amount("modul_1") == -Fraction("137.43")
    without = billed(
        "de-dynamisch", "2026-01-01", "2027-01-01", {"2026-01-07 12:00": "3500"}, source=always(epex_de="0.1")
    )
    assert without.net - made.net == Fraction("137.43")


def test_modul_1_takes_away_no_more_than_the_network_charges() -> None:
    made = billed(
        "de-dynamisch",
        "2026-01-01",
        "2027-01-01",
        {"2026-01-07 12:00": "100"},
        modul_1=True,
        source=always(epex_de="0.1"),
        netz_grund_eur_per_year="60",
    )
    assert made.amount("network") + made.amount("network_basic") + made.amount("modul_1") == 0


def test_modul_2_bills_two_fifths_of_the_network_price_for_the_heat_pump() -> None:
    """bs-netz.de, 2025: 3,74 ct/kWh of 9.36."""
    at = "2026-01-07 12:00"
    made = billed("de-14a-modul2", "2026-01-01", "2026-02-01", {at: "10000"}, meters={"heat_pump": {at: "6000"}})
    network = made.amount("network") + made.amount("modul_2")
    assert float(network) == pytest.approx(4000 * 0.0936 + 6000 * 0.03744, abs=0.011)


# --- Great Britain ----------------------------------------------------------------------------------------------------


def test_agile_prices_have_vat_in_them_and_may_be_negative() -> None:
    for price, expected in (("0.2318", 231.8), ("-0.05", -50)):
        made = billed(
            "gb-agile",
            "2026-01-01",
            "2026-02-01",
            {"2026-01-07 12:00": "1000"},
            source=always(agile=price),
            standing_gbp_per_day="0.45",
        )
        assert float(made.taxed("energy")) == pytest.approx(expected)
        assert made.taxed("standing") == Fraction("13.95")
        (line,) = made.of("energy")
        assert float(line.net) == pytest.approx(expected / 1.05, abs=CENT)


@pytest.mark.parametrize(
    ("tariff_id", "at", "period"),
    [
        ("gb-go", "2026-07-01 00:30", "night"),
        ("gb-go", "2026-07-01 05:15", "night"),
        ("gb-go", "2026-07-01 05:30", "day"),
        ("gb-economy-7", "2026-07-01 01:15", "day"),
        ("gb-economy-7", "2026-07-01 08:15", "night"),
        ("gb-economy-7", "2026-01-07 00:30", "night"),
        ("gb-economy-7", "2026-01-07 07:30", "day"),
    ],
)
def test_british_nights_are_cheap_by_the_clock_of_their_tariff(tariff_id: str, at: str, period: str) -> None:
    start, end = f"{at[:7]}-01", f"{at[:6]}{int(at[6]) + 1}-01"
    made = billed(tariff_id, start, end, {at: "100"}, night_gbp_per_kwh="0.1", day_gbp_per_kwh="0.3")
    (line,) = made.of("energy")
    assert line.period == period
    assert line.gross == (10 if period == "night" else 30)


# --- the Netherlands, Flanders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epex", "bought", "sold"), [("0.0001", "0.020121", None), ("0.05522", None, "0.046816"), ("0.08", None, "0.0768")]
)
def test_dutch_hours_cost_what_zonneplan_told_its_customer(epex: str, bought: str | None, sold: str | None) -> None:
    """EUR/kWh of hours of January and April 2024, from a customer's export, to six decimals."""
    at = {"2024-01-28 09:00": "100000"}
    made = billed(
        "nl-dynamisch",
        "2024-01-01",
        "2025-01-01",
        at if bought else {},
        at if sold else {},
        source=always(epex_nl=epex),
    )
    if bought:
        assert gross(made, "spot", "surcharge") == pytest.approx(100000 * float(bought), abs=0.05)
    if sold:
        assert gross(made, "spot_export", "fee_export") == pytest.approx(-100000 * float(sold), abs=0.05)


def test_saldering_gives_back_energy_tax_up_to_that_on_the_import_until_2027() -> None:
    source = always(epex_nl="0.05")
    for exported, left in (("400", 600), ("1400", 0)):
        made = billed(
            "nl-dynamisch",
            "2026-01-01",
            "2027-01-01",
            {"2026-01-07 12:00": "1000"},
            {"2026-07-07 12:00": exported},
            source=source,
        )
        tax = made.amount("energy_tax") + made.amount("energy_tax_export")
        assert float(tax) == pytest.approx(left * 0.0916, abs=0.011)
        assert float(made.amount("tax_credit")) == pytest.approx(-519.80)
    after = billed(
        "nl-dynamisch-2027",
        "2027-01-01",
        "2028-01-01",
        {"2027-01-07 12:00": "1000"},
        {"2027-07-07 12:00": "1400"},
        source=source,
        energy_tax_eur_per_kwh="0.0916",
    )
    assert float(after.amount("energy_tax")) == pytest.approx(91.6)


def test_one_dutch_price_is_billed_for_what_is_left_over_the_year() -> None:
    made = billed(
        "nl-enkel",
        "2026-01-01",
        "2027-01-01",
        {"2026-01-07 12:00": "1000"},
        {"2026-07-07 12:00": "400"},
        levering_eur_per_kwh="0.15",
    )
    assert made.taxed("energy") == 600 * Fraction("0.15")
    assert float(made.amount("energy_tax")) == pytest.approx(600 * 0.0916, abs=CENT)
    assert sum(float(one.quantity) for one in made.lines if one.component == "export") == 0


def test_flanders_bills_the_mean_of_twelve_monthly_peaks_each_at_least_2_5_kw() -> None:
    """nl.wikibooks: peaks whose floored mean is 4.456 kW."""
    peaks = [".632", "4.600", "0", "1.028", "3.444", "4.164", "4.564", "6", "9.2", "5", "4.12", "4.88"]
    quarters = {f"2025-{i + 1:02d}-10 18:00": str(Decimal(kw) / 4) for i, kw in enumerate(peaks)}
    told = shipped_tariff("be-vlaanderen-capaciteit")
    term = term_of(told, "2025-01-01", "2026-01-01", {"capaciteit_eur_per_kw_year": Decimal(60)})
    made = bill(term, month_periods("Europe/Brussels", "2025-01", 12), quarters)
    december = [one for one in made.periods[-1] if one.component == "capacity"]
    assert [float(one.quantity) for one in december] == pytest.approx([4.456], abs=0.0005)
    assert [float(one.net) for one in december] == pytest.approx([4.456 * 5], abs=CENT)


# --- the Nordics ------------------------------------------------------------------------------------------------------


def hour(day: str, at: int, kw: str) -> dict[str, str]:
    """An hour of even power."""
    return {f"{day} {at:02d}:{minute:02d}": str(Decimal(kw) / 4) for minute in (0, 15, 30, 45)}


def test_the_norwegian_step_is_that_of_three_hours_on_three_days() -> None:
    one_day = hour("2026-01-07", 17, "6") | hour("2026-01-07", 18, "6") | hour("2026-01-07", 19, "6")
    energies = one_day | hour("2026-01-08", 17, "3") | hour("2026-01-09", 17, "3")
    made = billed("no-effekt", "2026-01-01", "2026-02-01", energies, source=always(spot_no1="0.5"))
    assert made.taxed("effect") == 250  # the mean is 4 kW; of the three greatest hours it would be 6


def test_partille_bills_the_greatest_hour_of_the_month() -> None:
    energies = hour("2026-01-07", 17, "7") | {"2026-01-08 17:00": "2.5"}  # 10 kW, for a quarter of an hour
    made = billed("se-effekt-partille", "2026-01-01", "2026-02-01", energies)
    assert made.taxed("effect") == 7 * Fraction("29.50")


@pytest.mark.parametrize(("month", "component", "each_kw"), [("01", "effect_winter", 120), ("07", "effect_summer", 60)])
def test_seom_bills_three_working_hours_and_twice_the_price_in_winter(month: str, component: str, each_kw: int) -> None:
    first = date(2026, int(month), 1)
    monday = first + timedelta(days=(7 - first.weekday()) % 7 + 7)
    energies = hour(str(monday), 7, "6") | hour(str(monday), 18, "5") | hour(str(monday + timedelta(days=1)), 12, "4")
    energies |= hour(str(monday), 19, "9") | hour(str(monday - timedelta(days=1)), 12, "10")  # evening, Sunday
    end = date(2026, int(month) + 1, 1).isoformat()
    made = billed("se-effekt-seom", first.isoformat(), end, energies, effekt_sek_per_kw_month="60")
    assert made.taxed(component) == 5 * each_kw
    other = {"effect_winter": "effect_summer", "effect_summer": "effect_winter"}[component]
    assert sum(one.gross for one in made.lines if one.component == other) == 0


def test_fjellnett_bills_the_five_greatest_weeks_each_hour_by_the_factor_of_its_month() -> None:
    weeks = ["2026-02-03", "2026-02-10", "2026-02-17", "2026-02-24"]
    energies: dict[str, str] = {}
    for day in weeks:
        energies |= hour(day, 17, "4") | hour(day, 18, "3")
    energies |= hour("2026-03-10", 17, "8") | hour("2026-03-11", 17, "7")  # counts 6.8; the same week counts once
    told = shipped_tariff("no-fjellnett")
    term = term_of(told, "2026-01-01", "2027-01-01")
    made = bill(term, one_period("Europe/Oslo", "2026-03-01", "2026-04-01"), energies)
    expected = (4 * 4 + 6.8) / 5 * 667.50 / 12
    assert gross(made, "effect") == pytest.approx(expected, abs=CENT)
