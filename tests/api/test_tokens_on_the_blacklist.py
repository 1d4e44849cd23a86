"""Withdrawn tokens, as clients see them: refused soon after they are listed; what happens while the list is gone."""

from __future__ import annotations

import pathlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from blacklist_tables import TokenTable
from homes import WRITE, Api, Home, channel, expect_error
from measured import open_store, put_home
from servers import NoPostgres, PostgresServer, RunningService
from upstream_server import wait_until

from statistics_manager_service import bootstrap
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.settings import Settings

CACHE_S = 1
SENTENCE = "the token has been withdrawn"


@dataclass
class Side:
    """A service, the list that it looks at, and a household."""

    api: Api
    table: TokenTable
    home: Home

    def status(self, token: str, path: str = "") -> int:
        return self.api.get(self.home.path + path, token=token).status_code


def settings(tmp_path: pathlib.Path, url: str, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'statistics.sqlite3'}",
        "TOKEN_BLACKLIST_DATABASE_URL": url,
        "TOKEN_BLACKLIST_CACHE_S": str(CACHE_S),
        "FORECAST_DAILY": "false",
        "LOG_LEVEL": "ERROR",
        **more,
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """A service over a list of each kind, which is left as it is but for what is added."""
    folder = tmp_path_factory.mktemp("blacklist")
    if request.param == "sqlite":
        table = TokenTable(f"sqlite:///{folder / 'accounts.sqlite3'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        table = TokenTable(server.create_database())
    with RunningService(settings(folder, table.url)) as service:
        api = Api(service)
        yield Side(api, table, Home(api))


def test_a_token_that_is_not_listed_is_taken(side: Side) -> None:
    assert side.status(side.home.token) == 200


def test_a_listed_token_is_refused_wherever_it_is_brought(side: Side) -> None:
    token = side.api.service.token(sub="tests", scope="service", jti="everywhere")
    side.table.add(token)
    span = {"measures": "energy_import", "group_by": "daily", "start": "2024-05-10", "end": "2024-05-11"}
    answers = [
        side.api.get(f"{side.home.path}/statistics", span, token=token),
        side.api.get("/energy-consumption-last", {"user_ids": side.home.id}, token=token),
        side.api.post("/readings", {"household": side.home.id, "readings": [channel()]}, token=token),
        side.api.call("PUT", "/households/another", json={}, token=token),
    ]
    for answer in answers:
        assert expect_error(answer, 401, "not_authenticated")["error"] == SENTENCE
        assert answer.headers["www-authenticate"] == "Bearer"
    assert side.api.call("POST", WRITE, content=b"x v=1", token=token).json()["message"] == SENTENCE
    assert side.api.get(side.home.path, headers={"Authorization": f"Token {token}"}, token=None).status_code == 401


def test_a_token_that_was_taken_is_refused_soon_after_it_is_listed(side: Side) -> None:
    token = side.api.service.token(sub=side.home.id, jti="soon")
    assert [side.status(token) for _ in range(5)] == [200] * 5
    side.table.add(token)
    time.sleep(CACHE_S + 0.1)
    assert side.status(token) == 401
    assert (
        side.status(token, "/statistics?measures=energy_import&group_by=daily&start=2024-05-10&end=2024-05-11") == 401
    )


def test_another_token_of_the_same_household_goes_on(side: Side) -> None:
    first, second = (side.api.service.token(sub=side.home.id, jti=name) for name in ("first", "second"))
    side.table.add(first)
    assert (side.status(first), side.status(second)) == (401, 200)


def test_a_listed_token_is_refused_however_it_is_spelt(side: Side) -> None:
    token = side.api.service.token(sub=side.home.id, jti="respelt")
    side.table.add(token)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [*(token[:-1] + letter for letter in last), token + "=", token + "==", token + "!"]
    assert {side.status(one) for one in others} == {401}


def test_device_tokens_are_none_of_its_concern(side: Side) -> None:
    device = side.home.device(write=True)["token"]
    side.table.add(device)
    assert side.status(device) == 200


def test_health_tells_of_it(side: Side) -> None:
    side.status(side.home.token)
    assert side.api.get("/health", token=None).json()["dependencies"]["token_blacklist"] == "ok"


# --- while it is unreachable ------------------------------------------------------------------------------------------


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop and start."""
    try:
        server = PostgresServer()
    except NoPostgres as error:
        pytest.skip(str(error))
    with server:
        yield server


def test_tokens_are_refused_with_503_while_it_is_down_and_taken_when_it_is_back(
    own_postgres: PostgresServer, tmp_path: pathlib.Path
) -> None:
    table = TokenTable(own_postgres.create_database())
    with RunningService(settings(tmp_path, table.url)) as service, ThreadPoolExecutor(20) as pool:
        home = Home(Api(service))
        token = home.token
        device = home.device(write=True)["token"]
        assert home.api.get(home.path, token=token).status_code == 200
        own_postgres.kill9()
        time.sleep(CACHE_S + 0.1)

        def ask(_: int) -> int:
            return service.call("GET", home.path, token=token).status_code

        began_s = time.monotonic()
        assert set(pool.map(ask, range(100))) == {503}
        assert time.monotonic() - began_s < 60
        answer = home.api.get(home.path, token=token)
        assert "withdrawn" in expect_error(answer, 503, "unavailable")["error"]
        assert int(answer.headers["Retry-After"]) >= 1
        assert home.api.get(home.path, token=device).status_code == 200
        assert home.api.get("/health", token=None).json()["dependencies"]["token_blacklist"] == "down"
        own_postgres.start()
        wait_until(lambda: ask(0) == 200, 40)


def test_a_list_that_says_nothing_holds_up_nobody_who_is_known(
    postgres: PostgresServer, tmp_path: pathlib.Path
) -> None:
    url = postgres.create_database()  # each answer of this store takes a thread
    with socket.socket() as deaf, ThreadPoolExecutor(60) as pool:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        found = settings(tmp_path, f"postgresql://u@127.0.0.1:{deaf.getsockname()[1]}/x", DATABASE_URL=url)
        with RunningService(found) as service:
            api = Api(service)
            put_home(open_store(url), "home1")
            device = bootstrap.device_tokens_of(open_store(url))
            text, _ = device.create("home1", may_write=True, label="", lifetime_days=None)
            assert api.get("/health", token=None).status_code == 200
            waiting = [pool.submit(api.get, "/households/home1") for _ in range(60)]
            time.sleep(0.3)
            assert api.get("/health", token=None).status_code == 200
            pending = sum(not one.done() for one in waiting)
            assert {one.result().status_code for one in waiting} == {503}
            assert pending == 60  # so the list was still waited for when the store had answered
            assert api.get("/households/home1", token=text).status_code == 200


def test_or_tokens_are_accepted_while_it_is_down_where_that_is_wished(
    own_postgres: PostgresServer, tmp_path: pathlib.Path
) -> None:
    table = TokenTable(own_postgres.create_database())
    with RunningService(settings(tmp_path, table.url, TOKEN_BLACKLIST_UNREACHABLE="accept")) as service:
        home = Home(Api(service))
        token = service.token(sub=home.id, jti="accepted")
        own_postgres.kill9()
        time.sleep(CACHE_S + 0.1)
        assert [home.api.get(home.path, token=token).status_code for _ in range(20)] == [200] * 20
        own_postgres.start()
        table.add(token)
        wait_until(lambda: home.api.get(home.path, token=token).status_code == 401, 40)


def test_a_table_that_is_not_there_lets_nobody_in(tmp_path: pathlib.Path) -> None:
    with RunningService(settings(tmp_path, f"sqlite:///{tmp_path / 'nothing.sqlite3'}")) as service:
        expect_error(Api(service).get("/households"), 503, "unavailable")


@pytest.mark.parametrize("url", ["mysql://u:secret@host/name", "nonsense secret"])
def test_a_url_that_cannot_be_used_is_told_at_the_start_and_not_shown(url: str) -> None:
    found = Settings(token_blacklist_database_url=url, jwt_sign_key="k" * 64, database_url="sqlite://")
    with pytest.raises(StatisticsError, match="TOKEN_BLACKLIST_DATABASE_URL is no URL") as told:
        bootstrap.build(found)
    assert "secret" not in f"{told.value.sentence} {told.value.__cause__}"
