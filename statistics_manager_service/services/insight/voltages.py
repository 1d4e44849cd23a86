"""Voltage and frequency of a home after EN 50160, from what its meters sampled: indicative, and said to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.blocks import unpack_blocks
from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.grid import block_of, day_of_quarter, quarter_after, quarter_of
from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.quantities import QUANTITIES, Dimension
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, QUARTERS_PER_DAY, US_PER_DAY
from statistics_manager_service.core.voltage_quality import (
    FREQUENCY_BANDS,
    INTERRUPTED_SHARE,
    NOMINAL_FREQUENCY_HZ,
    NOMINAL_VOLTAGE_V,
    SAG_SHARE,
    SWELL_SHARE,
    VOLTAGE_BANDS,
    Bands,
    Judged,
    Sampled,
    Valid,
    complies_always,
    judged,
    valid_means,
)
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.ports import Channel, ReadView, Store

_WEEK_US: Final = 7 * US_PER_DAY
WHY_INDICATIVE: Final = (
    "EN 50160 judges 10-minute means (of frequency 10-second means) of instruments of IEC 61000-4-30; here they are "
    "means of the samples of quarter-hours, by the home's own meters"
)


@dataclass(frozen=True, slots=True)
class VoltageQuestion:
    """nominal_voltage_v: else the household's, else 230 V. least_samples: a quarter-hour with fewer is not judged."""

    time: AskedTime
    meter: str | None = None
    nominal_voltage_v: float | None = None
    least_samples: int = 3


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value in milli-units, and when: a mean's quarter-hour begins then; of a sample whose reading is not kept the
    quarter-hour alone is known, and exact is false."""

    value_milli: float
    at_us: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Week:
    """A civil week, or what of it was asked for, and what is said of it."""

    start_us: int
    end_us: int
    judged: Judged


@dataclass(frozen=True, slots=True)
class Quality:
    """What is said of one channel. weeks: none of frequency, which is judged over the whole time. sags, swells:
    quarter-hours with a sample beyond ±10 %; None of frequency."""

    channel: Channel
    nominal_milli: int
    valid: Valid
    whole: Judged
    complies: bool | None
    weeks: list[Week]
    lowest_mean: Extreme | None
    highest_mean: Extreme | None
    lowest_sample: Extreme | None
    highest_sample: Extreme | None
    sags: int | None
    swells: int | None


@dataclass(frozen=True, slots=True)
class VoltageQuality:
    """What is said of all channels that tell a voltage or a frequency; `why_unknown` where none is judged."""

    home: Home
    calendar: Calendar
    question: VoltageQuestion
    nominal_voltage_v: float
    voltages: list[Quality]
    frequencies: list[Quality]
    why_unknown: str | None


class Voltages:
    """Judges the supply of homes."""

    def __init__(self, store: Store) -> None:
        self._store, self._homes = store, Homes()

    def of(self, household_id: str, question: VoltageQuestion) -> VoltageQuality:
        """The supply of a home in a time. Raises BadInput, NotFound."""
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            view, home = question.time.known_then(view, home)
            return _quality(view, home, question)


def _quality(view: ReadView, home: Home, question: VoltageQuestion) -> VoltageQuality:
    cal = question.time.divided(home.household.timezone, GroupBy.WEEKLY)
    nominal_v = question.nominal_voltage_v or home.household.more.get("nominal_voltage_v") or NOMINAL_VOLTAGE_V
    mine = [c for c in home.channels if question.meter in (None, c.meter)]
    of = {
        dimension: [c for c in mine if QUANTITIES[c.quantity].dimension is dimension]
        for dimension in (Dimension.VOLTAGE, Dimension.FREQUENCY)
    }
    voltages = [_voltage(view, c, cal, nominal_v, question.least_samples) for c in of[Dimension.VOLTAGE]]
    frequencies = [_frequency(view, c, cal, question.least_samples) for c in of[Dimension.FREQUENCY]]
    why = _why_unknown(mine, question, [*voltages, *frequencies])
    return VoltageQuality(home, cal, question, nominal_v, voltages, frequencies, why)


def _why_unknown(mine: Sequence[Channel], question: VoltageQuestion, found: Sequence[Quality]) -> str | None:
    if any(one.whole.valid for one in found):
        return None
    if question.meter is not None and not mine:
        return f"the household has no meter {question.meter}"
    if not found:
        return f"no channel of {question.meter or 'the household'} tells a voltage or a frequency"
    if any(one.valid.too_few_samples for one in found):
        return f"no quarter-hour of this time has {question.least_samples} samples"
    return "nothing is known of this time"


def _voltage(view: ReadView, channel: Channel, cal: Calendar, nominal_v: float, least_samples: int) -> Quality:
    nominal_milli = round(nominal_v * MILLI)
    first, sampled = _sampled(view, channel, cal)
    valid = valid_means(sampled, least_samples, round(nominal_milli * INTERRUPTED_SHARE))
    weeks = _weeks(cal, first, valid, nominal_milli)
    some = sampled.count > 0
    return Quality(
        channel=channel,
        nominal_milli=nominal_milli,
        valid=valid,
        whole=judged(valid.mean_milli, len(valid.mean_milli), nominal_milli, VOLTAGE_BANDS),
        complies=complies_always([one.judged.complies for one in weeks]),
        weeks=weeks,
        **_extremes(view, channel, first, sampled, valid),
        sags=int((some & (sampled.low < round(nominal_milli * SAG_SHARE))).sum()),
        swells=int((some & (sampled.high > round(nominal_milli * SWELL_SHARE))).sum()),
    )


def _frequency(view: ReadView, channel: Channel, cal: Calendar, least_samples: int) -> Quality:
    nominal_milli, bands = round(NOMINAL_FREQUENCY_HZ * MILLI), FREQUENCY_BANDS
    first, sampled = _sampled(view, channel, cal)
    valid = valid_means(sampled, least_samples, None)
    whole = judged(valid.mean_milli, len(valid.mean_milli), nominal_milli, bands)
    extremes = _extremes(view, channel, first, sampled, valid)
    return Quality(channel, nominal_milli, valid, whole, whole.complies, [], **extremes, sags=None, swells=None)


def _weeks(cal: Calendar, first: int, valid: Valid, nominal_milli: int) -> list[Week]:
    """What is said of each civil week, whole or cut by the time that is asked for."""
    start_us, end_us = cal.whole_start_us, int(cal.edges_us[-1])
    whole = calendar(cal.zone, GroupBy.WEEKLY, start_us, end_us + _WEEK_US).edges_us
    weeks = []
    for i, (begin_us, stop_us) in enumerate(zip(cal.edges_us[:-1].tolist(), cal.edges_us[1:].tolist(), strict=True)):
        part = valid.mean_milli[quarter_after(begin_us) - first : max(quarter_of(stop_us), first) - first]
        quarters = int(whole[i + 1] - whole[i]) // QUARTER_US
        weeks.append(Week(begin_us, stop_us, judged(part, quarters, nominal_milli, VOLTAGE_BANDS)))
    return weeks


def _sampled(view: ReadView, channel: Channel, cal: Calendar) -> tuple[int, Sampled]:
    """The samples of the whole quarter-hours of a time, and the first of these."""
    first, last = quarter_after(int(cal.edges_us[0])), quarter_of(int(cal.edges_us[-1]))
    count = max(last - first, 0)
    days = np.arange(day_of_quarter(first), day_of_quarter(max(last - 1, first)) + 1, dtype=np.int64)
    found = view.profile_columns([(channel.household_no, channel.channel_no)], days)
    out = np.zeros((4, len(days), QUARTERS_PER_DAY), np.int64)
    told = unpack_days(found.bodies)
    for i, column in enumerate((told.count, told.total, told.low, told.high)):
        if column is not None:
            out[i, found.place] = column
    begin = first - int(days[0]) * QUARTERS_PER_DAY
    return first, Sampled(*out.reshape(4, -1)[:, begin : begin + count])


def _extremes(
    view: ReadView, channel: Channel, first: int, sampled: Sampled, valid: Valid
) -> dict[str, Extreme | None]:
    """The least and the greatest mean of those that are judged, and of all samples."""
    mean, some = valid.mean_milli, sampled.count > 0
    found: dict[str, Extreme | None] = dict.fromkeys(("lowest_mean", "highest_mean", "lowest_sample", "highest_sample"))
    if not np.isnan(mean).all():
        for name, place in (("lowest_mean", np.nanargmin(mean)), ("highest_mean", np.nanargmax(mean))):
            found[name] = Extreme(float(mean[place]), (first + int(place)) * QUARTER_US)
    if some.any():
        far = np.iinfo(np.int64)
        lowest = int(np.argmin(np.where(some, sampled.low, far.max)))
        highest = int(np.argmax(np.where(some, sampled.high, far.min)))
        found["lowest_sample"] = _sample(view, channel, first + lowest, int(sampled.low[lowest]))
        found["highest_sample"] = _sample(view, channel, first + highest, int(sampled.high[highest]))
    return found


def _sample(view: ReadView, channel: Channel, quarter: int, value_milli: int) -> Extreme:
    """When in a quarter-hour a sample had a value first."""
    start_us = quarter * QUARTER_US
    block = block_of(start_us)
    for at_us, value, _, _ in unpack_blocks(
        [one.body for one in view.blocks(channel.household_no, channel.channel_no, block, block)]
    ):
        places = np.flatnonzero(_inside(at_us, start_us) & (value == value_milli))
        if len(places):
            return Extreme(value_milli, int(at_us[places[0]]))
    return Extreme(value_milli, start_us, exact=False)


def _inside(at_us: Int64, start_us: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]] = (at_us >= start_us) & (at_us < start_us + QUARTER_US)
    return inside


def limits_v(nominal_milli: int, bands: Bands) -> dict[str, list[float]]:
    """The edges of the narrow and of the wide band, in the answer's unit."""
    low, high, lowest, highest = (one / MILLI for one in bands.limits_milli(nominal_milli))
    return {"narrow": [low, high], "wide": [lowest, highest]}
