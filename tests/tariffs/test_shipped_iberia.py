"""Bills by the shipped tariffs of Portugal and Spain, against figures that were published or worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from billing_of import shown
from shipped_bill import always, billed

CENT = 0.005
SPANISH_EXCISE = Fraction("0.0511269632")

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
