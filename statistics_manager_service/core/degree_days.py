"""Degree days, what energy hangs on them, and energy as it would be in a normal year.

HDD = Σ (18 °C − Tm) over days with Tm ≤ 15 °C; CDD = Σ (Tm − 21 °C) over days with Tm ≥ 24 °C, Tm the day's mean.
Sources: Eurostat, Energy statistics – cooling and heating degree days (nrg_chdd_esms). The regression is that of
ASHRAE Guideline 14 and CalTRACK: ordinary least squares of E = a·days + b·HDD (+ c·CDD).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64


@dataclass(frozen=True, slots=True)
class DegreeDayRule:
    """Days at or below the limit are heated up to the base; days at or above the other limit are cooled down to the
    other base. In °C; Eurostat's unless told."""

    heating_base_c: float = 18.0
    heating_limit_c: float = 15.0
    cooling_base_c: float = 21.0
    cooling_limit_c: float = 24.0


EUROSTAT: Final = DegreeDayRule()


def heating_degree_days(mean_c: Float64, rule: DegreeDayRule = EUROSTAT) -> Float64:
    """(d,) K·d of each day, from its mean temperature (d,) °C; NaN where that is not known."""
    heated = np.where(mean_c <= rule.heating_limit_c, rule.heating_base_c - mean_c, 0.0)
    return np.where(np.isnan(mean_c), np.nan, heated)


def cooling_degree_days(mean_c: Float64, rule: DegreeDayRule = EUROSTAT) -> Float64:
    """(d,) K·d of each day, from its mean temperature (d,) °C; NaN where that is not known."""
    cooled = np.where(mean_c >= rule.cooling_limit_c, mean_c - rule.cooling_base_c, 0.0)
    return np.where(np.isnan(mean_c), np.nan, cooled)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient of a regression, with its standard error; None where no degree of freedom is left to tell it."""

    value: float
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Regression:
    """E = Σ coefficient × regressor.

    coefficients: by the regressor's name. n: observations. r2: 1 − Σ residual² / Σ (E − mean E)²; None where all E are
    equal. residual_standard_error: √(Σ residual² / (n − regressors)); None where n is no greater.
    """

    coefficients: dict[str, Coefficient]
    n: int
    r2: float | None
    residual_standard_error: float | None


def regress(energy: Float64, regressors: dict[str, Float64]) -> Regression | str:
    """Ordinary least squares without a constant, or why it can't be done: a regressor of days is the constant.

    energy, each regressor: (n,) float64, none of them NaN.
    """
    names = list(regressors)
    n = len(energy)
    if n < len(names):
        return f"{n} observations are too few to tell {len(names)} coefficients"
    matrix = np.column_stack([regressors[name] for name in names])
    if np.linalg.matrix_rank(matrix) < len(names):
        return f"the effects of {' and '.join(names)} can't be told apart: they rise and fall together, or not at all"
    # QR, for it is exact to more digits than the inverse of the normal equations
    q, r = np.linalg.qr(matrix)
    inverse = np.linalg.inv(r)
    beta = inverse @ (q.T @ energy)
    residual = float(((energy - matrix @ beta) ** 2).sum())
    spread = float(((energy - energy.mean()) ** 2).sum())
    free = n - len(names)
    variance = residual / free if free else None
    errors: list[float | None] = [None] * len(names)
    if variance is not None:
        errors = np.sqrt(variance * (inverse**2).sum(axis=1)).tolist()
    found = {name: Coefficient(value, error) for name, value, error in zip(names, beta.tolist(), errors, strict=True)}
    r2 = 1 - residual / spread if spread > 0 else None
    return Regression(found, n, r2, None if variance is None else variance**0.5)


def normalised(energy: float, base: float, hdd: float, hdd_normal: float) -> float:
    """Energy as it would be in normal weather: base + (energy − base) × hdd_normal / hdd, hdd above 0.

    base: the part of the energy that does not hang on heating.
    """
    return base + (energy - base) * hdd_normal / hdd


def normal_of_days(days: Sequence[tuple[int, int]], known: dict[tuple[int, int], list[float]]) -> tuple[float, int]:
    """The normal heating degree days of some calendar days (month, day): Σ of the mean of the same day of other years;
    and of how many days no other year is known, which are left out of the sum. Of 29 February the 28th counts where no
    other 29th is known.

    known: of other years, the degree days of each calendar day.
    """
    total, lacking = 0.0, 0
    for day in days:
        some = known.get(day) or (known.get((2, 28)) if day == (2, 29) else None)
        if some:
            total += sum(some) / len(some)
        else:
            lacking += 1
    return total, lacking
