"""What JSON, CSV and Arrow bodies share: checks of a channel's words, instants and durations from text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import QUANTITIES, UNITS, Dimension, Kind
from statistics_manager_service.core.readings import UNKNOWN_LENGTH, Int64
from statistics_manager_service.core.units import S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, US_PER_S
from statistics_manager_service.errors import Fault

#: Instants that fit: 1970 to 2262. The service itself takes fewer, and says so.
MOST_US: Final = 2**63 // 1000
_USUAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?Z", re.ASCII)
_DURATION: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_DURATION_S: Final = (7 * S_PER_DAY, S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, 1)


def duration_us(text: str) -> int | None:
    """The microseconds of an ISO 8601 duration such as PT15M, 0 of an unknown one; None where the text is neither."""
    if text == UNKNOWN_LENGTH:
        return 0
    match = _DURATION.fullmatch(text) if len(text) <= 32 else None
    if match is None:
        return None
    seconds = sum(int(part or 0) * s for part, s in zip(match.groups(), _DURATION_S, strict=True))
    return seconds * US_PER_S if 0 < seconds < 10 * 366 * S_PER_DAY else None


def check_channel(where: str, meter: Any, quantity: Any, kind: Any, unit: Any, faults: list[Fault]) -> Kind | None:
    """The kind of a channel, if told; adds what is wrong with its words to the faults."""
    if isinstance(meter, str):
        faults += check_name(meter, f"{where}.meter")
    else:
        faults.append(Fault(f"{where}.meter", "the name of the meter is missing, or not a text"))
    found = QUANTITIES.get(quantity) if isinstance(quantity, str) else None
    if found is None:
        shown = ascii(quantity)[:40]
        allowed = ", ".join(name for name in QUANTITIES if "_l" not in name)
        faults.append(Fault(f"{where}.quantity", f"{shown} is no quantity; there are {allowed}"))
    told: Kind | None = None
    if kind is not None:
        if kind in list(Kind):
            told = Kind(kind)
        else:
            faults.append(Fault(f"{where}.kind", f"{ascii(kind)[:40]} is no kind; there are {', '.join(Kind)}"))
    if found is None:
        return told
    if told is not None and told not in found.kinds:
        faults.append(Fault(f"{where}.kind", f"{quantity} is told by kind {' or '.join(found.kinds)}, not by {told}"))
    allowed_units = list(UNITS[found.dimension])
    if found.dimension is Dimension.ENERGY and told is Kind.INTERVAL:
        allowed_units += UNITS[Dimension.POWER]
    if unit is not None and unit not in allowed_units:
        why = f"{ascii(unit)[:40]} is no unit of {quantity}; allowed are {', '.join(allowed_units)}"
        faults.append(Fault(f"{where}.unit", why))
    return told


def check_stamp(where: str, stamp: Any, faults: list[Fault]) -> bool:
    """Whether instants are the ends of their intervals."""
    if stamp not in (None, "start", "end"):
        faults.append(Fault(f"{where}.stamp", f"{ascii(stamp)[:40]} is no stamp; it is start or end"))
    return bool(stamp == "end")


def kind_word(kind: Any, interval: Any) -> Any:
    """The word for the kind: as told, else what is told to have a length is an interval."""
    return Kind.INTERVAL.value if kind is None and interval is not None else kind


def check_lengthless(where: str, kind: Kind | None, interval: Any, stamp: Any, faults: list[Fault]) -> None:
    """What is told of intervals is no matter of another kind: energies of intervals would be taken for a register."""
    if kind is Kind.INTERVAL:
        return
    for name, told in (("interval", interval), ("stamp", stamp)):
        if told is not None:
            faults.append(Fault(f"{where}.{name}", "only readings of kind interval have it"))


def instants_us(texts: Sequence[str]) -> Int64 | None:
    """Instants of ISO 8601 texts in one go; None where one of them is not of the usual form.

    NumPy reads much that is no instant, and its offsets otherwise; so each text is looked at first.
    """
    if not all(map(_USUAL.fullmatch, texts)):
        return None
    try:
        found = np.array([text[:-1] for text in texts], dtype="datetime64[us]")
    except ValueError:
        return None
    out: Int64 = found.astype(np.int64)
    return out


def instant_us(value: Any) -> int:
    """The instant of a text (ISO 8601; UTC without an offset) or of epoch seconds. Raises ValueError that says why."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("the instant must be ISO 8601 text or epoch seconds")
    if isinstance(value, str):
        if len(value) < 16 or len(value) > 40:
            raise ValueError(f"{ascii(value)[:40]} is no instant such as 2024-01-01T00:00:00Z")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{ascii(value)[:40]} is no instant such as 2024-01-01T00:00:00Z") from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        at_us = (since.days * S_PER_DAY + since.seconds) * US_PER_S + since.microseconds
    else:
        at_us = round(value * US_PER_S) if abs(value) < 1e13 else MOST_US
    if not 0 <= at_us < MOST_US:
        raise ValueError("the instant lies outside the years 1970 to 2262; epoch instants are in seconds")
    return at_us
