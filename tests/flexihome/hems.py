"""FlexiHome around the statistics manager: households with their hubs, the mobile app and the energy manager."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import jwt
from servers import RunningService

if TYPE_CHECKING:
    from neighbours import AccountDatabase, ForecastService, Sentinel

BASE = "/api/statistics"
WRITE = "/api/v2/write"
#: A query: names and values, in FlexiHome's two ways to tell lists.
Query = Mapping[str, str] | Sequence[tuple[str, str]]
ENERGY = ("energy-consumption", "energy-injection")
SAMPLED = ("power-consumption", "power-injection", "voltage")
HISTORIC = (*ENERGY, *SAMPLED)
UNITS = {
    "energy-consumption": "Wh",
    "energy-injection": "Wh",
    "power-consumption": "W",
    "power-injection": "W",
    "voltage": "V",
}
REAL, BESIDE, CARBON = "power-consumed-real", "energy-consumed-forecast-vs-real", "ecosignal-forecast"
GROUPINGS = ("15_mins", "hourly", "daily", "weekly", "monthly", "yearly")


def new_id(length: int = 10) -> str:
    """An id as FlexiHome's account manager makes them: of a-z and 0-9."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))


class Client:
    """One of FlexiHome's parts: sends a token and a new correlation id with each call, and wants the id back."""

    def __init__(self, http: httpx.Client, token: str | None) -> None:
        self._http, self._token = http, token
        self.sent_correlation_id = ""

    def call(self, method: str, path: str, query: Query = (), **headers: str) -> httpx.Response:
        """An answer, whatever its status."""
        self.sent_correlation_id = str(uuid.uuid4())
        sent = {"X-Correlation-ID": self.sent_correlation_id, "Accept": "application/json", **headers}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}".strip()
        place = path if path.startswith("/") else f"{BASE}/{path}"
        answer = self._http.request(method, place, params=_pairs(query) or None, headers=sent)
        assert answer.headers["x-correlation-id"] == self.sent_correlation_id
        return answer

    def get(self, path: str, query: Query = ()) -> Any:
        """What is answered, its numbers as decimals as they stand in the text; NaN is no JSON."""
        answer = self.call("GET", path, query)
        assert answer.status_code == 200, f"{path} {query}: {answer.status_code} {answer.text[:500]}"
        assert answer.headers["content-type"] == "application/json"
        return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_json)

    def post(self, path: str, query: Query = ()) -> Any:
        """What is answered to an event that is produced."""
        answer = self.call("POST", path, query)
        assert answer.status_code == 201, f"{path} {query}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def refused(self, status: int, path: str, query: Query = (), method: str = "GET") -> str:
        """The text of the member `error`, which FlexiHome's clients read."""
        answer = self.call(method, path, query)
        assert answer.status_code == status, f"{path} {query}: {answer.status_code} {answer.text[:500]}"
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()["error"]
        assert isinstance(told, str)
        assert told
        return told

    def metrics(self, path: str, query: Query) -> list[dict[str, Any]]:
        """The items of one user; every member that a client reads is there, and nothing else."""
        (one,) = self.get(path, query)
        assert set(one) == {"user_id", "metrics"}
        check_items(one["metrics"], "value", UNITS[path])
        found: list[dict[str, Any]] = one["metrics"]
        return found


def _pairs(query: Query) -> list[tuple[str, str]]:
    return list(query.items() if isinstance(query, Mapping) else query)


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def check_items(items: Sequence[Mapping[str, Any]], value: str, units: str) -> None:
    """Names, types and units of items, one a bucket: slots from 1, instants of UTC, two decimals at most."""
    assert [one["slot_number"] for one in items] == list(range(1, len(items) + 1))
    for one in items:
        assert set(one) == {"timestamp", value, "units", "slot_number"}
        assert time.strptime(one["timestamp"], "%Y-%m-%dT%H:%M:%SZ")
        assert one["units"] == units
        assert one[value] is None or is_rounded(one[value]), one


def is_rounded(value: Decimal) -> bool:
    """Whether a number has two decimals at most, and none of them says less than nothing."""
    return value == value.quantize(Decimal("0.01")) and not (value.is_zero() and value.is_signed())


def values(items: Sequence[Mapping[str, Any]], name: str = "value") -> list[Decimal | None]:
    return [one[name] for one in items]


def starts(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [one["timestamp"] for one in items]


class Hems:
    """A running service of one kind of store. A household is made by whoever needs one of its own."""

    def __init__(
        self, service: RunningService, forecasts: ForecastService, sentinel: Sentinel, accounts: AccountDatabase
    ) -> None:
        self.service, self.forecasts, self.sentinel, self.accounts = service, forecasts, sentinel, accounts
        self.http = httpx.Client(base_url=service.url, timeout=60)
        self.manager = Client(self.http, service.token())
        self._made: dict[str, Any] = {}

    def shared(self, make: Callable[[Hems], Any]) -> Any:
        """What is made once for each store, and that no test changes."""
        if make.__name__ not in self._made:
            self._made[make.__name__] = make(self)
        return self._made[make.__name__]

    def client(self, token: str | None) -> Client:
        return Client(self.http, token)

    def token(self, key: str | None = None, algorithm: str = "HS512", **claims: Any) -> str:
        """A JWT as FlexiHome's account manager signs them, or a wrong one."""
        told = {"exp": int(time.time()) + 3600, **claims}
        return jwt.encode(told, self.service.key if key is None else key, algorithm=algorithm)

    def write(self, lines: Sequence[str], precision: str = "ns") -> None:
        answer = self.http.post(
            WRITE,
            params={"org": "flexihome", "bucket": "interconnect-eot-meters", "precision": precision},
            content="\n".join(lines),
            headers={"Authorization": f"Token {self.service.token()}"},
        )
        assert answer.status_code == 204, answer.text[:500]


class Household:
    """A registered household; its app has its user's token."""

    def __init__(self, hems: Hems, **settings: Any) -> None:
        self.hems, self.id = hems, new_id()
        answer = hems.http.put(
            f"{BASE}/households/{self.id}",
            json=settings,
            headers={"Authorization": f"Bearer {hems.service.token()}"},
        )
        assert answer.status_code == 201, answer.text
        self.app = hems.client(hems.token(sub=self.id))
