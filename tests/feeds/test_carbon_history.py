"""The history that sources of carbon intensities tell: what is asked, in which stretches, what is measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from measured import DAY_US, HOUR_US, us
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.bootstrap.feeds import CARBON_SOURCES, carbon_source_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import Declined, StatisticsError, Unavailable
from statistics_manager_service.feeds.electricity_maps import ElectricityMaps
from statistics_manager_service.feeds.neso import Neso
from statistics_manager_service.feeds.sentinel import Sentinel
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.carbon.carbon_rows import Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity, ToldStretch
from statistics_manager_service.settings import Settings

HALF_US = 2 * QUARTER_US
MAPS = "/v3/carbon-intensity/"
START = us("2023-01-01")


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def upstream(server: UpstreamServer) -> Upstream:
    return Upstream("the source", server.url, timeout_s=2, attempts=1)


def minutes(at_us: int) -> str:
    return iso_label(at_us)[:16] + "Z"


# --- NESO -------------------------------------------------------------------------------------------------------------


def slots(begin_us: int, end_us: int, actual: Any = 104, told: Any = 100) -> list[dict[str, Any]]:
    return [
        {"from": minutes(at), "to": minutes(at + HALF_US),
         "intensity": {"forecast": told, "actual": actual, "index": "low"}}
        for at in range(begin_us, end_us, HALF_US)
    ]  # fmt: skip


def test_neso_tells_its_history_two_weeks_at_a_time(server: UpstreamServer) -> None:
    edges = [START, START + 14 * DAY_US, START + 20 * DAY_US]
    for begin, end in itertools.pairwise(edges):  # the slot before and the one after are told, too
        body = {"data": slots(begin - HALF_US, end + HALF_US)}
        server.answers(f"/intensity/{minutes(begin)}/{minutes(end)}", body)
    stretches = list(Neso(upstream(server)).history("GB", START, edges[-1]))
    assert [one[:2] for one in stretches] == [(edges[0], edges[1]), (edges[1], edges[2])]
    told = [one for stretch in stretches for one in stretch.values]
    assert {one.issued_us for one in told} == {None}
    measured = [(one.start_us, one.intensity_mg_per_kwh) for one in told if one.kind == "measured"]
    assert measured == [(at, 104_000) for at in range(START, edges[-1], HALF_US)]
    assert len(told) == 2 * len(measured), "the forecast is told beside it"


def test_neso_that_has_lost_a_measurement_has_measured_nothing(server: UpstreamServer) -> None:
    lost = [*slots(START, START + HALF_US, None), *slots(START + HALF_US, START + HOUR_US, 0)]
    server.answers(f"/intensity/{minutes(START)}/{minutes(START + HOUR_US)}", {"data": lost})
    (stretch,) = Neso(upstream(server)).history("GB", START, START + HOUR_US)
    assert [one.kind for one in stretch.values] == ["forecast", "forecast"]
    assert stretch.notes == ("measurements that were lost, told as 0: 1",)


def test_neso_tells_of_a_region_what_is_forecast(server: UpstreamServer) -> None:
    def body(region: int) -> Any:
        told = slots(START, START + HOUR_US)
        for one in told:
            del one["intensity"]["actual"]
            one["generationmix"] = [{"fuel": "gas", "perc": 43.6}]
        return {"data": {"regionid": region, "dnoregion": "UKPN London", "shortname": "London", "data": told}}

    path = f"/regional/intensity/{minutes(START)}/{minutes(START + HOUR_US)}/regionid/13"
    server.answers(path, body(13))
    server.answers(f"/regional/intensity/{minutes(START)}/fw48h/regionid/13", body(13))
    source = Neso(upstream(server))
    expected = [ToldIntensity(START + i * HALF_US, HALF_US, 100_000, "forecast") for i in (0, 1)]
    assert list(source.history("GB-13", START, START + HOUR_US)) == [ToldStretch(START, START + HOUR_US, expected)]
    assert source.fetch("GB-13", START, START + HOUR_US) == expected
    server.answers(path, body(12))
    with pytest.raises(Unavailable, match="region 12, not of 13"):
        list(source.history("GB-13", START, START + HOUR_US))
    assert [zone for zone in ("GB", "GB-1", "GB-17", "GB-0", "GB-18", "GB-NIR", "FR") if source.serves(zone)] == [
        "GB", "GB-1", "GB-17",
    ]  # fmt: skip


# --- Electricity Maps -------------------------------------------------------------------------------------------------


def past(begin_us: int, end_us: int, is_estimated: bool = False, boundary: str = "lifecycle") -> list[dict[str, Any]]:
    return [
        {"zone": "PT", "carbonIntensity": 100 + i, "datetime": iso_label(at), "updatedAt": iso_label(at + HOUR_US),
         "createdAt": iso_label(at), "emissionFactorType": boundary, "isEstimated": is_estimated,
         "estimationMethod": "TIME_SLICER_AVERAGE" if is_estimated else None}
        for i, at in enumerate(range(begin_us, end_us, HOUR_US))
    ]  # fmt: skip


def by_range(request: Request) -> Answer:
    begin, end = (parse_moment(request.query[name], "UTC", name) for name in ("start", "end"))
    return Answer({"zone": "PT", "data": past(begin, end + HOUR_US)})


def test_electricity_maps_tells_the_last_day_and_then_the_time_before_ten_days_at_a_time(
    server: UpstreamServer,
) -> None:
    end = START + 15 * DAY_US
    server.answers(MAPS + "history", {"zone": "PT", "history": past(end - DAY_US, end, True)})
    server.answers_by(MAPS + "past-range", by_range)
    source = ElectricityMaps(upstream(server))
    stretches = list(source.history("PT", START, end - HOUR_US))
    assert [(one.start_us, one.end_us) for one in stretches] == [
        (end - DAY_US, end - HOUR_US), (START, START + 10 * DAY_US), (START + 10 * DAY_US, end - DAY_US),
    ]  # fmt: skip
    told = sorted(one for stretch in stretches for one in stretch.values)
    assert [one.start_us for one in told] == list(range(START, end - HOUR_US, HOUR_US))
    assert [one.kind for one in told] == ["measured"] * 24 * 14 + ["estimated"] * 23
    assert stretches[0].values[1] == ToldIntensity(
        end - 23 * HOUR_US, HOUR_US, 101_000, "estimated", None, end - 22 * HOUR_US, "TIME_SLICER_AVERAGE"
    )
    assert server.requests[1].query == {
        "zone": "PT", "start": "2023-01-01T00:00:00Z", "end": "2023-01-11T00:00:00Z",
    }  # fmt: skip


def test_a_plan_without_ranges_tells_the_last_day_before_it_says_so(server: UpstreamServer) -> None:
    end = START + 2 * DAY_US
    server.answers(MAPS + "history", {"zone": "PT", "history": past(end - DAY_US, end)})
    server.answers(MAPS + "past-range", {"message": "not in your plan"}, 403)
    stretches = ElectricityMaps(upstream(server)).history("PT", START, end)
    assert len(next(stretches).values) == 24
    with pytest.raises(Unavailable, match="status 403"):
        next(stretches)


def test_direct_emissions_are_asked_for_and_kept_apart(server: UpstreamServer) -> None:
    source = ElectricityMaps(upstream(server), "direct", 48)
    assert source.method == Method(boundary="direct")
    server.answers(MAPS + "history", {"zone": "PT", "history": past(START, START + HOUR_US, False, "direct")})
    ((_, _, (told,), _),) = source.history("PT", START, START + HOUR_US)
    assert told.intensity_mg_per_kwh == 100_000
    server.answers(
        MAPS + "forecast",
        {"zone": "PT", "updatedAt": "2023-01-01T00:00:00Z", "emissionFactorType": "direct",
         "forecast": [{"carbonIntensity": 7, "datetime": "2023-01-01T01:00:00Z"}]},
    )  # fmt: skip
    assert len(source.fetch("PT", START, START + DAY_US)) == 1
    assert [one.query for one in server.requests] == [
        {"zone": "PT", "emissionFactorType": "direct"},
        {"zone": "PT", "emissionFactorType": "direct", "horizonHours": "48"},
    ]
    server.answers(MAPS + "history", {"zone": "PT", "history": past(START, START + HOUR_US)})
    with pytest.raises(Unavailable, match="'lifecycle', not direct"):
        list(source.history("PT", START, START + HOUR_US))


def test_what_does_not_tell_whether_it_was_estimated_is_not_taken_for_measured(server: UpstreamServer) -> None:
    bare = {"carbonIntensity": 5, "datetime": iso_label(START)}
    server.answers(MAPS + "history", {"zone": "PT", "history": [bare, {**bare, "carbonIntensity": None}]})
    ((_, _, told, _),) = ElectricityMaps(upstream(server)).history("PT", START, START + HOUR_US)
    assert [one.kind for one in told] == ["estimated"]


# --- sentinel ---------------------------------------------------------------------------------------------------------


def test_sentinel_tells_what_was_forecast_of_each_day(server: UpstreamServer) -> None:
    def answer(query: Any, _headers: Any) -> Any:
        begin = parse_moment(query["start_date"], "UTC", "start")
        told = [
            {"datetime": iso_label(begin + i * HOUR_US), "request": iso_label(begin - HOUR_US), "value": 90,
             "unit": "gCO2eq/kWh"}
            for i in range(25)
        ]  # fmt: skip
        return {"data": told, "next_url": None}

    server.answers("/data/inesctec/forecast/co2-intensity", answer)
    end = START + DAY_US + 5 * HOUR_US
    stretches = list(Sentinel(upstream(server), server.url).history("PT", START, end))
    assert [len(one.values) for one in stretches] == [24, 5]
    assert {(one.kind, one.issued_us) for one in stretches[0].values} == {("forecast", START - HOUR_US)}


# --- all of them ------------------------------------------------------------------------------------------------------

COMPLETE = {
    "host_sentinel": "http://a", "electricity_maps_token": "t", "entsoe_token": "t", "carbon_boundary": "direct",
}  # fmt: skip


@pytest.mark.parametrize("name", CARBON_SOURCES)
def test_each_source_is_made_by_its_name_or_says_which_setting_it_lacks(name: str) -> None:
    assert carbon_source_of(name, Settings(**COMPLETE)).name == name
    lacking = {"electricity_maps": "ELECTRICITY_MAPS_TOKEN", "entsoe": "ENTSOE_TOKEN", "sentinel": "HOST_SENTINEL"}
    if name in lacking:
        with pytest.raises(StatisticsError, match=lacking[name]):
            carbon_source_of(name, Settings())


def test_the_boundary_of_the_settings_is_that_of_the_sources_that_have_a_choice() -> None:
    boundaries = {one: carbon_source_of(one, Settings(**COMPLETE)).method.boundary for one in CARBON_SOURCES}
    assert boundaries == {"electricity_maps": "direct", "entsoe": "direct", "neso": "direct", "sentinel": "lifecycle"}


@pytest.mark.parametrize("name", CARBON_SOURCES)
def test_the_history_of_a_source_in_trouble_ends_in_time(server: UpstreamServer, name: str) -> None:
    told = {"host_sentinel": server.url, "electricity_maps_url": server.url, "entsoe_url": server.url,
            "neso_url": server.url, "carbon_timeout_s": 0.4}  # fmt: skip
    source = carbon_source_of(name, Settings(**{**COMPLETE, **told}))
    zone = "GB" if name == "neso" else "PT"
    server.fails("silent")
    with pytest.raises(Unavailable):
        list(source.history(zone, START, START + DAY_US))
    server.fails(status=404)
    with pytest.raises(Declined):
        list(source.history(zone, START, START + DAY_US))
