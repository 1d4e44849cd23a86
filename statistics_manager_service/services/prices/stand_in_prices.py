"""Prices that stand in for those that are not known yet: for projections alone, never for a bill."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.schedules import Mask, wall_quarters
from statistics_manager_service.core.units import QUARTERS_PER_DAY
from statistics_manager_service.errors import NotFound
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.prices.price_series import PriceColumns
from statistics_manager_service.tariffs.billing import Plan
from statistics_manager_service.tariffs.energy import no_series

#: A missing price is the mean of those at the same time of the last so many days that are known.
DAYS: Final = 7
#: How far before a time they are looked for.
_BACK_DAYS: Final = 28
_MOST_PLANS: Final = 16


@dataclass(frozen=True, slots=True)
class StoodIn:
    """A plan with prices of series at all times. names: of the series in which some stand in."""

    plan: Plan
    names: tuple[str, ...]


class StandInPrices:
    """Makes plans whose series have no missing prices; those made again from the same plan are remembered."""

    def __init__(self, columns: PriceColumns) -> None:
        self._columns = columns
        self._made: OrderedDict[int, tuple[Plan, StoodIn]] = OrderedDict()
        self._lock = Lock()

    def of(self, view: ReadView, plan: Plan) -> StoodIn:
        """The plan with prices that stand in, or itself where it needs none."""
        if not any(term.tariff.series for term in plan.terms):
            return StoodIn(plan, ())
        with self._lock:
            known = self._made.get(id(plan))
            if known is not None:  # its plan is held here, so no other one can have its id
                self._made.move_to_end(id(plan))
                return known[1]
        made = self._filled(view, plan)
        with self._lock:
            self._made[id(plan)] = (plan, made)
            while len(self._made) > _MOST_PLANS:
                self._made.popitem(last=False)
        return made

    def _filled(self, view: ReadView, plan: Plan) -> StoodIn:
        zone, currency = plan.terms[0].tariff.time_zone, plan.terms[0].tariff.currency
        names: dict[str, None] = {}

        def read(name: str, first: int, count: int) -> tuple[Decimals, Mask]:
            back = _BACK_DAYS * QUARTERS_PER_DAY
            try:
                found = self._columns.quarters(view, name, first - back, back + count)
            except NotFound:
                return no_series(name, first, count)
            if found.currency not in (None, currency):  # which prices nothing, as in a bill
                return no_series(name, first, count)
            if found.known[back:].all():
                return Decimals(found.values.units[back:], found.values.places), found.known[back:]
            names[name] = None
            slot = wall_quarters(zone, "civil", first - back, back + count) % QUARTERS_PER_DAY
            units, known = same_times(found.values.units, found.known, slot, back)
            return Decimals(units, found.values.places), known

        filled = Plan(plan.terms, plan.periods, plan.edges_us, read)
        return StoodIn(filled, tuple(names))


def same_times(units: NDArray[Any], known: Mask, slot: Int64, begin: int) -> tuple[NDArray[Any], Mask]:
    """Values from the place `begin` on, those that are missing filled by the mean of the last DAYS known ones of the
    same slot before them, or the first ones behind them; and which are known then.

    units: (n,) integers. known: (n,) bool. slot: (n,) int64, the quarter-hour of the day.
    """
    out, is_known = units.copy(), known.copy()
    missing = np.flatnonzero(~known[begin:]) + begin
    for one in np.unique(slot[missing]).tolist():
        told = np.flatnonzero(known & (slot == one))
        if not len(told):
            continue
        mine = missing[slot[missing] == one]
        before = np.searchsorted(told, mine)
        for place in np.unique(before).tolist():
            some = told[max(place - DAYS, 0) : place] if place else told[:DAYS]
            total, count = sum(units[some].tolist()), len(some)
            filled = mine[before == place]
            out[filled] = (2 * total + count) // (2 * count)
            is_known[filled] = True
    return out[begin:], is_known[begin:]
