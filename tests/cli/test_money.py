"""`cost` and `statement` as people call them: over each store, files of each form, what is refused."""

from __future__ import annotations

import io
import json
import pathlib
import re
import time

import pytest
from live_home import LiveHome, flat
from measured import open_store, quarter
from pypdf import PdfReader
from test_commands import refused, run

from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY

STATEMENT = ("statement", "home1", "--start", "2025-02-01", "--end", "2025-03-01")


def fill(url: str, begin: str, end: str) -> LiveHome:
    """A household that takes 100 Wh in each quarter-hour, at 0.20 a kWh and 0.50 a day."""
    made = LiveHome(open_store(url), end)
    made.record(begin, end, lambda number: 100)
    made.contract(flat())
    return made


def at(days_ago: float) -> str:
    """A quarter-hour of some days ago, in UTC."""
    now_us = time.time_ns() // 1000
    return iso_label(round(now_us - days_ago * US_PER_DAY) // QUARTER_US * QUARTER_US).removesuffix("Z")


def test_the_cost_is_told_in_lines(database_url: str) -> None:
    fill(database_url, at(40), at(0)).store.close()
    done = run(database_url, "cost", "home1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"home1, \d{4}-\d\d-\d\d \d\d:\d\d Europe/Lisbon", lines[0])
    told = {line[:22].strip(): line[22:].strip() for line in lines if not line.startswith("-")}
    assert told["Price now"] == "0.20 EUR per kWh"
    assert re.fullmatch(r"€\d+\.\d\d   \d+\.\d{3} kWh from the grid", told["projected"])
    between = next(line for line in lines if "four times out of five" in line)
    low, high = (float(text) for text in re.findall(r"€(\d+\.\d\d)", between))
    assert low <= float(told["projected"][1:].split()[0]) <= high
    assert lines[-1].startswith("- ")
    assert "- the billing period is not over" in lines


def test_what_is_not_known_of_the_cost_is_said(database_url: str) -> None:
    fill(database_url, at(0.2), at(0)).store.close()
    done = run(database_url, "cost", "home1")
    assert done.returncode == 0, done.stderr
    assert "projected" not in done.stdout.split("- ")[0]
    assert "- too little is measured for a projection" in done.stdout
    assert re.search(r"yesterday until now +unknown", done.stdout)


def test_the_cost_of_a_household_without_contracts_is_refused(database_url: str) -> None:
    LiveHome(open_store(database_url), at(0)).store.close()
    refused(run(database_url, "cost", "home1"), "household home1 has no contract in this time")


@pytest.fixture
def url(sqlite_template: pathlib.Path, tmp_path: pathlib.Path) -> str:
    """A store with a household that has a whole February."""
    path = tmp_path / "statistics.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    found = f"sqlite:///{path}"
    fill(found, "2025-02-01", "2025-03-01").store.close()
    return found


GROSS = 0.2 * 0.1 * (quarter("2025-03-01") - quarter("2025-02-01")) + 28 * 0.5


def test_a_statement_is_printed_as_json(url: str) -> None:
    done = run(url, *STATEMENT)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["gross"] == pytest.approx(GROSS)
    assert [line["component"] for line in told["periods"][0]["lines"]] == ["energy", "standing"]


def test_a_statement_is_printed_as_html(url: str) -> None:
    done = run(url, *STATEMENT, "--format", "html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().startswith("<!doctype html>")
    assert f"{GROSS:.2f}" in done.stdout


@pytest.mark.parametrize("named", [True, False])
def test_a_statement_is_written_into_a_file_by_its_ending_or_its_format(
    url: str, tmp_path: pathlib.Path, named: bool
) -> None:
    file = tmp_path / "new" / ("bill" if named else "bill.pdf")
    done = run(url, *STATEMENT, "--output", str(file), *(["--format", "pdf"] if named else []))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"{file}: €{GROSS:.2f}"
    text = PdfReader(io.BytesIO(file.read_bytes())).pages[0].extract_text()
    assert f"{GROSS:.2f}" in text


def test_a_statement_may_be_one_period(url: str) -> None:
    asked = ("statement", "home1", "--start", "2025-01-20", "--end", "2025-03-01")
    counts = [len(json.loads(run(url, *asked, *more).stdout)["periods"]) for more in ((), ("--single",))]
    assert counts == [2, 1]


def test_a_pdf_is_not_printed(url: str) -> None:
    refused(run(url, *STATEMENT, "--format", "pdf"), "--output")


def test_an_ending_of_no_form_is_refused(url: str, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "bill.docx"
    refused(run(url, *STATEMENT, "--output", str(file)), "bill.docx", "html, pdf, json", "--format")
    assert not file.exists()


def test_a_file_that_can_not_be_written_is_told(url: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder.json").mkdir()
    refused(run(url, *STATEMENT, "--output", str(tmp_path / "folder.json")), "folder.json can't be written")


def test_all_faults_of_the_time_are_told(url: str) -> None:
    done = run(url, "statement", "home1", "--start", "2025-02-30", "--end", "soon")
    assert done.returncode == 1
    assert "2025-02-30" in done.stderr
    assert "end" in done.stderr


@pytest.mark.parametrize("command", [("cost", "nobody"), ("statement", "nobody", *STATEMENT[2:])], ids=" ".join)
def test_an_unknown_household_is_told(url: str, command: tuple[str, ...]) -> None:
    refused(run(url, *command), "nobody")


@pytest.mark.parametrize("command", [("cost", "home1"), STATEMENT], ids=" ".join)
def test_a_store_that_is_not_there_is_not_made(tmp_path: pathlib.Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "mistyped.sqlite3"
    refused(run(f"sqlite:///{path}", *command), "there is no store at")
    assert not path.exists()
