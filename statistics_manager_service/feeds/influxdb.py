"""InfluxDB 2: the telemetry of measurements, asked for in Flux, read as annotated CSV while it comes."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.readings import TelemetrySeries
from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.feeds.annotated_csv import Columns, Malformed, QueryFailed, read_rows
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.telemetry.pulling import Piece, RefusedRow

#: What FlexiHome's hubs and smart meters write. What each tells is said in one place, that of line protocol.
FIELDS: Final = (
    "energyImported",
    "energyExported",
    "powerImported",
    "powerExported",
    "powerDifference",
    "voltage",
    "meterPowerImported",
)
ROWS_A_PIECE: Final = 20_000
_NUMBERS: Final = ("double", "long", "unsignedLong")
_DIALECT: Final = {
    "header": True,
    "annotations": ["datatype", "group", "default"],
    "commentPrefix": "#",
    "delimiter": ",",
    "dateTimeFormat": "RFC3339Nano",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "${": "\\${"}
_SPECIAL: Final = re.compile(r'[\\"\x00-\x1f\x7f]|\$\{')
_SHOWN: Final = 40


class InfluxDb:
    """A bucket. Threads may share it. rows_a_piece: that are kept in memory, and recorded, at a time."""

    def __init__(self, upstream: Upstream, org: str | None, bucket: str, *, rows_a_piece: int = ROWS_A_PIECE) -> None:
        self.name, self._rows_a_piece = f"InfluxDB {org or ''}/{bucket}", rows_a_piece
        self._upstream, self._org, self._bucket = upstream, org, bucket

    def pieces(self, measurements: Sequence[str], start_us: int, end_us: int) -> Generator[Piece, None, None]:
        """What measurements have in start ≤ instant < end, in pieces of at most so many rows.

        Instants are cut to microseconds, as those of line protocol. Raises Unavailable, Declined, behind any piece.
        """
        query = {"org": self._org} if self._org else {}
        asked = {"query": flux(self._bucket, measurements, start_us, end_us), "dialect": _DIALECT}
        name = self._upstream.name
        try:
            with self._upstream.lines("/api/v2/query", query, orjson.dumps(asked), "application/json") as lines:
                gathered = _Gathered()
                for columns, row in read_rows(lines):
                    gathered.add(columns, row)
                    if gathered.rows == self._rows_a_piece:
                        yield gathered.piece()
                        gathered = _Gathered()
                if gathered.rows:
                    yield gathered.piece()
        except Malformed as error:
            raise nonsense(name, str(error)) from error
        except QueryFailed as error:
            raise Unavailable(f"{name} could not answer: {str(error)[:200]}", 60) from error
        except Declined as error:
            told = error.told.get("message") if isinstance(error.told, dict) else None
            why = f": {told[:200]}" if isinstance(told, str) else ""
            sentence = f"{error.sentence}{why}; are INFLUX_ORG and INFLUX_BUCKET right?"
            raise Declined(sentence, error.answered, error.told) from error


def flux(bucket: str, measurements: Sequence[str], start_us: int, end_us: int) -> str:
    """The query for what measurements have in start ≤ instant < end."""
    of_measurement = " or ".join(f"r._measurement == {flux_text(one)}" for one in measurements)
    of_field = " or ".join(f"r._field == {flux_text(one)}" for one in FIELDS)
    return (
        f"from(bucket: {flux_text(bucket)})\n"
        f"  |> range(start: {iso_label(start_us)}, stop: {iso_label(end_us)})\n"
        f"  |> filter(fn: (r) => {of_measurement})\n"
        f"  |> filter(fn: (r) => {of_field})\n"
        '  |> drop(columns: ["_start", "_stop"])\n'
    )


def flux_text(text: str) -> str:
    """A text as a literal of Flux, whatever is in it: no quotation mark ends it, and no `${` begins an expression."""
    return '"' + _SPECIAL.sub(lambda found: _ESCAPES.get(found[0]) or f"\\x{ord(found[0]):02x}", text) + '"'


@dataclass(slots=True)
class _Values:
    """The values of one series so far."""

    at_us: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    line: list[int] = field(default_factory=list)


class _Places:
    """Where the columns that are read stand."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.at, self.value = columns.place("_time"), columns.place("_value")
        self.datatype = columns.datatypes[self.value]
        self.is_number = self.datatype in _NUMBERS
        own = ("", "result", "table")
        self.tags = [
            name
            for name, is_group in zip(columns.names, columns.is_group, strict=True)
            if is_group and not name.startswith("_") and name not in own
        ]
        #: of a row: the measurement, the field and the values of the tags
        self.key_of: Any = itemgetter(*map(columns.place, ("_measurement", "_field", *self.tags)))


class _Gathered:
    """Rows, by series."""

    def __init__(self) -> None:
        self.rows = 0
        self._places: _Places | None = None
        self._series: dict[tuple[tuple[str, ...], tuple[str, ...]], _Values] = {}
        self._refused: list[RefusedRow] = []

    def add(self, columns: Columns, row: list[str]) -> None:
        """Add a row. Raises Malformed."""
        places = self._places
        if places is None or places.columns is not columns:
            places = self._places = _Places(columns)
        self.rows += 1
        key, text = places.key_of(row), row[places.value]
        at_us = _instant_us(row[places.at])
        value = _number(text) if places.is_number else None
        if value is None:
            self._refused.append(RefusedRow(f"{key[1][:_SHOWN]} at {row[places.at]}", _why_not(text, places)))
            return
        values = self._series.get((key, tuple(places.tags)))
        if values is None:
            values = self._series[key, tuple(places.tags)] = _Values()
        values.at_us.append(at_us)
        values.value.append(value)
        values.line.append(self.rows)

    def piece(self) -> Piece:
        """All rows that were added."""
        series = [
            TelemetrySeries(
                measurement,
                {name: value for name, value in zip(tags, told, strict=True) if value},
                name_of_field,
                np.array(one.at_us, np.int64),
                np.array(one.value, np.float64),
                np.array(one.line, np.int64),
            )
            for ((measurement, name_of_field, *told), tags), one in self._series.items()
        ]
        return Piece(self.rows, series, self._refused)


def _instant_us(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise Malformed(f"{text[:_SHOWN]!a} is no instant") from None
    return (moment - _EPOCH) // _MICROSECOND


def _number(text: str) -> float | None:
    """The finite number of a cell; None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in text and text.isascii() else None


def _why_not(text: str, places: _Places) -> str:
    if not text:
        return "it has no value"
    if places.is_number:
        return f"{text[:_SHOWN]!a} is not a finite number"
    return f"{text[:_SHOWN]!a} is of type {places.datatype[:_SHOWN]}, no number"
