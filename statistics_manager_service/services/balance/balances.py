"""Measures of a home's balance that need its quarter-hours: how much was exported, and by which share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.balance import rate
from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.balance.quarter_flows import QuarterFlows, quarter_flows
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.telemetry.as_known import as_known


class Balances:
    """Works out measures of balance from the flows of quarter-hours."""

    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = True

    @property
    def measures(self) -> tuple[str, ...]:
        """What it makes."""
        return tuple(_MADE)

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a home over buckets."""
        if way.until_us is not None:
            view, home = as_known(view, home, way.until_us)
        flows = quarter_flows(view, home.channels, cal.edges_us)
        return [_MADE[one](one, flows) for one in measures]


def rate_column(measure: str, flows: QuarterFlows, numerator_milliwh: Int64, denominator_milliwh: Int64) -> Column:
    """A ratio of sums over buckets, from two columns of quarter-hours; NaN where the lower sum is 0."""
    upper, lower = flows.summed(numerator_milliwh), flows.summed(denominator_milliwh)
    whole = rate(upper.sum(keepdims=True), lower.sum(keepdims=True), np.array([flows.known.any()]))
    value = rate(upper, lower, flows.known)
    return Column(measure, None, DEFINITIONS[measure].unit, value, *flows.coverage, float(whole[0]))


def _export_share(measure: str, flows: QuarterFlows) -> Column:
    return rate_column(measure, flows, flows.energy_milliwh["export"], flows.energy_milliwh["production"])


_MADE: Final[dict[str, Callable[[str, QuarterFlows], Column]]] = {"export_share": _export_share}
