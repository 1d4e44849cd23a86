"""Fixtures: a store on SQLite and on PostgreSQL, and the service over each."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# What is asked here is on this machine, and not by TLS: to load a system's certificates takes longer than an answer.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(pathlib.Path(__file__).parent)

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from databases import Databases
from servers import NoPostgres, PostgresServer, RunningService

from statistics_manager_service.storage.migrate import migrate

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"
#: Files that take long, longest first: they are begun first, so that the end waits for none of them. The others follow.
LONG = (
    "events/test_chaos.py",
    "events/test_consumer.py",
    "api/test_openapi_document.py",
    "api/test_fuzz.py",
    "api/test_households_elsewhere.py",
    "test_laws.py",
    "test_laws_of_garbage.py",
    "flexihome/test_energy_power_voltage.py",
    "feeds/test_forecast_service.py",
    "services/test_pulling.py",
    "core/test_forecast_skill_real.py",
    "test_kill9.py",
    "test_imports.py",
    "test_demo.py",
    "services/test_accounts.py",
    "services/test_jobs_of_households.py",
    "cli/test_events.py",
    "cli/test_jobs.py",
    "api/test_tokens_on_the_blacklist.py",
    "api/test_jwks.py",
)
#: Files that share what takes long to start or costs time while it idles, a broker or services, are run by one process.
TOGETHER = {
    "events/test_account_topic.py": "broker",
    "events/test_consumer.py": "broker",
    "events/test_debezium_runs.py": "broker",
    "events/test_end_to_end.py": "broker",
    **{f"{name}/{path.name}": name for name in ("api", "flexihome") for path in (HERE / name).glob("test_*.py")},
}
#: Of these folders, files that mostly start services of their own, or take long.
for _name in ("fuzz", "households_elsewhere", "jwks", "real_data", "serving", "tokens_on_the_blacklist"):
    del TOGETHER[f"api/test_{_name}.py"]


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


@pytest.fixture
def embedded_url(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> str:
    """The URL of a fresh, migrated store of SQLite."""
    path = tmp_path / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh, migrated store of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("embedded_url")
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


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` starts: more than there are cores, as much of their time is waiting."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 2


class GroupScheduling(LoadFileScheduling):
    """Gives each process a file at a time, or a group of files; in the order of the tests, not by their number."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """The scheduler of `--dist loadfile`."""
    return GroupScheduling(config, log) if config.getoption("dist") == "loadfile" else None


def _group_of(file: str) -> str:
    """The group of a file, told from the project's folder; that of most is the file itself."""
    name = file.removeprefix("tests/")
    return TOGETHER.get(name, name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that take long; leave the order of each group's tests as it is."""
    groups = [_group_of(item.nodeid.split("::")[0]) for item in items]
    places = {group: place for place, group in reversed(list(enumerate([*map(_group_of, LONG), *groups])))}
    order = sorted(range(len(items)), key=lambda i: places[groups[i]])
    items[:] = [items[i] for i in order]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, also those of other processes: `record_property("figures", text)`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(f"{report.nodeid}: {text}")
