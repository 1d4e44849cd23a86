"""Series of prices: exact, merged by the quarter-hour, each revision kept, read as they are now or were known then."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from measured import open_store

from statistics_manager_service.core.price_units import price_unit
from statistics_manager_service.errors import BadInput, Conflict, NotFound
from statistics_manager_service.services.prices.price_rows import PriceSeries, ToldPrice
from statistics_manager_service.services.prices.price_series import (
    Kept,
    PriceColumns,
    SeriesQuarters,
    keep_prices,
    series_quarters,
)
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

QUARTER_US = 900_000_000
HOUR_US = 4 * QUARTER_US
START_US = 1_767_225_600_000_000  # 2026-01-01 UTC
FIRST = START_US // QUARTER_US
OMIE = PriceSeries(0, "omie-pt", "EUR/MWh", 3600, "CET")


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    made = open_store(url)
    yield made
    made.close()


@pytest.fixture
def each_store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    yield made
    made.close()


def hour(number: int, value: str) -> ToldPrice:
    return ToldPrice(START_US + number * HOUR_US, HOUR_US, Decimal(value))


def quarter(number: int, value: str) -> ToldPrice:
    return ToldPrice(START_US + number * QUARTER_US, QUARTER_US, Decimal(value))


def keep(store: SqlStore, *told: ToldPrice, series: PriceSeries = OMIE, now_us: int = START_US) -> Kept:
    with store.writing() as view:
        return keep_prices(view, series, told, now_us)


def found(store: SqlStore, count: int, until_us: int | None = None, first: int = FIRST) -> SeriesQuarters:
    with store.reading() as view:
        return series_quarters(view, "omie-pt", first, count, until_us)


def listed(found: SeriesQuarters) -> list[Fraction | None]:
    return [found.values.at(i) if known else None for i, known in enumerate(found.known.tolist())]


def test_values_of_an_hour_are_those_of_its_quarter_hours_in_currency_per_kwh(each_store: SqlStore) -> None:
    assert keep(each_store, hour(0, "105.37"), hour(2, "-0.01")) == Kept(2, 0)
    told = found(each_store, 13, first=FIRST - 1)
    price, negative = Fraction(10537, 100_000), Fraction(-1, 100_000)
    assert listed(told) == [None, *[price] * 4, *[None] * 4, *[negative] * 4]
    assert (told.currency, told.interval_s) == ("EUR", 3600)


@pytest.mark.parametrize(
    ("unit", "currency", "factor"),
    [
        ("EUR/kWh", "EUR", "1"),
        ("EUR/MWh", "EUR", "0.001"),
        ("GBp/kWh", "GBP", "0.01"),
        ("EURct/kWh", "EUR", "0.01"),
        ("öre/kWh", "SEK", "0.01"),
        ("SEKore/kWh", "SEK", "0.01"),
        ("NOKøre/kWh", "NOK", "0.01"),
        ("GBp/MWh", "GBP", "0.00001"),
        ("1", None, "1"),
        ("%", None, "0.01"),
    ],
)
def test_units_are_told_by_their_currency_and_exact_factor(unit: str, currency: str | None, factor: str) -> None:
    meant = price_unit(unit)
    assert meant is not None
    assert (meant.currency, meant.factor) == (currency, Decimal(factor))


@pytest.mark.parametrize(
    "unit", ["", "EUR", "EUR/", "/kWh", "EUR/kwh", "eur/kWh", "EURO/kWh", "EUR/Wh", "€/kWh", "p/kWh", "EUR/kWh ", "2"]
)
def test_other_units_are_none(unit: str) -> None:
    assert price_unit(unit) is None


def test_values_are_kept_to_the_last_decimal_whatever_their_length(each_store: SqlStore) -> None:
    values = ["0.1", "0.30000000000000004", "99999999.999999999999999999999999", "1E-24", "-1E+7"]
    series = OMIE._replace(unit="EUR/kWh")
    keep(each_store, *(quarter(i, value) for i, value in enumerate(values)), series=series)
    assert listed(found(each_store, 6)) == [*(Fraction(Decimal(value)) for value in values), None]


def test_new_values_leave_the_others_of_their_day(each_store: SqlStore) -> None:
    keep(each_store, *(hour(i, "1") for i in range(30)))
    assert keep(each_store, quarter(5, "2.5"), hour(30, "3")) == Kept(2, 0)
    expected = [Fraction(1, 1000)] * 120 + [Fraction(3, 1000)] * 4
    expected[5] = Fraction(5, 2000)
    assert listed(found(each_store, 124)) == expected


def test_the_same_again_changes_nothing_and_is_counted_as_known(each_store: SqlStore) -> None:
    told = [hour(i, f"{i}.50") for i in range(48)]
    assert keep(each_store, *told) == Kept(48, 0)
    with each_store.reading() as view:
        before = view.prices_state(), view.price_days(1, 0, 10**6)
    assert keep(each_store, *told, now_us=START_US + 5) == Kept(0, 48)
    assert keep(each_store, hour(3, "3.5"), now_us=START_US + 5) == Kept(0, 1)
    with each_store.reading() as view:
        assert (view.prices_state(), view.price_days(1, 0, 10**6)) == before
    assert keep(each_store, hour(3, "3.51"), hour(4, "4.5"), now_us=START_US + 5) == Kept(1, 1)


def test_what_was_known_then_is_answered_though_it_was_corrected_later(each_store: SqlStore) -> None:
    keep(each_store, hour(0, "1"), now_us=START_US)
    keep(each_store, hour(0, "2"), hour(1, "9"), now_us=START_US + 10)
    asked = [listed(found(each_store, 5, until_us)) for until_us in (START_US - 1, START_US + 9, START_US + 10, None)]
    one, two, nine = (Fraction(i, 1000) for i in (1, 2, 9))
    assert asked == [[None] * 5, [*[one] * 4, None], [*[two] * 4, nine], [*[two] * 4, nine]]


def test_a_correction_within_the_same_instant_or_after_the_clock_went_back_still_counts(store: SqlStore) -> None:
    for now_us, value in ((START_US, "1"), (START_US, "2"), (START_US - 50, "3")):
        assert keep(store, hour(0, value), now_us=now_us) == Kept(1, 0)
    assert listed(found(store, 1)) == [Fraction(3, 1000)]


def test_of_values_that_overlap_the_last_one_counts(store: SqlStore) -> None:
    keep(store, hour(0, "1"), quarter(2, "2"), quarter(2, "3"))
    assert listed(found(store, 4)) == [Fraction(i, 1000) for i in (1, 1, 3, 1)]


def test_a_unit_and_an_interval_can_change_as_long_as_there_are_no_values(store: SqlStore) -> None:
    keep(store)
    keep(store, hour(0, "1"), series=OMIE._replace(unit="EUR/kWh", interval_s=900))
    for other in (OMIE._replace(interval_s=900), OMIE._replace(unit="EUR/kWh")):
        with pytest.raises(Conflict, match="series omie-pt has values in EUR/kWh of PT15M each"):
            keep(store, hour(1, "1"), series=other)
    assert listed(found(store, 5)) == [*[Fraction(1)] * 4, None]


def test_what_is_told_of_a_series_itself_can_change(store: SqlStore) -> None:
    keep(store, hour(0, "1"))
    keep(store, series=OMIE._replace(title="OMIE, Portugal"))
    with store.reading() as view:
        series = view.price_series("omie-pt")
    assert series is not None
    assert (series.title, series.unit) == ("OMIE, Portugal", "EUR/MWh")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (hour(0, "NaN"), "not a finite number"),
        (hour(0, "-Infinity"), "not a finite number"),
        (hour(0, "100000000.1"), "beyond ±100000000"),
        (hour(0, "1E-25"), "more than 24 decimals"),
        (ToldPrice(START_US + 1, HOUR_US, Decimal(1)), "whole quarter-hours"),
        (ToldPrice(START_US, 0, Decimal(1)), "whole quarter-hours"),
        (ToldPrice(START_US, HOUR_US - 1, Decimal(1)), "whole quarter-hours"),
    ],
)
def test_values_that_no_price_has_are_refused_and_nothing_is_kept(store: SqlStore, told: ToldPrice, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        keep(store, hour(0, "1"), told, told)
    assert [(one.where, why in one.why) for one in refused.value.faults] == [("value[1]", True), ("value[2]", True)]
    with pytest.raises(NotFound):
        found(store, 1)


def test_a_series_that_is_not_there_is_told_by_its_name(store: SqlStore) -> None:
    with store.reading() as view:
        for read in (series_quarters, PriceColumns().quarters):
            with pytest.raises(NotFound, match="there is no series 'nothing'"):
                read(view, "nothing", FIRST, 1)


def columns_of(store: SqlStore, columns: PriceColumns, first: int, count: int, **more: Any) -> list[Fraction | None]:
    with store.reading() as view:
        return listed(columns.quarters(view, "omie-pt", first, count, **more))


def test_remembered_columns_are_those_of_the_store_wherever_they_begin_and_end(store: SqlStore) -> None:
    values = [f"{i % 700}.{i % 10}" for i in range(0, 26_000, 3)]
    keep(store, *(hour(3 * i, value) for i, value in enumerate(values)))
    keep(store, hour(0, "0.123456789012345678901"))
    columns = PriceColumns()
    chance = random.Random(7)
    for _ in range(30):
        first, count = FIRST + chance.randrange(-500, 104_500), chance.choice([0, 1, 97, 40_000])
        with store.reading() as view:
            expected = listed(series_quarters(view, "omie-pt", first, count))
        for _ in range(2):
            assert columns_of(store, columns, first, count) == expected


def test_remembered_columns_follow_every_change_of_any_process(store: SqlStore) -> None:
    columns, other = PriceColumns(), SqlStore(store.engine)
    for value in ("1", "2", "3"):
        keep(other, hour(0, value), now_us=START_US + int(value))
        assert columns_of(store, columns, FIRST, 1) == [Fraction(int(value), 1000)]
    assert columns_of(store, columns, FIRST, 1, until_us=START_US + 2) == [Fraction(2, 1000)]


def test_remembered_columns_can_not_be_written_to(store: SqlStore) -> None:
    keep(store, *(hour(24 * i, "1") for i in range(900)))
    columns = PriceColumns()
    for first in (FIRST, FIRST + 80_000, FIRST + 10_000):
        with store.reading() as view:
            told = columns.quarters(view, "omie-pt", first, 30_000)
        for array in (told.values.units, told.known):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
