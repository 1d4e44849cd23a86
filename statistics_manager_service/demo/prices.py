"""Made-up prices of a market and loss factors of a network, for the contracts of the demo: not OMIE's, not ERSE's."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import (
    QUARTER_US,
    QUARTERS_PER_DAY,
    QUARTERS_PER_HOUR,
    US_PER_DAY,
)
from statistics_manager_service.demo.homes import first_day
from statistics_manager_service.demo.physics import day_of_year, day_rngs
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice

_HOURS: Final = np.arange(QUARTERS_PER_DAY) / QUARTERS_PER_HOUR
_SOURCE: Final = "made up for the demo"
_SEED: Final = 404


class DemoSeries(NamedTuple):
    """A series and all its values."""

    series: PriceSeries
    told: list[ToldPrice]


def price_series(end_us: int) -> list[DemoSeries]:
    """The series of a demo whose telemetry ends at an instant; prices are known until the end of the next UTC day."""
    days = np.arange(first_day(end_us), end_us // US_PER_DAY + 2, dtype=np.int64)
    interval_s = QUARTER_US // 1_000_000
    return [
        DemoSeries(
            PriceSeries(0, "omie_pt", "EUR/MWh", interval_s, "CET", "Day-ahead price, Portugal (made up)", _SOURCE),
            _told(days, _market_eur_per_mwh(days), 2),
        ),
        DemoSeries(
            PriceSeries(0, "pt_losses", "1", interval_s, None, "Loss factor of the network (made up)", _SOURCE),
            _told(days, _loss_factor(days), 4),
        ),
    ]


def _told(days: Int64, values: Float64, decimals: int) -> list[ToldPrice]:
    starts_us = days[0] * US_PER_DAY + np.arange(values.size, dtype=np.int64) * QUARTER_US
    units = np.rint(values.reshape(-1) * 10**decimals).astype(np.int64)
    return [
        ToldPrice(start_us, QUARTER_US, Decimal(unit).scaleb(-decimals))
        for start_us, unit in zip(starts_us.tolist(), units.tolist(), strict=True)
    ]


def _market_eur_per_mwh(days: Int64) -> Float64:
    """(d, 96): dear mornings and evenings, cheap noons where the sun shines, sometimes below zero."""
    rngs = day_rngs(_SEED, days)
    summer = (0.5 - 0.5 * np.cos(2 * np.pi * (day_of_year(days) - 15) / 365.25))[:, None]
    weekend = ((days + 3) % 7 >= 5)[:, None]
    level = np.array([rng.normal(68, 14) for rng in rngs])[:, None] - 8 * weekend
    morning = 18 * np.exp(-(((_HOURS - 8.0) / 1.7) ** 2))
    evening = 38 * np.exp(-(((_HOURS - 20.5) / 2.1) ** 2))
    noon = (18 + 42 * summer) * np.exp(-(((_HOURS - 13.5) / 3.0) ** 2))
    sun = np.array([rng.beta(3.2, 1.4) for rng in rngs])[:, None]
    noise = np.array([rng.normal(0, 2.0, QUARTERS_PER_DAY) for rng in rngs])
    prices: Float64 = level + morning + evening - noon * (0.4 + sun) + noise
    return prices


def _loss_factor(days: Int64) -> Float64:
    """(d, 96): more is lost while more flows."""
    winter = (0.5 + 0.5 * np.cos(2 * np.pi * (day_of_year(days) - 15) / 365.25))[:, None]
    evening = np.exp(-(((_HOURS - 20.0) / 3.0) ** 2))
    factor: Float64 = 1.145 + 0.03 * winter + 0.04 * evening
    return factor
