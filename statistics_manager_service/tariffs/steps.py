"""Tiers at work: energy cut into steps, each with its price."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.pricing import energy_sums, runs_of
from statistics_manager_service.core.ratios import ONE, Ratio, columns
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.spans import civil_date, midnight_us, month_shares
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.tariffs.amounts import Amount, of_energy
from statistics_manager_service.tariffs.pieces import Linear, Mask, PieceColumns
from statistics_manager_service.tariffs.prices import Tiers
from statistics_manager_service.tariffs.terms import Segment, Term

#: More energy than any home takes; limits beyond it are none.
_MOST_MILLIWH: Final = 2**62


class StepPrice:
    """Tiers over a stretch of time, of all energy or of that of one period of a schedule.

    only: the schedule and the period. mine: the pieces of the stretch that are priced, (n,) bool.
    """

    def __init__(
        self,
        pieces: PieceColumns,
        tiers: Tiers,
        split_by: str | None,
        edges_us: Int64,
        only: tuple[str, str] | None = None,
    ) -> None:
        self._pieces, self._tiers, self._only = pieces, tiers, only
        stretch = pieces.stretch
        self._linears = [pieces.linear(step.price, split_by) for step in tiers.steps]
        self._by_segment = runs_of(pieces.segment)
        self.mine: Mask = np.ones(len(pieces.segment), np.bool_)
        if only is not None:
            self.mine = pieces.labels(only[0]) == stretch.term.inforce.clockwork.periods(only[0]).index(only[1])
        self._limits = [
            [
                _MOST_MILLIWH
                if step.upto is None
                else _limit(step.upto * MILLIWH_PER_KWH, tiers, segment, stretch.term)
                for segment in stretch.segments
            ]
            for step in tiers.steps
        ]
        self._years = [self._year(one, edges_us) for one in stretch.segments] if tiers.per == "year" else []

    def _year(self, segment: Segment, edges_us: Int64) -> tuple[int, Mask]:
        """The first piece of the year in which a segment lies, and which pieces from there to the segment count."""
        term = self._pieces.stretch.term
        year = civil_date(term.tariff.time_zone, segment.start_us).replace(month=1, day=1)
        begin_us = max(midnight_us(term.tariff.time_zone, year), term.start_us)
        begin = min(int(np.searchsorted(edges_us, begin_us)), segment.first)
        if self._only is None or begin == segment.first:
            return begin, np.ones(segment.first - begin, np.bool_)
        quarters = edges_us[begin : segment.first] // QUARTER_US
        clockwork = term.inforce.clockwork
        label = clockwork.labels(self._only[0], int(quarters[0]), int(quarters[-1] - quarters[0]) + 1)
        return begin, label[quarters - quarters[0]] == clockwork.periods(self._only[0]).index(self._only[1])

    def unknown(self) -> Mask | None:
        """Where in the stretch a step has no price, (n,) bool; None: nowhere."""
        known = [one.known for one in self._linears if one.known is not None]
        return self.mine & ~np.logical_and.reduce(known) if known else None

    def marginal(self, segment: Segment, energy_milliwh: Int64) -> Float64:
        """The price of the step that a segment's energy has reached, (n,) over the stretch."""
        stretch = self._pieces.stretch
        mine = self.mine[segment.first - stretch.first : segment.last - stretch.first]
        reached = int(energy_milliwh[segment.first : segment.last][mine].sum())
        reached += int(self._before(energy_milliwh[None], segment.number)[0])
        step = next(i for i, limits in enumerate(self._limits) if reached < limits[segment.number])
        return self._linears[step].floats(len(self.mine))

    def amounts(self, energy_milliwh: Int64, sign: int) -> Iterator[Amount]:
        """What energies, (h, m) int64 over all pieces of time, come to by segment, step and label."""
        stretch = self._pieces.stretch
        inside = np.where(self.mine, energy_milliwh[:, stretch.first : stretch.last], 0)
        before = np.stack([self._before(energy_milliwh, i) for i in range(len(stretch.segments))], axis=-1)
        if self._tiers.order == "chronological":
            yield from self._chronological(inside, before, sign)
        else:
            yield from self._proportional(inside, before, sign)

    def _before(self, energy_milliwh: Int64, number: int) -> Int64:
        """The energy of the year before a segment that counts, (h,)."""
        if not self._years:
            return np.zeros(len(energy_milliwh), np.int64)
        begin, counts = self._years[number]
        found: Int64 = energy_milliwh[:, begin : begin + len(counts)][:, counts].sum(axis=-1)
        return found

    def _proportional(self, inside: Int64, before: Int64, sign: int) -> Iterator[Amount]:
        """Each kilowatt-hour of a segment is shared alike over the steps."""
        whole = np.zeros_like(before)
        whole[:, self._by_segment.keys] = energy_sums(inside, self._by_segment)
        wholes = columns(np.maximum(whole, 1))
        low = before
        for step, linear in enumerate(self._linears):
            high = np.minimum(before + whole, np.maximum(np.array(self._limits[step], np.int64), before))
            parts = columns(high - low)
            for one in linear.sums(inside):
                number = one.key // len(linear.labels)
                share = Ratio(parts[number], wholes[number])
                yield from self._amount(step, linear, one, sign, share)
            low = high

    def _chronological(self, inside: Int64, before: Int64, sign: int) -> Iterator[Amount]:
        """The first kilowatt-hours of the time are the first step's."""
        ends = np.cumsum(inside, axis=-1)
        segment = self._pieces.segment
        first = np.array([one.first for one in self._pieces.stretch.segments]) - self._pieces.stretch.first
        begins = ends - inside
        offset = (before - begins[:, first])[:, segment]
        ends, begins = ends + offset, begins + offset
        low: Any = 0
        for step, linear in enumerate(self._linears):
            high = np.array(self._limits[step], np.int64)[segment]
            taken = np.clip(ends, low, high) - np.clip(begins, low, high)
            for one in linear.sums(taken):
                yield from self._amount(step, linear, one, sign, None)
            low = high

    def _amount(self, step: int, linear: Linear, one: Any, sign: int, share: Ratio | None) -> Iterator[Amount]:
        n = 1 if share is None else share.n
        if isinstance(one.energy, int) and not (n and (one.energy or one.unknown)):
            return  # of one home, nothing lies in this step
        number, label = divmod(one.key, len(linear.labels))
        price = linear.price_of(one.key)
        names = [linear.labels[label]] if self._only is None else [self._only[1], linear.labels[label]]
        yield of_energy(
            self._pieces.stretch.segments[number],
            next((name for name in reversed(names) if name), None),
            one.energy,
            -one.money if sign < 0 else one.money,
            -price if price is not None and sign < 0 else price,
            (one.unknown, one.substituted),
            ONE if share is None else share,
            self._name(step, number),
        )

    def _name(self, step: int, number: int) -> str | None:
        """A step as people read it; none where there is one alone."""
        if len(self._tiers.steps) == 1:
            return None
        low = self._limits[step - 1][number] if step else 0
        if self._tiers.steps[step].upto is None:
            return f"over {_kwh(low)} kWh"
        high = _kwh(self._limits[step][number])
        return f"{_kwh(low)} to {high} kWh" if low else f"up to {high} kWh"


def _limit(upto_milliwh: Decimal, tiers: Tiers, segment: Segment, term: Term) -> int:
    """A limit of a step in a segment, in whole milliwatt-hours."""
    if tiers.per == "day":
        factor = segment.days
    elif tiers.per == "month":
        shares = month_shares(term.tariff.time_zone, segment.start_us, segment.end_us)
        factor = sum((one.share for one in shares), Fraction(0))
    else:
        factor = Fraction(1) if tiers.per == "year" else segment.share
    return min(int(Fraction(upto_milliwh) * factor), _MOST_MILLIWH - 1)


def _kwh(milliwh: int) -> str:
    return f"{Decimal(milliwh) / MILLIWH_PER_KWH:.3f}".rstrip("0").rstrip(".")
