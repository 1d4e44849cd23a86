"""Answers as JSON, CSV, NDJSON, Arrow and Parquet, encoded from whole columns."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from statistics_manager_service.api.compared import (
    COMPARED_EDGES,
    compare_json,
    compared_columns,
    compared_edges_us,
    compared_labels,
    with_compared,
)
from statistics_manager_service.api.told import told_columns
from statistics_manager_service.core.civil import bucket_json
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import Statistics
from statistics_manager_service.services.measuring import Column

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
FORMATS = {"json": JSON, "csv": CSV, "ndjson": NDJSON, "arrow": ARROW, "parquet": PARQUET}
_FEW = 32
_ALIASES = {
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
}
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)
_QUOTED = frozenset(',"\r\n')


def format_named(name: str) -> str:
    """The media type of a value of `format=`. Raises BadInput that names the known ones."""
    if name not in FORMATS:
        raise BadInput.of([Fault("format", f"{name[:20]!r} is no format; there are {', '.join(FORMATS)}")])
    return FORMATS[name]


def wanted_format(accept: str, named: str | None) -> str:
    """The media type of the answer: by `format=` if it is named, else by the Accept header, else JSON."""
    if named is not None:
        return format_named(named)
    if not accept or accept in ("*/*", JSON):
        return JSON
    return _accepted(accept)


@lru_cache(maxsize=64)  # a client sends the same header with each request
def _accepted(accept: str) -> str:
    """The media type that is wanted most by RFC 9110, section 12.5.1; of those wanted alike, the one that is named
    first. JSON where none that is made here is accepted: an answer in another form helps more than none."""
    ranges = _ranges(accept)
    best, best_rank = JSON, (0.0, 0)
    for media in FORMATS.values():
        wildcard = f"{media.split('/')[0]}/*"
        rank = next((ranges[one] for one in (media, wildcard, "*/*") if one in ranges), (0.0, 0))
        if rank > best_rank:
            best, best_rank = media, rank
    return best


def _ranges(accept: str) -> dict[str, tuple[float, int]]:
    """The media ranges of an Accept header, each with its weight and the negative of its place. One whose weight can't
    be read is passed over."""
    ranges: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accept.lower().split(",")):
        media, *told = (one.strip() for one in part.split(";"))
        weight = next((one[2:] for one in told if one.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            ranges.setdefault(_ALIASES.get(media, media), (float(weight), -place))
    return ranges


def encode(answers: Sequence[Statistics], media: str, *, many: bool = False) -> bytes:
    """One household's answer, or those of many, in a media type."""
    if media == JSON:
        return many_json(answers) if many else statistics_json(answers[0])
    table = _table(answers, many)
    if media == ARROW:
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()
    if media == PARQUET:
        sink = io.BytesIO()
        pa.parquet.write_table(table, sink)
        return sink.getvalue()
    return _csv(answers, many) if media == CSV else _ndjson(answers, many)


def _series(columns: Iterable[Column]) -> list[dict[str, Any]]:
    return [
        {
            "measure": one.measure,
            **({} if one.meter is None else {"meter": one.meter}),
            "unit": one.unit,
            "values": one.value,
            "coverage": _shares(one.coverage),
            "estimated": _shares(one.estimated),
            "total": one.total,
            **({"lacks": [lack._asdict() for lack in one.lacks]} if one.lacks else {}),
            **({"shares": {name: _shares(share) for name, share in one.shares.items()}} if one.shares else {}),
            **one.more,
        }
        for one in columns
    ]


def _shares(share: Float64) -> Float64 | orjson.Fragment:
    """A column of shares, which mostly are all 1 or all 0: that is written once and repeated."""
    if len(share) < _FEW or share[0] not in (0.0, 1.0) or not (share == share[0]).all():
        return share
    text = b"1.0," if share[0] else b"0.0,"
    return orjson.Fragment(b"[" + (text * len(share))[:-1] + b"]")


