"""The carbon of a home in pieces of time: each flow times what its energy stood for, in whole nanograms.

Energies are milliwatt-hours, intensities milligrams per kWh, so their products are nanograms: all of it is int64, and a
bucket is a sum that nothing has been rounded in. Energies are those of each quarter-hour, gross: what came in and what
went out in the same quarter-hour are not set off against each other by anything but the meter itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.attribution import times_ratio
from statistics_manager_service.core.intensity_steps import NOT_TOLD, Told
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.balance.quarter_flows import FLOWS, QuarterFlows
from statistics_manager_service.services.balance.sheets import BalanceSheet
from statistics_manager_service.services.carbon.intensity_columns import AVERAGE, MARGINAL, Chosen
from statistics_manager_service.services.carbon.shipped_factors import OwnProduction
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbon, own_factors, own_mg_per_kwh
from statistics_manager_service.services.measuring import known_quarters

#: What told of energy beside the steps of the grid's intensity: the factor of own production, the books of the battery.
OWN_PRODUCTION: Final = "own_production"
BATTERY: Final = "battery"


class Step(NamedTuple):
    """A step of an account: `average` or `marginal`, and what told the intensity (core/intensity_steps.py)."""

    basis: str
    told_by: int


#: What told of some energy.
Teller = Step | str
UNKNOWN_STEP: Final = Step(AVERAGE, NOT_TOLD)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What a measure counts in m pieces of time.

    nanograms: (m,) int64. energy: {what told of it: (m,) int64 milliwatt-hours}, 0 where the measure is not known; of
    UNKNOWN_STEP what no carbon is known of, and which is not counted. known: (m,) bool, where the flows are known.
    measured_s, estimated_s: (m,) int64. uses_own_production: whether the factor of own production is in it.
    """

    nanograms: Int64
    energy: Mapping[Teller, Int64]
    known: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64
    uses_own_production: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Flows:
    """Some flows where all of them that had begun are known, 0 elsewhere."""

    energy_milliwh: Mapping[str, Int64]
    known: NDArray[np.bool_]
    measured_s: Int64
    estimated_s: Int64


