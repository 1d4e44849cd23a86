"""The sums of members' quarter-hours: what a group's statistics are made of.

Each home counts as its own statistics have it (services/measuring.py): its sources of a flow, best first, and of what
is derived from flows the quarter-hours in which all of them are known. Homes whose flows are told by one channel each,
which is nearly all of them, are read and added up together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import BALANCE, WHOLE_HOUSE, combine
from statistics_manager_service.core.group_sums import COLUMNS, PART, PARTS
from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Sources, flow_between, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals

FLOWS: Final = PARTS[:5]
_HOUSE: Final = len(FLOWS)
_IMPORT, _EXPORT, _PRODUCTION = (FLOWS.index(flow) for flow in ("import", "export", "production"))
#: Quarter-hours of homes at a time, some megabytes a column; and days, which take some megabytes in all.
_CELLS: Final = 200_000
_DAYS: Final = 400
_FAR: Final = np.iinfo(np.int64).max
Bools = NDArray[np.bool_]


class Member(NamedTuple):
    """A home while it is a member: from_us ≤ instant < to_us, both on the quarter-hour grid."""

    home: Home
    from_us: int
    to_us: int


class FlowOf(NamedTuple):
    """A flow of a home: its place among the members, the flow's place in FLOWS (behind them: what the meter of a whole
    house tells of consumption, where a home has no flows), and what tells it."""

    member: int
    flow: int
    found: Sources


@dataclass(frozen=True, slots=True)
class FlowRows:
    """The flows of homes over q quarter-hours, a row each.

    member, flow: (k,) as of FlowOf. energy_milliwh, measured_s, estimated_s: (k, q). begins_us: (k,) where each begins.
    """

    member: Int64
    flow: Int64
    begins_us: Int64
    energy_milliwh: Int64
    measured_s: Int64
    estimated_s: Int64

    @property
    def known(self) -> Bools:
        """(k, q) where anything is known of it."""
        known: Bools = (self.measured_s + self.estimated_s > 0) | (self.energy_milliwh != 0)
        return known


def flows_of(homes: Sequence[Sequence[Channel]]) -> list[FlowOf]:
    """The flows that homes have, of each its channels."""
    found = []
    for i, channels in enumerate(homes):
        mine = [FlowOf(i, j, sources(channels, f"energy_{flow}")) for j, flow in enumerate(FLOWS)]
        mine = [one for one in mine if one.found]
        if not mine:
            house = sources([c for c in channels if c.meter in WHOLE_HOUSE], "energy_consumption")
            mine = [FlowOf(i, _HOUSE, house)] if house else []
        found += mine
    return found


def day_sums(view: ReadView, members: Sequence[Member], days: Sequence[int]) -> Iterator[tuple[Int64, Int64]]:
    """The sums of members on UTC days (increasing), some days at a time: the days, and (parts, 5, d, 96) int64."""
    cuts = np.flatnonzero(np.diff(days) != 1) + 1
    for run in np.split(np.array(days, np.int64), cuts):
        for first in range(0, len(run), _DAYS):
            some = run[first : first + _DAYS]
            yield some, _sums_of(view, members, some)


def _sums_of(view: ReadView, members: Sequence[Member], days: Int64) -> Int64:
    """The sums of UTC days side by side: of some homes after the others, so that what is added up stays in the
    processor's caches, and a store that has a home's days together reads them together."""
    out = np.zeros((len(PARTS), COLUMNS, len(days) * QUARTERS_PER_DAY), np.int64)
    at_once = max(1, _CELLS // (len(days) * QUARTERS_PER_DAY))
    for first in range(0, len(members), at_once):
        some = members[first : first + at_once]
        flows = flows_of([one.home.channels for one in some])
        if flows:
            _add_rows(out, read_flows(view, flows, days), _membership(some, days), len(some), days)
    return out.reshape(len(PARTS), COLUMNS, len(days), QUARTERS_PER_DAY)


def read_flows(view: ReadView, flows: Sequence[FlowOf], days: Int64) -> FlowRows:
    """Flows in the quarter-hours of UTC days side by side."""
    plain = [i for i, one in enumerate(flows) if len(one.found.channels) == 1]
    out = np.zeros((3, len(flows), len(days) * QUARTERS_PER_DAY), np.int64)
    channels = [flows[i].found.channels[0] for i in plain]
    if plain:
        columns = _stored(view, channels, days)
        if len(plain) == len(flows):
            out = columns
        else:
            out[:, plain] = columns
    begins_us = np.array([min(c.first_us or 0 for c in one.found.channels) for one in flows], np.int64)
    others = sorted(set(range(len(flows))).difference(plain))
    if others:
        edges_us = np.arange(days[0] * QUARTERS_PER_DAY, (days[-1] + 1) * QUARTERS_PER_DAY + 1) * QUARTER_US
        totals = Totals(view, edges_us)
        totals.fetch([c for i in others for c in flows[i].found.channels])
        for i in others:
            flow = flow_between(totals, flows[i].found)
            out[:, i] = flow.energy_milliwh, flow.measured_s, flow.estimated_s
    member = np.array([one.member for one in flows], np.int64)
    return FlowRows(member, np.array([one.flow for one in flows], np.int64), begins_us, *out)


def _stored(view: ReadView, channels: Sequence[Channel], days: Int64) -> Int64:
    """Energy, seconds measured and estimated of channels, (3, c, q), as they are stored."""
    found = view.profile_columns([(one.household_no, one.channel_no) for one in channels], days)
    columns = unpack_days(found.bodies).columns[:3] if found.bodies else []
    out = np.zeros((3, len(channels), len(days), QUARTERS_PER_DAY), np.int64)
    is_complete = len(found.bodies) == len(channels) * len(days)
    for i, column in enumerate(columns):
        if is_complete:
            out[i] = column.reshape(len(channels), len(days), -1)
        else:
            out[i, found.owner, found.place] = column
    return out.reshape(3, len(channels), -1)


def _membership(members: Sequence[Member], days: Int64) -> Bools | None:
    """(m, q) which quarter-hours each is a member in; None where all are in all."""
    first_us, end_us = int(days[0]) * US_PER_DAY, (int(days[-1]) + 1) * US_PER_DAY
    if all(one.from_us <= first_us and one.to_us >= end_us for one in members):
        return None
    starts_us = np.arange(first_us, end_us, QUARTER_US, dtype=np.int64)
    from_us, to_us = (np.array([getattr(one, name) for one in members])[:, None] for name in ("from_us", "to_us"))
    mask: Bools = (starts_us >= from_us) & (starts_us < to_us)
    return mask


class _Adding:
    """Adds up rows of members into parts, (parts, 5, q)."""

    def __init__(self, out: Int64, mask: Bools | None) -> None:
        self._out, self._mask = out, mask

    def add(self, part: str, member: Int64, columns: Sequence[Int64], known: Bools) -> None:
        """columns: energy, seconds measured and estimated, (r, q) each, of the members (r,)."""
        mask = None if self._mask is None else self._mask[member]
        mine = self._out[PART[part]]
        for place, column in enumerate((*columns, known)):
            mine[place] += (column if mask is None else np.where(mask, column, 0)).sum(axis=0, dtype=np.int64)
        mine[len(columns) + 1] += len(member) if mask is None else mask.sum(axis=0)


def _add_rows(out: Int64, rows: FlowRows, mask: Bools | None, members: int, days: Int64) -> None:
    """Add rows of members to the parts, (parts, 5, q)."""
    quarters = len(days) * QUARTERS_PER_DAY
    adding = _Adding(out, mask)
    known = rows.known
    for place, flow in enumerate((*FLOWS, "consumption")):
        mine = np.flatnonzero(rows.flow == place)
        if not len(mine):
            continue
        columns = (rows.energy_milliwh[mine], rows.measured_s[mine], rows.estimated_s[mine])
        adding.add(flow, rows.member[mine], columns, known[mine])
    ends_us = int(days[0]) * US_PER_DAY + np.arange(1, quarters + 1, dtype=np.int64) * QUARTER_US
    has = np.zeros((len(FLOWS) + 1, members), np.bool_)
    has[rows.flow, rows.member] = True
    homes = np.flatnonzero(has[:_HOUSE].any(axis=0))
    if len(homes):
        _add_balance(adding, _together(rows, known, ends_us, homes, range(len(FLOWS))), has)
    if not has[_PRODUCTION].any():
        return
    making = _together(rows, known, ends_us, np.flatnonzero(has[_PRODUCTION]), (_PRODUCTION, _EXPORT))
    own = making.energy("production") - making.energy("export")
    adding.add("self_consumption", making.member, (own, making.measured_s, making.estimated_s), making.good)
    made = (making.energy("production"), making.measured_s, making.estimated_s)
    adding.add("self_consumption_production", making.member, made, making.good)


@dataclass(frozen=True, slots=True)
class _Together:
    """Flows of h homes where all of them that have begun are known, 0 elsewhere: energies {flow: (h, q)} of those flows
    that any of the homes has."""

    member: Int64
    energies: dict[str, Int64]
    measured_s: Int64
    estimated_s: Int64
    good: Bools

    def energy(self, flow: str) -> Int64:
        """(h, q), 0 where no home has it."""
        return self.energies[flow] if flow in self.energies else np.zeros_like(self.measured_s)


def _together(rows: FlowRows, known: Bools, ends_us: Int64, homes: Int64, flows: Sequence[int]) -> _Together:
    """As `known_quarters` (services/measuring.py) has it for one home."""
    shape = (len(homes), len(ends_us))
    any_known, lacking = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    measured_s = np.full(shape, _FAR)
    covered_s = measured_s.copy()
    energies: dict[str, Int64] = {}
    for flow in flows:
        mine = np.flatnonzero((rows.flow == flow) & np.isin(rows.member, homes))
        if not len(mine):
            continue
        at = slice(None) if len(mine) == len(homes) else np.searchsorted(homes, rows.member[mine])
        is_known, begun = known[mine], ends_us > rows.begins_us[mine][:, None]
        any_known[at] |= is_known
        lacking[at] |= begun & ~is_known
        measured, covered = rows.measured_s[mine], rows.measured_s[mine] + rows.estimated_s[mine]
        measured_s[at] = np.minimum(measured_s[at], np.where(begun, measured, _FAR))
        covered_s[at] = np.minimum(covered_s[at], np.where(begun, covered, _FAR))
        energies[FLOWS[flow]] = np.zeros(shape, np.int64)
        energies[FLOWS[flow]][at] = rows.energy_milliwh[mine]
    good = any_known & ~lacking
    if not good.all():
        for energy in energies.values():
            energy[~good] = 0
        measured_s[~good] = 0
        covered_s[~good] = 0
    return _Together(homes, energies, measured_s, covered_s - measured_s, good)


def _add_balance(adding: _Adding, whole: _Together, has: Bools) -> None:
    """Consumption of the homes that have an import; the sides of the rates."""
    quality = (whole.measured_s, whole.estimated_s)
    counted = np.flatnonzero(has[_IMPORT][whole.member])
    if not len(counted):
        return
    member, good = whole.member[counted], whole.good[counted]
    some = [column[counted] for column in quality]
    consumption = combine_rows(BALANCE, {flow: energy[counted] for flow, energy in whole.energies.items()})
    for part in ("consumption", "sufficiency_consumption"):
        adding.add(part, member, (consumption, *some), good)
    adding.add("sufficiency_import", member, (whole.energy("import")[counted], *some), good)


def combine_rows(formula: dict[str, int], energies_milliwh: dict[str, Int64]) -> Int64:
    """`combine` of rows of homes, (h, q) each."""
    shape = next(iter(energies_milliwh.values())).shape
    flat = combine(formula, {flow: energy.reshape(-1) for flow, energy in energies_milliwh.items()})
    return flat.reshape(shape)
