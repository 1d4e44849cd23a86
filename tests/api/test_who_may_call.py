"""Every route, and who may call it. A route that is not in the table fails the first test."""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from homes import BASE, END, START, WRITE, Api, Home, channel, expect_error
from servers import RunningService

import statistics_manager_service.api as routes

PERIOD = {"start_date": START, "end_date": END, "group_by": "hourly"}
ASKED = {"measures": "energy_import", "start": START, "end": END}
SWAP = {"kind": "swap", "quantity": "energy_import", "at": START, "old_end": 100, "new_start": 0}

INTENSITIES = {
    "zone": "XA",
    "kind": "measured",
    "interval": "PT1H",
    "unit": "gCO2eq/kWh",
    "at": [START],
    "value": [85.2],
}
TARIFF = {
    "title": "Two prices",
    "currency": "EUR",
    "time_zone": "Europe/Lisbon",
    "valid": {"from": "2020-01-01"},
    "parameters": {"contracted_power_kva": 6.9},
    "calendars": {
        "schedules": {"day_and_night": [{"period": "day", "from": "08:00", "to": "22:00"}, {"period": "night"}]}
    },
    "components": [
        {
            "id": "energy", "kind": "energy", "tax": "vat",
            "price": {"schedule": "day_and_night", "values": {"day": "0.1988", "night": "0.1087"}},
        },
        {"id": "standing_charge", "kind": "fixed", "basis": "per_day", "price": "0.3659", "tax": "vat"},
    ],
    "taxes": {"vat": {"rate": "0.23"}},
}  # fmt: skip
CONTRACTS = {
    "contracts": [{"tariff": "tests-tariff", "from": "2024-01-01", "parameters": {"contracted_power_kva": 10.35}}]
}
PRICES = {
    "unit": "EUR/MWh",
    "interval": "PT1H",
    "market_time_zone": "CET",
    "title": "A market",
    "at": [START],
    "value": [105.37],
}
GOALS = {"goals": [{"id": "less", "measure": "energy_import", "period": "month", "at_most": 250, "unit": "kWh"}]}
COMPARED = {
    "start": "2024-05-10",
    "end": "2024-05-11",
    "tariffs": [
        {"id": "one price", "tariff": "de-standard", "parameters": {"arbeitspreis_eur_per_kwh": 0.31}},
        {"tariff": "tests-tariff"},
    ],
}
GROUP = {
    "title": "Homes",
    "kind": "community",
    "members": [{"household": "{household}", "from": "2020-01-01"}],
    "sharing": {"sources": [{"household": "{household}", "measure": "energy_export"}], "rule": "proportional"},
}
INVOICE = {
    "start": START,
    "end": END,
    "lines": [
        {
            "label": "Energy by day", "quantity": 100.8, "unit": "kWh", "unit_price": 0.2088, "net": 21.05,
            "tax_rate": 0.23,
        }
    ],
    "total": {"gross": 25.89},
}  # fmt: skip


def named(household: str) -> dict[str, str]:
    """What stands in the paths of routes of a household, where nothing but the household need be there."""
    others = {"meter": "grid", "event_id": "1", "token_id": "0", "tariff": "tests-tariff", "series": "tests-series"}
    return {"household": household, "group": f"group-{household}", **others}


@dataclass(frozen=True)
class Stage:
    """A household with all that a route can name: a meter with readings, an event, a token; a tariff and a series."""

    home: Home
    event: int
    token: str
    tariff: str = "tests-tariff"
    series: str = "tests-series"

    def filled(self, text: str) -> str:
        own = {"event_id": self.event, "token_id": self.token, "tariff": self.tariff, "series": self.series}
        return text.format_map({**named(self.home.id), **own})


@dataclass(frozen=True)
class Route:
    """How a route is called rightly. allowed: the callers that get `status`; others known get 403, strangers 401."""

    allowed: str
    query: dict[str, str] | None = None
    body: Any = None
    lines: str = ""
    status: int = 200


#: Who is who: the home's own JWT, a device of it that reads, one that writes.
CALLERS = ("service", "own", "reader", "writer")
READ = "service own reader writer"
WRITING = "service writer"
SETTINGS = "service own"
SERVICE = "service"
ANYONE = "anyone"

