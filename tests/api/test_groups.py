"""Groups over the API: who is told what, faults, forms, and what is left of a home that is erased."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import httpx
import pytest
from homes import Api, Home, expect_error, new_id

DAY = {"start": "2024-05-10", "end": "2024-05-11"}
SUMS = {"measures": "energy_import", "group_by": "daily", **DAY}


def written(api: Api, kwh: float) -> Home:
    """A home of which a whole day is known."""
    home = Home(api)
    at = [f"2024-05-10T{hour:02}:00:00Z" for hour in range(24)] + ["2024-05-11T00:00:00Z"]
    value = [100 + kwh * i / 24 for i in range(25)]
    answer = home.post({"meter": "grid", "quantity": "energy_import", "unit": "kWh", "at": at, "value": value})
    assert answer.status_code == 200, answer.text
    return home


class Group:
    """A group of homes of its own."""

    def __init__(self, api: Api, homes: list[Home], **more: Any) -> None:
        self.api, self.homes, self.id = api, homes, new_id()
        answer = self.put(**more)
        assert answer.status_code == 201, answer.text

    def put(self, **more: Any) -> httpx.Response:
        members = [{"household": one.id} for one in self.homes]
        return self.api.call("PUT", f"/groups/{self.id}", json={"title": "Homes", "members": members, **more})

    def share(self, *homes: Home, shares: bool = True) -> None:
        for one in homes:
            path = f"{one.path}/groups/{self.id}"
            answer = self.api.call("PUT", path, json={"shares": shares}, token=one.token)
            assert answer.status_code == 200, answer.text

    def ask(self, home: Home | None = None, **more: str) -> httpx.Response:
        token = "service" if home is None else home.token
        return self.api.get(f"/groups/{self.id}/statistics", {**SUMS, **more}, token=token)


@pytest.fixture(scope="module")
def ten(api: Api) -> Group:
    """Ten homes that share; no test changes them."""
    group = Group(api, [written(api, 5 + i / 4) for i in range(10)])
    group.share(*group.homes)
    return group


def test_the_service_and_a_home_that_shares_are_told_the_sum(ten: Group) -> None:
    for who in (None, ten.homes[3]):
        told = json.loads(ten.ask(who).text, parse_float=Decimal)
        assert told["group"] == ten.id
        assert told["series"][0]["values"] == [Decimal("61.25")]
        assert told["series"][0]["total"] == Decimal("61.25")
        assert told.get("homes") == (None if who is None else [10])


def test_the_sum_is_told_in_every_form(ten: Group) -> None:
    for form in ("csv", "ndjson", "arrow", "parquet"):
        for who in (None, ten.homes[0]):
            answer = ten.ask(who, format=form)
            assert answer.status_code == 200
            if form == "csv":
                assert answer.text.splitlines()[1].split(",")[2] == "61.25"


def test_a_group_stands_for_its_households_in_statistics_of_many(api: Api, ten: Group) -> None:
    for name in ("group", "community"):
        query = {**SUMS, name: ten.id}
        each = api.get("/statistics", query).json()["households"]
        assert sorted(one["household"] for one in each) == sorted(one.id for one in ten.homes)
        whole = api.get("/statistics", {**query, "total": "true"}).json()["households"]
        assert [one["household"] for one in whole] == [ten.id]
        assert whole[0]["series"][0]["total"] == 61.25
        expect_error(api.get("/statistics", query, token=ten.homes[0].token), 403, "forbidden")
        expect_error(api.get("/statistics", {**SUMS, name: "nowhere"}), 404, "not_found")
    refused = expect_error(api.get("/statistics", {**SUMS, "group": ten.id, "households": "x"}), 400)
    assert [one["where"] for one in refused["details"]] == ["households"]
    refused = expect_error(api.get("/statistics", {**SUMS, "measures": "x"}), 400)
    assert [one["where"] for one in refused["details"]] == ["measures", "households"]


def test_a_stranger_is_not_told_whether_there_is_a_group_or_a_household(api: Api, ten: Group) -> None:
    stranger = Home(api)
    there, nowhere = (
        [
            api.get(f"/groups/{group}/statistics", SUMS, token=stranger.token),
            api.get(f"/groups/{group}", token=stranger.token),
            api.call("DELETE", f"/groups/{group}", token=stranger.token),
            api.get(f"/households/{household}/groups", token=stranger.token),
            api.call("PUT", f"/households/{household}/groups/{group}", json={"shares": True}, token=stranger.token),
            api.get(
                f"/households/{stranger.id}/comparison",
                {"group": group, "measure": "energy_import", "start": "2024-05-01", "end": "2024-06-01"},
                token=stranger.token,
            ),
        ]
        for group, household in ((ten.id, ten.homes[0].id), (new_id(), new_id()))
    )
    for one, other in zip(there, nowhere, strict=True):
        told, untold = expect_error(one, 403), expect_error(other, 403)
        assert {**told, "correlation_id": ""} == {**untold, "correlation_id": ""}


def test_what_a_home_is_told_names_no_other_home(ten: Group) -> None:
    asker = ten.homes[0]
    api = ten.api
    texts = [
        ten.ask(asker).text,
        api.get(f"{asker.path}/groups", token=asker.token).text,
        api.get(
            f"{asker.path}/comparison",
            {"group": ten.id, "measure": "energy_import", "start": "2024-05-01", "end": "2024-06-01"},
            token=asker.token,
        ).text,
        ten.ask(asker, group_by="hourly").text,
    ]
    for text in texts:
        assert not [one.id for one in ten.homes[1:] if one.id in text]


def test_nine_that_share_are_told_of_nothing(api: Api) -> None:
    group = Group(api, [written(api, 5) for _ in range(10)])
    group.share(*group.homes[:9])
    told = group.ask(group.homes[0]).json()
    assert told["series"][0]["values"] == [None]
    assert told["homes"] == [None]
    assert "10 homes" in told["series"][0]["lacks"][0]["why"]
    expect_error(group.ask(group.homes[9]), 403, "forbidden")
    assert group.ask().json()["series"][0]["total"] == 50.0


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"group_by": "15_mins"}, "group_by"),
        ({"start": "2024-05-10T00:15:00Z"}, "start"),
        ({"as_of": "2024-06-01"}, "as_of"),
        ({"meter": "grid"}, "meter"),
        ({"timezone": "Asia/Tokyo"}, "timezone"),
    ],
)
def test_homes_are_refused_what_would_tell_one_from_the_others(ten: Group, more: dict[str, str], where: str) -> None:
    refused = expect_error(ten.ask(ten.homes[0], **more), 400, "bad_input")
    assert [one["where"] for one in refused["details"]] == [where]


def test_a_device_is_told_what_its_home_is_and_can_not_share(ten: Group) -> None:
    home = ten.homes[1]
    token = home.device()["token"]
    assert ten.api.get(f"/groups/{ten.id}/statistics", SUMS, token=token).status_code == 200
    refused = ten.api.call("PUT", f"{home.path}/groups/{ten.id}", json={"shares": False}, token=token)
    expect_error(refused, 403, "forbidden")


BAD: list[tuple[dict[str, Any], set[str]]] = [
    ({"title": "", "kind": "street", "members": "x"}, {"title", "kind", "members"}),
    ({"title": "a", "timezone": "Mars", "members": [], "colour": 1}, {"timezone", "colour"}),
    (
        {"title": "a", "members": [{"household": "h"}, {"household": "h", "from": "2024-02-01", "to": "2024-01-01"}]},
        {"members[1].household", "members[1].to"},
    ),
    ({"title": "a", "members": [{"household": "h", "from": "2024-02-30"}]}, {"members[0].from"}),
    (
        {"title": "a", "members": [{"household": "h"}],
         "sharing": {"sources": [{"household": "x", "measure": "energy_export"}], "rule": "proportional",
                     "coefficients": {"h": 0.5}}},
        {"sharing", "sharing.sources[0].household", "sharing.coefficients"},
    ),
    (
        {"title": "a", "kind": "community", "members": [{"household": "h"}, {"household": "i"}],
         "sharing": {"sources": [{"household": "h", "measure": "energy_export"}], "rule": "fixed",
                     "coefficients": {"h": 0.6, "i": [{"share": 0.3}, {"from": "2026-01-01", "share": 0.41}]}}},
        {"sharing.coefficients"},
    ),
    (
        {"title": "a", "kind": "community", "members": [{"household": "h"}],
         "sharing": {"sources": [{"household": "h", "measure": "energy_import"}], "rule": "fixed",
                     "coefficients": {"h": 1.5}}},
        {"sharing.sources[0].measure", "sharing.coefficients.h[0].share"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "where"), BAD)
def test_all_faults_of_a_group_are_told_at_once(api: Api, body: dict[str, Any], where: set[str]) -> None:
    refused = expect_error(api.call("PUT", f"/groups/{new_id()}", json=body), 400, "bad_input")
    assert {one["where"] for one in refused["details"]} == where, refused


def test_households_that_are_not_there_are_named(api: Api) -> None:
    missing = new_id()
    refused = api.call("PUT", f"/groups/{new_id()}", json={"title": "a", "members": [{"household": missing}]})
    assert missing in expect_error(refused, 404, "not_found")["error"]


def test_coefficients_of_members_that_follow_each_other_may_be_the_same(api: Api) -> None:
    one, other = Home(api), Home(api)
    body = {
        "title": "Roof",
        "kind": "community",
        "members": [{"household": one.id, "to": "2025-01-01"}, {"household": other.id, "from": "2025-01-01"}],
        "sharing": {
            "sources": [{"household": one.id, "measure": "energy_production"}],
            "rule": "fixed",
            "coefficients": {one.id: 0.7, other.id: 0.7},
        },
    }
    name = new_id()
    answer = api.call("PUT", f"/groups/{name}", json=body)
    assert answer.status_code == 201, answer.text
    known = api.get(f"/groups/{name}").json()
    assert known == answer.json()
    assert {**known, "members": sorted(known["members"], key=str)} == {
        "id": name, "timezone": "UTC", **body, "members": sorted(body["members"], key=str),
    }  # fmt: skip
    again = {key: value for key, value in known.items() if key != "id"}
    assert api.call("PUT", f"/groups/{name}", json=again).json() == known
    shares = {"title": "b", "kind": "community", "members": [{"household": other.id}], "sharing": {
        "sources": [{"household": other.id, "measure": "energy_export"}], "rule": "proportional"}}  # fmt: skip
    refused = expect_error(api.call("PUT", f"/groups/{new_id()}", json=shares), 400)
    assert [one["where"] for one in refused["details"]] == ["members[0].household"]


def test_groups_are_listed_in_pages(api: Api) -> None:
    names = sorted(Group(api, []).id for _ in range(3))
    found, after = [], None
    while True:
        told = api.get("/groups", {"limit": 2, **({"after": after} if after else {})}).json()
        found += [one["id"] for one in told["groups"]]
        after = told["next"]
        if after is None:
            break
    assert [one for one in found if one in names] == names
    assert found == sorted(found)


def test_an_erased_home_leaves_nothing_behind_and_an_export_has_its_memberships(each_api: Api) -> None:
    gone, stays = written(each_api, 4), written(each_api, 6)
    sharing = {"sources": [{"household": gone.id, "measure": "energy_export"}], "rule": "fixed",
               "coefficients": {gone.id: 0.5, stays.id: 0.5}}  # fmt: skip
    group = Group(each_api, [gone, stays], kind="community", sharing=sharing)
    group.share(gone)
    file = zipfile.ZipFile(io.BytesIO(each_api.get(f"{gone.path}/export").content))
    told = json.loads(file.read("groups.json"))
    assert [(one["group"], one["shares"]) for one in told] == [(group.id, True)]
    assert stays.id not in file.read("groups.json").decode()
    assert group.ask().json()["series"][0]["total"] == 10.0
    assert each_api.call("DELETE", gone.path).status_code == 204
    known = each_api.get(f"/groups/{group.id}")
    assert gone.id not in known.text
    assert known.json()["members"] == [{"household": stays.id}]
    assert group.ask().json()["series"][0]["total"] == 6.0
    assert each_api.call("DELETE", f"/groups/{group.id}").status_code == 204
    expect_error(each_api.get(f"/groups/{group.id}"), 404, "not_found")
    assert each_api.get(f"{stays.path}/groups").json()["groups"] == []


def test_the_next_question_sees_a_write_and_a_correction(each_api: Api) -> None:
    homes = [written(each_api, 5), written(each_api, 6)]
    group = Group(each_api, homes)
    assert group.ask().json()["series"][0]["total"] == 11.0
    homes[0].post({"meter": "second", "quantity": "energy_import", "unit": "kWh",
                   "at": ["2024-05-10T10:00:00Z", "2024-05-10T11:00:00Z"], "value": [7, 7.5]})  # fmt: skip
    assert group.ask().json()["series"][0]["total"] == 11.5
    assert group.ask().json()["series"][0]["total"] == 11.5
    homes[0].post({"meter": "second", "quantity": "energy_import", "unit": "kWh",
                   "at": ["2024-05-10T11:00:00Z"], "value": [7.75]})  # fmt: skip
    assert group.ask().json()["series"][0]["total"] == 11.75


def test_measures_that_do_not_add_up_and_fine_points_are_refused_to_the_service_too(ten: Group) -> None:
    refused = expect_error(ten.ask(measures="voltage,peak_demand", start="2024-05-10T00:01:00Z"), 400)
    assert {one["where"] for one in refused["details"]} == {"measures", "start"}
    answer = ten.ask(measures="power_import,energy_shared_allocated")
    assert [one["total"] for one in answer.json()["series"]] == [None, None]
