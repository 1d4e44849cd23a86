"""A home's energy at one glance: sources and sinks, rates, devices, the untracked rest, the battery's books.

Each figure is the total of a measure as statistics tell it, or is of the same books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, parse_moment
from statistics_manager_service.core.definitions import Family, measures_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.services.asking import Question, Sources, parsed
from statistics_manager_service.services.balance.attributions import OF_DEVICES, PARTS
from statistics_manager_service.services.balance.batteries import BatteryBuckets
from statistics_manager_service.services.balance.battery_books import ORIGINS, BatteryBooks, Books
from statistics_manager_service.services.balance.sheets import BalanceSheet, BalanceSheets
from statistics_manager_service.services.column_sources import ColumnSource, Way
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.measuring import Column, Measurer
from statistics_manager_service.services.ports import Household, ReadView, Store
from statistics_manager_service.services.telemetry.as_known import as_known
from statistics_manager_service.services.totals import Totals

RATES: Final = ("self_consumption_rate", "self_sufficiency_rate", "export_share")
_OF_HOME: Final = ("energy_consumption", "energy_devices", "energy_untracked", *PARTS, *RATES)
_OF_BATTERY: Final = measures_of(Family.BATTERY)


@dataclass(frozen=True, slots=True)
class DeviceFlows:
    """What a device used. columns: {source: what that gave it}. share: of the home's use in the same time, None where
    the home used nothing or nothing is known."""

    meter: str
    columns: Mapping[str, Column]
    energy_kwh: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class BatteryFlows:
    """What a battery took and gave, in kWh. charged = discharged − unknown + (stored_end − stored_start) + losses +
    written_off.

    All of it is None where nothing is known of the time. given: {origin: what it gave home and grid}. losses: taken
    when charging, by the efficiency of the books. written_off: what can't be in it any more, for it holds less.
    columns: measures of it, by name.
    """

    books: Books
    charged_kwh: float | None
    discharged_kwh: float | None
    unknown_kwh: float | None
    given_kwh: Mapping[str, float | None]
    to_home_kwh: Mapping[str, float | None]
    stored_start_kwh: float | None
    stored_end_kwh: float | None
    losses_kwh: float | None
    written_off_kwh: float | None
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class EnergyFlows:
    """A home's energy over a time.

    flows_kwh: {flow: kWh}, where all of them are known, None where they nowhere are; of those that the home has.
    untracked_share: of the home's use while all its devices are known. battery: None without a battery, or where
    why_no_battery tells why its books do not say.
    """

    household: Household
    timezone: str
    calendar: Calendar
    coverage: tuple[float, float]
    flows_kwh: Mapping[str, float | None]
    columns: Mapping[str, Column]
    devices: Sequence[DeviceFlows]
    untracked_share: float | None
    battery: BatteryFlows | None
    why_no_battery: str | None

    def part_kwh(self, source: str, sink: str) -> float | None:
        """What a source gave a sink; None where the home has no such flow, or nothing is known."""
        return known(self.columns.get(f"energy_{source}_to_{sink}"))


def known(column: Column | None) -> float | None:
    """A column's total; None where it is not known."""
    return None if column is None or np.isnan(column.total) else column.total


