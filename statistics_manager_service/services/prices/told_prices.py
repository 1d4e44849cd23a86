"""Prices as files and other services tell them, and how they are kept as a series."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from statistics_manager_service.core.price_units import KNOWN_UNITS, price_unit
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.errors import BadInput, Conflict, Fault
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import Kept, interval_name, keep_prices
from statistics_manager_service.tariffs.prices import NAME


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


@dataclass(frozen=True, slots=True)
class WantedSeries:
    """The series that prices are to be kept in. interval_s: of a new one, the shortest of its prices unless told; one
    that is there keeps its own. title, source: None leaves what is known."""

    name: str
    interval_s: int | None = None
    title: str | None = None
    source: str | None = None


def check_series(name: str, unit: str | None) -> None:
    """Raise BadInput unless a series may have this name, and, where it is told, this unit."""
    faults = []
    if re.fullmatch(NAME, name) is None:
        why = "is no name of a series: it has 1 to 64 letters, digits, '_', '.', '+' or '-', a letter or digit first"
        faults.append(Fault("series", f"{name[:80]!a} {why}"))
    if unit is not None and price_unit(unit) is None:
        faults.append(Fault("unit", f"{unit[:40]!a} is no unit of a series; there are {KNOWN_UNITS}"))
    if faults:
        raise BadInput.of(faults)


def keep_told(store: Store, wanted: WantedSeries, told: Sequence[ToldPrices], now_us: int) -> Kept:
    """Keep prices in one transaction; of prices of one time the last one told counts. Without any, nothing is made.

    Raises BadInput where the name or the unit can't be, Conflict where the series has another unit or longer intervals.
    """
    told = [one for one in told if one.prices]
    for unit in dict.fromkeys([None, *(one.unit for one in told)]):
        check_series(wanted.name, unit)
    if not told:
        return Kept(0, 0)
    shortest_s = min(one.interval_s or 0 for one in told)
    with store.writing() as view:
        view.begin_price_changes()
        known = view.price_series(wanted.name)
        interval_s = (wanted.interval_s or shortest_s) if known is None else known.interval_s
        series = PriceSeries(
            0 if known is None else known.series_no,
            wanted.name,
            told[0].unit,
            interval_s,
            told[0].market_time_zone or (known and known.market_time_zone),
            wanted.title or (known and known.title),
            wanted.source or (known and known.source),
        )
        if shortest_s < interval_s:
            raise Conflict(
                f"series {wanted.name} has values of {interval_name(series)} each, and these hold for "
                f"{interval_name(series._replace(interval_s=shortest_s))}: keep them under another name"
            )
        if len({one.unit for one in told}) > 1:
            raise Conflict(f"the prices are in several units: {', '.join(sorted({one.unit for one in told}))}")
        return keep_prices(view, series, [price for one in told for price in one.prices], now_us)
