"""Measures of a home's balance that need its quarter-hours: where energy came from and went, devices."""

from __future__ import annotations

from collections.abc import Sequence

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.services.balance.attributions import (
    OF_DEVICES,
    attribution_column,
    column_of_device,
)
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView


class Balances:
    """Works out measures of balance from the flows of quarter-hours."""

    measures: tuple[str, ...] = measures_of(Family.ATTRIBUTION)
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
        return [attribution_column(one, sheet) for one in measures]
