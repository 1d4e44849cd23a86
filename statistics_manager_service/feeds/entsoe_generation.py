"""ENTSO-E's actual generation per production type (document type A75, process A16), and the intensity of that mix.

GET /api?documentType=A75&processType=A16&in_Domain=&periodStart=&periodEnd=&securityToken= answers a GL_MarketDocument
of TimeSeries, each of one production type (MktPSRType/psrType) and direction, with Periods of Points `position`,
`quantity` in MW (MAW), the mean of the interval. A TimeSeries with an inBiddingZone is generation; one with an
outBiddingZone is what plants of the type take, such as pumps. Source: ENTSO-E, Transparency Platform RESTful API user
guide (16.1.B&C).

The generation is what was measured, or is told by the operators of the grid as such; so are intensities of it
`measured`. They are those of the zone's own plants (scope production): no exchange with neighbours is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np

from statistics_manager_service.core.carbon import milligrams
from statistics_manager_service.core.generation_mix import mix_intensity
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.errors import BadInput
from statistics_manager_service.feeds.bidding_zones import area_of
from statistics_manager_service.feeds.market_documents import (
    ACKNOWLEDGEMENT,
    BAD_REQUEST,
    Period,
    check_document,
    check_no_data,
    children,
    curve_of,
    local_name,
    minute,
    read_period,
    root_of,
    text_of,
)
from statistics_manager_service.feeds.price_values import MOST_PRICES, Faults, shown, wrong
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, Method
from statistics_manager_service.services.carbon.factors import STORAGE, factor_set, mix_factors
from statistics_manager_service.services.carbon.intensities import ToldIntensity, ToldStretch

_DOCUMENT: Final = "GL_MarketDocument"
_WANTED: Final = "a GL_MarketDocument of ENTSO-E (A75)"
_MEGAWATT: Final = "MAW"
#: No zone of Europe generates as much by one type.
_MOST_MW: Final = 1_000_000
_DAYS_AT_ONCE: Final = 7
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Generation:
    """The generation of an area by quarter-hours.

    types: codes such as B16. power_mw: (t, q) float64, the mean power of each type from first_quarter on, NaN where
    none was told. taken_mw: the same of what plants of the type took. length_us: the shortest interval that was told
    of generation and all Periods keep to. notes: what was decided while it was read, for people.
    """

    types: tuple[str, ...]
    first_quarter: int
    power_mw: Float64
    taken_mw: Float64
    length_us: int
    notes: tuple[str, ...] = ()


_NOTHING: Final = Generation((), 0, np.zeros((0, 0)), np.zeros((0, 0)), US_PER_HOUR)


@dataclass(frozen=True, slots=True)
class _Flow:
    """A TimeSeries: what plants of a type generate, or take."""

    type: str
    is_taken: bool
    periods: list[Period]


def decode_a75(body: bytes, upstream: str = "ENTSO-E") -> Generation:
    """The generation of a document; of an acknowledgement that there are no data, nothing.

    Raises BadInput with all faults; Declined for an acknowledgement of another kind.
    """
    root = root_of(body, _WANTED)
    if local_name(root) == ACKNOWLEDGEMENT:
        check_no_data(root, upstream)
        return _NOTHING
    check_document(root, _DOCUMENT, "A75", _WANTED)
    faults, flows, count = Faults(), list[_Flow](), 0
    for i, element in enumerate(children(root, "TimeSeries"), 1):
        flow = _flow(element, f"TimeSeries[{i}]", faults)
        flows += [] if flow is None else [flow]
        count += sum(one.count for one in flow.periods) if flow else 0
        if count > MOST_PRICES:
            raise wrong(f"TimeSeries[{i}]", f"the document tells more than {MOST_PRICES} values")
    faults.raise_any()
    return _laid_out(flows) if any(one.periods for one in flows) else _NOTHING


def mix_of(generation: Generation, boundary: str) -> list[ToldIntensity]:
    """The intensities of a generation by the shipped factors of a boundary, where they are known. quality names the
    set of factors. Types that have no factor count as unknown ones."""
    name, factors = factor_set(boundary)
    types = mix_factors().production_types.codes
    fuels = [types[one].fuel if one in types else _UNKNOWN for one in generation.types]
    factor = np.array([np.nan if one == STORAGE else factors.factors[one].value for one in fuels])
    value = mix_intensity(generation.power_mw, factor)
    step = generation.length_us // QUARTER_US
    return [
        ToldIntensity(
            (generation.first_quarter + i) * QUARTER_US, generation.length_us, milligrams(value[i]), MEASURED,
            quality=f"{MEASURED}, factors {name}",
        )
        for i in range(-generation.first_quarter % step, len(value), step)
        if np.isfinite(value[i])
    ]  # fmt: skip


# --- the document -----------------------------------------------------------------------------------------------------


def _flow(element: ElementTree.Element, where: str, faults: Faults) -> _Flow | None:
    """A TimeSeries; None, and a fault, where nothing of it can be used."""
    unit, kind = text_of(element, "quantity_Measure_Unit.name"), text_of(element, "MktPSRType", "psrType")
    if unit != _MEGAWATT:
        faults.add(f"{where}/quantity_Measure_Unit.name", f"{shown(unit)} is not read; {_MEGAWATT} is")
    if not kind:
        faults.add(f"{where}/MktPSRType/psrType", "it is not told, so the series is of no production type")
    is_generated = bool(children(element, "inBiddingZone_Domain.mRID"))
    is_taken = bool(children(element, "outBiddingZone_Domain.mRID"))
    if is_generated == is_taken:
        why = "one of inBiddingZone (generation) and outBiddingZone (what is taken) must be told, and not both"
        faults.add(where, why)
    curve = curve_of(element, where, faults)
    if curve is None:
        return None
    periods = [
        read_period(one, f"{where}/Period[{i}]", curve, "quantity", faults)
        for i, one in enumerate(children(element, "Period"), 1)
    ]
    return _Flow(kind, is_taken, [one for one in periods if one is not None])


def _laid_out(flows: list[_Flow]) -> Generation:
    """Flows by quarter-hours. Values that can't be are left out and noted; so are times of two values."""
    periods = [one for flow in flows for one in flow.periods]
    first = min(one.start_us for one in periods) // QUARTER_US
    count = max(one.start_us + one.count * one.length_us for one in periods) // QUARTER_US - first
    types = sorted({one.type for one in flows})
    if count * len(types) > 2 * MOST_PRICES:
        raise wrong("timeInterval", f"the Periods span {count} quarter-hours, more than are read at once")
    power, taken = np.full((2, len(types), count), np.nan)
    odd: dict[str, int] = {}
    for flow in flows:
        row = (taken if flow.is_taken else power)[types.index(flow.type)]
        for one in flow.periods:
            value = _values(one, odd, flow.type)
            begin, size = one.start_us // QUARTER_US - first, one.length_us // QUARTER_US
            place = row[begin : begin + one.count * size]
            told = np.repeat(value, size)
            differs = np.isfinite(place) & np.isfinite(told) & (place != told)
            if differs.any():
                _count(odd, f"{flow.type}: two values of one time, the later one counts", int(differs.sum()))
            place[:] = np.where(np.isfinite(told), told, place)
    strange = [shown(one) for one in types if one not in mix_factors().production_types.codes]
    notes = [f"{why} ({number} times)" for why, number in odd.items()]
    if strange:
        notes.append(f"production types that are not known here count as unknown: {', '.join(strange)}")
    length_us = min((one.length_us for flow in flows if not flow.is_taken for one in flow.periods), default=US_PER_HOUR)
    if any(one.start_us % length_us for one in periods):
        length_us = QUARTER_US
    return Generation(tuple(types), first, power, taken, length_us, tuple(notes))


