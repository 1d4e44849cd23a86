"""Whatever is wrong with a query is told at once, and what can stand once may stand once."""

from __future__ import annotations

from typing import Any

import pytest
from homes import BASE, WRITE, Api, Home, expect_error
from test_who_may_call import ROUTES, named

WRONG_PERIOD = {"start_date": "x", "end_date": "y", "group_by": "zz", "timezone": "Mars"}
WRONG_QUESTION = {
    "measures": "bogus",
    "end": "y",
    "group_by": "zz",
    "timezone": "M",
    "meter": "m" * 65,
    "week_start": "someday",
    "format": "xml",
    "foo": "1",
}
#: A query, and all that is wrong with it: what is wrong alone, what is missing, what is not known.
WRONG: dict[str, tuple[dict[str, str], set[str]]] = {
    "GET /households/{household}/statistics": (WRONG_QUESTION, {*WRONG_QUESTION, "start"}),
    "GET /statistics": (
        {**WRONG_QUESTION, "households": ",", "total": "x"},
        {*WRONG_QUESTION, "start", "households", "total"},
    ),
    "GET /households/{household}/meters/grid/readings": (
        {"verdict": "foo", "start": "x", "end": "y", "quantity": "zz", "limit": "0", "revisions": "r", "foo": "1"},
        {"verdict", "start", "end", "quantity", "limit", "revisions", "foo"},
    ),
    "GET /tariffs": ({"after": "x" * 65, "limit": "0", "foo": "1"}, {"after", "limit", "foo"}),
    "GET /tariffs/tests-tariff": ({"as_of": "x", "foo": "1"}, {"as_of", "foo"}),
    "GET /households/{household}/contracts": ({"as_of": "x", "foo": "1"}, {"as_of", "foo"}),
    "GET /series": ({"after": "x" * 65, "limit": "0", "foo": "1"}, {"after", "limit", "foo"}),
    "GET /series/tests-series": (
        {"start": "x", "end": "y", "limit": "0", "as_of": "z", "foo": "1"},
        {"start", "end", "limit", "as_of", "foo"},
    ),
    "PUT /series/tests-series": ({"colour": "red"}, {"colour"}),
    "GET /households": ({"after": "x" * 65, "limit": "0", "foo": "1"}, {"after", "limit", "foo"}),
    "GET /energy-consumption": (WRONG_PERIOD, {*WRONG_PERIOD, "user_ids"}),
    "GET /power-consumed-real": ({**WRONG_PERIOD, "user_id": ""}, {*WRONG_PERIOD, "user_id"}),
    "GET /energy-consumed-forecast-vs-real": (WRONG_PERIOD, {*WRONG_PERIOD, "user_ids"}),
    "POST /trigger-computed-forecast-producer": ({"forecast_day": "x"}, {"forecast_day", "user_id"}),
    "POST /mock-consumption-curve-producer": (
        {"start_date": "xx", "delivery_time": "14"},
        {"start_date", "delivery_time", "user_id"},
    ),
    "POST /users-get-real-data-producer": (
        {"user_id": "", "start_datetime": "x", "end_datetime": "y"},
        {"user_id", "start_datetime", "end_datetime"},
    ),
}


@pytest.fixture(scope="module")
def kept(api: Api) -> Home:
    """A household with a meter, which is not changed here."""
    one = Home(api)
    one.write()
    return one


def places(told: dict[str, Any]) -> list[str]:
    return [one["where"] for one in told["details"]]


@pytest.mark.parametrize("name", WRONG)
def test_all_faults_of_a_query_are_told_at_once(api: Api, kept: Home, name: str) -> None:
    wrong, where = WRONG[name]
    method, path = name.format(household=kept.id).split(" ")
    told = expect_error(api.call(method, path, params=wrong), 400, "bad_input")
    assert sorted(places(told)) == sorted(where)


def test_an_end_before_the_start_is_told_beside_other_faults(api: Api, kept: Home) -> None:
    times = {"start": "2024-05-11", "end": "2024-05-10", "group_by": "zz", "foo": "1"}
    told = expect_error(api.get(f"{kept.path}/statistics", {"measures": "energy_import", **times}), 400)
    assert places(told) == ["end", "group_by", "foo"]
    told = expect_error(api.get(f"{kept.path}/meters/grid/readings", {**times, "group_by": ""}), 400)
    assert places(told) == ["end", "group_by", "foo"]
    period = {"start_date": "2024-05-11", "end_date": "2024-05-10", "group_by": "zz"}
    told = expect_error(api.get("/voltage", {"user_ids": kept.id, **period}), 400)
    assert places(told) == ["end_date", "group_by"]
    told = expect_error(api.get("/voltage", {"user_ids": kept.id, "start_date": "2199-01-01", "group_by": "zz"}), 400)
    assert places(told) == ["end_date", "group_by"], "without an end it is now, which lies before the start"


@pytest.mark.parametrize(
    ("zone", "start", "end", "status"),
    [
        ("Asia/Tokyo", "2024-05-10", "2024-05-09T23:00:00Z", 200),
        ("Asia/Tokyo", "2024-05-10", "2024-05-09T15:00:00Z", 400),
        ("America/Lima", "2024-05-10T02:00:00Z", "2024-05-10", 200),
        ("UTC", "2024-05-10", "2024-05-09T23:00:00Z", 400),
    ],
)
def test_the_order_of_a_date_and_an_instant_is_that_of_the_homes_zone(
    api: Api, zone: str, start: str, end: str, status: int
) -> None:
    answer = Home(api, timezone=zone).ask_raw("energy_import", "hourly", start, end)
    assert answer.status_code == status, answer.text


