"""Documents with anything anywhere: refused with reasons, or sound enough to be billed."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import pytest
import yaml
from billing_of import DOCUMENTS, bill_of, document
from hypothesis import given, settings
from hypothesis import strategies as st

from statistics_manager_service.errors import BadInput
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.shipped import shipped_document, shipped_ids

WRONG: tuple[Any, ...] = (
    None,
    True,
    7,
    -1.5,
    "x",
    "",
    [],
    {},
    [[]],
    [None],
    {"": 1},
    {"a": {}},
    datetime.date.max,
    b"b",
)


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places of a document."""
    found = [where]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*where, key))
    return found


def put(told: Any, where: tuple[Any, ...], value: Any) -> Any:
    """The document with a value at a place."""
    if not where:
        return value
    out = copy.copy(told)
    out[where[0]] = put(out[where[0]], where[1:], value)
    return out


@pytest.mark.parametrize("name", ["a1", "c2", "c3"])
def test_a_wrong_type_at_any_place_is_refused_or_read(name: str) -> None:
    told = document(name)
    refused = 0
    for where in places(told):
        for wrong in WRONG:
            try:
                read_tariff(put(told, where, wrong))
            except BadInput as error:
                refused += 1
                assert all(one.where and one.why for one in error.faults)
    assert refused > 10 * len(places(told))  # most are wrong; a title may be any text


# --- whatever is sent -------------------------------------------------------------------------------------------------

FILES = sorted(DOCUMENTS.glob("*.yaml"))
SOUND: list[dict[str, Any]] = [
    *(json.loads(json.dumps(yaml.safe_load(one.read_text("utf-8")), default=str)) for one in FILES),
    *(shipped_document(name) or {} for name in shipped_ids()),
]
WORDS = st.sampled_from(
    ["0.1", "-1", "0", "1e9", "NaN", "08:00", "24:00", "00:00", "2020-02-29", "2024-06-01", "2199-12-31", "mon-sun",
     "all", "energy", "export", "per_year", "P1Y", "billing_period", "PT1H", "chronological", "none", "hold",
     "profile", "is", "UTC", "Pacific/Apia", "s", "A", "holiday", "dst", "", "x" * 300, "\x00", "\ud800", "İ"]
)  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A sound document of which up to three places are something else: junk, gone, or a part of a sound document."""
    told = copy.deepcopy(draw(st.sampled_from(SOUND)))
    other = draw(st.sampled_from(SOUND))
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(places(told)))
        kind = draw(st.sampled_from(["junk", "junk", "gone", "part", "name"]))
        if kind == "gone" and where:
            told = _without(told, where)
        elif kind == "part":
            told = put(told, where, _at(other, draw(st.sampled_from(places(other)))))
        elif kind == "name" and isinstance(_at(told, where), dict):
            told = put(told, where, {**_at(told, where), draw(WORDS): draw(JUNK)})
        else:
            told = put(told, where, draw(JUNK))
        if not isinstance(told, dict):
            break
    return told


def _at(told: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        told = told[key]
    return told


def _without(told: Any, where: tuple[Any, ...]) -> Any:
    out = copy.copy(told)
    if len(where) == 1:
        del out[where[0]]
    else:
        out[where[0]] = _without(out[where[0]], where[1:])
    return out


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_whatever_is_sent_is_refused_with_reasons_or_can_be_billed(told: Any) -> None:
    try:
        tariff = read_tariff(told)
    except BadInput as error:
        assert error.faults
        assert all(one.where and one.why for one in error.faults)
        return
    start = max(tariff.valid.begin, datetime.date(2026, 1, 1) if tariff.valid.end is None else tariff.valid.begin)
    end = start + datetime.timedelta(days=2)
    billed = bill_of(tariff, start.isoformat(), end.isoformat(), {start.isoformat(): "1"}, {start.isoformat(): "2"})
    assert sum(one.gross for one in billed.lines) == billed.gross


@settings(max_examples=100, deadline=None)
@given(JUNK)
def test_junk_is_refused(told: Any) -> None:
    with pytest.raises(BadInput):
        read_tariff(told)
