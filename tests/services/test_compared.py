"""Statistics beside those of an earlier time: what is matched, what it comes to, and what is left out."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_home import LISBON, LiveHome, flat, new_store
from measured import HOUR_US, us

from statistics_manager_service import bootstrap
from statistics_manager_service.services.asking import Question, Statistics
from statistics_manager_service.services.carbon.carbon_rows import MEASURED, Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, keep
from statistics_manager_service.services.insight.compared import Matched
from statistics_manager_service.storage.database import SqlStore

Wh = Callable[[int], float]


@pytest.fixture
def home(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> Iterator[LiveHome]:
    store = new_store(sqlite_template, tmp_path)
    yield LiveHome(store, "2024-06-01")
    store.close()


def ask(store: SqlStore, measures: str, start: str, end: str, group_by: str = "daily", **more: Any) -> Statistics:
    question = Question(measures, start, end, group_by, **{"compare": "previous", **more})
    return bootstrap.asking_of(store).statistics("home1", question)


def matched(answer: Statistics, i: int = 0) -> Matched:
    assert answer.comparison is not None
    return answer.comparison.matched(i)


def civil_day(number: int) -> date:
    return datetime.fromtimestamp(number * 900, ZoneInfo(LISBON)).date()


def by_day(of: Callable[[date], float]) -> Wh:
    """Wh of a quarter-hour by its civil day."""
    return lambda number: of(civil_day(number))


def test_a_month_is_set_beside_the_month_before_day_by_day(home: LiveHome) -> None:
    # 1 Wh a quarter-hour in February, 2 in March; the 10th of February and the 20th of March are not measured.
    for begin, end, wh in (
        ("2024-02-01", "2024-02-10", 1), ("2024-02-11", "2024-03-01", 1),
        ("2024-03-01", "2024-03-20", 2), ("2024-03-21", "2024-03-31", 2),
    ):  # fmt: skip
        home.record(begin, end, lambda _, wh=wh: wh)
    answer = ask(home.store, "energy_import", "2024-03-01", "2024-04-01")
    comparison = answer.comparison
    assert comparison is not None
    before = comparison.before[0]
    assert np.isnan(before.value).nonzero()[0].tolist() == [9, 29, 30]  # the 10th; no 30th and 31st of February
    assert before.total == pytest.approx(28 * 96 / 1000)
    found = matched(answer)
    # of 29 days side by side, the 10th and the 20th are not known of both
    assert (found.count, found.of) == (27, 31)
    assert (found.total, found.total_before) == (27 * 96 * 2 / 1000, 27 * 96 / 1000)
    assert (found.change, found.change_share) == (27 * 96 / 1000, 1.0)


@pytest.mark.parametrize("group_by", ["daily", "weekly", "monthly", "yearly", "billing", "total"])
def test_what_is_matched_does_not_depend_on_the_grouping(home: LiveHome, group_by: str) -> None:
    home.record("2023-12-01", "2024-02-20", by_day(lambda day: 1 + day.toordinal() % 7))
    found = matched(ask(home.store, "energy_import", "2024-01-01", "2024-03-01", group_by))
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(50)]
    pairs = [(day, date(2023, day.month + 10, day.day)) for day in days if (day.month, day.day) != (1, 31)]
    pairs = [(day, before) for day, before in pairs if before >= date(2023, 12, 1)]
    assert found.count == len(pairs)
    assert found.total == pytest.approx(sum(96 * (1 + day.toordinal() % 7) for day, _ in pairs) / 1000)
    assert found.total_before == pytest.approx(sum(96 * (1 + day.toordinal() % 7) for _, day in pairs) / 1000)


def test_the_days_so_far_are_compared_with_the_same_days_then(home: LiveHome) -> None:
    home.record("2024-03-31T23:00", "2024-05-12", lambda _: 1)
    home.record("2024-05-12", "2024-05-12T14:00", lambda _: 1)  # now it is the afternoon of the 12th
    answer = ask(home.store, "energy_import", "2024-05-01", "2024-06-01", "monthly")
    found = matched(answer)
    assert (found.count, found.of) == (11, 31)
    assert (found.change, found.change_share) == (0.0, 0.0)
    assert answer.comparison is not None
    assert answer.comparison.before[0].value.tolist() == [pytest.approx(30 * 96 / 1000)]


def test_until_now_a_cut_day_stands_beside_a_day_cut_at_the_same_time(home: LiveHome) -> None:
    home.record("2024-04-01", "2024-05-12T14:00", lambda _: 1)
    found = matched(ask(home.store, "energy_import", "2024-05-12", "2024-05-12T13:00+00:00", group_by="daily"))
    assert (found.count, found.total, found.total_before) == (1, 56 / 1000, 56 / 1000)


def test_a_day_of_23_hours_is_matched_with_one_of_24(home: LiveHome) -> None:
    home.record("2024-03-01", "2024-04-02", lambda _: 1)
    found = matched(ask(home.store, "energy_import", "2024-03-31", "2024-04-01"))
    assert (found.total, found.total_before, found.count) == (92 / 1000, 96 / 1000, 1)


def test_a_rate_is_the_ratio_of_the_sums_of_the_matched_days(home: LiveHome) -> None:
    # import and production by day; nothing is exported: consumption is their sum
    days = {"2024-05-01": (10, 0), "2024-05-02": (5, 15), "2024-05-03": (20, 0), "2024-05-04": (0, 10)}
    for day, (taken, made) in days.items():
        end = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        home.record(f"{day}", end, lambda _, wh=taken: wh)
        home.record(f"{day}", end, lambda _, wh=made: wh, "energy_production", "pv")
    answer = ask(home.store, "self_sufficiency_rate,self_consumption_rate", "2024-05-03", "2024-05-05", timezone="UTC")
    sufficiency, consumption = matched(answer, 0), matched(answer, 1)
    assert (sufficiency.total, sufficiency.total_before) == (pytest.approx(10 / 30), pytest.approx(15 / 30))
    assert sufficiency.change == pytest.approx(-1 / 6)
    assert (consumption.total, consumption.total_before) == (1.0, 1.0)  # days without production weigh nothing
    assert consumption.count == 2


def test_a_rate_that_divides_by_nothing_says_so(home: LiveHome) -> None:
    home.record("2024-05-01", "2024-05-05", lambda _: 1)
    home.record("2024-05-01", "2024-05-05", lambda _: 0, "energy_production", "pv")
    found = matched(ask(home.store, "self_consumption_rate", "2024-05-03", "2024-05-05", timezone="UTC"))
    assert math.isnan(found.total)
    assert found.why == "there was nothing to divide by"


def test_costs_are_compared_as_energies_are(home: LiveHome) -> None:
    home.contract(flat())
    home.record("2024-03-31T23:00", "2024-05-10T23:00", by_day(lambda day: 10.0 if day.month == 4 else 15.0))
    answer = ask(home.store, "cost_import,price_import,peak_demand", "2024-05-01", "2024-06-01", "total")
    cost, price, peak = (matched(answer, i) for i in range(3))
    assert cost.count == 10
    assert (cost.total_before, cost.total) == (pytest.approx(10 * 0.96 * 0.20), pytest.approx(10 * 1.44 * 0.20))
    assert cost.change_share == pytest.approx(0.5)
    assert (price.total, price.total_before) == (pytest.approx(0.20), pytest.approx(0.20))
    assert (peak.total, peak.total_before) == (60.0, 40.0)  # 15 and 10 Wh in a quarter of an hour


def test_where_nothing_is_known_there_is_a_reason(home: LiveHome) -> None:
    home.record("2024-05-01", "2024-05-05", lambda _: 1)
    for compare in ("previous", "year"):
        found = matched(ask(home.store, "energy_import", "2024-05-01", "2024-05-05", compare=compare))
        assert (found.count, found.why) == (0, "no day is known of both times")
        assert math.isnan(found.total)
        assert math.isnan(found.change_share)


def test_a_leap_day_alone_is_compared_with_nothing(home: LiveHome) -> None:
    home.record("2023-02-01", "2024-03-05", lambda _: 1)
    answer = ask(home.store, "energy_import", "2024-02-29", "2024-03-01", "total", compare="year")
    assert matched(answer).why == "no day is known of both times"
    assert answer.comparison is not None
    assert math.isnan(answer.comparison.before[0].total)


def test_of_one_meter_its_own_earlier_time_is_asked(home: LiveHome) -> None:
    home.record("2024-05-01", "2024-05-03", lambda _: 1)
    home.record("2024-05-01", "2024-05-03", lambda _: 7, meter="shed")
    found = matched(ask(home.store, "energy_import", "2024-05-02", "2024-05-03", meter="shed", timezone="UTC"))
    assert (found.total, found.total_before) == (0.672, 0.672)


@pytest.fixture(scope="module")
def level(tmp_path_factory: pytest.TempPathFactory, sqlite_template: pathlib.Path) -> Iterator[LiveHome]:
    """A home that takes the same in each quarter-hour, with days of which nothing is known."""
    store = new_store(sqlite_template, tmp_path_factory.mktemp("level"))
    made = LiveHome(store, "2025-01-01")
    for begin, end in (("2023-01-01", "2023-03-10"), ("2023-03-12", "2023-11-05"), ("2023-11-07", "2024-12-31")):
        made.record(begin, end, lambda _: 3)
    yield made
    store.close()


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, 300),
    days=st.integers(1, 60),
    group_by=st.sampled_from(["15_mins", "hourly", "daily", "weekly", "monthly", "total"]),
    compare=st.sampled_from(["previous", "year"]),
)
def test_a_time_beside_one_that_was_alike_has_not_changed(
    level: LiveHome, first: int, days: int, group_by: str, compare: str
) -> None:
    start = date(2024, 1, 1) + timedelta(days=first)
    end = start + timedelta(days=days)
    answer = ask(
        level.store, "energy_import", start.isoformat(), end.isoformat(), group_by, compare=compare, timezone="UTC"
    )
    found, comparison = matched(answer), answer.comparison
    assert comparison is not None
    if not found.count:
        return
    assert (found.change, found.change_share) == (0.0, 0.0)
    now, then, pair = comparison.now[0], comparison.then[0], comparison.earlier.pair
    both = [(i, j) for i, j in enumerate(pair.tolist()) if j >= 0 and min(now.coverage[i], then.coverage[j]) >= 0.95]
    assert found.count == len(both)
    assert found.total == pytest.approx(sum(now.value[i] for i, _ in both))
    assert found.total_before == pytest.approx(sum(then.value[j] for _, j in both))


def test_the_comparison_of_a_sum_is_the_sum_of_the_comparisons(home: LiveHome) -> None:
    home.record("2024-04-01", "2024-06-01", by_day(lambda day: float(day.day)))
    asking = bootstrap.asking_of(home.store)
    bootstrap.households_of(home.store).put("home2", {"timezone": LISBON})
    other = replace_id(home, "home2")
    other.record("2024-04-01", "2024-06-01", by_day(lambda day: 2.0 * day.month))
    question = Question("energy_import", "2024-05-01", "2024-06-01", "weekly", compare="previous")
    answers = asking.many(["home1", "home2"], question)
    whole = matched(asking.summed(answers))
    parts = [matched(one) for one in answers]
    assert whole.total == pytest.approx(sum(one.total for one in parts))
    assert whole.total_before == pytest.approx(sum(one.total_before for one in parts))
    for one, name in zip(answers, ("home1", "home2"), strict=True):
        alone = asking.statistics(name, replace(question, timezone=one.timezone))
        assert matched(alone) == matched(one)


def tell_intensity(home: LiveHome, begin: str, end: str, grams: int) -> None:
    """Measured hours of the home's grid."""
    first, last = (us(one) // HOUR_US for one in (begin, end))
    told = [ToldIntensity(hour * HOUR_US, HOUR_US, grams * 1000, MEASURED) for hour in range(first, last)]
    with home.store.writing() as view:
        keep(view, "PT", "tests", Method(), told, home.clock())


def test_emissions_are_compared_and_tell_by_what_they_are_then(home: LiveHome) -> None:
    bootstrap.households_of(home.store).patch(
        home.id, {"zone": "PT", "carbon_source": "tests", "carbon_boundary": "lifecycle"}, by_service=True
    )
    home.record("2024-05-01", "2024-05-03", lambda _: 10)
    tell_intensity(home, "2024-05-01", "2024-05-02", 200)
    tell_intensity(home, "2024-05-02", "2024-05-03", 100)
    answer = ask(home.store, "emissions_import,emissions_per_kwh", "2024-05-02", "2024-05-03", timezone="UTC")
    grams, per_kwh = matched(answer, 0), matched(answer, 1)
    assert (grams.total, grams.total_before) == (pytest.approx(96.0), pytest.approx(192.0))
    assert (per_kwh.total, per_kwh.total_before) == (pytest.approx(100.0), pytest.approx(200.0))
    assert answer.comparison is not None
    before = answer.comparison.before[0]
    assert before.more == answer.columns[0].more
    assert before.shares.keys() == answer.columns[0].shares.keys()


def replace_id(home: LiveHome, household: str) -> LiveHome:
    """The same store, and another household of it."""
    found = object.__new__(LiveHome)
    found.__dict__ = {**home.__dict__, "id": household}
    return found
