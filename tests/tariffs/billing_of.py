"""Bills for tests: a tariff document over energies that a test tells, worked out by the engine, line by line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.decimals import decimals_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import midnight_us, months_later
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.tariffs.billing import Bill, Plan, Usage, needed_span
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.energy import SeriesSource, no_series
from statistics_manager_service.tariffs.lines import lines_of
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.statement import Line
from statistics_manager_service.tariffs.terms import BillingPeriod, TariffInForce, Term, cuts_of, parameters_of

DOCUMENTS = Path(__file__).parent / "documents"

#: Energy told by when: the quarter-hour that begins there (by the tariff's clock), and how many kWh.
Told = Mapping[str, str | Decimal | Fraction]


def document(name: str) -> dict[str, Any]:
    """A document of tests/tariffs/documents/."""
    told: dict[str, Any] = yaml.safe_load((DOCUMENTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return told


def small(*components: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A document of some components; rounds nothing unless told."""
    return {
        "id": "small", "currency": "EUR", "time_zone": "Europe/Lisbon", "valid": {"from": "2020-01-01"},
        "components": list(components), "rounding": {"at": "none"}, **others,
    }  # fmt: skip


def at_us(zone: str, when: str | date | int) -> int:
    """An instant: microseconds, a date, or wall time of a zone as text."""
    if isinstance(when, int):
        return when
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
        when = when.date() if (when.hour, when.minute, when.second) == (0, 0, 0) else when
    return instant_us(zone, when)


def month_periods(zone: str, first: str, count: int) -> list[BillingPeriod]:
    """Civil months as billing periods. first: YYYY-MM."""
    begin = date.fromisoformat(f"{first}-01")
    edges = [midnight_us(zone, months_later(begin, i)) for i in range(count + 1)]
    return [BillingPeriod(a, b, a, b) for a, b in itertools.pairwise(edges)]


def one_period(zone: str, start: str | int, end: str | int) -> list[BillingPeriod]:
    """A single billing period."""
    a, b = at_us(zone, start), at_us(zone, end)
    return [BillingPeriod(a, b, a, b)]


def edges_of(terms: Sequence[Term], periods: Sequence[BillingPeriod], more_us: Sequence[int] = ()) -> Int64:
    """Pieces of time over all that the terms need: quarter-hours, and all cuts."""
    first_us, last_us = needed_span(terms, periods)
    grid = np.arange(-(-first_us // QUARTER_US), last_us // QUARTER_US + 1, dtype=np.int64) * QUARTER_US
    cuts = [one for one in (first_us, last_us, *cuts_of(terms, periods), *more_us) if first_us <= one <= last_us]
    return np.union1d(grid, np.array(cuts, np.int64))


def milliwh(kwh: str | Decimal | Fraction | int) -> int:
    """kWh as whole milliwatt-hours, rounded down."""
    return int(Fraction(kwh) * MILLIWH_PER_KWH)


def energy(edges_us: Int64, zone: str, told: Told) -> Int64:
    """Energies of pieces of time, (m,), from the quarter-hours that are told; those outside are not looked at."""
    column = np.zeros(len(edges_us) - 1, np.int64)
    for when, kwh in told.items():
        place = int(np.searchsorted(edges_us, at_us(zone, when), side="right")) - 1
        if 0 <= place < len(column):
            column[place] += milliwh(kwh)
    return column


@dataclass(frozen=True)
class Billed:
    """A bill, the plan it was made by, its lines."""

    plan: Plan
    bill: Bill
    periods: list[list[Line]]

    @property
    def lines(self) -> list[Line]:
        """All lines."""
        return [line for some in self.periods for line in some]

    @property
    def net(self) -> Fraction:
        return sum((one.net for one in self.lines), Fraction(0))

    @property
    def gross(self) -> Fraction:
        return sum((one.gross for one in self.lines), Fraction(0))

    def amount(self, component: str, period: str | None = None, rate: str | None = None) -> Fraction:
        """The net amount of a component, of one of its periods, at one of its rates."""
        return sum((one.net for one in self.of(component, period, rate)), Fraction(0))

    def taxed(self, component: str, period: str | None = None, rate: str | None = None) -> Fraction:
        """The amount with tax."""
        return sum((one.gross for one in self.of(component, period, rate)), Fraction(0))

    def of(self, component: str, period: str | None = None, rate: str | None = None) -> list[Line]:
        """The lines of a component."""
        found = [one for one in self.lines if one.component == component]
        found = [one for one in found if period is None or one.period == period]
        found = [one for one in found if rate is None or one.tax_rate == Decimal(rate)]
        assert found, f"no line {component} {period} {rate} among {[(x.component, x.period) for x in self.lines]}"
        return found


def term_of(
    told: dict[str, Any] | Tariff,
    start: str | int,
    end: str | int,
    parameters: Mapping[str, Any] | None = None,
    flow: str = "both",
) -> Term:
    """A contract by a tariff, from start to end."""
    tariff = told if isinstance(told, Tariff) else read_tariff(told)
    zone = tariff.time_zone
    return Term(
        TariffInForce(tariff), flow, parameters_of(tariff, parameters or {}), at_us(zone, start), at_us(zone, end)
    )


def bill(
    terms: Sequence[Term] | Term,
    periods: Sequence[BillingPeriod],
    imported: Told | Int64,
    exported: Told | Int64 | None = None,
    source: SeriesSource = no_series,
    meters: Mapping[str, Told] | None = None,
    edges_us: Int64 | None = None,
) -> Billed:
    """Bill a home. imported, exported: kWh by quarter-hour, or a column over the pieces of time."""
    terms = [terms] if isinstance(terms, Term) else list(terms)
    zone = terms[0].tariff.time_zone
    edges = edges_of(terms, periods) if edges_us is None else edges_us
    columns = [one if isinstance(one, np.ndarray) else energy(edges, zone, one or {}) for one in (imported, exported)]
    usage = Usage(edges, *columns, {name: energy(edges, zone, one) for name, one in (meters or {}).items()})
    plan = Plan(terms, periods, edges, source)
    made = plan.bill(usage)
    return Billed(plan, made, lines_of(made))


def bill_of(
    told: dict[str, Any] | Tariff,
    start: str | int,
    end: str | int,
    imported: Told | Int64,
    exported: Told | Int64 | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    source: SeriesSource = no_series,
    meters: Mapping[str, Told] | None = None,
    flow: str = "both",
) -> Billed:
    """Bill a home for one billing period by one contract."""
    term = term_of(told, start, end, parameters, flow)
    periods = one_period(term.tariff.time_zone, start, end)
    return bill(term, periods, imported, exported, source, meters)


def series(values: Mapping[str, Mapping[int, str | Decimal]]) -> SeriesSource:
    """A source of series: by name, the value of each quarter-hour (since 1970) that is known."""

    def source(name: str, first: int, count: int) -> Any:
        told = values.get(name, {})
        known = np.array([first + i in told for i in range(count)], np.bool_)
        return decimals_of([Decimal(told.get(first + i, 0)) for i in range(count)]), known

    return source


def quarter(zone: str, when: str) -> int:
    """The quarter-hour (since 1970) that begins at a wall time of a zone."""
    return at_us(zone, when) // QUARTER_US


def shown(lines: Sequence[Line]) -> str:
    """Lines as text, for a test's message."""
    return "\n".join(
        f"{one.component:16} {one.period or '':16} {float(one.quantity):12.4f} {one.unit:8} {float(one.net):12.4f} "
        f"{one.tax_rate} {float(one.gross):12.4f}"
        for one in lines
    )
