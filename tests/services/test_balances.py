"""Where a home's energy came from and went: laws over generated homes in a store, and figures worked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from measured import quarter, us
from memory_store import MemoryStore
from metered_homes import Desk

from statistics_manager_service import bootstrap
from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.asking import Question, Statistics
from statistics_manager_service.services.balance.attributions import PARTS
from statistics_manager_service.services.balance.balances import Balances
from statistics_manager_service.services.balance.sheets import BalanceSheets
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
#: Around changes of clocks: an hour forth, an hour back, half an hour back.
ZONES = {
    "Europe/Lisbon": "2026-03-28T12:00", "Europe/Amsterdam": "2025-10-25T20:00",
    "Australia/Lord_Howe": "2026-04-04T02:00",
}  # fmt: skip
GROUPINGS = ["15_mins", "hourly", "daily", "weekly", "monthly", "total"]


@dataclass
class Made:
    """A home in a store, and what is known of it: {flow: Wh of each quarter-hour, −1 where nobody told}."""

    store: MemoryStore
    home: Home
    zone: str
    first: int
    told_wh: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        return len(next(iter(self.told_wh.values())))

    def good(self) -> np.ndarray:
        """Where every flow that had begun is known, by a plain loop."""
        flows = [told for name, told in self.told_wh.items() if name not in ("ev", "fridge")]
        out = []
        for t in range(self.count):
            begun = [told for told in flows if (told[: t + 1] >= 0).any()]
            out.append(bool(begun) and all(told[t] >= 0 for told in begun))
        return np.array(out)

    def ask(self, *measures: str, group_by: str = "total", meter: str | None = None) -> dict[str, Column]:
        start_us, end_us = self.first * QUARTER_US, (self.first + self.count) * QUARTER_US
        cal = calendar(self.zone, GroupBy(group_by), start_us, end_us)
        columns = Balances(BalanceSheets()).columns(self.store, self.home, cal, measures, Way(meter))
        return {one.measure: one for one in columns}


@st.composite
def homes(draw: st.DrawFn) -> Made:
    zone = draw(st.sampled_from(list(ZONES)))
    first, count = quarter(ZONES[zone]), draw(st.integers(1, 40))
    names = ["import", *draw(st.lists(st.sampled_from(list(FLOWS)[1:]), unique=True))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    told = {}
    for name in names:
        wh = rng.integers(0, 900, count) * (rng.random(count) < 0.7)
        begin = draw(st.integers(0, count - 1))
        wh[:begin] = -1
        wh[begin:][rng.random(count - begin) < draw(st.sampled_from([0, 0, 0.2]))] = -1
        if name == "import":
            wh[-1] = max(wh[-1], 0)
        if (wh >= 0).any():
            told[name] = wh
    return in_store(zone, first, told)


def in_store(zone: str, first: int, told_wh: dict[str, np.ndarray]) -> Made:
    """A home whose meters told so; quarter-hours of −1 are not told."""
    store = MemoryStore()
    store.put_household(Household(0, "home", timezone=zone))
    readings = []
    for name, wh in told_wh.items():
        meter, quantity = FLOWS[name]
        at = np.flatnonzero(wh >= 0)
        lengths = np.full(len(at), QUARTER_US, np.int64)
        starts_us = (first + at).astype(np.int64) * QUARTER_US
        readings.append(
            WireReadings("home", meter, quantity, Kind.INTERVAL, "Wh", starts_us, wh[at].astype(float), lengths)
        )
    assert not Recorder(store, lambda: us("2027-01-01")).record(readings).refused
    (household,) = store.all_households.values()
    return Made(store, Home((1, 1), household, store.channels(1)), zone, first, told_wh)


def milliwh(column: Column) -> list[int]:
    """The values, unknown ones as nothing."""
    return [0 if np.isnan(one) else round(one * 1_000_000) for one in column.value]


def by_source_and_sink(columns: dict[str, Column]) -> dict[tuple[str, str], list[int]]:
    return {PARTS[name]: milliwh(column) for name, column in columns.items() if name in PARTS}


law = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@law
@given(homes())
def test_in_every_quarter_hour_the_parts_add_up_to_what_the_meters_told(made: Made) -> None:
    parts = by_source_and_sink(made.ask(*PARTS, group_by="15_mins"))
    good = made.good()
    wh = {name: np.where(good & (told >= 0), told, 0) for name, told in made.told_wh.items()}
    none = np.zeros(made.count, np.int64)
    into = {"grid": "import", "production": "production", "battery": "discharge"}
    out = {"battery": "charge", "grid": "export"}
    has = {"home": True, **{sink: flow in wh for sink, flow in out.items()}}
    for source, flow in into.items():
        if flow in wh:
            given = np.sum([part for (one, sink), part in parts.items() if one == source and has[sink]], axis=0)
            assert given.tolist() == (wh[flow] * 1000).tolist()
    for sink, flow in out.items():
        if flow in wh:
            got = np.sum([part for (_, one), part in parts.items() if one == sink], axis=0)
            assert got.tolist() == (wh[flow] * 1000).tolist()
    used = sum(wh.get(one, none) for one in into.values()) - sum(wh.get(one, none) for one in out.values())
    got = np.sum([part for (_, one), part in parts.items() if one == "home"], axis=0)
    assert got.tolist() == (np.maximum(used, 0) * 1000).tolist()


@law
@given(homes(), st.sampled_from(GROUPINGS))
def test_any_grouping_adds_up_to_its_quarter_hours(made: Made, group_by: str) -> None:
    measures = (*PARTS, "energy_unmetered", "energy_devices", "energy_untracked")
    fine, coarse = made.ask(*measures, group_by="15_mins"), made.ask(*measures, group_by=group_by)
    for name, column in coarse.items():
        assert sum(milliwh(column)) == sum(milliwh(fine[name]))
        assert np.isnan(column.total) == np.isnan(fine[name].total)
        if not np.isnan(column.total):
            assert round(column.total * 1e6) == sum(milliwh(column))


@law
@given(homes())
def test_coverage_is_the_share_of_the_time_in_which_every_flow_is_known(made: Made) -> None:
    column = made.ask("energy_grid_to_home")["energy_grid_to_home"]
    assert column.coverage[0] == pytest.approx(made.good().mean())
    assert np.isnan(column.total) == (not made.good().any())


@law
@given(homes(), st.sampled_from(GROUPINGS))
def test_the_parts_of_a_device_add_up_to_what_it_used(made: Made, group_by: str) -> None:
    if "ev" not in made.told_wh:
        return
    names = [f"energy_{one}_to_home" for one in ("grid", "production", "battery")]
    columns = made.ask(*names, "energy_unmetered", group_by=group_by, meter="ev")
    got = np.sum([milliwh(one) for one in columns.values()])
    known = made.good() & (made.told_wh["ev"] >= 0)
    has = {"battery": "discharge" in made.told_wh, "production": "production" in made.told_wh}
    if all(has.values()):
        assert got == 1000 * int(np.where(known, made.told_wh["ev"], 0).sum())
    assert all(one.meter == "ev" for one in columns.values())


@law
@given(homes())
def test_devices_and_the_untracked_rest_are_what_the_home_used(made: Made) -> None:
    columns = made.ask("energy_untracked", "energy_devices", group_by="15_mins")
    devices = [made.told_wh[one] for one in ("ev", "fridge") if one in made.told_wh]
    rest, tracked = milliwh(columns["energy_untracked"]), milliwh(columns["energy_devices"])
    parts = by_source_and_sink(made.ask(*PARTS, group_by="15_mins"))
    home = np.sum([part for (_, sink), part in parts.items() if sink == "home"], axis=0)
    good = made.good()
    for t in range(made.count):
        alive = [one for one in devices if (one[: t + 1] >= 0).any() and (one[t:] >= 0).any()]
        known = all(one[t] >= 0 for one in alive)
        used = sum(int(one[t]) for one in alive) * 1000 if known else 0
        assert tracked[t] == used
        assert rest[t] == (home[t] - used if good[t] and known else 0)
    negative = [t for t, one in enumerate(rest) if one < 0]
    assert [lack.bucket for lack in columns["energy_untracked"].lacks] == negative


# --- by hand ----------------------------------------------------------------------------------------------------------


def made_of(zone: str = "UTC", **told_wh: list[int]) -> Made:
    return in_store(zone, quarter("2026-01-05"), {name: np.array(wh) for name, wh in told_wh.items()})


def test_a_day_in_four_quarter_hours() -> None:
    # the published example: production 0, 2, 3, 1 and use 1, 1, 2, 2: two thirds of both are own
    made = made_of(**{"import": [1, 0, 0, 1], "export": [0, 1, 1, 0], "production": [0, 2, 3, 1]})
    found = made.ask("energy_production_to_home", "energy_grid_to_home", "energy_production_to_grid")
    assert {name: round(one.total, 6) for name, one in found.items()} == {
        "energy_production_to_home": 0.004,
        "energy_grid_to_home": 0.002,
        "energy_production_to_grid": 0.002,
    }


def test_untracked_use_below_nothing_says_which_devices_told_more() -> None:
    made = made_of(**{"import": [100, 100], "ev": [90, 120], "fridge": [5, 10]})
    column = made.ask("energy_untracked", group_by="15_mins")["energy_untracked"]
    assert milliwh(column) == [5_000, -30_000]
    (lack,) = column.lacks
    assert lack.bucket == 1
    assert lack.share == pytest.approx(30 / 130)
    assert lack.why == (
        "the meters disagree: the devices tell 0.03 kWh more than the home used by its balance, 0.1 kWh: "
        "ev 0.12 kWh, fridge 0.01 kWh"
    )


def test_a_device_that_uses_energy_where_the_home_has_none_is_unmetered() -> None:
    made = made_of(**{"import": [0, 50], "ev": [10, 20]})
    found = made.ask("energy_grid_to_home", "energy_unmetered", group_by="15_mins", meter="ev")
    assert milliwh(found["energy_grid_to_home"]) == [0, 20_000]
    assert milliwh(found["energy_unmetered"]) == [10_000, 0]


def test_a_device_that_is_gone_does_not_hide_what_is_untracked() -> None:
    made = made_of(**{"import": [50, 50, 50], "ev": [20, -1, -1]})
    assert milliwh(made.ask("energy_untracked", group_by="15_mins")["energy_untracked"]) == [30_000, 50_000, 50_000]


def test_nothing_is_said_of_sources_and_sinks_that_the_home_has_no_meter_of() -> None:
    made = made_of(**{"import": [50, 50]})
    found = made.ask(*PARTS, "energy_devices")
    assert [name for name, one in found.items() if not np.isnan(one.total)] == ["energy_grid_to_home"]
    assert np.isnan(made_of(production=[5, 5]).ask("energy_production_to_home")["energy_production_to_home"].total)


def test_a_meter_that_is_no_device_is_refused_with_those_that_are() -> None:
    made = made_of(**{"import": [50], "ev": [20], "fridge": [1]})
    with pytest.raises(BadInput) as refused:
        made.ask("energy_grid_to_home", meter="grid")
    assert refused.value.faults[0].why == (
        "'grid' is no device of the household, a meter that tells consumption; its devices are ev, fridge"
    )


def test_a_time_without_readings_is_unknown_and_takes_no_time() -> None:
    made = made_of(**{"import": [50], "production": [20]})
    cal = calendar("UTC", GroupBy.YEARLY, us("1970-01-01"), us("2200-01-01"))
    (column,) = Balances(BalanceSheets()).columns(made.store, made.home, cal, ["energy_grid_to_home"])
    assert np.flatnonzero(~np.isnan(column.value)).tolist() == [2026 - 1970]
    before = calendar("UTC", GroupBy.TOTAL, us("1970-01-01"), us("1971-01-01"))
    (column,) = Balances(BalanceSheets()).columns(made.store, made.home, before, ["energy_grid_to_home"])
    assert np.isnan(column.total)
    assert column.coverage.tolist() == [0.0]


# --- in stores --------------------------------------------------------------------------------------------------------

HOME_WH = {
    "grid.import": lambda n: 40 + n % 7 * 10,
    "grid.export": lambda n: n % 5 * 20,
    "pv.production": lambda n: n % 5 * 60,
    "battery.charge": lambda n: n % 13 * 30,
    "battery.discharge": lambda n: n % 2 * 25,
    "ev.consumption": lambda n: n % 4 * 9,
}


def measured(url: str) -> Desk:
    desk = Desk(url)
    for flow, wh in HOME_WH.items():
        desk.measure(flow, "2026-01-01", "2026-01-04", wh)
    return desk


def asked(desk: Desk, measures: str, start: str, end: str, group_by: str = "daily", **more: Any) -> Statistics:
    return bootstrap.asking_of(desk.store).statistics("home1", Question(measures, start, end, group_by, **more))


def test_buckets_cut_inside_a_quarter_hour_add_up_to_the_flows_between_the_same_instants(database_url: str) -> None:
    desk = measured(database_url)
    start, end = "2026-01-01T03:07:00Z", "2026-01-02T11:52:30Z"
    plain = {one.measure: one for one in asked(desk, "energy_import,energy_charge", start, end, "hourly").columns}
    parts = {one.measure: one for one in asked(desk, ",".join(PARTS), start, end, "hourly").columns}
    from_grid = [milliwh(one) for name, one in parts.items() if PARTS[name][0] == "grid"]
    into_battery = [milliwh(one) for name, one in parts.items() if PARTS[name][1] == "battery"]
    assert np.sum(from_grid, axis=0).tolist() == milliwh(plain["energy_import"])
    assert np.sum(into_battery, axis=0).tolist() == milliwh(plain["energy_charge"])


def test_as_of_an_instant_tells_what_was_known_then(embedded_url: str) -> None:
    desk = measured(embedded_url)
    question = ("energy_grid_to_home,energy_untracked", "2026-01-01", "2026-01-03", "hourly")
    before = asked(desk, *question)
    # in the middle of a day the register stood a little higher than was told: energy moves from afternoon to morning
    noon = quarter("2026-01-02T12:00")
    register = sum(HOME_WH["grid.import"](n) for n in range(quarter("2026-01-01"), noon))
    at_us, value = np.array([noon * QUARTER_US], np.int64), np.array([register + 30.0])
    told = WireReadings("home1", "grid", "energy_import", Kind.REGISTER, "Wh", at_us, value)
    known_us = bootstrap.now_us()
    assert not Recorder(desk.store, lambda: known_us + 2_000_000).record([told]).refused
    as_of = f"{np.datetime64(known_us + 1_000_000, 'us')}Z"
    now, then = asked(desk, *question), asked(desk, *question, as_of=as_of)
    assert [one.value.tolist() for one in then.columns] == [one.value.tolist() for one in before.columns]
    assert now.columns[0].value.tolist() != before.columns[0].value.tolist()


def test_what_is_kept_is_that_of_the_newest_readings(embedded_url: str) -> None:
    desk = measured(embedded_url)
    asking = bootstrap.asking_of(desk.store)
    question = Question("energy_grid_to_home", "2026-01-01", "2026-01-08", "total")
    first = asking.statistics("home1", question).columns[0].total
    assert asking.statistics("home1", question).columns[0].total == first
    at_us = np.array([quarter("2026-01-04") * QUARTER_US + QUARTER_US], np.int64)
    total = sum(HOME_WH["grid.import"](n) for n in range(quarter("2026-01-01"), quarter("2026-01-04")))
    values = np.array([total + 500.0])
    told = WireReadings("home1", "grid", "energy_import", Kind.REGISTER, "Wh", at_us, values)
    Recorder(desk.store, bootstrap.now_us).record([told])
    later = asking.statistics("home1", question).columns[0]
    assert later.total == first  # the other flows are not known there yet
    for flow, wh in HOME_WH.items():
        if flow != "grid.import":
            desk.measure(flow, "2026-01-01", "2026-01-05", wh)
    assert asking.statistics("home1", question).columns[0].total > first


def test_consumption_is_what_the_sources_gave_the_home_less_what_no_meter_tells(embedded_url: str) -> None:
    desk = measured(embedded_url)
    measures = ",".join(name for name, (_, sink) in PARTS.items() if sink == "home")
    found = asked(desk, f"{measures},energy_consumption,energy_unmetered", "2026-01-01", "2026-01-04").columns
    *to_home, used, unmetered = (milliwh(one) for one in found)
    assert sum(unmetered) > 0
    assert (np.sum(to_home, axis=0) - unmetered).tolist() == used
