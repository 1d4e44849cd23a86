"""Timing in pairs, and the table that is printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Work = Callable[[], object]
#: Calls before the one that is measured: so many it takes until a call costs what the next one costs.
_WARMING = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: what, how long or how much by us and by the reference, and the goal as a sentence with its test.

    ratio: how many times better than the reference. met: whether the goal is reached, None where there is none.
    """

    what: str
    ours: str
    reference: str
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


def paired(ours: Work, reference: Work, rounds: int) -> tuple[float, float]:
    """Median seconds of both, warm, measured in turns, so that whatever else the machine does hits both alike."""
    mine, theirs = [], []
    for _ in range(rounds):
        for work, times in ((ours, mine), (reference, theirs)):
            for _ in range(_WARMING):  # the other one has had the processor's caches
                work()
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return float(np.median(mine)), float(np.median(theirs))


def shown_s(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s"


def print_lines(title: str, lines: list[Line]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:7.2f}×"
        verdict = "" if line.met is None else "  met" if line.met else "  NOT MET"
        print(f"  {line.what:<58} {line.ours:>16} {line.reference:>28} {ratio:>9}  {line.goal}{verdict}", flush=True)
