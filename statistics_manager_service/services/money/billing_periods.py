"""Billing periods of a household: by its billing day or dates, in cycles of one or more months."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.spans import civil_date
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.core.zones import EARLIEST_US, LATEST_US
from statistics_manager_service.services.ports import Household
from statistics_manager_service.tariffs.document import Cycle
from statistics_manager_service.tariffs.terms import BillingPeriod

_MONTHS_PER_YEAR: Final = 12
#: Longer than the longest cycle.
_AROUND_US: Final = 2 * 366 * US_PER_DAY


def billing_periods(
    household: Household, cycle: Cycle, start_us: int, end_us: int, *, cut: bool
) -> list[BillingPeriod]:
    """The billing periods that a time touches; the outer ones cut to it if wished."""
    edges = _edges(household, cycle, start_us, end_us)
    found = []
    for begin_us, stop_us in pairwise(edges):
        if stop_us <= start_us or begin_us >= end_us:
            continue
        inside = (max(begin_us, start_us), min(stop_us, end_us)) if cut else (begin_us, stop_us)
        found.append(BillingPeriod(*inside, begin_us, stop_us))
    return found


def one_period(start_us: int, end_us: int) -> list[BillingPeriod]:
    """A time as one billing period."""
    return [BillingPeriod(start_us, end_us, start_us, end_us)]


def _edges(household: Household, cycle: Cycle, start_us: int, end_us: int) -> list[int]:
    """Where billing periods begin, from the last at or before a start to the first at or after an end."""
    billing, zone = household.billing, household.timezone
    first_us, last_us = max(start_us - _AROUND_US, EARLIEST_US), min(end_us + _AROUND_US, LATEST_US)
    day = billing.day if cycle.anchor_day is None else cycle.anchor_day
    made = calendar(zone, GroupBy.BILLING, first_us, last_us, billing_day=day, billing_dates=billing.dates)
    edges: list[int] = made.edges_us.tolist()
    months = _MONTHS_PER_YEAR if cycle.every == "P1Y" else int(cycle.every[1:-1])
    if months > 1 and not billing.dates:
        inner = [edge for edge in edges[1:-1] if (civil_date(zone, edge).month - cycle.anchor_month) % months == 0]
        edges = [edges[0], *inner, edges[-1]]
    return edges
