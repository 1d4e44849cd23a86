"""Goals of households as the store keeps them: each revision stays, none replaces another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class GoalsRow(NamedTuple):
    """All goals of a household as they were put at told_us: a list of objects, see services/insight/goals.py."""

    household_no: int
    told_us: int
    goals: Sequence[Mapping[str, Any]]


class GoalRows(Protocol):
    """Reading of goals. `until_us`: only what was told until then, inclusive; None: all."""

    def goals(self, household_no: int, until_us: int | None = None) -> GoalsRow | None:
        """The newest goals of a household."""
        ...

    def goal_revisions(self, household_no: int) -> list[GoalsRow]:
        """All goals that a household has had, each time as they were put, the newest last."""
        ...


class GoalWrites(GoalRows, Protocol):
    """Changes of goals, inside a write transaction."""

    def put_goals(self, row: GoalsRow) -> None:
        """Keep a revision. It is a change of the household: whoever makes it begins with `begin_changes`."""
        ...
