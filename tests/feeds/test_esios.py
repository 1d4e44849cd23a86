"""ESIOS: the archive of PVPC, indicators by place, days on which the clock changes; fetching."""

from __future__ import annotations

import gzip
import json
import pathlib
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from measured import HOUR_US, us
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Declined, Unavailable
from statistics_manager_service.feeds.esios import PVPC, SURPLUS, Esios, decode_esios
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.prices.told_prices import PriceOptions

ANY = PriceOptions()
ARCHIVE = "/archives/70/download_json"


def hour(number: int, price: Any = "171,48", day: str = "31/10/2021", **more: Any) -> dict[str, Any]:
    return {"Dia": day, "Hora": f"{number:02d}-{number + 1:02d}", "PCB": price, "CYM": "1,00", **more}


def archive(*hours: Any) -> bytes:
    return json.dumps({"PVPC": list(hours)}).encode()


def value(at: str, price: Any = 100.5, geo_id: int = 8741, name: str = "Península") -> dict[str, Any]:
    return {"value": price, "datetime": at, "datetime_utc": "2021-10-31T00:00:00Z", "geo_id": geo_id, "geo_name": name}


def indicator(*values: Any) -> bytes:
    return json.dumps({"indicator": {"name": "PVPC", "id": 1001, "values": list(values)}}).encode()


def faults(body: bytes, options: PriceOptions = ANY) -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        decode_esios(body, options)
    return {one.where: one.why for one in told.value.faults}


# --- real files -------------------------------------------------------------------------------------------------------

FILES = ["PRICES_ESIOS_1001_2021_10_31.json", "PRICES_ESIOS_1739_2021_10_31.json", "PRICES_ESIOS_10211_2021_10_31.json",
         "PVPC_CURV_DD_2021_10_31.json"]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_real_day_of_25_hours_has_the_figures_of_its_file(shared_data: pathlib.Path, name: str) -> None:
    folder = shared_data / "esios_es_retail_prices"
    expected = json.loads((folder / "expected.json").read_text())["files_detail"][name]
    told = decode_esios(gzip.decompress((folder / f"{name}.gz").read_bytes()), ANY)
    values = [one.value for one in told.prices]
    assert len(values) == expected["values"] == 25
    assert float(sum(values) / 25) == pytest.approx(expected["mean_eur_mwh"], abs=5e-5)
    assert (float(min(values)), float(max(values))) == (expected["min"], expected["max"])
    begin_us = us("2021-10-30T22:00:00")
    assert [one.start_us for one in told.prices] == [begin_us + n * HOUR_US for n in range(25)]
    assert (told.unit, told.market_time_zone, told.interval_s) == ("EUR/MWh", "Europe/Madrid", 3600)


def test_the_archive_and_the_indicator_tell_the_same_prices(shared_data: pathlib.Path) -> None:
    folder = shared_data / "esios_es_retail_prices"
    archived, indicated = (
        decode_esios(gzip.decompress((folder / f"{name}.gz").read_bytes()), ANY) for name in (FILES[3], FILES[0])
    )
    assert archived.prices == indicated.prices


# --- the archive ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [list(range(23)), [0, 1, *range(3, 24)]])
def test_a_spring_day_has_23_hours_counted_on_or_named_by_the_clock(hours: list[int]) -> None:
    told = decode_esios(archive(*(hour(n, f"{n},5", "28/03/2021") for n in reversed(hours))), ANY)
    assert [one.value for one in told.prices] == [Decimal(f"{n}.5") for n in hours]
    begin_us = us("2021-03-27T23:00:00")
    assert [one.start_us for one in told.prices] == [begin_us + n * HOUR_US for n in range(23)]


def test_a_column_chooses_the_territory() -> None:
    told = decode_esios(archive(*(hour(n) for n in range(25))), PriceOptions(column="CYM"))
    assert {one.value for one in told.prices} == {1}
    assert "there are: Dia, Hora, PCB, CYM" in faults(archive(hour(0)), PriceOptions(column="GEN"))["PVPC[0].GEN"]


