"""Line protocol that is regular through and through, read by whole columns.

Writers send thousands of lines of one shape: `measurement,tags field=1.5[,other=2] time`, nothing escaped, nothing
quoted. Such a body is cut into columns by Arrow's CSV reader. What is not of that shape in any line is left to the
parser that reads line by line and knows the whole syntax: here nothing is refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Container
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from statistics_manager_service.core.readings import Float64, Int64

#: What may mean something else than it says: escapes, quotes, line ends of two bytes.
_IRREGULAR: Final = (b"\\", b'"', b"\r")
#: Of fewer the parser that reads line by line is done sooner.
_FEWEST_BYTES: Final = 2048
_MOST: Final = 1e200

compute: Any = pyarrow.compute  # the stubs of its functions know less than they take
Texts = Any  # an Arrow array of strings

#: A series' head (measurement and tags, as written) and field, with its (n,) instants, values and line numbers.
Columns = tuple[str, str, Int64, Float64, Int64]


def regular_columns(
    body: bytes,
    known_fields: Container[str],
    is_head: Callable[[str], bool],
    in_us: Callable[[Int64], Int64],
) -> list[Columns] | None:
    """The series of a body; None where any line is not regular.

    is_head: whether a text is a measurement with tags, and no comment. in_us: instants in microseconds.
    """
    if len(body) < _FEWEST_BYTES or body[:1] in b" \n#" or any(mark in body for mark in _IRREGULAR):
        return None
    try:
        table = _cut(body)
        names, name, texts = _fields(table.column("fields").combine_chunks())
        value = _numbers(texts)
        at = in_us(_whole_numbers(table.column("at").combine_chunks()).to_numpy())
    except (pa.ArrowInvalid, ValueError):
        return None
    heads = table.column("head").combine_chunks().dictionary_encode()
    told = [head.as_py() for head in heads.dictionary]
    if (
        not all(one in known_fields for one in names)
        or not all(map(is_head, told))
        or not (np.abs(value) < _MOST).all()
    ):
        return None
    lines = np.arange(1, len(at) + 1, dtype=np.int64)
    per_line = len(value) // len(at)
    code = heads.indices.to_numpy().astype(np.int64).repeat(per_line) * len(names) + name
    order = np.argsort(code, kind="stable")
    at, lines, value = at.repeat(per_line)[order], lines.repeat(per_line)[order], value[order]
    code = code[order]
    cuts = np.flatnonzero(np.diff(code, prepend=-1)).tolist()
    return [
        (
            told[code[first] // len(names)],
            names[code[first] % len(names)],
            at[first:end],
            value[first:end],
            lines[first:end],
        )
        for first, end in zip(cuts, [*cuts[1:], len(code)], strict=True)
    ]


def _cut(body: bytes) -> pa.Table:
    """The three parts of each line. Raises ArrowInvalid where a line has another number of them."""
    options: dict[str, Any] = {
        "read_options": pyarrow.csv.ReadOptions(
            column_names=["head", "fields", "at"], use_threads=False, block_size=len(body) + 1
        ),
        "parse_options": pyarrow.csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types={"head": pa.string(), "fields": pa.string(), "at": pa.string()}, null_values=[]
        ),
    }
    return pyarrow.csv.read_csv(io.BytesIO(body), **options)


def _fields(fields: Texts) -> tuple[list[str], Int64 | int, Texts]:
    """Names of fields; which of them each is, and its text, one line after another.

    Raises ValueError where lines differ in their number of fields, or a field is not name=value.
    """
    first = fields[0].as_py().partition("=")[0] + "="
    if compute.all(compute.starts_with(fields, first)).as_py():  # one and the same field in each line
        texts = compute.utf8_slice_codeunits(fields, len(first))
        if b"," not in texts.buffers()[2].to_pybytes():
            return [first[:-1]], 0, texts
    bounds = compute.min_max(compute.count_substring(fields, ",")).as_py()
    if bounds["min"] != bounds["max"]:
        raise ValueError("the lines differ in their number of fields")
    if bounds["max"]:
        fields = compute.list_flatten(compute.split_pattern(fields, ","))
    parts = compute.split_pattern(fields, "=")
    if compute.min_max(compute.list_value_length(parts)).as_py() != {"min": 2, "max": 2}:
        raise ValueError("a field is not name=value")
    flat = compute.list_flatten(parts)
    place = np.arange(0, len(flat), 2)
    names = flat.take(pa.array(place)).dictionary_encode()
    return names.dictionary.to_pylist(), names.indices.to_numpy(), flat.take(pa.array(place + 1))


def _numbers(texts: Texts) -> Float64:
    """The numbers of 1.5 or, where all are so, of 42i. Raises ArrowInvalid, ValueError."""
    if compute.all(compute.ends_with(texts, "i")).as_py():
        return np.asarray(_whole_numbers(compute.utf8_slice_codeunits(texts, 0, -1)).to_numpy(), np.float64)
    _only(b"0123456789.eE-", texts)
    return np.asarray(texts.cast(pa.float64()).to_numpy(), np.float64)


def _whole_numbers(texts: Texts) -> Any:
    """As 64 bits. Raises ValueError, ArrowInvalid for anything but digits: Arrow alone would read 0x10 as well."""
    _only(b"0123456789-", texts)
    return texts.cast(pa.int64())


def _only(allowed: bytes, texts: Texts) -> None:
    """Raises ValueError where a character is none of some."""
    if texts.buffers()[2].to_pybytes().translate(None, allowed):
        raise ValueError("this is not written as a plain number")
