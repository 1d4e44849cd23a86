"""The store behind SQLite or PostgreSQL: connections, transactions, and the driver's errors in the service's terms."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.services.ports import State
from statistics_manager_service.storage.directory import DirectoryQueries
from statistics_manager_service.storage.forecasts import ForecastQueries
from statistics_manager_service.storage.goals import GoalQueries
from statistics_manager_service.storage.groups import GroupQueries
from statistics_manager_service.storage.intensities import IntensityQueries
from statistics_manager_service.storage.prices import PriceQueries
from statistics_manager_service.storage.pulls import PullQueries
from statistics_manager_service.storage.series import SeriesQueries

BUSY_TIMEOUT_S = 15
#: What drivers raise where the store is down or busy; the statement and the address stay in the log.
_DOWN = (sqlite3.OperationalError, psycopg.OperationalError, sa.exc.OperationalError, sa.exc.TimeoutError)
_UNAVAILABLE = "the store does not answer at the moment; try again in a few seconds"
#: What they raise, beside others, where a store has not the tables of this version.
_WITHOUT_TABLES = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, sa.exc.ProgrammingError)
_MIGRATE = "the store's tables are not those of this version of the service; run: statistics-manager migrate"
PAGE_BYTES = 8192


def _translate(error: Exception) -> None:
    """Raises Unavailable for a driver's error of a store that is down, or has not the tables of this version."""
    driver = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    lacks_tables = isinstance(driver, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn)
    if lacks_tables or (isinstance(driver, sqlite3.OperationalError) and str(driver).startswith("no such ")):
        raise Unavailable(_MIGRATE, 60) from error
    if isinstance(error, _DOWN):
        raise Unavailable(_UNAVAILABLE) from error


class SqlView(
    DirectoryQueries,
    SeriesQueries,
    ForecastQueries,
    PullQueries,
    IntensityQueries,
    PriceQueries,
    GroupQueries,
    GoalQueries,
):
    """One transaction's look at the store."""

    def __init__(self, connection: sa.Connection, dialect: str) -> None:
        self.connection, self.dialect = connection, dialect
        self.noted: dict[int, int] = {}
        self.driver: Any = connection.connection.driver_connection


def driver_url(url: str) -> sa.URL:
    """The URL with the driver that is used here. Raises ValueError for other databases."""
    parsed = sa.make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"DATABASE_URL begins with {backend!r}; it must be sqlite:///… or postgresql://…")


def open_engine(url: str) -> sa.Engine:
    """An engine for `sqlite:///path` or `postgresql://…`. Nothing is connected yet."""
    parsed = driver_url(url)
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed, pool_size=10, max_overflow=10, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # one connection a thread, kept: opening one costs more than most queries; more than there are threads, as the pool
    # would close those of others
    engine = sa.create_engine(
        parsed, poolclass=sa.pool.SingletonThreadPool, pool_size=256, connect_args={"timeout": BUSY_TIMEOUT_S}
    )
    sa.event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where this module says so
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA mmap_size = 1073741824")
    cursor.close()


class SqlStore:
    """The Store over an engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._writing = threading.Lock()
        self._local = threading.local()

    @property
    def is_embedded(self) -> bool:
        """Whether the store is a file beside the service."""
        return self.dialect == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[SqlView]:
        """One consistent look at the store, at its newest commit."""
        try:
            if self.is_embedded:
                view = self._kept_view()
                execute = view.driver.execute
                execute("BEGIN")
                try:
                    yield view
                finally:
                    execute("COMMIT")
                return
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with self.engine.connect().execution_options(**options) as connection:
                yield SqlView(connection, self.dialect)
        except (*_DOWN, *_WITHOUT_TABLES) as error:
            _translate(error)
            raise

    def state_of(self, household: str) -> State | None:
        """The state of a household at the newest commit: one statement, and no transaction around it."""
        try:
            if self.is_embedded:
                return self._kept_view().state_of(household)
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                return SqlView(connection, self.dialect).state_of(household)
        except (*_DOWN, *_WITHOUT_TABLES) as error:
            _translate(error)
            raise

    def _kept_view(self) -> SqlView:
        """This thread's own view: taking a connection from the pool would cost more than most queries."""
        view: SqlView | None = getattr(self._local, "view", None)
        if view is None:
            view = self._local.view = SqlView(self.engine.connect(), self.dialect)
        return view

    @contextmanager
    def writing(self) -> Iterator[SqlView]:
        """A write transaction: committed at the end of the block, rolled back on an exception."""
        try:
            if self.is_embedded:
                with self._writing, _immediate(self._kept_view()) as view:
                    yield view
                return
            with self.engine.begin() as connection:
                yield SqlView(connection, self.dialect)
        except (*_DOWN, *_WITHOUT_TABLES) as error:
            _translate(error)
            raise

    def check(self) -> None:
        """Raises Unavailable where the store does not answer."""
        with self.reading() as view:
            view.connection.exec_driver_sql("SELECT 1 FROM households LIMIT 1").fetchall()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _immediate(view: SqlView) -> Iterator[SqlView]:
    """A write transaction of SQLite that takes the lock at once, so that it can't fail for it later."""
    driver = view.driver
    driver.execute("BEGIN IMMEDIATE")
    try:
        yield view
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
