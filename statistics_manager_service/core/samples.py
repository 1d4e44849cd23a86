"""Instantaneous samples in quarter-hours: count, sum, smallest, largest, and the time integral of a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statistics_manager_service.core.grid import ragged_ranges, same_owner
from statistics_manager_service.core.lines import Quarters
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, S_PER_HOUR, US_PER_MS, US_PER_S

_QUARTER_MS = QUARTER_US // US_PER_MS
_SAFE = 2.0**62  # a product below it fits 64 bits


@dataclass(slots=True)
class SampleQuarters:
    """Ragged columns over quarter-hours of many channels, all int64; where `count` is 0 the others are 0.

    total, low, high: sum, smallest and largest of the samples, in milli-units. offsets: (c+1,).
    """

    count: Int64
    total: Int64
    low: Int64
    high: Int64
    offsets: Int64


def sample_quarters(
    at_us: Int64, value_milli: Int64, offsets: Int64, first_quarter: Int64, quarter_count: Int64
) -> SampleQuarters:
    """Count, sum, smallest and largest of the samples of many channels in the quarter-hours wanted.

    Args:
        at_us, value_milli: (n,) int64, ragged by offsets (c+1,), increasing within a channel.
        first_quarter, quarter_count: (c,) int64; samples outside are left out.
    """
    out_offsets = np.concatenate(([0], np.cumsum(quarter_count)))
    owner = np.repeat(np.arange(len(quarter_count)), np.diff(offsets))
    quarter = at_us // QUARTER_US - first_quarter[owner]
    inside = (quarter >= 0) & (quarter < quarter_count[owner])
    slot, value = (quarter + out_offsets[:-1][owner])[inside], value_milli[inside]
    count, total, low, high = np.zeros((4, int(out_offsets[-1])), np.int64)
    out = SampleQuarters(count, total, low, high, out_offsets)
    if len(slot):
        begins = np.flatnonzero(np.diff(slot, prepend=-1))
        filled = slot[begins]
        out.count[filled] = np.diff(begins, append=len(slot))
        out.total[filled] = np.add.reduceat(value, begins)
        out.low[filled] = np.minimum.reduceat(value, begins)
        out.high[filled] = np.maximum.reduceat(value, begins)
    return out


def integrate(
    at_us: Int64, power_milliw: Int64, offsets: Int64, gap_us: Int64, first_quarter: Int64, quarter_count: Int64
) -> Quarters:
    """The energy under power samples by the trapezium rule; what lies in a gap over `gap_us` is unknown.

    The power at a quarter's edge is the straight line between its neighbours. All in integers, instants to the
    millisecond; a quarter's energy is rounded once.

    Args:
        at_us, power_milliw: (n,) int64, ragged by offsets (c+1,), increasing within a channel. gap_us: (c,) int64.
        first_quarter, quarter_count: (c,) int64, the quarters wanted.
    """
    size = int(quarter_count.sum())
    out_offsets = np.concatenate(([0], np.cumsum(quarter_count)))
    area = np.zeros(size, np.int64)  # twice the integral, in milliwatt-milliseconds
    measured_s = np.zeros(size, np.int64)
    owner = np.repeat(np.arange(len(quarter_count)), np.diff(offsets))
    pair = np.flatnonzero(same_owner(offsets, len(at_us)) & (np.diff(at_us) <= gap_us[owner[:-1]]))
    if len(pair):
        at_ms = at_us // US_PER_MS
        start, end = at_ms[pair], at_ms[pair + 1]
        first = start // _QUARTER_MS
        piece_quarter, piece = ragged_ranges(first, -(-end // _QUARTER_MS) - first)
        left = np.maximum(piece_quarter * _QUARTER_MS, start[piece])
        right = np.minimum((piece_quarter + 1) * _QUARTER_MS, end[piece])
        low, rise, whole = power_milliw[pair][piece], np.diff(power_milliw)[pair][piece], (end - start)[piece]
        sides = [low + _part_of(rise, side - start[piece], whole) for side in (left, right)]
        channel = owner[pair][piece]
        slot = piece_quarter - first_quarter[channel]
        inside = (slot >= 0) & (slot < quarter_count[channel]) & (right > left)
        slot = (slot + out_offsets[:-1][channel])[inside]
        np.add.at(area, slot, ((sides[0] + sides[1]) * (right - left))[inside])
        np.add.at(measured_s, slot, (right // MILLI - left // MILLI)[inside])
    hour = 2 * S_PER_HOUR * US_PER_S // US_PER_MS
    energy = (area + hour // 2) // hour
    return Quarters(energy, measured_s, np.zeros(size, np.int64), out_offsets)


def energy_until(at_us: Int64, power_milliw: Int64, gap_us: int, until_us: int) -> tuple[int, int]:
    """The energy (mWh) and the seconds measured from the start of the quarter-hour in which an instant lies up to it.

    at_us, power_milliw: (n,) int64, the samples of one channel, increasing; those next to the quarter-hour among them.
    """
    behind = int(at_us.searchsorted(until_us))
    at, power = at_us[:behind], power_milliw[:behind]
    if 0 < behind < len(at_us) and at_us[behind] - at[-1] <= gap_us:  # the straight line is cut at the instant
        rise, part, whole = (
            np.array([x]) for x in (power_milliw[behind] - power[-1], until_us - at[-1], at_us[behind] - at[-1])
        )
        at = np.append(at, until_us)
        power = np.append(power, power[-1] + _part_of(rise, part // US_PER_MS, whole // US_PER_MS)[0])
    quarter = np.array([until_us // QUARTER_US])
    found = integrate(at, power, np.array([0, len(at)]), np.array([gap_us]), quarter, np.ones(1, np.int64))
    return int(found.energy_milliwh[0]), int(found.measured_s[0])


def _part_of(rise: Int64, part: Int64, whole: Int64) -> Int64:
    """rise × part / whole, rounded down, exact: (n,) int64 each, 0 <= part <= whole."""
    whole = np.maximum(whole, 1)
    if float(np.abs(rise).max(initial=0)) * float(whole.max(initial=0)) < _SAFE:
        share: Int64 = rise * part // whole
        return share
    # a huge power beside a long gap: Python's integers hold the product
    exact = [r * p // w for r, p, w in zip(rise.tolist(), part.tolist(), whole.tolist(), strict=True)]
    return np.array(exact, np.int64)