class EnergyFlowsOfHomes:
    """Tells the energy of households at one glance."""

    def __init__(
        self, store: Store, sources: Sequence[ColumnSource], sheets: BalanceSheets, books: BatteryBooks
    ) -> None:
        self._store, self._sources, self._sheets, self._books = store, Sources(sources), sheets, books
        self._homes = Homes()

    def of(
        self, household_id: str, start: str, end: str, timezone: str | None = None, as_of: str | None = None
    ) -> EnergyFlows:
        """The energy of a household from a start to an end. Raises BadInput, NotFound."""
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            question = Question(",".join(_OF_HOME), start, end, GroupBy.TOTAL, timezone, as_of=as_of)
            _, cal = parsed(question, home.household.timezone, home.household.billing)
            until_us = None if as_of is None else parse_moment(as_of, home.household.timezone, "as_of")
            return self._of(view, home, cal, Way(until_us=until_us))

    def _of(self, view: ReadView, home: Home, cal: Calendar, way: Way) -> EnergyFlows:
        sheet = self._sheets.of(view, home, cal.edges_us, way.until_us)
        flows = sheet.flows
        measured, estimated = flows.coverage
        battery, why = self._battery(view, home, cal, way)
        columns = self._columns(view, home, cal, _OF_HOME, way)
        return EnergyFlows(
            household=home.household,
            timezone=cal.zone,
            calendar=cal,
            coverage=(float(measured[0]), float(estimated[0])),
            flows_kwh={
                flow: int(flows.energy_milliwh[flow].sum()) / MILLIWH_PER_KWH if flows.good.any() else None
                for flow in flows.energy_milliwh
                if flow in flows.present
            },
            columns=columns,
            devices=[self._device(view, home, cal, way, sheet, meter) for meter in flows.devices],
            untracked_share=_untracked_share(sheet, columns["energy_untracked"]),
            battery=battery,
            why_no_battery=why,
        )

    def _columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way
    ) -> dict[str, Column]:
        """Measures as statistics tell them."""
        found = self._sources.columns(view, home, cal, measures, way)
        plain = self._sources.plain(measures)
        if plain:
            past, then = (view, home) if way.until_us is None else as_known(view, home, way.until_us)
            measurer = Measurer(Totals(past, cal.edges_us), then.channels)
            found |= {one: measurer.column(one, None) for one in plain}
        return found

    def _device(
        self, view: ReadView, home: Home, cal: Calendar, way: Way, sheet: BalanceSheet, meter: str
    ) -> DeviceFlows:
        asked = Way(meter, way.until_us)
        columns = self._sources.columns(view, home, cal, list(OF_DEVICES), asked)
        device = sheet.device(meter)
        if not device.known.any():
            return DeviceFlows(meter, _by_source(columns), None, None)
        used = int(device.energy_milliwh.sum())
        of_home = int(sheet.attribution.home_milliwh[device.known].sum())
        share = used / of_home if of_home else None
        return DeviceFlows(meter, _by_source(columns), used / MILLIWH_PER_KWH, share)

    def _battery(self, view: ReadView, home: Home, cal: Calendar, way: Way) -> tuple[BatteryFlows | None, str | None]:
        books = self._books.of(view, home, way.until_us)
        if books is None:
            return None, None
        if (cal.edges_us % QUARTER_US).any():
            return None, "a battery's books are kept by whole quarter-hours, and the time begins or ends inside of one"
        columns = self._columns(view, home, cal, _OF_BATTERY, way)
        buckets = BatteryBuckets(view, home, books, cal.edges_us)
        return _battery_flows(buckets, columns), None


def _untracked_share(sheet: BalanceSheet, untracked: Column) -> float | None:
    """Of what the home used while all its devices are known."""
    used = int(sheet.attribution.home_milliwh[sheet.flows.good & sheet.devices.known].sum())
    return None if np.isnan(untracked.total) or not used else untracked.total * MILLIWH_PER_KWH / used


def _by_source(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {source: columns[measure] for measure, source in OF_DEVICES.items()}


def _battery_flows(buckets: BatteryBuckets, columns: Mapping[str, Column]) -> BatteryFlows:
    books, ledger = buckets.books, buckets.books.ledger
    first, last = (int(one) for one in buckets.places)
    charged, discharged, unknown, written_off = (
        int(buckets.sums(one)[0])
        for one in (
            books.charge_milliwh,
            books.discharge_milliwh,
            ledger.unknown_milliwh,
            ledger.begins_milliwh - ledger.left_milliwh[:-1],
        )
    )
    begin, end = int(ledger.usable_milliwh[first]), int(ledger.usable_milliwh[last])
    some = bool(buckets.known[0])

    def kwh(energy_milliwh: int) -> float | None:
        return energy_milliwh / MILLIWH_PER_KWH if some else None

    def by_origin(column: Mapping[str, Int64]) -> dict[str, float | None]:
        return {one: kwh(int(buckets.sums(column[one])[0])) for one in ORIGINS}

    return BatteryFlows(
        books=books,
        charged_kwh=kwh(charged),
        discharged_kwh=kwh(discharged),
        unknown_kwh=kwh(unknown),
        given_kwh=by_origin(books.given_by_origin),
        to_home_kwh=by_origin(books.to_home_by_origin),
        stored_start_kwh=kwh(begin),
        stored_end_kwh=kwh(end),
        losses_kwh=kwh(charged - (discharged - unknown) - (end - begin) - written_off),
        written_off_kwh=kwh(written_off),
        columns=columns,
    )
