"""Names of fields in line protocol and what they tell: FlexiHome's, OBIS codes (IEC 62056-6-1), and our quantities.

Registers without a unit here are in the household's `register_unit`. The registers of the tariffs (1.8.1, 1.8.2, …) are
meters of their own, beside the total register 1.8.0: a home that sends both would count twice, so they are named
`<meter>.t1` and `<meter>.t2`, and only one of the two families should be sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind


@dataclass(frozen=True, slots=True)
class Field:
    """What a field tells. unit None: the household's register_unit. An interval's length is not told."""

    quantity: str
    kind: Kind
    unit: str | None = None
    meter_suffix: str = ""


def _fields() -> dict[str, Field]:
    register, sample = Kind.REGISTER, Kind.SAMPLE
    found = {
        "energyImported": Field("energy_import", register),
        "energyExported": Field("energy_export", register),
        "powerImported": Field("power_import", sample, "W"),
        "powerExported": Field("power_export", sample, "W"),
        "powerDifference": Field("power_net", sample, "W"),
        "meterPowerImported": Field("energy_import", Kind.INTERVAL, "kWh"),
        "1.8.0": Field("energy_import", register),
        "2.8.0": Field("energy_export", register),
        "1.7.0": Field("power_import", sample, "kW"),
        "2.7.0": Field("power_export", sample, "kW"),
        "16.7.0": Field("power_net", sample, "kW"),
        "14.7.0": Field("frequency", sample, "Hz"),
        "13.7.0": Field("power_factor", sample, "1"),
    }
    for tariff in ("1", "2", "3", "4"):
        found[f"1.8.{tariff}"] = Field("energy_import", register, meter_suffix=f".t{tariff}")
        found[f"2.8.{tariff}"] = Field("energy_export", register, meter_suffix=f".t{tariff}")
    for phase, base in (("l1", 20), ("l2", 40), ("l3", 60)):
        found[f"{base + 1}.7.0"] = Field(f"power_import_{phase}", sample, "kW")
        found[f"{base + 2}.7.0"] = Field(f"power_export_{phase}", sample, "kW")
        found[f"{base + 11}.7.0"] = Field(f"current_{phase}", sample, "A")
        found[f"{base + 12}.7.0"] = Field(f"voltage_{phase}", sample, "V")
    for quantity in QUANTITIES.values():
        unit = None if quantity.dimension is Dimension.ENERGY else quantity.unit
        found[quantity.name] = Field(quantity.name, quantity.kinds[0], unit)
    return found | _with_medium_and_storage(found)


def _with_medium_and_storage(found: dict[str, Field]) -> dict[str, Field]:
    """OBIS codes as meters write them in full: medium 1 (electricity), channel 0, and the storage 255 (current)."""
    codes = {name: field for name, field in found.items() if name[0].isdigit()}
    return {f"1-0:{name}{storage}": field for name, field in codes.items() for storage in ("", "*255", ".255")}


FIELDS: Final = _fields()
#: A field of this name tells nothing of itself: its quantity is the line's tag `quantity`, or its measurement.
VALUE: Final = "value"
KNOWN_FIELDS: Final = frozenset((*FIELDS, VALUE))
