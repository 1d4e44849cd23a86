"""The service as a client sees it, and households of their own for tests that share one service."""

from __future__ import annotations

import json
import secrets
from decimal import Decimal
from typing import Any

import httpx
from servers import RunningService

BASE = "/api/statistics"
WRITE = "/api/v2/write"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
START, END = "2024-05-10T10:00:00Z", "2024-05-10T12:00:00Z"


def new_id() -> str:
    """An id as FlexiHome makes them: ten of a-z and 0-9."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(10))


class Api:
    """Calls to a running service over one kept connection."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.client = httpx.Client(base_url=service.url, timeout=60)
        self.service_token = service.token()

    def call(self, method: str, path: str, *, token: str | None = "service", **more: Any) -> httpx.Response:
        """An answer; the token is a text, None, or the word `service`."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {self.service_token if token == 'service' else token}")
        place = path if path.startswith(("/api/v2", "/health")) else BASE + path
        return self.client.request(method, place, headers=headers, **more)

    def get(self, path: str, query: Any = None, **more: Any) -> httpx.Response:
        return self.call("GET", path, params=query, **more)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return self.call("POST", path, json=body, **more)


def channel(**more: Any) -> dict[str, Any]:
    """A good channel of readings: an import register that rises by 0.1 kWh a quarter-hour from 10:00 to 12:00."""
    at = [f"2024-05-10T{10 + i // 4}:{i % 4 * 15:02d}:00Z" for i in range(9)]
    value = [100 + i / 10 for i in range(9)]
    told = {"meter": "grid", "quantity": "energy_import", "kind": "register", "unit": "kWh", "at": at, "value": value}
    return {**told, **more}


class Home:
    """A household that nobody else uses."""

    def __init__(self, api: Api, **settings: Any) -> None:
        self.api, self.id = api, new_id()
        answer = api.call("PUT", self.path, json={"timezone": "UTC", **settings})
        assert answer.status_code == 201, answer.text

    @property
    def path(self) -> str:
        return f"/households/{self.id}"

    @property
    def token(self) -> str:
        """The household's own JWT."""
        return self.api.service.token(sub=self.id)

    def device(self, **wanted: Any) -> dict[str, Any]:
        answer = self.api.post(f"{self.path}/tokens", wanted)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def post(self, *channels: dict[str, Any], **more: Any) -> httpx.Response:
        return self.api.post("/readings", {"household": self.id, "readings": list(channels)}, **more)

    def write(self, **more: Any) -> dict[str, Any]:
        answer = self.post(channel(**more))
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def ask_raw(self, measures: str, group_by: str, start: str = START, end: str = END, **more: Any) -> httpx.Response:
        query = {"measures": measures, "group_by": group_by, "start": start, "end": end}
        headers = more.pop("headers", {})
        return self.api.get(f"{self.path}/statistics", {**query, **more}, headers=headers)

    def ask(self, measures: str, group_by: str, start: str = START, end: str = END, **more: Any) -> dict[str, Any]:
        """The answer, its decimals as they stand in the text."""
        answer = self.ask_raw(measures, group_by, start, end, **more)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
        return told

    def values(self, measure: str = "energy_import", group_by: str = "hourly", **more: Any) -> list[Decimal | None]:
        found: list[Decimal | None] = self.ask(measure, group_by, **more)["series"][0]["values"]
        return found

    def everything(self) -> str:
        """All that the service tells of the household's data, for comparing before and after."""
        measures = "energy_import,energy_export,energy_production,power_import,voltage"
        parts = [self.ask_raw(measures, group_by, "2024-05-01", "2024-06-01").text for group_by in ("15_mins", "daily")]
        parts += [self.api.get(f"{self.path}/{what}").text for what in ("meters", "last")]
        return "\n".join(parts).replace(self.id, "")


def expect_error(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer is an error of a status, in the one shape; its body."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    assert set(told) == {"error", "code", "details", "correlation_id"}
    assert isinstance(told["error"], str)
    assert told["error"]
    assert told["code"].isascii()
    assert told["code"] == told["code"].lower().replace(" ", "_")
    assert all(set(one) == {"where", "why"} and one["where"] and one["why"] for one in told["details"]), told
    assert told["correlation_id"] == answer.headers["x-correlation-id"]
    assert "Traceback" not in answer.text
    if code is not None:
        assert told["code"] == code
    return told
