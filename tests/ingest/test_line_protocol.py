"""Line protocol: every way of reading a line gives the same; refused lines are named; real writers work unchanged."""

from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from servers import RunningService

from statistics_manager_service.errors import BadInput
from statistics_manager_service.ingest.line_protocol import decode_line_protocol

KNOWN = frozenset({"energyImported", "power_import", "voltage", "1.8.0", "a b,c=d"})
NOW_US = 1_700_000_000_123_456
PER_S = {"ns": 10**9, "us": 10**6, "ms": 10**3, "s": 1}

# --- what a line says -------------------------------------------------------------------------------------------------

names = st.text("abcXYZ019_-.:/é☀ ,=", min_size=1, max_size=8)
numbers = st.one_of(
    st.floats(-1e199, 1e199).map(lambda x: (repr(x), x)),
    st.integers(-(10**15), 10**15).map(lambda n: (f"{n}i", float(n))),
    st.integers(0, 10**15).map(lambda n: (f"{n}u", float(n))),
    st.integers(-(10**6), 10**6).map(lambda n: (f"{n / 1000:.3f}", n / 1000)),
    st.sampled_from([("1e3", 1000.0), ("1E-3", 0.001), ("-0.5e+2", -50.0), ("007", 7.0), ("1.", 1.0), (".5", 0.5)]),
)
passed_over = st.one_of(
    st.sampled_from(["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE", '""', "1", "2i"]),
    st.text("ab ,=#'é", max_size=6).map(lambda text: f'"{text}"'),
    st.text("ab", max_size=3).map(lambda text: f'"say \\"{text}\\", ok"'),
)


def escaped(name: str, marks: str) -> str:
    return "".join(f"\\{one}" if one in marks else one for one in name)


@st.composite
def lines(draw: st.DrawFn, precision: str) -> tuple[str, list[tuple[Any, ...]]]:
    """A line, and the rows that it says: (measurement, tags, field, instant in microseconds, value)."""
    measurement = draw(names.filter(lambda name: name[0] != "#"))
    tags = draw(st.dictionaries(names, names, max_size=3))
    fields = draw(st.dictionaries(st.sampled_from(sorted(KNOWN)), numbers, min_size=1, max_size=3))
    others = draw(st.dictionaries(names.filter(lambda name: name not in KNOWN), passed_over, max_size=2))
    stamp = draw(st.none() | st.integers(-(10**9), 4 * 10**9).map(lambda s: s * PER_S[precision]))
    head = "".join(
        [escaped(measurement, " ,"), *(f",{escaped(k, ' ,=')}={escaped(v, ' ,=')}" for k, v in tags.items())]
    )
    pairs = [(k, text) for k, (text, _) in fields.items()] + list(others.items())
    parts = [head, ",".join(f"{escaped(k, ' ,=')}={text}" for k, text in draw(st.permutations(pairs)))]
    if stamp is not None:
        parts.append(str(stamp))
    gap = draw(st.sampled_from([" ", " ", "  ", "     "]))
    line = draw(st.sampled_from(["", "", " "])) + gap.join(parts) + draw(st.sampled_from(["", "", " ", "\r", " \r"]))
    now = NOW_US * PER_S[precision] // 10**6
    at_us = (now if stamp is None else stamp) * 10**6 // PER_S[precision]
    return line, [(measurement, sorted(tags.items()), field, at_us, value) for field, (_, value) in fields.items()]


