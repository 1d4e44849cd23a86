"""A real HTTP server that answers Flux queries as InfluxDB 2 does, from points of its own; with faults on demand.

It reads the query by Flux's own rules for tokens, and knows the one shape of a query that is sent to it: whatever a
measurement's name might smuggle in would be of another shape, and is answered 400 as a real one answers what it can't
compile.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from upstream_server import Answer, Request, UpstreamServer

QUERY = "/api/v2/query"
ORG, BUCKET, TOKEN = "flexihome", "interconnect-eot-meters", "a-token"
DATATYPES = {float: "double", int: "long", str: "string", bool: "boolean"}


class Point(NamedTuple):
    """One field of one point. at_ns: as InfluxDB keeps instants."""

    measurement: str
    field: str
    at_ns: int
    value: float | int | str | bool
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Query:
    """What a query asks for; instants in nanoseconds."""

    bucket: str
    start_ns: int
    stop_ns: int
    measurements: list[str]
    fields: list[str]

    def covers(self, point: Point) -> bool:
        return (
            self.start_ns <= point.at_ns < self.stop_ns
            and point.measurement in self.measurements
            and point.field in self.fields
        )


class NotFlux(Exception):
    """The query can't be compiled."""


_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z)|(?P<word>\w+)|(?P<mark>\|>|=>|==|[(){}\[\],.:]))',
    re.DOTALL,
)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def unquoted(literal: str) -> str:
    """The text of a literal of Flux. Raises NotFlux for one with an expression in it."""
    body = literal[1:-1]
    if re.search(r"(?<!\\)(?:\\\\)*\$\{", body):
        raise NotFlux("an expression in a text")

    def meant(found: re.Match[str]) -> str:
        if found[1] is not None:
            return chr(int(found[1], 16))
        if found[2] is not None:
            return "${"
        if found[3] not in _UNESCAPED:
            raise NotFlux(f"unknown escape \\{found[3]}")
        return _UNESCAPED[found[3]]

    return re.sub(r"\\(?:x([0-9a-f]{2})|(\$\{)|(.))", meant, body, flags=re.DOTALL)


def _tokens(flux: str) -> list[tuple[str, str]]:
    out, place, flux = [], 0, flux.rstrip()
    while place < len(flux):
        found = _TOKEN.match(flux, place)
        if found is None:
            raise NotFlux(f"invalid token at {flux[place : place + 20]!r}")
        kind = found.lastgroup or ""
        out.append((kind, found[kind]))
        place = found.end()
    return out


