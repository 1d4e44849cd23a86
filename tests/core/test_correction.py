"""Correction of registers: the cases that meters in the field show, and what has to come of each.

Figures of cases marked "design" are those of the design's section on correction; the others are sums done by hand.
"""

from __future__ import annotations

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
        pytest.param([100, 112.5, 112.6], {}, 12.6, [P, P, P], id="50 kW for a quarter-hour is just plausible"),
        pytest.param([100, 112.51, 112.6], {}, 12.6, [P, S, P], id="a little more than 50 kW is not"),
        pytest.param([100, 101, 101.1], {"max_power_w": 3450.0}, 1.1, [P, S, P], id="a small connection carries less"),
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
        for name in ("verdict", "step_milli", "known", "clean", "hold_milli"):
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
