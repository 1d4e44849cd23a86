"""Quantities and units: factors by the SI, every quantity that the design names, bounds that JSON can hold."""

from __future__ import annotations

import pytest

from statistics_manager_service.core import units
from statistics_manager_service.core.quantities import (
    ANSWER_UNIT,
    BOUNDS_MILLI,
    FLOWS,
    QUANTITIES,
    UNITS,
    Dimension,
    Kind,
)


@pytest.mark.parametrize(
    ("dimension", "unit", "milli"),
    [
        (Dimension.ENERGY, "Wh", 10**3),
        (Dimension.ENERGY, "kWh", 10**6),
        (Dimension.ENERGY, "MWh", 10**9),
        (Dimension.POWER, "W", 10**3),
        (Dimension.POWER, "kW", 10**6),
        (Dimension.POWER, "MW", 10**9),
        (Dimension.VOLTAGE, "V", 10**3),
        (Dimension.VOLTAGE, "kV", 10**6),
        (Dimension.CURRENT, "A", 10**3),
        (Dimension.TEMPERATURE, "°C", 10**3),
        (Dimension.FREQUENCY, "Hz", 10**3),
    ],
)
def test_a_unit_is_so_many_thousandths_of_its_base_unit(dimension: Dimension, unit: str, milli: int) -> None:
    """Source: SI prefixes."""
    assert UNITS[dimension][unit] == milli


def test_a_percent_is_a_hundredth_of_the_whole() -> None:
    assert UNITS[Dimension.RATIO]["1"] == 100 * UNITS[Dimension.RATIO]["%"]


def test_every_quantity_that_the_design_names_is_there() -> None:
    named = {f"{what}_{flow}" for what in ("energy", "power") for flow in FLOWS} | {"voltage", "current", "temperature"}
    assert named <= QUANTITIES.keys()
    assert set(FLOWS) == {"import", "export", "production", "charge", "discharge", "consumption"}


@pytest.mark.parametrize("phase", ["l1", "l2", "l3"])
@pytest.mark.parametrize("quantity", ["voltage", "current", "power_import", "energy_export"])
def test_a_phase_has_its_own_quantities_that_are_no_flow_of_the_home(quantity: str, phase: str) -> None:
    """Else a home that sends its phases beside their sum would count twice."""
    found = QUANTITIES[f"{quantity}_{phase}"]
    assert found.dimension is QUANTITIES[quantity].dimension
    assert found.flow is None


def test_energies_are_read_from_registers_or_intervals_and_all_else_from_samples() -> None:
    for quantity in QUANTITIES.values():
        is_energy = quantity.dimension is Dimension.ENERGY
        assert quantity.kinds == ((Kind.REGISTER, Kind.INTERVAL) if is_energy else (Kind.SAMPLE,))
        assert quantity.name.startswith(("energy_", "power_")) == (
            quantity.dimension in (Dimension.ENERGY, Dimension.POWER) or quantity.name == "power_factor"
        )


@pytest.mark.parametrize("dimension", list(Dimension))
def test_every_dimension_has_units_a_bound_and_an_answers_unit(dimension: Dimension) -> None:
    assert ANSWER_UNIT[dimension] in UNITS[dimension]
    assert 0 < BOUNDS_MILLI[dimension] < 2**53, "every figure is exact as a JSON number (RFC 8259, section 6)"
    assert any(one.dimension is dimension for one in QUANTITIES.values())


def test_answers_are_in_kilowatt_hours_watts_and_volts() -> None:
    assert [QUANTITIES[name].unit for name in ("energy_import", "power_import", "voltage")] == ["kWh", "W", "V"]


def test_the_quarter_hour_divides_hour_and_day() -> None:
    assert units.QUARTERS_PER_HOUR * units.QUARTER_S == units.S_PER_HOUR == 60 * units.S_PER_MINUTE
    assert units.QUARTERS_PER_DAY * units.QUARTER_US == units.US_PER_DAY == units.S_PER_DAY * units.US_PER_S
