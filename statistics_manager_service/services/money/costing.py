"""Cost measures in buckets: what import costs, what export brings, what is fixed, prices, and the peak demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH, S_PER_HOUR, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column, Lack
from statistics_manager_service.services.money.bills import Billed, Bills, Wanted
from statistics_manager_service.services.money.cost_curves import EXPORT, FIXED, IMPORT, CostCurve, differences
from statistics_manager_service.services.money.marginal import marginal_prices
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.tariffs.energy import EnergyPrice

COST_MEASURES: Final = measures_of(Family.COST)
#: So many years are worked out at once.
MOST_DAYS: Final = 10 * 366


class Costs:
    """Works out cost measures of homes. They change with tariffs, prices and the hour, too, and a bill is of the whole
    household."""

    measures = COST_MEASURES
    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = False

    def __init__(self, bills: Bills, now_us: Callable[[], int]) -> None:
        self.bills, self.now_us = bills, now_us

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Cost measures of a home over buckets. What lies in the future is unknown, standing charges too."""
        edges_us = cal.edges_us
        if int(edges_us[-1]) - int(edges_us[0]) > MOST_DAYS * US_PER_DAY:
            raise BadInput.of([Fault("end", f"costs are told of at most {MOST_DAYS} days at once; ask in parts")])
        billed = self.bills.billed(
            view,
            home,
            Wanted(int(edges_us[0]), int(edges_us[-1]), until_us=way.until_us, cuts_us=tuple(edges_us.tolist())),
        )
        made = _Buckets(billed, edges_us, self.now_us())
        return [made.column(one) for one in measures]


@dataclass(slots=True)
class _Known:
    """Energies and seconds of buckets, the last of them the whole time: (n+1,) each."""

    import_milliwh: Int64
    elapsed_s: Int64
    measured_s: Int64
    estimated_s: Int64


