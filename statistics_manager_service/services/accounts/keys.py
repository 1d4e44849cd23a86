"""Public keys of tokens, from a JWKS."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import structlog

from statistics_manager_service.core.units import S_PER_HOUR
from statistics_manager_service.errors import StatisticsError, Unavailable

_LOG = structlog.get_logger()
_TIMEOUT_S: Final = 3
_FRESH_S: Final = 300
#: While the issuer is ill, the keys that it last told count so long; then nobody is let in.
_LONGEST_S: Final = S_PER_HOUR
#: A token of an unknown key is no reason to ask more often: anyone can make one.
PAUSE_S: Final = 5
_ILL: Final = (jwt.PyJWTError, http.client.HTTPException, OSError, ValueError, TypeError, AttributeError, KeyError)


class PublicKeys:
    """The keys of a JWKS at a URL or in a file; it is read again for an unknown key, and every five minutes.

    clock_s tells a time that never goes back. Raises StatisticsError where a file has no keys.
    """

    def __init__(self, source: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock_s = source, clock_s
        self._keys: dict[str | None, Any] = {}
        self._told_s = self._asked_s = float("-inf")
        self._asking = threading.Lock()
        if not self._is_remote:  # a file that can't be read is better told at the start
            try:
                self._ask()
            except _ILL as error:
                raise StatisticsError(f"JWT_JWKS: no keys can be read from {source}: {error}") from error

    @property
    def _is_remote(self) -> bool:
        return self._source.startswith(("https://", "http://"))

    def key_of(self, token: str) -> Any:
        """The key that a token names. Raises jwt.PyJWTError where there is none, Unavailable where it can't be had.

        Callers at the same time wait for one answer of the issuer.
        """
        key_id = jwt.get_unverified_header(token).get("kid")
        with self._asking:
            return self._key_of(key_id, self._clock_s())

    def _key_of(self, key_id: Any, now_s: float) -> Any:
        known = self._named(key_id)
        if (known is None or now_s - self._told_s > _FRESH_S) and now_s - self._asked_s >= PAUSE_S:
            try:
                self._ask()
            except _ILL as error:
                _LOG.warning("keys_of_tokens_not_read", source=self._source, reason=str(error))
            known = self._named(key_id)
        if known is not None and now_s - self._told_s <= _LONGEST_S:
            return known
        if self._told_s < self._asked_s:
            raise Unavailable("the keys of tokens can't be fetched at the moment", PAUSE_S)
        raise jwt.InvalidTokenError("no such key")

    def _named(self, key_id: Any) -> Any:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _ask(self) -> None:
        """Read the keys. Raises one of _ILL."""
        self._asked_s = self._clock_s()
        if self._is_remote:
            told = jwt.PyJWKClient(self._source, cache_jwk_set=False, timeout=_TIMEOUT_S).fetch_data()
        else:
            told = json.loads(Path(self._source).read_text())
        self._keys = {one.key_id: one.key for one in jwt.PyJWKSet.from_dict(told).keys}
        self._told_s = self._asked_s