def read(
    text: str | bytes, precision: str = "ns"
) -> tuple[dict[int, list[tuple[Any, ...]]], dict[int, tuple[int, str]]]:
    """What a body says, and where and why it is refused, both by the number of the line."""
    body = text if isinstance(text, bytes) else text.encode()
    series, refused = decode_line_protocol(body, precision, known_fields=KNOWN, now_us=NOW_US)
    said: dict[int, list[tuple[Any, ...]]] = {}
    for one in series:
        for line, at, value in zip(one.line.tolist(), one.at_us.tolist(), one.value.tolist(), strict=True):
            said.setdefault(line, []).append((one.measurement, sorted(one.tags.items()), one.field, at, value))
    assert len({one.line for one in refused}) == len(refused)
    assert not said.keys() & {one.line for one in refused}, "a line is taken as a whole or refused as a whole"
    return {line: sorted(rows) for line, rows in said.items()}, {one.line: (one.column, one.reason) for one in refused}


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(sorted(PER_S)))
def test_a_line_says_what_it_was_written_from_wherever_it_stands(data: st.DataObject, precision: str) -> None:
    some = data.draw(st.lists(lines(precision), min_size=1, max_size=4))
    between = data.draw(st.sampled_from(["\n", "\n\n", "\n# a comment, with a=1 2\n", "\n   \n", "\n#x\r\n"]))
    texts = [line for line, _ in some] * 2  # again: now its series are known, and plain lines are read in short
    said, refused = read(between.join(texts), precision)
    assert refused == {}
    step = between.count("\n")
    assert said == {1 + i * step: sorted(rows) for i, (_, rows) in enumerate(some * 2)}


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A line in which some characters are others."""
    line = draw(st.one_of(st.just("m,t=1 voltage=1.5,1.8.0=7 1700000000"), lines("s").map(lambda pair: pair[0])))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(line)))
        new = draw(st.text('ab=, \t\r\\"#0159.+-_eEiu\u0663é\xa0\x0b\x00', max_size=2))
        line = line[:place] + new + line[place + draw(st.integers(0, 2)) :]
    return line


@settings(max_examples=300, deadline=None)
@given(st.lists(broken(), min_size=1, max_size=4))
def test_a_line_is_taken_or_refused_alike_alone_and_behind_its_like(some: list[str]) -> None:
    """Alone a line is read with care; behind lines of the same series it may be read in short."""
    whole = ["m,t=1 voltage=1,1.8.0=2 3", *some, *some]
    said, refused = read("\n".join(whole), "s")
    for number, line in enumerate(whole, start=1):
        alone, bad = read(f"# alone\n{line}", "s")
        assert said.get(number) == alone.get(2), line
        assert refused.get(number) == bad.get(2), line


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_breaks(body: bytes) -> None:
    try:
        said, refused = read(body)
    except BadInput as error:
        assert error.code == "invalid"
        assert error.faults
    else:
        assert all(column >= 1 and reason for column, reason in refused.values())
        assert max([*said, *refused], default=1) <= body.count(b"\n") + 1


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("m", 2, "ends before its fields"),
        ("m,t=1", 6, "ends before its fields"),
        ("m ", 3, "no field"),
        (",t=1 voltage=1 1", 1, "no measurement"),
        ("m,t voltage=1 1", 3, "no tag"),
        ("m,t= voltage=1 1", 3, "no tag"),
        ("m,=1 voltage=1 1", 3, "no tag"),
        ("m,a=1, voltage=1 1", 7, "no tag"),
        ("m voltage 1", 3, "no field"),
        ("m =1 1", 3, "no field"),
        ("m voltage= 1", 11, "no value"),
        ("m voltage=1,, 1", 13, "no field"),
        ("m voltage=1, 1", 12, "missing behind the comma"),
        ("m voltage=1,voltage=abc 1", 21, "no value of the field"),
        ("m voltage=1.5i 1", 11, "no value of the field"),
        ("m voltage=1_000 1", 11, "no value of the field"),
        ("m voltage=0x1F 1", 11, "no value of the field"),
        ("m voltage=\u0661 1", 11, "no value of the field"),
        ("m voltage=1\t 1", 11, "no value of the field"),
        ("m voltage=NaN 1", 11, "not a finite number"),
        ("m voltage=-inf 1", 11, "not a finite number"),
        ("m voltage=1e999 1", 11, "not a finite number"),
        ("m voltage=true 1", 11, "where a number is expected"),
        ('m voltage="230" 1', 11, "where a number is expected"),
        ('m other="open 1', 3, "not closed by a quotation mark"),
        ("m other=1 1", 3, "no field of this line is known"),
        ("m voltage=1 1.5", 13, "no time"),
        ("m voltage=1 +5", 13, "no time"),
        ("m voltage=1 5\t", 13, "no time"),
        ("m voltage=1 \u0665", 13, "no time"),
        ("m voltage=1 1_0", 13, "no time"),
        ("m voltage=1   soon", 15, "no time"),
        ("m voltage=1 1 2", 13, "no time"),
        ("m voltage=1 99999999999999999999", 13, "beyond 64 bits"),
        ("m voltage=1 9223372036854775808", 13, "beyond 64 bits"),
        ("m volt\x00age=1 1", 7, "control character"),
        ("m voltage=1 1\r\r", 14, "control character"),
    ],
)
def test_a_refused_line_is_named_with_its_line_its_column_and_the_reason(line: str, column: int, reason: str) -> None:
    """The columns are counted by hand: of the part that is wrong."""
    for before in ("# first\n", "m voltage=1 1\n", "m voltage=1 1\nm voltage=2 2\n\n"):
        said, refused = read(f"{before}{line}\nm voltage=3 3", "s")
        number = before.count("\n") + 1
        assert list(refused) == [number]
        assert refused[number][0] == column, refused
        assert reason in refused[number][1]
        assert said[number + 1] == [("m", [], "voltage", 3_000_000, 3.0)], "the good lines are kept"


@pytest.mark.parametrize(
    ("body", "precision", "reason"),
    [
        (b"", "ns", "no line"),
        (b" \n\r\n", "ns", "no line"),
        (b"m v=\xff 1", "ns", "not UTF-8"),
        (b"m v=1 1", "h", "'h'"),
    ],
)
def test_a_body_that_is_wrong_as_a_whole_is_refused_as_a_whole(body: bytes, precision: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as told:
        read(body, precision)
    assert told.value.code == "invalid"


@pytest.mark.parametrize("stamp", [2**63 - 1, -(2**63)])
@pytest.mark.parametrize("precision", sorted(PER_S))
def test_the_ends_of_64_bits_are_read_without_wrapping(stamp: int, precision: str) -> None:
    said, refused = read(f"m voltage=1 {stamp}", precision)
    assert refused == {}
    (row,) = said[1]
    assert (row[3] > NOW_US) == (stamp > 0)
    assert abs(row[3]) >= 2**63 // 1000 - 1


# --- real writers -----------------------------------------------------------------------------------------------------

AT = datetime(2024, 5, 10, 10, 0, 0, tzinfo=UTC)
PRECISIONS = {"ns": WritePrecision.NS, "us": WritePrecision.US, "ms": WritePrecision.MS, "s": WritePrecision.S}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service for all writers; each test writes to a household of its own."""
    store = tmp_path_factory.mktemp("lines") / "statistics.sqlite3"
    with RunningService({"DATABASE_URL": f"sqlite:///{store}"}) as service:
        yield service


