"""OMIE's day files in both forms, hours and quarter-hours, days on which the clock changes, broken ones; fetching."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from measured import HOUR_US, us
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import BadInput, Unavailable
from statistics_manager_service.feeds.omie import Omie, decode_day
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.prices.told_prices import PriceOptions

PT, ES = PriceOptions(country="pt"), PriceOptions(country="es")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def marginal(day: date, count: int, pt: str = "{n},5", es: str = "-{n}.25") -> str:
    rows = [
        f"{day.year};{day.month:02d};{day.day:02d};{n};{pt.format(n=n)};{es.format(n=n)};" for n in range(1, count + 1)
    ]
    return "\n".join(["MARGINALPDBC;", *rows, "*", ""])


def table(day: date, names: list[str], pt: list[str], es: list[str], unit: str = "EUR/MWh") -> str:
    return (
        f"OMIE - Mercado de electricidad;Fecha Emisión :01/01/2026 - 13:25;;{day:%d/%m/%Y};Precio;;\n\n"
        f";{';'.join(names)};\n"
        f"Precio marginal en el sistema español ({unit});{';'.join(es)};\n"
        f"Precio marginal en el sistema portugués ({unit});{';'.join(pt)}\n"
        "Energía total de compra sistema español (MWh);  13094,4;\n;;;\n"
    )


def faults(text: str, options: PriceOptions = PT) -> dict[str, str]:
    with pytest.raises(BadInput) as told:
        decode_day(text.encode(), options)
    return {one.where: one.why for one in told.value.faults}


# --- real files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", ["PT", "ES"])
@pytest.mark.parametrize("name", ["PrecioMD_OMIE_2020-10-22.txt", "PrecioMD_OMIE_2022-10-30.txt"])
def test_a_real_day_has_the_figures_of_its_file(shared_data: pathlib.Path, name: str, country: str) -> None:
    folder = shared_data / "omie_iberian_dayahead"
    expected = json.loads((folder / "expected.json").read_text())["files_detail"][name][country]
    told = decode_day((folder / name).read_bytes(), PriceOptions(country=country.lower()))
    values = [one.value for one in told.prices]
    assert (told.unit, told.interval_s, len(values), told.holes) == ("EUR/MWh", 3600, expected["periods"], 0)
    assert float(sum(values) / len(values)) == pytest.approx(expected["mean"], abs=5e-6)
    assert (float(min(values)), float(max(values))) == (expected["min"], expected["max"])
    assert [float(one) for one in (*values[:3], values[-1])] == [*expected["first3"], expected["last"]]
    # the first hour of the market's day is the last one of the day before in Lisbon
    assert told.prices[0].start_us == us(name[14:24]) - 2 * HOUR_US


# --- both forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "count", "begin", "end"),
    [(date(2024, 1, 15), 24, "2024-01-14T23:00:00", "2024-01-15T23:00:00"),
     (SPRING, 23, "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
     (SPRING, 92, "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
     (AUTUMN, 25, "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
     (AUTUMN, 100, "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
     (date(2026, 7, 1), 96, "2026-06-30T22:00:00", "2026-07-01T22:00:00")],
)  # fmt: skip
def test_a_market_day_has_its_own_number_of_periods(day: date, count: int, begin: str, end: str) -> None:
    length_us = HOUR_US if count < 30 else QUARTER_US
    names = [str(n + 1) for n in range(count)] if count < 30 else [f"H{n // 4 + 1}Q{n % 4 + 1}" for n in range(count)]
    numbers = [f"   {n + 1},50" for n in range(count)]
    for text in (marginal(day, count), table(day, names, numbers, numbers)):
        told = decode_day(text.encode("latin-1"), PT)
        assert [one.start_us for one in told.prices] == [us(begin) + n * length_us for n in range(count)]
        assert told.prices[-1].start_us + length_us == us(end)
        assert {one.length_us for one in told.prices} == {length_us}
        assert [one.value for one in told.prices] == [Decimal(n + 1) + Decimal("0.5") for n in range(count)]


def test_each_country_has_its_column_with_either_decimal_mark() -> None:
    body = marginal(date(2024, 1, 15), 24).encode()
    assert [one.value for one in decode_day(body, PT).prices[:2]] == [Decimal("1.5"), Decimal("2.5")]
    assert [one.value for one in decode_day(body, ES).prices[:2]] == [Decimal("-1.25"), Decimal("-2.25")]


def test_a_point_parts_thousands_in_a_table() -> None:
    names, numbers = [str(n) for n in range(1, 25)], ["1.234,56", *["2,00"] * 23]
    told = decode_day(table(date(2024, 1, 15), names, numbers, numbers).encode(), PT)
    assert told.prices[0].value == Decimal("1234.56")


def test_several_days_may_stand_in_one_file() -> None:
    body = marginal(date(2024, 1, 16), 24) + marginal(date(2024, 1, 15), 24)
    told = decode_day(body.encode(), PT)
    assert (len(told.prices), told.holes) == (48, 0)
    part = decode_day(
        body.encode(), PriceOptions(country="pt", start_us=us("2024-01-15T12:00:00"), end_us=us("2024-01-16"))
    )
    assert [one.start_us for one in part.prices] == [us("2024-01-15T12:00:00") + n * HOUR_US for n in range(12)]


# --- broken files -----------------------------------------------------------------------------------------------------


def test_a_file_that_was_cut_off_is_refused() -> None:
    text = marginal(date(2024, 1, 15), 24)
    assert (
        "of 24 periods these are missing: 21, 22, 23, 24; was it cut off?"
        in faults("\n".join(text.splitlines()[:21])).values()
    )
    cut = faults(text[: text.index(";21;")])
    assert set(cut) == {"line 22", "2024-01-15"}
    assert faults("MARGINALPDBC;\n") == {"body": "it holds no prices; was it cut off?"}
    names, numbers = [str(n) for n in range(1, 25)], ["1,00"] * 24
    whole = table(date(2024, 1, 15), names, numbers, numbers)
    assert "was the file cut off?" in faults(whole[: whole.index("Precio marginal en el sistema port")])["body"]
    assert "missing: 20, 21" in faults(table(date(2024, 1, 15), names, numbers[:19], numbers))["2024-01-15"]


@pytest.mark.parametrize(
    ("day", "count", "right"), [(SPRING, 24, "so 23 or 92"), (date(2026, 7, 1), 25, "so 24 or 96"),
                                (date(2026, 7, 1), 97, "so 24 or 96"), (SPRING, 96, "so 23 or 92")]
)  # fmt: skip
def test_more_periods_than_the_day_has_are_refused(day: date, count: int, right: str) -> None:
    assert right in faults(marginal(day, count))[str(day)]


def test_fewer_periods_than_the_day_has_are_refused() -> None:
    assert "of 25 periods these are missing: 25" in faults(marginal(AUTUMN, 24))[str(AUTUMN)]
    assert "these are missing: 93, 94, 95, 96 and" not in faults(marginal(AUTUMN, 92))[str(AUTUMN)]
    assert "of 100 periods these are missing: 93" in faults(marginal(AUTUMN, 92))[str(AUTUMN)]


def test_all_faults_of_a_file_are_named_with_their_lines() -> None:
    found = faults(
        "MARGINALPDBC;\n2024;01;15;1;63,33;1;\n2024;01;15;1;63,34;1;\n2024;02;30;2;1;1;\n2024;01;15;3;;1;\n"
        "2024;01;15;x;1;1;\n2024;01;15;4;1.2.3;1;\n1850;01;15;4;1;1;\n2024;01\n*\n"
    )
    assert [*found][:7] == ["line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9"]
    assert found["line 3"] == "period 1 is told twice, 63.33 and 63.34"
    assert found["line 4"] == "2024-2-30 is no date"
    assert found["line 7"] == "'1.2.3' is no number with a decimal point"


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [("<html><body>404</body></html>", "body", "web page"), ("", "line 1", "begins with ''"),
     ("start,price\n", "line 1", "wanted is a day file"), ("OMIE - x;;no date;\n", "line 1", "market's day"),
     ("OMIE - x;;30/10/2022;\n;no;periods;\n", "body", "line of periods"),
     (table(date(2024, 1, 15), ["1", "2"], ["1"], ["1"], "Cent/kWh"), "line 5", "another unit than EUR/MWh")],
)  # fmt: skip
def test_what_is_no_day_file_is_told(text: str, where: str, why: str) -> None:
    assert why in faults(text)[where]


@pytest.mark.parametrize("country", [None, "", "fr"])
def test_a_country_must_be_told(country: str | None) -> None:
    found = faults(marginal(date(2024, 1, 15), 24), PriceOptions(country=country))
    assert found == {"country": "OMIE tells prices of two countries; tell which: pt or es"}


# --- fetching ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def publishes(server: UpstreamServer, *days: date) -> None:
    """Answer the files of some days, and 404 for others."""
    known = {f"marginalpdbc_{day:%Y%m%d}.1": marginal(day, 96) for day in days}

    def answer(request: Request) -> Answer:
        assert request.query["parents"] == "marginalpdbc"
        body = known.get(request.query["filename"])
        return Answer("<html>none</html>", 404, "text/html") if body is None else Answer(body, kind="text/plain")

    server.answers_by("/es/file-download", answer)


def omie(server: UpstreamServer, **more: Any) -> Omie:
    return Omie(Upstream("OMIE", server.url, **{"timeout_s": 2, "attempts": 1, **more}))


def test_the_market_days_of_a_time_are_fetched_and_one_that_is_not_published_is_noted(server: UpstreamServer) -> None:
    first = date(2026, 7, 1)
    publishes(server, first, first + timedelta(days=1))
    start_us, end_us = us("2026-06-30T23:00:00"), us("2026-07-03T12:00:00")
    options = PriceOptions(country="pt", start_us=start_us, end_us=end_us)
    pieces = list(omie(server).fetch(options, start_us, end_us))
    assert [len(one.prices) for one in pieces] == [92, 96, 0]  # the first is cut at the hour that is wanted
    assert pieces[2].notes == ("2026-07-03: OMIE has published nothing (yet)",)
    assert pieces[0].prices[0].start_us == start_us


def test_a_moment_of_trouble_is_got_over(server: UpstreamServer) -> None:
    publishes(server, date(2026, 7, 1))
    server.fails(status=500, times=2)
    (piece,) = omie(server, attempts=3).fetch(PT, us("2026-07-01"), us("2026-07-01T12:00:00"))
    assert (len(piece.prices), len(server.requests)) == (96, 3)


def test_omie_nonsense_is_told_as_such_and_worth_a_retry(server: UpstreamServer) -> None:
    server.answers("/es/file-download", "<html>maintenance</html>")
    with pytest.raises(Unavailable, match="OMIE answered nonsense: body: this is a web page"):
        list(omie(server).fetch(PT, us("2026-07-01"), us("2026-07-02")))


@pytest.mark.parametrize("way", ["truncated", "malformed", "closed", "reset", "silent", "garbage"])
def test_omie_in_trouble_is_worth_a_retry_and_never_waited_for(server: UpstreamServer, way: str) -> None:
    publishes(server, date(2026, 7, 1))
    one, time_of = omie(server, timeout_s=0.4), (us("2026-07-01"), us("2026-07-01T12:00:00"))
    assert [len(piece.prices) for piece in one.fetch(PT, *time_of)] == [96], "it answers while it is well"
    server.fails(way)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        list(one.fetch(PT, *time_of))
    assert time.monotonic() - began < 5


def test_a_fetch_without_a_country_is_the_callers_fault(server: UpstreamServer) -> None:
    publishes(server, date(2026, 7, 1))
    with pytest.raises(BadInput, match="tell which: pt or es"):
        list(omie(server).fetch(PriceOptions(), us("2026-07-01"), us("2026-07-01T12:00:00")))
