"""ENTSO-E's generation per type and its intensity: real data, curve types, storage, broken and unsafe XML, fetching."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pathlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from generation_documents import NO_DATA, PT, acknowledgement, document, flat, series
from measured import DAY_US, HOUR_US, us
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.bidding_zones import area_of
from statistics_manager_service.feeds.entsoe_generation import EntsoeMix, Generation, decode_a75, mix_of
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.carbon.carbon_rows import Method
from statistics_manager_service.services.carbon.intensities import ToldIntensity

DAY = us("2025-08-10")


def power(found: Generation, kind: str) -> list[float]:
    values: list[float] = found.power_mw[found.types.index(kind)].tolist()
    return values


def grams(told: Sequence[ToldIntensity]) -> list[float]:
    return [one.intensity_mg_per_kwh / 1000 for one in told]


def faults(body: bytes) -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        decode_a75(body)
    return {one.where: one.why for one in told.value.faults}


# --- real data --------------------------------------------------------------------------------------------------------

#: The names of the downloader's columns → code, and by hand the medians of IPCC AR5 WG3 Annex III; None: a store.
COLUMNS: dict[str, tuple[str, float | None]] = {
    "Biomass": ("B01", 230), "Fossil Gas": ("B04", 490), "Fossil Hard coal": ("B05", 820),
    "Hydro Pumped Storage": ("B10", None), "Hydro Run-of-river and poundage": ("B11", 24),
    "Hydro Water Reservoir": ("B12", 24), "Other": ("B20", 700), "Solar": ("B16", 48), "Wind Offshore": ("B18", 12),
    "Wind Onshore": ("B19", 11),
}  # fmt: skip


@pytest.fixture
def week(shared_data: pathlib.Path) -> tuple[list[int], dict[tuple[str, str], list[float]], dict[str, float]]:
    """Portugal's generation as ENTSO-E tells it: hours, MW by type and direction, and the energy of each type, MWh."""
    folder = shared_data / "entsoe_iberia_generation_week"
    text = gzip.decompress((folder / "generation_PT_2025-08-10_16.csv.gz").read_bytes()).decode()
    names, directions, *rows = list(csv.reader(io.StringIO(text)))
    hours = [round(datetime.fromisoformat(row[0]).timestamp()) * 1_000_000 for row in rows]
    columns = {
        (names[i], directions[i]): [float(row[i]) for row in rows]
        for i in range(1, len(names))
        if directions[i].startswith("Actual")
    }
    return hours, columns, json.loads((folder / "expected.json").read_text())["energy_mwh"]


def as_document(hours: list[int], columns: dict[tuple[str, str], list[float]]) -> bytes:
    """The document that would tell this: curve type A03 for what is taken, A01 for what is generated."""
    begin, end = (datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ")
                  for at in (hours[0], hours[-1] + HOUR_US))  # fmt: skip
    told = []
    for (name, direction), values in columns.items():
        is_taken = direction == "Actual Consumption"
        points = [
            (i + 1, mw) for i, mw in enumerate(values) if not is_taken or i == 0 or mw != values[i - 1]
        ]  # A03 leaves out what repeats
        told.append(
            series(COLUMNS[name][0], points, begin, end, curve="A03" if is_taken else "A01",
                   direction="out" if is_taken else "in")
        )  # fmt: skip
    return document(*told)


def test_the_energies_of_a_real_week_are_those_of_its_publisher(week: Any) -> None:
    hours, columns, energy_mwh = week
    found = decode_a75(as_document(hours, columns))
    assert (found.first_quarter * QUARTER_US, found.length_us, found.notes) == (hours[0], HOUR_US, ())
    for name, told in energy_mwh.items():
        assert found.power_mw[found.types.index(COLUMNS[name][0])].sum() / 4 == pytest.approx(told)
    pumped = found.taken_mw[found.types.index("B10")]
    assert pumped[::4].tolist() == columns["Hydro Pumped Storage", "Actual Consumption"]


