"""Quantities as they are metered."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Quantity

_REGISTER: Final = (
    "register(end) − register(start), corrected, linear between readings; Σ of intervals; ∫ power dt of samples"
)


def _of(quantity: Quantity) -> Definition:
    if quantity.dimension is Dimension.ENERGY:
        return Definition(quantity.name, Family.QUANTITY, quantity.unit, _REGISTER, "IEC 62056-6-1 (OBIS), D = 8")
    formula, adds_up = "Σ samples / number of samples", False
    if quantity.dimension is Dimension.POWER:
        formula, adds_up = "Σ over meters of (Σ samples / number of samples)", True
    return Definition(quantity.name, Family.QUANTITY, quantity.unit, formula, "IEC 62056-6-1 (OBIS), D = 7", adds_up)


QUANTITY_DEFINITIONS: Final = tuple(_of(one) for one in QUANTITIES.values() if one.name != "energy_consumption")
