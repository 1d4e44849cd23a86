"""What explains numbers: an explainer for each family of measures."""

from __future__ import annotations

from collections.abc import Callable

from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.battery_prices import BatteryPrices
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.carbon.emissions import Emissions
from statistics_manager_service.services.carbon.intensity_columns import GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons
from statistics_manager_service.services.explaining.attributions import Attributions
from statistics_manager_service.services.explaining.balances import BalanceFormulas
from statistics_manager_service.services.explaining.batteries import BatteryAccounts
from statistics_manager_service.services.explaining.carbon_accounts import CarbonAccounts
from statistics_manager_service.services.explaining.costs import CostBills
from statistics_manager_service.services.explaining.explainers import Explainer
from statistics_manager_service.services.explaining.insights import InsightFigures
from statistics_manager_service.services.explaining.quantities import Quantities
from statistics_manager_service.services.explaining.shares import OwnShares
from statistics_manager_service.services.groups.sharing import Shares
from statistics_manager_service.services.money.bills import Bills


def explainers(
    bills: Bills,
    intensities: GridIntensities,
    sheets: BalanceSheets,
    books: BatteryBooks,
    now_us: Callable[[], int],
) -> list[Explainer]:
    """What explains measures; one that none has is explained by its definition."""
    emissions = Emissions(intensities, sheets, books, now_us)
    stored = StoredCarbons(books, intensities)
    return [
        Quantities(),
        BalanceFormulas(),
        Attributions(sheets),
        BatteryAccounts(books, BatteryPrices(bills, books), intensities, stored),
        CarbonAccounts(emissions, intensities, now_us),
        CostBills(bills, now_us),
        InsightFigures(),
        OwnShares(Shares()),
    ]
