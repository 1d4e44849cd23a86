"""HEAD is GET without the body, and a method that a path has not is answered with those that it has."""

from __future__ import annotations

import pytest
from homes import BASE, Api
from test_who_may_call import ROUTES, Stage, call, stage

GETS = [name for name in ROUTES if name.startswith("GET ")]
PATHS = sorted({name.split(" ")[1] for name in ROUTES})


@pytest.fixture(scope="module")
def kept(api: Api) -> Stage:
    """A stage that is only looked at."""
    return stage(api)


@pytest.mark.parametrize("name", GETS)
def test_head_is_answered_as_get_is_without_the_body(api: Api, kept: Stage, name: str) -> None:
    path = kept.filled(name.split(" ")[1]).removeprefix(BASE)
    query = {k: kept.filled(v) for k, v in (ROUTES[name].query or {}).items()}
    got, head = (api.call(method, path, params=query) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    for header in ("content-type", "content-length"):
        assert head.headers[header] == got.headers[header]
    assert api.call("HEAD", path, params=query, token=None).status_code == (200 if "health" in name else 401)


def test_head_of_health_at_the_root_is_answered(api: Api) -> None:
    answer = api.client.head("/health")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_connection_goes_on_behind_a_head(api: Api, kept: Stage) -> None:
    answers = [api.call(method, kept.home.path) for method in ("HEAD", "GET", "HEAD", "GET")]
    assert [len(one.content) > 0 for one in answers] == [False, True, False, True]


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_method_is_answered_with_all_the_right_ones(api: Api, kept: Stage, path: str) -> None:
    methods = {name.split(" ")[0] for name in ROUTES if name.split(" ")[1] == path}
    wrong = next(one for one in ("OPTIONS", "PATCH") if one not in methods)
    answer = api.call(wrong, kept.filled(path).removeprefix(BASE))
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == methods | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize("name", [one for one in ROUTES if one.startswith("GET ") and "/households" in one])
def test_every_method_that_is_told_is_one(api: Api, name: str) -> None:
    on = stage(api)
    path = on.filled(name.split(" ")[1]).removeprefix(BASE)
    allowed = api.call("TRACE", path).headers["allow"].split(", ")
    told = [one for one in ROUTES if one.split(" ")[1] == name.split(" ")[1]]
    told.sort(key=lambda one: one.startswith("DELETE"))
    assert [call(api, one, on, "service").status_code for one in told] == [ROUTES[one].status for one in told]
    assert {one.split(" ")[0] for one in told} == set(allowed) - {"HEAD"}
