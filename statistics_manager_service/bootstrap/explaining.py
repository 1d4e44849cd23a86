"""Explanations of a store's numbers, for commands."""

from __future__ import annotations

from statistics_manager_service.bootstrap import asking_of, grid_intensities, now_us
from statistics_manager_service.bootstrap.explainers import explainers
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.explaining.explaining import Explaining
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore


def explaining_of(store: SqlStore, settings: Settings | None = None) -> Explaining:
    """What explains the numbers of a store."""
    settings = settings or Settings()
    bills = Bills(Tariffs(store, now_us))
    made = explainers(bills, grid_intensities(settings), BalanceSheets(), BatteryBooks(), now_us)
    return Explaining(store, asking_of(store, settings=settings), made)
