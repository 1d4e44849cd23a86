"""The event producers: what the energy manager posts, the event in the outbox, and what its handler does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hems import BASE, BESIDE, REAL, Hems, Household, new_id, values
from hub import DAY, HubHome, Telemetry, at, family, silent
from outbox import COLUMNS, columns_of, rows_of
from upstream_server import wait_until

FORECAST, CURVE, TELEMETRY = (
    "trigger-computed-forecast-producer",
    "mock-consumption-curve-producer",
    "users-get-real-data-producer",
)
GOOD: dict[str, dict[str, str]] = {
    FORECAST: {"forecast_day": "2024-03-20"},
    CURVE: {"start_date": "2024-03-20T00:00:00Z", "delivery_time": "60"},
    TELEMETRY: {"start_datetime": "2024-03-20T00:00:00Z", "end_datetime": "2024-03-20T12:00:00Z"},
}
EVENT = {
    FORECAST: "ForecastComputedEvent",
    CURVE: "ComputeMockConsumptionCurveEvent",
    TELEMETRY: "GetUserRealDataEvent",
}
#: What an event tells beside the household and the correlation id.
TOLD: dict[str, dict[str, Any]] = {
    FORECAST: {"forecast_date": "2024-03-20"},
    CURVE: {"start_date": "2024-03-20T00:00:00Z", "delivery_time": 60, "contracted_power": 3.45},
    TELEMETRY: {"start_date": "2024-03-20T00:00:00Z", "end_date": "2024-03-20T12:00:00Z"},
}


@pytest.mark.parametrize("path", GOOD)
def test_an_event_that_the_manager_asks_for_is_in_the_outbox_when_it_is_answered(hems: Hems, path: str) -> None:
    home = Household(hems, contracted_power_kva=3.45)
    before = datetime.now(UTC)
    told = hems.manager.post(path, {"user_id": home.id, **GOOD[path]})
    (row,) = rows_of(hems, home.id)
    assert told == {"event_id": str(row["id"]), "event_type": EVENT[path]}
    assert (row["aggregatetype"], row["aggregateid"], row["type"]) == ("statistics", home.id, EVENT[path])
    assert before - timedelta(seconds=1) <= row["timestamp"] <= datetime.now(UTC)
    payload = row["payload"]
    assert payload.pop("correlation_id") == hems.manager.sent_correlation_id
    assert payload == {"user_id": home.id, **TOLD[path]}


@pytest.mark.parametrize("path", GOOD)
def test_each_post_is_an_event_of_its_own(hems: Hems, path: str) -> None:
    home = Household(hems)
    told = [hems.manager.post(path, {"user_id": home.id, **GOOD[path]}) for _ in range(3)]
    assert [str(row["id"]) for row in rows_of(hems, home.id)] == [one["event_id"] for one in told]
    assert len({one["event_id"] for one in told}) == 3


def test_the_outbox_has_the_columns_that_debeziums_event_router_reads_and_two_of_ours(hems: Hems) -> None:
    home = Household(hems)
    hems.manager.post(FORECAST, {"user_id": home.id, **GOOD[FORECAST]})
    (row,) = rows_of(hems, home.id)
    assert isinstance(row["id"], uuid.UUID)
    types = columns_of(hems)
    assert set(types) == {*COLUMNS, "sequence", "told_us"}
    if hems.service.settings["DATABASE_URL"].startswith("postgresql"):
        assert {name: types[name] for name in COLUMNS} == {
            "id": "uuid",
            "aggregatetype": "character varying",
            "aggregateid": "character varying",
            "type": "character varying",
            "timestamp": "timestamp with time zone",
            "payload": "json",
        }


@pytest.mark.parametrize("day", ["2024-03-20", "2024-03-20T00:00:00Z", "2024-03-20T23:30:00-05:00", "2024-03-20 08:00"])
def test_a_forecast_is_asked_for_by_a_date_or_a_date_time_whose_date_counts(hems: Hems, day: str) -> None:
    home = Household(hems)
    hems.manager.post(FORECAST, {"user_id": home.id, "forecast_day": day})
    assert rows_of(hems, home.id)[0]["payload"]["forecast_date"] == "2024-03-20"


def test_instants_of_events_are_of_utc(hems: Hems) -> None:
    home = Household(hems)
    start, end = "2024-03-20T02:00:00+02:00", "2024-03-20T14:00:00"
    hems.manager.post(CURVE, {"user_id": home.id, "start_date": start, "delivery_time": "15"})
    hems.manager.post(TELEMETRY, {"user_id": home.id, "start_datetime": start, "end_datetime": end})
    curve, telemetry = (row["payload"] for row in rows_of(hems, home.id))
    assert curve["start_date"] == telemetry["start_date"] == "2024-03-20T00:00:00Z"
    assert telemetry["end_date"] == "2024-03-20T14:00:00Z"


def test_telemetry_without_an_end_is_wanted_until_now(hems: Hems) -> None:
    home = Household(hems)
    hems.manager.post(TELEMETRY, {"user_id": home.id, "start_datetime": "2024-03-20T00:00:00Z"})
    end = datetime.fromisoformat(rows_of(hems, home.id)[0]["payload"]["end_date"].replace("Z", "+00:00"))
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=1)


BAD = [
    (FORECAST, {"forecast_day": "someday"}, "forecast_day"),
    (FORECAST, {"forecast_day": "2024-02-30"}, "forecast_day"),
    (FORECAST, {"forecast_day": None}, "forecast_day"),
    (FORECAST, {"user_id": None}, "user_id"),
    (FORECAST, {"user_id": ""}, "user_id"),
    (CURVE, {"start_date": "someday"}, "start_date"),
    (CURVE, {"start_date": None}, "start_date"),
    (CURVE, {"delivery_time": "14"}, "delivery_time"),
    (CURVE, {"delivery_time": "0"}, "delivery_time"),
    (CURVE, {"delivery_time": "-60"}, "delivery_time"),
    (CURVE, {"delivery_time": "an hour"}, "delivery_time"),
    (CURVE, {"delivery_time": "15.5"}, "delivery_time"),
    (CURVE, {"delivery_time": None}, "delivery_time"),
    (TELEMETRY, {"start_datetime": "someday"}, "start_datetime"),
    (TELEMETRY, {"start_datetime": None}, "start_datetime"),
    (TELEMETRY, {"end_datetime": "2024-03-19T23:59:59Z"}, "end_datetime"),
    (TELEMETRY, {"end_datetime": "2024-03-20T01:00:00+02:00"}, "end_datetime"),
    (TELEMETRY, {"start_datetime": "2190-01-01T00:00:00Z", "end_datetime": None}, "start_datetime"),
]


@pytest.mark.parametrize(("path", "wrong", "where"), BAD)
def test_an_event_that_can_not_be_is_refused_and_not_in_the_outbox(
    hems: Hems, path: str, wrong: dict[str, str | None], where: str
) -> None:
    home = Household(hems)
    told: dict[str, str | None] = {"user_id": home.id, **GOOD[path], **wrong}
    query = {name: value for name, value in told.items() if value is not None}
    assert where in hems.manager.refused(400, path, query, "POST")
    assert rows_of(hems, home.id) == []


def test_the_shortest_delivery_time_is_a_quarter_of_an_hour(hems: Hems) -> None:
    home = Household(hems)
    hems.manager.post(CURVE, {"user_id": home.id, "start_date": "2024-03-20", "delivery_time": "15"})
    assert rows_of(hems, home.id)[0]["payload"]["delivery_time"] == 15


@pytest.mark.parametrize("path", GOOD)
def test_an_event_of_an_unknown_household_is_not_found(hems: Hems, path: str) -> None:
    stranger = new_id()
    assert stranger in hems.manager.refused(404, path, {"user_id": stranger, **GOOD[path]}, "POST")
    assert rows_of(hems, stranger) == []


@pytest.mark.parametrize("path", GOOD)
def test_a_homes_token_is_refused_and_nothing_is_in_the_outbox(hems: Hems, path: str) -> None:
    home = Household(hems)
    home.app.refused(403, path, {"user_id": home.id, **GOOD[path]}, "POST")
    home.app.refused(403, path, {"user_id": silent(hems).id, **GOOD[path]}, "POST")
    assert rows_of(hems, home.id) == []


@pytest.mark.parametrize("path", GOOD)
def test_events_are_produced_by_post_alone(hems: Hems, path: str) -> None:
    answer = hems.manager.call("GET", path, {"user_id": silent(hems).id, **GOOD[path]})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]


# --- the mock curve ---------------------------------------------------------------------------------------------------

DAY_OF_CURVE = {"start_date": "2024-03-20T00:00:00Z", "end_date": "2024-03-20T23:59:59.999999Z"}


def mock(hems: Hems, home: Household, day: str = "2024-03-20", minutes: int = 15) -> None:
    """Ask for a mock curve and wait until it is stored."""
    hems.manager.post(CURVE, {"user_id": home.id, "start_date": f"{day}T00:00:00Z", "delivery_time": str(minutes)})
    query = {"user_ids": home.id, "start_date": day, "end_date": f"{day}T23:59:59Z"}
    wait_until(lambda: hems.manager.get(BESIDE, query)[0]["forecast"] != [], what="the curve")


def curves(home: Household, group_by: str = "15_mins") -> tuple[list[Decimal], list[Decimal]]:
    """The forecast and the measured energy of the day's buckets."""
    (told,) = home.app.get(BESIDE, {**DAY_OF_CURVE, "group_by": group_by})
    forecast, real = ([one["energy"] for one in told[side]] for side in ("forecast", "real"))
    assert None not in (*forecast, *real)
    return forecast, real


