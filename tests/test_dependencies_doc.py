"""docs/dependencies.md: each case of another service in trouble names a test, and each test that it names is there."""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def rows() -> list[list[str]]:
    """The rows of the page's tables, as cells."""
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")
    ]
    return [cells for cells in found if cells[0] not in ("case", "---")]


@functools.cache
def all_tests() -> set[str]:
    return {
        one.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for one in ast.parse(path.read_text()).body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    }


@pytest.mark.parametrize("cells", rows(), ids=lambda cells: cells[0][:40])
def test_each_case_has_tests_that_are_there(cells: list[str]) -> None:
    assert len(cells) == 3, cells
    named = re.findall(r"`(test_\w+)`", cells[2])
    assert named, f"no test is named for: {cells[0]}"
    assert [name for name in named if name not in all_tests()] == []


def test_each_service_that_is_asked_is_told_of() -> None:
    for name in ("InfluxDB 2", "Carbon source", "Forecast service", "Account manager", "blacklist", "Kafka", "store"):
        assert re.search(rf"^## .*{name}", PAGE, re.MULTILINE | re.IGNORECASE), f"no section tells of: {name}"
