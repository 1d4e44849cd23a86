"""Whatever is given to a reader of carbon intensities, it ends in intensities, or in faults: never in another error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from generation_documents import NO_DATA, document, flat, series
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import DAY_US, us
from test_prices_of_garbage import PIECES
from upstream_server import UpstreamServer

from statistics_manager_service.bootstrap.feeds import IntensityOptions, carbon_source_of, decode_intensities
from statistics_manager_service.core.carbon import MOST_G_PER_KWH
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.entsoe_generation import decode_a75, mix_of
from statistics_manager_service.services.carbon.carbon import IntensitySource
from statistics_manager_service.services.carbon.intensities import ToldIntensity
from statistics_manager_service.settings import Settings

START = us("2024-01-01")
OPTIONS = IntensityOptions("start", "g", zone="Europe/Madrid")
WHOLE = {
    "a75": [document(flat("B04", 100), series("B19", [(1, "5.5"), (4, 0), (24, 7)], curve="A03")), NO_DATA],
    "csv": [b"start;g\n2024-01-01T00:00Z;1,5\n2024-01-01T01:00Z;200\n", b"start,g\n31.12.2023 00:00,1.5\n"],
}


def read(form: str, body: bytes) -> list[ToldIntensity]:
    if form == "csv":
        return decode_intensities(body, OPTIONS, us("2025-01-01"))[0]
    return mix_of(decode_a75(body), "lifecycle")


def are_well(told: list[ToldIntensity]) -> None:
    for one in told:
        assert 0 <= one.intensity_mg_per_kwh <= MOST_G_PER_KWH * 1000
        assert one.start_us % QUARTER_US == 0
        assert one.length_us // QUARTER_US in (1, 2, 4)


def ends_well(form: str, body: bytes) -> None:
    try:
        are_well(read(form, body))
    except BadInput as error:
        assert 0 < len(error.faults) <= 101
        assert all(fault.where and fault.why and len(fault.why) < 1_000 for fault in error.faults)
    except Declined:
        assert form == "a75"


@pytest.mark.parametrize("form", WHOLE)
def test_bodies_that_are_not_spoilt_are_read(form: str) -> None:
    assert read(form, WHOLE[form][0])


@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_spoilt_body_ends_in_intensities_or_in_faults(form: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(WHOLE[form]))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(body)))
        end = begin + data.draw(st.integers(0, 12))
        body = body[:begin] + data.draw(st.sampled_from([b"", *PIECES])) + body[end:]
    ends_well(form, body)


@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=50, deadline=None)
@given(body=st.binary(max_size=200))
def test_bytes_of_any_kind_end_in_intensities_or_in_faults(form: str, body: bytes) -> None:
    ends_well(form, body)


# --- services that answer JSON ----------------------------------------------------------------------------------------

SOURCES = ("electricity_maps", "neso", "sentinel")
PATHS = (
    "/v3/carbon-intensity/forecast", "/v3/carbon-intensity/history", "/v3/carbon-intensity/past-range",
    "/intensity/2024-01-01T00:00Z/fw48h", "/intensity/2024-01-01T00:00Z/2024-01-02T00:00Z",
    "/data/inesctec/forecast/co2-intensity",
)  # fmt: skip
MEMBERS = (
    "zone", "data", "history", "forecast", "carbonIntensity", "datetime", "updatedAt", "isEstimated",
    "emissionFactorType", "from", "to", "intensity", "actual", "regionid", "request", "value", "unit", "quality",
    "next_url",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["PT", "GB", "2024-01-01T00:00Z", "2024-01-01T00:30Z", "gCO2eq/kWh", "lifecycle"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def source(name: str, server: UpstreamServer) -> IntensitySource:
    url = server.url
    told = Settings(
        host_sentinel=url, electricity_maps_url=url, neso_url=url, electricity_maps_token="t", carbon_timeout_s=5
    )
    return carbon_source_of(name, told)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=40, deadline=None)
@given(told=JSON)
def test_json_of_any_shape_ends_in_intensities_or_is_nonsense(server: UpstreamServer, name: str, told: Any) -> None:
    zone = "PT" if name == "sentinel" else "GB"
    some = {"data": [told], "history": [told], "forecast": [told], "zone": zone, "updatedAt": "2024-01-01"}
    for body in (told, some):
        for path in PATHS:
            server.answers(path, json.dumps(body))
        one = source(name, server)
        for ask in (one.fetch, one.history):
            try:
                found = list(ask(zone, START, START + DAY_US))
            except (Unavailable, Declined):
                continue
            are_well([each for part in found for each in (part.values if hasattr(part, "values") else [part])])
