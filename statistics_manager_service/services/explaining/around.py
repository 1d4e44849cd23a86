"""Of a stretch of corrected readings: those of a time, and which may still be shown to be part of a glitch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.correction import FEW, RUN_LIMIT_US
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.telemetry.stretches import Stretch


def inside(one: Stretch, start_us: int, end_us: int) -> slice:
    """The rows of a stretch with start ≤ instant < end."""
    first, last = one.at_us.searchsorted((start_us, end_us)).tolist()
    return slice(first, last)


def provisional(one: Stretch, at_us: Int64) -> NDArray[np.bool_]:
    """Whether later readings may still show register readings of these instants to be part of a glitch, (n,) bool."""
    last_us = one.channel.last_us
    if one.channel.kind is not Kind.REGISTER or last_us is None:
        return np.zeros(len(at_us), np.bool_)
    begins = last_us - RUN_LIMIT_US
    if one.at_end:
        begins = min(begins, int(one.at_us[-FEW:][0]))
    out: NDArray[np.bool_] = at_us >= begins
    return out
