"""The cost of the day, live: today so far, prices now and next, and what the running billing period will come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, instant_us
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import QUARTER_US, S_PER_MINUTE, US_PER_DAY, US_PER_S
from statistics_manager_service.core.zones import EPOCH, MICROSECOND, offset_at_us
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.measuring import Column, Measurer
from statistics_manager_service.services.money.bills import Billed, Bills, Wanted, gaps_of
from statistics_manager_service.services.money.costing import Costs
from statistics_manager_service.services.money.day_prices import DayPrices, day_prices
from statistics_manager_service.services.money.home_flows import flows_of
from statistics_manager_service.services.money.projecting import NoProjection, Projecting, Projection
from statistics_manager_service.services.money.statements import Statements, statement_of
from statistics_manager_service.services.ports import Household, ReadView, Store
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.totals import Totals
from statistics_manager_service.tariffs.terms import BillingPeriod

_MONEY: Final = ("cost_import", "cost_fixed", "revenue_export")
_ENERGY: Final = ("energy_import", "energy_export")
_DAYS_PER_WEEK: Final = 7
#: A bill of a time of which less is known says nothing to compare with.
_KNOWN_SHARE: Final = 0.95
_DECIMALS: Final = 9
_MINUTE_US: Final = S_PER_MINUTE * US_PER_S
_MOST_KEPT_BYTES: Final = 4 * 2**20
_PAST_BILL_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class Spent:
    """What a time cost, in the currency with taxes, None where unknown. coverage: the share of it that is measured."""

    start_us: int
    end_us: int
    cost_import: float | None
    cost_fixed: float | None
    revenue_export: float | None
    energy_import_kwh: float | None
    energy_export_kwh: float | None
    coverage: float

    @property
    def cost_net(self) -> float | None:
        """Import and what is fixed, less export."""
        if self.cost_import is None or self.cost_fixed is None or self.revenue_export is None:
            return None
        return round(self.cost_import + self.cost_fixed - self.revenue_export, _DECIMALS)


@dataclass(frozen=True, slots=True)
class PastBill:
    """What an earlier billing period came to."""

    start_us: int
    end_us: int
    gross: Fraction
    coverage: float


@dataclass(frozen=True, slots=True)
class LiveCost:
    """The cost of a household as it is now.

    yesterday, week_ago: those days until the same time by the clock. known_until_us: the newest reading of what is
    billed. period: the running billing period, whose start or end may not be told. provisional: why figures may still
    change, and what to mind of the projection.
    """

    household: Household
    currency: str
    now_us: int
    today: Spent
    known_until_us: int | None
    prices: DayPrices
    yesterday: Spent
    week_ago: Spent
    period: BillingPeriod
    start_is_known: bool
    end_is_known: bool
    so_far: Spent
    projection: Projection | NoProjection
    last_period: PastBill | None
    year_ago: PastBill | None
    provisional: tuple[str, ...]


class LiveCosts:
    """Tells the cost of households as it is now."""

    def __init__(
        self,
        store: Store,
        bills: Bills,
        statements: Statements,
        projecting: Projecting,
        now_us: Callable[[], int],
    ) -> None:
        self._store, self._bills, self._statements, self._projecting = store, bills, statements, projecting
        self._clock_us, self._homes = now_us, Homes()
        self._costs = Costs(bills, self._now_us)
        self._past_bills: Remembered[PastBill] = Remembered(_MOST_KEPT_BYTES)

    def of(self, household_id: str) -> LiveCost:
        """The cost of a household now, to the minute: within one the answer stays the same while nothing is written.

        Raises NotFound, also where no contract holds in the running period.
        """
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            return self._of(view, home, self._now_us())

    def _now_us(self) -> int:
        now_us = self._clock_us()
        return now_us - now_us % _MINUTE_US

    def _of(self, view: ReadView, home: Home, now_us: int) -> LiveCost:
        household, zone = home.household, home.household.timezone
        billed = self._running(view, home, now_us)
        (period,) = billed.periods
        today = civil_date(zone, now_us)
        days = [(midnight_us(zone, today), now_us)]
        days += [_until_now(zone, today, now_us, back) for back in (1, _DAYS_PER_WEEK)]
        now_spent, yesterday, week_ago, so_far = self._spent(view, home, [*days, (period.start_us, now_us)], now_us)
        start_is_known, end_is_known = (_is_told(household, one) for one in (period.start_us, period.end_us))
        projection: Projection | NoProjection
        if start_is_known and end_is_known:
            flows = flows_of(view, home, billed.plan, now_us)
            projection = self._projecting.of(view, billed, flows, now_us)
        else:
            projection = NoProjection(
                "the household's `billing_dates` do not tell when the running billing period begins and ends"
            )
        reasons = [*statement_of(billed, Wanted(period.start_us, period.end_us), now_us).provisional]
        reasons += projection.notes if isinstance(projection, Projection) else [projection.why]
        return LiveCost(
            household=household,
            currency=billed.currency or "",
            now_us=now_us,
            today=now_spent,
            known_until_us=billed.usage.known_until_us,
            prices=self._prices(view, home, today, now_us),
            yesterday=yesterday,
            week_ago=week_ago,
            period=period,
            start_is_known=start_is_known,
            end_is_known=end_is_known,
            so_far=so_far,
            projection=projection,
            last_period=self._past_bill(view, home, period.start_us - QUARTER_US),
            year_ago=self._past_bill(view, home, _year_before(zone, period.start_us)),
            provisional=tuple(dict.fromkeys(reasons)),
        )

    def _running(self, view: ReadView, home: Home, now_us: int) -> Billed:
        """The bill of the running period, so far. Raises NotFound where no contract holds in it."""
        wanted = Wanted(now_us, now_us + 1)
        plan, _ = self._bills.planned(view, home, wanted)
        usage = self._bills.usage(view, home, plan)
        (period,) = plan.periods
        gaps = gaps_of(plan.terms, period.start_us, period.end_us)
        billed = Billed(home, plan.periods, plan, usage, plan.bill(usage.usage), gaps)
        if not billed.bill.segments:
            self._statements.of(view, home, wanted)  # raises what it raises there
        return billed

    def _spent(self, view: ReadView, home: Home, times: Sequence[tuple[int, int]], now_us: int) -> list[Spent]:
        """What some times cost. They are put together from quarter-hours: of one that is cut, its share counts; the one
        in which now lies holds what is measured of it."""
        edges_us = np.unique([edge for start_us, end_us in times for edge in _edges(start_us, end_us)])
        cal = Calendar(home.household.timezone, GroupBy.TOTAL, edges_us, np.zeros_like(edges_us), int(edges_us[0]))
        measurer = Measurer(Totals(view, edges_us), home.channels)
        columns = [*self._costs.columns(view, home, cal, _MONEY), *(measurer.column(one, None) for one in _ENERGY)]
        lengths = np.diff(edges_us)
        found = []
        for start_us, end_us in times:
            first, cut, last = np.searchsorted(edges_us, _edges(start_us, end_us)).tolist()
            weight = np.zeros(len(lengths))
            weight[first:cut] = 1.0
            weight[cut:last] = 1.0 if end_us == now_us else (end_us - int(edges_us[cut])) / QUARTER_US
            told = columns[3] if np.isfinite(columns[3].value).any() else columns[4]
            measured_us = float((told.coverage * lengths * weight).sum())
            coverage = min(measured_us / max(end_us - start_us, 1), 1.0)
            imported, fixed, exported, import_kwh, export_kwh = (_sum(one, weight) for one in columns)
            found.append(Spent(start_us, end_us, imported, fixed, exported, import_kwh, export_kwh, round(coverage, 6)))
        return found

    def _prices(self, view: ReadView, home: Home, today: date, now_us: int) -> DayPrices:
        zone = home.household.timezone
        start_us, end_us = midnight_us(zone, today), midnight_us(zone, today + timedelta(days=2))
        return day_prices(self._bills.billed(view, home, Wanted(start_us, end_us)), start_us, end_us, now_us)

    def _past_bill(self, view: ReadView, home: Home, at_us: int) -> PastBill | None:
        """What the billing period at an instant came to, where it is known."""
        key = (home.household.id, at_us, view.prices_state())
        kept = self._past_bills.get(key, home.state)
        if kept is not None:
            return kept
        wanted = Wanted(at_us, at_us + 1)
        billed = self._bills.billed(view, home, wanted)
        (period,) = billed.periods
        edges_us = (period.start_us, period.end_us)
        if not billed.bill.segments or not all(_is_told(home.household, one) for one in edges_us):
            return None
        statement = statement_of(billed, wanted, self._now_us())
        coverage = statement.measured + statement.estimated
        lines = [line for one in statement.periods for line in one.lines]
        if coverage < _KNOWN_SHARE or any(line.missing_price_share for line in lines):
            return None
        found = PastBill(statement.start_us, statement.end_us, statement.gross, round(coverage, 6))
        self._past_bills.put(key, home.state, found, _PAST_BILL_BYTES)
        return found


def _edges(start_us: int, end_us: int) -> tuple[int, int, int]:
    """Where a time begins, where the quarter-hour in which it ends begins, and where that one ends."""
    return start_us, max(quarter_of(end_us) * QUARTER_US, start_us), quarter_after(end_us) * QUARTER_US


def _sum(column: Column, weight: Float64) -> float | None:
    """What buckets come to by their weights; None where a price or a contract is lacking, or nothing is known."""
    counted = weight > 0
    if any(counted[one.bucket] for one in column.lacks) or not np.isfinite(column.value[counted]).any():
        return None
    return round(float(np.nansum(column.value * weight)), _DECIMALS)


def _until_now(zone: str, today: date, now_us: int, days_back: int) -> tuple[int, int]:
    """A day before today, until the same time by the clock."""
    wall = EPOCH + MICROSECOND * (now_us + offset_at_us(ZoneInfo(zone), now_us))
    day = today - timedelta(days=days_back)
    start_us = midnight_us(zone, day)
    return start_us, max(instant_us(zone, wall - timedelta(days=days_back)), start_us)


def _year_before(zone: str, at_us: int) -> int:
    """Noon of the same date a year before."""
    day = civil_date(zone, at_us)
    leap = day.month == 2 and day.day == 29
    before = day.replace(year=day.year - 1, day=28 if leap else day.day)
    return midnight_us(zone, before) + US_PER_DAY // 2


def _is_told(household: Household, edge_us: int) -> bool:
    """Whether a billing period is known to begin or end at an instant: listed dates come to an end."""
    dates = household.billing.dates
    return not dates or civil_date(household.timezone, edge_us) in dates