def _values(period: Period, odd: dict[str, int], kind: str) -> Float64:
    """The values of a Period, NaN where none is told that can be."""
    found = np.full(period.count, np.nan)
    for position, value in period.values.items():
        if 0 <= value <= _MOST_MW:
            found[position - 1] = float(value)
        else:
            _count(odd, f"{kind}: no generation can be {'below 0' if value < 0 else 'as large'}, left out", 1)
    return found


def _count(odd: dict[str, int], why: str, number: int) -> None:
    odd[why] = odd.get(why, 0) + number


# --- fetching ---------------------------------------------------------------------------------------------------------


class EntsoeMix:
    """Asks ENTSO-E's platform for generation, and works out its intensity. Threads may share it.

    url: of the API, whole or on the upstream's host. token: each request bears it in its query, so no URL of a request
    is ever shown. boundary: of the factors, lifecycle or direct.
    """

    name: str = "entsoe"
    by_day: bool = True

    def __init__(self, upstream: Upstream, url: str, token: str, boundary: str) -> None:
        self._upstream, self._url, self._token = upstream, url, token
        self.method = Method(boundary=boundary, scope="production")

    def serves(self, zone: str) -> bool:
        """Whether it knows a zone."""
        return area_of(zone) is not None

    def fetch(self, zone: str, start_us: int, end_us: int, /) -> list[ToldIntensity]:
        """The intensities of a range, as far as it is known. Raises Unavailable, also where the answer is nonsense;
        Declined."""
        return [one for stretch in self.history(zone, start_us, end_us) for one in stretch.values]

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        """The same, week by week."""
        for begin_us in range(start_us, end_us, _DAYS_AT_ONCE * US_PER_DAY):
            stop_us = min(begin_us + _DAYS_AT_ONCE * US_PER_DAY, end_us)
            generation = self._generation(area_of(zone) or "", begin_us, stop_us)
            told = [one for one in mix_of(generation, self.method.boundary) if begin_us <= one.start_us < stop_us]
            yield ToldStretch(begin_us, stop_us, told, generation.notes)

    def _generation(self, area: str, start_us: int, end_us: int) -> Generation:
        query: Mapping[str, Any] = {
            "securityToken": self._token, "documentType": "A75", "processType": "A16", "in_Domain": area,
            "periodStart": minute(start_us // US_PER_HOUR * US_PER_HOUR),
            "periodEnd": minute(-(-end_us // US_PER_HOUR) * US_PER_HOUR),
        }  # fmt: skip
        body, name = self._upstream.get_bytes(self._url, query, answers=(BAD_REQUEST,)), self._upstream.name
        try:
            return decode_a75(body, name)
        except BadInput as error:
            raise nonsense(name, error.sentence) from error
