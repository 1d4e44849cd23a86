"""From readings as they came over the wire to readings of the core: units, bounds, instants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.quantities import BOUNDS_MILLI, QUANTITIES, UNITS, Dimension, Kind
from statistics_manager_service.core.readings import Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import (
    EARLIEST_READING_US,
    MILLI,
    QUARTER_US,
    S_PER_DAY,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_S,
)
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.ports import Channel, Household

_LONGEST_INTERVAL_US = 366 * S_PER_DAY * US_PER_S


@dataclass(slots=True)
class Claim:
    """Readings that a client sent, and the channel that they are for.

    factor: from the wire's unit to milli-units; a column where it differs by reading. length_us: of intervals.
    """

    wire: WireReadings
    channel: Channel
    factor: float | Float64
    length_us: Int64 | None


@dataclass(slots=True)
class Accepted:
    """Readings of a channel that are taken, in the order in which they came.

    at_us: (n,) int64; of an interval: its start. value_milli: (n,) int64. length_us: (n,) int64 for intervals,
    else None.
    """

    channel: Channel
    at_us: Int64
    value_milli: Int64
    length_us: Int64 | None


def default_unit(wire: WireReadings, household: Household) -> str:
    """The unit of readings that tell none: the household's for registers, else the quantity's."""
    quantity = QUANTITIES[wire.quantity]
    if quantity.dimension is Dimension.ENERGY and kind_of(wire) is Kind.REGISTER:
        return household.register_unit
    return quantity.unit


def kind_of(wire: WireReadings) -> Kind:
    """The kind of the readings: as told, else the quantity's usual one."""
    return wire.kind or QUANTITIES[wire.quantity].kinds[0]


def claim(wire: WireReadings, household: Household, channel: Channel) -> Claim:
    """The readings beside their channel. Raises BadInput where they are wrong as a whole: no length of the intervals,
    a unit of another dimension."""
    dimension = QUANTITIES[wire.quantity].dimension
    unit = wire.unit or default_unit(wire, household)
    is_interval = channel.kind is Kind.INTERVAL
    length = wire.interval_us if is_interval else None
    if is_interval and length is None:
        raise BadInput.of([Fault(f"{wire.where}.interval", "an interval needs its length, such as PT15M")])
    if unit in UNITS[dimension]:
        return Claim(wire, channel, UNITS[dimension][unit], length)
    if unit in UNITS[Dimension.POWER] and length is not None:  # mean power over the interval
        return Claim(wire, channel, UNITS[Dimension.POWER][unit] * (length / US_PER_HOUR), length)
    allowed = ", ".join(UNITS[dimension])
    raise BadInput.of([Fault(f"{wire.where}.unit", f"{unit!r} is no unit of {wire.quantity}; allowed are {allowed}")])


