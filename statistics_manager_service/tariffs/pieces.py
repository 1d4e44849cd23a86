"""Prices over pieces of time: columns of exact numbers, and the periods by which they are summed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals, constant, decimals_of
from statistics_manager_service.core.pricing import Runs, energy_sums, money_sums, runs_of
from statistics_manager_service.core.ratios import Ratio, Whole, columns
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.schedules import NONE, wall_quarters
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.tariffs.document import Series
from statistics_manager_service.tariffs.prices import Add, Max, Min, Mul, OfSeries, Price, Scheduled
from statistics_manager_service.tariffs.terms import Stretch

Mask = NDArray[np.bool_]

#: The exact values of a kept series over quarter-hours, and where they are known: of (its name, the first quarter-hour,
#: how many). Values where it is not known do not matter.
SeriesSource = Callable[[str, int, int], tuple[Decimals, Mask]]


def no_series(_name: str, _first: int, count: int) -> tuple[Decimals, Mask]:
    """A source that knows no series."""
    return Decimals(np.zeros(count, np.int64), 0), np.zeros(count, np.bool_)


@dataclass(frozen=True, slots=True)
class Sum:
    """What the energy of a key comes to: of one home, or of each of many.

    key: segment × labels + label. energy: milliwatt-hours whose price is known; unknown: those whose price is not;
    substituted: those whose price stands in for a missing one. money: in currency.
    """

    key: int
    energy: Whole
    money: Ratio
    unknown: Whole = 0
    substituted: Whole = 0


@dataclass(frozen=True, slots=True)
class Linear:
    """A price that does not hang on how much energy there is: by label, or by piece of time.

    labels: names; key of a piece = segment × len(labels) + label. by_label: price of each label, or column: (n,) price
    of each piece; known, substituted: (n,) or None: known everywhere, substituted nowhere.
    """

    labels: tuple[str | None, ...]
    label: NDArray[Any] | None
    runs: Runs
    by_label: tuple[Decimal, ...] | None
    column: Decimals | None = None
    known: Mask | None = None
    substituted: Mask | None = None
    _ratios: tuple[Ratio, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        ratios = tuple(Ratio.of(Fraction(one) / MILLIWH_PER_KWH) for one in self.by_label or ())
        object.__setattr__(self, "_ratios", ratios)

    def prices(self) -> Decimals:
        """The price of each piece, (n,) or (1,)."""
        if self.column is not None:
            return self.column
        some = decimals_of(self.by_label or ())
        if self.label is None or len(some) == 1:
            return Decimals(some.units[:1], some.places)
        return Decimals(some.units[self.label], some.places)

    def floats(self, size: int) -> Float64:
        """Prices as they are shown, (size,), NaN where unknown."""
        price = self.prices().spread(size)
        values: Float64 = price.units.astype(np.float64) / 10**price.places
        return values if self.known is None else np.where(self.known, values, np.nan)

    def sums(self, energy_milliwh: Int64) -> list[Sum]:
        """The sums of energies, (h, n) int64, by key."""
        unknown = substituted = None
        if self.known is not None:
            unknown = columns(energy_sums(np.where(self.known, 0, energy_milliwh), self.runs))
            energy_milliwh = np.where(self.known, energy_milliwh, 0)
        if self.substituted is not None:
            substituted = columns(energy_sums(np.where(self.substituted, energy_milliwh, 0), self.runs))
        energies, keys = columns(energy_sums(energy_milliwh, self.runs)), self.runs.keys.tolist()
        if self.by_label is not None:
            ratios, count = self._ratios, len(self._ratios)
            money = [
                Ratio(energy * (one := ratios[key % count]).n, one.d)
                for key, energy in zip(keys, energies, strict=True)
            ]
        else:
            column = self.prices()
            scale = MILLIWH_PER_KWH * 10**column.places
            money = [Ratio(one, scale) for one in columns(money_sums(energy_milliwh, column, self.runs))]
        return [
            Sum(key, energies[i], money[i], unknown[i] if unknown else 0, substituted[i] if substituted else 0)
            for i, key in enumerate(keys)
        ]

    def price_of(self, key: int) -> Fraction | None:
        """The single price of a key, if there is one."""
        return None if self.by_label is None else Fraction(self.by_label[key % len(self.labels)])


class PieceColumns:
    """Labels and prices over the pieces of a stretch of time."""

    def __init__(self, stretch: Stretch, edges_us: Int64, source: SeriesSource) -> None:
        self.stretch = stretch
        starts_us = edges_us[stretch.first : stretch.last]
        quarters = starts_us // QUARTER_US
        self._first, self._count = int(quarters[0]), int(quarters[-1] - quarters[0]) + 1
        self._place = None if self._count == len(quarters) else quarters - self._first
        self._source = source
        lengths = [one.last - one.first for one in stretch.segments]
        self.segment = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)

    def labels(self, schedule: str) -> NDArray[np.int8]:
        """The period of each piece."""
        return self._at(self.stretch.term.inforce.clockwork.labels(schedule, self._first, self._count))

    def _at(self, column: NDArray[Any]) -> NDArray[Any]:
        return column if self._place is None else column[self._place]

    def column(self, price: Price) -> tuple[Decimals, Mask | None, Mask | None]:
        """A resolved price of each piece, (n,) or (1,); where it is known and where substituted, None: everywhere and
        nowhere."""
        if isinstance(price, Decimal):
            return constant(price), None, None
        if isinstance(price, OfSeries):
            told, is_known, stands_in = self._series(self.stretch.term.tariff.series[price.series], price.series)
            column = Decimals(self._at(told.units), told.places)
            return column, _unless_all(self._at(is_known)), _if_any(self._at(stands_in))
        if isinstance(price, Scheduled):
            return self._scheduled(price)
        for model, member, combine in _COMBINED:
            if isinstance(price, model):
                parts = [self.column(one) for one in getattr(price, member)]
                values, known, substituted = parts[0]
                for other, also_known, also_substituted in parts[1:]:
                    values = combine(values, other)
                    known = _both(known, also_known)
                    substituted = _either(substituted, also_substituted)
                return values, known, substituted
        raise TypeError(f"{type(price).__name__} has no column")

    def _series(self, series: Series, key: str) -> tuple[Decimals, Mask, Mask]:
        """A series over the quarter-hours of the stretch, with what the tariff wants in place of missing values."""
        back = {"error": 0, "hold": QUARTERS_PER_DAY, "profile": _PROFILE_DAYS * QUARTERS_PER_DAY}[series.missing]
        values, known = self._source(series.name or key, self._first - back, self._count + back)
        if not back:
            return values, known, np.zeros(self._count, np.bool_)
        here = np.arange(len(known))
        place = np.where(known, here, -1)
        if series.missing == "hold":
            place = np.maximum.accumulate(place)
            place[place < here - QUARTERS_PER_DAY] = -1
        else:
            zone = series.market_time_zone or self.stretch.term.tariff.time_zone
            place = _same_time_before(place, wall_quarters(zone, "civil", self._first - back, self._count + back))
        wanted = place[back:]
        units = values.units[np.maximum(wanted, 0)]
        return Decimals(units, values.places), wanted >= 0, (wanted >= 0) & ~known[back:]

    def _scheduled(self, price: Scheduled) -> tuple[Decimals, Mask | None, Mask | None]:
        label = self.labels(price.schedule)
        periods = self.stretch.term.inforce.clockwork.periods(price.schedule)
        parts = [self.column(price.values[name]) for name in periods]
        places = max(values.places for values, _, _ in parts)
        size = len(label)
        units = np.zeros(size, object if any(one.units.dtype == object for one, _, _ in parts) else np.int64)
        known, substituted = label != NONE, np.zeros(size, np.bool_)
        for i, (values, is_known, is_substituted) in enumerate(parts):
            mine = label == i
            wide = np.broadcast_to(values.units_at(places), (size,))
            units = units.astype(object) if wide.dtype == object else units
            units[mine] = wide[mine]
            known = known & (~mine | is_known) if is_known is not None else known
            substituted = substituted | (mine & is_substituted) if is_substituted is not None else substituted
        return Decimals(units, places), _unless_all(known), _if_any(substituted)

    def linear(self, price: Price, split_by: str | None) -> Linear:
        """A resolved price without tiers, with its labels."""
        clockwork = self.stretch.term.inforce.clockwork
        schedule = split_by or (price.schedule if isinstance(price, Scheduled) else None)
        if schedule is None:
            label, names, key = None, _NO_LABELS, self.segment
        else:
            label, names = self.labels(schedule), clockwork.periods(schedule)
            key = self.segment * len(names) + np.maximum(label, 0)
        runs = runs_of(key)
        if isinstance(price, Decimal):
            return Linear(names, label, runs, (price,) * len(names))
        if isinstance(price, Scheduled) and schedule == price.schedule and _is_complete(label):
            told = [price.values[str(name)] for name in names]
            values = tuple(one for one in told if isinstance(one, Decimal))
            if len(values) == len(told):
                return Linear(names, label, runs, values)
        column, known, substituted = self.column(price)
        return Linear(names, label, runs, None, column.spread(len(key)), known, substituted)


#: How many days back a value of the same time is looked for; a value is held for a day.
_PROFILE_DAYS: Final = 7
_NO_LABELS: Final[tuple[str | None, ...]] = (None,)
_COMBINED: Final[tuple[tuple[type[Any], str, Callable[[Decimals, Decimals], Decimals]], ...]] = (
    (Add, "add", lambda a, b: a + b),
    (Mul, "mul", lambda a, b: a * b),
    (Min, "least", Decimals.minimum),
    (Max, "greatest", Decimals.maximum),
)


def _same_time_before(place: Int64, wall: Int64) -> Int64:
    """Where a value is not known (-1), the place of the one at the same time by the clock of the nearest earlier day,
    up to a week ago."""
    margin = _PROFILE_DAYS * QUARTERS_PER_DAY
    first = int(wall.min()) - margin
    at_wall = np.full(int(wall.max()) - first + 1, -1, np.int64)
    at_wall[wall - first] = place
    for day in range(1, _PROFILE_DAYS + 1):
        place = np.where(place < 0, at_wall[wall - first - day * QUARTERS_PER_DAY], place)
    return place


def _is_complete(label: NDArray[Any] | None) -> bool:
    return label is not None and bool((label != NONE).all())


def _unless_all(known: Mask) -> Mask | None:
    return None if known.all() else known


def _if_any(substituted: Mask) -> Mask | None:
    return substituted if substituted.any() else None


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    return other if one is None else one if other is None else one & other


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    return other if one is None else one if other is None else one | other
