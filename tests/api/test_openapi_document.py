"""The OpenAPI document is true: each operation tells the answers that it gives, and gives those that it tells."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pyarrow.csv
import pytest
from conftest import MAX_BODY_BYTES
from homes import BASE, WRITE, Api, Home, channel, new_id
from measured import open_store, put_issue, quarter
from test_all_faults_at_once import LISTS
from test_who_may_call import KEPT_FROM_STRANGERS, ROUTES, Stage, call, named, stage

from statistics_manager_service import bootstrap
from statistics_manager_service.api.app import create_app
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.ingest.line_protocol import decode_line_protocol
from statistics_manager_service.services.telemetry.fields import KNOWN_FIELDS
from statistics_manager_service.settings import Settings


def document() -> dict[str, Any]:
    settings = Settings(trust_unauthenticated=True, database_url="sqlite://")
    told: dict[str, Any] = json.loads(json.dumps(bootstrap.create_app(settings).openapi()))
    return told


DOCUMENT = document()
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def nodes(told: Any, path: str = "#") -> Iterator[tuple[str, Any]]:
    yield path, told
    children = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for name, child in children:
        yield from nodes(child, f"{path}/{name}")


def refusals(name: str) -> set[int]:
    return {int(status) for status in OPERATIONS[name]["responses"] if int(status) >= 400}


def test_the_service_serves_this_document(api: Api) -> None:
    assert api.get("/openapi.json", token=None).json() == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    found = [told["$ref"] for _, told in nodes(DOCUMENT) if isinstance(told, dict) and "$ref" in told]
    assert len(found) > 100
    for reference in set(found):
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_no_operation_answers_422() -> None:
    assert [name for name, one in OPERATIONS.items() if "422" in one["responses"]] == []
    assert set(DOCUMENT["components"]["schemas"]) == {"Error", "WriteError"}


@pytest.mark.parametrize("name", ROUTES)
def test_every_error_has_the_shape_that_is_told(name: str) -> None:
    shape = "WriteError" if name.endswith(WRITE) else "Error"
    for status in refusals(name):
        content = OPERATIONS[name]["responses"][str(status)]["content"]
        assert content["application/json"]["schema"] == {"$ref": f"#/components/schemas/{shape}"}


def conforms(told: Any, schema: dict[str, Any]) -> bool:
    """Whether a body is of a schema, in which objects hold texts, whole numbers and lists alone."""
    if schema["type"] == "object":
        properties = schema["properties"]
        return set(schema["required"]) <= set(told) <= set(properties) and all(
            conforms(value, properties[key]) for key, value in told.items()
        )
    if schema["type"] == "array":
        return isinstance(told, list) and all(conforms(one, schema["items"]) for one in told)
    return isinstance(told, {"string": str, "integer": int}[schema["type"]])


# --- what is told is given, and what is given is told -----------------------------------------------------------------


def provoked_400(api: Api, name: str, on: Stage) -> Any:
    return call(api, name, on, "service", {"X-Correlation-ID": "no UUID"})


def provoked_401(api: Api, name: str, on: Stage) -> Any:
    return call(api, name, on, None)


def provoked_403(api: Api, name: str, on: Stage) -> Any:
    return call(api, name, on, Home(api).token)


def provoked_404(api: Api, name: str, on: Stage) -> Any:
    nothing = dataclasses.replace(on, home=_Nobody(api), tariff=new_id(), series=new_id())
    return call(api, name, nothing, "service")


class _Nobody(Home):
    """A household that is not there."""

    def __init__(self, api: Api) -> None:
        self.api, self.id = api, new_id()


def provoked_409(api: Api, name: str, on: Stage) -> Any:
    key = new_id()
    Home(api, api_key=key)
    method, path = name.split(" ")
    place = on.filled(path).removeprefix(BASE)
    if method == "PUT" and path.endswith("/groups/{group}"):
        return refused_change_of_a_group(api, path, on)
    if path.endswith("/tariffs/{tariff}"):
        place = "/tariffs/pt-btn-simples"
        return api.call(method, place, json=ROUTES[name].body)
    another = {"old_end": 55} if path.endswith("/events") else {"api_key": key}
    another = {"unit": "EUR/kWh"} if path.endswith("/series/{series}") else another
    return api.call(method, place, json={**(ROUTES[name].body or {}), **another})


def refused_change_of_a_group(api: Api, path: str, on: Stage) -> Any:
    """Another zone for a group; a home that shares with one group and is to share with another."""
    told = {"title": "a", "members": [{"household": on.home.id}], "timezone": "Asia/Tokyo"}
    if "household" not in path:
        return api.call("PUT", on.filled("/groups/{group}"), json=told)
    other = new_id()
    assert api.call("PUT", f"/groups/{other}", json=told).status_code == 201
    return api.call("PUT", f"{on.home.path}/groups/{other}", json={"shares": True})


def provoked_413(api: Api, name: str, on: Stage) -> Any:
    method, path = name.split(" ")
    pieces = iter([b" " * MAX_BODY_BYTES, b" "])
    query = {k: on.filled(v) for k, v in (ROUTES[name].query or {}).items()}
    return api.call(method, on.filled(path).removeprefix(BASE), params=query, content=pieces)


def provoked_415(api: Api, name: str, on: Stage) -> Any:
    return call(api, name, on, "service", {"Content-Encoding": "br"})


#: It changes what is there, and makes nothing.
SHARING = "/households/{household}/groups/{group}"
PROVOKED: dict[int, Callable[[Api, str, Stage], Any]] = {
    400: provoked_400,
    401: provoked_401,
    403: provoked_403,
    404: provoked_404,
    409: provoked_409,
    413: provoked_413,
    415: provoked_415,
}


@pytest.fixture(scope="module")
def staged(api: Api) -> Stage:
    """What calls may name that leave it there."""
    return stage(api)


@pytest.mark.parametrize("status", PROVOKED)
@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_tells_the_refusals_that_it_gives_and_no_others(
    api: Api, staged: Stage, name: str, status: int
) -> None:
    answer = PROVOKED[status](api, name, stage(api) if name.startswith("DELETE ") else staged)
    assert (answer.status_code == status) == (status in refusals(name)), f"{answer.status_code} {answer.text}"
    if answer.status_code >= 400:
        shape = DOCUMENT["components"]["schemas"]["WriteError" if name.endswith(WRITE) else "Error"]
        assert conforms(answer.json(), shape)
        uuid.UUID(answer.headers["x-correlation-id"])


class _Down:
    """A store that does not answer."""

    is_embedded = True

    def __getattr__(self, name: str) -> Any:
        raise Unavailable("the store does not answer")


@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_that_needs_the_store_tells_that_it_may_be_down(name: str) -> None:
    settings = Settings(database_url="sqlite://", jwt_sign_key="k" * 64, trust_unauthenticated=True)
    store: Any = _Down()
    app = create_app(bootstrap.build(settings, store))
    method, path = name.split(" ")
    place = path.format_map(named("home1"))
    route = ROUTES[name]
    body = None if route.body is None else json.dumps(route.body).replace("{household}", "home1")

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            asks_for_the_token_alone = "ecosignal" in name or "tariff-schema" in name
            headers = {"Authorization": "Bearer smd_0123456789abcdef_0123"} if asks_for_the_token_alone else {}
            content = route.lines or body
            return await client.request(method, place, params=route.query, content=content, headers=headers)

    answer = asyncio.run(ask())
    assert (answer.status_code == 503) == (503 in refusals(name)), f"{answer.status_code} {answer.text}"
    assert 503 not in refusals(name) or answer.headers["retry-after"]


@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_tells_the_status_and_the_type_of_its_answer(api: Api, name: str) -> None:
    answer = call(api, name, stage(api), "service")
    told = OPERATIONS[name]["responses"][str(answer.status_code)]
    media = answer.headers.get("content-type", "").split(";")[0]
    assert ("content" in told) == bool(media)
    assert not media or media in told["content"]


@pytest.mark.parametrize("name", [one for one in ROUTES if one.startswith("PUT ") and not one.endswith(SHARING)])
def test_a_put_tells_whether_it_makes_or_replaces(api: Api, name: str) -> None:
    home = Home(api)
    stage(api)  # which makes the tariff that contracts name
    path = name.split(" ")[1].removeprefix(BASE)
    of_a_home = any(one in path for one in ("meters", "contracts", "goals"))
    made = path.format_map(
        {
            "household": home.id if of_a_home else new_id(),
            "meter": "new",
            "tariff": new_id(),
            "series": new_id(),
            "group": new_id(),
        }
    )
    body = json.loads(json.dumps(ROUTES[name].body).replace("{household}", home.id))
    answers = [api.call("PUT", made, json=body).status_code for _ in range(2)]
    assert answers == [201, 200]
    assert {"200", "201"} <= set(OPERATIONS[name]["responses"])


@pytest.mark.parametrize("name", KEPT_FROM_STRANGERS)
def test_an_operation_that_is_kept_from_strangers_says_so(name: str) -> None:
    assert OPERATIONS[name]["security"] == [{"token": []}]


# --- examples ---------------------------------------------------------------------------------------------------------


def examples(parameter: dict[str, Any]) -> dict[str, Any]:
    """A value of a parameter, as it is told."""
    schema = parameter["schema"]
    name, several = parameter["name"], schema.get("type") == "array"
    value = schema["examples"][0] if "examples" in schema else schema.get("default")
    if value in (None, []):
        return {}
    assert several == isinstance(value, list), parameter
    assert several == (name in LISTS)
    return {name: ",".join(value) if several else json.dumps(value).strip('"')}


@pytest.mark.parametrize("name", [one for one in ROUTES if ROUTES[one].query is not None])
def test_the_example_of_a_query_is_a_good_one(api: Api, name: str) -> None:
    """Whatever the document gives an example of, or a default, is taken; who is named there is somebody here."""
    on = stage(api)
    told = [one for one in OPERATIONS[name].get("parameters", []) if one["in"] == "query"]
    assert {one["name"] for one in told if one["required"]} <= set(ROUTES[name].query or {})
    assert set(ROUTES[name].query or {}) <= {one["name"] for one in told}
    query = {**(ROUTES[name].query or {})}
    for one in told:
        query |= examples(one) if one["name"] not in ("households", "user_ids") else {}
    query = {key: on.filled(value) for key, value in query.items()}
    method, path = name.split(" ")
    answer = api.call(method, on.filled(path).removeprefix(BASE), params=parse_qsl(urlencode(query)))
    assert answer.status_code == ROUTES[name].status, answer.text


def bodies() -> Iterator[tuple[str, str, Any]]:
    for name, operation in OPERATIONS.items():
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            if "example" in content:
                yield name, media, content["example"]


@pytest.mark.parametrize(("name", "media", "example"), list(bodies()))
def test_the_example_of_a_body_is_taken(api: Api, name: str, media: str, example: Any) -> None:
    on = stage(api)
    text = (example if isinstance(example, str) else json.dumps(example)).replace("home1", on.home.id)
    method, path = name.split(" ")
    if name.endswith("/events"):  # another swap stands at this instant already
        api.call("DELETE", f"{on.home.path}/meters/grid/events/{on.event}")
    place = on.filled(path).removeprefix(BASE)
    query = {"precision": "s"} if name.endswith(WRITE) else None
    answer = api.call(method, place, content=text, headers={"Content-Type": media}, params=query)
    assert answer.status_code in (200, 201, 204), answer.text


def test_the_examples_of_lines_and_tables_hold_what_they_seem_to() -> None:
    told = {media: example for name, media, example in bodies() if "readings" in name or name.endswith(WRITE)}
    assert pyarrow.csv.read_csv(io.BytesIO(told["text/csv"].encode())).num_rows == 1
    series, refused = decode_line_protocol(told["text/plain"].encode(), "s", known_fields=KNOWN_FIELDS, now_us=2**51)
    assert (len(series), refused) == (2, [])
    assert set(told["application/json"]["readings"][0]) == set(channel())


def test_the_examples_of_answers_have_the_members_of_the_answers(api: Api) -> None:
    """The examples are of answers as they are: the same members at every depth."""
    on = stage(api)
    with_forecast(api, on.home.id)
    found = 0
    for name, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            example = response.get("content", {}).get("application/json", {}).get("example")
            if example is None or int(status) >= 400:
                continue
            answer = call(api, name, on, "service")
            assert answer.status_code == int(status)
            assert members(example) <= members(answer.json()), name
            found += 1
    assert found >= 14


def with_forecast(api: Api, household: str) -> None:
    store = open_store(api.service.settings["DATABASE_URL"])
    with store.reading() as view:
        (home,) = view.households_by_id([household]).values()
    put_issue(store, home, dict.fromkeys(range(quarter("2024-05-10"), quarter("2024-05-11")), 100.0), "2024-05-09")
    store.close()


def members(told: Any) -> set[str]:
    return {path for path, _ in ((_plain(path), one) for path, one in nodes(told))}


def _plain(path: str) -> str:
    return "/".join("*" if part.isdigit() else part for part in path.split("/"))
