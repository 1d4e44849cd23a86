"""ESIOS, Red Eléctrica's information system: the Spanish regulated price PVPC and other indicators, in EUR/MWh.

GET /archives/70/download_json?date= answers a day's `{PVPC: [{Dia: 31/10/2021, Hora: 00-01, PCB: 171,48, CYM: …}]}`
without a token: PCB is for the peninsula, the Canaries and the Balearics, CYM for Ceuta and Melilla; hours are counted
on through the day, up to `22-23` or `24-25` where the clock changes.
GET /indicators/{number} with the header `x-api-key` answers `{indicator: {id, name, values: [{value, datetime, geo_id,
geo_name}]}}`: 1001 is PVPC, 1739 the price of surplus. Its `datetime_utc` is wrong in the repeated hour of autumn, its
`datetime`, with an offset, is right. Source: https://api.esios.ree.es/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import US_PER_DAY, US_PER_HOUR
from statistics_manager_service.core.zones import FIRST_YEAR, LAST_YEAR
from statistics_manager_service.errors import BadInput, Declined
from statistics_manager_service.feeds.price_values import (
    Faults,
    beginning,
    days_of,
    exact_json,
    in_order,
    shown,
    step_us,
    value_of_number,
    value_of_text,
    within,
    wrong,
)
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices

UNIT: Final = "EUR/MWh"
ZONE: Final = "Europe/Madrid"
PVPC, SURPLUS = 1001, 1739
_PENINSULA: Final = "8741"
_PVPC_COLUMN: Final = "PCB"
#: The columns of the archive that tell prices; None: the first.
_PVPC_COLUMNS: Final = (None, _PVPC_COLUMN, "CYM")
_WANTED: Final = "JSON of ESIOS with `PVPC` or `indicator`"
_DAY: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})", re.ASCII)
_HOUR: Final = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
#: The hour that is skipped in spring, if hours are named by the clock there.
_SKIPPED_HOUR: Final = 2
_DAYS_AT_ONCE: Final = 30
_SHOWN: Final = 300


def decode_esios(body: bytes, options: PriceOptions) -> ToldPrices:
    """The prices of either form. Raises BadInput with all faults.

    column: of PVPC the member (PCB unless told); of an indicator the place, by `geo_id` or `geo_name` (the peninsula
    unless told).
    """
    told = exact_json(body, _WANTED)
    if isinstance(told, dict) and isinstance(told.get("PVPC"), list):
        prices = _pvpc(told["PVPC"], options.column or _PVPC_COLUMN)
    elif isinstance(told, dict) and isinstance(told.get("indicator"), dict):
        prices = _indicator(told["indicator"], options.column)
    else:
        text = told.get("message") if isinstance(told, dict) else None
        raise wrong("body", f"wanted is {_WANTED}" + (f"; it says: {shown(text)}" if text else ""))
    return ToldPrices(options.unit or UNIT, within(prices, options.start_us, options.end_us), ZONE)


# --- the archive of PVPC ----------------------------------------------------------------------------------------------


def _pvpc(rows: Sequence[Any], column: str) -> list[ToldPrice]:
    """A member of the rows as prices. Raises BadInput."""
    faults, days = Faults(), dict[date, dict[int, Decimal]]()
    for i, row in enumerate(rows):
        where = f"PVPC[{i}]"
        if not isinstance(row, dict):
            faults.add(where, "it is no object with Dia, Hora and prices")
            continue
        on = _day(row.get("Dia"), f"{where}.Dia", faults)
        hour = _HOUR.fullmatch(str(row.get("Hora")))
        if hour is None or int(hour[2]) != int(hour[1]) + 1:
            faults.add(f"{where}.Hora", f"{shown(row.get('Hora'))} is no hour such as 00-01")
        if column not in row:
            faults.add(f"{where}.{column[:40]}", f"it is missing; there are: {', '.join(row)[:_SHOWN]}")
            continue
        value = value_of_text(row[column], "comma", f"{where}.{column}", faults)
        if on is None or hour is None or value is None:
            continue
        if days.setdefault(on, {}).setdefault(int(hour[1]), value) != value:
            faults.add(f"{where}.Hora", f"the hour {hour[0]} of {on} is told twice, with two prices")
    if not rows:
        faults.add("PVPC", "it is empty")
    found = [] if faults else [price for on, hours in days.items() for price in _hours_of_day(on, hours, faults)]
    faults.raise_any()
    return in_order(found, faults)


def _day(told: Any, where: str, faults: Faults) -> date | None:
    match = _DAY.fullmatch(str(told))
    try:
        on = date(int(match[3]), int(match[2]), int(match[1])) if match else None
    except ValueError:
        on = None
    if on is None or not FIRST_YEAR <= on.year < LAST_YEAR:
        faults.add(where, f"{shown(told)} is no date such as 31/10/2021")
        return None
    return on


def _hours_of_day(on: date, hours: Mapping[int, Decimal], faults: Faults) -> list[ToldPrice]:
    """The prices of a civil day, all of whose hours must be there."""
    start_us, end_us = midnight_us(ZONE, on), midnight_us(ZONE, on + timedelta(days=1))
    count = (end_us - start_us) // US_PER_HOUR
    by_clock = [one for one in range(count + 1) if one != _SKIPPED_HOUR]
    if sorted(hours) not in (list(range(count)), by_clock if count < 24 else None):
        missing = [f"{one:02d}-{one + 1:02d}" for one in range(count) if one not in hours]
        named = f", without {', '.join(missing[:5])}" if missing else ""
        faults.add(str(on), f"it has {len(hours)} hours{named}, where that day has {count}; was it cut off?")
        return []
    values = [hours[one] for one in sorted(hours)]
    return [ToldPrice(start_us + n * US_PER_HOUR, US_PER_HOUR, value) for n, value in enumerate(values)]


# --- indicators -------------------------------------------------------------------------------------------------------


def _indicator(told: Mapping[str, Any], place: str | None) -> list[ToldPrice]:
    """The values of an indicator at a place as prices. Raises BadInput."""
    values = told.get("values")
    if not isinstance(values, list):
        raise wrong("indicator.values", "it is missing, or no list")
    faults = Faults()
    rows = [(i, one) for i, one in enumerate(values) if isinstance(one, dict)]
    if len(rows) < len(values):
        faults.add("indicator.values", f"{len(values) - len(rows)} of them are no objects with value and datetime")
    wanted = _place_of([one for _, one in rows], place)
    found = []
    for i, one in rows:
        if wanted is not None and str(one.get("geo_id")) != wanted:
            continue
        where = f"indicator.values[{i}]"
        at_us = beginning(one.get("datetime"), f"{where}.datetime", faults, ZONE)
        value = value_of_number(one.get("value"), f"{where}.value", faults)
        if at_us is not None and value is not None:
            found.append((at_us, value))
    length_us = step_us([at_us for at_us, _ in found], "indicator.values", faults)
    ordered = in_order([ToldPrice(at_us, length_us, value) for at_us, value in found], faults)
    faults.raise_any()
    return ordered


def _place_of(rows: Sequence[Mapping[str, Any]], place: str | None) -> str | None:
    """The geo_id of the place that is wanted; None where none is told anyway. Raises BadInput where it is not there."""
    there = {str(one["geo_id"]): str(one.get("geo_name", "")) for one in rows if "geo_id" in one}
    named = ", ".join(f"{number} ({name})" for number, name in there.items())[:_SHOWN] or "none"
    if place is not None:
        number = next((id for id, name in there.items() if place.casefold() in (id, name.casefold())), None)
        if number is None:
            raise wrong("column", f"there is no place {shown(place)}; there are: {named}")
        return number
    if len(there) > 1 and _PENINSULA not in there:
        raise wrong("column", f"there are several places; tell which: {named}")
    return _PENINSULA if len(there) > 1 else None


# --- fetching ---------------------------------------------------------------------------------------------------------


class Esios:
    """Asks ESIOS. token: for indicators; PVPC needs none."""

    def __init__(self, upstream: Upstream, token: str | None) -> None:
        self._upstream, self._token = upstream, token

    def fetch(self, indicator: int, options: PriceOptions, start_us: int, end_us: int) -> Iterator[ToldPrices]:
        """PVPC day by day from the archive, or another indicator (or PVPC at one place) month by month.

        Raises BadInput where a token lacks; Unavailable, also where the answer is nonsense; Declined.
        """
        if indicator == PVPC and options.column in _PVPC_COLUMNS:
            for day in days_of(ZONE, start_us, end_us):
                yield self._archived(day, options)
            return
        if self._token is None:
            raise wrong("token", f"ESIOS tells indicator {indicator} to those alone who have a token: set ESIOS_TOKEN")
        for begin_us in range(start_us, end_us, _DAYS_AT_ONCE * US_PER_DAY):
            stop_us = min(begin_us + _DAYS_AT_ONCE * US_PER_DAY, end_us)
            query = {"start_date": iso_label(begin_us), "end_date": iso_label(stop_us)}
            part = replace(options, start_us=begin_us, end_us=stop_us)
            yield self._read(f"/indicators/{indicator}", query, part, query["start_date"])

    def _archived(self, day: date, options: PriceOptions) -> ToldPrices:
        query = {"locale": "es", "date": day.isoformat()}
        return self._read("/archives/70/download_json", query, options, day.isoformat())

    def _read(self, path: str, query: Mapping[str, str], options: PriceOptions, what: str) -> ToldPrices:
        none = ToldPrices(options.unit or UNIT, [], ZONE, (f"{what}: ESIOS has no prices (yet)",))
        try:
            body = self._upstream.get_bytes(path, query)
        except Declined as error:
            if error.answered != 404:
                raise
            return none
        try:
            told = exact_json(body, _WANTED)
            if isinstance(told, dict) and set(told) == {"message"}:  # "No values for specified archive"
                return none
            indicator = told.get("indicator") if isinstance(told, dict) else None
            if isinstance(indicator, dict) and indicator.get("values") == []:
                return none
            return decode_esios(body, options)
        except BadInput as error:
            if error.faults[0].where == "column":
                raise
            raise nonsense(self._upstream.name, error.sentence) from error
