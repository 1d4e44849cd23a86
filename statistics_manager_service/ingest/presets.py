"""Files of meters, portals and other systems, as readings: one function a form, chosen by the name of a preset."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import local_instants_us
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import QUARTER_US, S_PER_HOUR, S_PER_MINUTE, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.ingest.columns import duration_us, instant_us
from statistics_manager_service.ingest.tables import decode_csv

_MINUTE_US: Final = S_PER_MINUTE * US_PER_S
_HOUR_US: Final = S_PER_HOUR * US_PER_S


@dataclass(frozen=True, slots=True)
class Source:
    """What the command line tells of a file; a form that names its own meters or units passes over it."""

    household: str
    meter: str
    quantity: str
    kind: Kind | None
    unit: str | None
    zone: str
    interval_us: int | None


Rows = list[list[str]]


def read_file(
    path: Path,
    preset: str,
    *,
    household: str,
    meter: str = "grid",
    quantity: str = "energy_import",
    kind: str | None = None,
    unit: str | None = None,
    zone: str = "UTC",
    interval: str | None = None,
) -> Iterator[Decoded]:
    """The readings of a file, unpacked if it is gzip.

    Raises BadInput for an unknown preset, and for a file that is not of its form: with what is there and what would be
    right.
    """
    if preset not in PRESETS:
        raise BadInput.of([Fault("preset", f"{preset!r} is no preset; there are {', '.join(PRESETS)}")])
    faults = []
    if kind is not None and kind not in list(Kind):
        faults.append(Fault("kind", f"{kind!r} is no kind; there are {', '.join(Kind)}"))
    length = None if interval is None else duration_us(interval)
    if interval is not None and length is None:
        faults.append(Fault("interval", f"{interval!r} is no duration such as PT15M"))
    if faults:
        raise BadInput.of(faults)
    raw = path.read_bytes()
    try:
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise BadInput.of([Fault(path.name, f"the file is broken gzip: {error}")]) from error
    if not raw.strip():
        raise BadInput.of([Fault(path.name, "the file is empty")])
    source = Source(household, meter, quantity, Kind(kind) if kind else None, unit, zone, length)
    yield PRESETS[preset](raw, source)


def _rows(raw: bytes) -> Rows:
    """The rows of a text of commas, semicolons or tabs, whichever there are most of in its beginning."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    start = text[:4000]
    delimiter = max(",;\t", key=start.count)
    return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]


def _header(rows: Rows, wanted: Callable[[list[str]], bool], needed: str) -> tuple[dict[str, int], Rows]:
    """The places of the columns, and the rows behind the header, which may stand below other lines."""
    for i, row in enumerate(rows[:30]):
        cells = [cell.strip() for cell in row]
        if wanted(cells):
            return {cell: place for place, cell in enumerate(cells)}, rows[i + 1 :]
    found = ", ".join(rows[0])[:200]
    raise BadInput.of([Fault("header", f"the file has the columns {found}; this preset needs {needed}")])


def _numbers(cells: list[str], first_row: int, refused: list[RefusedReading], where: str) -> Float64:
    """Numbers with a decimal point or comma; NaN and a refusal where there is none. Empty cells are no reading."""
    out = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        text = cell.strip()
        if text in ("", "-", "?", "NA", "unknown", "unavailable"):
            continue
        try:
            out[i] = float(text.replace(",", ".") if "." not in text else text.replace(",", ""))
        except ValueError:
            refused.append(RefusedReading(where, i + first_row, f"{text[:40]!r} is no number"))
    return out


def _clock(cells: list[str], forms: tuple[str, ...], source: Source, single_repeat: str) -> Int64:
    """Instants of clock labels of the source's zone, in the order of the file."""
    walls = np.array([_wall(cell.strip(), forms) for cell in cells], dtype="datetime64[us]")
    return local_instants_us(source.zone, walls, "second" if single_repeat == "second" else "first")


_CLOCK = re.compile(r"(\d+)\D(\d+)\D(\d+)[ T](\d+):(\d+)(?::(\d+))?")


