"""FlexiHome's account manager: who its users are, and whose the dongles and meters are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.feeds.deadline import until
from statistics_manager_service.feeds.upstream import Upstream, nonsense
from statistics_manager_service.services.accounts.account_settings import Account, read_account

_LOG = structlog.get_logger()
#: Users that are asked for at once: their ids have to fit into a URL.
USERS_AT_ONCE: Final = 50
#: The statuses by which it may say that a user is none of its own.
_NONE_OF_OURS: Final = (400, 404, 422)


class AccountManager:
    """Asks the account manager. Threads may share it. longest_s: for all questions that an answer takes."""

    def __init__(self, upstream: Upstream, longest_s: float = 10) -> None:
        self._upstream, self._longest_s = upstream, longest_s

    @property
    def state(self) -> str:
        """`ok`, `failing` or `down`."""
        return self._upstream.state

    def users(self, households: Sequence[str]) -> dict[str, Account]:
        """The accounts of those of some ids that are users, by id. Raises Unavailable, also where it talks nonsense."""
        found: dict[str, Account] = {}
        with until(time.monotonic() + self._longest_s):
            for first in range(0, len(households), USERS_AT_ONCE):
                found |= self._some(households[first : first + USERS_AT_ONCE])
        return found

    def dongles(self) -> dict[str, str]:
        """The users of all dongles, by api_key. Raises Unavailable."""
        return self._owners("/list-dongles", "api_key")

    def meters(self) -> dict[str, str]:
        """The users of all smart meters, by meter_id. Raises Unavailable."""
        return self._owners("/list-meter-ids", "meter_id")

    def _some(self, households: Sequence[str]) -> dict[str, Account]:
        try:
            answer = self._upstream.get_json("/user", {"user-ids": ",".join(households)})
        except Declined as error:
            self._check_meaning(error)
            if len(households) == 1:
                return {}
            half = len(households) // 2  # one that is unknown may have it decline all of them
            return self._some(households[:half]) | self._some(households[half:])
        accounts = (self._read(one) for one in self._list("/user", answer))
        wanted = set(households)
        return {one.household: one for one in accounts if one is not None and one.household in wanted}

    def _check_meaning(self, error: Declined) -> None:
        """Raises Unavailable unless this says that there is no such user: another host at the URL, or another path,
        answers 404, too."""
        if error.answered not in _NONE_OF_OURS or not isinstance(error.told, Mapping) or "error" not in error.told:
            hint = "is ACCOUNT_MANAGER_ENDPOINT right?"
            raise Unavailable(f"{self._upstream.name} answered with status {error.answered}; {hint}", 60) from error

    def _owners(self, path: str, name: str) -> dict[str, str]:
        try:
            answer = self._upstream.get_json(path)
        except Declined as error:
            self._check_meaning(error)
            return {}  # it has none yet
        accounts = (self._read(one) for one in self._list(path, answer))
        return {one.told[name]: one.household for one in accounts if one is not None and one.told.get(name)}

    def _list(self, path: str, answer: Any) -> list[Any]:
        if not isinstance(answer, list):
            raise nonsense(self._upstream.name, f"{path} is no list of users")
        return answer

    def _read(self, told: Any) -> Account | None:
        """The account, without what is wrong with it: one bad user must not spoil the others."""
        account, faults = read_account(told)
        if faults:
            household = None if account is None else account.household
            where = [fault.where for fault in faults]
            _LOG.warning("account_not_understood", household=household, where=where)
        return account
