"""Up to when households were pulled, as each store keeps it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.database import SqlStore


@pytest.fixture
def home(store: SqlStore) -> Household:
    with store.writing() as view:
        return view.put_household(Household(0, "home1"))


def test_a_household_that_was_not_pulled_has_no_cursor(store: SqlStore, home: Household) -> None:
    with store.reading() as view:
        assert view.pulled_until(home.household_no, "influxdb") is None


def test_a_cursor_moves_forward_alone(store: SqlStore, home: Household) -> None:
    for until_us, kept_us in ((2**52, 2**52), (5, 2**52), (2**52, 2**52), (2**52 + 1, 2**52 + 1)):
        with store.writing() as view:
            view.move_cursor(home.household_no, "influxdb", until_us)
        with store.reading() as view:
            assert view.pulled_until(home.household_no, "influxdb") == kept_us


def test_each_household_and_source_has_its_own_cursor(store: SqlStore, home: Household) -> None:
    with store.writing() as view:
        other = view.put_household(Household(0, "home2"))
        for number, source, until_us in ((home, "a", 1), (home, "b", 2), (other, "a", 3)):
            view.move_cursor(number.household_no, source, until_us)
    with store.reading() as view:
        found = [view.pulled_until(one.household_no, source) for one in (home, other) for source in "ab"]
    assert found == [1, 2, 3, None]


def test_a_cursor_is_erased_with_its_household(store: SqlStore, home: Household) -> None:
    with store.writing() as view:
        view.move_cursor(home.household_no, "influxdb", 1)
    with store.writing() as view:
        view.delete_household(home.household_no)
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.pull_cursors)).scalar() == 0
