"""The quarter-hour grid and the blocks of stored readings: both aligned to UTC, both defined here alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, S_PER_HOUR, US_PER_S

#: Length of a block of stored readings. Six hours was measured best for both a live stream and a bulk import.
BLOCK_S: Final = 6 * S_PER_HOUR
BLOCK_US: Final = BLOCK_S * US_PER_S


def quarter_of(at_us: int) -> int:
    """The quarter-hour (counted from 1970-01-01 UTC) in which an instant lies."""
    return at_us // QUARTER_US


def quarter_after(at_us: int) -> int:
    """The first quarter-hour that begins at or after an instant."""
    return -(-at_us // QUARTER_US)


def day_of_quarter(quarter: int) -> int:
    """The UTC day of a quarter-hour."""
    return quarter // QUARTERS_PER_DAY


def block_of(at_us: int) -> int:
    """The block of stored readings in which an instant lies."""
    return at_us // BLOCK_US


def ragged_ranges(first: Int64, count: Int64) -> tuple[Int64, Int64]:
    """Concatenated ranges first[i] … first[i]+count[i]-1, and the owner i of each item.

    first, count: (c,) int64. Returns two (sum(count),) int64 arrays.
    """
    owner = np.repeat(np.arange(len(first), dtype=np.int64), count)
    before = np.cumsum(count) - count
    return np.arange(int(count.sum()), dtype=np.int64) - before[owner] + first[owner], owner


def same_owner(offsets: Int64, size: int) -> NDArray[np.bool_]:
    """For ragged columns with (c+1,) offsets: whether item i and item i+1 belong to the same channel, (size-1,)."""
    same = np.ones(max(size - 1, 0), dtype=np.bool_)
    cuts = offsets[1:-1]
    same[cuts[(cuts > 0) & (cuts < size)] - 1] = False
    return same
