"""The bill of a segment: its components one after another, as later ones may hang on earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from statistics_manager_service.core.decimals import exact_sum
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.tariffs.document import (
    Capacity,
    Component,
    Credit,
    Energy,
    Fixed,
    Minimum,
    Peak,
    Percentage,
)
from statistics_manager_service.tariffs.energy import Amount
from statistics_manager_service.tariffs.items import Item, SegmentBill, Taxed
from statistics_manager_service.tariffs.lines import lines_of_item
from statistics_manager_service.tariffs.peaks import peak_amounts
from statistics_manager_service.tariffs.quantities import price_unit_of, quantity, unit_of
from statistics_manager_service.tariffs.resolving import number
from statistics_manager_service.tariffs.taxing import UNTAXED, TaxRule
from statistics_manager_service.tariffs.terms import BillingPeriod, Segment, Term
from statistics_manager_service.tariffs.usage import Usage

_DAYS_PER_YEAR = 365


class SegmentMaker:
    """A segment of a contract, ready to bill any home: what hangs on no energy is worked out once."""

    def __init__(self, term: Term, segment: Segment, period: BillingPeriod, rules: Mapping[str, TaxRule]) -> None:
        self.term, self.segment, self._period, self._rules = term, segment, period, rules
        self._components = term.components()
        self._fixed: dict[str, Item] = {}
        for one in self._components:
            is_fixed = isinstance(one, Fixed | Capacity) or (isinstance(one, Credit) and one.cap is None)
            if is_fixed and self._rule(one).below is None and not isinstance(one, Energy | Peak | Percentage | Minimum):
                item = _Making(self, 0, None).item(one, [self.fixed(one)])
                self._fixed[one.id] = replace(item, lines=tuple(lines_of_item(term, segment, item)))

    def made(self, energies: Mapping[str, Sequence[Amount]], billed_milliwh: int, metered: Usage) -> SegmentBill:
        """The bill of the segment. energies: amounts of the components of energy; billed_milliwh: all that is billed
        in it; metered: as the meters told, for demands."""
        making = _Making(self, billed_milliwh, metered)
        for component in self._components:
            known = self._fixed.get(component.id)
            if known is not None:
                making.items[component.id] = known
                continue
            amounts = making.amounts(component, energies)
            if amounts:
                making.items[component.id] = making.item(component, amounts)
        return SegmentBill(self.term, self.segment, tuple(making.items.values()))

    def _rule(self, component: Component) -> TaxRule:
        return self._rules[component.tax] if component.tax is not None else UNTAXED

    def rule(self, component: Component) -> TaxRule:
        """The tax of a component."""
        return self._rule(component)

    def number(self, component: Fixed | Capacity | Credit | Minimum) -> Fraction:
        """The price of a component."""
        return Fraction(number(component.price, self.term.parameters, self.segment.on))

    def rate(self, component: Percentage) -> Fraction:
        """The rate of a percentage."""
        return Fraction(number(component.rate, self.term.parameters, self.segment.on))

    def fixed(self, component: Fixed | Capacity | Credit | Minimum) -> Amount:
        """What a component comes to before anything else is known: of a credit negative, of a minimum all of it."""
        segment = self.segment
        count = quantity(component.basis, component.proration, self.term.tariff, segment, self._period)
        price = self.number(component)
        unit, price_unit = unit_of(component.basis), price_unit_of(component.basis)
        if isinstance(component, Capacity):
            if component.basis == "per_year" and component.year_days == _DAYS_PER_YEAR:
                count = segment.days / _DAYS_PER_YEAR
            power = self.term.parameters[component.of]
            count *= Fraction(power) if not isinstance(power, bool) else 0
            unit, price_unit = f"kW·{unit}", f"kW·{price_unit}"
        if isinstance(component, Credit):
            price = -price
        return Amount(segment, None, count, unit, price, price_unit, count * price)


class _Making:
    """The items of a segment of one home, in the making."""

    def __init__(self, maker: SegmentMaker, billed_milliwh: int, metered: Usage | None) -> None:
        self._maker, self._metered = maker, metered
        self._billed_kwh = Fraction(billed_milliwh, MILLIWH_PER_KWH)
        self.items: dict[str, Item] = {}

    def amounts(self, component: Component, energies: Mapping[str, Sequence[Amount]]) -> list[Amount]:
        """What a component comes to."""
        maker = self._maker
        if isinstance(component, Energy):
            return self._capped(component, list(energies.get(component.id, ())))
        if isinstance(component, Peak):
            if self._metered is None:
                return []
            flow = self._metered.import_milliwh if component.flow == "import" else self._metered.export_milliwh
            return list(peak_amounts(component, maker.term, maker.segment, flow, self._metered.edges_us))
        if isinstance(component, Percentage):
            return [self._percentage(component)]
        amount = maker.fixed(component)
        if isinstance(component, Credit) and component.cap is not None:
            return [replace(amount, amount=max(amount.amount, min(Fraction(0), -self._sum(component.cap.of))))]
        if isinstance(component, Minimum):
            lacking = amount.amount - self._sum(component.of or list(self.items))
            return [Amount(maker.segment, None, Fraction(1), "", None, None, lacking)] if lacking > 0 else []
        return [amount]

    def _percentage(self, component: Percentage) -> Amount:
        rate, base = self._maker.rate(component), self._sum(component.of)
        amount = base * rate
        if component.floor is not None:
            amount = max(amount, Fraction(component.floor.per_kwh) * self._billed_kwh)
        return Amount(self._maker.segment, None, base, self._maker.term.tariff.currency, rate, None, amount)

    def _capped(self, component: Energy, amounts: list[Amount]) -> list[Amount]:
        """What is paid for an export, at most what some components come to."""
        if component.cap is None:
            return amounts
        paid = -exact_sum(one.amount for one in amounts)
        most = max(Fraction(0), self._sum(component.cap.of))
        if paid <= most:
            return amounts
        return [replace(one, amount=one.amount * most / paid) for one in amounts]

    def _sum(self, ids: Iterable[str]) -> Fraction:
        return exact_sum(self.items[id].net for id in ids if id in self.items)

    def item(self, component: Component, amounts: Sequence[Amount]) -> Item:
        """The amounts of a component with their taxes."""
        maker = self._maker
        rule = maker.rule(component)
        taxed: list[Taxed] = []
        by_label: dict[str | None, Fraction] = {}
        if rule.shares is not None:
            for one in amounts:
                by_label[one.label] = by_label.get(one.label, Fraction(0)) + one.quantity
        shares = rule.parts(maker.segment, self._billed_kwh) if rule.shares is None else ()
        for one in amounts:
            parts = shares or rule.parts_of_period(maker.segment, one.label, by_label.get(one.label, Fraction(0)))
            for share, rate in parts:
                net = one.amount if share == 1 else one.amount * share
                if rule.included:
                    net /= 1 + rate
                taxed.append((one, share, rate, net, net * rate if rate else _NOTHING))
        return Item(component, rule, tuple(amounts), tuple(taxed))


_NOTHING = Fraction(0)
