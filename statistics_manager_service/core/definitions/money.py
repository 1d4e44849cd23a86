"""What energy costs and brings."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_BILL: Final = "the household's tariffs, as a bill has them; docs/money.md"

COST_DEFINITIONS: Final = (
    Definition(
        "cost_import",
        Family.COST,
        "currency",
        "Σ over components of import of energy × price, with taxes: the difference of the bill's running total",
        _BILL,
    ),
    Definition(
        "revenue_export",
        Family.COST,
        "currency",
        "Σ over components of export of energy × price, with taxes: the difference of the bill's running total",
        _BILL,
    ),
    Definition("cost_fixed", Family.COST, "currency", "what is fixed on the bill, spread evenly over its time", _BILL),
    Definition("cost_net", Family.COST, "currency", "cost_import + cost_fixed − revenue_export", _BILL),
    Definition("price_import", Family.COST, "currency/kWh", "cost_import / Σ billed import", _BILL, adds_up=False),
    Definition(
        "price_marginal",
        Family.COST,
        "currency/kWh",
        "mean over time of what one more kilowatt-hour of import would cost, with taxes",
        _BILL,
        adds_up=False,
    ),
    Definition(
        "peak_demand",
        Family.COST,
        "W",
        "max over quarter-hours of import / time",
        "IEC 62056-6-1 (OBIS 1.6.0)",
        adds_up=False,
    ),
)
