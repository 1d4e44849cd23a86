"""Files of loggers and of home automation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.core.units import S_PER_HOUR, S_PER_MINUTE, US_PER_DAY, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.ingest.columns import check_channel
from statistics_manager_service.ingest.presets.clocks import Clock, Instants, Labels
from statistics_manager_service.ingest.presets.gathering import Column, Gatherer
from statistics_manager_service.ingest.presets.portals import interval
from statistics_manager_service.ingest.presets.rows import decimals_of, left_out, read_columns, read_series, whole_rows
from statistics_manager_service.ingest.presets.source import Preset, Source, wrong
from statistics_manager_service.ingest.presets.text import Table, read_headless, read_table

_MINUTE_US: Final = S_PER_MINUTE * US_PER_S
_HOUR_US: Final = S_PER_HOUR * US_PER_S

_P1_MONITOR: Final = {
    "VERBR_KWH_181": ("tariff1", "energy_import"),
    "VERBR_KWH_182": ("tariff2", "energy_import"),
    "GELVR_KWH_281": ("tariff1", "energy_export"),
    "GELVR_KWH_282": ("tariff2", "energy_export"),
}


def _p1_monitor(path: Path, source: Source) -> Iterator[Decoded]:
    """P1 monitor history: rows by the clock at their start, registers at their end; a repeated hour is written once."""

    def is_header(cells: list[str]) -> bool:
        return "TIMESTAMP" in cells and any(name in cells for name in _P1_MONITOR)

    table = read_table(path, is_header, f"TIMESTAMP and one of {', '.join(_P1_MONITOR)}", source.on_bytes)
    at, columns = table.needed_place("TIMESTAMP"), {}
    for name, (meter, quantity) in _P1_MONITOR.items():
        place = table.place(name)
        if place is not None:
            columns[place] = [Column(name, meter, quantity, Kind.REGISTER, "kWh")]
    step_us = source.interval_us or _row_length(table, at)
    # A day has 23 to 25 hours: it ends where the next one begins by the clock.
    by_day = step_us == US_PER_DAY
    shift_us, later_us = (step_us, 0) if by_day else (0, step_us)
    clock = Clock(source.zone, Labels(), single_repeat="second", shift_us=shift_us, later_us=later_us)
    return read_columns(table, source, columns, (at,), clock, notes=left_out(table, [*columns, at]))


def _row_length(table: Table, at: int) -> int:
    """A minute, an hour or a day: the commonest step between the first rows. Raises BadInput for any other."""
    labels = Labels()
    found = [labels.read(row[at]) for row in table.first.rows if at < len(row)]
    steps = np.diff(np.unique(np.array([one[0] for one in found if one is not None], np.int64)))
    if not len(steps):
        raise wrong("TIMESTAMP", "a single row does not tell how long it lasts; tell it, such as --interval PT1H")
    lengths, counts = np.unique(steps, return_counts=True)
    step_us = int(lengths[np.argmax(counts)])
    if step_us not in (_MINUTE_US, _HOUR_US, US_PER_DAY):
        why = f"the rows are {step_us / _MINUTE_US:g} minutes apart, and not a minute, an hour or a day"
        raise wrong("TIMESTAMP", f"{why}; tell how long a row lasts, such as --interval PT1H")
    return step_us


_DSMR_READER: Final = (
    (re.compile(r"electricity 1(?! returned)"), "tariff1", "energy_import"),
    (re.compile(r"electricity 2(?! returned)"), "tariff2", "energy_import"),
    (re.compile(r"electricity 1 returned"), "tariff1", "energy_export"),
    (re.compile(r"electricity 2 returned"), "tariff2", "energy_export"),
)


def _dsmr_reader(path: Path, source: Source) -> Iterator[Decoded]:
    """DSMR-reader's hour export: kWh of hours by tariff, with an offset, at the hour's start."""

    def flow(title: str) -> tuple[str, str] | None:
        plain = title.casefold()
        return next(((meter, quantity) for form, meter, quantity in _DSMR_READER if form.match(plain)), None)

    def is_header(cells: list[str]) -> bool:
        return "Hour Start" in cells and any(map(flow, cells))

    table = read_table(path, is_header, "Hour Start and Electricity 1 …, Electricity 2 …", source.on_bytes)
    at, columns = table.needed_place("Hour Start"), {}
    for place, title in enumerate(table.titles):
        found = flow(title)
        if found is not None:
            columns[place] = [interval(source, title, *found, "kWh", _HOUR_US)]
    clock = Clock(source.zone, Labels(), example="2024-01-31T00:00:00+01:00")
    return read_columns(table, source, columns, (at,), clock, notes=left_out(table, [*columns, at]))


def told_column(source: Source, where: str) -> Column:
    """A column of which the form tells neither quantity nor unit: those of the command line."""
    faults: list[Fault] = []
    check_channel("told", source.meter, source.quantity, source.kind, source.unit, faults)
    if faults:
        raise BadInput.of([Fault(one.where.removeprefix("told."), one.why) for one in faults])
    quantity = QUANTITIES[source.quantity]
    kind = source.kind or (quantity.kinds[0] if source.interval_us is None else Kind.INTERVAL)
    if kind is Kind.INTERVAL and source.interval_us is None:
        raise wrong("interval", "intervals need their length, such as --interval PT15M")
    unit = source.unit or ("kWh" if quantity.dimension is Dimension.ENERGY else quantity.unit)
    length_us = source.interval_us if kind is Kind.INTERVAL else None
    if kind not in quantity.kinds:
        raise wrong("interval", f"{quantity.name} is told by kind {' or '.join(quantity.kinds)}, not by {kind}")
    return Column(where, source.meter, source.quantity, kind, unit, length_us, source.stamp_end)


def _home_assistant(path: Path, source: Source) -> Iterator[Decoded]:
    """Home Assistant: `epoch,value` without a header, or a history download with entity_id, state, last_changed."""
    needed = "epoch seconds and a value without a header, or state and last_changed"
    times = ("last_changed", "last_updated")

    def is_row(cells: list[str]) -> bool:
        return len(cells) == 2 and cells[0].replace(".", "", 1).isdigit()

    def is_header(cells: list[str]) -> bool:
        return is_row(cells) or ("state" in cells and any(name in cells for name in times))

    table = read_table(path, is_header, needed, source.on_bytes)
    if is_row(table.titles):
        table = read_headless(path, is_row, needed, source.on_bytes)
        at, value, whose = 0, 1, None
    else:
        at, value, whose = table.needed_place(*times), table.needed_place("state"), table.place("entity_id")
    column = told_column(source, "state" if table.titles else "row")
    clock = Clock("UTC", Labels(epochs=True), example="1735686000 or 2024-01-31T00:15:00.000Z")
    notes = left_out(table, [at, value, whose])
    return read_columns(table, source, {value: [column]}, (at,), clock, whose=whose, notes=notes)


def _emo(path: Path, source: Source) -> Iterator[Decoded]:
    """Energie Manager Online: registers as epoch seconds and value × factor = kWh; `ellm` import, `eltm` export."""
    names = ("code", "moment", "value", "factor")
    table = read_table(path, lambda cells: all(name in cells for name in names), ", ".join(names), source.on_bytes)
    code, at, value, factor = (table.needed_place(name) for name in names)
    ean = table.place("ean")
    flows = {"ellm": "energy_import", "eltm": "energy_export"}
    first: list[str] = []

    def channel(key: tuple[str, ...]) -> Column | str | None:
        quantity = flows.get(key[0].casefold())
        if quantity is None:
            return None
        if ean is not None:
            first.append(key[2])
            if key[2] != first[0]:
                return f"ean is not {first[0]}, as in the rows before; import one connection at a time"
        try:
            scale = abs(float(key[1].replace(",", ".")))  # of what is exported it is negative
        except ValueError:
            return f"factor {ascii(key[1])[:40]} is no number"
        if not 0 < scale <= 1000:
            return f"factor {key[1][:40]} makes no kWh"
        return Column(key[0], source.meter, quantity, Kind.REGISTER, "kWh", factor=scale)

    keys = (code, factor) if ean is None else (code, factor, ean)
    clock = Clock("UTC", Labels(epochs=True), example="1735686000")
    notes = left_out(table, [at, value, *keys, table.place("moment-date")])
    return read_series(table, source, channel, keys, at, value, clock, notes=notes)


def _grafana(path: Path, source: Source) -> Iterator[Decoded]:
    """A panel of Grafana: Time and one series; what it measures is told by the command line."""

    def is_header(cells: list[str]) -> bool:
        return len(cells) > 1 and cells[0].casefold() == "time"

    table = read_table(path, is_header, "Time and one series", source.on_bytes)
    if len(table.titles) != 2:
        why = f"the file has the series {', '.join(table.titles[1:])[:200]}; export one at a time"
        raise wrong("header", why)
    column = told_column(source, table.titles[1])
    clock = Clock(source.zone, Labels(epochs=True), ends=column.stamp_end)
    return read_columns(table, source, {1: [column]}, (0,), clock)


def _shelly(path: Path, source: Source) -> Iterator[Decoded]:
    """Shelly EM: Wh of ten minutes in UTC at their start; a file a phase, and each phase a meter of its own."""
    form = re.compile(r"(active|returned) energy wh(?: \((\w)\))?", re.ASCII)

    def is_header(cells: list[str]) -> bool:
        return "Date/time UTC" in cells and any(form.fullmatch(cell.casefold()) for cell in cells)

    table = read_table(path, is_header, "Date/time UTC and Active energy Wh (A)", source.on_bytes)
    at, columns = table.needed_place("Date/time UTC"), {}
    for place, title in enumerate(table.titles):
        match = form.fullmatch(title.casefold())
        if match is not None:
            meter = source.meter if match[2] is None else f"{source.meter}-{match[2]}"
            quantity = "energy_import" if match[1] == "active" else "energy_export"
            columns[place] = [interval(source, title, meter, quantity, "Wh", 10 * _MINUTE_US)]
    notes = left_out(table, [*columns, at])
    return read_columns(table, source, columns, (at,), Clock("UTC", Labels()), notes=notes)


_UCI: Final = {
    "voltage": (None, "voltage", Kind.SAMPLE, "V"),
    "global_intensity": (None, "current", Kind.SAMPLE, "A"),
    "sub_metering_1": ("kitchen", "energy_consumption", Kind.INTERVAL, "Wh"),
    "sub_metering_2": ("laundry", "energy_consumption", Kind.INTERVAL, "Wh"),
    "sub_metering_3": ("water_heater", "energy_consumption", Kind.INTERVAL, "Wh"),
}


def _uci(path: Path, source: Source) -> Iterator[Decoded]:
    """UCI household power consumption: minutes by the clock at their start: mean kW, V, A and sub-meters in Wh."""
    needed = ("date", "time", "global_active_power")

    def is_header(cells: list[str]) -> bool:
        plain = [cell.casefold() for cell in cells]
        return all(name in plain for name in needed)

    table = read_table(path, is_header, "Date, Time and Global_active_power", source.on_bytes)
    date, time, power = (table.needed_place(name) for name in needed)
    title = table.titles[power]
    columns = {
        power: [
            interval(source, title, source.meter, "energy_import", "kW", _MINUTE_US),
            Column(title, source.meter, "power_import", Kind.SAMPLE, "kW"),
        ]
    }
    for name, (meter, quantity, kind, unit) in _UCI.items():
        place = table.place(name)
        if place is not None:
            where, meter = table.titles[place], meter or source.meter
            if kind is Kind.INTERVAL:
                columns[place] = [interval(source, where, meter, quantity, unit, _MINUTE_US)]
            else:
                columns[place] = [Column(where, meter, quantity, kind, unit)]
    clock = Clock(source.zone, Labels("dmy"), example="16/12/2006 17:24:00")
    return read_columns(table, source, columns, (date, time), clock, notes=left_out(table, [*columns, date, time]))


_DAY: Final = re.compile(r"\d{8}", re.ASCII)


def _metern(path: Path, source: Source) -> Iterator[Decoded]:
    """meterN's daily file of one meter: yyyymmdd and the Wh of that day by the clock, without a header."""

    def is_row(cells: list[str]) -> bool:
        return len(cells) >= 2 and _DAY.fullmatch(cells[0]) is not None

    table = read_headless(path, is_row, "yyyymmdd and Wh, without a header", source.on_bytes)
    if source.zone is None:
        raise wrong("timezone", "days begin by the clock; tell its zone with --timezone, such as Europe/Rome")
    gatherer, labels = Gatherer(source), Labels()
    decimals = decimals_of(table, [1], source, gatherer.notes, "point")
    of_days = replace(source, kind=Kind.INTERVAL, unit=source.unit or "Wh", interval_us=US_PER_DAY, stamp_end=False)
    column = replace(told_column(of_days, "row"), length_us=None)  # each day has its own length
    for chunk in table.chunks():
        rows = whole_rows(chunk, table, [0, 1], gatherer)
        texts = [row[0].strip() for row in rows.rows]
        days = [labels.date(f"{t[:4]}-{t[4:6]}-{t[6:]}") if _DAY.fullmatch(t) else None for t in texts]
        value, bad = decimals.read([row[1] for row in rows.rows])
        for i, day in enumerate(days):
            if day is None:
                gatherer.refuse("row", rows.lines[i], f"{ascii(texts[i])[:40]} is no day such as 20240131")
            elif i in bad:
                gatherer.refuse("row", rows.lines[i], f"{ascii(rows.rows[i][1])[:40]} is no number")
        good = np.array([day is not None for day in days], np.bool_)
        wall_us = np.array([day or 0 for day in days], np.int64)
        offsets = offsets_between(source.zone, int(wall_us.min(initial=0)), int(wall_us.max(initial=0)) + US_PER_DAY)
        start_us = offsets.existing_instants(wall_us, 0)
        when = replace(Instants.of(start_us, np.array(rows.lines, np.int64)), good=good)
        gatherer.add(column, when, value, offsets.existing_instants(wall_us + US_PER_DAY, 0) - start_us)
        yield from gatherer.pieces()
    yield from gatherer.last()


LOGGERS: Final = {
    "p1-monitor": Preset(
        _p1_monitor, "P1 Monitor history: TIMESTAMP, VERBR_KWH_181, …, GELVR_KWH_282", "local, start of the row"
    ),
    "dsmr-reader": Preset(
        _dsmr_reader, "DSMR-reader hours: Hour Start, Electricity 1 …, …", "with offset, start of the hour"
    ),
    "home-assistant": Preset(
        _home_assistant, "Home Assistant: entity_id, state, last_changed; or epoch,value", "UTC or epoch"
    ),
    "emo": Preset(_emo, "Energie Manager Online: code, moment, value, factor", "epoch"),
    "grafana": Preset(_grafana, "Grafana panel: Time and one series", "local, with offset, or epoch"),
    "shelly": Preset(_shelly, "Shelly EM: Date/time UTC, Active energy Wh (A), …", "UTC, start of ten minutes"),
    "uci": Preset(_uci, "UCI minutes: Date, Time, Global_active_power, …", "local, start of the minute"),
    "metern": Preset(_metern, "meterN days: yyyymmdd,Wh without a header", "local days"),
}