def accept(
    claims: Sequence[Claim], now_us: int, *, whole_rows: bool = False
) -> tuple[list[Accepted], list[RefusedReading]]:
    """The readings in milli-units, those of each claim; and the single ones that can't be taken.

    whole_rows: readings of one index stand or fall together, whatever their claims.
    """
    if not claims:
        return [], []
    ends = np.cumsum([len(one.wire.at_us) for one in claims])
    owner = np.repeat(np.arange(len(claims)), np.diff(ends, prepend=0))
    at_us = np.concatenate([_starts(one) for one in claims])
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        milli = np.concatenate([one.wire.value * one.factor for one in claims])
    length_us = np.concatenate([_lengths(one) for one in claims])
    checks = _checks(claims, owner, at_us, milli, length_us, now_us)
    bad = np.logical_or.reduce([failed for failed, _ in checks])
    milli[bad] = 0
    value_milli = np.rint(milli).astype(np.int64)
    good = None
    if bad.any():
        index = np.concatenate([_indices(one.wire) for one in claims]) if whole_rows else None
        good = ~bad if index is None else ~np.isin(index, index[bad])
    out = []
    for one, first, end in zip(claims, [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        part = slice(first, end) if good is None else np.flatnonzero(good[first:end]) + first
        length = None if one.length_us is None else length_us[part]
        out.append(Accepted(one.channel, at_us[part], value_milli[part], length))
    rows = np.flatnonzero(bad).tolist()
    return out, [_refusal(claims[owner[i]], i - int(ends[owner[i]]), checks, i) for i in rows]


def _indices(wire: WireReadings) -> Int64:
    return np.arange(len(wire.at_us)) if wire.index is None else wire.index


def _starts(one: Claim) -> Int64:
    return one.wire.at_us - one.length_us if one.length_us is not None and one.wire.stamp_end else one.wire.at_us


def _lengths(one: Claim) -> Int64:
    return np.zeros(len(one.wire.at_us), np.int64) if one.length_us is None else one.length_us


Check = tuple[NDArray[np.bool_], Callable[[Claim], str]]


def _checks(
    claims: Sequence[Claim], owner: Int64, at_us: Int64, milli: Float64, length_us: Int64, now_us: int
) -> list[Check]:
    """What can be wrong with single readings: where it is, and the sentence that says so."""

    def by_claim(limit: Callable[[Claim], float]) -> float | Float64:
        """A limit for each reading; one number where all have the same."""
        limits = [limit(one) for one in claims]
        return limits[0] if len(set(limits)) == 1 else np.array(limits)[owner]

    size = np.abs(milli)
    checks: list[Check] = [
        (~np.isfinite(milli), lambda _: "the value is not a finite number"),
        (size > by_claim(_bound), lambda one: f"the value is beyond {_shown_bound(one)}, more than any home has"),
        (
            at_us < EARLIEST_READING_US,
            lambda _: "the instant lies before 2000-01-01; is it in another unit of time?",
        ),
        (
            at_us > now_us + US_PER_DAY - length_us,  # as a sum it could wrap
            lambda _: "the instant lies more than a day ahead; is it in another unit of time?",
        ),
    ]
    if any(one.length_us is not None for one in claims):
        is_interval = np.array([one.length_us is not None for one in claims])[owner]
        wrong = is_interval & ((length_us < 0) | (length_us > _LONGEST_INTERVAL_US))
        checks.append((wrong, lambda _: "an interval lasts from above 0 seconds up to 366 days"))
        length_us = np.where(length_us > 0, length_us, QUARTER_US)  # of unknown length: it counts in its quarter-hour
        with np.errstate(invalid="ignore"):  # no limit over no time is nan, and nothing is beyond that
            most = by_claim(_most_energy) * (length_us / US_PER_HOUR)
        most = most + by_claim(lambda one: one.channel.resolution_milli or 0)
        checks.append((is_interval & (size > most), lambda c: f"more energy than the channel's {_most_w(c)} W carry"))
    if any(_most_power(one) < np.inf for one in claims):
        checks.append((size > by_claim(_most_power), lambda one: f"more than the channel's {_most_w(one)} W"))
    if any(_modulus(one) < np.inf for one in claims):
        modulus = by_claim(_modulus)
        outside = np.isfinite(modulus) & ((milli < 0) | (milli >= modulus))
        checks.append((outside, lambda _: "a register with a modulus reads from 0 to below it"))
    return checks


def _bound(one: Claim) -> float:
    return BOUNDS_MILLI[QUANTITIES[one.wire.quantity].dimension]


def _shown_bound(one: Claim) -> str:
    dimension = QUANTITIES[one.wire.quantity].dimension
    unit = next(unit for unit, factor in UNITS[dimension].items() if factor == MILLI or dimension is Dimension.RATIO)
    return f"{BOUNDS_MILLI[dimension] / UNITS[dimension][unit]:g} {unit}"


def _most_w(one: Claim) -> str:
    return f"{one.channel.max_power_w:g}"


def _most_energy(one: Claim) -> float:
    """The most that flows in an hour of an interval, where the channel has a limit."""
    most_w = one.channel.max_power_w
    return np.inf if most_w is None or one.channel.kind is not Kind.INTERVAL else most_w * MILLI


def _most_power(one: Claim) -> float:
    is_power = one.channel.kind is Kind.SAMPLE and QUANTITIES[one.wire.quantity].dimension is Dimension.POWER
    most_w = one.channel.max_power_w
    return np.inf if most_w is None or not is_power else most_w * MILLI


def _modulus(one: Claim) -> float:
    modulus = one.channel.modulus_milli
    return np.inf if modulus is None or one.channel.kind is not Kind.REGISTER else modulus


def _refusal(one: Claim, place_from_end: int, checks: Sequence[Check], row: int) -> RefusedReading:
    place = len(one.wire.at_us) + place_from_end
    reasons = "; ".join(sentence(one) for failed, sentence in checks if failed[row])
    return RefusedReading(one.wire.where, place if one.wire.index is None else int(one.wire.index[place]), reasons)
