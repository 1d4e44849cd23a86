"""Bills by the shipped tariffs, against figures that were published or worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from billing_of import bill, edges_of, month_periods, one_period, term_of
from shipped_bill import always, billed, gross

from statistics_manager_service.tariffs.billing import Plan
from statistics_manager_service.tariffs.shipped import shipped_ids, shipped_tariff

CENT = 0.005
YEAR = 2026


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
