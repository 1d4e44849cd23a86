"""A stretch of a channel's readings: the blocks around a change, as far as the change can reach.

A late reading, a glitch that a new reading makes plain, a correction: each changes verdicts and quarter-hours near it,
and nothing further off. A stretch is loaded from the block before the change on; after correction it tells whether it
was wide enough (every decision was taken inside it, and beyond its ends nothing changes), else it is widened and
corrected again. The result is the same, bit for bit, as that of correcting the whole channel at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.blocks import Readings, pack_blocks, unpack_blocks
from statistics_manager_service.core.correction import Verdict
from statistics_manager_service.core.grid import BLOCK_US, block_of
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.ports import Block, Channel, MeterEvent, ReadView, Span

_NO_INTS = np.zeros(0, np.int64)
_NO_VERDICTS = np.zeros(0, np.uint8)
_NO_MARKS = np.zeros(0, np.bool_)
_WIDEN_BLOCKS = 4
_EVERYTHING = 10**9

#: A block's row without its body: household_no, channel_no, block, carry, count.
BlockKey = tuple[int, int, int, int | None, int]

#: A reading that another one replaced: instant, value, length (0 of other than intervals).
Replaced = tuple[int, int, int]


class Merging(NamedTuple):
    """Readings on their way into a stretch, (n,) columns, instants increasing."""

    at_us: Int64
    value_milli: Int64
    length_us: Int64 | None


def events_of(events: Sequence[MeterEvent], channel: Channel) -> list[MeterEvent]:
    """Those of a household's events that concern a channel."""
    if channel.kind is not Kind.REGISTER:
        return []
    return [event for event in events if event.meter == channel.meter and event.quantity == channel.quantity]


