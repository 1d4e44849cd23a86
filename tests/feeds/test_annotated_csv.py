"""Annotated CSV: recorded answers in the form that InfluxDB documents, whole, cut off anywhere, and malformed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from statistics_manager_service.feeds.annotated_csv import Columns, Malformed, QueryFailed, read_rows

#: Two tables of the same columns, one with another type and a tag, one of text whose cells hold whatever they like.
#: The form is that of https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/.
RECORDED = (
    "#group,false,false,false,false,true,true\r\n"
    "#datatype,string,long,dateTime:RFC3339,double,string,string\r\n"
    "#default,_result,,,,,\r\n"
    ",result,table,_time,_value,_field,_measurement\r\n"
    ",,0,2023-01-01T00:00:00Z,230.1,voltage,key1\r\n"
    ",,0,2023-01-01T00:00:10Z,231,voltage,key1\r\n"
    ",,1,2023-01-01T00:00:00Z,1e3,powerImported,key1\r\n"
    "\r\n"
    "#datatype,string,long,dateTime:RFC3339,long,string,string,string\r\n"
    "#group,false,false,false,false,true,true,true\r\n"
    "#default,_result,,,7,,,\r\n"
    ",result,table,_time,_value,_field,_measurement,hub\r\n"
    ",,2,2023-01-01T00:00:00.123456789Z,42,energyImported,key1,cellar\r\n"
    ",other,2,2023-01-01T00:15:00Z,,energyImported,key1,cellar\r\n"
    "\r\n"
    "#datatype,string,long,dateTime:RFC3339,string,string,string\r\n"
    "#group,false,false,false,false,true,true\r\n"
    "#default,_result,,,,,\r\n"
    ",result,table,_time,_value,_field,_measurement\r\n"
    ',,3,2023-01-01T00:00:00Z,"a, ""b""\r\n\r\nc",status,"key\u20281"\r\n'
    "\r\n"
)
ERROR = (
    "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,Failed to parse query,897\r\n"
)


def lines_of(text: str) -> list[str]:
    *lines, rest = text.split("\n")
    return [*lines, rest] if rest else lines


def read(text: str) -> list[tuple[Columns, list[str]]]:
    return list(read_rows(lines_of(text)))


def cells(text: str) -> list[list[str]]:
    return [row[1:] for _, row in read(text)]


def test_rows_of_all_tables_come_with_the_columns_that_they_have() -> None:
    found = read(RECORDED)
    assert [row[1:] for _, row in found] == [
        ["_result", "0", "2023-01-01T00:00:00Z", "230.1", "voltage", "key1"],
        ["_result", "0", "2023-01-01T00:00:10Z", "231", "voltage", "key1"],
        ["_result", "1", "2023-01-01T00:00:00Z", "1e3", "powerImported", "key1"],
        ["_result", "2", "2023-01-01T00:00:00.123456789Z", "42", "energyImported", "key1", "cellar"],
        ["other", "2", "2023-01-01T00:15:00Z", "7", "energyImported", "key1", "cellar"],
        ["_result", "3", "2023-01-01T00:00:00Z", 'a, "b"\n\nc', "status", "key\u20281"],
    ]
    columns = [one for one, _ in found]
    assert columns[0] is columns[1] is columns[2]
    assert [one.datatypes[one.place("_value")] for one in columns] == ["double"] * 3 + ["long"] * 2 + ["string"]
    assert columns[3].is_group == (False, False, False, False, False, True, True, True)
    assert columns[3].names[1:] == ("result", "table", "_time", "_value", "_field", "_measurement", "hub")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_either_line_end_will_do(end: str) -> None:
    assert cells(RECORDED.replace("\r\n", end)) == cells(RECORDED)


def test_a_table_may_begin_without_an_empty_line_before_it() -> None:
    first, second, third, _ = RECORDED.split("\r\n\r\n#datatype")[0], *RECORDED.split("\r\n\r\n#datatype")[1:], ""
    assert cells(f"{first}\r\n#datatype{second}\r\n#datatype{third}") == cells(RECORDED)


def test_an_answer_without_any_table_is_an_empty_line() -> None:
    assert read("\r\n") == []
    header_alone = RECORDED.split(",,0,")[0]
    assert read(header_alone + "\r\n") == []


def test_further_annotations_and_empty_lines_are_passed_over() -> None:
    text = RECORDED.replace("#default,_result,,,7,,,\r\n", "#default,_result,,,7,,,\r\n#comment,of,nobody\r\n")
    assert cells("\r\n" + text.replace("\r\n\r\n#", "\r\n\r\n\r\n#") + "\r\n") == cells(RECORDED)


def test_whatever_is_cut_off_gives_whole_rows_alone_and_is_told() -> None:
    whole, taken_for_whole = read(RECORDED), []
    for size in range(len(RECORDED)):
        found = []
        try:
            for row in read_rows(lines_of(RECORDED[:size])):
                found.append(row)
        except Malformed:
            pass
        else:
            taken_for_whole.append(RECORDED[:size])
        assert found == whole[: len(found)]
    # where a table's empty line, or its CR, is the end: nothing else tells that another table should follow
    ends = [end for table in ("key1\r\n", "cellar\r\n", '1"\r\n') for end in (f"{table}\r", f"{table}\r\n")]
    assert [text.endswith(end) for text, end in zip(taken_for_whole, ends[:-1], strict=True)] == [True] * 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ERROR, "Failed to parse query"),
        ("error,reference\r\nFailed to parse query,897\r\n\r\n", "Failed to parse query"),
        (RECORDED.removesuffix("\r\n") + "\r\n" + ERROR, "Failed to parse query"),
        (",error,reference\r\n,\"a, b\nc\",\r\n", "a, b\nc"),
        (",error,reference\r\n\"\"\r\n", "no reason is told"),
    ],
)  # fmt: skip
def test_a_table_of_errors_says_that_the_query_failed(text: str, told: str) -> None:
    with pytest.raises(QueryFailed) as failed:
        read(text)
    assert str(failed.value) == told


def test_rows_before_a_table_of_errors_are_given() -> None:
    rows = read_rows([*RECORDED.splitlines()[:8], "", *ERROR.splitlines()])
    assert [next(rows)[1][4] for _ in range(3)] == ["230.1", "231", "1e3"]
    with pytest.raises(QueryFailed):
        next(rows)


def test_a_tag_of_the_name_error_is_no_error() -> None:
    assert [row[-1] for row in cells(RECORDED.replace("_measurement,hub", "_measurement,error"))][3] == "cellar"


HEADER = RECORDED.split(",,0,")[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("<html>\n<body>busy</body>\n</html>\n\n", "this is no header of a table: '<html>'"),
        ('{"code":"internal error"}\n\n', "this is no header of a table"),
        (HEADER + ",,0,2023-01-01T00:00:00Z,1,voltage\r\n\r\n", "a row has 6 cells, its header 7"),
        (HEADER + ",,0,2023-01-01T00:00:00Z,1,voltage,key1,x\r\n\r\n", "a row has 8 cells, its header 7"),
        (HEADER.replace("#datatype", "#other") + "\r\n", "a table does not tell its #datatype"),
        (HEADER.replace("double,", "") + "\r\n", "the row #datatype has 6 cells, its header 7"),
        (HEADER.replace("#default,", "#default,,") + "\r\n", "the row #default has 8 cells, its header 7"),
        (HEADER.replace("_field,_m", "_value,_m") + "\r\n", "this is no header of a table"),
        (HEADER + ',,0,2023-01-01T00:00:00Z,"1,voltage,key1\r\n', "a row can't be read: unexpected end of data"),
        (HEADER + ',,0,2023-01-01T00:00:00Z,"1"2,voltage,key1\r\n\r\n', "a row can't be read: ',' expected after"),
        (HEADER + ',,0,"' + "x\r\n" * 100_000, "a row can't be read: field larger than field limit"),
    ],
)
def test_what_is_no_annotated_csv_is_told(text: str, why: str) -> None:
    with pytest.raises(Malformed) as error:
        read(text)
    assert why in str(error.value)


def test_a_column_that_is_not_there_is_told() -> None:
    columns, _ = read(RECORDED)[0]
    with pytest.raises(Malformed, match="a table has no column hub"):
        columns.place("hub")


def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    def lines(count: int) -> Iterator[str]:
        yield from HEADER.splitlines()
        for number in range(count):
            yield f",,0,2023-01-01T00:00:00Z,{number},voltage,key1"
        yield ""

    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_rows(lines(count))) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(10)
    assert peak_bytes(20_000) < peak_bytes(200) + 20_000
