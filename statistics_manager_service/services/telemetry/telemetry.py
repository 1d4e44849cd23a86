"""Whose channel a series of line protocol is."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import QUANTITIES, UNITS, Kind
from statistics_manager_service.core.readings import RefusedLine, TelemetrySeries, WireReadings
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.telemetry.fields import FIELDS, Field

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


Owner = tuple[Household, str]


class Unknown(NamedTuple):
    """Whose lines are nobody's: ids of households, and what may be the keys of dongles or the ids of meters."""

    households: list[str]
    keys: list[str]


class Resolved(NamedTuple):
    """The readings of the households' channels; the lines that are nobody's, or tell an unknown quantity.

    any_foreign: whether lines are of another household than the one that the writer may write for. unknown: of a writer
    for all households, whose lines are nobody's.
    """

    readings: list[WireReadings]
    refused: list[RefusedLine]
    any_foreign: bool
    unknown: Unknown


#: What a writer for one household is told of every line that is not of it.
_FOREIGN: Final = "this token writes for its own household alone, and this line is of another one"


def resolve_series(series: Sequence[TelemetrySeries], directory: Directory, only: str | None = None) -> Resolved:
    """Whose the series are.

    Tags `household` and `meter` win; else the measurement is the key of a dongle or the id of a smart meter.

    only: the one household that the writer may write for. Lines of another one, and of none, are then refused alike, so
    that a writer can't find out which households there are.
    """
    owners: dict[tuple[str, str | None, str | None], Owner | str] = {}
    tagged = directory.households_by_id(sorted({one.tags["household"] for one in series if "household" in one.tags}))
    readings: list[WireReadings] = []
    refused: dict[int, RefusedLine] = {}
    any_foreign = False
    for one in series:
        key = (one.measurement, one.tags.get("household"), one.tags.get("meter"))
        if key not in owners:
            owners[key] = _owner(*key, tagged, directory)
        owner = owners[key]
        is_foreign = only is not None and (isinstance(owner, str) or owner[0].id != only)
        found = _FOREIGN if is_foreign else _readings(one, owner)
        any_foreign |= is_foreign
        if isinstance(found, str):
            refused |= {line: RefusedLine(line, 1, found) for line in one.line.tolist()}
        else:
            readings.append(found)
    kept = [_without(one, refused) for one in readings] if refused else readings
    strangers = [key for key, owner in owners.items() if isinstance(owner, str) and only is None]
    unknown = Unknown(
        list({household: None for _, household, _ in strangers if household is not None}),
        list({measurement: None for measurement, household, _ in strangers if household is None}),
    )
    lines = [refused[line] for line in sorted(refused)]
    return Resolved([one for one in kept if len(one.at_us)], lines, any_foreign, unknown)


def _without(one: WireReadings, refused: Container[int]) -> WireReadings:
    """Readings without those of refused lines: of a line, all fields are kept or none."""
    lines = [] if one.index is None else one.index.tolist()
    kept = np.array([line not in refused for line in lines], np.bool_)
    if one.index is None or kept.all():
        return one
    interval_us = None if one.interval_us is None else one.interval_us[kept]
    return replace(one, at_us=one.at_us[kept], value=one.value[kept], index=one.index[kept], interval_us=interval_us)


def _owner(
    measurement: str,
    household: str | None,
    meter: str | None,
    tagged: dict[str, Household],
    directory: Directory,
) -> Owner | str:
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


def _readings(one: TelemetrySeries, owner: Owner | str) -> WireReadings | str:
    """The readings of a series, or the sentence that says why it has none."""
    if isinstance(owner, str):
        return owner
    household, meter = owner
    unit = None
    field = FIELDS.get(one.field)
    if field is None:
        told = _bare_value(one, meter)
        if isinstance(told, str):
            return told
        field, meter, unit = told
    # of intervals nobody tells the length here
    interval_us = np.zeros(len(one.at_us), np.int64) if field.kind is Kind.INTERVAL else None
    return WireReadings(
        household.id,
        meter + field.meter_suffix,
        field.quantity,
        field.kind,
        unit or field.unit or household.register_unit,
        one.at_us,
        one.value,
        interval_us,
        index=one.line,
        where="line",
    )


def _bare_value(one: TelemetrySeries, meter: str) -> tuple[Field, str, str | None] | str:
    """What a field `value` tells, whose it is and its unit, by the line's tags and measurement; or what is wrong.

    Home Assistant writes each entity's state so, with the entity's id as a tag; and its measurement is the entity's
    unit unless it is told another.
    """
    name = one.tags.get("quantity", one.measurement)
    field = FIELDS.get(name)
    if field is None:
        return (
            f"the field value tells no quantity: {name[:40]!r} is none; name one such as energy_import by the tag "
            "quantity or as the measurement"
        )
    meter = meter if "meter" in one.tags else one.tags.get("entity_id", meter)
    faults = check_name(meter, "entity_id")
    if faults:
        return faults[0].why
    units = UNITS[QUANTITIES[field.quantity].dimension]
    unit = one.tags.get("unit", one.measurement if one.measurement in units else None)
    if unit is not None and unit not in units:
        return f"{unit[:20]!r} is no unit of {field.quantity}; allowed are {', '.join(units)}"
    return field, meter, unit