_HISTORIC = ("energy-consumption", "energy-injection", "power-consumption", "power-injection", "voltage")
ROUTES: dict[str, Route] = {
    f"GET {BASE}/health": Route(ANYONE),
    f"GET {BASE}/households": Route(SERVICE),
    f"PUT {BASE}/households/{{household}}": Route(SERVICE, body={"timezone": "UTC"}),
    f"GET {BASE}/households/{{household}}": Route(READ),
    f"PATCH {BASE}/households/{{household}}": Route(SETTINGS, body={"country": "PT"}),
    f"DELETE {BASE}/households/{{household}}": Route(SERVICE, status=204),
    f"GET {BASE}/households/{{household}}/statistics": Route(READ, ASKED),
    f"GET {BASE}/households/{{household}}/energy-flows": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/explain": Route(
        READ, {"measure": "energy_import", "start": START, "end": END}
    ),
    f"GET {BASE}/households/{{household}}/last": Route(READ),
    f"GET {BASE}/households/{{household}}/forecast": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/forecast-accuracy": Route(READ),
    f"GET {BASE}/households/{{household}}/export": Route(SETTINGS),
    f"GET {BASE}/households/{{household}}/summary": Route(READ),
    f"GET {BASE}/households/{{household}}/meters": Route(READ),
    f"GET {BASE}/households/{{household}}/meters/{{meter}}": Route(READ),
    f"PUT {BASE}/households/{{household}}/meters/{{meter}}": Route(SERVICE, body={"quantity": "energy_import"}),
    f"GET {BASE}/households/{{household}}/meters/{{meter}}/readings": Route(READ),
    f"GET {BASE}/households/{{household}}/meters/{{meter}}/events": Route(READ),
    f"POST {BASE}/households/{{household}}/meters/{{meter}}/events": Route(SERVICE, body=SWAP, status=201),
    f"DELETE {BASE}/households/{{household}}/meters/{{meter}}/events/{{event_id}}": Route(SERVICE, status=204),
    f"GET {BASE}/households/{{household}}/tokens": Route(SERVICE),
    f"POST {BASE}/households/{{household}}/tokens": Route(SERVICE, body={"write": True}, status=201),
    f"DELETE {BASE}/households/{{household}}/tokens/{{token_id}}": Route(SERVICE, status=204),
    f"GET {BASE}/statistics": Route(READ, {**ASKED, "households": "{household}"}),
    f"POST {BASE}/readings": Route(WRITING, body={"household": "{household}", "readings": [channel()]}),
    f"POST {WRITE}": Route(
        WRITING, lines="energy,household={household} energyImported=100000 1715335200000000000", status=204
    ),
    **{f"GET {BASE}/{one}": Route(READ, {"user_ids": "{household}", **PERIOD}) for one in _HISTORIC},
    **{f"GET {BASE}/{one}-last": Route(READ, {"user_ids": "{household}"}) for one in _HISTORIC},
    f"GET {BASE}/power-consumed-real": Route(READ, {"user_id": "{household}", **PERIOD}),
    f"GET {BASE}/energy-consumed-forecast-vs-real": Route(READ, {"user_ids": "{household}", **PERIOD}),
    f"GET {BASE}/ecosignal-forecast": Route(READ, {"forecast_day": "2024-05-10"}, status=404),
    f"GET {BASE}/carbon-intensity": Route(READ, {"zone": "XA", "start": "2024-05-10", "end": "2024-05-11"}),
    f"POST {BASE}/carbon-intensity": Route(SERVICE, body=INTENSITIES),
    f"GET {BASE}/groups": Route(SERVICE),
    f"GET {BASE}/groups/{{group}}": Route(SERVICE),
    f"PUT {BASE}/groups/{{group}}": Route(SERVICE, body=GROUP),
    f"DELETE {BASE}/groups/{{group}}": Route(SERVICE, status=204),
    f"GET {BASE}/groups/{{group}}/statistics": Route(
        READ, {"measures": "energy_import", "start": "2024-05-10", "end": "2024-05-11"}
    ),
    f"GET {BASE}/households/{{household}}/groups": Route(READ),
    f"PUT {BASE}/households/{{household}}/groups/{{group}}": Route(SETTINGS, body={"shares": True}),
    f"GET {BASE}/households/{{household}}/comparison": Route(
        READ, {"group": "{group}", "measure": "energy_import", "start": "2024-05-01", "end": "2024-06-01"}
    ),
    f"GET {BASE}/tariffs": Route(READ),
    f"GET {BASE}/tariffs/{{tariff}}": Route(READ),
    f"PUT {BASE}/tariffs/{{tariff}}": Route(SERVICE, body=TARIFF),
    f"GET {BASE}/tariff-schema": Route(READ),
    f"GET {BASE}/households/{{household}}/cost": Route(READ),
    f"GET {BASE}/households/{{household}}/records": Route(
        READ, {"measure": "energy_import", "start": START, "end": END}
    ),
    f"GET {BASE}/households/{{household}}/goals": Route(READ),
    f"PUT {BASE}/households/{{household}}/goals": Route(SETTINGS, body=GOALS),
    f"GET {BASE}/households/{{household}}/goals/progress": Route(READ),
    f"GET {BASE}/households/{{household}}/data-quality": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/load": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/heatmap": Route(
        READ, {"measure": "energy_import", "start": START, "end": END}
    ),
    f"GET {BASE}/households/{{household}}/voltage-quality": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/degree-days": Route(READ, {"start": START, "end": END}),
    f"GET {BASE}/households/{{household}}/statement": Route(READ, {"start": START, "end": END}),
    f"POST {BASE}/households/{{household}}/compare-tariffs": Route(READ, body=COMPARED),
    f"POST {BASE}/households/{{household}}/reconcile": Route(READ, body=INVOICE),
    f"GET {BASE}/households/{{household}}/contracts": Route(READ),
    f"PUT {BASE}/households/{{household}}/contracts": Route(SETTINGS, body=CONTRACTS),
    f"GET {BASE}/series": Route(READ),
    f"GET {BASE}/series/{{series}}": Route(READ),
    f"PUT {BASE}/series/{{series}}": Route(SERVICE, body=PRICES),
    f"POST {BASE}/trigger-computed-forecast-producer": Route(
        SERVICE, {"user_id": "{household}", "forecast_day": "2024-05-10"}, status=201
    ),
    f"POST {BASE}/mock-consumption-curve-producer": Route(
        SERVICE, {"user_id": "{household}", "start_date": "2024-05-10", "delivery_time": "60"}, status=201
    ),
    f"POST {BASE}/users-get-real-data-producer": Route(
        SERVICE, {"user_id": "{household}", "start_datetime": START}, status=201
    ),
}
KEPT_FROM_STRANGERS = [name for name, route in ROUTES.items() if route.allowed != ANYONE]
#: These answer without naming a household; whoever is known may ask.
NAME_NOBODY = {
    f"GET {BASE}/{one}"
    for one in (
        "ecosignal-forecast", "carbon-intensity", "tariffs", "tariffs/{tariff}", "tariff-schema", "series",
        "series/{series}",
    )
}  # fmt: skip