def nanoseconds(text: str) -> int:
    whole, _, decimals = text.rstrip("Z").partition(".")
    second = round(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return second * 10**9 + int(decimals.ljust(9, "0") or 0)


def _alternatives(tokens: list[tuple[str, str]], column: str) -> list[str]:
    """The texts of `r.column == "a" or r.column == "b"`, in front of a bracket that is taken off, too."""
    out = []
    while True:
        if [text for _, text in tokens[:4]] != ["r", ".", column, "=="] or tokens[4][0] != "text":
            raise NotFlux(f"{tokens[:5]} is no condition on {column}")
        out.append(unquoted(tokens[4][1]))
        following = tokens[5][1]
        del tokens[:6]
        if following == ")":
            return out
        if following != "or":
            raise NotFlux(f"{following!r} where or is expected")


def parse(flux: str) -> Query:
    """What a query asks for. Raises NotFlux."""
    tokens = _tokens(flux)

    def take(*marks: str) -> list[str]:
        taken = tokens[: len(marks)]
        del tokens[: len(marks)]
        if [mark if mark.startswith("<") else text for mark, (_, text) in zip(marks, taken, strict=True)] != [*marks]:
            raise NotFlux(f"{taken} where {marks} is expected")
        for mark, (kind, _) in zip(marks, taken, strict=True):
            if mark.startswith("<") and mark != f"<{kind}>":
                raise NotFlux(f"{taken} where {marks} is expected")
        return [text for mark, (_, text) in zip(marks, taken, strict=True) if mark.startswith("<")]

    (bucket,) = take("from", "(", "bucket", ":", "<text>", ")")
    start, stop = take("|>", "range", "(", "start", ":", "<time>", ",", "stop", ":", "<time>", ")")
    told = []
    for column in ("_measurement", "_field"):
        take("|>", "filter", "(", "fn", ":", "(", "r", ")", "=>")
        told.append(_alternatives(tokens, column))
    take("|>", "drop", "(", "columns", ":", "[", '"_start"', ",", '"_stop"', "]", ")")
    if tokens:
        raise NotFlux(f"{tokens[0]} behind the end")
    query = Query(unquoted(bucket), nanoseconds(start), nanoseconds(stop), *told)
    if query.stop_ns <= query.start_ns:
        raise NotFlux("cannot query an empty range")
    return query


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def _label(at_ns: int) -> str:
    second, rest = divmod(at_ns, 10**9)
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S") + decimals + "Z"


def csv_of(points: Iterable[Point]) -> str:
    """Points as annotated CSV: a table a series, its annotations where the columns change, an empty line at the end."""
    tables: dict[tuple[Any, ...], list[Point]] = {}
    for point in points:
        tables.setdefault((point.tags, type(point.value), point.measurement, point.field), []).append(point)
    out, shape = [], None
    for number, ((tags, kind, measurement, name), some) in enumerate(sorted(tables.items(), key=str)):
        names = [tag for tag, _ in tags]
        if shape != (names, kind):
            out += [""] if shape is not None else []
            shape = (names, kind)
            out.append(
                f"#datatype,string,long,dateTime:RFC3339,{DATATYPES[kind]},string,string" + ",string" * len(names)
            )
            out.append("#group,false,false,false,false,true,true" + ",true" * len(names))
            out.append("#default,_result,,,,," + "," * len(names))
            out.append(",".join(["", "result", "table", "_time", "_value", "_field", "_measurement", *names]))
        tail = "".join("," + _cell(text) for text in (name, measurement, *(value for _, value in tags)))
        for point in sorted(some, key=lambda one: one.at_ns):
            value = str(point.value).lower() if kind is bool else _cell(str(point.value))
            out.append(f",,{number},{_label(point.at_ns)},{value}{tail}")
    return "".join(line + "\r\n" for line in [*out, ""])


#: What a query is answered in place of its due answer, over the wire; whether the connection goes on.
Fault = Callable[[socket.socket, str], bool]


def send(wire: socket.socket, parts: Iterable[str]) -> None:
    """An answer of status 200 that has no end yet, a chunk a part."""
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in parts:
        encoded = part.encode()
        wire.sendall(b"%x\r\n%b\r\n" % (len(encoded), encoded) if encoded else b"")


def body(text: str) -> Fault:
    """Another body, whole."""

    def fault(wire: socket.socket, _due: str) -> bool:
        send(wire, [text])
        wire.sendall(b"0\r\n\r\n")
        return True

    return fault


def cut(share: float) -> Fault:
    """Some of the due answer, and then the connection ends."""

    def fault(wire: socket.socket, due: str) -> bool:
        send(wire, [due[: int(len(due) * share)]])
        return False

    return fault


def cut_unnoticed(share: float) -> Fault:
    """The same by a proxy that ends the answer as if it were whole."""
    return lambda wire, due: body(due[: int(len(due) * share)])(wire, due)


def breaks_off(share: float, message: str = "memory allocation limit reached") -> Fault:
    """Some whole lines of the due answer, and then a table that tells an error, as InfluxDB does."""

    def fault(wire: socket.socket, due: str) -> bool:
        lines = due.splitlines(keepends=True)
        some = "".join(lines[: int(len(lines) * share)])
        told = f"\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,{message},\r\n"
        return body(some + told)(wire, due)

    return fault


def dripping(wire: socket.socket, due: str) -> bool:
    """The due answer, and then a line that never ends, a character a moment, until the client leaves."""

    def parts() -> Iterator[str]:
        yield due
        while True:
            yield "#"
            time.sleep(0.05)

    send(wire, parts())
    return False


class InfluxServer(UpstreamServer):
    """The server. points: what the bucket holds. faults: of the next queries, None for a due answer."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        super().__init__()
        self.points = list(points)
        self.faults: list[Fault | None] = []
        self.answers_by(QUERY, self._answer)

    @property
    def queries(self) -> list[Query]:
        """The queries that were asked, in order."""
        return [parse(one.json["query"]) for one in self.asked(QUERY)]

    def settings(self) -> dict[str, str]:
        """What a service that reads from it is set."""
        return {"INFLUX_URL": self.url, "INFLUX_ORG": ORG, "INFLUX_BUCKET": BUCKET, "INFLUX_TOKEN": TOKEN}

    def take(self, request: Request, wire: socket.socket) -> bool:
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return super().take(request, wire)
        self.requests.append(request)
        answer = self._answer(request)
        assert answer.status == 200
        return fault(wire, answer.content.decode())

    def _answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Token {TOKEN}":
            return Answer({"code": "unauthorized", "message": "unauthorized access"}, 401)
        if request.query != {"org": ORG}:
            return Answer({"code": "not found", "message": "organization name not found"}, 404)
        try:
            query = parse(request.json["query"])
        except NotFlux as error:
            return Answer({"code": "invalid", "message": f"compilation failed: {error}"}, 400)
        if query.bucket != BUCKET:
            return Answer({"code": "not found", "message": "could not find bucket"}, 404)
        return Answer(csv_of(filter(query.covers, self.points)), kind="text/csv; charset=utf-8", chunked=True)
