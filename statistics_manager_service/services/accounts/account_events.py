"""Account changes, as the account manager's events tell them.

A household that is not there is made where its user is registered. Any other event of it is no reason to make it: it
may have been erased, and an event from before that must not bring it back. So the account manager is asked whether the
user is there; without one the event changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.accounts.account_settings import Account, read_account, write_account
from statistics_manager_service.services.accounts.accounts import AccountSource
from statistics_manager_service.services.events.events import Handler, Work, nothing
from statistics_manager_service.services.ports import Store, WriteView

_LOG = structlog.get_logger()
REGISTERED: Final = ("UserRegisteredEvent", "RegisterUserEvent", "UserCreatedEvent")
CHANGED: Final = (
    "UserSettingsChangedEvent",
    "SettingsChangedEvent",
    "UpdateUserEvent",
    "UserUpdatedEvent",
    "DongleAddedEvent",
    "AddDongleEvent",
)
DELETED: Final = ("UserDeletedEvent", "DeleteUserEvent")


def account_handlers(store: Store, source: AccountSource | None) -> dict[str, Handler]:
    """The handlers of account events, by type. source: the account manager, where there is one."""
    changed = ChangedHandler(store, source)
    return {
        **dict.fromkeys(REGISTERED, registered),
        **dict.fromkeys(CHANGED, changed),
        **dict.fromkeys(DELETED, deleted),
    }


def _account(payload: Mapping[str, Any]) -> Account:
    """Raises BadInput with all faults."""
    account, faults = read_account(payload)
    if faults or account is None:
        raise BadInput.of(faults)
    return account


def registered(payload: Mapping[str, Any]) -> Work:
    """A user has registered: the household is made, or changed where it is there. Raises BadInput."""
    account = _account(payload)
    return lambda view: _write(view, account)


class ChangedHandler:
    """Settings of a user have changed, or a dongle was added."""

    def __init__(self, store: Store, source: AccountSource | None) -> None:
        self._store, self._source = store, source

    def __call__(self, payload: Mapping[str, Any]) -> Work:
        """What is told is changed; other settings stay. Raises BadInput, Unavailable where it has to be asked for."""
        account = _account(payload)
        with self._store.reading() as view:
            is_known = account.household in view.states_of([account.household])
        if is_known:
            return lambda view: _change(view, account)
        found = None if self._source is None else self._source.users([account.household]).get(account.household)
        if found is None:
            _LOG.warning("event_of_unknown_household", household=account.household)
            return nothing
        return lambda view: _write(view, found)


def deleted(payload: Mapping[str, Any]) -> Work:
    """A user was deleted: the household and everything of it is erased, where it is there. Raises BadInput."""
    account, faults = read_account({name: payload[name] for name in ("user_id", "userId") if name in payload})
    if account is None:
        raise BadInput.of(faults)
    household = account.household

    def erase(view: WriteView) -> None:
        known = view.household(household)
        if known is not None:
            view.begin_changes([known.household_no])
            view.delete_household(known.household_no)

    return erase


def _write(view: WriteView, account: Account) -> None:
    write_account(view, account)


def _change(view: WriteView, account: Account) -> None:
    if view.household(account.household) is not None:  # it may have been erased since
        write_account(view, account)
