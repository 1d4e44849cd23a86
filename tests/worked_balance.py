"""The worked figures of balance, attribution, devices and battery of docs/statistics.md, made by the services over a
store."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import numpy as np
from measured import Clock, open_store, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, IntensityRow, IntensitySeries, Method
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

_DAY = "2026-01-05"
_METERS = {"import": "grid", "export": "grid", "production": "pv", "charge": "battery", "discharge": "battery"}


class _Home:
    """A household of which quarter-hours are told in kWh, as `import_kwh` and so on; other names are devices."""

    def __init__(self, folder: str, given: dict[str, Any], **settings: Any) -> None:
        url = f"sqlite:///{pathlib.Path(folder) / 'statistics.sqlite3'}"
        migrate(url)
        self.store: SqlStore = open_store(url)
        put_home(self.store, "home1", **settings)
        readings = []
        for name, kwh in given.items():
            flow = name.removesuffix("_kwh")
            meter, quantity = (_METERS[flow], flow) if flow in _METERS else (flow, "consumption")
            at_us = us(_DAY) + np.arange(len(kwh), dtype=np.int64) * QUARTER_US
            lengths = np.full(len(kwh), QUARTER_US, np.int64)
            values = np.array(kwh, np.float64)
            told = WireReadings("home1", meter, f"energy_{quantity}", Kind.INTERVAL, "kWh", at_us, values, lengths)
            readings.append(told)
        assert not Recorder(self.store, Clock("2026-02-01")).record(readings).refused

    def ask(self, *measures: str, group_by: str = "total", meter: str | None = None) -> dict[str, Column]:
        question = Question(",".join(measures), _DAY, "2026-01-06", group_by, meter=meter)
        found = bootstrap.asking_of(self.store).statistics("home1", question)
        return {one.measure: one for one in found.columns}

    def totals(self, *measures: str, meter: str | None = None) -> dict[str, float]:
        return {name: one.total for name, one in self.ask(*measures, meter=meter).items()}

    def quarters(self, measure: str, count: int) -> list[float]:
        values: list[float] = self.ask(measure, group_by="15_mins")[measure].value[:count].tolist()
        return values


def worked_balance(given: dict[str, Any]) -> dict[str, Any]:
    made, used = np.array(given["production_kwh"]), np.array(given["consumption_kwh"])
    flows = {
        "production_kwh": made.tolist(),
        "import_kwh": np.maximum(used - made, 0).tolist(),
        "export_kwh": np.maximum(made - used, 0).tolist(),
    }
    with tempfile.TemporaryDirectory() as folder:
        home = _Home(folder, flows)
        found: dict[str, Any] = home.totals(*measures_of(Family.BALANCE))
        home.store.engine.dispose()
    return found


def worked_attribution(given: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = _Home(folder, given)
        wanted = [one for one in measures_of(Family.ATTRIBUTION) if one not in ("energy_devices", "energy_untracked")]
        found: dict[str, Any] = home.totals(*wanted)
        home.store.engine.dispose()
    return found


def worked_devices(given: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = _Home(folder, given)
        count = len(given["import_kwh"])
        found: dict[str, Any] = {one: home.quarters(one, count) for one in ("energy_devices", "energy_untracked")}
        of_ev = home.totals("energy_grid_to_home", "energy_production_to_home", meter="ev")
        home.store.engine.dispose()
    return {**found, "of_ev": of_ev}


def worked_battery(given: dict[str, Any]) -> dict[str, Any]:
    given = dict(given)
    price, capacity_kwh, intensity = (given.pop(one) for one in ("price_grid", "capacity_kwh", "intensity_g_per_kwh"))
    with tempfile.TemporaryDirectory() as folder:
        home = _Home(folder, given, battery_capacity_kwh=capacity_kwh, country="PT")
        tariffs = Tariffs(home.store, Clock("2026-02-01"))
        energy = {"id": "energy", "kind": "energy", "title": "Energy", "price": price}
        tariffs.put(
            "flat",
            {"country": "PT", "currency": "EUR", "time_zone": "UTC", "valid": {"from": "2020-01-01"},
             "components": [energy]},
        )  # fmt: skip
        contracts = {"contracts": [{"tariff": "flat", "from": "2020-01-01"}]}
        Contracts(home.store, tariffs, Clock("2026-02-01")).put("home1", contracts)
        with home.store.writing() as view:
            series = view.put_intensity_series(IntensitySeries(0, "PT", "uploaded", *Method()))
            day_us, mg = 96 * QUARTER_US, int(intensity * 1000)
            view.put_intensities([IntensityRow(series.series_no, us(_DAY), MEASURED, 1, day_us, mg, 1)])
        totals = home.totals(*[one for one in measures_of(Family.BATTERY) if one != "battery_stored"])
        stored = home.quarters("battery_stored", len(given["charge_kwh"]))
        home.store.engine.dispose()
    return {**totals, "battery_stored": stored}
