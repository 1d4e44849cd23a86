"""Values of time in any CSV with a header: named columns for the beginning, the value, and the end where there is one.

The delimiter is found out by the header, the decimal mark by the values. Beginnings are ISO 8601 with an offset, or
labels of a zone's clock; of these, both passes of the repeated autumn hour are told apart by the order of the rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.civil import local_instants_us, parse_moment
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, S_PER_MINUTE, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.price_values import (
    LENGTHS_US,
    MOST_PRICES,
    Faults,
    Mark,
    refuse_web_page,
    shown,
    step_us,
    value_of_text,
    wrong,
)

_WANTED: Final = "a CSV with a header"
_DELIMITERS: Final = (",", ";", "\t", "|")
_DAY_FIRST: Final = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(.*)", re.ASCII | re.DOTALL)
_OFFSET: Final = re.compile(r"(?:[Zz]|[+-]\d\d:?(?:\d\d)?)\Z", re.ASCII)
_CLOCK: Final = re.compile(r"\d\d:\d\d", re.ASCII)
#: What stands in a cell that tells no value.
_NOTHING: Final = frozenset(("", "-", "--", "na", "n/a", "nan", "null", "none"))
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class WantedColumns:
    """Which columns of a CSV are wanted, and how they are read.

    end: there may be none. where: rows of other values in these columns are passed over. zone: of labels without an
    offset. interval_s: how long a value holds; the shortest step between two rows unless told. decimal: found out
    unless told. what: a value is called so in sentences. fault_of: why a value can't be one; None where it can.
    """

    start: str
    value: str
    what: str
    fault_of: Callable[[Decimal], str | None]
    end: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    interval_s: int | None = None
    decimal: Mark | None = None


class TimedValue(NamedTuple):
    """A value of a time, and the line that it stands on."""

    line: int
    start_us: int
    length_us: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that are wanted: the line of each, and its cells of three columns."""

    lines: list[int]
    starts: list[str]
    ends: list[str] | None
    values: list[str]


def read_timed_csv(body: bytes, wanted: WantedColumns, faults: Faults) -> tuple[list[TimedValue], list[str]]:
    """The values of a CSV, in the order of its rows, and notes for people. What is wrong is added to the faults, or
    raised as BadInput where nothing can be read at all."""
    rows, notes = _rows(_text(body), wanted), list[str]()
    mark = wanted.decimal or _mark(rows.values)
    starts_us = _instants(rows.starts, rows.lines, wanted.zone, faults)
    values = _values(rows, mark, wanted, faults, notes)
    lengths_us = _lengths(rows, starts_us, wanted, faults)
    found = []
    for line, start_us, length_us, value in zip(rows.lines, starts_us, lengths_us, values, strict=True):
        if start_us is not None and length_us is not None and value is not None:
            found.append(TimedValue(line, start_us, length_us, value))
    return found, notes


def _text(body: bytes) -> str:
    refuse_web_page(body, _WANTED)
    for encoding in ("utf-16",) if body[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise wrong("body", f"this is no text; wanted is {_WANTED}")


def _rows(text: str, wanted: WantedColumns) -> _Rows:
    """The wanted rows. Raises BadInput."""
    titles, delimiter = _header(text, wanted)
    named = [wanted.start, wanted.value, *([wanted.end] if wanted.end else []), *wanted.where]
    faults = Faults()
    for name in dict.fromkeys(named):
        if _place(titles, name) is None:
            faults.add("header", f"there is no column {shown(name)}; there are: {', '.join(titles)[:_SHOWN]}")
    faults.raise_any()
    start, value, *more = [_place(titles, name) or 0 for name in named]
    end = more.pop(0) if wanted.end else None
    conditions = list(zip(more, wanted.where.values(), strict=True))
    found = _Rows([], [], None if end is None else [], [])
    reader, is_header = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), True
    try:
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if is_header:
                is_header = False
                continue
            if len(cells) < len(titles):
                faults.add(f"line {reader.line_num}", f"it has {len(cells)} cells, the header {len(titles)}")
            elif all(cells[place].strip() == told for place, told in conditions):
                found.lines.append(reader.line_num)
                found.starts.append(cells[start].strip())
                found.values.append(cells[value].strip())
                if end is not None and found.ends is not None:
                    found.ends.append(cells[end].strip())
                if len(found.lines) > MOST_PRICES:
                    raise wrong(f"line {reader.line_num}", f"there are more than {MOST_PRICES} rows")
    except csv.Error as error:
        raise wrong(f"line {reader.line_num}", f"this is no CSV, is a quote left open? ({error})") from error
    if not found.lines and not faults:
        faults.add("body", "no row is wanted" if wanted.where else "there is no row behind the header")
    faults.raise_any()
    return found


