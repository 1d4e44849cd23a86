"""The books of a battery: first in, first out. What was charged leaves in the order in which it came.

The axis is what was charged since the battery's first quarter-hour, in milliwatt-hours. What has left of it is a
position on it: each discharge moves it on by the discharged energy divided by the efficiency, so that losses leave
with what they were losses of. The position can't pass what was charged: discharge beyond that is of unknown origin (it
was in the battery before the first reading, or came in while a meter was silent) and is not debited later. Nor can more
lie between the two than the battery holds, where that is known: what is beyond it has left without a meter telling, the
oldest first. In a quarter-hour charge comes before discharge.

Whatever comes with the charge (carbon, money, its part of solar energy) lies spread evenly over the charge of its
quarter-hour; what leaves is the difference of its running total at two positions, a whole number at each. So what came
in is what went out, what is still stored, and what was written off, exactly.

Source: first in, first out as in books of stock (IAS 2, paragraph 25). That what was charged carries through, divided
by the efficiency, is the field's usual account of stored carbon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import shared_out, times_ratio
from statistics_manager_service.core.readings import Int64

PPM: Final = 1_000_000
#: Sums up to here leave room in 64 bits.
_ROOMY: Final = 2**61
#: What went round a battery is followed so many times; each time it is less by the share that goes round.
_ROUNDS: Final = 8


@dataclass(frozen=True, eq=False)
class Ledger:
    """The books of a battery over m quarter-hours.

    charged_milliwh: (m+1,) int64, what was charged from the first quarter-hour to each edge. left_milliwh: (m+1,)
    int64, how much of that has left, before losses. begins_milliwh: (m,) int64, the position from which the discharge
    of each quarter-hour takes; what lies between it and left_milliwh[t] is written off. unknown_milliwh: (m,) int64,
    discharged energy of unknown origin. usable_milliwh: (m+1,) int64, what can be discharged at each edge of what is
    known to be stored.
    """

    charged_milliwh: Int64
    left_milliwh: Int64
    begins_milliwh: Int64
    unknown_milliwh: Int64
    usable_milliwh: Int64

    @property
    def stored_milliwh(self) -> Int64:
        """What is stored at each edge, before the losses that are still to come, (m+1,)."""
        return self.charged_milliwh - self.left_milliwh

    def carried_out(self, carried: Int64) -> Int64:
        """What left with the discharge of each quarter-hour, (m,) int64, of something that came with the charge, (m,)
        int64 ≥ 0, in any unit that is counted in whole numbers."""
        running = _running(carried)
        left = self._at(running, self._lots)
        begins = left[:-1] if self._begins is None else self._at(running, self._begins)
        out: Int64 = left[1:] - begins
        return out

    def carried_stored(self, carried: Int64) -> Int64:
        """What of it is still stored at each edge, (m+1,) int64."""
        running = _running(carried)
        out: Int64 = running - self._at(running, self._lots)
        return out

    def written_off(self, carried: Int64) -> Int64:
        """What of it was written off in each quarter-hour, (m,) int64."""
        if self._begins is None:
            return np.zeros(len(carried), np.int64)
        running = _running(carried)
        out: Int64 = self._at(running, self._begins) - self._at(running, self._lots)[:-1]
        return out

    @cached_property
    def _lots(self) -> _Places:
        return self._places(self.left_milliwh)

    @cached_property
    def _begins(self) -> _Places | None:
        """None where nothing is written off."""
        if np.array_equal(self.begins_milliwh, self.left_milliwh[:-1]):
            return None
        return self._places(self.begins_milliwh)

    def _places(self, position: Int64) -> _Places:
        lot = np.searchsorted(self.charged_milliwh, position, side="right") - 1
        lot_milliwh = np.append(self.charged_milliwh[1:] - self.charged_milliwh[:-1], 0)[lot]
        return _Places(lot, position - self.charged_milliwh[lot], lot_milliwh)

    def _at(self, running: Int64, places: _Places) -> Int64:
        """A running total (m+1,) at positions."""
        carried = np.append(running[1:] - running[:-1], 0)[places.lot]
        out: Int64 = running[places.lot] + times_ratio(carried, places.inside_milliwh, places.lot_milliwh)
        return out


@dataclass(frozen=True, slots=True)
class _Places:
    """Positions as lots (quarter-hours of charge), how far they lie inside them, and how long these are."""

    lot: NDArray[np.intp]
    inside_milliwh: Int64
    lot_milliwh: Int64


def fifo(
    charge_milliwh: Int64, discharge_milliwh: Int64, efficiency_ppm: int, usable_capacity_milliwh: int | None = None
) -> Ledger:
    """The books of a battery from the quarter-hours of its whole life, (m,) int64 each, none negative.

    efficiency_ppm: discharged energy per million of charged, 1 … 1,000,000. usable_capacity_milliwh: the most that can
    be discharged from full, None where that is not known. Raises ValueError for an efficiency outside its bounds.
    """
    if not 0 < efficiency_ppm <= PPM:
        raise ValueError(f"an efficiency lies above 0 and is at most {PPM} ppm, not {efficiency_ppm}")
    charged, discharged = _running(charge_milliwh), _running(discharge_milliwh)
    # in milliwatt-hours × ppm all is whole: what comes in by the efficiency, what goes out by a million
    kind: Any = object if PPM * (int(charged[-1]) + int(discharged[-1])) >= _ROOMY else np.int64
    into = charge_milliwh.astype(kind) * efficiency_ppm
    out = discharge_milliwh.astype(kind) * PPM
    most = None if usable_capacity_milliwh is None else usable_capacity_milliwh * PPM
    stored = _contents(into, out, most)
    before = stored[:-1] + into  # at the end of charging, had nothing to be written off
    full = before if most is None else np.minimum(before, most)
    unknown = np.cumsum(out - (full - stored[1:]))
    reached = charged.astype(kind) * efficiency_ppm
    return Ledger(
        charged_milliwh=charged,
        left_milliwh=((reached - stored) // efficiency_ppm).astype(np.int64),
        begins_milliwh=((reached[1:] - full) // efficiency_ppm).astype(np.int64),
        unknown_milliwh=np.diff(unknown // PPM, prepend=0).astype(np.int64),
        usable_milliwh=(stored // PPM).astype(np.int64),
    )


def origins(
    ledger: Ledger, discharge_milliwh: Int64, charge_by_origin: Mapping[str, Int64], returned_milliwh: Int64
) -> dict[str, Int64]:
    """{origin: (m,) int64}, the discharge of each quarter-hour (m,) by where the charge had come from; what is left of
    the discharge is of unknown origin.

    charge_by_origin: {origin: (m,) int64}, at most the charge in sum. returned_milliwh: (m,) int64, what went from the
    battery into itself: it comes back with the origins it went with.
    """
    known = discharge_milliwh - ledger.unknown_milliwh
    whole = ledger.left_milliwh[1:] - ledger.begins_milliwh
    back = {one: np.zeros_like(known) for one in charge_by_origin}
    found: dict[str, Int64] = {}
    for _ in range(_ROUNDS):
        parts = [ledger.carried_out(part + back[one]) for one, part in charge_by_origin.items()]
        rest = np.maximum(whole - sum(parts), 0)
        found = dict(zip(charge_by_origin, shared_out(known, [*parts, rest]), strict=False))
        again = {one: times_ratio(part, returned_milliwh, discharge_milliwh) for one, part in found.items()}
        if all(np.array_equal(again[one], back[one]) for one in again):
            break
        back = again
    return found


def carried_round(ledger: Ledger, discharge_milliwh: Int64, carried: Int64, returned_milliwh: Int64) -> Int64:
    """What left the battery for good with the discharge of each quarter-hour, (m,) int64, of something that came with
    the charge from outside, (m,) int64 ≥ 0.

    returned_milliwh: (m,) int64, what went from the battery into itself: it comes back with what it went with.
    """
    back = np.zeros_like(carried)
    out = ledger.carried_out(carried)
    for _ in range(_ROUNDS):
        again = times_ratio(out, returned_milliwh, discharge_milliwh)
        if np.array_equal(again, back):
            break
        back = again
        out = ledger.carried_out(carried + back)
    # out and back are rounded each for itself; the running total may not fall for that
    running = np.cumsum(out - back)
    rising = np.maximum(np.minimum.accumulate(running[::-1])[::-1], 0)
    return np.diff(rising, prepend=0)


def _contents(into: NDArray[Any], out: NDArray[Any], most: int | None) -> NDArray[Any]:
    """What is stored at each edge, (m+1,): the content, what comes in, at most `most`, less what goes out, at least 0.

    Each quarter-hour maps a content x to min(high, max(0, x + step)), and such maps one after the other are one again:
    so all are put together in pairs, pairs of pairs and so on.
    """
    stored = np.zeros(len(into) + 1, into.dtype)
    step = into - out
    running = np.cumsum(step)
    # without an upper bound it is the running sum, less the deepest it has been below 0
    stored[1:] = running - np.minimum(np.minimum.accumulate(running), 0) if len(step) else 0
    if most is None or not len(step) or (stored[:-1] + into).max() <= most:
        return stored
    low, high = np.zeros_like(step), np.maximum(most - out, 0)
    reach = 1
    while reach < len(step):
        after, before = slice(reach, None), slice(None, -reach)
        bottom = np.clip(low[before] + step[after], low[after], high[after])
        top = np.clip(high[before] + step[after], low[after], high[after])
        low[after], high[after] = bottom, top
        step = np.concatenate((step[:reach], step[after] + step[before]))
        reach *= 2
    stored[1:] = np.clip(step, low, high)
    return stored


def _running(column: Int64) -> Int64:
    out = np.zeros(len(column) + 1, np.int64)
    np.cumsum(column, out=out[1:])
    return out
