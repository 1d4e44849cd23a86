"""The time that is asked about, as texts of the caller, and its quarter-hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar, parse_moment
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import Question, parsed
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import Billing, ReadView
from statistics_manager_service.services.telemetry.as_known import as_known

#: Of what is asked by the quarter-hour: five years.
MOST_DAYS: Final = 5 * 366


@dataclass(frozen=True, slots=True)
class AskedTime:
    """From when until when, in which zone, as known when: texts as the caller sent them."""

    start: str
    end: str
    timezone: str | None = None
    as_of: str | None = None

    def whole(self, zone: str, most_days: int = MOST_DAYS) -> Calendar:
        """The time as a single bucket, of a household's zone unless another is named. Raises BadInput."""
        question = Question("energy_import", self.start, self.end, GroupBy.TOTAL, self.timezone, as_of=self.as_of)
        _, cal = parsed(question, zone, Billing())
        if cal.edges_us[-1] - cal.edges_us[0] > most_days * US_PER_DAY:
            raise BadInput.of([Fault("end", f"at most {most_days} days are answered at once; ask in parts")])
        return cal

    def divided(self, zone: str, group_by: GroupBy, most_days: int = MOST_DAYS) -> Calendar:
        """The time in civil buckets. Raises BadInput."""
        cal = self.whole(zone, most_days)
        return calendar(cal.zone, group_by, int(cal.edges_us[0]), int(cal.edges_us[-1]))

    def known_then(self, view: ReadView, home: Home) -> tuple[ReadView, Home]:
        """A look at the store and the home as they were known when it is asked for."""
        if self.as_of is None:
            return view, home
        return as_known(view, home, parse_moment(self.as_of, home.household.timezone, "as_of"))
