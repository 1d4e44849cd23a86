"""Tariffs and energies that Hypothesis makes, for laws that hold for every bill."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.readings import Int64

#: Zones of all kinds: with and without summer time, by half an hour, with a day left out, offsets of three quarters.
ZONES: Final = (
    "Europe/Lisbon", "Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
    "Asia/Kathmandu", "America/St_Johns", "UTC",
)  # fmt: skip
#: Days around which something happens to the clock or the calendar, as (zone, day).
TURNS: Final = (
    ("Europe/Lisbon", "2026-03-29"), ("Europe/Lisbon", "2026-10-25"), ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"), ("Pacific/Apia", "2011-12-30"), ("Pacific/Apia", "2011-12-29"),
    ("America/New_York", "2026-11-01"), ("Asia/Kathmandu", "2026-01-01"), ("Europe/London", "2025-12-31"),
)  # fmt: skip
SCHEDULES: Final[dict[str, Any]] = {
    "two": [{"period": "A", "from": "08:00", "to": "22:00"}, {"period": "B"}],
    "three": {
        "clock": "utc",
        "entries": [
            {"period": "P", "days": "mon-fri", "from": "09:15", "to": "12:15"},
            {"period": "V", "from": "22:00", "to": "07:00"},
            {"period": "C"},
        ],
        "overlaps": "first_wins",
    },
}

numbers = st.decimals(-5, 5, places=4).map(str)
small_numbers = st.decimals(0, 1, places=3).map(str)


def scheduled(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A price by one of the schedules."""
    return st.one_of(
        st.fixed_dictionaries(
            {"schedule": st.just("two"), "values": st.fixed_dictionaries({"A": values, "B": values})}
        ),
        st.fixed_dictionaries(
            {"schedule": st.just("three"), "values": st.fixed_dictionaries({"P": values, "C": values, "V": values})}
        ),
    )


linear_prices = st.recursive(
    numbers | scheduled(numbers) | st.just({"series": "spot"}),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"add": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"mul": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"max": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"min": st.lists(inner, min_size=1, max_size=2)}),
        scheduled(inner),
    ),
    max_leaves=4,
)


def dated(prices: st.SearchStrategy[Any], change: str) -> st.SearchStrategy[Any]:
    """A price, or two that change on a day."""
    return prices | st.tuples(prices, prices).map(
        lambda two: {"dated": [{"from": "1980-01-01", "price": two[0]}, {"from": change, "price": two[1]}]}
    )


@st.composite
def linear_components(draw: st.DrawFn, change: str) -> list[dict[str, Any]]:
    """Components whose parts add up however a time is cut: energy and amounts by the day, taxed by one rate."""
    found = []
    for i in range(draw(st.integers(1, 4))):
        tax = draw(st.sampled_from([None, "normal", "included"]))
        if draw(st.booleans()):
            one = {
                "kind": "energy",
                "flow": draw(st.sampled_from(["import", "export"])),
                "price": draw(dated(linear_prices, change)),
                "split_by": draw(st.sampled_from([None, "two"])),
            }
        else:
            basis = draw(st.sampled_from(["per_day", "per_month", "per_year"]))
            one = {
                "kind": draw(st.sampled_from(["fixed", "credit"])),
                "basis": basis,
                "price": draw(dated(numbers, change)),
            }
        found.append({"id": f"c{i}", "tax": tax, **one})
    return found


@st.composite
def other_components(draw: st.DrawFn, change: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Components of all other kinds, after some that there are."""
    steps = [
        {"upto": "3", "price": draw(linear_prices)},
        {"upto": "20", "price": draw(numbers)},
        {"price": draw(linear_prices)},
    ]
    tiers = {
        "per": draw(st.sampled_from(["billing_period", "day", "month", "year"])),
        "order": draw(st.sampled_from(["chronological", "proportional"])),
        "steps": steps,
    }
    of = [*ids, "tiered"]
    every: list[dict[str, Any]] = [
        {"id": "tiered", "kind": "energy", "price": {"tiers": tiers}, "tax": "threshold"},
        {"id": "both", "kind": "energy", "price": {"schedule": "two", "values": {"A": {"tiers": tiers}, "B": "0.1"}}},
        {"id": "excise", "kind": "percentage", "rate": draw(dated(small_numbers, change)), "of": of,
         "floor": draw(st.none() | st.fixed_dictionaries({"per_kwh": small_numbers})), "tax": "included"},
        {"id": "sold", "kind": "energy", "flow": "export", "price": draw(numbers), "cap": {"of": of},
         "tax": "threshold"},
        {"id": "back", "kind": "credit", "basis": "per_month", "price": draw(small_numbers), "cap": {"of": of}},
        {"id": "demand", "kind": "peak", "price": draw(numbers), "tax": "normal",
         "select": {"n": draw(st.integers(1, 3)), "distinct": draw(st.sampled_from(["none", "day", "week"]))},
         "window": {"months": draw(st.integers(1, 3)), "then": draw(st.sampled_from(["mean", "max", "select"]))},
         "floor_kw": draw(small_numbers), "interval": draw(st.sampled_from(["PT15M", "PT1H"]))},
        {"id": "band", "kind": "peak", "bands": [{"upto_kw": "1", "price": "2"}, {"price": "5"}],
         "schedule": "two", "weights": {"A": "1", "B": "0.5"}},
        {"id": "least", "kind": "minimum", "basis": "per_month", "price": draw(st.sampled_from(["0", "3", "40"]))},
    ]  # fmt: skip
    return [one for one in every if one["id"] == "tiered" or draw(st.booleans())]


TAXES: Final[dict[str, Any]] = {
    "normal": {"rate": "0.23"},
    "included": {"rate": "0.05", "included": True},
    "threshold": {"threshold": {"kwh": "7", "per_days": 3}, "below": "0.06", "above": "0.23"},
}
ROUNDINGS = st.fixed_dictionaries(
    {
        "at": st.sampled_from(["none", "line", "bill"]),
        "mode": st.sampled_from(["half_up", "half_even"]),
        "money": st.integers(0, 3),
    }
)


def tariff(components: list[dict[str, Any]], zone: str, **others: Any) -> dict[str, Any]:
    """A document of components."""
    return {
        "id": "made", "currency": "EUR", "time_zone": zone, "valid": {"from": "1980-01-01"}, "components": components,
        "taxes": TAXES, "calendars": {"schedules": SCHEDULES}, "series": {"spot": {}},
        "rounding": {"at": "none"}, **others,
    }  # fmt: skip


def spot(_name: str, first: int, count: int) -> tuple[Decimals, Any]:
    """A series of prices that are known everywhere: some negative, none equal to its neighbour."""
    quarters = np.arange(first, first + count, dtype=np.int64)
    return Decimals(quarters * 7919 % 2000 - 300, 4), np.ones(count, np.bool_)


def spot_at(quarter: int) -> Decimal:
    """The same, of one quarter-hour."""
    return Decimal(quarter * 7919 % 2000 - 300).scaleb(-4)


def energies(seed: int, edges_us: Int64, most_milliwh: int = 2_000_000) -> tuple[Int64, Int64]:
    """Import and export of pieces of time, many of them 0."""
    rng = np.random.default_rng(seed)
    size = len(edges_us) - 1
    return (
        rng.integers(0, most_milliwh, size) * (rng.random(size) < 0.6),
        rng.integers(0, most_milliwh, size) * (rng.random(size) < 0.4),
    )
