"""Why one tariff costs less than another: the lines that differ, by what they are, the largest differences first.

Energy is looked at by the periods of a schedule: that of the one tariff, or of the other where the one has none. What
the other costs in the same hours stands beside it, whatever its own periods are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.schedules import NONE
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US, US_PER_HOUR
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.tariffs.billing import SegmentBill
from statistics_manager_service.tariffs.document import Energy
from statistics_manager_service.tariffs.prices import Scheduled
from statistics_manager_service.tariffs.resolving import parts_of, resolve
from statistics_manager_service.tariffs.statement import CAPACITY, CREDIT, FIXED, MINIMUM, PEAK, PERCENTAGE, Statement
from statistics_manager_service.tariffs.terms import Term

ENERGY, EXPORT, TAXES, ROUNDING = "energy", "export", "taxes", "rounding"
#: What people read, and what it does.
_WORDS: Final = {
    ENERGY: ("energy", "costs"),
    FIXED: ("the standing charge", "costs"),
    PEAK: ("the demand charge", "costs"),
    TAXES: ("tax", "costs"),
    MINIMUM: ("the minimum charge", "costs"),
    EXPORT: ("what is given to the grid", "brings"),
    CREDIT: ("credit", "brings"),
    ROUNDING: ("rounding", "costs"),
}
_BY_KIND: Final = {FIXED: FIXED, CAPACITY: FIXED, PEAK: PEAK, PERCENTAGE: TAXES, CREDIT: CREDIT, MINIMUM: MINIMUM}
_MOST_NAMED: Final = 4
_NIGHT: Final = (22, 8)
_MOSTLY: Final = 0.9
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of two bills. what: energy, fixed, peak, taxes, minimum, export, credit, rounding. amounts: before tax
    (taxes: all of them), negative where money comes in; kwh: of energy that is billed."""

    what: str
    period: str | None
    label: str
    one: Fraction
    other: Fraction
    one_kwh: Fraction | None
    other_kwh: Fraction | None

    @property
    def difference(self) -> Fraction:
        """By how much the one costs more."""
        return self.one - self.other


@dataclass(frozen=True, slots=True)
class Difference:
    """How two bills differ: their parts, which add up to the whole, the largest difference first."""

    gross: Fraction
    parts: tuple[Part, ...]

    def clauses(self, currency: str) -> str:
        """The largest differences in words, such as `energy at night (V) costs 41.20 EUR less, tax 3.10 EUR less`."""
        found, last = [], ""
        for part in [one for one in self.parts if round(abs(one.difference), 2) and one.what != ROUNDING][:_MOST_NAMED]:
            verb = _WORDS[part.what][1]
            more = (part.difference > 0) == (verb == "costs")
            words = part.label if verb == last else f"{part.label} {verb}"
            found.append(f"{words} {float(abs(part.difference)):.2f} {currency} {'more' if more else 'less'}")
            last = verb
        return ", ".join(found)


Key = tuple[str, str | None]
#: For quarter-hours (the first, how many): the place of each among `periods`, and NONE.
Labels = Callable[[int, int], NDArray[np.int8]]


@dataclass(frozen=True, slots=True)
class _Periods:
    names: tuple[str, ...]
    titles: Mapping[str, str]
    labels: Labels | None
    zone: str


def differences_of(one: tuple[Billed, Statement], other: tuple[Billed, Statement]) -> Difference:
    """How one bill differs from another of the same energy and time."""
    periods = _periods(one[0]) or _periods(other[0]) or _Periods((), {}, None, "UTC")
    sides = [_amounts(billed, periods) for billed, _ in (one, other)]
    for (_, statement), amounts in zip((one, other), sides, strict=True):
        rest = statement.gross - sum((amount for amount, _ in amounts.values()), Fraction(0))
        if rest:
            amounts[ROUNDING, None] = (rest, None)
    keys = list(dict.fromkeys((*sides[0], *sides[1])))
    when = _when(periods, one[1].start_us, one[1].end_us)
    parts = [_part(key, sides[0].get(key), sides[1].get(key), when) for key in keys]
    parts.sort(key=lambda part: -abs(part.difference))
    return Difference(one[1].gross - other[1].gross, tuple(parts))


Side = tuple[Fraction, Fraction | None]


def _part(key: Key, one: Side | None, other: Side | None, when: dict[str, str]) -> Part:
    what, period = key
    word = _WORDS[what][0]
    if what == ENERGY and period is not None:
        word = when.get(period, f"energy of {period}")
    nothing: Side = (Fraction(0), Fraction(0) if what in (ENERGY, EXPORT) else None)
    (amount, kwh), (other_amount, other_kwh) = one or nothing, other or nothing
    return Part(what, period, word, amount, other_amount, kwh, other_kwh)


def _periods(billed: Billed) -> _Periods | None:
    """The schedule by whose periods a bill's import is priced, of the contract that holds longest."""
    terms = sorted(
        (one for one in billed.plan.terms if one.prices_import), key=lambda term: term.start_us - term.end_us
    )
    for term in terms:
        on = [one.segment.on for one in billed.bill.segments if one.term is term]
        schedule = next((name for day in reversed(on) for name in _schedules(term, day)), None)
        if schedule is not None:
            clockwork = term.inforce.clockwork

            def labels(first: int, count: int, name: str = schedule, of: Term = term) -> NDArray[np.int8]:
                return of.inforce.clockwork.labels(name, first, count)

            titles = term.tariff.calendars.titles
            return _Periods(clockwork.periods(schedule), titles, labels, term.tariff.time_zone)
    return None


