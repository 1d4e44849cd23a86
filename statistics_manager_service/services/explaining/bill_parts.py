"""The parts of a bill that a time has: components with their prices and taxes, and how they are spread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.services.explaining.figures import (
    MOST_LISTED,
    decimal_text,
    exact_text,
    kwh,
    label,
)
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.services.money.cost_curves import (
    EXPORT,
    FIXED,
    IMPORT,
    PER_CURRENCY,
    CostCurve,
    Spread,
    energy_of,
)
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.prices.price_series import quarters_as_told
from statistics_manager_service.tariffs.energy import EnergyPrice
from statistics_manager_service.tariffs.terms import Stretch

_EVENLY: Final = "evenly over the time from `from` to `to`: weights are microseconds"
_BY_COST: Final = (
    "as the energy arises: a quarter-hour's weight is its energy in mWh × its price, in units of 10^-{places} of the "
    "currency a kWh"
)
_BY_ENERGY: Final = "as the energy arises: a quarter-hour's weight is its energy in mWh (of tiers)"
_TOTALS: Final = "running = (gross + percentages) × weight / whole weight, rounded half up to a billionth"


def contracts_told(billed: Billed, zone: str) -> list[dict[str, Any]]:
    """The contracts of the time that was billed, with the revision of their tariffs' documents."""
    return [
        {
            "tariff": one.tariff.id,
            "title": one.tariff.title,
            "flow": one.flow,
            "from": civil_label(zone, one.start_us),
            "to": civil_label(zone, one.end_us),
            "parameters": {name: _plain(value) for name, value in one.parameters.items()},
            "netting": one.tariff.metering.netting,
        }
        for one in billed.plan.terms
    ]


def rules_told(billed: Billed, start_us: int, end_us: int) -> list[dict[str, Any]]:
    """The components and taxes of the tariffs of a time, as their documents have them."""
    found: dict[str, dict[str, Any]] = {}
    for one in billed.plan.terms:
        if one.tariff.id not in found and one.start_us < end_us and one.end_us > start_us:
            components = [_document(component) for component in one.components()]
            taxes = {name: _document(tax) for name, tax in one.tariff.taxes.items()}
            found[one.tariff.id] = {"tariff": one.tariff.id, "components": components, "taxes": taxes}
    return list(found.values())


def _document(part: BaseModel) -> Any:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | str) else float(value)


