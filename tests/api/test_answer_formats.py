"""The same figures in every format, out and in."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import ARROW, PARQUET, Api, Home, channel

MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson", "arrow": ARROW, "parquet": PARQUET}
MEASURES = {"energy_import": "energy_import_kWh", "voltage": "voltage_V", "self_consumption_rate": None}
QUARTER_S = 900


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of an answer: labels as texts with offsets, numbers as decimals of their shortest text, None unknown."""
    media = answer.headers["content-type"].split(";")[0]
    if media == "text/csv":
        told = csv.DictReader(io.StringIO(answer.text))
        return [
            {k: v if k in ("household", "start", "end") else Decimal(v) if v else None for k, v in row.items()}
            for row in told
        ]
    if media == "application/x-ndjson":
        return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]
    reads = {ARROW: lambda b: pa.ipc.open_stream(b).read_all(), PARQUET: lambda b: pa.parquet.read_table(b)}
    rows = reads[media](io.BytesIO(answer.content)).to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return Decimal(repr(value)) if isinstance(value, float) else value


def column_name(measure: str) -> str:
    return MEASURES[measure] or measure


def rows_of_json(told: dict[str, Any], household: str | None = None) -> list[dict[str, Any]]:
    """What a table should hold, from the JSON answer."""
    rows = []
    for i, bucket in enumerate(told["buckets"]):
        row = {} if household is None else {"household": household}
        row |= bucket
        for one in told["series"]:
            row[column_name(one["measure"])] = one["values"][i]
            row[f"{one['measure']}_coverage"] = one["coverage"][i]
            row[f"{one['measure']}_estimated"] = one["estimated"][i]
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def autumn_home(api: Api) -> Home:
    """A home in Lisbon around the night of 27 October 2024 (25 hours), with a gap, voltages and production."""
    home = Home(api, timezone="Europe/Lisbon")
    first = int(datetime.fromisoformat("2024-10-26T23:00:00Z").timestamp())
    places = [i for i in range(101) if not 40 < i < 60]
    at = [first + i * QUARTER_S for i in places]
    home.write(at=at, value=[1000 + i * 0.123456 for i in places])
    home.write(at=at, value=[i * 0.05 for i in places], meter="pv", quantity="energy_production")
    home.write(at=at, value=[230 + i % 7 / 10 for i in places], quantity="voltage", kind="sample", unit="V")
    return home


@pytest.mark.parametrize("named", MEDIA)
@pytest.mark.parametrize("group_by", ["15_mins", "hourly", "daily", "total"])
def test_every_format_tells_what_json_tells_to_the_digit(autumn_home: Home, named: str, group_by: str) -> None:
    query = {"measures": ",".join(MEASURES), "start": "2024-10-27", "end": "2024-10-29", "group_by": group_by}
    told = autumn_home.ask(**query)
    answer = autumn_home.ask_raw(**query, format=named)
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == MEDIA[named]
    assert rows_of(answer) == rows_of_json(told)
    if group_by != "total":
        assert None in told["series"][0]["values"], "the answer must hold an unknown value"


