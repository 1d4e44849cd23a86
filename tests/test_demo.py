"""The demo: the same homes every time, filled quickly, and links that answer."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest
from forked import command_done
from pydantic import SecretStr
from servers import WAIT_S, free_port

from statistics_manager_service import bootstrap
from statistics_manager_service.demo import first_month, homes, readings
from statistics_manager_service.services.telemetry.verifying import verify
from statistics_manager_service.settings import Settings

END_US = 1_763_985_600_000_000  # 2025-11-24T12:00Z
DAY_US = 86_400_000_000
MOST_S = 30  # what the demo may take to fill, on a machine of two slow cores


def series(end_us: int) -> dict[tuple[str, str, str], tuple[list[int], list[float]]]:
    """All readings of the homes, by home, meter and quantity."""
    out: dict[tuple[str, str, str], tuple[list[int], list[float]]] = {}
    for home in homes(end_us):
        for piece in readings(home, end_us):
            at, value = out.setdefault((home.id, piece.meter, piece.quantity), ([], []))
            at += piece.at_us.tolist()
            value += piece.value.tolist()
    return out


def test_the_homes_are_those_that_the_readme_promises() -> None:
    found = {home.id: home for home in homes(END_US)}
    assert list(found) == ["flat", "solarhouse", "azores"]
    told = series(END_US)
    assert [key[1:] for key in told if key[0] == "flat"] == [("grid", "energy_import")]
    assert {key[1] for key in told if key[0] == "solarhouse"} == {"grid", "pv", "battery", "ev", "heat_pump"}
    assert found["azores"].settings["timezone"] == "Atlantic/Azores"
    assert first_month(END_US) == "2024-10"
    for at, _ in told.values():
        assert max(at) <= END_US
        assert np.all(np.diff(at) > 0)
    starts = {key: datetime.fromtimestamp(at[0] / 1e6, UTC).isoformat()[:7] for key, (at, _) in told.items()}
    assert starts[("flat", "grid", "energy_import")] == "2024-10"


def test_the_same_end_makes_the_same_readings_and_days_of_the_past_stay() -> None:
    first, again, later = series(END_US), series(END_US), series(END_US + 2 * DAY_US)
    assert first == again
    for key in (key for key in first if key[2].startswith("energy")):
        known = dict(zip(*later[key], strict=True))
        assert all(known[at] == value for at, value in zip(*first[key], strict=True)), key


def test_the_home_on_the_azores_has_what_goes_wrong_with_meters() -> None:
    at, value = map(np.array, series(END_US)[("azores", "grid", "energy_import")])
    steps = np.diff(value)
    assert (value == 0).sum() >= 1
    assert steps.max() > 900  # the spike
    assert np.diff(at).max() >= 30 * 3_600_000_000  # the gap
    (home,) = [one for one in homes(END_US) if one.id == "azores"]
    ((meter, swap),) = home.events
    assert (meter, swap["kind"]) == ("grid", "swap")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "JWT_"))}


def start(folder: pathlib.Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from statistics_manager_service.cli import main; main()", "demo"]
    return subprocess.Popen(
        [*command, "--directory", str(folder), *options],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def fill(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return command_done("demo", "--directory", str(folder), environment=environment(), timeout_s=120)


def has_forecasts(link: str, token: str) -> None:
    """A home has a forecast of each of its last days, made as it was filled, and of today and tomorrow, which the
    service makes as soon as it runs, asked for by events; and the past ones were better than persistence."""
    headers, until = {"Authorization": token}, time.monotonic() + WAIT_S
    while True:
        told = httpx.get(link, headers=headers, timeout=10).json()
        forecast, real = told["series"]
        today = datetime.now(UTC).astimezone(ZoneInfo(told["timezone"])).date()
        wanted = {str(today + timedelta(days=ahead)) for ahead in range(-5, 2)}
        days = {one["start"][:10]: i for i, one in enumerate(told["buckets"])}
        assert wanted <= set(days)
        if all(forecast["coverage"][days[day]] == 1 for day in wanted):
            break
        assert time.monotonic() < until, told
        time.sleep(0.1)
    for day in sorted(wanted)[:5]:
        assert forecast["values"][days[day]] == pytest.approx(real["values"][days[day]], rel=0.9), (link, day)
    found = httpx.get(link.split("?")[0] + "-accuracy", headers=headers, timeout=10).json()
    assert found["overall"]["quarters"] > 20 * 96
    assert found["overall"]["skill_rmse"] > 0
    assert all(one["quarters"] > 0 for one in found["by_horizon"][:3])


def test_the_demo_fills_quickly_and_its_links_answer(tmp_path: pathlib.Path) -> None:
    folder, port = tmp_path / "demo", free_port()
    began = time.monotonic()
    process = start(folder, "--serve", "--port", str(port))
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "is running" in line:
                break
        assert time.monotonic() - began < MOST_S
        said = "".join(lines)
        (page,) = re.findall(r"(http://\S+/docs)\n", said)
        calls = re.findall(r"curl -H 'Authorization: (Bearer \S+)' '(http\S+/statistics\?\S+)'", said)
        forecasts = re.findall(r"curl -H 'Authorization: (Bearer \S+)' '(http\S+/forecast\?\S+)'", said)
        assert len(calls) == len(forecasts) == 3
        until = time.monotonic() + WAIT_S
        while True:
            try:
                assert "<html" in httpx.get(page, timeout=5).text
                break
            except httpx.TransportError:
                assert time.monotonic() < until, said
                time.sleep(0.05)
        for token, link in calls:
            answer = httpx.get(link, headers={"Authorization": token}, timeout=10)
            assert answer.status_code == 200, answer.text
            energies = [one for one in answer.json()["series"][0]["values"] if one is not None]
            assert len(energies) >= 13
            assert all(30 < kwh < 3000 for kwh in energies[1:-1]), (link, energies)
        for token, link in forecasts:
            has_forecasts(link, token)
        every = re.findall(r"curl -H 'Authorization: (Bearer \S+)' '(http\S+)'", said)
        assert len(every) == 15
        answers = {link: httpx.get(link, headers={"Authorization": token}, timeout=30) for token, link in every}
        assert {answer.status_code for answer in answers.values()} == {200}
        explained = [answer.json() for link, answer in answers.items() if "/explain?" in link]
        assert [one["unit"] for one in explained] == ["gCO2eq"] * 3
        assert all(one["value"] > 0 for one in explained)
        (token, _), (_, other) = calls[:2]
        assert httpx.get(other, headers={"Authorization": token}, timeout=10).status_code == 403
    finally:
        process.terminate()
        process.wait(WAIT_S)
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    (path,) = folder.glob("since-*.sqlite3")
    store = bootstrap.open_store(Settings(database_url=f"sqlite:///{path}"))
    found = verify(store)
    assert found.differences == []
    assert found.households == 3
    # once more: all is known already but what came meanwhile
    key = (folder / "key").read_text()
    done = fill(folder)
    assert "solarhouse" in done.stdout, done.stderr
    assert (folder / "key").read_text() == key
    assert verify(store).differences == []
    assert verify(store).readings - found.readings <= 3 * 11


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The store of a demo."""
    folder = tmp_path_factory.mktemp("demo")
    done = fill(folder)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("since-*.sqlite3")
    return path


@pytest.mark.parametrize("home, glitches", [("flat", 0), ("azores", 2)])
def test_what_went_wrong_is_set_aside(filled: pathlib.Path, home: str, glitches: int) -> None:
    path = filled
    services = bootstrap.build(Settings(database_url=f"sqlite:///{path}", jwt_sign_key=SecretStr("x" * 64)))
    told = services.kept_readings.pages(home, "grid", "energy_import", 0, 2**62, "glitch", 100)
    assert [len(page.at_us) for page in told] == [glitches]
