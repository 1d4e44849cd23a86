"""`statistics-manager explain`: a number for people, as JSON, and as the text whose sha256sum is the digest."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import pytest
from measured import measure, open_store, put_home, quarter
from test_commands import refused, run

ASKED = ("explain", "home1", "energy_import", "2026-01-02", "2026-01-03")


def fill(url: str) -> None:
    store = open_store(url)
    put_home(store, timezone="UTC")
    measure(store, "home1", quarter("2026-01-01"), 4 * 96, lambda number: 100)
    store.close()


@pytest.fixture
def url(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> str:
    path = tmp_path / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    fill(f"sqlite:///{path}")
    return f"sqlite:///{path}"


def test_a_number_is_told_in_lines(database_url: str) -> None:
    fill(database_url)
    done = run(database_url, *ASKED)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "home1: energy_import, 2026-01-02 to 2026-01-03 UTC",
        "9.6 kWh   measured 100.0%, estimated 0.0%",
        "energy_import = 19.2 (register at end) − 9.6 (register at start) = 9.6 kWh",
    ]
    assert "    kind: register" in lines
    assert lines[-1].startswith("sha-256 ")


def test_the_file_of_quarters_has_the_digest(url: str, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "there" / "quarters.txt"
    done = run(url, *ASKED, "--json", "--quarters", str(file))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    summed = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert summed == told["digest"]["value"]
    assert told["value"] == 9.6
    assert len([line for line in file.read_text().splitlines() if line.startswith("quarter ")]) == 96


def test_what_can_not_be_explained_is_refused(url: str, tmp_path: pathlib.Path) -> None:
    refused(run(url, "explain", "nobody", *ASKED[2:]), "there is no household 'nobody'")
    refused(run(url, "explain", "home1", "energy", "2026-01-02", "2026-01-03"), "'energy' is no measure")
    refused(run(url, *ASKED, "--quarters", str(tmp_path)), "can't be written")
