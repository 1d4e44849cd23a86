"""Explains a member's share of what a community makes, without telling of any other member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.services.column_sources import ColumnSource
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import kwh
from statistics_manager_service.services.explaining.flows import common, told_flow
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME
from statistics_manager_service.services.explaining.tables import table_of

_RULE: Final = (
    "in each quarter-hour what the community's sources made is allocated to the members by its rule; consumption = "
    "min(allocated, import), surplus = allocated − consumption, import_after_sharing = import − consumption. What "
    "others took and made is theirs: it is not shown, and only what was allocated to this home is"
)


class OwnShares:
    """Explains measures of sharing by the home's own quarter-hours. source: what makes them."""

    measures: Sequence[str] = measures_of(Family.SHARING)

    def __init__(self, source: ColumnSource) -> None:
        self._source = source

    def behind(self, about: About) -> Behind:
        """What is behind a share."""
        flow = told_flow(about.past, about.known.channels, "energy_import", about.start_us, about.end_us)
        cal = calendar(about.zone, GroupBy.QUARTERS, about.start_us, about.end_us)
        made = self._source.columns(about.view, about.home, cal, list(self.measures), about.way)
        values = {one.measure: one.value for one in made}
        own = values[about.measure]
        behind = Behind(f"{about.measure} = Σ over {int((~np.isnan(own)).sum())} quarter-hours = "
                        f"{number_text(about.value)} {about.column.unit}")  # fmt: skip
        if flow.parts:
            behind.inputs = [{"measure": "energy_import", "value": kwh(flow.energy_milliwh), "unit": "kWh"}]
            behind.quarters = common({"import": flow}, about.start_us, about.end_us).quarters()
            behind.readings, behind.lines = flow.readings(), flow.lines()
        columns = {name: [None if np.isnan(v) else v for v in column.tolist()] for name, column in values.items()}
        behind.more["sharing"] = {
            "rule": _RULE,
            "sums_kwh": {name: round(float(np.nansum(column)), 6) for name, column in values.items()},
            "quarters": table_of(cal.edges_us, columns),
        }
        behind.lines += _lines(values, cal.edges_us)
        if np.isnan(about.value):
            behind.filled = f"{about.measure} is not known"
            behind.reasons.append("the home is in no community that shares in this time, or " + NOT_IN_TIME)
        return behind


def _lines(values: dict[str, Float64], edges_us: Int64) -> list[str]:
    """What was allocated to the home, for the canonical text."""
    rows = np.flatnonzero(~np.isnan(values["energy_shared_allocated"]))
    if not len(rows):
        return []
    allocated = np.rint(values["energy_shared_allocated"][rows] * 1e6).astype(np.int64).tolist()
    return [f"allocated {at} {one}" for at, one in zip(iso_labels(edges_us[rows], None), allocated, strict=True)]
