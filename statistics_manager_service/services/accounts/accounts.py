"""Households that are known through FlexiHome's account manager.

A household that the store does not have is asked for there, and registered; then the question goes on. One that the
store has is answered from it, whatever the account manager does; what it has changed meanwhile is fetched beside the
requests, for the households that are asked about, once their account is older than a setting says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import structlog

from statistics_manager_service.core.names import check_name
from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.services.accounts.account_settings import Account, with_account, write_account
from statistics_manager_service.services.accounts.once import AskedOnce
from statistics_manager_service.services.ports import Household, Store

_LOG = structlog.get_logger()
#: A household that is unknown, and the list of all dongles, are asked for again after so long at the earliest.
UNKNOWN_S: Final = 30.0
_MOST_UNKNOWN: Final = 100_000
#: Households that are noted as asked about between two refreshings.
_MOST_SEEN: Final = 10_000
_AT_ONCE: Final = 50
#: For learning all that one request asks about.
_LONGEST_S: Final = 15.0


class AccountSource(Protocol):
    """Who knows accounts."""

    @property
    def state(self) -> str:
        """`ok`, `failing` or `down`."""
        ...

    def users(self, households: Sequence[str]) -> dict[str, Account]:
        """The accounts of those of some ids that are users. Raises Unavailable."""
        ...

    def dongles(self) -> dict[str, str]:
        """The users of all dongles, by api_key. Raises Unavailable."""
        ...

    def meters(self) -> dict[str, str]:
        """The users of all smart meters, by meter_id. Raises Unavailable."""
        ...


class Accounts:
    """Learns households from a source. Without one it learns none, and all that is known is registered here.

    ttl_s: age at which an account is fetched again. clock_s tells a time that never goes back.
    """

    def __init__(
        self, store: Store, source: AccountSource | None, ttl_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._source, self._ttl_s, self._clock_s = store, source, ttl_s, clock_s
        self._unknown_s = min(UNKNOWN_S, ttl_s)
        self._users: AskedOnce[str, bool] = AskedOnce(self._unknown_s, _MOST_UNKNOWN, clock_s)
        self._owners: AskedOnce[str, dict[str, str]] = AskedOnce(self._unknown_s, 2, clock_s)
        self._seen: set[str] = set()
        self._fetched_s: dict[str, float] = {}

    @property
    def state(self) -> str | None:
        """`ok`, `failing` or `down`; None without a source."""
        return None if self._source is None else self._source.state

    @property
    def rest_s(self) -> float:
        """How long to rest between two refreshings."""
        return min(max(self._ttl_s / 4, 0.5), 30.0)

    def seen(self, households: Iterable[str]) -> None:
        """Households are asked about. It costs no lock: it is on the way of every request."""
        if self._source is not None and len(self._seen) < _MOST_SEEN:
            self._seen.update(households)

    def learn(self, households: Sequence[str]) -> bool:
        """Register those of some unknown households that have an account; whether any is known now.

        Several who ask for the same at once wait for one answer. Raises Unavailable.
        """
        source = self._source
        asked = [one for one in dict.fromkeys(households) if not check_name(one, "household")]
        if source is None or not asked:
            return False
        with self._store.reading() as view:
            made_meanwhile = view.states_of(asked)
        rest = [one for one in asked if one not in made_meanwhile]
        until_s = self._clock_s() + _LONGEST_S
        try:
            found = self._users.ask(rest, lambda some: self._fetch(source, some, until_s), is_kept=_is_unknown)
        except Unavailable as error:
            named = ", ".join(map(repr, rest[:3])) + (" and others" if len(rest) > 3 else "")
            sentence = f"household {named} is not known here, and whether there is an account can't be asked for now"
            raise Unavailable(f"{sentence}: {error.sentence}", error.retry_after_s) from error
        return bool(made_meanwhile) or any(found.values())

    def learn_keys(self, keys: Sequence[str]) -> bool:
        """Register the households of those of some unknown dongles' keys and meters' ids that have an account; whether
        any may be known now. Raises Unavailable."""
        source = self._source
        if source is None or not keys:
            return False
        lists: dict[str, Callable[[], dict[str, str]]] = {"dongles": source.dongles, "meters": source.meters}
        until_s = self._clock_s() + _LONGEST_S
        try:
            owners = self._owners.ask(list(lists), lambda some: {one: lists[one]() for one in some})
            found = {one[key] for key in keys for one in owners.values() if key in one}
            self._fetch(source, [one for one in found if not self._is_fresh(one, self._unknown_s)], until_s)
        except Unavailable as error:
            sentence = "whose a dongle or meter is is not known here, and can't be asked for now"
            raise Unavailable(f"{sentence}: {error.sentence}", error.retry_after_s) from error
        return bool(found)

    def refresh(self) -> int:
        """Fetch the accounts of households that were asked about and are older than they may be, and change what
        differs. 0, so that a rest follows. Raises Unavailable; then they are fetched the next time."""
        source = self._source
        if source is None:
            return 0
        seen, self._seen = self._seen, set()
        self._fetched_s = {id: at_s for id, at_s in list(self._fetched_s.items()) if self._is_fresh(id, self._ttl_s)}
        due = [one for one in list(seen) if one not in self._fetched_s and not check_name(one, "household")]
        try:
            with self._store.reading() as view:
                known = list(view.households_by_id(due))
            self._fetch(source, known)
        except Unavailable:
            self.seen(due)
            raise
        return 0

    def _is_fresh(self, household: str, for_s: float) -> bool:
        at_s = self._fetched_s.get(household)
        return at_s is not None and self._clock_s() - at_s < for_s

    def _fetch(self, source: AccountSource, households: Sequence[str], until_s: float = math.inf) -> dict[str, bool]:
        """Fetch accounts, and make or change their households; whether each household has an account.

        Raises Unavailable, also where it is not done in time; what was found until then is kept.
        """
        found: set[str] = set()
        for first in range(0, len(households), _AT_ONCE):
            if self._clock_s() > until_s:
                raise Unavailable("too many households are unknown to be asked for at once")
            some = households[first : first + _AT_ONCE]
            accounts = source.users(some)
            self._register(list(accounts.values()))
            found.update(accounts)
            self._fetched_s |= dict.fromkeys(some, self._clock_s())
        return {one: one in found for one in households}

    def _register(self, accounts: Sequence[Account]) -> None:
        """Make or change the households of accounts, those that differ; one that can't be leaves the others alone."""
        with self._store.reading() as view:
            known = view.households_by_id([one.household for one in accounts])
        for account in accounts:
            now = known.get(account.household)
            if now is None or _differs(now, account):
                self._write(account, is_new=now is None)

    def _write(self, account: Account, *, is_new: bool) -> None:
        try:
            with self._store.writing() as view:
                write_account(view, account)
        except Unavailable:
            raise
        except StatisticsError as error:  # another process has just made it, or goes for the same dongle
            _LOG.warning("account_not_taken_over", household=account.household, reason=error.sentence)
            return
        _LOG.info("household_registered" if is_new else "household_changed", household=account.household)


def _is_unknown(has_account: bool) -> bool:
    return not has_account


def _differs(known: Household, account: Account) -> bool:
    return with_account(known.id, known, account) != known
