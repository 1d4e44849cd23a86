"""Netting: import and export set against each other before they are priced, as contracts have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from statistics_manager_service.core.pricing import net, net_labelled
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import civil_date, intervals, midnight_us, months_later
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.tariffs.document import Energy, Peak
from statistics_manager_service.tariffs.peaks import first_month_needed
from statistics_manager_service.tariffs.terms import BillingPeriod, Term
from statistics_manager_service.tariffs.usage import Flows

_QUARTERS: Final = {"PT15M": 1, "PT30M": 2, "PT1H": 4}
_YEAR, _BILLING_PERIOD, _NONE = "P1Y", "billing_period", "none"


class Netting:
    """How the contracts of a time set import and export against each other: by the contract for the import where there
    is one, else by that for the export. Worked out once, for any homes."""

    def __init__(self, terms: Sequence[Term], periods: Sequence[BillingPeriod], edges_us: Int64) -> None:
        self.terms, self._size = terms, len(edges_us) - 1
        self._parts: list[tuple[int, int, Int64, bool]] = []
        for term, start_us, end_us in _ruled(terms):
            if term.tariff.metering.netting == _NONE:
                continue
            first, last = np.searchsorted(edges_us, (start_us, end_us)).tolist()
            if first < last:
                self._parts.append((first, last, *_groups(term, periods, edges_us[first : last + 1])))

    def netted(self, flows: Flows) -> Flows:
        """Import and export as they are billed."""
        if not self._parts:
            return flows
        if len(self._parts) == 1 and self._parts[0][:2] == (0, self._size):
            imported, exported = _net(flows.imported, flows.exported, *self._parts[0][2:])
            return replace(flows, imported=imported, exported=exported)
        imported, exported = flows.imported.copy(), flows.exported.copy()
        for first, last, group, is_labelled in self._parts:
            part = (slice(None), slice(first, last))
            imported[part], exported[part] = _net(imported[part], exported[part], group, is_labelled)
        return replace(flows, imported=imported, exported=exported)


def _net(imported: Int64, exported: Int64, group: Int64, is_labelled: bool) -> tuple[Int64, Int64]:
    return net_labelled(imported, exported, group) if is_labelled else net(imported, exported, group)


def _ruled(terms: Sequence[Term]) -> list[tuple[Term, int, int]]:
    """The contracts, and the times whose netting they rule."""
    found = [(one, one.start_us, one.end_us) for one in terms if one.prices_import]
    taken = sorted((start_us, end_us) for _, start_us, end_us in found)
    for one in terms:
        if one.prices_import:
            continue
        at_us = one.start_us
        for start_us, end_us in taken:
            if at_us < start_us < one.end_us:
                found.append((one, at_us, start_us))
            at_us = max(at_us, end_us)
        if at_us < one.end_us:
            found.append((one, at_us, one.end_us))
    return found


def _groups(term: Term, periods: Sequence[BillingPeriod], edges_us: Int64) -> tuple[Int64, bool]:
    """Where groups of neighbouring pieces of time begin; or the group of each piece, and True."""
    netting, starts_us = term.tariff.metering.netting, edges_us[:-1]
    if netting in _QUARTERS:
        return intervals(term.tariff.time_zone, starts_us, _QUARTERS[netting] * QUARTER_US), False
    if netting == _BILLING_PERIOD:
        edges = sorted({one.whole_start_us for one in periods} | {one.whole_end_us for one in periods})
    else:
        edges = netting_years(term, int(starts_us[0]), int(edges_us[-1]))
    group = np.searchsorted(np.array(edges, np.int64), starts_us, side="right")
    if term.tariff.metering.by is not None:
        clockwork, quarters = term.inforce.clockwork, starts_us // QUARTER_US
        first, count = int(quarters[0]), int(quarters[-1] - quarters[0]) + 1
        label = clockwork.labels(term.tariff.metering.by, first, count)[quarters - first]
        group = group * (len(clockwork.periods(term.tariff.metering.by)) + 1) + label + 1
    _, numbered = np.unique(group, return_inverse=True)
    return numbered.astype(np.int64), True


def netting_years(term: Term, start_us: int, end_us: int) -> list[int]:
    """The instants at which a netting over a year begins anew, from the last at or before a start."""
    zone, metering = term.tariff.time_zone, term.tariff.metering
    month, on = int(metering.year_begins[:2]), int(metering.year_begins[3:])
    year = civil_date(zone, start_us).year - 1
    found: list[int] = []
    while (edge := midnight_us(zone, date(year, month, on))) < end_us:
        found.append(edge)
        year += 1
    return [edge for i, edge in enumerate(found) if i + 1 == len(found) or found[i + 1] > start_us]


def needed_span(terms: Sequence[Term], periods: Sequence[BillingPeriod]) -> tuple[int, int]:
    """From when until when energies have to be known: before and behind the periods where a component looks there."""
    start_us, end_us = periods[0].whole_start_us, periods[-1].whole_end_us
    first_us, last_us = start_us, end_us
    for term in terms:
        begin_us, stop_us = max(start_us, term.start_us), min(end_us, term.end_us)
        if begin_us >= stop_us:
            continue
        zone = term.tariff.time_zone
        if term.tariff.metering.netting == _YEAR:
            edges = netting_years(term, begin_us, stop_us)
            first_us = min(first_us, max(edges[0], term.start_us))
            last = civil_date(zone, edges[-1])
            last_us = max(last_us, min(midnight_us(zone, last.replace(year=last.year + 1)), term.end_us))
        month = civil_date(zone, begin_us).replace(day=1)
        for component in term.components():
            if isinstance(component, Peak):
                first_us = min(first_us, midnight_us(zone, first_month_needed(component, month)))
                last_month = civil_date(zone, stop_us - 1)
                last_us = max(last_us, midnight_us(zone, months_later(last_month, 1)))
        if term.inforce.counts_by_year and any(isinstance(one, Energy) for one in term.components()):
            first_us = min(first_us, max(midnight_us(zone, month.replace(month=1)), term.start_us))
    return first_us, last_us
