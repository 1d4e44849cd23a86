"""JWTs that were given back before their time, as at a logout: FlexiHome lists them in a table."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from statistics_manager_service.errors import NotAuthenticated, Unavailable
from statistics_manager_service.services.accounts.breaking import Breaker
from statistics_manager_service.services.accounts.once import AskedOnce

_LOG = structlog.get_logger()
_MOST_LISTED: Final = 4096
#: While the list does not answer it is looked for again after so many failures and seconds.
_FAILURES: Final = 3
RESET_S: Final = 5.0
_LOGGED_EVERY_S: Final = 60.0
#: The order of the curve P-256: with (r, s) of a signature (r, order - s) is one, too.
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HALF: Final = 32


class BlacklistSource(Protocol):
    """Where tokens are listed."""

    def has(self, tokens: Sequence[str]) -> bool:
        """Whether any of some tokens is listed. Raises Unavailable, within seconds."""
        ...


class Blacklist:
    """Tells whether a token is listed. Threads may share it.

    cache_s: how long an answer counts. accept_unreachable: whether tokens count as not listed while the list does not
    answer. clock_s tells a time that never goes back.
    """

    def __init__(
        self,
        source: BlacklistSource,
        cache_s: float,
        *,
        accept_unreachable: bool,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._cache_s, self._accept_unreachable = source, cache_s, accept_unreachable
        self._clock_s = clock_s
        self._breaker = Breaker("the list of withdrawn tokens", _FAILURES, RESET_S, clock_s)
        self._listed: AskedOnce[str, bool] = AskedOnce(cache_s, _MOST_LISTED, clock_s)
        self._logged_s = float("-inf")

    @property
    def state(self) -> str:
        """`ok`, `failing` or `down`."""
        return self._breaker.state

    def check(self, token: str, algorithm: str) -> float:
        """Seconds from now that a token counts as not listed. Raises NotAuthenticated where it is listed, Unavailable.

        What is listed is remembered here, what is not is for whoever asks to remember.
        """
        wanted = spellings(token, algorithm)
        try:
            found = self._listed.ask([token], lambda some: dict.fromkeys(some, self._look_up(wanted)), is_kept=bool)
        except Unavailable as error:
            if not self._accept_unreachable:
                raise
            self._log(error)
            return min(self._cache_s, RESET_S)
        if found[token]:
            raise NotAuthenticated("the token has been withdrawn")
        return self._cache_s

    def _look_up(self, tokens: Sequence[str]) -> bool:
        return self._breaker.call(lambda: self._source.has(tokens))

    def _log(self, error: Unavailable) -> None:
        now_s = self._clock_s()
        if now_s - self._logged_s >= _LOGGED_EVERY_S:
            self._logged_s = now_s
            _LOG.warning("tokens_accepted_unchecked", reason=error.sentence)


def is_canonical(token: str) -> bool:
    """Whether a token's signature is spelt in the one way of base64url: readers pass over other spellings of the same
    signature, and by one of those a listed token would be another text."""
    text = token.rpartition(".")[2]
    try:
        signature = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return _base64url(signature) == text


def spellings(token: str, algorithm: str) -> list[str]:
    """A canonical token, and what else its holder could make of it that is as good: by its elliptic curve, each
    signature has a twin."""
    signed, _, text = token.rpartition(".")
    if not algorithm.startswith("ES"):
        return [token]
    signature = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    twin = _P256_ORDER - int.from_bytes(signature[_HALF:], "big")
    return [token, f"{signed}.{_base64url(signature[:_HALF] + twin.to_bytes(_HALF, 'big'))}"]


def _base64url(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")
