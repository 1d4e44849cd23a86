"""Goals of households: what may be put, what was known then, and how the running period stands."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from live_home import LISBON, LiveHome, flat, new_store

from statistics_manager_service import bootstrap
from statistics_manager_service.core.spans import civil_date
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.services.insight.goal_progress import GoalProgress, GoalsInTime
from statistics_manager_service.services.insight.goals import MOST_GOALS, Goals
from statistics_manager_service.services.insight.records import Records, RecordsQuestion
from statistics_manager_service.storage.database import SqlStore


def goal(**more: Any) -> dict[str, Any]:
    if "at_least" not in more:
        more = {"at_most": 100, **more}
    return {"id": "one", "measure": "energy_import", "period": "month", "unit": "kWh", **more}


class GoalHome(LiveHome):
    """A home with goals."""

    def __init__(self, store: SqlStore, now: str) -> None:
        super().__init__(store, now)
        self.goals = Goals(self.store, self.clock)
        asking = bootstrap.asking_of(self.store)
        asking.now_us = self.clock
        self.records = Records(asking)
        self.in_time = GoalsInTime(self.store, asking, self.live, self.clock)

    def put(self, *goals: dict[str, Any]) -> bool:
        return self.goals.put(self.id, {"goals": list(goals)})[1]

    def faults(self, *goals: Any) -> dict[str, str]:
        with pytest.raises(BadInput) as error:
            self.put(*goals)
        return {one.where: one.why for one in error.value.faults}

    def progress(self, now: str | None = None, on: str | None = None) -> GoalProgress:
        if now is not None:
            self.clock.set(now)
        (one,) = self.in_time.of(self.id, on).goals
        return one


@pytest.fixture
def home(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> Iterator[GoalHome]:
    store = new_store(sqlite_template, tmp_path)
    made = GoalHome(store, "2024-06-01")
    yield made
    store.close()


# --- what may be put --------------------------------------------------------------------------------------------------


def test_goals_replace_those_before_which_stay_as_a_revision(home: GoalHome) -> None:
    assert home.put(goal())
    home.clock.set("2024-07-01")
    assert not home.put(goal(at_most=90), goal(id="two"))
    assert not home.put(goal(at_most=90), goal(id="two"))
    now, then = home.goals.get(home.id), home.goals.get(home.id, "2024-06-15")
    assert ([one["id"] for one in now.goals], [one["at_most"] for one in then.goals]) == (["one", "two"], [100.0])
    assert home.goals.get(home.id, "2024-05-01").told_us is None
    with home.store.reading() as view:
        household = view.household(home.id)
        assert household is not None
        assert [len(one.goals) for one in view.goal_revisions(household.household_no)] == [1, 2]


@pytest.mark.parametrize(
    ("more", "where", "why"),
    [
        ({"measure": "happiness"}, "goals[0].measure", "'happiness' is no measure"),
        ({"unit": "EUR"}, "goals[0].unit", "kWh or Wh or MWh"),
        ({"measure": "cost_net", "unit": "kWh"}, "goals[0].unit", "in a currency, such as EUR"),
        ({"measure": "price_import", "unit": "EUR"}, "goals[0].unit", "EUR/kWh"),
        ({"measure": "self_sufficiency_rate"}, "goals[0].unit", "1 or %"),
        ({"at_least": 5, "at_most": 6}, "goals[0]", "one of `at_most` and `at_least`"),
        ({"at_least": None}, "goals[0]", "one of `at_most` and `at_least`"),
        ({"at_most": -1}, "goals[0].at_most", "negative"),
        ({"at_most": 1e13}, "goals[0].at_most", "less than or equal"),
        ({"at_most": "7"}, "goals[0].at_most", "number"),
        ({"period": "decade"}, "goals[0].period", "'day', 'week'"),
        ({"id": "A b"}, "goals[0].id", "pattern"),
        ({"colour": "red"}, "goals[0].colour", "not permitted"),
    ],
)
def test_a_goal_that_can_not_be_is_refused(home: GoalHome, more: dict[str, Any], where: str, why: str) -> None:
    found = home.faults(goal(**more))
    assert set(found) == {where}
    assert why in found[where]


def test_all_faults_of_all_goals_are_told_at_once(home: GoalHome) -> None:
    found = home.faults(goal(measure="happiness"), goal(unit="A"), 7, goal(id="x", period="decade"))
    assert set(found) == {"goals[0].measure", "goals[1].unit", "goals[1].id", "goals[2]", "goals[3].period"}
    found = home.faults(goal(measure="happiness", period="decade", at_most="7"))
    assert set(found) == {"goals[0].measure", "goals[0].period", "goals[0].at_most"}
    many = [goal(id=f"g{i}") for i in range(MOST_GOALS + 1)]
    assert home.faults(*many)["goals"] == "51 goals are told; a household can have 50"


@pytest.mark.parametrize("body", [None, [], {}, {"goals": 7}, {"goals": {}}])
def test_a_body_without_a_list_of_goals_is_refused(home: GoalHome, body: Any) -> None:
    with pytest.raises(BadInput, match="must be a JSON object with `goals`"):
        home.goals.put(home.id, body)


def test_money_is_in_the_currency_of_the_household(home: GoalHome) -> None:
    bootstrap.households_of(home.store).patch(home.id, {"currency": "EUR"}, by_service=True)
    found = home.faults(goal(measure="cost_net", unit="GBP"))
    assert found == {"goals[0].unit": "the household pays in EUR: the unit is EUR"}
    assert home.put(goal(measure="cost_net", unit="EUR", at_most=-5))


def test_goals_of_a_household_that_is_not_there_are_not_found(home: GoalHome) -> None:
    for ask in (lambda: home.goals.get("nobody"), lambda: home.goals.put("nobody", {"goals": []})):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(NotFound):
        home.in_time.of("nobody")


# --- how the running period stands ------------------------------------------------------------------------------------


@pytest.fixture
def steady(home: GoalHome) -> GoalHome:
    """A home that takes 2.4 kWh a day since January, at 25 Wh a quarter-hour."""
    home.record("2024-01-01", "2024-05-12T13:00", lambda _: 25)
    home.clock.set("2024-05-12T13:07")
    return home


def test_what_is_used_and_what_it_comes_to_at_the_end(steady: GoalHome) -> None:
    steady.put(goal(at_most=75))
    one = steady.progress()
    # May in Lisbon begins at 23:00 UTC: 13:00 UTC is 11 days and 14 hours later
    assert one.used == pytest.approx((11 * 24 + 14) * 0.1)
    assert one.elapsed == pytest.approx((11 * 24 + 14) / (31 * 24), abs=1e-6)
    assert one.projected is not None
    assert (one.projected.value, one.projected.low, one.projected.high) == (74.4, 74.4, 74.4)
    assert (one.status, one.is_sure) == ("on_track", True)
    assert "19.4 days that are not known" in one.projected.method
    steady.put(goal(at_most=74))
    assert (steady.progress().status, steady.progress().is_sure) == ("will_miss", True)
    steady.put(goal(at_least=74))
    assert steady.progress().status == "on_track"


def test_a_limit_that_is_passed_is_missed_and_a_reached_least_is_kept(steady: GoalHome) -> None:
    steady.put(goal(at_most=10))
    assert (steady.progress().status, steady.progress().is_sure) == ("missed", True)
    steady.put(goal(at_least=10))
    assert steady.progress().status == "kept"


def test_a_past_date_is_told_by_what_was_measured_until_its_end(steady: GoalHome) -> None:
    steady.put(goal(at_most=75))
    one = steady.progress(on="2024-04-10")
    assert one.used == pytest.approx(10 * 2.4)
    assert one.projected is not None
    assert one.projected.value == pytest.approx(30 * 2.4)
    over = steady.progress(on="2024-04-30")
    assert (over.elapsed, over.used, over.status) == (1.0, pytest.approx(72.0), "kept")
    assert (over.projected, over.why_not_projected) == (None, "the period is over")
    with pytest.raises(BadInput, match="on: it is to come"):
        steady.progress(on="2024-05-13")


def test_the_first_moment_of_a_period_has_used_nothing(steady: GoalHome) -> None:
    steady.record("2024-05-12T13:00", "2024-05-31T23:00", lambda _: 25)
    steady.put(goal(at_most=75))
    one = steady.progress("2024-05-31T23:00")
    assert (one.used, one.elapsed) == (0.0, 0.0)
    assert one.projected is not None
    assert one.projected.value == pytest.approx(72.0)


def test_past_periods_are_told_with_the_streak_of_those_kept(home: GoalHome) -> None:
    # 2, 1, 1, 3, 1, 1, 1 kWh on the days of a week
    energies = [2, 1, 1, 3, 1, 1, 1]
    for i, kwh in enumerate(energies):
        day = date(2024, 5, 1) + timedelta(days=i)
        begin, end = (f"{one}T23:00" for one in (day - timedelta(days=1), day))
        home.record(begin, end, lambda _, kwh=kwh: kwh * 1000 / 96)
    home.put(goal(period="day", at_most=1.5))
    one = home.progress("2024-05-08T09:00")
    assert [past.is_kept for past in one.past] == [True, True, True, False, True, True, False]
    assert [past.value for past in one.past] == pytest.approx(energies[::-1], abs=1e-4)
    assert (one.streak, one.longest) == (3, 3)


def test_a_past_period_of_which_too_little_is_known_is_neither(home: GoalHome) -> None:
    home.record("2024-04-30T23:00", "2024-05-02T23:00", lambda _: 10)
    home.record("2024-05-03T23:00", "2024-05-05T23:00", lambda _: 10)
    home.put(goal(period="day", at_most=1.5))
    one = home.progress("2024-05-06T09:00")
    assert [past.is_kept for past in one.past] == [True, True, None, True, True]
    assert (one.streak, one.longest) == (2, 2)


def test_a_home_that_is_known_for_some_days_alone_is_not_projected(home: GoalHome) -> None:
    home.record("2024-05-29", "2024-06-01", lambda _: 10)
    home.put(goal())
    one = home.progress("2024-06-01T12:00")
    assert one.projected is None
    assert one.status is None
    assert one.why is not None
    assert "2 days are known; it takes 7" in one.why


def test_a_home_without_readings_says_so(home: GoalHome) -> None:
    home.put(goal())
    one = home.progress()
    assert (math.isnan(one.used), one.status, one.past) == (True, None, ())
    assert one.why == "no readings of this measure are known"


def test_a_short_past_is_projected_without_a_range(home: GoalHome) -> None:
    home.record("2024-05-10", "2024-06-05", lambda _: 25)
    home.put(goal(at_most=75))
    one = home.progress("2024-06-05")
    assert one.projected is not None
    assert math.isnan(one.projected.low)
    assert (one.status, one.is_sure) == ("on_track", None)
    assert one.projected.notes == ("the home's past is too short to tell how far the projection may be off",)


def test_a_year_of_which_no_year_before_is_known_is_not_judged(steady: GoalHome) -> None:
    steady.put(goal(period="year", at_most=900))
    one = steady.progress()
    assert one.projected is not None
    assert one.projected.value == pytest.approx(366 * 2.4)
    assert (one.status, math.isnan(one.projected.low)) == (None, True)
    assert one.why is not None
    assert "no year before is known" in one.why


def test_a_month_of_31_days_is_judged_from_its_first_moment(steady: GoalHome) -> None:
    steady.put(goal(at_most=75))
    one = steady.progress("2024-05-01T00:15")
    assert one.projected is not None
    assert (one.projected.value, one.projected.low, one.projected.high) == (74.4, 74.4, 74.4)
    assert (one.projected.notes, one.status, one.is_sure) == ((), "on_track", True)


def test_a_long_billing_period_looks_at_the_year_before(home: GoalHome) -> None:
    home.record("2022-01-01", "2024-05-12", lambda _: 25)
    bootstrap.households_of(home.store).patch(home.id, {"billing_dates": ["2024-05-10", "2024-07-09"]}, by_service=True)
    home.put(goal(period="billing", at_most=145))
    one = home.progress("2024-05-12")
    assert one.projected is not None
    assert one.projected.value == pytest.approx(60 * 2.4)
    assert "of a year before" in one.projected.method
    assert (one.status, one.is_sure) == ("on_track", True)


def test_a_rate_is_projected_as_the_ratio_of_the_sums(home: GoalHome) -> None:
    def sun(number: int) -> int:
        return 100 if 40 <= number % 96 < 60 else 0

    home.record("2024-01-01", "2024-05-12", lambda _: 25)
    home.record("2024-01-01", "2024-05-12", sun, "energy_production", "pv")
    home.put(goal(measure="self_sufficiency_rate", at_least=40, unit="%"))
    one = home.progress("2024-05-12")
    share = 100 * 20 * 100 / (20 * 100 + 96 * 25)  # nothing is exported
    assert one.projected is not None
    assert one.projected.value == pytest.approx(share, abs=0.01)
    assert one.used == pytest.approx(share, abs=0.5)
    assert (one.projected.low, one.projected.high) == (pytest.approx(share, abs=0.01), pytest.approx(share, abs=0.01))
    assert (one.status, one.is_sure) == ("on_track", True)


def test_a_peak_that_is_above_its_limit_is_missed_and_else_not_projected(steady: GoalHome) -> None:
    steady.contract(flat())
    steady.put(goal(measure="peak_demand", period="billing", at_most=0.09, unit="kW"))
    assert steady.progress().status == "missed"  # 25 Wh in a quarter-hour are 100 W
    steady.put(goal(measure="peak_demand", period="billing", at_most=3, unit="kW"))
    one = steady.progress()
    assert (one.used, one.status) == (0.1, None)
    assert one.why == "what is to come of peak_demand can't be added to what is known"


def test_what_a_bill_comes_to_is_the_projected_bill(steady: GoalHome) -> None:
    steady.contract(flat())
    steady.put(goal(measure="cost_net", period="billing", at_most=40, unit="EUR"))
    one, bill = steady.progress(), steady.projection()
    assert one.projected is not None
    assert (one.projected.value, one.projected.method) == (float(bill.statement.gross), bill.method)
    # 31 days at 0.50 and 2.4 kWh at 0.20
    assert one.projected.value == pytest.approx(31 * (0.5 + 2.4 * 0.2), abs=0.02)
    assert one.status == "on_track"
    asked = steady.progress(on="2024-05-11")
    assert asked.projected is not None
    assert asked.projected.value == pytest.approx(31 * (0.5 + 2.4 * 0.2), abs=0.02)
    assert "what is usual" in asked.projected.method


def test_costs_of_a_home_without_contracts_say_why_they_are_not_known(steady: GoalHome) -> None:
    steady.put(goal(measure="cost_net", unit="EUR"))
    one = steady.progress()
    assert (one.status, one.why) == (None, "no contract of the household tells in which currency it pays")


def test_costs_before_the_first_contract_say_that_none_holds(home: GoalHome) -> None:
    home.record("2024-01-01", "2024-01-02", lambda _: 25)
    home.contract(flat())
    home.put(goal(measure="cost_net", period="billing", unit="EUR"))
    bootstrap.households_of(home.store).patch(home.id, {"billing_day": 10}, by_service=True)
    one = home.progress(on="2024-01-01")
    assert (math.isnan(one.used), one.why) == (True, "no contract of the household holds")


def test_listed_billing_dates_that_end_do_not_tell_a_period(steady: GoalHome) -> None:
    bootstrap.households_of(steady.store).patch(
        steady.id, {"billing_dates": ["2024-01-10", "2024-02-10"]}, by_service=True
    )
    steady.put(goal(period="billing"))
    one = steady.progress()
    assert (one.period, one.status) == (None, None)
    assert one.why is not None
    assert "do not tell when the running billing period begins" in one.why


# --- records ----------------------------------------------------------------------------------------------------------


def test_records_of_a_home_are_of_whole_days_that_are_known(home: GoalHome) -> None:
    energies = {"2024-05-06": 10, "2024-05-07": 30, "2024-05-08": 30, "2024-05-09": 5, "2024-05-11": 20}
    for day, wh in energies.items():
        begin = (date.fromisoformat(day) - timedelta(days=1)).isoformat() + "T23:00"
        home.record(begin, f"{day}T23:00", lambda _, wh=wh: wh)
    home.record("2024-05-11T23:00", "2024-05-12T08:00", lambda _: 100)  # today is not over
    home.clock.set("2024-05-12T08:00")
    conditions = (("at_least", 2.0), ("at_most", 1.0), ("above", 2.88))
    found = home.records.of(
        home.id, RecordsQuestion("energy_import", "2024-05-06", "2024-05-13", conditions=conditions)
    )
    daily = found.records["daily"]
    assert daily.highest is not None
    assert daily.lowest is not None
    assert (daily.highest.value, day_of(daily.highest.start_us)) == (2.88, "2024-05-07")  # the 8th is as high
    assert (daily.lowest.value, day_of(daily.lowest.start_us)) == (0.48, "2024-05-09")
    assert (daily.counted, daily.left_out) == (5, 1)
    least, most, above = found.streaks
    assert least.longest is not None
    assert (least.held, least.longest.length, day_of(least.longest.start_us)) == (2, 2, "2024-05-07")
    assert least.current is None
    assert (most.held, most.longest and most.longest.length, most.current) == (2, 1, None)
    assert (above.held, above.longest) == (0, None)
    assert found.records["weekly"].counted == 0  # the week is not over
    assert found.records["monthly"].left_out == 0  # nor is the month


def day_of(at_us: int) -> str:
    return civil_date(LISBON, at_us).isoformat()


def test_a_month_that_the_time_cuts_off_is_no_record(home: GoalHome) -> None:
    home.record("2024-01-31", "2024-04-20", lambda _: 1)
    found = home.records.of(home.id, RecordsQuestion("energy_import", "2024-02-10", "2024-04-20"))
    monthly = found.records["monthly"]
    assert (monthly.counted, monthly.left_out) == (1, 2)
    assert monthly.highest == monthly.lowest


def test_where_nothing_counts_there_are_no_records_and_a_reason(home: GoalHome) -> None:
    found = home.records.of(home.id, RecordsQuestion("energy_import", "2024-05-01", "2024-05-03"))
    assert (found.records["daily"].highest, found.records["daily"].left_out) == (None, 2)
    assert found.why == "of no energy_import of this time 95% are measured or estimated"
