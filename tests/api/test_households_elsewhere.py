"""Households that the account manager knows, as clients see them: learnt by any question, and answered without it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from account_server import AccountServer, new_id
from homes import WRITE, Api, channel, expect_error
from servers import PostgresServer, RunningService
from upstream_server import wait_until

TIMEOUT_S = 1.0
DAY = {"start_date": "2024-05-10", "end_date": "2024-05-10"}
SPAN = {"start": "2024-05-10", "end": "2024-05-11"}


@dataclass
class Side:
    """The service and the account manager that it asks."""

    api: Api
    server: AccountServer
    #: Users who are there from the start: the lists of dongles and meters are fetched now and then alone.
    users: list[str] = field(default_factory=list)

    def home(self, *, with_readings: bool = True, **told: Any) -> str:
        """A household that the service has learnt."""
        household = self.server.add(**told)
        assert self.api.get(f"/households/{household}").status_code == 200
        if with_readings:
            body = {"household": household, "readings": [channel()]}
            assert self.api.post("/readings", body).status_code == 200
        return household

    def write(self, lines: str, **more: Any) -> httpx.Response:
        return self.api.call("POST", WRITE, params={"precision": "s"}, content=lines.encode(), **more)


def settings(database_url: str, server: AccountServer, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "ACCOUNT_MANAGER_ENDPOINT": server.url,
        "ACCOUNT_TIMEOUT_S": str(TIMEOUT_S),
        "FORECAST_DAILY": "false",
        "LOG_LEVEL": "ERROR",
        **more,
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Fresh stores of a kind, by URL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('accounts') / 'statistics.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database


@pytest.fixture(scope="module")
def shared(database: Callable[[], str]) -> Iterator[Side]:
    """One service for the tests that leave the account manager as it is."""
    with AccountServer() as server, RunningService(settings(database(), server)) as service:
        yield Side(Api(service), server, [server.add() for _ in CALLS])


@pytest.fixture
def side(database: Callable[[], str]) -> Iterator[Side]:
    """A service of a test's own, as its breaker and what it remembers are its own."""
    with AccountServer() as server, RunningService(settings(database(), server)) as service:
        yield Side(Api(service), server)


@dataclass
class Call:
    """A call about a household, as an endpoint takes it."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    content: str | None = None
    kind: str = "text/csv"

    def make(self, api: Api, household: str, **more: Any) -> httpx.Response:
        query = {name: value.replace("{id}", household) for name, value in self.query.items()}
        body = None if self.body is None else {**self.body}
        if body is not None and "household" in body:
            body["household"] = household
        if self.content is not None:
            more |= {"content": self.content.replace("{id}", household), "headers": {"content-type": self.kind}}
        elif body is not None:
            more["json"] = body
        return api.call(self.method, self.path.replace("{id}", household), params=query, **more)


CSV = "household,meter,quantity,kind,unit,at,value\n{id},grid,energy_import,register,kWh,2024-05-10T10:00:00Z,100\n"
CALLS = [
    Call("GET", "/energy-consumption", {"user_ids": "{id}", **DAY}),
    Call("GET", "/energy-injection", {"user_ids": "{id}", **DAY}),
    Call("GET", "/power-consumption", {"user_ids": "{id}", **DAY}),
    Call("GET", "/voltage", {"user_ids": "{id}", **DAY}),
    Call("GET", "/energy-consumption-last", {"user_ids": "{id}"}),
    Call("GET", "/voltage-last", {"user_ids": "{id}"}),
    Call("GET", "/power-consumed-real", {"user_id": "{id}", **DAY}),
    Call("GET", "/energy-consumed-forecast-vs-real", {"user_ids": "{id}", **DAY}),
    Call("POST", "/trigger-computed-forecast-producer", {"user_id": "{id}", "forecast_day": "2024-05-10"}, status=201),
    Call(
        "POST",
        "/mock-consumption-curve-producer",
        {"user_id": "{id}", "start_date": "2024-05-10", "delivery_time": "15"},
        status=201,
    ),
    Call("POST", "/users-get-real-data-producer", {"user_id": "{id}", "start_datetime": "2024-05-10"}, status=201),
    Call("GET", "/households/{id}"),
    Call("PATCH", "/households/{id}", body={"billing_day": 3}),
    Call("GET", "/households/{id}/statistics", {"measures": "energy_import", "group_by": "daily", **SPAN}),
    Call("GET", "/statistics", {"households": "{id}", "measures": "energy_import", "group_by": "daily", **SPAN}),
    Call("GET", "/households/{id}/last"),
    Call("GET", "/households/{id}/summary"),
    Call("GET", "/households/{id}/meters"),
    Call("PUT", "/households/{id}/meters/grid", body={"quantity": "energy_import"}, status=201),
    Call("GET", "/households/{id}/meters/grid/events"),
    Call("GET", "/households/{id}/export"),
    Call("GET", "/households/{id}/tokens"),
    Call("POST", "/households/{id}/tokens", body={"label": "dongle"}, status=201),
    Call("POST", "/readings", body={"household": "", "readings": [channel()]}),
    Call("POST", "/readings", content=CSV),
    Call("POST", WRITE, {"precision": "s"}, content="energy,household={id} voltage=230 1715335200", status=204),
    Call("POST", WRITE, {"precision": "s"}, content="dongle-{id} energyImported=5 1715335200", status=204),
    Call("POST", WRITE, {"precision": "s"}, content="meter-{id} meterPowerImported=0.2 1715335200", status=204),
]
NAMES = [f"{call.method} {call.path} {(call.content or '')[:9]}" for call in CALLS]


def refused(call: Call) -> int:
    """What an unknown household is answered; of a line of line protocol InfluxDB's writers expect another status."""
    return 400 if call.path == WRITE else 404


