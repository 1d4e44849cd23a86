"""What explains numbers: an explainer for each family of measures."""

from __future__ import annotations

from collections.abc import Callable

from statistics_manager_service.services.explaining.balances import BalanceFormulas
from statistics_manager_service.services.explaining.costs import CostBills
from statistics_manager_service.services.explaining.explainers import Explainer
from statistics_manager_service.services.explaining.quantities import Quantities
from statistics_manager_service.services.money.bills import Bills


def explainers(bills: Bills, now_us: Callable[[], int]) -> list[Explainer]:
    """What explains measures; one that none has is explained by its definition."""
    return [Quantities(), BalanceFormulas(), CostBills(bills, now_us)]
