"""What energy costs: by schedules and their clocks, by series and what stands in for missing prices, by tiers.

Every expected figure is worked out by hand beside it.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from billing_of import Billed, bill, bill_of, month_periods, one_period, quarter, series, small, term_of

LISBON = "Europe/Lisbon"
LONDON = "Europe/London"
DAY_NIGHT = [{"period": "day", "from": "07:00", "to": "23:00"}, {"period": "night"}]


def energy(price: Any, **others: Any) -> dict[str, Any]:
    return {"id": "energy", "kind": "energy", "price": price, **others}


def by_period(billed: Billed) -> dict[str | None, Fraction]:
    """kWh of each period of the lines."""
    found: dict[str | None, Fraction] = {}
    for one in billed.lines:
        found[one.period] = found.get(one.period, Fraction(0)) + one.quantity
    return found


# --- schedules --------------------------------------------------------------------------------------------------------


def economy_7(clock: str) -> dict[str, Any]:
    entries = [{"period": "night", "from": "00:30", "to": "07:30"}, {"period": "day"}]
    return small(
        energy({"schedule": "e7", "values": {"night": "0.1", "day": "0.3"}}),
        time_zone=LONDON,
        calendars={"schedules": {"e7": {"clock": clock, "entries": entries}}},
    )


@pytest.mark.parametrize(
    ("clock", "night"),
    [
        ("utc", ["01:30", "08:15"]),  # 00:30–07:30 GMT is 01:30–08:30 in summer
        ("standard", ["01:30", "08:15"]),
        ("civil", ["00:30", "07:15"]),
    ],
)
def test_windows_are_read_by_their_clock(clock: str, night: list[str]) -> None:
    for month, hours in (("07", night), ("01", ["00:30", "07:15"])):
        first, last = (f"2024-{month}-10 {one}" for one in hours)
        kwh = {first: "1", last: "1"}
        assert by_period(bill_of(economy_7(clock), f"2024-{month}-10", f"2024-{month}-11", kwh)) == {"night": 2}
    outside = {"2024-07-10 01:15": "1", "2024-07-10 08:30": "1"}
    if clock != "civil":
        assert by_period(bill_of(economy_7(clock), "2024-07-10", "2024-07-11", outside)) == {"day": 2}


def test_a_window_that_ends_the_next_morning_belongs_to_its_evening() -> None:
    """Weekdays 07:30–00:30, as announced for Portugal: Saturday's first half hour is Friday's."""
    entries = [{"period": "FV", "days": "mon-fri", "from": "07:30", "to": "00:30"}, {"period": "V"}]
    told = small(
        energy({"schedule": "s", "values": {"FV": "0.2", "V": "0.1"}}), calendars={"schedules": {"s": entries}}
    )
    kwh = {"2024-01-13 00:15": "1", "2024-01-13 00:30": "2", "2024-01-15 00:15": "4", "2024-01-15 07:30": "8"}
    assert by_period(bill_of(told, "2024-01-12", "2024-01-16", kwh)) == {"FV": 9, "V": 6}  # the 13th is a Saturday


def test_windows_that_change_do_so_at_midnight() -> None:
    """Off-peak from 22:00 until 08:00; from 1 March on from 23:00 until 09:00."""
    dated = [
        {"from": "2020-01-01", "entries": [{"period": "V", "from": "22:00", "to": "08:00"}, {"period": "FV"}]},
        {"from": "2024-03-01", "entries": [{"period": "V", "from": "23:00", "to": "09:00"}, {"period": "FV"}]},
    ]
    told = small(
        energy({"schedule": "s", "values": {"FV": "0.2", "V": "0.1"}}), calendars={"schedules": {"s": {"dated": dated}}}
    )
    kwh = {"2024-02-29 08:30": "1", "2024-02-29 22:30": "2", "2024-03-01 08:30": "4", "2024-03-01 22:30": "8"}
    assert by_period(bill_of(told, "2024-02-29", "2024-03-02", kwh)) == {"FV": 9, "V": 6}


def test_seasons_holidays_and_weekdays_choose_windows() -> None:
    calendars = {
        "season": {
            "winter": {"dst": False},
            "months": {"months": [12, 1]},
            "turn": {"dates": [{"from": "12-20", "to": "01-10"}]},
        },
        "holidays": {
            "h": {"every_year": ["12-25"], "listed": ["2024-03-29"]},
            "es": {"of": {"library": "holidays", "country": "ES", "only_fixed_dates": True}},
        },
        "schedules": {
            "by_season": [{"period": "A", "season": ["turn", "months"]}, {"period": "B"}],
            "by_legal": [{"period": "A", "season": "winter"}, {"period": "B"}],
            "by_day": {
                "holidays": "h",
                "entries": [{"period": "A", "days": ["sat", "sun", "holiday"]}, {"period": "B"}],
            },
            "by_law": {"holidays": "es", "entries": [{"period": "A", "days": ["holiday"]}, {"period": "B"}]},
        },
    }

    def period(schedule: str, day: str) -> str | None:
        told = small(energy({"schedule": schedule, "values": {"A": "1", "B": "2"}}), calendars=calendars)
        end = str(np.datetime64(day) + 1)
        return next(iter(by_period(bill_of(told, day, end, {f"{day} 12:00": "1"}))))

    assert [period("by_season", day) for day in ("2024-12-01", "2024-11-30", "2025-01-31", "2025-02-01")] == [*"ABAB"]
    assert [period("by_legal", day) for day in ("2024-03-30", "2024-03-31", "2024-10-26", "2024-10-27")] == [*"ABBA"]
    days = ("2024-12-25", "2024-12-24", "2024-03-29", "2024-12-28", "2025-03-28")  # Wed, Tue, Good Friday, Sat, Fri
    assert [period("by_day", day) for day in days] == [*"ABAAB"]
    # Good Friday of 2024 moves, 1 May and 6 December do not
    assert [period("by_law", day) for day in ("2024-03-29", "2024-05-01", "2024-12-06")] == [*"BAA"]


def test_lines_can_be_split_by_a_schedule_that_the_price_has_not() -> None:
    told = small(energy("0.2", split_by="s"), calendars={"schedules": {"s": DAY_NIGHT}})
    kwh = {"2024-01-10 12:00": "3", "2024-01-10 23:30": "4"}
    assert by_period(bill_of(told, "2024-01-10", "2024-01-11", kwh)) == {"day": 3, "night": 4}
    spot = small(energy({"series": "x"}, split_by="s"), calendars={"schedules": {"s": DAY_NIGHT}}, series={"x": {}})
    at = {quarter(LISBON, "2024-01-10 12:00"): "0.5", quarter(LISBON, "2024-01-10 23:30"): "0.25"}
    billed = bill_of(spot, "2024-01-10", "2024-01-11", kwh, source=series({"x": at}))
    assert [(one.period, one.net, one.unit_price) for one in billed.lines] == [
        ("day", Fraction("1.5"), Fraction("0.5")),
        ("night", 1, Fraction("0.25")),
    ]


def test_a_price_of_a_period_can_itself_be_an_expression() -> None:
    """Indexed by day and fixed at night: max(0, spot × 1.2 + 0.01), or 0.08."""
    day = {"max": ["0", {"add": [{"mul": [{"series": "x"}, "1.2"]}, "0.01"]}]}
    told = small(
        energy({"schedule": "s", "values": {"day": day, "night": "0.08"}}),
        calendars={"schedules": {"s": DAY_NIGHT}},
        series={"x": {}},
    )
    values = {quarter(LISBON, "2024-01-10 12:00"): "0.1", quarter(LISBON, "2024-01-10 12:15"): "-0.5"}
    kwh = {"2024-01-10 12:00": "1", "2024-01-10 12:15": "1", "2024-01-10 23:30": "1"}
    billed = bill_of(told, "2024-01-10", "2024-01-11", kwh, source=series({"x": values}))
    assert billed.amount("energy", "day") == Fraction("0.13")
    assert billed.amount("energy", "night") == Fraction("0.08")
    assert billed.of("energy", "day")[0].unit_price == Fraction("0.065")  # the mean of what was paid


# --- series -----------------------------------------------------------------------------------------------------------


def spot(missing: str, price: Any = None, **others: Any) -> dict[str, Any]:
    return small(energy(price or {"series": "x"}), series={"x": {"missing": missing, **others}})


def spot_bill(told: dict[str, Any], values: dict[str, str], kwh: dict[str, str], day: str = "2024-01-10") -> Billed:
    known = {quarter(LISBON, when): value for when, value in values.items()}
    return bill_of(told, day, str(np.datetime64(day) + 1), kwh, source=series({"x": known}))


def test_energy_whose_price_is_missing_is_told_and_not_billed() -> None:
    kwh = {"2024-01-10 12:00": "3", "2024-01-10 12:15": "1"}
    (line,) = spot_bill(spot("error"), {"2024-01-10 12:00": "0.5"}, kwh).lines
    assert (line.quantity, line.net, line.missing_price_share) == (3, Fraction("1.5"), Fraction(1, 4))
    assert line.note == "without 1 kWh whose price is not known"


def test_where_every_price_is_missing_the_line_stands_without_an_amount() -> None:
    (line,) = spot_bill(spot("error"), {}, {"2024-01-10 12:00": "3"}).lines
    assert (line.quantity, line.net, line.unit_price, line.missing_price_share) == (0, 0, None, 1)


def test_a_missing_price_does_not_matter_where_nothing_flowed() -> None:
    (line,) = spot_bill(spot("error"), {"2024-01-10 12:00": "0.5"}, {"2024-01-10 12:00": "3"}).lines
    assert (line.missing_price_share, line.note) == (0, None)


@pytest.mark.parametrize(
    ("last", "price"),
    [("2024-01-10 11:00", "0.5"), ("2024-01-09 12:00", "0.5"), ("2024-01-09 11:45", None), ("2024-01-11 00:00", None)],
)
def test_hold_takes_the_last_value_up_to_a_day_old(last: str, price: str | None) -> None:
    (line,) = spot_bill(spot("hold"), {last: "0.5"}, {"2024-01-10 12:00": "2"}).lines
    assert line.unit_price == (None if price is None else Fraction(price))
    assert line.missing_price_share == (price is None)
    assert (line.note or "").startswith("2 kWh at prices that stand in" if price else "without 2 kWh")


@pytest.mark.parametrize(
    ("values", "price"),
    [
        ({"2024-01-09 12:00": "0.1", "2024-01-08 12:00": "0.2"}, "0.1"),
        ({"2024-01-08 12:00": "0.2", "2024-01-03 12:00": "0.7"}, "0.2"),
        ({"2024-01-03 12:00": "0.7"}, "0.7"),
        ({"2024-01-02 12:00": "0.8"}, None),  # eight days ago
        ({"2024-01-09 12:15": "0.1"}, None),
    ],
)
def test_profile_takes_the_value_of_the_same_time_up_to_a_week_ago(values: dict[str, str], price: str | None) -> None:
    (line,) = spot_bill(spot("profile"), values, {"2024-01-10 12:00": "2"}).lines
    assert line.unit_price == (None if price is None else Fraction(price))


def test_what_stands_in_does_not_hang_on_where_the_bill_begins() -> None:
    told = spot("profile")
    known = {quarter(LISBON, "2024-01-01 12:00"): "0.1", quarter(LISBON, "2024-01-05 12:00"): "0.5"}
    kwh = {"2024-01-12 12:00": "1", "2024-01-13 12:00": "1"}
    for start in ("2024-01-01", "2024-01-12"):
        (line,) = bill_of(told, start, "2024-01-14", kwh, source=series({"x": known})).lines
        assert (line.net, line.missing_price_share) == (Fraction("0.5"), Fraction(1, 2))  # the 5th is 8 days before


def test_the_same_time_is_that_of_the_clock_also_over_its_change() -> None:
    """At 12:00 of the Sunday on which summer time begins, Saturday's 12:00 stands in, 23 hours before."""
    told = spot("profile")
    values = {"2024-03-30 12:00": "0.5", "2024-03-30 11:00": "0.1", "2024-03-30 13:00": "0.9"}
    (line,) = spot_bill(told, values, {"2024-03-31 12:00": "1"}, "2024-03-31").lines
    assert line.net == Fraction("0.5")


