"""Goals of households: what a measure is to come to at most, or at least, in each day, week, month, year or bill."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from statistics_manager_service.core.civil import GroupBy, parse_moment
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.insight.goal_rows import GoalsRow
from statistics_manager_service.services.ports import Household, Store

MOST_GOALS: Final = 50
#: What a goal's period is, as a grouping.
PERIODS: Final = {
    "day": GroupBy.DAILY,
    "week": GroupBy.WEEKLY,
    "month": GroupBy.MONTHLY,
    "year": GroupBy.YEARLY,
    "billing": GroupBy.BILLING,
}
#: Units in which a goal may be told, by the unit of its measure: how many of that one they are.
_UNITS: Final[dict[str, dict[str, float]]] = {
    "kWh": {"kWh": 1, "Wh": 0.001, "MWh": 1000},
    "W": {"W": 1, "kW": 1000},
    "1": {"1": 1, "%": 0.01},
    "gCO2eq": {"gCO2eq": 1, "kgCO2eq": 1000},
    "kgCO2eq": {"kgCO2eq": 1, "gCO2eq": 0.001},
}
_CURRENCY: Final = "currency"
_MOST: Final = 1e12
#: Money can be earned on balance; of nothing else there is less than nothing.
_MAY_BE_NEGATIVE: Final = frozenset({"cost_net", "cost_import", "revenue_export", "temperature", "power_net"})


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of a household. target: in `unit`; is_limit: it is to be at most that, else at least."""

    id: str
    measure: str
    period: str
    target: float
    is_limit: bool
    unit: str
    title: str | None

    @property
    def group_by(self) -> GroupBy:
        """The period as a grouping."""
        return PERIODS[self.period]

    def factor(self, measure_unit: str) -> float | None:
        """How many of a measure's unit one of the goal's is; None where they are of different kinds."""
        return 1.0 if self.unit == measure_unit else _UNITS.get(measure_unit, {}).get(self.unit)


@dataclass(frozen=True, slots=True)
class KnownGoals:
    """The goals of a household, as they were put. told_us: None where none were."""

    household: Household
    goals: Sequence[Mapping[str, Any]]
    told_us: int | None


Target = Annotated[float, Field(allow_inf_nan=False, ge=-_MOST, le=_MOST)]


class ToldGoal(BaseModel):
    """A goal: one of `at_most` and `at_least`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="A name of yours.", examples=["winter-import"])
    measure: str = Field(max_length=64, description="A measure of `/statistics`.", examples=["energy_import"])
    period: Literal["day", "week", "month", "year", "billing"] = Field(
        description="In each of which it is to be met: weeks from Monday, billing periods as the household has them."
    )
    at_most: Target | None = Field(None, description="What the measure is to come to at most.", examples=[250])
    at_least: Target | None = Field(None, description="What it is to come to at least.")
    unit: str = Field(
        max_length=16,
        description="Of the number: kWh, Wh, MWh; a currency such as EUR; gCO2eq, kgCO2eq; W, kW; 1 or % of rates.",
        examples=["kWh"],
    )
    title: str | None = Field(None, max_length=200, description="For people.")


def goals_of(row: GoalsRow | None) -> list[Goal]:
    """The goals of a row."""
    return [] if row is None else [_goal(ToldGoal.model_validate(one)) for one in row.goals]


def _goal(told: ToldGoal) -> Goal:
    is_limit = told.at_most is not None
    target = told.at_most if told.at_most is not None else told.at_least
    return Goal(told.id, told.measure, told.period, float(target or 0), is_limit, told.unit, told.title)


class Goals:
    """The register of goals."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us = store, now_us

    def get(self, household_id: str, as_of: str | None = None) -> KnownGoals:
        """The goals of a household, or those known at a date or date-time. Raises NotFound, BadInput."""
        with self._store.reading() as view:
            household = known_household(view, household_id)
            until_us = None if as_of is None else parse_moment(as_of, household.timezone, "as_of")
            return _known(household, view.goals(household.household_no, until_us))

    def put(self, household_id: str, body: Any) -> tuple[KnownGoals, bool]:
        """Replace the goals of a household; they, and whether it had none before. The same again makes no revision.

        Raises NotFound, BadInput with all faults.
        """
        told = _read(body)
        with self._store.writing() as view:
            household = known_household(view, household_id)
            view.begin_changes([household.household_no])
            household = known_household(view, household_id)  # as it is now that nobody else changes it
            faults = list(_faults_of_currency(told, household))
            if faults:
                raise BadInput.of(faults)
            known = view.goals(household.household_no)
            kept = [one.model_dump(exclude_none=True) for one in told]
            if known is not None and list(known.goals) == kept:
                return _known(household, known), False
            now_us = self._now_us()
            row = GoalsRow(household.household_no, now_us if known is None else max(now_us, known.told_us + 1), kept)
            view.put_goals(row)
            return _known(household, row), known is None


