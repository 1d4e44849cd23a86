"""Bodies of series: JSON columns and CSV, exact, with all that is wrong told at once and where it stands."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from measured import open_store, us

from statistics_manager_service.errors import BadInput, Conflict
from statistics_manager_service.services.prices.price_bodies import columns_of_csv, put_series, read_series
from statistics_manager_service.services.prices.price_rows import ToldPrice
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

NOW_US = us("2026-03-01")
MINUTE_US = 60_000_000
GOOD: dict[str, Any] = {
    "unit": "EUR/MWh",
    "interval": "PT1H",
    "at": ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"],
    "value": [Decimal("105.37"), "-0.01"],
}


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    made = open_store(url)
    yield made
    made.close()


def faults(body: Any, name: str = "omie-pt") -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        read_series(name, body, NOW_US)
    return [(one.where, one.why) for one in refused.value.faults]


def values(*told: Any, **more: Any) -> list[Decimal]:
    at = [1_767_225_600 + 3600 * i for i in range(len(told))]
    return [one.value for one in read_series("s", {**GOOD, "at": at, "value": list(told), **more}, NOW_US).prices]


def starts(*at: Any, **more: Any) -> list[int]:
    body = {**GOOD, "at": list(at), "value": [1] * len(at), **more}
    return [one.start_us for one in read_series("s", body, NOW_US).prices]


def test_columns_are_read_as_values_of_their_interval() -> None:
    told = read_series("omie-pt", {**GOOD, "title": "OMIE", "market_time_zone": "CET"}, NOW_US)
    first = us("2026-01-01")
    assert told.prices == [
        ToldPrice(first, 60 * MINUTE_US, Decimal("105.37")),
        ToldPrice(first + 60 * MINUTE_US, 60 * MINUTE_US, Decimal("-0.01")),
    ]
    assert (told.unit, told.interval_s) == ("EUR/MWh", 3600)
    assert told.about == {"title": "OMIE", "market_time_zone": "CET"}


def test_numbers_are_as_they_were_written() -> None:
    told = [0.1, "0.1", "1E-3", Decimal("0.30000000000000000001"), 7, "+.5", "5.", -0.0, None, "1e3"]
    assert [str(one) for one in values(*told)] == [
        "0.1", "0.1", "0.001", "0.30000000000000000001", "7", "0.5", "5", "-0.0", "1E+3",
    ]  # fmt: skip


def test_instants_are_date_times_or_epoch_seconds_and_those_without_offset_are_the_markets() -> None:
    first = us("2026-01-01")
    assert starts("2026-01-01T00:00:00Z", 1_767_229_200, "2026-01-01T03:00:00+01:00") == [
        first, first + 3600_000_000, first + 7200_000_000,
    ]  # fmt: skip
    assert starts("2026-01-01T01:00", market_time_zone="Europe/Madrid") == [first]
    assert starts("2026-01-01") == [first]


def test_a_value_of_null_is_left_out_and_an_empty_body_is_a_series_without_values() -> None:
    assert values(None, 1) == [Decimal(1)]
    assert read_series("s", {**GOOD, "at": [], "value": []}, NOW_US).prices == []


@pytest.mark.parametrize(
    ("more", "where", "why"),
    [
        ({"unit": "EUR/Wh"}, "unit", "'EUR/Wh' is no unit of a series"),
        ({"unit": None}, "unit", "nothing is no unit"),
        ({"interval": "PT5M"}, "interval", "'PT5M' is not one of PT15M, PT30M, PT1H"),
        ({"interval": ["PT15M"]}, "interval", "is not one of"),
        ({"market_time_zone": "Madrid"}, "market_time_zone", "Madrid"),
        ({"title": "a\nb"}, "title", "without control characters"),
        ({"source": "x" * 501}, "source", "1 to 500 letters"),
        ({"values": {}}, "values", "there is no such member"),
        ({"at": 1}, "at", "it must be a list"),
        ({"value": None}, "value", "it must be a list"),
        ({"value": [1]}, "value", "it has 1 items, `at` 2"),
        ({"at": ["2026-01-01T00:07:00Z", "2026-01-02"]}, "at[0]", "not at a whole quarter of an hour"),
        ({"at": ["2026-01-01", "2026-01-01T00:00:00Z"]}, "at[1]", "stands twice, also at at[0]"),
        ({"at": ["2026-01-01T00:45:00Z", "2026-01-01"]}, "at[0]", "lies inside of the interval of at[1]"),
        ({"at": ["1999-12-31", "2026-01-01"]}, "at[0]", "before the year 2000"),
        ({"at": ["2026-01-01", "2028-03-10"]}, "at[1]", "more than two years ahead"),
        ({"at": ["2026-02-30", "2026-01-01"]}, "at[0]", "no moment of the calendar"),
        ({"at": [True, "2026-01-01"]}, "at[0]", "no date-time such as"),
        ({"at": [Decimal("1E+40"), "2026-01-01"]}, "at[0]", "no date-time such as"),
        ({"at": [Decimal("Infinity"), "2026-01-01"]}, "at[0]", "no date-time such as"),
        ({"value": [True, 1]}, "value[0]", "True is no decimal number"),
        ({"value": ["NaN", 1]}, "value[0]", "'NaN' is no decimal number"),
        ({"value": ["1_000", 1]}, "value[0]", "is no decimal number"),
        ({"value": ["1,5", 1]}, "value[0]", "is no decimal number"),
        ({"value": [Decimal("Infinity"), 1]}, "value[0]", "not a finite number"),
        ({"value": [1, 10**9]}, "value[1]", "beyond ±100000000"),
        ({"value": [1, Decimal("1E-900000")]}, "value[1]", "more than 24 decimals"),
        ({"value": [1, Decimal("1E+900000")]}, "value[1]", "beyond ±100000000"),
        ({"value": [[], {}]}, "value[1]", "{} is no decimal number"),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_is_told_and_where(more: dict[str, Any], where: str, why: str) -> None:
    found = faults({**GOOD, **more})
    assert any(one == where and why in told for one, told in found), found


def test_all_that_is_wrong_is_told_at_once() -> None:
    body = {
        "unit": "x", "interval": "x", "extra": 1, "title": "", "at": ["2026-01-01", "no", "2026-01-01"],
        "value": ["x", 1, 1e20],
    }  # fmt: skip
    found = [where for where, _ in faults(body, "bad name")]
    assert found == ["name", "extra", "unit", "interval", "title", "at[1]", "at[2]", "value[0]", "value[2]"]


@pytest.mark.parametrize("name", ["", "a b", "-a", "x" * 65, "a/b", "a:b", "é", "a\n"])
def test_a_name_that_no_tariff_could_use_is_refused(name: str) -> None:
    assert [where for where, _ in faults(GOOD, name)] == ["name"]


@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_a_body_that_is_no_object_is_told(body: Any) -> None:
    assert [where for where, _ in faults(body)] == ["body"]


def test_more_values_than_are_read_at_once_are_refused() -> None:
    assert ("at", "100001 values are more than 100000; send several bodies") in faults(
        {**GOOD, "at": [0] * 100_001, "value": [0] * 100_001}
    )


def test_a_hundred_thousand_faults_are_cut_to_a_thousand() -> None:
    assert len(faults({**GOOD, "at": ["no"] * 99_999, "value": ["no"] * 99_999})) == 1000


# --- CSV --------------------------------------------------------------------------------------------------------------

ABOUT = {"unit": "GBp/kWh", "interval": "PT30M"}


def csv_prices(text: str, about: dict[str, str] = ABOUT) -> list[ToldPrice]:
    body, lines = columns_of_csv(text, about)
    return list(read_series("s", body, NOW_US, lines).prices)


def test_a_csv_is_read_by_its_header() -> None:
    first = us("2026-01-01")
    expected = [
        ToldPrice(first, 30 * MINUTE_US, Decimal("12.50")),
        ToldPrice(first + 60 * MINUTE_US, 30 * MINUTE_US, Decimal(-1)),
    ]
    for text in (
        "start,value\n2026-01-01T00:00:00Z,12.50\n2026-01-01T00:30Z,\n2026-01-01T01:00:00Z,-1\n",
        "\ufeffvalue,at\r\n12.50,2026-01-01T00:00:00Z\r\n\r\n-1,2026-01-01T01:00:00Z",
        'start;value\n2026-01-01;12,50\n"2026-01-01T01:00:00Z";-1',
    ):
        assert csv_prices(text) == expected


def test_a_row_of_a_csv_may_tell_its_end() -> None:
    text = "start,end,value\n2026-01-01,2026-01-01T02:00Z,5\n2026-01-01T02:00Z,2026-01-01T02:30Z,6\n"
    assert [one.length_us // MINUTE_US for one in csv_prices(text)] == [120, 30]


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("", "body", "the first line must name the columns"),
        ("start\n2026-01-01\n", "body", "the first line must name the columns"),
        ("start,value,colour\n", "body", "'start,value,colour'"),
        ("start,at,value\n", "body", "the first line"),
        ("start,value\n2026-01-01,1,2\n\n2026-01-02\n", "line 4", "it has 1 fields, the header 2"),
        ('start,value\n"2026-01-01', "body", "this is not CSV"),
        ("start,value\n2026-01-01,1\n\n,1\n", "line 4: at", "nothing is no date-time"),
        ("start,value\n2026-01-01,1\n2026-01-01,x\n", "line 3: value", "'x' is no decimal number"),
        ("start,value\n2026-01-01,1\n2026-01-01,2\n", "line 3: at", "stands twice, also at line 2: at"),
        ("start,end,value\n2026-01-02,2026-01-01,1\n", "line 2: end", "must be after the start of the row"),
        ("start,end,value\n2026-01-01,2027-01-01,1\n", "line 2: end", "at most 31 days"),
        ("start,end,value\n2026-01-01,,1\n", "line 2: end", "nothing is no date-time"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_by_line(text: str, where: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        csv_prices(text)
    assert any(one.where == where and why in one.why for one in refused.value.faults), refused.value.faults


# --- keeping ----------------------------------------------------------------------------------------------------------


def test_a_body_is_kept_and_what_it_does_not_tell_of_the_series_stays(store: SqlStore) -> None:
    put = put_series(store, "omie-pt", {**GOOD, "title": "OMIE", "source": "omie.es"}, NOW_US)
    assert (put.accepted, put.duplicates, put.made, put.series.title) == (2, 0, True, "OMIE")
    put = put_series(store, "omie-pt", {**GOOD, "title": "OMIE, day ahead"}, NOW_US)
    assert (put.accepted, put.duplicates, put.made) == (0, 2, False)
    assert (put.series.title, put.series.source) == ("OMIE, day ahead", "omie.es")
    with store.reading() as view:
        assert view.price_series("omie-pt") == put.series


def test_another_unit_is_a_conflict_that_says_why(store: SqlStore) -> None:
    put_series(store, "omie-pt", GOOD, NOW_US)
    with pytest.raises(Conflict, match="has values in EUR/MWh of PT1H each"):
        put_series(store, "omie-pt", {**GOOD, "unit": "EUR/kWh"}, NOW_US)
    with pytest.raises(Conflict, match="has values in EUR/MWh of PT1H each"):
        put_series(store, "omie-pt", {**GOOD, "interval": "PT15M"}, NOW_US)


def test_a_body_with_a_fault_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(BadInput):
        put_series(store, "omie-pt", {**GOOD, "value": [1, "x"]}, NOW_US)
    with store.reading() as view:
        assert view.price_series("omie-pt") is None
