"""Carbon intensities of zones: how they are kept, and read by the quarter-hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from statistics_manager_service.core.carbon import LONGEST_US, rows_on_quarters
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US
from statistics_manager_service.services.carbon.carbon_rows import (
    FORECAST,
    KINDS,
    IntensityRow,
    IntensityRows,
    IntensitySeries,
    IntensityWrites,
    Method,
)


class ToldIntensity(NamedTuple):
    """A value as a source tells it. Without issued_us it counts from when it is kept, if it is news."""

    start_us: int
    length_us: int
    intensity_mg_per_kwh: int
    kind: str = FORECAST
    issued_us: int | None = None
    updated_us: int | None = None
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of values: new or changed ones, and those that were known already."""

    accepted: int
    duplicates: int


def keep(
    view: IntensityWrites, zone: str, source: str, method: Method, told: Sequence[ToldIntensity], now_us: int
) -> Kept:
    """Keep what a source tells of a zone. The same told again changes nothing: of a value without an issue, the newest
    one that is known counts as told."""
    if not told:
        return Kept(0, 0)
    series = view.put_intensity_series(IntensitySeries(0, zone, source, *method))
    begin_us, end_us = min(one.start_us for one in told), max(one.start_us for one in told) + 1
    known = {
        (row.start_us, row.kind): (row.length_us, row.intensity_mg_per_kwh, row.quality)
        for row in view.intensities(series.series_no, begin_us, end_us)
    }
    rows: dict[tuple[int, str, int], IntensityRow] = {}
    for one in sorted(told, key=lambda one: one.updated_us or 0):  # of an issue told twice, the one touched last
        value = (one.length_us, one.intensity_mg_per_kwh, one.quality)
        if one.issued_us is None and known.get((one.start_us, one.kind)) == value:
            continue
        issued_us = now_us if one.issued_us is None else one.issued_us
        rows[one.start_us, one.kind, issued_us] = IntensityRow(
            series.series_no, one.start_us, one.kind, issued_us, one.length_us, one.intensity_mg_per_kwh,
            issued_us if one.updated_us is None else one.updated_us, one.quality,
        )  # fmt: skip
    accepted = view.put_intensities(list(rows.values())) if rows else 0
    return Kept(accepted, len(told) - accepted)


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
