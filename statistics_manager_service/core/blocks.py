"""Blocks of readings: sorted columns of a stretch of time, packed by their differences.

Layout, little-endian: byte 0: format version (1); byte 1: flags (1: interval lengths follow, 2: verdicts follow); u32:
number of readings; then the columns instant, value, and, as flagged, length. A column is (bytes a difference: u8,
first: i64, base: i64, unit: i64) and n-1 unsigned numbers: each difference is base + unit × number. A register read
each minute takes one to two bytes a reading. Verdicts are a byte a reading, only where one is not plausible.

Many blocks are packed and unpacked at once: the arithmetic runs over the columns of all of them together.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64

VERSION: Final = 1
_LENGTHS, _VERDICTS = 1, 2
_HEAD = struct.Struct("<BBI")
_COLUMN = struct.Struct("<Bqqq")
_TYPES: Final = {width: np.dtype(f"<u{width}") for width in (1, 2, 4, 8)}

#: Instants, values, lengths (None for other than intervals) and verdicts, (n,) each.
Readings = tuple[Int64, Int64, Int64 | None, NDArray[np.uint8]]


def pack_blocks(blocks: Sequence[Readings]) -> list[bytes]:
    """The bodies of blocks; each has a reading at least, instants increasing."""
    columns = iter(_packed_columns([column for block in blocks for column in block[:3] if column is not None]))
    bodies = []
    for at_us, _, length_us, verdict in blocks:
        verdicts = verdict.tobytes()
        if verdicts.count(0) == len(verdicts):
            verdicts = b""
        flags = (_LENGTHS if length_us is not None else 0) | (_VERDICTS if verdicts else 0)
        packed = [next(columns) for _ in range(2 if length_us is None else 3)]
        bodies.append(b"".join((_HEAD.pack(VERSION, flags, len(at_us)), *packed, verdicts)))
    return bodies


def _packed_columns(columns: Sequence[Int64]) -> list[bytes]:
    if not columns:
        return []
    joined = np.concatenate(columns)
    sizes = np.array([len(column) for column in columns], np.int64)
    step = np.append(joined[1:] - joined[:-1], 0)
    begins: Int64 = np.cumsum(sizes) - sizes
    # the last difference of a column leads to the next one: an earlier one of the column stands in for it
    lasts = begins + sizes - 1
    step[lasts] = np.where(lasts > begins, step[lasts - 1], 0)
    least, most = np.minimum.reduceat(step, begins), np.maximum.reduceat(step, begins)
    above = (step - least.repeat(sizes)).view(np.uint64)  # this may wrap, and be undone by wrapping back
    unit = np.maximum(np.gcd.reduceat(above, begins), np.uint64(1))
    above //= unit.repeat(sizes)
    rows = zip(*(one.tolist() for one in (joined[begins], least, most, unit, begins, lasts)), strict=True)
    return [
        _COLUMN.pack(0, first, base, 1)
        if base == top
        else _varying(first, base, unit, (top - base) // unit, above[begin:last])
        for first, base, top, unit, begin, last in rows
    ]


def _varying(first: int, base: int, unit: int, most: int, above: NDArray[np.uint64]) -> bytes:
    width = next((width for width in _TYPES if most < 1 << (8 * width)), 8)
    return _COLUMN.pack(width, first, base, unit) + above.astype(_TYPES[width]).tobytes()


def unpack_blocks(bodies: Sequence[bytes]) -> list[Readings]:
    """The readings of blocks. Raises ValueError for a damaged body or another format version."""
    try:
        return _unpacked(bodies)
    except struct.error as error:
        raise ValueError(f"a block of readings is damaged: {error}") from error


def _unpacked(bodies: Sequence[bytes]) -> list[Readings]:
    heads, columns = [], []
    for body in bodies:
        version, flags, count = _HEAD.unpack_from(body)
        if version != VERSION:
            raise ValueError(f"a block of readings has format version {version}, and this program reads {VERSION}")
        place = _HEAD.size
        for _ in range(3 if flags & _LENGTHS else 2):
            width, first, base, unit = _COLUMN.unpack_from(body, place)
            place += _COLUMN.size
            columns.append((body, place, count, width, first, base, unit))
            place += width * (count - 1)
        heads.append((flags, count, place))
    numbers = _unpacked_columns(columns)
    out: list[Readings] = []
    begin = 0
    for body, (flags, count, place) in zip(bodies, heads, strict=True):
        at_us, value = numbers[begin : begin + count], numbers[begin + count : begin + 2 * count]
        length = numbers[begin + 2 * count : begin + 3 * count] if flags & _LENGTHS else None
        begin += (3 if flags & _LENGTHS else 2) * count
        is_told = flags & _VERDICTS
        verdict = np.frombuffer(body, np.uint8, count, place) if is_told else np.zeros(count, np.uint8)
        out.append((at_us, value, length, verdict))
    return out


def _unpacked_columns(columns: Sequence[tuple[bytes, int, int, int, int, int, int]]) -> Int64:
    """The numbers of (body, place, count, width, first, base, unit), one column after another."""
    if not columns:
        return np.zeros(0, np.int64)
    count, first, base, unit = np.array([(c[2], *c[4:]) for c in columns], np.int64).T
    ends = np.cumsum(count)
    out = np.zeros(int(ends[-1]), np.int64)
    for (body, place, size, width, *_), end in zip(columns, ends.tolist(), strict=True):
        if width:
            out[end - size + 1 : end] = np.frombuffer(body, _TYPES[width], size - 1, place)
    out *= np.repeat(unit, count)
    out += np.repeat(base, count)
    begins = ends - count
    out[begins] = 0
    np.cumsum(out, out=out)  # over all columns; what came before a column is taken off again
    out += np.repeat(first - out[begins], count)
    return out
