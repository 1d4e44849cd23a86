"""Who is asked for, and who asks: user_ids in both forms, tokens, correlation ids, errors."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from typing import Any

import jwt
import pytest
from hems import BASE, BESIDE, CARBON, HISTORIC, REAL, Hems, Household, new_id
from hub import family, flat, silent

PERIOD = {"start_date": "2024-03-20T00:00:00Z", "end_date": "2024-03-20T05:59:59Z", "group_by": "hourly"}
OF_MANY = (*HISTORIC, *(f"{one}-last" for one in HISTORIC), BESIDE)
OF_USERS = (*OF_MANY, REAL)
PRODUCERS = {
    "trigger-computed-forecast-producer": {"forecast_day": "2024-03-20"},
    "mock-consumption-curve-producer": {"start_date": "2024-03-20T00:00:00Z", "delivery_time": "15"},
    "users-get-real-data-producer": {"start_datetime": "2024-03-20T00:00:00Z", "end_datetime": "2024-03-21T00:00:00Z"},
}


def rest_of(path: str) -> dict[str, str]:
    return {} if path.endswith("-last") else PERIOD


def query_of(path: str, user: str) -> dict[str, str]:
    """A good question of a user, or a good event."""
    if path == CARBON:
        return {"forecast_day": "2024-03-20"}
    if path in PRODUCERS:
        return {"user_id": user, **PRODUCERS[path]}
    return {"user_id" if path == REAL else "user_ids": user, **rest_of(path)}


def method_of(path: str) -> str:
    return "POST" if path in PRODUCERS else "GET"


# --- whom is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OF_MANY)
def test_users_are_named_by_commas_by_repetition_or_both(hems: Hems, path: str) -> None:
    ids = [family(hems).id, silent(hems).id, flat(hems).id]
    ways: list[list[tuple[str, str]]] = [
        [("user_ids", ",".join(ids))],
        [("user_ids", one) for one in ids],
        [("user_ids", ",".join(ids[:2])), ("user_ids", ids[2])],
        [("user_ids", f" {ids[0]} ,,{ids[1]},"), ("user_ids", ids[2]), ("user_ids", ids[0])],
    ]
    told = [hems.manager.get(path, [*way, *rest_of(path).items()]) for way in ways]
    assert [one["user_id"] for one in told[0]] == ids
    assert told == [told[0]] * 4


@pytest.mark.parametrize("path", OF_MANY)
def test_a_comma_may_be_sent_bare_or_escaped(hems: Hems, path: str) -> None:
    ids = [family(hems).id, silent(hems).id]
    rest = "".join(f"&{name}={value}" for name, value in rest_of(path).items())
    told = [hems.manager.get(f"{path}?user_ids={ids[0]}{comma}{ids[1]}{rest}") for comma in (",", "%2C", "%2c")]
    assert [one["user_id"] for one in told[0]] == ids
    assert told == [told[0]] * 3


@pytest.mark.parametrize("path", OF_USERS)
def test_an_unknown_user_is_not_found_and_named(hems: Hems, path: str) -> None:
    stranger = new_id()
    assert stranger in hems.manager.refused(404, path, query_of(path, stranger))


@pytest.mark.parametrize("path", OF_MANY)
def test_an_unknown_user_beside_a_known_one_is_not_found(hems: Hems, path: str) -> None:
    known, stranger = family(hems).id, new_id()
    told = hems.manager.refused(404, path, query_of(path, f"{known},{stranger}"))
    assert stranger in told
    assert known not in told


@pytest.mark.parametrize("ids", ["", ",", " "])
@pytest.mark.parametrize("path", [one for one in OF_MANY if one != BESIDE])
def test_no_user_is_no_question(hems: Hems, path: str, ids: str) -> None:
    assert "user_ids" in family(hems).app.refused(400, path, {"user_ids": ids, **rest_of(path)})
    assert "user_ids" in family(hems).app.refused(400, path, rest_of(path))


def test_the_forecast_beside_what_was_measured_is_the_tokens_own_unless_named(hems: Hems) -> None:
    home = family(hems)
    named = home.app.get(BESIDE, query_of(BESIDE, home.id))
    assert named[0]["user_id"] == home.id
    assert home.app.get(BESIDE, PERIOD) == named
    assert home.app.get(BESIDE, {"user_ids": "", **PERIOD}) == named
    assert "user_ids" in hems.manager.refused(400, BESIDE, PERIOD), "a service token has no household of its own"


@pytest.mark.parametrize("path", OF_MANY)
def test_more_users_than_are_answered_at_once_are_refused_with_the_limit(hems: Hems, path: str) -> None:
    assert "1000" in hems.manager.refused(400, path, query_of(path, ",".join(f"u{i}" for i in range(1001))))


def test_ids_of_another_form_work_up_to_64_characters(hems: Hems) -> None:
    for one in ("a" * 64, "Z", "home-1.of_us"):
        made = hems.http.put(
            f"{BASE}/households/{one}", json={}, headers={"Authorization": f"Bearer {hems.service.token()}"}
        )
        assert made.status_code in (200, 201), made.text
        own = hems.client(hems.token(sub=one))
        for path in OF_USERS:
            assert own.get(path, query_of(path, one))[0]["user_id"] == one


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OF_USERS)
def test_a_homes_token_asking_for_another_home_is_refused(hems: Hems, path: str) -> None:
    home, other = silent(hems), family(hems)
    for ids in (other.id, new_id(), *([f"{home.id},{other.id}"] if path != REAL else [])):
        assert home.app.refused(403, path, query_of(path, ids))
    assert home.app.get(path, query_of(path, home.id))[0]["user_id"] == home.id


@pytest.mark.parametrize("path", PRODUCERS)
def test_a_homes_token_may_not_produce_an_event_even_of_itself(hems: Hems, path: str) -> None:
    home = silent(hems)
    for user in (home.id, family(hems).id, new_id()):
        assert home.app.refused(403, path, query_of(path, user), "POST")


@pytest.mark.parametrize("path", OF_USERS)
def test_a_device_of_a_home_reads_what_the_home_reads(hems: Hems, path: str) -> None:
    home = family(hems)
    headers = {"Authorization": f"Bearer {hems.service.token()}"}
    made = hems.http.post(f"{BASE}/households/{home.id}/tokens", json={}, headers=headers)
    assert made.status_code == 201, made.text
    device = hems.client(made.json()["token"])
    assert device.get(path, query_of(path, home.id)) == home.app.get(path, query_of(path, home.id))
    assert device.refused(403, path, query_of(path, silent(hems).id))
    if path == BESIDE:
        assert device.get(path, PERIOD) == home.app.get(path, PERIOD), "its own household unless named"


def segment(told: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()


def bad_tokens(hems: Hems, user: str) -> dict[str, str | None]:
    """Tokens that nobody may get in with."""
    good, withdrawn = hems.token(sub=user), hems.token(sub=user, session="ended")
    hems.accounts.withdraw(withdrawn)
    head, body, signature = good.split(".")
    far = int(time.time()) + 10**6
    greedy = segment({"sub": user, "exp": far, "scope": "service"})
    return {
        "none": None,
        "empty": "",
        "a word": "letmein",
        "another key": hems.token(secrets.token_hex(64), sub=user),
        "another algorithm with the right key": hems.token(algorithm="HS256", sub=user),
        "another algorithm of the family": hems.token(algorithm="HS384", sub=user),
        "no algorithm": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment({'sub': user, 'exp': far})}.",
        "expired": hems.token(sub=user, exp=int(time.time()) - 3600),
        "without an expiry": jwt.encode({"sub": user}, hems.service.key, algorithm="HS512"),
        "not valid yet": hems.token(sub=user, nbf=far),
        "without a user": hems.token(),
        "of a user without a name": hems.token(sub=""),
        "of a user who is a number": hems.token(sub=17),
        "another body under the signature": f"{head}.{greedy}.{signature}",
        "a signature cut short": good[:-4],
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "on the blacklist": withdrawn,
    }


ALL = (*OF_USERS, CARBON, *PRODUCERS)


@pytest.mark.parametrize("path", ALL)
def test_a_bad_token_is_not_authenticated_whatever_is_bad_of_it(hems: Hems, path: str) -> None:
    user = family(hems).id
    for what, token in bad_tokens(hems, user).items():
        told = hems.client(token).refused(401, path, query_of(path, user), method_of(path))
        assert told, what


@pytest.mark.parametrize("path", ALL)
def test_a_token_of_another_scheme_is_not_authenticated(hems: Hems, path: str) -> None:
    home = family(hems)
    good = hems.token(sub=home.id)
    basic = base64.b64encode(f"{home.id}:secret".encode()).decode()
    for header in (good, f"Basic {basic}", f"Digest {good}", "Bearer", f"Bearer {good} {good}"):
        answer = hems.client(None).call(method_of(path), path, query_of(path, home.id), Authorization=header)
        assert answer.status_code == 401, header
        assert answer.json()["error"]


@pytest.mark.parametrize("path", ALL)
def test_a_stranger_is_not_told_what_is_wrong_with_the_question(hems: Hems, path: str) -> None:
    assert hems.client(None).refused(401, path, {"start_date": "x"}, method_of(path))


# --- correlation ids --------------------------------------------------------------------------------------------------


def test_the_correlation_id_comes_back_with_every_answer(hems: Hems) -> None:
    home = family(hems)
    asked = [
        (200, home.app, "voltage-last", query_of("voltage-last", home.id)),
        (400, home.app, "voltage", {"user_ids": home.id}),
        (401, hems.client(None), "voltage-last", {}),
        (403, home.app, "voltage-last", {"user_ids": new_id()}),
        (404, hems.manager, "voltage-last", {"user_ids": new_id()}),
        (404, hems.manager, "nothing-of-the-kind", {}),
    ]
    for status, client, path, query in asked:
        answer = client.call("GET", path, query)  # which compares the header
        assert answer.status_code == status
        if status != 200:
            assert answer.json()["correlation_id"] == client.sent_correlation_id


def test_a_missing_correlation_id_is_made(hems: Hems) -> None:
    made = [hems.http.get(f"{BASE}/health").headers["x-correlation-id"] for _ in range(2)]
    assert [str(uuid.UUID(one)) for one in made] == made
    assert made[0] != made[1]


@pytest.mark.parametrize("wrong", ["17", "not-a-uuid", "x" * 36, "", "{00000000-0000-0000-0000-000000000000}"])
@pytest.mark.parametrize("path", ["voltage-last", "health", "mock-consumption-curve-producer"])
def test_a_correlation_id_that_is_no_uuid_is_refused(hems: Hems, path: str, wrong: str) -> None:
    headers = {"X-Correlation-ID": wrong, "Authorization": f"Bearer {hems.service.token()}"}
    query = query_of(path, family(hems).id)
    answer = hems.http.request(method_of(path), f"{BASE}/{path}", params=query, headers=headers)
    assert answer.status_code == 400
    assert "X-Correlation-ID" in answer.json()["error"]
    assert str(uuid.UUID(answer.headers["x-correlation-id"])) != wrong


def test_an_error_has_the_member_that_clients_read(hems: Hems) -> None:
    home: Household = family(hems)
    answer = home.app.call("GET", "voltage", {"user_ids": home.id, "start_date": "x", "group_by": "y"})
    told = answer.json()
    assert set(told) == {"error", "code", "details", "correlation_id"}
    assert isinstance(told["error"], str)
    assert [set(one) for one in told["details"]] == [{"where", "why"}] * 2
