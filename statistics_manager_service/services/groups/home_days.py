"""What homes used and made on whole civil days, or in longer times: what homes are told of each other is made of it.

A home counts on a day of which all of its flows are known from beginning to end. Then its consumption is just what its
flows make it, and from sums of several measures nothing more follows than from one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import BALANCE
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.services.groups.summing import FLOWS, combine_rows, flows_of
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import flow_between
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.totals import Totals

#: What is told of homes: their flows, and the consumption that the meter of a whole house tells, where that is all.
TOLD: Final = (*FLOWS, "house")
_HOUSE: Final = len(FLOWS)
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HomeDays:
    """Energies of h homes in n times, by the order of TOLD.

    energy_milliwh, measured_s: (6, h, n), 0 where there is no such flow. has: (6, h, n) whether the home has it then.
    whole: (h, n) whether all that the home has is known from beginning to end, and it has anything.
    """

    energy_milliwh: Int64
    measured_s: Int64
    has: Bools
    whole: Bools

    @property
    def consumption_milliwh(self) -> Int64:
        """(h, n); of homes without any import it is not known, and tells what the flows make of it."""
        flows = combine_rows(BALANCE, dict(zip(FLOWS, self.energy_milliwh, strict=False)))
        used: Int64 = flows + self.energy_milliwh[_HOUSE]
        return used


def home_days(view: ReadView, homes: Sequence[Home], edges_us: Int64) -> HomeDays:
    """What homes used and made between instants, (n+1,)."""
    shape = (len(TOLD), len(homes), len(edges_us) - 1)
    energy, measured, covered = (np.zeros(shape, np.int64) for _ in range(3))
    has = np.zeros(shape, np.bool_)
    flows = flows_of([one.channels for one in homes])
    totals = Totals(view, edges_us)
    totals.fetch([c for one in flows for c in one.found.channels])
    for one in flows:
        flow = flow_between(totals, one.found)
        place = (one.flow, one.member)
        energy[place], measured[place] = flow.energy_milliwh, flow.measured_s
        covered[place] = flow.measured_s + flow.estimated_s
        has[place] = edges_us[1:] > (edges_us[-1] if flow.begins_us is None else flow.begins_us)
    known = covered >= totals.whole_elapsed_s
    whole: Bools = np.logical_and.reduce(known | ~has) & np.logical_or.reduce(has)
    return HomeDays(energy, measured, has, whole)


def measure_of(days: HomeDays, measure: str) -> tuple[Float64, Bools]:
    """A measure of each home in each time, (h, n), in kWh or a rate, and where a whole home has it."""
    place = {f"energy_{name}": i for i, name in enumerate(FLOWS)}
    if measure in place:
        return days.energy_milliwh[place[measure]] / 1e6, days.whole & days.has[place[measure]]
    imported, exported, produced = (days.energy_milliwh[FLOWS.index(one)] for one in ("import", "export", "production"))
    has_import, has_production = (days.has[FLOWS.index(one)] for one in ("import", "production"))
    used = days.consumption_milliwh
    if measure == "energy_consumption":
        return used / 1e6, days.whole & (has_import | days.has[_HOUSE])
    if measure == "energy_self_consumption":
        return (produced - exported) / 1e6, days.whole & has_production
    upper, lower, has = {
        "self_consumption_rate": (produced - exported, produced, has_production),
        "self_sufficiency_rate": (used - imported, used, has_import),
        "export_share": (exported, produced, has_production),
    }[measure]
    defined = days.whole & has & (lower > 0)
    return np.clip(upper / np.where(lower > 0, lower, 1), 0.0, 1.0), defined
