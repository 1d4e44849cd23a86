"""Tokens: JWTs of the service and of households, and device tokens, of which only a hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from statistics_manager_service.core.names import check_name
from statistics_manager_service.core.units import S_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, NotAuthenticated, NotFound, UnknownHousehold
from statistics_manager_service.services.accounts.access import SERVICE, Caller, Role
from statistics_manager_service.services.accounts.blacklisting import Blacklist, is_canonical
from statistics_manager_service.services.ports import DeviceToken, Household, Store, WriteView

DEVICE_PREFIX = "smd_"
LONGEST_TOKEN = 8192
_CACHED = 4096
#: A token is verified again after so long, so that those of a key that was withdrawn end.
_CACHED_S = 300
_UNTRUSTED = "the token is not one that this service trusts"
#: Of seconds since 1970: some thirty million years.
_LATEST_S = 10**15


class Keys(Protocol):
    """Where the key of a JWT is found."""

    def key_of(self, token: str) -> Any:
        """The key for a token. Raises jwt.PyJWTError where there is none."""
        ...


class SharedKey:
    """One key for all tokens."""

    def __init__(self, key: str) -> None:
        self._key = key

    def key_of(self, token: str) -> str:  # noqa: ARG002 - whatever the token says, there is one key
        """The key, whatever the token says of itself."""
        return self._key


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    expires_s: float


class Tokens:
    """Verifies tokens, and makes and revokes those of devices.

    keys: None where no JWT is accepted. trust_unauthenticated: whether no token means the service itself. blacklist:
    JWTs in it are refused.
    """

    def __init__(
        self,
        store: Store,
        now_us: Callable[[], int],
        keys: Keys | None,
        algorithm: str,
        leeway_s: int,
        trust_unauthenticated: bool = False,
        blacklist: Blacklist | None = None,
    ) -> None:
        self._store, self._now_us, self._keys = store, now_us, keys
        self._algorithm, self._leeway_s = algorithm, leeway_s
        self._trust_unauthenticated, self.blacklist = trust_unauthenticated, blacklist
        self._verified: OrderedDict[str, _Verified] = OrderedDict()

    def known(self, authorization: str | None) -> Caller | None:
        """Who an Authorization header speaks for, where that needs no key and no store; else None."""
        if authorization is None:
            return SERVICE if self._trust_unauthenticated else None
        verified = self._verified.get(authorization)
        return verified.caller if verified is not None and self._now_us() / US_PER_S < verified.expires_s else None

    def caller(self, authorization: str | None) -> Caller:
        """Who an Authorization header speaks for. It may have to ask for that.

        Raises NotAuthenticated, and Unavailable where it can't be found out.
        """
        known = self.known(authorization)
        if known is not None:
            return known
        if authorization is None:
            raise NotAuthenticated("a token is needed: Authorization: Bearer …")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in ("bearer", "token") or not token or len(token) > LONGEST_TOKEN or not token.isascii():
            raise NotAuthenticated("the Authorization header is not of the form: Bearer …")
        if token.startswith(DEVICE_PREFIX):
            return self._device(token)
        verified = self._jwt(token)
        self._verified[authorization] = verified
        while len(self._verified) > _CACHED:
            self._verified.popitem(last=False)
        return verified.caller

    def _jwt(self, token: str) -> _Verified:
        if self._keys is None:
            raise NotAuthenticated("this service accepts device tokens alone: it has no key for JWTs")
        if not is_canonical(token):
            raise NotAuthenticated(_UNTRUSTED)
        try:
            claims = jwt.decode(
                token,
                self._keys.key_of(token),
                algorithms=[self._algorithm],
                leeway=self._leeway_s,
                options={"require": ["exp", "sub"], "verify_aud": False, "verify_iat": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotAuthenticated("the token has expired") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            raise NotAuthenticated(_UNTRUSTED) from error
        subject, expires = claims["sub"], claims["exp"]
        if isinstance(expires, bool) or not isinstance(expires, int | float) or not abs(expires) < _LATEST_S:
            raise NotAuthenticated("the token's exp is no moment in seconds since 1970")
        if not isinstance(subject, str) or not subject:
            raise NotAuthenticated("the token's sub is not a name")
        caller = SERVICE if _is_service(claims.get("scope")) else Caller(Role.HOUSEHOLD, subject)
        now_s = self._now_us() / US_PER_S
        until_s = min(float(expires) + self._leeway_s, now_s + _CACHED_S)
        if self.blacklist is not None:
            until_s = min(until_s, now_s + self.blacklist.check(token, self._algorithm))
        return _Verified(caller, until_s)

    def _device(self, text: str) -> Caller:
        token_id, _, secret = text.removeprefix(DEVICE_PREFIX).partition("_")
        with self._store.reading() as view:
            token = view.device_token(token_id)
        stored = token.secret_hash if token is not None else hash_of("")
        if not hmac.compare_digest(stored, hash_of(secret)) or token is None:
            raise NotAuthenticated("the device token is not known")
        if token.revoked_us is not None:
            raise NotAuthenticated("the device token has been revoked")
        if token.expires_us is not None and token.expires_us <= self._now_us():
            raise NotAuthenticated("the device token has expired")
        return Caller(Role.DEVICE, token.household, token.may_write)

    def create(
        self, household: str, *, may_write: bool, label: str, lifetime_days: int | None
    ) -> tuple[str, DeviceToken]:
        """Make a device token: its text, which is told this once, and what is stored. Raises NotFound."""
        faults = check_name(household, "household")
        if faults:
            raise BadInput.of(faults)
        token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now_us = self._now_us()
        expires_us = None if lifetime_days is None else now_us + lifetime_days * S_PER_DAY * US_PER_S
        with self._store.writing() as view:
            found = _found(view, household)
            token = DeviceToken(
                token_id, found.household_no, household, hash_of(secret), may_write, label, now_us, expires_us
            )
            view.add_device_token(token)
        return f"{DEVICE_PREFIX}{token_id}_{secret}", token

    def list(self, household: str) -> list[DeviceToken]:
        """The device tokens of a household. Raises NotFound."""
        with self._store.reading() as view:
            found = view.household(household)
            if found is None:
                raise UnknownHousehold([household])
            return view.device_tokens(found.household_no)

    def revoke(self, household: str, token_id: str) -> None:
        """Revoke a device token, from now on. Raises NotFound."""
        with self._store.writing() as view:
            found = _found(view, household)
            if token_id not in [token.token_id for token in view.device_tokens(found.household_no)]:
                raise NotFound(f"household {household} has no device token {token_id[:40]!r}")
            view.revoke_device_token(token_id, self._now_us())


def _found(view: WriteView, household: str) -> Household:
    found = view.household(household)
    if found is None:
        raise UnknownHousehold([household])
    return found


def hash_of(secret: str) -> str:
    """What is stored of a secret. It is long and random, so a plain hash can't be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_service(scope: Any) -> bool:
    """Only the word `service`, alone in a text of words or a list of texts."""
    if isinstance(scope, str):
        return "service" in scope.split()
    return isinstance(scope, list) and "service" in [word for word in scope if isinstance(word, str)]
