"""Public keys of tokens, from a JWKS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt

from statistics_manager_service.errors import Unavailable

_TIMEOUT_S = 5


class PublicKeys:
    """The keys of a JWKS at a URL (kept, and asked again for an unknown key id) or in a file."""

    def __init__(self, source: str) -> None:
        self._client: jwt.PyJWKClient | None = None
        self._keys: dict[str | None, Any] = {}
        if source.startswith(("https://", "http://")):
            self._client = jwt.PyJWKClient(source, timeout=_TIMEOUT_S)
        else:
            found = jwt.PyJWKSet.from_dict(json.loads(Path(source).read_text()))
            self._keys = {one.key_id: one.key for one in found.keys}

    def key_of(self, token: str) -> Any:
        """The key that a token names. Raises jwt.PyJWTError where there is none, Unavailable where it can't be had."""
        if self._client is not None:
            try:
                return self._client.get_signing_key_from_jwt(token).key
            except jwt.PyJWKClientConnectionError as error:
                raise Unavailable("the keys of tokens can't be fetched at the moment") from error
        key_id = jwt.get_unverified_header(token).get("kid")
        if key_id not in self._keys and len(self._keys) == 1 and key_id is None:
            return next(iter(self._keys.values()))
        if key_id not in self._keys:
            raise jwt.InvalidTokenError("no such key")
        return self._keys[key_id]
