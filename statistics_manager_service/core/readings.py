"""Readings as columns: as they came over the wire, and as the core takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.quantities import Kind

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


#: In place of an interval's duration: energy that counts whole in the quarter-hour of its instant.
UNKNOWN_LENGTH: Final = "unknown"


@dataclass(slots=True)
class WireReadings:
    """Readings of one channel as a client sent them: columns, units not yet converted, bounds not yet checked.

    at_us: (n,) int64, instants in microseconds UTC, as stamped by the client.
    value: (n,) float64 in `unit`, every one finite.
    unit: such as "kWh"; None where the protocol tells none (then the household's or the quantity's default).
    interval_us: (n,) int64 lengths, for intervals only; None where none was told. 0: energy that counts whole in the
        quarter-hour of its instant, as its length is not known.
    stamp_end: the instants are the ends of the intervals.
    index: (n,) int64, place of each reading in the input (row, element or line), which refusals name; None: 0, 1, …
    where: name of the channel's place in the input, such as "readings[0]".
    """

    household: str
    meter: str
    quantity: str
    kind: Kind | None
    unit: str | None
    at_us: Int64
    value: Float64
    interval_us: Int64 | None = None
    stamp_end: bool = False
    index: Int64 | None = None
    where: str = "readings"


@dataclass(frozen=True, slots=True)
class RefusedReading:
    """A single reading that is not taken: its place in the input, and why."""

    where: str
    index: int
    reason: str


@dataclass(slots=True)
class Decoded:
    """What a decoder found in a body: the readings that could be read, and the single ones that could not.

    A decoder raises BadInput where the body, or a channel as a whole, is wrong.
    notes: sentences on what was decided or left out, for whoever imports.
    household: whose body it is, where it names one for all of its channels.
    """

    channels: list[WireReadings]
    refused: list[RefusedReading]
    notes: list[str] = field(default_factory=list)
    household: str | None = None


@dataclass(slots=True)
class TelemetrySeries:
    """One field of one series of line protocol, before anyone knows whose channel it is.

    measurement, tags, field: as unescaped from the line.
    at_us: (n,) int64, instants in microseconds UTC.
    value: (n,) float64, every one finite.
    line: (n,) int64, number of each value's line in the body, counted from 1.
    """

    measurement: str
    tags: dict[str, str]
    field: str
    at_us: Int64
    value: Float64
    line: Int64


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of line protocol that is not taken: where it is, counted from 1, and why."""

    line: int
    column: int
    reason: str
