"""The laws: the books balance, and order does not matter. Property tests over registers, intervals and samples.

`LAW_EXAMPLES` in the environment says how many examples each runs (200 unless set).
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore

from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Channel, Household, MeterEvent
from statistics_manager_service.services.telemetry.recording import Recorded, Recorder
from statistics_manager_service.services.totals import ENERGY, ESTIMATED, MEASURED, Totals

EXAMPLES = int(os.environ.get("LAW_EXAMPLES", "200"))
law = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

START_US = 1_683_700_000 * US_PER_S
NOW_US = START_US + 4000 * US_PER_DAY


def store_with(kind: Kind, events: list[MeterEvent] | None = None, **limits: Any) -> tuple[MemoryStore, Recorder]:
    """A store with one channel, and its recorder, by whose clock an hour passes from one write to the next."""
    store = MemoryStore()
    store.put_household(Household(0, "home", register_unit="kWh"))
    quantity = "power_import" if kind is Kind.SAMPLE else "energy_import"
    store.add_channel(Channel(1, 0, "grid", quantity, kind, "kWh", **limits))
    store.all_events = list(events or [])
    clock = itertools.count(NOW_US, 3600 * US_PER_S)
    return store, Recorder(store, lambda: next(clock))


def record(recorder: Recorder, kind: Kind, rows: list[tuple[int, int, int]]) -> Recorded:
    at, value, length = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    sample = kind is Kind.SAMPLE
    return recorder.record(
        [
            WireReadings(
                "home",
                "grid",
                "power_import" if sample else "energy_import",
                kind,
                "W" if sample else "Wh",
                at,
                value / 1000,
                length if kind is Kind.INTERVAL else None,
            )
        ]
    )


def state(store: MemoryStore) -> Any:
    channel = store.channels(1)[0]
    blocks = {b.block: (b.carry, b.body) for b in store.all_blocks.get((1, 1), {}).values()}
    return channel, blocks, store.all_profiles.get((1, 1), {})


@st.composite
def registers(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Readings (instant, milliwatt-hours, 0) with gaps, glitches, resets, jitter, falls: whatever the field has."""
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    unit_us = draw(st.sampled_from([1, 1000, US_PER_S, 60 * US_PER_S]))
    spans = (
        np.where(rng.random(count) < 0.1, rng.integers(1, 4 * 86400, count), rng.integers(1, 2000, count)) * US_PER_S
    )
    at = (START_US + np.cumsum(spans)) // unit_us * unit_us
    value = 500_000_000 + np.cumsum(rng.integers(0, 900_000, count) * (rng.random(count) < 0.8))
    for _ in range(draw(st.integers(0, 6))):
        place, kind = rng.integers(0, count), rng.integers(0, 6)
        run = slice(place, place + rng.integers(1, 5))
        if kind == 0:
            value[run] = 0
        elif kind == 1:
            value[run] += rng.integers(1, 10**9)
        elif kind == 2:
            value[place:] -= value[place] - rng.integers(0, 10**6)
        elif kind == 3:
            value[place:] -= rng.integers(0, 200_000)
        elif kind == 4:
            value[place:] += rng.integers(1, 10**9)
        else:
            value[run] -= rng.integers(0, 200_000)
    value %= 1_900_000_000  # below the modulus of the limits
    at, first = np.unique(at, return_index=True)
    return [(int(t), int(v), 0) for t, v in zip(at, value[first], strict=True)]