class BillParts:
    """What a bill comes to from start to end. now_us: what is fixed counts until then."""

    def __init__(self, billed: Billed, start_us: int, end_us: int, now_us: int) -> None:
        self._billed, self._now_us = billed, now_us
        self._edges_us = np.array([start_us, end_us], np.int64)
        self._curve = CostCurve(billed.plan, billed.bill)
        first, last = np.searchsorted(billed.plan.edges_us, self._edges_us).tolist()
        self._first, self._last = first, last

    def running(self, role: str) -> tuple[int, int]:
        """The running total of a role at the start and at the end, in billionths of the currency."""
        start, end = self._curve.at(self._edges_us, role, self._until(role))
        return start, end

    def _until(self, role: str) -> int | None:
        return self._now_us if role == FIXED else None

    def _spreads(self, role: str) -> Iterator[Spread]:
        """The amounts whose time is not all before the start, nor all behind the end."""
        for one in self._curve.spreads:
            segment = one.bill.segment
            if one.role == role and segment.start_us < self._edges_us[1] and segment.end_us > self._edges_us[0]:
                yield one

    def told(self, role: str) -> list[dict[str, Any]]:
        """The components of a role: amounts, taxes, how they are spread, and what of them lies in the time."""
        return [self._told(one, role) for one in self._spreads(role)]

    def _told(self, one: Spread, role: str) -> dict[str, Any]:
        item, segment = one.item, one.bill.segment
        sign = -1 if role == EXPORT else 1
        part, whole = one.shape(self._curve.edges_us, self._edges_us, self._until(role))
        start, end = one.at(self._curve.edges_us, self._edges_us, self._until(role))
        return {
            "role": role,
            "tariff": one.bill.term.tariff.id,
            "component": item.component.id,
            "title": item.component.title or item.component.id,
            "from": label(segment.start_us),
            "to": label(segment.end_us),
            "days": exact_text(segment.days),
            "amounts": [_amount(taxed, sign, included=item.rule.included) for taxed in item.taxed],
            "gross": exact_text(item.gross * sign),
            "percentages": exact_text((one.gross - item.gross) * sign),
            "spread": _EVENLY if one.is_even else self._spread_text(one),
            "weight": {"start": str(part[0]), "end": str(part[1]), "whole": str(whole)},
            "running": {"start": _money(start), "end": _money(end), "how": _TOTALS},
            "in_time": _money(end - start),
        }

    def _spread_text(self, one: Spread) -> str:
        for stretch, prices, _ in self._billed.plan.energy_prices():
            if stretch.term is one.bill.term and one.bill.segment in stretch.segments:
                linear = prices[one.item.component.id].linear
                if linear is not None:
                    return _BY_COST.format(places=linear.prices().places)
        return _BY_ENERGY

    def energy_by_price(self, roles: Iterable[str]) -> list[dict[str, Any]]:
        """What flowed in the time at each price, as it is billed, by component and period."""
        wanted = set(roles)
        found: list[dict[str, Any]] = []
        for stretch, prices, _ in self._billed.plan.energy_prices():
            for price in prices.values():
                if (EXPORT if price.component.flow == "export" else IMPORT) in wanted:
                    found += self._by_price(stretch, price)
        return found

    def _by_price(self, stretch: Stretch, price: EnergyPrice) -> list[dict[str, Any]]:
        first, last = max(stretch.first, self._first), min(stretch.last, self._last)
        if first >= last:
            return []
        energy = energy_of(price, self._billed.bill)[first:last]
        base = {
            "tariff": stretch.term.tariff.id,
            "component": price.component.id,
            "from": label(self._billed.plan.edges_us[first]),
            "to": label(self._billed.plan.edges_us[last]),
            "energy_kwh": kwh(energy.sum()),
        }
        linear = price.linear
        if linear is None:
            return [{**base, "note": "priced by tiers: see the amounts of the component"}]
        size = stretch.last - stretch.first
        column = linear.prices().spread(size)
        units = column.units[first - stretch.first : last - stretch.first]
        known = np.ones(last - first, np.bool_)
        if linear.known is not None:
            known = linear.known[first - stretch.first : last - stretch.first]
        labels = None if linear.label is None else linear.label[first - stretch.first : last - stretch.first]
        scale = 10**column.places
        period = np.zeros(last - first, np.int64) if labels is None else np.maximum(labels, 0).astype(np.int64)
        told, cost = [], 0
        for name in np.unique(period[known]).tolist():
            mine = known & (period == name)
            each, place = np.unique(units[mine], return_inverse=True)
            sums = np.zeros(len(each), np.int64)
            np.add.at(sums, place, energy[mine])
            for unit, milliwh in zip(each.tolist(), sums.tolist(), strict=True):
                cost += unit * milliwh
                price_text = exact_text(Fraction(unit, scale))
                told.append({"period": linear.labels[name], "price": price_text, "energy_kwh": kwh(milliwh)})
        exact = exact_text(Fraction(cost, scale * MILLIWH_PER_KWH))
        more: dict[str, Any] = {"energy_times_price": exact, "prices": len(told), "by_price": told[:MOST_LISTED]}
        lost = int(energy[~known].sum())
        return [{**base, **more, **({"without_price_kwh": kwh(lost)} if lost else {})}]

    def lines(self, roles: Iterable[str]) -> list[str]:
        """The amounts of the time, as lines of the canonical text."""
        found = []
        for role in roles:
            for one in self._spreads(role):
                segment, item = one.bill.segment, one.item
                name = f"{one.bill.term.tariff.id} {item.component.id}"
                amount = exact_text(one.gross * (-1 if role == EXPORT else 1))
                found.append(f"amount {role} {name} {label(segment.start_us)} {label(segment.end_us)} {amount}")
        return found


