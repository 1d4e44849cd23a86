"""Two machines with the same readings come to the same digest, whatever came first; any other reading gives another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import open_store, put_home, us
from metered_homes import Desk, energy, standing, tariff

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.explaining import explaining_of
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, US_PER_S
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.explaining.explaining import Explanation
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

START, END = "2026-01-01", "2026-01-03"
FIVE_MINUTES_US = 300 * US_PER_S
Rows = list[tuple[int, float]]


def readings() -> Rows:
    """A register that is read every five minutes, with a glitch and a gap."""
    at_us = np.arange(us(START), us(END) + 1, FIVE_MINUTES_US, dtype=np.int64)
    value = 5_000 + np.cumsum(at_us // FIVE_MINUTES_US * 7 % 40).astype(float)
    rows = list(zip(at_us.tolist(), value.tolist(), strict=True))
    rows[100] = (rows[100][0], 0.0)
    return rows[:200] + rows[230:]


def record(store: SqlStore, rows: Rows, household: str = "home1") -> None:
    at_us, value = np.array([one[0] for one in rows], np.int64), np.array([one[1] for one in rows])
    told = WireReadings(household, "grid", "energy_import", Kind.REGISTER, "Wh", at_us, value)
    assert not Recorder(store, bootstrap.now_us).record([told]).refused


def explained(store: SqlStore, measure: str = "energy_import", **more: Any) -> Explanation:
    start, end = more.pop("start", START), more.pop("end", END)
    return explaining_of(store).explained("home1", Question(measure, start, end, "total", **more))


def digest(store: SqlStore, measure: str = "energy_import", **more: Any) -> str:
    found: str = explained(store, measure, **more).told["digest"]["value"]
    return found


def at_once(store: SqlStore) -> None:
    record(store, readings())


def backwards_in_batches(store: SqlStore) -> None:
    rows = readings()
    for first in range(len(rows), 0, -37):
        record(store, rows[max(first - 37, 0) : first][::-1])
        record(store, rows[max(first - 37, 0) : first])


@pytest.fixture
def made(tmp_path: Path, sqlite_template: Path) -> Callable[[str], SqlStore]:
    """Stores of their own, each with a household."""

    def make(name: str) -> SqlStore:
        shutil.copyfile(sqlite_template, tmp_path / name)
        store = open_store(f"sqlite:///{tmp_path / name}")
        put_home(store, timezone="UTC")
        return store

    return make


def test_another_order_other_batches_and_the_other_store_give_the_same(
    database_url: str, made: Callable[[str], SqlStore]
) -> None:
    one, other = made("one"), open_store(database_url)
    put_home(other, timezone="UTC")
    at_once(one)
    backwards_in_batches(other)
    assert explained(one).text == explained(other).text
    assert digest(one) == digest(other)
    one.close()
    other.close()


@pytest.mark.parametrize("place", [1, 100, 150, 151, 300])
def test_another_reading_inside_gives_another(made: Callable[[str], SqlStore], place: int) -> None:
    """Also of a reading that is set aside, and of one that no quarter-hour's edge hangs on."""
    one, other = made("one"), made("other")
    at_once(one)
    rows = readings()
    rows[place] = (rows[place][0], rows[place][1] + 1)
    record(other, rows)
    assert digest(one) != digest(other)
    one.close()
    other.close()


def test_a_correction_is_found_and_what_was_known_before_it_is_confirmed(made: Callable[[str], SqlStore]) -> None:
    store = made("one")
    at_once(store)
    before, known = explained(store), bootstrap.now_us()
    rows = readings()
    record(store, [(rows[-1][0], rows[-1][1] + 250)])
    after = explained(store, end="2026-01-03T00:00:00.000001Z").told
    assert after["readings"][0]["revisions"]["count"] == 1
    assert after["readings"][0]["revisions"]["first"][0]["value"] == rows[-1][1]
    assert after["value"] == round(before.told["value"] + 0.25, 6)
    then = explained(store, as_of=iso_label(known))
    assert then.text == before.text
    assert then.told["readings"] == before.told["readings"]
    store.close()


def test_what_was_known_before_is_told_between_two_quarter_hours_as_well(made: Callable[[str], SqlStore]) -> None:
    store = made("one")
    at_once(store)
    asked = {"start": "2026-01-01T10:03:00Z", "end": "2026-01-02T20:11:30Z"}
    before, known = explained(store, **asked), bootstrap.now_us()
    rows = readings()
    near = next(i for i, one in enumerate(rows) if one[0] >= us("2026-01-02T20:10"))
    record(store, [(rows[near][0], rows[near][1] + 5)])
    assert explained(store, **asked).told["value"] != before.told["value"]
    then = explained(store, as_of=iso_label(known), **asked)
    assert then.told["value"] == before.told["value"]
    assert then.text == before.text
    store.close()


