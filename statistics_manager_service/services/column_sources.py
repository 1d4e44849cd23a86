"""What makes columns of measures, beside the plain ones: bills, balances, carbon accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import ReadView


@dataclass(frozen=True, slots=True)
class Way:
    """How measures are asked for. meter: of one meter alone. until_us: as it was known then.

    carbon_source, carbon_boundary: of the intensities that count; None: as the household has it.
    """

    meter: str | None = None
    until_us: int | None = None
    carbon_source: str | None = None
    carbon_boundary: str | None = None


#: As it is known now, of the whole home.
PLAIN_WAY: Final = Way()


class ColumnSource(Protocol):
    """Makes columns of some measures.

    measures: what it makes. of_meters: those of them that can be asked of one meter. hangs_on_home_alone: whether an
    answer is good as long as nothing of the household changes.
    """

    @property
    def measures(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def of_meters(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def hangs_on_home_alone(self) -> bool: ...  # noqa: D102

    def columns(self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way) -> list[Column]:
        """Some measures of a home over buckets, in the order asked for. view and home are as they are now: what is
        asked as of an instant is found by `way.until_us`. Raises BadInput."""
        ...
