"""The quantities that a channel can have, as data: dimension, direction, units, bounds.

A phase is a suffix: `power_import_l1`, `voltage_l3`, `current_l2`, `energy_import_l1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH


class Kind(StrEnum):
    """What a reading tells: a cumulative register, energy of an interval, or an instantaneous sample."""

    REGISTER = "register"
    INTERVAL = "interval"
    SAMPLE = "sample"


class Dimension(StrEnum):
    """The physical dimension of a quantity."""

    ENERGY = "energy"
    POWER = "power"
    VOLTAGE = "voltage"
    CURRENT = "current"
    TEMPERATURE = "temperature"
    FREQUENCY = "frequency"
    RATIO = "ratio"


#: Factor from a unit to milli-units of its dimension.
UNITS: Final[dict[Dimension, dict[str, int]]] = {
    Dimension.ENERGY: {"Wh": MILLI, "kWh": MILLIWH_PER_KWH, "MWh": MILLI * MILLIWH_PER_KWH},
    Dimension.POWER: {"W": MILLI, "kW": MILLI * MILLI, "MW": MILLI * MILLI * MILLI},
    Dimension.VOLTAGE: {"V": MILLI, "kV": MILLI * MILLI},
    Dimension.CURRENT: {"A": MILLI},
    Dimension.TEMPERATURE: {"°C": MILLI, "C": MILLI},
    Dimension.FREQUENCY: {"Hz": MILLI},
    Dimension.RATIO: {"1": MILLI * MILLI, "%": MILLI * 10},
}

#: Largest absolute value in milli-units; above it a value is no reading of a home. Energies stay below 2**53 milliwatt-
#: hours (9 TWh), so that every figure is exact as a JSON number.
BOUNDS_MILLI: Final[dict[Dimension, int]] = {
    Dimension.ENERGY: 9_000_000_000_000_000,
    Dimension.POWER: 1_000_000_000 * MILLI,
    Dimension.VOLTAGE: 1_000_000 * MILLI,
    Dimension.CURRENT: 1_000_000 * MILLI,
    Dimension.TEMPERATURE: 10_000 * MILLI,
    Dimension.FREQUENCY: 100_000 * MILLI,
    Dimension.RATIO: 100 * MILLI * MILLI,
}

#: The unit that answers use, and the default unit of a channel.
ANSWER_UNIT: Final[dict[Dimension, str]] = {
    Dimension.ENERGY: "kWh",
    Dimension.POWER: "W",
    Dimension.VOLTAGE: "V",
    Dimension.CURRENT: "A",
    Dimension.TEMPERATURE: "°C",
    Dimension.FREQUENCY: "Hz",
    Dimension.RATIO: "1",
}

FLOWS: Final = ("import", "export", "production", "charge", "discharge", "consumption")
_PHASES: Final = ("", "_l1", "_l2", "_l3")


def is_of_phase(name: str) -> bool:
    """Whether a quantity or measure is that of a phase: its name ends so."""
    return name.endswith(_PHASES[1:])


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of a channel: its name, dimension, and the flow it belongs to (None for voltage and the like)."""

    name: str
    dimension: Dimension
    flow: str | None

    @property
    def unit(self) -> str:
        """The unit that answers use."""
        return ANSWER_UNIT[self.dimension]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of channel that can have this quantity, the default one first."""
        if self.dimension is Dimension.ENERGY:
            return (Kind.REGISTER, Kind.INTERVAL)
        return (Kind.SAMPLE,)


def _table() -> dict[str, Quantity]:
    found = {}
    for phase in _PHASES:
        for flow in FLOWS:
            for dimension in (Dimension.ENERGY, Dimension.POWER):
                name = f"{dimension}_{flow}{phase}"
                found[name] = Quantity(name, dimension, flow if not phase else None)
        for dimension in (Dimension.VOLTAGE, Dimension.CURRENT):
            found[f"{dimension}{phase}"] = Quantity(f"{dimension}{phase}", dimension, None)
    for name, dimension in (
        ("power_net", Dimension.POWER),
        ("temperature", Dimension.TEMPERATURE),
        ("frequency", Dimension.FREQUENCY),
        ("power_factor", Dimension.RATIO),
        ("state_of_charge", Dimension.RATIO),
    ):
        found[name] = Quantity(name, dimension, None)
    return found


QUANTITIES: Final[dict[str, Quantity]] = _table()
