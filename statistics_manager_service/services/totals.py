"""Running totals of channels at the edges of buckets: what every statistic is a difference of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from statistics_manager_service.core.grid import ragged_ranges
from statistics_manager_service.core.lines import flow_at
from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.stretches import Stretch, correct, events_of, load

#: Columns of running totals.
ENERGY, MEASURED, ESTIMATED, COUNT, SUM = range(5)

_PLANNED_EDGES = 4_000
_FEW_SLOTS = 4


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where edges lie in the stored rows.

    days: (d,) UTC days wanted. place: (m,) each edge's place in them. slot: (m,) quarter-hours from midnight to it.
    inside: places in days that have an edge inside the day. off_grid: edges between two quarter-hours' starts.
    """

    days: Int64
    place: Int64
    slot: Int64
    inside: Int64
    off_grid: Int64


def _planned(edges_us: Int64) -> _Plan:
    if len(edges_us) > _PLANNED_EDGES:
        return _plan(edges_us)
    return _kept_plan(edges_us.tobytes())


@lru_cache(maxsize=256)
def _kept_plan(edges: bytes) -> _Plan:
    return _plan(np.frombuffer(edges, np.int64))


def _plan(edges_us: Int64) -> _Plan:
    day, rest = np.divmod(edges_us, US_PER_DAY)
    slot = rest // QUARTER_US
    days, place = np.unique(day, return_inverse=True)
    return _Plan(days, place, slot, np.unique(place[slot > 0]), np.flatnonzero(edges_us % QUARTER_US))


class Totals:
    """Running totals of channels at given instants; what was fetched is kept.

    edges_us: (m,) int64, not decreasing; on the quarter-hour grid a row a day is read, off it the readings around the
    instant as well.
    """

    def __init__(self, view: ReadView, edges_us: Int64) -> None:
        self.view, self.edges_us = view, edges_us
        self._plan = _planned(edges_us)
        self._kept: dict[tuple[int, int], Int64] = {}

    def fetch(self, channels: Sequence[Channel]) -> None:
        """Read the totals of many channels at once."""
        new = [one for one in channels if (one.household_no, one.channel_no) not in self._kept]
        if new:
            found = self._totals(new)
            self._kept |= {(one.household_no, one.channel_no): found[i] for i, one in enumerate(new)}

    def totals(self, channels: Sequence[Channel]) -> Int64:
        """Running totals since each channel's beginning, (c, m, 5) int64: energy in milliwatt-hours, seconds measured,
        seconds estimated, number and sum of samples (milli-units)."""
        self.fetch(channels)
        if len(channels) == 1:
            return self._kept[channels[0].household_no, channels[0].channel_no][None]
        return np.array([self._kept[one.household_no, one.channel_no] for one in channels])

    def steps(self, channels: Sequence[Channel]) -> Int64:
        """What came between neighbouring edges, (c, m-1, 5) int64, columns as of `totals`."""
        totals = self.totals(channels)
        steps: Int64 = totals[:, 1:] - totals[:, :-1]
        return steps

    def _totals(self, channels: Sequence[Channel]) -> Int64:
        """Running totals, (c, m, 5) int64, since each channel's beginning."""
        plan, days = self._plan, self._plan.days
        keys = [(one.household_no, one.channel_no) for one in channels]
        # (c, d, 5): 0 before a channel's first day, its last totals after its last
        at_days = np.zeros((len(channels), len(days), 5), np.int64)
        for i, one in enumerate(channels):
            if one.last_day is not None and one.last_day < days[-1]:
                at_days[i, np.searchsorted(days, one.last_day, side="right") :] = (
                    one.energy_milliwh,
                    one.measured_s,
                    one.estimated_s,
                    one.sample_count,
                    one.sample_sum_milli,
                )
        owner, day, totals, bodies = self.view.profile_columns(keys, days)
        at = np.searchsorted(days, day)
        at_days[owner, at] = totals
        out = at_days[:, plan.place]
        if len(plan.inside) and len(owner):
            self._add_inside(out, owner, at, bodies)
        for edge in plan.off_grid.tolist():
            for i, one in enumerate(channels):
                out[i, edge] += _within_quarter(self.view, one, int(self.edges_us[edge]))
        return out

    def _add_inside(self, out: Int64, owner: Int64, at: Int64, bodies: Sequence[bytes]) -> None:
        """Add what came from midnight to the edges that lie inside a day."""
        plan = self._plan
        rows = np.flatnonzero(np.isin(at, plan.inside)) if len(plan.inside) < len(plan.days) else np.arange(len(at))
        if not len(rows):
            return
        days = unpack_days([bodies[i] for i in rows.tolist()])
        owner, at = owner[rows], at[rows]
        slots = np.unique(plan.slot[plan.slot > 0])
        columns = days.columns[:5]
        if len(slots) <= _FEW_SLOTS:
            for slot in slots.tolist():
                inside = np.zeros((out.shape[0], len(plan.days), 5), np.int64)
                for i, quarters in enumerate(columns):
                    inside[owner, at, i] = quarters[:, :slot].sum(axis=1)
                edges = np.flatnonzero(plan.slot == slot)
                out[:, edges] += inside[:, plan.place[edges]]
            return
        # each row serves the edges of its day: edges are sorted, so they are a range
        begin = np.searchsorted(plan.place, at)
        edge, row = ragged_ranges(begin, np.searchsorted(plan.place, at, side="right") - begin)
        wanted = plan.slot[edge] > 0
        edge, row = edge[wanted], row[wanted]
        for i, quarters in enumerate(columns):
            out[owner[row], edge, i] += quarters.cumsum(axis=1)[row, plan.slot[edge] - 1]


def _within_quarter(view: ReadView, channel: Channel, at_us: int) -> tuple[int, int, int, int, int]:
    """What flowed from the quarter-hour's start to an instant inside it, from the readings themselves."""
    start_us = at_us // QUARTER_US * QUARTER_US
    if channel.first_us is None or channel.first_day is None:
        return (0, 0, 0, 0, 0)
    one = Stretch(channel, events_of(view.meter_events(channel.household_no), channel))
    load(view, [one], [start_us], [at_us])
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