def test_all_unknown_measures_are_told_beside_other_faults(api: Api, kept: Home) -> None:
    query = [("measures", "warmth,energy_import"), ("measures", "joy"), ("start", "x"), ("end", "2024-05-10")]
    told = expect_error(api.get(f"{kept.path}/statistics", query), 400)
    assert places(told) == ["measures", "measures", "start"]
    assert [one["why"].split(" ")[0] for one in told["details"][:2]] == ["'warmth'", "'joy'"]
    assert "there are energy_import" in told["details"][0]["why"]


ASKED = [("start", "2024-05-10"), ("end", "2024-05-11"), ("group_by", "daily")]


def test_measures_and_homes_are_named_by_commas_or_by_repetition(api: Api, kept: Home) -> None:
    other = Home(api)
    measures = ["energy_import", "energy_export", "energy_production"]
    ways = [[",".join(measures)], measures, [",".join(measures[:2]), measures[2]]]
    told = [api.get(f"{kept.path}/statistics", [*(("measures", one) for one in way), *ASKED]) for way in ways]
    assert [one["measure"] for one in told[0].json()["series"]] == measures
    assert [one.content for one in told] == [told[0].content] * 3
    ways = [[f"{kept.id},{other.id}"], [kept.id, other.id]]
    told = [
        api.get("/statistics", [*(("households", one) for one in way), ("measures", "energy_import"), *ASKED])
        for way in ways
    ]
    assert [one["household"] for one in told[0].json()["households"]] == [kept.id, other.id]
    assert told[0].content == told[1].content


#: What may stand several times.
LISTS = {"measures", "households", "user_ids"}
MORE = {
    "GET /households/{household}/statistics": {
        "timezone": "UTC",
        "meter": "grid",
        "week_start": "monday",
        "format": "csv",
    },
    "GET /statistics": {
        "timezone": "UTC",
        "week_start": "monday",
        "format": "csv",
        "total": "true",
        "group_by": "daily",
    },
    "GET /households/{household}/meters/{meter}/readings": {
        "quantity": "energy_import",
        "start": "2024-05-10",
        "end": "2024-05-11",
        "verdict": "glitch",
        "limit": "5",
        "revisions": "true",
    },
    "GET /households": {"after": "a", "limit": "5"},
    "GET /households/{household}/forecast": {"timezone": "UTC", "as_of": "2024-05-09", "source": "mock"},
    "GET /households/{household}/forecast-accuracy": {"as_of": "2024-05-09", "source": "mock"},
    "GET /energy-consumed-forecast-vs-real": {"as_of": "2024-05-09"},
    "POST /users-get-real-data-producer": {"end_datetime": "2024-05-11"},
    "GET /ecosignal-forecast": {"zone": "PT", "timezone": "UTC"},
    "GET /carbon-intensity": {"kind": "measured", "basis": "average", "source": "uploaded", "as_of": "2024-05-11"},
    "GET /energy-consumption": {"timezone": "UTC"},
    "GET /tariffs": {"after": "a", "limit": "9"},
    "GET /tariffs/{tariff}": {"as_of": "2024-05-11"},
    "GET /households/{household}/contracts": {"as_of": "2024-05-11"},
    "GET /series": {"after": "a", "limit": "9"},
    "GET /series/{series}": {"start": "2024-05-10", "end": "2024-05-11", "limit": "9", "as_of": "2024-05-11"},
    "PUT /series/{series}": {"unit": "1", "interval": "PT1H", "title": "x", "source": "y", "market_time_zone": "CET"},
}
SINGLE = [
    (name, one)
    for name, route in ROUTES.items()
    for one in {**(route.query or {}), **MORE.get(name.replace(BASE, ""), {})}
    if one not in LISTS
]


@pytest.mark.parametrize(("name", "repeated"), SINGLE)
def test_a_value_that_can_stand_once_is_refused_where_it_stands_twice(
    api: Api, kept: Home, name: str, repeated: str
) -> None:
    method, path = name.replace(BASE, "").format_map(named(kept.id)).split(" ")
    good = {**(ROUTES[name].query or {}), **MORE.get(name.replace(BASE, ""), {})}
    pairs = [(one, text.replace("{household}", kept.id)) for one, text in good.items()]
    again = next(pair for pair in pairs if pair[0] == repeated)
    told = expect_error(api.call(method, path, params=[*pairs, again]), 400, "bad_input")
    assert places(told) == [repeated]
    assert "2 times" in told["details"][0]["why"]


def test_a_repeated_value_is_told_beside_other_faults(api: Api, kept: Home) -> None:
    pairs = [("measures", "joy"), ("start", "2024-05-10"), ("start", "2024-05-10"), ("end", "y"), ("foo", "1")]
    told = expect_error(api.get(f"{kept.path}/statistics", pairs), 400)
    assert places(told) == ["measures", "start", "end", "foo"]


def test_a_precision_that_stands_twice_refuses_the_lines(api: Api, kept: Home) -> None:
    line = f"energy,household={kept.id} energyImported=1 1715335200"
    answer = api.call("POST", WRITE, content=line, params=[("precision", "s"), ("precision", "ns")])
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("precision: this stands 2 times")


def test_a_stranger_is_told_of_the_missing_token_alone(api: Api, kept: Home) -> None:
    for path in (f"{kept.path}/statistics", "/statistics", "/voltage", "/households"):
        expect_error(api.get(path, {"limit": "x"}, token=None), 401, "not_authenticated")
