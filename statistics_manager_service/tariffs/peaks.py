"""Demand charges: the demands of a month that count, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.demand import aggregate, greatest
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.schedules import wall_us
from statistics_manager_service.core.spans import midnight_us, month_shares, months_later
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.tariffs.document import Peak
from statistics_manager_service.tariffs.energy import Amount
from statistics_manager_service.tariffs.quantities import MONTHS_PER_YEAR
from statistics_manager_service.tariffs.resolving import number
from statistics_manager_service.tariffs.terms import Segment, Term

QUARTERS: Final = {"PT15M": 1, "PT30M": 2, "PT1H": 4}
_WEIGHT_SCALE: Final = 10**6
_DAYS_PER_WEEK: Final = 7
_MONDAY: Final = 4  # 1970-01-05, counted in days


class Demand(NamedTuple):
    """A demand that counts: when its interval begins, and its mean power, weighted, in kW."""

    at_us: int
    kw: Fraction


def first_month_needed(peak: Peak, month: date) -> date:
    """The first month whose demands a month's charge hangs on."""
    return months_later(month, 1 - peak.window.months)


def demands_of(
    peak: Peak, term: Term, energy_milliwh: Int64, edges_us: Int64, begin_us: int, end_us: int
) -> list[Demand]:
    """The demands of a time that may count, weighted: the greatest ones, greatest first.

    energy_milliwh: (m,) int64 over pieces of time with edges_us, (m+1,).
    """
    first, last = np.searchsorted(edges_us, (max(begin_us, int(edges_us[0])), min(end_us, int(edges_us[-1])))).tolist()
    if first >= last:
        return []
    length_us = QUARTERS[peak.interval] * QUARTER_US
    interval = edges_us[first:last] // length_us
    starts = np.flatnonzero(np.diff(interval, prepend=-1))
    energy = np.add.reduceat(energy_milliwh[first:last], starts)
    at_us = interval[starts] * length_us
    weight = _weights(peak, term, at_us)
    days = _civil_days(term, at_us)
    distinct = {"none": None, "day": days, "week": (days - _MONDAY) // _DAYS_PER_WEEK}[peak.select.distinct]
    places = greatest(energy, weight, distinct, peak.select.n)
    per_hour = Fraction(US_PER_HOUR, length_us)
    return [
        Demand(
            int(at_us[i]),
            Fraction(int(energy[i]), MILLIWH_PER_KWH) * per_hour * Fraction(int(weight[i]), _WEIGHT_SCALE),
        )
        for i in places
    ]


def _weights(peak: Peak, term: Term, at_us: Int64) -> Int64:
    """How much each interval counts, in millionths."""
    weight = np.full(len(at_us), _WEIGHT_SCALE, np.int64)
    if peak.schedule is not None:
        clockwork, first = term.inforce.clockwork, int(at_us[0]) // QUARTER_US
        label = clockwork.labels(peak.schedule, first, int(at_us[-1]) // QUARTER_US - first + 1)
        told = peak.weights or {}
        by_label = [int(told.get(name, Decimal(0)) * _WEIGHT_SCALE) for name in clockwork.periods(peak.schedule)]
        weight = np.array([*by_label, 0], np.int64)[label[at_us // QUARTER_US - first]]
    if peak.monthly_weights is not None:
        days = _civil_days(term, at_us).astype("datetime64[D]")
        month = days.astype("datetime64[M]").astype(np.int64) % MONTHS_PER_YEAR
        monthly = np.array([int(one * _WEIGHT_SCALE) for one in peak.monthly_weights], np.int64)
        weight = weight * monthly[month] // _WEIGHT_SCALE
    return weight


def _civil_days(term: Term, at_us: Int64) -> Int64:
    """The civil day (since 1970-01-01) of each instant, by the tariff's zone."""
    days: Int64 = wall_us(term.tariff.time_zone, at_us) // US_PER_DAY
    return days


def month_demand(peak: Peak, term: Term, energy_milliwh: Int64, edges_us: Int64, month: date) -> Fraction | None:
    """The demand by which a month is charged, in kW: of the months of the window in which anything is known."""
    zone = term.tariff.time_zone
    months = [months_later(month, -back) for back in range(peak.window.months)]
    found: list[list[Demand]] = []
    for one in months:
        end_us = midnight_us(zone, months_later(one, 1))
        if end_us <= edges_us[0]:
            break
        found.append(demands_of(peak, term, energy_milliwh, edges_us, midnight_us(zone, one), end_us))
    if peak.window.then == "select":
        every = sorted((one for some in found for one in some), key=lambda one: -one.kw)
        chosen = [one.kw for one in every[: peak.select.n]]
        return max(aggregate(chosen, peak.aggregate), Fraction(peak.floor_kw)) if chosen else None
    floor = Fraction(peak.floor_kw)
    monthly = [max(aggregate([one.kw for one in some], peak.aggregate), floor) for some in found if some]
    return aggregate(monthly, peak.window.then) if monthly else None


def peak_amounts(peak: Peak, term: Term, segment: Segment, energy_milliwh: Int64, edges_us: Int64) -> Iterator[Amount]:
    """What a demand charge comes to in a segment, month by month, each by the share of the month."""
    for share in month_shares(term.tariff.time_zone, segment.start_us, segment.end_us):
        demand = month_demand(peak, term, energy_milliwh, edges_us, share.begin)
        if demand is None:
            continue
        label = share.begin.isoformat()[:7]
        if peak.price is not None:
            price = Fraction(number(peak.price, term.parameters, segment.on))
            monthly = price / MONTHS_PER_YEAR if peak.per == "year" else price
            yield Amount(
                segment, label, demand * share.share, "kW·months", monthly, "kW·month", demand * share.share * monthly
            )
            continue
        band = next(one for one in peak.bands or () if one.upto_kw is None or demand <= one.upto_kw)
        yield Amount(
            segment, f"{label}, {float(demand):.2f} kW", share.share, "months", Fraction(band.price), "month",
            share.share * Fraction(band.price),
        )  # fmt: skip
