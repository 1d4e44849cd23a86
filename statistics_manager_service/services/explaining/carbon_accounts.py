"""Explains emissions: energy times intensity in each quarter-hour, by the step of the fall-back that told it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.grid import quarter_of
from statistics_manager_service.core.intensity_steps import NOT_TOLD, Told, step_name
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLI, QUARTER_US, US_PER_S
from statistics_manager_service.services.carbon.emissions import Account, Emissions
from statistics_manager_service.services.carbon.explained_factors import Factors, days_behind, factors_of
from statistics_manager_service.services.carbon.home_carbon import (
    BATTERY,
    OWN_PRODUCTION,
    Counted,
    HomeCarbon,
    Teller,
)
from statistics_manager_service.services.carbon.intensity_columns import MARGINAL, GridIntensities
from statistics_manager_service.services.explaining.attributions import RULE, ToldHome, told_home
from statistics_manager_service.services.explaining.channel_parts import pieces_us
from statistics_manager_service.services.explaining.digests import number_text
from statistics_manager_service.services.explaining.explainers import About, Behind
from statistics_manager_service.services.explaining.figures import FIRST_FEW, exact_text, few, kwh, kwh_text, label
from statistics_manager_service.services.explaining.quantities import NOT_IN_TIME, NOTHING_READ
from statistics_manager_service.services.explaining.tables import kwh_column, table_of

_NANO: Final = 10**9
_PER_KWH, _DEVICE, _INTENSITY, _SELF = (
    "emissions_per_kwh", "emissions_device", "carbon_intensity", "emissions_avoided_self_consumption",
)  # fmt: skip
_COUNTED: Final[dict[str, Callable[[HomeCarbon], Counted]]] = {
    "emissions_import": HomeCarbon.imported,
    _PER_KWH: lambda carbon: carbon.imported_of_consumption()[0],
    _SELF: HomeCarbon.avoided_by_self_consumption,
    "emissions_avoided_export": HomeCarbon.avoided_by_export,
    "emissions_consumption": HomeCarbon.consumed,
    "emissions_untracked": HomeCarbon.untracked,
}
#: The flows that a measure needs; the others hang on all of them, as the attribution does.
_FLOWS: Final = {
    "emissions_import": ("import",),
    _SELF: ("production", "export"),
}
#: The flow without which nothing can be said; of the others the import.
_NEEDS: Final = {_SELF: "production", "emissions_avoided_export": "export"}
#: Those whose energy comes by the attribution.
_MIXED: Final = frozenset({"emissions_consumption", _DEVICE, "emissions_untracked", "emissions_avoided_export"})
_UNIT: Final = "mWh × mg/kWh = ng; grams are whole nanograms, nothing is rounded but the last figure"


class CarbonAccounts:
    """Explains emissions of import, avoided ones, of devices, and the grid's intensity."""

    measures: Sequence[str] = measures_of(Family.CARBON)

    def __init__(self, emissions: Emissions, intensities: GridIntensities, now_us: Callable[[], int]) -> None:
        self._emissions, self._intensities, self._now_us = emissions, intensities, now_us

    def behind(self, about: About) -> Behind:
        """What is behind an emission, or an intensity."""
        factors = factors_of(
            self._intensities, about.view, about.home.household, about.way, about.start_us, about.end_us
        )
        edges_us = np.array([about.start_us, about.end_us], np.int64)
        account = self._emissions.account(about.view, about.home, edges_us, [about.measure], about.way)
        told = ToldHome(about, {}, {}) if about.measure == _INTENSITY else _flows(about)
        behind = told.behind()
        behind.lines += _lines(about, factors)
        shown = _shown(factors)
        behind.more["factors"] = shown
        if about.measure == _INTENSITY:
            self._intensity(about, account, behind, shown)
        elif _NEEDS.get(about.measure, "import") in account.carbon.flows.present:
            _emissions(about, account.carbon, behind, shown)
        else:
            behind.reasons.append(f"the home tells no {_NEEDS.get(about.measure, 'import')}")
        self._same_hours(about, factors, shown)
        if about.value != about.value:  # NaN
            behind.filled = f"{about.measure} is not known"
            if not about.column.lacks and not behind.reasons:
                behind.reasons.append(NOT_IN_TIME if told.flows or about.measure == _INTENSITY else NOTHING_READ)
        return behind

    def _intensity(self, about: About, account: Account, behind: Behind, shown: dict[str, Any]) -> None:
        """The mean over time of the grid's intensity, until now."""
        until_us = self._now_us() if about.way.until_us is None else about.way.until_us
        edges_us = pieces_us(about.start_us, about.end_us)
        place = edges_us[:-1] // QUARTER_US - quarter_of(about.start_us)
        counts = edges_us[:-1] < until_us
        told = Told(account.grid.mg_per_kwh[place], account.grid.step[place])
        seconds = np.where(counts, np.diff(edges_us) // US_PER_S, 0)
        by_step = []
        for step in np.unique(told.step[counts]).tolist():
            mine = (told.step == step) & counts
            by_step.append(
                {
                    "step": step_name(step),
                    "seconds": int(seconds[mine].sum()),
                    "seconds_times_g_per_kwh": _grams(int((seconds * told.mg_per_kwh)[mine].sum()), MILLI),
                }
            )
        known = (told.step != NOT_TOLD) & counts
        total, weighed = int(seconds[known].sum()), int((seconds * told.mg_per_kwh)[known].sum())
        shown["by_step"] = by_step
        if until_us < about.end_us:
            shown["counts_until"] = label(until_us)
            if counts.any():  # by the quarter-hour: the mean stays what it is until the next one
                behind.lines.append(f"intensity_until {label(int(edges_us[1:][counts][-1]))}")
        behind.filled = (
            f"{about.measure} = {_grams(weighed, MILLI)} (Σ time × intensity, s·g/kWh) / {total} s = "
            f"{number_text(about.value)} {about.column.unit}"
        )

    def _same_hours(self, about: About, factors: Factors, shown: dict[str, Any]) -> None:
        """The values behind the first intensity that is the mean of the days before."""
        first = next((one for one in factors.grid if one.step == "same_hour_mean"), None)
        if first is None:
            return
        days = days_behind(about.view, factors.chosen, first.start_us, about.way.until_us)
        rows = [{"at": label(at_us), "g_per_kwh": mg / MILLI} for at_us, mg in days]
        shown["same_hour_mean"] = {
            "of": label(first.start_us),
            "how": "mean of what is told of the same civil hour of the 28 days before, to a milligram, halves up",
            "days": few(rows[:FIRST_FEW], len(rows)),
            "sum": exact_text(Fraction(sum(mg for _, mg in days), MILLI)),
        }


def _flows(about: About) -> ToldHome:
    """The flows that a measure hangs on, with their readings."""
    told = told_home(about)
    names = _FLOWS.get(about.measure)
    if names is not None:
        told.flows = {name: told.flows[name] for name in names if name in told.flows}
    if about.measure not in (_DEVICE, "emissions_untracked"):
        told.devices = {}
    return told


def _grams(units: int, per: int = _NANO) -> str:
    return exact_text(Fraction(units, per))


def _emissions(about: About, carbon: HomeCarbon, behind: Behind, shown: dict[str, Any]) -> None:
    """Σ energy × intensity, with the sums by what told of each."""
    if about.measure == _DEVICE and about.way.meter is not None:
        counted = carbon.of_device(about.way.meter)
    else:
        counted = _COUNTED[about.measure](carbon)
    by_step = _sums(about.measure, carbon, counted)
    total = int(sum(counted.nanograms.tolist()))
    shown["by_step"] = by_step
    shown["unit"] = _UNIT
    if about.measure in _MIXED:
        shown["rule"] = list(RULE)
    if counted.uses_own_production:
        shown["own_production"] = [
            {"boundary": one.boundary, "g_per_kwh": one.mg_per_kwh / MILLI, "source": one.source, "url": one.url}
            for one in carbon.own_factors
        ]
    shown["quarters"] = table_of(carbon.flows.edges_us, _columns(about.measure, carbon, counted))
    if carbon.stored is not None and about.measure in _MIXED:
        behind.inputs.append({"measure": "battery_carbon_stored"})
    if carbon.stored is not None:
        behind.lines += _carried_lines(carbon, counted)
    grams = " + ".join(f"{one['grams']} ({one['told_by']})" for one in by_step if one.get("grams")) or "0"
    value = f"{number_text(about.value)} {about.column.unit}"
    if about.measure == _PER_KWH:
        consumption = int(carbon.imported_of_consumption()[1].sum())
        shown["consumption_kwh"] = kwh(consumption)
        behind.filled = f"{about.measure} = ({grams}) g / {kwh_text(consumption)} kWh = {value}"
    else:
        behind.filled = f"{about.measure} = {grams} = {_grams(total)} g = {value}"


def _sums(measure: str, carbon: HomeCarbon, counted: Counted) -> list[dict[str, Any]]:
    """Energy and grams by what told of them; they add up to the number."""
    rows: list[dict[str, Any]] = []
    told = 0
    for teller, energy in counted.energy.items():
        if not energy.any():
            continue
        row: dict[str, Any] = {"told_by": name_of(teller), "energy_kwh": kwh(int(energy.sum()))}
        intensity = _intensity_of(measure, carbon, teller)
        if intensity is not None:
            nanograms = sum((energy * intensity).tolist())
            told += nanograms
            row["grams"] = _grams(nanograms)
        elif teller != BATTERY:
            row["note"] = "no carbon is known of it: it is not counted"
        rows.append(row)
    rest = sum(counted.nanograms.tolist()) - told
    mine = next((row for row in rows if row["told_by"] == BATTERY), None)
    if mine is not None and measure != "emissions_untracked":
        mine["grams"] = _grams(rest)
        mine["note"] = "what its charge stood for, carried through its books, first in, first out"
    elif rest:
        rows.append({"told_by": _LESS[measure], "grams": _grams(rest)})
    return rows


#: What is taken off beside the sums by step.
_LESS: Final[Mapping[str, str]] = {
    "emissions_avoided_export": "less what the exported energy itself stood for",
    "emissions_untracked": "battery, and less what the devices stood for",
    **dict.fromkeys(("emissions_import", _PER_KWH, _SELF, "emissions_consumption", _DEVICE), "beside these"),
}


def name_of(teller: Teller) -> str:
    """What told of an energy, as answers name it."""
    if isinstance(teller, str):
        return teller
    step = step_name(teller.told_by)
    return f"marginal {step}" if teller.basis == MARGINAL else step


def _intensity_of(measure: str, carbon: HomeCarbon, teller: Teller) -> Int64 | None:
    """The milligrams a kWh of each piece by which an energy counts, None where it does not count so."""
    if teller == OWN_PRODUCTION:
        return carbon.own_mg_per_kwh
    if isinstance(teller, str) or teller.told_by == NOT_TOLD:
        return None
    if teller.basis == MARGINAL and carbon.marginal is not None:
        return carbon.marginal.mg_per_kwh
    return carbon.grid.mg_per_kwh - carbon.own_mg_per_kwh if measure == _SELF else carbon.grid.mg_per_kwh


def _columns(measure: str, carbon: HomeCarbon, counted: Counted) -> dict[str, Sequence[Any]]:
    """Energies by what told of them, the intensity, and the grams of each piece."""
    found: dict[str, Sequence[Any]] = {
        f"kwh {name_of(teller)}": kwh_column(energy) for teller, energy in counted.energy.items() if energy.any()
    }
    found["g_per_kwh"] = (carbon.grid.mg_per_kwh / MILLI).tolist()
    found["step"] = [step_name(step) for step in carbon.grid.step.tolist()]
    if carbon.marginal is not None and measure == "emissions_avoided_export":
        found["marginal_g_per_kwh"] = (carbon.marginal.mg_per_kwh / MILLI).tolist()
    found["grams"] = (counted.nanograms / _NANO).tolist()
    return found


def _shown(factors: Factors) -> dict[str, Any]:
    """Zone, series, method, and the intensities of the time, the first of them one by one."""
    chosen = factors.chosen
    return {
        "zone": chosen.zone,
        "series": None if chosen.series is None else {"source": chosen.series.source},
        "method": chosen.method._asdict(),
        "intensities": few(
            (
                {
                    "from": label(one.start_us),
                    "to": label(one.end_us),
                    "g_per_kwh": None if one.mg_per_kwh is None else one.mg_per_kwh / MILLI,
                    "step": one.step,
                    "source": one.source,
                }
                for one in factors.grid[:FIRST_FEW]
            ),
            len(factors.grid),
        ),
    }


def _lines(about: About, factors: Factors) -> list[str]:
    """The intensities of the time, a line where one changes; and the factors of own production."""
    zone = factors.chosen.zone
    starts = iso_labels(np.array([max(one.start_us, about.start_us) for one in factors.grid], np.int64), None)
    lines = [
        f"intensity {zone} {at} {'null' if one.mg_per_kwh is None else one.mg_per_kwh} {one.step}"
        for at, one in zip(starts, factors.grid, strict=True)
    ]
    return lines + [f"own_production {one.boundary} {one.mg_per_kwh}" for one in factors.own_production]


def _carried_lines(carbon: HomeCarbon, counted: Counted) -> list[str]:
    """The nanograms of each piece, as what a battery carries hangs on its life before the time."""
    rows = np.flatnonzero(counted.nanograms)
    labels = iso_labels(carbon.flows.edges_us[:-1][rows], None) if len(rows) else []
    return [f"carbon {at} {ng}" for at, ng in zip(labels, counted.nanograms[rows].tolist(), strict=True)]
