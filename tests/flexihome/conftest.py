"""FlexiHome's calls to the service over each store, started once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hems import Hems
from neighbours import AccountDatabase, ForecastService, Sentinel
from servers import PostgresServer, RunningService
from upstream_server import UpstreamServer


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def hems(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hems]:
    """The service with its neighbours, on each store."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("flexihome")
        url, accounts_url = f"sqlite:///{folder / 'statistics.sqlite3'}", f"sqlite:///{folder / 'accounts.sqlite3'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url, accounts_url = server.create_database(), server.create_database()
    accounts = AccountDatabase(accounts_url)
    with UpstreamServer() as forecasts, UpstreamServer() as sentinel:
        settings = {
            "DATABASE_URL": url,
            "TOKEN_BLACKLIST_DATABASE_URL": accounts_url,
            "FORECAST_API_URL": forecasts.url,
            "FORECAST_DAILY": "false",
            "HOST_SENTINEL": sentinel.url,
            "CARBON_HISTORY": "false",
        }
        with RunningService(settings) as service:
            yield Hems(service, ForecastService(forecasts), Sentinel(sentinel), accounts)
