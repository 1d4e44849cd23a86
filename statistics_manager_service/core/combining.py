"""How the values that a measure has in several buckets become one value of all of them."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from statistics_manager_service.core.definitions import DEFINITIONS, Family
from statistics_manager_service.core.quantities import QUANTITIES, Dimension
from statistics_manager_service.core.readings import Float64

#: Of sums: a billionth is below the least unit that is counted, and above what adding up floats is off.
DECIMALS: Final = 9


class How(StrEnum):
    """SUM: they add up. MEAN: weighed by the time that is measured. GREATEST: the greatest of them. RATIO: a ratio of
    sums, weighed by what it is divided by. NOT: they can't be put together."""

    SUM = "sum"
    MEAN = "mean"
    GREATEST = "greatest"
    RATIO = "ratio"
    NOT = "not"


class Combination(NamedTuple):
    """How a measure's values are put together; weight: of a ratio, the measure that stands below its line."""

    how: How
    weight: str | None = None


#: What ratios are divided by: Σ ratio × divisor / Σ divisor is the ratio of the sums.
_DIVISORS: Final = {
    "self_consumption_rate": "energy_production",
    "self_sufficiency_rate": "energy_consumption",
    "export_share": "energy_production",
    "price_import": "energy_import",
    "emissions_per_kwh": "energy_consumption",
}
_MEANS: Final = frozenset({"price_marginal", "carbon_intensity"})
_GREATEST: Final = frozenset({"peak_demand", "contracted_power_utilisation"})
#: Of one home those of several days add up, of several homes they don't.
_SUMS: Final = frozenset(
    {"battery_cycles", "time_above_contracted_power", "heating_degree_days", "cooling_degree_days"}
)


def combination_of(measure: str) -> Combination:
    """How the values of a measure, one of DEFINITIONS, are put together."""
    definition = DEFINITIONS[measure]
    if measure in _DIVISORS:
        return Combination(How.RATIO, _DIVISORS[measure])
    if measure in _MEANS:
        return Combination(How.MEAN)
    if measure in _GREATEST:
        return Combination(How.GREATEST)
    if definition.family is Family.QUANTITY and QUANTITIES[measure].dimension is not Dimension.ENERGY:
        return Combination(How.MEAN)  # powers of several meters add up, those of several days do not
    return Combination(How.SUM if definition.adds_up or measure in _SUMS else How.NOT)


def combined(how: How, value: Float64, weight: Float64) -> float:
    """One value of several, all of them known.

    value: (n,) float64; of a ratio that is not defined for its divisor is 0, anything. weight: (n,) float64, of means
    and ratios. Returns NaN of none, where all weights are 0, and where they can't be put together.
    """
    if not len(value) or how is How.NOT:
        return math.nan
    if how is How.SUM:
        return round(math.fsum(value.tolist()), DECIMALS)
    if how is How.GREATEST:
        return float(value.max())
    counted = weight > 0
    total = math.fsum(weight[counted].tolist())
    return math.fsum((np.multiply(value, weight)[counted]).tolist()) / total if total > 0 else math.nan
