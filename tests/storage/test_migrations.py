"""The migrated tables are those of the schema, however often and by however many at once they are made."""

from __future__ import annotations

import pathlib

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from forked import Forked
from servers import PostgresServer

from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage.database import SqlStore, open_engine
from statistics_manager_service.storage.migrate import distribute, migrate
from statistics_manager_service.storage.schema import BULK_TABLES, metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """The URL of a store of each kind without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'statistics.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


def differences(url: str) -> list[object]:
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[object] = list(compare_metadata(context, metadata))
    engine.dispose()
    return found


def revision_of(url: str) -> str | None:
    engine = open_engine(url)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def test_the_migrated_tables_are_those_of_the_schema(database_url: str) -> None:
    assert differences(database_url) == []


def test_tables_that_are_not_migrated_differ(empty_url: str) -> None:
    """So the comparison above can fail."""
    assert len(differences(empty_url)) >= len(metadata.sorted_tables)


def test_migrating_again_changes_nothing_and_keeps_what_is_stored(database_url: str) -> None:
    store = SqlStore(open_engine(database_url))
    with store.writing() as view:
        home = view.put_household(Household(0, "home1", more={"name": "stays"}))
    store.close()
    before = revision_of(database_url)
    migrate(database_url)
    assert revision_of(database_url) == before
    with SqlStore(open_engine(database_url)).reading() as view:
        assert view.household("home1") == home


def test_a_store_without_its_tables_says_what_to_do(empty_url: str) -> None:
    store = SqlStore(open_engine(empty_url))
    for look in (store.reading, store.writing):
        with pytest.raises(Unavailable, match="run: statistics-manager migrate"), look() as view:
            view.states_of(["home1"])
    with pytest.raises(Unavailable, match="run: statistics-manager migrate"), store.reading() as view:
        view.device_tokens(1)
    with pytest.raises(ZeroDivisionError), store.reading():
        raise ZeroDivisionError
    store.close()


def test_several_processes_migrate_one_store_at_once(empty_url: str) -> None:
    running = [Forked(migrate, empty_url) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert differences(empty_url) == []


def test_every_bulk_table_has_the_household_first_in_its_key() -> None:
    for table in BULK_TABLES:
        assert next(iter(table.primary_key.columns)).name == "household_no", table.name


def test_tables_that_are_rewritten_in_place_have_room_for_it(postgres: PostgresServer, postgres_template: str) -> None:
    engine = open_engine(postgres.create_database(postgres_template))
    with engine.connect() as connection:
        options = sa.text("SELECT relname, reloptions FROM pg_class WHERE relname IN ('readings', 'profiles')")
        assert dict(map(tuple, connection.execute(options))) == {
            "readings": ["fillfactor=50"],
            "profiles": ["fillfactor=50"],
        }
    engine.dispose()


def test_sqlite_keeps_what_it_acknowledged(tmp_path: pathlib.Path) -> None:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    with open_engine(url).connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL


def test_sqlite_can_not_be_distributed(tmp_path: pathlib.Path) -> None:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    with pytest.raises(StatisticsError, match="only a PostgreSQL store can be distributed"):
        distribute(url)


def test_a_postgresql_without_citus_can_not_be_distributed(postgres: PostgresServer, postgres_template: str) -> None:
    url = postgres.create_database(postgres_template)
    with pytest.raises(StatisticsError, match="lacks the extension citus"):
        distribute(url)
    assert differences(url) == []
