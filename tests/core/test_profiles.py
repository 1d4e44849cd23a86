"""Day profiles are unpacked as they were packed, and running totals inside a day are the sums of its quarters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.profiles import VERSION, Days, pack_days, totals_at, unpack_days
from statistics_manager_service.core.quantities import BOUNDS_MILLI
from statistics_manager_service.core.units import QUARTER_S, QUARTERS_PER_DAY

MOST = max(BOUNDS_MILLI.values())


@st.composite
def days(draw: st.DrawFn, with_samples: bool | None = None) -> Days:
    """Some days, of which each is empty, plain, or as odd as can be."""
    count = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    with_samples = draw(st.booleans()) if with_samples is None else with_samples
    out = Days.empty(count, with_samples)
    for i in range(count):
        most = draw(st.sampled_from([0, 300, 2**31 - 1, 2**31, MOST]))
        out.energy_milliwh[i] = rng.integers(-most, most, QUARTERS_PER_DAY, endpoint=True)
        quality = draw(st.sampled_from(["whole", "none", "runs", "mixed"]))
        if quality == "whole":
            out.measured_s[i] = QUARTER_S
        elif quality == "runs":
            out.measured_s[i, : rng.integers(0, 96)] = QUARTER_S
            out.estimated_s[i, rng.integers(0, 96) :] = QUARTER_S
        elif quality == "mixed":
            out.measured_s[i] = rng.integers(0, QUARTER_S, QUARTERS_PER_DAY, endpoint=True)
            out.estimated_s[i] = QUARTER_S - out.measured_s[i]
        if out.count is not None and out.total is not None and out.low is not None and out.high is not None:
            out.count[i] = rng.integers(0, 2**32 - 1, QUARTERS_PER_DAY, endpoint=True)
            widest = draw(st.sampled_from([0, 200, 60_000, 2**32 - 1, MOST]))
            for column in (out.total, out.low, out.high):
                column[i] = rng.integers(-widest, widest, QUARTERS_PER_DAY, endpoint=True)
    return out


def wide(days: Days) -> list[list[list[int]]]:
    return [np.broadcast_to(column, days.energy_milliwh.shape).tolist() for column in days.columns]


@settings(max_examples=200, deadline=None)
@given(days())
def test_days_are_unpacked_as_they_were_packed(some: Days) -> None:
    assert wide(unpack_days(pack_days(some))) == wide(some)


@settings(max_examples=100, deadline=None)
@given(days())
def test_a_body_does_not_depend_on_what_is_packed_beside_it(some: Days) -> None:
    alone = [
        pack_days(Days(*(column[i : i + 1] for column in some.columns)))[0] for i in range(len(some.energy_milliwh))
    ]
    assert pack_days(some) == alone


@settings(max_examples=200, deadline=None)
@given(days(), st.data())
def test_totals_inside_a_day_are_the_sums_of_its_quarters(some: Days, data: st.DataObject) -> None:
    bodies = pack_days(some)
    points = data.draw(
        st.lists(st.tuples(st.integers(0, len(bodies) - 1), st.integers(0, QUARTERS_PER_DAY)), min_size=1, max_size=20)
    )
    row, slot = (np.array(column, np.int64) for column in zip(*points, strict=True))
    got = totals_at(bodies, row, slot)
    for i, (day, quarters) in enumerate(points):
        want = [int(column[day, :quarters].sum()) for column in some.columns[:5]]
        assert got[i].tolist() == want + [0] * (5 - len(want))


def test_days_with_and_without_samples_are_unpacked_together() -> None:
    plain, sampled = Days.empty(1, False), Days.empty(1, True)
    plain.energy_milliwh[0, 5] = 7
    assert sampled.count is not None
    sampled.count[0, 9] = 3
    both = unpack_days([*pack_days(plain), *pack_days(sampled)])
    assert both.energy_milliwh[:, 5].tolist() == [7, 0]
    assert both.count is not None
    assert both.count[:, 9].tolist() == [0, 3]


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
@pytest.mark.parametrize("energy", [0, 1, 2**40])
def test_another_format_version_is_refused_with_both_versions_named(version: int, energy: int) -> None:
    """Also of a day of the usual form, which is read in one go."""
    day = Days.empty(1, False)
    day.energy_milliwh[:], day.measured_s[:] = energy, QUARTER_S
    (body,) = pack_days(day)
    assert body[0] == VERSION
    with pytest.raises(ValueError, match=f"version {version}, and this program reads {VERSION}"):
        unpack_days([body, bytes((version,)) + body[1:]])


def test_a_whole_day_of_a_register_takes_four_bytes_a_quarter_and_an_empty_one_next_to_nothing() -> None:
    day = Days.empty(2, False)
    day.energy_milliwh[0], day.measured_s[0] = 250_000, QUARTER_S
    whole, empty = pack_days(day)
    assert len(whole) < 4 * QUARTERS_PER_DAY + 16
    assert len(empty) < 16
