"""Comparing tariffs over HTTP: who may, what is answered, what is refused, on each store."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homes import Api, Home, expect_error
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz import fuzzed, mutated

#: A register that rises by a kilowatt-hour an hour from 1 January 2026 (UTC) on, and falls to nothing at night.
HOURS = 31 * 24
TWO = {
    "title": "Day and night",
    "country": "PT",
    "currency": "EUR",
    "time_zone": "UTC",
    "valid": {"from": "2020-01-01"},
    "calendars": {"schedules": {"clock": [{"period": "FV", "from": "08:00", "to": "22:00"}, {"period": "V"}]}},
    "components": [
        {
            "id": "energy", "kind": "energy", "title": "Energy", "tax": "vat",
            "price": {"schedule": "clock", "values": {"FV": "0.20", "V": "0.10"}},
        },
        {"id": "standing", "kind": "fixed", "title": "Standing", "basis": "per_day", "price": "0.30", "tax": "vat"},
    ],
    "taxes": {"vat": {"rate": "0.23"}},
}  # fmt: skip
ONE = {
    **TWO,
    "title": "One price",
    "components": [{**TWO["components"][0], "price": "0.17"}, TWO["components"][1]],  # type: ignore[index]
}
ASKED = {"start": "2026-01-01", "end": "2026-02-01", "tariffs": [{"tariff": "tests-two"}, {"tariff": "tests-one"}]}


def lived_in(api: Api) -> Home:
    """A home that takes 1 kWh an hour in January 2026, and the two tariffs."""
    home = Home(api, country="PT", currency="EUR")
    at = [1767225600 + 3600 * hour for hour in range(HOURS + 1)]
    told = {"meter": "grid", "quantity": "energy_import", "kind": "register", "unit": "kWh", "at": at}
    assert home.post({**told, "value": list(range(HOURS + 1))}).status_code == 200
    for name, document in (("tests-two", TWO), ("tests-one", ONE)):
        assert api.call("PUT", f"/tariffs/{name}", json=document).status_code in (200, 201)
    return home


def contracts(home: Home, *tariffs: str) -> None:
    told = [{"tariff": one, "from": "2020-01-01"} for one in tariffs]
    answer = home.api.call("PUT", f"{home.path}/contracts", json={"contracts": told})
    assert answer.status_code == 201, answer.text


def compare(home: Home, body: Any = None, **more: Any) -> dict[str, Any]:
    answer = home.api.post(f"{home.path}/compare-tariffs", ASKED if body is None else body, **more)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def home(each_api: Api) -> Home:
    return lived_in(each_api)


def test_the_best_tariff_is_named_and_why(home: Home) -> None:
    contracts(home, "tests-one")
    told = compare(home, token=home.token)
    energy_net = 31 * (14 * 0.20 + 10 * 0.10)
    net = round(energy_net + 31 * 0.30, 2)
    best = told["candidates"][0]
    assert (best["id"], best["rank"], best["label"]) == ("tests-two", 1, "Day and night")
    metered = best["results"]["as_metered"]
    assert (metered["net"], metered["gross"]) == (net, pytest.approx(net * 1.23, abs=0.011))
    assert metered["net"] + metered["tax"] == pytest.approx(metered["gross"])
    assert metered["exact"]["gross"] == metered["gross"]
    assert (metered["import_kwh"], metered["export_kwh"]) == (744.0, 0.0)
    assert metered["cost_per_kwh"] == pytest.approx(metered["gross"] / 744, abs=1e-6)
    assert metered["months"] == [{name: metered[name] for name in ("net", "tax", "gross")}]
    assert [(one["component"], one["period"], one["quantity"], one["unit_price"]) for one in metered["lines"]] == [
        ("energy", "FV", 434.0, 0.2), ("energy", "V", 310.0, 0.1), ("standing", None, 31.0, 0.3),
    ]  # fmt: skip
    present = told["present"]
    assert present["contracts"][0]["tariff"] == "tests-one"
    assert best["difference_to_present"]["gross"] == round(best["gross"] - present["gross"], 2)
    assert best["difference_to_best"] == {"gross": 0.0, "share": 0.0}
    assert told["best"] == {"id": "tests-two", "label": "Day and night", "gross": best["gross"],
                            "present_costs_less": False}  # fmt: skip
    why = told["why"]
    assert why["against"] == "present"
    assert sum(one["difference_exact"] for one in why["lines"]) == pytest.approx(why["gross"])
    assert [(one["what"], one["period"], one["difference"]) for one in why["lines"][:2]] == [
        ("energy", "V", -21.7), ("energy", "FV", 13.02),
    ]  # fmt: skip
    assert why["sentence"] == (
        f"Day and night costs {-why['gross']:.2f} EUR less than the present contracts: energy at night (V) costs 21.70 "
        "EUR less, energy by day (FV) 13.02 EUR more, tax 2.00 EUR less."
    )


def test_a_scenario_that_cannot_be_told_is_null_with_the_reason(home: Home) -> None:
    told = compare(home)
    assert [one["id"] for one in told["scenarios"]] == [
        "as_metered",
        "without_pv",
        "without_netting",
        "without_battery",
    ]
    whys = {one["id"]: one["why_not"] for one in told["scenarios"]}
    for one in told["candidates"]:
        assert {name: result is None for name, result in one["results"].items()} == {
            name: why is not None for name, why in whys.items()
        }
        assert one["results"]["without_netting"]["difference_to_as_metered"] == {"gross": 0.0, "share": 0.0}
    assert "production" in whys["without_pv"]


def test_every_candidate_and_result_has_the_same_members(home: Home) -> None:
    contracts(home, "tests-one")
    told = compare(home, {"start": "2026-01-01", "end": "2026-02-01"})
    assert len(told["candidates"]) >= 7
    results = [result for one in told["candidates"] for result in one["results"].values() if result is not None]
    results += [result for result in told["present"]["results"].values() if result is not None]
    assert {tuple(one) for one in told["candidates"]} == {tuple(told["candidates"][0])}
    assert {tuple(one) for one in results} == {tuple(results[0])}
    assert {"tariff", "why"} == {key for one in told["left_out"] for key in one}
    assert {one["tariff"] for one in told["left_out"]} >= {"pt-indexado-omie", "pt-excedente-fixo"}
    assert [one["rank"] for one in told["candidates"]] == sorted(one["rank"] for one in told["candidates"])
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_unless_told_the_whole_months_with_readings_are_compared(home: Home) -> None:
    told = compare(home, {"tariffs": ASKED["tariffs"]})
    assert (told["start"], told["end"]) == ("2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")
    assert told["months"] == [{"start": told["start"], "end": told["end"]}]


def test_all_faults_of_a_body_are_told_at_once(home: Home) -> None:
    body = {
        "start": "x", "end": "2026-02-01", "scenarios": ["rain"], "foo": 1,
        "tariffs": [{"tariff": "tests-nothing"}, {"tariff": "tests-one", "parameters": {"colour": "red"}}, 7],
    }  # fmt: skip
    told = expect_error(home.api.post(f"{home.path}/compare-tariffs", body), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [
        "start", "scenarios[0]", "foo", "tariffs[0].tariff", "tariffs[1].parameters.colour", "tariffs[2]",
    ]  # fmt: skip


def test_another_household_may_not(home: Home) -> None:
    stranger = Home(home.api)
    expect_error(home.api.post(f"{home.path}/compare-tariffs", ASKED, token=stranger.token), 403, "forbidden")
    expect_error(home.api.post("/households/nobody/compare-tariffs", ASKED), 404, "not_found")


BODIES = [
    {**ASKED, "scenarios": ["as_metered", "without_pv"]},
    {
        "start": "2026-01-01T00:00:00Z", "end": "2026-01-02",
        "tariffs": [
            {"id": "a", "import": {"tariff": "pt-btn-simples", "parameters": {"contracted_power_kva": 6.9}},
             "export": {"tariff": "pt-excedente-fixo", "parameters": {"price_eur_per_kwh": 0.05}}},
        ],
    },
]  # fmt: skip


def test_no_body_makes_the_comparison_fail(api: Api) -> None:
    home = lived_in(api)

    @fuzzed
    @given(st.data())
    def run(data: st.DataObject) -> None:
        body = json.dumps(data.draw(mutated(BODIES)))
        answer = api.call("POST", f"{home.path}/compare-tariffs", content=body)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 400:
            expect_error(answer, 400)

    run()
