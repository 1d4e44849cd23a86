"""ISO 8601 labels of instants, written by whole columns: rows of bytes of one width, looked up in small tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, US_PER_S

Bytes = NDArray[np.uint8]
Texts = NDArray[np.bytes_]

_MINUTES_PER_DAY: Final = S_PER_DAY // S_PER_MINUTE
_MINUTES_PER_HOUR: Final = S_PER_HOUR // S_PER_MINUTE


def _hours_and_minutes(minutes: int) -> str:
    return f"{minutes // _MINUTES_PER_HOUR:02d}:{minutes % _MINUTES_PER_HOUR:02d}"


@lru_cache(maxsize=1)
def _clock_texts() -> Texts:
    """(1440,) S6 'THH:MM' of each minute of a day."""
    return np.array([f"T{_hours_and_minutes(minute)}" for minute in range(_MINUTES_PER_DAY)], "S6")


@lru_cache(maxsize=1)
def _second_texts() -> Texts:
    """(60,) S3 ':SS' of each second of a minute."""
    return np.array([f":{second:02d}" for second in range(S_PER_MINUTE)], "S3")


@lru_cache(maxsize=1)
def _offset_texts() -> Texts:
    """(2879,) S6 '+HH:MM' of the offsets of -1439 to 1439 minutes."""
    minutes = range(1 - _MINUTES_PER_DAY, _MINUTES_PER_DAY)
    return np.array([f"{'-' if minute < 0 else '+'}{_hours_and_minutes(abs(minute))}" for minute in minutes], "S6")


def _date_texts(day: Int64) -> Texts:
    """(n,) S10 'YYYY-MM-DD' of days since 1970-01-01. Dense days are written once each and then looked up."""
    first, last = int(day.min()), int(day.max())
    if last - first + 1 < len(day):
        return _date_texts(np.arange(first, last + 1))[day - first]
    return np.datetime_as_string(day.astype("datetime64[D]")).astype("S10")


def iso_rows(at_us: Int64, offset_s: Int64 | None) -> Bytes:
    """The labels of instants as ASCII: '2024-03-31T00:00:00+00:00', or '2024-03-31T00:00:00Z' without offsets.

    at_us: (n,) int64, instants in microseconds UTC, of the years 0 to 9999.
    offset_s: (n,) int64, UTC offset in seconds at each instant, less than a day; None writes UTC with a 'Z'. Offsets
        with odd seconds (before 1972) are written to the minute, the local time with them: it is the same instant.

    Returns (n, width) uint8. Where any instant has a fraction of a second, every row has six decimals.
    """
    if not len(at_us):
        return np.empty((0, 0), np.uint8)
    local_us, suffix = at_us, np.array(b"Z")
    if offset_s is not None:
        offset_minutes = (offset_s + S_PER_MINUTE // 2) // S_PER_MINUTE
        local_us = at_us + offset_minutes * (S_PER_MINUTE * US_PER_S)
        suffix = _offset_texts()[offset_minutes + (_MINUTES_PER_DAY - 1)]
    second = local_us // US_PER_S
    fraction_us = local_us - second * US_PER_S
    minute = second // S_PER_MINUTE
    day = minute // _MINUTES_PER_DAY
    parts: dict[str, Texts] = {
        "date": _date_texts(day),
        "clock": _clock_texts()[minute - day * _MINUTES_PER_DAY],
        "second": _second_texts()[second - minute * S_PER_MINUTE],
    }
    if fraction_us.any():
        parts["fraction"] = np.array([b".%06d" % one for one in fraction_us.tolist()])
    parts["suffix"] = suffix
    return _joined(len(at_us), parts)


def _joined(count: int, parts: dict[str, Any]) -> Bytes:
    """(count, width) uint8: texts of fixed width (one, or one a row) side by side."""
    rows = np.empty(count, [(name, part.dtype) for name, part in parts.items()])
    for name, part in parts.items():
        rows[name] = part
    return rows.view(np.uint8).reshape(count, -1)


def iso_labels(at_us: Int64, offset_s: Int64 | None) -> list[str]:
    """The labels of instants as text; see `iso_rows`."""
    rows = iso_rows(at_us, offset_s)
    text, width = rows.tobytes().decode("ascii"), rows.shape[1]
    return [text[place : place + width] for place in range(0, len(text), width)] if width else []


def iso_label(at_us: int) -> str:
    """The label of one instant, UTC with a 'Z'."""
    return iso_labels(np.array([at_us], np.int64), None)[0]


def bucket_rows(edges_us: Int64, offset_s: Int64) -> Bytes:
    """The rows '{"start":"…","end":"…"},' of the buckets between edges.

    edges_us: (n+1,) int64, microseconds UTC; offset_s: (n+1,) int64, UTC offset in seconds at each edge.

    Returns (n, width) uint8.
    """
    rows = iso_rows(edges_us, offset_s)
    labels = rows.view(f"S{rows.shape[1]}")[:, 0]
    parts = {
        "open": np.array(b'{"start":"'),
        "start": labels[:-1],
        "between": np.array(b'","end":"'),
        "end": labels[1:],
        "close": np.array(b'"},'),
    }
    return _joined(len(labels) - 1, parts)
