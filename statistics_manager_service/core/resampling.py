"""What the rest of a time may bring a home: whole days of its own past, drawn anew, at levels as they have changed
before.

Whole days are drawn, so that a draw has the course of real ones: a cloudy noon imports and a sunny one exports, hardly
any does half of both; the greatest quarter-hour of a draw is one that there was. Days alone tell too little of how far
the truth may lie from what is expected, as neighbouring days are alike: the level of a whole draw is changed, too, as
far as the home's mean of so many days has differed from that of the weeks before, up and down alike.

Flows (import, export, sub-meters) are drawn together. Days are those of the wall clock, of 96 quarter-hours; of an hour
that the clock repeats the mean of both passes counts, one that it skips is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.schedules import Mask, wall_quarters
from statistics_manager_service.core.units import QUARTERS_PER_DAY
from statistics_manager_service.core.zones import EPOCH

#: Days are drawn from so many of the last ones that are known, and the mean before a change of level is over so many.
DAYS_DRAWN: Final = 28
#: Days further ahead are drawn from around the same day of the year before, where that is known.
FAR_DAYS: Final = 31
YEAR_DAYS: Final = 364

_DAYS_PER_WEEK: Final = 7
_SATURDAY: Final = 5
_WEEKDAY_OF_EPOCH: Final = EPOCH.weekday()
#: A day of which less is known is left out.
_KNOWN_SHARE: Final = 0.9
_LEAST_DONORS: Final = 3
#: Days to each side of the same day a year ago, and how many of them have to be known.
_AROUND_DAYS: Final = 10
_LEAST_AROUND: Final = 14
#: A change of level is looked at where so much of the days is known, after so many days at least.
_TOLD_SHARE: Final = 0.8
_LEAST_BEFORE: Final = 14
#: Changes count as no greater: of a home that was empty before, the ratio tells nothing.
_GREATEST_CHANGE: Final = float(np.log(3.0))
#: Until a home has shown so many changes of level, those that are usual among homes stand in for what lacks: four out
#: of five within this one. Measured on real homes with one to four weeks of history, for 1 to 28 days.
_ENOUGH_CHANGES: Final = 56
_USUAL_CHANGE: Final = 0.3
_FOUR_OF_FIVE: Final = float(np.log(5.0))


@dataclass(frozen=True, slots=True)
class PastDays:
    """Energies of neighbouring civil days by the wall clock.

    first_day: days since 1970-01-01. energy_milliwh: (f, d, 96) float64 of each flow, NaN where unknown.
    """

    first_day: int
    energy_milliwh: Float64

    def totals(self) -> Float64:
        """(f, d) float64: what each day came to, NaN where too little of it is known."""
        known = np.isfinite(self.energy_milliwh)
        share = known.mean(axis=2)
        enough = (share >= _KNOWN_SHARE).all(axis=0)
        summed = np.where(known, self.energy_milliwh, 0.0).sum(axis=2) / np.where(share > 0, share, 1.0)
        return np.where(enough, summed, np.nan)


def past_days(first_quarter: int, energy_milliwh: Float64, zone: str) -> PastDays:
    """Quarter-hours, (f, n) float64 from a first one (since 1970-01-01) on, NaN where unknown, as days of a zone."""
    day, slot = wall_days(first_quarter, energy_milliwh.shape[1], zone)
    first = int(day.min())
    days = int(day.max()) - first + 1
    cell = (day - first) * QUARTERS_PER_DAY + slot
    size = days * QUARTERS_PER_DAY
    out = np.empty((len(energy_milliwh), days, QUARTERS_PER_DAY))
    for i, one in enumerate(energy_milliwh):
        known = np.isfinite(one)
        number = np.bincount(cell[known], minlength=size)
        total = np.bincount(cell[known], one[known], minlength=size)
        out[i] = np.where(number > 0, total / np.maximum(number, 1), np.nan).reshape(days, -1)
    return PastDays(first, out)


def wall_days(first_quarter: int, count: int, zone: str) -> tuple[Int64, Int64]:
    """The civil day (since 1970-01-01) and the quarter of that day by the wall clock, (count,) int64 each."""
    return np.divmod(wall_quarters(zone, "civil", first_quarter, count), QUARTERS_PER_DAY)


# --- days ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Donors:
    """From which past days a day ahead is drawn: their places, and by how much each flow is multiplied, (f,)."""

    places: Int64
    factor: Float64


def donors_of(past: PastDays, totals: Float64, days: Int64) -> tuple[list[Donors], bool]:
    """The donors of each of some days (since 1970-01-01), and whether any are of the year before.

    totals: (f, d) of the past days; at least one is known. A near day is drawn from the last known days of its kind
    (working day or weekend); a far one from those around the same day a year ago, brought to this year's level.
    """
    known = np.flatnonzero(np.isfinite(totals).all(axis=0))
    recent = known[-DAYS_DRAWN:]
    last = past.first_day + int(known[-1])
    ago = recent - YEAR_DAYS
    ago = ago[np.isin(ago, known)]
    factor = _ratio(totals, recent, ago) if len(ago) >= _LEAST_AROUND else None
    plain = np.ones(len(totals))
    found, any_ago = [], False
    for day in days.tolist():
        if factor is not None and day > last + FAR_DAYS:
            around = known[np.abs(past.first_day + known - (day - YEAR_DAYS)) <= _AROUND_DAYS]
            if len(around) >= _LEAST_AROUND:
                found.append(Donors(_of_kind(past, around, day), factor))
                any_ago = True
                continue
        found.append(Donors(_of_kind(past, recent, day), plain))
    return found, any_ago


def _ratio(totals: Float64, recent: Int64, ago: Int64) -> Float64:
    """What a flow has come to of late for each unit of the same days a year ago, (f,), within bounds."""
    same = np.isin(recent - YEAR_DAYS, ago)
    now, before = totals[:, recent[same]].sum(axis=1), totals[:, ago].sum(axis=1)
    ratio = np.where((now > 0) & (before > 0), now / np.where(before > 0, before, 1.0), 1.0)
    return np.clip(ratio, np.exp(-_GREATEST_CHANGE), np.exp(_GREATEST_CHANGE))


def _of_kind(past: PastDays, places: Int64, day: int) -> Int64:
    same = places[_is_weekend(past.first_day + places) == _is_weekend(np.array(day))]
    return same if len(same) >= _LEAST_DONORS else places


def _is_weekend(day: Int64) -> Mask:
    weekend: Mask = (day + _WEEKDAY_OF_EPOCH) % _DAYS_PER_WEEK >= _SATURDAY
    return weekend


def drawn_days(donors: Sequence[Donors], draws: int, seed: int) -> Int64:
    """(draws, r) int64: of each draw and day the place of a past day; over the draws each donor comes about as often
    as the others."""
    rng = np.random.default_rng(seed)
    out = np.empty((draws, len(donors)), np.int64)
    for i, one in enumerate(donors):
        rounds = -(-draws // len(one.places))
        order = np.concatenate([rng.permutation(len(one.places)) for _ in range(rounds)])[:draws]
        out[:, i] = one.places[rng.permutation(order)]
    return out


def drawn_energy(past: PastDays, donors: Sequence[Donors], drawn: Int64, row: Int64, slot: Int64) -> Float64:
    """(draws, f, n) float64 milliwatt-hours of the quarter-hours ahead in each draw.

    drawn: (draws, r). row: (n,) which of the r days each quarter-hour is of; slot: (n,) its place in the day. Where
    the drawn day is not known, the mean of all that could have been drawn counts, or else 0.
    """
    means = np.empty((past.energy_milliwh.shape[0], len(donors), QUARTERS_PER_DAY))
    by_places: dict[bytes, Float64] = {}
    for i, one in enumerate(donors):
        key = one.places.tobytes()
        if key not in by_places:
            by_places[key] = _known_mean(past.energy_milliwh[:, one.places])
        means[:, i] = by_places[key]
    factor = np.array([one.factor for one in donors]).T
    flows = []
    for energy, mean, each in zip(past.energy_milliwh, means, factor, strict=True):
        taken = energy[drawn[:, row], slot]
        taken = np.where(np.isnan(taken), mean[row, slot], taken)
        flows.append(taken * each[row])
    return np.stack(flows, axis=1)


def _known_mean(energy: Float64) -> Float64:
    """(f, 96): the mean over days, (f, k, 96), of what is known; 0 where nothing is."""
    known = np.isfinite(energy)
    mean: Float64 = np.where(known, energy, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean


# --- levels -------------------------------------------------------------------------------------------------------


def level_changes(totals: Float64, days: int) -> Float64:
    """(f, m) float64: how much more or less than in the weeks before each flow came to in `days` days, as natural
    logarithms, for each day from which on that is known. totals: (f, d), NaN where unknown.

    Where no past is long enough, shorter times are looked at. A flow that was not there before or behind has 0.
    """
    known = np.logical_and.reduce(np.isfinite(totals), axis=0)
    running = np.concatenate((np.zeros((len(totals), 1)), np.cumsum(np.where(known, totals, 0.0), axis=1)), axis=1)
    counted = np.concatenate(([0], np.cumsum(known)))
    while True:
        at = np.arange(_LEAST_BEFORE, len(known) - days + 1)
        begin = np.maximum(at - DAYS_DRAWN, 0)
        days_before, days_behind = counted[at] - counted[begin], counted[at + days] - counted[at]
        told: Mask = days_before >= np.maximum(_TOLD_SHARE * (at - begin), 1)
        told &= days_behind >= np.maximum(_TOLD_SHARE * days, 1)
        if told.any() or days <= 1:
            break
        days //= 2
    at, begin = at[told], begin[told]
    before = (running[:, at] - running[:, begin]) / days_before[told]
    behind = (running[:, at + days] - running[:, at]) / days_behind[told]
    there = (before > 0) & (behind > 0)
    change = np.log(np.where(there, behind, 1.0) / np.where(there, before, 1.0))
    return np.clip(change, -_GREATEST_CHANGE, _GREATEST_CHANGE)


def level_factors(changes: Float64, direction: Float64, draws: int) -> Float64:
    """(draws, f) float64: by how much the energies of each draw are multiplied, from the least to the greatest of the
    first flow, evenly out of all changes.

    changes: (f, m), up and down alike; few ones are filled up by the usual ones. direction: (f,) 1 or -1: which way a
    flow goes in a usual change while the first one grows.
    """
    lacking = 2 * max(_ENOUGH_CHANGES - changes.shape[1], 0)
    usual = direction[:, np.newaxis] * _usual_changes(lacking)
    every = np.concatenate((changes, -changes, usual), axis=1)
    order = np.argsort(every[0], kind="stable")
    place = ((np.arange(draws) + 0.5) / draws * len(order)).astype(np.int64)
    factors: Float64 = np.exp(every[:, order[place]]).T
    return factors


def _usual_changes(count: int) -> Float64:
    """(count,) changes spread as those of homes are: a Laplace distribution, which has the long ends of empty homes."""
    share = (np.arange(count) + 0.5) / max(count, 1)
    side = np.where(share < 0.5, np.log(2 * np.minimum(share, 0.5)), -np.log(2 * np.minimum(1 - share, 0.5)))
    changes: Float64 = side * (_USUAL_CHANGE / _FOUR_OF_FIVE)
    return changes
