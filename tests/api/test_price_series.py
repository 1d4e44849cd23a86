"""Series of prices as clients see them: exact, at once readable, each revision kept, refused with all that is wrong."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from homes import Api, expect_error, new_id

CSV = {"Content-Type": "text/csv"}
DAY = {
    "unit": "EUR/MWh",
    "interval": "PT1H",
    "market_time_zone": "CET",
    "title": "A market",
    "at": [f"2026-01-01T{hour:02d}:00:00+01:00" for hour in range(24)],
    "value": [100 + hour / 8 for hour in range(24)],
}


def put(api: Api, name: str, body: Any, **more: Any) -> httpx.Response:
    return api.call("PUT", f"/series/{name}", json=body, **more)


def got(api: Api, name: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"/series/{name}", query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return told


def test_what_was_put_is_read_at_once_as_it_was_written(each_api: Api) -> None:
    name = new_id()
    answer = put(each_api, name, DAY)
    assert answer.status_code == 201
    about = {"name": name, "unit": "EUR/MWh", "interval": "PT1H", "market_time_zone": "CET", "title": "A market"}
    assert answer.json() == {**about, "accepted": 24, "duplicates": 0}
    told = got(each_api, name)
    assert {key: told[key] for key in about} == about
    assert (told["start"], told["end"]) == ("2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z")
    assert told["at"] == ["2025-12-31T23:00:00Z", *(f"2026-01-01T{hour:02d}:00:00Z" for hour in range(23))]
    assert told["length_s"] == [3600] * 24
    assert [Decimal(one) for one in told["value"]] == [Decimal(str(one)) for one in DAY["value"]]
    assert told["next"] is None
    assert put(each_api, name, DAY).json() == {**about, "accepted": 0, "duplicates": 24}


def test_numbers_and_texts_are_kept_to_the_last_digit(each_api: Api) -> None:
    name = new_id()
    at = ["2026-01-01T00:00Z", "2026-01-01T00:15Z", "2026-01-01T00:30Z", "2026-01-01T00:45Z", 1_767_229_200]
    text = json.dumps({"unit": "GBp/kWh", "interval": "PT15M", "at": at, "value": "VALUES"})
    body = text.replace('"VALUES"', '[0.1, 12.340, "-0.30000000000000000001", null, 1e2]')
    answer = each_api.call("PUT", f"/series/{name}", content=body)
    assert answer.json()["accepted"] == 4
    told = each_api.get(f"/series/{name}")
    assert '"value":[0.1,12.34,-0.30000000000000000001,100]' in told.text
    assert told.json()["at"] == [f"2026-01-01T{clock}:00Z" for clock in ("00:00", "00:15", "00:30", "01:00")]


def test_a_csv_is_kept_with_what_the_query_or_its_own_lines_tell(each_api: Api) -> None:
    rows = "start,value\n2026-01-01T00:00:00Z,12.5\n2026-01-01T00:30:00Z,13\n"
    by_query, by_lines = new_id(), new_id()
    query = {"unit": "GBp/kWh", "interval": "PT30M", "source": "octopus.energy"}
    above = "# unit: GBp/kWh\n# a remark\n# interval = PT30M\n# source: octopus.energy\n"
    for name, content, params in ((by_query, rows, query), (by_lines, above + rows, {})):
        answer = each_api.call("PUT", f"/series/{name}", content=content, params=params, headers=CSV)
        assert (answer.status_code, answer.json()["accepted"]) == (201, 2), answer.text
    first, second = got(each_api, by_query), got(each_api, by_lines)
    assert {**first, "name": ""} == {**second, "name": ""}
    assert (first["value"], first["length_s"], first["source"]) == (
        [Decimal("12.5"), 13],
        [1800, 1800],
        "octopus.energy",
    )


def test_what_was_known_then_can_be_asked_for_after_a_correction(each_api: Api) -> None:
    name = new_id()
    put(each_api, name, DAY)
    then = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    time.sleep(0.01)
    assert put(each_api, name, {**DAY, "at": DAY["at"][:2], "value": [100, "-7.5"]}).json()["accepted"] == 1
    assert got(each_api, name)["value"][:3] == [100, Decimal("-7.5"), Decimal("100.25")]
    assert got(each_api, name, as_of=then)["value"][:3] == [100, Decimal("100.125"), Decimal("100.25")]
    assert got(each_api, name, as_of="2020-01-01")["value"] == []


def test_values_come_in_pages_that_leave_none_out(each_api: Api) -> None:
    name = new_id()
    put(each_api, name, DAY)
    put(each_api, name, {**DAY, "at": ["2020-06-01T00:00:00Z"], "value": [7]})
    at, value, start = [], [], "2020-01-01"
    while start is not None:
        page = got(each_api, name, start=start, end="2026-02-01", limit=7)
        at, value, start = at + page["at"], value + page["value"], page["next"]
        assert len(page["at"]) == len(page["value"]) <= 7
    whole = got(each_api, name)
    assert (at, value) == (whole["at"], whole["value"])
    assert len(at) == 25


def test_a_part_of_a_series_is_read_by_civil_dates_of_its_market(each_api: Api) -> None:
    name = new_id()
    put(each_api, name, DAY)
    told = got(each_api, name, start="2026-01-01", end="2026-01-01T02:00")
    assert (told["start"], told["end"]) == ("2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z")
    assert told["value"] == [100, Decimal("100.125")]
    assert got(each_api, name, start="2030-01-01")["at"] == []
    assert got(each_api, name, end="2001-01-01")["at"] == []


def test_series_are_listed_in_pages_with_their_days(each_api: Api) -> None:
    names = sorted(f"list-{new_id()}" for _ in range(5))
    for name in names:
        put(each_api, name, {**DAY, "at": [], "value": []} if name == names[0] else DAY)
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        page = each_api.get("/series", {"limit": 2, **({} if after is None else {"after": after})}).json()
        seen += page["series"]
        after = page["next"]
        if after is None:
            break
    mine = [one for one in seen if one["name"] in names]
    assert [one["name"] for one in mine] == names
    assert [(one["first"], one["last"]) for one in mine] == [(None, None), *[("2025-12-31", "2026-01-01")] * 4]
    assert got(each_api, names[0])["at"] == []


def test_another_unit_or_interval_is_a_conflict_as_soon_as_there_are_values(each_api: Api) -> None:
    name = new_id()
    put(each_api, name, {**DAY, "at": [], "value": []})
    assert put(each_api, name, {**DAY, "unit": "GBp/kWh"}).status_code == 200
    told = expect_error(put(each_api, name, DAY), 409, "conflict")
    assert "has values in GBp/kWh of PT1H each" in told["error"]
    expect_error(put(each_api, name, {**DAY, "unit": "GBp/kWh", "interval": "PT15M"}), 409, "conflict")


def test_all_faults_of_a_body_are_told_at_once_and_nothing_is_kept(api: Api) -> None:
    name = new_id()
    body = {
        "unit": "EUR/Wh", "interval": "PT5M", "colour": "red", "market_time_zone": "Mars",
        "at": ["2026-01-01T00:07Z", "2026-01-01", "2026-01-01", "1999-01-01", "2099-01-01", "soon"],
        "value": [1, 2, 3, "NaN", 1e12, [4]],
    }  # fmt: skip
    told = expect_error(put(api, name, body), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [
        "colour", "unit", "interval", "market_time_zone", "at[0]", "at[3]", "at[4]", "at[5]", "at[2]", "value[3]",
        "value[4]", "value[5]",
    ]  # fmt: skip
    expect_error(api.get(f"/series/{name}"), 404, "not_found")


@pytest.mark.parametrize(
    "number", ["1e999", "-1e99999999999999999999", "1e-99999999999999999999", "NaN", "Infinity", "9" * 6000]
)
def test_numbers_that_are_none_or_beyond_every_price_are_refused(api: Api, number: str) -> None:
    body = f'{{"unit": "EUR/MWh", "interval": "PT1H", "at": ["2026-01-01"], "value": [{number}]}}'
    expect_error(api.call("PUT", f"/series/{new_id()}", content=body), 400, "bad_input")


@pytest.mark.parametrize(
    ("content", "query", "where"),
    [
        ("start,value\n2026-01-01,1\n", {}, {"unit", "interval"}),
        ("at;value\n2026-01-01;1,5\n2026-01-01;x", {"unit": "1", "interval": "PT1H"}, {"line 3: at", "line 3: value"}),
        ("# unit: %\n\nstart,value\n", {"unit": "1", "interval": "PT1H"}, {"unit"}),
        ("# unit: 1\n# more\nstart,value\n2026-01-01,1\n,2\n", {"interval": "PT1H"}, {"line 5: at"}),
        ("from,to\n", {"unit": "1", "interval": "PT1H"}, {"body"}),
        ("", {"unit": "1", "interval": "PT1H"}, {"body"}),
        (b"start,value\n\xff,1\n", {"unit": "1", "interval": "PT1H"}, {"body"}),
        ("start,value\n2026-01-01,1\x00\n", {"unit": "1", "interval": "PT1H"}, {"line 2: value"}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_csv_is_told_by_its_lines(
    api: Api, content: str | bytes, query: dict[str, str], where: set[str]
) -> None:
    answer = api.call("PUT", f"/series/{new_id()}", content=content, params=query, headers=CSV)
    told = expect_error(answer, 400, "bad_input")
    assert {one["where"] for one in told["details"]} == where


def test_of_json_the_body_tells_all_and_a_query_is_refused(api: Api) -> None:
    told = expect_error(put(api, new_id(), DAY, params={"unit": "EUR/MWh", "title": "x"}), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == {"unit", "title"}


@pytest.mark.parametrize("media", ["text/xml", "application/yaml", "nonsense"])
def test_other_types_of_bodies_are_refused_and_the_right_ones_named(api: Api, media: str) -> None:
    answer = api.call("PUT", f"/series/{new_id()}", content=b"x", headers={"Content-Type": media})
    told = expect_error(answer, 415, "unsupported_media_type")
    assert "application/json or text/csv" in told["error"]


@pytest.mark.parametrize("name", ["a b", "a:b", "-a", "x" * 65, "é", "a%00", "%2e%2e%2e"])
def test_a_name_that_no_tariff_could_use_is_refused(api: Api, name: str) -> None:
    told = expect_error(put(api, name, DAY), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["name"]
    expect_error(api.get(f"/series/{name}"), 404, "not_found")


def test_an_end_before_the_start_is_refused(api: Api) -> None:
    name = new_id()
    put(api, name, DAY)
    told = expect_error(api.get(f"/series/{name}", {"start": "2026-01-02", "end": "2026-01-01"}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["end"]


def test_a_year_of_quarter_hours_is_put_at_once_and_read_at_once(each_api: Api) -> None:
    name, first = new_id(), 1_735_689_600
    body = {
        "unit": "EUR/MWh", "interval": "PT15M",
        "at": [first + 900 * i for i in range(35_040)], "value": [i % 977 / 4 for i in range(35_040)],
    }  # fmt: skip
    assert put(each_api, name, body).json()["accepted"] == 35_040
    told = got(each_api, name, limit=100_000)
    assert [float(one) for one in told["value"]] == body["value"]
