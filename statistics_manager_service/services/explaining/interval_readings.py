"""How intervals tell an energy: those that lie inside, and the part by time of those that an edge cuts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from statistics_manager_service.core.correction import Verdict
from statistics_manager_service.core.lines import Extents, interval_extents
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.explaining.figures import (
    MOST_LISTED,
    in_unit,
    kwh,
    kwh_text,
    label,
    seconds_text,
)
from statistics_manager_service.services.telemetry.stretches import Stretch

_UNTOLD: Final = "no length is told: it counts in the quarter-hour of its instant, shared with others of the same"
_CUT_SHORT: Final = "cut short where the next one begins; its energy stays whole"


def interval_energy(one: Stretch, start_us: int, end_us: int) -> tuple[int, dict[str, Any], str]:
    """What intervals tell of a time: milliwatt-hours, what is behind them, and the sum as text."""
    length_us = np.zeros(len(one.at_us), np.int64) if one.length_us is None else one.length_us
    extents = interval_extents(one.at_us, length_us, np.array([0, len(one.at_us)]))
    begin_us, end = extents.begin_us, extents.end_us
    touches = (begin_us < end_us) & (end > start_us)
    counts = touches & (extents.verdict == Verdict.PLAUSIBLE)
    is_whole = counts & (begin_us >= start_us) & (end <= end_us)
    whole = int(one.value_milli[is_whole].sum())
    cut = [
        _cut(one, int(begin_us[i]), int(end[i]), i, start_us, end_us)
        for i in np.flatnonzero(counts & ~is_whole).tolist()
    ]
    energy = whole + sum(part for part, _ in cut)
    told: dict[str, Any] = {
        "intervals": {
            "count": int(counts.sum()),
            "whole": int(is_whole.sum()),
            "whole_kwh": kwh(whole),
            "cut_by_an_edge": [row for _, row in cut],
        },
        "sum": "energy_kwh = intervals.whole_kwh + Σ intervals.cut_by_an_edge.inside_kwh",
    }
    rows = np.flatnonzero(touches)
    if len(rows) <= MOST_LISTED:
        told["intervals"]["list"] = [_listed(one, extents, length_us, i) for i in rows.tolist()]
    text = f"{kwh_text(whole)} ({int(is_whole.sum())} intervals inside)"
    if cut:
        text += f" + {kwh_text(energy - whole)} (parts of {len(cut)} that an edge cuts)"
    return energy, told, text


def _flowed(energy: int, part_us: int, whole_us: int) -> int:
    """What of an interval has flowed, rounded half up."""
    part_us = min(max(part_us, 0), whole_us)
    return (2 * energy * part_us + whole_us) // (2 * whole_us)


def _cut(one: Stretch, begin_us: int, end: int, i: int, start_us: int, end_us: int) -> tuple[int, dict[str, Any]]:
    """The part of an interval that lies inside, and how it is worked out."""
    energy, whole_us = int(one.value_milli[i]), end - begin_us
    before, until = (_flowed(energy, at_us - begin_us, whole_us) for at_us in (start_us, end_us))
    if start_us <= begin_us:
        before = 0
    if end_us >= end:
        until = energy
    return until - before, {
        "from": label(begin_us),
        "to": label(end),
        "value": in_unit(one.channel, energy),
        "flowed_before_start_kwh": kwh(before),
        "flowed_until_end_kwh": kwh(until),
        "inside_kwh": kwh(until - before),
        "how": f"in proportion to time: {kwh_text(energy)} × elapsed s / {seconds_text(whole_us)} s, each rounded to a "
        "milliwatt-hour",
    }


def _listed(one: Stretch, extents: Extents, length_us: Int64, i: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "from": label(int(extents.begin_us[i])),
        "to": label(int(extents.end_us[i])),
        "value": in_unit(one.channel, int(one.value_milli[i])),
        "verdict": Verdict(int(extents.verdict[i])).name.lower(),
    }
    if not length_us[i]:
        told["note"] = _UNTOLD
    elif extents.end_us[i] < one.at_us[i] + length_us[i]:
        told["note"] = _CUT_SHORT
    return told
