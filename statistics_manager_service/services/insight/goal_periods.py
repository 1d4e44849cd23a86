"""The periods of goals: the one that is running, and those before it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.core.zones import EARLIEST_US
from statistics_manager_service.services.insight.goals import Goal
from statistics_manager_service.services.ports import Household

#: The longest that a period lasts, and how many past ones are told.
_LONGEST_DAYS: Final = {"day": 3, "week": 9, "month": 33, "year": 368, "billing": 130}
PAST_PERIODS: Final = {"day": 30, "week": 13, "month": 12, "year": 5, "billing": 12}


class Period(NamedTuple):
    """start ≤ instant < end."""

    start_us: int
    end_us: int


def period_at(household: Household, goal: Goal, at_us: int) -> Period | None:
    """The period of a goal in which an instant lies; None where listed billing dates do not tell it."""
    reach_us = 2 * _LONGEST_DAYS[goal.period] * US_PER_DAY
    edges_us = _divided(household, goal.group_by, at_us - reach_us, at_us + reach_us).edges_us
    place = int(np.searchsorted(edges_us, at_us, side="right")) - 1
    if place < 1 or place >= len(edges_us) - 2:  # the outer edges are those of what was divided
        return None
    return Period(int(edges_us[place]), int(edges_us[place + 1]))


def periods_before(household: Household, goal: Goal, start_us: int, first_us: int) -> Calendar | None:
    """The past periods, up to the running one's start; none that begins before a home's first reading, unless it is the
    one in which that lies. None where there are none."""
    count = PAST_PERIODS[goal.period]
    reach_us = min((count + 1) * _LONGEST_DAYS[goal.period] * US_PER_DAY, start_us)
    edges_us = _divided(household, goal.group_by, start_us - reach_us, start_us).edges_us[1:]
    begun = int(np.searchsorted(edges_us, first_us, side="right")) - 1
    edges_us = edges_us[max(len(edges_us) - 1 - count, begun, 0) :]
    if len(edges_us) < 2:
        return None
    return calendar(
        household.timezone,
        goal.group_by,
        int(edges_us[0]),
        int(edges_us[-1]),
        billing_day=household.billing.day,
        billing_dates=household.billing.dates,
    )


def _divided(household: Household, group_by: GroupBy, start_us: int, end_us: int) -> Calendar:
    billing = household.billing
    return calendar(
        household.timezone,
        group_by,
        max(start_us, EARLIEST_US),
        end_us,
        billing_day=billing.day,
        billing_dates=billing.dates,
    )
