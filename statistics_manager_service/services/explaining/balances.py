"""Explains measures of the home's balance: sums of flows over the quarter-hours in which all of them are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from statistics_manager_service.core.balance import DERIVED, WHOLE_HOUSE
from statistics_manager_service.core.definitions import DEFINITIONS, Family, measures_of
from statistics_manager_service.core.quantities import QUANTITIES
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import kwh_text, summed
from statistics_manager_service.services.explaining.flows import Common, ToldFlow, common, told_flow
from statistics_manager_service.services.explaining.quantities import (
    NOT_IN_TIME,
    NOTHING_READ,
    channels_of,
    energy_behind,
)

_CLIPPED: Final = "limited to 0..1: where meters disagree, a ratio could be outside"


@dataclass(frozen=True, slots=True)
class Formula:
    """Two sums of flows: {flow: sign}; denominator None: the measure is an energy. needs: flows that it can't do
    without. flows: all that have to be known of a quarter-hour that counts."""

    numerator: Mapping[str, int]
    denominator: Mapping[str, int] | None
    needs: tuple[str, ...]
    flows: tuple[str, ...]


FORMULAS: Final[dict[str, Formula]] = {
    one.name: Formula(one.numerator, one.denominator, one.needs, one.flows) for one in DERIVED.values()
}


class BalanceFormulas:
    """Explains consumption, self-consumption and the rates."""

    measures: Sequence[str] = tuple(one for one in measures_of(Family.BALANCE) if one in FORMULAS)

    def behind(self, about: About) -> Behind:
        """What is behind a measure of the balance."""
        formula, measure = FORMULAS[about.measure], about.measure
        if about.way.meter is not None and measure in QUANTITIES:  # of one meter what it tells
            return energy_behind(about, measure, channels_of(about))
        flows = flows_of(about, formula.flows)
        if measure == "energy_consumption" and not flows:
            house = [one for one in about.known.channels if one.meter in WHOLE_HOUSE]
            return energy_behind(about, measure, house)
        lacking = [one for one in formula.needs if one not in flows]
        if lacking or not flows:
            why = f"the home tells no {' and no '.join(lacking)}" if lacking else NOTHING_READ
            return Behind(f"{measure} is not known: {why}", reasons=[why])
        found = common(flows, about.start_us, about.end_us)
        behind = Behind(
            _filled(about, formula, found),
            [found.input_of(name) for name in flows],
            found.quarters(),
            [reading for one in flows.values() for reading in one.readings()],
            {"sums": _sums(formula, found)},
            [line for one in flows.values() for line in one.lines()],
        )
        if not found.good.any():
            behind.reasons.append(NOT_IN_TIME)
        elif formula.denominator is not None and sum_of(formula.denominator, found) <= 0:
            behind.reasons.append("the sum below the line is 0: there is no ratio")
        return behind


def flows_of(about: About, names: Sequence[str]) -> dict[str, ToldFlow]:
    """Those of some flows that the home tells."""
    found = {
        name: told_flow(about.past, about.known.channels, f"energy_{name}", about.start_us, about.end_us)
        for name in names
    }
    return {name: one for name, one in found.items() if one.parts}


def sum_of(signs: Mapping[str, int], found: Common) -> int:
    """A sum of flows with their signs, in milliwatt-hours."""
    return sum(sign * found.counted_milliwh(name) for name, sign in signs.items())


def sum_text(signs: Mapping[str, int], found: Common) -> str:
    """The same with its figures."""
    some = {name: sign for name, sign in signs.items() if name in found.flows}
    return summed((sign, f"{kwh_text(found.counted_milliwh(name))} ({name})") for name, sign in some.items()) or "0"


def _sums(formula: Formula, found: Common) -> dict[str, Any]:
    """The two sums, each flow with its sign."""
    out: dict[str, Any] = {"numerator_kwh": sum_of(formula.numerator, found) / 1e6}
    if formula.denominator is not None:
        out["denominator_kwh"] = sum_of(formula.denominator, found) / 1e6
        out["note"] = _CLIPPED
    return out


def _filled(about: About, formula: Formula, found: Common) -> str:
    value = f"{number_text(about.value)} {DEFINITIONS[about.measure].unit}".removesuffix(" 1")
    upper = sum_text(formula.numerator, found)
    if formula.denominator is None:
        return f"{about.measure} = {upper} = {value}"
    lower = sum_text(formula.denominator, found)
    return f"{about.measure} = ({upper}) / ({lower}) = {value}"
