"""The forms of files that prices are read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statistics_manager_service.feeds.entsoe import decode_a44
from statistics_manager_service.feeds.esios import decode_esios
from statistics_manager_service.feeds.octopus import decode_agile_csv, decode_rates
from statistics_manager_service.feeds.omie import decode_day
from statistics_manager_service.feeds.price_csv import decode_csv
from statistics_manager_service.services.told_prices import PriceOptions, ToldPrices


@dataclass(frozen=True, slots=True)
class PriceFormat:
    """A form of file. options: those of the caller that it heeds, beside from when to when prices are wanted."""

    read: Callable[[bytes, PriceOptions], ToldPrices]
    about: str
    options: tuple[str, ...]


PRICE_FORMATS: Final = {
    "octopus": PriceFormat(decode_rates, "a page of Octopus's unit rates, JSON", ("with_vat", "payment_method")),
    "octopus-csv": PriceFormat(decode_agile_csv, "Agile's history, CSV without a header", ("column",)),
    "omie": PriceFormat(decode_day, "OMIE's day files: marginalpdbc_…, PrecioMD…", ("country",)),
    "entsoe": PriceFormat(decode_a44, "ENTSO-E's day-ahead prices (A44), XML", ("unit", "column", "interval_s")),
    "esios": PriceFormat(decode_esios, "ESIOS's PVPC or an indicator, JSON", ("column", "unit")),
    "csv": PriceFormat(
        decode_csv,
        "any CSV with a header",
        ("unit", "zone", "column", "start_column", "end_column", "where", "interval_s", "decimal"),
    ),
}
