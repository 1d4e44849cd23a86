"""ISO 8601 labels of instants, written by whole columns: a matrix of bytes, one row of fixed width a label."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_DAY, S_PER_HOUR, S_PER_MINUTE, US_PER_S

Bytes = NDArray[np.uint8]

_MINUTES_PER_DAY: Final = S_PER_DAY // S_PER_MINUTE
_MINUTES_PER_HOUR: Final = S_PER_HOUR // S_PER_MINUTE


def _digits(number: Int64, width: int) -> Bytes:
    """(n, width) ASCII digits of non-negative numbers, with leading zeros."""
    tens = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (number[:, None] // tens % 10 + ord("0")).astype(np.uint8)


def _text(count: int, text: str) -> Bytes:
    """(count, len(text)) the same ASCII text on every row."""
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (count, len(text)))


@lru_cache(maxsize=1)
def _clock_rows() -> Bytes:
    """(1440, 6) 'THH:MM' of each minute of a day."""
    hour, minute = np.divmod(np.arange(_MINUTES_PER_DAY), _MINUTES_PER_HOUR)
    count = _MINUTES_PER_DAY
    return np.hstack([_text(count, "T"), _digits(hour, 2), _text(count, ":"), _digits(minute, 2)])


@lru_cache(maxsize=1)
def _second_rows() -> Bytes:
    """(60, 3) ':SS' of each second of a minute."""
    return np.hstack([_text(S_PER_MINUTE, ":"), _digits(np.arange(S_PER_MINUTE), 2)])


@lru_cache(maxsize=1)
def _offset_rows() -> Bytes:
    """(2879, 6) '+HH:MM' of the offsets of -1439 to 1439 minutes."""
    minute = np.arange(1 - _MINUTES_PER_DAY, _MINUTES_PER_DAY)
    hour, rest = np.divmod(np.abs(minute), _MINUTES_PER_HOUR)
    sign = np.where(minute < 0, ord("-"), ord("+")).astype(np.uint8)[:, None]
    return np.hstack([sign, _digits(hour, 2), _text(len(minute), ":"), _digits(rest, 2)])


def _date_rows(day: Int64) -> Bytes:
    """(n, 10) 'YYYY-MM-DD' of days since 1970-01-01. Dense days are written once each and then looked up."""
    first, last = int(day.min()), int(day.max())
    if last - first + 1 < len(day):
        return _date_rows(np.arange(first, last + 1)).take(day - first, axis=0)
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    day_of_month = day - month.astype("datetime64[D]").astype(np.int64) + 1
    month_number = month.astype(np.int64)
    dash = _text(len(day), "-")
    year = _digits(month_number // 12 + 1970, 4)
    return np.hstack([year, dash, _digits(month_number % 12 + 1, 2), dash, _digits(day_of_month, 2)])


def iso_rows(at_us: Int64, offset_s: Int64 | None) -> Bytes:
    """The labels of instants as ASCII: '2024-03-31T00:00:00+00:00', or '2024-03-31T00:00:00Z' without offsets.

    at_us: (n,) int64, instants in microseconds UTC, of the years 0 to 9999.
    offset_s: (n,) int64, UTC offset in seconds at each instant, less than a day; None writes UTC with a 'Z'. Offsets
        with odd seconds (before 1972) are written to the minute, the local time with them: it is the same instant.

    Returns (n, width) uint8. Where any instant has a fraction of a second, every row has six decimals.
    """
    if not len(at_us):
        return np.empty((0, 0), np.uint8)
    local_us = at_us
    if offset_s is None:
        suffix = _text(len(at_us), "Z")
    else:
        offset_minutes = (offset_s + S_PER_MINUTE // 2) // S_PER_MINUTE
        local_us = at_us + offset_minutes * (S_PER_MINUTE * US_PER_S)
        suffix = _offset_rows().take(offset_minutes + (_MINUTES_PER_DAY - 1), axis=0)
    second = local_us // US_PER_S
    fraction_us = local_us - second * US_PER_S
    day = second // S_PER_DAY
    second_of_day = second - day * S_PER_DAY
    minute_of_day = second_of_day // S_PER_MINUTE
    parts = [
        _date_rows(day),
        _clock_rows().take(minute_of_day, axis=0),
        _second_rows().take(second_of_day - minute_of_day * S_PER_MINUTE, axis=0),
    ]
    if fraction_us.any():
        parts += [_text(len(at_us), "."), _digits(fraction_us, 6)]
    return np.hstack([*parts, suffix])


def iso_labels(at_us: Int64, offset_s: Int64 | None) -> list[str]:
    """The labels of instants as text; see `iso_rows`."""
    rows = iso_rows(at_us, offset_s)
    text, width = rows.tobytes().decode("ascii"), rows.shape[1]
    return [text[place : place + width] for place in range(0, len(text), width)] if width else []


def bucket_rows(edges_us: Int64, offset_s: Int64) -> Bytes:
    """The rows '{"start":"…","end":"…"},' of the buckets between edges.

    edges_us: (n+1,) int64, microseconds UTC; offset_s: (n+1,) int64, UTC offset in seconds at each edge.

    Returns (n, width) uint8.
    """
    labels = iso_rows(edges_us, offset_s)
    count = len(edges_us) - 1
    return np.hstack(
        [_text(count, '{"start":"'), labels[:-1], _text(count, '","end":"'), labels[1:], _text(count, '"},')]
    )
