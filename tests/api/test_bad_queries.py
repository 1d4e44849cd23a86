"""Bad queries and settings: refused with all of their faults, what would be right is named, and nothing is changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from homes import Api, Home, channel, expect_error, new_id

GOOD = {"measures": "energy_import", "start": "2024-05-10", "end": "2024-05-11", "group_by": "daily"}

#: What is wrong with a question, the place that is named, and a word that says what would be right.
BAD_QUESTIONS: dict[str, tuple[dict[str, str], str, str]] = {
    "an unknown measure": ({"measures": "happiness"}, "measures", "energy_import"),
    "no measure": ({"measures": ""}, "measures", "energy_import"),
    "a comma too many": ({"measures": "energy_import,"}, "measures", "energy_import"),
    "measures by semicolon": ({"measures": "energy_import;voltage"}, "measures", "energy_import"),
    "a measure with a NUL": ({"measures": "energy_import\0"}, "measures", "energy_import"),
    "an unknown grouping": ({"group_by": "fortnightly"}, "group_by", "15_mins"),
    "FlexiHome's own windows": ({"group_by": "seven_day_windows"}, "group_by", "weekly"),
    "an empty grouping": ({"group_by": ""}, "group_by", "daily"),
    "a grouping in capitals": ({"group_by": "DAILY"}, "group_by", "daily"),
    "a start of a word": ({"start": "yesterday"}, "start", "2024-03-31"),
    "an empty start": ({"start": ""}, "start", "2024-03-31"),
    "a day that is not": ({"start": "2024-02-30"}, "start", "calendar"),
    "a month": ({"start": "2024-05"}, "start", "2024-03-31"),
    "a week": ({"start": "2024-W19"}, "start", "2024-03-31"),
    "epoch seconds": ({"start": "1715299200"}, "start", "2024-03-31"),
    "other digits": ({"start": "２０２４-05-10"}, "start", "2024-03-31"),
    "a plus that became a blank": ({"start": "2024-05-10T00:00:00 02:00"}, "start", "%2B"),
    "an offset of 99 hours": ({"start": "2024-05-10T00:00:00+99:00"}, "start", "offset"),
    "second 60": ({"start": "2024-05-10T23:59:60Z"}, "start", "calendar"),
    "before 1970": ({"start": "1969-12-31"}, "start", "1970"),
    "year 9999": ({"end": "9999-12-31"}, "end", "2200"),
    "year 99999": ({"end": "99999-01-01"}, "end", "2024-03-31"),
    "a text of 5000 letters": ({"start": "2" * 5000}, "start", "2024-03-31"),
    "an end before the start": ({"end": "2024-05-09"}, "end", "after the start"),
    "an end at the start": ({"end": "2024-05-10"}, "end", "after the start"),
    "an unknown zone": ({"timezone": "Europe/Atlantis"}, "timezone", "IANA"),
    "an empty zone": ({"timezone": ""}, "timezone", "IANA"),
    "an offset as a zone": ({"timezone": "+02:00"}, "timezone", "IANA"),
    "a path as a zone": ({"timezone": "../../../etc/passwd"}, "timezone", "IANA"),
    "a folder as a zone": ({"timezone": "Europe"}, "timezone", "IANA"),
    "a zone with a NUL": ({"timezone": "UTC\0"}, "timezone", "IANA"),
    "a zone of 5000 letters": ({"timezone": "x" * 5000}, "timezone", "IANA"),
    "a zone in small letters": ({"timezone": "europe/lisbon"}, "timezone", "IANA"),
    "an unknown weekday": ({"week_start": "someday"}, "week_start", "monday"),
    "a number of a weekday": ({"week_start": "1"}, "week_start", "monday"),
    "an unknown format": ({"format": "xlsx"}, "format", "csv"),
    "an empty format": ({"format": ""}, "format", "csv"),
    "a meter of 65 letters": ({"meter": "x" * 65}, "meter", "64"),
    "an unknown parameter": ({"granularity": "daily"}, "granularity", "not permitted"),
    "two hundred years of quarter-hours": (
        {"group_by": "15_mins", "start": "1970-01-01", "end": "2199-01-01"},
        "group_by",
        "200000",
    ),
    "a century of quarter-hours": (
        {"group_by": "15_mins", "start": "2000-01-01", "end": "2100-01-01"},
        "group_by",
        "shorter range",
    ),
    "a century of hours": ({"group_by": "hourly", "start": "2000-01-01", "end": "2100-01-01"}, "group_by", "200000"),
}


@pytest.fixture(scope="module")
def kept(api: Api) -> Home:
    """A household that no test of this file may change."""
    one = Home(api, timezone="Europe/Lisbon", country="PT", api_key=new_id())
    one.write()
    return one


@pytest.mark.parametrize("what", BAD_QUESTIONS)
@pytest.mark.parametrize("many", [False, True])
def test_a_question_that_can_not_be_answered_is_refused(api: Api, kept: Home, what: str, many: bool) -> None:
    wrong, where, right = BAD_QUESTIONS[what]
    path, beside = ("/statistics", {"households": kept.id}) if many else (f"{kept.path}/statistics", {})
    told = expect_error(api.get(path, {**GOOD, **beside, **wrong}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]
    assert right in told["details"][0]["why"]


def test_all_faults_of_a_question_are_told_at_once(api: Api, kept: Home) -> None:
    wrong = {"measures": "a,b", "group_by": "c", "timezone": "d", "start": "e", "end": "f", "week_start": "g"}
    told = expect_error(api.get(f"{kept.path}/statistics", {**GOOD, **wrong}), 400, "bad_input")
    assert sorted(one["where"] for one in told["details"]) == sorted([*wrong, "measures"])
    assert "6 more" in told["error"]


@pytest.mark.parametrize(("group_by", "buckets"), [("daily", 84006), ("monthly", 2760), ("total", 1)])
def test_the_longest_range_is_answered_in_long_buckets(api: Api, kept: Home, group_by: str, buckets: int) -> None:
    query = {**GOOD, "start": "1970-01-01", "end": "2200-01-01", "group_by": group_by}
    told = api.get(f"{kept.path}/statistics", query).json()
    assert (len(told["buckets"]), told["series"][0]["total"]) == (buckets, 0.8)


@pytest.mark.parametrize("name", ["measures", "start", "end"])
def test_a_question_without_its_essentials_is_refused(api: Api, kept: Home, name: str) -> None:
    query = {k: v for k, v in GOOD.items() if k != name}
    told = expect_error(api.get(f"{kept.path}/statistics", query), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [name]


ODD_IDS = [
    "x" * 65, "x" * 3000, "a b", " ", "é", "a\0b", "a\nb", "\u202ea", "a\ud7ffb", "%",
    "_%", "'; DROP TABLE households;--",
    '" OR 1=1', "<b>", "a;b", "-a", ".a", "{{7*7}}", "a\\b", "a%2Fb",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_odd_id_of_a_household_is_refused_or_unknown_and_never_stored(each_api: Api, odd: str) -> None:
    path = f"/households/{quote(odd, safe='')}"
    told = expect_error(each_api.call("PUT", path, json={}), 400, "bad_input")
    assert told["details"][0]["where"] == "id"
    assert "1 to 64" in told["details"][0]["why"]
    for method, place, body in (
        ("GET", path, None),
        ("PATCH", path, {"country": "PT"}),
        ("DELETE", path, None),
        ("GET", f"{path}/meters", None),
        ("GET", f"{path}/last", None),
        ("GET", f"{path}/summary", None),
        ("GET", f"{path}/tokens", None),
    ):
        expect_error(each_api.call(method, place, json=body), 404, "not_found")
    expect_error(each_api.get(f"{path}/statistics", GOOD), 404, "not_found")
    expect_error(
        each_api.get("/statistics", {**GOOD, "households": odd.replace(",", "")}), 400 if not odd.strip() else 404
    )
    expect_error(each_api.get("/voltage-last", {"user_ids": odd}), 400 if not odd.strip() else 404)
    expect_error(each_api.post(f"{path}/tokens", {"write": True}), 400, "bad_input")
    answer = each_api.get("/households", {"after": odd[:64]})
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("odd", ["/", "a/b", "", "//"])
def test_slashes_in_an_id_lead_nowhere(api: Api, odd: str) -> None:
    for path in (f"/households/{quote(odd, safe='')}/statistics", f"/households/{odd}/meters/"):
        assert api.get(path, GOOD).status_code in (307, 400, 404)


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_odd_name_of_a_meter_is_refused_or_unknown(each_api: Api, odd: str) -> None:
    home = Home(each_api)
    path = f"{home.path}/meters/{quote(odd, safe='')}"
    told = expect_error(each_api.call("PUT", path, json={"quantity": "energy_import"}), 400, "bad_input")
    assert told["details"][0]["where"] == "meter"
    expect_error(each_api.get(path), 404, "not_found")
    expect_error(each_api.get(f"{path}/readings"), 404, "not_found")
    swap = {"kind": "swap", "quantity": "energy_import", "at": "2024-05-10", "old_end": 1, "new_start": 0}
    expect_error(each_api.post(f"{path}/events", swap), 400, "bad_input")
    answer = home.ask_raw("energy_import", "daily", meter=odd)
    assert answer.status_code == (400 if len(odd) > 64 else 200)
    if answer.status_code == 200:
        assert answer.json()["series"][0]["total"] is None
    assert each_api.get(f"{home.path}/meters").json()["meters"] == []


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "", "1.5", "NaN", "9" * 400, "0x10"])
def test_a_page_of_an_impossible_size_is_refused(api: Api, limit: str) -> None:
    told = expect_error(api.get("/households", {"limit": limit}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == ["limit"]


BAD_PAGES = {
    "verdict": ({"verdict": "lovely"}, "verdict"),
    "an empty verdict": ({"verdict": ""}, "verdict"),
    "quantity": ({"quantity": "voltage"}, "quantity"),
    "start": ({"start": "soon"}, "start"),
    "end": ({"end": "late"}, "end"),
    "order": ({"start": "2024-05-11", "end": "2024-05-10"}, "end"),
    "limit": ({"limit": "0"}, "limit"),
    "a large limit": ({"limit": "100001"}, "limit"),
    "an unknown parameter": ({"page": "2"}, "page"),
}


@pytest.mark.parametrize("what", BAD_PAGES)
def test_readings_are_not_told_for_a_wrong_question(api: Api, kept: Home, what: str) -> None:
    wrong, where = BAD_PAGES[what]
    told = expect_error(api.get(f"{kept.path}/meters/grid/readings", wrong), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [where]


# --- settings ---------------------------------------------------------------------------------------------------------

BAD_SETTINGS: dict[str, Any] = {
    "timezone": ["Europe/Atlantis", "../../etc/passwd", "", 7, None, [], "UTC\0"],
    "country": ["Portugal", "pt", "", 7, "P\0", "ÅÅ", "PT\n"],
    "zone": ["x" * 65, 7, "a\0b"],
    "api_key": ["", "x" * 129, 7, "a\0b"],
    "meter_id": ["", "x" * 129, 7, "a\0b"],
    "register_unit": ["m3", "kwh", "W", None, 7],
    "billing_day": [0, 32, -1, 1.5, "1", True, None, 10**30],
    "contracted_power_kva": [0, -1, 1e6, "6.9", True],
    "currency": ["euro", "€", "", 7],
    "postal_code": ["x" * 17, 7, "a\0b"],
    "tarif_type": ["free", "", 7],
    "name": ["x" * 129, 7, "a\0b"],
    "colour": ["red"],
    "id": ["another"],
    "household_no": [1],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, some in BAD_SETTINGS.items() for value in some])
def test_a_setting_that_can_not_be_is_refused_and_nothing_changed(each_api: Api, name: str, value: Any) -> None:
    fresh = f"/households/{new_id()}"
    told = expect_error(each_api.call("PUT", fresh, json={name: value}), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == [name]
    expect_error(each_api.get(fresh), 404)
    home = Home(each_api, country="PT")
    before = each_api.get(home.path).json()
    expect_error(each_api.call("PATCH", home.path, json={"name": "new", name: value}), 400, "bad_input")
    assert each_api.get(home.path).json() == before


@pytest.mark.parametrize("body", [b'{"country": "PT", "country": "ES"}', b'{"name": "a", "n\\u0061me": "b"}'])
def test_a_setting_told_twice_is_refused(api: Api, kept: Home, body: bytes) -> None:
    told = expect_error(api.call("PUT", f"/households/{new_id()}", content=body), 400, "bad_input")
    assert "twice" in told["error"]


def test_all_faults_of_settings_are_told_at_once(api: Api) -> None:
    bad = {"country": "x", "billing_day": 0, "colour": "red", "register_unit": "m3", "timezone": "Nowhere"}
    told = expect_error(api.call("PUT", f"/households/{new_id()}", json=bad), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == set(bad)


@pytest.mark.parametrize("name", ["api_key", "meter_id"])
def test_a_key_belongs_to_one_household(each_api: Api, name: str) -> None:
    key = new_id()
    owner, other = Home(each_api, **{name: key}), Home(each_api)
    expect_error(each_api.call("PATCH", other.path, json={name: key}), 409, "conflict")
    expect_error(each_api.call("PUT", f"/households/{new_id()}", json={name: key}), 409, "conflict")
    assert name not in each_api.get(other.path).json()
    assert each_api.get(owner.path).json()[name] == key


def test_a_household_may_not_take_a_key_itself(api: Api, kept: Home) -> None:
    answer = api.call("PATCH", kept.path, json={"api_key": new_id()}, token=kept.token)
    expect_error(answer, 403, "forbidden")


BAD_DECLARATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no quantity": ({"quantity": None}, "quantity"),
    "an unknown quantity": ({"quantity": "gas"}, "quantity"),
    "an unknown kind": ({"kind": "rumour"}, "kind"),
    "a kind that the quantity has not": ({"kind": "sample"}, "kind"),
    "a unit of another dimension": ({"unit": "V"}, "unit"),
    "a modulus of 0": ({"modulus": 0}, "modulus"),
    "a modulus below 0": ({"modulus": -1}, "modulus"),
    "a modulus beyond any register": ({"modulus": 1e300}, "modulus"),
    "a modulus of text": ({"modulus": "100000"}, "modulus"),
    "a modulus of intervals": ({"kind": "interval", "modulus": 100}, "modulus"),
    "a resolution of 0": ({"resolution": 0}, "resolution"),
    "a resolution beyond any register": ({"resolution": 1e308}, "resolution"),
    "no power": ({"max_power_w": 0}, "max_power_w"),
    "power beyond any home": ({"max_power_w": 1e308}, "max_power_w"),
    "power of text": ({"max_power_w": "much"}, "max_power_w"),
    "no gap": ({"gap_limit_s": 0}, "gap_limit_s"),
    "a gap of half a second": ({"gap_limit_s": 0.5}, "gap_limit_s"),
    "a gap of an age": ({"gap_limit_s": 10**12}, "gap_limit_s"),
    "an unknown member": ({"colour": "red"}, "colour"),
}


@pytest.mark.parametrize("what", BAD_DECLARATIONS)
def test_a_declaration_that_can_not_be_is_refused_and_nothing_made(api: Api, home: Home, what: str) -> None:
    wrong, where = BAD_DECLARATIONS[what]
    told = expect_error(
        api.call("PUT", f"{home.path}/meters/grid", json={"quantity": "energy_import", **wrong}), 400, "bad_input"
    )
    assert [one["where"] for one in told["details"]] == [where]
    assert api.get(f"{home.path}/meters").json()["meters"] == []


@pytest.mark.parametrize("name", ["max_power_w", "modulus"])
def test_the_largest_numbers_of_a_declaration_do_no_harm(each_api: Api, name: str) -> None:
    home = Home(each_api)
    body = {"quantity": "energy_import", "unit": "kWh", name: {"max_power_w": 1e9, "modulus": 9e9}[name]}
    answer = each_api.call("PUT", f"{home.path}/meters/grid", json=body)
    assert answer.status_code == 201, answer.text
    assert home.write()["accepted"] == 9
    assert [float(v or 0) for v in home.values()] == [0.4, 0.4]


@pytest.mark.parametrize("body", [{"write": "yes"}, {"write": 1}, {"label": "x" * 129}, {"label": 7}, {"label": "a\0b"},
                                  {"lifetime_days": 0}, {"lifetime_days": -1}, {"lifetime_days": 1.5},
                                  {"lifetime_days": 36_501}, {"lifetime_days": 10**30}, {"colour": "red"}])  # fmt: skip
def test_a_device_token_that_can_not_be_is_refused_and_not_made(each_api: Api, body: dict[str, Any]) -> None:
    home = Home(each_api)
    told = expect_error(each_api.post(f"{home.path}/tokens", body), 400, "bad_input")
    assert [one["where"] for one in told["details"]] == list(body)
    assert each_api.get(f"{home.path}/tokens").json()["tokens"] == []


def test_the_readings_of_a_meter_are_declared_anew_by_a_good_declaration(api: Api, home: Home) -> None:
    home.write(unit="Wh", value=[v * 1000 for v in channel()["value"]])
    answer = api.call("PUT", f"{home.path}/meters/grid", json={"quantity": "energy_import", "unit": "kWh"})
    assert answer.status_code == 200
    assert api.get(f"{home.path}/last").json()["channels"][0]["value"] == 100.8
