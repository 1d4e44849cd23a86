"""From the rows of a table to readings: a column a channel, or a row a channel."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import compress

from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.errors import BadInput
from statistics_manager_service.ingest.presets.clocks import Clock
from statistics_manager_service.ingest.presets.decimals import Decimals, Mark, decide
from statistics_manager_service.ingest.presets.gathering import Column, Gatherer
from statistics_manager_service.ingest.presets.source import Source, wrong
from statistics_manager_service.ingest.presets.text import Chunk, Rows, Table

_SEVERAL_SHOWN = 5


class Whose:
    """Holds a file to one home or meter: rows of another than the first would be booked into the same channel."""

    def __init__(self, table: Table, place: int | None) -> None:
        self._place = place
        self._title = "" if place is None else table.titles[place]
        found = dict.fromkeys(self._cells(table.first.rows))
        if len(found) > 1:
            some = ", ".join(list(found)[:_SEVERAL_SHOWN])
            why = f"the file holds the readings of {len(found)} ({some}); import a file of one at a time"
            raise wrong(self._title, why)
        self._first = next(iter(found), "")

    def _cells(self, rows: Rows) -> list[str]:
        return [] if self._place is None else [row[self._place].strip() for row in rows if len(row) > self._place]

    def keep(self, chunk: Chunk, gatherer: Gatherer) -> Chunk:
        """The chunk without rows of others, which are refused."""
        if self._place is None:
            return chunk
        mine = [cell == self._first for cell in self._cells(chunk.rows)]
        if all(mine):
            return chunk
        why = f"{self._title} is not {self._first}, as in the rows before"
        gatherer.refuse_rows((line, why) for line, one in zip(chunk.lines, mine, strict=True) if not one)
        return Chunk(list(compress(chunk.lines, mine)), list(compress(chunk.rows, mine)))


def whole_rows(chunk: Chunk, table: Table, places: Sequence[int], gatherer: Gatherer) -> Chunk:
    """The chunk without rows that end before one of the places, which are refused."""
    needed = max(places) + 1
    whole = [len(row) >= needed for row in chunk.rows]
    if all(whole):
        return chunk
    title = f" ({table.titles[needed - 1]})" if table.titles else ""
    for line, row in zip(chunk.lines, chunk.rows, strict=True):
        if len(row) < needed:
            gatherer.refuse("row", line, f"it has {len(row)} cells, and column {needed}{title} is needed")
    return Chunk(list(compress(chunk.lines, whole)), list(compress(chunk.rows, whole)))


def decimals_of(table: Table, places: Sequence[int], source: Source, notes: list[str], mark: Mark | None) -> Decimals:
    """The decimals of the columns at some places, from the table's beginning. `mark`: where numbers tell neither."""
    cells = (row[place] for row in table.first.rows for place in places if place < len(row))
    try:
        return decide(cells, table.delimiter, source.decimal, notes)
    except BadInput:
        if mark is None:
            raise
        return Decimals(mark)


def label_at(*places: int) -> Callable[[list[str]], str]:
    """What makes a row's label: a cell, or a date and a time."""
    if len(places) == 1:
        place = places[0]
        return lambda row: row[place]
    date, time = places
    # a date may stand as a date-time at midnight, as spreadsheets save it
    return lambda row: f"{row[date].strip().partition(' ')[0]} {row[time].strip()}"