def _schedules(term: Term, on: date) -> list[str]:
    """The schedules by which a contract prices the import at a date."""
    found = []
    for component in term.components():
        if not isinstance(component, Energy) or component.flow != "import" or component.meter is not None:
            continue
        price = resolve(component.price, term.parameters, on)
        found += [part.schedule for _, part in parts_of(price) if isinstance(part, Scheduled)]
        found += [component.split_by] if component.split_by is not None else []
    return found


def _amounts(billed: Billed, periods: _Periods) -> dict[Key, Side]:
    """A bill's amounts, unrounded, by what they are of."""
    found: dict[Key, list[Fraction]] = {}
    energy: dict[Key, Fraction] = {}
    label = _labels_of_pieces(billed.plan.edges_us, periods)
    prices = {
        (id(stretch.term), segment.start_us): (some, stretch.first)
        for stretch, some, _ in billed.plan.energy_prices()
        for segment in stretch.segments
    }

    def add(key: Key, amount: Fraction) -> None:
        found.setdefault(key, [Fraction(0)])[0] += amount

    for one in billed.bill.segments:
        for item in one.items:
            add((TAXES, None), item.tax)
            component = item.component
            if not isinstance(component, Energy):
                add((_BY_KIND[component.kind], None), item.net)
            elif component.flow == "export":
                add((EXPORT, None), item.net)
            elif component.meter is not None:
                add((ENERGY, component.meter), item.net)
            else:
                price, first = prices[id(one.term), one.segment.start_us]
                weights = price[component.id].weights(billed.bill.netted.import_milliwh)
                part = weights[one.segment.first - first : one.segment.last - first]
                for name, share in _by_label(part, label[one.segment.first : one.segment.last], periods):
                    add((ENERGY, name), item.net * share)
        _add_energy(energy, billed, one, label, periods)
    if not found.get((TAXES, None), [Fraction(0)])[0]:
        found.pop((TAXES, None), None)
    return {key: (amount, energy.get(key)) for key, (amount,) in found.items()}


def _add_energy(energy: dict[Key, Fraction], billed: Billed, one: SegmentBill, label: Int64, periods: _Periods) -> None:
    """Add the energy that a segment bills."""
    part = slice(one.segment.first, one.segment.last)
    netted = billed.bill.netted
    if one.term.prices_import:
        for i in np.unique(label[part]).tolist():
            name = periods.names[i] if i >= 0 else None
            whole = int(netted.import_milliwh[part][label[part] == i].sum())
            energy[ENERGY, name] = energy.get((ENERGY, name), Fraction(0)) + Fraction(whole, MILLIWH_PER_KWH)
    if one.term.prices_export:
        whole = int(netted.export_milliwh[part].sum())
        energy[EXPORT, None] = energy.get((EXPORT, None), Fraction(0)) + Fraction(whole, MILLIWH_PER_KWH)


def _labels_of_pieces(edges_us: Int64, periods: _Periods) -> Int64:
    """The period of each piece of time, -1 where it has none, (m,)."""
    if periods.labels is None:
        return np.full(len(edges_us) - 1, -1, np.int64)
    quarters = edges_us[:-1] // QUARTER_US
    label = periods.labels(int(quarters[0]), int(quarters[-1] - quarters[0]) + 1)[quarters - quarters[0]]
    return np.where(label == NONE, -1, label).astype(np.int64)


def _by_label(weights: NDArray[np.int64], label: Int64, periods: _Periods) -> list[tuple[str | None, Fraction]]:
    """The share of each period in an amount."""
    there: Sequence[int] = np.unique(label).tolist()
    sums = {i: int(weights[label == i].astype(object).sum()) for i in there}
    whole = sum(sums.values())
    if not whole:
        return [(None if len(there) != 1 or there[0] < 0 else periods.names[there[0]], Fraction(1))]
    return [(periods.names[i] if i >= 0 else None, Fraction(part, whole)) for i, part in sums.items()]


def _when(periods: _Periods, start_us: int, end_us: int) -> dict[str, str]:
    """The words for energy of each period: by night where nearly all of it lies there, by day, or by its name."""
    if periods.labels is None:
        return {}
    first, last = start_us // QUARTER_US, max(end_us // QUARTER_US, start_us // QUARTER_US + 1)
    label = periods.labels(first, last - first)
    starts_us = np.arange(first, last, dtype=np.int64) * QUARTER_US
    hour = (starts_us + offsets_between(periods.zone, start_us, end_us).at(starts_us)) // US_PER_HOUR % 24
    at_night: Mask = (hour >= _NIGHT[0]) | (hour < _NIGHT[1])
    found = {}
    for i, name in enumerate(periods.names):
        mine = at_night[label == i]
        share = float(mine.mean()) if len(mine) else 0.5
        where = " at night" if share >= _MOSTLY else " by day" if share <= 1 - _MOSTLY else ""
        title = periods.titles.get(name, name)
        is_said = title.casefold() in where.split()
        found[name] = f"energy{where}" if is_said else f"energy{where} ({title})" if where else f"energy in {title}"
    return found