@pytest.mark.parametrize("named", MEDIA)
def test_the_repeated_hour_is_two_rows_with_their_offsets(autumn_home: Home, named: str) -> None:
    query = {"measures": "energy_import", "start": "2024-10-27", "end": "2024-10-28", "group_by": "hourly"}
    rows = rows_of(autumn_home.ask_raw(**query, format=named))
    assert len(rows) == 25
    assert [row["start"] for row in rows[1:3]] == ["2024-10-27T01:00:00+01:00", "2024-10-27T01:00:00+00:00"]
    assert rows[-1]["end"] == "2024-10-28T00:00:00+00:00"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("text/html, text/csv;q=0.9", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/ndjson", "application/x-ndjson"),
        (ARROW, ARROW),
        (PARQUET, PARQUET),
        ("application/parquet", PARQUET),
        ("application/x-parquet", PARQUET),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
        # the greatest weight wins, and of equal ones the first
        ("text/csv;q=0.5, application/x-ndjson;q=0.6", "application/x-ndjson"),
        ("text/csv;q=0.5, application/x-ndjson; q=0.50", "text/csv"),
        ("application/x-ndjson;q=0.5,text/csv;q=0.5", "application/x-ndjson"),
        ("application/json, text/csv", "application/json"),
        ("text/csv, application/json", "text/csv"),
        ("TEXT/CSV;header=present;Q=1", "text/csv"),
        # a wildcard stands for what it covers, and what is named beside it for itself
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("text/*;q=0.3, application/*;q=0.2", "text/csv"),
        ("*/*;q=0.1, text/csv;q=0.2", "text/csv"),
        ("application/json;q=0.1, */*;q=0.5", "text/csv"),
        ("application/*, application/json;q=0.2", "application/x-ndjson"),
        # nothing is wanted of weight 0
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=0, text/*", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("application/json;q=0.000, text/csv;q=0.001", "text/csv"),
        ("*/*;q=0", "application/json"),
        # a weight that is none says nothing
        ("text/csv;q=x, application/x-ndjson;q=0.1", "application/x-ndjson"),
        ("text/csv;q=2, application/x-ndjson;q=0.1", "application/x-ndjson"),
        (",;,;q=1", "application/json"),
    ],
)
def test_the_accept_header_chooses_the_format(home: Home, accept: str, media: str) -> None:
    home.write()
    answer = home.ask_raw("energy_import", "hourly", headers={"Accept": accept})
    assert answer.headers["content-type"].split(";")[0] == media


