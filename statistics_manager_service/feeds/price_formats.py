"""The forms of files that prices are read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statistics_manager_service.core.units import QUARTER_S
from statistics_manager_service.feeds.entsoe import decode_a44
from statistics_manager_service.feeds.esios import decode_esios
from statistics_manager_service.feeds.octopus import decode_agile_csv, decode_rates
from statistics_manager_service.feeds.omie import decode_day
from statistics_manager_service.feeds.price_csv import decode_csv
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices


@dataclass(frozen=True, slots=True)
class PriceFormat:
    """A form of file.

    options: those of the caller that it heeds, beside from when to when prices are wanted. interval_s: of a new series,
    where the market's prices have become shorter in time; the shortest of the file's unless told. source: who tells.
    """

    read: Callable[[bytes, PriceOptions], ToldPrices]
    about: str
    options: tuple[str, ...]
    interval_s: int | None = None
    source: str | None = None


PRICE_FORMATS: Final = {
    "octopus": PriceFormat(
        decode_rates, "a page of Octopus's unit rates, JSON", ("with_vat", "payment_method"), source="Octopus Energy"
    ),
    "octopus-csv": PriceFormat(
        decode_agile_csv, "Agile's history, CSV without a header", ("column",), source="Octopus Energy"
    ),
    "omie": PriceFormat(decode_day, "OMIE's day files: marginalpdbc_…, PrecioMD…", ("country",), QUARTER_S, "OMIE"),
    "entsoe": PriceFormat(
        decode_a44, "ENTSO-E's day-ahead prices (A44), XML", ("unit", "column", "interval_s"), QUARTER_S, "ENTSO-E"
    ),
    "esios": PriceFormat(
        decode_esios, "ESIOS's PVPC or an indicator, JSON", ("column", "unit"), source="Red Eléctrica, ESIOS"
    ),
    "csv": PriceFormat(
        decode_csv,
        "any CSV with a header",
        ("unit", "zone", "column", "start_column", "end_column", "where", "interval_s", "decimal"),
    ),
}