def test_a_mock_curve_is_told_as_forecast_and_as_measured(hems: Hems) -> None:
    home = Household(hems, contracted_power_kva=6.9)
    mock(hems, home)
    forecast, real = curves(home)
    assert len(forecast) == len(real) == 96
    assert forecast != real
    (alone,) = home.app.get(REAL, {"user_id": home.id, **DAY_OF_CURVE, "group_by": "15_mins"})
    assert values(alone["real"], "energy") == real
    for curve in (forecast, real):
        assert 0 <= min(curve) < max(curve) <= Decimal("6.9") / 4, "no more than the contracted power carries"
        assert Decimal(5) < sum(curve) < Decimal(60), "kWh of a day"


def test_a_mock_curve_is_always_the_same_of_a_user_and_a_day(hems: Hems) -> None:
    home, other = Household(hems, contracted_power_kva=6.9), Household(hems, contracted_power_kva=6.9)
    mock(hems, home)
    mock(hems, other)
    first = curves(home)
    assert first != curves(other)
    mock(hems, home)
    assert curves(home) == first
    for power_kva, factor in ((6.9, 1), (13.8, 2)):
        made_anew(hems, home, contracted_power_kva=power_kva)
        mock(hems, home)
        for curve, before in zip(curves(home), first, strict=True):
            for now, then in zip(curve, before, strict=True):
                assert abs(now - factor * then) <= Decimal("0.015"), "scaled to the contracted power, but for rounding"