def stage(api: Api) -> Stage:
    home = Home(api)
    home.write()
    event = api.post(f"{home.path}/meters/grid/events", SWAP).json()["id"]
    assert api.post("/carbon-intensity", INTENSITIES).status_code == 200
    on = Stage(home, event, home.device()["id"])
    for path, body in (
        ("/tariffs/{tariff}", TARIFF),
        ("/series/{series}", PRICES),
        (f"{home.path}/contracts", CONTRACTS),
        (f"{home.path}/goals", GOALS),
        ("/groups/{group}", json.loads(json.dumps(GROUP).replace("{household}", home.id))),
        (f"{home.path}/groups/{{group}}", {"shares": True}),
    ):
        assert api.call("PUT", on.filled(path), json=body).status_code in (200, 201)
    return on


def call(api: Api, name: str, on: Stage, token: str | None, headers: dict[str, str] | None = None) -> Any:
    method, path = name.split(" ")
    route = ROUTES[name]
    more: dict[str, Any] = {"headers": dict(headers or {})}
    if route.query is not None:
        more["params"] = {k: on.filled(v) if "{" in v else v for k, v in route.query.items()}
    if route.body is not None:
        more["json"] = json.loads(json.dumps(route.body).replace("{household}", on.home.id))
    if route.lines:
        more["content"] = on.filled(route.lines)
    return api.call(method, on.filled(path).removeprefix(BASE), token=token, **more)