def test_an_archive_that_was_cut_off_is_refused() -> None:
    found = faults(archive(*(hour(n) for n in range(24))))
    assert found == {"2021-10-31": "it has 24 hours, without 24-25, where that day has 25; was it cut off?"}
    assert "where that day has 24" in faults(archive(*(hour(n, day="01/11/2021") for n in range(25))))["2021-11-01"]
    assert faults(archive()) == {"PVPC": "it is empty"}


def test_all_faults_of_an_archive_are_named_with_where() -> None:
    found = faults(
        archive(
            hour(0, 171.48), hour(1, day="2021-10-31"), hour(2, day="31/02/2021"), hour(3, Hora="03-05"), "04-05",
            hour(5), hour(5, "1,00"), hour(6, "1.2.3"), {"Dia": "31/10/2021", "Hora": "07-08"},
        )
    )  # fmt: skip
    assert [*found] == [
        "PVPC[0].PCB", "PVPC[1].Dia", "PVPC[2].Dia", "PVPC[3].Hora", "PVPC[4]", "PVPC[6].Hora", "PVPC[7].PCB",
        "PVPC[8].PCB",
    ]  # fmt: skip
    assert found["PVPC[0].PCB"] == "'171.48' is no number with a decimal comma"


# --- indicators -------------------------------------------------------------------------------------------------------


def test_the_repeated_hour_is_told_apart_by_the_offset() -> None:
    told = decode_esios(
        indicator(value("2021-10-31T02:00:00.000+01:00", 2), value("2021-10-31T02:00:00.000+02:00", 1)), ANY
    )
    assert [(one.start_us, one.value) for one in told.prices] == [
        (us("2021-10-31T00:00:00"), 1),
        (us("2021-10-31T01:00:00"), 2),
    ]


def test_of_several_places_the_peninsula_counts_unless_another_is_told() -> None:
    at = "2021-10-31T00:00:00.000+02:00"
    body = indicator(value(at, 1), value(at, 2, 8742, "Canarias"), value(at, 3, 8743, "Baleares"))
    chosen = {column: decode_esios(body, PriceOptions(column=column)).prices for column in (None, "canarias", "8743")}
    assert {column: [one.value for one in prices] for column, prices in chosen.items()} == {
        None: [1], "canarias": [2], "8743": [3],
    }  # fmt: skip
    assert (
        "there is no place 'Ceuta'; there are: 8741 (Península)" in faults(body, PriceOptions(column="Ceuta"))["column"]
    )
    others = indicator(value(at, 2, 8742, "Canarias"), value(at, 3, 8743, "Baleares"))
    assert "several places; tell which" in faults(others)["column"]


def test_quarter_hours_are_known_by_their_step() -> None:
    told = decode_esios(indicator(*(value(f"2026-01-01T00:{n}:00.000+01:00", n) for n in (30, 15, 45))), ANY)
    assert [one.length_us for one in told.prices] == [QUARTER_US] * 3


def test_all_faults_of_an_indicator_are_named_with_where() -> None:
    found = faults(
        indicator(value("2021-10-31T00:05:00+02:00"), value("soon"), value("2021-10-31T01:00:00+02:00", None), 7,
                  value("2021-10-31T03:00:00+02:00", "1"), value("2021-10-31T04:00:00+01:00"),
                  value("2021-10-31T04:00:00+01:00", 7))
    )  # fmt: skip
    assert [*found] == [
        "indicator.values", "indicator.values[0].datetime", "indicator.values[1].datetime", "indicator.values[2].value",
        "indicator.values[4].value", "2021-10-31T03:00:00Z",
    ]  # fmt: skip
    assert (
        "minutes apart"
        in faults(indicator(value("2021-10-31T00:00:00+02:00"), value("2021-10-31T05:00:00+02:00")))["indicator.values"]
    )


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"indicator": []}', b'{"PVPC": null}', b"<html>", b"", b'{"message": "no"}']
)
def test_what_is_neither_is_told(body: bytes) -> None:
    ((_, why),) = faults(body).items()
    assert "JSON of ESIOS with `PVPC` or `indicator`" in why


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def esios(server: UpstreamServer, token: str | None = None, **more: Any) -> Esios:
    return Esios(Upstream("ESIOS", server.url, **{"timeout_s": 2, "attempts": 1, **more}), token)