@dataclass(slots=True)
class Stretch:
    """Readings of one channel, and what is to be done with them.

    at_us, value_milli, length_us (intervals only), verdict: (n,) columns. changed: (n,) bool, new or other than stored.
    at_start, at_end: nothing is stored before, behind. news: fields of the channel that the merge changed.
    is_new_length: an interval's length was corrected.
    After `correct`: carries (a block's state at its start), first_quarter and end_quarter of what has to be folded
    anew.
    """

    channel: Channel
    events: Sequence[MeterEvent] = ()
    at_us: Int64 = field(default_factory=lambda: _NO_INTS)
    value_milli: Int64 = field(default_factory=lambda: _NO_INTS)
    length_us: Int64 | None = None
    verdict: NDArray[np.uint8] = field(default_factory=lambda: _NO_VERDICTS)
    changed: NDArray[np.bool_] = field(default_factory=lambda: _NO_MARKS)
    at_start: bool = True
    at_end: bool = True
    first_block: int = 0
    last_block: int = 0
    stored: dict[int, int | None] = field(default_factory=dict)
    news: dict[str, Any] = field(default_factory=dict)
    carries: dict[int, int | None] = field(default_factory=dict)
    is_new_length: bool = False
    first_quarter: int = 0
    end_quarter: int = 0

    # --- loading ------------------------------------------------------------------------------------------------------

    def span(self, first_us: int, last_us: int) -> Span:
        """The blocks to begin with: those that hold first_us … last_us. Where a stream goes on behind all that is
        stored, its newest block too."""
        channel = self.channel
        self.first_block, self.last_block = block_of(first_us), block_of(last_us)
        first = self.first_block
        if channel.last_us is not None:
            first = min(first, block_of(channel.last_us))
        return channel.household_no, channel.channel_no, first, self.last_block

    def begin(self, view: ReadView, first_us: int, blocks: list[Block], parts: list[Readings]) -> None:
        """Take the blocks of the span, and load what else a change from first_us on needs."""
        channel = self.channel
        if channel.first_us is None or channel.last_us is None:
            return
        self._take(blocks, parts)
        if block_of(channel.first_us) < self.first_block:
            self.at_start = False
            # Where a change lies behind a reading of a block that begins in a clean state, nothing before it matters.
            inside = blocks and blocks[0].block == self.first_block and self.at_us[0] < first_us
            if not (inside and self._is_start(blocks[0])):
                self.widen_left(view)
        if block_of(channel.last_us) > self.last_block:
            self.at_end = False
            self.widen_right(view, 1)

    def load_all(self, view: ReadView) -> None:
        """Load the whole channel, every reading to be thought over again."""
        key = (self.channel.household_no, self.channel.channel_no)
        blocks = view.blocks(*key, -_EVERYTHING, _EVERYTHING)
        if blocks:
            self.first_block, self.last_block = blocks[0].block, blocks[-1].block
        self._take(blocks, unpack_blocks([block.body for block in blocks]))

    def widen_left(self, view: ReadView) -> None:
        """Load earlier blocks, to the next one at whose start correction can begin anew."""
        channel, limit = self.channel, 1
        while not self.at_start:
            blocks = view.blocks_before(channel.household_no, channel.channel_no, self.first_block, limit)
            self._take(blocks, unpack_blocks([block.body for block in blocks]), before=True)
            self.at_start = channel.first_us is not None and block_of(channel.first_us) >= self.first_block
            if self._is_start(blocks[0]):
                return
            limit = _WIDEN_BLOCKS

    def _is_start(self, block: Block) -> bool:
        """Whether correction can begin anew at the start of a block."""
        return block.carry == 0 if self.channel.kind is Kind.INTERVAL else block.carry is not None

    def widen_right(self, view: ReadView, limit: int = _WIDEN_BLOCKS) -> None:
        """Load later blocks."""
        channel = self.channel
        blocks = view.blocks_after(channel.household_no, channel.channel_no, self.last_block, limit)
        self._take(blocks, unpack_blocks([block.body for block in blocks]))
        self.at_end = channel.last_us is not None and block_of(channel.last_us) <= self.last_block

    def load_rest(self, view: ReadView) -> None:
        """Load all that is not loaded yet, every reading to be thought over again."""
        while not self.at_start:
            self.widen_left(view)
        while not self.at_end:
            self.widen_right(view)
        self.changed[:] = True

    def _take(self, blocks: list[Block], parts: list[Readings], before: bool = False) -> None:
        if not blocks:
            return
        own = (self.at_us, self.value_milli, self.length_us, self.verdict)
        parts = [*parts, own] if before else [own, *parts]
        parts = [part for part in parts if len(part[0])]
        if len(parts) == 1:
            self.at_us, self.value_milli, self.length_us, self.verdict = parts[0]
        else:
            self.at_us = np.concatenate([part[0] for part in parts])
            self.value_milli = np.concatenate([part[1] for part in parts])
            self.verdict = np.concatenate([part[3] for part in parts])
            if self.channel.kind is Kind.INTERVAL:
                self.length_us = np.concatenate([part[2] for part in parts if part[2] is not None])
        fresh = np.zeros(len(self.at_us) - len(self.changed), np.bool_)
        self.changed = np.concatenate((fresh, self.changed) if before else (self.changed, fresh))
        self.stored |= {block.block: block.carry for block in blocks}
        self.first_block = min(self.first_block, blocks[0].block)
        self.last_block = max(self.last_block, blocks[-1].block)

    # --- merging ------------------------------------------------------------------------------------------------------

    def merge(self, at_us: Int64, value_milli: Int64, length_us: Int64 | None) -> list[Replaced]:
        """Put readings in; of one instant the last one counts. Returns what they replaced, of each instant in order.

        at_us, value_milli, length_us: (n,) in the order in which they came.
        """
        if bool((at_us[1:] > at_us[:-1]).all()):
            first = last = Merging(at_us, value_milli, length_us)
            replaced: list[Replaced] = []
        else:
            first, last, replaced = _in_order(at_us, value_milli, length_us)
        at_us = last.at_us
        if not len(self.at_us) or at_us[0] > self.at_us[-1]:  # a live stream: all of it is new
            self._append(*last)
            return replaced
        place = np.searchsorted(self.at_us, at_us)
        inside = np.minimum(place, len(self.at_us) - 1)
        known = self.at_us[inside] == at_us
        corrected = inside[known & self._differs(inside, first)]
        stored = _rows(self.at_us, self.value_milli, self.length_us, corrected)
        replaced = sorted([*stored, *replaced], key=itemgetter(0))  # of one instant what was stored came first
        self._replace(inside, last, known & self._differs(inside, last))
        self._insert(place, last, ~known)
        return replaced

    def _differs(self, rows: Int64, told: Merging) -> NDArray[np.bool_]:
        """Whether readings are other than those of some rows."""
        other: NDArray[np.bool_] = self.value_milli[rows] != told.value_milli
        if told.length_us is not None and self.length_us is not None:
            other |= self.length_us[rows] != told.length_us
        return other

    def _replace(self, rows: Int64, told: Merging, which: NDArray[np.bool_]) -> None:
        spot = rows[which]
        if not len(spot):
            return
        if told.length_us is not None and self.length_us is not None:
            self.is_new_length |= bool((self.length_us[spot] != told.length_us[which]).any())
            self.length_us = _with(self.length_us, spot, told.length_us[which])
        self.value_milli = _with(self.value_milli, spot, told.value_milli[which])
        self.changed[spot] = True

    def _insert(self, place: Int64, told: Merging, which: NDArray[np.bool_]) -> None:
        if not which.any():
            return
        where = place[which]
        self.at_us = np.insert(self.at_us, where, told.at_us[which])
        self.value_milli = np.insert(self.value_milli, where, told.value_milli[which])
        if told.length_us is not None and self.length_us is not None:
            self.length_us = np.insert(self.length_us, where, told.length_us[which])
        self.verdict = np.insert(self.verdict, where, np.uint8(Verdict.PLAUSIBLE))
        self.changed = np.insert(self.changed, where, True)

    def _append(self, at_us: Int64, value_milli: Int64, length_us: Int64 | None) -> None:
        count = len(at_us)
        if len(self.at_us):
            at_us = np.concatenate((self.at_us, at_us))
            value_milli = np.concatenate((self.value_milli, value_milli))
            if length_us is not None and self.length_us is not None:
                length_us = np.concatenate((self.length_us, length_us))
        self.at_us, self.value_milli, self.length_us = at_us, value_milli, length_us
        self.verdict = np.concatenate((self.verdict, np.zeros(count, np.uint8)))
        self.changed = np.concatenate((self.changed, np.ones(count, np.bool_)))

    # --- after correction ---------------------------------------------------------------------------------------------

    def block_starts(self) -> tuple[list[int], list[int]]:
        """The blocks of the readings, and the row with which each begins."""
        first, last = block_of(int(self.at_us[0])), block_of(int(self.at_us[-1]))
        if first == last:
            return [first], [0]
        edges = np.arange(first, last + 1, dtype=np.int64)
        rows = self.at_us.searchsorted(edges * BLOCK_US)
        if last - first == 1:
            return edges.tolist(), rows.tolist()
        filled = np.append(rows[1:], len(self.at_us)) > rows
        return edges[filled].tolist(), rows[filled].tolist()

    def to_pack(self, touched: NDArray[np.bool_]) -> Iterator[tuple[BlockKey, Readings]]:
        """The blocks that hold touched readings or begin in another state than stored."""
        _, firsts = self.block_starts()
        any_touched = np.logical_or.reduceat(touched, firsts).tolist() if len(firsts) > 1 else [True]
        ends = [*firsts[1:], len(self.at_us)]
        for (block, carry), first, end, is_touched in zip(self.carries.items(), firsts, ends, any_touched, strict=True):
            if not is_touched and block in self.stored and self.stored[block] == carry:
                continue
            length = None if self.length_us is None else self.length_us[first:end]
            key = (self.channel.household_no, self.channel.channel_no, block, carry, end - first)
            yield key, (self.at_us[first:end], self.value_milli[first:end], length, self.verdict[first:end])


