"""Blocks, day profiles and revisions: the same contract on both stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from statistics_manager_service.services.ports import Block, ProfileRow, Revision
from statistics_manager_service.storage.database import SqlStore

BIG = 2**62
EVERY_BYTE = bytes(range(256)) * 8
KEY, OTHER, NEIGHBOUR = (1, 1), (1, 2), (2, 1)
BLOCKS = [
    Block(-4, None, 1, b"\x00"),
    Block(0, 0, 2, b""),
    Block(7, -BIG, 3, EVERY_BYTE),
    Block(8, BIG, 2**31 - 1, b"8"),
]
PROFILES = [
    ProfileRow(-1, -BIG, 1, 2, 3, -BIG, b"before 1970"),
    ProfileRow(0, 0, 0, 0, 0, 0, b""),
    ProfileRow(19_000, BIG, BIG, BIG, BIG, BIG, EVERY_BYTE),
    ProfileRow(19_002, 5, 4, 3, 2, 1, b"x"),
]


def put_blocks(store: SqlStore, key: tuple[int, int], blocks: Sequence[Block]) -> None:
    with store.writing() as view:
        view.put_blocks([(*key, one.block, one.carry, one.reading_count, one.body) for one in blocks])


def rows_of(
    key: tuple[int, int], profiles: Sequence[ProfileRow]
) -> list[tuple[int, int, int, int, int, int, int, int, bytes]]:
    return [
        (*key, p.day, p.energy_milliwh, p.measured_s, p.estimated_s, p.sample_count, p.sample_sum_milli, p.body)
        for p in profiles
    ]


def put_profiles(store: SqlStore, key: tuple[int, int], profiles: Sequence[ProfileRow]) -> None:
    with store.writing() as view:
        view.put_profiles(rows_of(key, profiles))


def test_blocks_are_read_as_they_were_put_in_order_whatever_the_order_of_writing(store: SqlStore) -> None:
    put_blocks(store, KEY, BLOCKS[::-1])
    put_blocks(store, OTHER, [Block(0, 1, 1, b"other")])
    put_blocks(store, NEIGHBOUR, [Block(0, 2, 1, b"neighbour")])
    with store.reading() as view:
        assert view.blocks(*KEY, -(10**9), 10**9) == BLOCKS
        assert view.blocks(*KEY, 0, 7) == BLOCKS[1:3]
        assert view.blocks(*KEY, 1, 6) == []
        assert view.blocks(*KEY, 7, 0) == []
        assert view.blocks(*OTHER, 0, 0) == [Block(0, 1, 1, b"other")]
        assert all(type(one.body) is bytes for one in view.blocks(*KEY, -9, 9))


def test_a_block_put_again_takes_the_place_of_the_old_one(store: SqlStore) -> None:
    put_blocks(store, KEY, BLOCKS)
    again = Block(7, None, 9, b"new")
    put_blocks(store, KEY, [again])
    put_blocks(store, KEY, [])
    with store.reading() as view:
        assert view.blocks(*KEY, -9, 99) == [*BLOCKS[:2], again, BLOCKS[3]]


@pytest.mark.parametrize(("at", "limit", "found"), [(8, 2, [0, 7]), (8, 99, [-4, 0, 7]), (-4, 5, []), (100, 1, [8])])
def test_blocks_before_are_the_nearest_ones_in_order(store: SqlStore, at: int, limit: int, found: list[int]) -> None:
    put_blocks(store, KEY, BLOCKS)
    put_blocks(store, OTHER, [Block(1, 0, 1, b"")])
    with store.reading() as view:
        assert [one.block for one in view.blocks_before(*KEY, at, limit)] == found


@pytest.mark.parametrize(("at", "limit", "found"), [(-4, 2, [0, 7]), (-99, 99, [-4, 0, 7, 8]), (8, 5, []), (1, 1, [7])])
def test_blocks_after_are_the_nearest_ones_in_order(store: SqlStore, at: int, limit: int, found: list[int]) -> None:
    put_blocks(store, KEY, BLOCKS)
    put_blocks(store, OTHER, [Block(9, 0, 1, b"")])
    with store.reading() as view:
        assert [one.block for one in view.blocks_after(*KEY, at, limit)] == found


def test_blocks_of_many_spans_come_as_a_list_for_each_even_where_spans_repeat(store: SqlStore) -> None:
    put_blocks(store, KEY, BLOCKS)
    put_blocks(store, NEIGHBOUR, BLOCKS[:1])
    spans = [(*NEIGHBOUR, -9, 9), (*KEY, 7, 8), (9, 9, 0, 9), (*KEY, 7, 8), (*KEY, -4, -4)]
    with store.reading() as view:
        assert view.blocks_of(spans) == [BLOCKS[:1], BLOCKS[2:], [], BLOCKS[2:], BLOCKS[:1]]
        assert view.blocks_of([]) == []


def test_profiles_are_read_as_they_were_put_one_by_one_and_by_spans(store: SqlStore) -> None:
    put_profiles(store, KEY, PROFILES[::-1])
    put_profiles(store, OTHER, PROFILES[:1])
    spans = [(*KEY, 0, 19_001), (*OTHER, -5, 5), (9, 9, 0, 1), (*KEY, 0, 19_001)]
    with store.reading() as view:
        assert view.profiles(*KEY, -9, 10**6) == PROFILES
        assert view.profiles(*KEY, 19_001, 19_001) == []
        assert view.profiles_of(spans) == [PROFILES[1:3], PROFILES[:1], [], PROFILES[1:3]]
        assert view.profiles_of([]) == []


def test_a_profile_put_again_takes_the_place_of_the_old_one(store: SqlStore) -> None:
    put_profiles(store, KEY, PROFILES)
    again = ProfileRow(0, 9, 8, 7, 6, 5, b"again")
    put_profiles(store, KEY, [again])
    with store.reading() as view:
        assert view.profiles(*KEY, -9, 10**6) == [PROFILES[0], again, *PROFILES[2:]]


@pytest.mark.parametrize(
    "days",
    [
        [0, 1, 2],  # side by side
        [0, 2, 3],  # with a hole
        [-1, 19_002],  # far apart
        list(range(0, 4000, 5)),  # more than a statement takes
        [1],
        [77],
    ],
)
def test_profile_columns_are_the_rows_of_the_days_asked_for(store: SqlStore, days: list[int]) -> None:
    numbers = sorted({-1, 0, 1, 2, 3, 5, 500, 2500, 3995, 19_002})
    stored = [ProfileRow(day, day * 10, day * 10 + 1, day * 10 + 2, day * 10 + 3, -day, b"%d" % day) for day in numbers]
    put_profiles(store, KEY, stored)
    put_profiles(store, NEIGHBOUR, stored[:3])
    keys = [NEIGHBOUR, (9, 9), KEY]
    with store.reading() as view:
        found = view.profile_columns(keys, np.array(days, np.int64))
    got = [
        (int(owner), days[int(place)], *totals, body)
        for owner, place, totals, body in zip(
            found.owner, found.place, found.totals.tolist(), found.bodies, strict=True
        )
    ]
    want = [
        (i, *row[2:])
        for i, rows in ((0, rows_of(NEIGHBOUR, stored[:3])), (2, rows_of(KEY, stored)))
        for row in rows
        if row[2] in days
    ]
    assert got == want
    assert found.totals.shape == (len(want), 5)


def test_profile_columns_of_nothing_are_empty(store: SqlStore) -> None:
    with store.reading() as view:
        found = view.profile_columns([KEY], np.array([1, 2], np.int64))
        none = view.profile_columns([], np.array([1, 2], np.int64))
    for one in (found, none):
        assert (len(one.owner), len(one.place), one.totals.shape, len(one.bodies)) == (0, 0, (0, 5), 0)


def test_a_shift_moves_the_days_behind_and_no_other(store: SqlStore) -> None:
    small = [ProfileRow(day, 100 * day, day, day, day, -day, b"b") for day in (1, 2, 3)]
    for key in (KEY, OTHER, NEIGHBOUR):
        put_profiles(store, key, small)
    with store.writing() as view:
        view.shift_profiles(*KEY, 1, (-7, 1, 2, -3, 10**15))
    moved = [
        ProfileRow(
            p.day,
            p.energy_milliwh - 7,
            p.measured_s + 1,
            p.estimated_s + 2,
            p.sample_count - 3,
            p.sample_sum_milli + 10**15,
            b"b",
        )
        for p in small[1:]
    ]
    with store.reading() as view:
        assert view.profiles(*KEY, 0, 9) == [small[0], *moved]
        assert view.profiles(*OTHER, 0, 9) == view.profiles(*NEIGHBOUR, 0, 9) == small


def test_deleted_profiles_are_those_of_one_channel(store: SqlStore) -> None:
    for key in (KEY, OTHER, NEIGHBOUR):
        put_profiles(store, key, PROFILES)
    with store.writing() as view:
        view.delete_profiles(*KEY)
    with store.reading() as view:
        assert view.profiles(*KEY, -9, 10**6) == []
        assert view.profiles(*OTHER, -9, 10**6) == view.profiles(*NEIGHBOUR, -9, 10**6) == PROFILES


def test_revisions_are_told_by_instant_then_by_when_they_were_replaced(store: SqlStore) -> None:
    rows = [(20, 7, -BIG, 0), (10, 9, 1, 900), (10, 8, 2, 0), (30, 1, BIG, 5)]
    with store.writing() as view:
        view.add_revisions([(*KEY, *row) for row in rows])
        view.add_revisions([(*OTHER, 10, 1, 1, 1)])
        view.add_revisions([])
    with store.reading() as view:
        assert view.revisions(*KEY, 10, 30) == [
            Revision(10, 2, 0, replaced_us=8),
            Revision(10, 1, 900, replaced_us=9),
            Revision(20, -BIG, 0, replaced_us=7),
        ]
        assert view.revisions(*KEY, 31, 99) == []
        assert view.revisions(*KEY, 30, 30) == []


def test_ten_thousand_rows_are_put_in_one_go(store: SqlStore) -> None:
    many = [Block(i, i, 1, i.to_bytes(4, "little")) for i in range(10_000)]
    put_blocks(store, KEY, many)
    with store.reading() as view:
        assert view.blocks(*KEY, 0, 10_000) == many
