"""Bad input: what is refused, how the refusal names what is wrong and what would be right, and that nothing is kept."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from homes import Api, Home, channel, expect_error, new_id

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
INTERVAL = {"kind": "interval", "interval": "PT15M"}


def without(name: str) -> dict[str, Any]:
    return {k: v for k, v in channel().items() if k != name}


#: What is wrong with a channel as a whole: the place that is named, and a word that says what would be right.
BAD_CHANNELS: dict[str, tuple[Any, str, str]] = {
    "more instants than values": (channel(value=[1]), "readings[0]", "as many"),
    "more values than instants": (channel(at=["2024-05-10T10:00:00Z"]), "readings[0]", "as many"),
    "no instants": (without("at"), "readings[0].at", "list"),
    "no values": (without("value"), "readings[0].value", "list"),
    "null instants": (channel(at=None), "readings[0].at", "list"),
    "an object of values": (channel(value={"0": 1}), "readings[0].value", "list"),
    "a text of instants": (channel(at="2024-05-10T10:00:00Z"), "readings[0].at", "list"),
    "no meter": (without("meter"), "readings[0].meter", "name of the meter"),
    "a number of a meter": (channel(meter=7), "readings[0].meter", "text"),
    "an empty meter": (channel(meter=""), "readings[0].meter", "1 to 64"),
    "a meter of 65 letters": (channel(meter="x" * 65), "readings[0].meter", "1 to 64"),
    "a meter with a slash": (channel(meter="a/b"), "readings[0].meter", "letters"),
    "a meter with a NUL": (channel(meter="a\0b"), "readings[0].meter", "letters"),
    "a meter with a line break": (channel(meter="grid\n"), "readings[0].meter", "letters"),
    "a meter of other letters": (channel(meter="compteur-é"), "readings[0].meter", "letters"),
    "a meter that turns the text around": (channel(meter="\u202egrid"), "readings[0].meter", "letters"),
    "no quantity": (without("quantity"), "readings[0].quantity", "energy_import"),
    "an unknown quantity": (channel(quantity="energy_drinks"), "readings[0].quantity", "energy_import"),
    "a quantity in capitals": (channel(quantity="ENERGY_IMPORT"), "readings[0].quantity", "energy_import"),
    "a list of quantities": (channel(quantity=["energy_import"]), "readings[0].quantity", "energy_import"),
    "an unknown unit": (channel(unit="furlong"), "readings[0].unit", "kWh"),
    "a unit of another dimension": (channel(unit="V"), "readings[0].unit", "kWh"),
    "a unit in small letters": (channel(unit="kwh"), "readings[0].unit", "kWh"),
    "power as the unit of a register": (channel(unit="W"), "readings[0].unit", "kWh"),
    "a number of a unit": (channel(unit=1000), "readings[0].unit", "kWh"),
    "an unknown kind": (channel(kind="rumour"), "readings[0].kind", "register"),
    "a kind that the quantity has not": (channel(kind="sample"), "readings[0].kind", "register"),
    "a register of voltage": (channel(quantity="voltage", unit="V"), "readings[0].kind", "sample"),
    "an object of a kind": (channel(kind={}), "readings[0].kind", "register"),
    "an interval without a length": (channel(kind="interval"), "readings[0].interval", "PT15M"),
    "an interval of no length": (channel(**{**INTERVAL, "interval": "PT0S"}), "readings[0].interval", "PT15M"),
    "an interval below 0": (channel(**{**INTERVAL, "interval": "-PT15M"}), "readings[0].interval", "PT15M"),
    "an interval of a word": (channel(**{**INTERVAL, "interval": "a while"}), "readings[0].interval", "PT15M"),
    "an interval of months": (channel(**{**INTERVAL, "interval": "P1M"}), "readings[0].interval", "PT15M"),
    "an interval of an age": (channel(**{**INTERVAL, "interval": "P99999999W"}), "readings[0].interval", "PT15M"),
    "an interval as a number": (channel(**{**INTERVAL, "interval": 900}), "readings[0].interval", "PT15M"),
    "an empty interval": (channel(**{**INTERVAL, "interval": ""}), "readings[0].interval", "PT15M"),
    "too few intervals": (channel(**{**INTERVAL, "interval": ["PT15M"]}), "readings[0].interval", "as many"),
    "an unknown stamp": (channel(**INTERVAL, stamp="middle"), "readings[0].stamp", "start or end"),
    "a number of a stamp": (channel(**INTERVAL, stamp=1), "readings[0].stamp", "start or end"),
    "a length of a register": (channel(interval="PT15M"), "readings[0].interval", "kind"),
    "a length of a voltage": (
        {k: v for k, v in channel(quantity="voltage", unit="V", interval="PT15M").items() if k != "kind"},
        "readings[0].kind",
        "sample",
    ),
    "a stamp of a register": (channel(stamp="end"), "readings[0].stamp", "kind"),
    "an unknown member": (channel(values=[1]), "readings[0].values", "no such member"),
    "a null channel": (None, "readings[0]", "meter, quantity"),
    "a list of a channel": ([1, 2], "readings[0]", "meter, quantity"),
    "a text of a channel": ("grid", "readings[0]", "meter, quantity"),
}


@pytest.mark.parametrize("what", BAD_CHANNELS)
def test_a_channel_that_is_wrong_as_a_whole_refuses_the_body(home: Home, what: str) -> None:
    bad, where, right = BAD_CHANNELS[what]
    before = home.everything()
    told = expect_error(home.post(bad, channel(meter="other")), 400, "bad_input")
    assert told["details"][0]["where"] == where
    assert right in told["details"][0]["why"]
    assert told["error"].startswith(where), "the sentence names the place"
    assert home.everything() == before, "nothing of the body is kept"


def test_all_faults_of_a_body_are_told_at_once(home: Home) -> None:
    bad = [channel(quantity="a", unit="b", kind="c"), channel(unit="V", stamp="x"), channel(meter="", extra=1)]
    body = {"household": "no name", "readings": bad, "more": 1}
    told = expect_error(home.api.post("/readings", body), 400, "bad_input")
    assert {one["where"] for one in told["details"]} == {
        "household",
        "more",
        "readings[0].quantity",
        "readings[0].kind",
        "readings[1].unit",
        "readings[1].stamp",
        "readings[2].meter",
        "readings[2].extra",
    }


#: A single reading that can't be, as JSON text, and a word of the reason.
BAD_VALUES = {
    "a text": ('"100.4"', "not a number"),
    "true": ("true", "not a number"),
    "null": ("null", "not a number"),
    "a list": ("[1]", "not a number"),
    "an object": ("{}", "not a number"),
    "1e300": ("1e300", "more than any home"),
    "above the bound": ("9000000001", "more than any home"),
    "below the bound": ("-9000000001", "more than any home"),
    "an integer of 400 digits": ("9" * 300, "more than any home"),
}
BAD_INSTANTS = {
    "a word": ('"soon"', "no instant such as"),
    "an empty text": ('""', "no instant such as"),
    "a date": ('"2024-05-10"', "no instant such as"),
    "a day that is not": ('"2024-02-30T00:00:00Z"', "no instant such as"),
    "hour 25": ('"2024-05-10T25:00:00Z"', "no instant such as"),
    "an offset of 99 hours": ('"2024-05-10T10:00:00+99:00"', "no instant such as"),
    "year 99999": ('"99999-05-10T10:00:00Z"', "no instant such as"),
    "year 9999": ('"9999-12-31T23:59:59Z"', "years"),
    "year 0001": ('"0001-01-01T00:00:00Z"', "years"),
    "year 0001, east of Greenwich": ('"0001-01-01T00:00:00+14:00"', "years"),
    "before 1970": ("-1000000000", "years"),
    "before 2000": ('"1999-12-31T23:59:59Z"', "before 2000"),
    "year 2100": ('"2100-01-01T00:00:00Z"', "day ahead"),
    "milliseconds": ("1715335200000", "seconds"),
    "nanoseconds": ("1715335200000000000", "seconds"),
    "an integer of 40 digits": ("9" * 40, "seconds"),
    "true": ("true", "ISO 8601"),
    "null": ("null", "ISO 8601"),
    "a list": ("[]", "ISO 8601"),
}


def single(home: Home, at: str, value: str, **more: Any) -> Any:
    """The answer to one reading among two good ones, given as JSON texts."""
    told = channel(at=["AT", "2024-05-10T10:15:00Z"], value=["VALUE", 100.1], **more)
    text = json.dumps({"household": home.id, "readings": [told]}).replace('"AT"', at).replace('"VALUE"', value)
    return home.api.call("POST", "/readings", content=text.encode())


def expect_one_refused(answer: Any, word: str) -> None:
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["accepted"] == 1, "the good reading beside it is kept"
    assert [(one["where"], one["index"]) for one in told["refused"]] == [("readings[0]", 0)]
    assert word in told["refused"][0]["reason"]


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_value_that_can_not_be_is_refused_by_its_index(home: Home, what: str) -> None:
    value, word = BAD_VALUES[what]
    expect_one_refused(single(home, '"2024-05-10T10:00:00Z"', value), word)
    assert home.api.get(f"{home.path}/meters/grid/readings").json()["channels"][0]["value"] == [100.1]


@pytest.mark.parametrize("what", BAD_INSTANTS)
def test_an_instant_that_can_not_be_is_refused_by_its_index(home: Home, what: str) -> None:
    at, word = BAD_INSTANTS[what]
    expect_one_refused(single(home, at, "100"), word)
    assert len(home.api.get(f"{home.path}/meters/grid/readings").json()["channels"][0]["at"]) == 1


def test_readings_of_up_to_a_day_ahead_are_taken_and_later_ones_not(home: Home) -> None:
    now = int(time.time())
    assert home.write(at=[now + 86_000], value=[1])["accepted"] == 1
    expect_one_refused(single(home, str(now + 86_800), "100"), "day ahead")


@pytest.mark.parametrize(("quantity", "unit", "value"), [
    ("voltage", "V", 1e7), ("power_import", "MW", 2e3), ("temperature", "°C", -2e4), ("current", "A", 2e6),
])  # fmt: skip
def test_each_dimension_has_its_own_bound(home: Home, quantity: str, unit: str, value: float) -> None:
    told = home.write(quantity=quantity, kind="sample", unit=unit, at=[1715335200], value=[value])
    assert told["accepted"] == 0
    assert "more than any home" in told["refused"][0]["reason"]


#: Bodies that are no readings, and a word of what is said.
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "cut short": (b'{"household": "a", "readings": [', "JSON"),
    "two documents": (b'{"household": "a", "readings": []} {}', "JSON"),
    "NaN": (b'{"household": "a", "readings": [{"value": [NaN]}]}', "JSON"),
    "Infinity": (b'{"household": "a", "readings": [{"value": [Infinity]}]}', "JSON"),
    "1e999": (b'{"household": "a", "readings": [{"value": [1e999]}]}', "JSON"),
    "a comment": (b'{"household": "a" /* b */}', "JSON"),
    "a comma too many": (b'{"household": "a", "readings": [],}', "JSON"),
    "single quotes": (b"{'household': 'a'}", "JSON"),
    "not UTF-8": (b'{"household": "\xff\xfe"}', "JSON"),
    "UTF-16": ('{"household": "a"}'.encode("utf-16"), "JSON"),
    "a lone surrogate": (b'{"household": "\\ud800", "readings": []}', "JSON"),
    "an encoded surrogate": (b'{"household": "\xed\xa0\x80", "readings": []}', "JSON"),
    "nested lists": (b'{"household": "a", "readings": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "JSON"),
    "nested objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "JSON"),
    "no readings": (b'{"household": "a"}', "readings"),
    "no household": (b'{"readings": []}', "household"),
    "a number of a household": (b'{"household": 1, "readings": []}', "household"),
    "an empty household": (b'{"household": "", "readings": []}', "household"),
    "a household with a NUL": (b'{"household": "a\\u0000b", "readings": []}', "household"),
    "an object of readings": (b'{"household": "a", "readings": {}}', "readings"),
    "two households": (b'{"household": "a", "household": "b", "readings": []}', "twice"),
    "two lists of readings": (b'{"household": "a", "readings": [], "readings": []}', "twice"),
    "two lists of values": (b'{"household": "a", "readings": [{"value": [1], "at": [], "value": [2]}]}', "twice"),
    "a name written in two ways": (b'{"household": "a", "readings": [{"value": [1], "valu\\u0065": [2]}]}', "twice"),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_is_no_readings_is_refused(api: Api, what: str) -> None:
    body, word = BAD_BODIES[what]
    told = expect_error(api.call("POST", "/readings", content=body), 400, "bad_input")
    assert word in told["error"] + str(told["details"])


def test_words_of_a_body_may_stand_in_its_texts_too(home: Home) -> None:
    assert home.write(meter="value")["accepted"] == 9
    assert home.write(meter="at")["accepted"] == 9


def test_what_has_a_length_is_an_interval(api: Api) -> None:
    told, untold = Home(api), Home(api)
    told.write(kind="interval", interval="PT15M")
    body = {k: v for k, v in channel(interval="PT15M").items() if k != "kind"}
    assert untold.post(body).json()["accepted"] == 9
    assert untold.everything() == told.everything()


def test_readings_of_an_unknown_household_are_refused(api: Api) -> None:
    expect_error(api.post("/readings", {"household": new_id(), "readings": [channel()]}), 404, "not_found")


def test_no_readings_are_no_fault(home: Home) -> None:
    nothing = {"accepted": 0, "duplicates": 0, "set_aside": 0, "refused": []}
    assert home.post().json() == home.post(channel(at=[], value=[])).json() == nothing


# --- tables -----------------------------------------------------------------------------------------------------------

CSV_HEAD = "household,meter,quantity,kind,unit,at,value\n"
BAD_CSV: dict[str, tuple[bytes, str]] = {
    "an empty body": (b"", "empty"),
    "blank lines": (b"\n\n", "empty"),
    "no header": (b"home1,grid,energy_import,register,kWh,2024-05-10T10:00:00Z,1\n", "missing"),
    "a column that is missing": (b"household,meter,quantity,at\n", "value"),
    "a column that nobody knows": (CSV_HEAD[:-1].encode() + b",colour\n", "colour"),
    "a column that stands twice": (CSV_HEAD[:-1].encode() + b",value\n", "twice"),
    "rows of another length": (CSV_HEAD.encode() + b"a,b,c\n", "CSV"),
    "not UTF-8": (CSV_HEAD.encode() + b"\xff\xfe,grid,energy_import,,,2024-05-10T10:00:00Z,1\n", "CSV"),
    "a header that is not UTF-8": (b"\xff" + CSV_HEAD.encode(), "UTF-8"),
    "a NUL in a name": (CSV_HEAD.encode() + b"HOME,gr\0id,energy_import,,,2024-05-10T10:00:00Z,1\n", "meter"),
    "an unknown quantity": (CSV_HEAD.encode() + b"HOME,grid,gas,,,2024-05-10T10:00:00Z,1\n", "row 2.quantity"),
    "an unknown unit": (CSV_HEAD.encode() + b"HOME,grid,voltage,,kWh,2024-05-10T10:00:00Z,1\n", "row 2.unit"),
    "no household": (CSV_HEAD.encode() + b",grid,voltage,,V,2024-05-10T10:00:00Z,1\n", "row 2.household"),
    "an interval without a length": (
        CSV_HEAD.encode() + b"HOME,grid,energy_import,interval,kWh,2024-05-10T10:00:00Z,1\n",
        "row 2.interval",
    ),
    "a length of a register": (
        b"household,meter,quantity,kind,interval,at,value\n"
        b"HOME,grid,energy_import,register,PT15M,2024-05-10T10:00:00Z,1\n",
        "row 2.interval",
    ),
    "JSON": (b'{"household": "a", "readings": []}\n', "missing"),
    "a quote that never ends": (CSV_HEAD.encode() + b'"HOME,grid', "CSV"),
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
    assert [(one["where"], one["index"]) for one in told["refused"]] == [("row", 3)]


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
    "dates": {"at": pa.array([None, 19000], pa.date32())},
    "durations": {"at": pa.array([1, 2], pa.duration("s"))},
    "lists of instants": {"at": [[1], [2]]},
    "no instants": {"at": pa.nulls(2)},
    "lists of values": {"value": [[1.0], [2.0]]},
    "no values": {"value": pa.nulls(2)},
    "bools": {"value": [True, False]},
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


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_an_arrow_stream_that_is_compressed_inside_is_refused(home: Home, codec: str, dictionary: bool) -> None:
    columns = good_columns(home.id, 1000)
    if dictionary:
        columns["meter"] = pa.array(columns["meter"]).dictionary_encode()
    table, sink = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    answer = home.api.call("POST", "/readings", content=sink.getvalue(), headers={"Content-Type": ARROW})
    told = expect_error(answer, 400, "bad_input")
    assert "gzip" in told["error"], "what would be right is named"


def test_an_arrow_stream_of_very_many_rows_of_nothing_is_refused(home: Home) -> None:
    body = arrow_of({name: pa.nulls(10**9) for name in good_columns(home.id)})
    assert len(body) < 10_000
    answer = home.api.call("POST", "/readings", content=body, headers={"Content-Type": ARROW})
    assert "rows" in expect_error(answer, 413)["error"]
