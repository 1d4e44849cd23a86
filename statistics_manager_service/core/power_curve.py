"""Energy of quarter-hours from mean powers of steps: a forecast that is told in kW each hour, say."""

from __future__ import annotations

from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, S_PER_MINUTE, US_PER_HOUR, US_PER_S

#: The shortest and the longest step between two values of a curve. What is further apart is a curve with holes.
SHORTEST_STEP_US: Final = S_PER_MINUTE * US_PER_S
LONGEST_STEP_US: Final = US_PER_HOUR


def step_of(at_us: Int64) -> int:
    """The length of a curve's steps in microseconds: the least distance of two neighbours, so that a value that is
    missing is not made up.

    at_us: (n,) int64, increasing, at least two. Raises ValueError, with what is wrong.
    """
    if len(at_us) < 2:
        raise ValueError("a curve has at least two values; of one alone nobody can tell how long it holds")
    step_us = int(np.diff(at_us).min())
    if not SHORTEST_STEP_US <= step_us <= LONGEST_STEP_US:
        raise ValueError("the values of a curve are a minute to an hour apart")
    return step_us


def quarters_of_power(at_us: Int64, power_w: Float64, step_us: int) -> tuple[int, Float64]:
    """The energy of each quarter-hour under a curve that keeps each value for a step.

    at_us: (n,) int64, increasing by at least step_us, n > 0. power_w: (n,) float64, W.

    Returns the first quarter (since 1970-01-01 UTC) and (m,) float64 of whole mWh, NaN where the curve does not cover
    the whole quarter. What covered quarters hold adds up to the curve's integral, rounded once.
    """
    first, last = int(at_us[0]) // QUARTER_US, -(-(int(at_us[-1]) + step_us) // QUARTER_US)
    knots_us = np.stack((at_us, at_us + step_us), axis=1).reshape(-1)
    energy_milliwh = np.zeros(len(knots_us))
    np.cumsum(power_w * MILLI * (step_us / US_PER_HOUR), out=energy_milliwh[1::2])
    energy_milliwh[2::2] = energy_milliwh[1:-1:2]
    covered_us = np.zeros(len(knots_us))
    covered_us[1::2] = np.arange(1, len(at_us) + 1) * step_us
    covered_us[2::2] = covered_us[1:-1:2]
    edges_us = np.arange(first, last + 1) * QUARTER_US
    energy = np.diff(np.round(np.interp(edges_us, knots_us, energy_milliwh)))
    is_covered = np.diff(np.interp(edges_us, knots_us, covered_us)) >= QUARTER_US - 1
    return first, np.where(is_covered, energy, np.nan)


def energy_between(edges_us: Int64, first_quarter: int, energy_milliwh: Float64) -> tuple[Float64, Float64]:
    """What quarter-hours hold between edges; a quarter that an edge cuts is divided by time.

    edges_us: (m+1,) int64, increasing. energy_milliwh: (n,) float64, of the quarters from first_quarter on, NaN where
    unknown.

    Returns (m,) float64 of mWh, NaN where nothing is known; and (m,) float64, the known share of the time. Energies of
    neighbours add up to that of their whole.
    """
    known = np.isfinite(energy_milliwh)
    grid_us = (first_quarter + np.arange(len(energy_milliwh) + 1)) * QUARTER_US
    totals = np.concatenate(([0.0], np.cumsum(np.where(known, energy_milliwh, 0.0))))
    covered_us = np.concatenate(([0.0], np.cumsum(known * float(QUARTER_US))))
    energy = np.diff(np.round(np.interp(edges_us, grid_us, totals)))
    share = np.diff(np.interp(edges_us, grid_us, covered_us)) / np.diff(edges_us)
    return np.where(share > 0, energy, np.nan), share
