"""Real homes on dynamic tariffs: what we say they pay beside what their supplier said, or beside a plain calculation.

The homes and prices are real data sets beside the project; where they are absent these tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import pathlib
import secrets
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from homes import Api, Home

DATA = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
ZONNEPLAN = DATA / "zonneplan_nl_dynamic_tariff" / "export.csv.gz"
AGILE = DATA / "octopus_agile_halfhour" / "agile_A_2020.csv.gz"
LONDON = DATA / "london_lcl_halfhour" / "MAC000002.csv.gz"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
STEP = 40_000


def rows(path: pathlib.Path) -> Iterator[list[str]]:
    if not path.exists():
        pytest.skip(f"the data set {path.parent.name} is not there")
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.reader(file)


def put_series(api: Api, unit: str, interval: str, prices: dict[int, Decimal]) -> str:
    """A series of its own, values told as text; its name."""
    name = f"real_{secrets.token_hex(4)}"
    at = list(prices)
    for first in range(0, len(at), STEP):
        some = at[first : first + STEP]
        body = {"unit": unit, "interval": interval, "at": some, "value": [f"{prices[one]:f}" for one in some]}
        answer = api.call("PUT", f"/series/{name}", json=body)
        assert answer.status_code in (200, 201), answer.text
    return name


def put_tariff(api: Api, **document: Any) -> str:
    name = f"real-{secrets.token_hex(4)}"
    answer = api.call("PUT", f"/tariffs/{name}", json=document)
    assert answer.status_code in (200, 201), answer.text
    return name


def write(home: Home, quantity: str, interval: str, energy_kwh: dict[int, Decimal]) -> None:
    answer = home.post(
        {
            "meter": "grid",
            "quantity": quantity,
            "kind": "interval",
            "unit": "kWh",
            "interval": interval,
            "stamp": "start",
            "at": list(energy_kwh),
            "value": [float(one) for one in energy_kwh.values()],
        }
    )
    assert answer.status_code == 200, answer.text


def sign(home: Home, tariff: str) -> None:
    body = {"contracts": [{"tariff": tariff, "from": "2019-12-01"}]}
    assert home.api.call("PUT", f"{home.path}/contracts", json=body).status_code in (200, 201)


@pytest.fixture(scope="module")
def supplier() -> dict[int, dict[str, Decimal]]:
    """Of each hour (epoch seconds) what the supplier's export says: price, energies in kWh, cost and credit in EUR."""
    head, *found = rows(ZONNEPLAN)
    hours = {}
    for row in found:
        told = dict(zip(head, row, strict=True))
        local = datetime.fromisoformat(told["DateFrom"]).replace(tzinfo=AMSTERDAM)  # no hour of these is repeated
        hours[int(local.timestamp())] = {
            "epex": Decimal(told["ElectricityEpexPrice"]),
            "import": Decimal(told["ElectricityConsumptionUsageKwh"] or 0),
            "cost": Decimal(told["ElectricityConsumptionCostsWithTax"] or 0),
            "export": -Decimal(told["ElectricityProductionUsageKwh"] or 0),
            "credit": -Decimal(told["ElectricityProductionCostsWithTax"] or 0),
        }
    return hours


@pytest.fixture(scope="module")
def dutch_home(api: Api, supplier: dict[int, dict[str, Decimal]]) -> Home:
    """The home, under the supplier's formula: EPEX with 21 % VAT, and 2 cents a kWh, taken and given."""
    series = put_series(api, "EUR/kWh", "PT1H", {at: one["epex"] for at, one in supplier.items()})
    spot = {"mul": [{"series": series}, "1.21"]}
    tariff = put_tariff(
        api,
        currency="EUR",
        time_zone="Europe/Amsterdam",
        valid={"from": "2023-01-01"},
        series={series: {"unit": "EUR/kWh"}},
        components=[
            {"id": "energy", "kind": "energy", "price": {"add": [spot, "0.02"]}},
            {"id": "surplus", "kind": "energy", "flow": "export", "price": {"add": [spot, "-0.02"]}},
        ],
        rounding={"at": "none"},
    )
    home = Home(api, timezone="Europe/Amsterdam")
    write(home, "energy_import", "PT1H", {at: one["import"] for at, one in supplier.items()})
    write(home, "energy_export", "PT1H", {at: one["export"] for at, one in supplier.items()})
    sign(home, tariff)
    return home


def columns(home: Home, group_by: str) -> tuple[list[dict[str, str]], dict[str, list[Decimal | None]]]:
    told = home.ask("cost_import,revenue_export", group_by, "2024-01-01", "2024-07-01")
    return told["buckets"], {one["measure"]: one["values"] for one in told["series"]}


