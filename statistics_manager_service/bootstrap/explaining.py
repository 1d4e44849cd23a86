"""Explanations of a store's numbers, for commands."""

from __future__ import annotations

from statistics_manager_service.bootstrap import asking_of, now_us
from statistics_manager_service.bootstrap.explainers import explainers
from statistics_manager_service.services.explaining.explaining import Explaining
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.storage.database import SqlStore


def explaining_of(store: SqlStore) -> Explaining:
    """What explains the numbers of a store."""
    return Explaining(store, asking_of(store), explainers(Bills(Tariffs(store, now_us)), now_us))
