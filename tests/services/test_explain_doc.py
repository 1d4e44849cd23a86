"""docs/explain.md tells the truth: its number, its lines of the canonical text, the code that confirms a number."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest
from explained_homes import explained, full_home
from measured import open_store, put_home, us
from metered_homes import Desk
from recomputed import number

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.explaining import explaining_of
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.explaining.explaining import Explanation
from statistics_manager_service.services.telemetry.kept_readings import KeptReadings
from statistics_manager_service.services.telemetry.recording import Recorder

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text()
AT = ["2024-03-30T22:00", "2024-03-31T00:30", "2024-03-31T01:00", "2024-03-31T01:30", "2024-03-31T04:00"]
VALUES = [6436.0, 6437.0, 9999.0, 6437.5, 6438.5]


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def found(embedded_url: str) -> Iterator[tuple[Explanation, dict[str, Any]]]:
    """The explanation of the page's number, and its readings as the API tells them."""
    store = open_store(embedded_url)
    put_home(store, timezone="Europe/Lisbon")
    at_us = np.array([us(one) for one in AT], np.int64)
    told = WireReadings("home1", "grid", "energy_import", Kind.REGISTER, "kWh", at_us, np.array(VALUES))
    Recorder(store, bootstrap.now_us).record([told])
    question = Question("energy_import", "2024-03-31", "2024-04-01", "total")
    page = KeptReadings(store).pages(
        "home1", "grid", "energy_import", us("2024-03-31"), us("2024-03-31T23:00"), None, 100
    )[0]
    channel = {
        "at": iso_labels(np.array(page.at_us, np.int64), None),
        "value": [one / 1_000_000 for one in page.value_milli],
        "verdict": page.verdict,
    }
    yield explaining_of(store).explained("home1", question), channel
    store.close()


def _has(told: Any, shown: Any) -> bool:
    """Whether all that is shown is told; members may be left out of what is shown."""
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(name in told and _has(told[name], one) for name, one in shown.items())
    if isinstance(shown, list):
        return len(told) == len(shown) and all(_has(one, other) for one, other in zip(told, shown, strict=True))
    return bool(told == shown)


def test_the_number_of_the_page_is_explained_as_shown(found: tuple[Explanation, dict[str, Any]]) -> None:
    told = json.loads(orjson.dumps(found[0].told), parse_float=Decimal)
    shown = json.loads(block("json"), parse_float=Decimal)
    assert _has(told, shown)
    assert number(told) == Fraction(17, 10)


def test_the_code_of_the_page_confirms_the_number(found: tuple[Explanation, dict[str, Any]]) -> None:
    explanation, channel = found
    names: dict[str, Any] = {}
    exec(block("python"), names)
    digest = explanation.told["digest"]["value"]
    assert names["confirm"](explanation.text, digest) == (Fraction(17, 10), Fraction(17, 10))
    line = next(one for one in explanation.text.decode().splitlines() if one.startswith("readings "))
    assert line.split()[-1] == names["readings_digest"](channel, 1_000_000)
    with pytest.raises(AssertionError):
        names["confirm"](explanation.text + b" ", digest)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, sqlite_template: pathlib.Path) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp("explain_doc") / "statistics.sqlite3"
    shutil.copyfile(sqlite_template, path)
    made = full_home(f"sqlite:///{path}")
    yield made
    made.store.close()


def test_every_line_of_the_text_and_every_member_is_told(desk: Desk) -> None:
    lines, members = set(), set()
    for measure in DEFINITIONS:
        found = explained(desk, measure, meter="ev" if measure == "emissions_device" else None)
        lines |= {line.split()[0] for line in found.text.decode().splitlines()[1:]}
        members |= set(found.told)
    now_us = bootstrap.now_us()
    around = [iso_label((now_us // US_PER_DAY + days) * US_PER_DAY) for days in (-9, 9)]
    for measure in ("cost_fixed", "carbon_intensity"):
        lines |= {line.split()[0] for line in explained(desk, measure, *around).text.decode().splitlines()[1:]}
    assert {"fixed_until", "intensity_until"} <= lines
    assert {one for one in lines if not re.search(rf"`{one}[ `]", PAGE)} == set()
    named = ("household", "measure", "meter", "start", "end", "timezone")
    assert {one for one in members if one not in named and f"`{one}`" not in PAGE} == set()
