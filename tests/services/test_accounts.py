"""Households that are learnt from the account manager, kept current beside the requests, and asked for sparingly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from account_server import AccountServer, new_id
from measured import open_store, put_home
from upstream_server import Answer

from statistics_manager_service import bootstrap
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.feeds.account_manager import AccountManager
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.accounts.accounts import UNKNOWN_S, Accounts
from statistics_manager_service.services.accounts.once import AskedOnce
from statistics_manager_service.services.households import settings_of
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage.database import SqlStore

TTL_S = 300.0
FAULTS = ("truncated", "malformed", "wrong shape", "closed", "silent", "drip", "slow head", "garbage")
EACH_FAULT = pytest.mark.parametrize(
    ("database_url", "way"), [*(("sqlite", way) for way in FAULTS), ("postgresql", "closed")], indirect=["database_url"]
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with AccountServer() as found:
        yield found


@pytest.fixture
def store(database_url: str) -> SqlStore:
    return open_store(database_url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store: SqlStore, server: AccountServer, clock: Clock) -> Accounts:
    return accounts_of(store, server, clock)


def accounts_of(store: SqlStore, server: AccountServer, clock: Clock, **more: Any) -> Accounts:
    upstream = Upstream("the account manager", server.url, **{"timeout_s": 0.7, "failures": 1000, **more})
    return Accounts(store, AccountManager(upstream), TTL_S, clock)


def get(store: SqlStore, household: str) -> Household:
    return bootstrap.households_of(store).get(household)


def settings(store: SqlStore, household: str) -> dict[str, Any]:
    return settings_of(get(store, household))


# --- learning ---------------------------------------------------------------------------------------------------------


def test_a_household_that_the_account_manager_knows_is_registered(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    household = server.add(api_key="k-1", meter_id="m-1")
    assert accounts.learn([household])
    assert settings(store, household) == {
        "timezone": "Europe/Lisbon",
        "country": "PT",
        "api_key": "k-1",
        "meter_id": "m-1",
        "register_unit": "Wh",
        "billing_day": 1,
        "contracted_power_kva": 6.9,
        "postal_code": "4200-465",
        "tarif_type": "bi-hourly",
    }


def test_a_household_that_is_registered_meanwhile_is_not_asked_for(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    household = server.add()
    accounts.learn([household])
    assert accounts.learn([household])
    assert server.asked_users() == [household]


def test_of_many_those_that_there_are_are_registered(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    known, strangers = [server.add() for _ in range(70)], [new_id() for _ in range(70)]
    assert accounts.learn([*strangers, *known, "no name", ""])
    assert [get(store, one).id for one in known] == known
    with store.reading() as view:
        assert len(view.households(None, 1000)) == 70


def test_a_flood_of_questions_for_nobody_is_not_passed_on(
    server: AccountServer, accounts: Accounts, clock: Clock
) -> None:
    assert [accounts.learn(["nobody"]) for _ in range(100)] == [False] * 100
    assert server.asked_users() == ["nobody"]
    clock.now_s += UNKNOWN_S - 1
    assert not accounts.learn(["nobody", "another"])
    assert server.asked_users() == ["nobody", "another"]


def test_a_household_that_was_unknown_is_found_soon_after_it_is_made(
    store: SqlStore, server: AccountServer, accounts: Accounts, clock: Clock
) -> None:
    assert not accounts.learn(["late"])
    server.add("late")
    clock.now_s += UNKNOWN_S
    assert accounts.learn(["late"])
    assert get(store, "late").country == "PT"


def test_many_who_ask_for_the_same_at_once_ask_once(store: SqlStore, server: AccountServer, accounts: Accounts) -> None:
    household = server.add()
    server.fails(delay_s=0.3)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: accounts.learn([household, "nobody"]), range(16)))
    assert found == [True] * 16
    assert sorted(server.asked_users()) == sorted([household, "nobody"])
    assert get(store, household).country == "PT"


def test_many_who_ask_for_the_same_while_it_fails_are_all_told(server: AccountServer, accounts: Accounts) -> None:
    household = server.add()
    server.fails("silent")

    def told(_: int) -> str:
        with pytest.raises(Unavailable) as found:
            accounts.learn([household])
        return found.value.sentence

    began_s = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        sentences = set(pool.map(told, range(16)))
    assert time.monotonic() - began_s < 5
    assert sentences == {
        f"household {household!r} is not known here, and whether there is an account can't be asked for now: "
        "the account manager did not answer within 0.7 s"
    }
    assert len(server.requests) < 16


def test_two_processes_that_learn_the_same_household_at_once_make_one(
    store: SqlStore, server: AccountServer, clock: Clock
) -> None:
    known = [server.add() for _ in range(10)]
    server.fails(delay_s=0.2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: accounts_of(store, server, clock).learn(known), range(4)))
    assert found == [True] * 4
    with store.reading() as view:
        assert sorted(one.id for one in view.households(None, 100)) == sorted(known)


@EACH_FAULT
def test_each_fault_is_worth_a_retry_and_registers_nothing(
    store: SqlStore, server: AccountServer, accounts: Accounts, way: str
) -> None:
    household = server.add()
    server.fails(way)
    with pytest.raises(Unavailable):
        accounts.learn([household])
    with pytest.raises(Unavailable):
        accounts.learn_keys([f"dongle-{household}"])
    with store.reading() as view:
        assert view.households(None, 10) == []
    server.recovers()
    assert accounts.learn([household])


def test_what_fails_is_left_alone_for_a_while_and_found_again(
    store: SqlStore, server: AccountServer, clock: Clock
) -> None:
    accounts = accounts_of(store, server, clock, failures=3, reset_s=0.5, attempts=1)
    household = server.add()
    server.goes_down()
    for _ in range(10):
        with pytest.raises(Unavailable) as found:
            accounts.learn([household])
    assert "has not answered for a while" in found.value.sentence
    assert accounts.state == "down"
    server.comes_up()
    time.sleep(0.6)
    assert accounts.learn([household])
    assert accounts.state == "ok"


def test_a_user_who_has_another_ones_dongle_now_takes_it_along(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    put_home(store, "before", api_key="k-1", meter_id="m-1", timezone="Europe/Paris")
    server.add("now", api_key="k-1", meter_id="m-2")
    assert accounts.learn(["now"])
    assert get(store, "now").api_key == "k-1"
    assert get(store, "before")._replace(household_no=0) == Household(
        0, "before", "Europe/Paris", api_key=None, meter_id="m-1"
    )


def test_without_an_account_manager_nothing_is_learnt(store: SqlStore) -> None:
    accounts = Accounts(store, None, TTL_S)
    accounts.seen(["home1"])
    assert not accounts.learn(["home1"])
    assert not accounts.learn_keys(["k-1"])
    assert accounts.refresh() == 0
    assert accounts.state is None


# --- by the keys of dongles and the ids of meters ---------------------------------------------------------------------


def test_a_household_is_learnt_by_its_dongle_and_by_its_meter(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    first, second = server.add(), server.add()
    assert accounts.learn_keys([f"dongle-{first}", f"meter-{second}", "nobodys"])
    with store.reading() as view:
        found = [view.household_by_api_key(f"dongle-{first}"), view.household_by_meter_id(f"meter-{second}")]
    assert found == [get(store, first), get(store, second)]


def test_a_flood_of_strange_keys_asks_for_the_lists_once(
    server: AccountServer, accounts: Accounts, clock: Clock
) -> None:
    server.add()
    assert not any(accounts.learn_keys([f"strange-{i}"]) for i in range(100))
    assert [one.path for one in server.requests] == ["/list-dongles", "/list-meter-ids"]
    clock.now_s += UNKNOWN_S
    accounts.learn_keys(["strange"])
    assert len(server.requests) == 4


def test_a_dongle_that_its_user_no_longer_has_is_not_asked_for_again_and_again(
    server: AccountServer, accounts: Accounts
) -> None:
    household = server.add()
    server.answers("/list-dongles", [{"user_id": household, "api_key": "old"}])
    for _ in range(10):
        accounts.learn_keys(["old"])
    assert server.asked_users() == [household]


# --- keeping current --------------------------------------------------------------------------------------------------


def test_a_household_that_is_asked_about_is_fetched_again_once_it_is_old_enough(
    store: SqlStore, server: AccountServer, accounts: Accounts, clock: Clock
) -> None:
    household = server.add()
    accounts.learn([household])
    server.users[household]["contracted_power"] = "10,35 kVA"
    for seconds, kva, asked in ((TTL_S - 1, 6.9, 1), (1, 10.35, 2), (1, 10.35, 2)):
        clock.now_s += seconds
        accounts.seen([household])
        assert accounts.refresh() == 0
        assert get(store, household).contracted_power_kva == kva
        assert len(server.asked_users()) == asked


def test_a_household_that_nobody_asks_about_is_not_fetched(
    server: AccountServer, accounts: Accounts, clock: Clock
) -> None:
    accounts.learn([server.add()])
    clock.now_s += 10 * TTL_S
    accounts.refresh()
    assert len(server.requests) == 1


def test_only_what_differs_is_written(store: SqlStore, server: AccountServer, accounts: Accounts, clock: Clock) -> None:
    household = server.add()
    accounts.learn([household])
    before = store.state_of(household)
    clock.now_s += TTL_S
    accounts.seen([household])
    accounts.refresh()
    assert len(server.asked_users()) == 2
    assert store.state_of(household) == before


def test_what_the_account_manager_does_not_tell_stays(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    ours = {
        "timezone": "Atlantic/Azores",
        "zone": "PT-20",
        "register_unit": "kWh",
        "billing_day": 7,
        "currency": "EUR",
        "name": "By the sea",
        "country": "ES",
        "postal_code": "9500",
        "contracted_power_kva": 3.45,
        "api_key": "k-0",
    }
    put_home(store, "home1", **ours)
    server.add("home1", country=None, postal_code="", contracted_power="6.9 kVA", api_key="k-1", meter_id="m-1")
    accounts.seen(["home1"])
    accounts.refresh()
    theirs = {"contracted_power_kva": 6.9, "api_key": "k-1", "meter_id": "m-1", "tarif_type": "bi-hourly"}
    assert settings(store, "home1") == ours | theirs


def test_a_dongle_that_is_gone_is_taken_away(store: SqlStore, server: AccountServer, accounts: Accounts) -> None:
    put_home(store, "home1", api_key="k-1", meter_id="m-1")
    server.add("home1", api_key=None, meter_id="m-1")
    accounts.seen(["home1"])
    accounts.refresh()
    assert get(store, "home1").api_key is None
    assert get(store, "home1").meter_id == "m-1"


@pytest.mark.parametrize(
    ("timezone", "country", "then"),
    [
        ("UTC", None, "Europe/Lisbon"),  # the default one, until the country comes to be known
        ("Europe/Paris", None, "Europe/Paris"),
        ("UTC", "PT", "UTC"),  # chosen by an operator
    ],
)
def test_a_country_that_comes_to_be_known_gives_the_default_zone_alone(
    store: SqlStore, server: AccountServer, accounts: Accounts, timezone: str, country: str | None, then: str
) -> None:
    put_home(store, "home1", timezone=timezone, **({} if country is None else {"country": country}))
    server.add("home1")
    accounts.seen(["home1"])
    accounts.refresh()
    assert get(store, "home1").timezone == then


def test_a_household_that_the_account_manager_does_not_know_stays(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    here = put_home(store, "local", api_key="k-1")
    accounts.seen(["local", "nobody"])
    accounts.refresh()
    assert server.asked_users() == ["local"]
    assert get(store, "local") == here


@EACH_FAULT
def test_a_fault_leaves_known_households_as_they_are_until_it_is_over(
    store: SqlStore, server: AccountServer, accounts: Accounts, way: str
) -> None:
    here = put_home(store, "home1", contracted_power_kva=3.45)
    server.add("home1")
    server.fails(way)
    accounts.seen(["home1"])
    with pytest.raises(Unavailable):
        accounts.refresh()
    assert get(store, "home1") == here
    server.recovers()
    accounts.refresh()
    assert get(store, "home1").contracted_power_kva == 6.9


def test_one_user_who_cannot_be_taken_over_leaves_the_others_alone(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    users = [put_home(store, f"home{i}").id for i in range(3)]
    for one in users:
        server.add(one, api_key="the same")  # and so two lose it to the third
    server.answers_by("/user", lambda _: Answer([None, *server.users.values()]))
    accounts.seen(users)
    accounts.refresh()
    assert [get(store, one).meter_id for one in users] == [f"meter-{one}" for one in users]
    assert [get(store, one).api_key for one in users].count("the same") == 1


def test_a_change_by_an_operator_meanwhile_is_not_lost(store: SqlStore, server: AccountServer, clock: Clock) -> None:
    put_home(store, "home1")
    homes = bootstrap.households_of(store)

    def refresh(number: int) -> None:
        server.add("home1", contracted_power=number)
        accounts = accounts_of(store, server, clock)
        accounts.seen(["home1"])
        accounts.refresh()

    with ThreadPoolExecutor(2) as pool:
        for i in range(1, 16):
            refreshed = pool.submit(refresh, i)
            pool.submit(homes.patch, "home1", {"billing_day": i}, by_service=True).result()
            refreshed.result()
            assert (get(store, "home1").billing_day, get(store, "home1").contracted_power_kva) == (i, i)


def test_the_number_of_households_that_are_noted_is_bounded(
    store: SqlStore, server: AccountServer, accounts: Accounts
) -> None:
    put_home(store, "home1")
    accounts.seen(["home1"])
    for i in range(30_000):
        accounts.seen((f"stranger{i}",))
    accounts.refresh()
    assert server.asked_users() == ["home1"]


# --- asking once ------------------------------------------------------------------------------------------------------


def test_a_failure_is_not_kept() -> None:
    once: AskedOnce[str, int] = AskedOnce(60, 10)
    with pytest.raises(ZeroDivisionError):
        once.ask(["a"], lambda some: dict.fromkeys(some, 1 // 0))
    assert once.ask(["a"], lambda some: dict.fromkeys(some, 5)) == {"a": 5}


def test_a_key_that_stands_twice_is_asked_for_once() -> None:
    once: AskedOnce[str, int] = AskedOnce(60, 10)
    assert once.ask(["a", "b", "a"], lambda some: {one: len(some) for one in some}) == {"a": 2, "b": 2}


def test_the_oldest_answers_give_way_where_they_are_too_many() -> None:
    once: AskedOnce[str, int] = AskedOnce(60, 3)
    for key in "abcd":
        once.ask([key], lambda some: dict.fromkeys(some, 1))
    assert once.ask(list("abcd"), lambda some: dict.fromkeys(some, 2)) == {"a": 2, "b": 1, "c": 1, "d": 1}
