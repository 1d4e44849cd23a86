"""What the components of a tariff come to: amounts, and items, which are amounts with their taxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from statistics_manager_service.core.ratios import ONE, Ratio, Whole
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.tariffs.terms import Segment

KWH = "kWh"


@dataclass(slots=True)
class Amount:
    """What a component comes to in a segment, before tax as the document prices it (with tax where that is included),
    of a home or of each of many.

    label: period of the schedule. step: of tiers. count: in `unit`. price: for one `price_unit`, None where there is no
    single one. energy, unknown, substituted: milliwatt-hours that are priced, whose price is not known (they are not in
    the value), and whose prices stand in for missing ones. share: of them all, that is this amount's.
    """

    segment: Segment
    label: str | None
    count: Ratio
    unit: str
    price: Fraction | None
    price_unit: str | None
    value: Ratio
    energy: Whole = 0
    unknown: Whole = 0
    substituted: Whole = 0
    share: Ratio = ONE
    step: str | None = None

    @property
    def period(self) -> str | None:
        """The period of the schedule and the step of tiers."""
        return self.titled({})

    def titled(self, titles: Mapping[str, str]) -> str | None:
        """The same as people read it. titles: of periods."""
        label = self.label and titles.get(self.label, self.label)
        if self.step is None:
            return label
        return " ".join(one for one in (label, self.step) if one) or None

    @property
    def energy_milliwh(self) -> Fraction:
        """The energy of one home that is priced."""
        return (Ratio(self.energy) * self.share).fraction

    @property
    def unknown_milliwh(self) -> Fraction:
        """The energy of one home whose price is not known."""
        return (Ratio(self.unknown) * self.share).fraction

    @property
    def substituted_milliwh(self) -> Fraction:
        """The energy of one home whose price stands in for a missing one."""
        return (Ratio(self.substituted) * self.share).fraction

    def scaled(self, share: Ratio) -> Amount:
        """The same quantity at a share of what it comes to."""
        return Amount(
            self.segment, self.label, self.count, self.unit, self.price, self.price_unit, self.value * share,
            self.energy, self.unknown, self.substituted, self.share, self.step,
        )  # fmt: skip


def of_energy(
    segment: Segment,
    label: str | None,
    energy: Whole,
    value: Ratio,
    price: Fraction | None,
    lacking: tuple[Whole, Whole] = (0, 0),
    share: Ratio = ONE,
    step: str | None = None,
) -> Amount:
    """An amount of energy, in milliwatt-hours. value: of all of it. lacking: unknown and substituted."""
    count = Ratio(energy, MILLIWH_PER_KWH)
    if share is not ONE:
        count, value = count * share, value * share
    return Amount(segment, label, count, KWH, price, KWH, value, energy, *lacking, share, step)
