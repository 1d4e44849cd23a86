"""Order does not matter either where a register shows garbage: up, down and both in turns, and low ones begin anew.

`LAW_EXAMPLES` in the environment says how many examples each runs (200 unless set).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from test_laws import START_US, batches, law, limits, record, state, store_with

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_S

KWH = MILLIWH_PER_KWH


@st.composite
def garbage(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Readings (instant, milliwatt-hours, 0) of a register, low or not, with runs that lie off its path."""
    size = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    minutes = rng.choice([1, 5, 15, 60, 400], size, p=[0.1, 0.2, 0.4, 0.25, 0.05])
    at = START_US + np.cumsum(minutes) * 60 * US_PER_S
    value = np.cumsum(rng.integers(0, KWH // 2, size)) + draw(st.sampled_from([0, 3, 100])) * KWH
    for _ in range(draw(st.integers(1, 6))):
        place = int(rng.integers(0, size))
        run = slice(place, place + int(rng.integers(1, 7)))
        count, what = len(value[run]), rng.integers(0, 4)
        if what == 0:
            value[run] = rng.choice([0, 0, 50, 999], count) * KWH
        elif what == 1:
            value[run] = rng.integers(0, 200 * KWH, count)
        elif what == 2:
            value[place:] -= value[place]
        else:
            value[run] += rng.integers(-KWH, KWH)
    return [(int(t), int(v), 0) for t, v in zip(at, np.maximum(value, 0), strict=True)]


@law
@given(garbage(), limits(), st.data())
def test_garbage_in_any_order_gives_the_same_bits(
    rows: list[tuple[int, int, int]], some: dict[str, Any], data: st.DataObject
) -> None:
    one_store, one = store_with(Kind.REGISTER, **some)
    record(one, Kind.REGISTER, rows)
    many_store, many = store_with(Kind.REGISTER, **some)
    for batch in data.draw(st.composite(batches)(rows)):
        record(many, Kind.REGISTER, batch)
    assert state(one_store) == state(many_store)


@law
@given(garbage(), limits(), st.integers(1, 5))
def test_garbage_that_arrives_live_gives_the_same_bits(
    rows: list[tuple[int, int, int]], some: dict[str, Any], each: int
) -> None:
    one_store, one = store_with(Kind.REGISTER, **some)
    record(one, Kind.REGISTER, rows)
    live_store, live = store_with(Kind.REGISTER, **some)
    for first in range(0, len(rows), each):
        record(live, Kind.REGISTER, rows[first : first + each])
    assert state(one_store) == state(live_store)
