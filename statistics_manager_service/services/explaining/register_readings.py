"""How a register tells an energy: what it shows at both edges, and what events add to the difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.correction import SET_ASIDE, Verdict
from statistics_manager_service.core.lines import Span
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.explaining.around import provisional
from statistics_manager_service.services.explaining.figures import (
    FIRST_FEW,
    few,
    in_unit,
    kwh,
    kwh_text,
    label,
    seconds_text,
)
from statistics_manager_service.services.telemetry.correcting import booked
from statistics_manager_service.services.telemetry.stretches import Stretch

_WHY: Final = {
    Verdict.RESET: "the register began anew; what it shows has flowed since then",
    Verdict.ROLLOVER: "the register went over its modulus and began again from 0",
    Verdict.SWAP: "the meter was swapped; the books go on from the new one's start",
}
_LOST: Final = "the register began anew, and what flowed between is not known: nothing is counted for it"


@dataclass(frozen=True, slots=True)
class _Rows:
    """The readings that count, and the rows of swaps: (n,) columns.

    level_milli: the value at which a reading counts: its own, or the level that was reached before it where it is held.
    step_milli: what flowed since the row before. jump_milli: how much more that is than the difference of the levels.
    """

    at_us: Int64
    value_milli: Int64
    level_milli: Int64
    step_milli: Int64
    jump_milli: Int64
    verdict: Int64
    span: Int64


def register_energy(one: Stretch, start_us: int, end_us: int) -> tuple[int, dict[str, Any], str]:
    """What a register tells of a time: milliwatt-hours, what is behind them, and the sum as text."""
    rows = _rows(one)
    edges = [_edge(one, rows, at_us) for at_us in (start_us, end_us)]
    places = [_place(rows, at_us) for at_us in (start_us, end_us)]
    registers = [milliwh for _, milliwh in edges]
    jumps = rows.jump_milli[places[0] + 1 : places[1] + 1]
    added = int(jumps.sum())
    energy = registers[1] - registers[0] + added
    text = f"{kwh_text(registers[1])} (register at end) − {kwh_text(registers[0])} (register at start)"
    special = places[0] + 1 + np.flatnonzero(_is_special(rows)[places[0] + 1 : places[1] + 1])
    if len(special):
        text += f" + {kwh_text(added)} (what {len(special)} events add)"
    told = {
        "edges": [edge for edge, _ in edges],
        "events": {
            **few((_event(one, rows, i) for i in special[:FIRST_FEW].tolist()), len(special)),
            "add_kwh": kwh(added),
        },
        "sum": "energy_kwh = register_kwh at the end − register_kwh at the start + events.add_kwh",
    }
    return energy, told, text


def _rows(one: Stretch) -> _Rows:
    found = booked([one])
    keep = ~np.isin(found.corrected.verdict, SET_ASIDE)
    value = found.value_milli[keep]
    level = value + found.corrected.hold_milli[keep]
    step = found.lines.step_milliwh
    jump = np.zeros_like(step)
    jump[1:] = step[1:] - np.diff(level)
    verdict = found.corrected.verdict[keep].astype(np.int64)
    return _Rows(found.at_us[keep], value, level, step, jump, verdict, found.lines.span.astype(np.int64))


def _is_special(rows: _Rows) -> Any:
    return (rows.jump_milli != 0) | (rows.verdict == Verdict.RESET) | (rows.verdict == Verdict.ROLLOVER)


def _place(rows: _Rows, at_us: int) -> int:
    """The last row at or before an instant; the first where the instant is before it."""
    return max(int(rows.at_us.searchsorted(at_us, side="right")) - 1, 0)


def _edge(one: Stretch, rows: _Rows, at_us: int) -> tuple[dict[str, Any], int]:
    """What the register shows at an instant, and the readings around it."""
    place = _place(rows, at_us)
    told: dict[str, Any] = {"at": label(at_us), "before": None, "after": None}
    level = int(rows.level_milli[place])
    if at_us < rows.at_us[0]:
        told["after"] = _reading(one, rows, place)
        return {**told, "register_kwh": kwh(level), "how": "before the first reading: what that shows"}, level
    told["before"] = _reading(one, rows, place)
    if at_us == rows.at_us[place]:
        return {**told, "register_kwh": kwh(level), "how": "what the reading of this instant shows"}, level
    if place + 1 == len(rows.at_us):
        return {**told, "register_kwh": kwh(level), "how": "behind the last reading: what that shows"}, level
    behind = place + 1
    told["after"] = _reading(one, rows, behind)
    step = int(rows.step_milli[behind])
    part_us, whole_us = at_us - int(rows.at_us[place]), int(rows.at_us[behind] - rows.at_us[place])
    register = level + (2 * step * part_us + whole_us) // (2 * whole_us)
    told |= {"flowed_between_kwh": kwh(step), "known": _known(int(rows.span[behind]))}
    told["register_kwh"] = kwh(register)
    told["how"] = (
        f"linear between the two: {kwh_text(level)} + {kwh_text(step)} × {seconds_text(part_us)} s / "
        f"{seconds_text(whole_us)} s, rounded to a milliwatt-hour"
    )
    return told, register


def _known(span: int) -> str:
    return {Span.MEASURED: "measured", Span.ESTIMATED: "estimated"}.get(Span(span), "missing")


def _reading(one: Stretch, rows: _Rows, i: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": label(rows.at_us[i]),
        "value": in_unit(one.channel, int(rows.value_milli[i])),
        "verdict": Verdict(int(rows.verdict[i])).name.lower(),
        "provisional": bool(provisional(one, rows.at_us[i : i + 1])[0]),
    }
    if rows.level_milli[i] != rows.value_milli[i]:
        told["counts_as"] = in_unit(one.channel, int(rows.level_milli[i]))
    return told


def _event(one: Stretch, rows: _Rows, i: int) -> dict[str, Any]:
    """A row at which the register began anew: what was counted, and how much more that is than the difference."""
    verdict, step = Verdict(int(rows.verdict[i])), int(rows.step_milli[i])
    is_lost = verdict is Verdict.RESET and rows.span[i] == Span.UNKNOWN
    return {
        "at": label(rows.at_us[i]),
        "verdict": verdict.name.lower(),
        "value": in_unit(one.channel, int(rows.level_milli[i])),
        "value_before": in_unit(one.channel, int(rows.level_milli[i - 1])),
        "counted_kwh": kwh(step),
        "adds_kwh": kwh(int(rows.jump_milli[i])),
        "why": _LOST if is_lost else _WHY.get(verdict, "the level moves"),
    }
