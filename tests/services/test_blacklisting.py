"""Withdrawn tokens: how long an answer counts, what becomes of tokens while there is none, and other spellings."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from statistics_manager_service.errors import NotAuthenticated, Unavailable
from statistics_manager_service.services.accounts.blacklisting import RESET_S, Blacklist, is_canonical, spellings

CLAIMS = {"sub": "home1", "exp": 4_000_000_000}
KEY = "k" * 64


class Table:
    """A list in memory that can be unreachable."""

    def __init__(self, *listed: str) -> None:
        self.listed, self.is_up, self.asked = set(listed), True, 0
        self.gate: threading.Event | None = None

    def has(self, tokens: Sequence[str]) -> bool:
        self.asked += 1
        if self.gate is not None:
            assert self.gate.wait(20)
        if not self.is_up:
            raise Unavailable("the list is gone")
        return bool(self.listed & set(tokens))


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def blacklist_of(table: Table, clock: Clock | None = None, *, accept: bool = False, cache_s: float = 30) -> Blacklist:
    return Blacklist(table, cache_s, accept_unreachable=accept, clock_s=clock or Clock())


def is_listed(blacklist: Blacklist, token: str) -> bool:
    try:
        blacklist.check(token, "HS512")
    except NotAuthenticated as error:
        assert error.sentence == "the token has been withdrawn"
        return True
    return False


def test_what_is_not_listed_counts_so_long() -> None:
    assert blacklist_of(Table("a")).check("b", "HS512") == 30


def test_what_is_listed_is_remembered_and_what_is_not_is_looked_up_each_time() -> None:
    table, clock = Table("a"), Clock()
    blacklist = blacklist_of(table, clock)
    assert [is_listed(blacklist, "a") for _ in range(50)] == [True] * 50
    assert table.asked == 1
    assert not is_listed(blacklist, "b")
    table.listed.add("b")
    assert is_listed(blacklist, "b")
    table.listed.clear()
    clock.now_s += 31
    assert not is_listed(blacklist, "a")


def test_those_who_bring_the_same_token_at_once_look_it_up_once() -> None:
    table = Table()
    blacklist = blacklist_of(table)
    table.gate = threading.Event()
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(is_listed, blacklist, "a") for _ in range(16)]
        time.sleep(0.3)
        table.gate.set()
        assert [one.result() for one in waiting] == [False] * 16
    assert table.asked <= 2


def test_while_the_list_is_unreachable_tokens_are_refused_and_it_is_left_alone() -> None:
    table, clock = Table(), Clock()
    blacklist = blacklist_of(table, clock)
    table.is_up = False
    for _ in range(20):
        with pytest.raises(Unavailable):
            blacklist.check("a", "HS512")
    assert table.asked == 3
    assert blacklist.state == "down"
    table.is_up = True
    clock.now_s += RESET_S
    assert not is_listed(blacklist, "a")
    assert blacklist.state == "ok"


def test_or_they_are_accepted_for_a_short_time_which_is_logged_once_a_minute() -> None:
    table, clock = Table("a"), Clock()
    blacklist = blacklist_of(table, clock, accept=True)
    table.is_up = False
    with capture_logs() as logged:
        for _ in range(20):
            assert blacklist.check("a", "HS512") == RESET_S
        assert len(logged) == 1
        clock.now_s += 61
        assert blacklist.check("a", "HS512") == RESET_S
    assert [one["event"] for one in logged] == ["tokens_accepted_unchecked"] * 2
    table.is_up = True
    clock.now_s += RESET_S
    assert is_listed(blacklist, "a")


def test_an_accepted_token_counts_no_longer_than_an_answer_would() -> None:
    table = Table()
    table.is_up = False
    assert blacklist_of(table, accept=True, cache_s=2).check("a", "HS512") == 2
    assert blacklist_of(table, accept=True, cache_s=0).check("a", "HS512") == 0


# --- other spellings of the same token --------------------------------------------------------------------------------


def respelt(token: str) -> list[str]:
    """Texts other than a token whose signature readers of base64url may take for the same."""
    signed, _, signature = token.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [signature[:-1] + letter for letter in alphabet if letter != signature[-1]]
    same = [one for one in others if _decoded(one) == _decoded(signature)]  # its last bits count for nothing
    odd = [signature + "=", signature + "==", signature + "!", f"{signature[:5]}\n{signature[5:]}"]
    return [f"{signed}.{one}" for one in same + odd]


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_there_are_other_spellings_and_none_of_them_is_canonical() -> None:
    token = jwt.encode(CLAIMS, KEY, algorithm="HS512")
    found = respelt(token)
    assert len(found) == 15 + 4
    assert any(_is_taken(one, KEY, "HS512") for one in found)  # so the library does not refuse them all itself
    assert is_canonical(token)
    assert not any(map(is_canonical, found))


def _is_taken(token: str, key: object, algorithm: str) -> bool:
    try:
        return bool(jwt.decode(token, key, algorithms=[algorithm]))  # type: ignore[arg-type]
    except jwt.PyJWTError:
        return False


def test_the_twin_of_a_signature_of_an_elliptic_curve_is_looked_up_too() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode(CLAIMS, private, algorithm="ES256")
    same, twin = spellings(token, "ES256")
    assert (same, twin != token) == (token, True)
    assert _is_taken(twin, private.public_key(), "ES256")
    assert set(spellings(twin, "ES256")) == {token, twin}
    with pytest.raises(NotAuthenticated):
        blacklist_of(Table(token)).check(twin, "ES256")


def test_other_algorithms_have_one_signature_alone() -> None:
    token = jwt.encode(CLAIMS, KEY, algorithm="HS512")
    assert spellings(token, "HS512") == [token]
