"""Labels of instants, row by row: with an offset, as epoch seconds, or of the clock of the file's zone.

A label of the repeated autumn hour can be settled only when the whole file is known. Such rows, a few in ten thousand,
are held back until the end; all others are settled at once, so that a file of any length is read in bounded memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import local_instants_us
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.ingest.columns import MOST_US
from statistics_manager_service.ingest.presets.source import wrong

Order = Literal["ymd", "dmy", "mdy"]
Bools = NDArray[np.bool_]

_DATE: Final = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII)
_EPOCH: Final = re.compile(r"\d{9,13}(?:\.\d{1,9})?", re.ASCII)
#: Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5000.
_LEAST_EPOCH_MS: Final = 100_000_000_000
_MOST_CACHED: Final = 200_000
_DAYS_TO_1970: Final = date(1970, 1, 1).toordinal()


class Labels:
    """Reads labels such as 2024-01-31 00:15. `order`: that of a date's parts where the year does not stand first."""

    def __init__(self, order: Order = "ymd", *, epochs: bool = False) -> None:
        self._order, self._epochs = order, epochs
        self._dates: dict[str, int | None] = {}
        self._times: dict[str, tuple[int, int | None] | None] = {}

    def read(self, text: str) -> tuple[int, bool] | None:
        """Microseconds since 1970, and whether they are of UTC and not of the clock; None for what is no label."""
        text = text.strip()
        day, _, rest = text.partition("T" if "T" in text else " ")
        if not rest:
            return self._epoch(text) if self._epochs else None
        date_us = self.date(day)
        time = self._cached_time(rest)
        if date_us is None or time is None:
            return None
        time_us, offset_us = time
        return (date_us + time_us, False) if offset_us is None else (date_us + time_us - offset_us, True)

    def date(self, text: str) -> int | None:
        """Microseconds from 1970-01-01 to a date's midnight by the clock."""
        if text not in self._dates:
            if len(self._dates) > _MOST_CACHED:
                self._dates.clear()
            self._dates[text] = _date_us(text, self._order)
        return self._dates[text]

    def _cached_time(self, text: str) -> tuple[int, int | None] | None:
        if text not in self._times:
            if len(self._times) > _MOST_CACHED:
                self._times.clear()
            self._times[text] = _time_us(text)
        return self._times[text]

    def _epoch(self, text: str) -> tuple[int, bool] | None:
        if _EPOCH.fullmatch(text) is None:
            return None
        value = float(text)
        if value >= _LEAST_EPOCH_MS:
            value /= 1000
        return round(value * US_PER_S), True


def _date_us(text: str, order: Order) -> int | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    first, second, third = match.groups()
    if len(first) == len("2024"):
        year, month, day = first, second, third
    elif order == "ymd" or len(third) != len("2024"):
        return None
    else:
        year = third
        month, day = (first, second) if order == "mdy" else (second, first)
    try:
        return (date(int(year), int(month), int(day)).toordinal() - _DAYS_TO_1970) * S_PER_DAY * US_PER_S
    except ValueError:
        return None


