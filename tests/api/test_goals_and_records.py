"""Goals, records and the quality of data over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from homes import END, START, Api, Home, expect_error

GOAL = {"id": "less", "measure": "energy_import", "period": "day", "at_most": 250, "unit": "Wh"}


def put(home: Home, *goals: Any, **more: Any) -> Any:
    return home.api.call("PUT", f"{home.path}/goals", json={"goals": list(goals)}, **more)


def test_goals_are_put_and_read_by_the_household_itself(each_home: Home) -> None:
    home = each_home
    assert home.api.get(f"{home.path}/goals").json()["goals"] == []
    made = put(home, GOAL, token=home.token)
    assert made.status_code == 201
    assert made.json()["goals"] == [GOAL]
    again = put(home, GOAL, token=home.token)
    assert (again.status_code, again.json()["told_at"]) == (200, made.json()["told_at"])
    assert home.api.get(f"{home.path}/goals", token=home.token).json() == made.json()
    assert home.api.get(f"{home.path}/goals", {"as_of": "2024-01-01"}).json()["told_at"] is None
    device = home.device(write=True)["token"]
    expect_error(put(home, GOAL, token=device), 403, "forbidden")


def test_goals_are_erased_with_the_household(each_home: Home) -> None:
    home = each_home
    assert put(home, GOAL).status_code == 201
    assert home.api.call("DELETE", home.path).status_code == 204
    assert home.api.call("PUT", home.path, json={"timezone": "UTC"}).status_code == 201
    assert home.api.get(f"{home.path}/goals").json()["goals"] == []


def test_all_faults_of_goals_are_told_at_once(home: Home) -> None:
    answer = put(home, {**GOAL, "unit": "EUR"}, {**GOAL, "period": "age", "colour": 1}, 7)
    told = expect_error(answer, 400, "bad_input")
    wrong = {"goals[0].unit", "goals[1].period", "goals[1].colour", "goals[2]"}
    assert {one["where"] for one in told["details"]} == wrong
    for body in (b"{", b"[]", b"null", b'{"goals": 1}', b'{"goals": [], "goals": []}'):
        answer = home.api.call("PUT", f"{home.path}/goals", content=body)
        expect_error(answer, 400)


def test_the_progress_of_a_day_gone_by_is_its_result(home: Home) -> None:
    home.write()
    put(home, GOAL, {**GOAL, "id": "more", "at_most": 900})
    answer = home.api.get(f"{home.path}/goals/progress", {"on": "2024-05-10"}).json()
    assert answer["at"] == "2024-05-11T00:00:00+00:00"
    one = answer["goals"][0]
    assert (one["used"], one["used_share"], one["status"]) == (800.0, 3.2, "missed")  # whatever the rest of it had
    more = answer["goals"][1]
    assert (more["status"], more["why"]) == (None, "less than 95% of the period is known")
    assert one["period"] == {
        "kind": "day", "start": "2024-05-10T00:00:00+00:00", "end": "2024-05-11T00:00:00+00:00", "elapsed": 1.0,
    }  # fmt: skip
    during = home.api.get(f"{home.path}/goals/progress").json()["goals"][0]
    assert (during["used"], during["projected"], during["status"]) == (None, None, None)
    assert during["why"]


@pytest.mark.parametrize(
    ("query", "where"),
    [({"on": "2999-01-01"}, "on"), ({"on": "soon"}, "on"), ({"at": "2024-01-01"}, "at")],
)
def test_a_bad_date_of_progress_is_refused(home: Home, query: dict[str, str], where: str) -> None:
    told = expect_error(home.api.get(f"{home.path}/goals/progress", query), 400)
    assert [one["where"] for one in told["details"]] == [where]


def test_records_name_their_hours_and_streaks(home: Home) -> None:
    home.write()
    asked = {"measure": "energy_import", "start": START, "end": END, "group_by": "hourly", "at_least": 0.4, "above": 1}
    answer = home.api.get(f"{home.path}/records", asked).json()
    assert list(answer["records"]) == ["hourly", "daily", "weekly", "monthly"]
    hourly = answer["records"]["hourly"]
    assert hourly["highest"] == {
        "start": "2024-05-10T10:00:00+00:00", "end": "2024-05-10T11:00:00+00:00", "value": 0.4, "coverage": 1.0,
    }  # fmt: skip
    assert (hourly["counted"], hourly["left_out"]) == (2, 0)
    assert answer["records"]["daily"] == {"highest": None, "lowest": None, "counted": 0, "left_out": 1}
    least, above = answer["streaks"]
    assert (least["condition"], least["longest"]["buckets"], least["current"]["buckets"]) == ("at_least", 2, 2)
    assert (above["held"], above["longest"], above["current"]) == (0, None, None)


def test_all_faults_of_a_question_for_records_are_told_at_once(home: Home) -> None:
    asked = {"measure": "joy", "start": "x", "end": END, "group_by": "never", "least_coverage": 2, "at_least": "nan"}
    told = expect_error(home.api.get(f"{home.path}/records", asked), 400)
    assert {one["where"] for one in told["details"]} == {"measure", "start", "group_by", "least_coverage", "at_least"}
    several = {"measure": "energy_import,energy_export", "start": START, "end": END}
    told = expect_error(home.api.get(f"{home.path}/records", several), 400)
    assert told["details"] == [{"where": "measure", "why": "one measure is told at a time"}]


def test_the_quality_of_data_tells_gaps_and_who_is_silent(home: Home) -> None:
    home.write()
    home.write(at=["2024-05-10T15:00:00Z"], value=[101.5])
    answer = home.api.get(f"{home.path}/data-quality", {"start": "2024-05-10", "end": "2024-05-11"}).json()
    (one,) = answer["channels"]
    assert one["gaps"]["longest"] == [
        {
            "start": "2024-05-10T12:00:00+00:00",
            "end": "2024-05-10T15:00:00+00:00",
            "length_s": 10800.0,
            "bridged": True,
        }
    ]
    assert (one["measured"], one["estimated"], one["missing"]) == (0.083333, 0.125, 0.791667)
    assert answer["home"] == {"of": "energy_consumption", "measured": 0.083333, "estimated": 0.125, "missing": 0.791667}
    assert one["silent_since"] == "2024-05-10T15:00:00+00:00"
    empty = Home(home.api)
    answer = home.api.get(f"{empty.path}/data-quality", {"start": "2024-05-10", "end": "2024-05-11"}).json()
    assert (answer["channels"], answer["home"]) == ([], None)


def test_bad_questions_for_the_quality_of_data_are_refused(home: Home) -> None:
    path = f"{home.path}/data-quality"
    told = expect_error(home.api.get(path, {"start": "x", "end": "y", "timezone": "Mars"}), 400)
    assert {one["where"] for one in told["details"]} == {"start", "end", "timezone"}
    expect_error(home.api.get(path, {"start": "2020-01-01", "end": "2024-01-01"}), 400)
    expect_error(home.api.get(path, {"start": START, "end": END, "meter": "attic"}), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("records", {"measure": "energy_import", "start": START, "end": END}),
        ("goals", {}),
        ("goals/progress", {}),
        ("data-quality", {"start": START, "end": END}),
    ],
)
def test_of_a_household_that_is_not_there_nothing_is_told(api: Api, path: str, query: dict[str, str]) -> None:
    expect_error(api.get(f"/households/nobody/{path}", query), 404, "not_found")