def refused(answer: Any, name: str, status: int) -> None:
    assert answer.status_code == status, f"{name}: {answer.status_code} {answer.text[:200]}"
    if name == f"POST {WRITE}":
        assert set(answer.json()) == {"code", "message"}
    else:
        expect_error(answer, status)


def test_the_table_names_every_route_of_the_document(api: Api) -> None:
    document = api.get("/openapi.json", token=None).json()
    told = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert told == set(ROUTES)


def test_no_route_of_a_router_is_left_out_of_the_document(api: Api) -> None:
    document = api.get("/openapi.json", token=None).json()["paths"]
    modules = [
        importlib.import_module(f"{routes.__name__}.{one.name}") for one in pkgutil.iter_modules(routes.__path__)
    ]
    routers = [value for module in modules for value in vars(module).values() if isinstance(value, APIRouter)]
    paths = {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}
    assert len(paths) > 20
    assert {path for path in paths if path not in document and BASE + path not in document} == set()


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_health_and_documentation_need_no_token(api: Api, path: str) -> None:
    assert api.get(path, token=None).status_code == 200


def test_health_answers_at_the_root_too(api: Api) -> None:
    told = api.client.get("/health").json()
    assert (told["status"], told["dependencies"]) == ("ok", {"store": "ok"})


@pytest.fixture(scope="module")
def kept(api: Api) -> Stage:
    """A stage that no test may change: it is called by those who are refused."""
    return stage(api)


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, ""])


def forged_tokens(key: str, subject: str) -> dict[str, str]:
    """Tokens that nobody may get in with, by what is wrong with them."""
    now = int(time.time())
    good = {"sub": subject, "scope": "service", "exp": now + 3600}

    def signed(claims: dict[str, Any], with_key: str = key, algorithm: str = "HS512") -> str:
        return jwt.encode(claims, with_key, algorithm=algorithm)

    head, claims, signature = signed(good).split(".")
    other = signed({**good, "sub": "somebody"}).split(".")[1]
    return {
        "of another key": signed(good, "x" * 128),
        "alg none": unsigned(good, {"alg": "none", "typ": "JWT"}),
        "alg None": unsigned(good, {"alg": "None"}),
        "HS256": signed(good, algorithm="HS256"),
        "HS384": signed(good, algorithm="HS384"),
        "expired": signed({**good, "exp": now - 120}),
        "without exp": signed({k: v for k, v in good.items() if k != "exp"}),
        "exp of text": unsigned({**good, "exp": "tomorrow"}, {"alg": "HS512"}),
        "not yet valid": signed({**good, "nbf": now + 3600}),
        "without sub": signed({k: v for k, v in good.items() if k != "sub"}),
        "an empty sub": signed({**good, "sub": ""}),
        "claims of another": f"{head}.{other}.{signature}",
        "cut short": f"{head}.{claims}.{signature[:-8]}",
        "no signature": f"{head}.{claims}.",
        "a word": "letmein",
        "too long": "a" * 10_000,
        "deeply nested": base64.urlsafe_b64encode(b'{"alg":' + b"[" * 4000).decode() + ".e30.AA",
        "a device's that is not known": "smd_0123456789abcdef_secret",
        "a device's without a secret": "smd_0123456789abcdef",
    }


FORGED = sorted(forged_tokens("k" * 64, "somebody"))


