"""What a measure is, as data: its unit, its formula and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What a measure is about."""

    QUANTITY = "quantity"
    BALANCE = "balance"
    ATTRIBUTION = "attribution"
    BATTERY = "battery"
    CARBON = "carbon"
    COST = "cost"
    SHARING = "sharing"
    INSIGHT = "insight"


@dataclass(frozen=True, slots=True)
class Definition:
    """A measure that can be asked for.

    unit: as answers tell it; of money the currency stands in its place. formula: over the quarter-hours t of a bucket,
    in the names of other measures. source: the standard or paper it is of. adds_up: whether values of several homes,
    and of several buckets, can be added up.
    """

    name: str
    family: Family
    unit: str
    formula: str
    source: str
    adds_up: bool = True
