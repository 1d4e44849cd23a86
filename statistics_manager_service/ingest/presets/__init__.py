"""Files of meters, portals and other systems, as readings: one function a form, chosen by the name of a preset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, cast

from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.ingest.columns import duration_us
from statistics_manager_service.ingest.presets.givenergy import GIVENERGY
from statistics_manager_service.ingest.presets.green_button import GREEN_BUTTON
from statistics_manager_service.ingest.presets.loggers import LOGGERS
from statistics_manager_service.ingest.presets.plain import PLAIN
from statistics_manager_service.ingest.presets.portals import PORTALS
from statistics_manager_service.ingest.presets.source import OnBytes, Preset, Source

__all__ = ["PRESETS", "Preset", "read_file"]

PRESETS: Final[dict[str, Preset]] = {**PLAIN, **PORTALS, **LOGGERS, **GREEN_BUTTON, **GIVENERGY}


def read_file(
    path: Path,
    preset: str,
    *,
    household: str,
    meter: str = "grid",
    quantity: str = "energy_import",
    kind: str | None = None,
    unit: str | None = None,
    zone: str | None = None,
    interval: str | None = None,
    stamp: str | None = None,
    decimal: str | None = None,
    on_bytes: OnBytes = lambda _: None,
) -> Iterator[Decoded]:
    """The readings of a file, unpacked if it is gzip, in pieces of bounded size.

    Raises BadInput for an unknown preset or option, for a file that is not of its form (with what is there and what
    would be right), and at the end of one of which not a single row could be read.
    """
    faults = _faults(preset, household, meter, kind, zone, stamp, decimal)
    length = None if interval is None else duration_us(interval)
    if interval is not None and length is None:
        faults.append(Fault("interval", f"{interval[:40]!r} is no duration such as PT15M"))
    if faults:
        raise BadInput.of(faults)
    mark = cast(Literal["point", "comma"] | None, decimal)
    source = Source(
        household, meter, quantity, Kind(kind) if kind else None, unit, zone, length, stamp == "end", mark, on_bytes
    )
    form = PRESETS[preset]
    any_read, first = False, None
    for piece in form.read(path, source):
        any_read = any_read or any(len(one.at_us) for one in piece.channels)
        first = first or next(iter(piece.refused), None)
        yield piece
    if any_read:
        return
    why = (
        "there is no reading in it"
        if first is None
        else f"no row can be read; {first.where} {first.index}: {first.reason}"
    )
    raise BadInput.of([Fault(path.name, f"{why} (the form is {form.form}; clock: {form.clock})")])


def _faults(
    preset: str, household: str, meter: str, kind: str | None, zone: str | None, stamp: str | None, decimal: str | None
) -> list[Fault]:
    """What is wrong with the options."""
    faults = [*check_name(household, "household"), *check_name(meter, "meter")]
    choices = (
        ("preset", preset, list(PRESETS)),
        ("kind", kind, list(Kind)),
        ("stamp", stamp, ["start", "end"]),
        ("decimal", decimal, ["point", "comma"]),
    )
    for name, told, allowed in choices:
        if told is not None and told not in allowed:
            faults.append(Fault(name, f"{told[:40]!r} is no {name}; there are {', '.join(allowed)}"))
    if zone is not None:
        try:
            check_zone(zone)
        except BadInput as error:
            faults += error.faults
    return faults
