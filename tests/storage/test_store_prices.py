"""Tariffs, contracts and series of prices, as each store keeps them."""

from __future__ import annotations

import threading

import pytest

from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.prices.price_rows import ContractsRow, PriceDay, PriceSeries, TariffRow
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.schema import BULK_TABLES, REFERENCE_TABLES, metadata

OMIE = PriceSeries(0, "omie-pt", "EUR/MWh", 900, "CET", "OMIE, day ahead", "https://www.omie.es")
DOCUMENT = {"id": "plain", "title": "Preço simples", "components": [{"price": "0.1658"}, {"price": 0.25, "when": None}]}


@pytest.fixture
def series(store: SqlStore) -> PriceSeries:
    with store.writing() as view:
        return view.put_price_series(OMIE)


def put_days(store: SqlStore, series: PriceSeries, *told: tuple[int, int, bytes]) -> None:
    with store.writing() as view:
        view.put_price_days([PriceDay(series.series_no, *one) for one in told])


def bodies(store: SqlStore, series: PriceSeries, first: int, last: int, until_us: int | None = None) -> list[bytes]:
    with store.reading() as view:
        return [one.body for one in view.price_days(series.series_no, first, last, until_us)]


def state(store: SqlStore) -> int:
    with store.reading() as view:
        return view.prices_state()


def test_a_tariff_is_read_as_it_was_put_and_the_newest_revision_counts(store: SqlStore) -> None:
    with store.writing() as view:
        view.put_tariff(TariffRow("plain", 10, DOCUMENT))
        view.put_tariff(TariffRow("plain", 20, {**DOCUMENT, "version": 2}))
    with store.reading() as view:
        assert view.tariff("plain") == TariffRow("plain", 20, {**DOCUMENT, "version": 2})
        asked = {until_us: view.tariff("plain", until_us) for until_us in (9, 10, 19, 20)}
    first = TariffRow("plain", 10, DOCUMENT)
    assert asked == {9: None, 10: first, 19: first, 20: TariffRow("plain", 20, {**DOCUMENT, "version": 2})}


@pytest.mark.parametrize("asked", ["nothing", "", "PLAIN", "plain\0", "x" * 200, "'; --", "Ä" * 100])
def test_a_tariff_or_a_series_that_is_not_there_is_none(store: SqlStore, series: PriceSeries, asked: str) -> None:
    with store.writing() as view:
        view.put_tariff(TariffRow("plain", 10, DOCUMENT))
    with store.reading() as view:
        assert view.tariff(asked) is None
        assert view.price_series(asked) is None


def test_pages_are_in_the_order_of_the_letters_codes_and_leave_none_out(store: SqlStore) -> None:
    names = ["b", "A", "a", "a-1", "a.1", "a1", "Z", "a_1", "0", "aa", "a+b"]
    with store.writing() as view:
        for name in names:
            view.put_tariff(TariffRow(name, 1, {"old": name}))
            view.put_tariff(TariffRow(name, 2, {"new": name}))
            view.put_price_series(OMIE._replace(name=name))
    with store.reading() as view:
        pages = [view.tariffs(None, 6)]
        pages.append(view.tariffs(pages[0][-1].tariff_id, 6))
        assert [row for page in pages for row in page] == [TariffRow(one, 2, {"new": one}) for one in sorted(names)]
        listed = view.price_series_list(None, 6)
        listed += view.price_series_list(listed[-1].name, 99)
        assert [one.name for one in listed] == sorted(names)


def test_the_contracts_of_a_household_are_kept_each_time_they_are_put(store: SqlStore) -> None:
    with store.writing() as view:
        a, b = (view.put_household(Household(0, name)).household_no for name in "ab")
        rows = [ContractsRow(a, 10, [{"tariff": "plain"}]), ContractsRow(a, 20, []), ContractsRow(b, 15, [{"x": 1.5}])]
        for row in rows:
            view.put_contracts(row)
    with store.reading() as view:
        assert [view.contracts(a, until_us) for until_us in (9, 10, 19, 20, None)] == [
            None,
            *rows[:1] * 2,
            *rows[1:2] * 2,
        ]
        assert view.contracts_of([a, b, 999]) == {a: rows[1], b: rows[2]}
        assert view.contracts_of([]) == {}
        assert view.contract_revisions(a) == rows[:2]
        assert view.contract_revisions(999) == []
    with store.writing() as view:
        view.delete_household(a)
        assert view.contracts(a) is None
        assert view.contracts(b) == rows[2]


