"""Explains measures of which no explainer knows more: their definition, the flows that they hang on, and the digest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from statistics_manager_service.core.balance import BALANCE
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.services.explaining.balances import flows_of
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.flows import common, told_flow
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME, NOTHING_READ

_NAMES: Final = re.compile(r"[a-z][a-z0-9_]+")


class Generic:
    """Explains any measure by its formula and the sums of the home's flows and devices."""

    measures: Sequence[str] = ()

    def behind(self, about: About) -> Behind:
        """What is behind a measure, as far as its definition tells."""
        flows = flows_of(about, tuple(BALANCE))
        devices = _devices(about)
        found = common(flows, about.start_us, about.end_us) if flows else None
        value = number_text(about.value)
        unit = about.column.unit
        inputs: list[dict[str, Any]] = [] if found is None else [found.input_of(name) for name in flows]
        inputs += [
            {"meter": meter, "measure": one.name, "value": one.energy_milliwh / 1e6, "unit": "kWh"}
            for meter, one in devices.items()
        ]
        inputs += [
            {"measure": name}
            for name in dict.fromkeys(_NAMES.findall(about.definition.formula))
            if name in DEFINITIONS and name != about.measure
        ]
        told = [*flows.values(), *devices.values()]
        behind = Behind(
            f"{about.measure} = {about.definition.formula} = {value} {unit}",
            inputs,
            {} if found is None else found.quarters(),
            [reading for one in told for reading in one.readings()],
            lines=[line for one in told for line in one.lines()],
        )
        if value == "null":
            behind.filled = f"{about.measure} is not known"
            behind.reasons.append(NOT_IN_TIME if told else NOTHING_READ)
        return behind


def _devices(about: About) -> dict[str, Any]:
    """What meters tell of consumption, by meter."""
    meters = sorted({one.meter for one in about.known.channels if one.quantity.endswith("_consumption")})
    found = {
        meter: told_flow(
            about.past,
            [one for one in about.known.channels if one.meter == meter],
            "energy_consumption",
            about.start_us,
            about.end_us,
        )
        for meter in meters
        if about.way.meter in (None, meter)
    }
    return {meter: one for meter, one in found.items() if one.parts}
