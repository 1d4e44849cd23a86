"""Measured demand: the greatest mean powers of a month, as demand charges choose them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from statistics_manager_service.core.readings import Int64


def greatest(energy_milliwh: Int64, weight: Int64, distinct: Int64 | None, n: int) -> list[int]:
    """The places of the n greatest weighted demands, greatest first; of equal ones the earlier counts.

    energy_milliwh, weight: (d,) int64, of intervals; those without weight do not count. distinct: (d,) int64, day or
    week of each interval where no two may be of the same; None: any.
    """
    value = energy_milliwh * weight
    counts = np.flatnonzero(weight > 0)
    order = counts[np.argsort(-value[counts], kind="stable")]
    if distinct is None:
        return [int(one) for one in order[:n]]
    chosen: list[int] = []
    seen: set[int] = set()
    for place in order.tolist():
        if int(distinct[place]) not in seen:
            seen.add(int(distinct[place]))
            chosen.append(place)
            if len(chosen) == n:
                break
    return chosen


def aggregate(values: list[Fraction], how: str) -> Fraction:
    """The mean or the greatest of some demands; 0 of none."""
    if not values:
        return Fraction(0)
    return max(values) if how == "max" else sum(values, Fraction(0)) / len(values)