def test_a_product_of_two_series_is_known_where_both_are() -> None:
    """Indexed in Portugal: (OMIE + CS) × losses."""
    price = {"mul": [{"add": [{"series": "omie"}, "0.01"]}, {"series": "losses"}]}
    told = small(energy(price), series={"omie": {"name": "omie_pt"}, "losses": {}})
    a, b = (quarter(LISBON, f"2024-01-10 12:{minute}") for minute in ("00", "15"))
    source = series({"omie_pt": {a: "0.05", b: "0.06"}, "losses": {a: "1.1641"}})
    kwh = {"2024-01-10 12:00": "2", "2024-01-10 12:15": "1"}
    (line,) = bill_of(told, "2024-01-10", "2024-01-11", kwh, source=source).lines
    assert line.net == 2 * Fraction("0.06") * Fraction("1.1641")
    assert line.missing_price_share == Fraction(1, 3)


def test_prices_below_zero_pay_whoever_takes() -> None:
    (line,) = spot_bill(spot("error"), {"2024-01-10 12:00": "-0.09"}, {"2024-01-10 12:00": "10"}).lines
    assert line.net == Fraction("-0.9")


# --- tiers ------------------------------------------------------------------------------------------------------------

STEPS = [{"upto": "100", "price": "0.10"}, {"upto": "300", "price": "0.20"}, {"price": "0.30"}]


