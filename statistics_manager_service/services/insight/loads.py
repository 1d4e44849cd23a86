"""Load figures of a home: peak, load factor, base load, percentiles, duration curve, average days, contracted power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import GroupBy
from statistics_manager_service.core.day_times import DayTimes, day_times
from statistics_manager_service.core.load import (
    BASE_PERCENT,
    PERCENTS,
    UTILISATIONS,
    AverageDay,
    DurationCurve,
    average_day,
    duration_curve,
    greatest_places,
    night_median,
)
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import MILLI, QUARTER_S, S_PER_MINUTE, US_PER_S
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.load_quarters import LoadQuarters, load_quarters, told_by
from statistics_manager_service.services.ports import Channel, ReadView, Store

#: So many of the greatest quarter-hours are told.
_MOST_PEAKS: Final = 10
#: Contracted power is apparent power, and home meters tell active power: kVA × cosφ.
COS_PHI: Final = 1.0
#: A meter that is read less often, on average, than each quarter-hour and a bit.
_SELDOM_S: Final = 1.1 * QUARTER_S


@dataclass(frozen=True, slots=True)
class LoadQuestion:
    """Of which energy, of one meter or the home, at how many points the duration curve is wanted."""

    time: AskedTime
    energy: str = "energy_consumption"
    meter: str | None = None
    points: int = 101


@dataclass(frozen=True, slots=True)
class Peak:
    """The mean power of a quarter-hour, and when it begins."""

    power_w: float
    at_us: int


@dataclass(frozen=True, slots=True)
class Above:
    """How many measured quarter-hours, and what share of them, exceed a share of the contracted power."""

    utilisation: float
    quarters: int
    share_of_time: float


@dataclass(frozen=True, slots=True)
class ContractedUse:
    """How far the contracted power was used: the import's peak / (kVA × cosφ)."""

    contracted_power_kva: float
    peak: Peak
    utilisation: float
    above: list[Above]
    coverage: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Of how many quarter-hours, cut ones among them, the figures are, and of how many they are not, and why."""

    all: int
    measured: int
    estimated: int
    partial: int
    unknown: int
    negative: int


@dataclass(frozen=True, slots=True)
class ReadEvery:
    """How often a channel was read, on average over all of its time; None where it was read less than twice."""

    channel: Channel
    every_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class LoadFigures:
    """The load in a time; numbers are NaN where nothing is measured, and `why_unknown` says why.

    percentiles_w: those of PERCENTS. coverage, estimated: shares of the time. contracted: None where it can't be told,
    and why_not_contracted says why.
    """

    home: Home
    zone: str
    question: LoadQuestion
    counted: Counted
    coverage: float
    estimated: float
    peaks: list[Peak]
    mean_w: float
    load_factor: float
    base_load_w: float
    night_median_w: float
    percentiles_w: list[float]
    curve: DurationCurve
    weekday: AverageDay
    weekend: AverageDay
    contracted: ContractedUse | None
    why_not_contracted: str | None
    why_unknown: str | None
    read_every: list[ReadEvery]
    notes: list[str]


class Loads:
    """Tells the load figures of homes."""

    def __init__(self, store: Store) -> None:
        self._store, self._homes = store, Homes()

    def of(self, household_id: str, question: LoadQuestion) -> LoadFigures:
        """The load of a home, or of a meter of it, in a time. Raises BadInput, NotFound."""
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            return _figures(*question.time.known_then(view, home), question)


def _figures(view: ReadView, home: Home, question: LoadQuestion) -> LoadFigures:
    household = home.household
    cal = question.time.divided(household.timezone, GroupBy.QUARTERS)
    quarters = load_quarters(view, home.channels, cal.edges_us, question.energy, question.meter)
    times = day_times(cal.edges_us[:-1], cal.offset_s[:-1])
    power_w = quarters.power_w
    whole = quarters.whole
    base_load_w, *percentiles_w = (float(whole.percentile(one)[0]) for one in (BASE_PERCENT, *PERCENTS))
    read_every = [_read_every(one) for one in told_by(home.channels, question.energy, question.meter)]
    contracted = _contracted(view, home, question, quarters)
    coverage, estimated = _whole_shares(quarters)
    return LoadFigures(
        home=home,
        zone=cal.zone,
        question=question,
        counted=_counted(quarters),
        coverage=coverage,
        estimated=estimated,
        peaks=[_peak(quarters, i) for i in greatest_places(power_w, _MOST_PEAKS)],
        mean_w=float(whole.mean_w[0]),
        load_factor=float(whole.load_factor[0]),
        base_load_w=base_load_w,
        night_median_w=night_median(power_w, times),
        percentiles_w=percentiles_w,
        curve=duration_curve(power_w, question.points),
        **_average_days(power_w, times),
        contracted=contracted if isinstance(contracted, ContractedUse) else None,
        why_not_contracted=contracted if isinstance(contracted, str) else None,
        why_unknown=_why_unknown(home, question, quarters),
        read_every=read_every,
        notes=_notes(quarters, read_every),
    )


def _peak(quarters: LoadQuarters, place: int) -> Peak:
    return Peak(float(quarters.power_w[place]), int(quarters.edges_us[place]))


def _average_days(power_w: Float64, times: DayTimes) -> dict[str, AverageDay]:
    return {
        "weekday": average_day(power_w, times, of_weekends=False),
        "weekend": average_day(power_w, times, of_weekends=True),
    }


def _whole_shares(quarters: LoadQuarters) -> tuple[float, float]:
    """The shares of the whole time that are measured, and estimated."""
    elapsed = np.diff(quarters.edges_us)
    return (
        float(np.average(quarters.coverage, weights=elapsed)),
        float(np.average(quarters.estimated_share, weights=elapsed)),
    )


def _counted(quarters: LoadQuarters) -> Counted:
    measured, estimated, partial = (int(x.sum()) for x in (quarters.measured, quarters.estimated, quarters.partial))
    pieces = len(quarters.power_w)
    negative = int((quarters.power_w < 0).sum())
    return Counted(pieces, measured, estimated, partial, pieces - measured - estimated - partial, negative)


def _contracted(view: ReadView, home: Home, question: LoadQuestion, quarters: LoadQuarters) -> ContractedUse | str:
    """How far the contracted power was used, or why that can't be told."""
    power_kva = home.household.contracted_power_kva
    if question.meter is not None:
        return "the contracted power is of the whole home, and one meter is asked about"
    if power_kva is None:
        return "the household has no contracted_power_kva"
    if question.energy != "energy_import":
        quarters = load_quarters(view, home.channels, quarters.edges_us, "energy_import", None)
    places = greatest_places(quarters.power_w, 1)
    if not places:
        return "no quarter-hour of the import is measured in this time"
    peak, limit_w = _peak(quarters, places[0]), power_kva * COS_PHI * MILLI
    measured = int(quarters.measured.sum())
    counts = [int((quarters.power_w > share * limit_w).sum()) for share in UTILISATIONS]
    above = [Above(share, count, count / measured) for share, count in zip(UTILISATIONS, counts, strict=True)]
    return ContractedUse(power_kva, peak, peak.power_w / limit_w, above, _whole_shares(quarters)[0])


