"""How a household comes along with its goals: the running period, what it will come to, and how past ones ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar, parse_moment
from statistics_manager_service.core.combining import DECIMALS, How, combination_of
from statistics_manager_service.core.end_of_period import (
    FAR_DAYS,
    LEAST_DAYS,
    LEVEL,
    WEEKS,
    days_known,
    rest_of_period,
    rest_of_ratio,
)
from statistics_manager_service.core.grid import quarter_of
from statistics_manager_service.core.quantities import QUANTITIES, Dimension
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.asking import Asking
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.insight.compared import KNOWN_SHARE
from statistics_manager_service.services.insight.goal_hours import HoursOfMeasures
from statistics_manager_service.services.insight.goal_periods import Period, period_at, periods_before
from statistics_manager_service.services.insight.goals import Goal, goals_of
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.money.live_costs import LiveCosts
from statistics_manager_service.services.money.projecting import Projection
from statistics_manager_service.services.ports import Household, ReadView, Store

#: Of a period that has begun: what it will be. KEPT and MISSED are of one that is over, or can't be turned any more.
KEPT, MISSED, ON_TRACK, WILL_MISS = "kept", "missed", "on_track", "will_miss"
_NO_READINGS: Final = "no readings of this measure are known"


@dataclass(frozen=True, slots=True)
class Projected:
    """What a period will come to, in the measure's unit; low, high: NaN where the past is too short to tell a range.

    method, notes: how it was made, and what to mind.
    """

    value: float
    low: float
    high: float
    method: str
    notes: tuple[str, ...] = ()
    is_reliable: bool = True


@dataclass(frozen=True, slots=True)
class PastResult:
    """What a past period came to. is_kept: None where too little of it is known."""

    start_us: int
    end_us: int
    value: float
    coverage: float
    is_kept: bool | None


@dataclass(frozen=True, slots=True)
class GoalProgress:
    """A goal in its running period. Values are in the goal's unit.

    period: None where listed billing dates do not tell it. used: so far. coverage: the share of the time so far that is
    measured or estimated. projected: None with `why_not_projected`. status: None with `why`; is_sure: whether the
    whole range says the same. past: newest first. streak, longest: of periods kept, one after the other.
    """

    goal: Goal
    period: Period | None
    elapsed: float
    used: float
    coverage: float
    projected: Projected | None
    why_not_projected: str | None
    status: str | None
    is_sure: bool | None
    why: str | None
    past: tuple[PastResult, ...] = ()
    streak: int = 0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A household's goals at an instant."""

    household: Household
    at_us: int
    goals: list[GoalProgress]


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the progress of all goals at an instant is worked out from. within_us: an instant of the periods that are
    told. make: a column of a measure. bill: what the running bill will come to, or why not; None: it is not asked."""

    home: Home
    at_us: int
    within_us: int
    first_us: int
    hours: HoursOfMeasures
    make: Callable[[Calendar, str], Column]
    bill: Projected | str | None


class GoalsInTime:
    """Tells the progress of goals."""

    def __init__(self, store: Store, asking: Asking, live_costs: LiveCosts, now_us: Callable[[], int]) -> None:
        self._store, self._asking, self._live_costs = store, asking, live_costs
        self._now_us, self._homes = now_us, Homes()

    def of(self, household_id: str, on: str | None = None) -> Progress:
        """The goals of a household as they are now, or as they were at the end of a date: by what was measured until
        then. Raises NotFound, BadInput for a date that is to come."""
        now_us = quarter_of(self._now_us()) * QUARTER_US
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            at_us, within_us = (now_us, now_us) if on is None else _end_of(home.household, on, now_us)
            goals = goals_of(view.goals(home.household.household_no))
        # the live cost looks at the store itself
        bill = self._bill(household_id) if at_us == now_us and any(_is_bill(one) for one in goals) else None
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            moment = self._moment(view, home, at_us, within_us, bill)
            return Progress(home.household, at_us, [_progress(moment, one) for one in goals])

    def _moment(self, view: ReadView, home: Home, at_us: int, within_us: int, bill: Projected | str | None) -> _Moment:
        def make(cal: Calendar, measure: str) -> Column:
            return self._asking.columns(view, home, cal, [measure])[0]

        firsts = [one.first_us for one in home.channels if one.first_us is not None]
        first_us = min(firsts, default=at_us)
        hours = HoursOfMeasures(home.household.timezone, at_us, first_us, make)
        return _Moment(home, at_us, within_us, first_us, hours, make, bill)

    def _bill(self, household_id: str) -> Projected | str:
        """What the running bill will come to, or why that can't be told."""
        try:
            projection = self._live_costs.of(household_id).projection
        except NotFound as error:
            return error.sentence
        if not isinstance(projection, Projection):
            return projection.why
        value, low, high = float(projection.statement.gross), float(projection.low), float(projection.high)
        return Projected(value, low, high, projection.method, projection.notes)


