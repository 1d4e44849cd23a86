"""Bad tables of readings: CSV, Arrow streams, Parquet; refused by the row and the column that is wrong."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import ARROW, PARQUET, Api, Home, expect_error

from statistics_manager_service.ingest.tables import decode_table

CSV_HEAD = "household,meter,quantity,kind,unit,at,value\n"
BAD_CSV: dict[str, tuple[bytes, str]] = {
    "an empty body": (b"", "empty"),
    "blank lines": (b"\n\n", "empty"),
    "no header": (b"home1,grid,energy_import,register,kWh,2024-05-10T10:00:00Z,1\n", "missing"),
    "a column that is missing": (b"household,meter,quantity,at\n", "value"),
    "a column that nobody knows": (CSV_HEAD[:-1].encode() + b",colour\n", "colour"),
    "a column that stands twice": (CSV_HEAD[:-1].encode() + b",value\n", "twice"),
    "rows of another length": (CSV_HEAD.encode() + b"a,b,c\n", "row 0"),
    "not UTF-8": (CSV_HEAD.encode() + b"\xff\xfe,grid,energy_import,,,2024-05-10T10:00:00Z,1\n", "UTF-8"),
    "a header that is not UTF-8": (b"\xff" + CSV_HEAD.encode(), "UTF-8"),
    "a NUL in a name": (CSV_HEAD.encode() + b"HOME,gr\0id,energy_import,,,2024-05-10T10:00:00Z,1\n", "meter"),
    "an unknown quantity": (CSV_HEAD.encode() + b"HOME,grid,gas,,,2024-05-10T10:00:00Z,1\n", "row 0.quantity"),
    "an unknown unit": (CSV_HEAD.encode() + b"HOME,grid,voltage,,kWh,2024-05-10T10:00:00Z,1\n", "row 0.unit"),
    "no household": (CSV_HEAD.encode() + b",grid,voltage,,V,2024-05-10T10:00:00Z,1\n", "row 0.household"),
    "an interval without a length": (
        CSV_HEAD.encode() + b"HOME,grid,energy_import,interval,kWh,2024-05-10T10:00:00Z,1\n",
        "row 0.interval",
    ),
    "a length of a register": (
        b"household,meter,quantity,kind,interval,at,value\n"
        b"HOME,grid,energy_import,register,PT15M,2024-05-10T10:00:00Z,1\n",
        "row 0.interval",
    ),
    "JSON": (b'{"household": "a", "readings": []}\n', "missing"),
    "a quote that never ends": (CSV_HEAD.encode() + b'"HOME,grid', "row 0"),
}


@pytest.mark.parametrize("what", BAD_CSV)
def test_a_csv_body_that_is_wrong_is_refused_whole(home: Home, what: str) -> None:
    body, word = BAD_CSV[what]
    body = body.replace(b"HOME", home.id.encode())
    good = f"{home.id},other,voltage,sample,V,2024-05-10T10:00:00Z,230\n".encode()
    body += good if body.startswith(CSV_HEAD.encode()) else b""
    before = home.everything()
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": "text/csv"})
    told = expect_error(answer, 400, "bad_input")
    assert word in told["error"] + str(told["details"])
    assert home.everything() == before


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("2024-05-10T10:00:00Z", "NaN"), ("2024-05-10T10:00:00Z", "inf"), ("2024-05-10T10:00:00Z", "1e999"),
        ("2024-05-10T10:00:00Z", ""), ("2024-05-10T10:00:00Z", "1_000"), ("2024-05-10T10:00:00Z", "1,5"),
        ("2024-05-10T10:00:00Z", "0x10"), ("2024-05-10T10:00:00Z", "1e300"), ("", "1"), ("soon", "1"),
        ("10/05/2024 10:00", "1"), ("99999999999999999999", "1"), ("1e9", "1"), ("2024-05-10", "1"),
    ],
)  # fmt: skip
def test_a_row_that_can_not_be_is_refused_by_its_number(home: Home, at: str, value: str) -> None:
    row = f'{home.id},grid,energy_import,,kWh,"{at}","{value}"\n'
    good = f"{home.id},grid,energy_import,,kWh,2024-05-10T10:15:00Z,100\n"
    answer = home.api.call(
        "POST", "/readings", content=(CSV_HEAD + good + row).encode(), headers={"Content-Type": "text/csv"}
    )
    told = answer.json()
    assert (answer.status_code, told["accepted"]) == (200, 1), answer.text
    assert [(one["where"], one["index"]) for one in told["refused"]] == [("row", 1)]


def arrow_of(columns: dict[str, Any]) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def good_columns(household: str, rows: int = 2) -> dict[str, Any]:
    return {
        "household": [household] * rows,
        "meter": ["grid"] * rows,
        "quantity": ["energy_import"] * rows,
        "at": [1715335200 + i * 900 for i in range(rows)],
        "value": [100.0 + i for i in range(rows)],
    }


BAD_COLUMNS: dict[str, tuple[dict[str, Any], str]] = {
    "numbers of households": ({"household": [1, 2]}, "household"),
    "lists of meters": ({"meter": [["grid"], ["grid"]]}, "meter"),
    "objects of meters": ({"meter": [{"a": 1}, {"a": 1}]}, "meter"),
    "no meters": ({"meter": pa.nulls(2)}, "meter"),
    "bytes of quantities": ({"quantity": [b"energy_import", b"\xff"]}, "quantity"),
    "a dictionary of numbers": ({"quantity": pa.array([1, 2]).dictionary_encode()}, "quantity"),
    "a column that nobody knows": ({"colour": ["red", "blue"]}, "colour"),
    "dates": ({"at": pa.array([None, 2**31 - 1], pa.date32())}, "at"),
    "durations": ({"at": pa.array([1, 2**62], pa.duration("s"))}, "at"),
    "lists of instants": ({"at": [[1], [2]]}, "at"),
    "lists of values": ({"value": [[1.0], [2.0]]}, "value"),
    "bools": ({"value": [True, False]}, "value"),
}


@pytest.mark.parametrize("what", BAD_COLUMNS)
def test_a_column_of_the_wrong_kind_is_refused_by_its_name(home: Home, what: str) -> None:
    columns, where = BAD_COLUMNS[what]
    body = arrow_of({**good_columns(home.id), **columns})
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": ARROW})
    told = expect_error(answer, 400, "bad_input")
    assert where in told["details"][0]["where"]


BAD_ROWS: dict[str, dict[str, Any]] = {
    "unsigned instants beyond 63 bits": {"at": pa.array([1715335200, 2**63 + 5], pa.uint64())},
    "seconds that would wrap around": {"at": pa.array([1715335200, 1_715_335_200 + 2**58], pa.timestamp("s"))},
    "no instants": {"at": pa.nulls(2)},
    "no values": {"value": pa.nulls(2)},
    "not numbers": {"value": [float("nan"), float("inf")]},
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_row_of_a_table_that_can_not_be_is_refused_and_not_guessed(home: Home, what: str) -> None:
    body = arrow_of({**good_columns(home.id), **BAD_ROWS[what]})
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": ARROW})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["accepted"] + len(told["refused"]) == 2
    assert 1 in [one["index"] for one in told["refused"]]


@pytest.mark.parametrize("media", [ARROW, PARQUET])
@pytest.mark.parametrize("body", [b"", b"PAR1", b"nonsense" * 100, b"\xff\xff\xff\xff" + b"\0" * 40])
def test_bytes_that_are_no_table_are_refused(api: Api, media: str, body: bytes) -> None:
    expect_error(api.call("POST", "/readings", content=body, headers={"Content-Type": media}), 400, "bad_input")


@pytest.mark.parametrize("cut", [10, 100, 300, 500])
def test_a_table_that_ends_too_early_is_refused(home: Home, cut: int) -> None:
    body = arrow_of(good_columns(home.id, 100))
    answer = home.api.call("POST", "/readings", content=body[:-cut], headers={"Content-Type": ARROW})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["accepted"] == 100, "a stream without its end mark is whole"


def test_a_small_parquet_file_of_very_many_rows_is_refused(home: Home) -> None:
    rows = 5_000_000
    one = pa.table(good_columns(home.id, 1))
    sink = io.BytesIO()
    with pa.parquet.ParquetWriter(sink, one.schema, compression="zstd") as writer:
        block = one.take(pa.nulls(rows // 10, pa.int64()).fill_null(0))
        for _ in range(10):
            writer.write_table(block)
    assert len(sink.getvalue()) < 2**20, "it fits the limit of a body"
    answer = home.api.call("POST", "/readings", content=sink.getvalue(), headers={"Content-Type": PARQUET})
    told = expect_error(answer, 413)
    assert "rows" in told["error"]


def test_a_small_arrow_stream_that_unpacks_to_very_much_is_refused(home: Home) -> None:
    table, sink = pa.table({"value": np.zeros(2**25)}), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    assert len(sink.getvalue()) < 2**20, "it fits the limit of a body"
    answer = home.api.call("POST", "/readings", content=sink.getvalue(), headers={"Content-Type": ARROW})
    assert "unpacks" in expect_error(answer, 413)["error"]


def test_an_arrow_stream_of_very_many_rows_of_nothing_is_refused(home: Home) -> None:
    body = arrow_of({name: pa.nulls(10**9) for name in good_columns(home.id)})
    assert len(body) < 10_000
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": ARROW})
    assert "rows" in expect_error(answer, 413)["error"]


def test_rows_are_kept_apart_however_many_words_they_have() -> None:
    rows = 3_000
    told = {name: [f"{name}{i}" for i in range(rows)] for name in ("household", "meter")}
    told |= {"quantity": ["energy_import"] * rows, "kind": ["interval"] * rows, "unit": ["kWh", "Wh"] * (rows // 2)}
    told |= {"interval": [f"PT{i + 1}S" for i in range(rows)], "stamp": ["start", "end"] * (rows // 2)}
    table = pa.table({**told, "at": pa.array(range(rows), pa.timestamp("s", "UTC")), "value": np.arange(rows) * 1.0})
    found = decode_table(pa.concat_tables([table] * 2))
    assert [(one.household, one.meter) for one in found.channels] == list(
        zip(told["household"], told["meter"], strict=True)
    )
    assert [one.value.tolist() for one in found.channels] == [[i, i] for i in range(rows)]


ROW = "HOME,grid,voltage,,V,{at},{value}\n"


def send_csv(home: Home, *rows: tuple[str, str]) -> Any:
    text = CSV_HEAD + "".join(ROW.format(at=at, value=value) for at, value in rows)
    return home.api.call(
        "POST", "/readings", content=text.replace("HOME", home.id), headers={"Content-Type": "text/csv"}
    )


def test_csv_takes_epoch_seconds_as_data_frames_write_them(home: Home) -> None:
    assert send_csv(home, ("1715335200.0", "230")).json()["accepted"] == 1
    assert home.api.get(f"{home.path}/last").json()["channels"][0]["at"] == "2024-05-10T10:00:00Z"


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_header_alone_is_a_table_without_rows(home: Home, end: str) -> None:
    answer = home.api.call(
        "POST", "/readings", content=CSV_HEAD.rstrip("\n") + end, headers={"Content-Type": "text/csv"}
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)


def test_every_row_of_another_length_is_named(home: Home) -> None:
    text = CSV_HEAD + "\na,b\n" + ROW.format(at="1715335200", value="1") + "a,b,c\n"
    told = expect_error(home.api.call("POST", "/readings", content=text, headers={"Content-Type": "text/csv"}), 400)
    assert [one["where"] for one in told["details"]] == ["row 0", "row 2"]
    assert "7 cells" in told["details"][0]["why"]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**62), 2**64 - 1])
def test_an_integer_that_no_meter_shows_is_refused_alone(home: Home, number: int) -> None:
    kind = pa.uint64() if number > 2**63 else pa.int64()
    table = pa.table({
        "household": [home.id] * 2, "meter": ["grid"] * 2, "quantity": ["energy_import"] * 2, "unit": ["MWh"] * 2,
        "at": [1715335200, 1715336100], "value": pa.array([number, 5], kind),
    })  # fmt: skip
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    told = home.api.call("POST", "/readings", content=sink.getvalue(), headers={"Content-Type": ARROW}).json()
    assert (told["accepted"], [one["index"] for one in told["refused"]]) == (1, [0])


@pytest.mark.parametrize(
    "text", ["2024-01-01T00:00:00ZZ", "2024-01-01T00:00:00+05:00Z", "2024-01-01T00:00:00-05Z", " 2024-01-01T00:00:00Z"]
)
def test_a_malformed_instant_is_refused_whatever_stands_beside_it(home: Home, text: str) -> None:
    for others in ([], ["2024-01-02T00:00:00Z"], ["2024-01-02T00:00:00+00:00"]):
        at = [text, *others]
        told = home.api.post("/readings", {"household": home.id, "readings": [
            {"meter": "grid", "quantity": "voltage", "at": at, "value": [230] * len(at)}]}).json()  # fmt: skip
        assert [one["index"] for one in told["refused"]] == [0]
