"""Writing: live and in bulk, through the service's function and over HTTP, beside rows by executemany."""

from __future__ import annotations

import pathlib
import sqlite3
import time
from collections.abc import Callable, Iterator

import httpx
import numpy as np

from bench.homes import START_S, readings, register
from bench.report import Line
from bench.running import Running
from bench.stores import make
from statistics_manager_service.core.readings import Int64, WireReadings
from statistics_manager_service.core.units import S_PER_DAY, S_PER_MINUTE, US_PER_S

_HOMES = 100
_BATCH = 10_000
_MINUTES = _BATCH // _HOMES
_WEEK = 7 * S_PER_DAY // S_PER_MINUTE
_YEAR = 365 * S_PER_DAY // S_PER_MINUTE
_BULK_HOMES = 10
Rows = list[tuple[int, int, int]]


def _rows_table(path: pathlib.Path) -> sqlite3.Connection:
    """The leanest table of rows that still knows a reading that comes again; as durable as the service's store."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE readings (channel INTEGER, at_us INTEGER, value INTEGER, PRIMARY KEY (channel, at_us)) "
        "WITHOUT ROWID"
    )
    return connection


def _insert(connection: sqlite3.Connection, rows: Rows) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")


def _in_turns(batches: Iterator[tuple[Callable[[], None], Callable[[], None]]]) -> tuple[float, float]:
    """Seconds of all batches by us and by the reference, each batch by both, one after the other."""
    ours = theirs = 0.0
    for mine, other in batches:
        begin = time.perf_counter()
        mine()
        middle = time.perf_counter()
        other()
        theirs += time.perf_counter() - middle
        ours += middle - begin
    return ours, theirs


def _line(what: str, count: int, ours: float, theirs: float, goal: float) -> Line:
    ratio = theirs / ours
    return Line(
        what, f"{count / ours:,.0f}/s", f"executemany {count / theirs:,.0f}/s", ratio, f"≥ {goal:g}×", ratio >= goal
    )


def _week() -> list[tuple[Int64, Int64]]:
    return [register(i, START_S, S_PER_MINUTE, _WEEK) for i in range(_HOMES)]


def _mixed_rows(week: list[tuple[Int64, Int64]], part: slice) -> Rows:
    """The rows of a batch in the order of time, homes mixed."""
    at = np.array([one[0][part] for one in week])
    value = np.array([one[1][part] for one in week])
    channel = np.repeat(np.arange(_HOMES)[:, None], at.shape[1], axis=1)
    columns = (column.T.ravel().tolist() for column in (channel, at, value))
    return list(zip(*columns, strict=True))


def _parts(count: int) -> list[slice]:
    return [slice(first, min(first + _MINUTES, count)) for first in range(0, count, _MINUTES)]


def live(folder: pathlib.Path) -> Line:
    """A week of 100 homes through the service's function."""
    week = _week()
    store, recorder = make(folder / "live.sqlite3", (f"home{i}" for i in range(_HOMES)))
    connection = _rows_table(folder / "live-rows.sqlite3")

    def batches() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        for part in _parts(_WEEK):
            wires: list[WireReadings] = [
                readings(f"home{i}", at[part], value[part]) for i, (at, value) in enumerate(week)
            ]
            rows = _mixed_rows(week, part)
            yield lambda wires=wires: recorder.record(wires), lambda rows=rows: _insert(connection, rows)  # type: ignore[misc]

    ours, theirs = _in_turns(batches())
    store.close()
    return _line("live: 100 homes, a week, batches of 10,000, function", _WEEK * _HOMES, ours, theirs, 1)


def over_http(folder: pathlib.Path) -> Line:
    """The same as line protocol over HTTP, to a service with one worker."""
    week = _week()
    path = folder / "http.sqlite3"
    store, _ = make(path, (f"home{i}" for i in range(_HOMES)))
    store.close()
    connection = _rows_table(folder / "http-rows.sqlite3")
    parts = _parts(_WEEK)
    with Running(path) as service, httpx.Client(timeout=60) as client:
        headers = {"Authorization": f"Bearer {service.token()}"}
        url = f"http://127.0.0.1:{service.port}/api/v2/write?precision=s"

        def batches() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
            for part in parts:
                rows = _mixed_rows(week, part)
                body = "\n".join(
                    f"energy,household=home{channel},meter=grid energyImported={value} {at // US_PER_S}"
                    for channel, at, value in rows
                ).encode()

                def write(body: bytes = body) -> None:
                    answer = client.post(url, content=body, headers=headers)
                    if answer.status_code != 204:
                        raise SystemExit(answer.text)

                yield write, lambda rows=rows: _insert(connection, rows)  # type: ignore[misc]

        ours, theirs = _in_turns(batches())
    return _line("live: the same as line protocol over HTTP", _WEEK * _HOMES, ours, theirs, 1)


def bulk(folder: pathlib.Path) -> Line:
    """A year of 10 homes, a home a transaction."""
    store, recorder = make(folder / "bulk.sqlite3", (f"home{i}" for i in range(_BULK_HOMES)))
    connection = _rows_table(folder / "bulk-rows.sqlite3")

    def batches() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        for i in range(_BULK_HOMES):
            at, value = register(i, START_S, S_PER_MINUTE, _YEAR)
            rows = list(zip([i] * len(at), at.tolist(), value.tolist(), strict=True))
            wire = readings(f"home{i}", at, value)
            yield lambda wire=wire: recorder.record([wire]), lambda rows=rows: _insert(connection, rows)  # type: ignore[misc]

    ours, theirs = _in_turns(batches())
    store.close()
    return _line("bulk: 10 homes, a year of 1-minute readings", _YEAR * _BULK_HOMES, ours, theirs, 3)


def measure(folder: pathlib.Path) -> list[Line]:
    """All of it."""
    return [live(folder), over_http(folder), bulk(folder)]