# --- learnt by any question -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_any_call_about_a_household_that_the_account_manager_knows_is_answered(shared: Side, call: Call) -> None:
    household = shared.users[CALLS.index(call)]
    answer = call.make(shared.api, household)
    assert answer.status_code == call.status, answer.text
    told = shared.api.get(f"/households/{household}").json()
    assert (told["country"], told["timezone"], told["contracted_power_kva"]) == ("PT", "Europe/Lisbon", 6.9)
    assert shared.server.asked_users().count(household) == 1


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_any_call_about_a_household_that_nobody_knows_is_refused(shared: Side, call: Call) -> None:
    household = new_id()
    answers = [call.make(shared.api, household) for _ in range(3)]
    assert [one.status_code for one in answers] == [refused(call)] * 3
    assert household in answers[0].text
    assert shared.server.asked_users().count(household) <= 1


def test_the_correlation_id_of_the_question_goes_on_to_the_account_manager(shared: Side) -> None:
    told = "11111111-2222-3333-4444-555555555555"
    shared.api.get(f"/households/{shared.server.add()}", headers={"X-Correlation-ID": told})
    assert shared.server.requests[-1].headers["x-correlation-id"] == told


def test_a_user_sees_their_own_household_at_their_first_call_and_no_other(shared: Side) -> None:
    household, other = shared.server.add(), shared.server.add()
    token = shared.api.service.token(sub=household)
    assert shared.api.get(f"/households/{household}", token=token).status_code == 200
    expect_error(shared.api.get(f"/households/{other}", token=token), 403)
    assert other not in shared.server.asked_users()


def test_of_several_users_one_that_nobody_knows_is_named(shared: Side) -> None:
    known, stranger = shared.server.add(), new_id()
    told = expect_error(shared.api.get("/energy-consumption-last", {"user_ids": f"{known},{stranger}"}), 404)
    assert told["error"] == f"there is no household '{stranger}'"
    assert shared.api.get("/energy-consumption-last", {"user_ids": known}).status_code == 200


def test_deleting_a_household_that_is_not_here_asks_nobody(shared: Side) -> None:
    household = shared.server.add()
    expect_error(shared.api.call("DELETE", f"/households/{household}"), 404)
    assert household not in shared.server.asked_users()


