"""Running totals of channels at the edges of buckets: what every statistic is a difference of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statistics_manager_service.core.lines import flow_at
from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.services.ports import Channel, ProfileRow, ReadView
from statistics_manager_service.services.stretches import Stretch, correct, events_of

#: Columns of running totals.
ENERGY, MEASURED, ESTIMATED, COUNT, SUM = range(5)


def totals_at(view: ReadView, channels: Sequence[Channel], edges_us: Int64) -> Int64:
    """Running totals of channels at instants.

    Returns (c, m, 5) int64: energy in milliwatt-hours, seconds measured, seconds estimated, number and sum of samples
    (milli-units) since each channel's beginning. Differences along the edges are what counts.

    Args:
        channels: c channels. edges_us: (m,) int64, not decreasing; on the quarter-hour grid a row a day is read, off
        it the readings around the instant as well.
    """
    if not len(channels):
        return np.zeros((0, len(edges_us), 5), np.int64)
    day, rest = np.divmod(edges_us, US_PER_DAY)
    slot = rest // QUARTER_US
    days, place = np.unique(day, return_inverse=True)
    keys = [(channel.household_no, channel.channel_no) for channel in channels]
    found = view.profiles_on(keys, days)

    out = np.empty((len(channels), len(edges_us), 5), np.int64)
    inside = slot > 0
    for i, (channel, key) in enumerate(zip(channels, keys, strict=True)):
        rows = found[key]
        at_days = _at_days(channel, rows, days)
        out[i] = at_days[place]
        if rows and inside.any():
            _add_inside(out[i], rows, day, slot)
    for edge in np.flatnonzero(edges_us % QUARTER_US):
        for i, channel in enumerate(channels):
            out[i, edge] += _within_quarter(view, channel, int(edges_us[edge]))
    return out


def _at_days(channel: Channel, rows: Sequence[ProfileRow], days: Int64) -> Int64:
    """Running totals at the start of days, (d, 5): 0 before the first profile, the last ones after the last."""
    out = np.zeros((len(days), 5), np.int64)
    if channel.first_day is None or channel.last_day is None:
        return out
    out[np.searchsorted(days, channel.last_day, side="right") :] = (
        channel.energy_milliwh,
        channel.measured_s,
        channel.estimated_s,
        channel.sample_count,
        channel.sample_sum_milli,
    )
    if rows:
        first = int(np.searchsorted(days, rows[0].day))
        out[first : first + len(rows)] = [
            (row.energy_milliwh, row.measured_s, row.estimated_s, row.sample_count, row.sample_sum_milli)
            for row in rows
        ]
    return out


def _add_inside(out: Int64, rows: Sequence[ProfileRow], day: Int64, slot: Int64) -> None:
    """Add what flowed from midnight to the quarter-hours that lie inside a day."""
    row_days = np.array([row.day for row in rows], np.int64)
    wanted = np.flatnonzero((slot > 0) & (day >= row_days[0]) & (day <= row_days[-1]))
    if not len(wanted):
        return
    needed, row = np.unique(np.searchsorted(row_days, day[wanted]), return_inverse=True)
    days = unpack_days([rows[i].body for i in needed.tolist()])
    for column, quarters in enumerate(days.columns[:5]):
        sums = quarters.cumsum(axis=1)
        out[wanted, column] += sums[row, slot[wanted] - 1]


def _within_quarter(view: ReadView, channel: Channel, at_us: int) -> tuple[int, int, int, int, int]:
    """What flowed from the quarter-hour's start to an instant inside it, from the readings themselves."""
    start_us = at_us // QUARTER_US * QUARTER_US
    if channel.first_us is None or channel.first_day is None:
        return (0, 0, 0, 0, 0)
    one = Stretch(channel, events_of(view.meter_events(channel.household_no), channel))
    one.load(view, start_us, at_us)
    while True:
        if not len(one.at_us):
            return (0, 0, 0, 0, 0)
        lines = correct([one]).lines
        left = one.at_start or (len(lines.at_us) > 0 and bool(lines.at_us[0] <= start_us))
        right = one.at_end or (len(lines.at_us) > 0 and bool(lines.at_us[-1] >= at_us))
        if left and right:
            break
        if not left:
            one.widen_left(view)
        if not right:
            one.widen_right(view)
    if channel.kind is not Kind.SAMPLE:
        edges = np.array([start_us, at_us], np.int64)
        flowed, measured, estimated = flow_at(lines, edges, np.zeros(2, np.int64))
        return (int(flowed[1] - flowed[0]), int(measured[1] - measured[0]), int(estimated[1] - estimated[0]), 0, 0)
    samples = one.value_milli[(one.at_us >= start_us) & (one.at_us < at_us)]
    return (*_share_of_quarter(view, channel, start_us, at_us), len(samples), int(samples.sum()))


def _share_of_quarter(view: ReadView, channel: Channel, start_us: int, at_us: int) -> tuple[int, int, int]:
    """Of integrated samples: the quarter's energy in proportion to time, as its power is known no better."""
    day, rest = divmod(start_us, US_PER_DAY)
    rows = view.profiles(channel.household_no, channel.channel_no, day, day)
    if not rows:
        return (0, 0, 0)
    quarters = unpack_days([rows[0].body])
    slot = rest // QUARTER_US % QUARTERS_PER_DAY
    energy, measured, estimated = (
        int(column[0, slot]) * (at_us - start_us) // QUARTER_US for column in quarters.columns[:3]
    )
    return energy, measured, estimated
