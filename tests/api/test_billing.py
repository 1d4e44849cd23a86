"""Billing cycles: a day of the month, or listed dates."""

from __future__ import annotations

from homes import Api, Home, expect_error


def buckets(home: Home, start: str, end: str) -> list[str]:
    answer = home.ask("energy_import", "billing", start, end)
    return [one["start"][:10] for one in answer["buckets"]] + [answer["buckets"][-1]["end"][:10]]


def test_a_cycle_begins_on_its_day_or_on_the_last_of_a_shorter_month(api: Api) -> None:
    home = Home(api, billing_day=31)
    assert buckets(home, "2024-01-31", "2024-05-31") == [
        "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31",
    ]  # fmt: skip


def test_listed_dates_win_over_the_day(api: Api) -> None:
    home = Home(api, billing_day=5, billing_dates=["2024-03-05", "2024-01-04", "2024-02-06"])
    assert buckets(home, "2024-01-01", "2024-04-01") == [
        "2024-01-01", "2024-01-04", "2024-02-06", "2024-03-05", "2024-04-01",
    ]  # fmt: skip
    assert api.get(home.path).json()["billing_dates"] == ["2024-03-05", "2024-01-04", "2024-02-06"]


def test_what_is_no_date_is_refused_by_its_place(api: Api) -> None:
    home = Home(api)
    answer = api.call("PATCH", home.path, json={"billing_dates": ["2024-01-04", "2024-02-30", "4.1.2024", 7]})
    places = [one["where"] for one in expect_error(answer, 400, "bad_input")["details"]]
    assert places == ["billing_dates.1", "billing_dates.2", "billing_dates.3"]
    assert "billing_dates" not in api.get(home.path).json()
