"""The carbon intensity of a mix of generation."""

from __future__ import annotations

from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64

#: So much of a mix may be untold before its intensity is not known.
MOST_UNTOLD_SHARE: Final = 0.05


def mix_intensity(generation_mw: Float64, factor_g_per_kwh: Float64) -> Float64:
    """Σ generation × factor / Σ generation of each quarter-hour, over the types that have a factor.

    generation_mw: (t, q) float64, the mean power of each type, at least 0; NaN where none was told.
    factor_g_per_kwh: (t,) float64; NaN of a store. What stores give was generated before, and counted then; so neither
    what they give nor what they take counts, as if they gave the mix of the moment.

    Returns (q,) float64, g/kWh, NaN where nothing is generated, or where more than MOST_UNTOLD_SHARE of the mix may be
    untold: a type that is told at other times is taken to have the larger of its powers before and after the hole.
    Without that, the intensity of an hour of which only the wind has been published yet would be that of wind.

    Source: the mean weighted by generation, as in ENTSO-E-based practice (Electricity Maps, Ember).
    """
    counts = np.isfinite(factor_g_per_kwh)
    power, factor = generation_mw[counts], factor_g_per_kwh[counts]
    told = np.isfinite(power)
    known = np.where(told, power, 0.0)
    total, untold = known.sum(axis=0), np.where(told, 0.0, _around(power)).sum(axis=0)
    is_known = (total > 0) & (untold <= MOST_UNTOLD_SHARE * (total + untold))
    found = np.full(generation_mw.shape[1], np.nan)
    np.divide(factor @ known, total, out=found, where=is_known)
    return found


def _around(power: Float64) -> Float64:
    """The larger one of the values before and after each place of (t, q), 0 where there is none on either side."""
    return np.fmax(np.fmax(_before(power), _before(power[:, ::-1])[:, ::-1]), 0.0)


def _before(power: Float64) -> Float64:
    """The last value at or before each place, NaN where there is none."""
    if not power.size:
        return power
    place = np.where(np.isfinite(power), np.arange(power.shape[1]), 0)
    found: Float64 = np.take_along_axis(power, np.maximum.accumulate(place, axis=1), axis=1)
    return found
