"""InfluxDB v2 line protocol: `measurement,tag=value field=1.5,other=2i 1704067200000000000`.

A body whose lines are all of one shape is read by whole columns. Of any other, plain lines (no escapes, no quotes) are
split where they stand; a line that is not plain, or that fails there, goes through the careful parser, which knows the
whole syntax and says what is wrong, and at which column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Int64, RefusedLine, TelemetrySeries
from statistics_manager_service.core.units import US_PER_MS, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.ingest.line_columns import regular_columns

_PER_S: Final = {"ns": 1_000_000_000, "us": US_PER_S, "ms": US_PER_MS, "s": 1}
_INT64: Final = 2**63
_CONTROL: Final = frozenset(map(chr, range(32))) - {"\t"}


@dataclass(slots=True)
class _Columns:
    """The values of one series so far."""

    at: list[int]
    value: list[float]
    line: list[int]


class _Bad(Exception):
    def __init__(self, column: int, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def decode_line_protocol(
    body: bytes, precision: str = "ns", *, known_fields: Container[str], now_us: int
) -> tuple[list[TelemetrySeries], list[RefusedLine]]:
    """The series of a body, and its refused lines. A line is taken as a whole or refused as a whole.

    Text and booleans in fields that nobody knows are passed over, as the fields are. A line without a time is of now.

    Raises BadInput (code `invalid`) for an unknown precision, a body that is no UTF-8, and one without any line.
    """
    if precision not in _PER_S:
        raise _invalid("precision", f"{precision[:20]!r} is no precision; there are {', '.join(_PER_S)}")
    per_s = _PER_S[precision]
    regular = regular_columns(
        body, known_fields, lambda text: _told_head(text) is not None, lambda at: _in_us(at, per_s)
    )
    if regular is not None:
        return [
            TelemetrySeries(*(_told_head(head) or ("", {})), field, at, value, line)
            for head, field, at, value, line in regular
        ], []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("body", f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from error
    if not text.strip():
        raise _invalid("body", "the body has no line")
    reader = _Reader(known_fields, now_us * per_s // US_PER_S)
    for number, line in enumerate(text.split("\n"), start=1):
        reader.read(number, line)
    return reader.series(per_s), reader.refused


def _invalid(where: str, why: str) -> BadInput:
    return BadInput(why, [Fault(where, why)], code="invalid")


Head = tuple[str, dict[str, str]]


class _Reader:
    """Reads lines into columns by series."""

    def __init__(self, known_fields: Container[str], now: int) -> None:
        self._known, self._now = known_fields, now
        self._heads: dict[str, Head] = {}
        self._columns: dict[tuple[str, str], _Columns] = defaultdict(lambda: _Columns([], [], []))
        self._fields: dict[tuple[str, str], _Columns] = {}
        self.refused: list[RefusedLine] = []

    def read(self, number: int, line: str) -> None:
        """Read one line, plain or not."""
        try:
            if self._read_plain(number, line):
                return
            self._read_carefully(number, line)
        except _Bad as bad:
            self.refused.append(RefusedLine(number, bad.column, bad.reason))

    def _read_plain(self, number: int, line: str) -> bool:
        """Take a line of three parts with numbers in known fields; False where it is not as plain as that."""
        parts = line.removesuffix("\r").split(" ")
        if len(parts) != 3 or "\\" in line or '"' in line or parts[0] not in self._heads:
            return False
        head, fields, stamp = parts
        if "_" in fields or not (fields.isascii() and fields.isprintable() and stamp.isascii() and stamp.isdigit()):
            return False  # Python reads 1_0, +5, ١ and numbers between tabs, the protocol does not
        try:
            at = int(stamp)
            values = []
            for field in fields.split(","):
                name, text = field.split("=")
                column = self._fields.get((head, name))
                if column is None:
                    return False
                value = float(text)
                if not -1e200 < value < 1e200:
                    return False
                values.append((column, value))
        except ValueError:
            return False
        if at >= _INT64:
            return False
        for column, value in values:
            column.at.append(at)
            column.value.append(value)
            column.line.append(number)
        return True

    def _read_carefully(self, number: int, line: str) -> None:
        line = line.removesuffix("\r")
        stripped = line.lstrip(" ")
        if not stripped or stripped.startswith("#"):
            return
        for place, character in enumerate(line, start=1):
            if character in _CONTROL:
                raise _Bad(place, f"a control character ({ord(character):#04x}) can't stand in a line")
        start = len(line) - len(stripped)
        head_end = _find(line, start, " ")
        if head_end < 0:
            raise _Bad(len(line) + 1, "the line ends before its fields; it must be: measurement,tags fields time")
        head_text = line[start:head_end]
        head = self._heads.get(head_text) or _head(line, start, head_end)
        fields_start = head_end + len(line[head_end:]) - len(line[head_end:].lstrip(" "))
        fields_end = _find(line, fields_start, " ", quoted=True)
        fields_end = len(line) if fields_end < 0 else fields_end
        values = self._values(line, fields_start, fields_end)
        at = self._time(line, fields_end)
        if not values:
            raise _Bad(fields_start + 1, "no field of this line is known here; see the list of fields in the docs")
        self._heads[head_text] = head
        plain = "\\" not in head_text
        for name, value in values:
            column = self._columns[head_text, name]
            if plain:
                self._fields[head_text, name] = column
            column.at.append(at)
            column.value.append(value)
            column.line.append(number)

    def _time(self, line: str, fields_end: int) -> int:
        text = line[fields_end:].strip(" ")
        if not text:
            return self._now
        place = fields_end + len(line[fields_end:]) - len(line[fields_end:].lstrip(" ")) + 1
        digits = text[1:] if text[0] == "-" else text
        if not (digits.isascii() and digits.isdigit()):
            raise _Bad(place, f"{text[:40]!r} is no time; it must be a whole number in the precision of the request")
        if len(digits) > 19 or not -_INT64 <= int(text) < _INT64:
            raise _Bad(place, f"the time {text[:40]} is beyond 64 bits")
        return int(text)

    def _values(self, line: str, start: int, end: int) -> list[tuple[str, float]]:
        """The numbers of known fields. Raises _Bad for anything else in a known field, and for bad syntax."""
        found: list[tuple[str, float]] = []
        place = start
        if start >= end:
            raise _Bad(start + 1, "the line has no field; a field is name=value")
        while place < end:
            stop = _find(line, place, ",", quoted=True, end=end)
            stop = end if stop < 0 else stop
            equals = _find(line, place, "=", end=stop)
            if equals <= place:
                raise _Bad(place + 1, f"{line[place:stop][:40]!r} is no field; a field is name=value")
            name, text = _unescaped(line[place:equals]), line[equals + 1 : stop]
            if not text:
                raise _Bad(equals + 2, f"the field {name[:40]!r} has no value")
            value = _number(text, equals + 2, name)
            if name in self._known:
                if value is None:
                    raise _Bad(equals + 2, f"the field {name[:40]!r} holds {text[:20]}, where a number is expected")
                found.append((name, value))
            place = stop + 1
        if line[end - 1] == ",":
            raise _Bad(end, "a field is missing behind the comma")
        return found

    def series(self, per_s: int) -> list[TelemetrySeries]:
        """What was read, instants in microseconds."""
        out = []
        for (head_text, field), column in self._columns.items():
            measurement, tags = self._heads[head_text]
            at = _in_us(np.array(column.at, np.int64), per_s)
            value, line = np.array(column.value, np.float64), np.array(column.line, np.int64)
            out.append(TelemetrySeries(measurement, tags, field, at, value, line))
        return out


def _in_us(at: Int64, per_s: int) -> Int64:
    """Instants in microseconds, from those of a precision."""
    if per_s > US_PER_S:
        return at // (per_s // US_PER_S)
    # beyond what fits: far outside any instant that is taken, and refused by name for that
    scale = US_PER_S // per_s
    return np.clip(at, -(_INT64 // scale) + 1, _INT64 // scale - 1) * scale


def _find(line: str, start: int, mark: str, *, quoted: bool = False, end: int | None = None) -> int:
    """The place of an unescaped mark, outside of quotes where they mean something; -1 where there is none."""
    place, stop, in_quotes = start, len(line) if end is None else end, False
    while place < stop:
        character = line[place]
        if character == "\\" and place + 1 < stop:
            place += 2
            continue
        if quoted and character == '"':
            in_quotes = not in_quotes
        elif character == mark and not in_quotes:
            return place
        place += 1
    if in_quotes:
        raise _Bad(start + 1, "a text is not closed by a quotation mark")
    return -1


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    out, place = [], 0
    while place < len(text):
        if text[place] == "\\" and text[place + 1 : place + 2] in (",", "=", " ", "\\", '"'):
            place += 1
        out.append(text[place])
        place += 1
    return "".join(out)


def _head(line: str, start: int, end: int) -> Head:
    """The measurement and the tags. Raises _Bad."""
    stop = _find(line, start, ",", end=end)
    stop = end if stop < 0 else stop
    measurement = _unescaped(line[start:stop])
    if not measurement:
        raise _Bad(start + 1, "the line has no measurement")
    tags: dict[str, str] = {}
    while stop < end:
        place = stop + 1
        stop = _find(line, place, ",", end=end)
        stop = end if stop < 0 else stop
        equals = _find(line, place, "=", end=stop)
        if equals <= place or equals + 1 >= stop:
            raise _Bad(place + 1, f"{line[place:stop][:40]!r} is no tag; a tag is name=value")
        tags[_unescaped(line[place:equals])] = _unescaped(line[equals + 1 : stop])
    return measurement, tags


@lru_cache(maxsize=4096)
def _told_head(text: str) -> Head | None:
    """The measurement and the tags of a text; None where it is not as it should be."""
    try:
        return None if text.startswith("#") or _CONTROL.intersection(text) else _head(text, 0, len(text))
    except _Bad:
        return None


_BOOLEANS: Final = frozenset(("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"))


def _number(text: str, column: int, name: str) -> float | None:
    """The number of a field's value; None for text and booleans. Raises _Bad."""
    if text in _BOOLEANS or (len(text) > 1 and text[0] == text[-1] == '"'):
        return None
    digits = text[:-1] if text[-1] in "iu" else text
    try:
        if "_" in digits or not digits.isascii() or digits != digits.strip():
            raise ValueError
        value = float(int(digits)) if digits is not text else float(digits)
    except (ValueError, OverflowError):
        why = f"{text[:40]!r} is no value of the field {name[:40]!r}; a number such as 1.5 or 42i is expected"
        raise _Bad(column, why) from None
    if not -1e200 < value < 1e200:
        raise _Bad(column, f"{text[:40]} is not a finite number that a meter can tell")
    return value
