"""ENTSO-E's day-ahead prices (document type A44): Publication_MarketDocument in XML.

GET /api?documentType=A44&in_Domain=&out_Domain=&periodStart=&periodEnd=&securityToken= answers TimeSeries: each of one
auction, currency and resolution, with Periods of Points `position`, `price.amount`. Several auctions may stand in one
document: contract A01 is the day-ahead market, classification position 1 the coupled auction (SDAC), 2 a local one.
Source: ENTSO-E, Transparency Platform RESTful API user guide (12.1.D).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from xml.etree import ElementTree

from statistics_manager_service.core.units import US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.feeds.bidding_zones import BIDDING_ZONES
from statistics_manager_service.feeds.market_documents import (
    ACKNOWLEDGEMENT,
    BAD_REQUEST,
    check_document,
    check_no_data,
    children,
    curve_of,
    local_name,
    minute,
    read_period,
    reasons,
    root_of,
    text_of,
)
from statistics_manager_service.feeds.price_values import (
    MOST_PRICES,
    Faults,
    in_order,
    shown,
    within,
    wrong,
)
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.services.prices.told_prices import PriceOptions, ToldPrices

_MARKET: Final = "CET"
_DOCUMENT: Final = "Publication_MarketDocument"
_WANTED: Final = "a Publication_MarketDocument of ENTSO-E (A44)"
_DAY_AHEAD: Final = "A01"
_COUPLED: Final = "1"
_EIC: Final = re.compile(r"[0-9A-Z-]{16}", re.ASCII)
#: Days of one request: a document holds up to 100 TimeSeries, of which a day may need three.
_DAYS_AT_ONCE: Final = 30
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class _Auction:
    """A TimeSeries: what it is of, and its prices."""

    where: str
    zone: str
    contract: str
    position: str
    currency: str
    length_us: int
    prices: list[ToldPrice]

    @property
    def span_us(self) -> tuple[int, int]:
        return self.prices[0].start_us, self.prices[-1].start_us + self.prices[-1].length_us

    def meets(self, other: _Auction) -> bool:
        """Whether both tell of one time."""
        (begin, end), (others_begin, others_end) = self.span_us, other.span_us
        return begin < others_end and others_begin < end


def decode_a44(body: bytes, options: PriceOptions) -> ToldPrices:
    """The day-ahead prices of a document. Raises BadInput with all faults; for an acknowledgement, with its reasons.

    unit: chooses the currency where there are several. column: chooses the zone, by name or code. interval_s: chooses
    the resolution where two tell of one time.
    """
    root = root_of(body, _WANTED)
    if local_name(root) == ACKNOWLEDGEMENT:
        raise BadInput.of([Fault("Reason", f"there are no prices, but the answer: {one}") for one in reasons(root)])
    check_document(root, _DOCUMENT, "A44", _WANTED)
    told, notes = _auctions(root)
    return _as_told(told, notes, options)


def _as_told(told: Sequence[_Auction], notes: list[str], options: PriceOptions) -> ToldPrices:
    """The prices of those TimeSeries that are wanted. Raises BadInput."""
    faults = Faults()
    chosen = _chosen(told, options, notes)
    prices = in_order((price for one in chosen for price in one.prices), faults)
    faults.raise_any()
    unit = f"{chosen[0].currency}/MWh"
    return ToldPrices(unit, within(prices, options.start_us, options.end_us), _MARKET, tuple(notes))


# --- TimeSeries -------------------------------------------------------------------------------------------------------


def _auctions(root: ElementTree.Element) -> tuple[list[_Auction], list[str]]:
    """The TimeSeries of a document, and notes of prices that it does not tell. Raises BadInput with all faults."""
    faults, notes, found, count = Faults(), list[str](), [], 0
    for i, element in enumerate(children(root, "TimeSeries"), 1):
        one = _auction(element, f"TimeSeries[{i}]", faults, notes)
        if one is not None:
            found.append(one)
            count += len(one.prices)
        if count > MOST_PRICES:
            raise wrong(f"TimeSeries[{i}]", f"the document tells more than {MOST_PRICES} prices")
    faults.raise_any()
    return found, notes


def _auction(element: ElementTree.Element, where: str, faults: Faults, notes: list[str]) -> _Auction | None:
    """A TimeSeries, None where nothing of it can be used."""
    measure, currency = text_of(element, "price_Measure_Unit.name"), text_of(element, "currency_Unit.name")
    if measure not in ("MWH", ""):
        faults.add(f"{where}/price_Measure_Unit.name", f"{shown(measure)} is not read; MWH is")
    if re.fullmatch("[A-Z]{3}", currency) is None:
        faults.add(f"{where}/currency_Unit.name", f"{shown(currency)} is no currency such as EUR")
    curve = curve_of(element, where, faults)
    if curve is None:
        return None
    prices: list[ToldPrice] = []
    lengths = set()
    for i, period in enumerate(children(element, "Period"), 1):
        found = _period(period, f"{where}/Period[{i}]", curve, faults, notes)
        lengths |= {one.length_us for one in found}
        prices += found
        if len(prices) > MOST_PRICES:
            break  # and the document is refused
    if len(lengths) > 1:
        faults.add(where, "its Periods have several resolutions")
    if not prices:
        return None
    return _Auction(
        where,
        text_of(element, "in_Domain.mRID"),
        text_of(element, "contract_MarketAgreement.type"),
        text_of(element, "classificationSequence_AttributeInstanceComponent.position"),
        currency,
        prices[0].length_us,
        sorted(prices, key=lambda one: one.start_us),
    )


def _period(element: ElementTree.Element, where: str, curve: str, faults: Faults, notes: list[str]) -> list[ToldPrice]:
    """The prices of a Period."""
    told = read_period(element, where, curve, "price.amount", faults)
    if told is None:
        return []
    if len(told.values) < told.count and not faults:
        notes.append(f"{where}: {told.count - len(told.values)} of {told.count} prices are not told")
    return [
        ToldPrice(told.start_us + (n - 1) * told.length_us, told.length_us, value)
        for n, value in sorted(told.values.items())
    ]


# --- which TimeSeries count -------------------------------------------------------------------------------------------


def _chosen(told: Sequence[_Auction], options: PriceOptions, notes: list[str]) -> list[_Auction]:
    """Those TimeSeries of the day-ahead market that are wanted. Raises BadInput where none is, or a choice lacks."""
    found = [one for one in told if one.contract in (_DAY_AHEAD, "")]
    coupled = [one for one in found if one.position == _COUPLED]
    found = [
        one
        for one in found
        if one.position == _COUPLED or (not one.position and not any(one.meets(other) for other in coupled))
    ]
    if len(found) < len(told):
        notes.append(f"{len(told) - len(found)} of {len(told)} TimeSeries are left out: of other auctions")
    if not found:
        raise wrong("TimeSeries", "none of them tells prices of the day-ahead auction (contract A01, position 1)")
    zone = options.column and BIDDING_ZONES.get(options.column.upper(), options.column)
    found = _of_one(found, [one.zone for one in found], zone, "in_Domain.mRID", "zone")
    currency = options.unit and _currency_of(options.unit)
    found = _of_one(found, [one.currency for one in found], currency, "currency_Unit.name", "currency, by the unit")
    lengths = {one.length_us for one in found}
    if options.interval_s is None:
        if any(a.length_us < b.length_us and a.meets(b) for a in found for b in found):
            raise wrong("resolution", "two resolutions tell of one time; tell which interval is wanted")
        return found
    wanted_us = options.interval_s * US_PER_S
    if wanted_us not in lengths:
        raise wrong("resolution", "no TimeSeries has the interval that is wanted")
    return [one for one in found if one.length_us == wanted_us]


def _of_one(found: list[_Auction], told: list[str], wanted: str | None, where: str, what: str) -> list[_Auction]:
    """Those of one zone or currency. Raises BadInput."""
    there = ", ".join(sorted(set(told)))[:_SHOWN]
    if wanted is None and len(set(told)) > 1:
        raise wrong(where, f"there are several; tell which {what}: {there}")
    if wanted is not None and wanted not in told:
        raise wrong(where, f"there is no {shown(wanted)}; there is: {there}")
    return [one for one, name in zip(found, told, strict=True) if wanted in (None, name)]


def _currency_of(unit: str) -> str:
    """The currency of a unit per MWh. Raises BadInput."""
    currency, _, measure = unit.partition("/")
    if measure != "MWh":
        raise wrong("unit", f"ENTSO-E tells prices per MWh, such as EUR/MWh, not {shown(unit)}")
    return currency


# --- fetching ---------------------------------------------------------------------------------------------------------


class Entsoe:
    """Asks ENTSO-E's platform.

    url: of the API, whole or on the upstream's host. token: each request bears it in its query, so no URL of a request
    is ever shown.
    """

    def __init__(self, upstream: Upstream, url: str, token: str) -> None:
        self._upstream, self._url, self._token = upstream, url, token

    def fetch(self, zone: str, options: PriceOptions, start_us: int, end_us: int) -> Iterator[ToldPrices]:
        """The prices of a zone, by name or code, month by month; where none are known, a note alone.

        Raises BadInput for an unknown zone; Unavailable, also where the answer is nonsense; Declined.
        """
        eic = BIDDING_ZONES.get(zone.upper(), zone)
        if _EIC.fullmatch(eic) is None:
            names = ", ".join(BIDDING_ZONES)
            raise wrong("zone", f"{shown(zone)} is neither an EIC code nor one of: {names}")
        if options.unit is not None:
            _currency_of(options.unit)
        for begin_us in range(start_us, end_us, _DAYS_AT_ONCE * US_PER_DAY):
            stop_us = min(begin_us + _DAYS_AT_ONCE * US_PER_DAY, end_us)
            yield self._part(eic, replace(options, start_us=begin_us, end_us=stop_us), begin_us, stop_us)

    def _part(self, eic: str, options: PriceOptions, start_us: int, end_us: int) -> ToldPrices:
        query: dict[str, Any] = {
            "securityToken": self._token, "documentType": "A44", "in_Domain": eic, "out_Domain": eic,
            "contract_MarketAgreement.type": _DAY_AHEAD, "periodStart": minute(start_us), "periodEnd": minute(end_us),
        }  # fmt: skip
        body, name = self._upstream.get_bytes(self._url, query, answers=(BAD_REQUEST,)), self._upstream.name
        try:
            root = root_of(body, _WANTED)
            if local_name(root) == ACKNOWLEDGEMENT:
                check_no_data(root, name)
                note = f"{minute(start_us)} to {minute(end_us)} UTC: {name} has no prices (yet)"
                return ToldPrices(options.unit or "EUR/MWh", [], _MARKET, (note,))
            told, notes = _auctions(root)
        except BadInput as error:
            raise nonsense(name, error.sentence) from error
        return _as_told(told, notes, options)  # a choice that lacks is the caller's fault
