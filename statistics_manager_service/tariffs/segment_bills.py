"""The bill of a billing period of a contract: its components one after another, as later ones may hang on earlier ones.

A period is billed in segments where prices change in it. What can take away or lack no more than something in the
billing period (caps, minimums) is worked out over all of its segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from statistics_manager_service.core.ratios import ONE, ZERO, Ratio, Whole, choose, total
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.tariffs.amounts import Amount
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
from statistics_manager_service.tariffs.items import Item, SegmentBill, Shares
from statistics_manager_service.tariffs.lines import lines_of_item
from statistics_manager_service.tariffs.quantities import price_unit_of, quantity, unit_of
from statistics_manager_service.tariffs.resolving import number
from statistics_manager_service.tariffs.taxing import UNTAXED, TaxRule
from statistics_manager_service.tariffs.terms import BillingPeriod, Segment, Term

_DAYS_PER_YEAR = 365
#: Amounts of energy and demand, by component.
Measured = Mapping[str, list[Amount]]


class SegmentMaker:
    """A segment of a contract, ready to bill any home: what hangs on no energy is worked out once."""

    def __init__(self, term: Term, segment: Segment, period: BillingPeriod, rules: Mapping[str, TaxRule]) -> None:
        self.term, self.segment, self._period, self._rules = term, segment, period, rules
        self.limits = {name: rule.limit(segment) for name, rule in rules.items() if rule.below is not None}
        self.components = term.components()
        self.told: dict[str, Amount] = {}
        self.items: dict[str, Item] = {}
        shares = Shares(self.limits, 0)
        for one in self.components:
            if isinstance(one, Fixed | Capacity | Credit | Minimum):
                self.told[one.id] = self._fixed(one)
            is_always = isinstance(one, Fixed | Capacity) or (isinstance(one, Credit) and one.cap is None)
            if is_always and self.rule(one).below is None:
                item = shares.item(one, self.rule(one), [self.told[one.id]])
                item.lines = tuple(lines_of_item(term, segment, item))
                self.items[one.id] = item

    def rule(self, component: Component) -> TaxRule:
        """The tax of a component."""
        return self._rules[component.tax] if component.tax is not None else UNTAXED

    def rate(self, component: Percentage) -> Fraction:
        """The rate of a percentage."""
        return Fraction(number(component.rate, self.term.parameters, self.segment.on))

    def _fixed(self, component: Fixed | Capacity | Credit | Minimum) -> Amount:
        """What a component comes to before anything else is known: of a credit negative, of a minimum all of it."""
        segment = self.segment
        count = quantity(component.basis, component.proration, self.term.tariff, segment, self._period)
        price = Fraction(number(component.price, self.term.parameters, segment.on))
        unit, price_unit = unit_of(component.basis), price_unit_of(component.basis)
        if isinstance(component, Capacity):
            if component.basis == "per_year" and component.year_days == _DAYS_PER_YEAR:
                count = segment.days / _DAYS_PER_YEAR
            power = self.term.parameters[component.of]
            count *= Fraction(power) if not isinstance(power, bool) else 0
            unit, price_unit = f"kW·{unit}", f"kW·{price_unit}"
        if isinstance(component, Credit):
            price = -price
        return Amount(segment, None, Ratio.of(count), unit, price, price_unit, Ratio.of(count * price))


def bills_of_period(measured: Sequence[tuple[SegmentMaker, Measured, Whole]]) -> list[SegmentBill]:
    """The bills of the segments of a billing period, of a home or of each of many. measured: of each segment, amounts
    of the components of energy and of demand, and all that is billed in it."""
    making = _Making([one[0] for one in measured], [one[1] for one in measured], [one[2] for one in measured])
    for component in making.makers[0].components:
        making.add(component)
    return [
        SegmentBill(maker.term, maker.segment, tuple(items.values()))
        for maker, items in zip(making.makers, making.items, strict=True)
    ]


class _Making:
    """The items of a billing period in the making, by segment."""

    def __init__(
        self, makers: Sequence[SegmentMaker], measured: Sequence[Measured], billed_milliwh: Sequence[Whole]
    ) -> None:
        self.makers, self._measured, self._billed = makers, measured, billed_milliwh
        self._shares = [Shares(maker.limits, billed) for maker, billed in zip(makers, billed_milliwh, strict=True)]
        self.items: list[dict[str, Item]] = [{} for _ in makers]

    def add(self, component: Component) -> None:
        """Work out a component in each segment."""
        if component.id in self.makers[0].items:
            for maker, items in zip(self.makers, self.items, strict=True):
                items[component.id] = maker.items[component.id]
            return
        for i, amounts in enumerate(self._amounts(component)):
            if amounts:
                rule = self.makers[i].rule(component)
                self.items[i][component.id] = self._shares[i].item(component, rule, amounts)

    def _amounts(self, component: Component) -> list[list[Amount]]:
        """What a component comes to in each segment."""
        if isinstance(component, Energy | Peak):
            amounts = [one.get(component.id, []) for one in self._measured]
            if isinstance(component, Peak) or component.cap is None:
                return amounts
            return self._capped(component, component.cap.of, amounts)
        if isinstance(component, Percentage):
            return [[self._percentage(component, i)] for i in range(len(self.makers))]
        told = [[maker.told[component.id]] for maker in self.makers]
        if isinstance(component, Credit) and component.cap is not None:
            return self._capped(component, component.cap.of, told)
        return self._lacking(component, told) if isinstance(component, Minimum) else told

    def _percentage(self, component: Percentage, i: int) -> Amount:
        """A share of what has been worked out of a segment."""
        maker = self.makers[i]
        rate, base = maker.rate(component), self._sum(component, component.of, [i])
        value = base * Ratio.of(rate)
        if component.floor is not None:
            least = Ratio.of(Fraction(component.floor.per_kwh) / MILLIWH_PER_KWH) * Ratio(self._billed[i])
            value = value.greatest(least)
        return Amount(maker.segment, None, base, maker.term.tariff.currency, rate, None, value)

    def _capped(self, component: Energy | Credit, of: Sequence[str], amounts: list[list[Amount]]) -> list[list[Amount]]:
        """What is given back in the billing period, at most what some components come to in it."""
        paid = -total(one.value for some in amounts for one in some)
        most = self._sum(component, of).greatest(ZERO)
        is_less = paid <= most
        if is_less is True:
            return amounts
        share = choose(is_less, ONE, most.over(paid.greatest(ZERO)))
        return [[one.scaled(share) for one in some] for some in amounts]

    def _lacking(self, component: Minimum, told: list[list[Amount]]) -> list[list[Amount]]:
        """What lacks in the billing period to a minimum, shared over the days of its segments."""
        least = total(one.value for some in told for one in some)
        lacking = (least - self._sum(component, component.of)).greatest(ZERO)
        if isinstance(lacking.n, int) and not lacking.n:
            return [[] for _ in told]
        days = sum(maker.segment.days for maker in self.makers)
        return [
            [
                Amount(one.segment, None, ONE, "", None, None, lacking * Ratio.of(one.segment.days / days))
                for one in some
            ]
            for some in told
        ]

    def _sum(self, component: Component, of: Sequence[str] | None, places: Iterable[int] | None = None) -> Ratio:
        """What some components, or all before, come to in some segments or all of them: as the component's own prices
        are told, with tax or without."""
        some = self.items if places is None else [self.items[i] for i in places]
        is_included = self.makers[0].rule(component).included
        return total(
            item.told(is_included)
            for items in some
            for item in (items.values() if of is None else (items[id] for id in of if id in items))
        )
