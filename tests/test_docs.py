"""The documents tell the truth: settings, routes, commands, links, and the calls that they show."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from servers import RunningService

import statistics_manager_service.errors as errors
from statistics_manager_service import bootstrap
from statistics_manager_service.cli.commands import app as commands
from statistics_manager_service.core.correction import Verdict
from statistics_manager_service.core.quantities import QUANTITIES
from statistics_manager_service.services.households import HouseholdSettings
from statistics_manager_service.services.telemetry.fields import KNOWN_FIELDS
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.migrate import migrate

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
BASE = "/api/statistics"


def page(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_told_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    default = "" if field.default is None else str(field.default)
    row = next(line for line in page("settings.md").splitlines() if line.startswith(f"| `{name.upper()}` |"))
    told = row.split("|")[2].strip().strip("`")
    assert told == (default.lower() if isinstance(field.default, bool) else default)
    assert str(field.description) in row


def test_no_setting_is_told_that_is_not_there() -> None:
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", page("settings.md"), re.MULTILINE))
    assert told == {name.upper() for name in Settings.model_fields}


def routes() -> list[str]:
    settings = Settings(trust_unauthenticated=True, database_url="sqlite://")
    return sorted(bootstrap.create_app(settings).openapi()["paths"])


@pytest.mark.parametrize("path", routes())
def test_every_route_is_told(path: str) -> None:
    assert f"{path.removeprefix(BASE)}" in page("api.md")


def command_names() -> list[str]:
    group: Any = typer.main.get_command(commands)
    names = [f"{name} {sub}" for name, one in group.commands.items() for sub in getattr(one, "commands", {"": None})]
    return [name.strip() for name in names]


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_told(name: str) -> None:
    text = re.sub(r"\s+", " ", "\n".join(one.read_text() for one in PAGES))
    assert re.search(rf"(statistics-manager|`) ?{re.escape(name)}\b", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: pathlib.Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def error_codes() -> list[str]:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    return sorted({str(getattr(one, "code", "")) for one in classes if hasattr(one, "code")})


@pytest.mark.parametrize("code", [*error_codes(), "method_not_allowed"])
def test_every_error_code_is_told(code: str) -> None:
    assert f"`{code}`" in page("api.md")


@pytest.mark.parametrize("name", HouseholdSettings.model_fields)
def test_every_setting_of_a_household_is_told(name: str) -> None:
    assert f"`{name}`" in page("api.md")


@pytest.mark.parametrize("word", [*(one.name.lower() for one in Verdict), *QUANTITIES])
def test_every_verdict_and_quantity_is_told(word: str) -> None:
    base, _, phase = word.rpartition("_l")
    assert f"`{base if phase.isdigit() else word}`" in page("writing.md")


@pytest.mark.parametrize("name", sorted(one for one in KNOWN_FIELDS if one.isalpha() and one not in QUANTITIES))
def test_every_field_of_flexihome_is_told(name: str) -> None:
    assert f"`{name}`" in page("writing.md")


def test_the_way_of_a_reading_names_what_exists() -> None:
    paragraph = page("architecture.md").split("<!-- names: checked by a test -->")[1].split("\n\n")[0]
    flat = re.sub(r"\s+", " ", paragraph)
    module = ""
    found = 0
    # a module stands behind the first name of its own; the names behind it are of the same one
    for name, told in re.findall(r"`([\w.]+)`(?:[^`(]*\(([\w/]+)\.py\))?", flat):
        module = told or module
        parts = name.split(".")
        for place in (module, *_modules()):
            owner: Any = importlib.import_module(f"statistics_manager_service.{place.replace('/', '.')}")
            if hasattr(owner, parts[0]):
                for part in parts:
                    owner = getattr(owner, part)
                found += 1
                break
            if any(hasattr(one, parts[0]) for one in vars(owner).values() if isinstance(one, type)):
                found += 1
                break
        else:
            pytest.fail(f"{name} is told, and is nowhere")
    assert found > 20


def _modules() -> list[str]:
    package = ROOT / "statistics_manager_service"
    return [str(path.relative_to(package).with_suffix("")) for path in package.rglob("*.py") if "_" not in path.stem]


def blocks(name: str) -> list[tuple[str, str | None]]:
    """The calls of a page, and the answers that stand behind them."""
    fences = re.findall(r"^```(\w+)\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    following = [*fences[1:], ("", "")]
    return [
        (text, answer if kind == "json" else None)
        for (language, text), (kind, answer) in zip(fences, following, strict=True)
        if language == "sh"
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    url = f"sqlite:///{tmp_path_factory.mktemp('docs') / 'statistics.sqlite3'}"
    migrate(url)
    with RunningService({"DATABASE_URL": url}) as running:
        yield running


def test_the_calls_that_are_shown_are_answered_as_shown(service: RunningService) -> None:
    environment = {**os.environ, "ROOT": service.url, "URL": service.url + BASE, "TOKEN": service.token()}
    shown = [*blocks("api.md"), *blocks("writing.md")]
    assert sum(answer is not None for _, answer in shown) >= 8
    for call, answer in shown:
        script = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }\n' + call
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True)
        assert done.returncode == 0, f"{call}\n{done.stdout.decode()}{done.stderr.decode()}"
        if answer is not None:
            assert json.loads(done.stdout) == json.loads(answer), call
