"""JWTs by public keys: the algorithm is pinned, keys come from a file or an issuer, and may be changed there."""

from __future__ import annotations

import base64
import hmac
import http.server
import json
import pathlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from homes import Api, Home, expect_error
from servers import RunningService

from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.services.accounts.keys import PAUSE_S, PublicKeys

MAKERS = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
}


@dataclass
class Key:
    """A private key, and how it is published."""

    algorithm: str
    name: str
    private: Any = field(init=False)

    def __post_init__(self) -> None:
        self.private = MAKERS[self.algorithm]()

    @property
    def published(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        told = json.loads(algorithm.to_jwk(self.private.public_key()))
        return {**told, "kid": self.name, "alg": self.algorithm, "use": "sig"}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, headers: dict[str, Any] | None = None, algorithm: str | None = None, **claims: Any) -> str:
        told = {"sub": "tests", "scope": "service", "exp": int(time.time()) + 3600, **claims}
        told = {name: value for name, value in told.items() if value is not None}
        headers = {"kid": self.name} if headers is None else headers
        return jwt.encode(told, self.private, algorithm=algorithm or self.algorithm, headers=headers)


def jwks(*keys: Key) -> str:
    return json.dumps({"keys": [one.published for one in keys]})


class Issuer:
    """An issuer of tokens that publishes its keys, or is ill in one way or another."""

    def __init__(self) -> None:
        self.body, self.status, self.asked, self.hangs_up = b"", 200, 0, False
        self.delay_s = 0.0
        issuer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                time.sleep(issuer.delay_s)
                if issuer.hangs_up:
                    self.close_connection = True
                    return
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def publish(self, *keys: Key) -> None:
        self.body, self.status, self.hangs_up = (
            json.dumps({"keys": [one.published for one in keys]}).encode(),
            200,
            False,
        )

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def running(folder: pathlib.Path, algorithm: str, source: str) -> RunningService:
    return RunningService(
        {
            "DATABASE_URL": f"sqlite:///{folder / 'statistics.sqlite3'}",
            "JWT_ALGORITHM": algorithm,
            "JWT_JWKS": source,
        }
    )


@dataclass
class Guarded:
    """A service that trusts the keys of a file: one, or two."""

    api: Api
    key: Key
    second: Key | None


