"""Carbon intensities of zones: how they are kept, and read by the quarter-hour."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.carbon import LONGEST_US, rows_on_quarters
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, US_PER_S
from statistics_manager_service.services.carbon.carbon_rows import (
    FORECAST,
    KINDS,
    IntensityRow,
    IntensityRows,
    IntensitySeries,
    IntensityWrites,
    Method,
)

#: How long before a later issue one is set, at most, that was told once more.
_BEFORE_A_LATER_US: Final = US_PER_S


class ToldIntensity(NamedTuple):
    """A value as a source tells it. Without issued_us it counts from when it is kept, if it is news."""

    start_us: int
    length_us: int
    intensity_mg_per_kwh: int
    kind: str = FORECAST
    issued_us: int | None = None
    updated_us: int | None = None
    quality: str | None = None


class ToldStretch(NamedTuple):
    """What a source tells of start ≤ instant < end. notes: what was decided while it was read, for people."""

    start_us: int
    end_us: int
    values: Sequence[ToldIntensity]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of values: new or changed ones, and those that were known already."""

    accepted: int
    duplicates: int


def keep(
    view: IntensityWrites, zone: str, source: str, method: Method, told: Sequence[ToldIntensity], now_us: int
) -> Kept:
    """Keep what a source tells of a zone; nothing that is kept is overwritten.

    The same told again changes nothing: of a value without an issue, the newest one that is known counts as told. An
    issue that is told once more with another value becomes an issue of now, so that what was known before can still be
    asked for; where a later issue is known by then, it is set before that one, which goes on counting.
    """
    if not told:
        return Kept(0, 0)
    series = view.put_intensity_series(IntensitySeries(0, zone, source, *method))
    begin_us, end_us = min(one.start_us for one in told), max(one.start_us for one in told) + 1
    known: defaultdict[tuple[int, str], list[IntensityRow]] = defaultdict(list)
    for row in view.intensity_issues(series.series_no, begin_us, end_us):
        known[row.start_us, row.kind].append(row)
    touched = sorted(told, key=lambda one: one.updated_us or 0)  # of an issue told twice, the one touched last
    last_told = {(one.start_us, one.kind, one.issued_us): one for one in touched}
    new: list[IntensityRow] = []
    # the newest first: an older issue must know of it
    for one in sorted(last_told.values(), key=lambda one: now_us if one.issued_us is None else one.issued_us)[::-1]:
        issues = known[one.start_us, one.kind]
        issued_us = _issue(issues, one, now_us)
        if issued_us is None:
            continue
        updated_us = one.updated_us if issued_us == one.issued_us or one.issued_us is None else one.issued_us
        row = IntensityRow(
            series.series_no, one.start_us, one.kind, issued_us, one.length_us, one.intensity_mg_per_kwh,
            issued_us if updated_us is None else updated_us, one.quality,
        )  # fmt: skip
        insort(issues, row, key=_issued_us)
        new.append(row)
    accepted = view.put_intensities(new) if new else 0
    return Kept(accepted, len(told) - accepted)


def _issue(known: Sequence[IntensityRow], told: ToldIntensity, now_us: int) -> int | None:
    """Under which issue a value is to be kept; None where it is known. known: all issues of its beginning and kind, in
    their order, which is also that of the issues that they name."""
    named_us = told.issued_us
    tellings = known if named_us is None else [row for row in known if _named_us(row) == named_us]
    if tellings and (tellings[-1].length_us, tellings[-1].intensity_mg_per_kwh, tellings[-1].quality) == (
        told.length_us, told.intensity_mg_per_kwh, told.quality,
    ):  # fmt: skip
        return None
    if named_us is None:
        return max(now_us, known[-1].issued_us + 1) if known else now_us
    before_us = max((row.issued_us for row in known if _named_us(row) <= named_us), default=named_us - 1)
    after_us = min((row.issued_us for row in known if _named_us(row) > named_us), default=None)
    if before_us < named_us:
        return named_us
    if after_us is None or after_us - before_us < 2:  # there is room for twenty, each inside of the one before
        return max(now_us, known[-1].issued_us + 1)
    return max((before_us + after_us) // 2, after_us - _BEFORE_A_LATER_US)


def _named_us(row: IntensityRow) -> int:
    """The issue that a row is a telling of: one that is no first telling names it as its update, before it was issued
    itself."""
    return min(row.updated_us, row.issued_us)


def _issued_us(row: IntensityRow) -> int:
    return row.issued_us


@dataclass(frozen=True, slots=True)
class Quarters:
    """The intensity of the quarter-hours from first_quarter on.

    row: (q,) int64, which of the rows tells of each; -1 where none does. value_g_per_kwh: (q,) float64, NaN there.
    """

    first_quarter: int
    rows: Sequence[IntensityRow]
    row: Int64
    value_g_per_kwh: Float64

    @property
    def any_known(self) -> bool:
        """Whether anything is known."""
        return bool((self.row >= 0).any())

    def runs(self) -> list[tuple[int, int, IntensityRow]]:
        """Stretches that a row tells of: start, length, and the row; cut where a better one covers a part."""
        edges = np.flatnonzero(np.diff(self.row, prepend=-2, append=-2))
        return [
            ((self.first_quarter + begin) * QUARTER_US, (end - begin) * QUARTER_US, self.rows[self.row[begin]])
            for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
            if self.row[begin] >= 0
        ]


def intensity_quarters(
    view: IntensityRows,
    series: IntensitySeries,
    start_us: int,
    end_us: int,
    *,
    kinds: Sequence[str] = KINDS,
    until_us: int | None = None,
) -> Quarters:
    """What a series knows of the quarter-hours that touch start ≤ instant < end.

    kinds: those that count, an earlier one more; of a kind the newest issue counts (of those issued until an instant).
    """
    first = quarter_of(start_us)
    count = quarter_after(end_us) - first
    found = view.intensities(series.series_no, first * QUARTER_US - LONGEST_US, end_us, until_us)
    rows = [row for kind in reversed(kinds) for row in found if row.kind == kind]
    starts_us = np.array([one.start_us for one in rows], np.int64)
    row = rows_on_quarters(first, count, starts_us, np.array([one.length_us for one in rows], np.int64))
    value = np.array([*(one.intensity_mg_per_kwh / MILLI for one in rows), np.nan])  # -1 is the last: unknown
    return Quarters(first, rows, row, value[row])
