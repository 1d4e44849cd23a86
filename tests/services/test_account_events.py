"""Account events: who is registered, changed and erased by them, and what never can be handled."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from account_server import AccountServer
from measured import Clock, measure, open_store, put_home, put_issue, quarter

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.events import handlers_of
from statistics_manager_service.errors import NotFound
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.accounts.account_events import CHANGED, DELETED, REGISTERED
from statistics_manager_service.services.events.event_rows import SetAsideEvent
from statistics_manager_service.services.events.inbox import Backoff, Inbox, Outcome
from statistics_manager_service.services.households import settings_of
from statistics_manager_service.services.ports import Household
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.database import SqlStore

HANDLED, SET_ASIDE, WAITING = Outcome.HANDLED, Outcome.SET_ASIDE, Outcome.WAITING
FULL = {
    "user_id": "home1",
    "first_name": "Ana",
    "api_key": "k-1",
    "meter_id": "m-1",
    "country": "PT",
    "postal_code": "4200-465",
    "tarif_type": "simple",
    "contracted_power": "6.9 kVA",
}


class Receiver:
    """An inbox with the handlers of the service. account_manager: its URL, where there is one."""

    def __init__(self, store: SqlStore, account_manager: str | None = None) -> None:
        self.store, self.clock = store, Clock("2024-05-10T12:00:00")
        settings = Settings(account_manager_endpoint=account_manager, account_timeout_s=0.7)
        handlers = handlers_of(settings, store, bootstrap.recorder_of(store), self.clock)
        self.inbox = Inbox(store, handlers, self.clock, Backoff(1, 60, 3600), message_of)
        self._numbers = itertools.count()

    def take(self, event_type: str, payload: Any, event_id: str | None = None) -> Outcome:
        envelope = {"eventId": event_id or f"e{next(self._numbers)}", "eventType": event_type, "payload": payload}
        return self.inbox.take(message_of(json.dumps({"payload": envelope}).encode(), "hems.account/0/1", b"home1"))

    def get(self, household: str = "home1") -> Household:
        return bootstrap.households_of(self.store).get(household)

    def is_there(self, household: str = "home1") -> bool:
        try:
            return bool(self.get(household))
        except NotFound:
            return False

    def set_aside(self) -> list[SetAsideEvent]:
        with self.store.reading() as view:
            return view.set_aside_events(100)


@pytest.fixture
def receiver(database_url: str) -> Receiver:
    return Receiver(open_store(database_url))


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with AccountServer() as found:
        yield found


@pytest.fixture
def asking(database_url: str, server: AccountServer) -> Receiver:
    """A receiver that can ask the account manager."""
    return Receiver(open_store(database_url), server.url)


# --- registered, changed, a dongle added ------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", REGISTERED)
def test_a_user_who_registers_becomes_a_household(receiver: Receiver, event_type: str) -> None:
    assert receiver.take(event_type, FULL) is HANDLED
    assert settings_of(receiver.get()) == {
        "timezone": "Europe/Lisbon",
        "country": "PT",
        "api_key": "k-1",
        "meter_id": "m-1",
        "register_unit": "Wh",
        "billing_day": 1,
        "contracted_power_kva": 6.9,
        "postal_code": "4200-465",
        "tarif_type": "simple",
    }


@pytest.mark.parametrize("event_type", CHANGED)
def test_what_an_event_tells_is_changed_and_the_rest_stays(receiver: Receiver, event_type: str) -> None:
    put_home(receiver.store, "home1", timezone="Atlantic/Azores", api_key="k-0", contracted_power_kva=3.45)
    assert receiver.take(event_type, {"user_id": "home1", "api_key": "k-1"}) is HANDLED
    assert settings_of(receiver.get()) == {
        "timezone": "Atlantic/Azores",
        "api_key": "k-1",
        "register_unit": "Wh",
        "billing_day": 1,
        "contracted_power_kva": 3.45,
    }


def test_a_user_who_registers_again_is_changed(receiver: Receiver) -> None:
    receiver.take("UserRegisteredEvent", FULL)
    number = receiver.get().household_no
    assert receiver.take("UserRegisteredEvent", {**FULL, "country": "ES", "contracted_power": 10.35}) is HANDLED
    assert (receiver.get().household_no, receiver.get().country) == (number, "ES")
    assert receiver.get().timezone == "Europe/Lisbon"
    assert receiver.get().contracted_power_kva == 10.35


def test_a_user_may_register_with_an_id_alone_and_tell_the_country_later(receiver: Receiver) -> None:
    receiver.take("UserRegisteredEvent", {"userId": "home1"})
    assert receiver.get().timezone == "UTC"
    receiver.take("UserSettingsChangedEvent", {"userId": "home1", "country": "FR", "contractedPower": "9 kVA"})
    assert (receiver.get().timezone, receiver.get().contracted_power_kva) == ("Europe/Paris", 9)


def test_a_payload_that_is_text_is_read(receiver: Receiver) -> None:
    assert receiver.take("UserRegisteredEvent", json.dumps(FULL)) is HANDLED
    assert receiver.get().meter_id == "m-1"


def test_a_dongle_that_was_another_ones_moves(receiver: Receiver) -> None:
    put_home(receiver.store, "before", api_key="k-1")
    receiver.take("UserRegisteredEvent", {"user_id": "home1"})
    assert receiver.take("DongleAddedEvent", {"user_id": "home1", "api_key": "k-1"}) is HANDLED
    assert (receiver.get().api_key, receiver.get("before").api_key) == ("k-1", None)


# --- deleted ----------------------------------------------------------------------------------------------------------


def rows_of(store: SqlStore, number: int) -> dict[str, int]:
    """How many rows of a household there are, by table."""
    tables = [table for table in schema.metadata.sorted_tables if "household_no" in table.c]
    with store.reading() as view:
        counts = {
            table.name: view.connection.execute(
                sa.select(sa.func.count()).select_from(table).where(table.c.household_no == number)
            ).scalar_one()
            for table in tables
        }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("event_type", DELETED)
def test_a_user_who_is_deleted_leaves_nothing(receiver: Receiver, event_type: str) -> None:
    receiver.take("UserRegisteredEvent", FULL)
    home, other = receiver.get(), put_home(receiver.store, "other")
    for one in (home, other):
        measure(receiver.store, one.id, quarter("2024-05-08"), 96)
        put_issue(receiver.store, one, {quarter("2024-05-09"): 1.0}, "2024-05-08")
    bootstrap.device_tokens_of(receiver.store).create("home1", may_write=True, label="", lifetime_days=None)
    kept = rows_of(receiver.store, other.household_no)
    assert set(rows_of(receiver.store, home.household_no)) >= {"households", "readings", "profiles", "device_tokens"}
    assert receiver.take(event_type, {"user_id": "home1"}) is HANDLED
    assert rows_of(receiver.store, home.household_no) == {}
    assert rows_of(receiver.store, other.household_no) == kept


def test_a_deletion_that_is_told_again_or_of_nobody_is_handled(receiver: Receiver) -> None:
    receiver.take("UserRegisteredEvent", FULL)
    assert receiver.take("UserDeletedEvent", {"user_id": "home1"}, "once") is HANDLED
    assert receiver.take("UserDeletedEvent", {"user_id": "home1"}, "once") is Outcome.DUPLICATE
    assert receiver.take("UserDeletedEvent", {"user_id": "home1"}, "twice") is HANDLED
    assert receiver.take("UserDeletedEvent", {"user_id": "nobody"}) is HANDLED
    assert not receiver.is_there()


def test_a_deletion_needs_nothing_but_the_id(receiver: Receiver) -> None:
    receiver.take("UserRegisteredEvent", FULL)
    told: dict[str, Any] = {"user_id": "home1", "contracted_power": "nonsense", "country": [], "settings": None}
    assert receiver.take("UserDeletedEvent", told) is HANDLED
    assert not receiver.is_there()


@pytest.mark.parametrize("event_type", CHANGED)
def test_no_later_event_brings_a_deleted_user_back(receiver: Receiver, event_type: str) -> None:
    receiver.take("UserRegisteredEvent", FULL)
    receiver.take("UserDeletedEvent", {"user_id": "home1"})
    assert receiver.take(event_type, FULL) is HANDLED
    assert not receiver.is_there()


def test_an_event_of_an_unknown_household_asks_the_account_manager(asking: Receiver, server: AccountServer) -> None:
    server.add("home1", contracted_power="10.35 kVA")
    assert asking.take("UserSettingsChangedEvent", {"user_id": "home1", "contracted_power": "6.9 kVA"}) is HANDLED
    assert asking.get().contracted_power_kva == 10.35  # its word of now, not the event's of some time ago


def test_a_deleted_user_whom_the_account_manager_does_not_know_stays_away(
    asking: Receiver, server: AccountServer
) -> None:
    asking.take("UserRegisteredEvent", FULL)
    asking.take("UserDeletedEvent", {"user_id": "home1"})
    assert asking.take("UserSettingsChangedEvent", FULL) is HANDLED
    assert server.asked_users() == ["home1"]
    assert not asking.is_there()


def test_an_event_waits_while_the_account_manager_is_down_and_a_deletion_waits_behind_it(
    asking: Receiver, server: AccountServer
) -> None:
    server.add("home1")
    server.goes_down()
    assert asking.take("UserSettingsChangedEvent", FULL) is WAITING
    assert asking.take("UserDeletedEvent", {"user_id": "home1"}) is WAITING
    server.comes_up()
    asking.clock.set("2024-05-10T12:00:30")
    assert asking.inbox.retry_due() == 1
    assert asking.is_there()
    assert asking.inbox.retry_due() == 1
    assert not asking.is_there()
    assert asking.set_aside() == []


def test_events_of_known_households_do_not_need_the_account_manager(asking: Receiver, server: AccountServer) -> None:
    server.goes_down()
    assert asking.take("UserRegisteredEvent", FULL) is HANDLED
    assert asking.take("DongleAddedEvent", {"user_id": "home1", "api_key": "k-2"}) is HANDLED
    assert asking.get().api_key == "k-2"


# --- what never can be handled ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", [*REGISTERED[:1], *CHANGED[:1], *DELETED[:1]])
@pytest.mark.parametrize(
    "told", [{}, {"user_id": None}, {"user_id": 5}, {"user_id": ""}, {"user_id": "a b"}, {"id": 1}]
)
def test_an_event_of_nobody_is_set_aside_with_its_reason(
    receiver: Receiver, event_type: str, told: dict[str, Any]
) -> None:
    assert receiver.take(event_type, told) is SET_ASIDE
    (found,) = receiver.set_aside()
    assert found.reason.startswith("user_id: ")
    assert not receiver.is_there()


def test_an_event_that_tells_nonsense_is_set_aside_with_all_of_it_named(receiver: Receiver) -> None:
    nonsense = {**FULL, "contracted_power": "lots", "country": "Nowhere", "tarif_type": "hourly"}
    assert receiver.take("UserRegisteredEvent", nonsense) is SET_ASIDE
    (found,) = receiver.set_aside()
    assert "and 2 more faults" in found.reason
    assert not receiver.is_there()
    assert receiver.take("UserRegisteredEvent", FULL) is HANDLED
