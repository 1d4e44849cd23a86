"""Supply voltage and frequency after EN 50160:2022, low voltage: means of a week against two bands.

N means are valid, N1 of them lie outside the narrow band, N2 outside the wide one: the week complies if
N1 / N ≤ 5 % and N2 = 0, with ±10 % and +10/−15 % of the nominal voltage. Of the frequency the bands are ±1 % for 99.5 %
of the time and +4/−6 % always. The standard is of 10-minute means (of frequency: 10-second means) of instruments of
IEC 61000-4-30; of quarter-hours it can only be indicative.

Source: EN 50160:2022, 4.2.1 and 4.2.2, as Schneider Electric 7EN72-0197 and Rockwell 1426-UM001 cite it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Float64, Int64


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands as shares of the nominal value, and the share of the means that may lie outside the narrow one."""

    narrow: tuple[float, float]
    wide: tuple[float, float]
    allowed_share: float

    def limits_milli(self, nominal_milli: int) -> tuple[int, int, int, int]:
        """The edges of the narrow and of the wide band; what lies on an edge is inside."""
        low, high, lowest, highest = (round(nominal_milli * share) for share in (*self.narrow, *self.wide))
        return low, high, lowest, highest


VOLTAGE_BANDS: Final = Bands((0.90, 1.10), (0.85, 1.10), 0.05)
FREQUENCY_BANDS: Final = Bands((0.99, 1.01), (0.94, 1.04), 0.005)
NOMINAL_VOLTAGE_V: Final = 230.0
NOMINAL_FREQUENCY_HZ: Final = 50.0
#: Below this share of the nominal voltage the supply is interrupted (EN 50160): such time is not judged.
INTERRUPTED_SHARE: Final = 0.05
#: A sag falls below, a swell rises above these shares of the nominal voltage (EN 50160).
SAG_SHARE, SWELL_SHARE = 0.90, 1.10
#: Of a time of which a smaller share is valid it is not said that it complies.
LEAST_VALID_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Judged:
    """Of a time of `quarters` quarter-hours: N valid ones, N1 outside the narrow band, N2 outside the wide one, and
    whether it complies; None where too little is known to say."""

    quarters: int
    valid: int
    outside_narrow: int
    outside_wide: int
    complies: bool | None

    @property
    def valid_share(self) -> float:
        """What share of the time is valid."""
        return self.valid / self.quarters if self.quarters else 0.0


def judged(mean_milli: Float64, quarters: int, nominal_milli: int, bands: Bands) -> Judged:
    """Judge a time by its means.

    mean_milli: (m,) float64 in milli-units, NaN where not valid. quarters: how many quarter-hours the whole time has,
    m or more, where a part of it was not asked for.

    That it does not comply can be known of a part: where a mean lies outside the wide band, or where more lie outside
    the narrow one than may of the whole time.
    """
    low, high, lowest, highest = bands.limits_milli(nominal_milli)
    mean = mean_milli[~np.isnan(mean_milli)]
    outside_narrow = int(((mean < low) | (mean > high)).sum())
    outside_wide = int(((mean < lowest) | (mean > highest)).sum())
    complies: bool | None = None
    if outside_wide or outside_narrow > bands.allowed_share * quarters:
        complies = False
    elif quarters and len(mean) >= LEAST_VALID_SHARE * quarters:
        complies = outside_narrow <= bands.allowed_share * len(mean)
    return Judged(quarters, len(mean), outside_narrow, outside_wide, complies)


def complies_always(weeks: list[bool | None]) -> bool | None:
    """Whether all weeks comply: not where one does not, None where of one it can't be said, or there is none."""
    if any(one is False for one in weeks):
        return False
    return True if weeks and all(weeks) else None


@dataclass(frozen=True, slots=True)
class Sampled:
    """Quarter-hours of a sampled voltage or frequency: (m,) int64 each, in milli-units; 0 where count is 0."""

    count: Int64
    total: Int64
    low: Int64
    high: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Valid:
    """mean_milli: (m,) float64, NaN where a quarter-hour is not valid; and how many are not, and why."""

    mean_milli: Float64
    unknown: int
    too_few_samples: int
    interrupted: int


def valid_means(sampled: Sampled, least_samples: int, interrupted_below_milli: int | None) -> Valid:
    """The means of the quarter-hours that can be judged: with enough samples, none of them of an interrupted supply."""
    unknown = sampled.count == 0
    too_few = (sampled.count < least_samples) & ~unknown
    interrupted = np.zeros(len(unknown), np.bool_)
    if interrupted_below_milli is not None:
        interrupted = (sampled.low < interrupted_below_milli) & ~unknown & ~too_few
    good = ~(unknown | too_few | interrupted)
    mean = np.where(good, sampled.total / np.maximum(sampled.count, 1), np.nan)
    return Valid(mean, int(unknown.sum()), int(too_few.sum()), int(interrupted.sum()))
