"""Tables of readings: what each column may hold, and what becomes of a cell that can't be."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.errors import BadInput, TooLarge
from statistics_manager_service.ingest.tables import (
    MOST_UNPACKED_BYTES,
    decode_arrow,
    decode_csv,
    decode_parquet,
    decode_table,
)

AT_S = 1_715_335_200
AT = datetime(2024, 5, 10, 10, tzinfo=UTC)


def table_of(rows: int = 2, **columns: Any) -> pa.Table:
    good = {
        "household": ["h"] * rows, "meter": ["grid"] * rows, "quantity": ["energy_import"] * rows,
        "at": [AT_S] * rows, "value": [1.5] * rows,
    }  # fmt: skip
    return pa.table({**good, **columns})


def stream_of(table: pa.Table, compression: str | None = None, most_rows: int | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=most_rows)
    return sink.getvalue()


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, **options)
    return sink.getvalue()


def values_of(decoded: Decoded) -> list[float]:
    return [value for one in decoded.channels for value in one.value.tolist()]


def instants_of(decoded: Decoded) -> list[int]:
    return [at for one in decoded.channels for at in one.at_us.tolist()]


def dictionary(words: Any, places: Any) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int8()), words)


NUMBERS: dict[str, tuple[Any, list[float]]] = {
    "integers": (pa.array([2, None, 3], pa.int16()), [2, 3]),
    "integers beyond 2^53": (pa.array([2**53 + 1, -(2**62), 1]), [2.0**53, -(2.0**62), 1]),
    "unsigned integers": (pa.array([2**64 - 1, 5, 0], pa.uint64()), [2.0**64, 5, 0]),
    "half floats": (pa.array(np.array([1.5, 2, 3], np.float16)), [1.5, 2, 3]),
    "decimals": (pa.array([Decimal("6436.352"), None, Decimal("0.001")], pa.decimal128(18, 3)), [6436.352, 0.001]),
    "decimals of tens": (pa.array([Decimal(1500)], pa.decimal128(5, -2)).take([0, 0, 0]), [1500, 1500, 1500]),
    "decimals of 76 digits": (pa.array([Decimal("1" * 70)] * 3, pa.decimal256(76, 0)), [float("1" * 70)] * 3),
    "texts": (["6436.352", "-.5e1", None], [6436.352, -5]),
    "views of texts": (pa.array(["6436.352", "+5.", "1e3"], pa.string_view()), [6436.352, 5, 1000]),
    "a dictionary of integers": (dictionary(pa.array([7, None]), [0, 1, None]), [7]),
    "a dictionary of texts": (dictionary(pa.array(["7", "x"]), [0, 1, 0]), [7, 7]),
    "nothing": (pa.nulls(3), []),
}


@pytest.mark.parametrize("what", NUMBERS)
@pytest.mark.parametrize("form", [decode_table, lambda table: decode_arrow(stream_of(table))])
def test_numbers_of_any_type_are_values(what: str, form: Any) -> None:
    column, want = NUMBERS[what]
    found = form(table_of(3, value=column))
    assert values_of(found) == want
    assert len(found.refused) == 3 - len(want)


INSTANTS: dict[str, tuple[Any, list[float]]] = {
    "decimals": (pa.array([Decimal("1715335200.25"), Decimal("1e30")], pa.decimal128(38, 2)), [AT_S + 0.25]),
    "floats": ([AT_S + 0.5, float("nan")], [AT_S + 0.5]),
    "floats that would overflow": ([1e300, -1e12], []),
    "integers": (pa.array([AT_S, None], pa.int32()), [AT_S]),
    "a dictionary of integers": (dictionary(pa.array([AT_S, None]), [0, 1]), [AT_S]),
    "a dictionary of texts": (dictionary(pa.array(["2024-05-10T10:00:00Z", "x"]), [0, 1]), [AT_S]),
    "views of texts": (pa.array(["2024-05-10T10:00:00Z", None], pa.string_view()), [AT_S]),
    "timestamps": (pa.array([AT, None], pa.timestamp("ms", "UTC")), [AT_S]),
    "timestamps of a zone that nobody knows": (pa.array([AT, None], pa.timestamp("s", "Nowhere/Land")), [AT_S]),
    "timestamps beyond what a date can be": (pa.array([AT_S, 2**62], pa.timestamp("s")), [AT_S]),
    "a dictionary of timestamps": (dictionary(pa.array([AT, None], pa.timestamp("ns", "UTC")), [0, 1]), [AT_S]),
    "texts of epoch seconds": (["1715335200.5", ".5"], [AT_S + 0.5, 0.5]),
    "nothing": (pa.nulls(2), []),
}


@pytest.mark.parametrize("what", INSTANTS)
def test_instants_may_be_of_many_types(what: str) -> None:
    column, want = INSTANTS[what]
    found = decode_table(table_of(at=column))
    assert instants_of(found) == [round(one * 1_000_000) for one in want]
    assert all(one.reason for one in found.refused)
    assert len(found.refused) == 2 - len(want)


OF_NO_USE: dict[str, Any] = {
    "bools": [True, False],
    "a dictionary of bools": dictionary(pa.array([True, False]), [0, 1]),
    "dates": pa.array([19000, 2**31 - 1], pa.date32()),
    "dates in milliseconds": pa.array([0, 86_400_000 * 2**36], pa.date64()),
    "times": pa.array([1, 2], pa.time32("s")),
    "durations": pa.array([1, 2**62], pa.duration("s")),
    "bytes": [b"1", b"\xff"],
    "views of bytes": pa.array([b"1", b"\xff"], pa.binary_view()),
    "bytes of a fixed length": pa.array([b"ab", b"cd"], pa.binary(2)),
    "lists": [[1], [2]],
    "lists of a fixed length": pa.array([[1], [2]], pa.list_(pa.int8(), 1)),
    "objects": [{"a": 1}, {"a": 2}],
    "maps": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int8())),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array([1, 2])),
    "either numbers or texts": pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    ),
    "identifiers": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16, b"b" * 16], pa.binary(16))),
}


@pytest.mark.parametrize("what", OF_NO_USE)
@pytest.mark.parametrize("name", ["household", "quantity", "at", "value"])
def test_a_column_of_another_type_is_refused_with_what_it_holds_and_should(what: str, name: str) -> None:
    table = table_of(**{name: OF_NO_USE[what]})
    with pytest.raises(BadInput) as caught:
        decode_table(table)
    (fault,) = caught.value.faults
    assert fault.where == name
    assert f"holds {table.schema.field(name).type}"[:60] in fault.why
    assert "must hold" in fault.why


@pytest.mark.parametrize("what", OF_NO_USE)
def test_a_column_of_another_type_is_refused_in_a_file_too(what: str) -> None:
    try:
        body = parquet_of(table_of(value=OF_NO_USE[what]))
    except pa.ArrowNotImplementedError:
        pytest.skip("Parquet has no such type")
    with pytest.raises(BadInput, match="must hold numbers"):
        decode_parquet(body)


@given(st.lists(st.decimals(0, 10**9, places=3), min_size=1))
def test_a_decimal_is_the_same_number_as_its_text(numbers: list[Decimal]) -> None:
    found = decode_table(table_of(len(numbers), value=pa.array(numbers, pa.decimal128(18, 3))))
    assert values_of(found) == [float(str(one)) for one in numbers]


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("meters", [["grid"] * 1000, dictionary(pa.array(["grid"]), [0] * 1000)])
def test_an_arrow_stream_may_be_compressed_inside(codec: str, meters: Any) -> None:
    table = table_of(1000, meter=meters, value=np.arange(1000.0))
    body = stream_of(table, codec, most_rows=300)
    assert len(body) < len(stream_of(table, most_rows=300)), "it is compressed"
    assert values_of(decode_arrow(body)) == list(range(1000))


def test_a_compressed_stream_that_unpacks_to_very_much_is_refused_before_it_is() -> None:
    body = stream_of(pa.table({"value": np.zeros(MOST_UNPACKED_BYTES // 8 + 1)}), "zstd")
    assert len(body) < 100_000
    with most_allocated(2**20), pytest.raises(TooLarge, match="unpacks"):
        decode_arrow(body)


@pytest.mark.parametrize("told", [2**62, 17, 0, -5, -(2**63)])
def test_a_buffer_that_lies_about_its_length_is_refused(told: int) -> None:
    good = stream_of(table_of(1000), "zstd")
    place = good.rindex(struct.pack("<q", 8000))
    bad = good[:place] + struct.pack("<q", told) + good[place + 8 :]
    with pytest.raises((BadInput, TooLarge)):
        decode_arrow(bad)


@contextmanager
def most_allocated(size: int) -> Iterator[None]:
    """Fails where Arrow had more bytes at a time."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        yield
    finally:
        pa.set_memory_pool(usual)
    assert (pool.max_memory() or 0) <= size


