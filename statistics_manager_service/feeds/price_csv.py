"""Prices of any CSV with a header: named columns for the beginning, the price, and the end where there is one."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.price_units import fault_of_price
from statistics_manager_service.feeds.price_values import Faults, in_order, within, wrong
from statistics_manager_service.feeds.timed_csv import WantedColumns, read_timed_csv
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices

START_COLUMN: Final = "start"
PRICE_COLUMN: Final = "price"


def decode_csv(body: bytes, options: PriceOptions) -> ToldPrices:
    """The prices of a CSV in the unit of the options. Raises BadInput with all faults.

    start_column, column, end_column: names of the columns, `start` and `price` unless told. where: rows of other values
    are passed over. zone: of labels without an offset. interval_s: how long a price holds; the shortest step between
    two rows unless told.
    """
    if not options.unit:
        raise wrong("unit", "the CSV does not tell it; tell one such as EUR/MWh")
    wanted = WantedColumns(
        options.start_column or START_COLUMN, options.column or PRICE_COLUMN, "a price", fault_of_price,
        options.end_column, options.where, options.zone, options.interval_s, options.decimal,
    )  # fmt: skip
    faults = Faults()
    values, notes = read_timed_csv(body, wanted, faults)
    found = [ToldPrice(one.start_us, one.length_us, one.value) for one in values]
    ordered = in_order(within(found, options.start_us, options.end_us), faults)
    faults.raise_any()
    return ToldPrices(options.unit, ordered, options.zone, tuple(notes))
