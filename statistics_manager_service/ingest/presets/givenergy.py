"""GivEnergy: the day files of its API, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.ingest.presets.clocks import Clock, Labels
from statistics_manager_service.ingest.presets.gathering import Column, Gatherer
from statistics_manager_service.ingest.presets.source import Preset, Source, wrong
from statistics_manager_service.ingest.presets.text import open_bytes

#: A day's file has some hundred kilobytes. JSON is read whole, so that there is a limit.
_MOST_BYTES: Final = 64 * 2**20

#: `total.consumption` is left out: it is worked out from the others and steps back a hundred times a day. The home's
#: consumption follows from the flows.
_COLUMNS: Final = (
    (("total", "solar"), "pv", "energy_production", Kind.REGISTER, "kWh"),
    (("total", "grid", "import"), "grid", "energy_import", Kind.REGISTER, "kWh"),
    (("total", "grid", "export"), "grid", "energy_export", Kind.REGISTER, "kWh"),
    (("total", "battery", "charge"), "battery", "energy_charge", Kind.REGISTER, "kWh"),
    (("total", "battery", "discharge"), "battery", "energy_discharge", Kind.REGISTER, "kWh"),
    (("power", "solar", "power"), "pv", "power_production", Kind.SAMPLE, "W"),
    (("power", "consumption", "power"), "home", "power_consumption", Kind.SAMPLE, "W"),
    (("power", "grid", "voltage"), "grid", "voltage", Kind.SAMPLE, "V"),
    (("power", "battery", "percent"), "battery", "state_of_charge", Kind.SAMPLE, "%"),
)


def _givenergy(path: Path, source: Source) -> Iterator[Decoded]:
    """GivEnergy: lifetime registers of the flows, and samples whose sign is plain; instants in UTC."""
    records = _records(path, source)
    gatherer = Gatherer(source)
    numbers = list(range(1, len(records) + 1))
    clock = Clock("UTC", Labels(), example="2025-06-01T00:00:24Z")
    times = [record.get("time") if isinstance(record, dict) else None for record in records]
    when = clock.read([time if isinstance(time, str) else "" for time in times], numbers)
    for number, reason in when.refused:
        gatherer.refuse("record", number, reason)
    for path_in_record, meter, quantity, kind, unit in _COLUMNS:
        where = ".".join(path_in_record)
        value = np.full(len(records), np.nan)
        for i, record in enumerate(records):
            found = _inside(record, path_in_record)
            if isinstance(found, int | float) and not isinstance(found, bool):
                value[i] = found
            elif found is not None and when.good[i]:
                gatherer.refuse(where, numbers[i], f"{ascii(found)[:40]} is no number")
        gatherer.add(Column(where, meter, quantity, kind, unit), when, value)
    gatherer.notes.append("power of the grid and the battery is not read: the form does not tell its sign")
    gatherer.notes.append("total.consumption is not read: it is no register, and the flows tell consumption")
    yield from gatherer.last(clock)


def _records(path: Path, source: Source) -> list[Any]:
    with open_bytes(path) as (stream, tell):
        raw = stream.read(_MOST_BYTES + 1)
        source.on_bytes(tell())
    if len(raw) > _MOST_BYTES:
        raise wrong(path.name, f"the file has more than {_MOST_BYTES} bytes; import a file a day")
    needed = "this preset needs an object with a list of records under `data`, each with time, power and total"
    try:
        body = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise wrong(path.name, f"this is not JSON ({error}); {needed}") from error
    records = body.get("data") if isinstance(body, dict) else None
    if not isinstance(records, list) or not any(isinstance(one, dict) and "total" in one for one in records):
        raise wrong(path.name, needed)
    return records


def _inside(record: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


GIVENERGY: Final = {"givenergy": Preset(_givenergy, "GivEnergy day file, JSON: data[].time, total, power", "UTC")}
