"""The worked figures of many homes of docs/statistics.md, made by the services over a store."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from measured import Clock, open_store, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.disclosure import (
    may_be_told,
    percents_told,
    rank_between,
    rounded_percentiles,
)
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.groups.group_statistics import GroupStatistics
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

_START, _END = "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z"


@contextmanager
def _homes(told: dict[str, dict[str, list[float | None]]]) -> Iterator[SqlStore]:
    """A store of homes of which quarter-hours are told in kWh, as `import_kwh` and so on; null: nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{pathlib.Path(folder) / 'statistics.sqlite3'}"
        migrate(url)
        store = open_store(url)
        readings = []
        for home, flows in told.items():
            put_home(store, home)
            for name, kwh in flows.items():
                known = [i for i, one in enumerate(kwh) if one is not None]
                at_us = us("2026-01-05") + np.array(known, np.int64) * QUARTER_US
                value = np.array([kwh[i] for i in known], float)
                quantity = f"energy_{name.removesuffix('_kwh')}"
                length_us = np.full(len(known), QUARTER_US)
                readings.append(WireReadings(home, "grid", quantity, Kind.INTERVAL, "kWh", at_us, value, length_us))
        Recorder(store, Clock("2026-02-01")).record(readings)
        yield store
        store.close()


def worked_sum_of_members(given: dict[str, Any]) -> dict[str, Any]:
    """Two homes, by quarter-hours and in total."""
    measures = "energy_import,energy_consumption,self_consumption_rate,self_sufficiency_rate,export_share"
    with _homes(given) as store:
        Groups(store).put("group", {"title": "Both", "members": [{"household": home} for home in given]})
        groups = GroupStatistics(store, bootstrap.asking_of(store))
        columns = groups.statistics("group", Question(measures, _START, _END, "15_mins")).columns
    out: dict[str, Any] = {column.measure: column.value.tolist() for column in columns[:2]}
    out |= {f"total_{column.measure}": column.total for column in columns}
    return out | {"coverage": columns[0].coverage.tolist()}


def _shared(given: dict[str, Any], sharing: dict[str, Any]) -> dict[str, Any]:
    """What each member of a community of homes has, by quarter-hours, in watt-hours."""
    body = {
        "title": "Community",
        "kind": "community",
        "members": [{"household": home} for home in given],
        "sharing": {"sources": [{"household": "roof", "measure": "energy_export"}], **sharing},
    }
    question = Question(",".join(measures_of(Family.SHARING)), _START, _END, "15_mins")
    out: dict[str, Any] = {}
    with _homes(given) as store:
        Groups(store).put("community", body)
        for home in given:
            for column in bootstrap.asking_of(store).statistics(home, question).columns:
                wh = np.round(column.value * 1000, 3)
                out.setdefault(column.measure, {})[home] = [None if np.isnan(one) else float(one) for one in wh]
    return out


def worked_shared_in_proportion(given: dict[str, Any]) -> dict[str, Any]:
    """By import."""
    return _shared(given, {"rule": "proportional"})


def worked_shared_by_coefficients(given: dict[str, Any]) -> dict[str, Any]:
    """By coefficients."""
    coefficients = given.pop("coefficients")
    return _shared(given, {"rule": "fixed", "coefficients": coefficients})


def worked_told_to_homes(given: dict[str, Any]) -> dict[str, Any]:
    """Which sums of a day may be told."""
    return {
        name: bool(may_be_told(np.round(np.array(kwh)[:, None] * MILLIWH_PER_KWH).astype(np.int64))[0])
        for name, kwh in given.items()
    }


def worked_percentiles_of_homes(given: dict[str, Any]) -> dict[str, Any]:
    """Quartiles of homes, and where one lies."""
    values = np.array(given["month_kwh"], float)
    percents = percents_told(len(values))
    points = dict(zip(percents, rounded_percentiles(values, percents), strict=True))
    low, high = rank_between(given["own_kwh"], points)
    return {"percentiles": list(points.values()), "rank_from": low, "rank_to": high}
