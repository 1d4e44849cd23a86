"""From corrected stretches to stored day profiles: fold, patch the days, shift the running totals behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from statistics_manager_service.core.grid import day_of_quarter
from statistics_manager_service.core.lines import Quarters, fold
from statistics_manager_service.core.profiles import Days, pack_days, unpack_days
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.samples import SampleQuarters, integrate, sample_quarters
from statistics_manager_service.core.units import QUARTERS_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Channel, ProfileRow, WriteView
from statistics_manager_service.services.stretches import Corrections, Stretch

ProfileValues = tuple[int, int, int, int, int, int, int, int, bytes]


@dataclass(slots=True)
class Folded:
    """New quarter-hours of some stretches: flows of all, and statistics of samples where they are samples."""

    flows: Quarters
    samples: SampleQuarters | None


def fold_stretches(stretches: Sequence[Stretch], corrections: Corrections, wanted: Sequence[bool]) -> Folded:
    """The quarter-hours that each wanted stretch has to fold anew; none of the others."""
    first = np.array([one.first_quarter for one in stretches], np.int64)
    count = np.array([w * (one.end_quarter - one.first_quarter) for one, w in zip(stretches, wanted, strict=True)])
    count = count.astype(np.int64)
    lines = corrections.lines
    if stretches[0].channel.kind is not Kind.SAMPLE:
        return Folded(fold(lines, first, count), None)
    samples = sample_quarters(lines.at_us, lines.step_milliwh, lines.offsets, first, count)
    gap_us = np.array([one.channel.gap_limit_s * US_PER_S for one in stretches], np.int64)
    flows = integrate(lines.at_us, lines.step_milliwh, lines.offsets, gap_us, first, count)
    is_power = [QUANTITIES[one.channel.quantity].dimension is Dimension.POWER for one in stretches]
    flows.energy_milliwh *= np.repeat(is_power, count)  # the integral of a voltage means nothing
    return Folded(flows, samples)


@dataclass(slots=True)
class _Patch:
    """The days of one channel that are written anew."""

    channel: Channel
    first_day: int
    last_day: int
    stored: list[ProfileRow]
    quarters: slice
    first_quarter: int

    @property
    def days(self) -> int:
        return self.last_day - self.first_day + 1


def patch_profiles(view: WriteView, stretches: Sequence[Stretch], folded: Folded) -> list[Channel]:
    """Write the folded quarter-hours into the day profiles; the channels with their new running totals.

    The rows of a channel are dense: every day from its first to its last has one.
    """
    patches = [
        _patch(view, one, slice(int(folded.flows.offsets[i]), int(folded.flows.offsets[i + 1])))
        for i, one in enumerate(stretches)
        if folded.flows.offsets[i + 1] > folded.flows.offsets[i]
    ]
    if not patches:
        return []
    days = _joined_days(patches, folded)
    bodies = pack_days(days)
    sums = np.column_stack([column.sum(axis=1) for column in days.columns[:5]])
    if folded.samples is None:
        sums = np.column_stack((sums, np.zeros((len(sums), 2), np.int64)))
    rows: list[ProfileValues] = []
    channels, place = [], 0
    for one in patches:
        part = sums[place : place + one.days]
        channel, starts = _with_totals(view, one, part)
        channels.append(channel)
        for i, totals in enumerate(starts.tolist()):
            key = (one.channel.household_no, one.channel.channel_no, one.first_day + i)
            rows.append((*key, *totals, bodies[place + i]))
        place += one.days
    view.put_profiles(rows)
    return channels


def _patch(view: WriteView, one: Stretch, quarters: slice) -> _Patch:
    channel = one.channel
    first, last = day_of_quarter(one.first_quarter), day_of_quarter(one.end_quarter - 1)
    stored: list[ProfileRow] = []
    if channel.first_day is not None and channel.last_day is not None:
        first, last = min(first, channel.last_day + 1), max(last, channel.first_day - 1)
        if first <= channel.last_day and last >= channel.first_day:
            stored = view.profiles(channel.household_no, channel.channel_no, first, last)
    return _Patch(channel, first, last, stored, quarters, one.first_quarter)


def _joined_days(patches: Sequence[_Patch], folded: Folded) -> Days:
    """The days of all patches, as stored, with the new quarter-hours put in."""
    days = Days.empty(sum(one.days for one in patches), folded.samples is not None)
    bodies = [row.body for one in patches for row in one.stored]
    firsts = np.cumsum([0, *(one.days for one in patches)])
    if bodies:
        old = unpack_days(bodies)
        rows = [
            int(first) + row.day - one.first_day
            for one, first in zip(patches, firsts, strict=False)
            for row in one.stored
        ]
        for column, stored in zip(days.columns, old.columns, strict=True):
            column[rows] = stored
    flows, samples = folded.flows, folded.samples
    news: list[Int64] = [flows.energy_milliwh, flows.measured_s, flows.estimated_s]
    if samples is not None:
        news += [samples.count, samples.total, samples.low, samples.high]
    source = np.concatenate([np.arange(one.quarters.start, one.quarters.stop) for one in patches])
    target = np.concatenate(
        [
            np.arange(one.quarters.stop - one.quarters.start)
            + (int(first) * QUARTERS_PER_DAY + one.first_quarter - one.first_day * QUARTERS_PER_DAY)
            for one, first in zip(patches, firsts, strict=False)
        ]
    )
    for column, new in zip(days.columns, news, strict=True):
        column.reshape(-1)[target] = new[source]
    return days


def _with_totals(view: WriteView, one: _Patch, sums: Int64) -> tuple[Channel, Int64]:
    """The channel with its new running totals, and the totals at the start of each day of the patch, (days, 5)."""
    channel = one.channel
    base = (0, 0, 0, 0, 0)
    if one.stored and one.stored[0].day == one.first_day:
        base = _totals(one.stored[0])
    elif channel.last_day is not None and one.first_day > channel.last_day:
        base = _totals(channel)
    running = np.empty((one.days + 1, 5), np.int64)
    running[0] = base
    running[1:] = sums
    np.cumsum(running, axis=0, out=running)
    ends = running[-1]
    if channel.last_day is not None and one.last_day < channel.last_day:
        change = ends - _totals_after(view, one)
        if change.any():
            shift = tuple(change.tolist())
            view.shift_profiles(channel.household_no, channel.channel_no, one.last_day, shift)
        ends = np.array(_totals(channel), np.int64) + change
    energy, measured, estimated, count, total = ends.tolist()
    channel = replace(
        channel,
        first_day=one.first_day if channel.first_day is None else min(channel.first_day, one.first_day),
        last_day=one.last_day if channel.last_day is None else max(channel.last_day, one.last_day),
        energy_milliwh=energy,
        measured_s=measured,
        estimated_s=estimated,
        sample_count=count,
        sample_sum_milli=total,
    )
    return channel, running[:-1]


def _totals(row: Channel | ProfileRow) -> tuple[int, int, int, int, int]:
    return row.energy_milliwh, row.measured_s, row.estimated_s, row.sample_count, row.sample_sum_milli


def _totals_after(view: WriteView, one: _Patch) -> Int64:
    """The stored running totals at the start of the day behind the patch."""
    day = one.last_day + 1
    rows = view.profiles(one.channel.household_no, one.channel.channel_no, day, day)
    return np.array(_totals(rows[0]), np.int64)