def test_a_series_is_made_once_and_what_is_told_of_it_can_change(store: SqlStore, series: PriceSeries) -> None:
    assert series == OMIE._replace(series_no=series.series_no)
    other = PriceSeries(0, "omie-pt", "EUR/kWh", 3600)
    with store.writing() as view:
        changed = view.put_price_series(other)
        another = view.put_price_series(OMIE._replace(name="omie-es"))
    assert changed == other._replace(series_no=series.series_no)
    assert another.series_no != series.series_no
    with store.reading() as view:
        assert view.price_series("omie-pt") == changed


def test_of_each_day_the_newest_revision_is_found_in_the_order_of_the_days(
    store: SqlStore, series: PriceSeries
) -> None:
    put_days(store, series, (20_001, 30, b"b30"), (20_000, 10, b"a10"), (20_000, 20, b"a20"), (20_003, 5, b"d5"))
    assert bodies(store, series, 20_000, 20_003) == [b"a20", b"b30", b"d5"]
    assert bodies(store, series, 20_001, 20_002) == [b"b30"]
    assert bodies(store, series, 20_004, 30_000) == []
    with store.reading() as view:
        assert view.price_days(series.series_no, 20_000, 20_000) == [PriceDay(series.series_no, 20_000, 20, b"a20")]


def test_what_was_known_of_a_series_at_an_instant_can_be_asked_for(store: SqlStore, series: PriceSeries) -> None:
    put_days(store, series, (20_000, 10, b"a10"), (20_000, 20, b"a20"), (20_001, 20, b"b20"))
    asked = {until_us: bodies(store, series, 20_000, 20_001, until_us) for until_us in (9, 10, 19, 20)}
    assert asked == {9: [], 10: [b"a10"], 19: [b"a10"], 20: [b"a20", b"b20"]}


def test_the_span_of_a_series_is_its_first_and_last_day_and_no_others(store: SqlStore, series: PriceSeries) -> None:
    with store.writing() as view:
        other = view.put_price_series(OMIE._replace(name="other"))
        assert view.price_span(series.series_no) is None
    put_days(store, series, (20_001, 1, b""), (19_000, 1, b""), (20_500, 1, b""))
    put_days(store, other, (1, 1, b""))
    with store.reading() as view:
        assert view.price_span(series.series_no) == (19_000, 20_500)
        assert view.price_span(other.series_no) == (1, 1)


def test_every_change_of_tariffs_and_series_makes_another_state_and_none_that_fails(store: SqlStore) -> None:
    states = [state(store)]
    with store.writing() as view:
        view.put_tariff(TariffRow("plain", 1, DOCUMENT))
    states.append(state(store))
    with store.writing() as view:
        series = view.put_price_series(OMIE)
    states.append(state(store))
    put_days(store, series, (20_000, 10, b"a"))
    states.append(state(store))
    assert states == sorted(set(states))
    with pytest.raises(ZeroDivisionError), store.writing() as view:
        view.put_tariff(TariffRow("plain", 2, DOCUMENT))
        raise ZeroDivisionError
    with store.writing() as view:
        view.begin_price_changes()
        view.put_price_days([])
        view.put_household(Household(0, "home1"))
    assert state(store) == states[-1]


def test_writers_of_prices_wait_for_each_other_so_no_update_is_lost(store: SqlStore, series: PriceSeries) -> None:
    rounds, workers = 15, 4
    number = series.series_no

    def count_up() -> None:
        for _ in range(rounds):
            with store.writing() as view:
                view.begin_price_changes()
                known = view.price_days(number, 5, 5)
                count = int(known[0].body) if known else 0
                view.put_price_days([PriceDay(number, 5, count, b"%d" % (count + 1))])

    threads = [threading.Thread(target=count_up) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies(store, series, 5, 5) == [b"%d" % (rounds * workers)]


def test_four_years_of_days_are_put_at_once(store: SqlStore, series: PriceSeries) -> None:
    for told_us in (1, 2):
        put_days(store, series, *((day, told_us, b"%d" % (day * told_us)) for day in range(1_500)))
    assert bodies(store, series, 0, 1_500) == [b"%d" % (day * 2) for day in range(1_500)]


def test_a_table_is_of_the_bulk_or_has_a_copy_everywhere_but_never_both() -> None:
    """Citus: tables of prices have no household to be sharded by."""
    assert not set(BULK_TABLES) & set(REFERENCE_TABLES)
    assert all("household_no" not in table.c for table in REFERENCE_TABLES)
    assert {"tariffs", "price_series", "price_days"} <= {table.name for table in REFERENCE_TABLES}
    assert metadata.tables["contracts"] in BULK_TABLES
