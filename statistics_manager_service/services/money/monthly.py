"""A statement's sums by civil month and by what its lines are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.services.money.cost_curves import EXPORT, FIXED, IMPORT, CostCurve
from statistics_manager_service.tariffs.lines import rounded
from statistics_manager_service.tariffs.statement import PEAK, Period, Statement


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts in the currency."""

    net: Fraction
    tax: Fraction
    gross: Fraction


Months = tuple[Sums, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one component and period of its schedule together. period_title: what people read of it."""

    kind: str
    component: str
    title: str
    period: str | None
    period_title: str | None
    unit: str
    quantity: Fraction
    sums: Sums

    @property
    def unit_price(self) -> Fraction | None:
        """The mean price before tax."""
        return self.sums.net / self.quantity if self.quantity else None


def groups_of(statement: Statement) -> tuple[Group, ...]:
    """The lines of all billing periods, those of one component and period of its schedule together, in the order of the
    bill. Of a demand charge all months stand together."""
    sums: dict[tuple[str, str, str, str | None, str | None, str], list[Fraction]] = {}
    for period in statement.periods:
        for line in period.lines:
            label, title = (None, None) if line.kind == PEAK else (line.period, line.period_title)
            key = (line.kind, line.component, line.title, label, title, line.unit)
            total = sums.setdefault(key, [Fraction(0)] * 4)
            for i, value in enumerate((line.quantity, line.net, line.tax, line.gross)):
                total[i] += value
    return tuple(Group(*key, quantity, Sums(*amounts)) for key, (quantity, *amounts) in sums.items())


def months_of(billed: Billed, statement: Statement, edges_us: Sequence[int]) -> Months:
    """What a statement comes to in each of some civil months, whose edges are given; they add up to the statement.

    A billing period that lies in several months is shared among them as its costs arise, and rounded as running totals
    are.
    """
    found = [[Fraction(0), Fraction(0)] for _ in edges_us[1:]]
    parts = [
        [period.start_us, *(edge for edge in edges_us if period.start_us < edge < period.end_us), period.end_us]
        for period in statement.periods
    ]
    running = _running(billed, [edge for cuts in parts if len(cuts) > 2 for edge in cuts])
    for period, cuts in zip(statement.periods, parts, strict=True):
        first = int(np.searchsorted(edges_us, period.start_us, side="right")) - 1
        shares = _shares(cuts, running) if len(cuts) > 2 else [Fraction(1)]
        for i, amounts in enumerate(_shared(period, shares, statement.money_decimals)):
            found[first + i][0] += amounts[0]
            found[first + i][1] += amounts[1]
    return tuple(Sums(net, tax, net + tax) for net, tax in found)


def _running(billed: Billed, edges_us: Sequence[int]) -> dict[int, int]:
    """What a bill has come to at some instants."""
    if not edges_us:
        return {}
    curve = CostCurve(billed.plan, billed.bill)
    edges = np.unique(np.array(edges_us, np.int64))
    costs = (curve.at(edges, role) for role in (IMPORT, FIXED, EXPORT))
    return {edge: a + b - c for edge, a, b, c in zip(edges.tolist(), *costs, strict=True)}


def _shares(cuts_us: Sequence[int], running: dict[int, int]) -> list[Fraction]:
    """How a billing period's costs are shared among its parts; by time where some of them bring money."""
    parts = [running[b] - running[a] for a, b in pairwise(cuts_us)]
    if sum(parts) <= 0 or min(parts) < 0:  # shares of them would be more than the whole
        parts = [b - a for a, b in pairwise(cuts_us)]
    return [Fraction(part, sum(parts)) for part in parts]


def _shared(period: Period, shares: Sequence[Fraction], decimals: int) -> list[tuple[Fraction, Fraction]]:
    """Net and tax of each part, differences of rounded running totals."""
    if len(shares) == 1:
        return [(period.net, period.tax)]
    found = []
    share, before = Fraction(0), (Fraction(0), Fraction(0))
    for i, one in enumerate(shares):
        share += one
        if i + 1 == len(shares):
            now = (period.net, period.tax)
        else:
            now = (rounded(period.net * share, decimals), rounded(period.tax * share, decimals))
        found.append((now[0] - before[0], now[1] - before[1]))
        before = now
    return found
