"""Carbon intensities, as each store keeps them."""

from __future__ import annotations

import pytest

from statistics_manager_service.services.carbon.carbon_rows import (
    FORECAST,
    KINDS,
    MEASURED,
    IntensityRow,
    IntensitySeries,
)
from statistics_manager_service.storage.database import SqlStore

HOUR_US = 3_600_000_000
PT = IntensitySeries(0, "PT", "sentinel", "average", "lifecycle", "consumption")


@pytest.fixture
def series(store: SqlStore) -> IntensitySeries:
    with store.writing() as view:
        return view.put_intensity_series(PT)


def row(series: IntensitySeries, hour: int, issued_us: int, mg: int, kind: str = FORECAST, **more: int) -> IntensityRow:
    return IntensityRow(series.series_no, hour * HOUR_US, kind, issued_us, HOUR_US, mg, more.get("updated_us", 7))


def put(store: SqlStore, *rows: IntensityRow) -> int:
    with store.writing() as view:
        return view.put_intensities(rows)


def found(store: SqlStore, series: IntensitySeries, first: int, end: int, until_us: int | None = None) -> list[object]:
    with store.reading() as view:
        rows = view.intensities(series.series_no, first * HOUR_US, end * HOUR_US, until_us)
    return [(one.start_us // HOUR_US, one.kind, one.issued_us, one.intensity_mg_per_kwh) for one in rows]


def test_a_series_is_made_once_and_each_method_has_its_own(store: SqlStore, series: IntensitySeries) -> None:
    with store.writing() as view:
        assert view.put_intensity_series(PT) == series
        other = view.put_intensity_series(PT._replace(basis="marginal"))
        view.put_intensity_series(PT._replace(zone="ES"))
    assert other.series_no != series.series_no
    with store.reading() as view:
        assert view.intensity_series("PT") == [series, other]
        assert view.intensity_series("FR") == []


def test_the_newest_issue_of_each_beginning_and_kind_is_found(store: SqlStore, series: IntensitySeries) -> None:
    put(
        store, row(series, 1, 10, 100), row(series, 1, 20, 200), row(series, 2, 10, 300), row(series, 1, 5, 1, MEASURED)
    )
    assert found(store, series, 0, 9) == [(1, MEASURED, 5, 1), (2, FORECAST, 10, 300), (1, FORECAST, 20, 200)]
    assert found(store, series, 2, 9) == [(2, FORECAST, 10, 300)]
    assert found(store, series, 0, 1) == []


def test_what_was_known_at_an_instant_can_be_asked_for(store: SqlStore, series: IntensitySeries) -> None:
    put(store, row(series, 1, 10, 100), row(series, 1, 20, 200))
    asked = {until_us: found(store, series, 0, 9, until_us) for until_us in (9, 10, 19, 20)}
    first, second = [(1, FORECAST, 10, 100)], [(1, FORECAST, 20, 200)]
    assert asked == {9: [], 10: first, 19: first, 20: second}


def test_what_is_stored_of_an_issue_stays_as_it_is(store: SqlStore, series: IntensitySeries) -> None:
    assert put(store, row(series, 1, 10, 100), row(series, 2, 10, 100)) == 2
    assert put(store, row(series, 1, 10, 100, updated_us=9), row(series, 2, 10, 101), row(series, 3, 10, 7)) == 1
    assert found(store, series, 0, 9) == [(1, FORECAST, 10, 100), (2, FORECAST, 10, 100), (3, FORECAST, 10, 7)]


def test_all_issues_are_told_in_their_order(store: SqlStore, series: IntensitySeries) -> None:
    rows = [row(series, 1, 20, 200), row(series, 2, 5, 1), row(series, 1, 10, 100)._replace(quality="good")]
    put(store, *rows, row(series, 3, 1, 1), row(series, 0, 1, 1))
    with store.reading() as view:
        told = view.intensity_issues(series.series_no, HOUR_US, 3 * HOUR_US)
    assert told == sorted(rows, key=lambda one: one.issued_us)


def test_a_series_tells_how_many_values_it_has_from_when_to_when(store: SqlStore, series: IntensitySeries) -> None:
    with store.reading() as view:
        assert view.intensity_span(series.series_no) is None
    put(store, row(series, 1, 10, 100), row(series, 1, 20, 100), row(series, 4, 10, 100))
    with store.reading() as view:
        assert view.intensity_span(series.series_no) == (HOUR_US, 5 * HOUR_US, 3)


def test_all_series_are_told_oldest_first(store: SqlStore, series: IntensitySeries) -> None:
    with store.writing() as view:
        other = view.put_intensity_series(PT._replace(zone="ES"))
    with store.reading() as view:
        assert view.intensity_series() == [series, other]


def test_thousands_of_values_are_put_at_once(store: SqlStore, series: IntensitySeries) -> None:
    rows = [row(series, hour, 10, hour) for hour in range(5_000)]
    assert put(store, *rows) == 5_000
    assert put(store, *rows) == 0
    assert len(found(store, series, 0, 5_000)) == 5_000


def state(store: SqlStore) -> int:
    with store.reading() as view:
        return view.carbon_state()


def test_every_change_of_intensities_is_counted_and_the_same_again_is_none(store: SqlStore) -> None:
    counted = [state(store)]
    with store.writing() as view:
        series = view.put_intensity_series(PT)
    counted.append(state(store))
    for rows in ([row(series, 1, 10, 100)], [row(series, 1, 11, 101)], [row(series, 2, 10, 1), row(series, 3, 10, 1)]):
        put(store, *rows)
        counted.append(state(store))
    assert sorted(set(counted)) == counted
    put(store, row(series, 1, 10, 101, updated_us=8), row(series, 2, 10, 1))
    with store.writing() as view:
        view.put_intensity_series(PT)
    assert state(store) == counted[-1]


def test_a_change_that_is_rolled_back_is_not_counted(store: SqlStore, series: IntensitySeries) -> None:
    before = state(store)

    def fail() -> None:
        with store.writing() as view:
            view.put_intensities([row(series, 1, 10, 100)])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state(store) == before


def test_columns_hold_the_same_values_as_rows(store: SqlStore, series: IntensitySeries) -> None:
    put(store, row(series, 1, 10, 100), row(series, 1, 20, 200), row(series, 2, 10, 300),
        row(series, 1, 5, 1, MEASURED), row(series, 9, 5, 4))  # fmt: skip
    for until_us in (None, 10, 4):
        with store.reading() as view:
            rows = view.intensities(series.series_no, HOUR_US, 9 * HOUR_US, until_us)
            columns = view.intensity_columns(series.series_no, HOUR_US, 9 * HOUR_US, until_us)
        told = sorted(zip(*(one.tolist() for one in columns), strict=True))
        assert told == sorted(
            (one.start_us, one.length_us, one.issued_us, one.intensity_mg_per_kwh, KINDS.index(one.kind))
            for one in rows
        )
