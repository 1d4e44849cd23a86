"""The balance of a home's flows and the rates worked out from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.balance import BALANCE, DERIVED, combine, rate
from statistics_manager_service.core.quantities import FLOWS, QUANTITIES

#: A day of a house, by hand: 10 bought, 12 made, 3 given back by the battery, 5 sold, 4 into the battery, so 16 used.
DAY = {"import": 10, "production": 12, "discharge": 3, "export": 5, "charge": 4}


def worked_out(measure: str, flows: dict[str, int]) -> float:
    """A derived measure of one bucket."""
    one = DERIVED[measure]
    columns = {flow: np.array([value], np.int64) for flow, value in flows.items()}
    numerator = combine(one.numerator, columns)
    if one.denominator is None:
        return int(numerator[0])
    return float(rate(numerator, combine(one.denominator, columns), np.array([True]))[0])


@pytest.mark.parametrize(
    ("measure", "flows", "value"),
    [
        pytest.param("energy_consumption", DAY, 16, id="import + production + discharge − export − charge"),
        pytest.param("energy_consumption", {"import": 7}, 7, id="a home that only buys"),
        pytest.param("energy_self_consumption", DAY, 7, id="what is made and not sold"),
        pytest.param("self_consumption_rate", DAY, 7 / 12, id="its share of what is made"),
        pytest.param("self_sufficiency_rate", DAY, 6 / 16, id="1 − import / consumption"),
        pytest.param("self_sufficiency_rate", {"import": 7}, 0, id="a home that only buys is not self-sufficient"),
        pytest.param("self_sufficiency_rate", {"import": 0, "production": 4}, 1, id="a home that buys nothing is"),
        pytest.param("self_consumption_rate", {"production": 4, "export": 4}, 0, id="all is sold"),
        pytest.param("export_share", DAY, 5 / 12, id="the share that is sold"),
        pytest.param("export_share", {"production": 4, "export": 5}, 1, id="of what is made no more is sold"),
        # GSY-e's documentation: produced 10, self-consumed 3, demand 3: 30 % and 100 %
        pytest.param("self_consumption_rate", {"import": 0, "production": 10, "export": 7}, 0.3, id="GSY-e's example"),
        pytest.param("self_sufficiency_rate", {"import": 0, "production": 10, "export": 7}, 1, id="GSY-e's, too"),
        pytest.param("self_consumption_rate", {"production": 4, "export": 5}, 0, id="a rate is never below 0"),
        pytest.param("self_sufficiency_rate", {"import": -1, "production": 4}, 1, id="nor above 1"),
    ],
)
def test_derived_measures(measure: str, flows: dict[str, int], value: float) -> None:
    assert worked_out(measure, flows) == pytest.approx(value)


def test_a_rate_of_nothing_or_of_what_is_unknown_is_not_a_number() -> None:
    numerator, denominator = np.array([0, 1, 1, 1]), np.array([0, -2, 2, 2])
    got = rate(numerator, denominator, np.array([True, True, False, True]))
    assert np.isnan(got).tolist() == [True, True, True, False]
    assert got[3] == 0.5


def test_every_flow_of_a_formula_is_one_that_a_channel_can_have() -> None:
    for one in DERIVED.values():
        assert set(one.flows) <= set(FLOWS)
        assert set(one.needs) <= set(one.flows)
        assert one.source
        assert all(f"energy_{flow}" in QUANTITIES for flow in one.flows)


def test_what_is_kept_and_what_is_sold_count_the_same_time() -> None:
    # else the two shares of what was made would not add up to 1 where another flow is not known
    assert set(DERIVED["export_share"].flows) == set(DERIVED["self_consumption_rate"].flows) == {"production", "export"}


@given(st.fixed_dictionaries({flow: st.integers(0, 10**15) for flow in BALANCE}))
def test_self_sufficiency_is_what_is_not_bought(flows: dict[str, int]) -> None:
    """The two ways of writing it down agree: the flows without import, and consumption less import."""
    one = DERIVED["self_sufficiency_rate"]
    columns = {flow: np.array([value], np.int64) for flow, value in flows.items()}
    assert combine(one.numerator, columns)[0] == combine(BALANCE, columns)[0] - flows["import"]


@given(st.lists(st.fixed_dictionaries({flow: st.integers(0, 10**12) for flow in BALANCE}), min_size=1, max_size=9))
def test_consumption_of_the_parts_adds_up_to_that_of_the_whole(parts: list[dict[str, int]]) -> None:
    columns = {flow: np.array([part[flow] for part in parts], np.int64) for flow in BALANCE}
    whole = {flow: column.sum(keepdims=True) for flow, column in columns.items()}
    assert combine(BALANCE, columns).sum() == combine(BALANCE, whole)[0]
