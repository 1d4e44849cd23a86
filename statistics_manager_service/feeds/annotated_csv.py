"""InfluxDB's annotated CSV: tables whose columns may change, each with rows that tell its columns' types and defaults.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/. An answer ends with an empty line, also
one without any table, so one that does not was cut off; and what is left of a row is never taken for a whole one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_DATATYPE, _GROUP, _DEFAULT = "#datatype", "#group", "#default"
_SHOWN: Final = 120


class Malformed(ValueError):
    """It is no annotated CSV, or the end of it is missing. The text says what is wrong."""


class QueryFailed(Exception):
    """The other side tells, in place of rows, that its query failed. The text is what it tells."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of rows, the first one without a name: it is that of the annotations.

    datatypes: as told, such as `double`, `long`, `string`, `dateTime:RFC3339`. is_group: whether a column is part of
    what tells the tables apart, as measurement, field and tags are.
    """

    names: tuple[str, ...]
    datatypes: tuple[str, ...]
    is_group: tuple[bool, ...]
    defaults: tuple[str, ...]

    def place(self, name: str) -> int:
        """The place of a column. Raises Malformed."""
        try:
            return self.names.index(name)
        except ValueError:
            raise Malformed(f"a table has no column {name}") from None


def read_rows(lines: Iterable[str]) -> Iterator[tuple[Columns, list[str]]]:
    """The rows of all tables as they come, empty cells filled with their defaults. Rows of the same columns come with
    the same object.

    lines: with their ends or without. No more than a row is kept of them. Raises Malformed, QueryFailed, once what is
    broken is reached.
    """
    section = _Section()
    row: list[str] | None = None
    # a line break inside of quotes is the text's own
    reader = csv.reader((line.rstrip("\r\n") + "\n" for line in lines), strict=True)
    try:
        for following in reader:
            if row is not None:  # and it is whole, as something follows
                found = section.take(row)
                if found is not None:
                    yield found
            row = following
    except csv.Error as error:
        raise Malformed(f"a row can't be read: {error}") from error
    if row is None:
        raise Malformed("it is empty")
    if row:
        if section.tells_an_error:  # behind which nothing comes
            section.take(row)
        raise Malformed("it was cut off: the empty line at its end is missing")


class _Section:
    """What is known of the rows that are being read: from annotations and a header on, until an empty line."""

    def __init__(self) -> None:
        self._annotations: dict[str, Sequence[str]] = {}
        self._columns: Columns | None = None
        self._error_place: int | None = None

    def _clear(self) -> None:
        self._annotations, self._columns, self._error_place = {}, None, None

    @property
    def tells_an_error(self) -> bool:
        """Whether the rows tell that the query failed."""
        return self._error_place is not None

    def take(self, row: list[str]) -> tuple[Columns, list[str]] | None:
        """The row with its columns; None where it is no row of values. Raises Malformed, QueryFailed."""
        if not row:
            self._clear()
            return None
        if row[0].startswith("#"):
            if self._columns is not None:  # a table may also begin without an empty line before it
                self._clear()
            self._annotations[row[0]] = row
            return None
        if self._error_place is not None:
            raise QueryFailed(row[self._error_place] if len(row) > self._error_place else "no reason is told")
        columns = self._columns
        if columns is None:
            self._begin(row)
            return None
        if len(row) != len(columns.names):
            raise Malformed(f"a row has {len(row)} cells, its header {len(columns.names)}: {_shown(row)}")
        return columns, [cell or default for cell, default in zip(row, columns.defaults, strict=True)]

    def _begin(self, header: list[str]) -> None:
        """Take a header. Raises Malformed."""
        if "error" in header and "_value" not in header:
            self._error_place = header.index("error")
            return
        if header[0] or len(set(header)) != len(header):
            raise Malformed(f"this is no header of a table: {_shown(header)}")
        width = len(header)
        if _DATATYPE not in self._annotations:
            raise Malformed(f"a table does not tell its {_DATATYPE}: {_shown(header)}")
        for name in (_DATATYPE, _GROUP, _DEFAULT):
            told = len(self._annotations.setdefault(name, [""] * width))
            if told != width:
                raise Malformed(f"the row {name} has {told} cells, its header {width}: {_shown(header)}")
        self._columns = Columns(
            tuple(header),
            tuple(self._annotations[_DATATYPE]),
            tuple(cell == "true" for cell in self._annotations[_GROUP]),
            ("", *self._annotations[_DEFAULT][1:]),
        )


def _shown(row: Sequence[str]) -> str:
    return ascii(",".join(row))[:_SHOWN]
