"""Records and streaks of a column of buckets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64


class Run(NamedTuple):
    """Buckets first … first + length − 1."""

    first: int
    length: int


def highest(value: Float64, counts: NDArray[np.bool_]) -> int | None:
    """The place of the greatest value that counts, of equal ones the earliest; None where none counts."""
    return int(np.argmax(np.where(counts, value, -np.inf))) if counts.any() else None


def lowest(value: Float64, counts: NDArray[np.bool_]) -> int | None:
    """The place of the least value that counts, of equal ones the earliest; None where none counts."""
    return int(np.argmin(np.where(counts, value, np.inf))) if counts.any() else None


def runs(holds: NDArray[np.bool_]) -> list[Run]:
    """The runs of buckets, one after the other, in which something holds, in order."""
    edges = np.diff(np.concatenate(([False], holds, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    return [Run(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]


def longest(found: list[Run]) -> Run | None:
    """The longest run, of equal ones the earliest."""
    return max(found, key=lambda run: run.length, default=None)


def current(found: list[Run], counts: NDArray[np.bool_]) -> Run | None:
    """The run that reaches the last bucket that counts; None where it is broken there."""
    told = np.flatnonzero(counts)
    if not found or not len(told):
        return None
    last = found[-1]
    return last if last.first + last.length - 1 == told[-1] else None
