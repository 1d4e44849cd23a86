"""Stores to measure on, as the service makes them."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterable

from bench.homes import ZONE
from statistics_manager_service import bootstrap
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore, open_engine
from statistics_manager_service.storage.migrate import migrate


def now_us() -> int:
    """The present."""
    return int(time.time()) * US_PER_S


def make(path: pathlib.Path, households: Iterable[str]) -> tuple[SqlStore, Recorder]:
    """A store with households, and its recorder."""
    url = f"sqlite:///{path}"
    migrate(url)
    store = SqlStore(open_engine(url))
    register = bootstrap.households_of(store)
    for one in households:
        register.put(one, {"timezone": ZONE})
    return store, Recorder(store, now_us)
