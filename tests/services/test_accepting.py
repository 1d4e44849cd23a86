"""What is taken of readings: units, bounds, instants."""

from __future__ import annotations

import numpy as np
import pytest

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.ports import Channel, Household
from statistics_manager_service.services.telemetry.accepting import accept, claim

NOW_US = 1_700_000_000 * US_PER_S
HOME = Household(1, "home", register_unit="kWh")


def told(
    at_us: list[int], value: list[float], kind: Kind = Kind.REGISTER, unit: str | None = None, meter: str = "grid"
) -> WireReadings:
    lengths = np.full(len(at_us), QUARTER_US) if kind is Kind.INTERVAL else None
    quantity = "power_import" if kind is Kind.SAMPLE else "energy_import"
    return WireReadings(
        "home", meter, quantity, kind, unit, np.array(at_us, np.int64), np.array(value, np.float64), lengths
    )


def channel(wire: WireReadings, **limits: float | int) -> Channel:
    return Channel(1, 1, wire.meter, wire.quantity, wire.kind or Kind.REGISTER, "kWh", **limits)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("at_us", [2**63 - 1, 2**63 - QUARTER_US, NOW_US + US_PER_DAY + 1, -(2**63), 0])
def test_an_instant_outside_of_time_is_refused_and_named(kind: Kind, at_us: int) -> None:
    wire = told([NOW_US - QUARTER_US, at_us], [1.0, 2.0], kind)
    accepted, refused = accept([claim(wire, HOME, channel(wire))], NOW_US)
    assert accepted[0].at_us.tolist() == [NOW_US - QUARTER_US]
    assert [one.index for one in refused] == [1]
    assert "the instant lies" in refused[0].reason


@pytest.mark.parametrize(
    ("unit", "kind", "milli"),
    [
        ("kWh", Kind.REGISTER, 1_500_000),
        ("Wh", Kind.REGISTER, 1_500),
        ("MWh", Kind.INTERVAL, 1_500_000_000),
        ("kW", Kind.INTERVAL, 375_000),  # mean power over a quarter-hour
        ("kW", Kind.SAMPLE, 1_500_000),
        (None, Kind.REGISTER, 1_500_000),  # the household's unit
        (None, Kind.SAMPLE, 1_500),
    ],
)
def test_values_are_converted_from_the_unit_that_is_told(unit: str | None, kind: Kind, milli: int) -> None:
    wire = told([NOW_US - QUARTER_US], [1.5], kind, unit)
    accepted, _ = accept([claim(wire, HOME, channel(wire))], NOW_US)
    assert accepted[0].value_milli.tolist() == [milli]


def test_a_unit_of_another_dimension_refuses_the_channel() -> None:
    wire = told([NOW_US], [1.0], Kind.SAMPLE, "kWh")
    with pytest.raises(BadInput, match=r"'kWh' is no unit of power_import; allowed are W, kW, MW"):
        claim(wire, HOME, channel(wire))


@pytest.mark.parametrize(
    ("kind", "limits", "value", "reason"),
    [
        (Kind.REGISTER, {"modulus_milli": 1_000_000}, 1.0, "reads from 0 to below"),
        (Kind.REGISTER, {"modulus_milli": 1_000_000}, -0.1, "reads from 0 to below"),
        (Kind.INTERVAL, {"max_power_w": 4000.0}, 1.01, "4000 W"),
        (Kind.SAMPLE, {"max_power_w": 4000.0}, 4001.0, "4000 W"),
        (Kind.REGISTER, {}, float("nan"), "not a finite number"),
        (Kind.REGISTER, {}, 1e12, "beyond 9e+12 Wh"),
    ],
)
def test_a_value_beyond_what_the_channel_can_is_refused(
    kind: Kind, limits: dict[str, float], value: float, reason: str
) -> None:
    wire = told([NOW_US - QUARTER_US], [value], kind)
    accepted, refused = accept([claim(wire, HOME, channel(wire, **limits))], NOW_US)
    assert len(accepted[0].at_us) == 0
    assert reason in refused[0].reason


def test_limits_of_one_channel_do_not_bind_its_neighbours() -> None:
    wires = [told([NOW_US], [9000.0], Kind.SAMPLE, meter=meter) for meter in ("a", "b", "c")]
    limits: list[dict[str, float]] = [{}, {"max_power_w": 4000.0}, {"max_power_w": 10_000.0}]
    claims = [claim(wire, HOME, channel(wire, **limit)) for wire, limit in zip(wires, limits, strict=True)]
    accepted, refused = accept(claims, NOW_US)
    assert [len(one.at_us) for one in accepted] == [1, 0, 1]
    assert len(refused) == 1
