"""Goals as each store keeps them."""

from __future__ import annotations

from measured import put_home, us

from statistics_manager_service.services.insight.goal_rows import GoalsRow
from statistics_manager_service.storage.database import SqlStore

GOAL = {"id": "one", "measure": "energy_import", "period": "month", "at_most": 100.0, "unit": "kWh"}


def test_each_revision_of_goals_is_kept_and_the_newest_counts(store: SqlStore) -> None:
    a, b = (put_home(store, name).household_no for name in ("home1", "home2"))
    rows = [
        GoalsRow(a, us("2024-01-01"), [GOAL]),
        GoalsRow(a, us("2024-02-01"), []),
        GoalsRow(b, us("2024-01-15"), [GOAL, {**GOAL, "id": "two"}]),
    ]
    with store.writing() as view:
        view.begin_changes([a, b])
        for row in rows:
            view.put_goals(row)
    with store.reading() as view:
        assert view.goals(a) == rows[1]
        assert view.goals(a, us("2024-01-31")) == rows[0]
        assert view.goals(a, us("2023-12-31")) is None
        assert view.goals(b) == rows[2]
        assert view.goal_revisions(a) == rows[:2]
        assert view.goal_revisions(999) == []


def test_goals_go_with_their_household(store: SqlStore) -> None:
    no = put_home(store).household_no
    with store.writing() as view:
        view.begin_changes([no])
        view.put_goals(GoalsRow(no, us("2024-01-01"), [GOAL]))
    with store.writing() as view:
        view.delete_household(no)
    with store.reading() as view:
        assert view.goal_revisions(no) == []
