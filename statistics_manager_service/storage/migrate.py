"""Bringing a store's tables to the newest revision, and sharding them where Citus is."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.storage.database import open_engine
from statistics_manager_service.storage.schema import BULK_TABLES, REFERENCE_TABLES

#: Any number, the same in every process: two that start at once migrate one after the other.
_MIGRATION_LOCK = 6_207_011


def migrate(url: str) -> None:
    """Bring the store to the newest revision; safe to repeat, and to run from several processes at once.

    Raises Unavailable where the store does not answer, StatisticsError where it can't be brought up to date.
    """
    try:
        engine = open_engine(url)
    except OSError as error:
        raise StatisticsError(f"the store's folder can't be made: {error.strerror}: {error.filename}") from error
    try:
        _upgrade(engine)
    except sa.exc.OperationalError as error:
        raise Unavailable(f"the store can't be opened, or does not answer: {_first_line(error)}") from error
    except sa.exc.DBAPIError as error:
        raise StatisticsError(f"the store can't be brought up to date: {_first_line(error)}") from error
    except CommandError as error:
        raise StatisticsError("the store's tables are of another version of this program, probably a newer") from error
    finally:
        engine.dispose()


def _first_line(error: sa.exc.DBAPIError) -> str:
    """What the driver says, without the statement."""
    return str(error.orig).strip().partition("\n")[0]


def _upgrade(engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(config, "head")
            driver = connection.connection.driver_connection
            if driver is not None and driver.in_transaction:
                connection.exec_driver_sql("COMMIT")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            command.upgrade(config, "head")
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})")
            connection.commit()


def distribute(url: str) -> None:
    """Shard the bulk tables by household over a Citus cluster, copy tariffs and prices to each of its nodes; safe to
    repeat."""
    engine = open_engine(url)
    try:
        if engine.dialect.name != "postgresql":
            raise StatisticsError("only a PostgreSQL store can be distributed; DATABASE_URL names SQLite")
        with engine.begin() as connection:
            there = sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
            if not connection.execute(there).scalar():
                raise StatisticsError("the database lacks the extension citus; install it with CREATE EXTENSION citus")
            ways = {table.name: "create_distributed_table(:name, 'household_no')" for table in BULK_TABLES}
            ways |= {table.name: "create_reference_table(:name)" for table in REFERENCE_TABLES}
            for name, way in ways.items():
                known = sa.text("SELECT count(*) FROM citus_tables WHERE table_name = to_regclass(:name)")
                if not connection.execute(known, {"name": name}).scalar():
                    connection.execute(sa.text(f"SELECT {way}"), {"name": name})
    finally:
        engine.dispose()
