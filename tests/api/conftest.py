"""The service over each store, started once a session: its tests keep apart by households of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from homes import Api, Home
from servers import PostgresServer, RunningService

MAX_BODY_BYTES = 2**20


def _settings(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "MAX_BODY_BYTES": str(MAX_BODY_BYTES)}


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The service over SQLite, with a body limit that is quick to reach."""
    path = tmp_path_factory.mktemp("api") / "statistics.sqlite3"
    with RunningService(_settings(f"sqlite:///{path}")) as service:
        yield Api(service)


@pytest.fixture(scope="session")
def postgres_api(postgres: PostgresServer) -> Iterator[Api]:
    """The service over PostgreSQL."""
    with RunningService(_settings(postgres.create_database())) as service:
        yield Api(service)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_api(request: pytest.FixtureRequest) -> Api:
    """The service over each store."""
    found: Api = request.getfixturevalue("api" if request.param == "sqlite" else "postgres_api")
    return found


@pytest.fixture
def home(api: Api) -> Home:
    """A household without readings."""
    return Home(api)


@pytest.fixture
def each_home(each_api: Api) -> Home:
    """A household without readings, in each store."""
    return Home(each_api)
