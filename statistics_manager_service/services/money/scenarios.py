"""Scenarios: what a home would have taken and given without its PV or its battery, and bills without netting.

They follow from the balance of each quarter-hour, consumption = import + production + discharge - export - charge:
without PV all of the consumption is imported and nothing is exported; without the battery what the PV does not cover is
imported, and what it makes beyond the consumption is exported. Where a flow is not known, neither is the scenario.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import BALANCE, combine
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.measuring import Flow, Sources, flow_between, sources
from statistics_manager_service.services.money.usage import HomeUsage
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals
from statistics_manager_service.tariffs.billing import Plan, Usage
from statistics_manager_service.tariffs.terms import TariffInForce

AS_METERED, WITHOUT_PV = "as_metered", "without_pv"
WITHOUT_NETTING, WITHOUT_BATTERY = "without_netting", "without_battery"
SCENARIOS: Final = (AS_METERED, WITHOUT_PV, WITHOUT_NETTING, WITHOUT_BATTERY)
#: What people read.
LABELS: Final = {
    AS_METERED: "As metered",
    WITHOUT_PV: "Without PV",
    WITHOUT_NETTING: "Without netting",
    WITHOUT_BATTERY: "Without the battery",
}
#: Import less export, as flows with their signs. Of the consumption less the production, the production falls out.
_BALANCES: Final[dict[str, dict[str, int]]] = {
    WITHOUT_PV: BALANCE,
    WITHOUT_BATTERY: {flow: sign for flow, sign in BALANCE.items() if flow != "production"},
}
_BATTERY: Final = ("charge", "discharge")


@dataclass(frozen=True, slots=True)
class Supposed:
    """What a home would have taken and given. below_zero_milliwh: consumption below zero, where the meters of a
    quarter-hour contradict each other; it is left out."""

    usage: HomeUsage
    below_zero_milliwh: int = 0


def why_not(channels: Sequence[Channel], scenario: str) -> str | None:
    """Why a home can't be seen in a scenario; None where it can."""
    if scenario not in _BALANCES:
        return None
    told = {flow for flow in _BALANCES[scenario] if sources(channels, f"energy_{flow}")}
    if "import" not in told:
        return "the household tells no import"
    if scenario == WITHOUT_PV and "production" not in told:
        return "the household tells no production of a PV"
    battery = [flow for flow in _BATTERY if flow in told]
    if len(battery) == 1:
        other = next(flow for flow in _BATTERY if flow not in told)
        return f"the household tells the battery's {battery[0]}, and not its {other}"
    if scenario == WITHOUT_BATTERY and not battery:
        return "the household tells no charge and discharge of a battery"
    return None


class Scenarios:
    """The scenarios of a home in a store's view; what was worked out for the same pieces of time is kept."""

    def __init__(self, view: ReadView, channels: Sequence[Channel]) -> None:
        self._view, self._channels = view, channels
        self._kept: dict[tuple[str, bytes], Supposed] = {}

    def usage(self, scenario: str, metered: HomeUsage) -> Supposed:
        """A home's energies in a scenario for which there is no `why_not`. metered: as they were measured."""
        if scenario not in _BALANCES:
            return Supposed(metered)
        edges_us = metered.usage.edges_us
        key = (scenario, edges_us.tobytes())
        known = self._kept.get(key)
        if known is None:
            known = self._kept[key] = self._supposed(scenario, edges_us)
        # the meters that a tariff prices apart are those of the tariff
        usage = replace(known.usage, usage=replace(known.usage.usage, meters=metered.usage.meters))
        return Supposed(usage, known.below_zero_milliwh)

    def _supposed(self, scenario: str, edges_us: Int64) -> Supposed:
        formula = _BALANCES[scenario]
        totals = Totals(self._view, edges_us)
        found = {flow: sources(self._channels, f"energy_{flow}") for flow in formula}
        found = {flow: one for flow, one in found.items() if one}
        totals.fetch([channel for one in found.values() for channel in one.channels])
        flows = {flow: flow_between(totals, one) for flow, one in found.items()}
        good, measured_s, estimated_s = _known_together(flows, edges_us)
        balance = combine(formula, {flow: one.energy_milliwh for flow, one in flows.items()})
        balance = np.where(good, balance, 0)
        taken = np.maximum(balance, 0)
        left = taken - balance
        given = np.zeros_like(taken) if scenario == WITHOUT_PV else left
        seconds = edges_us // US_PER_S
        usage = HomeUsage(
            Usage(edges_us, taken, given, known=good),
            seconds[1:] - seconds[:-1],
            measured_s,
            estimated_s,
            has_import=True,
            has_export=scenario != WITHOUT_PV and ("export" in found or bool(given.any())),
            known_until_us=_known_until(list(found.values())),
        )
        return Supposed(usage, int(left.sum()) if scenario == WITHOUT_PV else 0)


def _known_together(flows: dict[str, Flow], edges_us: Int64) -> tuple[NDArray[np.bool_], Int64, Int64]:
    """Where every flow that had begun is known, and the import; and the seconds measured and estimated of all of them.

    Before its first reading a flow is taken not to exist: the PV was not built yet.
    """
    good = flows["import"].known
    measured_s, covered_s = flows["import"].measured_s, flows["import"].measured_s + flows["import"].estimated_s
    for flow in flows.values():
        begun = edges_us[1:] > (edges_us[-1] if flow.begins_us is None else flow.begins_us)
        good = good & (flow.known | ~begun)
        measured_s = np.where(begun, np.minimum(measured_s, flow.measured_s), measured_s)
        covered_s = np.where(begun, np.minimum(covered_s, flow.measured_s + flow.estimated_s), covered_s)
    return good, measured_s, covered_s - measured_s


def _known_until(found: Sequence[Sources]) -> int | None:
    """Until when all of the flows are known."""
    lasts = [max((c.last_us for c in one.channels if c.last_us is not None), default=None) for one in found]
    return min((last for last in lasts if last is not None), default=None)


def without_netting(plan: Plan) -> Plan:
    """The same contracts at the same prices, with import and export billed as they were metered."""
    found = copy.copy(plan)
    found.terms = tuple(replace(term, inforce=_without_netting(term.inforce)) for term in plan.terms)
    return found


def nets(plan: Plan) -> bool:
    """Whether any of the contracts sets import and export against each other."""
    return any(term.tariff.metering.netting != "none" for term in plan.terms)


def _without_netting(inforce: TariffInForce) -> TariffInForce:
    metering = inforce.tariff.metering.model_copy(update={"netting": "none"})
    return TariffInForce(inforce.tariff.model_copy(update={"metering": metering}))
