"""What the running billing period will come to: measured so far, and the rest as it may turn out, billed as a whole.

The rest is drawn many times from whole days of the home's own past (core/resampling.py), at the level that the home's
forecast expects, and each draw is billed by the same plan as the statement will be: thresholds, tiers, peaks, netting,
caps and shares of taxes come out as they would. The bill in the middle of all draws is the projection, so its lines add
up to it; four draws of five lie in its range.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from statistics_manager_service.core.forecasting import forecast
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.resampling import (
    DAYS_DRAWN,
    FAR_DAYS,
    PastDays,
    donors_of,
    drawn_days,
    drawn_energy,
    level_changes,
    level_factors,
    past_days,
    wall_days,
)
from statistics_manager_service.core.spans import civil_date
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.money.bills import Billed, Wanted
from statistics_manager_service.services.money.home_flows import EXPORT, IMPORT, KNOWN_SHARE, Flows
from statistics_manager_service.services.money.statements import statement_of
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.prices.price_series import PriceColumns
from statistics_manager_service.services.prices.stand_in_prices import DAYS, StandInPrices
from statistics_manager_service.tariffs.billing import Bill
from statistics_manager_service.tariffs.statement import Statement

#: The share of the draws that lie in the range: those from the 10th to the 90th percentile.
LEVEL: Final = 0.8
#: Draws: odd, so that one is in the middle. A plan of so many pieces of time, whose bills take long, gets fewer.
_DRAWS: Final = 35
_FEW_DRAWS: Final = 15
_MANY_PIECES: Final = 12_000
_OUTSIDE: Final = 10
_WEEK_DAYS: Final = 7
#: Readings that come so late are nothing to tell of.
_LOST_DAYS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Projection:
    """What a running period will come to, with the range of its gross.

    statement: of the draw in the middle. usage: what it bills. days_ahead: days that are not measured. method: how it
    was made. notes: what to mind.
    """

    statement: Statement
    low: Fraction
    high: Fraction
    import_milliwh: int
    export_milliwh: int
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoProjection:
    """Why there is none."""

    why: str


class Projecting:
    """Makes projections. columns: of the series of prices."""

    def __init__(self, columns: PriceColumns) -> None:
        self._stand_ins = StandInPrices(columns)

    def of(self, view: ReadView, billed: Billed, flows: Flows, now_us: int) -> Projection | NoProjection:
        """The projection of a bill's only period, in which now lies. flows: of the home, over its past and the time of
        the bill's plan."""
        household, (period,) = billed.home.household, billed.periods
        first_us = int(flows.edges_us[0])
        past = flows.between(first_us, -(-now_us // QUARTER_US) * QUARTER_US)
        rest = _Rest.of(past, flows.between(period.start_us, period.end_us), household.timezone)
        if not rest.days_known:
            return NoProjection("too little is measured for a projection: of no day yet all of it is known")
        stood_in = self._stand_ins.of(view, billed.plan)
        base = flows.between(int(billed.plan.edges_us[0]), int(billed.plan.edges_us[-1]))
        begin = int(np.searchsorted(base.edges_us, period.start_us))
        seed = _seed(household.id, civil_date(household.timezone, now_us).isoformat())
        draws = _FEW_DRAWS if len(billed.plan.edges_us) > _MANY_PIECES else _DRAWS
        made = []
        for energy in rest.draws(draws, seed):
            more = np.zeros_like(base.energy_milliwh)
            more[:, begin : begin + energy.shape[1]] = energy
            usage = replace(billed.usage, usage=base.usage(more))
            made.append(replace(billed, plan=stood_in.plan, usage=usage, bill=stood_in.plan.bill(usage.usage)))
        made.sort(key=lambda one: _gross(one.bill))
        chosen = [made[i] for i in _percentiles(len(made))]
        wanted = Wanted(period.start_us, period.end_us)
        low, middle, high = (statement_of(one, wanted, now_us) for one in chosen)
        lacking = sorted({line.component for one in middle.periods for line in one.lines if line.missing_price_share})
        if lacking:
            return NoProjection(f"prices of {', '.join(lacking)} are not known, nor any that could stand in for them")
        grosses = [low.gross, middle.gross, high.gross]
        last = begin + rest.pieces
        metered = chosen[1].usage.usage
        return Projection(
            middle,
            min(grosses),
            max(grosses),
            int(metered.import_milliwh[begin:last].sum()),
            int(metered.export_milliwh[begin:last].sum()),
            rest.method(draws),
            (*rest.notes(now_us), *_of_prices(stood_in.names)),
        )


def _percentiles(count: int) -> tuple[int, int, int]:
    """The places of the 10th percentile, the middle and the 90th of as many bills in order."""
    return count // _OUTSIDE, count // 2, count - 1 - count // _OUTSIDE


def _gross(bill: Bill) -> Fraction:
    return sum((item.gross for segment in bill.segments for item in segment.items), Fraction(0))


def _seed(*words: str) -> int:
    """The same for the same home and day, whoever works it out."""
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8])