@pytest.fixture(scope="module", params=["RS256", "ES256", "RS256 of two"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    algorithm, *two = request.param.split(" of ")
    key, second = Key(algorithm, "one"), Key(algorithm, "two") if two else None
    folder = tmp_path_factory.mktemp("jwks")
    path = folder / "jwks.json"
    path.write_text(jwks(*[one for one in (key, second) if one]))
    with running(folder, algorithm, str(path)) as service:
        yield Guarded(Api(service), key, second)


def status(api: Api, token: str | None) -> int:
    return api.get("/households", token=token).status_code


def test_a_token_of_a_published_key_is_trusted(guarded: Guarded) -> None:
    assert status(guarded.api, guarded.key.sign()) == 200
    if guarded.second is not None:
        assert status(guarded.api, guarded.second.sign()) == 200


def test_a_home_is_told_from_the_service_by_its_claims(guarded: Guarded) -> None:
    guarded.api.service_token = guarded.key.sign()
    home, other = Home(guarded.api), Home(guarded.api)
    token = guarded.key.sign(sub=home.id, scope=None)
    assert guarded.api.get(home.path, token=token).status_code == 200
    expect_error(guarded.api.get(other.path, token=token), 403)
    assert status(guarded.api, token) == 403


def test_a_device_token_is_trusted_beside_jwts(guarded: Guarded) -> None:
    guarded.api.service_token = guarded.key.sign()
    home = Home(guarded.api)
    assert guarded.api.get(home.path, token=home.device()["token"]).status_code == 200


def forgeries(guarded: Guarded) -> dict[str, str]:
    key, now = guarded.key, int(time.time())
    claims = {"sub": "tests", "scope": "service", "exp": now + 3600}
    stranger = Key(key.algorithm, "one")
    other_kind = Key("ES256" if key.algorithm == "RS256" else "RS256", "one")
    return {
        "another key of the same name": stranger.sign(),
        "another kind of key": other_kind.sign(),
        "the public key as a shared secret": signed_by_hand({"kid": "one", "alg": "HS256"}, claims, key.public_pem),
        "a shared secret": jwt.encode(
            {"sub": "a", "exp": now + 99}, "k" * 64, algorithm="HS512", headers={"kid": "one"}
        ),
        "the service's own shared key": guarded.api.service.token(),
        "no algorithm": jwt.encode({"sub": "a", "exp": now + 99}, None, algorithm="none", headers={"kid": "one"}),
        "an unknown key": key.sign({"kid": "nine"}),
        "a path as the key": key.sign({"kid": "../../../../dev/null"}),
        "a number as the key": _with_header(key.sign(), kid=1),
        "a list as the key": _with_header(key.sign(), kid=["one"]),
        "its own key in the header": stranger.sign({"kid": "one", "jwk": stranger.published}),
        "its own address in the header": stranger.sign({"kid": "one", "jku": "http://127.0.0.1:1/jwks.json"}),
        "no exp": key.sign(exp=None),
        "an exp of long ago": key.sign(exp=now - 61 - 5),
        "an nbf far ahead": key.sign(nbf=now + 61 + 60),
        "no sub": key.sign(sub=None),
    }


def signed_by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """HS256 with any secret: PyJWT would not sign with a public key."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(secret, b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def _with_header(token: str, **more: Any) -> str:
    _, claims, signature = token.split(".")
    head = {**jwt.get_unverified_header(token), **more}
    return ".".join([jwt.utils.base64url_encode(json.dumps(head).encode()).decode(), claims, signature])


def test_a_forged_token_opens_nothing(guarded: Guarded) -> None:
    forged = forgeries(guarded)
    assert {what: status(guarded.api, token) for what, token in forged.items()} == dict.fromkeys(forged, 401)


@pytest.mark.parametrize("claims", [{"exp": -30}, {"nbf": 30}, {"iat": 30}, {"iat": 3000}])
def test_a_clock_may_be_a_minute_off(guarded: Guarded, claims: dict[str, int]) -> None:
    now = int(time.time())
    assert status(guarded.api, guarded.key.sign(**{name: now + s for name, s in claims.items()})) == 200


def test_a_token_that_names_no_key_is_trusted_where_there_is_only_one(guarded: Guarded) -> None:
    assert status(guarded.api, guarded.key.sign({})) == (200 if guarded.second is None else 401)


# --- an issuer --------------------------------------------------------------------------------------------------------


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    one = Issuer()
    yield one
    one.stop()


@pytest.fixture
def follower(issuer: Issuer, tmp_path: pathlib.Path) -> Iterator[Api]:
    """A service that asks the issuer for its keys."""
    with running(tmp_path, "ES256", issuer.url) as service:
        yield Api(service)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def is_trusted(keys: PublicKeys, key: Key) -> bool:
    try:
        jwt.decode(key.sign(), keys.key_of(key.sign()), algorithms=[key.algorithm])
    except jwt.PyJWTError:
        return False
    return True


@pytest.mark.parametrize("source", ["issuer", "file"])
def test_keys_may_be_changed_without_a_restart(issuer: Issuer, tmp_path: pathlib.Path, source: str) -> None:
    old, new, clock, path = Key("ES256", "old"), Key("ES256", "new"), Clock(), tmp_path / "jwks.json"

    def publish(*keys: Key) -> None:
        issuer.publish(*keys)
        path.write_text(jwks(*keys))

    publish(old)
    keys = PublicKeys(issuer.url if source == "issuer" else str(path), clock)
    assert is_trusted(keys, old)
    publish(old, new)
    assert not is_trusted(keys, new), "an unknown key is looked for only every few seconds"
    clock.now_s += 10
    assert [is_trusted(keys, one) for one in (new, old)] == [True, True]
    publish(new)
    clock.now_s += 301
    assert [is_trusted(keys, one) for one in (new, old)] == [True, False], "a key that was withdrawn"


def test_the_last_keys_count_for_an_hour_while_the_issuer_is_ill(issuer: Issuer) -> None:
    key, clock = Key("ES256", "one"), Clock()
    issuer.publish(key)
    keys = PublicKeys(issuer.url, clock)
    assert is_trusted(keys, key)
    issuer.status = 500
    clock.now_s += 3599
    assert is_trusted(keys, key)
    clock.now_s += 10
    with pytest.raises(Unavailable):
        keys.key_of(key.sign())
    issuer.publish(key)
    clock.now_s += 10
    assert is_trusted(keys, key)


def test_an_ill_issuer_is_not_asked_by_every_request(issuer: Issuer) -> None:
    key, clock = Key("ES256", "one"), Clock()
    issuer.status = 500
    keys = PublicKeys(issuer.url, clock)
    for _ in range(20):
        with pytest.raises(Unavailable):
            keys.key_of(key.sign())
    assert issuer.asked == 1


def test_unknown_keys_do_not_make_the_service_ask_the_issuer_each_time(issuer: Issuer, follower: Api) -> None:
    key = Key("ES256", "one")
    issuer.publish(key)
    assert status(follower, key.sign()) == 200
    strangers = [Key("ES256", f"stranger-{i}") for i in range(20)]
    assert {status(follower, one.sign()) for one in strangers} == {401}
    assert issuer.asked <= 2


def test_a_slow_issuer_does_not_make_others_wait(issuer: Issuer, follower: Api) -> None:
    key, stranger = Key("ES256", "one"), Key("ES256", "two")
    issuer.publish(key)
    known = key.sign()
    assert status(follower, known) == 200
    time.sleep(PAUSE_S + 0.1)  # an unknown key is looked for again by then
    issuer.delay_s = 2.5
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(status, Api(follower.service), stranger.sign())
        while issuer.asked < 2:
            time.sleep(0.01)
        began = time.monotonic()
        assert [status(follower, known) for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 1.5
        assert slow.result() == 401


@pytest.mark.parametrize("illness", ["hangs up", "error", "no JSON", "no keys", "a list", "gone"])
def test_an_issuer_that_is_ill_is_a_dependency_that_is_down(issuer: Issuer, illness: str) -> None:
    key = Key("ES256", "one")
    issuer.publish(key)
    bodies = {"no JSON": b"<html>", "no keys": b'{"keys": []}', "a list": b"[]"}
    issuer.body = bodies.get(illness, issuer.body)
    issuer.status, issuer.hangs_up = 500 if illness == "error" else 200, illness == "hangs up"
    if illness == "gone":
        issuer.stop()
    with pytest.raises(Unavailable):
        PublicKeys(issuer.url).key_of(key.sign())


def test_while_the_issuer_is_ill_the_service_says_so_and_when_to_come_back(issuer: Issuer, follower: Api) -> None:
    key = Key("ES256", "one")
    issuer.hangs_up = True
    answer = follower.get("/households", token=key.sign())
    expect_error(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert follower.get("/health", token=None).status_code == 200


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"keys": []}', '{"keys": [{"kty": "odd"}]}', None])
def test_a_file_without_keys_is_named_at_start(tmp_path: pathlib.Path, text: str | None) -> None:
    path = tmp_path / "keys.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StatisticsError, match=r"JWT_JWKS: no keys can be read from .*keys\.json"):
        PublicKeys(str(path))


@pytest.mark.parametrize("exp", [10**400, 10**19, "soon", True, None, [1]])
def test_an_end_that_is_no_moment_is_not_trusted(api: Api, exp: Any) -> None:
    claims = json.dumps({"sub": "service", "scope": "service", "exp": exp}).encode()
    head, body = (base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"HS512","typ":"JWT"}', claims))
    signed = hmac.digest(api.service.key.encode(), head + b"." + body, "sha512")
    token = b".".join((head, body, base64.urlsafe_b64encode(signed).rstrip(b"="))).decode()
    expect_error(api.get("/households", token=token), 401)