def _time_us(text: str) -> tuple[int, int | None] | None:
    """Microseconds since midnight, 24:00 being the day's end; and the offset, None where there is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    fraction = int((match[4] or "0")[:6].ljust(6, "0"))
    in_s = hour * S_PER_HOUR + minute * S_PER_MINUTE + second
    if hour > 24 or minute > 59 or second > 59 or in_s * US_PER_S + fraction > S_PER_DAY * US_PER_S:
        return None
    offset = match[5]
    if offset is None:
        return in_s * US_PER_S + fraction, None
    if offset == "Z":
        return in_s * US_PER_S + fraction, 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    offset_s = int(digits[:2]) * S_PER_HOUR + int(digits[2:]) * S_PER_MINUTE
    if offset_s >= S_PER_DAY:
        return None
    return in_s * US_PER_S + fraction, (-offset_s if offset[0] == "-" else offset_s) * US_PER_S


@dataclass(slots=True)
class Instants:
    """The instants of some rows.

    at_us: (n,) int64, microseconds UTC where `good` and not `held`. row: (n,) int64, lines of the file.
    good: there is an instant, or will be. held: it can be told only when the whole file is known.
    refused: line and reason of each row that is not good.
    """

    at_us: Int64
    row: Int64
    good: Bools
    held: Bools
    refused: list[tuple[int, str]]

    @classmethod
    def of(cls, at_us: Int64, row: Int64) -> Instants:
        """Instants that were told as such."""
        return cls(at_us, row, np.ones(len(row), np.bool_), np.zeros(len(row), np.bool_), [])


class Clock:
    """Turns the labels of a file, chunk by chunk, into instants.

    zone: that of labels without an offset. ends: labels are the ends of intervals.
    single_repeat: the pass of a label of the repeated hour that stands only once.
    shift_us: what is added to each label by the clock; later_us: what is added to the instant.
    """

    def __init__(
        self,
        zone: str | None,
        labels: Labels,
        *,
        ends: bool = False,
        single_repeat: Literal["first", "second"] = "first",
        shift_us: int = 0,
        later_us: int = 0,
        example: str = "2024-01-31 00:15",
    ) -> None:
        self._zone, self._labels, self._ends = zone, labels, ends
        self._single_repeat, self._example = single_repeat, example
        self._shift_us, self._later_us = shift_us, later_us
        self._held: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
        self._falling = self._rising = 0
        self._last_wall_us: int | None = None

    def read(self, cells: Sequence[str], rows: Sequence[int], sequences: Sequence[Hashable] | None = None) -> Instants:
        """The instants of labels. `sequences`: to which series each row belongs, where a file has several.

        Raises BadInput where a label has no offset and the zone is not known.
        """
        row = np.array(rows, np.int64)
        found = [self._labels.read(cell) for cell in cells]
        good = np.array([one is not None for one in found], np.bool_)
        us = np.array([0 if one is None else one[0] for one in found], np.int64)
        by_clock = np.array([one is not None and not one[1] for one in found], np.bool_)
        refused = [
            (rows[i], f"{ascii(cells[i].strip())[:40]} is no label such as {self._example}")
            for i in np.flatnonzero(~good).tolist()
        ]
        beyond = good & ((us < 0) | (us >= MOST_US))
        for i in np.flatnonzero(beyond).tolist():
            refused.append((rows[i], f"{cells[i].strip()[:40]} is before 1970 or after 2262"))
        good &= ~beyond
        by_clock &= good
        held = np.zeros(len(us), np.bool_)
        if by_clock.any():
            refused += self._settle(us, by_clock, good, held, cells, rows)
            for i in np.flatnonzero(held).tolist():
                self._held[None if sequences is None else sequences[i]].append((int(us[i]), rows[i]))
        us[~held] += self._later_us
        return Instants(us, row, good, held, refused)

    def _settle(
        self, us: Int64, by_clock: Bools, good: Bools, held: Bools, cells: Sequence[str], rows: Sequence[int]
    ) -> list[tuple[int, str]]:
        """Turn clock times into instants in place, but those of repeated hours; the labels that the clock skips."""
        if self._zone is None:
            why = "the labels have no offset; tell the zone of their clock with --timezone, such as Europe/Lisbon"
            raise wrong("timezone", why)
        place = np.flatnonzero(by_clock)
        wall_us = us[place] + self._shift_us
        self._note_direction(wall_us)
        offsets = offsets_between(self._zone, int(wall_us.min()), int(wall_us.max()))
        first_us, second_us = offsets.instants(wall_us, 0), offsets.instants(wall_us, 1)
        repeated = first_us < second_us
        skipped = first_us + offsets.at(first_us) != wall_us
        if self._ends:  # what ends as the clock jumps may bear the label from which it jumps
            skipped &= ~np.isin(first_us, offsets.change_us)
        us[place] = np.where(repeated, wall_us, first_us)
        held[place[repeated]] = True
        good[place[skipped]] = False
        return [(rows[i], f"the clock of {self._zone} skips {cells[i].strip()[:40]}") for i in place[skipped].tolist()]

    def _note_direction(self, wall_us: Int64) -> None:
        steps = np.diff(wall_us, prepend=wall_us[0] if self._last_wall_us is None else self._last_wall_us)
        self._falling += int(np.count_nonzero(steps < 0))
        self._rising += int(np.count_nonzero(steps > 0))
        self._last_wall_us = int(wall_us[-1])

    def resolve(self, notes: list[str]) -> tuple[Int64, Int64]:
        """The rows that were held, sorted, and their instants; to be called when all rows are read."""
        rows: list[Int64] = []
        instants: list[Int64] = []
        single = many = 0
        for held in self._held.values():
            wall_us, row = np.array(held, np.int64).T
            if self._falling > self._rising:
                wall_us, row = wall_us[::-1], row[::-1]
            zone = str(self._zone)
            rows.append(row)
            instants.append(local_instants_us(zone, wall_us.astype("datetime64[us]"), self._single_repeat))
            _, count = np.unique(wall_us, return_counts=True)
            single += int(np.count_nonzero(count == 1))
            many += int(np.count_nonzero(count > 2))
        if single:
            notes.append(
                f"labels of the repeated autumn hour that stand only once: {single}; each is taken for the "
                f"{self._single_repeat} pass of that hour"
            )
        if many:
            notes.append(
                f"labels of the repeated autumn hour that stand more than twice: {many}; the earlier half of each is "
                "taken for the first pass"
            )
        if not rows:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        row, at_us = np.concatenate(rows), np.concatenate(instants)
        order = np.argsort(row)
        return row[order], at_us[order] + self._later_us
