"""Whatever a client sends, on any route: no 5xx but the documented ones, and every refusal in the one shape.

FUZZ_EXAMPLES=2000 looks deeper, and anew each time.
"""

from __future__ import annotations

import gzip
import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from homes import BASE, WRITE, Api, Home, channel, expect_error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_answer_formats import ARROW, PARQUET, as_arrow, as_csv, as_parquet, as_table, table_of
from test_tariffs_and_contracts import AS_YAML
from test_who_may_call import CONTRACTS, PRICES, ROUTES, SWAP, TARIFF

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def examples(store: str) -> int:
    """How many each test has: on PostgreSQL fewer, as all but the store is the same, and that has a contract."""
    return EXAMPLES if store == "sqlite" else -(-EXAMPLES // 4)


HOSTILE = [
    "", " ", "0", "-1", "1e999", "NaN", "Infinity", "null", "true", "9" * 25, "9" * 400, "1.5", "60",
    "\0", "a\0b", "\n", "\ud7ff", "\u202e", "é", "x" * 65, "x" * 2000, "%", "%00", "[]", "{}", ",", ",,,",
    "'; DROP TABLE households;--", "../../etc/passwd",
    "2024-05-10", "2024-05-10T10:00:00Z", "2024-05-10T10:00:00+02:00", "2024-02-30", "1970-01-01", "0001-01-01",
    "2199-12-31", "2200-01-01", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+14:00",
    "2024-W19-5", "2024-05-10T10:00:00.123456789Z", "24:00", "2024-05-10T24:00:00Z",
    "15_mins", "hourly", "daily", "weekly", "monthly", "yearly", "billing", "total", "seven_day_windows",
    "UTC", "Europe/Lisbon", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Monrovia", "posixrules", "localtime",
    "energy_import", "energy_consumption", "self_consumption_rate", "voltage", "power_import,voltage_l1",
    "monday", "sunday", "json", "csv", "ndjson", "arrow", "parquet", "glitch", "PLAUSIBLE", "ns", "s", "fortnight",
]  # fmt: skip
NAMES = [
    "measures", "start", "end", "group_by", "timezone", "meter", "week_start", "format", "households", "total",
    "quantity", "verdict", "limit", "after", "user_id", "user_ids", "start_date", "end_date", "forecast_day",
    "delivery_time", "as_of", "start_datetime", "end_datetime", "precision", "org", "compare",
]  # fmt: skip

texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 1e300, -1e300, 1.7e308, 5e-324, 2**31, 2**53, 2**63, 2**64, 1715335200]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
REGISTER = {"quantity": "energy_import", "kind": "register", "unit": "kWh", "modulus": 1e5, "max_power_w": 1e4}
BODIES: list[Any] = [
    {"timezone": "UTC", "country": "PT", "billing_day": 1, "contracted_power_kva": 6.9, "api_key": "k", "name": "n"},
    {**REGISTER, "resolution": 0.1, "gap_limit_s": 3600},
    SWAP,
    {"write": True, "label": "hub", "lifetime_days": 1},
    TARIFF,
    CONTRACTS,
    PRICES,
    {"household": "HOME", "readings": [channel(), channel(kind="interval", interval="PT15M", stamp="end")]},
]


