"""The worked figures of metered quantities and of costs of docs/statistics.md, made by the services over a store."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from measured import DAY_US, Clock, open_store, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

_DAY = "2026-01-05"
_MINUTE_US = 60_000_000


@contextmanager
def _home(**settings: Any) -> Iterator[SqlStore]:
    """A store with a household of UTC, `home1`."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{pathlib.Path(folder) / 'statistics.sqlite3'}"
        migrate(url)
        store = open_store(url)
        put_home(store, "home1", **settings)
        yield store
        store.engine.dispose()


def _record(
    store: SqlStore, quantity: str, kind: Kind, unit: str, at_us: Sequence[int], value: Sequence[float]
) -> None:
    told = WireReadings("home1", quantity, quantity, kind, unit, np.array(at_us, np.int64), np.array(value, np.float64))
    assert not Recorder(store, Clock("2026-02-01")).record([told]).refused


def _asked(store: SqlStore, measures: Sequence[str], minutes: int, group_by: str) -> dict[str, Column]:
    end = str(np.datetime64(_DAY, "m") + minutes) + "Z"
    question = Question(",".join(measures), f"{_DAY}T00:00Z", end, group_by)
    found = bootstrap.asking_of(store).statistics("home1", question)
    return {one.measure: one for one in found.columns}


def _quarters(
    given: dict[str, Any], quantities: Sequence[str], kind: Kind, values: Sequence[float]
) -> dict[str, Column]:
    """What some quantities with the same readings are in the quarter-hours that hold these."""
    at_us = [us(_DAY) + minute * _MINUTE_US for minute in given["minute"]]
    with _home() as store:
        for one in quantities:
            unit = "kWh" if kind is Kind.REGISTER else QUANTITIES[one].unit
            _record(store, one, kind, unit, at_us, values)
        minutes = (max(given["minute"]) // 15 + 1) * 15
        return _asked(store, quantities, minutes, "15_mins")


def worked_metered_energies(given: dict[str, Any]) -> dict[str, Any]:
    names = [f"energy_{flow}" for flow in ("import", "export", "production", "charge", "discharge")]
    columns = _quarters(given, names, Kind.REGISTER, given["register_kwh"])
    one = columns["energy_import"]
    return {
        **{name: column.value.tolist() for name, column in columns.items()},
        "coverage": one.coverage.tolist(),
        "total": one.total,
    }


def _sampled(given: dict[str, Any], of_ratios: bool) -> dict[str, Any]:
    names = [
        one.name
        for one in QUANTITIES.values()
        if one.dimension is not Dimension.ENERGY
        and (one.dimension is Dimension.RATIO) == of_ratios
        and "_l" not in one.name
    ]
    columns = _quarters(given, names, Kind.SAMPLE, given["sample"])
    return {name: column.value.tolist() for name, column in columns.items()}


def worked_sampled_means(given: dict[str, Any]) -> dict[str, Any]:
    return _sampled(given, of_ratios=False)


def worked_sampled_shares(given: dict[str, Any]) -> dict[str, Any]:
    return _sampled(given, of_ratios=True)


def _quarter_kwh(spans: dict[str, float]) -> np.ndarray[Any, Any]:
    """(96,) float64 kWh of the day's quarter-hours, from spans of the clock and what flowed evenly in each."""
    out = np.zeros(DAY_US // QUARTER_US)
    for span, kwh in spans.items():
        first, last = (int(clock[:2]) * 4 + int(clock[3:]) // 15 for clock in span.split("/"))
        out[first:last] += kwh / (last - first)
    return out


def worked_cost(given: dict[str, Any]) -> dict[str, Any]:
    by_clock = {"schedule": "clock", "values": {"day": given["price_day"], "night": given["price_night"]}}
    tariff = {
        "country": "PT", "currency": "EUR", "time_zone": "UTC", "valid": {"from": "2020-01-01"},
        "calendars": {"schedules": {"clock": [{"period": "day", "from": "08:00", "to": "22:00"}, {"period": "night"}]}},
        "components": [
            {"id": "energy", "kind": "energy", "price": by_clock, "tax": "vat"},
            {"id": "surplus", "kind": "energy", "flow": "export", "price": given["price_export"]},
            {"id": "standing", "kind": "fixed", "basis": "per_day", "price": given["per_day"], "tax": "vat"},
        ],
        "taxes": {"vat": {"rate": given["tax_rate"]}},
    }  # fmt: skip
    edges_us = (us(_DAY) + np.arange(DAY_US // QUARTER_US + 1) * QUARTER_US).tolist()
    with _home(currency="EUR") as store:
        for flow in ("import", "export"):
            register = np.concatenate(([0.0], np.cumsum(_quarter_kwh(given[f"{flow}_kwh"]))))
            _record(store, f"energy_{flow}", Kind.REGISTER, "kWh", edges_us, np.round(register, 9).tolist())
        tariffs = Tariffs(store, Clock("2026-02-01"))
        tariffs.put("worked", tariff)
        contract = {"tariff": "worked", "from": "2020-01-01"}
        Contracts(store, tariffs, Clock("2026-02-01")).put("home1", {"contracts": [contract]})
        names = [
            "cost_import", "revenue_export", "cost_fixed", "cost_net", "price_import", "price_marginal", "peak_demand",
        ]  # fmt: skip
        columns = _asked(store, names, 24 * 60, "daily")
    return {name: column.value[0] for name, column in columns.items()}