def tiers(steps: Any = STEPS, **others: Any) -> dict[str, Any]:
    return {"tiers": {"steps": steps, **others}}


@pytest.mark.parametrize(
    ("kwh", "cost", "steps"),
    [
        ("100", "10", ["up to 100 kWh"]),
        ("100.5", "10.1", ["up to 100 kWh", "100 to 300 kWh"]),
        ("400", "80", ["up to 100 kWh", "100 to 300 kWh", "over 300 kWh"]),
        ("0", "0", []),
    ],
)
@pytest.mark.parametrize("order", ["proportional", "chronological"])
def test_steps_of_a_billing_period(kwh: str, cost: str, steps: list[str], order: str) -> None:
    billed = bill_of(small(energy(tiers(order=order))), "2024-01-01", "2024-02-01", {"2024-01-10": kwh})
    assert billed.net == Fraction(cost)
    assert [one.period for one in billed.lines] == steps


def test_steps_by_the_day_the_month_and_the_billing_period() -> None:
    kwh = {"2024-02-10": "400"}
    for per, limits in (("day", (10, 20)), ("month", (290, 580)), ("billing_period", (290, 580))):
        steps = [
            {"upto": str(Fraction(one)), "price": price} for one, price in zip(limits, ("0.1", "0.2"), strict=True)
        ]
        told = small(energy(tiers([*steps, {"price": "0.3"}], per=per)))
        billed = bill_of(told, "2024-02-01", "2024-03-01", kwh)
        assert [one.quantity for one in billed.lines] == [290, 110]  # 29 days
    two = bill_of(small(energy(tiers(per="month"))), "2024-01-01", "2024-03-01", kwh)
    assert [one.quantity for one in two.lines] == [200, 200]
    one = bill_of(small(energy(tiers(per="billing_period"))), "2024-01-01", "2024-03-01", kwh)
    assert [line.quantity for line in one.lines] == [100, 200, 100]