def test_prices_are_part_of_a_costs_digest(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "one")
    desk = Desk(f"sqlite:///{tmp_path / 'one'}", "2026-03-01")
    desk.measure("grid.import", "2026-01-01", "2026-02-01", lambda n: 100 + n % 7)
    digests = []
    for price in ("0.16", "0.17", "0.16"):
        desk.put(one=tariff(energy(price), standing()))
        desk.have({"tariff": "one"})
        digests.append(digest(desk.store, "cost_import"))
    assert digests[0] == digests[2] != digests[1]
    desk.store.close()


def test_quarter_hours_in_which_a_flow_is_not_known_are_left_out_and_shown(made: Callable[[str], SqlStore]) -> None:
    """Export comes in intervals, of which four hours are lost."""
    store = made("one")
    at_once(store)
    at_us = np.arange(us(START), us(END), QUARTER_US, dtype=np.int64)
    kept = (at_us < us("2026-01-02T08:00")) | (at_us >= us("2026-01-02T12:00"))
    lengths = np.full(int(kept.sum()), QUARTER_US, np.int64)
    export = WireReadings(
        "home1", "grid", "energy_export", Kind.INTERVAL, "Wh", at_us[kept], np.full(len(lengths), 7.0), lengths
    )
    assert not Recorder(store, bootstrap.now_us).record([export]).refused
    found = explained(store, "energy_consumption")
    told = found.told
    left_out = told["quarters"]["left_out"]
    assert left_out["count"] == 4 * 4
    assert left_out["first"][0]["from"] == "2026-01-02T08:00:00Z"
    assert left_out["first"][0]["lacks"] == ["export"]
    gaps = told["quarters"]["not_measured"]["first"]
    assert {"from": "2026-01-02T08:00:00Z", "to": "2026-01-02T12:00:00Z", "is": "missing"} in gaps
    by_quarter: dict[str, dict[str, int]] = {}
    for line in found.text.decode().splitlines():
        if line.startswith("quarter "):
            _, quantity, _, _, at, energy_milliwh, *_ = line.split()
            by_quarter.setdefault(at, {})[quantity] = int(energy_milliwh)
    both = [one for one in by_quarter.values() if len(one) == 2]
    assert told["value"] == sum(one["energy_import"] - one["energy_export"] for one in both) / 1_000_000
    imported, exported = told["inputs"]
    assert round(imported["value"] - exported["value"], 6) == told["value"]
    assert imported["left_out_kwh"] > 0
    assert "export" in told["formula_filled"]
    store.close()


def test_a_rate_of_a_meter_is_that_of_the_home_as_statistics_have_it(made: Callable[[str], SqlStore]) -> None:
    store = made("one")
    at_once(store)
    of_meter, of_home = (explained(store, "self_sufficiency_rate", meter=one).told for one in ("grid", None))
    assert of_meter["value"] == of_home["value"] == 0.0
    assert of_meter["formula_filled"] == of_home["formula_filled"]
    store.close()


def test_sources_of_a_flow_are_told_in_their_order(made: Callable[[str], SqlStore]) -> None:
    """A register of the second day alone; intervals of both; samples of a part of the register's time."""
    store = made("one")
    second = us("2026-01-02")
    at_us = np.arange(second, us(END) + 1, QUARTER_US, dtype=np.int64)
    register = WireReadings("home1", "grid", "energy_import", Kind.REGISTER, "kWh", at_us, np.arange(len(at_us)) * 0.1)
    at_us = np.arange(us(START), us(END), QUARTER_US, dtype=np.int64)
    lengths = np.full(len(at_us), QUARTER_US, np.int64)
    of_both = WireReadings(
        "home1", "grid", "energy_import", Kind.INTERVAL, "Wh", at_us, np.full(len(at_us), 50.0), lengths
    )
    power = WireReadings("home1", "clamp", "power_import", Kind.SAMPLE, "W", at_us[120:150], np.full(30, 300.0))
    assert not Recorder(store, bootstrap.now_us).record([register, of_both, power]).refused
    told = explained(store).told
    assert told["value"] == 9.6 + 96 * 0.05
    first, behind, unused = told["readings"]
    assert first["kind"] == "register"
    assert first["energy_kwh"] == 9.6
    assert "best source" in first["why"]
    assert (behind["kind"], behind["from"], behind["to"]) == (
        "interval",
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
    )
    assert "before" in behind["why"]
    assert behind["intervals"]["count"] == 96
    assert unused["kind"] == "sample"
    assert "not used" in unused["why"]
    store.close()