def _end_of(household: Household, on: str, now_us: int) -> tuple[int, int]:
    """The end of a date, or now where that is to come; and an instant of that date. Raises BadInput."""
    zone = household.timezone
    begin_us = parse_moment(on, zone, "on")
    if begin_us > now_us:
        raise BadInput.of([Fault("on", "it is to come")])
    at_us = min(midnight_us(zone, civil_date(zone, begin_us) + timedelta(days=1)), now_us)
    return at_us, max(begin_us, at_us - 1)


def _is_bill(goal: Goal) -> bool:
    return goal.measure == "cost_net" and goal.period == "billing"


def _progress(moment: _Moment, goal: Goal) -> GoalProgress:
    period = period_at(moment.home.household, goal, moment.within_us)
    if period is None:
        why = "the household's `billing_dates` do not tell when the running billing period begins and ends"
        return GoalProgress(goal, None, math.nan, math.nan, math.nan, None, why, None, None, why)
    zone = moment.home.household.timezone
    end_us = min(moment.at_us, period.end_us)
    has_begun = end_us > period.start_us
    told_us = end_us if has_begun else period.start_us + QUARTER_US
    so_far = moment.make(calendar(zone, GroupBy.TOTAL, period.start_us, told_us), goal.measure)
    factor = goal.factor(so_far.unit)
    if factor is None:
        why = f"{goal.measure} is told in {so_far.unit}, and the goal in {goal.unit}"
        if so_far.unit in ("", "/kWh"):
            why = "no contract of the household tells in which currency it pays"
        return GoalProgress(goal, period, math.nan, math.nan, math.nan, None, why, None, None, why)
    elapsed = (end_us - period.start_us) / (period.end_us - period.start_us)
    used, coverage = so_far.total, float(so_far.coverage[0] + so_far.estimated[0])
    if not has_begun:
        used, coverage = (0.0 if combination_of(goal.measure).how is How.SUM else math.nan), 0.0
    projected = _projected(moment, goal, period, used) if end_us < period.end_us else "the period is over"
    is_told = isinstance(projected, Projected)
    found = GoalProgress(
        goal,
        period,
        elapsed,
        used / factor,
        min(coverage, 1.0),
        _in_unit(projected, factor) if isinstance(projected, Projected) else None,
        None if is_told else str(projected),
        None,
        None,
        None,
    )
    found = _judged(found, _why_not_used(so_far), is_over=end_us == period.end_us)
    past = _past(moment, goal, period, factor)
    streaks = _streaks(past)
    return replace(found, past=past, streak=streaks[0], longest=streaks[1])


def _in_unit(one: Projected, factor: float) -> Projected:
    value, low, high = (round(number / factor, DECIMALS) for number in (one.value, one.low, one.high))
    return replace(one, value=value, low=low, high=high)


# --- what a period will come to ---------------------------------------------------------------------------------------