def test_the_intensity_of_a_real_week_is_what_a_plain_loop_makes_of_it(week: Any) -> None:
    hours, columns, _ = week
    told = mix_of(decode_a75(as_document(hours, columns)), "lifecycle")
    assert [one.start_us for one in told] == hours
    assert {(one.length_us, one.kind, one.quality) for one in told} == {
        (HOUR_US, "measured", "measured, factors ipcc-ar5-lifecycle")
    }
    expected = []
    for i in range(len(hours)):
        emitted = generated = 0.0
        for name, (_, factor) in COLUMNS.items():
            if factor is not None:
                emitted += columns[name, "Actual Aggregated"][i] * factor
                generated += columns[name, "Actual Aggregated"][i]
        expected.append(emitted / generated)
    assert grams(told) == pytest.approx(expected, abs=0.0005)
    assert 100 < np.mean(expected) < 250, "a week of August in Portugal"


def test_at_the_stack_a_real_week_emits_by_its_gas_and_what_is_unknown(week: Any) -> None:
    hours, columns, _ = week
    told = mix_of(decode_a75(as_document(hours, columns)), "direct")
    for i, one in enumerate(told):
        mix = {name: columns[name, "Actual Aggregated"][i] for name, (_, factor) in COLUMNS.items() if factor}
        by_hand = (370 * mix["Fossil Gas"] + 575 * mix["Other"] + 760 * mix["Fossil Hard coal"]) / sum(mix.values())
        assert one.intensity_mg_per_kwh / 1000 == pytest.approx(by_hand, abs=0.0005)


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resolution", "quarters"), [("PT15M", 1), ("PT30M", 2), ("PT60M", 4)])
def test_positions_that_a_curve_a03_leaves_out_repeat_the_power_before(resolution: str, quarters: int) -> None:
    count = 96 // quarters
    found = decode_a75(document(series("B04", [(1, 5), (3, "2.5"), (count, 7)], resolution=resolution, curve="A03")))
    assert power(found, "B04") == [5.0] * 2 * quarters + [2.5] * (count - 3) * quarters + [7.0] * quarters
    assert found.length_us == quarters * QUARTER_US
    assert len(mix_of(found, "direct")) == count


