"""What the energy of a component costs: by the periods of a schedule, by a column of prices, by tiers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.tariffs.amounts import Amount, of_energy
from statistics_manager_service.tariffs.document import Energy
from statistics_manager_service.tariffs.pieces import Linear, Mask, PieceColumns, SeriesSource, no_series
from statistics_manager_service.tariffs.prices import Scheduled, Step, Tiered, Tiers
from statistics_manager_service.tariffs.resolving import resolve
from statistics_manager_service.tariffs.steps import StepPrice
from statistics_manager_service.tariffs.terms import Segment


class EnergyPrice:
    """An energy component over a stretch of time, ready to price any home's energy."""

    def __init__(self, component: Energy, columns: PieceColumns, edges_us: Int64) -> None:
        self.component, self._columns = component, columns
        stretch = columns.stretch
        price = resolve(component.price, stretch.term.parameters, stretch.on)
        self._sign = -1 if component.flow == "export" else 1
        self._steps: list[StepPrice] = []
        self.linear: Linear | None = None
        if isinstance(price, Tiered):
            self._steps = [StepPrice(columns, price.tiers, component.split_by, edges_us)]
        elif isinstance(price, Scheduled) and any(isinstance(one, Tiered) for one in price.values.values()):
            for name in stretch.term.inforce.clockwork.periods(price.schedule):
                one = price.values[name]
                tiers = one.tiers if isinstance(one, Tiered) else Tiers(steps=[Step(price=one)])
                only = (price.schedule, name)
                self._steps.append(StepPrice(columns, tiers, component.split_by, edges_us, only))
        else:
            self.linear = columns.linear(price, component.split_by)
        by_label = None if self.linear is None else self.linear.by_label
        self._prices = None if by_label is None else [Fraction(one) * self._sign for one in by_label]

    @property
    def is_linear(self) -> bool:
        """Whether the cost of two energies is the sum of their costs."""
        return self.linear is not None

    def amounts(self, energy_milliwh: Int64) -> list[Amount]:
        """What energies, (h, m) int64 over all pieces of time, come to by segment and label."""
        if self.linear is not None:
            stretch = self._columns.stretch
            return list(self._linear_amounts(self.linear, energy_milliwh[:, stretch.first : stretch.last]))
        return [amount for steps in self._steps for amount in steps.amounts(energy_milliwh, self._sign)]

    def _linear_amounts(self, linear: Linear, energy_milliwh: Int64) -> Iterator[Amount]:
        segments, count, is_credit = self._columns.stretch.segments, len(linear.labels), self._sign < 0
        for one in linear.sums(energy_milliwh):
            number, label = divmod(one.key, count)
            money = -one.money if is_credit else one.money
            price = None if self._prices is None else self._prices[label]
            lacking = (one.unknown, one.substituted)
            yield of_energy(segments[number], linear.labels[label], one.energy, money, price, lacking)

    def weights(self, energy_milliwh: Int64) -> NDArray[Any]:
        """How the amounts of the component spread over the pieces of its stretch, (n,) integers: each piece's energy
        times its price; of tiers, its energy."""
        stretch = self._columns.stretch
        energy = energy_milliwh[stretch.first : stretch.last]
        if self.linear is None:
            return energy
        if self.linear.known is not None:
            energy = np.where(self.linear.known, energy, 0)
        return (Decimals(energy, 0) * self.linear.prices()).units

    def unknown(self) -> Mask | None:
        """Where in the stretch there is no price, (n,) bool; None: nowhere."""
        if self.linear is not None:
            return None if self.linear.known is None else ~self.linear.known
        found = [one for one in (steps.unknown() for steps in self._steps) if one is not None]
        return np.logical_or.reduce(found) if found else None

    def marginal(self, segment: Segment, energy_milliwh: Int64) -> Float64:
        """What one more kWh costs in each piece of the stretch, (n,) float64, NaN where it is not known; of tiers, at
        the step that a segment's energy, (m,) over all pieces of time, has reached."""
        stretch = self._columns.stretch
        size = stretch.last - stretch.first
        if self.linear is not None:
            return self.linear.floats(size)
        out = np.zeros(size)
        for steps in self._steps:
            out = np.where(steps.mine, steps.marginal(segment, energy_milliwh), out)
        return out


__all__ = ["Amount", "EnergyPrice", "Linear", "Mask", "PieceColumns", "SeriesSource", "no_series"]
