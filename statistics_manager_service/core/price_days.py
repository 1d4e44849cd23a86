"""Days of prices: the 96 quarter-hours of a series' UTC day, exact decimals, packed into tens or hundreds of bytes.

Layout, little-endian. Byte 0: format version (1). Byte 1: decimal places of all values. Byte 2: bytes a value (1, 2, 4,
8 or 16). Byte 3: quarter-hours a value (1, 2, 4 or 96), where all of these have the same. Byte 4: bytes of the mask (0:
every quarter-hour is known; 12: a bit each, the first in the highest). Then the mask; then the values, signed integers
of 10**-places, 0 where unknown. A day has one form alone: the fewest places, the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.units import QUARTERS_PER_DAY

VERSION: Final = 1
#: More decimals than any price has; a float that was written out has up to 20.
MOST_PLACES: Final = 24
_HEAD: Final = 5
_MASK: Final = QUARTERS_PER_DAY // 8
_WIDTHS: Final = (1, 2, 4, 8)
_WIDEST: Final = 16
_STEPS: Final = (QUARTERS_PER_DAY, 4, 2)
_MOST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PriceDays:
    """The quarter-hours of r days.

    values: of units (r, 96), 0 where unknown. known: (r, 96) bool.
    """

    values: Decimals
    known: NDArray[np.bool_]

    @classmethod
    def unknown(cls, days: int) -> PriceDays:
        """Days of which nothing is known."""
        shape = (days, QUARTERS_PER_DAY)
        return cls(Decimals(np.zeros(shape, np.int64), 0), np.zeros(shape, np.bool_))


def pack_price_days(days: PriceDays) -> list[bytes]:
    """The bodies of days. Raises OverflowError for a value of more than 16 bytes."""
    return [
        _packed(units, days.values.places, known) for units, known in zip(days.values.units, days.known, strict=True)
    ]


def _packed(units: NDArray[Any], places: int, known: NDArray[np.bool_]) -> bytes:
    while places and not (units % 10).any():
        units, places = units // 10, places - 1
    step = next((step for step in _STEPS if _is_in_steps(units, step)), 1)
    values = units[::step]
    bound = int(np.abs(values).max())
    width = next((width for width in _WIDTHS if bound < 1 << (8 * width - 1)), _WIDEST)
    mask = b"" if known.all() else np.packbits(known).tobytes()
    if width == _WIDEST:
        data = b"".join(int(one).to_bytes(_WIDEST, "little", signed=True) for one in values)
    else:
        data = values.astype(f"<i{width}").tobytes()
    return bytes((VERSION, places, width, step, len(mask))) + mask + data


def _is_in_steps(units: NDArray[Any], step: int) -> bool:
    rows = units.reshape(-1, step)
    return bool((rows == rows[:, :1]).all())


def unpack_price_days(bodies: Sequence[bytes]) -> PriceDays:
    """The quarter-hours of days. Raises ValueError for a body of another format version."""
    groups: dict[bytes, list[int]] = {}
    for row, body in enumerate(bodies):
        groups.setdefault(body[:_HEAD], []).append(row)
    places = max((head[1] for head in groups), default=0)
    parts = {head: _unpacked(head, [bodies[row] for row in rows]) for head, rows in groups.items()}
    scaled = {head: values.units_at(places) for head, (values, _) in parts.items()}
    is_large = any(units.dtype == object for units in scaled.values())
    units = np.zeros((len(bodies), QUARTERS_PER_DAY), object if is_large else np.int64)
    known = np.ones((len(bodies), QUARTERS_PER_DAY), np.bool_)
    for head, rows in groups.items():
        units[rows] = scaled[head].repeat(head[3], axis=1)
        mask = parts[head][1]
        if mask is not None:
            known[rows] = mask
    return PriceDays(Decimals(units, places), known)


def _unpacked(head: bytes, bodies: Sequence[bytes]) -> tuple[Decimals, NDArray[np.bool_] | None]:
    """Days of one form: their values, not yet repeated, and the mask where they have one."""
    version, places, width, step, masked = head
    if version != VERSION:
        raise ValueError(f"a day of prices has format version {version}, and this program reads {VERSION}")
    count, begin = QUARTERS_PER_DAY // step, _HEAD + masked
    data = b"".join([body[begin:] for body in bodies])
    units: NDArray[Any]
    if width == _WIDEST:
        pieces = [data[i : i + _WIDEST] for i in range(0, len(data), _WIDEST)]
        units = np.array([int.from_bytes(piece, "little", signed=True) for piece in pieces], object)
    else:
        units = np.frombuffer(data, f"<i{width}").astype(np.int64)
    mask = None
    if masked:
        bits = np.frombuffer(b"".join([body[_HEAD:begin] for body in bodies]), np.uint8)
        mask = np.unpackbits(bits).reshape(-1, QUARTERS_PER_DAY).astype(np.bool_)
    return Decimals(units.reshape(-1, count), places), mask


def merge_price_days(old: PriceDays, new: PriceDays) -> tuple[PriceDays, NDArray[np.bool_]]:
    """Days with what is new of them, and which of their quarter-hours that changes, (r, 96) bool: unknown before, or of
    another value."""
    places = max(old.values.places, new.values.places)
    mine, others = old.values.units_at(places), new.values.units_at(places)
    changed = new.known & (~old.known | (mine != others).astype(np.bool_))
    merged = np.where(new.known, others, mine)  # object where either is
    return PriceDays(Decimals(merged, places), old.known | new.known), changed
