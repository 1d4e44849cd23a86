"""What explains a family of measures: the port that each family's explainer fills, and what passes through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from statistics_manager_service.core.definitions import Definition
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView


@dataclass(frozen=True, slots=True)
class About:
    """A number that is to be explained.

    view, home: as they are now. past, known: as they were at `way.until_us`, where that is named; else the same.
    start_us, end_us: its time; zone: of the answer. column: the number, as statistics tell it, over one bucket.
    """

    view: ReadView
    home: Home
    past: ReadView
    known: Home
    definition: Definition
    start_us: int
    end_us: int
    zone: str
    way: Way
    column: Column

    @property
    def measure(self) -> str:
        """Its name."""
        return self.definition.name

    @property
    def value(self) -> float:
        """The number; NaN where it is not known."""
        return float(self.column.value[0])


@dataclass(slots=True)
class Behind:
    """What is behind a number.

    filled: the formula with its figures, a line that people read. inputs: measures and sums that the formula is made
    of, as JSON; one with a `measure` can be asked about in the same way. quarters: how well the quarter-hours are
    known. readings: of each channel that counts. more: further members of the answer, such as prices. lines: of the
    canonical text, whose order does not matter. reasons: why the number is not known, or not all of it.
    """

    filled: str
    inputs: list[dict[str, Any]] = field(default_factory=list)
    quarters: dict[str, Any] = field(default_factory=dict)
    readings: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class Explainer(Protocol):
    """Explains some measures."""

    @property
    def measures(self) -> Sequence[str]:
        """Which ones."""
        ...

    def behind(self, about: About) -> Behind:
        """What is behind a number, also where it is not known. Raises BadInput for what can't be asked."""
        ...
