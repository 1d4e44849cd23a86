"""Files of grid operators' and suppliers' portals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.core.units import QUARTER_US, S_PER_HOUR, US_PER_S
from statistics_manager_service.ingest.presets.clocks import Clock, Labels
from statistics_manager_service.ingest.presets.decimals import NOTHING
from statistics_manager_service.ingest.presets.gathering import Column, Gatherer
from statistics_manager_service.ingest.presets.rows import left_out, read_columns, read_series
from statistics_manager_service.ingest.presets.source import Preset, Source, wrong
from statistics_manager_service.ingest.presets.text import Table, read_table

_HOUR_US: Final = S_PER_HOUR * US_PER_S
_HALF_HOUR_US: Final = _HOUR_US // 2
_UNIT: Final = re.compile(r"\((kWh|Wh|MWh|kW|W)\b", re.IGNORECASE)
_SPELLING: Final = {unit.casefold(): unit for unit in ("kWh", "Wh", "MWh", "kW", "W")}


def interval(
    source: Source, where: str, meter: str, quantity: str, unit: str, length_us: int, *, stamp_end: bool = False
) -> Column:
    """A column of energies of intervals; the command line may tell another length."""
    told = source.interval_us
    return Column(where, meter, quantity, Kind.INTERVAL, unit, told or length_us, stamp_end, checked=told is None)


def _eredes(path: Path, source: Source) -> Iterator[Decoded]:
    """E-REDES load curve: mean kW of quarter-hours by the clock at their end; repeated labels are interleaved."""
    needed = "Data, Hora and Consumo … (kW) or Injeção … (kW)"
    table = read_table(path, lambda cells: "Data" in cells and "Hora" in cells, needed, source.on_bytes)
    columns, notes, used = {}, [], [table.place("Contador"), table.place("Estado")]
    for quantity, word in (("energy_import", "consumo"), ("energy_export", "inje")):
        found = [i for i, title in enumerate(table.titles) if _is_active(title, word)]
        if not found:
            continue
        place = _best(table, found)
        unit = _unit(table.titles[place])
        columns[place] = [
            interval(source, table.titles[place], source.meter, quantity, unit, QUARTER_US, stamp_end=True)
        ]
        if len(found) > 1:
            others = ", ".join(repr(table.titles[i]) for i in found if i != place)
            notes.append(f"{quantity} is read from {table.titles[place]!r}, and not from {others}: the same energy")
            used += found
    if not columns:
        raise wrong("header", f"there is no column of kW among {', '.join(table.titles)[:200]}; it needs {needed}")
    when = table.needed_place("Data"), table.needed_place("Hora")
    state = table.place("Estado")

    def look(row: list[str], gatherer: Gatherer) -> None:
        if state is not None and state < len(row) and row[state].strip().casefold().startswith("estimad"):
            gatherer.count("{rows} rows are estimates of the grid operator (Estado: Estimada)")

    clock = Clock(source.zone, Labels("dmy"), ends=True, example="2024/01/31 00:15")
    notes += left_out(table, [*columns, *when, *used])
    return read_columns(table, source, columns, when, clock, notes=notes, look=look)


def _is_active(title: str, word: str) -> bool:
    plain = title.casefold()
    return (
        plain.startswith(word) and _UNIT.search(title) is not None and "reativ" not in plain and "reactiv" not in plain
    )


def _unit(title: str) -> str:
    match = _UNIT.search(title)
    return _SPELLING[match[1].casefold()] if match else "kW"


def _best(table: Table, places: list[int]) -> int:
    """Of several columns of one direction: one that has values at all, the recorded (registado) before the measured."""

    def rank(place: int) -> tuple[bool, bool]:
        cells = (row[place].strip().casefold() for row in table.first.rows if place < len(row))
        return (all(cell in NOTHING for cell in cells), "regist" not in table.titles[place].casefold())

    return min(places, key=rank)


_ENPHASE: Final = {
    "energy produced": ("pv", "energy_production"),
    "imported from grid": ("grid", "energy_import"),
    "exported to grid": ("grid", "energy_export"),
    "energy consumed": ("home", "energy_consumption"),
}


def _enphase(path: Path, source: Source) -> Iterator[Decoded]:
    """Enphase report: energies of several flows by the clock at the hour's start."""

    def flow(title: str) -> tuple[str, str] | None:
        return _ENPHASE.get(title.partition("(")[0].strip().casefold()) if _UNIT.search(title) else None

    def is_header(cells: list[str]) -> bool:
        return "date/time" in map(str.casefold, cells) and any(map(flow, cells))

    needed = "Date/Time and one of Energy Produced (Wh), Energy Consumed (Wh), Exported to Grid (Wh), …"
    table = read_table(path, is_header, needed, source.on_bytes)
    columns = {}
    for place, title in enumerate(table.titles):
        found = flow(title)
        if found is not None:
            columns[place] = [interval(source, title, *found, _unit(title), _HOUR_US)]
    at = table.needed_place("Date/Time")
    notes = left_out(table, [*columns, at])
    labels = [row[at].strip() for row in table.first.rows if at < len(row)]
    is_day_first = any(map(_only(Labels("dmy"), Labels("mdy")), labels))
    if is_day_first and not any(map(_only(Labels("mdy"), Labels("dmy")), labels)):
        notes.append("the dates are read day first: read month first, some would not exist")
    else:
        is_day_first = False
    clock = Clock(source.zone, Labels("dmy" if is_day_first else "mdy"), example="01/31/2024 00:15")
    return read_columns(table, source, columns, (at,), clock, notes=notes)


def _only(right: Labels, other: Labels) -> Callable[[str], bool]:
    """Whether a label can be read by the one, and not by the other."""
    return lambda text: right.read(text) is not None and other.read(text) is None