def statistics_json(answer: Statistics) -> bytes:
    """The JSON answer of one household; NaN is null."""
    body = {
        "household": answer.household,
        "timezone": answer.timezone,
        "group_by": answer.group_by,
        "start": answer.start,
        "end": answer.end,
        "buckets": orjson.Fragment(bucket_json(answer.calendar)),
        **compare_json(answer.comparison, answer.timezone),
        "series": with_compared(_series(answer.columns), answer.comparison),
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def group_json(answer: Statistics, homes: Sequence[int | None] | None = None) -> bytes:
    """The JSON answer of a group. homes: of each bucket, of how many homes it is, where that is told."""
    body = {
        "group": answer.household,
        "timezone": answer.timezone,
        "group_by": answer.group_by,
        "start": answer.start,
        "end": answer.end,
        "buckets": orjson.Fragment(bucket_json(answer.calendar)),
        **({} if homes is None else {"homes": homes}),
        "series": _series(answer.columns),
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def many_json(answers: Sequence[Statistics]) -> bytes:
    """The JSON answer of many households: the buckets once, then each household's series."""
    if not answers:
        return b'{"households":[]}'
    first = answers[0]
    body = {
        "timezone": first.timezone,
        "group_by": first.group_by,
        "start": first.start,
        "end": first.end,
        "buckets": orjson.Fragment(bucket_json(first.calendar)),
        **compare_json(first.comparison, first.timezone),
        "households": [
            {"household": one.household, "series": with_compared(_series(one.columns), one.comparison)}
            for one in answers
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _columns(answers: Sequence[Statistics], many: bool) -> dict[str, Any]:
    """The answer as a wide table: a row a bucket (of a household), three columns a measure; of emissions also the share
    of each step that told them, and of which intensities they are."""
    out: dict[str, Any] = {}
    if many:
        out["household"] = [one.household for one in answers for _ in range(len(one.calendar.edges_us) - 1)]
    out["start"] = np.concatenate([one.calendar.edges_us[:-1] for one in answers])
    out["end"] = np.concatenate([one.calendar.edges_us[1:] for one in answers])
    for i, column in enumerate(answers[0].columns):
        name = f"{column.measure}_{column.unit}" if column.unit.isidentifier() else column.measure
        out[name] = np.concatenate([one.columns[i].value for one in answers])
        out[f"{column.measure}_coverage"] = np.concatenate([one.columns[i].coverage for one in answers])
        out[f"{column.measure}_estimated"] = np.concatenate([one.columns[i].estimated for one in answers])
        out |= told_columns([one.columns[i] for one in answers])
    return out | compared_columns(answers)


def _table(answers: Sequence[Statistics], many: bool) -> pa.Table:
    zone = answers[0].timezone
    columns: dict[str, Any] = {}
    for name, column in _columns(answers, many).items():
        if name in ("start", "end"):
            columns[name] = pa.array(column, pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=zone))
        elif name in COMPARED_EDGES:
            at_us, absent = compared_edges_us(answers, name)
            instants = pa.array(at_us, pa.timestamp("us", tz="UTC"), mask=absent)
            columns[name] = instants.cast(pa.timestamp("us", tz=zone))
        elif isinstance(column, list):
            columns[name] = pa.array(column, pa.string())
        else:
            columns[name] = pa.array(column, from_pandas=True)  # NaN is null
    return pa.table(columns)


def _labelled(answers: Sequence[Statistics], many: bool) -> dict[str, list[Any]]:
    """The wide table with civil labels and None for unknown."""
    out: dict[str, list[Any]] = {}
    for name, column in _columns(answers, many).items():
        if isinstance(column, list):
            out[name] = column
        elif name in ("start", "end"):
            ends = slice(None, -1) if name == "start" else slice(1, None)
            out[name] = [
                label
                for one in answers
                for label in iso_labels(one.calendar.edges_us[ends], one.calendar.offset_s[ends])
            ]
        elif name in COMPARED_EDGES:
            out[name] = list(compared_labels(answers, name))
        else:
            out[name] = orjson.loads(orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY))
    return out


def _csv(answers: Sequence[Statistics], many: bool) -> bytes:
    columns = _labelled(answers, many)
    rows = [",".join(columns)]
    if many:  # no other column can need quotes: a sum's households are ids with commas between
        columns["household"] = [_csv_field(one) for one in columns["household"]]
    texts = [["" if v is None else str(v) for v in column] for column in columns.values()]
    rows += [",".join(row) for row in zip(*texts, strict=True)]
    return ("\n".join(rows) + "\n").encode()


def _csv_field(text: str) -> str:
    """A field as RFC 4180 has it."""
    return text if _QUOTED.isdisjoint(text) else '"' + text.replace('"', '""') + '"'


def _ndjson(answers: Sequence[Statistics], many: bool) -> bytes:
    columns = _labelled(answers, many)
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in rows)


def metrics_json(starts_us: Int64, value: Float64, units: str, name: str = "value") -> bytes:
    """FlexiHome's list of items, one a bucket, values rounded to two decimals, NaN as null."""
    if not len(value):
        return b"[]"
    rounded = np.round(value, 2) + 0.0  # no minus zero
    texts = orjson.dumps(rounded, option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
    items = [
        f'{{"timestamp":"{label}","{name}":{text},"units":"{units}","slot_number":{slot}}}'
        for slot, (label, text) in enumerate(zip(iso_labels(starts_us, None), texts, strict=True), start=1)
    ]
    return ("[" + ",".join(items) + "]").encode()
