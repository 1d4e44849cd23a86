"""Factors that come with the product as dated data: annual means of countries, the carbon of own solar production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from statistics_manager_service.core.carbon import milligrams
from statistics_manager_service.core.intensity_steps import MOST_YEARS
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.carbon.carbon_rows import Method
from statistics_manager_service.tariffs.shipped import read_yaml

_ANNUAL, _OWN_PRODUCTION = "annual.yaml", "own_production.yaml"
_COUNTRY_LETTERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class AnnualMeans:
    """The annual means of a country.

    years: (y,) int64, rising. mg_per_kwh: (y,) int64. sources: (y,) where each comes from: release, source, url,
    licence, released. method: of all of them.
    """

    country: str
    years: Int64
    mg_per_kwh: Int64
    sources: tuple[Mapping[str, str], ...]
    method: Method


@dataclass(frozen=True, slots=True)
class OwnProduction:
    """What a kilowatt-hour of own solar production stands for, within a boundary."""

    boundary: str
    mg_per_kwh: int
    source: str
    url: str
    released: str


def annual_means(zone: str) -> AnnualMeans | None:
    """The annual means of a zone's country, None where none come with the product."""
    return _all_annual_means().get(zone[:_COUNTRY_LETTERS])


def annual_countries() -> list[str]:
    """The countries of which annual means come with the product."""
    return list(_all_annual_means())


@cache
def own_production(boundary: str) -> OwnProduction:
    """What own production stands for within a boundary, one of BOUNDARIES."""
    told = next(one for one in _read(_OWN_PRODUCTION)["values"] if one["boundary"] == boundary)
    return OwnProduction(boundary, milligrams(told["value"]), told["source"], told["url"], str(told["released"]))


@cache
def _all_annual_means() -> dict[str, AnnualMeans]:
    body = _read(_ANNUAL)
    method = Method(body["basis"], body["boundary"], body["scope"])
    return {country: _of_country(country, one["values"], body["releases"], method) for country, one in
            body["zones"].items()}  # fmt: skip


def _of_country(country: str, values: Any, releases: Any, method: Method) -> AnnualMeans:
    """Of a year that two releases tell the first one counts."""
    told: dict[int, tuple[int, str]] = {}
    for release, by_year in values.items():
        for year, g_per_kwh in by_year.items():
            told.setdefault(year, (milligrams(g_per_kwh), release))
    years = sorted(told)
    if len(years) > MOST_YEARS:
        raise ValueError(f"{country} has {len(years)} years; at most {MOST_YEARS} are told apart")
    names = ("source", "url", "licence", "released")
    return AnnualMeans(
        country,
        np.array(years, np.int64),
        np.array([told[year][0] for year in years], np.int64),
        tuple(
            {"release": told[year][1], **{name: str(releases[told[year][1]][name]) for name in names}} for year in years
        ),
        method,
    )


def _read(name: str) -> Any:
    folder = resources.files("statistics_manager_service") / "data" / "carbon"
    return read_yaml((folder / name).read_bytes())
