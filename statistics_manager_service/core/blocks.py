"""Blocks of readings: sorted columns of a stretch of time, packed by their differences.

Layout, little-endian: byte 0: format version (1); byte 1: flags (1: interval lengths follow, 2: verdicts
follow); u32: number of readings; then the columns instant, value, and, as flagged, length. A column is (bytes a
difference: u8,
first: i64, base: i64, unit: i64) and n-1 unsigned numbers: each difference is base + unit × number. A register
read each
minute takes one to two bytes a reading. Verdicts are a byte a reading, only where one is not plausible.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64

VERSION = 1
_LENGTHS, _VERDICTS = 1, 2
_HEAD = struct.Struct("<BBI")
_COLUMN = struct.Struct("<Bqqq")
_WIDTHS = (1, 2, 4)


def pack_block(at_us: Int64, value_milli: Int64, length_us: Int64 | None, verdict: NDArray[np.uint8]) -> bytes:
    """The body of a block; all columns (n,), n > 0, instants increasing."""
    has_verdicts = bool(verdict.any())
    flags = (_LENGTHS if length_us is not None else 0) | (_VERDICTS if has_verdicts else 0)
    parts = [_HEAD.pack(VERSION, flags, len(at_us)), _pack_column(at_us), _pack_column(value_milli)]
    if length_us is not None:
        parts.append(_pack_column(length_us))
    if has_verdicts:
        parts.append(verdict.tobytes())
    return b"".join(parts)


def _pack_column(column: Int64) -> bytes:
    first = int(column[0])
    step = column[1:] - column[:-1]
    if not len(step):
        return _COLUMN.pack(0, first, 0, 1)
    base = int(step.min())
    above = (step - base).view(np.uint64)
    most = int(above.max())
    if not most:
        return _COLUMN.pack(0, first, base, 1)
    unit = int(np.gcd.reduce(above))
    if unit > 1:
        above = above // np.uint64(unit)
        most //= unit
    width = next((w for w in _WIDTHS if most < 1 << (8 * w)), 8)
    return _COLUMN.pack(width, first, base, unit) + above.astype(f"<u{width}").tobytes()


def unpack_block(body: bytes) -> tuple[Int64, Int64, Int64 | None, NDArray[np.uint8]]:
    """Instants, values, lengths (None for other than intervals) and verdicts. Raises ValueError for another version."""
    version, flags, count = _HEAD.unpack_from(body)
    if version != VERSION:
        raise ValueError(f"a block of readings has format version {version}, and this program reads {VERSION}")
    place = _HEAD.size
    at_us, place = _unpack_column(body, place, count)
    value, place = _unpack_column(body, place, count)
    length = None
    if flags & _LENGTHS:
        length, place = _unpack_column(body, place, count)
    verdict = np.frombuffer(body, np.uint8, count, place) if flags & _VERDICTS else np.zeros(count, np.uint8)
    return at_us, value, length, verdict


def _unpack_column(body: bytes, place: int, count: int) -> tuple[Int64, int]:
    width, first, base, unit = _COLUMN.unpack_from(body, place)
    place += _COLUMN.size
    out = np.empty(count, np.int64)
    out[0] = first
    if width:
        step = np.frombuffer(body, f"<u{width}", count - 1, place).astype(np.int64)
        place += width * (count - 1)
        if unit != 1:
            step *= unit
        out[1:] = step
        if base:
            out[1:] += base
    else:
        out[1:] = base
    np.cumsum(out, out=out)
    return out, place