def test_a_long_text_that_many_rows_of_a_file_name_is_unpacked_once() -> None:
    long, rows = "x" * 1_000_000, 400
    body = parquet_of(table_of(rows, meter=dictionary(pa.array([long]), [0] * rows)), store_schema=False)
    assert len(body) < 100_000
    with most_allocated(20_000_000), pytest.raises(BadInput, match="no name"):
        decode_parquet(body)


def test_a_file_that_tells_of_very_many_bytes_is_refused() -> None:
    rows = 1_000_000
    texts = pa.array([f"{i:0135d}" for i in range(rows)])
    body = parquet_of(table_of(rows, meter=texts), compression="zstd", use_dictionary=False)
    assert len(body) < 2**25
    with pytest.raises(TooLarge, match="unpacks"):
        decode_parquet(body)


def test_a_long_text_that_many_views_are_of_is_refused_unread() -> None:
    long = b"x" * 1_000_000
    view = struct.pack("<i4sii", len(long), long[:4], 0, 0)
    views = pa.Array.from_buffers(pa.string_view(), 200, [None, pa.py_buffer(view * 200), pa.py_buffer(long)])
    with pytest.raises(TooLarge, match="texts"):
        decode_arrow(stream_of(table_of(200, meter=views)))


def test_views_of_short_texts_are_words() -> None:
    meters = pa.array(["grid", "a_meter_with_a_long_name"], pa.string_view())
    found = decode_arrow(stream_of(table_of(meter=meters)))
    assert [one.meter for one in found.channels] == meters.to_pylist()