class HomeCarbon:
    """What a home's energy stood for, in the m pieces of time of its balance sheet.

    grid: the intensity of each piece, average. marginal: the same of the marginal intensity, None where there is none.
    """

    def __init__(
        self, sheet: BalanceSheet, chosen: Chosen, grid: Told, marginal: Told | None, stored: StoredCarbon | None
    ) -> None:
        self.sheet, self.chosen, self.grid, self.marginal = sheet, chosen, grid, marginal
        self.stored = stored

    @property
    def flows(self) -> QuarterFlows:
        """The home's flows."""
        return self.sheet.flows

    # --- factors ------------------------------------------------------------------------------------------------------

    @cached_property
    def own_factors(self) -> list[OwnProduction]:
        """What own production stands for, within each boundary that the grid's intensities are of."""
        return own_factors(self.chosen, self.grid)

    @cached_property
    def own_mg_per_kwh(self) -> Int64:
        """The same of each piece, (m,) or (1,)."""
        return own_mg_per_kwh(self.chosen, self.grid)

    @cached_property
    def told(self) -> NDArray[np.bool_]:
        """(m,) where the grid's intensity is known."""
        told: NDArray[np.bool_] = self.grid.step != NOT_TOLD
        return told

    @cached_property
    def _steps(self) -> list[tuple[Step, NDArray[np.bool_] | None]]:
        return _steps_of(self.grid, AVERAGE)

    def by_step(self, energy_milliwh: Int64) -> dict[Teller, Int64]:
        """Energy that counts by the grid's average intensity, by the step that told it."""
        return _apart(energy_milliwh, self._steps)

    @staticmethod
    def by_step_of(told: Told, column: Int64) -> dict[Teller, Int64]:
        """A column by the step that told an average intensity of other pieces than the home's."""
        return _apart(column, _steps_of(told, AVERAGE))

    # --- measures -----------------------------------------------------------------------------------------------------

    def imported(self) -> Counted:
        """Σ import × intensity. What a meter tells as negative import is export, and not subtracted."""
        some = self._known(("import",))
        if some.known is self.flows.good:
            return self._imported_with_others
        energy = _not_negative(some.energy_milliwh["import"])
        by = self.by_step(energy)
        return Counted(energy * self.grid.mg_per_kwh, by, some.known, some.measured_s, some.estimated_s)

    def imported_of_consumption(self) -> tuple[Counted, Int64]:
        """The same where all flows are known, and the consumption of the time in which the intensity is known, (m,)."""
        consumption = self.flows.consumption_milliwh
        return self._imported_with_others, consumption if self._all_told else np.where(self.told, consumption, 0)

    @cached_property
    def _imported_with_others(self) -> Counted:
        flows = self.flows
        energy = _not_negative(flows.energy_milliwh["import"])
        amount = energy * self.grid.mg_per_kwh
        return Counted(amount, self.by_step(energy), flows.good, flows.measured_s, flows.estimated_s)

    def avoided_by_self_consumption(self) -> Counted:
        """Σ (production − export) × (intensity − own production's); where more was exported than made, the rest came
        from elsewhere, and nothing was self-consumed."""
        some = self._known(("production", "export"))
        made = some.energy_milliwh["production"]
        energy = _not_negative(made - some.energy_milliwh["export"] if "export" in some.energy_milliwh else made)
        less = self.grid.mg_per_kwh - self.own_mg_per_kwh
        amount = energy * (less if self._all_told else np.where(self.told, less, 0))
        return Counted(amount, self.by_step(energy), some.known, some.measured_s, some.estimated_s, True)

    def avoided_by_export(self) -> Counted:
        """Σ export × marginal intensity (average where none is known), less what the exported energy itself stood for:
        that of the battery what it had stored; the rest is taken to be of own production."""
        some = self._known(FLOWS if self._has_battery else ("export",))
        export = _not_negative(some.energy_milliwh["export"])
        from_battery: Int64 = np.zeros_like(export)
        told_battery, carried = from_battery, from_battery
        if self._has_battery:
            from_battery = np.minimum(self.sheet.attribution.parts["battery", "grid"], export)
            told_battery = self._told_of_battery(from_battery)
        if self.stored is not None:
            carried = self._share(self.stored.nanograms, from_battery)
        mg, own_mg, known, steps = self.grid.mg_per_kwh, self.own_mg_per_kwh, self.told, self._steps
        if self.marginal is not None:
            is_marginal = self.marginal.step != NOT_TOLD
            mg = _where(is_marginal, self.marginal.mg_per_kwh, mg)
            own_mg = _where(is_marginal, self.own_factors[0].mg_per_kwh, own_mg)  # they are of one boundary
            known = known | is_marginal
            steps = _both(self.marginal, self.grid, is_marginal)
        energy: Int64 = export - (from_battery - told_battery)
        amount = energy * mg - (export - from_battery) * own_mg - carried
        if not known.all():
            amount = np.where(known, amount, 0)
        by = _apart(energy, steps)
        _add_unknown(by, from_battery - told_battery)
        return Counted(amount, by, some.known, some.measured_s, some.estimated_s, True)

    def consumed(self) -> Counted:
        """What the home used, by the mix that fed it."""
        flows, (amount, by) = self.flows, self._of_home
        return Counted(amount, by, flows.good, flows.measured_s, flows.estimated_s, True)

    def of_device(self, meter: str) -> Counted:
        """What a device used, by the mix that fed the home. Raises BadInput where there is no such device."""
        device = self.sheet.device(meter)
        amount, by = self._mixed(device.parts), self._by_teller(device.parts)
        return Counted(amount, by, device.known, device.measured_s, device.estimated_s, True)

    def untracked(self) -> Counted:
        """What the home used less what its devices used, where all of them are known."""
        flows, devices = self.flows, self.sheet.devices
        kept = flows.good & devices.known
        nanograms, by = self._of_home
        for meter in flows.devices:
            nanograms = nanograms - self._mixed(self.sheet.device(meter).parts)
        measured_s = np.where(kept, np.minimum(flows.measured_s, devices.measured_s), 0)
        covered_s = np.minimum(flows.measured_s + flows.estimated_s, devices.measured_s + devices.estimated_s)
        if not kept.all():
            nanograms = np.where(kept, nanograms, 0)
            by = {teller: np.where(kept, energy, 0) for teller, energy in by.items()}
        return Counted(nanograms, by, kept, measured_s, np.where(kept, covered_s - measured_s, 0), True)

    # --- how ----------------------------------------------------------------------------------------------------------

    @property
    def _has_battery(self) -> bool:
        return "discharge" in self.flows.present

    def _known(self, names: Sequence[str]) -> _Flows:
        """Some flows, over the time in which all of them that had begun are known."""
        flows = self.flows
        there = [name for name in names if name in flows.each]
        if flows.good.all() or flows.present <= set(there):
            energies = {name: flows.energy_milliwh[name] for name in there}
            return _Flows(energies, flows.good, flows.measured_s, flows.estimated_s)
        good, measured_s, covered_s = known_quarters([flows.each[name] for name in there], flows.edges_us)
        energies = {name: np.where(good, flows.each[name].energy_milliwh, 0) for name in there}
        return _Flows(energies, good, np.where(good, measured_s, 0), np.where(good, covered_s - measured_s, 0))

    @cached_property
    def _all_told(self) -> bool:
        return bool(self.told.all())

    @cached_property
    def _of_home(self) -> tuple[Int64, dict[Teller, Int64]]:
        parts = self.sheet.attribution.to("home")
        return self._mixed(parts), self._by_teller(parts)

    def _mixed(self, parts: Mapping[str, Int64]) -> Int64:
        """The nanograms of energy by source, (m,)."""
        amount = parts["grid"] * self.grid.mg_per_kwh
        if parts["production"].any():
            amount += parts["production"] * self.own_mg_per_kwh
        if self.stored is not None and parts["battery"].any():
            amount += self._share(self.stored.nanograms, parts["battery"])
        return amount

    def _by_teller(self, parts: Mapping[str, Int64]) -> dict[Teller, Int64]:
        """Energy by source, by what told of it."""
        by = self.by_step(parts["grid"])
        if parts["production"].any():
            by[OWN_PRODUCTION] = parts["production"]
        if parts["battery"].any():
            by[BATTERY] = self._told_of_battery(parts["battery"])
            _add_unknown(by, parts["battery"] - by[BATTERY])
        _add_unknown(by, parts["unmetered"])
        return by

    def _told_of_battery(self, discharge_milliwh: Int64) -> Int64:
        """Of a part of the discharge that of which the carbon is known: in the proportion of all of it."""
        if self.stored is None:
            return np.zeros_like(discharge_milliwh)
        lacking = np.flatnonzero(self.stored.told_milliwh != self.stored.given_milliwh)
        told = np.minimum(discharge_milliwh, self.stored.given_milliwh)
        told[lacking] = times_ratio(
            self.stored.told_milliwh[lacking], told[lacking], self.stored.given_milliwh[lacking]
        )
        return told

    def _share(self, stored: Int64, discharge_milliwh: Int64) -> Int64:
        """Of something that left the battery the share of a part of its discharge, (m,)."""
        some = self._discharging
        part = np.minimum(discharge_milliwh[some], self._given_milliwh)
        out = np.zeros_like(discharge_milliwh)
        out[some] = times_ratio(stored[some], part, self._given_milliwh)
        return out

    @cached_property
    def _discharging(self) -> Int64:
        return np.flatnonzero(self.stored.given_milliwh) if self.stored is not None else np.zeros(0, np.int64)

    @cached_property
    def _given_milliwh(self) -> Int64:
        return np.zeros(0, np.int64) if self.stored is None else self.stored.given_milliwh[self._discharging]


