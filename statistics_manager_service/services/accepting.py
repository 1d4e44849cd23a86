"""From readings as they came over the wire to readings of the core: units, bounds, instants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.quantities import BOUNDS_MILLI, QUANTITIES, UNITS, Dimension, Kind
from statistics_manager_service.core.readings import Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import (
    EARLIEST_READING_US,
    MILLI,
    S_PER_DAY,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_S,
)
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.ports import Channel, Household

_LONGEST_INTERVAL_US = 366 * S_PER_DAY * US_PER_S


@dataclass(slots=True)
class Accepted:
    """Readings of one channel that are taken, in the order in which they came.

    at_us: (n,) int64; of an interval: its start. value_milli: (n,) int64. length_us: (n,) int64 for intervals,
    else None.
    """

    at_us: Int64
    value_milli: Int64
    length_us: Int64 | None
    refused: list[RefusedReading]


def default_unit(wire: WireReadings, household: Household) -> str:
    """The unit of readings that tell none: the household's for registers, else the quantity's."""
    quantity = QUANTITIES[wire.quantity]
    if quantity.dimension is Dimension.ENERGY and kind_of(wire) is Kind.REGISTER:
        return household.register_unit
    return quantity.unit


def kind_of(wire: WireReadings) -> Kind:
    """The kind of the readings: as told, else the quantity's usual one."""
    return wire.kind or QUANTITIES[wire.quantity].kinds[0]


def accept(wire: WireReadings, household: Household, channel: Channel, now_us: int) -> Accepted:
    """Convert readings to milli-units and set apart those that cannot be.

    Raises BadInput where the channel as a whole is wrong (its unit is of another dimension).
    """
    dimension = QUANTITIES[wire.quantity].dimension
    unit = wire.unit or default_unit(wire, household)
    is_interval = channel.kind is Kind.INTERVAL
    length = wire.interval_us if is_interval else None
    if is_interval and length is None:
        raise BadInput.of([Fault(f"{wire.where}.interval", "an interval needs its length, such as PT15M")])
    factor: float | Float64
    if unit in UNITS[dimension]:
        factor = UNITS[dimension][unit]
    elif is_interval and unit in UNITS[Dimension.POWER] and length is not None:
        factor = UNITS[Dimension.POWER][unit] * (length / US_PER_HOUR)  # mean power over the interval
    else:
        allowed = ", ".join(UNITS[dimension])
        raise BadInput.of(
            [Fault(f"{wire.where}.unit", f"{unit!r} is no unit of {wire.quantity}; allowed are {allowed}")]
        )
    at_us = wire.at_us - length if length is not None and wire.stamp_end else wire.at_us
    milli = wire.value * factor
    checks = _checks(channel, dimension, at_us, milli, length, now_us)
    bad = np.zeros(len(at_us), np.bool_)
    for failed, _ in checks:
        bad |= failed
    refused = [] if not bad.any() else _refusals(wire, checks, bad)
    good = ~bad
    return Accepted(
        at_us[good], np.rint(milli[good]).astype(np.int64), None if length is None else length[good], refused
    )


def _checks(
    channel: Channel, dimension: Dimension, at_us: Int64, milli: Float64, length: Int64 | None, now_us: int
) -> list[tuple[NDArray[np.bool_], str]]:
    """What can be wrong with single readings: where it is, and the sentence that says so."""
    bound = BOUNDS_MILLI[dimension]
    end_us = at_us if length is None else at_us + length
    checks = [
        (~np.isfinite(milli), "the value is not a finite number"),
        (
            np.abs(milli) > bound,
            f"the value is beyond {bound / MILLI:g} {_base_unit(dimension)}, more than any home has",
        ),
        (at_us < EARLIEST_READING_US, "the instant lies before 2000-01-01; is it in another unit of time?"),
        (end_us > now_us + US_PER_DAY, "the instant lies more than a day ahead; is it in another unit of time?"),
    ]
    if length is not None:
        wrong = (length <= 0) | (length > _LONGEST_INTERVAL_US)
        checks.append((wrong, "an interval lasts from above 0 seconds up to 366 days"))
        if channel.max_power_w is not None:
            most = channel.max_power_w * MILLI * (length / US_PER_HOUR) + (channel.resolution_milli or 0)
            checks.append((np.abs(milli) > most, f"more energy than the channel's {channel.max_power_w:g} W carry"))
    if channel.kind is Kind.SAMPLE and dimension is Dimension.POWER and channel.max_power_w is not None:
        checks.append(
            (np.abs(milli) > channel.max_power_w * MILLI, f"more than the channel's {channel.max_power_w:g} W")
        )
    if channel.kind is Kind.REGISTER and channel.modulus_milli is not None:
        outside = (milli < 0) | (milli >= channel.modulus_milli)
        checks.append((outside, "a register with a modulus reads from 0 to below it"))
    return checks


def _base_unit(dimension: Dimension) -> str:
    return next(unit for unit, factor in UNITS[dimension].items() if factor == MILLI or dimension is Dimension.RATIO)


def _refusals(
    wire: WireReadings, checks: list[tuple[NDArray[np.bool_], str]], bad: NDArray[np.bool_]
) -> list[RefusedReading]:
    found = []
    for i in np.flatnonzero(bad).tolist():
        reasons = "; ".join(sentence for failed, sentence in checks if failed[i])
        index = i if wire.index is None else int(wire.index[i])
        found.append(RefusedReading(wire.where, index, reasons))
    return found
