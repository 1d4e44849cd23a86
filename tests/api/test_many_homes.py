"""Statistics of many homes at once: each of them, or their sum."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from homes import END, START, Api, Home, channel, expect_error, new_id

ASKED = {"measures": "energy_import", "start": START, "end": END, "group_by": "hourly"}


def ask(api: Api, homes: list[Home], **more: Any) -> dict[str, Any]:
    query = {**ASKED, "households": ",".join(one.id for one in homes), **more}
    answer = api.get("/statistics", query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return told


@pytest.fixture
def street(each_api: Api) -> list[Home]:
    """Three homes: one that was read, one with another meter and half the time, one without readings."""
    homes = [Home(each_api) for _ in range(3)]
    homes[0].write()
    homes[1].write(at=channel()["at"][:5], value=[5.0, 5.25, 5.5, 5.75, 6.0], meter="cellar")
    return homes


@pytest.mark.parametrize("measures", ["energy_import", "energy_import,energy_consumption,voltage"])
def test_each_of_many_homes_is_told_what_it_is_told_alone(street: list[Home], measures: str) -> None:
    told = ask(street[0].api, street, measures=measures)
    assert [one["household"] for one in told["households"]] == [one.id for one in street]
    for home, one in zip(street, told["households"], strict=True):
        alone = home.ask(measures, "hourly")
        assert one["series"] == alone["series"]
        assert told["buckets"] == alone["buckets"]
        assert [told[name] for name in ("timezone", "group_by", "start", "end")] == ["UTC", "hourly", START, END]


def test_the_sum_is_of_what_is_known(street: list[Home]) -> None:
    told = ask(street[0].api, street, total="true")
    assert len(told["households"]) == 1
    series = told["households"][0]["series"][0]
    # 10 to 11: 0.4 of the first and 1.0 of the second; 11 to 12: 0.4 of the first alone
    assert series["values"] == [Decimal("1.4"), Decimal("0.4")]
    assert series["total"] == Decimal("1.8")
    assert [round(share, 4) for share in series["coverage"]] == [Decimal("0.6667"), Decimal("0.3333")]


def test_the_sum_of_homes_without_readings_is_unknown_and_not_zero(each_api: Api) -> None:
    told = ask(each_api, [Home(each_api), Home(each_api)], total="true")
    assert told["households"][0]["series"][0]["values"] == [None, None]
    assert told["households"][0]["series"][0]["total"] is None


@pytest.mark.parametrize("measures", ["voltage", "self_consumption_rate", "energy_import,voltage"])
def test_what_can_not_be_summed_is_refused(api: Api, measures: str) -> None:
    homes = [Home(api), Home(api)]
    query = {**ASKED, "measures": measures, "households": ",".join(one.id for one in homes), "total": "true"}
    told = expect_error(api.get("/statistics", query), 400, "bad_input")
    assert told["details"][0]["where"] == "measures"


def test_homes_are_told_in_the_order_in_which_they_were_asked_and_each_once(api: Api) -> None:
    homes = [Home(api) for _ in range(4)]
    asked = [homes[i] for i in (2, 0, 3, 0, 1, 2)]
    told = ask(api, asked)
    assert [one["household"] for one in told["households"]] == [homes[i].id for i in (2, 0, 3, 1)]


def test_a_home_named_twice_counts_once_in_the_sum(api: Api) -> None:
    home = Home(api)
    home.write()
    told = ask(api, [home, home], total="true")
    assert told["households"][0]["series"][0]["total"] == Decimal("0.8")


def test_a_meter_may_be_named(street: list[Home]) -> None:
    told = ask(street[0].api, street, meter="cellar", group_by="total")
    assert [one["series"][0]["total"] for one in told["households"]] == [None, 1, None]


def test_homes_of_several_zones_need_a_named_one(api: Api) -> None:
    homes = [Home(api, timezone=zone) for zone in ("Europe/Lisbon", "Europe/Madrid")]
    query = {**ASKED, "households": ",".join(one.id for one in homes)}
    told = expect_error(api.get("/statistics", query), 400, "bad_input")
    assert told["details"][0]["where"] == "timezone"
    assert ask(api, homes, timezone="Europe/Paris")["timezone"] == "Europe/Paris"
    assert ask(api, homes[:1])["timezone"] == "Europe/Lisbon"


def test_homes_of_several_billing_days_have_no_common_cycle(api: Api) -> None:
    homes = [Home(api, billing_day=day) for day in (1, 18)]
    query = {**ASKED, "households": ",".join(one.id for one in homes), "group_by": "billing"}
    told = expect_error(api.get("/statistics", query), 400, "bad_input")
    assert told["details"][0]["where"] == "group_by"
    told = ask(api, homes[1:], group_by="billing", start="2024-05-01", end="2024-06-01")
    assert [one["start"][:10] for one in told["buckets"]] == ["2024-05-01", "2024-05-18"]


def test_every_unknown_home_is_named(api: Api) -> None:
    known, strangers = Home(api), [new_id(), new_id()]
    query = {**ASKED, "households": ",".join([strangers[0], known.id, strangers[1]])}
    told = expect_error(api.get("/statistics", query), 404, "not_found")
    assert all(one in told["error"] for one in strangers)
    assert known.id not in told["error"]


def test_more_homes_than_the_limit_are_refused_with_the_limit(api: Api) -> None:
    query = {**ASKED, "households": ",".join(str(i) for i in range(1001))}
    told = expect_error(api.get("/statistics", query), 400, "bad_input")
    assert "1000" in told["details"][0]["why"]


def test_an_answer_of_very_many_values_is_refused_before_it_is_made(api: Api) -> None:
    homes = [Home(api) for _ in range(7)]
    measures = "energy_import,energy_export,voltage,current"
    query = {"measures": measures, "start": "2020-01-01", "end": "2025-01-01", "group_by": "15_mins"}
    assert api.get(homes[0].path + "/statistics", {**query, "format": "arrow"}).status_code == 200
    more = {**query, "households": ",".join(one.id for one in homes)}
    told = expect_error(api.get("/statistics", more), 400, "bad_input")
    assert told["details"][0]["where"] == "end"
    assert "4,000,000" in told["details"][0]["why"]


@pytest.mark.parametrize("households", ["", ",", " , ,"])
def test_no_home_is_no_question(api: Api, households: str) -> None:
    told = expect_error(api.get("/statistics", {**ASKED, "households": households}), 400, "bad_input")
    assert told["details"][0]["where"] == "households"


def test_a_home_sees_itself_alone(street: list[Home]) -> None:
    api, own = street[0].api, street[0]
    assert ask(api, [own]) == json.loads(
        api.get("/statistics", {**ASKED, "households": own.id}, token=own.token).text, parse_float=Decimal
    )
    for others in ([street[1]], street):
        query = {**ASKED, "households": ",".join(one.id for one in others), "total": "true"}
        expect_error(api.get("/statistics", query, token=own.token), 403, "forbidden")


def test_households_are_listed_by_pages_in_the_order_of_their_ids(each_api: Api) -> None:
    made = sorted(Home(each_api).id for _ in range(5))
    found, after = [], None
    while True:
        page = each_api.get("/households", {"limit": 2, **({} if after is None else {"after": after})}).json()
        assert len(page["households"]) <= 2
        found += [one["id"] for one in page["households"]]
        after = page["next"]
        if after is None:
            break
    assert found == sorted(found)
    assert len(found) == len(set(found))
    assert set(made) <= set(found)
