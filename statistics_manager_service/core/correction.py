"""Correction of registers: a verdict for each reading, looking both ways, from the readings alone.

A register that never falls needs no thought: every step is booked, one beyond what the connection can carry is marked
suspect. Each fall is explained by the first of these that fits:

1. the channel's modulus: the register went over its end and began again (unless it comes back at once: a dip);
2. a short run before the fall is a spike, or a short run behind it is a dip: the run is set aside, the shorter one;
3. the fall is within the resolution or 0.1 % of the reading: the register is held at its level until it is above it;
4. a run as in 2., where the register comes back to a little below its level;
5. the register was reset: what flowed between is the new value if that is plausible, else unknown.

A run is short where it has at most `FEW` readings or lasts at most two hours. A swap of the meter, told by the user, is
a wall that no explanation looks across.

Each decision notes the stretch of readings that it has looked at. Between two such stretches lies a clean boundary,
from which correction can begin again with the same result: that is what lets a late reading re-correct a few hours and
not a lifetime.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.grid import same_owner
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, US_PER_HOUR

FEW: Final = 5
RUN_LIMIT_US: Final = 2 * US_PER_HOUR
HOLD_SHARE: Final = 1_000  # a fall of up to 1/1000 of the reading is held
DEFAULT_MAX_POWER_W: Final = 50_000.0


class Verdict(IntEnum):
    """What correction says of a reading."""

    PLAUSIBLE = 0
    GLITCH = 1  # set aside
    SUSPECT = 2  # counted, though the step to it is more than the connection carries
    HELD = 3  # below the level that was reached before: counts as that level
    RESET = 4  # the first reading after the register began anew
    ROLLOVER = 5  # the first reading after the register went over its modulus
    SWAP = 6  # not a reading: the end or the start that a meter event tells
    OVERLAP = 7  # an interval that an earlier one covers already: set aside


SET_ASIDE: Final = (Verdict.GLITCH, Verdict.OVERLAP)


@dataclass(frozen=True, slots=True)
class RegisterLimits:
    """What a register channel can do.

    max_power_w: the most that the connection carries. resolution_milli: one step of the last digit, in milliwatt-hours.
    modulus_milli: the reading at which the register begins again from 0, or None. gap_limit_us: readings at most this
    far apart count as measured between.
    """

    max_power_w: float = DEFAULT_MAX_POWER_W
    resolution_milli: int = 0
    modulus_milli: int | None = None
    gap_limit_us: int = US_PER_HOUR

    @property
    def milliwh_per_us(self) -> float:
        """The largest plausible flow."""
        return self.max_power_w * MILLI / US_PER_HOUR


@dataclass(slots=True)
class Corrected:
    """Ragged columns over the readings of many channels (n in all).

    verdict: (n,) uint8, a Verdict. step_milli: (n,) int64, what flowed from the reading before that counts to this one;
    0 for the first and for one set aside. known: (n,) bool, False where that is not known (and at the first).
    clean: (n,) bool, correction may begin anew at this reading. hold_milli: (n,) int64, how far the level reached
    before lies above this reading. reach_left, reach_right: per channel, whether a decision would have looked beyond
    the first or the last reading given.
    """

    verdict: NDArray[np.uint8]
    step_milli: Int64
    known: NDArray[np.bool_]
    clean: NDArray[np.bool_]
    hold_milli: Int64
    reach_left: NDArray[np.bool_]
    reach_right: NDArray[np.bool_]


def correct_registers(
    at_us: Int64,
    value_milli: Int64,
    offsets: Int64,
    limits: list[RegisterLimits],
    swap: NDArray[np.bool_] | None = None,
    hold_milli: Int64 | None = None,
) -> Corrected:
    """Verdicts and booked steps of the registers of many channels.

    Args:
        at_us: (n,) int64, strictly increasing within a channel (the two rows of a swap share their instant).
        value_milli: (n,) int64, milliwatt-hours.
        offsets: (c+1,) int64, where each channel begins.
        limits: one a channel.
        swap: (n,) bool, rows that are not readings: the old end and the new start of a meter swap, in this order.
        hold_milli: (c,) int64, the level reached before the first reading, above it; None: 0 everywhere.
    """
    size, channels = len(at_us), len(limits)
    out = Corrected(
        verdict=np.zeros(size, np.uint8),
        step_milli=np.zeros(size, np.int64),
        known=np.ones(size, np.bool_),
        clean=np.ones(size, np.bool_),
        hold_milli=np.zeros(size, np.int64),
        reach_left=np.zeros(channels, np.bool_),
        reach_right=np.zeros(channels, np.bool_),
    )
    if not size:
        return out
    counts = np.diff(offsets)
    same = same_owner(offsets, size)
    step = value_milli[1:] - value_milli[:-1]
    falls = (step < 0) & same
    out.step_milli[1:][same] = step[same]
    out.known[offsets[:-1][counts > 0]] = False

    rate = np.array([one.milliwh_per_us for one in limits])
    slack = np.array([one.resolution_milli for one in limits], dtype=np.float64)
    owner = np.repeat(np.arange(channels), counts)[1:]
    most = rate[owner] * (at_us[1:] - at_us[:-1]) + slack[owner]
    out.verdict[1:][same & (step > most)] = Verdict.SUSPECT

    special = np.zeros(channels, np.bool_)
    special[owner[falls]] = True
    if swap is not None and swap.any():
        special[np.searchsorted(offsets, np.flatnonzero(swap), side="right") - 1] = True
    if hold_milli is not None:
        special |= hold_milli > 0
    for channel in np.flatnonzero(special):
        part = slice(int(offsets[channel]), int(offsets[channel + 1]))
        walls = np.zeros(part.stop - part.start, np.bool_) if swap is None else swap[part]
        level = 0 if hold_milli is None else int(hold_milli[channel])
        one = _Falls(at_us[part], value_milli[part], limits[channel], walls)
        one.explain()
        one.book(out, part, level)
        out.reach_left[channel], out.reach_right[channel] = one.reach_left, one.reach_right
    return out


class _Falls:
    """The falls of one channel, explained from left to right."""

    def __init__(self, at_us: Int64, value: Int64, limits: RegisterLimits, swap: NDArray[np.bool_]) -> None:
        self.at, self.value, self.limits, self.swap = at_us, value, limits, swap
        self.size = len(at_us)
        self.aside = np.zeros(self.size, np.bool_)
        self.verdict = np.zeros(self.size, np.uint8)
        self.verdict[swap] = Verdict.SWAP
        self.clean = np.ones(self.size, np.bool_)
        # the new start of a swap is a wall: it begins a segment
        starts = np.zeros(self.size, np.bool_)
        starts[1:] = swap[1:] & swap[:-1] & (at_us[1:] == at_us[:-1])
        self.wall_before = starts
        self.walls = np.flatnonzero(starts)
        self.reach_left = self.reach_right = False

    def explain(self) -> None:
        """Give every fall its explanation."""
        for before in np.flatnonzero(np.diff(self.value) < 0):
            behind = int(before) + 1
            if self.aside[behind] or self.wall_before[behind]:
                continue
            good = self._good_before(behind)
            if good is None or self.value[behind] >= self.value[good]:
                continue
            self._explain_one(good, behind)

    def _good_before(self, index: int) -> int | None:
        """The last reading before `index`, in its segment, that is not set aside."""
        first = self._segment_start(index)
        while index > first:
            index -= 1
            if not self.aside[index]:
                return index
        return None

    def _segment_start(self, index: int) -> int:
        place = int(np.searchsorted(self.walls, index, side="right"))
        return int(self.walls[place - 1]) if place else 0

    def _segment_end(self, index: int) -> int:
        place = int(np.searchsorted(self.walls, index, side="right"))
        return int(self.walls[place]) if place < len(self.walls) else self.size

    def _explain_one(self, good: int, behind: int) -> None:
        value, limits = self.value, self.limits
        fall = int(value[good] - value[behind])
        if limits.modulus_milli is not None and self._plausible(good, behind, limits.modulus_milli):
            dip = self._dip(good, behind, 0, FEW)
            if dip is None:
                self.verdict[behind] = Verdict.ROLLOVER
            else:
                self.aside[behind : dip + 1] = True
            return
        if self._set_run_aside(good, behind, 0):
            return
        tolerance = max(limits.resolution_milli, abs(int(value[good])) // HOLD_SHARE)
        if fall <= tolerance:
            return  # held: booking takes the level that was reached
        if self._set_run_aside(good, behind, tolerance):
            return
        self.verdict[behind] = Verdict.RESET

    def _set_run_aside(self, good: int, behind: int, tolerance: int) -> bool:
        """Set a spike or a dip aside, the shorter of both; False where there is none."""
        spike = self._spike(good, behind, tolerance)
        spike_count = self.size if spike is None else int((~self.aside[spike + 1 : behind]).sum())
        dip = None if spike_count == 1 else self._dip(good, behind, tolerance, spike_count - 1)
        if dip is not None:
            self.aside[behind : dip + 1] = True
        elif spike is not None:
            self.aside[spike + 1 : behind] = True
        return dip is not None or spike is not None

    def _spike(self, good: int, behind: int, tolerance: int) -> int | None:
        """The good reading before a run that ends at `good`, from which `behind` is plausible; None without one."""
        first, count, candidate = self._segment_start(behind), 0, good
        while True:
            count += not self.aside[candidate]
            if count > FEW and self.at[good] - self.at[candidate] > RUN_LIMIT_US:
                break
            candidate -= 1
            if candidate < first:
                candidate = -1 if first == 0 else first
                break
            if not self.aside[candidate] and self._plausible(candidate, behind, 0, tolerance):
                self._looked(candidate, behind)
                return candidate
        self._looked(candidate, behind)
        return None

    def _dip(self, good: int, behind: int, tolerance: int, most: int) -> int | None:
        """The last reading of a run that begins at `behind`, after which the path from `good` goes on; None without."""
        end = self._segment_end(behind)
        lasts = int(np.searchsorted(self.at, self.at[behind] + RUN_LIMIT_US, side="right")) - 1
        highest = min(max(lasts, behind + FEW - 1), behind + most - 1)
        for last in range(behind, min(highest + 1, end - 1)):
            if self._plausible(good, last + 1, 0, tolerance):
                self._looked(good, last + 1)
                return last
        # readings to come may still end the run, unless it is too long already
        open_end = highest + 1 >= end and end == self.size
        self._looked(good, self.size if open_end else min(highest + 1, end - 1))
        return None

    def _plausible(self, a: int, b: int, modulus: int, tolerance: int = 0) -> bool:
        step = int(self.value[b]) - int(self.value[a]) + modulus
        most = self.limits.milliwh_per_us * (int(self.at[b]) - int(self.at[a])) + self.limits.resolution_milli
        return -tolerance <= step <= most

    def _looked(self, first: int, last: int) -> None:
        """A decision rests on the readings first … last: correction may not begin anew inside them."""
        self.reach_left |= first < 0
        self.reach_right |= last >= self.size
        self.clean[max(first, -1) + 1 : last + 1] = False

    def book(self, out: Corrected, part: slice, hold_milli: int) -> None:
        """Steps, verdicts and boundaries of the channel, into its part of the columns."""
        keep = np.flatnonzero(~self.aside)
        at, value, verdict = self.at[keep], self.value[keep], self.verdict[keep]
        begins = (verdict == Verdict.RESET) | (verdict == Verdict.ROLLOVER) | self.wall_before[keep]
        begins[0] = True
        cuts = [*np.flatnonzero(begins).tolist(), len(keep)]
        level = np.empty_like(value)
        for first, end in pairwise(cuts):
            level[first:end] = np.maximum.accumulate(value[first:end])
        if hold_milli:
            end = cuts[1]
            level[:end] = np.maximum(level[:end], value[0] + hold_milli)
        step, known, elapsed = np.zeros_like(value), np.ones(len(keep), np.bool_), np.diff(at)
        step[1:] = np.diff(level)
        known[0] = False
        most = self.limits.milliwh_per_us * elapsed + self.limits.resolution_milli
        for i in cuts[1:-1]:
            self._book_start(i, step, known, level, verdict, elapsed, most)
        held = level > value
        verdict[held & (verdict == 0)] = Verdict.HELD
        verdict[1:][(verdict[1:] == 0) & (step[1:] > most)] = Verdict.SUSPECT
        before = np.concatenate(([value[0] + hold_milli], level[:-1]))
        hold = np.where(begins, 0, np.maximum(before - value, 0))
        hold[0] = hold_milli
        self.verdict[:] = Verdict.GLITCH
        self.verdict[keep] = verdict
        columns = ((out.step_milli, step, 0), (out.known, known, True), (out.hold_milli, hold, 0))
        for column, kept, other in columns:
            column[part] = other
            column[part.start + keep] = kept
        out.verdict[part], out.clean[part] = self.verdict, self.clean
        out.clean[part][self.aside] = False
        out.clean[part][np.flatnonzero(self.verdict == Verdict.SWAP)] = False

    def _book_start(
        self,
        i: int,
        step: Int64,
        known: NDArray[np.bool_],
        level: Int64,
        verdict: NDArray[np.uint8],
        elapsed: Int64,
        most: NDArray[np.float64],
    ) -> None:
        """The step to the first reading of a new segment."""
        if verdict[i] == Verdict.ROLLOVER:
            step[i] = max(0, int(level[i]) + (self.limits.modulus_milli or 0) - int(level[i - 1]))
        elif verdict[i] == Verdict.RESET:
            known[i] = 0 <= level[i] <= most[i - 1] and elapsed[i - 1] <= self.limits.gap_limit_us
            step[i] = level[i] if known[i] else 0
        else:  # a swap: nothing flows between the old end and the new start, which are one instant
            step[i] = 0
