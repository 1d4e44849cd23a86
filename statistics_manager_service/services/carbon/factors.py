"""Emission factors of kinds of generation, as dated data that comes with the product."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from statistics_manager_service.core.carbon import MOST_G_PER_KWH
from statistics_manager_service.tariffs.shipped import read_yaml

Boundary = Literal["lifecycle", "direct"]
Fuel = Literal[
    "coal", "gas", "oil", "biomass", "waste", "geothermal", "hydro", "marine", "nuclear", "solar", "wind_onshore",
    "wind_offshore", "unknown",
]  # fmt: skip
FUELS: Final[tuple[Fuel, ...]] = get_args(Fuel)
#: What gives back what it has taken: it has no factor.
STORAGE: Final = "storage"
_Grams = Annotated[float, Field(ge=0, le=MOST_G_PER_KWH, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1)]
_WORDS: Final = ConfigDict(frozen=True, extra="forbid")


class Factor(BaseModel):
    """What a kilowatt-hour of a fuel stands for, gCO2eq/kWh. unchecked: not compared with the source, or assumed."""

    model_config = _WORDS

    value: _Grams
    unchecked: bool = False
    note: str | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.unchecked and not self.note:
            raise ValueError("a factor that is unchecked needs a note")
        return self


class FactorSet(BaseModel):
    """The factors of all fuels within a boundary, of one source and edition."""

    model_config = _WORDS

    title: _Text
    boundary: Boundary
    source: _Text
    url: _Text
    released: _Text
    note: str | None = None
    factors: Mapping[Fuel, Factor]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        lacking = [one for one in FUELS if one not in self.factors]
        if lacking:
            raise ValueError(f"there is no factor of {', '.join(lacking)}")
        return self


class ProductionType(BaseModel):
    """Which fuel a production type of ENTSO-E is."""

    model_config = _WORDS

    name: _Text
    fuel: Fuel | Literal["storage"]
    unchecked: bool = False
    note: str | None = None


class ProductionTypes(BaseModel):
    """The production types by their codes."""

    model_config = _WORDS

    source: _Text
    url: _Text
    released: _Text
    note: str | None = None
    codes: Mapping[Annotated[str, Field(pattern=r"^B\d\d$")], ProductionType]


class FactorsBehind(BaseModel):
    """What a source of intensities reckons with itself, by its own names."""

    model_config = _WORDS

    title: _Text
    source: _Text
    url: _Text
    released: _Text
    licence: _Text
    factors: Mapping[str, _Grams]


class MixFactors(BaseModel):
    """All that is shipped."""

    model_config = _WORDS

    title: _Text
    description: _Text
    unit: Literal["gCO2eq/kWh"]
    sets: Mapping[str, FactorSet]
    production_types: ProductionTypes
    behind: Mapping[str, FactorsBehind]


@cache
def mix_factors() -> MixFactors:
    """The factors that come with the product."""
    path = resources.files("statistics_manager_service") / "data" / "carbon" / "factors.yaml"
    return MixFactors.model_validate(read_yaml(path.read_bytes()))


def factor_set(boundary: str) -> tuple[str, FactorSet]:
    """The name and the factors of the set of a boundary, lifecycle or direct."""
    return next((name, one) for name, one in mix_factors().sets.items() if one.boundary == boundary)
