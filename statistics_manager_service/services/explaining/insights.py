"""Explains load figures by the mean powers that they are of, and degree days by the days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.degree_days import EUROSTAT, cooling_degree_days, heating_degree_days
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.load import BASE_PERCENT, HIGH_PERCENT, greatest_places
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import MILLI, QUARTER_S, S_PER_HOUR
from statistics_manager_service.services.explaining.attributions import told_home
from statistics_manager_service.services.explaining.channel_parts import channel_part
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import FIRST_FEW, MOST_LISTED, few, kwh, label
from statistics_manager_service.services.explaining.flows import common, told_flow
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME, NOTHING_READ, channels_of
from statistics_manager_service.services.explaining.tables import table_of
from statistics_manager_service.services.insight.insights import whole_days
from statistics_manager_service.services.insight.load_quarters import LoadQuarters, load_quarters
from statistics_manager_service.services.insight.loads import COS_PHI
from statistics_manager_service.services.insight.temperatures import day_temperatures, outside_channel, within

_DAYS_OF: Final = {"heating_degree_days": heating_degree_days, "cooling_degree_days": cooling_degree_days}
_PERCENTS: Final = {"base_load": BASE_PERCENT, "demand_p95": HIGH_PERCENT}
_OF_IMPORT: Final = ("contracted_power_utilisation", "time_above_contracted_power")
_COUNTS: Final = "whole quarter-hours that were measured throughout; power in W = kWh × 4000"


class InsightFigures:
    """Explains load factor, base load, percentiles, the use of the contracted power, and degree days."""

    measures: Sequence[str] = measures_of(Family.INSIGHT)

    def behind(self, about: About) -> Behind:
        """What is behind a figure of the load or of the weather."""
        return _days_behind(about) if about.measure in _DAYS_OF else _load_behind(about)


def _load_behind(about: About) -> Behind:
    energy = "energy_import" if about.measure in _OF_IMPORT else "energy_consumption"
    behind = _flows_behind(about, energy)
    if not behind.readings:
        return Behind(f"{about.measure} is not known: {NOTHING_READ}", reasons=[NOTHING_READ])
    edges_us = np.array([about.start_us, about.end_us], np.int64)
    quarters = load_quarters(about.past, about.known.channels, edges_us, energy, about.way.meter)
    powers = np.sort(quarters.power_w[quarters.measured])
    told: dict[str, Any] = {
        "of": energy,
        "counts": _COUNTS,
        "quarters": len(powers),
        "left_out": {"estimated": int(quarters.estimated.sum()), "in_part": int(quarters.partial.sum())},
    }
    behind.more["load"] = told
    if about.value != about.value or not len(powers):  # NaN
        behind.filled = f"{about.measure} is not known"
        no_power = about.measure in _OF_IMPORT and not about.home.household.contracted_power_kva
        reason = "no power is above 0, or their mean is below 0" if len(powers) else NOT_IN_TIME
        behind.reasons.append("contracted_power_kva of the household is not told" if no_power else reason)
        return behind
    told["greatest"] = _greatest(quarters)
    told["powers_w"] = table_of(quarters.edges_us, {"power_w": [_or_none(one) for one in quarters.power_w.tolist()]})
    behind.filled = _filled(about, powers, told)
    if about.measure in _OF_IMPORT:
        behind.lines.append(f"contracted_power_kva {about.home.household.contracted_power_kva}")
    return behind


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _flows_behind(about: About, energy: str) -> Behind:
    """The flows whose powers count."""
    if about.way.meter is not None or energy == "energy_import":
        flow = told_flow(about.past, channels_of(about), energy, about.start_us, about.end_us)
        if not flow.parts:
            return Behind("")
        found = Behind("", [{"measure": energy, "value": kwh(flow.energy_milliwh), "unit": "kWh"}])
        found.quarters = common({energy: flow}, about.start_us, about.end_us).quarters()
        found.readings, found.lines = flow.readings(), flow.lines()
        return found
    told = told_home(about)
    if told.flows:
        told.devices = {}
    behind = told.behind()
    behind.inputs.insert(0, {"measure": energy})
    return behind


def _greatest(quarters: LoadQuarters) -> list[dict[str, Any]]:
    return [
        {"from": label(quarters.edges_us[i]), "power_w": float(quarters.power_w[i])}
        for i in greatest_places(quarters.power_w, FIRST_FEW)
    ]


def _filled(about: About, powers: Float64, told: dict[str, Any]) -> str:
    measure, value = about.measure, f"{number_text(about.value)} {about.column.unit}".removesuffix(" 1")
    count, peak_w = len(powers), float(powers[-1])
    if measure == "load_factor":
        told["sum_w"] = float(powers.sum())
        return f"{measure} = ({number_text(told['sum_w'])} W / {count}) / {number_text(peak_w)} W = {value}"
    if measure in _PERCENTS:
        rank = (count - 1) * _PERCENTS[measure] / 100
        low = math.floor(rank)
        below, above = float(powers[low]), float(powers[min(low + 1, count - 1)])
        told["rank"] = {"rank": rank, "sorted": "least first, counted from 0", "below_w": below, "above_w": above}
        return (
            f"{measure} = {number_text(below)} + ({number_text(above)} − {number_text(below)}) × ({rank} − {low}) = "
            f"{value}, the {_PERCENTS[measure]}th percentile of {count} powers at rank {rank}"
        )
    contracted_w = float(about.home.household.contracted_power_kva or 0) * COS_PHI * MILLI
    told["contracted_w"] = contracted_w
    if measure == "contracted_power_utilisation":
        return f"{measure} = {number_text(peak_w)} W / {number_text(contracted_w)} W = {value}"
    above_count = int((powers > contracted_w).sum())
    told["above"] = above_count
    return (
        f"{measure} = {above_count} quarter-hours above {number_text(contracted_w)} W × {QUARTER_S} s / "
        f"{S_PER_HOUR} s/h = {value}"
    )


def _days_behind(about: About) -> Behind:
    channel = outside_channel(about.known, about.way.meter)
    if isinstance(channel, str):
        return Behind(f"{about.measure} is not known: {channel}", reasons=[channel])
    cal = calendar(about.zone, GroupBy.TOTAL, about.start_us, about.end_us)
    days_us = whole_days(cal)
    why = "the temperature outside"
    part = channel_part(about.past, channel, int(days_us[0]), int(days_us[-1]), why, as_energy=False)
    mean_c = np.full(len(days_us) - 1, np.nan)
    first, last = within(channel, days_us)
    if last > first:
        mean_c[first:last] = day_temperatures(about.past, channel, days_us[first : last + 1]).mean_c
    degrees = _DAYS_OF[about.measure](mean_c)
    inside = np.minimum(days_us[1:], about.end_us) - np.maximum(days_us[:-1], about.start_us)
    rows = [
        {
            "from": at,
            "mean_c": _or_none(mean),
            "degree_days": _or_none(degree),
            "share_in_time": share,
        }
        for at, mean, degree, share in zip(
            iso_labels(days_us[:-1], None), mean_c.tolist(), degrees.tolist(), (inside / np.diff(days_us)).tolist(),
            strict=True,
        )
    ]  # fmt: skip
    known = ~np.isnan(degrees)
    filled = (
        f"{about.measure} = Σ over {int(known.sum())} days of degree days × share of the day in the time = "
        f"{number_text(about.value)} {about.column.unit}"
    )
    more = {
        "degree_days": {
            "rule": {
                "heating": f"{EUROSTAT.heating_base_c} °C − mean where mean ≤ {EUROSTAT.heating_limit_c} °C",
                "cooling": f"mean − {EUROSTAT.cooling_base_c} °C where mean ≥ {EUROSTAT.cooling_limit_c} °C",
                "mean": "of a civil day: the mean of the means of its hours, where 90 % of its time has samples",
            },
            "days": few(rows[: 2 * MOST_LISTED], len(rows)),
        }
    }
    reasons = [] if about.value == about.value else [NOT_IN_TIME]
    if reasons:
        filled = f"{about.measure} is not known"
    return Behind(filled, [], {}, [part.told], more, part.lines, reasons)
