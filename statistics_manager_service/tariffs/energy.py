"""What the energy of a component costs: by the periods of a schedule, by a column of prices, by tiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals, constant, decimals_of
from statistics_manager_service.core.pricing import Runs, energy_sums, money_sums, runs_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.schedules import NONE
from statistics_manager_service.core.spans import civil_date, midnight_us, month_shares
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.tariffs.document import Energy, Series
from statistics_manager_service.tariffs.prices import (
    Add,
    Max,
    Min,
    Mul,
    OfSeries,
    Price,
    Scheduled,
    Step,
    Tiered,
    Tiers,
)
from statistics_manager_service.tariffs.resolving import resolve
from statistics_manager_service.tariffs.terms import BillingPeriod, Segment, Stretch

Mask = NDArray[np.bool_]


#: The exact values of a kept series over quarter-hours, and where they are known: of (its name, the first quarter-hour,
#: how many). Values where it is not known do not matter.
SeriesSource = Callable[[str, int, int], tuple[Decimals, Mask]]


def no_series(_name: str, _first: int, count: int) -> tuple[Decimals, Mask]:
    """A source that knows no series."""
    return Decimals(np.zeros(count, np.int64), 0), np.zeros(count, np.bool_)


@dataclass(frozen=True, slots=True)
class Amount:
    """What a component comes to in a segment, before tax as the document prices it (with tax where that is included).

    label: period of the schedule, or step. quantity: in `unit`. price: for one `price_unit`. unknown_milliwh: energy
    whose price is not known, which is not in the amount.
    """

    segment: Segment
    label: str | None
    quantity: Fraction
    unit: str
    price: Fraction | None
    price_unit: str | None
    amount: Fraction
    energy_milliwh: int | Fraction = 0
    unknown_milliwh: int = 0
    substituted_milliwh: int = 0


@dataclass(frozen=True, slots=True)
class Linear:
    """A price that does not hang on how much energy there is: by label, or by piece of time.

    labels: names; key of a piece = segment × len(labels) + label. by_label: price of each label, or column: (n,) price
    of each piece; known, substituted: (n,) or None where all are known.
    """

    labels: tuple[str | None, ...]
    label: NDArray[Any] | None
    runs: Runs
    by_label: tuple[Decimal, ...] | None
    column: Decimals | None
    known: Mask | None
    substituted: Mask | None

    def prices(self) -> Decimals:
        """The price of each piece, (n,) or (1,)."""
        if self.column is not None:
            return self.column
        some = decimals_of(self.by_label or ())
        if self.label is None or len(some) == 1:
            return Decimals(some.units[:1], some.places)
        return Decimals(some.units[self.label], some.places)

    def totals(self, energy_milliwh: Int64) -> Iterator[tuple[int, int | Fraction, Fraction | None, Fraction]]:
        """(key, energy, price, money in currency) of each key that there is. energy_milliwh: (n,) int64."""
        energies = energy_sums(energy_milliwh[None], self.runs)[0].tolist()
        keys = self.runs.keys.tolist()
        if self.by_label is not None:
            count = len(self.labels)
            prices = [(one, one.numerator, one.denominator * MILLIWH_PER_KWH) for one in map(Fraction, self.by_label)]
            for key, energy in zip(keys, energies, strict=True):
                price, numerator, denominator = prices[key % count]
                yield key, energy, price, Fraction(energy * numerator, denominator)
            return
        column = self.prices()
        money = money_sums(energy_milliwh[None], column, self.runs)[0].tolist()
        scale = MILLIWH_PER_KWH * 10**column.places
        for key, energy, amount in zip(keys, energies, money, strict=True):
            yield key, energy, None, Fraction(amount, scale)


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
            return Decimals(self._at(told.units), told.places), self._at(is_known), self._at(stands_in)
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
        back = 0 if series.missing == "error" else _PROFILE_DAYS * QUARTERS_PER_DAY
        values, known = self._source(series.name or key, self._first - back, self._count + back)
        if not back:
            return values, known, np.zeros(self._count, np.bool_)
        place = np.where(known, np.arange(len(known)), -1)
        if series.missing == "hold":
            held = np.maximum.accumulate(place)
            held[held < np.arange(len(known)) - QUARTERS_PER_DAY] = -1
            place = held
        else:
            for day in range(1, _PROFILE_DAYS + 1):
                ago = np.concatenate((np.full(day * QUARTERS_PER_DAY, -1), place[: -day * QUARTERS_PER_DAY]))
                taken = np.where(np.isin(ago, np.flatnonzero(known)), ago, -1)
                place = np.where(place < 0, taken, place)
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
        zero = constant(Decimal(0).scaleb(-places))
        for i, (values, is_known, is_substituted) in enumerate(parts):
            mine = label == i
            wide = (values + zero).spread(size)
            units = units.astype(wide.units.dtype) if wide.units.dtype == object else units
            units[mine] = wide.units[mine]
            known = known & (~mine | is_known) if is_known is not None else known
            substituted = substituted | (mine & is_substituted) if is_substituted is not None else substituted
        return Decimals(units, places), None if known.all() else known, substituted

    def linear(self, price: Price, split_by: str | None) -> Linear:
        """A resolved price without tiers, with its labels."""
        clockwork = self.stretch.term.inforce.clockwork
        is_plain = isinstance(price, Scheduled) and all(isinstance(one, Decimal) for one in price.values.values())
        schedule = split_by or (price.schedule if isinstance(price, Scheduled) else None)
        if schedule is None:
            label, names, key = None, _NO_LABELS, self.segment
        else:
            label, names = self.labels(schedule), clockwork.periods(schedule)
            key = self.segment * len(names) + np.maximum(label, 0)
        runs = runs_of(key)
        if isinstance(price, Decimal):
            return Linear(names, label, runs, (price,) * len(names), None, None, None)
        if is_plain and isinstance(price, Scheduled) and schedule == price.schedule and _is_complete(label):
            values = [price.values[str(name)] for name in names]
            by_label = tuple(one for one in values if isinstance(one, Decimal))
            return Linear(names, label, runs, by_label, None, None, None)
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


def _floats(linear: Linear, size: int) -> Float64:
    """Prices as they are shown, NaN where unknown."""
    price = linear.prices().spread(size)
    values: Float64 = price.units.astype(np.float64) / 10**price.places
    return values if linear.known is None else np.where(linear.known, values, np.nan)


def _is_complete(label: NDArray[Any] | None) -> bool:
    return label is not None and bool((label != NONE).all())


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    return other if one is None else one if other is None else one & other


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    return other if one is None else one if other is None else one | other


class EnergyPrice:
    """An energy component over a stretch of time, ready to price any home's energy."""

    def __init__(self, component: Energy, columns: PieceColumns, periods: list[BillingPeriod], edges_us: Int64) -> None:
        self.component, self._columns, self._periods, self._edges_us = component, columns, periods, edges_us
        stretch = columns.stretch
        price = resolve(component.price, stretch.term.parameters, stretch.on)
        self._sign = -1 if component.flow == "export" else 1
        self._tiers: list[tuple[str | None, NDArray[Any] | None, Tiers, list[Linear]]] = []
        self.linear: Linear | None = None
        if isinstance(price, Tiered):
            self._tiers = [self._tiered(None, None, price.tiers)]
        elif isinstance(price, Scheduled) and any(isinstance(one, Tiered) for one in price.values.values()):
            label = columns.labels(price.schedule)
            for i, name in enumerate(stretch.term.inforce.clockwork.periods(price.schedule)):
                one = price.values[name]
                tiers = one.tiers if isinstance(one, Tiered) else _one_step(one)
                self._tiers.append(self._tiered(name, label == i, tiers))
        else:
            self.linear = columns.linear(price, component.split_by)

    def _tiered(self, label: str | None, mine: Any, tiers: Tiers) -> tuple[str | None, Any, Tiers, list[Linear]]:
        linears = [self._columns.linear(step.price, self.component.split_by) for step in tiers.steps]
        return label, mine, tiers, linears

    @property
    def is_linear(self) -> bool:
        """Whether the cost of two energies is the sum of their costs."""
        return self.linear is not None

    def amounts(self, energy_milliwh: Int64) -> list[Amount]:
        """What an energy, (m,) int64 over all pieces of time, comes to by segment and label."""
        stretch = self._columns.stretch
        if self.linear is not None:
            return self._linear_amounts(self.linear, energy_milliwh[stretch.first : stretch.last])
        found: list[Amount] = []
        for label, mine, tiers, linears in self._tiers:
            for segment in stretch.segments:
                found += self._tier_amounts(segment, label, mine, tiers, linears, energy_milliwh)
        return found

    def weights(self, energy_milliwh: Int64) -> NDArray[Any]:
        """How the amounts of the component spread over the pieces of its stretch, (n,) integers: each piece's energy
        times its price; of tiers, its energy."""
        stretch = self._columns.stretch
        energy = energy_milliwh[stretch.first : stretch.last]
        if self.linear is None:
            return energy
        if self.linear.known is not None:
            energy = np.where(self.linear.known, energy, 0)
        price = self.linear.prices()
        return (Decimals(energy, 0) * price).units

    def unknown(self) -> Mask | None:
        """Where in the stretch there is no price, (n,) bool; None: nowhere."""
        linears = [self.linear] if self.linear is not None else [one for *_, some in self._tiers for one in some]
        known = [one.known for one in linears if one is not None and one.known is not None]
        return ~np.logical_and.reduce(known) if known else None

    def marginal(self, segment: Segment, energy_milliwh: Int64) -> Float64:
        """What one more kWh costs in each piece of the stretch, (n,) float64, NaN where it is not known; of tiers, at
        the step that a segment's energy has reached."""
        stretch = self._columns.stretch
        size = stretch.last - stretch.first
        if self.linear is not None:
            return _floats(self.linear, size)
        out = np.zeros(size)
        for _, mine, tiers, linears in self._tiers:
            inside = energy_milliwh[segment.first : segment.last]
            if mine is not None:
                inside = np.where(mine[segment.first - stretch.first : segment.last - stretch.first], inside, 0)
            reached = int(inside.sum()) + self._year_so_far(tiers, segment, energy_milliwh)
            factor = self._limit_factor(tiers, segment) * MILLIWH_PER_KWH
            step = next(
                i for i, one in enumerate(tiers.steps) if one.upto is None or reached < Fraction(one.upto) * factor
            )
            prices = _floats(linears[step], size)
            out = prices if mine is None else np.where(mine, prices, out)
        return out

    def _year_so_far(self, tiers: Tiers, segment: Segment, energy_milliwh: Int64) -> int:
        """The energy of the year before a segment, where tiers count by the year."""
        if tiers.per != "year":
            return 0
        term = self._columns.stretch.term
        year = civil_date(term.tariff.time_zone, segment.start_us).replace(month=1, day=1)
        begin_us = max(midnight_us(term.tariff.time_zone, year), term.start_us)
        begin = int(np.searchsorted(self._edges_us, begin_us))
        return int(energy_milliwh[begin : segment.first].sum())

    def _linear_amounts(self, linear: Linear, energy_milliwh: Int64) -> list[Amount]:
        unknown = substituted = None
        if linear.known is not None:
            missing = np.where(linear.known, 0, energy_milliwh)
            unknown = energy_sums(missing[None], linear.runs)[0].tolist()
            energy_milliwh = energy_milliwh - missing
        if linear.substituted is not None and linear.substituted.any():
            substituted = energy_sums(np.where(linear.substituted, energy_milliwh, 0)[None], linear.runs)[0].tolist()
        count = len(linear.labels)
        found = []
        for i, (key, energy, price, money) in enumerate(linear.totals(energy_milliwh)):
            segment = self._columns.stretch.segments[key // count]
            if price is None and energy:
                price = money * MILLIWH_PER_KWH / energy
            if self._sign < 0:
                price, money = None if price is None else -price, -money
            found.append(
                Amount(
                    segment, linear.labels[key % count], Fraction(energy, MILLIWH_PER_KWH), "kWh", price, "kWh",
                    money, energy, unknown[i] if unknown else 0,
                    substituted[i] if substituted else 0,
                )
            )  # fmt: skip
        return found

    def _tier_amounts(
        self, segment: Segment, label: str | None, mine: Any, tiers: Tiers, linears: list[Linear], energy: Int64
    ) -> Iterator[Amount]:
        stretch = self._columns.stretch
        inside = energy[segment.first : segment.last]
        before = self._year_so_far(tiers, segment, energy)
        if mine is not None:
            inside = np.where(mine[segment.first - stretch.first : segment.last - stretch.first], inside, 0)
        whole = int(inside.sum())
        running = np.concatenate(([before], before + np.cumsum(inside)))
        low = 0
        factor = self._limit_factor(tiers, segment)
        for step, linear in zip(tiers.steps, linears, strict=True):
            end = None if step.upto is None else int(Fraction(step.upto) * MILLIWH_PER_KWH * factor)
            top = before + whole if end is None else min(end, before + whole)
            part = max(0, top - max(low, before))
            name = label if len(tiers.steps) == 1 else " ".join(filter(None, (label, _step_name(low, end))))
            if part:
                if tiers.order == "chronological":
                    high = running[-1] if end is None else end
                    share, taken = Fraction(1), np.diff(np.clip(running, low, max(high, low)))
                else:
                    share, taken = Fraction(part, whole), inside
                yield from self._step_amounts(segment, name, linear, taken, share)
            low = top if end is None else end

    def _step_amounts(
        self, segment: Segment, name: str | None, linear: Linear, taken: Int64, share: Fraction
    ) -> Iterator[Amount]:
        stretch = self._columns.stretch
        padded = np.zeros(stretch.last - stretch.first, np.int64)
        padded[segment.first - stretch.first : segment.last - stretch.first] = taken
        unknown = 0
        if linear.known is not None:
            unknown = int(np.where(linear.known, 0, padded).sum())
            padded = np.where(linear.known, padded, 0)
        count = len(linear.labels)
        for key, energy, price, money in linear.totals(padded):
            if stretch.segments[key // count] is not segment or not energy:
                continue
            title = " ".join(filter(None, (linear.labels[key % count], name))) or None
            of_step = energy * share
            each = (price if price is not None else money * MILLIWH_PER_KWH / energy) * self._sign
            yield Amount(
                segment, title, of_step / MILLIWH_PER_KWH, "kWh", each, "kWh", money * share * self._sign, of_step,
                unknown,
            )  # fmt: skip

    def _limit_factor(self, tiers: Tiers, segment: Segment) -> Fraction:
        """By how much the limits of the steps are multiplied in a segment."""
        if tiers.per == "day":
            return segment.days
        if tiers.per == "month":
            zone = self._columns.stretch.term.tariff.time_zone
            return sum((one.share for one in month_shares(zone, segment.start_us, segment.end_us)), Fraction(0))
        if tiers.per == "year":
            return Fraction(1)
        period = self._periods[segment.period]
        return Fraction(segment.end_us - segment.start_us, period.whole_end_us - period.whole_start_us)


def _one_step(price: Price) -> Tiers:
    """A price without tiers, among others that have some."""
    return Tiers(steps=[Step(price=price)])


def _step_name(low: int, end: int | None) -> str:
    if end is None:
        return f"over {_kwh(low)} kWh" if low else ""
    return f"up to {_kwh(end)} kWh" if not low else f"{_kwh(low)} to {_kwh(end)} kWh"


def _kwh(milliwh: int) -> str:
    return f"{Decimal(milliwh) / MILLIWH_PER_KWH:.3f}".rstrip("0").rstrip(".")
