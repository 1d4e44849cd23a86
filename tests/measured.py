"""Homes whose every quarter-hour is known, and forecasts of them, in real stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.services.forecasts.forecasting import SERVICE, Issue
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore

DAY_US = QUARTERS_PER_DAY * QUARTER_US
HOUR_US = 4 * QUARTER_US


def us(text: str) -> int:
    """The instant of a date, or of a date-time of UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def quarter(text: str) -> int:
    """The quarter-hour that begins with a date, or a date-time of UTC."""
    assert us(text) % QUARTER_US == 0
    return us(text) // QUARTER_US


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, text: str) -> None:
        self.now_us = us(text)

    def __call__(self) -> int:
        return self.now_us

    def set(self, text: str) -> None:
        self.now_us = us(text)


def open_store(url: str) -> SqlStore:
    return bootstrap.open_store(Settings(database_url=url))


def put_home(store: SqlStore, household: str = "home1", **settings: Any) -> Household:
    """A household, without readings."""
    homes = bootstrap.households_of(store)
    homes.put(household, settings)
    return homes.get(household)


def taken_wh(number: int) -> int:
    """What the home takes in a quarter-hour, Wh: another than a day or a week before, and always the same in a test."""
    return 50 + number * number * 37 % 211 + (200 if number % QUARTERS_PER_DAY in range(70, 90) else 0)


def measure(
    store: SqlStore,
    household: str,
    first: int,
    count: int,
    wh: Callable[[int], float] = taken_wh,
    *,
    meter: str = "grid",
    kind: Kind = Kind.REGISTER,
    every: int = 1,
) -> dict[int, float]:
    """Record what the home takes in quarters, by a register that is read at the edges of each so many, or by intervals
    or samples of each; the same in Wh."""
    taken = {number: float(wh(number)) for number in range(first, first + count)}
    at_us = np.arange(first, first + count + 1, dtype=np.int64) * QUARTER_US
    values = np.array(list(taken.values()))
    if kind is Kind.REGISTER:
        register = np.concatenate(([0.0], np.cumsum(values)))
        told = WireReadings(household, meter, "energy_import", kind, "Wh", at_us[::every], register[::every])
    elif kind is Kind.INTERVAL:
        lengths = np.full(count, QUARTER_US, np.int64)
        told = WireReadings(household, meter, "energy_import", kind, "Wh", at_us[:-1], values, lengths)
    else:
        told = WireReadings(household, meter, "power_import", kind, "W", at_us[:-1], values * 4)
    # the time of these tests is the past
    done = Recorder(store, bootstrap.now_us).record([told])
    assert not done.refused
    return taken


def put_issue(
    store: SqlStore, household: Household, told_wh: Mapping[int, float], issued: str, source: str = SERVICE
) -> None:
    """Store a forecast of quarters, Wh."""
    first, last = min(told_wh), max(told_wh)
    energy = np.array([told_wh.get(number, np.nan) for number in range(first, last + 1)]) * 1000
    with store.writing() as view:
        view.add_forecasts(Issue(first, energy, us(issued), source).rows(household.household_no))


def in_wh(energy_milliwh: Sequence[float]) -> list[float | None]:
    """Energies as Wh, None where unknown."""
    return [None if np.isnan(one) else float(one) / 1000 for one in energy_milliwh]
