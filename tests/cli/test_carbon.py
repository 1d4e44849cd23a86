"""`statistics-manager carbon …` as an operator calls it: files, sources, stores, exit codes."""

from __future__ import annotations

import gzip
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from generation_documents import NO_DATA, document, flat
from measured import HOUR_US, open_store, us
from test_commands import Done, run
from upstream_server import UpstreamServer

from statistics_manager_service.services.carbon.factors import mix_factors
from statistics_manager_service.services.carbon.intensities import intensity_quarters

HOURLY = "at;value\n" + "".join(f"2024-01-01T{n:02d}:00Z;{n},5\n" for n in range(24))


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    """A store that is not there yet."""
    return f"sqlite:///{tmp_path / 'carbon.sqlite3'}"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "told.csv"
    path.write_text(HOURLY)
    return path


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


def hours(url: str, zone: str, start: str, count: int, until_us: int | None = None) -> list[float]:
    """The mean of each hour, of the only series of a zone; NaN where one of its quarter-hours is not known."""
    store = open_store(url)
    with store.reading() as view:
        (series,) = view.intensity_series(zone)
        found = intensity_quarters(view, series, us(start), us(start) + count * HOUR_US, until_us=until_us)
    store.close()
    means: list[float] = found.value_g_per_kwh.reshape(count, 4).mean(axis=1).tolist()
    return means


