"""Sums of many homes' quarter-hours: what is summed, and how a UTC day of it is packed.

A group's energy, its consumption and its rates are sums over homes of what each home's own statistics are made of. So a
part is kept for each sum that a measure needs: of the five flows as they are metered; of consumption and of
self-consumption, each home's over the quarter-hours in which all of its flows are known; and of the two sides of each
rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTERS_PER_DAY

#: In the order of their numbers, which the store keeps: what is new comes behind.
PARTS: Final = (
    "import",
    "export",
    "production",
    "charge",
    "discharge",
    "consumption",
    "self_consumption",
    "sufficiency_consumption",
    "sufficiency_import",
    "self_consumption_production",
)
PART: Final = {name: number for number, name in enumerate(PARTS)}
#: Columns of a part: energy; seconds measured and estimated, added up over homes; how many homes are known, and how
#: many have such a flow at all, whether known or not.
ENERGY, MEASURED, ESTIMATED, KNOWN, HAVING = range(5)
COLUMNS: Final = 5
VERSION: Final = 1
_DAY: Final = np.dtype([("energy_milliwh", "<i8", QUARTERS_PER_DAY), ("counts", "<i4", (4, QUARTERS_PER_DAY))])
_HEAD: Final = bytes((VERSION,))


@dataclass(frozen=True, slots=True)
class SummedMeasure:
    """A measure of a group. numerator: its energy, or the upper side of a rate. denominator: the lower side, or None.

    less: what is taken off the numerator: of consumption what was imported, of production what was self-consumed.
    """

    name: str
    numerator: str
    denominator: str | None = None
    less: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What it is made of."""
        return tuple(part for part in (self.numerator, self.denominator, self.less) if part is not None)


SUMMED: Final[dict[str, SummedMeasure]] = {
    one.name: one
    for one in (
        *(SummedMeasure(f"energy_{flow}", flow) for flow in PARTS[:7]),
        SummedMeasure("self_consumption_rate", "self_consumption", "self_consumption_production"),
        SummedMeasure(
            "self_sufficiency_rate", "sufficiency_consumption", "sufficiency_consumption", less="sufficiency_import"
        ),
        SummedMeasure(
            "export_share", "self_consumption_production", "self_consumption_production", less="self_consumption"
        ),
    )
}


def pack_sums(columns: Int64) -> list[bytes]:
    """The bodies of the days of one part. columns: (5, d, 96) int64; the last four fit into 31 bits."""
    days = np.zeros(columns.shape[1], _DAY)
    days["energy_milliwh"] = columns[ENERGY]
    days["counts"] = np.moveaxis(columns[1:], 0, 1)
    return [_HEAD + day.tobytes() for day in days]


def unpack_sums(bodies: Sequence[bytes]) -> Int64:
    """The columns of days, (5, d, 96) int64. Raises ValueError for a body of another form."""
    size = len(_HEAD) + _DAY.itemsize
    if any(len(body) != size or body[0] != VERSION for body in bodies):
        raise ValueError(f"a day of a group's sums is not of version {VERSION}")
    days = np.frombuffer(b"".join([body[len(_HEAD) :] for body in bodies]), _DAY)
    out = np.empty((COLUMNS, len(bodies), QUARTERS_PER_DAY), np.int64)
    out[ENERGY] = days["energy_milliwh"]
    out[1:] = np.moveaxis(days["counts"], 1, 0)
    return out
