"""The columns of a table as arrays: of what types they may be, and the words, instants and numbers that they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import US_PER_MS, US_PER_S
from statistics_manager_service.errors import Fault
from statistics_manager_service.ingest.columns import MOST_US, instant_us, instants_us

#: In place of an instant that a row does not have.
UNKNOWN: Final = np.iinfo(np.int64).min
#: Epoch seconds as text, also as data frames write whole numbers: 1704067200.0.
_EPOCH_S: Final = re.compile(r"\d{1,18}(?:\.\d*)?|\.\d+", re.ASCII)
#: What Python alone would read besides: blanks around, 1_000, digits of other scripts, words such as nan.
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Column = Any  # an array of Arrow, in one chunk or several
Array = TypeVar("Array", Int64, Float64)


def type_fault(name: str, kind: pa.DataType) -> Fault | None:
    """What is wrong with the type of a column; None where it may be so.

    Numbers and texts may be of any width, and in a dictionary. A column without a type has no cell that is told.
    """
    held = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    fits = is_text(held) or pa.types.is_null(held)
    should = "text"
    if name == "at":
        fits, should = fits or pa.types.is_timestamp(held) or _is_number(held), "timestamps, texts or epoch seconds"
    elif name == "value":
        fits, should = fits or _is_number(held), "numbers"
    return None if fits else Fault(name, f"this column holds {str(kind)[:80]}; it must hold {should}")


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def words(column: Column) -> tuple[list[str | None], Int64]:
    """The words of a column of texts, each once, and of each row the number of its word. None is a word, too."""
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())  # Arrow makes no dictionary of views
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    number: dict[str | None, int] = {}
    codes = [np.zeros(0, np.int64)]
    for dictionary, place in _dictionaries(column):
        numbers = [number.setdefault(word, len(number)) for word in (*dictionary.to_pylist(), None)]
        codes.append(np.array(numbers, np.int64)[place])
    return list(number), np.concatenate(codes)


def instants(column: Column) -> tuple[Int64, Callable[[int], str]]:
    """Instants in microseconds, UNKNOWN where there is none, and what is wrong with a row that has none."""

    def why(row: int) -> str:
        cell = column[row]
        if pa.types.is_dictionary(column.type):
            cell = cell.value
        if not cell.is_valid:
            return "the instant is missing"
        if is_text(cell.type):
            try:
                _instant_of_text(cell.as_py())
            except ValueError as error:
                return str(error)
        return "the instant lies outside the years 1970 to 2262; epoch instants are in seconds"

    found = _by_word(_instants, UNKNOWN, column)
    return np.where((found >= 0) & (found < MOST_US), found, UNKNOWN), why


def values(column: Column) -> tuple[Float64, Callable[[int], str]]:
    """Numbers, NaN where there is none, and what is wrong with a row that has none."""

    def why(row: int) -> str:
        told = column[row].as_py()
        if told is None:
            return "the value is missing"
        return f"the value is {ascii(told)[:40]}, and not a finite number such as 1.5"

    return _by_word(_values, np.nan, column), why


def _by_word(convert: Callable[[Column], Array], missing: Any, column: Column) -> Array:
    """What a column holds. Of a dictionary only the words are read: rows can name a long one any number of times."""
    if not pa.types.is_dictionary(column.type):
        return convert(column)
    parts = [convert(pa.array([], column.type.value_type))]  # so that there is one, and of the right type
    for dictionary, place in _dictionaries(column):
        parts.append(np.append(convert(dictionary), missing)[place])
    return np.concatenate(parts)


def _dictionaries(column: Column) -> list[tuple[Any, Int64]]:
    """The dictionaries of a column, and of each of their rows the place of its word, -1 where it has none.

    The batches of a stream share one dictionary; it is told once, however many they are.
    """
    out: list[tuple[Any, list[Int64]]] = []
    before: Any = None
    for chunk in column.chunks:
        dictionary = chunk.dictionary
        memory = [None if one is None else one.address for one in dictionary.buffers()]
        if (memory, dictionary.offset, len(dictionary)) != before:
            out.append((dictionary, []))
            before = (memory, dictionary.offset, len(dictionary))
        out[-1][1].append(chunk.indices.cast(pa.int64(), safe=False).fill_null(-1).to_numpy())
    return [(dictionary, np.concatenate(places)) for dictionary, places in out]


def _instants(column: Column) -> Int64:
    """Instants in microseconds; those that are none are outside of the range of instants."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _microseconds(_integers(column.cast(pa.int64())), kind.unit)
    if pa.types.is_integer(kind):
        # what is beyond 63 bits wraps to below 0, which is no instant either
        return _microseconds(_integers(column.cast(pa.int64(), safe=False)), "s")
    if not is_text(kind):
        return _of_seconds(_values(column))
    texts = column.to_pylist()
    if None not in texts:  # of one form, as they mostly are, they are read in one go
        if all(map(_EPOCH_S.fullmatch, texts)):
            return _of_seconds(np.array(texts, np.float64))
        found = instants_us(texts)
        if found is not None:
            return found
    return np.array([_instant(text) for text in texts], np.int64)


def _of_seconds(seconds: Float64) -> Int64:
    fits = np.abs(seconds) <= MOST_US / US_PER_S
    return np.where(fits, np.rint(np.where(fits, seconds, 0) * US_PER_S), UNKNOWN).astype(np.int64)


def _integers(column: Column) -> Int64:
    return np.asarray(column.fill_null(UNKNOWN).to_numpy(), np.int64)


def _microseconds(ticks: Int64, unit: str) -> Int64:
    """Instants in microseconds from counts of a unit; what would overflow is unknown."""
    if unit == "ns":
        return ticks // 1000
    factor = {"s": US_PER_S, "ms": US_PER_MS, "us": 1}[unit]
    fits = (ticks >= 0) & (ticks < MOST_US // factor)
    return np.where(fits, ticks * np.where(fits, factor, 0), UNKNOWN)


def _instant(text: str | None) -> int:
    try:
        return int(UNKNOWN) if text is None else _instant_of_text(text)
    except ValueError:
        return int(UNKNOWN)


def _instant_of_text(text: str) -> int:
    """The instant of ISO 8601 or of epoch seconds in digits. Raises ValueError that says why there is none."""
    return instant_us(float(text) if _EPOCH_S.fullmatch(text) else text)


def _values(column: Column) -> Float64:
    """Numbers; NaN where a cell is empty or no number."""
    kind = column.type
    if is_text(kind):
        return np.array([_value(text) for text in column.to_pylist()], np.float64)
    if pa.types.is_decimal(kind):
        column = column.cast(pa.string())  # Arrow's own way from decimals to floats is off by a last bit
    # integers beyond 2⁵³ become the nearest number: they are more than any meter shows
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _value(text: str | None) -> float:
    return float(text) if text is not None and _NUMBER.fullmatch(text) else float("nan")
