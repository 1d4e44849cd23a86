"""Transactions: all or nothing, one consistent look, one writer of a household, and erasing without a trace."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import sqlalchemy as sa
from servers import PostgresServer

from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.errors import Conflict, Unavailable
from statistics_manager_service.services.events.event_rows import SetAsideEvent, WaitingEvent
from statistics_manager_service.services.events.events import new_event
from statistics_manager_service.services.forecasts.forecast_rows import ForecastRow
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, LAST_DAY, GroupRow, MemberRow, ShareRow
from statistics_manager_service.services.insight.goal_rows import GoalsRow
from statistics_manager_service.services.ports import Channel, DeviceToken, Household, MeterEvent
from statistics_manager_service.services.prices.price_rows import ContractsRow, PriceDay, PriceSeries, TariffRow
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.database import SqlStore, driver_url, open_engine

NOW_US = 1_800_000_000_000_000
START_US = 1_700_000_000_000_000


class Broken(Exception):
    """Something of ours goes wrong in the middle."""


def fill(store: SqlStore, name: str) -> Household:
    """A household with a row in every table."""
    with store.writing() as view:
        home = view.put_household(Household(0, name, api_key=f"key-{name}", meter_id=f"meter-{name}"))
        no = home.household_no
        view.add_meter_event(MeterEvent(no, 0, "grid", "energy_import", START_US, 1, 2))
        view.add_device_token(DeviceToken(f"token-{name}", no, name, "0" * 64, True, "", 1))
        view.add_forecasts([ForecastRow(no, "energy_import", 19_000, 1, "mock", b"x")])
        view.move_cursor(no, "influxdb", START_US)
        view.put_contracts(ContractsRow(no, START_US, [{"tariff": "pt-btn-simples", "from": "2024-01-01"}]))
        view.put_goals(GoalsRow(no, START_US, []))
        view.add_event(new_event("SomeEvent", name, {"user_id": name}, START_US))
        view.put_waiting(WaitingEvent(f"waits-{name}", "SomeEvent", name, b"{}", 1, 1, 1, "it is down"))
        view.add_set_aside(SetAsideEvent(f"aside-{name}", "SomeEvent", name, b"{}", "no handler", "a/0/1", 1))
        group = view.put_group(GroupRow(0, f"group-{name}", "Neighbours", "group", "UTC"))
        view.put_members(group.group_no, [MemberRow(no, name, FIRST_DAY, LAST_DAY)])
        view.put_share(ShareRow(no, group.group_no, FIRST_DAY, None))
    recorder = Recorder(store, lambda: NOW_US)
    at = START_US + np.arange(10, dtype=np.int64) * 900_000_000
    for value in (np.arange(10.0), np.arange(10.0) + 1):  # the second replaces the first
        recorder.record([WireReadings(name, "grid", "energy_import", Kind.REGISTER, "kWh", at, value)])
    return home


#: Tables that name a household by its id, and where.
BY_ID = {"events": "aggregateid", "waiting_events": "key", "set_aside_events": "key"}
#: Tables that tell of no household: ids of events that were handled, who does what, the grid, and prices.
OF_NOBODY = {
    "processed_events", "leases", "intensity_series", "intensities", "tariffs", "price_series", "price_days",
    "change_counts", "home_groups", "group_sums", "group_days", "group_quartiles",
}  # fmt: skip


def rows_of(store: SqlStore, home: Household) -> dict[str, int]:
    """How many rows each table has of a household."""
    found = {}
    with store.engine.connect() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name not in OF_NOBODY:
                by_id = BY_ID.get(table.name)
                mine = table.c.household_no == home.household_no if by_id is None else table.c[by_id] == home.id
                count = sa.select(sa.func.count()).select_from(table).where(mine)
                found[table.name] = connection.execute(count).scalar_one()
    return found


def test_every_table_has_the_household_in_it() -> None:
    """What erases a household goes through the tables by this column; a new table has it, or is told of above."""
    others = {table.name for table in schema.metadata.sorted_tables if "household_no" not in table.c}
    assert others == BY_ID.keys() | OF_NOBODY


def test_erasing_a_household_leaves_no_row_of_it_and_every_row_of_others(store: SqlStore) -> None:
    gone, stays = fill(store, "gone"), fill(store, "stays")
    before = rows_of(store, stays)
    assert all(count > 0 for count in rows_of(store, gone).values()), "a table is not tested"
    with store.writing() as view:
        view.delete_household(gone.household_no)
    assert set(rows_of(store, gone).values()) == {0}
    assert rows_of(store, stays) == before
    with store.reading() as view:
        assert view.household("gone") is None
        assert view.device_token("token-gone") is None
        assert view.household_by_api_key("key-gone") is None


def test_an_exception_rolls_everything_back(store: SqlStore) -> None:
    home = fill(store, "home1")
    before = rows_of(store, home)
    with store.reading() as view:
        channels = view.channels(home.household_no)
    with pytest.raises(Broken), store.writing() as view:
        no = home.household_no
        view.put_household(Household(0, "new"))
        view.put_household(Household(no, "home1", timezone="Asia/Tokyo"))
        view.add_channel(Channel(no, -1, "pv", "voltage", Kind.SAMPLE, "V"))
        view.update_channels([Channel(no, 1, "grid", "energy_import", Kind.REGISTER, "Wh")])
        view.put_blocks([(no, 1, 5, None, 1, b"x")])
        view.put_profiles([(no, 1, 5, 1, 1, 1, 1, 1, b"x")])
        view.shift_profiles(no, 1, 0, (1, 1, 1, 1, 1))
        view.add_revisions([(no, 1, 1, 1, 1, 1)])
        view.revoke_device_token("token-home1", 5)
        view.delete_meter_event(no, 1)
        view.add_forecasts([ForecastRow(no, "energy_import", 19_001, 1, "mock", b"x")])
        view.add_event(new_event("SomeEvent", home.id, {"user_id": home.id}, START_US))
        view.delete_waiting("SomeEvent", f"waits-{home.id}")
        view.put_contracts(ContractsRow(no, START_US + 1, []))
        view.put_tariff(TariffRow("new", 1, {}))
        series = view.put_price_series(PriceSeries(0, "new", "EUR/kWh", 900))
        view.put_price_days([PriceDay(series.series_no, 1, 1, b"x")])
        raise Broken
    assert rows_of(store, home) == before
    with store.reading() as view:
        assert view.household("new") is None
        assert view.tariff("new") is None
        assert view.price_series("new") is None
        assert view.household("home1") == home
        assert view.channels(home.household_no) == channels
        token = view.device_token("token-home1")
        assert token is not None
        assert token.revoked_us is None


def test_a_failed_transaction_leaves_the_store_usable(store: SqlStore) -> None:
    with store.writing() as view:
        view.put_household(Household(0, "a"))
    for _ in range(30):  # more often than a pool has connections
        with pytest.raises(Conflict), store.writing() as view:
            view.put_household(Household(0, "a"))
    with store.writing() as view:
        view.put_household(Household(0, "b"))
    with store.reading() as view:
        assert [one.id for one in view.households(None, 9)] == ["a", "b"]


def test_a_reader_sees_one_snapshot_while_others_commit(store: SqlStore) -> None:
    home = fill(store, "home1")
    no = home.household_no
    read, written = threading.Event(), threading.Event()

    def write() -> None:
        read.wait(10)
        with store.writing() as view:
            view.put_household(Household(0, "later"))
            view.put_profiles([(no, 1, 30_000, 1, 1, 1, 1, 1, b"later")])
            view.put_blocks([(no, 1, 90_000, 1, 1, b"later")])
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with store.reading() as view:
        first = view.blocks(no, 1, -(10**6), 10**6)
        read.set()
        assert written.wait(10), "a reader holds a writer up"
        assert view.blocks(no, 1, -(10**6), 10**6) == first
        assert view.profiles(no, 1, 30_000, 30_000) == []
        assert view.household("later") is None
    writer.join()
    with store.reading() as view:
        assert view.household("later") is not None
        assert len(view.profiles(no, 1, 30_000, 30_000)) == 1
        assert len(view.blocks(no, 1, -(10**6), 10**6)) == len(first) + 1


def test_a_reader_sees_nothing_that_is_not_committed(store: SqlStore) -> None:
    seen: list[object] = []

    def read() -> None:
        with store.reading() as view:
            seen.append(view.household("a"))

    with store.writing() as view:
        view.put_household(Household(0, "a"))
        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
    assert seen == [None]


def test_writers_of_one_household_wait_for_each_other_so_no_update_is_lost(store: SqlStore) -> None:
    home = fill(store, "home1")
    no, rounds, workers = home.household_no, 20, 4

    def count_up() -> None:
        for _ in range(rounds):
            with store.writing() as view:
                view.begin_changes([no])
                (old,) = view.blocks(no, 9, 0, 0) or [None]
                count = 0 if old is None else old.reading_count
                view.put_blocks([(no, 9, 0, None, count + 1, b"")])

    threads = [threading.Thread(target=count_up) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as view:
        assert view.blocks(no, 9, 0, 0)[0].reading_count == rounds * workers


def test_locking_many_households_in_any_order_is_no_deadlock(store: SqlStore) -> None:
    with store.writing() as view:
        numbers = [view.put_household(Household(0, f"h{i}")).household_no for i in range(6)]
    faults: list[BaseException] = []

    def lock(order: list[int]) -> None:
        try:
            for _ in range(15):
                with store.writing() as view:
                    view.begin_changes(order)
        except BaseException as error:
            faults.append(error)

    threads = [
        threading.Thread(target=lock, args=(order,)) for order in (numbers, numbers[::-1], numbers[3:] + numbers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with store.writing() as view:
        view.begin_changes([])


def test_each_change_makes_another_state_of_its_households_alone(store: SqlStore) -> None:
    with store.writing() as view:
        (a, b) = (view.put_household(Household(0, name)) for name in "ab")

    def states() -> dict[str, tuple[int, int]]:
        with store.reading() as view:
            found = view.states_of(["b", "a", "nobody", "\0"])
        assert {name: store.state_of(name) for name in found} == found
        assert store.state_of("nobody") is None
        return found

    first = states()
    assert {name: state[0] for name, state in first.items()} == {"a": a.household_no, "b": b.household_no}
    with store.writing() as view:
        view.begin_changes([a.household_no])
    second = states()
    assert (second["a"] != first["a"], second["b"]) == (True, first["b"])
    with store.writing() as view:
        view.put_household(b._replace(timezone="Europe/Lisbon"))
    third = states()
    assert (third["a"], third["b"] != second["b"]) == (second["a"], True)
    with pytest.raises(ZeroDivisionError), store.writing() as view:
        view.begin_changes([a.household_no])
        raise ZeroDivisionError
    assert states() == third


def test_a_store_that_answers_is_healthy(store: SqlStore) -> None:
    store.check()


def test_a_postgresql_that_is_not_there_is_unavailable_and_a_retry_may_help() -> None:
    store = SqlStore(open_engine("postgresql://nobody@127.0.0.1:1/nothing"))
    for fails in (store.check, lambda: store.reading().__enter__(), lambda: store.writing().__enter__()):
        with pytest.raises(Unavailable) as told:
            fails()
        assert "127.0.0.1" not in told.value.sentence
        assert told.value.retry_after_s > 0


def test_connections_that_the_server_has_cut_are_made_anew(postgres: PostgresServer, postgres_template: str) -> None:
    store = SqlStore(open_engine(postgres.create_database(postgres_template)))
    store.check()
    with open_engine(postgres.url("postgres")).connect() as admin:
        name = store.engine.url.database
        cut = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
        assert admin.exec_driver_sql(cut).scalar_one() > 0
    store.check()
    with store.writing() as view:
        view.put_household(Household(0, "a"))
    store.close()


def test_a_transaction_cut_in_the_middle_is_unavailable_and_leaves_nothing(
    postgres: PostgresServer, postgres_template: str
) -> None:
    store = SqlStore(open_engine(postgres.create_database(postgres_template)))
    with pytest.raises(Unavailable), store.writing() as view:
        view.put_household(Household(0, "a"))
        pid = view.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with open_engine(postgres.url("postgres")).connect() as admin:
            admin.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        view.household("a")
    with store.reading() as view:
        assert view.household("a") is None
    store.close()


@pytest.mark.parametrize("url", ["mysql://u@h/d", "oracle://u@h/d"])
def test_a_url_of_another_database_is_named_with_what_is_right(url: str) -> None:
    with pytest.raises(ValueError, match="must be sqlite:///… or postgresql://…"):
        driver_url(url)
