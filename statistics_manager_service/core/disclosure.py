"""What may be told of many homes so that nothing is told of one: least numbers, dominance, rounded quantiles.

Source: Hundepool et al., Statistical Disclosure Control (Wiley, 2012): of tables of magnitudes, the minimum frequency
rule and the p% rule. The p% rule takes the second largest contributor as the one who wants to know, as any home of a
group can be: subtracting its own figure from the sum must not tell it the largest to within p per cent.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64, Int64

#: Fewer homes than this are never told of.
LEAST: Final = 10
#: The p of the p% rule.
P_PERCENT: Final = 50
#: From so many homes on deciles are told instead of quartiles: then ten homes lie between two of them.
_LEAST_OF_DECILES: Final = 100
_DIGITS: Final = 2
_PER_CENT: Final = 100


def may_be_told(contributions: Int64) -> NDArray[np.bool_]:
    """Whether sums over homes may be told, (n,) for n sums.

    contributions: (h, n) int64, of each home to each sum; a home without any has 0. At least LEAST of them must be
    other than 0, so a sum of nothing is not told either: it would tell of each home that it has none. What remains
    without the two largest must be P_PERCENT of the largest or more. Contributions may be negative: their magnitudes
    count.
    """
    if len(contributions) < LEAST:
        return np.zeros(contributions.shape[1], np.bool_)
    magnitude = np.abs(contributions)
    largest = np.partition(magnitude, -2, axis=0)[-2:]
    rest = magnitude.sum(axis=0) - largest.sum(axis=0)
    enough = (magnitude > 0).sum(axis=0) >= LEAST
    # as a quotient, for a hundred times what a home may write would leave 64 bits
    told: NDArray[np.bool_] = enough & (rest >= largest[1] / _PER_CENT * P_PERCENT)
    return told


def percents_told(homes: int) -> tuple[int, ...]:
    """Which percentiles of so many homes are told; none of fewer than LEAST."""
    if homes < LEAST:
        return ()
    return tuple(range(10, _PER_CENT, 10)) if homes >= _LEAST_OF_DECILES else (25, 50, 75)


def rounded_percentiles(values: Float64, percents: tuple[int, ...]) -> list[float]:
    """Percentiles of values (h,), linear between neighbours (type 7 of Hyndman and Fan, 1996), to two digits."""
    return [two_digits(float(one)) for one in np.percentile(values, percents)]


def open_percentiles(values: Float64, percents: tuple[int, ...]) -> dict[int, float]:
    """Rounded percentiles of values (h,) that may be told, by per cent; none where fewer than LEAST are other than 0,
    or where the lowest and the highest one are the same: then they are the figure of nearly each home."""
    told = rounded_percentiles(values, percents)
    if np.count_nonzero(values) < LEAST or told[0] == told[-1]:
        return {}
    return dict(zip(percents, told, strict=True))


def two_digits(value: float) -> float:
    """A number rounded to two significant digits."""
    return float(f"{value:.{_DIGITS - 1}e}") if value else 0.0


def rank_between(value: float, points: dict[int, float]) -> tuple[int, int]:
    """Between which percentiles a value lies, by percentiles that are told: a function of what is known anyway.

    points: {per cent: value}, increasing. A value that equals points lies from the lowest of them to the highest.
    """
    below = [percent for percent, point in points.items() if point <= value]
    above = [percent for percent, point in points.items() if point >= value]
    same = [percent for percent, point in points.items() if point == value]
    if same:
        return same[0], same[-1]
    return max(below, default=0), min(above, default=_PER_CENT)


def percentile_rank(value: float, others: Float64) -> float:
    """The share of others, (h,), that lie below a value, in per cent; those that equal it count half."""
    below = int((others < value).sum()) * 2 + int((others == value).sum())
    return below * _PER_CENT / (2 * len(others))
