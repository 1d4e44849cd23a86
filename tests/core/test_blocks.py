"""Blocks of readings are unpacked as they were packed, however odd; another format version is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.blocks import VERSION, Readings, pack_blocks, unpack_blocks
from statistics_manager_service.core.correction import Verdict
from statistics_manager_service.core.quantities import BOUNDS_MILLI

MOST = max(BOUNDS_MILLI.values())
LATEST_US = 2**62


@st.composite
def blocks(draw: st.DrawFn) -> Readings:
    """Sorted instants near each other or as far apart as there are; values up to the largest that are taken."""
    instants = draw(
        st.one_of(
            st.sets(st.integers(-LATEST_US, LATEST_US), min_size=1, max_size=20),
            st.sets(st.integers(0, 300), min_size=1, max_size=60),
            st.integers(1, 300).map(lambda n: set(range(0, n * 60_000_000, 60_000_000))),
        )
    )
    at = np.array(sorted(instants), np.int64) + draw(st.sampled_from([0, 1_700_000_000_000_000]))
    size = len(at)
    numbers = draw(
        st.sampled_from([st.integers(-MOST, MOST), st.integers(0, 300), st.sampled_from([-MOST, MOST]), st.just(7)])
    )
    value = np.array(draw(st.lists(numbers, min_size=size, max_size=size)), np.int64)
    length = None
    if draw(st.booleans()):
        lengths = st.integers(1, 366 * 86_400_000_000) if draw(st.booleans()) else st.just(900_000_000)
        length = np.array(draw(st.lists(lengths, min_size=size, max_size=size)), np.int64)
    verdicts = st.sampled_from(list(Verdict)) if draw(st.booleans()) else st.just(Verdict.PLAUSIBLE)
    verdict = np.array(draw(st.lists(verdicts, min_size=size, max_size=size)), np.uint8)
    return at, value, length, verdict


def listed(one: Readings) -> Any:
    return [None if column is None else (column.dtype.kind, column.tolist()) for column in one]


@settings(max_examples=300, deadline=None)
@given(st.lists(blocks(), max_size=4))
def test_blocks_are_unpacked_as_they_were_packed(some: list[Readings]) -> None:
    bodies = pack_blocks(some)
    assert [listed(one) for one in unpack_blocks(bodies)] == [listed(one) for one in some]


@settings(max_examples=100, deadline=None)
@given(st.lists(blocks(), min_size=1, max_size=4))
def test_a_body_does_not_depend_on_what_is_packed_beside_it(some: list[Readings]) -> None:
    """The same readings are the same bytes, whatever the batch that brought them."""
    assert pack_blocks(some) == [body for one in some for body in pack_blocks([one])]


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_another_format_version_is_refused_with_both_versions_named(version: int) -> None:
    column = np.arange(3, dtype=np.int64)
    (body,) = pack_blocks([(column, column, None, np.zeros(3, np.uint8))])
    assert body[0] == VERSION
    with pytest.raises(ValueError, match=f"version {version}, and this program reads {VERSION}"):
        unpack_blocks([body, bytes((version,)) + body[1:]])


def test_a_register_read_each_minute_takes_two_bytes_a_reading_at_most() -> None:
    rng = np.random.default_rng(1)
    at = 1_700_000_000_000_000 + np.arange(360, dtype=np.int64) * 60_000_000
    value = 500_000_000 + np.cumsum(rng.integers(0, 60, 360)) * 1000
    (body,) = pack_blocks([(at, value, None, np.zeros(360, np.uint8))])
    assert len(body) <= 2 * 360


def test_unpacked_columns_can_be_changed_without_changing_each_other() -> None:
    column = np.arange(3, dtype=np.int64)
    bodies = pack_blocks([(column, column, None, np.zeros(3, np.uint8))] * 2)
    first, second = unpack_blocks(bodies)
    first[1][:] = 99
    assert first[0].tolist() == second[0].tolist() == second[1].tolist() == [0, 1, 2]
