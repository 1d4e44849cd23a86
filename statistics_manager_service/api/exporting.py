"""Everything of a household as one file: a zip of JSON and Parquet."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Annotated, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.groups import membership_json
from statistics_manager_service.api.households import channel_json, event_json, household_json, label, token_json
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import factor_of
from statistics_manager_service.core.blocks import Readings
from statistics_manager_service.core.correction import Verdict
from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.readings import UNKNOWN_LENGTH, Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.services.accounts.access import Caller, require_settings
from statistics_manager_service.services.exporting import Export, opened_export
from statistics_manager_service.services.ports import Channel, Store

router = APIRouter(tags=["Households"])

_ZIP = "application/zip"
_IN_MEMORY = 8 * 2**20
_PIECE = 256 * 2**10
_ROWS_A_GROUP = 500_000
_INSTANT = pa.timestamp("us", tz="UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())
_VERDICTS = pa.array([one.name.lower() for one in Verdict])
#: The columns that `POST /readings` takes, and the verdict, which it passes over.
_READINGS = pa.schema(
    [
        *((name, _WORD) for name in ("household", "meter", "quantity", "kind", "unit")),
        ("at", _INSTANT),
        ("value", pa.float64()),
        ("interval", _WORD),
        ("verdict", _WORD),
    ]
)


@router.get(
    "/households/{household}/export",
    summary="Everything of a household",
    response_class=Response,
    responses={200: {"description": "A zip of JSON and Parquet.", "content": {_ZIP: {}}}, **refusals(403, 404)},
)
async def export_household(
    request: Request, household: str, who: Annotated[Caller, Depends(caller)]
) -> StreamingResponse:
    """Settings, meters, meter events, device tokens (without their secrets), all contracts and goals that it has had,
    readings with their verdicts, the values that corrections have replaced, and all forecasts.

    Each Parquet file of readings has the form that `POST /readings` takes. A device's token can't have it.
    """
    require_settings(who, household)
    services = services_of(request)
    file = await run(services, lambda: _written(services.store, household), short=False)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    headers = {"content-disposition": 'attachment; filename="household.zip"', "content-length": str(size)}
    return StreamingResponse(_pieces(file), media_type=_ZIP, headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _written(store: Store, household: str) -> IO[bytes]:
    """The zip, on disk where it is large."""
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed behind the last piece
    try:
        with opened_export(store, household) as export, zipfile.ZipFile(file, "w") as archive:
            for name, told in _documents(export).items():
                archive.writestr(name, orjson.dumps(told, option=orjson.OPT_INDENT_2))
            for channel in export.channels:
                name = f"{channel.channel_no:04}_{channel.quantity}_{channel.kind}.parquet"
                with archive.open(f"readings/{name}", "w", force_zip64=True) as sink:
                    _write_readings(sink, export, channel)
                _write_revisions(archive, f"revisions/{name}", export, channel)
            _write_forecasts(archive, export)
    except BaseException:
        file.close()
        raise
    return file


def _documents(export: Export) -> dict[str, Any]:
    units = {(one.meter, one.quantity): one.unit for one in export.channels}
    return {
        "household.json": household_json(export.household),
        "meters.json": [{"meter": one.meter, **channel_json(one)} for one in export.channels],
        "events.json": [
            {"meter": one.meter, **event_json(one, units.get((one.meter, one.quantity), "Wh"))} for one in export.events
        ],
        "tokens.json": [token_json(one) for one in export.tokens],
        "groups.json": [membership_json(one) for one in export.memberships()],
        "contracts.json": [
            {"told_at": label(one.told_us), "contracts": list(one.contracts)} for one in export.contracts()
        ],
        "goals.json": [{"told_at": label(one.told_us), "goals": list(one.goals)} for one in export.goals()],
    }


def _write_forecasts(archive: zipfile.ZipFile, export: Export) -> None:
    """Each issue of a forecast: the energy of its quarter-hours, Wh."""
    rows = export.forecasts()
    if not rows:
        return
    days = unpack_days([row.body for row in rows])
    known = np.broadcast_to(days.measured_s > 0, days.energy_milliwh.shape)
    row_of, slot = np.nonzero(known)
    day, issued_us = (np.array([getattr(row, name) for row in rows], np.int64) for name in ("day", "issued_us"))
    table = pa.table(
        {
            "measure": pa.array([rows[i].measure for i in row_of.tolist()]).dictionary_encode(),
            "source": pa.array([rows[i].source for i in row_of.tolist()]).dictionary_encode(),
            "issued_at": pa.array(issued_us[row_of], _INSTANT),
            "at": pa.array(day[row_of] * US_PER_DAY + slot * QUARTER_US, _INSTANT),
            "energy_wh": pa.array(days.energy_milliwh[known] / MILLI),
        }
    )
    with archive.open("forecasts.parquet", "w", force_zip64=True) as sink:
        pa.parquet.write_table(table, sink)


def _write_readings(sink: IO[bytes], export: Export, channel: Channel) -> None:
    with pa.parquet.ParquetWriter(sink, _READINGS) as writer:
        for readings in _grouped(export.readings(channel)):
            writer.write_table(_table(export, channel, readings))


def _grouped(blocks: Iterator[Readings]) -> Iterator[list[Readings]]:
    """Blocks in groups of some hundred thousand readings, which pack better."""
    group: list[Readings] = []
    for block in blocks:
        group.append(block)
        if sum(len(one[0]) for one in group) >= _ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group


def _table(export: Export, channel: Channel, group: list[Readings]) -> pa.Table:
    at_us = np.concatenate([one[0] for one in group])
    milli = np.concatenate([one[1] for one in group])
    verdict = np.concatenate([one[3] for one in group])
    words = {
        "household": export.household.id,
        "meter": channel.meter,
        "quantity": channel.quantity,
        "kind": str(channel.kind),
        "unit": channel.unit,
    }
    same = np.zeros(len(at_us), np.int32)
    columns: dict[str, Any] = {
        name: pa.DictionaryArray.from_arrays(same, pa.array([word])) for name, word in words.items()
    }
    columns["at"] = pa.array(at_us, _INSTANT)
    columns["value"] = milli / factor_of(channel.quantity, channel.unit)
    columns["interval"] = _durations(group, len(at_us))
    columns["verdict"] = pa.DictionaryArray.from_arrays(verdict.astype(np.int32), _VERDICTS)
    return pa.table(columns, schema=_READINGS)


def _durations(group: list[Readings], count: int) -> Any:
    """Lengths of intervals as ISO 8601 durations; null for other readings."""
    lengths = [one[2] for one in group if one[2] is not None]
    if not lengths:
        return pa.nulls(count, _WORD)
    length_us: Int64 = np.concatenate(lengths)
    distinct, place = np.unique(length_us, return_inverse=True)
    texts = [f"PT{one // US_PER_S}S" if one else UNKNOWN_LENGTH for one in distinct.tolist()]
    return pa.DictionaryArray.from_arrays(place.astype(np.int32), pa.array(texts))


def _write_revisions(archive: zipfile.ZipFile, name: str, export: Export, channel: Channel) -> None:
    found = export.revisions(channel)
    if not found:
        return
    factor = factor_of(channel.quantity, channel.unit)
    table = pa.table(
        {
            "meter": [channel.meter] * len(found),
            "at": pa.array([one.at_us for one in found], _INSTANT),
            "value": [one.value_milli / factor for one in found],
            "replaced": pa.array([one.replaced_us for one in found], _INSTANT),
        }
    )
    with archive.open(name, "w") as sink:
        pa.parquet.write_table(table, sink)