def _engie(path: Path, source: Source) -> Iterator[Decoded]:
    """Engie: a row an hour and direction, with an offset, at the hour's start."""
    names = ("Datum", "Verbruik", "Type")
    table = read_table(path, lambda cells: all(name in cells for name in names), ", ".join(names), source.on_bytes)
    at, value, kind = (table.needed_place(name) for name in names)
    ean = table.place("EAN")
    flows = {"elektriciteit": "energy_import", "teruglevering": "energy_export"}
    eans: dict[str, str] = {}

    def channel(key: tuple[str, ...]) -> Column | str | None:
        quantity = flows.get(key[0].casefold())
        if quantity is None:
            return None
        first = eans.setdefault(quantity, key[-1])
        if ean is not None and key[-1] != first:
            return f"EAN is not {first}, as in the rows before; import one connection at a time"
        return interval(source, key[0], source.meter, quantity, "kWh", _HOUR_US)

    clock = Clock(source.zone, Labels(), example="2024-01-31T00:00:00+01:00")
    keys = (kind,) if ean is None else (kind, ean)
    notes = left_out(table, [at, value, *keys])
    return read_series(table, source, channel, keys, at, value, clock, notes=notes)


_SLIMME: Final = {
    "levering_normaal": ("tariff2", "energy_import"),
    "levering_laag": ("tariff1", "energy_import"),
    "teruglevering_normaal": ("tariff2", "energy_export"),
    "teruglevering_laag": ("tariff1", "energy_export"),
}


def _slimmemeterportal(path: Path, source: Source) -> Iterator[Decoded]:
    """Slimmemeterportal: kWh of quarter-hours by tariff, with an offset, at their end; outdoor temperature."""

    def is_header(cells: list[str]) -> bool:
        return "datum_tijd" in cells and any(name in cells for name in _SLIMME)

    table = read_table(path, is_header, f"datum_tijd and one of {', '.join(_SLIMME)}", source.on_bytes)
    at = table.needed_place("datum_tijd")
    columns = {}
    for name, (meter, quantity) in _SLIMME.items():
        place = table.place(name)
        if place is not None:
            columns[place] = [interval(source, name, meter, quantity, "kWh", QUARTER_US, stamp_end=True)]
    outdoor = table.place("buitentemperatuur")
    if outdoor is not None:
        columns[outdoor] = [Column("buitentemperatuur", "outdoor", "temperature", Kind.SAMPLE, "°C")]
    clock = Clock(source.zone, Labels("dmy"), ends=True, example="31-01-2024 00:15:00 +0100")
    notes = left_out(table, [*columns, at])
    return read_columns(table, source, columns, (at,), clock, notes=notes, decimal="comma")


def _london(path: Path, source: Source) -> Iterator[Decoded]:
    """London's Low Carbon London homes: kWh of half-hours in UTC at their start."""
    values, times = ("energy(kWh/hh)", "KWH/hh (per half hour)"), ("tstp", "DateTime")

    def is_header(cells: list[str]) -> bool:
        plain = [cell.casefold() for cell in cells]
        return any(v.casefold() in plain for v in values) and any(t.casefold() in plain for t in times)

    table = read_table(path, is_header, "LCLid, tstp and energy(kWh/hh)", source.on_bytes)
    at, value = table.needed_place(*times), table.needed_place(*values)
    whose = table.place("LCLid")
    columns = {value: [interval(source, table.titles[value], source.meter, "energy_import", "kWh", _HALF_HOUR_US)]}
    notes = left_out(table, [at, value, whose])
    return read_columns(table, source, columns, (at,), Clock("UTC", Labels()), whose=whose, notes=notes)


def _zonneplan(path: Path, source: Source) -> Iterator[Decoded]:
    """Zonneplan: kWh of hours by the clock at their start; what is exported stands as a negative number."""
    flows = {
        "ElectricityConsumptionUsageKwh": ("energy_import", 1.0),
        "ElectricityProductionUsageKwh": ("energy_export", -1.0),
    }
    needed = f"DateFrom and one of {', '.join(flows)}"
    table = read_table(
        path, lambda cells: "DateFrom" in cells and any(name in cells for name in flows), needed, source.on_bytes
    )
    at, columns = table.needed_place("DateFrom"), {}
    length_us = source.interval_us or _HOUR_US
    for name, (quantity, factor) in flows.items():
        place = table.place(name)
        if place is not None:
            columns[place] = [
                Column(
                    name, source.meter, quantity, Kind.INTERVAL, "kWh", length_us,
                    checked=source.interval_us is None, factor=factor,
                )
            ]  # fmt: skip
    notes = left_out(table, [*columns, at, table.place("DateTo")])
    return read_columns(table, source, columns, (at,), Clock(source.zone, Labels("dmy")), notes=notes)


PORTALS: Final = {
    "e-redes": Preset(
        _eredes, "E-REDES load curve: Data, Hora, Consumo … (kW), Injeção … (kW)", "local, end of the quarter-hour"
    ),
    "enphase": Preset(_enphase, "Enphase report: Date/Time, Energy Produced (Wh), …", "local, start of the hour"),
    "engie": Preset(_engie, "Engie: Datum, EAN, Verbruik, Type", "with offset, start of the hour"),
    "slimmemeterportal": Preset(
        _slimmemeterportal,
        "Slimmemeterportal: datum_tijd, levering_…, teruglevering_…",
        "with offset, end of the quarter-hour",
    ),
    "london": Preset(_london, "Low Carbon London: LCLid, tstp, energy(kWh/hh)", "UTC, start of the half-hour"),
    "zonneplan": Preset(
        _zonneplan, "Zonneplan: DateFrom, ElectricityConsumptionUsageKwh, …", "local, start of the hour"
    ),
}
