"""X-Correlation-ID goes from the request into logs and events, and with them to the services that are asked for it."""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

import pytest
from hems import Hems, Household, new_id
from outbox import rows_of
from servers import RunningService
from upstream_server import wait_until

from statistics_manager_service.storage.migrate import migrate


def test_every_log_line_of_a_request_bears_its_correlation_id(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    migrate(url)
    asked: dict[str, int] = {}
    with RunningService({"DATABASE_URL": url, "LOG_LEVEL": "INFO", "FORECAST_DAILY": "false"}) as service:
        for status, token, path in (
            (404, "service", "/voltage-last?user_ids=nobody"),
            (401, None, "/voltage-last?user_ids=nobody"),
            (400, "service", "/voltage?user_ids=nobody"),
            (403, service.token(sub="somebody"), "/voltage-last?user_ids=nobody"),
            (200, None, "/health"),
        ):
            told = str(uuid.uuid4())
            answer = service.call("GET", path, token=token, headers={"X-Correlation-ID": told})
            assert answer.status_code == status
            asked[told] = status
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    found = {one["correlation_id"]: one["status"] for one in lines if one["event"] == "request"}
    assert {told: found[told] for told in asked} == asked
    assert len(found) == len([one for one in lines if one["event"] == "request"]), "no two requests share an id"


def test_an_event_and_what_is_fetched_for_it_bear_the_id_of_the_request_that_asked_for_it(hems: Hems) -> None:
    home = Household(hems)
    query = {"user_id": home.id, "forecast_day": "2024-03-20"}
    hems.manager.post("trigger-computed-forecast-producer", query)
    sent = hems.manager.sent_correlation_id

    def fetched() -> list[Any]:
        asked = hems.forecasts.server.asked("/get-forecast")
        return [one for one in asked if one.query["installation_code"] == f"{home.id}_consumption"]

    wait_until(lambda: bool(fetched()), what="the request for the forecast")
    assert [one.headers["x-correlation-id"] for one in fetched()] == [sent]
    assert [row["payload"]["correlation_id"] for row in rows_of(hems, home.id)] == [sent]


def test_an_event_without_a_sent_id_bears_the_one_that_was_made(hems: Hems) -> None:
    home = Household(hems)
    answer = hems.http.post(
        "/api/statistics/trigger-computed-forecast-producer",
        params={"user_id": home.id, "forecast_day": "2024-03-20"},
        headers={"Authorization": f"Bearer {hems.service.token()}"},
    )
    assert answer.status_code == 201
    made = answer.headers["x-correlation-id"]
    assert rows_of(hems, home.id)[0]["payload"]["correlation_id"] == str(uuid.UUID(made)) == made
    refused = hems.http.post(
        "/api/statistics/trigger-computed-forecast-producer",
        params={"user_id": new_id(), "forecast_day": "2024-03-20"},
        headers={"Authorization": f"Bearer {hems.service.token()}"},
    )
    assert refused.json()["correlation_id"] == refused.headers["x-correlation-id"] != made
