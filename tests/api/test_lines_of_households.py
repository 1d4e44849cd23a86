"""Whose a line of line protocol is, what a bare value tells, and that a line is kept as a whole or not at all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from homes import WRITE, Api, Home, new_id

STAMP = 1715335200  # 2024-05-10T10:00:00Z


def write(api: Api, *lines: str, token: str | None = "service") -> httpx.Response:
    return api.call("POST", f"{WRITE}?precision=s", content="\n".join(lines), token=token)


def last(home: Home) -> dict[tuple[str, str], Any]:
    channels = home.api.get(f"{home.path}/last").json()["channels"]
    return {(one["meter"], one["quantity"]): (one["value"], one["unit"]) for one in channels}


@pytest.mark.parametrize("bad", ["voltage=1e9", "voltage=abc", "voltage=1e308", "value=1"])
def test_of_a_line_with_one_bad_field_nothing_is_kept(each_home: Home, bad: str) -> None:
    answer = write(
        each_home.api,
        f"e,household={each_home.id} energyImported=5,{bad} {STAMP}",
        f"e,household={each_home.id} energyImported=7 {STAMP + 900}",
    )
    assert answer.status_code == 400
    assert answer.json()["line"] == 1
    assert answer.json()["message"].startswith("1 of 2 lines are refused")
    (meter,) = each_home.api.get(f"{each_home.path}/meters").json()["meters"]
    assert [one["readings"] for one in meter["channels"]] == [1]
    assert last(each_home) == {("grid", "energy_import"): (7.0, "Wh")}


def test_a_bare_value_is_of_the_quantity_that_its_tag_or_measurement_names(each_home: Home) -> None:
    who = f"household={each_home.id}"
    answer = write(
        each_home.api,
        f'kWh,{who},domain=sensor,entity_id=meter_total,quantity=energy_import value=12.5,state_str="on" {STAMP}',
        f"energy_export,{who},meter=roof,unit=kWh value=3.25 {STAMP}",
        f"power_import,{who},entity_id=plug value=230 {STAMP}",
        f"energy_production,{who} value=99 {STAMP}",
    )
    assert answer.status_code == 204, answer.text
    assert last(each_home) == {
        ("meter_total", "energy_import"): (12.5, "kWh"),
        ("roof", "energy_export"): (3.25, "kWh"),
        ("plug", "power_import"): (230.0, "W"),
        ("grid", "energy_production"): (99.0, "Wh"),
    }


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("", "tells no quantity"),
        (",quantity=warmth", "'warmth' is none"),
        (",quantity=voltage,unit=kWh", "'kWh' is no unit of voltage"),
        (",quantity=voltage,entity_id=a/b", "is no name"),
    ],
)
def test_a_bare_value_that_tells_too_little_is_refused_and_says_what_would_be_right(
    home: Home, tags: str, reason: str
) -> None:
    answer = write(home.api, f"sensors,household={home.id}{tags} value=1 {STAMP}")
    assert answer.status_code == 400
    assert reason in answer.json()["message"]


@pytest.mark.parametrize("code", ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-0:1.8.0.255"])
def test_obis_codes_are_known_short_and_in_full(home: Home, code: str) -> None:
    assert write(home.api, f"p1,household={home.id} {code}=4711 {STAMP}").status_code == 204
    assert last(home) == {("grid", "energy_import"): (4711.0, "Wh")}


def test_a_device_can_not_find_out_which_households_there_are(each_home: Home) -> None:
    api, token = each_home.api, each_home.device(write=True)["token"]
    other = Home(api, api_key=new_id())
    heads = [f"e,household={other.id}", f"e,household={new_id()}", api_key_of(other), new_id(), "e,household=a/b"]
    answers = [write(api, f"{head} energyImported=1 {STAMP}", token=token) for head in heads]
    assert {(one.status_code, one.text) for one in answers} == {(403, answers[0].text)}
    own = f"e,household={each_home.id} energyImported=1 {STAMP}"
    mixed = [write(api, own, f"{head} energyImported=1 {STAMP}", token=token) for head in heads]
    assert {(one.status_code, one.text) for one in mixed} == {(400, mixed[0].text)}
    assert mixed[0].json()["line"] == 2
    assert last(each_home) == {("grid", "energy_import"): (1.0, "Wh")}
    assert last(other) == {}


def api_key_of(home: Home) -> str:
    key: str = home.api.get(home.path).json()["api_key"]
    return key