def test_a_device_cannot_find_out_which_households_there_are(shared: Side) -> None:
    device = shared.api.post(f"/households/{shared.home()}/tokens", {"write": True}).json()["token"]
    other = shared.server.add()
    for line in (f"energy,household={other} voltage=230 1715335200", f"dongle-{other} voltage=230 1715335200"):
        assert shared.write(line, token=device).status_code == 403
    assert other not in shared.server.asked_users()


def test_lines_of_learnt_households_are_kept_and_those_of_nobody_named(shared: Side) -> None:
    first, second = shared.server.add(), shared.server.add()
    lines = [
        f"energy,household={first} voltage=230 1715335200",
        "nobodys voltage=230 1715335200",
        f"energy,household={second} voltage=231 1715335200",
        "energy,household=nobody voltage=230 1715335200",
    ]
    answer = shared.write("\n".join(lines))
    assert answer.status_code == 400
    assert "2 of 4 lines are refused" in answer.json()["message"]
    assert [shared.api.get(f"/households/{one}/last").json()["channels"][0]["value"] for one in (first, second)] == [
        230,
        231,
    ]


# --- known households do not need it ----------------------------------------------------------------------------------


def test_a_known_household_is_answered_without_a_question(shared: Side) -> None:
    household = shared.home()
    before = shared.server.asked_users().count(household)
    for call in CALLS:
        call.make(shared.api, household)
    assert before == shared.server.asked_users().count(household) == 1


OUTAGES: dict[str, Callable[[AccountServer], None]] = {
    "refuses connections": lambda server: server.goes_down(),
    "is silent": lambda server: server.fails("silent"),
    "is slow": lambda server: server.fails(delay_s=5),
    "drips": lambda server: server.fails("drip"),
    "drips its headers": lambda server: server.fails("slow head"),
    "answers 500": lambda server: server.fails(status=500),
    "answers 401": lambda server: server.fails(status=401),
    "cuts its answers off": lambda server: server.fails("truncated"),
    "answers malformed JSON": lambda server: server.fails("malformed"),
    "answers another shape": lambda server: server.fails("wrong shape"),
    "answers a 404 that is none of its own": lambda server: server.answers("/user", {"detail": "Not Found"}, 404),
}


@pytest.mark.parametrize(
    ("database", "outage"),
    [*(("sqlite", outage) for outage in OUTAGES), ("postgresql", "refuses connections")],
    indirect=["database"],
)
def test_while_the_account_manager_fails_known_households_are_answered_and_unknown_ones_503(
    shared: Side, outage: str
) -> None:
    side = shared
    household, unknown = side.home(), side.server.add()
    OUTAGES[outage](side.server)
    for call in (CALLS[0], CALLS[11], CALLS[13]):  # fewer in a row than have it left alone for a while
        began_s = time.monotonic()
        told = expect_error(refusal := call.make(side.api, unknown), 503, "unavailable")
        assert time.monotonic() - began_s < TIMEOUT_S + 5
        assert told["error"].startswith(f"household '{unknown}' is not known here, and whether there is an account")
        assert int(refusal.headers["Retry-After"]) >= 1
    for call in CALLS:
        assert call.make(side.api, household).status_code in (200, 201, 204), call
    assert side.write(f"dongle-{household} voltage=230 1715335200").status_code == 204
    refusal = side.write(f"energy,household={unknown} voltage=230 1715335200")
    assert refusal.status_code == 503
    assert refusal.headers["Retry-After"]
    found = {one["id"] for one in side.api.get("/households", {"limit": 1000}).json()["households"]}
    assert household in found
    assert unknown not in found
    side.server.recovers()
    side.server.comes_up()
    side.server.answers_as_always()
    assert side.api.get(f"/households/{unknown}").status_code == 200


def test_lines_of_known_households_are_kept_while_it_cannot_be_asked_for_the_others(side: Side) -> None:
    household, unknown = side.home(with_readings=False), side.server.add()
    side.server.goes_down()
    lines = f"dongle-{household} voltage=230 1715335200\ndongle-{unknown} voltage=231 1715335200"
    answer = side.write(lines)
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("lines of known households are kept; whose a dongle or meter is")
    assert side.api.get(f"/households/{household}/last").json()["channels"][0]["value"] == 230
    side.server.comes_up()

    def is_taken() -> bool:
        return side.write(lines).status_code == 204

    wait_until(is_taken, 30)
    assert side.api.get(f"/households/{unknown}/last").json()["channels"][0]["value"] == 231


