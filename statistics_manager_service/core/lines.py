"""Energy as a line: knots in time at which what has flowed so far is known, and its fold into quarter-hours.

Registers and intervals both become such lines: a register's knots are its good readings; an interval is a rise between
its start and its end, and between two intervals the line is flat and unknown. So one kernel folds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.correction import Corrected, RegisterLimits, Verdict
from statistics_manager_service.core.grid import ragged_ranges, same_owner
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_S


class Span(IntEnum):
    """What is known of the time between two knots."""

    UNKNOWN = 0
    MEASURED = 1
    ESTIMATED = 2


@dataclass(slots=True)
class Lines:
    """Ragged columns over the knots of many channels (n in all).

    at_us: (n,) int64, not decreasing within a channel. step_milliwh: (n,) int64, what flowed since the knot before;
    0 at a channel's first. span: (n,) uint8, a Span: what is known of the time since the knot before. offsets: (c+1,).
    """

    at_us: Int64
    step_milliwh: Int64
    span: NDArray[np.uint8]
    offsets: Int64


@dataclass(slots=True)
class Quarters:
    """Ragged columns over quarter-hours of many channels.

    energy_milliwh: int64. measured_s, estimated_s: int64, 0..900; a quarter of which both are 0 and whose energy is 0
    is unknown. offsets: (c+1,).
    """

    energy_milliwh: Int64
    measured_s: Int64
    estimated_s: Int64
    offsets: Int64


def register_lines(at_us: Int64, offsets: Int64, corrected: Corrected, limits: list[RegisterLimits]) -> Lines:
    """The lines of corrected registers: what is set aside is left out."""
    keep = (corrected.verdict != Verdict.GLITCH) & (corrected.verdict != Verdict.OVERLAP)
    owner = np.repeat(np.arange(len(limits)), np.diff(offsets))[keep]
    at, step = at_us[keep], corrected.step_milli[keep]
    kept = np.searchsorted(owner, np.arange(len(limits) + 1)).astype(np.int64)
    gap_us = np.array([one.gap_limit_us for one in limits], dtype=np.int64)[owner]
    span = np.where(np.diff(at, prepend=0) <= gap_us, Span.MEASURED, Span.ESTIMATED).astype(np.uint8)
    span[~corrected.known[keep]] = Span.UNKNOWN
    first = kept[:-1][np.diff(kept) > 0]
    span[first] = Span.UNKNOWN
    step[first] = 0
    return Lines(at, step, span, kept)


#: An interval that begins before the end of another by up to a tenth of its length is of a clock that jitters.
JITTER_SHARE: Final = 10


@dataclass(slots=True)
class Extents:
    """From when until when intervals count, ragged columns over the intervals of many channels (n in all).

    begin_us, end_us: (n,) int64; of those with verdict PLAUSIBLE they follow one another without overlap. raw_end_us:
    (n,) int64, the end as told. verdict: (n,) uint8, PLAUSIBLE or OVERLAP.
    """

    begin_us: Int64
    end_us: Int64
    raw_end_us: Int64
    verdict: NDArray[np.uint8]


def interval_ends(at_us: Int64, length_us: Int64) -> Int64:
    """The ends of intervals as told, (n,) int64; of one without a length that of the quarter-hour it lies in."""
    return np.where(length_us > 0, at_us + length_us, (at_us // QUARTER_US + 1) * QUARTER_US)


def interval_extents(at_us: Int64, length_us: Int64, offsets: Int64) -> Extents:
    """From when until when each interval counts.

    - Energy whose length nobody tells (0) counts in the quarter-hour of its instant; several share it among them.
    - An interval that begins a little before the end of the one before it cuts that short, whose energy stays whole.
    - One that begins before the end of an earlier one by more than that is told twice: OVERLAP, the earlier one counts.

    at_us, length_us: (n,) int64, increasing instants within a channel, ragged by offsets (c+1,).
    """
    begin_us, raw_end_us = _in_their_quarters(at_us, length_us, offsets)
    out = Extents(begin_us, raw_end_us.copy(), raw_end_us, np.zeros(len(at_us), np.uint8))
    clash = np.flatnonzero((begin_us[1:] < raw_end_us[:-1]) & same_owner(offsets, len(at_us)))
    for channel in np.unique(np.searchsorted(offsets, clash, side="right") - 1).tolist():
        _untangle(out, int(offsets[channel]), int(offsets[channel + 1]))
    return out


def _in_their_quarters(at_us: Int64, length_us: Int64, offsets: Int64) -> tuple[Int64, Int64]:
    """Begins and ends; energies without a length take equal parts of their quarter-hour, in their order."""
    ends_us = interval_ends(at_us, length_us)
    points = np.flatnonzero(length_us == 0)
    if not len(points):
        return at_us, ends_us
    owner = np.searchsorted(offsets, points, side="right")
    quarter = at_us[points] // QUARTER_US
    is_first = np.append(True, (quarter[1:] != quarter[:-1]) | (owner[1:] != owner[:-1]))
    firsts = np.flatnonzero(is_first)
    size = np.diff(firsts, append=len(points))
    place, shared = np.arange(len(points)) - firsts.repeat(size), size.repeat(size)
    begin_us = at_us.copy()
    begin_us[points] = quarter * QUARTER_US + place * QUARTER_US // shared
    ends_us[points] = quarter * QUARTER_US + (place + 1) * QUARTER_US // shared
    return begin_us, ends_us


def _untangle(out: Extents, first: int, end: int) -> None:
    """Cut short or set aside the intervals of one channel that overlap.

    What becomes of one hangs on the end of the last one that counts, and on nothing else of it: so that is all that has
    to be known where correction begins anew.
    """
    last: int | None = None
    for i in range(first, end):
        if last is not None and out.begin_us[i] < out.end_us[last]:
            overlap, length = out.end_us[last] - out.begin_us[i], out.end_us[i] - out.begin_us[i]
            if overlap * JITTER_SHARE > length or out.begin_us[i] <= out.begin_us[last]:
                out.verdict[i] = Verdict.OVERLAP
                continue
            out.end_us[last] = out.begin_us[i]
        last = i


def interval_lines(extents: Extents, energy_milliwh: Int64, offsets: Int64) -> Lines:
    """The lines of intervals: a rise over each interval that counts, flat and unknown between them."""
    keep = extents.verdict == Verdict.PLAUSIBLE
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[keep]
    kept = np.searchsorted(owner, np.arange(len(offsets))).astype(np.int64)
    at = np.column_stack((extents.begin_us[keep], extents.end_us[keep])).ravel()
    step = np.zeros(len(at), np.int64)
    step[1::2] = energy_milliwh[keep]
    span = np.zeros(len(at), np.uint8)
    span[1::2] = Span.MEASURED
    return Lines(at, step, span, kept * 2)


def _share(step: Int64, part: Int64, whole: Int64) -> Int64:
    """step × part / whole, rounded half up, exact: (n,) int64 each, 0 <= part <= whole, whole > 0."""
    common = np.gcd(part, whole)
    part, whole = part // common, whole // common
    quotient, rest = np.divmod(step, whole)
    share: Int64 = quotient * part + (rest * part + whole // 2) // whole
    # Instants are mostly whole seconds, so the product fits; where it may not (long gaps between instants of odd
    # microseconds) Python's integers do.
    for i in np.flatnonzero(whole >= 2**31):
        share[i] = (2 * int(step[i]) * int(part[i]) + int(whole[i])) // (2 * int(whole[i]))
    return share


def fold(lines: Lines, first_quarter: Int64, quarter_count: Int64) -> Quarters:
    """The lines of many channels in quarter-hours.

    Each line's value at a quarter's edge is rounded to a milliwatt-hour once; a quarter is the difference of its two
    edges, so the quarters of a line add up to the line's end minus its beginning, to the last milliwatt-hour.

    Args:
        lines: the lines of c channels.
        first_quarter: (c,) int64, the first quarter-hour wanted of each channel, counted from 1970-01-01 UTC.
        quarter_count: (c,) int64, how many.
    """
    edge, owner = ragged_ranges(first_quarter, quarter_count + 1)
    flowed, measured_s, estimated_s = flow_at(lines, edge * QUARTER_US, owner)
    offsets = np.concatenate(([0], np.cumsum(quarter_count)))
    inside = same_owner(np.concatenate(([0], np.cumsum(quarter_count + 1))), len(edge))
    return Quarters(
        np.diff(flowed)[inside],
        np.diff(measured_s)[inside],
        np.diff(estimated_s)[inside],
        offsets,
    )


def flow_at(lines: Lines, at_us: Int64, owner: Int64) -> tuple[Int64, Int64, Int64]:
    """What has flowed, and seconds measured and estimated, from a channel's beginning to each of the given instants.

    The beginning is the same for all instants of a channel; differences are what counts.

    Args:
        lines: the lines of c channels.
        at_us: (m,) int64 instants, not decreasing within an owner. owner: (m,) int64, whose line to follow.
    """
    knots = len(lines.at_us)
    zero = np.zeros(len(at_us), np.int64)
    if not knots:
        return zero, zero.copy(), zero.copy()
    counts = np.diff(lines.offsets)
    place = np.empty(len(at_us), np.int64)  # the last knot at or before the instant
    bounds = np.searchsorted(owner, np.arange(len(counts) + 1))
    for channel in np.flatnonzero(counts):
        first, end = int(lines.offsets[channel]), int(lines.offsets[channel + 1])
        part = slice(int(bounds[channel]), int(bounds[channel + 1]))
        place[part] = np.searchsorted(lines.at_us[first:end], at_us[part], side="right") + (first - 1)
    has_line = counts[owner] > 0
    first_knot, last_knot = lines.offsets[:-1][owner], lines.offsets[1:][owner] - 1
    place = np.where(has_line, np.clip(place, first_knot, last_knot), 0)
    behind = np.where(has_line, np.minimum(place + 1, last_knot), 0)

    seconds = lines.at_us // US_PER_S
    elapsed = np.diff(seconds, prepend=0)
    span_s = [np.where(lines.span == kind, elapsed, 0) for kind in (Span.MEASURED, Span.ESTIMATED)]
    flowed = np.cumsum(lines.step_milliwh)[place]
    totals_s = [np.cumsum(column)[place] for column in span_s]

    inside = np.flatnonzero((at_us > lines.at_us[place]) & (behind > place) & has_line)
    before, after = place[inside], behind[inside]
    part_us, whole_us = at_us[inside] - lines.at_us[before], lines.at_us[after] - lines.at_us[before]
    flowed[inside] += _share(lines.step_milliwh[after], part_us, whole_us)
    part_s = at_us[inside] // US_PER_S - seconds[before]
    for column, kind in zip(totals_s, (Span.MEASURED, Span.ESTIMATED), strict=True):
        column[inside] += np.where(lines.span[after] == kind, part_s, 0)
    flowed[~has_line] = 0
    for column in totals_s:
        column[~has_line] = 0
    return flowed, totals_s[0], totals_s[1]
