"""What a home took and gave, as it is billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statistics_manager_service.core.readings import Int64


@dataclass(frozen=True, slots=True)
class Usage:
    """What a home took and gave in pieces of time. Each (m,) int64 milliwatt-hours, 0 where unknown; edges_us (m+1,).

    meters: of sub-meters, by name.
    """

    edges_us: Int64
    import_milliwh: Int64
    export_milliwh: Int64
    meters: Mapping[str, Int64] = field(default_factory=dict)