def _steps_of(told: Told, basis: str) -> list[tuple[Step, NDArray[np.bool_] | None]]:
    """The steps that there are, with the pieces that each told, (m,) bool; None for all of them."""
    if not len(told.step):
        return []
    least, most = int(told.step.min()), int(told.step.max())
    if least == most:
        return [(Step(basis, least), None)]
    there = np.flatnonzero(np.bincount(told.step, minlength=most + 1)).tolist()
    return [(Step(basis, one), told.step == one) for one in there]


def _both(first: Told, second: Told, is_first: NDArray[np.bool_]) -> list[tuple[Step, NDArray[np.bool_] | None]]:
    """Steps of two intensities of which one counts where it is known."""
    of_first = [(step, mask) for step, mask in _steps_of(first, MARGINAL) if step.told_by != NOT_TOLD]
    of_second = [(step, ~is_first if mask is None else mask & ~is_first) for step, mask in _steps_of(second, AVERAGE)]
    return [*of_first, *((step, mask) for step, mask in of_second if mask.any())]


def _apart(energy_milliwh: Int64, steps: Sequence[tuple[Step, NDArray[np.bool_] | None]]) -> dict[Teller, Int64]:
    return {step: energy_milliwh if mask is None else np.where(mask, energy_milliwh, 0) for step, mask in steps}


def _add_unknown(by: dict[Teller, Int64], energy_milliwh: Int64) -> None:
    if energy_milliwh.any():
        by[UNKNOWN_STEP] = by[UNKNOWN_STEP] + energy_milliwh if UNKNOWN_STEP in by else energy_milliwh


def _where(condition: NDArray[np.bool_], first: Int64 | int, second: Int64) -> Int64:
    out: Int64 = np.where(condition, np.int64(first), second)
    return out


def _not_negative(energy_milliwh: Int64) -> Int64:
    return np.maximum(energy_milliwh, 0)
