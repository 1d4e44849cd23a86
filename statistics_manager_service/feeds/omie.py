"""OMIE's day files of the Iberian day-ahead market: prices of Portugal and Spain in EUR/MWh.

Two forms. `marginalpdbc_20240115.1` begins with `MARGINALPDBC;`; a line is `year;month;day;period;Portugal;Spain;`,
and the last one `*`. The older table (`PrecioMD…`, `INT_PBC_EV_H_…`) has the market's day in its first
line, a line of periods `;1;2;3;…` (or `;H1Q1;H1Q2;…`), and a line of prices for each country, with a decimal comma.

The market's day is one of Madrid's clock, in both countries: period 1 is 23:00 to 24:00 of the day before in Lisbon.
Periods are hours (23 or 25 where the clock changes), of 15 minutes from 2025-10-01 on (92, 96 or 100).
Source: https://www.omie.es/en/file-access-list, and its document on the formats of public files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_HOUR, US_PER_HOUR
from statistics_manager_service.core.zones import FIRST_YEAR, LAST_YEAR
from statistics_manager_service.errors import BadInput, Declined
from statistics_manager_service.feeds.price_values import (
    Faults,
    days_of,
    in_order,
    refuse_web_page,
    shown,
    value_of_text,
    within,
    wrong,
)
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices

UNIT: Final = "EUR/MWh"
ZONE: Final = "Europe/Madrid"
_MARKET: Final = "CET"
#: Of each country: its place in a line of MARGINALPDBC, and the word in the name of its row of a table.
COUNTRIES: Final = {"pt": (4, "portugu"), "es": (5, "espa")}
_MARGINAL, _TABLE, _END = "MARGINALPDBC", "OMIE", "*"
_PRICE_ROW: Final = "precio marginal"
_DAY: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})", re.ASCII)
_PERIOD: Final = re.compile(r"(\d{1,3})|H(\d{1,2})Q([1-4])", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,4}", re.ASCII)
_WANTED: Final = "a day file of OMIE, which begins with MARGINALPDBC; or with OMIE"
_MOST_NAMED: Final = 10
#: The prices of each period of a day.
Days = dict[date, dict[int, Decimal]]


def decode_day(body: bytes, options: PriceOptions) -> ToldPrices:
    """The prices of a file's days in one country, `pt` or `es`. Raises BadInput with all faults."""
    refuse_web_page(body, _WANTED)
    country = (options.country or "").lower()
    if country not in COUNTRIES:
        raise wrong("country", "OMIE tells prices of two countries; tell which: pt or es")
    faults, days = Faults(), {}
    lines = [[cell.strip() for cell in line.split(";")] for line in _text(body).splitlines()]
    title = next((cells[0] for cells in lines if any(cells)), "")
    if title.startswith(_MARGINAL):
        days = _days_of_marginal(lines, COUNTRIES[country][0], faults)
    elif title.startswith(_TABLE):
        days = _days_of_table(lines, COUNTRIES[country][1], faults)
    else:
        raise wrong("line 1", f"the file begins with {shown(title)}; wanted is {_WANTED}")
    found = [price for day, periods in days.items() for price in _prices_of_day(day, periods, faults)]
    if not days and not faults:
        faults.add("body", "it holds no prices; was it cut off?")
    ordered = in_order(within(found, options.start_us, options.end_us), faults)
    faults.raise_any()
    return ToldPrices(UNIT, ordered, _MARKET)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _days_of_marginal(lines: Sequence[list[str]], place: int, faults: Faults) -> Days:
    """The days of a file, or of several behind each other, in the form MARGINALPDBC."""
    days: Days = {}
    for number, cells in enumerate(lines, 1):
        where = f"line {number}"
        if not any(cells) or cells[0] in (_MARGINAL, _END):
            continue
        if len(cells) < 6 or not all(map(_NUMBER.fullmatch, cells[:4])):
            faults.add(where, "a line is year;month;day;period;price of Portugal;price of Spain;")
            continue
        year, month, day, period = map(int, cells[:4])
        on = _date(year, month, day, where, faults)
        value = value_of_text(cells[place], "comma" if "," in cells[place] else "point", where, faults)
        if on is not None and value is not None:
            _put(days.setdefault(on, {}), period, value, where, faults)
    return days


