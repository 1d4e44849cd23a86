"""The account manager's answers: what is read of them, and what their faults become."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from account_server import AccountServer
from upstream_server import Answer

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.feeds import account_manager
from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.feeds.account_manager import AccountManager
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.accounts.account_settings import read_account, with_account
from statistics_manager_service.settings import Settings

TIMEOUT_S = 0.7


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with AccountServer() as found:
        yield found


@pytest.fixture
def accounts(server: AccountServer) -> AccountManager:
    return AccountManager(Upstream("the account manager", server.url, timeout_s=TIMEOUT_S), 2 * TIMEOUT_S)


def told_of(accounts: AccountManager, household: str) -> dict[str, Any]:
    return dict(accounts.users([household])[household].told)


# --- users ------------------------------------------------------------------------------------------------------------


def test_a_user_is_read_as_settings_of_a_household(server: AccountServer, accounts: AccountManager) -> None:
    server.add("a1b2c3d4e5", api_key="k-1", meter_id="m-1")
    assert told_of(accounts, "a1b2c3d4e5") == {
        "api_key": "k-1",
        "meter_id": "m-1",
        "country": "PT",
        "postal_code": "4200-465",
        "tarif_type": "bi-hourly",
        "contracted_power_kva": 6.9,
    }
    assert server.requests[0].query == {"user-ids": "a1b2c3d4e5"}


@pytest.mark.parametrize(
    ("told", "kva"),
    [
        ("6.9 kVA", 6.9), ("6,9kVA", 6.9), ("6.90", 6.9), (" 10.35 KVA ", 10.35), ("3450 VA", 3.45), ("4.6 kW", 4.6),
        ("2300W", 2.3), (6.9, 6.9), (7, 7.0), (None, None), ("", None),
    ],
)  # fmt: skip
def test_contracted_power_is_read_as_text_and_as_a_number(
    server: AccountServer, accounts: AccountManager, told: Any, kva: float | None
) -> None:
    household = server.add(contracted_power=told)
    assert told_of(accounts, household)["contracted_power_kva"] == kva


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"country": "pt"}, {"country": "PT"}),
        ({"country": "Portugal"}, {"country": "PT"}),
        ({"postal_code": 4200}, {"postal_code": "4200"}),
        ({"meter_id": 123}, {"meter_id": "123"}),
        ({"api_key": ""}, {"api_key": None}),
        ({"api_key": None}, {"api_key": None}),
        ({"tarif_type": "Bi_Hourly"}, {"tarif_type": "bi-hourly"}),
        ({"tarif_type": "trihourly"}, {"tarif_type": "tri-hourly"}),
        ({"tarifType": "simple", "tarif_type": "simple"}, {"tarif_type": "simple"}),
    ],
)
def test_members_are_read_in_the_forms_that_they_come_in(told: dict[str, Any], read: dict[str, Any]) -> None:
    account, faults = read_account({"user_id": "home1", **told})
    assert account is not None
    assert (dict(account.told), faults) == (read, [])


def test_members_may_be_in_camel_case() -> None:
    account, _ = read_account({"userId": "home1", "apiKey": "k", "contractedPower": "6.9 kVA", "postalCode": "1"})
    assert account is not None
    assert account.household == "home1"
    assert dict(account.told) == {"api_key": "k", "contracted_power_kva": 6.9, "postal_code": "1"}


def test_a_user_that_is_not_there_is_none(server: AccountServer, accounts: AccountManager) -> None:
    household = server.add()
    assert accounts.users(["nobody"]) == {}
    assert list(accounts.users(["nobody", household])) == [household]


def test_one_unknown_user_does_not_hide_the_others_where_all_are_declined_for_it() -> None:
    with AccountServer(strict=True) as server:
        accounts = AccountManager(Upstream("the account manager", server.url))
        known = [server.add() for _ in range(20)]
        asked = [*known[:13], "nobody", *known[13:]]
        assert list(accounts.users(asked)) == known


def test_many_users_are_asked_for_in_parts(server: AccountServer, accounts: AccountManager) -> None:
    known = [server.add() for _ in range(120)]
    assert list(accounts.users(known)) == known
    assert [len(one.query["user-ids"].split(",")) for one in server.requests] == [50, 50, 20]


def test_one_bad_user_does_not_spoil_the_others(server: AccountServer, accounts: AccountManager) -> None:
    good = server.add("good")
    bad: list[Any] = ["no object", None, [], {}, {"user_id": 5}, {"user_id": "two words"}, {"user_id": None}]
    server.answers("/user", [*bad, server.users[good]])
    assert list(accounts.users(["good", "5"])) == ["good"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contracted_power", "lots"), ("contracted_power", -1), ("contracted_power", True), ("contracted_power", []),
        ("contracted_power", "1e9"), ("country", "Nowhere"), ("country", {}), ("api_key", ["k"]),
        ("api_key", "x" * 129), ("meter_id", "a\0b"), ("tarif_type", "hourly"), ("postal_code", "x" * 17),
    ],
)  # fmt: skip
def test_one_bad_member_does_not_spoil_the_user(
    server: AccountServer, accounts: AccountManager, name: str, value: Any
) -> None:
    household = server.add(**{name: value})
    told = told_of(accounts, household)
    assert name.replace("power", "power_kva") not in told
    assert len(told) == 5


def test_users_that_were_not_asked_for_are_passed_over(server: AccountServer, accounts: AccountManager) -> None:
    household = server.add()
    server.answers("/user", [server.users[household], {"user_id": "intruder", "api_key": "k"}])
    assert list(accounts.users([household])) == [household]


# --- lists ------------------------------------------------------------------------------------------------------------


def test_dongles_and_meters_are_told_with_their_users(server: AccountServer, accounts: AccountManager) -> None:
    server.add("home1", api_key="k-1", meter_id=None)
    server.add("home2", api_key=None, meter_id="m-2")
    assert accounts.dongles() == {"k-1": "home1"}
    assert accounts.meters() == {"m-2": "home2"}


def test_an_account_manager_without_dongles_has_none(server: AccountServer, accounts: AccountManager) -> None:
    server.answers("/list-dongles", {"error": "no dongles"}, 404)
    assert accounts.dongles() == {}


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer", [{"users": []}, {}, None, '"text"', 5, {"shape": ["another", 1, None]}, {"error": "user not found"}]
)
def test_what_is_no_list_of_users_is_nonsense(server: AccountServer, accounts: AccountManager, answer: Any) -> None:
    server.answers("/user", answer)
    server.answers("/list-dongles", answer)
    with pytest.raises(Unavailable, match="the account manager answered nonsense"):
        accounts.users(["home1"])
    with pytest.raises(Unavailable, match="the account manager answered nonsense"):
        accounts.dongles()


@pytest.mark.parametrize(
    "answer",
    [
        Answer("<html>nginx</html>", 404, "text/html"),
        Answer({"detail": "Not Found"}, 404),
        Answer(["error"], 404),
        Answer({"error": "gone"}, 410),
    ],
)
def test_a_404_of_another_host_or_path_does_not_mean_that_there_is_no_such_user(
    server: AccountServer, accounts: AccountManager, answer: Answer
) -> None:
    server.answers_by("/user", lambda _: answer)
    with pytest.raises(Unavailable, match="is ACCOUNT_MANAGER_ENDPOINT right"):
        accounts.users(["home1"])


def test_all_the_questions_of_one_answer_end_in_time(server: AccountServer, accounts: AccountManager) -> None:
    server.fails(delay_s=0.4)
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer within"):
        accounts.users([f"home{i}" for i in range(1000)])
    assert time.monotonic() - began_s < 2 * TIMEOUT_S + 3


# --- the household that an account makes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "timezone"), [("PT", "Europe/Lisbon"), ("ES", "Europe/Madrid"), ("FR", "Europe/Paris"), ("ZZ", "UTC")]
)
def test_a_household_that_is_made_has_the_first_zone_of_its_country(country: str, timezone: str) -> None:
    account, _ = read_account({"user_id": "home1", "country": country})
    assert account is not None
    assert with_account("home1", None, account).timezone == timezone


# --- the setting ------------------------------------------------------------------------------------------------------


def test_without_an_endpoint_there_is_no_account_manager() -> None:
    assert account_manager(Settings()) is None
    assert account_manager(Settings(account_manager_endpoint="")) is None


@pytest.mark.parametrize("url", ["accounts:8080", "ftp://accounts", "http://", "http://[bad", "http://h:99999", "x"])
def test_an_endpoint_that_is_no_url_is_told_at_the_start_and_not_shown(url: str) -> None:
    settings = Settings(account_manager_endpoint=url, jwt_sign_key="k" * 64, database_url="sqlite://")
    with pytest.raises(StatisticsError, match="ACCOUNT_MANAGER_ENDPOINT is no URL") as found:
        bootstrap.build(settings)
    assert url not in found.value.sentence.replace("http://host", "")
