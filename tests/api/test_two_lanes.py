"""The question that is asked most is answered beside the framework: the framework's own answer is the same."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from homes import BASE, channel

from statistics_manager_service.bootstrap import create_app
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.migrate import migrate

KEY = "k" * 64


def token(**claims: Any) -> str:
    told = {"sub": "tests", "scope": "service", "exp": int(time.time()) + 3600, **claims}
    return "Bearer " + jwt.encode(told, KEY, algorithm="HS512")


@dataclass
class Lanes:
    """The same application, entered at its front and at the framework behind it."""

    front: Any
    framework: Any

    def both(self, path: str, headers: dict[str, str]) -> list[httpx.Response]:
        return [call(app, "GET", path, headers=headers) for app in (self.front, self.framework)]


def call(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, BASE + path, **more)

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Lanes:
    url = f"sqlite:///{tmp_path_factory.mktemp('lanes') / 'statistics.sqlite3'}"
    migrate(url)
    front = create_app(Settings(database_url=url, jwt_sign_key=KEY))
    headers = {"Authorization": token()}
    assert call(front, "PUT", "/households/home1", json={"timezone": "UTC"}, headers=headers).status_code == 201
    body = {"household": "home1", "readings": [channel()]}
    assert call(front, "POST", "/readings", json=body, headers=headers).status_code == 200
    return Lanes(front, front._framework)


GOOD = "measures=energy_import&start=2024-05-10&end=2024-05-11&group_by=hourly"


@pytest.mark.parametrize(
    "query",
    [
        GOOD,
        GOOD + "&format=csv",
        GOOD + "&format=ndjson",
        GOOD + "&timezone=Asia%2FKathmandu",
        GOOD + "&timezone=Europe/Lisbon&meter=grid",
        GOOD + "&meter=&timezone=",
        GOOD + "&measures=voltage",
        GOOD + "&measures=voltage&measures=warmth",
        GOOD + "&start=2024-05-10",
        GOOD + "&format=csv&format=csv&timezone=UTC&timezone=UTC&nothing=1&nothing=2",
        "measures=bogus&group_by=zz&timezone=M&start=x&foo=1",
        "measures=energy_import&start=2024-05-10T10:00:00%2B01:00&end=2024-05-11",
        "measures=energy_import&start=2024-05-10T10:00:00+01:00&end=2024-05-11",
        "",
        "measures=energy_import",
        GOOD + "&nothing=1",
        GOOD + "&=1&" + "x" * 5000 + "=1",
        GOOD + "&meter=" + "m" * 65,
        GOOD.replace("hourly", "fortnightly"),
        GOOD.replace("energy_import", "energy_imports,warmth"),
        GOOD.replace("2024-05-11", "2024-05-09"),
        GOOD + "&timezone=%FF%00",
        GOOD + "&format=xml",
        GOOD + ";format=csv",
    ],
)
def test_both_lanes_answer_alike(lanes: Lanes, query: str) -> None:
    headers = {"Authorization": token()}
    alike(*lanes.both(f"/households/home1/statistics?{query}", headers))


@pytest.mark.parametrize("household", ["home2", "home%201", "%E2%82%AC", "..%2Fhome1", "a" * 300])
def test_both_lanes_know_the_same_households(lanes: Lanes, household: str) -> None:
    headers = {"Authorization": token()}
    alike(*lanes.both(f"/households/{household}/statistics?{GOOD}", headers))


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "of home1", "of another home"]
)
def test_both_lanes_let_in_the_same_callers(lanes: Lanes, authorization: str | None) -> None:
    if authorization is not None and authorization.startswith("of "):
        household = "home1" if authorization == "of home1" else "home2"
        authorization = token(sub=household, scope="")
    headers = {} if authorization is None else {"Authorization": authorization}
    alike(*lanes.both(f"/households/home1/statistics?{GOOD}", headers))


@pytest.mark.parametrize(
    "accept", ["", "text/csv", "text/*;q=0.3, application/json;q=0.2", "application/json;q=0, */*"]
)
def test_both_lanes_read_the_same_accept_header(lanes: Lanes, accept: str) -> None:
    headers = {"Authorization": token(), "Accept": accept}
    alike(*lanes.both(f"/households/home1/statistics?{GOOD}", headers))


def alike(direct: httpx.Response, framework: httpx.Response) -> None:
    assert direct.status_code == framework.status_code
    assert direct.headers["content-type"] == framework.headers["content-type"]
    assert told(direct) == told(framework)


def told(answer: httpx.Response) -> Any:
    """The answer, but for the number by which a failed request is found again."""
    if answer.status_code < 400:
        return answer.content
    return {name: one for name, one in answer.json().items() if name != "correlation_id"}
