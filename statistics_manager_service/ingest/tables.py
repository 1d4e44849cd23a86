"""Readings as a table: CSV, an Arrow stream, Parquet. One row a reading, of any number of channels.

Columns: household, meter, quantity, at, value; and kind, unit, interval, stamp where they are needed.
"""

from __future__ import annotations

import io
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, Int64, RefusedReading, WireReadings
from statistics_manager_service.errors import BadInput, Fault, TooLarge
from statistics_manager_service.ingest.arrow_stream import read_stream
from statistics_manager_service.ingest.columns import (
    check_channel,
    check_lengthless,
    check_stamp,
    duration_us,
    kind_word,
)
from statistics_manager_service.ingest.table_columns import UNKNOWN, instants, is_text, type_fault, values, words

_NEEDED: Final = ("household", "meter", "quantity", "at", "value")
_WORDS: Final = ("household", "meter", "quantity", "kind", "unit", "interval", "stamp")
#: Of an exported file; it is passed over, as verdicts follow from the readings.
_VERDICT: Final = "verdict"
#: Of the rows of another length than the header's.
_MOST_RAGGED: Final = 100
#: A few kilobytes of Parquet or Arrow can tell any number of equal rows.
MOST_ROWS: Final = 4_000_000
MOST_UNPACKED_BYTES: Final = 2**27


def decode_csv(body: bytes) -> Decoded:
    """Readings of a CSV body with a header line. Raises BadInput with all faults of its channels."""
    if not body.strip():
        raise BadInput.of([Fault("body", "the body is empty; it needs a header line and rows")])
    try:
        body.decode()
    except UnicodeDecodeError as error:
        why = f"this is not CSV in UTF-8: byte {error.start} is {body[error.start]:#04x}"
        raise BadInput.of([Fault("body", why)]) from error
    ragged: list[Fault] = []

    def passed_over(row: Any) -> Literal["skip", "error"]:
        # Arrow counts the header as the first row, and blank lines not at all
        why = f"{row.expected_columns} cells are expected, as in the header, and {row.actual_columns} found"
        ragged.append(Fault(f"row {row.number - 2}", f"{why}: {ascii(row.text)[:60]}"))
        return "skip" if len(ragged) < _MOST_RAGGED else "error"

    read = pa.csv.ReadOptions(use_threads=False)  # else rows have no numbers
    parse = pa.csv.ParseOptions(invalid_row_handler=passed_over)
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys((*_WORDS, "at", "value"), pa.string()))
    try:
        # a header without a line's end would be no line
        table = pa.csv.read_csv(io.BytesIO(body + b"\n"), read_options=read, parse_options=parse, convert_options=text)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if not ragged:
            raise BadInput.of([Fault("body", f"this is not CSV: {str(error)[:200]}")]) from error
    if ragged:
        raise BadInput.of(ragged)
    return decode_table(table)


