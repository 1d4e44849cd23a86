"""Statements and cost measures over the API: exact sums, the repeated hour, gaps, and what is not known."""

from __future__ import annotations

import itertools
import json
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from homes import Api, Home, channel, expect_error

MEASURES = "cost_import,revenue_export,cost_fixed,cost_net"
GROUPINGS = ("15_mins", "hourly", "daily", "weekly", "monthly", "billing", "yearly", "total")
#: Five weeks around the end of summer time of 2025, in Lisbon.
BEGIN, END = "2025-10-06", "2025-11-10"


def quarters(first: str, count: int, values: itertools.cycle[float] | None = None, **more: Any) -> dict[str, Any]:
    """Energy of `count` quarter-hours from an instant of a day in epoch seconds on."""
    begin = int(datetime.fromisoformat(first).timestamp())
    cycle = values or itertools.cycle((0.031, 0.2, 0.07, 0.113))
    told = {"kind": "interval", "interval": "PT15M", "stamp": "start", "unit": "kWh"}
    at = [begin + 900 * i for i in range(count)]
    return channel(**told, at=at, value=[next(cycle) for _ in range(count)], **more)


@pytest.fixture(scope="session")
def lisbon(api: Api) -> Home:
    """A home in Lisbon, tri-hourly by its settings, with five weeks of import and some export."""
    home = Home(api, timezone="Europe/Lisbon", country="PT", tarif_type="tri-hourly", contracted_power_kva=6.9)
    count = 35 * 96 + 4
    exported = itertools.cycle((0.0, 0.09, 0.0))
    answer = home.post(
        quarters("2025-10-05T23:00:00+00:00", count),
        quarters("2025-10-05T23:00:00+00:00", count, exported, quantity="energy_export"),
    )
    assert answer.status_code == 200, answer.text
    return home


