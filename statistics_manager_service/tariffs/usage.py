"""What a home took and gave, as it is billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Int64


@dataclass(frozen=True, slots=True)
class Usage:
    """What a home took and gave in pieces of time. Each (m,) int64 milliwatt-hours, 0 where unknown; edges_us (m+1,).

    meters: of sub-meters, by name. known: of which pieces anything is known, (m,); None: of all. A demand is measured
    only where it is known.
    """

    edges_us: Int64
    import_milliwh: Int64
    export_milliwh: Int64
    meters: Mapping[str, Int64] = field(default_factory=dict)
    known: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Flows:
    """Energies of homes as they are billed or measured: each (h, m) int64 milliwatt-hours; known: as of Usage."""

    imported: Int64
    exported: Int64
    meters: Mapping[str, Int64] = field(default_factory=dict)
    known: NDArray[np.bool_] | None = None

    def of(self, flow: str, meter: str | None = None) -> Int64:
        """The energies of a flow, or of a sub-meter, 0 where the homes have none of its name."""
        if meter is not None:
            return self.meters.get(meter, np.zeros_like(self.imported))
        return self.exported if flow == "export" else self.imported
