"""Registers of homes, generated: a load that follows the day, a little noise, whole watt-hours."""

from __future__ import annotations

import numpy as np

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64, WireReadings
from statistics_manager_service.core.units import S_PER_DAY, US_PER_S

ZONE = "Europe/Lisbon"
#: 2022-01-01T00:00:00Z.
START_S = 1_640_995_200
YEAR_S = 365 * S_PER_DAY


def register(seed: int, start_s: int, step_s: int, count: int) -> tuple[Int64, Int64]:
    """Instants in microseconds and a register in Wh."""
    rng = np.random.default_rng(seed)
    at_s = start_s + np.arange(count, dtype=np.int64) * step_s
    load_w = 250 + 200 * np.sin((at_s % S_PER_DAY) / S_PER_DAY * 2 * np.pi) + rng.exponential(250, count)
    return at_s * US_PER_S, (10_000_000 * (seed % 7) + np.cumsum(load_w * step_s / 3600)).astype(np.int64)


def readings(household: str, at_us: Int64, value_wh: Int64) -> WireReadings:
    """As the recorder takes them."""
    return WireReadings(
        household, "grid", "energy_import", Kind.REGISTER, "Wh", at_us, value_wh.astype(np.float64), where=household
    )
