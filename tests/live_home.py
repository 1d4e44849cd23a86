"""Homes whose live cost is asked for at any instant, over a real store."""

from __future__ import annotations

import itertools
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from measured import HOUR_US, Clock, open_store, put_home, quarter, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.homes import Homes, known_state
from statistics_manager_service.services.money.bills import Bills, Wanted
from statistics_manager_service.services.money.live_costs import LiveCost, LiveCosts
from statistics_manager_service.services.money.projecting import NoProjection, Projecting, Projection
from statistics_manager_service.services.money.statements import Statements
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import PriceColumns, keep_prices
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.tariffs.statement import Line, Statement

LISBON = "Europe/Lisbon"
Energy = Callable[[int], float]


def flat(**more: Any) -> dict[str, Any]:
    """A tariff of 0.20 a kWh and 0.50 a day."""
    return {
        "id": "flat", "currency": "EUR", "time_zone": LISBON, "valid": {"from": "2020-01-01"},
        "components": [
            {"id": "energy", "kind": "energy", "price": "0.20"},
            {"id": "standing", "kind": "fixed", "basis": "per_day", "price": "0.50"},
        ],
        **more,
    }  # fmt: skip


class LiveHome:
    """A store with one household, and a clock."""

    def __init__(self, store: SqlStore, now: str, household: str = "home1", **settings: Any) -> None:
        self.store, self.clock, self.id = store, Clock(now), household
        self.tariffs = Tariffs(store, self.clock)
        self.columns = PriceColumns()
        self.bills = Bills(self.tariffs, self.columns)
        self.contracts = Contracts(store, self.tariffs, self.clock)
        self.statements = Statements(store, self.bills, self.clock)
        self.live = LiveCosts(store, self.bills, self.statements, Projecting(self.columns), self.clock)
        put_home(store, household, **{"timezone": LISBON, **settings})

    def contract(self, tariff: str | Mapping[str, Any], **more: Any) -> None:
        """The one contract, since 2024."""
        self.sign({"tariff": tariff if isinstance(tariff, str) else tariff["id"], "from": "2024-01-01", **more},
                  *([] if isinstance(tariff, str) else [tariff]))  # fmt: skip

    def sign(self, contract: Mapping[str, Any], *documents: Mapping[str, Any]) -> None:
        for one in documents:
            self.tariffs.put(one["id"], dict(one))
        self.contracts.put(self.id, {"contracts": [dict(contract)]})

    def record(self, begin: str, end: str, wh: Energy, quantity: str = "energy_import", meter: str = "grid") -> None:
        """Intervals of each quarter-hour, Wh by its number since 1970."""
        first, last = quarter(begin), quarter(end)
        at_us = np.arange(first, last, dtype=np.int64) * QUARTER_US
        values = np.array([float(wh(number)) for number in range(first, last)])
        lengths = np.full(len(at_us), QUARTER_US, np.int64)
        told = WireReadings(self.id, meter, quantity, Kind.INTERVAL, "Wh", at_us, values, lengths)
        assert not Recorder(self.store, bootstrap.now_us).record([told]).refused

    def tell_prices(self, name: str, begin: str, hourly: Sequence[str], currency: str = "EUR") -> None:
        """Prices of hours, per kWh, from an instant on."""
        told = [ToldPrice(us(begin) + i * HOUR_US, HOUR_US, Decimal(one)) for i, one in enumerate(hourly)]
        with self.store.writing() as view:
            keep_prices(view, PriceSeries(0, name, f"{currency}/kWh", 3_600), told, self.clock())

    def cost(self, now: str | None = None) -> LiveCost:
        if now is not None:
            self.clock.set(now)
        return self.live.of(self.id)

    def projection(self, now: str | None = None) -> Projection:
        found = self.cost(now).projection
        assert isinstance(found, Projection), found
        return found

    def why_not(self, now: str | None = None) -> str:
        found = self.cost(now).projection
        assert isinstance(found, NoProjection)
        return found.why

    def statement(self, begin: str, end: str) -> Statement:
        """The bill of a time, by all that is recorded."""
        with self.store.reading() as view:
            home = Homes().of(view, self.id, known_state(view, self.id))
            return self.statements.of(view, home, Wanted(us(begin), us(end), cut=True))


def lines_of(statement: Statement) -> list[Line]:
    return list(itertools.chain.from_iterable(one.lines for one in statement.periods))


def new_store(template: pathlib.Path, folder: pathlib.Path) -> SqlStore:
    path = folder / "statistics.sqlite3"
    shutil.copyfile(template, path)
    return open_store(f"sqlite:///{path}")
