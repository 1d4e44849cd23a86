"""`compare=` over HTTP: its members in JSON, its columns in tables, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import ARROW, PARQUET, Api, Home, expect_error

ASKED = {
    "measures": "energy_import",
    "start": "2024-02-28",
    "end": "2024-03-02",
    "group_by": "daily",
    "compare": "year",
}


@pytest.fixture(scope="module")
def compared(api: Api) -> Home:
    """A home that took 1 kWh a day in 2023 and 2 kWh in 2024, but for the 1st of March 2024."""
    home = Home(api)
    days = [f"2023-02-{day:02d}" for day in (27, 28)] + ["2023-03-01", "2023-03-02"]
    value, energies = [100.0], [1, 1, 1]
    for one in energies:
        value.append(value[-1] + one)
    home.write(at=[f"{day}T00:00:00Z" for day in days], value=value)
    home.write(at=["2024-02-28T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"], value=[500, 502, 504])
    return home


def test_each_series_stands_beside_what_it_was(compared: Home) -> None:
    answer = compared.api.get(f"{compared.path}/statistics", ASKED).json()
    assert answer["compare"] == {
        "kind": "year",
        "start": "2023-02-28T00:00:00+00:00",
        "end": "2023-03-02T00:00:00+00:00",
        "matched_by": "day",
        "buckets": [
            {"start": "2023-02-28T00:00:00+00:00", "end": "2023-03-01T00:00:00+00:00"},
            None,
            {"start": "2023-03-01T00:00:00+00:00", "end": "2023-03-02T00:00:00+00:00"},
        ],
    }
    (series,) = answer["series"]
    assert series["values"][:2] == [2.0, 2.0]
    found = series["compared"]
    assert (found["values"], found["total"]) == ([1.0, None, 1.0], 2.0)
    assert found["estimated"] == [1.0, 0.0, 1.0]


def rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_have_further_columns(compared: Home) -> None:
    path = f"{compared.path}/statistics"
    names = [
        "start", "end", "energy_import_kWh", "energy_import_coverage", "energy_import_estimated", "compared_start",
        "compared_end", "energy_import_kWh_compared", "energy_import_compared_coverage",
        "energy_import_compared_estimated",
    ]  # fmt: skip
    table = rows(compared.api.get(path, {**ASKED, "format": "csv"}).text)
    assert list(table[0]) == names
    assert [one["energy_import_kWh_compared"] for one in table] == ["1.0", "", "1.0"]
    assert [one["compared_start"] for one in table] == ["2023-02-28T00:00:00+00:00", "", "2023-03-01T00:00:00+00:00"]
    lines = compared.api.get(path, {**ASKED, "format": "ndjson"}).text.splitlines()
    assert [json.loads(line)["compared_end"] for line in lines][:2] == ["2023-03-01T00:00:00+00:00", None]
    for media, read in ((ARROW, lambda body: pa.ipc.open_stream(body).read_all()), (PARQUET, _parquet)):
        found = read(compared.api.get(path, ASKED, headers={"Accept": media}).content)
        assert found.column_names == names
        assert found["energy_import_kWh_compared"].to_pylist() == [1.0, None, 1.0]
        assert found["compared_start"].null_count == 1


def _parquet(body: bytes) -> pa.Table:
    return pa.parquet.read_table(io.BytesIO(body))


def test_a_comparison_is_not_mixed_up_with_the_plain_answer(compared: Home) -> None:
    path = f"{compared.path}/statistics"
    plain = {name: value for name, value in ASKED.items() if name != "compare"}
    for _ in range(2):  # the second time as it is remembered
        assert "compare" not in compared.api.get(path, plain).json()
        assert compared.api.get(path, ASKED).json()["compare"]["kind"] == "year"
        assert compared.api.get(path, {**plain, "compare": "previous"}).json()["compare"]["kind"] == "previous"


def test_many_homes_are_compared_each_and_in_total(compared: Home) -> None:
    other = Home(compared.api)
    asked = {**ASKED, "households": f"{compared.id},{other.id}", "timezone": "UTC"}
    each = compared.api.get("/statistics", asked).json()
    assert each["compare"]["kind"] == "year"
    assert [one["series"][0]["compared"]["total"] for one in each["households"]] == [2.0, None]
    (total,) = compared.api.get("/statistics", {**asked, "total": "true"}).json()["households"]
    assert total["series"][0]["compared"]["total"] == 2.0


def test_an_unknown_comparison_is_refused_with_all_other_faults(compared: Home) -> None:
    answer = compared.api.get(f"{compared.path}/statistics", {**ASKED, "compare": "decade", "group_by": "x"})
    told = expect_error(answer, 400, "bad_input")
    assert {one["where"]: one["why"] for one in told["details"]}["compare"] == "'decade' is not one of previous, year"
    assert {one["where"] for one in told["details"]} == {"compare", "group_by"}


def test_a_time_without_an_earlier_one_is_refused(compared: Home) -> None:
    asked = {**ASKED, "start": "1970-02-01", "end": "1970-03-01"}
    told = expect_error(compared.api.get(f"{compared.path}/statistics", asked), 400)
    assert told["details"][0]["where"] == "compare"