def statement(home: Home, start: str, end: str, **more: Any) -> dict[str, Any]:
    answer = home.api.get(f"{home.path}/statement", {"start": start, "end": end, **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return told


def test_the_sum_of_the_lines_is_the_total(lisbon: Home) -> None:
    told = statement(lisbon, BEGIN, END)
    lines = [line for period in told["periods"] for line in period["lines"]]
    for name in ("net", "tax", "gross"):
        assert sum(line[name] for line in lines) == told[name] == sum(one[name] for one in told["periods"])
    assert all(line["net"] + line["tax"] == line["gross"] for line in lines)
    assert all(line["gross"] == round(line["gross"], 2) for line in lines)
    assert told["gross"] > 0


def test_a_statement_is_cut_at_the_billing_day(lisbon: Home) -> None:
    starts = [one["start"][:10] for one in statement(lisbon, BEGIN, END)["periods"]]
    assert starts == ["2025-10-06", "2025-11-01"]
    assert len(statement(lisbon, BEGIN, END, single="true")["periods"]) == 1


@pytest.mark.parametrize("group_by", GROUPINGS)
def test_costs_of_any_grouping_add_up_to_the_whole(lisbon: Home, group_by: str) -> None:
    whole = {one["measure"]: one["total"] for one in lisbon.ask(MEASURES, "total", BEGIN, END)["series"]}
    for one in lisbon.ask(MEASURES, group_by, BEGIN, END)["series"]:
        assert sum(one["values"]) == one["total"] == whole[one["measure"]]
        assert one["unit"] == "EUR"


def test_costs_of_days_asked_one_by_one_are_those_of_the_month(lisbon: Home) -> None:
    month = lisbon.ask("cost_net", "daily", "2025-10-10", "2025-10-14")["series"][0]["values"]
    alone = [
        lisbon.ask("cost_net", "total", f"2025-10-{day}", f"2025-10-{day + 1}")["series"][0]["total"]
        for day in range(10, 14)
    ]
    assert alone == month


def test_net_cost_is_import_and_fixed_less_export(lisbon: Home) -> None:
    values = {one["measure"]: one["values"] for one in lisbon.ask(MEASURES, "daily", BEGIN, END)["series"]}
    columns = zip(*(values[name] for name in MEASURES.split(",")), strict=True)
    for imported, exported, fixed, net in columns:
        assert imported + fixed - exported == net


def test_the_day_of_25_hours_is_billed_as_one_day(lisbon: Home) -> None:
    fixed = lisbon.ask("cost_fixed", "daily", "2025-10-25", "2025-10-28")["series"][0]["values"]
    hours = lisbon.ask("cost_fixed,cost_import", "hourly", "2025-10-26", "2025-10-27")["series"]
    assert [len(one["values"]) for one in hours] == [25, 25]
    assert all(value > 0 for one in hours for value in one["values"])
    line = next(
        line for line in statement(lisbon, "2025-10-26", "2025-10-27")["periods"][0]["lines"] if line["unit"] == "days"
    )
    assert line["quantity"] == 1
    assert fixed[1] > fixed[0]  # monthly fees are spread evenly over time: this day has an hour more of it


def test_the_price_of_import_is_the_mean_weighted_by_energy(lisbon: Home) -> None:
    told = {one["measure"]: one for one in lisbon.ask("cost_import,price_import", "daily", BEGIN, END)["series"]}
    assert told["price_import"]["unit"] == "EUR/kWh"
    netted = statement(lisbon, BEGIN, END)["import_kwh"]
    expected = told["cost_import"]["total"] / netted
    assert abs(told["price_import"]["total"] - expected) < Decimal("1e-9")


def test_the_marginal_price_follows_the_schedule(lisbon: Home) -> None:
    prices = lisbon.ask("price_marginal", "hourly", "2025-10-08", "2025-10-09")["series"][0]["values"]
    assert len(set(prices)) > 2
    night, evening = prices[3], prices[20]
    assert night < evening


def test_the_peak_demand_is_the_greatest_quarter_hour(lisbon: Home) -> None:
    one = lisbon.ask("peak_demand", "daily", BEGIN, END)["series"][0]
    assert one["unit"] == "W"
    assert set(one["values"]) == {Decimal(800)}
    assert one["total"] == 800


def test_a_corrected_reading_changes_the_cost_at_the_next_query(api: Api) -> None:
    home = Home(api, timezone="Europe/Lisbon", tarif_type="simple")
    home.post(quarters("2025-05-01T00:00:00+01:00", 96))
    before = statement(home, "2025-05-01", "2025-05-02")["gross"]
    home.post(quarters("2025-05-01T12:00:00+01:00", 1, itertools.cycle((9.0,))))
    assert statement(home, "2025-05-01", "2025-05-02")["gross"] > before + 1


def test_what_lies_ahead_costs_nothing_yet(lisbon: Home) -> None:
    ahead = lisbon.ask(MEASURES, "daily", "2150-01-01", "2150-01-03")["series"]
    assert all(value is None for one in ahead for value in one["values"])


def test_missing_readings_are_told_and_not_taken_for_zero(api: Api) -> None:
    home = Home(api, timezone="Europe/Lisbon", tarif_type="simple")
    home.post(quarters("2025-05-01T00:00:00+01:00", 48))
    told = statement(home, "2025-05-01", "2025-05-02")
    assert told["coverage"] == {"measured": Decimal("0.5"), "estimated": 0, "missing": Decimal("0.5")}
    assert any("missing" in why for why in told["provisional"])
    hours = home.ask("cost_import", "hourly", "2025-05-01", "2025-05-02")["series"][0]["values"]
    assert all(value is not None for value in hours[:12])
    assert hours[12:] == [None] * 12


def test_a_household_without_a_contract_has_no_statement_and_unknown_costs(home: Home) -> None:
    home.write()
    expect_error(home.api.get(f"{home.path}/statement", {"start": "2024-05-01", "end": "2024-06-01"}), 404)
    one = home.ask("cost_net", "total")["series"][0]
    assert one["values"] == [None]
    assert one["lacks"] == [{"bucket": 0, "share": 1, "why": "no contract of the household holds"}]


def test_all_faults_of_a_question_are_told(home: Home) -> None:
    answer = home.api.get(f"{home.path}/statement", {"start": "yesterday", "format": "docx", "as_of": "x"})
    told = expect_error(answer, 400)
    assert {one["where"] for one in told["details"]} == {"start", "end", "format", "as_of"}
    too_long = home.api.get(f"{home.path}/statement", {"start": "1990-01-01", "end": "2020-01-01"})
    expect_error(too_long, 400)
    of_a_meter = home.ask_raw("cost_net", "daily", meter="grid")
    assert "meter" in expect_error(of_a_meter, 400)["error"]


def test_a_statement_comes_as_a_page_and_as_a_pdf(lisbon: Home) -> None:
    path, asked = f"{lisbon.path}/statement", {"start": BEGIN, "end": END}
    page = lisbon.api.get(path, asked, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert lisbon.id in page.text
    pdf = lisbon.api.get(path, {**asked, "format": "pdf"})
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")


def test_the_same_home_costs_the_same_in_each_store(api: Api, postgres_api: Api) -> None:
    told = []
    for one in (api, postgres_api):
        home = Home(one, timezone="Europe/Lisbon", tarif_type="bi-hourly", contracted_power_kva=3.45)
        home.post(quarters("2025-05-01T00:00:00+01:00", 96 * 31))
        answer = statement(home, "2025-05-01", "2025-06-01")
        told.append({name: value for name, value in answer.items() if name != "household"})
    assert told[0] == told[1]


def test_as_of_tells_what_was_known_before_a_correction(each_api: Api) -> None:
    home = Home(each_api, timezone="Europe/Lisbon", tarif_type="simple")
    home.post(quarters("2025-05-01T00:00:00+01:00", 96))
    before = statement(home, "2025-05-01", "2025-05-02")
    moment = datetime.now(UTC).isoformat()
    home.post(quarters("2025-05-01T12:00:00+01:00", 1, itertools.cycle((9.0,))))
    home.post(quarters("2025-05-01T12:00:00+01:00", 1, itertools.cycle((8.0,))))
    now = statement(home, "2025-05-01", "2025-05-02")
    then = statement(home, "2025-05-01", "2025-05-02", as_of=moment)
    assert now["gross"] > before["gross"] + 1
    assert then == before


def test_as_of_tells_what_a_register_showed_before_a_correction(api: Api) -> None:
    home = Home(api, timezone="UTC", tarif_type="simple")
    at = [f"2025-05-01T{hour:02d}:00:00Z" for hour in range(24)]
    home.write(at=at, value=[100 + hour / 2 for hour in range(24)])
    before = statement(home, "2025-05-01", "2025-05-02")
    moment = datetime.now(UTC).isoformat()
    home.write(at=at[-1:], value=[115.0])
    assert statement(home, "2025-05-01", "2025-05-02")["import_kwh"] == 15
    assert statement(home, "2025-05-01", "2025-05-02", as_of=moment) == before


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-10-20T10:07:30+01:00", "2025-10-27T03:00:00Z"),
        ("2025-10-26", "2025-10-27"),
        ("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"),
        ("2025-10-06", "2026-10-06"),
    ],
)
@pytest.mark.parametrize("form", ["html", "pdf", "json"])
def test_a_statement_of_any_time_can_be_shown(lisbon: Home, start: str, end: str, form: str) -> None:
    answer = lisbon.api.get(f"{lisbon.path}/statement", {"start": start, "end": end, "format": form})
    assert answer.status_code == 200, answer.text


def test_a_home_where_a_day_was_left_out_has_its_statement_as_a_page(api: Api) -> None:
    home = Home(api, timezone="Pacific/Apia")
    body = {"contracts": [{"tariff": "gb-go", "from": "2011-01-01"}]}
    assert api.call("PUT", f"{home.path}/contracts", json=body).status_code in (200, 201, 400)
    answer = api.get(f"{home.path}/statement", {"start": "2011-12-28", "end": "2012-01-02", "format": "html"})
    assert answer.status_code in (200, 404), answer.text


def test_money_of_several_currencies_is_never_added_up(api: Api) -> None:
    home = Home(api, timezone="UTC")
    home.post(quarters("2025-05-01T00:00:00+00:00", 192))
    body = {
        "contracts": [
            {"tariff": "gb-go", "from": "2025-01-01", "to": "2025-05-02"},
            {"tariff": "de-standard", "from": "2025-05-02"},
        ]
    }
    assert api.call("PUT", f"{home.path}/contracts", json=body).status_code in (200, 201)
    told = expect_error(api.get(f"{home.path}/statement", {"start": "2025-05-01", "end": "2025-05-03"}), 400)
    assert "GBP and EUR" in told["error"]
    assert statement(home, "2025-05-01", "2025-05-02", single="true")["currency"] == "GBP"


def test_a_netting_over_the_year_sees_the_export_of_other_bills(api: Api) -> None:
    document = {
        "currency": "EUR",
        "time_zone": "UTC",
        "valid": {"from": "2020-01-01"},
        "metering": {"netting": "P1Y"},
        "components": [
            {"id": "energy", "kind": "energy", "price": "0.2"},
            {"id": "surplus", "kind": "energy", "flow": "export", "price": "0.05"},
        ],
    }
    name = f"netted-{secrets.token_hex(4)}"
    assert api.call("PUT", f"/tariffs/{name}", json=document).status_code in (200, 201)
    home = Home(api, timezone="UTC")
    home.post(
        quarters("2025-01-10T00:00:00+00:00", 96, itertools.cycle((0.5,)), quantity="energy_export"),
        quarters("2025-04-10T00:00:00+00:00", 96, itertools.cycle((1.0,))),
    )
    body = {"contracts": [{"tariff": name, "from": "2024-01-01"}]}
    assert api.call("PUT", f"{home.path}/contracts", json=body).status_code in (200, 201)
    april = statement(home, "2025-04-01", "2025-05-01")
    assert (april["import_kwh"], april["gross"]) == (48, Decimal("9.6"))
    year = statement(home, "2025-01-01", "2026-01-01")
    assert year["gross"] == Decimal("9.6")


def put_tariff(api: Api, **more: Any) -> str:
    """A tariff of one component of energy; its id."""
    document = {
        "currency": "EUR",
        "time_zone": "UTC",
        "valid": {"from": "2020-01-01"},
        "components": [{"id": "energy", "kind": "energy", "price": "0.2"}],
        **more,
    }
    name = more.pop("id", f"tariff-{secrets.token_hex(4)}")
    answer = api.call("PUT", f"/tariffs/{name}", json=document)
    assert answer.status_code in (200, 201), answer.text
    return str(name)


def home_on(api: Api, tariff: str, **parameters: Any) -> Home:
    """A home with two days of readings in May 2025, under a tariff."""
    home = Home(api, timezone="UTC")
    home.post(quarters("2025-05-01T00:00:00+00:00", 192))
    body = {"contracts": [{"tariff": tariff, "from": "2025-01-01", "parameters": parameters}]}
    answer = api.call("PUT", f"{home.path}/contracts", json=body)
    assert answer.status_code in (200, 201), answer.text
    return home


def put_series(api: Api, name: str, unit: str) -> None:
    at = [1746057600 + 900 * i for i in range(192)]
    body = {"unit": unit, "interval": "PT15M", "at": at, "value": [60] * len(at)}
    assert api.call("PUT", f"/series/{name}", json=body).status_code in (200, 201)


def test_a_series_in_another_currency_prices_nothing_and_the_bill_says_so(api: Api) -> None:
    name = f"spot_{secrets.token_hex(4)}"
    put_series(api, name, "NOK/MWh")
    tariff = put_tariff(
        api, series={name: {}}, components=[{"id": "energy", "kind": "energy", "price": {"series": name}}]
    )
    home = home_on(api, tariff)
    told = statement(home, "2025-05-01", "2025-05-03")
    assert told["gross"] == 0
    assert f"series {name} is in NOK, tariff {tariff} in EUR" in told["provisional"]
    assert "prices are missing for all of the energy of energy" in told["provisional"]
    one = home.ask("cost_import", "daily", "2025-05-01", "2025-05-03")["series"][0]
    assert one["values"] == [None, None]
    assert name in one["lacks"][0]["why"]


def test_a_series_that_nobody_told_is_named(api: Api) -> None:
    name = f"spot_{secrets.token_hex(4)}"
    tariff = put_tariff(
        api, series={name: {}}, components=[{"id": "energy", "kind": "energy", "price": {"series": name}}]
    )
    told = statement(home_on(api, tariff), "2025-05-01", "2025-05-03")
    assert f"there is no series {name}, which tariff {tariff} names" in told["provisional"]


def test_a_tariff_that_no_longer_fits_its_contracts_prices_nothing_and_spoils_no_other_home(each_api: Api) -> None:
    def table(*powers: str) -> list[dict[str, Any]]:
        price = {"table": "power", "values": dict.fromkeys(powers, "0.1")}
        return [{"id": "energy", "kind": "energy", "price": price}]

    tariff = put_tariff(each_api, parameters={"power": 1}, components=table("1", "2"))
    home, other = home_on(each_api, tariff, power=2), home_on(each_api, put_tariff(each_api))
    assert statement(home, "2025-05-01", "2025-05-03")["gross"] > 0
    put_tariff(each_api, id=tariff, parameters={"power": 1}, components=table("1"))
    answer = each_api.get(f"{home.path}/statement", {"start": "2025-05-01", "end": "2025-05-03"})
    assert "no price for power = 2" in expect_error(answer, 404)["error"]
    query = {"households": f"{home.id},{other.id}", "measures": "cost_net", "group_by": "total"}
    both = each_api.get("/statistics", {**query, "start": "2025-05-01", "end": "2025-05-03"})
    assert both.status_code == 200, both.text
    first, second = (one["series"][0] for one in both.json()["households"])
    assert first["values"] == [None]
    assert "power = 2" in first["lacks"][0]["why"]
    assert second["values"][0] > 0
    for path in ("cost", "summary"):
        assert each_api.get(f"{home.path}/{path}").status_code in (200, 404)


def test_months_without_readings_have_no_peak(api: Api) -> None:
    peak = {"id": "peak", "kind": "peak", "interval": "PT15M", "price": "12", "window": {"months": 12}}
    home = home_on(api, put_tariff(api, components=[peak]))
    (line,) = statement(home, "2025-05-01", "2025-06-01")["periods"][0]["lines"]
    assert (line["quantity"], line["unit"]) == (Decimal("0.8"), "kW·months")


def test_costs_are_told_of_ten_years_at_most(lisbon: Home) -> None:
    answer = lisbon.ask_raw("cost_net", "total", "1990-01-01", "2100-01-01")
    assert "days at once" in expect_error(answer, 400)["error"]


def test_a_sub_meter_that_was_never_read_is_told(api: Api) -> None:
    pump = {"id": "pump", "kind": "energy", "meter": "heat_pump", "price": "0.1"}
    told = statement(home_on(api, put_tariff(api, components=[pump])), "2025-05-01", "2025-05-03")
    assert any("nothing was ever read of meter heat_pump" in why for why in told["provisional"])


def test_a_line_that_a_cap_has_cut_says_so(api: Api) -> None:
    paid = {"id": "paid", "kind": "energy", "flow": "export", "price": "0.9", "cap": {"of": ["energy"]}}
    home = home_on(api, put_tariff(api, components=[{"id": "energy", "kind": "energy", "price": "0.1"}, paid]))
    home.post(quarters("2025-05-01T00:00:00+00:00", 96, quantity="energy_export"))
    lines = statement(home, "2025-05-01", "2025-05-03")["periods"][0]["lines"]
    assert [line["note"] for line in lines] == [None, "no more than what it is set against"]
    assert sum(line["gross"] for line in lines) == 0


def test_statistics_tell_what_was_known_then(each_api: Api) -> None:
    home = home_on(each_api, put_tariff(each_api))
    asked = ("energy_import,cost_net", "daily", "2025-05-01", "2025-05-03")
    before = home.ask(*asked)["series"]
    moment = datetime.now(UTC).isoformat()
    home.post(quarters("2025-05-01T12:00:00+00:00", 1, itertools.cycle((9.0,))))
    assert home.ask(*asked)["series"] != before
    assert home.ask(*asked, as_of=moment)["series"] == before
    query = {"measures": asked[0], "group_by": "daily", "start": asked[2], "end": asked[3], "as_of": moment}
    many = each_api.get("/statistics", {**query, "households": home.id})
    assert json.loads(many.text, parse_float=Decimal)["households"][0]["series"] == before


def test_a_negative_contracted_power_is_refused(home: Home) -> None:
    body = {"contracts": [{"tariff": "es-20td", "from": "2026-01-01", "parameters": {"power_p1_kw": -5}}]}
    told = expect_error(home.api.call("PUT", f"{home.path}/contracts", json=body), 400)
    assert "can't be negative" in told["error"]