def test_limits_of_a_billing_period_are_shared_by_days_where_prices_change() -> None:
    first = {"dated": [{"from": "2020-01-01", "price": "0.1"}, {"from": "2024-01-11", "price": "0.15"}]}
    told = small(energy(tiers([{"upto": "310", "price": first}, {"price": "0.3"}])))
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-05": "150", "2024-01-20": "150"})
    assert [one.quantity for one in billed.lines] == [100, 50, 150]  # 10 of 31 days: 100 kWh, 21 days: 210 kWh
    assert billed.net == 10 + 15 + Fraction("22.5")


def test_proportional_and_chronological_steps_with_prices_by_the_hour() -> None:
    """150 kWh by day, then 50 at night, 100 in each step: proportional steps have three quarters of day in each."""

    def hourly(day: str, night: str) -> dict[str, Any]:
        return {"schedule": "s", "values": {"day": day, "night": night}}

    steps = [{"upto": "100", "price": hourly("0.2", "0.1")}, {"price": hourly("0.4", "0.2")}]
    kwh = {"2024-01-10 12:00": "150", "2024-01-10 23:00": "50"}
    calendars = {"schedules": {"s": DAY_NIGHT}}
    billed = bill_of(small(energy(tiers(steps)), calendars=calendars), "2024-01-01", "2024-02-01", kwh)
    assert {(one.period): (one.quantity, one.net) for one in billed.lines} == {
        "day up to 100 kWh": (75, 15),
        "night up to 100 kWh": (25, Fraction("2.5")),
        "day over 100 kWh": (75, 30),
        "night over 100 kWh": (25, 5),
    }
    told = small(energy(tiers(steps, order="chronological")), calendars=calendars)
    billed = bill_of(told, "2024-01-01", "2024-02-01", kwh)
    assert {(one.period): (one.quantity, one.net) for one in billed.lines} == {
        "day up to 100 kWh": (100, 20),
        "day over 100 kWh": (50, 20),
        "night over 100 kWh": (50, 10),
    }


