"""`statistics-manager prices …` and `tariff …` as an operator calls them: files, services, stores, exit codes."""

from __future__ import annotations

import gzip
import json
import pathlib
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import yaml
from measured import open_store, us
from test_commands import Done, refused, run
from upstream_server import Answer, Request, UpstreamServer

from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_HOUR, US_PER_DAY
from statistics_manager_service.services.prices.price_series import known_series, quarters_as_told
from statistics_manager_service.tariffs.reading import read_tariff

HOURLY = "start,price\n" + "".join(f"2024-01-01T{n:02d}:00Z,{n}.5\n" for n in range(24))
QUARTERLY = "start,price\n" + "".join(f"2024-01-02T{n // 4:02d}:{n % 4 * 15:02d}Z,{n}\n" for n in range(96))


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    """A store that is not there yet."""
    return f"sqlite:///{tmp_path / 'prices.sqlite3'}"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "prices.csv"
    path.write_text(HOURLY)
    return path


def kept(url: str, name: str, start: str, hours: int) -> list[Decimal | None]:
    """What a series tells of some hours; each of four quarter-hours of one price. None: unknown."""
    store = open_store(url)
    with store.reading() as view:
        series = known_series(view, name)
        count = hours * QUARTERS_PER_HOUR
        values, known = quarters_as_told(view, series, us(start) // QUARTER_US, count, None)
    store.close()
    units = values.spread(count).units.tolist()
    told = [
        Decimal(one).scaleb(-values.places) if is_known else None for one, is_known in zip(units, known, strict=True)
    ]
    hourly = told[::QUARTERS_PER_HOUR]
    assert told == [one for one in hourly for _ in range(QUARTERS_PER_HOUR)]
    return hourly


def wrong_usage(done: Done, *lines: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    told = done.stderr.strip().splitlines()
    assert told[0].startswith("statistics-manager: ")
    for line, words in zip(told, lines, strict=True):
        assert words in line


# --- import -----------------------------------------------------------------------------------------------------------


def test_a_file_is_imported_once_and_again_nothing_is_new(database_url: str, file: pathlib.Path) -> None:
    command = ("prices", "import", "csv", str(file), "--series", "spot", "--unit", "EUR/MWh", "--title", "Spot")
    done = run(database_url, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "spot (EUR/MWh): accepted 24, known already 0; 2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z\n"
    assert run(database_url, *command).stdout.startswith("spot (EUR/MWh): accepted 0, known already 24;")
    assert kept(database_url, "spot", "2023-12-31T23:00:00", 26) == [
        None,
        *(Decimal(n) + Decimal("0.5") for n in range(24)),
        None,
    ]
    file.write_text(HOURLY.replace("Z,5.5", "Z,-1.25"))
    assert run(database_url, *command).stdout.startswith("spot (EUR/MWh): accepted 1, known already 23;")
    assert kept(database_url, "spot", "2024-01-01T05:00:00", 2) == [Decimal("-1.25"), Decimal("6.5")]
    listed = run(database_url, "prices", "list")
    assert (listed.stdout, listed.stderr) == (
        "spot  EUR/MWh  PT1H  2024-01-01 to 2024-01-01  Spot\n", "1 series\n",
    )  # fmt: skip


def test_real_files_of_each_form_are_imported(url: str, shared_data: pathlib.Path) -> None:
    def imports(form: str, pattern: str, *options: str) -> list[str]:
        files = sorted(map(str, shared_data.glob(pattern)))
        assert files
        done = run(url, "prices", "import", form, *files, *options)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    assert imports("omie", "omie_iberian_dayahead/*.txt", "--country", "pt", "--series", "omie_pt") == [
        "omie_pt (EUR/MWh): accepted 49, known already 0; 2020-10-21T22:00:00Z to 2022-10-30T23:00:00Z",
        "  the time between is interrupted 1 times: of these there is no price",
    ]
    (line,) = imports("octopus-csv", "octopus_agile_halfhour/*.gz", "--series", "agile")
    assert line == "agile (GBp/kWh): accepted 17568, known already 0; 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z"
    (line,) = imports("esios", "esios_es_retail_prices/PVPC*.gz", "--series", "pvpc")
    assert line == "pvpc (EUR/MWh): accepted 25, known already 0; 2021-10-30T22:00:00Z to 2021-10-31T23:00:00Z"
    assert imports("esios", "esios_es_retail_prices/PRICES_ESIOS_1001*.gz", "--series", "pvpc")[0].startswith(
        "pvpc (EUR/MWh): accepted 0, known already 25;"
    )
    clock = ("--start-column", "HourDK", "--timezone", "Europe/Copenhagen", "--column", "SpotPriceEUR")
    options = ("--series", "dk2", "--unit", "EUR/MWh", "--where", "PriceArea=DK2", *clock)
    (line,) = imports("csv", "elspot_dk2_hourly/*.gz", *options)
    assert line == "dk2 (EUR/MWh): accepted 8760, known already 0; 2020-12-31T23:00:00Z to 2021-12-31T23:00:00Z"
    shown = run(url, "prices", "list").stdout.splitlines()
    assert [one.split("  ")[:3] for one in shown] == [
        ["agile", "GBp/kWh", "PT30M"], ["dk2", "EUR/MWh", "PT1H"], ["omie_pt", "EUR/MWh", "PT15M"],
        ["pvpc", "EUR/MWh", "PT1H"],
    ]  # fmt: skip


def test_a_market_whose_hours_became_quarter_hours_stays_one_series(url: str, tmp_path: pathlib.Path) -> None:
    for day, count in (("2025;09;30", 24), ("2025;10;01", 96)):
        rows = "".join(f"{day};{n};{n};{n};\n" for n in range(1, count + 1))
        path = tmp_path / f"marginalpdbc_{count}.1"
        path.write_text(f"MARGINALPDBC;\n{rows}*\n")
        done = run(url, "prices", "import", "omie", str(path), "--country", "es", "--series", "omie_es")
        assert done.stdout.startswith(f"omie_es (EUR/MWh): accepted {count}, known already 0;")
    assert kept(url, "omie_es", "2025-09-30T20:00:00", 2) == [23, 24]


def test_values_shorter_than_those_of_the_series_or_in_another_unit_are_refused(
    url: str, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    finer = tmp_path / "finer.csv"
    finer.write_text(QUARTERLY)
    common = ("--series", "spot", "--unit", "EUR/MWh")
    assert run(url, "prices", "import", "csv", str(file), *common).returncode == 0
    refused(run(url, "prices", "import", "csv", str(finer), *common), "PT1H each", "PT15M", "under another name")
    other = run(url, "prices", "import", "csv", str(file), "--series", "spot", "--unit", "EUR/kWh")
    refused(other, "series spot has values in EUR/MWh")


def test_where_any_file_has_a_fault_none_is_kept_and_all_faults_are_told(
    url: str, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    bad, packed = tmp_path / "bad.csv", tmp_path / "bad.gz"
    bad.write_text("start,price\n2024-02-30T00:00Z,1\n2024-01-01T00:00Z,x\n")
    packed.write_bytes(gzip.compress(HOURLY.encode())[:40])
    done = run(
        url, "prices", "import", "csv", str(file), str(bad), str(packed), "--series", "spot", "--unit", "EUR/MWh"
    )
    wrong_usage(done, "bad.csv, line 2: '2024-02-30T00:00Z' is no moment", "bad.csv, line 3: 'x' is no number",
                "bad.gz, body: the file can't be read: ")  # fmt: skip
    refused(run(url, "prices", "list"), "there is no store")


def test_a_dry_run_keeps_nothing(url: str, file: pathlib.Path) -> None:
    done = run(url, "prices", "import", "csv", str(file), "--series", "spot", "--unit", "EUR/MWh", "--dry-run")
    assert done.stdout.splitlines() == [
        "spot (EUR/MWh): 24 prices; 2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z",
        "Nothing was kept: this was a dry run.",
    ]
    refused(run(url, "prices", "list"), "there is no store")


def test_options_that_a_form_has_no_use_for_are_all_named(url: str, file: pathlib.Path) -> None:
    done = run(
        url, "prices", "import", "omie", str(file), "--series", "x", "--unit", "EUR/MWh", "--decimal", "point",
        "--without-vat", "--start", "soon", "--end", "later",
    )  # fmt: skip
    wrong_usage(done, "unit: omie has no use for it; it is for entsoe, esios, csv", "decimal: omie",
                "without-vat: omie has no use for it; it is for octopus", "start: 'soon'", "end: 'later'")  # fmt: skip


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--interval", "P1D"), "interval: 'P1D' is none of PT15M, PT30M, PT1H"),
     (("--where", "area"), "write COLUMN=VALUE"),
     (("--timezone", "Lisbon"), "no IANA time zone"), (("--decimal", "dot"), "neither point nor comma"),
     (("--series", "a b"), "series: 'a b' is no name of a series"), (("--unit", "EUR/GJ"), "unit: 'EUR/GJ' is no unit"),
     (("--column", "value"), "there is no column 'value'; there are: start, price"),
     (("--unit", ""), "the CSV does not tell it")],
)  # fmt: skip
def test_a_wrong_option_of_an_import_is_told(url: str, file: pathlib.Path, options: tuple[str, ...], told: str) -> None:
    done = run(url, "prices", "import", "csv", str(file), "--series", "x", "--unit", "EUR/MWh", *options)
    wrong_usage(done, told)


def test_an_unknown_form_names_the_forms(url: str, file: pathlib.Path) -> None:
    done = run(url, "prices", "import", "excel", str(file), "--series", "x")
    wrong_usage(done, "form: 'excel' is none; there are octopus: a page of Octopus's unit rates, JSON; octopus-csv")


def test_octopus_rates_are_cut_to_the_bounds(url: str, tmp_path: pathlib.Path) -> None:
    rate = {"value_inc_vat": 21.0, "value_exc_vat": 20.0, "valid_from": "2023-01-01T00:00:00Z", "valid_to": None}
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({"next": None, "results": [rate]}))
    command = ("prices", "import", "octopus", str(path), "--series", "fixed", "--without-vat")
    wrong_usage(run(url, *command), "rates.json, results[0].valid_to: the rate is without one; tell the end")
    done = run(url, *command, "--start", "2024-01-01", "--end", "2024-01-02")
    assert done.stdout.startswith("fixed (GBp/kWh): accepted 48,")
    assert kept(url, "fixed", "2024-01-01", 24) == [20] * 24


# --- fetch ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def fetch(url: str, server: UpstreamServer, *words: str, **settings: str) -> Done:
    base = {
        "OCTOPUS_URL": server.url,
        "OMIE_URL": server.url,
        "ENTSOE_URL": f"{server.url}/api",
        "ESIOS_URL": server.url,
    }
    return run(url, "prices", "fetch", *words, **{**base, "PRICE_TIMEOUT_S": "5", "ENTSOE_TOKEN": "", **settings})


def day_file(request: Request) -> Answer:
    """The market days until 2024-01-03."""
    name = request.query["filename"]
    if name > "marginalpdbc_20240103.1":
        return Answer("none", 404)
    day = f"{name[13:17]};{name[17:19]};{name[19:21]}"
    rows = "".join(f"{day};{n};{int(name[19:21])},{n:02d};0;\n" for n in range(1, 25))
    return Answer(f"MARGINALPDBC;\n{rows}*\n", kind="text/plain")


def test_omie_is_fetched_by_dates_of_the_market_and_again_nothing_is_new(url: str, server: UpstreamServer) -> None:
    server.answers_by("/es/file-download", day_file)
    command = ("omie", "--country", "pt", "--series", "omie_pt", "--start", "2024-01-02", "--end", "2024-01-05")
    done = fetch(url, server, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "note: 2024-01-04: OMIE has published nothing (yet)",
        "omie_pt (EUR/MWh): accepted 48, known already 0; 2024-01-01T23:00:00Z to 2024-01-03T23:00:00Z",
    ]
    assert kept(url, "omie_pt", "2024-01-02T22:00:00", 2) == [Decimal("2.24"), Decimal("3.01")]
    assert "accepted 0, known already 48;" in fetch(url, server, *command).stdout


def test_what_came_before_a_failure_is_kept_and_told(url: str, server: UpstreamServer) -> None:
    def fails_on_the_third(request: Request) -> Answer:
        return Answer("busy", 503) if "20240103" in request.query["filename"] else day_file(request)

    server.answers_by("/es/file-download", fails_on_the_third)
    done = fetch(
        url, server, "omie", "--country", "pt", "--series", "omie_pt", "--start", "2024-01-01", "--end", "2024-01-04"
    )
    assert done.returncode == 1
    assert done.stdout.startswith("omie_pt (EUR/MWh): accepted 48, known already 0; 2023-12-31T23:00:00Z")
    assert done.stderr.splitlines()[-1] == "statistics-manager: OMIE answered with status 503"


def test_octopus_is_fetched_by_the_code_of_a_tariff(url: str, server: UpstreamServer) -> None:
    rate = {"value_inc_vat": 21.0, "value_exc_vat": 20.0, "valid_from": "2024-06-30T23:00:00Z", "valid_to": None}
    path = "/v1/products/VAR-24-06-01/electricity-tariffs/E-1R-VAR-24-06-01-C/standard-unit-rates/"
    server.answers(path, {"next": None, "results": [rate]})
    command = ("octopus", "E-1R-VAR-24-06-01-C", "--series", "flexible", "--start", "2024-07-01", "--end", "2024-07-02")
    done = fetch(url, server, *command)
    assert done.stdout == (
        "flexible (GBp/kWh): accepted 48, known already 0; 2024-06-30T23:00:00Z to 2024-07-01T23:00:00Z\n"
    )
    assert server.requests[0].query["period_from"] == "2024-06-30T23:00:00Z"
    assert "accepted 48," in fetch(url, server, *command, "--without-vat").stdout
    assert kept(url, "flexible", "2024-07-01", 1) == [20]


def test_without_an_end_all_is_fetched_that_is_known(url: str, server: UpstreamServer) -> None:
    path = "/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"
    server.answers(path, {"next": None, "results": []})
    done = fetch(url, server, "octopus", "E-1R-AGILE-24-10-01-C", "--series", "agile", "--start", "2024-07-01")
    assert (done.returncode, done.stdout) == (0, "agile: no prices\n")
    end_us = us(server.requests[0].query["period_to"].removesuffix("Z"))
    assert end_us % QUARTER_US == 0
    assert 1.9 < (end_us - time.time() * 1e6) / US_PER_DAY < 2.1


DOCUMENT = """<?xml version="1.0"?><Publication_MarketDocument xmlns="urn:x"><type>A44</type><TimeSeries>
<in_Domain.mRID>10YPT-REN------W</in_Domain.mRID><currency_Unit.name>EUR</currency_Unit.name>
<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType><Period><timeInterval>
<start>2023-12-31T23:00Z</start><end>2024-01-01T23:00Z</end></timeInterval><resolution>PT60M</resolution>
<Point><position>1</position><price.amount>50.5</price.amount></Point></Period></TimeSeries></Publication_MarketDocument>"""


def test_entsoe_is_fetched_with_its_token_which_is_never_shown(url: str, server: UpstreamServer) -> None:
    server.answers("/api", DOCUMENT)
    command = ("entsoe", "PT", "--series", "pt", "--start", "2024-01-01", "--end", "2024-01-02")
    refused(fetch(url, server, *command), "ENTSOE_TOKEN is not set")
    assert server.requests == []
    done = fetch(url, server, *command, ENTSOE_TOKEN="very-secret")
    assert done.stdout == "pt (EUR/MWh): accepted 24, known already 0; 2023-12-31T23:00:00Z to 2024-01-01T23:00:00Z\n"
    (request,) = server.requests
    assert (request.path, request.query["securityToken"]) == ("/api", "very-secret")  # no slash behind the path
    for fault in ({"status": 401}, {"status": 500}, {"way": "truncated"}, {"way": "malformed"}):
        server.fails(**fault)  # type: ignore[arg-type]
        failed = fetch(url, server, *command, ENTSOE_TOKEN="very-secret", LOG_LEVEL="DEBUG")
        assert failed.returncode == 1
        assert "very-secret" not in failed.stdout + failed.stderr


def test_esios_is_fetched_without_a_token_and_indicators_with_one(url: str, server: UpstreamServer) -> None:
    hours = [{"Dia": "01/01/2024", "Hora": f"{n:02d}-{n + 1:02d}", "PCB": f"{n},5"} for n in range(24)]
    server.answers("/archives/70/download_json", {"PVPC": hours})
    time_of = ("--start", "2024-01-01", "--end", "2024-01-02")
    done = fetch(url, server, "esios", "--series", "pvpc", *time_of, ESIOS_TOKEN="")
    assert done.stdout == "pvpc (EUR/MWh): accepted 24, known already 0; 2023-12-31T23:00:00Z to 2024-01-01T23:00:00Z\n"
    surplus = ("esios", "--series", "surplus", "--indicator", "1739", *time_of)
    refused_done = fetch(url, server, *surplus, ESIOS_TOKEN="")
    assert refused_done.returncode == 1
    assert "set ESIOS_TOKEN" in refused_done.stderr
    values = [{"value": 50.5, "datetime": "2024-01-01T00:00:00.000+01:00", "geo_id": 3, "geo_name": "España"}]
    server.answers("/indicators/1739", {"indicator": {"id": 1739, "values": values}})
    assert "accepted 1," in fetch(url, server, *surplus, ESIOS_TOKEN="secret").stdout
    assert server.requests[-1].headers["x-api-key"] == "secret"


@pytest.mark.parametrize(
    ("words", "told"),
    [(("omie", "--country", "pt", "--start", "soon", "--end", "later"), ("start: 'soon'", "end: 'later'")),
     (("omie", "--country", "pt", "--start", "2024-01-02", "--end", "2024-01-02"), ("is not after the start",)),
     (("omie", "--country", "pt", "--start", "2024-01-02", "--end", "2190-01-02"), ("no market has prices yet",)),
     (("octopus", "AGILE", "--start", "2024-01-02"), ("no code of a tariff",)),
     (("entsoe", "XX", "--start", "2024-01-02"), ("neither an EIC code",)),
     (("entsoe", "PT", "--start", "2024-01-02", "--interval", "P1D"), ("interval: 'P1D'",))],
)  # fmt: skip
def test_a_wrong_option_of_a_fetch_is_told_without_asking(
    url: str, server: UpstreamServer, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    done = fetch(url, server, *words, "--series", "x", ENTSOE_TOKEN="t")
    assert done.returncode == 1
    for one in told:
        assert one in done.stderr
    assert server.requests == []


def test_a_wrong_name_of_a_series_is_told_without_asking(url: str, server: UpstreamServer) -> None:
    done = fetch(url, server, "esios", "--series", "a b", "--start", "2024-01-01")
    refused(done, "'a b' is no name of a series")
    assert server.requests == []


@pytest.mark.parametrize("setting", ["OCTOPUS_URL", "OMIE_URL", "ENTSOE_URL", "ESIOS_URL"])
def test_a_source_that_is_no_url_is_told_and_not_shown(url: str, server: UpstreamServer, setting: str) -> None:
    of = {"OCTOPUS_URL": ("octopus", "E-1R-AGILE-24-10-01-C"), "OMIE_URL": ("omie", "--country", "pt"),
          "ENTSOE_URL": ("entsoe", "PT"), "ESIOS_URL": ("esios",)}[setting]  # fmt: skip
    done = fetch(url, server, *of, "--series", "x", "--start", "2024-01-01", **{setting: "secret", "ENTSOE_TOKEN": "t"})
    assert "secret" not in refused(done, f"{setting} is no URL")


def test_a_source_that_is_down_ends_the_command_soon(url: str, server: UpstreamServer) -> None:
    server.goes_down()
    began = time.monotonic()
    done = fetch(
        url, server, "omie", "--country", "pt", "--series", "x", "--start", "2024-01-01", "--end", "2024-03-01"
    )
    assert time.monotonic() - began < 30
    assert (done.returncode, done.stdout) == (1, "x: no prices\n")
    assert "OMIE can't be reached" in done.stderr


# --- tariffs ----------------------------------------------------------------------------------------------------------

GOOD = """
id: mine
title: Mine
currency: EUR
time_zone: Europe/Lisbon
valid: {from: 2026-01-01}
calendars: {schedules: {day: [{period: D, from: "08:00", to: "22:00"}, {period: N}]}}
components:
  - {id: energy, kind: energy, price: {schedule: day, values: {D: 0.2, N: 0.1}}}
"""


@pytest.fixture
def good(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_a_tariff_is_checked_with_all_faults_and_where(good: pathlib.Path, tmp_path: pathlib.Path) -> None:
    bad, broken, as_json = tmp_path / "bad.yaml", tmp_path / "broken.yml", tmp_path / "good.json"
    bad.write_text(GOOD.replace("N: 0.1", "X: 0.1").replace("Europe/Lisbon", "Lisbon"))
    broken.write_text("id: [\n")
    as_json.write_text(json.dumps(yaml.safe_load(GOOD), default=str))
    done = run(None, "tariff", "check", *map(str, (good, bad, broken, as_json)))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == f"{good}: tariff mine is right; 1 component, EUR, from 2026-01-01"
    assert lines[1] == f"{bad}: 3 faults"
    assert [one.split(":")[0].strip() for one in lines[2:5]] == [
        "time_zone", "components[0].price.values.X", "components[0].price.values",
    ]  # fmt: skip
    assert lines[5] == f"{broken}: 1 fault"
    assert lines[6].startswith("  line ")
    assert lines[7].startswith(f"{as_json}: tariff mine is right;")
    assert run(None, "tariff", "check", str(good)).returncode == 0


@pytest.mark.parametrize("body", [b"\xff\xfe\x00x", b"", b"[" * 100_000, b"{", b"5", b"NaN", b"{} {}"])
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_what_is_no_document_is_a_fault_and_no_trace(tmp_path: pathlib.Path, body: bytes, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(body)
    done = run(None, "tariff", "check", str(path))
    assert (done.returncode, done.stderr) == (1, "")
    assert "fault" in done.stdout.splitlines()[0]


def test_a_tariff_is_kept_listed_and_shown(database_url: str, good: pathlib.Path) -> None:
    assert run(database_url, "tariff", "put", str(good)).stdout == "tariff mine is made\n"
    assert run(database_url, "tariff", "put", str(good)).stdout == "tariff mine is kept\n"
    listed = run(database_url, "tariff", "list").stdout.splitlines()
    assert "mine  stored  Mine" in listed
    assert any("  shipped  " in one for one in listed)
    for form, reader in (("yaml", yaml.safe_load), ("json", json.loads)):
        shown: Any = reader(run(database_url, "tariff", "show", "mine", "--form", form).stdout)
        assert read_tariff(shown) == read_tariff(yaml.safe_load(GOOD))
    refused(run(database_url, "tariff", "show", "nobody"), "there is no tariff 'nobody'")
    good.write_text(GOOD.replace("time_zone: Europe/Lisbon", "time_zone: Lisbon"))
    done = run(database_url, "tariff", "put", str(good))
    assert done.returncode == 1
    assert "time_zone: 'Lisbon' is no IANA time zone" in done.stderr


def test_a_shipped_tariff_is_shown_so_that_it_can_be_checked_again(database_url: str, tmp_path: pathlib.Path) -> None:
    listed = [one.split("  ")[0] for one in run(database_url, "tariff", "list").stdout.splitlines()]
    assert listed
    for tariff_id in listed:
        path = tmp_path / f"{tariff_id}.yaml"
        path.write_text(run(database_url, "tariff", "show", tariff_id).stdout)
    done = run(None, "tariff", "check", *(str(tmp_path / f"{one}.yaml") for one in listed))
    assert done.returncode == 0, done.stdout


def test_the_schema_is_json_that_names_the_parts() -> None:
    schema = json.loads(run(None, "tariff", "schema").stdout)
    assert {"id", "currency", "components", "valid"} <= set(schema["properties"])


EVCC = """
tariffs:
  currency: EUR
  grid:
    type: fixed
    price: 0.294
    tax: 0.19
    zones:
      - {days: Mon-Fri, hours: "0-5:30", price: 0.2}
  feedin: {type: fixed, price: 0.08}
"""


def test_a_tariff_of_evcc_becomes_a_document_that_can_be_put(url: str, tmp_path: pathlib.Path) -> None:
    source, made = tmp_path / "evcc.yaml", tmp_path / "made.yaml"
    source.write_text(EVCC)
    done = run(None, "tariff", "from-evcc", str(source), "--timezone", "Europe/Berlin", "--valid-from", "2026-01-01")
    assert (done.returncode, done.stderr) == (0, "")
    made.write_text(done.stdout)
    assert run(None, "tariff", "check", str(made)).stdout.endswith(
        "tariff evcc-grid is right; 1 component, EUR, from 2026-01-01\n"
    )
    assert run(url, "tariff", "put", str(made)).stdout == "tariff evcc-grid is made\n"
    words = ("--timezone", "Europe/Berlin", "--part", "feedin", "--id", "sold", "--form", "json")
    exported = json.loads(run(None, "tariff", "from-evcc", str(source), *words).stdout)
    assert (exported["id"], exported["components"][0]["flow"]) == ("sold", "export")


def test_what_is_wrong_with_a_tariff_of_evcc_is_told(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "evcc.yaml"
    source.write_text("tariffs: {grid: {type: tibber, price: x}}\n")
    done = run(None, "tariff", "from-evcc", str(source), "--timezone", "Europe/Berlin")
    assert done.returncode == 1
    assert "tariffs.grid.type: 'tibber' is not read" in done.stderr
    assert "tariffs.grid.price: 'x' is no price" in done.stderr
    refused(run(None, "tariff", "from-evcc", str(source), "--timezone", "Berlin"), "no IANA time zone")
    source.write_text(EVCC)
    done = run(None, "tariff", "from-evcc", str(source), "--timezone", "Europe/Berlin", "--valid-from", "soon")
    assert done.returncode == 1
    assert "valid.from" in done.stderr
