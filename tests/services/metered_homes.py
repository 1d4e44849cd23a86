"""Homes whose flows are known to the watt-hour in every quarter-hour, in real stores, and tariffs for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from measured import Clock, open_store, put_home, quarter

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.money.comparing import Comparing, Comparison
from statistics_manager_service.services.money.reconciling import Reconciling
from statistics_manager_service.services.money.statements import Asked, Statements
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.tariffs.statement import Statement

VAT = {"vat": {"rate": "0.23"}}
DAY_AND_NIGHT = {"schedules": {"clock": [{"period": "day", "from": "08:00", "to": "22:00"}, {"period": "night"}]}}
#: Whole watt-hours of a quarter-hour, counted from 1970.
Wh = Callable[[int], int]


def tariff(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document of some components, of Portugal."""
    return {
        "country": "PT", "currency": "EUR", "time_zone": "Europe/Lisbon", "valid": {"from": "2020-01-01"},
        "components": list(components), "taxes": VAT, **more,
    }  # fmt: skip


def energy(price: Any = "0.16", **more: Any) -> dict[str, Any]:
    return {"id": "energy", "kind": "energy", "title": "Energy", "price": price, "tax": "vat", **more}


def by_clock(day: str = "0.20", night: str = "0.10") -> dict[str, Any]:
    return {"schedule": "clock", "values": {"day": day, "night": night}}


def standing(price: str = "0.30") -> dict[str, Any]:
    return {"id": "standing", "kind": "fixed", "title": "Standing", "basis": "per_day", "price": price, "tax": "vat"}


def surplus(price: str = "0.05") -> dict[str, Any]:
    return {"id": "surplus", "kind": "energy", "title": "Surplus", "flow": "export", "price": price}


@dataclass(frozen=True)
class Balance:
    """What a home uses, makes and stores in a quarter-hour; what it takes and gives follows. None: there is no such
    meter."""

    used: Wh
    made: Wh | None = None
    charged: Wh | None = None
    discharged: Wh | None = None

    def grid(self, number: int) -> int:
        """Import less export."""
        made, charged, discharged = (one(number) if one else 0 for one in (self.made, self.charged, self.discharged))
        return self.used(number) + charged - made - discharged

    def flows(self) -> dict[str, Wh]:
        found: dict[str, Wh] = {"grid.import": lambda n: max(self.grid(n), 0)}
        if self.made:
            found["grid.export"] = lambda n: max(-self.grid(n), 0)
        for name, one in (("pv.production", self.made), ("battery.charge", self.charged)):
            found |= {name: one} if one else {}
        return found | ({"battery.discharge": self.discharged} if self.discharged else {})


class Desk:
    """The services over a store, a clock, and a household with meters."""

    def __init__(self, url: str, now: str = "2026-03-10", **settings: Any) -> None:
        self.store, self.clock = open_store(url), Clock(now)
        self.tariffs = Tariffs(self.store, self.clock)
        self.contracts = Contracts(self.store, self.tariffs, self.clock)
        bills = Bills(self.tariffs)
        self.statements = Statements(self.store, bills, self.clock)
        self.comparing = Comparing(self.store, bills, self.tariffs, self.clock)
        self.reconciling = Reconciling(self.store, bills, self.statements)
        put_home(self.store, "home1", **{"timezone": "Europe/Lisbon", "country": "PT", **settings})

    def measure(self, flow: str, start: str, end: str, wh: Wh) -> None:
        """Registers of a meter's flow (`grid.import`), read at each quarter-hour of UTC from start to end."""
        meter, _, name = flow.partition(".")
        first, last = quarter(start), quarter(end)
        at_us = np.arange(first, last + 1, dtype=np.int64) * QUARTER_US
        register = np.concatenate(([0], np.cumsum([wh(number) for number in range(first, last)]))).astype(float)
        told = WireReadings("home1", meter, f"energy_{name}", Kind.REGISTER, "Wh", at_us, register)
        assert not Recorder(self.store, bootstrap.now_us).record([told]).refused

    def balance(self, balance: Balance, start: str, end: str) -> None:
        for flow, wh in balance.flows().items():
            self.measure(flow, start, end, wh)

    def put(self, **documents: dict[str, Any]) -> None:
        """Tariffs by their ids, with - for _."""
        for name, document in documents.items():
            self.tariffs.put(name.replace("_", "-"), document)

    def have(self, *contracts: dict[str, Any]) -> None:
        """The household's contracts, from 2020 on unless told."""
        told = [{"from": "2020-01-01", **one} for one in contracts]
        self.contracts.put("home1", {"contracts": told})

    def compare(self, *tariffs: str | dict[str, Any], **more: Any) -> Comparison:
        body = {"start": "2026-01-01", "end": "2026-03-01", **more}
        if tariffs:
            body["tariffs"] = [{"tariff": one} if isinstance(one, str) else one for one in tariffs]
        return self.comparing.compare("home1", {name: value for name, value in body.items() if value is not None})

    def statement(self, start: str = "2026-01-01", end: str = "2026-03-01", *, single: bool = False) -> Statement:
        return self.statements.statement("home1", Asked(start, end, single=single))
