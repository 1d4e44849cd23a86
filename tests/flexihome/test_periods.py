"""start_date, end_date, group_by, timezone: how FlexiHome's parts write them, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hems import BESIDE, GROUPINGS, HISTORIC, REAL, UNITS, Hems, values
from hub import DAY, at, buckets, check, family, iso

PATHS = (*HISTORIC, REAL, BESIDE)
ALLOWED = ", ".join(GROUPINGS)


def whose(path: str, user: str) -> dict[str, str]:
    return {"user_id" if path == REAL else "user_ids": user}


#: The same six hours, as clients in several languages write them.
FORMS = {
    "Z": ("2024-03-20T18:00:00Z", "2024-03-20T23:59:59Z"),
    "milliseconds and Z, as JavaScript's toISOString": ("2024-03-20T18:00:00.000Z", "2024-03-20T23:59:59.000Z"),
    "no offset, as Python's isoformat of a naive time": ("2024-03-20T18:00:00", "2024-03-20T23:59:59"),
    "an offset of nothing": ("2024-03-20T18:00:00+00:00", "2024-03-20T23:59:59+00:00"),
    "an offset east": ("2024-03-20T20:00:00+02:00", "2024-03-21T01:59:59+02:00"),
    "an offset west": ("2024-03-20T13:00:00-05:00", "2024-03-20T18:59:59-05:00"),
    "an offset without a colon, as strftime's %z": ("2024-03-20T19:00:00+0100", "2024-03-21T00:59:59+0100"),
    "microseconds": ("2024-03-20T18:00:00.000000+00:00", "2024-03-20T23:59:59.000000+00:00"),
    "a blank in place of T, as str of a Python time": ("2024-03-20 18:00:00+00:00", "2024-03-20 23:59:59+00:00"),
    "one with, one without an offset": ("2024-03-20T18:00:00", "2024-03-21T00:59:59+01:00"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", PATHS)
def test_a_date_time_may_be_written_in_many_ways(hems: Hems, path: str, form: str) -> None:
    home, (start, end) = family(hems), FORMS[form]
    query = {**whose(path, home.id), "group_by": "hourly"}
    told = home.app.get(path, {**query, "start_date": start, "end_date": end})
    first, last = FORMS["Z"]
    assert told == home.app.get(path, {**query, "start_date": first, "end_date": last})
    items = told[0].get("metrics", told[0].get("real"))
    assert [one["timestamp"] for one in items] == [f"2024-03-20T{hour}:00:00Z" for hour in range(18, 24)]


@pytest.mark.parametrize("path", PATHS)
def test_a_date_is_its_midnight_of_utc(hems: Hems, path: str) -> None:
    home = family(hems)
    query = {**whose(path, home.id), "group_by": "hourly"}
    told = home.app.get(path, {**query, "start_date": "2024-03-20", "end_date": "2024-03-21"})
    whole = {"start_date": "2024-03-20T00:00:00Z", "end_date": "2024-03-21T00:00:00Z"}
    assert told == home.app.get(path, {**query, **whole})


@pytest.mark.parametrize("path", PATHS)
def test_a_time_without_an_offset_is_of_utc_in_a_named_zone_too(hems: Hems, path: str) -> None:
    home = family(hems)
    query = {**whose(path, home.id), "timezone": "Asia/Kolkata"}
    bare = home.app.get(path, {**query, "start_date": "2024-03-20T00:00:00", "end_date": "2024-03-21T12:00:00"})
    assert bare == home.app.get(
        path, {**query, "start_date": "2024-03-20T00:00:00Z", "end_date": "2024-03-21T12:00:00Z"}
    )


@pytest.mark.parametrize("group_by", GROUPINGS)
@pytest.mark.parametrize("path", PATHS)
def test_an_end_at_the_very_start_is_one_bucket(hems: Hems, path: str, group_by: str) -> None:
    home, moment = family(hems), "2024-03-20T10:07:00Z"
    query = {**whose(path, home.id), "start_date": moment, "end_date": moment, "group_by": group_by}
    (told,) = home.app.get(path, query)
    assert len(told.get("metrics", told.get("real", []))) <= 1


BAD: dict[str, tuple[dict[str, str], str]] = {
    "an unknown grouping": ({"group_by": "fortnightly"}, ALLOWED),
    "a grouping of ours": ({"group_by": "billing"}, ALLOWED),
    "a grouping in capitals": ({"group_by": "DAILY"}, ALLOWED),
    "an empty grouping": ({"group_by": ""}, ALLOWED),
    "an end before the start": ({"end_date": "2024-03-19T23:59:59Z"}, "before start_date"),
    "an end a second before the start": ({"start_date": "2024-03-21T00:00:01Z"}, "before start_date"),
    "an end before the start by its offset": ({"end_date": "2024-03-20T01:00:00+02:00"}, "before start_date"),
    "an unknown zone": ({"timezone": "Europe/Atlantis"}, "timezone"),
    "an offset for a zone": ({"timezone": "+01:00"}, "timezone"),
    "a start of a word": ({"start_date": "yesterday"}, "start_date"),
    "an empty start": ({"start_date": ""}, "start_date"),
    "an end of a word": ({"end_date": "tomorrow"}, "end_date"),
    "epoch seconds": ({"start_date": "1710892800"}, "start_date"),
    "a day that is not": ({"start_date": "2024-02-30T00:00:00Z"}, "start_date"),
    "the year 9999": ({"end_date": "9999-01-01"}, "2200"),
    "a century of quarter-hours": (
        {"start_date": "1990-01-01", "end_date": "2090-01-01", "group_by": "15_mins"},
        "200000",
    ),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("path", PATHS)
def test_a_period_that_can_not_be_is_refused_with_what_would_be_right(hems: Hems, path: str, what: str) -> None:
    home, (wrong, right) = family(hems), BAD[what]
    query = {**whose(path, home.id), "start_date": "2024-03-20", "end_date": "2024-03-21", **wrong}
    assert right in home.app.refused(400, path, query)


@pytest.mark.parametrize("path", PATHS)
def test_a_start_in_the_future_without_an_end_is_refused(hems: Hems, path: str) -> None:
    home = family(hems)
    assert "end_date" in home.app.refused(400, path, {**whose(path, home.id), "start_date": "2190-01-01"})


@pytest.mark.parametrize("path", PATHS)
def test_a_question_without_a_start_is_refused(hems: Hems, path: str) -> None:
    home = family(hems)
    assert "start_date" in home.app.refused(400, path, whose(path, home.id))


@pytest.mark.parametrize("path", PATHS)
def test_a_plus_that_was_lost_in_the_address_is_told(hems: Hems, path: str) -> None:
    home = family(hems)
    query = {**whose(path, home.id), "start_date": "2024-03-20T00:00:00 02:00"}
    assert "%2B" in home.app.refused(400, path, query)


@pytest.mark.parametrize("path", PATHS)
def test_all_faults_of_a_question_are_told_at_once(hems: Hems, path: str) -> None:
    wrong = {"start_date": "a", "end_date": "b", "group_by": "c", "timezone": "d"}
    answer = family(hems).app.call("GET", path, {**whose(path, family(hems).id), **wrong})
    assert answer.status_code == 400
    assert {one["where"] for one in answer.json()["details"]} == set(wrong)


@pytest.mark.parametrize("path", HISTORIC)
def test_many_users_over_very_many_buckets_are_refused_and_not_worked_out(hems: Hems, path: str) -> None:
    ids = [family(hems).id, *(f"u{i}" for i in range(19))]
    query = {"user_ids": ",".join(ids), "start_date": "2019-01-01", "end_date": "2024-01-01", "group_by": "15_mins"}
    assert "1000000 values" in hems.manager.refused(400, path, query)


@pytest.mark.parametrize("path", HISTORIC)
def test_the_bucket_of_the_end_holds_only_time_up_to_it(hems: Hems, path: str) -> None:
    home, start = family(hems), at("2024-03-20")
    query = {**whose(path, home.id), "start_date": iso(start), "group_by": "daily"}
    half = home.app.metrics(path, {**query, "end_date": iso(start + DAY / 3)})
    whole = home.app.metrics(path, {**query, "end_date": iso(start + DAY - timedelta(seconds=1))})
    assert [one["timestamp"] for one in half] == [one["timestamp"] for one in whole] == [iso(start)]
    assert half[0]["value"] != whole[0]["value"]
    check(values(half), home.telemetry.expected(path, buckets("daily", start, start + DAY / 3)), UNITS[path])
