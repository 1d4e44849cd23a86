"""How good forecasts were: the usual figures of errors, and what persistence would have done.

Energies come in milliwatt-hours a quarter-hour; errors are told in Wh a quarter-hour (times four: W of mean power).
Quarters of which the forecast or the actual energy is unknown (NaN) do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, QUARTERS_PER_DAY, US_PER_HOUR

#: Edges, in hours, of the bands by which horizons are told apart; the last band has no end.
HORIZON_EDGES_H: Final = (0, 6, 12, 24, 48)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures over the quarters that forecast and actual energy both have; None where there is nothing to divide by.

    quarters: how many those are.
    mae_wh, rmse_wh, bias_wh: mean absolute, root mean square and mean error (forecast − actual), Wh a quarter-hour.
    nrmse_mean: RMSE divided by the mean of the actual energy; None unless that is above 0.
    mase: MAE divided by that of the seasonal naive forecast in training, which says the value of `season_quarters`
        before (96: a day). Source: Hyndman & Koehler 2006, International Journal of Forecasting 22:679.
    skill_quarters: how many quarters persistence has too; over these
    skill_mae, skill_rmse: 1 − error / error of persistence: above 0 better than it, 1 without any error.
    """

    quarters: int
    mae_wh: float | None
    rmse_wh: float | None
    bias_wh: float | None
    nrmse_mean: float | None
    mase: float | None
    season_quarters: int
    skill_quarters: int
    skill_mae: float | None
    skill_rmse: float | None


@dataclass(frozen=True, slots=True)
class HorizonAccuracy:
    """The accuracy of what was forecast from `from_h` up to `to_h` hours ahead (None: however far)."""

    from_h: int
    to_h: int | None
    accuracy: Accuracy


def accuracy(
    forecast_milliwh: Float64,
    actual_milliwh: Float64,
    persistence_milliwh: Float64,
    training_milliwh: Float64 | None = None,
    season_quarters: int = QUARTERS_PER_DAY,
) -> Accuracy:
    """Compare a forecast with what was measured.

    forecast_milliwh, actual_milliwh, persistence_milliwh: (n,) float64, mWh in the same quarters, in any order; NaN
        where unknown. Persistence is the same slot of the day before.
    training_milliwh: (m,) float64, mWh of consecutive quarters before these, NaN where unknown; None: no MASE.
    season_quarters: the season of MASE's naive forecast.
    """
    error = (forecast_milliwh - actual_milliwh) / MILLI
    error_of_persistence = (persistence_milliwh - actual_milliwh) / MILLI
    both = np.isfinite(error)
    mae, rmse = _mae(error[both]), _rmse(error[both])
    mean = float(actual_milliwh[both].mean()) / MILLI if both.any() else 0.0
    naive_mae = None
    if training_milliwh is not None:
        steps = (training_milliwh[season_quarters:] - training_milliwh[:-season_quarters]) / MILLI
        naive_mae = _mae(steps[np.isfinite(steps)])
    three = both & np.isfinite(error_of_persistence)
    return Accuracy(
        quarters=int(both.sum()),
        mae_wh=mae,
        rmse_wh=rmse,
        bias_wh=float(error[both].mean()) if both.any() else None,
        nrmse_mean=_ratio(rmse, mean),
        mase=_ratio(mae, naive_mae),
        season_quarters=season_quarters,
        skill_quarters=int(three.sum()),
        skill_mae=_skill(_mae(error[three]), _mae(error_of_persistence[three])),
        skill_rmse=_skill(_rmse(error[three]), _rmse(error_of_persistence[three])),
    )


def accuracy_by_horizon(
    issued_us: Int64,
    target_quarter: Int64,
    forecast_milliwh: Float64,
    actual_milliwh: Float64,
    persistence_milliwh: Float64,
    training_milliwh: Float64 | None = None,
    season_quarters: int = QUARTERS_PER_DAY,
    edges_h: tuple[int, ...] = HORIZON_EDGES_H,
) -> tuple[HorizonAccuracy, ...]:
    """The accuracy of each band of horizons, the hours from a forecast's issue to the beginning of its quarter.

    issued_us: (n,) int64, instants of issue, microseconds UTC. target_quarter: (n,) int64, quarters since 1970-01-01
    UTC; one may stand several times, forecast by several issues. The rest as in `accuracy`.
    edges_h: increasing hours. A band holds its first edge and not its second; the last one has no end. What lies before
        the first edge (a quarter that had begun already) is in no band.

    Returns a band for each edge, those without any quarter too.
    """
    ahead_us = target_quarter * QUARTER_US - issued_us
    band = np.searchsorted(np.array(edges_h) * US_PER_HOUR, ahead_us, side="right") - 1
    found = []
    for i, (from_h, to_h) in enumerate(zip(edges_h, (*edges_h[1:], None), strict=True)):
        inside = band == i
        of_band = accuracy(
            forecast_milliwh[inside],
            actual_milliwh[inside],
            persistence_milliwh[inside],
            training_milliwh,
            season_quarters,
        )
        found.append(HorizonAccuracy(from_h, to_h, of_band))
    return tuple(found)


def _mae(error: Float64) -> float | None:
    return float(np.abs(error).mean()) if len(error) else None


def _rmse(error: Float64) -> float | None:
    return float(np.sqrt(np.square(error).mean())) if len(error) else None


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return numerator / denominator


def _skill(error: float | None, error_of_persistence: float | None) -> float | None:
    ratio = _ratio(error, error_of_persistence)
    return None if ratio is None else 1.0 - ratio
