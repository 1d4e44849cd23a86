"""Tariffs and contracts as clients see them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from homes import Api, Home, expect_error, new_id
from test_who_may_call import TARIFF

from statistics_manager_service.tariffs.shipped import shipped_ids

YAML = {"Content-Type": "application/yaml"}
AS_YAML = """
title: Two prices
currency: EUR
time_zone: Europe/Lisbon
valid: {from: 2020-01-01}
parameters: {contracted_power_kva: 6.9}
calendars:
  schedules:
    day_and_night:
      - {period: day, from: 08:00, to: 22:00}
      - {period: night}
components:
  - id: energy
    kind: energy
    tax: vat
    price: {schedule: day_and_night, values: {day: "0.1988", night: "0.1087"}}
  - {id: standing_charge, kind: fixed, basis: per_day, price: "0.3659", tax: vat}
taxes:
  vat: {rate: "0.23"}
"""


def now() -> str:
    """The present, and nothing that follows is of the same instant."""
    time.sleep(0.01)
    told = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    time.sleep(0.01)
    return told


def put_tariff(api: Api, name: str, body: Any = TARIFF) -> httpx.Response:
    return api.call("PUT", f"/tariffs/{name}", json=body)


def put_contracts(home: Home, *contracts: dict[str, Any], **more: Any) -> httpx.Response:
    return home.api.call("PUT", f"{home.path}/contracts", json={"contracts": list(contracts)}, **more)


def contract(tariff: str, begin: str = "2025-01-01", end: str | None = None, **more: Any) -> dict[str, Any]:
    return {"tariff": tariff, "from": begin, "to": end, **more}


def expect_faults(answer: httpx.Response) -> list[str]:
    return [one["where"] for one in expect_error(answer, 400, "bad_input")["details"]]


# --- tariffs ----------------------------------------------------------------------------------------------------------


def test_a_tariff_is_read_as_it_was_put_whether_as_json_or_as_yaml(each_api: Api) -> None:
    by_json, by_yaml = new_id(), new_id()
    first = put_tariff(each_api, by_json)
    second = each_api.call("PUT", f"/tariffs/{by_yaml}", content=AS_YAML, headers=YAML)
    assert (first.status_code, second.status_code) == (201, 201), second.text
    told = each_api.get(f"/tariffs/{by_json}").json()
    assert told == first.json()
    assert told == {"id": by_json, "source": "stored", "told_at": told["told_at"], "tariff": {**TARIFF, "id": by_json}}
    assert each_api.get(f"/tariffs/{by_yaml}").json()["tariff"] == {**TARIFF, "id": by_yaml}


def test_the_same_again_is_no_revision_and_an_earlier_one_can_be_asked_for(each_api: Api) -> None:
    name = new_id()
    first = put_tariff(each_api, name).json()
    then = now()
    again = put_tariff(each_api, name, {"tariff": TARIFF})
    assert (again.status_code, again.json()) == (200, first)
    changed = put_tariff(each_api, name, {**TARIFF, "version": 2}).json()
    assert changed["told_at"] > first["told_at"]
    assert each_api.get(f"/tariffs/{name}").json() == changed
    assert each_api.get(f"/tariffs/{name}", {"as_of": then}).json() == first
    expect_error(each_api.get(f"/tariffs/{name}", {"as_of": "2020-01-01"}), 404, "not_found")


def test_tariffs_that_come_with_the_product_are_read_and_not_replaced(each_api: Api) -> None:
    told = each_api.get("/tariffs/pt-btn-simples").json()
    assert (told["source"], told["told_at"], told["tariff"]["currency"]) == ("shipped", None, "EUR")
    assert "2025" in str(told["tariff"]["valid"]["from"])
    refused = expect_error(put_tariff(each_api, "pt-btn-simples"), 409, "conflict")
    assert "put yours under another id" in refused["error"]


def test_the_document_of_a_shipped_tariff_can_be_put_under_an_id_of_ones_own(each_api: Api) -> None:
    document = each_api.get("/tariffs/pt-btn-tri-horario").json()["tariff"]
    name = new_id()
    answer = put_tariff(each_api, name, {**document, "id": name})
    assert answer.status_code == 201, answer.text
    assert answer.json()["tariff"] == {**document, "id": name}


def test_tariffs_are_listed_in_pages_stored_and_shipped_ones_in_one_order(each_api: Api) -> None:
    names = [f"{letter}-{new_id()}" for letter in "azAZ"]
    for name in names:
        put_tariff(each_api, name)
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        page = each_api.get("/tariffs", {"limit": 7, **({} if after is None else {"after": after})}).json()
        seen += page["tariffs"]
        after = page["next"]
        if after is None:
            break
    ids = [one["id"] for one in seen]
    assert ids == sorted(set(ids))
    assert {one["id"] for one in seen if one["source"] == "shipped"} == set(shipped_ids())
    mine = next(one for one in seen if one["id"] == names[0])
    assert (mine["title"], mine["currency"], mine["valid"]) == ("Two prices", "EUR", {"from": "2020-01-01"})
    assert "components" not in mine


def test_all_faults_of_a_tariff_are_told_with_their_places(api: Api) -> None:
    name = new_id()
    energy, fixed = TARIFF["components"]
    bad = {
        **TARIFF, "id": "another", "currency": "euro", "colour": "red", "valid": {"from": "2026-02-30"},
        "components": [{**energy, "tax": "vet"}, {**fixed, "basis": "per_week"}],
    }  # fmt: skip
    found = expect_faults(put_tariff(api, name, bad))
    assert {"id", "currency", "colour", "valid.from", "components[1].basis"} <= set(found)
    assert "components[0].tax" in expect_faults(
        put_tariff(api, name, {**TARIFF, "components": [{**energy, "tax": "vet"}]})
    )
    expect_error(api.get(f"/tariffs/{name}"), 404, "not_found")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [", "line 1"),
        ("title: a\ntitle: b\n", "line 2"),
        ("a: &a [x]\nb: *c\n", "line 2"),
        ("a: !!python/name:os.system x\n", "line 1"),
        ("- 1\n", "body"),
        ("", "body"),
        (b"a: \xff", "body"),
    ],
)
def test_what_is_no_document_is_refused_and_where(api: Api, text: str | bytes, where: str) -> None:
    answer = api.call("PUT", f"/tariffs/{new_id()}", content=text, headers=YAML)
    assert expect_faults(answer)[0] == where


def test_a_bomb_of_aliases_does_not_go_off(api: Api) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 15)]
    answer = api.call("PUT", f"/tariffs/{new_id()}", content="\n".join(lines), headers=YAML)
    assert "unfolds" in expect_error(answer, 400, "bad_input")["error"]


@pytest.mark.parametrize("media", ["application/json", "application/yaml"])
def test_a_document_that_is_nested_deeply_or_large_is_refused(api: Api, media: str) -> None:
    headers = {"Content-Type": media}
    deep = '{"currency": ' + "[" * 500 + "]" * 500 + "}"
    assert expect_faults(api.call("PUT", f"/tariffs/{new_id()}", content=deep, headers=headers))
    large = '{"description": "' + "x" * 300_000 + '"}'
    told = expect_error(api.call("PUT", f"/tariffs/{new_id()}", content=large, headers=headers), 413)
    assert "262144 bytes" in told["error"]


@pytest.mark.parametrize("media", ["text/xml", "text/csv", "nonsense"])
def test_other_types_of_documents_are_refused_and_the_right_ones_named(api: Api, media: str) -> None:
    answer = api.call("PUT", f"/tariffs/{new_id()}", content=b"x", headers={"Content-Type": media})
    assert "application/json or application/yaml" in expect_error(answer, 415, "unsupported_media_type")["error"]


@pytest.mark.parametrize("name", ["a b", "x" * 65, "-a", "a:b", "é", "a%00"])
def test_an_id_that_no_tariff_has_is_refused(api: Api, name: str) -> None:
    assert expect_faults(put_tariff(api, name, TARIFF)) == ["id"]
    expect_error(api.get(f"/tariffs/{name}"), 404, "not_found")


def test_the_schema_of_documents_knows_their_parts(api: Api) -> None:
    schema = api.get("/tariff-schema").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"id", "currency", "time_zone", "valid", "components"} <= set(schema["required"])
    assert {"Energy", "Fixed", "Peak", "Percentage", "Credit", "Minimum"} <= set(schema["$defs"])
    assert "from" in schema["$defs"]["Validity"]["properties"]


# --- contracts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tariff(each_api: Api) -> str:
    """A tariff of the test's own."""
    name = new_id()
    assert put_tariff(each_api, name).status_code == 201
    return name


