"""What one more kilowatt-hour from the grid would cost: a view for dashboards and optimisers, never to total a bill."""

from __future__ import annotations

import numpy as np

from statistics_manager_service.core.readings import Float64
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.tariffs.billing import SegmentBill
from statistics_manager_service.tariffs.document import Energy, Percentage
from statistics_manager_service.tariffs.resolving import number


def marginal_prices(billed: Billed) -> Float64:
    """(m,) float64 in currency/kWh, with taxes, of each piece of the plan's time; NaN where it is not known.

    The components of energy of the import at the piece's price (of tiers, the step that the segment has reached), with
    tax on the side of its threshold that the segment has reached, and the percentages that are of them.
    """
    plan, bill = billed.plan, billed.bill
    out = np.full(len(plan.edges_us) - 1, np.nan)
    bills = {(id(one.term), one.segment.start_us): one for one in bill.segments}
    for stretch, prices, _ in plan.energy_prices():
        if not stretch.term.prices_import:
            continue
        for segment in stretch.segments:
            mine = bills[id(stretch.term), segment.start_us]
            total = np.zeros(segment.last - segment.first)
            for id_, price in prices.items():
                component = price.component
                if component.flow != "import" or component.meter is not None:
                    continue
                part = slice(segment.first - stretch.first, segment.last - stretch.first)
                each = price.marginal(mine.segment, bill.netted.import_milliwh)[part]
                total += each * tax_factor(mine, id_)
            out[segment.first : segment.last] = total
    return out


def tax_factor(bill: SegmentBill, id_: str) -> float:
    """By how much a price before tax becomes what is paid."""
    item = next((one for one in bill.items if one.component.id == id_), None)
    if item is None:
        return 1.0
    rate = float(item.taxed[-1][2])  # above the threshold where it is passed, as the last part
    factor = 1.0 if item.rule.included else 1.0 + rate
    for other in bill.items:
        component = other.component
        if isinstance(component, Percentage) and id_ in component.of and isinstance(item.component, Energy):
            share = float(number(component.rate, bill.term.parameters, bill.segment.on))
            factor += share * (1.0 + float(other.taxed[-1][2]))
    return factor
