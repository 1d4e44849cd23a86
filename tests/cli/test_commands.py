"""The commands as people call them: settings in the environment, over each store."""

from __future__ import annotations

import io
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

import jwt
import numpy as np
import pytest
import sqlalchemy as sa
from servers import PostgresServer

from statistics_manager_service import bootstrap
from statistics_manager_service.cli import main
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.errors import NotAuthenticated
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore, open_engine

KEY = "0123456789abcdef" * 4
FIRST_US = 1_700_006_400_000_000
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(url: str | None, *arguments: str, **settings: str) -> Done:
    """The command's end, run in this process: starting one for each takes minutes. Other exceptions go through."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "JWT_"))}
    environment = {**kept, "COLUMNS": "300", **({} if url is None else {"DATABASE_URL": url}), **settings}
    out, err, code = io.StringIO(), io.StringIO(), 0
    with patch.dict(os.environ, environment, clear=True), redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())


def test_the_installed_command_runs_and_refuses(tmp_path: pathlib.Path) -> None:
    command = pathlib.Path(sys.executable).parent / "statistics-manager"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'none.sqlite3'}"}
    done = subprocess.run([command, "verify"], env=environment, capture_output=True, text=True, timeout=60)
    refused(Done(done.returncode, done.stdout, done.stderr), "there is no store at")


def refused(done: Done, *words: str) -> str:
    """The one sentence of a refusal, which has some words."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("statistics-manager: ")
    for word in words:
        assert word in sentence
    return sentence


def fill(url: str, household: str = "home1") -> SqlStore:
    """A household with three days of a register that has a glitch, and of a sample."""
    store = bootstrap.open_store(Settings(database_url=url))
    bootstrap.households_of(store).put(household, {"timezone": "Europe/Lisbon"})
    at_us = FIRST_US + np.arange(3 * 1440, dtype=np.int64) * MINUTE_US
    wh = 1000.0 + np.arange(len(at_us))
    wh[2000] = 0.0
    told = [
        WireReadings(household, "grid", "energy_import", Kind.REGISTER, "Wh", at_us, wh),
        WireReadings(household, "grid", "power_import", Kind.SAMPLE, "W", at_us[::5], np.full(len(at_us[::5]), 60.0)),
    ]
    done = bootstrap.recorder_of(store).record(told)
    assert done.accepted == len(at_us) + len(at_us[::5])
    return store


def change(url: str, statement: str) -> None:
    """Behind the service's back."""
    engine = open_engine(url)
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount > 0
    engine.dispose()


TAMPERED = {
    "a running total": ("UPDATE profiles SET energy_milliwh = energy_milliwh + 1 WHERE channel_no = 1 "
                        "AND day = (SELECT max(day) FROM profiles)", "day profiles differ"),
    "a lost day": ("DELETE FROM profiles WHERE channel_no = 1 AND day = (SELECT min(day) FROM profiles)",
                   "1 day profiles differ"),
    "a count": ("UPDATE channels SET reading_count = reading_count + 7 WHERE channel_no = 1", "are counted"),
    "the newest reading": ("UPDATE channels SET last_value_milli = 1 WHERE channel_no = 1", "newest reading"),
    "some quarters": ("UPDATE profiles SET body = substr(body, 1, 40) WHERE channel_no = 1", "day profiles differ"),
}  # fmt: skip