def load(view: ReadView, stretches: Sequence[Stretch], columns: Sequence[Int64]) -> None:
    """Load what a change needs: the blocks of all stretches at once.

    columns: for each stretch the instants of its change, in any order, one at least.
    """
    if not stretches:
        return
    joined = np.concatenate(columns)
    lengths = np.array([len(column) for column in columns], np.int64)
    begins: Int64 = np.cumsum(lengths) - lengths
    first_us = np.minimum.reduceat(joined, begins).tolist()
    last_us = np.maximum.reduceat(joined, begins).tolist()
    found = view.blocks_of(
        [one.span(first, last) for one, first, last in zip(stretches, first_us, last_us, strict=True)]
    )
    parts = iter(unpack_blocks([block.body for blocks in found for block in blocks]))
    for one, first, blocks in zip(stretches, first_us, found, strict=True):
        one.begin(view, first, blocks, [next(parts) for _ in blocks])


def packed(
    stretches: Sequence[Stretch], touched: Sequence[NDArray[np.bool_]]
) -> list[tuple[int, int, int, int | None, int, bytes]]:
    """The rows of all blocks of some stretches that have to be written."""
    found = [piece for one, marks in zip(stretches, touched, strict=True) for piece in one.to_pack(marks)]
    bodies = pack_blocks([readings for _, readings in found])
    return [(*key, body) for (key, _), body in zip(found, bodies, strict=True)]


def _in_order(at_us: Int64, value: Int64, length_us: Int64 | None) -> tuple[Merging, Merging, list[Replaced]]:
    """Readings in order of time: the first and the last one of each instant, and those that others replaced."""
    order = np.argsort(at_us, kind="stable")
    at_us, value = at_us[order], value[order]
    length_us = None if length_us is None else length_us[order]
    goes_on = at_us[1:] == at_us[:-1]
    differs = value[1:] != value[:-1]
    if length_us is not None:
        differs |= length_us[1:] != length_us[:-1]
    replaced = _rows(at_us, value, length_us, np.flatnonzero(goes_on & differs))
    first, last = np.append(True, ~goes_on), np.append(~goes_on, True)
    firsts, lasts = (
        Merging(at_us[some], value[some], None if length_us is None else length_us[some]) for some in (first, last)
    )
    return firsts, lasts, replaced


def _rows(at_us: Int64, value: Int64, length_us: Int64 | None, rows: Int64) -> list[Replaced]:
    lengths = np.zeros(len(rows), np.int64) if length_us is None else length_us[rows]
    return list(zip(at_us[rows].tolist(), value[rows].tolist(), lengths.tolist(), strict=True))


def _with(column: Int64, rows: Int64, value: Int64) -> Int64:
    copy = column.copy()
    copy[rows] = value
    return copy
