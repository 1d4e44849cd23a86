"""What one more kilowatt-hour costs over a time: the prices that hold, for how long, and what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from statistics_manager_service.services.explaining.bill_parts import contracts_told, rules_told, series_told
from statistics_manager_service.services.explaining.explainers import About
from statistics_manager_service.services.explaining.figures import FIRST_FEW, MOST_LISTED, label
from statistics_manager_service.services.money.bills import Billed
from statistics_manager_service.services.money.marginal import marginal_prices, tax_factor


def marginal_told(about: About, billed: Billed) -> dict[str, Any]:
    """The prices of a time with the seconds for which each holds, and the components of the first ones."""
    edges_us = billed.plan.edges_us
    first, last = np.searchsorted(edges_us, (about.start_us, about.end_us)).tolist()
    prices = marginal_prices(billed)[first:last]
    seconds = billed.usage.elapsed_s[first:last]
    held: dict[float, int] = {}
    begins: dict[float, int] = {}
    total = 0.0
    for i, (price, length_s) in enumerate(zip(prices.tolist(), seconds.tolist(), strict=True)):
        if price == price:  # known
            held[price] = held.get(price, 0) + length_s
            begins.setdefault(price, first + i)
            total += price * length_s
    rows = sorted(held.items())
    return {
        "currency": billed.currency,
        "contracts": contracts_told(billed, about.zone),
        "rules": rules_told(billed, about.start_us, about.end_us),
        "series": series_told(billed, about.past, about.start_us, about.end_us, about.way.until_us),
        "pieces": int((~np.isnan(prices)).sum()),
        "price_times_seconds": total,
        "seconds": sum(held.values()),
        "prices": len(rows),
        "by_price": [
            {"price": price, "seconds": length_s, "first": label(edges_us[begins[price]])}
            for price, length_s in rows[:MOST_LISTED]
        ],
        "components": [row for price, _ in rows[:FIRST_FEW] for row in _made_of(billed, begins[price])],
        "sum": "Σ by_price.price × by_price.seconds / Σ by_price.seconds, rounded to a billionth",
    }


def _made_of(billed: Billed, piece: int) -> list[dict[str, Any]]:
    """The components of the price of one piece of time, with the factor by which taxes and percentages raise each."""
    found = []
    bills = {(id(one.term), one.segment.start_us): one for one in billed.bill.segments}
    for stretch, prices, _ in billed.plan.energy_prices():
        if not stretch.term.prices_import or not stretch.first <= piece < stretch.last:
            continue
        segment = next(one for one in stretch.segments if one.first <= piece < one.last)
        mine = bills[id(stretch.term), segment.start_us]
        for name, price in prices.items():
            if price.component.flow == "import" and price.component.meter is None:
                each = price.marginal(mine.segment, billed.bill.netted.import_milliwh)[piece - stretch.first]
                found.append(
                    {
                        "at": label(billed.plan.edges_us[piece]),
                        "tariff": stretch.term.tariff.id,
                        "component": name,
                        "price": float(each),
                        "factor_of_taxes": tax_factor(mine, name),
                    }
                )
    return found
