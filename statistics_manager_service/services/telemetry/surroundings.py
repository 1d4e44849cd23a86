"""The corrected readings of a channel over a time, with those around its edges."""

from __future__ import annotations

import numpy as np

from statistics_manager_service.core.lines import interval_ends
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.telemetry.correcting import correct
from statistics_manager_service.services.telemetry.stretches import Stretch, events_of, load


def stretch_around(view: ReadView, channel: Channel, start_us: int, end_us: int) -> Stretch:
    """The readings from start to end and the nearest good ones outside, as wide as their correction needs: what lies
    further off decides nothing of them.

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
        reaches = len(knots) > 0 and bool(knots[-1] >= end_us) and _holds_what_cuts_short(one, end_us)
        right = one.at_end or (found.wide_right[0] and reaches)
        if left and right:
            break
        if not left:
            one.widen_left(view)
        if not right:
            one.widen_right(view)
    return one


def _holds_what_cuts_short(one: Stretch, end_us: int) -> bool:
    """Whether all intervals are loaded that may cut one short that begins before an instant."""
    if one.length_us is None:
        return True
    begun = int(one.at_us.searchsorted(end_us))
    ends_us = interval_ends(one.at_us[:begun], one.length_us[:begun])
    return not begun or bool(one.at_us[-1] >= ends_us.max())