def _projected(moment: _Moment, goal: Goal, period: Period, used: float) -> Projected | str:
    """What a running period will come to, or why that can't be told."""
    if _is_bill(goal) and moment.bill is not None:
        return moment.bill
    how, divisor = combination_of(goal.measure)
    if how not in (How.SUM, How.RATIO):
        return f"what is to come of {goal.measure} can't be added to what is known"
    begin_us = moment.hours.begin_us(period.start_us, period.end_us)
    hours = moment.hours.of(goal.measure, begin_us, period.end_us)
    known = days_known(hours)
    if known < LEAST_DAYS:
        return f"of the last {WEEKS} weeks {known} days are known; it takes {LEAST_DAYS}"
    first_day, begin_day = (civil_date(moment.home.household.timezone, at) for at in (begin_us, period.start_us))
    begin = (begin_day - first_day).days
    if divisor is not None:
        return _projected_ratio(moment, goal, period, used, begin_us, begin)
    rest = rest_of_period(hours, begin)
    if not math.isfinite(rest.expected):
        return f"some hours of the last {WEEKS} weeks are never known"
    so_far = 0.0 if math.isnan(used) else used
    lacking = float(hours.missing[begin : hours.now].sum()) / float(max(hours.hours[begin : hours.now].sum(), 1.0))
    is_far = len(hours.hours) - hours.now - 1 > FAR_DAYS and not rest.knows_year
    low, high = (math.nan, math.nan) if is_far else (rest.low, rest.high)
    notes = [] if is_far else [*_notes_of_range(low)]
    if lacking > 1 - KNOWN_SHARE:
        notes.append(f"{lacking:.0%} of the days so far are not known; the projection has what is usual there")
    if is_far:
        notes.append(f"days further ahead than {FAR_DAYS} are as the last weeks were: no year before is known")
    return Projected(
        so_far + rest.expected,
        so_far + low,
        so_far + high,
        _method(rest.days, rest.trials if math.isfinite(low) else 0, knows_year=rest.knows_year),
        tuple(notes),
        not is_far,
    )


def _projected_ratio(
    moment: _Moment, goal: Goal, period: Period, used: float, begin_us: int, begin: int
) -> Projected | str:
    """The ratio of the sums of what is known and what is to come."""
    divisor = combination_of(goal.measure).weight or ""
    ratio = moment.hours.of(goal.measure, begin_us, period.end_us)
    below = moment.hours.of(divisor, begin_us, period.end_us)
    product = np.where(below.per_hour == 0, 0.0, ratio.per_hour * below.per_hour)
    above = replace(below, per_hour=product)
    rest = rest_of_ratio(above, below, begin)
    zone = moment.home.household.timezone
    weight = 0.0
    if math.isfinite(used):
        divided_by = moment.make(calendar(zone, GroupBy.TOTAL, period.start_us, moment.at_us), divisor).total
        weight = 0.0 if math.isnan(divided_by) else divided_by
    whole = weight + rest.below
    if not math.isfinite(rest.above + rest.below) or whole <= 0:
        return f"there is nothing to divide by: no {divisor} is expected"
    value = ((0.0 if math.isnan(used) else used * weight) + rest.above) / whole
    share = rest.below / whole
    low, high = value + rest.low * share, value + rest.high * share
    if goal.measure.endswith(("_rate", "_share")):
        low, high = max(low, 0.0), min(high, 1.0)
    return Projected(
        value,
        low,
        high,
        _method(rest.days, rest.trials if math.isfinite(low) else 0),
        tuple(_notes_of_range(rest.low)),
    )


def _method(days: float, trials: int, *, knows_year: bool = False) -> str:
    """How a projection is made, in a sentence."""
    far = f"; days further ahead than {FAR_DAYS} are those of a year before, at the level of now" if knows_year else ""
    text = (
        f"{days:.1f} days that are not known have what is usual: for each hour the mean of the same weekdays of the "
        f"last {WEEKS} weeks, newer ones counting more{far}."
    )
    if not trials:
        return text
    return text + f" The range holds {LEVEL:.0%} of what came when the same was worked out on {trials} earlier days."


