"""Importing as people do it: the command as a process, then the service over the same store, asked by REST."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import subprocess
from typing import Any

import pytest
from forked import command_done
from servers import RunningService

from statistics_manager_service import bootstrap
from statistics_manager_service.cli import main
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.migrate import migrate

ROUNDED_KWH = 5.01e-4  # expected.json has three decimals

EREDES = "eredes_pt_15min/leituras.csv.gz"
P1_HOURS = "p1mon_nl_registers/history_hour.csv.gz"
P1_REGISTERS = {
    "VERBR_KWH_181": ("tariff1", "energy_import"),
    "VERBR_KWH_182": ("tariff2", "energy_import"),
    "GELVR_KWH_281": ("tariff1", "energy_export"),
    "GELVR_KWH_282": ("tariff2", "energy_export"),
}


@pytest.fixture
def sqlite_url(tmp_path: pathlib.Path) -> str:
    """The URL of a store of SQLite that is not there yet: the command makes it."""
    return f"sqlite:///{tmp_path / 'imports.sqlite3'}"


def run_import(url: str, file: pathlib.Path, preset: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url, "COLUMNS": "300"}
    words = ["import", str(file), "--preset", preset, "--household", "home1", *options]
    done = command_done(*words, environment=environment, timeout_s=120)
    assert "Traceback" not in done.stderr
    return done


def expected(folder: pathlib.Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return told


def monthly(service: RunningService, measure: str, start: str, end: str, **more: str) -> dict[str, float | None]:
    query = {"measures": measure, "group_by": "monthly", "start": start, "end": end, **more}
    answer = service.call("GET", "/households/home1/statistics", params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (series,) = body["series"]
    return {bucket["start"][:7]: kwh for bucket, kwh in zip(body["buckets"], series["values"], strict=True)}


def test_e_redes_is_imported_once_however_often(database_url: str, shared_data: pathlib.Path) -> None:
    told = expected((shared_data / EREDES).parent)
    first = run_import(database_url, shared_data / EREDES, "e-redes", "--timezone", "Europe/Lisbon")
    assert first.returncode == 0, first.stderr
    assert f"accepted {told['readings']}, known already 0, set aside 0 of the accepted, refused 0" in first.stdout
    with RunningService({"DATABASE_URL": database_url}) as service:
        energies = monthly(service, "energy_import", "2024-09-01", "2025-03-01")
        assert energies == pytest.approx(told["monthly_kwh"], abs=ROUNDED_KWH)
        again = run_import(database_url, shared_data / EREDES, "e-redes")
        assert again.returncode == 0, again.stderr
        assert f"accepted 0, known already {told['readings']}" in again.stdout
        assert monthly(service, "energy_import", "2024-09-01", "2025-03-01") == energies
        household = service.call("GET", "/households/home1").json()
        assert household["timezone"] == "Europe/Lisbon"


def test_a_spike_of_p1_monitor_is_set_aside_and_listed(sqlite_url: str, shared_data: pathlib.Path) -> None:
    told = expected((shared_data / P1_HOURS).parent)["hour"]
    done = run_import(sqlite_url, shared_data / P1_HOURS, "p1-monitor", "--timezone", "Europe/Amsterdam")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"accepted {told['readings']}, known already 0, set aside 1 of the accepted") == 4
    with RunningService({"DATABASE_URL": sqlite_url}) as service:
        for name, (meter, quantity) in P1_REGISTERS.items():
            energies = monthly(service, quantity, "2022-01-01", "2022-12-01", meter=meter)
            assert energies == pytest.approx(told["clean_monthly_kwh"][name], abs=ROUNDED_KWH)
        # expected.json: the row 2022-11-04 15:00 jumps by 995.144 kWh to 10288.632; a row's register is of its end
        path = "/households/home1/meters/tariff1/readings"
        assert f"GET /api/statistics{path}?quantity=energy_import&verdict=glitch" in done.stdout
        listed = service.call("GET", path, params={"quantity": "energy_import", "verdict": "glitch"}).json()
        (channel,) = listed["channels"]
        assert (channel["at"], channel["value"]) == (["2022-11-04T15:00:00Z"], [10288.632])
        before = service.call("GET", "/households/home1/statistics", params=_YEAR).json()
        again = run_import(sqlite_url, shared_data / P1_HOURS, "p1-monitor")
        assert again.stdout.count(f"accepted 0, known already {told['readings']}, set aside 0") == 4
        assert service.call("GET", "/households/home1/statistics", params=_YEAR).json() == before


_YEAR = {"measures": "energy_import,energy_export", "group_by": "daily", "start": "2022-01-01", "end": "2023-01-01"}


# --- what the command says, on files of our own -----------------------------------------------------------------------

READINGS = "at,value\n2024-01-01T00:00:00Z,10\n2024-01-01T01:00:00Z,11.5\n2024-01-01T02:00:00Z,12\n"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "readings.csv"
    path.write_text(READINGS)
    return path


def households(url: str) -> list[str]:
    store = bootstrap.open_store(Settings(database_url=url))
    return [one.id for one in bootstrap.households_of(store).page(None, 10)]


def test_a_dry_run_tells_the_same_and_makes_no_household(sqlite_url: str, file: pathlib.Path) -> None:
    dry = run_import(sqlite_url, file, "csv", "--unit", "kWh", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "would be accepted 3, known already 0, set aside 0 of the accepted, refused 0" in dry.stdout
    assert households(sqlite_url) == []
    real = run_import(sqlite_url, file, "csv", "--unit", "kWh")
    assert "accepted 3, known already 0, set aside 0 of the accepted, refused 0" in real.stdout
    dry_again = run_import(sqlite_url, file, "csv", "--unit", "kWh", "--dry-run")
    assert "would be accepted 0, known already 3" in dry_again.stdout


def test_refused_rows_are_named_and_the_others_kept(
    sqlite_url: str, file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    file.write_text(READINGS + "soon,13\n2024-01-01T04:00:00Z,much\n1999-01-01T00:00:00Z,1\n" + "never,1\n" * 30)
    refused_to = tmp_path / "refused.csv"
    done = run_import(sqlite_url, file, "csv", "--unit", "kWh", "--refused-to", str(refused_to))
    assert done.returncode == 1
    assert "accepted 3, known already 0, set aside 0 of the accepted, refused 1" in done.stdout
    assert "2024-01-01T00:00:00Z to 2024-01-01T02:00:00Z" in done.stdout
    assert "refused in all: 33" in done.stdout
    assert "refused: row 5: 'soon' is no label" in done.stdout
    assert "and 13 more" not in done.stdout  # they are in the file
    with refused_to.open(newline="") as written:
        rows = list(csv.reader(written))
    assert rows[0] == ["where", "number", "reason"]
    assert sorted(int(number) for _, number, _ in rows[1:]) == list(range(5, 38))


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (READINGS, ["--preset", "excel"], "'excel' is no preset; there are csv, e-redes"),
        (READINGS, ["--preset", "p1-monitor"], "this preset needs TIMESTAMP"),
        (READINGS, ["--unit", "km"], "'km' is no unit of energy_import"),
        ("Time,a\n1704067200,1\n", ["--preset", "grafana", "--unit", "km"], "'km' is no unit of energy_import"),
        (READINGS, ["--refused-to", "/proc/none/refused.csv"], "can't be written"),
        (READINGS, ["--timezone", "Lisbon"], "one would be Europe/Lisbon"),
        (READINGS.replace("Z", ""), ["--unit", "kWh"], "tell the zone of their clock with --timezone"),
        ("at,value\nsoon,1\n", ["--unit", "kWh"], "no row can be read; row 2"),
        ("", [], "the file is empty"),
    ],
)
def test_wrong_usage_is_a_sentence_and_makes_no_household(
    sqlite_url: str,
    file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    options: list[str],
    sentence: str,
) -> None:
    file.write_text(content)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    with pytest.raises(SystemExit) as end:
        main(["import", str(file), "--preset", "csv", "--household", "home1", *options])
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err
    migrate(sqlite_url)
    assert households(sqlite_url) == []


def test_a_known_household_tells_the_zone_of_the_clock(sqlite_url: str, file: pathlib.Path) -> None:
    migrate(sqlite_url)
    with RunningService({"DATABASE_URL": sqlite_url}) as service:
        service.call("PUT", "/households/home1", json={"timezone": "Europe/Lisbon"})
        file.write_text("at,value\n2024-07-01 00:00,1\n2024-07-01 01:00,2\n")
        done = run_import(sqlite_url, file, "csv", "--unit", "kWh")
        assert "2024-06-30T23:00:00Z to 2024-07-01T00:00:00Z" in done.stdout
        (listed,) = service.call("GET", "/households/home1/meters/grid/readings").json()["channels"]
        assert listed["at"] == ["2024-06-30T23:00:00Z", "2024-07-01T00:00:00Z"]