def archives(request: Request) -> Answer:
    """The days until the 2nd of February; behind it, as ESIOS has it, a message."""
    year, month, day = request.query["date"].split("-")
    if (int(month), int(day)) > (2, 2):
        return Answer({"message": "No values for specified archive"})
    return Answer(archive(*(hour(n, f"{int(day)},{n:02d}", f"{day}/{month}/{year}") for n in range(24))))


def test_pvpc_is_fetched_day_by_day_without_a_token(server: UpstreamServer) -> None:
    server.answers_by(ARCHIVE, archives)
    start_us, end_us = us("2024-01-31T12:00:00"), us("2024-02-03T12:00:00")
    options = PriceOptions(start_us=start_us, end_us=end_us)
    pieces = list(esios(server).fetch(PVPC, options, start_us, end_us))
    assert [len(one.prices) for one in pieces] == [11, 24, 24, 0]
    assert pieces[3].notes == ("2024-02-03: ESIOS has no prices (yet)",)
    assert pieces[0].prices[0].value == Decimal("31.13")  # 13:00 in Madrid
    assert [one.query["date"] for one in server.requests] == ["2024-01-31", "2024-02-01", "2024-02-02", "2024-02-03"]


def test_another_indicator_is_fetched_month_by_month_and_needs_a_token(server: UpstreamServer) -> None:
    server.answers("/indicators/1739", lambda query, _: indicator(value(query["start_date"], 50, 3, "España")))
    time_of = (us("2024-01-01"), us("2024-02-15"))
    with pytest.raises(BadInput, match="set ESIOS_TOKEN"):
        list(esios(server).fetch(SURPLUS, ANY, *time_of))
    assert server.requests == []
    pieces = list(esios(server, "secret").fetch(SURPLUS, ANY, *time_of))
    assert [one.prices[0].start_us for one in pieces] == [us("2024-01-01"), us("2024-01-31")]
    assert [one.query["end_date"] for one in server.requests] == ["2024-01-31T00:00:00Z", "2024-02-15T00:00:00Z"]


def test_an_indicator_without_values_yet_is_noted(server: UpstreamServer) -> None:
    server.answers("/indicators/1739", indicator())
    (piece,) = esios(server, "secret").fetch(SURPLUS, ANY, us("2024-01-01"), us("2024-01-02"))
    assert (piece.prices, piece.notes) == ([], ("2024-01-01T00:00:00Z: ESIOS has no prices (yet)",))


def test_an_archive_that_is_not_there_is_noted_and_another_refusal_told(server: UpstreamServer) -> None:
    (piece,) = esios(server).fetch(PVPC, ANY, us("2024-01-01T12:00:00"), us("2024-01-01T13:00:00"))
    assert piece.notes == ("2024-01-01: ESIOS has no prices (yet)",)
    server.fails(status=400)
    with pytest.raises(Declined, match="status 400"):
        list(esios(server).fetch(PVPC, ANY, us("2024-01-01"), us("2024-01-02")))


@pytest.mark.parametrize("answer", ["<html>log in</html>", {"indicator": {}}, {"PVPC": [5]}, archive(hour(0)).decode()])
def test_esios_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer, answer: Any) -> None:
    server.answers(ARCHIVE, answer)
    with pytest.raises(Unavailable, match="ESIOS answered nonsense: "):
        list(esios(server).fetch(PVPC, ANY, us("2024-01-01"), us("2024-01-02")))


@pytest.mark.parametrize("way", ["truncated", "malformed", "wrong shape", "closed", "reset", "silent", "garbage"])
def test_esios_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str) -> None:
    server.answers_by(ARCHIVE, archives)
    one, time_of = esios(server, timeout_s=0.4), (us("2024-01-01T12:00:00"), us("2024-01-01T13:00:00"))
    assert [len(piece.prices) for piece in one.fetch(PVPC, ANY, *time_of)] == [24], "it answers while it is well"
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        list(one.fetch(PVPC, ANY, *time_of))
    assert time.monotonic() - began < 5