def test_an_untouched_store_has_no_differences(database_url: str) -> None:
    fill(database_url)
    done = run(database_url, "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 households, 2 channels, 5184 readings" in done.stdout
    assert ": 0 differences" in done.stdout


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_named_and_rebuilt(database_url: str, name: str) -> None:
    statement, told = TAMPERED[name]
    store = fill(database_url)
    change(database_url, statement)
    found = run(database_url, "verify", "--household", "home1")
    assert found.returncode == 1
    assert told in found.stdout
    assert "home1 grid" in found.stdout
    mended = run(database_url, "rebuild")
    assert mended.returncode == 0, mended.stderr
    assert "2 channels are rebuilt" in mended.stdout
    assert run(database_url, "verify").returncode == 0
    store.engine.dispose()


def test_damaged_readings_are_named_and_stay(database_url: str) -> None:
    fill(database_url)
    change(database_url, "UPDATE readings SET body = substr(body, 1, 10) WHERE channel_no = 1")
    found = run(database_url, "verify")
    assert found.returncode == 1
    assert "home1 grid energy_import register: its readings can't be read" in found.stdout
    assert "sample" not in found.stdout
    refused(run(database_url, "rebuild"), "home1 grid energy_import register", "can't be read")


def test_one_household_is_verified_and_rebuilt_alone(database_url: str) -> None:
    fill(database_url, "home1")
    fill(database_url, "home2")
    change(database_url, "UPDATE channels SET reading_count = 3 WHERE household_no = "
                         "(SELECT household_no FROM households WHERE id = 'home2')")  # fmt: skip
    assert run(database_url, "verify", "--household", "home1").returncode == 0
    assert run(database_url, "verify", "--household", "home2").returncode == 1
    assert run(database_url, "rebuild", "--household", "home1").returncode == 0
    assert run(database_url, "verify").returncode == 1
    assert run(database_url, "rebuild", "--household", "home2").returncode == 0
    assert run(database_url, "verify").returncode == 0


def test_device_tokens_are_made_listed_and_revoked(database_url: str) -> None:
    store = fill(database_url)
    made = run(database_url, "token", "create", "--household", "home1", "--write", "--label", "hub in the hall")
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    tokens = bootstrap.device_tokens_of(store)
    caller = tokens.caller(f"Token {text}")
    assert (caller.household, caller.may_write) == ("home1", True)
    assert text not in made.stderr
    listed = run(database_url, "token", "list", "--household", "home1").stdout
    assert "write  valid  hub in the hall" in listed
    assert text not in listed
    token_id = listed.split()[0]
    gone = run(database_url, "token", "revoke", token_id, "--household", "home1")
    assert gone.returncode == 0, gone.stderr
    assert "revoked  hub in the hall" in run(database_url, "token", "list", "--household", "home1").stdout
    with pytest.raises(NotAuthenticated, match="revoked"):
        tokens.caller(f"Token {text}")


def test_a_service_token_is_signed_by_the_key_and_ends() -> None:
    done = run(None, "token", "service", "--hours", "2", JWT_SIGN_KEY=KEY)
    assert done.returncode == 0, done.stderr
    claims = jwt.decode(done.stdout.strip(), KEY, algorithms=["HS512"])
    assert claims["scope"] == "service"
    assert claims["exp"] - time.time() == pytest.approx(7200, abs=60)


def test_a_service_token_needs_a_key() -> None:
    refused(run(None, "token", "service"), "JWT_SIGN_KEY is not set")
    refused(run(None, "token", "service", JWT_SIGN_KEY=""), "JWT_SIGN_KEY is not set")


def test_migrating_makes_a_store_once(tmp_path: pathlib.Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'folder' / 'store.sqlite3'}"
    for _ in range(2):
        done = run(url, "migrate")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "The store is up to date.\n"
    assert run(url, "verify").stdout.startswith("0 households, 0 channels")


def test_the_openapi_document_is_written_without_key_and_store(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "new" / "openapi.json"
    done = run("sqlite:////nowhere/at/all", "openapi", str(file))
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    assert json.loads(file.read_text())["openapi"].startswith("3.")
    assert json.loads(run(None, "openapi").stdout) == json.loads(file.read_text())


COMMANDS = (
    ("verify",),
    ("rebuild",),
    ("token", "list", "--household", "home1"),
    ("token", "create", "--household", "home1"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_that_is_not_there_is_not_made(command: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mistyped.sqlite3"
    refused(run(f"sqlite:///{path}", *command), "there is no store at", "statistics-manager migrate")
    assert not path.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_without_tables_is_told(command: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "empty.sqlite3"
    sqlite3.connect(path).close()
    path.touch()
    refused(run(f"sqlite:///{path}", *command), "has no tables yet")


def test_an_empty_database_of_postgresql_is_told(postgres: PostgresServer) -> None:
    refused(run(postgres.create_database(), "verify"), "has no tables yet")


@pytest.mark.parametrize("command", [*COMMANDS, ("migrate",)], ids=" ".join)
def test_a_file_that_is_no_store_is_told(command: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 1000)
    before = path.read_bytes()
    refused(run(f"sqlite:///{path}", *command), "the store can't be")
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_household_is_named(command: tuple[str, ...], database_url: str) -> None:
    words = [word for word in command if word not in ("--household", "home1")]
    refused(run(database_url, *words, "--household", "nobody"), "nobody")


def test_a_store_of_a_newer_version_is_told(database_url: str) -> None:
    change(database_url, "UPDATE alembic_version SET version_num = 'fffffffffff'")
    refused(run(database_url, "migrate"), "another version of this program")


@pytest.mark.parametrize("url", ["mysql://u:s3cret@host/x", "s3cret", "://s3cret", "postgresql://u:s3cret@h:port/x"])
@pytest.mark.parametrize("command", [*COMMANDS, ("migrate",), ("serve",)], ids=" ".join)
def test_a_wrong_url_is_told_without_its_password(command: tuple[str, ...], url: str) -> None:
    sentence = refused(run(url, *command, JWT_SIGN_KEY=KEY), "DATABASE_URL", "sqlite:///path")
    assert "s3cret" not in sentence


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    url = "postgresql://u:s3cret@127.0.0.1:9/x"
    for command in (("migrate",), ("verify",)):
        done = run(url, *command)
        assert done.returncode == 1
        assert "not answer" in done.stderr
        assert "s3cret" not in done.stderr


def test_every_wrong_setting_is_named() -> None:
    sentence = refused(run(None, "migrate", PORT="99999", LOG_LEVEL="LOUD"), "PORT", "LOG_LEVEL")
    assert "settings are wrong" in sentence


def test_a_service_without_a_key_does_not_start(tmp_path: pathlib.Path) -> None:
    done = run(f"sqlite:///{tmp_path / 'store.sqlite3'}", "serve")
    refused(done, "JWT_SIGN_KEY")


@pytest.mark.parametrize("label, days", [("x" * 129, "5"), ("fine", "0"), ("fine", "36501")])
def test_a_token_has_a_short_label_and_a_sensible_life(database_url: str, label: str, days: str) -> None:
    store = fill(database_url)
    done = run(database_url, "token", "create", "--household", "home1", "--label", label, "--days", days)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert bootstrap.device_tokens_of(store).list("home1") == []


def test_only_postgresql_is_distributed(database_url: str) -> None:
    wanted = "extension citus" if database_url.startswith("postgresql") else "only a PostgreSQL store"
    refused(run(database_url, "migrate", "--distribute"), wanted)