def _known(household: Household, row: GoalsRow | None) -> KnownGoals:
    return KnownGoals(household, [] if row is None else row.goals, None if row is None else row.told_us)


# --- what is wrong with goals -----------------------------------------------------------------------------------------


def _read(body: Any) -> list[ToldGoal]:
    """The goals of a body. Raises BadInput with all faults of all of them."""
    if not isinstance(body, dict) or not isinstance(body.get("goals"), list):
        raise BadInput.of([Fault("body", "the body must be a JSON object with `goals`, a list")])
    faults = [Fault(name[:64] or '""', "there is no such member") for name in body if name != "goals"]
    told = body["goals"]
    if len(told) > MOST_GOALS:
        faults.append(Fault("goals", f"{len(told)} goals are told; a household can have {MOST_GOALS}"))
    found: list[ToldGoal] = []
    for i, one in enumerate(told[:MOST_GOALS]):
        try:
            goal = ToldGoal.model_validate(one)
        except ValidationError as error:
            faults += _faults_of_members(error, f"goals[{i}]")
            measure = one.get("measure") if isinstance(one, dict) else None
            if isinstance(measure, str) and not any(part["loc"] == ("measure",) for part in error.errors()):
                faults += _faults_of_measure(measure, f"goals[{i}]")
            continue
        faults += _faults_of_goal(goal, f"goals[{i}]")
        if any(goal.id == other.id for other in found):
            faults.append(Fault(f"goals[{i}].id", f"{goal.id} is the id of another goal, too"))
        found.append(goal)
    if faults:
        raise BadInput.of(faults)
    return found


def _faults_of_members(error: ValidationError, where: str) -> Iterator[Fault]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part)[:64] for part in one["loc"])
        yield Fault(f"{where}.{name}" if name else where, one["msg"])


def _faults_of_goal(told: ToldGoal, where: str) -> Iterator[Fault]:
    """A measure that is not there, a unit that is not its, a target that is told twice or not at all."""
    if (told.at_most is None) == (told.at_least is None):
        yield Fault(where, "one of `at_most` and `at_least` must be told, and not both")
    target = told.at_most if told.at_most is not None else told.at_least
    if target is not None and target < 0 and told.measure not in _MAY_BE_NEGATIVE:
        yield Fault(f"{where}.{'at_most' if told.at_most is not None else 'at_least'}", "it can't be negative")
    yield from _faults_of_measure(told.measure, where)
    definition = DEFINITIONS.get(told.measure)
    if definition is None:
        return
    allowed = _UNITS.get(definition.unit, {definition.unit: 1})
    if _CURRENCY in definition.unit:
        pattern = re.escape(definition.unit).replace(_CURRENCY, "[A-Z]{3}")
        if not re.fullmatch(pattern, told.unit):
            like = definition.unit.replace(_CURRENCY, "EUR")
            yield Fault(f"{where}.unit", f"{told.measure} is told in a currency, such as {like}")
    elif told.unit not in allowed:
        yield Fault(f"{where}.unit", f"{told.measure} is told in {' or '.join(allowed)}")


def _faults_of_measure(name: str, where: str) -> Iterator[Fault]:
    if name not in DEFINITIONS:
        yield Fault(f"{where}.measure", f"{name!r} is no measure; GET /statistics tells them")


def _faults_of_currency(told: Sequence[ToldGoal], household: Household) -> Iterator[Fault]:
    for i, one in enumerate(told):
        definition = DEFINITIONS[one.measure]
        if household.currency is None or _CURRENCY not in definition.unit:
            continue
        wanted = definition.unit.replace(_CURRENCY, household.currency)
        if one.unit != wanted:
            yield Fault(f"goals[{i}].unit", f"the household pays in {household.currency}: the unit is {wanted}")
