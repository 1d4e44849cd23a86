"""Days of prices: packed and read again they are the same, and new values leave the others of a day as they were."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.decimals import Decimals, decimals_of
from statistics_manager_service.core.price_days import (
    MOST_PLACES,
    PriceDays,
    merge_price_days,
    pack_price_days,
    unpack_price_days,
)

Day = list[Decimal | None]
#: However slow the machine is at the moment.
slow = settings(deadline=None)
PRICES = st.one_of(
    st.none(),
    st.decimals(-500, 500, places=2),
    st.decimals(-(10**8), 10**8, places=12),
    st.integers(-(10**32), 10**32).map(lambda units: Decimal(f"{units}E-{MOST_PLACES}")),
    st.sampled_from([Decimal(0), Decimal("1E+3"), Decimal("0.10"), Decimal("-0.000000000000000000000001")]),
)


def day_of(hours: list[Decimal | None], step: int) -> Day:
    return [hours[quarter // step % len(hours)] for quarter in range(96)]


DAYS = st.builds(day_of, st.lists(PRICES, min_size=1, max_size=96), st.sampled_from([1, 2, 4, 96]))


def price_days(days: list[Day]) -> PriceDays:
    if not days:
        return PriceDays.unknown(0)
    column = decimals_of([one or Decimal(0) for day in days for one in day])
    known = np.array([[one is not None for one in day] for day in days])
    return PriceDays(Decimals(column.units.reshape(-1, 96), column.places), known)


def told(days: PriceDays) -> list[list[Fraction | None]]:
    scale = 10**days.values.places
    return [
        [Fraction(int(unit), scale) if is_known else None for unit, is_known in zip(row, known, strict=True)]
        for row, known in zip(days.values.units, days.known, strict=True)
    ]


def fractions(days: list[Day]) -> list[list[Fraction | None]]:
    return [[None if one is None else Fraction(one) for one in day] for day in days]


@slow
@given(st.lists(DAYS, max_size=4))
def test_days_are_read_as_they_were_packed_to_the_last_decimal(days: list[Day]) -> None:
    assert told(unpack_price_days(pack_price_days(price_days(days)))) == fractions(days)


@slow
@given(DAYS, st.integers(0, 5))
def test_a_day_has_one_form_however_it_was_written(day: Day, zeros: int) -> None:
    plain = price_days([day])
    wide = Decimals(plain.values.units_at(plain.values.places + zeros), plain.values.places + zeros)
    assert pack_price_days(PriceDays(wide, plain.known)) == pack_price_days(plain)


@slow
@given(DAYS, DAYS)
def test_new_values_of_a_day_win_and_the_others_stay(old: Day, new: Day) -> None:
    merged, changed = merge_price_days(price_days([old]), price_days([new]))
    assert told(merged) == fractions([[b if b is not None else a for a, b in zip(old, new, strict=True)]])
    assert changed[0].tolist() == [b is not None and a != b for a, b in zip(old, new, strict=True)]


@slow
@given(DAYS)
def test_the_same_again_changes_nothing(day: Day) -> None:
    days = price_days([day])
    merged, changed = merge_price_days(days, days)
    assert not changed.any()
    assert pack_price_days(merged) == pack_price_days(days)


@pytest.mark.parametrize(
    ("day", "size"),
    [
        (day_of([Decimal("0.10")], 96), 6),
        (day_of([Decimal(i) for i in range(24)], 4), 5 + 24),
        (day_of([Decimal(i) / 100 for i in range(9000, 9096)], 1), 5 + 2 * 96),
        (day_of([Decimal(i) / 100 if i else None for i in range(96)], 1), 5 + 12 + 96),
    ],
)
def test_days_take_few_bytes(day: Day, size: int) -> None:
    assert [len(body) for body in pack_price_days(price_days([day]))] == [size]


def test_a_body_of_another_version_is_refused_with_both_versions() -> None:
    (body,) = pack_price_days(price_days([day_of([Decimal(1)], 1)]))
    with pytest.raises(ValueError, match="format version 2, and this program reads 1"):
        unpack_price_days([b"\x02" + body[1:]])