@pytest.mark.parametrize("name", KEPT_FROM_STRANGERS)
def test_a_route_is_closed_to_whoever_has_no_token_or_a_forged_one(api: Api, kept: Stage, name: str) -> None:
    forged = forged_tokens(api.service.key, kept.home.id)
    for token in (None, *(forged[one] for one in ("of another key", "alg none", "HS256", "expired"))):
        answer = call(api, name, kept, token)
        refused(answer, name, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_token_opens_nothing(api: Api, kept: Stage, what: str) -> None:
    token = forged_tokens(api.service.key, kept.home.id)[what]
    expect_error(api.get(kept.home.path, token=None, headers={"Authorization": f"Bearer {token}"}), 401)


@pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Digest x", "", "Bearer\tx", "Token"])
def test_another_way_to_authorize_opens_nothing(api: Api, kept: Stage, header: str) -> None:
    expect_error(api.get(kept.home.path, token=None, headers={"Authorization": header}), 401, "not_authenticated")


def test_a_clock_may_be_a_minute_off(api: Api, kept: Stage) -> None:
    now = int(time.time())
    late = jwt.encode({"sub": kept.home.id, "exp": now - 30}, api.service.key, algorithm="HS512")
    early = jwt.encode({"sub": kept.home.id, "exp": now + 99, "nbf": now + 30}, api.service.key, algorithm="HS512")
    assert [api.get(kept.home.path, token=one).status_code for one in (late, early)] == [200, 200]


@pytest.mark.parametrize(
    "scope", ["services", "SERVICE", "notservice", "service-account", ["services"], {"service": 1}, 1]
)
def test_only_the_word_service_makes_a_service(api: Api, kept: Stage, scope: Any) -> None:
    token = api.service.token(sub="somebody", scope=scope)
    expect_error(api.get("/households", token=token), 403, "forbidden")


@pytest.mark.parametrize("scope", ["service", "openid service", ["openid", "service"]])
def test_the_scope_may_hold_other_words_beside_service(api: Api, scope: Any) -> None:
    assert api.get("/households", token=api.service.token(sub="x", scope=scope)).status_code == 200


@pytest.mark.parametrize("name", [one for one in ROUTES if one.startswith("GET ") and "{household}" in one])
def test_another_home_is_told_of_no_fault_in_its_query(api: Api, kept: Stage, name: str) -> None:
    path = kept.filled(name.split(" ", 1)[1]).removeprefix(BASE)
    refused(api.get(f"{path}?start=never&nonsense=1", token=Home(api).token), name, 403)


@pytest.mark.parametrize("name", [one for one in KEPT_FROM_STRANGERS if one not in NAME_NOBODY])
def test_a_route_is_closed_to_other_homes_and_their_devices(api: Api, kept: Stage, name: str) -> None:
    stranger = Home(api)
    before = kept.home.everything()
    for token in (stranger.token, stranger.device()["token"], stranger.device(write=True)["token"]):
        refused(call(api, name, kept, token), name, 403)
    assert kept.home.everything() == before


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("name", ROUTES)
def test_a_route_answers_those_who_may_call_it_and_no_one_else(api: Api, name: str, who: str) -> None:
    on = stage(api)
    tokens = {"service": lambda: "service", "own": lambda: on.home.token}
    tokens |= {"reader": lambda: on.home.device()["token"], "writer": lambda: on.home.device(write=True)["token"]}
    answer = call(api, name, on, tokens[who]())
    route = ROUTES[name]
    if route.allowed == ANYONE or who in route.allowed.split():
        assert answer.status_code == route.status, f"{name} by {who}: {answer.text[:300]}"
    else:
        refused(answer, name, 403)


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service behind FlexiHome's gateway, where a request without a token is internal."""
    path = tmp_path_factory.mktemp("trusting") / "statistics.sqlite3"
    settings = {"DATABASE_URL": f"sqlite:///{path}", "TRUST_UNAUTHENTICATED": "true"}
    with RunningService(settings) as service:
        yield Api(service)


@pytest.mark.parametrize("name", ROUTES)
def test_behind_a_gateway_a_request_without_a_token_is_the_service_itself(trusting: Api, name: str) -> None:
    answer = call(trusting, name, stage(trusting), None)
    assert answer.status_code == ROUTES[name].status, answer.text


@pytest.mark.parametrize("name", [one for one in KEPT_FROM_STRANGERS if one not in NAME_NOBODY])
def test_behind_a_gateway_a_token_still_counts(trusting: Api, name: str) -> None:
    on, stranger = stage(trusting), Home(trusting)
    refused(call(trusting, name, on, forged_tokens(trusting.service.key, on.home.id)["of another key"]), name, 401)
    refused(call(trusting, name, on, stranger.token), name, 403)
    refused(call(trusting, name, on, None, {"Authorization": ""}), name, 401)
