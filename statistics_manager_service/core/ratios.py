"""Exact rational numbers, one or a column of them: of one home by Python's integers, of many by arrays of them.

`fractions.Fraction` reduces each result, which takes longer than all else of a bill; here nothing is reduced until a
number is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An integer of Python, or a column of them: (h,) object.
Whole = int | NDArray[Any]
#: A truth, or a column of them: (h,) bool.
Truth = bool | NDArray[np.bool_]


class Ratio:
    """n / d, where d > 0; n and d are integers or columns of them. Not reduced."""

    __slots__ = ("d", "n")

    def __init__(self, n: Whole, d: Whole = 1) -> None:
        self.n, self.d = n, d

    @classmethod
    def of(cls, value: Fraction | Decimal | int) -> Ratio:
        """A number."""
        return cls(*value.as_integer_ratio())

    def __repr__(self) -> str:
        return f"Ratio({self.n}, {self.d})"

    def __add__(self, other: Ratio) -> Ratio:
        d, others = self.d, other.d
        if isinstance(d, int) and isinstance(others, int):
            if d == others:
                return Ratio(self.n + other.n, d)
            common = math.lcm(d, others)
            return Ratio(self.n * (common // d) + other.n * (common // others), common)
        if d is others:
            return Ratio(self.n + other.n, d)
        return Ratio(self.n * others + other.n * d, d * others)

    def __neg__(self) -> Ratio:
        return Ratio(-self.n, self.d)

    def __sub__(self, other: Ratio) -> Ratio:
        return self + -other

    def __mul__(self, other: Ratio) -> Ratio:
        return Ratio(self.n * other.n, self.d * other.d)

    def __le__(self, other: Ratio) -> Truth:
        truth: Truth = self.n * other.d <= other.n * self.d
        return truth

    def __ge__(self, other: Ratio) -> Truth:
        return other <= self

    def least(self, other: Ratio) -> Ratio:
        """The smaller of each pair."""
        return choose(self <= other, self, other)

    def greatest(self, other: Ratio) -> Ratio:
        """The greater of each pair."""
        return choose(self <= other, other, self)

    def over(self, other: Ratio) -> Ratio:
        """This divided by others, none of which is negative; where one is 0, 0."""
        is_some = other.n > 0
        return Ratio(chosen(is_some, self.n * other.d, 0), chosen(is_some, self.d * other.n, 1))

    @property
    def fraction(self) -> Fraction:
        """One number, reduced."""
        n, d = self.n, self.d
        if isinstance(n, int) and isinstance(d, int):
            return Fraction(n, d)
        return self.at(0)

    def at(self, i: int) -> Fraction:
        """One number of a column, reduced; a number stands for all of them."""
        n, d = (one if isinstance(one, int) else one[i] for one in (self.n, self.d))
        return Fraction(n, d)

    def rounded(self, decimals: int, mode: str = "half_up") -> Whole:
        """In 10**-decimals: rounded to whole ones; halves away from zero, or to the even neighbour."""
        n, d = self.n * 10**decimals, self.d
        if mode == "half_even":
            whole = n // d
            twice = 2 * (n - whole * d)
            even: Whole = whole + chosen(twice == d, whole % 2, chosen(twice > d, 1, 0))
            return even
        if isinstance(n, int) and isinstance(d, int):
            return (2 * n + d) // (2 * d) if n >= 0 else -((d - 2 * n) // (2 * d))
        half_up = (2 * abs(n) + d) // (2 * d)
        return chosen(n < 0, -half_up, half_up)


ZERO = Ratio(0)
ONE = Ratio(1)


def chosen(truth: Truth, one: Whole, other: Whole) -> Whole:
    """One where it is true, else the other."""
    if isinstance(truth, bool):
        return one if truth else other
    # as objects: NumPy would take an integer as one of 64 bits
    result: NDArray[Any] = np.where(truth, np.asarray(one, object), np.asarray(other, object))
    return result


def choose(truth: Truth, one: Ratio, other: Ratio) -> Ratio:
    """One where it is true, else the other."""
    if isinstance(truth, bool):
        return one if truth else other
    return Ratio(chosen(truth, one.n, other.n), chosen(truth, one.d, other.d))


def total(some: Iterable[Ratio]) -> Ratio:
    """The sum, 0 of none. Those of one denominator are added up as integers."""
    found: dict[int, Ratio] = {}
    for one in some:
        key = one.d if isinstance(one.d, int) else id(one.d)
        known = found.get(key)
        found[key] = one if known is None else Ratio(known.n + one.n, one.d)
    sums = list(found.values())
    result = sums[0] if sums else ZERO
    for one in sums[1:]:
        result = result + one
    return result


def columns(table: NDArray[Any]) -> list[Whole]:
    """The columns of a table, (h, k), as whole numbers: of one home integers, of many (h,) object."""
    if len(table) == 1:
        ones: list[Whole] = table[0].tolist()
        return ones
    return list(table.T.astype(object))
