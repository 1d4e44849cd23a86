"""Correction of registers: the cases that meters in the field show, and what has to come of each.

Figures of cases marked "design" are those of the design's section on correction; the others are sums done by hand.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.correction import (
    FEW,
    RUN_LIMIT_US,
    Corrected,
    RegisterLimits,
    Verdict,
    correct_registers,
)
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_HOUR

MINUTE_US = US_PER_HOUR // 60
P, G, S, H, R, O, W = (  # noqa: E741 - the letters of the verdicts
    Verdict.PLAUSIBLE,
    Verdict.GLITCH,
    Verdict.SUSPECT,
    Verdict.HELD,
    Verdict.RESET,
    Verdict.ROLLOVER,
    Verdict.SWAP,
)


def corrected(
    minutes: list[float], kwh: list[float], swaps: list[int] | None = None, **limits: Any
) -> tuple[float, list[Verdict], Corrected]:
    """What flowed in all, in kWh, the verdicts, and the rest. swaps: the rows that a meter event tells."""
    at = np.array([round(minute * MINUTE_US) for minute in minutes], np.int64)
    value = np.array([round(one * MILLIWH_PER_KWH) for one in kwh], np.int64)
    marks = np.zeros(len(at), np.bool_)
    marks[swaps or []] = True
    out = correct_registers(at, value, np.array([0, len(at)]), [RegisterLimits(**limits)], marks)
    return int(out.step_milli.sum()) / MILLIWH_PER_KWH, [Verdict(one) for one in out.verdict], out


def quarters(count: int) -> list[float]:
    return [15.0 * i for i in range(count)]


LOW = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]  # a register that stays low: ten quarter-hours of 0.1 kWh
KWH = MILLIWH_PER_KWH
EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "200"))


@pytest.mark.parametrize(
    ("kwh", "limits", "flowed", "verdicts"),
    [
        pytest.param([100, 0, 100.2], {}, 0.2, [P, G, P], id="design: a dip to 0"),
        pytest.param([9300, 10290, 9300.1], {}, 0.1, [P, G, P], id="design: a spike"),
        pytest.param([100, 100.1, 100.1, 100.4], {}, 0.4, [P, P, P, P], id="nothing wrong"),
        pytest.param([100], {}, 0, [P], id="one reading"),
        pytest.param([100, 100.05, 100, 100.01], {}, 0.01, [P, G, P, P], id="a spike falls back, however small"),
        pytest.param([100, 0, 0, 0, 0, 0, 100.6], {}, 0.6, [P, G, G, G, G, G, P], id="a run of five zeros"),
        pytest.param([100, 5, 70, 3, 100.4], {}, 0.4, [P, G, G, G, P], id="a run of nonsense below"),
        pytest.param([100, 900, 950, 100.3], {}, 0.3, [P, G, G, P], id="a run of nonsense above"),
        pytest.param([100, 0, 100.2, 0, 100.4], {}, 0.4, [P, G, P, G, P], id="two dips"),
        pytest.param([100, 700, 100.2, 0, 100.4], {}, 0.4, [P, G, P, G, P], id="a spike, then a dip"),
        pytest.param([0, 100, 100.1, 100.2], {}, 100.2, [P, S, P, P], id="a step that stays is counted, and suspect"),
        pytest.param([100, 112.7, 112.8], {}, 12.8, [P, P, P], id="50 kW and two tenths are just plausible"),
        pytest.param([100, 112.71, 112.8], {}, 12.8, [P, S, P], id="a little more than that is not"),
        pytest.param(
            [100, 101.1, 101.2], {"max_power_w": 3450.0}, 1.2, [P, S, P], id="a small connection carries less"
        ),
        pytest.param(
            [100, 112.502, 112.6],
            {"resolution_milli": KWH // 1000},
            12.6,
            [P, S, P],
            id="a fine register has less spare",
        ),
        pytest.param(
            [100, 101, 101.1],
            {"max_power_w": 3450.0, "resolution_milli": KWH},
            1.1,
            [P, P, P],
            id="but one step of the last digit is always plausible",
        ),
        pytest.param([100, 101, *LOW], {}, 1 + 1.0, [P, P, R, *[P] * 9], id="a reset: the new value flowed"),
        pytest.param(
            [100, 101, *(80 + x for x in LOW)],
            {},
            1 + 0.9,
            [P, P, R, *[P] * 9],
            id="a reset to a value too high: unknown",
        ),
        pytest.param([999.9, 0.1, 0.2], {"modulus_milli": 1000 * KWH}, 0.3, [P, O, P], id="a rollover"),
        pytest.param(
            [999.8, 0.0, 999.9], {"modulus_milli": 1000 * KWH}, 0.1, [P, G, P], id="no rollover: back at once"
        ),
        pytest.param(
            [500, 500.1, *LOW],
            {"modulus_milli": 1000 * KWH},
            0.1 + 1.0,
            [P, P, R, *[P] * 9],
            id="a fall from the middle is no rollover",
        ),
        pytest.param(
            [99999.5, 0.5, 1, 99999.5, 99999.9],
            {"modulus_milli": 100_000 * KWH},
            0.4,
            [P, G, G, P, P],
            id="a rollover that is taken back was none",
        ),
        pytest.param(
            [100, *[99.95] * 10, 100.02], {}, 0.02, [P, *[H] * 10, P], id="a small fall that stays is held, not booked"
        ),
        pytest.param(
            [100, *[99.8] * 10, 99.9], {}, 0.1, [P, R, *[P] * 10], id="a fall of more than 0.1 % is a reset to unknown"
        ),
        pytest.param(
            [10, *[9] * 10, 10.5],
            {"resolution_milli": KWH},
            0.5,
            [P, *[H] * 10, P],
            id="a fall of one step of the last digit is held",
        ),
        pytest.param([100, 100.1, 9999, 0, 100.4, 100.5], {}, 0.5, [P, P, G, G, P, P], id="garbage up, then down"),
        pytest.param([100, 100.1, 9999, 50, 100.4], {}, 0.4, [P, P, G, G, P], id="garbage up, then half-way down"),
        pytest.param([100, 9999, 0, 9999, 0, 100.5], {}, 0.5, [P, G, G, G, G, P], id="up and zero in turns"),
        pytest.param([100, 9999, 50, 9990, 60, 100.5], {}, 0.5, [P, G, G, G, G, P], id="mixed garbage"),
        pytest.param([100, 9999, 0, 101, 50, 100.5], {}, 0.5, [P, G, G, G, G, P], id="garbage, one of it on the path"),
        pytest.param([100, 105, 0, 95, 100.4], {}, 0.4, [P, G, G, G, P], id="garbage that rises plausibly at first"),
        pytest.param([100, 9999, 0, 99.95], {}, 0, [P, G, G, H], id="garbage, then a little below the level"),
        pytest.param(
            [100, 9999, 0, 100.2, 8888, 0, 100.4], {}, 0.4, [P, G, G, P, G, G, P], id="the shortest run is set aside"
        ),
        pytest.param([100.4, 100.5, 9999, *LOW], {}, 0.1 + 1.0, [P, P, G, R, *[P] * 9], id="a spike before a reset"),
        pytest.param(
            [100.5, 500, 9999, *LOW], {}, 1.0, [P, G, G, R, *[P] * 9], id="a run of spikes before a reset is set aside"
        ),
        pytest.param(
            [100.5, 101, 9999, *LOW],
            {},
            0.5 + 1.0,
            [P, P, G, R, *[P] * 9],
            id="plausible readings before the spike before a reset count",
        ),
        pytest.param(
            [100.5, *(9999 + x for x in LOW), *LOW],
            {},
            9899.5 + 1.0,
            [P, S, *[P] * 9, R, *[P] * 9],
            id="a leap that stays for hours counts, and the reset behind it",
        ),
        pytest.param(
            [999.9, 5000, *LOW], {"modulus_milli": 1000 * KWH}, 1.1, [P, G, O, *[P] * 9], id="a spike before a rollover"
        ),
    ],
)
def test_readings_a_quarter_hour_apart(
    kwh: list[float], limits: dict[str, Any], flowed: float, verdicts: list[Verdict]
) -> None:
    got, said, _ = corrected(quarters(len(kwh)), kwh, **limits)
    assert said == verdicts
    assert got == pytest.approx(flowed, abs=1e-9)


def test_a_run_of_any_number_of_readings_within_two_hours_is_a_glitch() -> None:
    minutes = [float(i) for i in range(123)]
    kwh = [100.0, *[0.0] * 121, 100.3]  # zeros from minute 1 to 121: two hours
    flowed, verdicts, _ = corrected(minutes, kwh)
    assert flowed == pytest.approx(0.3)
    assert verdicts == [P, *[G] * 121, P]


def test_a_run_of_more_than_two_hours_is_a_reset() -> None:
    kwh = [100.0, *[0.0] * 180, 100.3]
    flowed, verdicts, _ = corrected([float(i) for i in range(182)], kwh)
    assert verdicts[1] is R
    assert verdicts[-1] is S, "the way back up is counted, and doubted"
    assert flowed == pytest.approx(100.3)


@pytest.mark.parametrize(("zeros", "is_glitch"), [(FEW, True), (FEW + 1, False)])
def test_a_few_readings_are_a_glitch_however_far_apart(zeros: int, is_glitch: bool) -> None:
    minutes = [60.0 * i for i in range(zeros + 2)]
    _, verdicts, _ = corrected(minutes, [100.0, *[0.0] * zeros, 100.3])
    assert (verdicts[1:-1] == [G] * zeros) == is_glitch


@pytest.mark.parametrize(("minutes_each", "is_glitch"), [(60, True), (61, False)])
def test_a_run_around_a_fall_lasts_two_hours_at_most(minutes_each: int, is_glitch: bool) -> None:
    """Garbage above for an hour, then below for an hour, a reading a minute."""
    kwh = [100.0, *[9999.0] * minutes_each, *[0.0] * (minutes_each + 1), 100.5]
    flowed, verdicts, _ = corrected([float(i) for i in range(len(kwh))], kwh)
    assert (verdicts == [P, *[G] * (2 * minutes_each + 1), P]) == is_glitch
    assert (flowed == pytest.approx(0.5)) == is_glitch


def test_no_run_around_a_fall_reaches_across_a_swap() -> None:
    """The spike before the swap is the old meter's, the low readings behind it are the new one's."""
    _, verdicts, _ = corrected([0, 15, 20, 20, 30, 45], [100, 100.1, 9999, 50, 0, 100.4], swaps=[2, 3])
    assert verdicts == [P, P, W, W, R, S]


@pytest.mark.parametrize(
    ("kwh", "flowed", "verdicts"),
    [
        pytest.param(
            [0, 0.5, 1, 1.5, 2, 2.1], 1.9 + 2.1, [R, P, P, P, P, P], id="rises past the old level: began anew"
        ),
        pytest.param([0, 0.1, 0.3, 0.5, 1.9], 1.9, [G, G, G, G, P], id="leaps back to the old level: a dip"),
        pytest.param([0, 0, 0, 2, 2.1], 2.1, [G, G, G, P, P], id="constant: a dip"),
        pytest.param([0, 2, 2.1], 2.1, [G, P, P], id="one reading: a dip"),
        pytest.param([0.9, 1.8, 2.7], 2.7, [G, G, P], id="two readings are too few to tell"),
        pytest.param([1.0, 1.2, 1.4, 1.6, 1.9], 1.9, [G, G, G, G, P], id="starts too high to have come from 0: a dip"),
    ],
)
def test_a_low_register_that_begins_anew_is_told_from_a_dip(
    kwh: list[float], flowed: float, verdicts: list[Verdict]
) -> None:
    """Twenty hours of 0.1 kWh, up to 1.9 kWh, and then what an hourly register shows."""
    before = [i / 10 for i in range(20)]
    got, said, _ = corrected([60.0 * i for i in range(20 + len(kwh))], before + kwh)
    assert said == [P] * 20 + verdicts
    assert got == pytest.approx(flowed)


def test_a_low_register_that_began_anew_does_not_count_as_a_run_around_the_fall() -> None:
    flowed, verdicts, _ = corrected(quarters(9), [0.05, 0.1, 0.2, 0.3, 0, 0.1, 0.2, 0.3, 0.4])
    assert verdicts == [P, P, P, P, R, P, P, P, P]
    assert flowed == pytest.approx(0.25 + 0.4)


@pytest.mark.parametrize("seconds", [5, 1])
def test_a_coarse_register_rises_by_two_tenths_at_once(seconds: float) -> None:
    """100 → 0 → 100.2 is +0.2 (design), also where 50 kW carry less in the time; nothing may have to follow."""
    flowed, verdicts, _ = corrected([0, seconds / 60, 2 * seconds / 60], [100, 0, 100.2])
    assert verdicts == [P, G, P]
    assert flowed == pytest.approx(0.2)
    _, verdicts, _ = corrected([0, seconds / 60, 2 * seconds / 60], [100, 100.2, 100.4])
    assert verdicts == [P, P, P], "and it isn't suspect"


def test_what_is_spare_for_a_coarse_register_is_not_held() -> None:
    flowed, verdicts, _ = corrected(quarters(11), [100, *[99.85] * 10])
    assert verdicts[1] is R
    assert flowed == 0


RISE = [5000 + i / 100 for i in range(8)]  # 5000.00 … 5000.07


@pytest.mark.parametrize("low", range(1, 7))
def test_few_newest_readings_do_not_take_back_more_that_rose(low: int) -> None:
    flowed, verdicts, out = corrected(quarters(8 + low), [*RISE, *[5000.0] * low])
    assert verdicts == [P] * 8 + [H] * low
    assert flowed == pytest.approx(0.07)
    assert out.reach_right[0], "provisional"


def test_as_many_readings_back_at_the_level_before_them_take_back_those_that_rose() -> None:
    flowed, verdicts, _ = corrected(quarters(15), [*RISE, *[5000.0] * 7])
    assert verdicts == [P, *[G] * 7, *[P] * 7]
    assert flowed == 0


def test_a_newest_reading_that_falls_further_is_set_aside_before_more_that_rose() -> None:
    flowed, verdicts, out = corrected(quarters(5), [100, 100.1, 100.2, 100.3, 100.0])
    assert verdicts == [P, P, P, P, G]
    assert flowed == pytest.approx(0.3)
    assert out.reach_right[0], "provisional"
    assert corrected(quarters(6), [100, 100.1, 100.2, 100.3, 100.0, 100.4])[1] == [P, P, P, P, G, P]
    assert corrected(quarters(7), [100, 100.1, 100.2, 100.3, 100.0, 100.0, 100.0])[1] == [P, G, G, G, P, P, P]


@pytest.mark.parametrize("spike", [0.1, 0.3])
def test_a_newest_reading_shows_that_one_before_it_was_a_spike(spike: float) -> None:
    flowed, verdicts, _ = corrected(quarters(4), [5000, 5000.01, 5000.01 + spike, 5000.02])
    assert verdicts == [P, P, G, P]
    assert flowed == pytest.approx(0.02)


def test_a_newest_reading_shows_that_a_run_that_leapt_was_none() -> None:
    flowed, verdicts, _ = corrected(quarters(5), [9300, 10290, 10290.1, 10290.2, 9300.3])
    assert verdicts == [P, G, G, G, P]
    assert flowed == pytest.approx(0.3)


@pytest.mark.parametrize(("gap_limit_h", "flowed"), [(1, 0.9), (6, 1.0)])
def test_a_reset_across_a_long_gap_leaves_unknown_what_flowed_in_it(gap_limit_h: int, flowed: float) -> None:
    minutes = [0.0, *(300 + 15.0 * i for i in range(10))]
    got, verdicts, out = corrected(minutes, [100, *LOW], gap_limit_us=gap_limit_h * US_PER_HOUR)
    assert verdicts[1] is R
    assert out.known[1] == (gap_limit_h == 6)
    assert got == pytest.approx(flowed)


def test_a_swap_carries_the_books_from_the_old_meter_to_the_new() -> None:
    """1000.00, then the old meter ends at 1000.15 and the new one begins at 5, then 5.05 and 5.10: 0.15 + 0.10."""
    flowed, verdicts, _ = corrected([0, 10, 10, 15, 30], [1000, 1000.15, 5, 5.05, 5.10], swaps=[1, 2])
    assert flowed == pytest.approx(0.25)
    assert verdicts == [P, W, W, P, P]


def test_no_explanation_looks_across_a_swap() -> None:
    """Without the swap the low readings would be a dip; with it they are the new meter's."""
    without = corrected([0, 15, 30, 45], [100, 0.1, 0.2, 100.2])
    assert without[1] == [P, G, G, P]
    flowed, verdicts, _ = corrected([0, 10, 10, 15, 30, 45], [100, 100, 0, 0.1, 0.2, 100.2], swaps=[1, 2])
    assert verdicts == [P, W, W, P, P, S]
    assert flowed == pytest.approx(100.2)


