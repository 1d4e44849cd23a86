"""Whose channel a series of line protocol is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import RefusedLine, TelemetrySeries, WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.fields import FIELDS
from statistics_manager_service.services.ports import Household

DONGLE, SMART_METER, GRID = "dongle", "meter", "grid"


class Directory(Protocol):
    """Where households are looked up."""

    def households_by_id(self, households: Sequence[str]) -> dict[str, Household]:
        """Those of some ids that there are."""
        ...

    def household_by_api_key(self, api_key: str) -> Household | None:
        """By its dongle's key."""
        ...

    def household_by_meter_id(self, meter_id: str) -> Household | None:
        """By its smart meter's id."""
        ...


def resolve_series(
    series: Sequence[TelemetrySeries], directory: Directory
) -> tuple[list[WireReadings], list[RefusedLine]]:
    """The readings of the households' channels; the lines of households that nobody knows.

    Tags `household` and `meter` win; else the measurement is the key of a dongle or the id of a smart meter.
    """
    owners: dict[tuple[str, str | None, str | None], tuple[Household, str] | str] = {}
    tagged = directory.households_by_id(sorted({one.tags["household"] for one in series if "household" in one.tags}))
    readings: list[WireReadings] = []
    refused: dict[int, RefusedLine] = {}
    for one in series:
        key = (one.measurement, one.tags.get("household"), one.tags.get("meter"))
        if key not in owners:
            owners[key] = _owner(*key, tagged, directory)
        owner = owners[key]
        if isinstance(owner, str):
            for line in one.line.tolist():
                refused[line] = RefusedLine(line, 1, owner)
            continue
        readings.append(_readings(one, *owner))
    return readings, [refused[line] for line in sorted(refused)]


def _owner(
    measurement: str,
    household: str | None,
    meter: str | None,
    tagged: dict[str, Household],
    directory: Directory,
) -> tuple[Household, str] | str:
    """The household and the meter, or the sentence that says why there is none."""
    if meter is not None and check_name(meter, "meter"):
        return check_name(meter, "meter")[0].why
    if household is not None:
        found = tagged.get(household)
        if found is None:
            return f"there is no household {household[:80]!r}; register it first"
        return found, meter or GRID
    for look_up, name in ((directory.household_by_api_key, DONGLE), (directory.household_by_meter_id, SMART_METER)):
        found = look_up(measurement)
        if found is not None:
            return found, meter or name
    return (
        f"the measurement {measurement[:80]!r} is no household's api_key or meter_id, and the line has no tag household"
    )


def _readings(one: TelemetrySeries, household: Household, meter: str) -> WireReadings:
    field = FIELDS[one.field]
    at_us, interval_us = one.at_us, None
    if field.kind is Kind.INTERVAL:
        at_us = at_us // QUARTER_US * QUARTER_US
        interval_us = np.full(len(at_us), QUARTER_US, np.int64)
    unit = field.unit or household.register_unit
    return WireReadings(
        household.id,
        meter + field.meter_suffix,
        field.quantity,
        field.kind,
        unit,
        at_us,
        one.value,
        interval_us,
        index=one.line,
        where="line",
    )
