"""The carbon of a home: what its energy stood for, location-based, by the intensity of its grid."""

from __future__ import annotations

from typing import Final

from statistics_manager_service.core.definitions.definition import Definition, Family

#: Of a mean over time, and of a ratio of sums.
G_PER_KWH: Final = "gCO2eq/kWh"
_GRAMS: Final = "gCO2eq"
_SCOPE_2: Final = "GHG Protocol Scope 2 Guidance (2015), location-based; docs/statistics.md#carbon"
_AVOIDED: Final = "GHG Protocol Scope 2 Guidance (2015): avoided emissions stand apart; docs/statistics.md#carbon"
_MIX: Final = "proportional sharing (Bialek 1996, IEE Proc. 143:313); docs/statistics.md#carbon"
_MIXED: Final = "(grid × intensity + production × own factor + battery × what its charge stood for) of what fed"

CARBON_DEFINITIONS: Final = (
    Definition("emissions_import", Family.CARBON, _GRAMS, "Σ_t import_t × intensity_t", _SCOPE_2),
    Definition(
        "emissions_per_kwh",
        Family.CARBON,
        G_PER_KWH,
        "Σ_t import_t × intensity_t / Σ_t consumption_t",
        _SCOPE_2,
        adds_up=False,
    ),
    Definition(
        "emissions_avoided_self_consumption",
        Family.CARBON,
        _GRAMS,
        "Σ_t max(production_t − export_t, 0) × (intensity_t − own factor)",
        _AVOIDED,
    ),
    Definition(
        "emissions_avoided_export",
        Family.CARBON,
        _GRAMS,
        "Σ_t export_t × marginal intensity_t (average where none is known) − what the exported energy stood for",
        _AVOIDED,
    ),
    Definition("emissions_consumption", Family.CARBON, _GRAMS, f"Σ_t {_MIXED} the home", _MIX),
    Definition("emissions_device", Family.CARBON, _GRAMS, f"Σ_t {_MIXED} the device; needs meter=", _MIX),
    Definition(
        "emissions_untracked", Family.CARBON, _GRAMS, "emissions_consumption − Σ over devices of emissions_device", _MIX
    ),
    Definition(
        "carbon_intensity",
        Family.CARBON,
        G_PER_KWH,
        "mean over time of the average intensity of the grid, up to now",
        "docs/carbon.md",
        adds_up=False,
    ),
)