def test_contracts_are_read_as_they_were_put_by_the_service_or_the_home_itself(each_api: Api, tariff: str) -> None:
    home = Home(each_api, timezone="Europe/Lisbon")
    told = [
        contract(tariff, end="2026-01-15T14:30", flow="import", parameters={"contracted_power_kva": 10.35}),
        contract("pt-btn-simples", "2026-01-15T14:30", flow="import", parameters={}),
    ]
    made = put_contracts(home, *told, token=home.token)
    assert made.status_code == 201, made.text
    expected = {"household": home.id, "timezone": "Europe/Lisbon", "default": False}
    assert made.json() == {**expected, "told_at": made.json()["told_at"], "contracts": told}
    for token in ("service", home.token, home.device()["token"]):
        assert each_api.get(f"{home.path}/contracts", token=token).json() == made.json()
    expect_error(put_contracts(home, *told, token=home.device(write=True)["token"]), 403)


def test_the_contracts_of_then_can_be_asked_for(each_api: Api, tariff: str) -> None:
    home = Home(each_api)
    first = put_contracts(home, contract(tariff)).json()
    then = now()
    assert put_contracts(home, contract(tariff, flow="both", parameters={})).json() == first, "the same in other words"
    second = put_contracts(home, contract("pt-btn-simples"))
    assert second.status_code == 200
    assert each_api.get(f"{home.path}/contracts").json() == second.json()
    assert each_api.get(f"{home.path}/contracts", {"as_of": then}).json() == first
    before = each_api.get(f"{home.path}/contracts", {"as_of": "2020-01-01"}).json()
    assert (before["contracts"], before["told_at"]) == ([], None)


