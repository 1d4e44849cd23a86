"""Running totals of channels at the edges of buckets: what every statistic is a difference of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.lines import flow_at
from statistics_manager_service.core.profiles import totals_at, unpack_days
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.samples import energy_until
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.telemetry.correcting import correct
from statistics_manager_service.services.telemetry.surroundings import stretch_around

#: Columns of running totals.
ENERGY, MEASURED, ESTIMATED, COUNT, SUM = range(5)

_PLANNED_EDGES = 4_000


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """Where edges lie in the stored rows.

    days: (d,) UTC days wanted. place: (m,) each edge's place in them, or None where that is 0, 1, …: an edge a day.
    inside: the m' edges that lie inside their day. inside_slot: (m',) quarter-hours from midnight to those. cut: (u,)
    places of the days that have such edges. inside_cut: (m',) each such edge's place in those. off_grid: edges between
    two quarter-hours' starts. elapsed_s: (m-1,) seconds between neighbouring edges, none of them 0. quarters: the range
    of quarter-hours, counted from the first day's midnight, where the edges are just those; else None.
    """

    days: Int64
    place: Int64 | None
    inside: Int64 | slice
    inside_slot: Int64
    cut: Int64
    inside_cut: Int64
    off_grid: list[int]
    elapsed_s: Float64
    quarters: slice | None


def planned_edges(edges_us: Int64) -> EdgePlan:
    """Where edges lie in the stored rows; of few edges remembered."""
    if len(edges_us) > _PLANNED_EDGES:
        return _plan(edges_us)
    return _kept_plan(edges_us.tobytes())


@lru_cache(maxsize=256)
def _kept_plan(edges: bytes) -> EdgePlan:
    return _plan(np.frombuffer(edges, np.int64))


def _plan(edges_us: Int64) -> EdgePlan:
    if _are_quarters(edges_us):
        return _plan_of_quarters(edges_us)
    day, rest = np.divmod(edges_us, US_PER_DAY)
    slot = rest // QUARTER_US
    days, place = np.unique(day, return_inverse=True)
    inside = np.flatnonzero(slot)
    cut, inside_cut = np.unique(place[inside], return_inverse=True)
    off_grid = np.flatnonzero(edges_us % QUARTER_US).tolist()
    elapsed_s = np.maximum((edges_us[1:] - edges_us[:-1]) / US_PER_S, 1e-6)
    one_a_day = len(days) == len(place)
    side_by_side = len(inside) > 0 and inside[-1] - inside[0] + 1 == len(inside)  # a slice is several times as fast
    return EdgePlan(
        days=days,
        place=None if one_a_day else place,
        inside=slice(int(inside[0]), int(inside[-1]) + 1) if side_by_side else inside,
        inside_slot=slot[inside],
        cut=cut,
        inside_cut=inside_cut,
        off_grid=off_grid,
        elapsed_s=elapsed_s,
        quarters=None,
    )


def _are_quarters(edges_us: Int64) -> bool:
    return bool(edges_us[0] % QUARTER_US == 0 and (np.diff(edges_us) == QUARTER_US).all())


def _plan_of_quarters(edges_us: Int64) -> EdgePlan:
    """The plan of quarter-hours side by side, which are read as they are stored: of it days and range count."""
    count, nothing = len(edges_us) - 1, np.zeros(0, np.int64)
    first_day, slot = divmod(int(edges_us[0]) // QUARTER_US, QUARTERS_PER_DAY)
    return EdgePlan(
        days=np.arange(first_day, int(edges_us[-1]) // US_PER_DAY + 1),
        place=None,
        inside=slice(0, 0),
        inside_slot=nothing,
        cut=nothing,
        inside_cut=nothing,
        off_grid=[],
        elapsed_s=np.full(count, QUARTER_US / US_PER_S),
        quarters=slice(slot, slot + count),
    )


class Totals:
    """What came between given instants, as differences of channels' running totals; what was fetched is kept.

    edges_us: (m,) int64, not decreasing; on the quarter-hour grid a row a day is read, off it the readings around the
    instant as well. Quarter-hours side by side are read as they are stored. plan: of these edges (`planned_edges`), for
    whoever asks about the same ones again.
    """

    def __init__(self, view: ReadView, edges_us: Int64, plan: EdgePlan | None = None) -> None:
        self.view, self.edges_us = view, edges_us
        self._plan = planned_edges(edges_us) if plan is None else plan
        self._kept: dict[tuple[int, int], Int64] = {}

    @property
    def elapsed_s(self) -> Float64:
        """Seconds between neighbouring edges, (m-1,), none of them 0."""
        return self._plan.elapsed_s

    @cached_property
    def whole_elapsed_s(self) -> Int64:
        """The same in whole seconds, as running totals count them."""
        seconds = self.edges_us // US_PER_S
        return seconds[1:] - seconds[:-1]

    @cached_property
    def fine(self) -> tuple[Totals, Int64]:
        """The totals at these edges and at all quarter-hours between them, and the place of each edge among those: for
        what has to be decided quarter by quarter."""
        first, last = quarter_after(int(self.edges_us[0])), quarter_of(int(self.edges_us[-1]))
        grid_us = np.arange(first, last + 1, dtype=np.int64) * QUARTER_US
        if not (self.edges_us % QUARTER_US).any():  # the usual case, and np.unique takes long
            is_grid = len(grid_us) == len(self.edges_us)
            return self if is_grid else Totals(self.view, grid_us), self.edges_us // QUARTER_US - first
        fine_us = np.unique(np.concatenate((self.edges_us, grid_us)))
        if np.array_equal(fine_us, self.edges_us):
            return self, np.arange(len(fine_us))
        return Totals(self.view, fine_us), np.searchsorted(fine_us, self.edges_us)

    def fetch(self, channels: Sequence[Channel]) -> None:
        """Read what came between the edges for many channels at once."""
        new = [one for one in channels if (one.household_no, one.channel_no) not in self._kept]
        if new:
            found = self._totals(new) if self._plan.quarters is None else self._quarters(new, self._plan.quarters)
            self._kept |= {(one.household_no, one.channel_no): found[i] for i, one in enumerate(new)}

    def steps(self, channels: Sequence[Channel]) -> Int64:
        """What came between neighbouring edges, (c, m-1, 5) int64: energy in milliwatt-hours, seconds measured, seconds
        estimated, number and sum of samples (milli-units)."""
        self.fetch(channels)
        if len(channels) == 1:
            return self._kept[channels[0].household_no, channels[0].channel_no][None]
        if not channels:
            return np.zeros((0, len(self.edges_us) - 1, 5), np.int64)
        return np.array([self._kept[one.household_no, one.channel_no] for one in channels])

    def _quarters(self, channels: Sequence[Channel], wanted: slice) -> Int64:
        """The stored quarter-hours as they are, (c, n, 5)."""
        days = np.arange(self._plan.days[0], self._plan.days[0] - (-wanted.stop // QUARTERS_PER_DAY))
        found = self.view.profile_columns([(one.household_no, one.channel_no) for one in channels], days)
        shape = (len(channels), len(days), QUARTERS_PER_DAY)
        out = np.zeros((5, *shape), np.int64)  # what is read is a column each
        is_complete = len(found.owner) == shape[0] * shape[1]  # every channel has every day
        for i, column in enumerate(unpack_days(found.bodies).columns[:5]):
            if is_complete:
                out[i] = column.reshape(*shape[:2], -1)
            else:
                out[i, found.owner, found.place] = column
        return np.moveaxis(out.reshape(5, len(channels), -1), 0, 2)[:, wanted]

    def _totals(self, channels: Sequence[Channel]) -> Int64:
        """Differences of the running totals at the edges, (c, m-1, 5)."""
        plan = self._plan
        found = self.view.profile_columns([(one.household_no, one.channel_no) for one in channels], plan.days)
        size = (len(channels), len(plan.days))
        row = None
        if len(found.owner) == size[0] * size[1]:  # every channel has every day
            at_days = found.totals.reshape(*size, 5)
        else:
            row = np.full(size, -1)
            row[found.owner, found.place] = np.arange(len(found.owner))
            at_days = _beyond(channels, plan.days)
            at_days[found.owner, found.place] = found.totals
        out = at_days if plan.place is None else at_days[:, plan.place]
        if len(plan.inside_slot):
            if row is None:
                _add_inside_all(out, plan, found.bodies)
            else:
                _add_inside_some(out, plan, found.bodies, row[:, plan.cut])
        for edge in plan.off_grid:
            for i, one in enumerate(channels):
                out[i, edge] += _within_quarter(self.view, one, int(self.edges_us[edge]))
        steps: Int64 = out[:, 1:] - out[:, :-1]
        return steps


def _add_inside_all(out: Int64, plan: EdgePlan, bodies: Sequence[bytes]) -> None:
    """Add what came from midnight to the edges that lie inside a day, (c, m, 5), where every channel has every day."""
    cut, place, slot = plan.cut.tolist(), plan.inside_cut, plan.inside_slot
    channels, days = len(out), len(plan.days)
    if channels > 1:
        cut = [first + day for first in range(0, channels * days, days) for day in cut]
        place = (np.arange(channels)[:, None] * len(plan.cut) + place).ravel()
        slot = np.tile(slot, channels)
    out[:, plan.inside] += totals_at([bodies[i] for i in cut], place, slot).reshape(channels, -1, 5)


def _add_inside_some(out: Int64, plan: EdgePlan, bodies: Sequence[bytes], row: Int64) -> None:
    """The same where some days are not there.

    row: (c, u) int64, the row of each channel and cut day among the bodies, -1 where there is none.
    """
    there = row >= 0
    if there.any():
        place = np.where(there, np.cumsum(there).reshape(row.shape) - 1, -1)[:, plan.inside_cut]
        owner, nth = np.nonzero(place >= 0)
        more = totals_at([bodies[i] for i in row[there].tolist()], place[owner, nth], plan.inside_slot[nth])
        out[owner, np.arange(out.shape[1])[plan.inside][nth]] += more


def _beyond(channels: Sequence[Channel], days: Int64) -> Int64:
    """(c, d, 5): 0, and a channel's last totals on the days behind its last one."""
    out = np.zeros((len(channels), len(days), 5), np.int64)
    for i, one in enumerate(channels):
        if one.last_day is not None and one.last_day < days[-1]:
            out[i, days.searchsorted(one.last_day, side="right") :] = (
                one.energy_milliwh,
                one.measured_s,
                one.estimated_s,
                one.sample_count,
                one.sample_sum_milli,
            )
    return out


def _within_quarter(view: ReadView, channel: Channel, at_us: int) -> tuple[int, int, int, int, int]:
    """What flowed from the quarter-hour's start to an instant inside it, from the readings themselves."""
    start_us = at_us // QUARTER_US * QUARTER_US
    if channel.first_us is None or channel.first_day is None:
        return (0, 0, 0, 0, 0)
    one = stretch_around(view, channel, start_us, at_us)
    if not len(one.at_us):
        return (0, 0, 0, 0, 0)
    lines = correct([one]).lines
    if channel.kind is not Kind.SAMPLE:
        edges = np.array([start_us, at_us], np.int64)
        flowed, measured, estimated = flow_at(lines, edges, np.zeros(2, np.int64))
        return (int(flowed[1] - flowed[0]), int(measured[1] - measured[0]), int(estimated[1] - estimated[0]), 0, 0)
    samples = one.value_milli[(one.at_us >= start_us) & (one.at_us < at_us)]
    energy, measured_s = energy_until(one.at_us, one.value_milli, channel.gap_limit_s * US_PER_S, at_us)
    is_power = QUANTITIES[channel.quantity].dimension is Dimension.POWER
    return energy * is_power, measured_s, 0, len(samples), int(samples.sum())
