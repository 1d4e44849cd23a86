"""Laws of explanations: what is shown gives the number again, to the last milliwatt-hour, whatever the field sends."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from memory_store import MemoryStore
from recomputed import energy_kwh
from test_laws import NOW_US, START_US, intervals, law, record, registers, store_with

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.units import US_PER_DAY, US_PER_S
from statistics_manager_service.services.asking import Asking, Question
from statistics_manager_service.services.explaining.balances import BalanceFormulas
from statistics_manager_service.services.explaining.explaining import Explaining, Explanation
from statistics_manager_service.services.explaining.quantities import Quantities
from statistics_manager_service.services.ports import MeterEvent

LIMITS = {"modulus_milli": 2_000_000_000, "max_power_w": 20_000.0}
Rows = list[tuple[int, int, int]]


def explaining(store: MemoryStore) -> Explaining:
    asking = Asking(store, lambda: NOW_US, [])  # type: ignore[arg-type] # a store without prices
    return Explaining(store, asking, [Quantities(), BalanceFormulas()])  # type: ignore[arg-type]


def explained(store: MemoryStore, start_us: int, end_us: int, measure: str = "energy_import") -> Explanation:
    question = Question(measure, iso_label(start_us), iso_label(end_us), "total")
    return explaining(store).explained("home", question)


def parsed(found: Explanation) -> dict[str, Any]:
    """The answer as a client reads it, its decimals as they stand in the text."""
    told: dict[str, Any] = json.loads(orjson.dumps(found.told), parse_float=Decimal)
    return told


def check(store: MemoryStore, start_us: int, end_us: int) -> dict[str, Any]:
    """The number follows from what is shown."""
    found = explained(store, start_us, end_us)
    told = parsed(found)
    energy = sum((energy_kwh(one) for one in told["readings"] if "energy_kwh" in one), Fraction(0))
    if told["value"] is None:
        assert told["reasons"]
        assert energy == 0
    else:
        assert energy == Fraction(told["value"])
    for one in told["readings"]:
        if "energy_kwh" in one:
            assert energy_kwh(one) == Fraction(one["energy_kwh"])
    assert told["digest"]["value"] == hashlib.sha256(found.text).hexdigest()
    quarters = told["quarters"]
    if quarters:
        assert quarters["whole"] == sum(
            quarters[name] for name in ("measured", "estimated", "missing", "known_in_part")
        )
        of_text = [line.split() for line in found.text.decode().splitlines() if line.startswith("quarter ")]
        assert sum(int(one[5]) for one in of_text) * Fraction(1, 10**6) == energy
    return told


@st.composite
def edges(draw: st.DrawFn) -> tuple[int, int]:
    """A time in, around or beside the readings: on the quarter-hour, on a second, on a microsecond."""
    step = draw(st.sampled_from([900 * US_PER_S, US_PER_S, 1]))
    first = START_US + draw(st.integers(-2 * 86_400, 9 * 86_400)) * US_PER_S // step * step
    length = draw(st.integers(1, 6 * 86_400)) * US_PER_S
    return first, max(first + length // step * step, first + step)


@law
@given(registers(), edges(), st.booleans())
def test_a_register_is_read_at_both_edges_and_gives_the_number(
    rows: Rows, asked: tuple[int, int], with_swap: bool
) -> None:
    middle = rows[len(rows) // 2]
    swap = MeterEvent(1, 1, "grid", "energy_import", middle[0] + 7 * US_PER_S, middle[1] + 20_000, 5_000)
    store, recorder = store_with(Kind.REGISTER, [swap] if with_swap else [], **LIMITS)
    record(recorder, Kind.REGISTER, rows)
    check(store, *asked)
    check(store, rows[0][0], rows[-1][0] + 1)


def test_an_interval_is_cut_short_by_one_that_begins_days_later() -> None:
    """Between two quarter-hours, too: what lies far behind decides when an interval ends."""
    week, day = 7 * US_PER_DAY, US_PER_DAY
    first = START_US - 100 * US_PER_S
    store, recorder = store_with(Kind.INTERVAL)
    record(recorder, Kind.INTERVAL, [(first, 2_019_186, week), (first + week - day // 4, 3_432_273, week)])
    told = check(store, START_US, START_US + 1_800 * US_PER_S)
    assert told["readings"][0]["intervals"]["cut_by_an_edge"][0]["to"] == iso_label(first + week - day // 4)


@law
@given(intervals(), edges(), st.booleans())
def test_intervals_that_touch_the_time_give_the_number(rows: Rows, asked: tuple[int, int], at_end: bool) -> None:
    store, recorder = store_with(Kind.INTERVAL)
    if at_end:  # stamped with their ends: the same intervals, as they are kept
        rows = [(at + length, value, length) for at, value, length in rows if length]
        rows = [(at - length, value, length) for at, value, length in rows] or [(START_US, 1_000, 900 * US_PER_S)]
    record(recorder, Kind.INTERVAL, rows)
    check(store, *asked)


@law
@given(
    st.lists(
        st.tuples(st.integers(0, 40_000_000_000), st.integers(0, 5_000_000)),
        min_size=1,
        max_size=60,
        unique_by=lambda x: x[0],
    ),
    st.tuples(st.integers(-3_000, 42_000), st.integers(1, 20_000)),
    st.sampled_from([1, 1_000]),
)
def test_the_trapezium_under_samples_gives_the_number(
    told: list[tuple[int, int]], asked: tuple[int, int], unit: int
) -> None:
    store, recorder = store_with(Kind.SAMPLE, gap_limit_s=1_800)
    store.all_channels[1, 1] = store.all_channels[1, 1]._replace(unit="W")
    rows = sorted((START_US + at // unit * unit, power, 0) for at, power in told)
    record(recorder, Kind.SAMPLE, rows)
    begin_us = START_US + asked[0] * US_PER_S
    check(store, begin_us, begin_us + asked[1] * US_PER_S)
