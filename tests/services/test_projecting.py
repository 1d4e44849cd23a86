"""The live cost of a home: today so far, prices, and what the running billing period will come to."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from live_home import LISBON, LiveHome, flat, lines_of, new_store
from measured import HOUR_US, us

from statistics_manager_service.core.schedules import Mask
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_US
from statistics_manager_service.errors import NotFound
from statistics_manager_service.services.money.day_prices import PriceSpan, cheapest_windows
from statistics_manager_service.services.prices.stand_in_prices import same_times
from statistics_manager_service.storage.database import SqlStore

#: What of a day of the clock is taken: none at night, most in the evening, Wh a quarter-hour.
DAY = [20] * 28 + [120] * 44 + [300] * 16 + [60] * 8
NOW = "2025-03-11T14:07"
#: What is fixed is spread evenly over the 743 hours of March: until NOW of its day.
FIXED = 0.5 * 31 / 743 * (14 + 7 / 60)
BEGIN, MARCH, APRIL = "2025-01-01", "2025-03-01", "2025-04-01"


@pytest.fixture
def store(sqlite_template: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[SqlStore]:
    found = new_store(sqlite_template, tmp_path)
    yield found
    found.close()


def steady(number: int) -> float:
    """The same each day."""
    return DAY[number % 96]


def uneven(number: int) -> float:
    """Another amount each day, the same each time; weekends more."""
    day = number // 96
    return DAY[number % 96] * (0.5 + (day * day * 37 % 101) / 100 + (0.4 if (day + 3) % 7 >= 5 else 0))


def cloudy(number: int) -> float:
    """Every other day the roof gives more than the home takes around noon."""
    return 0 if number // 96 % 2 and 40 <= number % 96 < 60 else 100


def sunny(number: int) -> float:
    """What is given on the other days."""
    return 400 if number // 96 % 2 and 40 <= number % 96 < 60 else 0


def home(
    store: SqlStore, tariff: Any = None, until: str = "2025-03-11T14:00", wh: Any = uneven, **more: Any
) -> LiveHome:
    made = LiveHome(store, NOW, **more)
    made.record(BEGIN, until, wh)
    made.contract(flat() if tariff is None else tariff)
    return made


# --- the projection ---------------------------------------------------------------------------------------------------


def test_a_home_that_is_every_day_the_same_is_projected_to_the_cent(store: SqlStore) -> None:
    made = LiveHome(store, NOW)
    made.contract("pt-btn-tri-horario")
    made.record("2024-11-01", "2025-02-11T14:00", steady)  # no clock is changed: this home lives by UTC
    found = made.projection("2025-02-11T14:07")
    made.record("2025-02-11T14:00", MARCH, steady)
    true = made.statement("2025-02-01", MARCH)
    assert found.low == found.statement.gross == found.high == true.gross
    assert found.import_milliwh == pytest.approx(true.import_milliwh, rel=1e-6)


def test_the_lines_of_a_projection_add_up_to_it_and_it_lies_in_its_range(store: SqlStore) -> None:
    found = home(store, "pt-btn-tri-horario").projection()
    lines = lines_of(found.statement)
    assert sum((line.gross for line in lines), Fraction(0)) == found.statement.gross
    assert found.low < found.statement.gross < found.high
    assert found.low > 0.7 * found.statement.gross
    assert found.high < 1.3 * found.statement.gross
    assert "35 times" in found.method
    assert found.notes == ()


def test_the_reduced_tax_is_that_of_the_whole_period(store: SqlStore) -> None:
    found = home(store, "pt-btn-simples").projection()
    reduced = [one for one in lines_of(found.statement) if one.component == "energy" and float(one.tax_rate) == 0.06]
    assert float(sum(one.quantity for one in reduced)) == pytest.approx(200 * 31 / 30, abs=1e-6)


def test_nothing_behind_now_is_looked_at(store: SqlStore) -> None:
    made = home(store, "pt-btn-tri-horario")
    before = made.projection()
    made.record("2025-03-11T14:15", APRIL, lambda number: 5000)
    after = made.projection()
    assert (after.low, after.statement.gross, after.high) == (before.low, before.statement.gross, before.high)


def test_the_same_home_on_the_same_day_is_drawn_the_same_and_another_home_is_not(store: SqlStore) -> None:
    one = home(store, "pt-btn-tri-horario")
    other = home(store, "pt-btn-tri-horario", household="home2")
    first, again, another = one.projection(), one.projection(), other.projection()
    assert (first.low, lines_of(first.statement)) == (again.low, lines_of(again.statement))
    assert lines_of(first.statement) != lines_of(another.statement)


def test_a_period_that_is_nearly_over_has_hardly_a_range(store: SqlStore) -> None:
    made = home(store, until="2025-03-31T20:00")
    early, late = made.projection("2025-03-11T14:07"), made.projection("2025-03-31T20:00")
    assert (late.high - late.low) * 5 < early.high - early.low
    made.record("2025-03-31T20:00", APRIL, uneven)
    true = made.statement(MARCH, APRIL).gross
    assert float(late.statement.gross) == pytest.approx(float(true), rel=0.03)


def test_what_is_lost_before_now_is_projected_too_and_told(store: SqlStore) -> None:
    made = home(store, wh=steady, until="2025-03-04")
    made.record("2025-03-07", "2025-03-11T14:00", steady)
    found = made.projection()
    assert found.import_milliwh == pytest.approx(31 * sum(DAY) * 1000, rel=0.01)
    assert any("3.0 days are not measured" in one for one in found.notes)
    assert any("3.0 days are not measured" in one for one in made.cost().provisional)


def test_a_home_whose_days_either_take_or_give_is_not_netted_away(store: SqlStore) -> None:
    netted = flat(metering={"netting": "PT15M"}, components=[
        {"id": "energy", "kind": "energy", "price": "0.20"},
        {"id": "surplus", "kind": "energy", "flow": "export", "price": "0.05"},
    ])  # fmt: skip
    made = home(store, netted, wh=cloudy)
    made.record(BEGIN, "2025-03-11T14:00", sunny, "energy_export")
    found = made.projection()
    # a mean day would give 50 and take 200 in each quarter-hour around noon, and all of it would cancel out
    given = [line for line in lines_of(found.statement) if line.component == "surplus"]
    assert float(sum(line.quantity for line in given)) == pytest.approx(31 / 2 * 20 * 0.4, rel=0.15)
    assert found.export_milliwh == pytest.approx(31 / 2 * 20 * 400_000, rel=0.15)


def test_the_greatest_demand_of_a_projection_is_one_of_real_days(store: SqlStore) -> None:
    baked = {us(f"2025-02-{day}T20:00") // QUARTER_US for day in (12, 14, 18, 20, 24, 26)}

    def with_oven(number: int) -> float:
        return steady(number) + (700 if number in baked else 0)

    made = home(store, "be-vlaanderen-capaciteit", wh=with_oven, timezone="Europe/Brussels")
    peak = next(line for line in lines_of(made.projection().statement) if line.kind == "peak")
    # the mean of the months of which anything is known: January's 2.5 kW at least, in February the oven's 4 kW
    march_kw = float(peak.quantity) * 3 - 2.5 - 4
    assert 3.8 < march_kw < 4.2


def test_a_sub_meter_that_is_priced_apart_is_projected(store: SqlStore) -> None:
    made = home(store, "de-14a-modul2", wh=steady, timezone="Europe/Berlin")
    made.record(BEGIN, "2025-03-11T14:00", lambda number: DAY[number % 96] / 2, "energy_consumption", "heat_pump")
    by_id = {line.component: line for line in lines_of(made.projection().statement)}
    assert float(by_id["modul_2"].quantity) == pytest.approx(float(by_id["energy"].quantity) / 2, rel=0.01)


# --- with little ------------------------------------------------------------------------------------------------------


def test_without_a_whole_day_there_is_no_projection_and_the_reason_is_told(store: SqlStore) -> None:
    made = LiveHome(store, NOW)
    made.contract(flat())
    made.record("2025-03-11T01:00", "2025-03-11T14:00", steady)
    assert "of no day yet all of it is known" in made.why_not()
    cost = made.cost()
    assert made.why_not() in cost.provisional
    assert cost.today.cost_net is not None


def test_a_home_without_readings_has_its_fixed_costs_and_no_projection(store: SqlStore) -> None:
    made = LiveHome(store, NOW)
    made.contract(flat())
    cost = made.cost()
    assert (cost.today.cost_import, cost.today.cost_net, cost.today.energy_import_kwh) == (None, None, None)
    assert cost.today.cost_fixed == pytest.approx(FIXED, abs=1e-6)
    assert cost.known_until_us is None
    assert made.why_not()


def test_after_three_days_there_is_a_wide_projection_that_says_so(store: SqlStore) -> None:
    made = LiveHome(store, NOW)
    made.contract(flat())
    made.record("2025-03-08", "2025-03-11T14:00", steady)
    found = made.projection()
    assert any("3 days are known, less than a week" in one for one in found.notes)
    energy = sum(DAY) * 31 / 1000
    assert float(found.statement.gross) == pytest.approx(0.2 * energy + 0.5 * 31, rel=0.05)
    assert found.high - found.low > Fraction(1, 5) * found.statement.gross


def test_a_household_without_contracts_is_told_how_to_name_them(store: SqlStore) -> None:
    made = LiveHome(store, NOW)
    with pytest.raises(NotFound, match="household home1 has no contract in this time: PUT /households/home1/contracts"):
        made.cost()


def test_a_contract_that_ends_within_the_period_is_told(store: SqlStore) -> None:
    made = home(store)
    made.sign({"tariff": "flat", "from": "2024-01-01", "to": "2025-03-20"})
    cost = made.cost()
    assert any("no contract holds from 2025-03-20" in one for one in cost.provisional)
    made.sign({"tariff": "flat", "from": "2024-01-01", "to": "2025-03-10"})
    over = made.cost()
    assert (over.today.cost_net, over.prices.now, over.prices.spans) == (None, None, ())


def test_billing_dates_that_are_over_leave_the_end_of_the_period_open(store: SqlStore) -> None:
    made = home(store, billing_dates=["2025-01-10", "2025-02-10"])
    cost = made.cost()
    assert (cost.start_is_known, cost.end_is_known) == (True, False)
    assert "billing_dates" in made.why_not()
    assert cost.so_far.energy_import_kwh is not None
    assert cost.last_period is not None
    assert cost.last_period.start_us == us("2025-01-10")


# --- prices -----------------------------------------------------------------------------------------------------------

SPOT = flat(
    id="spot", series={"market": {}}, components=[{"id": "energy", "kind": "energy", "price": {"series": "market"}}]
)


def hourly(hour: int) -> str:
    return f"0.{10 + hour % 24:02d}"


def test_prices_that_are_not_known_yet_are_those_of_the_same_hours_of_the_last_days(store: SqlStore) -> None:
    made = home(store, SPOT, wh=steady)
    made.tell_prices("market", BEGIN, [hourly(hour) for hour in range((31 + 28 + 11) * 24)])  # to the end of 03-11
    found = made.projection()
    assert any("market" in one and "last 7 known days" in one for one in found.notes)
    day = sum(wh * float(hourly(i // 4)) for i, wh in enumerate(DAY)) / 1000
    assert float(found.statement.gross) == pytest.approx(day * 31, rel=0.01)
    cost = made.cost()
    assert cost.prices.spans[-1].end_us == us("2025-03-12")
    assert cost.prices.now == 0.24
    made.tell_prices("market", "2025-03-12", [hourly(hour) for hour in range(24)])
    assert made.cost().prices.spans[-1].end_us == us("2025-03-13")


def test_a_series_of_which_nothing_is_known_leaves_the_projection_out(store: SqlStore) -> None:
    made = home(store, SPOT)
    assert "prices of energy are not known" in made.why_not()
    assert made.cost().today.cost_import is None


def test_prices_in_another_currency_do_not_stand_in(store: SqlStore) -> None:
    made = home(store, SPOT)
    made.tell_prices("market", BEGIN, [hourly(hour) for hour in range(90 * 24)], "NOK")
    assert "prices of energy are not known" in made.why_not()


def test_missing_values_are_the_mean_of_the_last_known_ones_of_their_slot() -> None:
    slot = np.tile(np.arange(2), 12)
    units = np.arange(24, dtype=np.int64) * 10
    known: Mask = np.ones(24, np.bool_)
    known[[4, 16, 20, 22]] = False
    filled, is_known = same_times(units, known, slot, 2)
    assert is_known.all()
    assert filled.dtype == np.int64
    # slot 0 is known at 0, 20, 60, 80, 100, 120, 140, 180: of seven of them the mean, of fewer theirs
    assert filled[4 - 2] == 10
    assert filled[20 - 2] == filled[22 - 2] == 100
    assert filled[16 - 2] == round((20 + 60 + 80 + 100 + 120 + 140) / 7 + 0 / 7)
    assert [one for i, one in enumerate(filled) if known[i + 2]] == [
        one for i, one in enumerate(units) if known[i] and i >= 2
    ]


def test_values_that_are_missing_before_all_others_are_those_behind() -> None:
    filled, known = same_times(np.array([0, 0, 7, 9]), np.array([False, False, True, True]), np.zeros(4, np.int64), 0)
    assert known.all()
    assert filled.tolist() == [8, 8, 7, 9]


def test_a_slot_that_is_never_known_stays_unknown() -> None:
    _, known = same_times(np.array([0, 5]), np.array([False, True]), np.array([0, 1]), 0)
    assert known.tolist() == [False, True]


def spans(begin: str, *prices: float | None) -> tuple[PriceSpan, ...]:
    """Hours of prices; None where it is not known."""
    hours = enumerate(prices)
    return tuple(
        PriceSpan(us(begin) + i * HOUR_US, us(begin) + (i + 1) * HOUR_US, p) for i, p in hours if p is not None
    )


def windows(some: tuple[PriceSpan, ...], now: str) -> dict[int, tuple[int, float]]:
    """Of each length: the hour of the day at which the cheapest window begins, and its price."""
    midnight = us(now[:10])
    found = cheapest_windows(some, us(now))
    return {round(one.hours): (round((one.start_us - midnight) / HOUR_US, 2), one.price) for one in found}


def test_the_cheapest_windows_begin_from_now_on_and_may_cross_prices() -> None:
    some = spans("2025-03-11", 0.1, 0.3, 0.2, -0.1, 0.25, 0.1, 0.1, 0.4)
    assert windows(some, "2025-03-11T00:00") == {1: (3, -0.1), 2: (2, 0.05), 4: (3, 0.0875)}
    assert windows(some, "2025-03-11T03:50") == {1: (5, 0.1), 2: (5, 0.1), 4: (4, 0.2125)}


def test_a_window_lies_where_all_prices_are_known() -> None:
    some = spans("2025-03-11", 0.3, 0.1, None, 0.2, 0.4)
    assert windows(some, "2025-03-11T00:00") == {1: (1, 0.1), 2: (0, 0.2)}
    assert windows(some, "2025-03-11T04:30") == {}
    assert windows((), "2025-03-11T04:30") == {}


def test_neighbouring_hours_of_one_price_are_one(store: SqlStore) -> None:
    cost = home(store, "pt-btn-bi-horario").cost()
    found = [(one.start_us - us("2025-03-11")) / HOUR_US for one in cost.prices.spans]
    assert found == [0, 8, 22, 32, 46]
    assert cost.prices.now == cost.prices.spans[1].price
    assert [round(one.hours) for one in cost.prices.cheapest] == [1, 2, 4]


# --- today and days before --------------------------------------------------------------------------------------------


def test_today_is_what_statistics_tell_of_it(store: SqlStore) -> None:
    cost = home(store).cost()
    taken = sum(
        uneven(number) for number in range(us("2025-03-11") // QUARTER_US, us("2025-03-11T14:00") // QUARTER_US)
    )
    today = cost.today
    assert today.energy_import_kwh == pytest.approx(taken / 1000, abs=1e-6)
    assert today.cost_import == pytest.approx(0.2 * taken / 1000, abs=1e-6)
    assert today.cost_fixed == pytest.approx(FIXED, abs=1e-6)
    assert today.revenue_export == 0
    assert today.cost_net == pytest.approx((today.cost_import or 0) + (today.cost_fixed or 0), abs=1e-8)
    assert today.energy_export_kwh is None
    assert today.coverage == pytest.approx(14 * 60 / (14 * 60 + 7), abs=1e-5)


def test_other_days_are_counted_until_the_same_time_by_the_clock(store: SqlStore) -> None:
    cost = home(store).cost()
    for one, day in ((cost.yesterday, "2025-03-10"), (cost.week_ago, "2025-03-04")):
        assert (one.start_us, one.end_us) == (us(day), us(f"{day}T14:07"))
        first, last = us(day) // QUARTER_US, us(f"{day}T14:00") // QUARTER_US
        taken = sum(uneven(number) for number in range(first, last)) + uneven(last) * 7 / 15
        assert one.energy_import_kwh == pytest.approx(taken / 1000, abs=1e-6)
        assert one.cost_net == pytest.approx(0.2 * taken / 1000 + FIXED, abs=1e-6)


def test_a_week_ago_may_be_in_the_period_before(store: SqlStore) -> None:
    made = home(store, "pt-btn-simples", wh=steady)
    cost = made.cost("2025-03-03T12:00")
    assert cost.week_ago.end_us == us("2025-02-24T12:00")
    assert cost.week_ago.energy_import_kwh == cost.yesterday.energy_import_kwh == pytest.approx(sum(DAY[:48]) / 1000)


@pytest.mark.parametrize(
    ("day", "hours", "now"), [("2025-03-30", 23, "2025-03-30T17:00"), ("2025-10-26", 25, "2025-10-26T18:00")]
)
def test_on_the_days_of_the_clock_change_the_day_is_the_civil_one(
    store: SqlStore, day: str, hours: int, now: str
) -> None:
    made = LiveHome(store, now)
    begin, end = ("2025-02-01", "2025-03-30T17:00") if hours == 23 else ("2025-09-01", "2025-10-26T18:00")
    made.record(begin, end, lambda number: 100)
    made.contract(flat())
    cost = made.cost()
    clock = 18  # by the wall
    passed = clock - 1 if hours == 23 else clock + 1
    assert (cost.now_us - cost.today.start_us) / HOUR_US == passed
    assert cost.today.cost_fixed == pytest.approx(0.5 * 31 / (31 * 24 + hours - 24) * passed, abs=1e-6)
    assert (cost.yesterday.end_us - cost.yesterday.start_us) / HOUR_US == clock
    first, second = cost.prices.spans[0], cost.prices.spans[-1]
    assert (first.start_us, (second.end_us - first.start_us) / HOUR_US) == (cost.today.start_us, hours + 24)


def test_within_a_minute_the_answer_stays_the_same(store: SqlStore) -> None:
    made = home(store)
    assert made.cost("2025-03-11T14:07:01") == made.cost("2025-03-11T14:07:59")
    assert made.cost("2025-03-11T14:08:00").now_us == us("2025-03-11T14:08")


def test_at_midnight_nothing_of_the_day_has_passed(store: SqlStore) -> None:
    cost = home(store, until="2025-03-11").cost("2025-03-11T00:00")
    assert cost.today.cost_net is None
    assert cost.today.coverage == 0
    assert cost.yesterday.end_us == cost.yesterday.start_us
    assert isinstance(cost.so_far.cost_net, float)


# --- the period before ------------------------------------------------------------------------------------------------


def test_the_period_before_is_told_where_it_is_known(store: SqlStore) -> None:
    made = home(store, "pt-btn-tri-horario")
    cost = made.cost()
    assert cost.last_period is not None
    assert cost.last_period.gross == made.statement("2025-02-01", MARCH).gross
    assert cost.year_ago is None
    assert made.cost("2025-01-20").last_period is None


def test_a_corrected_reading_changes_the_period_before_at_the_next_question(store: SqlStore) -> None:
    made = home(store)
    before = made.cost().last_period
    made.record("2025-02-10T10:00", "2025-02-10T10:15", lambda number: 10_000)
    after = made.cost().last_period
    assert before is not None and after is not None
    assert after.gross > before.gross


def test_so_far_is_the_statement_of_what_is_measured(store: SqlStore) -> None:
    made = home(store)
    cost = made.cost()
    assert cost.so_far.cost_import == pytest.approx(
        0.2 * made.statement(MARCH, APRIL).import_milliwh / MILLIWH_PER_KWH, abs=1e-6
    )
    assert (cost.so_far.start_us, cost.so_far.end_us) == (us(MARCH), cost.now_us)
    assert "the billing period is not over" in cost.provisional


def test_a_period_of_a_year_is_projected_from_the_year_before(store: SqlStore) -> None:
    yearly = flat(billing={"cycle": {"every": "P1Y"}})
    made = LiveHome(store, NOW)

    def by_season(number: int) -> float:
        return 100 + 80 * float(np.cos((number // 96 % 365.25) / 365.25 * 2 * np.pi))

    made.record("2024-01-01", "2025-03-11T14:00", by_season)
    made.contract(yearly)
    found = made.projection()
    assert (found.statement.start_us, found.statement.end_us) == (us(BEGIN), us("2025-12-31T23:00") + HOUR_US)
    year = sum(by_season(number) for number in range(us(BEGIN) // QUARTER_US, us("2026-01-01") // QUARTER_US)) / 1000
    winter = sum(by_season(number) for number in range(us("2025-02-11") // QUARTER_US, us("2025-03-11") // QUARTER_US))
    assert found.import_milliwh / MILLIWH_PER_KWH == pytest.approx(year, rel=0.05)
    assert winter / 1000 / 28 * 365 > 1.3 * year  # what the last weeks alone would tell
    assert "15 times" in found.method


def test_prices_are_those_of_the_zone_of_the_tariff_for_a_home_elsewhere(store: SqlStore) -> None:
    made = home(store, "pt-btn-bi-horario", timezone="Atlantic/Azores")
    cost = made.cost()
    assert cost.household.timezone == "Atlantic/Azores" != LISBON
    assert cost.prices.spans[0].start_us == us("2025-03-11T01:00")
    assert cost.prices.spans[1].start_us == us("2025-03-11T08:00")