def series_told(
    billed: Billed, view: ReadView, start_us: int, end_us: int, until_us: int | None
) -> list[dict[str, Any]]:
    """The series of prices that the tariffs name: where they come from, and what they tell of the time."""
    found: dict[str, dict[str, Any]] = {}
    first, last = start_us // QUARTER_US, -(-end_us // QUARTER_US)
    for term in billed.plan.terms:
        for key, told in term.tariff.series.items():
            name = told.name or key
            series = view.price_series(name)
            if series is None or name in found or term.end_us <= start_us or term.start_us >= end_us:
                continue
            values, known = quarters_as_told(view, series, first, last - first, until_us)
            rows = np.flatnonzero(known)
            found[name] = {
                "name": name,
                "unit": series.unit,
                "source": series.source,
                "interval_s": series.interval_s,
                "quarters_known": len(rows),
                "quarters": last - first,
                "missing": told.missing,
            }
            if len(known) <= MOST_LISTED:
                starts_us = (first + np.arange(len(known))) * QUARTER_US
                rows_told = zip(iso_labels(starts_us, None), range(len(known)), known.tolist(), strict=True)
                found[name]["values"] = [
                    {"at": at, "value": exact_text(values.at(i)) if is_known else None} for at, i, is_known in rows_told
                ]
            for which, row in (("first", rows[:1]), ("last", rows[-1:])):
                for i in row.tolist():
                    value = exact_text(values.at(i))
                    found[name][which] = {"at": label((first + i) * QUARTER_US), "value": value}
    return list(found.values())


def _amount(taxed: tuple[Any, Fraction, Fraction, Fraction, Fraction], sign: int, *, included: bool) -> dict[str, Any]:
    """A part of a component that one rate taxes. sign: −1 of what is paid for export, which a bill takes off."""
    amount, share, rate, net, tax = taxed
    told: dict[str, Any] = {
        "period": amount.period,
        "quantity": exact_text(amount.count.fraction * share),
        "unit": amount.unit,
        "unit_price": None if amount.price is None else exact_text(amount.price),
        "price_unit": amount.price_unit,
        "net": exact_text(net * sign),
        "tax_rate": decimal_text(rate),
        "tax": exact_text(tax * sign),
    }
    if included:
        told["note"] = "the unit price includes the tax"
    if amount.substituted:
        told["at_prices_that_stand_in_kwh"] = kwh(round(amount.substituted_milliwh))
    if amount.unknown:
        told["without_price_kwh"] = kwh(round(amount.unknown_milliwh))
    return told


def _money(units: int) -> str:
    return exact_text(Fraction(units, PER_CURRENCY))


def price_lines(billed: Billed, start_us: int, end_us: int) -> list[str]:
    """The prices of the time, a line where one changes: it holds until the next one of the same name."""
    edges_us = billed.plan.edges_us
    inside = np.searchsorted(edges_us, (start_us, end_us)).tolist()
    found: list[str] = []
    for stretch, prices, _ in billed.plan.energy_prices():
        first, last = max(stretch.first, inside[0]), min(stretch.last, inside[1])
        if first >= last:
            continue
        for price in prices.values():
            found += _runs(stretch, price, edges_us[first:last], first - stretch.first)
    return found


def _runs(stretch: Stretch, price: EnergyPrice, starts_us: Int64, offset: int) -> Iterator[str]:
    linear = price.linear
    if linear is None:
        return  # of tiers the amounts tell
    head = f"price {stretch.term.tariff.id} {price.component.id}"
    column = linear.prices().spread(stretch.last - stretch.first)
    part = slice(offset, offset + len(starts_us))
    units = column.units[part]
    known = np.ones(len(units), np.bool_) if linear.known is None else linear.known[part]
    changes = np.append(True, (units[1:] != units[:-1]) | (known[1:] != known[:-1]))
    rows = np.flatnonzero(changes)
    texts: dict[int, str] = {}
    told = zip(iso_labels(starts_us[rows], None), units[rows].tolist(), known[rows].tolist(), strict=True)
    for at, unit, is_known in told:
        if unit not in texts:
            texts[unit] = exact_text(Fraction(unit, 10**column.places))
        yield f"{head} {at} {texts[unit] if is_known else 'null'}"
