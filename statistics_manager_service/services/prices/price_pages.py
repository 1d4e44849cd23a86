"""Values of a series as they were told, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.grid import quarter_after, quarter_of, ragged_ranges
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_S, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.prices.price_rows import PriceRows, PriceSeries
from statistics_manager_service.services.prices.price_series import quarters_as_told

#: Quarter-hours that are read at once: a whole number of hours.
_AT_ONCE: Final = 512 * QUARTERS_PER_DAY


@dataclass(frozen=True, slots=True)
class PricePage:
    """Values of a series in its unit, ordered.

    start_us, length_us: (n,) int64. values: exact decimal texts. next_us: where the next page begins, None on the last.
    """

    start_us: Int64
    length_us: Int64
    values: list[str]
    next_us: int | None


def price_page(
    view: PriceRows, series: PriceSeries, start_us: int, end_us: int, limit: int, until_us: int | None = None
) -> PricePage:
    """The first `limit` values that lie in start ≤ instant < end; those that were known at an instant.

    A value that holds for longer than the series' interval stands in several rows.
    """
    begin, end = quarter_of(start_us), quarter_after(end_us)
    parts: list[tuple[Int64, Int64, list[str]]] = []
    found = 0
    while begin < end and found <= limit:
        count = min(_AT_ONCE, end - begin)
        parts.append(_rows(view, series, begin, count, until_us))
        found += len(parts[-1][0])
        begin += count
    starts = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    lengths = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
    values = [text for part in parts for text in part[2]]
    next_us = int(starts[limit]) * QUARTER_US if found > limit else None
    return PricePage(starts[:limit] * QUARTER_US, lengths[:limit] * QUARTER_US, values[:limit], next_us)


def _rows(
    view: PriceRows, series: PriceSeries, first: int, count: int, until_us: int | None
) -> tuple[Int64, Int64, list[str]]:
    """Stretches of one value, cut into intervals: first quarter-hour, their number, value."""
    values, known = quarters_as_told(view, series, first, count, until_us)
    step = series.interval_s // QUARTER_S
    differs = np.ones(count, np.bool_)
    differs[1:] = (values.units[1:] != values.units[:-1]) | (known[1:] != known[:-1])
    begin = np.flatnonzero(differs)
    length = np.diff(begin, append=count)
    begin, length = begin[known[begin]], length[known[begin]]
    number, owner = ragged_ranges(np.zeros(len(begin), np.int64), -(-length // step))
    start = begin[owner] + number * step
    texts = [decimal_text(int(unit), values.places) for unit in values.units[begin].tolist()]
    return start + first, np.minimum(step, (begin + length)[owner] - start), [texts[i] for i in owner.tolist()]


def decimal_text(units: int, places: int) -> str:
    """units × 10**-places as a decimal number, without zeros at its end."""
    digits = str(abs(units)).zfill(places + 1)
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return f"{'-' if units < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"
