"""docs/compatibility.md: each difference names a test that shows it, and each test that it names is there."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "compatibility.md").read_text()
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The rows of the page's tables, without their heads, as cells."""
    found: list[list[str]] = []
    lines = PAGE.splitlines()
    for i, line in enumerate(lines):
        is_head = i + 1 < len(lines) and re.fullmatch(r"[|\- ]+", lines[i + 1])
        if line.startswith("|") and not re.fullmatch(r"[|\- ]+", line) and not is_head:
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def defined_in(path: str) -> set[str]:
    """The test functions of a file: those that a run of the tests takes up."""
    place = ROOT / path
    assert place.exists(), f"there is no {path}"
    assert place.name.startswith("test_")
    tree = ast.parse(place.read_text())
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}


def test_the_page_tells_of_the_differences_that_were_meant() -> None:
    assert len(rows()) >= 28
    for word in ("exact at its edges", "first bucket", "`null`", "by its start", "converts units", "without a token"):
        assert any(word in row[0] for row in rows()), f"no row tells of: {word}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_each_difference_has_a_reason_and_a_test_that_is_there(row: list[str]) -> None:
    difference, why, told = row
    assert difference
    assert why
    named = _TEST.findall(told)
    assert named, f"no test is named of: {difference}"
    assert _TEST.sub("", told).strip(", ") == "", "the last column names tests alone"
    for path, name in named:
        assert name in defined_in(path), f"{path} has no test {name}"


def test_no_row_is_told_twice() -> None:
    told = [row[0] for row in rows()]
    assert len(set(told)) == len(told)
