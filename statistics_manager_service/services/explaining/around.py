"""The corrected readings of a channel over a time, with those around its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.correction import FEW, RUN_LIMIT_US
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.telemetry.correcting import correct
from statistics_manager_service.services.telemetry.stretches import Stretch, events_of, load


def stretch_around(view: ReadView, channel: Channel, start_us: int, end_us: int) -> Stretch:
    """The readings from start to end and the nearest good ones outside, as wide as their correction needs.

    Empty where nothing was ever read.
    """
    one = Stretch(channel, events_of(view.meter_events(channel.household_no), channel))
    if channel.first_us is None:
        return one
    load(view, [one], [np.array([start_us, end_us], np.int64)])
    while len(one.at_us):
        found = correct([one])
        knots = found.lines.at_us
        left = one.at_start or (found.wide_left[0] and len(knots) > 0 and bool(knots[0] <= start_us))
        right = one.at_end or (found.wide_right[0] and len(knots) > 0 and bool(knots[-1] >= end_us))
        if left and right:
            break
        if not left:
            one.widen_left(view)
        if not right:
            one.widen_right(view)
    return one


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
