"""Explains what energy costs and brings: contracts, prices, taxes, and the part of the running bill that a time is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, S_PER_HOUR, US_PER_S
from statistics_manager_service.services.explaining.balances import flows_of
from statistics_manager_service.services.explaining.bill_parts import (
    BillParts,
    contracts_told,
    price_lines,
    rules_told,
    series_told,
)
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import FIRST_FEW, kwh, kwh_text, label
from statistics_manager_service.services.explaining.flows import ToldFlow, common, told_flow
from statistics_manager_service.services.explaining.marginal_parts import marginal_told
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME, NOTHING_READ
from statistics_manager_service.services.money.bills import Billed, Bills, Wanted
from statistics_manager_service.services.money.cost_curves import EXPORT, FIXED, IMPORT
from statistics_manager_service.tariffs.document import Energy

#: What the running totals of each measure are, and how they are added.
_ROLES: Final[dict[str, dict[str, int]]] = {
    "cost_import": {IMPORT: 1},
    "revenue_export": {EXPORT: 1},
    "cost_fixed": {FIXED: 1},
    "cost_net": {IMPORT: 1, FIXED: 1, EXPORT: -1},
    "price_import": {IMPORT: 1},
}
_MEASURES: Final = {IMPORT: "cost_import", FIXED: "cost_fixed", EXPORT: "revenue_export"}
_WHY_DIFFERENCE: Final = (
    "the bill of the whole billing period is worked out, with its thresholds, tiers and taxes, and each of its amounts "
    "spread over the time that it is for; its running total is rounded once at each instant, and a time is the "
    "difference of two: so the parts of any grouping add up"
)


class CostBills:
    """Explains costs by the bill that they are a part of."""

    measures: Sequence[str] = measures_of(Family.COST)

    def __init__(self, bills: Bills, now_us: Callable[[], int]) -> None:
        self._bills, self._now_us = bills, now_us

    def behind(self, about: About) -> Behind:
        """What is behind a cost, a price or the peak demand."""
        wanted = Wanted(
            about.start_us, about.end_us, until_us=about.way.until_us, cuts_us=(about.start_us, about.end_us)
        )
        billed = self._bills.billed(about.view, about.home, wanted)
        flows = flows_of(about, ("import", "export"))
        behind = Behind("")
        if flows:
            found = common(_told_first(flows), about.start_us, about.end_us)
            behind.quarters = found.quarters()
            behind.quarters["of"] = "import" if "import" in flows else "export"
        apart = _sub_meters(about, billed)
        told = [*flows.values(), *apart]
        behind.readings = [reading for one in told for reading in one.readings()]
        behind.lines = [line for one in told for line in one.lines()]
        behind.inputs = [{"measure": one.name, "value": kwh(one.energy_milliwh), "unit": "kWh"} for one in told]
        if about.measure == "peak_demand":
            _peak(about, billed, behind)
        elif about.measure == "price_marginal":
            behind.more["prices"] = marginal_told(about, billed)
            behind.lines += price_lines(billed, about.start_us, about.end_us)
            behind.filled = _marginal_text(about, behind.more["prices"])
        else:
            self._cost(about, billed, behind)
        if about.value != about.value:  # NaN
            behind.filled = f"{about.measure} is not known"
            if not about.column.lacks:
                behind.reasons.append(NOT_IN_TIME if told else NOTHING_READ)
        return behind

    def _cost(self, about: About, billed: Billed, behind: Behind) -> None:
        """A cost, or the mean price: running totals of the bill."""
        parts = BillParts(billed, about.start_us, about.end_us, self._now_us())
        roles = _ROLES[about.measure]
        currency = billed.currency or ""
        totals = {role: parts.running(role) for role in roles}
        netted, metered = _netted(billed, about.start_us, about.end_us)
        behind.more["prices"] = {
            "currency": currency,
            "contracts": contracts_told(billed, about.zone),
            "running_total": {role: _running_told(*pair) for role, pair in totals.items()},
            "why": _WHY_DIFFERENCE,
            "components": [one for role in roles for one in parts.told(role)],
            "rules": rules_told(billed, about.start_us, about.end_us),
            "energy_by_price": parts.energy_by_price(roles),
            "series": series_told(billed, about.past, about.start_us, about.end_us, about.way.until_us),
            "billed_kwh": {name: kwh(value) for name, value in netted.items()},
            "metered_kwh": {name: kwh(value) for name, value in metered.items()},
        }
        if FIXED in roles and self._now_us() < about.end_us:
            behind.more["prices"]["fixed_counts_until"] = label(self._now_us())
            behind.lines.append(f"fixed_until {label(self._now_us())}")
        behind.lines += [*price_lines(billed, about.start_us, about.end_us), *parts.lines(roles)]
        if len(roles) > 1 or about.measure == "price_import":
            behind.inputs = [
                {"measure": _MEASURES[role], "value": money_text(end - start), "unit": currency}
                for role, (start, end) in totals.items()
            ] + behind.inputs
        behind.filled = _cost_text(about, totals, currency, netted["import"])


def _told_first(flows: dict[str, ToldFlow]) -> dict[str, ToldFlow]:
    """The flow whose coverage is the cost's: import, or export where there is none."""
    name = "import" if "import" in flows else "export"
    return {name: flows[name]}


