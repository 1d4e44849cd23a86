"""The sources of carbon intensities: what is asked of each, what is read, and what is nonsense."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from measured import HOUR_US, us
from upstream_server import UpstreamServer

from statistics_manager_service.bootstrap.feeds import carbon_source
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import Declined, StatisticsError, Unavailable
from statistics_manager_service.feeds.electricity_maps import ElectricityMaps
from statistics_manager_service.feeds.neso import Neso
from statistics_manager_service.feeds.sentinel import Sentinel
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.carbon.carbon import IntensitySource
from statistics_manager_service.services.carbon.intensities import ToldIntensity
from statistics_manager_service.settings import Settings

SENTINEL = "/data/inesctec/forecast/co2-intensity"
MAPS = "/v3/carbon-intensity/forecast"
NESO = "/intensity/2024-03-31T00:00Z/fw48h"
START, END = us("2024-03-31"), us("2024-03-31T23:00:00")


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def upstream(server: UpstreamServer, name: str, **more: Any) -> Upstream:
    return Upstream(name, server.url, **{"timeout_s": 2, "attempts": 1, **more})


def sentinel(server: UpstreamServer, **more: Any) -> Sentinel:
    return Sentinel(upstream(server, "the sentinel API", **more), server.url)


def maps(server: UpstreamServer, **more: Any) -> ElectricityMaps:
    return ElectricityMaps(upstream(server, "Electricity Maps", **more))


def neso(server: UpstreamServer, **more: Any) -> Neso:
    return Neso(upstream(server, "NESO", **more))


def record(hour: int, value: Any = 100, **more: Any) -> dict[str, Any]:
    return {
        "datetime": f"2024-03-31T{hour:02d}:00:00Z",
        "request": "2024-03-30T17:00:00Z",
        "value": value,
        "unit": "gCO2eq/kWh",
        "quality": "good",
        "updated_at": "2024-03-30T17:05:00Z",
        **more,
    }


def page(*records: Any, **more: Any) -> dict[str, Any]:
    return {"data": list(records), "next_url": None, "process_time": 0.1, "rc": 0, **more}


def forecast(*values: Any, **more: Any) -> dict[str, Any]:
    told = [{"carbonIntensity": one, "datetime": f"2024-03-31T{i:02d}:00:00.000Z"} for i, one in enumerate(values)]
    return {"zone": "PT", "forecast": told, "updatedAt": "2024-03-30T17:00:00.000Z", **more}


def slot(half_hour: int, told: Any, actual: Any = None, **more: Any) -> dict[str, Any]:
    at = [f"2024-03-31T{i // 2:02d}:{i % 2 * 30:02d}Z" for i in (half_hour, half_hour + 1)]
    intensity = {"forecast": told, "actual": actual, "index": "low"}
    return {"from": at[0], "to": at[1], "intensity": intensity, **more}


# --- what is asked and read -------------------------------------------------------------------------------------------


def test_sentinel_is_asked_for_the_day_and_each_run_is_an_issue(server: UpstreamServer) -> None:
    late = record(1, 90.5, request="2024-03-31T05:00:00Z", quality=None, updated_at=None, unit="kgCO2eq/kWh")
    server.answers(SENTINEL, page(record(0), record(1), {**late, "value": 0.0905}, record(2, None)))
    found = sentinel(server).fetch("PT", START, END)
    (request,) = server.requests
    assert request.query == {"geo_id": "1", "start_date": "2024-03-31T00:00:00Z", "end_date": "2024-03-31T23:00:00Z"}
    first, updated = us("2024-03-30T17:00:00"), us("2024-03-30T17:05:00")
    assert found == [
        ToldIntensity(START, HOUR_US, 100_000, "forecast", first, updated, "good"),
        ToldIntensity(START + HOUR_US, HOUR_US, 100_000, "forecast", first, updated, "good"),
        ToldIntensity(START + HOUR_US, HOUR_US, 90_500, "forecast", us("2024-03-31T05:00:00"), None, None),
    ]


def test_sentinel_pages_are_followed_on_the_same_host_with_the_token(server: UpstreamServer) -> None:
    server.answers(SENTINEL, page(record(0), next_url="/data/more?geo_id=1&page=2"))
    server.answers("/data/more", lambda query, _: page(record(1), next_url=f"{server.url}/last?after={query['page']}"))
    server.answers("/last", page(record(2)))
    source = sentinel(server, headers={"Authorization": "Bearer secret"})
    assert [one.start_us for one in source.fetch("PT", START, END)] == [START + i * HOUR_US for i in range(3)]
    assert [(one.path, one.query.get("after")) for one in server.requests[1:]] == [("/data/more", None), ("/last", "2")]
    assert {one.headers["authorization"] for one in server.requests} == {"Bearer secret"}


@pytest.mark.parametrize("where", ["http://{other}/x", "//{other}/x", "https://127.0.0.1:{port}/x", "ftp://a/", "http://[",
                                   "http://user:pw@127.0.0.1:{port}/x", "file:///etc/passwd"])  # fmt: skip
def test_sentinel_is_not_followed_to_another_host(server: UpstreamServer, where: str) -> None:
    with UpstreamServer() as other:
        other.answers("/x", page(record(1)))
        url = where.format(other=f"127.0.0.1:{other.port}", port=server.port)
        server.answers(SENTINEL, page(record(0), next_url=url))
        with pytest.raises(Unavailable, match="next_url"):
            sentinel(server).fetch("PT", START, END)
        assert (len(server.requests), other.requests) == (1, [])


def test_sentinel_pages_without_end_are_nonsense(server: UpstreamServer) -> None:
    server.answers(SENTINEL, page(record(0), next_url=SENTINEL))
    with pytest.raises(Unavailable, match="more than 3 pages"):
        sentinel(server).fetch("PT", START, END)
    assert len(server.requests) == 3


def test_electricity_maps_is_asked_for_the_zone_with_its_token(server: UpstreamServer) -> None:
    server.answers(MAPS, forecast(100, None, 90.5))
    found = maps(server, headers={"auth-token": "secret"}).fetch("PT", START, END)
    (request,) = server.requests
    assert (request.query, request.headers["auth-token"]) == ({"zone": "PT"}, "secret")
    issued = us("2024-03-30T17:00:00")
    assert found == [
        ToldIntensity(START + i * HOUR_US, HOUR_US, mg, "forecast", issued, issued)
        for i, mg in ((0, 100_000), (2, 90_500))
    ]


def test_neso_tells_half_hours_and_what_was_measured(server: UpstreamServer) -> None:
    server.answers(NESO, {"data": [slot(0, 100, 104), slot(1, 90), slot(2, None)]})
    found = neso(server).fetch("GB", START, END)
    half = 2 * QUARTER_US
    assert found == [
        ToldIntensity(START, half, 100_000, "forecast"),
        ToldIntensity(START, half, 104_000, "measured"),
        ToldIntensity(START + half, half, 90_000, "forecast"),
    ]
    assert [one.path for one in server.requests] == [NESO]


def test_each_source_knows_its_zones_and_says_its_method(server: UpstreamServer) -> None:
    known = {one.name: [zone for zone in ("PT", "GB", "FR") if one.serves(zone)] for one in all_of(server)}
    assert known == {"sentinel": ["PT"], "electricity_maps": ["PT", "GB", "FR"], "neso": ["GB"]}
    assert [one.method.boundary for one in all_of(server)] == ["lifecycle", "lifecycle", "direct"]


# --- nonsense and trouble ---------------------------------------------------------------------------------------------


def all_of(server: UpstreamServer, **more: Any) -> list[IntensitySource]:
    return [sentinel(server, **more), maps(server, **more), neso(server, **more)]


NONSENSE: dict[str, tuple[str, Any]] = {
    "a list": (SENTINEL, []),
    "no data": (SENTINEL, {}),
    "a bare record": (SENTINEL, record(0)),
    "no unit": (SENTINEL, page({k: v for k, v in record(0).items() if k != "unit"})),
    "another unit": (SENTINEL, page(record(0), record(1, unit="lb/MWh"))),
    "a negative value": (SENTINEL, page(record(0), record(1, -1))),
    "a value too high": (SENTINEL, page(record(0), record(1, 2000.5))),
    "a value too high in kg": (SENTINEL, page(record(0, 100, unit="kgCO2eq/kWh"))),
    "a value of text": (SENTINEL, page(record(0, "100"))),
    "NaN as text": (SENTINEL, page(record(0, "NaN"))),
    "a truth value": (SENTINEL, page(record(0, True))),
    "no request": (SENTINEL, page(record(0, request=None))),
    "an instant that is none": (SENTINEL, page(record(0, datetime="soon"))),
    "an instant off the quarters": (SENTINEL, page(record(0, datetime="2024-03-31T00:07:00Z"))),
    "values 5 hours apart and 45 minutes": (SENTINEL, page(record(0), record(1, datetime="2024-03-31T00:45:00Z"))),
    "a next_url that is a number": (SENTINEL, page(record(0), next_url=5)),
    "maps: another zone": (MAPS, forecast(100, zone="ES")),
    "maps: another method": (MAPS, forecast(100, emissionFactorType="direct")),
    "maps: no time of issue": (MAPS, {k: v for k, v in forecast(100).items() if k != "updatedAt"}),
    "maps: a negative value": (MAPS, forecast(100, -5)),
    "maps: a value too high": (MAPS, forecast(1e9)),
    "maps: null": (MAPS, None),
    "neso: an error in place of data": (NESO, {"error": {"code": "500", "message": "internal"}}),
    "neso: a slot of a day": (NESO, {"data": [slot(0, 100, to="2024-04-01T00:00Z")]}),
    "neso: a slot of no time": (NESO, {"data": [slot(0, 100, to="2024-03-31T00:00Z")]}),
    "neso: a value too high": (NESO, {"data": [slot(0, 100), slot(1, 5000)]}),
    "neso: a measured value below 0": (NESO, {"data": [slot(0, 100, -1)]}),
    "neso: a number in place of an intensity": (NESO, {"data": [slot(0, 100, intensity=100)]}),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, what: str) -> None:
    path, answer = NONSENSE[what]
    server.answers(path, answer)
    source = next(one for one, place in zip(all_of(server), (SENTINEL, MAPS, NESO), strict=True) if place == path)
    with pytest.raises(Unavailable, match="answered nonsense: ") as told:
        source.fetch("PT", START, END)
    assert len(told.value.sentence) < 300


def test_a_bare_nan_is_no_json(server: UpstreamServer) -> None:
    body = json.dumps(page(record(0, float("nan"))))
    assert "NaN" in body
    server.answers(SENTINEL, body)
    with pytest.raises(Unavailable, match="no JSON"):
        sentinel(server).fetch("PT", START, END)


@pytest.mark.parametrize("source", [0, 1, 2])
@pytest.mark.parametrize(
    "way", ["truncated", "malformed", "wrong shape", "closed", "reset", "silent", "drip", "garbage"]
)
def test_a_source_in_trouble_is_worth_a_retry_and_never_waited_for(
    server: UpstreamServer, way: str, source: int
) -> None:
    for path, answer in ((SENTINEL, page(record(0))), (MAPS, forecast(1)), (NESO, {"data": [slot(0, 1)]})):
        server.answers(path, answer)
    one = all_of(server, timeout_s=0.4)[source]
    assert one.fetch("PT", START, END), "it answers while it is well"
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        one.fetch("PT", START, END)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("status", "error"), [(500, Unavailable), (503, Unavailable), (429, Unavailable),
                                               (401, Unavailable), (400, Declined), (404, Declined)])  # fmt: skip
def test_a_status_says_whether_to_try_again(server: UpstreamServer, status: int, error: type[Exception]) -> None:
    server.fails(status=status)
    for one in all_of(server):
        with pytest.raises(error, match=f"status {status}"):
            one.fetch("PT", START, END)


# --- the settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name"),
    [({}, None), ({"carbon_source": "neso"}, "neso"), ({"host_sentinel": "http://a"}, "sentinel"),
     ({"carbon_source": "sentinel", "host_sentinel": "http://a"}, "sentinel"),
     ({"carbon_source": "neso", "host_sentinel": "http://a"}, "neso"),
     ({"carbon_source": "none", "host_sentinel": "http://a"}, None),
     ({"carbon_source": "entsoe", "entsoe_token": "t"}, "entsoe"),
     ({"carbon_source": "electricity_maps", "electricity_maps_token": "t"}, "electricity_maps")],
)  # fmt: skip
def test_the_settings_choose_the_source(settings: dict[str, Any], name: str | None) -> None:
    found = carbon_source(Settings(**settings))
    assert (found and found.name) == name


@pytest.mark.parametrize(("chosen", "lacking"), [("sentinel", "HOST_SENTINEL"), ("entsoe", "ENTSOE_TOKEN"),
                                                 ("electricity_maps", "ELECTRICITY_MAPS_TOKEN")])  # fmt: skip
def test_a_source_that_lacks_a_setting_says_which(chosen: Any, lacking: str) -> None:
    with pytest.raises(StatisticsError, match=lacking):
        carbon_source(Settings(carbon_source=chosen))
