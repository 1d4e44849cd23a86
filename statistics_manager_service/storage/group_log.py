"""Which UTC days of homes in groups a write transaction changes, so that the sums of their groups can follow.

A home in no group costs next to nothing: in SQLite a lookup of its row, which the same transaction has just written, in
PostgreSQL not that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, LAST_DAY, ChangedDays
from statistics_manager_service.services.ports import Channel

_PUT: Final = (
    "INSERT INTO group_changes (household_no, first_day, last_day, change) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (household_no, first_day, last_day) DO UPDATE SET change = excluded.change"
)

_GROUPS_OF: Final = "SELECT group_no FROM group_members WHERE household_no = ? ORDER BY group_no"
_CHANGE_GROUP: Final = "UPDATE home_groups SET changes = changes + 1 WHERE group_no = ?"


class GroupLog:
    """Notes changes of homes that are in groups. noted: {household_no: the number of its change under way}."""

    driver: Any
    dialect: str
    noted: dict[int, int]

    def note_changes(self, household_nos: Iterable[int], in_groups: Iterable[tuple[int, int]]) -> None:
        """Households whose change is counted, and of those that are in groups, how many changes they have now."""
        if self.noted:  # a look at the store that is kept may have noted them before
            for household_no in household_nos:
                self.noted.pop(household_no, None)
        self.noted.update(in_groups)

    def log_days(self, household_no: int, days: Sequence[int]) -> None:
        """Days of a household whose quarter-hours change."""
        self._log([(household_no, first, last) for first, last in spans_of(days)])

    def log_profiles(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """The same of rows that begin with household_no, channel_no, day."""
        days: dict[int, set[int]] = {}
        for row in rows:
            if row[0] in self.noted:
                days.setdefault(row[0], set()).add(row[2])
        for household_no, some in days.items():
            self.log_days(household_no, sorted(some))

    def log_all_days(self, household_no: int) -> None:
        """All days of a household."""
        if household_no in self.noted:
            self._log([(household_no, FIRST_DAY, LAST_DAY)])

    def log_begins(self, channels: Sequence[Channel]) -> None:
        """Where a channel's first reading is another one, what is known of its home may change on all later days: from
        then on it has that flow, known or not. Where it is the first at all, on all days: a home without production has
        no self-consumption, and one with it has. Call it before the channels are written."""
        mine = [one for one in channels if one.household_no in self.noted]
        if not mine:
            return
        owners = sorted({one.household_no for one in mine})
        marks = ", ".join("?" * len(owners))
        sql = f"SELECT household_no, channel_no, first_us FROM channels WHERE household_no IN ({marks})"  # noqa: S608 - marks
        rows = self.driver.execute(self._dialected(sql), owners).fetchall()
        stored = {(row[0], row[1]): row[2] for row in rows}
        spans = []
        for one in mine:
            before_us = stored.get((one.household_no, one.channel_no))
            if before_us is None or one.first_us is None:
                spans += [(one.household_no, FIRST_DAY, LAST_DAY)] if before_us != one.first_us else []
            elif before_us != one.first_us:
                spans.append((one.household_no, min(before_us, one.first_us) // US_PER_DAY, LAST_DAY))
        self._log(spans)

    def leave_groups(self, household_no: int) -> None:
        """Before a household is erased: its groups have changed, and their sums of it are forgotten. The rows that name
        it go with the household."""
        rows = self.driver.execute(self._dialected(_GROUPS_OF), (household_no,)).fetchall()
        for (group_no,) in rows:
            self.driver.execute(self._dialected(_CHANGE_GROUP), (group_no,))
            self.driver.execute(self._dialected("DELETE FROM group_sums WHERE group_no = ?"), (group_no,))

    def _log(self, spans: Sequence[ChangedDays]) -> None:
        if spans:
            rows = [(*span, self.noted[span[0]]) for span in dict.fromkeys(spans)]
            self.driver.cursor().executemany(self._dialected(_PUT), rows)

    def _dialected(self, sql: str) -> str:
        return sql if self.dialect == "sqlite" else sql.replace("?", "%s")


def spans_of(days: Sequence[int]) -> list[tuple[int, int]]:
    """Increasing days as spans first … last of days side by side."""
    spans: list[tuple[int, int]] = []
    for day in days:
        if spans and spans[-1][1] + 1 == day:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans
