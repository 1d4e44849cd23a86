"""Days of a group's sums come back from their bodies as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.group_sums import COLUMNS, PARTS, SUMMED, pack_sums, unpack_sums


@given(st.integers(0, 2**32), st.integers(0, 5))
def test_days_come_back_as_they_were_packed(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 2**31, (COLUMNS, days, 96))
    columns[0] = rng.integers(-(2**62), 2**62, (days, 96))
    bodies = pack_sums(columns)
    assert len(bodies) == days
    assert unpack_sums(bodies).tolist() == columns.tolist()


def test_a_body_of_another_form_is_refused() -> None:
    (body,) = pack_sums(np.zeros((COLUMNS, 1, 96), np.int64))
    for bad in (b"", body[:-1], b"\x09" + body[1:]):
        with pytest.raises(ValueError, match="version"):
            unpack_sums([body, bad])


def test_every_summed_measure_is_one_and_is_made_of_parts() -> None:
    assert SUMMED.keys() <= DEFINITIONS.keys()
    assert {part for one in SUMMED.values() for part in one.parts} == set(PARTS)
    assert {name for name, one in SUMMED.items() if one.denominator} == {
        name for name in SUMMED if not DEFINITIONS[name].adds_up
    }
