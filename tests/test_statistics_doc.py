"""The page of definitions tells the truth: its worked figures are what the product's kernels make, and no measure is
left out.

A worked figure is `<!-- worked: NAME -->` and, below it, a block of YAML with `given` and `expect`. The function
`worked_NAME` of a module tests/worked_*.py makes the results out of what is given. A result with decimals is right to
the digits that are written, a whole number and everything else exactly; null is what is unknown.
"""

from __future__ import annotations

import importlib
import math
import pathlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import yaml

from statistics_manager_service.core.definitions import DEFINITIONS, Definition

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "statistics.md"
_MARK = re.compile(r"^<!-- worked: (\w+) -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PHASE = re.compile(r"_l[123]$")
Checker = Callable[[dict[str, Any]], dict[str, Any]]


class _WithDigits(yaml.SafeLoader):
    """Reads numbers with decimals as they are written, the last zero too."""


_WithDigits.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(loader.construct_scalar(node)))


@dataclass(frozen=True)
class Worked:
    """A worked figure of the page: numbers of `expect` are decimals as they are written."""

    name: str
    given: dict[str, Any]
    expect: dict[str, Any]


def page() -> str:
    return PAGE.read_text()


def worked_of(text: str) -> list[Worked]:
    return [
        Worked(name, yaml.safe_load(block)["given"], yaml.load(block, _WithDigits)["expect"])  # a SafeLoader
        for name, block in _MARK.findall(text)
    ]


def checkers() -> dict[str, Checker]:
    found: dict[str, Checker] = {}
    for path in sorted(HERE.glob("worked_*.py")):
        for name, one in vars(importlib.import_module(path.stem)).items():
            if name.startswith("worked_") and callable(one):
                assert name not in found, f"{name} stands in two modules"
                found[name] = one
    return found


def differences(expected: Any, made: Any, where: str = "expect") -> list[str]:
    """Where results are not what is written."""
    if isinstance(expected, dict) and isinstance(made, dict):
        if set(expected) != set(made):
            return [f"{where}: {sorted(expected)} is written, {sorted(made)} is made"]
        return [one for key in expected for one in differences(expected[key], made[key], f"{where}.{key}")]
    if isinstance(expected, list) and isinstance(made, Iterable) and not isinstance(made, str | dict):
        rows = list(made)
        if len(expected) != len(rows):
            return [f"{where}: {len(expected)} items are written, {len(rows)} are made"]
        return [one for i, some in enumerate(expected) for one in differences(some, rows[i], f"{where}[{i}]")]
    return [] if _same(expected, made) else [f"{where}: {expected} is written, {made!r} is made"]


def _same(expected: Any, made: Any) -> bool:
    if expected is None or made is None:
        return expected is None and (made is None or (isinstance(made, float) and math.isnan(made)))
    if isinstance(expected, Decimal):
        half_a_digit = 0.5 * 10.0 ** int(expected.as_tuple().exponent)
        return abs(float(made) - float(expected)) <= half_a_digit * (1 + 1e-6)
    if isinstance(expected, int) and not isinstance(expected, bool):
        return not isinstance(made, bool | str) and abs(float(made) - expected) <= 1e-9 * max(1, abs(expected))
    return bool(expected == made)


def rows_of(name: str) -> list[list[str]]:
    """The table rows whose first cell names a measure, as cells."""
    rows = [line for line in page().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return [row for row in cells if f"`{name}`" in row[0]]


MEASURES = [one for one in DEFINITIONS.values() if not _PHASE.search(one.name)]


@pytest.mark.parametrize("worked", worked_of(page()), ids=lambda one: one.name)
def test_a_worked_figure_is_what_the_kernels_make(worked: Worked) -> None:
    made = checkers()[f"worked_{worked.name}"](worked.given)
    assert differences(worked.expect, made) == []


def test_every_mark_is_read_and_every_checker_has_its_figure() -> None:
    named = {one.name for one in worked_of(page())}
    assert page().count("<!-- worked:") == len(_MARK.findall(page()))
    assert {f"worked_{name}" for name in named} == set(checkers())


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
def test_every_measure_is_told_with_unit_formula_and_source(measure: Definition) -> None:
    rows = rows_of(measure.name)
    assert rows, f"`{measure.name}` begins no row of docs/statistics.md"
    assert any(
        measure.unit in [cell.strip("`") for cell in row[1:]] and len([cell for cell in row if cell]) >= 4
        for row in rows
    ), f"no row of `{measure.name}` holds its unit ({measure.unit}), a formula and a source: {rows}"


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
def test_every_measure_has_a_worked_figure(measure: Definition) -> None:
    figures = worked_of(page())
    assert measure.name in {name for one in figures for name in (one.name, *one.expect)}


@pytest.mark.parametrize(
    ("written", "made", "is_right"),
    [
        ("0.6667", 2 / 3, True),
        ("0.666", 2 / 3, False),
        ("0.50", 0.504, True),
        ("0.50", 0.506, False),
        ("0.5", 0.506, True),
        ("7", 7.0, True),
        ("7", 7.2, False),
        ("null", math.nan, True),
        ("null", 0.0, False),
        ("0", None, False),
        ("true", True, True),
        ("true", 1, True),
        ("1", True, False),
        ("text", "text", True),
        ("[1, null]", [1, None], True),
        ("[1, null]", [1], False),
        ("{a: 1.0}", {"a": 1.0}, True),
        ("{a: 1.0}", {"a": 1.0, "b": 2.0}, False),
    ],
)
def test_results_are_compared_to_the_digits_that_are_written(written: str, made: Any, is_right: bool) -> None:
    assert (differences(yaml.load(written, _WithDigits), made) == []) == is_right