def test_each_hour_costs_what_the_supplier_said(
    dutch_home: Home, supplier: dict[int, dict[str, Decimal]], record_property: Any
) -> None:
    buckets, ours = columns(dutch_home, "hourly")
    assert len(buckets) == len(supplier) == 4367
    worst = Decimal(0)
    for i, bucket in enumerate(buckets):
        theirs = supplier[int(datetime.fromisoformat(bucket["start"]).timestamp())]
        for measure, name in (("cost_import", "cost"), ("revenue_export", "credit")):
            value = ours[measure][i]
            assert value is not None
            worst = max(worst, abs(value - theirs[name]))
    assert worst < Decimal("0.000001")  # their prices have more digits than they tell
    record_property("figures", f"4,367 hours of a Dutch home: largest difference to its supplier {worst:.9f} EUR")


def test_each_month_costs_what_the_supplier_said_to_the_cent(
    dutch_home: Home, supplier: dict[int, dict[str, Decimal]], record_property: Any
) -> None:
    theirs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for at, one in supplier.items():
        month = datetime.fromtimestamp(at, AMSTERDAM).strftime("%Y-%m")
        for name in ("cost", "credit"):
            theirs[month][name] += one[name]
    buckets, ours = columns(dutch_home, "monthly")
    assert [bucket["start"][:7] for bucket in buckets] == sorted(theirs)
    lines = []
    for i, month in enumerate(sorted(theirs)):
        for measure, name in (("cost_import", "cost"), ("revenue_export", "credit")):
            value = ours[measure][i]
            assert value is not None
            assert abs(value - theirs[month][name]) < Decimal("0.0001")
            assert round(value, 2) == round(theirs[month][name], 2)
            lines.append(f"{month} {name} {value:.4f} / {theirs[month][name]:.4f}")
    record_property("figures", "ours / the supplier's, EUR: " + "; ".join(lines))


def test_a_london_home_on_agile_pays_what_a_plain_calculation_says(api: Api, record_property: Any) -> None:
    """A London home of 2013 at the prices of 2020: half-hour after half-hour from 1 January, UTC."""
    prices = {int(datetime.fromisoformat(row[0]).timestamp()): Decimal(row[4]) for row in rows(AGILE)}
    first = datetime(2020, 1, 1, tzinfo=UTC)
    energy: dict[int, Decimal] = {}
    for row in itertools.islice(rows(LONDON), 1, None):
        try:
            at, kwh = datetime.fromisoformat(row[1]), Decimal(row[2].strip())
        except (ValueError, ArithmeticError):
            continue  # a gap in the data set
        place = round((at.replace(tzinfo=UTC) - datetime(2013, 1, 1, tzinfo=UTC)) / timedelta(minutes=30))
        energy[int((first + place * timedelta(minutes=30)).timestamp())] = round(kwh, 6)
    energy = {at: kwh for at, kwh in energy.items() if at in prices}
    series = put_series(api, "GBp/kWh", "PT30M", prices)
    tariff = put_tariff(
        api,
        currency="GBP",
        time_zone="Europe/London",
        valid={"from": "2019-01-01"},
        series={series: {"unit": "GBp/kWh"}},
        components=[{"id": "energy", "kind": "energy", "price": {"series": series}, "tax": "vat"}],
        taxes={"vat": {"rate": "0.05", "included": True}},
        rounding={"at": "none"},
    )
    home = Home(api, timezone="Europe/London")
    write(home, "energy_import", "PT30M", energy)
    sign(home, tariff)
    expected = sum((kwh * prices[at] for at, kwh in energy.items()), Decimal(0)) / 100
    answer = api.get(f"{home.path}/statement", {"start": "2020-01-01", "end": "2021-01-01"})
    told = json.loads(answer.text, parse_float=Decimal)
    assert len(energy) > 17_000
    assert abs(told["gross"] - expected) < Decimal("0.000001")
    assert abs(told["net"] - expected / Decimal("1.05")) < Decimal("0.000001")
    by_day: dict[str, Decimal] = defaultdict(Decimal)
    for at, kwh in energy.items():
        by_day[datetime.fromtimestamp(at, ZoneInfo("Europe/London")).date().isoformat()] += kwh * prices[at] / 100
    days = home.ask("cost_import", "daily", "2020-03-25", "2020-04-05")
    for bucket, value in zip(days["buckets"], days["series"][0]["values"], strict=True):
        assert abs(value - by_day[bucket["start"][:10]]) < Decimal("0.000000002")
    record_property("figures", f"a London home on Agile 2020: {told['gross']:.6f} GBP, by hand {expected:.6f}")
