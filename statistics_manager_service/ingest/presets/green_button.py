"""Green Button: Atom feeds of NAESB ESPI (REQ.21, version 1.1)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

import numpy as np

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.ingest.columns import MOST_US
from statistics_manager_service.ingest.presets.clocks import Instants
from statistics_manager_service.ingest.presets.gathering import Column, Gatherer
from statistics_manager_service.ingest.presets.source import Preset, Source, wrong
from statistics_manager_service.ingest.presets.text import open_bytes

_CHUNK_BYTES: Final = 64 * 1024
_LONGEST_TEXT: Final = 4_000
_METER_READING: Final = re.compile(r"(.*/MeterReading/[^/]+)")
_USAGE_POINT: Final = re.compile(r"(.*/UsagePoint/[^/]+)")
_READING_TYPE: Final = re.compile(r".*/ReadingType/[^/]+")
_WATT_HOURS: Final = "72"
_DELTAS: Final = "4"
_FLOWS: Final = {"1": "energy_import", "19": "energy_export"}
_UNREAD_FLOWS: Final = {"4": "net energy, the difference of both directions"}


@dataclass(slots=True)
class _Series:
    """The interval readings of one MeterReading, as they stand: seconds, seconds, and integers of some unit."""

    start_s: array[int] = field(default_factory=lambda: array("q"))
    length_s: array[int] = field(default_factory=lambda: array("q"))
    value: array[int] = field(default_factory=lambda: array("q"))
    line: array[int] = field(default_factory=lambda: array("q"))
    own_multipliers: int = 0


@dataclass(slots=True)
class _Entry:
    """An entry of the feed: its links, and the readings, which of its series is known only by the links."""

    links: dict[str, list[str]] = field(default_factory=dict)
    kind: str = ""
    reading_type: dict[str, str] = field(default_factory=dict)


class _Feed:
    """What a feed holds, gathered in one pass; a reading type may stand behind the readings that it tells of."""

    def __init__(self) -> None:
        self.series: dict[str, _Series] = {}
        self.type_of: dict[str, str] = {}
        self.types: dict[str, dict[str, str]] = {}
        self.refused: list[tuple[int, str]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._entry = _Entry()
        self._reading: dict[str, str] = {}
        self._pending = _Series()
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: Any) -> None:
        raise wrong("DOCTYPE", "a feed needs no document type, and none is read: it may hide entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self._path.append(local)
        self._text.clear()
        if local == "entry":
            self._entry, self._pending = _Entry(), _Series()
        elif local == "link":
            self._entry.links.setdefault(attributes.get("rel", ""), []).append(attributes.get("href", ""))
        elif local == "IntervalReading":
            self._reading = {}
        elif local in ("MeterReading", "ReadingType", "IntervalBlock"):
            self._entry.kind = local

    def _characters(self, text: str) -> None:
        if sum(map(len, self._text)) < _LONGEST_TEXT:
            self._text.append(text)

    def _end(self, _: str) -> None:
        local = self._path.pop()
        parent = self._path[-1] if self._path else ""
        text = "".join(self._text).strip()
        if parent == "IntervalReading" or (parent == "timePeriod" and "IntervalReading" in self._path):
            self._reading[local] = text
        elif parent == "ReadingType":
            self._entry.reading_type[local] = text
        elif local == "IntervalReading":
            self._keep_reading()
        elif local == "entry":
            self._keep_entry()
        self._text.clear()

    def _keep_reading(self) -> None:
        line = self.parser.CurrentLineNumber
        try:
            start_s, length_s, value = (int(self._reading[name]) for name in ("start", "duration", "value"))
            if not 0 <= start_s < MOST_US // US_PER_S or not 0 < length_s < MOST_US // US_PER_S or abs(value) >= 2**53:
                raise ValueError
        except (KeyError, ValueError):
            self.refused.append((line, "an IntervalReading needs start, duration and value as whole numbers"))
            return
        into = self._pending
        for column, number in (
            (into.start_s, start_s),
            (into.length_s, length_s),
            (into.value, value),
            (into.line, line),
        ):
            column.append(number)
        into.own_multipliers += "powerOfTenMultiplier" in self._reading

    def _keep_entry(self) -> None:
        entry, links = self._entry, self._entry.links
        own = next(iter(links.get("self", [])), "")
        if entry.kind == "ReadingType":
            self.types[own] = entry.reading_type
        elif entry.kind == "MeterReading":
            found = [href for href in links.get("related", []) if _READING_TYPE.fullmatch(href)]
            self.type_of[own] = found[0] if found else ""
        elif entry.kind == "IntervalBlock":
            match = _METER_READING.match(own) or _METER_READING.match(next(iter(links.get("up", [])), ""))
            key = match[1] if match else ""
            known = self.series.setdefault(key, _Series())
            for name in ("start_s", "length_s", "value", "line"):
                getattr(known, name).extend(getattr(self._pending, name))
            known.own_multipliers += self._pending.own_multipliers


def _green_button(path: Path, source: Source) -> Iterator[Decoded]:
    """Green Button feed: energies of intervals of each direction, at their start in UTC."""
    feed = _Feed()
    try:
        with open_bytes(path) as (stream, tell):
            while chunk := stream.read(_CHUNK_BYTES):
                feed.parser.Parse(chunk, False)
                source.on_bytes(tell())
            feed.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise wrong(path.name, f"this is not XML: {error}") from error
    if not feed.series:
        raise wrong(path.name, "there is no IntervalBlock in it; this preset needs a Green Button feed (ESPI)")
    gatherer = Gatherer(source)
    gatherer.refuse_rows(feed.refused)
    taken = _taken(feed, gatherer.notes)
    points = list(dict.fromkeys(_usage_point(key) for key in taken))
    for key, (quantity, scale) in taken.items():
        number = points.index(_usage_point(key)) + 1
        meter = source.meter if len(points) == 1 else f"{source.meter}-{number}"
        _add(gatherer, feed.series[key], Column("row", meter, quantity, Kind.INTERVAL, "Wh", factor=scale), key)
    yield from gatherer.last()


def _usage_point(key: str) -> str:
    match = _USAGE_POINT.match(key)
    return match[1] if match else ""


def _taken(feed: _Feed, notes: list[str]) -> dict[str, tuple[str, float]]:
    """The series that are read, one a usage point and direction: the finest; with its quantity and its factor to Wh.

    Raises BadInput where none can be read.
    """
    best: dict[tuple[str, str], tuple[float, str, float]] = {}
    for key, series in feed.series.items():
        kind = feed.types.get(feed.type_of.get(key, ""))
        if kind is None and len(feed.types) == 1 and len(feed.series) == 1:
            kind = next(iter(feed.types.values()))
        why = _unread(kind)
        if kind is None or why:
            notes.append(f"{_short(key)} is not read: {why}")
            continue
        if not len(series.value):
            continue
        quantity, place = _FLOWS[kind.get("flowDirection", "")], (_usage_point(key), kind["flowDirection"])
        length_s = float(np.median(np.array(series.length_s, np.int64)))
        found = (length_s, key, 10.0 ** int(kind.get("powerOfTenMultiplier") or 0))
        if place in best:
            kept, left = sorted((best[place], found), key=lambda one: one[0])
            notes.append(f"{quantity} is read from {_short(kept[1])}, and not from {_short(left[1])}: the same energy")
            best[place] = kept
        else:
            best[place] = found
        if series.own_multipliers:
            notes.append(f"{_short(key)}: the multipliers beside single readings are no part of ESPI and are not used")
    if not best:
        raise wrong("ReadingType", "; ".join(notes)[:600] or "there is no reading in the feed")
    return {key: (_FLOWS[place[1]], scale) for place, (_, key, scale) in best.items()}


def _unread(kind: dict[str, str] | None) -> str:
    """Why readings of a type are not read; empty where they are."""
    if kind is None:
        return "the feed does not tell its ReadingType, and so neither unit nor direction"
    if kind.get("uom") != _WATT_HOURS:
        return f"its unit is {kind.get('uom') or 'not told'}, and not {_WATT_HOURS} (Wh)"
    if kind.get("accumulationBehaviour", _DELTAS) != _DELTAS:
        return f"its accumulationBehaviour is {kind['accumulationBehaviour']}, and not {_DELTAS} (energy of intervals)"
    flow = kind.get("flowDirection", "")
    if flow not in _FLOWS:
        return f"its flowDirection is {_UNREAD_FLOWS.get(flow, flow or 'not told')}; 1 is import, 19 is export"
    if not re.fullmatch(r"-?\d{1,2}", kind.get("powerOfTenMultiplier") or "0"):
        return "its powerOfTenMultiplier is no number"
    return ""


def _short(key: str) -> str:
    return "/".join(key.split("/")[-2:]) or "a block without a MeterReading"


def _add(gatherer: Gatherer, series: _Series, column: Column, key: str) -> None:
    value = np.array(series.value, np.float64)
    line = np.array(series.line, np.int64)
    if column.quantity == "energy_export" and (value < 0).any() and not (value > 0).any():
        gatherer.notes.append(f"{_short(key)}: what is exported stands there as negative numbers")
        value = -value
    for i in np.flatnonzero(value < 0).tolist():
        gatherer.refuse("row", int(line[i]), f"{series.value[i]} is negative, and other values are not")
    value[value < 0] = np.nan
    when = Instants.of(np.array(series.start_s, np.int64) * US_PER_S, line)
    gatherer.add(column, when, value, np.array(series.length_s, np.int64) * US_PER_S)


GREEN_BUTTON: Final = {
    "green-button": Preset(_green_button, "Green Button XML (NAESB ESPI)", "epoch, start of the interval")
}
