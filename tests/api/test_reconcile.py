"""Reconciling invoices over HTTP: who may, what is answered, what is refused, on each store."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homes import Api, Home, expect_error
from hypothesis import given
from hypothesis import strategies as st
from test_compare_tariffs import contracts, lived_in
from test_fuzz import fuzzed, mutated

#: January 2026 at 0.20 by day and 0.10 by night, 0.30 a day, 23 %.
INVOICE = {
    "start": "2026-01-01",
    "end": "2026-02-01",
    "currency": "EUR",
    "lines": [
        {"label": "Energia fora de vazio", "quantity": 434, "unit": "kWh", "unit_price": 0.20, "net": 86.80,
         "tax_rate": 0.23, "tax": 19.96, "gross": 106.76},
        {"label": "Energia vazio", "quantity": 310, "unit": "kWh", "unit_price": 0.10, "net": 31.00, "tax_rate": 0.23},
        {"label": "Termo fixo", "quantity": 31, "unit": "dias", "net": 9.30, "tax_rate": 0.23},
    ],
    "total": {"net": 127.10, "gross": 156.33},
}  # fmt: skip


@pytest.fixture
def home(each_api: Api) -> Home:
    found = lived_in(each_api)
    contracts(found, "tests-two")
    return found


def reconcile(home: Home, body: Any, **more: Any) -> dict[str, Any]:
    answer = home.api.post(f"{home.path}/reconcile", body, **more)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_an_invoice_that_agrees_is_told_so(home: Home) -> None:
    told = reconcile(home, INVOICE, token=home.token)
    assert told["agrees"], told
    assert told["summary"] == "The invoice agrees with our statement of 156.33 EUR, line by line."
    assert [one["verdict"] for one in told["lines"]] == ["agrees"] * 3
    ours = [line for one in told["lines"] for line in one["our_lines"]]
    assert [(one["component"], one["period"]) for one in ours] == [
        ("energy", "FV"),
        ("energy", "V"),
        ("standing", None),
    ]
    assert [(one["what"], one["theirs"], one["ours"], one["told"]) for one in told["totals"]] == [
        ("net", 127.1, 127.1, True), ("tax", pytest.approx(29.229), 29.23, False), ("gross", 156.33, 156.33, True),
    ]  # fmt: skip
    assert (told["coverage"], told["provisional"]) == ({"measured": 1.0, "estimated": 0.0, "missing": 0.0}, [])
    statement = home.api.get(f"{home.path}/statement", {"start": "2026-01-01", "end": "2026-02-01"}).json()
    assert ours == statement["periods"][0]["lines"]


def test_what_differs_is_told_with_what_explains_it(home: Home) -> None:
    first = {**INVOICE["lines"][0], "unit_price": 0.21, "net": 91.14, "tax": 20.96, "gross": 112.10}  # type: ignore[index,dict-item]
    told = reconcile(home, {**INVOICE, "lines": [first, *INVOICE["lines"][1:]], "total": {"gross": 161.67}})  # type: ignore[index]
    assert not told["agrees"]
    one = told["lines"][0]
    assert one["verdict"] == "differs"
    assert one["differences"] == [
        {"what": "unit_price", "theirs": 0.21, "ours": 0.2, "difference": 0.01},
        {"what": "net", "theirs": 91.14, "ours": 86.8, "difference": 4.34},
        {"what": "tax", "theirs": 20.96, "ours": 19.96, "difference": 1.0},
        {"what": "gross", "theirs": 112.1, "ours": 106.76, "difference": 5.34},
    ]
    (why,) = one["explained_by"]
    assert (why["by"], why["net"], why["why"]) == ("price", 4.34, "0.21 instead of 0.20 for each kWh")
    assert told["explained_by"][0]["by"] == "price"
    assert sum(part["gross"] for part in told["explained_by"]) == pytest.approx(161.67 - 156.33)
    assert told["summary"].startswith("The invoice is 5.34 EUR more than our 156.33 EUR; 1 line differs (Energia fora")
    assert told["invoice_faults"] == []


def test_decimals_may_be_texts_and_what_is_wrong_inside_is_named(home: Home) -> None:
    lines = [{"label": "Energia vazio", "quantity": "310.00", "unit_price": "0.1000", "net": "33.00"}]
    told = reconcile(home, {**INVOICE, "lines": lines, "total": None})
    assert told["invoice_faults"] == [{"where": "lines[0]", "why": "quantity × unit_price is 31.00, and net is 33.00"}]
    assert [one["by"] for one in told["lines"][0]["explained_by"]] == ["arithmetic"]
    assert [one["verdict"] for one in told["lines"]] == ["differs", "only_ours", "only_ours"]


def test_all_faults_of_a_body_are_told_at_once(home: Home) -> None:
    body = {"start": "2026-02-01", "end": "2026-01-01", "lines": [{"label": "x", "net": "y"}, {}], "single": "yes"}
    told = expect_error(home.api.post(f"{home.path}/reconcile", body), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["lines[0].net", "lines[1].label", "single", "end"]


def test_another_household_may_not_and_one_without_contracts_has_nothing_to_set_beside(home: Home) -> None:
    stranger = Home(home.api)
    expect_error(home.api.post(f"{home.path}/reconcile", INVOICE, token=stranger.token), 403, "forbidden")
    told = expect_error(home.api.post(f"{stranger.path}/reconcile", INVOICE), 404, "not_found")
    assert "has no contract in this time" in told["error"]


BODIES = [
    {**INVOICE, "tolerance": 0.02, "single": False},
    {
        "start": "2026-01-01", "end": "2026-01-02",
        "lines": [{"label": "Energy", "component": "energy", "period": "FV", "quantity": 1, "unit": "kWh", "gross": 3}],
    },
]  # fmt: skip


def test_no_body_makes_the_reconciling_fail(api: Api) -> None:
    home = lived_in(api)
    contracts(home, "tests-two")

    @fuzzed
    @given(st.data())
    def run(data: st.DataObject) -> None:
        body = json.dumps(data.draw(mutated(BODIES)))
        answer = api.call("POST", f"{home.path}/reconcile", content=body)
        assert answer.status_code in (200, 400, 404), answer.text
        if answer.status_code >= 400:
            expect_error(answer, answer.status_code)

    run()
