"""Measures of a home's balance that need its quarter-hours: where energy came from and went, devices, export share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.balance import rate
from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import DEFINITIONS, Family, measures_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.balance.attributions import (
    OF_DEVICES,
    attribution_column,
    column_of_device,
)
from statistics_manager_service.services.balance.quarter_flows import QuarterFlows
from statistics_manager_service.services.balance.sheets import BalanceSheet, BalanceSheets
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView

_EXPORT_SHARE: Final = "export_share"


class Balances:
    """Works out measures of balance from the flows of quarter-hours."""

    measures: tuple[str, ...] = (_EXPORT_SHARE, *measures_of(Family.ATTRIBUTION))
    of_meters = frozenset(OF_DEVICES)
    hangs_on_home_alone = True

    def __init__(self, sheets: BalanceSheets) -> None:
        self._sheets = sheets

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a home over buckets. Raises BadInput for a meter that is no device of it."""
        sheet = self._sheets.of(view, home, cal.edges_us, way.until_us)
        if way.meter is not None:
            return [column_of_device(one, sheet, way.meter) for one in measures]
        return [balance_column(one, sheet) for one in measures]


def balance_column(measure: str, sheet: BalanceSheet) -> Column:
    """A measure of the home from its balance sheet."""
    if measure == _EXPORT_SHARE:
        energy = sheet.flows.energy_milliwh
        return rate_column(measure, sheet.flows, energy["export"], energy["production"])
    return attribution_column(measure, sheet)


def rate_column(measure: str, flows: QuarterFlows, numerator_milliwh: Int64, denominator_milliwh: Int64) -> Column:
    """A ratio of sums over buckets, from two columns of quarter-hours; NaN where the lower sum is 0."""
    upper, lower = flows.summed(numerator_milliwh), flows.summed(denominator_milliwh)
    whole = rate(upper.sum(keepdims=True), lower.sum(keepdims=True), np.array([flows.known.any()]))
    value = rate(upper, lower, flows.known)
    return Column(measure, None, DEFINITIONS[measure].unit, value, *flows.coverage, float(whole[0]))