def _header(text: str, wanted: WantedColumns) -> tuple[list[str], str]:
    """The titles of the columns, and the delimiter that parts most of the wanted ones. Raises BadInput."""
    line = next((one for one in text.splitlines() if one.strip()), None)
    if line is None:
        raise wrong("body", f"it is empty; wanted is {_WANTED}")
    names = (wanted.start, wanted.value, wanted.end or "")
    best: tuple[int, int, list[str], str] | None = None
    for delimiter in _DELIMITERS:
        try:
            titles = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error:
            continue
        score = (sum(_place(titles, name) is not None for name in names), len(titles))
        if best is None or score > best[:2]:
            best = (*score, titles, delimiter)
    if best is None:
        raise wrong("line 1", f"this is no CSV; wanted is {_WANTED}")
    return best[2], best[3]


def _place(titles: Sequence[str], name: str) -> int | None:
    """The place of a column, whatever its case."""
    return next((i for i, title in enumerate(titles) if title.casefold() == name.casefold()), None)


# --- values -----------------------------------------------------------------------------------------------------------


def _mark(cells: Iterable[str]) -> Mark:
    """What stands before the decimals, by the cells that tell it. Raises BadInput where they tell both."""
    point = comma = 0
    for cell in cells:
        points, commas = cell.count("."), cell.count(",")
        if points and commas:
            is_point = cell.rindex(".") > cell.rindex(",")
        elif points + commas == 1:
            is_point = bool(points)
        else:
            continue
        point, comma = point + is_point, comma + (not is_point)
    if point and comma:
        raise wrong("numbers", "some have a decimal point and some a decimal comma; tell which it is")
    return "comma" if comma else "point"


def _values(rows: _Rows, mark: Mark, wanted: WantedColumns, faults: Faults, notes: list[str]) -> list[Decimal | None]:
    """The values; None where there is none."""
    found: list[Decimal | None] = []
    empty = 0
    for line, cell in zip(rows.lines, rows.values, strict=True):
        if cell.casefold() in _NOTHING:
            empty += 1
            found.append(None)
        else:
            found.append(value_of_text(cell, mark, f"line {line}", faults, wanted.fault_of))
    if empty:
        notes.append(f"rows without {wanted.what}: {empty}")
    return found


# --- instants ---------------------------------------------------------------------------------------------------------


def _instants(labels: Sequence[str], lines: Sequence[int], zone: str | None, faults: Faults) -> list[int | None]:
    """The instants of labels; None, and a fault, where one is none."""
    found: list[int | None] = [None] * len(labels)
    local: list[int] = []
    wall: list[int] = []
    lacks_zone = 0
    for i, (told, line) in enumerate(zip(labels, lines, strict=True)):
        match = _DAY_FIRST.fullmatch(told)
        label = f"{match[3]}-{match[2]}-{match[1]}{match[4]}" if match else told
        has_offset = _OFFSET.search(label) is not None and _CLOCK.search(label) is not None
        try:
            at_us = parse_moment(label, "UTC", f"line {line}")
        except BadInput as error:
            faults.add_all(error)
            continue
        if at_us % QUARTER_US:
            faults.add(f"line {line}", f"{shown(told)} is not at a whole quarter of an hour")
        elif has_offset:
            found[i] = at_us
        elif zone is None:
            lacks_zone = lacks_zone or line
        else:
            local.append(i)
            wall.append(at_us)
    if lacks_zone:
        faults.add(f"line {lacks_zone}", "the label has no offset; tell the zone of its clock")
    if zone is not None and local:
        for i, at_us in zip(local, _of_clock(zone, wall, [lines[i] for i in local], faults), strict=True):
            found[i] = at_us
    return found


def _of_clock(zone: str, wall: Sequence[int], lines: Sequence[int], faults: Faults) -> list[int]:
    """The instants of labels of a zone's clock, in the order of the file. A fault for each that the clock skips."""
    wall_us: Int64 = np.array(wall, np.int64)
    at_us = local_instants_us(zone, wall_us.astype("datetime64[us]"))
    offsets = offsets_between(zone, int(wall_us.min()), int(wall_us.max()))
    for i in np.flatnonzero(at_us + offsets.at(at_us) != wall_us).tolist():
        faults.add(f"line {lines[i]}", f"the clock of {zone} skips this hour")
    found: list[int] = at_us.tolist()
    return found


def _lengths(
    rows: _Rows, starts_us: Sequence[int | None], wanted: WantedColumns, faults: Faults
) -> Sequence[int | None]:
    """How long each value holds."""
    if rows.ends is None:
        if wanted.interval_s is not None:
            length_us = wanted.interval_s * US_PER_S
            if length_us not in LENGTHS_US:
                faults.add("interval", f"{wanted.what} holds for 15, 30 or 60 minutes")
        else:
            length_us = 0 if faults else step_us([at for at in starts_us if at is not None], "starts", faults)
        return [length_us] * len(starts_us)
    found: list[int | None] = []
    ends_us = _instants(rows.ends, rows.lines, wanted.zone, faults)
    for line, start_us, end_us in zip(rows.lines, starts_us, ends_us, strict=True):
        held_us = None if start_us is None or end_us is None else end_us - start_us
        if held_us is not None and held_us not in LENGTHS_US:
            minutes = held_us / (S_PER_MINUTE * US_PER_S)
            faults.add(f"line {line}", f"it lasts {minutes:g} minutes, where 15, 30 or 60 are read")
            held_us = None
        found.append(held_us)
    return found
