"""What is asked of an InfluxDB 2 and made of its answers; against a real server that answers as one, and fails."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from influx_server import (
    BUCKET,
    ORG,
    TOKEN,
    InfluxServer,
    Point,
    body,
    breaks_off,
    csv_of,
    cut,
    cut_unnoticed,
    dripping,
    parse,
    send,
)
from measured import us

from statistics_manager_service.errors import Declined, Unavailable
from statistics_manager_service.feeds.influxdb import FIELDS, InfluxDb, flux
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.telemetry.fields import KNOWN_FIELDS
from statistics_manager_service.services.telemetry.pulling import Piece

START_US, END_US = us("2023-01-01"), us("2023-01-02")
START_NS = START_US * 1000
S_NS = 10**9


@pytest.fixture
def server() -> Iterator[InfluxServer]:
    with InfluxServer() as running:
        yield running


@pytest.fixture
def influx(server: InfluxServer) -> Iterator[InfluxDb]:
    with closing(client(server)) as upstream:
        yield InfluxDb(upstream, ORG, BUCKET, rows_a_piece=50)


def client(server: InfluxServer, token: str = TOKEN, timeout_s: float = 5) -> Upstream:
    headers = {"Authorization": f"Token {token}", "Accept": "application/csv"}
    return Upstream("InfluxDB", server.url, timeout_s=timeout_s, attempts=2, headers=headers)


def samples(count: int, field: str = "voltage", measurement: str = "key1") -> list[Point]:
    return [Point(measurement, field, START_NS + 10 * S_NS * i, 230.0 + i / 10) for i in range(count)]


def pieces(influx: InfluxDb, *measurements: str) -> list[Piece]:
    return list(influx.pieces(measurements or ("key1",), START_US, END_US))


def told(some: list[Piece]) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Instants (seconds since the start) and values by measurement and field."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for series in (one for piece in some for one in piece.series):
        values = zip(((series.at_us - START_US) // 1_000_000).tolist(), series.value.tolist(), strict=True)
        found.setdefault((series.measurement, series.field), []).extend(values)
    return found


#: As InfluxDB writes it: two columns of numbers, a tag, instants of nanoseconds, a default, text and truth.
RECORDED = """\
#datatype,string,long,dateTime:RFC3339,double,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,_measurement\r
,,0,2023-01-01T00:00:00Z,230.1,voltage,key1\r
,,0,2023-01-01T00:00:10Z,NaN,voltage,key1\r
,,0,2023-01-01T00:00:20Z,+Inf,voltage,key1\r
,,0,2023-01-01T00:00:30Z,,voltage,key1\r
,,0,2023-01-01T00:00:40Z,2_3,voltage,key1\r
,,1,2023-01-01T01:00:00.000001999+01:00,2.3e+02,powerImported,key1\r
\r
#datatype,string,long,dateTime:RFC3339,long,string,string,string,string\r
#group,false,false,false,false,true,true,true,true\r
#default,_result,,,5,,,,\r
,result,table,_time,_value,_field,_measurement,hub,_start\r
,,2,2023-01-01T00:00:00.123456789Z,42,energyImported,key1,"cellar, left",x\r
,,2,2023-01-01T00:15:00Z,,energyImported,key1,"cellar, left",x\r
,,3,2023-01-01T00:15:00Z,7,energyImported,key1,,x\r
\r
#datatype,string,long,dateTime:RFC3339,string,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,_measurement\r
,,4,2023-01-01T00:00:00Z,12.5,powerExported,key1\r
\r
#datatype,string,long,dateTime:RFC3339,boolean,string,string\r
#group,false,false,false,false,true,true\r
#default,_result,,,,,\r
,result,table,_time,_value,_field,_measurement\r
,,5,2023-01-01T00:00:00Z,true,powerDifference,key1\r
\r
"""


def test_a_recorded_answer_is_read_with_its_types_tags_and_defaults(server: InfluxServer, influx: InfluxDb) -> None:
    server.faults = [body(RECORDED)]
    (piece,) = pieces(influx)
    found = [(one.field, one.tags, (one.at_us - START_US).tolist(), one.value.tolist()) for one in piece.series]
    assert found == [
        ("voltage", {}, [0], [230.1]),
        ("powerImported", {}, [1], [230.0]),
        ("energyImported", {"hub": "cellar, left"}, [123_456, 900_000_000], [42.0, 5.0]),
        ("energyImported", {}, [900_000_000], [7.0]),
    ]
    assert {one.measurement for one in piece.series} == {"key1"}
    lines = np.concatenate([one.line for one in piece.series])
    assert len(set(lines.tolist())) == 5


def test_what_is_no_number_is_refused_by_name_and_the_rest_is_read(server: InfluxServer, influx: InfluxDb) -> None:
    server.faults = [body(RECORDED)]
    (piece,) = pieces(influx)
    assert [(one.name, one.reason) for one in piece.refused] == [
        ("voltage at 2023-01-01T00:00:10Z", "'NaN' is not a finite number"),
        ("voltage at 2023-01-01T00:00:20Z", "'+Inf' is not a finite number"),
        ("voltage at 2023-01-01T00:00:30Z", "it has no value"),
        ("voltage at 2023-01-01T00:00:40Z", "'2_3' is not a finite number"),
        ("powerExported at 2023-01-01T00:00:00Z", "'12.5' is of type string, no number"),
        ("powerDifference at 2023-01-01T00:00:00Z", "'true' is of type boolean, no number"),
    ]
    assert piece.rows == len(piece.refused) + sum(len(one.at_us) for one in piece.series)


def test_the_request_is_that_of_the_query_api(server: InfluxServer, influx: InfluxDb) -> None:
    server.points = samples(1)
    pieces(influx, "key1", "meter1")
    (asked,) = server.requests
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v2/query", {"org": ORG})
    wanted = {"authorization": f"Token {TOKEN}", "content-type": "application/json", "accept": "application/csv"}
    assert {name: asked.headers[name] for name in wanted} == wanted
    assert asked.json["dialect"]["annotations"] == ["datatype", "group", "default"]
    assert asked.json["dialect"]["header"] is True
    assert asked.json["query"] == (
        'from(bucket: "interconnect-eot-meters")\n'
        "  |> range(start: 2023-01-01T00:00:00Z, stop: 2023-01-02T00:00:00Z)\n"
        '  |> filter(fn: (r) => r._measurement == "key1" or r._measurement == "meter1")\n'
        '  |> filter(fn: (r) => r._field == "energyImported" or r._field == "energyExported" '
        'or r._field == "powerImported" or r._field == "powerExported" or r._field == "powerDifference" '
        'or r._field == "voltage" or r._field == "meterPowerImported")\n'
        '  |> drop(columns: ["_start", "_stop"])\n'
    )


def test_the_fields_are_ones_that_line_protocol_knows() -> None:
    assert set(FIELDS) <= KNOWN_FIELDS


@pytest.mark.parametrize(
    "name",
    [
        'key" or true or r._measurement == "',
        'key") |> drop(columns: ["_start", "_stop"])\nfrom(bucket: "other',
        "${r._measurement}",
        "\\${1}",
        "\\\\${1}",
        "$${x}$",
        "key\\",
        "\\x41\\n",
        "a\nb\rc\td\x00\x1f\x7fe",
        "// no comment /* */",
        "schlüssel, «é» \u2028 🔌",
    ],
)
def test_no_name_of_a_measurement_changes_the_query(server: InfluxServer, influx: InfluxDb, name: str) -> None:
    query = parse(flux(name, [name, "key1"], START_US, END_US))
    assert (query.bucket, query.measurements) == (name, [name, "key1"])
    server.points = [*samples(2, measurement=name), *samples(2, measurement="another home's")]
    assert list(told(pieces(influx, name))) == [(name, "voltage")]


def test_the_window_is_half_open_to_the_microsecond(server: InfluxServer, influx: InfluxDb) -> None:
    ends = [START_NS - 1, START_NS, END_US * 1000 - 1, END_US * 1000]
    server.points = [Point("key1", "voltage", at_ns, float(place)) for place, at_ns in enumerate(ends)]
    assert [value for _, value in told(pieces(influx))["key1", "voltage"]] == [1.0, 2.0]
    query = parse(flux("b", ["key1"], START_US + 1, END_US - 1))
    assert (query.start_ns, query.stop_ns) == (START_NS + 1000, END_US * 1000 - 1000)


def test_rows_come_in_pieces_of_a_bounded_number(server: InfluxServer, influx: InfluxDb) -> None:
    server.points = [*samples(120), *samples(7, "powerImported")]
    some = pieces(influx)
    assert [piece.rows for piece in some] == [50, 50, 27]
    found = told(some)
    assert found["key1", "voltage"] == [(10 * i, 230.0 + i / 10) for i in range(120)]
    assert len(found["key1", "powerImported"]) == 7


def test_nothing_is_no_piece(influx: InfluxDb) -> None:
    assert pieces(influx) == []


# --- failures ---------------------------------------------------------------------------------------------------------


def failure(influx: InfluxDb) -> tuple[int, str]:
    """How many whole rows came before the failure, and what it says."""
    rows = 0
    with pytest.raises(Unavailable) as error:
        for piece in influx.pieces(["key1"], START_US, END_US):
            rows += piece.rows
    return rows, error.value.sentence


@pytest.mark.parametrize(
    ("fault", "rows", "sentence"),
    [
        (cut(0.5), 100, "InfluxDB cut its answer off: RemoteProtocolError"),
        (cut_unnoticed(0.5), 100, "InfluxDB answered nonsense: it was cut off: the empty line at its end is missing"),
        (breaks_off(0.5), 100, "InfluxDB could not answer: memory allocation limit reached"),
        (body(""), 0, "InfluxDB answered nonsense: it is empty"),
        (body("<html>busy</html>\n\n"), 0, "InfluxDB answered nonsense: this is no header of a table"),
        (body("x" * (2**20 + 1)), 0, "InfluxDB answered nonsense: a line of more than 1048576 characters"),
        (body(csv_of(samples(60)).replace("01-01T00:00:10", "01-32T")), 0, "'2023-01-32TZ' is no instant"),
        (body(csv_of(samples(60)).replace("_time", "time")), 0, "a table has no column _time"),
    ],
)
def test_a_broken_answer_is_worth_a_retry_and_gives_whole_rows_alone(
    server: InfluxServer, influx: InfluxDb, fault: object, rows: int, sentence: str
) -> None:
    server.points, server.faults = samples(240), [fault]  # type: ignore[list-item]
    came, told_sentence = failure(influx)
    assert sentence in told_sentence
    assert came == rows
    assert sum(piece.rows for piece in pieces(influx)) == 240


@pytest.mark.parametrize("way", ["truncated", "malformed", "wrong shape", "closed", "reset", "garbage", "endless"])
def test_whatever_it_does_the_call_ends_in_unavailable(server: InfluxServer, influx: InfluxDb, way: str) -> None:
    server.points = samples(3)
    server.fails(way)
    failure(influx)
    server.recovers()
    assert sum(piece.rows for piece in pieces(influx)) == 3


def test_a_server_that_is_down_or_answers_500_is_worth_a_retry(server: InfluxServer, influx: InfluxDb) -> None:
    server.points = samples(3)
    server.fails(status=500)
    assert failure(influx) == (0, "InfluxDB answered with status 500")
    server.recovers()
    server.fails(status=503, times=1)
    assert sum(piece.rows for piece in pieces(influx)) == 3  # the second attempt of the same call
    server.goes_down()
    assert failure(influx) == (0, "InfluxDB can't be reached: ConnectError")


def test_slowness_ends_by_the_time_limit(server: InfluxServer) -> None:
    server.points = samples(3)
    influx = InfluxDb(client(server, timeout_s=0.3), ORG, BUCKET)
    began_s = time.monotonic()
    server.fails("silent")
    assert failure(influx)[1] == "InfluxDB did not answer within 0.3 s"
    server.recovers()
    server.faults = [dripping]
    assert failure(influx)[1] == "InfluxDB did not end its answer within 0.3 s"
    assert time.monotonic() - began_s < 5


def test_who_reads_may_take_longer_than_the_time_limit(server: InfluxServer) -> None:
    server.points = samples(150)
    influx = InfluxDb(client(server, timeout_s=0.3), ORG, BUCKET, rows_a_piece=50)
    rows = 0
    for piece in influx.pieces(["key1"], START_US, END_US):
        rows += piece.rows
        time.sleep(0.2)
    assert rows == 150


def test_a_wrong_token_may_be_set_right(server: InfluxServer) -> None:
    influx = InfluxDb(client(server, token="another"), ORG, BUCKET)
    assert failure(influx) == (0, "InfluxDB answered with status 401")


@pytest.mark.parametrize(
    ("org", "bucket", "told"),
    [
        ("another", BUCKET, "organization name not found"),
        (ORG, "another", "could not find bucket"),
        (None, BUCKET, "organization name not found"),
    ],
)
def test_a_place_that_is_not_there_is_declined(server: InfluxServer, org: str | None, bucket: str, told: str) -> None:
    with pytest.raises(Declined) as error:
        list(InfluxDb(client(server), org, bucket).pieces(["key1"], START_US, END_US))
    assert error.value.sentence == (
        f"InfluxDB declined what it was asked, with status 404: {told}; are INFLUX_ORG and INFLUX_BUCKET right?"
    )


def test_a_connection_is_closed_where_nobody_reads_on(server: InfluxServer, influx: InfluxDb) -> None:
    ended: list[bool] = []

    def endless(wire: socket.socket, due: str) -> bool:
        try:
            send(wire, iter(lambda: due.removesuffix("\r\n"), None))
        except OSError:
            ended.append(True)
        return False

    server.points, server.faults = samples(100), [endless]
    with closing(influx.pieces(["key1"], START_US, END_US)) as some:
        assert next(some).rows == 50
    until_s = time.monotonic() + 5
    while not ended and time.monotonic() < until_s:
        time.sleep(0.02)
    assert ended


_READER = """
import resource, sys
from statistics_manager_service.feeds.influxdb import InfluxDb
from statistics_manager_service.feeds.upstream import Upstream
influx = InfluxDb(Upstream("InfluxDB", sys.argv[1], timeout_s=60, headers={"Authorization": sys.argv[2]}), sys.argv[3], sys.argv[4])
for _ in range(2):
    rows = sum(piece.rows for piece in influx.pieces(["key1"], int(sys.argv[5]), int(sys.argv[6])))
    print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""  # noqa: E501


def test_a_million_rows_take_no_more_memory_than_a_few(server: InfluxServer) -> None:
    server.points = samples(1000)
    once = csv_of(server.points).removesuffix("\r\n")
    rows = once[once.index(",,0,") :]

    def million(wire: socket.socket, _due: str) -> bool:
        send(wire, [once, *[rows * 10] * 99, rows * 9, "\r\n"])
        wire.sendall(b"0\r\n\r\n")
        return True

    def many(wire: socket.socket, _due: str) -> bool:
        send(wire, [once, rows * 39, "\r\n"])
        wire.sendall(b"0\r\n\r\n")
        return True

    server.faults = [many, million]
    arguments = [server.url, f"Token {TOKEN}", ORG, BUCKET, str(START_US), str(END_US)]
    done = subprocess.run(
        [sys.executable, "-c", _READER, *arguments], env=os.environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (few, before_kib), (lot, after_kib) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, lot) == (40_000, 1_000_000)
    assert after_kib - before_kib < 8 * 1024  # of an answer of some 50 MiB