def _days_of_table(lines: Sequence[list[str]], word: str, faults: Faults) -> Days:
    """The day of a table."""
    heads = [match for match in map(_DAY.fullmatch, next(cells for cells in lines if any(cells))) if match]
    if len(heads) != 1:
        raise wrong("line 1", "the market's day, such as 30/10/2022, is missing")
    day, month, year = map(int, heads[0].groups())
    on = _date(year, month, day, "line 1", faults)
    periods = next((found for cells in lines if (found := _periods(cells))), None)
    if periods is None:
        raise wrong("body", "the line of periods, ;1;2;3;… or ;H1Q1;H1Q2;…, is missing")
    rows = [(i, cells) for i, cells in enumerate(lines, 1) if cells[0].lower().startswith(_PRICE_ROW)]
    number, cells = next(((i, one) for i, one in rows if word in one[0].lower()), (0, [""]))
    if not number:
        raise wrong("body", "the line of the country's prices is missing; was the file cut off?")
    if UNIT.lower() not in cells[0].lower():
        raise wrong(f"line {number}", f"the prices are told in another unit than {UNIT}: {shown(cells[0])}")
    told: dict[int, Decimal] = {}
    for period, cell in zip(periods, cells[1 : len(periods) + 1], strict=False):
        value = value_of_text(cell, "comma", f"line {number}, period {period}", faults) if cell else None
        if value is not None:
            _put(told, period, value, f"line {number}", faults)
    return {} if on is None else {on: told}


def _periods(cells: Sequence[str]) -> list[int] | None:
    """The numbers of the periods in a table's header; None where a line is none."""
    names = [cell for cell in cells if cell]
    matches = [_PERIOD.fullmatch(name) for name in names]
    if cells[0] or len(names) < 2:
        return None
    found = []
    for match in matches:
        if match is None:
            return None
        whole, hour, quarter = match.groups()
        found.append(int(whole) if whole else (int(hour) - 1) * QUARTERS_PER_HOUR + int(quarter))
    return found


def _date(year: int, month: int, day: int, where: str, faults: Faults) -> date | None:
    try:
        on = date(year, month, day)
    except ValueError:
        faults.add(where, f"{year}-{month}-{day} is no date")
        return None
    if not FIRST_YEAR <= year < LAST_YEAR:
        faults.add(where, f"{on} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
        return None
    return on


def _put(periods: dict[int, Decimal], period: int, value: Decimal, where: str, faults: Faults) -> None:
    if periods.setdefault(period, value) != value:
        faults.add(where, f"period {period} is told twice, {periods[period]} and {value}")


def _prices_of_day(day: date, periods: dict[int, Decimal], faults: Faults) -> list[ToldPrice]:
    """The prices of a market day, whose periods must be all of its hours or all of its quarter-hours."""
    start_us, end_us = midnight_us(ZONE, day), midnight_us(ZONE, day + timedelta(days=1))
    hours = (end_us - start_us) // US_PER_HOUR
    last = max(periods, default=0)
    is_hourly = last <= hours + 2
    count = hours if is_hourly else hours * QUARTERS_PER_HOUR
    if last > count or 0 in periods:
        faults.add(str(day), f"it has periods up to {last}; that day has {hours} hours, so {hours} or {hours * 4}")
        return []
    missing = [str(one) for one in range(1, count + 1) if one not in periods]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        faults.add(
            str(day), f"of {count} periods these are missing: {', '.join(missing[:_MOST_NAMED])}{more}; was it cut off?"
        )
        return []
    length_us = US_PER_HOUR if is_hourly else QUARTER_US
    return [ToldPrice(start_us + (n - 1) * length_us, length_us, periods[n]) for n in range(1, count + 1)]


# --- fetching ---------------------------------------------------------------------------------------------------------


class Omie:
    """Fetches day files from OMIE, which needs no token."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def fetch(self, options: PriceOptions, start_us: int, end_us: int) -> Iterator[ToldPrices]:
        """The prices of a country, market day by market day; of one that is not published a note alone.

        Raises BadInput without a country; Unavailable, also where the answer is nonsense; Declined.
        """
        for day in days_of(ZONE, start_us, end_us):
            yield self._day(day, options)

    def _day(self, day: date, options: PriceOptions) -> ToldPrices:
        query = {"parents": "marginalpdbc", "filename": f"marginalpdbc_{day:%Y%m%d}.1"}
        try:
            body = self._upstream.get_bytes("/es/file-download", query)
        except Declined as error:
            if error.answered != 404:
                raise
            return ToldPrices(UNIT, [], _MARKET, (f"{day}: OMIE has published nothing (yet)",))
        try:
            return decode_day(body, options)
        except BadInput as error:
            if options.country not in COUNTRIES:
                raise
            raise nonsense(self._upstream.name, error.sentence) from error
