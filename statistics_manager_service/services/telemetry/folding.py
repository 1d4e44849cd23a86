"""From corrected stretches to stored day profiles: fold, patch the days, shift the running totals behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from statistics_manager_service.core.grid import day_of_quarter
from statistics_manager_service.core.lines import Quarters, fold
from statistics_manager_service.core.profiles import Days, pack_days, unpack_days
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.samples import SampleQuarters, integrate, sample_quarters
from statistics_manager_service.core.units import QUARTERS_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Channel, ProfileRow, Span, WriteView
from statistics_manager_service.services.telemetry.correcting import Corrections
from statistics_manager_service.services.telemetry.stretches import Stretch


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
    quarters: slice
    first_quarter: int
    stored: list[ProfileRow]

    @classmethod
    def of(cls, one: Stretch, quarters: slice) -> _Patch:
        """The days of a stretch's new quarter-hours, and those between them and what is stored."""
        channel = one.channel
        first, last = day_of_quarter(one.first_quarter), day_of_quarter(one.end_quarter - 1)
        if channel.first_day is not None and channel.last_day is not None:
            first, last = min(first, channel.last_day + 1), max(last, channel.first_day - 1)
        return cls(channel, first, last, quarters, one.first_quarter, [])

    @property
    def base(self) -> tuple[int, int, int, int, int]:
        """The running totals at the start of the first day."""
        if self.stored and self.stored[0].day == self.first_day:
            return _totals(self.stored[0])
        if self.channel.last_day is not None and self.first_day > self.channel.last_day:
            return _totals(self.channel)
        return 0, 0, 0, 0, 0

    @property
    def meets_stored(self) -> bool:
        """Whether some of the days are stored already."""
        first, last = self.channel.first_day, self.channel.last_day
        return first is not None and last is not None and self.first_day <= last and self.last_day >= first

    @property
    def span(self) -> Span:
        return self.channel.household_no, self.channel.channel_no, self.first_day, self.last_day

    @property
    def days(self) -> int:
        return self.last_day - self.first_day + 1


def patch_profiles(view: WriteView, stretches: Sequence[Stretch], folded: Folded) -> list[Channel]:
    """Write the folded quarter-hours into the day profiles; the stretches' channels as they are now.

    The rows of a channel are dense: every day from its first to its last has one.
    """
    bounds = folded.flows.offsets.tolist()
    patched = [i for i in range(len(stretches)) if bounds[i + 1] > bounds[i]]
    patches = [_Patch.of(stretches[i], slice(bounds[i], bounds[i + 1])) for i in patched]
    ends = _write_days(view, patches, folded) if patches else []
    done = {
        i: _with_totals(view, patch, totals, stretches[i].news)
        for i, patch, totals in zip(patched, patches, ends, strict=True)
    }
    return [done[i] if i in done else one.channel._replace(**one.news) for i, one in enumerate(stretches)]


def _write_days(view: WriteView, patches: Sequence[_Patch], folded: Folded) -> list[list[int]]:
    """Write the days of the patches; the running totals at the end of each."""
    known = [one for one in patches if one.meets_stored]
    for one, stored in zip(known, view.profiles_of([one.span for one in known]) if known else [], strict=True):
        one.stored = stored
    days = _joined_days(patches, folded)
    sums = np.zeros((len(days.energy_milliwh), 5), np.int64)
    for i, column in enumerate(days.columns[:5]):
        sums[:, i] = column.sum(axis=1)
    counts = np.array([one.days for one in patches], np.int64)
    starts = _starts(sums, counts, np.array([one.base for one in patches], np.int64))
    lasts = np.cumsum(counts) - 1
    keys = [(*one.span[:2], one.first_day + i) for one in patches for i in range(one.days)]
    view.put_profiles(
        [(*key, *row, body) for key, row, body in zip(keys, starts.tolist(), pack_days(days), strict=True)]
    )
    ends: list[list[int]] = (starts[lasts] + sums[lasts]).tolist()
    return ends


def _starts(sums: Int64, counts: Int64, base: Int64) -> Int64:
    """The running totals at the start of each day, (d, 5), of patches of `counts` days, (p,), that start at `base`."""
    before = np.cumsum(sums, axis=0) - sums
    firsts = np.cumsum(counts) - counts
    starts: Int64 = before + np.repeat(base - before[firsts], counts, axis=0)
    return starts


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


def _with_totals(view: WriteView, one: _Patch, ends: Sequence[int], news: dict[str, Any]) -> Channel:
    """The channel with its news and its new running totals; the days behind the patch are shifted.

    ends: the totals at the end of the patch.
    """
    channel = one.channel
    if channel.last_day is not None and one.last_day < channel.last_day:
        shift = tuple(end - old for end, old in zip(ends, _totals_after(view, one), strict=True))
        if any(shift):
            view.shift_profiles(channel.household_no, channel.channel_no, one.last_day, shift)
        ends = [old + more for old, more in zip(_totals(channel), shift, strict=True)]
    energy, measured, estimated, count, total = ends
    return channel._replace(
        **news,
        first_day=one.first_day if channel.first_day is None else min(channel.first_day, one.first_day),
        last_day=one.last_day if channel.last_day is None else max(channel.last_day, one.last_day),
        energy_milliwh=energy,
        measured_s=measured,
        estimated_s=estimated,
        sample_count=count,
        sample_sum_milli=total,
    )


def _totals(row: Channel | ProfileRow) -> tuple[int, int, int, int, int]:
    return row.energy_milliwh, row.measured_s, row.estimated_s, row.sample_count, row.sample_sum_milli


def _totals_after(view: WriteView, one: _Patch) -> Sequence[int]:
    """The stored running totals at the start of the day behind the patch."""
    day = one.last_day + 1
    rows = view.profiles(one.channel.household_no, one.channel.channel_no, day, day)
    return _totals(rows[0])
