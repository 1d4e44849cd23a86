"""The intensity of a grid by the quarter-hour, each told by a step of a fall-back: measured, estimated, forecast, the
mean of the same hour of the days before, the country's annual mean, or by nothing.

Intensities are whole milligrams of CO2 equivalent per kWh (int64). Steps are small integers (int8): 0 is unknown, then
come the words of STEPS in their order, and from ANNUAL on the annual figures of a country in the order of their years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.carbon import DAYS_USED, LEAST_DAYS, civil_seconds, rows_on_quarters
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_HOUR

Int8 = NDArray[np.int8]

#: The steps of the fall-back by which a quarter-hour's intensity is told, the best one first.
STEPS: Final = ("measured", "estimated", "forecast", "same_hour_mean", "country_annual")
UNKNOWN: Final = "unknown"
#: Where no step tells of a quarter-hour.
NOT_TOLD: Final = 0
MEASURED, ESTIMATED, FORECAST, SAME_HOUR_MEAN, ANNUAL = range(1, len(STEPS) + 1)
#: The last step that a source itself told.
LAST_TOLD: Final = FORECAST
#: So many years fit behind ANNUAL.
MOST_YEARS: Final = np.iinfo(np.int8).max - ANNUAL
_HOURS: Final = 24


def step_name(step: int) -> str:
    """The word for a step."""
    if step == NOT_TOLD:
        return UNKNOWN
    return STEPS[min(step, ANNUAL) - 1]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """The intensity of q quarter-hours: mg_per_kwh (q,) int64, 0 where unknown; step (q,) int8."""

    mg_per_kwh: Int64
    step: Int8

    def slice(self, begin: int, end: int) -> Told:
        """A part of them."""
        return Told(self.mg_per_kwh[begin:end], self.step[begin:end])

    @property
    def any_from_source(self) -> bool:
        """Whether the source itself told of any."""
        return bool(((self.step > NOT_TOLD) & (self.step <= LAST_TOLD)).any())

    @property
    def any_by_series(self) -> bool:
        """Whether its series told of any, itself or by the days before."""
        return bool(((self.step > NOT_TOLD) & (self.step < ANNUAL)).any())

    @property
    def any_known(self) -> bool:
        """Whether any is known."""
        return bool(self.step.any())


def joined(parts: Sequence[Told]) -> Told:
    """Parts that lie one behind the other."""
    if len(parts) == 1:
        return parts[0]
    return Told(np.concatenate([one.mg_per_kwh for one in parts]), np.concatenate([one.step for one in parts]))


def told_on_quarters(
    first_quarter: int, count: int, start_us: Int64, length_us: Int64, issued_us: Int64, mg_per_kwh: Int64, kind: Int64
) -> Told:
    """Values of a series laid onto `count` quarter-hours from first_quarter on.

    start_us, length_us, issued_us, mg_per_kwh, kind: (r,) int64, in any order; kind 0 is measured, 1 estimated, 2
    forecast. An earlier kind counts more; of one kind the newest issue, and of one issue the value that begins last.
    """
    order = np.lexsort((start_us, issued_us, -kind))
    row = rows_on_quarters(first_quarter, count, start_us[order], length_us[order])
    known = row >= 0
    mg, step = np.append(mg_per_kwh[order], 0)[row], np.append(kind[order] + MEASURED, NOT_TOLD)[row]
    return Told(np.where(known, mg, 0), np.where(known, step, NOT_TOLD).astype(np.int8))


def with_same_hours(told: Told, quarter_us: Int64, offset_s: Int64) -> Told:
    """What is not told, filled by the mean of the same civil hour of the days before.

    quarter_us: (q,) int64, the starts of the quarter-hours. offset_s: (q,) int64, the UTC offset of the zone at each.

    The mean is over all quarter-hours that a source told of that hour of the clock on the 28 civil days before, as
    whole mg/kWh, halves up; where fewer than 3 of those days tell any it stays unknown. Days after do not count: so the
    figure is the one that could be known on the day, and does not move when later days come in.
    """
    lacking = told.step == NOT_TOLD
    if not lacking.any() or lacking.all():
        return told
    day, second = civil_seconds(quarter_us, offset_s)
    cell = (day - day.min()) * _HOURS + second // S_PER_HOUR
    days = int(cell.max()) // _HOURS + 1
    known = ~lacking
    count = np.bincount(cell[known], minlength=days * _HOURS).reshape(days, _HOURS)
    # sums of a few thousands of millions: floats hold them exactly
    total = np.bincount(cell[known], told.mg_per_kwh[known], days * _HOURS).astype(np.int64).reshape(days, _HOURS)
    quarters, sums, told_days = (_of_days_before(one) for one in (count, total, (count > 0).astype(np.int64)))
    enough = (told_days >= LEAST_DAYS).ravel()
    mean = ((2 * sums + quarters) // np.maximum(2 * quarters, 1)).ravel()
    filled = lacking & enough[cell]
    return Told(
        np.where(filled, mean[cell], told.mg_per_kwh), np.where(filled, SAME_HOUR_MEAN, told.step).astype(np.int8)
    )


def _of_days_before(by_day: Int64) -> Int64:
    """The sums over the days before each one, at most DAYS_USED of them. by_day: (d, 24) int64."""
    running = np.zeros((len(by_day) + 1, by_day.shape[1]), np.int64)
    np.cumsum(by_day, axis=0, out=running[1:])
    today = np.arange(len(by_day))
    out: Int64 = running[today] - running[np.maximum(today - DAYS_USED, 0)]
    return out


def with_annual(told: Told, quarter_us: Int64, offset_s: Int64, years: Int64, annual_mg_per_kwh: Int64) -> Told:
    """What is not told, filled by annual means: of the civil year, or else of the nearest year that is known, of two
    alike the earlier one.

    years: (y,) int64, rising, at most MOST_YEARS; annual_mg_per_kwh: (y,) int64.
    """
    lacking = np.flatnonzero(told.step == NOT_TOLD)
    if not len(lacking) or not len(years):
        return told
    day, _ = civil_seconds(quarter_us[lacking], offset_s[lacking])
    year = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    above = np.clip(np.searchsorted(years, year), 0, len(years) - 1)
    below = np.maximum(above - 1, 0)
    place = np.where(np.abs(year - years[below]) <= np.abs(years[above] - year), below, above)
    mg, step = told.mg_per_kwh.copy(), told.step.copy()
    mg[lacking] = annual_mg_per_kwh[place]
    step[lacking] = ANNUAL + place
    return Told(mg, step)
