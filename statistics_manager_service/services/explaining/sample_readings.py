"""How samples tell: a mean by their sum and number, an energy by the trapezium under a power."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_S
from statistics_manager_service.services.explaining.around import inside
from statistics_manager_service.services.explaining.figures import (
    MOST_LISTED,
    exact_text,
    factor_of,
    in_unit,
    kwh_text,
    label,
)
from statistics_manager_service.services.telemetry.stretches import Stretch

#: The integral as the product works it out, told so that integers give the same milliwatt-hours.
TRAPEZIUM: Final = (
    "in each quarter-hour: Σ over pairs of neighbouring samples at most {gap} s apart of (p1 + p2) / 2 × time, p1 and "
    "p2 being the powers in whole mW where the pair, the quarter-hour and the asked time begin and end (linear between "
    "the samples, rounded down), instants in whole ms; rounded half up to a milliwatt-hour once a quarter-hour. Where "
    "the asked time cuts a quarter-hour, what lies from the quarter-hour's start to the cut is worked out in the same "
    "way, as if a sample (linear, rounded down) stood at the cut; of the start it is taken off"
)


def integrated(one: Stretch, start_us: int, end_us: int, quarters_milliwh: Int64) -> tuple[int, dict[str, Any], str]:
    """What samples of a power tell of a time as an energy. quarters_milliwh: of each piece of it, as it is stored."""
    energy = int(quarters_milliwh.sum())
    gap_us = one.channel.gap_limit_s * US_PER_S
    mine = inside(one, start_us, end_us)
    count = mine.stop - mine.start
    gaps = np.diff(one.at_us[max(mine.start - 1, 0) : mine.stop + 1]) > gap_us
    told: dict[str, Any] = {
        "samples": {
            "count": count,
            "gap_limit_s": one.channel.gap_limit_s,
            "gaps_over_the_limit": int(gaps.sum()),
            "quarters": len(quarters_milliwh),
        },
        "sum": "energy_kwh = Σ over quarter-hours of the energy under the samples: "
        + TRAPEZIUM.format(gap=one.channel.gap_limit_s),
    }
    # the neighbours outside draw the line across the edges of the outer quarter-hours
    first_us, last_us = start_us // QUARTER_US * QUARTER_US, -(-end_us // QUARTER_US) * QUARTER_US
    around = slice(
        max(int(one.at_us.searchsorted(first_us, side="right")) - 1, 0), int(one.at_us.searchsorted(last_us)) + 1
    )
    if len(one.at_us[around]) <= MOST_LISTED:
        told["samples"]["list"] = _listed(one, around)
    text = f"{kwh_text(energy)} (trapezium under {count} samples, by {len(quarters_milliwh)} quarter-hours)"
    return energy, told, text


def mean_of(one: Stretch, start_us: int, end_us: int) -> tuple[int, int, dict[str, Any]]:
    """The sum of samples (milli-units), their number, and what is behind the mean."""
    mine = inside(one, start_us, end_us)
    values = one.value_milli[mine]
    total, count = int(values.sum()), len(values)
    told: dict[str, Any] = {
        "samples": {
            "count": count,
            "sum": exact_text(Fraction(total, factor_of(one.channel))),
            "least": in_unit(one.channel, int(values.min())) if count else None,
            "greatest": in_unit(one.channel, int(values.max())) if count else None,
        },
        "sum": "mean = samples.sum / samples.count",
    }
    if count <= MOST_LISTED:
        told["samples"]["list"] = _listed(one, mine)
    return total, count, told


def _listed(one: Stretch, some: slice) -> list[dict[str, Any]]:
    return [
        {"at": label(at_us), "value": in_unit(one.channel, value)}
        for at_us, value in zip(one.at_us[some].tolist(), one.value_milli[some].tolist(), strict=True)
    ]
