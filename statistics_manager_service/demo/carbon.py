"""Made-up carbon intensities of a grid, for the emissions of the demo: not those of any source."""

from __future__ import annotations

from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.demo.homes import first_day
from statistics_manager_service.demo.physics import day_of_year, day_rngs
from statistics_manager_service.services.carbon.carbon_rows import FORECAST, MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity

ZONE: Final = "PT"
SOURCE: Final = "made_up"
METHOD: Final = Method()
_HOURS: Final = np.arange(24.0)
_SEED: Final = 505
_LEAST_G_PER_KWH: Final = 20.0


def intensities(end_us: int) -> list[ToldIntensity]:
    """The hours of a demo whose telemetry ends at an instant: measured up to it, forecast until the end of the next UTC
    day."""
    days = np.arange(first_day(end_us), end_us // US_PER_DAY + 2, dtype=np.int64)
    starts_us = days[0] * US_PER_DAY + np.arange(days.size * _HOURS.size, dtype=np.int64) * US_PER_HOUR
    values_mg = np.rint(_g_per_kwh(days).reshape(-1) * MILLI).astype(np.int64)
    return [
        ToldIntensity(at_us, US_PER_HOUR, value_mg, MEASURED if at_us + US_PER_HOUR <= end_us else FORECAST)
        for at_us, value_mg in zip(starts_us.tolist(), values_mg.tolist(), strict=True)
    ]


def _g_per_kwh(days: Int64) -> Float64:
    """(d, 24): clean noons, and windy days; dirty evenings, more so in dry summers."""
    rngs = day_rngs(_SEED, days)
    summer = (0.5 - 0.5 * np.cos(2 * np.pi * (day_of_year(days) - 15) / 365.25))[:, None]
    wind = np.array([rng.beta(2.0, 2.5) for rng in rngs])[:, None]
    level = 150 + 40 * summer - 120 * wind
    evening = 55 * np.exp(-(((_HOURS - 20.5) / 2.5) ** 2))
    noon = (25 + 45 * summer) * np.exp(-(((_HOURS - 13.0) / 3.0) ** 2))
    noise = np.array([rng.normal(0, 3.0, _HOURS.size) for rng in rngs])
    intensity: Float64 = np.maximum(level + evening - noon + noise, _LEAST_G_PER_KWH)
    return intensity