def _of_prices(names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield (
            f"for the projection, prices of {', '.join(names)} that are not known are the mean of the same hours of "
            f"the last {DAYS} known days"
        )


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a period is not measured, and the past from which it is drawn.

    history: the quarter-hours up to now, (f, n), from first_quarter on. missing: (f, m) float64, the hours of each of
    the period's m pieces that are not known, in quarter-hours.
    """

    zone: str
    first_quarter: int
    history: Float64
    past: PastDays
    totals: Float64
    quarter: Int64
    missing: Float64

    @classmethod
    def of(cls, past: Flows, period: Flows, zone: str) -> _Rest:
        """The rest of a period."""
        first_quarter, history = past.quarters()
        days = past_days(first_quarter, history, zone)
        length = np.diff(period.edges_us) / QUARTER_US
        missing = np.where(period.share < KNOWN_SHARE, (1 - period.share) * length, 0.0)
        quarter = period.edges_us[:-1] // QUARTER_US
        return cls(zone, first_quarter, history, days, days.totals(), quarter, missing)

    @property
    def pieces(self) -> int:
        """Pieces of the period."""
        return len(self.quarter)

    @property
    def days_known(self) -> int:
        """Days of the past of which all is known."""
        return int(np.isfinite(self.totals).all(axis=0).sum())

    @property
    def days_ahead(self) -> float:
        """Days that are not known."""
        return float(self.missing.max(axis=0).sum()) / QUARTERS_PER_DAY

    def draws(self, count: int, seed: int) -> Iterator[Int64]:
        """What the pieces of the period take more than is known, (f, m) int64, in so many draws; one, of nothing, where
        nothing is missing."""
        ahead = np.flatnonzero(self.missing.max(axis=0) > 0)
        out = np.zeros(self.missing.shape, np.int64)
        if not len(ahead):
            yield out
            return
        first = int(self.quarter[ahead[0]])
        day, slot = wall_days(first, int(self.quarter[ahead[-1]]) - first + 1, self.zone)
        days, row = np.unique(day[self.quarter[ahead] - first], return_inverse=True)
        donors, any_ago = donors_of(self.past, self.totals, days)
        drawn = drawn_days(donors, count, seed)
        energy = drawn_energy(self.past, donors, drawn, row, slot[self.quarter[ahead] - first])
        energy = energy * self.missing[:, ahead]
        sums = energy.sum(axis=2)
        length = max(round(self.days_ahead), 1)
        changes = level_changes(self.totals, min(length, DAYS_DRAWN) if any_ago else length)
        direction = np.ones(len(self.missing))
        direction[EXPORT] = -1.0  # with less sun more is taken and less is given
        wanted = self._expected(energy, ahead) * level_factors(changes, direction, count)
        scale = wanted / np.where(sums > 0, sums, 1.0)
        for one, each in zip(energy, scale, strict=True):
            out = np.zeros(self.missing.shape, np.int64)
            out[:, ahead] = np.rint(one * each[:, np.newaxis]).astype(np.int64)
            yield out

    def _expected(self, drawn: Float64, ahead: Int64) -> Float64:
        """What each flow is expected to come to, (f,): the mean of the draws, and of what is taken the home's forecast
        as far as it reaches."""
        expected = drawn.mean(axis=0)
        for i, known in enumerate(self.history):
            told = np.flatnonzero(np.isfinite(known))
            if i == EXPORT or not len(told):
                continue
            first = self.first_quarter + int(told[-1]) + 1
            count = min(FAR_DAYS * QUARTERS_PER_DAY, int(self.quarter[-1]) - first + 1)
            if count <= 0 or not known[told].any():
                continue
            told_ahead = forecast(self.first_quarter, known, first, count, self.zone)
            place = self.quarter[ahead] - first
            inside = (place >= 0) & (place < count)
            inside[inside] = np.isfinite(told_ahead[place[inside]])
            expected[i, inside] = told_ahead[place[inside]] * self.missing[i, ahead[inside]]
        sums: Float64 = expected.sum(axis=1)
        return sums

    def method(self, draws: int) -> str:
        """How the projection is made, in a sentence."""
        days = self.days_ahead
        if not days:
            return "All of the period is measured."
        return (
            f"{days:.1f} days that are not measured are drawn {draws} times from whole days of the home's past, at the "
            f"level of its forecast, which reaches {FAR_DAYS} days ahead; the level is varied as it has changed over "
            f"such a time before. Each draw is billed with what is measured; this is the one in the middle."
        )

    def notes(self, now_us: int) -> Iterator[str]:
        """What to mind."""
        if self.days_known < _WEEK_DAYS:
            some = "1 day is" if self.days_known == 1 else f"{self.days_known} days are"
            yield f"the projection rests on little: {some} known, less than a week"
        behind = self.quarter < now_us // QUARTER_US
        lost = float(self.missing[IMPORT, behind].sum()) / QUARTERS_PER_DAY
        if lost >= _LOST_DAYS:
            yield f"of the time up to now {lost:.1f} days are not measured; the projection has what is usual there"