@st.composite
def intervals(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Intervals of mixed lengths, some of which overlap a little, or much, and some of unknown length."""
    count = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step = draw(st.sampled_from([300, 900, 1800, 3600, 86400]))
    jitter = draw(st.sampled_from([100, step // 20]))
    at = START_US + np.cumsum(rng.integers(0, 4, count) * step + rng.integers(-1, 2, count) * jitter) * US_PER_S
    length = rng.choice([step, step, step, 2 * step, 7 * step], count) * US_PER_S
    length[rng.random(count) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = 0  # of which nobody tells the length
    value = rng.integers(0, 5_000_000, count)
    at, first = np.unique(at, return_index=True)
    return [(int(t), int(v), int(n)) for t, v, n in zip(at, value[first], length[first], strict=True)]


@st.composite
def samples(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    return [(at, value % 9_000_000, 0) for at, value, _ in draw(registers())]


def batches(draw: st.DrawFn, rows: list[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """The rows in another order, in batches, some of them repeated."""
    order = draw(st.permutations(rows))
    repeated = order + draw(st.lists(st.sampled_from(rows), max_size=10))
    size = draw(st.integers(1, max(1, len(repeated))))
    return [repeated[i : i + size] for i in range(0, len(repeated), size)]


CASES = {Kind.REGISTER: registers(), Kind.INTERVAL: intervals(), Kind.SAMPLE: samples()}


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "modulus_milli": st.just(2_000_000_000),
                "max_power_w": st.sampled_from([3000.0, 20000.0]),
                "resolution_milli": st.sampled_from([1, 100_000]),
                "gap_limit_s": st.sampled_from([900, 7200]),
            },
        )
    )


@st.composite
def swaps(draw: st.DrawFn) -> list[MeterEvent]:
    some = draw(st.lists(st.integers(0, 10 * 86400), max_size=2, unique=True))
    return [
        MeterEvent(1, i + 1, "grid", "energy_import", START_US + s * US_PER_S, 510_000_000 + i, 1_000_000 * i)
        for i, s in enumerate(some)
    ]


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_any_order_batches_and_repetition_give_the_same_bits(data: st.DataObject, kind: Kind) -> None:
    rows = data.draw(CASES[kind])
    some = data.draw(limits()) if kind is Kind.REGISTER else {}
    events = data.draw(swaps()) if kind is Kind.REGISTER else []
    one_store, one = store_with(kind, events, **some)
    record(one, kind, rows)
    many_store, many = store_with(kind, events, **some)
    for batch in data.draw(st.composite(batches)(rows)):
        record(many, kind, batch)
    assert state(one_store)[1] == state(many_store)[1], "blocks"
    assert state(one_store)[2] == state(many_store)[2], "profiles"
    assert state(one_store)[0] == state(many_store)[0], "channel"


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_a_correction_ends_in_the_state_of_the_corrected_readings(data: st.DataObject, kind: Kind) -> None:
    rows = data.draw(CASES[kind])
    some = data.draw(limits()) if kind is Kind.REGISTER else {}
    wrong = [
        data.draw(st.sampled_from([row, (row[0], row[1] + 77_000, row[2]), (row[0], row[1], 2 * row[2] + US_PER_S)]))
        for row in rows
    ]
    one_store, one = store_with(kind, **some)
    record(one, kind, rows)
    other_store, other = store_with(kind, **some)
    record(other, kind, wrong)
    for batch in data.draw(st.composite(batches)(rows)):
        record(other, kind, batch)
    assert state(one_store) == state(other_store)


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_corrections_leave_the_same_revisions_in_one_batch_as_one_by_one(data: st.DataObject, kind: Kind) -> None:
    few = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([900, 1800]))
    rows = [
        (START_US + i * 1800 * US_PER_S, value, length * US_PER_S)
        for i, value, length in data.draw(st.lists(few, min_size=1, max_size=12))
    ]
    one_store, one = store_with(kind)
    counts = [record(one, kind, [row]) for row in rows]
    many_store, many = store_with(kind)
    size = data.draw(st.integers(1, len(rows)))
    told = [record(many, kind, rows[i : i + size]) for i in range(0, len(rows), size)]
    for at_us in {row[0] for row in rows}:
        replaced = [
            [(old.value_milli, old.length_us) for old in store.revisions(1, 1, at_us, at_us + 1)]
            for store in (one_store, many_store)
        ]
        assert replaced[0] == replaced[1]
    assert sum(count.accepted for count in counts) == sum(count.accepted for count in told)
    assert sum(count.duplicates for count in counts) == sum(count.duplicates for count in told)
    assert state(one_store) == state(many_store)


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_a_refold_of_everything_changes_nothing(data: st.DataObject, kind: Kind) -> None:
    rows = data.draw(CASES[kind])
    some = data.draw(limits()) if kind is Kind.REGISTER else {}
    events = data.draw(swaps()) if kind is Kind.REGISTER else []
    store, recorder = store_with(kind, events, **some)
    for batch in data.draw(st.composite(batches)(rows)):
        record(recorder, kind, batch)
    before = state(store)
    recorder.refold(store, store.all_households[1], store.channels(1)[0])  # type: ignore[arg-type]
    assert state(store) == before


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_the_parts_of_any_range_add_up_to_the_whole(data: st.DataObject, kind: Kind) -> None:
    rows = data.draw(CASES[kind])
    store, recorder = store_with(kind)
    record(recorder, kind, rows)
    channel = store.channels(1)[0]
    first, last = rows[0][0] // QUARTER_US - 3, rows[-1][0] // QUARTER_US + 700
    inner = data.draw(st.lists(st.integers(first, last), max_size=20))
    edges = np.array(sorted({first, last, *inner}), np.int64) * QUARTER_US
    steps = Totals(store, edges).steps([channel])[0]  # type: ignore[arg-type]
    days = unpack_days([row.body for _, row in sorted(store.all_profiles[1, 1].items())])
    assert steps[:, ENERGY].sum() == days.energy_milliwh.sum() == channel.energy_milliwh
    assert (steps[:, MEASURED] + steps[:, ESTIMATED] <= np.diff(edges) // US_PER_S).all()


@law
@given(st.data(), st.sampled_from(list(Kind)))
def test_quarter_hours_read_as_stored_are_the_differences_of_running_totals(data: st.DataObject, kind: Kind) -> None:
    rows = data.draw(CASES[kind])
    store, recorder = store_with(kind)
    record(recorder, kind, rows)
    first = rows[0][0] // QUARTER_US - data.draw(st.integers(0, 100))
    edges = np.arange(first, first + data.draw(st.integers(3, 800))) * QUARTER_US
    quarters = Totals(store, edges).steps(store.channels(1))  # type: ignore[arg-type]
    left_out = data.draw(st.integers(1, len(edges) - 2))
    coarser = Totals(store, np.delete(edges, left_out)).steps(store.channels(1))  # type: ignore[arg-type]
    assert (np.add.reduceat(quarters, np.delete(np.arange(len(edges) - 1), left_out), axis=1) == coarser).all()


@law
@given(registers(), st.data())
def test_a_register_without_trouble_counts_last_minus_first(
    rows: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    rising = np.maximum.accumulate([value for _, value, _ in rows])
    clean = [(at, int(value), 0) for (at, _, _), value in zip(rows, rising, strict=True)]
    store, recorder = store_with(Kind.REGISTER)
    for batch in data.draw(st.composite(batches)(clean)):
        record(recorder, Kind.REGISTER, batch)
    assert store.channels(1)[0].energy_milliwh == clean[-1][1] - clean[0][1]


@law
@given(registers(), st.integers(0, 2**32), st.data())
def test_what_flows_between_two_instants_is_the_straight_line_between_readings(
    rows: list[tuple[int, int, int]], seed: int, data: st.DataObject
) -> None:
    rising = np.maximum.accumulate([value for _, value, _ in rows])
    clean = [(at, int(value), 0) for (at, _, _), value in zip(rows, rising, strict=True)]
    store, recorder = store_with(Kind.REGISTER)
    record(recorder, Kind.REGISTER, clean)
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.integers(clean[0][0] - US_PER_DAY, clean[-1][0] + US_PER_DAY, 5))
    edges[data.draw(st.integers(0, 4))] //= QUARTER_US
    edges = np.sort(np.where(edges < START_US // 2, edges * QUARTER_US, edges))
    from_before = np.concatenate(([clean[0][0] - 9 * US_PER_DAY], edges))
    totals = Totals(store, from_before).steps(store.channels(1))[0, :, ENERGY].cumsum()  # type: ignore[arg-type]
    at = [t for t, _, _ in clean]
    for i, edge in enumerate(edges.tolist()):
        place = int(np.searchsorted(at, edge, side="right"))
        if place in (0, len(at)):
            want2, scale = 2 * (0 if place == 0 else clean[-1][1] - clean[0][1]), 1
        else:
            (t0, v0, _), (t1, v1, _) = clean[place - 1], clean[place]
            scale = t1 - t0
            want2 = 2 * ((v0 - clean[0][1]) * scale + (v1 - v0) * (edge - t0))
        assert abs(2 * int(totals[i]) * scale - want2) <= scale, f"edge {i}: half a milliwatt-hour off"


@law
@given(intervals())
def test_intervals_keep_their_sum(rows: list[tuple[int, int, int]]) -> None:
    rows = [(at, value, length or 100 * US_PER_S) for at, value, length in rows]
    store, recorder = store_with(Kind.INTERVAL)
    record(recorder, Kind.INTERVAL, rows)
    covered, total = 0, 0
    for at, value, length in rows:
        if covered - at <= length / 10:  # what it takes from the time of the one before leaves that one's energy whole
            covered, total = at + length, total + value
    assert store.channels(1)[0].energy_milliwh == total


@law
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 899), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_energy_of_unknown_length_counts_whole_in_the_quarter_hour_of_its_instant(
    rows: list[tuple[int, int, int]],
) -> None:
    first = START_US // QUARTER_US
    by_instant = {(first + quarter) * QUARTER_US + s * US_PER_S: value for quarter, s, value in rows}
    store, recorder = store_with(Kind.INTERVAL)
    for at_us, value in by_instant.items():
        record(recorder, Kind.INTERVAL, [(at_us, value, 0)])
    totals = Totals(store, (first + np.arange(7, dtype=np.int64)) * QUARTER_US)  # type: ignore[arg-type]
    found = totals.steps(store.channels(1))[0]
    for i in range(6):
        mine = [value for at_us, value in by_instant.items() if at_us // QUARTER_US == first + i]
        assert (found[i, ENERGY], found[i, MEASURED]) == (sum(mine), 900 if mine else 0)


#: Seconds and milliwatt-hours: the third reading is held at the level of the second.
HELD = [(327, 501_863_750), (1612, 521_139_894), (3253, 521_118_592), (3852, 1_331_457_124)]
#: Hours from a start, and lengths in hours: days told twice, and clocks that jitter.
REACHING = [(1.95, 168), (95.95, 24), (166.9, 24), (189.75, 48)]
UNKNOWN_LENGTH = [(0.1862, 0.5834), (0.85, 0.08), (0.9329, 0)]
LATE_CUT = [
    (1.05, 2), (2.05, 7), (3, 1), (4, 1), (4.05, 7), (4.95, 7), (7, 1), (7.95, 2), (8.9, 7), (11.9, 1), (14.85, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        pytest.param(
            Kind.REGISTER, [(START_US + s * US_PER_S, value, 0) for s, value in HELD], id="a level that holds"
        ),
        *(
            pytest.param(
                Kind.INTERVAL,
                [
                    (START_US + round(h * 3600) * US_PER_S, 10**6 + i, round(n * 3600) * US_PER_S)
                    for i, (h, n) in enumerate(told)
                ],
                id=name,
            )
            for name, told in (
                ("one that begins with its quarter-hour", UNKNOWN_LENGTH),
                ("one that reaches over others", REACHING),
                ("one that is cut in a later block", LATE_CUT),
            )
        ),
    ],
)
def test_each_reading_may_come_late_or_be_corrected(kind: Kind, rows: list[tuple[int, int, int]]) -> None:
    """Cases that the laws above have found."""
    some = {"max_power_w": 3000.0} if kind is Kind.REGISTER else {}
    one_store, one = store_with(kind, **some)
    record(one, kind, rows)
    for i, (at_us, value, length_us) in enumerate(rows):
        late_store, late = store_with(kind, **some)
        record(late, kind, rows[:i] + rows[i + 1 :] or rows)
        record(late, kind, [rows[i]])
        assert state(late_store) == state(one_store)
        corrected_store, corrected = store_with(kind, **some)
        record(corrected, kind, [*rows[:i], (at_us, value + 77_000, length_us), *rows[i + 1 :]])
        record(corrected, kind, [rows[i]])
        assert state(corrected_store) == state(one_store)