def test_a_home_without_contracts_has_the_default_of_its_tarif_type(each_api: Api) -> None:
    home = Home(each_api, tarif_type="bi-hourly", contracted_power_kva=5)
    told = each_api.get(f"{home.path}/contracts").json()
    assert told["default"] is True
    assert told["contracts"] == [
        {
            "tariff": "pt-btn-bi-horario",
            "flow": "import",
            "from": None,
            "to": None,
            "parameters": {"contracted_power_kva": 5.75},
        }
    ]
    put_contracts(home, contract("pt-btn-simples"))
    assert each_api.get(f"{home.path}/contracts").json()["default"] is False


def test_all_faults_of_contracts_are_told_at_once_and_nothing_changes(each_api: Api, tariff: str) -> None:
    home = Home(each_api)
    kept = put_contracts(home, contract(tariff)).json()
    bad = [
        contract("nothing", end="2025-06-01"),
        contract(tariff, "2025-01-01T00:07", end="2024-01-01", parameters={"colour": "red"}),
        contract(tariff, "2025-05-01", flow="export"),
    ]
    assert expect_faults(put_contracts(home, *bad)) == [
        "contracts[0].tariff", "contracts[1].from", "contracts[1].to", "contracts[1].parameters.colour", "contracts[2]",
    ]  # fmt: skip
    assert expect_faults(put_contracts(home, {"tariff": tariff}, {**contract(tariff), "flow": "x"})) == [
        "contracts[0].from", "contracts[1].flow",
    ]  # fmt: skip
    assert each_api.get(f"{home.path}/contracts").json() == kept


def test_contracts_follow_the_clock_of_the_household(each_api: Api, tariff: str) -> None:
    lisbon, azores = Home(each_api, timezone="Europe/Lisbon"), Home(each_api, timezone="Atlantic/Azores")
    told = [contract(tariff, end="2025-06-01"), contract("pt-btn-simples", "2025-05-31T23:00:00Z")]
    assert put_contracts(lisbon, *told).status_code == 201
    assert expect_faults(put_contracts(azores, *told)) == ["contracts[1]"], "where that day ends an hour later"


def test_an_erased_home_leaves_no_contract_behind(each_api: Api, tariff: str) -> None:
    home = Home(each_api)
    put_contracts(home, contract(tariff))
    assert each_api.call("DELETE", home.path).status_code == 204
    expect_error(each_api.get(f"{home.path}/contracts"), 404, "not_found")
    assert each_api.call("PUT", home.path, json={"timezone": "UTC"}).status_code == 201
    assert each_api.get(f"{home.path}/contracts").json()["contracts"] == []