def test_a_glitch_just_before_a_swap_is_set_aside() -> None:
    flowed, verdicts, _ = corrected([0, 5, 10, 10, 15], [100, 0, 100.1, 7, 7.2], swaps=[2, 3])
    assert verdicts == [P, G, W, W, P]
    assert flowed == pytest.approx(0.3)


def test_the_newest_readings_say_that_later_ones_may_change_them() -> None:
    """A fall at the very end may be a dip or a reset: only readings to come can tell."""
    _, verdicts, out = corrected(quarters(3), [100, 100.1, 0.1])
    assert verdicts[:2] == [P, P]
    assert out.reach_right[0]
    assert corrected(quarters(4), [100, 100.1, 0.1, 100.2])[1][2] is G
    assert not corrected(quarters(12), [100, 100.1, *LOW])[2].reach_right[0]


def test_a_register_without_readings_flows_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    out = correct_registers(nothing, nothing, np.array([0, 0]), [RegisterLimits()])
    assert len(out.step_milli) == len(out.verdict) == 0


@st.composite
def channels(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    size = draw(st.integers(0, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    at = np.cumsum(rng.choice([1, 15, 60, 400], size)) * MINUTE_US
    value = np.cumsum(rng.integers(0, KWH, size)) + 50 * KWH
    for _ in range(draw(st.integers(0, 4)) if size else 0):
        place = rng.integers(0, size)
        value[place : place + rng.integers(1, 4)] += rng.choice([-60, -5, 300]) * KWH
    return at.tolist(), np.maximum(value, 0).tolist()


LIMITS = st.builds(
    RegisterLimits,
    max_power_w=st.sampled_from([3450.0, 50_000.0]),
    resolution_milli=st.sampled_from([0, 1000]),
    modulus_milli=st.sampled_from([None, 60 * KWH]),
)


@st.composite
def troubled(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Registers with garbage up, down and in between, low ones that begin anew, and silence."""
    size = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    at = np.cumsum(rng.choice([1, 5, 15, 60, 400], size, p=[0.2, 0.3, 0.3, 0.15, 0.05])) * MINUTE_US
    value = np.cumsum(rng.integers(0, KWH // 2, size)) + draw(st.sampled_from([0, 3, 100])) * KWH
    for _ in range(draw(st.integers(0, 6))):
        place = int(rng.integers(0, size))
        run = slice(place, place + int(rng.integers(1, 7)))
        what = rng.integers(0, 4)
        if what == 0:
            value[run] = rng.choice([0, 0, 50, 9999], len(value[run])) * KWH
        elif what == 1:
            value[run] = rng.integers(0, 200 * KWH, len(value[run]))
        elif what == 2:
            value[place:] -= value[place]
        else:
            value[run] += rng.integers(-KWH, KWH)
    return at.tolist(), np.maximum(value, 0).tolist()


COLUMNS = ("verdict", "step_milli", "known", "clean", "hold_milli")


@settings(max_examples=EXAMPLES, deadline=None)
@given(troubled(), LIMITS)
def test_correction_begins_anew_at_any_clean_reading_and_ends_before_it(one: Any, limits: RegisterLimits) -> None:
    at, value = (np.array(column, np.int64) for column in one)
    whole = correct_registers(at, value, np.array([0, len(at)]), [limits])
    for i in np.flatnonzero(whole.clean).tolist():
        left = correct_registers(at[:i], value[:i], np.array([0, i]), [limits])
        hold = whole.hold_milli[i : i + 1]
        right = correct_registers(at[i:], value[i:], np.array([0, len(at) - i]), [limits], None, hold)
        for name in COLUMNS:
            column = getattr(whole, name)
            assert (getattr(left, name) == column[:i]).all(), f"{name} before {i}"
            assert (getattr(right, name)[1:] == column[i + 1 :]).all(), f"{name} from {i}"
        assert i == 0 or not left.reach_right[0]
        assert not right.reach_left[0] or i == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(channels(), LIMITS), min_size=1, max_size=4))
def test_channels_corrected_together_come_out_as_each_alone(some: list[tuple[Any, RegisterLimits]]) -> None:
    sizes = [len(at) for (at, _), _ in some]
    offsets = np.cumsum([0, *sizes])
    at = np.array([one for (column, _), _ in some for one in column], np.int64)
    value = np.array([one for (_, column), _ in some for one in column], np.int64)
    together = correct_registers(at, value, offsets, [limits for _, limits in some])
    for i, (_, limits) in enumerate(some):
        part = slice(offsets[i], offsets[i + 1])
        alone = correct_registers(at[part], value[part], np.array([0, sizes[i]]), [limits])
        for name in COLUMNS:
            assert (getattr(together, name)[part] == getattr(alone, name)).all(), name


@settings(max_examples=300, deadline=None)
@given(channels(), LIMITS)
def test_nothing_flows_backwards_and_nothing_comes_from_what_is_set_aside(one: Any, limits: RegisterLimits) -> None:
    at, value = (np.array(column, np.int64) for column in one)
    out = correct_registers(at, value, np.array([0, len(at)]), [limits])
    assert (out.step_milli >= 0).all()
    assert (out.step_milli[out.verdict == G] == 0).all()
    good = out.verdict != G
    if len(at):
        assert good.any(), "not every reading can be wrong"
        assert not out.step_milli[np.flatnonzero(good)[0]]
    if len(at) > 1 and (np.diff(value) >= 0).all():
        assert out.step_milli.sum() == value[-1] - value[0]


@settings(max_examples=200, deadline=None)
@given(channels(), LIMITS, st.integers(-(10**6), 10**6))
def test_what_is_said_does_not_depend_on_when_it_happened(one: Any, limits: RegisterLimits, shift: int) -> None:
    at, value = (np.array(column, np.int64) for column in one)
    offsets = np.array([0, len(at)])
    here = correct_registers(at, value, offsets, [limits])
    there = correct_registers(at + shift * RUN_LIMIT_US, value, offsets, [limits])
    assert (here.verdict == there.verdict).all()
    assert (here.step_milli == there.step_milli).all()
