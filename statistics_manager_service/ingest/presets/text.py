"""Text files as rows: plain or gzip, of any usual encoding and delimiter, read in chunks of bounded size."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from statistics_manager_service.ingest.presets.source import OnBytes, wrong

_HEAD_BYTES: Final = 256 * 1024
_HEAD_ROWS: Final = 40
_CHUNK_ROWS: Final = 20_000
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file that are not blank, and the number of the line on which each ends."""

    lines: list[int]
    rows: Rows


@dataclass(slots=True)
class Table:
    """A table of text. `titles`: those of the columns as they stand; none where the form has no header."""

    titles: list[str]
    delimiter: str
    first: Chunk
    rest: Iterator[Chunk]

    def place(self, *names: str) -> int | None:
        """The place of the column that has one of these titles, whatever their case."""
        wanted = [name.casefold() for name in names]
        return next((i for i, title in enumerate(self.titles) if title.casefold() in wanted), None)

    def needed_place(self, *names: str) -> int:
        """The place of a column without which the form is not there. Raises BadInput."""
        found = self.place(*names)
        if found is None:
            raise wrong("header", f"the column {names[0]} is missing; there are {', '.join(self.titles)[:200]}")
        return found

    def chunks(self) -> Iterator[Chunk]:
        """All rows behind the header."""
        yield self.first
        yield from self.rest


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """The bytes of a file, unpacked if it is gzip; and a function that tells how many were read on the disk.

    Raises BadInput for an empty file, a spreadsheet, and gzip that is broken, wherever in the file it is.
    """
    with path.open("rb") as handle:
        magic = handle.read(4)
        handle.seek(0)
        if magic == _ZIP:
            raise wrong(path.name, "this is a spreadsheet or a zip; save the sheet as CSV, or unpack the zip")
        try:
            if magic[:2] == _GZIP:
                with gzip.GzipFile(fileobj=handle) as unpacked:
                    yield io.BufferedReader(unpacked, _HEAD_BYTES), handle.tell
            else:
                yield handle, handle.tell
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise wrong(path.name, f"the file is broken gzip: {error}") from error


def _head(path: Path) -> tuple[str, str]:
    """The file's encoding and its beginning."""
    with open_bytes(path) as (stream, _):
        raw = stream.read(_HEAD_BYTES)
    if not raw.strip():
        raise wrong(path.name, "the file is empty")
    encoding = "utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = raw.decode(encoding, "replace")
    return encoding, text


def read_table(path: Path, is_header: Callable[[list[str]], bool], needed: str, on_bytes: OnBytes) -> Table:
    """The table of a file whose header, which may stand below other lines, satisfies `is_header`.

    The delimiter is the one with which the header is found. Raises BadInput that says what is there and what is needed.
    """
    encoding, head = _head(path)
    for delimiter in ",;\t":
        for number, cells in _head_rows(head, delimiter):
            if is_header(cells):
                return _table(path, encoding, delimiter, cells, number, on_bytes)
    found = " ".join(next(iter(head.split("\n", 1)), "").split())[:200]
    raise wrong("header", f"the file begins with {found!a}; this preset needs {needed}")


def read_headless(path: Path, is_row: Callable[[list[str]], bool], needed: str, on_bytes: OnBytes) -> Table:
    """The table of a file without a header, whose first row satisfies `is_row`. Raises BadInput."""
    encoding, head = _head(path)
    for delimiter in ",;\t":
        first = next(iter(_head_rows(head, delimiter)), None)
        if first is not None and is_row(first[1]):
            return _table(path, encoding, delimiter, [], 0, on_bytes)
    found = " ".join(next(iter(head.split("\n", 1)), "").split())[:200]
    raise wrong("header", f"the file begins with {found!a}; this preset needs {needed}")


def _head_rows(head: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The first rows, with their lines; up to the first that is no CSV."""
    reader, found = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                found.append((reader.line_num, cells))
            if len(found) >= _HEAD_ROWS:
                break
    except csv.Error:
        pass
    return found


def _table(path: Path, encoding: str, delimiter: str, titles: list[str], header: int, on_bytes: OnBytes) -> Table:
    chunks = _chunks(path, encoding, delimiter, header, on_bytes)
    first = next(chunks, Chunk([], []))
    return Table(titles, delimiter, first, chunks)


def _chunks(path: Path, encoding: str, delimiter: str, header: int, on_bytes: OnBytes) -> Iterator[Chunk]:
    """The rows behind line `header`. A byte that is not of the encoding becomes a replacement character."""
    with open_bytes(path) as (stream, tell):
        text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        lines: list[int] = []
        rows: Rows = []
        try:
            for row in reader:
                if reader.line_num <= header or not any(map(str.strip, row)):
                    continue
                lines.append(reader.line_num)
                rows.append(row)
                if len(rows) >= _CHUNK_ROWS:
                    on_bytes(tell())
                    yield Chunk(lines, rows)
                    lines, rows = [], []
        except csv.Error as error:
            raise wrong(f"line {reader.line_num}", f"this is not CSV, is a quote left open? ({error})") from error
        on_bytes(tell())
        if rows:
            yield Chunk(lines, rows)
