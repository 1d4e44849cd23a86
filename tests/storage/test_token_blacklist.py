"""Looking withdrawn tokens up in a database of FlexiHome's: what is found, and what becomes of it when it fails."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from blacklist_tables import TokenTable
from servers import NoPostgres, PostgresServer
from upstream_server import wait_until

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.storage.blacklist import TokenBlacklist

LONGEST_S = 3.0
#: Beyond that: what a loaded machine may take.
GRACE_S = 6.0


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "accounts & more?.sqlite3"
        path.touch()
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop and start."""
    try:
        server = PostgresServer()
    except NoPostgres as error:
        pytest.skip(str(error))
    with server:
        yield server


def fails(call: Callable[[], bool]) -> None:
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match="whether the token was withdrawn can't be found out") as found:
        call()
    assert time.monotonic() - began_s < LONGEST_S + GRACE_S
    assert found.value.retry_after_s >= 1


def test_a_token_is_found_where_it_is_listed(url: str) -> None:
    TokenTable(url).add("a.b.c", "d.e.f")
    blacklist = TokenBlacklist(url, "token")
    assert blacklist.has(["a.b.c"])
    assert blacklist.has(["x.y.z", "d.e.f"])
    assert not blacklist.has(["x.y.z"])
    assert not blacklist.has(["a.b.%"])
    assert not blacklist.has(["A.B.C"])


def test_a_token_that_is_listed_is_found_at_once(url: str) -> None:
    table, blacklist = TokenTable(url), TokenBlacklist(url, "token")
    for i in range(5):
        assert not blacklist.has([f"token{i}"])
        table.add(f"token{i}")
        assert blacklist.has([f"token{i}"])


def test_the_column_may_have_another_name(url: str) -> None:
    TokenTable(url, "Jwt").add("a.b.c")
    assert TokenBlacklist(url, "Jwt").has(["a.b.c"])


def test_many_threads_look_up_at_once(url: str) -> None:
    TokenTable(url).add("listed")
    blacklist = TokenBlacklist(url, "token")
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda i: blacklist.has(["listed" if i % 2 else "free"]), range(60)))
    assert found == [bool(i % 2) for i in range(60)]


def test_a_database_without_the_table_or_the_column_is_no_empty_list(url: str) -> None:
    fails(lambda: TokenBlacklist(url, "token").has(["a.b.c"]))
    TokenTable(url)
    fails(lambda: TokenBlacklist(url, "jwt").has(["a.b.c"]))


def test_a_file_that_is_not_there_is_no_empty_list_and_is_not_made(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "nothing.sqlite3"
    fails(lambda: TokenBlacklist(f"sqlite:///{path}", "token").has(["a.b.c"]))
    assert not path.exists()


def test_nothing_is_written_to_it(url: str) -> None:
    TokenTable(url)
    blacklist = TokenBlacklist(url, "token")
    with pytest.raises(Exception, match=r"read-?only|not permitted"), blacklist._engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM token_blacklist")


@pytest.mark.parametrize("url", ["mysql://host/name", "nonsense://x", "redis://host"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        TokenBlacklist(url, "token")


def test_a_port_that_refuses_connections_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        fails(lambda: TokenBlacklist(f"postgresql://u@127.0.0.1:{probe.getsockname()[1]}/x", "token").has(["a"]))


def test_a_host_that_takes_connections_and_says_nothing_does_not_hold_a_lookup() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        fails(lambda: TokenBlacklist(f"postgresql://u@127.0.0.1:{deaf.getsockname()[1]}/x", "token").has(["a"]))


def test_a_locked_table_does_not_hold_a_lookup(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    TokenTable(url).add("listed")
    blacklist = TokenBlacklist(url, "token")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE token_blacklist IN ACCESS EXCLUSIVE MODE")
        fails(lambda: blacklist.has(["listed"]))
    assert blacklist.has(["listed"])


def test_a_server_that_stands_still_does_not_hold_a_lookup_and_is_asked_again_when_it_goes_on(
    own_postgres: PostgresServer,
) -> None:
    url = own_postgres.create_database()
    TokenTable(url).add("listed")
    blacklist = TokenBlacklist(url, "token")
    assert blacklist.has(["listed"])
    with psycopg.connect(url) as watch:
        backends = watch.execute("SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL").fetchall()
    assert own_postgres.process is not None
    pids = [own_postgres.process.pid, *(row[0] for row in backends)]
    _signal(pids, signal.SIGSTOP)
    try:
        for _ in range(2):
            fails(lambda: blacklist.has(["listed"]))
    finally:
        _signal(pids, signal.SIGCONT)

    def is_found() -> bool:
        try:
            return blacklist.has(["listed"])
        except Unavailable:
            return False

    wait_until(is_found, 30)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_server_that_was_restarted_is_asked_as_before(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database()
    TokenTable(url).add("listed")
    blacklist = TokenBlacklist(url, "token")
    assert blacklist.has(["listed"])
    own_postgres.kill9()
    fails(lambda: blacklist.has(["listed"]))
    own_postgres.start()
    assert blacklist.has(["listed"])
