"""Explains quantities as they are metered: energies of channels, and means of samples."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.quantities import QUANTITIES, Dimension
from statistics_manager_service.core.units import MILLI
from statistics_manager_service.services.explaining.channel_parts import ChannelPart, channel_part, pieces_us
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import exact_text, kwh_text
from statistics_manager_service.services.explaining.flows import common, quarter_counts, told_flow
from statistics_manager_service.services.measuring import seconds_covered
from statistics_manager_service.services.ports import Channel
from statistics_manager_service.services.totals import COUNT, Totals

_MEAN: Final = "samples of the quantity; all that lie in the time count alike"
_SUMMED: Final = "samples of the quantity; the means of several meters are added up"
NOTHING_READ: Final = "nothing was ever read that tells it"
NOT_IN_TIME: Final = "nothing is known of this time: it lies before, behind or between the readings"


class Quantities:
    """Explains energies, powers, voltages and the like, of the home or of one meter."""

    measures: Sequence[str] = measures_of(Family.QUANTITY)

    def behind(self, about: About) -> Behind:
        """What is behind a quantity."""
        if QUANTITIES[about.measure].dimension is Dimension.ENERGY:
            return energy_behind(about, about.measure, channels_of(about))
        return _mean_behind(about)


def channels_of(about: About) -> list[Channel]:
    """The home's channels, or those of the meter that is asked about."""
    meter = about.way.meter
    return [one for one in about.known.channels if meter is None or one.meter == meter]


def energy_behind(about: About, quantity: str, channels: Sequence[Channel]) -> Behind:
    """What is behind an energy that channels tell."""
    flow = told_flow(about.past, channels, quantity, about.start_us, about.end_us)
    if not flow.parts:
        return Behind(f"{quantity} is not known: {NOTHING_READ}", reasons=[NOTHING_READ])
    quarters = common({quantity: flow}, about.start_us, about.end_us).quarters()
    is_known = bool(flow.flow.known.any())
    filled = f"{quantity} = {flow.text} = {kwh_text(flow.energy_milliwh)} kWh"
    reasons = [] if is_known else [NOT_IN_TIME]
    if not is_known:
        filled = f"{quantity} is not known: {NOT_IN_TIME}"
    inputs = [
        {"meter": one.channel.meter, "quantity": one.channel.quantity, "value": one.told["energy_kwh"], "unit": "kWh"}
        for one in flow.parts
    ]
    return Behind(filled, inputs, quarters, flow.readings(), lines=flow.lines(), reasons=reasons)


def _mean_behind(about: About) -> Behind:
    """What is behind a mean of samples."""
    measure, dimension = about.measure, QUANTITIES[about.measure].dimension
    mine = [one for one in channels_of(about) if one.quantity == measure]
    is_power = dimension is Dimension.POWER
    why = _SUMMED if is_power else _MEAN
    parts = [channel_part(about.past, one, about.start_us, about.end_us, why, as_energy=False) for one in mine]
    if not parts:
        return Behind(f"{measure} is not known: {NOTHING_READ}", reasons=[NOTHING_READ])
    edges_us = pieces_us(about.start_us, about.end_us)
    totals = Totals(about.past, edges_us)
    steps = totals.steps(mine)
    measured_s, _ = seconds_covered(totals, mine, steps)
    known = (measured_s > 0) | (steps[:, :, COUNT].sum(axis=0) > 0)
    quarters = quarter_counts(edges_us, np.where(known, measured_s, 0), np.where(known, measured_s, 0), known)
    scale = MILLI * MILLI if dimension is Dimension.RATIO else MILLI
    inputs: list[dict[str, Any]] = [
        {
            "meter": one.channel.meter,
            "quantity": measure,
            "samples": one.count,
            "sum": exact_text(Fraction(one.total_milli, scale)),
            "unit": about.column.unit,
        }
        for one in parts
    ]
    lines = [line for one in parts for line in one.lines]
    readings = [one.told for one in parts]
    counted = [one for one in parts if one.count]
    if not counted:
        return Behind(f"{measure} is not known: {NOT_IN_TIME}", inputs, quarters, readings, lines=lines,
                      reasons=[NOT_IN_TIME])  # fmt: skip
    value = f"{number_text(about.value)} {about.column.unit}"
    return Behind(
        f"{measure} = {_mean_text(counted, scale, is_power)} = {value}", inputs, quarters, readings, lines=lines
    )


def _mean_text(parts: Sequence[ChannelPart], scale: int, is_power: bool) -> str:
    """The sums over the numbers of samples."""
    if is_power:
        return " + ".join(f"{exact_text(Fraction(one.total_milli, scale))} / {one.count} samples" for one in parts)
    total, count = sum(one.total_milli for one in parts), sum(one.count for one in parts)
    return f"{exact_text(Fraction(total, scale))} / {count} samples"
