"""Readings as a table: CSV, an Arrow stream, Parquet. One row a reading, of any number of channels.

Columns: household, meter, quantity, at, value; and kind, unit, interval, stamp where they are needed.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, Float64, Int64, RefusedReading, WireReadings
from statistics_manager_service.core.units import US_PER_MS, US_PER_S
from statistics_manager_service.errors import BadInput, Fault, TooLarge
from statistics_manager_service.ingest.arrow_stream import read_stream
from statistics_manager_service.ingest.columns import (
    MOST_US,
    check_channel,
    check_lengthless,
    check_stamp,
    duration_us,
    instant_us,
    kind_word,
)

_NEEDED: Final = ("household", "meter", "quantity", "at", "value")
_WORDS: Final = ("household", "meter", "quantity", "kind", "unit", "interval", "stamp")
#: Of an exported file; it is passed over, as verdicts follow from the readings.
_VERDICT: Final = "verdict"
_UNKNOWN: Final = np.iinfo(np.int64).min
#: Epoch seconds as text, also as spreadsheets and data frames write whole numbers: 1704067200.0.
_EPOCH_S: Final = re.compile(r"\d{1,18}(?:\.\d*)?", re.ASCII)
#: A few kilobytes of Parquet or Arrow can tell any number of equal rows.
MOST_ROWS: Final = 4_000_000


def decode_csv(body: bytes) -> Decoded:
    """Readings of a CSV body with a header line. Raises BadInput with all faults of its channels."""
    if not body.strip():
        raise BadInput.of([Fault("body", "the body is empty; it needs a header line and rows")])
    ragged: list[Fault] = []

    def passed_over(row: Any) -> Literal["skip"]:
        ragged.append(
            Fault(f"line {row.number}", f"{row.actual_columns} cells, where the header has {row.expected_columns}")
        )
        return "skip"

    read = pa.csv.ReadOptions(use_threads=False)  # so that lines are counted
    parse = pa.csv.ParseOptions(invalid_row_handler=passed_over)
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys((*_WORDS, "at", "value"), pa.string()))
    try:
        # a header without a line's end would be no line
        table = pa.csv.read_csv(io.BytesIO(body + b"\n"), read_options=read, parse_options=parse, convert_options=text)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise BadInput.of([Fault("body", f"this is not CSV: {str(error)[:200]}")]) from error
    if ragged:
        raise BadInput.of(ragged)
    return decode_table(table)


def decode_arrow(body: bytes) -> Decoded:
    """Readings of an Arrow IPC stream. Raises BadInput."""
    try:
        table = read_stream(body, MOST_ROWS)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput.of([Fault("body", f"this is no Arrow stream: {str(error)[:200]}")]) from error
    return decode_table(table)


def decode_parquet(body: bytes) -> Decoded:
    """Readings of a Parquet file. Raises BadInput."""
    try:
        file = pa.parquet.ParquetFile(io.BytesIO(body))
        if file.metadata.num_rows > MOST_ROWS:
            raise TooLarge(f"the table has over {MOST_ROWS} rows; send it in parts")
        table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput.of([Fault("body", f"this is no Parquet file: {str(error)[:200]}")]) from error
    return decode_table(table)


def decode_table(table: pa.Table) -> Decoded:
    """The channels of a table; within a channel the order of the rows is kept.

    Refused rows are named by their number, counted from 0. Raises BadInput with all faults of the channels.
    """
    try:
        names = table.column_names
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
        Fault(name, f"this column holds {column.type}, and not text")
        for name, column in zip(names, table.columns, strict=True)
        if name in _WORDS and not _is_text(column.type)
    ]
    if faults:
        raise BadInput.of(faults)
    words = [name for name in _WORDS if name in names]
    codes, keys = _groups([table[name] for name in words])
    out = Decoded([], [])
    at_us, at_why = _instants(table["at"])
    value, value_why = _values(table["value"])
    bad = (at_us == _UNKNOWN) | ~np.isfinite(value)
    for row in np.flatnonzero(bad).tolist():
        why = at_why(row) if at_us[row] == _UNKNOWN else value_why(row)
        out.refused.append(RefusedReading("row", row, why))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    for i, key in enumerate(keys):
        rows = order[ends[i - 1] if i else 0 : ends[i]]
        told = dict(zip(words, key, strict=True))
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


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(is_kind(kind) for is_kind in kinds)


def _groups(columns: list[Any]) -> tuple[Int64, list[tuple[Any, ...]]]:
    """The group of each row, and the words of each group, in the order of their first rows."""
    code = np.zeros(len(columns[0]), np.int64)
    words: list[tuple[list[Any], Int64]] = []
    for column in columns:
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode(null_encoding="encode")
        column = column.unify_dictionaries().combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        texts = column.dictionary.to_pylist()
        index = column.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)
        words.append(([*texts, None], index))
        # numbered anew after each column: the numbers stay below rows × words, however many words there are
        _, code = np.unique(code * (len(texts) + 1) + index, return_inverse=True)
    _, first, codes = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    keys = [tuple(texts[index[row]] for texts, index in words) for row in first[order].tolist()]
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


def _instants(column: Any) -> tuple[Int64, Any]:
    """Instants in microseconds, and what is wrong with a row that has none."""

    def why(row: int) -> str:
        try:
            instant_us(column[row].as_py())
        except OverflowError:
            pass  # beyond what a date-time can be
        except ValueError as error:
            return str(error)
        return "the instant lies outside the years 1970 to 2262"

    column = _plain(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        found = _microseconds(column.cast(pa.int64()).fill_null(_UNKNOWN).to_numpy().astype(np.int64), kind.unit)
    elif pa.types.is_integer(kind):
        # what is beyond 63 bits wraps to below 0, which is no instant either
        seconds = column.cast(pa.int64(), safe=False).fill_null(_UNKNOWN).to_numpy().astype(np.int64)
        found = _microseconds(seconds, "s")
    else:
        found = np.array([_one_instant(told) for told in column.to_pylist()], np.int64)
    return np.where((found >= 0) & (found < MOST_US), found, _UNKNOWN), why


def _microseconds(ticks: Int64, unit: str) -> Int64:
    """Instants in microseconds from counts of a unit; what would overflow is unknown."""
    if unit == "ns":
        return ticks // 1000
    factor = {"s": US_PER_S, "ms": US_PER_MS, "us": 1}[unit]
    fits = (ticks >= 0) & (ticks < MOST_US // factor)
    return np.where(fits, ticks * np.where(fits, factor, 0), _UNKNOWN)


def _plain(column: Any) -> Any:
    """A column as its values, where it is a dictionary of them."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _one_instant(told: Any) -> int:
    try:
        return instant_us(float(told) if isinstance(told, str) and _EPOCH_S.fullmatch(told) else told)
    except ValueError:
        return int(_UNKNOWN)


def _values(column: Any) -> tuple[Float64, Any]:
    """Values, NaN where there is none, and what is wrong with such a row."""

    def why(row: int) -> str:
        return f"the value is {ascii(column[row].as_py())[:40]}, and not a finite number"

    column = _plain(column)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(
            pa.float64(), safe=False
        ).to_numpy(), why  # beyond 2⁵³ the nearest number: more than any meter
    return np.array([_one_value(told) for told in column.to_pylist()], np.float64), why


def _one_value(told: Any) -> float:
    try:
        if not isinstance(told, str) or "_" in told or not told.isascii():
            return float("nan")
        return float(told)
    except ValueError:
        return float("nan")