def _sub_meters(about: About, billed: Billed) -> list[ToldFlow]:
    """The sub-meters that tariffs price apart."""
    meters = {
        one.meter
        for term in billed.plan.terms
        for one in term.tariff.components
        if isinstance(one, Energy) and one.meter is not None
    }
    found = []
    for meter in sorted(meters):
        mine = [one for one in about.known.channels if one.meter == meter]
        for quantity in ("energy_import", "energy_consumption"):
            one = told_flow(about.past, mine, quantity, about.start_us, about.end_us)
            if one.parts:
                found.append(one)
                break
    return found


def _inside(billed: Billed, start_us: int, end_us: int) -> slice:
    """The pieces of a plan from start to end."""
    first, last = np.searchsorted(billed.plan.edges_us, (start_us, end_us)).tolist()
    return slice(first, last)


def _netted(billed: Billed, start_us: int, end_us: int) -> tuple[dict[str, int], dict[str, int]]:
    """Energies of a time as they are billed, and as they were metered."""
    mine, usage, netted = _inside(billed, start_us, end_us), billed.usage.usage, billed.bill.netted

    def sums(one: Any) -> dict[str, int]:
        columns: dict[str, Int64] = {"import": one.import_milliwh, "export": one.export_milliwh}
        return {name: int(column[mine].sum()) for name, column in columns.items()}

    return sums(netted), sums(usage)


def _running_told(start: int, end: int) -> dict[str, str]:
    """A running total at both ends, in billionths that are exact."""
    return {"start": money_text(start), "end": money_text(end), "in_time": money_text(end - start)}


def money_text(units: int) -> str:
    """An amount in billionths of the currency, as a decimal."""
    sign, digits = "-" if units < 0 else "", str(abs(units)).rjust(10, "0")
    return f"{sign}{digits[:-9]}.{digits[-9:]}"


def _cost_text(about: About, totals: dict[str, tuple[int, int]], currency: str, billed_milliwh: int) -> str:
    roles = _ROLES[about.measure]
    parts = [
        (sign, f"({money_text(totals[role][1])} − {money_text(totals[role][0])}) ({role})")
        for role, sign in roles.items()
    ]
    text = " ".join(f"{'−' if sign < 0 else '+'} {one}" for sign, one in parts).removeprefix("+ ")
    value = f"{number_text(about.value)} {about.column.unit}"
    if about.measure == "price_import":
        return f"{about.measure} = ({text}) {currency} / {kwh_text(billed_milliwh)} kWh = {value}"
    return f"{about.measure} = {text} = {value}: the bill's running totals at the end less those at the start"


def _marginal_text(about: About, prices: dict[str, Any]) -> str:
    value = f"{number_text(about.value)} {about.column.unit}"
    return f"{about.measure} = Σ price × time / Σ time over {prices['pieces']} quarter-hours = {value}"


def _peak(about: About, billed: Billed, behind: Behind) -> None:
    """The quarter-hour of the greatest mean power, and those next to it in rank."""
    mine, usage = _inside(billed, about.start_us, about.end_us), billed.usage
    energy, elapsed_s = usage.usage.import_milliwh[mine], usage.elapsed_s[mine]
    counts = usage.known[mine] & (elapsed_s > 0) & usage.has_import
    starts_us = billed.plan.edges_us[:-1][mine]
    rows = np.flatnonzero(counts)
    # an energy of whole milliwatt-hours over at most 900 s: floats tell any two such powers apart
    watts = energy[rows] * S_PER_HOUR / elapsed_s[rows] / MILLI
    order = np.argsort(-watts, kind="stable")[:FIRST_FEW].tolist()
    behind.more["peaks"] = [
        {
            "from": label(starts_us[rows[i]]),
            "energy_kwh": kwh(energy[rows[i]]),
            "seconds": int(elapsed_s[rows[i]]),
            "power_w": float(watts[i]),
        }
        for i in order
    ]
    if order:
        first = behind.more["peaks"][0]
        peak = int(starts_us[rows[order[0]]])
        flow = told_flow(about.past, about.known.channels, "energy_import", peak, peak + first["seconds"] * US_PER_S)
        first["readings"] = flow.readings()
        behind.filled = (
            f"peak_demand = {kwh_text(energy[rows[order[0]]])} kWh × 3600 s/h / {first['seconds']} s × 1000 = "
            f"{number_text(about.value)} W, in the quarter-hour from {first['from']}"
        )
