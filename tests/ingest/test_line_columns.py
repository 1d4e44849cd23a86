"""Line protocol read by whole columns gives what reading it line by line gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.core.readings import RefusedLine, TelemetrySeries
from statistics_manager_service.ingest.line_columns import regular_columns
from statistics_manager_service.ingest.line_protocol import decode_line_protocol

KNOWN = frozenset({"energyImported", "powerImported", "voltage"})
NOW_US = 1_700_000_000_000_000
LINES = 80

words = st.text("abcXYZ0189_-.é", min_size=1, max_size=8)
numbers = st.one_of(
    st.floats(-1e9, 1e9).map(repr),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["1.", ".5", "-0", "1e5", "1E-3", "+5", "1_0", "0x10", "NaN", "inf", "1e300", "", "1i", "-", "007"]
    ),
)
times = st.one_of(
    st.integers(0, 2**62).map(str), st.sampled_from(["0", "-5", "+5", "0x1F", "1.5", "", "99999999999999999999", "007"])
)

ODD = [
    "# a comment",
    "#a b=1 2",
    "",
    " m voltage=1 1",
    "m voltage=1  1",
    "m,t= voltage=1 1",
    'm voltage="a b" 1',
    "m\\ n voltage=1 1",
    "m voltage=1",
    "m voltage=1,,voltage=2 1",
]


def read(text: str, precision: str) -> tuple[Any, list[RefusedLine]]:
    """What a body is read as, in an order of its own."""
    series, refused = decode_line_protocol(text.encode(), precision, known_fields=KNOWN, now_us=NOW_US)
    return _rows(series), refused


def _rows(series: list[TelemetrySeries]) -> Any:
    return sorted(
        (line, one.field, one.measurement, sorted(one.tags.items()), at, value)
        for one in series
        for at, value, line in zip(one.at_us.tolist(), one.value.tolist(), one.line.tolist(), strict=True)
    )


def read_line_by_line(lines: list[str], precision: str) -> tuple[Any, list[RefusedLine]]:
    """The same by bodies of a comment and a line each, which are too short to be read by columns."""
    rows: list[Any] = []
    refused: list[RefusedLine] = []
    for number, line in enumerate(lines, start=1):
        found, bad = read(f"# comment\n{line}", precision)
        rows += [(number, *row[1:]) for row in found]
        refused += [RefusedLine(number, one.column, one.reason) for one in bad]
    return sorted(rows), refused


@st.composite
def bodies(draw: st.DrawFn) -> list[str]:
    """Lines of one shape, with a few that are not."""
    heads = draw(
        st.lists(st.tuples(words, words, words).map(lambda w: f"{w[0]},{w[1]}={w[2]}"), min_size=1, max_size=4)
    )
    names = draw(st.lists(st.sampled_from(sorted(KNOWN)), min_size=1, max_size=3))
    suffix = draw(st.sampled_from(["", "i"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lines = []
    for _ in range(LINES):
        fields = ",".join(f"{name}={rng.integers(0, 10**9)}{suffix}" for name in names)
        lines.append(f"{heads[rng.integers(0, len(heads))]} {fields} {rng.integers(0, 2**60)}")
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([*sorted(KNOWN), "other", ""]))
        changed = f"{heads[0]} {name}={draw(numbers)} {draw(times)}"
        odd = draw(st.one_of(st.just(changed), st.sampled_from(ODD), st.text('ab=, 1\t\r\\"#', max_size=12)))
        lines[draw(st.integers(0, LINES - 1))] = odd.replace("\n", "")
    return lines


@settings(max_examples=300, deadline=None)
@given(bodies(), st.sampled_from(["ns", "us", "ms", "s"]), st.booleans())
def test_a_body_is_read_as_its_lines_are(lines: list[str], precision: str, ends_with_newline: bool) -> None:
    text = "\n".join(lines) + ("\n" if ends_with_newline else "")
    (rows, refused), (want, bad) = read(text, precision), read_line_by_line(lines, precision)
    assert refused == bad
    assert len(rows) == len(want)
    assert [pair for pair in zip(rows, want, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize(
    "fields", ["voltage=230.5", "voltage=230i", "voltage=230.5,powerImported=12", "energyImported=7"]
)
def test_a_regular_body_is_read_by_columns(fields: str) -> None:
    body = "\n".join(f"m,household=h_{i % 3} {fields} {i}" for i in range(LINES)).encode()
    found = regular_columns(body, KNOWN, lambda _: True, lambda at: at)
    assert found is not None
    assert sum(len(at) for _, _, at, _, _ in found) == LINES * (fields.count(",") + 1)


@pytest.mark.parametrize(
    "line",
    ["m,household=h other=1 1", "m,household=h voltage=a 1", "m voltage=1 1.5", "m voltage=1 0x10", 'm voltage="1" 1'],
)
def test_a_body_with_an_irregular_line_is_not(line: str) -> None:
    lines = [f"m,household=h voltage=1 {i}" for i in range(LINES)]
    assert regular_columns("\n".join([*lines, line]).encode(), KNOWN, lambda _: True, lambda at: at) is None
