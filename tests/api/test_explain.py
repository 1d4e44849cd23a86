"""Explanations over HTTP: what is behind a number, the text that is digested, and all that is refused."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from homes import END, START, Home, channel, expect_error, new_id
from recomputed import number

ASKED = {"measure": "energy_import", "start": START, "end": END}


def explain(home: Home, **more: Any) -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/explain", {**ASKED, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return told


def test_a_number_is_explained_in_each_store(each_home: Home) -> None:
    each_home.write()
    told = explain(each_home)
    assert told["household"] == each_home.id
    assert told["value"] == Decimal("0.8")
    assert told["formula_filled"] == "energy_import = 100.8 (register at end) − 100 (register at start) = 0.8 kWh"
    assert told["definition"]["source"] == "IEC 62056-6-1 (OBIS), D = 8"
    assert told["quarters"]["measured"] == 8
    assert number(told) == Fraction(told["value"])


def test_the_text_has_the_digest_of_the_answer(each_home: Home) -> None:
    each_home.write()
    digest = explain(each_home)["digest"]
    assert digest["algorithm"] == "sha-256"
    for query, headers in (({"canonical": "true"}, {}), ({}, {"Accept": "text/plain"})):
        answer = each_home.api.get(f"{each_home.path}/explain", {**ASKED, **query}, headers=headers)
        assert answer.headers["content-type"].startswith("text/plain")
        assert hashlib.sha256(answer.content).hexdigest() == digest["value"]
    assert answer.text.splitlines()[:6] == [
        "statistics-explain 1",
        "measure energy_import",
        "start 2024-05-10T10:00:00Z",
        "end 2024-05-10T12:00:00Z",
        "value 0.8 kWh",
        "quarter energy_import grid register 2024-05-10T10:00:00Z 100000 900 0",
    ]


def test_two_homes_with_the_same_readings_have_the_same_digest(home: Home) -> None:
    other = Home(home.api)
    home.write()
    for part in (slice(4, None), slice(None, 6)):
        one = channel()
        other.write(at=one["at"][part], value=one["value"][part])
    assert explain(home)["digest"] == explain(other)["digest"]


def test_inputs_lead_to_their_own_explanations(home: Home) -> None:
    home.post(
        channel(),
        channel(meter="pv", quantity="energy_production", value=[50 + i / 5 for i in range(9)]),
    )
    told = explain(home, measure="energy_consumption")
    links = {one["measure"]: one["explain"] for one in told["inputs"]}
    assert set(links) == {"energy_import", "energy_production"}
    answer = home.api.get(links["energy_production"].removeprefix("/api/statistics"))
    assert answer.json()["measure"] == "energy_production"
    assert answer.json()["value"] == 1.6
    assert told["value"] == Decimal("2.4")


def test_one_meter_is_explained_alone(home: Home) -> None:
    home.post(channel(), channel(meter="clamp", value=[7 + i for i in range(9)]))
    assert explain(home)["value"] == Decimal("8.8")
    told = explain(home, meter="clamp")
    assert told["value"] == 8
    assert told["meter"] == "clamp"
    assert [one["meter"] for one in told["readings"]] == ["clamp"]


def test_what_nobody_has_told_is_null_and_explained(home: Home) -> None:
    told = explain(home, measure="cost_net")
    assert told["value"] is None
    assert told["reasons"] == ["no contract of the household holds"]
    assert explain(home)["reasons"] == ["nothing was ever read that tells it"]


def test_all_faults_are_told_at_once(home: Home) -> None:
    wrong = {
        "measure": "energy_import,voltage", "start": END, "end": START, "timezone": "Mars", "as_of": "soon",
        "carbon_source": "A B", "carbon_boundary": "some", "canonical": "perhaps", "more": "1",
    }  # fmt: skip
    answer = home.api.get(f"{home.path}/explain", wrong)
    told = expect_error(answer, 400, "bad_input")
    assert {one["where"] for one in told["details"]} == set(wrong) - {"start"}
    told = expect_error(home.api.get(f"{home.path}/explain"), 400)
    assert {one["where"] for one in told["details"]} == {"measure", "start", "end"}


@pytest.mark.parametrize(
    ("more", "where", "why"),
    [
        ({"measure": "energy"}, "measure", "is no measure"),
        ({"start": "2020-01-01", "end": "2024-01-01"}, "end", "at most 400 days are explained at once"),
        ({"measure": "cost_net", "meter": "grid"}, "meter", "it is of the household"),
        ({"measure": "emissions_device"}, "meter", "name its meter"),
    ],
)
def test_what_can_not_be_explained_is_refused(home: Home, more: dict[str, str], where: str, why: str) -> None:
    told = expect_error(home.api.get(f"{home.path}/explain", {**ASKED, **more}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]
    assert why in told["details"][0]["why"]


def test_a_home_is_explained_to_itself_alone(home: Home) -> None:
    other = Home(home.api)
    other.write()
    for token, status in ((home.token, 403), (None, 401), (other.token, 200)):
        assert home.api.get(f"{other.path}/explain", ASKED, token=token).status_code == status
    expect_error(home.api.get(f"/households/{new_id()}/explain", ASKED), 404, "not_found")
    # of a home that is there and of one that is not, a stranger is told the same
    unknown = home.api.get(f"/households/{new_id()}/explain", ASKED, token=home.token)
    assert unknown.status_code == 403