@pytest.fixture
def home(running: RunningService, request: pytest.FixtureRequest) -> str:
    name = "h" + "".join(filter(str.isalnum, request.node.name))[-60:]
    assert running.call("PUT", f"/households/{name}", json={"api_key": f"dongle {name}"}).status_code == 201
    return name


def readings_of(service: RunningService, home: str, meter: str, quantity: str) -> dict[str, float]:
    answer = service.call("GET", f"/households/{home}/meters/{meter}/readings", params={"quantity": quantity})
    assert answer.status_code == 200, answer.text
    (channel,) = answer.json()["channels"]
    return dict(zip(channel["at"], channel["value"], strict=True))


def client_of(service: RunningService, **more: Any) -> InfluxDBClient:
    return InfluxDBClient(service.url, token=service.token(), org="any", **more)


@pytest.mark.parametrize("precision", sorted(PER_S))
@pytest.mark.parametrize("gzip", [False, True])
def test_the_official_client_writes_points_at_once(
    running: RunningService, home: str, precision: str, gzip: bool
) -> None:
    point = Point("telemetry").tag("household", home).tag("meter", "grid")
    point = point.field("energy_import", 6436352).field("power_import", 412.5).field("note", 'said "so", twice')
    with client_of(running, enable_gzip=gzip) as client:
        client.write_api(SYNCHRONOUS).write("any", record=point.time(AT, PRECISIONS[precision]))
    assert readings_of(running, home, "grid", "energy_import") == {"2024-05-10T10:00:00Z": 6436352}
    assert readings_of(running, home, "grid", "power_import") == {"2024-05-10T10:00:00Z": 412.5}


def test_the_official_client_writes_flexihomes_measurement_by_its_key(running: RunningService, home: str) -> None:
    """The key has a space in it, which the client escapes."""
    with client_of(running) as client:
        record = {"measurement": f"dongle {home}", "fields": {"energyImported": 7.0}, "time": AT}
        client.write_api(SYNCHRONOUS).write("any", record=record)
    assert readings_of(running, home, "dongle", "energy_import") == {"2024-05-10T10:00:00Z": 7}