def test_what_a_curve_a01_leaves_out_is_unknown() -> None:
    found = decode_a75(document(series("B04", [(1, 5), (3, 6)], end="2025-08-10T03:00Z")))
    assert power(found, "B04") == pytest.approx([5] * 4 + [np.nan] * 4 + [6] * 4, nan_ok=True)
    assert [(one.start_us - DAY) // HOUR_US for one in mix_of(found, "direct")] == [0, 2]


def test_types_of_different_intervals_make_a_mix_by_the_shorter_one() -> None:
    gas = series("B04", [(1, 100), (2, 300)], end="2025-08-10T02:00Z")
    wind = series("B19", [(n, 100 * n) for n in range(1, 9)], end="2025-08-10T02:00Z", resolution="PT15M")
    told = mix_of(decode_a75(document(gas, wind)), "direct")
    assert [one.length_us for one in told] == [QUARTER_US] * 8
    expected = [370 * (100 if i < 4 else 300) / ((100 if i < 4 else 300) + 100 * (i + 1)) for i in range(8)]
    assert grams(told) == pytest.approx(expected, abs=0.0005)


def test_hours_that_do_not_begin_at_the_hour_are_told_by_the_quarter() -> None:
    body = document(series("B04", [(1, 5)], "2025-08-10T00:30Z", "2025-08-10T01:30Z"))
    told = mix_of(decode_a75(body), "direct")
    assert [(one.start_us - DAY) // QUARTER_US for one in told] == [2, 3, 4, 5]


def test_what_pumps_take_and_give_counts_for_nothing() -> None:
    body = document(flat("B04", 100), flat("B19", 100), flat("B10", 900), flat("B10", 700, direction="out"))
    found = decode_a75(body)
    assert set(power(found, "B10")) == {900}
    assert set(found.taken_mw[found.types.index("B10")].tolist()) == {700}
    assert set(grams(mix_of(found, "direct"))) == {185.0}


def test_a_type_that_is_not_known_here_is_named_and_counts_as_unknown() -> None:
    found = decode_a75(document(flat("B04", 100), flat("B77", 100)))
    assert found.notes == ("production types that are not known here count as unknown: 'B77'",)
    assert set(grams(mix_of(found, "direct"))) == {(370 + 575) / 2}


@pytest.mark.parametrize("value", ["-1", "-0.5", "1e7"])
def test_a_power_that_cannot_be_is_left_out_and_noted(value: str) -> None:
    found = decode_a75(document(flat("B04", 100), flat("B19", value)))
    assert np.isnan(power(found, "B19")).all()
    (note,) = found.notes
    assert "B19" in note
    assert "left out (24 times)" in note
    assert set(grams(mix_of(found, "direct"))) == {370.0}


def test_of_two_values_of_one_time_the_later_counts_and_a_note_says_so() -> None:
    found = decode_a75(document(flat("B04", 100), flat("B04", 200), flat("B04", 200)))
    assert set(power(found, "B04")) == {200}
    assert found.notes == ("B04: two values of one time, the later one counts (96 times)",)


def test_the_hour_that_is_not_whole_yet_is_left_out() -> None:
    body = document(flat("B04", 900, 24), series("B19", [(n, 100) for n in range(1, 25)]),
                    series("B19", [(1, 100)], "2025-08-11T00:00Z", "2025-08-11T01:00Z"))  # fmt: skip
    assert len(mix_of(decode_a75(body), "direct")) == 24


# --- what is not ------------------------------------------------------------------------------------------------------


def test_all_faults_of_a_document_are_told_with_where() -> None:
    body = document(
        flat("B04", 1, unit="KWT"),
        flat("", 1, direction="of"),
        series("B16", [(0, "x"), (25, 1), (1, 1), (1, 2)], curve="A03"),
        series("B19", [(1, 1)], curve="A05"),
        series("B18", [(2, 1)], curve="A03"),
        series("B01", [], resolution="P1D"),
        series("B14", [], end="2025-08-10T00:30Z"),
    )
    told = faults(body)
    assert list(told) == [
        "TimeSeries[1]/quantity_Measure_Unit.name", "TimeSeries[2]/MktPSRType/psrType", "TimeSeries[2]",
        "TimeSeries[3]/Period[1]/Point[1]/quantity", "TimeSeries[3]/Period[1]/Point[1]/position",
        "TimeSeries[3]/Period[1]/Point[2]/position", "TimeSeries[3]/Period[1]/Point[4]/position",
        "TimeSeries[4]/curveType", "TimeSeries[5]/Period[1]/Point[1]", "TimeSeries[6]/Period[1]/resolution",
        "TimeSeries[7]/Period[1]/timeInterval",
    ]  # fmt: skip
    assert told["TimeSeries[5]/Period[1]/Point[1]"] == "position 1 is missing, so the first quantity is unknown"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "line 1, column 1"),
        (document(flat("B04", 1))[:400], "line"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "body"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><GL_MarketDocument/>', "DOCTYPE"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><GL_MarketDocument/>', "DOCTYPE"),
        (document(flat("B04", 1), kind="A73"), "body"),
        (b"<Publication_MarketDocument><type>A44</type></Publication_MarketDocument>", "body"),
        (document(*[flat("B04", 1, 1, begin="1970-01-01T00:00Z", end="1970-01-01T01:00Z"),
                    flat("B04", 1, 1, begin="2069-01-01T00:00Z", end="2069-01-01T01:00Z")]), "timeInterval"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "line 1"),
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_refused(body: bytes, where: str) -> None:
    (told,) = faults(body)
    assert told.startswith(where)


def test_a_document_without_series_tells_nothing() -> None:
    assert mix_of(decode_a75(document()), "direct") == []
    assert mix_of(decode_a75(NO_DATA), "direct") == []


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def source(server: UpstreamServer, boundary: str = "direct", timeout_s: float = 2) -> EntsoeMix:
    made = Upstream("ENTSO-E", server.url, timeout_s=timeout_s, attempts=1)
    return EntsoeMix(made, server.url + "/api", "secret", boundary)


def test_a_time_is_fetched_week_by_week_and_what_lies_outside_is_left_out(server: UpstreamServer) -> None:
    def answer(request: Request) -> Answer:
        begin, end = (datetime.strptime(request.query[name], "%Y%m%d%H%M") for name in ("periodStart", "periodEnd"))
        hours = round((end - begin).total_seconds()) // 3600
        label = "%Y-%m-%dT%H:%MZ"
        return Answer(document(flat("B04", 1, hours + 24, begin=begin.strftime(label),
                                    end=(end + timedelta(days=1)).strftime(label))))  # fmt: skip

    server.answers_by("/api", answer)
    start, end = DAY + HOUR_US // 2, DAY + 9 * DAY_US
    stretches = list(source(server).history("PT", start, end))
    assert [(one.start_us, one.end_us) for one in stretches] == [(start, start + 7 * DAY_US), (start + 7 * DAY_US, end)]
    told = [one.start_us for stretch in stretches for one in stretch.values]
    assert told == list(range(DAY + HOUR_US, end, HOUR_US))
    first, second = server.requests
    assert first.query == {
        "securityToken": "secret", "documentType": "A75", "processType": "A16", "in_Domain": PT,
        "periodStart": "202508100000", "periodEnd": "202508170100",
    }  # fmt: skip
    assert (second.query["periodStart"], second.query["periodEnd"]) == ("202508170000", "202508190000")


def test_it_says_its_method_and_knows_bidding_zones_and_countries(server: UpstreamServer) -> None:
    assert source(server, "lifecycle").method == Method("average", "lifecycle", "production")
    assert [zone for zone in ("PT", "DE", "DK-DK1", "DK-1", "IT-NORD", "IE", "US", "PT-X") if
            source(server).serves(zone)] == ["PT", "DE", "DK-DK1", "DK-1", "IT-NORD", "IE"]  # fmt: skip
    assert area_of("DK-DK1") == area_of("DK-1") == "10YDK-1--------W"


@pytest.mark.parametrize("status", [200, 400])
def test_where_nothing_is_known_yet_nothing_is_told(server: UpstreamServer, status: int) -> None:
    server.answers("/api", NO_DATA, status)
    assert source(server).fetch("PT", DAY, DAY + DAY_US) == []


def test_a_reason_to_decline_is_told_without_the_token(server: UpstreamServer) -> None:
    server.answers("/api", acknowledgement("999", "Unauthorized. Missing or invalid security token"), 400)
    with pytest.raises(Declined, match="Unauthorized") as told:
        source(server).fetch("PT", DAY, DAY + DAY_US)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "body", [b"<html>", document(flat("B04", 1, unit="MWH")), document(flat("B04", 1))[:300], b"{}"]
)
def test_generation_that_is_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, body: bytes) -> None:
    server.answers("/api", body)
    with pytest.raises(Unavailable, match="ENTSO-E answered nonsense: ") as told:
        source(server).fetch("PT", DAY, DAY + DAY_US)
    assert "secret" not in told.value.sentence


@pytest.mark.parametrize("way", ["truncated", "malformed", "closed", "reset", "silent", "drip", "garbage"])
def test_generation_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str) -> None:
    server.answers("/api", document(flat("B04", 1)))
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        source(server, timeout_s=0.4).fetch("PT", DAY, DAY + DAY_US)
    assert time.monotonic() - began < 5
