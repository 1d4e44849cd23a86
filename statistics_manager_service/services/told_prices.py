"""Prices as files and other services tell them, before they are kept as a series."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.price_rows import ToldPrice


@dataclass(frozen=True, slots=True)
class ToldPrices:
    """Prices of one unit, such as `EUR/MWh`, ordered by their beginning; none overlaps another.

    market_time_zone: of the market's day. notes: what was decided while they were read, for people.
    """

    unit: str
    prices: Sequence[ToldPrice]
    market_time_zone: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def interval_s(self) -> int | None:
        """The shortest time that a price holds for; None without prices."""
        return min((one.length_us for one in self.prices), default=0) // US_PER_S or None

    @property
    def holes(self) -> int:
        """How often the time between the first and the last price is interrupted."""
        return sum(one.start_us + one.length_us < after.start_us for one, after in itertools.pairwise(self.prices))


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """What the caller tells of a file of prices; a form that tells it itself has no use for it.

    column: which of several prices: a column of a CSV, a member of a JSON, a place. where: column → value that rows of
    a CSV must have. zone: of labels without an offset. start_us, end_us: prices outside are left out, and prices
    without end are cut there.
    """

    unit: str | None = None
    zone: str | None = None
    country: str | None = None
    column: str | None = None
    start_column: str | None = None
    end_column: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    interval_s: int | None = None
    decimal: Literal["point", "comma"] | None = None
    with_vat: bool = True
    payment_method: str | None = None
    start_us: int | None = None
    end_us: int | None = None
