"""The chart: what its bars stand for."""

from __future__ import annotations

import dataclasses
from datetime import date
from fractions import Fraction

import pytest
from handmade_statements import LISBON, days_of, erse_month, in_credit, statement_of

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.statements.chart import Bar, Chart, chart_of
from statistics_manager_service.tariffs.statement import Statement


def charted(statement: Statement) -> Chart:
    chart = chart_of(statement, 174)
    assert chart is not None
    return chart


def of_tone(chart: Chart, *tones: str) -> list[Bar]:
    return [one for one in chart.bars if one.tone in tones]


def over(start: date, end: date) -> Statement:
    return days_of(statement_of((), start_us=instant_us(LISBON, start), end_us=instant_us(LISBON, end)))


def test_a_bar_is_as_high_as_its_day_s_energy() -> None:
    statement = erse_month()
    bars = of_tone(charted(statement), "energy")
    assert len(bars) == 31
    per_milliwh = [bar.height / (value or 0) for bar, value in zip(bars, statement.daily_import_milliwh, strict=True)]
    assert per_milliwh == pytest.approx([per_milliwh[0]] * 31)
    assert bars[2].tells.startswith("3 January 2026: ")


def test_bars_stand_on_zero_and_below_it_where_a_day_is_in_favour() -> None:
    chart = charted(in_credit())
    credit, cost = of_tone(chart, "credit"), of_tone(chart, "cost")
    zero = credit[0].y
    assert {one.y for one in credit} == {zero}
    assert {round(one.y + one.height, 9) for one in cost} == {round(zero, 9)}
    assert ("credit", "in your favour") in chart.legend


def test_what_is_not_known_is_no_zero() -> None:
    unknown = of_tone(charted(in_credit()), "unknown")
    told = [one.tells.split(", ")[0] for one in unknown]
    assert told == ["5 July 2026: energy not known", "6 July 2026: energy not known"]


@pytest.mark.parametrize(
    ("end", "bars"), [(date(2024, 3, 3), 62), (date(2024, 3, 4), 3), (date(2025, 1, 1), 12), (date(2025, 2, 1), 13)]
)
def test_more_than_62_days_are_drawn_by_months(end: date, bars: int) -> None:
    assert len(of_tone(charted(over(date(2024, 1, 1), end)), "energy")) == bars


def test_months_are_the_sums_of_their_days() -> None:
    statement = over(date(2024, 1, 1), date(2025, 1, 1))
    assert len(statement.daily_import_milliwh) == 366
    january = sum(one or 0 for one in statement.daily_import_milliwh[:31])
    first = of_tone(charted(statement), "energy")[0]
    assert first.tells.startswith(f"January 2024: {january / 1e6:.1f} kWh")


def test_a_month_of_which_days_are_not_known_looks_so() -> None:
    statement = over(date(2024, 1, 1), date(2025, 1, 1))
    energies = (None, *statement.daily_import_milliwh[1:31], *[None] * 29, *statement.daily_import_milliwh[60:])
    chart = charted(dataclasses.replace(statement, daily_import_milliwh=energies))
    assert [one.tells.split(":")[0] for one in of_tone(chart, "part")] == ["January 2024"]
    assert "February 2024: energy not known" in of_tone(chart, "unknown")[0].tells
    assert ("part", "some days of the month are not known") in chart.legend


def test_days_on_which_the_clock_changes_have_one_bar_each() -> None:
    assert len(of_tone(charted(over(date(2026, 3, 28), date(2026, 3, 31))), "energy")) == 3
    assert len(of_tone(charted(over(date(2026, 10, 24), date(2026, 10, 27))), "energy")) == 3


def test_there_is_no_chart_of_nothing() -> None:
    statement = erse_month()
    assert chart_of(dataclasses.replace(statement, daily_import_milliwh=(), daily_cost=()), 174) is None
    nothing = dataclasses.replace(statement, daily_import_milliwh=(None,) * 31, daily_cost=(None,) * 31)
    assert chart_of(nothing, 174) is None


def test_energy_alone_is_drawn_without_a_panel_for_the_cost() -> None:
    with_cost, without = charted(erse_month()), charted(dataclasses.replace(erse_month(), daily_cost=()))
    assert without.height < with_cost.height
    assert not of_tone(without, "cost", "credit")
    assert len(of_tone(without, "energy")) == 31


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(1, 10**9), Fraction(1), Fraction(10**9), Fraction(-(10**6))])
@pytest.mark.parametrize("width", [88.0, 174.0])
def test_nothing_is_drawn_outside_the_frame(scale: Fraction, width: float) -> None:
    made = in_credit()
    costs = tuple(None if one is None else one * scale for one in made.daily_cost)
    energies = tuple(None if one is None else int(one * abs(scale)) for one in made.daily_import_milliwh)
    chart = chart_of(dataclasses.replace(made, daily_cost=costs, daily_import_milliwh=energies), width)
    assert chart is not None
    for bar in chart.bars:
        assert bar.x >= 0 and bar.x + bar.width <= width
        assert bar.y >= 0 and bar.height >= 0 and bar.y + bar.height <= chart.height + 1e-9
    assert all(0 <= one.y <= chart.height for one in (*chart.rules, *chart.labels))
