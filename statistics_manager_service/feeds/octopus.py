"""Octopus Energy's unit rates: the JSON of its API, and the CSV in which the history of Agile is passed around.

GET /v1/products/{product}/electricity-tariffs/{tariff}/standard-unit-rates/?period_from=&period_to=&page_size= answers
`{count, next, previous, results: [{value_exc_vat, value_inc_vat, valid_from, valid_to, payment_method}]}`, newest
first, in pence per kWh; `valid_to` is null where a rate holds until further notice, `payment_method` where it is for
all. Source: https://developer.octopus.energy/rest/guides/endpoints.

The CSV has no header: UTC start, local hh:mm, letter of the region, name of the region, pence per kWh with VAT.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import numpy as np

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_MINUTE, US_PER_DAY, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.price_values import (
    HALF_HOUR_US,
    MOST_PRICES,
    Faults,
    beginning,
    exact_json,
    in_order,
    refuse_web_page,
    shown,
    value_of_number,
    value_of_text,
    within,
    wrong,
)
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices

UNIT: Final = "GBp/kWh"
ZONE: Final = "Europe/London"
DIRECT_DEBIT: Final = "DIRECT_DEBIT"
_PAGE_SIZE: Final = 1_500
#: Half-hours of more than twenty years fit on them.
_MOST_PAGES: Final = 300
_TARIFF: Final = re.compile(r"[EG]-[12]R-([A-Z0-9][A-Z0-9-]*)-[A-P]", re.ASCII)
_WANTED: Final = "JSON of Octopus's unit rates"
_CSV_CELLS: Final = 5
_LONGEST_US: Final = MOST_PRICES * HALF_HOUR_US
#: Which rates of a tariff: of one register, or of the two of Economy 7.
RATES: Final = ("standard", "day", "night")


def decode_rates(body: bytes, options: PriceOptions) -> ToldPrices:
    """The rates of a page, cut into half-hours between `start_us` and `end_us`. Raises BadInput with all faults.

    with_vat: which of the two values. payment_method: whose rates, where they differ by it; DIRECT_DEBIT unless told.
    """
    told = exact_json(body, _WANTED)
    notes = []
    if isinstance(told, dict):
        if told.get("next"):
            notes.append("the file is one page of several: its `next` names another one")
        told = told.get("results")
    if not isinstance(told, list):
        raise wrong("results", f"it is missing, or no list; wanted is {_WANTED}")
    return ToldPrices(UNIT, _prices(told, options), ZONE, tuple(notes))


def _prices(results: Sequence[Any], options: PriceOptions) -> list[ToldPrice]:
    """Rates as half-hours. Raises BadInput."""
    faults, found = Faults(), []
    method = options.payment_method or _usual_method(results)
    for i, one in enumerate(results):
        where = f"results[{i}]"
        if not isinstance(one, dict):
            faults.add(where, "it is no rate with value_inc_vat, valid_from, valid_to")
            continue
        if method is not None and one.get("payment_method") not in (None, method):
            continue
        found += _half_hours(one, where, options, faults)
        if len(found) > MOST_PRICES:
            raise wrong(where, "the rates hold for more than 40 years; tell from when to when they are wanted")
    ordered = in_order(found, faults)
    faults.raise_any()
    return ordered


def _usual_method(results: Sequence[Any]) -> str | None:
    is_told = any(isinstance(one, dict) and one.get("payment_method") == DIRECT_DEBIT for one in results)
    return DIRECT_DEBIT if is_told else None


def _half_hours(rate: dict[str, Any], where: str, options: PriceOptions, faults: Faults) -> list[ToldPrice]:
    """The half-hours that a rate holds for, within the bounds."""
    name = "value_inc_vat" if options.with_vat else "value_exc_vat"
    value = value_of_number(rate.get(name), f"{where}.{name}", faults)
    begin_us = _edge_us(rate, "valid_from", options.start_us, where, faults)
    end_us = _edge_us(rate, "valid_to", options.end_us, where, faults)
    if value is None or begin_us is None or end_us is None:
        return []
    if end_us <= begin_us and None not in (rate.get("valid_from"), rate.get("valid_to")):
        faults.add(f"{where}.valid_to", f"{shown(rate['valid_to'])} is not after valid_from")
        return []
    begin_us = begin_us if options.start_us is None else max(begin_us, options.start_us)
    end_us = end_us if options.end_us is None else min(end_us, options.end_us)
    if end_us - begin_us > _LONGEST_US:
        faults.add(where, "the rate holds for more than 40 years; tell between which instants it is wanted")
        return []
    first_us = -(-begin_us // HALF_HOUR_US) * HALF_HOUR_US
    return [ToldPrice(at_us, HALF_HOUR_US, value) for at_us in range(first_us, end_us, HALF_HOUR_US)]


def _edge_us(rate: dict[str, Any], member: str, bound_us: int | None, where: str, faults: Faults) -> int | None:
    """The instant at which a rate begins or ends; null is the bound of what is wanted."""
    told = rate.get(member)
    if told is None:
        if bound_us is None:
            side = "start" if member == "valid_from" else "end"
            faults.add(f"{where}.{member}", f"the rate is without one; tell the {side} of what is wanted")
        return bound_us
    at_us = beginning(told, f"{where}.{member}", faults)
    if at_us is not None and at_us % HALF_HOUR_US:
        faults.add(f"{where}.{member}", f"{shown(told)} is not at a whole half-hour")
        return None
    return at_us


# --- the CSV ----------------------------------------------------------------------------------------------------------


def decode_agile_csv(body: bytes, options: PriceOptions) -> ToldPrices:
    """The rows of a CSV, of one region: `column` chooses it by its letter where there are several.

    The local clock of each row is checked against its instant. Raises BadInput with all faults.
    """
    refuse_web_page(body, "the CSV of Agile")
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise wrong("body", f"this is no CSV of text in UTF-8: {error}") from error
    faults, found = Faults(), []
    labels: list[tuple[int, str, str]] = []
    regions: dict[str, None] = {}
    for number, row in enumerate(rows, 1):
        where = f"line {number}"
        if not any(map(str.strip, row)):
            continue
        if len(row) != _CSV_CELLS:
            faults.add(
                where, f"it has {len(row)} cells; five are read: UTC start, local clock, region, its name, price"
            )
            continue
        start, clock, region, _, price = (cell.strip() for cell in row)
        at_us = beginning(start, where, faults)
        value = value_of_text(price, "point", where, faults)
        if at_us is None or value is None:
            continue
        regions[region] = None
        labels.append((at_us, clock, where))
        if options.column in (None, region):
            found.append(ToldPrice(at_us, HALF_HOUR_US, value))
    _check_clocks(labels, faults)
    _check_region(regions, options.column, faults)
    faults.raise_any()
    ordered = in_order(within(found, options.start_us, options.end_us), faults)
    faults.raise_any()
    return ToldPrices(UNIT, ordered, ZONE)


def _check_region(regions: dict[str, None], wanted: str | None, faults: Faults) -> None:
    there = ", ".join(shown(one) for one in list(regions)[:20]) or "none"
    if wanted is not None and wanted not in regions:
        faults.add("column", f"there is no region {shown(wanted)}; there are: {there}")
    elif wanted is None and len(regions) > 1:
        faults.add("column", f"there are several regions; tell which: {there}")


def _check_clocks(labels: Sequence[tuple[int, str, str]], faults: Faults) -> None:
    """A fault for each row whose local clock is not that of its instant: its start would not be UTC."""
    if not labels:
        return
    at_us = np.array([at for at, _, _ in labels], np.int64)
    local_us: Int64 = (at_us + offsets_between(ZONE, int(at_us.min()), int(at_us.max())).at(at_us)) % US_PER_DAY
    for minute, (_, clock, where) in zip((local_us // (S_PER_MINUTE * US_PER_S)).tolist(), labels, strict=True):
        right = f"{minute // 60:02d}:{minute % 60:02d}"
        if clock != right:
            faults.add(where, f"the clock of {ZONE} shows {right} then, not {shown(clock)}; is the start in UTC?")


# --- fetching ---------------------------------------------------------------------------------------------------------


class Octopus:
    """Asks Octopus's API, which needs no token for rates."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def fetch(self, tariff: str, options: PriceOptions, rates: str = "standard") -> ToldPrices:
        """The rates of a tariff, such as E-1R-AGILE-24-10-01-C, between the instants of the options.

        Raises BadInput where the tariff has no such form; Unavailable, also where the answer is nonsense; Declined.
        """
        match = _TARIFF.fullmatch(tariff)
        if match is None:
            raise wrong("tariff", f"{shown(tariff)} is no code of a tariff such as E-1R-AGILE-24-10-01-C")
        if rates not in RATES:
            raise wrong("rates", f"{shown(rates)} is none of {', '.join(RATES)}")
        path = f"/v1/products/{match[1]}/electricity-tariffs/{tariff}/{rates}-unit-rates/"
        results = [one for page in self._pages(path, options) for one in page]
        try:
            prices = _prices(results, options)
        except BadInput as error:
            raise nonsense(self._upstream.name, error.sentence) from error
        return ToldPrices(UNIT, prices, ZONE)

    def _pages(self, path: str, options: PriceOptions) -> Iterator[list[Any]]:
        """The results of each page. Raises Unavailable, Declined."""
        query: dict[str, Any] = {"page_size": _PAGE_SIZE}
        for name, at_us in (("period_from", options.start_us), ("period_to", options.end_us)):
            if at_us is not None:
                query[name] = iso_label(at_us)
        url, name = path, self._upstream.name
        seen = set()
        for _ in range(_MOST_PAGES):
            told = self._page(url, query)
            yield told["results"]
            if not told.get("next"):
                return
            url, query = self._next(told["next"])
            if told["next"] in seen:
                raise nonsense(name, "its pages go round in a circle")
            seen.add(told["next"])
        raise nonsense(name, f"more than {_MOST_PAGES} pages")

    def _page(self, url: str, query: dict[str, Any]) -> dict[str, Any]:
        try:
            told = exact_json(self._upstream.get_bytes(url, query), _WANTED)
        except BadInput as error:
            raise nonsense(self._upstream.name, error.sentence) from error
        if not isinstance(told, dict) or not isinstance(told.get("results"), list):
            raise nonsense(self._upstream.name, f"wanted is {_WANTED}")
        return told

    def _next(self, told: Any) -> tuple[str, dict[str, Any]]:
        """A page that the one before it names: its path and query, on the host that was asked. Raises Unavailable."""
        try:
            url = urlsplit(urljoin("https://host/", told if isinstance(told, str) else ""))
        except ValueError as error:
            raise nonsense(self._upstream.name, "next is no URL") from error
        if not url.path.startswith("/v1/products/"):
            raise nonsense(self._upstream.name, "next leads to no rates")
        return url.path, dict(parse_qsl(url.query, keep_blank_values=True))
