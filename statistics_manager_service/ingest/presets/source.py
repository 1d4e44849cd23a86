"""What the command line tells of a file, and what a preset is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.errors import BadInput, Fault

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What the command line tells of a file; a form that names its own meters or units passes over it.

    zone: the zone of clock labels without an offset; None where nobody has told it.
    on_bytes: gets the number of bytes read of the file as it is on the disk, now and then.
    """

    household: str
    meter: str
    quantity: str
    kind: Kind | None
    unit: str | None
    zone: str | None
    interval_us: int | None
    stamp_end: bool
    decimal: Literal["point", "comma"] | None
    on_bytes: OnBytes


@dataclass(frozen=True, slots=True)
class Preset:
    """A form of file: how it is read, and what people are told of it.

    form: the columns that it needs. clock: how its instants are told.
    """

    read: Callable[[Path, Source], Iterator[Decoded]]
    form: str
    clock: str


def wrong(where: str, why: str) -> BadInput:
    """An error with a single fault."""
    return BadInput.of([Fault(where, why)])
