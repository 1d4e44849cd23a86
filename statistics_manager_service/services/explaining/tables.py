"""Tables of quarter-hours: what a measure that is decided quarter by quarter is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.explaining.figures import MOST_LISTED

_TOO_MANY: Final = (
    "more than {most} quarter-hours: ask for at most two days to see each; the canonical text has the energies of all"
)


def table_of(edges_us: Int64, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """A row a piece of time, (m,) columns; where there are too many of them only how many."""
    count = len(edges_us) - 1
    if count > MOST_LISTED:
        return {"count": count, "note": _TOO_MANY.format(most=MOST_LISTED)}
    starts = iso_labels(edges_us[:-1], None)
    rows = [list(row) for row in zip(starts, *columns.values(), strict=True)]
    return {"count": count, "columns": ["from", *columns], "rows": rows}


def kwh_column(energy_milliwh: Int64) -> list[float]:
    """Energies as answers show them."""
    column: list[float] = (np.asarray(energy_milliwh) / MILLIWH_PER_KWH).tolist()
    return column
