"""Measured demand: the greatest mean powers of a time, as demand charges choose them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64

#: Of what does not count.
NOT_COUNTED = -1


def greatest(value: NDArray[Any], starts: Int64 | None, n: int) -> NDArray[Any]:
    """The n greatest demands of homes, (h, ≤n), greatest first; NOT_COUNTED where there are fewer.

    value: (h, d) of intervals, NOT_COUNTED where they do not count, int64 or Python's integers. starts: (g,) int64, the
    first interval of each day or week of which no two may be chosen; None: any.
    """
    if not value.shape[-1]:
        return value
    if starts is not None:
        value = np.maximum.reduceat(value, starts, axis=-1)
    if n == 1:
        one: NDArray[Any] = value.max(axis=-1, keepdims=True)
        return one
    return np.sort(value, axis=-1)[..., : -n - 1 : -1]
