"""What a community allocates to its members, and what becomes of it."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_RULES: Final = (
    "collective self-consumption by coefficients or in proportion to consumption: Regulamento do Autoconsumo (ERSE), "
    "Real Decreto 244/2019"
)

SHARING_DEFINITIONS: Final = (
    Definition(
        "energy_shared_allocated",
        Family.SHARING,
        "kWh",
        "Σ over t of the share of what the community's sources made, by its rule, in whole milliwatt-hours",
        _RULES,
    ),
    Definition(
        "energy_shared_consumption",
        Family.SHARING,
        "kWh",
        "Σ over t of min(energy_shared_allocated, energy_import)",
        _RULES,
    ),
    Definition(
        "energy_shared_surplus",
        Family.SHARING,
        "kWh",
        "energy_shared_allocated − energy_shared_consumption; of a source also its part of what nobody was allocated",
        _RULES,
    ),
    Definition(
        "energy_import_after_sharing", Family.SHARING, "kWh", "energy_import − energy_shared_consumption", _RULES
    ),
)