def test_the_official_client_writes_in_batches_of_its_own(running: RunningService, home: str) -> None:
    answers: list[tuple[str, Any]] = []
    with client_of(running, enable_gzip=True) as client:
        options = WriteOptions(batch_size=100, flush_interval=200)
        with client.write_api(
            options,
            success_callback=lambda conf, data: answers.append(("good", data)),
            error_callback=lambda conf, data, error: answers.append(("bad", error)),
        ) as api:
            for i in range(950):
                api.write(
                    "any", record=f"x,household={home} energy_import={i} {1_715_335_200 + i}", write_precision="s"
                )
    assert {name for name, _ in answers} == {"good"}
    values = readings_of(running, home, "grid", "energy_import")
    assert sorted(values.values()) == [float(i) for i in range(950)]


def test_the_official_client_is_told_which_lines_are_wrong_and_the_others_are_kept(
    running: RunningService, home: str
) -> None:
    text = [
        f"x,household={home} voltage=230 1715335200",
        f"x,household={home} voltage=abc 1715335260",
        "x,household=nobody voltage=231 1715335320",
        f"x,household={home} voltage=232 1715335380",
        f"x,household={home} voltage=233 1",
    ]
    with client_of(running) as client, pytest.raises(ApiException) as told:
        client.write_api(SYNCHRONOUS).write("any", record=text, write_precision="s")
    assert told.value.status == 400
    answer = json.loads(told.value.body)
    assert answer["code"] == "invalid"
    assert answer["line"] == 2
    assert answer["message"].startswith("3 of 5 lines are refused")
    column = text[1].index("abc") + 1
    for part in (
        f"line 2, column {column}: 'abc'",
        "line 3, column 1: there is no household",
        "line 5, column 1: the instant",
    ):
        assert part in answer["message"]
    assert readings_of(running, home, "grid", "voltage") == {"2024-05-10T10:00:00Z": 230, "2024-05-10T10:03:00Z": 232}


def curl(service: RunningService, body: bytes, *options: str, precision: str = "s") -> tuple[int, str]:
    command = ["curl", "-sS", "-w", "\n%{http_code}", "-H", f"Authorization: Token {service.token()}"]
    command += ["--data-binary", "@-", *options, f"{service.url}/api/v2/write?org=o&bucket=b&precision={precision}"]
    done = subprocess.run(command, input=body, capture_output=True, check=True)
    text, _, status = done.stdout.decode().rpartition("\n")
    return int(status), text


@pytest.mark.parametrize("precision", sorted(PER_S))
def test_curl_writes_in_each_precision(running: RunningService, home: str, precision: str) -> None:
    stamp = int(AT.timestamp()) * PER_S[precision]
    body = (
        f"x,household={home} voltage=230.1 {stamp}\r\nx,household={home} voltage=231.5 {stamp + PER_S[precision]}\r\n"
    )
    assert curl(running, body.encode(), precision=precision) == (204, "")
    values = readings_of(running, home, "grid", "voltage")
    assert values == {"2024-05-10T10:00:00Z": 230.1, "2024-05-10T10:00:01Z": 231.5}


def test_curl_sends_gzip_and_chunks(running: RunningService, home: str, tmp_path: pathlib.Path) -> None:
    text = "\n".join(f"x,household={home} energy_import={i} {1_715_335_200 + i}" for i in range(500))
    packed = subprocess.run(["gzip", "-c"], input=text.encode(), capture_output=True, check=True).stdout
    options = ("-H", "Content-Encoding: gzip", "-H", "Transfer-Encoding: chunked")
    assert curl(running, packed, *options) == (204, "")
    assert len(readings_of(running, home, "grid", "energy_import")) == 500


def test_curl_is_told_of_a_hundred_wrong_lines_and_how_many_more_there_are(running: RunningService, home: str) -> None:
    good = f"x,household={home} voltage=230 1715335200"
    status, text = curl(running, "\n".join([good, *["wrong"] * 150]).encode())
    assert status == 400
    answer = json.loads(text)
    assert answer["line"] == 2
    assert answer["message"].startswith("150 of 151 lines are refused, the others are kept")
    assert answer["message"].count("column") == 100
    assert answer["message"].endswith("and 50 more")
    assert readings_of(running, home, "grid", "voltage") == {"2024-05-10T10:00:00Z": 230}


def test_a_request_without_a_token_is_refused_as_influxdb_does(running: RunningService) -> None:
    answer = httpx.post(f"{running.url}/api/v2/write?precision=s", content="x voltage=1 1")
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
