"""Costs and statements of a store, for commands."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from statistics_manager_service.api.statements import statement_json
from statistics_manager_service.bootstrap import RENDERERS, now_us
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.money.live_costs import LiveCosts
from statistics_manager_service.services.money.projecting import Projecting
from statistics_manager_service.services.money.statements import Statements
from statistics_manager_service.services.prices.price_series import PriceColumns
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.tariffs.statement import Statement

#: How a statement is written, by the name of the format.
STATEMENT_FORMATS: dict[str, Callable[[Statement], bytes]] = {
    "html": RENDERERS["text/html"],
    "pdf": RENDERERS["application/pdf"],
    "json": lambda statement: orjson.dumps(statement_json(statement), option=orjson.OPT_INDENT_2),
}


def statements_of(store: SqlStore) -> Statements:
    """Statements of a store's households."""
    return Statements(store, Bills(Tariffs(store, now_us)), now_us)


def live_costs_of(store: SqlStore) -> LiveCosts:
    """Costs of a store's households as they are now."""
    columns = PriceColumns()
    bills = Bills(Tariffs(store, now_us), columns)
    statements = Statements(store, bills, now_us)
    return LiveCosts(store, bills, statements, Projecting(columns), now_us)