def test_each_period_of_a_schedule_can_have_tiers_of_its_own() -> None:
    price = {"schedule": "s", "values": {"day": tiers(STEPS), "night": "0.05"}}
    told = small(energy(price), calendars={"schedules": {"s": DAY_NIGHT}})
    billed = bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10 12:00": "150", "2024-01-10 23:00": "500"})
    assert {one.period: (one.quantity, one.net) for one in billed.lines} == {
        "day up to 100 kWh": (100, 10),
        "day 100 to 300 kWh": (50, 10),
        "night": (500, 25),
    }


BY_YEAR = tiers([{"upto": "1000", "price": "0.1"}, {"price": "0.2"}], per="year")


def test_steps_of_a_year_go_on_from_bill_to_bill_and_begin_anew_in_january() -> None:
    told = small(energy(BY_YEAR))
    kwh = {"2024-10-05": "600", "2024-11-05": "300", "2024-12-05": "250", "2025-01-05": "700"}
    term = term_of(told, "2024-01-01", "2026-01-01")
    billed = bill(term, month_periods(LISBON, "2024-10", 4), kwh)
    steps = [[(one.period, one.quantity) for one in some] for some in billed.periods]
    assert steps == [
        [("up to 1000 kWh", 600)],
        [("up to 1000 kWh", 300)],
        [("up to 1000 kWh", 100), ("over 1000 kWh", 150)],
        [("up to 1000 kWh", 700)],
    ]
    alone = bill(term, month_periods(LISBON, "2024-12", 1), kwh)  # the same, asked for by itself
    assert [[(one.period, one.quantity) for one in some] for some in alone.periods] == [steps[2]]


def test_a_bill_over_new_year_is_cut_there_where_steps_are_by_the_year() -> None:
    kwh = {"2024-06-05": "950", "2024-12-20": "100", "2025-01-05": "100"}
    term = term_of(small(energy(BY_YEAR)), "2024-01-01", "2026-01-01")
    billed = bill(term, one_period(LISBON, "2024-12-15", "2025-01-15"), kwh)
    assert [(one.period, one.quantity) for one in billed.lines] == [
        ("up to 1000 kWh", 50),
        ("over 1000 kWh", 50),
        ("up to 1000 kWh", 100),
    ]