def test_a_flood_of_unknown_households_does_not_hold_up_the_known_ones(database: Callable[[], str]) -> None:
    with (
        AccountServer() as server,
        RunningService(settings(database(), server, ACCOUNT_TIMEOUT_S="60")) as service,
        ThreadPoolExecutor(80) as pool,
    ):
        side = Side(Api(service), server)
        household = side.home()
        server.fails("silent")
        unknown = [server.add() for _ in range(80)]
        waiting = [pool.submit(service.call, "GET", f"/households/{one}") for one in unknown]
        wait_until(lambda: len(server.asked_users()) > 8, 30)  # as many as may ask at a time
        paths = [f"/households/{household}", f"/households/{household}/last"] * 10
        answered = [side.api.get(path).status_code for path in paths]
        pending = sum(not one.done() for one in waiting)
        assert (answered, pending) == ([200] * 20, 80)
        server.goes_down()
        assert {one.result().status_code for one in waiting} == {503}


def test_it_is_found_again_after_an_outage_and_health_tells_both(side: Side) -> None:
    def state() -> Any:
        return side.api.get("/health").json()["dependencies"]["account_manager"]

    assert state() == "ok"
    side.server.goes_down()
    household = side.server.add()
    for _ in range(6):
        expect_error(side.api.get(f"/households/{household}"), 503)
    assert state() == "down"
    assert side.api.get("/health").json()["status"] == "degraded"
    side.server.comes_up()
    wait_until(lambda: side.api.get(f"/households/{household}").status_code == 200, 30)
    assert state() == "ok"


# --- kept current -----------------------------------------------------------------------------------------------------


def test_what_the_account_manager_changes_is_seen_after_a_while(database: Callable[[], str]) -> None:
    with AccountServer() as server, RunningService(settings(database(), server, ACCOUNT_TTL_S="1")) as service:
        side = Side(Api(service), server)
        household = side.home()
        patch = {"timezone": "Atlantic/Azores", "name": "By the sea"}
        assert side.api.call("PATCH", f"/households/{household}", json=patch).status_code == 200
        server.users[household] |= {"contracted_power": "13.8 kVA", "api_key": "another", "postal_code": "9500-321"}

        def told() -> Any:
            side.api.get("/energy-consumption-last", {"user_ids": household})
            return side.api.get(f"/households/{household}").json()

        wait_until(lambda: told()["contracted_power_kva"] == 13.8, 30)
        found = told()
        assert (found["api_key"], found["postal_code"]) == ("another", "9500-321")
        assert (found["timezone"], found["name"]) == ("Atlantic/Azores", "By the sea")
        assert side.write("another voltage=230 1715335200").status_code == 204


def test_two_services_over_one_store_learn_each_household_once(database: Callable[[], str]) -> None:
    url = database()
    with (
        AccountServer() as server,
        RunningService(settings(url, server, ACCOUNT_TIMEOUT_S="30")) as first,
        RunningService(settings(url, server, ACCOUNT_TIMEOUT_S="30")) as second,
        ThreadPoolExecutor(20) as pool,
    ):
        households = [server.add() for _ in range(10)]
        server.fails(delay_s=0.2)
        asked = [(one, household) for household in households for one in (first, second) for _ in range(4)]
        answers = list(pool.map(lambda one: one[0].call("GET", f"/households/{one[1]}").status_code, asked))
        assert answers == [200] * 80
        assert max(server.asked_users().count(one) for one in households) <= 2
        found = [one["id"] for one in first.call("GET", "/households").json()["households"]]
        assert sorted(found) == sorted(households)


def test_without_an_account_manager_the_service_knows_its_own_households_alone(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'statistics.sqlite3'}"
    with RunningService({"DATABASE_URL": url}) as service:
        api = Api(service)
        expect_error(api.get(f"/households/{secrets.token_hex(5)}"), 404)
        assert "account_manager" not in api.get("/health").json()["dependencies"]
