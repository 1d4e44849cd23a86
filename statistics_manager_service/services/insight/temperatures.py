"""The mean temperature outside a home, by the civil day, from its own meters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.grid import ragged_ranges
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, US_PER_HOUR
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.totals import COUNT, SUM, Totals

#: Names of meters that measure outside, the first one that there is: for homes with several temperatures.
OUTSIDE: Final = ("outdoor", "outside", "weather")
#: A day of whose time a smaller share is known by its hours has no mean.
LEAST_KNOWN_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class DayTemperatures:
    """mean_c: (d,) float64 of d civil days, NaN where too little is known. known_share: (d,) of each day's time."""

    mean_c: Float64
    known_share: Float64


def outside_channel(home: Home, meter: str | None) -> Channel | str:
    """The channel of the temperature outside, or why there is none.

    It is that of the meter named, else of the household's `temperature_meter`, else of the one meter that tells a
    temperature, else of one that is called outdoor, outside or weather.
    """
    told = {one.meter: one for one in home.channels if one.quantity == "temperature"}
    named = meter or home.household.more.get("temperature_meter")
    if named is not None:
        return told.get(named) or f"meter {named} tells no temperature"
    if len(told) == 1:
        return next(iter(told.values()))
    outside = next((told[one] for one in OUTSIDE if one in told), None)
    if outside is not None:
        return outside
    if told:
        return f"which of {', '.join(sorted(told))} measures outside is not told: set temperature_meter"
    return "no meter of the household tells a temperature"


def day_temperatures(view: ReadView, channel: Channel, edges_us: Int64) -> DayTemperatures:
    """The mean temperature of civil days that begin and end at the edges, (d+1,).

    A day's mean is that of its hours, counted from its beginning and weighed by their length; an hour's is that of its
    samples, and hours without one are left out. So samples that come close together count no more than others.
    """
    length_us = np.diff(edges_us)
    hour, day = ragged_ranges(np.zeros(len(length_us), np.int64), -(-length_us // US_PER_HOUR))
    begins_us = edges_us[:-1][day] + hour * US_PER_HOUR
    hours_us = np.append(begins_us, edges_us[-1])
    steps = Totals(view, hours_us).steps([channel])[0]
    known = steps[:, COUNT] > 0
    weight = np.where(known, np.diff(hours_us), 0)
    mean_milli = steps[:, SUM] / np.maximum(steps[:, COUNT], 1)
    known_us = np.bincount(day, weight, len(length_us))
    share = known_us / length_us
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_c = np.bincount(day, mean_milli * weight, len(length_us)) / known_us / MILLI
    return DayTemperatures(np.where(share >= LEAST_KNOWN_SHARE, mean_c, np.nan), share)


def within(channel: Channel, edges_us: Int64) -> Sequence[int]:
    """The first and the last day between some edges, (d+1,), that the channel may tell something of."""
    if channel.first_us is None or channel.last_us is None:
        return 0, 0
    first = max(int(np.searchsorted(edges_us, channel.first_us, side="right")) - 1, 0)
    last = min(int(np.searchsorted(edges_us, channel.last_us, side="right")), len(edges_us) - 1)
    return first, max(first, last)