@pytest.mark.parametrize("order", ["proportional", "chronological"])
def test_steps_of_a_year_within_a_period_count_that_periods_energy_alone(order: str) -> None:
    one = tiers([{"upto": "1000", "price": "0.1"}, {"price": "0.2"}], per="year", order=order)
    told = small(
        energy({"schedule": "s", "values": {"day": one, "night": "0.05"}}), calendars={"schedules": {"s": DAY_NIGHT}}
    )
    kwh = {"2024-01-05 23:00": "5000", "2024-01-05 12:00": "900", "2024-02-05 12:00": "300"}
    billed = bill(term_of(told, "2024-01-01", "2025-01-01"), month_periods(LISBON, "2024-02", 1), kwh)
    assert [(one.period, one.quantity) for one in billed.lines] == [
        ("day up to 1000 kWh", 100),
        ("day over 1000 kWh", 200),
    ]


def test_steps_of_a_year_count_from_the_beginning_of_the_contract() -> None:
    kwh = {"2024-01-05": "900", "2024-06-05": "300"}
    billed = bill(term_of(small(energy(BY_YEAR)), "2024-03-01", "2025-01-01"), month_periods(LISBON, "2024-06", 1), kwh)
    assert [(one.period, one.quantity) for one in billed.lines] == [("up to 1000 kWh", 300)]


@pytest.mark.parametrize("order", ["proportional", "chronological"])
def test_missing_prices_within_steps_are_told_once(order: str) -> None:
    steps = [{"upto": "100", "price": {"series": "x"}}, {"price": "0.3"}]
    told = small(
        energy(tiers(steps, order=order), split_by="s"), series={"x": {}}, calendars={"schedules": {"s": DAY_NIGHT}}
    )
    known = {quarter(LISBON, "2024-01-10 12:00"): "0.1"}
    kwh = {"2024-01-10 12:00": "60", "2024-01-10 23:00": "20"}
    billed = bill_of(told, "2024-01-01", "2024-02-01", kwh, source=series({"x": known}))
    assert {one.period: (one.quantity, one.net, one.missing_price_share) for one in billed.lines} == {
        "day up to 100 kWh": (60, 6, 0),
        "night up to 100 kWh": (0, 0, 1),
    }
    assert billed.of("energy", "night up to 100 kWh")[0].note == "without 20 kWh whose price is not known"
    double = bill_of(told, "2024-01-01", "2024-02-01", dict.fromkeys(kwh, "100"), source=series({"x": known}))
    shares = [one.missing_price_share for one in double.lines if one.period == "night up to 100 kWh"]
    assert shares == ([1] if order == "proportional" else [])
    if order == "proportional":  # half of each is in each step
        assert double.amount("energy", "day up to 100 kWh") == 5
        assert double.of("energy", "night up to 100 kWh")[0].note == "without 50 kWh whose price is not known"


def test_limits_that_no_home_reaches() -> None:
    told = small(energy(tiers([{"upto": "1e23", "price": "0.1"}, {"price": "0.2"}])))
    assert bill_of(told, "2024-01-01", "2024-02-01", {"2024-01-10": "400"}).net == 40


def test_energy_and_prices_of_any_size_are_exact() -> None:
    told = small(energy({"series": "x"}), series={"x": {}})
    at = {quarter(LISBON, f"2024-01-10 {hour:02d}:00"): Decimal(f"0.{'7' * 20}{hour:02d}") for hour in range(24)}
    kwh = {f"2024-01-10 {hour:02d}:00": Decimal("8e11") + hour for hour in range(24)}
    billed = bill_of(told, "2024-01-10", "2024-01-11", kwh, source=series({"x": at}))
    by_hand = sum(
        (Fraction(8 * 10**11 + hour) * Fraction(f"0.{'7' * 20}{hour:02d}") for hour in range(24)), Fraction(0)
    )
    assert billed.net == by_hand
