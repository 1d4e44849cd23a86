"""The cost of the day over the API: its shape, homes of all sorts, who is refused; and cost at a glance."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from homes import Api, Home, channel, expect_error, new_id
from test_openapi_document import members

from statistics_manager_service.api.live_costs import EXAMPLE

QUARTER_S = 900
SPENT = {
    "cost_import", "cost_fixed", "revenue_export", "cost_net", "energy_import_kwh", "energy_export_kwh", "coverage",
}  # fmt: skip
LINE = {"component", "title", "quantity", "unit", "unit_price", "net", "tax_rate", "tax", "gross"}


def tariff(**more: Any) -> dict[str, Any]:
    return {
        "currency": "EUR", "time_zone": "Europe/Lisbon", "valid": {"from": "2020-01-01"},
        "calendars": {"schedules": {"night": [{"period": "N", "from": "22:00", "to": "08:00"}, {"period": "D"}]}},
        "components": [
            {"id": "energy", "kind": "energy", "price": {"schedule": "night", "values": {"N": "0.10", "D": "0.20"}},
             "tax": "vat"},
            {"id": "standing", "kind": "fixed", "basis": "per_day", "price": "0.50", "tax": "vat"},
            {"id": "surplus", "kind": "energy", "flow": "export", "price": "0.05"},
        ],
        "taxes": {"vat": {"rate": "0.23"}},
        **more,
    }  # fmt: skip


def quarters(days: float, until_s: int, wh: int, **more: Any) -> dict[str, Any]:
    """The same energy in each quarter-hour of some days up to an instant."""
    last = until_s // QUARTER_S
    at = [number * QUARTER_S for number in range(last - round(days * 96), last)]
    told = {"kind": "interval", "interval": "PT15M", "stamp": "start", "unit": "Wh"}
    return channel(**told, at=at, value=[wh] * len(at), **more)


def put_contract(home: Home, document: dict[str, Any] | None = None) -> None:
    name = f"live-{new_id()}"
    answer = home.api.call("PUT", f"/tariffs/{name}", json=document or tariff())
    assert answer.status_code == 201, answer.text
    contracts = {"contracts": [{"tariff": name, "from": "2020-01-01"}]}
    answer = home.api.call("PUT", f"{home.path}/contracts", json=contracts)
    assert answer.status_code in (200, 201), answer.text


def cost(home: Home, **more: Any) -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/cost", **more)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def live(each_api: Api) -> Home:
    """A home with a roof, of the last seventy days."""
    home = Home(each_api, timezone="Europe/Lisbon")
    now_s = int(time.time())
    answer = home.post(quarters(70, now_s, 100), quarters(70, now_s, 30, quantity="energy_export"))
    assert answer.status_code == 200, answer.text
    put_contract(home)
    return home


def test_the_cost_of_the_day_has_today_and_the_period(live: Home) -> None:
    told = cost(live)
    today, period = told["today"], told["period"]
    assert (told["household"], told["timezone"], told["currency"]) == (live.id, "Europe/Lisbon", "EUR")
    now = datetime.fromisoformat(told["now"])
    assert abs((now - datetime.now(UTC)).total_seconds()) < 120
    midnight = now.astimezone(ZoneInfo("Europe/Lisbon")).replace(hour=0, minute=0, second=0, microsecond=0)
    assert today["start"] == midnight.isoformat()
    assert today["now"] == told["now"]
    assert set(today) > SPENT and set(period["so_far"]) == SPENT
    for one in (today, period["so_far"]):
        if one["cost_net"] is not None:  # just after midnight nothing is known of the day
            parts = one["cost_import"] + one["cost_fixed"] - one["revenue_export"]
            assert one["cost_net"] == pytest.approx(parts, abs=1e-6)
    for one in today["compared_with"].values():
        assert set(one) > SPENT
        assert datetime.fromisoformat(one["end"]).time() == now.time()
    assert "the billing period is not over" in told["provisional"]


def test_prices_of_today_and_tomorrow_follow_each_other(live: Home) -> None:
    today = cost(live)["today"]
    assert today["price_now"] in (0.123, 0.246)
    prices = today["prices"]
    assert {one["price"] for one in prices} == {0.123, 0.246}
    assert prices[0]["start"] == today["start"]
    for one, following in pairwise(prices):
        assert one["end"] == following["start"]
        assert one["price"] != following["price"]
    end = datetime.fromisoformat(today["start"]).astimezone(ZoneInfo("Europe/Lisbon")) + timedelta(days=2)
    assert datetime.fromisoformat(prices[-1]["end"]) == end
    assert [one["hours"] for one in today["cheapest"]] == [1, 2, 4]
    assert {one["price"] for one in today["cheapest"]} == {0.123}


def test_the_projected_bill_has_its_range_and_its_lines(live: Home) -> None:
    period = cost(live)["period"]
    projected = period["projected"]
    assert period["why_not_projected"] is None
    assert projected["low"] <= projected["gross"] <= projected["high"]
    assert projected["level"] == 0.8
    assert projected["gross"] == pytest.approx(projected["net"] + projected["tax"])
    lines = projected["lines"]
    assert sum(line["gross"] for line in lines) == pytest.approx(projected["gross"], abs=1e-9)
    assert all(set(line) > LINE for line in lines)
    start, end = (datetime.fromisoformat(period[name]) for name in ("start", "end"))
    hours = (end - start).total_seconds() / 3600
    assert projected["energy_import_kwh"] == pytest.approx(0.4 * hours, rel=0.02)
    assert projected["energy_export_kwh"] == pytest.approx(0.12 * hours, rel=0.02)
    assert set(period["previous"]) == {"last_period", "year_ago"}
    assert period["previous"]["year_ago"] is None


def test_the_example_of_the_document_has_the_members_of_an_answer(live: Home) -> None:
    assert members(EXAMPLE) <= members(cost(live))


def test_a_home_without_export_pays_for_its_import_alone(api: Api) -> None:
    home = Home(api, timezone="Europe/Lisbon")
    assert home.post(quarters(9, int(time.time()), 100)).status_code == 200
    put_contract(home)
    told = cost(home)
    assert told["period"]["so_far"]["energy_export_kwh"] is None
    assert told["period"]["so_far"]["revenue_export"] == 0
    assert told["period"]["projected"]["energy_export_kwh"] == 0


def test_a_home_of_some_hours_is_told_why_there_is_no_projection(api: Api) -> None:
    home = Home(api, timezone="Europe/Lisbon")
    assert home.post(quarters(0.1, int(time.time()), 100)).status_code == 200
    put_contract(home)
    told = cost(home)
    assert told["period"]["projected"] is None
    assert "too little is measured" in told["period"]["why_not_projected"]
    assert told["period"]["why_not_projected"] in told["provisional"]


def test_a_household_without_contracts_has_no_cost(home: Home) -> None:
    told = expect_error(home.api.get(f"{home.path}/cost"), 404)
    assert told["error"].startswith(f"household {home.id} has no contract in this time: PUT ")


def test_the_cost_of_a_household_that_is_not_there_is_refused(api: Api) -> None:
    expect_error(api.get("/households/nobody/cost"), 404)


def test_a_new_reading_counts_at_the_next_call(live: Home) -> None:
    before = cost(live)["period"]["so_far"]["energy_import_kwh"] or 0.0
    answer = live.post(quarters(70, int(time.time()), 150))
    assert answer.status_code == 200, answer.text
    assert cost(live)["period"]["so_far"]["energy_import_kwh"] == pytest.approx(1.5 * before, rel=0.05)


def test_the_summary_tells_the_cost_where_there_are_contracts(live: Home) -> None:
    told = live.api.get(f"{live.path}/summary").json()
    so_far = cost(live)["today"]["cost_net"]
    today = told["today"].get("cost_net")
    if so_far is not None and today is not None:
        assert today["unit"] == "EUR"
        assert today["value"] == pytest.approx(so_far, abs=0.01)
    for name in ("this_month", "this_year"):
        whole = live.ask("cost_net", "total", told[name]["start"], told[name]["end"])["series"][0]
        if "energy_import" in told[name]:  # it may have begun just now
            assert told[name]["cost_net"]["value"] == pytest.approx(float(whole["total"]), abs=0.01)
            assert told[name]["cost_net"]["coverage"] == pytest.approx(float(whole["coverage"][0]), abs=1e-3)


def test_the_summary_of_a_household_without_contracts_tells_no_cost(home: Home) -> None:
    assert home.post(quarters(2, int(time.time()), 100)).status_code == 200
    told = home.api.get(f"{home.path}/summary").json()
    assert "energy_import" in told["this_year"]
    assert all("cost_net" not in told[name] for name in ("today", "this_month", "this_year"))