def test_a_named_format_wins_over_the_accept_header(home: Home) -> None:
    answer = home.ask_raw("energy_import", "hourly", format="ndjson", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")


@pytest.mark.parametrize("named", MEDIA)
def test_many_homes_are_one_table_with_a_column_of_households(api: Api, autumn_home: Home, named: str) -> None:
    homes = [autumn_home, Home(api, timezone="Europe/Lisbon")]
    query = {"measures": "energy_import,voltage", "start": "2024-10-27", "end": "2024-10-28", "group_by": "hourly"}
    query["households"] = ",".join(one.id for one in homes)
    answer = api.get("/statistics", {**query, "format": named})
    alone = [homes[i].ask(**{k: v for k, v in query.items() if k != "households"}) for i in range(2)]
    assert rows_of(answer) == [
        row for one, told in zip(homes, alone, strict=True) for row in rows_of_json(told, one.id)
    ]


def test_the_csv_of_a_sum_names_its_homes_in_one_column(api: Api, autumn_home: Home) -> None:
    homes = [autumn_home, Home(api, timezone="Europe/Lisbon")]
    query = {"measures": "energy_import", "start": "2024-10-27", "end": "2024-10-28", "group_by": "daily"}
    query |= {"households": ",".join(one.id for one in homes), "total": "true"}
    table = list(csv.reader(io.StringIO(api.get("/statistics", {**query, "format": "csv"}).text)))
    assert [len(row) for row in table] == [len(table[0])] * 2
    assert dict(zip(*table, strict=True))["household"] == query["households"]
    told = api.get("/statistics", query).json()["households"][0]["series"][0]
    assert float(dict(zip(*table, strict=True))["energy_import_kWh"]) == told["values"][0]


def table_of(household: str, channels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Channels as rows: one a reading."""
    rows = []
    for told in channels:
        words = {k: v for k, v in told.items() if k not in ("at", "value")}
        rows += [
            {"household": household, **words, "at": at, "value": value}
            for at, value in zip(told["at"], told["value"], strict=True)
        ]
    return rows


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def as_arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    return sink.getvalue()


CHANNELS = [
    channel(),
    channel(meter="smart", kind="interval", interval="PT15M", stamp="end", value=[0.25 + i / 100 for i in range(9)]),
    channel(meter="pv", quantity="energy_production", unit="Wh", value=[5000 + 31.25 * i for i in range(9)]),
    channel(quantity="power_import", kind="sample", unit="W", value=[400 + i for i in range(9)]),
    channel(quantity="voltage", kind="sample", unit="V", value=[230 + i / 10 for i in range(9)]),
]
BODIES = {
    "text/csv": lambda rows: as_csv(rows),
    ARROW: lambda rows: as_arrow(as_table(rows)),
    PARQUET: lambda rows: as_parquet(as_table(rows)),
}


@pytest.mark.parametrize("media", BODIES)
def test_a_table_of_readings_gives_the_statistics_that_json_gives(each_api: Api, media: str) -> None:
    by_json, by_table = Home(each_api), Home(each_api)
    assert by_json.post(*CHANNELS).json()["accepted"] == 45
    body = BODIES[media](table_of(by_table.id, CHANNELS))
    answer = each_api.call("POST", "/readings", content=body, headers={"Content-Type": media})
    assert answer.json() == {"accepted": 45, "duplicates": 0, "set_aside": 0, "refused": []}
    assert by_table.everything() == by_json.everything()
    again = each_api.call("POST", "/readings", content=body, headers={"Content-Type": media})
    assert (again.json()["accepted"], again.json()["duplicates"]) == (0, 45)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_arrow_timestamps_of_every_unit_and_zone_are_the_same_instants(api: Api, unit: str, zone: str | None) -> None:
    by_json, by_table = Home(api), Home(api)
    by_json.write()
    table = as_table(table_of(by_table.id, [channel()]))
    instants = [datetime.fromisoformat(at) for at in channel()["at"]]
    place = table.column_names.index("at")
    table = table.set_column(place, "at", pa.array(instants, pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone)))
    answer = api.call("POST", "/readings", content=as_arrow(table), headers={"Content-Type": ARROW})
    assert answer.json()["accepted"] == 9
    assert by_table.everything() == by_json.everything()


def test_dictionaries_decimals_and_epoch_seconds_in_arrow_are_read(api: Api) -> None:
    by_json, by_table = Home(api), Home(api)
    by_json.write()
    told = channel()
    columns = {
        name: pa.array([word] * 9).dictionary_encode()
        for name, word in (("household", by_table.id), ("meter", "grid"), ("quantity", "energy_import"))
    }
    columns["unit"] = pa.array(["kWh"] * 9, pa.large_string())
    columns["at"] = pa.array([int(datetime.fromisoformat(at).timestamp()) for at in told["at"]], pa.int64())
    columns["value"] = pa.array([Decimal(str(value)) for value in told["value"]], pa.decimal128(12, 3))
    answer = api.call("POST", "/readings", content=as_arrow(pa.table(columns)), headers={"Content-Type": ARROW})
    assert answer.json()["accepted"] == 9, answer.text
    assert by_table.everything() == by_json.everything()


def test_a_table_holds_readings_of_many_homes(api: Api) -> None:
    homes = [Home(api) for _ in range(3)]
    rows = [row for one in homes for row in table_of(one.id, [channel()])]
    answer = api.call("POST", "/readings", content=as_csv(rows), headers={"Content-Type": "text/csv"})
    assert answer.json()["accepted"] == 27
    assert [one.values() for one in homes] == [[Decimal("0.4"), Decimal("0.4")]] * 3


def test_a_gzip_body_of_several_members_is_read_whole(api: Api) -> None:
    home = Home(api)
    lines = as_csv(table_of(home.id, [channel()])).splitlines(keepends=True)
    body = gzip.compress(b"".join(lines[:5])) + gzip.compress(b"".join(lines[5:]))
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    answer = api.call("POST", "/readings", content=body, headers=headers)
    assert answer.json()["accepted"] == 9, answer.text
    assert home.values() == [Decimal("0.4"), Decimal("0.4")]


def test_a_csv_row_that_is_refused_is_named_by_its_line(home: Home) -> None:
    body = as_csv(table_of(home.id, [channel(value=[*channel()["value"][:8], "many"])]))
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": "text/csv"})
    told = answer.json()
    assert told["accepted"] == 8
    assert [(one["where"], one["index"]) for one in told["refused"]] == [("row", 8)]
    assert "many" in told["refused"][0]["reason"]