def test_words_are_the_same_in_whatever_dictionaries_they_stand() -> None:
    meters = [
        dictionary(pa.array(["pv", "grid", "grid"]), [0, 1, 2]),
        dictionary(pa.array(["grid", "unused", "pv"]), [2, 0, 0]),
    ]
    found = decode_table(table_of(6, meter=pa.chunked_array(meters), value=np.arange(6.0)))
    assert [(one.meter, one.value.tolist()) for one in found.channels] == [("pv", [0, 3]), ("grid", [1, 2, 4, 5])]


HEAD = "household,meter,quantity,at,value\n"
GOOD = f"h,grid,energy_import,{AT_S},1\n"


def csv(*cells: tuple[str, str]) -> bytes:
    return (HEAD + "".join(f'h,grid,energy_import,"{at}","{value}"\n' for at, value in cells)).encode()


@pytest.mark.parametrize("at", ["1715335200", "1715335200.", "1715335200.0", "1715335200.000000"])
@pytest.mark.parametrize("others", [[], ["2024-05-10T10:00:00Z"], ["soon"]])
def test_csv_takes_epoch_seconds_as_data_frames_write_them(at: str, others: list[str]) -> None:
    found = decode_csv(csv(*((one, "1") for one in [at, *others])))
    assert instants_of(found)[0] == AT_S * 1_000_000
    assert [one.index for one in found.refused] == ([1] if others == ["soon"] else [])


@pytest.mark.parametrize(
    "at",
    ["", " 1715335200", "1715335200 ", "1_715_335_200", "١٧١٥٣٣٥٢٠٠", "0x10", "nan", "infinity", "-1", "1e9", ".",
     "9" * 18, "9" * 30],
)  # fmt: skip
@pytest.mark.parametrize("others", [[], [str(AT_S)], ["2024-05-10T10:00:00Z"]])
def test_what_is_no_epoch_second_is_refused_with_a_reason(at: str, others: list[str]) -> None:
    (refused,) = decode_csv(csv((at, "1"), *((one, "1") for one in others))).refused
    assert (refused.where, refused.index) == ("row", 0)
    assert "instant" in refused.reason


@pytest.mark.parametrize("value", ["1.5", "1.", ".5", "-3", "+3", "1e3", "1E-3", "007"])
def test_csv_takes_plain_numbers(value: str) -> None:
    assert values_of(decode_csv(csv((str(AT_S), value)))) == [float(value)]


@pytest.mark.parametrize(
    "value", ["", " 1", "1 ", "\t1", "1_0", "١٢", "0x10", "nan", "NaN", "inf", "-Infinity", "1,5", "1e", ".", "1e999"]
)
def test_what_is_no_plain_number_is_refused_with_a_reason(value: str) -> None:
    (refused,) = decode_csv(csv((str(AT_S), value))).refused
    assert (refused.where, refused.index) == ("row", 0)
    assert "value" in refused.reason


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_header_alone_is_a_table_without_rows(end: str) -> None:
    found = decode_csv((HEAD.rstrip("\n") + end).encode())
    assert (found.channels, found.refused) == ([], [])


@pytest.mark.parametrize("blank", ["\n", "\n\n\n", "\r\n"])
def test_rows_are_counted_from_0_and_blank_lines_are_none(blank: str) -> None:
    body = blank + HEAD + blank + GOOD + blank + "h,grid,energy_import,soon,1\n" + blank + GOOD
    found = decode_csv(body.encode())
    assert [one.index for one in found.refused] == [1]
    assert [one.index.tolist() for one in found.channels if one.index is not None] == [[0, 2]]


def test_ragged_rows_are_named_by_the_same_count() -> None:
    with pytest.raises(BadInput) as caught:
        decode_csv(("\n" + HEAD + "\n\n" + GOOD + "\na,b\n" + GOOD + "a,b,c,d,e,f\n").encode())
    told = [(one.where, one.why) for one in caught.value.faults]
    assert [where for where, _ in told] == ["row 1", "row 3"]
    assert told[0][1] == "5 cells are expected, as in the header, and 2 found: 'a,b'"
    assert "6 found" in told[1][1]


def test_a_hundred_ragged_rows_are_named_and_no_more() -> None:
    with pytest.raises(BadInput) as caught:
        decode_csv((HEAD + "a,b\n" * 100_000).encode())
    assert [one.where for one in caught.value.faults] == [f"row {i}" for i in range(100)]


@pytest.mark.parametrize("row", [b"\xff", GOOD.encode().replace(b"grid", b"gr\xff"), HEAD.encode("utf-16")])
def test_csv_that_is_not_utf_8_is_refused_by_its_first_such_byte(row: bytes) -> None:
    with pytest.raises(BadInput, match=r"UTF-8: byte \d+ is 0xff"):
        decode_csv(HEAD.encode() + row)
