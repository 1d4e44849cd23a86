"""The sum of a measure over some homes, and of its comparisons with an earlier time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from statistics_manager_service.core.definitions import DEFINITIONS, Family
from statistics_manager_service.core.readings import Float64
from statistics_manager_service.services.carbon.summing import refuse_several_methods, summed_account
from statistics_manager_service.services.insight.compared import Comparison
from statistics_manager_service.services.measuring import Column

#: Whole milliwatt-hours, whole nanograms.
_KWH_DECIMALS: Final = 6
_GRAM_DECIMALS: Final = 9


def sums_of_homes(homes: Sequence[Sequence[Column]]) -> list[Column]:
    """The sum of each measure over some homes."""
    found = []
    for columns in zip(*homes, strict=True):
        column = columns[0]
        refuse_several_methods(columns)
        shares, more, shared = summed_account(columns)
        decimals = _GRAM_DECIMALS if DEFINITIONS[column.measure].family is Family.CARBON else _KWH_DECIMALS
        summed = Column(
            column.measure,
            column.meter,
            column.unit,
            _sum_known(np.array([one.value for one in columns]), decimals),
            np.mean([one.coverage for one in columns], axis=0),
            np.mean([one.estimated for one in columns], axis=0),
            float(_sum_known(np.array([[one.total] for one in columns]), decimals)[0]),
            tuple(lack for one in columns for lack in one.lacks),
            shares,
            more,
            shared,
        )
        for one in columns:  # of what one of them lacks so that it has no value, the sum has none
            for lack in one.lacks:
                if np.isnan(one.value[lack.bucket]):
                    summed.value[lack.bucket] = np.nan
            if one.lacks and np.isnan(one.total):
                summed.total = np.nan
        found.append(summed)
    return found


def sum_of_comparisons(some: Sequence[Comparison]) -> Comparison | None:
    """The comparison of the sum of homes, which is of measures that add up: none of them is a ratio."""
    if not some:
        return None
    before, now, then = (
        sums_of_homes(side) for side in zip(*((one.before, one.now, one.then) for one in some), strict=True)
    )
    return Comparison(some[0].earlier, before, now, then, {}, {})


def _sum_known(values: Float64, decimals: int) -> Float64:
    """The sum along the first axis of what is known, rounded to the unit of account; NaN where nothing is."""
    total = np.round(np.nansum(values, axis=0), decimals)
    return np.where(np.isnan(values).all(axis=0), np.nan, total)