@st.composite
def mutated(draw: st.DrawFn, bodies: list[Any] = BODIES) -> Any:
    """A good body with something wrong in it, at any depth."""
    body = json.loads(json.dumps(draw(st.sampled_from(bodies))))
    for _ in range(draw(st.integers(0, 2))):
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.integers(0, 5)) == 0:
                place[draw(texts)] = draw(anything)
            else:
                place[key] = draw(anything)
            break
    return body


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Some bytes of a body replaced, cut out, or put in."""
    out = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, max(len(out) - 1, 0)))
        last = min(first + draw(st.integers(0, 8)), len(out))
        out[first:last] = draw(st.binary(max_size=8))
    return bytes(out)


@pytest.fixture(scope="module")
def lived_in(api: Api) -> Home:
    """A home with readings, whose data the questions go to."""
    home = Home(api, timezone="Europe/Lisbon")
    home.write()
    home.write(quantity="voltage", kind="sample", unit="V")
    return home


@pytest.fixture(scope="module")
def lived_in_postgres(postgres_api: Api) -> Home:
    home = Home(postgres_api, timezone="Europe/Lisbon")
    home.write()
    return home


def expect_no_failure(answer: httpx.Response, path: str) -> None:
    assert answer.status_code < 500 or (path.endswith("-producer") and answer.status_code == 503), answer.text
    assert "x-correlation-id" in answer.headers
    if answer.status_code >= 400:
        if path == WRITE:
            assert {"code", "message"} <= set(answer.json())
        else:
            expect_error(answer, answer.status_code)


def send(api: Api, method: str, place: str, query: list[tuple[str, str]], **more: Any) -> httpx.Response:
    target = place + ("?" + urlencode(query) if query else "")
    headers = {"Authorization": f"Bearer {api.service_token}", **more.pop("headers", {})}
    return api.client.request(method, target, headers=headers, **more)


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", ROUTES)
def test_no_query_and_no_body_makes_a_route_fail(request: pytest.FixtureRequest, name: str, store: str) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")
    method, path = name.split(" ")
    good = {k: v.replace("{household}", home.id) for k, v in (ROUTES[name].query or {}).items()}
    own = st.sampled_from([*good, *NAMES])
    is_fatal = method in ("DELETE", "PUT") and not path.endswith("/contracts")

    @settings(fuzzed, max_examples=examples(store))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        parts = {
            "household": data.draw(texts if is_fatal else st.one_of(st.just(home.id), texts)),
            "meter": data.draw(st.one_of(st.just("grid"), texts)),
            "event_id": data.draw(st.one_of(st.integers(-(2**70), 2**70).map(str), texts)),
            "token_id": data.draw(texts),
            "tariff": data.draw(st.one_of(st.sampled_from(["fuzz", "pt-btn-simples"]), texts)),
            "series": data.draw(st.one_of(st.just("fuzz"), texts)),
            "group": data.draw(st.one_of(st.just("fuzz"), texts)),
        }
        place = path.format(**{k: quote(v, safe="", errors="replace") for k, v in parts.items()})
        query = dict(good)
        query |= data.draw(st.dictionaries(own, texts, max_size=3))
        pairs = list(query.items()) + data.draw(st.lists(st.tuples(st.one_of(own, texts), texts), max_size=2))
        if data.draw(st.integers(0, 3)) == 0:
            pairs = [pair for pair in pairs if data.draw(st.booleans())]
        more: dict[str, Any] = {}
        if method in ("PUT", "POST", "PATCH"):
            told = data.draw(st.one_of(mutated(), anything))
            more["content"] = json.dumps(told).replace("HOME", home.id).encode()
        expect_no_failure(send(home.api, method, place, pairs, **more), path)

    run()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.parametrize("media", ["application/json", "text/csv", ARROW, PARQUET])
def test_no_damage_to_a_body_of_readings_makes_the_service_fail(
    request: pytest.FixtureRequest, media: str, store: str
) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")
    rows = table_of(home.id, [channel(), channel(meter="b", kind="interval", interval="PT15M")])
    whole = {
        "application/json": lambda: json.dumps({"household": home.id, "readings": [channel()]}).encode(),
        "text/csv": lambda: as_csv(rows),
        ARROW: lambda: as_arrow(as_table(rows)),
        PARQUET: lambda: as_parquet(as_table(rows)),
    }[media]()

    @settings(fuzzed, max_examples=4 * examples(store))
    @given(damaged(whole), st.booleans())
    def run(body: bytes, packed: bool) -> None:
        headers = {"Content-Type": media, **({"Content-Encoding": "gzip"} if packed else {})}
        body = gzip.compress(body) if packed else body
        expect_no_failure(send(home.api, "POST", f"{BASE}/readings", [], content=body, headers=headers), "/readings")

    run()
    assert home.api.get("/health").status_code == 200


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("path", "media", "whole"),
    [
        ("/tariffs/fuzz", "application/yaml", AS_YAML),
        ("/tariffs/fuzz", "application/json", json.dumps(TARIFF)),
        (
            "/series/fuzz-csv",
            "text/csv",
            "# unit: EUR/MWh\n# interval: PT1H\nstart,value\n2026-01-01T00:00:00Z,105.37\n",
        ),
        ("/series/fuzz-json", "application/json", json.dumps(PRICES)),
    ],
)
def test_no_damage_to_a_tariff_or_to_prices_makes_the_service_fail(
    request: pytest.FixtureRequest, path: str, media: str, whole: str, store: str
) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")

    @settings(fuzzed, max_examples=4 * examples(store))
    @given(damaged(whole.encode()))
    def run(body: bytes) -> None:
        headers = {"Content-Type": media}
        expect_no_failure(send(home.api, "PUT", BASE + path, [], content=body, headers=headers), path)

    run()
    for place in (path, path.rpartition("/")[0]):
        assert home.api.get(place).status_code in (200, 404)


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.parametrize("path", ["/tariffs/fuzz", "/series/fuzz", "CONTRACTS"])
def test_no_tariff_no_prices_and_no_contracts_make_the_service_fail(
    request: pytest.FixtureRequest, path: str, store: str
) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")
    contract = {**CONTRACTS["contracts"][0], "tariff": "pt-btn-simples", "flow": "import", "to": "2027-01-01"}
    good = {"/tariffs/fuzz": TARIFF, "/series/fuzz": PRICES, "CONTRACTS": {"contracts": [contract]}}[path]
    place = f"{home.path}/contracts" if path == "CONTRACTS" else path

    @settings(fuzzed, max_examples=4 * examples(store))
    @given(mutated([good]))
    def run(body: Any) -> None:
        expect_no_failure(send(home.api, "PUT", BASE + place, [], content=json.dumps(body).encode()), place)
        expect_no_failure(send(home.api, "GET", BASE + place, []), place)

    run()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_readings_make_the_service_fail(request: pytest.FixtureRequest, store: str) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")

    @settings(fuzzed, max_examples=4 * examples(store))
    @given(mutated(BODIES[-1:]))
    def run(body: Any) -> None:
        content = json.dumps(body).replace("HOME", home.id).encode()
        expect_no_failure(send(home.api, "POST", f"{BASE}/readings", [], content=content), "/readings")

    run()
    assert home.ask_raw("energy_import,voltage", "daily", "1999-01-01", "2100-01-01").status_code == 200


words = st.one_of(
    texts, st.sampled_from(["energyImported", "voltage", "1.8.0", "household", "meter", "HOME", "\\", "\\ ", '"'])
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    value = draw(
        st.one_of(words, numbers.map(str), st.sampled_from(["1i", "1u", "t", '"a"', '"a', "", "1e5", ".5", "-"]))
    )
    at = draw(st.one_of(st.just("1715335200000000000"), numbers.map(str), words))
    tags = "".join(f",{draw(words)}={draw(words)}" for _ in range(draw(st.integers(0, 2))))
    house = draw(st.sampled_from(["energy,household=HOME", "energy,household=HOME,meter=grid", draw(words)]))
    field = draw(st.sampled_from(["energyImported", "powerImported", "meterPowerImported", draw(words)]))
    return f"{house}{tags} {field}={value} {at}"


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_line_makes_the_line_protocol_fail(request: pytest.FixtureRequest, store: str) -> None:
    home: Home = request.getfixturevalue("lived_in" if store == "sqlite" else "lived_in_postgres")

    @settings(fuzzed, max_examples=4 * examples(store))
    @given(st.lists(lines(), max_size=4), st.sampled_from(["ns", "us", "ms", "s", "", "h"]))
    def run(told: list[str], precision: str) -> None:
        content = "\n".join(told).replace("HOME", home.id).encode("utf-8", "replace")
        expect_no_failure(send(home.api, "POST", WRITE, [("precision", precision)], content=content), WRITE)

    run()


@pytest.mark.parametrize("name", ["GET /households/{household}/statistics", "GET /statistics", "POST /readings"])
def test_no_header_makes_a_route_fail(lived_in: Home, name: str) -> None:
    method, path = name.split(" ")
    visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
    told = st.one_of(
        visible, st.sampled_from(["text/csv;q=x", "*/*;q=0", ";", ",", "gzip", "Bearer .", "Bearer ..", "x" * 9000])
    )
    query = [("measures", "energy_import"), ("start", "2024-05-10"), ("end", "2024-05-11")]
    query += [("households", lived_in.id)] if path == "/statistics" else []

    @settings(fuzzed, max_examples=4 * EXAMPLES)
    @given(st.dictionaries(st.sampled_from(["Accept", "Content-Type", "Content-Encoding", "X-Correlation-ID",
                                            "Authorization", "Range", "If-Match", "Host"]), told))  # fmt: skip
    def run(headers: dict[str, str]) -> None:
        place = BASE + path.format(household=lived_in.id)
        expect_no_failure(send(lived_in.api, method, place, query, headers=headers), path)

    run()
