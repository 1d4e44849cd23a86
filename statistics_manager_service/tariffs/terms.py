"""Contracts in time: which tariff holds when, and the segments in which all of its prices stay what they are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, civil_days, midnight_us
from statistics_manager_service.tariffs.clockwork import Clockwork
from statistics_manager_service.tariffs.document import Component, Energy, Peak, Tariff
from statistics_manager_service.tariffs.prices import ParameterValue, Tiered
from statistics_manager_service.tariffs.resolving import changes_of, holds, parts_of, prices_of

BOTH, IMPORT, EXPORT = "both", "import", "export"
FLOWS: Final = (BOTH, IMPORT, EXPORT)


class TariffInForce:
    """A tariff with its schedules at work, made once for each revision."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.clockwork = Clockwork(tariff.calendars, tariff.time_zone)
        self.changes = changes_of(tariff)
        self.counts_by_year = any(
            isinstance(part, Tiered) and part.tiers.per == "year"
            for _, price in prices_of(tariff)
            for _, part in parts_of(price)
        )


@dataclass(frozen=True, slots=True)
class Term:
    """A contract: a tariff that holds from start to end for the import, the export or both, by its parameters.

    start_us, end_us: when the contract holds and its tariff is valid, cut to the time that is asked for.
    """

    inforce: TariffInForce
    flow: str
    parameters: Mapping[str, ParameterValue]
    start_us: int
    end_us: int

    @property
    def tariff(self) -> Tariff:
        """The tariff."""
        return self.inforce.tariff

    @property
    def prices_import(self) -> bool:
        """Whether it prices what is imported."""
        return self.flow != EXPORT

    @property
    def prices_export(self) -> bool:
        """Whether it prices what is exported."""
        return self.flow != IMPORT

    def components(self) -> list[Component]:
        """The components that the contract has, of its flow."""
        return [
            one
            for one in self.tariff.components
            if self._has_flow(one) and (one.when is None or holds(one.when, self.parameters))
        ]

    def _has_flow(self, component: Component) -> bool:
        flow = component.flow if isinstance(component, Energy | Peak) else None
        return flow is None or (self.prices_import if flow == IMPORT else self.prices_export)


def parameters_of(tariff: Tariff, told: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """The tariff's parameters as a contract tells them."""
    return {**tariff.parameters, **told}


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A billing period, cut to what is asked for. whole_*: where it would begin and end if it were not cut."""

    start_us: int
    end_us: int
    whole_start_us: int
    whole_end_us: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a billing period in which one contract holds and its prices do not change.

    first, last: the pieces of time of it, last not included. on: the date at whose prices it is billed. days: civil
    days, exact. share: of the days of the whole billing period.
    """

    number: int
    period: int
    start_us: int
    end_us: int
    first: int
    last: int
    on: date
    days: Fraction
    share: Fraction


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring segments of a term that have the same prices."""

    term: Term
    on: date
    segments: list[Segment] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first piece."""
        return self.segments[0].first

    @property
    def last(self) -> int:
        """Behind the last piece."""
        return self.segments[-1].last


def stretches_of(term: Term, periods: Sequence[BillingPeriod], edges_us: Int64) -> list[Stretch]:
    """A term cut at the edges of billing periods and where its prices change. edges_us: of the pieces of time, among
    them all of these cuts."""
    zone = term.tariff.time_zone
    changes_us = [midnight_us(zone, day) for day in term.inforce.changes]
    found: list[Stretch] = []
    known: list[int] = []  # the changes before the stretch
    for number, period in enumerate(periods):
        start_us, end_us = max(period.start_us, term.start_us), min(period.end_us, term.end_us)
        if start_us >= end_us:
            continue
        whole_days = civil_days(zone, period.whole_start_us, period.whole_end_us)
        for begin_us, stop_us in itertools.pairwise(sorted({start_us, *_changes_us(term, start_us, end_us), end_us})):
            before = [one for one in changes_us if one <= begin_us]
            on = civil_date(zone, begin_us)
            if not found or before != known:
                found.append(Stretch(term, on))
                known = before
            first, last = np.searchsorted(edges_us, (begin_us, stop_us)).tolist()
            days = civil_days(zone, begin_us, stop_us)
            segments = found[-1].segments
            segments.append(Segment(len(segments), number, begin_us, stop_us, first, last, on, days, days / whole_days))
    return found


def _changes_us(term: Term, start_us: int, end_us: int) -> list[int]:
    """The instants between two at which a price changes, or the energy of tiers by the year is counted anew."""
    zone, inforce = term.tariff.time_zone, term.inforce
    days = [*inforce.changes]
    if inforce.counts_by_year:
        first, last = (civil_date(zone, one).year for one in (start_us, end_us))
        days += [date(year, 1, 1) for year in range(first + 1, last + 1)]
    return [one for one in (midnight_us(zone, day) for day in days) if start_us < one < end_us]


def cuts_of(terms: Sequence[Term], periods: Sequence[BillingPeriod]) -> list[int]:
    """All instants at which pieces of time have to begin: edges of terms and periods, and changes of prices."""
    cuts = {edge for one in periods for edge in (one.start_us, one.end_us)}
    for term in terms:
        cuts |= {term.start_us, term.end_us, *_changes_us(term, term.start_us, term.end_us)}
    return sorted(cuts)
