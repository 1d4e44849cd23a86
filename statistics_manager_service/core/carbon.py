"""Carbon intensities: values of 15, 30 or 60 minutes laid onto quarter-hours, means of hours, the mean of a civil hour.

Intensities are stored as integer milligrams of CO2 equivalent per kWh; what people see is grams.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.grid import ragged_ranges
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, S_PER_DAY, S_PER_MINUTE, US_PER_S

#: How long values may count for, by the name of the duration in ISO 8601.
LENGTHS_US: Final = {"PT15M": QUARTER_US, "PT30M": 2 * QUARTER_US, "PT1H": 4 * QUARTER_US, "PT60M": 4 * QUARTER_US}
LONGEST_US: Final = max(LENGTHS_US.values())
#: No grid comes near it: what is above is another unit than is said.
MOST_G_PER_KWH: Final = 2_000
#: A civil hour is told by the past where so many days know it, of so many days that are looked at.
LEAST_DAYS, DAYS_USED = 3, 28
#: Where the first zone of tzdata's table is a remote one.
_MOST_PEOPLE: Final = {
    "AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto", "MX": "America/Mexico_City",
    "RU": "Europe/Moscow", "UA": "Europe/Kyiv",
}  # fmt: skip
_G_OF: Final = {"g": 1, "kg": 1_000, "mg": 0.001}


def grams_of(unit: str) -> float | None:
    """What one of a unit such as gCO2eq/kWh, gCO₂eq/kWh, g/kWh or kgCO2/kWh is in g/kWh; None for other units."""
    mass, _, energy = unit.strip().lower().replace("₂", "2").replace(" ", "").partition("/")
    for ending in ("co2eq", "co2e", "co2"):
        mass = mass.removesuffix(ending)
    return _G_OF.get(mass) if energy == "kwh" else None


def milligrams(intensity_g_per_kwh: float) -> int:
    """Whole mg/kWh. Raises ValueError, with a sentence, for what no grid emits."""
    if not 0 <= intensity_g_per_kwh <= MOST_G_PER_KWH:  # NaN neither
        raise ValueError(f"an intensity of {intensity_g_per_kwh:g} g/kWh is no grid's: 0 to {MOST_G_PER_KWH} are")
    return round(intensity_g_per_kwh * MILLI)


def step_us(at_us: Int64) -> int:
    """How long each of evenly told values counts for: the least distance of two; an hour where there is only one.

    at_us: (n,) int64, in any order. Raises ValueError, with a sentence, unless it is one of LENGTHS_US and all instants
    lie on quarter-hours.
    """
    if (at_us % QUARTER_US).any():
        raise ValueError("an instant is not at a whole quarter of an hour")
    steps = np.diff(np.unique(at_us))
    least = int(steps.min()) if len(steps) else LONGEST_US
    least = min(least, LONGEST_US) if least % LONGEST_US == 0 else least  # values with holes
    if least not in LENGTHS_US.values():
        raise ValueError(f"values are {least // (S_PER_MINUTE * US_PER_S)} minutes apart; 15, 30 or 60 are read")
    return least


def rows_on_quarters(first_quarter: int, count: int, start_us: Int64, length_us: Int64) -> Int64:
    """Which row tells of each quarter-hour: the last one that covers it; -1 where none does.

    start_us, length_us: (r,) int64, whole quarter-hours; in the order in which later rows win.
    Returns (count,) int64 of the quarter-hours from first_quarter on.
    """
    quarter, row = ragged_ranges(start_us // QUARTER_US - first_quarter, length_us // QUARTER_US)
    inside = (quarter >= 0) & (quarter < count)
    found = np.full(count, -1, np.int64)
    np.maximum.at(found, quarter[inside], row[inside])
    return found


def hour_means(edges_us: Int64, first_quarter: int, value: Float64) -> Float64:
    """The mean of the quarter-hours between edges, NaN where one of them is not known.

    edges_us: (n+1,) int64 on quarter-hours, increasing. value: (q,) float64 of the quarters from first_quarter on,
    which cover all edges, NaN where unknown. Returns (n,) float64.
    """
    place = edges_us // QUARTER_US - first_quarter
    return np.add.reduceat(np.append(value, 0.0), place)[:-1] / np.diff(place)


def same_hour_means(
    wanted_s: Int64, known_s: Int64, day: Int64, value: Float64, least_days: int = LEAST_DAYS
) -> Float64:
    """The mean of the same civil hour on other days: (n,) float64, NaN where fewer than least_days days know it.

    wanted_s: (n,) int64, the second of the civil day at which each hour wanted begins. known_s, day, value: (m,), the
    same of known hours, their civil days, and their values (NaN: unknown). A repeated hour counts as two.
    """
    known = np.isfinite(value)
    known_s, day, value = known_s[known], day[known], value[known]
    found = np.full(len(wanted_s), np.nan)
    for second in np.unique(wanted_s).tolist():
        same: NDArray[np.bool_] = known_s == second
        if len(np.unique(day[same])) >= least_days:
            found[wanted_s == second] = value[same].mean()
    return found


def civil_seconds(at_us: Int64, offset_s: Int64) -> tuple[Int64, Int64]:
    """The civil day (since 1970-01-01) and the second of it of instants at UTC offsets; (n,) int64 each."""
    local_s = at_us // US_PER_S + offset_s
    return local_s // S_PER_DAY, local_s % S_PER_DAY


def first_zones(zone_tab: str) -> dict[str, str]:
    """The time zone of each country, by its two letters: the first one, or where most people live. zone_tab: the text
    of tzdata's table zone.tab."""
    found = dict(_MOST_PEOPLE)
    for line in zone_tab.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, zone)
    return found