def made_anew(hems: Hems, home: Household, **settings: Any) -> None:
    headers = {"Authorization": f"Bearer {hems.service.token()}"}
    assert hems.http.delete(f"{BASE}/households/{home.id}", headers=headers).status_code == 204
    assert hems.http.put(f"{BASE}/households/{home.id}", json=settings, headers=headers).status_code == 201


@pytest.mark.parametrize("minutes", [30, 60, 180])
def test_a_mock_curve_keeps_its_power_for_the_delivery_time(hems: Hems, minutes: int) -> None:
    home = Household(hems)
    mock(hems, home, minutes=minutes)
    quarters = minutes // 15
    for curve in curves(home):
        parts = [curve[i : i + quarters] for i in range(0, 96, quarters)]
        assert all(len(set(part)) == 1 for part in parts)
        assert len({part[0] for part in parts}) > 2


def test_a_mock_curve_does_not_overwrite_what_was_measured(hems: Hems) -> None:
    home = HubHome(hems, Telemetry(at("2024-03-20"), at("2024-03-21")))
    query = {"user_id": home.id, **DAY_OF_CURVE, "group_by": "hourly"}
    before = home.app.get(REAL, query)
    mock(hems, home)
    assert home.app.get(REAL, query) == before


def test_an_event_of_one_home_changes_nothing_of_another(hems: Hems) -> None:
    home = family(hems)
    query = {"start_date": "2024-03-20", "end_date": "2024-03-20T23:59:59Z", "group_by": "hourly"}
    before = home.app.get(BESIDE, query)
    mock(hems, Household(hems))
    assert home.app.get(BESIDE, query) == before


def test_days_of_a_mock_curve_do_not_touch_their_neighbours(hems: Hems) -> None:
    home = Household(hems)
    mock(hems, home, "2024-03-20")
    start = at("2024-03-19")
    query = {"start_date": "2024-03-19", "end_date": "2024-03-21T23:59:59Z", "group_by": "daily"}
    (told,) = home.app.get(BESIDE, query)
    for side in ("forecast", "real"):
        assert [one["energy"] is None for one in told[side]] == [True, False, True]
    assert told["real"][1]["timestamp"] == (start + DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
