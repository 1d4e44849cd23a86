"""Several writer processes on the same channels: the same bits as one writer, and readers never see a torn state."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from forked import Forked

from statistics_manager_service.core.profiles import unpack_days
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Household, ReadView
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.verifying import verify
from statistics_manager_service.storage.database import SqlStore, open_engine
from statistics_manager_service.storage.migrate import migrate

START_US = 1_683_700_000 * US_PER_S
NOW_US = START_US + 4000 * US_PER_DAY
HOMES = ("home1", "home2")
WORKERS, BATCHES = 4, 24
EVERYTHING = 10**8

#: Instants, values and lengths of a channel: what one meter told.
Told = tuple[str, str, str, Kind, str, Any, Any, Any]
Batch = list[WireReadings]


def store_of(url: str) -> SqlStore:
    return SqlStore(open_engine(url))


def told(home: str, seed: int) -> list[Told]:
    """What a home's meters told: registers with falls to 0, spikes, a reset, gaps; intervals that overlap; samples."""
    rng = np.random.default_rng(seed)
    count = 700
    at = START_US + np.cumsum(rng.choice([60, 300, 900, 9000], count, p=[0.2, 0.5, 0.29, 0.01])) * US_PER_S
    value = 500_000 + np.cumsum(rng.integers(0, 50, count))
    value[200:203] = 0
    value[330] += 990_000
    value[450:] -= value[450]
    value[600:604] -= 3
    length = np.full(count, QUARTER_US)
    length[::50] *= 3
    register, interval, sample = Kind.REGISTER, Kind.INTERVAL, Kind.SAMPLE
    return [
        (home, "grid", "energy_import", register, "Wh", at, value.astype(float), None),
        (home, "pv", "energy_production", register, "Wh", at + 7 * US_PER_S, value / 3, None),
        (home, "meter", "energy_import", interval, "Wh", START_US + np.arange(count) * QUARTER_US, value % 77, length),
        (home, "grid", "power_import", sample, "W", at, (value % 5000).astype(float), None),
    ]


def part_of(one: Told, rows: Any) -> WireReadings:
    home, meter, quantity, kind, unit, at, value, length = one
    return WireReadings(
        home, meter, quantity, kind, unit, at[rows], value[rows] * 1.0, None if length is None else length[rows]
    )


def batches_of(all_told: list[Told], seed: int) -> list[Batch]:
    """Shuffled batches of several channels; they overlap, and all of them together hold every reading."""
    rng = np.random.default_rng(seed)
    shares = []
    for one in all_told:
        rows = rng.permutation(len(one[5]))
        again = rng.choice(rows, len(rows) // 2)
        shares.append(np.array_split(np.concatenate((rows, again)), BATCHES))
    out = []
    for i in range(BATCHES):
        order = rng.permutation(len(all_told))
        out.append([part_of(all_told[k], shares[k][i]) for k in order])
    return out


def write(url: str, batches: list[Batch]) -> None:
    """A writer's whole life."""
    store = store_of(url)
    recorder = Recorder(store, lambda: NOW_US)
    for batch in batches:
        recorder.record(batch)
    store.close()


def state(url: str) -> Any:
    """All that is stored, by the channels' names: their numbers tell the order in which they were made."""
    found = {}
    store = store_of(url)
    with store.reading() as view:
        for home in view.households(None, 99):
            for one in view.channels(home.household_no):
                key = (one.household_no, one.channel_no)
                blocks = view.blocks(*key, -EVERYTHING, EVERYTHING)
                profiles = view.profiles(*key, -EVERYTHING, EVERYTHING)
                name = (home.id, one.meter, one.quantity, one.kind)
                found[name] = one._replace(channel_no=0, household_no=0), blocks, profiles
    store.close()
    return found


def balances(view: ReadView, store_home: Household) -> bool:
    """Whether the books of a home balance as they are seen at one instant."""
    for one in view.channels(store_home.household_no):
        key = (one.household_no, one.channel_no)
        rows = view.profiles(*key, -EVERYTHING, EVERYTHING)
        days = unpack_days([row.body for row in rows]).energy_milliwh.sum(axis=1)
        before = np.cumsum(days) - days
        if [row.energy_milliwh for row in rows] != before.tolist() or days.sum() != one.energy_milliwh:
            return False
        if sum(block.reading_count for block in view.blocks(*key, -EVERYTHING, EVERYTHING)) != one.reading_count:
            return False
    return True


def put_homes(url: str) -> None:
    with store_of(url).writing() as view:
        for home in HOMES:
            view.put_household(Household(0, home))


@pytest.fixture
def other_url(tmp_path: pathlib.Path) -> str:
    """A store of its own, for what one writer makes of it."""
    url = f"sqlite:///{tmp_path / 'one-writer.sqlite3'}"
    migrate(url)
    return url


def test_many_writers_end_in_the_bits_of_one_and_readers_see_whole_batches(database_url: str, other_url: str) -> None:
    all_told = [one for i, home in enumerate(HOMES) for one in told(home, i)]
    for url in (database_url, other_url):
        put_homes(url)
    Recorder(store_of(other_url), lambda: NOW_US).record([part_of(one, slice(None)) for one in all_told])

    batches = batches_of(all_told, seed=5)
    writers = [Forked(write, database_url, batches[i::WORKERS]) for i in range(WORKERS)]
    reader = store_of(database_url)
    looks, moving = 0, 0
    counts: set[int] = set()
    while any(one.poll() is None for one in writers):
        for home in HOMES:
            with reader.reading() as view:
                found = view.household(home)
                assert found is not None
                assert balances(view, found)
                looks += 1
                counts.add(sum(one.reading_count for one in view.channels(found.household_no)))
        if looks % 10 == 0:
            assert verify(reader, "home1").differences == []
            moving += 1
    assert [one.poll() for one in writers] == [0] * WORKERS
    assert len(counts) > 3, "the readers have not looked while something was written"

    many, one_writer = state(database_url), state(other_url)
    assert many.keys() == one_writer.keys()
    for name, (channel, blocks, profiles) in one_writer.items():
        assert many[name][0] == channel, name
        assert many[name][1] == blocks, name
        assert many[name][2] == profiles, name
    assert verify(reader).differences == []
    reader.close()


def test_a_reader_sees_only_states_between_whole_batches(database_url: str) -> None:
    """A register that rises by 1 Wh a minute in batches of an hour: every total seen is that of some whole batch."""
    put_homes(database_url)
    batches, size = 40, 60
    at = START_US + np.arange(batches * size, dtype=np.int64) * 60 * US_PER_S
    value = np.arange(batches * size, dtype=float)
    whole = [
        [WireReadings("home1", meter, "energy_import", Kind.REGISTER, "Wh", at[rows], value[rows]) for meter in "ab"]
        for rows in (slice(i * size, (i + 1) * size) for i in range(batches))
    ]
    after_batch = {0} | {(i * size - 1) * 1000 for i in range(1, batches + 1)}
    writer = Forked(write, database_url, whole)
    store = store_of(database_url)
    seen: list[int] = []
    while writer.poll() is None:
        with store.reading() as view:
            home = view.household("home1")
            assert home is not None
            totals = [one.energy_milliwh for one in view.channels(home.household_no)] or [0, 0]
        assert totals[0] == totals[1], "one channel of a batch is ahead of the other"
        seen.append(totals[0])
    assert writer.poll() == 0
    assert set(seen) <= after_batch
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "the reader has not looked while something was written"
    store.close()
