"""What is remembered, for how long, and that nothing old is ever told."""

from __future__ import annotations

import numpy as np
import pytest

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.errors import NotFound
from statistics_manager_service.services.asking import Question, Statistics
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.settings import Settings

HOUR_US = 3_600_000_000
FIRST_US = 1_700_006_400_000_000
DAY = Question("energy_import", "2023-11-15", "2023-11-16", "daily")


BEFORE, AFTER = (1, 7), (1, 8)


def test_a_value_is_good_for_its_state_alone() -> None:
    kept: Remembered[bytes] = Remembered(1_000_000)
    kept.put("question", BEFORE, b"one", 3)
    assert kept.get("question", BEFORE) == b"one"
    assert kept.get("question", AFTER) is None
    assert kept.get("another", BEFORE) is None
    kept.put("question", AFTER, b"two", 3)
    assert kept.get("question", BEFORE) is None
    assert kept.get("question", AFTER) == b"two"


def test_those_not_asked_for_the_longest_time_are_forgotten() -> None:
    kept: Remembered[str] = Remembered(3 * 11_100)
    for key in "abc":
        kept.put(key, BEFORE, key, 10_000)
    assert kept.get("a", BEFORE) is not None
    kept.put("d", BEFORE, "d", 10_000)
    assert kept.get("b", BEFORE) is None
    assert [key for key in "acd" if kept.get(key, BEFORE)] == ["a", "c", "d"]


def test_replacing_a_value_takes_no_more_memory() -> None:
    kept: Remembered[str] = Remembered(2 * 11_100)
    kept.put("other", BEFORE, "o", 10_000)
    for changes in range(50):
        kept.put("same", (1, changes), "s", 10_000)
    assert kept.get("other", BEFORE) is not None


@pytest.mark.parametrize("most_bytes", [0, 5_000])
def test_a_value_larger_than_the_memory_is_not_kept(most_bytes: int) -> None:
    kept: Remembered[str] = Remembered(most_bytes)
    kept.put("large", BEFORE, "x", 10_000)
    assert kept.get("large", BEFORE) is None


class Home:
    """A household that one process asks about and another writes to, over the same store."""

    def __init__(self, database_url: str) -> None:
        settings = Settings(database_url=database_url)
        store, other = bootstrap.open_store(settings), bootstrap.open_store(settings)
        self.asking = bootstrap.asking_of(store, most_kept_bytes=1_000_000)
        self.households, self.recorder = bootstrap.households_of(other), bootstrap.recorder_of(other)
        self.households.put("home1", {"timezone": "UTC"})
        self.made = 0

    def record(self, meter: str, values_wh: list[float]) -> None:
        at_us = FIRST_US + HOUR_US * np.arange(len(values_wh), dtype=np.int64)
        told = WireReadings("home1", meter, "energy_import", Kind.REGISTER, "Wh", at_us, np.array(values_wh))
        self.recorder.record([told])

    def _encode(self, found: Statistics) -> bytes:
        self.made += 1
        return repr((found.timezone, found.columns[0].value.tolist())).encode()

    def ask(self, question: Question = DAY) -> str:
        return self.asking.encoded("home1", question, "text", self._encode).decode()


def test_the_same_question_is_worked_out_once_until_another_process_writes(database_url: str) -> None:
    home = Home(database_url)
    home.record("grid", [0.0, 500.0, 800.0])
    assert home.ask() == home.ask() == "('UTC', [0.8])"
    assert home.made == 1
    home.record("grid", [0.0, 300.0, 800.0])  # the register ends where it did: no total of the channel is another
    home.ask()
    assert home.made == 2
    home.record("grid", [0.0, 300.0, 900.0])
    assert home.ask() == "('UTC', [0.9])"
    home.record("second", [0.0, 1000.0])
    assert home.ask() == "('UTC', [1.9])"
    assert home.made == 4


def test_a_correction_that_leaves_the_totals_as_they_are_is_seen(database_url: str) -> None:
    home = Home(database_url)
    home.record("grid", [0.0, 500.0, 800.0])
    hours = Question("energy_import", "2023-11-15T00:00:00Z", "2023-11-15T02:00:00Z", "hourly")
    assert home.ask(hours) == "('UTC', [0.5, 0.3])"
    home.record("grid", [0.0, 300.0, 800.0])
    assert home.ask(hours) == "('UTC', [0.3, 0.5])"


def test_settings_meters_and_events_change_the_answer_at_once(database_url: str) -> None:
    home = Home(database_url)
    home.record("grid", [1000.0, 1500.0, 100.0, 400.0])
    before = home.ask()
    home.households.put("home1", {"timezone": "Europe/Lisbon", "billing_day": 5})
    assert home.ask().startswith("('Europe/Lisbon'")
    home.households.put("home1", {"timezone": "UTC"})
    assert home.ask() == before
    event = {
        "kind": "swap", "quantity": "energy_import", "at": "2023-11-15T01:30:00Z", "old_end": 1600.0, "new_start": 0.0,
    }  # fmt: skip
    told, _ = home.households.add_event("home1", "grid", event)
    swapped = home.ask()
    assert swapped != before
    home.households.delete_event("home1", "grid", told.event_no)
    assert home.ask() == before


def test_many_households_are_remembered_until_one_of_them_changes(database_url: str) -> None:
    home = Home(database_url)
    home.households.put("home2", {"timezone": "UTC"})
    home.record("grid", [0.0, 500.0])

    def sums() -> list[float]:
        return [one.columns[0].total for one in home.asking.many(["home2", "home1"], DAY)]

    np.testing.assert_equal(sums(), [np.nan, 0.5])
    home.record("second", [0.0, 1000.0])
    np.testing.assert_equal(sums(), [np.nan, 1.5])
    home.households.delete("home2")
    with pytest.raises(NotFound, match="home2"):
        sums()


def test_an_erased_household_is_not_remembered(database_url: str) -> None:
    home = Home(database_url)
    home.record("grid", [0.0, 500.0])
    assert home.ask() == "('UTC', [0.5])"
    home.households.delete("home1")
    with pytest.raises(NotFound):
        home.ask()
    home.households.put("home1", {"timezone": "UTC"})
    assert home.ask() == "('UTC', [nan])"
