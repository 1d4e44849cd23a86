"""What one more kilowatt-hour costs at each time of a day or two, and when it is cheapest to take it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from statistics_manager_service.core.grid import quarter_after
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_HOUR, US_PER_HOUR
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.services.money.marginal import marginal_prices

#: The lengths of the windows that are looked for.
WINDOW_HOURS: Final = (1, 2, 4)
#: Decimals of a price, in currency/kWh; what differs less is the same.
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """A time of one price, in currency/kWh with taxes; of a window the mean over it."""

    start_us: int
    end_us: int
    price: float

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.end_us - self.start_us) / US_PER_HOUR


@dataclass(frozen=True, slots=True)
class DayPrices:
    """Marginal prices. now: None where it is not known. spans: where they are known, in order, equal neighbours joined.
    cheapest: of each length of WINDOW_HOURS the cheapest window ahead, where there is one."""

    now: float | None
    spans: tuple[PriceSpan, ...]
    cheapest: tuple[PriceSpan, ...]


def day_prices(billed: Billed, start_us: int, end_us: int, now_us: int) -> DayPrices:
    """The prices from start to end, which lie in the time of a bill's plan."""
    edges_us = billed.plan.edges_us
    prices = np.round(marginal_prices(billed), _DECIMALS)
    spans = tuple(_joined(edges_us, prices, start_us, end_us))
    now = next((one.price for one in spans if one.start_us <= now_us < one.end_us), None)
    return DayPrices(now, spans, tuple(cheapest_windows(spans, now_us)))


def _joined(edges_us: Int64, prices: Float64, start_us: int, end_us: int) -> Iterator[PriceSpan]:
    begin_us, price = start_us, np.nan
    for (left_us, right_us), each in zip(pairwise(edges_us.tolist()), prices.tolist(), strict=True):
        if right_us <= start_us or left_us >= end_us:
            continue
        if each == price:
            continue
        if not np.isnan(price):
            yield PriceSpan(begin_us, left_us, price)
        begin_us, price = max(left_us, start_us), each
    if not np.isnan(price):
        yield PriceSpan(begin_us, min(int(edges_us[-1]), end_us), price)


def cheapest_windows(spans: tuple[PriceSpan, ...], now_us: int) -> Iterator[PriceSpan]:
    """The cheapest window of each length that begins at a quarter-hour from now on and whose prices are all known; of
    several alike the first."""
    if not spans:
        return
    first = quarter_after(max(now_us, spans[0].start_us))
    count = spans[-1].end_us // QUARTER_US - first
    if count <= 0:
        return
    at_us = (first + np.arange(count, dtype=np.int64)) * QUARTER_US
    place = np.searchsorted([one.start_us for one in spans], at_us, side="right") - 1
    ends_us, each = (np.array([getattr(one, name) for one in spans])[place] for name in ("end_us", "price"))
    price = np.where(ends_us >= at_us + QUARTER_US, each, np.nan)
    for hours in WINDOW_HOURS:
        length = hours * QUARTERS_PER_HOUR
        if count < length:
            return
        means = np.round(np.lib.stride_tricks.sliding_window_view(price, length).mean(axis=1), _DECIMALS)
        if np.isnan(means).all():
            continue
        i = int(np.nanargmin(means))
        yield PriceSpan(int(at_us[i]), int(at_us[i]) + length * QUARTER_US, float(means[i]))