def _wall(text: str, forms: tuple[str, ...]) -> np.datetime64:
    """A clock label; `forms` tells the order of the date's parts. 24:00 is the end of its day."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise BadInput.of([Fault("clock", f"{text[:40]!r} is no label such as 2024-01-31 00:15")])
    parts = [int(part or 0) for part in match.groups()]
    year, month, day = (parts[forms.index(name)] for name in ("year", "month", "day"))
    try:
        date = np.datetime64(f"{year:04}-{month:02}-{day:02}", "us")
    except ValueError as error:
        raise BadInput.of([Fault("clock", f"{text[:40]!r} is no date of the calendar")]) from error
    return date + np.timedelta64(parts[3] * S_PER_HOUR + parts[4] * S_PER_MINUTE + parts[5], "s")


_YMD: Final = ("year", "month", "day")
_MDY: Final = ("month", "day", "year")


def _wire(
    source: Source,
    meter: str,
    quantity: str,
    kind: Kind | None,
    unit: str | None,
    at_us: Int64,
    value: Float64,
    first_row: int,
    length_us: int | None = None,
    stamp_end: bool = False,
) -> WireReadings:
    """The readings of a column, rows without a number left out."""
    there = np.flatnonzero(np.isfinite(value))
    lengths = None if length_us is None else np.full(len(there), length_us, np.int64)
    return WireReadings(
        source.household,
        meter,
        quantity,
        kind,
        unit,
        at_us[there],
        value[there],
        lengths,
        stamp_end,
        there + first_row,
        "row",
    )


def _eredes(raw: bytes, source: Source) -> Decoded:
    """E-REDES load curve: mean kW of quarter-hours by the clock at their END; repeated labels are interleaved."""

    def is_header(cells: list[str]) -> bool:
        return "Data" in cells and "Hora" in cells

    columns, rows = _header(_rows(raw), is_header, "Data, Hora and Consumo … (kW) or Injeção … (kW)")
    labels = [f"{row[columns['Data']]} {row[columns['Hora']]}" for row in rows]
    ends = _clock(labels, _YMD, source, "first")
    out = Decoded([], [])
    for name, place in columns.items():
        quantity = (
            "energy_import" if name.startswith("Consumo") else "energy_export" if name.startswith("Inje") else None
        )
        if quantity is None or "kW" not in name:
            continue
        value = _numbers([row[place] if place < len(row) else "" for row in rows], 2, out.refused, name)
        out.channels.append(
            _wire(source, source.meter, quantity, Kind.INTERVAL, "kW", ends, value, 2, QUARTER_US, stamp_end=True)
        )
    if not out.channels:
        raise BadInput.of([Fault("header", f"no column of kW among {', '.join(columns)}")])
    return out


_P1_MONITOR: Final = {
    "VERBR_KWH_181": ("tariff1", "energy_import"),
    "VERBR_KWH_182": ("tariff2", "energy_import"),
    "GELVR_KWH_281": ("tariff1", "energy_export"),
    "GELVR_KWH_282": ("tariff2", "energy_export"),
}


def _p1_monitor(raw: bytes, source: Source) -> Decoded:
    """P1 monitor history: rows by the clock at their START, registers at their END; a repeated hour is written once."""

    def is_header(cells: list[str]) -> bool:
        return "TIMESTAMP" in cells and any(name in cells for name in _P1_MONITOR)

    columns, rows = _header(_rows(raw), is_header, f"TIMESTAMP and one of {', '.join(_P1_MONITOR)}")
    starts = _clock([row[columns["TIMESTAMP"]] for row in rows], _YMD, source, "second")
    step_us = int(np.median(np.diff(starts))) if len(starts) > 1 else _HOUR_US
    step_us = _MINUTE_US if step_us < 5 * _MINUTE_US else _HOUR_US
    out = Decoded([], [])
    for name, (meter, quantity) in _P1_MONITOR.items():
        if name in columns:
            value = _numbers([row[columns[name]] for row in rows], 2, out.refused, name)
            wire = _wire(source, meter, quantity, Kind.REGISTER, "kWh", starts + step_us, value, 2)
            out.channels.append(wire)
    return out


def _home_assistant(raw: bytes, source: Source) -> Decoded:
    """Home Assistant: `epoch,value` without a header, or a history download with entity_id, state, last_changed."""
    rows = _rows(raw)
    cells = [cell.strip() for cell in rows[0]]
    out = Decoded([], [])
    unit = source.unit or "kWh"
    if "state" in cells and ("last_changed" in cells or "last_updated" in cells):
        columns = {cell: place for place, cell in enumerate(cells)}
        when = columns.get("last_changed", columns.get("last_updated", 0))
        entities = [row[columns["entity_id"]] if "entity_id" in columns else "" for row in rows[1:]]
        at, value = [row[when] for row in rows[1:]], [row[columns["state"]] for row in rows[1:]]
        if len(set(entities)) > 1:
            raise BadInput.of([Fault("entity_id", f"the file has {len(set(entities))} entities; import one at a time")])
        first_row = 2
    elif len(cells) == 2 and cells[0].replace(".", "", 1).isdigit():
        at, value, first_row = [row[0] for row in rows], [row[1] for row in rows], 1
    else:
        found = ", ".join(cells)[:200]
        needed = "epoch seconds and a value without a header, or state and last_changed"
        raise BadInput.of([Fault("header", f"the file has the columns {found}; this preset needs {needed}")])
    values = _numbers(value, first_row, out.refused, "row")
    instants = np.zeros(len(at), np.int64)
    for i, text in enumerate(at):
        try:
            instants[i] = instant_us(float(text) if text.replace(".", "", 1).isdigit() else text.strip())
        except ValueError as error:
            values[i] = np.nan
            out.refused.append(RefusedReading("row", i + first_row, str(error)))
    out.channels.append(_wire(source, source.meter, source.quantity, source.kind, unit, instants, values, first_row))
    return out


_ENPHASE: Final = {
    "Energy Produced (Wh)": ("pv", "energy_production"),
    "Imported from Grid (Wh)": ("grid", "energy_import"),
    "Exported to Grid (Wh)": ("grid", "energy_export"),
    "Energy Consumed (Wh)": ("home", "energy_consumption"),
}


def _enphase(raw: bytes, source: Source) -> Decoded:
    """Enphase report: hourly Wh of several flows by the clock at the hour's START."""

    def is_header(cells: list[str]) -> bool:
        return "Date/Time" in cells and any(name in cells for name in _ENPHASE)

    columns, rows = _header(_rows(raw), is_header, f"Date/Time and one of {', '.join(_ENPHASE)}")
    starts = _clock([row[columns["Date/Time"]] for row in rows], _MDY, source, "first")
    length_us = source.interval_us or _HOUR_US
    out = Decoded([], [])
    for name, (meter, quantity) in _ENPHASE.items():
        if name in columns:
            value = _numbers([row[columns[name]] for row in rows], 2, out.refused, name)
            out.channels.append(_wire(source, meter, quantity, Kind.INTERVAL, "Wh", starts, value, 2, length_us))
    return out


def _plain(raw: bytes, source: Source) -> Decoded:
    """CSV with a header: at and value, and as columns whatever the command line does not tell."""
    rows = _rows(raw)
    cells = [cell.strip() for cell in rows[0]]
    told = {
        "household": source.household,
        "meter": source.meter,
        "quantity": source.quantity,
        "kind": source.kind,
        "unit": source.unit,
        "interval": None if source.interval_us is None else f"PT{source.interval_us // US_PER_S}S",
    }
    added = {name: value for name, value in told.items() if value is not None and name not in cells}
    if "household" in cells:  # the command line says whose it is
        place = cells.index("household")
        for row in rows[1:]:
            row[place] = source.household
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*cells, *added])
    writer.writerows([*(cell.strip() for cell in row), *added.values()] for row in rows[1:])
    return decode_csv(text.getvalue().encode())


PRESETS: Final[dict[str, Callable[[bytes, Source], Decoded]]] = {
    "e-redes": _eredes,
    "p1-monitor": _p1_monitor,
    "home-assistant": _home_assistant,
    "enphase": _enphase,
    "csv": _plain,
}
