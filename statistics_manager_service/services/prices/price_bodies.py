"""Bodies of series, as an operator puts them: JSON columns or CSV to values, with all that is wrong at once."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from statistics_manager_service.core.civil import check_zone, parse_moment
from statistics_manager_service.core.names import has_control
from statistics_manager_service.core.price_units import KNOWN_UNITS, fault_of_price, price_unit
from statistics_manager_service.core.units import EARLIEST_READING_US, QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import INTERVALS_S, keep_prices
from statistics_manager_service.tariffs.prices import NAME

MOST_VALUES: Final = 100_000
#: Prices may be told so far ahead.
_LATEST_AHEAD_US: Final = 2 * 366 * US_PER_DAY
#: The longest that one row of a CSV with an `end` may hold for.
_LONGEST_US: Final = 31 * US_PER_DAY
#: What may be told of a series itself, and how long it may be.
ABOUT: Final = {"unit": 16, "interval": 8, "market_time_zone": 64, "title": 200, "source": 500}
_MORE: Final = ("market_time_zone", "title", "source")
_COLUMNS: Final = ("at", "end", "value")
_START: Final = ("start", "at")
#: More are not answered; they would be looked for in vain behind each other.
_MOST_FAULTS: Final = 1_000
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER: Final = 80
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class ToldSeries:
    """A body that was read: what is told of the series, and its values. None: not told, and stays as it is."""

    unit: str
    interval_s: int
    about: Mapping[str, str]
    prices: Sequence[ToldPrice]


@dataclass(frozen=True, slots=True)
class PutSeries:
    """A series after its values were put, what became of these (new or changed, known already), and whether it was
    made."""

    series: PriceSeries
    accepted: int
    duplicates: int
    made: bool


def put_series(store: Store, name: str, body: Any, now_us: int, lines: Sequence[int] | None = None) -> PutSeries:
    """Keep values of a series. The same again changes nothing; what is not told of a series stays as it is.

    lines: of a CSV, in which line each row stands.

    Raises BadInput with all faults, Conflict where the series has values in another unit or of another interval.
    """
    told = read_series(name, body, now_us, lines)
    with store.writing() as view:
        view.begin_price_changes()
        known = view.price_series(name)
        older = known or PriceSeries(0, name, told.unit, told.interval_s)
        wanted = PriceSeries(
            older.series_no,
            name,
            told.unit,
            told.interval_s,
            *(told.about.get(one) or getattr(older, one) for one in _MORE),
        )
        kept = keep_prices(view, wanted, told.prices, now_us)
        return PutSeries(view.price_series(name) or wanted, kept.accepted, kept.duplicates, known is None)


def read_series(name: str, body: Any, now_us: int, lines: Sequence[int] | None = None) -> ToldSeries:
    """A body as values; one of null is left out. Raises BadInput with all faults."""
    faults = _Faults(lines)
    if not re.fullmatch(NAME, name):
        why = "a name of a series has 1 to 64 letters, digits, '_', '.', '+' or '-', a letter or digit first"
        faults.add("name", f"{_shown(name)} is none: {why}")
    if not isinstance(body, dict):
        faults.add("body", "it must be a JSON object with `unit`, `interval`, `at` and `value`")
        raise BadInput.of(faults.found)
    reader = _Reader(body, now_us, faults)
    unit, interval_s, about = reader.unit(), reader.interval_s(), reader.about()
    prices = reader.prices(about.get("market_time_zone", "UTC"), interval_s)
    if faults.found:
        raise BadInput.of(faults.found)
    return ToldSeries(unit, interval_s, about, prices)


def columns_of_csv(text: str, about: Mapping[str, str]) -> tuple[dict[str, Any], list[int]]:
    """A CSV as a body, and in which line each row stands. about: what the query tells of the series.

    Its columns are `start` (or `at`), `value`, and `end` where the rows tell theirs, parted by commas; or by
    semicolons, and then a value may have a decimal comma. Raises BadInput.
    """
    first = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = ";" if ";" in first else ","
    try:
        rows = list(csv.reader(text.lstrip("\ufeff").splitlines(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput.of([Fault("body", f"this is not CSV: {error}")]) from error
    header = [one.strip().lower() for one in rows[0]] if rows else []
    names = ["at" if one in _START else one for one in header]
    if not {"at", "value"} <= set(names) or len(set(names)) < len(names) or not set(names) <= set(_COLUMNS):
        shown = _shown(",".join(header))
        raise BadInput.of(
            [Fault("body", f"the first line must name the columns `start`, `value` and, if told, `end`; it is {shown}")]
        )
    told = [(line, row) for line, row in enumerate(rows[1:], 2) if row]
    uneven = [(line, row) for line, row in told if len(row) != len(names)]
    if uneven:
        why = "it has {} fields, the header {}"
        raise BadInput.of(
            [Fault(f"line {line}", why.format(len(row), len(names))) for line, row in uneven[:_MOST_FAULTS]]
        )
    body: dict[str, Any] = dict(about)
    for place, name in enumerate(names):
        body[name] = [row[place].strip() or None for _, row in told]
    if delimiter == ";":
        body["value"] = [None if one is None else one.replace(",", ".") for one in body["value"]]
    return body, [line for line, _ in told]


class _Faults:
    """What is wrong with a body, up to so many."""

    def __init__(self, lines: Sequence[int] | None) -> None:
        self.found: list[Fault] = []
        self._lines = lines

    def add(self, where: str, why: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.append(Fault(where, why))

    def place(self, column: str, i: int) -> str:
        """The name of an item's place."""
        return f"{column}[{i}]" if self._lines is None else f"line {self._lines[i]}: {column}"


