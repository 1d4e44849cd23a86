"""Columns of exact decimal numbers: integers and a common number of decimal places.

A price times an energy, summed over a year, stays exact: sums and products of decimals are decimals. Columns are int64
as long as every result fits, else Python's integers, which are slower and never overflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 2**63 - 1
#: The usual context would round to 28 digits.
_EXACT = Context(prec=1_000, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Decimals:
    """(n,) exact decimal numbers, or one that stands for all (shape (1,)): units × 10**-places.

    units: int64, or object (Python's integers) where int64 is too small.
    """

    units: NDArray[Any]
    places: int

    def __len__(self) -> int:
        return len(self.units)

    def __add__(self, other: Decimals) -> Decimals:
        places = max(self.places, other.places)
        mine, others = self.units_at(places), other.units_at(places)
        return Decimals(_widened(mine, others, _bound(mine) + _bound(others), np.add), places)

    def __mul__(self, other: Decimals) -> Decimals:
        bound = _bound(self.units) * _bound(other.units)
        return Decimals(_widened(self.units, other.units, bound, np.multiply), self.places + other.places)

    def minimum(self, other: Decimals) -> Decimals:
        """The smaller of each pair."""
        return self._choose(other, np.minimum)

    def maximum(self, other: Decimals) -> Decimals:
        """The greater of each pair."""
        return self._choose(other, np.maximum)

    def _choose(self, other: Decimals, choose: Any) -> Decimals:
        places = max(self.places, other.places)
        mine, others = self.units_at(places), other.units_at(places)
        return Decimals(_widened(mine, others, 0, choose), places)

    def units_at(self, places: int) -> NDArray[Any]:
        """The units at a number of places that is no smaller."""
        factor = 10 ** (places - self.places)
        if factor == 1:
            return self.units
        return _widened(self.units, np.array([factor], object), _bound(self.units) * factor, np.multiply)

    def at(self, i: int) -> Fraction:
        """One of the numbers."""
        return Fraction(int(self.units[i if len(self.units) > 1 else 0]), 10**self.places)

    def spread(self, size: int) -> Decimals:
        """The same as a column of `size` numbers."""
        if len(self.units) == size:
            return self
        return Decimals(np.broadcast_to(self.units, (size,)), self.places)


def decimals_of(values: Sequence[Decimal]) -> Decimals:
    """Finite decimal numbers as a column, exact."""
    places = max((max(-int(one.as_tuple().exponent), 0) for one in values), default=0)
    return Decimals(_narrow([int(_EXACT.scaleb(one, places)) for one in values]), places)


def exact_sum(values: Iterable[Fraction]) -> Fraction:
    """The sum of fractions, reduced once at the end: of amounts in cents it is one of integers."""
    numerator, denominator = 0, 1
    for one in values:
        if one.denominator == denominator:
            numerator += one.numerator
            continue
        common = math.lcm(denominator, one.denominator)
        numerator = numerator * (common // denominator) + one.numerator * (common // one.denominator)
        denominator = common
    return Fraction(numerator, denominator)


def constant(value: Decimal) -> Decimals:
    """One number that stands for all."""
    return decimals_of([value])


def _bound(units: NDArray[Any]) -> int:
    """The greatest absolute value."""
    if not len(units):
        return 0
    return max(int(units.max()), -int(units.min()))


def _narrow(units: Sequence[int]) -> NDArray[Any]:
    fits = all(-_MOST <= one <= _MOST for one in units)
    return np.array(units, np.int64 if fits else object)


def _widened(mine: NDArray[Any], others: NDArray[Any], bound: int, how: Any) -> NDArray[Any]:
    """The result of an operation whose results are within ±bound: int64 where that is enough."""
    fits = bound <= _MOST and _bound(mine) <= _MOST and _bound(others) <= _MOST
    kind = np.int64 if fits else object
    result: NDArray[Any] = how(mine.astype(kind, copy=False), others.astype(kind, copy=False))
    return result
