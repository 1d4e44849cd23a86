"""The embedded forecaster on real homes: rolling, a day ahead, beside persistence (the same slot of the day before)."""

from __future__ import annotations

import pathlib
import time
from dataclasses import dataclass

import numpy as np

from bench.real_homes import DATA, SHORT_SOURCES, SOURCES, Home, Source, read_home
from statistics_manager_service.core.accuracy import Accuracy, accuracy
from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.forecasting import forecast, same_slot_yesterday
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_HOUR

#: Days of history before the first day that is forecast: of homes with months of data, and of those with weeks.
WARM_UP_DAYS = 28
SHORT_WARM_UP_DAYS = 7
#: The forecast of a day is issued at its local midnight, or so many quarters before it: 10:00 of the day before.
AT_MIDNIGHT = 0
AT_TEN = 14 * QUARTERS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Skill:
    """A home's forecasts over all of its days: accuracy at the resolution of its data, bias as a share of the mean."""

    days: int
    accuracy: Accuracy
    bias_share: float
    seconds_a_forecast: float


def rolling(home: Home, issued_before: int = AT_MIDNIGHT, warm_up_days: int = WARM_UP_DAYS) -> Skill:
    """Forecast each civil day after the warm-up from what was known so many quarters before its midnight."""
    first, energy, zone = home.first_quarter, home.energy_milliwh, home.source.zone
    cal = calendar(zone, GroupBy.DAILY, first * QUARTER_US, (first + len(energy)) * QUARTER_US)
    midnights = (cal.edges_us // QUARTER_US).tolist()
    found = np.full(len(energy), np.nan)
    begin = time.perf_counter()
    days = list(zip(midnights[warm_up_days:-1], midnights[warm_up_days + 1 :], strict=True))
    for midnight, next_midnight in days:
        history = energy[: midnight - issued_before - first]
        found[midnight - first : next_midnight - first] = forecast(
            first, history, midnight, next_midnight - midnight, zone
        )
    seconds = (time.perf_counter() - begin) / len(days)
    persistence = same_slot_yesterday(first, energy, zone)
    found, energy, persistence = (_by_value(one, home) for one in (found, energy, persistence))
    compared = np.isfinite(found) & np.isfinite(energy)
    bias_share = float(found[compared].sum() / energy[compared].sum() - 1)
    return Skill(len(days), accuracy(found, energy, persistence), bias_share, seconds)


def _by_value(energy_milliwh: Float64, home: Home) -> Float64:
    """Quarters summed to the values of the data set: an hour spread over four quarters is one figure, not four."""
    step = home.source.quarters_per_value
    skipped = -home.first_quarter % step
    whole = (len(energy_milliwh) - skipped) // step
    sums: Float64 = energy_milliwh[skipped : skipped + whole * step].reshape(whole, step).sum(axis=1)
    return sums


def show(data: pathlib.Path = DATA) -> None:
    """Print a line a home, and the means."""
    if not data.is_dir():
        print("\nForecasts: no folder of real data sets beside the project")
        return
    rows = _show_homes(SOURCES, WARM_UP_DAYS, data)
    print(f"  {'mean':<14} {'':>5} {_cells(np.mean(rows, axis=0).tolist())}")
    of_held_out = [row for row, source in zip(rows, SOURCES, strict=True) if source.held_out]
    print(f"  {'of held out':<14} {'':>5} {_cells(np.mean(of_held_out, axis=0).tolist())}")
    _show_homes(SHORT_SOURCES, SHORT_WARM_UP_DAYS, data)


def _show_homes(sources: tuple[Source, ...], warm_up_days: int, data: pathlib.Path) -> list[list[float]]:
    print(f"\nForecasts a day ahead, after {warm_up_days} days: skill against the same slot of yesterday (* held out)")
    print(f"  {'':<14} {'':>5} {'issued at midnight':>23} {'at 10:00 the day before':>29}")
    print(
        f"  {'home':<14} {'days':>5} {'MAE':>7} {'RMSE':>7} {'bias':>7} {'MAE':>13} {'RMSE':>7} {'bias':>7} {'ms':>5}"
    )
    rows = []
    for source in sources:
        home = read_home(source, data)
        midnight, ten = (rolling(home, issued, warm_up_days) for issued in (AT_MIDNIGHT, AT_TEN))
        rows.append([*_figures(midnight), *_figures(ten)])
        name = source.home + " *" * source.held_out
        print(
            f"  {name:<14} {midnight.days:>5} {_cells(rows[-1])} {midnight.seconds_a_forecast * 1000:>5.1f}", flush=True
        )
    return rows


def _figures(skill: Skill) -> list[float]:
    skills = (skill.accuracy.skill_mae, skill.accuracy.skill_rmse)
    return [*(np.nan if one is None else one for one in skills), skill.bias_share]


def _cells(figures: list[float]) -> str:
    mae, rmse, bias, *others = (f"{one:>+7.3f}" for one in figures)
    return " ".join([mae, rmse, bias, "     ", *others])