def wrong_usage(done: Done, *lines: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    told = done.stderr.strip().splitlines()
    assert told[0].startswith("statistics-manager: ")
    for line, words in zip(told, lines, strict=True):
        assert words in line


# --- import -----------------------------------------------------------------------------------------------------------


def test_a_file_is_imported_once_and_another_value_is_a_new_issue(database_url: str, file: pathlib.Path) -> None:
    command = ("carbon", "import", str(file), "--zone", "PT")
    done = run(database_url, *command)
    assert (done.returncode, done.stderr) == (0, "")
    name = "PT uploaded (average, lifecycle, consumption)"
    span = "2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z"
    assert done.stdout == f"{name}: accepted 24, known already 0; {span}\n"
    assert run(database_url, *command).stdout == f"{name}: accepted 0, known already 24; {span}\n"
    before_us = time.time_ns() // 1000
    assert hours(database_url, "PT", "2023-12-31T23:00:00", 26) == pytest.approx(
        [np.nan, *(n + 0.5 for n in range(24)), np.nan], nan_ok=True
    )
    file.write_text(HOURLY.replace("Z;5,5", "Z;7"))
    assert "accepted 1, known already 23" in run(database_url, *command).stdout
    assert hours(database_url, "PT", "2024-01-01T05:00:00", 1) == [7]
    assert hours(database_url, "PT", "2024-01-01T05:00:00", 1, before_us) == [5.5], "what was known stays"
    listed = run(database_url, "carbon", "list")
    assert (listed.stdout, listed.stderr) == (f"{name}  {span}  25\n", "1 series\n")


def test_half_a_year_of_great_britain_is_imported(url: str, shared_data: pathlib.Path) -> None:
    path = shared_data / "neso_gb_carbon_halfhour" / "neso_national_intensity.csv.gz"
    common = ("carbon", "import", str(path), "--zone", "GB", "--source", "neso", "--boundary", "direct",
              "--time-column", "from", "--value-column", "actual")  # fmt: skip
    assert run(url, *common, "--dry-run").stdout.splitlines()[:3] == [
        "note: rows without an intensity: 5",
        "note: intensities of 0: 5; where that means unknown, --zero-is-unknown leaves them out",
        "GB neso (average, direct, consumption): 8683 intensities; 2023-01-01T00:00:00Z to 2023-07-01T00:00:00Z",
    ]
    done = run(url, *common, "--zero-is-unknown")
    assert done.stdout.splitlines()[1:] == [
        "note: intensities of 0, left out: 5",
        "GB neso (average, direct, consumption): accepted 8678, known already 0; "
        "2023-01-01T00:00:00Z to 2023-07-01T00:00:00Z",
    ]
    rows = [line.split(",") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    actual = [float(row[3]) if row[3] and float(row[3]) else np.nan for row in rows]
    by_hour = np.array(actual).reshape(-1, 2).mean(axis=1)
    found = hours(url, "GB", "2023-01-01", len(by_hour))
    assert found == pytest.approx(by_hour.tolist(), nan_ok=True)


def test_a_year_of_spain_is_imported_with_the_mean_that_its_publisher_tells(
    url: str, shared_data: pathlib.Path
) -> None:
    path = shared_data / "es_generation_mix_carbon_hourly" / "ES_2020.csv.gz"
    done = run(url, "carbon", "import", str(path), "--zone", "ES", "--time-column", "UTC time",
               "--value-column", "carbon_intensity", "--timezone", "UTC")  # fmt: skip
    assert done.stdout.endswith("accepted 8784, known already 0; 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z\n")
    assert np.mean(hours(url, "ES", "2020-01-01", 8784)) == pytest.approx(172.09909, abs=1e-4)


def test_all_that_is_wrong_with_the_options_is_told_at_once(url: str, file: pathlib.Path) -> None:
    done = run(url, "carbon", "import", str(file), "--zone", "pt", "--kind", "guess", "--unit", "lb/MWh",
               "--scope", "x", "--basis", "y", "--boundary", "z", "--source", "Me", "--interval", "P1D",
               "--timezone", "Mars",
               "--where", "a", "--decimal", "dot", "--issued-at", "soon")  # fmt: skip
    wrong_usage(done, "(and 11 more faults)", "source: ", "kind: ", "basis: ", "boundary: ", "scope: ",
                "interval: ", "timezone: ", "where: ", "decimal: ", "unit: ", "issued-at: ")  # fmt: skip
    assert not pathlib.Path(url.removeprefix("sqlite:///")).exists()


def test_all_faults_of_files_are_told_and_nothing_of_any_is_kept(
    url: str, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(
        "at,value\n2024-01-01T00:00Z,-1\n2024-01-01T01:00Z,2001\n2024-01-01T02:00Z,x\n2024-01-01T03:10Z,1\n"
        "2199-01-01T03:00Z,1\n2024-01-01T05:00Z,1\n2024-01-01T05:00Z,2\n2024-01-01T06:00Z,1e999\n"
    )
    page = tmp_path / "page.csv"
    page.write_text("<!doctype html><html>")
    done = run(url, "carbon", "import", str(file), str(bad), str(page), "--zone", "PT", "--interval", "PT1H")
    wrong_usage(
        done,
        "bad.csv, line 5: '2024-01-01T03:10Z' is not at a whole quarter",
        "bad.csv, line 2: '-1' can't be: an intensity of -1 g/kWh is no grid's",
        "bad.csv, line 3: '2001' can't be",
        "bad.csv, line 4: 'x' is no number",
        "bad.csv, line 9: ",
        "bad.csv, line 8: two intensities",
        "bad.csv, line 6: it lies in the future",
        "page.csv, body",
    )
    assert not pathlib.Path(url.removeprefix("sqlite:///")).exists()


def test_kilograms_and_forecasts_with_their_issue_are_read(url: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "told.csv"
    path.write_text("t,place,kg\n2030-01-01T00:00Z,a,0.0905\n2030-01-01T00:15Z,b,0.2\n2030-01-01T00:15Z,a,0.1\n")
    done = run(url, "carbon", "import", str(path), "--zone", "DK-DK1", "--time-column", "t", "--value-column", "KG",
               "--unit", "kgCO2/kWh", "--kind", "forecast", "--where", "place=a",
               "--issued-at", "2024-01-01T00:00Z")  # fmt: skip
    assert done.returncode == 0, done.stderr
    store = open_store(url)
    with store.reading() as view:
        (series,) = view.intensity_series("DK-DK1")
        rows = view.intensity_issues(series.series_no, 0, 2**62)
    store.close()
    told = [(one.intensity_mg_per_kwh, one.length_us // 60_000_000, one.kind, one.issued_us) for one in rows]
    assert told == [(90_500, 15, "forecast", us("2024-01-01")), (100_000, 15, "forecast", us("2024-01-01"))]


# --- fetch ------------------------------------------------------------------------------------------------------------


def entsoe(url: str, server: UpstreamServer, *arguments: str, **more: str) -> Done:
    settings = {"ENTSOE_URL": server.url + "/api", "ENTSOE_TOKEN": "secret", **more}
    return run(url, "carbon", "fetch", "entsoe", *arguments, **settings)


def test_the_history_of_a_zone_is_fetched_and_again_nothing_is_new(database_url: str, server: UpstreamServer) -> None:
    server.answers("/api", document(flat("B04", 100), flat("B19", 300), flat("B99", 0)))
    command = (database_url, server, "PT", "--start", "2025-08-10T00:00Z", "--end", "2025-08-11T00:00Z")
    done = entsoe(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "note: 2025-08-10: production types that are not known here count as unknown: 'B99'\n"
        "PT entsoe (average, lifecycle, production): accepted 24, known already 0; "
        "2025-08-10T00:00:00Z to 2025-08-11T00:00:00Z\n"
    )
    assert "accepted 0, known already 24" in entsoe(*command).stdout
    assert hours(database_url, "PT", "2025-08-10", 24) == [(490 + 3 * 11) / 4] * 24
    assert "(average, direct, production): accepted 24" in entsoe(*command, CARBON_BOUNDARY="direct").stdout
    listed = run(database_url, "carbon", "list").stdout.splitlines()
    assert [line.split(")")[0] for line in listed] == [
        "PT entsoe (average, lifecycle, production", "PT entsoe (average, direct, production",
    ]  # fmt: skip


def test_what_came_before_a_failure_is_kept_and_told_of_carbon(url: str, server: UpstreamServer) -> None:
    def answer(query: Any, _headers: Any) -> bytes:
        if query["periodStart"] != "202508100000":
            server.fails(status=500)
            return b""
        return document(flat("B04", 100))

    server.answers("/api", answer)
    done = entsoe(url, server, "PT", "--start", "2025-08-10T00:00Z", "--end", "2025-08-20T00:00Z",
                  CARBON_TIMEOUT_S="0.5")  # fmt: skip
    assert done.returncode == 1
    assert "accepted 24, known already 0" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("statistics-manager: ENTSO-E answered")
    assert hours(url, "PT", "2025-08-10", 1) == [490]


def test_where_nothing_is_published_yet_nothing_is_kept(url: str, server: UpstreamServer) -> None:
    server.answers("/api", NO_DATA)
    done = entsoe(url, server, "PT", "--start", "2025-08-10")
    assert (done.returncode, done.stdout) == (0, "PT entsoe (average, lifecycle, production): no intensities\n")
    assert server.requests[0].query["periodStart"] == "202508092300", "the day is one of Lisbon"


def test_all_that_is_wrong_with_a_fetch_is_told_at_once(url: str, server: UpstreamServer) -> None:
    wrong_usage(run(url, "carbon", "fetch", "rumour", "pt", "--start", "soon", "--end", "later"),
                "zone: ", "source: ", "start: ", "end: ")  # fmt: skip
    wrong_usage(run(url, "carbon", "fetch", "neso", "PT", "--start", "2024-01-01"), "zone: neso does not know PT")
    late = run(url, "carbon", "fetch", "neso", "GB", "--start", "2199-01-01")
    wrong_usage(late, "start: 2199-01-01T00:00:00Z is not before the end")
    lacking = run(url, "carbon", "fetch", "entsoe", "PT", "--start", "2024-01-01")
    assert (lacking.returncode, "ENTSOE_TOKEN" in lacking.stderr) == (1, True)


# --- factors ----------------------------------------------------------------------------------------------------------


def test_the_factors_are_told_with_their_sources_without_a_store() -> None:
    done = run(None, "carbon", "factors")
    assert (done.returncode, done.stderr) == (0, "")
    shipped = mix_factors()
    for name, one in shipped.sets.items():
        assert f"{name}: {one.title}, gCO2eq/kWh\n  source: {one.source}" in done.stdout
    assert "  coal 820  (" in done.stdout
    assert "  oil 650 ?  (the table has no oil" in done.stdout
    assert "  B10 Hydro Pumped Storage: storage\n" in done.stdout
    assert "  French Imports 53\n" in done.stdout
    assert "own production, lifecycle: 41 gCO2eq/kWh\n" in done.stdout
    assert "annual means of " in done.stdout
