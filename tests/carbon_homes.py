"""Homes whose quarter-hours and whose grid's intensities are known, in a store of memory, and what their carbon is by
plain loops over fractions."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from measured import us
from memory_store import MemoryStore

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, IntensityRow, IntensitySeries, Method
from statistics_manager_service.services.carbon.emissions import Emissions
from statistics_manager_service.services.carbon.intensity_columns import GridIntensities
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.measuring import Column
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.telemetry.recording import Recorder

FLOWS = {
    "import": ("grid", "energy_import"),
    "export": ("grid", "energy_export"),
    "production": ("pv", "energy_production"),
    "charge": ("battery", "energy_charge"),
    "discharge": ("battery", "energy_discharge"),
    "ev": ("ev", "energy_consumption"),
    "fridge": ("fridge", "energy_consumption"),
}
DEVICES = ("ev", "fridge")
LIFECYCLE_MG = 41_000
NOW = "2027-01-01"


@dataclass
class Made:
    """A home in a store. told_wh: {flow: Wh of each quarter-hour from `first` on, −1 where nobody told}."""

    store: MemoryStore
    home: Home
    first: int
    told_wh: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        return len(next(iter(self.told_wh.values())))

    def ask(self, *measures: str, group_by: str = "total", **way: Any) -> dict[str, Column]:
        start_us, end_us = self.first * QUARTER_US, (self.first + self.count) * QUARTER_US
        cal = calendar(self.home.household.timezone, GroupBy(group_by), start_us, end_us)
        columns = emissions_of().columns(self.store, self.home, cal, measures, Way(**way))
        return {one.measure: one for one in columns}


def emissions_of() -> Emissions:
    """The measures, as a service makes them that has no source of its own."""
    return Emissions(GridIntensities("PT", None), BalanceSheets(), BatteryBooks(), lambda: us(NOW))


def in_store(first: int, told_wh: Mapping[str, Sequence[int]], **settings: Any) -> Made:
    """A home whose meters told so, from the quarter-hour `first` on."""
    store = MemoryStore()
    told = {name: np.array(wh, np.int64) for name, wh in told_wh.items()}
    more = {name: settings.pop(name) for name in list(settings) if name.startswith(("battery_", "carbon_"))}
    store.put_household(Household(0, "home", **{"timezone": "UTC", "country": "PT", **settings}, more=more))
    readings = []
    for name, wh in told.items():
        at = np.flatnonzero(wh >= 0)
        starts_us, lengths = (first + at).astype(np.int64) * QUARTER_US, np.full(len(at), QUARTER_US, np.int64)
        readings.append(
            WireReadings("home", *FLOWS[name], Kind.INTERVAL, "Wh", starts_us, wh[at].astype(float), lengths)
        )
    assert not Recorder(store, lambda: us(NOW)).record(readings).refused
    (household,) = store.all_households.values()
    return Made(store, Home((1, 1), household, store.channels(1)), first, told)


def tell(
    store: MemoryStore, first: int, mg_per_kwh: Sequence[int | None], *, zone: str = "PT", source: str = "uploaded",
    method: Method | None = None, kind: str = MEASURED, issued_us: int = 1, quarters: int = 1,
) -> IntensitySeries:  # fmt: skip
    """Intensities, each of so many quarter-hours, from the quarter-hour `first` on; those of None are not told."""
    series = store.put_intensity_series(IntensitySeries(0, zone, source, *(method or Method())))
    store.put_intensities(
        [
            IntensityRow(series.series_no, (first + i * quarters) * QUARTER_US, kind, issued_us, quarters * QUARTER_US,
                         mg, issued_us)
            for i, mg in enumerate(mg_per_kwh)
            if mg is not None
        ]
    )  # fmt: skip
    return series


def nanograms(column: Column) -> list[int]:
    """The values of a column of grams, unknown ones as nothing."""
    return [0 if np.isnan(one) else round(one * 1_000_000_000) for one in column.value]


@dataclass
class Loop:
    """A home's carbon by the quarter-hour, slowly and in fractions: energies in Wh, intensities in mg/kWh, results in
    nanograms. Its battery gives what it was charged with, first in, first out, and never more."""

    efficiency: Fraction
    own_mg: int
    lots: deque[tuple[Fraction, Fraction]] = field(default_factory=deque)

    def quarter(self, wh: Mapping[str, int], mg: int) -> dict[str, Fraction]:
        mwh = {name: Fraction(one * 1000) for name, one in wh.items()}
        i, x, p, b_in, b_out = (
            mwh.get(name, Fraction(0)) for name in ("import", "export", "production", "charge", "discharge")
        )
        sold_own = min(p, x)
        sold_battery = min(b_out, x - sold_own)
        sold_grid = x - sold_own - sold_battery
        grid, own, battery = i - sold_grid, p - sold_own, b_out - sold_battery
        whole = grid + own + battery
        to_battery = b_in / whole if whole else Fraction(0)
        if b_in:
            self.lots.append((b_in, (grid * mg + own * self.own_mg) * to_battery))
        out = self._take(b_out / self.efficiency)
        of_home, of_sold = (out * part / b_out if b_out else Fraction(0) for part in (battery, sold_battery))
        home_ng = (grid * mg + own * self.own_mg) * (1 - to_battery) + of_home
        used = whole - b_in
        return {
            "emissions_import": i * mg,
            "emissions_avoided_self_consumption": max(p - x, Fraction(0)) * (mg - self.own_mg),
            "emissions_avoided_export": x * mg - (x - sold_battery) * self.own_mg - of_sold,
            "emissions_consumption": home_ng,
            **{name: home_ng * mwh[name] / used if used else Fraction(0) for name in DEVICES if name in mwh},
        }

    def _take(self, wanted: Fraction) -> Fraction:
        """The carbon of what was charged first."""
        carbon = Fraction(0)
        while wanted > 0:
            energy, carried = self.lots.popleft()
            part = min(Fraction(1), wanted / energy)
            carbon, wanted = carbon + carried * part, wanted - energy * part
            if part < 1:
                self.lots.appendleft((energy * (1 - part), carried * (1 - part)))
        return carbon
