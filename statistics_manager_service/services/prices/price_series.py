"""Series of prices and factors: how they are kept, and read by the quarter-hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals, decimals_of
from statistics_manager_service.core.grid import ragged_ranges
from statistics_manager_service.core.price_days import (
    PriceDays,
    merge_price_days,
    pack_price_days,
    unpack_price_days,
)
from statistics_manager_service.core.price_units import PriceUnit, fault_of_price, price_unit
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, Conflict, Fault, NotFound
from statistics_manager_service.services.prices.price_rows import (
    PriceDay,
    PriceRows,
    PriceSeries,
    PriceWrites,
    ToldPrice,
)
from statistics_manager_service.services.remembering import Remembered

#: How long values may count for, by the name of the duration in ISO 8601.
INTERVALS_S: Final = {"PT15M": 900, "PT30M": 1_800, "PT1H": 3_600}
_NAMES_OF_INTERVALS: Final = {length_s: name for name, length_s in INTERVALS_S.items()}
#: UTC days that are remembered together.
_CHUNK_DAYS: Final = 512
_CHUNK_QUARTERS: Final = _CHUNK_DAYS * QUARTERS_PER_DAY
_MOST_KEPT_BYTES: Final = 64 * 2**20
#: Of an integer that is no int64, with its place in the array.
_OBJECT_BYTES: Final = 44


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of values: new or changed ones, and those that were known already."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class SeriesQuarters:
    """What a series tells of quarter-hours.

    values: (n,), exact, in currency/kWh, or of factors in 1; 0 where unknown. known: (n,) bool. currency: None of
    factors. interval_s: of the series.
    """

    values: Decimals
    known: NDArray[np.bool_]
    currency: str | None
    interval_s: int


def interval_name(series: PriceSeries) -> str:
    """The interval of a series as ISO 8601 has it."""
    return _NAMES_OF_INTERVALS[series.interval_s]


def unit_of(series: PriceSeries) -> PriceUnit:
    """What the unit of a series means."""
    unit = price_unit(series.unit)
    if unit is None:  # none is stored that was not known
        raise ValueError(f"series {series.name} is in {series.unit}, which this program does not know")
    return unit


def known_series(view: PriceRows, name: str) -> PriceSeries:
    """A series by its name. Raises NotFound."""
    found = view.price_series(name)
    if found is None:
        raise NotFound(f"there is no series {name[:80]!r}")
    return found


# --- keeping ----------------------------------------------------------------------------------------------------------


def keep_prices(view: PriceWrites, wanted: PriceSeries, told: Sequence[ToldPrice], now_us: int) -> Kept:
    """Keep values of a series, which is made where it is not there; the one door for all who tell of prices.

    The same told again changes nothing; of values that overlap the last one counts; quarter-hours that are not told
    stay. What is told of a series itself (title, source, market_time_zone) replaces what was told before.

    Raises Conflict where the series has values in another unit or of another interval, BadInput for values that can't
    be (see fault_of_price) or are not of whole quarter-hours.
    """
    _refuse_impossible(told)
    view.begin_price_changes()
    series = _stored(view, wanted)
    if not told:
        return Kept(0, 0)
    days, new, place, owner = _by_days(told)
    rows = view.price_days(series.series_no, int(days[0]), int(days[-1]))
    stored = {row.day: row for row in rows}
    old = _laid_out(days, [stored[day] for day in days.tolist() if day in stored])
    merged, changed = merge_price_days(old, new)
    rows_changed = np.flatnonzero(changed.any(axis=1))
    view.put_price_days(
        [
            PriceDay(series.series_no, day, max(now_us, stored[day].told_us + 1 if day in stored else 0), body)
            for day, body in zip(days[rows_changed].tolist(), pack_price_days(_some(merged, rows_changed)), strict=True)
        ]
    )
    accepted = int(np.count_nonzero(np.bincount(owner, changed.reshape(-1)[place], len(told))))
    return Kept(accepted, len(told) - accepted)


def _refuse_impossible(told: Sequence[ToldPrice]) -> None:
    faults = []
    for i, one in enumerate(told):
        why = fault_of_price(one.value)
        if one.start_us % QUARTER_US or one.length_us % QUARTER_US or one.length_us <= 0:
            why = "it is not of whole quarter-hours"
        if why is not None:
            faults.append(Fault(f"value[{i}]", why))
    if faults:
        raise BadInput.of(faults)


def _stored(view: PriceWrites, wanted: PriceSeries) -> PriceSeries:
    """The series as stored. Raises Conflict."""
    known = view.price_series(wanted.name)
    if known is None:
        return view.put_price_series(wanted)
    wanted = wanted._replace(series_no=known.series_no)
    if (known.unit, known.interval_s) != (wanted.unit, wanted.interval_s) and view.price_span(known.series_no):
        raise Conflict(
            f"series {known.name} has values in {known.unit} of {interval_name(known)} each; its unit and interval "
            "can't change any more: put these values under another name"
        )
    return known if wanted == known else view.put_price_series(wanted)


def _by_days(told: Sequence[ToldPrice]) -> tuple[NDArray[np.int64], PriceDays, NDArray[np.int64], NDArray[np.int64]]:
    """UTC days, what is told of them, and of each told quarter-hour its place in them and whose it is."""
    column = decimals_of([one.value for one in told])
    first = np.array([one.start_us // QUARTER_US for one in told], np.int64)
    quarter, owner = ragged_ranges(first, np.array([one.length_us // QUARTER_US for one in told], np.int64))
    day, slot = np.divmod(quarter, QUARTERS_PER_DAY)
    days, row = np.unique(day, return_inverse=True)
    place = row * QUARTERS_PER_DAY + slot
    units = np.zeros(len(days) * QUARTERS_PER_DAY, column.units.dtype)
    units[place] = column.units[owner]
    known = np.zeros(len(units), np.bool_)
    known[place] = True
    shape = (len(days), QUARTERS_PER_DAY)
    return days, PriceDays(Decimals(units.reshape(shape), column.places), known.reshape(shape)), place, owner


def _some(days: PriceDays, rows: NDArray[np.int64]) -> PriceDays:
    return PriceDays(Decimals(days.values.units[rows], days.values.places), days.known[rows])


def _laid_out(days: NDArray[np.int64], rows: Sequence[PriceDay]) -> PriceDays:
    """Stored days, in order, in their places among some days."""
    found = unpack_price_days([row.body for row in rows])
    if len(rows) == len(days):
        return found
    place = np.searchsorted(days, [row.day for row in rows])
    shape = (len(days), QUARTERS_PER_DAY)
    units, known = np.zeros(shape, found.values.units.dtype), np.zeros(shape, np.bool_)
    units[place], known[place] = found.values.units, found.known
    return PriceDays(Decimals(units, found.values.places), known)


# --- reading ----------------------------------------------------------------------------------------------------------


def series_quarters(
    view: PriceRows, name: str, first_quarter: int, count: int, until_us: int | None = None
) -> SeriesQuarters:
    """What a series tells of `count` quarter-hours from first_quarter (since 1970-01-01) on.

    until_us: only what was told until then, inclusive. Raises NotFound for a series that is not there.
    """
    series = known_series(view, name)
    return _in_currency(series, quarters_as_told(view, series, first_quarter, count, until_us))


def quarters_as_told(
    view: PriceRows, series: PriceSeries, first_quarter: int, count: int, until_us: int | None
) -> tuple[Decimals, NDArray[np.bool_]]:
    """The same as `series_quarters`, as it was told: in the series' own unit. Values, and which are known."""
    first_day, begin = divmod(first_quarter, QUARTERS_PER_DAY)
    last_day = max((first_quarter + count - 1) // QUARTERS_PER_DAY, first_day)
    rows = view.price_days(series.series_no, first_day, last_day, until_us)
    found = _laid_out(np.arange(first_day, last_day + 1), rows)
    units, known = found.values.units.reshape(-1), found.known.reshape(-1)
    return Decimals(units[begin : begin + count], found.values.places), known[begin : begin + count]


def _in_currency(series: PriceSeries, found: tuple[Decimals, NDArray[np.bool_]]) -> SeriesQuarters:
    unit, (values, known) = unit_of(series), found
    return SeriesQuarters(Decimals(values.units, values.places + unit.places), known, unit.currency, series.interval_s)


class PriceColumns:
    """Series by the quarter-hour, those asked for again remembered as long as no tariff and no series changes."""

    def __init__(self, most_bytes: int = _MOST_KEPT_BYTES) -> None:
        self._series: Remembered[PriceSeries] = Remembered(most_bytes // 16)
        self._chunks: Remembered[PriceDays] = Remembered(most_bytes)

    def quarters(
        self, view: PriceRows, name: str, first_quarter: int, count: int, until_us: int | None = None
    ) -> SeriesQuarters:
        """The same as `series_quarters`. The arrays can't be written to. What was known earlier (until_us) is not
        remembered."""
        if until_us is not None:
            return series_quarters(view, name, first_quarter, count, until_us)
        state = (0, view.prices_state())
        series = self._series.get(name, state)
        if series is None:
            series = known_series(view, name)
            self._series.put(name, state, series, len(name))
        end = first_quarter + max(count, 1)
        chunks = range(first_quarter // _CHUNK_QUARTERS, -(-end // _CHUNK_QUARTERS))
        parts = [self._chunk(view, series, one, state) for one in chunks]
        return _in_currency(series, _joined(parts, first_quarter - chunks[0] * _CHUNK_QUARTERS, count))

    def _chunk(self, view: PriceRows, series: PriceSeries, chunk: int, state: tuple[int, int]) -> PriceDays:
        key = (series.series_no, chunk)
        found = self._chunks.get(key, state)
        if found is None:
            values, known = quarters_as_told(view, series, chunk * _CHUNK_QUARTERS, _CHUNK_QUARTERS, None)
            values.units.flags.writeable = known.flags.writeable = False
            found = PriceDays(values, known)
            a_unit = _OBJECT_BYTES if values.units.dtype == object else values.units.itemsize
            self._chunks.put(key, state, found, len(known) * (a_unit + 1))
        return found


def _joined(parts: Sequence[PriceDays], begin: int, count: int) -> tuple[Decimals, NDArray[np.bool_]]:
    """`count` quarter-hours from the place `begin` on of parts that lie one behind the other."""
    if len(parts) == 1:
        values, known = parts[0].values, parts[0].known
        return Decimals(values.units[begin : begin + count], values.places), known[begin : begin + count]
    places = max(part.values.places for part in parts)
    units = np.concatenate([part.values.units_at(places) for part in parts])[begin : begin + count]
    known = np.concatenate([part.known for part in parts])[begin : begin + count]
    units.flags.writeable = known.flags.writeable = False
    return Decimals(units, places), known
