"""Gaps between readings, and how often readings come, over any number of pieces of a channel's readings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import US_PER_MS


class Gap(NamedTuple):
    """A time in which nothing was read. is_bridged: the reading behind it tells what flowed meanwhile."""

    start_us: int
    end_us: int
    is_bridged: bool


@dataclass(slots=True)
class Gaps:
    """Gaps longer than a limit within start_us … end_us, of readings that come piece by piece in order of time.

    A gap that reaches over the start or the end counts as far as it lies inside; what lies before the first reading of
    all and behind the last one is no gap. most: so many of the longest are kept, all are counted.
    """

    start_us: int
    end_us: int
    limit_us: int
    most: int
    count: int = 0
    total_us: int = 0
    kept: list[Gap] = field(default_factory=list)
    _steps_ms: Counter[int] = field(default_factory=Counter)
    _last: tuple[int, int] | None = None

    def add(self, begin_us: Int64, until_us: Int64, bridges: NDArray[np.bool_]) -> None:
        """Further readings, (n,) each: instants, up to when each tells (of all but intervals the same instants), and
        whether each tells what flowed since the one before."""
        if not len(begin_us):
            return
        before_us, before_until_us = self._last or (int(begin_us[0]), int(begin_us[0]))
        from_us = np.concatenate(([before_until_us], until_us[:-1]))
        step_ms = np.diff(begin_us, prepend=before_us) // US_PER_MS
        inside = (begin_us > self.start_us) & (begin_us < self.end_us) & (step_ms > 0)
        values, counts = np.unique(step_ms[inside], return_counts=True)
        self._steps_ms.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        rows = np.flatnonzero(begin_us - from_us > self.limit_us)
        for gap in (Gap(int(from_us[i]), int(begin_us[i]), bool(bridges[i])) for i in rows.tolist()):
            cut = Gap(max(gap.start_us, self.start_us), min(gap.end_us, self.end_us), gap.is_bridged)
            if cut.end_us > cut.start_us:
                self.count += 1
                self.total_us += cut.end_us - cut.start_us
                self.kept.append(cut)
        self.kept = sorted(self.kept, key=lambda one: (one.start_us - one.end_us, one.start_us))[: self.most]
        self._last = int(begin_us[-1]), max(int(until_us[-1]), before_until_us)

    @property
    def typical_s(self) -> float | None:
        """The median step from one reading to the next, of those that end inside; None of fewer than two readings."""
        total, seen = sum(self._steps_ms.values()), 0
        for step_ms in sorted(self._steps_ms):
            seen += self._steps_ms[step_ms]
            if 2 * seen >= total:  # of an even number, the lower of the two in the middle
                return step_ms / US_PER_MS
        return None
