"""The factors that come with the product: whole, told with their sources, and those of what they name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from statistics_manager_service.services.carbon.carbon_rows import BOUNDARIES
from statistics_manager_service.services.carbon.factors import FUELS, STORAGE, MixFactors, factor_set, mix_factors
from statistics_manager_service.services.carbon.shipped_factors import annual_countries, annual_means

#: Medians of table A.III.2 of IPCC AR5 WG3 Annex III, copied from it by hand.
IPCC = {
    "coal": 820, "gas": 490, "biomass": 230, "geothermal": 38, "hydro": 24, "marine": 17, "nuclear": 12, "solar": 48,
    "wind_onshore": 11, "wind_offshore": 12,
}  # fmt: skip


def test_over_the_life_cycle_the_factors_are_the_medians_of_the_ipcc() -> None:
    _, told = factor_set("lifecycle")
    checked = {fuel: one.value for fuel, one in told.factors.items() if not one.unchecked}
    assert checked == IPCC
    assert {fuel for fuel, one in told.factors.items() if one.unchecked} == {"oil", "waste", "unknown"}


def test_at_the_stack_only_what_burns_fossil_fuel_emits() -> None:
    _, told = factor_set("direct")
    assert {fuel: one.value for fuel, one in told.factors.items() if one.value} == {
        "coal": 760, "gas": 370, "oil": 406, "unknown": 575,
    }  # fmt: skip


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_each_boundary_has_one_set_of_all_fuels_with_its_source(boundary: str) -> None:
    sets = [one for one in mix_factors().sets.values() if one.boundary == boundary]
    assert [set(one.factors) for one in sets] == [set(FUELS)]
    assert sets[0].source
    assert sets[0].url.startswith("https://")


def test_every_production_type_of_generation_is_a_fuel_or_a_store() -> None:
    codes = mix_factors().production_types.codes
    assert set(codes) == {*(f"B{n:02d}" for n in range(1, 21)), "B25"}
    assert {code for code, one in codes.items() if one.fuel == STORAGE} == {"B10", "B25"}
    assert {codes[one].fuel for one in ("B02", "B05", "B07", "B08")} == {"coal"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda body: body["sets"]["stack-direct"]["factors"].pop("coal"), "there is no factor of coal"),
        (lambda body: body["sets"]["stack-direct"]["factors"]["coal"].update(value=-1), "factors.coal.value"),
        (lambda body: body["sets"]["stack-direct"]["factors"]["coal"].update(value=float("nan")), "factors.coal.value"),
        (lambda body: body["sets"]["stack-direct"]["factors"].update(peat={"value": 1}), "peat"),
        (lambda body: body["sets"]["stack-direct"]["factors"]["coal"].update(unchecked=True), "needs a note"),
        (lambda body: body["sets"]["stack-direct"].update(source=""), "source"),
        (lambda body: body["production_types"]["codes"].update(B26={"name": "x", "fuel": "magic"}), "B26"),
        (lambda body: body["production_types"]["codes"].update(x={"name": "x", "fuel": "coal"}), "codes"),
        (lambda body: body.update(unit="kg"), "unit"),
        (lambda body: body.update(more=1), "more"),
    ],
)
def test_data_that_are_wrong_are_refused_with_where(change: Any, where: str) -> None:
    body = mix_factors().model_dump(mode="json")
    MixFactors.model_validate(body)
    change(body)
    with pytest.raises(ValidationError, match=where):
        MixFactors.model_validate(body)


def test_a_country_whose_letters_are_a_word_of_yaml_has_its_annual_means() -> None:
    norway = annual_means("NO-NO1")
    assert norway is not None
    assert norway.country == "NO"
    assert all(isinstance(one, str) and len(one) == 2 for one in annual_countries())