def read_columns(
    table: Table,
    source: Source,
    columns: dict[int, list[Column]],
    label_places: tuple[int, ...],
    clock: Clock,
    *,
    whose: int | None = None,
    notes: Sequence[str] = (),
    decimal: Mark | None = None,
    look: Callable[[list[str], Gatherer], None] | None = None,
) -> Iterator[Decoded]:
    """The readings of a table of which a row is an instant, and a column one channel (or several).

    columns: the channels of the column at a place. whose: the place of a column that must not change.
    decimal: what the form uses where the numbers do not tell. look: sees every row.
    """
    gatherer = Gatherer(source)
    gatherer.notes += notes
    only = Whose(table, whose)
    decimals = decimals_of(table, list(columns), source, gatherer.notes, decimal)
    label = label_at(*label_places)
    needed = [*columns, *label_places, *([] if whose is None else [whose])]
    for chunk in table.chunks():
        rows = only.keep(whole_rows(chunk, table, needed, gatherer), gatherer)
        when = clock.read([label(row) for row in rows.rows], rows.lines)
        gatherer.refuse_rows(when.refused)
        if look is not None:
            for row in rows.rows:
                look(row, gatherer)
        for place, channels in columns.items():
            cells = [row[place] for row in rows.rows]
            value, bad = decimals.read(cells)
            for i in bad:
                if when.good[i]:
                    _refuse_number(gatherer, channels[0].where, rows.lines[i], cells[i], decimals)
            for column in channels:
                gatherer.add(column, when, value)
        yield from gatherer.pieces()
    yield from gatherer.last(clock)


def _refuse_number(gatherer: Gatherer, where: str, line: int, cell: str, decimals: Decimals) -> None:
    gatherer.refuse(where, line, f"{ascii(cell.strip())[:40]} is no number with a decimal {decimals.mark}")


def read_series(
    table: Table,
    source: Source,
    channel_of: Callable[[tuple[str, ...]], Column | str | None],
    key_places: tuple[int, ...],
    at: int,
    value_place: int,
    clock: Clock,
    *,
    notes: Sequence[str] = (),
) -> Iterator[Decoded]:
    """The readings of a table of which a row is one reading, and some cells of it tell the channel.

    channel_of: the channel of such cells; a text tells why such rows are refused, None leaves them out.
    """
    gatherer = Gatherer(source)
    gatherer.notes += notes
    decimals = decimals_of(table, [value_place], source, gatherer.notes, None)
    channels: dict[tuple[str, ...], Column | str | None] = {}
    for chunk in table.chunks():
        rows = whole_rows(chunk, table, [*key_places, at, value_place], gatherer)
        keys = [tuple([row[place].strip() for place in key_places]) for row in rows.rows]
        for key in dict.fromkeys(keys):
            if key not in channels:
                channels[key] = channel_of(key)
        _add_series(rows, keys, channels, at, value_place, clock, decimals, gatherer)
        yield from gatherer.pieces()
    yield from gatherer.last(clock)


def _add_series(
    rows: Chunk,
    keys: list[tuple[str, ...]],
    channels: dict[tuple[str, ...], Column | str | None],
    at: int,
    value_place: int,
    clock: Clock,
    decimals: Decimals,
    gatherer: Gatherer,
) -> None:
    groups: dict[Column, list[int]] = {}
    for i, key in enumerate(keys):
        found = channels[key]
        if isinstance(found, Column):
            groups.setdefault(found, []).append(i)
        elif found is None:
            gatherer.count(f"{{rows}} rows of {_text(key)} are not read: this form tells no energy there")
        else:
            gatherer.refuse("row", rows.lines[i], found)
    for column, places in groups.items():
        lines = [rows.lines[i] for i in places]
        sequence: list[Hashable] = [column] * len(places)
        when = clock.read([rows.rows[i][at] for i in places], lines, sequence)
        gatherer.refuse_rows(when.refused)
        cells = [rows.rows[i][value_place] for i in places]
        value, bad = decimals.read(cells)
        for i in bad:
            if when.good[i]:
                _refuse_number(gatherer, "row", lines[i], cells[i], decimals)
        gatherer.add(column, when, value)


def _text(key: tuple[str, ...]) -> str:
    text = " ".join(part for part in key if part)
    return text.replace("{", "(").replace("}", ")")[:60]


def left_out(table: Table, used: Sequence[int | None]) -> list[str]:
    """A note of the columns that are not read."""
    names = [title for i, title in enumerate(table.titles) if i not in used and title]
    return [f"columns that are not read: {', '.join(names)[:400]}"] if names else []
