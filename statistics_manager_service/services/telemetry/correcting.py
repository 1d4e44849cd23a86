"""Correction of stretches: verdicts, blocks' states at their start, and the quarter-hours to fold anew.

Tells of each stretch whether it was wide enough: whether every decision was taken inside it, and nothing changes beyond
its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.correction import (
    DEFAULT_MAX_POWER_W,
    SET_ASIDE,
    Corrected,
    RegisterLimits,
    Verdict,
    correct_registers,
)
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.lines import Extents, Lines, interval_extents, interval_lines, register_lines
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, US_PER_S
from statistics_manager_service.services.ports import Channel
from statistics_manager_service.services.telemetry.stretches import Stretch


@dataclass(frozen=True, slots=True)
class Booked:
    """A register's readings as they were booked, and among them two rows for each swap: (n,) columns.

    is_swap: rows that are not readings. corrected: what correction says of each row; lines: of the rows that count.
    """

    at_us: Int64
    value_milli: Int64
    is_swap: NDArray[np.bool_]
    corrected: Corrected
    lines: Lines


@dataclass(slots=True)
class Corrections:
    """The lines of the stretches that are wide enough, and which of their readings were touched."""

    lines: Lines
    touched: list[NDArray[np.bool_]]
    wide_left: list[bool]
    wide_right: list[bool]


def limits_of(channel: Channel) -> RegisterLimits:
    """What correction takes a register to be able to do."""
    return RegisterLimits(
        max_power_w=DEFAULT_MAX_POWER_W if channel.max_power_w is None else channel.max_power_w,
        resolution_milli=channel.resolution_milli or 0,
        modulus_milli=channel.modulus_milli,
        gap_limit_us=channel.gap_limit_s * US_PER_S,
    )


def offsets_of(columns: Sequence[Int64]) -> Int64:
    """Where each of some columns begins when they are joined, (c+1,)."""
    return np.cumsum([0, *(len(column) for column in columns)])


def correct(stretches: list[Stretch]) -> Corrections:
    """Correct stretches of one kind of channel, all at once.

    Sets each stretch's verdicts, carries and quarters to fold; tells which are not wide enough, to the left or right.
    """
    kind = stretches[0].channel.kind
    if kind is Kind.REGISTER:
        return _correct_registers(stretches)
    if kind is Kind.INTERVAL:
        return _correct_intervals(stretches)
    return _sample_stretches(stretches)


def _with_swaps(one: Stretch) -> tuple[Int64, Int64, NDArray[np.bool_]]:
    """Instants, values and marks of the readings, with two rows for each swap inside what is loaded."""
    at, value = one.at_us, one.value_milli
    marks = np.zeros(len(at), np.bool_)
    for event in sorted(one.events, key=lambda event: event.at_us):
        if (not one.at_start and event.at_us <= at[0]) or (not one.at_end and event.at_us > at[-1]):
            continue
        place = int(np.searchsorted(at, event.at_us))
        if place < len(at) and at[place] == event.at_us and not marks[place]:
            # a reading at the very instant belongs to the meter whose value is nearer
            place += abs(value[place] - event.old_end_milli) < abs(value[place] - event.new_start_milli)
        at = np.insert(at, place, [event.at_us, event.at_us])
        value = np.insert(value, place, [event.old_end_milli, event.new_start_milli])
        marks = np.insert(marks, place, [True, True])
    return at, value, marks


def booked(stretches: Sequence[Stretch]) -> Booked:
    """The registers of some stretches, joined, with what correction says of each reading that is loaded."""
    limits = [limits_of(one.channel) for one in stretches]
    columns = [
        _with_swaps(one) if one.events else (one.at_us, one.value_milli, np.zeros(len(one.at_us), np.bool_))
        for one in stretches
    ]
    offsets = offsets_of([column[0] for column in columns])
    at_us, value, swap = (np.concatenate([column[i] for column in columns]) for i in range(3))
    hold = np.array([0 if one.at_start else (one.stored[one.first_block] or 0) for one in stretches], np.int64)
    corrected = correct_registers(at_us, value, offsets, limits, swap, hold)
    return Booked(at_us, value, swap, corrected, register_lines(at_us, offsets, corrected, limits))


def _correct_registers(stretches: list[Stretch]) -> Corrections:
    found = booked(stretches)
    corrected, lines = found.corrected, found.lines
    out = Corrections(lines, [], [], [])
    places = np.flatnonzero(~found.is_swap)  # of the readings, among them and the rows of swaps
    verdicts = corrected.verdict[places]
    ends = offsets_of([one.at_us for one in stretches])
    for first, one in zip(ends.tolist(), stretches, strict=False):
        if not one.at_start:
            verdicts[first] = one.verdict[0]  # its step comes from a reading that is not loaded
    marks = np.concatenate([one.changed for one in stretches])
    marks |= verdicts != np.concatenate([one.verdict for one in stretches])
    marks |= _moved_with_level(marks, verdicts, ends[:-1])
    bounds = ends.tolist()
    _tell_carries(stretches, places, bounds, corrected)
    for i, one in enumerate(stretches):
        part = slice(bounds[i], bounds[i + 1])
        verdict, touched = verdicts[part], marks[part]
        knots = lines.at_us[lines.offsets[i] : lines.offsets[i + 1]]
        left, right = _reach(one, touched, knots)
        left |= bool(corrected.reach_left[i])
        right |= bool(corrected.reach_right[i]) or _state_differs(one)
        if (one.at_start or not left) and (one.at_end or not right):
            one.verdict = verdict
        _note(out, one, touched, left, right)
    return out


def _moved_with_level(marks: NDArray[np.bool_], verdicts: NDArray[np.uint8], firsts: Int64) -> NDArray[np.bool_]:
    """The held readings whose level one of the marked readings tells: their verdict stays, the step from them does not.

    marks, verdicts: (n,) of the readings of all stretches. firsts: the row with which each stretch begins.
    """
    held: NDArray[np.bool_] = verdicts == Verdict.HELD
    if not held.any():
        return held
    tells: NDArray[np.bool_] = ~(held | np.isin(verdicts, SET_ASIDE))
    tells[firsts] = True
    rows = np.arange(len(marks))
    teller = np.maximum.accumulate(np.where(tells, rows, 0))
    newest = np.maximum.accumulate(np.where(marks, rows, -1))
    moved: NDArray[np.bool_] = held & (newest >= teller)
    return moved


def _tell_carries(stretches: Sequence[Stretch], places: Int64, bounds: Sequence[int], corrected: Corrected) -> None:
    """Set the state of correction at the start of each block, of all stretches at once."""
    blocks, rows = [], []
    for one, first in zip(stretches, bounds, strict=False):
        mine, starts = one.block_starts()
        blocks.append(mine)
        rows += [start + first for start in starts]
    begins = places[rows]
    held = zip(corrected.hold_milli[begins].tolist(), corrected.clean[begins].tolist(), strict=True)
    carries = iter([hold if clean else None for hold, clean in held])
    for one, mine in zip(stretches, blocks, strict=True):
        one.carries = {block: next(carries) for block in mine}
        if not one.at_start:
            one.carries[mine[0]] = one.stored[one.first_block]


def _note(out: Corrections, one: Stretch, touched: NDArray[np.bool_], left: bool, right: bool) -> None:
    out.touched.append(touched)
    out.wide_left.append(one.at_start or not left)
    out.wide_right.append(one.at_end or not right)


def _state_differs(one: Stretch) -> bool:
    """Whether what lies behind the stretch would be corrected otherwise than it was."""
    last = next(reversed(one.carries))
    return one.carries[last] is None or one.stored.get(last, -1) != one.carries[last]


def _reach(one: Stretch, touched: NDArray[np.bool_], knots: Int64) -> tuple[bool, bool]:
    """Set the quarters that a change can have touched; whether knots beyond the loaded ones are needed left, right.

    A change moves the line between the last untouched knot before it and the first one behind it.
    """
    rows = touched.nonzero()[0]
    if not len(rows):
        one.first_quarter = one.end_quarter = 0
        return False, False
    first_us, last_us = one.at_us[rows[0]], one.at_us[rows[-1]]
    before, behind = int(knots.searchsorted(first_us)) - 1, int(knots.searchsorted(last_us, side="right"))
    lowest = min(int(one.at_us[0]), int(knots[0])) if len(knots) else int(one.at_us[0])
    highest = max(int(one.at_us[-1]), int(knots[-1])) if len(knots) else int(one.at_us[-1])
    if one.channel.first_day is None:  # the first readings: whatever a meter's events tell is new as well
        before, behind = -1, len(knots)
    one.first_quarter = quarter_of(int(knots[before]) if before >= 0 else lowest)
    one.end_quarter = quarter_of(int(knots[behind]) if behind < len(knots) else highest) + 1
    left = before < 0 or knots[0] > one.first_quarter * QUARTER_US
    right = behind >= len(knots) or knots[-1] < one.end_quarter * QUARTER_US
    return left, right


def _correct_intervals(stretches: list[Stretch]) -> Corrections:
    offsets = offsets_of([one.at_us for one in stretches])
    at_us = np.concatenate([one.at_us for one in stretches])
    energy = np.concatenate([one.value_milli for one in stretches])
    length = np.concatenate([one.at_us[:0] if one.length_us is None else one.length_us for one in stretches])
    extents = interval_extents(at_us, length, offsets)
    out = Corrections(interval_lines(extents, energy, offsets), [], [], [])
    # as told, and not as cut short: whether a block begins in a clean state must not hang on what lies inside it
    end = np.where(extents.verdict == Verdict.PLAUSIBLE, extents.raw_end_us, 0)
    for i, one in enumerate(stretches):
        part = slice(int(offsets[i]), int(offsets[i + 1]))
        verdict = extents.verdict[part]
        touched = one.changed | (verdict != one.verdict)
        covered = np.maximum.accumulate(end[part])
        blocks, starts = one.block_starts()
        floor = one.at_us[starts] // QUARTER_US * QUARTER_US
        before = np.array([covered[start - 1] if start else 0 for start in starts])
        one.carries = dict(zip(blocks, np.maximum(before - floor, 0).tolist(), strict=True))
        rows = np.flatnonzero(touched)
        right = False
        if len(rows):
            first = _first_moved(extents, part, rows)
            one.first_quarter = quarter_of(int(extents.begin_us[part][first]))
            ends_us = extents.raw_end_us[part]
            one.end_quarter = quarter_after(int(ends_us[first : rows[-1] + 1].max()))
            # what lies behind may cut short any interval that begins before that, so it has to be loaded
            end_us = one.end_quarter * QUARTER_US
            begun = int(one.at_us.searchsorted(end_us))
            right = one.at_us[starts[-1]] < max(end_us, ends_us[first:begun].max()) or _state_differs(one)
        if one.at_end or not right:
            one.verdict = verdict
        _note(out, one, touched, False, bool(right))
    return out


def _first_moved(extents: Extents, part: slice, touched: Int64) -> int:
    """The first row of a stretch whose energy may lie elsewhere now: the first that was touched, or the one before it,
    which may have been cut short, or no longer be so."""
    before = np.flatnonzero(extents.verdict[part][: touched[0]] == Verdict.PLAUSIBLE)
    # energy of unknown length begins with its quarter-hour, which may be before rows that come before it
    if len(before) and extents.raw_end_us[part][before[-1]] > extents.begin_us[part][touched].min():
        return int(before[-1])
    return int(touched[0])


def _sample_stretches(stretches: list[Stretch]) -> Corrections:
    """Samples need no correction: their 'lines' are the samples themselves."""
    offsets = offsets_of([one.at_us for one in stretches])
    at_us = np.concatenate([one.at_us for one in stretches])
    value = np.concatenate([one.value_milli for one in stretches])
    out = Corrections(Lines(at_us, value, np.zeros(len(at_us), np.uint8), offsets), [], [], [])
    for one in stretches:
        blocks, _ = one.block_starts()
        one.carries = dict.fromkeys(blocks, 0)
        left, right = _reach(one, one.changed, one.at_us)
        _note(out, one, one.changed, left, right)
    return out


def set_aside_count(one: Stretch) -> int:
    """How many of the changed readings are set aside."""
    if not one.verdict.any():
        return 0
    return int((np.isin(one.verdict, SET_ASIDE) & one.changed).sum())