def _notes_of_range(low: float) -> Sequence[str]:
    if math.isfinite(low):
        return ()
    return ("the home's past is too short to tell how far the projection may be off",)


# --- how it stands ----------------------------------------------------------------------------------------------------


def _is_met(goal: Goal, value: float) -> bool:
    value, target = round(value, DECIMALS), round(goal.target, DECIMALS)
    return value <= target if goal.is_limit else value >= target


def _only_grows(measure: str) -> bool:
    """Whether a measure never falls within a period: metered energies, and what is the greatest of a period."""
    is_energy = measure in QUANTITIES and QUANTITIES[measure].dimension is Dimension.ENERGY
    return combination_of(measure).how is How.GREATEST or (is_energy and measure != "energy_consumption")


def _is_settled(goal: Goal, used: float) -> bool:
    """Whether what is known has passed the number already, so that what is not known can't turn it."""
    return math.isfinite(used) and _only_grows(goal.measure) and _is_met(goal, used) is not goal.is_limit


def _judged(found: GoalProgress, why_not_used: str, *, is_over: bool) -> GoalProgress:
    """With how it stands. why_not_used: what is told where nothing is known of the period."""
    goal = found.goal
    is_known = math.isfinite(found.used)
    if _is_settled(goal, found.used):
        return replace(found, status=MISSED if goal.is_limit else KEPT, is_sure=True)
    if is_over:
        if not is_known or found.coverage < KNOWN_SHARE:
            return replace(found, why=f"less than {KNOWN_SHARE:.0%} of the period is known")
        return replace(found, status=KEPT if _is_met(goal, found.used) else MISSED, is_sure=True)
    projected = found.projected
    if projected is None:
        return replace(found, why=found.why_not_projected if is_known else why_not_used)
    if not projected.is_reliable:
        return replace(found, why="; ".join(projected.notes))
    is_met = _is_met(goal, projected.value)
    is_sure = None
    if math.isfinite(projected.low) and math.isfinite(projected.high):
        is_sure = _is_met(goal, projected.low) is _is_met(goal, projected.high)
    return replace(found, status=ON_TRACK if is_met else WILL_MISS, is_sure=is_sure)


def _why_not_used(so_far: Column) -> str:
    """Why nothing is known of a period so far, where that is so."""
    return "; ".join(dict.fromkeys(one.why for one in so_far.lacks)) or _NO_READINGS


def _past(moment: _Moment, goal: Goal, period: Period, factor: float) -> tuple[PastResult, ...]:
    """What past periods came to, newest first."""
    cal = periods_before(moment.home.household, goal, period.start_us, moment.first_us)
    if cal is None:
        return ()
    column = moment.make(cal, goal.measure)
    covered = np.minimum(column.coverage + column.estimated, 1.0)
    edges_us = cal.edges_us.tolist()
    found = []
    for i, (value, share) in enumerate(zip((column.value / factor).tolist(), covered.tolist(), strict=True)):
        is_told = (math.isfinite(value) and share >= KNOWN_SHARE) or _is_settled(goal, value)
        value = round(value, DECIMALS)
        found.append(PastResult(edges_us[i], edges_us[i + 1], value, share, _is_met(goal, value) if is_told else None))
    return tuple(reversed(found))


def _streaks(past: Sequence[PastResult]) -> tuple[int, int]:
    """How many of the newest periods were kept one after the other, and the most that ever were among those told."""
    runs, run = [], 0
    for one in past:
        run = run + 1 if one.is_kept else 0
        runs.append(run)
    current = next((i for i, one in enumerate(past) if not one.is_kept), len(past))
    return current, max(runs, default=0)