def decode_arrow(body: bytes) -> Decoded:
    """Readings of an Arrow IPC stream. Raises BadInput, TooLarge."""
    try:
        table = read_stream(body, MOST_ROWS, MOST_UNPACKED_BYTES, _check_columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput.of([Fault("body", f"this is no Arrow stream: {str(error)[:200]}")]) from error
    return decode_table(table)


def decode_parquet(body: bytes) -> Decoded:
    """Readings of a Parquet file. Raises BadInput, TooLarge."""
    try:
        schema = pa.parquet.read_schema(io.BytesIO(body))
        _check_columns(schema)
        # as dictionaries: a page of some bytes can name one long text in each of its rows
        texts = [one.name for one in schema if is_text(one.type) and one.name != _VERDICT]
        # by this thread alone: threads that read such a file at once have been seen to end the process
        file = pa.parquet.ParquetFile(io.BytesIO(body), read_dictionary=texts, pre_buffer=False)
        _check_size(file.metadata)
        table = file.read([name for name in schema.names if name != _VERDICT], use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput.of([Fault("body", f"this is no Parquet file: {str(error)[:200]}")]) from error
    return decode_table(table)


def _check_size(metadata: Any) -> None:
    """Raises TooLarge where a file tells of more rows, or more bytes unpacked, than are taken."""
    if metadata.num_rows > MOST_ROWS:
        raise TooLarge(f"the table has over {MOST_ROWS} rows; send it in parts")
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    if sum(one.total_byte_size for one in groups) > MOST_UNPACKED_BYTES:
        raise TooLarge(f"the table unpacks to over {MOST_UNPACKED_BYTES} bytes; send it in parts")


def decode_table(table: pa.Table) -> Decoded:
    """The channels of a table; within a channel the order of the rows is kept.

    Refused rows are named by their number, counted from 0. Raises BadInput with all faults of the channels.
    """
    _check_columns(table.schema)
    faults: list[Fault] = []
    told_words = [name for name in _WORDS if name in table.column_names]
    codes, keys = _groups([table[name] for name in told_words])
    out = Decoded([], [])
    at_us, at_why = instants(table["at"])
    value, value_why = values(table["value"])
    bad = (at_us == UNKNOWN) | ~np.isfinite(value)
    for row in np.flatnonzero(bad).tolist():
        why = at_why(row) if at_us[row] == UNKNOWN else value_why(row)
        out.refused.append(RefusedReading("row", row, why))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    for i, key in enumerate(keys):
        rows = order[ends[i - 1] if i else 0 : ends[i]]
        told: dict[str, Any] = dict(zip(told_words, key, strict=True))
        wire = _channel(f"row {int(rows[0])}", told, faults)
        if wire is None:
            continue
        kept = rows[~bad[rows]]
        wire.at_us, wire.value, wire.index = at_us[kept], value[kept], kept
        if wire.interval_us is not None:
            wire.interval_us = np.full(len(kept), wire.interval_us[0], np.int64)
        out.channels.append(wire)
    if faults:
        raise BadInput.of(faults)
    return out


def _check_columns(schema: Any) -> None:
    """Raises BadInput with what is wrong with the names and the types of a table's columns."""
    try:
        names = schema.names
    except UnicodeDecodeError as error:
        raise BadInput.of([Fault("body", "the name of a column is not UTF-8")]) from error
    faults = [Fault(name, "this column is missing") for name in _NEEDED if name not in names]
    faults += [
        Fault(name[:60] or '""', f"no such column; there are {', '.join((*_WORDS, 'at', 'value'))}")
        for name in names
        if name not in (*_WORDS, "at", "value", _VERDICT)
    ]
    faults += [
        Fault(name[:60] or '""', "this column stands twice") for name in {n for n in names if names.count(n) > 1}
    ]
    faults += [
        fault
        for name, kind in zip(names, schema.types, strict=True)
        if name in (*_WORDS, "at", "value") and (fault := type_fault(name, kind)) is not None
    ]
    if faults:
        raise BadInput.of(faults)


def _groups(columns: list[Any]) -> tuple[Int64, list[tuple[str | None, ...]]]:
    """The group of each row, and the words of each group, in the order of their first rows."""
    code = np.zeros(len(columns[0]), np.int64)
    told: list[tuple[list[str | None], Int64]] = []
    for column in columns:
        texts, index = words(column)
        told.append((texts, index))
        # numbered anew after each column: the numbers stay below rows × words, however many words there are
        _, code = np.unique(code * (len(texts) + 1) + index, return_inverse=True)
    _, first, codes = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    keys = [tuple(texts[index[row]] for texts, index in told) for row in first[order].tolist()]
    return np.argsort(order)[codes].astype(np.int64), keys


def _channel(where: str, told: dict[str, Any], faults: list[Fault]) -> WireReadings | None:
    before = len(faults)
    told = {name: None if word == "" else word for name, word in told.items()}
    household, meter, quantity = told["household"], told["meter"], told["quantity"]
    if isinstance(household, str):
        faults += check_name(household, f"{where}.household")
    else:
        faults.append(Fault(f"{where}.household", "the id of the household is missing"))
    word = kind_word(told.get("kind"), told.get("interval"))
    kind = check_channel(where, meter, quantity, word, told.get("unit"), faults)
    stamp_end = check_stamp(where, told.get("stamp"), faults)
    check_lengthless(where, kind, told.get("interval"), told.get("stamp"), faults)
    length = None
    if kind is Kind.INTERVAL:
        told_length = told.get("interval")
        found = duration_us(told_length) if isinstance(told_length, str) else None
        if found is None:
            faults.append(Fault(f"{where}.interval", "an interval needs its length as a duration such as PT15M"))
        else:
            length = np.array([found], np.int64)
    if len(faults) > before or not (isinstance(household, str) and isinstance(meter, str)):
        return None
    nothing = np.zeros(0, np.int64)
    return WireReadings(
        household, meter, str(quantity), kind, told.get("unit"), nothing, nothing.astype(np.float64), length, stamp_end,
        where="row",
    )  # fmt: skip
