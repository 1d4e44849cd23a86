"""Measures of a community that shares what its sources make: each member's share, quarter-hour by quarter-hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.civil import Calendar
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.grid import quarter_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.sharing import by_coefficients, by_import, rest_by_source
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_S, QUARTER_US
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.column_sources import PLAIN_WAY, Way
from statistics_manager_service.services.groups.group_documents import day_of, parts_of_share
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, GroupRow, MemberRow
from statistics_manager_service.services.groups.keeping import member_of, midnight_quarter_us
from statistics_manager_service.services.homes import Home, Homes
from statistics_manager_service.services.measuring import Column, flow_between, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.telemetry.as_known import as_known
from statistics_manager_service.services.totals import Totals

MEASURES: Final = measures_of(Family.SHARING)
#: Quarter-hours of members at a time: some 8 MB a column.
_CELLS: Final = 1_000_000
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Figures:
    """A measure in q quarter-hours: milliwatt-hours, where it is known, and the seconds of it that are measured."""

    energy_milliwh: Int64
    known: Bools
    measured_s: Int64


class Shares:
    """Works out the measures of sharing. A home sees its own share alone."""

    of_meters: frozenset[str] = frozenset()
    hangs_on_home_alone = False

    def __init__(self) -> None:
        self._homes = Homes()

    @property
    def measures(self) -> tuple[str, ...]:
        """What it makes."""
        return MEASURES

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way = PLAIN_WAY
    ) -> list[Column]:
        """Measures of a home over buckets; not known where it is in no community that shares. Raises BadInput."""
        faults = [
            Fault(name, "production is shared by quarter-hours; this lies inside one")
            for name, edge in (("start", 0), ("end", -1))
            if cal.edges_us[edge] % QUARTER_US
        ]
        if faults:
            raise BadInput.of(faults)
        first, count = quarter_of(int(cal.edges_us[0])), int(cal.edges_us[-1] - cal.edges_us[0]) // QUARTER_US
        place = cal.edges_us // QUARTER_US - first
        out = np.zeros((len(measures), 3, count), np.int64)
        for group, _ in view.memberships(home.household.household_no):
            if group.rule is None:
                continue
            for begin, community in self._communities(view, group, first, count, way):
                mine = community.share_of(home)
                for i, measure in enumerate(measures):
                    figures = mine[measure]
                    inside = slice(begin, begin + len(figures.known))
                    out[i, 0, inside] += np.where(figures.known, figures.energy_milliwh, 0)
                    out[i, 1, inside] |= figures.known
                    out[i, 2, inside] += np.where(figures.known, figures.measured_s, 0)
        return [_column(measure, mine, place) for measure, mine in zip(measures, out, strict=True)]

    def _communities(
        self, view: ReadView, group: GroupRow, first: int, count: int, way: Way
    ) -> Iterator[tuple[int, _Community]]:
        """A community some quarter-hours at a time, each with its place."""
        rows = sorted(view.members(group.group_no), key=lambda one: one.household)
        homes = self._homes.of_each(view, [one.household for one in rows])
        most = max(1, _CELLS // max(1, len(rows)))
        for begin in range(0, count, most):
            edges_us = np.arange(first + begin, first + min(begin + most, count) + 1, dtype=np.int64) * QUARTER_US
            yield begin, _Community(view, group, rows, homes, edges_us, way.until_us)


class _Community:
    """A community in the quarter-hours between edges, (q+1,). rows, homes: its members, ordered by their ids, so that
    it is told which of equal remainders comes first."""

    def __init__(
        self,
        view: ReadView,
        group: GroupRow,
        rows: Sequence[MemberRow],
        homes: Sequence[Home],
        edges_us: Int64,
        until_us: int | None,
    ) -> None:
        self._view, self._group, self._rows, self._homes = view, group, rows, homes
        self._starts_us, self._until_us = edges_us[:-1], until_us
        members = [member_of(home, row, group.timezone) for home, row in zip(homes, rows, strict=True)]
        self._inside = np.array([self._while(one.from_us, one.to_us) for one in members])
        self._totals = Totals(view, edges_us)
        if until_us is None:
            needs_all = group.rule == "proportional"
            wanted = [(i, one) for i, one in enumerate(rows) if needs_all or one.source is not None]
            self._totals.fetch([c for i, row in wanted for c in self._channels(i, row)])

    def _while(self, from_us: int, to_us: int) -> Bools:
        mask: Bools = (self._starts_us >= from_us) & (self._starts_us < to_us)
        return mask

    def _channels(self, i: int, row: MemberRow) -> list[Channel]:
        wanted = ["energy_import", *([row.source] if row.source else [])]
        return [c for one in wanted for c in sources(self._homes[i].channels, one).channels]

    def _flow(self, i: int, measure: str) -> _Figures:
        """A flow of a member while it is one; none negative."""
        home, totals = self._homes[i], self._totals
        if self._until_us is not None:
            view, home = as_known(self._view, home, self._until_us)
            totals = Totals(view, self._totals.edges_us)
        flow = flow_between(totals, sources(home.channels, measure))
        known = flow.known & self._inside[i]
        energy = np.where(known, np.maximum(flow.energy_milliwh, 0), 0)
        return _Figures(energy, known, np.where(known, flow.measured_s, 0))

    def share_of(self, home: Home) -> dict[str, _Figures]:
        """Each measure of a member."""
        mine = next(i for i, one in enumerate(self._rows) if one.household_no == home.household.household_no)
        places = [i for i, one in enumerate(self._rows) if one.source is not None]
        flows = [self._flow(i, self._rows[i].source or "") for i in places]
        made = np.array([one.energy_milliwh for one in flows]).reshape(len(flows), len(self._starts_us))
        produced = made.sum(axis=0)
        known = np.logical_or.reduce([one.known for one in flows]) & self._inside[mine]
        then = np.maximum(self._inside[places].sum(axis=0), 1)
        measured_s = np.array([one.measured_s for one in flows]).sum(axis=0) // then
        imports = self._flow(mine, "energy_import")
        allocated = self._allocated(produced)
        if self._group.rule == "proportional":  # whose import is not known takes no part
            known = known & imports.known
        consumed = np.minimum(allocated[mine], imports.energy_milliwh)
        surplus = allocated[mine] - consumed
        if mine in places:
            rest = rest_by_source(produced - allocated.sum(axis=0), made)
            surplus = surplus + rest[places.index(mine)]
        both, both_s = known & imports.known, np.minimum(measured_s, imports.measured_s)
        return {
            "energy_shared_allocated": _Figures(allocated[mine], known, measured_s),
            "energy_shared_consumption": _Figures(consumed, both, both_s),
            "energy_shared_surplus": _Figures(surplus, both, both_s),
            "energy_import_after_sharing": _Figures(imports.energy_milliwh - consumed, both, both_s),
        }

    def _allocated(self, produced: Int64) -> Int64:
        """What each member is allocated, (m, q)."""
        if self._group.rule == "proportional":
            imports = [self._flow(i, "energy_import").energy_milliwh for i in range(len(self._rows))]
            return by_import(produced, np.array(imports))
        parts = np.zeros(self._inside.shape, np.int64)
        for i, row in enumerate(self._rows):
            for one in row.coefficients or ():
                begin_us = midnight_quarter_us(self._group.timezone, day_of(one["from"], FIRST_DAY))
                parts[i, self._starts_us >= begin_us] = parts_of_share(one["share"])
        return by_coefficients(produced, np.where(self._inside, parts, 0))


def _column(measure: str, rows: Int64, place: Int64) -> Column:
    """A measure over buckets from its energy, where it is known, and its seconds measured, (3, q)."""
    running = np.zeros((3, rows.shape[1] + 1), np.int64)
    np.cumsum(rows, axis=1, out=running[:, 1:])
    steps = np.diff(running[:, place], axis=1)
    energy, known, measured_s = steps
    elapsed_s = np.diff(place) * QUARTER_S
    coverage = measured_s / elapsed_s
    estimated = np.maximum(known * QUARTER_S - measured_s, 0) / elapsed_s
    total = energy.sum() / MILLIWH_PER_KWH if known.any() else np.nan
    value = np.where(known > 0, energy / MILLIWH_PER_KWH, np.nan)
    return Column(measure, None, "kWh", value, coverage, estimated, float(total))
