"""What a home's load and the weather say: load factor, base load, use of the contracted power, degree days."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

_EUROSTAT: Final = "Eurostat nrg_chdd; docs/statistics.md"
_QUANTILE: Final = "Hyndman & Fan 1996, type 7; docs/statistics.md"


def _of(name: str, unit: str, formula: str, source: str) -> Definition:
    return Definition(name, Family.INSIGHT, unit, formula, source, adds_up=False)


#: Of the load, quarter-hours that were measured throughout count alone. Values of several homes don't add up.
INSIGHT_DEFINITIONS: Final = (
    _of("load_factor", "1", "mean / max of the mean powers of quarter-hours of consumption", "IEC 60050-691"),
    _of("base_load", "W", "5th percentile of the mean powers of quarter-hours of consumption", _QUANTILE),
    _of("demand_p95", "W", "95th percentile of the mean powers of quarter-hours of consumption", _QUANTILE),
    _of(
        "contracted_power_utilisation",
        "1",
        "max over quarter-hours of import / time, in kW, / (contracted kVA × cosφ), cosφ = 1",
        "docs/statistics.md",
    ),
    _of(
        "time_above_contracted_power",
        "h",
        "Σ time of quarter-hours of import above contracted kVA × cosφ, cosφ = 1",
        "docs/statistics.md",
    ),
    _of("heating_degree_days", "K·d", "Σ over days with Tm ≤ 15 °C of (18 °C − Tm)", _EUROSTAT),
    _of("cooling_degree_days", "K·d", "Σ over days with Tm ≥ 24 °C of (Tm − 21 °C)", _EUROSTAT),
)
