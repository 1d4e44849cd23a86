"""Fixtures: a store on SQLite and on PostgreSQL, and the service over each."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from databases import Databases
from servers import NoPostgres, PostgresServer, RunningService

from statistics_manager_service.storage.migrate import migrate

SHARED = pathlib.Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the session's own."""
    try:
        server = PostgresServer()
    except NoPostgres as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_databases(postgres: PostgresServer) -> Databases:
    """Migrated databases of it."""
    return Databases(postgres)


@pytest.fixture(scope="session")
def postgres_template(postgres_databases: Databases) -> str:
    """The name of a migrated database, to make others from."""
    return postgres_databases.template


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A migrated store, to copy."""
    path = tmp_path_factory.mktemp("template") / "statistics.sqlite3"
    migrate(f"sqlite:///{path}")
    assert [one.name for one in path.parent.iterdir()] == [path.name], "all of it is in the one file"
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """The URL of a fresh, migrated store of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "statistics.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    databases: Databases = request.getfixturevalue("postgres_databases")
    url = databases.take()
    yield url
    databases.give_back(url)


@pytest.fixture
def service(database_url: str) -> Iterator[RunningService]:
    """The service as a process, over a fresh store of each kind."""
    with RunningService({"DATABASE_URL": database_url}) as running:
        yield running


@pytest.fixture
def shared_data() -> pathlib.Path:
    """The folder of real data sets, where it is beside the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no folder of real data sets beside the project")
    return SHARED / "data"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, also those of other processes: `record_property("figures", text)`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(f"{report.nodeid}: {text}")
