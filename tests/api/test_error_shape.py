"""One shape for every error, on every route, and one correlation id on every answer."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import uuid
from typing import Any

import httpx
import pytest
from conftest import MAX_BODY_BYTES
from homes import BASE, WRITE, Api, Home, channel, expect_error, new_id
from test_who_may_call import KEPT_FROM_STRANGERS, ROUTES, named

from statistics_manager_service.api.app import create_app
from statistics_manager_service.bootstrap import build
from statistics_manager_service.settings import Settings

WITH_BODY = [name for name, route in ROUTES.items() if route.body is not None or route.lines]
JSON_BODY = [name for name, route in ROUTES.items() if route.body is not None]
NAMED = [name for name in ROUTES if "{household}" in name]
QUERIED = [name for name, route in ROUTES.items() if route.query is not None]


def placed(name: str, household: str) -> tuple[str, str]:
    """Method and path of a route for a household."""
    method, path = name.split(" ")
    return method, path.removeprefix(BASE).format_map(named(household))


def expect_refusal(answer: Any, name: str, status: int) -> dict[str, Any]:
    if not name.endswith(WRITE):
        return expect_error(answer, status)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    assert set(told) >= {"code", "message"}
    uuid.UUID(answer.headers["x-correlation-id"])
    return told


@pytest.fixture(scope="module")
def kept(api: Api) -> Home:
    """A household that is not changed here."""
    one = Home(api)
    one.write()
    return one


@pytest.mark.parametrize("name", KEPT_FROM_STRANGERS)
def test_no_token_is_told_in_the_one_shape(api: Api, kept: Home, name: str) -> None:
    method, path = placed(name, kept.id)
    expect_refusal(api.call(method, path, token=None), name, 401)


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_household_is_told_in_the_one_shape(api: Api, name: str) -> None:
    method, path = placed(name, new_id())
    route = ROUTES[name]
    if method == "PUT" and path.count("/") == 2:
        pytest.skip("this route makes households")
    query = {k: v for k, v in (route.query or {}).items() if k != "households"}
    told = expect_error(api.call(method, path, params=query, json=route.body), 404, "not_found")
    assert "household" in told["error"]


@pytest.mark.parametrize("name", [one for one in QUERIED if "{household}" in str(ROUTES[one].query)])
def test_an_unknown_household_in_a_query_is_told_in_the_one_shape(api: Api, name: str) -> None:
    method, path = placed(name, "")
    stranger = new_id()
    query = {k: v.replace("{household}", stranger) for k, v in (ROUTES[name].query or {}).items()}
    told = expect_error(api.call(method, path, params=query), 404, "not_found")
    assert stranger in told["error"]


@pytest.mark.parametrize("name", QUERIED)
def test_a_query_without_what_it_needs_is_told_in_the_one_shape(api: Api, kept: Home, name: str) -> None:
    method, path = placed(name, kept.id)
    told = expect_error(api.call(method, path), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == set(ROUTES[name].query or {}) - {"group_by", "end_date"}


@pytest.mark.parametrize("name", JSON_BODY)
@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"null", b'"text"', b"", b"\xff\xfe{}", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_told_in_the_one_shape(api: Api, kept: Home, name: str, body: bytes) -> None:
    method, path = placed(name, kept.id)
    told = expect_error(
        api.call(method, path, content=body, headers={"Content-Type": "application/json"}), 400, "bad_input"
    )
    assert told["details"][0]["where"] == "body"


@pytest.mark.parametrize("path", ["/nothing", "/households/a/b/c/d", "/statistics/x", "/%2e%2e/health", "/."])
def test_a_path_that_leads_nowhere_is_told_in_the_one_shape(api: Api, path: str) -> None:
    expect_error(api.get(path), 404, "not_found")


@pytest.mark.parametrize("name", ROUTES)
def test_a_method_that_a_route_has_not_is_told_in_the_one_shape(api: Api, kept: Home, name: str) -> None:
    _, path = placed(name, kept.id)
    answer = api.call("TRACE", path)
    expect_refusal(answer, name, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("told_length", [True, False])
def test_a_body_over_the_limit_is_told_in_the_one_shape(api: Api, kept: Home, name: str, told_length: bool) -> None:
    method, path = placed(name, kept.id)
    body = b" " * (MAX_BODY_BYTES + 1)
    content: Any = body if told_length else iter([body[: 2**19], body[2**19 :]])
    told = expect_refusal(api.call(method, path, content=content), name, 413)
    assert str(MAX_BODY_BYTES) in (told.get("error") or told["message"])


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_small_body_that_unpacks_to_one_over_the_limit_is_refused(api: Api, kept: Home, name: str) -> None:
    method, path = placed(name, kept.id)
    bomb = gzip.compress(b" " * (64 * MAX_BODY_BYTES))
    answer = api.call(method, path, content=bomb, headers={"Content-Encoding": "gzip"})
    expect_refusal(answer, name, 413)


def test_a_body_of_just_the_limit_is_read(api: Api, kept: Home) -> None:
    body = b'{"timezone": "UTC"}'.ljust(MAX_BODY_BYTES)
    assert api.call("PUT", kept.path, content=body).status_code == 200
    packed = gzip.compress(body)
    assert api.call("PUT", kept.path, content=packed, headers={"Content-Encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize("media", ["text/xml", "text/plain", "multipart/form-data; boundary=x", "nonsense", "a" * 500])
def test_a_content_type_that_is_not_read_is_told_in_the_one_shape(api: Api, media: str) -> None:
    told = expect_error(
        api.call("POST", "/readings", content=b"x", headers={"Content-Type": media}), 415, "unsupported_media_type"
    )
    assert "text/csv" in told["error"], "what would be right is named"


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_an_encoding_that_is_not_read_is_told_in_the_one_shape(api: Api, kept: Home, name: str, encoding: str) -> None:
    method, path = placed(name, kept.id)
    answer = api.call(method, path, content=b"x", headers={"Content-Encoding": encoding})
    expect_refusal(answer, name, 415)


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip",
        b"",
        gzip.compress(b"{}")[:-4],
        gzip.compress(b"{}")[:12],
        gzip.compress(b"{}") + b"and more",
        gzip.compress(b"") * 1500,
    ],
    ids=["text", "empty", "no end", "cut", "more behind", "many parts"],
)
@pytest.mark.parametrize("name", WITH_BODY)
def test_broken_gzip_is_told_in_the_one_shape(api: Api, kept: Home, name: str, body: bytes) -> None:
    method, path = placed(name, kept.id)
    answer = api.call(method, path, content=body, headers={"Content-Encoding": "gzip"})
    told = expect_refusal(answer, name, 400)
    assert "gzip" in (told.get("error") or told["message"])
    assert told["code"] == ("invalid" if name.endswith(WRITE) else "bad_input")


@pytest.mark.parametrize("name", ROUTES)
def test_every_route_returns_the_correlation_id_that_it_was_given(api: Api, kept: Home, name: str) -> None:
    method, path = placed(name, kept.id)
    given = str(uuid.uuid4())
    answer = api.call(method, path, token=None, headers={"X-Correlation-ID": given})
    assert answer.headers["x-correlation-id"] == given
    if answer.status_code >= 400 and not name.endswith(WRITE):
        assert answer.json()["correlation_id"] == given


def test_a_correlation_id_is_made_where_none_is_given_and_no_two_are_the_same(api: Api) -> None:
    made = [api.get("/health").headers["x-correlation-id"] for _ in range(3)]
    assert len({uuid.UUID(one) for one in made}) == 3


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize(
    "given", ["17", "", "x" * 36, "{" + str(uuid.UUID(int=1)) + "}", uuid.UUID(int=1).hex, "a" * 5000, "\xe9" * 36]
)
def test_a_correlation_id_that_is_no_uuid_is_refused(api: Api, kept: Home, name: str, given: str) -> None:
    method, path = placed(name, kept.id)
    answer = api.call(method, path, headers={"X-Correlation-ID": given.encode("latin-1")})
    told = expect_refusal(answer, name, 400)
    assert "X-Correlation-ID" in (told.get("error") or told["message"])
    uuid.UUID(answer.headers["x-correlation-id"])


class Broken:
    """Households that fail in a way that nobody foresaw."""

    def get(self, household: str) -> None:
        raise RuntimeError(f"a secret of {household}")


@pytest.mark.parametrize(
    "path", ["/households/home1", "/mock-consumption-curve-producer?user_id=a&start_date=2024-05-10&delivery_time=60"]
)
def test_what_nobody_foresaw_is_told_in_the_one_shape_and_without_its_text(path: str) -> None:
    services = build(Settings(database_url="sqlite://", jwt_sign_key="k" * 64, trust_unauthenticated=True))
    app = create_app(dataclasses.replace(services, households=Broken()))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request("POST" if "producer" in path else "GET", BASE + path)

    told = expect_error(asyncio.run(ask()), 500, "internal_error")
    assert "secret" not in str(told)


def test_the_faults_of_a_body_are_named_up_to_a_hundred_and_counted_beyond(api: Api, kept: Home) -> None:
    answer = kept.post(*[channel(quantity="nonsense") for _ in range(500)])
    told = expect_error(answer, 400, "bad_input")
    assert len(told["details"]) == 100
    assert "499 more" in told["error"]