class _Reader:
    """Reads members of a body, and gathers what is wrong with them."""

    def __init__(self, body: Mapping[str, Any], now_us: int, faults: _Faults) -> None:
        self._body, self._faults = body, faults
        self._latest_us = now_us + _LATEST_AHEAD_US
        allowed = (*ABOUT, *_COLUMNS)
        for name in body:
            if name not in allowed:
                faults.add(str(name)[:_SHOWN] or '""', f"there is no such member; there are {', '.join(allowed)}")

    def unit(self) -> str:
        """The unit of the values."""
        told = self._body.get("unit")
        if isinstance(told, str) and len(told) <= ABOUT["unit"] and price_unit(told) is not None:
            return told
        self._faults.add("unit", f"{_shown(told)} is no unit of a series; there are {KNOWN_UNITS}")
        return "1"

    def interval_s(self) -> int:
        """How long each value holds for."""
        told = self._body.get("interval")
        if isinstance(told, str) and told in INTERVALS_S:
            return INTERVALS_S[told]
        self._faults.add("interval", f"{_shown(told)} is not one of {', '.join(INTERVALS_S)}")
        return INTERVALS_S["PT15M"]

    def about(self) -> dict[str, str]:
        """What else is told of the series."""
        found = {}
        for name in _MORE:
            told = self._body.get(name)
            if told is None:
                continue
            if not isinstance(told, str) or not 0 < len(told) <= ABOUT[name] or has_control(told):
                self._faults.add(name, f"it must be a text of 1 to {ABOUT[name]} letters without control characters")
                continue
            if name == "market_time_zone":
                try:
                    check_zone(told)
                except BadInput as error:
                    self._faults.add(name, error.faults[0].why)
                    continue
            found[name] = told
        return found

    def prices(self, zone: str, interval_s: int) -> list[ToldPrice]:
        """The values that are known."""
        at, value, end = (self._column(name) for name in ("at", "value", "end"))
        if at is None or value is None or ("end" in self._body and end is None):
            return []
        for name, column in (("value", value), ("end", end)):
            if column is not None and len(column) != len(at):
                self._faults.add(name, f"it has {len(column)} items, `at` {len(at)}: there must be as many")
        if len(at) > MOST_VALUES:
            self._faults.add("at", f"{len(at)} values are more than {MOST_VALUES}; send several bodies")
            return []
        starts_us = [self._instant(one, zone, "at", i) for i, one in enumerate(at)]
        if end is None:
            ends_us = [start_us and start_us + interval_s * US_PER_S for start_us in starts_us]
        else:
            ends_us = [
                self._end(one, zone, start_us, i) for i, (one, start_us) in enumerate(zip(end, starts_us, strict=False))
            ]
        self._refuse_overlaps(at, starts_us, ends_us)
        prices = []
        for i, (told, start_us, end_us) in enumerate(zip(value, starts_us, ends_us, strict=False)):
            number = None if told is None else self._number(told, self._faults.place("value", i))
            if number is not None:
                prices.append(ToldPrice(start_us, end_us - start_us, number))
        return prices

    def _column(self, name: str) -> list[Any] | None:
        told = self._body.get(name)
        if isinstance(told, list):
            return told
        if name != "end" or told is not None:
            self._faults.add(name, "it must be a list")
        return None

    def _instant(self, told: Any, zone: str, column: str, i: int) -> int:
        """An instant, from a date-time (of the market's zone where it has no offset) or epoch seconds; 0 where it is
        none."""
        where = self._faults.place(column, i)
        if isinstance(told, str):
            try:
                at_us = parse_moment(told, zone, where)
            except BadInput as error:
                for fault in error.faults:
                    self._faults.add(fault.where, fault.why)
                return 0
        else:
            epoch_s = _decimal(told)
            if epoch_s is None or not abs(epoch_s) < self._latest_us:
                why = "is no date-time such as 2026-01-01T00:00:00Z, nor epoch seconds"
                self._faults.add(where, f"{_shown(told)} {why}")
                return 0
            at_us = round(epoch_s * US_PER_S)
        if not EARLIEST_READING_US <= at_us <= self._latest_us:
            self._faults.add(where, f"{_shown(told)} is before the year 2000 or more than two years ahead")
            return 0
        if at_us % QUARTER_US:
            self._faults.add(where, f"{_shown(told)} is not at a whole quarter of an hour")
            return 0
        return at_us

    def _end(self, told: Any, zone: str, start_us: int, i: int) -> int:
        """Where a row ends."""
        end_us = self._instant(told, zone, "end", i)
        if start_us and end_us and not 0 < end_us - start_us <= _LONGEST_US:
            self._faults.add(
                self._faults.place("end", i), f"{_shown(told)} must be after the start of the row, and at most 31 days"
            )
        return end_us

    def _refuse_overlaps(self, at: Sequence[Any], starts_us: Sequence[int], ends_us: Sequence[int]) -> None:
        order = [i for i, (start_us, end_us) in enumerate(zip(starts_us, ends_us, strict=False)) if start_us and end_us]
        order.sort(key=lambda i: starts_us[i])
        for before, i in itertools.pairwise(order):
            there = self._faults.place("at", before)
            if starts_us[i] == starts_us[before]:
                self._faults.add(self._faults.place("at", i), f"{_shown(at[i])} stands twice, also at {there}")
            elif starts_us[i] < ends_us[before]:
                self._faults.add(self._faults.place("at", i), f"{_shown(at[i])} lies inside of the interval of {there}")

    def _number(self, told: Any, where: str) -> Decimal | None:
        """A number or a decimal text, exact."""
        number = _decimal(told)
        why = f"{_shown(told)} is no decimal number" if number is None else fault_of_price(number)
        if why is not None:
            self._faults.add(where, why)
            return None
        return number


def _decimal(told: Any) -> Decimal | None:
    if isinstance(told, Decimal):
        return told
    if isinstance(told, int) and not isinstance(told, bool):
        return Decimal(told)
    if isinstance(told, float):
        return Decimal(repr(told))  # as it was written
    if isinstance(told, str) and len(told) <= _LONGEST_NUMBER and _DECIMAL.fullmatch(told):
        return Decimal(told)
    return None


def _shown(told: Any) -> str:
    text = "nothing" if told is None else str(told) if isinstance(told, Decimal) else ascii(told)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