class _Buckets:
    """The cost measures of one bill over buckets; beside them, as the last, the whole time as one bucket."""

    def __init__(self, billed: Billed, edges_us: Int64, now_us: int) -> None:
        self._billed, self._edges_us, self._now_us = billed, edges_us, now_us
        self._curve = CostCurve(billed.plan, billed.bill)
        self._place = np.searchsorted(billed.plan.edges_us, edges_us)
        usage = billed.usage
        self._known = _Known(
            self._sums(billed.bill.netted.import_milliwh),
            self._sums(usage.elapsed_s),
            self._sums(usage.measured_s),
            self._sums(usage.estimated_s),
        )
        self._lacks = [*self._of_gaps(), *self._of_prices()]

    def column(self, measure: str) -> Column:
        """One of the measures; prices to a billionth of the currency, as costs are."""
        if measure == "peak_demand":
            return self._made(measure, "W", self._peaks(), ())
        currency = self._billed.currency or ""
        if measure == "price_marginal":
            return self._made(measure, f"{currency}/kWh", self._marginal(), self._lacks)
        if measure == "price_import":
            cost = self._priced(IMPORT)
            with np.errstate(invalid="ignore", divide="ignore"):
                price = cost / (self._known.import_milliwh / MILLIWH_PER_KWH)
            return self._made(
                measure, f"{currency}/kWh", np.where(np.isfinite(price), np.round(price, 9), np.nan), self._lacks
            )
        value = self._money(measure)
        lacks = [one for one in self._lacks if one.is_gap] if measure == "cost_fixed" else self._lacks
        return self._made(measure, currency, np.round(value, 9), lacks)

    def _money(self, measure: str) -> Float64:
        if measure == "cost_fixed":
            return self._fixed()
        if measure == "cost_net":
            return self._priced(IMPORT) + self._fixed() - self._priced(EXPORT)
        return self._priced(IMPORT if measure == "cost_import" else EXPORT)

    def _made(self, measure: str, unit: str, value: Float64, lacks: Sequence[_Lacking]) -> Column:
        """A column; where something is lacking its value is unknown, and so is that of the whole time."""
        value = value.copy()
        for one in lacks:
            value[one.bucket] = np.nan
        known = self._known
        with np.errstate(invalid="ignore", divide="ignore"):
            coverage = np.nan_to_num(np.minimum(known.measured_s / known.elapsed_s, 1.0))
            estimated = np.nan_to_num(np.minimum(known.estimated_s / known.elapsed_s, 1.0))
        if measure == "cost_fixed":
            coverage = np.where(np.isnan(value), 0.0, 1.0)
            estimated = np.zeros(len(value))
        told = tuple(Lack(one.bucket, one.share, one.why) for one in lacks if one.bucket < len(value) - 1)
        return Column(measure, None, unit, value[:-1], coverage[:-1], estimated[:-1], float(value[-1]), told)

    def _sums(self, column: Int64) -> Int64:
        running = np.concatenate((np.zeros(1, np.int64), np.cumsum(column)))[self._place]
        return np.append(running[1:] - running[:-1], running[-1] - running[0])

    def _steps(self, role: str, until_us: int | None = None) -> Float64:
        running = self._curve.at(self._edges_us, role, until_us)
        return np.append(differences(running), differences([running[0], running[-1]]))

    def _priced(self, role: str) -> Float64:
        """Cost of import or revenue of export, where anything of the energy is known."""
        known = (self._known.measured_s + self._known.estimated_s > 0) | (self._known.import_milliwh != 0)
        has = self._billed.usage.has_import if role == IMPORT else True
        return np.where(known & has, self._steps(role), np.nan)

    def _fixed(self) -> Float64:
        begins = np.append(self._edges_us[:-1], self._edges_us[0])
        return np.where(begins < self._now_us, self._steps(FIXED, self._now_us), np.nan)

    def _peaks(self) -> Float64:
        """The greatest mean power of a quarter-hour's import, in W."""
        usage = self._billed.usage
        with np.errstate(invalid="ignore", divide="ignore"):
            power_w = usage.usage.import_milliwh * S_PER_HOUR / usage.elapsed_s / MILLI
        power_w = np.where(usage.known & usage.has_import, power_w, -np.inf)
        if not len(power_w):
            return np.full(len(self._edges_us), np.nan)
        peaks = np.maximum.reduceat(power_w, np.minimum(self._place[:-1], len(power_w) - 1))
        inside = power_w[self._place[0] : self._place[-1]]
        if self._place[-1] < len(power_w):  # the last group of reduceat runs to the end of the plan
            peaks[-1] = power_w[self._place[-2] : self._place[-1]].max(initial=-np.inf)
        peaks = np.append(peaks, inside.max(initial=-np.inf))
        return np.where(np.isfinite(peaks), peaks, np.nan)

    def _marginal(self) -> Float64:
        """The mean over time of what one more kWh would cost."""
        prices = marginal_prices(self._billed)
        seconds = self._billed.usage.elapsed_s
        weight = np.where(np.isnan(prices), 0, seconds)
        running = np.concatenate(([0.0], np.cumsum(np.nan_to_num(prices) * weight)))[self._place]
        counted = np.concatenate(([0], np.cumsum(weight)))[self._place]
        total = np.append(running[1:] - running[:-1], running[-1] - running[0])
        count = np.append(counted[1:] - counted[:-1], counted[-1] - counted[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
        return np.where(count > 0, np.round(mean, 9), np.nan)

    def _of_gaps(self) -> list[_Lacking]:
        """Buckets of which no contract prices a part."""
        found = []
        for begin_us, end_us in self._billed.gaps:
            overlap = np.minimum(self._edges_us[1:], end_us) - np.maximum(self._edges_us[:-1], begin_us)
            share = np.append(overlap, end_us - begin_us) / np.append(
                np.diff(self._edges_us), self._edges_us[-1] - self._edges_us[0]
            )
            why = "; ".join(("no contract of the household holds", *self._billed.plan.notes))
            found += [_Lacking(i, float(share[i]), why, is_gap=True) for i in np.flatnonzero(share > 0).tolist()]
        return found

    def _of_prices(self) -> list[_Lacking]:
        """Buckets in which energy flowed whose price is not known."""
        found: list[_Lacking] = []
        for stretch, prices, _ in self._billed.plan.energy_prices():
            for price in prices.values():
                unknown = price.unknown()
                if unknown is None:
                    continue
                energy = self._energy_of(price)
                lacking = np.zeros(len(energy), np.int64)
                lacking[stretch.first : stretch.last] = np.where(unknown, energy[stretch.first : stretch.last], 0)
                missing, whole = self._sums(lacking), self._sums(energy)
                why = f"tariff {stretch.term.tariff.id} has no price of {price.component.id} for a part of the energy"
                why = "; ".join((why, *self._billed.plan.notes))
                found += [_Lacking(i, float(missing[i] / whole[i]), why) for i in np.flatnonzero(missing > 0).tolist()]
        return found

    def _energy_of(self, price: EnergyPrice) -> Int64:
        netted = self._billed.bill.netted
        if price.component.meter is not None:
            return netted.meters[price.component.meter]
        return netted.export_milliwh if price.component.flow == "export" else netted.import_milliwh


@dataclass(frozen=True, slots=True)
class _Lacking:
    bucket: int
    share: float
    why: str
    is_gap: bool = False
