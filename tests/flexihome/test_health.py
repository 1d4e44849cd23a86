"""/health: no token, under the base path and at the root, 200 and the state of each dependency."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hems import BASE, Hems
from servers import PostgresServer, RunningService
from upstream_server import wait_until

STATES = {"ok", "degraded"}


def health(url: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/health", timeout=30)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize("path", ["/health", f"{BASE}/health"])
def test_health_needs_no_token_and_tells_the_state_of_each_dependency(hems: Hems, path: str) -> None:
    sent = str(uuid.uuid4())
    answer = hems.http.get(path, headers={"X-Correlation-ID": sent})
    assert (answer.status_code, answer.headers["x-correlation-id"]) == (200, sent)
    told = answer.json()
    assert told["status"] in STATES
    assert told["dependencies"]["store"] == told["dependencies"]["token_blacklist"] == "ok"
    assert set(told["dependencies"].values()) <= {"ok", "down"}


def test_a_wrong_token_does_not_keep_health_from_its_answer(hems: Hems) -> None:
    assert hems.client("letmein").call("GET", "health").status_code == 200


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may end."""
    with PostgresServer() as server:
        yield server


def test_health_is_answered_while_the_store_is_down(postgres: PostgresServer, own_postgres: PostgresServer) -> None:
    settings = {"DATABASE_URL": own_postgres.create_database(), "FORECAST_DAILY": "false", "LOG_LEVEL": "ERROR"}
    with RunningService(settings) as service:
        assert health(service.url)["status"] == "ok"
        own_postgres.kill9()
        told = health(service.url)
        assert (told["status"], told["dependencies"]["store"]) == ("degraded", "down")
        asked = service.call("GET", "/voltage-last", params={"user_ids": "someone"})
        assert (asked.status_code, asked.json()["code"]) == (503, "unavailable")
        own_postgres.start()
        wait_until(lambda: health(service.url)["status"] == "ok", what="health")
