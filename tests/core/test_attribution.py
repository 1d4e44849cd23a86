"""Where each milliwatt-hour came from and went: worked by hand, and the laws of any quarter-hour."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.attribution import SINKS, SOURCES, attribute, of_device, shared_out, times_ratio

FLOWS = ("import", "production", "discharge", "export", "charge")
HOME, HUGE = 25_000_000, 9_000_000_000_000_000

energies = st.one_of(st.just(0), st.integers(0, 9), st.integers(0, HOME), st.integers(0, HUGE))
quarters = st.lists(st.tuples(*[energies] * 5), min_size=1, max_size=8)


def columns(rows: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    return dict(zip(FLOWS, np.array(rows, np.int64).T, strict=True))


def parts_of(**flows: int) -> dict[str, int]:
    """The parts of one quarter-hour that are not nothing, as `source_to_sink`."""
    found = attribute({flow: np.array([energy], np.int64) for flow, energy in flows.items()})
    return {f"{source}_to_{sink}": int(part[0]) for (source, sink), part in found.parts.items() if part[0]}


@pytest.mark.parametrize(
    ("flows", "parts"),
    [
        pytest.param({"import": 7}, {"grid_to_home": 7}, id="a home that only buys"),
        pytest.param(
            {"import": 4, "production": 10, "export": 7},
            {"grid_to_home": 4, "production_to_home": 3, "production_to_grid": 7},
            id="export is of the production",
        ),
        pytest.param(
            {"production": 10, "discharge": 4, "export": 12, "import": 1},
            {"grid_to_home": 1, "battery_to_home": 2, "production_to_grid": 10, "battery_to_grid": 2},
            id="then of the battery",
        ),
        pytest.param(
            {"import": 5, "export": 5},
            {"grid_to_grid": 5},
            id="and of the grid only where nothing else is there",
        ),
        pytest.param(
            # the bus has 6 of the grid and 4 of the sun; half of it goes into the battery
            {"import": 6, "production": 6, "export": 2, "charge": 5},
            {"grid_to_home": 3, "production_to_home": 2, "production_to_grid": 2,
             "grid_to_battery": 3, "production_to_battery": 2},
            id="the rest feeds home and battery in proportion",
        ),
        pytest.param(
            # running sums 1, 2, 3 of 3 times 1/3, rounded down: 0, 0, 1
            {"import": 1, "production": 1, "discharge": 1, "charge": 1},
            {"grid_to_home": 1, "production_to_home": 1, "battery_to_battery": 1},
            id="in whole milliwatt-hours, by running sums",
        ),
        pytest.param(
            {"production": 5, "export": 4, "charge": 3},
            {"production_to_grid": 4, "production_to_battery": 1, "unmetered_to_battery": 2},
            id="what no meter explains is a source of its own",
        ),
        pytest.param({"export": 4}, {"unmetered_to_grid": 4}, id="export of a home of which nothing else is known"),
        pytest.param({"import": -3, "production": 5}, {"production_to_grid": 3, "production_to_home": 2},
                     id="a negative import is export"),
        pytest.param({"import": 3, "production": -1}, {"grid_to_home": 3}, id="an inverter's own use is the home's"),
        pytest.param({"import": 5, "charge": -2}, {"grid_to_home": 5, "battery_to_home": 2},
                     id="a negative charge is discharge"),
    ],
)  # fmt: skip
def test_the_parts_of_a_quarter_hour(flows: dict[str, int], parts: dict[str, int]) -> None:
    assert parts_of(**flows) == parts


@given(quarters)
def test_rows_and_columns_add_up_to_the_milliwatt_hour(rows: list[tuple[int, ...]]) -> None:
    flows = columns(rows)
    found = attribute(flows)
    given_by = {source: sum(found.of(source).values()) for source in SOURCES}
    got_by = {sink: sum(found.to(sink).values()) for sink in SINKS}
    home = [i + p + b - x - c for i, p, b, x, c in rows]
    assert given_by["grid"].tolist() == flows["import"].tolist()
    assert given_by["production"].tolist() == flows["production"].tolist()
    assert given_by["battery"].tolist() == flows["discharge"].tolist()
    assert given_by["unmetered"].tolist() == [max(-one, 0) for one in home] == found.unmetered_milliwh.tolist()
    assert got_by["home"].tolist() == [max(one, 0) for one in home] == found.home_milliwh.tolist()
    assert got_by["battery"].tolist() == flows["charge"].tolist()
    assert got_by["grid"].tolist() == flows["export"].tolist()
    assert all((part >= 0).all() for part in found.parts.values())


@given(quarters)
def test_a_source_gives_the_battery_its_share_within_a_milliwatt_hour(rows: list[tuple[int, ...]]) -> None:
    found = attribute(columns(rows))
    for place in range(len(rows)):
        home, battery = ([int(found.parts[one, sink][place]) for one in SOURCES] for sink in ("home", "battery"))
        whole = sum(home) + sum(battery)
        for mine_home, mine_battery in zip(home, battery, strict=True):
            exact = Fraction((mine_home + mine_battery) * sum(battery), max(whole, 1))
            assert abs(mine_battery - exact) < 1


@given(quarters, st.integers(2, 50))
def test_parts_grow_with_the_energy(rows: list[tuple[int, ...]], times: int) -> None:
    rows = [tuple(one % HOME for one in row) for row in rows]
    flows = columns(rows)
    once, more = attribute(flows), attribute({flow: energy * times for flow, energy in flows.items()})
    for key, part in once.parts.items():
        off = np.abs(more.parts[key] - times * part)
        assert (off < times).all()  # what rounding left over, and no more
        if key[1] == "grid":
            assert not off.any()


@given(st.lists(st.tuples(energies, energies, st.fractions(0, 1)), min_size=1, max_size=8))
def test_without_a_battery_it_is_the_usual_self_consumption(rows: list[tuple[int, int, Fraction]]) -> None:
    flows = columns([(i, p, 0, int(p * share), 0) for i, p, share in rows])
    found = attribute(flows)
    kept = flows["production"] - flows["export"]
    assert found.parts["production", "home"].tolist() == kept.tolist()
    assert found.parts["grid", "home"].tolist() == flows["import"].tolist()
    assert found.parts["production", "grid"].tolist() == flows["export"].tolist()
    assert found.home_milliwh.tolist() == (flows["import"] + kept).tolist()


@given(quarters, st.data())
def test_a_device_is_fed_by_the_home_s_mix(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    found = attribute(columns(rows))
    used = np.array(data.draw(st.lists(energies, min_size=len(rows), max_size=len(rows))), np.int64)
    device = of_device(found, used)
    assert sum(device.values()).tolist() == used.tolist()
    assert all((part >= 0).all() for part in device.values())
    home = found.home_milliwh.tolist()
    for source in SOURCES[:-1]:
        for mine, whole, part, of_home in zip(
            device[source].tolist(), used.tolist(), found.parts[source, "home"].tolist(), home, strict=True
        ):
            if of_home:
                assert abs(mine - Fraction(whole * part, of_home)) < 1
            else:
                assert mine == 0  # then all of it is unmetered


@given(quarters)
def test_a_device_that_uses_all_has_the_home_s_parts(rows: list[tuple[int, ...]]) -> None:
    found = attribute(columns(rows))
    device = of_device(found, found.home_milliwh)
    assert {one: part.tolist() for one, part in device.items()} == {
        one: part.tolist() for one, part in found.to("home").items()
    }


amounts = st.one_of(energies, st.integers(-(2**62), 2**62))


@given(st.lists(st.tuples(amounts, energies, energies), min_size=1, max_size=6))
def test_a_ratio_is_exact_beyond_64_bits(rows: list[tuple[int, int, int]]) -> None:
    amount, one, other = np.array(rows, np.int64).T
    low, high = np.minimum(one, other), np.maximum(one, other)
    exact = [a * n // max(d, 1) for a, n, d in zip(amount.tolist(), low.tolist(), high.tolist(), strict=True)]
    assert times_ratio(amount, low, high).tolist() == exact


def test_an_amount_of_no_parts_goes_to_the_last() -> None:
    nothing = np.zeros(2, np.int64)
    assert [one.tolist() for one in shared_out(np.array([3, 0]), [nothing, nothing])] == [[0, 0], [3, 0]]


def test_nothing_has_no_parts() -> None:
    found = attribute({flow: np.zeros(0, np.int64) for flow in FLOWS})
    assert all(len(part) == 0 for part in found.parts.values())
