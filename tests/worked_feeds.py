"""The worked figure of a generation mix of docs/statistics.md, made by the reader of ENTSO-E's generation."""

from __future__ import annotations

from typing import Any

import numpy as np

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.feeds.entsoe_generation import Generation, mix_of


def worked_generation_mix(given: dict[str, Any]) -> dict[str, Any]:
    types = tuple(given["generation_mw"])
    power_mw = np.array([given["generation_mw"][one] for one in types], float)
    generation = Generation(types, 0, power_mw, np.full_like(power_mw, np.nan), QUARTER_US)
    found: dict[str, Any] = {}
    for boundary in ("lifecycle", "direct"):
        told = {one.start_us // QUARTER_US: one.intensity_mg_per_kwh / 1000 for one in mix_of(generation, boundary)}
        found[boundary] = [told.get(i) for i in range(power_mw.shape[1])]
    return found
