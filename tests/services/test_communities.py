"""A community shares what its sources make; each member has its part in its own statistics, in every grouping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from measured import Clock, open_store, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

MEASURES = (
    "energy_shared_allocated", "energy_shared_consumption", "energy_shared_surplus", "energy_import_after_sharing",
)  # fmt: skip
QUARTERS = 3 * 96
HOMES = ("roof", "a", "b", "c")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    register = bootstrap.households_of(made)
    rng = np.random.default_rng(4)
    for home in HOMES:
        register.put(home, {})
        write(made, home, "energy_import", rng.integers(0, 400, QUARTERS))
    write(made, "roof", "energy_export", rng.integers(0, 1500, QUARTERS))
    yield made
    made.close()


def write(store: SqlStore, home: str, quantity: str, wh: Any) -> None:
    at_us = us("2026-03-28") + np.arange(len(wh) + 1, dtype=np.int64) * QUARTER_US
    value = np.concatenate(([0], np.cumsum(wh))).astype(float)
    readings = WireReadings(home, "grid", quantity, Kind.REGISTER, "Wh", at_us, value)
    Recorder(store, Clock("2026-04-10")).record([readings])


def put(store: SqlStore, sharing: dict[str, Any], **members: dict[str, str]) -> None:
    told = {"sources": [{"household": "roof", "measure": "energy_export"}], **sharing}
    names = [{"household": home, **members.get(home, {})} for home in HOMES]
    body = {"title": "Roof", "kind": "community", "timezone": "Europe/Lisbon", "members": names, "sharing": told}
    Groups(store).put("community", body)


def told(store: SqlStore, home: str, measures: str = ",".join(MEASURES), group_by: str = "15_mins", **more: str) -> Any:
    asked = {"start": "2026-03-28T00:00:00Z", "end": "2026-03-31T00:00:00Z", **more}
    answer = bootstrap.asking_of(store).statistics(home, Question(measures, group_by=group_by, **asked))
    return [np.round(column.value * 1e6) for column in answer.columns]


def test_all_that_was_made_is_consumed_or_surplus_in_every_quarter_hour(store: SqlStore) -> None:
    (made,) = told(store, "roof", "energy_export")
    for sharing in (
        {"rule": "proportional"},
        {"rule": "fixed", "coefficients": {"a": 0.31, "b": [{"share": 0.2}, {"from": "2026-03-30", "share": 0.6}]}},
    ):
        put(store, sharing)
        rows = {home: told(store, home) for home in HOMES}
        total = sum(rows[home][1] + rows[home][2] for home in HOMES)
        assert total.tolist() == made.tolist()
        for home in HOMES:
            (imported,) = told(store, home, "energy_import")
            allocated, consumed, surplus, after = rows[home]
            assert consumed.tolist() == np.minimum(allocated, imported).tolist()
            assert after.tolist() == (imported - consumed).tolist()
            assert min(one.min() for one in (allocated, consumed, surplus, after)) >= 0


def test_each_grouping_adds_up_to_the_quarter_hours(store: SqlStore) -> None:
    put(store, {"rule": "proportional"})
    fine = told(store, "b")
    for group_by in ("hourly", "daily", "total"):
        for whole, parts in zip(told(store, "b", group_by=group_by), fine, strict=True):
            assert whole.sum() == parts.sum()


def test_coefficients_hold_from_their_dates_on_in_the_communitys_zone(store: SqlStore) -> None:
    """On 29 March 2026 Lisbon's clock goes forward: 30 March begins there at 23:00 UTC."""
    put(store, {"rule": "fixed", "coefficients": {"b": [{"share": 0.25}, {"from": "2026-03-30", "share": 0.75}]}})
    (made,) = told(store, "roof", "energy_export")
    allocated = told(store, "b")[0]
    change = 2 * 96 - 4
    exact = np.concatenate((made[:change] / 4, made[change:] * 3 / 4))
    assert np.abs(allocated - exact).max() <= 0.5
    assert told(store, "a")[0].tolist() == [0.0] * QUARTERS


def test_a_member_has_a_part_while_it_is_one(store: SqlStore) -> None:
    put(store, {"rule": "proportional"}, c={"from": "2026-03-29", "to": "2026-03-30"})
    allocated = told(store, "c")[0]
    assert np.isnan(allocated[:96]).all()
    assert np.isfinite(allocated[96 : 2 * 96 - 4]).all()
    assert np.isnan(allocated[2 * 96 - 4 :]).all()


def test_where_a_members_import_is_not_known_the_others_share_all(store: SqlStore) -> None:
    register = bootstrap.households_of(store)
    register.delete("c")
    register.put("c", {})
    write(store, "c", "energy_import", np.full(96, 10))
    put(store, {"rule": "proportional"})
    (made,) = told(store, "roof", "energy_export")
    others = sum(told(store, home)[0] for home in ("roof", "a", "b"))
    mine = told(store, "c")[0]
    assert np.isnan(mine[96:]).all()
    assert (others[:96] + mine[:96]).tolist() == made[:96].tolist()
    assert others[96:].tolist() == made[96:].tolist()


def test_a_home_outside_of_any_community_has_no_part(store: SqlStore) -> None:
    for column in told(store, "a"):
        assert np.isnan(column).all()


def test_a_time_that_begins_inside_a_quarter_hour_is_refused(store: SqlStore) -> None:
    put(store, {"rule": "proportional"})
    with pytest.raises(BadInput) as refused:
        told(store, "a", start="2026-03-28T00:05:00Z", end="2026-03-28T10:01:00Z")
    assert [one.where for one in refused.value.faults] == ["start", "end"]


def test_what_is_shared_is_told_as_it_was_known(store: SqlStore) -> None:
    put(store, {"rule": "proportional"})
    before = told(store, "a")[0]
    clock = Clock("2026-04-20")
    at_us = us("2026-03-28") + np.arange(QUARTERS + 1, dtype=np.int64) * QUARTER_US
    readings = WireReadings("roof", "grid", "energy_export", Kind.REGISTER, "Wh", at_us, np.arange(QUARTERS + 1.0) * 9)
    Recorder(store, clock).record([readings])
    assert told(store, "a")[0].tolist() != before.tolist()
    assert told(store, "a", as_of="2026-04-15")[0].tolist() == before.tolist()
