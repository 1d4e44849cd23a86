"""Correction of registers: a verdict for each reading, looking both ways, from the readings alone.

A register that never falls needs no thought: every step is booked, one beyond what the connection can carry (and a
step of the last digit) is marked suspect: it leaps. Each fall is explained by the first of these that fits:

1. the channel's modulus: the register went over its end and began again (unless it comes back at once: a dip);
2. a short run before the fall is a spike, or a short run behind it is a dip: the run is set aside, the shorter one;
3. the fall is within the resolution or 0.1 % of the reading: the register is held at its level until it is above it;
4. a run as in 2., where the register comes back to a little below its level;
5. a short run around the fall, up and then down or in turns, leaping off the path: the shortest is set aside;
6. the register was reset: what flowed between is the new value if that is plausible, else unknown. A short run right
   before the fall that began with a leap is set aside: the reset is from the reading before it.

A run is short where it has at most `FEW` readings or lasts at most two hours. A run behind a fall that rises from 0 and
past the old level, all at one pace, is no dip but a reset. As long as the newest readings may still turn out to be the
shorter run, they are doubted rather than a run before them that rises plausibly. A swap of the meter, told by the user,
is a wall that no explanation looks across.

Each decision notes the stretch of readings that it has looked at. Between two such stretches lies a clean boundary,
from which correction can begin again with the same result: that is what lets a late reading re-correct a few hours and
not a lifetime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.grid import same_owner
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH, US_PER_HOUR

FEW: Final = 5
RUN_LIMIT_US: Final = 2 * US_PER_HOUR
HOLD_SHARE: Final = 1_000  # a fall of up to 1/1000 of the reading is held
RISING: Final = 3  # readings that tell a register that began anew from a dip
PACE: Final = 2  # times the fastest step of a run: as fast as that the register goes on at its pace
DEFAULT_MAX_POWER_W: Final = 50_000.0
ASSUMED_SLACK_MILLI: Final = 2 * MILLIWH_PER_KWH // 10  # two steps of a register that shows tenths of a kWh
_NEAR, _FAR = 16, 720  # readings on either side of a fall that are compared with each other, at first and at most

_Readings = int | Int64


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

    @property
    def slack_milli(self) -> int:
        """What a step may be beyond the largest flow, because a register shows whole steps of its last digit.

        Where the last digit isn't told it may be coarse; that widens what is plausible, not what is held.
        """
        return self.resolution_milli or ASSUMED_SLACK_MILLI


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
    slack = np.array([one.slack_milli for one in limits], dtype=np.float64)
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


def _first(readings: Int64, fits: Callable[[Int64], NDArray[np.bool_]]) -> int | None:
    """The first of some readings that fits: mostly one of the nearest."""
    for some in (readings[:_NEAR], readings[_NEAR:]):
        found = fits(some).nonzero()[0]
        if len(found):
            return int(some[found[0]])
    return None


class _End(Enum):
    """How a run that begins with a fall ends."""

    BACK = auto()  # the register goes on from the reading before the fall
    ANEW = auto()  # it rises past that reading at its own pace: it began anew
    OPEN = auto()  # readings to come may still bring it back
    NEVER = auto()


class _Dip(NamedTuple):
    """A run behind a fall: its last reading, and how it ends."""

    last: int
    end: _End


class _Falls:
    """The falls of one channel, explained from left to right."""

    def __init__(self, at_us: Int64, value: Int64, limits: RegisterLimits, swap: NDArray[np.bool_]) -> None:
        self.at, self.value, self.limits, self.swap = at_us, value, limits, swap
        self.size = len(at_us)
        self.aside = np.zeros(self.size, np.bool_)
        self.before: dict[int, int] = {}  # of a reading behind a run that is set aside: the one before the run
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
        for before in np.flatnonzero(np.diff(self.value) < 0).tolist():
            behind = before + 1
            if self.aside[behind] or self.wall_before[behind]:
                continue
            good = self.before.get(behind, before)
            if self.value[behind] < self.value[good]:
                self._explain_one(good, behind)

    def _explain_one(self, good: int, behind: int) -> None:
        if self._rolls_over(good, behind):
            dip = self._dip(good, behind, 0, FEW)
            if dip.end is _End.BACK:
                self._set_aside(behind, dip.last)
            else:
                self.verdict[behind] = Verdict.ROLLOVER
            return
        if self._explain_beside(good, behind, 0):
            return
        if self._is_held(good, behind):
            return  # booking takes the level that was reached
        if self._explain_beside(good, behind, int(self._tolerance(good))) or self._explain_around(good, behind):
            return
        self._reset(good, behind)

    def _explain_beside(self, good: int, behind: int, tolerance: int) -> bool:
        """Explain a fall by the run on one side of it, the shorter one; False where there is none."""
        spike = self._spike(good, behind, tolerance)
        count = self.size if spike is None else int((~self.aside[spike + 1 : behind]).sum())
        dip = _Dip(behind, _End.NEVER) if count == 1 else self._dip(good, behind, tolerance, count - 1)
        if dip.end is _End.BACK:
            self._set_aside(behind, dip.last)
        elif dip.end is _End.ANEW:
            self._reset(good, behind)
        elif spike is None:
            return False
        elif dip.end is _End.OPEN and self._is_path(spike, good):
            # the newest readings are doubted rather than more that rise as a register does, until as many confirm them
            if not self._is_held(good, behind):
                self._set_aside(behind, self.size - 1)
        else:
            self._set_aside(spike + 1, behind - 1)
        return True

    def _spike(self, good: int, behind: int, tolerance: int) -> int | None:
        """The good reading before a run that ends at `good`, from which `behind` is plausible; None without one."""
        kept, reach = self._left(good)
        spike = _first(kept[1:], lambda some: self._plausible(some, behind, tolerance))
        self._looked(reach if spike is None else spike, behind)
        return spike

    def _dip(self, good: int, behind: int, tolerance: int, most: int) -> _Dip:
        """The run of `most` readings at most that begins at `behind`, after which the path from `good` goes on."""
        following, reach = self._right(behind, most)
        back = _first(following, lambda some: self._plausible(good, some, tolerance))
        if back is None:
            self._looked(good, reach)
            return _Dip(behind, _End.OPEN if reach == self.size else _End.NEVER)
        self._looked(good, back)
        return _Dip(back - 1, _End.ANEW if self._begins_anew(good, behind, back) else _End.BACK)

    def _begins_anew(self, good: int, behind: int, back: int) -> bool:
        """Whether the readings behind a fall rise from 0 and past the level before it, all at one pace.

        A register that begins anew does that; one that dips is constant, or leaps back.
        """
        if back - behind < RISING:
            return False
        if not self._is_path(behind, back) or self.value[back - 1] <= self.value[behind]:
            return False
        step = np.diff(self.value[behind : back + 1])
        elapsed = np.maximum(np.diff(self.at[behind : back + 1]), 1)  # the old end of a swap may share its instant
        pace = PACE * (step[:-1] / elapsed[:-1]).max()
        spare = self.limits.resolution_milli
        start, gap = self.value[behind], self.at[behind] - self.at[good]
        return bool(step[-1] <= pace * elapsed[-1] + spare and 0 <= start <= pace * gap + spare)

    def _explain_around(self, good: int, behind: int) -> bool:
        """Set the shortest run aside that lies around a fall: up and then down, or any mixture; False without one."""
        (kept, first), (following, last) = self._left(good), self._right(behind, self.size)
        self._looked(first, last)
        for side in (_NEAR, _FAR):  # mostly the run is short: to compare all with all is dear
            run = self._shortest_around(kept[: side + 1], following[:side])
            if run is not None and (run[0] <= side or side == _FAR):
                self._set_aside(run[1] + 1, run[2] - 1)
                return True
        return False

    def _shortest_around(self, kept: Int64, following: Int64) -> tuple[int, int, int] | None:
        """How many readings the shortest run around a fall has, the reading before it, the one behind it.

        kept, following: the readings before and behind the fall, the nearest first. A run is off the path: some step in
        it is more than plausible. (Where all are, a low register began anew and came past its old level again.)
        """
        if len(kept) < 2 or not len(following):
            return None
        before, begin = kept[1:, None], kept[:-1, None]
        count = np.arange(1, len(kept))[:, None] + np.arange(1, len(following) + 1)
        fits = self._plausible(before, following, self._tolerance(before))
        fits &= (count <= FEW) | (self.at[following - 1] - self.at[begin] <= RUN_LIMIT_US)
        leaps_in = np.logical_or.accumulate(self._leaps(kept[1:], kept[:-1]))
        leaps_out = np.logical_or.accumulate(self._leaps(following - 1, following))
        fits &= leaps_in[:, None] | leaps_out
        if not fits.any():
            return None
        best = int(np.where(fits, count, self.size).argmin())
        left, right = divmod(best, len(following))
        return left + right + 2, int(kept[left + 1]), int(following[right])

    def _reset(self, good: int, behind: int) -> None:
        """Begin anew at `behind`. A short run that leaps up and then falls so low was no part of the old register."""
        kept, reach = self._left(good)
        self._looked(reach, behind)
        starts = np.isin(self.verdict[kept[:-1]], (Verdict.RESET, Verdict.ROLLOVER))
        leaps = np.flatnonzero(self._leaps(kept[1:], kept[:-1]) & ~np.logical_or.accumulate(starts))
        if len(leaps):
            good = int(kept[leaps[-1] + 1])
            self._set_aside(good + 1, behind - 1)
        self.verdict[behind] = Verdict.ROLLOVER if self._rolls_over(good, behind) else Verdict.RESET

    # --- readings around a fall ---------------------------------------------------------------------------------------

    def _left(self, good: int) -> tuple[Int64, int]:
        """The readings not set aside of a run that ends at `good`, as long as it can be, and the one before it; the
        nearest first. And how far to the left that looked."""
        first = self._segment_start(good)
        lowest = max(first, int(self.at.searchsorted(self.at[good] - RUN_LIMIT_US)))
        kept = (lowest + (~self.aside[lowest : good + 1]).nonzero()[0])[::-1]
        more: list[int] = []
        reading = reach = int(kept[-1])
        while len(more) < max(FEW - len(kept), 0) + 1:
            reading = self.before.get(reading, reading - 1)
            if reading < first:
                reach = first if first else -1
                break
            more.append(reading)
            reach = reading
        return np.concatenate((kept, np.array(more, np.int64))), reach

    def _segment_start(self, reading: int) -> int:
        place = int(np.searchsorted(self.walls, reading, side="right")) if len(self.walls) else 0
        return int(self.walls[place - 1]) if place else 0

    def _right(self, behind: int, most: int) -> tuple[Int64, int]:
        """The readings that can be the next one behind a run that begins at `behind` and has `most` at most.

        And how far to the right that looked: the size where readings to come matter.
        """
        place = int(np.searchsorted(self.walls, behind, side="right"))
        end = int(self.walls[place]) if place < len(self.walls) else self.size
        lasts = int(self.at.searchsorted(self.at[behind] + RUN_LIMIT_US, side="right")) - 1
        highest = min(max(lasts, behind + FEW - 1), behind + most - 1) + 1
        is_open = highest >= end == self.size
        highest = min(highest, end - 1)
        return np.arange(behind + 1, highest + 1), self.size if is_open else highest

    def _set_aside(self, first: int, last: int) -> None:
        self.aside[first : last + 1] = True
        self.before[last + 1] = self.before.get(first, first - 1)

    def _looked(self, first: int, last: int) -> None:
        """A decision rests on the readings first … last: correction may not begin anew inside them."""
        self.reach_left |= first < 0
        self.reach_right |= last >= self.size
        self.clean[max(first, -1) + 1 : last + 1] = False

    # --- steps --------------------------------------------------------------------------------------------------------

    def _plausible(self, before: _Readings, behind: _Readings, tolerance: _Readings = 0) -> NDArray[np.bool_]:
        """Whether the register can go from some readings to others, falling by no more than the tolerance."""
        step = self.value[behind] - self.value[before]
        return (step >= -tolerance) & (step <= self._most(before, behind))

    def _leaps(self, before: _Readings, behind: _Readings) -> NDArray[np.bool_]:
        """Whether the register rises by more than is plausible."""
        return np.asarray(self.value[behind] - self.value[before] > self._most(before, behind))

    def _most(self, before: _Readings, behind: _Readings) -> NDArray[np.float64]:
        elapsed = self.at[behind] - self.at[before]
        return np.asarray(self.limits.milliwh_per_us * elapsed + self.limits.slack_milli)

    def _is_path(self, first: int, last: int) -> bool:
        """Whether every step between two readings is plausible, without those that are set aside."""
        kept = first + np.flatnonzero(~self.aside[first : last + 1])
        return bool(self._plausible(kept[:-1], kept[1:]).all())

    def _tolerance(self, reading: _Readings) -> Int64:
        """The fall from a reading that is held."""
        return np.asarray(np.maximum(self.limits.resolution_milli, np.abs(self.value[reading]) // HOLD_SHARE))

    def _is_held(self, good: int, behind: int) -> bool:
        return bool(self.value[good] - self.value[behind] <= self._tolerance(good))

    def _rolls_over(self, good: int, behind: int) -> bool:
        """Whether the step fits that goes on across the register's end."""
        if self.limits.modulus_milli is None:
            return False
        step = int(self.value[behind]) - int(self.value[good]) + self.limits.modulus_milli
        return 0 <= step <= float(self._most(good, behind))

    # --- booking ------------------------------------------------------------------------------------------------------

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
        most = self.limits.milliwh_per_us * elapsed + self.limits.slack_milli
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
