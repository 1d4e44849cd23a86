"""Documents in YAML: read as people mean them, with every number as it was written, and nothing that explodes."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from statistics_manager_service.errors import BadInput
from statistics_manager_service.services.prices.tariff_documents import MOST_PARTS, document_of_yaml, plain_document
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.shipped import shipped_ids, shipped_tariff


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("country: NO", {"country": "NO"}),
        ("from: 10:30", {"from": "10:30"}),
        ("from: 2026-01-01", {"from": "2026-01-01"}),
        ("at: 2026-01-01 10:00:00", {"at": "2026-01-01 10:00:00"}),
        ("{yes: on, n: y, t: true, f: false, u: True}", {"yes": "on", "n": "y", "t": True, "f": False, "u": "True"}),
        ("{6.90: 0.3436, 3: 1}", {"6.90": 0.3436, "3": 1}),
        ("[0x10, 010, 0o7, 1_000, 1e3, .5, -3., +7]", ["0x10", 10, "0o7", "1_000", 1000, 0.5, -3, 7]),
        ("[0.1234567890123456789, 123456789012345678901]", ["0.1234567890123456789", "123456789012345678901"]),
        ("{a: ~, b: null, c: }", {"a": None, "b": None, "c": None}),
        ("['', 'null', \"~\"]", ["", "null", "~"]),
        ("['6.9', !!str 6.9, \"1e3\"]", ["6.9", "6.9", "1e3"]),
        ("a: &x {b: [1]}\nc: *x", {"a": {"b": [1]}, "c": {"b": [1]}}),
        ("text: |\n  two\n  lines\n", {"text": "two\nlines\n"}),
        (".nan", ".nan"),
        ("", None),
        ("preço: 1", {"preço": 1}),
    ],
)  # fmt: skip
def test_yaml_is_read_as_people_mean_it(text: str, meant: Any) -> None:
    told = document_of_yaml(text)
    assert (told, json.dumps(told)) == (meant, json.dumps(meant))


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("a: 1\nb: 2\na: 3", "line 3", "the member 'a' stands twice in one object"),
        ("x: {6.9: 1, '6.9': 2}", "line 1", "stands twice"),
        ("a: [1, 2", "line 1", "this is not YAML"),
        ("a: b: c", "line 1", "this is not YAML"),
        ("a: *nobody", "line 1", "this is not YAML: found undefined alias"),
        ("a: 1\n--- \nb: 2", "line 2", "this is not YAML"),
        ("a: \x00", "body", "this is not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "line 1", "the tag tag:yaml.org,2002:python/object/apply"),
        ("a: !secret x", "line 1", "the tag !secret is not read here"),
        ("a: !!set {x}", "line 1", "is not read here"),
        ("? [1, 2]\n: 3", "line 1", "the name of a member must be a plain text"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "line 3", "`<<` is not read here"),
        ('a: "\\ud800"', "line 1", "half of a surrogate pair"),
        ("[" * 100 + "]" * 100, "line 1", "nested more than 60 deep"),
        ("[" * 100_000, "line 1", "nested more than 60 deep"),
        ("a: &x [*x]", "line 1", f"unfolds to more than {MOST_PARTS} parts"),
        (bomb(), "line 1", f"unfolds to more than {MOST_PARTS} parts"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_and_where(text: str, where: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        document_of_yaml(text)
    assert any(one.where == where and why in one.why for one in refused.value.faults), refused.value.faults


def test_all_that_is_wrong_with_a_document_is_told_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        document_of_yaml("a: !x 1\nb: 1\nb: 2\n<<: {}\n")
    assert [one.where for one in refused.value.faults] == ["line 1", "line 3", "line 4"]


@pytest.mark.parametrize("tariff_id", shipped_ids())
def test_the_shipped_tariffs_mean_the_same_to_whoever_puts_their_texts(tariff_id: str) -> None:
    folder = resources.files("statistics_manager_service") / "data" / "tariffs"
    document = document_of_yaml((folder / f"{tariff_id}.yaml").read_text("utf-8"))
    assert read_tariff(document) == shipped_tariff(tariff_id)


def test_exact_numbers_become_floats_where_that_is_the_same_number() -> None:
    told = {
        "a": [Decimal("0.1"), Decimal("1E+2"), 7, True, None, "x"],
        "b": Decimal("0.10000000000000000001"),
        "c": 2**64,
    }
    expected = {"a": [0.1, 100, 7, True, None, "x"], "b": "0.10000000000000000001", "c": str(2**64)}
    assert plain_document(told) == expected
    assert plain_document(Decimal("1E+400")) == "1E+400"
