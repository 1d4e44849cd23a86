"""Columns of emissions: nanograms summed in buckets, and by which step of the fall-back each was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.intensity_steps import ANNUAL, NOT_TOLD, UNKNOWN, step_name
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH
from statistics_manager_service.services.balance.quarter_flows import QuarterFlows
from statistics_manager_service.services.carbon.carbon_rows import IntensitySeries, Method
from statistics_manager_service.services.carbon.home_carbon import (
    BATTERY,
    Counted,
    HomeCarbon,
    Step,
    Teller,
)
from statistics_manager_service.services.carbon.intensity_columns import MARGINAL, Chosen
from statistics_manager_service.services.measuring import Column, Lack

NANO: Final = 1_000_000_000
#: g/kWh are rounded to so many decimals; grams are not rounded: nine decimals are whole nanograms.
RATE_DECIMALS: Final = 6
#: Shares of a whole answer are rounded to so many decimals.
_SHARE_DECIMALS: Final = 6
_FITS: Final = 2**63
_HALF_BITS: Final = 31


def emissions_column(measure: str, meter: str | None, carbon: HomeCarbon, counted: Counted) -> Column:
    """Emissions over buckets, in grams; NaN where nothing is known, or the carbon of nothing is."""
    flows = carbon.flows
    told = _ToldEnergy(flows, counted.energy)
    grams = exact_sums(flows, counted.nanograms) / NANO
    known, shares = _known(flows, counted)
    known = known & ~told.lacks_all
    # floats of whole nanograms: their sum, rounded to these, is that of the integers up to thousands of tonnes
    whole = exact_sums(flows, counted.nanograms, whole=True) / NANO
    total = float(whole[0]) if known.any() and not told.lacks_whole else np.nan
    return Column(
        measure,
        meter,
        DEFINITIONS[measure].unit,
        np.where(known, grams, np.nan),
        *shares,
        total,
        told.lacks(carbon.chosen),
        told.shares,
        {"carbon": account_of(carbon, told.totals, counted.uses_own_production)},
        told.energy_kwh,
    )


def rate_column(measure: str, carbon: HomeCarbon, counted: Counted, consumption_milliwh: Int64) -> Column:
    """Emissions of import by consumption, in g/kWh: a ratio of sums; NaN where nothing was consumed."""
    flows = carbon.flows
    told = _ToldEnergy(flows, counted.energy)
    upper, whole_upper = (exact_sums(flows, counted.nanograms, whole=one) for one in (False, True))
    lower = flows.summed(consumption_milliwh)
    known, shares = _known(flows, counted)
    known = known & ~told.lacks_all
    value = np.where(known, _per_kwh(upper, lower), np.nan)
    total = (
        float(_per_kwh(whole_upper, lower.sum(keepdims=True))[0]) if known.any() and not told.lacks_whole else np.nan
    )
    return Column(
        measure,
        None,
        DEFINITIONS[measure].unit,
        value,
        *shares,
        total,
        told.lacks(carbon.chosen),
        told.shares,
        {"carbon": account_of(carbon, told.totals, counted.uses_own_production)},
        told.energy_kwh,
    )


def _known(flows: QuarterFlows, counted: Counted) -> tuple[NDArray[np.bool_], tuple[Float64, Float64]]:
    """Where anything is known of buckets, (n,), and the shares of their time that are measured, and estimated."""
    if counted.known is flows.good and counted.measured_s is flows.measured_s:
        return flows.known, flows.coverage
    known: NDArray[np.bool_] = flows.summed(counted.known.astype(np.int64)) > 0
    return known, flows.shares(counted.measured_s, counted.estimated_s)


def exact_sums(flows: QuarterFlows, nanograms: Int64, *, whole: bool = False) -> Float64:
    """Nanograms in buckets, (n,), or in all of them as one, as the nearest floats of the exact sums."""
    places = flows.place[[0, -1]] if whole else flows.place
    most = max(int(nanograms.max()), -int(nanograms.min())) if len(nanograms) else 0
    if most * len(nanograms) < _FITS:
        return _between(nanograms, places).astype(np.float64)
    high, low = _between(nanograms >> _HALF_BITS, places), _between(nanograms & (2**_HALF_BITS - 1), places)
    return np.array([(above << _HALF_BITS) + below for above, below in zip(high.tolist(), low.tolist(), strict=True)],
                    np.float64)  # fmt: skip


def _between(column: Int64, places: Int64) -> Int64:
    running = np.zeros(len(column) + 1, np.int64)
    np.cumsum(column, out=running[1:])
    at = running[places]
    out: Int64 = at[1:] - at[:-1]
    return out


def _per_kwh(nanograms: Float64, energy_milliwh: Int64) -> Float64:
    some = energy_milliwh > 0
    rate = nanograms / np.where(some, energy_milliwh, 1) * (MILLIWH_PER_KWH / NANO)
    return np.where(some, np.round(rate, RATE_DECIMALS), np.nan)


class _ToldEnergy:
    """Energy in buckets by what told of it: (n,) milliwatt-hours each."""

    def __init__(self, flows: QuarterFlows, energy: Mapping[Teller, Int64]) -> None:
        self._sums = {teller: flows.summed(one) for teller, one in energy.items()}
        self.totals = {teller: int(one.sum()) for teller, one in self._sums.items()}
        nothing = np.zeros(len(flows.place) - 1, np.int64)
        self._unknown = sum((one for teller, one in self._sums.items() if _name(teller) == UNKNOWN), nothing)
        self._whole = sum(self._sums.values(), nothing)
        self.lacks_all = (self._unknown > 0) & (self._unknown >= self._whole)
        # a total does not hang on the buckets: those without energy do not make it known
        self.lacks_whole = 0 < int(self._unknown.sum()) >= int(self._whole.sum())
        self.energy_kwh: Float64 = self._whole / MILLIWH_PER_KWH

    @property
    def shares(self) -> dict[str, Float64]:
        """{step: (n,) its share}, of the steps that told anything; NaN where there was no energy."""
        some = self._whole > 0
        by_name: dict[str, Int64] = {}
        for teller, one in self._sums.items():
            if self.totals[teller]:
                name = _name(teller)
                by_name[name] = by_name[name] + one if name in by_name else one
        return {name: np.where(some, one / np.where(some, self._whole, 1), np.nan) for name, one in by_name.items()}

    def lacks(self, chosen: Chosen) -> tuple[Lack, ...]:
        """The buckets in which energy flowed whose carbon is not known, and which is not counted."""
        places = np.flatnonzero(self._unknown > 0).tolist()
        if not places:
            return ()
        why = (
            "of a part of the energy the carbon is not known, and it is not counted: no intensity of the zone "
            f"{chosen.zone} is known of the time, or the energy had been in the battery before its first reading, or "
            "no meter tells where it came from"
        )
        shares = np.minimum(self._unknown / np.maximum(self._whole, 1), 1.0)
        return tuple(Lack(place, float(shares[place]), why) for place in places)


def _name(teller: Teller) -> str:
    return teller if isinstance(teller, str) else step_name(teller.told_by)


# --- what an account is made of ---------------------------------------------------------------------------------------


def account_of(carbon: HomeCarbon, totals: Mapping[Teller, int], uses_own_production: bool) -> dict[str, Any]:
    """The member `carbon` of a series: the series that counts, each step with its share of the energy and its source,
    the factor of own production, and whether intensities of several methods are in it."""
    chosen, whole = carbon.chosen, sum(totals.values())
    steps = [
        {"step": _name(teller), "share": _share(one, whole), **source_of(teller, chosen)}
        for teller, one in sorted(totals.items(), key=lambda item: _order(item[0]))
        if one
    ]
    methods = {_method_of(teller, chosen) for teller, one in totals.items() if one} - {None}
    if carbon.stored is not None and carbon.stored.has_annual and totals.get(BATTERY) and chosen.annual is not None:
        methods |= {chosen.annual.method, chosen.method}
    found: dict[str, Any] = {
        "zone": chosen.zone,
        "source": None if chosen.series is None else chosen.series.source,
        **chosen.method._asdict(),
        "method": "location",
        "energies": "gross",
        "steps": steps,
        "mixed": len(methods) > 1,
    }
    if len(methods) > 1:
        found["methods"] = [one._asdict() for one in sorted(filter(None, methods))]
    if uses_own_production:
        found["own_production"] = [
            {"boundary": one.boundary, "g_per_kwh": one.mg_per_kwh / MILLI, "source": one.source, "url": one.url,
             "released": one.released}
            for one in carbon.own_factors
        ]  # fmt: skip
    return found


def _share(one: int, whole: int) -> float | None:
    return round(one / whole, _SHARE_DECIMALS) if whole > 0 else None


def _order(teller: Teller) -> tuple[bool, bool, int, str]:
    """The steps as the fall-back has them, marginal ones first, then what is beside them; at last the unknown."""
    if isinstance(teller, str):
        return (False, True, 1, teller)
    return (teller.told_by == NOT_TOLD, False, teller.told_by + (0 if teller.basis == MARGINAL else ANNUAL), "")


def _series_of(teller: Step, chosen: Chosen) -> IntensitySeries | None:
    return chosen.marginal if teller.basis == MARGINAL else chosen.series


def _method_of(teller: Teller, chosen: Chosen) -> Method | None:
    if isinstance(teller, str) or teller.told_by == NOT_TOLD:
        return None
    if teller.told_by >= ANNUAL:
        return None if chosen.annual is None else chosen.annual.method
    series = _series_of(teller, chosen)
    return None if series is None else Method(series.basis, series.boundary, series.scope)


def source_of(teller: Teller, chosen: Chosen) -> dict[str, Any]:
    """Where the intensities of a step come from, as answers tell it; nothing of what is no step of the grid's."""
    method = _method_of(teller, chosen)
    if isinstance(teller, str) or method is None:
        return {}
    if teller.told_by >= ANNUAL and chosen.annual is not None:
        place = teller.told_by - ANNUAL
        return {
            "country": chosen.annual.country,
            "year": int(chosen.annual.years[place]),
            "g_per_kwh": int(chosen.annual.mg_per_kwh[place]) / MILLI,
            **chosen.annual.sources[place],
            **method._asdict(),
        }
    series = _series_of(teller, chosen)
    return {"source": None if series is None else series.source, **method._asdict()}
