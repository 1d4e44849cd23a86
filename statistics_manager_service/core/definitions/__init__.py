"""Every measure that can be asked for, by its name. A family of measures is a module."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.attribution import ATTRIBUTION_DEFINITIONS
from statistics_manager_service.core.definitions.balance import BALANCE_DEFINITIONS
from statistics_manager_service.core.definitions.battery import BATTERY_DEFINITIONS
from statistics_manager_service.core.definitions.carbon import CARBON_DEFINITIONS
from statistics_manager_service.core.definitions.definition import Definition, Family
from statistics_manager_service.core.definitions.insight import INSIGHT_DEFINITIONS
from statistics_manager_service.core.definitions.money import COST_DEFINITIONS
from statistics_manager_service.core.definitions.quantities import QUANTITY_DEFINITIONS
from statistics_manager_service.core.definitions.sharing import SHARING_DEFINITIONS

__all__ = ["DEFINITIONS", "Definition", "Family", "measures_of"]

DEFINITIONS: Final[dict[str, Definition]] = {
    one.name: one
    for one in (
        *QUANTITY_DEFINITIONS,
        *BALANCE_DEFINITIONS,
        *ATTRIBUTION_DEFINITIONS,
        *BATTERY_DEFINITIONS,
        *CARBON_DEFINITIONS,
        *COST_DEFINITIONS,
        *SHARING_DEFINITIONS,
        *INSIGHT_DEFINITIONS,
    )
}


def measures_of(*families: Family) -> tuple[str, ...]:
    """The names of the measures of some families, in their order."""
    return tuple(one.name for one in DEFINITIONS.values() if one.family in families)
