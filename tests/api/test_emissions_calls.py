"""Emissions as clients see them: forms, shares, refusals, one device, what was known then, many homes."""

from __future__ import annotations

import csv
import io
import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import ARROW, PARQUET, Api, Home, expect_error

_NUMBERS = itertools.count(1)
HOURS = ["2024-05-10T10:00:00Z", "2024-05-10T11:00:00Z"]


@pytest.fixture
def zone() -> str:
    """A zone that nobody else uses, of no country that annual means are known of."""
    return f"ZZ-E{next(_NUMBERS)}"


def tell(api: Api, zone: str, *value: float | None, **more: Any) -> None:
    told = {"zone": zone, "kind": "measured", "interval": "PT1H", "unit": "gCO2eq/kWh", "at": HOURS[: len(value)],
            "value": list(value), **more}  # fmt: skip
    answer = api.post("/carbon-intensity", told)
    assert answer.status_code == 200, answer.text


def home_of(api: Api, zone: str, **more: Any) -> Home:
    """0.4 kWh are imported from 10 to 11 o'clock, and as much from 11 to 12."""
    home = Home(api, zone=zone, **more)
    home.write()
    return home


def series_of(home: Home, measures: str = "emissions_import", group_by: str = "hourly", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(home.ask_raw(measures, group_by, **more).text)["series"][0]
    return told


def test_a_series_tells_its_grams_by_which_steps_and_of_which_intensities(each_api: Api, zone: str) -> None:
    home = home_of(each_api, zone)
    tell(each_api, zone, 100, None, source="neso", boundary="direct")
    found = series_of(home)
    assert found["unit"] == "gCO2eq"
    assert found["values"] == [40.0, None]
    assert found["shares"] == {"measured": [1.0, 0.0], "unknown": [0.0, 1.0]}
    assert found["total"] == 40.0
    (lack,) = found["lacks"]
    assert (lack["bucket"], lack["share"]) == (1, 1.0)
    assert found["carbon"] == {
        "zone": zone, "source": "neso", "basis": "average", "boundary": "direct", "scope": "consumption",
        "method": "location", "energies": "gross", "mixed": False,
        "steps": [
            {"step": "measured", "share": 0.5, "source": "neso", "basis": "average", "boundary": "direct",
             "scope": "consumption"},
            {"step": "unknown", "share": 0.5},
        ],
    }  # fmt: skip


def test_an_intensity_counts_as_soon_as_it_is_told(each_api: Api, zone: str) -> None:
    home = home_of(each_api, zone)
    for grams in (100, 250.5, 0):
        tell(each_api, zone, grams, grams)
        assert series_of(home)["total"] == pytest.approx(0.8 * grams)


@pytest.mark.parametrize("form", ["csv", "ndjson", "arrow", "parquet"])
def test_every_table_has_the_shares_and_in_words_the_intensities(api: Api, zone: str, form: str) -> None:
    home = home_of(api, zone)
    tell(api, zone, 100, None)
    answer = home.ask_raw("emissions_import", "hourly", format=form)
    assert answer.status_code == 200, answer.text
    if form == "csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.text)))
    elif form == "ndjson":
        rows = [json.loads(line) for line in answer.text.splitlines()]
    else:
        read = {ARROW: lambda b: pa.ipc.open_stream(b).read_all(), PARQUET: pa.parquet.read_table}
        rows = read[answer.headers["content-type"]](io.BytesIO(answer.content)).to_pylist()
    told = [
        (float(row["emissions_import_gCO2eq"]) if row["emissions_import_gCO2eq"] not in ("", None) else None,
         float(row["emissions_import_share_measured"]), float(row["emissions_import_share_unknown"]))
        for row in rows
    ]  # fmt: skip
    assert told == [(40.0, 1.0, 0.0), (None, 0.0, 1.0)]
    assert {row["emissions_import_carbon"] for row in rows} == {f"{zone} uploaded average lifecycle consumption"}


def test_a_home_of_another_method_than_the_annual_mean_is_told_to_be_mixed(api: Api) -> None:
    zone = f"PT-E{next(_NUMBERS)}"  # Portugal's annual means are known
    home = home_of(api, zone)
    tell(api, zone, 100, boundary="direct")
    found = series_of(home)
    assert found["values"] == [40.0, 44.72]  # 0.4 kWh at 111.8 g/kWh, 2024
    assert found["carbon"]["mixed"] is True
    text = home.ask_raw("emissions_import", "total", format="csv").text
    assert f"{zone} uploaded average direct consumption mixed" in text


@pytest.mark.parametrize(
    ("query", "where", "why"),
    [
        ({"measures": "emissions_device"}, "meter", "name its meter; its devices are ev"),
        ({"measures": "emissions_device", "meter": "grid"}, "meter", "'grid' is no device"),
        ({"measures": "emissions_import", "meter": "ev"}, "meter", "emissions_import of a single meter can't be told"),
        ({"measures": "emissions_import", "carbon_source": "neso"}, "carbon_source", "there are: uploaded (lifecycle)"),
        ({"measures": "emissions_import", "carbon_boundary": "direct"}, "carbon_boundary", "no series of average"),
        ({"measures": "emissions_import", "carbon_boundary": "both"}, "carbon_boundary", "lifecycle, direct"),
        ({"measures": "emissions_import", "start": "1990-01-01"}, "end", "at most 20 years"),
    ],
)
def test_what_can_not_be_told_is_refused_with_what_can(
    api: Api, zone: str, query: dict[str, str], where: str, why: str
) -> None:
    home = home_of(api, zone)
    home.write(meter="ev", quantity="energy_consumption", value=[1 + i / 20 for i in range(9)])
    tell(api, zone, 100, 200)
    asked = {"group_by": "daily", "start": "2024-05-10", "end": "2024-05-11", **query}
    error = expect_error(api.get(f"{home.path}/statistics", asked), 400)
    assert [one["where"] for one in error["details"]] == [where]
    assert why in error["details"][0]["why"]


def test_devices_and_the_rest_are_the_home(api: Api, zone: str) -> None:
    home = home_of(api, zone)
    home.write(meter="ev", quantity="energy_consumption", value=[1 + i / 20 for i in range(9)])
    tell(api, zone, 100, 200)
    device = series_of(home, "emissions_device", meter="ev")
    rest, whole = (series_of(home, one)["values"] for one in ("emissions_untracked", "emissions_consumption"))
    assert (device["meter"], device["values"]) == ("ev", [20.0, 40.0])
    assert (rest, whole) == ([20.0, 40.0], [40.0, 80.0])
    assert device["carbon"]["own_production"][0]["g_per_kwh"] == 41.0


def test_as_of_counts_what_had_been_issued(each_api: Api, zone: str) -> None:
    home = home_of(each_api, zone)
    tell(each_api, zone, 100, 100, issued_at="2024-05-11T00:00:00Z")
    tell(each_api, zone, 300, 300, issued_at="2024-06-11T00:00:00Z")
    assert series_of(home)["total"] == 240.0
    assert series_of(home, as_of="2024-06-10T00:00:00Z")["total"] == 80.0
    assert series_of(home, as_of="2024-05-10T00:00:00Z")["total"] is None


def test_homes_of_one_method_add_up(each_api: Api, zone: str) -> None:
    homes = [home_of(each_api, zone), home_of(each_api, f"{zone}B")]
    tell(each_api, zone, 100, 200)
    tell(each_api, f"{zone}B", 50, None)
    query = {"measures": "emissions_import", "start": "2024-05-10", "end": "2024-05-11", "group_by": "total",
             "households": ",".join(one.id for one in homes), "total": "true"}  # fmt: skip
    answer = each_api.get("/statistics", query)
    (found,) = answer.json()["households"][0]["series"]
    assert found["values"] == [140.0]
    assert found["shares"] == {"measured": [0.75], "unknown": [0.25]}
    assert found["carbon"]["zone"] is None
    assert found["carbon"]["source"] == "uploaded"
    assert {one["step"]: one["share"] for one in found["carbon"]["steps"]} == {"measured": 0.75, "unknown": 0.25}


def test_homes_of_different_methods_are_not_added_up(api: Api, zone: str) -> None:
    homes = [home_of(api, zone), home_of(api, f"{zone}B")]
    tell(api, zone, 100, 200)
    tell(api, f"{zone}B", 50, 50, boundary="direct")
    query = {"measures": "emissions_import", "start": "2024-05-10", "end": "2024-05-11", "group_by": "total",
             "households": ",".join(one.id for one in homes)}  # fmt: skip
    assert [one["series"][0]["total"] for one in api.get("/statistics", query).json()["households"]] == [120.0, 40.0]
    error = expect_error(api.get("/statistics", {**query, "total": "true"}), 400)
    assert "average, direct, consumption; average, lifecycle, consumption" in error["details"][0]["why"]
    rates = {**query, "measures": "emissions_per_kwh", "total": "true"}
    expect_error(api.get("/statistics", rates), 400)


def test_the_summary_tells_emissions_where_they_are_known(api: Api, zone: str) -> None:
    home = Home(api, zone=zone)
    now = int(time.time()) // 900 * 900
    at = [datetime.fromtimestamp(now - 1800 + i * 900, UTC).isoformat() for i in range(3)]
    home.write(at=at, value=[1, 1.5, 2])
    assert "emissions_import" not in api.get(f"{home.path}/summary").json()["this_year"]
    tell(api, zone, 100, interval="PT1H", at=[datetime.fromtimestamp((now - 1800) // 3600 * 3600, UTC).isoformat()])
    tell(api, zone, 100, interval="PT1H", at=[datetime.fromtimestamp((now - 900) // 3600 * 3600, UTC).isoformat()])
    told = api.get(f"{home.path}/summary").json()["this_year"]["emissions_import"]
    assert (told["value"], told["unit"], told["carbon"]["source"]) == (100.0, "gCO2eq", "uploaded")


def test_emissions_of_different_methods_are_not_compared(api: Api) -> None:
    zone = f"PT-E{next(_NUMBERS)}"
    home = home_of(api, zone)
    tell(api, zone, 100, boundary="direct")  # of the first hour; of the second Portugal's annual mean alone is known
    query = {"group_by": "hourly", "start": HOURS[1], "end": "2024-05-10T12:00:00Z", "compare": "previous"}
    told = home.ask_raw("emissions_import", **query).json()["series"][0]
    assert told["carbon"]["boundary"] == "direct"
    tell(api, zone, 100, boundary="lifecycle", at=[HOURS[1]])
    told = home.ask_raw("emissions_import", **query).json()["series"][0]
    assert (told["carbon"]["boundary"], told["compared"]["carbon"]["boundary"]) == ("lifecycle", "direct")
    matched = told["compared"]["matched"]
    assert matched["change"] is None
    assert "different methods (average, direct, consumption; average, lifecycle, consumption)" in matched["why"]