def _why_unknown(home: Home, question: LoadQuestion, quarters: LoadQuarters) -> str | None:
    if quarters.measured.any():
        return None
    if question.meter is not None and question.meter not in {one.meter for one in home.channels}:
        return f"the household has no meter {question.meter}"
    if not told_by(home.channels, question.energy, question.meter):
        whose = "the household" if question.meter is None else f"meter {question.meter}"
        return f"no channel of {whose} tells {question.energy}"
    if quarters.estimated.any() or quarters.partial.any():
        return "no quarter-hour of this time is measured throughout: what is known of it is estimated, or of parts"
    return "nothing is known of this time"


def _read_every(channel: Channel) -> ReadEvery:
    if channel.first_us is None or channel.last_us is None or channel.reading_count < 2:  # there is no distance
        return ReadEvery(channel, None)
    return ReadEvery(channel, (channel.last_us - channel.first_us) / (channel.reading_count - 1) / US_PER_S)


def _notes(quarters: LoadQuarters, read_every: Sequence[ReadEvery]) -> list[str]:
    """What to mind of the figures."""
    notes = []
    for one in read_every:
        if one.every_s is not None and one.every_s > _SELDOM_S:
            name = f"{one.channel.quantity} of meter {one.channel.meter}"
            notes.append(
                f"{name} was read every {one.every_s / S_PER_MINUTE:.0f} minutes on average: where readings lie "
                "further apart than a quarter-hour, its power is the mean between them, and hides peaks"
            )
    if quarters.estimated.any():
        notes.append("estimated quarter-hours are means over gaps, which hide peaks and lows: none of them counts")
    if (quarters.power_w < 0).any():
        why = "a production or a battery is not metered, or the meters of the home's flows disagree there"
        notes.append(f"some powers are below 0: {why}")
    return notes
