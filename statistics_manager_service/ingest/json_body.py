"""Readings of one household as JSON columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from statistics_manager_service.core.names import check_name, repeated_members
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.ingest.columns import (
    MOST_US,
    check_channel,
    check_lengthless,
    check_stamp,
    duration_us,
    instant_us,
    instants_us,
    kind_word,
)

_BODY_MEMBERS = ("household", "readings")
_MEMBERS = {"meter", "quantity", "kind", "unit", "at", "value", "interval", "stamp"}


def decode_json(body: bytes) -> Decoded:
    """The readings of `{"household", "readings": [{"meter", "quantity", "kind", "unit", "at": […], "value": […]}]}`.

    Single instants or values that can't be are refused by their index; what is wrong with a channel as a whole raises
    BadInput with all faults of the body.
    """
    try:
        told = orjson.loads(body)
    except ValueError as error:
        raise BadInput.of([Fault("body", f"this is not JSON: {str(error)[:200]}")]) from error
    if not isinstance(told, dict):
        raise BadInput.of([Fault("body", "the body must be an object with household and readings")])
    faults: list[Fault] = _repeated(body, told)
    household, channels = told.get("household"), told.get("readings")
    if isinstance(household, str):
        faults += check_name(household, "household")
    else:
        faults.append(Fault("household", "the id of the household is missing, or not a text"))
    if not isinstance(channels, list):
        faults.append(Fault("readings", "a list of channels is missing"))
        channels = []
    faults += [Fault(name[:60] or '""', "no such member") for name in told if name not in _BODY_MEMBERS]
    out = Decoded([], [], household=str(household))
    for i, channel in enumerate(channels):
        where = f"readings[{i}]"
        if not isinstance(channel, dict):
            faults.append(Fault(where, "a channel is an object with meter, quantity, kind, unit, at, value"))
            continue
        wire = _channel(str(household), where, channel, faults, out.refused)
        if wire is not None:
            out.channels.append(wire)
    if faults:
        raise BadInput.of(faults)
    return out


def _repeated(body: bytes, told: dict[str, Any]) -> list[Fault]:
    """The faults of members that stand twice. Counting the members' names as they are written spares most bodies a
    second, slow reading."""
    channels = told.get("readings")
    objects = [told, *(one for one in channels if isinstance(one, dict))] if isinstance(channels, list) else [told]
    for name in (*_BODY_MEMBERS, *_MEMBERS):
        if body.count(b'"%b"' % name.encode()) != sum(name in one for one in objects):
            return repeated_members(body)
    return repeated_members(body) if b"\\" in body else []


def _channel(
    household: str, where: str, told: dict[str, Any], faults: list[Fault], refused: list[RefusedReading]
) -> WireReadings | None:
    before = len(faults)
    meter, quantity = told.get("meter"), told.get("quantity")
    word = kind_word(told.get("kind"), told.get("interval"))
    kind = check_channel(where, meter, quantity, word, told.get("unit"), faults)
    stamp_end = check_stamp(where, told.get("stamp"), faults)
    check_lengthless(where, kind, told.get("interval"), told.get("stamp"), faults)
    faults += [Fault(f"{where}.{name[:60]}", "no such member") for name in told if name not in _MEMBERS]
    at, value = told.get("at"), told.get("value")
    for name, column in (("at", at), ("value", value)):
        if not isinstance(column, list):
            faults.append(Fault(f"{where}.{name}", "a list is missing"))
    if not isinstance(at, list) or not isinstance(value, list):
        return None
    if len(at) != len(value):
        faults.append(Fault(where, f"{len(at)} instants and {len(value)} values; there must be as many of both"))
        return None
    lengths = _lengths(where, told.get("interval"), len(at), faults) if kind is Kind.INTERVAL else None
    if len(faults) > before or not isinstance(meter, str) or not isinstance(quantity, str):
        return None
    at_us, values, index = _columns(where, at, value, refused)
    if index is not None and lengths is not None:
        lengths = lengths[index]
    return WireReadings(
        household, meter, quantity, kind, told.get("unit"), at_us, values, lengths, stamp_end, index, where
    )


def _lengths(where: str, told: Any, count: int, faults: list[Fault]) -> Int64 | None:
    """The lengths of intervals, from one duration or a list of them."""
    texts = told if isinstance(told, list) else [told]
    found = [duration_us(text) if isinstance(text, str) else None for text in texts]
    if None in found or (isinstance(told, list) and len(found) != count):
        why = "an interval needs its length as an ISO 8601 duration such as PT15M, or a list of as many"
        faults.append(Fault(f"{where}.interval", why))
        return None
    lengths = np.array(found, np.int64)
    return lengths if isinstance(told, list) else np.full(count, lengths[0], np.int64)


def _columns(
    where: str, at: list[Any], value: list[Any], refused: list[RefusedReading]
) -> tuple[Int64, Float64, Int64 | None]:
    """Instants, values and, where some are refused, the indices of those that are left."""
    kinds = set(map(type, at))
    at_us: Int64 | None = None
    if kinds == {str}:
        at_us = instants_us(at)
    elif kinds == {int} and min(at) >= 0 and max(at) < MOST_US // US_PER_S:
        at_us = np.array(at, np.int64) * US_PER_S
    if at_us is not None and set(map(type, value)) <= {int, float} and bool(((at_us >= 0) & (at_us < MOST_US)).all()):
        try:
            return at_us, np.array(value, np.float64), None
        except OverflowError:
            pass  # an integer of hundreds of digits: the careful way names it
    instants, values, index = [], [], []
    for i, (moment, number) in enumerate(zip(at, value, strict=True)):
        try:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueError(f"the value is {ascii(number)[:40]}, and not a number")
            instant, real = instant_us(moment), float(number)
        except (ValueError, OverflowError) as error:
            refused.append(RefusedReading(where, i, str(error)))
            continue
        instants.append(instant)
        values.append(real)
        index.append(i)
    return np.array(instants, np.int64), np.array(values, np.float64), np.array(index, np.int64)
