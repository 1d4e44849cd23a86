"""The books of a battery: first in, first out, against a plain queue of lots in exact fractions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.ledger import PPM, Ledger, carried_round, fifo, origins


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass
class Queue:
    """A battery as a queue of lots (milliwatt-hours of charge, what they carry), slow and exact."""

    efficiency: Fraction
    capacity: int | None
    lots: deque[tuple[Fraction, Fraction]] = field(default_factory=deque)
    left: Fraction = Fraction(0)
    carried_out: list[Fraction] = field(default_factory=list)
    written_off: list[Fraction] = field(default_factory=list)
    unknown: list[Fraction] = field(default_factory=list)
    stored: list[Fraction] = field(default_factory=lambda: [Fraction(0)])

    def quarter(self, charge: int, discharge: int, carried: int) -> None:
        if charge:
            self.lots.append((Fraction(charge), Fraction(carried)))
        beyond = Fraction(0)
        if self.capacity is not None:
            beyond = max(self.content() - self.capacity / self.efficiency, Fraction(0))
        self.written_off.append(self._take(beyond)[1])
        taken, carried_out = self._take(discharge / self.efficiency)
        self.carried_out.append(carried_out)
        self.unknown.append(discharge - taken * self.efficiency)
        self.stored.append(self.content())

    def content(self) -> Fraction:
        return sum((size for size, _ in self.lots), Fraction(0))

    def _take(self, wanted: Fraction) -> tuple[Fraction, Fraction]:
        taken, out = Fraction(0), Fraction(0)
        while self.lots and taken < wanted:
            size, carried = self.lots.popleft()
            part = min(size, wanted - taken)
            taken += part
            out += carried * part / size
            if part < size:
                self.lots.appendleft((size - part, carried * (1 - part / size)))
        self.left += taken
        return taken, out


ENERGIES = st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 25_000_000))
HISTORIES = st.lists(st.tuples(ENERGIES, ENERGIES, st.integers(0, 2 * 10**12)), min_size=1, max_size=30)
EFFICIENCIES = st.one_of(st.integers(1, PPM), st.integers(800_000, PPM), st.just(PPM))
CAPACITIES = st.one_of(st.none(), st.integers(0, 20), st.integers(0, 60_000_000))


def books(history: list[tuple[int, int, int]], efficiency: int, capacity: int | None) -> tuple[Ledger, np.ndarray]:
    charge, discharge, carried = np.array(history, np.int64).T
    carried = np.where(charge > 0, carried, 0)
    return fifo(charge, discharge, efficiency, capacity), carried


@given(HISTORIES, EFFICIENCIES, CAPACITIES)
def test_it_is_a_queue_of_lots(history: list[tuple[int, int, int]], efficiency: int, capacity: int | None) -> None:
    found, carried = books(history, efficiency, capacity)
    slow = Queue(Fraction(efficiency, PPM), capacity)
    for (charge, discharge, _), with_it in zip(history, carried.tolist(), strict=True):
        slow.quarter(charge, discharge, with_it)
    # positions are the queue's in whole milliwatt-hours, rounded down
    assert found.stored_milliwh.tolist() == [-floor(-one) for one in slow.stored]
    assert found.usable_milliwh.tolist() == [floor(one * slow.efficiency) for one in slow.stored]
    unknown = np.cumsum(found.unknown_milliwh).tolist()
    assert unknown == [floor(sum(slow.unknown[: i + 1], Fraction(0))) for i in range(len(history))]
    # what a lot carries for one milliwatt-hour is what rounding a position can shift
    most = max((Fraction(k, c) for (c, _, _), k in zip(history, carried.tolist(), strict=True) if c), default=0)
    for fast, exact in (
        (np.cumsum(found.carried_out(carried)), np.cumsum(slow.carried_out)),
        (np.cumsum(found.written_off(carried)), np.cumsum(slow.written_off)),
    ):
        off = [abs(one - other) for one, other in zip(fast.tolist(), exact.tolist(), strict=True)]
        assert all(one <= (most + 1) * (i + 2) for i, one in enumerate(off))


@given(HISTORIES, EFFICIENCIES, CAPACITIES)
def test_what_came_in_went_out_or_is_stored(
    history: list[tuple[int, int, int]], efficiency: int, capacity: int | None
) -> None:
    found, carried = books(history, efficiency, capacity)
    gone = np.cumsum(found.carried_out(carried)) + np.cumsum(found.written_off(carried))
    assert (np.cumsum(carried) - gone).tolist() == found.carried_stored(carried)[1:].tolist()
    for column in (found.carried_out(carried), found.carried_stored(carried), found.written_off(carried),
                   found.stored_milliwh, found.usable_milliwh, found.unknown_milliwh):  # fmt: skip
        assert (column >= 0).all()
    assert (found.unknown_milliwh <= [discharge for _, discharge, _ in history]).all()
    if capacity is None:
        assert not found.written_off(carried).any()
    else:
        assert (found.usable_milliwh <= capacity).all()


@given(HISTORIES, EFFICIENCIES, CAPACITIES, st.integers(1, 29))
def test_a_quarter_hour_does_not_know_what_comes_after_it(
    history: list[tuple[int, int, int]], efficiency: int, capacity: int | None, until: int
) -> None:
    whole, carried = books(history, efficiency, capacity)
    early, _ = books(history[:until], efficiency, capacity)
    assert whole.carried_out(carried)[:until].tolist() == early.carried_out(carried[:until]).tolist()
    assert whole.usable_milliwh[: until + 1].tolist() == early.usable_milliwh.tolist()


def test_a_day_by_hand() -> None:
    # 80 %: 1000 of the sun (carrying 0), then 500 of the grid (carrying 300 g); 600 out takes 750, 600 more takes the
    # last 250 of the sun and all 500 of the grid; then there is nothing, and 40 are of unknown origin
    found = fifo(ints(1000, 500, 0, 0, 0), ints(0, 0, 600, 600, 40), 800_000)
    assert found.left_milliwh.tolist() == [0, 0, 0, 750, 1500, 1500]
    assert found.carried_out(ints(0, 300, 0, 0, 0)).tolist() == [0, 0, 0, 300, 0]
    assert found.stored_milliwh.tolist() == [0, 1000, 1500, 750, 0, 0]
    assert found.usable_milliwh.tolist() == [0, 800, 1200, 600, 0, 0]
    assert found.unknown_milliwh.tolist() == [0, 0, 0, 0, 40]


def test_discharge_of_what_was_there_before_is_not_debited_later() -> None:
    found = fifo(ints(0, 100, 0), ints(70, 0, 100), PPM)
    assert found.unknown_milliwh.tolist() == [70, 0, 0]
    assert found.carried_out(ints(0, 9, 0)).tolist() == [0, 0, 9]


def test_what_a_battery_cannot_hold_has_left_unseen_the_oldest_first() -> None:
    found = fifo(ints(80, 60, 0), ints(0, 0, 100), PPM, usable_capacity_milliwh=100)
    carried = ints(160, 0, 0)
    assert found.usable_milliwh.tolist() == [0, 80, 100, 0]
    assert found.written_off(carried).tolist() == [0, 80, 0]
    assert found.carried_out(carried).tolist() == [0, 0, 80]


def test_energies_beyond_64_bits_are_exact_too() -> None:
    big = 9 * 10**15
    found = fifo(ints(big, big, 0), ints(0, big, big), 900_000)
    assert found.left_milliwh.tolist() == [0, 0, 10**16, 2 * big]
    assert found.unknown_milliwh.tolist() == [0, 0, big - int((2 * big - 10**16) * 0.9)]


@pytest.mark.parametrize("efficiency", [0, -1, PPM + 1])
def test_an_efficiency_out_of_bounds_is_refused(efficiency: int) -> None:
    with pytest.raises(ValueError, match=str(efficiency)):
        fifo(ints(1), ints(1), efficiency)


def test_a_battery_without_quarter_hours_is_empty() -> None:
    nothing = ints()
    found = fifo(nothing, nothing, PPM, 5)
    assert found.stored_milliwh.tolist() == [0]
    assert found.carried_out(nothing).tolist() == []


@given(HISTORIES, EFFICIENCIES, CAPACITIES, st.data())
def test_origins_are_parts_of_the_discharge(
    history: list[tuple[int, int, int]], efficiency: int, capacity: int | None, data: st.DataObject
) -> None:
    found, _ = books(history, efficiency, capacity)
    charge, discharge, seed = np.array(history, np.int64).T
    returned = np.minimum(charge, discharge) * (seed % 5) // 4
    sun = (charge - returned) * (seed % 7) // 6
    parts = origins(found, discharge, {"production": sun, "grid": charge - returned - sun}, returned)
    assert all((part >= 0).all() for part in parts.values())
    assert (sum(parts.values()) <= discharge - found.unknown_milliwh).all()


def test_origins_by_hand() -> None:
    # at 50 %: 100 of the sun and 300 of the grid in one quarter-hour, 120 of 200 known out: a quarter is of the sun
    found = fifo(ints(400, 0, 0), ints(0, 120, 120), 500_000)
    parts = origins(found, ints(0, 120, 120), {"production": ints(100, 0, 0), "grid": ints(300, 0, 0)}, ints(0, 0, 0))
    assert parts["production"].tolist() == [0, 30, 20]
    assert parts["grid"].tolist() == [0, 90, 60]  # and 40 of unknown origin


def test_what_goes_round_comes_back_with_its_origin() -> None:
    # 100 of the sun; 40 out, of which 20 go back in: these are of the sun when they leave at last
    charge, discharge, returned = ints(100, 20, 0), ints(0, 40, 80), ints(0, 20, 0)
    found = fifo(charge, discharge, PPM)
    parts = origins(found, discharge, {"production": ints(100, 0, 0)}, returned)
    assert parts["production"].tolist() == [0, 40, 80]
    # of 1000 g, 400 leave with the 40, 200 of them come back
    assert carried_round(found, discharge, ints(1000, 0, 0), returned).tolist() == [0, 200, 800]


@given(HISTORIES, EFFICIENCIES, CAPACITIES)
def test_what_goes_round_is_neither_lost_nor_made(
    history: list[tuple[int, int, int]], efficiency: int, capacity: int | None
) -> None:
    found, carried = books(history, efficiency, capacity)
    charge, discharge, seed = np.array(history, np.int64).T
    returned = np.minimum(charge, discharge) * (seed % 5) // 4
    out = carried_round(found, discharge, carried, returned)
    assert (out >= 0).all()
    assert out.sum() <= carried.sum()
    if not returned.any():
        assert out.tolist() == found.carried_out(carried).tolist()


@given(HISTORIES, EFFICIENCIES)
def test_all_that_goes_round_leaves_with_the_last_discharge(
    history: list[tuple[int, int, int]], efficiency: int
) -> None:
    history = [*history, (0, 10**10, 0)]  # empties it
    found, carried = books(history, efficiency, None)
    charge, discharge, seed = np.array(history, np.int64).T
    returned = np.minimum(charge, discharge) * (seed % 5) // 4
    assert carried_round(found, discharge, carried, returned).sum() == carried.sum()
