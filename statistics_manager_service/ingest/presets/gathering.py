"""Readings gathered channel by channel out of rows, and given out in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import S_PER_MINUTE, US_PER_S
from statistics_manager_service.ingest.presets.clocks import Clock, Instants
from statistics_manager_service.ingest.presets.source import Source, wrong

#: Readings of a piece: large enough to be fast, small enough that a transaction of them lets others have their turn.
PIECE: Final = 500_000
#: Rows that are refused are told in pieces, too.
_MOST_REFUSED: Final = 100_000
#: An interval's length is doubted where fewer of the steps between rows than this share are of that length.
_LEAST_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Column:
    """Where the readings of a column go. where: its title, which refusals name.

    length_us: of an interval. checked: whether the file's rows must be that far apart, as nobody has told the length.
    """

    where: str
    meter: str
    quantity: str
    kind: Kind | None
    unit: str | None
    length_us: int | None = None
    stamp_end: bool = False
    checked: bool = False
    factor: float = 1.0


@dataclass(slots=True)
class _Part:
    at_us: Int64
    value: Float64
    row: Int64
    length_us: Int64 | None


class Gatherer:
    """Gathers the readings of a file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._parts: dict[Column, list[_Part]] = {}
        self._held: dict[Column, list[_Part]] = {}
        self._size = 0
        self._seen: set[Column] = set()
        self._refused: list[RefusedReading] = []
        self.notes: list[str] = []
        self.counts: dict[str, int] = {}

    def refuse(self, where: str, row: int, reason: str) -> None:
        """Tell of a row, or of the cell of it in a column, that is not taken."""
        self._refused.append(RefusedReading(where, row, reason))

    def count(self, sentence: str, rows: int = 1) -> None:
        """Tell at the end of how many rows a sentence holds."""
        self.counts[sentence] = self.counts.get(sentence, 0) + rows

    def refuse_rows(self, refused: Iterable[tuple[int, str]]) -> None:
        """Tell of whole rows that are not taken."""
        for row, reason in refused:
            self.refuse("row", row, reason)

    def add(self, column: Column, when: Instants, value: Float64, length_us: Int64 | None = None) -> None:
        """The values of a column, NaN where there is none, beside the instants of their rows."""
        value = value * column.factor if column.factor != 1.0 else value
        there = when.good & np.isfinite(value)
        for store, mask in ((self._parts, there & ~when.held), (self._held, there & when.held)):
            if mask.any():
                lengths = None if length_us is None else length_us[mask]
                store.setdefault(column, []).append(_Part(when.at_us[mask], value[mask], when.row[mask], lengths))
                self._size += int(np.count_nonzero(mask))

    def pieces(self) -> Iterator[Decoded]:
        """A piece, if there is enough for one."""
        if self._size >= PIECE or len(self._refused) >= _MOST_REFUSED:
            yield self._piece()

    def last(self, clock: Clock | None = None) -> Iterator[Decoded]:
        """What is left when all rows are read, with the rows that the clock held back."""
        if clock is not None:
            row, at_us = clock.resolve(self.notes)
            for column, parts in self._held.items():
                for part in parts:
                    part.at_us = at_us[np.searchsorted(row, part.row)]
                self._parts.setdefault(column, []).extend(parts)
        self.notes += [sentence.format(rows=rows) for sentence, rows in self.counts.items()]
        yield self._piece()

    def _piece(self) -> Decoded:
        channels = [self._wire(column, parts) for column, parts in self._parts.items()]
        for wire in channels:
            self._note_corrections(wire)
        out = Decoded(channels, self._refused, self.notes)
        self._parts, self._refused, self.notes, self._size = {}, [], [], 0
        return out

    def _note_corrections(self, wire: WireReadings) -> None:
        order = np.argsort(wire.at_us, kind="stable")
        again = np.diff(wire.at_us[order]) == 0
        other = again & (np.diff(wire.value[order]) != 0)
        if other.any():
            line = "" if wire.index is None else f", first in row {int(wire.index[order[1:]][other].min())}"
            self.notes.append(
                f"{wire.meter} {wire.quantity}: instants that stand again with another value: "
                f"{np.count_nonzero(other)}{line}; the last value counts, the earlier ones stay as revisions"
            )

    def _wire(self, column: Column, parts: list[_Part]) -> WireReadings:
        at_us = np.concatenate([part.at_us for part in parts])
        lengths: Int64 | None = None
        if column.length_us is not None:
            lengths = np.full(len(at_us), column.length_us, np.int64)
            if column.checked and column not in self._seen:
                _check_length(column, at_us)
            self._seen.add(column)
        elif parts[0].length_us is not None:
            lengths = np.concatenate([part.length_us for part in parts if part.length_us is not None])
        return WireReadings(
            self._source.household,
            column.meter,
            column.quantity,
            column.kind,
            column.unit,
            at_us,
            np.concatenate([part.value for part in parts]),
            lengths,
            column.stamp_end,
            np.concatenate([part.row for part in parts]),
            column.where,
        )


def _check_length(column: Column, at_us: Int64) -> None:
    """Raise BadInput where the rows are not as far apart as the intervals of this form are long."""
    steps = np.diff(np.unique(at_us))
    if len(steps) < 2 or np.count_nonzero(steps == column.length_us) >= _LEAST_SHARE * len(steps):
        return
    minute_us = S_PER_MINUTE * US_PER_S
    usual = f"{float(np.median(steps)) / minute_us:g}"
    wanted = f"{(column.length_us or 0) / minute_us:g}"
    why = f"the rows are {usual} minutes apart, those of this form {wanted}; tell the length, such as --interval PT1H"
    raise wrong(column.where, why)
