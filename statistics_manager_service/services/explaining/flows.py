"""What tells a flow: which channels, in which order, and of which part of the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.explaining.channel_parts import ChannelPart, channel_part, pieces_us
from statistics_manager_service.services.explaining.figures import FIRST_FEW, few, kwh, label
from statistics_manager_service.services.measuring import Flow, Sources, flow_between, hull_us, known_quarters, sources
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import Totals

_TELLS: Final = {
    Kind.REGISTER: "a register is the best source: it tells the time from its first to its last reading",
    Kind.INTERVAL: "intervals tell it, as no register does",
    Kind.SAMPLE: "samples of the power are integrated, as neither a register nor intervals tell it",
}
_BESIDE: Final = "{what} tell what lies {where} the readings of the better source"
_NAMES: Final = {Kind.REGISTER: "registers", Kind.INTERVAL: "intervals", Kind.SAMPLE: "integrated samples of the power"}
_UNUSED: Final = "not used: a better source of the same flow tells all of the time of its readings"


@dataclass(frozen=True, slots=True)
class ToldFlow:
    """A flow from start to end: the parts that channels tell, and what is known of each piece of the time."""

    name: str
    parts: list[ChannelPart]
    unused: list[Channel]
    flow: Flow

    @property
    def energy_milliwh(self) -> int:
        """All of it."""
        return sum(one.energy_milliwh for one in self.parts)

    @property
    def text(self) -> str:
        """The sum of its parts with their figures."""
        some = [one for one in self.parts if one.text]
        if len(some) == 1:
            return some[0].text
        return " + ".join(f"[{one.channel.meter} {one.channel.kind.value}: {one.text}]" for one in some) or "nothing"

    def readings(self) -> list[dict[str, Any]]:
        """The readings behind it, as JSON."""
        found = [{"flow": self.name, **one.told} for one in self.parts]
        return found + [
            {"flow": self.name, "meter": one.meter, "quantity": one.quantity, "kind": one.kind.value, "why": _UNUSED}
            for one in self.unused
        ]

    def lines(self) -> list[str]:
        """Its lines of the canonical text."""
        return [line for one in self.parts for line in one.lines]


def told_flow(view: ReadView, channels: Sequence[Channel], quantity: str, start_us: int, end_us: int) -> ToldFlow:
    """An energy of some channels from start to end."""
    found = sources(channels, quantity)
    flow = flow_between(Totals(view, pieces_us(start_us, end_us)), found)
    parts = [
        channel_part(view, channel, first, last, why, as_energy=True)
        for first, last, why, group in _clipped(found, start_us, end_us)
        for channel in group
    ]
    power = quantity.replace("energy_", "power_", 1)
    used = {one.channel_no for one in found.channels}
    unused = [
        one
        for one in channels
        if one.first_us is not None and one.quantity in (quantity, power) and one.channel_no not in used
    ]
    return ToldFlow(quantity, parts, unused, flow)


def _clipped(found: Sources, start_us: int, end_us: int) -> list[tuple[int, int, str, list[Channel]]]:
    """The groups of channels with the time that each tells, and why."""
    if not found:
        return []
    out = [(start_us, end_us, _TELLS[found.groups[0][0].kind], found.groups[0])]
    for i, group in enumerate(found.groups[1:], start=1):
        first, last = hull_us([one for better in found.groups[:i] for one in better])
        name = _NAMES[group[0].kind]
        for begin, end, where in ((start_us, min(end_us, first), "before"), (max(start_us, last), end_us, "behind")):
            if begin < end:
                out.append((begin, end, _BESIDE.format(what=name, where=where), group))
    return out


@dataclass(frozen=True, slots=True)
class Common:
    """Several flows over the pieces of time in which all that had begun are known.

    edges_us: (m+1,). good: (m,) bool, which pieces count. measured_s, estimated_s: (m,) int64, 0 where not good.
    """

    edges_us: Int64
    good: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64
    flows: Mapping[str, ToldFlow]

    def counted_milliwh(self, name: str) -> int:
        """The energy of a flow in the pieces that count; 0 of one that the home does not have."""
        told = self.flows.get(name)
        return 0 if told is None else int(told.flow.energy_milliwh[self.good].sum())

    def input_of(self, name: str) -> dict[str, Any]:
        """A flow as an input of a formula."""
        told = self.flows[name]
        counted = self.counted_milliwh(name)
        out: dict[str, Any] = {"measure": told.name, "value": kwh(counted), "unit": "kWh"}
        if counted != told.energy_milliwh:
            out |= {
                "left_out_kwh": kwh(told.energy_milliwh - counted),
                "why": "quarter-hours in which not all flows are known are left out",
            }
        return out

    def quarters(self) -> dict[str, Any]:
        """How well the pieces are known, and which are left out."""
        told = quarter_counts(self.edges_us, self.measured_s, self.measured_s + self.estimated_s, self.good)
        if len(self.flows) > 1:
            some_known = np.logical_or.reduce([one.flow.known for one in self.flows.values()])
            rows = np.flatnonzero(~self.good & some_known)
            told["left_out"] = few((self._left_out(i) for i in rows[:FIRST_FEW].tolist()), len(rows))
        return told

    def _left_out(self, i: int) -> dict[str, Any]:
        """A piece of time in which some flows are known and others not."""
        at_us = int(self.edges_us[i])
        lacking = [
            name
            for name, one in self.flows.items()
            if not one.flow.known[i] and one.flow.begins_us is not None and self.edges_us[i + 1] > one.flow.begins_us
        ]
        there = {name: kwh(int(one.flow.energy_milliwh[i])) for name, one in self.flows.items() if one.flow.known[i]}
        return {"from": label(at_us), "to": label(int(self.edges_us[i + 1])), "lacks": lacking, "known_kwh": there}


def common(flows: Mapping[str, ToldFlow], start_us: int, end_us: int) -> Common:
    """Several flows of the same time, as formulas take them together. flows: one at least."""
    edges_us = pieces_us(start_us, end_us)
    known = known_quarters([one.flow for one in flows.values()], edges_us)
    measured_s = np.where(known.good, known.measured_s, 0)
    return Common(edges_us, known.good, measured_s, np.where(known.good, known.covered_s, 0) - measured_s, flows)


def quarter_counts(edges_us: Int64, measured_s: Int64, covered_s: Int64, known: NDArray[np.bool_]) -> dict[str, Any]:
    """How many pieces of time are measured, estimated, missing, and known in part; and of how many seconds."""
    seconds = edges_us // US_PER_S
    elapsed_s = seconds[1:] - seconds[:-1]
    is_measured, is_covered = known & (measured_s >= elapsed_s), known & (covered_s >= elapsed_s)
    state = np.where(is_measured, 0, np.where(is_covered, 1, np.where(known, 2, 3)))
    return {
        "whole": len(elapsed_s),
        "measured": int(is_measured.sum()),
        "estimated": int((is_covered & ~is_measured).sum()),
        "missing": int((~known).sum()),
        "known_in_part": int((known & ~is_covered).sum()),
        "seconds": {
            "whole": int(elapsed_s.sum()),
            "measured": int(measured_s.sum()),
            "estimated": int((covered_s - measured_s).sum()),
        },
        "not_measured": _stretches(edges_us, state),
    }


#: How a piece of time is known; the first of them is not told.
_STATES: Final = ("measured", "estimated", "known_in_part", "missing")


def _stretches(edges_us: Int64, state: Int64) -> dict[str, Any]:
    """The stretches of time that are not measured throughout, joined where they are alike."""
    begins = np.flatnonzero(np.diff(state, prepend=-1))
    ends = np.append(begins[1:], len(state))
    rows = [(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True) if state[begin]]
    return few(
        (
            {"from": label(edges_us[begin]), "to": label(edges_us[end]), "is": _STATES[state[begin]]}
            for begin, end in rows[:FIRST_FEW]
        ),
        len(rows),
    )
